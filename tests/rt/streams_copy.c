/* SPDX-License-Identifier: MIT */
/* Copies that keep what they have read and not written: after a cancel, after a failure of either
 * side, in both directions at once, the same call goes on and nothing is lost or told twice. */
#include "streams_test.h"

#include <stdlib.h>

static void check_counts(const edo_copy_state *st, uint64_t read, uint64_t written, bool ended)
{
    CHECK_UINT(st->read, ==, read);
    CHECK_UINT(st->written, ==, written);
    CHECK_INT(st->ended, ==, ended);
}

/* ---- a destination that refuses ---- */

typedef struct sink {
    size_t room, taken;
    int error;
} sink;

static ssize_t sink_write(void *ctx, const void *data, size_t n)
{
    sink *s = ctx;
    if (s->room == 0)
        return s->error;
    n = n < s->room ? n : s->room;
    for (size_t i = 0; i < n; i++) {
        char expected;
        fill_bytes(&expected, 1, s->taken + i);
        CHECK_INT(((const char *)data)[i], ==, expected);
    }
    s->room -= n;
    s->taken += n;
    return (ssize_t)n;
}

static const edo_stream_ops sink_ops = { .write = sink_write };

TEST(a_full_destination)
{
    dribble d;
    sink to = { .error = -ENOSPC };
    edo_stream *src = dribbles(&d, NULL, 1000, 77), *dst;
    edo_copy_state st = EDO_COPY_STATE_INIT;
    uint64_t copied = 1;
    edo_copy_options o = { .buffer_size = 100, .copied = &copied, .state = &st };
    CHECK_OK(edo_stream_create(&dst, &sink_ops, &to));
    int64_t rc;
    unsigned refusals = 0;
    while ((rc = edo_copy_with(dst, src, &o)) < 0) {
        CHECK_INT(rc, ==, -ENOSPC);
        CHECK_UINT(copied, ==, refusals == 0 ? 0 : 30);
        CHECK(st.read > st.written && st.read - st.written <= 100);
        CHECK_UINT(st.read, ==, d.at);
        CHECK_UINT(st.written, ==, to.taken);
        to.room = 30;
        refusals++;
        edo_close(dst); /* a stream that has failed takes no more */
        CHECK_OK(edo_stream_create(&dst, &sink_ops, &to));
    }
    CHECK_INT(rc, ==, 10); /* of this call */
    CHECK_UINT(refusals, ==, 34);
    check_counts(&st, 1000, 1000, true);
    CHECK_INT(edo_copy_with(dst, src, &o), ==, 0);
    edo_copy_state_deinit(&st);
    check_counts(&st, 0, 0, false);
    edo_copy_state_deinit(&st);
    edo_close(dst);
    edo_close(src);
}

/* The source fails in the middle; and without a state the same loses a buffer. */
TEST(a_source_that_fails)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        dribble d;
        sink to = { .error = -EIO };
        edo_stream *src = dribbles(&d, NULL, 500, 50), *dst;
        edo_copy_state st = EDO_COPY_STATE_INIT;
        edo_copy_options o = { .buffer_size = 64, .state = keeps ? &st : NULL };
        CHECK_OK(edo_stream_create(&dst, &sink_ops, &to));
        CHECK_INT(edo_copy_with(dst, src, &o), ==,
                  -EIO); /* of the destination: one piece is read */
        to.room = 5000;
        edo_close(dst);
        CHECK_OK(edo_stream_create(&dst, &sink_ops, &to));
        if (keeps) {
            d.n = 200;
            d.error = -ETIMEDOUT;
            CHECK_INT(edo_copy_with(dst, src, &o), ==, -ETIMEDOUT);
            check_counts(&st, 200, 200, false);
            d.n = 500;
            d.error = 0;
            CHECK_INT(edo_copy_with(dst, src, &o), ==, 300);
            check_counts(&st, 500, 500, true);
            CHECK_UINT(to.taken, ==, 500);
        } else {
            CHECK_UINT(d.at, ==, 50); /* gone */
            CHECK_UINT(to.taken, ==, 0);
        }
        edo_copy_state_deinit(&st);
        edo_close(dst);
        edo_close(src);
    }
}

/* With a limit nothing beyond it is read, in no call; the whole buffer is used again afterwards. */
TEST(limits_call_by_call)
{
    dribble d;
    sink to = { .room = SIZE_MAX };
    edo_stream *src = dribbles(&d, NULL, 300, 64), *dst;
    edo_copy_state st = EDO_COPY_STATE_INIT;
    edo_copy_options o = { .buffer_size = 64, .limit = 10, .state = &st };
    CHECK_OK(edo_stream_create(&dst, &sink_ops, &to));
    for (uint64_t n = 10; n <= 100; n += 10) {
        CHECK_INT(edo_copy_with(dst, src, &o), ==, 10);
        check_counts(&st, n, n, false);
        CHECK_UINT(d.at, ==, n);
    }
    unsigned reads = d.reads;
    o.limit = 0;
    CHECK_INT(edo_copy_with(dst, src, &o), ==, 200);
    CHECK_UINT(d.reads - reads, ==, 5); /* 64, 64, 64, 8 and the end */
    check_counts(&st, 300, 300, true);
    edo_copy_state_deinit(&st);
    edo_close(dst);
    edo_close(src);
}

/* ---- cancels ---- */

static int copies_under_cancels(void *arg)
{
    copying *c = arg;
    uint64_t random = test_seed() + 3;
    edo_copy_state st = EDO_COPY_STATE_INIT;
    int64_t rc;
    do {
        uint64_t n;
        edo_scope s;
        edo_copy_options o = { .buffer_size = 500, .copied = &n, .state = &st };
        edo_scope_open(&s, EDO_US(test_rand(&random) % 100));
        rc = edo_copy_with(c->to, c->from, &o);
        (void)edo_scope_close(&s, 0);
        c->copied += n;
        c->cancels += rc < 0;
        CHECK(rc >= 0 || rc == -ECANCELED);
        CHECK_UINT(st.written, ==, c->copied);
    } while (rc < 0);
    check_counts(&st, c->copied, c->copied, true);
    edo_copy_state_deinit(&st);
    return edo_shutdown(c->to);
}

static int copy_resumed(void *arg)
{
    (void)arg;
    check_copy_goes_on(copies_under_cancels);
    return 0;
}

TEST_TIMEOUT(a_copy_goes_on_after_a_cancel, 60)
{
    EACH_WORKERS(n) run_on(n, copy_resumed, NULL);
}

typedef struct proxy {
    edo_stream *a, *b;
    uint64_t there, back;
    unsigned cancels;
} proxy;

static int proxies_under_cancels(void *arg)
{
    proxy *p = arg;
    uint64_t random = test_seed() + 5;
    edo_copy_state st[2] = { EDO_COPY_STATE_INIT, EDO_COPY_STATE_INIT };
    edo_copy_options o = { .buffer_size = 400, .state = st };
    int rc;
    do {
        edo_copied n;
        edo_scope s;
        edo_scope_open(&s, EDO_US(test_rand(&random) % 150));
        rc = edo_copy_both_with(p->a, p->b, &o, &n);
        (void)edo_scope_close(&s, 0);
        CHECK(rc == 0 || rc == -ECANCELED);
        p->there += n.a_to_b;
        p->back += n.b_to_a;
        p->cancels += rc < 0;
    } while (rc < 0);
    check_counts(&st[0], p->there, p->there, true);
    check_counts(&st[1], p->back, p->back, true);
    edo_copy_state_deinit(&st[0]);
    edo_copy_state_deinit(&st[1]);
    return 0;
}

/* The way back is much longer: it goes on when the other has ended, through many calls. */
static int proxy_resumed(void *arg)
{
    (void)arg;
    edo_stream *client, *a, *b, *server;
    CHECK_OK(edo_duplex(&client, &a, 700));
    CHECK_OK(edo_duplex(&b, &server, 300));
    source there = { client, test_scale(100000), 2000, test_seed() };
    source back = { server, test_scale(800000), 3000, test_seed() + 1 };
    proxy p = { .a = a, .b = b };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, source_runs, &there));
    CHECK_OK(edo_spawn(&g, source_runs, &back));
    CHECK_OK(edo_spawn(&g, proxies_under_cancels, &p));
    check_stream(server, there.total);
    check_stream(client, back.total);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(p.there, ==, there.total);
    CHECK_UINT(p.back, ==, back.total);
    CHECK_UINT(p.cancels, >, 0);
    edo_stream *all[] = { client, a, b, server };
    for (int i = 0; i < 4; i++)
        edo_close(all[i]);
    return 0;
}

TEST_TIMEOUT(both_ways_go_on_after_a_cancel, 60)
{
    EACH_WORKERS(n) run_on(n, proxy_resumed, NULL);
}

TEST_MAIN()
