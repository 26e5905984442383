/* SPDX-License-Identifier: MIT */
/* Edo: something done once, and a value set once. */
#ifndef EDO_ONCE_H
#define EDO_ONCE_H

#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a function once, however many ask for it. Needs no deinit; it may be freed when every call
 * on it has returned. */
typedef struct edo_once {
    edo__waitq edo__q;             /* state: new, running, done */
    struct edo__task *edo__runner; /* who runs the function */
    int32_t edo__code;             /* what the function returned; once done */
} edo_once;

#define EDO_ONCE_INIT                                                                              \
    {                                                                                              \
        { 0, 0, 0, 0 }, 0, 0                                                                       \
    }

/* edo_once_init - the same as assigning EDO_ONCE_INIT.
 *
 *     edo_once once;
 *     edo_once_init(&once);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_once_init(edo_once *o);

/* edo_once_run - runs fn(arg) if it has not succeeded before; while another caller runs it, waits
 * for that. fn runs in the caller, and may suspend. When it returns a negative code it has failed:
 * the next caller, the first in line if any wait, runs its own fn.
 * Returns fn's code, the same to all once it is >= 0; -ECANCELED: cancelled before, or while
 * another ran fn, which is not disturbed; -EDEADLK: called from inside fn. (From a child that fn
 * waits for it waits for ever; edo_dump() says so.)
 *
 *     static edo_once once = EDO_ONCE_INIT;
 *     int rc = edo_once_run(&once, load_table, NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_once_run(edo_once *o, edo_fn *fn, void *arg);

/* edo_once_run_nowait - the same, but does not wait for another caller that runs fn.
 * Returns as edo_once_run(); -EAGAIN: another caller runs fn.
 *
 *     int rc = edo_once_run_nowait(&once, load_table, NULL);
 *     if (rc == -EAGAIN)
 *         use_defaults();
 *
 * Suspends: never, but what fn does
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_once_run_nowait(edo_once *o, edo_fn *fn, void *arg);

/* edo_once_done - whether fn has succeeded. What it wrote can be read then.
 *
 *     if (edo_once_done(&once))
 *         look_at(&table);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_once_done(const edo_once *o);

/* A value that is set once and read by any number, who can wait for it. It is kept in a slot of the
 * caller's and stays there, so that it may be read in place. */
typedef struct edo_setonce {
    edo__waitq edo__q; /* state: empty, set, closed */
    void *edo__slot;
    size_t edo__size;
} edo_setonce;

#define EDO_SETONCE_INIT(slot_, size_)                                                             \
    {                                                                                              \
        { 0, 0, 0, 0 }, (slot_), (size_)                                                           \
    }

/* edo_setonce_init - empty.
 * @slot, @size: where the value is kept: at least size bytes for as long as it is used.
 *
 *     int port;
 *     edo_setonce bound;
 *     edo_setonce_init(&bound, &port, sizeof port);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_setonce_init(edo_setonce *o, void *slot, size_t size);

/* edo_setonce_set - sets the value and lets all waiters go.
 * @value: size bytes, copied.
 * Returns 0, -EALREADY when it was set before, -EPIPE when closed.
 *
 *     int got = 8080;
 *     int rc = edo_setonce_set(&bound, &got);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_setonce_set(edo_setonce *o, const void *value);

/* edo_setonce_wait - waits until the value is set.
 * @value: size bytes are written when 0 is returned; NULL: not wanted.
 * Returns 0, -ECANCELED, or -EPIPE when it was closed without a value.
 *
 *     int where;
 *     int rc = edo_setonce_wait(&bound, &where);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_setonce_wait(edo_setonce *o, void *value);

/* edo_setonce_wait_nowait - the same at once, or -EAGAIN.
 *
 *     int where;
 *     if (edo_setonce_wait_nowait(&bound, &where) == -EAGAIN)
 *         where = 0;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_setonce_wait_nowait(edo_setonce *o, void *value);

/* edo_setonce_get - the value where it is kept, NULL while it is not set. Costs one load.
 *
 *     const int *where = (const int *)edo_setonce_get(&bound);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const void *edo_setonce_get(const edo_setonce *o);

/* edo_setonce_close - no value will come: waiting gives -EPIPE. Nothing happens when it is set.
 *
 *     edo_setonce_close(&bound);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_setonce_close(edo_setonce *o);

#ifdef __cplusplus
}
#endif
#endif
