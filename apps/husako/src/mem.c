/* SPDX-License-Identifier: MIT */
/* Allocation, arena, buffer; see mem.h. */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noreturn)) static void out_of_memory(void)
{
    static const char text[] = "error: allocating memory: out of memory; "
                               "raise the memory limit of this process and try again\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

void *hu_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *hu_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *hu_realloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *hu_strndup(const char *s, size_t len)
{
    char *copy = hu_alloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}

char *hu_strdup(const char *s)
{
    return hu_strndup(s, strlen(s));
}

char *hu_format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0)
        out_of_memory();
    va_end(args);
    return text;
}

bool hu_str_starts(hu_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

bool hu_str_ends(hu_str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && memcmp(s.data + s.len - n, suffix, n) == 0;
}

/* ---- arena ---- */

enum { ARENA_BLOCK = 64 * 1024 };

struct hu_arena_block {
    hu_arena_block *next;
    max_align_t data[];
};

static void *arena_block(hu_arena *arena, size_t size)
{
    hu_arena_block *block = hu_alloc(sizeof *block + size);
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

void *hu_arena_alloc(hu_arena *arena, size_t size)
{
    size_t align = _Alignof(max_align_t);
    size = (size + align - 1) & ~(align - 1);
    if (size > ARENA_BLOCK / 4)
        return arena_block(arena, size);
    if ((size_t)(arena->end - arena->at) < size) {
        arena->at = arena_block(arena, ARENA_BLOCK);
        arena->end = arena->at + ARENA_BLOCK;
    }
    void *p = arena->at;
    arena->at += size;
    return p;
}

char *hu_arena_strndup(hu_arena *arena, const char *s, size_t len)
{
    char *copy = hu_arena_alloc(arena, len + 1);
    memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}

char *hu_arena_format(hu_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int len = vasprintf(&text, fmt, args);
    if (len < 0)
        out_of_memory();
    va_end(args);
    char *copy = hu_arena_strndup(arena, text, (size_t)len);
    free(text);
    return copy;
}

void hu_arena_free(hu_arena *arena)
{
    hu_arena_block *block = arena->blocks;
    while (block) {
        hu_arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (hu_arena){ 0 };
}

/* ---- buffer ---- */

void hu_buf_reserve(hu_buf *buf, size_t extra)
{
    size_t need = buf->len + extra + 1;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap * 2 : 256;
    if (cap < need)
        cap = need;
    buf->data = hu_realloc(buf->data, cap);
    buf->cap = cap;
    buf->data[buf->len] = 0;
}

void hu_buf_format(hu_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int len = vasprintf(&text, fmt, args);
    if (len < 0)
        out_of_memory();
    va_end(args);
    hu_buf_add(buf, text, (size_t)len);
    free(text);
}

void hu_buf_free(hu_buf *buf)
{
    free(buf->data);
    *buf = (hu_buf){ 0 };
}

static void json_escape(hu_buf *buf, unsigned char c)
{
    switch (c) {
    case '"': hu_buf_puts(buf, "\\\""); return;
    case '\\': hu_buf_puts(buf, "\\\\"); return;
    case '\n': hu_buf_puts(buf, "\\n"); return;
    case '\r': hu_buf_puts(buf, "\\r"); return;
    case '\t': hu_buf_puts(buf, "\\t"); return;
    default: hu_buf_format(buf, "\\u%04x", c);
    }
}

void hu_buf_json_string(hu_buf *buf, hu_str s)
{
    hu_buf_reserve(buf, s.len + 2);
    hu_buf_char(buf, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        hu_buf_add(buf, s.data + from, i - from);
        json_escape(buf, c);
        from = i + 1;
    }
    hu_buf_add(buf, s.data + from, s.len - from);
    hu_buf_char(buf, '"');
}
