/* SPDX-License-Identifier: MIT */
/* Connecting to whichever of several addresses answers first. */
#ifndef EDO_NET_RACE_H
#define EDO_NET_RACE_H

#include "net/address.h"

#include <edo/net.h>

/* A connected socket, or a negative code; no other socket is left. Suspends; a checkpoint. */
int edo__connect_first(const edo_address *to, int count, const edo_tcp_options *o);
/* Whether a connected socket is connected to itself: a port of this host that nobody listens at may
 * be the very one that connect(2) chose to come from. */
bool edo__connected_to_itself(int fd, const edo_address *to);

#endif
