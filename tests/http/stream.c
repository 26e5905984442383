/* SPDX-License-Identifier: MIT */
/* Bodies handed over as they come. */
#include "support.h"

#define BODY ((size_t)64 << 20)

static struct {
    atomic_size_t sent;
    size_t got;
    edo_event gate;
    int64_t pause;
    size_t stop_at;
    size_t most;
    int code;
} state;

static char pattern(size_t at)
{
    return (char)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

/* BODY bytes, or as many as the path says. */
static int serve_long(http_test *t, edo_stream *s)
{
    enum { PIECE = 60000 };
    char head[2048];
    char *piece = malloc(PIECE);
    int rc = 0;
    while (rc >= 0 && http_read_head(s, head, sizeof head) > 0) {
        atomic_fetch_add(&t->requests, 1);
        long wanted = atol(strchr(head, '/') + 1);
        size_t total = wanted ? (size_t)wanted : BODY;
        bool bad = strstr(head, "?404") != NULL;
        snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n",
                 bad ? "404 Not Found" : "200 OK", total);
        rc = http_send(s, head);
        atomic_store(&state.sent, 0);
        for (size_t at = 0; at < total && rc >= 0;) {
            size_t n = total - at < PIECE ? total - at : PIECE;
            for (size_t i = 0; i < n; i++)
                piece[i] = pattern(at + i);
            rc = (int)edo_write(s, piece, n);
            at += n;
            atomic_store(&state.sent, at);
        }
    }
    free(piece);
    return rc;
}

static int check_data(void *arg, const void *data, size_t n)
{
    const char *bytes = data;
    (void)arg;
    CHECK_UINT(n, >, 0);
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != pattern(state.got + i))
            FAIL("byte %zu is wrong", state.got + i);
    state.got += n;
    state.most = n > state.most ? n : state.most;
    if (state.stop_at && state.got >= state.stop_at)
        return state.code;
    return state.pause ? edo_sleep(state.pause) : 0;
}

static int whole_and_in_order(http_test *t)
{
    edo_http_response r;
    static const size_t sizes[] = { 1, 16384, 131072, 131073, 1000003, 20000000 };
    edo_http_request q = { .url = t->url, .on_data = check_data };
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "/%zu", sizes[i]);
        http_url(t, path);
        state.got = 0;
        CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
        CHECK_UINT(state.got, ==, sizes[i]);
        CHECK_UINT(r.len, ==, sizes[i]);
        CHECK(r.body == NULL);
        edo_http_response_deinit(&r);
    }
    CHECK_UINT(state.most, <=, 128 << 10);
    CHECK_INT(atomic_load(&t->connections), ==, 1);
    return 0;
}

TEST(whole_and_in_order)
{
    http_run(&(http_test){ .serve = serve_long, .body = whole_and_in_order });
}

/* A reader that sleeps holds the server back: no more is under way than buffers hold. */
static int hold_back(void *arg, const void *data, size_t n)
{
    int rc = check_data(arg, data, n);
    if (rc == 0 && !edo_event_is_set(&state.gate)) {
        size_t before, sent = atomic_load(&state.sent);
        do { /* until it stands still: for as long as this takes, less than all must be sent */
            before = sent;
            CHECK_INT(edo_sleep(EDO_MS(100)), ==, 0);
            sent = atomic_load(&state.sent);
        } while (sent != before);
        CHECK_UINT(sent, <, BODY / 2);
        edo_event_set(&state.gate);
    }
    return rc;
}

static int slow_reader(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/0"), .on_data = hold_back, .max_body = BODY };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_UINT(state.got, ==, BODY);
    edo_http_response_deinit(&r);
    return 0;
}

TEST_TIMEOUT(slow_reader, 60)
{
    http_run(&(http_test){ .serve = serve_long, .body = slow_reader });
}

/* Pausing at every piece: the ring is full nearly all the time. */
static int stuttering_reader(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/5000000"), .on_data = check_data };
    state.pause = EDO_US(50);
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_UINT(state.got, ==, 5000000);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(stuttering_reader)
{
    http_run(&(http_test){ .serve = serve_long, .body = stuttering_reader });
}

static int reader_stops(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/0"), .on_data = check_data };
    state.stop_at = 300000;
    state.code = -EDOM;
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -EDOM);
    CHECK_INT(r.error.code, ==, -EDOM);
    CHECK_INT(r.status, ==, 200);
    CHECK_UINT(state.got, <, 300000 + (128 << 10));
    CHECK_INT(r.attempts, ==, 1);
    edo_http_response_deinit(&r);
    http_await_count(&t->open, 0); /* the connection went with the transfer */
    return 0;
}

TEST(reader_stops)
{
    http_run(&(http_test){ .serve = serve_long, .body = reader_stops });
}

static int limit_and_status(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/500000"),
                           .on_data = check_data,
                           .max_body = 499999 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, EDO_EOVERSIZE);
    CHECK_UINT(state.got, <=, 499999);
    edo_http_response_deinit(&r);

    state.got = 0;
    q.url = http_url(t, "/500000?404");
    q.max_body = 0;
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_INT(r.status, ==, 404);
    CHECK_UINT(state.got, ==, 0);
    CHECK_UINT(r.len, ==, 64 << 10);
    for (size_t i = 0; i < r.len; i++)
        CHECK(r.body[i] == pattern(i));
    edo_http_response_deinit(&r);
    return 0;
}

TEST(limit_and_status)
{
    http_run(&(http_test){ .serve = serve_long, .body = limit_and_status });
}

static int stream_one(void *arg)
{
    http_test *t = arg;
    edo_http_response r;
    char url[128];
    snprintf(url, sizeof url, "%s/3000000", t->base);
    edo_http_request q = { .url = url, .on_data = NULL };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_UINT(r.len, ==, 3000000);
    for (size_t i = 0; i < r.len; i += 997)
        CHECK(r.body[i] == pattern(i));
    CHECK(r.body[r.len] == '\0');
    edo_http_response_deinit(&r);
    return 0;
}

static int collected_side_by_side(http_test *t)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 16; i++)
        CHECK_OK(edo_spawn(&g, stream_one, t));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(collected_side_by_side)
{
    http_run(&(http_test){ .serve = serve_long, .body = collected_side_by_side });
}

TEST_MAIN()
