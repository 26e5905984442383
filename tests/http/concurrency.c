/* SPDX-License-Identifier: MIT */
/* Many requests at a time: limits, order, sharing of connections. */
#include "support.h"

static struct {
    atomic_int now, most; /* requests being answered */
    atomic_int order[512];
    atomic_int asked, ended;
    edo_event gate;
    bool gated; /* they are answered when the gate is open */
} state;

static void enter(void)
{
    int now = atomic_fetch_add(&state.now, 1) + 1;
    int most = atomic_load(&state.most);
    while (now > most && !atomic_compare_exchange_weak(&state.most, &most, now))
        continue;
}

static int serve_counting(http_test *t, edo_stream *s)
{
    char head[2048];
    while (http_read_head(s, head, sizeof head) > 0) {
        int n = atomic_fetch_add(&t->requests, 1);
        if (n < 512)
            atomic_store(&state.order[n], atoi(strchr(head, '/') + 1));
        enter();
        int rc = state.gated ? edo_event_wait(&state.gate) : 0;
        atomic_fetch_sub(&state.now, 1);
        if (rc < 0 || http_reply(s, "200 OK", "", strtok(strchr(head, '/') + 1, " ")) < 0)
            return -1;
    }
    return 0;
}

typedef struct job {
    http_test *t;
    int number;
} job;

static int fetch_one(void *arg)
{
    job *j = arg;
    char url[96], expected[16];
    edo_http_response r;
    snprintf(url, sizeof url, "%s/%d", j->t->base, j->number);
    snprintf(expected, sizeof expected, "%d", j->number);
    atomic_fetch_add(&state.asked, 1);
    CHECK_INT(edo_http_get(j->t->client, url, &r), ==, 0);
    CHECK_STR(r.body, expected);
    edo_http_response_deinit(&r);
    atomic_fetch_add(&state.ended, 1);
    return 0;
}

static void fetch_many(http_test *t, int n)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < n; i++) {
        CHECK_OK(edo_spawn_copy(&g, fetch_one, &(job){ t, i }, sizeof(job)));
        while (t->config.workers == 1 && atomic_load(&state.asked) <= i)
            CHECK_INT(edo_yield(), ==, 0); /* it asks before the next one is there */
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(atomic_load(&state.ended), ==, n);
}

/* The server answers nobody before as many requests as allowed are there at once. */
static int open_the_gate(void *arg)
{
    http_await_count(&state.most, *(int *)arg);
    CHECK_INT(edo_sleep(EDO_MS(20)), ==, 0); /* time for one too many to show up */
    edo_event_set(&state.gate);
    return 0;
}

static int limit_in_flight(http_test *t)
{
    int limit = (int)t->options.in_flight_max;
    state.gated = true;
    CHECK_OK(edo_spawn_copy(t->group, open_the_gate, &limit, sizeof limit));
    fetch_many(t, (int)test_scale(400));
    CHECK_INT(atomic_load(&state.most), ==, limit);
    CHECK_INT(atomic_load(&t->connections), ==, limit);
    return 0;
}

TEST(limit_in_flight)
{
    http_run(&(http_test){
        .serve = serve_counting, .body = limit_in_flight, .options = { .in_flight_max = 7 } });
}

static int limit_per_host(http_test *t)
{
    int limit = (int)t->options.per_host_max;
    state.gated = true;
    CHECK_OK(edo_spawn_copy(t->group, open_the_gate, &limit, sizeof limit));
    fetch_many(t, (int)test_scale(100));
    CHECK_INT(atomic_load(&state.most), ==, limit);
    CHECK_INT(atomic_load(&t->connections), ==, limit);
    return 0;
}

TEST(limit_per_host)
{
    http_run(&(http_test){
        .serve = serve_counting, .body = limit_per_host, .options = { .per_host_max = 3 } });
}

/* With one slot, requests are made in the order in which they were asked for. */
static int first_come_first_served(http_test *t)
{
    fetch_many(t, 100);
    for (int i = 0; i < 100; i++)
        CHECK_INT(atomic_load(&state.order[i]), ==, i);
    CHECK_INT(atomic_load(&t->connections), ==, 1);
    return 0;
}

TEST(first_come_first_served)
{
    http_run(&(http_test){ .serve = serve_counting,
                           .body = first_come_first_served,
                           .options = { .in_flight_max = 1 },
                           .config = { .workers = 1 } });
}

/* Without a limit none of 64 requests waits for another: all are there before one is answered. */
static int side_by_side(http_test *t)
{
    int all = 64;
    state.gated = true;
    CHECK_OK(edo_spawn_copy(t->group, open_the_gate, &all, sizeof all));
    fetch_many(t, all);
    CHECK_INT(atomic_load(&state.most), ==, all);
    return 0;
}

TEST(side_by_side)
{
    http_run(&(http_test){ .serve = serve_counting, .body = side_by_side });
}

/* From threads that are no workers, next to tasks. */
static int foreign(void *arg)
{
    return fetch_one(&(job){ arg, 7 });
}

static int foreign_threads(http_test *t)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 16; i++)
        CHECK_OK(edo_spawn_blocking(&g, foreign, t));
    for (int i = 0; i < 16; i++)
        CHECK_OK(edo_spawn_copy(&g, fetch_one, &(job){ t, i }, sizeof(job)));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(atomic_load(&t->requests), ==, 32);
    return 0;
}

TEST(foreign_threads)
{
    http_run(&(http_test){ .serve = serve_counting, .body = foreign_threads });
}

static int many_clients(void *arg)
{
    http_test *t = arg;
    http_test own = *t;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(edo_http_client_create(&own.client, NULL));
        if (i % 2)
            CHECK_INT(fetch_one(&(job){ &own, i }), ==, 0);
        edo_http_client_destroy(own.client);
    }
    return 0;
}

static int clients_come_and_go(http_test *t)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn(&g, many_clients, t));
    CHECK_INT(edo_group_close(&g), ==, 0);
    http_await_count(&t->open, 0);
    return 0;
}

TEST(clients_come_and_go)
{
    http_run(&(http_test){ .serve = serve_counting, .body = clients_come_and_go });
}

TEST_MAIN()
