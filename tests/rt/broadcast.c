/* SPDX-License-Identifier: MIT */
/* Broadcast: everybody gets everything, lag, close, counts, cancels, storms. */
#include "storm.h"

#include <stdlib.h>

static int send_int(edo_broadcast *b, int v)
{
    return edo_broadcast_send(b, &v);
}

static int basics(void *arg)
{
    edo_broadcast *b;
    edo_broadcast_rx x, y, z;
    int v = 0;
    (void)arg;
    CHECK_OK(edo_broadcast_create(&b, sizeof(int), 4));
    CHECK_INT(send_int(b, 1), ==, 0); /* nobody */
    edo_broadcast_subscribe(b, &x);
    CHECK_INT(edo_broadcast_recv_nowait(&x, &v), ==, -EAGAIN);
    CHECK_INT(send_int(b, 2), ==, 1);
    edo_broadcast_subscribe(b, &y);
    CHECK_INT(send_int(b, 3), ==, 2);
    CHECK_UINT(edo_broadcast_receivers(b), ==, 2);
    CHECK_UINT(edo_broadcast_pending(&x), ==, 2);
    CHECK_UINT(edo_broadcast_pending(&y), ==, 1);
    CHECK_UINT(edo_broadcast_len(b), ==, 2);
    CHECK_OK(edo_broadcast_recv(&x, &v));
    CHECK_INT(v, ==, 2);
    CHECK_UINT(edo_broadcast_len(b), ==, 1);
    CHECK_OK(edo_broadcast_recv(&x, &v));
    CHECK_INT(v, ==, 3);
    edo_broadcast_resubscribe(&y, &z); /* y has one to get, z none */
    CHECK_INT(edo_broadcast_recv_nowait(&z, &v), ==, -EAGAIN);
    CHECK_OK(edo_broadcast_recv(&y, &v));
    CHECK_INT(v, ==, 3);
    CHECK_UINT(edo_broadcast_len(b), ==, 0);
    edo_broadcast_unsubscribe(&y); /* from the middle */
    edo_broadcast_unsubscribe(&x);
    CHECK_UINT(edo_broadcast_receivers(b), ==, 1);
    edo_broadcast_unsubscribe(&z);
    CHECK_INT(send_int(b, 4), ==, 0);
    CHECK_PTR(edo_broadcast_ref(b), ==, b);
    edo_broadcast_unref(b);
    CHECK_INT(edo_broadcast_closed(b), ==, false);
    edo_broadcast_unref(b);
    edo_broadcast_unref(NULL);
    return 0;
}

TEST(everybody_gets_everything)
{
    run_on(1, basics, NULL);
    CHECK_OK(basics(NULL)); /* a foreign thread */
}

TEST(limits)
{
    edo_broadcast *b;
    edo_broadcast_rx x;
    CHECK_INT(edo_broadcast_create(&b, 4, 0), ==, -EINVAL);
    CHECK_INT(edo_broadcast_create(&b, 65537, 1), ==, -EINVAL);
    CHECK_INT(edo_broadcast_create(&b, 8, SIZE_MAX / 8), ==, -EINVAL);
    CHECK_INT(edo_broadcast_create(&b, 8, SIZE_MAX / 4), ==, -EINVAL);
    CHECK_OK(edo_broadcast_create(&b, 0, 3));
    edo_broadcast_subscribe(b, &x);
    CHECK_INT(edo_broadcast_send(b, NULL), ==, 1);
    CHECK_OK(edo_broadcast_recv(&x, NULL));
    CHECK_INT(edo_broadcast_recv_nowait(&x, NULL), ==, -EAGAIN);
    edo_broadcast_unsubscribe(&x);
    edo_broadcast_unref(b);
}

static int lag(void *arg)
{
    edo_broadcast *b;
    edo_broadcast_rx x;
    int v;
    (void)arg;
    CHECK_OK(edo_broadcast_create(&b, sizeof(int), 3)); /* not a power of two, and kept so */
    edo_broadcast_subscribe(b, &x);
    CHECK_UINT(edo_broadcast_lagged(&x), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(send_int(b, i), ==, 1);
    CHECK_OK(edo_broadcast_recv(&x, &v)); /* exactly full: nothing was lost */
    for (int i = 3; i < 10; i++)
        CHECK_INT(send_int(b, i), ==, 1);
    CHECK_UINT(edo_broadcast_pending(&x), ==, 3);
    CHECK_INT(edo_broadcast_recv(&x, &v), ==, -EOVERFLOW);
    CHECK_UINT(edo_broadcast_lagged(&x), ==, 6); /* 1 to 6 */
    CHECK_INT(v, ==, 0);
    CHECK_INT(send_int(b, 10), ==, 1); /* and again, by one */
    CHECK_INT(edo_broadcast_recv_nowait(&x, &v), ==, -EOVERFLOW);
    CHECK_UINT(edo_broadcast_lagged(&x), ==, 1);
    edo_broadcast_close(b);
    CHECK_INT(send_int(b, 11), ==, -EPIPE);
    for (int i = 8; i <= 10; i++) {
        CHECK_OK(edo_broadcast_recv(&x, &v));
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(edo_broadcast_recv(&x, &v), ==, -EPIPE);
    CHECK_INT(edo_broadcast_recv_nowait(&x, &v), ==, -EPIPE);
    edo_broadcast_unsubscribe(&x);
    edo_broadcast_unref(b);
    return 0;
}

TEST(a_slow_one_is_told_what_it_missed)
{
    run_on(1, lag, NULL);
}

typedef struct listener {
    edo_broadcast *b;
    int *heard;
    int expected;
} listener;

static int listen_once(void *arg)
{
    listener *l = arg;
    edo_broadcast_rx x;
    int v = 0;
    edo_broadcast_subscribe(l->b, &x);
    CHECK_INT(edo_broadcast_recv(&x, &v), ==, l->expected);
    *l->heard += v;
    edo_broadcast_unsubscribe(&x);
    return 0;
}

static int no_receivers(void *arg)
{
    listener *l = arg;
    CHECK_OK(edo_broadcast_wait_no_receivers(l->b));
    *l->heard += 1000;
    return 0;
}

static int waiting(void *arg)
{
    int heard = 0;
    listener l = { .heard = &heard };
    edo_group g;
    (void)arg;
    CHECK_OK(edo_broadcast_create(&l.b, sizeof(int), 1));
    CHECK_OK(edo_broadcast_wait_no_receivers(l.b));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, listen_once, &l));
    settle();
    CHECK_OK(edo_spawn(&g, no_receivers, &l));
    settle();
    CHECK_INT(send_int(l.b, 3), ==, 5);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(heard, ==, 1015);
    l.expected = -EPIPE;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, listen_once, &l));
    settle();
    edo_broadcast_unref(l.b); /* the last who could send; receivers keep the memory */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(heard, ==, 1015);
    return 0;
}

TEST(waiting_and_the_last_sender)
{
    run_on(1, waiting, NULL);
}

static int cancelled(void *arg)
{
    edo_broadcast *b;
    edo_broadcast_rx x;
    edo_scope s;
    int v;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_broadcast_create(&b, sizeof(int), 2));
    edo_broadcast_subscribe(b, &x);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_broadcast_recv(&x, &v)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_broadcast_wait_no_receivers(b)), ==, -ETIMEDOUT);
    CHECK_INT(send_int(b, 7), ==, 1);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_broadcast_recv(&x, &v)), ==, -ETIMEDOUT);
    CHECK_OK(edo_broadcast_recv(&x, &v)); /* still there */
    CHECK_INT(v, ==, 7);
    edo_broadcast_unsubscribe(&x);
    edo_broadcast_unref(b);
    return 0;
}

TEST(cancelled_is_without_effect)
{
    run_on(1, cancelled, NULL);
}

/* Receivers, some slow, some that come and go, under cancels: each sees consecutive numbers, or is
 * told of a gap of exactly the right size. One sender, so the numbers are the order. */
#define RECEIVERS 12
#define VISITORS 3

typedef struct traffic {
    edo_broadcast *b;
    uint64_t rounds;
    bool stormy, yields; /* the sender does */
    unsigned ready;      /* atomic: receivers that are subscribed */
    unsigned wanted;
    uint64_t got, missed; /* atomic */
    storm storm;
} traffic;

typedef struct end {
    traffic *t;
    unsigned number;
    edo_broadcast_rx rx;
    uint64_t value;
} end;

static int recv_op(void *arg)
{
    end *e = arg;
    return edo_broadcast_recv(&e->rx, &e->value);
}

static int receiver(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() + e.number, next = 0, got = 0, missed = 0;
    edo_broadcast_subscribe(t->b, &e.rx);
    __atomic_fetch_add(&t->ready, 1, __ATOMIC_RELEASE);
    for (;;) {
        int rc = t->stormy ? storm_op(&t->storm, e.number, &seed, recv_op, &e) : recv_op(&e);
        if (rc == -ECANCELED)
            continue;
        if (rc == -EPIPE)
            break;
        if (rc == -EOVERFLOW) {
            CHECK_UINT(edo_broadcast_lagged(&e.rx), >, 0);
            next += edo_broadcast_lagged(&e.rx);
            missed += edo_broadcast_lagged(&e.rx);
            continue;
        }
        CHECK_OK(rc);
        CHECK_UINT(e.value, ==, next);
        next++;
        got++;
        if (e.number % 3 == 0 && test_rand(&seed) % 8 == 0)
            CHECK_OK(edo_yield());
    }
    CHECK_UINT(got + missed, ==, t->rounds);
    __atomic_fetch_add(&t->got, got, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->missed, missed, __ATOMIC_RELAXED);
    edo_broadcast_unsubscribe(&e.rx);
    return 0;
}

/* Comes and goes. */
static int visitor(void *arg)
{
    traffic *t = arg;
    edo_broadcast_rx x, stays; /* which keeps the memory: it never receives */
    uint64_t v, last = 0;
    int rc;
    edo_broadcast_subscribe(t->b, &stays);
    __atomic_fetch_add(&t->ready, 1, __ATOMIC_RELEASE);
    do {
        edo_broadcast_resubscribe(&stays, &x);
        for (int i = 0; i < 3; i++) {
            rc = edo_broadcast_recv(&x, &v);
            if (rc == 0) {
                CHECK(last == 0 || v > last);
                last = v;
            }
        }
        edo_broadcast_unsubscribe(&x);
    } while (rc != -EPIPE);
    edo_broadcast_unsubscribe(&stays);
    return 0;
}

static int all_tasks(void *arg)
{
    traffic *t = arg;
    edo_group g;
    storm_begin(&t->storm, t->stormy);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < RECEIVERS; i++)
        CHECK_OK(edo_spawn_copy(&g, receiver, &(end){ .t = t, .number = i }, sizeof(end)));
    for (int i = 0; i < VISITORS; i++)
        CHECK_OK(edo_spawn(&g, visitor, t));
    while (__atomic_load_n(&t->ready, __ATOMIC_ACQUIRE) < t->wanted)
        CHECK_OK(edo_yield());
    for (uint64_t i = 0; i < t->rounds; i++) {
        CHECK_INT(edo_broadcast_send(t->b, &i), >=, (int)t->wanted);
        if (t->yields)
            CHECK_OK(edo_yield());
    }
    edo_broadcast_unref(t->b);
    CHECK_OK(edo_group_close(&g));
    return storm_end(&t->storm);
}

static void run_traffic(traffic t, unsigned workers, unsigned threads)
{
    foreign_call calls[2];
    end e[2];
    t.wanted = RECEIVERS + VISITORS + threads;
    CHECK_OK(edo_broadcast_create(&t.b, sizeof(uint64_t), 16));
    for (unsigned i = 0; i < threads; i++) {
        e[i] = (end){ .t = &t, .number = RECEIVERS + i };
        foreign_start(&calls[i], receiver, &e[i]);
    }
    run_on(workers, all_tasks, &t);
    for (unsigned i = 0; i < threads; i++)
        foreign_join(&calls[i]);
    CHECK_UINT(t.got + t.missed, ==, (RECEIVERS + threads) * t.rounds);
    CHECK_UINT(t.got, >, 0);
}

TEST_TIMEOUT(one_to_many, 60)
{
    EACH_WORKER_COUNT(i)
    {
        run_traffic((traffic){ .rounds = test_scale(4000) }, worker_counts[i], 0);
        run_traffic((traffic){ .rounds = test_scale(2000), .yields = true }, worker_counts[i], 2);
    }
}

TEST_TIMEOUT(cancel_storm, 60)
{
    EACH_WORKER_COUNT(i)
    run_traffic((traffic){ .rounds = test_scale(2000), .yields = true, .stormy = true },
                worker_counts[i], 2);
}

TEST_MAIN()
