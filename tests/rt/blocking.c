/* SPDX-License-Identifier: MIT */
/* Blocking work: results, cancelling before and after the start, limits, edo_drop(). */
#include "core_test.h"

#include <time.h>
#include <unistd.h>

static void pause_us(long us)
{
    nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

typedef struct job {
    unsigned started, may_end, ended;
    int code;
    edo_token *token; /* of the scope it is called in */
} job;

static int run_job(void *arg)
{
    job *j = arg;
    CHECK_UINT(edo_task_id(), ==, 0);
    STORE(&j->started, 1);
    while (!LOAD(&j->may_end))
        pause_us(100);
    STORE(&j->ended, 1);
    return j->code;
}

static int quick(void *arg)
{
    return *(int *)arg;
}

static int results(void *arg)
{
    (void)arg;
    static const int codes[] = { 0, 5, -EIO, -ECANCELED, INT32_MIN };
    for (size_t k = 0; k < 100; k++)
        for (size_t i = 0; i < 5; i++) {
            CHECK_INT(edo_blocking(quick, (void *)&codes[i]), ==, codes[i]);
            CHECK_INT(edo_cpu(quick, (void *)&codes[i]), ==, codes[i]);
        }
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.blocking_jobs, >=, 990);
    CHECK_UINT(m.blocking_threads, >=, 1);
    CHECK_UINT(m.blocking_queue_depth, ==, 0);
    return 0;
}

TEST(the_code_comes_back)
{
    EACH_WORKERS(w)
    run_on(w, results, NULL);
}

/* Once started a job is waited for, cancelled or not: its argument is in the caller's frame. */
static int run_in_frame(void *arg)
{
    job *j = arg;
    edo_token *t;
    edo_scope s;
    CHECK_OK(edo_token_create(&t));
    edo_scope_open_token(&s, t, EDO_FOREVER);
    j->token = t;
    int rc = edo_blocking(run_job, j);
    CHECK_UINT(LOAD(&j->ended), ==, 1);
    CHECK(edo_token_cancelled(t));
    CHECK_INT(edo_scope_close(&s, rc), ==, j->code);
    edo_token_release(t);
    return 0;
}

static int started_is_waited_for(void *arg)
{
    (void)arg;
    job j = { .code = 33 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, run_in_frame, &j));
    until(&j.started, 1);
    edo_token_cancel(j.token);
    CHECK_OK(edo_sleep(EDO_MS(1)));
    STORE(&j.may_end, 1);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(a_started_job_is_waited_for)
{
    EACH_WORKERS(w)
    run_on(w, started_is_waited_for, NULL);
}

/* While it is queued a cancel takes it back, and it never runs. */
static int occupy(void *arg)
{
    return edo_blocking(run_job, arg);
}

static int count_runs(void *arg)
{
    ADD((unsigned *)arg, 1);
    return 0;
}

static int cancelled_in_queue(void *arg)
{
    (void)arg;
    job j[8] = { 0 };
    unsigned runs = 0;
    edo_group g;
    edo_metrics m;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&g, occupy, &j[i]));
    do { /* until as many run as are allowed to */
        CHECK_OK(edo_yield());
        CHECK_OK(edo_metrics_read(NULL, &m));
    } while (m.blocking_queue_depth < 8 - 2);
    edo_scope s;
    edo_scope_open(&s, EDO_MS(2));
    CHECK_INT(edo_scope_close(&s, edo_blocking(count_runs, &runs)), ==, -ETIMEDOUT);
    for (int i = 0; i < 8; i++)
        STORE(&j[i].may_end, 1);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_OK(edo_blocking(count_runs, &runs));
    CHECK_UINT(runs, ==, 1);
    return 0;
}

TEST(a_queued_job_is_taken_back)
{
    EACH_WORKERS(w)
    {
        edo_config c = { .workers = w, .blocking_max = 4 };
        CHECK_OK(edo_run(&c, cancelled_in_queue, NULL));
    }
}

/* At most so many threads, and of the CPU class at most one per core. */
typedef struct gauge {
    unsigned live, most;
    unsigned least; /* so many must be there at once, sooner or later */
} gauge;

static int gauged(void *arg)
{
    gauge *g = arg;
    unsigned live = ADD(&g->live, 1);
    for (unsigned most = LOAD(&g->most); live > most;)
        if (__atomic_compare_exchange_n(&g->most, &most, live, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            break;
    do
        pause_us(300);
    while (LOAD(&g->most) < g->least);
    ADD(&g->live, -1u);
    return 0;
}

static int gauged_cpu(void *arg)
{
    return edo_cpu(gauged, arg);
}

static int limits(void *arg)
{
    (void)arg;
    gauge user = { .least = 2 }, cpu = { 0 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(edo_spawn_blocking(&g, gauged, &user));
        CHECK_OK(edo_spawn(&g, gauged_cpu, &cpu));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(user.most, <=, 8);
    CHECK_UINT(user.most, >=, 2);
    CHECK_UINT(cpu.most, <=, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.blocking_threads, <=, 8);
    return 0;
}

TEST(limits_of_the_pool)
{
    EACH_WORKERS(w)
    {
        edo_config c = { .workers = w, .blocking_max = 8 };
        CHECK_OK(edo_run(&c, limits, NULL));
    }
}

/* Cancels at any moment of a job. */
static int touch(void *arg)
{
    ADD((unsigned *)arg, 1);
    return 1;
}

static int storm(void *arg)
{
    (void)arg;
    uint64_t seed = test_seed();
    for (unsigned i = 0, n = test_scale(3000); i < n; i++) {
        unsigned ran = 0; /* in this frame: a job that ran late would be seen */
        edo_scope s;
        edo_scope_open(&s, (int64_t)(test_rand(&seed) % 60000));
        int rc = edo_scope_close(&s, edo_blocking(touch, &ran));
        CHECK(rc == 1 || rc == -ETIMEDOUT);
        CHECK_UINT(LOAD(&ran), ==, rc == 1);
    }
    return 0;
}

static int storms(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 6; i++)
        CHECK_OK(edo_spawn(&g, storm, arg));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST_TIMEOUT(cancels_at_any_moment, 60)
{
    EACH_WORKERS(w)
    run_on(w, storms, NULL);
}

/* The same for blocking children of a group: those that started are reported as done, the others
 * as cancelled. */
static int touch_slowly(void *arg)
{
    pause_us(100);
    ADD((unsigned *)arg, 1);
    return 1;
}

static int child_storm(void *arg)
{
    (void)arg;
    uint64_t seed = test_seed();
    for (unsigned i = 0, n = test_scale(300); i < n; i++) {
        unsigned ran = 0, done = 0, spawned = 0;
        edo_group g;
        edo_result r;
        CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
        for (int k = 0; k < 12; k++)
            spawned += edo_spawn_blocking(&g, touch_slowly, &ran) == 0;
        CHECK_OK(edo_sleep((int64_t)(test_rand(&seed) % 400000)));
        edo_group_cancel(&g);
        unsigned taken = 0;
        while (edo_group_next(&g, &r) == 1) {
            CHECK(r.code == 1 || r.code == -ECANCELED);
            CHECK_PTR(r.arg, ==, &ran);
            done += r.code == 1;
            taken++;
        }
        CHECK_INT(edo_group_close(&g), ==, done < spawned ? -ECANCELED : 0);
        CHECK_UINT(taken, ==, spawned);
        CHECK_UINT(ran, ==, done);
    }
    edo_metrics m;
    do { /* the counters follow the close by a few instructions */
        CHECK_OK(edo_yield());
        CHECK_OK(edo_metrics_read(NULL, &m));
        CHECK_UINT(m.tasks_spawned, ==, m.tasks_finished + m.tasks_alive);
    } while (m.tasks_alive != 1);
    return 0;
}

TEST_TIMEOUT(groups_of_blocking_children_are_cancelled, 60)
{
    EACH_WORKERS(w)
    {
        edo_config c = { .workers = w, .blocking_max = 6 };
        CHECK_OK(edo_run(&c, child_storm, NULL));
    }
}

/* ---- drop ---- */

static unsigned dropped;

static void drop(void *p)
{
    ADD(&dropped, 1);
    free(p);
}

static int drops(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK_INT(edo_drop(malloc(100), drop), ==, 0);
    CHECK_INT(edo_drop(NULL, drop), ==, 0);
    return 0;
}

TEST(dropped_before_the_runtime_is_gone)
{
    EACH_WORKERS(w)
    {
        dropped = 0;
        run_on(w, drops, NULL);
        CHECK_UINT(dropped, ==, 100);
    }
    CHECK_INT(edo_drop(malloc(1), drop), ==, 0); /* on a thread: here and now */
    CHECK_UINT(dropped, ==, 101);
}

TEST_MAIN()
