/* SPDX-License-Identifier: MIT */
/* Deadlines as instants, asked for, moved; running under a token; on the paused clock. */
#include "core_test.h"

#include <time.h>

static int instants(void *arg)
{
    (void)arg;
    edo_scope s, inner, shield;
    CHECK_OK(edo_clock_pause());
    int64_t start = edo_now();
    CHECK_INT(edo_deadline(), ==, EDO_FOREVER);
    CHECK_INT(edo_time_left(), ==, EDO_FOREVER);
    edo_scope_open_at(&s, start + EDO_SEC(5));
    CHECK_INT(edo_deadline(), ==, start + EDO_SEC(5));
    CHECK_INT(edo_time_left(), ==, EDO_SEC(5));
    CHECK_OK(edo_sleep(EDO_SEC(2)));
    CHECK_INT(edo_time_left(), ==, EDO_SEC(3));
    edo_scope_open(&inner, EDO_SEC(60)); /* the earliest counts */
    CHECK_INT(edo_time_left(), ==, EDO_SEC(3));
    edo_shield_open(&shield, EDO_SEC(10));
    CHECK_INT(edo_time_left(), ==, EDO_SEC(10));
    CHECK_INT(edo_scope_close(&shield, 0), ==, 0);
    int rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(edo_time_left(), ==, 0);
    CHECK_INT(edo_scope_close(&inner, rc), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
    CHECK_INT(edo_now() - start, ==, EDO_SEC(5));
    edo_scope_open_at(&s, INT64_MIN);
    CHECK_INT(edo_time_left(), ==, 0);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    edo_scope_open_at(&s, EDO_FOREVER);
    CHECK_INT(edo_time_left(), ==, EDO_FOREVER);
    CHECK_INT(edo_scope_close(&s, 0), ==, 0);
    return 0;
}

TEST(deadlines_as_instants)
{
    EACH_WORKERS(w)
    run_on(w, instants, NULL);
}

/* However far ahead it was when the clock was last looked at. */
static int far_ones(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_scope_open(&s, EDO_MS(600));
    int rc = edo_checkpoint();
    struct timespec ts; /* not by edo_now(): that is a look at the clock */
    clock_gettime(CLOCK_MONOTONIC, &ts);
    CHECK(rc == 0 || EDO_SEC(ts.tv_sec) + ts.tv_nsec >= edo_deadline());
    while (EDO_SEC(ts.tv_sec) + ts.tv_nsec < edo_deadline())
        clock_gettime(CLOCK_MONOTONIC, &ts);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        edo_scope_open(&s, EDO_SEC(1800));
        CHECK_INT(edo_checkpoint(), ==, 0);
        CHECK_OK(edo_clock_pause());
        CHECK_INT(edo_checkpoint(), ==, 0);
        CHECK_OK(edo_clock_advance(EDO_SEC(3600)));
        if (i == 1)
            CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
        CHECK_OK(edo_clock_resume());
        CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
        CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    }
    return 0;
}

TEST(far_deadlines_pass_too)
{
    EACH_WORKERS(w)
    run_on(w, far_ones, NULL);
}

static int sleep_ms(void *arg)
{
    return edo_sleep(EDO_MS(*(int64_t *)arg));
}

static int runs(void *arg)
{
    (void)arg;
    int64_t ten = 10;
    CHECK_INT(edo_with_deadline(edo_now() + EDO_SEC(100), sleep_ms, &ten), ==, 0);
    CHECK_INT(edo_with_deadline(edo_now() + EDO_MS(1), sleep_ms, &ten), ==, -ETIMEDOUT);
    CHECK_INT(edo_with_deadline(edo_now() - 1, sleep_ms, &ten), ==, -ETIMEDOUT);
    CHECK_INT(edo_with_deadline(EDO_FOREVER, sleep_ms, &ten), ==, 0);
    edo_token *t;
    edo_scope s;
    CHECK_OK(edo_token_create(&t));
    CHECK_INT(edo_token_run(t, sleep_ms, &ten), ==, 0);
    edo_scope_open(&s, EDO_MS(1)); /* the deadline around it, not the token */
    CHECK_INT(edo_scope_close(&s, edo_token_run(t, sleep_ms, &ten)), ==, -ETIMEDOUT);
    edo_token_cancel(t);
    CHECK_INT(edo_token_run(t, sleep_ms, &ten), ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, 0);
    edo_token_release(t);
    return 0;
}

TEST(running_with_a_deadline_or_a_token)
{
    EACH_WORKERS(w)
    run_on(w, runs, NULL);
    runs(NULL);
}

static int sleep_for_ever(void *arg)
{
    ADD((unsigned *)arg, 1);
    return edo_sleep(EDO_FOREVER);
}

typedef struct token_run {
    edo_token *t;
    unsigned in;
} token_run;

static int run_under_token(void *arg)
{
    token_run *r = arg;
    CHECK_INT(edo_token_run(r->t, sleep_for_ever, &r->in), ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, 0);
    return 0;
}

static int token_cancels(void *arg)
{
    (void)arg;
    token_run r = { NULL, 0 };
    edo_group g;
    CHECK_OK(edo_token_create(&r.t));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, run_under_token, &r));
    until(&r.in, 5);
    edo_token_cancel(r.t);
    CHECK_INT(edo_group_close(&g), ==, 0);
    edo_token_release(r.t);
    return 0;
}

TEST(a_token_cancels_what_runs_under_it)
{
    EACH_WORKERS(w)
    run_on(w, token_cancels, NULL);
}

/* ---- moved ---- */

static int moved(void *arg)
{
    (void)arg;
    edo_scope outer, s;
    CHECK_OK(edo_clock_pause());
    int64_t start = edo_now();
    edo_scope_open(&outer, EDO_SEC(100));
    edo_scope_open(&s, EDO_SEC(1));
    for (int i = 0; i < 10; i++) { /* what is used is not idle */
        CHECK_OK(edo_sleep(EDO_MS(900)));
        edo_scope_set_deadline(&s, edo_now() + EDO_SEC(1));
    }
    int rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(edo_now() - start, ==, EDO_SEC(10));
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    edo_scope_set_deadline(&s, edo_now() + EDO_SEC(1)); /* has passed, and has not any more */
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_OK(edo_sleep(EDO_MS(500)));
    edo_scope_set_deadline(&s, EDO_FOREVER);
    CHECK_INT(edo_deadline(), ==, start + EDO_SEC(100)); /* the outer one stays */
    rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(edo_now() - start, ==, EDO_SEC(100));
    edo_scope_set_deadline(&s, edo_now() + EDO_SEC(1)); /* does not help against that */
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&outer, rc), ==, -ETIMEDOUT);

    edo_scope_open(&outer, 0);
    edo_shield_open(&s, EDO_SEC(1)); /* a shield's own counts alone */
    edo_scope_set_deadline(&s, edo_now() + EDO_SEC(7));
    CHECK_INT(edo_time_left(), ==, EDO_SEC(7));
    CHECK_OK(edo_sleep(EDO_SEC(6)));
    edo_scope_set_deadline(&s, edo_now()); /* earlier as well */
    CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_SEC(1))), ==, -ETIMEDOUT);
    CHECK_INT(edo_scope_close(&outer, 0), ==, 0);
    return 0;
}

TEST(a_deadline_is_moved)
{
    EACH_WORKERS(w)
    run_on(w, moved, NULL);
}

TEST(threads_have_deadlines)
{
    edo_scope s;
    CHECK_INT(edo_deadline(), ==, EDO_FOREVER);
    edo_scope_open(&s, EDO_SEC(100));
    CHECK_INT(edo_time_left(), <=, EDO_SEC(100));
    CHECK_INT(edo_time_left(), >, EDO_SEC(50));
    edo_scope_set_deadline(&s, edo_now() + EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_FOREVER)), ==, -ETIMEDOUT);
}

TEST_MAIN()
