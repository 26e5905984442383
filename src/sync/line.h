/* SPDX-License-Identifier: MIT */
/* A line of waiters whose head waits for an instant: that of a delay queue's first entry, or that at
 * which a rate limit has enough tokens.
 *
 * Only the head has a timer; those behind it wait until the line moves. Nothing is handed over: the
 * head looks for itself, under the lock, whenever its timer fires or it is called because something
 * has changed, and keeps its place while it waits again. Whoever leaves the line as its head calls
 * the next one, who then looks in turn. A call that finds the head awake is not needed: it is about
 * to take the lock and look, or to leave and call the next.
 *
 * w->code: EDO__WAKE_CALLED. A select's case that stands in the line is called and not claimed, so
 * that it keeps its place in other lines as well: see select.c. */
#ifndef EDO_SYNC_LINE_H
#define EDO_SYNC_LINE_H

#include "core/wait.h"

#define EDO__WAKE_CALLED (EDO__WAKE_OK + 1) /* EDO__WAKE_OK is the timer's */

/* One wait of w, which is in the line, until it is called or, as the head, until the instant `at`.
 * The lock (over q) is held on entry and on return, and not in between. Returns 0 to look again, or
 * -ECANCELED. */
static inline int edo__line_wait(edo__waitq *q, edo__waiter *w, int64_t at, edo__why why,
                                 const void *obj)
{
    if (edo__unlikely(!edo__wait_begin(w->task, true)))
        return -ECANCELED;
    int64_t until = q->head == w ? at : EDO_FOREVER;
    edo__spin_unlock(&q->lock);
    uint32_t code = edo__wait_commit_until(w->task, NULL, why, obj, until, EDO__WAKE_OK);
    edo__spin_lock(&q->lock);
    return code >= EDO__WAKE_OK ? 0 : -ECANCELED;
}

/* Under the lock: calls the head, if there is one. What is returned goes to edo__line_called() when
 * the lock was released. */
static inline edo__task *edo__line_call(edo__waitq *q)
{
    if (q->head == NULL)
        return NULL;
    edo__waiter *w = q->head;
    edo__task *t = w->task;
    uint32_t was = w->select ? edo__wait_call(t) : edo__claim(t, w->code);
    return was == EDO__WORD_PARKED ? t : NULL;
}

/* Under the lock: w leaves the line. */
static inline edo__task *edo__line_leave(edo__waitq *q, edo__waiter *w)
{
    bool led = q->head == w;
    edo__waitq_remove(q, w);
    return led ? edo__line_call(q) : NULL;
}

static inline void edo__line_called(edo__task *t)
{
    if (t != NULL)
        edo__schedule_parked(t);
}

#endif
