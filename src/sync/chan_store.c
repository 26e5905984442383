/* SPDX-License-Identifier: MIT */
/* The blocks of unbounded channels; see chan_store.h. Also reached, and left at once, for values of
 * size 0, which take no room at all: they have no ring either. */
#include "sync/chan_store.h"

#include <stdlib.h>

void edo__store_init(edo__store *s, unsigned char *ring, size_t size, size_t cap)
{
    *s = (edo__store){ .limit = cap != EDO_UNBOUNDED ? cap : 0, .cap = cap, .size = size };
    if (size == 0)
        return;
    if (cap != EDO_UNBOUNDED) {
        s->ring = ring;
        s->end = cap * size;
    } else {
        s->end = size < EDO__BLOCK_BYTES ? EDO__BLOCK_BYTES / size * size : size;
    }
}

void edo__store_deinit(edo__store *s)
{
    edo__block *next;
    for (edo__block *b = s->first; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(s->spare);
}

edo__block *edo__block_alloc(const edo__store *s)
{
    return malloc(sizeof(edo__block) + s->end);
}

bool edo__store_offer(edo__store *s, edo__block *b)
{
    if (s->spare != NULL)
        return false;
    s->spare = b;
    return true;
}

void edo__store_put_block(edo__store *s, const void *value)
{
    if (s->size == 0)
        return;
    if (s->last == NULL || s->tail == s->end) {
        edo__block *b = s->spare; /* there is one: edo__store_has_room() was true */
        edo_assert(b != NULL);
        s->spare = NULL;
        b->next = NULL;
        if (s->last != NULL)
            s->last->next = b;
        else
            s->first = b;
        s->last = b;
        s->tail = 0;
    }
    edo__copy(s->last->values + s->tail, value, s->size);
    s->tail += s->size;
}

edo__block *edo__store_take_block(edo__store *s, void *value)
{
    if (s->size == 0)
        return NULL;
    edo__block *b = s->first;
    edo__copy(value, b->values + s->head, s->size);
    s->head += s->size;
    if (s->count == 0) { /* then b is the last one as well: start again in it */
        s->head = s->tail = 0;
        return NULL;
    }
    if (s->head < s->end)
        return NULL;
    s->first = b->next;
    s->head = 0;
    return edo__store_offer(s, b) ? NULL : b;
}
