/* SPDX-License-Identifier: MIT */
/* Descriptors that travel over Unix sockets (SCM_RIGHTS). What has come is either given to the caller or
 * closed, before anybody can suspend. */
#include "io/stream.h"
#include "net/socket.h"

#include <edo/unix.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define EDO__NOINLINE __attribute__((noinline))

typedef union rights {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * EDO_UNIX_FDS_MAX)];
} rights;

typedef struct sending {
    struct iovec iov;
    const int *fds;
    size_t count;
} sending;

EDO__NOINLINE static ssize_t send_call(const edo__desc *d, void *arg)
{
    const sending *s = arg;
    rights control;
    struct iovec iov = s->iov;
    size_t size = sizeof(int) * s->count;
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (s->count > 0) {
        memset(&control, 0, CMSG_SPACE(size));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), s->fds, size);
    }
    ssize_t n;
    do {
        n = sendmsg(d->fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : -errno;
}

/* A socket of another family would send the bytes and forget the descriptors. */
static bool is_unix(edo_stream *s)
{
    const edo__fd_stream *f = edo__fd_stream_of(s);
    return f != NULL && (f->desc.flags & (EDO__DESC_SOCKET | EDO__DESC_TCP)) == EDO__DESC_SOCKET;
}

ssize_t edo_unix_send_fds(edo_stream *s, const void *data, size_t n, const int *fds, size_t count)
{
    sending what = { .iov = { (void *)data, n }, .fds = fds, .count = count };
    const edo__attempt attempt = {
        .call = send_call, .arg = &what, .events = EDO_WRITABLE, .why = EDO__WHY_WRITE
    };
    if (n == 0 || n > SSIZE_MAX || count > EDO_UNIX_FDS_MAX)
        return -EINVAL;
    if (!is_unix(s))
        return -EOPNOTSUPP;
    ssize_t done = edo__stream_attempt(s, &attempt);
    /* They went with the first byte. */
    return done < 0 || (size_t)done == n ? done : edo__writev_from(s, &what.iov, 1, (size_t)done);
}

typedef struct receiving {
    void *buf;
    size_t n;
    int *fds;
    size_t room;
    size_t count; /* how many have come */
} receiving;

static void keep_or_close(receiving *r, const struct cmsghdr *c, size_t room)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        if (r->count < room)
            r->fds[r->count] = fd;
        else
            edo__socket_close(fd);
        r->count++;
    }
}

EDO__NOINLINE static ssize_t recv_call(const edo__desc *d, void *arg)
{
    receiving *r = arg;
    rights control;
    struct iovec iov = { r->buf, r->n };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t n;
    do {
        n = recvmsg(d->fd, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    /* There was room for all that can be in a message: this process may have no more descriptors. */
    bool cut = (msg.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            keep_or_close(r, c, cut ? 0 : r->room);
    if (cut)
        r->count = 0;
    return cut ? -EMFILE : n;
}

ssize_t edo_unix_recv_fds(edo_stream *s, void *buf, size_t n, int *fds, size_t room, size_t *count)
{
    receiving what = { .buf = buf, .n = n, .fds = fds, .room = room };
    const edo__attempt attempt = {
        .call = recv_call, .arg = &what, .events = EDO_READABLE, .why = EDO__WHY_READ
    };
    *count = 0;
    if (n == 0)
        return -EINVAL;
    if (!is_unix(s))
        return -EOPNOTSUPP;
    ssize_t got = edo__stream_attempt(s, &attempt);
    *count = what.count;
    return got;
}
