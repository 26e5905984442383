/* SPDX-License-Identifier: MIT */
/* The scenarios of connections and datagrams. Part of edo.c, which would be too long with them. */
#ifndef EDO_BENCH_SOCKETS_H
#define EDO_BENCH_SOCKETS_H

#include "bench.h"

#include <string.h>

/* connect: clients connect, send a byte, get it back and reset the connection, so that no port is
 * kept. */
struct door {
    edo_listener *l;
    edo_group *connections;
    char address[32];
    uint64_t each;
};

static int door_serve(void *arg)
{
    char byte;
    if (edo_read(arg, &byte, 1) == 1)
        MUST(edo_write(arg, &byte, 1) == 1);
    MUST(edo_read(arg, &byte, 1) <= 0); /* the end, or that it was reset */
    return edo_close(arg);
}

static int door_accept(void *arg)
{
    struct door *d = arg;
    for (edo_stream *s; edo_accept(d->l, &s) == 0;)
        MUST(edo_spawn(d->connections, door_serve, s) == 0);
    return 0;
}

static int door_client(void *arg)
{
    struct door *d = arg;
    const edo_tcp_options options = { .linger = EDO_LINGER_RESET };
    for (uint64_t i = 0; i < d->each; i++) {
        edo_stream *s;
        char byte = (char)i, back;
        MUST(edo_tcp_connect(&s, d->address, &options) == 0);
        MUST(edo_write(s, &byte, 1) == 1);
        MUST(edo_read(s, &back, 1) == 1 && back == byte);
        MUST(edo_close(s) == 0);
    }
    return 0;
}

static int connect_rate(uint64_t n)
{
    edo_group connections, acceptors, g;
    struct door d = { .connections = &connections, .each = n / CONNECT_CLIENTS };
    MUST(edo_tcp_listen(&d.l, "127.0.0.1:0", NULL) == 0);
    snprintf(d.address, sizeof d.address, "127.0.0.1:%u", edo_listener_port(d.l));
    edo_group_open(&connections, NULL);
    edo_group_open(&acceptors, NULL);
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&acceptors, door_accept, &d) == 0);
    for (unsigned i = 0; i < CONNECT_CLIENTS; i++)
        MUST(edo_spawn(&g, door_client, &d) == 0);
    MUST(edo_group_close(&g) == 0);
    edo_group_cancel(&acceptors);
    (void)edo_group_close(&acceptors);
    MUST(edo_group_close(&connections) == 0);
    edo_listener_close(d.l);
    return 0;
}

/* udp_echo: round trips of a datagram, UDP_CLIENTS sockets to one. */
static int udp_serve(void *arg)
{
    char buf[UDP_SIZE];
    edo_address from;
    for (ssize_t n; (n = edo_udp_recv_from(arg, buf, sizeof buf, &from)) >= 0;)
        MUST(edo_udp_send_to(arg, buf, (size_t)n, &from) == n);
    return 0;
}

struct udp_job {
    char address[32];
    uint64_t each;
};

static int udp_client(void *arg)
{
    const struct udp_job *job = arg;
    char out[UDP_SIZE], in[UDP_SIZE];
    edo_udp *u;
    MUST(edo_udp_connect(&u, job->address, NULL) == 0);
    for (uint64_t i = 0; i < job->each; i++) {
        memset(out, (int)i, sizeof out);
        MUST(edo_udp_send(u, out, sizeof out) == UDP_SIZE);
        MUST(edo_udp_recv(u, in, sizeof in) == UDP_SIZE);
        MUST(in[0] == out[0] && in[UDP_SIZE - 1] == out[0]);
    }
    edo_udp_close(u);
    return 0;
}

static int udp_echo(uint64_t n)
{
    struct udp_job job = { .each = n / UDP_CLIENTS };
    edo_udp *server;
    edo_group servers, g;
    MUST(edo_udp_bind(&server, "127.0.0.1:0", NULL) == 0);
    snprintf(job.address, sizeof job.address, "127.0.0.1:%u", edo_udp_port(server));
    edo_group_open(&servers, NULL);
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&servers, udp_serve, server) == 0);
    for (unsigned i = 0; i < UDP_CLIENTS; i++)
        MUST(edo_spawn(&g, udp_client, &job) == 0);
    MUST(edo_group_close(&g) == 0);
    edo_group_cancel(&servers);
    (void)edo_group_close(&servers);
    edo_udp_close(server);
    return 0;
}

/* udp_packets: one task sends to another, UDP_WINDOW at a time, which must have arrived before the
 * next. */
struct packets {
    edo_udp *from, *to;
    edo_address at;
    edo_sem arrived;
    uint64_t windows;
};

static int packets_receive(void *arg)
{
    struct packets *p = arg;
    static char buf[UDP_WINDOW][UDP_SIZE];
    edo_datagram list[UDP_WINDOW];
    for (int i = 0; i < UDP_WINDOW; i++)
        list[i] = (edo_datagram){ .data = buf[i], .size = UDP_SIZE };
    for (uint64_t left = p->windows * UDP_WINDOW; left > 0;) {
        int n = edo_udp_recv_many(p->to, list, UDP_WINDOW);
        MUST(n > 0 && list[0].len == UDP_SIZE);
        left -= (uint64_t)n;
        edo_sem_release(&p->arrived, (size_t)n);
    }
    return 0;
}

static int packets_send(void *arg)
{
    struct packets *p = arg;
    static char data[UDP_SIZE];
    edo_datagram list[UDP_WINDOW];
    for (int i = 0; i < UDP_WINDOW; i++)
        list[i] = (edo_datagram){ .data = data, .size = UDP_SIZE, .address = &p->at };
    for (uint64_t i = 0; i < p->windows; i++) {
        for (int sent = 0; sent < UDP_WINDOW;) {
            int n = edo_udp_send_many(p->from, list + sent, UDP_WINDOW - sent);
            MUST(n > 0);
            sent += n;
        }
        MUST(edo_sem_acquire(&p->arrived, UDP_WINDOW) == 0);
    }
    return 0;
}

static int udp_packets(uint64_t n)
{
    struct packets p = { .windows = n / UDP_WINDOW };
    MUST(edo_udp_bind(&p.from, "127.0.0.1:0", NULL) == 0);
    MUST(edo_udp_bind(&p.to, "127.0.0.1:0", NULL) == 0);
    MUST(edo_socket_local(edo_udp_fd(p.to), &p.at) == 0);
    edo_sem_init(&p.arrived, 0);
    edo_group g;
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&g, packets_receive, &p) == 0);
    MUST(edo_spawn(&g, packets_send, &p) == 0);
    MUST(edo_group_close(&g) == 0);
    edo_udp_close(p.from);
    edo_udp_close(p.to);
    return 0;
}

#endif
