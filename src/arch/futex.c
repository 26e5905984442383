/* SPDX-License-Identifier: MIT */
/* The futex system call. */
#include "arch/futex.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000

void edo__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout)
{
    struct timespec ts = { .tv_sec = timeout / NS_PER_SEC, .tv_nsec = timeout % NS_PER_SEC };
    struct timespec *limit = timeout == INT64_MAX ? NULL : &ts;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit, NULL, 0);
}

void edo__futex_wake(uint32_t *word, int n)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}
