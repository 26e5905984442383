/* SPDX-License-Identifier: MIT */
/* ctest: serial */
/* Every worker is held, and the tasks that hold them wait, without suspending, for what other tasks
 * do: only spare workers can get them out of that. No order is made by time: a test that does not
 * find its spares hangs. */
#include "core_test.h"

#include <edo/io.h>
#include <time.h>
#include <unistd.h>

static void run_stuck(unsigned workers, edo_fn *fn, void *arg)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    test_on_timeout(core_test_dump);
    edo_config config = { .workers = workers, .seed = test_seed(), .stuck_after = EDO_MS(2) };
    core_test_call c = { fn, arg };
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

static edo_metrics metrics(void)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return m;
}

/* ---- holders that wait for others ---- */

typedef struct hostages {
    unsigned holders, holding, free; /* free: others that have done their part */
    bool block;                      /* in the kernel, instead of computing */
    int pipe[2];
} hostages;

enum { OTHERS = 30 };

static int hold(void *arg)
{
    hostages *h = arg;
    ADD(&h->holding, 1);
    while (LOAD(&h->free) < OTHERS) {
        if (h->block)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    return 0;
}

static int runs(void *arg)
{
    hostages *h = arg;
    until(&h->holding, h->holders);
    CHECK_OK(edo_yield());
    ADD(&h->free, 1);
    return 0;
}

static int sleeps(void *arg)
{
    hostages *h = arg;
    while (LOAD(&h->holding) < h->holders)
        CHECK_OK(edo_sleep(EDO_MS(1)));
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_sleep(EDO_MS(1)));
    ADD(&h->free, 1);
    return 0;
}

static int reads(void *arg)
{
    hostages *h = arg;
    CHECK_INT(edo_wait_fd(h->pipe[0], EDO_READABLE), ==, EDO_READABLE);
    ADD(&h->free, 1);
    return 0;
}

static int writes(void *arg)
{
    hostages *h = arg;
    until(&h->holding, h->holders);
    CHECK_INT(write(h->pipe[1], "x", 1), ==, 1);
    return 0;
}

static int take_hostages(void *arg)
{
    hostages *h = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < OTHERS; i += 3) {
        CHECK_OK(edo_spawn(&g, sleeps, h));
        CHECK_OK(edo_spawn(&g, reads, h));
        CHECK_OK(edo_spawn(&g, runs, h));
    }
    CHECK_OK(edo_spawn(&g, writes, h));
    for (unsigned i = 0; i < h->holders; i++)
        CHECK_OK(edo_spawn(&g, hold, h));
    CHECK_OK(edo_group_close(&g));
    return 0;
}

static void all_held(bool block)
{
    EACH_WORKERS(workers)
    {
        hostages h = { .holders = workers, .block = block };
        CHECK_INT(pipe(h.pipe), ==, 0);
        run_stuck(workers, take_hostages, &h);
        CHECK_UINT(h.free, ==, OTHERS);
        close(h.pipe[0]);
        close(h.pipe[1]);
    }
}

TEST_TIMEOUT(all_workers_compute, 60)
{
    all_held(false);
}
TEST_TIMEOUT(all_workers_block, 60)
{
    all_held(true);
}

/* ---- more holders than workers: none is over before all have begun ---- */

enum { CROWD = 40 };

static int meet(void *arg)
{
    pthread_barrier_t *b = arg;
    (void)pthread_barrier_wait(b);
    return 0;
}

static int crowd(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < CROWD; i++)
        CHECK_OK(edo_spawn(&g, meet, arg));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(metrics().spares_started, >=, CROWD - 4);
    return 0;
}

TEST_TIMEOUT(spares_that_are_held_as_well, 60)
{
    EACH_WORKERS(workers)
    {
        pthread_barrier_t b;
        pthread_barrier_init(&b, NULL, CROWD);
        run_stuck(workers, crowd, &b);
        pthread_barrier_destroy(&b);
    }
}

/* ---- afterwards everything is as before ---- */

typedef struct after {
    unsigned now, most, workers;
} after;

static int count_at_once(void *arg)
{
    after *a = arg;
    for (int i = 0; i < 20; i++) {
        unsigned n = ADD(&a->now, 1);
        for (unsigned most = LOAD(&a->most); n > most;)
            if (__atomic_compare_exchange_n(&a->most, &most, n, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
                break;
        (void)__atomic_sub_fetch(&a->now, 1, __ATOMIC_ACQ_REL);
        CHECK_OK(edo_yield());
    }
    return 0;
}

static void wait_for_spares_to_retire(void)
{
    while (metrics().workers_spare != 0)
        CHECK_OK(edo_sleep(EDO_MS(1)));
}

/* On a busy machine a worker can count as held while it waits for a processor: of some rounds only one
 * in which no spare was called in tells. */
static int calm(void *arg)
{
    after *a = arg;
    pthread_barrier_t b;
    pthread_barrier_init(&b, NULL, CROWD);
    (void)crowd(&b);
    pthread_barrier_destroy(&b);
    for (int round = 0;; round++) {
        if (round == 200) {
            printf("# %u workers: the machine is too busy\n", a->workers);
            return 0;
        }
        wait_for_spares_to_retire();
        uint64_t before = metrics().spares_started;
        CHECK_OK(edo_sleep(EDO_MS(2))); /* each has seen by then that it is to retire */
        STORE(&a->most, 0);
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < 50; i++)
            CHECK_OK(edo_spawn(&g, count_at_once, a));
        CHECK_OK(edo_group_close(&g));
        edo_metrics m = metrics();
        if (m.workers_spare == 0 && m.spares_started == before)
            break;
    }
    CHECK_UINT(a->most, <=, a->workers);
    return 0;
}

TEST_TIMEOUT(as_many_at_a_time_as_there_are_workers, 60)
{
    EACH_WORKERS(workers)
    {
        after a = { .workers = workers };
        run_stuck(workers, calm, &a);
    }
}

static int sleep_for_an_hour(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_SEC(3600));
}

/* A paused clock jumps when all are quiet, resting spares or not. */
static int virtual_hours(void *arg)
{
    pthread_barrier_t b;
    (void)arg;
    pthread_barrier_init(&b, NULL, CROWD);
    (void)crowd(&b);
    pthread_barrier_destroy(&b);
    CHECK_OK(edo_clock_pause());
    int64_t before = edo_now();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, sleep_for_an_hour, NULL));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(edo_now() - before, >=, EDO_SEC(3600));
    CHECK_OK(edo_clock_advance(EDO_SEC(60)));
    return edo_clock_resume();
}

TEST_TIMEOUT(a_paused_clock_after_spares, 60)
{
    EACH_WORKERS(workers)
    {
        run_stuck(workers, virtual_hours, NULL);
    }
}

/* ---- everything at once: no task is lost, none runs twice, a pinned one stays on its thread ---- */

enum { STRESS_TASKS = 300, STRESS_STEPS = 6 };

typedef struct stress {
    unsigned ran[STRESS_TASKS][STRESS_STEPS];
    unsigned next;
} stress;

static void compute(int64_t ns)
{
    struct timespec t;
    int64_t start = edo_now(), left = 0;
    do {
        clock_gettime(CLOCK_MONOTONIC, &t);
        left = start + ns - (t.tv_sec * EDO_SEC(1) + t.tv_nsec);
    } while (left > 0);
}

static void on_one_thread(void)
{
    CHECK_OK(edo_task_pin(true));
    pthread_t here = pthread_self();
    CHECK_OK(edo_sleep(EDO_US(500)));
    CHECK_OK(edo_yield());
    CHECK(pthread_equal(here, pthread_self()));
    CHECK_OK(edo_task_pin(false));
}

static int stress_task(void *arg)
{
    stress *s = arg;
    unsigned me = ADD(&s->next, 1) - 1;
    uint64_t seed = test_seed() + me;
    for (int step = 0; step < STRESS_STEPS; step++) {
        ADD(&s->ran[me][step], 1);
        switch (test_rand(&seed) % 16) {
        case 0: compute(EDO_MS(4)); break;
        case 1: nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); break;
        case 2:
        case 3: on_one_thread(); break;
        case 4:
        case 5: CHECK_OK(edo_sleep(EDO_US(700))); break;
        default: CHECK_OK(edo_yield());
        }
    }
    return 0;
}

static int stress_play(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < STRESS_TASKS; i++)
        CHECK_OK(edo_spawn(&g, stress_task, arg));
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = metrics();
    CHECK_UINT(m.tasks_spawned, ==, m.tasks_finished + m.tasks_alive);
    return 0;
}

TEST_TIMEOUT(once_each, 100)
{
    EACH_WORKERS(workers)
    {
        static stress s;
        memset(&s, 0, sizeof s);
        run_stuck(workers, stress_play, &s);
        CHECK_UINT(s.next, ==, STRESS_TASKS);
        for (int i = 0; i < STRESS_TASKS; i++)
            for (int step = 0; step < STRESS_STEPS; step++)
                CHECK_UINT(s.ran[i][step], ==, 1);
    }
}

/* ---- starting and stopping ---- */

typedef struct outside {
    unsigned holding, go, ran;
} outside;

static int hold_for_outside(void *arg)
{
    outside *o = arg;
    ADD(&o->holding, 1);
    while (LOAD(&o->go) == 0)
        sched_yield();
    return 0;
}

static int let_go(void *arg)
{
    outside *o = arg;
    ADD(&o->ran, 1);
    STORE(&o->go, 1);
    return edo_sleep(EDO_FOREVER);
}

TEST_TIMEOUT(shutdown_with_spares, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    for (unsigned i = 0; i < 10; i++) {
        outside o = { 0 };
        unsigned workers = 1 + i % 2;
        edo_runtime *rt;
        CHECK_OK(edo_runtime_create(
            &rt, &(edo_config){ .workers = workers, .stuck_after = EDO_MS(1 + i % 3) }));
        for (unsigned k = 0; k < workers; k++)
            CHECK_OK(edo_runtime_spawn(rt, hold_for_outside, &o));
        while (LOAD(&o.holding) < workers)
            sched_yield();
        CHECK_OK(edo_runtime_spawn(rt, let_go, &o));
        while (LOAD(&o.ran) == 0)
            sched_yield();
        CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(30)));
    }
}

/* ---- the current-thread flavour ---- */

static unsigned seen_by_other;
static pthread_t only_thread;

static int other(void *arg)
{
    (void)arg;
    CHECK(pthread_equal(only_thread, pthread_self()));
    ADD(&seen_by_other, 1);
    return 0;
}

static int alone(void *arg)
{
    (void)arg;
    only_thread = pthread_self();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, other, NULL));
    compute(EDO_MS(100)); /* long enough for a take-over, were there one */
    CHECK_UINT(LOAD(&seen_by_other), ==, 0);
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = metrics();
    CHECK_UINT(m.workers, ==, 1);
    CHECK_UINT(m.spares_started, ==, 0);
    CHECK_UINT(m.stuck_events, ==, 0);
    return 0;
}

TEST(current_thread)
{
    setenv("EDO_WORKERS", "4", 1); /* does not count */
    edo_config config = { .current_thread = true };
    CHECK_OK(edo_run(&config, alone, NULL));
    CHECK(pthread_equal(only_thread, pthread_self()));
    STORE(&seen_by_other, 0);
    edo_runtime *rt;
    CHECK_OK(edo_runtime_create(&rt, &config));
    CHECK_OK(edo_runtime_block_on(rt, alone, NULL));
    CHECK(!pthread_equal(only_thread, pthread_self()));
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(10)));
    config.workers = 2;
    CHECK_INT(edo_run(&config, alone, NULL), ==, -EINVAL);
}

/* There is a monitor then, but it does nothing else. */
TEST(current_thread_with_a_dump_signal)
{
    setenv("EDO_DUMP_SIGNAL", "10", 1);
    CHECK_OK(edo_run(&(edo_config){ .current_thread = true }, alone, NULL));
}

TEST_MAIN()
