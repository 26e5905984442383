/* SPDX-License-Identifier: MIT */
/* The value that is set once: a slot, a state, and a queue of those who wait. Nobody waits unless
 * it is EMPTY. The slot is written before the state says SET and never after, so that who has seen
 * SET reads it without the lock. */
#include "sync/waiting.h"

#include <edo/once.h>

enum { EMPTY = 0, SET = 1, CLOSED = 2 };

void edo_setonce_init(edo_setonce *o, void *slot, size_t size)
{
    *o = (edo_setonce)EDO_SETONCE_INIT(slot, size);
}

const void *edo_setonce_get(const edo_setonce *o)
{
    /* pairs with the store in finish(): the value is seen */
    return edo__aload(&o->edo__q.state, EDO__ACQ) == SET ? o->edo__slot : NULL;
}

/* EMPTY until now. The lock is held on entry and not on return. */
static void finish(edo_setonce *o, uint32_t state, int result)
{
    edo__wakes wakes = { 0 };
    edo__astore(&o->edo__q.state, state, EDO__REL); /* pairs with edo_setonce_get() */
    edo__wakes_claim_all(&wakes, &o->edo__q, result);
    edo__spin_unlock(&o->edo__q.lock);
    edo__wakes_run(&wakes);
}

int edo_setonce_set(edo_setonce *o, const void *value)
{
    edo__spin_lock(&o->edo__q.lock);
    uint32_t state = o->edo__q.state;
    if (state != EMPTY) {
        edo__spin_unlock(&o->edo__q.lock);
        return state == SET ? -EALREADY : -EPIPE;
    }
    if (value != o->edo__slot)
        edo__copy(o->edo__slot, value, o->edo__size);
    finish(o, SET, 0);
    return 0;
}

void edo_setonce_close(edo_setonce *o)
{
    edo__spin_lock(&o->edo__q.lock);
    if (o->edo__q.state == EMPTY)
        finish(o, CLOSED, -EPIPE);
    else
        edo__spin_unlock(&o->edo__q.lock);
}

static void copy_out(const edo_setonce *o, void *value)
{
    if (value != NULL && value != o->edo__slot)
        edo__copy(value, o->edo__slot, o->edo__size);
}

int edo_setonce_wait_nowait(edo_setonce *o, void *value)
{
    /* acquire: pairs with finish() */
    uint32_t state = edo__aload(&o->edo__q.state, EDO__ACQ);
    if (state == SET)
        copy_out(o, value);
    return state == SET ? 0 : state == CLOSED ? -EPIPE : -EAGAIN;
}

EDO__ENTRY int edo_setonce_wait(edo_setonce *o, void *value)
{
    edo__task *self = edo__self_here();
    edo__waitq *q = &o->edo__q;
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self);
    rc = edo_setonce_wait_nowait(o, value);
    if (rc != -EAGAIN)
        return rc;
    edo__spin_lock(&q->lock);
    if (q->state != EMPTY) {
        edo__spin_unlock(&q->lock);
        return edo_setonce_wait_nowait(o, value);
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_SETONCE, o);
    if (rc == 0 && w.result == 0)
        copy_out(o, value);
    return rc == 0 ? w.result : rc;
}
