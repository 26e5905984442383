/* SPDX-License-Identifier: MIT */
/* Streams that have nothing below: null, one byte for ever, memory. */
#include "io/stream.h"

#include <edo/stream.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ssize_t null_read(void *ctx, void *buf, size_t n)
{
    (void)ctx, (void)buf, (void)n;
    return 0;
}

static ssize_t null_write(void *ctx, const void *data, size_t n)
{
    (void)ctx, (void)data;
    return (ssize_t)n;
}

int edo_stream_null(edo_stream **out)
{
    static const edo_stream_ops ops = { .read = null_read, .write = null_write };
    return edo_stream_create(out, &ops, NULL);
}

static ssize_t repeat_read(void *ctx, void *buf, size_t n)
{
    memset(buf, (int)(intptr_t)ctx, n);
    return (ssize_t)n;
}

int edo_stream_repeat(edo_stream **out, char byte)
{
    static const edo_stream_ops ops = { .read = repeat_read };
    return edo_stream_create(out, &ops, (void *)(intptr_t)byte);
}

typedef struct memory {
    const char *data;
    size_t left;
} memory;

static ssize_t memory_read(void *ctx, void *buf, size_t n)
{
    memory *m = ctx;
    if (n > m->left)
        n = m->left;
    if (n > 0)
        memcpy(buf, m->data, n);
    m->data += n;
    m->left -= n;
    return (ssize_t)n;
}

static int memory_close(void *ctx)
{
    free(ctx);
    return 0;
}

int edo_stream_memory(edo_stream **out, const void *data, size_t n)
{
    static const edo_stream_ops ops = { .read = memory_read, .close = memory_close };
    memory *m = malloc(sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    *m = (memory){ .data = data, .left = n };
    int rc = edo_stream_create(out, &ops, m);
    if (rc < 0)
        free(m);
    return rc;
}
