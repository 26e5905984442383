/* SPDX-License-Identifier: MIT */
/* Data on its way: both directions at once, peers that are slow, cut off, or talk nonsense. */
#include "support.h"

static tls_world world;
static edo_tls_config *client_config, *server_config;

static void open_pair(tls_pair *p, edo_stream *a, edo_stream *b)
{
    *p = (tls_pair){ .client_config = client_config,
                     .server_config = server_config,
                     .host = "a.example",
                     .below = { a, b } };
    tls_pair_good(p);
}

static edo_fn *body;
static edo_tls_version version;

static int with_configs(void *unused)
{
    for (version = EDO_TLS_1_2; version <= EDO_TLS_1_3; version++) {
        client_config = tls_config(
            &(edo_tls_options){ .ca_pem = world.root->cert_pem, .max_version = version });
        server_config = tls_config(&(edo_tls_options){
            .certificates = &world.own, .n_certificates = 1, .no_resumption = true });
        CHECK_INT(body(unused), ==, 0);
        edo_tls_config_destroy(client_config);
        edo_tls_config_destroy(server_config);
    }
    return 0;
}

static void start(unsigned workers, edo_fn *fn)
{
    unsigned before = tls_count_fds();
    body = fn;
    tls_world_make(&world);
    tls_run(workers, with_configs, NULL);
    tls_world_free(&world);
    CHECK_UINT(tls_count_fds(), ==, before);
}

/* ---- both directions ---- */

static void tcp_pair(edo_stream **a, edo_stream **b)
{
    edo_listener *l;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(a, address, NULL));
    CHECK_OK(edo_accept(l, b));
    edo_listener_close(l);
}

static void talk_both(tls_pair *p, uint64_t bytes)
{
    tls_talk talks[] = { { .s = p->client, .speaker = 1, .bytes = bytes, .end = true },
                         { .s = p->server, .speaker = 1, .bytes = bytes, .end = true },
                         { .s = p->server, .speaker = 2, .bytes = bytes, .end = true },
                         { .s = p->client, .speaker = 2, .bytes = bytes, .end = true } };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn(&g, i % 2 ? tls_listen : tls_speak, &talks[i]));
    CHECK_INT(edo_group_close(&g), ==, 0);
}

static int full_duplex(void *unused)
{
    (void)unused;
    edo_stream *a, *b;
    tls_pair p;
    tcp_pair(&a, &b);
    open_pair(&p, a, b);
    talk_both(&p, test_scale(50) * (uint64_t)1000000);
    tls_pair_close(&p);
    CHECK_OK(edo_duplex(&a, &b, 777));
    open_pair(&p, a, b);
    talk_both(&p, 1000000);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(full_duplex, 120)
{
    start(4, full_duplex);
}

/* Keys change all the time meanwhile. */
typedef struct updater {
    edo_stream *s;
    uint64_t speaker;
} updater;

static int speak_and_update(void *arg)
{
    const updater *u = arg;
    unsigned char buf[3000];
    uint64_t at = 0;
    for (int i = 0; i < 300; i++) {
        for (size_t k = 0; k < sizeof buf; k++)
            buf[k] = tls_byte(u->speaker, at + k);
        CHECK_INT(edo_write(u->s, buf, sizeof buf), ==, (ssize_t)sizeof buf);
        at += sizeof buf;
        int rc = edo_tls_update_keys(u->s, i % 2);
        CHECK_INT(rc, ==, version == EDO_TLS_1_3 ? 0 : -EOPNOTSUPP);
    }
    return 0;
}

static int keys_change(void *unused)
{
    (void)unused;
    edo_stream *a, *b;
    tls_pair p;
    CHECK_OK(edo_duplex(&a, &b, 5000));
    open_pair(&p, a, b);
    updater u[] = { { p.client, 1 }, { p.server, 2 } };
    tls_talk hear[] = { { .s = p.server, .speaker = 1, .bytes = 900000 },
                        { .s = p.client, .speaker = 2, .bytes = 900000 } };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(edo_spawn(&g, speak_and_update, &u[i]));
        CHECK_OK(edo_spawn(&g, tls_listen, &hear[i]));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(keys_change, 60)
{
    start(4, keys_change);
}

/* A writer whose peer does not read does not hold up the reader beside it. */
static int write_until_cancelled(void *arg)
{
    char buf[20000] = { 0 };
    ssize_t n;
    while ((n = edo_write(arg, buf, sizeof buf)) > 0)
        continue;
    return (int)n;
}

static int stuck_writer(void *unused)
{
    (void)unused;
    edo_stream *a, *b;
    tls_pair p;
    CHECK_OK(edo_duplex(&a, &b, 3000));
    open_pair(&p, a, b);
    edo_group stuck, g;
    edo_group_open(&stuck, NULL);
    CHECK_OK(edo_spawn(&stuck, write_until_cancelled, p.client));
    tls_talk say = { .s = p.server, .speaker = 5, .bytes = 400000 },
             hear = { .s = p.client, .speaker = 5, .bytes = 400000 };
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, tls_speak, &say));
    CHECK_OK(edo_spawn(&g, tls_listen, &hear));
    CHECK_INT(edo_group_close(&g), ==, 0);
    edo_group_cancel(&stuck);
    CHECK_INT(edo_group_close(&stuck), ==, -ECANCELED);
    tls_pair_close(&p);
    return 0;
}

TEST(stuck_writer)
{
    start(2, stuck_writer);
}

static int copy_through(void *unused)
{
    (void)unused;
    edo_stream *a, *b, *c, *d;
    tls_pair one, two;
    CHECK_OK(edo_duplex(&a, &b, 0));
    CHECK_OK(edo_duplex(&c, &d, 0));
    open_pair(&one, a, b);
    open_pair(&two, c, d);
    /* client one - server one = client two - server two: a proxy that decrypts */
    tls_talk talks[] = { { .s = one.client, .speaker = 1, .bytes = 2000000, .end = true },
                         { .s = two.server, .speaker = 1, .bytes = 2000000, .end = true },
                         { .s = two.server, .speaker = 2, .bytes = 1000000, .end = true },
                         { .s = one.client, .speaker = 2, .bytes = 1000000, .end = true } };
    edo_group g;
    edo_copied copied;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn(&g, i % 2 ? tls_listen : tls_speak, &talks[i]));
    CHECK_INT(edo_copy_both_with(one.server, two.client, NULL, &copied), ==, 0);
    CHECK_UINT(copied.a_to_b, ==, 2000000);
    CHECK_UINT(copied.b_to_a, ==, 1000000);
    CHECK_INT(edo_group_close(&g), ==, 0);
    tls_pair_close(&one);
    tls_pair_close(&two);
    return 0;
}

TEST_TIMEOUT(copy_through, 60)
{
    start(4, copy_through);
}

/* ---- a stream below that does as it is told ---- */

typedef struct wire {
    edo_stream *below;
    size_t piece;    /* bytes at a time; 0: any */
    uint64_t read;   /* so far */
    uint64_t damage; /* the byte of what is read that is damaged, counted from 1; 0: none */
    uint64_t cut;    /* after so many bytes the end is read; 0: never */
} wire;

static ssize_t wire_read(void *ctx, void *buf, size_t n)
{
    wire *w = ctx;
    if (w->piece > 0 && n > w->piece)
        n = w->piece;
    if (w->cut > 0 && n > w->cut - w->read)
        n = (size_t)(w->cut - w->read);
    if (n == 0)
        return 0;
    ssize_t got = edo_read(w->below, buf, n);
    if (got > 0) {
        if (w->damage > w->read && w->damage <= w->read + (uint64_t)got)
            ((unsigned char *)buf)[w->damage - w->read - 1] ^= 0x20;
        w->read += (uint64_t)got;
    }
    return got;
}

static ssize_t wire_write(void *ctx, const void *data, size_t n)
{
    wire *w = ctx;
    return edo_write_some(w->below, data, w->piece > 0 && n > w->piece ? w->piece : n);
}

static int wire_shutdown(void *ctx)
{
    return edo_shutdown(((wire *)ctx)->below);
}

static int wire_close(void *ctx)
{
    return edo_close(((wire *)ctx)->below);
}

static const edo_stream_ops wire_ops = {
    .read = wire_read, .write = wire_write, .shutdown = wire_shutdown, .close = wire_close
};

/* What the client reads passes through the wire. */
static void wired(tls_pair *p, wire *w)
{
    *p = (tls_pair){ .client_config = client_config,
                     .server_config = server_config,
                     .patience = w->damage > 0 ? EDO_MS(300) : 0,
                     .host = "a.example" };
    CHECK_OK(edo_duplex(&w->below, &p->below[1], 0));
    CHECK_OK(edo_stream_create(&p->below[0], &wire_ops, w));
    tls_pair_open(p);
}

static int byte_by_byte(void *unused)
{
    (void)unused;
    for (size_t piece = 1; piece < 8; piece += 2) {
        wire w = { .piece = piece };
        tls_pair p;
        wired(&p, &w);
        CHECK_INT(p.client_rc, ==, 0);
        talk_both(&p, 20000);
        tls_pair_close(&p);
    }
    return 0;
}

TEST_TIMEOUT(byte_by_byte, 60)
{
    start(2, byte_by_byte);
}

/* Sends 3,000 bytes and the end, or closes without a word. */
static void answer(edo_stream *s, bool end)
{
    char buf[3000];
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (char)tls_byte(9, i);
    ssize_t n = edo_write(s, buf, sizeof buf);
    if (n > 0 && end)
        n = edo_shutdown(s); /* fails when the peer has gone already */
    edo_close(s);
}

/* Reads to the end. How many bytes were right; *rc is how it ended. */
static size_t read_all(edo_stream *s, int *rc)
{
    unsigned char buf[1000];
    size_t have = 0;
    ssize_t n;
    while ((n = edo_read(s, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, tls_byte(9, have++));
    *rc = (int)n;
    return have;
}

/* The connection is cut after every number of bytes: never is that taken for the end. */
static int cut(void *unused)
{
    (void)unused;
    wire whole = { 0 };
    tls_pair p;
    int rc;
    wired(&p, &whole);
    CHECK_INT(p.client_rc, ==, 0);
    uint64_t handshake = whole.read;
    answer(p.server, true);
    p.server = NULL;
    CHECK_UINT(read_all(p.client, &rc), ==, 3000);
    CHECK_INT(rc, ==, 0);
    CHECK_STR(edo_tls_reason(p.client), "");
    tls_pair_close(&p);
    unsigned step = test_scale(100) == 100 ? 13 : 211, cuts = 0;
    for (uint64_t at = 1; at < whole.read - 100;
         at += at < handshake - 8 ? step * 4 : step, cuts++) {
        wire w = { .cut = at };
        wired(&p, &w);
        if (p.client_rc < 0) {
            CHECK_INT(p.client_rc, ==, EDO_EEOF);
            CHECK_STR(p.client_error.text,
                      "the other side has closed the connection in the handshake");
        }
        if (p.server != NULL)
            answer(p.server, true);
        p.server = NULL;
        if (p.client_rc == 0) {
            CHECK_UINT(read_all(p.client, &rc), <=, 3000);
            CHECK_INT(rc, ==, EDO_EEOF);
            tls_contains(edo_tls_reason(p.client), "without the other side's word");
            CHECK_INT(edo_read(p.client, &rc, 1), ==, EDO_EEOF);
        }
        tls_pair_close(&p);
    }
    CHECK_UINT(cuts, >, 10);
    wire w = { 0 };
    wired(&p, &w);
    answer(p.server, false); /* all of it, but not the word that it is all */
    p.server = NULL;
    CHECK_UINT(read_all(p.client, &rc), ==, 3000);
    CHECK_INT(rc, ==, EDO_EEOF);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(cut, 120)
{
    start(2, cut);
}

/* One bit is turned over on the way, anywhere: what is read is right all the same, or refused. A length
 * that is damaged makes both wait for each other, until their patience ends. */
static int damaged(void *unused)
{
    (void)unused;
    wire whole = { 0 };
    tls_pair p;
    int rc;
    wired(&p, &whole);
    answer(p.server, true);
    p.server = NULL;
    (void)read_all(p.client, &rc);
    tls_pair_close(&p);
    uint64_t seed = test_seed();
    unsigned n = test_scale(120);
    for (unsigned i = 0; i < n; i++) {
        wire w = { .damage = 1 + test_rand(&seed) % whole.read };
        wired(&p, &w);
        if (p.server != NULL)
            answer(p.server, true);
        p.server = NULL;
        if (p.client_rc == 0) {
            size_t have = read_all(p.client, &rc);
            if (rc == 0) /* beyond all that was read */
                CHECK_UINT(have, ==, 3000);
            else
                CHECK(rc == EDO_ETLS || rc == EDO_EEOF);
        } else {
            CHECK(p.client_rc == EDO_ETLS || p.client_rc == EDO_EEOF || p.client_rc == -ETIMEDOUT);
        }
        tls_pair_close(&p);
    }
    return 0;
}

TEST_TIMEOUT(damaged, 120)
{
    start(2, damaged);
}

/* ---- nonsense instead of TLS ---- */

static void nonsense(bool to_server, const char *text, size_t n, int code, const char *reason)
{
    edo_stream *a, *b, *s = NULL;
    edo_tls_error e;
    CHECK_OK(edo_duplex(&a, &b, 0));
    CHECK_INT(edo_write(b, text, n), ==, (ssize_t)n);
    CHECK_INT(edo_shutdown(b), ==, 0);
    int rc = to_server ? edo_tls_server(&s, a, server_config, &e)
                       : edo_tls_client(&s, a, "a.example", client_config, &e);
    CHECK_INT(rc, ==, code);
    tls_contains(e.text, reason);
    edo_close(a);
    edo_close(b);
}

static int no_tls(void *unused)
{
    (void)unused;
    static const char http[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    static const char reply[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const char old_hello[] =
        "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00";
    static const char ssl3[] = "\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00";
    nonsense(true, http, sizeof http - 1, EDO_ETLS,
             "the other side does not speak TLS (http request)");
    nonsense(false, reply, sizeof reply - 1, EDO_ETLS, "the other side does not speak TLS");
    nonsense(true, "SSH-2.0-OpenSSH_9.2\r\n", 21, EDO_ETLS, "the other side does not speak TLS");
    nonsense(false, "SSH-2.0-OpenSSH_9.2\r\n", 21, EDO_ETLS, "the other side does not speak TLS");
    nonsense(true, old_hello, sizeof old_hello - 1, EDO_EEOF, "closed the connection");
    nonsense(true, ssl3, sizeof ssl3 - 1, EDO_EEOF, "closed the connection");
    nonsense(true, "", 0, EDO_EEOF, "the other side has closed the connection in the handshake");
    nonsense(false, "\x15\x03\x03\x00\x02\x02\x28", 7, EDO_ETLS,
             "refused by the other side: handshake failure");
    char noise[2000];
    uint64_t seed = test_seed();
    for (int i = 0; i < 50; i++) {
        edo_stream *a, *b, *s = NULL;
        edo_tls_error e;
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)test_rand(&seed);
        if (i % 2)
            memcpy(noise, "\x16\x03\x01", 3); /* begins well */
        CHECK_OK(edo_duplex(&a, &b, 0));
        CHECK_INT(edo_write(b, noise, sizeof noise), ==, (ssize_t)sizeof noise);
        CHECK_INT(edo_shutdown(b), ==, 0);
        int rc = i % 4 < 2 ? edo_tls_server(&s, a, server_config, &e)
                           : edo_tls_client(&s, a, "a.example", client_config, &e);
        CHECK(rc == EDO_ETLS || rc == EDO_EEOF);
        CHECK(e.text[0] != '\0');
        edo_close(a);
        edo_close(b);
    }
    return 0;
}

TEST(no_tls)
{
    start(2, no_tls);
}

/* A peer that says nothing is given up by a deadline. */
static int client_of_nobody(void *arg)
{
    edo_stream *s;
    return edo_tls_client(&s, arg, "a.example", client_config, NULL);
}

static int silent_peer(void *unused)
{
    (void)unused;
    edo_stream *a, *b;
    CHECK_OK(edo_duplex(&a, &b, 0));
    CHECK_INT(edo_with_timeout(EDO_MS(20), client_of_nobody, a), ==, -ETIMEDOUT);
    CHECK_INT(edo_with_timeout(0, client_of_nobody, a), ==, -ETIMEDOUT);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST(silent_peer)
{
    start(2, silent_peer);
}

TEST_MAIN()
