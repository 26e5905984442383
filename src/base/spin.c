/* SPDX-License-Identifier: MIT */
/* The waiting side of spin locks. */
#include "base/spin.h"

#include "base/cpu.h"

#include <sched.h>

#ifdef EDO__FENCE_BY_RMW
unsigned edo__fence_word;
#endif

/* Pauses before the first look at the lock; before each next one twice as many, up to so many. A look
 * takes the line with the lock from its holder, who has to get it back to release the lock, and
 * between processors that takes as long as a critical section, or several: so few looks. After the
 * last one the processor is given away: a holder that is not running cannot release the lock, and
 * spinning on would only delay it. */
#define BACKOFF_MIN 4
#define BACKOFF_MAX 32

void edo__spin_wait(uint32_t *lock)
{
    unsigned pauses = BACKOFF_MIN;
    for (;;) {
        for (unsigned i = 0; i < pauses; i++)
            edo__cpu_relax();
        /* relaxed: only edo__spin_try() takes the lock, and it acquires */
        if (edo__aload(lock, EDO__RLX) == 0 && edo__spin_try(lock))
            return;
        if (pauses < BACKOFF_MAX) {
            pauses *= 2;
        } else {
            pauses = BACKOFF_MIN;
            sched_yield();
        }
    }
}
