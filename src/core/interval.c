/* SPDX-License-Identifier: MIT */
/* Intervals: a schedule of instants, and what to do when its owner has fallen behind. The schedule
 * is advanced only when a tick is taken, so a cancelled wait changes nothing. */
#include "base/assert.h"

#include <edo/time.h>

#define LATE_BY_TIMER EDO_MS(5)

/* Later than the last instant is never. */
static int64_t add(int64_t instant, int64_t duration)
{
    int64_t sum;
    if (__builtin_add_overflow(instant, duration, &sum))
        return duration > 0 ? EDO_FOREVER : INT64_MIN;
    return sum;
}

int edo_interval_init_at(edo_interval *iv, int64_t start, int64_t period, edo_missed policy)
{
    bool bad = period <= 0 || (unsigned)policy > EDO_MISSED_SKIP;
    *iv = (edo_interval){ .edo__period = bad ? 0 : period,
                          .edo__next = start,
                          .edo__last = start,
                          .edo__policy = policy };
    return bad ? -EINVAL : 0;
}

int edo_interval_init(edo_interval *iv, int64_t period, edo_missed policy)
{
    return edo_interval_init_at(iv, edo_now(), period, policy);
}

static bool is_late(const edo_interval *iv, uint64_t late)
{
    int64_t half = iv->edo__period / 2;
    return late > (uint64_t)(half < LATE_BY_TIMER ? half : LATE_BY_TIMER);
}

/* Takes the tick that is due. */
static void take(edo_interval *iv, int64_t now)
{
    int64_t period = iv->edo__period;
    /* unsigned: a start in the far past is further away than an int64_t tells */
    uint64_t late = (uint64_t)now - (uint64_t)iv->edo__next;
    iv->edo__last = iv->edo__next;
    iv->edo__missed = late / (uint64_t)period;
    switch (iv->edo__policy) {
    case EDO_MISSED_SKIP:
        iv->edo__next = add(now, period - (int64_t)(late % (uint64_t)period));
        break;
    case EDO_MISSED_DELAY:
        iv->edo__next = add(is_late(iv, late) ? now : iv->edo__last, period);
        break;
    case EDO_MISSED_BURST: iv->edo__next = add(iv->edo__last, period); break;
    }
}

int edo_interval_tick(edo_interval *iv)
{
    if (edo__unlikely(iv->edo__period <= 0))
        return -EINVAL;
    int rc = edo_sleep_until(iv->edo__next);
    if (rc == 0)
        take(iv, edo_now());
    return rc;
}

int edo_interval_tick_nowait(edo_interval *iv)
{
    if (edo__unlikely(iv->edo__period <= 0))
        return -EINVAL;
    int64_t now = edo_now();
    if (now < iv->edo__next)
        return -EAGAIN;
    take(iv, now);
    return 0;
}

int64_t edo_interval_last(const edo_interval *iv)
{
    return iv->edo__last;
}

int64_t edo_interval_next(const edo_interval *iv)
{
    return iv->edo__next;
}

uint64_t edo_interval_missed(const edo_interval *iv)
{
    return iv->edo__missed;
}

void edo_interval_reset(edo_interval *iv)
{
    edo_interval_reset_after(iv, iv->edo__period);
}

void edo_interval_reset_after(edo_interval *iv, int64_t after)
{
    edo_interval_reset_at(iv, add(edo_now(), after));
}

void edo_interval_reset_at(edo_interval *iv, int64_t instant)
{
    iv->edo__next = instant;
}

int edo_interval_set_period(edo_interval *iv, int64_t period)
{
    if (period <= 0)
        return -EINVAL;
    iv->edo__period = period;
    return 0;
}
