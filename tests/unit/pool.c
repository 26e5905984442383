/* SPDX-License-Identifier: MIT */
/* The blocking pool, case by case. Waiting for a state is done by looking at it again and again. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_getname_np(), pthread_getattr_np() */
#endif
#include "test.h"

#include "base/atomic.h"
#include "base/spin.h"
#include "core/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define LONG INT64_C(60000000000)
#define WAIT_UNTIL(cond_)                                                                          \
    do                                                                                             \
        sched_yield();                                                                             \
    while (!(cond_))

static edo__pool *pool;

static edo__pool_stats stats(void)
{
    edo__pool_stats s;
    edo__pool_read_stats(pool, &s);
    return s;
}

static void create(unsigned max, int64_t keepalive, unsigned cores)
{
    CHECK_OK(edo__pool_create(&pool, max, keepalive, cores, "test"));
}

/* A job that counts itself, and when gated waits for a permit. */
typedef struct work {
    edo__job job; /* first member */
    bool gated;
    unsigned order; /* n-th to begin, from 1; 0: has not run */
    bool done;
} work;

static unsigned begun, permits, at_once, at_once_max;
static uint32_t lock;

static void run(edo__job *job)
{
    work *w = (work *)job;
    edo__spin_lock(&lock);
    w->order = ++begun;
    at_once_max = ++at_once > at_once_max ? at_once : at_once_max;
    edo__spin_unlock(&lock);
    for (bool pass = !w->gated; !pass; sched_yield()) {
        edo__spin_lock(&lock);
        pass = permits > 0;
        permits -= pass;
        edo__spin_unlock(&lock);
    }
    edo__spin_lock(&lock);
    at_once--;
    w->done = true;
    edo__spin_unlock(&lock);
}

static unsigned peek(const unsigned *n)
{
    edo__spin_lock(&lock);
    unsigned value = *n;
    edo__spin_unlock(&lock);
    return value;
}

static void permit(unsigned n)
{
    edo__spin_lock(&lock);
    permits += n;
    edo__spin_unlock(&lock);
}

static void submit(work *w, edo__job_class cls, bool gated)
{
    *w = (work){ .job = { .run = run, .cls = cls }, .gated = gated };
    CHECK_OK(edo__pool_submit(pool, &w->job));
}

TEST(create_and_destroy)
{
    CHECK_INT(edo__pool_create(&pool, 3, LONG, 2, "x"), ==, -EINVAL);
    create(4, LONG, 2);
    CHECK_UINT(stats().threads, ==, 0);
    CHECK(edo__pool_idle(pool));
    edo__pool_destroy(pool);
}

/* One after another needs one thread only. */
TEST(one_thread_is_used_again)
{
    work w;
    create(64, LONG, 2);
    for (unsigned i = 1; i <= 1000; i++) {
        submit(&w, (edo__job_class)(i % EDO__JOB_CLASSES), false);
        WAIT_UNTIL(edo__pool_idle(pool));
        CHECK_UINT(stats().done, ==, i);
        CHECK_UINT(w.order, ==, i);
    }
    CHECK_UINT(stats().threads, ==, 1);
    CHECK_UINT(stats().idle, ==, 1);
    edo__pool_destroy(pool);
}

static void check_limit(edo__job_class cls, unsigned max, unsigned cores, unsigned limit)
{
    static work w[40];
    begun = at_once_max = permits = 0;
    create(max, LONG, cores);
    for (int i = 0; i < 40; i++)
        submit(&w[i], cls, true);
    WAIT_UNTIL(peek(&begun) == limit);
    CHECK_UINT(stats().running, ==, limit);
    CHECK_UINT(stats().depth, ==, 40 - limit);
    CHECK_UINT(stats().threads, >=, limit);
    for (unsigned i = 1; i <= 40 - limit; i++) {
        permit(1);
        WAIT_UNTIL(peek(&begun) == limit + i);
    }
    permit(limit);
    WAIT_UNTIL(edo__pool_idle(pool));
    CHECK_UINT(at_once_max, ==, limit);
    edo__pool_destroy(pool);
}

TEST(class_limits)
{
    check_limit(EDO__JOB_USER, 8, 2, 6);
    check_limit(EDO__JOB_USER, 4, 2, 2);
    check_limit(EDO__JOB_CPU, 16, 3, 3);
    check_limit(EDO__JOB_CPU, 16, 1, 1);
    check_limit(EDO__JOB_CPU, 8, 64, 4);
    check_limit(EDO__JOB_FS, 16, 2, 4);
    check_limit(EDO__JOB_FS, 4, 2, 1);
    check_limit(EDO__JOB_DNS, 16, 2, 4);
}

/* Jobs of a user that never end leave room for the others; a class at its limit blocks no other. */
TEST(no_class_starves_another)
{
    static work user[50], names[50], files[20];
    create(8, LONG, 2);
    for (int i = 0; i < 50; i++)
        submit(&user[i], EDO__JOB_USER, true);
    for (int i = 0; i < 50; i++)
        submit(&names[i], EDO__JOB_DNS, false);
    for (int i = 0; i < 20; i++)
        submit(&files[i], EDO__JOB_FS, false);
    WAIT_UNTIL(stats().done == 70);
    CHECK_UINT(peek(&begun), ==, 76);
    permit(50);
    WAIT_UNTIL(edo__pool_idle(pool));
    CHECK_UINT(stats().threads, <=, 8);
    edo__pool_destroy(pool);
}

TEST(first_in_first_out)
{
    static work first, w[100];
    create(16, LONG, 1);
    submit(&first, EDO__JOB_CPU, true);
    for (int i = 0; i < 100; i++)
        submit(&w[i], EDO__JOB_CPU, false);
    permit(1);
    WAIT_UNTIL(edo__pool_idle(pool));
    for (unsigned i = 0; i < 100; i++)
        CHECK_UINT(w[i].order, ==, i + 2);
    edo__pool_destroy(pool);
}

/* The one thread that is free serves the classes by turns. */
TEST(classes_take_turns)
{
    static work hold[4], user[10], cpu[10];
    create(4, LONG, 2);
    static const edo__job_class cls[] = { EDO__JOB_USER, EDO__JOB_FS, EDO__JOB_DNS, EDO__JOB_CPU };
    for (int i = 0; i < 4; i++)
        submit(&hold[i], cls[i], i < 3);
    WAIT_UNTIL(stats().done == 1);
    submit(&hold[3], EDO__JOB_CPU, true);
    WAIT_UNTIL(peek(&begun) == 5);
    for (int i = 0; i < 10; i++)
        submit(&user[i], EDO__JOB_USER, false);
    for (int i = 0; i < 10; i++)
        submit(&cpu[i], EDO__JOB_CPU, false);
    permit(1); /* any of the four: then one thread is free */
    WAIT_UNTIL(stats().done == 22);
    for (unsigned i = 0; i < 9; i++) {
        unsigned apart = user[i].order > cpu[i].order ? user[i].order - cpu[i].order
                                                      : cpu[i].order - user[i].order;
        CHECK_UINT(apart, ==, 1);
    }
    permit(3);
    WAIT_UNTIL(edo__pool_idle(pool));
    edo__pool_destroy(pool);
}

TEST(cancel)
{
    static work hold, w[10];
    create(8, LONG, 1);
    submit(&hold, EDO__JOB_CPU, true);
    WAIT_UNTIL(peek(&begun) == 1);
    CHECK(!edo__pool_cancel(pool, &hold.job));
    for (int i = 0; i < 10; i++)
        submit(&w[i], EDO__JOB_CPU, false);
    static const int gone[] = { 0, 9, 4, 5 }; /* head, tail, neighbours */
    for (int i = 0; i < 4; i++) {
        CHECK(edo__pool_cancel(pool, &w[gone[i]].job));
        CHECK(!edo__pool_cancel(pool, &w[gone[i]].job));
    }
    CHECK_UINT(stats().depth, ==, 6);
    permit(1);
    WAIT_UNTIL(edo__pool_idle(pool));
    CHECK_UINT(stats().done, ==, 7);
    CHECK_UINT(stats().depth, ==, 0);
    for (int i = 0; i < 4; i++)
        CHECK_UINT(w[gone[i]].order, ==, 0);
    CHECK(!edo__pool_cancel(pool, &w[1].job));
    edo__pool_destroy(pool);
}

static unsigned freed;
static void run_and_free(edo__job *job)
{
    free(job);
    edo__aadd(&freed, 1u, EDO__RLX);
}

TEST(destroy_runs_what_is_queued)
{
    static work hold;
    create(8, LONG, 1);
    submit(&hold, EDO__JOB_CPU, true);
    for (unsigned i = 0; i < 400; i++) {
        edo__job *job = calloc(1, sizeof *job);
        *job = (edo__job){ .run = run_and_free, .cls = (edo__job_class)(i % EDO__JOB_CLASSES) };
        CHECK_OK(edo__pool_submit(pool, job));
    }
    permit(1);
    edo__pool_destroy(pool);
    CHECK_UINT(freed, ==, 400);
    CHECK(hold.done);
}

static void run_nothing(edo__job *job)
{
    (void)job;
}

static int refused;
static unsigned go; /* atomic */
static void submit_until_refused(edo__job *job)
{
    (void)job;
    WAIT_UNTIL(edo__aload(&go, EDO__ACQ) != 0); /* pairs with the store in the test */
    for (;;) {
        edo__job *next = calloc(1, sizeof *next);
        *next = (edo__job){ .run = run_and_free, .cls = EDO__JOB_USER };
        refused = edo__pool_submit(pool, next);
        if (refused == 0)
            continue;
        free(next);
        return;
    }
}

TEST(destroy_refuses_new_jobs)
{
    edo__job job = { .run = submit_until_refused, .cls = EDO__JOB_CPU };
    create(8, LONG, 2);
    CHECK_OK(edo__pool_submit(pool, &job));
    CHECK_UINT(stats().threads, ==, 1);
    edo__astore(&go, 1u, EDO__REL);
    edo__pool_destroy(pool);
    CHECK_INT(refused, ==, -ESHUTDOWN);
}

TEST(threads_leave_after_keepalive)
{
    static work w[20];
    create(64, 1000, 2);
    for (unsigned round = 1; round <= 30; round++) {
        for (int i = 0; i < 20; i++)
            submit(&w[i], EDO__JOB_USER, true);
        WAIT_UNTIL(peek(&begun) == 20 * round);
        CHECK_UINT(stats().running, ==, 20);
        permit(20);
        WAIT_UNTIL(stats().threads == 0);
        CHECK_UINT(stats().idle, ==, 0);
        CHECK_UINT(stats().done, ==, 20 * round);
    }
    edo__pool_destroy(pool);
}

typedef struct seen {
    edo__job job; /* first member */
    char name[32];
    sigset_t mask;
    size_t stack;
} seen;

static void look_around(edo__job *job)
{
    seen *s = (seen *)job;
    pthread_attr_t attr;
    CHECK_INT(pthread_getname_np(pthread_self(), s->name, sizeof s->name), ==, 0);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, NULL, &s->mask), ==, 0);
    CHECK_INT(pthread_getattr_np(pthread_self(), &attr), ==, 0);
    CHECK_INT(pthread_attr_getstacksize(&attr, &s->stack), ==, 0);
    pthread_attr_destroy(&attr);
}

TEST(thread_properties)
{
    static seen s;
    sigset_t before, after;
    CHECK_OK(edo__pool_create(&pool, 8, LONG, 2, "a-long-prefix"));
    s.job = (edo__job){ .run = look_around, .cls = EDO__JOB_USER };
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    CHECK_OK(edo__pool_submit(pool, &s.job));
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    edo__pool_destroy(pool);
    CHECK_STR(s.name, "a-long-pr-block");
    for (int sig = 1; sig < 32; sig++)
        CHECK_INT(sigismember(&before, sig), ==, sigismember(&after, sig));
    CHECK_INT(sigismember(&s.mask, SIGTERM), ==, 1);
    CHECK_INT(sigismember(&s.mask, SIGCHLD), ==, 1);
    CHECK_INT(sigismember(&s.mask, SIGUSR1), ==, 1);
    CHECK_INT(sigismember(&s.mask, SIGSEGV), ==, 0);
    CHECK_UINT(s.stack, >=, 1536 * 1024);
}

static int no_thread(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    (void)t, (void)a, (void)f, (void)arg;
    return EAGAIN;
}

TEST(no_first_thread)
{
    static work w;
    create(8, LONG, 2);
    edo__pool_pthread_create = no_thread;
    for (int i = 0; i < 10; i++) {
        w.job = (edo__job){ .run = run, .cls = EDO__JOB_FS };
        CHECK_INT(edo__pool_submit(pool, &w.job), ==, -EAGAIN);
        CHECK(!w.job.queued);
        CHECK_UINT(stats().depth, ==, 0);
        CHECK_UINT(stats().threads, ==, 0);
        CHECK(edo__pool_idle(pool));
    }
    edo__pool_pthread_create = pthread_create;
    submit(&w, EDO__JOB_FS, false);
    edo__pool_destroy(pool);
    CHECK_UINT(w.order, ==, 1);
}

/* The threads there are do what more of them would have done. */
TEST(no_second_thread)
{
    static work hold, w[100];
    create(64, LONG, 2);
    submit(&hold, EDO__JOB_USER, true);
    edo__pool_pthread_create = no_thread;
    for (unsigned i = 0; i < 100; i++)
        submit(&w[i], (edo__job_class)(i % EDO__JOB_CLASSES), false);
    CHECK_UINT(stats().threads, ==, 1);
    permit(1);
    WAIT_UNTIL(edo__pool_idle(pool));
    CHECK_UINT(stats().done, ==, 101);
    CHECK_UINT(stats().threads, ==, 1);
    edo__pool_destroy(pool);
}

static unsigned depth_of_jobs;
typedef struct nested {
    edo__job job; /* first member */
    unsigned level;
} nested;

static void run_nested(edo__job *job)
{
    nested *n = (nested *)job;
    edo__aadd(&depth_of_jobs, 1u, EDO__RLX);
    for (int i = 0; i < 2 && n->level > 0; i++) {
        nested *child = calloc(1, sizeof *child);
        child->level = n->level - 1;
        child->job = (edo__job){ .run = run_nested, .cls = (edo__job_class)(n->level % 4) };
        CHECK_OK(edo__pool_submit(pool, &child->job));
    }
    free(n);
}

TEST(jobs_submit_jobs)
{
    nested *n = calloc(1, sizeof *n);
    create(16, LONG, 2);
    *n = (nested){ .job = { .run = run_nested, .cls = EDO__JOB_USER }, .level = 9 };
    CHECK_OK(edo__pool_submit(pool, &n->job));
    WAIT_UNTIL(edo__pool_idle(pool));
    CHECK_UINT(depth_of_jobs, ==, (1u << 10) - 1);
    CHECK_UINT(stats().threads, <=, 16);
    edo__pool_destroy(pool);
}

TEST(forever_is_a_keepalive)
{
    edo__job job = { .run = run_nothing, .cls = EDO__JOB_USER };
    create(4, INT64_MAX, 1);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(edo__pool_submit(pool, &job));
        WAIT_UNTIL(edo__pool_idle(pool));
    }
    CHECK_UINT(stats().threads, ==, 1);
    edo__pool_destroy(pool);
}

TEST_MAIN()
