/* SPDX-License-Identifier: MIT */
/*
 * The pool of stacks.
 *
 * An idle stack is warm or cold. Warm ones keep their pages and are reused last in, first out:
 * their top page is the likeliest to be in a cache, and touching a fresh page costs more than a
 * hundred switches. The first few that lie idle are left as they are, those after them give back
 * what is deep. (To ask with mincore() which ones are deep takes longer than to give back nothing.)
 * When more than WARM_MAX of a class are idle, further ones give all their pages back and are
 * remembered by number only, so that a burst of a million tasks leaves no memory behind.
 *
 * The lock is held for list operations and for mapping a slab, never while a page is touched for
 * the first time or given back.
 */
#include "core/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/stack_slab.h"

#define SMALL_SIZE ((size_t)32 << 10)
#define DEFAULT_SIZE ((size_t)256 << 10)
#define LARGE_SIZE ((size_t)1 << 20)
#define DEFAULT_SIZE_MAX ((size_t)256 << 20)

#define WARM_MAX 16384 /* idle stacks per class that keep their pages */
#define HOT_BYTES                                                                                  \
    ((size_t)16 << 20) /* of address space per class: idle stacks that are not even trimmed */
#define TRIM_ABOVE ((size_t)32 << 10) /* what any other warm stack may keep below its descriptor */
#define RESIDENCY_PAGES 256           /* asked for at once */

struct class
{
    size_t stride;
    edo__stack *warm; /* linked by next, last released first */
    edo__slab *slabs; /* newest first; only the newest has slots never used */
    edo__slab *cold;  /* slabs with cold slots, linked by cold_next */
    size_t in_use;
    size_t warm_count;
    size_t cold_count;
    uint32_t slots; /* of all slabs */
};

struct edo__stack_pool {
    pthread_mutex_t lock; /* guards everything below */
    struct class classes[EDO__STACK_CLASSES];
    void (*entry)(void *stack); /* constant */
    _Atomic(size_t) mapped;     /* relaxed: a statistic */
};

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

int edo__stack_pool_create(edo__stack_pool **out, size_t default_size, void (*entry)(void *stack))
{
    size_t unit = edo__page_size() > (16u << 10) ? edo__page_size() : (16u << 10);
    if (default_size == 0)
        default_size = DEFAULT_SIZE;
    if (default_size > DEFAULT_SIZE_MAX)
        return -EINVAL;
    edo__stack_pool *p = calloc(1, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    int rc = pthread_mutex_init(&p->lock, NULL);
    if (rc != 0) {
        free(p);
        return -rc;
    }
    p->entry = entry;
    p->classes[EDO__STACK_SMALL].stride = round_up(SMALL_SIZE, 2 * edo__page_size());
    p->classes[EDO__STACK_DEFAULT].stride = round_up(default_size, unit);
    p->classes[EDO__STACK_LARGE].stride = LARGE_SIZE;
    *out = p;
    return 0;
}

unsigned edo__stack_class_for(const edo__stack_pool *p, size_t bytes)
{
    if (bytes == 0)
        return EDO__STACK_DEFAULT;
    unsigned best = EDO__STACK_CLASSES, largest = 0;
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        size_t stride = p->classes[cls].stride;
        if (stride > p->classes[largest].stride)
            largest = cls;
        if (stride >= bytes && (best == EDO__STACK_CLASSES || stride < p->classes[best].stride))
            best = cls;
    }
    return best == EDO__STACK_CLASSES ? largest : best;
}

size_t edo__stack_class_size(const edo__stack_pool *p, unsigned cls)
{
    return p->classes[cls].stride;
}

static edo__slab *class_grow(edo__stack_pool *p, struct class *c)
{
    uint32_t slots = c->slots < EDO__SLAB_SLOTS_MIN ? EDO__SLAB_SLOTS_MIN : c->slots;
    if (slots > EDO__SLAB_SLOTS_MAX)
        slots = EDO__SLAB_SLOTS_MAX;
    edo__slab *slab = edo__slab_create(slots, c->stride);
    if (slab == NULL)
        return NULL;
    slots = atomic_load_explicit(&slab->slots, memory_order_relaxed);
    slab->next = c->slabs;
    c->slabs = slab;
    c->slots += slots;
    atomic_fetch_add_explicit(&p->mapped, slots * c->stride, memory_order_relaxed);
    return slab;
}

/* With the lock held: a slot that has no descriptor now, cold before never used. */
static edo__slab *take_bare(edo__stack_pool *p, struct class *c, uint32_t *slot)
{
    edo__slab *slab = c->cold;
    if (slab != NULL) {
        *slot = slab->cold[--slab->cold_count];
        c->cold_count--;
        if (slab->cold_count == 0)
            c->cold = slab->cold_next;
    } else {
        slab = c->slabs;
        if (slab == NULL || slab->used == atomic_load_explicit(&slab->slots, memory_order_relaxed))
            slab = class_grow(p, c);
        if (slab == NULL)
            return NULL;
        *slot = slab->used++;
    }
    return slab;
}

static edo__stack *build(edo__stack_pool *p, unsigned cls, edo__slab *slab, uint32_t slot)
{
    edo__stack *s = edo__slab_stack(slab, slot);
    s->cls = (uint8_t)cls;
    s->guard = slab->state[slot];
    /* A guard outlives that the pages of a cold slot were given back; a canary does not. */
    if (s->guard == EDO__GUARD_NONE)
        s->guard = edo__guard_install(s);
    else if (s->guard == EDO__GUARD_CANARY)
        edo__guard_canary(s);
    slab->state[slot] = s->guard | EDO__SLOT_BUILT;
    edo__context_init(&s->ctx, s->lo, s->size, p->entry, s);
    return s;
}

edo__stack *edo__stack_acquire(edo__stack_pool *p, unsigned cls)
{
    struct class *c = &p->classes[cls];
    pthread_mutex_lock(&p->lock);
    edo__stack *s = c->warm;
    edo__slab *slab = NULL;
    uint32_t slot = 0;
    if (s != NULL) {
        c->warm = s->next;
        c->warm_count--;
    } else {
        slab = take_bare(p, c, &slot);
    }
    c->in_use += s != NULL || slab != NULL;
    pthread_mutex_unlock(&p->lock);
    if (s == NULL && slab != NULL)
        s = build(p, cls, slab, slot);
    if (s != NULL)
        s->next = NULL;
    return s;
}

/* The lowest page in lo..hi that is resident, hi if none is. No page is touched. */
static char *lowest_resident(char *lo, char *hi)
{
    unsigned char resident[RESIDENCY_PAGES];
    size_t page = edo__page_size();
    while (lo < hi) {
        size_t pages = ((size_t)(hi - lo) + page - 1) / page;
        if (pages > RESIDENCY_PAGES)
            pages = RESIDENCY_PAGES;
        if (mincore(lo, pages * page, resident) != 0)
            return hi;
        for (size_t i = 0; i < pages; i++)
            if ((resident[i] & 1) != 0)
                return lo + i * page;
        lo += pages * page;
    }
    return hi;
}

static char *page_of(const void *p)
{
    return (char *)((uintptr_t)p & ~(uintptr_t)(edo__page_size() - 1));
}

size_t edo__stack_high_water(const edo__stack *s)
{
    /* The lowest page of a stack with a canary is always touched. */
    char *lo = s->lo + (s->guard == EDO__GUARD_CANARY ? edo__page_size() : 0);
    return (size_t)((const char *)s - lowest_resident(lo, page_of(s)));
}

static void trim(edo__stack *s)
{
    char *lo = s->lo + (s->guard == EDO__GUARD_CANARY ? edo__page_size() : 0);
    char *keep = page_of((char *)s - TRIM_ABOVE);
    if (s->size > TRIM_ABOVE + edo__page_size() && lo < keep)
        (void)madvise(lo, (size_t)(keep - lo), MADV_DONTNEED);
}

/* Gives back every page of a stack, its descriptor included. */
static void make_cold(edo__stack_pool *p, struct class *c, edo__stack *s)
{
    edo__slab *slab = edo__slab_at(s->slab);
    uint32_t slot = s->slot;
    char *lo = s->lo;
    char *end = page_of((char *)s) + edo__page_size();
    edo__context_fini(&s->ctx);
    slab->state[slot] &= (uint8_t)~EDO__SLOT_BUILT;
    (void)madvise(lo, (size_t)(end - lo), MADV_DONTNEED);
    pthread_mutex_lock(&p->lock);
    if (slab->cold_count == 0) {
        slab->cold_next = c->cold;
        c->cold = slab;
    }
    slab->cold[slab->cold_count++] = slot;
    c->cold_count++;
    pthread_mutex_unlock(&p->lock);
}

static void push_warm(struct class *c, edo__stack *s)
{
    s->next = c->warm;
    c->warm = s;
    c->warm_count++;
}

void edo__stack_release(edo__stack_pool *p, edo__stack *s)
{
    struct class *c = &p->classes[s->cls];
    edo__guard_check(s);
    s->task = NULL;
    pthread_mutex_lock(&p->lock);
    c->in_use--;
    bool hot = (c->warm_count + 1) * c->stride <= HOT_BYTES;
    bool warm = c->warm_count < WARM_MAX;
    if (hot)
        push_warm(c, s);
    pthread_mutex_unlock(&p->lock);
    if (hot)
        return;
    if (!warm) {
        make_cold(p, c, s);
        return;
    }
    /* Others may fill the list meanwhile: WARM_MAX is exact to the number of threads. */
    trim(s);
    pthread_mutex_lock(&p->lock);
    push_warm(c, s);
    pthread_mutex_unlock(&p->lock);
}

static void slab_fini(edo__slab *slab)
{
    uint32_t protects = 0;
    bool fini = edo__context_fini_needed();
    for (uint32_t i = 0; i < slab->used; i++) {
        uint8_t state = slab->state[i];
        protects += (state & ~EDO__SLOT_BUILT) == EDO__GUARD_PROTECT;
        if (fini && (state & EDO__SLOT_BUILT) != 0)
            edo__context_fini(&edo__slab_stack(slab, i)->ctx);
    }
    edo__slab_destroy(slab);
    edo__guard_forget(protects);
}

void edo__stack_pool_destroy(edo__stack_pool *p)
{
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        edo__slab *next;
        for (edo__slab *slab = p->classes[cls].slabs; slab != NULL; slab = next) {
            next = slab->next;
            slab_fini(slab);
        }
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t edo__stack_pool_mapped(const edo__stack_pool *p)
{
    return atomic_load_explicit(&p->mapped, memory_order_relaxed);
}

void edo__stack_pool_counts(edo__stack_pool *p, unsigned cls, edo__stack_counts *out)
{
    const struct class *c = &p->classes[cls];
    pthread_mutex_lock(&p->lock);
    out->in_use = c->in_use;
    out->warm = c->warm_count;
    out->cold = c->cold_count;
    pthread_mutex_unlock(&p->lock);
}
