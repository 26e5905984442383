/* SPDX-License-Identifier: MIT */
/* Edo: Unix sockets: connections, datagrams, descriptors that travel over them, and who is on the
 * other side. Connections are streams like any other, listeners are used by <edo/net.h>, datagram
 * sockets by <edo/udp.h>.
 *
 * A path that begins with '@' is an abstract name: it is in no directory and has no owner, so every
 * user of the host (of its network namespace) can connect. Paths have at most 107 bytes. */
#ifndef EDO_UNIX_H
#define EDO_UNIX_H

#include <edo/base.h>
#include <edo/io.h>
#include <edo/net.h>
#include <edo/udp.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDO_UNIX_FDS_MAX 253 /* descriptors in one message (SCM_MAX_FD) */

/* Zero means the default; a NULL pointer means all defaults. */
typedef struct edo_unix_options {
    int backlog;   /* connections waiting for accept; 0: the system's maximum                 */
    unsigned mode; /* who may connect, 0600 for instance; 0: what the umask leaves            */
    bool replace;  /* a socket of that path that nobody listens at any more is removed; another
                     one's, and a file that is no socket, never is                           */
    int sndbuf;    /* bytes; 0: the system's choice                                           */
    int rcvbuf;    /* bytes; 0: the system's choice                                           */
} edo_unix_options;

/* edo_unix_connect - connects to a socket by its path.
 * @out: the connection, closed with edo_close().
 * Returns 0; -ECANCELED; -ENOENT; -ECONNREFUSED: nobody listens; -EACCES; -EPROTOTYPE: it is for
 * datagrams; -ENAMETOOLONG; -ENOMEM; or other -errno of connect(2). While the listener's queue is full
 * it waits.
 *
 *     rc = edo_unix_connect(&s, "./service.socket");
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_unix_connect(edo_stream **out, const char *path);

/* edo_unix_listen - listens at a path. edo_listener_close() removes the file, if it is still this one.
 * @out: for edo_accept().
 * Returns 0; -ECANCELED; -EADDRINUSE: the path is taken (with `replace`: by one that is alive, or by no
 * socket); -ENOENT, -EACCES and other -errno of bind(2); -ENAMETOOLONG; -ENOMEM.
 *
 *     rc = edo_unix_listen(&l, "./service.socket",
 *                          &(edo_unix_options){ .mode = 0660, .replace = true });
 *
 * Suspends: maybe (`replace`, while another process does the same)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_unix_listen(edo_listener **out, const char *path,
                                   const edo_unix_options *options);

/* edo_unix_pair - two streams that are connected to each other, with descriptors below: to be given to
 * another process, or to a library. Within one process edo_duplex() is faster.
 * Returns 0, -EMFILE, -ENFILE, or -ENOMEM.
 *
 *     rc = edo_unix_pair(&a, &b);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_unix_pair(edo_stream **a, edo_stream **b);

/* edo_unix_datagram - a datagram socket.
 * @path: what others send to; NULL: none, for who only sends or is answered by nobody. Its file is
 *   removed by edo_udp_close(), if it is still this one.
 * Returns 0; -ECANCELED; and what edo_unix_listen() does.
 * edo_unix_datagram_pair - two that are connected to each other: messages keep their borders, and none
 * is lost: a sender waits for room.
 * Returns 0, -EMFILE, -ENFILE, or -ENOMEM.
 *
 *     edo_udp *u, *v;
 *     rc = edo_unix_datagram(&u, "@status", NULL);
 *     rc = edo_unix_datagram_pair(&u, &v);
 *
 * Suspends: maybe (edo_unix_datagram(), as edo_unix_listen())
 * Cancel:   checkpoint (edo_unix_datagram())
 * Threads:  any */
EDO_MUST_CHECK int edo_unix_datagram(edo_udp **out, const char *path,
                                     const edo_unix_options *options);
EDO_MUST_CHECK int edo_unix_datagram_pair(edo_udp **a, edo_udp **b);

/* edo_unix_send_fds - edo_write() with descriptors, which go with the first byte.
 * @n: 1 or more.
 * @fds, @count: up to EDO_UNIX_FDS_MAX of them; they stay open here and the caller's.
 * Returns n; -EINVAL; -EBADF; -ETOOMANYREFS: too many are on their way; -EOPNOTSUPP: it is no Unix
 * socket; or the codes of edo_write().
 *
 *     rc = edo_unix_send_fds(s, "take", 4, &fd, 1);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK ssize_t edo_unix_send_fds(edo_stream *s, const void *data, size_t n, const int *fds,
                                         size_t count);

/* edo_unix_recv_fds - edo_read() that takes the descriptors that come with the bytes. (edo_read() lets
 * the kernel close them.)
 * @fds, @room: for descriptors, which are the caller's then, and close-on-exec.
 * @count: set to how many have come, which is more than room when there was none for all: the rest are
 *   closed. On failure it is 0.
 * Returns the number of bytes, 0 at the end of the stream; -EOPNOTSUPP: it is no Unix socket; -EMFILE:
 * this process may not have so many descriptors: what came, and the bytes with it, is lost; or the
 * codes of edo_read().
 *
 *     int fds[4];
 *     size_t count;
 *     ssize_t n = edo_unix_recv_fds(s, buf, sizeof buf, fds, 4, &count);
 *
 * Suspends: maybe
 * Cancel:   checkpoint: nothing was taken
 * Threads:  any; one reader at a time */
EDO_MUST_CHECK ssize_t edo_unix_recv_fds(edo_stream *s, void *buf, size_t n, int *fds, size_t room,
                                         size_t *count);

/* Who it is, as of when the connection was made. */
typedef struct edo_unix_peer {
    pid_t pid; /* may be another process's by now */
    uid_t uid;
    gid_t gid;
} edo_unix_peer;

/* edo_unix_credentials - who is at the other end of a connection, as the kernel knows it.
 * @fd: edo_stream_fd() of a Unix connection.
 * Returns 0; -EBADF; -ENOTSOCK; -ENOTCONN, -EOPNOTSUPP: it is no connection of a Unix socket.
 *
 *     edo_unix_peer peer;
 *     rc = edo_unix_credentials(edo_stream_fd(s), &peer);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_unix_credentials(int fd, edo_unix_peer *out);

#ifdef __cplusplus
}
#endif
#endif
