/* SPDX-License-Identifier: MIT */
/* The scenarios of TCP connections. */
#ifndef EDO_BENCH_ECHO_H
#define EDO_BENCH_ECHO_H

#include "bench.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* As many as there can be. */
static void many_descriptors(void)
{
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* tcp_echo: round trips of a message over ECHO_CLIENTS connections, clients and server in one
 * process. */
struct echo_job {
    edo_listener *l;
    edo_group *connections;
    char address[32];
    size_t size;
    uint64_t each;
};

static int echo_serve(void *arg)
{
    edo_stream *s = arg;
    char *buf = malloc(ECHO_MAX);
    MUST(buf != NULL);
    for (ssize_t n; (n = edo_read(s, buf, ECHO_MAX)) > 0;)
        MUST(edo_write(s, buf, (size_t)n) == n);
    free(buf);
    return edo_close(s);
}

static int echo_accept(void *arg)
{
    struct echo_job *job = arg;
    for (edo_stream *s; edo_accept(job->l, &s) == 0;)
        MUST(edo_spawn(job->connections, echo_serve, s) == 0);
    return 0;
}

static int echo_client(void *arg)
{
    struct echo_job *job = arg;
    edo_stream *s;
    char *out = malloc(job->size), *in = malloc(job->size);
    MUST(out != NULL && in != NULL);
    MUST(edo_tcp_connect(&s, job->address, NULL) == 0);
    for (uint64_t i = 0; i < job->each; i++) {
        memset(out, (int)i, job->size);
        MUST(edo_write(s, out, job->size) == (ssize_t)job->size);
        MUST(edo_read_full(s, in, job->size) == (ssize_t)job->size);
        MUST(in[0] == out[0] && in[job->size - 1] == out[job->size - 1]);
    }
    free(out);
    free(in);
    return edo_close(s);
}

static int tcp_echo_of(uint64_t n, unsigned clients, size_t size)
{
    edo_group connections, acceptors, g;
    struct echo_job job = { .connections = &connections, .size = size, .each = n / clients };
    MUST(edo_tcp_listen(&job.l, "127.0.0.1:0", NULL) == 0);
    snprintf(job.address, sizeof job.address, "127.0.0.1:%u", edo_listener_port(job.l));
    edo_group_open(&connections, NULL);
    edo_group_open(&acceptors, NULL);
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&acceptors, echo_accept, &job) == 0);
    for (unsigned i = 0; i < clients; i++)
        MUST(edo_spawn(&g, echo_client, &job) == 0);
    MUST(edo_group_close(&g) == 0);
    edo_group_cancel(&acceptors);
    (void)edo_group_close(&acceptors);
    MUST(edo_group_close(&connections) == 0);
    edo_listener_close(job.l);
    return 0;
}

static int tcp_echo(uint64_t n)
{
    return tcp_echo_of(n, ECHO_CLIENTS, 64);
}

static int tcp_echo_1(uint64_t n)
{
    return tcp_echo_of(n, 1, 64);
}

static int tcp_echo_16k(uint64_t n)
{
    return tcp_echo_of(n, ECHO_CLIENTS, ECHO_MAX);
}

static int tcp_echo_1k(uint64_t n)
{
    return tcp_echo_of(n, 1000, 64);
}

/* Two descriptors for each in one process. */
static int tcp_echo_9k(uint64_t n)
{
    many_descriptors();
    return tcp_echo_of(n, 9000, 64);
}

/* idle_conns: connections that have passed a message on once and then wait for the next. */
static int idle_serve(void *arg)
{
    edo_stream *s = arg;
    char *buf = malloc(IDLE_BUFFER);
    MUST(buf != NULL);
    for (ssize_t n; (n = edo_read(s, buf, IDLE_BUFFER)) > 0;)
        MUST(edo_write(s, buf, (size_t)n) == n);
    free(buf);
    return edo_close(s);
}

/* The peers are bare sockets, so that they cost nothing here but kernel memory. */
static int idle_connect(uint16_t port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    MUST(write(fd, "x", 1) == 1);
    return fd;
}

static int idle_conns(const struct plan *p)
{
    edo_listener *l;
    edo_group g;
    many_descriptors();
    MUST(edo_tcp_listen(&l, "127.0.0.1:0", NULL) == 0);
    edo_group_open(&g, NULL);
    int64_t before = resident();
    for (uint64_t i = 0; i < p->count; i++) {
        edo_stream *s;
        char c;
        int fd = idle_connect(edo_listener_port(l));
        MUST(edo_accept(l, &s) == 0);
        MUST(edo_spawn(&g, idle_serve, s) == 0);
        MUST(edo_wait_fd(fd, EDO_READABLE) == EDO_READABLE);
        MUST(read(fd, &c, 1) == 1 && c == 'x');
    }
    MUST(edo_sleep(EDO_MS(100)) == 0);
    report_memory_and_exit(p, before);
    return 0;
}

#endif
