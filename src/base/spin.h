/* SPDX-License-Identifier: MIT */
/* Spin locks: a word that is 0 when free. For a few dozen instructions at most; never held across
 * anything that may suspend, allocate or call the kernel. */
#ifndef EDO_BASE_SPIN_H
#define EDO_BASE_SPIN_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stdint.h>

/* The slow path: spins, then lets other threads run (the holder may have lost its processor). */
void edo__spin_wait(uint32_t *lock);

static inline bool edo__spin_try(uint32_t *lock)
{
    /* pairs with the release in edo__spin_unlock() */
    return edo__axchg(lock, 1u, EDO__ACQ) == 0;
}

static inline void edo__spin_lock(uint32_t *lock)
{
    if (__builtin_expect(!edo__spin_try(lock), 0))
        edo__spin_wait(lock);
}

static inline void edo__spin_unlock(uint32_t *lock)
{
    /* pairs with the acquire in edo__spin_try() */
    edo__astore(lock, 0u, EDO__REL);
}

/* A full fence right after edo__spin_lock(), which on x86 was one already. */
static inline void edo__fence_after_lock(void)
{
#if defined(__x86_64__) && !defined(EDO_MODEL)
    __asm__ __volatile__("" ::: "memory");
#else
    edo__afence(EDO__SC);
#endif
}

#endif
