/* SPDX-License-Identifier: MIT */
/* The oneshot: a slot for one value and a queue of receivers. The first receiver gets the value,
 * all others -EPIPE. Nobody waits unless it is EMPTY. */
#include "sync/cases.h"
#include "sync/waiting.h"

enum {
    EMPTY = 0,
    FULL = 1,   /* the value is in the slot       */
    TAKEN = 2,  /* it was received                */
    CLOSED = 3, /* and there never was a value    */
};

void edo_oneshot_init(edo_oneshot *o, void *slot, size_t size)
{
    *o = (edo_oneshot){ .edo__slot = slot, .edo__size = size };
}

/* The receiver's buffer may be the slot itself. */
static void take(edo_oneshot *o, void *value)
{
    if (value != o->edo__slot)
        edo__copy(value, o->edo__slot, o->edo__size);
    o->edo__q.state = TAKEN;
}

/* Under the lock, FULL: serves the first live receiver, turns the others away. */
static void serve(edo_oneshot *o, edo__wakes *wakes)
{
    edo__waiter *w;
    while (o->edo__q.state == FULL && (w = edo__waitq_pop(&o->edo__q)) != NULL)
        if (edo__wakes_claim(wakes, w, 0))
            take(o, w->value); /* w stays until the lock is released */
    if (o->edo__q.state == TAKEN)
        edo__wakes_claim_all(wakes, &o->edo__q, -EPIPE);
}

int edo_oneshot_send(edo_oneshot *o, const void *value)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&o->edo__q.lock);
    if (o->edo__q.state != EMPTY) {
        int rc = o->edo__q.state == CLOSED ? -EPIPE : -EALREADY;
        edo__spin_unlock(&o->edo__q.lock);
        return rc;
    }
    if (value != o->edo__slot)
        edo__copy(o->edo__slot, value, o->edo__size);
    o->edo__q.state = FULL;
    serve(o, &wakes);
    edo__spin_unlock(&o->edo__q.lock);
    edo__wakes_run(&wakes);
    return 0;
}

/* Under the lock. */
static int try_recv(edo_oneshot *o, void *value)
{
    if (o->edo__q.state == EMPTY)
        return -EAGAIN;
    if (o->edo__q.state != FULL)
        return -EPIPE;
    take(o, value);
    return 0;
}

EDO__ENTRY int edo_oneshot_recv(edo_oneshot *o, void *value)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__waitq *q = &o->edo__q;
    edo__spin_lock(&q->lock);
    rc = try_recv(o, value);
    if (rc != -EAGAIN) {
        edo__spin_unlock(&q->lock);
        edo__coop(self);
        return rc;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .value = value };
    rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_ONESHOT, o);
    return rc == 0 ? w.result : rc;
}

int edo_oneshot_recv_nowait(edo_oneshot *o, void *value)
{
    edo__spin_lock(&o->edo__q.lock);
    int rc = try_recv(o, value);
    edo__spin_unlock(&o->edo__q.lock);
    return rc;
}

void edo_oneshot_close(edo_oneshot *o)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&o->edo__q.lock);
    if (o->edo__q.state == EMPTY)
        o->edo__q.state = CLOSED;
    edo__wakes_claim_all(&wakes, &o->edo__q, -EPIPE); /* none unless it was EMPTY */
    edo__spin_unlock(&o->edo__q.lock);
    edo__wakes_run(&wakes);
}

bool edo_oneshot_closed(edo_oneshot *o)
{
    edo__spin_lock(&o->edo__q.lock);
    bool closed = o->edo__q.state == CLOSED;
    edo__spin_unlock(&o->edo__q.lock);
    return closed;
}

int edo__oneshot_arm(edo_oneshot *o, edo__waiter *w)
{
    int rc = EDO__DECIDED;
    edo__spin_lock(&o->edo__q.lock);
    if (o->edo__q.state == EMPTY) {
        edo__waitq_push(&o->edo__q, w);
        rc = EDO__ARMED;
    } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
        w->result = try_recv(o, w->value);
    }
    edo__spin_unlock(&o->edo__q.lock);
    return rc;
}

void edo__oneshot_disarm(edo_oneshot *o, edo__waiter *w)
{
    edo__spin_lock(&o->edo__q.lock);
    edo__waitq_remove(&o->edo__q, w);
    edo__spin_unlock(&o->edo__q.lock);
}
