/* SPDX-License-Identifier: MIT */
/* The mutex: one word (free, locked, contended) that is changed by a CAS when nobody waits, and a
 * queue under a spin lock otherwise.
 *
 * Fair: the word is never FREE while somebody waits, because unlocking hands the mutex over to the
 * first waiter; so nobody overtakes. CONTENDED is entered and left under q.lock only.
 *
 * Unlocking must not touch the mutex after it can be locked by another: that one may be the last
 * user and free it. So the slow path, when all waiters have gone (cancelled, they may even have
 * returned), does not store FREE under q.lock: it goes back to LOCKED, releases q.lock and ends
 * with the same CAS as the fast path. */
#include "sync/waiting.h"

enum {
    FREE = 0,
    LOCKED = 1,
    CONTENDED = 2, /* locked, and somebody waits or just waited */
};

void edo_mutex_init(edo_mutex *m)
{
    *m = (edo_mutex)EDO_MUTEX_INIT;
}

static inline bool try_lock(edo_mutex *m, edo__task *self)
{
    uint32_t was = FREE;
    /* acquire: pairs with the release in edo_mutex_unlock() */
    if (!edo__acas(&m->edo__q.state, &was, LOCKED, EDO__ACQ, EDO__RLX))
        return false;
    /* relaxed: read by dumps, and by the holder itself */
    edo__astore(&m->edo__holder, self, EDO__RLX);
    return true;
}

/* Makes the word CONTENDED, with q.lock held. False: the mutex was free and is now ours. */
static bool contend(edo_mutex *m)
{
    uint32_t was = edo__aload(&m->edo__q.state, EDO__RLX); /* a guess; the CAS decides */
    for (;;) {
        if (was == CONTENDED)
            return true;
        uint32_t next = was == FREE ? LOCKED : CONTENDED;
        /* acquire, for FREE: pairs with the release in edo_mutex_unlock() */
        if (edo__acas(&m->edo__q.state, &was, next, EDO__ACQ, EDO__RLX))
            return next == CONTENDED;
    }
}

static __attribute__((noinline)) int lock_slow(edo_mutex *m, edo__task *self)
{
    edo__waitq *q = &m->edo__q;
    edo__spin_lock(&q->lock);
    if (!contend(m)) {
        edo__astore(&m->edo__holder, self, EDO__RLX);
        edo__spin_unlock(&q->lock);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    int rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_MUTEX, m);
    if (rc == 0)
        return 0; /* handed over; the unlocker has recorded us as the holder */
    edo__spin_lock(&q->lock);
    /* relaxed: q.lock orders it; the CAS of the fast path touches no CONTENDED word */
    if (q->head == NULL && edo__aload(&q->state, EDO__RLX) == CONTENDED)
        edo__astore(&q->state, LOCKED, EDO__RLX);
    edo__spin_unlock(&q->lock);
    return rc;
}

int edo_mutex_lock(edo_mutex *m)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self); /* before, not after: who yields as the holder makes a queue that never ends */
    if (edo__unlikely(!try_lock(m, self)))
        return lock_slow(m, self);
    return 0;
}

int edo_mutex_lock_nowait(edo_mutex *m)
{
    return try_lock(m, edo__self()) ? 0 : -EAGAIN;
}

/* Hands the mutex to the first waiter. False: nobody waits any more, and the word is LOCKED. */
static bool hand_over(edo_mutex *m)
{
    edo__waitq *q = &m->edo__q;
    edo__waiter *w;
    edo__spin_lock(&q->lock);
    edo_assert(edo__aload(&q->state, EDO__RLX) !=
               FREE); /* else: unlocked by who does not hold it */
    while ((w = edo__waitq_pop(q)) != NULL) {
        edo__task *t = w->task;
        uint32_t was = edo__claim(t, w->code);
        if (was == EDO__WORD_IDLE)
            continue;
        edo__astore(&m->edo__holder, t, EDO__RLX);
        if (q->head == NULL)
            edo__astore(&q->state, LOCKED, EDO__RLX); /* relaxed: as in lock_slow() */
        edo__spin_unlock(&q->lock);
        edo__claimed(t, was);
        return true;
    }
    edo__astore(&q->state, LOCKED, EDO__RLX);
    edo__spin_unlock(&q->lock);
    return false;
}

void edo_mutex_unlock(edo_mutex *m)
{
    edo_debug_assert(edo__aload(&m->edo__holder, EDO__RLX) == edo__self());
    edo__astore(&m->edo__holder, (struct edo__task *)NULL, EDO__RLX);
    for (;;) {
        uint32_t was = LOCKED;
        /* release: pairs with the acquire in try_lock() and contend(). The last access. */
        if (edo__likely(edo__acas(&m->edo__q.state, &was, FREE, EDO__REL, EDO__RLX)))
            return;
        if (hand_over(m))
            return;
        /* Every further round needs a waiter that came and was cancelled in between. */
    }
}
