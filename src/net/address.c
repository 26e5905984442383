/* SPDX-License-Identifier: MIT */
/* Parsing of addresses. Strict: what cannot be meant is refused and not guessed at. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
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
    edo__address probe;
    if (out->bracketed &&
        (!edo__address_numeric(&probe, out->host, 0) || probe.sa.sa_family != AF_INET6))
        return -EINVAL;
    return 0;
}

/* fe80::1%eth0: the interface by name or number. */
static bool parse_v6(struct sockaddr_in6 *out, const char *host)
{
    char address[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t len = percent != NULL ? (size_t)(percent - host) : strlen(host);
    if (len >= sizeof address)
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    if (inet_pton(AF_INET6, address, &out->sin6_addr) != 1)
        return false;
    if (percent == NULL)
        return true;
    uint32_t scope;
    if (parse_number(percent + 1, UINT32_MAX - 1, &scope) < 0)
        scope = if_nametoindex(percent + 1);
    out->sin6_scope_id = scope;
    return scope != 0;
}

bool edo__address_numeric(edo__address *out, const char *host, uint16_t port)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1)
        out->sa.sa_family = AF_INET;
    else if (parse_v6(&out->v6, host))
        out->sa.sa_family = AF_INET6;
    else
        return false;
    edo__address_set_port(out, port);
    return true;
}

socklen_t edo__address_len(const edo__address *a)
{
    return a->sa.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

void edo__address_set_port(edo__address *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET)
        a->v4.sin_port = htons(port);
    else
        a->v6.sin6_port = htons(port);
}

uint16_t edo__address_port(const edo__address *a)
{
    return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}
