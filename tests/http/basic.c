/* SPDX-License-Identifier: MIT */
/* One request at a time: what is sent, what comes back, what goes wrong. */
#include "support.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* Echoes: the request line and headers, then its body, as the body of the answer. */
static int serve_echo(http_test *t, edo_stream *s)
{
    char head[2048], more[64];
    int n;
    while ((n = http_read_head(s, head, sizeof head - 512)) > 0) {
        atomic_fetch_add(&t->requests, 1);
        char *length = strstr(head, "Content-Length: ");
        int len = length ? atoi(length + 16) : 0;
        if (len > 0 && edo_read_full(s, head + n, (size_t)len) < 0)
            return -1;
        head[n + len] = '\0';
        snprintf(more, sizeof more, "X-Twice: one\r\nx-twice:two\t\r\nX-Empty:\r\n");
        if (memcmp(head, "HEAD", 4) == 0) {
            if (http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n") < 0)
                return -1;
        } else if (http_reply(s, "200 OK", more, head) < 0) {
            return -1;
        }
    }
    return 0;
}

static int get_and_reuse(http_test *t)
{
    edo_http_response r;
    CHECK_INT(edo_http_get(t->client, http_url(t, "/a?b=c"), &r), ==, 0);
    CHECK_INT(r.status, ==, 200);
    CHECK_INT(r.version, ==, 11);
    CHECK_INT(r.attempts, ==, 1);
    CHECK(!r.reused);
    CHECK_STR(r.url, http_url(t, "/a?b=c"));
    CHECK_UINT(r.len, ==, strlen(r.body));
    CHECK(strncmp(r.body, "GET /a?b=c HTTP/1.1\r\n", 21) == 0);
    CHECK(strstr(r.body, "User-Agent: edo/0.1.0\r\n") != NULL);
    CHECK(strstr(r.body, "Accept-Encoding: ") != NULL);
    CHECK(r.timings.first_byte > 0 && r.timings.total >= r.timings.first_byte);
    CHECK_INT(r.error.code, ==, 0);
    edo_http_response_deinit(&r);
    edo_http_response_deinit(&r);
    CHECK_INT(edo_http_get(t->client, http_url(t, "/"), &r), ==, 0);
    CHECK(r.reused);
    CHECK_INT(atomic_load(&t->connections), ==, 1);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(get_and_reuse)
{
    http_run(&(http_test){ .serve = serve_echo, .body = get_and_reuse });
}

static int headers_of_answer(http_test *t)
{
    edo_http_response r;
    const char *value, *name = NULL;
    int n = 0;
    CHECK_INT(edo_http_get(t->client, http_url(t, "/"), &r), ==, 0);
    CHECK_STR(edo_http_response_header(&r, "X-TWICE"), "one");
    CHECK_STR(edo_http_response_header(&r, "x-empty"), "");
    CHECK(edo_http_response_header(&r, "X-None") == NULL);
    static const char *const names[] = { "Content-Length", "X-Twice", "x-twice", "X-Empty" };
    while ((name = edo_http_response_header_next(&r, name, &value)) != NULL) {
        CHECK_STR(name, names[n]);
        if (n == 2)
            CHECK_STR(value, "two");
        n++;
    }
    CHECK_INT(n, ==, 4);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(headers_of_answer)
{
    http_run(&(http_test){ .serve = serve_echo, .body = headers_of_answer });
}

static int bodies_and_methods(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/p"), .body = "hello", .body_len = 5 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK(strncmp(r.body, "POST /p ", 8) == 0);
    CHECK(strstr(r.body, "\r\n\r\nhello") != NULL);
    CHECK(strstr(r.body, "Content-Type") == NULL);
    CHECK(strstr(r.body, "Expect") == NULL);
    edo_http_response_deinit(&r);

    q.method = "PUT";
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK(strncmp(r.body, "PUT /p ", 7) == 0);
    CHECK(strstr(r.body, "\r\n\r\nhello") != NULL);
    edo_http_response_deinit(&r);

    q = (edo_http_request){ .url = t->url, .method = "DELETE" };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK(strncmp(r.body, "DELETE /p ", 10) == 0);
    edo_http_response_deinit(&r);

    q.method = "POST";
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK(strstr(r.body, "Content-Length: 0\r\n") != NULL);
    edo_http_response_deinit(&r);

    q.method = "HEAD";
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_INT(r.status, ==, 200);
    CHECK(r.body == NULL && r.len == 0);
    edo_http_response_deinit(&r);
    CHECK_INT(atomic_load(&t->connections), ==, 1);
    return 0;
}

TEST(bodies_and_methods)
{
    http_run(&(http_test){ .serve = serve_echo, .body = bodies_and_methods });
}

static int headers_of_request(http_test *t)
{
    static const char *const mine[] = { "X-A: request", "Content-Type: text/x", "User-Agent:" };
    edo_http_response r;
    edo_http_request q = {
        .url = http_url(t, "/"), .body = "1", .body_len = 1, .headers = mine, .n_headers = 3
    };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK(strstr(r.body, "X-A: request\r\n") != NULL);
    CHECK(strstr(r.body, "x-a: client") == NULL);
    CHECK(strstr(r.body, "X-B: client\r\n") != NULL);
    CHECK(strstr(r.body, "Content-Type: text/x\r\n") != NULL);
    CHECK(strstr(r.body, "User-Agent") == NULL);
    edo_http_response_deinit(&r);

    static const char *const bad[] = { "X: a\r\nInjected: yes", "no colon", ": no name", "X Y: 1" };
    for (int i = 0; i < 4; i++) {
        q = (edo_http_request){ .url = t->url, .headers = &bad[i], .n_headers = 1 };
        CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -EINVAL);
        edo_http_response_deinit(&r);
    }
    edo_http_client *c;
    CHECK_INT(
        edo_http_client_create(&c, &(edo_http_client_options){ .headers = bad, .n_headers = 1 }),
        ==, -EINVAL);
    CHECK_INT(edo_http_client_create(&c, &(edo_http_client_options){ .in_flight_max = 1u << 20 }),
              ==, -EINVAL);
    CHECK_INT(atomic_load(&t->requests), ==, 1);
    return 0;
}

TEST(headers_of_request)
{
    static const char *const all[] = { "x-a: client", "X-B: client" };
    http_run(&(http_test){ .serve = serve_echo,
                           .body = headers_of_request,
                           .options = { .headers = all, .n_headers = 2, .user_agent = "me/1" } });
}

/* /N redirects to /N-1; /0 is the end; /loop to itself. */
static int serve_redirects(http_test *t, edo_stream *s)
{
    char head[2048], more[64];
    while (http_read_head(s, head, sizeof head) > 0) {
        int n = strstr(head, " /loop ") ? 0 : atoi(strchr(head, '/') + 1);
        atomic_fetch_add(&t->requests, 1);
        snprintf(more, sizeof more, "Location: /%d\r\nX-Hop: %d\r\n", n - 1, n);
        if (strstr(head, " /loop "))
            snprintf(more, sizeof more, "Location: /loop\r\n");
        int rc = n > 0 || strstr(head, " /loop ") ? http_reply(s, "302 Found", more, "moved")
                                                  : http_reply(s, "200 OK", "", "there");
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int redirects(http_test *t)
{
    edo_http_response r;
    CHECK_INT(edo_http_get(t->client, http_url(t, "/3"), &r), ==, 0);
    CHECK_STR(r.body, "there");
    CHECK_STR(r.url, http_url(t, "/0"));
    CHECK(edo_http_response_header(&r, "X-Hop") == NULL);
    CHECK_INT(atomic_load(&t->requests), ==, 4);
    edo_http_response_deinit(&r);

    edo_http_request q = { .url = http_url(t, "/3"), .max_redirects = -1, .fail_on_status = true };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_INT(r.status, ==, 302);
    CHECK_STR(r.body, "moved");
    CHECK_STR(edo_http_response_header(&r, "location"), "/2");
    edo_http_response_deinit(&r);

    q.max_redirects = 2;
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -ELOOP);
    CHECK(strstr(r.error.text, "redirect") != NULL);
    edo_http_response_deinit(&r);

    atomic_store(&t->requests, 0);
    CHECK_INT(edo_http_get(t->client, http_url(t, "/loop"), &r), ==, -ELOOP);
    CHECK_INT(atomic_load(&t->requests), ==, 11);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(redirects)
{
    http_run(&(http_test){ .serve = serve_redirects, .body = redirects });
}

/* The path chooses what goes wrong. */
static int serve_wrong(http_test *t, edo_stream *s)
{
    static const char big[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "400\r\n";
    char head[2048];
    while (http_read_head(s, head, sizeof head) > 0) {
        atomic_fetch_add(&t->requests, 1);
        if (strstr(head, " /404 ")) {
            if (http_reply(s, "404 Not Found At All", "", "nothing here") < 0)
                return -1;
            continue;
        }
        if (strstr(head, " /cut "))
            return http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        if (strstr(head, " /cutchunk "))
            return http_send(s, big);
        if (strstr(head, " /garbage "))
            return http_send(s, "220 mail.example.org ESMTP\r\n");
        if (strstr(head, " /nothing "))
            return 0;
        if (strstr(head, " /length "))
            return http_send(s, "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\nabc");
        if (strstr(head, " /chunked ")) {
            int rc = http_send(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (rc == 0)
                rc = http_send(s, "A\r\n0123456789\r\n");
            return rc;
        }
        if (http_reply(s, "200 OK", "", "0123456789") < 0)
            return -1;
    }
    return 0;
}

static void expect(http_test *t, const char *path, int code, int status, const char *text)
{
    edo_http_response r;
    edo_http_request q = {
        .url = http_url(t, path), .max_body = 1000, .retries = -1, .fail_on_status = true
    };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, code);
    CHECK_INT(r.error.code, ==, code);
    CHECK_INT(r.error.status, ==, status);
    CHECK_STR(r.error.url, q.url);
    if (!strstr(r.error.text, text))
        FAIL("%s: \"%s\" is not in \"%s\"", path, text, r.error.text);
    if (code != EDO_EHTTPSTATUS)
        CHECK(r.body == NULL);
    edo_http_response_deinit(&r);
}

static int wrong_answers(http_test *t)
{
    expect(t, "/404", EDO_EHTTPSTATUS, 404, "404 Not Found At All");
    expect(t, "/cut", EDO_EEOF, 200, "97 bytes remaining");
    expect(t, "/cutchunk", EDO_EEOF, 200, "outstanding read data");
    expect(t, "/garbage", EDO_EHTTP, 0, "HTTP/0.9");
    expect(t, "/nothing", EDO_EEOF, 0, "Empty reply");
    expect(t, "/length", EDO_EOVERSIZE, 200, "1000 bytes");
    expect(t, "/chunked", EDO_EOVERSIZE, 200, "1000 bytes");

    edo_http_response r;
    CHECK_INT(edo_http_get(t->client, http_url(t, "/404"), &r), ==, EDO_EHTTPSTATUS);
    CHECK_STR(r.body, "nothing here");
    edo_http_response_deinit(&r);
    edo_http_request q = { .url = http_url(t, "/404") };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_INT(r.status, ==, 404);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(wrong_answers)
{
    http_run(&(http_test){ .serve = serve_wrong, .body = wrong_answers });
}

static int size_limit_is_exact(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/"), .max_body = 10 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_STR(r.body, "0123456789");
    edo_http_response_deinit(&r);
    q.max_body = 9;
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, EDO_EOVERSIZE);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(size_limit_is_exact)
{
    http_run(&(http_test){ .serve = serve_wrong, .body = size_limit_is_exact });
}

/* A socket with a port of its own, at which it does not listen. */
static int deaf_socket(char *url, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, len), ==, 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &len), ==, 0);
    snprintf(url, size, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    return fd;
}

static int wrong_requests(http_test *t)
{
    static const char *const urls[] = { "ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "" };
    edo_http_response r;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(edo_http_get(t->client, urls[i], &r), ==, -EINVAL);
        CHECK(r.error.text[0] != '\0');
        edo_http_response_deinit(&r);
    }
    edo_http_request q = { .url = http_url(t, "/"), .method = "G\r\nX" };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -EINVAL);
    edo_http_response_deinit(&r);
    q = (edo_http_request){ 0 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -EINVAL);
    edo_http_response_deinit(&r);

    char url[64];
    int deaf = deaf_socket(url, sizeof url);
    q = (edo_http_request){ .url = url, .retries = -1 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, -ECONNREFUSED);
    CHECK(strstr(r.error.text, "connect") != NULL);
    edo_http_response_deinit(&r);
    close(deaf);

    q.url = "http://no-such-host.invalid/";
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, EDO_EHOST);
    CHECK(strstr(r.error.text, "no-such-host.invalid") != NULL);
    edo_http_response_deinit(&r);
    CHECK_INT(atomic_load(&t->connections), ==, 0);
    return 0;
}

TEST(wrong_requests)
{
    http_run(&(http_test){ .serve = serve_wrong, .body = wrong_requests });
}

/* A name with several addresses, of which not all answer. */
static int by_name(http_test *t)
{
    char url[64];
    snprintf(url, sizeof url, "http://localhost%s/", strrchr(t->base, ':'));
    for (int i = 0; i < 10; i++) {
        edo_http_client *c;
        edo_http_response r;
        CHECK_OK(edo_http_client_create(&c, NULL));
        CHECK_INT(edo_http_get(c, url, &r), ==, 0);
        CHECK_INT(r.timings.connected, >, 0);
        edo_http_response_deinit(&r);
        edo_http_client_destroy(c);
    }
    return 0;
}

TEST(by_name)
{
    http_run(&(http_test){ .serve = serve_echo, .body = by_name });
}

/* The server plays the proxy: it is asked for whole URLs. */
static int through_a_proxy(http_test *t)
{
    static const char url[] = "http://no-such-host.invalid/x";
    edo_http_client *c;
    edo_http_response r;
    CHECK_OK(edo_http_client_create(&c, &(edo_http_client_options){ .proxy = t->base }));
    CHECK_INT(edo_http_get(c, url, &r), ==, 0);
    CHECK(strncmp(r.body, "GET http://no-such-host.invalid/x HTTP/1.1\r\n", 44) == 0);
    edo_http_response_deinit(&r);
    edo_http_client_destroy(c);

    CHECK_INT(setenv("http_proxy", t->base, 1), ==, 0);
    CHECK_INT(edo_http_get(t->client, url, &r), ==, 0);
    edo_http_response_deinit(&r);
    CHECK_OK(edo_http_client_create(&c, &(edo_http_client_options){ .proxy = "" }));
    edo_http_request q = { .url = url, .retries = -1 };
    CHECK_INT(edo_http_fetch(c, &q, &r), ==, EDO_EHOST);
    edo_http_response_deinit(&r);
    edo_http_client_destroy(c);
    return 0;
}

TEST(through_a_proxy)
{
    http_run(&(http_test){ .serve = serve_echo, .body = through_a_proxy });
}

/* 100,000 zeros, compressed. */
static const unsigned char gzipped[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00,
    0x00, 0x00, 0xc2, 0xa0, 0x4a, 0xeb, 0x9f, 0xce, 0x1a, 0x1e, 0x40, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xaf, 0x06, 0x85, 0xc2, 0x4d, 0xc5, 0xa0, 0x86, 0x01, 0x00,
};

static int serve_gzip(http_test *t, edo_stream *s)
{
    char head[2048];
    (void)t;
    while (http_read_head(s, head, sizeof head) > 0) {
        CHECK(strstr(head, "gzip") != NULL);
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                 sizeof gzipped);
        if (http_send(s, head) < 0 || edo_write(s, gzipped, sizeof gzipped) < 0)
            return -1;
    }
    return 0;
}

static int decompresses_within_the_limit(http_test *t)
{
    edo_http_response r;
    edo_http_request q = { .url = http_url(t, "/"), .max_body = 100000 };
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, 0);
    CHECK_UINT(r.len, ==, 100000);
    CHECK_UINT(strspn(r.body, "0"), ==, 100000);
    edo_http_response_deinit(&r);
    q.max_body = 99999;
    CHECK_INT(edo_http_fetch(t->client, &q, &r), ==, EDO_EOVERSIZE);
    edo_http_response_deinit(&r);
    return 0;
}

TEST(decompresses_within_the_limit)
{
    http_run(&(http_test){ .serve = serve_gzip, .body = decompresses_within_the_limit });
}

TEST_MAIN()
