/* SPDX-License-Identifier: MIT */
/* Options of sockets: one table says how each is called by the kernel, and what its value counts. */
#include "net/socket.h"

#include <edo/net.h>
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#define EDO__NOINLINE __attribute__((noinline))

typedef enum counts {
    PLAIN,
    FLAG,
    SECONDS,
    MILLISECONDS,
    LINGER,    /* a structure */
    CLASS,     /* the upper six bits of a byte */
    COUNT,     /* asked by ioctl(2) */
    INTERFACE, /* IPv4 wants a structure */
} counts;

typedef struct option {
    int level, name;   /* of IPv4, or whatever it is */
    int level6, name6; /* of IPv6 where that differs; level6 0: it does not */
    counts unit;
} option;

#define SAME(level_, name_, unit_)                                                                 \
    {                                                                                              \
        level_, name_, 0, 0, unit_                                                                 \
    }
#define BOTH(name_, name6_, unit_)                                                                 \
    {                                                                                              \
        IPPROTO_IP, name_, IPPROTO_IPV6, name6_, unit_                                             \
    }

static const option options[] = {
    [EDO_SOCKET_SNDBUF] = SAME(SOL_SOCKET, SO_SNDBUF, PLAIN),
    [EDO_SOCKET_RCVBUF] = SAME(SOL_SOCKET, SO_RCVBUF, PLAIN),
    [EDO_SOCKET_REUSEADDR] = SAME(SOL_SOCKET, SO_REUSEADDR, FLAG),
    [EDO_SOCKET_REUSEPORT] = SAME(SOL_SOCKET, SO_REUSEPORT, FLAG),
    [EDO_SOCKET_KEEPALIVE] = SAME(SOL_SOCKET, SO_KEEPALIVE, FLAG),
    [EDO_SOCKET_KEEPALIVE_IDLE] = SAME(IPPROTO_TCP, TCP_KEEPIDLE, SECONDS),
    [EDO_SOCKET_KEEPALIVE_INTERVAL] = SAME(IPPROTO_TCP, TCP_KEEPINTVL, SECONDS),
    [EDO_SOCKET_KEEPALIVE_COUNT] = SAME(IPPROTO_TCP, TCP_KEEPCNT, PLAIN),
    [EDO_SOCKET_LINGER] = SAME(SOL_SOCKET, SO_LINGER, LINGER),
    [EDO_SOCKET_NODELAY] = SAME(IPPROTO_TCP, TCP_NODELAY, FLAG),
    [EDO_SOCKET_QUICKACK] = SAME(IPPROTO_TCP, TCP_QUICKACK, FLAG),
    [EDO_SOCKET_CORK] = SAME(IPPROTO_TCP, TCP_CORK, FLAG),
    [EDO_SOCKET_USER_TIMEOUT] = SAME(IPPROTO_TCP, TCP_USER_TIMEOUT, MILLISECONDS),
    [EDO_SOCKET_NOTSENT_LOWAT] = SAME(IPPROTO_TCP, TCP_NOTSENT_LOWAT, PLAIN),
    [EDO_SOCKET_DEFER_ACCEPT] = SAME(IPPROTO_TCP, TCP_DEFER_ACCEPT, SECONDS),
    [EDO_SOCKET_FASTOPEN] = SAME(IPPROTO_TCP, TCP_FASTOPEN, PLAIN),
    [EDO_SOCKET_MSS] = SAME(IPPROTO_TCP, TCP_MAXSEG, PLAIN),
    [EDO_SOCKET_TTL] = BOTH(IP_TTL, IPV6_UNICAST_HOPS, PLAIN),
    [EDO_SOCKET_DSCP] = BOTH(IP_TOS, IPV6_TCLASS, CLASS),
    [EDO_SOCKET_PRIORITY] = SAME(SOL_SOCKET, SO_PRIORITY, PLAIN),
    [EDO_SOCKET_MARK] = SAME(SOL_SOCKET, SO_MARK, PLAIN),
    [EDO_SOCKET_V6ONLY] = SAME(IPPROTO_IPV6, IPV6_V6ONLY, FLAG),
    [EDO_SOCKET_BROADCAST] = SAME(SOL_SOCKET, SO_BROADCAST, FLAG),
    [EDO_SOCKET_MULTICAST_TTL] = BOTH(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, PLAIN),
    [EDO_SOCKET_MULTICAST_LOOP] = BOTH(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, FLAG),
    [EDO_SOCKET_MULTICAST_INTERFACE] = BOTH(IP_MULTICAST_IF, IPV6_MULTICAST_IF, INTERFACE),
    [EDO_SOCKET_ERROR] = SAME(SOL_SOCKET, SO_ERROR, COUNT),
    [EDO_SOCKET_UNREAD] = SAME(0, SIOCINQ, COUNT),
    [EDO_SOCKET_UNSENT] = SAME(0, SIOCOUTQ, COUNT),
};

#define OPTIONS (sizeof options / sizeof options[0])

EDO__NOINLINE static int set_option(int fd, int level, int name, const void *value, socklen_t len)
{
    return setsockopt(fd, level, name, value, len) == 0 ? 0 : -errno;
}

EDO__NOINLINE static int get_option(int fd, int level, int name, void *value, socklen_t len)
{
    return getsockopt(fd, level, name, value, &len) == 0 ? 0 : -errno;
}

EDO__NOINLINE static int ask(int fd, int request, int *value)
{
    return ioctl(fd, (unsigned long)request, value) == 0 ? 0 : -errno;
}

static int domain_of(int fd, int *domain)
{
    return get_option(fd, SOL_SOCKET, SO_DOMAIN, domain, sizeof *domain);
}

/* Level and name for this socket. */
static int choose(int fd, const option *o, int *level, int *name)
{
    int domain = AF_UNSPEC;
    int rc = o->level6 != 0 ? domain_of(fd, &domain) : 0;
    *level = domain == AF_INET6 ? o->level6 : o->level;
    *name = domain == AF_INET6 ? o->name6 : o->name;
    return rc;
}

static int64_t units(int64_t value, int64_t size)
{
    return value / size + (value % size != 0);
}

/* A value in the kernel's terms, or -EINVAL. */
static int encode(counts unit, int64_t value, int *out)
{
    if (value < 0)
        return -EINVAL;
    if (unit == SECONDS)
        value = units(value, EDO_SEC(1));
    else if (unit == MILLISECONDS)
        value = units(value, EDO_MS(1));
    int64_t max = unit == FLAG ? 1 : unit == CLASS ? 63 : INT_MAX;
    if (value > max)
        return -EINVAL;
    *out = (int)(unit == CLASS ? value << 2 : value);
    return 0;
}

static int64_t decode(counts unit, int value)
{
    switch (unit) {
    case FLAG: return value != 0;
    case SECONDS: return EDO_SEC(value);
    case MILLISECONDS: return EDO_MS(value);
    case CLASS: return (value & 0xff) >> 2;
    default: return value;
    }
}

static int set_linger(int fd, int64_t value)
{
    int seconds = 0;
    if (value != EDO_LINGER_RESET && encode(SECONDS, value, &seconds) < 0)
        return -EINVAL;
    struct linger l = { .l_onoff = value != 0, .l_linger = seconds };
    return set_option(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

static int get_linger(int fd, int64_t *out)
{
    struct linger l = { 0, 0 };
    int rc = get_option(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    if (rc == 0)
        *out = l.l_onoff == 0 ? 0 : l.l_linger == 0 ? EDO_LINGER_RESET : EDO_SEC(l.l_linger);
    return rc;
}

int edo_socket_set(int fd, edo_socket_option which, int64_t value)
{
    if ((unsigned)which >= OPTIONS || options[which].name == 0 || options[which].unit == COUNT)
        return -EINVAL;
    const option *o = &options[which];
    if (o->unit == LINGER)
        return set_linger(fd, value);
    int level, name, number;
    int rc = encode(o->unit, value, &number);
    if (rc == 0)
        rc = choose(fd, o, &level, &name);
    if (rc < 0)
        return rc;
    if (o->unit == INTERFACE && level == IPPROTO_IP) {
        struct ip_mreqn request = { .imr_ifindex = number };
        return set_option(fd, level, name, &request, sizeof request);
    }
    return set_option(fd, level, name, &number, sizeof number);
}

int edo_socket_get(int fd, edo_socket_option which, int64_t *out)
{
    if ((unsigned)which >= OPTIONS || options[which].name == 0)
        return -EINVAL;
    const option *o = &options[which];
    if (o->unit == LINGER)
        return get_linger(fd, out);
    int level, name, number = 0;
    int rc = choose(fd, o, &level, &name);
    if (rc < 0)
        return rc;
    if (o->unit == COUNT && o->level == 0) {
        rc = ask(fd, name, &number);
    } else if (o->unit == INTERFACE && level == IPPROTO_IP) {
        rc = -EOPNOTSUPP; /* the kernel tells an address only */
    } else {
        rc = get_option(fd, level, name, &number, sizeof number);
    }
    if (rc == 0)
        *out = decode(o->unit, number);
    return rc;
}
