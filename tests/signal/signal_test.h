/* SPDX-License-Identifier: MIT */
/* What the tests of signals share. */
#ifndef SIGNAL_TEST_H
#define SIGNAL_TEST_H

#include "core/wait.h"
#include "test.h"

#include <edo/edo.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(p_) __atomic_load_n((p_), __ATOMIC_ACQUIRE)
#define STORE(p_, v_) __atomic_store_n((p_), (v_), __ATOMIC_RELEASE)
#define ADD(p_, v_) __atomic_add_fetch((p_), (v_), __ATOMIC_ACQ_REL)

static inline void dump_all(void)
{
    edo_dump(NULL, stderr);
}

/* ThreadSanitizer puts a handler off until the code that was interrupted calls it, and takes each
 * task for a thread of its own: so a signal that comes while this thread runs a task would be seen when
 * that task runs again, which may be waiting for it. There the thread of the library gets them all. */
static inline void keep_from_tasks(void)
{
#ifdef EDO__FENCE_BY_RMW
    sigset_t all;
    sigfillset(&all);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &all, NULL), ==, 0);
#endif
}

static inline void run_on(unsigned workers, edo_fn *fn, void *arg)
{
    keep_from_tasks();
    test_on_timeout(dump_all);
    edo_config config = { .workers = workers, .seed = test_seed() };
    CHECK_OK(edo_run(&config, fn, arg));
}

#define EACH_WORKERS(w_) for (unsigned w_##_i = 0, w_ = 1; w_##_i < 3; w_ = ++w_##_i < 2 ? 2 : 4)

/* To this process, whatever thread gets it. */
static inline void send_signal(int number)
{
    CHECK_INT(kill(getpid(), number), ==, 0);
}

/* Until others have had their turn n times or *flag says so. */
static inline void until(unsigned *flag, unsigned n)
{
    while (LOAD(flag) < n)
        CHECK_OK(edo_yield());
}

/* Until so many wait at the subscription. */
static inline void until_waiting(edo_signal *s, unsigned how_many)
{
    for (unsigned found = 0; found < how_many;) {
        found = 0;
        edo__spin_lock(&s->edo__q.lock);
        for (const edo__waiter *w = s->edo__q.head; w != NULL; w = w->next)
            found++;
        edo__spin_unlock(&s->edo__q.lock);
        CHECK_OK(edo_yield());
    }
}

static inline void same_action(int number, const struct sigaction *expected)
{
    struct sigaction now;
    CHECK_INT(sigaction(number, NULL, &now), ==, 0);
    CHECK(now.sa_handler == expected->sa_handler);
    int of_library = 0x04000000; /* SA_RESTORER: set by the C library when it wants to */
    CHECK_INT(now.sa_flags & ~of_library, ==, expected->sa_flags & ~of_library);
#ifndef EDO__FENCE_BY_RMW /* ThreadSanitizer sets masks of its own */
    for (int other = 1; other < 32; other++)
        CHECK_INT(sigismember(&now.sa_mask, other), ==, sigismember(&expected->sa_mask, other));
#endif
}

#endif
