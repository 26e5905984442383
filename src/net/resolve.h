/* SPDX-License-Identifier: MIT */
#ifndef EDO_NET_RESOLVE_H
#define EDO_NET_RESOLVE_H

#include "net/address.h"

/* The addresses of a name, with the port filled in: how many, at most EDO__ADDRESSES_MAX;
 * EDO_EHOST,
 * -ECANCELED, -ENOMEM, -EAGAIN (no thread). Suspends; a foreign thread blocks. */
int edo__resolve(edo_address *out, const char *host, uint16_t port);

/* What "host:port" stands for, in memory that the caller frees: how many, or a negative code.
 * may_be_any: ":port" is every address. Suspends where a name is looked up. */
int edo__addresses_of(const char *text, bool may_be_any, edo_address **list);

#endif
