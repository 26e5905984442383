/* SPDX-License-Identifier: MIT */
/* Edo: a limit on how often something may be done.
 *
 * A token bucket: tokens come in at a rate and are kept up to a burst; doing something takes some.
 * The count is exact, in whole tokens and parts of one: over any time no more than burst + rate x
 * time tokens are given out, and no less if they are wanted. Time is that of edo_now() where it is
 * called: do not share one between tasks on a paused clock and foreign threads. */
#ifndef EDO_RATELIMIT_H
#define EDO_RATELIMIT_H

#include <edo/base.h>
#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fair (first come, first served), for tasks of any runtime and foreign threads, in storage of the
 * caller's, which must not be destroyed or moved while somebody waits. Members are the library's. */
typedef struct edo_ratelimit {
    edo__waitq edo__q;
    uint64_t edo__rate;   /* tokens ...                               */
    int64_t edo__per;     /* ... in so many nanoseconds               */
    uint64_t edo__burst;  /* tokens it holds at most                  */
    uint64_t edo__tokens; /* that are there at edo__since             */
    uint64_t edo__part;   /* of the next token, in units of 1 / per   */
    int64_t edo__since;   /* when tokens were last counted            */
} edo_ratelimit;

/* The same as edo_ratelimit_init() for an object with a static initialiser; the values are not
 * checked. */
#define EDO_RATELIMIT_INIT(rate, per, burst)                                                       \
    {                                                                                              \
        { 0, 0, 0, 0 }, (rate), (per), (burst), (burst), 0, 0                                      \
    }

/* edo_ratelimit_init - full to begin with.
 * @rate: tokens that come in per interval; 0: none, until that is changed.
 * @per: the interval in nanoseconds, more than 0.
 * @burst: tokens that are kept at most, more than 0; also the most that can be had at once.
 * Returns 0 or -EINVAL.
 *
 *     edo_ratelimit r;                       // 100 per second, 10 at once
 *     rc = edo_ratelimit_init(&r, 100, EDO_SEC(1), 10);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_ratelimit_init(edo_ratelimit *r, uint64_t rate, int64_t per, uint64_t burst);

/* edo_ratelimit_acquire - takes n tokens, all at once, waiting for its turn and for their coming; a
 * big request at the head holds up small ones behind it.
 * Returns 0; -ECANCELED: none taken; -EINVAL when n is more than the burst (or has become so while
 * it waited).
 *
 *     rc = edo_ratelimit_acquire(&r, 1);
 *     if (rc == 0)
 *         rc = call_service();
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_ratelimit_acquire(edo_ratelimit *r, uint64_t n);

/* edo_ratelimit_acquire_nowait - the same if possible at once and nobody waits.
 * Returns 0, -EAGAIN, or -EINVAL as above.
 *
 *     if (edo_ratelimit_acquire_nowait(&r, 1) == -EAGAIN)
 *         reply_too_many_requests(edo_ratelimit_ready(&r, 1) - edo_now());
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_ratelimit_acquire_nowait(edo_ratelimit *r, uint64_t n);

/* edo_ratelimit_ready - the instant from which n tokens can be had, after those who wait now; the
 * present one if they can be already; EDO_FOREVER if they never can.
 *
 *     int64_t wait = edo_ratelimit_ready(&r, 1) - edo_now();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int64_t edo_ratelimit_ready(edo_ratelimit *r, uint64_t n);

/* edo_ratelimit_available - whole tokens that are there at this moment.
 *
 *     uint64_t left = edo_ratelimit_available(&r);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_ratelimit_available(edo_ratelimit *r);

/* edo_ratelimit_set - another rate and burst from now on, also for those who wait. Tokens that are
 * there stay, up to the burst. Who waits for more than the new burst gets -EINVAL in its turn.
 * Returns 0, or -EINVAL as edo_ratelimit_init() (nothing changed).
 *
 *     rc = edo_ratelimit_set(&r, 10, EDO_SEC(1), 10);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_ratelimit_set(edo_ratelimit *r, uint64_t rate, int64_t per, uint64_t burst);

#ifdef __cplusplus
}
#endif
#endif
