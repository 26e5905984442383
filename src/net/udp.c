/* SPDX-License-Identifier: MIT */
/* Datagram sockets: opening, sending, receiving. */
#include "net/datagram.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "core/wait.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/unix_file.h"

#include <edo/io.h>
#include <edo/time.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#define PAUSE_FIRST EDO_US(100)
#define PAUSE_MOST EDO_MS(20)
#define EDO__NOINLINE __attribute__((noinline))

static const edo_udp_options defaults;

edo_udp *edo__udp_alloc(void)
{
    return calloc(1, sizeof(edo_udp));
}

int edo__udp_open(edo_udp *u, int fd, int family)
{
    u->family = (uint16_t)family;
    u->backend = edo__backend_of(edo__self());
    u->desc.flags = EDO__DESC_SOCKET;
    return u->backend->desc_open(&u->desc, fd);
}

static int set_options(int fd, int family, const edo_udp_options *o)
{
    const struct {
        edo_socket_option option;
        int64_t value;
    } list[] = {
        { EDO_SOCKET_REUSEPORT, o->reuseport }, { EDO_SOCKET_REUSEADDR, o->reuseaddr },
        { EDO_SOCKET_BROADCAST, o->broadcast }, { EDO_SOCKET_SNDBUF, o->sndbuf },
        { EDO_SOCKET_RCVBUF, o->rcvbuf },       { EDO_SOCKET_TTL, o->ttl },
        { EDO_SOCKET_DSCP, o->dscp },
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof list / sizeof list[0]; i++)
        if (list[i].value != 0)
            rc = edo_socket_set(fd, list[i].option, list[i].value);
    if (rc == 0)
        rc = edo__socket_route(fd, o->device, o->mark);
    return rc == 0 ? edo__dgram_tell(fd, family, o) : rc;
}

/* Makes it the local address, or the peer. */
static int name_it(int fd, const edo_address *a, bool connecting, const edo_udp_options *o)
{
    int rc = 0;
    if (!connecting) {
        if (edo__address_af(a) == AF_INET6 && (o->v6only || edo_address_is_any(a)))
            rc = edo_socket_set(fd, EDO_SOCKET_V6ONLY, o->v6only);
        return rc == 0 ? edo__socket_bind(fd, a) : rc;
    }
    if (o->from != NULL) {
        edo_address from;
        rc = edo_address_parse(&from, o->from);
        if (rc == 0)
            rc = edo__address_af(&from) == edo__address_af(a) ? edo__socket_bind(fd, &from)
                                                              : -EADDRNOTAVAIL;
    }
    return rc == 0 ? edo__dgram_connect(fd, a) : rc;
}

static int open_at(edo_udp **out, const edo_address *a, bool connecting, const edo_udp_options *o)
{
    edo_udp *u = edo__udp_alloc();
    if (u == NULL)
        return -ENOMEM;
    int family = edo__address_af(a);
    int fd = edo__socket_open(family, SOCK_DGRAM);
    int rc = fd < 0 ? fd : set_options(fd, family, o);
    if (rc == 0)
        rc = name_it(fd, a, connecting, o);
    if (rc == 0)
        rc = edo__udp_open(u, fd, family);
    if (rc < 0) {
        edo__socket_close(fd);
        free(u);
        return rc;
    }
    u->errors = o->errors;
    u->local = o->local;
    u->gro = o->gro;
    *out = u;
    return 0;
}

static int open_any(edo_udp **out, const char *address, bool connecting, const edo_udp_options *o)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_address *list;
    int n = edo__addresses_of(address, !connecting, &list);
    if (n < 0)
        return n;
    rc = EDO_EHOST;
    for (int i = 0; i < n; i++) {
        int one = open_at(out, &list[i], connecting, o != NULL ? o : &defaults);
        if (one == 0 || i == 0)
            rc = one;
        if (one == 0)
            break;
    }
    free(list);
    return rc;
}

int edo_udp_bind(edo_udp **out, const char *address, const edo_udp_options *options)
{
    return open_any(out, address, false, options);
}

int edo_udp_connect(edo_udp **out, const char *address, const edo_udp_options *options)
{
    return open_any(out, address, true, options);
}

int edo_udp_connect_to(edo_udp *u, const edo_address *peer)
{
    return edo__dgram_connect(u->desc.fd, peer);
}

EDO__NOINLINE static int ask(int fd, int name, int *value)
{
    socklen_t len = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, name, value, &len) == 0 ? 0 : -errno;
}

EDO__NOINLINE static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

int edo_udp_from_fd(edo_udp **out, int fd)
{
    int type = 0, family = 0;
    int rc = ask(fd, SO_TYPE, &type);
    if (rc == 0)
        rc = ask(fd, SO_DOMAIN, &family);
    if (rc < 0)
        return rc;
    if (type != SOCK_DGRAM)
        return -EINVAL;
    edo_udp *u = edo__udp_alloc();
    if (u == NULL)
        return -ENOMEM;
    rc = set_nonblocking(fd);
    if (rc == 0)
        rc = edo__udp_open(u, fd, family);
    if (rc < 0) {
        free(u);
        return rc;
    }
    /* Whoever made it may have switched them on. */
    u->local = u->gro = true;
    *out = u;
    return 0;
}

void edo_udp_close(edo_udp *u)
{
    if (u == NULL)
        return;
    edo_assert(edo__aload(&u->users, EDO__RLX) == 0); /* closed while somebody uses it */
    int fd = u->desc.fd;
    u->backend->desc_close(&u->desc);
    edo__file_remove(u->file);
    edo__socket_close(fd);
    free(u);
}

int edo_udp_fd(const edo_udp *u)
{
    return u->desc.fd;
}

uint16_t edo_udp_port(const edo_udp *u)
{
    edo_address local;
    return edo_socket_local(u->desc.fd, &local) == 0 ? edo_address_port(&local) : 0;
}

typedef ssize_t call_fn(const edo__desc *d, void *arg);

static ssize_t attempt(edo_udp *u, call_fn *call, void *arg, unsigned events, edo__why why)
{
    const edo__attempt what = { .call = call, .arg = arg, .events = events, .why = why };
    edo__aadd(&u->users, 1, EDO__RLX); /* finds misuse; orders nothing */
    ssize_t rc = u->backend->attempt(&u->desc, &what);
    edo__asub(&u->users, 1, EDO__RLX);
    return rc;
}

static ssize_t attempt_recv(edo_udp *u, call_fn *call, void *arg)
{
    return attempt(u, call, arg, EDO_READABLE, EDO__WHY_READ);
}

static ssize_t attempt_send(edo_udp *u, call_fn *call, void *arg)
{
    return attempt(u, call, arg, EDO_WRITABLE, EDO__WHY_WRITE);
}

/* The kernel says when a connected Unix socket can take more, and of one that is called by its address
 * it does not: so it is asked again after a while. */
static ssize_t send_pausing(edo_udp *u, call_fn *call, void *arg)
{
    int64_t pause = PAUSE_FIRST;
    ssize_t rc = edo__checkpoint(edo__self());
    while (rc >= 0) {
        rc = call(&u->desc, arg);
        if (rc != -EAGAIN)
            break;
        rc = edo_sleep(pause);
        pause = pause < PAUSE_MOST / 2 ? pause * 2 : PAUSE_MOST;
    }
    return rc;
}

ssize_t edo_udp_send_to(edo_udp *u, const void *data, size_t n, const edo_address *to)
{
    edo__dgram_send s = { data, n, to };
    if (to != NULL && u->family == AF_UNIX)
        return send_pausing(u, edo__dgram_send_call, &s);
    return attempt_send(u, edo__dgram_send_call, &s);
}

ssize_t edo_udp_send(edo_udp *u, const void *data, size_t n)
{
    return edo_udp_send_to(u, data, n, NULL);
}

ssize_t edo_udp_recv_from(edo_udp *u, void *buf, size_t n, edo_address *from)
{
    edo__dgram_recv r = { buf, n, from, 0 };
    return attempt_recv(u, edo__dgram_recv_call, &r);
}

ssize_t edo_udp_recv(edo_udp *u, void *buf, size_t n)
{
    return edo_udp_recv_from(u, buf, n, NULL);
}

ssize_t edo_udp_peek_from(edo_udp *u, void *buf, size_t n, edo_address *from)
{
    edo__dgram_recv r = { buf, n, from, MSG_PEEK };
    return attempt_recv(u, edo__dgram_recv_call, &r);
}

ssize_t edo_udp_send_nowait(edo_udp *u, const void *data, size_t n, const edo_address *to)
{
    edo__dgram_send s = { data, n, to };
    return edo__dgram_send_call(&u->desc, &s);
}

ssize_t edo_udp_recv_nowait(edo_udp *u, void *buf, size_t n, edo_address *from)
{
    edo__dgram_recv r = { buf, n, from, 0 };
    return edo__dgram_recv_call(&u->desc, &r);
}

int edo_udp_send_many(edo_udp *u, const edo_datagram *list, int count)
{
    edo__dgram_many m = { (edo_datagram *)list, count }; /* not written to */
    if (count < 1)
        return -EINVAL;
    bool addressed = false;
    for (int i = 0; i < count; i++) {
        if (list[i].segment > UINT16_MAX)
            return -EINVAL;
        addressed |= list[i].address != NULL;
    }
    if (addressed && u->family == AF_UNIX)
        return (int)send_pausing(u, edo__dgram_send_many_call, &m);
    return (int)attempt_send(u, edo__dgram_send_many_call, &m);
}

int edo_udp_recv_many(edo_udp *u, edo_datagram *list, int count)
{
    edo__dgram_many m = { list, count };
    if (count < 1)
        return -EINVAL;
    return (int)attempt_recv(u, edo__dgram_recv_many_call, &m);
}
