/* SPDX-License-Identifier: MIT */
/* Intervals on the paused clock: the three policies, resets, no drift, cancels. */
#include "core_test.h"

static int64_t start;

/* The tick comes at `at`, was scheduled for `last`, and so many were missed. All in ms. */
static void expect_tick(edo_interval *iv, int64_t at, int64_t last, uint64_t missed)
{
    CHECK_INT(edo_interval_tick(iv), ==, 0);
    CHECK_INT(edo_now() - start, ==, EDO_MS(at));
    CHECK_INT(edo_interval_last(iv) - start, ==, EDO_MS(last));
    CHECK_UINT(edo_interval_missed(iv), ==, missed);
}

static void stay_away_until(int64_t at)
{
    CHECK_INT(edo_sleep_until(start + EDO_MS(at)), ==, 0);
}

static void begin(edo_interval *iv, edo_missed policy)
{
    start = edo_now();
    CHECK_INT(edo_interval_init(iv, EDO_MS(100), policy), ==, 0);
    expect_tick(iv, 0, 0, 0);
    expect_tick(iv, 100, 100, 0);
    expect_tick(iv, 200, 200, 0);
}

static int burst(void *arg)
{
    (void)arg;
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    begin(&iv, EDO_MISSED_BURST);
    stay_away_until(650);
    expect_tick(&iv, 650, 300, 3);
    expect_tick(&iv, 650, 400, 2);
    expect_tick(&iv, 650, 500, 1);
    expect_tick(&iv, 650, 600, 0);
    expect_tick(&iv, 700, 700, 0);
    expect_tick(&iv, 800, 800, 0);
    return 0;
}

TEST(burst_makes_up_for_missed_ticks)
{
    EACH_WORKERS(w)
    run_on(w, burst, NULL);
}

static int skip(void *arg)
{
    (void)arg;
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    begin(&iv, EDO_MISSED_SKIP);
    stay_away_until(650);
    expect_tick(&iv, 650, 300, 3);
    expect_tick(&iv, 700, 700, 0);
    stay_away_until(850);
    expect_tick(&iv, 850, 800, 0);
    expect_tick(&iv, 900, 900, 0);
    stay_away_until(1000); /* on the dot is not missed */
    expect_tick(&iv, 1000, 1000, 0);
    stay_away_until(1200);
    expect_tick(&iv, 1200, 1100, 1); /* the one of this very instant is dropped as well */
    expect_tick(&iv, 1300, 1300, 0);
    return 0;
}

TEST(skip_keeps_the_schedule)
{
    EACH_WORKERS(w)
    run_on(w, skip, NULL);
}

static int delay(void *arg)
{
    (void)arg;
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    begin(&iv, EDO_MISSED_DELAY);
    stay_away_until(650);
    expect_tick(&iv, 650, 300, 3);
    expect_tick(&iv, 750, 750, 0);
    stay_away_until(860); /* late by more than a timer would be */
    expect_tick(&iv, 860, 850, 0);
    expect_tick(&iv, 960, 960, 0);
    stay_away_until(1065); /* late by no more than that */
    expect_tick(&iv, 1065, 1060, 0);
    expect_tick(&iv, 1160, 1160, 0);
    CHECK_OK(edo_interval_init(&iv, EDO_MS(4), EDO_MISSED_DELAY));
    start = edo_now();
    expect_tick(&iv, 0, 0, 0);
    stay_away_until(6);
    expect_tick(&iv, 6, 4, 0); /* half a period */
    expect_tick(&iv, 8, 8, 0);
    stay_away_until(15);
    expect_tick(&iv, 15, 12, 0);
    expect_tick(&iv, 19, 19, 0);
    return 0;
}

TEST(delay_moves_the_schedule)
{
    EACH_WORKERS(w)
    run_on(w, delay, NULL);
}

/* Thousands of odd periods, the body taking random time: ticks stay multiples of the period. */
static int no_drift(void *arg)
{
    edo_missed policy = *(edo_missed *)arg;
    const int64_t period = 3333337;
    uint64_t seed = test_seed();
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    int64_t first = edo_now() + EDO_SEC(1);
    CHECK_OK(edo_interval_init_at(&iv, first, period, policy));
    int64_t ticks = 0, missed = 0;
    for (int i = 0; i < 3000; i++) {
        CHECK_INT(edo_interval_tick(&iv), ==, 0);
        int64_t since = edo_interval_last(&iv) - first;
        CHECK_INT(since % period, ==, 0);
        CHECK_INT(since / period, ==, ticks + missed);
        CHECK_INT(edo_now(), >=, edo_interval_last(&iv));
        ticks++;
        if (policy == EDO_MISSED_SKIP)
            missed += (int64_t)edo_interval_missed(&iv);
        if (test_rand(&seed) % 8 == 0)
            CHECK_INT(edo_sleep((int64_t)(test_rand(&seed) % 20000000)), ==, 0);
    }
    return 0;
}

TEST(no_drift_with_burst_and_skip)
{
    edo_missed policies[] = { EDO_MISSED_BURST, EDO_MISSED_SKIP };
    for (int i = 0; i < 2; i++)
        EACH_WORKERS(w)
    run_on(w, no_drift, &policies[i]);
}

static int resets(void *arg)
{
    (void)arg;
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    begin(&iv, EDO_MISSED_BURST);
    stay_away_until(250);
    edo_interval_reset(&iv);
    expect_tick(&iv, 350, 350, 0);
    edo_interval_reset_at(&iv, edo_now());
    expect_tick(&iv, 350, 350, 0);
    expect_tick(&iv, 450, 450, 0);
    edo_interval_reset_after(&iv, EDO_MS(7));
    CHECK_INT(edo_interval_next(&iv) - start, ==, EDO_MS(457));
    expect_tick(&iv, 457, 457, 0);
    CHECK_INT(edo_interval_set_period(&iv, 0), ==, -EINVAL);
    CHECK_INT(edo_interval_set_period(&iv, -1), ==, -EINVAL);
    CHECK_INT(edo_interval_set_period(&iv, EDO_MS(10)), ==, 0);
    expect_tick(&iv, 557, 557, 0); /* was scheduled already */
    expect_tick(&iv, 567, 567, 0);
    CHECK_INT(edo_interval_tick_nowait(&iv), ==, -EAGAIN);
    CHECK_OK(edo_clock_advance(EDO_MS(10)));
    CHECK_INT(edo_interval_tick_nowait(&iv), ==, 0);
    CHECK_INT(edo_interval_last(&iv) - start, ==, EDO_MS(577));
    CHECK_INT(edo_interval_tick_nowait(&iv), ==, -EAGAIN);
    return 0;
}

TEST(reset_and_another_period)
{
    EACH_WORKERS(w)
    run_on(w, resets, NULL);
}

static int cancelled(void *arg)
{
    (void)arg;
    edo_interval iv;
    edo_scope s;
    CHECK_OK(edo_clock_pause());
    begin(&iv, EDO_MISSED_SKIP);
    edo_scope_open(&s, EDO_MS(40));
    CHECK_INT(edo_scope_close(&s, edo_interval_tick(&iv)), ==, -ETIMEDOUT);
    CHECK_INT(edo_interval_next(&iv) - start, ==, EDO_MS(300));
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_interval_tick(&iv), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);
    expect_tick(&iv, 300, 300, 0);
    return 0;
}

TEST(a_cancelled_tick_is_still_to_come)
{
    EACH_WORKERS(w)
    run_on(w, cancelled, NULL);
}

static int ends_of_time(void *arg)
{
    (void)arg;
    edo_interval iv;
    CHECK_OK(edo_clock_pause());
    CHECK_INT(edo_interval_init(&iv, 0, EDO_MISSED_SKIP), ==, -EINVAL);
    CHECK_INT(edo_interval_tick(&iv), ==, -EINVAL);
    CHECK_INT(edo_interval_tick_nowait(&iv), ==, -EINVAL);
    CHECK_INT(edo_interval_init(&iv, EDO_SEC(1), (edo_missed)7), ==, -EINVAL);
    CHECK_INT(edo_interval_init_at(&iv, INT64_MIN, 1, EDO_MISSED_SKIP), ==, 0);
    CHECK_INT(edo_interval_tick(&iv), ==, 0);
    CHECK_INT(edo_interval_next(&iv), ==, edo_now() + 1);
    CHECK_INT(edo_interval_init(&iv, EDO_FOREVER, EDO_MISSED_BURST), ==, 0);
    CHECK_INT(edo_interval_tick(&iv), ==, 0);
    CHECK_INT(edo_interval_next(&iv), ==, EDO_FOREVER);
    edo_scope s;
    edo_scope_open(&s, EDO_SEC(1000000));
    CHECK_INT(edo_scope_close(&s, edo_interval_tick(&iv)), ==, -ETIMEDOUT);
    return 0;
}

TEST(odd_arguments)
{
    run_on(1, ends_of_time, NULL);
}

/* The real clock, on a task and on a plain thread: never early. */
static int real(void *arg)
{
    (void)arg;
    edo_interval iv;
    int64_t first = edo_now() + EDO_MS(1);
    CHECK_OK(edo_interval_init_at(&iv, first, EDO_US(1500), EDO_MISSED_BURST));
    for (int i = 0; i < 10; i++) {
        CHECK_INT(edo_interval_tick(&iv), ==, 0);
        CHECK_INT(edo_interval_last(&iv), ==, first + i * EDO_US(1500));
        CHECK_INT(edo_now(), >=, edo_interval_last(&iv));
    }
    return 0;
}

TEST(on_the_real_clock)
{
    EACH_WORKERS(w)
    run_on(w, real, NULL);
    real(NULL);
}

TEST_MAIN()
