/* SPDX-License-Identifier: MIT */
/* What whoever opens an edo__desc says about the descriptor: flags that no backend has to ask the
 * kernel for. */
#ifndef EDO_IO_DESC_H
#define EDO_IO_DESC_H

#include "core/backend.h"
#include "core/task.h"

enum {
    EDO__DESC_SOCKET = 1, /* send(2) and recv(2) work on it: no SIGPIPE */
    /* A short transfer means that nothing more can be transferred for now, so the next try would
     * fail. True for TCP; not for terminals, packet pipes and unix sockets, which stop at
     * borders. */
    EDO__DESC_TCP = 2,
};

/* A system call that is made again each time the descriptor is ready, until it does not say
 * -EAGAIN. */
typedef struct edo__attempt {
    ssize_t (*call)(const edo__desc *d, void *arg); /* noinline: uses errno; never suspends */
    void *arg;
    unsigned events; /* EDO_READABLE or EDO_WRITABLE: what it waits for */
    edo__why why;
} edo__attempt;

#endif
