/* SPDX-License-Identifier: MIT */
/* The blocking pool starts a thread for a job, and a job that comes meanwhile relies on it. When the
 * thread cannot be had after all, and the one that exists has fallen asleep, somebody must call it. */
#include "test.h"

#include "core/pool.h"

#include <errno.h>
#include <sched.h>

static edo__pool *pool;
static unsigned threads, open_gate, ran; /* atomic */
static edo__job gated, second, third;

static void wait_at_gate(edo__job *job)
{
    (void)job;
    while (__atomic_load_n(&open_gate, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    __atomic_add_fetch(&ran, 1, __ATOMIC_ACQ_REL);
}

static void count(edo__job *job)
{
    (void)job;
    __atomic_add_fetch(&ran, 1, __ATOMIC_ACQ_REL);
}

static bool all_sleep(void)
{
    edo__pool_stats s;
    edo__pool_read_stats(pool, &s);
    return s.idle == s.threads && s.running == 0;
}

/* The second thread: what there was has been done and all sleep, another job comes, no thread. */
static int create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    if (__atomic_add_fetch(&threads, 1, __ATOMIC_ACQ_REL) != 2)
        return pthread_create(t, attr, fn, arg);
    __atomic_store_n(&open_gate, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&ran, __ATOMIC_ACQUIRE) < 2 || !all_sleep())
        sched_yield();
    CHECK_OK(edo__pool_submit(pool, &third));
    return EAGAIN;
}

TEST_TIMEOUT(a_job_that_relied_on_a_thread_that_never_came, 60)
{
    edo__pool_pthread_create = create;
    gated = (edo__job){ .run = wait_at_gate };
    second = third = (edo__job){ .run = count };
    CHECK_OK(edo__pool_create(&pool, 4, INT64_C(60000000000), 1, "test"));
    CHECK_OK(edo__pool_submit(pool, &gated));
    edo__pool_stats s;
    do {
        sched_yield();
        edo__pool_read_stats(pool, &s);
    } while (s.running == 0);
    CHECK_OK(edo__pool_submit(pool, &second));
    while (__atomic_load_n(&ran, __ATOMIC_ACQUIRE) < 3)
        sched_yield();
    edo__pool_destroy(pool);
}

TEST_MAIN()
