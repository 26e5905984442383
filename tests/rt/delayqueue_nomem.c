/* SPDX-License-Identifier: MIT */
/* The delay queue when memory runs out: a failed insert changes nothing, and the next one works. */
#include "core_test.h"
#include "countdown.h"

#if OWN_MALLOC
static void fail_nth(int n)
{
    enum { MANY = 5000 };
    edo_delayqueue q;
    edo_delay d;
    int failures = 0;
    edo_delayqueue_init(&q);
    countdown = n;
    for (intptr_t i = 0; i < MANY; i++) {
        edo_delay_key key = 7;
        int rc = edo_delayqueue_insert_at(&q, i, (void *)i, &key);
        if (rc == -ENOMEM) {
            CHECK_INT(failures++, ==, 0);
            CHECK_UINT(key, ==, 7);
            CHECK_UINT(edo_delayqueue_len(&q), ==, (uint64_t)i);
            i--; /* the same again */
            continue;
        }
        CHECK_INT(rc, ==, 0);
    }
    CHECK_INT(failures, ==, 1);
    for (intptr_t i = 0; i < MANY; i++) {
        CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, 0);
        CHECK_PTR(d.value, ==, (void *)i);
    }
    CHECK_INT(edo_delayqueue_next_nowait(&q, &d), ==, -EAGAIN);
    edo_delayqueue_deinit(&q);
}

TEST(insert_without_memory)
{
    for (int n = 1; n <= 7; n++)
        fail_nth(n);
}
#else
TEST(insert_without_memory)
{
    SKIP("a sanitizer or another C library allocates");
}
#endif

TEST_MAIN()
