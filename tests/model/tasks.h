/* SPDX-License-Identifier: MIT */
/* Tasks for the models of what is built on waiting: each thread of a model is one task, or a foreign
 * thread with its stand-in.
 *
 * The sources of waiting, scopes, groups, tokens and joins are the library's own. The model's own
 * are the scheduler (a task that suspends is published by edo__wait_parked(), as its worker would,
 * and goes on when its flag `runnable` is set; making a task runnable that has not left its stack,
 * or twice, is a failure), the timer wheel (one timer), the clock (stands still), the futex and
 * what memory comes from.
 *
 * Included first. Names are not changed: should a source need something of the library that is not
 * here, the linker says so. */
#ifndef EDO_TESTS_MODEL_TASKS_H
#define EDO_TESTS_MODEL_TASKS_H

#ifndef EDO_MODEL
#define EDO_MODEL 1
#endif
#ifndef EDO_DEBUG
#define EDO_DEBUG 1
#endif
#include "model.h"

/* One source's parameter may have the name of another's type. */
#pragma GCC diagnostic ignored "-Wshadow"

#include <pthread.h>
#include <stdlib.h>

#ifndef MODEL_ALLOC /* a model may say where objects come from */
static inline void *model_alloc(size_t size)
{
    (void)size;
    abort();
}
static inline void model_free(void *p)
{
    MODEL_CHECK(p == NULL);
}
#else
static void *model_alloc(size_t size);
static void model_free(void *p);
#endif
#define malloc(size_) model_alloc(size_)
#define calloc(n_, size_) model_alloc((n_) * (size_))
#define aligned_alloc(align_, size_) model_alloc(size_)
#define free model_free

#include "base/cpu.h"
#define edo__cpu_relax model_relax

#include "arch/futex.h"
#include "core/group.h"
#include "core/sched.h"

/* A model may break the order of queues on purpose. */
static bool push_in_front;
/* Told who waits from now on; may be NULL. */
static void (*when_queued)(const edo__waitq *q, const edo__waiter *w);

static inline void push_waiter(edo__waitq *q, edo__waiter *w)
{
    edo__waiter *first = push_in_front ? q->head : NULL;
    if (when_queued != NULL)
        when_queued(q, w);
    if (first == NULL) {
        edo__waitq_push(q, w);
        return;
    }
    w->prev = NULL;
    w->next = first;
    first->prev = w;
    q->head = w;
    w->queued = true;
}

#define edo__waitq_push push_waiter
#include "sync/waiting.h"

enum { TASKS_MAX = 6, MUTEXES = 2 };

static edo_runtime the_runtime;
static edo__worker workers[TASKS_MAX]; /* one each: for timers and caches, nothing runs there */
static edo__task tasks[TASKS_MAX];
static edo_scope scopes[TASKS_MAX]; /* the outermost one of each */
static uint32_t runnable[TASKS_MAX];
static struct {
    uint8_t left; /* it has suspended: its registers are saved */
    uint8_t due;  /* it was made runnable and has not gone on */
} run_state[TASKS_MAX];
static edo__timer *wheel_timer; /* the only one there may be */
static uint32_t timer_set;      /* for a model's timer thread */
static uint32_t mutex_words[MUTEXES];
static void *mutex_keys[MUTEXES]; /* who has which word: the same in every schedule */

/* ---- the scheduler ---- */

edo__task *edo__self(void)
{
    return &tasks[model_current()];
}

edo__task *edo__self_task(void)
{
    edo__task *t = edo__self();
    return edo__is_foreign(t) ? NULL : t;
}

/* What edo__self_here() reads. */
__thread edo__task *edo__tls_self __attribute__((tls_model("initial-exec")));

edo__task *edo__foreign_self(void)
{
    return edo__self();
}

bool edo__in_hook(void)
{
    return false;
}

/* A model's enter(). */
static void enter_task(unsigned index)
{
    edo__tls_self = edo__is_foreign(&tasks[index]) ? NULL : &tasks[index];
}

edo__worker *edo__current_worker(const edo_runtime *r)
{
    (void)r;
    return NULL;
}

void edo__schedule(edo__task *t)
{
    size_t i = (size_t)(t - tasks);
    MODEL_CHECK(i < TASKS_MAX);
    if (i >= TASKS_MAX)
        return;
    MODEL_CHECK(run_state[i].left == 1);
    MODEL_CHECK(++run_state[i].due == 1);
    edo__astore(&runnable[i], 1u, EDO__REL); /* as the queues do */
}

void edo__schedule_on(edo__worker *w, edo__task *t)
{
    (void)w;
    edo__schedule(t);
}

/* Told of a new task that is about to be able to run; may be NULL. */
static void (*when_new)(const edo__task *t);

void edo__schedule_new(edo__worker *w, edo__task *t)
{
    (void)w;
    if (when_new != NULL)
        when_new(t);
    edo__schedule(t);
}

/* Nothing is measured or traced. */
void edo__meter_spawned(edo__worker *w, edo__task *t)
{
    (void)w;
    (void)t;
}

void edo__meter_spawned_outside(edo_runtime *r, edo__task *t)
{
    (void)t;
    edo__aadd(&r->outside.spawned, 1u, EDO__RLX);
}

uint64_t edo__trace_foreign_span(void)
{
    return 0;
}

/* Until it is made runnable. */
static void sleep_until_runnable(edo__task *t)
{
    size_t i = (size_t)(t - tasks);
    model_take(&runnable[i]);
    run_state[i].due = 0;
    run_state[i].left = 0;
    model_learn_all();
}

void edo__suspend(edo__task *self, edo__action action)
{
    MODEL_CHECK(action == EDO__ACTION_PARK && self == edo__self());
    run_state[self - tasks].left = 1;
    if (!edo__wait_parked(self)) { /* after_park() of core/worker.c */
        self->claimed_early = 1;
        edo__schedule(self);
    }
    sleep_until_runnable(self);
}

/* ---- clock, timers, futex, locks of the kernel's ---- */

int64_t edo__now(const edo__task *self)
{
    (void)self;
    return 0;
}

int64_t edo__instant_after(edo__task *self, int64_t after)
{
    (void)self;
    return after;
}

int64_t edo_now(void)
{
    return 0;
}

int64_t edo__clock_now(const edo_runtime *r)
{
    (void)r;
    return 0;
}

int64_t edo__clock_real(void)
{
    return 0;
}

void edo__wheel_add(edo__wheel *w, edo__timer *t, int64_t now)
{
    (void)w;
    (void)now;
    MODEL_CHECK(wheel_timer == NULL);
    wheel_timer = t;
    edo__astore(&timer_set, 1u, EDO__RLX);
}

bool edo__wheel_remove(edo__wheel *w, edo__timer *t)
{
    (void)w;
    bool armed = wheel_timer == t;
    if (armed)
        wheel_timer = NULL;
    return armed;
}

int64_t edo__wheel_next(const edo__wheel *w)
{
    (void)w;
    return EDO_FOREVER;
}

/* edo__worker_expire() in small: the time has come for whatever is armed. */
static inline void timer_expires(void)
{
    edo__spin_lock(&workers[0].timer_lock);
    edo__timer *t = wheel_timer;
    wheel_timer = NULL;
    if (t != NULL)
        t->fire(t);
    edo__spin_unlock(&workers[0].timer_lock);
}

void edo__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout)
{
    MODEL_CHECK(timeout == EDO_FOREVER);
    model_reach(word, expected + 1);
    model_learn_all();
}

void edo__futex_wake(uint32_t *word, int n)
{
    (void)word; /* the thread may be gone: nothing is touched */
    (void)n;
}

static uint32_t *mutex_word(void *mutex)
{
    for (unsigned i = 0; i < MUTEXES; i++) {
        if (mutex_keys[i] == NULL)
            mutex_keys[i] = mutex;
        if (mutex_keys[i] == mutex)
            return &mutex_words[i];
    }
    abort();
}

static int mutex_lock(pthread_mutex_t *mutex)
{
    edo__spin_lock(mutex_word(mutex));
    return 0;
}

static int mutex_unlock(pthread_mutex_t *mutex)
{
    edo__spin_unlock(mutex_word(mutex));
    return 0;
}

/* ---- memory ---- */

/* Values are copied some time after the claim that decided who gets them. */
static inline void copy_late(void *to, const void *from, size_t n)
{
    model_point();
    edo__copy(to, from, n);
}

/* What the model itself uses of the real ones is above. */
#define pthread_mutex_lock mutex_lock
#define pthread_mutex_unlock mutex_unlock
#define edo__copy copy_late

#include "core/child.c"
#include "core/group.c"
#include "core/join.c"
#include "core/scope.c"
#include "core/token.c"
#include "core/wait.c"

/* Asked for, and not reached by any model. */
void edo__runtime_root_empty(edo_runtime *r)
{
    (void)r;
    abort();
}

edo__task *edo__task_find(edo_runtime *r, uint64_t id)
{
    (void)r;
    return &tasks[(id & 0xff) - 1];
}

/* A task that ended is looked at by who has its id, and not used again. */
void edo__task_free_slow(edo__task *t, edo__worker *w)
{
    (void)t;
    (void)w;
}

/* ---- the state ---- */

enum { /* what more than one thread of a model uses: the rest is no event */
       WITH_TIMER = 1,
       WITH_SCOPES = 2, /* opened or closed by one thread while another cancels */
       WITH_FAMILY = 4, /* groups and joins: what a task is to others */
       WITH_CANCELS = 8 /* two at a time: the kernel's locks */
};

/* What a task is to its group, to cancels passing through and to who waits for its end. */
static void share_family(edo__task *t)
{
    model_shared(&t->refs, sizeof t->refs, true, "task's refs");
    model_shared(&t->join, sizeof t->join, true, "task's watchers");
    model_shared(&t->state, sizeof t->state, true, "task's state");
    model_shared(&t->id, sizeof t->id, true, "task's id");
    model_shared(&t->code, sizeof t->code, false, "task's code");
    model_shared(&t->group, sizeof t->group, false, "task's group");
    model_shared(&t->sib_next, 2 * sizeof t->sib_next, false, "task's siblings");
    model_shared(&t->cancel_next, sizeof t->cancel_next, false, "task's work list");
}

static void start_task(unsigned i, unsigned with)
{
    static const char *const words[] = {
        "task 0", "task 1", "task 2", "task 3", "task 4", "task 5"
    };
    edo__task *t = &tasks[i];
    *t = (edo__task){ .rt = &the_runtime,
                      .worker = &workers[i],
                      .scope = &scopes[i],
                      .budget = 1000,
                      .refs = 1,
                      .state = EDO__TASK_LIVE,
                      .id = i + 1 };
    scopes[i] = (edo_scope){ .edo__owner = t,
                             .edo__deadline = EDO_FOREVER,
                             .edo__deadline_eff = EDO_FOREVER };
    model_shared(&t->word, sizeof t->word, true, words[i]);
    model_lingering();
    model_shared(&t->futex, sizeof t->futex, true, "futex");
    model_shared(&scopes[i].edo__cancelled, sizeof scopes[i].edo__cancelled, true, "cancelled");
    model_shared(&runnable[i], sizeof runnable[i], true, "runnable");
    if ((with & (WITH_SCOPES | WITH_FAMILY | WITH_CANCELS)) != 0) {
        model_shared(&t->lock, sizeof t->lock, true, "task's lock");
        model_shared(&t->scope, sizeof t->scope, false, "task's scope");
    }
    if ((with & WITH_FAMILY) != 0)
        share_family(t);
}

/* From a model's start(). The timers of task 0 only are shared. */
static void start_tasks(unsigned n, unsigned with)
{
    memset(runnable, 0, sizeof runnable);
    memset(run_state, 0, sizeof run_state);
    memset(mutex_words, 0, sizeof mutex_words);
    wheel_timer = NULL;
    timer_set = 0;
    for (unsigned i = 0; i < n; i++) {
        workers[i].timer_lock = 0;
        workers[i].random = 1;
        workers[i].rt = &the_runtime;
        start_task(i, with);
    }
    model_shared(run_state, n * sizeof run_state[0], false, "run state");
    if ((with & WITH_TIMER) != 0) {
        model_shared(&wheel_timer, sizeof wheel_timer, false, "timer");
        model_shared(&timer_set, sizeof timer_set, true, "timer set");
        model_shared(&workers[0].timer_lock, sizeof workers[0].timer_lock, true, "timer lock");
    }
    if ((with & WITH_CANCELS) != 0)
        model_shared(mutex_words, sizeof mutex_words, true, "kernel's lock");
}

/* Who waits in q, for look(): entries lie in frames. */
static inline uint64_t look_at_queue(uint64_t h, const edo__waitq *q)
{
    for (const edo__waiter *w = q->head; w != NULL; w = w->next)
        h = model_mix(h, (uintptr_t)w);
    return model_mix(h, 0);
}

#endif
