/* SPDX-License-Identifier: MIT */
/* Edo: broadcast. Every receiver gets every value that is sent while it is subscribed.
 *
 * The last so many values are kept. Sending never waits for a receiver: one that is too slow loses
 * the oldest values and is told how many. */
#ifndef EDO_BROADCAST_H
#define EDO_BROADCAST_H

#include <edo/base.h>
#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_broadcast edo_broadcast;

/* A receiver, in the caller's storage from subscribe to unsubscribe. Used by one task or thread at a
 * time. Members are the library's. */
typedef struct edo_broadcast_rx {
    edo_broadcast *edo__b;
    uint64_t edo__next; /* number of the value it gets next */
    uint64_t edo__lagged;
    struct edo_broadcast_rx *edo__rx_next, *edo__rx_prev;
} edo_broadcast_rx;

/* edo_broadcast_create - for values of a size.
 * @out: one reference, given back with edo_broadcast_unref().
 * @size: bytes of a value, up to 64 KiB; 0: only the fact is sent.
 * @capacity: how many values are kept for receivers that have not got them yet; at least 1.
 * Returns 0, -EINVAL, or -ENOMEM.
 *
 *     edo_broadcast *b;
 *     rc = edo_broadcast_create(&b, sizeof(struct event), 64);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_broadcast_create(edo_broadcast **out, size_t size, size_t capacity);

/* edo_broadcast_ref - one reference more, for one more who sends. Returns b.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_broadcast *edo_broadcast_ref(edo_broadcast *b);

/* edo_broadcast_unref - gives a reference back; the last one closes it. Receivers are not counted
 * as references; they keep the memory for as long as they are subscribed. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_broadcast_unref(edo_broadcast *b);

/* edo_broadcast_send - sends a copy of the value to all present receivers.
 * Returns how many there are (0: nobody will get it), or -EPIPE when closed.
 *
 *     int listeners = edo_broadcast_send(b, &event);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_broadcast_send(edo_broadcast *b, const void *value);

/* edo_broadcast_close - no more sends; what is kept can still be received. Idempotent.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_broadcast_close(edo_broadcast *b);

/* edo_broadcast_closed - whether it is closed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_broadcast_closed(edo_broadcast *b);

/* edo_broadcast_receivers - how many are subscribed at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_broadcast_receivers(edo_broadcast *b);

/* edo_broadcast_wait_no_receivers - waits until nobody is subscribed; at once when nobody is.
 * Returns 0, or -ECANCELED.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_broadcast_wait_no_receivers(edo_broadcast *b);

/* edo_broadcast_len - kept values that some receiver has still to get. Looks at every receiver.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_broadcast_len(edo_broadcast *b);

/* edo_broadcast_subscribe - makes rx a receiver of what is sent from now on. Of a closed one it
 * gets nothing but -EPIPE.
 * @rx: stays where it is until edo_broadcast_unsubscribe().
 *
 *     edo_broadcast_rx rx;
 *     edo_broadcast_subscribe(b, &rx);
 *     while ((rc = edo_broadcast_recv(&rx, &event)) != -EPIPE && rc != -ECANCELED)
 *         if (rc == 0)
 *             handle(&event);
 *         else                                // -EOVERFLOW
 *             missed += edo_broadcast_lagged(&rx);
 *     edo_broadcast_unsubscribe(&rx);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_broadcast_subscribe(edo_broadcast *b, edo_broadcast_rx *rx);

/* edo_broadcast_resubscribe - the same by way of another receiver: rx gets what is sent from now
 * on, wherever `other` is.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_broadcast_resubscribe(const edo_broadcast_rx *other, edo_broadcast_rx *rx);

/* edo_broadcast_unsubscribe - rx is a receiver no longer.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_broadcast_unsubscribe(edo_broadcast_rx *rx);

/* edo_broadcast_recv - waits for the next value.
 * @value: written when 0 is returned.
 * Returns 0; -ECANCELED: nothing taken; -EPIPE: closed, and everything received; -EOVERFLOW: values
 * were lost before they were received, edo_broadcast_lagged() says how many, and the next call gets
 * the oldest that is kept.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_broadcast_recv(edo_broadcast_rx *rx, void *value);

/* edo_broadcast_recv_nowait - the same if one is there now, else -EAGAIN.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_broadcast_recv_nowait(edo_broadcast_rx *rx, void *value);

/* edo_broadcast_lagged - how many values the last -EOVERFLOW was about.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_broadcast_lagged(const edo_broadcast_rx *rx);

/* edo_broadcast_pending - kept values this receiver has still to get.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_broadcast_pending(const edo_broadcast_rx *rx);

#ifdef __cplusplus
}
#endif
#endif
