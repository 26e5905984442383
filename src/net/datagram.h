/* SPDX-License-Identifier: MIT */
/* Datagram sockets: what one is, and its system calls. Those that may say -EAGAIN have the form of
 * edo__attempt.call. */
#ifndef EDO_NET_DATAGRAM_H
#define EDO_NET_DATAGRAM_H

#include "io/desc.h"
#include "net/address.h"

#include <edo/udp.h>

struct edo_udp {
    edo__desc desc; /* first member: the calls find the rest by it */
    const edo__backend *backend;
    uint32_t users;          /* atomic: calls that may suspend; for the assertion only */
    struct edo__file *file;  /* of a Unix socket, removed when it is closed; or NULL */
    uint16_t family;         /* AF_* */
    bool errors, local, gro; /* as in edo_udp_options */
};

edo_udp *edo__udp_alloc(void); /* NULL: no memory; free(3) undoes it */
/* fd: non-blocking, the socket's on success. */
int edo__udp_open(edo_udp *u, int fd, int family);

typedef struct edo__dgram_recv {
    void *buf;
    size_t n;
    edo_address *from; /* NULL: not wanted */
    int flags;         /* MSG_* */
} edo__dgram_recv;

typedef struct edo__dgram_send {
    const void *data;
    size_t n;
    const edo_address *to; /* NULL: the peer */
} edo__dgram_send;

typedef struct edo__dgram_many {
    edo_datagram *list;
    int count;
} edo__dgram_many;

ssize_t edo__dgram_recv_call(const edo__desc *d, void *arg);      /* edo__dgram_recv */
ssize_t edo__dgram_send_call(const edo__desc *d, void *arg);      /* edo__dgram_send */
ssize_t edo__dgram_recv_many_call(const edo__desc *d, void *arg); /* edo__dgram_many */
ssize_t edo__dgram_send_many_call(const edo__desc *d, void *arg); /* edo__dgram_many */

/* Switches on what is told beside each datagram: errors, local, gro. */
int edo__dgram_tell(int fd, int family, const edo_udp_options *o);
int edo__dgram_connect(int fd, const edo_address *peer); /* NULL: nobody */

#endif
