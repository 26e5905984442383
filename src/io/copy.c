/* SPDX-License-Identifier: MIT */
/* Copying from one stream to another. */
#include "base/assert.h"
#include "io/reader.h"
#include "io/splice.h"
#include "io/stream.h"

#include <edo/stream.h>
#include <edo/task.h>
#include <errno.h>

#define BUFFER_DEFAULT 16384
#define SPLICE_AFTER 4          /* full buffers in a row: then there is much to come              */
#define SPLICE_BUFFER_MIN 65536 /* who asks for a smaller buffer does not want a pipe            */

/* One step: reads if nothing is buffered, `most` bytes at most, or writes. Returns 1, 0 at the end,
 * or a code. */
static ssize_t step(edo_reader *r, edo_stream *dst, uint64_t most, uint64_t *copied)
{
    const void *data;
    size_t n = edo_reader_buffered(r, &data);
    if (n == 0) {
        ssize_t got = edo__reader_more(r, r->edo__limit);
        return got > 0 ? 1 : got;
    }
    ssize_t done = edo_write_some(dst, data, n < most ? n : (size_t)most);
    if (done < 0)
        return done;
    edo_reader_consume(r, (size_t)done);
    *copied += (uint64_t)done;
    return 1;
}

int edo_reader_copy(edo_reader *r, edo_stream *dst, uint64_t limit, uint64_t *copied)
{
    uint64_t ignored;
    copied = copied != NULL ? copied : &ignored;
    *copied = 0;
    ssize_t rc = edo__reader_enter(r);
    if (rc < 0)
        return (int)rc;
    rc = 1;
    while (rc > 0 && *copied < limit)
        rc = step(r, dst, limit - *copied, copied);
    return rc < 0 ? (int)rc : 0;
}

static int state_open(edo_copy_state *st, edo_stream *src, size_t buffer_size)
{
    edo_assert(!st->edo__open || st->edo__reader.edo__stream == src);
    if (st->edo__open)
        return 0;
    if (buffer_size == 0)
        buffer_size = BUFFER_DEFAULT;
    int rc = edo_reader_init(&st->edo__reader, src, &(edo_reader_options){ .size = buffer_size });
    st->edo__open = rc == 0;
    st->edo__size = st->edo__reader.edo__size;
    return rc;
}

void edo_copy_state_deinit(edo_copy_state *st)
{
    if (st->edo__open)
        edo_reader_deinit(&st->edo__reader);
    edo__splice_close(st->edo__pipe);
    *st = (edo_copy_state)EDO_COPY_STATE_INIT;
}

/* What decides how a copy goes on: by the buffer at first, and by a pipe of the kernel's once much flows
 * from one descriptor to the other. Twice as fast then, while small messages gain nothing by it. */
typedef struct flow {
    edo_copy_state *st;
    edo_stream *dst;
    size_t pipe_most; /* bytes in the pipe at a time; 0: there will be none */
    unsigned full;    /* buffers that were full, in a row */
} flow;

static size_t in_pipe(const edo_copy_state *st)
{
    const edo__splice *p = st->edo__pipe;
    return p != NULL ? p->held : 0;
}

static bool by_pipe(flow *f)
{
    if (f->pipe_most == 0 || f->full < SPLICE_AFTER || f->st->edo__reader.edo__error != 0)
        return false;
    if (f->st->edo__pipe == NULL)
        f->st->edo__pipe = edo__splice_open();
    if (f->st->edo__pipe == NULL)
        f->full = 0; /* another time, maybe */
    return f->st->edo__pipe != NULL;
}

/* From src to the pipe, which is empty. */
static ssize_t fill_pipe(flow *f, uint64_t most)
{
    size_t n = most < f->pipe_most ? (size_t)most : f->pipe_most;
    ssize_t got = edo__splice_fill(f->st->edo__pipe, f->st->edo__reader.edo__stream, n);
    if (got != -EINVAL)
        return got > 0 ? 1 : got;
    f->pipe_most = 0;
    return 1;
}

/* What the pipe holds goes to dst; or to the buffer, which is empty, where dst takes it from there. */
static ssize_t empty_pipe(flow *f, uint64_t most, uint64_t *copied)
{
    edo_copy_state *st = f->st;
    if (edo__splice_possible(f->dst, st->edo__reader.edo__stream)) {
        ssize_t done = edo__splice_drain(st->edo__pipe, f->dst, most < SIZE_MAX ? most : SIZE_MAX);
        if (done > 0)
            *copied += (uint64_t)done;
        if (done != -EINVAL)
            return done;
        f->pipe_most = 0;
    }
    ssize_t got = edo__splice_read(st->edo__pipe, st->edo__reader.edo__buf, st->edo__size);
    if (got > 0) {
        st->edo__reader.edo__start = 0;
        st->edo__reader.edo__end = (size_t)got;
    }
    return got;
}

/* By the buffer; what is behind the limit stays in src. */
static ssize_t by_buffer(flow *f, uint64_t left, uint64_t *copied)
{
    edo_reader *r = &f->st->edo__reader;
    bool reads = edo_reader_buffered(r, NULL) == 0;
    size_t size = f->st->edo__size;
    if (reads)
        r->edo__size = left < size ? (size_t)left : size;
    ssize_t rc = step(r, f->dst, left, copied);
    if (reads && rc > 0)
        f->full = edo_reader_buffered(r, NULL) == size ? f->full + 1 : 0;
    return rc;
}

static ssize_t copy_steps(flow *f, uint64_t limit, uint64_t *copied)
{
    const edo_reader *r = &f->st->edo__reader;
    ssize_t rc = 1;
    while (rc > 0 && *copied < limit) {
        uint64_t left = limit - *copied;
        if (edo_reader_buffered(r, NULL) > 0)
            rc = by_buffer(f, left, copied);
        else if (in_pipe(f->st) > 0)
            rc = empty_pipe(f, left, copied);
        else
            rc = by_pipe(f) ? fill_pipe(f, left) : by_buffer(f, left, copied);
    }
    return rc;
}

static size_t pipe_most(edo_stream *dst, edo_stream *src, size_t buffer_size)
{
    if (!edo__splice_possible(dst, src))
        return 0;
    return buffer_size == 0 ? SIZE_MAX : buffer_size >= SPLICE_BUFFER_MIN ? buffer_size : 0;
}

static int copy(edo_stream *dst, edo_stream *src, const edo_copy_options *o, uint64_t limit,
                uint64_t *copied)
{
    edo_copy_state own = EDO_COPY_STATE_INIT;
    edo_copy_state *st = o != NULL && o->state != NULL ? o->state : &own;
    *copied = 0;
    ssize_t rc = state_open(st, src, o != NULL ? o->buffer_size : 0);
    if (rc == 0)
        rc = edo__reader_enter(&st->edo__reader);
    if (rc == 0) {
        size_t buffer_size = o != NULL ? o->buffer_size : 0;
        flow f = { .st = st, .dst = dst, .pipe_most = pipe_most(dst, src, buffer_size) };
        rc = copy_steps(&f, limit, copied);
        st->ended |= rc == 0;
        st->written += *copied;
        st->read = st->written + edo_reader_buffered(&st->edo__reader, NULL) + in_pipe(st);
        if (in_pipe(st) == 0) {
            edo__splice_close(st->edo__pipe);
            st->edo__pipe = NULL;
        }
    }
    if (st == &own)
        edo_copy_state_deinit(&own);
    return rc < 0 ? (int)rc : 0;
}

static uint64_t limit_of(const edo_copy_options *o)
{
    return o != NULL && o->limit != 0 ? o->limit : UINT64_MAX;
}

int64_t edo_copy_with(edo_stream *dst, edo_stream *src, const edo_copy_options *options)
{
    uint64_t copied;
    int rc = copy(dst, src, options, limit_of(options), &copied);
    if (options != NULL && options->copied != NULL)
        *options->copied = copied;
    return rc < 0 ? rc : (int64_t)copied;
}

int64_t edo_copy(edo_stream *dst, edo_stream *src)
{
    return edo_copy_with(dst, src, NULL);
}

int64_t edo_copy_n(edo_stream *dst, edo_stream *src, uint64_t n)
{
    uint64_t copied;
    int rc = copy(dst, src, NULL, n, &copied);
    return rc < 0 ? rc : (int64_t)copied;
}

typedef struct direction {
    edo_stream *dst, *src;
    edo_copy_options options;
    uint64_t copied;
} direction;

static int one_way(void *arg)
{
    direction *d = arg;
    int rc = 0;
    if (d->options.state == NULL || !d->options.state->ended) /* else in an earlier call */
        rc = copy(d->dst, d->src, &d->options, limit_of(&d->options), &d->copied);
    if (rc < 0)
        return rc;
    rc = edo_shutdown(d->dst);
    return rc == -ENOTCONN ? 0 : rc; /* dst is gone altogether: the other direction will tell */
}

int edo_copy_both_with(edo_stream *a, edo_stream *b, const edo_copy_options *options,
                       edo_copied *out)
{
    direction there = { .dst = b, .src = a }, back = { .dst = a, .src = b };
    if (options != NULL)
        there.options = back.options = *options;
    if (back.options.state != NULL)
        back.options.state++;
    edo_group g;
    int rc = edo_group_open(&g, &(edo_group_options){ .name = "copy both", .discard = true });
    if (rc == 0) {
        rc = edo_spawn(&g, one_way, &there);
        if (rc == 0)
            rc = edo_spawn(&g, one_way, &back);
        if (rc < 0)
            edo_group_cancel(&g);
        int closed = edo_group_close(&g);
        if (closed < 0 && (rc == 0 || rc == -ECANCELED))
            rc = closed; /* the first failure of the two */
    }
    if (out != NULL)
        *out = (edo_copied){ .a_to_b = there.copied, .b_to_a = back.copied };
    return rc;
}

int edo_copy_both(edo_stream *a, edo_stream *b)
{
    return edo_copy_both_with(a, b, NULL, NULL);
}
