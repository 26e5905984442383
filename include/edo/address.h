/* SPDX-License-Identifier: MIT */
/* Edo: network addresses, of IPv4, IPv6 and Unix sockets, as values and as text. No names of hosts
 * here: those are looked up by edo_lookup() in <edo/net.h>. */
#ifndef EDO_ADDRESS_H
#define EDO_ADDRESS_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_family {
    EDO_FAMILY_NONE, /* no address, or of a kind that is not known here */
    EDO_FAMILY_IPV4,
    EDO_FAMILY_IPV6,
    EDO_FAMILY_UNIX,
} edo_family;

/* An address with its port. A value: copied by assignment, all zeros for none. Inside is a struct
 * sockaddr, see edo_address_sockaddr(). */
typedef struct edo_address {
    uint32_t edo__len; /* the library's, and so is what follows */
    uint32_t edo__unused;
    uint64_t edo__sa[14];
} edo_address;

#define EDO_ADDRESS_TEXT 128 /* bytes that are enough for every address as text */

/* edo_address_parse - reads "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", ":80" (every address of
 * IPv6 and IPv4), or what a Unix socket is called: "/run/x.socket", "./x", "@name" (abstract).
 * @out: is set only on success.
 * Returns 0 or -EINVAL.
 *
 *     edo_address a;
 *     rc = edo_address_parse(&a, "127.0.0.1:8080");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_address_parse(edo_address *out, const char *text);

/* edo_address_from_host - an address of "1.2.3.4" or "::1" (no brackets) and a port.
 * edo_address_from_bytes - of 4 or 16 bytes in network order and a port.
 * edo_address_from_path - of a Unix socket; a path that begins with '@' is an abstract name, which is
 * in no directory.
 * edo_address_from_sockaddr - of a struct sockaddr of len bytes.
 * @out: is set only on success.
 * Returns 0, -EINVAL, -ENAMETOOLONG (a path of more than 107 bytes), or -EAFNOSUPPORT.
 *
 *     edo_address local;
 *     rc = edo_address_from_host(&local, "::1", 53);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_address_from_host(edo_address *out, const char *host, uint16_t port);
EDO_MUST_CHECK int edo_address_from_bytes(edo_address *out, const void *bytes, size_t n,
                                          uint16_t port);
EDO_MUST_CHECK int edo_address_from_path(edo_address *out, const char *path);
EDO_MUST_CHECK int edo_address_from_sockaddr(edo_address *out, const void *sockaddr, size_t len);

/* edo_address_format - the address as text, in the form that edo_address_parse() reads; "-" for none.
 * @buf, @size: for the text, terminated; EDO_ADDRESS_TEXT bytes are always enough.
 * Returns buf.
 *
 *     char peer[EDO_ADDRESS_TEXT];
 *     printf("from %s\n", edo_address_format(&from, peer, sizeof peer));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
char *edo_address_format(const edo_address *a, char *buf, size_t size);

/* edo_address_family - what kind of address it is.
 * edo_address_port - its port; 0 for a Unix socket.
 * edo_address_bytes - copies its 4 or 16 bytes, in network order, to out; returns how many, 0 when it
 * has none.
 * edo_address_path - the path of a Unix socket, terminated; NULL when it has none.
 * edo_address_sockaddr - the struct sockaddr inside; sets *len to its size.
 *
 *     if (edo_address_family(&from) == EDO_FAMILY_IPV6 && edo_address_port(&from) < 1024)
 *         printf("a privileged port\n");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_family edo_address_family(const edo_address *a);
uint16_t edo_address_port(const edo_address *a);
size_t edo_address_bytes(const edo_address *a, void *out);
const char *edo_address_path(const edo_address *a);
const void *edo_address_sockaddr(const edo_address *a, size_t *len);

/* edo_address_set_port - changes the port; nothing happens to a Unix address.
 * edo_address_unmap - makes ::ffff:1.2.3.4, as which a socket of both families sees an IPv4 peer, the
 * address 1.2.3.4 that it means. Others stay as they are.
 *
 *     edo_address_unmap(&from);
 *     edo_address_set_port(&from, 4000);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, one at a time */
void edo_address_set_port(edo_address *a, uint16_t port);
void edo_address_unmap(edo_address *a);

/* edo_address_equal - the same address and port (and the same interface, of fe80::/10).
 * edo_address_is_any - 0.0.0.0 or ::, which stands for every address of this host.
 * edo_address_is_loopback - 127.0.0.0/8, ::1, or a Unix socket.
 * edo_address_is_multicast - 224.0.0.0/4 or ff00::/8.
 *
 *     if (!edo_address_is_loopback(&from))
 *         printf("from outside\n");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_address_equal(const edo_address *a, const edo_address *b);
bool edo_address_is_any(const edo_address *a);
bool edo_address_is_loopback(const edo_address *a);
bool edo_address_is_multicast(const edo_address *a);

#ifdef __cplusplus
}
#endif
#endif
