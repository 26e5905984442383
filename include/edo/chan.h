/* SPDX-License-Identifier: MIT */
/* Edo: channels. Any number of senders and receivers, first come, first served. */
#ifndef EDO_CHAN_H
#define EDO_CHAN_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_chan edo_chan;

#define EDO_UNBOUNDED SIZE_MAX

/* edo_chan_create - a channel for values of a size.
 * @out: one reference, given back with edo_chan_unref().
 * @size: bytes of a value, up to 64 KiB; 0: only the fact is sent.
 * @capacity: values that may wait inside; 0: rendezvous (send returns when it was received);
 *            EDO_UNBOUNDED: send never waits.
 * Returns 0, -EINVAL (size or capacity too large), or -ENOMEM.
 *
 *     edo_chan *c;
 *     rc = edo_chan_create(&c, sizeof(struct job), 16);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_create(edo_chan **out, size_t size, size_t capacity);

/* edo_chan_ref - one reference more. Returns c.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_chan *edo_chan_ref(edo_chan *c);

/* edo_chan_unref - gives a reference back; the last one frees it with the values still inside. NULL
 * is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_chan_unref(edo_chan *c);

/* edo_chan_send - sends a copy of the value, waiting for room.
 * @value: as many bytes as the channel was made for.
 * Returns 0; -ECANCELED: not sent; -EPIPE: closed, not sent; -ENOMEM (unbounded only).
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_send(edo_chan *c, const void *value);

/* edo_chan_send_nowait - the same if there is room (or a receiver) now, else -EAGAIN.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_send_nowait(edo_chan *c, const void *value);

/* edo_chan_recv - waits for a value.
 * @value: written when 0 is returned.
 * Returns 0; -ECANCELED: nothing taken; -EPIPE: closed and drained.
 *
 *     while (edo_chan_recv(c, &job) == 0)
 *         run(&job);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_recv(edo_chan *c, void *value);

/* edo_chan_recv_nowait - the same if one is there now, else -EAGAIN.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_recv_nowait(edo_chan *c, void *value);

/* edo_chan_close - no more sends: present and later ones give -EPIPE; what is inside can still be
 * received. Idempotent.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_chan_close(edo_chan *c);

/* edo_chan_len - values inside at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_len(edo_chan *c);

#ifdef __cplusplus
}
#endif
#endif
