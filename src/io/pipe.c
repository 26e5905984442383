/* SPDX-License-Identifier: MIT */
/* Streams in memory: a ring of bytes with a writer and a reader at its ends, and two of them for
 * both directions.
 *
 * There is one reader and one writer at a time. The reader alone takes bytes out and the writer
 * alone puts bytes in, so each copies without the lock, in a part of the ring the other does not
 * touch until the count is changed, under the lock. */
#include "io/stream.h"

#include "base/assert.h"
#include "sync/waiting.h"

#include <edo/stream.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define CAPACITY_DEFAULT 65536

typedef struct pipe_ring {
    edo__waitq readers; /* its lock is over all of this */
    edo__waitq writers;
    uint32_t refs; /* atomic: ends that are open */
    bool ended;    /* nothing more is written: shut down, or the writer is gone */
    bool deaf;     /* the reader is gone */
    size_t capacity;
    size_t head; /* where the first byte is */
    size_t count;
    char bytes[];
} pipe_ring;

typedef struct pipe_end {
    edo_stream base; /* first member */
    pipe_ring *in;   /* NULL: not to be read */
    pipe_ring *out;  /* NULL: not to be written */
} pipe_end;

/* Between the ring, from `at` on, and the pieces: n bytes at most. Returns how many. */
static size_t transfer(pipe_ring *p, size_t at, size_t n, const struct iovec *iov, int count,
                       bool reading)
{
    size_t done = 0;
    for (int i = 0; i < count; i++) {
        char *piece = iov[i].iov_base;
        size_t left = iov[i].iov_len < n - done ? iov[i].iov_len : n - done;
        while (left > 0) {
            size_t step = left < p->capacity - at ? left : p->capacity - at;
            memcpy(reading ? piece : p->bytes + at, reading ? p->bytes + at : piece, step);
            piece += step;
            left -= step;
            done += step;
            at = at + step == p->capacity ? 0 : at + step;
        }
    }
    return done;
}

/* Waits in q while the ring is as it is. The lock is held before and after, except on failure. */
static int wait_in(pipe_ring *p, edo__waitq *q, edo__task *self, edo__why why)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    int rc = edo__waitq_wait(q, &p->readers.lock, &w, why, p);
    if (rc == 0)
        edo__spin_lock(&p->readers.lock);
    return rc;
}

static ssize_t end_readv(edo_stream *s, const struct iovec *iov, int n)
{
    pipe_ring *p = ((pipe_end *)s)->in;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (p == NULL)
        return -EBADF;
    edo__spin_lock(&p->readers.lock);
    while (p->count == 0 && !p->ended)
        if ((rc = wait_in(p, &p->readers, self, EDO__WHY_READ)) < 0)
            return rc;
    size_t head = p->head, count = p->count;
    edo__spin_unlock(&p->readers.lock);
    size_t got = transfer(p, head, count, iov, n, true);
    if (got > 0) {
        edo__wakes wakes = { 0 };
        edo__spin_lock(&p->readers.lock);
        p->head = (head + got) % p->capacity;
        p->count -= got;
        edo__wakes_claim_all(&wakes, &p->writers, 0);
        edo__spin_unlock(&p->readers.lock);
        edo__wakes_run(&wakes);
    }
    edo__coop(self);
    return (ssize_t)got;
}

static ssize_t end_writev(edo_stream *s, const struct iovec *iov, int n)
{
    pipe_ring *p = ((pipe_end *)s)->out;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (p == NULL)
        return -EBADF;
    edo__spin_lock(&p->readers.lock);
    while (p->count == p->capacity && !p->ended && !p->deaf)
        if ((rc = wait_in(p, &p->writers, self, EDO__WHY_WRITE)) < 0)
            return rc;
    bool open = !p->ended && !p->deaf;
    size_t tail = (p->head + p->count) % p->capacity, room = p->capacity - p->count;
    edo__spin_unlock(&p->readers.lock);
    if (!open)
        return -EPIPE;
    size_t done = transfer(p, tail, room, iov, n, false);
    edo__wakes wakes = { 0 };
    edo__spin_lock(&p->readers.lock);
    p->count += done;
    edo__wakes_claim_all(&wakes, &p->readers, 0);
    edo__spin_unlock(&p->readers.lock);
    edo__wakes_run(&wakes);
    edo__coop(self);
    return (ssize_t)done;
}

/* One end is done with it: ended or deaf. Those at the other end look again. */
static void mark(pipe_ring *p, bool *what)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&p->readers.lock);
    *what = true;
    edo__wakes_claim_all(&wakes, &p->readers, 0);
    edo__wakes_claim_all(&wakes, &p->writers, 0);
    edo__spin_unlock(&p->readers.lock);
    edo__wakes_run(&wakes);
}

static void release(pipe_ring *p)
{
    /* release, and acquire for the last: the other end has done all it did before */
    if (edo__asub(&p->refs, 1u, EDO__AR) == 1)
        free(p);
}

static int end_shutdown(edo_stream *s)
{
    pipe_ring *p = ((pipe_end *)s)->out;
    if (p == NULL)
        return -EBADF;
    mark(p, &p->ended);
    return 0;
}

static int end_close(edo_stream *s)
{
    pipe_end *e = (pipe_end *)s;
    if (e->out != NULL) {
        mark(e->out, &e->out->ended);
        release(e->out);
    }
    if (e->in != NULL) {
        mark(e->in, &e->in->deaf);
        release(e->in);
    }
    free(e);
    return 0;
}

static const edo__stream_ops end_ops = { end_readv, end_writev, end_shutdown, end_close,
                                         edo__stream_no_fd };

static pipe_ring *ring_create(size_t capacity)
{
    pipe_ring *p = malloc(sizeof *p + capacity);
    if (p != NULL)
        *p = (pipe_ring){ .refs = 2, .capacity = capacity };
    return p;
}

/* Two ends with a ring from a to b, and one from b to a if `both`. */
static int connect_ends(edo_stream **a, edo_stream **b, size_t capacity, bool both)
{
    if (capacity == 0)
        capacity = CAPACITY_DEFAULT;
    if (capacity > SSIZE_MAX / 2)
        return -EINVAL;
    pipe_end *left = malloc(sizeof *left), *right = malloc(sizeof *right);
    pipe_ring *there = ring_create(capacity), *back = both ? ring_create(capacity) : NULL;
    if (left == NULL || right == NULL || there == NULL || (both && back == NULL)) {
        free(left);
        free(right);
        free(there);
        free(back);
        return -ENOMEM;
    }
    *left = (pipe_end){ .base.ops = &end_ops, .in = back, .out = there };
    *right = (pipe_end){ .base.ops = &end_ops, .in = there, .out = back };
    *a = &left->base;
    *b = &right->base;
    return 0;
}

int edo_duplex(edo_stream **a, edo_stream **b, size_t capacity)
{
    return connect_ends(a, b, capacity, true);
}

int edo_simplex(edo_stream **r, edo_stream **w, size_t capacity)
{
    return connect_ends(w, r, capacity, false);
}
