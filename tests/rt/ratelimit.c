/* SPDX-License-Identifier: MIT */
/* The token bucket: exact on the paused clock, fair, cancellable, from threads, and never more than
 * its rate in a storm. */
#include "core_test.h"

static int64_t since(int64_t start)
{
    return edo_now() - start;
}

static int rates(void *arg)
{
    (void)arg;
    edo_ratelimit r;
    CHECK_OK(edo_clock_pause());
    CHECK_INT(edo_ratelimit_init(&r, 10, EDO_SEC(1), 5), ==, 0);
    int64_t start = edo_now();
    CHECK_UINT(edo_ratelimit_available(&r), ==, 5);
    for (int i = 0; i < 5; i++)
        CHECK_INT(edo_ratelimit_acquire(&r, 1), ==, 0);
    CHECK_INT(since(start), ==, 0);
    CHECK_INT(edo_ratelimit_acquire_nowait(&r, 1), ==, -EAGAIN);
    CHECK_INT(edo_ratelimit_ready(&r, 1) - start, ==, EDO_MS(100));
    CHECK_INT(edo_ratelimit_ready(&r, 5) - start, ==, EDO_MS(500));
    CHECK_INT(edo_ratelimit_acquire(&r, 1), ==, 0);
    CHECK_INT(since(start), ==, EDO_MS(100));
    CHECK_INT(edo_ratelimit_acquire(&r, 3), ==, 0);
    CHECK_INT(since(start), ==, EDO_MS(400));
    CHECK_INT(edo_sleep(EDO_MS(150)), ==, 0);
    CHECK_INT(edo_ratelimit_acquire_nowait(&r, 1), ==, 0);
    CHECK_INT(edo_ratelimit_acquire(&r, 1), ==, 0); /* the half token was not lost */
    CHECK_INT(since(start), ==, EDO_MS(600));
    CHECK_INT(edo_sleep(EDO_SEC(100)), ==, 0);
    CHECK_UINT(edo_ratelimit_available(&r), ==, 5);
    CHECK_INT(edo_ratelimit_ready(&r, 5), ==, edo_now());
    CHECK_INT(edo_ratelimit_acquire(&r, 6), ==, -EINVAL);
    CHECK_INT(edo_ratelimit_acquire_nowait(&r, 6), ==, -EINVAL);
    CHECK_INT(edo_ratelimit_ready(&r, 6), ==, EDO_FOREVER);
    CHECK_INT(edo_ratelimit_acquire(&r, 0), ==, 0);
    CHECK_INT(edo_ratelimit_acquire(&r, 5), ==, 0);
    CHECK_INT(since(start), ==, EDO_MS(600) + EDO_SEC(100));
    return 0;
}

TEST(tokens_come_at_the_rate)
{
    EACH_WORKERS(w)
    run_on(w, rates, NULL);
}

/* A rate that divides nothing: after n tokens exactly ceil(n x per / rate) have passed. */
static int no_drift(void *arg)
{
    (void)arg;
    const uint64_t rate = 7;
    const int64_t per = 1000003;
    uint64_t seed = test_seed(), taken = 0;
    edo_ratelimit r;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&r, rate, per, 10));
    CHECK_INT(edo_ratelimit_acquire(&r, 10), ==, 0);
    int64_t start = edo_now();
    for (int i = 0; i < 3000; i++) {
        uint64_t n = 1 + test_rand(&seed) % 10;
        CHECK_INT(edo_ratelimit_acquire(&r, n), ==, 0);
        taken += n;
        CHECK_INT(since(start), ==, (int64_t)((taken * (uint64_t)per + rate - 1) / rate));
        if (i % 3 == 0) {
            (void)edo_ratelimit_available(&r); /* looking loses nothing */
            CHECK_INT(edo_sleep(1 + (int64_t)(test_rand(&seed) % 1000)), ==, 0);
            CHECK_INT(edo_ratelimit_ready(&r, 0), ==, edo_now());
        }
    }
    return 0;
}

TEST(parts_of_tokens_are_not_lost)
{
    run_on(1, no_drift, NULL);
}

static int extremes(void *arg)
{
    (void)arg;
    edo_ratelimit r;
    CHECK_INT(edo_ratelimit_init(&r, 1, 0, 1), ==, -EINVAL);
    CHECK_INT(edo_ratelimit_init(&r, 1, -1, 1), ==, -EINVAL);
    CHECK_INT(edo_ratelimit_init(&r, 1, 1, 0), ==, -EINVAL);
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&r, UINT64_MAX, 1, UINT64_MAX));
    CHECK_INT(edo_ratelimit_acquire(&r, UINT64_MAX), ==, 0);
    CHECK_INT(edo_ratelimit_ready(&r, UINT64_MAX), ==, edo_now() + 1);
    CHECK_INT(edo_ratelimit_acquire(&r, UINT64_MAX), ==, 0);
    CHECK_OK(edo_ratelimit_init(&r, 1, EDO_FOREVER, UINT64_MAX));
    CHECK_INT(edo_ratelimit_acquire(&r, UINT64_MAX), ==, 0);
    CHECK_INT(edo_ratelimit_ready(&r, UINT64_MAX), ==, EDO_FOREVER);
    CHECK_INT(edo_sleep(EDO_SEC(1)), ==, 0);
    CHECK_UINT(edo_ratelimit_available(&r), ==, 0);
    static edo_ratelimit fixed = EDO_RATELIMIT_INIT(2, EDO_SEC(1), 3);
    CHECK_UINT(edo_ratelimit_available(&fixed), ==, 3);
    CHECK_INT(edo_ratelimit_acquire(&fixed, 3), ==, 0);
    int64_t start = edo_now();
    CHECK_INT(edo_ratelimit_acquire(&fixed, 1), ==, 0);
    CHECK_INT(since(start), ==, EDO_MS(500));
    return 0;
}

TEST(extreme_numbers)
{
    run_on(1, extremes, NULL);
}

/* ---- first come, first served ---- */

typedef struct line {
    edo_ratelimit r;
    int64_t start;
    unsigned order, in;
} line;

typedef struct customer {
    line *line;
    uint64_t n;
    unsigned number;
    int64_t at; /* ms; when it is served */
    int code;
    int64_t deadline;
} customer;

static int buy(void *arg)
{
    customer *c = arg;
    edo_scope s;
    edo_scope_open(&s, c->deadline);
    ADD(&c->line->in, 1);
    int rc = edo_scope_close(&s, edo_ratelimit_acquire(&c->line->r, c->n));
    CHECK_INT(rc, ==, c->code);
    CHECK_INT(since(c->line->start), ==, EDO_MS(c->at));
    if (rc == 0)
        CHECK_UINT(ADD(&c->line->order, 1) - 1, ==, c->number);
    return 0;
}

static int fifo(void *arg)
{
    (void)arg;
    line l = { 0 };
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&l.r, 1, EDO_MS(1), 100));
    CHECK_INT(edo_ratelimit_acquire(&l.r, 100), ==, 0);
    l.start = edo_now();
    customer c[] = {
        { &l, 50, 0, 50, 0, EDO_FOREVER },
        { &l, 1, 1, 51, 0, EDO_FOREVER },
        { &l, 100, 9, 20, -ETIMEDOUT, EDO_MS(20) },
        { &l, 9, 2, 60, 0, EDO_FOREVER },
        { &l, 100, 9, 100, -ETIMEDOUT, EDO_MS(100) },
        { &l, 40, 3, 100, 0, EDO_FOREVER },
        { &l, 1, 4, 101, 0, EDO_FOREVER },
    };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < sizeof c / sizeof c[0]; i++) {
        CHECK_OK(edo_spawn(&g, buy, &c[i]));
        until(&l.in, i + 1);
        CHECK_OK(edo_clock_advance(0)); /* it waits now */
    }
    CHECK_INT(edo_ratelimit_acquire_nowait(&l.r, 1), ==, -EAGAIN);
    CHECK_INT(edo_ratelimit_ready(&l.r, 1) - l.start, ==,
              EDO_MS(50 + 1 + 100 + 9 + 100 + 40 + 1 + 1));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(first_come_first_served)
{
    for (int i = 0; i < 5; i++)
        EACH_WORKERS(w)
    run_on(w, fifo, NULL);
}

/* The head leaves with its timer running, by a cancel: the next one takes over at once. */
static int head_cancelled(void *arg)
{
    (void)arg;
    line l = { 0 };
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&l.r, 1, EDO_MS(1), 100));
    CHECK_INT(edo_ratelimit_acquire(&l.r, 100), ==, 0);
    l.start = edo_now();
    customer c[] = { { &l, 90, 9, 5, -ETIMEDOUT, EDO_MS(5) },
                     { &l, 2, 0, 5, 0, EDO_FOREVER },
                     { &l, 4, 1, 6, 0, EDO_FOREVER }, /* at one time any of them may run first */
                     { &l, 2, 2, 8, 0, EDO_FOREVER } };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 4; i++) {
        CHECK_OK(edo_spawn(&g, buy, &c[i]));
        until(&l.in, i + 1);
        CHECK_OK(edo_clock_advance(0));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(who_leaves_the_head_calls_the_next)
{
    for (int i = 0; i < 5; i++)
        EACH_WORKERS(w)
    run_on(w, head_cancelled, NULL);
}

/* ---- another rate while some wait ---- */

static int changes(void *arg)
{
    (void)arg;
    line l = { 0 };
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&l.r, 0, 1, 10)); /* nothing comes in */
    CHECK_INT(edo_ratelimit_acquire(&l.r, 10), ==, 0);
    CHECK_INT(edo_ratelimit_ready(&l.r, 1), ==, EDO_FOREVER);
    l.start = edo_now();
    /* 1000 ms at no rate, 200 ms at 10 per second, then 20 per second */
    customer c[] = { { &l, 4, 0, 1300, 0, EDO_FOREVER },
                     { &l, 10, 9, 1300, -EINVAL, EDO_FOREVER },
                     { &l, 4, 1, 1500, 0, EDO_FOREVER } };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(edo_spawn(&g, buy, &c[i]));
        until(&l.in, i + 1);
        CHECK_OK(edo_clock_advance(0));
    }
    CHECK_OK(edo_clock_advance(EDO_SEC(1)));
    CHECK_INT(edo_ratelimit_set(&l.r, 1, 0, 10), ==, -EINVAL);
    CHECK_INT(edo_ratelimit_set(&l.r, 1, EDO_MS(100), 10), ==, 0);
    CHECK_OK(edo_clock_advance(EDO_MS(150)));                        /* one token and a half */
    CHECK_INT(edo_ratelimit_set(&l.r, 10, EDO_MS(1000), 10), ==, 0); /* the same in other words */
    CHECK_OK(edo_clock_advance(EDO_MS(50)));                         /* two tokens */
    CHECK_INT(edo_ratelimit_set(&l.r, 2, EDO_MS(100), 5), ==, 0);
    CHECK_OK(edo_clock_advance(EDO_MS(50))); /* three */
    CHECK_INT(edo_ratelimit_set(&l.r, 2, EDO_MS(100), 8), ==, 0);
    CHECK_OK(edo_clock_advance(0));
    CHECK_UINT(edo_ratelimit_available(&l.r), ==, 3);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(another_rate_also_for_those_who_wait)
{
    EACH_WORKERS(w)
    run_on(w, changes, NULL);
}

/* ---- storm: tasks, threads, cancels ---- */

typedef struct market {
    edo_ratelimit r;
    uint64_t sold; /* atomic */
    unsigned cancelled;
} market;

static int trader(void *arg)
{
    market *m = arg;
    uint64_t seed = test_seed() ^ (uintptr_t)&seed;
    for (unsigned i = 0, n = test_scale(200); i < n; i++) {
        uint64_t want = 1 + test_rand(&seed) % 4;
        edo_scope s;
        bool hasty = test_rand(&seed) % 3 == 0;
        edo_scope_open(&s, hasty ? (int64_t)(test_rand(&seed) % 50000) : EDO_FOREVER);
        int rc = edo_scope_close(&s, edo_ratelimit_acquire(&m->r, want));
        if (rc == 0)
            ADD(&m->sold, want);
        else
            ADD(&m->cancelled, 1);
        CHECK(rc == 0 || (hasty && rc == -ETIMEDOUT));
        if (i % 16 == 0 && edo_ratelimit_acquire_nowait(&m->r, 1) == 0)
            ADD(&m->sold, 1);
    }
    return 0;
}

static void *trader_thread(void *arg)
{
    trader(arg);
    return NULL;
}

static int storm(void *arg)
{
    (void)arg;
    market m = { 0 };
    const uint64_t rate = 500;
    CHECK_OK(edo_ratelimit_init(&m.r, rate, EDO_MS(1), 10));
    int64_t start = edo_now();
    pthread_t threads[2];
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, trader, &m));
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], trader_thread, &m);
    CHECK_INT(edo_group_close(&g), ==, 0);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    CHECK_UINT(m.sold, <=, 10 + (uint64_t)(edo_now() - start) * rate / EDO_MS(1));
    CHECK_PTR(m.r.edo__q.head, ==, NULL);
    printf("# %llu tokens, %u cancelled\n", (unsigned long long)m.sold, m.cancelled);
    return 0;
}

TEST_TIMEOUT(storm_of_tasks_and_threads, 60)
{
    EACH_WORKERS(w)
    run_on(w, storm, NULL);
}

TEST_MAIN()
