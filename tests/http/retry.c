/* SPDX-License-Identifier: MIT */
/* Trying again: when, how often, how long after. */
#include "support.h"

#include "http/internal.h"

/* Fails as the path says, e.g. /503x2: twice, then answers. /resetx1, /cutx1. */
static int serve_failing(http_test *t, edo_stream *s)
{
    char head[2048], status[64], more[64];
    while (http_read_head(s, head, sizeof head) > 0) {
        int n = atomic_fetch_add(&t->requests, 1);
        const char *times = strchr(head, 'x');
        const char *after = strstr(head, "?after=");
        int failures = times ? atoi(times + 1) : 0;
        char byte;
        if (strstr(head, "Content-Length: 1\r\n") && edo_read(s, &byte, 1) != 1)
            return -1;
        if (n >= failures) {
            if (http_reply(s, "200 OK", "", "at last") < 0)
                return -1;
            continue;
        }
        if (strstr(head, "/cut"))
            return http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        if (strstr(head, "/close"))
            return 0;
        snprintf(status, sizeof status, "%d Failing", atoi(strchr(head, '/') + 1));
        more[0] = '\0';
        if (after)
            snprintf(more, sizeof more, "Retry-After: %d\r\n", atoi(after + 7));
        if (http_reply(s, status, more, "no") < 0)
            return -1;
    }
    return 0;
}

/* Makes a request; the answer must have come after so many tries. */
static int64_t fetch(http_test *t, edo_http_request q, const char *path, int code, int status,
                     unsigned attempts)
{
    edo_http_response r;
    atomic_store(&t->requests, 0);
    q.url = http_url(t, path);
    int64_t start = edo_now();
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, code);
    CHECK_INT(r.status, ==, status);
    CHECK_INT(r.attempts, ==, attempts);
    CHECK_INT(atomic_load(&t->requests), ==, attempts);
    if (code == 0 && status == 200)
        CHECK_STR(r.body, "at last");
    edo_http_response_deinit(&r);
    return edo_now() - start;
}

static int which_and_how_often(http_test *t)
{
    edo_http_request q = { 0 }, once = { .retries = -1 }, many = { .retries = 4 };
    static const char *const transient[] = { "/429x1", "/500x1", "/502x1",
                                             "/503x1", "/504x1", "/cutx1" };
    for (int i = 0; i < 6; i++)
        fetch(t, q, transient[i], 0, 200, 2);
    CHECK_INT(fetch(t, q, "/503x2", 0, 200, 3), >=, EDO_MS(150)); /* 50..100 + 100..200 */
    fetch(t, q, "/503x3", 0, 503, 3);
    fetch(t, many, "/503x4?after=0", 0, 200, 5);
    fetch(t, once, "/503x1", 0, 503, 1);
    fetch(t, q, "/404x1", 0, 404, 1);
    fetch(t, q, "/501x1", 0, 501, 1);
    q.fail_on_status = true;
    fetch(t, q, "/503x3?after=0", EDO_EHTTPSTATUS, 503, 3);
    fetch(t, q, "/cutx3", EDO_EEOF, 200, 3);
    return 0;
}

TEST(which_and_how_often)
{
    http_run(&(http_test){ .serve = serve_failing, .body = which_and_how_often });
}

static int only_idempotent(http_test *t)
{
    edo_http_request q = { .body = "x", .body_len = 1 };
    q.method = "POST";
    fetch(t, q, "/closex1", EDO_EEOF, 0, 1);
    fetch(t, q, "/503x1", 0, 503, 1);
    q.method = "PATCH";
    fetch(t, q, "/503x1", 0, 503, 1);
    q.retry_unsafe = true;
    fetch(t, q, "/503x1", 0, 200, 2);
    q.method = "POST";
    fetch(t, q, "/cutx1", 0, 200, 2);
    return 0;
}

TEST(only_idempotent)
{
    http_run(&(http_test){ .serve = serve_failing, .body = only_idempotent });
}

static int retry_after(http_test *t)
{
    edo_http_request q = { 0 };
    CHECK_INT(fetch(t, q, "/429x1?after=1", 0, 200, 2), >=, EDO_SEC(1));
    fetch(t, q, "/429x1?after=61", 0, 429, 1); /* too long to wait */
    fetch(t, q, "/429x2?after=0", 0, 200, 3);
    return 0;
}

TEST(retry_after)
{
    http_run(&(http_test){ .serve = serve_failing, .body = retry_after });
}

static int deadline_between_tries(http_test *t)
{
    bool between = false; /* else the answer took longer than that */
    for (int64_t after = EDO_MS(100); !between; after *= 2) {
        edo_http_response r;
        edo_scope s;
        edo_http_request q = { .url = http_url(t, "/503x9?after=50"), .fail_on_status = true };
        edo_scope_open(&s, after);
        int rc = edo_http_fetch(t->client, &q, &r);
        CHECK_INT(rc, ==, -ECANCELED);
        CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
        between = r.status == 503;
        if (between)
            CHECK(strstr(r.error.text, "503 Failing") != NULL);
        edo_http_response_deinit(&r);
    }
    return 0;
}

TEST(deadline_between_tries)
{
    http_run(&(http_test){ .serve = serve_failing, .body = deadline_between_tries });
}

static int count(void *bytes, const void *data, size_t n)
{
    (void)data;
    *(size_t *)bytes += n;
    return 0;
}

/* What was handed over cannot be taken back. */
static int not_after_data(http_test *t)
{
    size_t bytes = 0;
    edo_http_request q = { .on_data = count, .on_data_arg = &bytes };
    fetch(t, q, "/cutx1", EDO_EEOF, 200, 1);
    CHECK_UINT(bytes, ==, 3);
    edo_http_response r;
    q.url = http_url(t, "/503x1");
    bytes = 0;
    atomic_store(&t->requests, 0);
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_INT(r.attempts, ==, 2);
    CHECK_UINT(bytes, ==, strlen("at last"));
    CHECK_UINT(r.len, ==, bytes);
    CHECK(r.body == NULL);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(not_after_data)
{
    http_run(&(http_test){ .serve = serve_failing, .body = not_after_data });
}

static int64_t parse(const char *value)
{
    char block[128];
    int n = snprintf(block, sizeof block, "retry-after%c%s", 0, value);
    edo_http_client c = { 0 };
    edo_http_response r = { .edo__headers = block, .edo__headers_len = (size_t)n + 1 };
    int64_t asked = http__retry_after(&r);
    if (asked >= 0 && asked < EDO_SEC(1000)) /* a date far away is another one a second later */
        CHECK_INT(http__retry_delay(&c, 1, &r), ==, asked);
    return asked;
}

TEST(retry_after_forms)
{
    CHECK_INT(parse("0"), ==, 0);
    CHECK_INT(parse("120"), ==, EDO_SEC(120));
    CHECK_INT(parse("Sun, 06 Nov 1994 08:49:37 GMT"), ==, 0);
    int64_t far = parse("Fri, 31 Dec 2049 23:59:59 GMT");
    CHECK_INT(far, >, EDO_SEC(3600));
    CHECK_INT(parse("99999999999999999999999999"), >, HTTP_RETRY_AFTER_MAX);
    CHECK_INT(parse(""), ==, -1);
    CHECK_INT(parse("soon"), ==, -1);
    CHECK_INT(parse("-1"), ==, -1);
    edo_http_response none = { 0 };
    CHECK_INT(http__retry_after(&none), ==, -1);
}

TEST(delays_grow_and_differ)
{
    edo_http_client c = { 0 };
    edo_http_response r = { 0 };
    int different = 0;
    for (unsigned attempt = 1; attempt <= 20; attempt++) {
        int64_t most = attempt <= 7 ? EDO_MS(100) << (attempt - 1) : EDO_SEC(10);
        most = most < EDO_SEC(10) ? most : EDO_SEC(10);
        int64_t first = http__retry_delay(&c, attempt, &r);
        for (int i = 0; i < 100; i++) {
            int64_t delay = http__retry_delay(&c, attempt, &r);
            CHECK_INT(delay, >=, most / 2);
            CHECK_INT(delay, <=, most);
            different += delay != first;
        }
    }
    CHECK_INT(different, >, 1900);
}

TEST_MAIN()
