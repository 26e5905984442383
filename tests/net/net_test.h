/* SPDX-License-Identifier: MIT */
/* What the network tests share: an echo server in a group, a way to count descriptors. */
#ifndef NET_TEST_H
#define NET_TEST_H

#include "test.h"

#include <dirent.h>
#include <edo/edo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct echo_server {
    edo_listener *l;
    edo_group group;
    char address[32];
    unsigned acceptors;
    uint64_t accepted; /* atomic */
} echo_server;

#define ECHO_BUFFER 16384

static inline int echo_connection(void *arg)
{
    edo_stream *s = arg;
    char *buf = malloc(ECHO_BUFFER);
    CHECK(buf != NULL);
    ssize_t n;
    while ((n = edo_read(s, buf, ECHO_BUFFER)) > 0) {
        n = edo_write(s, buf, (size_t)n);
        if (n < 0)
            break;
    }
    free(buf);
    (void)edo_close(s);
    return 0;
}

static inline int echo_acceptor(void *arg)
{
    echo_server *server = arg;
    for (;;) {
        edo_stream *s;
        int rc = edo_accept(server->l, &s);
        if (rc == -ECANCELED)
            return 0;
        CHECK_OK(rc);
        __atomic_fetch_add(&server->accepted, 1, __ATOMIC_RELAXED);
        rc = edo_spawn(&server->group, echo_connection, s);
        if (rc < 0) {
            (void)edo_close(s);
            return 0;
        }
    }
}

static inline void echo_start(echo_server *server, unsigned acceptors)
{
    server->accepted = 0;
    CHECK_OK(edo_tcp_listen(&server->l, "127.0.0.1:0", NULL));
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u", edo_listener_port(server->l));
    edo_group_open(&server->group,
                   &(edo_group_options){ .keep_going = true, .discard = true, .name = "echo" });
    for (unsigned i = 0; i < acceptors; i++)
        CHECK_OK(edo_spawn(&server->group, echo_acceptor, server));
}

static inline void echo_stop(echo_server *server)
{
    edo_group_cancel(&server->group);
    (void)edo_group_close(&server->group);
    edo_listener_close(server->l);
}

/* Descriptors of this process. */
static inline unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* Descriptors known to the backend. */
static inline uint64_t known_fds(void)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return m.fds;
}

/* Byte i of the endless text of one speaker. */
static inline unsigned char text_byte(uint64_t speaker, uint64_t i)
{
    return (unsigned char)(((i + 1) * 0x9e3779b97f4a7c15u + speaker * 0xbf58476d1ce4e5b9u) >> 53);
}

/* Without spare workers, which have descriptors of their own: some tests count them. */
static inline void run_on(unsigned workers, edo_fn *fn, void *arg)
{
    edo_config config = { .workers = workers, .stuck_after = EDO_FOREVER };
    CHECK_INT(edo_run(&config, fn, arg), ==, 0);
}

static inline void dump_all(void)
{
    edo_dump(NULL, stderr);
}

#endif
