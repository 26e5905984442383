/* SPDX-License-Identifier: MIT */
/* The waiting side of spin locks. */
#include "base/spin.h"

#include "base/cpu.h"

#include <sched.h>

#ifdef EDO__FENCE_BY_RMW
unsigned edo__fence_word;
#endif

/* How many looks at the lock before the processor is given away: about as long as a critical
 * section takes. A holder that is not running cannot release it, so spinning on would only delay
 * it. */
#define EDO__SPIN_LOOKS 64

void edo__spin_wait(uint32_t *lock)
{
    unsigned looks = 0;
    do {
        /* relaxed: only edo__spin_try() takes the lock, and it acquires */
        while (edo__aload(lock, EDO__RLX) != 0) {
            if (++looks < EDO__SPIN_LOOKS) {
                edo__cpu_relax();
            } else {
                looks = 0;
                sched_yield();
            }
        }
    } while (!edo__spin_try(lock));
}
