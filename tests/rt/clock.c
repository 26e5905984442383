/* SPDX-License-Identifier: MIT */
/* The virtual clock: pause, advance, resume, and the jump to the next deadline when all tasks
 * wait. */
#include "core_test.h"

#include <time.h>

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int hours(void *arg)
{
    (void)arg;
    CHECK_INT(edo_clock_pause(), ==, 0);
    CHECK_INT(edo_clock_pause(), ==, -EALREADY);
    int64_t start = edo_now();
    CHECK_INT(edo_now(), ==, start);
    for (int i = 0; i < 50; i++)
        CHECK_INT(edo_sleep(EDO_SEC(3600)), ==, 0);
    CHECK_INT(edo_now() - start, ==, 50 * EDO_SEC(3600));
    edo_scope s;
    edo_scope_open(&s, EDO_SEC(86400));
    CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_FOREVER)), ==, -ETIMEDOUT);
    CHECK_INT(edo_now() - start, ==, 50 * EDO_SEC(3600) + EDO_SEC(86400));
    CHECK_INT(edo_sleep(EDO_US(7)), ==, 0); /* to the nanosecond */
    CHECK_INT(edo_now() - start, ==, 50 * EDO_SEC(3600) + EDO_SEC(86400) + EDO_US(7));
    return 0;
}

TEST(hours_pass_in_no_time)
{
    EACH_WORKERS(w)
    run_on(w, hours, NULL);
}

/* ---- order ---- */

typedef struct recorder {
    unsigned next;
    int64_t at[64];
} recorder;

typedef struct alarm_clock {
    recorder *r;
    int64_t at;
} alarm_clock;

static int ring(void *arg)
{
    alarm_clock *a = arg;
    CHECK_INT(edo_sleep_until(a->at), ==, 0);
    CHECK_INT(edo_now(), >=, a->at); /* woken in that millisecond, before time goes on */
    CHECK_INT(edo_now() - a->at, <, EDO_MS(1));
    a->r->at[ADD(&a->r->next, 1) - 1] = a->at;
    return 0;
}

static int in_order(void *arg)
{
    (void)arg;
    enum { N = 64 };
    recorder r = { 0 };
    alarm_clock a[N];
    uint64_t seed = test_seed();
    edo_group g;
    CHECK_OK(edo_clock_pause());
    int64_t start = edo_now();
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < N; i++) {
        int64_t unit = (int64_t[]){ 1, 1000, 1000000, 3600000000000 }[i % 4];
        a[i] = (alarm_clock){ &r, start + 1 + (int64_t)(test_rand(&seed) % 1000) * unit };
        CHECK_OK(edo_spawn(&g, ring, &a[i]));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(r.next, ==, N);
    for (int i = 1; i < N; i++)
        CHECK_INT(r.at[i - 1], <, r.at[i] + EDO_MS(1)); /* those of one tick come together */
    return 0;
}

TEST(deadlines_fire_in_order)
{
    for (int i = 0; i < 10; i++)
        EACH_WORKERS(w)
    run_on(w, in_order, NULL);
}

/* ---- advance ---- */

typedef struct stages {
    unsigned passed;
} stages;

static int staged(void *arg)
{
    stages *s = arg;
    for (int i = 0; i < 10; i++) {
        CHECK_INT(edo_sleep(EDO_SEC(10)), ==, 0);
        ADD(&s->passed, 1);
    }
    return 0;
}

static int advancing(void *arg)
{
    (void)arg;
    stages s = { 0 };
    edo_group g;
    CHECK_INT(edo_clock_advance(1), ==, -EINVAL);
    CHECK_INT(edo_clock_resume(), ==, -EALREADY);
    CHECK_INT(edo_clock_pause(), ==, 0);
    CHECK_INT(edo_clock_advance(-1), ==, -EINVAL);
    int64_t start = edo_now();
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, staged, &s));
    CHECK_INT(edo_clock_advance(EDO_SEC(10) - 1), ==, 0);
    CHECK_UINT(LOAD(&s.passed), ==, 0);
    CHECK_INT(edo_clock_advance(1), ==, 0);
    CHECK_UINT(LOAD(&s.passed), ==, 1);
    CHECK_INT(edo_clock_advance(EDO_SEC(45)), ==, 0); /* re-arms on the way */
    CHECK_UINT(LOAD(&s.passed), ==, 5);
    CHECK_INT(edo_now() - start, ==, EDO_SEC(55));
    CHECK_INT(edo_clock_advance(0), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, 0); /* waiting for it lets the clock jump */
    CHECK_UINT(s.passed, ==, 10);
    CHECK_INT(edo_now() - start, ==, EDO_SEC(100));
    CHECK_INT(edo_clock_advance(INT64_MAX), ==, 0);
    return 0;
}

TEST(advance_steps_through_the_deadlines)
{
    for (int i = 0; i < 10; i++)
        EACH_WORKERS(w)
    run_on(w, advancing, NULL);
    CHECK_INT(edo_clock_pause(), ==, -EPERM);
    CHECK_INT(edo_clock_resume(), ==, -EPERM);
    CHECK_INT(edo_clock_advance(1), ==, -EPERM);
}

/* ---- resume ---- */

static int resumed(void *arg)
{
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_INT(edo_sleep(EDO_SEC(1000)), ==, 0);
    int64_t stood = edo_now();
    CHECK_OK(edo_clock_resume());
    int64_t real = monotonic();
    CHECK_INT(edo_sleep(EDO_MS(3)), ==, 0);
    CHECK_INT(edo_now() - stood, >=, EDO_MS(3));
    CHECK_INT(edo_now() - stood, <, EDO_SEC(100));
    CHECK_INT(monotonic() - real, >=, EDO_MS(3));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(edo_clock_pause());
        CHECK_INT(edo_sleep(EDO_SEC(1)), ==, 0);
        CHECK_OK(edo_clock_resume());
        CHECK_INT(edo_sleep(EDO_US(100)), ==, 0);
    }
    return 0;
}

static int sleepy(void *arg)
{
    int64_t before = edo_now();
    CHECK_INT(edo_sleep(EDO_MS(30)), ==, 0);
    CHECK_INT(edo_now() - before, >=, EDO_MS(30));
    ADD((unsigned *)arg, 1);
    return 0;
}

/* Tasks that sleep on the real clock when it is paused, and on the paused one when it is
 * resumed. */
static int pause_under_sleepers(void *arg)
{
    (void)arg;
    unsigned done = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&g, sleepy, &done));
    CHECK_OK(edo_yield());
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_clock_advance(EDO_MS(10)));
    CHECK_OK(edo_clock_resume());
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(done, ==, 8);
    return 0;
}

TEST(resume)
{
    EACH_WORKERS(w)
    {
        run_on(w, resumed, NULL);
        run_on(w, pause_under_sleepers, NULL);
    }
}

/* ---- a blocking job holds the clock ---- */

static unsigned job_goes_on; /* atomic */

static int job(void *arg)
{
    (void)arg;
    while (!LOAD(&job_goes_on))
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    return 0;
}

static int blocker(void *arg)
{
    int64_t before = edo_now();
    CHECK_INT(edo_blocking(job, NULL), ==, 0);
    *(int64_t *)arg = edo_now() - before;
    return 0;
}

static void *release_job(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    STORE(&job_goes_on, 1);
    return NULL;
}

static int jobs_hold(void *arg)
{
    (void)arg;
    int64_t took = -1;
    pthread_t thread;
    edo_group g;
    job_goes_on = 0;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, blocker, &took));
    for (int i = 0; i < 50; i++) /* the job has been handed over */
        CHECK_OK(edo_yield());
    edo_metrics m;
    do
        CHECK_OK(edo_metrics_read(NULL, &m));
    while (m.blocking_threads == m.blocking_idle);
    thread_start(&thread, release_job, NULL);
    CHECK_INT(edo_sleep(EDO_SEC(3600)), ==, 0);
    CHECK_UINT(LOAD(&job_goes_on), ==, 1); /* no jump before its end */
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(took, ==, 0);
    thread_join(thread);
    return 0;
}

TEST(a_blocking_job_holds_the_clock)
{
    EACH_WORKERS(w)
    run_on(w, jobs_hold, NULL);
}

TEST_MAIN()
