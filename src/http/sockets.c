/* SPDX-License-Identifier: MIT */
/* HTTP client: the set of curl's sockets, behind one descriptor that edo_wait_fd() can wait for.
 *
 * Why a set of its own and not a waiting task per socket: a descriptor has to stay open while a
 * task waits for it, but curl takes a socket off the list and closes it within one call, leaving no
 * place where a waiter could be called back first (a callback must not suspend). So the sockets are
 * in an epoll set that belongs to the client, and Edo waits for the set, which lives as long as the
 * driver. It also wakes the driver once for any number of ready sockets.
 *
 * Why every socket is armed for one event and armed again: curl may close a socket that is still
 * connecting and say that it need not be watched only afterwards, when the number may belong to
 * another thread's file already. So nothing is done to a socket that curl lets go of: closed, it
 * has left the set; kept for later, it gives one more event at the most, which is ignored. For the
 * same reason curl says nothing at all when the next socket gets the number of one that it closed
 * that way and wants the same events; then on_created() arms the new one. */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 16 /* bounds how long the driver holds its worker: up to 64 KiB from each */

/* What curl wants of the descriptor of that number. */
struct watch {
    unsigned char wanted; /* CURL_POLL_IN, _OUT, _INOUT; 0: nothing */
    bool armed;
    bool given; /* it was readable since curl was last asked whether that was all */
};

static int make_room(edo_http_client *c, int fd)
{
    size_t n = c->n_watches, needed = (size_t)fd + 1;
    if (needed <= n)
        return 0;
    needed = needed < 2 * n ? 2 * n : needed;
    struct watch *w = realloc(c->watches, needed * sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w + n, 0, (needed - n) * sizeof *w);
    c->watches = w;
    c->n_watches = needed;
    return 0;
}

static bool is_wanted(const edo_http_client *c, int fd)
{
    return (size_t)fd < c->n_watches && c->watches[fd].wanted;
}

static uint32_t epoll_events(int wanted)
{
    uint32_t events = EPOLLONESHOT;
    if (wanted == CURL_POLL_IN || wanted == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (wanted == CURL_POLL_OUT || wanted == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    return events;
}

/* Arms a socket that is wanted. Fails for lack of memory, and only the first time for a socket. */
static int arm(edo_http_client *c, int fd)
{
    struct watch *w = &c->watches[fd];
    struct epoll_event event = { .events = epoll_events(w->wanted), .data = { .fd = fd } };
    int rc = epoll_ctl(c->sockets, EPOLL_CTL_MOD, fd, &event);
    if (rc < 0 && errno == ENOENT)
        rc = epoll_ctl(c->sockets, EPOLL_CTL_ADD, fd, &event);
    w->armed = rc == 0;
    return rc;
}

/* curl's order to watch a socket, or no longer. A failure ends all transfers. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *unused)
{
    edo_http_client *c = client;
    (void)easy;
    (void)unused;
    if (make_room(c, fd) < 0)
        return -1;
    c->watches[fd].wanted = what == CURL_POLL_REMOVE ? 0 : (unsigned char)what;
    return is_wanted(c, fd) ? arm(c, fd) : 0;
}

/* A new socket, before it connects. */
static int on_created(void *client, curl_socket_t fd, curlsocktype purpose)
{
    edo_http_client *c = client;
    (void)purpose;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (is_wanted(c, fd) && arm(c, fd) < 0)
        return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
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

/* The part of it that is set on every transfer. */
CURLcode http__sockets_install(edo_http_client *c, CURL *easy)
{
    CURLcode cc = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_created);
    return cc | curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, c);
}

void http__sockets_close(edo_http_client *c)
{
    if (c->sockets >= 0)
        close(c->sockets);
    free(c->watches);
    c->sockets = -1;
    c->watches = NULL;
    c->n_watches = 0;
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
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        c->watches[fd].armed = false;
        if (!is_wanted(c, fd))
            continue;
        c->watches[fd].given |= (events[i].events & EPOLLIN) != 0;
        c->given |= c->watches[fd].given;
        curl_multi_socket_action(c->multi, fd, action_of(events[i].events), &running);
        if (is_wanted(c, fd) && !c->watches[fd].armed)
            (void)arm(c, fd);
    }
    return n < 0 ? 0 : n;
}

/* Before the driver sleeps: has curl read more than it has passed on? On a connection with several
 * transfers it can leave the rest in its own buffers, or in OpenSSL's, and wait for a socket that
 * has nothing more to say (7.88, HTTP/2: one of some 15,000 such transfers never ended). Told that
 * the socket is readable, it looks there first. Asked until nothing comes of it. Returns whether
 * anything was asked. */
bool http__sockets_ask_again(edo_http_client *c)
{
    int running;
    if (!c->given)
        return false;
    c->given = false;
    bool asked = false;
    for (size_t fd = 0; c->active && fd < c->n_watches; fd++) {
        if (!c->watches[fd].given)
            continue;
        c->watches[fd].given = false;
        if (!is_wanted(c, (int)fd))
            continue;
        asked = true;
        c->progress = false;
        curl_multi_socket_action(c->multi, (curl_socket_t)fd, CURL_CSELECT_IN, &running);
        c->watches[fd].given = c->progress;
        c->given |= c->progress;
    }
    return asked;
}
