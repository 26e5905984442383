/* SPDX-License-Identifier: MIT */
/* The system calls of TCP sockets, returning -errno. Never inlined: an address of errno that was
 * computed before a suspension may be another thread's after it. */
#ifndef EDO_NET_SOCKET_H
#define EDO_NET_SOCKET_H

#include "net/address.h"

#include <edo/net.h>

/* A non-blocking socket with the options set; accepted connections inherit them from the
 * listener. */
int edo__socket_open(int family, const edo_tcp_options *o);
int edo__socket_listen(int fd, const edo__address *at, const edo_tcp_options *o);
int edo__socket_port(int fd, uint16_t *port);
/* "1.2.3.4:80 - 5.6.7.8:4711", the peer left out when there is none; false: it is no IP socket. */
bool edo__socket_describe(int fd, char *buf, size_t cap);

#endif
