/* SPDX-License-Identifier: MIT */
/* A thread of the program wakes the last task of a runtime, which then ends and is freed: the
 * thread may still be on its way out of the wake-up, and must not find the runtime gone. */
#include "test.h"

#include <edo/edo.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct scene {
    edo_event event;
    unsigned waiting; /* atomic */
} scene;

static void *waker(void *arg)
{
    scene *s = arg;
    while (__atomic_load_n(&s->waiting, __ATOMIC_ACQUIRE) == 0)
        edo_yield();
    edo_event_set(&s->event);
    return NULL;
}

static int last_task(void *arg)
{
    scene *s = arg;
    __atomic_store_n(&s->waiting, 1, __ATOMIC_RELEASE);
    return edo_event_wait(&s->event);
}

TEST_TIMEOUT(the_runtime_outlasts_its_wakers, 60)
{
    for (unsigned i = 0, n = test_scale(2000); i < n; i++) {
        scene *s = malloc(sizeof *s);
        edo_event_init(&s->event, EDO_EVENT_MANUAL);
        s->waiting = 0;
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, waker, s), ==, 0);
        CHECK_OK(edo_run(&(edo_config){ .workers = 1 + i % 2 }, last_task, s));
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
        free(s);
    }
}

TEST_MAIN()
