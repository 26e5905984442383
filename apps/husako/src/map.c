/* SPDX-License-Identifier: MIT */
/* Hashes and the map from strings; see mem.h. */
#include "mem.h"

#include <stdlib.h>

uint64_t hu_djb2(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        h = h * 33 + p[i];
    return h;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(a ^ UINT64_C(0x9e3779b97f4a7c15)) * (b ^ UINT64_C(0xd6e8feb86659fd93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

uint64_t hu_hash(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t a = len, b = UINT64_C(0xa0761d6478bd642f);
    size_t left = len;
    for (; left >= 16; left -= 16, p += 16) {
        a = mix(a ^ load64(p), b);
        b = mix(b ^ load64(p + 8), a);
    }
    unsigned char tail[16] = { 0 };
    if (left)
        memcpy(tail, p, left);
    a = mix(a ^ load64(tail), b);
    b = mix(b ^ load64(tail + 8), a);
    return mix(a, b ^ len);
}

static void rehash(hu_map *map, size_t slot_count)
{
    free(map->slots);
    map->slots = hu_calloc(slot_count, sizeof *map->slots);
    map->slot_count = slot_count;
    for (size_t i = 0; i < map->len; i++) {
        size_t at = (size_t)map->entries[i].hash & (slot_count - 1);
        while (map->slots[at])
            at = (at + 1) & (slot_count - 1);
        map->slots[at] = (uint32_t)(i + 1);
    }
}

/* The slot of the key, or the free slot where it belongs. */
static size_t find_slot(const hu_map *map, hu_str key, uint64_t hash)
{
    size_t at = (size_t)hash & (map->slot_count - 1);
    while (map->slots[at]) {
        const hu_map_entry *entry = &map->entries[map->slots[at] - 1];
        if (entry->hash == hash && hu_str_eq(entry->key, key))
            return at;
        at = (at + 1) & (map->slot_count - 1);
    }
    return at;
}

void *hu_map_get(const hu_map *map, hu_str key)
{
    if (!map->len)
        return NULL;
    uint32_t slot = map->slots[find_slot(map, key, hu_hash(key.data, key.len))];
    return slot ? map->entries[slot - 1].value : NULL;
}

hu_map_entry *hu_map_put(hu_map *map, hu_str key)
{
    if ((map->len + 1) * 2 > map->slot_count)
        rehash(map, map->slot_count ? map->slot_count * 2 : 32);
    uint64_t hash = hu_hash(key.data, key.len);
    size_t at = find_slot(map, key, hash);
    if (map->slots[at])
        return &map->entries[map->slots[at] - 1];
    if (map->len == map->cap) {
        map->cap = map->cap ? map->cap * 2 : 16;
        map->entries = hu_realloc(map->entries, map->cap * sizeof *map->entries);
    }
    map->entries[map->len] = (hu_map_entry){ .key = key, .hash = hash };
    map->slots[at] = (uint32_t)++map->len;
    return &map->entries[map->len - 1];
}

void hu_map_free(hu_map *map)
{
    free(map->entries);
    free(map->slots);
    *map = (hu_map){ 0 };
}
