/* SPDX-License-Identifier: MIT */
/* Edo: datagrams, of UDP and of Unix sockets (which <edo/unix.h> opens).
 *
 * A datagram is sent whole or not at all, so any number of tasks may send and receive on one socket at
 * a time, and a cancelled call has neither sent nor taken one. */
#ifndef EDO_UDP_H
#define EDO_UDP_H

#include <edo/address.h>
#include <edo/base.h>
#include <edo/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_udp edo_udp;

/* Zero means the default; a NULL pointer means all defaults. More options: edo_socket_set(). */
typedef struct edo_udp_options {
    bool reuseport; /* several sockets on one port: each peer always meets the same one        */
    bool reuseaddr; /* several sockets on one port: for multicast, each gets every datagram    */
    bool v6only;    /* [::] is not for IPv4 as well                                            */
    bool broadcast; /* sending to broadcast addresses is allowed                               */
    bool gro;       /* datagrams that belong together are received as one, see edo_datagram    */
    bool local;     /* tells for each datagram to which address it was sent, see edo_datagram  */
    bool
        errors; /* receiving tells what became of datagrams sent earlier: see edo_udp_recv_from() */
    int sndbuf; /* bytes; 0: the system's choice                                           */
    int rcvbuf; /* bytes; 0: the system's choice                                           */
    int ttl;    /* of unicast; 0: the system's choice                                      */
    int dscp;   /* class of service, 1 to 63                                               */
    uint32_t mark; /* SO_MARK                                                                 */
    const char *device; /* through this interface only (SO_BINDTODEVICE)                       */
    const char *from;   /* edo_udp_connect(): from this address, "192.0.2.1:0" for instance    */
} edo_udp_options;

/* edo_udp_bind - a socket that receives what is sent to "127.0.0.1:0", "[::]:5353" or ":5353" (every
 * address). Port 0: any free one, see edo_udp_port().
 * @out: closed with edo_udp_close().
 * Returns 0; -ECANCELED; -EINVAL; EDO_EHOST; -EADDRINUSE, -EACCES and other -errno of bind(2);
 * -ENOMEM.
 *
 *     edo_udp *u;
 *     rc = edo_udp_bind(&u, "127.0.0.1:0", NULL);
 *
 * Suspends: maybe (a host name is resolved)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_bind(edo_udp **out, const char *address, const edo_udp_options *options);

/* edo_udp_connect - a socket for one peer, "host:port": it sends to that, receives from nobody else,
 * and is told when nobody is there (-ECONNREFUSED from the next send or receive). Nothing is sent.
 * @out: closed with edo_udp_close().
 * Returns 0; -ECANCELED; -EINVAL; EDO_EHOST; -ENETUNREACH and other -errno of connect(2); -ENOMEM.
 *
 *     edo_udp *u;
 *     rc = edo_udp_connect(&u, "127.0.0.1:5353", NULL);
 *
 * Suspends: maybe (a host name is resolved)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_connect(edo_udp **out, const char *address,
                                   const edo_udp_options *options);

/* edo_udp_connect_to - sets the one peer of an open socket.
 * @peer: NULL: none any more.
 * Returns 0 or -errno of connect(2).
 *
 *     edo_address peer;
 *     rc = edo_address_parse(&peer, "127.0.0.1:5353");
 *     rc = edo_udp_connect_to(u, &peer);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_connect_to(edo_udp *u, const edo_address *peer);

/* edo_udp_from_fd - makes one of a datagram socket that was made elsewhere.
 * @out: owns fd from then on; @fd: is set to non-blocking.
 * Returns 0; -EBADF, -ENOTSOCK; -EINVAL: it is for something else; or -ENOMEM. On failure fd stays the
 * caller's.
 *
 *     rc = edo_udp_from_fd(&u, inherited);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_from_fd(edo_udp **out, int fd);

/* edo_udp_close - closes and frees it. Nobody else may be using it. NULL is allowed.
 * edo_udp_fd - the descriptor below, for edo_socket_set() and the like. It stays the socket's.
 * edo_udp_port - the local port.
 *
 *     rc = edo_socket_set(edo_udp_fd(u), EDO_SOCKET_MULTICAST_TTL, 4);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_udp_close(edo_udp *u);
int edo_udp_fd(const edo_udp *u);
uint16_t edo_udp_port(const edo_udp *u);

/* edo_udp_send - sends a datagram to the peer.
 * edo_udp_send_to - sends it to an address.
 * @data, @n: may be empty.
 * @to: NULL: the peer.
 * Returns n; -ECANCELED: it was not sent; -EMSGSIZE: it is too large; -EDESTADDRREQ: there is no
 * peer; -ECONNREFUSED and the like: of an earlier one, and this one was not sent; or other -errno of
 * sendto(2). That it was sent does not mean that it arrives.
 *
 *     ssize_t n = edo_udp_send_to(u, "hello", 5, &to);
 *
 * Suspends: maybe (while the system has no room for it)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_udp_send(edo_udp *u, const void *data, size_t n);
EDO_MUST_CHECK ssize_t edo_udp_send_to(edo_udp *u, const void *data, size_t n,
                                       const edo_address *to);

/* edo_udp_recv - waits for a datagram.
 * edo_udp_recv_from - and says whose it is.
 * @buf, @n: room for n bytes.
 * @from: the sender; NULL: not wanted.
 * Returns its length, which is more than n when it did not fit: then n bytes are in buf and the rest
 * is lost. 0 is an empty datagram. -ECANCELED: none was taken. -ECONNREFUSED, -EHOSTUNREACH and the
 * like: what became of a datagram sent earlier, of a connected socket or with the option `errors`,
 * where *from is then the address to which it had been sent. Or other -errno of recvfrom(2).
 *
 *     edo_address from;
 *     ssize_t n = edo_udp_recv_from(u, buf, sizeof buf, &from);
 *     if (n > (ssize_t)sizeof buf)
 *         n = sizeof buf;             // cut off
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_udp_recv(edo_udp *u, void *buf, size_t n);
EDO_MUST_CHECK ssize_t edo_udp_recv_from(edo_udp *u, void *buf, size_t n, edo_address *from);

/* edo_udp_peek_from - edo_udp_recv_from() that leaves the datagram there for the next call.
 *
 *     ssize_t n = edo_udp_peek_from(u, NULL, 0, NULL);   // how long is the next one?
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_udp_peek_from(edo_udp *u, void *buf, size_t n, edo_address *from);

/* One of several datagrams that are sent or received by one call. */
typedef struct edo_datagram {
    void *data;  /* what is sent, which is not changed, or room                               */
    size_t size; /* bytes of it                                                               */
    size_t len;  /* set when received: its length, more than size when it did not fit         */
    /* A packet of several datagrams of this many bytes each, the last one may be shorter: sent as
     * such in one go (GSO, Linux 4.18; at most edo_udp_segments_max() of them, and 64 KiB), or
     * received as such (option gro, Linux 5.0: give each 64 KiB of room). 0: it is a single one. */
    size_t segment;
    edo_address *address; /* to whom, or set: from whom; NULL: the peer, or not wanted         */
    edo_address *local;   /* from which address of this host it is sent, or set: to which one it
                             was sent (option local); of no port; NULL: whichever, or not wanted */
} edo_datagram;

/* edo_udp_send_many - sends several datagrams with few system calls.
 * @list, @count: 1 or more.
 * Returns how many were sent, at least 1, not all when the system has no room for more; or a code of
 * edo_udp_send_to() when the first could not be sent. -EINVAL, -EIO: kernel or device cannot send
 * segments.
 *
 *     edo_datagram list[] = { { .data = head, .size = 16, .address = &to },
 *                             { .data = body, .size = 64, .address = &to } };
 *     int sent = edo_udp_send_many(u, list, 2);
 *
 * Suspends: maybe (while there is no room for the first)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_send_many(edo_udp *u, const edo_datagram *list, int count);

/* edo_udp_recv_many - waits for a datagram, and takes as many more as there are.
 * @list, @count: 1 or more; len, segment and the addresses are set of those that were received.
 * Returns how many, at least 1; or a code of edo_udp_recv_from().
 *
 *     edo_datagram list[] = { { .data = head, .size = sizeof head, .address = &from },
 *                             { .data = body, .size = sizeof body } };
 *     int got = edo_udp_recv_many(u, list, 2);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_recv_many(edo_udp *u, edo_datagram *list, int count);

/* edo_udp_send_nowait - edo_udp_send_to() that does not wait.
 * edo_udp_recv_nowait - edo_udp_recv_from() that does not wait.
 * Return what those do, or -EAGAIN.
 *
 *     ssize_t n = edo_udp_recv_nowait(u, buf, sizeof buf, NULL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_udp_send_nowait(edo_udp *u, const void *data, size_t n,
                                           const edo_address *to);
EDO_MUST_CHECK ssize_t edo_udp_recv_nowait(edo_udp *u, void *buf, size_t n, edo_address *from);

/* edo_udp_segments_max - how many datagrams the kernel takes as segments of one; 1: it cannot.
 *
 *     int at_once = edo_udp_segments_max(u);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_udp_segments_max(const edo_udp *u);

/* edo_udp_join - receives what is sent to a multicast group.
 * edo_udp_leave - not any more.
 * edo_udp_join_source - receives what one source sends to the group (SSM).
 * edo_udp_leave_source - not any more.
 * @group, @source: their ports do not matter; the socket is bound to the group's port.
 * @interface: its name, "eth0"; NULL: what routing says.
 * Return 0; -EINVAL (no multicast group); -ENODEV; -EADDRINUSE: joined already; -EADDRNOTAVAIL (or
 * -EINVAL): not joined; -ENOBUFS: too many.
 *
 *     edo_address group;
 *     rc = edo_address_parse(&group, "224.0.0.251:5353");
 *     rc = edo_udp_join(u, &group, "lo");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_udp_join(edo_udp *u, const edo_address *group, const char *interface);
EDO_MUST_CHECK int edo_udp_leave(edo_udp *u, const edo_address *group, const char *interface);
EDO_MUST_CHECK int edo_udp_join_source(edo_udp *u, const edo_address *group,
                                       const edo_address *source, const char *interface);
EDO_MUST_CHECK int edo_udp_leave_source(edo_udp *u, const edo_address *group,
                                        const edo_address *source, const char *interface);

#ifdef __cplusplus
}
#endif
#endif
