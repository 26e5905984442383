/* SPDX-License-Identifier: MIT */
/* The read-write lock: who is inside, and one queue for both kinds, under a spin lock.
 *
 * Nobody passes somebody in the queue, not even a reader another reader: so whoever leaves the
 * queue without being let in (cancelled) must look whether those behind it can go in now. A waiter
 * whose wait is over but which has not unlinked itself yet still counts as one in line; it comes
 * to admit() in a moment. */
#include "sync/waiting.h"

enum { READ = 0, WRITE = 1 }; /* edo__waiter.n */

void edo_rwlock_init(edo_rwlock *l)
{
    *l = (edo_rwlock)EDO_RWLOCK_INIT;
}

/* These are under the lock. */

static inline bool has_room(const edo_rwlock *l, uint64_t kind)
{
    return l->edo__writer == NULL && (kind == READ || l->edo__q.state == 0);
}

static inline void enter(edo_rwlock *l, edo__task *t, uint64_t kind)
{
    if (kind == WRITE) {
        l->edo__writer = t;
        return;
    }
    l->edo__q.state++;
    l->edo__readers ^= (uintptr_t)t;
}

static inline bool try_enter(edo_rwlock *l, edo__task *self, uint64_t kind)
{
    if (edo__unlikely(l->edo__q.head != NULL || !has_room(l, kind)))
        return false;
    enter(l, self, kind);
    return true;
}

/* Lets in from the head on while there is room. */
static void admit(edo_rwlock *l, edo__wakes *wakes)
{
    edo__waiter *w;
    while ((w = l->edo__q.head) != NULL && has_room(l, w->n)) {
        edo__task *t = w->task;
        uint64_t kind = w->n;
        edo__waitq_remove(&l->edo__q, w);
        if (edo__wakes_claim(wakes, w, 0))
            enter(l, t, kind); /* before t goes on: it passes through the lock if it did not park */
    }
}

static __attribute__((noinline)) void admit_and_unlock(edo_rwlock *l)
{
    edo__wakes wakes = { 0 };
    admit(l, &wakes);
    edo__spin_unlock(&l->edo__q.lock);
    edo__wakes_run(&wakes);
}

/* The lock is held on entry and not on return. */
static __attribute__((noinline)) int wait_in_line(edo_rwlock *l, edo__task *self, uint64_t kind)
{
    edo__waitq *q = &l->edo__q;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .n = kind };
    edo__why why = kind == READ ? EDO__WHY_RDLOCK : EDO__WHY_WRLOCK;
    int rc = edo__waitq_wait(q, &q->lock, &w, why, l);
    if (rc == 0)
        return 0;
    edo__spin_lock(&q->lock);
    admit_and_unlock(l);
    return rc;
}

static inline int lock(edo_rwlock *l, edo__task *self, uint64_t kind)
{
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self); /* before, as in mutex.c: a holder that yields makes everybody else queue */
    edo__spin_lock(&l->edo__q.lock);
    if (edo__unlikely(!try_enter(l, self, kind)))
        return wait_in_line(l, self, kind);
    edo__spin_unlock(&l->edo__q.lock);
    return 0;
}

static inline int lock_nowait(edo_rwlock *l, edo__task *self, uint64_t kind)
{
    edo__spin_lock(&l->edo__q.lock);
    bool in = try_enter(l, self, kind);
    edo__spin_unlock(&l->edo__q.lock);
    return in ? 0 : -EAGAIN;
}

EDO__ENTRY int edo_rwlock_rdlock(edo_rwlock *l)
{
    return lock(l, edo__self_here(), READ);
}

EDO__ENTRY int edo_rwlock_wrlock(edo_rwlock *l)
{
    return lock(l, edo__self_here(), WRITE);
}

EDO__ENTRY int edo_rwlock_rdlock_nowait(edo_rwlock *l)
{
    return lock_nowait(l, edo__self_here(), READ);
}

EDO__ENTRY int edo_rwlock_wrlock_nowait(edo_rwlock *l)
{
    return lock_nowait(l, edo__self_here(), WRITE);
}

EDO__ENTRY void edo_rwlock_unlock(edo_rwlock *l)
{
    edo__task *self = edo__self_here();
    edo__spin_lock(&l->edo__q.lock);
    if (l->edo__writer != NULL) {
        edo_assert(l->edo__writer == self && "unlocked by its holder");
        l->edo__writer = NULL;
    } else {
        edo_assert(l->edo__q.state > 0 && "unlocked by a holder");
        l->edo__q.state--;
        l->edo__readers ^= (uintptr_t)self;
    }
    if (edo__unlikely(l->edo__q.head != NULL))
        admit_and_unlock(l);
    else
        edo__spin_unlock(&l->edo__q.lock);
}

EDO__ENTRY void edo_rwlock_downgrade(edo_rwlock *l)
{
    edo__task *self = edo__self_here();
    edo__spin_lock(&l->edo__q.lock);
    edo_assert(l->edo__writer == self && "downgraded by its writer");
    l->edo__writer = NULL;
    enter(l, self, READ);
    admit_and_unlock(l);
}
