/* SPDX-License-Identifier: MIT */
/* What the tests of TLS share: both ends of a connection in one runtime. */
#ifndef TESTS_TLS_SUPPORT_H
#define TESTS_TLS_SUPPORT_H

#include "pki.h"

#include <dirent.h>
#include <edo/edo.h>
#include <edo/tls.h>
#include <unistd.h>

UNUSED static unsigned tls_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* Byte i of the endless text of one speaker. */
UNUSED static unsigned char tls_byte(uint64_t speaker, uint64_t i)
{
    return (unsigned char)(((i + 1) * 0x9e3779b97f4a7c15u + speaker * 0xbf58476d1ce4e5b9u) >> 53);
}

UNUSED static void tls_run(unsigned workers, edo_fn *fn, void *arg)
{
    edo_config config = { .workers = workers, .stuck_after = EDO_FOREVER };
    CHECK_INT(edo_run(&config, fn, arg), ==, 0);
}

UNUSED static edo_tls_config *tls_config(const edo_tls_options *o)
{
    edo_tls_config *c;
    edo_tls_error e;
    int rc = edo_tls_config_create(&c, o, &e);
    if (rc < 0)
        FAIL("no configuration: %s (%s)", e.text, edo_errname(rc));
    CHECK_INT(e.code, ==, 0);
    CHECK_STR(e.text, "");
    return c;
}

/* An authority, and one that a test may give its certificates to. */
typedef struct tls_world {
    pki *root;
    pki *server; /* for a.example and 127.0.0.1 */
    edo_tls_certificate own;
} tls_world;

UNUSED static void tls_world_make(tls_world *w)
{
    w->root = pki_make(&(pki_options){ .name = "Test Root", .authority = true });
    w->server = pki_make(&(pki_options){ .name = "a.example",
                                         .alt = "DNS:a.example,DNS:*.b.example,IP:127.0.0.1",
                                         .issuer = w->root });
    w->own =
        (edo_tls_certificate){ .cert_pem = w->server->cert_pem, .key_pem = w->server->key_pem };
}

UNUSED static void tls_world_free(tls_world *w)
{
    pki_free(w->root);
    pki_free(w->server);
}

/* Both ends of one connection. */
typedef struct tls_pair {
    edo_tls_config *client_config, *server_config;
    const char *host;
    int64_t patience;     /* with each other; 0: no end */
    edo_stream *below[2]; /* client's, server's; NULL: an edo_duplex() is made */
    edo_stream *client, *server;
    int client_rc, server_rc;
    edo_tls_error client_error, server_error;
} tls_pair;

UNUSED static int tls_pair_server(void *arg)
{
    tls_pair *p = arg;
    edo_scope s;
    edo_scope_open(&s, p->patience > 0 ? p->patience : EDO_FOREVER);
    int rc = edo_tls_server(&p->server, p->below[1], p->server_config, &p->server_error);
    CHECK_INT(p->server_error.code, ==, rc);
    p->server_rc = edo_scope_close(&s, rc);
    if (p->server_rc < 0)
        edo_close(p->below[1]);
    return 0;
}

UNUSED static int tls_pair_client(void *arg)
{
    tls_pair *p = arg;
    edo_scope s;
    edo_scope_open(&s, p->patience > 0 ? p->patience : EDO_FOREVER);
    int rc = edo_tls_client(&p->client, p->below[0], p->host, p->client_config, &p->client_error);
    CHECK_INT(p->client_error.code, ==, rc);
    p->client_rc = edo_scope_close(&s, rc);
    if (p->client_rc < 0)
        edo_close(p->below[0]);
    return 0;
}

/* The handshake of both; what comes of it is in p. A stream that failed is closed and NULL. */
UNUSED static void tls_pair_open(tls_pair *p)
{
    p->client = p->server = NULL;
    if (p->below[0] == NULL)
        CHECK_OK(edo_duplex(&p->below[0], &p->below[1], 0));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, tls_pair_server, p));
    CHECK_OK(edo_spawn(&g, tls_pair_client, p));
    CHECK_INT(edo_group_close(&g), ==, 0);
    p->below[0] = p->below[1] = NULL;
}

UNUSED static void tls_pair_close(tls_pair *p)
{
    edo_close(p->client);
    edo_close(p->server);
    p->client = p->server = NULL;
}

UNUSED static void tls_pair_good(tls_pair *p)
{
    tls_pair_open(p);
    if (p->client_rc < 0 || p->server_rc < 0)
        FAIL("client: %s (%s), server: %s (%s)", edo_errname(p->client_rc), p->client_error.text,
             edo_errname(p->server_rc), p->server_error.text);
}

UNUSED static void tls_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        FAIL("\"%s\" is not in \"%s\"", part, text);
}

/* One sends so many bytes of its text and the other checks them. */
typedef struct tls_talk {
    edo_stream *s;
    uint64_t speaker;
    uint64_t bytes;
    uint64_t at; /* how far it is */
    bool end;    /* then: shut down; or expect the end */
} tls_talk;

UNUSED static int tls_speak(void *arg)
{
    tls_talk *t = arg;
    unsigned char *buf = malloc(40000);
    uint64_t seed = test_seed() + t->speaker;
    CHECK(buf != NULL);
    while (t->at < t->bytes) {
        size_t n = 1 + test_rand(&seed) % 40000;
        if (n > t->bytes - t->at)
            n = (size_t)(t->bytes - t->at);
        for (size_t i = 0; i < n; i++)
            buf[i] = tls_byte(t->speaker, t->at + i);
        CHECK_INT(edo_write(t->s, buf, n), ==, (ssize_t)n);
        t->at += n;
    }
    free(buf);
    if (t->end)
        CHECK_INT(edo_shutdown(t->s), ==, 0);
    return 0;
}

UNUSED static int tls_listen(void *arg)
{
    tls_talk *t = arg;
    unsigned char *buf = malloc(40000);
    CHECK(buf != NULL);
    while (t->at < t->bytes) {
        ssize_t n = edo_read(t->s, buf, 40000);
        if (n <= 0)
            FAIL("reading gives %zd: %s", n, edo_tls_reason(t->s));
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != tls_byte(t->speaker, t->at + (uint64_t)i))
                FAIL("byte %llu is wrong", (unsigned long long)t->at + (unsigned long long)i);
        t->at += (uint64_t)n;
    }
    CHECK_UINT(t->at, ==, t->bytes);
    if (t->end)
        CHECK_INT(edo_read(t->s, buf, 1), ==, 0);
    free(buf);
    return 0;
}

#endif
