/* SPDX-License-Identifier: MIT */
/* Frames: what a length field says, and what ends with something. A frame with a length is waited
 * for as a whole before it is taken, so the reader's buffer holds the largest one there was. */
#include "io/bytes.h"
#include "io/reader.h"

#include <edo/frame.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define PAYLOAD_DEFAULT ((size_t)8 << 20)
#define HEADER_MAX 1024

static size_t header_of(const edo_frame_format *f)
{
    return f->length_offset + f->length_size + f->length_after;
}

static int check_length(edo_frame_format *f)
{
    if (f->length_size == 0)
        f->length_size = 4;
    if (f->length_size > 8 || (f->length_size > 4 && f->length_size < 8))
        return -EINVAL;
    if (f->length_offset > HEADER_MAX || f->length_after > HEADER_MAX || header_of(f) > HEADER_MAX)
        return -EINVAL;
    return f->length_adjust > SSIZE_MAX / 4 || f->length_adjust < -SSIZE_MAX / 4 ? -EINVAL : 0;
}

static int check_format(edo_frame_format *to, const edo_frame_format *format)
{
    *to = format != NULL ? *format : (edo_frame_format){ 0 };
    if (to->max == 0)
        to->max = PAYLOAD_DEFAULT;
    if (to->max > SSIZE_MAX / 4)
        return -EINVAL;
    switch (to->kind) {
    case EDO_FRAME_LENGTH: return check_length(to);
    case EDO_FRAME_LINE:
        to->delimiters = "\n";
        to->delimiters_len = 1;
        return 0;
    case EDO_FRAME_DELIMITER:
        if (to->delimiters != NULL && to->delimiters_len == 0)
            to->delimiters_len = strlen(to->delimiters);
        return to->delimiters == NULL || to->delimiters_len == 0 ? -EINVAL : 0;
    }
    return -EINVAL;
}

int edo_frame_reader_init(edo_frame_reader *f, edo_reader *r, const edo_frame_format *format)
{
    f->edo__reader = r;
    return check_format(&f->edo__format, format);
}

/* The size of the payload behind a header, or a code. */
static ssize_t payload_of(const edo_frame_format *f, const void *header)
{
    uint64_t field = edo__get_bytes((const unsigned char *)header + f->length_offset,
                                    f->length_size, !f->little);
    if (field > SSIZE_MAX / 2)
        return EDO_EOVERSIZE;
    int64_t size = (int64_t)field + f->length_adjust;
    if (size < 0)
        return -EBADMSG;
    return (uint64_t)size > f->max ? EDO_EOVERSIZE : (ssize_t)size;
}

static int read_length(edo_frame_reader *f, char **data, size_t *n)
{
    const edo_frame_format *format = &f->edo__format;
    edo_reader *r = f->edo__reader;
    size_t header = header_of(format);
    int rc = edo__reader_enter(r);
    if (rc == 0)
        rc = edo__reader_need(r, header, header);
    if (rc == EDO_EEOF && edo_reader_buffered(r, NULL) == 0)
        return 0;
    if (rc < 0)
        return rc;
    const void *bytes;
    (void)edo_reader_buffered(r, &bytes);
    ssize_t payload = payload_of(format, bytes);
    if (payload < 0)
        return (int)payload;
    size_t whole = header + (size_t)payload, skip = format->keep_header ? 0 : header;
    rc = edo__reader_need(r, whole, whole);
    if (rc < 0)
        return rc;
    *data = r->edo__buf + r->edo__start + skip; /* it may have moved */
    *n = whole - skip;
    edo_reader_consume(r, whole);
    return 1;
}

static int read_ended(edo_frame_reader *f, char **data, size_t *n)
{
    const edo_frame_format *format = &f->edo__format;
    bool line = format->kind == EDO_FRAME_LINE;
    const edo__ending e = { .find = line ? edo__find_line : edo__find_any,
                            .bytes = format->delimiters,
                            .count = format->delimiters_len,
                            .size = line ? 2 : 1,
                            .limit = format->max };
    int rc = edo__reader_record(f->edo__reader, &e, data, n);
    if (rc != EDO_EEOF)
        return rc;
    edo__reader_rest(f->edo__reader, data, n);
    return 1;
}

int edo_frame_read(edo_frame_reader *f, char **data, size_t *n)
{
    return f->edo__format.kind == EDO_FRAME_LENGTH ? read_length(f, data, n)
                                                   : read_ended(f, data, n);
}

int edo_frame_writer_init(edo_frame_writer *f, edo_writer *w, const edo_frame_format *format)
{
    f->edo__writer = w;
    int rc = check_format(&f->edo__format, format);
    if (rc < 0)
        return rc;
    const edo_frame_format *to = &f->edo__format;
    return to->length_offset + to->length_after > 0 && !to->keep_header ? -EINVAL : 0;
}

/* What the field says of so large a payload, or a code. */
static int field_of(const edo_frame_format *f, size_t payload, uint64_t *field)
{
    if (payload > f->max)
        return EDO_EOVERSIZE;
    int64_t value = (int64_t)payload - f->length_adjust;
    if (value < 0)
        return -EINVAL;
    if (f->length_size < 8 && (uint64_t)value >> (8 * f->length_size) != 0)
        return EDO_EOVERSIZE;
    *field = (uint64_t)value;
    return 0;
}

static ssize_t write_length(edo_frame_writer *f, const char *data, size_t n)
{
    const edo_frame_format *format = &f->edo__format;
    size_t header = format->keep_header ? header_of(format) : 0;
    if (n < header)
        return -EINVAL;
    uint64_t value;
    int rc = field_of(format, n - header, &value);
    if (rc < 0)
        return rc;
    unsigned char field[8];
    edo__put_bytes(field, value, format->length_size, !format->little);
    size_t before = header > 0 ? format->length_offset : 0;
    size_t behind = header > 0 ? before + format->length_size : 0; /* of data, after the field */
    const struct iovec iov[] = { { (void *)data, before },
                                 { field, format->length_size },
                                 { (void *)(data + behind), n - behind } };
    return edo_writer_writev(f->edo__writer, iov, 3);
}

static ssize_t write_ended(edo_frame_writer *f, const char *data, size_t n)
{
    const edo_frame_format *format = &f->edo__format;
    if (n > format->max)
        return EDO_EOVERSIZE;
    const edo__ending e = { .bytes = format->delimiters, .count = format->delimiters_len };
    size_t taken;
    if (n > 0 && edo__find_any(&e, data, n, 0, &taken) >= 0)
        return -EINVAL;
    const struct iovec iov[] = { { (void *)data, n }, { (void *)format->delimiters, 1 } };
    return edo_writer_writev(f->edo__writer, iov, 2);
}

int edo_frame_write(edo_frame_writer *f, const void *data, size_t n)
{
    ssize_t rc = f->edo__format.kind == EDO_FRAME_LENGTH ? write_length(f, data, n)
                                                         : write_ended(f, data, n);
    return rc < 0 ? (int)rc : 0;
}
