/* SPDX-License-Identifier: MIT */
/* The event: a flag, and a queue of those who wait for it. Nobody waits while it is set. */
#include "sync/cases.h"
#include "sync/waiting.h"

enum { UNSET = 0, SET = 1 };

void edo_event_init(edo_event *e, edo_event_mode mode)
{
    *e = (edo_event){ .edo__mode = (uint32_t)mode };
}

/* Under the lock, SET: one passes. */
static inline void pass(edo_event *e)
{
    if (e->edo__mode == EDO_EVENT_AUTO)
        e->edo__q.state = UNSET;
}

EDO__ENTRY int edo_event_wait(edo_event *e)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__waitq *q = &e->edo__q;
    edo__spin_lock(&q->lock);
    if (q->state == SET) {
        pass(e);
        edo__spin_unlock(&q->lock);
        edo__coop(self);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    return edo__waitq_wait(q, &q->lock, &w, EDO__WHY_EVENT, e);
}

int edo_event_wait_nowait(edo_event *e)
{
    int rc = -EAGAIN;
    edo__spin_lock(&e->edo__q.lock);
    if (e->edo__q.state == SET) {
        pass(e);
        rc = 0;
    }
    edo__spin_unlock(&e->edo__q.lock);
    return rc;
}

/* Under the lock: lets the first live waiter go. */
static bool set_one(edo_event *e, edo__wakes *wakes)
{
    edo__waiter *w;
    while ((w = edo__waitq_pop(&e->edo__q)) != NULL)
        if (edo__wakes_claim(wakes, w, 0))
            return true;
    return false;
}

void edo_event_set(edo_event *e)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&e->edo__q.lock);
    if (e->edo__mode == EDO_EVENT_MANUAL) {
        e->edo__q.state = SET;
        edo__wakes_claim_all(&wakes, &e->edo__q, 0);
    } else if (!set_one(e, &wakes)) {
        e->edo__q.state = SET;
    }
    edo__spin_unlock(&e->edo__q.lock);
    edo__wakes_run(&wakes);
}

void edo_event_reset(edo_event *e)
{
    edo__spin_lock(&e->edo__q.lock);
    e->edo__q.state = UNSET;
    edo__spin_unlock(&e->edo__q.lock);
}

bool edo_event_is_set(edo_event *e)
{
    edo__spin_lock(&e->edo__q.lock);
    bool set = e->edo__q.state == SET;
    edo__spin_unlock(&e->edo__q.lock);
    return set;
}

int edo__event_arm(edo_event *e, edo__waiter *w)
{
    int rc = EDO__DECIDED;
    edo__spin_lock(&e->edo__q.lock);
    if (e->edo__q.state != SET) {
        edo__waitq_push(&e->edo__q, w);
        rc = EDO__ARMED;
    } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
        pass(e);
    }
    edo__spin_unlock(&e->edo__q.lock);
    return rc;
}

void edo__event_disarm(edo_event *e, edo__waiter *w)
{
    edo__spin_lock(&e->edo__q.lock);
    edo__waitq_remove(&e->edo__q, w);
    edo__spin_unlock(&e->edo__q.lock);
}
