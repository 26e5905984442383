/* SPDX-License-Identifier: MIT */
/* TLS and HTTP/2, against other people's servers: nghttpd and `openssl s_server`. */
#include "support.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL 100000
#define LARGE (64 << 20)

static char dir[64]; /* certificates, and what the servers serve */
static pid_t server;
static char origin[64]; /* "https://127.0.0.1:PORT" */

static void sh(const char *format, ...)
{
    char command[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    CHECK(n > 0 && (size_t)n < sizeof command);
    CHECK_INT(system(command), ==, 0);
}

static bool have(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

/* An authority, and a certificate of it for the server (127.0.0.1 only) and the client. */
static void make_certificates(void)
{
    static const char *const names[] = { "server", "client" };
    strcpy(dir, "/tmp/edo-http-tls-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    sh("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
       "-subj '/CN=Test CA' -keyout ca.key -out ca.pem 2>/dev/null",
       dir);
    for (int i = 0; i < 2; i++)
        sh("cd %s && echo subjectAltName=IP:127.0.0.1 > ext && "
           "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=%s' "
           "-keyout %s.key -out %s.csr 2>/dev/null && "
           "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
           "-extfile ext -out %s.pem 2>/dev/null",
           dir, names[i], names[i], names[i], names[i], names[i]);
    sh("cd %s && head -c %d /dev/zero | tr '\\0' s > small && truncate -s %d large", dir, SMALL,
       LARGE);
}

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, len), ==, 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &len), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Whether it is this process that listens at the port: a socket of /proc/net/tcp is one of its own. */
static bool listens(pid_t pid, int port)
{
    char line[256], wanted[32], path[64], link[64], name[64];
    unsigned long inode = 0;
    FILE *f = fopen("/proc/net/tcp", "re");
    CHECK(f != NULL);
    snprintf(wanted, sizeof wanted, ":%04X 00000000:0000 0A ", (unsigned)port);
    while (inode == 0 && fgets(line, sizeof line, f) != NULL)
        if (strstr(line, wanted) != NULL)
            CHECK_INT(sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %lu", &inode), ==, 1);
    fclose(f);
    snprintf(name, sizeof name, "socket:[%lu]", inode);
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ssize_t n = readlink(path, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        if (strcmp(link, name) == 0)
            return true;
    }
    return false;
}

static bool answers(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return up;
}

/* Starts a server at a port, which dies with this test. False: it has ended, as one does whose port
 * somebody else has taken meanwhile. */
static bool start_at(int port, const char *format)
{
    char command[512];
    snprintf(command, sizeof command, format, port);
    server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK_INT(chdir(dir), ==, 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (waitpid(server, NULL, WNOHANG) == 0) {
        if (answers(port) && listens(server, port))
            return true;
        usleep(10000);
    }
    return false;
}

/* @format: the command line of a server, with the port. */
static void start(const char *format)
{
    for (int tries = 0; tries < 20; tries++) {
        int port = free_port();
        if (start_at(port, format)) {
            snprintf(origin, sizeof origin, "https://127.0.0.1:%d", port);
            return;
        }
    }
    FAIL("no server: %s", format);
}

static void start_nghttpd(void)
{
    if (!have("openssl") || !have("nghttpd"))
        SKIP("no openssl or nghttpd");
    make_certificates();
    start("exec nghttpd -a 127.0.0.1 -d . %d server.key server.pem >/dev/null 2>&1");
}

static void stop(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    sh("rm -rf %s", dir);
}

static const char *in_dir(const char *name)
{
    static char paths[8][96];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* One request by a client made for it. Returns its code. */
static int once(const edo_http_client_options *o, const char *url, edo_http_response *r)
{
    edo_http_client *c;
    edo_http_request q = { .url = url, .fail_on_status = true };
    CHECK_OK(edo_http_client_create(&c, o));
    int rc = edo_http_fetch(c, &q, r);
    edo_http_client_destroy(c);
    return rc;
}

static void expect(const edo_http_client_options *o, const char *host, const char *path, int code,
                   const char *text)
{
    edo_http_response r;
    char url[128];
    snprintf(url, sizeof url, "https://%s%s%s", host, strrchr(origin, ':'), path);
    CHECK_INT(once(o, url, &r), ==, code);
    if (!strstr(r.error.text, text))
        FAIL("%s: \"%s\" is not in \"%s\"", url, text, r.error.text);
    CHECK_INT(r.attempts, ==, 1);
    edo_http_response_deinit(&r);
}

static int trust(void *unused)
{
    (void)unused;
    const char *ip = "127.0.0.1";
    edo_http_client_options o = { .ca_file = in_dir("ca.pem") };
    expect(&o, ip, "/small", 0, "");
    expect(&o, "localhost", "/small", EDO_ETLS, "localhost");
    expect(NULL, ip, "/small", EDO_ETLS, "certificate");
    expect(&(edo_http_client_options){ .tls_no_verify = true }, ip, "/small", 0, "");
    expect(&(edo_http_client_options){ .ca_file = in_dir("none") }, ip, "/small", EDO_ETLS, "none");
    CHECK_INT(setenv("SSL_CERT_FILE", o.ca_file, 1), ==, 0);
    expect(NULL, ip, "/small", 0, "");
    return 0;
}

TEST(trust)
{
    start_nghttpd();
    CHECK_OK(edo_run(&(edo_config){ .workers = 4, .stuck_after = EDO_FOREVER }, trust, NULL));
    stop();
}

static edo_http_client *client;
static atomic_int new_connections;

static int fetch_small(void *unused)
{
    edo_http_response r;
    char url[96];
    (void)unused;
    snprintf(url, sizeof url, "%s/small", origin);
    CHECK_INT(edo_http_get(client, url, &r), ==, 0);
    CHECK_INT(r.version, ==, 20);
    CHECK_UINT(r.len, ==, SMALL);
    CHECK_UINT(strspn(r.body, "s"), ==, SMALL);
    CHECK_STR(edo_http_response_header(&r, "content-length"), "100000");
    atomic_fetch_add(&new_connections, !r.reused);
    edo_http_response_deinit(&r);
    return 0;
}

static int one_connection(void *unused)
{
    (void)unused;
    edo_group g;
    CHECK_OK(
        edo_http_client_create(&client, &(edo_http_client_options){ .ca_file = in_dir("ca.pem") }));
    edo_group_open(&g, NULL);
    for (int i = 0; i < 60; i++)
        CHECK_OK(edo_spawn(&g, fetch_small, NULL));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(atomic_load(&new_connections), ==, 1);
    edo_http_client_destroy(client);
    return 0;
}

TEST(http2_shares_one_connection)
{
    start_nghttpd();
    int before = http_count_fds();
    CHECK_OK(
        edo_run(&(edo_config){ .workers = 4, .stuck_after = EDO_FOREVER }, one_connection, NULL));
    CHECK_INT(http_count_fds(), ==, before);
    stop();
}

/* A stream that is held back, then cancelled, does not disturb the others on its connection. */
static edo_event holding, never;

static int hold(void *arg, const void *data, size_t n)
{
    (void)arg, (void)data, (void)n;
    edo_event_set(&holding);
    return edo_event_wait(&never);
}

static int held(void *unused)
{
    (void)unused;
    edo_http_response r;
    char url[96];
    snprintf(url, sizeof url, "%s/large", origin);
    edo_http_request q = { .url = url, .on_data = hold, .max_body = LARGE };
    CHECK_INT(edo_http_fetch(client, &q, &r), ==, -ECANCELED);
    edo_http_response_deinit(&r);
    return 0;
}

static int streams_are_apart(void *unused)
{
    (void)unused;
    edo_group g;
    CHECK_OK(
        edo_http_client_create(&client, &(edo_http_client_options){ .ca_file = in_dir("ca.pem") }));
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, held, NULL));
    CHECK_INT(edo_event_wait(&holding), ==, 0);
    CHECK_INT(edo_sleep(EDO_MS(50)), ==, 0);
    fetch_small(NULL);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, 0);
    fetch_small(NULL);
    CHECK_INT(atomic_load(&new_connections), ==, 0);
    edo_http_client_destroy(client);
    return 0;
}

TEST(http2_streams_are_apart)
{
    start_nghttpd();
    CHECK_OK(edo_run(&(edo_config){ .workers = 4, .stuck_after = EDO_FOREVER }, streams_are_apart,
                     NULL));
    stop();
}

static int client_certificate(void *unused)
{
    (void)unused;
    edo_http_client_options o = { .ca_file = in_dir("ca.pem") };
    expect(&o, "127.0.0.1", "/small", EDO_ETLS, "certificate required");
    o.cert_file = in_dir("client.pem");
    o.key_file = in_dir("client.key");
    edo_http_response r;
    char url[96];
    snprintf(url, sizeof url, "%s/small", origin);
    CHECK_INT(once(&o, url, &r), ==, 0);
    CHECK_INT(r.version, ==, 10);
    CHECK_UINT(r.len, ==, SMALL);
    edo_http_response_deinit(&r);
    o.key_file = in_dir("server.key"); /* another one's */
    expect(&o, "127.0.0.1", "/small", EDO_ETLS, "");
    return 0;
}

TEST(client_certificate)
{
    if (!have("openssl"))
        SKIP("no openssl");
    make_certificates();
    start("exec openssl s_server -accept 127.0.0.1:%d -cert server.pem -key server.key -CAfile "
          "ca.pem -Verify 1 -verify_return_error -WWW -quiet >/dev/null 2>&1");
    CHECK_OK(edo_run(&(edo_config){ .workers = 4, .stuck_after = EDO_FOREVER }, client_certificate,
                     NULL));
    stop();
}

TEST_MAIN()
