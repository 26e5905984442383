/* SPDX-License-Identifier: MIT */
/* Convoys dissolve: a holder that yields once makes everybody wait, and where locks are handed over in
 * order of arrival nobody would find them free again. On one worker, where it is known who runs when,
 * the holder soon changes only when a budget is spent. */
#include "core_test.h"

enum { TASKS = 4, ROUNDS = 4000 };

typedef struct road {
    edo_mutex mutex;
    edo_sem sem;
    edo_rwlock rwlock;
    int (*lock)(struct road *r);
    void (*unlock)(struct road *r);
    unsigned started, changes;
    int last;
} road;

static int lock_mutex(road *r)
{
    return edo_mutex_lock(&r->mutex);
}

static void unlock_mutex(road *r)
{
    edo_mutex_unlock(&r->mutex);
}

static int lock_sem(road *r)
{
    return edo_sem_acquire(&r->sem, 1);
}

static void unlock_sem(road *r)
{
    edo_sem_release(&r->sem, 1);
}

static int lock_rwlock(road *r)
{
    return edo_rwlock_wrlock(&r->rwlock);
}

static void unlock_rwlock(road *r)
{
    edo_rwlock_unlock(&r->rwlock);
}

static int drives(void *arg)
{
    road *r = arg;
    int me = (int)r->started++;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(r->lock(r));
        r->changes += r->last != me;
        r->last = me;
        if (me == 0 && i == 0)
            CHECK_OK(edo_yield());
        r->unlock(r);
    }
    return 0;
}

static int road_body(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < TASKS; i++)
        CHECK_OK(edo_spawn(&g, drives, arg));
    return edo_group_close(&g);
}

static void try_road(const char *name, int (*lock)(road *), void (*unlock)(road *))
{
    road r = { .mutex = EDO_MUTEX_INIT,
               .sem = EDO_SEM_INIT(1),
               .rwlock = EDO_RWLOCK_INIT,
               .lock = lock,
               .unlock = unlock,
               .last = -1 };
    run_on(1, road_body, &r);
    printf("# %s: %u changes of %d\n", name, r.changes, TASKS * ROUNDS);
    CHECK_UINT(r.started, ==, TASKS);
    CHECK_UINT(r.changes, <, TASKS * ROUNDS / 16);
}

TEST(of_a_mutex)
{
    try_road("mutex", lock_mutex, unlock_mutex);
}

TEST(of_a_semaphore)
{
    try_road("semaphore", lock_sem, unlock_sem);
}

TEST(of_a_rwlock)
{
    try_road("rwlock", lock_rwlock, unlock_rwlock);
}

TEST_MAIN()
