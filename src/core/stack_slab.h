/* SPDX-License-Identifier: MIT */
/*
 * Slabs: the pieces of address space that stacks are cut from, and the table of all of them in the
 * process. Shared by the files stack*.c only.
 *
 * The table is static and append-only while a slab lives, so that a signal handler can search it
 * without a lock. Whatever else a slab knows belongs to its pool and is guarded by the pool's lock.
 */
#ifndef EDO_CORE_STACK_SLAB_H
#define EDO_CORE_STACK_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/stack.h"

/* With at most 8192 stacks each, room for 8 million stacks, of all runtimes together. */
#define EDO__SLABS_MAX 1024
#define EDO__SLAB_SLOTS_MIN 64
#define EDO__SLAB_SLOTS_MAX 8192

enum {
    EDO__GUARD_NONE,
    EDO__GUARD_PTE,     /* MADV_GUARD_INSTALL: no extra mapping */
    EDO__GUARD_PROTECT, /* mprotect: two mappings per stack */
    EDO__GUARD_CANARY,  /* known bytes at the low end, looked at on release */
};

/* In edo__slab.state: the slot has a descriptor, it is neither fresh nor cold. */
#define EDO__SLOT_BUILT 0x80

typedef struct edo__slab {
    /* Read by edo__stack_find() in signal handlers. lo is 0 while the entry is free; it is stored
     * last, with release, and pairs with the acquire load in edo__stack_find(). */
    _Atomic(uintptr_t) lo;
    _Atomic(uint32_t) slots;
    _Atomic(uint32_t) stride;
    /* Guarded by the lock of the pool that owns it. */
    uint32_t used; /* slots handed out at least once; the rest was never touched */
    uint32_t
        cold_count; /* entries in cold[]: slots whose pages, descriptor included, were given back */
    uint32_t *cold;
    uint8_t *state; /* per slot: EDO__GUARD_ it got, and EDO__SLOT_BUILT. Owned with the slot */
    struct edo__slab *next;      /* all slabs of one class of one pool, newest first */
    struct edo__slab *cold_next; /* slabs of the class with cold_count > 0; on it exactly then */
} edo__slab;

edo__slab *edo__slab_at(unsigned index);
unsigned edo__slab_index(const edo__slab *slab);

/* Maps a slab of at most `slots` stacks, fewer when address space is short; NULL: none at all. */
edo__slab *edo__slab_create(uint32_t slots, size_t stride);
void edo__slab_destroy(edo__slab *slab);

/* Lays out slot i: fills in lo, size, slot and slab of its descriptor and returns it. Touches
 * its page. */
edo__stack *edo__slab_stack(edo__slab *slab, uint32_t i);

size_t edo__page_size(void);
size_t edo__stack_guard_size(size_t stride);

/* Protects the low end of a fresh slot; returns the EDO__GUARD_ that could be had. */
uint8_t edo__guard_install(edo__stack *s);
void edo__guard_canary(edo__stack *s);
/* So many guards made by mprotect are unmapped and count no more. */
void edo__guard_forget(uint32_t protects);
/* Ends the process with a report if the canary of a stack that has one is dead. */
void edo__guard_check(const edo__stack *s);

/* Writes the report of an overflow to standard error; fault is NULL when only a canary died. */
void edo__overflow_report(const edo__stack *s, const void *fault, void *ucontext);

#endif
