/* SPDX-License-Identifier: MIT */
#ifndef EDO_NET_RESOLVE_H
#define EDO_NET_RESOLVE_H

#include "net/address.h"

/* The addresses of a name, with the port filled in: how many, at most EDO__ADDRESSES_MAX;
 * EDO_EHOST,
 * -ECANCELED, -ENOMEM, -EAGAIN (no thread). Suspends; a foreign thread blocks. */
int edo__resolve(edo__address *out, const char *host, uint16_t port);

#endif
