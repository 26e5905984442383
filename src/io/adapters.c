/* SPDX-License-Identifier: MIT */
/* Streams made of other streams. Each is a stream below, another for the writing side where they
 * differ, and what it adds; calls that are not its business pass through. The streams below keep
 * their own rules (one reader, one writer, broken writes), because they are called as from outside. */
#include "io/reader.h"
#include "io/stream.h"

#include "base/assert.h"
#include "core/wait.h"

#include <edo/stream.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct adapter {
    edo_stream base;   /* first member */
    edo_stream *r, *w; /* below; the same but for edo_stream_join() */
    uint64_t left;     /* limit: bytes that may be read */
    edo_inspect_fn *see_read, *see_write;
    void *ctx;
    edo_reader reader; /* from_reader */
} adapter;

static ssize_t pass_readv(edo_stream *s, const struct iovec *iov, int n)
{
    return edo_readv(((adapter *)s)->r, iov, n);
}

static ssize_t pass_writev(edo_stream *s, const struct iovec *iov, int n)
{
    return edo__writev_some(((adapter *)s)->w, iov, n);
}

static int pass_shutdown(edo_stream *s)
{
    return edo_shutdown(((adapter *)s)->w);
}

static int pass_close(edo_stream *s)
{
    edo_stream *below = ((adapter *)s)->r;
    free(s);
    return edo_close(below);
}

static int adapt(edo_stream **out, const edo__stream_ops *ops, adapter what)
{
    adapter *a = malloc(sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    *a = what;
    a->base = (edo_stream){ .ops = ops };
    *out = &a->base;
    return 0;
}

static int borrow_close(edo_stream *s)
{
    free(s);
    return 0;
}

static int borrow_fd(const edo_stream *s)
{
    return edo_stream_fd(((const adapter *)s)->r);
}

int edo_stream_borrow(edo_stream **out, edo_stream *s)
{
    static const edo__stream_ops ops = { pass_readv, pass_writev, pass_shutdown, borrow_close,
                                         borrow_fd };
    return adapt(out, &ops, (adapter){ .r = s, .w = s });
}

/* Of a read that has its answer without waiting. */
static ssize_t answered(ssize_t got)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__coop(self);
    return got;
}

static ssize_t limit_readv(edo_stream *s, const struct iovec *iov, int n)
{
    adapter *a = (adapter *)s;
    if (a->left == 0)
        return answered(0);
    while (n > 1 && iov->iov_len == 0) {
        iov++;
        n--;
    }
    size_t most = iov->iov_len < a->left ? iov->iov_len : (size_t)a->left;
    ssize_t got = edo_read(a->r, iov->iov_base, most);
    if (got > 0)
        a->left -= (uint64_t)got;
    return got;
}

int edo_stream_limit(edo_stream **out, edo_stream *s, uint64_t n)
{
    static const edo__stream_ops ops = { limit_readv, pass_writev, pass_shutdown, pass_close,
                                         edo__stream_no_fd };
    return adapt(out, &ops, (adapter){ .r = s, .w = s, .left = n });
}

static ssize_t join_writev(edo_stream *s, const struct iovec *iov, int n)
{
    adapter *a = (adapter *)s;
    return a->w != NULL ? edo__writev_some(a->w, iov, n) : answered(-EPIPE);
}

static int join_shutdown(edo_stream *s)
{
    adapter *a = (adapter *)s;
    if (a->w == NULL)
        return 0;
    int rc = edo_shutdown(a->w);
    if (rc != -ENOTSOCK)
        return rc;
    rc = edo_close(a->w);
    a->w = NULL;
    return rc;
}

static int join_close(edo_stream *s)
{
    adapter *a = (adapter *)s;
    int rc = edo_close(a->w), rc_read = edo_close(a->r);
    free(a);
    return rc < 0 ? rc : rc_read;
}

int edo_stream_join(edo_stream **out, edo_stream *r, edo_stream *w)
{
    static const edo__stream_ops ops = { pass_readv, join_writev, join_shutdown, join_close,
                                         edo__stream_no_fd };
    edo_assert(r != w); /* else it would be closed twice */
    return adapt(out, &ops, (adapter){ .r = r, .w = w });
}

/* The first n bytes of the pieces. */
static void show(edo_inspect_fn *see, void *ctx, const struct iovec *iov, ssize_t n)
{
    for (size_t left = n > 0 && see != NULL ? (size_t)n : 0; left > 0; iov++) {
        size_t step = iov->iov_len < left ? iov->iov_len : left;
        if (step > 0)
            see(ctx, iov->iov_base, step);
        left -= step;
    }
}

static ssize_t inspect_readv(edo_stream *s, const struct iovec *iov, int n)
{
    adapter *a = (adapter *)s;
    ssize_t got = edo_readv(a->r, iov, n);
    show(a->see_read, a->ctx, iov, got);
    return got;
}

static ssize_t inspect_writev(edo_stream *s, const struct iovec *iov, int n)
{
    adapter *a = (adapter *)s;
    ssize_t done = edo__writev_some(a->w, iov, n);
    show(a->see_write, a->ctx, iov, done);
    return done;
}

int edo_stream_inspect(edo_stream **out, edo_stream *s, edo_inspect_fn *read, edo_inspect_fn *write,
                       void *ctx)
{
    static const edo__stream_ops ops = { inspect_readv, inspect_writev, pass_shutdown, pass_close,
                                         edo__stream_no_fd };
    return adapt(out, &ops,
                 (adapter){ .r = s, .w = s, .see_read = read, .see_write = write, .ctx = ctx });
}

static ssize_t reader_readv(edo_stream *s, const struct iovec *iov, int n)
{
    adapter *a = (adapter *)s;
    if (edo_reader_buffered(&a->reader, NULL) == 0 && a->reader.edo__error == 0)
        return edo_readv(a->r, iov, n);
    while (n > 1 && iov->iov_len == 0) {
        iov++;
        n--;
    }
    ssize_t got = edo_reader_read(&a->reader, iov->iov_base, iov->iov_len);
    if (got > 0)
        edo__coop(edo__self());
    return got;
}

static int reader_close(edo_stream *s)
{
    edo_reader_deinit(&((adapter *)s)->reader);
    return pass_close(s);
}

int edo_stream_from_reader(edo_stream **out, edo_reader *r)
{
    static const edo__stream_ops ops = { reader_readv, pass_writev, pass_shutdown, reader_close,
                                         edo__stream_no_fd };
    edo_stream *s = r->edo__stream;
    int rc = adapt(out, &ops, (adapter){ .r = s, .w = s, .reader = *r });
    if (rc == 0)
        *r = (edo_reader){ 0 };
    return rc;
}

typedef struct chain {
    edo_stream base; /* first member */
    size_t at, count;
    edo_stream *streams[];
} chain;

static ssize_t chain_readv(edo_stream *s, const struct iovec *iov, int n)
{
    chain *c = (chain *)s;
    for (; c->at < c->count; c->at++) {
        ssize_t got = edo_readv(c->streams[c->at], iov, n);
        if (got != 0)
            return got;
    }
    return answered(0);
}

static ssize_t no_writev(edo_stream *s, const struct iovec *iov, int n)
{
    (void)s, (void)iov, (void)n;
    return answered(-EBADF);
}

static int no_shutdown(edo_stream *s)
{
    (void)s;
    return -EBADF;
}

static int chain_close(edo_stream *s)
{
    chain *c = (chain *)s;
    int rc = 0;
    for (size_t i = 0; i < c->count; i++) {
        int closed = edo_close(c->streams[i]);
        rc = rc < 0 ? rc : closed;
    }
    free(c);
    return rc;
}

int edo_stream_chain(edo_stream **out, edo_stream *const *streams, size_t count)
{
    static const edo__stream_ops ops = { chain_readv, no_writev, no_shutdown, chain_close,
                                         edo__stream_no_fd };
    if (count > SIZE_MAX / (2 * sizeof *streams))
        return -ENOMEM;
    chain *c = malloc(sizeof *c + count * sizeof *streams);
    if (c == NULL)
        return -ENOMEM;
    *c = (chain){ .base.ops = &ops, .count = count };
    if (count > 0)
        memcpy(c->streams, streams, count * sizeof *streams);
    *out = &c->base;
    return 0;
}
