/* SPDX-License-Identifier: MIT */
/* Waiting for a slot: operations on owned descriptors, edo_wait_fd(), select's cases. */
#include "io/epoll/epoll.h"
#include "io/probes.h"

#include <edo/io.h>
#include <errno.h>

/* Queues w and waits; the slot's lock is held on entry and free on return. 0: woken, see
 * w->result. */
static int wait_locked(edo__slot *s, edo__epoll *io, edo__waiter *w, edo__why why)
{
    edo__task *self = w->task;
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&s->q.lock);
        return -ECANCELED;
    }
    int rc = edo__slot_arm(s, io, (unsigned)w->n & ~EDO__WAIT_OP);
    if (rc < 0) {
        edo__spin_unlock(&s->q.lock);
        (void)edo__wait_abort(self); /* a cancel that came meanwhile is seen at the next wait */
        return rc;
    }
    edo__waitq_push(&s->q, w);
    edo__spin_unlock(&s->q.lock);
    /* for dumps: the number, and which events */
    uint64_t events = w->n & (EDO_READABLE | EDO_WRITABLE);
    const void *obj = (const void *)(uintptr_t)((uint64_t)(uint32_t)s->fd | events << 32);
    if (edo__wait_commit(self, &s->q.lock, why, obj) == EDO__WAKE_OK)
        return 0;
    edo__epoll_unwatch(s->fd, w);
    return -ECANCELED;
}

int edo__slot_wait(edo__slot *s, edo__task *self, unsigned dir, uint32_t seq, edo__why why,
                   bool *waited)
{
    edo__epoll *io;
    int rc = edo__epoll_of(self, &io);
    if (rc < 0)
        return rc;
    edo__spin_lock(&s->q.lock);
    if (s->seq[dir] != seq) {
        edo__spin_unlock(&s->q.lock);
        return 0;
    }
    edo__astore(&s->seen[dir], seq, EDO__RLX); /* a hint for those who do not hold the lock */
    *waited = true;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .n = EDO__WAIT_OP | 1u << dir };
    return wait_locked(s, io, &w, why);
}

static bool valid_events(unsigned events)
{
    return events != 0 && (events & ~(unsigned)(EDO_READABLE | EDO_WRITABLE)) == 0;
}

/* Whether to look before waiting: not when the last looks found nothing, apart from now and
 * then. */
static bool worth_a_look(edo__slot *s)
{
    uint8_t misses = edo__aload(&s->misses, EDO__RLX); /* a hint */
    return misses < 2 || misses % 16 == 0;
}

static int wait_ready(edo__slot *s, edo__task *self, unsigned events)
{
    edo__epoll *io;
    int rc = edo__epoll_of(self, &io);
    if (rc < 0)
        return rc;
    edo__spin_lock(&s->q.lock);
    if (s->kind == EDO__SLOT_OWNED) {
        /* The edge that says so may have come long ago; under the lock the next one cannot pass
         * by. */
        rc = edo__sys_ready(s->fd, events);
        if (rc != 0) {
            edo__spin_unlock(&s->q.lock);
            return rc;
        }
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .n = events };
    rc = wait_locked(s, io, &w, EDO__WHY_FD);
    return rc < 0 ? rc : w.result;
}

int edo__epoll_wait_fd(int fd, unsigned events)
{
    if (!valid_events(events))
        return -EINVAL;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__slot *s;
    rc = edo__slot_get(fd, &s);
    if (rc < 0)
        return rc;
    if (worth_a_look(s)) {
        rc = edo__sys_ready(fd, events);
        if (rc != 0) {
            edo__astore(&s->misses, 0, EDO__RLX);
            edo__coop(self);
            return rc;
        }
    }
    edo__astore(&s->misses, (uint8_t)(edo__aload(&s->misses, EDO__RLX) + 1), EDO__RLX);
    edo__io_begins(self, fd, EDO__WHY_FD);
    do {
        rc = wait_ready(s, self, events);
    } while (rc ==
             0); /* woken to look again: its worker is gone, or the descriptor changed hands */
    edo__io_ends(self, fd, EDO__WHY_FD, rc);
    return rc;
}

int edo__epoll_watch(int fd, unsigned events, edo__waiter *w)
{
    if (!valid_events(events))
        return -EINVAL;
    edo__slot *s;
    edo__epoll *io;
    int rc = edo__slot_get(fd, &s);
    if (rc == 0)
        rc = edo__epoll_of(w->task, &io);
    if (rc < 0)
        return rc;
    edo__spin_lock(&s->q.lock);
    rc = edo__sys_ready(fd, events);
    if (rc == 0) {
        rc = edo__slot_arm(s, io, events);
        w->n = events;
        if (rc == 0)
            edo__waitq_push(&s->q, w);
    }
    edo__spin_unlock(&s->q.lock);
    return rc;
}

/* An event that has come meanwhile is told when the registration is made. */
int edo__epoll_rewatch(int fd, edo__waiter *w)
{
    edo__slot *s = edo__slot_find(fd);
    edo__epoll *io;
    edo_assert(s != NULL);
    int rc = edo__epoll_of(w->task, &io);
    if (rc < 0)
        return rc;
    edo__spin_lock(&s->q.lock);
    if (w->queued) /* else it was claimed */
        rc = edo__slot_arm(s, io, (unsigned)w->n);
    edo__spin_unlock(&s->q.lock);
    return rc;
}

void edo__epoll_unwatch(int fd, edo__waiter *w)
{
    edo__slot *s = edo__slot_find(fd);
    edo_assert(s != NULL);
    edo__spin_lock(&s->q.lock);
    if (w->queued) {
        edo__waitq_remove(&s->q, w);
        if (s->kind == EDO__SLOT_FOREIGN && s->q.head == NULL)
            edo__slot_disarm(s);
    }
    edo__spin_unlock(&s->q.lock);
}
