/* SPDX-License-Identifier: MIT */
/* The delay queue against a sorted array on the paused clock; keys; several who wait; cancels;
 * closing; threads; storms. */
#include "core_test.h"

static void expect_next(edo_delayqueue *q, void *value, int64_t at)
{
    edo_delay d;
    CHECK_INT(edo_delayqueue_next(q, &d), ==, 0);
    CHECK_PTR(d.value, ==, value);
    CHECK_INT(d.at, ==, at);
    CHECK_INT(edo_now(), ==, at);
}

static void *num(intptr_t n)
{
    return (void *)n;
}

static int basics(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay_key a, b, c;
    edo_delay d;
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    int64_t start = edo_now();
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN);
    CHECK_INT(edo_delayqueue_peek(&q, &d), ==, -ENOENT);
    CHECK_INT(edo_delayqueue_pop(&q, &d), ==, -ENOENT);
    CHECK_INT(edo_delayqueue_insert(&q, EDO_SEC(3), num(1), &a), ==, 0);
    CHECK_INT(edo_delayqueue_insert_at(&q, start + EDO_SEC(2), num(2), &b), ==, 0);
    CHECK_INT(edo_delayqueue_insert(&q, EDO_SEC(2), num(3), &c), ==, 0);
    CHECK_INT(edo_delayqueue_insert(&q, EDO_FOREVER, num(4), NULL), ==, 0);
    CHECK_UINT(edo_delayqueue_len(&q), ==, 4);
    CHECK_INT(edo_delayqueue_peek(&q, &d), ==, 0);
    CHECK_UINT(d.key, ==, b);
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN);
    CHECK_INT(edo_delayqueue_find(&q, a, &d), ==, 0);
    CHECK_INT(d.at - start, ==, EDO_SEC(3));
    expect_next(&q, num(2), start + EDO_SEC(2));
    CHECK_INT(edo_delayqueue_reset(&q, b, 0), ==, -ENOENT);
    CHECK_INT(edo_delayqueue_reset(&q, a, EDO_SEC(5)), ==, 0);
    CHECK_INT(edo_delayqueue_reset(&q, c, EDO_SEC(6)), ==, 0); /* was due already */
    CHECK_INT(edo_delayqueue_insert(&q, -EDO_SEC(6), num(5), NULL), ==, 0);
    expect_next(&q, num(5), start + EDO_SEC(2));
    expect_next(&q, num(1), start + EDO_SEC(7));
    CHECK_INT(edo_delayqueue_remove(&q, c, &d), ==, 0);
    CHECK_PTR(d.value, ==, num(3));
    CHECK_INT(d.at - start, ==, EDO_SEC(8));
    CHECK_INT(edo_delayqueue_remove(&q, c, &d), ==, -ENOENT);
    CHECK_INT(edo_delayqueue_pop(&q, &d), ==, 0);
    CHECK_PTR(d.value, ==, num(4));
    CHECK_UINT(edo_delayqueue_len(&q), ==, 0);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(entries_come_out_in_their_time)
{
    EACH_WORKERS(w)
    run_on(w, basics, NULL);
}

static int stale_keys(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay_key old[100], young;
    edo_delay d;
    edo_delayqueue_init(&q);
    CHECK_INT(edo_delayqueue_remove(&q, 0, &d), ==, -ENOENT);
    CHECK_INT(edo_delayqueue_remove(&q, 1, &d), ==, -ENOENT);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(edo_delayqueue_insert(&q, EDO_SEC(9), num(i), &old[i]), ==, 0);
        CHECK_UINT(old[i], !=, 0);
        CHECK_INT(edo_delayqueue_remove(&q, old[i], NULL), ==, 0);
        CHECK_INT(edo_delayqueue_insert(&q, EDO_SEC(9), num(-1), &young), ==, 0); /* same slot */
        for (int k = 0; k <= i; k++) {
            CHECK_UINT(old[k], !=, young);
            CHECK_INT(edo_delayqueue_reset(&q, old[k], 0), ==, -ENOENT);
            CHECK_INT(edo_delayqueue_remove(&q, old[k], &d), ==, -ENOENT);
            CHECK_INT(edo_delayqueue_find(&q, old[k], &d), ==, -ENOENT);
        }
        CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN); /* untouched */
        CHECK_INT(edo_delayqueue_remove(&q, young, &d), ==, 0);
        CHECK_PTR(d.value, ==, num(-1));
    }
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(a_stale_key_names_nothing)
{
    run_on(1, stale_keys, NULL);
    stale_keys(NULL);
}

/* ---- against a model ---- */

typedef struct entry {
    edo_delay_key key;
    int64_t at;
    unsigned order; /* of the last insert or reset */
    bool in;
} entry;

enum { ENTRIES = 400 };

static entry *model_first(entry *e)
{
    entry *first = NULL;
    for (int i = 0; i < ENTRIES; i++) {
        if (!e[i].in)
            continue;
        if (first == NULL || e[i].at < first->at ||
            (e[i].at == first->at && e[i].order < first->order))
            first = &e[i];
    }
    return first;
}

/* Coarse instants, so that many are the same. */
static int64_t some_instant(uint64_t *seed, int64_t now)
{
    return now + (int64_t)(test_rand(seed) % 40) * 50000;
}

static void model_take(edo_delayqueue *q, entry *e)
{
    edo_delay d;
    entry *first = model_first(e);
    if (first == NULL) {
        CHECK_INT(edo_delayqueue_next_nowait(q, &d), ==, -EAGAIN);
        return;
    }
    CHECK_INT(edo_delayqueue_peek(q, &d), ==, 0);
    CHECK_UINT(d.key, ==, first->key);
    int64_t now = edo_now();
    CHECK_INT(edo_delayqueue_next(q, &d), ==, 0);
    CHECK_PTR(d.value, ==, first);
    CHECK_UINT(d.key, ==, first->key);
    CHECK_INT(d.at, ==, first->at);
    CHECK_INT(edo_now(), ==, first->at > now ? first->at : now);
    first->in = false;
}

static int model(void *arg)
{
    (void)arg;
    static entry e[ENTRIES];
    memset(e, 0, sizeof e);
    uint64_t seed = test_seed();
    edo_delayqueue q;
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    for (unsigned step = 0, n = test_scale(40000); step < n; step++) {
        entry *one = &e[test_rand(&seed) % ENTRIES];
        int64_t at = some_instant(&seed, edo_now());
        uint64_t dice = test_rand(&seed) % 8;
        if (dice == 0) {
            model_take(&q, e);
        } else if (!one->in) {
            *one = (entry){ .at = at, .order = step, .in = true };
            CHECK_INT(edo_delayqueue_insert_at(&q, at, one, &one->key), ==, 0);
        } else if (dice < 6) {
            CHECK_INT(edo_delayqueue_reset_at(&q, one->key, at), ==, 0);
            one->at = at;
            one->order = step;
        } else {
            CHECK_INT(edo_delayqueue_remove(&q, one->key, NULL), ==, 0);
            one->in = false;
        }
    }
    while (edo_delayqueue_len(&q) > 0)
        model_take(&q, e);
    CHECK_PTR(model_first(e), ==, NULL);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST_TIMEOUT(random_steps_against_a_model, 60)
{
    run_on(1, model, NULL);
}

static int many(void *arg)
{
    (void)arg;
    const unsigned n = test_scale(200000);
    uint64_t seed = test_seed();
    edo_delayqueue q;
    edo_delay d;
    edo_delay_key *keys = calloc(n, sizeof *keys);
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(
            edo_delayqueue_insert(&q, (int64_t)(test_rand(&seed) % 1000000000), NULL, &keys[i]));
    for (unsigned i = 0; i < n; i += 2)
        CHECK_OK(edo_delayqueue_reset(&q, keys[i], (int64_t)(test_rand(&seed) % 1000000000)));
    for (unsigned i = 0; i < n; i += 3)
        CHECK_OK(edo_delayqueue_remove(&q, keys[i], NULL));
    unsigned left = n - (n + 2) / 3;
    CHECK_UINT(edo_delayqueue_len(&q), ==, left);
    CHECK_OK(edo_clock_advance(EDO_SEC(1)));
    int64_t last = 0;
    for (unsigned i = 0; i < left; i++) {
        CHECK_INT(edo_delayqueue_next(&q, &d), ==, 0);
        CHECK_INT(d.at, >=, last);
        last = d.at;
    }
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN);
    edo_delayqueue_deinit(&q);
    free(keys);
    return 0;
}

TEST_TIMEOUT(hundreds_of_thousands, 60)
{
    run_on(1, many, NULL);
}

/* ---- waiting ---- */

typedef struct taker {
    edo_delayqueue *q;
    unsigned *in;
    int64_t give_up; /* duration */
    int code;        /* what it is to get ... */
    void *value;
    int64_t at; /* ... and when, ms after the start */
    int64_t start;
} taker;

static int take(void *arg)
{
    taker *t = arg;
    edo_delay d = { 0, NULL, 0 };
    edo_scope s;
    edo_scope_open(&s, t->give_up);
    ADD(t->in, 1);
    CHECK_INT(edo_scope_close(&s, edo_delayqueue_next(t->q, &d)), ==, t->code);
    CHECK_PTR(d.value, ==, t->value);
    CHECK_INT(edo_now() - t->start, ==, EDO_MS(t->at));
    return 0;
}

static void spawn_takers(edo_group *g, taker *t, unsigned n, unsigned *in)
{
    for (unsigned i = 0; i < n; i++) {
        CHECK_OK(edo_spawn(g, take, &t[i]));
        until(in, i + 1);
        CHECK_OK(edo_clock_advance(0)); /* it waits now */
    }
}

/* Several wait; earlier entries come in, the first is moved and taken away. */
static int waiting(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay_key k1, k2;
    edo_delay d;
    unsigned in = 0;
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    int64_t s = edo_now();
    taker t[] = { { &q, &in, EDO_FOREVER, 0, num(3), 15, s },
                  { &q, &in, EDO_MS(17), -ETIMEDOUT, NULL, 17, s },
                  { &q, &in, EDO_FOREVER, 0, num(1), 40, s },
                  { &q, &in, EDO_FOREVER, 0, num(4), 40, s },
                  { &q, &in, EDO_FOREVER, -EPIPE, NULL, 40, s },
                  { &q, &in, EDO_FOREVER, -EPIPE, NULL, 40, s } };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn_takers(&g, t, 6, &in);
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(20), num(1), &k1));
    CHECK_OK(edo_clock_advance(EDO_MS(5)));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(7), num(2), &k2));
    CHECK_OK(edo_clock_advance(EDO_MS(5)));
    CHECK_OK(edo_delayqueue_remove(&q, k2, NULL));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(5), num(3), NULL));
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN);
    CHECK_OK(edo_clock_advance(EDO_MS(9)));
    CHECK_OK(edo_delayqueue_reset(&q, k1, EDO_MS(21)));
    CHECK_OK(edo_clock_advance(EDO_MS(1)));
    CHECK_OK(edo_delayqueue_insert_at(&q, s + EDO_MS(40), num(4), NULL));
    edo_delayqueue_close(&q);
    CHECK_INT(edo_delayqueue_insert(&q, 0, num(5), NULL), ==, -EPIPE);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(edo_delayqueue_next(&q, &d), ==, -EPIPE);
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EPIPE);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(who_waits_first_gets_the_first)
{
    for (int i = 0; i < 5; i++)
        EACH_WORKERS(w)
    run_on(w, waiting, NULL);
}

/* The one with the timer is cancelled: the next takes over; then the last entries go by other ways
 * than next, which lets those waiting for a closed queue go. */
static int head_cancelled(void *arg)
{
    bool pop = *(bool *)arg;
    edo_delayqueue q;
    edo_delay_key key;
    edo_delay d;
    unsigned in = 0;
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    int64_t s = edo_now();
    taker t[] = { { &q, &in, EDO_MS(10), -ETIMEDOUT, NULL, 10, s },
                  { &q, &in, EDO_FOREVER, 0, num(1), 20, s },
                  { &q, &in, EDO_FOREVER, -EPIPE, NULL, 25, s },
                  { &q, &in, EDO_FOREVER, -EPIPE, NULL, 25, s } };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(20), num(1), NULL));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(50), num(2), &key));
    spawn_takers(&g, t, 4, &in);
    CHECK_OK(edo_clock_advance(EDO_MS(25)));
    edo_delayqueue_close(&q);
    CHECK_OK(edo_clock_advance(0));
    CHECK_INT(pop ? edo_delayqueue_pop(&q, &d) : edo_delayqueue_remove(&q, key, &d), ==, 0);
    CHECK_PTR(d.value, ==, num(2));
    CHECK_INT(edo_group_close(&g), ==, 0);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(who_leaves_the_head_calls_the_next)
{
    bool ways[] = { false, true };
    for (int i = 0; i < 10; i++)
        EACH_WORKERS(w)
    run_on(w, head_cancelled, &ways[i % 2]);
}

static int cancelled_before(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay d;
    edo_scope s;
    edo_delayqueue_init(&q);
    CHECK_OK(edo_delayqueue_insert(&q, 0, num(1), NULL));
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_delayqueue_next(&q, &d), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);
    CHECK_INT(edo_delayqueue_next(&q, &d), ==, 0); /* nothing was taken */
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(next_is_a_checkpoint)
{
    EACH_WORKERS(w)
    run_on(w, cancelled_before, NULL);
    cancelled_before(NULL);
}

/* ---- storm: every entry comes out once, by next or by remove, whoever does what ---- */

enum { STORM_ENTRIES = 2000 };

typedef struct storm {
    edo_delayqueue q;
    edo_delay_key keys[STORM_ENTRIES]; /* atomic */
    unsigned out[STORM_ENTRIES];       /* atomic: times it came out */
    unsigned inserted, taken, removed, reset, timeouts;
} storm;

static int storm_put(void *arg)
{
    storm *s = arg;
    uint64_t seed = test_seed() ^ (uintptr_t)&seed;
    unsigned i;
    while ((i = ADD(&s->inserted, 1) - 1) < STORM_ENTRIES) {
        edo_delay_key key;
        int64_t after = (int64_t)(test_rand(&seed) % 3000000);
        CHECK_OK(edo_delayqueue_insert(&s->q, after, num((intptr_t)i + 1), &key));
        STORE(&s->keys[i], key);
        unsigned k = (unsigned)(test_rand(&seed) % STORM_ENTRIES);
        key = LOAD(&s->keys[k]);
        edo_delay d;
        if (i % 3 == 0) {
            if (edo_delayqueue_reset(&s->q, key, after / 2) == 0)
                ADD(&s->reset, 1);
        } else if (i % 5 == 0 && edo_delayqueue_remove(&s->q, key, &d) == 0) {
            CHECK_PTR(d.value, ==, num((intptr_t)k + 1));
            CHECK_UINT(ADD(&s->out[k], 1), ==, 1);
            ADD(&s->removed, 1);
        }
        if (i % 7 == 0)
            (void)edo_yield();
    }
    return 0;
}

static int storm_take(void *arg)
{
    storm *s = arg;
    uint64_t seed = test_seed() ^ (uintptr_t)&seed;
    for (;;) {
        edo_delay d;
        edo_scope scope;
        edo_scope_open(&scope, test_rand(&seed) % 2 ? EDO_US(200) : EDO_FOREVER);
        int rc = edo_scope_close(&scope, edo_delayqueue_next(&s->q, &d));
        if (rc == -EPIPE)
            return 0;
        if (rc == -ETIMEDOUT) {
            ADD(&s->timeouts, 1);
            continue;
        }
        CHECK_INT(rc, ==, 0);
        CHECK_INT(edo_now(), >=, d.at);
        CHECK_UINT(ADD(&s->out[(intptr_t)d.value - 1], 1), ==, 1);
        ADD(&s->taken, 1);
    }
}

static void *storm_put_thread(void *arg)
{
    storm_put(arg);
    return NULL;
}

static void *storm_take_thread(void *arg)
{
    storm_take(arg);
    return NULL;
}

static int storm_run(void *arg)
{
    (void)arg;
    storm *s = calloc(1, sizeof *s);
    pthread_t putting, taking;
    edo_group puts, takes;
    edo_delayqueue_init(&s->q);
    CHECK_OK(edo_group_open(&takes, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&takes, storm_take, s));
    thread_start(&taking, storm_take_thread, s);
    CHECK_OK(edo_group_open(&puts, NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_spawn(&puts, storm_put, s));
    thread_start(&putting, storm_put_thread, s);
    CHECK_INT(edo_group_close(&puts), ==, 0);
    thread_join(putting);
    edo_delayqueue_close(&s->q);
    CHECK_INT(edo_group_close(&takes), ==, 0);
    thread_join(taking);
    for (int i = 0; i < STORM_ENTRIES; i++)
        CHECK_UINT(s->out[i], ==, 1);
    CHECK_UINT(s->taken + s->removed, ==, STORM_ENTRIES);
    printf("# %u taken, %u removed, %u reset, %u time-outs\n", s->taken, s->removed, s->reset,
           s->timeouts);
    edo_delayqueue_deinit(&s->q);
    free(s);
    return 0;
}

TEST_TIMEOUT(storm_of_tasks_and_threads, 60)
{
    for (int i = 0; i < 3; i++)
        EACH_WORKERS(w)
    run_on(w, storm_run, NULL);
}

TEST_MAIN()
