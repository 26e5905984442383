/* SPDX-License-Identifier: MIT */
/* Records of a buffered reader that end with something: lines, delimiters. */
#include "base/assert.h"
#include "io/reader.h"

#include <string.h>

#define DELIMITER_MAX 64

ssize_t edo__find_line(const edo__ending *e, const char *data, size_t n, size_t scanned,
                       size_t *taken)
{
    (void)e;
    const char *at = memchr(data + scanned, '\n', n - scanned);
    if (at == NULL)
        return -1;
    size_t len = (size_t)(at - data);
    *taken = len + 1;
    return (ssize_t)(len > 0 && data[len - 1] == '\r' ? len - 1 : len);
}

ssize_t edo__find_any(const edo__ending *e, const char *data, size_t n, size_t scanned,
                      size_t *taken)
{
    uint64_t set[4] = { 0 };
    for (size_t i = 0; i < e->count; i++) {
        unsigned char c = (unsigned char)e->bytes[i];
        set[c / 64] |= (uint64_t)1 << c % 64;
    }
    for (size_t i = scanned; i < n; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((set[c / 64] >> c % 64 & 1) != 0) {
            *taken = i + 1;
            return (ssize_t)i;
        }
    }
    return -1;
}

ssize_t edo__find_str(const edo__ending *e, const char *data, size_t n, size_t scanned,
                      size_t *taken)
{
    size_t from = scanned < e->count ? 0 : scanned - e->count + 1; /* it may have begun before */
    const char *at = memmem(data + from, n - from, e->bytes, e->count);
    if (at == NULL)
        return -1;
    *taken = (size_t)(at - data) + e->count;
    return at - data;
}

static void hand_out(edo_reader *r, size_t n, size_t taken, char **data, size_t *len)
{
    *data = r->edo__buf + r->edo__start;
    (*data)[n] = '\0';
    if (len != NULL)
        *len = n;
    r->edo__start += taken;
}

void edo__reader_rest(edo_reader *r, char **data, size_t *len)
{
    size_t n = edo_reader_buffered(r, NULL);
    hand_out(r, n, n, data, len);
}

int edo__reader_record(edo_reader *r, const edo__ending *e, char **data, size_t *len)
{
    int rc = edo__reader_enter(r);
    if (rc < 0)
        return rc;
    for (size_t scanned = 0;;) {
        const void *bytes;
        size_t taken, n = edo_reader_buffered(r, &bytes);
        ssize_t found = n > scanned ? e->find(e, bytes, n, scanned, &taken) : -1;
        if (found > (ssize_t)e->limit || (found < 0 && n >= e->limit + e->size))
            return EDO_EOVERSIZE;
        if (found >= 0) {
            hand_out(r, (size_t)found, taken, data, len);
            return 1;
        }
        scanned = n;
        ssize_t got = edo__reader_more(r, e->limit + e->size);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return n == 0 ? 0 : n > e->limit ? EDO_EOVERSIZE : EDO_EEOF;
    }
}

int edo_reader_line(edo_reader *r, char **line, size_t *len)
{
    const edo__ending e = { .find = edo__find_line, .size = 2, .limit = r->edo__limit };
    int rc = edo__reader_record(r, &e, line, len);
    if (rc != EDO_EEOF)
        return rc;
    edo__reader_rest(r, line, len);
    return 1;
}

int edo_reader_until(edo_reader *r, char delimiter, char **data, size_t *len)
{
    return edo_reader_until_any(r, &delimiter, 1, data, len);
}

int edo_reader_until_any(edo_reader *r, const char *delimiters, size_t n, char **data, size_t *len)
{
    if (n == 0)
        return -EINVAL;
    const edo__ending e = { .find = n == 1 ? edo__find_str : edo__find_any,
                            .bytes = delimiters,
                            .count = n,
                            .size = 1,
                            .limit = r->edo__limit };
    return edo__reader_record(r, &e, data, len);
}

int edo_reader_until_str(edo_reader *r, const char *delimiter, char **data, size_t *len)
{
    size_t n = strlen(delimiter);
    if (n == 0 || n > DELIMITER_MAX)
        return -EINVAL;
    const edo__ending e = {
        .find = edo__find_str, .bytes = delimiter, .count = n, .size = n, .limit = r->edo__limit
    };
    return edo__reader_record(r, &e, data, len);
}
