/* SPDX-License-Identifier: MIT */
/* A blocking job holds a paused clock back; when it ends without waking any task (edo_drop(), or a
 * job whose task sleeps already when the thread reports its end), the clock must go on. */
#include "test.h"

#include <edo/edo.h>
#include <stdlib.h>
#include <time.h>

static unsigned may_end, ended; /* atomic */

static void slow_free(void *p)
{
    while (__atomic_load_n(&may_end, __ATOMIC_ACQUIRE) == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 },
              NULL); /* long enough for all workers to sleep */
    free(p);
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
}

static int job(void *arg)
{
    (void)arg;
    return 0;
}

static int play(void *arg)
{
    (void)arg;
    CHECK_OK(edo_clock_pause());
    may_end = ended = 0;
    int64_t before = edo_now();
    edo_drop(malloc(1), slow_free);
    __atomic_store_n(&may_end, 1, __ATOMIC_RELEASE);
    CHECK_OK(edo_sleep(EDO_SEC(3600)));
    CHECK_INT(edo_now() - before, ==, EDO_SEC(3600));
    CHECK_UINT(__atomic_load_n(&ended, __ATOMIC_ACQUIRE), ==, 1);
    for (int i = 0; i < 200; i++) {
        CHECK_OK(edo_blocking(job, NULL));
        CHECK_OK(edo_sleep(EDO_SEC(60)));
    }
    return 0;
}

TEST_TIMEOUT(jobs_that_wake_nobody, 20)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        CHECK_OK(edo_run(&(edo_config){ .workers = workers }, play, NULL));
}

TEST_MAIN()
