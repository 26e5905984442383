/* SPDX-License-Identifier: MIT */
/* Tasks of low priority: they run when nothing else does, get their share of a busy worker, lose no
 * wake-up, and are cancelled, joined and selected like others. */
#include "core_test.h"

#include <edo/blocking.h>
#include <edo/io.h>
#include <edo/metrics.h>

enum { SHARE = 62 }; /* runs, per run of a low one on a busy worker */

static const edo_task_options low = { .priority = EDO_PRIORITY_LOW };

static void spawn_low(edo_group *g, edo_fn *fn, void *arg)
{
    CHECK_OK(edo_spawn_with(g, &low, NULL, fn, arg));
}

/* One worker that does nothing else but run tasks, in a known order. */
static void run_alone(edo_fn *fn, void *arg)
{
    edo_config config = { .current_thread = true, .metrics = EDO_METRICS_OFF, .seed = test_seed() };
    core_test_call c = { fn, arg };
    test_on_timeout(core_test_dump);
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

static void run_unwatched(unsigned workers, edo_fn *fn, void *arg)
{
    edo_config config = { .workers = workers, .seed = test_seed(), .stuck_after = EDO_FOREVER };
    core_test_call c = { fn, arg };
    unsetenv("EDO_STUCK_AFTER_MS");
    test_on_timeout(core_test_dump);
    CHECK_OK(edo_run(&config, core_test_main, &c));
}

/* ---- order, on one worker ---- */

typedef struct order {
    unsigned n;
    int log[4096]; /* who ran: positive, or negative for low ones */
    unsigned normal_left, low_left;
    unsigned rounds;
} order;

static void note(order *o, int who)
{
    if (o->n < 4096)
        o->log[o->n] = who;
    o->n++;
}

typedef struct runner {
    order *o;
    int who;
    unsigned rounds;
} runner;

static int runs(void *arg)
{
    runner *r = arg;
    for (unsigned i = 0; i < r->rounds; i++) {
        note(r->o, r->who);
        CHECK_OK(edo_yield());
    }
    return 0;
}

static void spawn_runners(edo_group *g, order *o, runner *r, unsigned n, bool is_low,
                          unsigned rounds)
{
    for (unsigned i = 0; i < n; i++) {
        r[i] = (runner){ o, is_low ? -1 - (int)i : 1 + (int)i, rounds };
        if (is_low)
            spawn_low(g, runs, &r[i]);
        else
            CHECK_OK(edo_spawn(g, runs, &r[i]));
    }
}

static unsigned low_before(const order *o, unsigned end)
{
    unsigned n = 0;
    for (unsigned i = 0; i < end && i < o->n; i++)
        n += o->log[i] < 0;
    return n;
}

/* Spawned first, and run last; and each in its turn. */
static int low_is_last(void *arg)
{
    order *o = arg;
    edo_group g;
    runner l[5], n[5];
    CHECK_OK(edo_group_open(&g, NULL));
    spawn_runners(&g, o, l, 5, true, 4);
    spawn_runners(&g, o, n, 5, false, 4);
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.low_depth, ==, 5);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(o->n, ==, 40);
    CHECK_UINT(low_before(o, 20), <=, 1);
    int expected = 0;
    for (unsigned i = 0; i < 40; i++) {
        if (o->log[i] >= 0)
            continue;
        CHECK_INT(o->log[i], ==, -1 - expected % 5); /* first in, first out */
        expected++;
    }
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.low_depth, ==, 0);
    return 0;
}

TEST(low_ones_run_last)
{
    order *o = calloc(1, sizeof *o);
    run_alone(low_is_last, o);
    free(o);
}

/* While a worker is never without something else, they get one run in so many. */
static int a_share(void *arg)
{
    order *o = arg;
    edo_group g;
    runner l[3], n[4];
    CHECK_OK(edo_group_open(&g, NULL));
    spawn_runners(&g, o, l, 3, true, 1000);
    spawn_runners(&g, o, n, 4, false, 500);
    CHECK_OK(edo_group_close(&g));
    unsigned last = 0;
    for (unsigned i = 0; i < o->n && i < 4096; i++)
        last = o->log[i] > 0 ? i : last;
    unsigned share = low_before(o, last);
    CHECK_UINT(share, >=, last / SHARE - 2);
    CHECK_UINT(share, <=, last / SHARE + 2);
    return 0;
}

TEST(a_share_of_a_busy_worker)
{
    order *o = calloc(1, sizeof *o);
    run_alone(a_share, o);
    CHECK_UINT(o->n, ==, 5000);
    free(o);
}

static int sets(void *arg)
{
    STORE((unsigned *)arg, 1);
    return 0;
}

/* Not even beside one that yields for ever, alone or with others, pinned or not. */
static int yields_until(void *arg)
{
    until(arg, 1);
    return 0;
}

static int starving(void *arg)
{
    (void)arg;
    for (int others = 1; others <= 3; others++) {
        for (int pinned = 0; pinned < 2; pinned++) {
            unsigned ran = 0;
            edo_group g;
            CHECK_OK(edo_group_open(&g, NULL));
            spawn_low(&g, sets, &ran);
            for (int i = 0; i < others; i++)
                CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .pinned = pinned != 0 }, NULL,
                                        yields_until, &ran));
            CHECK_OK(edo_group_close(&g));
        }
    }
    return 0;
}

TEST(no_starvation)
{
    run_alone(starving, NULL);
    EACH_WORKERS(w)
    run_unwatched(w, starving, NULL);
}

/* What comes from outside is not starved by pinned tasks either. */
static void *spawns_outside(void *arg)
{
    void **p = arg;
    CHECK_OK(edo_runtime_spawn(p[0], sets, p[1]));
    return NULL;
}

static int pinned_and_outside(void *arg)
{
    (void)arg;
    unsigned ran = 0;
    void *p[2] = { edo_runtime_current(), &ran };
    pthread_t thread;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(
            edo_spawn_with(&g, &(edo_task_options){ .pinned = true }, NULL, yields_until, &ran));
    thread_start(&thread, spawns_outside, p);
    CHECK_OK(edo_group_close(&g));
    thread_join(thread);
    return 0;
}

/* Nor what is in the same worker's ring. */
static int pinned_and_near(void *arg)
{
    (void)arg;
    for (int others = 1; others <= 3; others++) {
        unsigned ran = 0;
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < others; i++)
            CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .pinned = true }, NULL, yields_until,
                                    &ran));
        CHECK_OK(edo_yield()); /* they are at it */
        CHECK_OK(edo_spawn(&g, sets, &ran));
        CHECK_OK(edo_group_close(&g));
    }
    return 0;
}

TEST(pinned_ones_starve_nobody)
{
    run_alone(pinned_and_outside, NULL);
    run_alone(pinned_and_near, NULL);
}

/* ---- on several workers ---- */

typedef struct meeting {
    unsigned here, n;
} meeting;

/* Does not suspend: so each of them needs a worker of its own, which must have been woken. */
static int meets(void *arg)
{
    meeting *m = arg;
    ADD(&m->here, 1);
    while (LOAD(&m->here) < m->n)
        sched_yield();
    return 0;
}

static int all_meet(void *arg)
{
    meeting *m = arg;
    for (int round = 0; round < 20; round++) {
        edo_group g;
        STORE(&m->here, 0);
        CHECK_OK(edo_group_open(&g, NULL));
        for (unsigned i = 0; i < m->n; i++)
            spawn_low(&g, meets, m);
        CHECK_OK(edo_group_close(&g));
        if (round % 2 == 0)
            CHECK_OK(edo_sleep(EDO_MS(1))); /* the others fall asleep */
    }
    return 0;
}

TEST(every_idle_worker_takes_one)
{
    EACH_WORKERS(w)
    {
        meeting m = { .n = w };
        run_unwatched(w, all_meet, &m);
    }
}

/* All workers held by tasks that wait for a low one. */
typedef struct held {
    unsigned holding, n, go;
} held;

static int holds(void *arg)
{
    held *h = arg;
    ADD(&h->holding, 1);
    while (LOAD(&h->go) == 0)
        sched_yield();
    return 0;
}

static int frees(void *arg)
{
    held *h = arg;
    until(&h->holding, h->n);
    CHECK_OK(edo_sleep(EDO_US(100)));
    STORE(&h->go, 1);
    return 0;
}

static int held_body(void *arg)
{
    held *h = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn_low(&g, frees, h);
    for (unsigned i = 0; i < h->n; i++)
        CHECK_OK(edo_spawn(&g, holds, h));
    return edo_group_close(&g);
}

TEST_TIMEOUT(beside_held_workers, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    EACH_WORKERS(w)
    {
        held h = { .n = w };
        edo_config config = { .workers = w, .stuck_after = EDO_MS(2) };
        core_test_call c = { held_body, &h };
        test_on_timeout(core_test_dump);
        CHECK_OK(edo_run(&config, core_test_main, &c));
    }
}

/* ---- pins ---- */

static int low_and_pinned(void *arg)
{
    (void)arg;
    pthread_t here = pthread_self();
    for (int i = 0; i < 50; i++) {
        CHECK_OK(edo_yield());
        CHECK(pthread_equal(here, pthread_self()));
    }
    return 0;
}

static int pins_itself(void *arg)
{
    for (int i = 0; i < 10; i++) {
        CHECK_OK(edo_task_pin(true));
        CHECK_OK(edo_task_pin(true));
        CHECK_OK(low_and_pinned(arg));
        CHECK_OK(edo_task_pin(false));
        CHECK_OK(low_and_pinned(arg));
        CHECK_OK(edo_task_pin(false));
        CHECK_OK(edo_yield());
    }
    return 0;
}

static int pin_body(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++) {
        edo_task_options o = { .priority = EDO_PRIORITY_LOW, .pinned = true };
        CHECK_OK(edo_spawn_with(&g, &o, NULL, low_and_pinned, NULL));
        spawn_low(&g, pins_itself, NULL);
    }
    return edo_group_close(&g);
}

TEST(low_and_pinned_at_once)
{
    EACH_WORKERS(w)
    run_on(w, pin_body, NULL);
}

/* ---- waits ---- */

typedef struct mix {
    edo_chan *c;
    edo_mutex m;
    edo_event e;
    unsigned sent, received, cancelled, under_lock;
} mix;

enum { MIX_TASKS = 40 };

static int sends(void *arg)
{
    mix *x = arg;
    for (unsigned i = 0, n = test_scale(50); i < n; i++) {
        unsigned v = i;
        CHECK_OK(edo_chan_send(x->c, &v));
        ADD(&x->sent, 1);
        CHECK_OK(edo_mutex_lock(&x->m));
        CHECK_UINT(ADD(&x->under_lock, 1), ==, 1);
        if (i % 4 == 0)
            CHECK_OK(edo_yield());
        (void)__atomic_sub_fetch(&x->under_lock, 1, __ATOMIC_ACQ_REL);
        edo_mutex_unlock(&x->m);
        if (i % 16 == 0)
            CHECK_OK(edo_sleep(EDO_US(20)));
    }
    return 0;
}

static int receives(void *arg)
{
    mix *x = arg;
    for (;;) {
        unsigned v;
        edo_case cases[] = { EDO_RECV(x->c, &v), EDO_AFTER(EDO_SEC(100)) };
        int i = edo_select(cases, 2);
        CHECK_INT(i, ==, 0);
        if (cases[0].result == -EPIPE)
            return 0;
        CHECK_OK(cases[0].result);
        ADD(&x->received, 1);
    }
}

static int is_cancelled(void *arg)
{
    mix *x = arg;
    CHECK_INT(edo_event_wait(&x->e), ==, -ECANCELED);
    ADD(&x->cancelled, 1);
    return 0;
}

static int times_out(void *arg)
{
    mix *x = arg;
    edo_scope s;
    edo_scope_open(&s, EDO_US(200));
    CHECK_INT(edo_scope_close(&s, edo_event_wait(&x->e)), ==, -ETIMEDOUT);
    return 0;
}

static int job(void *arg)
{
    (void)arg;
    return 3;
}

static int blocks(void *arg)
{
    (void)arg;
    CHECK_INT(edo_blocking(job, NULL), ==, 3);
    return 0;
}

static void spawn_any(edo_group *g, int i, edo_fn *fn, void *arg)
{
    if (i % 2 == 0)
        spawn_low(g, fn, arg);
    else
        CHECK_OK(edo_spawn(g, fn, arg));
}

static int mix_body(void *arg)
{
    mix *x = arg;
    edo_group g, receivers, waiting;
    CHECK_OK(edo_group_open(&waiting, NULL));
    CHECK_OK(edo_group_open(&receivers, NULL));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < MIX_TASKS; i++) {
        spawn_any(&g, i, sends, x);
        spawn_any(&g, i, times_out, x);
        spawn_any(&g, i, blocks, x);
        spawn_any(&receivers, i + i / 2, receives, x);
        spawn_any(&waiting, i, is_cancelled, x);
    }
    CHECK_OK(edo_group_close(&g));
    edo_chan_close(x->c);
    CHECK_OK(edo_group_close(&receivers));
    CHECK_UINT(x->received, ==, x->sent);
    edo_group_cancel(&waiting);
    (void)edo_group_close(&waiting);
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    CHECK_UINT(m.low_depth, ==, 0);
    return 0;
}

static void mixed(edo_config config)
{
    mix x = { .m = EDO_MUTEX_INIT, .e = EDO_EVENT_INIT };
    CHECK_OK(edo_chan_create(&x.c, sizeof(unsigned), 3));
    core_test_call c = { mix_body, &x };
    test_on_timeout(core_test_dump);
    CHECK_OK(edo_run(&config, core_test_main, &c));
    /* A child that never ran has not waited either. */
    CHECK_UINT(x.cancelled, <=, MIX_TASKS);
    edo_chan_unref(x.c);
}

TEST_TIMEOUT(mixed_with_others, 60)
{
    EACH_WORKERS(w)
    {
        mixed((edo_config){ .workers = w, .seed = test_seed(), .current_thread = w == 1 });
        mixed((edo_config){ .workers = w, .seed = test_seed(), .metrics = EDO_METRICS_ALL });
    }
}

/* Woken by threads outside, and from another runtime. */
static void *receives_outside(void *arg)
{
    CHECK_OK(receives(arg));
    return NULL;
}

static int sends_low(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        spawn_low(&g, sends, arg);
    return edo_group_close(&g);
}

TEST(woken_from_outside)
{
    EACH_WORKERS(w)
    {
        mix x = { .m = EDO_MUTEX_INIT };
        pthread_t threads[3];
        CHECK_OK(edo_chan_create(&x.c, sizeof(unsigned), 0));
        for (int i = 0; i < 3; i++)
            thread_start(&threads[i], receives_outside, &x);
        run_on(w, sends_low, &x);
        edo_chan_close(x.c);
        for (int i = 0; i < 3; i++)
            thread_join(threads[i]);
        CHECK_UINT(x.received, ==, x.sent);
        edo_chan_unref(x.c);
    }
}

/* ---- with a paused clock ---- */

static int sleeps(void *arg)
{
    CHECK_OK(edo_sleep(EDO_SEC(3600)));
    ADD((unsigned *)arg, 1);
    return 0;
}

static int virtual_hours(void *arg)
{
    unsigned n = 0;
    (void)arg;
    edo_group g;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        spawn_low(&g, sleeps, &n);
    CHECK_OK(edo_clock_advance(EDO_SEC(3599)));
    CHECK_UINT(n, ==, 0);
    CHECK_OK(edo_clock_advance(EDO_SEC(2)));
    CHECK_UINT(n, ==, 10);
    for (int i = 0; i < 10; i++)
        spawn_low(&g, sleeps, &n);
    CHECK_OK(edo_group_close(&g)); /* it jumps */
    return edo_clock_resume();
}

TEST(with_a_paused_clock)
{
    EACH_WORKERS(w)
    run_on(w, virtual_hours, NULL);
}

/* ---- seen from outside ---- */

static char *dumped(int (*dump)(edo_runtime *rt, FILE *f))
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    CHECK(f != NULL);
    CHECK_OK(dump(NULL, f));
    fclose(f);
    return text;
}

static int is_dumped(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    edo_task_options o = { .name = "sweeper", .priority = EDO_PRIORITY_LOW };
    CHECK_OK(edo_spawn_with(&g, &o, NULL, wait_for_cancel, NULL));
    CHECK_OK(
        edo_spawn_with(&g, &(edo_task_options){ .name = "other" }, NULL, wait_for_cancel, NULL));
    char *text = dumped(edo_dump), *json = dumped(edo_dump_json);
    const char *line = strstr(text, "\"sweeper\""), *other = strstr(text, "\"other\"");
    CHECK(line != NULL && other != NULL);
    const char *said = strstr(line, ", low priority");
    CHECK(said != NULL && said < strchr(line, '\n'));
    CHECK(strstr(said + 2, ", low priority") == NULL);
    const char *task = strstr(json, "\"name\":\"sweeper\"");
    CHECK(task != NULL && strstr(task, "\"low\":true") != NULL);
    free(text);
    free(json);
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    return 0;
}

TEST(dumps_say_so)
{
    run_on(1, is_dumped, NULL);
}

TEST_MAIN()
