/* SPDX-License-Identifier: MIT */
/* TCP: connecting and listening. */
#include "core/wait.h"
#include "io/desc.h"
#include "io/stream.h"
#include "net/listener.h"
#include "net/race.h"
#include "net/resolve.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>

static const edo_tcp_options defaults;

/* The only one there is: no race, and the stream's own way of waiting. */
static int connect_one(edo__fd_stream *s, const edo_address *to, const edo_tcp_options *o)
{
    const edo__backend *backend = edo__backend_of(edo__self());
    int fd = edo__tcp_open(edo__address_af(to), o, false);
    if (fd < 0)
        return fd;
    int rc = edo__fd_stream_open(s, backend, fd, EDO__DESC_SOCKET | EDO__DESC_TCP);
    if (rc < 0)
        goto no_stream;
    rc = backend->connect(&s->desc, &edo__address_of(to)->sa, to->edo__len);
    if (rc == 0 && edo__connected_to_itself(fd, to))
        rc = -ECONNREFUSED;
    if (rc == 0)
        return 0;
    backend->desc_close(&s->desc);
no_stream:
    edo__socket_close(fd);
    return rc;
}

static int connect_several(edo__fd_stream *s, const edo_address *to, int count,
                           const edo_tcp_options *o)
{
    int fd = edo__connect_first(to, count, o);
    if (fd < 0)
        return fd;
    int rc =
        edo__fd_stream_open(s, edo__backend_of(edo__self()), fd, EDO__DESC_SOCKET | EDO__DESC_TCP);
    if (rc < 0)
        edo__socket_close(fd);
    return rc;
}

int edo_tcp_connect_to(edo_stream **out, const edo_address *to, int count,
                       const edo_tcp_options *options)
{
    const edo_tcp_options *o = options != NULL ? options : &defaults;
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    if (count < 1 || count > EDO__ADDRESSES_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (edo__address_af(&to[i]) != AF_INET && edo__address_af(&to[i]) != AF_INET6)
            return -EAFNOSUPPORT;
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    rc = count == 1 ? connect_one(s, &to[0], o) : connect_several(s, to, count, o);
    if (rc < 0)
        free(s);
    else
        *out = &s->base;
    return rc;
}

int edo_tcp_connect(edo_stream **out, const char *address, const edo_tcp_options *options)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_address *list;
    int n = edo__addresses_of(address, false, &list);
    if (n < 0)
        return n;
    rc = edo_tcp_connect_to(out, list, n, options);
    free(list);
    return rc;
}

static int listen_at(edo_listener **out, const edo_address *at, const edo_tcp_options *o)
{
    edo_listener *l = edo__listener_alloc();
    if (l == NULL)
        return -ENOMEM;
    l->quickack = o->quickack;
    int fd = edo__tcp_open(edo__address_af(at), o, true);
    int rc = fd < 0 ? fd : edo__tcp_listen(fd, at, o);
    if (rc == 0)
        rc = edo__listener_open(l, fd);
    if (rc == 0) {
        *out = l;
        return 0;
    }
    edo__socket_close(fd);
    free(l);
    return rc;
}

int edo_tcp_listen(edo_listener **out, const char *address, const edo_tcp_options *options)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_address *list;
    int n = edo__addresses_of(address, true, &list);
    if (n < 0)
        return n;
    rc = EDO_EHOST;
    for (int i = 0; i < n; i++) {
        rc = listen_at(out, &list[i], options != NULL ? options : &defaults);
        if (rc == 0)
            break;
    }
    free(list);
    return rc;
}
