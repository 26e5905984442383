/* SPDX-License-Identifier: MIT */
/* The nth system call of I/O fails, for every n: an error comes back, nothing hangs, and no
 * descriptor is left behind. The functions below stand before the C library's. */
#define _GNU_SOURCE
#include "test.h"

#include <edo/edo.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int countdown; /* atomic: the call that makes it 0 fails; below: none does */
static int failing;   /* atomic: the errno it fails with */

static bool fails(void)
{
    if (__atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    errno = __atomic_load_n(&failing, __ATOMIC_SEQ_CST);
    return true;
}

#define FAULTY(name_, number_, params_, ...)                                                       \
    int name_ params_                                                                              \
    {                                                                                              \
        return fails() ? -1 : (int)syscall(number_, __VA_ARGS__);                                  \
    }

FAULTY(epoll_create1, SYS_epoll_create1, (int flags), flags)
FAULTY(eventfd, SYS_eventfd2, (unsigned count, int flags), count, flags)
FAULTY(epoll_ctl, SYS_epoll_ctl, (int epfd, int op, int fd, struct epoll_event *e), epfd, op, fd, e)
FAULTY(socket, SYS_socket, (int family, int type, int protocol), family, type, protocol)
FAULTY(bind, SYS_bind, (int fd, const struct sockaddr *a, socklen_t len), fd, a, len)
FAULTY(listen, SYS_listen, (int fd, int n), fd, n)
FAULTY(connect, SYS_connect, (int fd, const struct sockaddr *a, socklen_t len), fd, a, len)
FAULTY(accept4, SYS_accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags), fd, a, len,
       flags)
FAULTY(setsockopt, SYS_setsockopt, (int fd, int level, int name, const void *v, socklen_t len), fd,
       level, name, v, len)
FAULTY(getsockname, SYS_getsockname, (int fd, struct sockaddr *a, socklen_t *len), fd, a, len)

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    return fails() ? -1 : syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    return fails() ? -1 : syscall(SYS_sendto, fd, buf, n, flags, NULL, 0);
}

static int answer(void *arg)
{
    edo_stream *s;
    int rc = edo_accept(arg, &s);
    if (rc < 0)
        return rc;
    char buf[16];
    ssize_t n = edo_read(s, buf, sizeof buf);
    if (n > 0)
        n = edo_write(s, buf, (size_t)n);
    edo_close(s);
    return n < 0 ? (int)n : 0;
}

static int ask(const char *address)
{
    edo_stream *s;
    int rc = edo_tcp_connect(&s, address, NULL);
    if (rc < 0)
        return rc;
    char buf[4];
    ssize_t n = edo_write(s, "ping", 4);
    if (n > 0)
        n = edo_wait_fd(edo_stream_fd(s), EDO_READABLE);
    if (n > 0)
        n = edo_read_full(s, buf, 4);
    edo_close(s);
    return n < 0 ? (int)n : 0;
}

static int wait_for_pipe(void)
{
    int p[2];
    CHECK_OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    edo_scope s;
    edo_scope_open(&s, EDO_US(50));
    int rc = edo_scope_close(&s, edo_wait_fd(p[0], EDO_READABLE));
    close(p[0]);
    close(p[1]);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int conversation(void *arg)
{
    (void)arg;
    edo_listener *l;
    int rc = wait_for_pipe();
    if (rc == 0)
        rc = edo_tcp_listen(&l, "127.0.0.1:0", NULL);
    if (rc < 0)
        return rc;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    edo_group g;
    edo_group_open(&g, NULL);
    rc = edo_spawn(&g, answer, l);
    if (rc == 0)
        rc = ask(address);
    if (rc < 0)
        edo_group_cancel(&g);
    int other = edo_group_close(&g);
    edo_listener_close(l);
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.fds, ==, 0);
    return rc == 0 || rc == -ECANCELED ? other : rc; /* the first failure cancels the other task */
}

static int next_fd(void)
{
    int fd = dup(0);
    CHECK_OK(fd);
    close(fd);
    return fd;
}

static void all_faults(int error, unsigned workers)
{
    __atomic_store_n(&failing, error, __ATOMIC_SEQ_CST);
    __atomic_store_n(&countdown, 0, __ATOMIC_SEQ_CST);
    int lowest = next_fd(), n = 0, left;
    do {
        n++;
        __atomic_store_n(&countdown, n, __ATOMIC_SEQ_CST);
        int rc = edo_run(&(edo_config){ .workers = workers }, conversation, NULL);
        left = __atomic_load_n(&countdown, __ATOMIC_SEQ_CST);
        if (left > 0)
            CHECK_INT(rc, ==, 0);
        if (rc < 0)
            /* The one who was not hit may see the other one leave. */
            CHECK(rc == -error || rc == -ECONNRESET || rc == EDO_EEOF || rc == -EPIPE);
        CHECK_INT(next_fd(), ==, lowest);
    } while (left <= 0);
    CHECK_INT(n, >, 10); /* with rings there are fewer calls that could fail */
}

TEST(no_memory)
{
    all_faults(ENOMEM, 1);
    all_faults(ENOMEM, 2);
}

TEST(no_buffers)
{
    all_faults(ENOBUFS, 1);
}

TEST_MAIN()
