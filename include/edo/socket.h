/* SPDX-License-Identifier: MIT */
/* Edo: options and addresses of open sockets, whatever they are: streams, listeners, datagram sockets,
 * or descriptors of your own. */
#ifndef EDO_SOCKET_H
#define EDO_SOCKET_H

#include <edo/address.h>
#include <edo/base.h>
#include <edo/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What can be set or asked. Durations are nanoseconds, rounded up to what the kernel counts in
 * (seconds unless it says otherwise). */
typedef enum edo_socket_option {
    EDO_SOCKET_SNDBUF =
        1, /* bytes; the kernel doubles what is set, and that is what one gets     */
    EDO_SOCKET_RCVBUF,
    EDO_SOCKET_REUSEADDR, /* 0 or 1 */
    EDO_SOCKET_REUSEPORT,
    EDO_SOCKET_KEEPALIVE,      /* TCP: probe a peer that says nothing                           */
    EDO_SOCKET_KEEPALIVE_IDLE, /* for how long it may say nothing before the first probe       */
    EDO_SOCKET_KEEPALIVE_INTERVAL, /* from one probe to the next                                   */
    EDO_SOCKET_KEEPALIVE_COUNT,    /* probes without an answer that end the connection            */
    EDO_SOCKET_LINGER,         /* see edo_tcp_options; 0: off                                  */
    EDO_SOCKET_NODELAY,        /* TCP: Nagle's algorithm off                                   */
    EDO_SOCKET_QUICKACK,       /* TCP: acknowledge at once; the kernel falls back by itself    */
    EDO_SOCKET_CORK,           /* TCP: send full segments only, until this is taken back       */
    EDO_SOCKET_USER_TIMEOUT,   /* TCP: sent and not acknowledged for so long ends it (ms)      */
    EDO_SOCKET_NOTSENT_LOWAT,  /* TCP: bytes that may wait in the kernel without being sent    */
    EDO_SOCKET_DEFER_ACCEPT,   /* TCP, listening: until data has come, at most so long         */
    EDO_SOCKET_FASTOPEN,       /* TCP, listening: how many connections may be half open        */
    EDO_SOCKET_MSS,            /* TCP: bytes of a segment                                      */
    EDO_SOCKET_TTL,            /* of unicast packets; IPv6 calls it hop limit                  */
    EDO_SOCKET_DSCP,           /* class of service, 0 to 63                                    */
    EDO_SOCKET_PRIORITY,       /* SO_PRIORITY, 0 to 6                                          */
    EDO_SOCKET_MARK,           /* SO_MARK, for routing and filters; needs CAP_NET_ADMIN        */
    EDO_SOCKET_V6ONLY,         /* not changed once it is bound                                 */
    EDO_SOCKET_BROADCAST,      /* UDP: sending to broadcast addresses is allowed               */
    EDO_SOCKET_MULTICAST_TTL,  /* UDP: how far what is sent to a group goes; 1: the local net  */
    EDO_SOCKET_MULTICAST_LOOP, /* UDP: what is sent to a group is also received here           */
    EDO_SOCKET_MULTICAST_INTERFACE, /* UDP: index of the interface it is sent through; 0: routing.
                                       IPv4: set only                                              */
    EDO_SOCKET_ERROR,  /* asked only: the pending error, a positive errno, and clears it */
    EDO_SOCKET_UNREAD, /* asked only: bytes that can be read; UDP: of the next datagram */
    EDO_SOCKET_UNSENT, /* asked only: bytes that are not sent, or not acknowledged    */
} edo_socket_option;

/* edo_socket_set - sets an option of a socket.
 * edo_socket_get - what it is now, 0 or more (EDO_SOCKET_LINGER: or EDO_LINGER_RESET).
 * @fd: edo_stream_fd(), edo_listener_fd(), edo_udp_fd(), or any other.
 * @out: is set only on success.
 * Return 0; -EINVAL (no such option, or value); -ENOPROTOOPT, -EOPNOTSUPP (none of this kind of
 * socket); -EBADF; -ENOTSOCK; -EPERM; or other -errno of setsockopt(2).
 *
 *     int64_t rcvbuf;
 *     rc = edo_socket_set(edo_stream_fd(s), EDO_SOCKET_NODELAY, 1);
 *     rc = edo_socket_get(edo_stream_fd(s), EDO_SOCKET_RCVBUF, &rcvbuf);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_socket_set(int fd, edo_socket_option option, int64_t value);
EDO_MUST_CHECK int edo_socket_get(int fd, edo_socket_option option, int64_t *out);

/* edo_socket_local - the address that a socket is bound to.
 * edo_socket_peer - the address that it is connected to.
 * @fd: as of edo_socket_set().
 * @out: is set only on success. A Unix socket without a name has an address with no path.
 * Return 0; -ENOTCONN; -EBADF; -ENOTSOCK; -EAFNOSUPPORT.
 *
 *     edo_address peer;
 *     rc = edo_socket_peer(edo_stream_fd(s), &peer);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_socket_local(int fd, edo_address *out);
EDO_MUST_CHECK int edo_socket_peer(int fd, edo_address *out);

/* Of EDO_SOCKET_LINGER and the options' linger: closing throws away what has not been sent and
 * resets the connection. */
#define EDO_LINGER_RESET (-1)

#ifdef __cplusplus
}
#endif
#endif
