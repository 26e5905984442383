/* SPDX-License-Identifier: MIT */
/* The life of an operation: given to the ring, waited for, cancelled. See uring.h for the rules. */
#include "io/uring/uring.h"

#include "core/sched.h"

#include <edo/io.h>
#include <errno.h>
#include <poll.h>

edo__ring *edo__ring_of(const edo__task *self)
{
    if (edo__is_foreign(self) || self->rt->backend != &edo__backend_uring)
        return NULL;
    return self->worker->io;
}

/* ring->lock is held in all of these. */
static void list(edo__op *op)
{
    edo__ring *r = op->ring;
    op->prev = NULL;
    op->next = r->cancels;
    if (op->next != NULL)
        op->next->prev = op;
    op->listed = true;
    edo__astore(&r->cancels, op, EDO__RLX);
}

static void unlist(edo__op *op)
{
    if (op->prev != NULL)
        op->prev->next = op->next;
    else
        edo__astore(&op->ring->cancels, op->next, EDO__RLX);
    if (op->next != NULL)
        op->next->prev = op->prev;
    op->listed = false;
}

bool edo__op_complete(edo__op *op, bool of_cancel, int32_t result, uint32_t flags)
{
    edo__ring *r = op->ring;
    op->pending--;
    if (!of_cancel) {
        op->result = result;
        op->flags = flags;
        edo__astore(&r->inflight, r->inflight - 1, EDO__RLX);
        if (op->listed)
            unlist(op); /* it was faster than its cancel */
    } else if (op->pending > 0 && result == -ENOENT) {
        /* The kernel did not find it, but has not ended it either: it was just being woken. An accept
         * that then finds the connection taken by another one waits again. So once more. */
        list(op);
    }
    if (op->pending > 0)
        return false;
    return edo__claim(op->task, EDO__WAKE_OK) == EDO__WORD_PARKED;
}

void edo__op_send_cancels(edo__ring *r)
{
    for (edo__op *op; (op = r->cancels) != NULL;) {
        struct io_uring_sqe *sqe = edo__ring_sqe(r, true);
        if (sqe == NULL)
            return; /* the next round has room */
        io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op, 0);
        sqe->user_data = (uint64_t)(uintptr_t)op | EDO__RING_CANCEL;
        unlist(op);
        op->pending++;
        edo__astore(&r->submits, r->submits + 1, EDO__RLX);
    }
}

static const void *picture(int fd, unsigned events) /* for dumps: the number, and which events */
{
    return (const void *)(uintptr_t)((uint64_t)(uint32_t)fd | (uint64_t)events << 32);
}

/* The ring of the worker that self runs on, locked, with room for one more submission. */
static edo__ring *lock_with_room(edo__task *self)
{
    for (;;) {
        edo__worker *w = self->worker;
        edo__ring *r = w->io;
        edo__spin_lock(&r->lock);
        if (edo__ring_has_room(r))
            return r;
        edo__spin_unlock(&r->lock);
        (void)edo__ring_poll(r, 0);
        if (!edo__ring_has_room(r)) /* the kernel is short of memory: others first */
            edo__suspend(self, EDO__ACTION_YIELD);
    }
}

/* The scope was cancelled while the kernel has the operation: it is told so, and not left before it
 * is done with it. */
static void cancel(edo__op *op, edo__why why, const void *obj)
{
    edo__ring *r = op->ring;
    edo__task *self = op->task;
    edo__spin_lock(&r->lock);
    if (op->pending == 0) {
        edo__spin_unlock(&r->lock);
        return;
    }
    list(op);
    (void)edo__wait_begin_as(self, EDO__CANCEL_NEVER);
    edo__spin_unlock(&r->lock);
    edo__worker *owner = r->owner;
    if (owner != self->worker)
        edo__worker_wake(owner); /* its own it sees at the end of the round */
    (void)edo__wait_commit(self, &r->lock, why, obj);
}

int edo__op_run(edo__op *op, edo__task *self, edo__why why, edo__op_fill *fill, const void *what,
                int fd, unsigned events)
{
    edo__ring *r = lock_with_room(self);
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&r->lock);
        return -ECANCELED;
    }
    struct io_uring_sqe *sqe = edo__ring_sqe(r, false);
    fill(sqe, what);
    sqe->user_data = (uint64_t)(uintptr_t)op;
    *op = (edo__op){ .task = self, .ring = r, .pending = 1 };
    edo__astore(&r->inflight, r->inflight + 1, EDO__RLX);
    edo__astore(&r->submits, r->submits + 1, EDO__RLX);
    edo__spin_unlock(&r->lock);
    const void *obj = picture(fd, events);
    if (edo__wait_commit(self, &r->lock, why, obj) == EDO__WAKE_OK)
        return 0;
    cancel(op, why, obj);
    /* What has happened all the same is reported; the next call sees the cancel. */
    return op->result == -ECANCELED || op->result == -EINTR ? -ECANCELED : 0;
}
