/* SPDX-License-Identifier: MIT */
/* What whoever opens an edo__desc says about the descriptor: flags that no backend has to ask the
 * kernel for. */
#ifndef EDO_IO_DESC_H
#define EDO_IO_DESC_H

enum {
    EDO__DESC_SOCKET = 1, /* send(2) and recv(2) work on it: no SIGPIPE */
    /* A short transfer means that nothing more can be transferred for now, so the next try would
     * fail. True for TCP; not for terminals, packet pipes and unix sockets, which stop at
     * borders. */
    EDO__DESC_TCP = 2,
};

#endif
