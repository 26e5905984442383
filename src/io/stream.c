/* SPDX-License-Identifier: MIT */
/* Streams of any kind: whole writes from partial ones, whole reads, one reader and one writer.
 *
 * A write that was cut off leaves the peer with a part of something. Nothing sensible can follow
 * it, so the writing side is broken from then on. A cancel before the first byte breaks nothing. */
#include "io/stream.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "core/wait.h"
#include "io/sys.h"

#include <errno.h>
#include <limits.h>

#define PIECES_MAX 64
#define PIECES_AT_ONCE 8 /* of a write that goes on after a short one */

/* Relaxed, load and store: this is to find misuse, and no misuse that is found rarely is misuse
 * that happens once. */
static void enter(uint32_t *busy)
{
    edo_assert(edo__aload(busy, EDO__RLX) == 0); /* two readers, or two writers, of one stream */
    edo__astore(busy, 1u, EDO__RLX);
}

static void leave(uint32_t *busy)
{
    edo__astore(busy, 0u, EDO__RLX);
}

ssize_t edo_read(edo_stream *s, void *buf, size_t n)
{
    if (n == 0)
        return edo__checkpoint(edo__self());
    const struct iovec iov = { .iov_base = buf, .iov_len = n };
    enter(&s->reading);
    ssize_t got = s->ops->readv(s, &iov, 1);
    leave(&s->reading);
    return got;
}

ssize_t edo__iov_total(const struct iovec *iov, int count)
{
    if (count < 0 || count > PIECES_MAX)
        return -EINVAL;
    size_t total = 0;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(total, iov[i].iov_len, &total) || total > SSIZE_MAX)
            return -EINVAL;
    return (ssize_t)total;
}

ssize_t edo_readv(edo_stream *s, const struct iovec *iov, int count)
{
    ssize_t total = edo__iov_total(iov, count);
    if (total < 0)
        return total;
    if (total == 0)
        return edo__checkpoint(edo__self());
    enter(&s->reading);
    ssize_t got = s->ops->readv(s, iov, count);
    leave(&s->reading);
    return got;
}

ssize_t edo_read_full(edo_stream *s, void *buf, size_t n)
{
    if (n > SSIZE_MAX)
        return -EINVAL;
    if (n == 0)
        return edo__checkpoint(edo__self());
    enter(&s->reading);
    size_t have = 0;
    ssize_t got = 1;
    while (have < n) {
        const struct iovec iov = { .iov_base = (char *)buf + have, .iov_len = n - have };
        got = s->ops->readv(s, &iov, 1);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    leave(&s->reading);
    return got > 0 ? (ssize_t)n : got == 0 ? EDO_EEOF : got;
}

/* What is left of the caller's pieces. */
typedef struct rest {
    const struct iovec *iov;
    int count;
    size_t skip; /* bytes of the first one that are written */
} rest;

static void advance(rest *r, size_t done)
{
    done += r->skip;
    while (r->count > 0 && done >= r->iov->iov_len) {
        done -= r->iov->iov_len;
        r->iov++;
        r->count--;
    }
    r->skip = done;
}

static ssize_t write_some(edo_stream *s, const rest *r)
{
    if (r->skip == 0)
        return s->ops->writev(s, r->iov, r->count);
    struct iovec part[PIECES_AT_ONCE]; /* the caller's must not be changed */
    int n = r->count < PIECES_AT_ONCE ? r->count : PIECES_AT_ONCE;
    for (int i = 0; i < n; i++)
        part[i] = r->iov[i];
    part[0].iov_base = (char *)part[0].iov_base + r->skip;
    part[0].iov_len -= r->skip;
    return s->ops->writev(s, part, n);
}

static ssize_t write_all(edo_stream *s, const struct iovec *iov, int count, size_t total,
                         size_t already)
{
    rest r = { .iov = iov, .count = count };
    advance(&r, already); /* and empty pieces */
    size_t left = total - already;
    while (left > 0) {
        ssize_t done = write_some(s, &r);
        if (done < 0) {
            s->broken = done != -ECANCELED || left < total;
            return done;
        }
        left -= (size_t)done;
        advance(&r, (size_t)done);
    }
    return (ssize_t)total;
}

/* What a broken stream answers; 1 when it is sound. */
static inline ssize_t refused(const edo_stream *s)
{
    if (edo__likely(!s->broken))
        return 1;
    int rc = edo__checkpoint(edo__self());
    return rc < 0 ? rc : -EPIPE;
}

ssize_t edo__writev_from(edo_stream *s, const struct iovec *iov, int count, size_t already)
{
    ssize_t total = edo__iov_total(iov, count);
    if (total < 0)
        return total;
    if (total == 0)
        return edo__checkpoint(edo__self());
    enter(&s->writing);
    ssize_t rc = refused(s);
    if (rc > 0)
        rc = write_all(s, iov, count, (size_t)total, already);
    leave(&s->writing);
    return rc;
}

ssize_t edo_writev(edo_stream *s, const struct iovec *iov, int count)
{
    return edo__writev_from(s, iov, count, 0);
}

ssize_t edo__writev_some(edo_stream *s, const struct iovec *iov, int count)
{
    ssize_t total = edo__iov_total(iov, count);
    if (total < 0)
        return total;
    if (total == 0)
        return edo__checkpoint(edo__self());
    enter(&s->writing);
    ssize_t rc = refused(s);
    if (rc > 0) {
        rest r = { .iov = iov, .count = count };
        advance(&r, 0); /* empty pieces at the start */
        rc = write_some(s, &r);
        if (rc < 0 && rc != -ECANCELED)
            s->broken = true;
    }
    leave(&s->writing);
    return rc;
}

ssize_t edo_write_some(edo_stream *s, const void *buf, size_t n)
{
    const struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
    return edo__writev_some(s, &iov, 1);
}

ssize_t edo_write(edo_stream *s, const void *buf, size_t n)
{
    const struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
    return edo_writev(s, &iov, 1);
}

ssize_t edo__stream_attempt(edo_stream *s, const edo__attempt *what)
{
    edo__fd_stream *f = edo__fd_stream_of(s);
    if (f == NULL)
        return -EOPNOTSUPP;
    bool writes = what->events == EDO_WRITABLE;
    uint32_t *busy = writes ? &s->writing : &s->reading;
    enter(busy);
    ssize_t rc = writes ? refused(s) : 1;
    if (rc > 0)
        rc = f->backend->attempt(&f->desc, what);
    leave(busy);
    return rc;
}

ssize_t edo_peek(edo_stream *s, void *buf, size_t n)
{
    struct iovec iov = { .iov_base = buf, .iov_len = n };
    const edo__attempt what = {
        .call = edo__sys_peek, .arg = &iov, .events = EDO_READABLE, .why = EDO__WHY_READ
    };
    const edo__fd_stream *f = edo__fd_stream_of(s);
    if (f == NULL || (f->desc.flags & EDO__DESC_SOCKET) == 0)
        return -EOPNOTSUPP;
    return n == 0 ? edo__checkpoint(edo__self()) : edo__stream_attempt(s, &what);
}

int edo_shutdown(edo_stream *s)
{
    return s->ops->shutdown(s);
}

int edo_close(edo_stream *s)
{
    if (s == NULL)
        return 0;
    edo_assert(edo__aload(&s->reading, EDO__RLX) == 0 && edo__aload(&s->writing, EDO__RLX) == 0);
    return s->ops->close(s);
}

int edo_stream_fd(const edo_stream *s)
{
    return s->ops->fd(s);
}

int edo_wait_fd(int fd, unsigned events)
{
    return edo__backend_of(edo__self())->wait_fd(fd, events);
}
