/* SPDX-License-Identifier: MIT */
/* The whole scheduler for models: each worker is a thread of the model that runs edo__worker_run(),
 * and the tasks are contexts of their own, which the workers resume, suspend and pass on as the
 * library does. So a task that moves from worker to worker takes its frames with it, and a context
 * that is entered before it was left is a failure.
 *
 * The model's own are the backend (a flag per worker, like an eventfd), the clock, one timer, where
 * stacks come from, and what is measured (nothing). Tasks follow little programs:
 *
 *     y       yields
 *     wN sN   waits for event N, which lets one pass; sets it
 *     nN      makes task N runnable, which has not run yet
 *     bN cN   keeps its worker until N tasks have ended: in a system call; computing
 *     t       sleeps; whoever looks after the worker's timers finds it due
 *     r       waits for a descriptor, which the kernel makes ready
 *     p q     is pinned to its worker from here on; not any more
 *
 * A thread from outside follows one of s and n. */
#ifndef EDO_TESTS_MODEL_SCHEDULER_H
#define EDO_TESTS_MODEL_SCHEDULER_H

#define EDO_MODEL 1
#ifndef EDO_DEBUG
#define EDO_DEBUG 1
#endif
#define EDO__QUEUE_SIZE 4u
#define EDO__SPARES_MAX 2
#undef EDO_FORCE_MIGRATE
#include "model.h"

#pragma GCC diagnostic ignored "-Wshadow"

#include "arch/context.h"
#include "arch/futex.h"
#include "core/group.h"
#include "core/monitor.h"
#include "core/sched.h"
#include "core/trace.h"

#include <unistd.h>

static void enter_context(edo__context *to);
static void leave_context(edo__context *from);
static void change_context(edo__context *from, edo__context *to);

/* Victims in order; spin() looks around once. */
#define edo__worker_random(w_) ((void)(w_), UINT64_C(0))
#define gettid() 1
#define edo__context_resume_with(c_, words_) ((void)(words_), enter_context(c_))
#define edo__context_suspend leave_context
#define edo__context_pass change_context

#include "core/inject.c"
#include "core/park.c"
#include "core/sched.c"
#include "core/wait.c"
#include "core/worker.c"
/* Names that two sources use, or the model. */
#define is_retired is_retired_spare
#define count count_spares
#define start start_spare
#include "core/spare.c"
#undef is_retired
#undef count
#undef start

#undef edo__context_resume_with
#undef edo__context_suspend
#undef edo__context_pass

#include "sync/event.c"

enum { WORKERS_MAX = 4, TASKS_MAX = 5, EVENTS = 3, OUTSIDE_MAX = 2, STACK = 64 * 1024 };

typedef struct setup {
    const char *what;
    unsigned workers;
    const char *tasks[TASKS_MAX];
    const char *outside[OUTSIDE_MAX];
    bool monitor;
    bool kernel;         /* makes the descriptor ready */
    bool pinned;         /* task 0, to worker 0, from the start */
    int32_t inject_turn; /* tasks run until a look at the inject queue; 0: never mind */
    unsigned patience;   /* the monitor may look again so often though others could go on */
    int64_t limit_ms;    /* of the monitor's time, until the last task has ended */
    bool early;          /* broken: a task is published before it has left its stack */
    bool unfair;         /* broken: the slot is used for ever */
} setup;

static setup cfg;
static edo_runtime rt;
static edo__worker workers[WORKERS_MAX];
static edo__task tasks[TASKS_MAX], outsiders[OUTSIDE_MAX + WORKERS_MAX + 2];
static edo_group family;
static edo_event events[EVENTS];
static edo__stack stacks[TASKS_MAX];
static char memory[TASKS_MAX][STACK] __attribute__((aligned(64)));
static uint32_t flags[WORKERS_MAX]; /* atomic: what an eventfd is to the real backend */
static uint32_t started[WORKERS_MAX];
static uint32_t in_kernel[WORKERS_MAX]; /* atomic: a task sleeps there in a system call */
static uint32_t ended;                  /* atomic: tasks */
static uint32_t readable, reading;      /* atomic: the descriptor is; a task waits for it */
static uint16_t sleepers[WORKERS_MAX];
static uint8_t asleep[WORKERS_MAX];
static edo__timer *wheel_timer;
static int64_t instant, clock_of_monitor;
static struct {
    uint8_t at[TASKS_MAX];       /* each task's place in its program */
    uint8_t runs[TASKS_MAX];     /* times it began */
    uint8_t left[TASKS_MAX];     /* per stack: nobody is on it */
    uint8_t in_use[TASKS_MAX];   /* per stack */
    int8_t running[WORKERS_MAX]; /* the stack a worker is on, -1 for its own */
    uint8_t home[TASKS_MAX];     /* where it is pinned to, 1 + worker */
    uint8_t passed[TASKS_MAX];   /* first in line: so many runs of others began meanwhile */
} notes;

static unsigned count(const char *const *list, unsigned max)
{
    unsigned n = 0;
    while (n < max && list[n] != NULL)
        n++;
    return n;
}

static unsigned tasks_in_all(void)
{
    return count(cfg.tasks, TASKS_MAX);
}

/* ---- contexts ---- */

static unsigned stack_index(const edo__context *c)
{
    return (unsigned)((const edo__stack *)c - stacks);
}

/* t is the first of a queue, and another task runs. */
static void pass_by(const edo__task *t, int32_t most)
{
    if (++notes.passed[t - tasks] > most)
        model_fail("task %d is passed by %d times", (int)(t - tasks), notes.passed[t - tasks]);
}

/* With one worker: who is first in the ring waits for the slot three times, for one from the inject
 * queue, and for one that was chosen before; who is first in the inject queue until it is looked at. */
static void check_fairness(edo__task *running)
{
    edo__worker *w = &workers[0];
    notes.passed[running - tasks] = 0;
    if (cfg.unfair)
        w->lifo_used = 0;
    if (cfg.workers != 1 || cfg.monitor)
        return;
    if (w->queue.head != w->queue.tail)
        pass_by(w->queue.ring[w->queue.head % EDO__QUEUE_SIZE], EDO__LIFO_MAX + 2);
    if (rt.inject.head != NULL && rt.inject.lock == 0 && cfg.inject_turn != 0)
        pass_by(rt.inject.head, cfg.inject_turn);
}

static void go_to(edo__context *to)
{
    unsigned i = stack_index(to);
    check_fairness(stacks[i].task);
    if (notes.left[i] == 0)
        model_assert_failed("a task goes on that has left its stack", __func__);
    notes.left[i] = 0;
    notes.running[model_current()] = (int8_t)i;
    edo__tls_self = stacks[i].task;
}

/* Fault: what settle() does on the other side is done on this one. */
static void publish_early(void)
{
    edo__worker *w = &workers[model_current()];
    if (cfg.early && w->action == EDO__ACTION_PARK) {
        w->action = EDO__ACTION_NONE;
        after_park(w->left);
        model_point();
    }
}

static void enter_context(edo__context *to)
{
    go_to(to);
    edo__context_resume(to);
}

static void leave_context(edo__context *from)
{
    publish_early();
    notes.left[stack_index(from)] = 1;
    notes.running[model_current()] = -1;
    edo__context_suspend(from);
}

static void change_context(edo__context *from, edo__context *to)
{
    publish_early();
    notes.left[stack_index(from)] = 1;
    go_to(to);
    edo__context_pass(from, to);
}

/* ---- the model's own ---- */

edo__task *edo__foreign_self(void)
{
    return &outsiders[model_current()];
}

int64_t edo__clock_real(void)
{
    if (model_current() >= rt.n_workers + (cfg.monitor ? EDO__SPARES_MAX : 0))
        return clock_of_monitor;
    return instant += EDO_SEC(1);
}

int64_t edo__clock_now(const edo_runtime *r)
{
    (void)r;
    return 1;
}

int64_t edo__now(const edo__task *self)
{
    (void)self;
    return 1;
}

bool edo__clock_jump(edo_runtime *r)
{
    (void)r;
    return false;
}

bool edo__pool_idle(edo__pool *p)
{
    (void)p;
    return true;
}

void edo__wheel_init(edo__wheel *w, int64_t now)
{
    (void)w;
    (void)now;
}

void edo__wheel_deinit(edo__wheel *w)
{
    (void)w;
}

void edo__wheel_add(edo__wheel *w, edo__timer *t, int64_t now)
{
    (void)now;
    MODEL_CHECK(wheel_timer == NULL);
    wheel_timer = t;
    w->next = 1;
}

bool edo__wheel_remove(edo__wheel *w, edo__timer *t)
{
    (void)w;
    MODEL_CHECK(wheel_timer != t); /* nobody cancels */
    return false;
}

int64_t edo__wheel_next(const edo__wheel *w)
{
    return wheel_timer != NULL && w->next == 1 ? 1 : EDO_FOREVER;
}

size_t edo__wheel_expire(edo__wheel *w, int64_t now)
{
    edo__timer *t = wheel_timer;
    (void)now;
    if (t == NULL || w->next != 1)
        return 0;
    wheel_timer = NULL;
    w->next = 0;
    t->fire(t);
    return 1;
}

edo__stack *edo__stack_acquire(edo__stack_pool *p, unsigned cls)
{
    (void)p;
    (void)cls;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (notes.in_use[i] == 0) {
            notes.in_use[i] = 1;
            return &stacks[i];
        }
    }
    return NULL;
}

void edo__stack_release(edo__stack_pool *p, edo__stack *s)
{
    (void)p;
    notes.in_use[s - stacks] = 0;
}

int edo__overflow_thread_enter(void)
{
    return 0;
}

void edo__overflow_thread_leave(void) {}

void edo__results_drop_cache(edo__worker *w)
{
    (void)w;
}

void edo__child_leave(edo__task *t)
{
    (void)t;
}

void edo__locals_end(edo__task *t)
{
    (void)t;
}

bool edo__scope_cancelled(const edo__task *t, const edo_scope *s)
{
    (void)t;
    (void)s;
    return false;
}

void edo__group_ended(edo__task *t, edo__worker *w)
{
    (void)w;
    MODEL_CHECK(notes.runs[t - tasks] == 1);
    if (cfg.limit_ms != 0 && clock_of_monitor - EDO_SEC(1) > EDO_MS(cfg.limit_ms))
        model_fail("task %d has ended late", (int)(t - tasks));
    edo__aadd(&ended, 1u, EDO__SC);
}

/* The monitor only: its time passes while it waits, and somebody else does something if he can. */
void edo__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout)
{
    if (timeout != EDO_FOREVER)
        clock_of_monitor += timeout;
    model_forget(50);
    model_relax();
    while (edo__aload(word, EDO__ACQ) == expected && timeout == EDO_FOREVER)
        model_relax();
}

void edo__futex_wake(uint32_t *word, int n)
{
    (void)word;
    (void)n;
}

int edo__worker_start(edo__worker *w)
{
    w->has_thread = true;
    edo__astore(&started[w->index], 1u, EDO__SC);
    return 0;
}

/* Nothing is measured. */
void edo__meter_init(edo__worker *w, const edo_config *config)
{
    (void)w;
    (void)config;
}

void edo__meter_start(edo__worker *w)
{
    w->until_inject = cfg.inject_turn != 0 ? cfg.inject_turn : 1000;
}

bool edo__meter_turn(edo__worker *w)
{
    w->until_inject = cfg.inject_turn != 0 ? cfg.inject_turn : 1000;
    return true;
}

int64_t edo__meter_begin(edo__worker *w, edo__task *t)
{
    (void)w;
    (void)t;
    return 0;
}

void edo__meter_end(edo__worker *w, int64_t begin, uint64_t id)
{
    (void)w;
    (void)begin;
    (void)id;
}

void edo__meter_woken(edo__task *t)
{
    (void)t;
}

void edo__meter_ran(edo__worker *w, edo__task *t)
{
    (void)w;
    (void)t;
}

void edo__meter_idle(edo__worker *w)
{
    (void)w;
}

void edo__meter_busy(edo__worker *w)
{
    (void)w;
}

/* No worker is bound to a CPU, and there are no hooks. */
void edo__cpus_enter(edo__worker *w)
{
    (void)w;
}

void edo__cpus_leave(edo__worker *w)
{
    (void)w;
}

void edo__cpus_enter_free(edo_runtime *r)
{
    (void)r;
}

void edo__cpus_free_thread(pthread_t thread)
{
    (void)thread;
}

void edo__hook_worker(edo__worker *w, bool starts)
{
    (void)w;
    (void)starts;
}

bool edo__hook_park(edo__worker *w)
{
    (void)w;
    return false;
}

void edo__hook_unpark(edo__worker *w)
{
    (void)w;
}

void edo__hook_end(edo__task *t, int code)
{
    (void)t;
    (void)code;
}

bool edo__in_hook(void)
{
    return false;
}

/* ---- the backend: one descriptor, which belongs to worker 0 ---- */

static int harvest(edo__worker *w)
{
    if (w->index != 0 || !cfg.kernel || edo__aload(&readable, EDO__RLX) == 0 ||
        edo__axchg(&readable, 0u, EDO__AR) == 0)
        return 0;
    MODEL_CHECK(edo__wake((edo__task *)rt.io, EDO__WAKE_OK));
    return 1;
}

static int poll_flag(edo__worker *w, int64_t timeout)
{
    MODEL_CHECK(!w->searching || timeout == 0);
    if (timeout == 0)
        return harvest(w);
    MODEL_CHECK(timeout == EDO_FOREVER);
    model_forget(w->index); /* the loop holds nothing across this */
    model_take(&flags[w->index]);
    model_forget(w->index + 10);
    return harvest(w);
}

static bool pending(edo__worker *w)
{
    return w->index == 0 && cfg.kernel;
}

static void wake_flag(edo__worker *w)
{
    edo__astore(&flags[w->index], 1u, EDO__SC); /* a system call */
}

static int open_worker(edo__worker *w)
{
    (void)w;
    return 0;
}

static void close_worker(edo__worker *w)
{
    (void)w;
}

static const edo__backend backend = { .poll = poll_flag,
                                      .poll_for = harvest,
                                      .pending = pending,
                                      .wake = wake_flag,
                                      .worker_open = open_worker,
                                      .worker_close = close_worker };

/* ---- programs ---- */

static void wait_for_descriptor(edo__task *self)
{
    rt.io = self;
    (void)edo__wait_begin(self, false);
    edo__astore(&reading, 1u, EDO__SC);
    MODEL_CHECK(edo__wait_commit(self, NULL, EDO__WHY_FD, NULL) == EDO__WAKE_OK);
}

static void sleep_here(edo__task *self)
{
    (void)edo__wait_begin(self, false);
    (void)edo__wait_commit_until(self, NULL, EDO__WHY_SLEEP, NULL, 1, EDO__WAKE_OK);
}

static void keep_worker(unsigned until, bool asleep_meanwhile)
{
    uint32_t *mark = &in_kernel[edo__self()->worker->index];
    if (asleep_meanwhile)
        edo__astore(mark, 1u, EDO__SC);
    model_reach(&ended, until);
    if (asleep_meanwhile)
        edo__astore(mark, 0u, EDO__SC);
}

static void do_op(char op, unsigned n)
{
    switch (op) {
    case 'y': (void)edo_yield(); break;
    case 'w': MODEL_CHECK(edo_event_wait(&events[n]) == 0); break;
    case 's': edo_event_set(&events[n]); break;
    case 'n': edo__schedule_new(edo__current_worker(&rt), &tasks[n]); break;
    case 'b':
    case 'c': keep_worker(n, op == 'b'); break;
    case 't': sleep_here(edo__self()); break;
    case 'r': wait_for_descriptor(edo__self()); break;
    case 'p':
    case 'q':
        (void)edo_task_pin(op == 'p');
        notes.home[edo__self() - tasks] = op == 'p' ? 1 + (uint8_t)model_current() : 0;
        break;
    default: abort();
    }
}

static bool has_number(char op)
{
    return strchr("wsnbc", op) != NULL;
}

static int follow(void *arg)
{
    unsigned i = (unsigned)((edo__task *)arg - tasks);
    notes.runs[i]++;
    MODEL_CHECK(notes.runs[i] == 1);
    for (const char *p = cfg.tasks[i]; *p != '\0'; p += 1 + has_number(*p)) {
        notes.at[i] = (uint8_t)(p - cfg.tasks[i]);
        model_forget(20 + i);
        do_op(*p, has_number(*p) ? (unsigned)(p[1] - '0') : 0);
        MODEL_CHECK(edo__self_task() == &tasks[i]);
        MODEL_CHECK(tasks[i].worker == &workers[model_current()]);
        MODEL_CHECK(notes.home[i] == 0 || notes.home[i] == 1 + model_current());
    }
    notes.at[i] = 255;
    model_forget(30 + i);
    return 0;
}

static void follow_outside(const char *program)
{
    for (const char *p = program; *p != '\0'; p += 2) {
        do_op(p[0], (unsigned)(p[1] - '0'));
        model_forget((uint64_t)(p - program));
    }
}

static unsigned workers_ever(void)
{
    return cfg.workers + (cfg.monitor ? EDO__SPARES_MAX : 0);
}

/* ---- the state ---- */

static void share_worker(edo__worker *w, unsigned index)
{
    bool watched = cfg.monitor;
    model_shared(&w->queue.head, sizeof w->queue.head, true, "ring head");
    model_shared(&w->queue.tail, sizeof w->queue.tail, true, "ring tail");
    model_written_by(index);
    model_shared(&w->queue.ring, sizeof w->queue.ring, true, "ring slot");
    model_written_by(index);
    model_shared(&w->lifo, sizeof w->lifo, watched, "slot"); /* else only its owner's */
    model_shared(&w->parker.state, sizeof w->parker.state, true, "bed");
    bool mail = watched;
    for (unsigned i = 0; i < tasks_in_all(); i++)
        mail |= strchr(cfg.tasks[i], 'p') != NULL;
    model_shared(&w->mail_lock, sizeof w->mail_lock, mail, "mail lock");
    model_shared(&w->attention, sizeof w->attention, mail, "attention");
    model_shared(&w->mail_head, 2 * sizeof w->mail_head, false, "mail list");
    model_shared(&w->current, sizeof w->current, watched, "current");
    model_shared(&w->tick, sizeof w->tick, watched, "tick");
    model_shared(&w->timer_lock, sizeof w->timer_lock, watched, "timer lock");
    model_shared(&w->timer_next, sizeof w->timer_next, watched, "timer next");
}

static void start_worker(edo__worker *w, unsigned index)
{
    memset(w, 0, sizeof *w);
    w->rt = index < cfg.workers ? &rt : NULL; /* else made by edo__worker_init() */
    w->index = index;
    w->timer_next = EDO_FOREVER;
    started[index] = index < cfg.workers;
    share_worker(w, index);
}

static void start_task(unsigned i)
{
    edo__context_init(&stacks[i].ctx, memory[i], STACK, edo__stack_entry, &stacks[i]);
    stacks[i].task = NULL;
    stacks[i].cls = EDO__STACK_DEFAULT;
    notes.left[i] = 1;
    tasks[i] = (edo__task){ .rt = &rt,
                            .group = &family,
                            .scope = &family.edo__scope,
                            .fn = follow,
                            .arg = &tasks[i],
                            .stack_class = EDO__STACK_DEFAULT };
    if (cfg.pinned && i == 0) {
        tasks[0].pins = 1;
        tasks[0].worker = &workers[0];
        notes.home[0] = 1;
    }
    model_shared(&tasks[i].word, sizeof tasks[i].word, true, "task's word");
    model_shared(&tasks[i].next, sizeof tasks[i].next, false, "next");
}

static void start_runtime(void)
{
    rt.n_workers = rt.n_known = cfg.workers;
    rt.workers = workers;
    rt.backend = &backend;
    rt.spares = 0;
    rt.inject = rt.low = (edo__inject){ 0 };
    rt.idle = (edo__idle){
        .n = cfg.workers, .present = cfg.workers, .stack = sleepers, .asleep = asleep
    };
    model_shared(&rt.n_known, sizeof rt.n_known, cfg.monitor, "workers known");
    model_shared(&rt.inject.lock, sizeof rt.inject.lock, true, "inject lock");
    model_shared(&rt.inject.len, sizeof rt.inject.len, true, "inject len");
    model_shared(&rt.inject.head, 2 * sizeof rt.inject.head, false, "inject list");
    model_shared(&rt.idle.word, sizeof rt.idle.word, true, "searching");
    model_shared(&rt.idle.lock, sizeof rt.idle.lock, true, "idle.lock");
    model_shared(&rt.idle.sleeping, sizeof rt.idle.sleeping, true, "sleeping");
    model_shared(&rt.idle.present, sizeof rt.idle.present, cfg.monitor, "present");
}

static void start(void)
{
    memset(flags, 0, sizeof flags);
    memset(in_kernel, 0, sizeof in_kernel);
    memset(sleepers, 0, sizeof sleepers);
    memset(asleep, 0, sizeof asleep);
    memset(&notes, 0, sizeof notes);
    memset(outsiders, 0, sizeof outsiders);
    ended = readable = reading = 0;
    instant = 0;
    wheel_timer = NULL;
    family = (edo_group){ .edo__scope = { .edo__deadline_eff = EDO_FOREVER } };
    start_runtime();
    for (unsigned i = 0; i < workers_ever(); i++) {
        start_worker(&workers[i], i);
        notes.running[i] = -1;
    }
    for (unsigned i = 0; i < tasks_in_all(); i++)
        start_task(i);
    for (unsigned i = 0; i < sizeof outsiders / sizeof outsiders[0]; i++)
        outsiders[i] = (edo__task){ .rt = &rt, .flags = EDO__TF_FOREIGN };
    for (unsigned i = 0; i < EVENTS; i++) {
        edo_event_init(&events[i], EDO_EVENT_AUTO);
        model_shared(&events[i].edo__q.lock, sizeof(uint32_t), true, "event's lock");
        model_shared(&events[i].edo__q.state, sizeof events[i].edo__q.state, false, "event");
        model_shared(&events[i].edo__q.head, 2 * sizeof(void *), false, "event's waiters");
    }
    model_shared(sleepers, sizeof sleepers, false, "stack");
    model_shared(asleep, sizeof asleep, false, "asleep");
    model_shared(flags, sizeof flags, true, "wake flag");
    model_shared(started, sizeof started, true, "thread started");
    model_shared(in_kernel, sizeof in_kernel, true, "in the kernel");
    model_shared(&ended, sizeof ended, true, "ended");
    model_shared(&readable, sizeof readable, true, "readable");
    model_shared(&reading, sizeof reading, true, "reading");
    model_shared(&wheel_timer, sizeof wheel_timer, false, "timer");
    model_note(&notes, sizeof notes);
}

static uint64_t look_at_worker(uint64_t h, const edo__worker *w)
{
    h = model_mix(h, (uint64_t)w->action << 9 | (uint64_t)w->mail_turn << 8 | w->lifo_used << 1 |
                         w->searching);
    h = model_mix(h, (uint64_t)(w->rounds % 2) << 32 | (uint32_t)w->until_inject);
    h = model_mix(h, (uintptr_t)w->left);
    h = model_mix(h, (uintptr_t)w->left_stack);
    h = model_mix(h, (uintptr_t)w->handoff);
    h = model_mix(h, (uint64_t)w->has_thread << 16 | w->stack_count[EDO__STACK_DEFAULT]);
    for (uint32_t i = 0; i < w->stack_count[EDO__STACK_DEFAULT]; i++)
        h = model_mix(h, (uintptr_t)w->stacks[EDO__STACK_DEFAULT][i]);
    return model_mix(h, w->wheel.next == 1);
}

static uint64_t look_at_scheduler(void)
{
    uint64_t h = 0;
    for (unsigned i = 0; i < workers_ever(); i++)
        h = look_at_worker(h, &workers[i]);
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        h = model_mix(h, (uintptr_t)tasks[i].stack);
        h = model_mix(h, (uintptr_t)tasks[i].worker);
        h = model_mix(h, (uint64_t)tasks[i].claimed_early << 16 | tasks[i].pins);
        h = model_mix(h, (uintptr_t)stacks[i].task);
    }
    for (unsigned i = 0; i < EVENTS; i++)
        for (const edo__waiter *w = events[i].edo__q.head; w != NULL; w = w->next)
            h = model_mix(h, (uintptr_t)w);
    return model_mix(h, rt.spares);
}

/* Before each stretch of a thread. */
static void enter(unsigned index)
{
    bool is_worker = index < workers_ever();
    edo__set_current_worker(is_worker ? &workers[index] : NULL);
    int on = is_worker ? notes.running[index] : -1;
    edo__tls_self = on >= 0 ? stacks[on].task : NULL;
}

static void follow_thread(unsigned index)
{
    unsigned outside = count(cfg.outside, OUTSIDE_MAX);
    if (index < workers_ever()) {
        model_reach(&started[index], 1);
        edo__worker_run(&workers[index]);
    } else if (index < workers_ever() + outside) {
        follow_outside(cfg.outside[index - workers_ever()]);
    } else {
        model_reach(&reading, 1);
        edo__astore(&readable, 1u, EDO__SC);
        wake_flag(&workers[0]); /* epoll returns */
    }
}

static void check_counts(void)
{
    MODEL_CHECK(rt.idle.word <= rt.idle.present);
    for (unsigned i = 0; i < workers_ever(); i++) {
        const edo__queue *q = &workers[i].queue;
        if (!model_in_flight(&q->tail) && !model_in_flight(&q->head))
            MODEL_CHECK(q->tail - q->head <= EDO__QUEUE_SIZE);
    }
}

/* Nothing can happen any more. */
static void check_end(void)
{
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        if (notes.at[i] != 255)
            model_fail("nothing can happen any more, and task %u has not ended", i);
    }
    MODEL_CHECK(rt.idle.sleeping == rt.idle.present && rt.idle.word == 0);
    MODEL_CHECK(rt.inject.len == 0 && rt.inject.head == NULL);
    for (unsigned i = 0; i < workers_ever(); i++) {
        const edo__worker *w = &workers[i];
        if (started[i] == 0)
            continue;
        MODEL_CHECK(w->parker.state == EDO__PARKER_ASLEEP && !w->searching);
        MODEL_CHECK(w->lifo == NULL && w->mail_head == NULL && w->handoff == NULL);
        MODEL_CHECK(w->action == EDO__ACTION_NONE && notes.running[i] == -1);
    }
}

#endif
