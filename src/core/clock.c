/* SPDX-License-Identifier: MIT */
/* The runtime's clock, sleeping, and the virtual clock for tests.
 *
 * Paused, the clock stands at clock_virtual and moves only by edo_clock_advance() or, when every
 * worker sleeps, no job blocks and no queue holds a task, by a jump to the next deadline. */
#include "core/sched.h"

#include <edo/time.h>
#include <time.h>

int64_t edo__clock_real(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t edo__clock_now(const edo_runtime *rt)
{
    /* pairs with pause, resume and jump */
    if (edo__unlikely(edo__aload(&rt->clock_paused, EDO__ACQ) != 0))
        return edo__aload(&rt->clock_virtual, EDO__ACQ);
    return edo__clock_real() + edo__aload(&rt->clock_offset, EDO__RLX);
}

int64_t edo__now(const edo__task *self)
{
    if (edo__unlikely(self->rt == NULL))
        return edo__clock_real();
    int64_t now = edo__clock_now(self->rt);
    self->worker->now = now; /* it was read anyway */
    return now;
}

/* For deadlines only. */
static int64_t now_about(edo__task *self)
{
    const edo_runtime *rt = self->rt;
    if (edo__unlikely(rt == NULL))
        return edo__clock_real();
    edo__worker *w = self->worker;
    /* pairs with pause, resume and jump */
    if (edo__unlikely(edo__aload(&rt->clock_paused, EDO__ACQ) != 0))
        return edo__aload(&rt->clock_virtual, EDO__ACQ);
    int64_t now = edo__ticks_now(&w->ticks) + edo__aload(&rt->clock_offset, EDO__RLX);
    w->now = now; /* it was read anyway */
    return now;
}

int64_t edo__instant_after(edo__task *self, int64_t after)
{
    int64_t at;
    if (after == EDO_FOREVER)
        return EDO_FOREVER;
    if (edo__unlikely(after <= 0)) /* passed already: also for who looks at the clock at once */
        return edo__now(self) + after;
    return __builtin_add_overflow(now_about(self), after, &at) ? EDO_FOREVER : at;
}

int64_t edo_now(void)
{
    edo__task *self = edo__self_task();
    return self != NULL ? edo__now(self) : edo__clock_real();
}

static int sleep_until(edo__task *self, int64_t at)
{
    if (!edo__wait_begin(self, true))
        return -ECANCELED;
    uint32_t code = edo__wait_commit_until(self, NULL, EDO__WHY_SLEEP, NULL, at, EDO__WAKE_OK);
    return code == EDO__WAKE_OK ? 0 : -ECANCELED;
}

int edo_sleep_until(int64_t instant)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0 || instant <= edo__now(self)) {
        if (rc == 0)
            edo__coop(self);
        return rc;
    }
    return sleep_until(self, instant);
}

int edo_sleep(int64_t duration)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0 || duration <= 0) {
        if (rc == 0)
            edo__coop(self);
        return rc;
    }
    return sleep_until(self, edo__instant_after(self, duration));
}

int edo_clock_pause(void)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    edo_runtime *rt = self->rt;
    edo__spin_lock(&rt->clock_lock);
    int rc = -EALREADY;
    if (rt->clock_paused == 0) {
        edo__astore(&rt->clock_virtual, edo__clock_now(rt), EDO__RLX);
        edo__astore(&rt->clock_paused, 1u, EDO__REL);
        rc = 0;
    }
    edo__spin_unlock(&rt->clock_lock);
    /* Sleeping workers have time-outs of the real clock: they come to know of the virtual one. */
    for (uint32_t i = 0; rc == 0 && i < edo__workers_known(rt); i++)
        edo__worker_wake(&rt->workers[i]);
    return rc;
}

int edo_clock_resume(void)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    edo_runtime *rt = self->rt;
    edo__spin_lock(&rt->clock_lock);
    int rc = -EALREADY;
    if (rt->clock_paused != 0) {
        edo__astore(&rt->clock_offset, rt->clock_virtual - edo__clock_real(), EDO__RLX);
        /* Their `now` may be long ago: see edo__checkpoint_slow(). */
        for (uint32_t i = 0; i < edo__workers_known(rt); i++)
            edo__aor(&rt->workers[i].wanted, EDO__WANT_TEND, EDO__RLX);
        edo__astore(&rt->clock_paused, 0u, EDO__REL);
        rc = 0;
    }
    edo__spin_unlock(&rt->clock_lock);
    for (uint32_t i = 0; rc == 0 && i < edo__workers_known(rt); i++)
        edo__worker_wake(&rt->workers[i]);
    return rc;
}

int64_t edo__clock_next(const edo_runtime *rt)
{
    int64_t next = EDO_FOREVER;
    for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
        int64_t of_worker = edo__aload(&rt->workers[i].timer_next, EDO__ACQ);
        if (of_worker < next)
            next = of_worker;
    }
    return next;
}

static size_t clock_expire(edo_runtime *rt, int64_t now)
{
    size_t n = 0;
    for (uint32_t i = 0; i < edo__workers_known(rt); i++)
        n += edo__worker_expire(&rt->workers[i], now);
    return n;
}

/* Whether at one instant all workers but `awake` slept and no queue held a task. */
static bool all_quiet(edo_runtime *rt, uint32_t awake)
{
    /* Under this lock nobody falls asleep or rises; a worker that rises does so before it takes a
     * task. */
    edo__spin_lock(&rt->idle.lock);
    bool quiet = edo__aload(&rt->idle.sleeping, EDO__ACQ) + awake >= rt->idle.present &&
                 edo__aload(&rt->visitors, EDO__ACQ) == 0 && !edo__work_visible(rt);
    for (uint32_t i = 0; quiet && i < edo__workers_known(rt); i++) {
        quiet = edo__aload(&rt->workers[i].mail_len, EDO__ACQ) == 0 &&
                edo__aload(&rt->workers[i].lifo, EDO__ACQ) == NULL;
    }
    edo__spin_unlock(&rt->idle.lock);
    return quiet;
}

/* Whether at one instant nothing could happen but by the clock. */
static bool only_time_passes(edo_runtime *rt)
{
    edo__pool_stats before, after;
    edo__pool_read_stats(rt->pool, &before);
    if (before.depth != 0 || before.running != 0 || !all_quiet(rt, 0))
        return false;
    /* No job was there before nor is now, and none came and went: so there was none in between. */
    edo__pool_read_stats(rt->pool, &after);
    return after.depth == 0 && after.running == 0 && after.done == before.done;
}

bool edo__clock_jump(edo_runtime *rt)
{
    bool fired = false;
    edo__spin_lock(&rt->clock_lock);
    bool idle = rt->clock_paused != 0 && only_time_passes(rt);
    int64_t next = edo__clock_next(rt);
    if (idle && next != EDO_FOREVER) {
        if (next > rt->clock_virtual)
            edo__astore(&rt->clock_virtual, next, EDO__REL);
        /* Also when nothing fires: a cascade of the wheel has brought the next deadline nearer. */
        (void)clock_expire(rt, edo__aload(&rt->clock_virtual, EDO__RLX));
        fired = true;
    }
    edo__spin_unlock(&rt->clock_lock);
    return fired;
}

/* Whether a task waits for the calling worker in particular, or for any. */
static bool work_for(const edo__worker *w)
{
    return edo__aload(&w->mail_len, EDO__ACQ) != 0 || edo__aload(&w->lifo, EDO__RLX) != NULL ||
           edo__work_visible(w->rt);
}

#define SETTLE_LOOKS 64

/* Lets every task that can run do so; the caller is the only one awake afterwards. It stays on its
 * worker meanwhile: the worker that it left would be awake at the next look. */
static void settle(edo__task *self)
{
    edo_runtime *rt = self->rt;
    uint32_t looks = 0;
    self->pins++;
    for (int quiet = 0; quiet < 3;) {
        bool alone = all_quiet(rt, 1);
        quiet = alone ? quiet + 1 : 0;
        if (!alone && !work_for(self->worker) && ++looks % SETTLE_LOOKS != 0) {
            sched_yield(); /* others are busy, or on their way to bed */
        } else {
            EDO__PROBE1(task_yield, self->id);
            edo__suspend(self, EDO__ACTION_YIELD);
        }
    }
    self->pins--;
}

int edo_clock_advance(int64_t duration)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    edo_runtime *rt = self->rt;
    if (duration < 0 || edo__aload(&rt->clock_paused, EDO__ACQ) == 0)
        return -EINVAL;
    int64_t target;
    if (__builtin_add_overflow(edo__clock_now(rt), duration, &target))
        target = EDO_FOREVER - 1;
    settle(self);
    for (;;) {
        edo__spin_lock(&rt->clock_lock);
        int64_t next = edo__clock_next(rt);
        int64_t to = next < target ? next : target;
        if (to > rt->clock_virtual)
            edo__astore(&rt->clock_virtual, to, EDO__REL);
        size_t n = clock_expire(rt, rt->clock_virtual);
        bool there = rt->clock_virtual >= target && n == 0;
        edo__spin_unlock(&rt->clock_lock);
        settle(self);
        if (there)
            return 0;
    }
}
