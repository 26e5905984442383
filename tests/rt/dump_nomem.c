/* SPDX-License-Identifier: MIT */
/* A dump when memory runs out: every allocation in turn fails. The tasks are shown all the same, and
 * a deadlock is either named or the dump says that it did not look. */
#include "core_test.h"
#include "countdown.h"

#include <stdlib.h>
#include <string.h>

#if OWN_MALLOC
static int locks_twice(void *arg)
{
    edo_mutex *m = arg;
    CHECK_OK(edo_mutex_lock(m));
    int rc = edo_mutex_lock(m);
    edo_mutex_unlock(m);
    return rc;
}

static int some_tasks(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, locks_twice, arg));
    return edo_group_close(&g);
}

static char text[1 << 16];

/* Dumps with the n-th allocation failing; false: there were not that many. */
static bool dump_failing(edo_runtime *rt, int n, int (*dump)(edo_runtime *, FILE *))
{
    FILE *f = fmemopen(text, sizeof text, "w");
    CHECK(f != NULL);
    setvbuf(f, NULL, _IONBF, 0);
    countdown = n;
    CHECK_INT(dump(rt, f), ==, 2);
    bool failed = n > 0 && countdown == 0;
    countdown = 0;
    fclose(f);
    return failed;
}

TEST(every_allocation_of_a_dump_fails)
{
    edo_runtime *rt;
    edo_mutex m = EDO_MUTEX_INIT;
    CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = 2 }));
    CHECK_OK(edo_runtime_spawn(rt, some_tasks, &m));
    edo_metrics metrics;
    do
        CHECK_OK(edo_metrics_read(rt, &metrics));
    while (metrics.tasks_alive < 2);
    do
        (void)dump_failing(rt, 0, edo_dump);
    while (strstr(text, "\ndeadlock of 1 task:") == NULL);
    int n = 1;
    for (; dump_failing(rt, n, edo_dump); n++) {
        bool named = strstr(text, "\ndeadlock of 1 task:") != NULL;
        if (!named && strstr(text, "no memory to look for deadlocks") == NULL)
            FAIL("allocation %d: %s", n, text);
        if (strstr(text, "waiting for mutex") == NULL)
            FAIL("allocation %d: %s", n, text);
    }
    printf("# %d allocations failed\n", n - 1);
    CHECK_INT(n, >, 4);
    for (n = 1; dump_failing(rt, n, edo_dump_json); n++)
        CHECK(strstr(text, "]}") != NULL);
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
}
#else
TEST(every_allocation_of_a_dump_fails)
{
    SKIP("the allocator belongs to the sanitizer");
}
#endif

TEST_MAIN()
