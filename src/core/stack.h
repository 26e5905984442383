/* SPDX-License-Identifier: MIT */
/*
 * Stacks for tasks: a pool per runtime with three size classes, guards below every stack, and a
 * report that names the task whose stack overflowed.
 *
 * A stack is a slot of address space. Its descriptor, edo__stack, lies at the very top of the slot
 * and the first frames right below it, so that a shallow stack touches one page in all: page
 * faults, not switches, dominate the cost of starting a task.
 */
#ifndef EDO_CORE_STACK_H
#define EDO_CORE_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "arch/context.h"

struct edo__task;

enum {
    EDO__STACK_SMALL,   /* 32 KiB */
    EDO__STACK_DEFAULT, /* 256 KiB unless configured */
    EDO__STACK_LARGE,   /* 1 MiB */
    EDO__STACK_CLASSES
};

typedef struct edo__stack {
    edo__context ctx;
    struct edo__task *task;  /* runs on it or is suspended on it; NULL when idle. Written by core */
    struct edo__stack *next; /* free-list link while not in use; free for core's own caches too */
    char *lo;                /* lowest usable address; the guard lies below it */
    uint32_t size;           /* usable bytes from lo to the descriptor */
    uint8_t cls;
    uint8_t started; /* its entry already waits in the context. Written by core */
    uint8_t guard;   /* what protects it: EDO__GUARD_* in stack_slab.h */
    uint32_t slot;   /* place in its slab */
    uint16_t slab;
} edo__stack;

typedef struct edo__stack_pool edo__stack_pool; /* thread safe */

typedef struct edo__stack_counts {
    size_t in_use; /* acquired and not released: the caller's caches included */
    size_t warm;   /* idle with their pages */
    size_t cold;   /* idle, pages given back */
} edo__stack_counts;

/* default_size: address space of a default stack, 0 for 256 KiB. entry gets the edo__stack,
 * never returns. */
int edo__stack_pool_create(edo__stack_pool **out, size_t default_size, void (*entry)(void *stack));

/* All stacks must be idle: on none of them will anything run again. */
void edo__stack_pool_destroy(edo__stack_pool *p);

/* A stack whose context will call the pool's entry or, if ->started, waits there. NULL: no
 * memory. */
edo__stack *edo__stack_acquire(edo__stack_pool *p, unsigned cls);

/* The context must be suspended in its entry, or never have run. Gives pages back when many are
 * idle. */
void edo__stack_release(edo__stack_pool *p, edo__stack *s);

/* The smallest class whose slots have at least bytes; the largest if none has. 0: the default
 * class. */
unsigned edo__stack_class_for(const edo__stack_pool *p, size_t bytes);

/* Address space of a slot of this class, guard and descriptor included: the limit told to users. */
size_t edo__stack_class_size(const edo__stack_pool *p, unsigned cls);

/* Bytes below the descriptor down to the deepest page that is resident. */
size_t edo__stack_high_water(const edo__stack *s);

size_t edo__stack_pool_mapped(const edo__stack_pool *p);
void edo__stack_pool_counts(edo__stack_pool *p, unsigned cls, edo__stack_counts *out);

/*
 * Which stack an address belongs to, in any pool of the process; async-signal-safe.
 * 1: in the guard below *out; 0: in *out itself, or *out is NULL when the address is no stack's.
 */
int edo__stack_find(const void *addr, edo__stack **out);

/* Catches SIGSEGV and SIGBUS once per process; faults that hit no guard go to the previous
 * handler. */
int edo__overflow_handler_install(void);

/* Alternate signal stack of the calling thread; every thread that resumes contexts needs one. */
int edo__overflow_thread_enter(void);
void edo__overflow_thread_leave(void);

/*
 * Text for the report such as `task "fetch" (id 7) spawned at main.c:12`, at most cap bytes,
 * returns how many; must be async-signal-safe.
 */
void edo__overflow_set_describe(size_t (*describe)(struct edo__task *t, char *buf, size_t cap));

#endif
