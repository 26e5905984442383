/* SPDX-License-Identifier: MIT */
/* An allocator for a test program that fails the n-th allocation and counts what is alive. Included
 * by the one file of the program. A sanitizer has an allocator of its own: then nothing fails.
 *
 *     TEST(x) { needs_own_malloc(); fail_each(attempt); }
 *
 * runs attempt() again and again, with its first allocation failing, its second and so on until none is
 * left to fail; whatever was refused must leave nothing behind. */
#ifndef EDO_TEST_NOMEM_H
#define EDO_TEST_NOMEM_H

#include "core_test.h"
#include "own_malloc.h"

static long countdown = -1; /* atomic; below zero: nothing fails */
static long failed;         /* atomic */

#if OWN_MALLOC
static bool allocation_fails(void)
{
    if (LOAD(&countdown) < 0 || __atomic_fetch_sub(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    ADD(&failed, 1);
    return true;
}
#else
static long alive;
#endif

static void needs_own_malloc(void)
{
#if !OWN_MALLOC
    SKIP("the allocator is the sanitizer's");
#endif
    if (test_scale(1000) != 1000)
        SKIP("the allocator is replaced, or the C library is emulated");
}

static bool refused(int rc)
{
    if (rc < 0)
        CHECK(rc == -ENOMEM || rc == -EAGAIN);
    return rc < 0;
}

/* Whether the nth allocation of an attempt was there to fail. *left: blocks that are alive
 * since. */
static bool fail_nth(int (*attempt)(void), long n, long *left)
{
    long before = LOAD(&alive), failed_before = LOAD(&failed);
    STORE(&countdown, n);
    (void)attempt();
    bool hit = LOAD(&failed) != failed_before;
    STORE(&countdown, -1);
    *left = LOAD(&alive) - before;
    return hit;
}

static void fail_each(int (*attempt)(void))
{
    attempt(); /* what is made once and kept */
    long n = 0, left;
    for (; n < 10000 && fail_nth(attempt, n, &left); n++) {
        /* The C library keeps stacks of ended threads, each with a block or two; a leak comes
         * again. */
        for (int again = 0; left > 0 && again < 5; again++)
            (void)fail_nth(attempt, n, &left);
        if (left > 0)
            FAIL("allocation %ld failed: %ld blocks left behind each time", n, left);
    }
    printf("# %ld allocations, each failed once\n", n);
    CHECK_INT(n, >, 0);
    CHECK_INT(n, <, 10000);
}

#endif
