/* SPDX-License-Identifier: MIT */
/* Sleeping on the real clock: never early, below a millisecond as well, many at once, deadlines. */
#include "core_test.h"

#include <time.h>

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int never_early(void *arg)
{
    (void)arg;
    static const int64_t durations[] = { 1,      100,     999,     10000,   50000,   333333,
                                         999999, 1000000, 1000001, 1500000, 2345678, 9999999 };
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
            int64_t before = monotonic();
            CHECK_INT(edo_sleep(durations[i]), ==, 0);
            CHECK_INT(monotonic() - before, >=, durations[i]);
        }
    }
    int64_t at = edo_now() + EDO_MS(2);
    CHECK_INT(edo_sleep_until(at), ==, 0);
    CHECK_INT(edo_now(), >=, at);
    CHECK_INT(edo_sleep_until(at), ==, 0); /* is past */
    CHECK_INT(edo_sleep(0), ==, 0);
    CHECK_INT(edo_sleep(-EDO_SEC(5)), ==, 0);
    CHECK_INT(edo_sleep_until(INT64_MIN), ==, 0);
    return 0;
}

TEST(a_sleep_is_never_early)
{
    EACH_WORKERS(w)
    run_on(w, never_early, NULL);
    never_early(NULL); /* on a thread */
}

/* Lateness is the machine's business and only reported. */
typedef struct sleeper {
    int64_t duration, late;
} sleeper;

static int sleep_once(void *arg)
{
    sleeper *s = arg;
    int64_t before = edo_now();
    CHECK_INT(edo_sleep(s->duration), ==, 0);
    s->late = edo_now() - before - s->duration;
    CHECK_INT(s->late, >=, 0);
    return 0;
}

static int many_sleepers(void *arg)
{
    (void)arg;
    enum { N = 2000 };
    sleeper *s = calloc(N, sizeof *s);
    uint64_t seed = test_seed();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < N; i++) {
        s[i].duration = (int64_t)(test_rand(&seed) % 30000000);
        CHECK_OK(edo_spawn(&g, sleep_once, &s[i]));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    int64_t worst = 0, sum = 0;
    for (int i = 0; i < N; i++) {
        sum += s[i].late;
        worst = s[i].late > worst ? s[i].late : worst;
    }
    printf("# %d sleeps up to 30 ms: late by %.3f ms in the mean, %.3f ms at worst\n", N,
           (double)sum / N / 1e6, (double)worst / 1e6);
    free(s);
    return 0;
}

TEST(many_sleepers_at_once)
{
    EACH_WORKERS(w)
    run_on(w, many_sleepers, NULL);
}

/* Sleeps of microseconds, one after another, take about that: the wheel's millisecond is not their
 * unit. */
static int short_sleeps(void *arg)
{
    (void)arg;
    int64_t before = edo_now();
    for (int i = 0; i < 200; i++)
        CHECK_INT(edo_sleep(EDO_US(100)), ==, 0);
    printf("# 200 sleeps of 0.1 ms took %.1f ms\n", (double)(edo_now() - before) / 1e6);
    return 0;
}

TEST(short_sleeps_one_after_another)
{
    EACH_WORKERS(w)
    run_on(w, short_sleeps, NULL);
}

static int forever(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 50; i++)
        CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    CHECK_INT(edo_sleep(EDO_MS(3)), ==, 0);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    edo_scope s;
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, edo_sleep_until(EDO_FOREVER)), ==, -ETIMEDOUT);
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, edo_sleep(INT64_MAX - 5)), ==, -ETIMEDOUT);
    return 0;
}

TEST(for_ever_ends_with_a_cancel)
{
    EACH_WORKERS(w)
    run_on(w, forever, NULL);
    int64_t before = monotonic(); /* a thread's edo_now() */
    CHECK_INT(edo_now(), >=, before - EDO_MS(1));
}

/* A sleeper is armed on one worker and its wait ended from others, all the time. */
typedef struct poke {
    edo_event event;
    unsigned over;
} poke;

static int poker(void *arg)
{
    poke *p = arg;
    while (!LOAD(&p->over)) {
        edo_event_set(&p->event);
        CHECK_INT(edo_sleep(EDO_US(50)), ==, 0);
    }
    return 0;
}

static int poked(void *arg)
{
    poke *p = arg;
    unsigned timeouts = 0, events = 0;
    for (unsigned i = 0, n = test_scale(3000); i < n; i++) {
        edo_scope s;
        edo_scope_open(&s, EDO_US(i % 120));
        int rc = edo_scope_close(&s, edo_event_wait(&p->event));
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        *(rc == 0 ? &events : &timeouts) += 1;
    }
    printf("# %u events, %u time-outs\n", events, timeouts);
    STORE(&p->over, 1);
    return 0;
}

static int race(void *arg)
{
    (void)arg;
    poke p = { 0 };
    edo_group g;
    edo_event_init(&p.event, EDO_EVENT_AUTO);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, poker, &p));
    CHECK_OK(edo_spawn(&g, poked, &p));
    CHECK_INT(edo_group_close(&g), ==, 0);
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.timers, ==, 0);
    return 0;
}

TEST_TIMEOUT(deadlines_against_wake_ups, 60)
{
    EACH_WORKERS(w)
    run_on(w, race, NULL);
}

TEST_MAIN()
