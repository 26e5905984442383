/* SPDX-License-Identifier: MIT */
/* Streams in memory, streams of streams, and copying between them. */
#include "streams_test.h"

#include <sys/socket.h>
#include <unistd.h>

static int duplex_ends(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    char buf[16];
    CHECK_OK(edo_duplex(&a, &b, 8));
    CHECK_INT(edo_stream_fd(a), ==, -1);
    CHECK_INT(edo_write_some(a, "0123456789", 10), ==, 8);
    edo_scope s;
    edo_scope_open(&s, EDO_US(50));
    CHECK_INT(edo_write_some(a, "x", 1), ==, -ECANCELED);
    CHECK_INT(edo_read(a, buf, 1), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    struct iovec iov[] = { { buf, 0 }, { buf, 3 }, { buf + 3, 9 } };
    CHECK_INT(edo_readv(b, iov, 3), ==, 8);
    CHECK_MEM(buf, "01234567", 8);
    CHECK_INT(edo_write(b, "reply", 5), ==, 5);
    CHECK_OK(edo_shutdown(b)); /* half closed: the other way goes on */
    CHECK_INT(edo_write(b, "x", 1), ==, -EPIPE);
    CHECK_INT(edo_write(a, "more", 4), ==, 4);
    CHECK_INT(edo_read_full(a, buf, 5), ==, 5);
    CHECK_MEM(buf, "reply", 5);
    CHECK_INT(edo_read(a, buf, 5), ==, 0);
    CHECK_INT(edo_read(a, buf, 5), ==, 0);
    edo_close(a); /* what it has written stays */
    CHECK_INT(edo_read(b, buf, 16), ==, 4);
    CHECK_INT(edo_read(b, buf, 16), ==, 0);
    edo_close(b);

    CHECK_INT(edo_simplex(&a, &b, SIZE_MAX), ==, -EINVAL);
    CHECK_OK(edo_simplex(&a, &b, 0));
    CHECK_INT(edo_write(a, "x", 1), ==, -EBADF);
    CHECK_INT(edo_read(b, buf, 1), ==, -EBADF);
    CHECK_INT(edo_shutdown(a), ==, -EBADF);
    CHECK_INT(edo_write(b, "x", 1), ==, 1);
    edo_close(a);
    CHECK_INT(edo_write(b, "x", 1), ==, -EPIPE);
    edo_close(b);
    return 0;
}

TEST(duplex)
{
    run_on(1, duplex_ends, NULL);
    CHECK_OK(duplex_ends(NULL)); /* a foreign thread */
}

/* Closing one end wakes who waits at the other. */
static unsigned waiting;

static int writes_till_it_breaks(void *arg)
{
    ADD(&waiting, 1);
    CHECK_INT(edo_write(arg, "0123456789", 10), ==, -EPIPE);
    return 0;
}

static int reads_till_it_ends(void *arg)
{
    char c;
    ADD(&waiting, 1);
    CHECK_INT(edo_read(arg, &c, 1), ==, 0);
    return 0;
}

static int close_wakes(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        edo_stream *a, *b;
        CHECK_OK(edo_duplex(&a, &b, 4));
        STORE(&waiting, 0);
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, writes_till_it_breaks, a));
        CHECK_OK(edo_spawn(&g, reads_till_it_ends, a));
        if (i % 2 == 0)
            until(&waiting, 2);
        edo_close(b);
        CHECK_OK(edo_group_close(&g));
        edo_close(a);
    }
    return 0;
}

TEST(closing_wakes_the_other_end)
{
    EACH_WORKERS(n) run_on(n, close_wakes, NULL);
}

static int flows(void *arg)
{
    (void)arg;
    for (size_t capacity = 1; capacity < 200000; capacity = capacity * 30 + 1) {
        edo_stream *a, *b;
        CHECK_OK(edo_duplex(&a, &b, capacity));
        uint64_t total = test_scale(capacity < 100 ? 30000 : 3000000);
        source there = { a, total, 9000, test_seed() }, back = { b, total, 5000, test_seed() + 1 };
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, source_runs, &there));
        CHECK_OK(edo_spawn(&g, source_runs, &back));
        check_stream(b, total);
        check_stream(a, total);
        CHECK_OK(edo_group_close(&g));
        edo_close(a);
        edo_close(b);
    }
    return 0;
}

/* Both directions are read one after the other: with small rings one source waits long. */
TEST_TIMEOUT(both_directions, 60)
{
    EACH_WORKERS(n) run_on(n, flows, NULL);
}

/* Blocking code on foreign threads and on the blocking pool reads and writes as tasks do. */
static void *thread_writes(void *arg)
{
    CHECK_OK(source_runs(arg));
    return NULL;
}

static int blocking_reads(void *arg)
{
    source *s = arg;
    check_stream(s->s, s->total);
    return 0;
}

static int bridges(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    CHECK_OK(edo_duplex(&a, &b, 1000));
    source there = { a, test_scale(300000), 3000, test_seed() };
    source reads = { .s = b, .total = there.total };
    source back = { b, there.total, 3000, test_seed() };
    pthread_t thread;
    thread_start(&thread, thread_writes, &there);
    CHECK_OK(edo_blocking(blocking_reads, &reads));
    thread_join(thread);
    thread_start(&thread, thread_writes, &back); /* a task at this end */
    check_stream(a, back.total);
    thread_join(thread);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST_TIMEOUT(foreign_threads, 60)
{
    run_on(1, bridges, NULL);
    run_on(2, bridges, NULL);
}

typedef struct counts {
    uint64_t n, sum;
    unsigned closed;
} counts;

static int count_close(void *ctx)
{
    ((counts *)ctx)->closed++;
    return -EIO;
}

static void count(void *ctx, const void *data, size_t n)
{
    counts *c = ctx;
    c->n += n;
    for (size_t i = 0; i < n; i++)
        c->sum += ((const unsigned char *)data)[i];
}

TEST(own_streams)
{
    static const edo_stream_ops nothing = { .close = count_close };
    counts c = { 0 };
    edo_stream *s, *same;
    char buf[4] = "abc";
    CHECK_OK(edo_stream_create(&s, &nothing, &c));
    CHECK_INT(edo_read(s, buf, 1), ==, -EBADF);
    CHECK_INT(edo_write(s, buf, 1), ==, -EBADF);
    CHECK_INT(edo_write(s, buf, 1), ==, -EPIPE); /* broken by the failure before */
    CHECK_OK(edo_shutdown(s));
    CHECK_OK(edo_stream_borrow(&same, s));
    CHECK_OK(edo_close(same));
    CHECK_UINT(c.closed, ==, 0);
    CHECK_INT(edo_close(s), ==, -EIO);
    CHECK_UINT(c.closed, ==, 1);
}

TEST(limit_and_chain)
{
    dribble d1, d2;
    edo_stream *head = dribbles(&d1, "head ", 5, 2), *body = dribbles(&d2, "body rest", 9, 3);
    edo_stream *same, *part, *all;
    char buf[32];
    CHECK_OK(edo_stream_borrow(&same, body));
    CHECK_OK(edo_stream_limit(&part, same, 4));
    edo_stream *parts[] = { head, part };
    CHECK_OK(edo_stream_chain(&all, parts, 2));
    CHECK_INT(edo_read_full(all, buf, 9), ==, 9);
    CHECK_MEM(buf, "head body", 9);
    CHECK_INT(edo_read(all, buf, 1), ==, 0);
    CHECK_INT(edo_write(all, buf, 1), ==, -EBADF);
    CHECK_OK(edo_close(all));
    CHECK_INT(edo_read_full(body, buf, 5), ==, 5); /* behind the limit nothing was taken */
    CHECK_MEM(buf, " rest", 5);
    edo_close(body);
    CHECK_OK(edo_stream_chain(&all, NULL, 0));
    CHECK_INT(edo_read(all, buf, 1), ==, 0);
    edo_close(all);
}

TEST(simple_streams)
{
    edo_stream *s;
    char buf[300];
    CHECK_OK(edo_stream_null(&s));
    CHECK_INT(edo_read(s, buf, 1), ==, 0);
    CHECK_INT(edo_write(s, buf, 300), ==, 300);
    edo_close(s);
    CHECK_OK(edo_stream_repeat(&s, 'z'));
    CHECK_INT(edo_read_full(s, buf, 300), ==, 300);
    for (int i = 0; i < 300; i++)
        CHECK_INT(buf[i], ==, 'z');
    CHECK_INT(edo_write(s, buf, 1), ==, -EBADF);
    edo_close(s);
    CHECK_OK(edo_stream_memory(&s, "hello", 5));
    CHECK_INT(edo_read_full(s, buf, 5), ==, 5);
    CHECK_MEM(buf, "hello", 5);
    CHECK_INT(edo_read(s, buf, 1), ==, 0);
    edo_close(s);
}

TEST(inspect)
{
    edo_stream *a, *b, *s;
    counts in = { 0 };
    char buf[32];
    CHECK_OK(edo_duplex(&a, &b, 7));
    CHECK_OK(edo_stream_inspect(&s, a, count, count, &in));
    CHECK_INT(edo_write_some(s, "0123456789", 10), ==, 7);
    CHECK_UINT(in.n, ==, 7);
    CHECK_UINT(in.sum, ==, 7 * '0' + 21);
    CHECK_INT(edo_write(b, "abc", 3), ==, 3);
    struct iovec iov[] = { { buf, 1 }, { buf + 1, 20 } };
    CHECK_INT(edo_readv(s, iov, 2), ==, 3);
    CHECK_UINT(in.n, ==, 10);
    CHECK_UINT(in.sum, ==, 7 * '0' + 21 + 'a' + 'b' + 'c');
    edo_close(s);
    CHECK_INT(edo_read_full(b, buf, 7), ==, 7);
    CHECK_INT(edo_read(b, buf, 1), ==, 0); /* closed with the one above it */
    edo_close(b);
}

TEST(a_reader_left_behind)
{
    for (size_t piece = 1; piece < 40; piece++) {
        dribble d;
        edo_stream *below = dribbles(&d, "upgrade\nraw bytes follow", 24, piece), *s;
        edo_reader r;
        char *line, buf[32];
        CHECK_OK(edo_reader_init(&r, below, NULL));
        CHECK_INT(edo_reader_line(&r, &line, NULL), ==, 1);
        CHECK_OK(edo_stream_from_reader(&s, &r));
        CHECK_INT(edo_read_full(s, buf, 16), ==, 16);
        CHECK_MEM(buf, "raw bytes follow", 16);
        CHECK_INT(edo_read(s, buf, 1), ==, 0);
        edo_close(s);
    }
}

static void os_pipe(edo_stream **r, edo_stream **w)
{
    int fd[2];
    CHECK_OK(pipe(fd));
    CHECK_OK(edo_stream_from_fd(r, fd[0]));
    CHECK_OK(edo_stream_from_fd(w, fd[1]));
}

TEST(joined_pipes)
{
    edo_stream *r1, *w1, *r2, *w2, *s;
    char buf[8];
    os_pipe(&r1, &w1);
    os_pipe(&r2, &w2);
    CHECK_OK(edo_stream_join(&s, r1, w2));
    CHECK_INT(edo_write(w1, "in", 2), ==, 2);
    CHECK_INT(edo_read(s, buf, 8), ==, 2);
    CHECK_INT(edo_write(s, "out", 3), ==, 3);
    CHECK_OK(edo_shutdown(s)); /* a pipe: closes it */
    CHECK_OK(edo_shutdown(s));
    CHECK_INT(edo_write(s, "x", 1), ==, -EPIPE);
    CHECK_INT(edo_read_full(r2, buf, 3), ==, 3);
    CHECK_INT(edo_read(r2, buf, 1), ==, 0);
    CHECK_INT(edo_write(w1, "on", 2), ==, 2); /* the other way goes on */
    CHECK_INT(edo_read(s, buf, 8), ==, 2);
    edo_close(s);
    edo_close(w1);
    edo_close(r2);
}

TEST(copies_and_limits)
{
    for (uint64_t n = 0; n < 70; n++) {
        for (size_t piece = 1; piece < 30; piece += 4) {
            dribble d;
            edo_stream *src = dribbles(&d, NULL, 60, piece), *r, *w;
            uint64_t copied = 7, all = n < 60 ? n : 60;
            CHECK_OK(edo_simplex(&r, &w, 1000));
            edo_copy_options o = { .buffer_size = 16, .limit = n, .copied = &copied };
            if (piece % 8 == 1)
                CHECK_INT(edo_copy_n(w, src, n), ==, all);
            else
                CHECK_INT(edo_copy_with(w, src, &o), ==, all = n == 0 ? 60 : all);
            CHECK(piece % 8 == 1 || copied == all);
            CHECK_UINT(d.at, ==, all); /* nothing was read beyond it */
            edo_close(w);
            check_stream(r, all);
            edo_close(src);
            edo_close(r);
        }
    }
    dribble d;
    edo_stream *src = dribbles(&d, NULL, 100000, 777), *r, *w;
    CHECK_OK(edo_simplex(&r, &w, 200000));
    d.error = -EIO;
    uint64_t copied;
    CHECK_INT(edo_copy_with(w, src, &(edo_copy_options){ .copied = &copied }), ==, -EIO);
    CHECK_UINT(copied, ==, 100000);
    edo_close(r);
    d.at = 0;
    CHECK_INT(edo_copy(w, src), ==, -EPIPE);
    edo_close(w);
    edo_close(src);
}

/* edo_reader_copy() under random deadlines: all arrives, in order, once. */
static int copies_under_cancels(void *arg)
{
    copying *c = arg;
    uint64_t random = test_seed() + 3;
    edo_reader r;
    CHECK_OK(edo_reader_init(&r, c->from, &(edo_reader_options){ .size = 500 }));
    int rc;
    do {
        uint64_t n;
        edo_scope s;
        edo_scope_open(&s, EDO_US(test_rand(&random) % 100));
        rc = edo_reader_copy(&r, c->to, UINT64_MAX, &n);
        (void)edo_scope_close(&s, 0);
        c->copied += n;
        c->cancels += rc < 0;
        CHECK(rc == 0 || rc == -ECANCELED);
    } while (rc < 0);
    edo_reader_deinit(&r);
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
    edo_copied copied;
    int rc;
} proxy;

static int proxies(void *arg)
{
    proxy *p = arg;
    p->rc = edo_copy_both_with(p->a, p->b, NULL, &p->copied);
    return 0;
}

/* One side ends first; the other direction goes on after that. */
static int half_closes(void *arg)
{
    (void)arg;
    edo_stream *client, *a, *b, *server;
    CHECK_OK(edo_duplex(&client, &a, 100));
    CHECK_OK(edo_duplex(&b, &server, 100));
    proxy p = { .a = a, .b = b };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, proxies, &p));
    source request = { client, 3000, 500, test_seed() };
    CHECK_OK(edo_spawn(&g, source_runs, &request));
    check_stream(server, 3000);
    source reply = { server, 5000, 500, test_seed() };
    CHECK_OK(edo_spawn(&g, source_runs, &reply));
    check_stream(client, 5000);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(p.rc, ==, 0);
    CHECK_UINT(p.copied.a_to_b, ==, 3000);
    CHECK_UINT(p.copied.b_to_a, ==, 5000);
    edo_stream *all[] = { client, a, b, server };
    for (int i = 0; i < 4; i++)
        edo_close(all[i]);
    return 0;
}

/* A failure ends both directions, one of which waits; so does a cancel. */
static int copy_both_fails(void *arg)
{
    (void)arg;
    dribble d;
    edo_stream *a = dribbles(&d, NULL, 10, 100), *b, *server;
    d.error = -ECONNRESET;
    CHECK_OK(edo_duplex(&b, &server, 0));
    edo_copied n;
    CHECK_INT(edo_copy_both_with(a, b, NULL, &n), ==, -ECONNRESET);
    CHECK_UINT(n.a_to_b, ==, 10);
    CHECK_UINT(n.b_to_a, ==, 0);
    edo_stream *idle, *far;
    CHECK_OK(edo_duplex(&idle, &far, 0));
    edo_scope s;
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_copy_both(idle, b), ==, -ECANCELED);
    CHECK_INT(edo_copy_both(idle, b), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    edo_stream *all[] = { a, b, server, idle, far };
    for (int i = 0; i < 5; i++)
        edo_close(all[i]);
    return 0;
}

TEST_TIMEOUT(copy_both, 60)
{
    EACH_WORKERS(n)
    {
        run_on(n, half_closes, NULL);
        run_on(n, copy_both_fails, NULL);
    }
    edo_stream *s;
    CHECK_OK(edo_stream_null(&s));
    CHECK_INT(edo_copy_both(s, s), ==, -EPERM); /* not a task */
    edo_close(s);
}

/* A socket that goes away with bytes unread while both directions are under way. */
static int closes_after(void *arg)
{
    proxy *p = arg;
    (void)proxies(p);
    return edo_close(p->b); /* the server's writes end by that */
}

static int resets(void *arg)
{
    (void)arg;
    int fd[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
    edo_stream *client, *server;
    proxy p = { 0 };
    CHECK_OK(edo_stream_from_fd(&p.a, fd[0]));
    CHECK_OK(edo_stream_from_fd(&client, fd[1]));
    CHECK_OK(edo_duplex(&p.b, &server, 16));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, closes_after, &p));
    char buf[64] = "";
    CHECK_INT(edo_write(client, buf, 8), ==, 8);
    CHECK_INT(edo_write(server, buf, 64), ==, 64);
    edo_close(client);
    while (edo_write(server, buf, 64) == 64)
        ;
    CHECK_OK(edo_group_close(&g));
    CHECK(p.rc == -EPIPE || p.rc == -ECONNRESET);
    edo_close(server);
    edo_close(p.a);
    return 0;
}

TEST_TIMEOUT(copy_both_under_resets, 60)
{
    EACH_WORKERS(n) for (int i = 0; i < 20; i++) run_on(n, resets, NULL);
}

TEST_MAIN()
