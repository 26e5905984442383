/* SPDX-License-Identifier: MIT */
/* The io_uring backend's parts among themselves. docs/internals/io.md tells the whole.
 *
 * A ring per worker. An operation is a record on the stack of the task that waits for it (edo__op);
 * its address is what the kernel gives back. One lock per ring orders everything: who fills in
 * submissions, who reads completions, who wants an operation cancelled. So whatever thread holds the
 * lock may do any of it: the worker, or the monitor for a worker that is held by a task. The lock is
 * never held across io_uring_enter(2).
 *
 * How an operation ends (D8): `pending` counts the completions that the kernel still owes for it, one
 * of its own and, once a cancel was submitted, one of that. The task is claimed when the last one is
 * there, and not before; a task that was cancelled waits for that as well, and nothing can cancel this
 * second wait. So the record and the buffers are never touched after the call has returned, and a
 * cancel never meets another operation whose record has the same address. */
#ifndef EDO_IO_URING_H
#define EDO_IO_URING_H

#include "core/backend.h"
#include "core/wait.h"
#include "io/epoll/epoll.h"

#include <liburing.h>

struct edo__ring;

/* One operation, on the stack of the task that waits for it. All under ring->lock. */
typedef struct edo__op {
    edo__task *task;
    struct edo__ring *ring;
    struct edo__op *next, *prev; /* on ring->cancels; or, once claimed, a chain to be scheduled */
    int32_t result;              /* what the kernel said, 0 or more or -errno */
    uint32_t flags;              /* IORING_CQE_F_* of it */
    uint8_t pending;             /* completions that are still to come */
    bool listed;                 /* on ring->cancels */
} edo__op;

typedef struct edo__ring {
    struct io_uring u; /* what liburing knows of it: where the memory is */
    struct edo__worker *owner;
    uint32_t lock;
    uint32_t inflight;   /* atomic: operations the kernel has or will get; written under lock */
    edo__op *cancels;    /* atomic: to be cancelled; the list is under lock */
    uint32_t unarmed;    /* atomic: EDO__RING_* polls that are not armed; written under lock */
    bool roused;         /* under lock: the owner was woken */
    bool epoll_ready;    /* under lock: the epoll instance has something */
    int wakefd;          /* eventfd, never read */
    uint32_t woken;      /* atomic: a write to wakefd has not been seen yet */
    edo__epoll *epoll;   /* atomic: NULL until the first wait by a slot */
    bool slow;           /* the owner's: its tasks run so long that submissions wait for long */
    bool was_long;       /* the owner's: they did so from the look before to the last one */
    int64_t since;       /* the owner's: when it last looked, without sleeping since; 0: it slept */
    uint64_t since_tick; /* the owner's: the tick then */
    int enter_fd;        /* the owner's: registered number of the ring, or its descriptor */
    unsigned enter_flags;
    uint64_t polls, events; /* atomic, statistics */
    uint64_t submits;       /* atomic, a statistic: operations, cancels; under lock */
} edo__ring;

enum { /* what a ring polls for itself; also in user_data, where no record can be that low */
       EDO__RING_WAKE = 1,
       EDO__RING_EPOLL = 2,
       EDO__RING_OWN = 4096,
};
#define EDO__RING_CANCEL 1u /* in user_data beside a record's address: the cancel's completion */

/* ring.c: the ring itself. */
/* 0, or a negative code when this kernel or its administrator does not let us have rings, or they
 * lack something that this backend needs. Asks once per process. */
int edo__ring_usable(void);
bool edo__ring_knows(unsigned opcode); /* after the above */
bool edo__ring_lacks(const char *what);
extern uint32_t edo__ring_poll_first; /* atomic: for a receive that will find nothing; 0: unknown */
int edo__ring_init(edo__ring *r, struct edo__worker *owner, bool spare);
void edo__ring_deinit(edo__ring *r);
void edo__ring_enter_thread(edo__ring *r); /* by its owner: first and last */
void edo__ring_leave_thread(edo__ring *r);
/* A submission to fill in, or NULL: there is no room. The lock is held. Some are reserved for
 * cancels. */
struct io_uring_sqe *edo__ring_sqe(edo__ring *r, bool reserved);
bool edo__ring_has_room(const edo__ring *r); /* for one that is not reserved; the lock is held */
/* Whether something was given to the ring, or it has something, that a poll would see. */
bool edo__ring_pending(const edo__ring *r);
/* By the owner: submits, waits at most timeout for a completion, acts on all there are. */
int edo__ring_poll(edo__ring *r, int64_t timeout);
/* The same by another thread while the owner is held by a task; does not wait. */
int edo__ring_poll_for(edo__ring *r, struct epoll_event *batch);
void edo__ring_wake(edo__ring *r);
/* Whether what is given to the ring now will be submitted soon, and together with more. By the owner. */
bool edo__ring_batches(const edo__ring *r);

/* op.c: an operation's life. */
typedef void edo__op_fill(struct io_uring_sqe *sqe, const void *what);
/* Submits what fill() makes of `what` and suspends until it is over. 0: it has happened, see
 * op->result; -ECANCELED: it has not, and will not. fd, events: for dumps. */
int edo__op_run(edo__op *op, edo__task *self, edo__why why, edo__op_fill *fill, const void *what,
                int fd, unsigned events);
/* The ring of the calling task's worker; NULL: it has none. */
edo__ring *edo__ring_of(const edo__task *self);
/* A completion of op; ring->lock is held. True: its task is to be scheduled. */
bool edo__op_complete(edo__op *op, bool of_cancel, int32_t result, uint32_t flags);
/* Submits the cancels that are wanted, as many as there is room for. The lock is held. */
void edo__op_send_cancels(edo__ring *r);

/* Waits until the descriptor is ready: edo.h's events > 0, or a negative code. No checkpoint
 * before it waits. */
int edo__uring_poll_fd(edo__task *self, int fd, unsigned events, edo__why why);

/* ops.c */
int edo__uring_wait_fd(int fd, unsigned events);
int edo__uring_desc_open(edo__desc *d, int fd);
void edo__uring_desc_close(edo__desc *d);
ssize_t edo__uring_readv(edo__desc *d, const struct iovec *iov, int n);
ssize_t edo__uring_writev(edo__desc *d, const struct iovec *iov, int n);
int edo__uring_accept(edo__desc *d, struct sockaddr *addr, socklen_t *len);
int edo__uring_connect(edo__desc *d, const struct sockaddr *addr, socklen_t len);
ssize_t edo__uring_attempt(edo__desc *d, const struct edo__attempt *what);

/* files.c */
ssize_t edo__uring_file(edo__task *self, const struct edo__file_op *op);

#endif
