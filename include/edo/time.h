/* SPDX-License-Identifier: MIT */
/* Edo: clock, sleep, interval. */
#ifndef EDO_TIME_H
#define EDO_TIME_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* edo_now - the monotonic clock, in nanoseconds; on a task of a runtime whose clock is paused, the
 * virtual one.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int64_t edo_now(void);

/* edo_sleep - waits for a duration, never less.
 * @duration: nanoseconds; zero or less only checks for a cancel; EDO_FOREVER waits until cancelled.
 * Returns 0, or -ECANCELED.
 *
 *     rc = edo_sleep(EDO_MS(100));
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
int edo_sleep(int64_t duration);

/* edo_sleep_until - waits until an instant of edo_now() has come.
 * Returns 0, or -ECANCELED.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
int edo_sleep_until(int64_t instant);

/* What an interval does about ticks that came due while nobody waited for them. */
typedef enum edo_missed {
    EDO_MISSED_BURST, /* they come at once, one after another, until the schedule is caught up  */
    EDO_MISSED_DELAY, /* they are dropped; the next one is a whole period after the late one    */
    EDO_MISSED_SKIP,  /* they are dropped; the next one is the schedule's next one to come      */
} edo_missed;

/* Ticks at regular instants. Lives in the caller's storage, needs no deinit; members are the
 * library's. */
typedef struct edo_interval {
    int64_t edo__period;
    int64_t edo__next; /* instant the next tick is scheduled for         */
    int64_t edo__last; /* instant the last tick was scheduled for        */
    uint64_t edo__missed;
    edo_missed edo__policy;
} edo_interval;

/* edo_interval_init - an interval whose first tick comes at once.
 * @period: nanoseconds between ticks, more than 0.
 * @policy: what becomes of missed ticks.
 * Returns 0, or -EINVAL (then every tick gives -EINVAL as well).
 *
 *     edo_interval iv;
 *     edo_interval_init(&iv, EDO_MS(100), EDO_MISSED_SKIP);
 *     while (edo_interval_tick(&iv) == 0)
 *         sample();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_interval_init(edo_interval *iv, int64_t period, edo_missed policy);

/* edo_interval_init_at - the same, and the first tick comes at an instant of edo_now().
 * @start: may be in the past: then ticks were missed already.
 * Returns 0 or -EINVAL.
 *
 *     edo_interval iv;
 *     edo_interval_init_at(&iv, edo_now() + EDO_SEC(1), EDO_MS(100), EDO_MISSED_BURST);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_interval_init_at(edo_interval *iv, int64_t start, int64_t period, edo_missed policy);

/* edo_interval_tick - waits for the next tick. With _BURST and _SKIP ticks stay on the schedule for
 * ever: lateness does not add up. With _DELAY they do while a tick is late by no more than 5 ms, or
 * half a period if that is less: so much is the timer's and not the caller's.
 * Returns 0; -ECANCELED: the tick is still to come; -EINVAL after a failed init.
 *
 *     rc = edo_interval_tick(&iv);
 *     if (rc == 0 && edo_interval_missed(&iv) > 0)
 *         printf("fell behind\n");
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, one at a time */
EDO_MUST_CHECK int edo_interval_tick(edo_interval *iv);

/* edo_interval_tick_nowait - takes the tick if it is due: 0, -EAGAIN, or -EINVAL as above. In a
 * select, wait with EDO_AFTER(edo_interval_next(&iv) - edo_now()) and take the tick with this.
 *
 *     if (edo_interval_tick_nowait(&iv) == 0)
 *         sample();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
EDO_MUST_CHECK int edo_interval_tick_nowait(edo_interval *iv);

/* edo_interval_last - the instant the last tick was scheduled for (not when it was taken); before
 * the first one, that of the first one.
 *
 *     int64_t late = edo_now() - edo_interval_last(&iv);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
int64_t edo_interval_last(const edo_interval *iv);

/* edo_interval_next - the instant the next tick is scheduled for.
 *
 *     int64_t left = edo_interval_next(&iv) - edo_now();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
int64_t edo_interval_next(const edo_interval *iv);

/* edo_interval_missed - how many ticks after the last one taken had come due as well by then: what
 * _BURST will make up for, and the others have dropped.
 *
 *     uint64_t missed = edo_interval_missed(&iv);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
uint64_t edo_interval_missed(const edo_interval *iv);

/* edo_interval_reset - the next tick comes a period from now, the schedule starts anew there.
 *
 *     edo_interval_reset(&iv);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
void edo_interval_reset(edo_interval *iv);

/* edo_interval_reset_at - the same with an instant for the next tick: edo_now() for at once.
 *
 *     edo_interval_reset_at(&iv, edo_now());
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
void edo_interval_reset_at(edo_interval *iv, int64_t instant);

/* edo_interval_reset_after - the same, so many nanoseconds from now.
 *
 *     edo_interval_reset_after(&iv, EDO_MS(10));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
void edo_interval_reset_after(edo_interval *iv, int64_t after);

/* edo_interval_set_period - another period from the next tick on; when that one comes stays as it
 * was. For a change at once reset the interval as well.
 * @period: nanoseconds, more than 0.
 * Returns 0 or -EINVAL (nothing changed).
 *
 *     edo_interval_set_period(&iv, EDO_SEC(1));
 *     edo_interval_reset(&iv);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
int edo_interval_set_period(edo_interval *iv, int64_t period);

/* edo_clock_pause - for tests: stops the runtime's clock. From then on it jumps to the next
 * deadline whenever all tasks wait and no blocking job runs; so hours pass in no time.
 * Returns 0, -EALREADY when paused, -EPERM outside of a task.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
int edo_clock_pause(void);

/* edo_clock_advance - for tests: moves the paused clock on by a duration, firing what comes due in
 * order of its deadline, and lets the tasks woken so run before it returns.
 * @duration: nanoseconds, >= 0.
 * Returns 0; -EINVAL when the clock is not paused or the duration is negative; -EPERM outside of a
 * task.
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_clock_advance(int64_t duration);

/* edo_clock_resume - for tests: lets the clock run again from where it stands.
 * Returns 0, -EALREADY when it runs, -EPERM outside of a task.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
int edo_clock_resume(void);

#ifdef __cplusplus
}
#endif
#endif
