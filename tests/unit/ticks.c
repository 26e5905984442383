/* SPDX-License-Identifier: MIT */
/* The clock for deadlines, carried on by the processor's counter. */
#include "test.h"

#include "arch/ticks.h"

#include <time.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)

static int64_t clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* Asked between two looks at the clock it is between what they said, give or take what it may be
 * wrong by; before its rate is known, when that is known, and when it was not asked for a while. */
TEST(agrees_with_the_clock)
{
    edo__ticks t = { 0 };
    edo__ticks_init();
    for (int64_t end = clock_now() + 60 * MS; clock_now() < end;) {
        for (int i = 0; i < 1000; i++) {
            int64_t before = clock_now();
            int64_t now = edo__ticks_now(&t);
            int64_t after = clock_now();
            CHECK_INT(now, >=, before - 1 * US);
            CHECK_INT(now, <=, after + 1 * US);
        }
        nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
    }
}

/* A rate that is wrong misleads for one span, not longer. */
TEST(does_not_drift)
{
    edo__ticks t = { 0 };
    edo__ticks_init();
    for (int64_t end = clock_now() + 30 * MS; clock_now() < end;)
        (void)edo__ticks_now(&t);
    for (int64_t end = clock_now() + 5 * MS; clock_now() < end;) {
        uint64_t rate = t.rate;
        t.rate *= 2;
        int64_t before = clock_now();
        int64_t now = edo__ticks_now(&t);
        int64_t after = clock_now();
        CHECK_INT(now, >=, before - 1 * US);
        CHECK_INT(now, <=, after + 21 * US);
        if (t.rate == 2 * rate)
            t.rate = rate;
    }
}

TEST_MAIN()
