/* SPDX-License-Identifier: MIT */
/*
 * The few processor instructions the rest of the library asks for by name.
 */
#ifndef EDO_ARCH_CPU_H
#define EDO_ARCH_CPU_H

#include <stdint.h>
#include <time.h>

#define EDO__CACHE_LINE 64

/* To be called in every turn of a spinning loop: frees the sibling hyperthread and saves power. */
static inline void edo__arch_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* `yield` is a nop on most cores; `isb` stalls for about as long as x86's pause. */
    __asm__ volatile("isb" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/*
 * A counter that is cheap to read and rises at a constant rate. Only differences mean anything, and
 * only for measuring: time that programs see comes from the clock of the runtime.
 */
static inline uint64_t edo__arch_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

#endif
