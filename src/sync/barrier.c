/* SPDX-License-Identifier: MIT */
/* The barrier: a count of those who are there, and the queue of them.
 *
 * The count says under the lock who is there, whatever their wait words say: one that was cancelled
 * counts until it has come back to the lock to leave. So the last one to come need not find out
 * whether the others can still be claimed: it empties the queue, and one whose wait a cancel had
 * ended by then sees that it is not queued any more, and that all were there. */
#include "sync/waiting.h"

void edo_barrier_init(edo_barrier *b, uint32_t n)
{
    edo_assert(n > 0);
    *b = (edo_barrier)EDO_BARRIER_INIT(n);
}

/* The lock is held on entry and not on return: all others are there. */
static int lead(edo_barrier *b)
{
    edo__wakes wakes = { 0 };
    b->edo__q.state = 0;
    edo__wakes_claim_all(&wakes, &b->edo__q, 0);
    edo__spin_unlock(&b->edo__q.lock);
    edo__wakes_run(&wakes);
    return 1;
}

/* The same, when some are missing. */
static int wait_for_others(edo_barrier *b, edo__task *self)
{
    edo__waitq *q = &b->edo__q;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    if (edo__unlikely(!edo__wait_begin(self, true))) {
        edo__spin_unlock(&q->lock);
        return -ECANCELED;
    }
    q->state++;
    edo__waitq_push(q, &w);
    edo__spin_unlock(&q->lock);
    if (edo__likely(edo__wait_commit(self, &q->lock, EDO__WHY_BARRIER, b) == EDO__WAKE_OK))
        return 0;
    edo__spin_lock(&q->lock);
    bool leaves = w.queued;
    if (leaves) {
        edo__waitq_remove(q, &w);
        q->state--;
    }
    edo__spin_unlock(&q->lock);
    return leaves ? -ECANCELED : 0;
}

EDO__ENTRY int edo_barrier_wait(edo_barrier *b)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__coop(self); /* before: a leader that yields keeps nobody waiting, but comes late itself */
    edo__spin_lock(&b->edo__q.lock);
    return b->edo__q.state + 1 == b->edo__size ? lead(b) : wait_for_others(b, self);
}

int edo_barrier_wait_nowait(edo_barrier *b)
{
    edo__spin_lock(&b->edo__q.lock);
    if (b->edo__q.state + 1 == b->edo__size)
        return lead(b);
    edo__spin_unlock(&b->edo__q.lock);
    return -EAGAIN;
}
