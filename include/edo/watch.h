/* SPDX-License-Identifier: MIT */
/* Edo: watch. The latest value of something, and waiting for a newer one.
 *
 * Only the last value is kept: a receiver that looks seldom sees the newest, not all. Every value
 * has a version, 1 for the initial one; each receiver remembers which it has seen. */
#ifndef EDO_WATCH_H
#define EDO_WATCH_H

#include <edo/base.h>
#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_watch edo_watch;

/* A receiver, in the caller's storage from subscribe to unsubscribe. Used by one task or thread at a
 * time. Members are the library's. */
typedef struct edo_watch_rx {
    edo_watch *edo__w;
    uint64_t edo__seen; /* version */
} edo_watch_rx;

/* edo_watch_create - for values of a size.
 * @out: one reference, given back with edo_watch_unref().
 * @size: bytes of the value, up to 64 KiB.
 * @initial: the first value, copied; NULL: zeroes.
 * Returns 0, -EINVAL, or -ENOMEM.
 *
 *     edo_watch *w;
 *     struct settings s = { .level = 3 };
 *     rc = edo_watch_create(&w, sizeof s, &s);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_create(edo_watch **out, size_t size, const void *initial);

/* edo_watch_ref - one reference more, for one more who sends. Returns w.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_watch *edo_watch_ref(edo_watch *w);

/* edo_watch_unref - gives a reference back; the last one closes it. Receivers are not counted as
 * references; they keep the memory for as long as they are subscribed. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_unref(edo_watch *w);

/* edo_watch_send - sets the value, with a new version, whether somebody watches or not.
 * Returns 0, or -EPIPE when closed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_send(edo_watch *w, const void *value);

/* edo_watch_replace - the same, and gives back the value from before.
 * @old: written when 0 is returned; not the same storage as value.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_replace(edo_watch *w, const void *value, void *old);

/* edo_watch_modify - changes the value in place.
 * @fn: gets the value and arg, and returns whether it changed it; then there is a new version. It
 *      runs under a spin lock: a few instructions, no call into this library, no waiting.
 * Returns 1: changed, 0: not, or -EPIPE when closed (fn was not called).
 *
 *     static bool increase(void *value, void *arg)
 *     {
 *         int *level = value;
 *         bool more = *level < *(int *)arg;
 *         if (more)
 *             *level = *(int *)arg;
 *         return more;
 *     }
 *     rc = edo_watch_modify(w, increase, &wanted);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_modify(edo_watch *w, bool (*fn)(void *value, void *arg), void *arg);

/* edo_watch_get - a copy of the value, closed or not.
 * @value: written; may be NULL.
 * Returns its version.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_watch_get(edo_watch *w, void *value);

/* edo_watch_close - no more values; the last one stays. Idempotent.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_close(edo_watch *w);

/* edo_watch_closed - whether it is closed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_watch_closed(edo_watch *w);

/* edo_watch_receivers - how many are subscribed at this moment.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_watch_receivers(edo_watch *w);

/* edo_watch_wait_no_receivers - waits until nobody is subscribed; at once when nobody is.
 * Returns 0, or -ECANCELED.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_wait_no_receivers(edo_watch *w);

/* edo_watch_subscribe - makes rx a receiver; the present value counts as seen.
 * @rx: valid until edo_watch_unsubscribe().
 *
 *     edo_watch_rx rx;
 *     edo_watch_subscribe(w, &rx);
 *     while (edo_watch_changed(&rx) == 0) {
 *         edo_watch_read(&rx, &settings);
 *         apply(&settings);
 *     }
 *     edo_watch_unsubscribe(&rx);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_subscribe(edo_watch *w, edo_watch_rx *rx);

/* edo_watch_unsubscribe - rx is a receiver no longer.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_unsubscribe(edo_watch_rx *rx);

/* edo_watch_changed - waits until there is a value newer than the one seen. It does not count as
 * seen by this, so that nothing is lost between this call and the next: edo_watch_read() or
 * edo_watch_mark_unchanged() says that it was.
 * Returns 0; -ECANCELED; -EPIPE: closed, and the last value was seen.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_changed(edo_watch_rx *rx);

/* edo_watch_changed_nowait - the same at once: -EAGAIN when there is nothing newer.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_changed_nowait(edo_watch_rx *rx);

/* edo_watch_has_changed - whether there is a value newer than the one seen.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_watch_has_changed(edo_watch_rx *rx);

/* edo_watch_read - a copy of the value, which counts as seen from then on.
 * @value: written; may be NULL.
 * Returns its version.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_watch_read(edo_watch_rx *rx, void *value);

/* edo_watch_peek - a copy of the value, which does not count as seen by that.
 * @value: written; may be NULL.
 * Returns its version.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_watch_peek(edo_watch_rx *rx, void *value);

/* edo_watch_mark_changed - the present value counts as not seen.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_mark_changed(edo_watch_rx *rx);

/* edo_watch_mark_unchanged - the present value counts as seen.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_watch_mark_unchanged(edo_watch_rx *rx);

/* edo_watch_wait_for - waits until a value meets a condition; the present one may. What was looked
 * at counts as seen.
 * @holds: gets the value and arg; under a spin lock, as in edo_watch_modify().
 * @value: the value that met it, copied when 0 is returned; may be NULL.
 * Returns 0; -ECANCELED; -EPIPE: closed, and the last value does not meet it.
 *
 *     static bool is_ready(const void *value, void *arg)
 *     {
 *         return *(const int *)value == READY;
 *     }
 *     rc = edo_watch_wait_for(&rx, is_ready, NULL, NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_watch_wait_for(edo_watch_rx *rx, bool (*holds)(const void *value, void *arg),
                                      void *arg, void *value);

#ifdef __cplusplus
}
#endif
#endif
