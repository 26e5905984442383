/* SPDX-License-Identifier: MIT */
/* TCP at its edges: refusals, half close, resets, options, names, running out of descriptors. */
#include "net_test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

typedef struct pair {
    edo_listener *l;
    edo_stream *client, *server;
} pair;

static pair connected(const edo_tcp_options *options)
{
    pair p;
    char address[32];
    CHECK_OK(edo_tcp_listen(&p.l, "127.0.0.1:0", options));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(p.l));
    CHECK_OK(edo_tcp_connect(&p.client, address, options));
    CHECK_OK(edo_accept(p.l, &p.server));
    return p;
}

static void disconnect(pair *p)
{
    edo_close(p->client);
    edo_close(p->server);
    edo_listener_close(p->l);
}

static int half_close_body(void *arg)
{
    (void)arg;
    pair p = connected(NULL);
    char c = 0;
    CHECK_OK(edo_shutdown(p.client));
    CHECK_INT(edo_read(p.server, &c, 1), ==, 0);
    CHECK_INT(edo_read(p.server, &c, 1), ==, 0);
    CHECK_INT(edo_write(p.server, "answer", 6), ==, 6);
    char answer[8] = { 0 };
    CHECK_INT(edo_read_full(p.client, answer, 6), ==, 6);
    CHECK_STR(answer, "answer");
    CHECK_INT(edo_write(p.client, "x", 1), ==, -EPIPE);
    CHECK_INT(edo_write(p.client, "x", 1), ==, -EPIPE);
    disconnect(&p);
    return 0;
}

TEST(half_close)
{
    run_on(2, half_close_body, NULL);
}

static int reset_body(void *arg)
{
    (void)arg;
    pair p = connected(NULL);
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    CHECK_OK(setsockopt(edo_stream_fd(p.server), SOL_SOCKET, SO_LINGER, &now, sizeof now));
    edo_close(p.server);
    p.server = NULL;
    char c;
    CHECK_INT(edo_read(p.client, &c, 1), ==, -ECONNRESET);
    CHECK_INT(edo_write(p.client, &c, 1), ==, -EPIPE);
    disconnect(&p);
    return 0;
}

TEST(reset_seen_by_a_read)
{
    run_on(1, reset_body, NULL);
}

static int reading(void *arg)
{
    char c;
    return edo_read(arg, &c, 1) == -ECONNRESET ? 0 : -EPROTO;
}

static int reset_waiting_body(void *arg)
{
    (void)arg;
    pair p = connected(NULL);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, reading, p.client));
    CHECK_OK(edo_yield());
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    CHECK_OK(setsockopt(edo_stream_fd(p.server), SOL_SOCKET, SO_LINGER, &now, sizeof now));
    edo_close(p.server);
    p.server = NULL;
    CHECK_INT(edo_group_close(&g), ==, 0);
    disconnect(&p);
    return 0;
}

TEST(reset_wakes_a_reader)
{
    run_on(1, reset_waiting_body, NULL);
    run_on(2, reset_waiting_body, NULL);
}

/* The last bytes and the end arrive together: the short read must not hide the end. */
static int end_after_data_body(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < test_scale(300); i++) {
        pair p = connected(NULL);
        char buf[64];
        if (i % 2 == 0) { /* registered already when they come */
            CHECK_INT(edo_write(p.client, "a", 1), ==, 1);
            CHECK_INT(edo_read(p.server, buf, 64), ==, 1);
            edo_scope s;
            edo_scope_open(&s, EDO_US(200));
            CHECK_INT(edo_scope_close(&s, (int)edo_read(p.server, buf, 64)), ==, -ETIMEDOUT);
        }
        CHECK_INT(edo_write(p.client, "bytes", 5), ==, 5);
        CHECK_OK(edo_shutdown(p.client));
        size_t have = 0;
        ssize_t n;
        while ((n = edo_read(p.server, buf, 64)) > 0)
            have += (size_t)n;
        CHECK_INT(n, ==, 0);
        CHECK_UINT(have, ==, 5);
        disconnect(&p);
    }
    return 0;
}

TEST(end_after_data)
{
    run_on(1, end_after_data_body, NULL);
    run_on(2, end_after_data_body, NULL);
}

/* A short read that ends at urgent data leaves bytes behind: they must still be read. */
static int urgent_body(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 50; i++) {
        pair p = connected(NULL);
        int fd = edo_stream_fd(p.client);
        CHECK_INT(send(fd, "abc", 3, 0), ==, 3);
        CHECK_INT(send(fd, "!", 1, MSG_OOB), ==, 1);
        CHECK_INT(send(fd, "def", 3, 0), ==, 3);
        CHECK_OK(edo_shutdown(p.client));
        char buf[64], all[64];
        size_t have = 0;
        ssize_t n;
        while ((n = edo_read(p.server, buf, sizeof buf)) > 0) {
            memcpy(all + have, buf, (size_t)n);
            have += (size_t)n;
        }
        CHECK_INT(n, ==, 0);
        CHECK_UINT(have, ==, 6);
        CHECK_MEM(all, "abcdef", 6);
        disconnect(&p);
    }
    return 0;
}

TEST(urgent_data)
{
    run_on(1, urgent_body, NULL);
}

static int refused_body(void *arg)
{
    (void)arg;
    edo_listener *l, *other;
    edo_stream *s;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_INT(edo_tcp_listen(&other, address, NULL), ==, -EADDRINUSE);
    edo_listener_close(l);
    unsigned fds = count_fds();
    for (int i = 0; i < 20; i++)
        CHECK_INT(edo_tcp_connect(&s, address, NULL), ==, -ECONNREFUSED);
    CHECK_INT(edo_tcp_connect(&s, "127.0.0.1", NULL), ==, -EINVAL);
    CHECK_INT(edo_tcp_connect(&s, ":80", NULL), ==, -EINVAL);
    CHECK_INT(edo_tcp_connect(&s, "[1.2.3.4]:80", NULL), ==, -EINVAL);
    CHECK_INT(edo_tcp_listen(&l, "127.0.0.1:99999", NULL), ==, -EINVAL);
    CHECK_INT(edo_tcp_listen(&l, "198.51.100.1:0", NULL), ==, -EADDRNOTAVAIL);
    CHECK_INT(edo_tcp_connect(&s, "name.invalid:80", NULL), ==, EDO_EHOST);
    CHECK_INT(edo_tcp_listen(&l, "name.invalid:80", NULL), ==, EDO_EHOST);
    CHECK_INT(count_fds(), ==, fds);
    return 0;
}

TEST(refusals)
{
    run_on(1, refused_body, NULL);
    CHECK_INT(refused_body(NULL), ==, 0); /* a foreign thread */
}

static int names_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_stream *c, *s;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, ":0", NULL)); /* every address, of both families */
    static const char *const hosts[] = { "localhost", "127.0.0.1", "[::1]" };
    for (int i = 0; i < 3; i++) {
        snprintf(address, sizeof address, "%s:%u", hosts[i], edo_listener_port(l));
        int rc = edo_tcp_connect(&c, address, NULL);
        if (i == 2 && rc == -EADDRNOTAVAIL)
            continue; /* a machine without IPv6 */
        CHECK_OK(rc);
        CHECK_OK(edo_accept(l, &s));
        edo_close(c);
        edo_close(s);
    }
    edo_listener_close(l);
    return 0;
}

TEST(names_and_families)
{
    run_on(2, names_body, NULL);
}

/* A lookup whose waiter has gone: it ends on its own, the runtime waits for it. */
static int lookup_cancelled_body(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < test_scale(200); i++) {
        edo_scope s;
        edo_stream *stream;
        edo_scope_open(&s, i % 4 == 0 ? 0 : EDO_US(i % 50));
        int rc = edo_scope_close(&s, edo_tcp_connect(&stream, "localhost:1", NULL));
        CHECK(rc == -ETIMEDOUT || rc == -ECONNREFUSED);
    }
    return 0;
}

TEST(lookup_cancelled)
{
    run_on(1, lookup_cancelled_body, NULL);
    run_on(2, lookup_cancelled_body, NULL);
}

static int option_of(const edo_stream *s, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    CHECK_OK(getsockopt(edo_stream_fd(s), level, name, &value, &len));
    return value;
}

static int options_body(void *arg)
{
    (void)arg;
    pair p = connected(NULL);
    CHECK_INT(option_of(p.client, IPPROTO_TCP, TCP_NODELAY), ==, 1);
    CHECK_INT(option_of(p.server, IPPROTO_TCP, TCP_NODELAY), ==, 1);
    disconnect(&p);
    p = connected(
        &(edo_tcp_options){ .delay = true, .sndbuf = 8192, .rcvbuf = 8192, .backlog = 1 });
    CHECK_INT(option_of(p.client, IPPROTO_TCP, TCP_NODELAY), ==, 0);
    CHECK_INT(option_of(p.server, IPPROTO_TCP, TCP_NODELAY), ==, 0);
    CHECK_INT(option_of(p.server, SOL_SOCKET, SO_SNDBUF), ==, 16384); /* the kernel doubles it */
    CHECK_INT(option_of(p.client, SOL_SOCKET, SO_RCVBUF), ==, 16384);
    disconnect(&p);
    edo_listener *a, *b;
    char address[32];
    edo_tcp_options shared = { .reuseport = true };
    CHECK_OK(edo_tcp_listen(&a, "127.0.0.1:0", &shared));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(a));
    CHECK_OK(edo_tcp_listen(&b, address, &shared));
    edo_listener_close(a);
    edo_listener_close(b);
    edo_listener_close(NULL);
    return 0;
}

TEST(options)
{
    run_on(1, options_body, NULL);
}

/* No descriptor left: accept says so, and the connection is still there afterwards. */
static int emfile_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_stream *client, *s;
    char address[32], c;
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(&client, address, NULL));
    int spare[512], n = 0;
    while (n < 512 && (spare[n] = dup(0)) >= 0)
        n++;
    CHECK_INT(n, >, 0);
    CHECK_INT(n, <, 512);
    for (int i = 0; i < 5; i++)
        CHECK_INT(edo_accept(l, &s), ==, -EMFILE);
    edo_stream *none;
    CHECK_INT(edo_tcp_connect(&none, address, NULL), ==, -EMFILE);
    while (n > 0)
        close(spare[--n]);
    CHECK_OK(edo_accept(l, &s));
    CHECK_INT(edo_write(client, "!", 1), ==, 1);
    CHECK_INT(edo_read(s, &c, 1), ==, 1);
    edo_close(client);
    edo_close(s);
    edo_listener_close(l);
    return 0;
}

TEST(out_of_descriptors)
{
    struct rlimit limit = { 100, 100 };
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    run_on(1, emfile_body, NULL);
}

TEST_MAIN()
