/* SPDX-License-Identifier: MIT */
/* The run queue: one owner, many thieves; every task comes out once. */
#include "test.h"

#include "core/queue.h"
#include "core/task.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define THIEVES 3

static edo__task *task_number(uintptr_t i)
{
    return (edo__task *)((i + 1) * 8); /* never followed */
}

static uintptr_t number_of(const edo__task *t)
{
    return (uintptr_t)t / 8 - 1;
}

TEST(first_in_first_out)
{
    edo__queue *q = aligned_alloc(EDO__CACHE_LINE, sizeof *q);
    memset(q, 0, sizeof *q);
    q->head = q->tail = UINT32_MAX - 100; /* the counters wrap on the way */
    CHECK_PTR(edo__queue_take(q), ==, NULL);
    for (int round = 0; round < 3; round++) {
        for (uintptr_t i = 0; i < EDO__QUEUE_SIZE; i++)
            CHECK(edo__queue_push(q, task_number(i)));
        CHECK(!edo__queue_push(q, task_number(0)));
        CHECK_UINT(edo__queue_len(q), ==, EDO__QUEUE_SIZE);
        for (uintptr_t i = 0; i < EDO__QUEUE_SIZE; i++)
            CHECK_PTR(edo__queue_take(q), ==, task_number(i));
        CHECK_PTR(edo__queue_take(q), ==, NULL);
    }
    free(q);
}

TEST(thieves_get_half)
{
    edo__queue *q = aligned_alloc(EDO__CACHE_LINE, sizeof *q);
    edo__task *loot[EDO__QUEUE_SIZE];
    memset(q, 0, sizeof *q);
    for (uint32_t n = 0; n <= EDO__QUEUE_SIZE; n++) {
        for (uintptr_t i = 0; i < n; i++)
            CHECK(edo__queue_push(q, task_number(i)));
        CHECK_UINT(edo__queue_grab(q, loot, EDO__QUEUE_SIZE / 2), ==, n - n / 2);
        for (uintptr_t i = 0; i < n - n / 2; i++)
            CHECK_PTR(loot[i], ==, task_number(i));
        if (n > 3) {
            uint32_t rest = n / 2 - n / 2 / 2;
            CHECK_UINT(edo__queue_grab(q, loot, 1), ==, rest < 1 ? rest : 1);
        }
        while (edo__queue_take(q) != NULL)
            ;
    }
    free(q);
}

typedef struct arena {
    edo__queue queue;
    unsigned n;
    unsigned char *seen; /* atomic: how often each came out */
    unsigned out, over;
} arena;

static void came_out(arena *a, const edo__task *t)
{
    uintptr_t i = number_of(t);
    CHECK_UINT(i, <, a->n);
    CHECK_UINT(__atomic_add_fetch(&a->seen[i], 1, __ATOMIC_RELAXED), ==, 1);
    __atomic_add_fetch(&a->out, 1, __ATOMIC_RELEASE);
}

static void *thief(void *arg)
{
    arena *a = arg;
    edo__task *loot[EDO__QUEUE_SIZE / 2];
    while (!__atomic_load_n(&a->over, __ATOMIC_ACQUIRE)) {
        uint32_t n = edo__queue_grab(&a->queue, loot, EDO__QUEUE_SIZE / 2);
        CHECK_UINT(n, <=, EDO__QUEUE_SIZE / 2);
        for (uint32_t i = 0; i < n; i++)
            came_out(a, loot[i]);
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

TEST_TIMEOUT(every_task_comes_out_once, 60)
{
    arena *a = aligned_alloc(EDO__CACHE_LINE, sizeof *a);
    memset(a, 0, sizeof *a);
    a->n = test_scale(2000000);
    a->seen = calloc(a->n, 1);
    pthread_t threads[THIEVES];
    for (int i = 0; i < THIEVES; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, thief, a), ==, 0);
    uint64_t seed = test_seed();
    for (uintptr_t i = 0; i < a->n;) {
        for (uint64_t burst = test_rand(&seed) % 300; burst > 0 && i < a->n; burst--) {
            if (!edo__queue_push(&a->queue, task_number(i)))
                break;
            i++;
        }
        for (uint64_t burst = test_rand(&seed) % 200; burst > 0; burst--) {
            edo__task *t = edo__queue_take(&a->queue);
            if (t == NULL)
                break;
            came_out(a, t);
        }
    }
    edo__task *t;
    while ((t = edo__queue_take(&a->queue)) != NULL)
        came_out(a, t);
    while (__atomic_load_n(&a->out, __ATOMIC_ACQUIRE) < a->n)
        sched_yield(); /* thieves still count their loot */
    __atomic_store_n(&a->over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THIEVES; i++)
        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
    free(a->seen);
    free(a);
}

TEST_MAIN()
