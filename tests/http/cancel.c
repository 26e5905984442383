/* SPDX-License-Identifier: MIT */
/* A cancel or a deadline at every point of a request: the code is right, the connection is closed
 * at once, nothing stays behind, and the client goes on working. */
#include "support.h"

#include "http/internal.h"

#define LONG (200 << 20) /* in pieces, a millisecond apart; the last one never comes */

static struct {
    atomic_int stage_reached;
    atomic_int gone; /* connections that the client closed while the server waited for that */
    edo_event hold;
} state;

/* The path says how far an answer goes before the server only waits for the client to leave. */
static int serve_stages(http_test *t, edo_stream *s)
{
    char head[2048];
    int rc;
    while ((rc = http_read_head(s, head, sizeof head)) > 0) {
        atomic_fetch_add(&t->requests, 1);
        if (strstr(head, "/ok ")) {
            if (http_reply(s, "200 OK", "", "ok") < 0)
                return -1;
            continue;
        }
        if (strstr(head, "/redirect "))
            rc = http_send(s,
                           "HTTP/1.1 302 Found\r\nLocation: /silent\r\nContent-Length: 0\r\n\r\n");
        else if (strstr(head, "/status "))
            rc = http_send(s, "HTTP/1.1 200 O");
        else if (strstr(head, "/headers "))
            rc = http_send(s, "HTTP/1.1 200 OK\r\nX-A: b\r\n");
        else if (strstr(head, "/body "))
            rc = http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        else if (strstr(head, "/chunk "))
            rc = http_send(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345");
        else if (strstr(head, "/long ")) {
            rc = http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n");
            char *piece = calloc(1, 1 << 16);
            for (int i = 1; i < LONG >> 16 && rc >= 0; i++) {
                rc = (int)edo_write(s, piece, 1 << 16);
                if (rc >= 0)
                    rc = edo_sleep(EDO_MS(1));
            }
            free(piece);
        }
        atomic_store(&state.stage_reached, 1);
        if (!strstr(head, "/redirect "))
            break;
    }
    if (http_await_close(s) == 0)
        atomic_fetch_add(&state.gone, 1);
    return rc;
}

static void check_usable(http_test *t)
{
    edo_http_response r;
    CHECK_INT(edo_http_get(t->client, http_url(t, "/ok"), &r), ==, 0);
    CHECK_STR(r.body, "ok");
    edo_http_response_deinit(&r);
}

typedef struct call {
    http_test *t;
    char url[128];
    int rc;
    bool stream;
    atomic_bool asked;
} call;

static int hold(void *arg, const void *data, size_t n)
{
    (void)arg, (void)data, (void)n;
    return edo_event_wait(&state.hold);
}

static int make_call(void *arg)
{
    call *c = arg;
    edo_http_response r;
    edo_http_request q = { .url = c->url, .max_body = LONG, .on_data = c->stream ? hold : NULL };
    atomic_store(&c->asked, true);
    int rc = edo_http_fetch(c->t->client, &q, &r);
    CHECK_INT(r.error.code, ==, rc);
    if (rc < 0)
        CHECK(r.body == NULL && r.error.text[0]);
    edo_http_response_deinit(&r);
    c->rc = rc;
    return 0;
}

static int each_stage(http_test *t)
{
    static const char *const stages[] = { "/silent", "/redirect", "/status", "/headers",
                                          "/body",   "/chunk",    "/long" };
    for (int i = 0; i < 14; i++) {
        call c = { .t = t, .stream = i >= 7 };
        edo_group g;
        snprintf(c.url, sizeof c.url, "%s%s", t->base, stages[i % 7]);
        atomic_store(&state.stage_reached, 0);
        atomic_store(&state.gone, 0);
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, make_call, &c));
        if (i % 7 != 6) /* the long one is in the middle, or its ring is full and on_data waits */
            http_await_count(&state.stage_reached, 1);
        CHECK_INT(edo_sleep(EDO_MS(30)), ==, 0);
        edo_group_cancel(&g);
        CHECK_INT(edo_group_close(&g), ==, 0);
        CHECK_INT(c.rc, ==, -ECANCELED);
        http_await_count(&t->open, 0);
        if (i % 7 != 6)
            CHECK_INT(atomic_load(&state.gone), ==, 1);
        check_usable(t);
        edo_http_client_destroy(t->client); /* closes the connection of check_usable() */
        CHECK_OK(edo_http_client_create(&t->client, NULL));
        http_await_count(&t->open, 0);
    }
    return 0;
}

TEST(each_stage)
{
    http_run(&(http_test){ .serve = serve_stages, .body = each_stage });
}

static int cancelled_before(http_test *t)
{
    edo_scope s;
    edo_http_response r;
    edo_scope_open(&s, 0);
    CHECK_INT(edo_http_get(t->client, http_url(t, "/ok"), &r), ==, -ECANCELED);
    CHECK_INT(r.attempts, ==, 0);
    edo_http_response_deinit(&r);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    CHECK_INT(atomic_load(&t->connections), ==, 0);
    return 0;
}

TEST(cancelled_before)
{
    http_run(&(http_test){ .serve = serve_stages, .body = cancelled_before });
}

/* The slot of a cancelled request, or of one cancelled while it waited for a slot, is free
 * again. */
static int waiting_for_a_slot(http_test *t)
{
    call first = { .t = t }, second = { .t = t };
    edo_group g1, g2;
    snprintf(first.url, sizeof first.url, "%s/silent", t->base);
    snprintf(second.url, sizeof second.url, "%s/ok", t->base);
    edo_group_open(&g1, NULL);
    CHECK_OK(edo_spawn(&g1, make_call, &first));
    http_await_count(&t->requests, 1);
    edo_group_open(&g2, NULL);
    CHECK_OK(edo_spawn(&g2, make_call, &second));
    while (!atomic_load(&second.asked))
        edo_yield();
    CHECK_INT(edo_sleep(EDO_MS(20)), ==, 0);
    edo_group_cancel(&g2);
    CHECK_INT(edo_group_close(&g2), ==, 0);
    CHECK_INT(second.rc, ==, -ECANCELED);
    CHECK_INT(atomic_load(&t->requests), ==, 1);
    edo_group_cancel(&g1);
    CHECK_INT(edo_group_close(&g1), ==, 0);
    check_usable(t);
    return 0;
}

TEST(waiting_for_a_slot)
{
    http_run(&(http_test){
        .serve = serve_stages, .body = waiting_for_a_slot, .options = { .in_flight_max = 1 } });
}

/* Destroying the client ends what is under way. */
static int destroyed_under_way(http_test *t)
{
    enum { N = 20 };
    static call calls[N];
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < N; i++) {
        calls[i].t = t;
        snprintf(calls[i].url, sizeof calls[i].url, "%s/silent", t->base);
        CHECK_OK(edo_spawn(&g, make_call, &calls[i]));
    }
    http_await_count(&t->requests,
                     10); /* ten more wait for a slot: all have a share in the client */
    while (atomic_load(&t->client->refs) < 2 + N + 10)
        CHECK_INT(edo_yield(), ==, 0);
    edo_http_client_destroy(t->client);
    CHECK_INT(edo_group_close(&g), ==, 0);
    t->client = NULL;
    for (int i = 0; i < N; i++)
        CHECK_INT(calls[i].rc, ==, -ECANCELED);
    http_await_count(&t->open, 0);
    return 0;
}

TEST(destroyed_under_way)
{
    http_run(&(http_test){
        .serve = serve_stages, .body = destroyed_under_way, .options = { .in_flight_max = 10 } });
}

/* Cancels at random moments of real transfers. */
typedef struct storm {
    http_test *t;
    uint64_t seed;
    int good, cancelled;
} storm;

static int storm_task(void *arg)
{
    storm *s = arg;
    char url[128];
    for (unsigned i = 0; i < test_scale(300); i++) {
        static const char *const paths[] = { "/ok", "/ok", "/silent", "/long", "/body" };
        edo_scope scope;
        edo_http_response r;
        snprintf(url, sizeof url, "%s%s", s->t->base, paths[test_rand(&s->seed) % 5]);
        edo_http_request q = { .url = url, .max_body = LONG };
        edo_scope_open(&scope, EDO_US(test_rand(&s->seed) % 3000));
        int rc = edo_scope_close(&scope, edo_http_fetch(s->t->client, &q, &r));
        if (rc == 0)
            CHECK_STR(r.body, "ok");
        else
            CHECK_INT(rc, ==, -ETIMEDOUT);
        s->good += rc == 0;
        s->cancelled += rc < 0;
        edo_http_response_deinit(&r);
    }
    return 0;
}

static int random_moments(http_test *t)
{
    storm storms[8];
    edo_group g;
    edo_group_open(&g, NULL);
    int good = 0, cancelled = 0;
    for (int i = 0; i < 8; i++) {
        storms[i] = (storm){ .t = t, .seed = test_seed() + (uint64_t)i };
        CHECK_OK(edo_spawn(&g, storm_task, &storms[i]));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    for (int i = 0; i < 8; i++) {
        good += storms[i].good;
        cancelled += storms[i].cancelled;
    }
    printf("# %d answers, %d cancelled\n", good, cancelled);
    CHECK_INT(cancelled, >, 0);
    check_usable(t);
    edo_http_client_destroy(t->client);
    t->client = NULL;
    http_await_count(&t->open, 0);
    return 0;
}

TEST_TIMEOUT(random_moments, 120)
{
    http_run(&(http_test){ .serve = serve_stages, .body = random_moments });
}

/* A runtime that ends takes the client's task with it; the client is destroyed afterwards. */
static edo_http_client *left;

static int leave_it(void *arg)
{
    http_test *t = arg;
    edo_http_response r;
    char url[64];
    CHECK_OK(edo_http_client_create(&left, NULL));
    snprintf(url, sizeof url, "http://127.0.0.1:1/");
    edo_http_request q = { .url = url, .retries = -1 };
    if (t)
        CHECK_INT(edo_http_fetch(left, &q, &r), ==, -ECONNREFUSED);
    if (t)
        edo_http_response_deinit(&r);
    return 0;
}

TEST(outlives_the_runtime)
{
    http_test t;
    int before = http_count_fds();
    CHECK_OK(edo_run(NULL, leave_it, NULL)); /* ends before the client's task had its first turn */
    edo_http_client_destroy(left);
    CHECK_OK(edo_run(NULL, leave_it, &t));
    edo_http_response r;
    CHECK_INT(edo_http_get(left, "http://127.0.0.1:1/", &r), ==, -ECANCELED);
    edo_http_response_deinit(&r);
    edo_http_client_destroy(left);
    edo_http_client_destroy(NULL);
    CHECK_INT(http_count_fds(), ==, before);
}

TEST(only_on_a_task)
{
    edo_http_client *c;
    CHECK_INT(edo_http_client_create(&c, NULL), ==, -EPERM);
}

TEST_MAIN()
