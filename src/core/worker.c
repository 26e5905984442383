/* SPDX-License-Identifier: MIT */
/* A worker's loop: find a task, run it, do what it asked for when it suspended; with nothing to
 * run, look at other workers' queues, then sleep in the I/O backend.
 *
 * A task that suspends passes the worker straight on to the next one if finding that takes no more
 * than a look at the slot and the ring; else it goes back to the loop.
 *
 * A task is published to its wakers, or put back into a queue, only in settle(): on the other side
 * of the switch, after it has left its stack and its registers are saved. */
#include "core/cpus.h"
#include "core/group.h"
#include "core/hooks.h"
#include "core/monitor.h"
#include "core/sched.h"
#include "core/trace.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEAL_MAX (EDO__QUEUE_SIZE / 2)
#define SPIN_MIN 1000    /* nanoseconds: below this spinning is switched off ...            */
#define SPIN_MAX 30000   /* about what waking a thread costs on a virtual machine           */
#define SPIN_RETRY 32    /* ... and tried again every so many sleeps                        */
#define JOB_LOOK 1000000 /* nanoseconds between looks at blocking jobs that hold a paused clock */
#define SPIN_RELAX 32    /* pauses between looks                                            */
#define LOOK_RELAX 8     /* pauses between looks at the clock                               */
#define LOOK_MIN 400    /* nanoseconds that a ring is watched before it is stolen from: none, ... */
#define LOOK_MAX 3200   /* ... or this to this, see judge_theft() ...                          */
#define LOOK_LAST 12800 /* ... and then twice as long each time, up to this                    */
#define LOOK_ROUND 6000 /* in one of so long the owner must come round to all in the ring      */
#define RUN_WORTH 800   /* nanoseconds: to steal runs of that length is worth it               */

static edo__stack *stack_get(edo__worker *w, unsigned cls)
{
    uint32_t n = w->stack_count[cls];
    if (edo__unlikely(n == 0))
        return edo__stack_acquire(w->rt->stacks, cls);
    edo__astore(&w->stack_count[cls], n - 1, EDO__RLX); /* metrics look at it */
    return w->stacks[cls][n - 1];
}

static void stack_put(edo__worker *w, edo__stack *s)
{
    uint32_t n = w->stack_count[s->cls];
    s->task = NULL;
    s->started = 1;
    if (edo__likely(n < EDO__STACK_CACHE)) {
        w->stacks[s->cls][n] = s;
        edo__astore(&w->stack_count[s->cls], n + 1, EDO__RLX);
    } else {
        edo__stack_release(w->rt->stacks, s);
    }
}

static void drop_stacks(edo__worker *w)
{
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        while (w->stack_count[cls] > 0) {
            uint32_t n = w->stack_count[cls] - 1;
            edo__astore(&w->stack_count[cls], n, EDO__RLX);
            edo__stack_release(w->rt->stacks, w->stacks[cls][n]);
        }
    }
}

/* No stack can be had: the task's start is put off until others have given theirs back. */
static void delay_start(edo__worker *w, edo__task *t)
{
    bool alone = edo__queue_len(&w->queue) == 0;
    edo__inject_push(edo__is_low(t) ? &w->rt->low : &w->rt->inject, t, t, 1);
    if (alone)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void after_park(edo__task *t)
{
    if (edo__wait_parked(t))
        return; /* t is its waker's from here on */
    t->claimed_early = 1;
    edo__schedule(t);
}

static void after_yield(edo__worker *w, edo__task *t)
{
#ifdef EDO_FORCE_MIGRATE
    (void)w;
    edo__schedule(t);
#else
    if (edo__unlikely(t->pins != 0) && (edo__pinned(t) || edo__is_low(t)))
        edo__schedule(t);
    else
        edo__queue_local(w, t);
#endif
}

/* What the task that w ran last wanted. It has left its stack: its registers are saved, so that
 * others may take it from here on. Nothing when w comes from its own loop. */
static inline void settle(edo__worker *w)
{
    edo__action action = w->action;
    w->action = EDO__ACTION_NONE;
    switch (action) {
    case EDO__ACTION_PARK: after_park(w->left); break;
    case EDO__ACTION_YIELD: after_yield(w, w->left); break;
    case EDO__ACTION_END: stack_put(w, w->left_stack); break;
    case EDO__ACTION_NONE: break;
    }
}

/* All that makes t the running task but the switch itself. */
static EDO__INLINE void make_current(edo__worker *w, edo__task *t)
{
    t->worker = w;
    t->budget = EDO__BUDGET;
    if (edo__unlikely(t->pins >= EDO__PIN_WATCHED))
        edo__meter_ran(w, t);
    edo__astore(&w->current, t, EDO__RLX); /* these two are for the monitor */
    edo__astore(&w->tick, w->tick + 1, EDO__REL);
    EDO__PROBE2(task_run, t->id, w->index);
    edo__set_self(t); /* stays until the next one: nobody asks in between */
}

static EDO__INLINE void give_stack(edo__worker *w, edo__task *t, edo__stack *s)
{
    s->task = t;
    t->stack = s;
    edo__astore(&t->state, EDO__TASK_LIVE, EDO__RLX);
    EDO__PROBE3(task_start, t->id, w->index, t->fn);
}

/* t comes back here: take_quick() finds nothing while w is watched. */
static __attribute__((noinline)) void run_measured(edo__worker *w, edo__task *t)
{
    uint64_t id = edo__task_id(t); /* t may have ended, and be another one, when this is asked */
    int64_t begin = edo__meter_begin(w, t);
    edo__context_resume_with(&t->stack->ctx, w->control_words);
    edo__meter_end(w, begin, id);
    settle(w);
}

static void run_task(edo__worker *w, edo__task *t)
{
    if (t->stack == NULL) {
        edo__stack *s = stack_get(w, t->stack_class);
        if (edo__unlikely(s == NULL)) {
            delay_start(w, t);
            return;
        }
        give_stack(w, t, s);
    }
    w->until_inject--;
    make_current(w, t);
    if (edo__unlikely(w->meter.on)) {
        run_measured(w, t);
        return;
    }
    edo__context_resume_with(&t->stack->ctx, w->control_words);
    settle(w); /* not always of t: tasks pass the worker on among themselves */
}

/* Under the wheel's lock, which it gives back. */
static size_t expire_locked(edo__worker *w, int64_t now)
{
    size_t n = edo__wheel_expire(&w->wheel, now);
    edo__astore(&w->timer_next, edo__wheel_next(&w->wheel), EDO__RLX);
    edo__spin_unlock(&w->timer_lock);
    edo__aadd(&w->counters.timers_fired, n, EDO__RLX); /* others may do this for w */
    return n;
}

size_t edo__worker_expire(edo__worker *w, int64_t now)
{
    if (now < edo__aload(&w->timer_next, EDO__RLX))
        return 0;
    edo__spin_lock(&w->timer_lock);
    return expire_locked(w, now);
}

void edo__worker_expire_for(edo__worker *w, int64_t now)
{
    if (now >= edo__aload(&w->timer_next, EDO__RLX) && edo__spin_try(&w->timer_lock))
        (void)expire_locked(w, now);
}

/* A look at the clock, the timers and I/O, without waiting. */
static void tend(edo__worker *w)
{
    edo__aand(&w->wanted, ~(uint32_t)EDO__WANT_TEND, EDO__RLX);
    w->now = edo__clock_now(w->rt);
    edo__worker_expire(w, w->now);
    if (w->rt->backend->pending(w))
        (void)w->rt->backend->poll(w, 0);
}

static edo__task *take_mail(edo__worker *w)
{
    edo__spin_lock(&w->mail_lock);
    edo__task *t = w->mail_head;
    if (t != NULL) {
        w->mail_head = t->next;
        if (w->mail_head == NULL)
            w->mail_tail = NULL;
        edo__astore(&w->mail_len, w->mail_len - 1, EDO__REL);
    }
    edo__spin_unlock(&w->mail_lock);
    return t;
}

/* The first of a share of the inject queue; the rest goes to the ring. */
static edo__task *take_injected(edo__worker *w, uint32_t max)
{
    uint32_t n;
    edo__task *t = edo__inject_pop(&w->rt->inject, max, &n);
    if (t == NULL)
        return NULL;
    for (edo__task *rest = t->next; rest != NULL;) {
        edo__task *next = rest->next;
        edo__queue_local(w, rest);
        rest = next;
    }
    return t;
}

static edo__task *take_low(edo__worker *w)
{
    uint32_t n;
    return edo__inject_pop(&w->rt->low, 1, &n);
}

/* What the LIFO slot holds, three times in a row at most: two tasks waking each other would keep
 * the rest waiting for ever. */
static inline edo__task *take_lifo(edo__worker *w)
{
    if (edo__aload(&w->lifo, EDO__RLX) == NULL)
        return NULL;
    edo__task *t = edo__axchg(&w->lifo, NULL, EDO__AR); /* pairs with schedule_here() */
    if (edo__likely(t == NULL || ++w->lifo_used <= EDO__LIFO_MAX))
        return t;
    w->lifo_used = 0;
    if (edo__queue_len(&w->queue) == 0)
        return t;
    edo__queue_local(w, t);
    return NULL;
}

/* Every so many tasks: what must not wait until the local queue is empty. */
static __attribute__((noinline)) edo__task *take_in_turn(edo__worker *w)
{
    if (!edo__meter_turn(w))
        return NULL;
    if (++w->rounds % EDO__POLL_ROUNDS == 0) {
        tend(w);
        edo__task *low = take_low(w);
        if (edo__unlikely(low != NULL))
            return low;
    }
    return take_injected(w, 1);
}

/* With mail for w: from it and from the slot or the ring by turns, so that pinned tasks that yield do
 * not keep the others waiting for ever. */
static __attribute__((noinline)) edo__task *take_mail_by_turns(edo__worker *w)
{
    w->mail_turn = !w->mail_turn;
    edo__task *t = w->mail_turn ? take_mail(w) : take_lifo(w);
    if (t == NULL && !w->mail_turn)
        t = edo__queue_take(&w->queue);
    return t != NULL || w->mail_turn ? t : take_mail(w);
}

static inline edo__task *take_local(edo__worker *w)
{
    edo__task *t;
    uint32_t wanted = edo__aload(&w->wanted, EDO__RLX);
    if (edo__unlikely((wanted & (EDO__WANT_TEND | EDO__WANT_RETIRE)) != 0)) {
        if ((wanted & EDO__WANT_RETIRE) != 0)
            return NULL;
        tend(w);
    }
    if (edo__unlikely(w->until_inject <= 1) && (t = take_in_turn(w)) != NULL)
        return t;
    if (edo__unlikely(edo__aload(&w->mail_len, EDO__RLX) != 0) &&
        (t = take_mail_by_turns(w)) != NULL)
        return t;
    t = take_lifo(w);
    if (t != NULL)
        return t;
    w->lifo_used = 0;
    return edo__queue_take(&w->queue);
}

/* The next task if finding it takes no more than a look at the slot and the ring; NULL: back to
 * the loop, which looks at everything. */
static inline edo__task *take_quick(edo__worker *w)
{
#if EDO__ASAN || EDO__TSAN || defined(EDO_FORCE_MIGRATE)
    (void)w;
    return NULL;
#else
    if (edo__aload(&w->attention, EDO__RLX) != 0 || w->until_inject <= 1)
        return NULL; /* mail, or something wanted of the loop */
    edo__task *t = take_lifo(w);
    if (t == NULL) {
        w->lifo_used = 0;
        t = edo__queue_take(&w->queue);
        if (t == NULL)
            return NULL;
    }
    w->until_inject--;
    return t;
#endif
}

/* Leaves the stack `from` for good or until it is resumed: straight for t when it has a stack or a
 * warm one is at hand, else by way of the loop. */
static EDO__INLINE void leave(edo__worker *w, edo__stack *from, edo__task *t)
{
    if (t == NULL) {
        edo__context_suspend(&from->ctx);
        return;
    }
    if (t->stack == NULL) {
        if (edo__unlikely(w->stack_count[t->stack_class] == 0)) {
            w->handoff = t;
            edo__context_suspend(&from->ctx);
            return;
        }
        give_stack(w, t, stack_get(w, t->stack_class));
    }
    make_current(w, t);
    edo__context_pass(&from->ctx, &t->stack->ctx);
}

void edo__suspend(edo__task *self, edo__action action)
{
    edo_debug_assert(!edo__is_foreign(self) && self == edo__self_task());
    edo__worker *w = self->worker;
    self->since = w->now;
    w->left = self;
    w->action = action;
    leave(w, self->stack, take_quick(w));
    settle(self->worker);
}

/* t has ended on s, which is still in use. Returns when s has its next task: at once when the next
 * one to run is new, so that it costs no switch at all. */
static EDO__INLINE void end_task(edo__task *t, edo__stack *s)
{
    edo__worker *w = t->worker;
    EDO__PROBE3(task_end, t->id, w->index, t->code);
    t->stack = NULL;
    edo__astore(&w->current, NULL, EDO__RLX);
    edo__group_ended(t, w); /* t may be gone */
    edo__task *next = take_quick(w);
    if (next != NULL && next->stack == NULL && next->stack_class == s->cls) {
        give_stack(w, next, s);
        make_current(w, next);
        return;
    }
    w->left_stack = s;
    w->action = EDO__ACTION_END;
    leave(w, s, next);
    settle(s->task->worker);
}

/* What few tasks have when their function has returned. */
static __attribute__((noinline)) void end_specially(edo__task *t)
{
    if ((t->flags & EDO__TF_HEAP_ARG) != 0)
        free(t->arg);
    if ((t->flags & EDO__TF_HOOKED) != 0)
        edo__hook_end(t, t->code);
}

/* What runs at the bottom of every task's stack: one task after another. */
void edo__stack_entry(void *stack)
{
    edo__stack *s = stack;
    settle(s->task->worker);
    for (;;) {
        edo__task *t = s->task;
        /* release: after the id of this use of the slot; pairs with has_ended() of join.c */
        edo__astore(&t->code, t->fn(t->arg), EDO__REL);
        if (edo__unlikely(t->scope != &t->group->edo__scope))
            edo__child_leave(t);
        if (t->locals != NULL)
            edo__locals_end(t);
        if (edo__unlikely((t->flags & (EDO__TF_HEAP_ARG | EDO__TF_HOOKED)) != 0))
            end_specially(t);
        end_task(t, s);
    }
}

static edo__task *steal_from(edo__worker *w, edo__worker *victim)
{
    edo__task *loot[STEAL_MAX];
    uint32_t n = edo__queue_grab(&victim->queue, loot, STEAL_MAX);
    if (n == 0)
        return NULL;
    for (uint32_t k = 1; k < n; k++)
        edo__queue_local(w, loot[k]);
    EDO__PROBE3(worker_steal, w->index, victim->index, n);
    if (edo__trace_on())
        edo__trace_note(EDO__REC_STEAL, n, 0, NULL);
    edo__astore(&w->counters.stolen, w->counters.stolen + n, EDO__RLX);
    /* release: after what was stolen; pairs with add_counters() of metrics.c */
    edo__astore(&w->counters.steals, w->counters.steals + 1, EDO__REL);
    w->stole_at = edo__clock_real();
    w->stole_tick = w->tick;
    return loot[0];
}

static edo__task *steal(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    uint32_t known = edo__workers_known(rt);
    uint32_t start = (uint32_t)(edo__worker_random(w) % known);
    for (uint32_t i = 0; i < known; i++) {
        edo__worker *victim = &rt->workers[(start + i) % known];
        edo__task *t = victim != w ? steal_from(w, victim) : NULL;
        if (t != NULL)
            return t;
    }
    return NULL;
}

/* w has run out of what it stole last. If these were short runs, it had better left them where they
 * were: the next time it watches first. */
static void judge_theft(edo__worker *w)
{
    if (w->stole_at == 0)
        return;
    int64_t spent = edo__clock_real() - w->stole_at;
    w->stole_at = 0;
    if (spent < RUN_WORTH * (int64_t)(w->tick - w->stole_tick))
        w->first_look = LOOK_MAX;
    else
        w->first_look = w->first_look > LOOK_MIN ? w->first_look / 2 : 0;
}

/* Work of others: the inject queue, then their rings, unless these are to be watched first: not
 * while there is something of low priority to do instead. */
static edo__task *search(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    judge_theft(w);
    uint32_t share = edo__aload(&rt->inject.len, EDO__RLX) / rt->n_workers + 1;
    edo__task *t = take_injected(w, share < STEAL_MAX ? share : STEAL_MAX);
    if (t != NULL || edo__workers_known(rt) == 1)
        return t;
    if (!w->searching)
        w->searching = edo__idle_search(&rt->idle);
    bool at_once = w->first_look == 0 || edo__aload(&rt->low.len, EDO__RLX) != 0;
    return w->searching && at_once ? steal(w) : NULL;
}

/* Something for w that is in no ring. */
static bool called_off(edo__worker *w)
{
    return edo__aload(&w->parker.state, EDO__RLX) == EDO__PARKER_NOTIFIED ||
           edo__aload(&w->attention, EDO__RLX) != 0 ||
           edo__aload(&w->rt->inject.len, EDO__RLX) != 0 ||
           edo__aload(&w->rt->low.len, EDO__RLX) != 0 || w->rt->backend->pending(w);
}

/* Whether the owner of a ring that is not empty gets through it by itself: it went from task to task
 * during the look, and in a long one came round to all that were in line. *backlog: some wait even
 * now. */
static bool copes(edo__worker *w, const edo__worker *owner, int64_t look, bool *backlog)
{
    const edo__queue *q = &owner->queue;
    /* relaxed, all of them: a guess, and taking from the ring is safe at any time */
    uint64_t tick = edo__aload(&owner->tick, EDO__RLX);
    uint32_t last = edo__aload(&q->tail, EDO__RLX);
    int64_t until = edo__clock_real() + look;
    do {
        for (int i = 0; i < LOOK_RELAX; i++)
            edo__cpu_relax();
    } while (edo__clock_real() < until && !called_off(w));
    if (edo__aload(&owner->tick, EDO__RLX) == tick)
        return false;
    uint32_t head = edo__aload(&q->head, EDO__RLX);
    *backlog |= head != edo__aload(&q->tail, EDO__RLX);
    return look < LOOK_ROUND || (int32_t)(head - last) >= 0;
}

/* Steals where the owner does not cope; where it does, after a last look. Tasks that run for less
 * than it costs to move them, with all that they share with those they work with, are done sooner by
 * one worker: four that take turns at a mutex or a channel need 5 to 15 ns for a turn on one, and
 * 30 to 120 on two, which do nothing but pass cache lines. */
static edo__task *watch(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    if (!w->searching || w->first_look == 0)
        return NULL;
    uint32_t known = edo__workers_known(rt);
    bool backlog = true;
    for (int64_t look = w->first_look; backlog && look <= LOOK_LAST; look *= 2) {
        backlog = false;
        for (uint32_t i = 0; i < known; i++) {
            edo__worker *owner = &rt->workers[(w->index + 1 + i) % known];
            if (owner == w || edo__queue_len(&owner->queue) == 0)
                continue;
            edo__task *t = copes(w, owner, look, &backlog) ? NULL : steal_from(w, owner);
            if (t != NULL || called_off(w))
                return t;
        }
    }
    return backlog ? steal(w) : NULL;
}

/* Whether anything has turned up that this worker could do. */
static bool anything(edo__worker *w)
{
    if (edo__aload(&w->parker.state, EDO__RLX) == EDO__PARKER_NOTIFIED) {
        edo__parker_done(&w->parker); /* what it was about is visible: look at everything again */
        return true;
    }
    return edo__aload(&w->mail_len, EDO__RLX) != 0 || edo__aload(&w->lifo, EDO__RLX) != NULL ||
           edo__work_visible(w->rt);
}

/* Waking a sleeping thread costs as much as hundreds of task switches, so look around a little
 * longer first, as long as that has paid lately. True: there may be something. */
static bool spin(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    if (w->spin_limit < SPIN_MIN && edo__worker_random(w) % SPIN_RETRY != 0)
        return false;
    if (edo__workers_known(rt) > 1 && !w->searching)
        return false;
    int64_t limit = w->spin_limit < SPIN_MIN ? SPIN_MIN : w->spin_limit;
    int64_t until = edo__clock_real() + limit;
    do {
        for (int i = 0; i < SPIN_RELAX; i++)
            edo__cpu_relax();
        if (anything(w)) {
            w->spin_limit = limit * 2 < SPIN_MAX ? limit * 2 : SPIN_MAX;
            return true;
        }
        if (rt->backend->pending(w) && rt->backend->poll(w, 0) > 0)
            return true;
    } while (edo__clock_real() < until);
    w->spin_limit = limit / 2;
    return false;
}

/* timeout: of the real clock, for reasons other than the worker's timers. */
static void sleep_until_woken(edo__worker *w, int64_t timeout)
{
    edo_runtime *rt = w->rt;
    int64_t next = edo__aload(&w->timer_next, EDO__RLX);
    bool paused = edo__aload(&rt->clock_paused, EDO__ACQ) != 0;
    if (next != EDO_FOREVER && !paused) {
        timeout = next - edo__clock_now(rt);
        if (timeout < 0)
            timeout = 0;
    }
    if (edo__parker_prepare(&w->parker)) {
        edo__count(&w->counters.parks);
        if (edo__trace_on())
            edo__trace_note(EDO__REC_SLEEP, 0, 0, NULL);
        EDO__PROBE2(worker_park, w->index, timeout);
        int events = rt->backend->poll(w, timeout);
        EDO__PROBE2(worker_unpark, w->index, events);
        (void)events;
        if (edo__trace_on())
            edo__trace_note(EDO__REC_WOKEN, 0, 0, NULL);
    }
    edo__parker_done(&w->parker);
}

/* Nothing to do for w, nor perhaps for anybody: sleeps, or lets a paused clock jump. */
static void sleep_or_jump(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    bool jumped = false;
    int64_t timeout = EDO_FOREVER;
    if (edo__unlikely(edo__aload(&rt->clock_paused, EDO__ACQ) != 0)) {
        /* The end of a blocking job does not always wake a worker: looked at before the attempt. */
        if (!edo__pool_idle(rt->pool))
            timeout = JOB_LOOK;
        jumped = edo__clock_jump(rt);
    }
    if (!jumped)
        sleep_until_woken(w, timeout);
}

/* What has fallen due while w slept. */
static void get_up(edo__worker *w)
{
    edo__monitor_kick(w->rt);
    w->now = edo__clock_now(w->rt);
    edo__worker_expire(w, w->now);
}

/* Whether something waits for w and nobody else would see it. */
static bool has_own(const edo__worker *w)
{
    return edo__aload(&w->mail_len, EDO__RLX) != 0 || edo__aload(&w->lifo, EDO__RLX) != NULL ||
           edo__queue_len(&w->queue) != 0;
}

static void lie_down(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    bool look_again = edo__idle_sleep(&rt->idle, w->index, w->searching);
    w->searching = false;
    if (look_again && edo__work_visible(rt))
        edo__wake_one(rt);
    sleep_or_jump(w);
    w->searching = edo__idle_leave(&rt->idle, w->index);
}

static void park(edo__worker *w)
{
    bool hooked = edo__hook_park(w);
    if (edo__likely(!hooked || !has_own(w))) /* the hook has left nothing */
        lie_down(w);
    edo__hook_unpark(w);
    get_up(w);
}

/* w has found work: if it was the last one searching and there is more, another takes over. */
static void search_pays(edo__worker *w)
{
    w->searching = false;
    if (edo__idle_search_end(&w->rt->idle) && edo__work_visible(w->rt))
        edo__wake_one(w->rt);
}

static bool is_retired(edo__worker *w)
{
    return (edo__aload(&w->wanted, EDO__RLX) & EDO__WANT_RETIRE) != 0;
}

static bool must_leave(edo__worker *w)
{
    return edo__aload(&w->rt->shutdown, EDO__ACQ) == 2; /* pairs with runtime_stop() */
}

/* Nothing to do for w at present. A task that turned up after all, or NULL: look at everything
 * again. */
static edo__task *idle(edo__worker *w)
{
    edo__meter_idle(w);
    edo__task *t = watch(w);
    if (t == NULL && !spin(w))
        park(w);
    edo__meter_busy(w);
    return t;
}

/* The next task to run; sleeps until there is one. NULL: the runtime stops, or w is a spare that
 * retires. */
static edo__task *next_task(edo__worker *w)
{
    for (;;) {
        edo__task *t = w->handoff;
        w->handoff = NULL;
        if (edo__likely(t == NULL))
            t = take_local(w);
        else
            w->until_inject++; /* counted by take_quick() */
        if (edo__unlikely(t == NULL)) {
            if (must_leave(w) || is_retired(w))
                return NULL;
            edo__astore(&w->current, NULL, EDO__RLX); /* idle is not held */
            tend(w);
            t = take_local(w);
        }
        if (t == NULL)
            t = search(w);
        if (t == NULL)
            t = take_low(w);
        if (edo__unlikely(t == NULL))
            t = idle(w);
        if (edo__likely(t != NULL)) {
            if (edo__unlikely(w->searching))
                search_pays(w);
            return t;
        }
    }
}

/* A retired spare's park(). */
static void rest(edo__worker *w)
{
    bool hooked = edo__hook_park(w);
    if (edo__likely(!hooked || !has_own(w))) {
        edo__idle_quit(&w->rt->idle);
        sleep_or_jump(w);
        edo__idle_join(&w->rt->idle);
    }
    edo__hook_unpark(w);
    get_up(w);
}

/* A spare that is not needed any more: what it has goes to the others, and from here on it serves
 * its own timers, its descriptors and the tasks that are pinned to it. The others get what these
 * wake. Returns such a task; NULL: w is called in again, or the runtime stops. */
static edo__task *next_pinned(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    if (w->searching)
        search_pays(w); /* it may have passed something by */
    drop_stacks(w);
    for (;;) {
        edo__task *t = w->handoff;
        w->handoff = NULL;
        if (t != NULL) {
            w->until_inject++; /* counted by take_quick() */
            return t;
        }
        if (edo__give_away(w))
            edo__wake_one(rt);
        if (must_leave(w) || !is_retired(w))
            return NULL;
        if (edo__aload(&w->mail_len, EDO__RLX) != 0 && (t = take_mail(w)) != NULL)
            return t;
        edo__astore(&w->current, NULL, EDO__RLX);
        edo__meter_idle(w);
        rest(w);
        edo__meter_busy(w);
    }
}

void edo__worker_run(edo__worker *w)
{
    edo__set_current_worker(w);
    w->control_words = edo__control_words();
    edo__overflow_thread_enter();
    w->now = edo__clock_now(w->rt);
    edo__meter_start(w);
    edo__astore(&w->tid, gettid(), EDO__RLX);
    edo__cpus_enter(w);
    if (w->rt->backend->worker_enter != NULL)
        w->rt->backend->worker_enter(w);
    edo__hook_worker(w, true);
    for (;;) {
        edo__task *t = next_task(w);
        if (edo__unlikely(t == NULL)) {
            if (must_leave(w))
                break;
            t = next_pinned(w);
            if (t == NULL)
                continue;
        }
        run_task(w, t);
    }
    if (w->searching)
        (void)edo__idle_search_end(&w->rt->idle);
    edo__hook_worker(w, false);
    if (w->rt->backend->worker_leave != NULL)
        w->rt->backend->worker_leave(w);
    edo__cpus_leave(w);
    edo__overflow_thread_leave();
    edo__tls_self = NULL;
    edo__set_current_worker(NULL);
}

int edo__worker_init(edo__worker *w, edo_runtime *rt, uint32_t index)
{
    memset(w, 0, sizeof *w);
    w->rt = rt;
    w->index = index;
    w->cpu = -1;
    w->spin_limit = SPIN_MAX;
    w->first_look = LOOK_MIN;
    w->random = rt->config.seed * 0x9E3779B97F4A7C15u + index + 1;
    if (w->random == 0)
        w->random = 1;
    edo__meter_init(w, &rt->config);
    edo__wheel_init(&w->wheel, edo__clock_now(rt));
    w->timer_next = EDO_FOREVER;
    int rc = rt->backend->worker_open(w);
    if (rc < 0)
        edo__wheel_deinit(&w->wheel);
    return rc;
}

void edo__worker_deinit(edo__worker *w)
{
    drop_stacks(w);
    edo__results_drop_cache(w);
    w->rt->backend->worker_close(w);
    edo__wheel_deinit(&w->wheel);
}
