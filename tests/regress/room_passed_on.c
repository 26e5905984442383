/* SPDX-License-Identifier: MIT */
/* Several tasks wait for room in a group that is then cancelled. The one child that ends calls the
 * first of them, which finds the group cancelled: it must pass the call on, or the others wait for
 * ever. */
#include "test.h"

#include <edo/edo.h>
#include <errno.h>

#define SPAWNERS 3

typedef struct scene {
    edo_group *limited;
    unsigned refused; /* atomic */
} scene;

static int child(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_FOREVER);
}

static int spawner(void *arg)
{
    scene *s = arg;
    CHECK_INT(edo_spawn(s->limited, child, NULL), ==, -ECANCELED);
    __atomic_add_fetch(&s->refused, 1, __ATOMIC_RELAXED);
    return 0;
}

static int play(void *arg)
{
    (void)arg;
    edo_group limited, spawners;
    scene s = { &limited, 0 };
    CHECK_OK(edo_group_open(&limited, &(edo_group_options){ .limit = 1 }));
    CHECK_OK(edo_spawn(&limited, child, NULL));
    edo_scope shield; /* keeps the cancel of the group from the spawners */
    edo_shield_open(&shield, EDO_FOREVER);
    CHECK_OK(edo_group_open(&spawners, NULL));
    for (int i = 0; i < SPAWNERS; i++)
        CHECK_OK(edo_spawn(&spawners, spawner, &s));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_yield());
    edo_group_cancel(&limited);
    CHECK_INT(edo_group_close(&spawners), ==, 0);
    CHECK_INT(edo_scope_close(&shield, 0), ==, 0);
    CHECK_UINT(s.refused, ==, SPAWNERS);
    CHECK_INT(edo_group_close(&limited), ==, -ECANCELED);
    return 0;
}

TEST_TIMEOUT(spawners_of_a_cancelled_group, 10)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        CHECK_OK(edo_run(&(edo_config){ .workers = workers }, play, NULL));
}

TEST_MAIN()
