/* SPDX-License-Identifier: MIT */
/* Against other people's TLS: `openssl s_server` and `s_client`, and curl. They run as children of the
 * test, are talked to through pipes, and choose their own ports. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

extern char **environ;

static tls_world world;
static pki *rsa, *client;

typedef struct child {
    pid_t pid;
    edo_stream *in;  /* its standard input */
    edo_stream *out; /* its standard output and error */
    edo_reader r;    /* of out */
} child;

/* Starts a program; its arguments, with NULL at the end. */
static void child_start(child *c, const char *const *argv)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    CHECK_INT(pipe2(in, O_CLOEXEC), ==, 0);
    CHECK_INT(pipe2(out, O_CLOEXEC), ==, 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    CHECK_INT(
        posix_spawnp(&c->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), ==,
        0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    CHECK_OK(edo_stream_from_fd(&c->in, in[1]));
    CHECK_OK(edo_stream_from_fd(&c->out, out[0]));
    CHECK_OK(edo_reader_init(&c->r, c->out, NULL));
}

/* Reads its lines until one has this text; what follows the text in it, in `rest`. */
static void child_says(child *c, const char *text, char *rest, size_t size)
{
    char *line;
    size_t n;
    char seen[1000] = "";
    for (;;) {
        int rc = edo_reader_line(&c->r, &line, &n);
        if (rc <= 0)
            FAIL("no \"%s\", but: %s", text, seen);
        const char *at = strstr(line, text);
        if (at != NULL) {
            if (rest != NULL)
                snprintf(rest, size, "%s", at + strlen(text));
            return;
        }
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, "%s\n", line);
    }
}

static void child_tell(child *c, const char *text)
{
    CHECK_INT(edo_write(c->in, text, strlen(text)), ==, (ssize_t)strlen(text));
}

/* Waits until it has read what it was told: a command counts at the start of what it reads at once. */
static void child_listens(child *c)
{
    int left = 1;
    while (left > 0) {
        CHECK_INT(ioctl(edo_stream_fd(c->in), FIONREAD, &left), ==, 0);
        CHECK_INT(edo_sleep(EDO_MS(1)), ==, 0);
    }
}

/* Its exit status, or the signal that ended it, plus 1000. */
static int child_end(child *c, int sig)
{
    int status;
    if (sig != 0)
        kill(c->pid, sig);
    edo_reader_deinit(&c->r);
    edo_close(c->in);
    edo_close(c->out);
    CHECK_INT(waitpid(c->pid, &status, 0), ==, c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static bool have(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

static void start(edo_fn *fn)
{
    if (!have("openssl") || !have("curl"))
        SKIP("no openssl or no curl");
    unsigned before = tls_count_fds();
    tls_world_make(&world);
    rsa = pki_make(&(pki_options){ .name = "rsa",
                                   .alt = "DNS:a.example,IP:127.0.0.1",
                                   .issuer = world.root,
                                   .rsa_bits = 2048 });
    client = pki_make(&(pki_options){ .name = "client", .issuer = world.root });
    pki_file("ca.pem", world.root->cert_pem);
    pki_file("ec.pem", world.server->cert_pem);
    pki_file("ec.key", world.server->key_pem);
    pki_file("rsa.pem", rsa->cert_pem);
    pki_file("rsa.key", rsa->key_pem);
    pki_file("client.pem", client->cert_pem);
    pki_file("client.key", client->key_pem);
    tls_run(4, fn, NULL);
    pki_free(rsa);
    pki_free(client);
    tls_world_free(&world);
    pki_dir_remove();
    CHECK_UINT(tls_count_fds(), ==, before);
}

/* ---- our client ---- */

static char address[64]; /* of the server that runs */

#define MORE_MAX 10

/* openssl s_server with a key and some more arguments. */
static void server_start(child *c, const char *key, const char *const *more)
{
    char cert[96], secret[96];
    snprintf(cert, sizeof cert, "%s", pki_path(key));
    strcat(cert, ".pem");
    snprintf(secret, sizeof secret, "%s", pki_path(key));
    strcat(secret, ".key");
    const char *argv[16 + MORE_MAX] = { "openssl", "s_server", "-accept", "127.0.0.1:0",
                                        "-cert",   cert,       "-key",    secret };
    for (int i = 0; more != NULL && more[i] != NULL && i < MORE_MAX; i++)
        argv[8 + i] = more[i];
    child_start(c, argv);
    child_says(c, "ACCEPT ", address, sizeof address);
}

static edo_tls_config *trusting(const edo_tls_options *more)
{
    edo_tls_options o = more != NULL ? *more : (edo_tls_options){ 0 };
    o.ca_file = pki_path("ca.pem");
    return tls_config(&o);
}

static edo_stream *connected(edo_tls_config *config)
{
    edo_stream *s;
    edo_tls_error e;
    int rc = edo_tls_connect(&s, address, config, &e);
    if (rc < 0)
        FAIL("%s: %s", address, e.text);
    return s;
}

static void reversed(edo_stream *s)
{
    char buf[6];
    CHECK_INT(edo_write(s, "hello\n", 6), ==, 6);
    CHECK_INT(edo_read_full(s, buf, 6), ==, 6);
    CHECK_MEM(buf, "olleh\n", 6);
}

static edo_tls_info info_of(edo_stream *s)
{
    edo_tls_info info;
    CHECK_INT(edo_tls_describe(s, &info), ==, 0);
    return info;
}

static int s_server(void *unused)
{
    (void)unused;
    static const char *const versions[] = { "-tls1_2", "-tls1_3" };
    static const char *const keys[] = { "ec", "rsa" };
    for (int v = 0; v < 2; v++)
        for (int k = 0; k < 2; k++) {
            child c;
            const char *const more[] = { "-rev", versions[v], "-alpn", "h2,http/1.1", NULL };
            server_start(&c, keys[k], more);
            static const char *const alpn[] = { "http/1.1" };
            edo_tls_config *config = trusting(&(edo_tls_options){ .alpn = alpn, .n_alpn = 1 });
            for (int i = 0; i < 3; i++) {
                edo_stream *s = connected(config);
                reversed(s);
                CHECK_STR(info_of(s).version, v ? "TLSv1.3" : "TLSv1.2");
                CHECK_STR(info_of(s).alpn, "http/1.1");
                CHECK_STR(info_of(s).subject, k ? "CN=rsa" : "CN=a.example");
                CHECK_INT(info_of(s).resumed, ==, i > 0);
                CHECK_INT(edo_shutdown(s), ==, 0);
                edo_close(s);
            }
            edo_tls_config_destroy(config);
            CHECK_INT(child_end(&c, SIGKILL), ==, 1000 + SIGKILL);
        }
    return 0;
}

TEST_TIMEOUT(s_server, 60)
{
    start(s_server);
}

/* It asks for new keys, and for a new handshake, in the middle. */
static int in_the_middle(void *unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        child c;
        char line[16];
        const char *const more[] = { v ? "-tls1_3" : "-tls1_2", "-serverpref", NULL };
        server_start(&c, "ec", more);
        edo_tls_config *config = trusting(&(edo_tls_options){ .renegotiate = true });
        edo_stream *s = connected(config);
        CHECK_INT(edo_write(s, "before\n", 7), ==, 7);
        child_says(&c, "before", NULL, 0);
        for (int i = 0; i < 3; i++) {
            child_tell(&c, v ? "K\n" : "R\n");
            child_listens(&c);
            child_tell(&c, "after\n");
            CHECK_INT(edo_read_full(s, line, 6), ==, 6);
            CHECK_MEM(line, "after\n", 6);
            CHECK_INT(edo_write(s, "again\n", 6), ==, 6);
            child_says(&c, "again", NULL, 0);
        }
        child_tell(&c, "Q\n"); /* it closes the socket without a word */
        CHECK_INT(edo_read(s, line, sizeof line), ==, EDO_EEOF);
        edo_close(s);
        edo_tls_config_destroy(config);
        CHECK_INT(child_end(&c, 0), ==, 0);
    }
    return 0;
}

TEST_TIMEOUT(in_the_middle, 60)
{
    start(in_the_middle);
}

/* Without leave, a new handshake in the middle is refused, and the connection with it or not: but
 * nothing hangs. */
static int no_renegotiation(void *unused)
{
    (void)unused;
    child c;
    char line[16];
    const char *const more[] = { "-tls1_2", NULL };
    server_start(&c, "ec", more);
    edo_tls_config *config = trusting(NULL);
    edo_stream *s = connected(config);
    CHECK_INT(edo_write(s, "before\n", 7), ==, 7);
    child_says(&c, "before", NULL, 0);
    child_tell(&c, "R\n");
    child_listens(&c);
    child_tell(&c, "after\n");
    ssize_t n = edo_read(s, line, sizeof line);
    CHECK(n == 6 || n == 0 || n == EDO_EEOF || n == EDO_ETLS || n == -ECONNRESET);
    edo_close(s);
    edo_tls_config_destroy(config);
    (void)child_end(&c, SIGKILL);
    return 0;
}

TEST_TIMEOUT(no_renegotiation, 60)
{
    start(no_renegotiation);
}

static int shows_a_certificate(void *unused)
{
    (void)unused;
    char ca[96];
    snprintf(ca, sizeof ca, "%s", pki_path("ca.pem"));
    for (int v = 0; v < 2; v++) {
        child c;
        char byte;
        const char *const more[] = { "-rev",
                                     v ? "-tls1_3" : "-tls1_2",
                                     "-Verify",
                                     "1",
                                     "-verify_return_error",
                                     "-CAfile",
                                     ca,
                                     NULL };
        server_start(&c, "ec", more);
        edo_tls_certificate own = { .cert_file = pki_path("client.pem"),
                                    .key_file = pki_path("client.key") };
        edo_tls_config *config =
            trusting(&(edo_tls_options){ .certificates = &own, .n_certificates = 1 });
        edo_stream *s = connected(config);
        reversed(s);
        edo_close(s);
        edo_tls_config_destroy(config);
        config = trusting(NULL);
        edo_tls_error e;
        int rc = edo_tls_connect(&s, address, config, &e);
        if (rc == 0) { /* TLS 1.3: it is told later */
            CHECK_INT(edo_read(s, &byte, 1), ==, EDO_ETLS);
            tls_contains(edo_tls_reason(s), "refused by the other side: certificate required");
            edo_close(s);
        } else {
            CHECK_INT(rc, ==, EDO_ETLS);
            tls_contains(e.text, "refused by the other side: handshake failure");
        }
        edo_tls_config_destroy(config);
        CHECK_INT(child_end(&c, SIGKILL), ==, 1000 + SIGKILL);
    }
    return 0;
}

TEST_TIMEOUT(shows_a_certificate, 60)
{
    start(shows_a_certificate);
}

/* What nobody should speak any more. */
static void outdated_server(const char *const *more, const char *text)
{
    child c;
    edo_stream *s;
    edo_tls_error e;
    server_start(&c, "rsa", more);
    edo_tls_config *config = trusting(NULL);
    CHECK_INT(edo_tls_connect(&s, address, config, &e), ==, EDO_ETLS);
    tls_contains(e.text, text);
    edo_tls_config_destroy(config);
    CHECK_INT(child_end(&c, SIGKILL), ==, 1000 + SIGKILL);
}

static int outdated_servers(void *unused)
{
    (void)unused;
    outdated_server((const char *const[]){ "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", NULL },
                    "refused by the other side: protocol version");
    outdated_server((const char *const[]){ "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0", NULL },
                    "refused by the other side: handshake failure");
    outdated_server((const char *const[]){ "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", NULL },
                    "refused by the other side: handshake failure");
    return 0;
}

TEST_TIMEOUT(outdated_servers, 60)
{
    start(outdated_servers);
}

/* ---- our server ---- */

typedef struct server {
    edo_listener *l;
    edo_tls_config *config;
    edo_fn *serve;
    edo_group group;
    char address[32];
    char failed[256]; /* why the last handshake failed, under lock */
    edo_mutex lock;
    edo_notify news;
} server;

static server srv;

static int serve_connection(void *arg)
{
    edo_stream *below = arg, *s;
    edo_tls_error e;
    int rc = edo_tls_server(&s, below, srv.config, &e);
    if (rc < 0) {
        edo_close(below);
        if (edo_mutex_lock(&srv.lock) == 0) {
            snprintf(srv.failed, sizeof srv.failed, "%s", e.text);
            edo_mutex_unlock(&srv.lock);
        }
        edo_notify_one(&srv.news);
        return 0;
    }
    rc = srv.serve(s);
    edo_close(s);
    return 0;
}

static int accept_all(void *unused)
{
    (void)unused;
    edo_stream *s;
    int rc;
    while ((rc = edo_accept(srv.l, &s)) == 0)
        if (edo_spawn(&srv.group, serve_connection, s) < 0)
            edo_close(s);
    return rc == -ECANCELED ? 0 : rc;
}

static void serve(edo_fn *fn, const edo_tls_options *options)
{
    srv = (server){ .config = tls_config(options), .serve = fn };
    edo_mutex_init(&srv.lock);
    edo_notify_init(&srv.news);
    CHECK_OK(edo_tcp_listen(&srv.l, "127.0.0.1:0", NULL));
    snprintf(srv.address, sizeof srv.address, "127.0.0.1:%u", edo_listener_port(srv.l));
    edo_group_open(&srv.group, &(edo_group_options){ .keep_going = true, .discard = true });
    CHECK_OK(edo_spawn(&srv.group, accept_all, NULL));
}

static void serve_no_more(void)
{
    edo_group_cancel(&srv.group);
    CHECK_INT(edo_group_close(&srv.group), ==, 0);
    edo_listener_close(srv.l);
    edo_tls_config_destroy(srv.config);
}

static int echo(void *arg)
{
    edo_stream *s = arg;
    int64_t n = edo_copy(s, s);
    return n < 0 ? (int)n : edo_shutdown(s);
}

static void client_start(child *c, const char *const *more)
{
    char ca[96];
    snprintf(ca, sizeof ca, "%s", pki_path("ca.pem"));
    const char *argv[16 + MORE_MAX] = { "openssl",
                                        "s_client",
                                        "-connect",
                                        srv.address,
                                        "-CAfile",
                                        ca,
                                        "-verify_return_error",
                                        "-verify_hostname",
                                        "a.example" };
    for (int i = 0; more[i] != NULL && i < MORE_MAX; i++)
        argv[9 + i] = more[i];
    child_start(c, argv);
}

static int s_client(void *unused)
{
    (void)unused;
    edo_tls_certificate own[] = { world.own,
                                  { .cert_pem = rsa->cert_pem, .key_pem = rsa->key_pem } };
    static const char *const versions[] = { "-tls1_2", "-tls1_3" };
    for (int v = 0; v < 2; v++)
        for (int k = 0; k < 2; k++) {
            child c;
            char session[96];
            snprintf(session, sizeof session, "%s", pki_path("session.pem"));
            serve(echo, &(edo_tls_options){ .certificates = &own[k], .n_certificates = 1 });
            const char *const first[] = { versions[v], "-sess_out", session, NULL };
            client_start(&c, first);
            child_says(&c, "New, TLSv1.", NULL, 0);
            child_tell(&c, "hello\n");
            child_says(&c, "hello", NULL, 0);
            child_tell(&c, "Q\n");
            child_says(&c, "DONE", NULL, 0);
            CHECK_INT(child_end(&c, 0), ==, 0);
            const char *const second[] = { versions[v], "-sess_in", session, NULL };
            client_start(&c, second);
            child_says(&c, "Reused, TLSv1.", NULL, 0);
            child_tell(&c, "again\n");
            child_says(&c, "again", NULL, 0);
            if (v == 1) {
                child_tell(&c, "K\n");
                child_says(&c, "KEYUPDATE", NULL, 0);
                child_tell(&c, "more\n");
                child_says(&c, "more", NULL, 0);
            }
            child_tell(&c, "Q\n");
            child_says(&c, "DONE", NULL, 0);
            CHECK_INT(child_end(&c, 0), ==, 0);
            serve_no_more();
        }
    return 0;
}

TEST_TIMEOUT(s_client, 60)
{
    start(s_client);
}

static void refused_client(const char *const *more, const char *text)
{
    child c;
    CHECK_INT(edo_mutex_lock(&srv.lock), ==, 0);
    srv.failed[0] = '\0';
    edo_mutex_unlock(&srv.lock);
    client_start(&c, more);
    CHECK_INT(edo_notify_wait(&srv.news), ==, 0);
    CHECK_INT(edo_mutex_lock(&srv.lock), ==, 0);
    tls_contains(srv.failed, text);
    edo_mutex_unlock(&srv.lock);
    CHECK_INT(child_end(&c, 0), !=, 0);
}

static int refused_clients(void *unused)
{
    (void)unused;
    static const char *const alpn[] = { "h2" };
    serve(echo, &(edo_tls_options){ .certificates = &world.own,
                                    .n_certificates = 1,
                                    .alpn = alpn,
                                    .n_alpn = 1,
                                    .ca_pem = world.root->cert_pem,
                                    .client_auth = EDO_TLS_CLIENT_REQUIRED });
    refused_client((const char *const[]){ "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", NULL },
                   "no version of TLS in common");
    refused_client((const char *const[]){ "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0", NULL },
                   "no cipher in common");
    refused_client((const char *const[]){ "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", NULL },
                   "no cipher in common");
    refused_client((const char *const[]){ "-alpn", "http/1.1", NULL },
                   "no protocol in common (ALPN)");
    refused_client((const char *const[]){ "-tls1_2", NULL }, "the client has shown no certificate");
    refused_client(
        (const char *const[]){ "-servername", "b.example", "-verify_hostname", "b.example", NULL },
        "refused by the other side: bad certificate");
    serve_no_more();
    return 0;
}

TEST_TIMEOUT(refused_clients, 60)
{
    start(refused_clients);
}

/* ---- curl ---- */

#define BODY 3000000

static int small_http(void *arg)
{
    edo_stream *s = arg;
    edo_reader r;
    char *line, head[128];
    size_t n;
    CHECK_OK(edo_reader_init(&r, s, NULL));
    for (;;) {
        int rc;
        while ((rc = edo_reader_line(&r, &line, &n)) > 0 && n > 0)
            continue;
        if (rc <= 0)
            break;
        int len =
            snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
        char *body = malloc(BODY);
        CHECK(body != NULL);
        memset(body, 'x', BODY);
        struct iovec iov[] = { { head, (size_t)len }, { body, BODY } };
        ssize_t done = edo_writev(s, iov, 2);
        free(body);
        if (done < 0)
            break;
    }
    edo_reader_deinit(&r);
    return edo_shutdown(s);
}

static int curl_run(const char *const *more, size_t bytes)
{
    char url[64], ca[96], resolve[64];
    const char *port = strchr(srv.address, ':') + 1;
    snprintf(url, sizeof url, "https://a.example:%s/", port);
    snprintf(resolve, sizeof resolve, "a.example:%s:127.0.0.1", port);
    snprintf(ca, sizeof ca, "%s", pki_path("ca.pem"));
    const char *argv[20 + MORE_MAX] = { "curl", "-s",        "--http1.1", "--noproxy",
                                        "*",    "--resolve", resolve,     "--cacert",
                                        ca,     url,         url };
    for (int i = 0; more[i] != NULL && i < MORE_MAX; i++)
        argv[11 + i] = more[i];
    child c;
    child_start(&c, argv);
    char *buf = malloc(65536);
    CHECK(buf != NULL);
    size_t total = 0;
    ssize_t n;
    while ((n = edo_read(c.out, buf, 65536)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, 'x');
        total += (size_t)n;
    }
    CHECK_INT(n, ==, 0);
    free(buf);
    CHECK_UINT(total, ==, bytes);
    return child_end(&c, 0);
}

static int curl(void *unused)
{
    (void)unused;
    char cert[96], key[96];
    snprintf(cert, sizeof cert, "%s", pki_path("client.pem"));
    snprintf(key, sizeof key, "%s", pki_path("client.key"));
    edo_tls_certificate own = { .cert_pem = rsa->cert_pem, .key_pem = rsa->key_pem };
    edo_tls_options o = { .certificates = &own, .n_certificates = 1 };
    serve(small_http, &o);
    CHECK_INT(curl_run((const char *const[]){ NULL }, 2 * BODY), ==, 0);
    CHECK_INT(curl_run((const char *const[]){ "--tls-max", "1.2", NULL }, 2 * BODY), ==, 0);
    CHECK_INT(curl_run((const char *const[]){ "--capath", "/", "--cacert", cert, NULL }, 0), ==,
              60);
    serve_no_more();
    o.client_auth = EDO_TLS_CLIENT_REQUIRED;
    o.ca_pem = world.root->cert_pem;
    serve(small_http, &o);
    CHECK_INT(curl_run((const char *const[]){ "--cert", cert, "--key", key, NULL }, 2 * BODY), ==,
              0);
    CHECK_INT(curl_run((const char *const[]){ NULL }, 0), !=, 0);
    serve_no_more();
    return 0;
}

TEST_TIMEOUT(curl, 60)
{
    start(curl);
}

TEST_MAIN()
