/* SPDX-License-Identifier: MIT */
/* Echo with many connections: every byte comes back, in order, on any number of workers. */
#include "net_test.h"

#define CHUNK 8192

typedef struct client {
    echo_server *server;
    edo_stream *s;
    uint64_t number, bytes, seed;
} client;

static int client_reads(void *arg)
{
    client *c = arg;
    unsigned char *buf = malloc(CHUNK);
    uint64_t have = 0, random = c->seed + 1;
    for (;;) {
        ssize_t n = edo_read(c->s, buf, 1 + test_rand(&random) % CHUNK);
        CHECK_OK(n);
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, text_byte(c->number, have + (uint64_t)i));
        have += (uint64_t)n;
    }
    CHECK_UINT(have, ==, c->bytes);
    free(buf);
    return 0;
}

static void client_writes(client *c)
{
    unsigned char *buf = malloc(CHUNK);
    uint64_t random = c->seed;
    for (uint64_t at = 0; at < c->bytes;) {
        size_t n = 1 + test_rand(&random) % CHUNK;
        if (n > c->bytes - at)
            n = c->bytes - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = text_byte(c->number, at + i);
        size_t half = n / 2;
        struct iovec iov[3] = { { buf, half }, { NULL, 0 }, { buf + half, n - half } };
        ssize_t done = test_rand(&random) % 2 ? edo_write(c->s, buf, n) : edo_writev(c->s, iov, 3);
        CHECK_INT(done, ==, n);
        at += n;
    }
    CHECK_OK(edo_shutdown(c->s));
    free(buf);
}

static int client_run(void *arg)
{
    client *c = arg;
    CHECK_OK(edo_tcp_connect(&c->s, c->server->address, NULL));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, client_reads, c));
    client_writes(c);
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(edo_close(c->s));
    return 0;
}

static int all_clients(void *arg)
{
    unsigned clients = *(unsigned *)arg;
    unsigned fds = count_fds();
    uint64_t known = known_fds(), random = test_seed();
    echo_server server;
    echo_start(&server, 3);
    client *c = calloc(clients, sizeof *c);
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .discard = true });
    for (unsigned i = 0; i < clients; i++) {
        c[i] = (client){ .server = &server, .number = i };
        c[i].bytes = test_rand(&random) % test_scale(300000);
        c[i].seed = test_rand(&random);
        CHECK_OK(edo_spawn(&g, client_run, &c[i]));
    }
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(__atomic_load_n(&server.accepted, __ATOMIC_RELAXED), ==, clients);
    echo_stop(&server);
    free(c);
    CHECK_INT(count_fds(), ==, fds);
    CHECK_INT(known_fds(), ==, known);
    return 0;
}

static void echo_on(unsigned workers)
{
    unsigned clients = test_scale(200);
    run_on(workers, all_clients, &clients);
}

TEST_TIMEOUT(one_worker, 60)
{
    echo_on(1);
}

TEST_TIMEOUT(two_workers, 60)
{
    echo_on(2);
}

TEST_TIMEOUT(four_workers, 60)
{
    echo_on(4);
}

/* Small messages back and forth: every wake-up is needed, a lost one hangs. */
static int ping(void *arg)
{
    echo_server *server = arg;
    edo_stream *s;
    CHECK_OK(edo_tcp_connect(&s, server->address, NULL));
    for (uint64_t i = 0, n = test_scale(3000); i < n; i++) {
        uint64_t back = 0;
        CHECK_INT(edo_write(s, &i, sizeof i), ==, sizeof i);
        CHECK_INT(edo_read_full(s, &back, sizeof back), ==, sizeof back);
        CHECK_UINT(back, ==, i);
    }
    CHECK_OK(edo_close(s));
    return 0;
}

static int all_pings(void *arg)
{
    (void)arg;
    echo_server server;
    echo_start(&server, 1);
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&g, ping, &server));
    CHECK_OK(edo_group_close(&g));
    echo_stop(&server);
    return 0;
}

TEST_TIMEOUT(ping_pong, 60)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        run_on(workers, all_pings, NULL);
}

/* Connections that come and go at once, several acceptors on one listener. */
static int brief(void *arg)
{
    echo_server *server = arg;
    for (unsigned i = 0, n = test_scale(100); i < n; i++) {
        edo_stream *s;
        char c = 'x';
        CHECK_OK(edo_tcp_connect(&s, server->address, NULL));
        CHECK_INT(edo_write(s, &c, 1), ==, 1);
        CHECK_OK(edo_shutdown(s));
        CHECK_INT(edo_read(s, &c, 1), ==, 1);
        CHECK_INT(edo_read(s, &c, 1), ==, 0);
        CHECK_OK(edo_close(s));
    }
    return 0;
}

static int all_brief(void *arg)
{
    (void)arg;
    echo_server server;
    echo_start(&server, 7);
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 16; i++)
        CHECK_OK(edo_spawn(&g, brief, &server));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(__atomic_load_n(&server.accepted, __ATOMIC_RELAXED), ==, 16 * test_scale(100));
    echo_stop(&server);
    CHECK_INT(known_fds(), ==, 0);
    return 0;
}

TEST_TIMEOUT(brief_connections, 60)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        run_on(workers, all_brief, NULL);
}

TEST_MAIN()
