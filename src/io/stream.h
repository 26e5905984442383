/* SPDX-License-Identifier: MIT */
/* What a stream is made of, for those who make new kinds of streams. */
#ifndef EDO_IO_STREAM_H
#define EDO_IO_STREAM_H

#include "core/backend.h"
#include "io/desc.h"

#include <edo/io.h>

typedef struct edo__stream_ops {
    /* At least one byte, or 0 at the end of the stream. */
    ssize_t (*readv)(edo_stream *s, const struct iovec *iov, int n);
    /* At least one byte of those there are; at most 64 pieces. */
    ssize_t (*writev)(edo_stream *s, const struct iovec *iov, int n);
    int (*shutdown)(edo_stream *s);
    int (*close)(edo_stream *s); /* and frees it */
    int (*fd)(const edo_stream *s);
} edo__stream_ops;

/* First member of every kind of stream. */
struct edo_stream {
    const edo__stream_ops *ops;
    uint32_t reading; /* atomic: somebody is inside a read; for the assertion only */
    uint32_t writing; /* the same of writes */
    bool broken;      /* the writer's: part of something was written and the rest will never be */
};

/* The number of bytes of up to 64 pieces, or -EINVAL. */
ssize_t edo__iov_total(const struct iovec *iov, int count);
/* At least one byte of the pieces, as edo_write_some(). */
ssize_t edo__writev_some(edo_stream *s, const struct iovec *iov, int count);
/* edo_writev() of pieces of which `already` bytes have been written by edo__writev_some(): a cancel
 * then breaks the stream. */
ssize_t edo__writev_from(edo_stream *s, const struct iovec *iov, int count, size_t already);

/* The fd operation of streams that have no descriptor. */
int edo__stream_no_fd(const edo_stream *s);

/* A stream over a descriptor. */
typedef struct edo__fd_stream {
    edo_stream base; /* first member */
    const edo__backend *backend;
    edo__desc desc;
} edo__fd_stream;

/* In two steps, so that what can fail is done before there is a descriptor to lose. */
edo__fd_stream *edo__fd_stream_alloc(void); /* NULL: no memory; free(3) undoes it */
/* fd: non-blocking, the stream's on success. flags: EDO__DESC_*. */
int edo__fd_stream_open(edo__fd_stream *s, const edo__backend *backend, int fd, uint32_t flags);

/* Runs an attempt on a stream over a descriptor, as its one reader or writer by what->events.
 * -EOPNOTSUPP: it is another kind of stream. */
ssize_t edo__stream_attempt(edo_stream *s, const edo__attempt *what);
/* NULL: it is another kind of stream. */
edo__fd_stream *edo__fd_stream_of(edo_stream *s);

#endif
