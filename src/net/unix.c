/* SPDX-License-Identifier: MIT */
/* Unix sockets: connecting, listening, datagrams, pairs, and who is there. */
#include <edo/unix.h>

#include "core/wait.h"
#include "io/stream.h"
#include "io/sys.h"
#include "net/datagram.h"
#include "net/listener.h"
#include "net/socket.h"
#include "net/unix_file.h"

#include <edo/time.h>
#include <errno.h>
#include <stdlib.h>

#define EDO__NOINLINE __attribute__((noinline))
#define PAUSE_FIRST EDO_US(100) /* until the queue of a listener is looked at again ...          */
#define PAUSE_MOST EDO_MS(20)   /* ... growing: the kernel does not say when there is room       */

static const edo_unix_options defaults;

static int connect_waiting(int fd, const edo_address *to)
{
    for (int64_t pause = PAUSE_FIRST;; pause = pause < PAUSE_MOST / 2 ? pause * 2 : PAUSE_MOST) {
        int rc = edo__sys_connect(fd, &edo__address_of(to)->sa, to->edo__len);
        if (rc != -EAGAIN)
            return rc;
        rc = edo_sleep(pause);
        if (rc < 0)
            return rc;
    }
}

/* fd is the stream's on success, and closed if not. */
static int stream_over(edo__fd_stream *s, int fd)
{
    int rc = edo__fd_stream_open(s, edo__backend_of(edo__self()), fd, EDO__DESC_SOCKET);
    if (rc < 0)
        edo__socket_close(fd);
    return rc;
}

int edo_unix_connect(edo_stream **out, const char *path)
{
    edo_address to;
    int rc = edo__checkpoint(edo__self());
    if (rc == 0)
        rc = edo_address_from_path(&to, path);
    if (rc < 0)
        return rc;
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    int fd = edo__socket_open(AF_UNIX, SOCK_STREAM);
    rc = fd < 0 ? fd : connect_waiting(fd, &to);
    if (rc == 0)
        rc = stream_over(s, fd);
    else
        edo__socket_close(fd);
    if (rc < 0)
        free(s);
    else
        *out = &s->base;
    return rc;
}

static int set_buffers(int fd, const edo_unix_options *o)
{
    int rc = o->sndbuf > 0 ? edo_socket_set(fd, EDO_SOCKET_SNDBUF, o->sndbuf) : 0;
    return rc == 0 && o->rcvbuf > 0 ? edo_socket_set(fd, EDO_SOCKET_RCVBUF, o->rcvbuf) : rc;
}

/* A socket bound to the path, or a negative code; *file: what it left in a directory. */
static int open_bound(int type, const char *path, const edo_unix_options *o, edo__file **file)
{
    edo_address at;
    *file = NULL;
    int rc = edo_address_from_path(&at, path);
    if (rc < 0)
        return rc;
    int fd = edo__socket_open(AF_UNIX, type);
    if (fd < 0)
        return fd;
    rc = set_buffers(fd, o);
    if (rc == 0)
        rc = edo__file_bind(file, fd, &at, o);
    if (rc == 0)
        return fd;
    edo__socket_close(fd);
    return rc;
}

int edo_unix_listen(edo_listener **out, const char *path, const edo_unix_options *options)
{
    const edo_unix_options *o = options != NULL ? options : &defaults;
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_listener *l = edo__listener_alloc();
    if (l == NULL)
        return -ENOMEM;
    int fd = open_bound(SOCK_STREAM, path, o, &l->file);
    rc = fd < 0 ? fd : edo__socket_listen(fd, o->backlog);
    if (rc == 0)
        rc = edo__listener_open(l, fd);
    if (rc == 0) {
        *out = l;
        return 0;
    }
    edo__file_remove(l->file);
    edo__socket_close(fd);
    free(l);
    return rc;
}

int edo_unix_datagram(edo_udp **out, const char *path, const edo_unix_options *options)
{
    const edo_unix_options *o = options != NULL ? options : &defaults;
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_udp *u = edo__udp_alloc();
    if (u == NULL)
        return -ENOMEM;
    int fd = path != NULL ? open_bound(SOCK_DGRAM, path, o, &u->file)
                          : edo__socket_open(AF_UNIX, SOCK_DGRAM);
    rc = fd < 0 ? fd : 0;
    if (rc == 0 && path == NULL)
        rc = set_buffers(fd, o);
    if (rc == 0)
        rc = edo__udp_open(u, fd, AF_UNIX);
    if (rc == 0) {
        *out = u;
        return 0;
    }
    edo__file_remove(u->file);
    edo__socket_close(fd);
    free(u);
    return rc;
}

EDO__NOINLINE static int open_pair(int type, int fds[2])
{
    int rc = socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    return rc == 0 ? 0 : -errno;
}

int edo_unix_pair(edo_stream **a, edo_stream **b)
{
    edo__fd_stream *left = edo__fd_stream_alloc(), *right = edo__fd_stream_alloc();
    int fds[2] = { -1, -1 };
    int rc = left == NULL || right == NULL ? -ENOMEM : open_pair(SOCK_STREAM, fds);
    if (rc == 0) {
        rc = stream_over(left, fds[0]);
        if (rc == 0 && (rc = stream_over(right, fds[1])) < 0) {
            (void)edo_close(&left->base);
            left = NULL;
        } else if (rc < 0) {
            edo__socket_close(fds[1]);
        }
    }
    if (rc < 0) {
        free(left);
        free(right);
        return rc;
    }
    *a = &left->base;
    *b = &right->base;
    return 0;
}

int edo_unix_datagram_pair(edo_udp **a, edo_udp **b)
{
    edo_udp *left = edo__udp_alloc(), *right = edo__udp_alloc();
    int fds[2] = { -1, -1 };
    int rc = left == NULL || right == NULL ? -ENOMEM : open_pair(SOCK_DGRAM, fds);
    if (rc == 0)
        rc = edo__udp_open(left, fds[0], AF_UNIX);
    if (rc == 0 && (rc = edo__udp_open(right, fds[1], AF_UNIX)) < 0) {
        edo_udp_close(left);
        left = NULL;
        fds[0] = -1;
    }
    if (rc < 0) {
        edo__socket_close(fds[0]);
        edo__socket_close(fds[1]);
        free(left);
        free(right);
        return rc;
    }
    *a = left;
    *b = right;
    return 0;
}

EDO__NOINLINE static int ask(int fd, int name, void *out, socklen_t len)
{
    return getsockopt(fd, SOL_SOCKET, name, out, &len) == 0 ? 0 : -errno;
}

int edo_unix_credentials(int fd, edo_unix_peer *out)
{
    struct ucred peer = { .pid = 0 };
    int domain = 0;
    int rc = ask(fd, SO_DOMAIN, &domain, sizeof domain);
    if (rc == 0 && domain != AF_UNIX)
        rc = -EOPNOTSUPP;
    if (rc == 0)
        rc = ask(fd, SO_PEERCRED, &peer, sizeof peer);
    if (rc < 0)
        return rc;
    if (peer.uid == (uid_t)-1) /* there is nobody */
        return -ENOTCONN;
    *out = (edo_unix_peer){ .pid = peer.pid, .uid = peer.uid, .gid = peer.gid };
    return 0;
}
