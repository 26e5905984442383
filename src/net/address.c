/* SPDX-License-Identifier: MIT */
/* Addresses: parsing and printing. Strict: what cannot be meant is refused and not guessed at. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static int parse_number(const char *text, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 10; n++)
        value = value > max ? value : value * 10 + (uint32_t)(text[n] - '0');
    if (n == 0 || text[n] != '\0' || value > max)
        return -EINVAL;
    *out = value;
    return 0;
}

int edo__endpoint_parse(edo__endpoint *out, const char *text)
{
    const char *host = text, *end;
    out->bracketed = text[0] == '[';
    if (out->bracketed) {
        host++;
        end = strchr(host, ']');
        if (end == NULL || end == host || end[1] != ':')
            return -EINVAL;
    } else {
        end = strchr(host, ':');
        if (end == NULL || strchr(end + 1, ':') != NULL) /* IPv6 without brackets is ambiguous */
            return -EINVAL;
    }
    size_t len = (size_t)(end - host);
    if (len > EDO__HOST_MAX)
        return -EINVAL;
    uint32_t port;
    if (parse_number(out->bracketed ? end + 2 : end + 1, UINT16_MAX, &port) < 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        if (host[i] <= ' ' ||
            host[i] == 127) /* control characters and blanks; UTF-8 is left alone */
            if ((unsigned char)host[i] < 128)
                return -EINVAL;
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    out->port = (uint16_t)port;
    edo_address probe;
    if (out->bracketed &&
        (!edo__address_numeric(&probe, out->host, 0) || edo__address_af(&probe) != AF_INET6))
        return -EINVAL;
    return 0;
}

/* fe80::1%eth0: the interface by name or number. */
static bool parse_v6(edo__sockaddr *out, const char *host)
{
    char address[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t len = percent != NULL ? (size_t)(percent - host) : strlen(host);
    if (len >= sizeof address)
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    if (inet_pton(AF_INET6, address, &out->v6.sin6_addr) != 1)
        return false;
    if (percent == NULL)
        return true;
    uint32_t scope;
    if (parse_number(percent + 1, UINT32_MAX - 1, &scope) < 0)
        scope = if_nametoindex(percent + 1);
    out->v6.sin6_scope_id = scope;
    return scope != 0;
}

static void set_family(edo_address *a, sa_family_t family, uint16_t port)
{
    edo__sockaddr *in = edo__address_in(a);
    in->sa.sa_family = family;
    a->edo__len = family == AF_INET ? sizeof in->v4 : sizeof in->v6;
    edo_address_set_port(a, port);
}

bool edo__address_numeric(edo_address *out, const char *host, uint16_t port)
{
    *out = (edo_address){ 0 };
    edo__sockaddr *in = edo__address_in(out);
    if (inet_pton(AF_INET, host, &in->v4.sin_addr) == 1)
        set_family(out, AF_INET, port);
    else if (parse_v6(in, host))
        set_family(out, AF_INET6, port);
    else
        return false;
    return true;
}

int edo_address_from_host(edo_address *out, const char *host, uint16_t port)
{
    edo_address a;
    if (!edo__address_numeric(&a, host, port))
        return -EINVAL;
    *out = a;
    return 0;
}

static void from_bytes(edo_address *out, const void *bytes, size_t n, uint16_t port)
{
    *out = (edo_address){ 0 };
    edo__sockaddr *in = edo__address_in(out);
    memcpy(n == 4 ? (void *)&in->v4.sin_addr : (void *)&in->v6.sin6_addr, bytes, n);
    set_family(out, n == 4 ? AF_INET : AF_INET6, port);
}

int edo_address_from_bytes(edo_address *out, const void *bytes, size_t n, uint16_t port)
{
    if (n != 4 && n != 16)
        return -EINVAL;
    from_bytes(out, bytes, n, port);
    return 0;
}

/* An abstract name has no end of its own: its length says where it ends. */
int edo_address_from_path(edo_address *out, const char *path)
{
    edo_address a = { 0 };
    edo__sockaddr *in = edo__address_in(&a);
    size_t len = strlen(path);
    if (len == 0)
        return -EINVAL;
    if (len >= sizeof in->un.sun_path)
        return -ENAMETOOLONG;
    in->un.sun_family = AF_UNIX;
    memcpy(in->un.sun_path, path, len);
    bool abstract = path[0] == '@';
    if (abstract)
        in->un.sun_path[0] = '\0';
    a.edo__len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract);
    *out = a;
    return 0;
}

int edo_address_from_sockaddr(edo_address *out, const void *sockaddr, size_t len)
{
    edo_address a = { 0 };
    edo__sockaddr *in = edo__address_in(&a);
    if (len < sizeof in->sa.sa_family || len > sizeof *in)
        return -EINVAL;
    memcpy(in, sockaddr, len);
    a.edo__len = (uint32_t)len;
    if (edo_address_family(&a) == EDO_FAMILY_NONE)
        return -EAFNOSUPPORT;
    if ((in->sa.sa_family == AF_INET && len < sizeof in->v4) ||
        (in->sa.sa_family == AF_INET6 && len < sizeof in->v6))
        return -EINVAL;
    *out = a;
    return 0;
}

void edo__address_written(edo_address *a, socklen_t len)
{
    a->edo__len = len < sizeof(edo__sockaddr) ? len : (uint32_t)sizeof(edo__sockaddr);
    if (edo__address_af(a) != AF_UNIX)
        return;
    /* A path may fill all there is and come without its end; there is room for one. */
    ((char *)a->edo__sa)[a->edo__len] = '\0';
}

int edo_address_parse(edo_address *out, const char *text)
{
    if (text[0] == '/' || text[0] == '.' || text[0] == '@')
        return edo_address_from_path(out, text);
    edo__endpoint e;
    int rc = edo__endpoint_parse(&e, text);
    if (rc < 0)
        return rc;
    return edo_address_from_host(out, e.host[0] == '\0' ? "::" : e.host, e.port);
}

edo_family edo_address_family(const edo_address *a)
{
    switch (edo__address_af(a)) {
    case AF_INET: return EDO_FAMILY_IPV4;
    case AF_INET6: return EDO_FAMILY_IPV6;
    case AF_UNIX: return EDO_FAMILY_UNIX;
    default: return EDO_FAMILY_NONE;
    }
}

uint16_t edo_address_port(const edo_address *a)
{
    const edo__sockaddr *in = edo__address_of(a);
    switch (edo__address_af(a)) {
    case AF_INET: return ntohs(in->v4.sin_port);
    case AF_INET6: return ntohs(in->v6.sin6_port);
    default: return 0;
    }
}

void edo_address_set_port(edo_address *a, uint16_t port)
{
    edo__sockaddr *in = edo__address_in(a);
    switch (edo__address_af(a)) {
    case AF_INET: in->v4.sin_port = htons(port); return;
    case AF_INET6: in->v6.sin6_port = htons(port); return;
    default: return;
    }
}

static const void *bytes_of(const edo_address *a, size_t *n)
{
    const edo__sockaddr *in = edo__address_of(a);
    switch (edo__address_af(a)) {
    case AF_INET: *n = sizeof in->v4.sin_addr; return &in->v4.sin_addr;
    case AF_INET6: *n = sizeof in->v6.sin6_addr; return &in->v6.sin6_addr;
    default: *n = 0; return "";
    }
}

size_t edo_address_bytes(const edo_address *a, void *out)
{
    size_t n;
    const void *bytes = bytes_of(a, &n);
    memcpy(out, bytes, n);
    return n;
}

/* How many bytes of sun_path belong to the address. */
static size_t path_len(const edo_address *a)
{
    size_t before = offsetof(struct sockaddr_un, sun_path);
    return a->edo__len > before ? a->edo__len - before : 0;
}

const char *edo_address_path(const edo_address *a)
{
    const char *path = edo__address_of(a)->un.sun_path;
    if (edo__address_af(a) != AF_UNIX || path_len(a) == 0 || path[0] == '\0')
        return NULL;
    return path;
}

const void *edo_address_sockaddr(const edo_address *a, size_t *len)
{
    *len = a->edo__len;
    return a->edo__sa;
}

void edo_address_unmap(edo_address *a)
{
    const struct sockaddr_in6 *v6 = &edo__address_of(a)->v6;
    if (edo__address_af(a) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        unsigned char bytes[4];
        memcpy(bytes, &v6->sin6_addr.s6_addr[12], sizeof bytes);
        from_bytes(a, bytes, sizeof bytes, edo_address_port(a));
    }
}

/* Zero bytes are shown as '@', as ss(8) does. */
static void format_path(const edo_address *a, char *buf, size_t size)
{
    const char *path = edo__address_of(a)->un.sun_path;
    size_t n = path_len(a);
    bool abstract = n > 0 && path[0] == '\0';
    if (!abstract)
        n = strnlen(path, n);
    if (n >= size)
        n = size - 1;
    for (size_t i = 0; i < n; i++)
        buf[i] = path[i] != '\0' ? path[i] : '@';
    buf[n] = '\0';
}

char *edo_address_format(const edo_address *a, char *buf, size_t size)
{
    const edo__sockaddr *in = edo__address_of(a);
    char host[INET6_ADDRSTRLEN];
    unsigned port = edo_address_port(a);
    size_t n;
    if (size == 0)
        return buf;
    switch (edo__address_af(a)) {
    case AF_UNIX: format_path(a, buf, size); return buf;
    case AF_INET:
        (void)snprintf(buf, size, "%s:%u", inet_ntop(AF_INET, bytes_of(a, &n), host, sizeof host),
                       port);
        return buf;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, bytes_of(a, &n), host, sizeof host);
        if (in->v6.sin6_scope_id != 0)
            (void)snprintf(buf, size, "[%s%%%u]:%u", host, in->v6.sin6_scope_id, port);
        else
            (void)snprintf(buf, size, "[%s]:%u", host, port);
        return buf;
    default: (void)snprintf(buf, size, "-"); return buf;
    }
}

bool edo_address_equal(const edo_address *a, const edo_address *b)
{
    size_t n, m;
    int family = edo__address_af(a);
    if (family != edo__address_af(b))
        return false;
    if (family == AF_UNIX)
        return path_len(a) == path_len(b) &&
               memcmp(edo__address_of(a)->un.sun_path, edo__address_of(b)->un.sun_path,
                      path_len(a)) == 0;
    const void *here = bytes_of(a, &n), *there = bytes_of(b, &m);
    return memcmp(here, there, n) == 0 && edo_address_port(a) == edo_address_port(b) &&
           (family != AF_INET6 ||
            edo__address_of(a)->v6.sin6_scope_id == edo__address_of(b)->v6.sin6_scope_id);
}

bool edo_address_is_any(const edo_address *a)
{
    static const unsigned char zeros[16];
    size_t n;
    const void *bytes = bytes_of(a, &n);
    return n > 0 && memcmp(bytes, zeros, n) == 0;
}

bool edo_address_is_loopback(const edo_address *a)
{
    size_t n;
    const unsigned char *bytes = bytes_of(a, &n);
    switch (edo__address_af(a)) {
    case AF_INET: return bytes[0] == 127;
    case AF_INET6: return IN6_IS_ADDR_LOOPBACK(&edo__address_of(a)->v6.sin6_addr);
    case AF_UNIX: return true;
    default: return false;
    }
}

bool edo_address_is_multicast(const edo_address *a)
{
    size_t n;
    const unsigned char *bytes = bytes_of(a, &n);
    return (n == 4 && (bytes[0] & 0xf0) == 0xe0) || (n == 16 && bytes[0] == 0xff);
}
