/* SPDX-License-Identifier: MIT */
/* Children with records, trackers and task-local values when memory runs out: the call fails, nothing
 * was started, and the next one works. */
#include "core_test.h"
#include "countdown.h"

#if OWN_MALLOC
static unsigned ran;

static int count_me(void *arg)
{
    (void)arg;
    ran++;
    return 0;
}

static int by_key(edo_group *g)
{
    return edo_spawn_keyed(g, 5, count_me, NULL);
}

static int by_id(edo_group *g)
{
    uint64_t id;
    return edo_spawn_with(g, NULL, &id, count_me, NULL);
}

static int plain(edo_group *g)
{
    return edo_spawn(g, count_me, NULL);
}

static int children(void *arg)
{
    (void)arg;
    int (*ways[])(edo_group *) = { by_key, by_id, plain };
    for (int way = 0; way < 3; way++) {
        edo_group g;
        edo_result r;
        ran = 0;
        CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true, .limit = 3 }));
        countdown = 1;
        CHECK_INT(ways[way](&g), ==, -ENOMEM);
        CHECK_INT(countdown, ==, 0);
        CHECK_UINT(edo_group_len(&g), ==, 0);
        CHECK_INT(edo_group_next(&g, &r), ==, 0);
        CHECK_OK(ways[way](&g));
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_UINT(r.key, ==, way == 0 ? 5 : 0);
        CHECK_INT(edo_group_close(&g), ==, 0);
        CHECK_UINT(ran, ==, 1);
    }
    return 0;
}

TEST(spawning_without_memory)
{
    run_on(1, children, NULL);
}

static int trackers(void *arg)
{
    (void)arg;
    edo_tracker *t = NULL;
    countdown = 1;
    CHECK_INT(edo_tracker_create(&t, NULL, NULL), ==, -ENOMEM);
    CHECK_INT(countdown, ==, 0);
    CHECK_PTR(t, ==, NULL);
    CHECK_OK(edo_tracker_create(&t, NULL, NULL));
    CHECK_INT(edo_tracker_shutdown(t, NULL, NULL), ==, 0);
    edo_tracker_destroy(t);
    return 0;
}

TEST(a_tracker_without_memory)
{
    run_on(1, trackers, NULL);
}

static edo_local key = EDO_LOCAL_INIT(NULL);

static int locals(void *arg)
{
    (void)arg;
    ran = 0;
    countdown = 1;
    CHECK_INT(edo_local_with(&key, &ran, count_me, NULL), ==, -ENOMEM);
    CHECK_UINT(ran, ==, 0);
    countdown = 1;
    CHECK_INT(edo_local_set(&key, &ran), ==, -ENOMEM);
    CHECK_PTR(edo_local_get(&key), ==, NULL);
    CHECK_OK(edo_local_with(&key, &ran, count_me, NULL));
    CHECK_UINT(ran, ==, 1);
    return 0;
}

TEST(locals_without_memory)
{
    run_on(1, locals, NULL);
}
#else
TEST(spawning_without_memory)
{
    SKIP("a sanitizer or another C library allocates");
}
#endif

TEST_MAIN()
