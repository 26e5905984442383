/* SPDX-License-Identifier: MIT */
/* A 4-ary heap: half as deep as a binary one, and the four children of a node share a cache
 * line. */
#include "core/timer_heap.h"

#include "base/assert.h"

#include <stdlib.h>

#define HEAP_FIRST 64
#define HEAP_MAX (1u << 30)

void *(*edo__wheel_realloc)(void *p, size_t size) = realloc;

static void put(edo__wheel *w, uint32_t i, edo__timer_entry e)
{
    w->heap[i] = e;
    e.timer->heap_index = i + 1;
}

static void sift_up(edo__wheel *w, uint32_t i, edo__timer_entry e)
{
    while (i > 0) {
        uint32_t parent = (i - 1) >> 2;
        if (w->heap[parent].deadline <= e.deadline)
            break;
        put(w, i, w->heap[parent]);
        i = parent;
    }
    put(w, i, e);
}

static uint32_t least_child(const edo__wheel *w, uint32_t first)
{
    uint32_t least = first, end = first + 4 < w->heap_len ? first + 4 : w->heap_len;
    for (uint32_t i = first + 1; i < end; i++)
        if (w->heap[i].deadline < w->heap[least].deadline)
            least = i;
    return least;
}

static void sift_down(edo__wheel *w, uint32_t i, edo__timer_entry e)
{
    for (;;) {
        uint32_t first = (i << 2) + 1;
        if (first >= w->heap_len)
            break;
        uint32_t least = least_child(w, first);
        if (w->heap[least].deadline >= e.deadline)
            break;
        put(w, i, w->heap[least]);
        i = least;
    }
    put(w, i, e);
}

static bool grow(edo__wheel *w)
{
    if (w->heap_cap >= HEAP_MAX)
        return false;
    uint32_t cap = w->heap_cap > 0 ? w->heap_cap * 2 : HEAP_FIRST;
    edo__timer_entry *heap = edo__wheel_realloc(w->heap, cap * sizeof *heap);
    if (heap == NULL)
        return false;
    w->heap = heap;
    w->heap_cap = cap;
    return true;
}

bool edo__timer_heap_push(edo__wheel *w, edo__timer *t)
{
    if (edo__unlikely(w->heap_len == w->heap_cap) && !grow(w))
        return false;
    edo__timer_entry e = { .deadline = t->deadline, .timer = t };
    sift_up(w, w->heap_len++, e);
    return true;
}

void edo__timer_heap_remove(edo__wheel *w, edo__timer *t)
{
    uint32_t i = t->heap_index - 1;
    edo_assert(i < w->heap_len && w->heap[i].timer == t);
    edo__timer_entry last = w->heap[--w->heap_len];
    t->heap_index = 0;
    if (last.timer == t)
        return;
    /* The hole may be in another branch than the last entry: it can have to go either way. */
    if (i > 0 && w->heap[(i - 1) >> 2].deadline > last.deadline)
        sift_up(w, i, last);
    else
        sift_down(w, i, last);
}

bool edo__timer_heap_validate(const edo__wheel *w)
{
    if (w->heap_len > w->heap_cap)
        return false;
    for (uint32_t i = 0; i < w->heap_len; i++) {
        const edo__timer *t = w->heap[i].timer;
        if (!t->armed || t->heap_index != i + 1 || t->deadline != w->heap[i].deadline)
            return false;
        if (i > 0 && w->heap[(i - 1) >> 2].deadline > t->deadline)
            return false;
    }
    return true;
}
