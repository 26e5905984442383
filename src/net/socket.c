/* SPDX-License-Identifier: MIT */
/* The system calls of TCP sockets; see socket.h. */
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#define BACKLOG_MAX 65535 /* the kernel cuts it down to net.core.somaxconn */
#define EDO__NOINLINE __attribute__((noinline))

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

EDO__NOINLINE int edo__socket_open(int family, const edo_tcp_options *o)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    int rc = 0;
    if (!o->delay)
        rc = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0 && o->sndbuf > 0)
        rc = set_option(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf);
    if (rc == 0 && o->rcvbuf > 0)
        rc = set_option(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

EDO__NOINLINE int edo__socket_listen(int fd, const edo__address *at, const edo_tcp_options *o)
{
    int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && o->reuseport)
        rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (rc == 0 && at->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&at->v6.sin6_addr))
        rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0); /* "every address" means IPv4 too */
    if (rc == 0 && bind(fd, &at->sa, edo__address_len(at)) != 0)
        rc = -errno;
    if (rc == 0 && listen(fd, o->backlog > 0 ? o->backlog : BACKLOG_MAX) != 0)
        rc = -errno;
    return rc;
}

EDO__NOINLINE int edo__socket_port(int fd, uint16_t *port)
{
    edo__address a;
    socklen_t len = sizeof a;
    if (getsockname(fd, &a.sa, &len) != 0)
        return -errno;
    *port = edo__address_port(&a);
    return 0;
}

static bool describe_address(const edo__address *a, char *buf, size_t cap)
{
    char host[INET6_ADDRSTRLEN];
    bool six = a->sa.sa_family == AF_INET6;
    const void *bytes = six ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr;
    if (!six && a->sa.sa_family != AF_INET)
        return false;
    if (inet_ntop(a->sa.sa_family, bytes, host, sizeof host) == NULL)
        return false;
    (void)snprintf(buf, cap, six ? "[%s]:%u" : "%s:%u", host, edo__address_port(a));
    return true;
}

EDO__NOINLINE bool edo__socket_describe(int fd, char *buf, size_t cap)
{
    edo__address here, there;
    socklen_t here_len = sizeof here, there_len = sizeof there;
    char from[64], to[64];
    if (getsockname(fd, &here.sa, &here_len) != 0 || !describe_address(&here, from, sizeof from))
        return false;
    bool peer =
        getpeername(fd, &there.sa, &there_len) == 0 && describe_address(&there, to, sizeof to);
    (void)snprintf(buf, cap, peer ? "%s - %s" : "%s", from, to);
    return true;
}
