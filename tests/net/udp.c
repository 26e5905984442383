/* SPDX-License-Identifier: MIT */
/* Datagrams of UDP: to whom and from whom, sizes, batches, segments, errors that come back. */
#include "net_test.h"

#define LARGEST 65507 /* bytes of one over IPv4 */

static edo_udp *bound(const char *address, const edo_udp_options *options)
{
    edo_udp *u;
    CHECK_OK(edo_udp_bind(&u, address, options));
    return u;
}

static edo_address address_of(const edo_udp *u)
{
    edo_address a;
    CHECK_OK(edo_socket_local(edo_udp_fd(u), &a));
    return a;
}

static edo_address to_port(const char *host, const edo_udp *u)
{
    edo_address a;
    CHECK_OK(edo_address_from_host(&a, host, edo_udp_port(u)));
    return a;
}

static bool has_ipv6(void)
{
    edo_udp *u;
    if (edo_udp_bind(&u, "[::1]:0", NULL) < 0)
        return false;
    edo_udp_close(u);
    return true;
}

static void check_equal(const edo_address *a, const edo_address *b)
{
    char have[EDO_ADDRESS_TEXT], wanted[EDO_ADDRESS_TEXT];
    if (!edo_address_equal(a, b))
        FAIL("have %s, expected %s", edo_address_format(a, have, sizeof have),
             edo_address_format(b, wanted, sizeof wanted));
}

/* In tasks, with one and two workers, and on a thread outside; no descriptor is left. */
static void everywhere(edo_fn *fn, void *arg)
{
    unsigned fds = count_fds();
    run_on(1, fn, arg);
    run_on(2, fn, arg);
    CHECK_INT(count_fds(), ==, fds);
    CHECK_INT(fn(arg), ==, 0);
}

/* ---- there and back ---- */

static int back_and_forth(void *arg)
{
    edo_udp *a = bound(arg, NULL), *b = bound(arg, NULL);
    edo_address at_a = address_of(a), at_b = address_of(b), from;
    char buf[16];
    CHECK_UINT(edo_udp_port(a), ==, edo_address_port(&at_a));
    for (int i = 0; i < 100; i++) {
        CHECK_INT(edo_udp_send_to(a, "ping", 4, &at_b), ==, 4);
        CHECK_INT(edo_udp_recv_from(b, buf, sizeof buf, &from), ==, 4);
        CHECK_MEM(buf, "ping", 4);
        check_equal(&from, &at_a);
        CHECK_INT(edo_udp_send_to(b, "answer", 6, &from), ==, 6);
        CHECK_INT(edo_udp_recv(a, buf, sizeof buf), ==, 6);
        CHECK_MEM(buf, "answer", 6);
    }
    CHECK_INT(edo_udp_recv_nowait(a, buf, sizeof buf, NULL), ==, -EAGAIN);
    CHECK_INT(edo_udp_send_nowait(a, "now", 3, &at_b), ==, 3);
    CHECK_INT(edo_udp_recv_nowait(b, buf, sizeof buf, &from), ==, 3);
    check_equal(&from, &at_a);
    CHECK_INT(edo_udp_send(a, "x", 1), ==, -EDESTADDRREQ);
    edo_udp_close(a);
    edo_udp_close(b);
    edo_udp_close(NULL);
    return 0;
}

TEST(ping_and_answer)
{
    everywhere(back_and_forth, "127.0.0.1:0");
}

TEST(ping_and_answer_v6)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    everywhere(back_and_forth, "[::1]:0");
}

/* The receiver waits first. */
static int answers(void *arg)
{
    edo_udp *u = arg;
    edo_address from;
    char buf[64];
    for (;;) {
        ssize_t n = edo_udp_recv_from(u, buf, sizeof buf, &from);
        if (n < 0)
            return (int)n;
        CHECK_INT(edo_udp_send_to(u, buf, (size_t)n, &from), ==, n);
    }
}

static int waiting_body(void *arg)
{
    (void)arg;
    edo_udp *server = bound("127.0.0.1:0", NULL), *client;
    char address[32], buf[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_udp_port(server));
    CHECK_OK(edo_udp_connect(&client, address, NULL));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, answers, server));
    for (int i = 0; i < 200; i++) {
        CHECK_INT(edo_udp_send(client, &i, sizeof i), ==, sizeof i);
        CHECK_INT(edo_udp_recv(client, buf, sizeof buf), ==, sizeof i);
        CHECK_MEM(buf, &i, sizeof i);
    }
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    edo_udp_close(server);
    edo_udp_close(client);
    CHECK_INT(known_fds(), ==, 0);
    return 0;
}

TEST(answers_of_a_task)
{
    run_on(1, waiting_body, NULL);
    run_on(2, waiting_body, NULL);
}

/* ---- sizes ---- */

static int sizes_body(void *arg)
{
    (void)arg;
    static const size_t sizes[] = { 0, 1, 2, 1472, 1473, 9000, LARGEST };
    edo_udp *a = bound("127.0.0.1:0", NULL), *b = bound("127.0.0.1:0", NULL);
    edo_address to = address_of(b), from;
    unsigned char *data = malloc(65536), *buf = malloc(65536);
    CHECK(data != NULL && buf != NULL);
    for (size_t i = 0; i < 65536; i++)
        data[i] = text_byte(1, i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_INT(edo_udp_send_to(a, data, sizes[i], &to), ==, sizes[i]);
        CHECK_INT(edo_udp_recv_from(b, buf, 65536, &from), ==, sizes[i]);
        CHECK_MEM(buf, data, sizes[i]);
        /* Not all of it fits: what it was long is said, and the next one is another one. */
        CHECK_INT(edo_udp_send_to(a, data, sizes[i], &to), ==, sizes[i]);
        buf[sizes[i] / 2] = 0x55;
        CHECK_INT(edo_udp_recv(b, buf, sizes[i] / 2), ==, sizes[i]);
        CHECK_MEM(buf, data, sizes[i] / 2);
        CHECK_INT(buf[sizes[i] / 2], ==, 0x55);
        CHECK_INT(edo_udp_recv_nowait(b, buf, 1, NULL), ==, -EAGAIN);
    }
    CHECK_INT(edo_udp_send_to(a, data, LARGEST + 1, &to), ==, -EMSGSIZE);
    CHECK_INT(edo_udp_send_to(a, data, 7, &to), ==, 7);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(edo_udp_peek_from(b, NULL, 0, NULL), ==, 7);
        CHECK_INT(edo_udp_peek_from(b, buf, 3, &from), ==, 7);
    }
    CHECK_INT(edo_udp_recv(b, buf, 65536), ==, 7);
    edo_udp_close(a);
    edo_udp_close(b);
    free(data);
    free(buf);
    return 0;
}

TEST(sizes_and_truncation)
{
    everywhere(sizes_body, NULL);
}

/* ---- one peer ---- */

static int connected_body(void *arg)
{
    (void)arg;
    edo_udp *a = bound("127.0.0.1:0", NULL), *stranger = bound("127.0.0.1:0", NULL), *c;
    edo_address at_a = address_of(a), from;
    char buf[16], text[EDO_ADDRESS_TEXT];
    CHECK_OK(edo_udp_connect(&c, edo_address_format(&at_a, text, sizeof text),
                             &(edo_udp_options){ .from = "127.0.0.2:0" }));
    edo_address at_c = address_of(c);
    CHECK_OK(edo_socket_peer(edo_udp_fd(c), &from));
    check_equal(&from, &at_a);
    CHECK_INT(edo_udp_send_to(stranger, "no", 2, &at_c), ==, 2);
    CHECK_INT(edo_udp_send(c, "hello", 5), ==, 5);
    CHECK_INT(edo_udp_recv_from(a, buf, sizeof buf, &from), ==, 5);
    check_equal(&from, &at_c);
    CHECK_INT(edo_udp_send_to(a, "yes", 3, &from), ==, 3);
    CHECK_INT(edo_udp_recv(c, buf, sizeof buf), ==, 3);
    CHECK_MEM(buf, "yes", 3);
    CHECK_OK(edo_udp_connect_to(c, NULL));
    CHECK_INT(edo_udp_send(c, "x", 1), ==, -EDESTADDRREQ);
    edo_address at_stranger = address_of(stranger);
    CHECK_OK(edo_udp_connect_to(c, &at_stranger));
    CHECK_INT(edo_udp_send(c, "x", 1), ==, 1);
    CHECK_INT(edo_udp_recv(stranger, buf, sizeof buf), ==, 1);
    edo_udp *none;
    CHECK_INT(edo_udp_connect(&none, "127.0.0.1:1", &(edo_udp_options){ .from = "[::1]:0" }), ==,
              -EADDRNOTAVAIL);
    CHECK_INT(edo_udp_connect(&none, ":1", NULL), ==, -EINVAL);
    CHECK_INT(edo_udp_connect(&none, "name.invalid:1", NULL), ==, EDO_EHOST);
    CHECK_INT(edo_udp_bind(&none, edo_address_format(&at_a, text, sizeof text), NULL), ==,
              -EADDRINUSE);
    edo_udp_close(a);
    edo_udp_close(stranger);
    edo_udp_close(c);
    return 0;
}

TEST(connected)
{
    everywhere(connected_body, NULL);
}

/* ---- errors that come back ---- */

/* A port where nobody receives what we send: held by a socket that hears somebody else only. */
static edo_udp *nobody_at(const char *host, edo_address *at)
{
    char text[64];
    snprintf(text, sizeof text, "%s:0", host);
    edo_udp *u = bound(text, NULL);
    edo_address other = *at = address_of(u);
    edo_address_set_port(&other, 9);
    CHECK_OK(edo_udp_connect_to(u, &other));
    return u;
}

static int refused_body(void *arg)
{
    (void)arg;
    edo_address nobody;
    edo_udp *holder = nobody_at("127.0.0.1", &nobody);
    char text[EDO_ADDRESS_TEXT], buf[8];
    edo_udp *c;
    CHECK_OK(edo_udp_connect(&c, edo_address_format(&nobody, text, sizeof text), NULL));
    CHECK_INT(edo_udp_send(c, "x", 1), ==, 1);
    CHECK_INT(edo_udp_recv(c, buf, sizeof buf), ==, -ECONNREFUSED);
    CHECK_INT(edo_udp_recv_nowait(c, buf, sizeof buf, NULL), ==, -EAGAIN);
    CHECK_INT(edo_udp_send(c, "x", 1), ==, 1);
    CHECK_INT(edo_udp_send(c, "x", 1), ==, -ECONNREFUSED);
    edo_udp_close(c);
    edo_udp_close(holder);
    return 0;
}

TEST(nobody_is_there)
{
    everywhere(refused_body, NULL);
}

static int expects_refusal(void *arg)
{
    char c;
    return edo_udp_recv(arg, &c, 1) == -ECONNREFUSED ? 0 : -EPROTO;
}

static int refused_waiting_body(void *arg)
{
    (void)arg;
    edo_address nobody;
    edo_udp *holder = nobody_at("127.0.0.1", &nobody);
    char text[EDO_ADDRESS_TEXT];
    edo_udp *c;
    CHECK_OK(edo_udp_connect(&c, edo_address_format(&nobody, text, sizeof text), NULL));
    for (int i = 0; i < 20; i++) {
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, expects_refusal, c));
        CHECK_OK(edo_yield());
        CHECK_INT(edo_udp_send(c, "x", 1), ==, 1);
        CHECK_INT(edo_group_close(&g), ==, 0);
    }
    edo_udp_close(c);
    edo_udp_close(holder);
    return 0;
}

TEST(refusal_wakes_a_receiver)
{
    run_on(1, refused_waiting_body, NULL);
    run_on(2, refused_waiting_body, NULL);
}

/* Without a peer, told by the option: whose datagram it was that nobody wanted. */
static int told_body(void *arg)
{
    char text[64];
    snprintf(text, sizeof text, "%s:0", (const char *)arg);
    edo_udp *u = bound(text, &(edo_udp_options){ .errors = true }), *other = bound(text, NULL);
    edo_address at_u = address_of(u), to_other = address_of(other), from;
    edo_address nobody;
    edo_udp *holder = nobody_at(arg, &nobody);
    char buf[16];
    for (int i = 0; i < 3; i++) {
        CHECK_INT(edo_udp_send_to(u, "lost", 4, &nobody), ==, 4);
        CHECK_INT(edo_udp_send_to(u, "found", 5, &to_other), ==, 5); /* not disturbed */
    }
    CHECK_INT(edo_udp_send_to(other, "hi", 2, &at_u), ==, 2);
    int refused = 0, received = 0;
    for (int i = 0; i < 4; i++) {
        ssize_t n = edo_udp_recv_from(u, buf, sizeof buf, &from);
        if (n == -ECONNREFUSED) {
            check_equal(&from, &nobody);
            refused++;
        } else {
            CHECK_INT(n, ==, 2);
            check_equal(&from, &to_other);
            received++;
        }
    }
    CHECK_INT(refused, ==, 3);
    CHECK_INT(received, ==, 1);
    edo_datagram list[2] = { { .data = buf, .size = 8, .address = &from },
                             { .data = buf + 8, .size = 8 } };
    CHECK_INT(edo_udp_send_to(u, "lost", 4, &nobody), ==, 4);
    CHECK_INT(edo_udp_recv_many(u, list, 2), ==, -ECONNREFUSED);
    check_equal(&from, &nobody);
    CHECK_INT(edo_udp_recv_nowait(u, buf, sizeof buf, &from), ==, -EAGAIN);
    for (int i = 0; i < 3; i++)
        CHECK_INT(edo_udp_recv(other, buf, sizeof buf), ==, 5);
    edo_udp_close(u);
    edo_udp_close(other);
    edo_udp_close(holder);
    return 0;
}

TEST(told_what_was_refused)
{
    everywhere(told_body, "127.0.0.1");
}

TEST(told_what_was_refused_v6)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    everywhere(told_body, "[::1]");
}

/* ---- batches ---- */

#define MANY 60

static int many_body(void *arg)
{
    (void)arg;
    edo_udp *a = bound("127.0.0.1:0", NULL), *b = bound("127.0.0.1:0", NULL);
    edo_address to = address_of(b), at_a = address_of(a), from[MANY];
    static const int counts[] = { 1, 2, 15, 16, 17, 32, 33, MANY };
    unsigned char out[MANY][MANY], in[MANY][MANY];
    edo_datagram send[MANY], recv[MANY];
    for (size_t round = 0; round < sizeof counts / sizeof counts[0]; round++) {
        int count = counts[round], sent = 0, got = 0;
        for (int i = 0; i < count; i++) {
            memset(out[i], i + 1, sizeof out[i]);
            send[i] = (edo_datagram){ .data = out[i], .size = (size_t)i, .address = &to };
            recv[i] = (edo_datagram){ .data = in[i], .size = sizeof in[i], .address = &from[i] };
        }
        while (sent < count) {
            int n = edo_udp_send_many(a, send + sent, count - sent);
            CHECK_INT(n, >, 0);
            sent += n;
        }
        while (got < count) {
            int n = edo_udp_recv_many(b, recv + got, count - got);
            CHECK_INT(n, >, 0);
            got += n;
        }
        for (int i = 0; i < count; i++) {
            CHECK_UINT(recv[i].len, ==, i);
            CHECK_UINT(recv[i].segment, ==, 0);
            CHECK_MEM(in[i], out[i], (size_t)i);
            check_equal(&from[i], &at_a);
        }
    }
    /* Not more than there are, and cut off like single ones. */
    CHECK_INT(edo_udp_send_many(a, send, 3), ==, 3);
    recv[2].size = 1;
    CHECK_INT(edo_udp_recv_many(b, recv, MANY), ==, 3);
    CHECK_UINT(recv[2].len, ==, 2);
    CHECK_INT(edo_udp_send_many(a, send, 0), ==, -EINVAL);
    CHECK_INT(edo_udp_recv_many(b, recv, 0), ==, -EINVAL);
    send[1].address = NULL; /* the second cannot be sent: the first has been, and then it is told */
    CHECK_INT(edo_udp_send_many(a, send, 2), ==, 1);
    CHECK_INT(edo_udp_send_many(a, send + 1, 1), ==, -EDESTADDRREQ);
    edo_udp_close(a);
    edo_udp_close(b);
    return 0;
}

TEST(batches)
{
    everywhere(many_body, NULL);
}

#define SEGMENT 100
#define SEGMENTS 11 /* the last one is shorter */

static int segments_body(void *arg)
{
    bool gro = *(bool *)arg;
    edo_udp *a = bound("127.0.0.1:0", NULL);
    edo_udp *b = bound("127.0.0.1:0", &(edo_udp_options){ .gro = gro });
    edo_address to = address_of(b);
    unsigned char data[SEGMENT * SEGMENTS], *in = malloc(65536);
    size_t n = sizeof data - SEGMENT / 2, have = 0;
    for (size_t i = 0; i < n; i++)
        data[i] = text_byte(2, i);
    edo_datagram one = { .data = data, .size = n, .segment = SEGMENT, .address = &to };
    CHECK_INT(edo_udp_send_many(a, &one, 1), ==, 1);
    unsigned packets = 0;
    while (have < n) {
        edo_datagram got = { .data = in, .size = 65536 };
        CHECK_INT(edo_udp_recv_many(b, &got, 1), ==, 1);
        if (gro && got.len > SEGMENT)
            CHECK_UINT(got.segment, ==, SEGMENT);
        else
            CHECK_UINT(got.len, <=, SEGMENT);
        CHECK_MEM(in, data + have, got.len);
        have += got.len;
        packets++;
    }
    CHECK_UINT(have, ==, n);
    if (!gro)
        CHECK_UINT(packets, ==, SEGMENTS);
    /* A packet that is one segment is none of several. */
    one.segment = one.size = 50;
    CHECK_INT(edo_udp_send_many(a, &one, 1), ==, 1);
    edo_datagram got = { .data = in, .size = 65536 };
    CHECK_INT(edo_udp_recv_many(b, &got, 1), ==, 1);
    CHECK_UINT(got.len, ==, 50);
    CHECK_UINT(got.segment, ==, 0);
    one.size = 1000, one.segment = 65536;
    CHECK_INT(edo_udp_send_many(a, &one, 1), ==, -EINVAL);
    edo_udp_close(a);
    edo_udp_close(b);
    free(in);
    return 0;
}

static bool segments_are_known(void)
{
    edo_udp *u = bound("127.0.0.1:0", NULL);
    int most = edo_udp_segments_max(u);
    edo_udp_close(u);
    return most > 1;
}

TEST(segments)
{
    if (!segments_are_known())
        SKIP("the kernel has no UDP_SEGMENT");
    for (int gro = 0; gro < 2; gro++) {
        bool on = gro != 0;
        everywhere(segments_body, &on);
    }
}

/* ---- which of the local addresses ---- */

static int local_body(void *arg)
{
    (void)arg;
    edo_udp *any = bound("0.0.0.0:0", &(edo_udp_options){ .local = true });
    edo_udp *a = bound("127.0.0.1:0", NULL);
    edo_address to = to_port("127.0.0.5", any), from, local;
    char buf[16];
    CHECK_INT(edo_udp_send_to(a, "where", 5, &to), ==, 5);
    edo_datagram g = { .data = buf, .size = sizeof buf, .address = &from, .local = &local };
    CHECK_INT(edo_udp_recv_many(any, &g, 1), ==, 1);
    edo_address_set_port(&local, edo_udp_port(any));
    check_equal(&local, &to);
    edo_datagram back = { .data = buf, .size = g.len, .address = &from, .local = &local };
    CHECK_INT(edo_udp_send_many(any, &back, 1), ==, 1);
    CHECK_INT(edo_udp_recv_from(a, buf, sizeof buf, &from), ==, 5);
    check_equal(&from, &to);
    edo_udp_close(any);
    edo_udp_close(a);
    return 0;
}

TEST(local_addresses)
{
    everywhere(local_body, NULL);
}

static int both_families_body(void *arg)
{
    (void)arg;
    edo_udp *any = bound(":0", &(edo_udp_options){ .local = true });
    edo_udp *four = bound("127.0.0.1:0", NULL), *six = bound("[::1]:0", NULL);
    edo_address to4 = to_port("127.0.0.9", any), to6 = to_port("::1", any), at4 = address_of(four);
    edo_address from[2], local[2];
    char buf[2][16];
    CHECK_INT(edo_udp_send_to(four, "4", 1, &to4), ==, 1);
    CHECK_INT(edo_udp_send_to(six, "6", 1, &to6), ==, 1);
    for (int i = 0; i < 2; i++) {
        edo_datagram g = { .data = buf[i], .size = 16, .address = &from[i], .local = &local[i] };
        CHECK_INT(edo_udp_recv_many(any, &g, 1), ==, 1);
        g.size = 1;
        CHECK_INT(edo_udp_send_many(any, &g, 1), ==, 1); /* back from where it was sent to */
    }
    edo_address_unmap(&from[0]);
    check_equal(&from[0], &at4);
    edo_address_unmap(&local[0]);
    edo_address_set_port(&local[0], edo_udp_port(any));
    check_equal(&local[0], &to4);
    CHECK_INT(edo_udp_recv_from(four, buf[0], 16, &from[0]), ==, 1);
    check_equal(&from[0], &to4);
    CHECK_INT(edo_udp_recv_from(six, buf[0], 16, &from[0]), ==, 1);
    check_equal(&from[0], &to6);
    edo_udp_close(any);
    edo_udp_close(four);
    edo_udp_close(six);
    return 0;
}

TEST(both_families_on_one_socket)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    everywhere(both_families_body, NULL);
}

/* ---- to many ---- */

static int broadcast_body(void *arg)
{
    (void)arg;
    edo_udp *any = bound("0.0.0.0:0", NULL), *a = bound("127.0.0.1:0", NULL);
    edo_udp *allowed = bound("127.0.0.1:0", &(edo_udp_options){ .broadcast = true });
    edo_address all = to_port("127.255.255.255", any);
    char buf[8];
    CHECK_INT(edo_udp_send_to(a, "all", 3, &all), ==, -EACCES);
    CHECK_INT(edo_udp_send_to(allowed, "all", 3, &all), ==, 3);
    CHECK_INT(edo_udp_recv(any, buf, sizeof buf), ==, 3);
    CHECK_OK(edo_socket_set(edo_udp_fd(a), EDO_SOCKET_BROADCAST, 1));
    CHECK_INT(edo_udp_send_to(a, "too", 3, &all), ==, 3);
    CHECK_INT(edo_udp_recv(any, buf, sizeof buf), ==, 3);
    edo_udp_close(any);
    edo_udp_close(a);
    edo_udp_close(allowed);
    return 0;
}

TEST(broadcast)
{
    everywhere(broadcast_body, NULL);
}

static void set(const edo_udp *u, edo_socket_option option, int64_t value)
{
    CHECK_OK(edo_socket_set(edo_udp_fd(u), option, value));
}

/* Two members on one port, on the loopback interface. */
static int multicast_body(void *arg)
{
    bool six = *(bool *)arg;
    edo_udp_options shared = { .reuseaddr = true };
    edo_udp *one = bound(six ? "[::]:0" : "0.0.0.0:0", &shared), *two;
    char text[64], buf[8];
    snprintf(text, sizeof text, six ? "[::]:%u" : "0.0.0.0:%u", edo_udp_port(one));
    two = bound(text, &shared);
    edo_udp *sender = bound(six ? "[::1]:0" : "127.0.0.1:0", NULL);
    edo_address group = to_port(six ? "ff02::4:77" : "239.11.22.33", one), from;
    set(sender, EDO_SOCKET_MULTICAST_INTERFACE, 1);
    set(sender, EDO_SOCKET_MULTICAST_TTL, 1);
    set(sender, EDO_SOCKET_MULTICAST_LOOP, 1);
    CHECK_OK(edo_udp_join(one, &group, "lo"));
    CHECK_OK(edo_udp_join(two, &group, "lo"));
    CHECK_INT(edo_udp_join(two, &group, "lo"), ==, -EADDRINUSE);
    CHECK_INT(edo_udp_join(two, &group, "no-such-one"), ==, -ENODEV);
    from = address_of(sender);
    CHECK_INT(edo_udp_join(two, &from, "lo"), ==, -EINVAL);
    ssize_t n = edo_udp_send_to(sender, "group", 5, &group);
    if (n == -ENETUNREACH || n == -EADDRNOTAVAIL)
        SKIP("no multicast on the loopback interface");
    CHECK_INT(n, ==, 5);
    CHECK_INT(edo_udp_recv_from(one, buf, sizeof buf, &from), ==, 5);
    CHECK_INT(edo_udp_recv_from(two, buf, sizeof buf, &from), ==, 5);
    CHECK_OK(edo_udp_leave(two, &group, "lo"));
    CHECK_INT(edo_udp_leave(two, &group, "lo"), ==, -EADDRNOTAVAIL);
    CHECK_INT(edo_udp_send_to(sender, "heard", 5, &group), ==, 5);
    CHECK_INT(edo_udp_recv(one, buf, sizeof buf), ==, 5);
    edo_udp_close(one);
    edo_udp_close(two);
    edo_udp_close(sender);
    return 0;
}

TEST(multicast)
{
    bool six = false;
    run_on(1, multicast_body, &six);
}

TEST(multicast_v6)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    bool six = true;
    run_on(1, multicast_body, &six);
}

static int source_body(void *arg)
{
    (void)arg;
    edo_udp *member = bound("0.0.0.0:0", NULL);
    edo_udp *wanted = bound("127.0.0.1:0", NULL), *other = bound("127.0.0.2:0", NULL);
    edo_address group = to_port("232.11.22.33", member), source = address_of(wanted), from;
    char buf[8];
    set(wanted, EDO_SOCKET_MULTICAST_INTERFACE, 1);
    set(other, EDO_SOCKET_MULTICAST_INTERFACE, 1);
    CHECK_OK(edo_udp_join_source(member, &group, &source, "lo"));
    ssize_t n = edo_udp_send_to(other, "no", 2, &group);
    if (n == -ENETUNREACH)
        SKIP("no multicast on the loopback interface");
    CHECK_INT(n, ==, 2);
    CHECK_INT(edo_udp_send_to(wanted, "yes", 3, &group), ==, 3);
    CHECK_INT(edo_udp_recv_from(member, buf, sizeof buf, &from), ==, 3);
    check_equal(&from, &source);
    CHECK_OK(edo_udp_leave_source(member, &group, &source, "lo"));
    CHECK_INT(edo_udp_leave_source(member, &group, &source, "lo"), <, 0);
    CHECK_INT(edo_udp_join_source(member, &source, &source, "lo"), ==, -EINVAL);
    edo_udp_close(member);
    edo_udp_close(wanted);
    edo_udp_close(other);
    return 0;
}

TEST(multicast_of_one_source)
{
    run_on(1, source_body, NULL);
}

/* ---- adopted ---- */

static int adopted_body(void *arg)
{
    (void)arg;
    edo_udp *a = bound("127.0.0.1:0", NULL), *u;
    edo_listener *l;
    edo_address to = address_of(a);
    char buf[4];
    CHECK_INT(edo_udp_from_fd(&u, -1), ==, -EBADF);
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    CHECK_INT(edo_udp_from_fd(&u, edo_listener_fd(l)), ==, -EINVAL);
    edo_listener_close(l);
    CHECK_OK(edo_udp_from_fd(&u, dup(edo_udp_fd(a))));
    edo_udp_close(a);
    CHECK_INT(edo_udp_send_to(u, "self", 4, &to), ==, 4);
    CHECK_INT(edo_udp_recv(u, buf, sizeof buf), ==, 4);
    edo_udp_close(u);
    return 0;
}

TEST(adopted)
{
    everywhere(adopted_body, NULL);
}

TEST_MAIN()
