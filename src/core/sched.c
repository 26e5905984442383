/* SPDX-License-Identifier: MIT */
/* Making tasks runnable, and the two thread-locals.
 *
 * Where a runnable task goes: pinned, to its worker's mailbox; from a thread that is no worker, to
 * the inject queue; else to the calling worker's LIFO slot, which it runs next. What the slot held
 * before moves to the worker's ring, and only then may another worker have to be woken: a task that
 * is alone in the slot is about to be run by its waker, and waking a thread for it would cost more
 * than it (that is what Tokio reverted). If the waker then computes for long, the monitor takes the
 * task out of the slot.
 *
 * A task of low priority goes to one queue for all workers, first in, first out, at which a worker
 * looks when it has found nothing else anywhere, and once per 62 runs in any case. That queue has to
 * be shared: one per worker would let a busy worker's low tasks wait beside others that are idle,
 * and would have to be stolen from, given away and moved like the ring. */
#include "core/monitor.h"
#include "core/sched.h"

__thread edo__task *edo__tls_self __attribute__((tls_model("initial-exec")));
static __thread edo__worker *tls_worker;

#if !defined(__x86_64__) || defined(EDO_MODEL)

__attribute__((noinline)) edo__task *edo__self_task(void)
{
    __asm__ __volatile__("" ::: "memory");
    return edo__tls_self;
}

__attribute__((noinline)) edo__task *edo__self(void)
{
    __asm__ __volatile__("" ::: "memory");
    edo__task *t = edo__tls_self;
    return edo__likely(t != NULL) ? t : edo__foreign_self();
}

__attribute__((noinline)) void edo__set_self(edo__task *t)
{
    edo__tls_self = t;
}

#endif

__attribute__((noinline)) void edo__set_current_worker(edo__worker *w)
{
    tls_worker = w;
}

__attribute__((noinline)) edo__worker *edo__current_worker(const edo_runtime *rt)
{
    __asm__ __volatile__("" ::: "memory");
    edo__worker *w = tls_worker;
    return w != NULL && w->rt == rt ? w : NULL;
}

__attribute__((noinline)) edo__worker *edo__thread_worker(void)
{
    __asm__ __volatile__("" ::: "memory");
    return tls_worker;
}

/* Not inlined: those who wake often find nobody to wake. */
__attribute__((noinline)) void edo__worker_wake(edo__worker *w)
{
    if (edo__parker_notify(&w->parker)) {
        EDO__PROBE1(worker_wake, w->index);
        w->rt->backend->wake(w);
        edo__worker *by = edo__current_worker(w->rt);
        if (by != NULL)
            edo__count(&by->counters.unparks);
        else
            edo__aadd(&w->rt->outside.unparks, 1u, EDO__RLX);
    }
}

/* The monitor is told as well: the worker may not get a processor. */
static void wake_named(edo_runtime *rt, int worker)
{
    if (worker < 0)
        return;
    edo__worker_wake(&rt->workers[worker]);
    edo__monitor_kick(rt);
}

void edo__wake_one(edo_runtime *rt)
{
    wake_named(rt, edo__idle_notify(&rt->idle));
}

void edo__wake_another(edo_runtime *rt)
{
    wake_named(rt, edo__idle_notify_more(&rt->idle));
}

static void schedule_low(edo_runtime *rt, edo__task *t)
{
    edo__inject_push(&rt->low, t, t, 1);
    edo__wake_one(rt);
}

/* To a worker's mailbox: nobody else takes it from there. */
static void mail(edo__worker *w, edo__task *t)
{
    t->next = NULL;
    edo__spin_lock(&w->mail_lock);
    if (w->mail_tail != NULL)
        w->mail_tail->next = t;
    else
        w->mail_head = t;
    w->mail_tail = t;
    edo__astore(&w->mail_len, w->mail_len + 1, EDO__REL);
    edo__spin_unlock(&w->mail_lock);
    if (w != edo__current_worker(w->rt))
        edo__worker_wake(w);
}

/* A full ring gives half of itself and t to the inject queue. */
static void overflow(edo__worker *w, edo__task *t)
{
    edo__task *half[EDO__QUEUE_SIZE / 2];
    uint32_t n = edo__queue_grab(&w->queue, half, EDO__QUEUE_SIZE / 2);
    if (n == 0 && edo__queue_push(&w->queue, t))
        return; /* thieves have made room meanwhile */
    for (uint32_t i = 0; i + 1 < n; i++)
        half[i]->next = half[i + 1];
    if (n > 0)
        half[n - 1]->next = t;
    edo__inject_push(&w->rt->inject, n > 0 ? half[0] : t, t, n + 1);
    edo__count(&w->counters.overflows);
    EDO__PROBE2(worker_overflow, w->index, n);
}

void edo__queue_local(edo__worker *w, edo__task *t)
{
    if (edo__unlikely(!edo__queue_push(&w->queue, t)))
        overflow(w, t);
}

static void schedule_here(edo__worker *w, edo__task *t)
{
    /* A thief only ever empties the slot, so an empty one can be filled with a store. */
    if (edo__aload(&w->lifo, EDO__RLX) == NULL) {
        edo__astore(&w->lifo, t, EDO__REL); /* pairs with the exchange of whoever takes it */
        return;
    }
    edo__task *old = edo__axchg(&w->lifo, t, EDO__AR);
    if (old != NULL)
        edo__queue_local(w, old);
    if (w->rt->n_workers > 1)
        edo__wake_one(w->rt);
}

/* From a thread that is no worker of rt. As soon as t can run it may end, and the runtime with it:
 * so the thread is counted until it has left, and the runtime is not freed before that. */
static void schedule_outside(edo_runtime *rt, edo__task *t)
{
    edo__aadd(&rt->visitors, 1u, EDO__RLX); /* seen by whoever sees t runnable */
    edo__aadd(&rt->outside.remote, 1u, EDO__RLX);
    uint32_t by = edo__probe_value(EDO__PROBE_NOBODY);
    EDO__PROBE2(task_wake, t->id, by);
    if (t->pins >= EDO__PIN_WATCHED)
        edo__meter_woken(t);
    if (edo__pinned(t)) {
        mail(t->worker, t);
    } else if (edo__is_low(t)) {
        schedule_low(rt, t);
    } else {
        edo__inject_push(&rt->inject, t, t, 1);
        edo__wake_one(rt);
    }
    edo__asub(&rt->visitors, 1u, EDO__REL); /* pairs with the load in wait_for_visitors() */
}

static void schedule_any(edo__worker *w, edo__task *t)
{
#ifdef EDO_FORCE_MIGRATE
    edo_runtime *rt = t->rt;
    if (rt->n_workers > 1 && t->worker != NULL) {
        mail(&rt->workers[(t->worker->index + 1) % rt->n_workers], t);
        return;
    }
#endif
    schedule_here(w, t);
}

/* One that is watched, pinned or of low priority. Not inlined: most are none of these. */
static __attribute__((noinline)) void schedule_special(edo__worker *w, edo__task *t)
{
    if (t->pins >= EDO__PIN_WATCHED)
        edo__meter_woken(t);
    if (edo__pinned(t))
        mail(t->worker, t);
    else if (edo__is_low(t))
        schedule_low(t->rt, t);
    else
        schedule_any(w, t);
}

void edo__schedule_on(edo__worker *w, edo__task *t)
{
    if (edo__unlikely(w == NULL)) {
        schedule_outside(t->rt, t);
        return;
    }
    EDO__PROBE2(task_wake, t->id, w->index);
    if (edo__unlikely(t->pins != 0))
        schedule_special(w, t);
    else
        schedule_any(w, t);
}

void edo__schedule(edo__task *t)
{
    edo__schedule_on(edo__current_worker(t->rt), t);
}

void edo__schedule_new(edo__worker *w, edo__task *t)
{
    if (edo__unlikely(edo__pinned(t) && t->worker == NULL))
        t->worker = &t->rt->workers[0];
    edo__schedule_on(w, t);
}

bool edo__give_away_next(edo__worker *w)
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
static bool give_away_mail(edo__worker *w)
{
    edo__task *first = NULL, *last = NULL, *keep = NULL, *keep_last = NULL;
    uint32_t n = 0, kept = 0;
    if (edo__aload(&w->mail_len, EDO__RLX) == 0)
        return false;
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

bool edo__give_away(edo__worker *w)
{
    bool found = edo__give_away_next(w);
    found |= give_away_mail(w);
    edo__task *half[EDO__QUEUE_SIZE / 2];
    uint32_t n;
    while ((n = edo__queue_grab(&w->queue, half, EDO__QUEUE_SIZE / 2)) > 0) {
        for (uint32_t i = 0; i + 1 < n; i++)
            half[i]->next = half[i + 1];
        edo__inject_push(&w->rt->inject, half[0], half[n - 1], n);
        found = true;
    }
    return found;
}

bool edo__work_visible(const edo_runtime *rt)
{
    if (edo__aload(&rt->inject.len, EDO__RLX) != 0 || edo__aload(&rt->low.len, EDO__RLX) != 0)
        return true;
    uint32_t n = edo__workers_known(rt);
    for (uint32_t i = 0; i < n; i++) {
        if (edo__queue_len(&rt->workers[i].queue) != 0)
            return true;
    }
    return false;
}

int edo_yield(void)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (edo__is_foreign(self)) {
        sched_yield();
        return 0;
    }
#ifndef EDO_FORCE_MIGRATE
    edo__worker *w = self->worker;
    if (edo__aload(&w->lifo, EDO__RLX) == NULL && edo__queue_len(&w->queue) == 0 &&
        edo__aload(&w->mail_len, EDO__RLX) == 0 && edo__aload(&w->rt->inject.len, EDO__RLX) == 0 &&
        w->until_inject > 1 && !(edo__is_low(self) && edo__aload(&w->rt->low.len, EDO__RLX) != 0)) {
        w->until_inject--; /* alone; and I/O and timers get their turn every so often */
        return 0;
    }
#endif
    EDO__PROBE1(task_yield, self->id);
    edo__suspend(self, EDO__ACTION_YIELD);
    return 0;
}

uint64_t edo_task_id(void)
{
    edo__task *self = edo__self_task();
    return self != NULL ? edo__task_id(self) : 0;
}

const char *edo_task_name(void)
{
    edo__task *self = edo__self_task();
    return self != NULL ? self->name : "";
}

int edo_task_pin(bool on)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    uint16_t count = self->pins & EDO__PIN_COUNT;
    edo_assert(on ? count < EDO__PIN_COUNT : count > 0);
    self->flags |= EDO__TF_OPTIONS; /* should it end pinned: see edo__task_free() */
    self->pins = (uint16_t)(on ? self->pins + 1 : self->pins - 1);
    return 0;
}
