/* SPDX-License-Identifier: MIT */
/* Channels: order, hand-over, rendezvous, unbounded, close, limits. Storms are in chan_storm.c. */
#include "storm.h"

#include <stdlib.h>

static int bounded(void *arg)
{
    edo_chan *c;
    int v;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 3));
    CHECK_INT(edo_chan_recv_nowait(c, &v), ==, -EAGAIN);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_OK(edo_chan_send(c, &i));
        CHECK_UINT(edo_chan_len(c), ==, 3);
        CHECK_INT(edo_chan_send_nowait(c, &v), ==, -EAGAIN);
        for (int i = 0; i < 2; i++) {
            CHECK_OK(edo_chan_recv(c, &v));
            CHECK_INT(v, ==, i);
        }
        CHECK_OK(edo_chan_send_nowait(c, &(int){ 3 })); /* wraps around */
        for (int i = 2; i < 4; i++) {
            CHECK_OK(edo_chan_recv_nowait(c, &v));
            CHECK_INT(v, ==, i);
        }
        CHECK_UINT(edo_chan_len(c), ==, 0);
    }
    CHECK_OK(edo_chan_send(c, &v)); /* still inside when it is freed */
    CHECK_PTR(edo_chan_ref(c), ==, c);
    edo_chan_unref(c);
    edo_chan_unref(c);
    edo_chan_unref(NULL);
    return 0;
}

TEST(bounded_ring)
{
    run_on(1, bounded, NULL);
}

TEST(limits)
{
    edo_chan *c;
    CHECK_INT(edo_chan_create(&c, 65537, 1), ==, -EINVAL);
    CHECK_INT(edo_chan_create(&c, 8, SIZE_MAX / 8), ==, -EINVAL);
    CHECK_INT(edo_chan_create(&c, 2, SIZE_MAX / 2), ==, -EINVAL);
    CHECK_INT(edo_chan_create(&c, 65536, (size_t)1 << 60), ==, -EINVAL);
    CHECK_OK(edo_chan_create(&c, 65536, 0));
    edo_chan_unref(c);
    CHECK_OK(edo_chan_create(&c, 0, SIZE_MAX - 1));
    for (int i = 0; i < 1000; i++)
        CHECK_OK(edo_chan_send_nowait(c, NULL));
    CHECK_UINT(edo_chan_len(c), ==, 1000);
    edo_chan_unref(c);
}

/* Every size, through the store and straight from frame to frame. */
static int echo(void *arg)
{
    edo_chan **c = arg;
    unsigned char *b = malloc(65536);
    while (edo_chan_recv(c[0], b) == 0)
        CHECK_OK(edo_chan_send(c[1], b));
    free(b);
    edo_chan_close(c[1]);
    return 0;
}

static void check_size(size_t size, size_t cap)
{
    unsigned char *out = calloc(1, size + 1), *in = calloc(1, size + 1);
    edo_chan *c[2];
    edo_group g;
    CHECK_OK(edo_chan_create(&c[0], size, cap));
    CHECK_OK(edo_chan_create(&c[1], size, cap));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, echo, c));
    for (int i = 0; i < 9; i++) {
        for (size_t k = 0; k < size; k++)
            out[k] = (unsigned char)(i * 31 + (int)k);
        in[size] = 0x5a; /* nothing beyond is written */
        CHECK_OK(edo_chan_send(c[0], out));
        CHECK_OK(edo_chan_recv(c[1], in));
        CHECK_MEM(in, out, size);
        CHECK_INT(in[size], ==, 0x5a);
    }
    edo_chan_close(c[0]);
    CHECK_INT(edo_chan_recv(c[1], in), ==, -EPIPE);
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(c[0]);
    edo_chan_unref(c[1]);
    free(out);
    free(in);
}

static int all_sizes(void *arg)
{
    static const size_t sizes[] = { 0, 1, 3, 4, 7, 8, 9, 16, 24, 100, 4032, 4033, 65536 };
    static const size_t caps[] = { 0, 1, 5, EDO_UNBOUNDED };
    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < 4; k++)
            check_size(sizes[i], caps[k]);
    return 0;
}

TEST(value_sizes)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], all_sizes, NULL);
}

/* Grows over many blocks, drains, in waves of different height. */
static int waves(void *arg)
{
    size_t size = *(size_t *)arg;
    uint64_t sent = 0, received = 0, seed = test_seed(), v[32] = { 0 };
    edo_chan *c;
    CHECK_OK(edo_chan_create(&c, size, EDO_UNBOUNDED));
    for (int wave = 0; wave < 60; wave++) {
        uint64_t up = test_rand(&seed) % 3000, down = test_rand(&seed) % 3500;
        for (uint64_t i = 0; i < up; i++) {
            v[0] = sent++;
            CHECK_OK(edo_chan_send(c, v));
        }
        for (uint64_t i = 0; i < down && received < sent; i++) {
            CHECK_OK(edo_chan_recv(c, v));
            CHECK_UINT(v[0], ==, received);
            received++;
        }
        CHECK_UINT(edo_chan_len(c), ==, sent - received);
    }
    edo_chan_close(c);
    CHECK_INT(edo_chan_send(c, v), ==, -EPIPE);
    for (; received < sent; received++) {
        CHECK_OK(edo_chan_recv(c, v));
        CHECK_UINT(v[0], ==, received);
    }
    CHECK_INT(edo_chan_recv(c, v), ==, -EPIPE);
    edo_chan_unref(c);
    return 0;
}

TEST(unbounded_waves)
{
    run_on(1, waves, &(size_t){ 8 });
    run_on(1, waves, &(size_t){ 256 });
}

typedef struct line { /* who waits on a channel, in order */
    edo_chan *c;
    int *got;
    int *n;
    int number;
    int expected;
} line;

static int recv_in_line(void *arg)
{
    line *l = arg;
    int v = -1;
    CHECK_INT(edo_chan_recv(l->c, &v), ==, l->expected);
    if (l->expected == 0)
        l->got[l->number] = v;
    (*l->n)++;
    return 0;
}

static int send_in_line(void *arg)
{
    line *l = arg;
    CHECK_INT(edo_chan_send(l->c, &l->number), ==, l->expected);
    (*l->n)++;
    return 0;
}

static void spawn_line(edo_group *g, edo_fn *fn, line l, int n)
{
    CHECK_OK(edo_group_open(g, NULL));
    for (l.number = 0; l.number < n; l.number++) {
        CHECK_OK(edo_spawn_copy(g, fn, &l, sizeof l));
        settle();
    }
}

static int receivers_in_order(void *arg)
{
    size_t cap = *(size_t *)arg;
    int got[5] = { -1, -1, -1, -1, -1 }, n = 0;
    edo_chan *c;
    edo_group g;
    CHECK_OK(edo_chan_create(&c, sizeof(int), cap));
    spawn_line(&g, recv_in_line, (line){ c, got, &n, 0, 0 }, 5);
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_chan_send(c, &(int){ 100 + i }));
    CHECK_UINT(edo_chan_len(c), ==, 0); /* handed over, not stored */
    CHECK_OK(edo_group_close(&g));
    for (int i = 0; i < 5; i++)
        CHECK_INT(got[i], ==, 100 + i);
    edo_chan_unref(c);
    return 0;
}

static int senders_in_order(void *arg)
{
    size_t cap = *(size_t *)arg;
    int n = 0, v;
    edo_chan *c;
    edo_group g;
    CHECK_OK(edo_chan_create(&c, sizeof(int), cap));
    spawn_line(&g, send_in_line, (line){ c, NULL, &n, 0, 0 }, 5);
    CHECK_INT(n, ==, cap);
    CHECK_UINT(edo_chan_len(c), ==, cap);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(i % 2 ? edo_chan_recv(c, &v) : edo_chan_recv_nowait(c, &v));
        CHECK_INT(v, ==, i);
        settle();
        int through = i + 1 + (int)cap;
        CHECK_INT(n, ==, through < 5 ? through : 5);
    }
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(c);
    return 0;
}

TEST(first_come_first_served)
{
    static const size_t caps[] = { 0, 1, 2 };
    for (size_t i = 0; i < 3; i++) {
        run_on(1, receivers_in_order, (void *)&caps[i]);
        run_on(1, senders_in_order, (void *)&caps[i]);
    }
    run_on(1, receivers_in_order, &(size_t){ EDO_UNBOUNDED });
}

static int close_wakes(void *arg)
{
    int n = 0, v;
    edo_chan *c;
    edo_group g;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 0));
    spawn_line(&g, recv_in_line, (line){ c, NULL, &n, 0, -EPIPE }, 4);
    edo_chan_close(c);
    edo_chan_close(c);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(n, ==, 4);
    edo_chan_unref(c);

    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_chan_send(c, &(int){ 1 }));
    CHECK_OK(edo_chan_send(c, &(int){ 2 }));
    spawn_line(&g, send_in_line, (line){ c, NULL, &n, 0, -EPIPE }, 3);
    edo_chan_close(c);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(n, ==, 7);
    CHECK_INT(edo_chan_send_nowait(c, &v), ==, -EPIPE);
    for (int i = 1; i <= 2; i++) { /* what is inside can still be received, what waited is not */
        CHECK_OK(edo_chan_recv(c, &v));
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(edo_chan_recv(c, &v), ==, -EPIPE);
    CHECK_INT(edo_chan_recv_nowait(c, &v), ==, -EPIPE);
    edo_chan_unref(c);
    return 0;
}

TEST(close_wakes_everybody)
{
    run_on(1, close_wakes, NULL);
}

static int cancelled_before(void *arg)
{
    int v = 7;
    edo_chan *c;
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_chan_send(c, &v));
    CHECK_OK(edo_scope_open(&s, EDO_FOREVER));
    edo_scope_cancel(&s);
    CHECK_INT(edo_chan_send(c, &v), ==, -ECANCELED); /* there is room */
    CHECK_INT(edo_chan_recv(c, &v), ==, -ECANCELED); /* there is a value */
    CHECK_UINT(edo_chan_len(c), ==, 1);
    CHECK_OK(edo_chan_send_nowait(c, &v)); /* no checkpoint */
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_UINT(edo_chan_len(c), ==, 2);
    CHECK_OK(edo_chan_recv(c, &v));
    edo_chan_unref(c);
    return 0;
}

TEST(cancelled_is_without_effect)
{
    run_on(1, cancelled_before, NULL);
}

static int deadlines(void *arg)
{
    int v = 1;
    edo_chan *c;
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    int64_t before = edo_now();
    CHECK_OK(edo_scope_open(&s, EDO_SEC(3600)));
    CHECK_INT(edo_scope_close(&s, edo_chan_recv(c, &v)), ==, -ETIMEDOUT);
    CHECK_INT(edo_now() - before, >=, EDO_SEC(3600));
    CHECK_OK(edo_chan_send(c, &v));
    CHECK_OK(edo_scope_open(&s, EDO_SEC(3600)));
    CHECK_INT(edo_scope_close(&s, edo_chan_send(c, &v)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_chan_len(c), ==, 1);
    CHECK_OK(edo_chan_recv_nowait(c, &v));
    CHECK_OK(edo_chan_send_nowait(c, &v));
    edo_chan_unref(c);
    return 0;
}

TEST(deadline_ends_a_wait)
{
    run_on(1, deadlines, NULL);
}

/* A task whose operations are always ready lets others run. */
static int busy(void *arg)
{
    int v = 0, *stop = arg;
    edo_chan *c;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    while (!*stop) {
        CHECK_OK(edo_chan_send(c, &v));
        CHECK_OK(edo_chan_recv(c, &v));
    }
    edo_chan_unref(c);
    return 0;
}

static int stop_it(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static int cooperate(void *arg)
{
    int stop = 0;
    edo_group g;
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, busy, &stop));
    CHECK_OK(edo_spawn(&g, stop_it, &stop));
    return edo_group_close(&g);
}

TEST(always_ready_starves_nobody)
{
    run_on(1, cooperate, NULL);
}

TEST_MAIN()
