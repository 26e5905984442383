/* SPDX-License-Identifier: MIT */
/* Permits: slots of a channel that are held before there is a value for them.
 *
 * A reserver waits in one line with the senders, so that neither overtakes the other. One that wants
 * more than is free holds up everybody behind it, as in a semaphore; who leaves the line without
 * having got it must look whether those behind can go on. A permit outlives the close of its
 * channel: until it was used or given back, receivers cannot know that nothing will come. */
#include "sync/chan_impl.h"

int edo__chan_book(edo_chan *c, size_t n, const edo__task *self, edo__chan_after *a)
{
    edo__chan_used_by(&c->senders, &c->sent_by, self);
    if (c->closed)
        return -EPIPE;
    if (c->reservers != 0)
        edo__chan_admit(c, a); /* those that have been cancelled are in the way no longer */
    if (c->senders.head != NULL || c->store.cap - c->store.count - c->reserved < n)
        return -EAGAIN;
    c->reserved += n;
    edo__chan_set_limit(c);
    return 0;
}

void edo__chan_leave_line(edo_chan *c, edo__waiter *w)
{
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    if (w->queued) {
        edo__chan_unline(c, w);
        if (w->n != 0)
            edo__chan_admit(c, &after);
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
}

int edo__chan_reservable(const edo_chan *c)
{
    /* the capacity never changes: no lock */
    return c->store.cap == 0 || edo__store_unbounded(&c->store) ? -ENOTSUP : 0;
}

/* The lock is held on entry and released. */
static int wait_in_line(edo_chan *c, size_t n, edo__task *self)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .n = n };
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&c->lock);
        return -ECANCELED;
    }
    edo__chan_line_up(c, &w);
    edo__spin_unlock(&c->lock);
    if (edo__wait_commit(self, &c->lock, EDO__WHY_RESERVE, c) == EDO__WAKE_OK)
        return w.result;
    edo__chan_leave_line(c, &w);
    return -ECANCELED;
}

static int reserve(edo_chan *c, size_t n, edo_permit *p, edo__task *self, bool wait)
{
    *p = (edo_permit)EDO_PERMIT_INIT;
    int rc = edo__chan_reservable(c);
    if (rc == 0 && n > c->store.cap)
        rc = -EINVAL;
    if (rc < 0 || n == 0)
        return rc;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    rc = edo__chan_book(c, n, self, &after);
    while (rc == -EAGAIN && wait && after.wake != NULL) { /* it let others go on */
        edo__chan_pause(c, &after, self);
        rc = edo__chan_book(c, n, self, &after);
    }
    if (rc == -EAGAIN && wait) {
        rc = wait_in_line(c, n, self);
    } else {
        edo__spin_unlock(&c->lock);
        edo__chan_finish(&after, self);
        if (wait)
            edo__coop(self);
    }
    if (rc == 0)
        *p = (edo_permit){ c, n };
    return rc;
}

int edo_chan_reserve(edo_chan *c, edo_permit *p)
{
    return edo_chan_reserve_many(c, 1, p);
}

int edo_chan_reserve_many(edo_chan *c, size_t n, edo_permit *p)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc == 0)
        return reserve(c, n, p, self, true);
    *p = (edo_permit)EDO_PERMIT_INIT;
    return rc;
}

EDO__ENTRY int edo_chan_reserve_nowait(edo_chan *c, edo_permit *p)
{
    return reserve(c, 1, p, edo__tls_self, false); /* as in edo__self_here() */
}

EDO__ENTRY int edo_chan_reserve_many_nowait(edo_chan *c, size_t n, edo_permit *p)
{
    return reserve(c, n, p, edo__tls_self, false);
}

/* Under the lock: n permits are out no longer. */
static void settle(edo_chan *c, size_t n, edo__chan_after *a)
{
    c->reserved -= n;
    edo__chan_set_limit(c);
    if (edo__unlikely(c->senders.head != NULL))
        edo__chan_admit(c, a);
    if (edo__unlikely(c->closed) && c->reserved == 0)
        edo__wakes_claim_all(&a->more, &c->receivers, -EPIPE);
}

/* By whoever has it by now. */
EDO__ENTRY void edo_permit_send(edo_permit *p, const void *value)
{
    edo__task *self = edo__tls_self; /* as in edo__self_here() */
    edo_assert(p->edo__left > 0 && "the permit was used up or given back");
    edo_chan *c = p->edo__chan;
    edo__chan_after after = { 0 };
    p->edo__left--;
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->senders, &c->sent_by, self);
    edo__chan_pass(c, value, &after);
    settle(c, 1, &after);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
}

void edo_permit_release(edo_permit *p)
{
    edo_chan *c = p->edo__chan;
    size_t n = p->edo__left;
    p->edo__left = 0;
    if (n == 0)
        return;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    settle(c, n, &after);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
}

size_t edo_permit_left(const edo_permit *p)
{
    return p->edo__left;
}
