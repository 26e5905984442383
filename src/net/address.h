/* SPDX-License-Identifier: MIT */
/* What is inside an edo_address, and "host:port" before it is looked up. */
#ifndef EDO_NET_ADDRESS_H
#define EDO_NET_ADDRESS_H

#include <edo/address.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EDO__HOST_MAX 253     /* characters of a name (RFC 1035) */
#define EDO__ADDRESSES_MAX 16 /* of one name that are tried */

/* may_alias: it is the storage of an edo_address, which is declared as numbers. */
typedef union edo__sockaddr {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
} __attribute__((may_alias)) edo__sockaddr;

_Static_assert(sizeof(edo__sockaddr) <= sizeof((edo_address *)0)->edo__sa, "room for every kind");

static inline edo__sockaddr *edo__address_in(edo_address *a)
{
    return (edo__sockaddr *)a->edo__sa;
}

static inline const edo__sockaddr *edo__address_of(const edo_address *a)
{
    return (const edo__sockaddr *)a->edo__sa;
}

/* AF_*, AF_UNSPEC for none. */
static inline int edo__address_af(const edo_address *a)
{
    return a->edo__len == 0 ? AF_UNSPEC : edo__address_of(a)->sa.sa_family;
}

/* The kernel has written len bytes into it, of which no more than there is room for. */
void edo__address_written(edo_address *a, socklen_t len);

typedef struct edo__endpoint {
    char host[EDO__HOST_MAX + 1]; /* without brackets; "" when there is none */
    uint16_t port;
    bool bracketed; /* must be an IPv6 address */
} edo__endpoint;

/* 0 or -EINVAL. */
int edo__endpoint_parse(edo__endpoint *out, const char *text);
/* Makes an address of a numeric host. False: it is a name. */
bool edo__address_numeric(edo_address *out, const char *host, uint16_t port);

#endif
