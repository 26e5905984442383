/* SPDX-License-Identifier: MIT */
/* The barrier: generations, one leader each, and that who was cancelled does not count. */
#include "storm.h"

typedef struct meeting {
    edo_barrier barrier;
    unsigned size, rounds;
    unsigned phase[STORM_SLOTS]; /* atomic: how often each has come through */
    unsigned leaders;            /* atomic */
    unsigned passed;             /* atomic */
    unsigned cancelled;          /* atomic */
    storm storm;
} meeting;

typedef struct guest {
    meeting *m;
    unsigned slot;
} guest;

static int meet(void *arg)
{
    guest *g = arg;
    meeting *m = g->m;
    for (unsigned i = 0; i < m->rounds; i++) {
        __atomic_store_n(&m->phase[g->slot], i + 1, __ATOMIC_RELEASE);
        int rc = edo_barrier_wait(&m->barrier);
        CHECK_OK(rc);
        if (rc == 1)
            __atomic_fetch_add(&m->leaders, 1, __ATOMIC_RELAXED);
        for (unsigned k = 0; k < m->size; k++) { /* all have come; none is two ahead */
            unsigned phase = __atomic_load_n(&m->phase[k], __ATOMIC_ACQUIRE);
            CHECK(phase == i + 1 || phase == i + 2);
        }
    }
    return 0;
}

static int meet_all(void *arg)
{
    meeting *m = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 1; i < m->size; i++)
        CHECK_OK(edo_spawn_copy(&g, meet, &(guest){ m, i }, sizeof(guest)));
    return edo_group_close(&g);
}

TEST_TIMEOUT(generations_with_a_foreign_thread, 60)
{
    EACH_WORKER_COUNT(i)
    {
        meeting m = { .barrier = EDO_BARRIER_INIT(9), .size = 9, .rounds = test_scale(1000) };
        guest outside = { &m, 0 };
        foreign_call thread;
        foreign_start(&thread, meet, &outside);
        run_on(worker_counts[i], meet_all, &m);
        foreign_join(&thread);
        CHECK_UINT(m.leaders, ==, m.rounds);
    }
}

static int alone(void *arg)
{
    edo_barrier b;
    edo_scope s;
    (void)arg;
    edo_barrier_init(&b, 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(edo_barrier_wait(&b), ==, 1);
    CHECK_INT(edo_barrier_wait_nowait(&b), ==, 1);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_barrier_wait(&b)), ==, -ETIMEDOUT);
    edo_barrier_init(&b, 2);
    CHECK_INT(edo_barrier_wait_nowait(&b), ==, -EAGAIN);
    return 0;
}

TEST(of_one)
{
    run_on(1, alone, NULL);
}

typedef struct place {
    edo_barrier *barrier;
    edo_token *token;
    int code;
} place;

static int wait_at(void *arg)
{
    place *p = arg;
    edo_scope s;
    CHECK_OK(edo_scope_open_token(&s, p->token, EDO_FOREVER));
    p->code = edo_barrier_wait(p->barrier);
    (void)edo_scope_close(&s, p->code);
    return 0;
}

static int one_leaves(void *arg)
{
    edo_barrier b = EDO_BARRIER_INIT(3);
    edo_group g;
    place p[3];
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 2; i++) {
        p[i] = (place){ &b, NULL, 7 };
        CHECK_OK(edo_token_create(&p[i].token));
        CHECK_OK(edo_spawn(&g, wait_at, &p[i]));
        settle();
    }
    edo_token_cancel(p[0].token);
    settle();
    CHECK_INT(p[0].code, ==, -ECANCELED);
    CHECK_INT(edo_barrier_wait_nowait(&b), ==, -EAGAIN); /* two are missing again */
    p[2] = (place){ &b, NULL, 7 };
    CHECK_OK(edo_token_create(&p[2].token));
    CHECK_OK(edo_spawn(&g, wait_at, &p[2]));
    settle();
    CHECK_INT(p[1].code, ==, 7);
    CHECK_INT(edo_barrier_wait(&b), ==, 1);
    edo_token_cancel(p[1].token); /* too late: all were there */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(p[1].code, ==, 0);
    CHECK_INT(p[2].code, ==, 0);
    for (int i = 0; i < 3; i++)
        edo_token_release(p[i].token);
    return 0;
}

TEST(who_leaves_does_not_count)
{
    run_on(1, one_leaves, NULL);
}

/* All waiters of a generation that is complete are cancelled before they run: success. */
static int late_cancel(void *arg)
{
    edo_barrier b = EDO_BARRIER_INIT(3);
    edo_group g;
    place p[2];
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 2; i++) {
        p[i] = (place){ &b, NULL, 7 };
        CHECK_OK(edo_token_create(&p[i].token));
        CHECK_OK(edo_spawn(&g, wait_at, &p[i]));
        settle();
    }
    edo_token_cancel(p[0].token); /* claimed, but it has not run, so it has not left */
    CHECK_INT(edo_barrier_wait(&b), ==, 1);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(p[0].code, ==, 0);
    CHECK_INT(p[1].code, ==, 0);
    for (int i = 0; i < 2; i++)
        edo_token_release(p[i].token);
    return 0;
}

TEST(a_cancel_after_the_last_came_is_late)
{
    run_on(1, late_cancel, NULL);
}

static int wait_op(void *arg)
{
    meeting *m = arg;
    return edo_barrier_wait(&m->barrier);
}

static int storm_guest(void *arg)
{
    guest *g = arg;
    meeting *m = g->m;
    uint64_t seed = test_seed() + g->slot;
    while (__atomic_load_n(&m->leaders, __ATOMIC_RELAXED) < m->rounds) {
        int rc = storm_op(&m->storm, g->slot, &seed, wait_op, m);
        if (rc < 0) {
            CHECK_INT(rc, ==, -ECANCELED);
            __atomic_fetch_add(&m->cancelled, 1, __ATOMIC_RELAXED);
            continue;
        }
        __atomic_fetch_add(&m->passed, 1, __ATOMIC_RELAXED);
        if (rc == 1)
            __atomic_fetch_add(&m->leaders, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

/* Completes the generations in which others wait when the last round is over. */
static int flush(meeting *m)
{
    while (m->barrier.edo__q.state != 0) {
        int rc = edo_barrier_wait_nowait(&m->barrier);
        if (rc == 1) {
            __atomic_fetch_add(&m->leaders, 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(&m->passed, 1, __ATOMIC_RELAXED);
        }
        CHECK_OK(edo_yield());
    }
    return 0;
}

static int storm_meeting(void *arg)
{
    meeting *m = arg;
    edo_group g;
    storm_begin(&m->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 12; i++)
        CHECK_OK(edo_spawn_copy(&g, storm_guest, &(guest){ m, i }, sizeof(guest)));
    while (__atomic_load_n(&m->leaders, __ATOMIC_RELAXED) < m->rounds)
        CHECK_OK(edo_yield());
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    CHECK_OK(storm_end(&m->storm));
    return flush(m);
}

TEST_TIMEOUT(cancel_storm, 60)
{
    EACH_WORKER_COUNT(i)
    {
        meeting m = { .barrier = EDO_BARRIER_INIT(4), .rounds = test_scale(1500) };
        run_on(worker_counts[i], storm_meeting, &m);
        CHECK_UINT(m.barrier.edo__q.state, ==, 0);
        CHECK_UINT(m.passed, ==, 4 * m.leaders); /* each generation let four through */
        CHECK_UINT(m.cancelled, >, 0);
    }
}

TEST_MAIN()
