/* SPDX-License-Identifier: MIT */
/* What the tests of the core share: running on a number of workers, flags that tasks wait for by
 * yielding (never by a clock), and a dump of the runtime when a test runs out of time. */
#ifndef EDO_CORE_TEST_H
#define EDO_CORE_TEST_H

#include "test.h"

#include <edo/edo.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define LOAD(p_) __atomic_load_n((p_), __ATOMIC_ACQUIRE)
#define STORE(p_, v_) __atomic_store_n((p_), (v_), __ATOMIC_RELEASE)
#define ADD(p_, v_) __atomic_add_fetch((p_), (v_), __ATOMIC_ACQ_REL)

#define EACH_WORKERS(w_) for (unsigned w_##_i = 0, w_ = 1; w_##_i < 3; w_ = ++w_##_i < 2 ? 2 : 4)

static edo_runtime *core_test_rt; /* atomic: what the watchdog dumps */

static inline void core_test_dump(void)
{
    edo_runtime *rt = LOAD(&core_test_rt);
    if (rt != NULL)
        edo_dump(rt, stderr);
}

typedef struct core_test_call {
    edo_fn *fn;
    void *arg;
} core_test_call;

static inline int core_test_main(void *arg)
{
    core_test_call *c = arg;
    STORE(&core_test_rt, edo_runtime_current());
    int rc = c->fn(c->arg);
    STORE(&core_test_rt, NULL);
    return rc;
}

/* edo_run() with so many workers; the code of fn. One: on this thread alone, in a known order. */
static inline int run_with(unsigned workers, edo_fn *fn, void *arg)
{
    test_on_timeout(core_test_dump);
    edo_config config = { .workers = workers, .seed = test_seed(), .current_thread = workers == 1 };
    core_test_call c = { fn, arg };
    return edo_run(&config, core_test_main, &c);
}

static inline void run_on(unsigned workers, edo_fn *fn, void *arg)
{
    CHECK_OK(run_with(workers, fn, arg));
}

/* Yields until *flag is at least n; cancelled or not. */
static inline void until(unsigned *flag, unsigned n)
{
    while (LOAD(flag) < n) {
        if (edo_yield() < 0) {
            edo_scope s;
            edo_shield_open(&s, EDO_FOREVER);
            (void)edo_yield();
            (void)edo_scope_close(&s, 0);
        }
    }
}

/* A task's body that waits until it is cancelled. */
static inline int wait_for_cancel(void *arg)
{
    (void)arg;
    int rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(rc, ==, -ECANCELED);
    return rc;
}

static inline void thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    CHECK_INT(pthread_create(thread, NULL, fn, arg), ==, 0);
}

static inline void thread_join(pthread_t thread)
{
    CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

#endif
