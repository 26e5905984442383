/* SPDX-License-Identifier: MIT */
/* Channels: several values at once, the ends that close them, and what a channel tells of itself. */
#include "storm.h"

#include <stdlib.h>

static const size_t caps[] = { 0, 1, 7, 100, EDO_UNBOUNDED };
#define EACH_CAP(i_) for (size_t i_ = 0; i_ < sizeof caps / sizeof *caps; i_++)

static void fill(int *v, int from, int n)
{
    for (int i = 0; i < n; i++)
        v[i] = from + i;
}

static int takes_what_is_there(void *arg)
{
    int in[100], out[100];
    edo_chan *c;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 80));
    CHECK_INT(edo_chan_recv_many_nowait(c, out, 10), ==, -EAGAIN);
    CHECK_INT(edo_chan_recv_many_nowait(c, out, 0), ==, 0);
    CHECK_INT(edo_chan_recv_many(c, out, 0), ==, 0);
    CHECK_INT(edo_chan_send_many(c, in, 0), ==, 0);
    for (int round = 0; round < 5; round++) { /* the ring wraps around; more than a batch */
        fill(in, round * 100, 100);
        CHECK_INT(edo_chan_send_many_nowait(c, in, 100), ==, 80);
        CHECK_INT(edo_chan_send_many_nowait(c, in, 1), ==, -EAGAIN);
        CHECK_INT(edo_chan_recv_many(c, out, 3), ==, 3);
        CHECK_INT(edo_chan_recv_many(c, out + 3, 97), ==, 77);
        for (int i = 0; i < 80; i++)
            CHECK_INT(out[i], ==, round * 100 + i);
    }
    CHECK_INT(edo_chan_send_many(c, in, 50), ==, 50);
    edo_chan_close(c);
    CHECK_INT(edo_chan_send_many(c, in, 5), ==, -EPIPE);
    CHECK_INT(edo_chan_send_many_nowait(c, in, 5), ==, -EPIPE);
    CHECK_INT(edo_chan_recv_many(c, out, 100), ==, 50);
    CHECK_INT(edo_chan_recv_many(c, out, 100), ==, -EPIPE);
    CHECK_INT(edo_chan_recv_many_nowait(c, out, 100), ==, -EPIPE);
    edo_chan_unref(c);

    CHECK_OK(edo_chan_create(&c, 0, 9)); /* values without bytes */
    CHECK_INT(edo_chan_send_many(c, NULL, 5), ==, 5);
    CHECK_INT(edo_chan_recv_many(c, NULL, 9), ==, 5);
    edo_chan_unref(c);
    return 0;
}

TEST(takes_what_is_there)
{
    run_on(1, takes_what_is_there, NULL);
}

typedef struct pipe_of {
    edo_chan *c;
    int n;
} pipe_of;

static int send_all(void *arg)
{
    pipe_of *p = arg;
    int *v = malloc((size_t)p->n * sizeof *v);
    fill(v, 0, p->n);
    CHECK_INT(edo_chan_send_many(p->c, v, (size_t)p->n), ==, p->n);
    edo_chan_close(p->c);
    free(v);
    return 0;
}

/* Both sides wait for each other again and again; nothing is lost, order is kept. */
static int both_sides(void *arg)
{
    size_t cap = *(size_t *)arg;
    pipe_of p = { .n = 1000 };
    int v[90], next = 0, n;
    edo_group g;
    CHECK_OK(edo_chan_create(&p.c, sizeof(int), cap));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, send_all, &p));
    for (size_t max = 1; (n = edo_chan_recv_many(p.c, v, max)) > 0; max = max % 90 + 1) {
        CHECK_UINT(n, <=, max);
        for (int i = 0; i < n; i++)
            CHECK_INT(v[i], ==, next++);
    }
    CHECK_INT(n, ==, -EPIPE);
    CHECK_INT(next, ==, 1000);
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(p.c);
    return 0;
}

TEST(waits_for_the_first)
{
    EACH_WORKER_COUNT(i)
    EACH_CAP(k) run_on(worker_counts[i], both_sides, (void *)&caps[k]);
}

static int one_sender(void *arg)
{
    pipe_of *p = arg;
    return edo_chan_send(p->c, &p->n);
}

/* Senders that wait are served in their order, all in one call. */
static int drains_the_line(void *arg)
{
    size_t cap = *(size_t *)arg;
    edo_chan *c;
    edo_group g;
    int v[60];
    CHECK_OK(edo_chan_create(&c, sizeof(int), cap));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 50; i++) {
        CHECK_OK(edo_spawn_copy(&g, one_sender, &(pipe_of){ c, i }, sizeof(pipe_of)));
        settle();
    }
    CHECK_INT(edo_chan_recv_many(c, v, 60), ==, 50);
    for (int i = 0; i < 50; i++)
        CHECK_INT(v[i], ==, i);
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(c);
    return 0;
}

TEST(drains_those_who_wait)
{
    EACH_CAP(k) run_on(1, drains_the_line, (void *)&caps[k]);
}

static int cancelled(void *arg)
{
    int v[4] = { 1, 2, 3, 4 };
    edo_chan *c;
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_chan_recv_many(c, v, 4)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_chan_send_many(c, v, 4)), ==, 2); /* what was done */
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_chan_send_many(c, v, 4)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_chan_recv_many(c, v, 4)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_chan_len(c), ==, 2);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_chan_wait_closed(c)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_chan_wait_closed(c)), ==, -ETIMEDOUT);
    edo_chan_unref(c);
    return 0;
}

TEST(cancelled_on_the_way)
{
    run_on(1, cancelled, NULL);
}

static int waits_closed(void *arg)
{
    pipe_of *p = arg;
    CHECK_OK(edo_chan_wait_closed(p->c));
    p->n++;
    return 0;
}

static int ends(void *arg)
{
    int v = 0;
    pipe_of p;
    edo_group g;
    (void)arg;
    CHECK_OK(edo_chan_create(&p.c, sizeof(int), 2));
    p.n = 0;
    CHECK_INT(edo_chan_closed(p.c), ==, false);
    CHECK_UINT(edo_chan_capacity(p.c), ==, 2);
    CHECK_OK(edo_chan_sender_ref(p.c));
    CHECK_OK(edo_chan_sender_ref(p.c));
    CHECK_OK(edo_chan_receiver_ref(p.c));
    CHECK_UINT(edo_chan_senders(p.c), ==, 2);
    CHECK_UINT(edo_chan_receivers(p.c), ==, 1);
    CHECK_OK(edo_chan_send(p.c, &v));
    CHECK_UINT(edo_chan_room(p.c), ==, 1);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, waits_closed, &p));
    CHECK_OK(edo_spawn(&g, waits_closed, &p));
    settle();
    edo_chan_sender_unref(p.c);
    settle();
    CHECK_INT(p.n, ==, 0);
    edo_chan_sender_unref(p.c); /* the last */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(p.n, ==, 2);
    CHECK_OK(edo_chan_wait_closed(p.c));
    CHECK(edo_chan_closed(p.c));
    CHECK_INT(edo_chan_sender_ref(p.c), ==, -EPIPE);
    CHECK_INT(edo_chan_receiver_ref(p.c), ==, -EPIPE);
    CHECK_OK(edo_chan_recv(p.c, &v));
    CHECK_INT(edo_chan_recv(p.c, &v), ==, -EPIPE);
    edo_chan_receiver_unref(p.c);
    edo_chan_unref(p.c);
    edo_chan_sender_unref(NULL);
    edo_chan_receiver_unref(NULL);

    CHECK_OK(edo_chan_create(&p.c, sizeof(int), EDO_UNBOUNDED));
    CHECK_UINT(edo_chan_room(p.c), ==, EDO_UNBOUNDED);
    CHECK_UINT(edo_chan_capacity(p.c), ==, EDO_UNBOUNDED);
    CHECK_OK(edo_chan_receiver_ref(p.c));
    edo_chan_receiver_unref(p.c);
    CHECK_INT(edo_chan_send(p.c, &v), ==, -EPIPE);
    edo_chan_unref(p.c);
    return 0;
}

TEST(the_last_end_closes)
{
    run_on(1, ends, NULL);
}

/* Many to many in batches, with cancels: every value that was sent comes out once. */
#define SENDERS 12
#define BATCH 40

typedef struct traffic {
    edo_chan *c;
    unsigned rounds;
    unsigned char *marks; /* atomic: 1: sent, 2: received */
    bool stormy;
    storm storm;
} traffic;

typedef struct end {
    traffic *t;
    unsigned number;
    unsigned n;
    uint64_t values[BATCH];
} end;

static int send_some(void *arg)
{
    end *e = arg;
    return edo_chan_send_many(e->t->c, e->values, e->n);
}

static int recv_some(void *arg)
{
    end *e = arg;
    return edo_chan_recv_many(e->t->c, e->values, e->n);
}

static int sender(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() + e.number;
    for (unsigned i = 0; i < t->rounds;) {
        unsigned left = t->rounds - i;
        e.n = (unsigned)(test_rand(&seed) % BATCH) + 1;
        e.n = e.n < left ? e.n : left;
        for (unsigned k = 0; k < e.n; k++)
            e.values[k] = (uint64_t)e.number * t->rounds + i + k;
        int rc = t->stormy ? storm_op(&t->storm, e.number, &seed, send_some, &e) : send_some(&e);
        if (rc == -ECANCELED)
            continue;
        CHECK_INT(rc, >, 0);
        for (unsigned k = 0; k < (unsigned)rc; k++)
            __atomic_fetch_or(&t->marks[e.values[k]], 1, __ATOMIC_RELAXED);
        i += (unsigned)rc;
    }
    edo_chan_sender_unref(t->c);
    return 0;
}

static int receiver(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = ~test_seed() + e.number;
    for (;;) {
        e.n = (unsigned)(test_rand(&seed) % BATCH) + 1;
        int rc =
            t->stormy ? storm_op(&t->storm, 32 + e.number, &seed, recv_some, &e) : recv_some(&e);
        if (rc == -ECANCELED)
            continue;
        if (rc == -EPIPE)
            return 0;
        CHECK_INT(rc, >, 0);
        for (int k = 0; k < rc; k++)
            CHECK_INT(__atomic_fetch_or(&t->marks[e.values[k]], 2, __ATOMIC_RELAXED) & 2, ==, 0);
    }
}

static int all_tasks(void *arg)
{
    traffic *t = arg;
    edo_group g;
    storm_begin(&t->storm, t->stormy);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < SENDERS; i++)
        CHECK_OK(edo_spawn_copy(&g, sender, &(end){ .t = t, .number = i }, sizeof(end)));
    for (unsigned i = 0; i < SENDERS; i++)
        CHECK_OK(edo_spawn_copy(&g, receiver, &(end){ .t = t, .number = i }, sizeof(end)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&t->storm);
}

static void run_traffic(traffic t, unsigned workers, size_t cap, bool threads)
{
    foreign_call calls[4];
    end e[4];
    unsigned senders = SENDERS + (threads ? 2 : 0);
    CHECK_OK(edo_chan_create(&t.c, sizeof(uint64_t), cap));
    t.marks = calloc(senders, t.rounds);
    for (unsigned i = 0; i < senders; i++)
        CHECK_OK(edo_chan_sender_ref(t.c));
    for (unsigned i = 0; threads && i < 4; i++) {
        e[i] = (end){ .t = &t, .number = SENDERS + i / 2 };
        foreign_start(&calls[i], i % 2 == 0 ? sender : receiver, &e[i]);
    }
    run_on(workers, all_tasks, &t);
    for (unsigned i = 0; threads && i < 4; i++)
        foreign_join(&calls[i]);
    for (unsigned i = 0; i < senders * t.rounds; i++)
        CHECK_INT(t.marks[i], ==, 3);
    edo_chan_unref(t.c);
    free(t.marks);
}

TEST_TIMEOUT(many_to_many, 120)
{
    EACH_WORKER_COUNT(i)
    EACH_CAP(k)
    run_traffic((traffic){ .rounds = test_scale(3000) }, worker_counts[i], caps[k], false);
}

TEST_TIMEOUT(cancel_storm_with_threads, 120)
{
    EACH_WORKER_COUNT(i)
    EACH_CAP(k)
    run_traffic((traffic){ .rounds = test_scale(600), .stormy = true }, worker_counts[i], caps[k],
                true);
}

TEST_MAIN()
