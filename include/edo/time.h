/* SPDX-License-Identifier: MIT */
/* Edo: clock and sleep. */
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
