/* SPDX-License-Identifier: MIT */
/* The semaphore: a count and a queue under one spin lock.
 *
 * First come, first served, also between requests of different size: the head waits until there is
 * enough for it, and everybody behind it waits as well. So whoever leaves the queue without being
 * served (cancelled) must look whether those behind can be served now. */
#include "sync/cases.h"
#include "sync/waiting.h"

enum { OPEN = 0, CLOSED = 1 };

void edo_sem_init(edo_sem *s, uint64_t permits)
{
    *s = (edo_sem)EDO_SEM_INIT(permits);
}

/* Serves from the head on while it is enough. Under the lock. */
static void grant(edo_sem *s, edo__wakes *wakes)
{
    edo__waiter *w;
    while ((w = s->edo__q.head) != NULL && w->n <= s->edo__permits) {
        edo__waitq_remove(&s->edo__q, w);
        uint64_t n = w->n;
        if (edo__wakes_claim(wakes, w, 0))
            s->edo__permits -= n;
    }
}

/* Under the lock. */
static inline int try_acquire(edo_sem *s, uint64_t n)
{
    if (edo__unlikely(s->edo__q.state == CLOSED))
        return -EPIPE;
    if (s->edo__q.head != NULL || s->edo__permits < n)
        return -EAGAIN;
    s->edo__permits -= n;
    return 0;
}

EDO__ENTRY int edo_sem_acquire(edo_sem *s, uint64_t n)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self); /* before, as in mutex.c: a holder that yields makes everybody else queue */
    edo__waitq *q = &s->edo__q;
    edo__spin_lock(&q->lock);
    rc = try_acquire(s, n);
    if (rc != -EAGAIN) {
        edo__spin_unlock(&q->lock);
        return rc;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .n = n };
    rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_SEM, s);
    if (rc == 0)
        return w.result;
    edo__wakes wakes = { 0 };
    edo__spin_lock(&q->lock);
    grant(s, &wakes);
    edo__spin_unlock(&q->lock);
    edo__wakes_run(&wakes);
    return rc;
}

int edo_sem_acquire_nowait(edo_sem *s, uint64_t n)
{
    edo__spin_lock(&s->edo__q.lock);
    int rc = try_acquire(s, n);
    edo__spin_unlock(&s->edo__q.lock);
    return rc;
}

void edo_sem_release(edo_sem *s, uint64_t n)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&s->edo__q.lock);
    edo_assert(s->edo__permits <= UINT64_MAX - n);
    s->edo__permits += n;
    grant(s, &wakes);
    edo__spin_unlock(&s->edo__q.lock);
    edo__wakes_run(&wakes);
}

/* The head of the queue wants more than there is and still does. */
uint64_t edo_sem_forget(edo_sem *s, uint64_t n)
{
    edo__spin_lock(&s->edo__q.lock);
    uint64_t taken = n < s->edo__permits ? n : s->edo__permits;
    s->edo__permits -= taken;
    edo__spin_unlock(&s->edo__q.lock);
    return taken;
}

void edo_sem_close(edo_sem *s)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&s->edo__q.lock);
    s->edo__q.state = CLOSED;
    edo__wakes_claim_all(&wakes, &s->edo__q, -EPIPE);
    edo__spin_unlock(&s->edo__q.lock);
    edo__wakes_run(&wakes);
}

uint64_t edo_sem_permits(edo_sem *s)
{
    edo__spin_lock(&s->edo__q.lock);
    uint64_t permits = s->edo__permits;
    edo__spin_unlock(&s->edo__q.lock);
    return permits;
}

bool edo_sem_closed(edo_sem *s)
{
    edo__spin_lock(&s->edo__q.lock);
    bool closed = s->edo__q.state == CLOSED;
    edo__spin_unlock(&s->edo__q.lock);
    return closed;
}

int edo__sem_arm(edo_sem *s, edo__waiter *w)
{
    edo__waitq *q = &s->edo__q;
    edo__wakes wakes = { 0 };
    int rc = EDO__DECIDED;
    edo__spin_lock(&q->lock);
    int got = try_acquire(s, w->n);
    if (got == -EAGAIN) {
        edo__waitq_push(q, w);
        rc = EDO__ARMED;
    } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
        w->result = got;
    } else if (got == 0) {
        s->edo__permits += w->n;
        grant(s, &wakes);
    }
    edo__spin_unlock(&q->lock);
    edo__wakes_run(&wakes);
    return rc;
}

void edo__sem_disarm(edo_sem *s, edo__waiter *w)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&s->edo__q.lock);
    if (w->queued) {
        edo__waitq_remove(&s->edo__q, w);
        grant(s, &wakes);
    }
    edo__spin_unlock(&s->edo__q.lock);
    edo__wakes_run(&wakes);
}
