/* SPDX-License-Identifier: MIT */
/* The wheel's heap of timers that are due within a millisecond. */
#ifndef EDO_CORE_TIMER_HEAP_H
#define EDO_CORE_TIMER_HEAP_H

#include "core/timer.h"

/* False: no memory, nothing changed. */
bool edo__timer_heap_push(edo__wheel *w, edo__timer *t);
void edo__timer_heap_remove(edo__wheel *w, edo__timer *t);
bool edo__timer_heap_validate(const edo__wheel *w);

static inline int64_t edo__timer_heap_deadline(const edo__wheel *w)
{
    return w->heap_len > 0 ? w->heap[0].deadline : INT64_MAX;
}

#endif
