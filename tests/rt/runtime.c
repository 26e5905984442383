/* SPDX-License-Identifier: MIT */
/* Starting and stopping: what edo_run() returns, runtimes of one's own, shutdown, the
 * environment. */
#include "core_test.h"

#include <fcntl.h>

static int return_arg(void *arg)
{
    return *(int *)arg;
}

TEST(run_returns_the_code)
{
    static const int codes[] = { 0, 1, 77, INT32_MAX, -1, -EIO, -ECANCELED, INT32_MIN };
    EACH_WORKERS(w)
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        CHECK_INT(run_with(w, return_arg, (void *)&codes[i]), ==, codes[i]);
    CHECK_INT(edo_run(NULL, return_arg, (void *)&codes[2]), ==, 77);
    CHECK_PTR(edo_runtime_current(), ==, NULL);
}

static int nested(void *arg)
{
    int zero = 0;
    CHECK_INT(edo_run(NULL, return_arg, &zero), ==, -EDEADLK);
    CHECK_INT(edo_runtime_block_on(edo_runtime_current(), return_arg, &zero), ==, -EDEADLK);
    CHECK_INT(edo_runtime_shutdown(edo_runtime_current(), 0), ==, -EDEADLK);
    edo_runtime *other = *(edo_runtime **)arg;
    if (other != NULL)
        CHECK_INT(edo_runtime_block_on(other, return_arg, &zero), ==, -EDEADLK);
    return 0;
}

TEST(not_on_a_task)
{
    edo_runtime *rt = NULL;
    run_on(1, nested, &rt);
    CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = 1 }));
    run_on(2, nested, &rt);
    CHECK_OK(edo_runtime_block_on(rt, nested, &rt));
    CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(10)), ==, 0);
}

TEST(bad_options)
{
    int zero = 0;
    edo_runtime *rt;
    unsetenv("EDO_STUCK_AFTER_MS");
    unsetenv("EDO_BACKEND");
    CHECK_INT(edo_run(&(edo_config){ .workers = 100000 }, return_arg, &zero), ==, -EINVAL);
    CHECK_INT(edo_run(&(edo_config){ .blocking_max = 1u << 30 }, return_arg, &zero), ==, -EINVAL);
    CHECK_INT(edo_run(&(edo_config){ .blocking_keepalive = -1 }, return_arg, &zero), ==, -EINVAL);
    CHECK_INT(edo_run(&(edo_config){ .stuck_after = -5 }, return_arg, &zero), ==, -EINVAL);
    CHECK_INT(edo_run(&(edo_config){ .backend = EDO_BACKEND_SIM }, return_arg, &zero), ==,
              -ENOTSUP);
    CHECK_INT(edo_run(&(edo_config){ .backend = (edo_backend)99 }, return_arg, &zero), <, 0);
    CHECK_INT(edo_runtime_create(&rt, &(edo_config){ .workers = 100000 }), ==, -EINVAL);
    CHECK_INT(
        edo_run(&(edo_config){ .backend = EDO_BACKEND_EPOLL, .workers = 1 }, return_arg, &zero), ==,
        0);
}

/* ---- the environment ---- */

static int count_workers(void *arg)
{
    (void)arg;
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return (int)m.workers;
}

typedef struct setting {
    const char *name, *value;
} setting;

static void run_with_setting(void *arg)
{
    setting *s = arg;
    setenv(s->name, s->value, 1);
    int rc = edo_run(&(edo_config){ .workers = 2 }, count_workers, NULL);
    fprintf(stderr, "rc=%d.", rc);
}

TEST(the_operator_overrides)
{
    char text[1024];
    unsetenv("EDO_STUCK_AFTER_MS");
    setenv("EDO_WORKERS", "3", 1);
    CHECK_INT(edo_run(&(edo_config){ .workers = 2 }, count_workers, NULL), ==, 3);
    setenv("EDO_WORKERS", "", 1); /* empty is not set */
    CHECK_INT(edo_run(&(edo_config){ .workers = 2 }, count_workers, NULL), ==, 2);
    unsetenv("EDO_WORKERS");
    static const setting bad[] = {
        { "EDO_WORKERS", "0" },
        { "EDO_WORKERS", "many" },
        { "EDO_WORKERS", "-3" },
        { "EDO_WORKERS", "4x" },
        { "EDO_WORKERS", "99999999999999999999999" },
        { "EDO_BACKEND", "kqueue" },
        { "EDO_BLOCKING_MAX", "1" },
        { "EDO_BLOCKING_MAX", "1e3" },
        { "EDO_STACK_SIZE", "0" },
        { "EDO_STACK_SIZE", "99999999" },
        { "EDO_STUCK_AFTER_MS", "soon" },
        { "EDO_SEED", "0x12" },
        { "EDO_WORKERS", " " },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_INT(test_capture(run_with_setting, (void *)&bad[i], text, sizeof text), ==, 0);
        if (strstr(text, bad[i].name) == NULL || strstr(text, "rc=-22.") == NULL)
            FAIL("%s=%s: %s", bad[i].name, bad[i].value, text);
    }
    static const setting good[] = {
        { "EDO_BACKEND", "epoll" },     { "EDO_BACKEND", "auto" }, { "EDO_BLOCKING_MAX", "4" },
        { "EDO_STACK_SIZE", "65536" },  { "EDO_STACK_SIZE", "1" }, { "EDO_STUCK_AFTER_MS", "0" },
        { "EDO_STUCK_AFTER_MS", "50" }, { "EDO_SEED", "12345" },
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_INT(test_capture(run_with_setting, (void *)&good[i], text, sizeof text), ==, 0);
        CHECK_STR(text, "rc=2.");
    }
    CHECK_INT(test_capture(run_with_setting, &(setting){ "EDO_BACKEND", "sim" }, text, sizeof text),
              ==, 0);
    CHECK_STR(text, "rc=-95.");
}

/* ---- runtimes of one's own ---- */

static int add_one(void *arg)
{
    CHECK_OK(edo_yield());
    ADD((unsigned *)arg, 1);
    return 0;
}

static int runtime_is(void *arg)
{
    CHECK_PTR(edo_runtime_current(), ==, arg);
    return 3;
}

TEST(several_runtimes)
{
    edo_runtime *rt[4];
    unsigned n = 0;
    for (unsigned i = 0; i < 4; i++)
        CHECK_OK(edo_runtime_create(&rt[i], &(edo_config){ .workers = 1 + i % 3 }));
    for (int k = 0; k < 50; k++)
        for (int i = 0; i < 4; i++) {
            CHECK_OK(edo_runtime_spawn(rt[i], add_one, &n));
            CHECK_INT(edo_runtime_block_on(rt[i], runtime_is, rt[i]), ==, 3);
        }
    while (LOAD(&n) < 200)
        sched_yield();
    for (int i = 0; i < 4; i++)
        CHECK_INT(edo_runtime_shutdown(rt[i], EDO_SEC(10)), ==, 0);
    CHECK_UINT(n, ==, 200);
}

/* Tasks of two runtimes talk to each other. */
static int ping(void *arg)
{
    edo_chan **c = arg;
    for (int i = 0; i < 200; i++) {
        int v = i;
        CHECK_OK(edo_chan_send(c[0], &v));
        CHECK_OK(edo_chan_recv(c[1], &v));
        CHECK_INT(v, ==, i + 1);
    }
    edo_chan_close(c[0]);
    return 0;
}

static int pong(void *arg)
{
    edo_chan **c = arg;
    int v;
    while (edo_chan_recv(c[0], &v) == 0) {
        v++;
        CHECK_OK(edo_chan_send(c[1], &v));
    }
    return 0;
}

TEST(runtimes_talk)
{
    edo_runtime *a, *b;
    edo_chan *c[2];
    CHECK_OK(edo_chan_create(&c[0], sizeof(int), 0));
    CHECK_OK(edo_chan_create(&c[1], sizeof(int), 1));
    CHECK_OK(edo_runtime_create(&a, &(edo_config){ .workers = 2 }));
    CHECK_OK(edo_runtime_create(&b, &(edo_config){ .workers = 1 }));
    CHECK_OK(edo_runtime_spawn(b, pong, c));
    CHECK_OK(edo_runtime_block_on(a, ping, c));
    CHECK_INT(edo_runtime_shutdown(a, EDO_SEC(10)), ==, 0);
    CHECK_INT(edo_runtime_shutdown(b, EDO_SEC(10)), ==, 0);
    edo_chan_unref(c[0]);
    edo_chan_unref(c[1]);
}

static unsigned ended;

static int sleeper(void *arg)
{
    (void)arg;
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    CHECK_INT(edo_spawn_detached(add_one, NULL), ==, -ESHUTDOWN);
    ADD(&ended, 1);
    return 0;
}

TEST(shutdown_cancels_and_waits)
{
    EACH_WORKERS(w)
    {
        edo_runtime *rt;
        ended = 0;
        CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = w }));
        for (int i = 0; i < 100; i++)
            CHECK_OK(edo_runtime_spawn(rt, sleeper, NULL));
        CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(20)), ==, 0);
        CHECK_UINT(ended, ==, 100);
        CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = w }));
        CHECK_INT(edo_runtime_shutdown(rt, 0), ==, 0);
    }
}

/* One that would not end: a time-out with a report, another try later. */
static unsigned stubborn_started;
static edo_event stubborn_may_end = EDO_EVENT_INIT;

static int stubborn(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    STORE(&stubborn_started, 1);
    int rc = edo_event_wait(&stubborn_may_end);
    return edo_scope_close(&s, rc);
}

/* Whether it is shown with its function: it has parked, or its thread has answered. */
static bool is_shown(edo_runtime *rt)
{
    static char text[65536];
    FILE *f = fmemopen(text, sizeof text, "w");
    CHECK(f != NULL);
    CHECK_INT(edo_dump(rt, f), ==, 1);
    fclose(f);
    return strstr(text, "stubborn+0x") != NULL;
}

static void shutdown_twice(void *arg)
{
    edo_runtime *rt;
    int zero = 0;
    CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = *(unsigned *)arg }));
    CHECK_OK(edo_runtime_spawn(rt, stubborn, NULL));
    while (!LOAD(&stubborn_started) || !is_shown(rt))
        sched_yield();
    CHECK_INT(edo_runtime_shutdown(rt, EDO_MS(20)), ==, -ETIMEDOUT);
    CHECK_INT(edo_runtime_shutdown(rt, 0), ==, -ETIMEDOUT);
    CHECK_INT(edo_runtime_spawn(rt, stubborn, NULL), ==, -ESHUTDOWN);
    CHECK_INT(edo_runtime_block_on(rt, return_arg, &zero), ==, -ESHUTDOWN);
    edo_metrics m;
    CHECK_OK(edo_metrics_read(rt, &m));
    CHECK_UINT(m.tasks_alive, ==, 1);
    edo_event_set(&stubborn_may_end);
    CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(20)), ==, 0);
}

TEST(shutdown_can_be_tried_again)
{
    static char text[65536];
    EACH_WORKERS(w)
    {
        CHECK_INT(test_capture(shutdown_twice, &w, text, sizeof text), ==, 0);
        if (strstr(text, "grace") == NULL || strstr(text, "stubborn") == NULL)
            FAIL("the report does not name the function: %s", text);
    }
}

/* ---- from many threads ---- */

typedef struct crowd {
    edo_runtime *rt;
    unsigned ran;
} crowd;

static void *spawn_from_thread(void *arg)
{
    crowd *c = arg;
    int code = 5;
    for (int i = 0; i < 500; i++) {
        CHECK_OK(edo_runtime_spawn(c->rt, add_one, &c->ran));
        if (i % 50 == 0)
            CHECK_INT(edo_runtime_block_on(c->rt, return_arg, &code), ==, 5);
    }
    return NULL;
}

TEST(spawning_from_many_threads)
{
    EACH_WORKERS(w)
    {
        crowd c = { 0 };
        pthread_t threads[6];
        CHECK_OK(edo_runtime_create(&c.rt, &(edo_config){ .workers = w }));
        for (int i = 0; i < 6; i++)
            thread_start(&threads[i], spawn_from_thread, &c);
        for (int i = 0; i < 6; i++)
            thread_join(threads[i]);
        while (LOAD(&c.ran) < 3000)
            sched_yield();
        CHECK_INT(edo_runtime_shutdown(c.rt, EDO_SEC(20)), ==, 0);
        CHECK_UINT(c.ran, ==, 3000);
    }
}

/* Created, used a little and gone, again and again: nothing is left behind. */
static size_t open_files(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(runtimes_come_and_go)
{
    int zero = 0;
    CHECK_INT(run_with(2, return_arg, &zero), ==, 0);
    size_t before = open_files();
    for (unsigned i = 0, n = test_scale(300); i < n; i++)
        CHECK_INT(run_with(1 + i % 3, return_arg, &zero), ==, 0);
    CHECK_UINT(open_files(), ==, before);
}

TEST_MAIN()
