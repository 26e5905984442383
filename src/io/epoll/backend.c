/* SPDX-License-Identifier: MIT */
/* The table of the epoll backend: an epoll instance per worker. */
#include "io/epoll/epoll.h"

#include "core/sched.h"

#include <errno.h>
#include <stdlib.h>

static int backend_open(edo_runtime *rt)
{
    /* Slots are the process's. All there is per runtime is room for the monitor's harvests. */
    rt->io = calloc(EDO__EPOLL_BATCH, sizeof(struct epoll_event));
    return rt->io != NULL ? 0 : -ENOMEM;
}

static void backend_close(edo_runtime *rt)
{
    free(rt->io);
    rt->io = NULL;
}

static int worker_open(edo__worker *w)
{
    edo__epoll *io = calloc(1, sizeof *io);
    if (io == NULL)
        return -ENOMEM;
    int rc = edo__epoll_init(io, true);
    if (rc < 0) {
        free(io);
        return rc;
    }
    w->io = io;
    return 0;
}

static void worker_close(edo__worker *w)
{
    if (w->io == NULL)
        return;
    edo__epoll_deinit(w->io);
    free(w->io);
    w->io = NULL;
}

static int worker_poll(edo__worker *w, int64_t timeout)
{
    edo__epoll *io = w->io;
    return edo__epoll_harvest(io, io->batch, timeout);
}

static bool worker_pending(edo__worker *w)
{
    const edo__epoll *io = w->io;
    /* relaxed: a poll that is left out now is made a few tasks later, or before the worker parks */
    return edo__aload(&io->armed, EDO__RLX) != 0 || edo__aload(&io->woken, EDO__RLX) != 0;
}

static int worker_poll_for(edo__worker *stuck)
{
    edo__epoll *io = stuck->io;
    /* relaxed: a registration that is not seen yet is at the next look */
    if (edo__aload(&io->armed, EDO__RLX) == 0)
        return 0;
    return edo__epoll_harvest(io, stuck->rt->io, 0);
}

static void worker_wake(edo__worker *w)
{
    edo__epoll_wake(w->io);
}

static edo__epoll *worker_epoll(edo__worker *w)
{
    return w->io;
}

static void read_stats(edo_runtime *rt, edo__io_stats *out)
{
    *out = (edo__io_stats){ 0 };
    for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
        const edo__epoll *io = rt->workers[i].io;
        if (io == NULL)
            continue;
        out->polls += edo__aload(&io->polls, EDO__RLX);
        out->events += edo__aload(&io->events, EDO__RLX);
        out->submits += edo__aload(&io->ctls, EDO__RLX);
        out->fds += edo__aload(&io->armed, EDO__RLX);
    }
}

const edo__backend edo__backend_epoll = {
    .name = "epoll",
    .open = backend_open,
    .close = backend_close,
    .worker_open = worker_open,
    .worker_close = worker_close,
    .poll = worker_poll,
    .pending = worker_pending,
    .poll_for = worker_poll_for,
    .wake = worker_wake,
    .epoll = worker_epoll,
    .wait_fd = edo__epoll_wait_fd,
    .watch = edo__epoll_watch,
    .rewatch = edo__epoll_rewatch,
    .unwatch = edo__epoll_unwatch,
    .desc_open = edo__epoll_desc_open,
    .desc_close = edo__epoll_desc_close,
    .readv = edo__epoll_readv,
    .writev = edo__epoll_writev,
    .accept = edo__epoll_accept,
    .connect = edo__epoll_connect,
    .attempt = edo__epoll_attempt,
    .read_stats = read_stats,
};
