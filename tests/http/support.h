/* SPDX-License-Identifier: MIT */
/* HTTP tests: a server in the same runtime, whose connections are served by a function of the test,
 * and the frame around both: client, group, and the check that no descriptor stays behind. */
#ifndef TESTS_HTTP_SUPPORT_H
#define TESTS_HTTP_SUPPORT_H

#include "test.h"

#include <dirent.h>
#include <edo/edo.h>
#include <edo/http.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define UNUSED __attribute__((unused))

typedef struct http_test http_test;

struct http_test {
    edo_http_client_options options;
    edo_config config;
    int (*serve)(http_test *t, edo_stream *s); /* a connection; the stream is closed after it */
    int (*body)(http_test *t);                 /* the test, on a task */
    void *arg;

    edo_http_client *client; /* a body that destroys it sets it to NULL */
    edo_listener *listener;
    edo_group *group;       /* of the server's tasks; a body may spawn into it */
    char base[64];          /* "http://127.0.0.1:PORT" */
    char url[128];          /* of http_url() */
    atomic_int connections; /* ever accepted */
    atomic_int open;        /* of them still open */
    atomic_int requests;
};

typedef struct served {
    http_test *t;
    edo_stream *s;
} served;

UNUSED static const char *http_url(http_test *t, const char *path)
{
    snprintf(t->url, sizeof t->url, "%s%s", t->base, path);
    return t->url;
}

/* Reads up to and including the blank line. Returns the length; 0 at the end of the connection. */
UNUSED static int http_read_head(edo_stream *s, char *head, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        ssize_t got = edo_read(s, head + n, 1);
        if (got <= 0)
            return got < 0 ? (int)got : 0;
        head[++n] = '\0';
        if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
            return (int)n;
    }
    return EDO_EOVERSIZE;
}

UNUSED static int http_send(edo_stream *s, const char *text)
{
    ssize_t n = edo_write(s, text, strlen(text));
    return n < 0 ? (int)n : 0;
}

/* A whole answer. `more`: further headers, each with its line end. */
UNUSED static int http_reply(edo_stream *s, const char *status, const char *more, const char *body)
{
    char head[512];
    size_t len = strlen(body);
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status, len,
                     more);
    struct iovec iov[2] = { { head, (size_t)n }, { (char *)(uintptr_t)body, len } };
    ssize_t sent = edo_writev(s, iov, 2);
    return sent < 0 ? (int)sent : 0;
}

/* Waits until the client closes the connection. */
UNUSED static int http_await_close(edo_stream *s)
{
    char byte[64];
    ssize_t n;
    while ((n = edo_read(s, byte, sizeof byte)) > 0)
        continue;
    return n == -ECANCELED ? -ECANCELED : 0;
}

UNUSED static int http_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    CHECK(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Waits until a count is what it should come to, or fails. */
UNUSED static void http_await_count(atomic_int *count, int wanted)
{
    for (int i = 0; i < 25000 && atomic_load(count) != wanted; i++)
        CHECK_INT(edo_sleep(EDO_MS(1)), ==, 0);
    CHECK_INT(atomic_load(count), ==, wanted);
}

static int http__serve(void *arg)
{
    served *a = arg;
    http_test *t = a->t;
    (void)t->serve(t, a->s);
    edo_close(a->s);
    atomic_fetch_sub(&t->open, 1);
    return 0;
}

static int http__accept(void *arg)
{
    http_test *t = arg;
    for (;;) {
        served a = { .t = t };
        int rc = edo_accept(t->listener, &a.s);
        if (rc == -ECANCELED)
            return rc;
        if (rc < 0)
            continue; /* out of memory, say: the connection stays in the queue */
        atomic_fetch_add(&t->connections, 1);
        atomic_fetch_add(&t->open, 1);
        if (edo_spawn_copy(t->group, http__serve, &a, sizeof a) < 0) {
            edo_close(a.s);
            atomic_fetch_sub(&t->open, 1);
        }
    }
}

static int http__main(void *arg)
{
    http_test *t = arg;
    edo_group g;
    CHECK_OK(edo_tcp_listen(&t->listener, "127.0.0.1:0", NULL));
    snprintf(t->base, sizeof t->base, "http://127.0.0.1:%u", edo_listener_port(t->listener));
    edo_group_open(&g, &(edo_group_options){ .keep_going = true, .discard = true });
    t->group = &g;
    CHECK_OK(edo_spawn(&g, http__accept, t));
    CHECK_OK(edo_http_client_create(&t->client, &t->options));
    int rc = t->body(t);
    edo_http_client_destroy(t->client);
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    CHECK_INT(atomic_load(&t->open), ==, 0);
    edo_listener_close(t->listener);
    return rc;
}

/* Runs the test. */
UNUSED static void http_run(http_test *t)
{
    if (!t->config.workers)
        t->config.workers = 4;
    t->config.stuck_after = EDO_FOREVER;
    int before = http_count_fds();
    CHECK_OK(edo_run(&t->config, http__main, t));
    CHECK_INT(http_count_fds(), ==, before);
}

#endif
