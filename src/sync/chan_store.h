/* SPDX-License-Identifier: MIT */
/* Where a channel keeps its values: a ring behind the channel itself, or, unbounded, a list of
 * blocks.
 *
 * Blocks instead of a ring that doubles, because a spin lock must not be held while memory is
 * allocated or a large ring is copied: the caller allocates a block without the lock, offers it,
 * and looks again. One drained block is kept, so that a channel in steady use allocates nothing and
 * a drained one holds two blocks at most. */
#ifndef EDO_SYNC_CHAN_STORE_H
#define EDO_SYNC_CHAN_STORE_H

#include "base/assert.h"
#include "sync/waiting.h"

#include <edo/chan.h>

#define EDO__BLOCK_BYTES 4032 /* of values in a block, or one value if that is larger */

typedef struct edo__block {
    struct edo__block *next;
    size_t unused; /* keeps values aligned to 16 bytes */
    unsigned char values[];
} edo__block;

typedef struct edo__store {
    size_t count; /* values inside                                              */
    size_t limit; /* of count, for who just comes along: see edo__chan_set_limit() */
    size_t cap;   /* EDO_UNBOUNDED: blocks                                      */
    size_t size;  /* of a value                                                 */
    size_t head;  /* byte offset of the oldest value, in the ring or in first   */
    size_t tail;  /* byte offset of the next value, in the ring or in last      */
    size_t end;   /* bytes in the ring, or in a block                           */
    unsigned char *ring;
    edo__block *first, *last, *spare;
} edo__store;

void edo__store_init(edo__store *s, unsigned char *ring, size_t size, size_t cap);
/* Frees the blocks. */
void edo__store_deinit(edo__store *s);
edo__block *edo__block_alloc(const edo__store *s); /* NULL: no memory */
/* Takes a block if it has none to spare; true: it did. */
bool edo__store_offer(edo__store *s, edo__block *b);
void edo__store_put_block(edo__store *s, const void *value);
edo__block *edo__store_take_block(edo__store *s, void *value);

static inline bool edo__store_unbounded(const edo__store *s)
{
    return s->cap == EDO_UNBOUNDED;
}

/* Whether edo__store_put() may be called. Unbounded: false asks for an offer. */
static inline bool edo__store_has_room(const edo__store *s)
{
    if (edo__likely(s->count < s->limit))
        return true;
    return edo__store_unbounded(s) &&
           (s->size == 0 || s->spare != NULL || (s->last != NULL && s->tail < s->end));
}

static inline void edo__store_put(edo__store *s, const void *value)
{
    s->count++;
    if (edo__unlikely(s->ring == NULL)) {
        edo__store_put_block(s, value);
        return;
    }
    edo__copy(s->ring + s->tail, value, s->size);
    s->tail += s->size;
    if (s->tail == s->end)
        s->tail = 0;
}

/* The oldest value. Returns a block to be freed without the lock, or NULL. */
static inline edo__block *edo__store_take(edo__store *s, void *value)
{
    s->count--;
    if (edo__unlikely(s->ring == NULL))
        return edo__store_take_block(s, value);
    edo__copy(value, s->ring + s->head, s->size);
    s->head += s->size;
    if (s->head == s->end)
        s->head = 0;
    return NULL;
}

#endif
