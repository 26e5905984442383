/* SPDX-License-Identifier: MIT */
/* The condition variable: a queue of waiters, who after a signal go on in the mutex's queue.
 *
 * A signal wakes nobody who could only wait for the mutex next. It moves the waiter to the mutex's
 * queue as it is, parked, and unlocking hands it the mutex as to any other (edo__mutex_adopt()). So
 * a broadcast costs one wake-up per unlock and makes no herd.
 *
 * Who has moved has had its signal: if a cancel claims it from then on, it waits on for the mutex
 * and reports success. If a cancel claims it before, the signal finds it gone, or finds nothing to
 * claim, and takes the next. Which of the two came first is decided under q.lock: w.value.
 *
 * Locks are taken in the order q.lock of the condition variable, q.lock of the mutex. A waiter that
 * was woken does not touch the condition variable any more: its wake code says all. */
#include "sync/mutex.h"

void edo_cond_init(edo_cond *c)
{
    *c = (edo_cond)EDO_COND_INIT;
}

/* The wait was ended by a cancel. The mutex is locked on return. */
static __attribute__((noinline)) int cancelled(edo_cond *c, edo_mutex *m, edo__waiter *w)
{
    edo__spin_lock(&c->edo__q.lock);
    bool signalled = w->value != NULL;
    if (!signalled)
        edo__waitq_remove(&c->edo__q, w);
    edo__spin_unlock(&c->edo__q.lock);
    if (signalled)
        edo__mutex_await(m, w);
    else
        edo__mutex_relock(m, w->task);
    return signalled ? 0 : -ECANCELED;
}

EDO__ENTRY int edo_cond_wait(edo_cond *c, edo_mutex *m)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    edo__spin_lock(&c->edo__q.lock);
    edo_assert((c->edo__q.head == NULL || c->edo__mutex == m) && "one mutex for all who wait");
    if (edo__unlikely(!edo__wait_begin(self, true))) {
        edo__spin_unlock(&c->edo__q.lock);
        return -ECANCELED;
    }
    c->edo__mutex = m;
    edo__waitq_push(&c->edo__q, &w);
    edo__spin_unlock(&c->edo__q.lock);
    edo_mutex_unlock(m);
    /* No lock to pass through: nothing is handed over under q.lock. */
    if (edo__unlikely(edo__wait_commit(self, NULL, EDO__WHY_COND, c) != EDO__WAKE_OK))
        return cancelled(c, m, &w);
    if (w.value != NULL)
        edo__mutex_pass(m);
    else
        edo__mutex_relock(m, self);
    return 0;
}

static void wake(edo_cond *c, bool all)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&c->edo__q.lock);
    if (c->edo__q.head != NULL)
        edo__mutex_adopt(c->edo__mutex, &c->edo__q, all, &wakes);
    edo__spin_unlock(&c->edo__q.lock);
    edo__wakes_run(&wakes);
}

void edo_cond_signal(edo_cond *c)
{
    wake(c, false);
}

void edo_cond_broadcast(edo_cond *c)
{
    wake(c, true);
}
