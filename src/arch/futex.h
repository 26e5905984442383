/* SPDX-License-Identifier: MIT */
/* Sleeping on a word of memory, for threads that are no workers. futex(2), private, Linux
 * 2.6.22. */
#ifndef EDO_ARCH_FUTEX_H
#define EDO_ARCH_FUTEX_H

#include <stdint.h>

/* Returns when *word was no longer `expected`, on a wake, after timeout nanoseconds (INT64_MAX:
 * none), or for no reason: the caller looks at the word again. */
void edo__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout);
void edo__futex_wake(uint32_t *word, int n);

#endif
