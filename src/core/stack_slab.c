/* SPDX-License-Identifier: MIT */
/*
 * The table of slabs, their mappings, and the search for the stack that an address belongs to.
 *
 * A slab is one NORESERVE mapping without huge pages, named for /proc/PID/maps. Neighbouring slabs
 * merge into one kernel mapping, so a million stacks need only a handful of them.
 *
 * Stacks of equal alignment would all use the same few sets of the processor's caches. So the
 * descriptor of slot i lies (i mod 8) * 128 bytes below the end of its slot, which leaves a shallow
 * stack 2.9 KiB before it needs a second page.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/stack_slab.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define COLOURS 8
#define COLOUR_STEP 128

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static edo__slab table[EDO__SLABS_MAX];
/* Which entries of the table are taken. Their fields are written only by the owner; the release in
 * slab_free() pairs with the acquire in slab_claim(). */
static _Atomic(uint64_t) taken[EDO__SLABS_MAX / 64];
/* One more than the highest index ever claimed; bounds the search. Pairs with edo__stack_find(). */
static _Atomic(unsigned) table_used;

size_t edo__page_size(void)
{
    static _Atomic(size_t) cached; /* relaxed: every thread computes the same value */
    size_t size = atomic_load_explicit(&cached, memory_order_relaxed);
    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&cached, size, memory_order_relaxed);
    }
    return size;
}

/*
 * Frames of up to 4 KiB may skip a one-page guard without touching it, and foreign code has larger
 * ones; where there is room the guard is 16 KiB.
 */
size_t edo__stack_guard_size(size_t stride)
{
    size_t page = edo__page_size();
    size_t want = stride >= (128u << 10) ? (16u << 10) : (4u << 10);
    return want > page ? want : page;
}

edo__slab *edo__slab_at(unsigned index)
{
    return &table[index];
}

unsigned edo__slab_index(const edo__slab *slab)
{
    return (unsigned)(slab - table);
}

static edo__slab *slab_claim(void)
{
    for (unsigned w = 0; w < EDO__SLABS_MAX / 64; w++) {
        uint64_t bits = atomic_load_explicit(&taken[w], memory_order_relaxed);
        while (~bits != 0) {
            unsigned b = (unsigned)__builtin_ctzll(~bits);
            bits = atomic_fetch_or_explicit(&taken[w], UINT64_C(1) << b, memory_order_acquire);
            if ((bits & (UINT64_C(1) << b)) != 0)
                continue;
            unsigned index = w * 64 + b;
            unsigned used = atomic_load_explicit(&table_used, memory_order_relaxed);
            while (used <= index &&
                   !atomic_compare_exchange_weak_explicit(
                       &table_used, &used, index + 1, memory_order_release, memory_order_relaxed))
                ;
            return &table[index];
        }
    }
    return NULL;
}

static void slab_free(edo__slab *slab)
{
    unsigned index = edo__slab_index(slab);
    atomic_store_explicit(&slab->lo, 0, memory_order_release);
    atomic_fetch_and_explicit(&taken[index / 64], ~(UINT64_C(1) << (index % 64)),
                              memory_order_release);
}

static void *map(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static size_t metadata_size(uint32_t slots)
{
    return (size_t)slots * (sizeof(uint32_t) + sizeof(uint8_t));
}

edo__slab *edo__slab_create(uint32_t slots, size_t stride)
{
    edo__slab *slab = slab_claim();
    if (slab == NULL)
        return NULL;
    char *lo = map(slots * stride);
    while (lo == NULL && slots > 1) {
        slots /= 2;
        lo = map(slots * stride);
    }
    uint32_t *cold = lo == NULL ? NULL : map(metadata_size(slots));
    if (cold == NULL) {
        if (lo != NULL)
            munmap(lo, slots * stride);
        slab_free(slab);
        return NULL;
    }
    /* Both may fail on old kernels and cost nothing but memory or a name. */
    (void)madvise(lo, slots * stride, MADV_NOHUGEPAGE);
    (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, lo, slots * stride, "edo stacks");
    slab->used = 0;
    slab->cold_count = 0;
    slab->cold = cold;
    slab->state = (uint8_t *)(cold + slots);
    slab->next = NULL;
    slab->cold_next = NULL;
    atomic_store_explicit(&slab->slots, slots, memory_order_relaxed);
    atomic_store_explicit(&slab->stride, (uint32_t)stride, memory_order_relaxed);
    atomic_store_explicit(&slab->lo, (uintptr_t)lo, memory_order_release);
    return slab;
}

void edo__slab_destroy(edo__slab *slab)
{
    char *lo = (char *)atomic_load_explicit(&slab->lo, memory_order_relaxed);
    uint32_t slots = atomic_load_explicit(&slab->slots, memory_order_relaxed);
    size_t stride = atomic_load_explicit(&slab->stride, memory_order_relaxed);
    munmap(slab->cold, metadata_size(slots));
    /* Unlist first: the addresses may belong to somebody else as soon as they are unmapped. */
    atomic_store_explicit(&slab->lo, 0, memory_order_release);
    munmap(lo, slots * stride);
    slab_free(slab);
}

static edo__stack *descriptor_of(uintptr_t lo, size_t stride, uint32_t i)
{
    uintptr_t top = lo + (i + (uintptr_t)1) * stride - (i % COLOURS) * COLOUR_STEP;
    return (edo__stack *)((top - sizeof(edo__stack)) & ~(uintptr_t)(64 - 1));
}

edo__stack *edo__slab_stack(edo__slab *slab, uint32_t i)
{
    uintptr_t lo = atomic_load_explicit(&slab->lo, memory_order_relaxed);
    size_t stride = atomic_load_explicit(&slab->stride, memory_order_relaxed);
    edo__stack *s = descriptor_of(lo, stride, i);
    s->lo = (char *)(lo + i * stride + edo__stack_guard_size(stride));
    s->size = (uint32_t)((char *)s - s->lo);
    s->slot = i;
    s->slab = (uint16_t)edo__slab_index(slab);
    return s;
}

/* 1, 0: found in this slab, as edo__stack_find() says; -1: not here. */
static int find_in(edo__slab *slab, uintptr_t addr, edo__stack **out)
{
    uintptr_t lo = atomic_load_explicit(&slab->lo, memory_order_acquire);
    if (lo == 0 || addr < lo)
        return -1;
    size_t stride = atomic_load_explicit(&slab->stride, memory_order_relaxed);
    size_t slots = atomic_load_explicit(&slab->slots, memory_order_relaxed);
    size_t i = (addr - lo) / stride;
    if (i >= slots)
        return -1;
    edo__stack *s = descriptor_of(lo, stride, (uint32_t)i);
    if (s->lo != NULL) /* else a slot never used, or cold */
        *out = s;
    return addr - lo - i * stride < edo__stack_guard_size(stride) && *out != NULL;
}

int edo__stack_find(const void *addr, edo__stack **out)
{
    *out = NULL;
    unsigned used = atomic_load_explicit(&table_used, memory_order_acquire);
    for (unsigned i = 0; i < used; i++) {
        int hit = find_in(&table[i], (uintptr_t)addr, out);
        if (hit >= 0)
            return hit;
    }
    return 0;
}
