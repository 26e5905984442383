/* SPDX-License-Identifier: MIT */
/* Edo: the buffered writer: collects small writes for a stream, for a FILE, or in memory.
 *
 * A call on a writer happens whole or not at all: one that returns -ECANCELED has taken none of its
 * bytes, and what was in the buffer before is still going to be written by the next flush. The one
 * exception is a single piece larger than the buffer, which goes straight to the stream and follows
 * the rules of edo_write().
 *
 * After a failure of what is below (not after a cancel or -ENOMEM) the writer is of no more use:
 * each call returns that code again, so it is enough to look at the last one, the flush.
 *
 * In the comments below, "checkpoint" means: of a writer over a stream. Writers into memory and to
 * a FILE never suspend and ask for no cancel. */
#ifndef EDO_WRITER_H
#define EDO_WRITER_H

#include <edo/io.h>
#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lives in the caller's storage; the members are the library's. */
typedef struct edo_writer {
    edo_stream *edo__stream; /* NULL for a FILE and for memory                         */
    FILE *edo__file;
    char *edo__buf;    /* edo__size bytes and one more, for a terminator         */
    size_t edo__size;  /* of the buffer; of memory: as far as it has grown       */
    size_t edo__start; /* bytes in the buffer: [start, end)                      */
    size_t edo__end;
    size_t edo__limit; /* of memory                                              */
    int edo__error;    /* the failure that ended it, 0                           */
    bool edo__owned;   /* the buffer is from malloc(3)                           */
} edo_writer;

typedef struct edo_writer_options {
    size_t size;  /* of the buffer in bytes; 0: 8 KiB                               */
    void *buffer; /* of the caller's, size bytes, until _deinit; NULL: allocated    */
} edo_writer_options;

/* edo_writer_init - a writer over a stream.
 * @s: stays the caller's, who closes it after edo_writer_deinit().
 * @options: copied; NULL: defaults.
 * Returns 0; -ENOMEM; -EINVAL for a buffer of the caller's of less than 32 bytes.
 *
 *     edo_writer w;
 *     rc = edo_writer_init(&w, s, NULL);
 *     rc = edo_writer_printf(&w, "%s %d\n", name, value);
 *     rc = edo_writer_flush(&w);
 *     edo_writer_deinit(&w);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_writer_init(edo_writer *w, edo_stream *s, const edo_writer_options *options);

/* edo_writer_init_memory - a writer that keeps everything in memory, which grows.
 * @limit: most bytes it may hold, more are refused with EDO_EOVERSIZE; 0: no limit.
 *
 *     edo_writer w;
 *     edo_writer_init_memory(&w, 0);
 *     rc = edo_writer_printf(&w, "%d", 42);
 *     size_t n;
 *     const char *text = edo_writer_data(&w, &n);   // "42"
 *     edo_writer_deinit(&w);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_writer_init_memory(edo_writer *w, size_t limit);

/* edo_writer_init_file - a writer to a FILE. Flushing blocks the thread as fwrite(3) does, so this
 * is for programs' output and for reports, not for what a server does all the time.
 * @f: stays the caller's.
 * Returns 0; -ENOMEM; -EINVAL as edo_writer_init().
 *
 *     rc = edo_writer_init_file(&w, stdout, NULL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_writer_init_file(edo_writer *w, FILE *f, const edo_writer_options *options);

/* edo_writer_deinit - gives the buffer back. It does not flush, because it can neither wait nor
 * fail usefully: bytes in the buffer are thrown away, and the code says so.
 * Returns 0; -ENOTEMPTY when bytes were thrown away (never of memory).
 *
 *     rc = edo_writer_flush(&w);
 *     edo_writer_deinit(&w);            // after a failed flush the rest goes, knowingly
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; nobody else may be using it */
int edo_writer_deinit(edo_writer *w);

/* edo_writer_flush - hands the buffered bytes to the stream or FILE. Cancelled in the middle, the
 * rest stays in the buffer and the stream sound: the next flush goes on from there.
 * Returns 0; -ECANCELED; or the codes of edo_write().
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK int edo_writer_flush(edo_writer *w);

/* edo_writer_write - writes n bytes.
 * Returns n; -ECANCELED (none taken, but see the head of this file for n larger than the buffer);
 * the codes of edo_write(); -ENOMEM and EDO_EOVERSIZE of memory (none taken).
 *
 *     ssize_t n = edo_writer_write(&w, body, body_len);
 *
 * Suspends: maybe (when the buffer is full)
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_writer_write(edo_writer *w, const void *data, size_t n);

/* edo_writer_writev - the same from several pieces. Together larger than the buffer, they go to the
 * stream without being copied, in one call with what is buffered.
 * @iov: not changed; @count: up to 64 pieces.
 * Returns the sum of the lengths; the codes of edo_writer_write(); -EINVAL.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_writer_writev(edo_writer *w, const struct iovec *iov, int count);

/* edo_writer_str - writes a string, without its terminator.
 * edo_writer_line - the same, and a newline.
 * edo_writer_printf, _vprintf - formats straight into the buffer; a result larger than that is
 * allocated for as long as the call takes.
 * Returns the number of bytes; the codes of edo_writer_write(); -ENOMEM; those of vsnprintf(3).
 *
 *     rc = (int)edo_writer_line(&w, "HTTP/1.1 200 OK\r");
 *     rc = (int)edo_writer_printf(&w, "content-length: %zu\r\n\r\n", n);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_writer_str(edo_writer *w, const char *text);
EDO_MUST_CHECK ssize_t edo_writer_line(edo_writer *w, const char *text);
EDO_MUST_CHECK __attribute__((format(printf, 2, 3))) ssize_t edo_writer_printf(edo_writer *w,
                                                                               const char *format,
                                                                               ...);
EDO_MUST_CHECK __attribute__((format(printf, 2, 0))) ssize_t edo_writer_vprintf(edo_writer *w,
                                                                                const char *format,
                                                                                va_list args);

/* edo_writer_room - at least n bytes of the buffer to write into, flushing if it must.
 * @room: set to them; use it before any other call on w.
 * Returns how many there are (>= n); EDO_EOVERSIZE when n is more than the buffer or the limit; the
 * codes of edo_writer_write().
 * edo_writer_advance - n bytes have been put there.
 *
 *     void *to;
 *     ssize_t room = edo_writer_room(&w, 16, &to);
 *     if (room >= 0)
 *         edo_writer_advance(&w, encode(to));
 *
 * Suspends: maybe (edo_writer_advance: never)
 * Cancel:   checkpoint (edo_writer_advance: not a checkpoint)
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_writer_room(edo_writer *w, size_t n, void **room);
void edo_writer_advance(edo_writer *w, size_t n);

/* edo_writer_u8, _u16be, ... - writes one number: u unsigned, i signed, f floating point (IEEE 754);
 * be: most significant byte first (network order), le: least significant byte first.
 * Returns 0, or the codes of edo_writer_write().
 *
 *     rc = edo_writer_u32be(&w, frame_len);
 *
 * Suspends: maybe (when the buffer is full)
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK int edo_writer_u8(edo_writer *w, uint8_t v);
EDO_MUST_CHECK int edo_writer_u16be(edo_writer *w, uint16_t v);
EDO_MUST_CHECK int edo_writer_u16le(edo_writer *w, uint16_t v);
EDO_MUST_CHECK int edo_writer_u32be(edo_writer *w, uint32_t v);
EDO_MUST_CHECK int edo_writer_u32le(edo_writer *w, uint32_t v);
EDO_MUST_CHECK int edo_writer_u64be(edo_writer *w, uint64_t v);
EDO_MUST_CHECK int edo_writer_u64le(edo_writer *w, uint64_t v);
EDO_MUST_CHECK int edo_writer_i8(edo_writer *w, int8_t v);
EDO_MUST_CHECK int edo_writer_i16be(edo_writer *w, int16_t v);
EDO_MUST_CHECK int edo_writer_i16le(edo_writer *w, int16_t v);
EDO_MUST_CHECK int edo_writer_i32be(edo_writer *w, int32_t v);
EDO_MUST_CHECK int edo_writer_i32le(edo_writer *w, int32_t v);
EDO_MUST_CHECK int edo_writer_i64be(edo_writer *w, int64_t v);
EDO_MUST_CHECK int edo_writer_i64le(edo_writer *w, int64_t v);
EDO_MUST_CHECK int edo_writer_f32be(edo_writer *w, float v);
EDO_MUST_CHECK int edo_writer_f32le(edo_writer *w, float v);
EDO_MUST_CHECK int edo_writer_f64be(edo_writer *w, double v);
EDO_MUST_CHECK int edo_writer_f64le(edo_writer *w, double v);

/* edo_writer_data - what the buffer holds: of memory everything written, otherwise what is not
 * flushed yet.
 * @n: set to the number of bytes, or NULL.
 * Returns the bytes, followed by a 0 byte; valid until the next call on w.
 *
 *     fputs(edo_writer_data(&w, NULL), stderr);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; one writer at a time */
const char *edo_writer_data(edo_writer *w, size_t *n);

/* edo_writer_take - takes what a writer into memory holds; it is empty afterwards.
 * @n: set to the number of bytes, or NULL.
 * Returns the bytes, followed by a 0 byte, the caller's to free(3); NULL: no memory, or not a
 * writer into memory.
 * edo_writer_reset - forgets what a writer into memory holds and keeps the room.
 *
 *     char *text = edo_writer_take(&w, NULL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; one writer at a time */
char *edo_writer_take(edo_writer *w, size_t *n);
void edo_writer_reset(edo_writer *w);

#ifdef __cplusplus
}
#endif
#endif
