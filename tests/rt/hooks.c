/* SPDX-License-Identifier: MIT */
/* Hooks: who calls them when, on which thread; what they may do and what they may not. */
#include "core_test.h"

#include <edo/io.h>
#include <edo/metrics.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is recorded ---- */

enum { THREADS = 1024, TASKS = 1 << 16 };
enum { NOT_SPAWNED, SPAWNED, RUNNING, SUSPENDED, ENDED };

typedef struct record {
    unsigned started[3], stopped[3]; /* by kind */
    unsigned parks, unparks;
    unsigned spawns, runs, suspends, ends, turns;
    unsigned waits_for_mutex;
    uint8_t state[TASKS]; /* atomic: by the slot in the id */
} record;

static __thread const edo_thread_info *tls_info; /* between start and stop */
static __thread edo_thread_info tls_copy;
static __thread bool tls_parked;

/* In a hook the thread is nobody's. */
static void check_thread(void)
{
    CHECK_UINT(edo_task_id(), ==, 0);
    CHECK_PTR(edo_runtime_current(), ==, NULL);
}

static void thread_starts(void *arg, const edo_thread_info *thread)
{
    record *r = arg;
    check_thread();
    CHECK_PTR(tls_info, ==, NULL);
    tls_copy = *thread;
    tls_info = &tls_copy;
    ADD(&r->started[thread->kind], 1);
}

static void is_this_thread(const edo_thread_info *thread)
{
    check_thread();
    CHECK(tls_info != NULL);
    CHECK_INT(tls_info->kind, ==, thread->kind);
    CHECK_UINT(tls_info->index, ==, thread->index);
}

static void thread_stops(void *arg, const edo_thread_info *thread)
{
    record *r = arg;
    is_this_thread(thread);
    CHECK(!tls_parked);
    tls_info = NULL;
    ADD(&r->stopped[thread->kind], 1);
}

static void thread_parks(void *arg, const edo_thread_info *thread)
{
    record *r = arg;
    is_this_thread(thread);
    CHECK(!tls_parked);
    tls_parked = true;
    ADD(&r->parks, 1);
}

static void thread_unparks(void *arg, const edo_thread_info *thread)
{
    record *r = arg;
    is_this_thread(thread);
    CHECK(tls_parked);
    tls_parked = false;
    ADD(&r->unparks, 1);
}

static uint8_t *state_of(record *r, const edo_task_info *task)
{
    CHECK(task->id != 0 && task->name != NULL);
    return &r->state[(task->id & 0x3FFFFFF) % TASKS];
}

static void task_spawned(void *arg, const edo_task_info *task)
{
    record *r = arg;
    check_thread();
    uint8_t was = __atomic_exchange_n(state_of(r, task), SPAWNED, __ATOMIC_ACQ_REL);
    CHECK(was == NOT_SPAWNED || was == ENDED);
    ADD(&r->spawns, 1);
}

static void task_runs(void *arg, const edo_task_info *task)
{
    record *r = arg;
    check_thread();
    CHECK(tls_info != NULL && tls_info->kind != EDO_THREAD_BLOCKING);
    uint8_t was = __atomic_exchange_n(state_of(r, task), RUNNING, __ATOMIC_ACQ_REL);
    CHECK(was == SPAWNED || was == SUSPENDED);
    ADD(&r->runs, 1);
}

static void task_suspends(void *arg, const edo_task_info *task, const char *why)
{
    record *r = arg;
    check_thread();
    uint8_t was = __atomic_exchange_n(state_of(r, task), SUSPENDED, __ATOMIC_ACQ_REL);
    CHECK_INT(was, ==, RUNNING);
    ADD(&r->suspends, 1);
    if (why == NULL)
        ADD(&r->turns, 1);
    else if (strcmp(why, "mutex") == 0)
        ADD(&r->waits_for_mutex, 1);
}

static void task_ends(void *arg, const edo_task_info *task, int code)
{
    record *r = arg;
    check_thread();
    uint8_t was = __atomic_exchange_n(state_of(r, task), ENDED, __ATOMIC_ACQ_REL);
    CHECK(was == RUNNING || was == SPAWNED);
    CHECK(code == 0 || code == -ECANCELED || code == 7);
    ADD(&r->ends, 1);
}

static record *new_record(void)
{
    record *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    return r;
}

static edo_hooks all_hooks(record *r)
{
    return (edo_hooks){
        .arg = r,
        .on_thread_start = thread_starts,
        .on_thread_stop = thread_stops,
        .on_thread_park = thread_parks,
        .on_thread_unpark = thread_unparks,
        .on_task_spawn = task_spawned,
        .on_task_run = task_runs,
        .on_task_suspend = task_suspends,
        .on_task_end = task_ends,
    };
}

static void run_hooked(edo_config config, edo_hooks hooks, edo_fn *fn, void *arg)
{
    test_on_timeout(core_test_dump);
    config.seed = test_seed();
    config.hooks = hooks;
    core_test_call c = { fn, arg };
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

/* ---- threads ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int threads_body(void *arg)
{
    record *r = arg;
    while (LOAD(&r->started[EDO_THREAD_WORKER]) == 0 || LOAD(&r->parks) == 0)
        CHECK_OK(edo_sleep(EDO_US(100)));
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn_blocking(&g, nothing, NULL));
    CHECK_OK(edo_group_close(&g));
    return edo_blocking(nothing, NULL);
}

TEST(threads_start_and_stop)
{
    EACH_WORKERS(w)
    {
        record *r = new_record();
        run_hooked((edo_config){ .workers = w }, all_hooks(r), threads_body, r);
        CHECK_UINT(r->started[EDO_THREAD_WORKER], ==, w);
        CHECK_UINT(r->started[EDO_THREAD_BLOCKING], >=, 1);
        for (int kind = 0; kind < 3; kind++)
            CHECK_UINT(r->started[kind], ==, r->stopped[kind]);
        CHECK_UINT(r->parks, >=, 1);
        CHECK_UINT(r->parks, ==, r->unparks);
        CHECK_PTR(tls_info, ==, NULL); /* this thread was worker 0 */
        free(r);
    }
}

TEST(threads_of_a_runtime_of_its_own)
{
    for (unsigned w = 1; w <= 3; w++) {
        record *r = new_record();
        edo_runtime *rt;
        edo_config config = { .workers = w, .current_thread = w == 1, .hooks = all_hooks(r) };
        CHECK_OK(edo_runtime_create(&rt, &config));
        CHECK_OK(edo_runtime_block_on(rt, threads_body, r));
        CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
        CHECK_UINT(r->started[EDO_THREAD_WORKER], ==, w);
        for (int kind = 0; kind < 3; kind++)
            CHECK_UINT(r->started[kind], ==, r->stopped[kind]);
        CHECK_UINT(r->spawns, ==, r->ends);
        free(r);
    }
}

/* Blocking threads that leave because their time is over. */
static int let_them_leave(void *arg)
{
    record *r = arg;
    for (unsigned round = 1; round <= 3; round++) {
        CHECK_OK(edo_blocking(nothing, NULL));
        while (LOAD(&r->stopped[EDO_THREAD_BLOCKING]) < round)
            CHECK_OK(edo_sleep(EDO_US(200)));
    }
    return 0;
}

TEST(blocking_threads_that_leave)
{
    record *r = new_record();
    run_hooked((edo_config){ .workers = 1, .blocking_keepalive = EDO_MS(1) }, all_hooks(r),
               let_them_leave, r);
    CHECK_UINT(r->started[EDO_THREAD_BLOCKING], >=, 3);
    CHECK_UINT(r->started[EDO_THREAD_BLOCKING], ==, r->stopped[EDO_THREAD_BLOCKING]);
    free(r);
}

static int hold_until_spare(void *arg)
{
    record *r = arg;
    while (LOAD(&r->started[EDO_THREAD_SPARE]) == 0)
        sched_yield();
    return 0;
}

static int hold_all(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 6; i++)
        CHECK_OK(edo_spawn(&g, hold_until_spare, arg));
    return edo_group_close(&g);
}

TEST_TIMEOUT(spares_start_and_stop, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    record *r = new_record();
    run_hooked((edo_config){ .workers = 2, .stuck_after = EDO_MS(2) }, all_hooks(r), hold_all, r);
    CHECK_UINT(r->started[EDO_THREAD_SPARE], >=, 1);
    CHECK_UINT(r->started[EDO_THREAD_SPARE], ==, r->stopped[EDO_THREAD_SPARE]);
    CHECK_UINT(r->started[EDO_THREAD_WORKER], ==, 2);
    CHECK_UINT(r->spawns, ==, r->ends);
    free(r);
}

/* ---- tasks ---- */

typedef struct crowd {
    edo_mutex m;
    edo_chan *c;
    unsigned rounds;
} crowd;

static int member(void *arg)
{
    crowd *c = arg;
    for (unsigned i = 0; i < c->rounds; i++) {
        int v = 1;
        CHECK_OK(edo_mutex_lock(&c->m));
        CHECK_OK(edo_yield());
        edo_mutex_unlock(&c->m);
        CHECK_OK(edo_chan_send(c->c, &v));
        CHECK_OK(edo_chan_recv(c->c, &v));
        if (i % 4 == 0)
            CHECK_OK(edo_sleep(EDO_US(50)));
    }
    return 0;
}

static int cancelled_one(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_FOREVER);
}

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static int crowd_body(void *arg)
{
    crowd *c = arg;
    edo_group g;
    char copy[100] = { 0 };
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    for (int i = 0; i < 60; i++)
        CHECK_OK(edo_spawn(&g, member, c));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(edo_spawn_copy(&g, seven, copy, sizeof copy));
        CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "one", .pinned = i % 2 == 0 },
                                NULL, seven, NULL));
        CHECK_OK(edo_spawn_blocking(&g, seven, NULL));
        CHECK_OK(edo_spawn_detached(cancelled_one, NULL));
    }
    CHECK_OK(edo_group_close(&g));
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return 0;
}

static void check_crowd(edo_config config)
{
    record *r = new_record();
    crowd c = { .m = EDO_MUTEX_INIT, .rounds = test_scale(20) };
    CHECK_OK(edo_chan_create(&c.c, sizeof(int), 3));
    run_hooked(config, all_hooks(r), crowd_body, &c);
    CHECK_UINT(r->spawns, ==, 1 + 60 + 4 * 20);
    CHECK_UINT(r->ends, ==, r->spawns);
    CHECK_UINT(r->runs, ==, r->suspends + r->spawns - 20); /* those that block do not run here */
    CHECK_UINT(r->waits_for_mutex, >=, 1);
    CHECK_UINT(r->turns, >=, 1);
    edo_chan_unref(c.c);
    free(r);
}

TEST(a_tasks_life)
{
    EACH_WORKERS(w)
    {
        check_crowd((edo_config){ .workers = w, .current_thread = w == 1 });
        check_crowd((edo_config){ .workers = w, .metrics = EDO_METRICS_OFF });
        check_crowd((edo_config){ .workers = w, .metrics = EDO_METRICS_ALL });
    }
}

/* Holds its worker until the others, which a spare runs, have ended. */
static int hold_until_done(void *arg)
{
    while (LOAD((unsigned *)arg) > 0)
        sched_yield();
    return 0;
}

static int yield_often(void *arg)
{
    for (int i = 0; i < 50; i++)
        CHECK_OK(edo_yield());
    __atomic_sub_fetch((unsigned *)arg, 1, __ATOMIC_RELAXED);
    return 0;
}

static int held_body(void *unused)
{
    (void)unused;
    unsigned left = 5;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, yield_often, &left));
    CHECK_OK(edo_spawn(&g, hold_until_done, &left));
    return edo_group_close(&g);
}

TEST_TIMEOUT(a_tasks_life_on_a_spare, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    record *r = new_record();
    run_hooked((edo_config){ .workers = 1, .stuck_after = EDO_MS(2) }, all_hooks(r), held_body,
               NULL);
    CHECK_UINT(r->started[EDO_THREAD_SPARE], >=, 1);
    CHECK_UINT(r->spawns, ==, 7);
    CHECK_UINT(r->ends, ==, 7);
    CHECK_UINT(r->runs, ==, r->suspends + 7);
    CHECK_UINT(r->turns, >=, 1);
    free(r);
}

/* ---- each hook alone ---- */

static void count_task(void *arg, const edo_task_info *task)
{
    CHECK(task->id != 0);
    ADD((unsigned *)arg, 1);
}

static void count_suspend(void *arg, const edo_task_info *task, const char *why)
{
    (void)why;
    count_task(arg, task);
}

static void count_end(void *arg, const edo_task_info *task, int code)
{
    (void)code;
    count_task(arg, task);
}

static void count_thread(void *arg, const edo_thread_info *thread)
{
    (void)thread;
    ADD((unsigned *)arg, 1);
}

static int three_yields(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_yield());
    return 0;
}

static int ten_tasks(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, three_yields, NULL));
    return edo_group_close(&g);
}

static unsigned counted(edo_hooks hooks)
{
    unsigned n = 0;
    hooks.arg = &n;
    run_hooked((edo_config){ .workers = 1, .current_thread = true }, hooks, ten_tasks, NULL);
    return n;
}

TEST(each_alone)
{
    CHECK_UINT(counted((edo_hooks){ .on_task_spawn = count_task }), ==, 11);
    CHECK_UINT(counted((edo_hooks){ .on_task_end = count_end }), ==, 11);
    unsigned runs = counted((edo_hooks){ .on_task_run = count_task });
    unsigned suspends = counted((edo_hooks){ .on_task_suspend = count_suspend });
    CHECK_UINT(runs, >=, 31); /* a yield of one that is alone is none */
    CHECK_UINT(runs, <=, 42);
    CHECK_UINT(suspends, ==, runs - 11);
    CHECK_UINT(counted((edo_hooks){ .on_thread_start = count_thread }), ==, 1);
    CHECK_UINT(counted((edo_hooks){ .on_thread_stop = count_thread }), ==, 1);
    CHECK_UINT(counted((edo_hooks){ .arg = NULL }), ==, 0);
}

/* ---- what they are told ---- */

typedef struct told {
    char name[24], site[64];
    uint64_t id;
    pthread_t thread;
    unsigned n;
} told;

static void tell(void *arg, const edo_task_info *task)
{
    told *t = arg;
    if (strcmp(task->name, "teller") != 0)
        return;
    snprintf(t->name, sizeof t->name, "%s", task->name);
    snprintf(t->site, sizeof t->site, "%s", task->site != NULL ? task->site : "");
    t->id = task->id;
    t->thread = pthread_self();
    t->n++;
}

static int spawn_teller(void *arg)
{
    told *t = arg;
    uint64_t id;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "teller" }, &id, nothing, NULL));
    CHECK_UINT(t->n, ==, 1); /* by now */
    CHECK_UINT(t->id, ==, id);
    CHECK(pthread_equal(t->thread, pthread_self()));
    CHECK(strstr(t->site, "hooks.c:") != NULL);
    return edo_group_close(&g);
}

TEST(name_id_and_site)
{
    told t = { .n = 0 };
    run_hooked((edo_config){ .workers = 2 }, (edo_hooks){ .arg = &t, .on_task_spawn = tell },
               spawn_teller, &t);
    CHECK_STR(t.name, "teller");
}

static void tell_any(void *arg, const edo_task_info *task)
{
    told *t = arg;
    t->id = task->id;
    t->thread = pthread_self();
    t->n++;
}

/* From a thread outside: on that thread. */
TEST(spawned_from_outside)
{
    told t = { .n = 0 };
    edo_runtime *rt;
    edo_config config = { .workers = 1, .hooks = { .arg = &t, .on_task_spawn = tell_any } };
    CHECK_OK(edo_runtime_create(&rt, &config));
    CHECK_OK(edo_runtime_spawn(rt, nothing, NULL));
    CHECK_UINT(t.n, ==, 1);
    CHECK(pthread_equal(t.thread, pthread_self()));
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
}

/* ---- what they may do ---- */

/* A task waits for what only the hook of a worker that is about to sleep does. */
static void poke_in_park(void *arg, const edo_thread_info *thread)
{
    (void)thread;
    edo_event_set(arg);
}

static int wait_to_be_poked(void *arg)
{
    edo_event *e = arg;
    for (int i = 0; i < 50; i++) {
        edo_event_reset(e);
        CHECK_OK(edo_event_wait(e));
    }
    return 0;
}

TEST(a_park_hook_that_makes_tasks_runnable)
{
    EACH_WORKERS(w)
    {
        edo_event e = EDO_EVENT_INIT;
        run_hooked((edo_config){ .workers = w, .stuck_after = EDO_FOREVER },
                   (edo_hooks){ .arg = &e, .on_thread_park = poke_in_park }, wait_to_be_poked, &e);
    }
}

typedef struct respawn {
    edo_runtime *rt;
    unsigned ends, extra;
} respawn;

static int extra(void *arg)
{
    CHECK_OK(edo_yield());
    ADD(&((respawn *)arg)->extra, 1);
    return 0;
}

static void spawn_in_end(void *arg, const edo_task_info *task, int code)
{
    respawn *r = arg;
    (void)task;
    (void)code;
    if (LOAD(&r->rt) != NULL && edo_runtime_spawn(r->rt, extra, r) == 0)
        ADD(&r->ends, 1);
}

static int spawn_some(void *arg)
{
    respawn *r = arg;
    STORE(&r->rt, edo_runtime_current());
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(&g, three_yields, NULL));
    CHECK_OK(edo_group_close(&g));
    until(&r->extra, 100);
    STORE(&r->rt, NULL);
    CHECK_UINT(r->ends, ==, 100); /* those that the hook has spawned have none */
    return 0;
}

TEST(a_hook_that_spawns)
{
    EACH_WORKERS(w)
    {
        respawn r = { .ends = 0 };
        run_hooked((edo_config){ .workers = w },
                   (edo_hooks){ .arg = &r, .on_task_end = spawn_in_end }, spawn_some, &r);
    }
}

/* The non-waiting forms, from the hooks in which a task is current. */
static void send_in_run(void *arg, const edo_task_info *task)
{
    uint64_t id = task->id;
    int rc = edo_chan_send_nowait(arg, &id);
    CHECK(rc == 0 || rc == -EAGAIN || rc == -EPIPE);
}

static int receive_ids(void *arg)
{
    uint64_t id, mine = edo_task_id();
    unsigned seen = 0;
    for (int i = 0; i < 200; i++) {
        CHECK_OK(edo_yield());
        while (edo_chan_recv_nowait(arg, &id) == 0)
            seen += id == mine;
        edo_mutex m = EDO_MUTEX_INIT;
        CHECK_OK(edo_mutex_lock(&m));
        edo_mutex_unlock(&m);
        CHECK_UINT(edo_task_id(), ==, mine);
    }
    CHECK_UINT(seen, >=, 1);
    return 0;
}

static int two_receivers(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, receive_ids, arg));
    CHECK_OK(edo_spawn(&g, three_yields, arg));
    return edo_group_close(&g);
}

TEST(sending_from_a_run_hook)
{
    EACH_WORKERS(w)
    {
        edo_chan *c;
        CHECK_OK(edo_chan_create(&c, sizeof(uint64_t), 100));
        run_hooked((edo_config){ .workers = w },
                   (edo_hooks){ .arg = c, .on_task_run = send_in_run }, two_receivers, c);
        edo_chan_unref(c);
    }
}

/* ---- what they may not ---- */

static void sleep_for_task(void *arg, const edo_task_info *task)
{
    (void)arg;
    (void)task;
    (void)edo_sleep(EDO_MS(1));
}

static void sleep_for_thread(void *arg, const edo_thread_info *thread)
{
    (void)arg;
    (void)thread;
    (void)edo_sleep(EDO_MS(1));
}

static void sleep_for_end(void *arg, const edo_task_info *task, int code)
{
    (void)code;
    sleep_for_task(arg, task);
}

static void run_bad(void *arg)
{
    edo_config config = { .workers = 1, .hooks = *(edo_hooks *)arg };
    CHECK_OK(edo_run(&config, nothing, NULL));
}

TEST(a_hook_that_waits_is_caught)
{
    edo_hooks bad[] = {
        { .on_thread_start = sleep_for_thread }, { .on_thread_stop = sleep_for_thread },
        { .on_task_spawn = sleep_for_task },     { .on_task_run = sleep_for_task },
        { .on_task_end = sleep_for_end },
    };
    char text[4096];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int status = test_capture(run_bad, &bad[i], text, sizeof text);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        if (strstr(text, "in_hook") == NULL)
            FAIL("no reason given: %s", text);
    }
}

TEST_MAIN()
