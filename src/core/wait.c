/* SPDX-License-Identifier: MIT */
/* Waiting and waking; the protocol is told in wait.h.
 *
 * A wait ends because somebody claims the task's wait word: a waker, a cancel, or a deadline. A
 * cancel must not slip through between "not cancelled, so I wait" and "it waits, so I claim it":
 * the waiter writes its word, then reads the scope's mark; the canceller writes the mark, then
 * reads the word; all four are sequentially consistent, so at least one of them sees the other. */
#include "core/wait.h"

#include "arch/futex.h"
#include "core/hooks.h"
#include "core/scope.h"
#include "core/sched.h"

/* A deadline that is this far ahead of the worker's last look at the clock has not passed, unless
 * the monitor has asked for a new look: it does so in every run that it has seen begin, each few
 * milliseconds. So one that stands still for half a second may delay what follows from a deadline
 * until it goes on. */
#define FAR_OFF EDO_MS(500)

static bool is_far_off(const edo__task *self, int64_t deadline)
{
    const edo_runtime *rt = self->rt;
    if (rt == NULL || rt->config.stuck_after == EDO_FOREVER ||
        edo__aload(&rt->clock_paused, EDO__ACQ) != 0) /* pairs with edo_clock_resume() */
        return false;
    const edo__worker *w = self->worker;
    return (edo__aload(&w->wanted, EDO__RLX) & EDO__WANT_TEND) == 0 && deadline - w->now > FAR_OFF;
}

int edo__checkpoint_slow(edo__task *self)
{
    const edo_scope *s = self->scope;
    if (edo__aload(&s->edo__cancelled, EDO__RLX) != 0)
        return -ECANCELED;
    if (s->edo__deadline_eff == EDO_FOREVER || is_far_off(self, s->edo__deadline_eff))
        return 0;
    return s->edo__deadline_eff <= edo__now(self) ? -ECANCELED : 0;
}

void edo__coop_slow(edo__task *self)
{
    self->budget = EDO__BUDGET;
    if (edo__is_foreign(self))
        return;
    edo__count(&self->worker->counters.budget_yields);
    EDO__PROBE1(task_exhausted, self->id);
    edo__suspend(self, EDO__ACTION_YIELD);
}

void edo__give_way(edo__task *self)
{
    self->budget = 1;
    if (!edo__is_foreign(self))
        self->worker->lifo_used = 0;
}

uint32_t edo__wait_abort(edo__task *self)
{
    uint32_t was = edo__aload(&self->word, EDO__ACQ);
    while (was < EDO__WAKE_CANCEL || edo__wait_is_called(was)) {
        if (edo__acas(&self->word, &was, EDO__WORD_IDLE, EDO__AR, EDO__ACQ))
            return EDO__WORD_IDLE;
    }
    return was;
}

/* Claims if the present wait is of a class the mark ends; any_class for ordinary wakers. */
static uint32_t claim(edo__task *t, uint32_t code, bool any_class, uint32_t mark)
{
    uint32_t was = edo__aload(&t->word, EDO__SC);
    for (;;) {
        uint32_t state = was & EDO__WORD_STATE;
        if ((was >= EDO__WAKE_CANCEL && !edo__wait_is_called(was)) || state == EDO__WORD_IDLE)
            return EDO__WORD_IDLE;
        if (!any_class && !edo__cancel_applies(was & EDO__WORD_CLASS, mark))
            return EDO__WORD_IDLE;
        if (state == EDO__WORD_HELD || state == EDO__WORD_FROZEN) {
            edo__cpu_relax(); /* a few dozen instructions; a dump's walk of one stack */
            was = edo__aload(&t->word, EDO__ACQ);
        } else if (edo__acas(&t->word, &was, code, EDO__SC, EDO__ACQ)) {
            return state;
        }
    }
}

uint32_t edo__claim(edo__task *t, uint32_t code)
{
    edo_debug_assert(code >= EDO__WAKE_CANCEL);
    return claim(t, code, true, 0);
}

uint32_t edo__claim_cancel(edo__task *t, uint32_t mark)
{
    return claim(t, EDO__WAKE_CANCEL, false, mark);
}

uint32_t edo__wait_call(edo__task *t)
{
    uint32_t was = edo__aload(&t->word, EDO__ACQ);
    for (;;) {
        uint32_t state = was & EDO__WORD_STATE;
        if (was >= EDO__WAKE_CANCEL || state == EDO__WORD_IDLE)
            return EDO__WORD_IDLE; /* it is over, or has yet to look */
        if (state == EDO__WORD_HELD || state == EDO__WORD_FROZEN) {
            edo__cpu_relax(); /* as in claim() */
            was = edo__aload(&t->word, EDO__ACQ);
            continue;
        }
        uint32_t called = EDO__WORD_CALLED | (was & EDO__WORD_CLASS);
        /* acquire: its registers are saved, pairs with edo__wait_parked(). What it will look at is
         * ordered by the lock it looks under, or, for a timer, is the time. */
        if (edo__acas(&t->word, &was, called, EDO__AR, EDO__ACQ))
            return state;
    }
}

bool edo__wait_answer(edo__task *self)
{
    uint32_t was = edo__aload(&self->word, EDO__ACQ);
    while (edo__wait_is_called(was)) { /* and stays so until it is claimed */
        uint32_t waiting = EDO__WORD_WAITING | (was & EDO__WORD_CLASS);
        /* acquire: pairs with the claim that made it fail */
        if (edo__acas(&self->word, &was, waiting, EDO__AR, EDO__ACQ))
            return true;
    }
    return false;
}

/* A timer in the frame of the task that waits. */
typedef struct wait_timer {
    edo__timer timer; /* first member */
    edo__task *task;
    uint32_t code;
} wait_timer;

/* edo__claim() for a timer. */
static uint32_t claim_in_time(edo__task *t, uint32_t code)
{
    return edo__unlikely(code == EDO__WAKE_LOOK) ? edo__wait_call(t) : edo__claim(t, code);
}

static void wait_timer_fire(edo__timer *timer)
{
    wait_timer *t = (wait_timer *)timer;
    edo__task *task = t->task;
    EDO__PROBE3(task_timeout, task->id, t->timer.deadline, t->code);
    edo__claimed(task, claim_in_time(task, t->code)); /* t is gone after the claim */
}

static uint32_t foreign_commit(edo__task *self, int64_t at, uint32_t code)
{
    if (!edo__wait_parked(self))
        return edo__aload(&self->word, EDO__ACQ);
    edo_assert(!edo__in_hook()); /* a hook must not wait, see <edo/hooks.h> */
    for (;;) {
        if (edo__aload(&self->futex, EDO__ACQ) != 0) { /* pairs with edo__schedule_parked() */
            edo__astore(&self->futex, 0u, EDO__RLX);
            return edo__aload(&self->word, EDO__ACQ);
        }
        int64_t left = at == EDO_FOREVER ? EDO_FOREVER : at - edo__clock_real();
        if (left > 0) {
            edo__futex_wait(&self->futex, 0, left);
        } else if (claim_in_time(self, code) != EDO__WORD_IDLE) {
            return edo__aload(&self->word, EDO__ACQ);
        } else {
            at = EDO_FOREVER; /* somebody else won: its wake-up is on the way */
        }
    }
}

void edo__schedule_parked(edo__task *t)
{
    if (edo__likely(!edo__is_foreign(t))) {
        edo__schedule(t);
        return;
    }
    /* The stand-in outlives its thread's waits only as long as the thread does: after the store the
     * thread may go on and end, and the wake call gets an address at which nobody sleeps. */
    edo__astore(&t->futex, 1u, EDO__REL);
    edo__futex_wake(&t->futex, 1);
}

static void wait_timer_arm(edo__worker *w, wait_timer *t)
{
    edo__spin_lock(&w->timer_lock);
    edo__wheel_add(&w->wheel, &t->timer, w->now);
    edo__astore(&w->timer_next, edo__wheel_next(&w->wheel), EDO__RLX);
    edo__spin_unlock(&w->timer_lock);
}

static void wait_timer_disarm(edo__worker *w, wait_timer *t)
{
    edo__spin_lock(&w->timer_lock);
    edo__wheel_remove(&w->wheel, &t->timer);
    edo__spin_unlock(&w->timer_lock);
}

/* Suspends unless claimed or called already. */
uint32_t edo__wait_park(edo__task *self, uint32_t *lock, edo__why why, const void *obj)
{
    uint32_t code = edo__aload(&self->word, EDO__ACQ);
    if (code < EDO__WAKE_CANCEL) {
        edo__astore(&self->why, (uint8_t)why, EDO__RLX);
        self->why_obj = obj;
        self->claimed_early = 0;
        EDO__PROBE3(task_suspend, self->id, why, obj);
        edo__suspend(self, EDO__ACTION_PARK);
        code = edo__aload(&self->word, EDO__ACQ);
        if (edo__likely(self->claimed_early == 0))
            return code;
    }
    /* The waker found us before we had parked and may still be handing a value over under its
     * lock. */
    if (lock != NULL) {
        edo__spin_lock(lock);
        edo__spin_unlock(lock);
    }
    return code;
}

uint32_t edo__wait_commit_until(edo__task *self, uint32_t *lock, edo__why why, const void *obj,
                                int64_t at, uint32_t code)
{
    bool never = (edo__aload(&self->word, EDO__RLX) & EDO__WORD_CLASS) == EDO__CANCEL_NEVER;
    if (!never && self->scope != NULL && self->scope->edo__deadline_eff != EDO_FOREVER &&
        self->scope->edo__deadline_eff <= at) {
        at = self->scope->edo__deadline_eff;
        code = EDO__WAKE_TIMEOUT;
    }
    if (edo__is_foreign(self)) {
        uint32_t got = foreign_commit(self, at, code);
        if (lock != NULL) {
            edo__spin_lock(lock);
            edo__spin_unlock(lock);
        }
        return got;
    }
    if (at == EDO_FOREVER)
        return edo__wait_park(self, lock, why, obj);

    edo__worker *w = self->worker;
    wait_timer t = { .timer = { .deadline = at, .fire = wait_timer_fire },
                     .task = self,
                     .code = code };
    if (why == EDO__WHY_SLEEP)
        obj = &t.timer; /* dumps say how long */
    wait_timer_arm(w, &t);
    uint32_t got = edo__wait_park(self, lock, why, obj);
    if (got != code) /* its own code: it has fired, and the wheel is done with it */
        wait_timer_disarm(w, &t);
    return got;
}
