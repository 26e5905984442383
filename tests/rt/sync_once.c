/* SPDX-License-Identifier: MIT */
/* Once and the value that is set once. */
#include "storm.h"

static int count(void *arg)
{
    return ++*(int *)arg;
}

static int simple(void *arg)
{
    edo_once o;
    edo_scope s;
    int calls = 4;
    (void)arg;
    edo_once_init(&o);
    CHECK(!edo_once_done(&o));
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_once_run(&o, count, &calls), ==, -ECANCELED); /* without effect */
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    CHECK_INT(edo_once_run(&o, count, &calls), ==, 5);
    CHECK_INT(edo_once_run(&o, count, &calls), ==, 5);
    CHECK_INT(edo_once_run_nowait(&o, count, &calls), ==, 5);
    CHECK_INT(calls, ==, 5);
    CHECK(edo_once_done(&o));
    return 0;
}

TEST(runs_once)
{
    run_on(1, simple, NULL);
}

static int again(void *arg)
{
    edo_once *o = arg;
    CHECK_INT(edo_once_run(o, again, o), ==, -EDEADLK);
    CHECK_INT(edo_once_run_nowait(o, again, o), ==, -EDEADLK);
    CHECK(!edo_once_done(o));
    return 3;
}

static int reentrant(void *arg)
{
    edo_once o = EDO_ONCE_INIT;
    (void)arg;
    CHECK_INT(edo_once_run(&o, again, &o), ==, 3);
    return 0;
}

TEST(reentrance_is_an_error)
{
    run_on(1, reentrant, NULL);
}

/* Several ask; those who run it wait for their event and return their code. */
typedef struct asker {
    edo_once *once;
    edo_event go;
    edo_token *token;
    int result; /* of its function */
    int code;   /* what the call returned */
    int runs;
} asker;

static int slow(void *arg)
{
    asker *a = arg;
    a->runs++;
    int rc = edo_event_wait(&a->go);
    return rc < 0 ? rc : a->result;
}

static int ask(void *arg)
{
    asker *a = arg;
    edo_scope s;
    CHECK_OK(edo_scope_open_token(&s, a->token, EDO_FOREVER));
    a->code = edo_once_run(a->once, slow, a);
    (void)edo_scope_close(&s, a->code);
    return 0;
}

static void ask_all(edo_once *o, edo_group *g, asker *all, int n)
{
    CHECK_OK(edo_group_open(g, NULL));
    for (int i = 0; i < n; i++) {
        all[i] = (asker){ .once = o, .result = -1 - i, .code = 7 };
        edo_event_init(&all[i].go, EDO_EVENT_MANUAL);
        CHECK_OK(edo_token_create(&all[i].token));
        CHECK_OK(edo_spawn(g, ask, &all[i]));
        settle();
    }
}

static int failures(void *arg)
{
    edo_once o = EDO_ONCE_INIT;
    asker all[6];
    edo_group g;
    (void)arg;
    ask_all(&o, &g, all, 6);
    int calls = 0;
    CHECK_INT(edo_once_run_nowait(&o, count, &calls), ==, -EAGAIN);
    edo_token_cancel(all[2].token); /* a waiter: disturbs nobody */
    settle();
    CHECK_INT(all[2].code, ==, -ECANCELED);
    edo_event_set(&all[0].go); /* fails: the next in line tries */
    settle();
    CHECK_INT(all[0].code, ==, -1);
    CHECK_INT(all[1].runs, ==, 1);
    CHECK_INT(edo_once_run_nowait(&o, count, &calls), ==, -EAGAIN); /* no overtaking */
    edo_token_cancel(all[1].token); /* the runner: its function fails with that */
    settle();
    CHECK_INT(all[1].code, ==, -ECANCELED);
    CHECK_INT(all[3].runs, ==, 1);
    edo_token_cancel(all[4].token); /* cancelled but not run when 3 fails ... */
    edo_event_set(&all[3].go);
    settle();
    CHECK_INT(all[4].runs, ==, 0);
    CHECK_INT(all[5].runs, ==, 1); /* ... so it goes to the one behind */
    all[5].result = 42;
    edo_event_set(&all[5].go);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(all[5].code, ==, 42);
    CHECK_INT(edo_once_run(&o, count, &calls), ==, 42);
    CHECK_INT(calls, ==, 0);
    for (int i = 0; i < 6; i++)
        edo_token_release(all[i].token);
    return 0;
}

TEST(failure_goes_to_the_next_in_line)
{
    run_on(1, failures, NULL);
}

/* The last waiter was cancelled when the function fails: new, as at first. */
static int none_left(void *arg)
{
    edo_once o = EDO_ONCE_INIT;
    asker all[2];
    edo_group g;
    (void)arg;
    ask_all(&o, &g, all, 2);
    edo_token_cancel(all[1].token);
    edo_event_set(&all[0].go);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(all[1].runs, ==, 0);
    int calls = 0;
    CHECK_INT(edo_once_run_nowait(&o, count, &calls), ==, 1);
    for (int i = 0; i < 2; i++)
        edo_token_release(all[i].token);
    return 0;
}

TEST(failure_with_nobody_left)
{
    run_on(1, none_left, NULL);
}

typedef struct race {
    edo_once once;
    int running, tries, fail; /* atomic */
    long value;               /* written by the function */
    storm storm;
} race;

typedef struct racer {
    race *r;
    unsigned slot;
} racer;

static int compute(void *arg)
{
    race *r = arg;
    CHECK_INT(__atomic_fetch_add(&r->running, 1, __ATOMIC_RELAXED), ==, 0);
    int n = __atomic_add_fetch(&r->tries, 1, __ATOMIC_RELAXED);
    int rc = edo_yield();
    CHECK_INT(__atomic_fetch_sub(&r->running, 1, __ATOMIC_RELAXED), ==, 1);
    if (rc == 0 && n <= r->fail)
        rc = -EIO;
    if (rc == 0)
        r->value++;
    return rc < 0 ? rc : 9;
}

static int run_once_op(void *arg)
{
    race *r = arg;
    return edo_once_run(&r->once, compute, r);
}

static int race_on(void *arg)
{
    racer *c = arg;
    race *r = c->r;
    uint64_t seed = test_seed() + c->slot;
    int rc;
    do {
        rc = storm_op(&r->storm, c->slot, &seed, run_once_op, r);
        CHECK(rc == 9 || rc == -EIO || rc == -ECANCELED);
    } while (rc != 9);
    CHECK(edo_once_done(&r->once));
    CHECK_INT(r->value, ==, 1);
    return 0;
}

static int race_all(void *arg)
{
    race *r = arg;
    edo_group g;
    storm_begin(&r->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 12; i++)
        CHECK_OK(edo_spawn_copy(&g, race_on, &(racer){ r, i }, sizeof(racer)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&r->storm);
}

TEST_TIMEOUT(storm_with_a_foreign_thread, 60)
{
    EACH_WORKER_COUNT(i)
    {
        for (unsigned k = 0; k < test_scale(60); k++) {
            race r = { .once = EDO_ONCE_INIT, .fail = 12 };
            racer outside = { &r, STORM_SLOTS - 1 };
            foreign_call thread;
            foreign_start(&thread, race_on, &outside);
            run_on(worker_counts[i], race_all, &r);
            foreign_join(&thread);
            CHECK_INT(r.value, ==, 1);
            CHECK_INT(r.tries, >, 12);
        }
    }
}

static int set_simple(void *arg)
{
    int slot = 0, v = 5, got = 0;
    edo_setonce o = EDO_SETONCE_INIT(&slot, sizeof slot);
    edo_scope s;
    (void)arg;
    CHECK(edo_setonce_get(&o) == NULL);
    CHECK_INT(edo_setonce_wait_nowait(&o, &got), ==, -EAGAIN);
    CHECK_OK(edo_setonce_set(&o, &v));
    CHECK_INT(edo_setonce_set(&o, &v), ==, -EALREADY);
    edo_setonce_close(&o); /* too late: it stays set */
    CHECK_OK(edo_setonce_wait(&o, &got));
    CHECK_INT(got, ==, 5);
    CHECK_OK(edo_setonce_wait(&o, NULL));
    CHECK_OK(edo_setonce_wait_nowait(&o, NULL));
    CHECK(edo_setonce_get(&o) == &slot);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_setonce_wait(&o, &got)), ==, -ETIMEDOUT);
    edo_setonce_init(&o, &slot, sizeof slot);
    edo_setonce_close(&o);
    CHECK_INT(edo_setonce_set(&o, &v), ==, -EPIPE);
    CHECK_INT(edo_setonce_wait(&o, &got), ==, -EPIPE);
    CHECK_INT(edo_setonce_wait_nowait(&o, &got), ==, -EPIPE);
    CHECK(edo_setonce_get(&o) == NULL);
    return 0;
}

TEST(set_once)
{
    run_on(1, set_simple, NULL);
}

typedef struct news {
    edo_setonce value;
    uint64_t slot[3];
    int expected;
    storm storm;
} news;

typedef struct listener {
    news *n;
    unsigned slot;
} listener;

static int hear(void *arg)
{
    news *n = arg;
    uint64_t got[3] = { 0, 0, 0 };
    int rc = edo_setonce_wait(&n->value, got);
    if (rc == 0)
        CHECK(got[0] == 1 && got[1] == 2 && got[2] == 3);
    return rc;
}

static int hear_news(void *arg)
{
    listener *l = arg;
    uint64_t seed = test_seed() + l->slot;
    int rc;
    do
        rc = storm_op(&l->n->storm, l->slot, &seed, hear, l->n);
    while (rc == -ECANCELED);
    CHECK_INT(rc, ==, l->n->expected);
    return 0;
}

static int spread_news(void *arg)
{
    news *n = arg;
    edo_group g;
    storm_begin(&n->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 12; i++)
        CHECK_OK(edo_spawn_copy(&g, hear_news, &(listener){ n, i }, sizeof(listener)));
    for (unsigned i = 0; i < 30; i++)
        CHECK_OK(edo_yield());
    if (n->expected == 0)
        CHECK_OK(edo_setonce_set(&n->value, (uint64_t[3]){ 1, 2, 3 }));
    else
        edo_setonce_close(&n->value);
    CHECK_OK(edo_group_close(&g));
    return storm_end(&n->storm);
}

TEST_TIMEOUT(set_once_storm, 60)
{
    EACH_WORKER_COUNT(i)
    {
        for (unsigned k = 0; k < test_scale(60); k++) {
            news n = { .expected = k % 2 == 0 ? 0 : -EPIPE };
            edo_setonce_init(&n.value, n.slot, sizeof n.slot);
            listener outside = { &n, STORM_SLOTS - 1 };
            foreign_call thread;
            foreign_start(&thread, hear_news, &outside);
            run_on(worker_counts[i], spread_news, &n);
            foreign_join(&thread);
        }
    }
}

TEST_MAIN()
