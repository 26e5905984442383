/* SPDX-License-Identifier: MIT */
/* A sleep whose end is set, and moved, by any thread, without waking the sleeper meanwhile.
 * timerfd_create(2), Linux 2.6.25. */
#ifndef EDO_ARCH_ALARM_H
#define EDO_ARCH_ALARM_H

#include <stdint.h>

int edo__alarm_open(void); /* a descriptor, or a negative code */
void edo__alarm_close(int alarm);
/* It rings in so many nanoseconds, at least 1, and not when it was to ring before. A ring that nobody
 * has waited for is forgotten. */
void edo__alarm_set(int alarm, int64_t in);
/* Until it rings, or for no reason. Returns at once when it has rung since the last wait. */
void edo__alarm_wait(int alarm);

#endif
