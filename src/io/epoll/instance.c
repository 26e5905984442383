/* SPDX-License-Identifier: MIT */
/* An epoll instance with its eventfd: collecting events, and being woken.
 *
 * The eventfd is registered edge-triggered and never read: every write is an edge. A wake-up is
 * written only when the one before has been seen. */
#include "io/epoll/epoll.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAKE_DATA UINT64_MAX /* no slot's: descriptor numbers are not negative */

static int add_wakefd(edo__epoll *io)
{
    io->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (io->wakefd < 0)
        return -errno;
    int rc = edo__sys_ctl(io->epfd, EPOLL_CTL_ADD, io->wakefd, EPOLLIN | EPOLLET, WAKE_DATA);
    if (rc < 0)
        close(io->wakefd);
    return rc;
}

int edo__epoll_init(edo__epoll *io, bool wakeable)
{
    io->wakefd = -1;
    io->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (io->epfd < 0)
        return -errno;
    int rc = wakeable ? add_wakefd(io) : 0;
    if (rc < 0)
        close(io->epfd);
    return rc;
}

void edo__epoll_deinit(edo__epoll *io)
{
    edo__slot_evict(io);
    if (io->wakefd >= 0)
        close(io->wakefd);
    close(io->epfd);
}

static void write_wakefd(const edo__epoll *io)
{
    /* Cannot fail before 2^64 - 2 wake-ups. */
    ssize_t n = write(io->wakefd, &(uint64_t){ 1 }, sizeof(uint64_t));
    edo_debug_assert(n == sizeof(uint64_t));
    (void)n;
}

void edo__epoll_wake(edo__epoll *io)
{
    /* Pairs with the exchange in edo__epoll_harvest(): when this finds 1, that one reads what is
     * written here, and with it sees what the wake-up is about. */
    if (edo__axchg(&io->woken, 1, EDO__AR) == 0)
        write_wakefd(io);
}

int edo__epoll_harvest(edo__epoll *from, struct epoll_event *batch, int64_t timeout)
{
    bool own = batch == from->batch;
    int n = edo__sys_wait(from->epfd, batch, timeout);
    edo_assert(n >= 0 || n == -EINTR);
    edo__aadd(&from->polls, 1, EDO__RLX);
    int events = 0;
    for (int i = 0; i < n; i++) {
        uint64_t data = batch[i].data.u64;
        if (data == WAKE_DATA) {
            if (own)
                (void)edo__axchg(&from->woken, 0, EDO__AR); /* see edo__epoll_wake() */
            else
                write_wakefd(from); /* it was for the owner, which may wait in epoll by now */
            continue;
        }
        edo__slot *s = edo__slot_find((int)(uint32_t)data);
        edo__slot_event(s, (uint32_t)(data >> 32), batch[i].events);
        events++;
    }
    if (events > 0)
        edo__aadd(&from->events, (uint64_t)events, EDO__RLX);
    return events;
}
