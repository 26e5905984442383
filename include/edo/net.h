/* SPDX-License-Identifier: MIT */
/* Edo: TCP. */
#ifndef EDO_NET_H
#define EDO_NET_H

#include <edo/base.h>
#include <edo/io.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_listener edo_listener;

/* Zero means the default; a NULL pointer means all defaults. */
typedef struct edo_tcp_options {
    bool delay;     /* leave Nagle's algorithm on; default: off (TCP_NODELAY)          */
    bool reuseport; /* several listeners on one port (SO_REUSEPORT)                    */
    int backlog;    /* connections waiting for accept; 0: the system's maximum         */
    int sndbuf;     /* bytes; 0: the system's choice                                   */
    int rcvbuf;     /* bytes; 0: the system's choice                                   */
} edo_tcp_options;

/* edo_tcp_connect - connects to "host:port", "1.2.3.4:80" or "[::1]:80".
 *
 * Names are resolved on the blocking pool (dns class); the addresses are tried one after another.
 * Returns 0; -ECANCELED; -EINVAL (no port, bad address); EDO_EHOST (name not found); -ECONNREFUSED
 * and other -errno of connect(2), of the last address tried; -ENOMEM.
 *
 *     edo_stream *s;
 *     rc = edo_tcp_connect(&s, "localhost:8080", NULL);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_connect(edo_stream **out, const char *address,
                                   const edo_tcp_options *options);

/* edo_tcp_listen - listens on "127.0.0.1:0", "[::]:8080" or ":8080" (every address). Port 0: any
 * free one, see edo_listener_port(). SO_REUSEADDR is set.
 * Returns 0, -EINVAL, EDO_EHOST, -EADDRINUSE, -EACCES and other -errno of bind(2), -ENOMEM.
 *
 * Suspends: maybe (a host name is resolved)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tcp_listen(edo_listener **out, const char *address,
                                  const edo_tcp_options *options);

/* edo_accept - waits for a connection.
 * @out: the connection, closed with edo_close().
 * Returns 0; -ECANCELED; -EMFILE, -ENFILE, -ENOMEM and other -errno (worth another try after a
 * pause; the connection stays in the queue).
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; several may accept at a time */
EDO_MUST_CHECK int edo_accept(edo_listener *l, edo_stream **out);

/* edo_listener_port - the port it listens on.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint16_t edo_listener_port(const edo_listener *l);

/* edo_listener_close - closes and frees it. Nobody may be accepting. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_listener_close(edo_listener *l);

#ifdef __cplusplus
}
#endif
#endif
