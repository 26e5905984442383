/* SPDX-License-Identifier: MIT */
/* Trackers: accepting, closing, the steps of a graceful stop, what is reported, the runtime's own
 * shutdown, threads. */
#include "core_test.h"

typedef struct crew {
    edo_tracker *t;
    unsigned in, out, go;
} crew;

static int obedient(void *arg) /* ends when it is told to or cancelled */
{
    crew *c = arg;
    ADD(&c->in, 1);
    while (!LOAD(&c->go) && edo_sleep(EDO_MS(1)) == 0)
        ;
    ADD(&c->out, 1);
    return edo_checkpoint();
}

static int stubborn(void *arg) /* ends when it is told to */
{
    crew *c = arg;
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    ADD(&c->in, 1);
    while (!LOAD(&c->go))
        CHECK_OK(edo_sleep(EDO_MS(1)));
    (void)edo_scope_close(&s, 0);
    ADD(&c->out, 1);
    return -EIO; /* the failure of one does not concern the others */
}

static void spawn_crew(crew *c, edo_fn *fn, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_tracker_spawn(c->t, fn, c));
}

static int life(void *arg)
{
    (void)arg;
    crew c = { 0 };
    edo_scope s;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_tracker_create(&c.t, NULL, NULL));
    CHECK_UINT(edo_tracker_len(c.t), ==, 0);
    spawn_crew(&c, obedient, 5);
    edo_task_options named = { .name = "six" };
    CHECK_OK(edo_tracker_spawn_with(c.t, &named, stubborn, &c));
    CHECK_INT((edo_tracker_spawn)(c.t, stubborn, &c), ==, 0);
    CHECK_INT((edo_tracker_spawn_with)(c.t, NULL, stubborn, &c), ==, 0);
    CHECK_UINT(edo_tracker_len(c.t), ==, 8);
    edo_scope_open(&s, EDO_MS(5)); /* is not closed */
    CHECK_INT(edo_scope_close(&s, edo_tracker_wait(c.t)), ==, -ETIMEDOUT);
    edo_tracker_close(c.t);
    edo_tracker_close(c.t);
    CHECK_INT(edo_tracker_spawn(c.t, obedient, &c), ==, -ESHUTDOWN);
    edo_scope_open(&s, EDO_MS(5)); /* is not empty */
    CHECK_INT(edo_scope_close(&s, edo_tracker_wait(c.t)), ==, -ETIMEDOUT);
    STORE(&c.go, 1);
    CHECK_INT(edo_tracker_wait(c.t), ==, 0);
    CHECK_INT(edo_tracker_wait(c.t), ==, 0);
    CHECK_UINT(c.out, ==, 8);
    CHECK_UINT(edo_tracker_len(c.t), ==, 0);
    edo_tracker_cancel(c.t);
    CHECK_INT(edo_tracker_shutdown(c.t, NULL, NULL), ==, 0);
    edo_tracker_destroy(c.t);
    edo_tracker_destroy(NULL);
    return 0;
}

TEST(close_and_wait)
{
    EACH_WORKERS(w)
    run_on(w, life, NULL);
    edo_tracker *t;
    CHECK_INT(edo_tracker_create(&t, NULL, NULL), ==, -EPERM);
}

/* ---- the steps of a graceful stop ---- */

static int drains(void *arg)
{
    (void)arg;
    crew c = { 0 };
    edo_tracker_report r;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_tracker_create(&c.t, NULL, "drains"));
    spawn_crew(&c, obedient, 3);
    until(&c.in, 3);
    STORE(&c.go, 1);
    int64_t start = edo_now();
    edo_tracker_stop how = { .drain = EDO_SEC(10), .grace = EDO_SEC(1), .report = stderr };
    CHECK_INT(edo_tracker_shutdown(c.t, &how, &r), ==, 0);
    CHECK_INT(edo_now() - start, <=, EDO_MS(2));
    CHECK_UINT(r.cancelled, ==, 0);
    CHECK_UINT(r.left, ==, 0);
    edo_tracker_destroy(c.t);
    return 0;
}

static int cancels(void *arg)
{
    (void)arg;
    crew c = { 0 };
    edo_tracker_report r;
    edo_scope s;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_tracker_create(&c.t, NULL, "cancels"));
    spawn_crew(&c, obedient, 3);
    int64_t start = edo_now();
    edo_scope_open(&s, EDO_FOREVER); /* a cancelled caller stops gracefully all the same */
    edo_scope_cancel(&s);
    edo_tracker_stop how = { .drain = EDO_SEC(10), .grace = EDO_SEC(1), .report = stderr };
    CHECK_INT(edo_tracker_shutdown(c.t, &how, &r), ==, 0);
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_INT(edo_now() - start, >=, EDO_SEC(10));
    CHECK_INT(edo_now() - start, <, EDO_SEC(10) + EDO_MS(2));
    CHECK_UINT(r.cancelled, ==, 3);
    CHECK_UINT(r.left, ==, 0);
    CHECK_UINT(c.out, ==, 3);
    edo_tracker_destroy(c.t);
    return 0;
}

TEST(graceful_stop)
{
    EACH_WORKERS(w)
    {
        run_on(w, drains, NULL);
        run_on(w, cancels, NULL);
    }
}

typedef struct listed {
    unsigned n;
    bool named;
    const char *site;
} listed;

static void list_task(void *arg, const edo_task_info *info)
{
    listed *l = arg;
    l->n++;
    CHECK_UINT(info->id, !=, 0);
    l->named |= strcmp(info->name, "mule") == 0;
    l->site = info->site;
}

static int reports(void *arg)
{
    (void)arg;
    crew c = { 0 }, other = { 0 };
    edo_tracker_report r;
    listed l = { 0 };
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_tracker_create(&c.t, NULL, "reports"));
    CHECK_OK(edo_tracker_create(&other.t, NULL, "other"));
    spawn_crew(&c, obedient, 3);
    spawn_crew(&other, stubborn, 3);
    edo_task_options named = { .name = "mule" };
    CHECK_OK(edo_tracker_spawn_with(c.t, &named, stubborn, &c));
    spawn_crew(&c, stubborn, 1);
    until(&c.in, 5);
    until(&other.in, 3);
    int64_t start = edo_now();
    edo_tracker_stop how = {
        .drain = EDO_SEC(10), .grace = EDO_SEC(1), .report = f, .each = list_task, .arg = &l
    };
    CHECK_INT(edo_tracker_shutdown(c.t, &how, &r), ==, -ETIMEDOUT);
    CHECK_INT(edo_now() - start, >=, EDO_SEC(11));
    CHECK_INT(edo_now() - start, <, EDO_SEC(11) + EDO_MS(2)); /* many timers: to the tick */
    CHECK_UINT(r.cancelled, ==, 5);
    CHECK_UINT(r.left, ==, 2);
    CHECK_UINT(l.n, ==, 2);
    CHECK(l.named && l.site != NULL && strstr(l.site, "tracker.c:") != NULL);
    fclose(f);
    CHECK_PTR(strstr(text, "\"mule\": "), !=, NULL);
    CHECK_PTR(strstr(text, "spawned at"), !=, NULL);
    CHECK_PTR(strstr(text, "reports"), ==, NULL); /* the keeper is not one of them */
    free(text);
    STORE(&c.go, 1); /* it may be tried again */
    how.report = NULL;
    CHECK_INT(edo_tracker_shutdown(c.t, &how, &r), ==, 0);
    CHECK_UINT(r.left, ==, 0);
    edo_tracker_destroy(c.t);
    STORE(&other.go, 1);
    CHECK_INT(edo_tracker_shutdown(other.t, NULL, NULL), ==, 0);
    CHECK_UINT(other.out, ==, 3);
    edo_tracker_destroy(other.t);
    return 0;
}

TEST(what_would_not_end_is_reported)
{
    EACH_WORKERS(w)
    run_on(w, reports, NULL);
}

/* ---- without a wait; with the runtime ---- */

static int detached(void *arg)
{
    crew *c = arg;
    CHECK_OK(edo_tracker_create(&c->t, NULL, NULL));
    spawn_crew(c, obedient, 3);
    edo_tracker_destroy(c->t); /* they go on */
    until(&c->in, 3);
    CHECK_UINT(c->out, ==, 0);
    STORE(&c->go, 1);
    until(&c->out, 3);
    return 0;
}

static int left_open(void *arg)
{
    crew *c = arg;
    CHECK_OK(edo_tracker_create(&c->t, NULL, NULL));
    spawn_crew(c, obedient, 3); /* cancelled with the runtime */
    return 0;
}

TEST(the_runtime_ends_them)
{
    EACH_WORKERS(w)
    {
        crew a = { 0 }, b = { 0 };
        run_on(w, detached, &a);
        run_on(w, left_open, &b);
        CHECK_UINT(b.out, ==, 3);
        CHECK_UINT(edo_tracker_len(b.t), ==, 0);
        CHECK_INT(edo_tracker_spawn(b.t, obedient, &b), ==, -ESHUTDOWN);
        edo_tracker_cancel(b.t);
        CHECK_INT(edo_tracker_wait(b.t), ==, 0);
        CHECK_INT(edo_tracker_shutdown(b.t, NULL, NULL), ==, 0);
        edo_tracker_destroy(b.t);
    }
}

/* From threads: spawning against closing, many waiting. */
static int count_me(void *arg)
{
    crew *c = arg;
    ADD(&c->in, 1);
    int rc = edo_yield();
    ADD(&c->out, 1);
    return rc;
}

typedef struct spawned {
    crew *crew;
    unsigned n;
} spawned;

static void *spawn_until_closed(void *arg)
{
    spawned *s = arg;
    int rc;
    while ((rc = edo_tracker_spawn(s->crew->t, count_me, s->crew)) == 0) {
        s->n++;
        while (s->n % 64 == 0 && edo_tracker_len(s->crew->t) > 1000)
            sched_yield();
    }
    CHECK_INT(rc, ==, -ESHUTDOWN);
    CHECK_INT(edo_tracker_wait(s->crew->t), ==, 0);
    CHECK_UINT(LOAD(&s->crew->in), ==, LOAD(&s->crew->out));
    return NULL;
}

static void one_race(edo_runtime *rt, bool cancel)
{
    crew c = { 0 };
    spawned s[3];
    pthread_t threads[3];
    CHECK_OK(edo_tracker_create(&c.t, rt, "race"));
    for (int i = 0; i < 3; i++) {
        s[i] = (spawned){ &c, 0 };
        thread_start(&threads[i], spawn_until_closed, &s[i]);
    }
    while (LOAD(&c.in) < 100)
        sched_yield();
    if (cancel)
        edo_tracker_cancel(c.t);
    CHECK_INT(edo_tracker_shutdown(c.t, NULL, NULL), ==, 0);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    CHECK_UINT(c.in, ==, s[0].n + s[1].n + s[2].n);
    CHECK_UINT(c.out, ==, c.in);
    edo_tracker_destroy(c.t);
}

TEST_TIMEOUT(threads_spawn_while_it_closes, 60)
{
    EACH_WORKERS(w)
    {
        edo_config config = { .workers = w };
        edo_runtime *rt;
        CHECK_OK(edo_runtime_create(&rt, &config));
        for (int i = 0; i < 10; i++)
            one_race(rt, i % 2);
        CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(10)));
    }
}

/* ---- edo_runtime_drain() ---- */

static int until_told(void *arg)
{
    crew *c = arg;
    ADD(&c->in, 1);
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL)); /* tasks that are there go on as before */
    while (!LOAD(&c->go)) {
        int rc = edo_sleep(EDO_US(200));
        if (rc < 0)
            break;
    }
    int rc = edo_spawn(&g, count_me, c);
    CHECK(rc == 0 || rc == -ECANCELED);
    (void)edo_group_close(&g);
    return 0;
}

static int drain_inside(void *arg)
{
    CHECK_INT(edo_runtime_drain(arg, 0), ==, -EDEADLK);
    return 0;
}

TEST(draining_a_runtime)
{
    EACH_WORKERS(w)
    {
        crew c = { 0 };
        edo_config config = { .workers = w };
        edo_runtime *rt;
        CHECK_OK(edo_runtime_create(&rt, &config));
        CHECK_OK(edo_runtime_block_on(rt, drain_inside, rt));
        CHECK_OK(edo_runtime_spawn(rt, until_told, &c));
        CHECK_INT(edo_runtime_drain(rt, EDO_MS(5)), ==, -ETIMEDOUT);
        CHECK_INT(edo_runtime_spawn(rt, until_told, &c), ==, -ESHUTDOWN);
        CHECK_INT(edo_runtime_block_on(rt, until_told, &c), ==, -ESHUTDOWN);
        CHECK_INT(edo_runtime_drain(rt, 0), ==, -ETIMEDOUT);
        STORE(&c.go, 1);
        CHECK_INT(edo_runtime_drain(rt, EDO_FOREVER), ==, 0);
        CHECK_INT(edo_runtime_drain(rt, 0), ==, 0);
        CHECK_UINT(c.out, ==, 1);
        CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(10)), ==, 0);

        c = (crew){ 0 }; /* what is not drained is cancelled */
        CHECK_OK(edo_runtime_create(&rt, &config));
        CHECK_OK(edo_runtime_spawn(rt, obedient, &c));
        CHECK_INT(edo_runtime_drain(rt, EDO_MS(2)), ==, -ETIMEDOUT);
        CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(10)), ==, 0);
        CHECK_UINT(c.out, ==, c.in);

        CHECK_OK(edo_runtime_create(&rt, &config)); /* nothing to do */
        CHECK_INT(edo_runtime_drain(rt, 0), ==, 0);
        CHECK_INT(edo_runtime_shutdown(rt, EDO_SEC(10)), ==, 0);
    }
}

TEST_MAIN()
