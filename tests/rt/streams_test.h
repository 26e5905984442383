/* SPDX-License-Identifier: MIT */
/* What the tests of the streams toolkit share: bytes that can be checked wherever they appear, and
 * streams that give and take them in pieces of random sizes, at random times. */
#ifndef EDO_STREAMS_TEST_H
#define EDO_STREAMS_TEST_H

#include "core_test.h"

/* The byte at a position of the stream that all the tests send. */
static inline unsigned char byte_at(uint64_t at)
{
    return (unsigned char)(((at + 1) * 0x9e3779b97f4a7c15u) >> 56);
}

static inline void check_bytes(const void *data, size_t n, uint64_t at)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte_at(at + i))
            FAIL("byte %llu is %d, not %d", (unsigned long long)(at + i), p[i], byte_at(at + i));
}

static inline void fill_bytes(void *data, size_t n, uint64_t at)
{
    unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(at + i);
}

/* Gives text (or, if that is NULL, n numbered bytes) in pieces of `piece` bytes at most, random ones
 * if `random` is not 0; then the end, or `error`. */
typedef struct dribble {
    const char *text;
    size_t n, at, piece;
    uint64_t random;
    int error;
    unsigned reads;
} dribble;

static inline ssize_t dribble_read(void *ctx, void *buf, size_t n)
{
    dribble *d = ctx;
    d->reads++;
    size_t most = d->random != 0 ? 1 + test_rand(&d->random) % d->piece : d->piece;
    n = n < most ? n : most;
    n = n < d->n - d->at ? n : d->n - d->at;
    if (n == 0)
        return d->error;
    if (d->text != NULL)
        memcpy(buf, d->text + d->at, n);
    else
        fill_bytes(buf, n, d->at);
    d->at += n;
    return (ssize_t)n;
}

static const edo_stream_ops dribble_ops = { .read = dribble_read };

static inline edo_stream *dribbles(dribble *d, const char *text, size_t n, size_t piece)
{
    edo_stream *s;
    *d = (dribble){ .text = text, .n = n, .piece = piece };
    CHECK_OK(edo_stream_create(&s, &dribble_ops, d));
    return s;
}

/* A task that writes `total` numbered bytes to s in random pieces with random pauses, and ends it. */
typedef struct source {
    edo_stream *s;
    uint64_t total;
    size_t piece;
    uint64_t seed;
} source;

static inline int source_runs(void *arg)
{
    source *f = arg;
    uint64_t random = f->seed;
    char *buf = malloc(f->piece);
    for (uint64_t at = 0; at < f->total;) {
        size_t n = 1 + test_rand(&random) % f->piece;
        n = n < f->total - at ? n : (size_t)(f->total - at);
        fill_bytes(buf, n, at);
        CHECK_INT(edo_write(f->s, buf, n), ==, n);
        at += n;
        if (test_rand(&random) % 8 == 0)
            CHECK_OK(edo_sleep(EDO_US(test_rand(&random) % 50)));
    }
    free(buf);
    return edo_shutdown(f->s);
}

/* Reads s to its end and checks that it is `total` numbered bytes. */
static inline void check_stream(edo_stream *s, uint64_t total)
{
    char *buf = malloc(5000);
    uint64_t at = 0;
    ssize_t n;
    while ((n = edo_read(s, buf, 5000)) > 0) {
        check_bytes(buf, (size_t)n, at);
        at += (uint64_t)n;
    }
    CHECK_INT(n, ==, 0);
    CHECK_UINT(at, ==, total);
    free(buf);
}

/* A copy that is cancelled again and again and goes on. */
typedef struct copying {
    edo_stream *from, *to;
    uint64_t copied;
    unsigned cancels;
} copying;

/* All arrives, in order, once. copier: takes a copying, copies and shuts `to` down. */
static inline void check_copy_goes_on(edo_fn *copier)
{
    edo_stream *a, *b, *c, *d;
    CHECK_OK(edo_duplex(&a, &b, 700));
    CHECK_OK(edo_duplex(&c, &d, 300));
    source from = { a, test_scale(1000000), 2000, test_seed() };
    copying copy = { .from = b, .to = c };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, source_runs, &from));
    CHECK_OK(edo_spawn(&g, copier, &copy));
    check_stream(d, from.total);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(copy.copied, ==, from.total);
    CHECK_UINT(copy.cancels, >, 0);
    edo_stream *all[] = { a, b, c, d };
    for (int i = 0; i < 4; i++)
        edo_close(all[i]);
}

#endif
