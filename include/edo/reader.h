/* SPDX-License-Identifier: MIT */
/* Edo: the buffered reader: lines, records, numbers and exact counts from a stream.
 *
 * Nothing is ever lost. Bytes are taken out of the buffer only by a call that succeeds; one that is
 * cancelled, that finds the end too early or a limit exceeded leaves every byte where it was, and
 * the next call, of whatever kind, goes on from there.
 *
 * The buffer grows up to a limit for what must lie in one piece (a line, a record, a peek). Data
 * handed out as a pointer lies in the buffer, is followed by a 0 byte where the comment says so, and
 * stays valid until the next call on the reader. */
#ifndef EDO_READER_H
#define EDO_READER_H

#include <edo/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lives in the caller's storage; the members are the library's. */
typedef struct edo_reader {
    edo_stream *edo__stream;
    char *edo__buf; /* edo__size bytes and one more, for a terminator                */
    size_t edo__size;
    size_t edo__start; /* bytes in the buffer: [start, end)                             */
    size_t edo__end;
    size_t edo__limit;
    int edo__error;  /* of the stream, found after bytes that were worth reporting    */
    bool edo__owned; /* the buffer is from malloc(3) and may grow                     */
} edo_reader;

typedef struct edo_reader_options {
    size_t size;  /* of the buffer in bytes; 0: 8 KiB                                       */
    size_t limit; /* longest line, record or peek in bytes; 0: 64 KiB, or size if more      */
    void *buffer; /* of the caller's, size bytes, until _deinit: it does not grow, and what must
                     lie in one piece has to fit, with its end and one byte more; NULL: allocated */
} edo_reader_options;

/* edo_reader_init - a reader over a stream.
 * @s: stays the caller's, who closes it after edo_reader_deinit() and reads it by r only.
 * @options: copied; NULL: defaults.
 * Returns 0; -ENOMEM; -EINVAL for a buffer of the caller's of less than 32 bytes.
 *
 *     edo_reader r;
 *     rc = edo_reader_init(&r, s, NULL);
 *     while ((rc = edo_reader_line(&r, &line, &n)) > 0)
 *         puts(line);
 *     edo_reader_deinit(&r);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_reader_init(edo_reader *r, edo_stream *s, const edo_reader_options *options);

/* edo_reader_deinit - gives the buffer back. Bytes in it are gone: to keep them for what comes next
 * on the stream, see edo_stream_from_reader().
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; nobody else may be using it */
void edo_reader_deinit(edo_reader *r);

/* edo_reader_read - what is buffered, or else what the stream has: edo_read() with a buffer.
 * Returns the number of bytes, at most n; 0 at the end (or when n is 0); -ECANCELED; -errno.
 *
 *     ssize_t n = edo_reader_read(&r, buf, sizeof buf);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_reader_read(edo_reader *r, void *buf, size_t n);

/* edo_reader_read_full - exactly n bytes, into buf. On failure none was taken, whatever is in buf.
 * @n: may be more than the limit; the buffer grows so that a cancel can put back what was read.
 * Returns n; EDO_EEOF when the stream ended before; -ECANCELED; -errno; -ENOMEM; EDO_EOVERSIZE when n
 * is more than a buffer of the caller's holds.
 *
 *     ssize_t n = edo_reader_read_full(&r, body, content_length);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_reader_read_full(edo_reader *r, void *buf, size_t n);

/* edo_reader_read_all - everything up to the end of the stream, which has to come within the limit.
 * @limit: in bytes; nothing is taken when there is more.
 * @out: set to the bytes, followed by a 0 byte; the caller's to free(3).
 * Returns how many there are; EDO_EOVERSIZE; -ECANCELED; -errno; -ENOMEM.
 *
 *     void *text;
 *     ssize_t n = edo_reader_read_all(&r, 1 << 20, &text);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_reader_read_all(edo_reader *r, size_t limit, void **out);

/* edo_reader_fill - waits until something is buffered.
 * @data: set to it, or NULL.
 * Returns how many bytes are buffered; 0 at the end of the stream; -ECANCELED; -errno.
 *
 *     while ((n = edo_reader_fill(&r, &data)) > 0)
 *         edo_reader_consume(&r, parse(data, (size_t)n));
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_reader_fill(edo_reader *r, const void **data);

/* edo_reader_buffered - what is buffered now.
 * @data: set to it, or NULL.
 * Returns the number of bytes.
 * edo_reader_consume - takes n of those.
 *
 *     size_t n = edo_reader_buffered(&r, &data);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; one reader at a time */
size_t edo_reader_buffered(const edo_reader *r, const void **data);
void edo_reader_consume(edo_reader *r, size_t n);

/* edo_reader_peek - waits for n bytes and leaves them where they are.
 * edo_reader_exact - the same, and takes them.
 * @data: set to the bytes, or NULL.
 * Returns n; EDO_EEOF when the stream ended before (edo_reader_buffered() has what there is);
 * EDO_EOVERSIZE when n is more than the limit; -ECANCELED; -errno; -ENOMEM.
 *
 *     const void *head;
 *     ssize_t rc = edo_reader_peek(&r, 4, &head);
 *     if (rc == 4 && memcmp(head, "PRI ", 4) == 0)
 *         return http2(&r);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_reader_peek(edo_reader *r, size_t n, const void **data);
EDO_MUST_CHECK ssize_t edo_reader_exact(edo_reader *r, size_t n, const void **data);

/* edo_reader_line - takes a line. It ends with \n or \r\n, which is not part of it, or with the
 * stream.
 * @line: set to it, followed by a 0 byte; may be written into.
 * @len: set to its length, or NULL.
 * Returns 1; 0 at the end, when no line is left; EDO_EOVERSIZE when it is longer than the limit
 * (edo_reader_skip_until() gets over it); -ECANCELED; -errno; -ENOMEM.
 *
 *     char *line;
 *     while ((rc = edo_reader_line(&r, &line, NULL)) > 0)
 *         puts(line);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int edo_reader_line(edo_reader *r, char **line, size_t *len);

/* edo_reader_until - takes what comes before a byte, and the byte.
 * edo_reader_until_str - before a string of 1 to 64 bytes (-EINVAL otherwise).
 * edo_reader_until_any - before the first of several bytes (n of them, at least one).
 * @data: set to what comes before, followed by a 0 byte; may be written into.
 * @len: set to its length, or NULL.
 * Returns 1; 0 at the end when nothing is left; EDO_EEOF when the stream ended in the middle
 * (edo_reader_buffered() has the rest); EDO_EOVERSIZE when it would be longer than the limit;
 * -ECANCELED; -errno; -ENOMEM.
 *
 *     char *head;
 *     rc = edo_reader_until_str(&r, "\r\n\r\n", &head, NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int edo_reader_until(edo_reader *r, char delimiter, char **data, size_t *len);
EDO_MUST_CHECK int edo_reader_until_str(edo_reader *r, const char *delimiter, char **data,
                                        size_t *len);
EDO_MUST_CHECK int edo_reader_until_any(edo_reader *r, const char *delimiters, size_t n,
                                        char **data, size_t *len);

/* edo_reader_skip - throws n bytes away. What was thrown away before a cancel, a failure or the end
 * is reported as success, so that the caller may go on with the rest; the cancel or the failure is
 * seen by the next call.
 * @n: up to INT64_MAX.
 * Returns how many: n, or fewer; 0 at the end; -ECANCELED, -errno: none; -EINVAL.
 *
 *     for (; n > 0 && (done = edo_reader_skip(&r, n)) > 0; n -= (uint64_t)done)
 *         ;
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int64_t edo_reader_skip(edo_reader *r, uint64_t n);

/* edo_reader_skip_until - throws away all up to a byte, and the byte. When cancelled, what was thrown
 * away stays so, and the same call again goes on to the same byte.
 * Returns 1; 0 when the stream ended before; -ECANCELED; -errno.
 *
 *     if (rc == EDO_EOVERSIZE)
 *         rc = edo_reader_skip_until(&r, '\n');     // over a line that is too long
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int edo_reader_skip_until(edo_reader *r, char delimiter);

/* edo_reader_u8, _u16be, ... - takes one number: u unsigned, i signed, f floating point (IEEE 754);
 * be: most significant byte first (network order), le: least significant byte first.
 * @v: set when 0 is returned.
 * Returns 0, or the codes of edo_reader_exact().
 *
 *     uint32_t n;
 *     rc = edo_reader_u32be(&r, &n);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int edo_reader_u8(edo_reader *r, uint8_t *v);
EDO_MUST_CHECK int edo_reader_u16be(edo_reader *r, uint16_t *v);
EDO_MUST_CHECK int edo_reader_u16le(edo_reader *r, uint16_t *v);
EDO_MUST_CHECK int edo_reader_u32be(edo_reader *r, uint32_t *v);
EDO_MUST_CHECK int edo_reader_u32le(edo_reader *r, uint32_t *v);
EDO_MUST_CHECK int edo_reader_u64be(edo_reader *r, uint64_t *v);
EDO_MUST_CHECK int edo_reader_u64le(edo_reader *r, uint64_t *v);
EDO_MUST_CHECK int edo_reader_i8(edo_reader *r, int8_t *v);
EDO_MUST_CHECK int edo_reader_i16be(edo_reader *r, int16_t *v);
EDO_MUST_CHECK int edo_reader_i16le(edo_reader *r, int16_t *v);
EDO_MUST_CHECK int edo_reader_i32be(edo_reader *r, int32_t *v);
EDO_MUST_CHECK int edo_reader_i32le(edo_reader *r, int32_t *v);
EDO_MUST_CHECK int edo_reader_i64be(edo_reader *r, int64_t *v);
EDO_MUST_CHECK int edo_reader_i64le(edo_reader *r, int64_t *v);
EDO_MUST_CHECK int edo_reader_f32be(edo_reader *r, float *v);
EDO_MUST_CHECK int edo_reader_f32le(edo_reader *r, float *v);
EDO_MUST_CHECK int edo_reader_f64be(edo_reader *r, double *v);
EDO_MUST_CHECK int edo_reader_f64le(edo_reader *r, double *v);

#ifdef __cplusplus
}
#endif
#endif
