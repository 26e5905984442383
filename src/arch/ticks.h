/* SPDX-License-Identifier: MIT */
/*
 * CLOCK_MONOTONIC for those who only want to know when a while from now is. Asking the kernel's clock
 * costs 23 ns on the machine where this was measured, the processor's counter alone 10; so between
 * two readings of the clock, 20 us apart at most, the counter carries on from the first.
 *
 * Against the clock itself, asked at the same moment, the answer is up to some 20 ns ahead. And the
 * counter may be read a little before what stands in front of it has been done. That is good enough
 * for a deadline; whether one has passed, what programs see as the time, and what two threads
 * compare, is for the clock itself to say.
 */
#ifndef EDO_ARCH_TICKS_H
#define EDO_ARCH_TICKS_H

#include "arch/context.h"
#include "arch/cpu.h"

#include <stdbool.h>
#include <stdint.h>

/* A thread's last reading. All zero: none yet. */
typedef struct edo__ticks {
    uint64_t read; /* the counter just before the clock was read ...                        */
    int64_t at;    /* ... and what the clock said                                           */
    uint64_t span; /* counts for which this can be carried on; 0: the clock has to be asked */
    uint64_t rate; /* nanoseconds per count, with 32 binary places                          */
} edo__ticks;

/* Once, before the first reading: whether the counter is to be trusted. Else every reading is one of
 * the clock. */
void edo__ticks_init(void);
int64_t edo__ticks_read(edo__ticks *t);

/* Nanoseconds of CLOCK_MONOTONIC, about. */
static inline int64_t edo__ticks_now(edo__ticks *t)
{
#if defined(__x86_64__) && !EDO__TSAN && !EDO__ASAN && !defined(EDO_MODEL)
    if (t->span != 0) {
        uint64_t gone = edo__arch_cycles() - t->read;
        if (gone < t->span)
            return t->at + (int64_t)(gone * t->rate >> 32);
    }
#endif
    return edo__ticks_read(t);
}

#endif
