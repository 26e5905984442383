/* SPDX-License-Identifier: MIT */
/* Which backend a runtime gets: asked for by the program or by the operator, and where the kernel or
 * a seccomp filter refuses io_uring.
 *
 * ctest: one backend */
#include "net_test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LINE "edo: io_uring is not available ("

/* From here on io_uring_setup(2) fails with that error, as in many containers. */
static void refuse_rings(unsigned error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp filters");
    CHECK_INT(syscall(SYS_io_uring_setup, 0, NULL), ==, -1);
    CHECK_INT(errno, ==, error);
}

static int round_trip(void *arg)
{
    (void)arg;
    echo_server server;
    char back[5];
    edo_stream *s;
    echo_start(&server, 1);
    CHECK_OK(edo_tcp_connect(&s, server.address, NULL));
    CHECK_INT(edo_write(s, "hello", 5), ==, 5);
    CHECK_INT(edo_read_full(s, back, 5), ==, 5);
    CHECK_MEM(back, "hello", 5);
    edo_close(s);
    echo_stop(&server);
    return 0;
}

static void refused(void *arg)
{
    refuse_rings(*(unsigned *)arg);
    setenv("EDO_BACKEND", "uring", 1);
    for (int i = 0; i < 3; i++)
        run_on(2, round_trip, NULL);
}

TEST(refused_by_seccomp)
{
    unsigned errors[] = { EPERM, ENOSYS };
    for (int i = 0; i < 2; i++) {
        char text[1024];
        CHECK_INT(test_capture(refused, &errors[i], text, sizeof text), ==, 0);
        const char *line = strstr(text, LINE);
        if (line == NULL)
            FAIL("nothing was said: %s", text);
        CHECK(strstr(line + 1, LINE) == NULL); /* once, not once per runtime */
        CHECK(strstr(line, strerror((int)errors[i])) != NULL);
        CHECK(strstr(line, "using epoll\n") != NULL);
    }
}

/* A kernel with rings that know less than is needed. */
static void lacking(void *arg)
{
    (void)arg;
    setenv("EDO_BACKEND", "uring", 1);
    setenv("EDO_URING_LACKS", "opcode", 1);
    run_on(2, round_trip, NULL);
}

TEST(too_old_a_kernel)
{
#ifndef EDO_DEBUG
    SKIP("only a debug build can be told so");
#endif
    char text[1024];
    CHECK_INT(test_capture(lacking, NULL, text, sizeof text), ==, 0);
    if (strstr(text, LINE) == NULL || strstr(text, "using epoll\n") == NULL)
        FAIL("nothing was said: %s", text);
}

static void insists(void *arg)
{
    refuse_rings(*(unsigned *)arg);
    unsetenv("EDO_BACKEND");
    edo_config config = { .workers = 1, .backend = EDO_BACKEND_URING };
    CHECK_INT(edo_run(&config, round_trip, NULL), ==, -ENOTSUP);
    setenv("EDO_BACKEND", "epoll", 1); /* the operator knows better */
    CHECK_INT(edo_run(&config, round_trip, NULL), ==, 0);
    unsetenv("EDO_BACKEND");
    config.backend = EDO_BACKEND_AUTO;
    CHECK_INT(edo_run(&config, round_trip, NULL), ==, 0);
}

TEST(a_program_that_insists_is_told)
{
    char text[1024];
    unsigned error = EPERM;
    CHECK_INT(test_capture(insists, &error, text, sizeof text), ==, 0);
}

static bool has_rings(void)
{
    return syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno != ENOSYS && errno != EPERM;
}

/* Nothing is submitted before the first wait, and with epoll nothing is submitted for a connection
 * that always has data; so the two can be told apart by how they count what is known to them. */
static int idle_connection(void *arg)
{
    const uint64_t *known = arg; /* then: hangs if it is never so */
    echo_server server;
    char c = 'x';
    edo_stream *s;
    echo_start(&server, 1);
    CHECK_OK(edo_tcp_connect(&s, server.address, NULL));
    CHECK_INT(edo_write(s, &c, 1), ==, 1);
    CHECK_INT(edo_read(s, &c, 1), ==, 1);
    while (known_fds() != *known) /* until the echo reads and the acceptor accepts: both wait */
        CHECK_OK(edo_sleep(EDO_MS(1)));
    edo_close(s);
    echo_stop(&server);
    return 0;
}

TEST(the_program_chooses)
{
    if (!has_rings())
        SKIP("no io_uring");
    unsetenv("EDO_BACKEND");
    uint64_t known = 2; /* operations in flight */
    edo_config config = { .workers = 1, .backend = EDO_BACKEND_URING, .stuck_after = EDO_FOREVER };
    CHECK_INT(edo_run(&config, idle_connection, &known), ==, 0);
    known = 3; /* descriptors: the client's as well */
    config.backend = EDO_BACKEND_EPOLL;
    CHECK_INT(edo_run(&config, idle_connection, &known), ==, 0);
}

/* Runtimes of both kinds in one process, and streams that one has opened and the other uses. */
typedef struct exchange {
    edo_stream *s[2];
    unsigned written; /* atomic: calls of writes() that are over */
} exchange;

static int opens(void *arg)
{
    exchange *x = arg;
    edo_listener *l;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(&x->s[0], address, NULL));
    CHECK_OK(edo_accept(l, &x->s[1]));
    edo_listener_close(l);
    return 0;
}

static int reads(void *arg)
{
    exchange *x = arg;
    char c = 0;
    for (int i = 0; i < 50; i++) {
        CHECK_INT(edo_read(x->s[1], &c, 1), ==, 1);
        CHECK_INT(c, ==, 'a' + i % 26);
        CHECK_INT(edo_write(x->s[1], &c, 1), ==, 1);
    }
    edo_scope s;
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, (int)edo_read(x->s[1], &c, 1)), ==, -ETIMEDOUT);
    return 0;
}

static int writes(void *arg)
{
    exchange *x = arg;
    for (int i = 0; i < 50; i++) {
        char c = (char)('a' + i % 26);
        CHECK_INT(edo_write(x->s[0], &c, 1), ==, 1);
        CHECK_INT(edo_read(x->s[0], &c, 1), ==, 1);
        CHECK_OK(edo_sleep(EDO_US(50)));
    }
    __atomic_fetch_add(&x->written, 1, __ATOMIC_RELEASE);
    return 0;
}

static void await_writes(exchange *x, unsigned n)
{
    while (__atomic_load_n(&x->written, __ATOMIC_ACQUIRE) < n)
        sched_yield();
}

static void exchange_between(edo_runtime *opener, edo_runtime *reader)
{
    exchange x = { 0 };
    CHECK_INT(edo_runtime_block_on(opener, opens, &x), ==, 0);
    CHECK_OK(edo_runtime_spawn(opener, writes, &x));
    CHECK_INT(edo_runtime_block_on(reader, reads, &x), ==, 0);
    await_writes(&x, 1); /* it may still be reading its last answer */
    CHECK_OK(edo_runtime_spawn(opener, writes, &x));
    CHECK_INT(reads(&x), ==, 0); /* a foreign thread */
    await_writes(&x, 2);
    edo_close(x.s[0]);
    edo_close(x.s[1]);
}

TEST_TIMEOUT(streams_change_hands, 60)
{
    if (!has_rings())
        SKIP("no io_uring");
    unsetenv("EDO_BACKEND");
    edo_runtime *ring, *epoll;
    CHECK_OK(
        edo_runtime_create(&ring, &(edo_config){ .backend = EDO_BACKEND_URING, .workers = 2 }));
    CHECK_OK(
        edo_runtime_create(&epoll, &(edo_config){ .backend = EDO_BACKEND_EPOLL, .workers = 2 }));
    exchange_between(ring, epoll);
    exchange_between(epoll, ring);
    CHECK_INT(edo_runtime_shutdown(ring, EDO_SEC(10)), ==, 0);
    CHECK_INT(edo_runtime_shutdown(epoll, EDO_SEC(10)), ==, 0);
}

TEST_MAIN()
