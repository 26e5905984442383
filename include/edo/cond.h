/* SPDX-License-Identifier: MIT */
/* Edo: a condition variable. */
#ifndef EDO_COND_H
#define EDO_COND_H

#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where holders of a mutex wait for something that is protected by it to change. All who wait at
 * the same time use the same mutex. Waiting ends for no other reason than a signal or a cancel, but
 * what was waited for may have changed again before the mutex was got back: wait in a loop.
 *
 * Needs no deinit. It may be freed when nobody waits in it and every call that was cancelled has
 * returned. */
typedef struct edo_cond {
    edo__waitq edo__q;
    struct edo_mutex *edo__mutex; /* of those who wait */
} edo_cond;

#define EDO_COND_INIT                                                                              \
    {                                                                                              \
        { 0, 0, 0, 0 }, 0                                                                          \
    }

/* edo_cond_init - the same as assigning EDO_COND_INIT.
 *
 *     edo_cond filled;
 *     edo_cond_init(&filled);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_cond_init(edo_cond *c);

/* edo_cond_wait - gives the mutex up, waits for a signal, and locks the mutex again.
 * @m: held by the caller; held again when this returns, whatever it returns.
 * Returns 0 after a signal; -ECANCELED: no signal was used up. Cancelled already on entry, the
 * mutex is not given up. Locking again is no checkpoint: a call that was cancelled, or whose signal
 * came first, still waits for its turn at the mutex.
 *
 *     int rc = 0;
 *     while (rc == 0 && count == 0)
 *         rc = edo_cond_wait(&filled, &m);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_cond_wait(edo_cond *c, edo_mutex *m);

/* edo_cond_signal - ends the wait of the first waiter; nothing happens when there is none. With or
 * without the mutex held. A signal never goes to a waiter that reports -ECANCELED.
 *
 *     count++;
 *     edo_cond_signal(&filled);
 *     edo_mutex_unlock(&m);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_cond_signal(edo_cond *c);

/* edo_cond_broadcast - ends the wait of all waiters. They are not all woken now: each is when the
 * mutex becomes its own, in the order in which they began to wait.
 *
 *     closed = true;
 *     edo_cond_broadcast(&filled);
 *     edo_mutex_unlock(&m);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_cond_broadcast(edo_cond *c);

#ifdef __cplusplus
}
#endif
#endif
