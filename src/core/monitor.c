/* SPDX-License-Identifier: MIT */
/* The monitor (D7): a thread of its own that looks at each worker's tick every few milliseconds. A
 * worker that has been in the same run of the same task for `stuck_after` is held: the monitor says
 * by whom, with the task's stack, and until the worker comes back it fires the worker's timers,
 * harvests its I/O and moves its runnable tasks to the inject queue, where the other workers find
 * them.
 *
 * A task alone in a LIFO slot waits for its waker to suspend; when that takes longer than a period,
 * the monitor moves it as well.
 *
 * While every worker sleeps there is nothing to watch: after 50 ms of that the monitor sleeps
 * too, until a worker that wakes finds it asleep. It must never take a lock that a task can hold
 * across user code. */
#include "core/monitor.h"

#include "arch/futex.h"
#include "arch/unwind.h"
#include "core/runtime.h"

#include <edo/metrics.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MONITOR_SIGNAL SIGURG /* ignored by default: harmless should it ever go astray */
#define MONITOR_FRAMES 64
#define MONITOR_ANSWER EDO_MS(100)
#define MONITOR_IDLE EDO_MS(50)
#define PERIOD_MAX EDO_MS(10)
#define REPORT_EVERY EDO_SEC(1)
#define REPORT_ANSWER EDO_SEC(2)
#define DUMP_EVERY EDO_MS(100) /* looks for a request while everything sleeps */

typedef struct watch { /* what was seen of one worker the last time */
    edo__task *task;
    uint64_t tick;
    int64_t since;
    int64_t cpu;   /* processor time the worker's thread had used by then */
    int64_t asked; /* when it was asked for its stack; 0: not yet          */
    bool reported;
} watch;

struct edo__monitor {
    pthread_t thread;
    bool running;
    uint32_t stop;   /* atomic */
    uint32_t asleep; /* atomic, futex: 1 while all workers sleep and so does the monitor */
    int64_t period;
    int64_t last_report;
    uint32_t dumps; /* requests for a dump that were answered */
    uint64_t suppressed;
    pthread_mutex_t trace_lock; /* one request for a stack at a time; over workers' `live` */
    watch *watches;
    struct trace {
        uint32_t wanted;  /* atomic: 1 asked, 0 answered */
        bool live;        /* its thread is in its loop */
        pthread_t thread; /* its own word for it: the worker's field is its creator's   */
        pid_t tid;
        size_t n;
        void *pcs[MONITOR_FRAMES];
    } * traces;
};

static struct sigaction previous;
static uint32_t dump_requests; /* atomic: times EDO_DUMP_SIGNAL has come */

static void on_dump_signal(int sig)
{
    (void)sig;
    edo__aadd(&dump_requests, 1u, EDO__REL); /* pairs with the load in answer_dump() */
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    edo__worker *w = edo__thread_worker();
    if (w != NULL) {
        struct trace *t = &w->rt->monitor->traces[w->index];
        if (edo__aload(&t->wanted, EDO__ACQ) != 0) {
            t->n = edo__unwind_ucontext(context, t->pcs, MONITOR_FRAMES);
            edo__astore(&t->wanted, 0u, EDO__REL); /* pairs with edo__monitor_stack() */
        }
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != NULL)
        previous.sa_sigaction(sig, info, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        previous.sa_handler(sig);
    errno = saved;
}

static void install_handler(void)
{
    edo__unwind_init();
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(MONITOR_SIGNAL, &action, &previous);
}

void edo__monitor_unblock_signal(sigset_t *set)
{
    sigdelset(set, MONITOR_SIGNAL);
}

void edo__monitor_enter(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    pthread_mutex_lock(&m->trace_lock);
    m->traces[w->index].live = true;
    m->traces[w->index].thread = pthread_self();
    m->traces[w->index].tid = gettid();
    pthread_mutex_unlock(&m->trace_lock);
}

void edo__monitor_leave(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    pthread_mutex_lock(&m->trace_lock);
    m->traces[w->index].live = false;
    pthread_mutex_unlock(&m->trace_lock);
}

/* Asks w's thread for its stack, by signal. */
static void trace_ask(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    struct trace *t = &m->traces[w->index];
    pthread_mutex_lock(&m->trace_lock);
    if (t->live) {
        edo__astore(&t->wanted, 1u, EDO__REL);
        pthread_kill(t->thread, MONITOR_SIGNAL);
    }
    pthread_mutex_unlock(&m->trace_lock);
}

/* The answer; false: not there yet. */
static bool trace_answer(edo__worker *w, void **pcs, size_t max, size_t *n)
{
    struct edo__monitor *m = w->rt->monitor;
    struct trace *t = &m->traces[w->index];
    pthread_mutex_lock(&m->trace_lock);
    bool there = edo__aload(&t->wanted, EDO__ACQ) == 0; /* pairs with on_signal() */
    if (there) {
        *n = t->n < max ? t->n : max;
        memcpy(pcs, t->pcs, *n * sizeof pcs[0]);
    }
    pthread_mutex_unlock(&m->trace_lock);
    return there;
}

size_t edo__monitor_stack(edo__worker *w, void **pcs, size_t max)
{
    size_t n = 0;
    int64_t until = edo__clock_real() + MONITOR_ANSWER;
    trace_ask(w);
    while (!trace_answer(w, pcs, max, &n) && edo__clock_real() < until)
        nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
    return n;
}

/* Processor time of w's thread; 0 when it has none. */
static int64_t thread_cpu(struct edo__monitor *m, const edo__worker *w)
{
    struct trace *t = &m->traces[w->index];
    struct timespec ts = { 0 };
    clockid_t clock;
    pthread_mutex_lock(&m->trace_lock);
    if (t->live && pthread_getcpuclockid(t->thread, &clock) == 0)
        (void)clock_gettime(clock, &ts);
    pthread_mutex_unlock(&m->trace_lock);
    return EDO_SEC(ts.tv_sec) + ts.tv_nsec;
}

/* Whether w's thread has not computed for that long and wants a processor: then the machine is
 * busy, and no task is to blame. A thread that blocks in a system call is in another state.
 * proc(5): the state follows the name in parentheses. */
static bool waits_for_cpu(struct edo__monitor *m, const edo__worker *w)
{
    if (thread_cpu(m, w) - m->watches[w->index].cpu >= w->rt->config.stuck_after)
        return false;
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)m->traces[w->index].tid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    const char *state = NULL;
    if (fgets(line, sizeof line, f) != NULL)
        state = strrchr(line, ')');
    fclose(f);
    return state != NULL && state[1] == ' ' && state[2] == 'R';
}

static void report(struct edo__monitor *m, edo__worker *w, edo__task *t, int64_t held,
                   void *const *pcs, size_t n)
{
    char who[256];
    size_t len = edo__task_describe(t, who, sizeof who - 1);
    who[len] = '\0';
    fprintf(stderr, "edo: worker %u has been held for %lld ms by %s\n", w->index,
            (long long)(held / EDO_MS(1)), who);
    for (size_t i = 0; i < n; i++) {
        char symbol[256];
        edo__symbolize(pcs[i], symbol, sizeof symbol);
        fprintf(stderr, "    #%zu %s\n", i, symbol);
    }
    fprintf(stderr, "    long work belongs into edo_blocking() or edo_cpu(), or needs edo_yield() "
                    "now and then");
    if (m->suppressed > 0)
        fprintf(stderr, " (%llu more such events since the last report)",
                (unsigned long long)m->suppressed);
    fputc('\n', stderr);
    m->suppressed = 0;
    m->last_report = edo__clock_real();
}

/* In two steps, so that the held worker is relieved while its thread, which may have to wait for a
 * processor itself, gets round to answering. */
static void report_in_steps(struct edo__monitor *m, edo__worker *w, watch *seen, int64_t now)
{
    if (seen->asked == 0) {
        if (waits_for_cpu(m, w))
            return;
        edo__aadd(&w->rt->stuck_events, 1u, EDO__RLX);
        if (m->last_report != 0 && now - m->last_report < REPORT_EVERY) {
            m->suppressed++;
            seen->reported = true;
            return;
        }
        seen->asked = now;
        trace_ask(w);
        return;
    }
    void *pcs[MONITOR_FRAMES];
    size_t n = 0;
    if (!trace_answer(w, pcs, MONITOR_FRAMES, &n) && now - seen->asked < REPORT_ANSWER)
        return;
    report(m, w, seen->task, now - seen->since, pcs, n);
    seen->reported = true;
}

/* Moves what the LIFO slot holds to where others find it. */
static bool relieve_lifo(edo__worker *w)
{
    if (edo__aload(&w->lifo, EDO__RLX) == NULL)
        return false;
    edo__task *t = edo__axchg(&w->lifo, NULL, EDO__AR); /* pairs with schedule_here() */
    if (t == NULL)
        return false;
    edo__inject_push(&w->rt->inject, t, t, 1);
    return true;
}

/* Tasks in the mailbox that need not run there. */
static bool relieve_mail(edo__worker *w)
{
    edo__task *first = NULL, *last = NULL, *keep = NULL, *keep_last = NULL;
    uint32_t n = 0, kept = 0;
    edo__spin_lock(&w->mail_lock);
    for (edo__task *t = w->mail_head; t != NULL;) {
        edo__task *next = t->next;
        edo__task **tail = edo__pinned(t) ? &keep_last : &last;
        edo__task **head = edo__pinned(t) ? &keep : &first;
        t->next = NULL;
        if (*tail != NULL)
            (*tail)->next = t;
        else
            *head = t;
        *tail = t;
        *(edo__pinned(t) ? &kept : &n) += 1;
        t = next;
    }
    w->mail_head = keep;
    w->mail_tail = keep_last;
    edo__astore(&w->mail_len, kept, EDO__REL);
    edo__spin_unlock(&w->mail_lock);
    if (n > 0)
        edo__inject_push(&w->rt->inject, first, last, n);
    return n > 0;
}

/* Does for a held worker what it cannot do itself. */
static void relieve(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    bool found = relieve_lifo(w);
    found |= relieve_mail(w);
    edo__task *half[EDO__QUEUE_SIZE / 2];
    uint32_t n;
    while ((n = edo__queue_grab(&w->queue, half, EDO__QUEUE_SIZE / 2)) > 0) {
        for (uint32_t i = 0; i + 1 < n; i++)
            half[i]->next = half[i + 1];
        edo__inject_push(&rt->inject, half[0], half[n - 1], n);
        found = true;
    }
    if (found)
        edo__wake_one(rt);
    if (edo__aload(&rt->clock_paused, EDO__ACQ) == 0)
        (void)edo__worker_expire(w, edo__clock_now(rt));
    (void)rt->backend->poll_for(w);
}

/* One look at one worker; true while it is held. */
static bool look_at(struct edo__monitor *m, edo__worker *w, int64_t now)
{
    watch *seen = &m->watches[w->index];
    uint64_t tick = edo__aload(&w->tick, EDO__ACQ);
    edo__task *t = edo__aload(&w->current, EDO__ACQ);
    if (t == NULL || tick != seen->tick || t != seen->task) {
        *seen = (watch){ .task = t, .tick = tick, .since = now };
        if (t != NULL) {
            seen->cpu = thread_cpu(m, w);
            /* It counts tasks, not time, between looks at its timers: long runs make that too
             * rare. */
            edo__aor(&w->wanted, EDO__WANT_TEND, EDO__RLX);
        }
        return false;
    }
    int64_t held = now - seen->since;
    if (relieve_lifo(w))
        edo__wake_one(w->rt);
    if (held < w->rt->config.stuck_after)
        return false;
    if (!seen->reported)
        report_in_steps(m, w, seen, now);
    relieve(w);
    return true;
}

static void pause_for(struct edo__monitor *m, int64_t ns)
{
    edo__futex_wait(&m->stop, 0, ns);
}

/* All workers sleep: until one of them wakes. */
static void sleep_with_workers(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    edo__astore(&m->asleep, 1u, EDO__SC);
    edo__afence(EDO__SC); /* pairs with the fence in edo__monitor_kick() */
    while (edo__aload(&m->asleep, EDO__SC) != 0 && edo__aload(&m->stop, EDO__ACQ) == 0 &&
           edo__aload(&rt->idle.sleeping, EDO__SC) == rt->n_workers)
        edo__futex_wait(&m->asleep, 1, rt->dump_signal != 0 ? DUMP_EVERY : EDO_FOREVER);
    edo__astore(&m->asleep, 0u, EDO__SC);
}

static void answer_dump(edo_runtime *rt)
{
    uint32_t requests = edo__aload(&dump_requests, EDO__ACQ);
    if (requests == rt->monitor->dumps)
        return;
    rt->monitor->dumps = requests;
    (void)edo_dump(rt, stderr);
}

void edo__monitor_kick(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    edo__afence(EDO__SC); /* the worker has left the sleepers; pairs with sleep_with_workers() */
    if (edo__likely(edo__aload(&m->asleep, EDO__RLX) == 0))
        return;
    edo__astore(&m->asleep, 0u, EDO__SC);
    edo__futex_wake(&m->asleep, 1);
}

static void *monitor_thread(void *arg)
{
    edo_runtime *rt = arg;
    struct edo__monitor *m = rt->monitor;
    int64_t idle_since = 0;
    pthread_setname_np(pthread_self(), "edo-monitor");
    while (edo__aload(&m->stop, EDO__ACQ) == 0) {
        int64_t now = edo__clock_real();
        bool held = false;
        answer_dump(rt);
        for (uint32_t i = 0; i < rt->n_workers; i++)
            held |= look_at(m, &rt->workers[i], now);
        if (edo__aload(&rt->idle.sleeping, EDO__ACQ) < rt->n_workers) {
            idle_since = 0;
        } else if (idle_since == 0) {
            idle_since = now;
        } else if (now - idle_since > MONITOR_IDLE) {
            sleep_with_workers(rt);
            idle_since = 0;
        }
        pause_for(m, held && m->period > EDO_MS(1) ? EDO_MS(1) : m->period);
    }
    return NULL;
}

static int monitor_start_thread(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    m->period = rt->config.stuck_after / 2;
    if (m->period > PERIOD_MAX)
        m->period = PERIOD_MAX;
    if (rt->dump_signal != 0) {
        m->dumps = edo__aload(&dump_requests, EDO__ACQ);
        struct sigaction action = { .sa_handler = on_dump_signal,
                                    .sa_flags = SA_RESTART | SA_ONSTACK };
        sigemptyset(&action.sa_mask);
        sigaction(rt->dump_signal, &action, NULL);
    }
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&m->thread, NULL, monitor_thread, rt);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    m->running = rc == 0;
    return -rc;
}

int edo__monitor_start(edo_runtime *rt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_handler);
    struct edo__monitor *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    rt->monitor = m;
    pthread_mutex_init(&m->trace_lock, NULL);
    m->watches = calloc(rt->n_workers, sizeof *m->watches);
    m->traces = calloc(rt->n_workers, sizeof *m->traces);
    if (m->watches == NULL || m->traces == NULL)
        return -ENOMEM; /* edo__monitor_stop() frees what is there */
    bool needed = rt->config.stuck_after != EDO_FOREVER || rt->dump_signal != 0;
    return needed ? monitor_start_thread(rt) : 0;
}

void edo__monitor_stop(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    if (m == NULL)
        return;
    if (m->running) {
        edo__astore(&m->stop, 1u, EDO__SC);
        edo__futex_wake(&m->stop, 1);
        edo__astore(&m->asleep, 0u, EDO__SC);
        edo__futex_wake(&m->asleep, 1);
        pthread_join(m->thread, NULL);
    }
    pthread_mutex_destroy(&m->trace_lock);
    free(m->watches);
    free(m->traces);
    free(m);
    rt->monitor = NULL;
}
