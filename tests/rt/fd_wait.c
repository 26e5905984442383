/* SPDX-License-Identifier: MIT */
/* edo_wait_fd() and select's descriptor cases: foreign descriptors that come, go and come again
 * under the same number. */
#define _GNU_SOURCE /* pipe2 */
#include "test.h"

#include <edo/edo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void run_on(unsigned workers, edo_fn *fn, void *arg)
{
    CHECK_INT(edo_run(&(edo_config){ .workers = workers }, fn, arg), ==, 0);
}

static void on_all(edo_fn *fn)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        run_on(workers, fn, NULL);
}

static uint64_t known_fds(void)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return m.fds;
}

static int wait_until(int fd, unsigned events, int64_t after)
{
    edo_scope s;
    edo_scope_open(&s, after);
    int rc = edo_wait_fd(fd, events);
    return edo_scope_close(&s, rc);
}

static int codes_body(void *arg)
{
    (void)arg;
    int p[2], s[2];
    CHECK_INT(edo_wait_fd(-1, EDO_READABLE), ==, -EBADF);
    CHECK_INT(edo_wait_fd(999, EDO_READABLE), ==, -EBADF);
    CHECK_INT(edo_wait_fd(0x7fffffff, EDO_READABLE), <, 0);
    CHECK_INT(edo_wait_fd(0, 0), ==, -EINVAL);
    CHECK_INT(edo_wait_fd(0, 4), ==, -EINVAL);
    char path[] = "/tmp/edo-fd-XXXXXX";
    int file = mkstemp(path);
    CHECK_OK(file);
    unlink(path);
    for (int i = 0; i < 40; i++) /* whatever the look before the wait remembers */
        CHECK_INT(edo_wait_fd(file, EDO_READABLE), ==, -EPERM);
    close(file);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    CHECK_INT(edo_wait_fd(s[0], EDO_WRITABLE), ==, EDO_WRITABLE);
    CHECK_INT(edo_wait_fd(s[0], EDO_READABLE | EDO_WRITABLE), ==, EDO_WRITABLE);
    for (int i = 0; i < 40; i++)
        CHECK_INT(wait_until(s[0], EDO_READABLE, EDO_US(50)), ==, -ETIMEDOUT);
    CHECK_INT(write(s[1], "x", 1), ==, 1);
    CHECK_INT(edo_wait_fd(s[0], EDO_READABLE | EDO_WRITABLE), ==, EDO_READABLE | EDO_WRITABLE);
    CHECK_INT(edo_wait_fd(s[0], EDO_READABLE), ==, EDO_READABLE);
    close(s[1]);
    CHECK_INT(edo_wait_fd(s[0], EDO_READABLE), ==, EDO_READABLE); /* hung up: both */
    close(s[0]);
    CHECK_OK(pipe2(p, O_NONBLOCK));
    close(p[0]);
    CHECK_INT(edo_wait_fd(p[1], EDO_WRITABLE), ==, EDO_WRITABLE);
    close(p[1]);
    CHECK_INT(edo_wait_fd(p[1], EDO_WRITABLE), ==, -EBADF);
    return 0;
}

TEST(codes)
{
    run_on(1, codes_body, NULL);
    CHECK_INT(codes_body(NULL), ==, 0); /* a foreign thread */
}

/* Descriptor numbers go round between tasks: nobody is told of another one's readiness. */
typedef struct reuse {
    uint64_t seed;
} reuse;

static int later(void *arg)
{
    int fd = *(int *)arg;
    CHECK_OK(edo_sleep(EDO_US(30)));
    CHECK_INT(write(fd, "x", 1), ==, 1);
    return 0;
}

static int reuses(void *arg)
{
    reuse *r = arg;
    uint64_t random = r->seed;
    for (unsigned i = 0, n = test_scale(1500); i < n; i++) {
        int p[2];
        char c;
        CHECK_OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
        switch (test_rand(&random) % 4) {
        case 0: /* never ready */
            CHECK_INT(wait_until(p[0], EDO_READABLE, (int64_t)(test_rand(&random) % 100000)), ==,
                      -ETIMEDOUT);
            break;
        case 1: /* ready at once; left ready when it is closed */
            CHECK_INT(write(p[1], "x", 1), ==, 1);
            CHECK_INT(edo_wait_fd(p[0], EDO_READABLE), ==, EDO_READABLE);
            break;
        case 2: { /* ready after a while */
            edo_group g;
            edo_group_open(&g, NULL);
            CHECK_OK(edo_spawn(&g, later, &p[1]));
            CHECK_INT(edo_wait_fd(p[0], EDO_READABLE), ==, EDO_READABLE);
            CHECK_INT(read(p[0], &c, 1), ==, 1);
            CHECK_OK(edo_group_close(&g));
            break;
        }
        default: /* lives on under another number while the first one is reused */
        {
            int other = dup(p[0]);
            CHECK_OK(other);
            CHECK_INT(wait_until(p[0], EDO_READABLE, EDO_US(10)), ==, -ETIMEDOUT);
            close(p[0]);
            CHECK_INT(write(p[1], "x", 1), ==, 1);
            int q[2];
            CHECK_OK(pipe2(q, O_NONBLOCK | O_CLOEXEC));
            CHECK_INT(wait_until(q[0], EDO_READABLE, EDO_US(10)), ==, -ETIMEDOUT);
            CHECK_INT(edo_wait_fd(other, EDO_READABLE), ==, EDO_READABLE);
            close(q[0]);
            close(q[1]);
            p[0] = other;
        }
        }
        close(p[0]);
        close(p[1]);
    }
    return 0;
}

static int reuse_body(void *arg)
{
    (void)arg;
    uint64_t random = test_seed();
    reuse r[6];
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 6; i++) {
        r[i].seed = test_rand(&random);
        CHECK_OK(edo_spawn(&g, reuses, &r[i]));
    }
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(known_fds(), ==, 0);
    return 0;
}

TEST_TIMEOUT(numbers_are_reused, 120)
{
    on_all(reuse_body);
}

/* Many tasks wait for one descriptor, in both directions; all are told, some are cancelled. */
typedef struct crowd {
    int fd[2];
    uint64_t told, cancelled; /* atomic */
} crowd;

static int crowd_reader(void *arg)
{
    crowd *c = arg;
    int rc = edo_wait_fd(c->fd[0], EDO_READABLE);
    CHECK(rc == EDO_READABLE || rc == -ECANCELED);
    __atomic_fetch_add(rc > 0 ? &c->told : &c->cancelled, 1, __ATOMIC_RELAXED);
    return 0;
}

static int crowd_writer(void *arg)
{
    crowd *c = arg;
    CHECK_INT(edo_wait_fd(c->fd[0], EDO_WRITABLE), ==, EDO_WRITABLE);
    __atomic_fetch_add(&c->told, 1, __ATOMIC_RELAXED);
    return 0;
}

static int crowd_body(void *arg)
{
    (void)arg;
    crowd c = { 0 };
    char junk[4096] = { 0 };
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, c.fd));
    while (write(c.fd[0], junk, sizeof junk) > 0)
        continue;
    edo_group stay, leave;
    edo_group_open(&stay, NULL);
    edo_group_open(&leave, NULL);
    for (int i = 0; i < 60; i++) {
        CHECK_OK(edo_spawn(&stay, crowd_reader, &c));
        CHECK_OK(edo_spawn(&leave, crowd_reader, &c));
        CHECK_OK(edo_spawn(&stay, crowd_writer, &c));
    }
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_yield());
    edo_group_cancel(&leave);
    CHECK_OK(edo_group_close(&leave));
    CHECK_UINT(__atomic_load_n(&c.cancelled, __ATOMIC_RELAXED), ==, 60);
    CHECK_UINT(__atomic_load_n(&c.told, __ATOMIC_RELAXED), ==, 0);
    CHECK_INT(write(c.fd[1], "x", 1), ==, 1);
    while (__atomic_load_n(&c.told, __ATOMIC_RELAXED) < 60) /* the readers, and only they */
        CHECK_OK(edo_sleep(EDO_US(100)));
    CHECK_OK(edo_sleep(EDO_MS(2)));
    CHECK_UINT(__atomic_load_n(&c.told, __ATOMIC_RELAXED), ==, 60);
    while (read(c.fd[1], junk, sizeof junk) > 0)
        continue;
    CHECK_OK(edo_group_close(&stay));
    CHECK_UINT(c.told, ==, 120);
    close(c.fd[0]);
    close(c.fd[1]);
    CHECK_UINT(known_fds(), ==, 0);
    return 0;
}

TEST(many_waiters)
{
    on_all(crowd_body);
}

/* Select: losers take their registration back; the same descriptor twice; nowait. */
static int select_body(void *arg)
{
    (void)arg;
    int a[2], b[2];
    char junk[4096] = { 0 };
    CHECK_OK(pipe2(a, O_NONBLOCK));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b));
    for (unsigned i = 0; i < test_scale(200); i++) {
        edo_case cases[] = { EDO_READABLE(a[0]), EDO_READABLE(b[0]), EDO_AFTER(EDO_US(i % 40)) };
        CHECK_INT(edo_select(cases, 3), ==, 2);
        CHECK_INT(edo_select_nowait(cases, 2), ==, -EAGAIN);
        CHECK_INT(write(i % 2 ? a[1] : b[1], "x", 1), ==, 1);
        CHECK_INT(edo_select(cases, 2), ==, i % 2 ? 0 : 1);
        CHECK_INT(cases[i % 2 ? 0 : 1].result, ==, EDO_READABLE);
        CHECK_INT(edo_select_nowait(cases, 2), ==, i % 2 ? 0 : 1);
        CHECK_INT(read(i % 2 ? a[0] : b[0], junk, 1), ==, 1);
    }
    while (write(b[0], junk, sizeof junk) > 0)
        continue;
    edo_case both[] = { EDO_READABLE(b[0]), EDO_WRITABLE(b[0]), EDO_AFTER(EDO_MS(1)) };
    CHECK_INT(edo_select(both, 3), ==, 2);
    while (read(b[1], junk, sizeof junk) > 0)
        continue;
    CHECK_INT(edo_select(both, 3), ==, 1);
    edo_case bad[] = { EDO_READABLE(a[0]), EDO_READABLE(999) };
    CHECK_INT(edo_select(bad, 2), ==, -EBADF);
    CHECK_UINT(edo_runtime_current() != NULL ? known_fds() : 0, ==, 0);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    return 0;
}

TEST(select_cases)
{
    run_on(1, select_body, NULL);
    run_on(2, select_body, NULL);
    CHECK_INT(select_body(NULL), ==, 0); /* a foreign thread */
}

/* A library may wait for the descriptor of a stream: what it was told by edges does not get
 * lost. */
static int stream_fd_body(void *arg)
{
    (void)arg;
    int s[2];
    edo_stream *stream;
    char c;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    CHECK_OK(edo_stream_from_fd(&stream, s[0]));
    for (int i = 0; i < 20; i++) {
        CHECK_INT(wait_until(s[0], EDO_READABLE, EDO_US(100)), ==, -ETIMEDOUT);
        CHECK_INT(write(s[1], "x", 1), ==, 1);
        for (int k = 0; k < 20; k++)
            CHECK_INT(edo_wait_fd(s[0], EDO_READABLE), ==, EDO_READABLE);
        CHECK_INT(edo_read(stream, &c, 1), ==, 1);
        edo_scope scope;
        edo_scope_open(&scope, EDO_US(100));
        CHECK_INT(edo_scope_close(&scope, (int)edo_read(stream, &c, 1)), ==, -ETIMEDOUT);
    }
    edo_close(stream);
    close(s[1]);
    return 0;
}

TEST(descriptor_of_a_stream)
{
    run_on(1, stream_fd_body, NULL);
}

/* A task that holds its worker keeps nobody from hearing of a descriptor that is registered
 * there. */
#define HELD 16

typedef struct held {
    int fd[HELD][2];
    unsigned started, told; /* atomic */
} held;

typedef struct held_waiter {
    held *h;
    int number;
} held_waiter;

static int held_waits(void *arg)
{
    held_waiter *w = arg;
    __atomic_fetch_add(&w->h->started, 1, __ATOMIC_RELAXED);
    CHECK_INT(edo_wait_fd(w->h->fd[w->number][0], EDO_READABLE), ==, EDO_READABLE);
    __atomic_fetch_add(&w->h->told, 1, __ATOMIC_RELAXED);
    return 0;
}

static int held_body(void *arg)
{
    (void)arg;
    held h = { 0 };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < HELD; i++) {
        held_waiter w = { &h, i };
        CHECK_OK(pipe2(h.fd[i], O_NONBLOCK));
        CHECK_OK(edo_spawn_copy(&g, held_waits, &w, sizeof w));
    }
    while (__atomic_load_n(&h.started, __ATOMIC_RELAXED) < HELD)
        CHECK_OK(edo_yield());
    CHECK_OK(edo_sleep(EDO_MS(5)));
    for (int i = 0; i < HELD; i++)
        CHECK_INT(write(h.fd[i][1], "x", 1), ==, 1);
    while (__atomic_load_n(&h.told, __ATOMIC_RELAXED) < HELD) /* without a suspension */
        sched_yield();
    CHECK_OK(edo_group_close(&g));
    for (int i = 0; i < HELD; i++) {
        close(h.fd[i][0]);
        close(h.fd[i][1]);
    }
    return 0;
}

TEST(held_worker)
{
    run_on(2, held_body, NULL);
    run_on(4, held_body, NULL);
}

/* Threads outside of any runtime: data, deadlines, cancels from elsewhere. */
typedef struct outside {
    int fd[2];
    edo_token *token;
    int rc;
} outside;

static void *waits_outside(void *arg)
{
    outside *o = arg;
    edo_scope s;
    CHECK_OK(edo_scope_open_token(&s, o->token, EDO_SEC(20)));
    o->rc = edo_wait_fd(o->fd[0], EDO_READABLE);
    (void)edo_scope_close(&s, o->rc);
    return NULL;
}

static int outside_body(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 40; i++) {
        outside o;
        pthread_t thread;
        CHECK_OK(pipe2(o.fd, O_NONBLOCK));
        CHECK_OK(edo_token_create(&o.token));
        CHECK_INT(pthread_create(&thread, NULL, waits_outside, &o), ==, 0);
        CHECK_OK(edo_sleep(EDO_US(i * 20)));
        if (i % 2 == 0)
            CHECK_INT(write(o.fd[1], "x", 1), ==, 1);
        else
            edo_token_cancel(o.token);
        pthread_join(thread, NULL);
        CHECK_INT(o.rc, ==, i % 2 == 0 ? EDO_READABLE : -ECANCELED);
        edo_token_release(o.token);
        close(o.fd[0]);
        close(o.fd[1]);
    }
    return 0;
}

TEST(foreign_threads)
{
    run_on(2, outside_body, NULL);
    int p[2];
    CHECK_OK(pipe2(p, O_NONBLOCK));
    int64_t before = edo_now();
    CHECK_INT(wait_until(p[0], EDO_READABLE, EDO_MS(20)), ==, -ETIMEDOUT);
    CHECK_INT(edo_now() - before, >=, EDO_MS(20));
}

TEST_MAIN()
