/* SPDX-License-Identifier: MIT */
/* Edo: frames over a byte stream: length-delimited, lines, or separated by delimiters.
 *
 * A frame reader works on an edo_reader and a frame writer on an edo_writer, which stay the caller's
 * and may be used for something else between two frames. They keep what those promise: a frame is
 * taken or written whole or not at all. */
#ifndef EDO_FRAME_H
#define EDO_FRAME_H

#include <edo/reader.h>
#include <edo/writer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_frame_kind {
    EDO_FRAME_LENGTH,    /* a header with the length, then the payload                    */
    EDO_FRAME_LINE,      /* ends with \n or \r\n; is written with \n                      */
    EDO_FRAME_DELIMITER, /* ends with any of some bytes; is written with the first of them */
} edo_frame_kind;

/* What frames look like; zero means the default. The two ends use the same. */
typedef struct edo_frame_format {
    edo_frame_kind kind;
    size_t max;            /* largest payload in bytes; 0: 8 MiB                            */
    unsigned length_size;  /* LENGTH: of the field: 1, 2, 3, 4 or 8 bytes; 0: 4             */
    bool little;           /* LENGTH: least significant byte first                          */
    size_t length_offset;  /* LENGTH: bytes of the header before the field                  */
    size_t length_after;   /* LENGTH: bytes of the header behind the field; header: 1 KiB at most */
    int64_t length_adjust; /* LENGTH: field + this = size of the payload; -(header's size) if
                               the field counts the header, too                              */
    bool keep_header;      /* LENGTH: frames are handed out, and written, with their header;
                               the field is filled in when written                           */
    const char *delimiters; /* DELIMITER: the bytes; copied by nobody, must stay valid       */
    size_t delimiters_len;  /* DELIMITER: how many; 0: it is a string                        */
} edo_frame_format;

/* Live in the caller's storage; the members are the library's. */
typedef struct edo_frame_reader {
    edo_reader *edo__reader;
    edo_frame_format edo__format;
} edo_frame_reader;

typedef struct edo_frame_writer {
    edo_writer *edo__writer;
    edo_frame_format edo__format;
} edo_frame_writer;

/* edo_frame_reader_init - frames out of a reader. Needs no _deinit.
 * @r: stays the caller's; its limit is not looked at, max is.
 * @format: copied; NULL: a length of 4 bytes, most significant first.
 * Returns 0; -EINVAL for a format that cannot be.
 *
 *     edo_frame_reader f;
 *     rc = edo_frame_reader_init(&f, &r, NULL);
 *     while ((rc = edo_frame_read(&f, &data, &n)) > 0)
 *         handle(data, n);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_frame_reader_init(edo_frame_reader *f, edo_reader *r,
                                         const edo_frame_format *format);

/* edo_frame_read - takes a frame.
 * @data: set to the payload, in the reader's buffer, followed by a 0 byte if it is a line or
 *   delimited; may be written into; valid until the next call on the reader.
 * @n: set to its size.
 * Returns 1; 0 at the end; EDO_EEOF when the stream ended in the middle of a frame with a length (of
 * the other kinds the rest is the last frame); EDO_EOVERSIZE when it is larger than max: nothing is
 * taken; -EBADMSG for a length that cannot be; -ECANCELED; -errno; -ENOMEM.
 *
 *     rc = edo_frame_read(&f, &data, &n);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK int edo_frame_read(edo_frame_reader *f, char **data, size_t *n);

/* edo_frame_writer_init - frames into a writer. Needs no _deinit.
 * @w: stays the caller's. For frames larger than its buffer, edo_writer_write() says what a cancel
 *   means.
 * @format: as of edo_frame_reader_init(). length_offset and length_after need keep_header (-EINVAL).
 * Returns 0; -EINVAL.
 *
 *     rc = edo_frame_writer_init(&frames, &w, &(edo_frame_format){ .kind = EDO_FRAME_LINE });
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_frame_writer_init(edo_frame_writer *f, edo_writer *w,
                                         const edo_frame_format *format);

/* edo_frame_write - writes a frame into the writer's buffer; edo_writer_flush() sends it.
 * @data, @n: the payload (with keep_header: the header before it, whose field is ignored).
 * Returns 0; EDO_EOVERSIZE when it is larger than max or the length does not fit in its field;
 * -EINVAL when it holds a delimiter, or is shorter than the header; the codes of edo_writer_write().
 *
 *     rc = edo_frame_write(&frames, data, n);
 *     rc = edo_writer_flush(&w);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK int edo_frame_write(edo_frame_writer *f, const void *data, size_t n);

#ifdef __cplusplus
}
#endif
#endif
