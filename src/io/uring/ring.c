/* SPDX-License-Identifier: MIT */
/* A ring: set up, filled, entered, emptied, and woken.
 *
 * liburing maps the ring and knows how a submission is laid out; the two indices that user space
 * writes are written here, because liburing's way of doing that belongs to one thread. */
#include "io/uring/uring.h"

#include "core/sched.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EDO__NOINLINE __attribute__((noinline))

#define SUBMISSIONS 256  /* of a worker's ring; more are submitted in between */
#define COMPLETIONS 2048 /* more are kept by the kernel, at some cost */
#define SPARE_SUBMISSIONS 64
#define SPARE_COMPLETIONS 512
#define RESERVED 16 /* submissions that only cancels may use */
#define BATCH 256   /* completions per turn of the lock */
#define FEW_RUNS 16
#define LONG_RUN 16000 /* nanoseconds a task runs: what a write by the ring saves is little then */

/* COOP_TASKRUN: completions are posted when the thread enters or leaves the kernel for whatever
 * reason, so also while a task computes or sleeps in a system call, and then the monitor can take
 * them. SUBMIT_ALL: one bad submission does not hold up the others. TASKRUN_FLAG: seen without a
 * system call. */
#define WISHES (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL)
#define NEEDS                                                                                      \
    (IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE)

uint32_t edo__ring_poll_first;
static uint64_t known_ops; /* atomic: bits of the opcodes below 64 */

/* Whether we are to do as on a kernel that does not know something: tests say so in EDO_URING_LACKS, a
 * list of coop_taskrun, submit_all, ring_fd, accept_poll, opcode. Only where EDO_DEBUG is on. */
bool edo__ring_lacks(const char *what)
{
#ifdef EDO_DEBUG
    const char *list = getenv("EDO_URING_LACKS");
    return list != NULL && strstr(list, what) != NULL;
#else
    (void)what;
    return false;
#endif
}

static int queue_init(unsigned entries, struct io_uring *u, struct io_uring_params *p)
{
    if (((p->flags & IORING_SETUP_COOP_TASKRUN) != 0 && edo__ring_lacks("coop_taskrun")) ||
        ((p->flags & IORING_SETUP_SUBMIT_ALL) != 0 && edo__ring_lacks("submit_all")))
        return -EINVAL;
    return io_uring_queue_init_params(entries, u, p);
}

static int setup(struct io_uring *u, unsigned entries, unsigned completions)
{
    unsigned flags = WISHES;
    for (;;) {
        struct io_uring_params p = { .flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = completions };
        int rc = queue_init(entries, u, &p);
        if (rc != -EINVAL || flags == 0)
            return rc;
        flags =
            flags == WISHES ? IORING_SETUP_SUBMIT_ALL : 0; /* Linux 5.18 has that, 5.19 the rest */
    }
}

static void remember(const struct io_uring_probe *known)
{
    enum { ASKED = IORING_OP_LAST < 64 ? IORING_OP_LAST : 64 };
    uint64_t bits = 0;
    for (int op = 0; op < ASKED; op++)
        bits |= (uint64_t)(io_uring_opcode_supported(known, op) != 0) << op;
    edo__astore(&known_ops, bits, EDO__RLX); /* relaxed: workers are started after it */
}

bool edo__ring_knows(unsigned opcode)
{
    return opcode < 64 && (edo__aload(&known_ops, EDO__RLX) >> opcode & 1) != 0;
}

static int probe(void)
{
    static const int ops[] = { IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_RECV,
                               IORING_OP_SEND,     IORING_OP_RECVMSG,      IORING_OP_SENDMSG,
                               IORING_OP_ACCEPT };
    struct io_uring u;
    int rc = setup(&u, 4, 8);
    if (rc < 0)
        return rc;
    struct io_uring_probe *known = io_uring_get_probe_ring(&u);
    /* Linux 5.19 brought both. */
    bool newer = (u.flags & IORING_SETUP_COOP_TASKRUN) != 0;
    edo__astore(&edo__ring_poll_first, newer ? IORING_RECVSEND_POLL_FIRST : 0, EDO__RLX);
    rc = known != NULL && (u.features & NEEDS) == NEEDS ? 0 : -ENOSYS;
    for (size_t i = 0; rc == 0 && i < sizeof ops / sizeof ops[0]; i++) {
        if (!io_uring_opcode_supported(known, ops[i]) || edo__ring_lacks("opcode"))
            rc = -ENOSYS;
    }
    if (rc == 0)
        remember(known);
    io_uring_free_probe(known);
    io_uring_queue_exit(&u);
    return rc;
}

int edo__ring_usable(void)
{
    static int32_t answer = 1; /* atomic; 1: not asked yet. Asking twice does no harm */
    int32_t rc = edo__aload(&answer, EDO__RLX);
    if (rc == 1) {
        rc = probe();
        if (rc != -ENOMEM && rc != -EMFILE && rc != -ENFILE) /* not for good */
            edo__astore(&answer, rc, EDO__RLX);
    }
    return rc;
}

int edo__ring_init(edo__ring *r, edo__worker *owner, bool spare)
{
    memset(r, 0, sizeof *r);
    r->owner = owner;
    r->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->wakefd < 0)
        return -errno;
    int rc = setup(&r->u, spare ? SPARE_SUBMISSIONS : SUBMISSIONS,
                   spare ? SPARE_COMPLETIONS : COMPLETIONS);
    if (rc < 0) {
        close(r->wakefd);
        return rc;
    }
    struct io_uring_sq *sq = &r->u.sq;
    for (unsigned i = 0; i < sq->ring_entries; i++)
        sq->array[i] = i;
    r->enter_fd = r->u.ring_fd;
    r->unarmed = EDO__RING_WAKE;
    return 0;
}

void edo__ring_deinit(edo__ring *r)
{
    io_uring_queue_exit(&r->u);
    close(r->wakefd);
    if (r->epoll != NULL) {
        edo__epoll_deinit(r->epoll);
        free(r->epoll);
    }
}

void edo__ring_enter_thread(edo__ring *r)
{
    if (!edo__ring_lacks("ring_fd") && io_uring_register_ring_fd(&r->u) == 1) { /* Linux 5.18 */
        r->enter_fd = r->u.enter_ring_fd;
        r->enter_flags = IORING_ENTER_REGISTERED_RING;
    }
}

void edo__ring_leave_thread(edo__ring *r)
{
    if (r->enter_flags != 0)
        (void)io_uring_unregister_ring_fd(&r->u);
    r->enter_fd = r->u.ring_fd;
    r->enter_flags = 0;
}

static unsigned unseen(const edo__ring *r) /* submissions the kernel has not taken */
{
    const struct io_uring_sq *sq = &r->u.sq;
    return edo__aload(&sq->sqe_tail, EDO__RLX) - edo__aload(sq->khead, EDO__ACQ);
}

bool edo__ring_has_room(const edo__ring *r)
{
    return unseen(r) + RESERVED < r->u.sq.ring_entries;
}

struct io_uring_sqe *edo__ring_sqe(edo__ring *r, bool reserved)
{
    struct io_uring_sq *sq = &r->u.sq;
    if (reserved ? unseen(r) >= sq->ring_entries : !edo__ring_has_room(r))
        return NULL;
    unsigned tail = sq->sqe_tail; /* written under the lock, looked at without */
    edo__astore(&sq->sqe_tail, tail + 1, EDO__RLX);
    return &sq->sqes[tail & sq->ring_mask];
}

static void arm(edo__ring *r, uint32_t which, int fd)
{
    struct io_uring_sqe *sqe;
    if ((r->unarmed & which) == 0 || (sqe = edo__ring_sqe(r, true)) == NULL)
        return;
    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    sqe->user_data = which;
    edo__astore(&r->unarmed, r->unarmed & ~which, EDO__RLX);
}

/* All that is to be submitted goes to the kernel's side of the ring; returns how much it is. */
static unsigned prepare(edo__ring *r)
{
    edo__spin_lock(&r->lock);
    edo__op_send_cancels(r);
    if (r->unarmed != 0) {
        arm(r, EDO__RING_WAKE, r->wakefd);
        if (r->epoll != NULL)
            arm(r, EDO__RING_EPOLL, r->epoll->epfd);
    }
    /* release: what was filled in is complete */
    edo__astore(r->u.sq.ktail, r->u.sq.sqe_tail, EDO__REL);
    unsigned n = unseen(r);
    edo__spin_unlock(&r->lock);
    return n;
}

EDO__NOINLINE static void enter(edo__ring *r, int fd, unsigned flags, unsigned submit,
                                int64_t timeout)
{
    struct __kernel_timespec ts = { .tv_sec = timeout / 1000000000,
                                    .tv_nsec = timeout % 1000000000 };
    struct io_uring_getevents_arg arg = { .ts = (uint64_t)(uintptr_t)&ts };
    flags |= IORING_ENTER_GETEVENTS;
    if (timeout > 0 && timeout != EDO_FOREVER)
        (void)io_uring_enter2((unsigned)fd, submit, 1, flags | IORING_ENTER_EXT_ARG, (void *)&arg,
                              sizeof arg);
    else
        (void)io_uring_enter2((unsigned)fd, submit, timeout != 0, flags, NULL, 0);
    /* Whatever it answers: what was not taken is still there, what has happened is in the ring. */
    edo__aadd(&r->polls, 1, EDO__RLX);
}

/* A completion of what the ring polls for itself. */
static void own_event(edo__ring *r, const struct io_uring_cqe *cqe, bool owner)
{
    uint32_t which = (uint32_t)cqe->user_data;
    if ((cqe->flags & IORING_CQE_F_MORE) == 0)
        edo__astore(&r->unarmed, r->unarmed | which, EDO__RLX);
    if (which == EDO__RING_EPOLL) {
        r->epoll_ready = true;
    } else if (owner) {
        (void)edo__axchg(&r->woken, 0, EDO__AR); /* see edo__ring_wake() */
        r->roused = true;
    } else {
        /* It was for the owner, which may be about to wait. Cannot fail, see edo__ring_wake(). */
        (void)!write(r->wakefd, &(uint64_t){ 1 }, sizeof(uint64_t));
    }
}

/* Acts on up to BATCH completions; the operations whose tasks are to be scheduled go to *chain.
 * Returns how many there were; how many of operations: *events. */
static unsigned take(edo__ring *r, edo__op **chain, unsigned *events, bool owner)
{
    const struct io_uring_cq *cq = &r->u.cq;
    unsigned head = edo__aload(cq->khead, EDO__RLX); /* written under the lock */
    unsigned n = edo__aload(cq->ktail, EDO__ACQ) - head;
    n = n < BATCH ? n : BATCH;
    for (unsigned i = 0; i < n; i++) {
        const struct io_uring_cqe *cqe = &cq->cqes[(head + i) & cq->ring_mask];
        if (cqe->user_data < EDO__RING_OWN) {
            own_event(r, cqe, owner);
            continue;
        }
        uintptr_t data = (uintptr_t)cqe->user_data;
        edo__op *op = (edo__op *)(data & ~(uintptr_t)EDO__RING_CANCEL);
        *events += 1;
        if (!edo__op_complete(op, (data & EDO__RING_CANCEL) != 0, cqe->res, cqe->flags))
            continue;
        *chain = op; /* its memory stays until its task runs */
        chain = &op->next;
    }
    *chain = NULL;
    edo__astore(cq->khead, head + n, EDO__REL); /* release: they were read */
    return n;
}

static int reap(edo__ring *r, bool owner)
{
    unsigned all = 0, n;
    do {
        edo__op *chain;
        unsigned events = 0;
        edo__spin_lock(&r->lock);
        n = take(r, &chain, &events, owner);
        edo__spin_unlock(&r->lock);
        while (chain != NULL) {
            edo__op *next = chain->next;
            edo__claimed(chain->task, EDO__WORD_PARKED);
            chain = next;
        }
        all += events;
    } while (n == BATCH);
    if (all > 0)
        edo__aadd(&r->events, all, EDO__RLX);
    return (int)all;
}

/* What the epoll instance has. */
static int harvest(edo__ring *r, struct epoll_event *batch)
{
    edo__epoll *io = edo__aload(&r->epoll, EDO__ACQ); /* pairs with the release in backend.c */
    if (io == NULL)
        return 0;
    edo__spin_lock(&r->lock);
    bool ready = r->epoll_ready;
    r->epoll_ready = false;
    edo__spin_unlock(&r->lock);
    int all = 0, n = ready ? EDO__EPOLL_BATCH : 0;
    while (n == EDO__EPOLL_BATCH) {
        n = edo__epoll_harvest(io, batch != NULL ? batch : io->batch, 0);
        all += n;
    }
    return all;
}

static bool completed(const edo__ring *r)
{
    return edo__aload(r->u.cq.ktail, EDO__RLX) != edo__aload(r->u.cq.khead, EDO__RLX);
}

/* The kernel has something that it gives only to whoever enters. */
static bool must_enter(const edo__ring *r)
{
    unsigned flags = edo__aload(r->u.sq.kflags, EDO__RLX);
    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

bool edo__ring_pending(const edo__ring *r)
{
    /* Of a moment: what is overlooked now is seen a few tasks later, or before the worker parks. */
    return completed(r) || must_enter(r) || edo__aload(&r->cancels, EDO__RLX) != NULL ||
           edo__aload(&r->unarmed, EDO__RLX) != 0 || unseen(r) != 0;
}

/* How long the tasks run between one look and the next: there are 62 runs in between at the most. With
 * few of them some of the time was spent looking for work; and once is no reason, since the thread may
 * have lost its processor to another one. */
static void measure_round(edo__ring *r)
{
    const edo__worker *w = r->owner;
    int64_t now = w->now; /* read just before, or hardly older */
    int64_t runs = (int64_t)(w->tick - r->since_tick);
    if (r->since != 0) {
        bool is_long = now - r->since > LONG_RUN * (runs > FEW_RUNS ? runs : FEW_RUNS);
        r->slow = is_long && r->was_long;
        r->was_long = is_long;
    }
    r->since = now;
    r->since_tick = w->tick;
}

bool edo__ring_batches(const edo__ring *r)
{
    const edo__worker *w = r->owner;
    return !r->slow && (unseen(r) != 0 || edo__queue_len(&w->queue) != 0 ||
                        edo__aload(&w->lifo, EDO__RLX) != NULL);
}

int edo__ring_poll(edo__ring *r, int64_t timeout)
{
    measure_round(r);
    int events = completed(r) ? reap(r, true) : 0;
    events += harvest(r, NULL);
    unsigned n = prepare(r);
    /* roused: only the owner writes it. The others: for what the full queue had no room for. */
    if (events > 0 || r->roused || edo__aload(&r->cancels, EDO__RLX) != NULL ||
        edo__aload(&r->unarmed, EDO__RLX) != 0)
        timeout = 0;
    r->roused = false;
    if (timeout != 0)
        r->since = 0;
    if (n > 0 || timeout != 0 || must_enter(r)) {
        enter(r, r->enter_fd, r->enter_flags, n, timeout);
        events += reap(r, true);
        events += harvest(r, NULL);
        r->roused = false; /* whoever is woken looks at everything */
    }
    return events;
}

int edo__ring_poll_for(edo__ring *r, struct epoll_event *batch)
{
    int events = 0;
    unsigned n = prepare(r);
    /* Twice: what comes in may have to be cancelled again, or armed again. */
    for (int turn = 0; turn < 2 && (turn == 0 || n > 0); turn++) {
        if (n > 0)
            enter(r, r->u.ring_fd, 0, n, 0);
        if (completed(r))
            events += reap(r, false);
        n = prepare(r);
    }
    /* The owner may have come back and be about to wait: the rest is for it. */
    if (n > 0 || edo__aload(&r->cancels, EDO__RLX) != NULL)
        edo__worker_wake(r->owner);
    return events + harvest(r, batch);
}

void edo__ring_wake(edo__ring *r)
{
    /* Pairs with the exchange in own_event(): when this finds 1, that one reads what is written here,
     * and with it sees what the wake-up is about. The write cannot fail before 2^64 - 2 of them. */
    if (edo__axchg(&r->woken, 1, EDO__AR) == 0)
        (void)!write(r->wakefd, &(uint64_t){ 1 }, sizeof(uint64_t));
}
