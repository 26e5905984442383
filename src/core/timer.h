/* SPDX-License-Identifier: MIT */
/* Timers: a hierarchical wheel (Varghese and Lauck, 1987) of 6 levels at 1 ms, each of two windows of
 * 64 slots with an occupancy bitmap, and a small heap for what is due less than a millisecond ahead.
 *
 * A timer fires at or after its deadline, never before; at the latest when edo__wheel_expire() is
 * called at the end of the deadline's millisecond. Not thread-safe: the owner locks. */
#ifndef EDO_CORE_TIMER_H
#define EDO_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDO__WHEEL_LEVELS 6
#define EDO__WHEEL_SLOTS 64 /* of a window */
#define EDO__TICK_NS 1000000

/* A member of a circular list with a sentinel. */
typedef struct edo__timer_link {
    struct edo__timer_link *next, *prev;
} edo__timer_link;

/* Intrusive; lives with whoever waits. Zero it once; it may be armed again after it fired. */
typedef struct edo__timer {
    edo__timer_link link; /* first member; on a slot's list, or the list of what is due */
    int64_t deadline;     /* nanoseconds of the runtime's clock */
    uint32_t heap_index;  /* position + 1 while in the heap, else 0 */
    uint8_t level, slot; /* where in the wheel; level EDO__WHEEL_LEVELS: on a list of what is due */
    bool armed;          /* in the wheel or the heap */
    /* Called by edo__wheel_expire(), already disarmed; may free t, and add or remove any timer. */
    void (*fire)(struct edo__timer *t);
} edo__timer;

/* The deadline beside the pointer: sifting compares without touching the timers. */
typedef struct edo__timer_entry {
    int64_t deadline;
    edo__timer *timer;
} edo__timer_entry;

typedef struct edo__wheel {
    int64_t elapsed; /* ticks of 1 ms that have been processed */
    int64_t now;     /* of the last edo__wheel_expire(): the wheel's time never goes back */
    int64_t next;    /* answer of edo__wheel_next(): a lower bound, INT64_MAX when empty */
    size_t count;    /* armed timers, heap included */
    uint64_t occupied[EDO__WHEEL_LEVELS + 1][2]; /* per window; last: the lists of what is due */
    edo__timer_link due;    /* deadline had passed when added; fires at the next expire */
    edo__timer_link firing; /* what was due when the expire in progress began */
    edo__timer_entry *heap; /* 4-ary, by deadline */
    uint32_t heap_len, heap_cap;
    edo__timer_link slots[EDO__WHEEL_LEVELS][2 * EDO__WHEEL_SLOTS];
} edo__wheel;

/* Instants are never negative. */
void edo__wheel_init(edo__wheel *w, int64_t now);
void edo__wheel_deinit(edo__wheel *w); /* empty */
/* Arms t for t->deadline (t->fire set by the caller). Never fails: when the heap cannot grow the
 * timer goes to the wheel. A deadline that has passed fires at the next expire, not in one in
 * progress. */
void edo__wheel_add(edo__wheel *w, edo__timer *t, int64_t now);
bool edo__wheel_remove(edo__wheel *w, edo__timer *t); /* false: it was not armed */
/* The instant at which edo__wheel_expire() should be called next; INT64_MAX when empty. Never later
 * than the earliest deadline rounded up to its tick. */
int64_t edo__wheel_next(const edo__wheel *w);
/* Fires everything due at now, in order of deadline as far as the tick tells. Returns how many. A
 * callback must not call it. */
size_t edo__wheel_expire(edo__wheel *w, int64_t now);
bool edo__wheel_validate(const edo__wheel *w); /* tests: every invariant; not during an expire */

/* How the heap gets its memory: realloc(), replaced by tests. */
extern void *(*edo__wheel_realloc)(void *p, size_t size);

#endif
