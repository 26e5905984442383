/* SPDX-License-Identifier: MIT */
/* Task-local values for the time of a call; destructors that set again, that wait, of tasks that were
 * cancelled. */
#include "core_test.h"

static edo_local plain = EDO_LOCAL_INIT(NULL);

static int check_value(void *arg)
{
    CHECK_PTR(edo_local_get(&plain), ==, arg);
    CHECK_OK(edo_yield());
    CHECK_PTR(edo_local_get(&plain), ==, arg);
    return 7;
}

static int nested(void *arg)
{
    CHECK_PTR(edo_local_get(&plain), ==, arg);
    CHECK_INT(edo_local_with(&plain, &plain, check_value, &plain), ==, 7);
    CHECK_PTR(edo_local_get(&plain), ==, arg);
    CHECK_OK(edo_local_set(&plain, &plain)); /* is forgotten at the end */
    return -EIO;
}

static int with(void *arg)
{
    (void)arg;
    int x, y;
    CHECK_INT(edo_local_with(&plain, &x, nested, &x), ==, -EIO);
    CHECK_PTR(edo_local_get(&plain), ==, NULL);
    CHECK_OK(edo_local_set(&plain, &y));
    CHECK_INT(edo_local_with(&plain, &x, nested, &x), ==, -EIO);
    CHECK_PTR(edo_local_get(&plain), ==, &y);
    CHECK_INT(edo_local_with(&plain, NULL, check_value, NULL), ==, 7);
    CHECK_PTR(edo_local_get(&plain), ==, &y);
    return 0;
}

TEST(a_value_for_the_time_of_a_call)
{
    EACH_WORKERS(w)
    run_on(w, with, NULL);
    CHECK_INT(edo_local_with(&plain, &plain, check_value, NULL), ==, -EPERM);
}

/* ---- destructors ---- */

static unsigned destroyed; /* atomic */

static void count_and_free(void *value)
{
    CHECK(edo_task_id() != 0);
    ADD(&destroyed, 1);
    free(value);
}

static edo_local counted = EDO_LOCAL_INIT(count_and_free);

/* With a value that lives on the heap, the caller's stays the caller's. */
static int keeps_own(void *arg)
{
    (void)arg;
    int mine;
    CHECK_OK(edo_local_set(&counted, malloc(8)));
    CHECK_INT(edo_local_with(&counted, &mine, wait_for_cancel, NULL), ==, -ECANCELED);
    return -ECANCELED;
}

static int cancelled_tasks(void *arg)
{
    (void)arg;
    destroyed = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn(&g, keeps_own, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_yield());
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    CHECK_UINT(destroyed, ==, 20); /* also those that first ran when they were cancelled */
    return 0;
}

TEST(values_of_cancelled_tasks)
{
    EACH_WORKERS(w)
    run_on(w, cancelled_tasks, NULL);
}

static void set_again(void *value);
static edo_local again = EDO_LOCAL_INIT(set_again);
static edo_local late = EDO_LOCAL_INIT(count_and_free);

/* Sets itself again for ever, and once a variable whose number may be beyond the array. */
static void set_again(void *value)
{
    if (ADD((unsigned *)value, 1) == 1)
        CHECK_OK(edo_local_set(&late, malloc(8)));
    CHECK_OK(edo_local_set(&again, value));
}

static unsigned rounds;

static int set_in_destructor(void *arg)
{
    (void)arg;
    return edo_local_set(&again, &rounds);
}

static int destructors(void *arg)
{
    (void)arg;
    edo_group g;
    rounds = destroyed = 0;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, set_in_destructor, NULL));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(rounds, ==, 4); /* then it is given up */
    CHECK_UINT(destroyed, ==, 1);
    return 0;
}

TEST(destructors_that_set_again)
{
    EACH_WORKERS(w)
    run_on(w, destructors, NULL);
}

static void waits(void *value)
{
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_yield());
    CHECK_OK(edo_sleep(EDO_US(100)));
    ADD((unsigned *)value, 1);
}

static edo_local waiting = EDO_LOCAL_INIT(waits);

static int set_waiting(void *arg)
{
    return edo_local_set(&waiting, arg);
}

static int destructors_wait(void *arg)
{
    (void)arg;
    unsigned n = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 30; i++)
        CHECK_OK(edo_spawn(&g, set_waiting, &n));
    CHECK_INT(edo_group_close(&g), ==, 0); /* not before they are through */
    CHECK_UINT(n, ==, 30);
    return 0;
}

TEST(destructors_that_wait)
{
    EACH_WORKERS(w)
    run_on(w, destructors_wait, NULL);
}

TEST_MAIN()
