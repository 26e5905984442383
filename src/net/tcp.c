/* SPDX-License-Identifier: MIT */
/* TCP: connecting, listening, accepting. */
#include "io/desc.h"
#include "io/stream.h"
#include "net/resolve.h"
#include "net/socket.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "core/wait.h"

#include <edo/net.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct edo_listener {
    const edo__backend *backend;
    edo__desc desc;
    uint32_t accepting; /* atomic: calls inside edo_accept(); for the assertion only */
    uint16_t port;
};

/* The addresses an endpoint stands for: how many, or a negative code. */
static int addresses_of(edo__address *out, const edo__endpoint *e)
{
    if (edo__address_numeric(&out[0], e->host, e->port))
        return 1;
    return edo__resolve(out, e->host, e->port);
}

static int connect_to(edo_stream **out, const edo__address *to, const edo_tcp_options *o)
{
    const edo__backend *backend = edo__backend_of(edo__self());
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    int fd = edo__socket_open(to->sa.sa_family, o);
    int rc = fd;
    if (rc < 0)
        goto no_socket;
    rc = edo__fd_stream_open(s, backend, fd, EDO__DESC_SOCKET | EDO__DESC_TCP);
    if (rc < 0)
        goto no_stream;
    rc = backend->connect(&s->desc, &to->sa, edo__address_len(to));
    if (rc < 0)
        goto no_connection;
    *out = &s->base;
    return 0;

no_connection:
    backend->desc_close(&s->desc);
no_stream:
    close(fd);
no_socket:
    free(s);
    return rc;
}

static const edo_tcp_options defaults;

/* The list of addresses is too large for a task's stack. */
static int with_addresses(const char *text, bool may_be_any, edo__address **list)
{
    edo__endpoint e;
    int rc = edo__endpoint_parse(&e, text);
    if (rc < 0)
        return rc;
    if (e.host[0] == '\0' && !may_be_any)
        return -EINVAL;
    edo__address *a = calloc(EDO__ADDRESSES_MAX, sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    if (e.host[0] != '\0') {
        rc = addresses_of(a, &e);
    } else { /* every address; the second for kernels without IPv6 */
        (void)edo__address_numeric(&a[0], "::", e.port);
        (void)edo__address_numeric(&a[1], "0.0.0.0", e.port);
        rc = 2;
    }
    if (rc < 0)
        free(a);
    else
        *list = a;
    return rc;
}

int edo_tcp_connect(edo_stream **out, const char *address, const edo_tcp_options *options)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo__address *list;
    int n = with_addresses(address, false, &list);
    if (n < 0)
        return n;
    rc = EDO_EHOST;
    for (int i = 0; i < n; i++) {
        rc = connect_to(out, &list[i], options != NULL ? options : &defaults);
        if (rc == 0 || rc == -ECANCELED)
            break;
    }
    free(list);
    return rc;
}

static int listen_at(edo_listener **out, const edo__address *at, const edo_tcp_options *o)
{
    edo_listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    l->backend = edo__backend_of(edo__self());
    l->desc.flags = EDO__DESC_SOCKET;
    int fd = edo__socket_open(at->sa.sa_family, o);
    int rc = fd < 0 ? fd : edo__socket_listen(fd, at, o);
    if (rc == 0)
        rc = edo__socket_port(fd, &l->port);
    if (rc == 0)
        rc = l->backend->desc_open(&l->desc, fd);
    if (rc == 0) {
        *out = l;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    free(l);
    return rc;
}

int edo_tcp_listen(edo_listener **out, const char *address, const edo_tcp_options *options)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo__address *list;
    int n = with_addresses(address, true, &list);
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

static int accept_stream(edo_listener *l, edo_stream **out)
{
    /* First, so that no connection is taken from the queue that cannot be given to the caller. */
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    int fd = l->backend->accept(&l->desc, NULL, NULL);
    int rc = fd;
    if (fd >= 0) {
        rc = edo__fd_stream_open(s, l->backend, fd, EDO__DESC_SOCKET | EDO__DESC_TCP);
        if (rc < 0)
            close(fd);
    }
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = &s->base;
    return 0;
}

int edo_accept(edo_listener *l, edo_stream **out)
{
    edo__aadd(&l->accepting, 1, EDO__RLX); /* finds misuse; orders nothing */
    int rc = accept_stream(l, out);
    edo__asub(&l->accepting, 1, EDO__RLX);
    return rc;
}

uint16_t edo_listener_port(const edo_listener *l)
{
    return l->port;
}

void edo_listener_close(edo_listener *l)
{
    if (l == NULL)
        return;
    edo_assert(edo__aload(&l->accepting, EDO__RLX) == 0);
    int fd = l->desc.fd;
    l->backend->desc_close(&l->desc);
    close(fd);
    free(l);
}
