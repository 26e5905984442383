/* SPDX-License-Identifier: MIT */
/* Starting and stopping runtimes.
 *
 * Two ways in: edo_run() makes the calling thread worker 0 and ends with its task;
 * edo_runtime_create() gives every worker a thread. Both stop the same way: the root group is
 * cancelled, and when its last child has ended the workers are told to leave. */
#include "core/runtime.h"

#include "core/cpus.h"
#include "core/group.h"
#include "core/hooks.h"
#include "core/monitor.h"
#include "core/scope.h"
#include "core/sched.h"
#include "core/trace.h"

#include <edo/metrics.h>
#include <edo/runtime.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct edo__stopping { /* who waits for the end */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stopped;
    bool drained;
};

/* All there are, for debuggers: tools/gdb/edo-gdb.py starts here. */
extern edo_runtime *edo__runtimes;
edo_runtime *edo__runtimes;
static uint32_t runtimes_lock;

static void runtime_list(edo_runtime *rt)
{
    edo__spin_lock(&runtimes_lock);
    rt->listed = edo__runtimes;
    edo__runtimes = rt;
    edo__spin_unlock(&runtimes_lock);
    EDO__PROBE2(runtime_start, &rt->name[0], rt->n_workers);
}

static void runtime_unlist(const edo_runtime *rt)
{
    edo__spin_lock(&runtimes_lock);
    edo_runtime **at = &edo__runtimes;
    while (*at != NULL && *at != rt)
        at = &(*at)->listed;
    if (*at != NULL)
        *at = rt->listed;
    edo__spin_unlock(&runtimes_lock);
    EDO__PROBE1(runtime_stop, &rt->name[0]);
}

edo_runtime *edo_runtime_current(void)
{
    edo__task *self = edo__self_task();
    return self != NULL ? self->rt : NULL;
}

static void wake_workers(edo_runtime *rt)
{
    uint32_t n = edo__workers_known(rt);
    for (uint32_t i = 0; i < n; i++)
        edo__worker_wake(&rt->workers[i]);
}

/* Tells the workers to leave. */
static void runtime_stop(edo_runtime *rt)
{
    edo__astore(&rt->shutdown, 2u, EDO__SC);
    wake_workers(rt);
    pthread_mutex_lock(&rt->stopping->lock);
    rt->stopping->stopped = true;
    pthread_cond_broadcast(&rt->stopping->cond);
    pthread_mutex_unlock(&rt->stopping->lock);
}

static void say_drained(edo_runtime *rt)
{
    pthread_mutex_lock(&rt->stopping->lock);
    rt->stopping->drained = true;
    pthread_cond_broadcast(&rt->stopping->cond);
    pthread_mutex_unlock(&rt->stopping->lock);
}

static bool root_is_empty(edo_runtime *rt)
{
    edo__spin_lock(&rt->root.edo__lock);
    bool empty = rt->root.edo__live == 0;
    edo__spin_unlock(&rt->root.edo__lock);
    return empty;
}

void edo__runtime_root_empty(edo_runtime *rt)
{
    uint32_t shutdown = edo__aload(&rt->shutdown, EDO__SC); /* pairs with cancel and drain */
    /* It was empty a moment ago: a task that was spawned since will be the last. */
    if (shutdown == 0 || !root_is_empty(rt))
        return;
    if (shutdown == 1)
        runtime_stop(rt);
    else if (shutdown == 3)
        say_drained(rt);
}

/* No more spawns from outside; everything alive is cancelled; stops when the last one has ended. */
static void runtime_cancel(edo_runtime *rt)
{
    uint32_t was = 0;
    while (!edo__acas(&rt->shutdown, &was, 1u, EDO__SC, EDO__SC)) {
        if (was != 0 && was != 3)
            return;
    }
    edo__scope_mark(&rt->root.edo__scope, EDO__CANCELLED_SELF);
    if (root_is_empty(rt))
        runtime_stop(rt);
}

/* Threads from outside that woke the last tasks: a few instructions each. */
static void wait_for_visitors(const edo_runtime *rt)
{
    while (edo__aload(&rt->visitors, EDO__ACQ) != 0) /* pairs with schedule_outside() */
        sched_yield();
}

static void runtime_free(edo_runtime *rt)
{
    runtime_unlist(rt);
    if (rt->workers != NULL)
        edo__cpus_close(rt);
    wait_for_visitors(rt);
    if (rt->pool != NULL)
        edo__pool_destroy(rt->pool);
    edo__monitor_free(rt);
    for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
        if (rt->workers[i].rt != NULL)
            edo__worker_deinit(&rt->workers[i]);
    }
    if (rt->io_open)
        rt->backend->close(rt);
    if (rt->stacks != NULL)
        edo__stack_pool_destroy(rt->stacks);
    if (rt->arena != NULL)
        edo__arena_destroy(rt->arena);
    edo__idle_deinit(&rt->idle);
    free(rt->workers);
    if (rt->stopping != NULL) {
        pthread_cond_destroy(&rt->stopping->cond);
        pthread_mutex_destroy(&rt->stopping->lock);
    }
    free(rt->stopping);
    free(rt);
}

/* The root group has no owner among the tasks: a stand-in of the runtime's holds its scope. */
static void runtime_init_root(edo_runtime *rt)
{
    rt->root_owner.flags = EDO__TF_FOREIGN;
    rt->root.edo__rt = rt;
    rt->root.edo__keep_going = true;
    rt->root.edo__discard = true;
    rt->root.edo__scope = (edo_scope){ .edo__owner = &rt->root_owner,
                                       .edo__deadline = EDO_FOREVER,
                                       .edo__deadline_eff = EDO_FOREVER,
                                       .edo__flags = EDO__SCOPE_GROUP };
    rt->root_owner.scope = &rt->root.edo__scope;
}

static void on_blocking_thread(void *rt, bool starts)
{
    if (starts)
        edo__cpus_enter_free(rt);
    edo__hook_blocking(rt, starts);
}

static void say_fallback(int rc)
{
    static uint32_t said; /* atomic: once per process */
    if (edo__axchg(&said, 1, EDO__RLX) == 0)
        fprintf(stderr, "edo: io_uring is not available (%s): using epoll\n", strerror(-rc));
}

static int open_uring(edo_runtime *rt)
{
#ifdef EDO_HAVE_URING
    rt->backend = &edo__backend_uring;
    return rt->backend->open(rt);
#else
    (void)rt;
    return -ENOSYS;
#endif
}

static int open_backend(edo_runtime *rt)
{
    if (rt->config.backend == EDO_BACKEND_URING) {
        int rc = open_uring(rt);
        if (rc == 0 || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE)
            return rc;
        if (!rt->fall_back)
            return -ENOTSUP;
        say_fallback(rc);
    }
    rt->backend = &edo__backend_epoll;
    return rt->backend->open(rt);
}

static int runtime_init_parts(edo_runtime *rt)
{
    const edo_config *c = &rt->config;
    rt->stopping = calloc(1, sizeof *rt->stopping);
    if (rt->stopping == NULL)
        return -ENOMEM;
    pthread_mutex_init(&rt->stopping->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&rt->stopping->cond, &attr);
    pthread_condattr_destroy(&attr);
    int rc = edo__idle_init(&rt->idle, rt->n_workers, rt->n_workers + EDO__SPARES_MAX);
    if (rc == 0)
        rc = edo__arena_create(&rt->arena);
    if (rc == 0)
        rc = edo__stack_pool_create(&rt->stacks, c->stack_size, edo__stack_entry);
    if (rc == 0)
        rc = edo__pool_create(&rt->pool, c->blocking_max, c->blocking_keepalive, edo__cpus_usable(),
                              rt->name);
    if (rc == 0) {
        edo__pool_on_thread(rt->pool, on_blocking_thread, rt);
        rc = open_backend(rt);
    }
    rt->io_open = rc == 0;
    return rc;
}

static int runtime_new(edo_runtime **out, const edo_config *config)
{
    edo__trace_from_environment();
    edo__ticks_init();
    edo_runtime *rt = aligned_alloc(EDO__CACHE_LINE, sizeof *rt);
    if (rt == NULL)
        return -ENOMEM;
    memset(rt, 0, sizeof *rt);
    int rc = edo__config_fill(&rt->config, config, &rt->fall_back);
    if (rc < 0) {
        free(rt);
        return rc;
    }
    rt->dump_signal = edo__config_dump_signal();
    if (rt->dump_signal < 0) {
        free(rt);
        return -EINVAL;
    }
    rt->n_workers = rt->config.workers;
    snprintf(rt->name, sizeof rt->name, "%s", rt->config.name);
    rt->config.name = rt->name;
    runtime_init_root(rt);
    edo__overflow_handler_install();
    edo__overflow_set_describe(edo__task_describe);
    rc = runtime_init_parts(rt);
    if (rc == 0) {
        size_t room = rt->n_workers + EDO__SPARES_MAX; /* the spares' is not touched until then */
        rt->workers = aligned_alloc(EDO__CACHE_LINE, room * sizeof(edo__worker));
        rc = rt->workers != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0) {
        memset(rt->workers, 0, rt->n_workers * sizeof(edo__worker));
        rt->n_known = rt->n_workers;
    }
    for (uint32_t i = 0; rc == 0 && i < rt->n_workers; i++) {
        rc = edo__worker_init(&rt->workers[i], rt, i);
        if (rc < 0)
            rt->workers[i].rt = NULL;
    }
    if (rc < 0) {
        runtime_free(rt);
        return rc;
    }
    edo__cpus_open(rt);
    runtime_list(rt);
    *out = rt;
    return 0;
}

static void *worker_thread(void *arg)
{
    edo__worker *w = arg;
    char name[32];
    snprintf(name, sizeof name, "%s-%u", w->rt->name, w->index);
    name[15] = '\0'; /* the kernel's limit */
    pthread_setname_np(pthread_self(), name);
    edo__monitor_enter(w);
    edo__worker_run(w);
    edo__monitor_leave(w);
    return NULL;
}

/* Signals are for the program's own threads: a worker's would interrupt a task's system calls. */
int edo__worker_start(edo__worker *w)
{
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGABRT);
    edo__monitor_unblock_signal(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, worker_thread, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    w->has_thread = rc == 0;
    return -rc;
}

static void join_threads(edo_runtime *rt)
{
    edo__monitor_stop(rt); /* no spares from here on */
    wake_workers(rt);      /* one that came after runtime_stop() had woken the others */
    for (uint32_t i = 0; i < rt->n_known; i++) {
        if (rt->workers[i].has_thread)
            pthread_join(rt->workers[i].thread, NULL);
        rt->workers[i].has_thread = false;
    }
}

static int start_threads(edo_runtime *rt, uint32_t from)
{
    int rc = edo__monitor_start(rt);
    for (uint32_t i = from; rc == 0 && i < rt->n_workers; i++)
        rc = edo__worker_start(&rt->workers[i]);
    if (rc < 0) {
        runtime_cancel(rt);
        join_threads(rt);
    }
    return rc;
}

/* A first task, and who waits for it. */
typedef struct run_task {
    edo_runtime *rt;
    edo_fn *fn;
    void *arg;
    int code;
    bool done;
    bool last; /* the runtime stops with it */
    pthread_mutex_t lock;
    pthread_cond_t cond;
} run_task;

static int run_task_body(void *arg)
{
    run_task *r = arg;
    r->code = r->fn(r->arg);
    if (r->last)
        runtime_cancel(r->rt);
    pthread_mutex_lock(&r->lock);
    r->done = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

static int run_task_spawn(run_task *r, edo_runtime *rt, edo_fn *fn, void *arg, bool last)
{
    *r = (run_task){ .rt = rt, .fn = fn, .arg = arg, .last = last };
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->cond, NULL);
    edo_task_options options = { .name = "main" };
    edo__spawn how = { .fn = run_task_body, .arg = r, .options = &options };
    return edo__runtime_spawn_how(rt, &how);
}

static void run_task_deinit(run_task *r)
{
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->lock);
}

/* The calling thread as worker 0. */
static int run_first(edo_runtime *rt, edo_fn *fn, void *arg)
{
    run_task r;
    int rc = run_task_spawn(&r, rt, fn, arg, true);
    if (rc < 0)
        runtime_cancel(rt); /* there is no task at all: the threads leave at once */
    rt->workers[0].thread = pthread_self();
    edo__monitor_enter(&rt->workers[0]);
    edo__worker_run(&rt->workers[0]);
    edo__monitor_leave(&rt->workers[0]);
    join_threads(rt);
    run_task_deinit(&r);
    return rc < 0 ? rc : r.code;
}

int edo_run(const edo_config *config, edo_fn *fn, void *arg)
{
    if (edo__self_task() != NULL)
        return -EDEADLK;
    edo_runtime *rt;
    int rc = runtime_new(&rt, config);
    if (rc < 0)
        return rc;
    rc = start_threads(rt, 1);
    if (rc == 0)
        rc = run_first(rt, fn, arg);
    runtime_free(rt);
    return rc;
}

int edo_runtime_create(edo_runtime **out, const edo_config *config)
{
    edo_runtime *rt;
    int rc = runtime_new(&rt, config);
    if (rc < 0)
        return rc;
    rc = start_threads(rt, 0);
    if (rc < 0) {
        runtime_free(rt);
        return rc;
    }
    *out = rt;
    return 0;
}

int edo_runtime_block_on(edo_runtime *rt, edo_fn *fn, void *arg)
{
    if (edo__self_task() != NULL)
        return -EDEADLK;
    run_task r;
    int rc = run_task_spawn(&r, rt, fn, arg, false);
    if (rc == 0) {
        pthread_mutex_lock(&r.lock);
        while (!r.done)
            pthread_cond_wait(&r.cond, &r.lock);
        pthread_mutex_unlock(&r.lock);
        rc = r.code;
    }
    run_task_deinit(&r);
    return rc;
}

/* Until that was said, or the time has passed. */
static bool wait_for(edo_runtime *rt, const bool *what, int64_t time)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = time < EDO_SEC(1000000000) ? time : EDO_SEC(1000000000);
    ns = ns > 0 ? ns : 0;
    until.tv_sec += ns / EDO_SEC(1);
    until.tv_nsec += ns % EDO_SEC(1);
    if (until.tv_nsec >= EDO_SEC(1)) {
        until.tv_nsec -= EDO_SEC(1);
        until.tv_sec++;
    }
    struct edo__stopping *s = rt->stopping;
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (!*what && rc == 0)
        rc = pthread_cond_timedwait(&s->cond, &s->lock, &until);
    bool said = *what;
    pthread_mutex_unlock(&s->lock);
    return said;
}

int edo_runtime_drain(edo_runtime *rt, int64_t time)
{
    edo__task *self = edo__self_task();
    if (self != NULL && self->rt == rt)
        return -EDEADLK;
    uint32_t running = 0;
    if (!edo__acas(&rt->shutdown, &running, 3u, EDO__SC, EDO__SC) && running != 3)
        return -ESHUTDOWN;
    if (root_is_empty(rt))
        say_drained(rt);
    return wait_for(rt, &rt->stopping->drained, time) ? 0 : -ETIMEDOUT;
}

int edo_runtime_shutdown(edo_runtime *rt, int64_t grace)
{
    edo__task *self = edo__self_task();
    if (self != NULL && self->rt == rt)
        return -EDEADLK;
    runtime_cancel(rt);
    if (!wait_for(rt, &rt->stopping->stopped, grace)) {
        fprintf(stderr, "edo: shutdown: these tasks have not ended within the grace period:\n");
        (void)edo_dump(rt, stderr);
        return -ETIMEDOUT;
    }
    join_threads(rt);
    runtime_free(rt);
    return 0;
}
