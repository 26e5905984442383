/* SPDX-License-Identifier: MIT */
/* The blocking pool under many submitters, with cancels, threads that leave at once and threads
 * that cannot be started. What must hold: a job that was accepted runs once or was cancelled, a job
 * that was refused never runs, no class exceeds its limit, and everything comes to an end. */
#include "test.h"

#include "base/atomic.h"
#include "core/pool.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#define SUBMITTERS 6
#define BATCH 32

typedef struct setup {
    unsigned max;
    unsigned cores;
    int64_t keepalive;
    unsigned fail_first;   /* attempts to start a thread that fail, all of them ... */
    unsigned fail_percent; /* ... and of those after them                           */
    unsigned jobs;         /* per submitter */
} setup;

typedef struct stress_job {
    edo__job job;  /* first member */
    unsigned runs; /* atomic */
    unsigned spin;
} stress_job;

static edo__pool *pool;
static const setup *now;
static unsigned running[EDO__JOB_CLASSES]; /* atomic */
static unsigned limit[EDO__JOB_CLASSES];
static unsigned ran, accepted, refused, cancelled; /* atomic */
static uint64_t attempts;                          /* atomic: to start a thread */

static void run(edo__job *job)
{
    stress_job *j = (stress_job *)job;
    unsigned cls = job->cls;
    CHECK_UINT(edo__aadd(&running[cls], 1u, EDO__RLX), <, limit[cls]);
    for (unsigned i = 0; i < j->spin; i++)
        sched_yield();
    edo__asub(&running[cls], 1u, EDO__RLX);
    edo__aadd(&ran, 1u, EDO__RLX);
    edo__aadd(&j->runs, 1u, EDO__REL); /* pairs with the loads in finish(); j is gone */
}

static int create_maybe(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    uint64_t n = edo__aadd(&attempts, (uint64_t)1, EDO__RLX), seed = test_seed() + n;
    bool fails = n < now->fail_first || test_rand(&seed) % 100 < now->fail_percent;
    return fails ? EAGAIN : pthread_create(t, a, f, arg);
}

/* Settles one job: cancels it or waits for it. */
static void finish(stress_job *j, bool cancel)
{
    if (cancel && edo__pool_cancel(pool, &j->job)) {
        edo__aadd(&cancelled, 1u, EDO__RLX);
        CHECK_UINT(edo__aload(&j->runs, EDO__ACQ), ==, 0);
        return;
    }
    while (edo__aload(&j->runs, EDO__ACQ) == 0)
        sched_yield();
    CHECK_UINT(edo__aload(&j->runs, EDO__ACQ), ==, 1);
}

static void *submitter(void *arg)
{
    uint64_t seed = test_seed() + (uintptr_t)arg;
    for (unsigned n = 0; n < now->jobs; n += BATCH) {
        stress_job *jobs[BATCH];
        unsigned count = 1 + (unsigned)(test_rand(&seed) % BATCH), kept = 0;
        for (unsigned i = 0; i < count; i++) {
            stress_job *j = calloc(1, sizeof *j);
            j->job = (edo__job){ .run = run, .cls = (edo__job_class)(test_rand(&seed) % 4) };
            j->spin = test_rand(&seed) % 8 == 0 ? 5 : 0;
            int rc = edo__pool_submit(pool, &j->job);
            if (rc == 0) {
                jobs[kept++] = j;
                edo__aadd(&accepted, 1u, EDO__RLX);
            } else {
                CHECK_INT(rc, ==, -EAGAIN);
                CHECK_UINT(now->fail_percent, >, 0);
                edo__aadd(&refused, 1u, EDO__RLX);
                free(j);
            }
        }
        for (unsigned i = 0; i < kept; i++) {
            finish(jobs[i], test_rand(&seed) % 3 == 0);
            free(jobs[i]);
        }
    }
    return NULL;
}

static unsigned at_most(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void stress(const setup *s)
{
    pthread_t threads[SUBMITTERS];
    now = s;
    edo__pool_pthread_create = create_maybe;
    limit[EDO__JOB_USER] = s->max - 2;
    limit[EDO__JOB_CPU] = at_most(s->cores, s->max / 2);
    limit[EDO__JOB_FS] = limit[EDO__JOB_DNS] = s->max / 4;
    CHECK_OK(edo__pool_create(&pool, s->max, s->keepalive, s->cores, "stress"));
    for (uintptr_t i = 0; i < SUBMITTERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, submitter, (void *)i), ==, 0);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    while (!edo__pool_idle(pool))
        sched_yield();
    edo__pool_stats stats;
    edo__pool_read_stats(pool, &stats);
    CHECK_UINT(ran + cancelled, ==, accepted);
    CHECK_UINT(stats.done, ==, ran);
    CHECK_UINT(stats.depth, ==, 0);
    CHECK_UINT(stats.threads, <=, s->max);
    edo__pool_destroy(pool);
}

TEST_TIMEOUT(plain, 120)
{
    stress(&(setup){ .max = 32, .cores = 2, .keepalive = INT64_MAX, .jobs = test_scale(30000) });
    CHECK_UINT(cancelled, >, 0);
}

TEST_TIMEOUT(one_core_few_threads, 120)
{
    stress(&(setup){ .max = 4, .cores = 1, .keepalive = INT64_MAX, .jobs = test_scale(30000) });
}

TEST_TIMEOUT(threads_leave_at_once, 120)
{
    stress(&(setup){ .max = 16, .cores = 2, .keepalive = 0, .jobs = test_scale(10000) });
}

TEST_TIMEOUT(threads_leave_soon, 120)
{
    stress(&(setup){ .max = 16, .cores = 1, .keepalive = 20000, .jobs = test_scale(10000) });
}

/* Threads that leave at once, and cannot always be started. A pool without a thread refuses a job if
 * the first cannot be started: so it is with the first jobs of all, and how often later on is decided
 * by who gets a processor when. */
TEST_TIMEOUT(threads_fail_to_start, 120)
{
    stress(&(setup){ .max = 16,
                     .cores = 1,
                     .keepalive = 0,
                     .fail_first = 20,
                     .fail_percent = 60,
                     .jobs = test_scale(10000) });
    CHECK_UINT(refused, >=, 20);
}

static void *submit_some(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < now->jobs; i++) {
        stress_job *j = calloc(1, sizeof *j);
        *j = (stress_job){ .job = { .run = run, .cls = (edo__job_class)(i % 4) } };
        CHECK_OK(edo__pool_submit(pool, &j->job));
        finish(j, false);
        free(j);
    }
    return NULL;
}

/* Pools that are destroyed right after their last job, idle threads or not. */
TEST_TIMEOUT(short_lives, 120)
{
    setup s = { .max = 8, .cores = 2, .jobs = 3 };
    now = &s;
    limit[EDO__JOB_USER] = 6;
    limit[EDO__JOB_CPU] = limit[EDO__JOB_FS] = limit[EDO__JOB_DNS] = 2;
    for (unsigned i = 0; i < test_scale(1000); i++) {
        pthread_t threads[3];
        CHECK_OK(edo__pool_create(&pool, s.max, i % 3 == 0 ? 0 : i % 3 * 10000, s.cores, "short"));
        for (int k = 0; k < 3; k++)
            CHECK_INT(pthread_create(&threads[k], NULL, submit_some, NULL), ==, 0);
        for (int k = 0; k < 3; k++)
            pthread_join(threads[k], NULL);
        edo__pool_destroy(pool);
    }
}

TEST_MAIN()
