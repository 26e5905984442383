/* SPDX-License-Identifier: MIT */
/* The buffered reader.
 *
 * The buffer holds [start, end) of it. A call first makes sure that all it needs is buffered, where
 * it may be cancelled at any wait without having taken anything, and then takes it, which cannot
 * fail. Calls that move more than the buffer is made for read into the caller's memory instead, and
 * have seen to it before that a cancel finds room to put everything back.
 *
 * Taking only moves `start`; bytes move and the buffer grows when more is read and there is no room
 * behind them. So what was handed out stays valid until the next call. It grows by doubling, as data
 * arrives: who announces a large record and sends nothing costs nothing. */
#include "io/reader.h"

#include "base/assert.h"
#include "core/wait.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_DEFAULT 8192
#define SIZE_MIN 16 /* room for every number */
#define LIMIT_DEFAULT 65536
#define DIRECT_MIN 8192 /* worth reading into the caller's memory, not more than is wanted */

int edo_reader_init(edo_reader *r, edo_stream *s, const edo_reader_options *options)
{
    edo_reader_options o = options != NULL ? *options : (edo_reader_options){ 0 };
    size_t size = o.size != 0 || o.buffer != NULL ? o.size : SIZE_DEFAULT;
    *r = (edo_reader){ .edo__stream = s, .edo__buf = o.buffer, .edo__owned = o.buffer == NULL };
    if (o.buffer != NULL) {
        if (size < 2 * SIZE_MIN)
            return -EINVAL;
        size--; /* the terminator's */
    }
    if (size < SIZE_MIN)
        size = SIZE_MIN;
    r->edo__size = size;
    r->edo__limit = o.limit != 0 ? o.limit : size > LIMIT_DEFAULT ? size : LIMIT_DEFAULT;
    if (r->edo__limit < SIZE_MIN)
        r->edo__limit = SIZE_MIN;
    if (size > SSIZE_MAX / 2 || r->edo__limit > SSIZE_MAX / 2)
        return -EINVAL;
    if (r->edo__owned)
        r->edo__buf = malloc(size + 1);
    return r->edo__buf != NULL ? 0 : -ENOMEM;
}

void edo_reader_deinit(edo_reader *r)
{
    if (r->edo__owned)
        free(r->edo__buf);
    *r = (edo_reader){ 0 };
}

static inline size_t have(const edo_reader *r)
{
    return r->edo__end - r->edo__start;
}

static inline char *first(const edo_reader *r)
{
    return r->edo__buf == NULL ? NULL : r->edo__buf + r->edo__start;
}

int edo__reader_enter(edo_reader *r)
{
    (void)r;
    return edo__checkpoint(edo__self());
}

/* From the stream, past the buffer. */
static ssize_t read_past(edo_reader *r, void *buf, size_t n)
{
    if (edo__unlikely(r->edo__error != 0)) {
        int rc = r->edo__error;
        r->edo__error = 0;
        return rc;
    }
    return edo_read(r->edo__stream, buf, n);
}

static void to_front(edo_reader *r)
{
    size_t n = have(r);
    if (n > 0 && r->edo__start > 0)
        memmove(r->edo__buf, first(r), n);
    r->edo__start = 0;
    r->edo__end = n;
}

/* To so many bytes. */
static int grow(edo_reader *r, size_t size)
{
    if (!r->edo__owned)
        return EDO_EOVERSIZE;
    char *buf = realloc(r->edo__buf, size + 1);
    if (buf == NULL)
        return -ENOMEM;
    r->edo__buf = buf;
    r->edo__size = size;
    return 0;
}

/* Room behind the bytes when there is none. */
static int make_room(edo_reader *r, size_t limit)
{
    to_front(r);
    if (r->edo__end < r->edo__size)
        return 0;
    if (r->edo__size == 0) /* the buffer was given away by edo_reader_read_all() */
        return grow(r, SIZE_DEFAULT);
    if (r->edo__size >= limit)
        return EDO_EOVERSIZE;
    return grow(r, r->edo__size < limit / 2 ? r->edo__size * 2 : limit);
}

ssize_t edo__reader_more(edo_reader *r, size_t limit)
{
    if (r->edo__start == r->edo__end)
        r->edo__start = r->edo__end = 0;
    if (r->edo__end == r->edo__size) {
        int rc = make_room(r, limit);
        if (rc < 0)
            return rc;
    }
    ssize_t got = read_past(r, r->edo__buf + r->edo__end, r->edo__size - r->edo__end);
    if (got > 0)
        r->edo__end += (size_t)got;
    return got;
}

int edo__reader_need(edo_reader *r, size_t n, size_t limit)
{
    if (edo__unlikely(n > limit || (n > r->edo__size && !r->edo__owned)))
        return EDO_EOVERSIZE;
    while (have(r) < n) {
        ssize_t got = edo__reader_more(r, n);
        if (got <= 0)
            return got < 0 ? (int)got : EDO_EEOF;
    }
    return 0;
}

static void take(edo_reader *r, void *buf, size_t n)
{
    if (n > 0)
        memcpy(buf, first(r), n);
    r->edo__start += n;
}

ssize_t edo_reader_read(edo_reader *r, void *buf, size_t n)
{
    ssize_t got = edo__reader_enter(r);
    if (got < 0 || n == 0)
        return got;
    if (have(r) == 0) {
        if (n >= r->edo__size)
            return read_past(r, buf, n);
        got = edo__reader_more(r, r->edo__limit);
        if (got <= 0)
            return got;
    }
    if (n > have(r))
        n = have(r);
    take(r, buf, n);
    return (ssize_t)n;
}

/* What is buffered stays so until the end is reached; what was read beyond it is put behind. */
static ssize_t read_full_past(edo_reader *r, char *buf, size_t n)
{
    if (r->edo__size < n) {
        int rc = grow(r, n);
        if (rc < 0)
            return rc;
    }
    to_front(r);
    size_t had = have(r), at = had;
    if (had > 0)
        memcpy(buf, r->edo__buf, had);
    ssize_t got = 1;
    while (at < n && (got = read_past(r, buf + at, n - at)) > 0)
        at += (size_t)got;
    if (at == n) {
        r->edo__end = 0;
        return (ssize_t)n;
    }
    memcpy(r->edo__buf + had, buf + had, at - had);
    r->edo__end = at;
    return got < 0 ? got : EDO_EEOF;
}

ssize_t edo_reader_read_full(edo_reader *r, void *buf, size_t n)
{
    int rc = edo__reader_enter(r);
    if (rc < 0)
        return rc;
    if (n > SSIZE_MAX / 2)
        return -EINVAL;
    if (n > have(r) && (n > DIRECT_MIN || n > r->edo__size))
        return read_full_past(r, buf, n);
    rc = edo__reader_need(r, n, r->edo__size);
    if (rc < 0)
        return rc;
    take(r, buf, n);
    return (ssize_t)n;
}

/* All that is buffered, as memory of its own: the buffer itself if that is possible. */
static ssize_t take_all(edo_reader *r, void **out)
{
    size_t n = have(r);
    if (!r->edo__owned || r->edo__buf == NULL) {
        char *copy = malloc(n + 1);
        if (copy == NULL)
            return -ENOMEM;
        take(r, copy, n);
        copy[n] = '\0';
        *out = copy;
        return (ssize_t)n;
    }
    to_front(r);
    r->edo__buf[n] = '\0';
    char *less = realloc(r->edo__buf, n + 1);
    *out = less != NULL ? less : r->edo__buf;
    r->edo__buf = NULL;
    r->edo__size = r->edo__end = 0;
    return (ssize_t)n;
}

ssize_t edo_reader_read_all(edo_reader *r, size_t limit, void **out)
{
    int rc = edo__reader_enter(r);
    if (rc < 0)
        return rc;
    if (limit > SSIZE_MAX / 2)
        limit = SSIZE_MAX / 2;
    while (have(r) <= limit) {
        ssize_t got = edo__reader_more(r, limit + 1);
        if (got < 0)
            return got;
        if (got == 0)
            return take_all(r, out);
    }
    return EDO_EOVERSIZE;
}

size_t edo_reader_buffered(const edo_reader *r, const void **data)
{
    if (data != NULL)
        *data = first(r);
    return have(r);
}

void edo_reader_consume(edo_reader *r, size_t n)
{
    edo_assert(n <= have(r));
    r->edo__start += n;
}

ssize_t edo_reader_fill(edo_reader *r, const void **data)
{
    ssize_t rc = edo__reader_enter(r);
    if (rc == 0 && have(r) == 0)
        rc = edo__reader_more(r, r->edo__limit);
    return rc < 0 ? rc : (ssize_t)edo_reader_buffered(r, data);
}

ssize_t edo_reader_peek(edo_reader *r, size_t n, const void **data)
{
    int rc = edo__reader_enter(r);
    if (rc == 0)
        rc = edo__reader_need(r, n, r->edo__limit);
    if (rc < 0)
        return rc;
    if (data != NULL)
        *data = first(r);
    return (ssize_t)n;
}

ssize_t edo_reader_exact(edo_reader *r, size_t n, const void **data)
{
    ssize_t rc = edo_reader_peek(r, n, data);
    if (rc > 0)
        r->edo__start += n;
    return rc;
}

int64_t edo_reader_skip(edo_reader *r, uint64_t n)
{
    int64_t rc = edo__reader_enter(r);
    if (rc < 0)
        return rc;
    if (n > INT64_MAX)
        return -EINVAL;
    uint64_t left = n;
    for (;;) {
        size_t step = have(r) < left ? have(r) : (size_t)left;
        r->edo__start += step;
        left -= step;
        if (left == 0)
            return (int64_t)n;
        rc = edo__reader_more(r, r->edo__limit);
        if (rc <= 0)
            break;
    }
    if (left == n)
        return rc;
    if (rc < 0 && rc != -ECANCELED)
        r->edo__error = (int)rc;
    return (int64_t)(n - left);
}

int edo_reader_skip_until(edo_reader *r, char delimiter)
{
    ssize_t rc = edo__reader_enter(r);
    if (rc < 0)
        return (int)rc;
    for (;;) {
        const char *at = have(r) > 0 ? memchr(first(r), delimiter, have(r)) : NULL;
        if (at != NULL) {
            r->edo__start = (size_t)(at - r->edo__buf) + 1;
            return 1;
        }
        r->edo__start = r->edo__end;
        rc = edo__reader_more(r, r->edo__limit);
        if (rc <= 0)
            return (int)rc;
    }
}
