/* SPDX-License-Identifier: MIT */
/*
 * Memory of the program: allocation that cannot fail, an arena, a growable byte buffer and a map
 * from strings.
 *
 * husako is a short-lived program whose every allocation is bounded by its input (documents are
 * capped in size), so running out of memory ends it with a message and exit code 1. Output files
 * are staged and renamed, so ending at any moment leaves the user's files whole.
 */
#ifndef HUSAKO_MEM_H
#define HUSAKO_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HU_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Never return NULL; release with free(). */
void *hu_alloc(size_t size);
void *hu_calloc(size_t count, size_t size);
void *hu_realloc(void *p, size_t size);
char *hu_strdup(const char *s);
char *hu_strndup(const char *s, size_t len);
char *hu_format(const char *fmt, ...) HU_PRINTF(1, 2);

/* A string that is not owned and need not end in NUL. */
typedef struct hu_str {
    const char *data;
    size_t len;
} hu_str;

static inline hu_str hu_str_of(const char *s)
{
    return (hu_str){ s, strlen(s) };
}

static inline bool hu_str_eq(hu_str a, hu_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Bytewise order, the shorter first when one is a prefix of the other. */
static inline int hu_str_cmp(hu_str a, hu_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool hu_str_starts(hu_str s, const char *prefix);
bool hu_str_ends(hu_str s, const char *suffix);

/* An arena: everything in it is freed together. One owner at a time. */
typedef struct hu_arena_block hu_arena_block;
typedef struct hu_arena {
    hu_arena_block *blocks; /* newest first */
    char *at;
    char *end;
} hu_arena;

void *hu_arena_alloc(hu_arena *arena, size_t size);
char *hu_arena_strndup(hu_arena *arena, const char *s, size_t len);
char *hu_arena_format(hu_arena *arena, const char *fmt, ...) HU_PRINTF(2, 3);
void hu_arena_free(hu_arena *arena);

/* A growable byte buffer; all zero is a valid empty one. `data` always ends in NUL when set. */
typedef struct hu_buf {
    char *data;
    size_t len;
    size_t cap;
} hu_buf;

void hu_buf_reserve(hu_buf *buf, size_t extra);
void hu_buf_format(hu_buf *buf, const char *fmt, ...) HU_PRINTF(2, 3);
void hu_buf_free(hu_buf *buf);

static inline void hu_buf_add(hu_buf *buf, const char *data, size_t len)
{
    if (buf->cap - buf->len <= len)
        hu_buf_reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

static inline void hu_buf_char(hu_buf *buf, char c)
{
    hu_buf_add(buf, &c, 1);
}

static inline void hu_buf_str(hu_buf *buf, hu_str s)
{
    hu_buf_add(buf, s.data, s.len);
}

static inline void hu_buf_puts(hu_buf *buf, const char *s)
{
    hu_buf_add(buf, s, strlen(s));
}

/* Text as a JSON (and JavaScript, and TOML basic) string with its quotes. */
void hu_buf_json_string(hu_buf *buf, hu_str s);

/* A map from strings to pointers: open addressing, keys not owned, entries kept in the order of
 * insertion, so that walking it is deterministic. All zero is a valid empty one. */
typedef struct hu_map_entry {
    hu_str key;
    void *value;
    uint64_t hash;
} hu_map_entry;

typedef struct hu_map {
    hu_map_entry *entries;
    size_t len;
    size_t cap;
    uint32_t *slots; /* index into entries plus one; 0: free */
    size_t slot_count;
} hu_map;

void *hu_map_get(const hu_map *map, hu_str key);
/* Returns the entry of the key, new with a NULL value if it was not there. Valid until the next
 * insertion. */
hu_map_entry *hu_map_put(hu_map *map, hu_str key);
void hu_map_free(hu_map *map);

/* djb2 of the lock file: 64 bits, seed 5381. */
#define HU_DJB2_SEED UINT64_C(5381)
uint64_t hu_djb2(uint64_t h, const void *data, size_t len);

/* Fast content hash for cache decisions; not stable between versions of the program. */
uint64_t hu_hash(const void *data, size_t len);

#endif
