/* SPDX-License-Identifier: MIT */
/* Permits: slots held, used, given back; one line with the senders; close; storms. */
#include "storm.h"

#include <stdlib.h>

static int basics(void *arg)
{
    edo_chan *c;
    edo_permit p, q = EDO_PERMIT_INIT;
    int v = 1;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 3));
    CHECK_OK(edo_chan_reserve(c, &p));
    CHECK_UINT(edo_permit_left(&p), ==, 1);
    CHECK_UINT(edo_chan_room(c), ==, 2);
    CHECK_UINT(edo_chan_len(c), ==, 0);
    CHECK_OK(edo_chan_send(c, &v));
    CHECK_OK(edo_chan_reserve_nowait(c, &q));
    v = 2;
    CHECK_INT(edo_chan_send_nowait(c, &v), ==, -EAGAIN);
    edo_permit r;
    CHECK_INT(edo_chan_reserve_nowait(c, &r), ==, -EAGAIN);
    CHECK_UINT(edo_permit_left(&r), ==, 0);
    edo_permit_release(&r);
    edo_permit_send(&p, &v);
    CHECK_UINT(edo_permit_left(&p), ==, 0);
    edo_permit_release(&p); /* nothing is left to release */
    CHECK_INT(edo_chan_send_nowait(c, &v), ==, -EAGAIN);
    edo_permit_release(&q);
    CHECK_OK(edo_chan_send_nowait(c, &(int){ 3 }));
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(edo_chan_recv_nowait(c, &v));
        CHECK_INT(v, ==, i);
    }
    CHECK_OK(edo_chan_reserve_many(c, 3, &p));
    CHECK_UINT(edo_chan_room(c), ==, 0);
    for (int i = 0; i < 2; i++)
        edo_permit_send(&p, &i);
    CHECK_UINT(edo_permit_left(&p), ==, 1);
    edo_permit_release(&p);
    CHECK_UINT(edo_chan_room(c), ==, 1);
    CHECK_INT(edo_chan_reserve_many_nowait(c, 2, &p), ==, -EAGAIN);
    CHECK_INT(edo_chan_reserve_many(c, 4, &p), ==, -EINVAL);
    CHECK_INT(edo_chan_reserve_many(c, 0, &p), ==, 0);
    edo_permit_release(&p);
    edo_chan_unref(c);
    return 0;
}

TEST(slots_are_held)
{
    run_on(1, basics, NULL);
}

TEST(where_there_are_no_slots)
{
    edo_chan *c;
    edo_permit p;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 0));
    CHECK_INT(edo_chan_reserve(c, &p), ==, -ENOTSUP);
    CHECK_INT(edo_chan_reserve_nowait(c, &p), ==, -ENOTSUP);
    CHECK_UINT(edo_permit_left(&p), ==, 0);
    edo_chan_unref(c);
    CHECK_OK(edo_chan_create(&c, sizeof(int), EDO_UNBOUNDED));
    CHECK_INT(edo_chan_reserve_many(c, 2, &p), ==, -ENOTSUP);
    CHECK_INT(edo_chan_reserve_many_nowait(c, 2, &p), ==, -ENOTSUP);
    edo_chan_unref(c);
}

/* The line: who waits for room, in order; notes when it got it. */
typedef struct queuer {
    edo_chan *c;
    int number;
    size_t n; /* 0: a sender; else reserves so many */
    int *order, *done;
    int expected;
} queuer;

static int queue_up(void *arg)
{
    queuer *q = arg;
    edo_permit p;
    int rc = q->n == 0 ? edo_chan_send(q->c, &q->number) : edo_chan_reserve_many(q->c, q->n, &p);
    CHECK_INT(rc, ==, q->expected);
    q->order[(*q->done)++] = q->number;
    if (q->n != 0 && rc == 0) {
        for (size_t i = 0; i < q->n; i++)
            edo_permit_send(&p, &q->number);
    }
    return 0;
}

static void line_up(edo_group *g, queuer q)
{
    CHECK_OK(edo_spawn_copy(g, queue_up, &q, sizeof q));
    settle();
}

static int one_line(void *arg)
{
    static const size_t wants[] = { 0, 1, 2, 0, 1, 0, 2, 0 };
    int order[8], done = 0, v;
    edo_chan *c;
    edo_group g;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_chan_send(c, &(int){ -1 }));
    CHECK_OK(edo_chan_send(c, &(int){ -1 }));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 8; i++)
        line_up(&g, (queuer){ c, i, wants[i], order, &done, 0 });
    CHECK_INT(done, ==, 0);
    for (int got = 0; got < 2; got++) {
        CHECK_OK(edo_chan_recv(c, &v));
        settle(); /* so that they note it in the order in which they got it */
    }
    for (int i = 0; i < 8; i++) /* one value of each, in order; two of those that took two slots */
        for (size_t k = 0; k < (wants[i] == 2 ? 2 : 1); k++) {
            CHECK_OK(edo_chan_recv(c, &v));
            CHECK_INT(v, ==, i);
            settle();
        }
    CHECK_OK(edo_group_close(&g));
    for (int i = 0; i < 8; i++)
        CHECK_INT(order[i], ==, i);
    edo_chan_unref(c);
    return 0;
}

TEST(one_line_for_all)
{
    run_on(1, one_line, NULL);
}

/* A big request at the head holds up small ones, and its cancel lets them go. */
static int head_cancelled(void *arg)
{
    int order[4], done = 0, v;
    edo_chan *c;
    edo_group g, doomed;
    edo_permit held, p;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 3));
    CHECK_OK(edo_chan_reserve(c, &held));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_group_open(&doomed, NULL));
    line_up(&doomed, (queuer){ c, 0, 3, order, &done, -ECANCELED });
    CHECK_INT(edo_chan_send_nowait(c, &v), ==, -EAGAIN); /* there is room, but it comes first */
    CHECK_INT(edo_chan_reserve_nowait(c, &p), ==, -EAGAIN);
    /* into the outer group: the doomed one is cancelled alone */
    for (int i = 1; i < 3; i++)
        line_up(&g, (queuer){ c, i, (size_t)i - 1, order, &done, 0 });
    CHECK_INT(done, ==, 0);
    edo_group_cancel(&doomed);
    (void)edo_group_close(&doomed);
    settle();
    CHECK_INT(done, ==, 3);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(edo_chan_room(c), ==, 0);
    edo_permit_release(&held);
    CHECK_UINT(edo_chan_room(c), ==, 1);
    CHECK_OK(edo_chan_reserve_nowait(c, &p)); /* nobody is in the way any more */
    edo_permit_release(&p);
    edo_chan_unref(c);
    return 0;
}

TEST(who_leaves_the_line_lets_others_go)
{
    run_on(1, head_cancelled, NULL);
}

static int recv_one(void *arg)
{
    queuer *q = arg;
    int v = -1;
    CHECK_INT(edo_chan_recv(q->c, &v), ==, q->expected);
    q->order[(*q->done)++] = v;
    return 0;
}

/* All slots are held and nothing is inside: receivers wait, and are served by whoever sends. */
static int receivers_and_permits(void *arg)
{
    int order[4], done = 0;
    edo_chan *c;
    edo_group g;
    edo_permit held;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    CHECK_OK(edo_chan_reserve(c, &held));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_copy(&g, recv_one, &(queuer){ c, 0, 0, order, &done, 0 }, sizeof(queuer)));
    settle();
    CHECK_OK(edo_chan_send(c, &(int){ 10 })); /* straight to the receiver: needs no slot */
    settle();
    CHECK_INT(done, ==, 1);
    line_up(&g, (queuer){ c, 20, 1, order, &done, 0 }); /* waits for a slot */
    line_up(&g, (queuer){ c, 30, 0, order, &done, 0 }); /* and a sender behind it */
    CHECK_INT(done, ==, 1);
    int v;
    CHECK_OK(edo_chan_recv(c, &v)); /* the sender's: the reserver could not use a receiver */
    CHECK_INT(v, ==, 30);
    settle();
    CHECK_INT(done, ==, 2);
    CHECK_INT(edo_chan_recv_nowait(c, &v), ==, -EAGAIN);
    edo_permit_send(&held, &(int){ 40 });
    settle();
    CHECK_INT(done, ==, 2); /* the slot is full now */
    CHECK_OK(edo_chan_recv(c, &v));
    CHECK_INT(v, ==, 40);
    CHECK_OK(edo_chan_recv(c, &v));
    CHECK_INT(v, ==, 20);
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(c);
    return 0;
}

TEST(a_receiver_needs_no_slot)
{
    run_on(1, receivers_and_permits, NULL);
}

static int closing(void *arg)
{
    int order[4], done = 0, v;
    edo_chan *c;
    edo_group g;
    edo_permit p, q;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_chan_reserve(c, &p));
    CHECK_OK(edo_chan_reserve(c, &q));
    CHECK_OK(edo_group_open(&g, NULL));
    line_up(&g, (queuer){ c, 0, 2, order, &done, -EPIPE });
    line_up(&g, (queuer){ c, 1, 0, order, &done, -EPIPE });
    edo_chan_close(c);
    settle();
    CHECK_INT(done, ==, 2);
    edo_permit r;
    CHECK_INT(edo_chan_reserve(c, &r), ==, -EPIPE);
    CHECK_INT(edo_chan_reserve_nowait(c, &r), ==, -EPIPE);
    CHECK_INT(edo_chan_recv_nowait(c, &v), ==, -EAGAIN); /* permits are out: not the end yet */
    edo_permit_send(&p, &(int){ 5 });
    CHECK_OK(edo_chan_recv(c, &v));
    CHECK_INT(v, ==, 5);
    for (int i = 0; i < 2; i++)
        CHECK_OK(edo_spawn_copy(&g, recv_one, &(queuer){ c, 0, 0, order, &done, -EPIPE },
                                sizeof(queuer)));
    settle();
    CHECK_INT(done, ==, 2);
    edo_permit_release(&q); /* the last */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(done, ==, 4);
    CHECK_INT(edo_chan_recv(c, &v), ==, -EPIPE);
    edo_chan_unref(c);
    return 0;
}

TEST(permits_outlive_the_close)
{
    run_on(1, closing, NULL);
}

static int cancelled(void *arg)
{
    edo_chan *c;
    edo_scope s;
    edo_permit held, p;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_chan_reserve(c, &p)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_chan_room(c), ==, 1);
    CHECK_OK(edo_chan_reserve(c, &held));
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_chan_reserve(c, &p)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_permit_left(&p), ==, 0);
    edo_permit_release(&held);
    CHECK_UINT(edo_chan_room(c), ==, 1);
    edo_chan_unref(c);
    return 0;
}

TEST(cancelled_holds_nothing)
{
    run_on(1, cancelled, NULL);
}

/* Storm: senders, reservers of different size that use all, some or none, receivers; cancels. */
#define SENDERS 14

typedef struct traffic {
    edo_chan *c;
    size_t cap;
    unsigned rounds;
    unsigned char *marks; /* atomic: 1: sent, 2: received */
    bool stormy;
    storm storm;
} traffic;

typedef struct end {
    traffic *t;
    unsigned number;
    size_t n;
    edo_permit permit;
    uint64_t value;
} end;

static int reserve_op(void *arg)
{
    end *e = arg;
    return edo_chan_reserve_many(e->t->c, e->n, &e->permit);
}

static int send_op(void *arg)
{
    end *e = arg;
    return edo_chan_send(e->t->c, &e->value);
}

static int recv_op(void *arg)
{
    end *e = arg;
    return edo_chan_recv(e->t->c, &e->value);
}

static int run_op(end *e, unsigned slot, uint64_t *seed, edo_fn *op)
{
    return e->t->stormy ? storm_op(&e->t->storm, slot, seed, op, e) : op(e);
}

static void mark_sent(end *e)
{
    __atomic_fetch_or(&e->t->marks[e->value], 1, __ATOMIC_RELAXED);
    e->value++;
}

static int sender(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() + e.number, last = (e.number + 1) * (uint64_t)t->rounds;
    e.value = e.number * (uint64_t)t->rounds;
    while (e.value < last) {
        e.n = test_rand(&seed) % (t->cap + 1);
        int rc = run_op(&e, e.number, &seed, e.n == 0 ? send_op : reserve_op);
        if (rc == -ECANCELED)
            continue;
        CHECK_OK(rc);
        if (e.n == 0) {
            mark_sent(&e);
            continue;
        }
        if (test_rand(&seed) % 4 == 0 && !t->stormy)
            CHECK_OK(edo_yield());
        for (size_t use = test_rand(&seed) % (e.n + 1); use > 0 && e.value < last; use--) {
            edo_permit_send(&e.permit, &e.value);
            mark_sent(&e);
        }
        edo_permit_release(&e.permit);
    }
    edo_chan_sender_unref(t->c);
    return 0;
}

static int receiver(void *arg)
{
    end e = *(end *)arg;
    uint64_t seed = ~test_seed() + e.number;
    for (;;) {
        int rc = run_op(&e, 32 + e.number, &seed, recv_op);
        if (rc == -ECANCELED)
            continue;
        if (rc == -EPIPE)
            return 0;
        CHECK_OK(rc);
        CHECK_INT(__atomic_fetch_or(&e.t->marks[e.value], 2, __ATOMIC_RELAXED) & 2, ==, 0);
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

static void run_traffic(traffic t, unsigned workers, bool threads)
{
    foreign_call calls[4];
    end e[4];
    unsigned senders = SENDERS + (threads ? 2 : 0);
    CHECK_OK(edo_chan_create(&t.c, sizeof(uint64_t), t.cap));
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
    CHECK_UINT(edo_chan_room(t.c), ==, t.cap); /* no slot was lost */
    edo_chan_unref(t.c);
    free(t.marks);
}

TEST_TIMEOUT(many_to_many, 120)
{
    EACH_WORKER_COUNT(i)
    for (size_t cap = 1; cap <= 9; cap += 4)
        run_traffic((traffic){ .cap = cap, .rounds = test_scale(1500) }, worker_counts[i], false);
}

TEST_TIMEOUT(cancel_storm_with_threads, 120)
{
    EACH_WORKER_COUNT(i)
    for (size_t cap = 1; cap <= 9; cap += 4)
        run_traffic((traffic){ .cap = cap, .rounds = test_scale(400), .stormy = true },
                    worker_counts[i], true);
}

TEST_MAIN()
