/* SPDX-License-Identifier: MIT */
/* The system calls of sockets; see socket.h. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG_MAX 65535   /* the kernel cuts it down to net.core.somaxconn */
#define FASTOPEN_QUEUE 1024 /* half-open connections, where the backlog says nothing */
#define EDO__NOINLINE __attribute__((noinline))

EDO__NOINLINE int edo__socket_open(int family, int type)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

EDO__NOINLINE int edo__socket_bind(int fd, const edo_address *at)
{
    return bind(fd, &edo__address_of(at)->sa, at->edo__len) == 0 ? 0 : -errno;
}

EDO__NOINLINE int edo__socket_listen(int fd, int backlog)
{
    return listen(fd, backlog > 0 ? backlog : BACKLOG_MAX) == 0 ? 0 : -errno;
}

void edo__socket_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

EDO__NOINLINE static int set_string(int fd, int level, int name, const char *value)
{
    return setsockopt(fd, level, name, value, (socklen_t)strlen(value)) == 0 ? 0 : -errno;
}

EDO__NOINLINE static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int edo__socket_route(int fd, const char *device, uint32_t mark)
{
    int rc = 0;
    if (device != NULL)
        rc = set_string(fd, SOL_SOCKET, SO_BINDTODEVICE, device);
    if (rc == 0 && mark != 0)
        rc = edo_socket_set(fd, EDO_SOCKET_MARK, mark);
    return rc;
}

typedef struct setting {
    edo_socket_option option;
    int64_t value; /* 0: left as it is */
} setting;

static int set_all(int fd, const setting *list, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (list[i].value != 0)
            rc = edo_socket_set(fd, list[i].option, list[i].value);
    return rc;
}

/* What can be set at any time. */
static int apply(int fd, const edo_tcp_options *o)
{
    bool keepalive = o->keepalive || o->keepalive_idle != 0 || o->keepalive_interval != 0 ||
                     o->keepalive_count != 0;
    const setting list[] = {
        { EDO_SOCKET_SNDBUF, o->sndbuf },
        { EDO_SOCKET_RCVBUF, o->rcvbuf },
        { EDO_SOCKET_KEEPALIVE, keepalive },
        { EDO_SOCKET_KEEPALIVE_IDLE, o->keepalive_idle },
        { EDO_SOCKET_KEEPALIVE_INTERVAL, o->keepalive_interval },
        { EDO_SOCKET_KEEPALIVE_COUNT, o->keepalive_count },
        { EDO_SOCKET_USER_TIMEOUT, o->user_timeout },
        { EDO_SOCKET_LINGER, o->linger },
        { EDO_SOCKET_NOTSENT_LOWAT, o->notsent_lowat },
        { EDO_SOCKET_DSCP, o->dscp },
        { EDO_SOCKET_MARK, o->mark },
        { EDO_SOCKET_QUICKACK, o->quickack },
    };
    int rc = set_all(fd, list, sizeof list / sizeof list[0]);
    if (rc == 0 && o->congestion != NULL)
        rc = set_string(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion);
    return rc;
}

int edo_tcp_apply(edo_stream *s, const edo_tcp_options *options)
{
    int fd = edo_stream_fd(s);
    int rc = edo_socket_set(fd, EDO_SOCKET_NODELAY, !options->delay);
    return rc == 0 ? apply(fd, options) : rc;
}

/* A wish: a kernel without it, or told not to, connects as ever. */
static int wish_fastopen(int fd)
{
    int rc = set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1); /* Linux 4.11 */
    return rc == -EOPNOTSUPP || rc == -ENOPROTOOPT ? 0 : rc;
}

static int open_local(int fd, int family, const edo_tcp_options *o)
{
    if (o->local == NULL)
        return 0;
    edo_address local;
    int rc = edo_address_parse(&local, o->local);
    if (rc < 0)
        return rc;
    if (edo__address_af(&local) != family)
        return -EADDRNOTAVAIL;
    /* The port is chosen by connect(2), which knows the peer: then there are more of them. */
    (void)set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    return edo__socket_bind(fd, &local);
}

int edo__tcp_open(int family, const edo_tcp_options *o, bool listening)
{
    int fd = edo__socket_open(family, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int rc = o->delay ? 0 : edo_socket_set(fd, EDO_SOCKET_NODELAY, 1);
    if (rc == 0)
        rc = apply(fd, o);
    if (rc == 0)
        rc = edo__socket_route(fd, o->device, 0);
    if (rc == 0 && !listening && o->fastopen)
        rc = wish_fastopen(fd);
    if (rc == 0 && !listening)
        rc = open_local(fd, family, o);
    if (rc == 0)
        return fd;
    edo__socket_close(fd);
    return rc;
}

int edo__tcp_listen(int fd, const edo_address *at, const edo_tcp_options *o)
{
    int rc = 0;
    const setting list[] = {
        { EDO_SOCKET_REUSEADDR, !o->no_reuseaddr },
        { EDO_SOCKET_REUSEPORT, o->reuseport },
        { EDO_SOCKET_DEFER_ACCEPT, o->defer_accept },
    };
    /* "Every address" means IPv4 too, whatever the system's default is. */
    if (edo__address_af(at) == AF_INET6 && (o->v6only || edo_address_is_any(at)))
        rc = edo_socket_set(fd, EDO_SOCKET_V6ONLY, o->v6only);
    if (rc == 0)
        rc = set_all(fd, list, sizeof list / sizeof list[0]);
    if (rc == 0 && o->fastopen)
        rc = edo_socket_set(fd, EDO_SOCKET_FASTOPEN, o->backlog > 0 ? o->backlog : FASTOPEN_QUEUE);
    if (rc == 0)
        rc = edo__socket_bind(fd, at);
    if (rc == 0)
        rc = edo__socket_listen(fd, o->backlog);
    return rc;
}

typedef int name_of(int fd, struct sockaddr *a, socklen_t *len);

EDO__NOINLINE static int ask_name(int fd, name_of *which, edo_address *out)
{
    edo_address a = { 0 };
    socklen_t len = sizeof(edo__sockaddr);
    if (which(fd, &edo__address_in(&a)->sa, &len) != 0)
        return -errno;
    edo__address_written(&a, len);
    if (edo_address_family(&a) == EDO_FAMILY_NONE)
        return -EAFNOSUPPORT;
    *out = a;
    return 0;
}

int edo_socket_local(int fd, edo_address *out)
{
    return ask_name(fd, getsockname, out);
}

int edo_socket_peer(int fd, edo_address *out)
{
    return ask_name(fd, getpeername, out);
}

bool edo__socket_describe(int fd, char *buf, size_t cap)
{
    edo_address here, there;
    char from[EDO_ADDRESS_TEXT], to[EDO_ADDRESS_TEXT];
    if (edo_socket_local(fd, &here) < 0)
        return false;
    edo_address_format(&here, from, sizeof from);
    if (edo_socket_peer(fd, &there) < 0)
        (void)snprintf(buf, cap, "%s", from);
    else
        (void)snprintf(buf, cap, "%s - %s", from, edo_address_format(&there, to, sizeof to));
    return true;
}
