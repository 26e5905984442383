/* SPDX-License-Identifier: MIT */
/* Task-local variables. */
#include "core_test.h"

static unsigned destroyed;

static void count_and_free(void *p)
{
    CHECK_UINT(edo_task_id(), !=, 0); /* in the ending task */
    ADD(&destroyed, 1);
    free(p);
}

static edo_local counted = EDO_LOCAL_INIT(count_and_free);
static edo_local plain = EDO_LOCAL_INIT(NULL);
static edo_local many[100];

static int child(void *arg)
{
    CHECK_PTR(edo_local_get(&counted), ==, NULL); /* not inherited */
    CHECK_PTR(edo_local_get(&plain), ==, NULL);
    char *mine = malloc(8);
    CHECK_OK(edo_local_set(&counted, mine));
    CHECK_OK(edo_local_set(&plain, arg));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_yield());
    CHECK_PTR(edo_local_get(&counted), ==, mine);
    CHECK_PTR(edo_local_get(&plain), ==, arg);
    for (intptr_t i = 0; i < 100; i++)
        CHECK_OK(edo_local_set(&many[i], (void *)(i + 1)));
    CHECK_OK(edo_yield());
    for (intptr_t i = 0; i < 100; i++)
        CHECK_PTR(edo_local_get(&many[i]), ==, (void *)(i + 1));
    CHECK_PTR(edo_local_get(&counted), ==, mine);
    if ((uintptr_t)arg % 2 == 0)
        return 0;
    CHECK_OK(edo_local_set(&counted, NULL)); /* the old value is the caller's */
    free(mine);
    return 0;
}

static int values(void *arg)
{
    (void)arg;
    edo_group g;
    destroyed = 0;
    CHECK_OK(edo_local_set(&plain, &g));
    CHECK_OK(edo_group_open(&g, NULL));
    for (uintptr_t i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(&g, child, (void *)i));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(destroyed, ==, 50);
    CHECK_PTR(edo_local_get(&plain), ==, &g);
    return 0;
}

TEST(values_belong_to_one_task)
{
    EACH_WORKERS(w)
    run_on(w, values, NULL);
    CHECK_PTR(edo_local_get(&plain), ==, NULL);
    CHECK_INT(edo_local_set(&plain, &destroyed), ==, -EPERM);
}

/* A destructor that sets another variable: that one's destructor runs as well, but not for ever. */
static edo_local second = EDO_LOCAL_INIT(count_and_free);
static unsigned again;
static void set_again(void *value);
static edo_local chained = EDO_LOCAL_INIT(set_again);

static void set_again(void *value)
{
    ADD(&again, 1);
    CHECK_OK(edo_local_set(&chained, value));
    if (LOAD(&again) == 1)
        CHECK_OK(edo_local_set(&second, malloc(4)));
}

static int set_chained(void *arg)
{
    return edo_local_set(&chained, arg);
}

static int destructors(void *arg)
{
    edo_group g;
    destroyed = again = 0;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, set_chained, arg));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(destroyed, ==, 1);
    CHECK_UINT(again, >=, 1);
    CHECK_UINT(again, <=, 16);
    return 0;
}

TEST(destructors_may_set_values)
{
    run_on(1, destructors, &(int){ 0 });
}

/* The first use of a variable by many tasks at once. */
static edo_local fresh[64];

static int first_use(void *arg)
{
    for (int i = 0; i < 64; i++)
        CHECK_OK(edo_local_set(&fresh[i], arg));
    for (int i = 0; i < 64; i++)
        CHECK_PTR(edo_local_get(&fresh[i]), ==, arg);
    return 0;
}

static int first_uses(void *arg)
{
    (void)arg;
    int dummy[8];
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&g, first_use, &dummy[i]));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(first_use_by_many)
{
    run_on(4, first_uses, NULL);
}

TEST_MAIN()
