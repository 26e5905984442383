/* SPDX-License-Identifier: MIT */
/* HTTP client: the set of curl's sockets, behind one descriptor that edo_wait_fd() can wait for.
 *
 * Why a set of its own and not a waiting task per socket: a descriptor has to stay open while a task waits
 * for it, but curl takes a socket off the list and closes it within one call, leaving no place where a
 * waiter could be called back first (a callback must not suspend). So the sockets are in an epoll set that
 * belongs to the client, and Edo waits for the set, which lives as long as the driver. Taking a socket out of
 * it needs no waiting. It also wakes the driver once for any number of ready sockets.
 *
 * A batch may hold an event of a socket that was closed, or closed and opened again under the same
 * number, earlier in the batch: curl finds nothing to read then and goes on. */
#include "internal.h"

#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 16 /* bounds how long the driver holds its worker: up to 64 KiB from each */

static uint32_t epoll_events(int what)
{
    uint32_t events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    return events;
}

/* curl's order to watch a socket, or no longer. `known`: NULL until curl_multi_assign() was called. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *known)
{
    edo_http_client *c = client;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(c->sockets, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = { .events = epoll_events(what), .data = { .fd = fd } };
    if (epoll_ctl(c->sockets, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
        return -1; /* curl ends its transfers with CURLM_ABORTED_BY_CALLBACK */
    curl_multi_assign(c->multi, fd, c);
    return 0;
}

/* Opens the set and makes the multi handle use it. */
int http__sockets_open(edo_http_client *c)
{
    c->sockets = epoll_create1(EPOLL_CLOEXEC);
    if (c->sockets < 0)
        return -errno;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    return 0;
}

void http__sockets_close(edo_http_client *c)
{
    if (c->sockets >= 0)
        close(c->sockets);
    c->sockets = -1;
}

static int action_of(uint32_t events)
{
    int action = 0;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        action |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        action |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        action |= CURL_CSELECT_ERR;
    return action;
}

/* Lets curl work on every socket that is ready now. Returns how many there were. */
int http__sockets_pump(edo_http_client *c)
{
    struct epoll_event events[BATCH];
    int running;
    int n = epoll_wait(c->sockets, events, BATCH, 0);
    for (int i = 0; i < n; i++)
        curl_multi_socket_action(c->multi, events[i].data.fd, action_of(events[i].events),
                                 &running);
    return n < 0 ? 0 : n;
}
