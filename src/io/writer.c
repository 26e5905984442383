/* SPDX-License-Identifier: MIT */
/* The buffered writer.
 *
 * The buffer holds [start, end) of it; start is above 0 only between a flush that was cancelled and
 * the next one. Bytes enter at the end when all of a call's fit (after a flush if need be), so a
 * call that is cancelled while it waits for room has left nothing of its own. What is larger than
 * the buffer goes past it, together with what is buffered: one system call for a head and a body.
 *
 * A writer into memory is one whose buffer grows instead of being flushed. */
#include "base/assert.h"
#include "core/wait.h"
#include "io/stream.h"

#include <edo/writer.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_DEFAULT 8192
#define SIZE_MIN 16 /* room for every number */
#define MEMORY_FIRST 256
#define PIECES_JOINED 16 /* that go in one call with what is buffered */

static inline bool is_memory(const edo_writer *w)
{
    return w->edo__stream == NULL && w->edo__file == NULL;
}

static int init(edo_writer *w, const edo_writer_options *options)
{
    edo_writer_options o = options != NULL ? *options : (edo_writer_options){ 0 };
    *w = (edo_writer){ .edo__buf = o.buffer, .edo__size = o.size };
    if (o.buffer != NULL) {
        w->edo__size--; /* the terminator's */
        return o.size < 2 * SIZE_MIN ? -EINVAL : 0;
    }
    if (w->edo__size == 0)
        w->edo__size = SIZE_DEFAULT;
    if (w->edo__size < SIZE_MIN)
        w->edo__size = SIZE_MIN;
    if (w->edo__size > SSIZE_MAX)
        return -EINVAL;
    w->edo__owned = true;
    w->edo__buf = malloc(w->edo__size + 1);
    return w->edo__buf != NULL ? 0 : -ENOMEM;
}

int edo_writer_init(edo_writer *w, edo_stream *s, const edo_writer_options *options)
{
    int rc = init(w, options);
    w->edo__stream = s;
    return rc;
}

int edo_writer_init_file(edo_writer *w, FILE *f, const edo_writer_options *options)
{
    int rc = init(w, options);
    w->edo__file = f;
    return rc;
}

void edo_writer_init_memory(edo_writer *w, size_t limit)
{
    if (limit == 0 || limit > SSIZE_MAX)
        limit = SSIZE_MAX;
    *w = (edo_writer){ .edo__limit = limit, .edo__owned = true };
}

int edo_writer_deinit(edo_writer *w)
{
    bool lost = !is_memory(w) && w->edo__start < w->edo__end;
    if (w->edo__owned)
        free(w->edo__buf);
    *w = (edo_writer){ 0 };
    return lost ? -ENOTEMPTY : 0;
}

/* What every call begins with. */
static inline int enter(const edo_writer *w)
{
    if (w->edo__stream != NULL) {
        int rc = edo__checkpoint(edo__self());
        if (edo__unlikely(rc < 0))
            return rc;
    }
    return w->edo__error;
}

/* A code from below, kept if nothing can follow it. */
static ssize_t failed(edo_writer *w, ssize_t rc)
{
    bool broken = w->edo__stream != NULL && w->edo__stream->broken;
    if (rc != -ECANCELED)
        w->edo__error = (int)rc;
    else if (broken)
        w->edo__error = -EPIPE;
    return rc;
}

static ssize_t file_some(FILE *f, const struct iovec *iov, int count)
{
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
        errno = 0;
        if (fwrite(iov[i].iov_base, 1, iov[i].iov_len, f) != iov[i].iov_len)
            return errno != 0 ? -errno : -EIO;
        done += (ssize_t)iov[i].iov_len;
    }
    return done;
}

static ssize_t put_some(edo_writer *w, const struct iovec *iov, int count)
{
    ssize_t done = w->edo__file != NULL ? file_some(w->edo__file, iov, count)
                                        : edo__writev_some(w->edo__stream, iov, count);
    return done < 0 ? failed(w, done) : done;
}

/* So many bytes of the buffer are written. */
static void drop(edo_writer *w, size_t n)
{
    w->edo__start += n;
    if (w->edo__start == w->edo__end)
        w->edo__start = w->edo__end = 0;
}

static struct iovec buffered(const edo_writer *w)
{
    return (struct iovec){ w->edo__buf + w->edo__start, w->edo__end - w->edo__start };
}

/* Writes out the buffer of a stream or FILE. */
static int drain(edo_writer *w)
{
    while (w->edo__start < w->edo__end) {
        const struct iovec iov = buffered(w);
        ssize_t done = put_some(w, &iov, 1);
        if (done < 0)
            return (int)done;
        drop(w, (size_t)done);
    }
    return 0;
}

int edo_writer_flush(edo_writer *w)
{
    int rc = enter(w);
    if (rc < 0 || is_memory(w))
        return rc;
    rc = drain(w);
    if (rc == 0 && w->edo__file != NULL && fflush(w->edo__file) != 0)
        rc = (int)failed(w, errno > 0 ? -errno : -EIO);
    return rc;
}

static int grow(edo_writer *w, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(w->edo__end, n, &need) || need > w->edo__limit)
        return EDO_EOVERSIZE;
    size_t size = w->edo__size < MEMORY_FIRST ? MEMORY_FIRST : w->edo__size * 2;
    if (size < need)
        size = need;
    if (size > w->edo__limit)
        size = w->edo__limit;
    char *buf = realloc(w->edo__buf, size + 1);
    if (buf == NULL)
        return -ENOMEM;
    w->edo__buf = buf;
    w->edo__size = size;
    return 0;
}

/* Room for n bytes at the end of the buffer. */
static inline int make_room(edo_writer *w, size_t n)
{
    if (edo__likely(w->edo__size - w->edo__end >= n && w->edo__buf != NULL))
        return 0;
    if (is_memory(w))
        return grow(w, n);
    return n > w->edo__size ? EDO_EOVERSIZE : drain(w);
}

static void append(edo_writer *w, const void *data, size_t n)
{
    if (n > 0)
        memcpy(w->edo__buf + w->edo__end, data, n);
    w->edo__end += n;
}

/* The buffered bytes and the first of the pieces in one call. Returns how many bytes of the pieces
 * were written; the buffer may hold a rest only if that is 0. */
static ssize_t put_joined(edo_writer *w, const struct iovec *iov, int count)
{
    struct iovec all[PIECES_JOINED] = { buffered(w) };
    int n = 1;
    for (; n <= count && n < PIECES_JOINED; n++)
        all[n] = iov[n - 1];
    size_t had = all[0].iov_len;
    ssize_t done = put_some(w, all, n);
    if (done < 0)
        return done;
    size_t of_buffer = (size_t)done < had ? (size_t)done : had;
    drop(w, of_buffer);
    return done - (ssize_t)of_buffer;
}

/* More than the buffer may hold. */
static ssize_t put_past(edo_writer *w, const struct iovec *iov, int count, size_t total)
{
    ssize_t already = 0;
    if (w->edo__start < w->edo__end && w->edo__stream != NULL)
        already = put_joined(w, iov, count);
    ssize_t rc = already < 0 ? already : drain(w);
    if (rc < 0)
        return rc;
    rc = w->edo__file != NULL ? file_some(w->edo__file, iov, count)
                              : edo__writev_from(w->edo__stream, iov, count, (size_t)already);
    return rc < 0 ? failed(w, rc) : (ssize_t)total;
}

ssize_t edo_writer_writev(edo_writer *w, const struct iovec *iov, int count)
{
    ssize_t total = edo__iov_total(iov, count);
    if (total < 0)
        return total;
    ssize_t rc = enter(w);
    if (rc < 0)
        return rc;
    if ((size_t)total > w->edo__size && !is_memory(w))
        return put_past(w, iov, count, (size_t)total);
    rc = make_room(w, (size_t)total);
    if (rc < 0)
        return rc;
    for (int i = 0; i < count; i++)
        append(w, iov[i].iov_base, iov[i].iov_len);
    return total;
}

ssize_t edo_writer_write(edo_writer *w, const void *data, size_t n)
{
    const struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
    return edo_writer_writev(w, &iov, 1);
}

ssize_t edo_writer_str(edo_writer *w, const char *text)
{
    return edo_writer_write(w, text, strlen(text));
}

ssize_t edo_writer_line(edo_writer *w, const char *text)
{
    const struct iovec iov[] = { { (void *)text, strlen(text) }, { (void *)"\n", 1 } };
    return edo_writer_writev(w, iov, 2);
}

/* The text did not fit: again, into an emptier or a larger place. */
static ssize_t print_again(edo_writer *w, size_t n, const char *format, va_list args)
{
    if (n <= w->edo__size || is_memory(w)) {
        int rc = make_room(w, n);
        if (rc < 0)
            return rc;
        (void)vsnprintf(w->edo__buf + w->edo__end, n + 1, format, args);
        w->edo__end += n;
        return (ssize_t)n;
    }
    char *text = malloc(n + 1);
    if (text == NULL)
        return -ENOMEM;
    (void)vsnprintf(text, n + 1, format, args);
    const struct iovec iov = { .iov_base = text, .iov_len = n };
    ssize_t rc = put_past(w, &iov, 1, n);
    free(text);
    return rc;
}

ssize_t edo_writer_vprintf(edo_writer *w, const char *format, va_list args)
{
    int rc = enter(w);
    if (rc < 0)
        return rc;
    size_t room = w->edo__size - w->edo__end;
    va_list again;
    va_copy(again, args);
    /* The byte beyond the room is the terminator's. */
    int n = vsnprintf(w->edo__buf == NULL ? NULL : w->edo__buf + w->edo__end,
                      w->edo__buf == NULL ? 0 : room + 1, format, args);
    ssize_t result = n;
    if (n < 0)
        result = errno > 0 ? -errno : -EINVAL;
    else if (w->edo__buf != NULL && (size_t)n <= room)
        w->edo__end += (size_t)n;
    else
        result = print_again(w, (size_t)n, format, again);
    va_end(again);
    return result;
}

ssize_t edo_writer_printf(edo_writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ssize_t rc = edo_writer_vprintf(w, format, args);
    va_end(args);
    return rc;
}

ssize_t edo_writer_room(edo_writer *w, size_t n, void **room)
{
    int rc = enter(w);
    if (rc == 0)
        rc = make_room(w, n);
    if (rc < 0)
        return rc;
    *room = w->edo__buf + w->edo__end;
    return (ssize_t)(w->edo__size - w->edo__end);
}

void edo_writer_advance(edo_writer *w, size_t n)
{
    edo_assert(n <= w->edo__size - w->edo__end);
    w->edo__end += n;
}

const char *edo_writer_data(edo_writer *w, size_t *n)
{
    if (n != NULL)
        *n = w->edo__end - w->edo__start;
    if (w->edo__buf == NULL)
        return "";
    w->edo__buf[w->edo__end] = '\0';
    return w->edo__buf + w->edo__start;
}

char *edo_writer_take(edo_writer *w, size_t *n)
{
    if (!is_memory(w) || (w->edo__buf == NULL && grow(w, 0) < 0))
        return NULL;
    char *data = w->edo__buf;
    (void)edo_writer_data(w, n);
    w->edo__buf = NULL;
    w->edo__size = w->edo__end = 0;
    return data;
}

void edo_writer_reset(edo_writer *w)
{
    edo_assert(is_memory(w));
    w->edo__end = 0;
}
