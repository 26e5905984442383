/* SPDX-License-Identifier: MIT */
/* Both ends in one runtime: handshakes, data both ways, ends. */
#include "support.h"

#include <pthread.h>

static tls_world world;

static void make_pair(tls_pair *p, const edo_tls_options *client, const edo_tls_options *server)
{
    edo_tls_options c = client != NULL ? *client : (edo_tls_options){ 0 };
    edo_tls_options s = server != NULL ? *server : (edo_tls_options){ 0 };
    if (c.ca_pem == NULL && c.ca_file == NULL && !c.no_verify)
        c.ca_pem = world.root->cert_pem;
    if (s.certificates == NULL) {
        s.certificates = &world.own;
        s.n_certificates = 1;
    }
    *p = (tls_pair){ .client_config = tls_config(&c), .server_config = tls_config(&s) };
    p->host = "a.example";
}

static void drop_pair(tls_pair *p)
{
    tls_pair_close(p);
    edo_tls_config_destroy(p->client_config);
    edo_tls_config_destroy(p->server_config);
}

static void start(edo_fn *fn)
{
    unsigned before = tls_count_fds();
    tls_world_make(&world);
    tls_run(4, fn, NULL);
    tls_world_free(&world);
    CHECK_UINT(tls_count_fds(), ==, before);
}

static int hello(void *unused)
{
    (void)unused;
    tls_pair p;
    char buf[16];
    edo_tls_info info;
    make_pair(&p, NULL, NULL);
    tls_pair_good(&p);
    CHECK_INT(edo_write(p.client, "hello", 5), ==, 5);
    CHECK_INT(edo_read(p.server, buf, sizeof buf), ==, 5);
    CHECK_MEM(buf, "hello", 5);
    CHECK_INT(edo_write(p.server, "you too", 7), ==, 7);
    CHECK_INT(edo_read_full(p.client, buf, 7), ==, 7);
    CHECK_MEM(buf, "you too", 7);
    CHECK_INT(edo_tls_describe(p.client, &info), ==, 0);
    CHECK_STR(info.version, "TLSv1.3");
    CHECK_STR(info.subject, "CN=a.example");
    CHECK_STR(info.issuer, "CN=Test Root");
    CHECK_STR(info.server_name, "a.example");
    CHECK(info.verified && !info.resumed && info.alpn == NULL);
    CHECK_UINT(info.cert_len, >, 100);
    unsigned char sha256[32];
    CHECK_INT(X509_digest(world.server->cert, EVP_sha256(), sha256, NULL), ==, 1);
    CHECK_MEM(info.sha256, sha256, 32);
    CHECK_INT(edo_tls_describe(p.server, &info), ==, 0);
    CHECK_STR(info.server_name, "a.example");
    CHECK(info.subject == NULL && !info.verified);
    CHECK_INT(edo_stream_fd(p.client), ==, -1);
    CHECK_INT(edo_shutdown(p.client), ==, 0);
    CHECK_INT(edo_shutdown(p.client), ==, 0);
    CHECK_INT(edo_read(p.server, buf, sizeof buf), ==, 0);
    CHECK_INT(edo_read(p.server, buf, sizeof buf), ==, 0);
    CHECK_INT(edo_write(p.server, "last", 4), ==, 4); /* half closed */
    CHECK_INT(edo_write(p.client, "no", 2), ==, -EPIPE);
    CHECK_INT(edo_shutdown(p.server), ==, 0);
    CHECK_INT(edo_read_full(p.client, buf, 4), ==, 4);
    CHECK_INT(edo_read(p.client, buf, sizeof buf), ==, 0);
    CHECK_STR(edo_tls_reason(p.client), "");
    drop_pair(&p);
    return 0;
}

TEST(hello)
{
    start(hello);
}

static void ping(tls_pair *p)
{
    char byte;
    CHECK_INT(edo_write(p->client, "?", 1), ==, 1);
    CHECK_INT(edo_read(p->server, &byte, 1), ==, 1);
    CHECK_INT(edo_write(p->server, "!", 1), ==, 1);
    CHECK_INT(edo_read(p->client, &byte, 1), ==, 1);
}

static edo_tls_info info_of(edo_stream *s)
{
    edo_tls_info info;
    CHECK_INT(edo_tls_describe(s, &info), ==, 0);
    return info;
}

/* ---- ALPN ---- */

static void alpn(const char *const *client, size_t n_client, const char *const *server,
                 size_t n_server, const char *both)
{
    tls_pair p;
    make_pair(&p, &(edo_tls_options){ .alpn = client, .n_alpn = n_client },
              &(edo_tls_options){ .alpn = server, .n_alpn = n_server });
    tls_pair_good(&p);
    CHECK_STR(info_of(p.client).alpn, both);
    CHECK_STR(info_of(p.server).alpn, both);
    drop_pair(&p);
}

static int protocols(void *unused)
{
    (void)unused;
    static const char *const one[] = { "http/1.1" }, *const two[] = { "h2", "http/1.1" },
                             *const swapped[] = { "http/1.1", "h2" };
    alpn(two, 2, two, 2, "h2");
    alpn(two, 2, swapped, 2, "http/1.1"); /* the server's order */
    alpn(two, 2, one, 1, "http/1.1");
    alpn(one, 1, two, 2, "http/1.1");
    alpn(NULL, 0, two, 2, NULL);
    alpn(two, 2, NULL, 0, NULL);
    return 0;
}

TEST(protocols)
{
    start(protocols);
}

/* ---- sessions ---- */

static void again(tls_pair *p, bool resumed)
{
    tls_pair_good(p);
    ping(p);
    CHECK_INT(info_of(p->client).resumed, ==, resumed);
    CHECK_INT(info_of(p->server).resumed, ==, resumed);
    CHECK(info_of(p->client).verified);
    CHECK_STR(info_of(p->client).subject, "CN=a.example");
    tls_pair_close(p);
}

static int sessions(void *unused)
{
    (void)unused;
    for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
        tls_pair p;
        make_pair(&p, &(edo_tls_options){ .max_version = v }, NULL);
        p.host = "a.example:443";
        again(&p, false);
        for (int i = 0; i < 5; i++)
            again(&p, true);
        p.host = "a.example:444"; /* another port is another server */
        again(&p, false);
        again(&p, true);
        p.host = "x.b.example:443";
        again(&p, false);
        p.host = "a.example:443";
        again(&p, true);
        edo_tls_error e;
        edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
        CHECK_INT(edo_tls_config_reload(p.server_config, &server, &e), ==, 0);
        again(&p, true); /* tickets stay good */
        CHECK_INT(edo_tls_config_reload(p.client_config, NULL, &e), ==, 0);
        again(&p, false);
        again(&p, true);
        drop_pair(&p);
    }
    return 0;
}

TEST_TIMEOUT(sessions, 60)
{
    start(sessions);
}

static int no_sessions(void *unused)
{
    (void)unused;
    for (int side = 0; side < 2; side++)
        for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
            edo_tls_options off = { .no_resumption = true, .max_version = v },
                            on = { .max_version = v };
            tls_pair p;
            make_pair(&p, side == 0 ? &off : &on, side == 0 ? &on : &off);
            again(&p, false);
            again(&p, false);
            drop_pair(&p);
        }
    return 0;
}

TEST(no_sessions)
{
    start(no_sessions);
}

/* Room for two hosts: the one used least recently goes. */
static int few_sessions(void *unused)
{
    (void)unused;
    static const char *const hosts[] = { "a.example:1", "a.example:2", "a.example:3" };
    tls_pair p;
    make_pair(&p, &(edo_tls_options){ .sessions_max = 2, .max_version = EDO_TLS_1_2 }, NULL);
    for (int i = 0; i < 3; i++) {
        p.host = hosts[i];
        again(&p, false);
    }
    p.host = hosts[1];
    again(&p, true);
    p.host = hosts[0];
    again(&p, false); /* in place of the third */
    p.host = hosts[1];
    again(&p, true);
    p.host = hosts[2];
    again(&p, false);
    drop_pair(&p);
    return 0;
}

TEST(few_sessions)
{
    start(few_sessions);
}

/* A session ends badly when a stream is closed without a word; that does not spoil its tickets. The
 * client's certificate is remembered. */
static int session_with_client(void *unused)
{
    (void)unused;
    pki *me = pki_make(&(pki_options){ .name = "client", .issuer = world.root });
    edo_tls_certificate own = { .cert_pem = me->cert_pem, .key_pem = me->key_pem };
    tls_pair p;
    make_pair(&p, &(edo_tls_options){ .certificates = &own, .n_certificates = 1 },
              &(edo_tls_options){ .ca_pem = world.root->cert_pem,
                                  .client_auth = EDO_TLS_CLIENT_REQUIRED });
    for (int i = 0; i < 3; i++) {
        tls_pair_good(&p);
        ping(&p);
        CHECK_INT(info_of(p.server).resumed, ==, i > 0);
        CHECK_STR(info_of(p.server).subject, "CN=client");
        CHECK(info_of(p.server).verified);
        tls_pair_close(&p);
    }
    drop_pair(&p);
    pki_free(me);
    return 0;
}

TEST(session_with_client)
{
    start(session_with_client);
}

/* ---- several certificates ---- */

static int chosen(void *arg, const char *name)
{
    if (name != NULL && strcmp(name, "refuse.me") == 0)
        return -1;
    return name == NULL ? *(int *)arg : 1 - *(int *)arg;
}

static void expect_subject(tls_pair *p, const char *host, const char *subject)
{
    p->host = host;
    tls_pair_good(p);
    ping(p);
    CHECK_STR(info_of(p->client).subject, subject);
    tls_pair_close(p);
}

static int names(void *unused)
{
    (void)unused;
    pki *other = pki_make(&(pki_options){
        .name = "other", .alt = "DNS:other.example,DNS:*.b.example", .issuer = world.root });
    pki *rsa = pki_make(&(pki_options){
        .name = "rsa", .alt = "DNS:rsa.example", .issuer = world.root, .rsa_bits = 2048 });
    edo_tls_certificate own[] = { world.own,
                                  { .cert_pem = other->cert_pem, .key_pem = other->key_pem },
                                  { .cert_pem = rsa->cert_pem, .key_pem = rsa->key_pem } };
    tls_pair p;
    for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
        make_pair(&p, &(edo_tls_options){ .max_version = v },
                  &(edo_tls_options){ .certificates = own, .n_certificates = 3 });
        expect_subject(&p, "a.example", "CN=a.example");
        expect_subject(&p, "other.example", "CN=other");
        expect_subject(&p, "rsa.example", "CN=rsa");
        expect_subject(&p, "x.b.example", "CN=a.example"); /* the first that fits */
        expect_subject(&p, "127.0.0.1", "CN=a.example");   /* no name: the first */
        expect_subject(&p, "OTHER.example.", "CN=other");
        drop_pair(&p);
    }
    int first = 0;
    make_pair(
        &p, &(edo_tls_options){ .no_verify = true },
        &(edo_tls_options){
            .certificates = own, .n_certificates = 2, .choose = chosen, .choose_arg = &first });
    expect_subject(&p, "anything", "CN=other");
    expect_subject(&p, NULL, "CN=a.example");
    first = 1;
    expect_subject(&p, "something", "CN=a.example");
    expect_subject(&p, NULL, "CN=other");
    p.host = "refuse.me";
    tls_pair_open(&p);
    CHECK_INT(p.client_rc, ==, EDO_ETLS);
    CHECK_INT(p.server_rc, ==, EDO_ETLS);
    tls_contains(p.client_error.text, "refused by the other side: unrecognized name");
    tls_contains(p.server_error.text, "no certificate for the name that was asked for");
    drop_pair(&p);
    pki_free(other);
    pki_free(rsa);
    return 0;
}

TEST_TIMEOUT(names, 60)
{
    start(names);
}

/* ---- reload ---- */

static int reload(void *unused)
{
    (void)unused;
    pki *renewed =
        pki_make(&(pki_options){ .name = "renewed", .alt = "DNS:a.example", .issuer = world.root });
    edo_tls_certificate own = { .cert_file = pki_file("cert.pem", world.server->cert_pem),
                                .key_file = pki_file("key.pem", world.server->key_pem) };
    tls_pair old, p;
    edo_tls_error e;
    make_pair(&old, &(edo_tls_options){ .no_resumption = true },
              &(edo_tls_options){ .certificates = &own, .n_certificates = 1 });
    tls_pair_good(&old);
    p = old;
    /* A key that does not fit: nothing changes. */
    pki_file("cert.pem", renewed->cert_pem);
    CHECK_INT(edo_tls_config_reload(old.server_config, NULL, &e), ==, EDO_ETLS);
    tls_contains(e.text, "key.pem: key values mismatch");
    expect_subject(&p, "a.example", "CN=a.example");
    pki_file("key.pem", renewed->key_pem);
    CHECK_INT(edo_tls_config_reload(old.server_config, NULL, &e), ==, 0);
    CHECK_STR(e.text, "");
    expect_subject(&p, "a.example", "CN=renewed");
    ping(&old); /* the old one goes on */
    CHECK_STR(info_of(old.client).subject, "CN=a.example");
    /* The configuration may go before its connections. */
    edo_tls_config *again = edo_tls_config_ref(old.server_config);
    edo_tls_config_destroy(old.server_config);
    edo_tls_config_destroy(again);
    edo_tls_config_destroy(old.client_config);
    ping(&old);
    tls_pair_close(&old);
    pki_free(renewed);
    pki_dir_remove();
    return 0;
}

TEST(reload)
{
    start(reload);
}

/* ---- small things ---- */

static int pieces(void *unused)
{
    (void)unused;
    tls_pair p;
    make_pair(&p, NULL, NULL);
    tls_pair_good(&p);
    /* Many small pieces, one large, some empty: the reader takes them in other pieces. */
    enum { LARGE = 50000 };
    char *large = malloc(LARGE), *all = malloc(LARGE + 100), *got = malloc(LARGE + 100);
    CHECK(large != NULL && all != NULL && got != NULL);
    for (int i = 0; i < LARGE; i++)
        large[i] = (char)tls_byte(1, (uint64_t)i);
    struct iovec iov[64];
    size_t n = 0;
    for (int i = 0; i < 64; i++) {
        iov[i] = (struct iovec){ (char *)"abc" + i % 3, (size_t)(i % 3) };
        if (i == 40)
            iov[i] = (struct iovec){ large, LARGE };
        memcpy(all + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    CHECK_INT(edo_writev(p.client, iov, 64), ==, (ssize_t)n);
    struct iovec in[] = { { got, 7 }, { got + 7, 0 }, { got + 7, 100 } };
    size_t have = 0;
    ssize_t k = edo_readv(p.server, in, 3);
    CHECK_INT(k, >, 7);
    have = (size_t)k;
    CHECK_INT(edo_read_full(p.server, got + have, n - have), ==, (ssize_t)(n - have));
    CHECK_MEM(got, all, n);
    free(large);
    free(all);
    free(got);
    drop_pair(&p);
    return 0;
}

TEST(pieces)
{
    start(pieces);
}

static int new_keys(void *unused)
{
    (void)unused;
    tls_pair p;
    make_pair(&p, NULL, NULL);
    tls_pair_good(&p);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(edo_tls_update_keys(i % 2 ? p.client : p.server, i % 3 == 0), ==, 0);
        ping(&p);
    }
    /* A peer that asks and asks while we say nothing gets one answer, or few. */
    for (int i = 0; i < 1000; i++)
        CHECK_INT(edo_tls_update_keys(p.client, true), ==, 0);
    ping(&p);
    ping(&p);
    CHECK_INT(edo_tls_update_keys(p.server, false), ==, 0);
    CHECK_INT(edo_shutdown(p.server), ==, 0);
    CHECK_INT(edo_tls_update_keys(p.server, false), ==, -EPIPE);
    CHECK_INT(edo_tls_update_keys(p.client, true), ==, 0);
    CHECK_INT(edo_write(p.client, "x", 1), ==, 1);
    char byte;
    CHECK_INT(edo_read(p.server, &byte, 1), ==, 1); /* and the answer can go nowhere */
    CHECK_INT(edo_read(p.client, &byte, 1), ==, 0);
    drop_pair(&p);
    make_pair(&p, &(edo_tls_options){ .max_version = EDO_TLS_1_2 }, NULL);
    tls_pair_good(&p);
    CHECK_INT(edo_tls_update_keys(p.client, true), ==, -EOPNOTSUPP);
    drop_pair(&p);
    return 0;
}

TEST(new_keys)
{
    start(new_keys);
}

static int export(void *unused)
{
    (void)unused;
    tls_pair p;
    unsigned char a[32], b[32], c[32];
    make_pair(&p, NULL, NULL);
    tls_pair_good(&p);
    CHECK_INT(edo_tls_export(p.client, "EXPORTER-Channel-Binding", NULL, 0, a, sizeof a), ==, 0);
    CHECK_INT(edo_tls_export(p.server, "EXPORTER-Channel-Binding", NULL, 0, b, sizeof b), ==, 0);
    CHECK_INT(edo_tls_export(p.server, "EXPORTER-Channel-Binding", "x", 1, c, sizeof c), ==, 0);
    CHECK_MEM(a, b, 32);
    CHECK(memcmp(a, c, 32) != 0);
    CHECK_INT(edo_tls_export(p.client, "label", NULL, 0, a, 0), ==, -EINVAL);
    drop_pair(&p);
    return 0;
}

TEST(export)
{
    start(export);
}

static int keylog(void *unused)
{
    (void)unused;
    const char *path = pki_path("keys.log");
    char line[512], *text = NULL;
    size_t n = 0;
    CHECK_INT(setenv("SSLKEYLOGFILE", path, 1), ==, 0);
    tls_pair p;
    make_pair(&p, NULL, NULL); /* the variable alone does nothing */
    tls_pair_good(&p);
    drop_pair(&p);
    CHECK_INT(access(path, F_OK), ==, -1);
    make_pair(&p, &(edo_tls_options){ .keylog = true }, NULL);
    tls_pair_good(&p);
    drop_pair(&p);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    int lines = 0;
    bool traffic = false;
    while (fgets(line, sizeof line, f) != NULL) {
        lines++;
        traffic |= strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0;
    }
    fclose(f);
    free(text);
    (void)n;
    CHECK(traffic);
    CHECK_INT(lines, >=, 4);
    CHECK_INT(unsetenv("SSLKEYLOGFILE"), ==, 0);
    pki_dir_remove();
    return 0;
}

TEST(keylog)
{
    start(keylog);
}

/* A password, files in one, a folder of roots, a chain in memory. */
static int files(void *unused)
{
    (void)unused;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK_INT(PEM_write_bio_PrivateKey(bio, world.server->key, EVP_aes_256_cbc(), NULL, 0, NULL,
                                       (void *)"secret"),
              ==, 1);
    char *sealed = pki_text(bio),
         *both = malloc(strlen(sealed) + strlen(world.server->cert_pem) + 1);
    CHECK(both != NULL);
    strcpy(both, world.server->cert_pem);
    strcat(both, sealed);
    const char *ca = pki_file("ca.pem", world.root->cert_pem);
    edo_tls_certificate own = { .cert_file = pki_file("both.pem", both), .password = "secret" };
    tls_pair p;
    make_pair(&p, &(edo_tls_options){ .ca_pem = NULL, .ca_file = ca },
              &(edo_tls_options){ .certificates = &own, .n_certificates = 1 });
    tls_pair_good(&p);
    drop_pair(&p);
    own.password = "wrong";
    edo_tls_config *c;
    edo_tls_error e;
    edo_tls_options o = { .certificates = &own, .n_certificates = 1 };
    CHECK_INT(edo_tls_config_create(&c, &o, &e), ==, EDO_ETLS);
    own.password = NULL;
    CHECK_INT(edo_tls_config_create(&c, &o, &e), ==, EDO_ETLS);
    free(sealed);
    free(both);
    pki_dir_remove();
    return 0;
}

TEST(files)
{
    start(files);
}

/* Over TCP, by the one call. */
static edo_listener *listener;
static edo_tls_config *server_config;

static int serve_one(void *unused)
{
    (void)unused;
    edo_stream *below, *s;
    edo_tls_error e;
    CHECK_OK(edo_accept(listener, &below));
    CHECK_OK(edo_tls_server(&s, below, server_config, &e));
    CHECK_INT(edo_copy(s, s), ==, 300000);
    CHECK_INT(edo_shutdown(s), ==, 0);
    edo_close(s);
    return 0;
}

static int over_tcp(void *unused)
{
    (void)unused;
    char address[32];
    edo_stream *s;
    edo_tls_error e;
    edo_group g;
    edo_tls_config *client = tls_config(&(edo_tls_options){ .ca_pem = world.root->cert_pem });
    server_config =
        tls_config(&(edo_tls_options){ .certificates = &world.own, .n_certificates = 1 });
    CHECK_OK(edo_tcp_listen(&listener, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(listener));
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, serve_one, NULL));
    int rc = edo_tls_connect(&s, address, client, &e);
    if (rc < 0)
        FAIL("%s", e.text);
    tls_talk say = { .s = s, .speaker = 7, .bytes = 300000, .end = true };
    tls_talk hear = say;
    CHECK_OK(edo_spawn(&g, tls_speak, &say));
    CHECK_OK(edo_spawn(&g, tls_listen, &hear));
    CHECK_INT(edo_group_close(&g), ==, 0);
    edo_close(s);
    edo_listener_close(listener);
    CHECK_INT(edo_tls_connect(&s, address, client, &e), ==, -ECONNREFUSED);
    CHECK_STR(e.text, "connection refused");
    edo_tls_config_destroy(client);
    edo_tls_config_destroy(server_config);
    return 0;
}

TEST(over_tcp)
{
    start(over_tcp);
}

/* A task of the smallest stack, and a thread that is no worker. */
static int on_a_small_stack(void *arg)
{
    tls_pair *p = arg;
    (void)tls_pair_client(p);
    return p->client_rc;
}

static int small_stacks(void *unused)
{
    (void)unused;
    pki *rsa = pki_make(&(pki_options){
        .name = "rsa", .alt = "DNS:a.example", .issuer = world.root, .rsa_bits = 2048 });
    edo_tls_certificate own[] = { { .cert_pem = rsa->cert_pem, .key_pem = rsa->key_pem } };
    for (int i = 0; i < 4; i++) {
        tls_pair p;
        make_pair(
            &p, &(edo_tls_options){ .max_version = i % 2 ? EDO_TLS_1_2 : EDO_TLS_1_3 },
            &(edo_tls_options){ .certificates = i < 2 ? own : &world.own, .n_certificates = 1 });
        CHECK_OK(edo_duplex(&p.below[0], &p.below[1], 0));
        edo_task_options small = { .stack_size = 32 << 10 };
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn_with(&g, &small, NULL, tls_pair_server, &p));
        CHECK_OK(edo_spawn_with(&g, &small, NULL, on_a_small_stack, &p));
        CHECK_INT(edo_group_close(&g), ==, 0);
        CHECK_INT(p.server_rc, ==, 0);
        tls_talk say = { .s = p.client, .speaker = 3, .bytes = 200000, .end = true };
        tls_talk hear = { .s = p.server, .speaker = 3, .bytes = 200000, .end = true };
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn_with(&g, &small, NULL, tls_speak, &say));
        CHECK_OK(edo_spawn_with(&g, &small, NULL, tls_listen, &hear));
        CHECK_INT(edo_group_close(&g), ==, 0);
        drop_pair(&p);
    }
    pki_free(rsa);
    return 0;
}

TEST_TIMEOUT(small_stacks, 60)
{
    start(small_stacks);
}

static int in_the_pool(void *arg)
{
    tls_pair *p = arg;
    CHECK_OK(edo_duplex(&p->below[0], &p->below[1], 0));
    return 0;
}

static void *foreign(void *arg)
{
    tls_pair *p = arg;
    (void)tls_pair_client(p);
    CHECK_INT(p->client_rc, ==, 0);
    CHECK_INT(edo_write(p->client, "from a thread", 13), ==, 13);
    return NULL;
}

static int foreign_thread(void *unused)
{
    (void)unused;
    tls_pair p;
    pthread_t thread;
    char buf[13];
    make_pair(&p, NULL, NULL);
    CHECK_INT(in_the_pool(&p), ==, 0);
    CHECK_INT(pthread_create(&thread, NULL, foreign, &p), ==, 0);
    (void)tls_pair_server(&p);
    CHECK_INT(p.server_rc, ==, 0);
    CHECK_INT(edo_read_full(p.server, buf, 13), ==, 13);
    CHECK_MEM(buf, "from a thread", 13);
    CHECK_INT(pthread_join(thread, NULL), ==, 0);
    drop_pair(&p);
    return 0;
}

TEST(foreign_thread)
{
    start(foreign_thread);
}

TEST_MAIN()
