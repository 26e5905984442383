/* SPDX-License-Identifier: MIT */
/* Connecting to whichever of several addresses answers first: those that refuse, those that say
 * nothing (a listener whose queue is full), both families, cancels at any time. On the paused clock
 * nothing passes but the delays between attempts. */
#include "net_test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

/* A port where nobody listens, held so that nobody else does. */
static int refusing(const char *host, edo_address *at)
{
    size_t len;
    CHECK_OK(edo_address_from_host(at, host, 0));
    bool six = edo_address_family(at) == EDO_FAMILY_IPV6;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(fd);
    const void *sa = edo_address_sockaddr(at, &len);
    CHECK_OK(bind(fd, sa, (socklen_t)len));
    CHECK_OK(edo_socket_local(fd, at));
    return fd;
}

static edo_listener *listening(const char *text, edo_address *at)
{
    edo_listener *l;
    CHECK_OK(edo_tcp_listen(&l, text, NULL));
    CHECK_OK(edo_socket_local(edo_listener_fd(l), at));
    return l;
}

/* Nobody answers there: the queue of connections is full, so further ones are not answered. */
typedef struct silent {
    edo_listener *l;
    edo_address at;
    int fds[8];
    int n;
} silent;

/* Connections that wait for accept; *room: how many there may be, and one more. */
static unsigned queued(const silent *s, unsigned *room)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    CHECK_OK(getsockopt(edo_listener_fd(s->l), IPPROTO_TCP, TCP_INFO, &info, &len));
    *room = info.tcpi_sacked;
    return info.tcpi_unacked;
}

static void add_connection(silent *s)
{
    size_t len;
    unsigned room;
    const void *sa = edo_address_sockaddr(&s->at, &len);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_OK(fd);
    s->fds[s->n++] = fd;
    CHECK(connect(fd, sa, (socklen_t)len) == 0 || errno == EINPROGRESS);
    while (queued(s, &room) < (unsigned)s->n)
        sched_yield();
}

static void silence(silent *s, const char *text)
{
    unsigned room;
    *s = (silent){ .n = 0 };
    CHECK_OK(edo_tcp_listen(&s->l, text, &(edo_tcp_options){ .backlog = 1 }));
    CHECK_OK(edo_socket_local(edo_listener_fd(s->l), &s->at));
    while (queued(s, &room) <= room) {
        CHECK_INT(s->n, <, 8);
        add_connection(s);
    }
}

static void silence_ends(silent *s)
{
    while (s->n > 0)
        close(s->fds[--s->n]);
    edo_listener_close(s->l);
}

static void check_peer(edo_stream *s, const edo_address *expected)
{
    edo_address peer;
    CHECK_OK(edo_socket_peer(edo_stream_fd(s), &peer));
    CHECK(edo_address_equal(&peer, expected));
}

static void check_works(edo_listener *l, edo_stream *c)
{
    edo_stream *s;
    char buf[8];
    CHECK_OK(edo_accept(l, &s));
    CHECK_INT(edo_write(c, "works", 5), ==, 5);
    CHECK_INT(edo_read_full(s, buf, 5), ==, 5);
    CHECK_OK(edo_shutdown(s));
    CHECK_INT(edo_read(c, buf, 8), ==, 0);
    edo_close(s);
}

/* No socket is left. Counted outside, because workers make epoll instances when they need one. */
static void run_and_count(unsigned workers, edo_fn *fn)
{
    unsigned fds = count_fds();
    run_on(workers, fn, NULL);
    CHECK_INT(count_fds(), ==, fds);
}

/* ---- those that refuse ---- */

static int refusals_body(void *arg)
{
    (void)arg;
    edo_address a[4];
    edo_stream *s;
    int r0 = refusing("127.0.0.1", &a[0]), r1 = refusing("127.0.0.2", &a[1]);
    edo_listener *l = listening("127.0.0.3:0", &a[2]);
    int64_t before = edo_now();
    CHECK_OK(edo_tcp_connect_to(&s, a, 3, NULL)); /* at once: nobody is waited for */
    CHECK_INT(edo_now() - before, <, EDO_MS(250));
    check_peer(s, &a[2]);
    check_works(l, s);
    edo_close(s);
    CHECK_INT(edo_tcp_connect_to(&s, a, 2, NULL), ==, -ECONNREFUSED);
    CHECK_INT(edo_tcp_connect_to(&s, a, 1, NULL), ==, -ECONNREFUSED);
    /* What says something about them comes before what says something about us. */
    CHECK_OK(edo_address_from_host(&a[3], "127.0.0.1", 1));
    edo_tcp_options odd = { .local = "198.51.100.7:0" };
    CHECK_INT(edo_tcp_connect_to(&s, a, 2, &odd), ==, -EADDRNOTAVAIL);
    CHECK_INT(edo_tcp_connect_to(&s, a, 0, NULL), ==, -EINVAL);
    CHECK_INT(edo_tcp_connect_to(&s, a, 17, NULL), ==, -EINVAL);
    CHECK_OK(edo_address_from_path(&a[3], "@nothing"));
    CHECK_INT(edo_tcp_connect_to(&s, a, 4, NULL), ==, -EAFNOSUPPORT);
    close(r0);
    close(r1);
    edo_listener_close(l);
    return 0;
}

TEST(refusals_are_passed_over)
{
    run_and_count(1, refusals_body);
    run_and_count(2, refusals_body);
}

/* ---- those that say nothing ---- */

/* How long it takes until the last one has answered. The paused clock moves on when nothing is to be
 * done, which may be a moment before an answer is there: then it is longer. */
static int64_t connects_after(const edo_address *a, int n)
{
    edo_stream *s;
    int64_t before = edo_now();
    CHECK_OK(edo_tcp_connect_to(&s, a, n, NULL));
    check_peer(s, &a[n - 1]);
    edo_close(s);
    return edo_now() - before;
}

static int silent_body(void *arg)
{
    (void)arg;
    silent dead[3];
    edo_address a[4];
    edo_stream *s;
    int tries = 0;
    for (int i = 0; i < 3; i++) {
        silence(&dead[i], "127.0.0.1:0");
        a[i] = dead[i].at;
    }
    edo_listener *l = listening("127.0.0.1:0", &a[3]);
    CHECK_OK(edo_clock_pause());
    int64_t before = edo_now();
    CHECK_OK(edo_tcp_connect_to(&s, a, 4, NULL));
    CHECK_INT(edo_now() - before, ==, EDO_MS(750)); /* 250 ms between one and the next */
    check_peer(s, &a[3]);
    check_works(l, s);
    edo_close(s);
    before = edo_now();
    CHECK_OK(edo_tcp_connect_to(&s, a, 4, &(edo_tcp_options){ .attempt_delay = EDO_MS(10) }));
    CHECK_INT(edo_now() - before, ==, EDO_MS(30));
    check_works(l, s);
    edo_close(s);
    /* One that fails calls the next one at once. */
    edo_address b[3] = { a[0], a[1], a[3] };
    int r = refusing("127.0.0.1", &b[1]);
    while (connects_after(b, 3) != EDO_MS(250))
        CHECK_INT(++tries, <, 100);
    close(r);
    CHECK_OK(edo_clock_resume());
    edo_listener_close(l);
    for (int i = 0; i < 3; i++)
        silence_ends(&dead[i]);
    return 0;
}

TEST(silence_is_not_waited_for)
{
    run_and_count(1, silent_body);
    run_and_count(2, silent_body);
}

/* The first one answers late, while the second is tried: it is as good. */
static int late_body(void *arg)
{
    (void)arg;
    silent one, other;
    edo_stream *s, *none;
    silence(&one, "127.0.0.1:0");
    silence(&other, "127.0.0.1:0");
    edo_address a[2] = { other.at, one.at };
    edo_scope scope;
    edo_scope_open(&scope, EDO_MS(400));
    CHECK_INT(edo_scope_close(&scope, edo_tcp_connect_to(&none, a, 2, NULL)), ==, -ETIMEDOUT);
    /* Room in the queue of the second: the kernel sends again after a second. */
    edo_stream *taken[8];
    int n = 0;
    edo_scope_open(&scope, EDO_MS(100));
    while (n < 8 && edo_accept(one.l, &taken[n]) == 0)
        n++;
    (void)edo_scope_close(&scope, 0);
    CHECK_INT(n, >, 0);
    CHECK_OK(edo_tcp_connect_to(&s, a, 2, NULL));
    check_peer(s, &one.at);
    edo_close(s);
    while (n > 0)
        edo_close(taken[--n]);
    silence_ends(&one);
    silence_ends(&other);
    return 0;
}

TEST(deadline_then_answer)
{
    run_and_count(1, late_body);
}

/* ---- cancels anywhere ---- */

static int cancel_storm_body(void *arg)
{
    (void)arg;
    silent dead;
    edo_address a[3];
    edo_stream *s;
    silence(&dead, "127.0.0.1:0");
    a[0] = dead.at;
    int r = refusing("127.0.0.1", &a[1]);
    edo_listener *l = listening("127.0.0.1:0", &a[2]);
    unsigned connected = 0;
    uint64_t random = test_seed();
    edo_tcp_options o = { .attempt_delay = EDO_US(100) };
    for (unsigned i = 0, n = test_scale(500); i < n || connected == 0; i++) {
        edo_scope scope;
        edo_scope_open(&scope, i < n ? (int64_t)(test_rand(&random) % 400000) : EDO_SEC(20));
        int rc = edo_scope_close(&scope, edo_tcp_connect_to(&s, a, 3, &o));
        if (rc == -ETIMEDOUT)
            continue;
        CHECK_OK(rc);
        check_peer(s, &a[2]);
        edo_close(s);
        connected++;
        CHECK_OK(edo_accept(l, &s));
        edo_close(s);
    }
    edo_scope scope;
    edo_scope_open(&scope, EDO_FOREVER);
    edo_scope_cancel(&scope);
    CHECK_INT(edo_tcp_connect_to(&s, a, 3, NULL), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&scope, 0), ==, -ECANCELED);
    close(r);
    edo_listener_close(l);
    silence_ends(&dead);
    return 0;
}

TEST_TIMEOUT(cancelled_anywhere, 60)
{
    run_and_count(1, cancel_storm_body);
    run_and_count(2, cancel_storm_body);
}

/* ---- two families ---- */

static bool has_ipv6(void)
{
    edo_listener *l;
    if (edo_tcp_listen(&l, "[::1]:0", NULL) < 0)
        return false;
    edo_listener_close(l);
    return true;
}

/* Four silent ones of IPv4 and then one of IPv6, which is the second to be tried. */
static int families_body(void *arg)
{
    (void)arg;
    silent dead;
    edo_address a[5];
    int tries = 0;
    silence(&dead, "127.0.0.1:0");
    for (int i = 0; i < 4; i++)
        a[i] = dead.at;
    edo_listener *l = listening("[::1]:0", &a[4]);
    CHECK_OK(edo_clock_pause());
    while (connects_after(a, 5) != EDO_MS(250))
        CHECK_INT(++tries, <, 100);
    CHECK_OK(edo_clock_resume());
    edo_listener_close(l);
    silence_ends(&dead);
    return 0;
}

TEST(families_take_turns)
{
    if (!has_ipv6())
        SKIP("no IPv6");
    run_and_count(1, families_body);
}

/* On a thread outside, which has no task to start others from. */
TEST(outside)
{
    CHECK_INT(refusals_body(NULL), ==, 0);
    silent dead;
    edo_address a[2];
    edo_stream *s;
    silence(&dead, "127.0.0.1:0");
    a[0] = dead.at;
    edo_listener *l = listening("127.0.0.1:0", &a[1]);
    CHECK_OK(edo_tcp_connect_to(&s, a, 2, &(edo_tcp_options){ .attempt_delay = EDO_MS(1) }));
    check_peer(s, &a[1]);
    edo_close(s);
    edo_listener_close(l);
    silence_ends(&dead);
}

/* ---- names ---- */

static int lookup_body(void *arg)
{
    (void)arg;
    edo_address a[16], one;
    int n = edo_lookup("localhost", 80, a, 16);
    CHECK_INT(n, >=, 1);
    CHECK_INT(n, <=, 16);
    for (int i = 0; i < n; i++) {
        CHECK(edo_address_is_loopback(&a[i]));
        CHECK_UINT(edo_address_port(&a[i]), ==, 80);
    }
    CHECK_INT(edo_lookup("localhost", 81, a, 1), ==, 1);
    CHECK_INT(edo_lookup("192.0.2.9", 82, a, 16), ==, 1);
    CHECK_OK(edo_address_parse(&one, "192.0.2.9:82"));
    CHECK(edo_address_equal(&a[0], &one));
    CHECK_INT(edo_lookup("::1", 83, a, 16), ==, 1);
    CHECK_INT(edo_lookup("name.invalid", 1, a, 16), ==, EDO_EHOST);
    CHECK_INT(edo_lookup("", 1, a, 16), ==, -EINVAL);
    CHECK_INT(edo_lookup("localhost", 1, a, 0), ==, -EINVAL);
    char name[300];
    memset(name, 'a', sizeof name);
    name[299] = '\0';
    CHECK_INT(edo_lookup(name, 1, a, 16), ==, -EINVAL);
    edo_scope scope;
    edo_scope_open(&scope, EDO_FOREVER);
    edo_scope_cancel(&scope);
    CHECK_INT(edo_lookup("localhost", 1, a, 16), ==, -ECANCELED);
    CHECK_INT(edo_lookup("127.0.0.1", 1, a, 16), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&scope, 0), ==, -ECANCELED);
    return 0;
}

TEST(lookup)
{
    run_and_count(1, lookup_body);
    CHECK_INT(lookup_body(NULL), ==, 0);
}

TEST_MAIN()
