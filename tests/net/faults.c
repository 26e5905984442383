/* SPDX-License-Identifier: MIT */
/* The nth call to the kernel, or the nth allocation, of opening and using sockets fails, for every n: an
 * error comes back, nothing hangs, no descriptor and no memory is left. The calls below stand before
 * the C library's. */
#include "../rt/nomem.h"

#include <edo/edo.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long calls = -1; /* atomic: the call that finds 0 fails; below: none does */
static int failing;     /* atomic: the errno it fails with */

static bool call_fails(void)
{
    if (LOAD(&calls) < 0 || __atomic_fetch_sub(&calls, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    errno = LOAD(&failing);
    return true;
}

#define FAULTY(type_, name_, number_, params_, ...)                                                \
    type_ name_ params_                                                                            \
    {                                                                                              \
        return call_fails() ? -1 : (type_)syscall(number_, __VA_ARGS__);                           \
    }

FAULTY(int, socket, SYS_socket, (int family, int type, int protocol), family, type, protocol)
FAULTY(int, bind, SYS_bind, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULTY(int, listen, SYS_listen, (int fd, int n), fd, n)
FAULTY(int, connect, SYS_connect, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULTY(int, socketpair, SYS_socketpair, (int family, int type, int protocol, int fds[2]), family,
       type, protocol, fds)
FAULTY(int, fchmod, SYS_fchmod, (int fd, mode_t mode), fd, mode)
FAULTY(int, setsockopt, SYS_setsockopt, (int fd, int level, int name, const void *v, socklen_t n),
       fd, level, name, v, n)
FAULTY(int, getsockopt, SYS_getsockopt, (int fd, int level, int name, void *v, socklen_t *n), fd,
       level, name, v, n)
FAULTY(int, getsockname, SYS_getsockname, (int fd, struct sockaddr *a, socklen_t *n), fd, a, n)
FAULTY(int, getpeername, SYS_getpeername, (int fd, struct sockaddr *a, socklen_t *n), fd, a, n)
FAULTY(ssize_t, sendto, SYS_sendto,
       (int fd, const void *data, size_t n, int flags, const struct sockaddr *a, socklen_t len), fd,
       data, n, flags, a, len)
FAULTY(ssize_t, recvfrom, SYS_recvfrom,
       (int fd, void *buf, size_t n, int flags, struct sockaddr *a, socklen_t *len), fd, buf, n,
       flags, a, len)
FAULTY(ssize_t, recvmsg, SYS_recvmsg, (int fd, struct msghdr *m, int flags), fd, m, flags)
FAULTY(ssize_t, sendmsg, SYS_sendmsg, (int fd, const struct msghdr *m, int flags), fd, m, flags)
FAULTY(int, sendmmsg, SYS_sendmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags), fd, m, n,
       flags)
FAULTY(int, recvmmsg, SYS_recvmmsg,
       (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t), fd, m, n, flags, t)

static const edo_tcp_options tcp = { .keepalive_idle = EDO_SEC(9),
                                     .dscp = 3,
                                     .fastopen = true,
                                     .v6only = true,
                                     .local = "127.0.0.1:0",
                                     .attempt_delay = EDO_MS(1) };
static const edo_udp_options udp = {
    .errors = true, .local = true, .gro = true, .ttl = 3, .from = "127.0.0.1:0"
};

static int converse(edo_udp *u)
{
    edo_address at;
    char buf[8];
    edo_datagram list[2] = { { .data = buf, .size = 4, .address = &at },
                             { .data = buf + 4, .size = 4, .address = &at } };
    int rc = edo_socket_local(edo_udp_fd(u), &at);
    if (rc == 0)
        rc = (int)edo_udp_send_to(u, "12", 2, &at);
    if (rc > 0)
        rc = (int)edo_udp_recv_from(u, buf, 8, NULL);
    if (rc > 0)
        rc = edo_udp_send_many(u, list, 2);
    if (rc > 0)
        rc = edo_udp_recv_many(u, list, 2);
    return rc;
}

static int datagrams(void *arg)
{
    (void)arg;
    edo_udp *u, *c;
    int rc = edo_udp_bind(&u, "127.0.0.1:0", &udp);
    if (rc < 0)
        return rc;
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", edo_udp_port(u));
    rc = edo_udp_port(u) == 0 ? -ENOBUFS : converse(u);
    if (rc > 0) {
        rc = edo_udp_connect(&c, text, &udp);
        if (rc == 0) {
            rc = (int)edo_udp_send(c, "123", 3);
            edo_udp_close(c);
        }
    }
    edo_udp_close(u);
    return rc < 0 ? rc : 0;
}

static int connections(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_stream *s;
    edo_address a[2];
    int rc = edo_tcp_listen(&l, "127.0.0.1:0", &tcp);
    if (rc < 0)
        return rc;
    rc = edo_socket_local(edo_listener_fd(l), &a[0]);
    if (rc == 0) {
        a[1] = a[0];
        edo_address_set_port(&a[0], 1); /* where nobody listens */
        rc = edo_tcp_connect_to(&s, a, 2, &tcp);
    }
    if (rc == 0)
        edo_close(s);
    edo_listener_close(l);
    return rc;
}

static int lookups(void *arg)
{
    (void)arg;
    edo_address a[4];
    int n = edo_lookup("localhost", 1, a, 4);
    return n < 0 ? n : 0;
}

/* Connections, datagrams and a descriptor over Unix sockets. */
static int talk_unix(edo_listener *l, const char *path)
{
    edo_stream *c, *s;
    char buf[8];
    int fd = 0, got = -1;
    size_t count = 0;
    int rc = edo_unix_connect(&c, path);
    if (rc < 0)
        return rc;
    rc = edo_accept(l, &s);
    if (rc == 0) {
        rc = (int)edo_unix_send_fds(c, "fd", 2, &fd, 1);
        if (rc > 0)
            rc = (int)edo_unix_recv_fds(s, buf, 8, &got, 1, &count);
        if (count > 0)
            close(got);
        edo_close(s);
    }
    edo_close(c);
    return rc;
}

static int unix_pairs(void)
{
    edo_udp *u, *v;
    edo_stream *a, *b;
    int rc = edo_unix_pair(&a, &b);
    if (rc < 0)
        return rc;
    edo_close(a);
    edo_close(b);
    rc = edo_unix_datagram_pair(&u, &v);
    if (rc < 0)
        return rc;
    rc = (int)edo_udp_send(u, "x", 1);
    edo_udp_close(u);
    edo_udp_close(v);
    return rc < 0 ? rc : 0;
}

static char path[64];

static int unix_sockets(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_udp *u;
    const edo_unix_options o = { .mode = 0600, .replace = true, .sndbuf = 9000 };
    snprintf(path, sizeof path, "/tmp/edo-faults-%ld", (long)getpid());
    int rc = edo_unix_listen(&l, path, &o);
    if (rc == 0) {
        rc = talk_unix(l, path);
        edo_listener_close(l);
    }
    CHECK_INT(access(path, F_OK), ==, -1); /* removed, whatever has failed */
    if (rc < 0)
        return rc;
    rc = edo_unix_datagram(&u, path, &o);
    if (rc == 0)
        edo_udp_close(u);
    CHECK_INT(access(path, F_OK), ==, -1);
    return rc == 0 ? unix_pairs() : rc;
}

static edo_fn *const attempts[] = { datagrams, connections, unix_sockets, lookups };
enum { LOOKUPS = 3 };

static int next_fd(void)
{
    int fd = dup(0);
    CHECK_OK(fd);
    close(fd);
    return fd;
}

/* In a runtime that is made before, so that only what is asked for here fails. */
static int calls_fail(void *arg)
{
    edo_fn *fn = *(edo_fn *const *)arg;
    CHECK_INT(fn(NULL), ==, 0); /* what is made once and kept */
    int lowest = next_fd(), failures = 0;
    bool hit = true;
    for (long n = 0; hit; n++) {
        CHECK_INT(n, <, 1000);
        STORE(&calls, n);
        int rc = fn(NULL);
        hit = LOAD(&calls) < 0;
        STORE(&calls, -1);
        failures += rc < 0;
        if (rc < 0 && !hit)
            FAIL("no call has failed, and yet: %d", rc);
        CHECK_INT(next_fd(), ==, lowest);
    }
    CHECK_INT(failures, >, 3);
    CHECK_INT(fn(NULL), ==, 0);
    return 0;
}

TEST_TIMEOUT(calls_that_fail, 60)
{
    static const int errors[] = { ENOMEM, ENOBUFS, EPERM };
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        STORE(&failing, errors[e]);
        for (int i = 0; i < LOOKUPS; i++)
            CHECK_INT(edo_run(&(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }, calls_fail,
                              (void *)&attempts[i]),
                      ==, 0);
    }
}

static int current;

static int allocations_fail(void)
{
    int rc =
        edo_run(&(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }, attempts[current], NULL);
    return rc == EDO_EHOST || refused(rc) ? rc : 0; /* the resolver does not say why */
}

TEST_TIMEOUT(datagrams_without_memory, 60)
{
    needs_own_malloc();
    fail_each(allocations_fail);
}

TEST_TIMEOUT(connections_without_memory, 60)
{
    needs_own_malloc();
    current = 1;
    fail_each(allocations_fail);
}

TEST_TIMEOUT(unix_sockets_without_memory, 60)
{
    needs_own_malloc();
    current = 2;
    fail_each(allocations_fail);
}

TEST_TIMEOUT(lookups_without_memory, 60)
{
    needs_own_malloc();
    current = LOOKUPS;
    fail_each(allocations_fail);
}

TEST_MAIN()
