/* SPDX-License-Identifier: MIT */
/* Addresses in text: "host:port", "1.2.3.4:80", "[::1]:80", ":80". No lookups here. */
#ifndef EDO_NET_ADDRESS_H
#define EDO_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define EDO__HOST_MAX 253     /* characters of a name (RFC 1035) */
#define EDO__ADDRESSES_MAX 16 /* of one name that are tried */

typedef union edo__address {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} edo__address;

typedef struct edo__endpoint {
    char host[EDO__HOST_MAX + 1]; /* without brackets; "" when there is none */
    uint16_t port;
    bool bracketed; /* must be an IPv6 address */
} edo__endpoint;

/* 0 or -EINVAL. */
int edo__endpoint_parse(edo__endpoint *out, const char *text);
/* Makes an address of a numeric host. False: it is a name. */
bool edo__address_numeric(edo__address *out, const char *host, uint16_t port);
socklen_t edo__address_len(const edo__address *a);
void edo__address_set_port(edo__address *a, uint16_t port);
uint16_t edo__address_port(const edo__address *a);

#endif
