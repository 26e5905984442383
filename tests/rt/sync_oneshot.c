/* SPDX-License-Identifier: MIT */
/* The oneshot: both orders, what closing does, and one receiver only. */
#include "storm.h"

static int simple(void *arg)
{
    edo_oneshot o;
    int slot = 0, v = 0;
    (void)arg;
    edo_oneshot_init(&o, &slot, sizeof slot);
    CHECK_INT(edo_oneshot_recv_nowait(&o, &v), ==, -EAGAIN);
    CHECK_OK(edo_oneshot_send(&o, &(int){ 42 }));
    CHECK_INT(edo_oneshot_send(&o, &(int){ 43 }), ==, -EALREADY);
    edo_oneshot_close(&o); /* what was sent can still be taken */
    edo_scope s;
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_oneshot_recv(&o, &v)), ==, -ETIMEDOUT);
    CHECK_INT(v, ==, 0);
    CHECK_OK(edo_oneshot_recv(&o, &v));
    CHECK_INT(v, ==, 42);
    CHECK_INT(edo_oneshot_recv(&o, &v), ==, -EPIPE);
    CHECK_INT(edo_oneshot_recv_nowait(&o, &v), ==, -EPIPE);
    CHECK_INT(edo_oneshot_send(&o, &v), ==, -EALREADY);

    edo_oneshot_init(&o, &slot, sizeof slot);
    edo_oneshot_close(&o);
    CHECK_INT(edo_oneshot_send(&o, &v), ==, -EPIPE);
    CHECK_INT(edo_oneshot_recv(&o, &v), ==, -EPIPE);
    return 0;
}

TEST(order_and_close)
{
    run_on(1, simple, NULL);
}

typedef struct race {
    edo_oneshot o;
    uint64_t slot;
    int got;    /* atomic */
    int broken; /* atomic */
    storm storm;
} race;

typedef struct runner {
    race *r;
    unsigned slot;
    uint64_t seed;
    uint64_t value;
} runner;

static int recv_one(void *arg)
{
    runner *n = arg;
    return edo_oneshot_recv(&n->r->o, &n->value);
}

static int receiver(void *arg)
{
    runner *n = arg;
    int rc = storm_op(&n->r->storm, n->slot, &n->seed, recv_one, n);
    if (rc == 0) {
        CHECK_UINT(n->value, ==, 0xabcdef);
        __atomic_fetch_add(&n->r->got, 1, __ATOMIC_RELAXED);
    } else if (rc == -EPIPE) {
        __atomic_fetch_add(&n->r->broken, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int sender(void *arg)
{
    race *r = arg;
    uint64_t v = 0xabcdef;
    return edo_oneshot_send(&r->o, &v);
}

static int closer(void *arg)
{
    race *r = arg;
    edo_oneshot_close(&r->o);
    return 0;
}

/* Three receivers that may be cancelled, one sender: exactly one value comes out. */
static void one_race(uint64_t *seed, bool close)
{
    race r = { 0 };
    edo_group g;
    edo_oneshot_init(&r.o, &r.slot, sizeof r.slot);
    storm_begin(&r.storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 3; i++) {
        runner n = { &r, i, test_rand(seed), 0 };
        CHECK_OK(edo_spawn_copy(&g, receiver, &n, sizeof n));
    }
    CHECK_OK(edo_spawn(&g, close ? closer : sender, &r));
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(storm_end(&r.storm));
    if (close) {
        CHECK_INT(r.got, ==, 0);
        return;
    }
    uint64_t v;
    int rc = edo_oneshot_recv_nowait(&r.o, &v);
    CHECK_INT(rc, ==, r.got == 0 ? 0 : -EPIPE);
    CHECK_INT(r.got, <=, 1);
    CHECK(r.got == 1 || r.broken == 0);
}

static int races(void *arg)
{
    uint64_t seed = test_seed();
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        one_race(&seed, i % 4 == 3);
    return 0;
}

TEST_TIMEOUT(exactly_one_receives, 60)
{
    unsigned rounds = test_scale(3000);
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], races, &rounds);
}

TEST_MAIN()
