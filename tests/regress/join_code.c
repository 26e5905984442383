/* SPDX-License-Identifier: MIT */
/* Who began to wait for a task's end by its id read its code, as a plain load, while the task was
 * just storing it. The value was not used then; ThreadSanitizer saw it. */
#include "test.h"

#include <edo/edo.h>
#include <errno.h>

static int ends_soon(void *arg)
{
    for (volatile int i = *(int *)arg; i > 0; i--) {
    }
    return 7;
}

static int join_many(void *arg)
{
    uint64_t seed = test_seed(), id;
    edo_group g;
    edo_result r;
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = test_scale(20000); i > 0; i--) {
        int spins = (int)(test_rand(&seed) % 256);
        CHECK_OK(edo_spawn_with(&g, NULL, &id, ends_soon, &spins));
        if (i % 2 == 0)
            CHECK_OK(edo_yield());
        edo_case cases[] = { EDO_JOINED(id) };
        CHECK_INT(edo_select(cases, 1), ==, 0);
        CHECK(cases[0].result == 7 || cases[0].result == -ESRCH);
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_INT(r.code, ==, 7);
    }
    return edo_group_close(&g);
}

TEST_TIMEOUT(code_is_read_when_it_is_there, 60)
{
    CHECK_OK(edo_run(&(edo_config){ .workers = 4, .seed = test_seed() }, join_many, NULL));
}

TEST_MAIN()
