/* SPDX-License-Identifier: MIT */
/* Edo: streams of other streams, streams in memory, streams of your own, and copying between them.
 *
 * All of them are used as any stream is: edo_read(), edo_write(), edo_shutdown(), edo_close(), an
 * edo_reader. One task may read a stream while another writes it, so there is nothing to split.
 *
 * A stream made of others owns them: closing it closes them. edo_stream_borrow() is for where that is
 * not wanted. If one cannot be made, those it would have been made of stay the caller's. */
#ifndef EDO_STREAM_H
#define EDO_STREAM_H

#include <edo/io.h>
#include <edo/reader.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a stream of your own does. Each may suspend; not called by two readers, or two writers, at
 * once; not called when the caller is cancelled. */
typedef struct edo_stream_ops {
    /* Waits for and reads 1 to n bytes: how many; 0 at the end; a negative code, -ECANCELED only
     * when nothing was taken. NULL: reading gives -EBADF. */
    ssize_t (*read)(void *ctx, void *buf, size_t n);
    /* Writes 1 to n bytes: how many; a negative code, -ECANCELED only when nothing was taken. NULL:
     * writing gives -EBADF. */
    ssize_t (*write)(void *ctx, const void *data, size_t n);
    /* The same from 1 to 64 pieces, none empty. NULL: write is called with the first. */
    ssize_t (*writev)(void *ctx, const struct iovec *iov, int count);
    /* No more will be written. NULL: nothing to do. */
    int (*shutdown)(void *ctx);
    /* Gives ctx up. Called once, the last of all. NULL: nothing to do. */
    int (*close)(void *ctx);
} edo_stream_ops;

/* edo_stream_create - a stream of your own: for a protocol below, a transformation, a test.
 * @ops: stays valid until the stream is closed.
 * @ctx: what each of them gets.
 * Returns 0 or -ENOMEM (close is not called).
 *
 *     static const edo_stream_ops ops = { .read = decode, .write = encode, .close = drop };
 *     rc = edo_stream_create(&s, &ops, codec);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_create(edo_stream **out, const edo_stream_ops *ops, void *ctx);

/* edo_duplex - two streams in memory, connected to each other: what is written to one is read from
 * the other. After an edo_shutdown() or edo_close() of one, the other reads what is left and then
 * the end; writing to a stream whose other end is closed gives -EPIPE.
 * @capacity: bytes that may be on their way in each direction before a writer waits; 0: 64 KiB.
 * Returns 0, -ENOMEM, or -EINVAL.
 *
 *     edo_stream *client, *server;
 *     rc = edo_duplex(&client, &server, 0);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; the two ends may belong to different tasks, runtimes and threads */
EDO_MUST_CHECK int edo_duplex(edo_stream **a, edo_stream **b, size_t capacity);

/* edo_simplex - the same in one direction: w is written, r is read. The other way gives -EBADF.
 * @capacity: as of edo_duplex().
 * Returns 0, -ENOMEM, or -EINVAL.
 *
 *     edo_stream *r, *w;
 *     rc = edo_simplex(&r, &w, 4096);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_simplex(edo_stream **r, edo_stream **w, size_t capacity);

/* edo_stream_borrow - a stream that uses s and leaves it open when it is closed.
 * Returns 0 or -ENOMEM.
 *
 *     edo_stream *body, *same;
 *     rc = edo_stream_borrow(&same, s);
 *     rc = edo_stream_limit(&body, same, content_length);   // closing body leaves s open
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_borrow(edo_stream **out, edo_stream *s);

/* edo_stream_limit - ends after n bytes were read; writes pass.
 * Returns 0 or -ENOMEM.
 *
 *     rc = edo_stream_limit(&body, s, content_length);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_limit(edo_stream **out, edo_stream *s, uint64_t n);

/* edo_stream_chain - reads one stream after the other; not to be written.
 * @streams: copied; @count: how many.
 * Returns 0 or -ENOMEM.
 *
 *     edo_stream *parts[] = { head, body };
 *     rc = edo_stream_chain(&s, parts, 2);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_chain(edo_stream **out, edo_stream *const *streams, size_t count);

/* edo_stream_join - one stream of a read side and a write side, as of a child's output and input.
 * A shutdown is passed to w; where that knows none (a pipe), it closes w, which comes to the same.
 * @r, @w: two different streams.
 * Returns 0 or -ENOMEM.
 *
 *     rc = edo_stream_join(&s, child_stdout, child_stdin);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; the shutdown: by the writer */
EDO_MUST_CHECK int edo_stream_join(edo_stream **out, edo_stream *r, edo_stream *w);

/* Sees the bytes that pass through a stream. Does not suspend. */
typedef void edo_inspect_fn(void *ctx, const void *data, size_t n);

/* edo_stream_inspect - shows to others what passes: for hashes, counts, traces.
 * @read, @write: called after each read or write with the bytes that were read or taken; or NULL.
 * Returns 0 or -ENOMEM.
 *
 *     rc = edo_stream_inspect(&s, below, add_to_hash, NULL, &hash);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_inspect(edo_stream **out, edo_stream *s, edo_inspect_fn *read,
                                      edo_inspect_fn *write, void *ctx);

/* edo_stream_from_reader - goes on with a stream that a reader has read from: first comes what is in
 * the reader's buffer, then the stream itself. For a protocol that is left in the middle of a
 * connection (an upgrade, STARTTLS).
 * @r: is deinitialised on success; its stream is the new one's. A buffer of the caller's must stay
 *   until that is closed.
 * Returns 0 or -ENOMEM.
 *
 *     rc = edo_stream_from_reader(&s, &r);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_from_reader(edo_stream **out, edo_reader *r);

/* edo_stream_null - reads the end; what is written is thrown away.
 * edo_stream_repeat - reads one byte for ever; not to be written.
 * edo_stream_memory - reads n bytes of memory, which stay the caller's and valid until it is closed;
 * not to be written.
 * Returns 0 or -ENOMEM.
 *
 *     rc = edo_stream_memory(&s, "hello", 5);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_null(edo_stream **out);
EDO_MUST_CHECK int edo_stream_repeat(edo_stream **out, char byte);
EDO_MUST_CHECK int edo_stream_memory(edo_stream **out, const void *data, size_t n);

/* What a copy keeps from one call to the next, so that it loses nothing and the next call goes on
 * where the last one ended: bytes that were read and not yet written. Of the caller's, one for each
 * source, which is read by these calls only; the destination may be another one each time. */
typedef struct edo_copy_state {
    uint64_t read;    /* bytes taken out of the source so far, by all calls ...    */
    uint64_t written; /* ... of which the destination has taken so many            */
    bool ended;       /* the source has ended, and all of it is written            */
    bool edo__open;   /* the library's, and so is what follows                     */
    size_t edo__size;
    edo_reader edo__reader;
    struct edo__splice *edo__pipe;
} edo_copy_state;

#define EDO_COPY_STATE_INIT                                                                        \
    {                                                                                              \
        0, 0, false, false, 0, { 0, 0, 0, 0, 0, 0, 0, false }, 0                                   \
    }

/* edo_copy_state_deinit - frees its buffer; bytes that it still has, read - written of them, are
 * lost.
 * @state: made by EDO_COPY_STATE_INIT, which it is again.
 *
 *     edo_copy_state state = EDO_COPY_STATE_INIT;
 *     int64_t n = edo_copy_with(dst, file, &(edo_copy_options){ .state = &state });
 *     edo_copy_state_deinit(&state);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
void edo_copy_state_deinit(edo_copy_state *state);

typedef struct edo_copy_options {
    size_t buffer_size;    /* bytes; 0: 16 KiB, and up to 256 KiB in a pipe when much goes from one
                              socket or pipe to another (see edo_copy())                        */
    uint64_t limit;        /* stop after so many bytes; 0: no limit                             */
    uint64_t *copied;      /* set to the bytes written to the destination, on failure too; NULL */
    edo_copy_state *state; /* keeps what was read and not written: then nothing is ever lost, and
                              the same call goes on; edo_copy_both_with(): two of them, the first
                              for what goes from a to b; NULL: none                          */
} edo_copy_options;

/* edo_copy - copies everything up to the end of src. Closes and shuts down nothing.
 * edo_copy_n - copies n bytes, fewer when src ends before.
 * edo_copy_with - with options; NULL: defaults.
 * Returns the number of bytes this call has written; -ECANCELED; -ENOMEM; a code of edo_read() or
 * edo_write(). On failure bytes that were read from src and not yet written are lost, at most
 * buffer_size of them, unless options->state keeps them (or a reader does: edo_reader_copy()).
 * Where both are streams over sockets or pipes, and much is coming, the bytes go from one to the
 * other within the kernel (splice(2)), through a pipe that takes two descriptors meanwhile; not with
 * a buffer_size below 64 KiB.
 *
 *     edo_copy_state state = EDO_COPY_STATE_INIT;
 *     edo_copy_options options = { .state = &state };
 *     int64_t n = edo_copy_with(dst, socket, &options);
 *     if (n == -EPIPE) // a stream that has failed takes no more: the rest goes to another one
 *         n = edo_copy_with(file, socket, &options);
 *     edo_copy_state_deinit(&state);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int64_t edo_copy(edo_stream *dst, edo_stream *src);
EDO_MUST_CHECK int64_t edo_copy_n(edo_stream *dst, edo_stream *src, uint64_t n);
EDO_MUST_CHECK int64_t edo_copy_with(edo_stream *dst, edo_stream *src,
                                     const edo_copy_options *options);

/* edo_reader_copy - copies from a reader and loses nothing: what was not written is still in its
 * buffer, dst is sound after a cancel, and the same call goes on.
 * @limit: bytes at most; UINT64_MAX for all.
 * @copied: set to the bytes written by this call, whatever it returns; or NULL.
 * Returns 0 at the end or the limit; -ECANCELED; a code of edo_read() or edo_write().
 *
 *     rc = edo_reader_copy(&r, dst, content_length, &copied);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_reader_copy(edo_reader *r, edo_stream *dst, uint64_t limit,
                                   uint64_t *copied);

/* What edo_copy_both_with() has copied. */
typedef struct edo_copied {
    uint64_t a_to_b; /* bytes */
    uint64_t b_to_a;
} edo_copied;

/* edo_copy_both - copies from a to b and from b to a until both have ended: a proxy. When one side
 * ends, the other's writing side is shut down and the other direction goes on. A failure of one
 * direction cancels the other.
 * edo_copy_both_with - with options (limit: of each direction; copied: not used) and counts of this
 * call.
 * @out: filled whatever it returns; or NULL.
 * Returns 0 when both ended; the first failure; -ECANCELED; -ENOMEM; -EPERM outside of a task. On
 * failure bytes on their way are lost, unless options->state, an array of two, keeps them; then the
 * same call goes on with both directions, and leaves out one that has ended.
 *
 *     edo_copied n;
 *     rc = edo_copy_both_with(client, server, NULL, &n);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_copy_both(edo_stream *a, edo_stream *b);
EDO_MUST_CHECK int edo_copy_both_with(edo_stream *a, edo_stream *b, const edo_copy_options *options,
                                      edo_copied *out);

#ifdef __cplusplus
}
#endif
#endif
