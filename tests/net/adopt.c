/* SPDX-License-Identifier: MIT */
/* Descriptors that others have made: streams, listeners, those a service manager passes; and peeking at
 * what a connection has. */
#include "net_test.h"

#include <fcntl.h>
#include <sys/socket.h>

typedef struct pair {
    edo_listener *l;
    edo_stream *client, *server;
} pair;

static pair connected(void)
{
    pair p;
    char address[32];
    CHECK_OK(edo_tcp_listen(&p.l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(p.l));
    CHECK_OK(edo_tcp_connect(&p.client, address, NULL));
    CHECK_OK(edo_accept(p.l, &p.server));
    return p;
}

static void disconnect(pair *p)
{
    edo_close(p->client);
    edo_close(p->server);
    edo_listener_close(p->l);
}

/* ---- listeners ---- */

static int listener_body(void *arg)
{
    (void)arg;
    edo_listener *l, *adopted;
    edo_stream *c, *s;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    int fd = dup(edo_listener_fd(l));
    CHECK_OK(fd);
    CHECK_OK(fcntl(fd, F_SETFL, 0)); /* as others would have it; it is the same socket */
    CHECK_OK(edo_listener_from_fd(&adopted, fd));
    CHECK_INT(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
    CHECK_INT(edo_listener_port(adopted), ==, edo_listener_port(l));
    CHECK_INT(edo_listener_fd(adopted), ==, fd);
    edo_listener_close(l);
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(adopted));
    CHECK_OK(edo_tcp_connect(&c, address, NULL));
    CHECK_OK(edo_accept(adopted, &s));
    /* What does not listen is refused, and stays the caller's. */
    fd = dup(edo_stream_fd(c));
    CHECK_INT(edo_listener_from_fd(&l, fd), ==, -EINVAL);
    CHECK_OK(close(fd));
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_INT(edo_listener_from_fd(&l, p[0]), ==, -ENOTSOCK);
    CHECK_INT(edo_listener_from_fd(&l, -1), ==, -EBADF);
    close(p[0]);
    close(p[1]);
    edo_close(c);
    edo_close(s);
    edo_listener_close(adopted);
    return 0;
}

TEST(listeners)
{
    unsigned fds = count_fds();
    run_on(1, listener_body, NULL);
    run_on(2, listener_body, NULL);
    CHECK_INT(count_fds(), ==, fds);
    CHECK_INT(listener_body(NULL), ==, 0);
}

/* ---- inherited ---- */

static int raw_socket(int type)
{
    int fd = socket(AF_UNIX, type, 0);
    CHECK_OK(fd);
    return fd;
}

/* As if a service manager had started this process with three descriptors. */
static void inherits(void *arg)
{
    (void)arg;
    edo_listener *l;
    char pid[32], address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    unsigned port = edo_listener_port(l);
    int fd = dup(edo_listener_fd(l)), other = raw_socket(SOCK_DGRAM);
    edo_listener_close(l);
    fd = fcntl(fd, F_DUPFD, 20);
    other = fcntl(other, F_DUPFD, 20);
    CHECK_OK(dup2(other, 3));
    CHECK_OK(dup2(fd, 4));
    CHECK_OK(dup2(other, 5));
    close(fd);
    close(other);
    CHECK_INT(edo_inherited_fd(NULL), ==, -ENOENT); /* nothing is said about them */
    setenv("LISTEN_FDS", "3", 1);
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDNAMES", "log:web:log", 1);
    CHECK_INT(edo_inherited_fd(NULL), ==, -ENOENT); /* they are another process's */
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    CHECK_INT(edo_inherited_fd("we"), ==, -ENOENT);
    CHECK_INT(edo_inherited_fd("webs"), ==, -ENOENT);
    CHECK_INT(edo_inherited_fd("web"), ==, 4);
    CHECK_INT(edo_inherited_fd("web"), ==, -ENOENT); /* each once */
    CHECK_INT(fcntl(4, F_GETFD), ==, FD_CLOEXEC);
    CHECK_INT(edo_inherited_fd("log"), ==, 3);
    CHECK_INT(edo_inherited_fd(NULL), ==, 5);
    CHECK_INT(edo_inherited_fd(NULL), ==, -ENOENT);
    edo_stream *c, *s;
    CHECK_OK(edo_listener_from_fd(&l, 4));
    CHECK_INT(edo_listener_port(l), ==, port);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    CHECK_OK(edo_tcp_connect(&c, address, NULL));
    CHECK_OK(edo_accept(l, &s));
    edo_close(c);
    edo_close(s);
    edo_listener_close(l);
}

TEST(inherited)
{
    char text[1024];
    CHECK_INT(test_capture(inherits, NULL, text, sizeof text), ==, 0);
}

/* ---- peeking ---- */

static int peek_body(void *arg)
{
    (void)arg;
    pair p = connected();
    edo_stream *memory;
    char buf[16];
    for (int i = 0; i < 20; i++) {
        CHECK_INT(edo_write(p.client, "hello", 5), ==, 5);
        CHECK_INT(edo_peek(p.server, buf, 2), ==, 2);
        for (int k = 0; k < 3; k++) {
            CHECK_INT(edo_peek(p.server, buf, sizeof buf), ==, 5);
            CHECK_MEM(buf, "hello", 5);
        }
        CHECK_INT(edo_read(p.server, buf, 3), ==, 3);
        CHECK_INT(edo_peek(p.server, buf, sizeof buf), ==, 2);
        CHECK_MEM(buf, "lo", 2);
        CHECK_INT(edo_read(p.server, buf, sizeof buf), ==, 2);
        edo_scope s;
        edo_scope_open(&s, EDO_US(200));
        CHECK_INT(edo_scope_close(&s, (int)edo_peek(p.server, buf, 1)), ==, -ETIMEDOUT);
    }
    CHECK_INT(edo_peek(p.server, buf, 0), ==, 0);
    CHECK_OK(edo_shutdown(p.client));
    CHECK_INT(edo_peek(p.server, buf, 1), ==, 0);
    CHECK_INT(edo_read(p.server, buf, 1), ==, 0);
    CHECK_INT(edo_peek(p.server, buf, 1), ==, 0);
    CHECK_OK(edo_stream_memory(&memory, "x", 1));
    CHECK_INT(edo_peek(memory, buf, 1), ==, -EOPNOTSUPP);
    edo_close(memory);
    disconnect(&p);
    return 0;
}

TEST(peeking)
{
    run_on(1, peek_body, NULL);
    run_on(2, peek_body, NULL);
    CHECK_INT(peek_body(NULL), ==, 0);
}

static int peeks(void *arg)
{
    char buf[4];
    return edo_peek(arg, buf, sizeof buf) == 4 ? 0 : -EPROTO;
}

static int peek_waiting_body(void *arg)
{
    (void)arg;
    pair p = connected();
    char buf[4];
    for (int i = 0; i < 50; i++) {
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, peeks, p.server));
        CHECK_OK(edo_yield());
        CHECK_INT(edo_write(p.client, "wake", 4), ==, 4);
        CHECK_OK(edo_group_close(&g));
        CHECK_INT(edo_read_full(p.server, buf, 4), ==, 4);
        CHECK_MEM(buf, "wake", 4);
    }
    disconnect(&p);
    return 0;
}

TEST(waiting_to_peek)
{
    run_on(1, peek_waiting_body, NULL);
    run_on(2, peek_waiting_body, NULL);
}

TEST_MAIN()
