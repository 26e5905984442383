/* SPDX-License-Identifier: MIT */
/* The table of the io_uring backend: a ring per worker, and, for those that wait by slots (select's
 * cases, streams of other backends), an epoll instance per worker that needs one, which the ring
 * watches. */
#include "io/uring/uring.h"

#include "core/sched.h"

#include <errno.h>
#include <stdlib.h>

static int backend_open(edo_runtime *rt)
{
    int rc = edo__ring_usable();
    if (rc < 0)
        return rc;
    rt->io = calloc(EDO__EPOLL_BATCH, sizeof(struct epoll_event)); /* for the monitor's harvests */
    return rt->io != NULL ? 0 : -ENOMEM;
}

static void backend_close(edo_runtime *rt)
{
    free(rt->io);
    rt->io = NULL;
}

static int worker_open(edo__worker *w)
{
    edo__ring *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    int rc = edo__ring_init(r, w, w->index >= w->rt->n_workers);
    if (rc < 0) {
        free(r);
        return rc;
    }
    w->io = r;
    return 0;
}

static void worker_close(edo__worker *w)
{
    if (w->io == NULL)
        return;
    edo__ring_deinit(w->io);
    free(w->io);
    w->io = NULL;
}

static void worker_enter(edo__worker *w)
{
    edo__ring_enter_thread(w->io);
}

static void worker_leave(edo__worker *w)
{
    edo__ring_leave_thread(w->io);
}

static int worker_poll(edo__worker *w, int64_t timeout)
{
    return edo__ring_poll(w->io, timeout);
}

static bool worker_pending(edo__worker *w)
{
    return edo__ring_pending(w->io);
}

static int worker_poll_for(edo__worker *stuck)
{
    return edo__ring_poll_for(stuck->io, stuck->rt->io);
}

static void worker_wake(edo__worker *w)
{
    edo__ring_wake(w->io);
}

static edo__epoll *worker_epoll(edo__worker *w)
{
    edo__ring *r = w->io;
    edo__epoll *io = r->epoll; /* only the owner makes one */
    if (io != NULL)
        return io;
    io = calloc(1, sizeof *io);
    if (io == NULL || edo__epoll_init(io, false) < 0) {
        free(io);
        return NULL;
    }
    edo__spin_lock(&r->lock);
    edo__astore(&r->unarmed, r->unarmed | EDO__RING_EPOLL, EDO__RLX);
    edo__astore(&r->epoll, io, EDO__REL); /* pairs with the acquire in ring.c */
    edo__spin_unlock(&r->lock);
    return io;
}

static void read_stats(edo_runtime *rt, edo__io_stats *out)
{
    *out = (edo__io_stats){ 0 };
    for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
        const edo__ring *r = rt->workers[i].io;
        if (r == NULL)
            continue;
        out->polls += edo__aload(&r->polls, EDO__RLX);
        out->events += edo__aload(&r->events, EDO__RLX);
        out->submits += edo__aload(&r->submits, EDO__RLX);
        out->fds += edo__aload(&r->inflight, EDO__RLX);
        const edo__epoll *io = edo__aload(&r->epoll, EDO__ACQ);
        if (io == NULL)
            continue;
        out->events += edo__aload(&io->events, EDO__RLX);
        out->submits += edo__aload(&io->ctls, EDO__RLX);
        out->fds += edo__aload(&io->armed, EDO__RLX);
    }
}

const edo__backend edo__backend_uring = {
    .name = "uring",
    .open = backend_open,
    .close = backend_close,
    .worker_open = worker_open,
    .worker_close = worker_close,
    .worker_enter = worker_enter,
    .worker_leave = worker_leave,
    .poll = worker_poll,
    .pending = worker_pending,
    .poll_for = worker_poll_for,
    .wake = worker_wake,
    .epoll = worker_epoll,
    .wait_fd = edo__uring_wait_fd,
    .watch = edo__epoll_watch,
    .rewatch = edo__epoll_rewatch,
    .unwatch = edo__epoll_unwatch,
    .desc_open = edo__uring_desc_open,
    .desc_close = edo__uring_desc_close,
    .readv = edo__uring_readv,
    .writev = edo__uring_writev,
    .accept = edo__uring_accept,
    .connect = edo__uring_connect,
    .attempt = edo__uring_attempt,
    .file = edo__uring_file,
    .read_stats = read_stats,
};
