/* SPDX-License-Identifier: MIT */
/* Streams over pipes, socket pairs and terminals: edo_stream_from_fd() and what reads and writes
 * do. */
#define _GNU_SOURCE /* pipe2 */
#include "test.h"

#include <edo/edo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void run_on(unsigned workers, edo_fn *fn)
{
    CHECK_INT(edo_run(&(edo_config){ .workers = workers }, fn, NULL), ==, 0);
}

static void pipe_streams(edo_stream **r, edo_stream **w)
{
    int fd[2];
    CHECK_OK(pipe2(fd, O_CLOEXEC));
    CHECK_OK(edo_stream_from_fd(r, fd[0]));
    CHECK_OK(edo_stream_from_fd(w, fd[1]));
    CHECK((fcntl(fd[0], F_GETFL) & O_NONBLOCK) != 0);
}

static void socket_streams(edo_stream **a, edo_stream **b)
{
    int fd[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
    CHECK_OK(edo_stream_from_fd(a, fd[0]));
    CHECK_OK(edo_stream_from_fd(b, fd[1]));
}

typedef struct flow {
    edo_stream *from, *to;
    size_t total;
    bool pieces; /* edo_writev() with many pieces */
} flow;

#define PIECES 64

static int pours(void *arg)
{
    flow *f = arg;
    uint64_t random = test_seed();
    size_t size = 300000;
    unsigned char *buf = malloc(size);
    for (size_t at = 0; at < f->total;) {
        size_t n = 1 + test_rand(&random) % size;
        n = n < f->total - at ? n : f->total - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = (unsigned char)((at + i) * 31 >> 3);
        ssize_t done;
        if (f->pieces) {
            struct iovec iov[PIECES];
            size_t from = 0;
            for (size_t i = 0; i < PIECES; i++) { /* some empty, the last takes the rest */
                size_t left = n - from, len = test_rand(&random) % (2 * size / PIECES);
                len = i % 7 == 3 ? 0 : len;
                len = len > left || i == PIECES - 1 ? left : len;
                iov[i] = (struct iovec){ buf + from, len };
                from += len;
            }
            struct iovec before[PIECES];
            memcpy(before, iov, sizeof iov);
            done = edo_writev(f->to, iov, PIECES);
            CHECK(memcmp(before, iov, sizeof iov) == 0);
        } else {
            done = edo_write(f->to, buf, n);
        }
        CHECK_INT(done, ==, n);
        at += n;
    }
    free(buf);
    return edo_close(f->to);
}

static void drains(flow *f)
{
    uint64_t random = test_seed() + 1;
    unsigned char *buf = malloc(100000);
    size_t have = 0;
    ssize_t n;
    while ((n = edo_read(f->from, buf, 1 + test_rand(&random) % 100000)) > 0)
        for (ssize_t i = 0; i < n; i++, have++)
            CHECK_INT(buf[i], ==, (unsigned char)(have * 31 >> 3));
    CHECK_INT(n, ==, 0);
    CHECK_UINT(have, ==, f->total);
    free(buf);
    CHECK_OK(edo_close(f->from));
}

static int flows(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        flow f = { .total = test_scale(5000000), .pieces = i % 2 == 1 };
        if (i < 2)
            pipe_streams(&f.from, &f.to);
        else
            socket_streams(&f.from, &f.to);
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, pours, &f));
        drains(&f);
        CHECK_OK(edo_group_close(&g));
    }
    return 0;
}

TEST_TIMEOUT(pipes_and_socketpairs, 60)
{
    run_on(1, flows);
    run_on(2, flows);
}

/* A pipe in packet mode and a terminal end reads early although there is more: nothing may be
 * missed. */
static int packets_body(void *arg)
{
    (void)arg;
    int fd[2];
    CHECK_OK(pipe2(fd, O_CLOEXEC | O_DIRECT));
    edo_stream *r, *w;
    CHECK_OK(edo_stream_from_fd(&r, fd[0]));
    CHECK_OK(edo_stream_from_fd(&w, fd[1]));
    char buf[16];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_INT(edo_write(w, "abc", 3), ==, 3);
        for (int i = 0; i < 3; i++)
            CHECK_INT(edo_read(r, buf, sizeof buf), ==, 3);
        edo_scope s;
        edo_scope_open(&s, EDO_US(100));
        CHECK_INT(edo_scope_close(&s, (int)edo_read(r, buf, sizeof buf)), ==, -ETIMEDOUT);
    }
    edo_close(r);
    edo_close(w);
    return 0;
}

TEST(packets)
{
    run_on(1, packets_body);
}

static int terminal_body(void *arg)
{
    (void)arg;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        SKIP("no pseudo-terminals here");
    CHECK_OK(grantpt(master));
    CHECK_OK(unlockpt(master));
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK_OK(slave);
    edo_stream *m, *t;
    CHECK_OK(edo_stream_from_fd(&m, master));
    CHECK_OK(edo_stream_from_fd(&t, slave));
    CHECK_INT(edo_write(m, "one\ntwo\nthree\n", 14), ==, 14);
    char line[64]; /* a terminal gives one line per read */
    CHECK_INT(edo_read(t, line, sizeof line), ==, 4);
    CHECK_INT(edo_read(t, line, sizeof line), ==, 4);
    CHECK_INT(edo_read(t, line, sizeof line), ==, 6);
    CHECK_MEM(line, "three\n", 6);
    edo_close(m);
    edo_close(t);
    return 0;
}

TEST(terminal)
{
    run_on(1, terminal_body);
}

static int no_sigpipe_body(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        edo_stream *r, *w;
        if (i == 0)
            pipe_streams(&r, &w);
        else
            socket_streams(&r, &w);
        edo_close(r);
        CHECK_INT(edo_write(w, "x", 1), ==, -EPIPE);
        CHECK_INT(edo_write(w, "x", 1), ==, -EPIPE);
        edo_close(w);
    }
    sigset_t pending;
    CHECK_OK(sigpending(&pending));
    CHECK_INT(sigismember(&pending, SIGPIPE), ==, 0);
    return 0;
}

TEST(no_sigpipe)
{
    signal(SIGPIPE, SIG_DFL);
    run_on(1, no_sigpipe_body);
    run_on(2, no_sigpipe_body);
    CHECK_INT(no_sigpipe_body(NULL), ==, 0); /* a foreign thread */
}

static int codes_body(void *arg)
{
    (void)arg;
    edo_stream *s = NULL, *peer;
    char buf[16];
    CHECK_INT(edo_stream_from_fd(&s, -1), ==, -EBADF);
    CHECK_INT(edo_stream_from_fd(&s, 1000), ==, -EBADF);
    char path[] = "/tmp/edo-io-XXXXXX";
    int file = mkstemp(path);
    CHECK_OK(file);
    unlink(path);
    CHECK_INT(edo_stream_from_fd(&s, file), ==, -EPERM);
    CHECK((fcntl(file, F_GETFL) & O_NONBLOCK) == 0);
    close(file);
    CHECK_PTR(s, ==, NULL);
    CHECK_INT(edo_close(NULL), ==, 0);

    socket_streams(&s, &peer);
    CHECK_INT(edo_read(s, buf, 0), ==, 0);
    CHECK_INT(edo_read_full(s, buf, 0), ==, 0);
    CHECK_INT(edo_write(s, buf, 0), ==, 0);
    struct iovec iov[65] = { { buf, 1 } };
    CHECK_INT(edo_writev(s, iov, 0), ==, 0);
    CHECK_INT(edo_writev(s, iov, 65), ==, -EINVAL);
    CHECK_INT(edo_writev(s, iov, -1), ==, -EINVAL);
    iov[0].iov_len = SIZE_MAX;
    CHECK_INT(edo_writev(s, iov, 1), ==, -EINVAL);
    CHECK_INT(edo_write(peer, "abc", 3), ==, 3);
    CHECK_OK(edo_shutdown(peer));
    CHECK_INT(edo_read_full(s, buf, 4), ==, EDO_EEOF);
    CHECK_MEM(buf, "abc", 3);
    CHECK_INT(edo_read(s, buf, 4), ==, 0);
    edo_close(s);
    edo_close(peer);
    return 0;
}

TEST(codes)
{
    run_on(1, codes_body);
}

static int two_readers(void *arg)
{
    char c;
    (void)!edo_read(arg, &c, 1);
    return 0;
}

static int misuse_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    socket_streams(&a, &b);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, two_readers, a));
    CHECK_OK(edo_spawn(&g, two_readers, a));
    return edo_group_close(&g);
}

static void misuse(void *arg)
{
    (void)arg;
    run_on(1, misuse_body);
}

TEST(two_readers_are_refused)
{
    char text[4096];
    int status = test_capture(misuse, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    CHECK(strstr(text, "assertion failed") != NULL);
}

/* A stream made by a thread outside, used by tasks, and closed outside again. */
static edo_stream *shared_r, *shared_w;

static int uses_shared(void *arg)
{
    char c;
    (void)arg;
    CHECK_INT(edo_read(shared_r, &c, 1), ==, 1);
    CHECK_INT(c, ==, 'x');
    edo_scope s;
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, (int)edo_read(shared_r, &c, 1)), ==, -ETIMEDOUT);
    return 0;
}

TEST(across_runtimes_and_threads)
{
    socket_streams(&shared_r, &shared_w);
    char c;
    for (unsigned i = 0; i < 5; i++) { /* each runtime registers it and is gone afterwards */
        CHECK_INT(edo_write(shared_w, "x", 1), ==, 1);
        run_on(1 + i % 3, uses_shared);
        edo_scope s;
        edo_scope_open(&s, EDO_MS(1));
        CHECK_INT(edo_scope_close(&s, (int)edo_read(shared_r, &c, 1)), ==, -ETIMEDOUT);
        CHECK_INT(edo_write(shared_w, "y", 1), ==, 1);
        CHECK_INT(edo_read(shared_r, &c, 1), ==, 1);
    }
    edo_close(shared_r);
    edo_close(shared_w);
}

TEST_MAIN()
