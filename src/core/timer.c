/* SPDX-License-Identifier: MIT */
/* The timer wheel.
 *
 * Time is counted in ticks of a millisecond; a deadline belongs to the tick it is rounded up to. A
 * slot of level L is 64^L ticks wide, and 64 of them, from a multiple of 64, are a window. Each level
 * has the window in which `elapsed` lies and the next one. A timer lies on the lowest level one of
 * whose windows its tick is in, in the slot of that tick. Slots at and before `elapsed` are empty on
 * each level. When time reaches the start of a slot above level 0, its timers are placed again,
 * further down: six moves at most in a timer's life.
 *
 * With a hundred thousand sleepers a slot holds thousands, each in memory that nobody has touched
 * for long: to move all of them at once took 5 ms every 64, and 50 ms every four seconds. So the slot
 * that comes next on its level, which lies in the next window of the level below, is emptied ahead of
 * time, a few at each tick, see ahead_of_time(). Until then its timers may lie on a higher level than
 * they would be placed on now; so of slots that start at the same tick the higher one comes first.
 *
 * The top level has one window, a ring: its slots before the present one belong to the next turn
 * (2.2 years). What is further away waits in the ring's last slot and is placed again when that one
 * comes.
 *
 * A deadline less than a tick ahead goes to the heap (timer_heap.c), which knows nanoseconds. And
 * while only a few timers lie in the first slot they are looked at one by one, so they too fire at
 * their deadline instead of at the end of its tick. Many are fired together: with thousands of
 * sleepers a wake-up for each would cost more than half a millisecond is worth.
 *
 * What an expire fires was armed before it began, or falls due after the expire's instant; so it
 * ends, whatever its callbacks add. Nothing here keeps a pointer into a list across a callback. */
#include "core/timer.h"

#include "base/assert.h"
#include "base/probe.h"
#include "core/timer_heap.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_BITS 6
#define SLOT_MASK (EDO__WHEEL_SLOTS - 1)
#define SLOTS_MASK (2 * EDO__WHEEL_SLOTS - 1) /* of both windows */
#define TOP (EDO__WHEEL_LEVELS - 1)
#define TOP_SHIFT (SLOT_BITS * TOP)
#define LEVEL_DUE EDO__WHEEL_LEVELS
#define FEW 6 /* timers of the first slot that are looked at one by one */
#define NEVER INT64_MAX

_Static_assert(EDO__WHEEL_SLOTS == 1 << SLOT_BITS, "a slot per value of a group of bits");
_Static_assert(offsetof(edo__timer, link) == 0, "links are cast to timers");

static inline void list_init(edo__timer_link *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const edo__timer_link *head)
{
    return head->next == head;
}

static inline void list_append(edo__timer_link *head, edo__timer_link *n)
{
    edo__timer_link *last = head->prev;
    n->next = head;
    n->prev = last;
    last->next = n;
    head->prev = n;
}

static inline void list_unlink(edo__timer_link *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
}

/* All of `from`, which becomes empty, to the empty `to`. */
static void list_move(edo__timer_link *from, edo__timer_link *to)
{
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

/* Rounded down; the instant is not negative. */
static inline int64_t tick_at(int64_t instant)
{
    return (int64_t)((uint64_t)instant / EDO__TICK_NS);
}

/* Rounded up; the deadline is positive. */
static inline int64_t tick_of(int64_t deadline)
{
    return (int64_t)(((uint64_t)deadline - 1) / EDO__TICK_NS) + 1;
}

static inline int64_t tick_start(int64_t tick)
{
    /* INT64_MAX rounded up is the one tick that does not fit */
    uint64_t instant = (uint64_t)tick * EDO__TICK_NS;
    return instant > INT64_MAX ? INT64_MAX : (int64_t)instant;
}

void edo__wheel_init(edo__wheel *w, int64_t now)
{
    edo_assert(now >= 0);
    memset(w, 0, sizeof *w);
    w->elapsed = tick_at(now);
    w->now = now;
    w->next = NEVER;
    list_init(&w->due);
    list_init(&w->firing);
    for (unsigned level = 0; level < EDO__WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < 2 * EDO__WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
}

void edo__wheel_deinit(edo__wheel *w)
{
    edo_assert(w->count == 0);
    free(w->heap);
    w->heap = NULL;
    w->heap_len = w->heap_cap = 0;
}

/* Where a tick that is not before `elapsed` belongs. */
static inline unsigned level_of(int64_t elapsed, int64_t tick)
{
    uint64_t differ = (uint64_t)(elapsed ^ tick) | 1;
    unsigned level = (63u - (unsigned)__builtin_clzll(differ)) / SLOT_BITS;
    level = level < TOP ? level : TOP; /* with one window per level */
    while (level > 0 && (tick >> level * SLOT_BITS) - (elapsed >> level * SLOT_BITS) <= 1)
        level--;
    return level;
}

static inline unsigned slot_of(int64_t elapsed, int64_t tick, unsigned level)
{
    if (edo__unlikely(level == TOP)) {
        int64_t last = (elapsed >> TOP_SHIFT) + SLOT_MASK, turn = tick >> TOP_SHIFT;
        return (unsigned)((turn < last ? turn : last) & SLOT_MASK);
    }
    return (unsigned)(tick >> (level * SLOT_BITS)) & SLOTS_MASK;
}

static inline void place(edo__wheel *w, edo__timer *t, int64_t tick)
{
    unsigned level = level_of(w->elapsed, tick);
    unsigned slot = slot_of(w->elapsed, tick, level);
    t->level = (uint8_t)level;
    t->slot = (uint8_t)slot;
    w->occupied[level][slot / EDO__WHEEL_SLOTS] |= UINT64_C(1) << (slot & SLOT_MASK);
    list_append(&w->slots[level][slot], &t->link);
}

void edo__wheel_add(edo__wheel *w, edo__timer *t, int64_t now)
{
    edo_assert(!t->armed && t->fire != NULL);
    if (now < w->now)
        now = w->now;
    t->armed = true;
    t->heap_index = 0;
    w->count++;
    if (t->deadline < w->next)
        w->next = t->deadline;
    if (edo__unlikely(t->deadline <= now)) {
        t->level = LEVEL_DUE;
        t->slot = 0;
        list_append(&w->due, &t->link);
        return;
    }
    if (t->deadline - now < EDO__TICK_NS && edo__timer_heap_push(w, t))
        return;
    place(w, t, tick_of(t->deadline));
}

static inline void take_out(edo__wheel *w, edo__timer *t)
{
    edo__timer_link *next = t->link.next;
    list_unlink(&t->link);
    /* The neighbours are one: the sentinel. For lists of what is due this clears a bit nobody
     * reads. */
    if (next == t->link.prev)
        w->occupied[t->level][t->slot / EDO__WHEEL_SLOTS] &=
            ~(UINT64_C(1) << (t->slot & SLOT_MASK));
}

static inline void disarm(edo__wheel *w, edo__timer *t)
{
    if (t->heap_index != 0)
        edo__timer_heap_remove(w, t);
    else
        take_out(w, t);
    t->armed = false;
    if (--w->count == 0)
        w->next = NEVER;
}

bool edo__wheel_remove(edo__wheel *w, edo__timer *t)
{
    if (!t->armed)
        return false;
    disarm(w, t);
    return true;
}

int64_t edo__wheel_next(const edo__wheel *w)
{
    return w->next;
}

static void fire(edo__wheel *w, edo__timer *t)
{
    disarm(w, t);
    EDO__PROBE3(timer_fire, t->deadline, w->now, t->fire);
    t->fire(t);
}

typedef struct place_in_wheel {
    int64_t start; /* tick at which the slot begins */
    unsigned level, slot;
} place_in_wheel;

/* The first occupied slot of a level. *soon: it is in the present window, before all slots of higher
 * levels. */
static bool first_of_level(const edo__wheel *w, unsigned level, place_in_wheel *p, bool *soon)
{
    unsigned shift = level * SLOT_BITS;
    int64_t current = w->elapsed >> shift;
    const uint64_t *words = w->occupied[level];
    p->level = level;
    if (level == TOP) {
        /* rotated, so that the present slot is bit 0 */
        unsigned from = (unsigned)current & SLOT_MASK;
        uint64_t bits = words[0] >> from | words[0] << ((EDO__WHEEL_SLOTS - from) & SLOT_MASK);
        if (bits == 0)
            return false;
        unsigned ahead = (unsigned)__builtin_ctzll(bits);
        p->start = (current + ahead) << shift;
        p->slot = (from + ahead) & SLOT_MASK;
        return *soon = true;
    }
    int64_t window = current >> SLOT_BITS;
    *soon = words[window & 1] != 0; /* in it nothing lies before the present slot */
    window += *soon ? 0 : 1;
    uint64_t bits = words[window & 1];
    if (bits == 0)
        return false;
    int64_t number = window << SLOT_BITS | __builtin_ctzll(bits);
    p->start = number << shift;
    p->slot = (unsigned)number & SLOTS_MASK;
    return true;
}

/* The occupied slot that comes first in time, of two that start together the higher one. */
static bool first_slot(const edo__wheel *w, place_in_wheel *p)
{
    bool found = false, soon = false;
    for (unsigned level = 0; level <= TOP && !soon; level++) {
        place_in_wheel here;
        if (!first_of_level(w, level, &here, &soon) || (found && here.start > p->start))
            continue;
        *p = here;
        found = true;
    }
    return found;
}

/* The earliest of a list of few, NULL when there are more. */
static edo__timer *earliest_of_few(const edo__timer_link *head)
{
    edo__timer *best = NULL;
    unsigned n = 0;
    for (edo__timer_link *l = head->next; l != head; l = l->next) {
        edo__timer *t = (edo__timer *)l;
        if (++n > FEW)
            return NULL;
        if (best == NULL || t->deadline < best->deadline)
            best = t;
    }
    return best;
}

static int64_t compute_next(const edo__wheel *w)
{
    int64_t next = edo__timer_heap_deadline(w);
    if (!list_empty(&w->due))
        return w->now;
    bool soon = false;
    for (unsigned level = 0; level <= TOP && !soon; level++) {
        place_in_wheel p;
        if (!first_of_level(w, level, &p, &soon) || tick_start(p.start - 1) >= next)
            continue; /* a tick's deadlines lie up to a tick before its start */
        /* On the top level what looks first may be from beyond the ring, and a later slot come
         * before it. */
        edo__timer *t = level < TOP ? earliest_of_few(&w->slots[level][p.slot]) : NULL;
        int64_t at = t != NULL ? t->deadline : tick_start(p.start);
        next = at < next ? at : next;
    }
    return next;
}

/* Places up to n timers of a slot again, further down. */
static void move_down(edo__wheel *w, edo__timer_link *head, size_t n)
{
    for (; n > 0 && !list_empty(head); n--) {
        edo__timer *t = (edo__timer *)head->next;
        take_out(w, t);
        place(w, t, tick_of(t->deadline));
    }
}

/* Time reaches the start of the slot p: its timers fire, or move down with those of the slots that
 * start with it further down. Nothing is added to it meanwhile, as a timer that is added is due later
 * than `elapsed`. */
static size_t enter_slot(edo__wheel *w, const place_in_wheel *p)
{
    size_t fired = 0;
    w->elapsed = p->start;
    if (p->level == 0) {
        edo__timer_link *head = &w->slots[0][p->slot];
        for (; !list_empty(head); fired++)
            fire(w, (edo__timer *)head->next);
        return fired;
    }
    move_down(w, &w->slots[p->level][p->slot], SIZE_MAX);
    for (unsigned level = p->level - 1; level > 0; level--)
        move_down(w, &w->slots[level][(p->start >> level * SLOT_BITS) & SLOTS_MASK], SIZE_MAX);
    return 0;
}

/* `ticks` have passed: empties a part of each slot that is the next on its level. Whatever share of
 * all timers it has, it is empty when time reaches it, if every tick comes: 1/4 of 1/n, for n from 64
 * to 1 (or from 4096, ...), adds up to more than 1. Else the rest moves then. */
static void ahead_of_time(edo__wheel *w, int64_t ticks)
{
    for (unsigned level = 1; level < TOP; level++) {
        int64_t number = (w->elapsed >> level * SLOT_BITS) + 1;
        int64_t left = (number << level * SLOT_BITS) - w->elapsed;
        edo__timer_link *head = &w->slots[level][number & SLOTS_MASK];
        size_t share = w->count / (4 * (size_t)left) + 1;
        move_down(w, head, share * (size_t)(ticks < left ? ticks : left));
    }
}

static size_t fire_due(edo__wheel *w)
{
    size_t fired = 0;
    list_move(&w->due, &w->firing);
    for (; !list_empty(&w->firing); fired++)
        fire(w, (edo__timer *)w->firing.next);
    return fired;
}

/* Whole ticks, and the heap between them. */
static size_t fire_ticks(edo__wheel *w, int64_t now, int64_t tick)
{
    size_t fired = 0;
    for (;;) {
        place_in_wheel p = { 0 };
        int64_t soonest = edo__timer_heap_deadline(w);
        bool slot = first_slot(w, &p) && p.start <= tick;
        if (slot && tick_start(p.start) < soonest) {
            fired += enter_slot(w, &p);
        } else if (w->heap_len > 0 && soonest <= now) {
            fire(w, w->heap[0].timer);
            fired++;
        } else {
            return fired;
        }
    }
}

/* The earliest timer of the tick that has begun, as far as they are few. */
static edo__timer *earliest_of_tick(const edo__wheel *w)
{
    edo__timer *best = NULL;
    bool soon = false;
    for (unsigned level = 0; level <= TOP && !soon; level++) {
        place_in_wheel p;
        if (!first_of_level(w, level, &p, &soon) || p.start != w->elapsed + 1)
            continue;
        edo__timer *t = earliest_of_few(&w->slots[level][p.slot]);
        if (t != NULL && (best == NULL || t->deadline < best->deadline))
            best = t;
    }
    return best;
}

/* What is due in the tick that has begun, when they are few. */
static size_t fire_few(edo__wheel *w, int64_t now)
{
    size_t fired = 0;
    edo__timer *t;
    while ((t = earliest_of_tick(w)) != NULL && t->deadline <= now) {
        fire(w, t);
        fired++;
    }
    return fired;
}

size_t edo__wheel_expire(edo__wheel *w, int64_t now)
{
    edo_debug_assert(list_empty(&w->firing));
    if (now < w->next)
        return 0;
    if (now < w->now)
        now = w->now;
    w->now = now;
    int64_t tick = tick_at(now), before = w->elapsed;
    size_t fired = fire_due(w);
    fired += fire_ticks(w, now, tick);
    w->elapsed = tick;
    if (tick != before)
        ahead_of_time(w, tick - before);
    fired += fire_few(w, now);
    w->next = compute_next(w);
    return fired;
}
