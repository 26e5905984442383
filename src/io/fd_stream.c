/* SPDX-License-Identifier: MIT */
/* Streams over descriptors: sockets, pipes, terminals. */
#include "io/desc.h"
#include "io/stream.h"

#include "base/assert.h"
#include "core/task.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* read(2) and write(2) take no more at once; asking for more can never be a full transfer. */
#define TRANSFER_MAX 0x7ffff000u

static ssize_t fd_readv(edo_stream *s, const struct iovec *iov, int n)
{
    edo__fd_stream *f = (edo__fd_stream *)s;
    struct iovec one = iov[0];
    if (n == 1 && one.iov_len > TRANSFER_MAX) {
        one.iov_len = TRANSFER_MAX;
        iov = &one;
    }
    return f->backend->readv(&f->desc, iov, n);
}

static ssize_t fd_writev(edo_stream *s, const struct iovec *iov, int n)
{
    edo__fd_stream *f = (edo__fd_stream *)s;
    struct iovec one = iov[0];
    if (one.iov_len > TRANSFER_MAX) {
        one.iov_len = TRANSFER_MAX;
        iov = &one;
        n = 1;
    }
    return f->backend->writev(&f->desc, iov, n);
}

static int fd_shutdown(edo_stream *s)
{
    const edo__fd_stream *f = (const edo__fd_stream *)s;
    return shutdown(f->desc.fd, SHUT_WR) == 0 ? 0 : -errno;
}

static int fd_close(edo_stream *s)
{
    edo__fd_stream *f = (edo__fd_stream *)s;
    int fd = f->desc.fd;
    f->backend->desc_close(&f->desc);
    free(f);
    /* After EINTR the descriptor is closed, too. */
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

static int fd_fd(const edo_stream *s)
{
    return ((const edo__fd_stream *)s)->desc.fd;
}

static const edo__stream_ops fd_ops = { fd_readv, fd_writev, fd_shutdown, fd_close, fd_fd };

edo__fd_stream *edo__fd_stream_of(edo_stream *s)
{
    return s->ops == &fd_ops ? (edo__fd_stream *)s : NULL;
}

edo__fd_stream *edo__fd_stream_alloc(void)
{
    return calloc(1, sizeof(edo__fd_stream));
}

int edo__fd_stream_open(edo__fd_stream *s, const edo__backend *backend, int fd, uint32_t flags)
{
    s->base.ops = &fd_ops;
    s->backend = backend;
    s->desc.flags = flags;
    return backend->desc_open(&s->desc, fd);
}

static int socket_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* What kind of descriptor it is: EDO__DESC_* or a negative code. */
static int describe(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
        return -EPERM;
    if (!S_ISSOCK(st.st_mode))
        return 0;
    bool tcp = socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
    return EDO__DESC_SOCKET | (tcp ? EDO__DESC_TCP : 0);
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    if ((flags & O_NONBLOCK) != 0)
        return 0;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

int edo_stream_from_fd(edo_stream **out, int fd)
{
    int flags = describe(fd);
    if (flags < 0)
        return flags;
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    int rc = set_nonblocking(fd);
    if (rc == 0)
        rc = edo__fd_stream_open(s, edo__backend_of(edo__self()), fd, (uint32_t)flags);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = &s->base;
    return 0;
}
