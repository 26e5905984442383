/* SPDX-License-Identifier: MIT */
/* Metrics are off by nothing: loads whose figures are known beforehand. */
#include "core_test.h"

#include <string.h>
#include <unistd.h>

static edo_metrics read_metrics(void)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return m;
}

static int run_mode(unsigned workers, edo_metrics_mode mode, edo_fn *fn, void *arg)
{
    test_on_timeout(core_test_dump);
    edo_config config = { .workers = workers, .seed = test_seed(), .metrics = mode };
    core_test_call c = { fn, arg };
    return edo_run(&config, core_test_main, &c);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int yielder(void *arg)
{
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        CHECK_OK(edo_yield());
    return 0;
}

static int sleeper(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_US(100));
}

/* ---- what is counted ---- */

enum { SPAWNED = 300, YIELDERS = 10, YIELDS = 50, SLEEPERS = 20, JOBS = 30 };

static int tasks_body(void *arg)
{
    edo_metrics before = read_metrics(), m;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < SPAWNED; i++)
        CHECK_OK(edo_spawn(&g, nothing, NULL));
    unsigned yields = YIELDS;
    for (int i = 0; i < YIELDERS; i++)
        CHECK_OK(edo_spawn(&g, yielder, &yields));
    for (int i = 0; i < SLEEPERS; i++)
        CHECK_OK(edo_spawn(&g, sleeper, NULL));
    for (int i = 0; i < JOBS; i++)
        CHECK_OK(edo_spawn_blocking(&g, nothing, NULL));
    CHECK_OK(edo_group_close(&g));
    m = read_metrics();
    const uint64_t n = SPAWNED + YIELDERS + SLEEPERS + JOBS;
    CHECK_UINT(m.tasks_spawned - before.tasks_spawned, ==, n);
    /* Each counts itself just after it has told its group. */
    while (m.tasks_finished - before.tasks_finished < n ||
           m.blocking_jobs - before.blocking_jobs < JOBS ||
           m.timers_fired - before.timers_fired < SLEEPERS) {
        CHECK_OK(edo_yield());
        m = read_metrics();
    }
    CHECK_UINT(m.tasks_finished - before.tasks_finished, ==, n);
    CHECK_UINT(m.tasks_spawned, ==, m.tasks_finished + m.tasks_alive);
    CHECK_UINT(m.tasks_alive, ==, 1);
    CHECK_UINT(m.timers_fired - before.timers_fired, ==, SLEEPERS);
    CHECK_UINT(m.timers, ==, 0);
    CHECK_UINT(m.blocking_jobs - before.blocking_jobs, ==, JOBS);
    CHECK_UINT(m.blocking_queue_depth, ==, 0);
    CHECK_UINT(m.blocking_threads, >=, 1);
    CHECK_UINT(m.local_depth + m.inject_depth, ==, 0);
    /* A run per start and one after each sleep, if it is not over before the task has parked; a yield
     * of a task that is alone is none. */
    uint64_t polls = m.polls - before.polls;
    CHECK_UINT(polls, >=, SPAWNED + YIELDERS + SLEEPERS);
    if (*(unsigned *)arg == 1)
        CHECK_UINT(polls, <=, SPAWNED + YIELDERS * (YIELDS + 1) + 2 * SLEEPERS + 1000);
    return 0;
}

TEST(tasks_jobs_and_timers_are_counted)
{
    EACH_WORKERS(w)
    run_on(w, tasks_body, &w);
}

static int alive_body(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 25; i++)
        CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    edo_metrics m = read_metrics();
    CHECK_UINT(m.tasks_alive, ==, 26);
    CHECK_UINT(m.tasks_spawned, ==, 26);
    CHECK_UINT(m.tasks_finished, ==, 0);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(spawned_is_finished_and_alive)
{
    EACH_WORKERS(w)
    run_on(w, alive_body, NULL);
}

/* Exactly known on one worker: how often each task runs. */
static int polls_body(void *arg)
{
    (void)arg;
    edo_metrics before = read_metrics();
    unsigned yields = 100;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, yielder, &yields));
    CHECK_OK(edo_spawn(&g, yielder, &yields));
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    uint64_t polls = m.polls - before.polls;
    /* Two starts, the owner's return, 200 yields; the last ones of the second may be alone. */
    CHECK_UINT(polls, <=, 203);
    CHECK_UINT(polls, >=, 201);
    return 0;
}

TEST(runs_are_counted_one_by_one)
{
#ifdef EDO_FORCE_MIGRATE
    SKIP("tasks do not take turns here");
#endif
    run_on(1, polls_body, NULL);
}

static int budget_body(void *arg)
{
    (void)arg;
    edo_metrics before = read_metrics();
    edo_sem s;
    edo_sem_init(&s, 1000000);
    for (int i = 0; i < 128 * 20; i++)
        CHECK_OK(edo_sem_acquire(&s, 1));
    edo_metrics m = read_metrics();
    CHECK_UINT(m.budget_yields - before.budget_yields, ==, 20);
    return 0;
}

TEST(yields_by_budget_are_counted)
{
    run_on(1, budget_body, NULL);
}

static int fds_body(void *arg)
{
    (void)arg;
    edo_metrics before, m;
    int p[2];
    CHECK_OK(pipe(p));
    do { /* its time may be over before it waits */
        edo_scope s;
        before = read_metrics();
        edo_scope_open(&s, EDO_MS(5));
        CHECK_INT(edo_scope_close(&s, edo_wait_fd(p[0], EDO_READABLE)), ==, -ETIMEDOUT);
        m = read_metrics();
    } while (m.io_submits == before.io_submits);
    CHECK_UINT(m.fds, ==, before.fds);
    CHECK_UINT(m.io_submits - before.io_submits, ==, 2); /* registered, and taken back */
    while (m.timers_fired == before.timers_fired) {      /* counted after what it woke may run */
        CHECK_OK(edo_yield());
        m = read_metrics();
    }
    CHECK_UINT(m.timers_fired - before.timers_fired, ==, 1);
    close(p[0]);
    close(p[1]);
    return 0;
}

TEST(descriptors_are_counted)
{
    EACH_WORKERS(w)
    run_on(w, fds_body, NULL);
}

/* ---- steals, parks, time ---- */

static unsigned thieves_done;

static int stolen_work(void *arg)
{
    (void)arg;
    ADD(&thieves_done, 1);
    return 0;
}

/* The spawner does not let its worker go until others have taken what it spawned. */
static int steal_body(void *arg)
{
    (void)arg;
    STORE(&thieves_done, 0);
    edo_metrics before = read_metrics();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(&g, stolen_work, NULL));
    while (LOAD(&thieves_done) < 90)
        usleep(100);
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    CHECK_UINT(m.steals - before.steals, >=, 1);
    CHECK_UINT(m.stolen - before.stolen, >=, m.steals - before.steals);
    CHECK_UINT(m.stolen - before.stolen, <=, 100 * 7);
    return 0;
}

TEST(steals_are_counted)
{
#ifdef EDO_FORCE_MIGRATE
    SKIP("tasks are handed round, not stolen");
#endif
    test_on_timeout(core_test_dump);
    edo_config config = { .workers = 2, .stuck_after = EDO_FOREVER };
    core_test_call c = { steal_body, NULL };
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

static int parks_body(void *arg)
{
    (void)arg;
    edo_metrics before = read_metrics(), m;
    uint64_t parks, sleeps = 0;
    int64_t idle, start = edo_now();
    do { /* a sleep may be over before its worker gets round to parking */
        CHECK_OK(edo_sleep(EDO_MS(2)));
        sleeps++;
        m = read_metrics();
        parks = m.parks - before.parks;
        idle = m.idle_ns - before.idle_ns;
    } while (parks < 20 || idle < EDO_MS(20 * 2 - 2));
    CHECK_UINT(m.noops - before.noops, <=, parks + sleeps);
    CHECK_INT(m.busy_ns - before.busy_ns, >, 0);
    CHECK_INT(idle, <=, edo_now() - start + EDO_MS(1)); /* two ways to read the clock */
    return 0;
}

TEST(parks_and_idle_time_are_counted)
{
    run_on(1, parks_body, NULL);
}

static int busy_body(void *arg)
{
    (void)arg;
    edo_metrics before = read_metrics();
    for (int64_t end = edo_now() + EDO_MS(30); edo_now() < end;)
        continue;
    edo_metrics m = read_metrics();
    CHECK_INT(m.busy_ns - before.busy_ns, >=, EDO_MS(30));
    CHECK_INT(m.idle_ns - before.idle_ns, ==, 0);
    return 0;
}

TEST(busy_time_is_counted)
{
    run_on(1, busy_body, NULL);
}

static void *spawn_outside(void *arg)
{
    edo_runtime *rt = arg;
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_runtime_spawn(rt, nothing, NULL));
    return NULL;
}

TEST(what_comes_from_outside_is_counted)
{
    edo_runtime *rt;
    edo_config config = { .workers = 2, .metrics = EDO_METRICS_ALL };
    CHECK_OK(edo_runtime_create(&rt, &config));
    pthread_t thread;
    thread_start(&thread, spawn_outside, rt);
    thread_join(thread);
    edo_metrics m;
    do {
        sched_yield();
        CHECK_OK(edo_metrics_read(rt, &m));
    } while (m.tasks_finished < 10);
    CHECK_UINT(m.remote_schedules, ==, 10);
    CHECK_UINT(m.tasks_spawned, ==, 10);
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(10)));
}

/* ---- per worker ---- */

static int workers_body(void *arg)
{
    unsigned workers = *(unsigned *)arg, yields = 100;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 200; i++)
        CHECK_OK(edo_spawn(&g, yielder, &yields));
    CHECK_OK(edo_group_close(&g));
    edo_metrics before = read_metrics();
    edo_worker_metrics sum = { 0 }, w;
    unsigned n = 0;
    for (; edo_metrics_worker(NULL, n, &w) == 0; n++) {
        sum.tasks_spawned += w.tasks_spawned;
        sum.polls += w.polls;
        sum.steals += w.steals;
        sum.parks += w.parks;
        sum.idle_ns += w.idle_ns;
        sum.run_time.count += w.run_time.count;
        sum.wake_to_run.count += w.wake_to_run.count;
    }
    edo_metrics m = read_metrics();
    CHECK_INT(n, >=, workers); /* and spares, on a busy machine */
    CHECK_INT(edo_metrics_worker(NULL, 1u << 20, &w), ==, -EINVAL);
    CHECK_UINT(sum.tasks_spawned + 1, ==, m.tasks_spawned); /* the first came from outside */
    CHECK_UINT(sum.polls, >=, before.polls);
    CHECK_UINT(sum.polls, <=, m.polls);
    CHECK_UINT(sum.steals, <=, m.steals);
    CHECK_UINT(sum.parks, <=, m.parks);
    CHECK_UINT(sum.run_time.count, <=, m.run_time.count);
    CHECK_UINT(sum.run_time.count, >=, before.run_time.count);
    CHECK_UINT(sum.wake_to_run.count, <=, m.wake_to_run.count);
    return 0;
}

TEST(workers_add_up)
{
    EACH_WORKERS(w)
    run_on(w, workers_body, &w);
}

TEST(outside_of_tasks_there_is_none)
{
    edo_metrics m;
    edo_worker_metrics w;
    CHECK_INT(edo_metrics_read(NULL, &m), ==, -EPERM);
    CHECK_INT(edo_metrics_worker(NULL, 0, &w), ==, -EPERM);
}

/* ---- histograms ---- */

static int all_body(void *arg)
{
    (void)arg;
    edo_metrics before = read_metrics();
    unsigned yields = 100;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 50; i++)
        CHECK_OK(edo_spawn(&g, i % 5 == 0 ? sleeper : yielder, &yields));
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    /* Of those that run at this moment, one per worker and spare, nothing is known yet. */
    uint64_t running = m.workers + m.spares_started;
    CHECK_UINT(m.run_time.count + running, >=, m.polls);
    CHECK_UINT(m.run_time.count, <=, m.polls);
    CHECK_UINT(m.wake_to_run.count + running + 1, >=, m.polls); /* the first came from outside */
    CHECK_UINT(m.wake_to_run.count, <=, m.polls);
    CHECK_UINT(m.run_time.sum, >, before.run_time.sum);
    CHECK_UINT(m.run_time.max, >=, edo_histogram_quantile(&m.run_time, 0.99));
    return 0;
}

TEST(every_run_is_measured_if_wanted)
{
    EACH_WORKERS(w)
    CHECK_OK(run_mode(w, EDO_METRICS_ALL, all_body, NULL));
}

static int off_body(void *arg)
{
    unsigned yields = 2000;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, yielder, &yields));
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    CHECK_UINT(m.run_time.count + m.wake_to_run.count, ==, 0);
    CHECK_UINT(m.polls, >=, *(unsigned *)arg);
    return 0;
}

TEST(nothing_is_measured_if_not_wanted)
{
    unsigned polls = 6; /* starts: who is alone does not give way */
    EACH_WORKERS(w)
    CHECK_OK(run_mode(w, EDO_METRICS_OFF, off_body, &polls));
}

/* Nine of ten runs are short and one takes 200 us: samples must show both in that proportion, though
 * the long ones take nearly all of the time. */
static int burner(void *arg)
{
    unsigned n = *(unsigned *)arg;
    for (unsigned i = 0; i < n; i++) {
        if (i % 10 == 0) {
            for (int64_t end = edo_now() + EDO_US(200); edo_now() < end;)
                continue;
        }
        CHECK_OK(edo_yield());
    }
    return 0;
}

static int sampled_body(void *arg)
{
    (void)arg;
    unsigned n = 20000;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_spawn(&g, burner, &n));
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    uint64_t expected = m.polls / 248, got = m.run_time.count, wakes = m.wake_to_run.count;
    CHECK_UINT(got, >=, expected - expected / 3);
    CHECK_UINT(got, <=, expected + expected / 3);
    CHECK_UINT(wakes, >=, expected - expected / 3);
    CHECK_UINT(wakes, <=, expected + expected / 3 + 10);
    uint64_t slow = 0;
    for (unsigned i = 1; i < EDO_HISTOGRAM_BUCKETS; i++) {
        if (edo_histogram_limit(i - 1) >= (uint64_t)EDO_US(100))
            slow += m.run_time.buckets[i];
    }
    /* About 240 samples with p = 0.1: mean 24, standard deviation 4.7. */
    CHECK_UINT(slow, >=, 4);
    CHECK_UINT(slow, <=, 60);
    return 0;
}

TEST(samples_are_by_count_not_by_time)
{
#ifdef EDO_FORCE_MIGRATE
    SKIP("each run is put into another worker's mailbox");
#endif
    run_on(1, sampled_body, NULL);
}

static int wake_body(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, nothing, NULL));
    for (int64_t end = edo_now() + EDO_MS(20); edo_now() < end;)
        continue;
    CHECK_OK(edo_group_close(&g));
    edo_metrics m = read_metrics();
    CHECK_UINT(m.wake_to_run.max + 8, >=, (uint64_t)EDO_MS(20));
    CHECK_UINT(m.run_time.max, >=, (uint64_t)EDO_MS(20));
    return 0;
}

TEST(a_task_that_waits_for_its_turn_is_seen)
{
    test_on_timeout(core_test_dump);
    edo_config config = { .workers = 1, .metrics = EDO_METRICS_ALL, .stuck_after = EDO_FOREVER };
    core_test_call c = { wake_body, NULL };
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

/* ---- configuration ---- */

static int mode_body(void *arg)
{
    edo_metrics m;
    CHECK_OK(edo_yield());
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, nothing, NULL));
    CHECK_OK(edo_group_close(&g));
    m = read_metrics();
    CHECK_INT(m.run_time.count > 0, ==, *(bool *)arg);
    return 0;
}

TEST(the_operator_decides)
{
    bool all = true;
    setenv("EDO_METRICS", "all", 1);
    CHECK_OK(run_mode(1, EDO_METRICS_OFF, mode_body, &all));
    all = false;
    setenv("EDO_METRICS", "off", 1);
    CHECK_OK(run_mode(1, EDO_METRICS_ALL, mode_body, &all));
    setenv("EDO_METRICS", "some", 1);
    CHECK_INT(run_mode(1, EDO_METRICS_ALL, nothing, NULL), ==, -EINVAL);
    unsetenv("EDO_METRICS");
    CHECK_INT(run_mode(1, (edo_metrics_mode)3, nothing, NULL), ==, -EINVAL);
}

TEST_MAIN()
