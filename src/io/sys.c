/* SPDX-License-Identifier: MIT */
/* System calls on descriptors; see sys.h. */
#define _GNU_SOURCE /* accept4 */
#include "io/sys.h"

#include "io/desc.h"

#include <edo/io.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EDO__NOINLINE __attribute__((noinline))

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

EDO__NOINLINE int edo__sys_ready(int fd, unsigned events)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    int n;
    do {
        n = poll(&p, 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if ((p.revents & POLLNVAL) != 0)
        return -EBADF;
    /* A file is always ready both ways, but cannot be waited for: the answer must not depend on
     * whether somebody looked before waiting. */
    if ((p.revents & (POLLIN | POLLOUT)) == (POLLIN | POLLOUT) && is_file(fd))
        return -EPERM;
    unsigned ready = 0;
    if ((p.revents & (POLLIN | POLLERR | POLLHUP)) != 0)
        ready |= EDO_READABLE;
    if ((p.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
        ready |= EDO_WRITABLE;
    return (int)(ready & events);
}

EDO__NOINLINE ssize_t edo__sys_readv(const edo__desc *d, const struct iovec *iov, int n)
{
    ssize_t r;
    do {
        if (n > 1)
            r = readv(d->fd, iov, n);
        else if ((d->flags & EDO__DESC_SOCKET) != 0)
            r = recv(d->fd, iov->iov_base, iov->iov_len, 0);
        else
            r = read(d->fd, iov->iov_base, iov->iov_len);
    } while (r < 0 && errno == EINTR);
    return r >= 0 ? r : -errno;
}

EDO__NOINLINE ssize_t edo__sys_peek(const edo__desc *d, void *arg)
{
    const struct iovec *iov = arg;
    ssize_t r;
    do {
        r = recv(d->fd, iov->iov_base, iov->iov_len, MSG_PEEK);
    } while (r < 0 && errno == EINTR);
    return r >= 0 ? r : -errno;
}

/* Only sockets can be written to without SIGPIPE. For the others it is blocked around the call and,
 * if it was raised, taken back before anybody sees it; the process's own handling stays as it
 * is. */
typedef struct quiet {
    sigset_t sigpipe, before;
} quiet;

static void quiet_begin(quiet *q)
{
    sigemptyset(&q->sigpipe);
    sigaddset(&q->sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &q->sigpipe, &q->before);
}

static void quiet_end(const quiet *q, bool failed)
{
    int error = errno;
    if (failed && error == EPIPE) {
        const struct timespec at_once = { 0, 0 };
        while (sigtimedwait(&q->sigpipe, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    }
    if (sigismember(&q->before, SIGPIPE) == 0) /* workers with threads of their own block it */
        pthread_sigmask(SIG_SETMASK, &q->before, NULL);
    errno = error;
}

static ssize_t write_quietly(int fd, const struct iovec *iov, int n)
{
    quiet q;
    quiet_begin(&q);
    ssize_t r = writev(fd, iov, n);
    quiet_end(&q, r < 0);
    return r;
}

static ssize_t write_once(const edo__desc *d, const struct iovec *iov, int n)
{
    if ((d->flags & EDO__DESC_SOCKET) == 0)
        return write_quietly(d->fd, iov, n);
    if (n == 1)
        return send(d->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
    struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
    return sendmsg(d->fd, &msg, MSG_NOSIGNAL);
}

EDO__NOINLINE ssize_t edo__sys_writev(const edo__desc *d, const struct iovec *iov, int n)
{
    ssize_t r;
    do {
        r = write_once(d, iov, n);
    } while (r < 0 && errno == EINTR);
    return r >= 0 ? r : -errno;
}

EDO__NOINLINE ssize_t edo__sys_splice(int from, int to, size_t most, bool outwards)
{
    quiet q;
    ssize_t r;
    if (outwards) /* it raises SIGPIPE for sockets too */
        quiet_begin(&q);
    do {
        r = splice(from, NULL, to, NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (r < 0 && errno == EINTR);
    if (outwards)
        quiet_end(&q, r < 0);
    return r >= 0 ? r : -errno;
}

EDO__NOINLINE int edo__sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    socklen_t room = len != NULL ? *len : 0;
    int r;
    do {
        if (len != NULL)
            *len = room;
        r = accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        /* ECONNABORTED, EPROTO: that connection died in the queue, the next one may be well. */
    } while (r < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    return r >= 0 ? r : -errno;
}

EDO__NOINLINE int edo__sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (connect(fd, addr, len) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno; /* interrupted: it goes on all the same */
}

EDO__NOINLINE int edo__sys_connected(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int n = poll(&p, 1, 0);
    if (n == 0 || (n < 0 && errno == EINTR))
        return -EAGAIN;
    int error = 0;
    socklen_t len = sizeof error;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -errno;
    return -error;
}
