/* SPDX-License-Identifier: MIT */
/* What the condition variable does with a mutex beyond locking it. See mutex.c and cond.c. */
#ifndef EDO_SYNC_MUTEX_H
#define EDO_SYNC_MUTEX_H

#include "sync/waiting.h"

/* Locks, whatever is cancelled. */
void edo__mutex_relock(edo_mutex *m, edo__task *self);

/* Takes waiters out of `from`, the first live one or all, so that each gets the mutex in turn:
 * - a parked one moves to the mutex's queue;
 * - the first is handed the mutex if that is free;
 * - one that has not parked yet is woken and locks by itself.
 * In the first two cases w->value is m, set before whoever wakes it claims it. The lock over `from`
 * is held; those to be made runnable are left in *wakes. */
void edo__mutex_adopt(edo_mutex *m, edo__waitq *from, bool all, edo__wakes *wakes);

/* For an adopted waiter whose wait ended by a cancel: waits on for the mutex, whatever is
 * cancelled, at its old place if it still has that. */
void edo__mutex_await(edo_mutex *m, edo__waiter *w);

/* For an adopted waiter that was woken: waits until its waker is done with the mutex. */
static inline void edo__mutex_pass(edo_mutex *m)
{
    edo__spin_lock(&m->edo__q.lock);
    edo__spin_unlock(&m->edo__q.lock);
}

#endif
