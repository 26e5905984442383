/* SPDX-License-Identifier: MIT */
/* The system calls of sockets, returning -errno. Never inlined: an address of errno that was
 * computed before a suspension may be another thread's after it. */
#ifndef EDO_NET_SOCKET_H
#define EDO_NET_SOCKET_H

#include "net/address.h"

#include <edo/net.h>

/* A non-blocking socket; type: SOCK_*. */
int edo__socket_open(int family, int type);
int edo__socket_bind(int fd, const edo_address *at);
int edo__socket_listen(int fd, int backlog);
/* The error is the caller's to report: the socket is closed either way. */
void edo__socket_close(int fd);

/* A socket with the options set that it has before it is bound or connected. */
int edo__tcp_open(int family, const edo_tcp_options *o, bool listening);
/* Binds and listens. */
int edo__tcp_listen(int fd, const edo_address *at, const edo_tcp_options *o);
/* SO_BINDTODEVICE and SO_MARK, of sockets of every kind; NULL and 0: not. */
int edo__socket_route(int fd, const char *device, uint32_t mark);

/* "1.2.3.4:80 - 5.6.7.8:4711", the peer left out when there is none; false: it is no socket. */
bool edo__socket_describe(int fd, char *buf, size_t cap);

#endif
