/* SPDX-License-Identifier: MIT */
/* Where tasks live: one reserved range of addresses per runtime, an array of slots that is touched
 * from the front. A slot's index, and how often it was used before, make a task's id, so that an id
 * can be checked without a table, and a dump can visit every task. Slots are never unmapped while
 * the runtime lives: whoever holds a stale pointer or id reads a task that is free or another one,
 * and finds out by its id.
 *
 * A free slot is zero where a new task expects it: see edo__task_free().
 *
 * Free slots sit in caches of the workers, exchanged in batches with a common list. */
#include "core/sched.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SLOT_BITS 26
#define LANE_BITS 6
#define LANES (1u << LANE_BITS)
#define SLOTS_MAX (((size_t)1 << SLOT_BITS) - 1) /* 64 Mi tasks: 16 GiB of addresses */
#define SLOTS_MIN ((size_t)1 << 16)
#define HUGE_FROM ((size_t)2 << 20) /* small programs keep small pages */
#define BATCH (EDO__TASK_CACHE / 2)

struct edo__arena {
    edo__task *slots;
    size_t cap;
    size_t used;     /* atomic: slots ever handed out; written under lock */
    uint32_t lock;   /* over the rest */
    edo__task *free; /* linked by next */
    uint32_t lane;   /* in the ids of its tasks */
    uint64_t first;  /* what the upper half of an id starts from */
};

/* No two tasks of a process have the same id, though each runtime numbers its own. An id is, from
 * its lowest bits: slot + 1, the lane of the runtime, and how often the slot was used, counted on
 * from where the last runtime of that lane stopped. Runtimes that live at the same time have
 * different lanes, up to 64 of them. */
static struct {
    uint32_t lock;
    bool taken[LANES];
    uint64_t next[LANES];
} lanes;

static void lane_enter(struct edo__arena *a)
{
    edo__spin_lock(&lanes.lock);
    while (a->lane < LANES - 1 && lanes.taken[a->lane])
        a->lane++;
    lanes.taken[a->lane] = true;
    a->first = lanes.next[a->lane];
    edo__spin_unlock(&lanes.lock);
}

static void lane_leave(const struct edo__arena *a)
{
    uint64_t next = a->first;
    for (size_t i = 0; i < a->used; i++) {
        uint64_t uses = (edo__aload(&a->slots[i].id, EDO__RLX) >> 32) + 1;
        if (uses > next)
            next = uses;
    }
    edo__spin_lock(&lanes.lock);
    lanes.taken[a->lane] = false;
    if (next > lanes.next[a->lane])
        lanes.next[a->lane] = next;
    edo__spin_unlock(&lanes.lock);
}

int edo__arena_create(struct edo__arena **out)
{
    struct edo__arena *a = calloc(1, sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    for (a->cap = SLOTS_MAX; a->cap >= SLOTS_MIN; a->cap /= 4) {
        void *p = mmap(NULL, a->cap * sizeof(edo__task), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            continue;
        a->slots = p;
        /* Best effort: a million new tasks cost 128 page faults instead of 65,536. */
        (void)madvise((char *)p + HUGE_FROM, a->cap * sizeof(edo__task) - HUGE_FROM, MADV_HUGEPAGE);
        lane_enter(a);
        *out = a;
        return 0;
    }
    free(a);
    return -ENOMEM;
}

void edo__arena_destroy(struct edo__arena *a)
{
    lane_leave(a);
    munmap(a->slots, a->cap * sizeof(edo__task));
    free(a);
}

size_t edo__arena_used(const struct edo__arena *a)
{
    return edo__aload(&a->used, EDO__ACQ);
}

edo__task *edo__arena_at(const struct edo__arena *a, size_t i)
{
    return &a->slots[i];
}

/* Up to n free slots linked by next; NULL when the range is used up. */
static edo__task *arena_take(edo_runtime *rt, uint32_t n, uint32_t *got)
{
    struct edo__arena *a = rt->arena;
    edo__task *list = NULL;
    uint32_t have = 0;
    edo__spin_lock(&a->lock);
    for (; have < n && a->free != NULL; have++) {
        edo__task *t = a->free;
        a->free = t->next;
        t->next = list;
        list = t;
    }
    size_t fresh = a->cap - a->used < n - have ? a->cap - a->used : n - have;
    size_t from = a->used;
    edo__astore(&a->used, from + fresh, EDO__REL); /* pairs with the load in edo__arena_used() */
    edo__spin_unlock(&a->lock);
    for (size_t i = from + fresh; i-- > from;) {
        edo__task *t = &a->slots[i];
        t->rt = rt;
        t->stack_class = EDO__STACK_DEFAULT;
        edo__astore(&t->id, a->first << 32 | (uint64_t)a->lane << SLOT_BITS | (i + 1), EDO__RLX);
        t->next = list;
        list = t;
    }
    *got = have + (uint32_t)fresh;
    return list;
}

static void arena_give(struct edo__arena *a, edo__task *first, edo__task *last)
{
    edo__spin_lock(&a->lock);
    last->next = a->free;
    a->free = first;
    edo__spin_unlock(&a->lock);
}

edo__task *edo__task_alloc_slow(edo_runtime *rt, edo__worker *w)
{
    uint32_t got;
    if (w == NULL)
        return arena_take(rt, 1, &got);
    w->free_tasks = arena_take(rt, BATCH, &w->free_count);
    edo__task *t = w->free_tasks;
    if (t != NULL) {
        w->free_tasks = t->next;
        w->free_count--;
    }
    return t;
}

void edo__task_free_slow(edo__task *t, edo__worker *w)
{
    struct edo__arena *a = t->rt->arena;
    if (w == NULL) {
        arena_give(a, t, t);
        return;
    }
    edo__task *last = t;
    for (uint32_t i = 1; i < BATCH; i++)
        last = last->next;
    w->free_tasks = last->next;
    w->free_count -= BATCH;
    arena_give(a, t, last);
}

edo__task *edo__task_find(edo_runtime *rt, uint64_t id)
{
    uint64_t slot = id & SLOTS_MAX;
    if (slot == 0 || slot > edo__arena_used(rt->arena))
        return NULL;
    return &rt->arena->slots[slot - 1];
}
