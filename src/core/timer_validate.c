/* SPDX-License-Identifier: MIT */
/* The wheel's invariants, for tests. */
#include "core/timer.h"
#include "core/timer_heap.h"

#define SLOT_BITS 6
#define TOP (EDO__WHEEL_LEVELS - 1)

/* Counts a list into *n. False when a link or a member is wrong. */
static bool check_list(const edo__timer_link *head, unsigned level, unsigned slot, size_t *n)
{
    for (const edo__timer_link *l = head->next; l != head; l = l->next) {
        const edo__timer *t = (const edo__timer *)l;
        if (l->next->prev != l || l->prev->next != l)
            return false;
        if (!t->armed || t->heap_index != 0 || t->level != level || t->slot != slot)
            return false;
        ++*n;
    }
    return head->next->prev == head && head->prev->next == head;
}

static int64_t tick_of(int64_t deadline)
{
    return deadline / EDO__TICK_NS + (deadline % EDO__TICK_NS != 0);
}

/* How many slots the slot is ahead of the present one; of its two windows one is the present one. */
static int64_t slots_ahead(int64_t current, unsigned level, unsigned slot)
{
    if (level == TOP)
        return ((int64_t)slot - current) & (EDO__WHEEL_SLOTS - 1);
    int64_t window = current >> SLOT_BITS;
    window += (window & 1) != slot / EDO__WHEEL_SLOTS;
    return (window << SLOT_BITS) + slot % EDO__WHEEL_SLOTS - current;
}

/* The slot lies ahead of the present one, and each of its timers in it; on the top level a timer
 * may be later than its slot. */
static bool check_slot(const edo__wheel *w, unsigned level, unsigned slot)
{
    unsigned shift = level * SLOT_BITS;
    int64_t current = w->elapsed >> shift;
    int64_t ahead = slots_ahead(current, level, slot);
    if (ahead <= 0)
        return false;
    const edo__timer_link *head = &w->slots[level][slot];
    for (const edo__timer_link *l = head->next; l != head; l = l->next) {
        const edo__timer *t = (const edo__timer *)l;
        int64_t at = tick_of(t->deadline) >> shift;
        bool beyond = level == TOP && at > current + ahead;
        if (at != current + ahead && !beyond)
            return false;
    }
    return true;
}

static bool check_level(const edo__wheel *w, unsigned level, size_t *n)
{
    for (unsigned slot = 0; slot < 2 * EDO__WHEEL_SLOTS; slot++) {
        const edo__timer_link *head = &w->slots[level][slot];
        uint64_t word = w->occupied[level][slot / EDO__WHEEL_SLOTS];
        bool occupied = (word >> slot % EDO__WHEEL_SLOTS & 1) != 0;
        if (occupied != (head->next != head) || !check_list(head, level, slot, n))
            return false;
        if (occupied && !check_slot(w, level, slot))
            return false;
    }
    return true;
}

/* `next` is not later than the end of any timer's tick. */
static bool check_next(const edo__wheel *w, const edo__timer_link *head)
{
    for (const edo__timer_link *l = head->next; l != head; l = l->next) {
        int64_t tick = tick_of(((const edo__timer *)l)->deadline);
        if (tick <= INT64_MAX / EDO__TICK_NS && w->next > tick * EDO__TICK_NS)
            return false;
    }
    return true;
}

static bool check_all_next(const edo__wheel *w)
{
    if (w->count == 0)
        return w->next == INT64_MAX;
    if (edo__timer_heap_deadline(w) < w->next)
        return false;
    if (w->due.next != &w->due && w->next > w->now && !check_next(w, &w->due))
        return false;
    for (unsigned level = 0; level < EDO__WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < 2 * EDO__WHEEL_SLOTS; slot++)
            if (!check_next(w, &w->slots[level][slot]))
                return false;
    return true;
}

bool edo__wheel_validate(const edo__wheel *w)
{
    size_t n = w->heap_len;
    if (w->now < 0 || w->elapsed < 0 || w->elapsed > w->now / EDO__TICK_NS)
        return false;
    if (!edo__timer_heap_validate(w))
        return false;
    if (!check_list(&w->due, EDO__WHEEL_LEVELS, 0, &n) ||
        !check_list(&w->firing, EDO__WHEEL_LEVELS, 0, &n))
        return false;
    for (unsigned level = 0; level < EDO__WHEEL_LEVELS; level++)
        if (!check_level(w, level, &n))
            return false;
    return n == w->count && check_all_next(w);
}
