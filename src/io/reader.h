/* SPDX-License-Identifier: MIT */
/* The reader's parts that the toolkit around it uses. None of them is a checkpoint by itself. */
#ifndef EDO_IO_READER_H
#define EDO_IO_READER_H

#include <edo/reader.h>

/* What every call begins with: 0 or a code. */
int edo__reader_enter(edo_reader *r);
/* Reads at least one byte more into the buffer, which may grow to `limit`. Returns the number of
 * bytes read, 0 at the end, EDO_EOVERSIZE when the buffer is full up to the limit. */
ssize_t edo__reader_more(edo_reader *r, size_t limit);
/* edo_reader_peek() with another limit. */
int edo__reader_need(edo_reader *r, size_t n, size_t limit);

/* Where a record ends: found by find(), in the n bytes at data, of which `scanned` were searched
 * before. Returns the length of the record, and sets *taken to that with its end; or -1. */
typedef struct edo__ending {
    ssize_t (*find)(const struct edo__ending *e, const char *data, size_t n, size_t scanned,
                    size_t *taken);
    const char *bytes;
    size_t count;
    size_t size;  /* of the end, in bytes at most                 */
    size_t limit; /* of the record, without its end, in bytes     */
} edo__ending;

ssize_t edo__find_line(const edo__ending *e, const char *data, size_t n, size_t scanned,
                       size_t *taken);
ssize_t edo__find_any(const edo__ending *e, const char *data, size_t n, size_t scanned,
                      size_t *taken);
ssize_t edo__find_str(const edo__ending *e, const char *data, size_t n, size_t scanned,
                      size_t *taken);

/* Takes a record. Returns 1, 0 at the end, EDO_EEOF at the end with a rest in the buffer. */
int edo__reader_record(edo_reader *r, const edo__ending *e, char **data, size_t *len);
/* The rest that is buffered, as a record. */
void edo__reader_rest(edo_reader *r, char **data, size_t *len);

#endif
