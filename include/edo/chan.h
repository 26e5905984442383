/* SPDX-License-Identifier: MIT */
/* Edo: channels. Any number of senders and receivers, first come, first served: senders and
 * reservers wait in one line, receivers in another.
 *
 * Who closes: anybody, with edo_chan_close(); or nobody by name, when senders (or receivers) hold
 * references as such (edo_chan_sender_ref()) and the last of them gives its own back. Plain
 * references only keep the memory, as a weak sender of Tokio's does. */
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

/* edo_chan_recv_many - waits for at least one value and takes what is there, up to a number.
 * @values: room for max values, one behind the other.
 * @max: at most INT_MAX are taken; 0: nothing is done.
 * Returns how many were taken; -ECANCELED: nothing taken; -EPIPE: closed and drained.
 *
 *     struct job jobs[16];
 *     int n;
 *     while ((n = edo_chan_recv_many(c, jobs, 16)) > 0)
 *         for (int i = 0; i < n; i++)
 *             run(&jobs[i]);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_recv_many(edo_chan *c, void *values, size_t max);

/* edo_chan_recv_many_nowait - the same with what is there now; -EAGAIN when that is nothing.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_recv_many_nowait(edo_chan *c, void *values, size_t max);

/* edo_chan_send_many - sends values in order, waiting for room whenever it has to. Others may send
 * in between.
 * @values: count values, one behind the other; at most INT_MAX are sent.
 * Returns how many were sent: less than count when it was cancelled, closed or out of memory on
 * the way; the code (as for edo_chan_send()) when that was before the first.
 *
 *     int n = edo_chan_send_many(c, jobs, 16);
 *     if (n < 16)
 *         return n < 0 ? n : -EPIPE;
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_send_many(edo_chan *c, const void *values, size_t count);

/* edo_chan_send_many_nowait - the same as far as there is room now; -EAGAIN when there is none.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_send_many_nowait(edo_chan *c, const void *values, size_t count);

/* Slots of a bounded channel, held until values are sent into them or it is released. Belongs to
 * one task or thread at a time. The holder's reference to the channel must last as long. */
typedef struct edo_permit {
    edo_chan *edo__chan;
    size_t edo__left;
} edo_permit;

#define EDO_PERMIT_INIT                                                                            \
    {                                                                                              \
        0, 0                                                                                       \
    }

/* edo_chan_reserve - waits for room and holds a slot, so that the send that follows can neither
 * wait nor fail: for a value that is taken from elsewhere only once it can be passed on.
 * @p: the permit; empty when a code is returned.
 * Returns 0; -ECANCELED: nothing is held; -EPIPE: closed; -ENOTSUP: a rendezvous channel has no
 * slots, and an unbounded one no limit.
 *
 * A close does not take permits back: what they send can still be received, and receivers get
 * -EPIPE only after the last was used or released.
 *
 *     edo_permit p;
 *     rc = edo_chan_reserve(out, &p);
 *     if (rc < 0)
 *         return rc;
 *     struct job job = next_job();
 *     edo_permit_send(&p, &job);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_reserve(edo_chan *c, edo_permit *p);

/* edo_chan_reserve_nowait - the same if there is room now and nobody waits for it, else -EAGAIN.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_reserve_nowait(edo_chan *c, edo_permit *p);

/* edo_chan_reserve_many - the same for n slots, all at once; who comes later waits behind, as in
 * edo_sem_acquire().
 * Returns the codes of edo_chan_reserve(); -EINVAL: n is more than the capacity.
 *
 *     edo_permit p;
 *     rc = edo_chan_reserve_many(c, 2, &p);
 *     if (rc == 0) {
 *         edo_permit_send(&p, &header);
 *         edo_permit_send(&p, &body);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_reserve_many(edo_chan *c, size_t n, edo_permit *p);

/* edo_chan_reserve_many_nowait - the same at once, else -EAGAIN.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_reserve_many_nowait(edo_chan *c, size_t n, edo_permit *p);

/* edo_permit_send - sends a value into a slot of the permit's, of which there must be one.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_permit_send(edo_permit *p, const void *value);

/* edo_permit_release - gives back the slots that were not used; the next in line go on. Nothing
 * happens with an empty permit.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_permit_release(edo_permit *p);

/* edo_permit_left - slots not used yet.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_permit_left(const edo_permit *p);

/* edo_chan_close - no more sends: present and later ones give -EPIPE; what is inside can still be
 * received, and what permits send that are out. Idempotent.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_chan_close(edo_chan *c);

/* edo_chan_closed - whether it is closed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_chan_closed(edo_chan *c);

/* edo_chan_wait_closed - waits until it is closed: a sender's way to learn that nobody wants its
 * values any more.
 * Returns 0, or -ECANCELED.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_wait_closed(edo_chan *c);

/* edo_chan_sender_ref - a reference that counts as a sender: when the last of them is given back
 * the channel closes. It may be given to another task, which gives it back.
 * Returns 0, or -EPIPE when the channel is closed: then there is no reference to give back.
 *
 *     rc = edo_chan_sender_ref(c);               // for the child ...
 *     if (rc == 0)
 *         rc = edo_spawn(&g, producer, c);       // ... which ends with edo_chan_sender_unref(c)
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_sender_ref(edo_chan *c);

/* edo_chan_sender_unref - gives such a reference back. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_chan_sender_unref(edo_chan *c);

/* edo_chan_receiver_ref - a reference that counts as a receiver: when the last of them is given
 * back the channel closes, so that senders need not wait for ever.
 * Returns 0, or -EPIPE when the channel is closed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_chan_receiver_ref(edo_chan *c);

/* edo_chan_receiver_unref - gives such a reference back. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_chan_receiver_unref(edo_chan *c);

/* edo_chan_senders - references that count as senders, at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_senders(edo_chan *c);

/* edo_chan_receivers - references that count as receivers, at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_receivers(edo_chan *c);

/* edo_chan_len - values inside at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_len(edo_chan *c);

/* edo_chan_capacity - what it was created with.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_capacity(const edo_chan *c);

/* edo_chan_room - slots neither filled nor reserved at this moment; EDO_UNBOUNDED without a limit.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_chan_room(edo_chan *c);

#ifdef __cplusplus
}
#endif
#endif
