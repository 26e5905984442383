/* SPDX-License-Identifier: MIT */
/* What differs between processors and concerns every layer: a hint for spin loops, line size. */
#ifndef EDO_BASE_CPU_H
#define EDO_BASE_CPU_H

#define EDO__CACHE_LINE 64

static inline void edo__cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#endif
