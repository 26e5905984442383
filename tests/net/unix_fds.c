/* SPDX-License-Identifier: MIT */
/* Descriptors that travel over Unix sockets: each arrives once, with its bytes, or is closed. */
#include "net_test.h"

#include <fcntl.h>
#include <sys/resource.h>

#define MARK "pipe"

/* The reading end of a pipe that has a number in it. */
static int numbered_pipe(unsigned number)
{
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC | O_NONBLOCK));
    CHECK_INT(write(p[1], &number, sizeof number), ==, sizeof number);
    close(p[1]);
    return p[0];
}

static void check_numbered(int fd, unsigned expected)
{
    unsigned number;
    int flags = fcntl(fd, F_GETFD);
    CHECK_OK(flags);
    CHECK((flags & FD_CLOEXEC) != 0);
    CHECK_INT(read(fd, &number, sizeof number), ==, sizeof number);
    CHECK_UINT(number, ==, expected);
    close(fd);
}

static void send_numbered(edo_stream *s, unsigned first, unsigned count)
{
    int fds[EDO_UNIX_FDS_MAX] = { 0 };
    for (unsigned i = 0; i < count; i++)
        fds[i] = numbered_pipe(first + i);
    CHECK_INT(edo_unix_send_fds(s, MARK, sizeof MARK, fds, count), ==, sizeof MARK);
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static void everywhere(edo_fn *fn)
{
    unsigned fds = count_fds();
    run_on(1, fn, NULL);
    run_on(2, fn, NULL);
    CHECK_INT(fn(NULL), ==, 0);
    CHECK_INT(count_fds(), ==, fds);
}

static int travel_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    int fds[EDO_UNIX_FDS_MAX] = { 0 };
    char buf[64];
    size_t count = 99;
    CHECK_OK(edo_unix_pair(&a, &b));
    static const unsigned counts[] = { 1, 2, 7, 0, 200 };
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        send_numbered(a, 5, counts[k]);
        CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, EDO_UNIX_FDS_MAX, &count), ==,
                  sizeof MARK);
        CHECK_MEM(buf, MARK, sizeof MARK);
        CHECK_UINT(count, ==, counts[k]);
        for (unsigned i = 0; i < count; i++)
            check_numbered(fds[i], 5 + i);
    }
    /* More than there is room for: the rest are closed. */
    unsigned before = count_fds();
    send_numbered(a, 1, 5);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, 2, &count), ==, sizeof MARK);
    CHECK_UINT(count, ==, 5);
    check_numbered(fds[0], 1);
    check_numbered(fds[1], 2);
    CHECK_INT(count_fds(), ==, before);
    /* Who does not ask does not get any. */
    send_numbered(a, 1, 3);
    CHECK_INT(edo_read(b, buf, sizeof buf), ==, sizeof MARK);
    CHECK_INT(count_fds(), ==, before);
    /* Two messages are not mixed up, and bytes without descriptors are only bytes. */
    send_numbered(a, 10, 1);
    send_numbered(a, 20, 1);
    CHECK_INT(edo_write(a, "x", 1), ==, 1);
    size_t have = 0, all = 2 * sizeof MARK + 1;
    unsigned seen = 0;
    while (have < all) {
        ssize_t n = edo_unix_recv_fds(b, buf, sizeof buf, fds, 8, &count);
        CHECK_INT(n, >, 0);
        have += (size_t)n;
        for (size_t i = 0; i < count; i++)
            check_numbered(fds[i], ++seen * 10);
    }
    CHECK_UINT(have, ==, all);
    CHECK_UINT(seen, ==, 2);
    edo_close(a);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, 8, &count), ==, 0);
    CHECK_UINT(count, ==, 0);
    edo_close(b);
    return 0;
}

TEST(travel)
{
    everywhere(travel_body);
}

static int refused_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b, *memory;
    int fds[EDO_UNIX_FDS_MAX + 1] = { -1 };
    char buf[8];
    size_t count = 7;
    CHECK_OK(edo_unix_pair(&a, &b));
    CHECK_OK(edo_stream_memory(&memory, "x", 1));
    CHECK_INT(edo_unix_send_fds(a, "x", 1, fds, 1), ==, -EBADF);
    CHECK_INT(edo_unix_send_fds(a, "x", 0, fds, 0), ==, -EINVAL);
    CHECK_INT(edo_unix_send_fds(a, "x", 1, fds, EDO_UNIX_FDS_MAX + 1), ==, -EINVAL);
    CHECK_INT(edo_unix_send_fds(memory, "x", 1, fds, 0), ==, -EOPNOTSUPP);
    CHECK_INT(edo_unix_recv_fds(memory, buf, 1, fds, 1, &count), ==, -EOPNOTSUPP);
    CHECK_UINT(count, ==, 0);
    CHECK_INT(edo_unix_recv_fds(b, buf, 0, fds, 1, &count), ==, -EINVAL);
    send_numbered(a, 1, 1); /* nothing of it has harmed the stream */
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, 1, &count), ==, -ECANCELED);
    CHECK_UINT(count, ==, 0);
    CHECK_INT(edo_unix_send_fds(a, "x", 1, NULL, 0), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, 1, &count), ==, sizeof MARK);
    CHECK_UINT(count, ==, 1);
    check_numbered(fds[0], 1);
    edo_listener *l;
    edo_stream *c;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(&c, address, NULL));
    CHECK_INT(edo_unix_send_fds(c, "x", 1, fds, 0), ==, -EOPNOTSUPP);
    CHECK_INT(edo_unix_recv_fds(c, buf, 1, fds, 1, &count), ==, -EOPNOTSUPP);
    edo_close(c);
    edo_listener_close(l);
    edo_close(memory);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST(refused)
{
    everywhere(refused_body);
}

/* More bytes than go at once: the descriptors come with the first of them. */
#define LONG 400000

static int sends_long(void *arg)
{
    char *data = malloc(LONG);
    int fds[3];
    CHECK(data != NULL);
    for (unsigned i = 0; i < 3; i++)
        fds[i] = numbered_pipe(i);
    for (size_t i = 0; i < LONG; i++)
        data[i] = (char)text_byte(4, i);
    CHECK_INT(edo_unix_send_fds(arg, data, LONG, fds, 3), ==, LONG);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    free(data);
    return 0;
}

static int long_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    unsigned char buf[4096];
    int fds[8];
    size_t have = 0, count, total = 0;
    CHECK_OK(edo_unix_pair(&a, &b));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, sends_long, a));
    while (have < LONG) {
        ssize_t n = edo_unix_recv_fds(b, buf, sizeof buf, fds, 8, &count);
        CHECK_INT(n, >, 0);
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, text_byte(4, have + (size_t)i));
        if (have > 0)
            CHECK_UINT(count, ==, 0);
        for (size_t i = 0; i < count; i++)
            check_numbered(fds[i], (unsigned)total++);
        have += (size_t)n;
    }
    CHECK_UINT(total, ==, 3);
    CHECK_OK(edo_group_close(&g));
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST(with_many_bytes)
{
    run_on(1, long_body, NULL);
    run_on(2, long_body, NULL);
}

/* Sent and received while calls are cut off anywhere: none is lost, none comes twice, none leaks. */
typedef struct courier {
    edo_stream *s;
    unsigned count;
    uint64_t seed;
} courier;

static int delivers(void *arg)
{
    courier *c = arg;
    uint64_t random = c->seed;
    for (unsigned i = 0; i < c->count; i++) {
        int fd = numbered_pipe(i);
        int n = -ETIMEDOUT;
        while (n == -ETIMEDOUT) {
            edo_scope s;
            edo_scope_open(&s, (int64_t)(test_rand(&random) % 60000));
            n = (int)edo_unix_send_fds(c->s, "!", 1, &fd, 1);
            n = edo_scope_close(&s, n);
        }
        CHECK_INT(n, ==, 1);
        close(fd);
    }
    return edo_shutdown(c->s);
}

static int storm_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    CHECK_OK(edo_unix_pair(&a, &b));
    courier c = { .s = a, .count = test_scale(2000), .seed = test_seed() };
    uint64_t random = c.seed + 1;
    unsigned got = 0;
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, delivers, &c));
    for (;;) {
        char buf[8];
        int fds[4];
        size_t count;
        edo_scope s;
        edo_scope_open(&s, (int64_t)(test_rand(&random) % 60000));
        int n = (int)edo_unix_recv_fds(b, buf, sizeof buf, fds, 4, &count);
        n = edo_scope_close(&s, n);
        if (n == -ETIMEDOUT) {
            CHECK_UINT(count, ==, 0);
            continue;
        }
        CHECK_OK(n);
        if (n == 0)
            break;
        CHECK_UINT(count, ==, (size_t)n);
        for (size_t i = 0; i < count; i++)
            check_numbered(fds[i], got++);
    }
    CHECK_UINT(got, ==, c.count);
    CHECK_OK(edo_group_close(&g));
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST_TIMEOUT(cut_off_anywhere, 60)
{
    unsigned fds = count_fds();
    run_on(1, storm_body, NULL);
    run_on(2, storm_body, NULL);
    CHECK_INT(count_fds(), ==, fds);
}

/* Whoever is cancelled while descriptors are on their way: closing lets the kernel drop them. */
static int on_their_way_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    CHECK_OK(edo_unix_pair(&a, &b));
    for (unsigned i = 0; i < 20; i++)
        send_numbered(a, i, 5);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST(on_their_way)
{
    everywhere(on_their_way_body);
}

/* This process has room for some of them only: it keeps none. */
static int no_room_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    int fds[8], spare[512], n = 0;
    char buf[8];
    size_t count;
    CHECK_OK(edo_unix_pair(&a, &b));
    send_numbered(a, 0, 4);
    send_numbered(a, 9, 1);
    while (n < 512 && (spare[n] = dup(0)) >= 0)
        n++;
    CHECK_INT(n, >, 2);
    CHECK_INT(n, <, 512);
    close(spare[--n]);
    close(spare[--n]);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof MARK, fds, 8, &count), ==, -EMFILE);
    CHECK_UINT(count, ==, 0);
    CHECK_INT(dup2(0, spare[n]), ==, spare[n]); /* both are free again */
    CHECK_INT(dup2(0, spare[n + 1]), ==, spare[n + 1]);
    n += 2;
    while (n > 0)
        close(spare[--n]);
    CHECK_INT(edo_unix_recv_fds(b, buf, sizeof buf, fds, 8, &count), ==, sizeof MARK);
    CHECK_UINT(count, ==, 1);
    check_numbered(fds[0], 9);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST(no_room_for_them)
{
    struct rlimit limit = { 100, 100 };
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    run_on(1, no_room_body, NULL);
}

TEST_MAIN()
