/* SPDX-License-Identifier: MIT */
/* The system calls of datagram sockets; see datagram.h. What the kernel reads or fills for a batch is
 * made on the stack here, and gone again before anybody waits. */
#include "net/datagram.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>

#define EDO__NOINLINE __attribute__((noinline))
#define BATCH 16         /* datagrams per system call */
#define ERRORS_AT_ONCE 8 /* of those that are no news from the net, which are thrown away */

#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif

/* Room for the segment size and the local address. */
#define CONTROL (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

typedef union control {
    struct cmsghdr align;
    char bytes[CONTROL];
} control;

static const edo_udp *socket_of(const edo__desc *d)
{
    return (const edo_udp *)d;
}

/* ---- errors that came back from the net ---- */

static int error_in(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err e;
        if (!v4 && !v6)
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof e);
        if (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6 ||
            e.ee_origin == SO_EE_ORIGIN_LOCAL)
            return (int)e.ee_errno;
    }
    return 0;
}

/* The oldest error in the queue, as a code, and to whom the datagram was sent; -EAGAIN: none. */
EDO__NOINLINE static int next_error(int fd, edo_address *to)
{
    for (int i = 0; i < ERRORS_AT_ONCE; i++) {
        char text[512] __attribute__((aligned(8)));
        edo_address a = { 0 };
        struct msghdr msg = { .msg_name = a.edo__sa,
                              .msg_namelen = sizeof(edo__sockaddr),
                              .msg_control = text,
                              .msg_controllen = sizeof text };
        if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return -EAGAIN;
        int error = error_in(&msg);
        if (error == 0)
            continue;
        edo__address_written(&a, msg.msg_namelen);
        if (to != NULL)
            *to = a;
        return -error;
    }
    return -EAGAIN;
}

/* A receive has failed. The kernel has said of one error that it is there; which one it was, and of
 * those that are there silently, only the queue tells. */
static int receive_error(const edo_udp *u, int code, edo_address *from)
{
    if (!u->errors)
        return code;
    int rc = next_error(u->desc.fd, from);
    if (rc != -EAGAIN)
        return rc;
    if (code != -EAGAIN && from != NULL)
        *from = (edo_address){ 0 };
    return code;
}

/* ---- one ---- */

EDO__NOINLINE ssize_t edo__dgram_recv_call(const edo__desc *d, void *arg)
{
    const edo__dgram_recv *r = arg;
    edo_address *from = r->from;
    socklen_t len = sizeof(edo__sockaddr);
    ssize_t n;
    do {
        n = recvfrom(d->fd, r->buf, r->n, r->flags | MSG_TRUNC,
                     from != NULL ? &edo__address_in(from)->sa : NULL, from != NULL ? &len : NULL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return receive_error(socket_of(d), -errno, from);
    if (from != NULL)
        edo__address_written(from, len);
    return n;
}

/* With `errors` those of earlier datagrams are told to who receives: the kernel only says once, to
 * whoever comes first, that there is one, and sends nothing. */
static bool worth_another(const edo_udp *u, int *tries)
{
    return errno == EINTR || (u->errors && errno != EAGAIN && (*tries)++ == 0);
}

EDO__NOINLINE ssize_t edo__dgram_send_call(const edo__desc *d, void *arg)
{
    const edo__dgram_send *s = arg;
    const struct sockaddr *to = s->to != NULL ? &edo__address_of(s->to)->sa : NULL;
    socklen_t len = s->to != NULL ? s->to->edo__len : 0;
    ssize_t n;
    int tries = 0;
    do {
        n = sendto(d->fd, s->data, s->n, MSG_NOSIGNAL, to, len);
    } while (n < 0 && worth_another(socket_of(d), &tries));
    return n >= 0 ? n : -errno;
}

/* ---- several ---- */

static void read_control(struct msghdr *msg, edo_datagram *g)
{
    g->segment = 0;
    if (g->local != NULL)
        *g->local = (edo_address){ 0 };
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        const unsigned char *data = CMSG_DATA(c);
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, data, sizeof size);
            g->segment = size > 0 && (size_t)size < g->len ? (size_t)size : 0;
        } else if (g->local == NULL) {
            continue;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo p;
            memcpy(&p, data, sizeof p);
            (void)!edo_address_from_bytes(g->local, &p.ipi_addr, sizeof p.ipi_addr, 0);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo p;
            memcpy(&p, data, sizeof p);
            (void)!edo_address_from_bytes(g->local, &p.ipi6_addr, sizeof p.ipi6_addr, 0);
            if (IN6_IS_ADDR_LINKLOCAL(&p.ipi6_addr))
                edo__address_in(g->local)->v6.sin6_scope_id = p.ipi6_ifindex;
        }
    }
}

static void prepare_recv(struct mmsghdr *m, struct iovec *iov, control *c, const edo_datagram *g)
{
    *iov = (struct iovec){ g->data, g->size };
    *m = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } };
    if (g->address != NULL) {
        m->msg_hdr.msg_name = g->address->edo__sa;
        m->msg_hdr.msg_namelen = sizeof(edo__sockaddr);
    }
    if (c != NULL) {
        m->msg_hdr.msg_control = c;
        m->msg_hdr.msg_controllen = sizeof *c;
    }
}

/* How many of up to BATCH, or a code. */
static int recv_batch(const edo_udp *u, edo_datagram *list, int count)
{
    struct mmsghdr m[BATCH];
    struct iovec iov[BATCH];
    control c[BATCH];
    bool told = u->gro || u->local;
    for (int i = 0; i < count; i++)
        prepare_recv(&m[i], &iov[i], told ? &c[i] : NULL, &list[i]);
    int n;
    do {
        n = recvmmsg(u->desc.fd, m, (unsigned)count, MSG_TRUNC, NULL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        list[i].len = m[i].msg_len;
        if (list[i].address != NULL)
            edo__address_written(list[i].address, m[i].msg_hdr.msg_namelen);
        read_control(&m[i].msg_hdr, &list[i]);
    }
    return n;
}

EDO__NOINLINE ssize_t edo__dgram_recv_many_call(const edo__desc *d, void *arg)
{
    const edo__dgram_many *r = arg;
    int done = 0, n = BATCH;
    while (n == BATCH && done < r->count) {
        int most = r->count - done < BATCH ? r->count - done : BATCH;
        n = recv_batch(socket_of(d), r->list + done, most);
        if (n < 0 && done == 0)
            return receive_error(socket_of(d), n, r->list[0].address);
        done += n > 0 ? n : 0;
    }
    return done;
}

static struct cmsghdr *add_control(struct msghdr *msg, control *c, int level, int type,
                                   const void *data, size_t n)
{
    size_t at = msg->msg_controllen;
    struct cmsghdr *h = (struct cmsghdr *)(void *)(c->bytes + at);
    msg->msg_control = c;
    msg->msg_controllen = at + CMSG_SPACE(n);
    memset(h, 0, CMSG_SPACE(n));
    h->cmsg_level = level;
    h->cmsg_type = type;
    h->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(h), data, n);
    return h;
}

static void add_local(struct msghdr *msg, control *c, const edo_address *local)
{
    const edo__sockaddr *in = edo__address_of(local);
    if (edo__address_af(local) == AF_INET) {
        struct in_pktinfo p = { .ipi_spec_dst = in->v4.sin_addr };
        add_control(msg, c, IPPROTO_IP, IP_PKTINFO, &p, sizeof p);
    } else if (edo__address_af(local) == AF_INET6) {
        struct in6_pktinfo p = { .ipi6_addr = in->v6.sin6_addr,
                                 .ipi6_ifindex = in->v6.sin6_scope_id };
        add_control(msg, c, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof p);
    }
}

static void prepare_send(struct mmsghdr *m, struct iovec *iov, control *c, const edo_datagram *g)
{
    *iov = (struct iovec){ g->data, g->size };
    *m = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } };
    if (g->address != NULL) {
        m->msg_hdr.msg_name = g->address->edo__sa;
        m->msg_hdr.msg_namelen = g->address->edo__len;
    }
    if (g->segment != 0 && g->segment < g->size) {
        uint16_t size = (uint16_t)g->segment;
        add_control(&m->msg_hdr, c, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (g->local != NULL)
        add_local(&m->msg_hdr, c, g->local);
}

static int send_batch(const edo_udp *u, const edo_datagram *list, int count)
{
    struct mmsghdr m[BATCH];
    struct iovec iov[BATCH];
    control c[BATCH];
    for (int i = 0; i < count; i++)
        prepare_send(&m[i], &iov[i], &c[i], &list[i]);
    int n, tries = 0;
    do {
        n = sendmmsg(u->desc.fd, m, (unsigned)count, MSG_NOSIGNAL);
    } while (n < 0 && worth_another(u, &tries));
    return n >= 0 ? n : -errno;
}

EDO__NOINLINE ssize_t edo__dgram_send_many_call(const edo__desc *d, void *arg)
{
    const edo__dgram_many *s = arg;
    int done = 0, n = BATCH;
    while (n == BATCH && done < s->count) {
        int most = s->count - done < BATCH ? s->count - done : BATCH;
        n = send_batch(socket_of(d), s->list + done, most);
        if (n < 0 && done == 0)
            return n;
        done += n > 0 ? n : 0;
    }
    return done;
}

/* ---- options ---- */

EDO__NOINLINE static int switch_on(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0 ? 0 : -errno;
}

int edo__dgram_tell(int fd, int family, const edo_udp_options *o)
{
    bool six = family == AF_INET6;
    int rc = 0;
    if (o->errors) /* of IPv4 on a socket of both as well */
        rc = switch_on(fd, IPPROTO_IP, IP_RECVERR);
    if (rc == 0 && o->errors && six)
        rc = switch_on(fd, IPPROTO_IPV6, IPV6_RECVERR);
    if (rc == 0 && o->local)
        rc = six ? switch_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO)
                 : switch_on(fd, IPPROTO_IP, IP_PKTINFO);
    if (rc == 0 && o->gro) {
        rc = switch_on(fd, IPPROTO_UDP, UDP_GRO);
        if (rc == -ENOPROTOOPT)
            rc = 0; /* an older kernel: they come one by one */
    }
    return rc;
}

EDO__NOINLINE int edo__dgram_connect(int fd, const edo_address *peer)
{
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    int rc = peer == NULL ? connect(fd, &nobody, sizeof nobody)
                          : connect(fd, &edo__address_of(peer)->sa, peer->edo__len);
    return rc == 0 ? 0 : -errno;
}

EDO__NOINLINE int edo_udp_segments_max(const edo_udp *u)
{
    int size = 0;
    socklen_t len = sizeof size;
    return getsockopt(u->desc.fd, IPPROTO_UDP, UDP_SEGMENT, &size, &len) == 0 ? 64 : 1;
}
