/* SPDX-License-Identifier: MIT */
/* Notify: a queue of waiters and one stored permit. Nobody waits while a permit is stored. */
#include "sync/cases.h"
#include "sync/waiting.h"

enum { EMPTY = 0, STORED = 1 };

void edo_notify_init(edo_notify *n)
{
    *n = (edo_notify)EDO_NOTIFY_INIT;
}

static inline int wait(edo_notify *n, edo__task *self, bool since, uint64_t mark)
{
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__waitq *q = &n->edo__q;
    edo__spin_lock(&q->lock);
    bool missed = since && n->edo__alls != mark;
    if (missed || q->state == STORED) {
        if (!missed)
            q->state = EMPTY;
        edo__spin_unlock(&q->lock);
        edo__coop(self);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    return edo__waitq_wait(q, &q->lock, &w, EDO__WHY_NOTIFY, n);
}

EDO__ENTRY int edo_notify_wait(edo_notify *n)
{
    return wait(n, edo__self_here(), false, 0);
}

EDO__ENTRY int edo_notify_wait_since(edo_notify *n, uint64_t mark)
{
    return wait(n, edo__self_here(), true, mark);
}

uint64_t edo_notify_mark(edo_notify *n)
{
    edo__spin_lock(&n->edo__q.lock);
    uint64_t mark = n->edo__alls;
    edo__spin_unlock(&n->edo__q.lock);
    return mark;
}

int edo_notify_wait_nowait(edo_notify *n)
{
    edo__spin_lock(&n->edo__q.lock);
    int rc = n->edo__q.state == STORED ? 0 : -EAGAIN;
    n->edo__q.state = EMPTY;
    edo__spin_unlock(&n->edo__q.lock);
    return rc;
}

/* From the head of the queue or from its tail. */
static inline void notify(edo_notify *n, bool last)
{
    edo__waitq *q = &n->edo__q;
    edo__waiter *w;
    edo__spin_lock(&q->lock);
    while ((w = last ? q->tail : q->head) != NULL) {
        edo__task *t = w->task;
        edo__waitq_remove(q, w);
        uint32_t was = edo__claim(t, w->code);
        if (was == EDO__WORD_IDLE)
            continue;
        edo__spin_unlock(&q->lock);
        edo__claimed(t, was);
        return;
    }
    q->state = STORED;
    edo__spin_unlock(&q->lock);
}

void edo_notify_one(edo_notify *n)
{
    notify(n, false);
}

void edo_notify_last(edo_notify *n)
{
    notify(n, true);
}

void edo_notify_all(edo_notify *n)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&n->edo__q.lock);
    n->edo__alls++;
    edo__wakes_claim_all(&wakes, &n->edo__q, 0);
    edo__spin_unlock(&n->edo__q.lock);
    edo__wakes_run(&wakes);
}

int edo__notify_arm(edo_notify *n, edo__waiter *w)
{
    int rc = EDO__DECIDED;
    edo__spin_lock(&n->edo__q.lock);
    if (n->edo__q.state != STORED) {
        edo__waitq_push(&n->edo__q, w);
        rc = EDO__ARMED;
    } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
        n->edo__q.state = EMPTY;
    }
    edo__spin_unlock(&n->edo__q.lock);
    return rc;
}

void edo__notify_disarm(edo_notify *n, edo__waiter *w)
{
    edo__spin_lock(&n->edo__q.lock);
    edo__waitq_remove(&n->edo__q, w);
    edo__spin_unlock(&n->edo__q.lock);
}
