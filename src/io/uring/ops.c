/* SPDX-License-Identifier: MIT */
/* Operations on descriptors. Each is tried by a system call first where that is likely to succeed, and
 * given to the ring where it is not (D6): reads and accepts by what the last one left behind, connects
 * always by call first. Writes nearly always succeed: they go to the ring when other tasks are about
 * to give it something as well, so that one system call is made for many, and by call otherwise.
 *
 * What is no socket is not read by the ring: the kernel gives up at once on a descriptor that does not
 * block. The ring waits until it is ready, and the call follows.
 *
 * Threads and tasks that have no ring (foreign ones, those of a runtime with another backend) use the
 * calls and wait as the epoll backend has it. */
#include "io/desc.h"
#include "io/probes.h"
#include "io/uring/uring.h"

#include <edo/io.h>
#include <errno.h>
#include <poll.h>

#define ACCEPT_POLL_FIRST (1u << 2) /* linux/io_uring.h of Linux 6.10 */

static uint32_t accept_polls = ACCEPT_POLL_FIRST; /* atomic: 0 once a kernel did not know it */

/* In desc->hint: whether to try by call first, because the last one has left something. */
static bool is_trying(edo__desc *d)
{
    return edo__aload(&d->hint, EDO__RLX) != 0;
}

static void note(edo__desc *d, bool try_first)
{
    if (is_trying(d) != try_first)
        edo__astore(&d->hint, try_first, EDO__RLX);
}

int edo__uring_desc_open(edo__desc *d, int fd)
{
    d->fd = fd;
    d->slot = NULL;
    note(d, true); /* nothing is known */
    return 0;
}

/* Nobody waits: streams and listeners see to that. */
void edo__uring_desc_close(edo__desc *d)
{
    d->fd = -1;
}

/* ---- waiting until ready ---- */

typedef struct poll_what {
    int fd;
    unsigned mask;
} poll_what;

static void fill_poll(struct io_uring_sqe *sqe, const void *what)
{
    const poll_what *p = what;
    io_uring_prep_poll_add(sqe, p->fd, p->mask);
}

int edo__uring_poll_fd(edo__task *self, int fd, unsigned events, edo__why why)
{
    poll_what p = { .fd = fd };
    p.mask = ((events & EDO_READABLE) != 0 ? POLLIN : 0u) |
             ((events & EDO_WRITABLE) != 0 ? POLLOUT : 0u);
    edo__op op;
    int rc = edo__op_run(&op, self, why, fill_poll, &p, fd, events);
    return rc < 0 ? rc : op.result < 0 ? op.result : (int)events;
}

/* The same for everybody. */
static int wait_until_ready(edo__task *self, int fd, unsigned events, edo__why why)
{
    if (edo__ring_of(self) == NULL)
        return edo__epoll_wait_fd(fd, events);
    return edo__uring_poll_fd(self, fd, events, why);
}

static int wait_fd_loop(edo__task *self, int fd, unsigned events)
{
    for (bool waited = false;; waited = true) {
        /* Also after the wait: what was ready may be gone, and a file cannot be waited for at all. */
        int rc = edo__sys_ready(fd, events);
        if (rc != 0) {
            if (!waited)
                edo__coop(self);
            return rc;
        }
        rc = edo__uring_poll_fd(self, fd, events, EDO__WHY_FD);
        if (rc < 0)
            return rc;
    }
}

int edo__uring_wait_fd(int fd, unsigned events)
{
    if (events == 0 || (events & ~(unsigned)(EDO_READABLE | EDO_WRITABLE)) != 0)
        return -EINVAL;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__io_begins(self, fd, EDO__WHY_FD);
    rc = wait_fd_loop(self, fd, events);
    edo__io_ends(self, fd, EDO__WHY_FD, rc);
    return rc;
}

/* ---- reading and writing ---- */

typedef struct transfer {
    const edo__desc *d;
    bool ready;        /* likely to be so: the kernel is to try before it waits */
    struct msghdr msg; /* the kernel reads it when it submits, and again when it goes on */
} transfer;

static void fill_recv(struct io_uring_sqe *sqe, const void *what)
{
    const transfer *t = what;
    if (t->msg.msg_iovlen == 1)
        io_uring_prep_recv(sqe, t->d->fd, t->msg.msg_iov->iov_base, t->msg.msg_iov->iov_len, 0);
    else
        io_uring_prep_recvmsg(sqe, t->d->fd, (struct msghdr *)&t->msg, 0);
    sqe->ioprio = (uint16_t)edo__aload(&edo__ring_poll_first, EDO__RLX);
}

static void fill_send(struct io_uring_sqe *sqe, const void *what)
{
    const transfer *t = what;
    if (t->msg.msg_iovlen == 1)
        io_uring_prep_send(sqe, t->d->fd, t->msg.msg_iov->iov_base, t->msg.msg_iov->iov_len,
                           MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, t->d->fd, &t->msg, MSG_NOSIGNAL);
    if (!t->ready)
        sqe->ioprio = (uint16_t)edo__aload(&edo__ring_poll_first, EDO__RLX);
}

static bool by_ring(const edo__task *self, const edo__desc *d)
{
    return (d->flags & EDO__DESC_SOCKET) != 0 && edo__ring_of(self) != NULL;
}

static size_t total(const struct iovec *iov, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* A read by the ring; -EAGAIN: the ring could not, so the caller waits and tries. */
static ssize_t ring_read(edo__task *self, edo__desc *d, const struct iovec *iov, int n)
{
    transfer t = { .d = d, .msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n } };
    edo__op op;
    int rc = edo__op_run(&op, self, EDO__WHY_READ, fill_recv, &t, d->fd, EDO_READABLE);
    if (rc < 0)
        return rc;
    note(d, (op.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0); /* Linux 5.19 */
    return op.result;
}

/* What a direct read says about the next one. A full buffer says that there may be more, a short read
 * of TCP that there is not; others stop at borders. */
static void note_read(edo__desc *d, const struct iovec *iov, int n, ssize_t done)
{
    bool more = (d->flags & EDO__DESC_TCP) == 0 || (size_t)done == total(iov, n);
    note(d, done <= 0 || more);
}

static ssize_t readv_loop(edo__task *self, edo__desc *d, const struct iovec *iov, int n)
{
    ssize_t done;
    bool waited = false, try = is_trying(d);
    for (;;) {
        if (try) {
            done = edo__sys_readv(d, iov, n);
            if (done != -EAGAIN) {
                note_read(d, iov, n, done);
                if (!waited)
                    edo__coop(self);
                return done;
            }
            note(d, false);
        }
        waited = true;
        if (by_ring(self, d)) {
            done = ring_read(self, d, iov, n);
            if (done != -EAGAIN)
                return done;
        }
        done = wait_until_ready(self, d->fd, EDO_READABLE, EDO__WHY_READ);
        if (done < 0)
            return done;
        try = true;
    }
}

ssize_t edo__uring_readv(edo__desc *d, const struct iovec *iov, int n)
{
    edo__task *self = edo__self();
    ssize_t done = edo__checkpoint(self);
    if (done < 0)
        return done;
    edo__io_begins(self, d->fd, EDO__WHY_READ);
    done = readv_loop(self, d, iov, n);
    edo__io_ends(self, d->fd, EDO__WHY_READ, done);
    return done;
}

static ssize_t ring_write(edo__task *self, edo__desc *d, const struct iovec *iov, int n, bool ready)
{
    transfer t = { .d = d,
                   .ready = ready,
                   .msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n } };
    edo__op op;
    int rc = edo__op_run(&op, self, EDO__WHY_WRITE, fill_send, &t, d->fd, EDO_WRITABLE);
    return rc < 0 ? rc : op.result;
}

static ssize_t writev_loop(edo__task *self, edo__desc *d, const struct iovec *iov, int n)
{
    ssize_t done;
    bool ring = by_ring(self, d);
    if (ring && edo__ring_batches(edo__ring_of(self))) {
        done = ring_write(self, d, iov, n, true);
        if (done != -EAGAIN)
            return done;
    }
    for (bool waited = false;; waited = true) {
        done = edo__sys_writev(d, iov, n);
        if (done != -EAGAIN) {
            if (!waited)
                edo__coop(self);
            return done;
        }
        if (ring) {
            done = ring_write(self, d, iov, n, false);
            if (done != -EAGAIN)
                return done;
        }
        done = wait_until_ready(self, d->fd, EDO_WRITABLE, EDO__WHY_WRITE);
        if (done < 0)
            return done;
    }
}

ssize_t edo__uring_writev(edo__desc *d, const struct iovec *iov, int n)
{
    edo__task *self = edo__self();
    ssize_t done = edo__checkpoint(self);
    if (done < 0)
        return done;
    edo__io_begins(self, d->fd, EDO__WHY_WRITE);
    done = writev_loop(self, d, iov, n);
    edo__io_ends(self, d->fd, EDO__WHY_WRITE, done);
    return done;
}

/* ---- connections ---- */

typedef struct accept_what {
    int fd;
    struct sockaddr *addr;
    socklen_t *len;
    uint32_t polls; /* ACCEPT_POLL_FIRST, or 0 */
} accept_what;

static void fill_accept(struct io_uring_sqe *sqe, const void *what)
{
    const accept_what *a = what;
    io_uring_prep_accept(sqe, a->fd, a->addr, a->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    sqe->ioprio = (uint16_t)a->polls;
    if (a->polls != 0 && edo__ring_lacks("accept_poll"))
        sqe->ioprio = 1u << 15; /* no kernel knows this one */
}

/* An accept by the ring; -EAGAIN: try again. */
static int ring_accept(edo__task *self, edo__desc *d, struct sockaddr *addr, socklen_t *len)
{
    socklen_t room = len != NULL ? *len : 0;
    accept_what a = { d->fd, addr, len, edo__aload(&accept_polls, EDO__RLX) };
    edo__op op;
    int rc = edo__op_run(&op, self, EDO__WHY_ACCEPT, fill_accept, &a, d->fd, EDO_READABLE);
    if (len != NULL && (rc < 0 || op.result < 0))
        *len = room;
    if (rc < 0) {
        /* A connection wakes one of several acceptors. If it was this one, nobody else was told. */
        int fd = edo__sys_accept(d->fd, addr, len);
        return fd >= 0 ? fd : rc;
    }
    if (op.result == -EINVAL && a.polls != 0) {
        edo__astore(&accept_polls, 0, EDO__RLX);
        return -EAGAIN;
    }
    if (op.result == -ECONNABORTED || op.result == -EPROTO)
        return -EAGAIN; /* that one died in the queue, the next one may be well */
    note(d, (op.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0); /* Linux 6.10 */
    return op.result;
}

static int accept_loop(edo__task *self, edo__desc *d, struct sockaddr *addr, socklen_t *len)
{
    int rc;
    bool waited = false, try = is_trying(d);
    for (;;) {
        if (try) {
            rc = edo__sys_accept(d->fd, addr, len);
            if (rc != -EAGAIN) {
                if (!waited)
                    edo__coop(self);
                return rc;
            }
            note(d, false);
        }
        waited = true;
        if (edo__ring_of(self) != NULL) {
            rc = ring_accept(self, d, addr, len);
            if (rc != -EAGAIN)
                return rc;
        } else {
            rc = edo__epoll_wait_fd(d->fd, EDO_READABLE);
            if (rc < 0)
                return rc;
        }
        try = true;
    }
}

int edo__uring_accept(edo__desc *d, struct sockaddr *addr, socklen_t *len)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__io_begins(self, d->fd, EDO__WHY_ACCEPT);
    rc = accept_loop(self, d, addr, len);
    edo__io_ends(self, d->fd, EDO__WHY_ACCEPT, rc);
    return rc;
}

static int connect_loop(edo__task *self, edo__desc *d, const struct sockaddr *addr, socklen_t len)
{
    int rc = edo__sys_connect(d->fd, addr, len);
    if (rc != -EINPROGRESS)
        return rc;
    for (;;) {
        rc = wait_until_ready(self, d->fd, EDO_WRITABLE, EDO__WHY_CONNECT);
        if (rc < 0)
            return rc;
        rc = edo__sys_connected(d->fd);
        if (rc != -EAGAIN)
            return rc;
    }
}

int edo__uring_connect(edo__desc *d, const struct sockaddr *addr, socklen_t len)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__io_begins(self, d->fd, EDO__WHY_CONNECT);
    rc = connect_loop(self, d, addr, len);
    edo__io_ends(self, d->fd, EDO__WHY_CONNECT, rc);
    return rc;
}

/* ---- everything else: by call, and the ring waits ---- */

static ssize_t attempt_loop(edo__task *self, edo__desc *d, const edo__attempt *what)
{
    for (bool waited = false;; waited = true) {
        ssize_t done = what->call(d, what->arg);
        if (done != -EAGAIN) {
            if (!waited)
                edo__coop(self);
            return done;
        }
        done = wait_until_ready(self, d->fd, what->events, what->why);
        if (done < 0)
            return done;
    }
}

ssize_t edo__uring_attempt(edo__desc *d, const edo__attempt *what)
{
    edo__task *self = edo__self();
    ssize_t done = edo__checkpoint(self);
    if (done < 0)
        return done;
    edo__io_begins(self, d->fd, what->why);
    done = attempt_loop(self, d, what);
    edo__io_ends(self, d->fd, what->why, done);
    return done;
}
