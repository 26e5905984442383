/* SPDX-License-Identifier: MIT */
/* A listening socket of whatever family. */
#ifndef EDO_NET_LISTENER_H
#define EDO_NET_LISTENER_H

#include "core/backend.h"
#include "net/address.h"

#include <edo/net.h>

struct edo_listener {
    const edo__backend *backend;
    edo__desc desc;
    uint32_t accepting; /* atomic: calls inside edo_accept(); for the assertion only */
    uint32_t accepted;  /* EDO__DESC_* of the connections */
    uint16_t port;
    struct edo__file *file; /* of a Unix socket, removed when it is closed; or NULL */
    bool quickack;          /* not inherited by connections */
};

/* In two steps, so that what can fail is done before there is a socket to lose. */
edo_listener *edo__listener_alloc(void); /* NULL: no memory; free(3) undoes it */
/* fd: listens, non-blocking, the listener's on success. */
int edo__listener_open(edo_listener *l, int fd);

#endif
