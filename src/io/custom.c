/* SPDX-License-Identifier: MIT */
/* Streams of the user's own. Here is asked for cancels and spent what an operation costs, so that
 * theirs need not know of either. */
#include "io/stream.h"

#include "base/assert.h"
#include "core/wait.h"

#include <edo/stream.h>
#include <errno.h>
#include <stdlib.h>

typedef struct custom {
    edo_stream base; /* first member */
    const edo_stream_ops *ops;
    void *ctx;
} custom;

static const struct iovec *first_piece(const struct iovec *iov, int n)
{
    while (n > 1 && iov->iov_len == 0) {
        iov++;
        n--;
    }
    return iov;
}

static ssize_t custom_readv(edo_stream *s, const struct iovec *iov, int n)
{
    custom *c = (custom *)s;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (c->ops->read == NULL)
        return -EBADF;
    iov = first_piece(iov, n);
    ssize_t got = c->ops->read(c->ctx, iov->iov_base, iov->iov_len);
    edo_assert(got <= (ssize_t)iov->iov_len); /* else: it has written beyond the buffer */
    edo__coop(self);
    return got;
}

static ssize_t custom_writev(edo_stream *s, const struct iovec *iov, int n)
{
    custom *c = (custom *)s;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    ssize_t done = -EBADF;
    if (c->ops->writev != NULL)
        done = c->ops->writev(c->ctx, iov, n);
    else if (c->ops->write != NULL)
        done = c->ops->write(c->ctx, iov->iov_base, iov->iov_len);
    edo_assert(done != 0); /* else: a write of all bytes would never end */
    edo__coop(self);
    return done;
}

static int custom_shutdown(edo_stream *s)
{
    custom *c = (custom *)s;
    return c->ops->shutdown != NULL ? c->ops->shutdown(c->ctx) : 0;
}

static int custom_close(edo_stream *s)
{
    custom *c = (custom *)s;
    int rc = c->ops->close != NULL ? c->ops->close(c->ctx) : 0;
    free(c);
    return rc;
}

static const edo__stream_ops custom_ops = { custom_readv, custom_writev, custom_shutdown,
                                            custom_close, edo__stream_no_fd };

int edo__stream_no_fd(const edo_stream *s)
{
    (void)s;
    return -1;
}

int edo_stream_create(edo_stream **out, const edo_stream_ops *ops, void *ctx)
{
    custom *c = malloc(sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    *c = (custom){ .base.ops = &custom_ops, .ops = ops, .ctx = ctx };
    *out = &c->base;
    return 0;
}
