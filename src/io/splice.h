/* SPDX-License-Identifier: MIT */
/* Moving bytes from one descriptor to another without copying them into this process: through a pipe of
 * the kernel's. What is in the pipe has been read and is not written yet, like what is in a buffer. */
#ifndef EDO_IO_SPLICE_H
#define EDO_IO_SPLICE_H

#include "io/stream.h"

typedef struct edo__splice {
    int in, out; /* what is put in at `in` comes out at `out` */
    size_t held; /* bytes that are in it */
} edo__splice;

/* Whether both are streams over sockets or pipes. */
bool edo__splice_possible(edo_stream *dst, edo_stream *src);
/* NULL: there is none to be had, or there are enough of them. */
edo__splice *edo__splice_open(void);
void edo__splice_close(edo__splice *p); /* what it holds is lost; NULL is allowed */

/* From src into an empty pipe, `most` bytes at most: how many, 0 at the end, or a code: -EINVAL: these
 * descriptors cannot. Suspends; a checkpoint. */
ssize_t edo__splice_fill(edo__splice *p, edo_stream *src, size_t most);
/* Out of it to dst, `most` bytes at most: how many, at least 1; or a code, as edo_write_some(); -EINVAL:
 * that descriptor cannot. Suspends; a checkpoint. */
ssize_t edo__splice_drain(edo__splice *p, edo_stream *dst, size_t most);
/* Out of it into memory; does not suspend. */
ssize_t edo__splice_read(edo__splice *p, void *buf, size_t n);

#endif
