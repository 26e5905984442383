/* SPDX-License-Identifier: MIT */
/* Workers bound to CPUs: read back from the kernel, on the workers and on all threads that are not. */
#include "core_test.h"

#include "arch/affinity.h"

#include <edo/blocking.h>
#include <edo/metrics.h>
#include <unistd.h>

static cpu_set_t mine(void)
{
    cpu_set_t set;
    CHECK_INT(sched_getaffinity(0, sizeof set, &set), ==, 0);
    return set;
}

/* The n-th of a set, going round. */
static int cpu_at(const cpu_set_t *set, unsigned n)
{
    n %= (unsigned)CPU_COUNT(set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, set) && n-- == 0)
            return cpu;
    }
    FAIL("an empty set");
}

static bool is_only(const cpu_set_t *set, int cpu)
{
    return CPU_COUNT(set) == 1 && CPU_ISSET((size_t)cpu, set);
}

/* ---- on each worker ---- */

typedef struct look {
    cpu_set_t before;
    unsigned workers, met;
    bool seen[64]; /* atomic: by worker, that a task found itself on it, bound */
    unsigned n_seen;
} look;

static void look_here(look *l)
{
    cpu_set_t here = mine();
    unsigned me = 64;
    edo_worker_metrics m;
    for (unsigned i = 0; edo_metrics_worker(NULL, i, &m) == 0; i++)
        me = m.tid == gettid() ? i : me;
    CHECK_UINT(me, <, l->workers);
    CHECK_OK(edo_metrics_worker(NULL, me, &m));
    CHECK_INT(m.cpu, ==, cpu_at(&l->before, me));
    CHECK(is_only(&here, m.cpu));
    if (!__atomic_exchange_n(&l->seen[me], true, __ATOMIC_ACQ_REL))
        ADD(&l->n_seen, 1);
}

/* Until every worker has been seen by somebody. */
static int look_around(void *arg)
{
    look *l = arg;
    while (LOAD(&l->n_seen) < l->workers) {
        look_here(l);
        sched_yield();
        CHECK_OK(edo_yield());
    }
    return 0;
}

static int others_are_free(void *arg)
{
    look *l = arg;
    cpu_set_t here = mine();
    CHECK(CPU_EQUAL(&here, &l->before));
    return 0;
}

static int look_body(void *arg)
{
    look *l = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 4 * l->workers; i++)
        CHECK_OK(edo_spawn(&g, look_around, l));
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(edo_blocking(others_are_free, l));
    return edo_cpu(others_are_free, l);
}

static edo_config pinned(unsigned workers)
{
    return (edo_config){
        .workers = workers, .seed = test_seed(), .stuck_after = EDO_FOREVER, .pin_workers = true
    };
}

TEST(each_worker_has_its_cpu)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    for (unsigned w = 1; w <= 5; w++) {
        look l = { .before = mine(), .workers = w };
        edo_config config = pinned(w);
        CHECK_OK(edo_run(&config, look_body, &l));
        cpu_set_t after = mine();
        CHECK(CPU_EQUAL(&l.before, &after)); /* the caller is free again */
        edo_runtime *rt;
        l = (look){ .before = after, .workers = w };
        CHECK_OK(edo_runtime_create(&rt, &config));
        CHECK_OK(edo_runtime_block_on(rt, look_body, &l));
        CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
    }
}

static int is_bound(void *arg)
{
    (void)arg;
    cpu_set_t here = mine();
    edo_worker_metrics m;
    CHECK_OK(edo_metrics_worker(NULL, 0, &m));
    CHECK(is_only(&here, m.cpu));
    return 0;
}

static int is_free(void *arg)
{
    cpu_set_t here = mine(), *before = arg;
    edo_worker_metrics m;
    CHECK_OK(edo_metrics_worker(NULL, 0, &m));
    CHECK_INT(m.cpu, ==, -1);
    CHECK(CPU_EQUAL(&here, before));
    return 0;
}

TEST(the_current_thread_and_the_environment)
{
    cpu_set_t before = mine();
    edo_config config = { .current_thread = true, .pin_workers = true };
    CHECK_OK(edo_run(&config, is_bound, NULL));
    config.pin_workers = false;
    CHECK_OK(edo_run(&config, is_free, &before));
    setenv("EDO_PIN_WORKERS", "1", 1);
    CHECK_OK(edo_run(&config, is_bound, NULL));
    setenv("EDO_PIN_WORKERS", "0", 1);
    config.pin_workers = true;
    CHECK_OK(edo_run(&config, is_free, &before));
    setenv("EDO_PIN_WORKERS", "2", 1);
    CHECK_INT(edo_run(&config, is_free, &before), ==, -EINVAL);
}

/* A part of the CPUs only. */
TEST(within_what_the_caller_may_use)
{
    cpu_set_t all = mine();
    if (CPU_COUNT(&all) < 2)
        SKIP("needs two CPUs");
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu_at(&all, 1), &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), ==, 0);
    look l = { .before = one, .workers = 3 };
    edo_config config = pinned(3);
    CHECK_OK(edo_run(&config, look_body, &l));
}

/* ---- several runtimes ---- */

static int cpu_of_worker(void *arg)
{
    edo_worker_metrics m;
    CHECK_OK(edo_metrics_worker(NULL, *(unsigned *)arg, &m));
    return m.cpu;
}

TEST(runtimes_beside_each_other)
{
    cpu_set_t all = mine();
    unsigned n = (unsigned)CPU_COUNT(&all), zero = 0;
    edo_runtime *rt[8];
    for (int round = 0; round < 3; round++) { /* what one has given back the next one gets */
        for (unsigned i = 0; i < 8; i++) {
            edo_config config = pinned(1);
            CHECK_OK(edo_runtime_create(&rt[i], &config));
            CHECK_INT(edo_runtime_block_on(rt[i], cpu_of_worker, &zero), ==, cpu_at(&all, i % n));
        }
        for (int i = 0; i < 8; i++)
            CHECK_OK(edo_runtime_shutdown(rt[i], EDO_SEC(20)));
    }
}

/* From a task on a bound worker: a runtime has all CPUs none the less, bound or not, and so have
 * its threads, the first ones that block as well. */
static int usual_runtime(void *arg)
{
    look *l = arg;
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.workers, ==, (unsigned)CPU_COUNT(&l->before));
    CHECK_OK(is_free(&l->before));
    CHECK_OK(edo_blocking(others_are_free, l));
    STORE(&l->met, 1);
    return 0;
}

static int from_within(void *arg)
{
    look *l = arg;
    unsetenv("EDO_WORKERS");
    edo_runtime *rt;
    CHECK_OK(is_bound(NULL));
    CHECK_OK(edo_runtime_create(&rt, NULL));
    CHECK_OK(edo_runtime_spawn(rt, usual_runtime, l));
    until(&l->met, 1);
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
    return 0;
}

TEST(a_runtime_made_on_a_bound_worker)
{
    look l = { .before = mine() };
    edo_config config = pinned(1);
    CHECK_OK(edo_run(&config, from_within, &l));
}

/* ---- spares are free ---- */

typedef struct held {
    look l;
    pthread_barrier_t b;
    unsigned free;
} held;

static int meet(void *arg)
{
    held *h = arg;
    cpu_set_t here = mine();
    if (CPU_EQUAL(&here, &h->l.before))
        ADD(&h->free, 1);
    (void)pthread_barrier_wait(&h->b);
    return 0;
}

static int hold_all(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, meet, arg));
    return edo_group_close(&g);
}

TEST_TIMEOUT(spares_are_not_bound, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    held h = { .l.before = mine() };
    if (CPU_COUNT(&h.l.before) < 2)
        SKIP("needs two CPUs");
    pthread_barrier_init(&h.b, NULL, 10);
    edo_config config = pinned(2);
    config.stuck_after = EDO_MS(2);
    CHECK_OK(edo_run(&config, hold_all, &h));
    CHECK_UINT(h.free, >=, 8); /* ten at the same time, two of them at most on workers */
    pthread_barrier_destroy(&h.b);
}

/* ---- where the kernel refuses ---- */

static int refuse(pid_t thread, size_t size, const cpu_set_t *cpus)
{
    (void)thread;
    (void)size;
    (void)cpus;
    errno = EPERM;
    return -1;
}

static int goes_on(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    return 5;
}

static void run_refused(void *arg)
{
    (void)arg;
    edo__affinity_call = refuse;
    edo_config config = pinned(4);
    fprintf(stderr, "rc=%d.", edo_run(&config, goes_on, NULL));
}

TEST(a_refusal_is_said_once)
{
    char text[4096];
    CHECK_INT(test_capture(run_refused, NULL, text, sizeof text), ==, 0);
    const char *said = strstr(text, "pin_workers");
    if (said == NULL || strstr(said + 1, "pin_workers") != NULL || strstr(text, "rc=5.") == NULL)
        FAIL("%s", text);
}

TEST_MAIN()
