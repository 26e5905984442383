/* SPDX-License-Identifier: MIT */
/* Edo: byte streams and readiness of descriptors. */
#ifndef EDO_IO_H
#define EDO_IO_H

#include <edo/base.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_stream edo_stream;

/* Readiness, for edo_wait_fd(). Errors and hang-ups count as both. */
enum {
    EDO_READABLE = 1,
    EDO_WRITABLE = 2,
};

/* edo_wait_fd - waits until a descriptor is ready: how any library with a descriptor joins in.
 * @fd: open and pollable; stays the caller's, and stays open until this returns.
 * @events: EDO_READABLE, EDO_WRITABLE, or both.
 * Returns the ready ones of those (> 0); -ECANCELED; -EBADF; -EPERM for a regular file, which is
 * always ready; -EINVAL.
 *
 *     rc = edo_wait_fd(PQsocket(conn), EDO_READABLE);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_wait_fd(int fd, unsigned events);

/* edo_read - reads what is there, waiting for the first byte.
 * @buf, @n: room for n bytes.
 * Returns the number of bytes, 0 at the end of the stream (or when n is 0); -ECANCELED: none was
 * taken; or -errno of read(2), -ECONNRESET for instance.
 *
 *     ssize_t n = edo_read(s, buf, sizeof buf);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader and one writer at a time */
EDO_MUST_CHECK ssize_t edo_read(edo_stream *s, void *buf, size_t n);

/* edo_readv - edo_read() into several pieces, filled in order.
 * @iov: not changed; @count: up to 64 pieces (-EINVAL).
 *
 *     struct iovec iov[] = { { head, sizeof head }, { body, sizeof body } };
 *     ssize_t n = edo_readv(s, iov, 2);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_readv(edo_stream *s, const struct iovec *iov, int count);

/* edo_peek - edo_read() that leaves the bytes there for the next read: to find out what a peer speaks,
 * before somebody is chosen who reads it. (An edo_reader can do that with every stream.)
 * Returns what edo_read() does; -EOPNOTSUPP: it is no stream over a socket.
 *
 *     ssize_t n = edo_peek(s, head, sizeof head);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_peek(edo_stream *s, void *buf, size_t n);

/* edo_read_full - reads exactly n bytes.
 * Returns n; EDO_EEOF when the stream ended before; or the codes of edo_read(). On failure the
 * bytes read so far are in buf and lost to the stream.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_read_full(edo_stream *s, void *buf, size_t n);

/* edo_write - writes all n bytes.
 * Returns n. -ECANCELED when cancelled before the first byte was taken; cancelled later, or on an
 * error, part may have been sent: then the stream is of no more use and gives -EPIPE from then on.
 * -EPIPE also when the peer is gone (no SIGPIPE is raised).
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_write(edo_stream *s, const void *buf, size_t n);

/* edo_write_some - writes what fits now, waiting for room for the first byte.
 * Returns how many of the n bytes were taken, at least 1 (0 when n is 0); -ECANCELED: none was
 * taken, and the stream is as good as before; -EPIPE; or -errno of write(2).
 *
 *     while (at < n && (done = edo_write_some(s, data + at, n - at)) > 0)
 *         at += (size_t)done;          // cancelled: goes on from here another time
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_write_some(edo_stream *s, const void *buf, size_t n);

/* edo_writev - edo_write() from several pieces.
 * @iov: not changed; @count: up to 64 pieces.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_writev(edo_stream *s, const struct iovec *iov, int count);

/* edo_shutdown - ends the writing side: the peer reads the end of the stream. Reading goes on.
 * Returns 0 or -errno.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_shutdown(edo_stream *s);

/* edo_close - closes and frees the stream. Nobody else may be using it. NULL is allowed.
 * Returns 0, or -errno of close(2); the stream is gone in any case.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_close(edo_stream *s);

/* edo_stream_fd - the descriptor below, -1 when there is none. It stays the stream's.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_stream_fd(const edo_stream *s);

/* edo_stream_from_fd - makes a stream of a socket, pipe or terminal descriptor.
 * @out: owns fd from then on; @fd: is set to non-blocking.
 * Returns 0, -EBADF, -EPERM (a regular file), or -ENOMEM; on failure fd stays the caller's.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_from_fd(edo_stream **out, int fd);

#ifdef __cplusplus
}
#endif
#endif
