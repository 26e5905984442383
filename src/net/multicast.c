/* SPDX-License-Identifier: MIT */
/* Multicast groups, by the calls that are the same for both families (RFC 3678). */
#include "net/datagram.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define EDO__NOINLINE __attribute__((noinline))

static void copy_address(struct sockaddr_storage *to, const edo_address *a)
{
    memset(to, 0, sizeof *to);
    memcpy(to, edo__address_of(a), a->edo__len);
}

EDO__NOINLINE static int index_of(const char *interface, uint32_t *index)
{
    *index = interface != NULL ? if_nametoindex(interface) : 0;
    return interface != NULL && *index == 0 ? -ENODEV : 0;
}

EDO__NOINLINE static int set_option(const edo_udp *u, int name, const void *value, size_t n)
{
    int level = u->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    return setsockopt(u->desc.fd, level, name, value, (socklen_t)n) == 0 ? 0 : -errno;
}

static int change(const edo_udp *u, int name, const edo_address *group, const char *interface)
{
    struct group_req request = { .gr_interface = 0 };
    if (!edo_address_is_multicast(group) || edo__address_af(group) != u->family)
        return -EINVAL;
    copy_address(&request.gr_group, group);
    int rc = index_of(interface, &request.gr_interface);
    return rc == 0 ? set_option(u, name, &request, sizeof request) : rc;
}

static int change_source(const edo_udp *u, int name, const edo_address *group,
                         const edo_address *source, const char *interface)
{
    struct group_source_req request = { .gsr_interface = 0 };
    if (!edo_address_is_multicast(group) || edo__address_af(group) != u->family ||
        edo__address_af(source) != u->family)
        return -EINVAL;
    copy_address(&request.gsr_group, group);
    copy_address(&request.gsr_source, source);
    int rc = index_of(interface, &request.gsr_interface);
    return rc == 0 ? set_option(u, name, &request, sizeof request) : rc;
}

int edo_udp_join(edo_udp *u, const edo_address *group, const char *interface)
{
    return change(u, MCAST_JOIN_GROUP, group, interface);
}

int edo_udp_leave(edo_udp *u, const edo_address *group, const char *interface)
{
    return change(u, MCAST_LEAVE_GROUP, group, interface);
}

int edo_udp_join_source(edo_udp *u, const edo_address *group, const edo_address *source,
                        const char *interface)
{
    return change_source(u, MCAST_JOIN_SOURCE_GROUP, group, source, interface);
}

int edo_udp_leave_source(edo_udp *u, const edo_address *group, const edo_address *source,
                         const char *interface)
{
    return change_source(u, MCAST_LEAVE_SOURCE_GROUP, group, source, interface);
}
