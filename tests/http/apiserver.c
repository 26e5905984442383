/* SPDX-License-Identifier: MIT */
/* examples/slow-apiserver.c: what it serves, its faults, and its end. */
#include "support.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCUMENT "/openapi/v3/apis/apps/v1"

static pid_t server;
static int port;
static char base[64];
static edo_http_client *client;

static int read_port(const char *path)
{
    int found = 0;
    for (int i = 0; i < 6000 && !found; i++) {
        FILE *f = fopen(path, "re");
        if (f) {
            CHECK_INT(fscanf(f, "%d", &found), ==, 1);
            fclose(f);
        }
        CHECK_INT(waitpid(server, NULL, WNOHANG), ==, 0);
        usleep(10000);
    }
    CHECK(found > 0);
    return found;
}

/* Starts the server with up to three further arguments. */
static void start(const char *a, const char *b, const char *c)
{
    const char *build = getenv("BUILD_DIR"), *source = getenv("SOURCE_DIR");
    char program[512], specs[512], port_file[64];
    if (!build || !source)
        SKIP("run by ctest only: BUILD_DIR and SOURCE_DIR are not set");
    snprintf(program, sizeof program, "%s/bin/slow-apiserver", build);
    snprintf(specs, sizeof specs, "%s/examples/schemas", source);
    snprintf(port_file, sizeof port_file, "/tmp/edo-apiserver-%d", (int)getpid());
    if (access(program, X_OK) != 0)
        SKIP("no slow-apiserver");
    unlink(port_file);
    server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(freopen("/dev/null", "w", stdout) != NULL);
        execl(program, program, "--spec-dir", specs, "--port-file", port_file, "--max-seconds",
              "600", "--delay-ms", a ? a : "0", b, c, (char *)NULL);
        _exit(127);
    }
    port = read_port(port_file);
    unlink(port_file);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", port);
}

/* A signal ends it, cleanly, whatever its connections are doing. */
static void stop(int number)
{
    int status;
    kill(server, number);
    CHECK_INT(waitpid(server, &status, 0), ==, server);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), ==, 0);
}

static int get(const char *path, edo_http_response *r)
{
    char url[256];
    snprintf(url, sizeof url, "%s%s", base, path);
    edo_http_request q = { .url = url, .retries = -1, .fail_on_status = true };
    return edo_http_fetch(client, &q, r);
}

static void with_client(int (*body)(void *))
{
    CHECK_OK(edo_run(&(edo_config){ .workers = 2, .stuck_after = EDO_FOREVER }, body, NULL));
}

/* Sends text on a connection of its own and reads all that comes until it is closed. */
static void talk(const char *text, char *answer, size_t size)
{
    edo_stream *s;
    char address[32];
    size_t n = 0;
    ssize_t got;
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    CHECK_OK(edo_tcp_connect(&s, address, NULL));
    CHECK_OK(edo_write(s, text, strlen(text)));
    while (n + 1 < size && (got = edo_read(s, answer + n, size - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    edo_close(s);
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        n++;
    return n;
}

static int serves(void *unused)
{
    static char answer[1 << 16];
    edo_http_response r;
    (void)unused;
    CHECK_OK(edo_http_client_create(&client, NULL));
    int64_t begin = edo_now();
    CHECK_INT(get("/openapi/v3", &r), ==, 0);
    CHECK_INT(edo_now() - begin, >=, EDO_MS(50));
    CHECK(strstr(r.body, "\"apis/apps/v1\":{\"serverRelativeURL\":\"" DOCUMENT "?hash=") != NULL);
    edo_http_response_deinit(&r);
    CHECK_INT(get(DOCUMENT "?hash=1", &r), ==, 0);
    CHECK_STR(edo_http_response_header(&r, "Content-Type"), "application/json");
    CHECK_UINT(r.len, ==, strlen(r.body));
    CHECK(strstr(r.body, "\"Deployment\"") != NULL);
    edo_http_response_deinit(&r);
    CHECK_INT(get("/openapi/v3/apis/none/v1", &r), ==, EDO_EHTTPSTATUS);
    CHECK_INT(r.status, ==, 404);
    edo_http_response_deinit(&r);

    /* Pipelined, in order, over one connection; the last one ends it. */
    talk("GET /openapi/v3 HTTP/1.1\r\nHost: x\r\n\r\n"
         "HEAD /openapi/v3 HTTP/1.1\r\n\r\n"
         "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
         "GET /nothing HTTP/1.1\r\n\r\n"
         "GET /openapi/v3 HTTP/1.0\r\n\r\n",
         answer, sizeof answer);
    CHECK_INT(count(answer, "HTTP/1.1 "), ==, 5);
    CHECK_INT(count(answer, "HTTP/1.1 200 OK"), ==, 3);
    CHECK_INT(count(answer, "{\"paths\":"), ==, 2);
    CHECK(strstr(answer, "405 Method") < strstr(answer, "404 Not Found"));
    CHECK_INT(count(answer, "Connection: close"), ==, 1);
    talk("rubbish\r\n\r\n", answer, sizeof answer);
    CHECK_INT(count(answer, "HTTP/1.1 400 Bad Request"), ==, 1);
    edo_http_client_destroy(client);
    return 0;
}

TEST(serves)
{
    start("50", NULL, NULL);
    with_client(serves);
    stop(SIGTERM);
}

static int lists_a_release(void *unused)
{
    edo_http_response r, raw;
    char path[256];
    (void)unused;
    CHECK_OK(edo_http_client_create(&client, NULL));
    CHECK_INT(get("/repos/kubernetes/kubernetes/tags?per_page=100", &r), ==, 0);
    CHECK(strstr(r.body, "{\"name\":\"v1.33.0\"}") != NULL);
    edo_http_response_deinit(&r);
    const char *contents = "/repos/kubernetes/kubernetes/contents/api/openapi-spec/v3?ref=";
    snprintf(path, sizeof path, "%sv1.33.0", contents);
    CHECK_INT(get(path, &r), ==, 0);
    const char *file = strstr(r.body, "/raw/kubernetes/kubernetes/v1.33.0/api/openapi-spec/v3/"
                                      "apis__apps__v1_openapi.json");
    CHECK(file != NULL);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(file, "\""), file);
    CHECK_INT(get(path, &raw), ==, 0);
    CHECK(strstr(raw.body, "\"Deployment\"") != NULL);
    edo_http_response_deinit(&raw);
    edo_http_response_deinit(&r);
    snprintf(path, sizeof path, "%sv0.0.1", contents);
    CHECK_INT(get(path, &r), ==, EDO_EHTTPSTATUS);
    edo_http_response_deinit(&r);
    edo_http_client_destroy(client);
    return 0;
}

TEST(lists_a_release)
{
    start(NULL, NULL, NULL);
    with_client(lists_a_release);
    stop(SIGINT);
}

static const char *mode;
static int wanted_code, wanted_status; /* -1: either, the reset may overtake the status line */

static int one_fault(void *unused)
{
    edo_http_response r;
    edo_scope s;
    (void)unused;
    CHECK_OK(edo_http_client_create(&client, NULL));
    edo_scope_open(&s, strcmp(mode, "hang") == 0 ? EDO_MS(200) : EDO_SEC(20));
    int rc = edo_scope_close(&s, get(DOCUMENT, &r));
    CHECK_INT(rc, ==, wanted_code);
    if (wanted_status >= 0)
        CHECK_INT(r.status, ==, wanted_status);
    if (strcmp(mode, "badjson") == 0)
        CHECK(r.len > 0 && r.body[0] == '{' && !strchr(r.body + r.len - 1, '}'));
    if (strcmp(mode, "html") == 0)
        CHECK_STR(edo_http_response_header(&r, "content-type"), "text/html");
    edo_http_response_deinit(&r);
    CHECK_INT(get("/openapi/v3/api/v1", &r), ==, 0); /* the others are well */
    edo_http_response_deinit(&r);
    edo_http_client_destroy(client);
    return 0;
}

static void fault(const char *name, int code, int status)
{
    char argument[64];
    mode = name;
    wanted_code = code;
    wanted_status = status;
    snprintf(argument, sizeof argument, "%s:apis/apps/v1", name);
    start(NULL, "--fail", argument);
    with_client(one_fault);
    stop(SIGTERM);
}

TEST(fault_500)
{
    fault("500", EDO_EHTTPSTATUS, 500);
}
TEST(fault_404)
{
    fault("404", EDO_EHTTPSTATUS, 404);
}
TEST(fault_truncate)
{
    fault("truncate", EDO_EEOF, 200);
}
TEST(fault_badjson)
{
    fault("badjson", 0, 200);
}
TEST(fault_html)
{
    fault("html", 0, 200);
}
TEST(fault_huge)
{
    fault("huge", EDO_EOVERSIZE, 200);
}
TEST(fault_reset)
{
    fault("reset", -ECONNRESET, -1);
}
TEST(fault_hang)
{
    fault("hang", -ETIMEDOUT, 0);
}

static int after_429(void *unused)
{
    edo_http_response r;
    char url[128];
    (void)unused;
    CHECK_OK(edo_http_client_create(&client, NULL));
    snprintf(url, sizeof url, "%s" DOCUMENT, base);
    int64_t begin = edo_now();
    CHECK_INT(edo_http_get(client, url, &r), ==, 0);
    CHECK_INT(r.attempts, ==, 2);
    CHECK_INT(edo_now() - begin, >=, EDO_SEC(1));
    edo_http_response_deinit(&r);
    edo_http_client_destroy(client);
    return 0;
}

TEST(fault_429once)
{
    start(NULL, "--fail", "429once");
    with_client(after_429);
    stop(SIGTERM);
}

/* It ends while a client waits for an answer that never comes; or else before the client asked. */
static bool hung;

static int hang_until_it_stops(void *unused)
{
    edo_http_response r;
    (void)unused;
    CHECK_OK(edo_http_client_create(&client, NULL));
    int rc = get(DOCUMENT, &r);
    hung = rc != -ECONNREFUSED;
    CHECK(!hung || rc == EDO_EEOF || rc == -ECONNRESET);
    edo_http_response_deinit(&r);
    edo_http_client_destroy(client);
    return 0;
}

static void end_server_after(unsigned us)
{
    pid_t killer = fork();
    CHECK(killer >= 0);
    if (killer == 0) {
        usleep(us);
        kill(server, SIGTERM);
        _exit(0);
    }
}

TEST(stops_in_the_middle)
{
    for (unsigned us = 300000; !hung; us *= 2) {
        start(NULL, "--fail", "hang");
        end_server_after(us);
        with_client(hang_until_it_stops);
        stop(0); /* the signal is on its way: a second one would kill it */
    }
}

TEST_MAIN()
