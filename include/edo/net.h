/* SPDX-License-Identifier: MIT */
/* Edo: TCP, listeners of every kind, and looking up names. Datagrams: <edo/udp.h>; Unix sockets:
 * <edo/unix.h>; options and addresses of an open socket: <edo/socket.h>. */
#ifndef EDO_NET_H
#define EDO_NET_H

#include <edo/address.h>
#include <edo/base.h>
#include <edo/io.h>
#include <edo/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_listener edo_listener;

/* Zero means the default; a NULL pointer means all defaults. Those that are accepted have the options
 * of their listener. Durations in nanoseconds; what they are rounded to and more options:
 * edo_socket_set(). */
typedef struct edo_tcp_options {
    bool delay;     /* leave Nagle's algorithm on; default: off (TCP_NODELAY)          */
    bool reuseport; /* several listeners on one port (SO_REUSEPORT)                    */
    int backlog;    /* connections waiting for accept; 0: the system's maximum         */
    int sndbuf;     /* bytes; 0: the system's choice                                   */
    int rcvbuf;     /* bytes; 0: the system's choice                                   */

    bool keepalive; /* probe a silent peer; on as well when one of the next three is set */
    bool quickack;  /* acknowledge at once                                             */
    bool fastopen;  /* data travels with the first packet, where both sides know of it: connecting
                       then succeeds before the peer has answered, and the first write may say
                       -ECONNREFUSED                                                   */
    bool v6only;    /* listening on [::] is not listening on IPv4 as well              */
    bool no_reuseaddr;          /* listening: not while old connections of the port linger */
    int keepalive_count;        /* probes without an answer until the connection is given up */
    int64_t keepalive_idle;     /* silence before the first probe                      */
    int64_t keepalive_interval; /* from one probe to the next                          */
    int64_t user_timeout;       /* given up when sent bytes are not acknowledged for so long */
    int64_t linger;             /* EDO_LINGER_RESET: closing resets the connection; a duration: the
                                   kernel holds the thread in edo_close() until all is sent, at most so
                                   long; 0: it is sent in the background              */
    int64_t defer_accept;       /* listening: not accepted before data has come, at most so long */
    int64_t attempt_delay;      /* connecting: until the next address is tried beside the ones
                                   before; 0: 250 ms                                   */
    int notsent_lowat;          /* bytes that may wait in the kernel without being sent   */
    int dscp;                   /* class of service, 1 to 63                           */
    uint32_t mark;              /* SO_MARK                                             */
    const char *local;          /* connecting: from this address, "192.0.2.1:0" for instance; of
                                   several addresses to connect to those of its family only */
    const char *device;         /* through this interface only (SO_BINDTODEVICE)       */
    const char *congestion;     /* algorithm by name (TCP_CONGESTION)                  */
} edo_tcp_options;

/* edo_tcp_connect - connects to "host:port", "1.2.3.4:80" or "[::1]:80".
 *
 * Names are resolved on the blocking pool (dns class). Of several addresses the first one is tried at
 * once, the next one when that has failed or not answered for 250 ms, families in turn, and so on
 * (RFC 8305, "happy eyeballs"); whichever answers first is the connection, the others are given up.
 * Returns 0; -ECANCELED; -EINVAL (no port, bad address or option); EDO_EHOST (name not found);
 * -ECONNREFUSED and other -errno of connect(2), of the first address that has failed (but not
 * -ENETUNREACH and its like where another one says more); -ENOMEM.
 *
 *     edo_stream *s;
 *     rc = edo_tcp_connect(&s, "localhost:8080", NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_connect(edo_stream **out, const char *address,
                                   const edo_tcp_options *options);

/* edo_tcp_connect_to - connects to one of several addresses, as edo_tcp_connect() does; they are tried
 * in the order given.
 * @to, @count: 1 to 16 addresses of IPv4 or IPv6 with ports.
 * Returns the codes of edo_tcp_connect(); -EAFNOSUPPORT.
 *
 *     edo_address a[16];
 *     edo_stream *s;
 *     int n = edo_lookup("localhost", edo_listener_port(l), a, 16);
 *     if (n > 0)
 *         rc = edo_tcp_connect_to(&s, a, n, NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_connect_to(edo_stream **out, const edo_address *to, int count,
                                      const edo_tcp_options *options);

/* edo_tcp_listen - listens on "127.0.0.1:0", "[::]:8080" or ":8080" (every address). Port 0: any
 * free one, see edo_listener_port(). SO_REUSEADDR is set.
 * Returns 0, -EINVAL, EDO_EHOST, -EADDRINUSE, -EACCES and other -errno of bind(2), -ENOMEM.
 *
 *     edo_listener *l;
 *     rc = edo_tcp_listen(&l, "127.0.0.1:0", NULL);
 *
 * Suspends: maybe (a host name is resolved)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_listen(edo_listener **out, const char *address,
                                  const edo_tcp_options *options);

/* edo_tcp_apply - sets options of an open connection: those that are not zero in `options`, and
 * Nagle's algorithm as `delay` says. What belongs to connecting or listening is ignored.
 * Returns 0, -EINVAL, or -errno of setsockopt(2); some may be set then and others not.
 *
 *     rc = edo_tcp_apply(s, &(edo_tcp_options){ .keepalive_idle = EDO_SEC(30) });
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_apply(edo_stream *s, const edo_tcp_options *options);

/* edo_accept - waits for a connection.
 * @out: the connection, closed with edo_close().
 * Returns 0; -ECANCELED; -EMFILE, -ENFILE, -ENOMEM and other -errno (worth another try after a
 * pause; the connection stays in the queue).
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; several may accept at a time */
EDO_MUST_CHECK int edo_accept(edo_listener *l, edo_stream **out);

/* edo_accept_from - edo_accept(), and says who it is.
 * @from: the peer's address; a Unix socket mostly has none.
 *
 *     edo_address from;
 *     rc = edo_accept_from(l, &s, &from);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; several may accept at a time */
EDO_MUST_CHECK int edo_accept_from(edo_listener *l, edo_stream **out, edo_address *from);

/* edo_listener_port - the port it listens on; 0 for a Unix socket.
 * edo_listener_fd - the descriptor below. It stays the listener's.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint16_t edo_listener_port(const edo_listener *l);
int edo_listener_fd(const edo_listener *l);

/* edo_listener_from_fd - makes a listener of a listening socket that was made elsewhere, TCP or Unix.
 * @out: owns fd from then on; @fd: is set to non-blocking.
 * Returns 0; -EBADF, -ENOTSOCK; -EINVAL: it does not listen; or -ENOMEM. On failure fd stays the
 * caller's.
 *
 *     rc = edo_listener_from_fd(&l, inherited);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_listener_from_fd(edo_listener **out, int fd);

/* edo_inherited_fd - takes a descriptor that was passed to this process when it was started, as
 * systemd does for socket activation (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES; sd_listen_fds(3)).
 * Each can be taken once.
 * @name: as in FileDescriptorName=; NULL: the next one, whatever it is called.
 * Returns the descriptor, now close-on-exec and the caller's; or -ENOENT.
 *
 *     int fd = edo_inherited_fd("web");
 *     rc = fd >= 0 ? edo_listener_from_fd(&l, fd) : edo_tcp_listen(&l, "127.0.0.1:0", NULL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_inherited_fd(const char *name);

/* edo_listener_close - closes and frees it. Nobody may be accepting. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_listener_close(edo_listener *l);

/* edo_lookup - the addresses of a host, as the system's resolver gives them (hosts file, DNS ...) on
 * the blocking pool (dns class), in the order in which they should be tried.
 * @host: a name, or an address as text, which is not looked up.
 * @port: goes into each address.
 * @out, @room: for the addresses; more than 16 are never given.
 * Returns how many there are in out, at least 1; -ECANCELED, at once, while the lookup ends on its
 * own; EDO_EHOST: no such host, or no answer; -EINVAL; -ENOMEM; -EAGAIN: no thread could be started.
 *
 *     edo_address a[8];
 *     int n = edo_lookup("localhost", 80, a, 8);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_lookup(const char *host, uint16_t port, edo_address *out, size_t room);

#ifdef __cplusplus
}
#endif
#endif
