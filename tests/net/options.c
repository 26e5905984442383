/* SPDX-License-Identifier: MIT */
/* Options: what is asked for is what getsockopt(2) says, on connections, listeners, those that are
 * accepted, and sockets that are open already. */
#include "net_test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef TCP_CONGESTION
#define TCP_CONGESTION 13
#endif

typedef struct pair {
    edo_listener *l;
    edo_stream *client, *server;
} pair;

static pair connected(const char *at, const edo_tcp_options *options)
{
    pair p;
    char text[EDO_ADDRESS_TEXT];
    edo_address a;
    CHECK_OK(edo_tcp_listen(&p.l, at, options));
    CHECK_OK(edo_socket_local(edo_listener_fd(p.l), &a));
    CHECK_OK(edo_tcp_connect(&p.client, edo_address_format(&a, text, sizeof text), options));
    CHECK_OK(edo_accept(p.l, &p.server));
    return p;
}

static void disconnect(pair *p)
{
    edo_close(p->client);
    edo_close(p->server);
    edo_listener_close(p->l);
}

static int raw(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    CHECK_OK(getsockopt(fd, level, name, &value, &len));
    return value;
}

static int64_t get(int fd, edo_socket_option option)
{
    int64_t value = -99;
    CHECK_OK(edo_socket_get(fd, option, &value));
    return value;
}

/* The same of both ends and the listener. */
static void all_have(const pair *p, int level, int name, int value)
{
    CHECK_INT(raw(edo_stream_fd(p->client), level, name), ==, value);
    CHECK_INT(raw(edo_stream_fd(p->server), level, name), ==, value);
    CHECK_INT(raw(edo_listener_fd(p->l), level, name), ==, value);
}

static int tcp_options_body(void *arg)
{
    const char *at = arg;
    bool six = at[0] == '[';
    edo_tcp_options o = {
        .keepalive_idle = EDO_SEC(31),
        .keepalive_interval = EDO_MS(6100),
        .keepalive_count = 3,
        .user_timeout = EDO_US(4000100),
        .linger = EDO_LINGER_RESET,
        .notsent_lowat = 16384,
        .dscp = 10,
        .quickack = true,
        .backlog = 7,
        .reuseport = true,
        .congestion = "reno",
    };
    pair p = connected(at, &o);
    all_have(&p, SOL_SOCKET, SO_KEEPALIVE, 1);
    all_have(&p, IPPROTO_TCP, TCP_KEEPIDLE, 31);
    all_have(&p, IPPROTO_TCP, TCP_KEEPINTVL, 7); /* rounded up */
    all_have(&p, IPPROTO_TCP, TCP_KEEPCNT, 3);
    all_have(&p, IPPROTO_TCP, TCP_USER_TIMEOUT, 4001);
    all_have(&p, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
    all_have(&p, IPPROTO_TCP, TCP_NODELAY, 1);
    CHECK_INT(raw(edo_listener_fd(p.l), SOL_SOCKET, SO_REUSEPORT), ==, 1);
    CHECK_INT(raw(edo_listener_fd(p.l), SOL_SOCKET, SO_REUSEADDR), ==, 1);
    CHECK_INT(
        raw(edo_stream_fd(p.client), six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TCLASS : IP_TOS),
        ==, 40);
    CHECK_INT(get(edo_stream_fd(p.client), EDO_SOCKET_DSCP), ==, 10);
    char name[16] = "";
    socklen_t len = sizeof name;
    CHECK_OK(getsockopt(edo_stream_fd(p.server), IPPROTO_TCP, TCP_CONGESTION, name, &len));
    CHECK_STR(name, "reno");
    struct linger l = { 0, 1 };
    len = sizeof l;
    CHECK_OK(getsockopt(edo_stream_fd(p.server), SOL_SOCKET, SO_LINGER, &l, &len));
    CHECK_INT(l.l_onoff, ==, 1);
    CHECK_INT(l.l_linger, ==, 0);
    /* Closing resets: the other side is told. */
    char c;
    edo_close(p.server);
    p.server = NULL;
    CHECK_INT(edo_read(p.client, &c, 1), ==, -ECONNRESET);
    disconnect(&p);
    return 0;
}

static bool has_ipv6(void)
{
    edo_listener *l;
    if (edo_tcp_listen(&l, "[::1]:0", NULL) < 0)
        return false;
    edo_listener_close(l);
    return true;
}

TEST(of_connections)
{
    run_on(1, tcp_options_body, "127.0.0.1:0");
    CHECK_INT(tcp_options_body("127.0.0.1:0"), ==, 0);
}

TEST(of_connections_v6)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    run_on(1, tcp_options_body, "[::1]:0");
}

static int defaults_body(void *arg)
{
    (void)arg;
    pair p = connected("127.0.0.1:0", NULL);
    all_have(&p, SOL_SOCKET, SO_KEEPALIVE, 0);
    all_have(&p, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
    all_have(&p, IPPROTO_IP, IP_TOS, 0);
    CHECK_INT(raw(edo_listener_fd(p.l), SOL_SOCKET, SO_REUSEPORT), ==, 0);
    CHECK_INT(get(edo_stream_fd(p.client), EDO_SOCKET_LINGER), ==, 0);
    disconnect(&p);
    p = connected("127.0.0.1:0", &(edo_tcp_options){ .no_reuseaddr = true, .keepalive = true });
    CHECK_INT(raw(edo_listener_fd(p.l), SOL_SOCKET, SO_REUSEADDR), ==, 0);
    all_have(&p, SOL_SOCKET, SO_KEEPALIVE, 1);
    disconnect(&p);
    return 0;
}

TEST(defaults)
{
    run_on(1, defaults_body, NULL);
}

static int apply_body(void *arg)
{
    (void)arg;
    pair p = connected("127.0.0.1:0", NULL);
    int fd = edo_stream_fd(p.server);
    CHECK_OK(edo_tcp_apply(p.server, &(edo_tcp_options){ .delay = true,
                                                         .keepalive_idle = EDO_SEC(9),
                                                         .sndbuf = 20000,
                                                         .linger = EDO_SEC(2) }));
    CHECK_INT(raw(fd, IPPROTO_TCP, TCP_NODELAY), ==, 0);
    CHECK_INT(raw(fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
    CHECK_INT(raw(fd, IPPROTO_TCP, TCP_KEEPIDLE), ==, 9);
    CHECK_INT(raw(fd, SOL_SOCKET, SO_SNDBUF), ==, 40000);
    CHECK_INT(get(fd, EDO_SOCKET_LINGER), ==, EDO_SEC(2));
    CHECK_OK(edo_tcp_apply(p.server, &(edo_tcp_options){ .keepalive_count = 4 }));
    CHECK_INT(raw(fd, IPPROTO_TCP, TCP_NODELAY), ==, 1);
    CHECK_INT(raw(fd, IPPROTO_TCP, TCP_KEEPIDLE), ==, 9); /* what is zero stays as it was */
    CHECK_INT(raw(fd, IPPROTO_TCP, TCP_KEEPCNT), ==, 4);
    CHECK_INT(edo_tcp_apply(p.server, &(edo_tcp_options){ .dscp = 64 }), ==, -EINVAL);
    CHECK_INT(edo_tcp_apply(p.server, &(edo_tcp_options){ .keepalive_idle = -1 }), ==, -EINVAL);
    CHECK_INT(edo_tcp_apply(p.server, &(edo_tcp_options){ .congestion = "none such" }), ==,
              -ENOENT);
    disconnect(&p);
    return 0;
}

TEST(of_an_open_connection)
{
    run_on(1, apply_body, NULL);
}

/* Every option that can be set says what was set. */
static int each_body(void *arg)
{
    (void)arg;
    static const struct {
        edo_socket_option option;
        int64_t set, got;
    } list[] = {
        { EDO_SOCKET_SNDBUF, 10000, 20000 },
        { EDO_SOCKET_RCVBUF, 10000, 20000 },
        { EDO_SOCKET_REUSEADDR, 1, 1 },
        { EDO_SOCKET_REUSEPORT, 1, 1 },
        { EDO_SOCKET_KEEPALIVE, 1, 1 },
        { EDO_SOCKET_KEEPALIVE_IDLE, EDO_SEC(5), EDO_SEC(5) },
        { EDO_SOCKET_KEEPALIVE_INTERVAL, EDO_SEC(6), EDO_SEC(6) },
        { EDO_SOCKET_KEEPALIVE_COUNT, 2, 2 },
        { EDO_SOCKET_LINGER, EDO_MS(1500), EDO_SEC(2) },
        { EDO_SOCKET_LINGER, EDO_LINGER_RESET, EDO_LINGER_RESET },
        { EDO_SOCKET_LINGER, 0, 0 },
        { EDO_SOCKET_NODELAY, 0, 0 },
        { EDO_SOCKET_NODELAY, 1, 1 },
        { EDO_SOCKET_QUICKACK, 1, 1 },
        { EDO_SOCKET_QUICKACK, 0, 0 },
        { EDO_SOCKET_CORK, 1, 1 },
        { EDO_SOCKET_CORK, 0, 0 },
        { EDO_SOCKET_USER_TIMEOUT, EDO_MS(77), EDO_MS(77) },
        { EDO_SOCKET_NOTSENT_LOWAT, 4096, 4096 },
        { EDO_SOCKET_TTL, 33, 33 },
        { EDO_SOCKET_DSCP, 63, 63 },
        { EDO_SOCKET_PRIORITY, 3, 3 },
    };
    pair p = connected("127.0.0.1:0", NULL);
    int fd = edo_stream_fd(p.client);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        CHECK_OK(edo_socket_set(fd, list[i].option, list[i].set));
        CHECK_INT(get(fd, list[i].option), ==, list[i].got);
    }
    CHECK_INT(get(fd, EDO_SOCKET_ERROR), ==, 0);
    CHECK_INT(get(fd, EDO_SOCKET_MSS), >, 0);
    CHECK_INT(edo_write(p.server, "12345", 5), ==, 5);
    CHECK_INT(edo_wait_fd(fd, EDO_READABLE), ==, EDO_READABLE);
    CHECK_INT(get(fd, EDO_SOCKET_UNREAD), ==, 5);
    CHECK_INT(get(fd, EDO_SOCKET_UNSENT), ==, 0);
    CHECK_OK(edo_socket_set(edo_listener_fd(p.l), EDO_SOCKET_DEFER_ACCEPT, EDO_SEC(3)));
    CHECK_INT(get(edo_listener_fd(p.l), EDO_SOCKET_DEFER_ACCEPT), >=, EDO_SEC(3));
    CHECK_OK(edo_socket_set(edo_listener_fd(p.l), EDO_SOCKET_FASTOPEN, 5));
    CHECK_INT(get(edo_listener_fd(p.l), EDO_SOCKET_FASTOPEN), ==, 5);
    disconnect(&p);
    return 0;
}

TEST(each_says_what_was_set)
{
    run_on(1, each_body, NULL);
}

static int udp_options_body(void *arg)
{
    bool six = *(bool *)arg;
    edo_udp *u;
    edo_udp_options o = { .reuseport = true,
                          .broadcast = !six,
                          .sndbuf = 9000,
                          .rcvbuf = 9000,
                          .ttl = 9,
                          .dscp = 12,
                          .reuseaddr = true,
                          .v6only = six };
    CHECK_OK(edo_udp_bind(&u, six ? "[::1]:0" : "127.0.0.1:0", &o));
    int fd = edo_udp_fd(u);
    CHECK_INT(get(fd, EDO_SOCKET_REUSEPORT), ==, 1);
    CHECK_INT(get(fd, EDO_SOCKET_REUSEADDR), ==, 1);
    CHECK_INT(get(fd, EDO_SOCKET_BROADCAST), ==, !six);
    CHECK_INT(get(fd, EDO_SOCKET_SNDBUF), ==, 18000);
    CHECK_INT(get(fd, EDO_SOCKET_RCVBUF), ==, 18000);
    CHECK_INT(get(fd, EDO_SOCKET_TTL), ==, 9);
    CHECK_INT(get(fd, EDO_SOCKET_DSCP), ==, 12);
    CHECK_OK(edo_socket_set(fd, EDO_SOCKET_MULTICAST_TTL, 5));
    CHECK_INT(get(fd, EDO_SOCKET_MULTICAST_TTL), ==, 5);
    CHECK_OK(edo_socket_set(fd, EDO_SOCKET_MULTICAST_LOOP, 0));
    CHECK_INT(get(fd, EDO_SOCKET_MULTICAST_LOOP), ==, 0);
    CHECK_OK(edo_socket_set(fd, EDO_SOCKET_MULTICAST_INTERFACE, 1));
    int64_t index = 0;
    CHECK_INT(edo_socket_get(fd, EDO_SOCKET_MULTICAST_INTERFACE, &index), ==,
              six ? 0 : -EOPNOTSUPP);
    CHECK_INT(index, ==, six);
    if (six)
        CHECK_INT(get(fd, EDO_SOCKET_V6ONLY), ==, 1);
    edo_udp_close(u);
    return 0;
}

TEST(of_datagram_sockets)
{
    bool six = false;
    run_on(1, udp_options_body, &six);
    if (!has_ipv6())
        SKIP("no IPv6");
    six = true;
    run_on(1, udp_options_body, &six);
}

TEST(refused)
{
    int64_t value = 4711;
    edo_udp *u;
    edo_address a;
    CHECK_OK(edo_udp_bind(&u, "127.0.0.1:0", NULL));
    int fd = edo_udp_fd(u), pipe_fds[2];
    CHECK_OK(pipe(pipe_fds));
    CHECK_INT(edo_socket_set(-1, EDO_SOCKET_SNDBUF, 1), ==, -EBADF);
    CHECK_INT(edo_socket_set(-1, EDO_SOCKET_TTL, 1), ==, -EBADF);
    CHECK_INT(edo_socket_get(pipe_fds[0], EDO_SOCKET_SNDBUF, &value), ==, -ENOTSOCK);
    CHECK_INT(edo_socket_set(fd, EDO_SOCKET_NODELAY, 2), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, EDO_SOCKET_BROADCAST, -1), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, EDO_SOCKET_ERROR, 0), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, (edo_socket_option)0, 0), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, (edo_socket_option)99, 0), ==, -EINVAL);
    CHECK_INT(edo_socket_get(fd, (edo_socket_option)99, &value), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, EDO_SOCKET_LINGER, -2), ==, -EINVAL);
    CHECK_INT(edo_socket_set(fd, EDO_SOCKET_SNDBUF, EDO_SEC(1000)), ==, -EINVAL);
    CHECK_INT(edo_socket_get(fd, EDO_SOCKET_NODELAY, &value), <, 0);
    CHECK_INT(value, ==, 4711);
    CHECK_INT(edo_socket_peer(fd, &a), ==, -ENOTCONN);
    CHECK_INT(edo_socket_local(-1, &a), ==, -EBADF);
    CHECK_INT(edo_socket_local(pipe_fds[0], &a), ==, -ENOTSOCK);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    edo_udp_close(u);
}

/* ---- where connections come from ---- */

static int local_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_stream *c, *s;
    char text[32];
    edo_address from, here, there, mine;
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(text, sizeof text, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(&c, text, &(edo_tcp_options){ .local = "127.0.0.7:0" }));
    CHECK_OK(edo_accept_from(l, &s, &from));
    CHECK_OK(edo_socket_local(edo_stream_fd(c), &mine));
    CHECK_OK(edo_socket_peer(edo_stream_fd(s), &there));
    CHECK_OK(edo_socket_local(edo_stream_fd(s), &here));
    CHECK(edo_address_equal(&from, &mine));
    CHECK(edo_address_equal(&from, &there));
    CHECK_UINT(edo_address_port(&here), ==, edo_listener_port(l));
    unsigned char bytes[16];
    CHECK_UINT(edo_address_bytes(&from, bytes), ==, 4);
    CHECK_MEM(bytes, "\x7f\0\0\x07", 4);
    edo_close(c);
    edo_close(s);
    CHECK_INT(edo_tcp_connect(&c, text, &(edo_tcp_options){ .local = "[::1]:0" }), ==,
              -EADDRNOTAVAIL);
    CHECK_INT(edo_tcp_connect(&c, text, &(edo_tcp_options){ .local = "x" }), ==, -EINVAL);
    CHECK_OK(edo_tcp_connect(&c, text, &(edo_tcp_options){ .device = "lo" }));
    edo_close(c);
    CHECK_INT(edo_tcp_connect(&c, text, &(edo_tcp_options){ .device = "none" }), ==, -ENODEV);
    edo_listener_close(l);
    return 0;
}

TEST(where_from)
{
    unsigned fds = count_fds();
    run_on(1, local_body, NULL);
    CHECK_INT(count_fds(), ==, fds);
}

/* A port of IPv6 alone, where IPv4 is free, unless somebody else has it just now. */
static bool listens_on_both(edo_listener **six, edo_listener **four)
{
    char text[32];
    CHECK_OK(edo_tcp_listen(six, "[::]:0", &(edo_tcp_options){ .v6only = true }));
    CHECK_INT(raw(edo_listener_fd(*six), IPPROTO_IPV6, IPV6_V6ONLY), ==, 1);
    snprintf(text, sizeof text, "0.0.0.0:%u", edo_listener_port(*six));
    int rc = edo_tcp_listen(four, text, NULL);
    if (rc == -EADDRINUSE) {
        edo_listener_close(*six);
        return false;
    }
    CHECK_OK(rc);
    return true;
}

static int v6only_body(void *arg)
{
    (void)arg;
    edo_listener *six, *four, *none;
    char text[32];
    int tries = 0;
    while (!listens_on_both(&six, &four))
        CHECK_INT(++tries, <, 100);
    edo_listener_close(six);
    edo_listener_close(four);
    CHECK_OK(edo_tcp_listen(&six, "[::]:0", NULL));
    snprintf(text, sizeof text, "0.0.0.0:%u", edo_listener_port(six));
    CHECK_INT(edo_tcp_listen(&none, text, NULL), ==, -EADDRINUSE);
    edo_listener_close(six);
    return 0;
}

TEST(v6only)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    run_on(1, v6only_body, NULL);
}

/* With fast open or without, data gets there. */
static int says_hello(void *arg)
{
    edo_stream *s;
    int rc = edo_tcp_connect(&s, arg, &(edo_tcp_options){ .fastopen = true });
    if (rc < 0)
        return rc;
    CHECK_INT(edo_write(s, "hello", 5), ==, 5);
    char c;
    CHECK_INT(edo_read(s, &c, 1), ==, 1);
    edo_close(s);
    return 0;
}

static int fastopen_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    char text[32], buf[8];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", &(edo_tcp_options){ .fastopen = true }));
    CHECK_INT(get(edo_listener_fd(l), EDO_SOCKET_FASTOPEN), >, 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", edo_listener_port(l));
    for (int i = 0; i < 10; i++) {
        edo_group g;
        edo_stream *s;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, says_hello, text));
        CHECK_OK(edo_accept(l, &s));
        CHECK_INT(edo_read_full(s, buf, 5), ==, 5);
        CHECK_MEM(buf, "hello", 5);
        CHECK_INT(edo_write(s, "!", 1), ==, 1);
        CHECK_OK(edo_group_close(&g));
        edo_close(s);
    }
    edo_listener_close(l);
    return 0;
}

TEST(fast_open)
{
    run_on(1, fastopen_body, NULL);
    run_on(2, fastopen_body, NULL);
}

TEST_MAIN()
