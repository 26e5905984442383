/* SPDX-License-Identifier: MIT */
/* What the primitives share: waiting in a queue, waking several at once, copying values.
 *
 * Rules they all keep:
 * - The last access of a waker to the object is the release of its lock: whoever was woken may
 * destroy
 *   the object at once. For the same reason nobody decides anything about an object without its lock
 *   (the mutex is the exception, see mutex.c).
 * - A waker pops waiters until a claim succeeds. One whose claim fails was cancelled, timed out, or
 * is
 *   a select that was decided elsewhere; what it would have got goes to the next.
 * - A waiter that was not woken by its queue unlinks itself before it returns, so no queue ever
 * holds
 *   a waiter of a wait that is over. */
#ifndef EDO_SYNC_WAITING_H
#define EDO_SYNC_WAITING_H

#include "base/probe.h"
#include "core/wait.h"

#include <string.h>

/* Waits in q. The lock (over q) is held on entry and not on return. Returns 0 when woken by a waker
 * of q, which has unlinked w and left its result there; -ECANCELED when not, w unlinked as well. */
static EDO__INLINE int edo__waitq_wait(edo__waitq *q, uint32_t *lock, edo__waiter *w, edo__why why,
                                       const void *obj)
{
    edo__task *self = w->task;
    if (edo__unlikely(!edo__wait_begin(self, true))) {
        edo__spin_unlock(lock);
        return -ECANCELED;
    }
    edo__waitq_push(q, w);
    edo__spin_unlock(lock);
    if (edo__likely(edo__wait_commit(self, lock, why, obj) == EDO__WAKE_OK))
        return 0;
    edo__spin_lock(lock);
    edo__waitq_remove(q, w);
    edo__spin_unlock(lock);
    return -ECANCELED;
}

/* Claimed waiters whose tasks are parked: collected under the lock, made runnable without it. Those
 * not parked yet need nothing more and must not be touched once the lock is released. */
typedef struct edo__wakes {
    edo__waiter *first;
    edo__waiter *last;
} edo__wakes;

/* Adds a claimed waiter whose task is parked. */
static inline void edo__wakes_add(edo__wakes *wakes, edo__waiter *w)
{
    w->next = NULL;
    if (wakes->first == NULL)
        wakes->first = w;
    else
        wakes->last->next = w;
    wakes->last = w;
}

/* Claims a waiter that was just popped. False: it is gone, look for another. */
static inline bool edo__wakes_claim(edo__wakes *wakes, edo__waiter *w, int result)
{
    uint32_t was = edo__claim(w->task, w->code);
    if (was == EDO__WORD_IDLE)
        return false;
    w->result = result;
    if (was == EDO__WORD_PARKED)
        edo__wakes_add(wakes, w);
    return true;
}

/* Pops and claims all that wait in q. */
static inline void edo__wakes_claim_all(edo__wakes *wakes, edo__waitq *q, int result)
{
    edo__waiter *w;
    while ((w = edo__waitq_pop(q)) != NULL)
        edo__wakes_claim(wakes, w, result);
}

/* Holding no lock. */
static inline void edo__wakes_run(const edo__wakes *wakes)
{
    edo__waiter *next;
    for (edo__waiter *w = wakes->first; w != NULL; w = next) {
        next = w->next; /* w is gone once its task runs */
        edo__schedule_parked(w->task);
    }
}

/* The common sizes without a call. n may be 0 with NULL pointers. */
static inline void edo__copy(void *to, const void *from, size_t n)
{
    switch (n) {
    case 0: return;
    case 4: __builtin_memcpy(to, from, 4); return;
    case 8: __builtin_memcpy(to, from, 8); return;
    case 16: __builtin_memcpy(to, from, 16); return;
    default: memcpy(to, from, n);
    }
}

#endif
