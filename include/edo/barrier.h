/* SPDX-License-Identifier: MIT */
/* Edo: a barrier. */
#ifndef EDO_BARRIER_H
#define EDO_BARRIER_H

#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a number of tasks wait until all of them are there; then all go on, and it can be used
 * again. Needs no deinit; it may be freed when every call on it has returned. */
typedef struct edo_barrier {
    edo__waitq edo__q; /* state: how many are there */
    uint32_t edo__size;
} edo_barrier;

#define EDO_BARRIER_INIT(n_)                                                                       \
    {                                                                                              \
        { 0, 0, 0, 0 }, (n_)                                                                       \
    }

/* edo_barrier_init - for n at a time, at least 1; the same as assigning EDO_BARRIER_INIT(n).
 *
 *     edo_barrier barrier;
 *     edo_barrier_init(&barrier, 4);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_barrier_init(edo_barrier *b, uint32_t n);

/* edo_barrier_wait - waits until n are there. The last to come is the leader, and does not wait.
 * Returns 1 to the leader, 0 to the others; -ECANCELED: it left and does not count, so that the
 * others wait for one more. A cancel that comes when all are there is seen at the next call.
 *
 *     int rc = edo_barrier_wait(&barrier);
 *     if (rc == 1)
 *         swap_buffers();
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_barrier_wait(edo_barrier *b);

/* edo_barrier_wait_nowait - comes as the last one, if all others are there.
 * Returns 1, or -EAGAIN: more than one is missing, and the caller does not count.
 *
 *     if (edo_barrier_wait_nowait(&barrier) == 1)
 *         swap_buffers();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_barrier_wait_nowait(edo_barrier *b);

#ifdef __cplusplus
}
#endif
#endif
