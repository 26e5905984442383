/* SPDX-License-Identifier: MIT */
/* Cancels, wherever something waits: no byte is lost, none comes twice, and what a write says it has
 * taken arrives. */
#include "support.h"

static tls_world world;
static edo_tls_config *client_config, *server_config;
static edo_fn *body;
static edo_tls_version version;

static int with_configs(void *unused)
{
    for (version = EDO_TLS_1_2; version <= EDO_TLS_1_3; version++) {
        client_config = tls_config(
            &(edo_tls_options){ .ca_pem = world.root->cert_pem, .max_version = version });
        server_config =
            tls_config(&(edo_tls_options){ .certificates = &world.own, .n_certificates = 1 });
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

static void open_pair(tls_pair *p, size_t capacity)
{
    *p = (tls_pair){ .client_config = client_config,
                     .server_config = server_config,
                     .host = "a.example" };
    CHECK_OK(edo_duplex(&p->below[0], &p->below[1], capacity));
    tls_pair_good(p);
}

/* ---- a stream below whose operations are cancelled, each in turn ---- */

typedef struct trap {
    edo_stream *below;
    edo_scope *scope; /* of the operation above; NULL: nothing is cancelled */
    int countdown;    /* operations until the one that is cancelled; negative: none */
    int cancelled;    /* how many were */
} trap;

/* The scope around the call above is cancelled, as by somebody else, when this is where it waits. */
static void spring(trap *t)
{
    if (t->scope != NULL && t->countdown-- == 0) {
        edo_scope_cancel(t->scope);
        t->cancelled++;
    }
}

static ssize_t trap_read(void *ctx, void *buf, size_t n)
{
    trap *t = ctx;
    spring(t);
    return edo_read(t->below, buf, n);
}

/* Small pieces: a record takes several writes. */
static ssize_t trap_write(void *ctx, const void *data, size_t n)
{
    trap *t = ctx;
    spring(t);
    return edo_write_some(t->below, data, n > 300 ? 300 : n);
}

static int trap_shutdown(void *ctx)
{
    return edo_shutdown(((trap *)ctx)->below);
}

static int trap_close(void *ctx)
{
    return edo_close(((trap *)ctx)->below);
}

static const edo_stream_ops trap_ops = {
    .read = trap_read, .write = trap_write, .shutdown = trap_shutdown, .close = trap_close
};

typedef struct one_side {
    edo_stream *below;
    edo_stream *s;
    bool server;
    trap *trap;
    int rc;
} one_side;

static int one_handshake(void *arg)
{
    one_side *o = arg;
    edo_scope s;
    edo_tls_error e;
    edo_scope_open(&s, EDO_FOREVER);
    if (o->trap != NULL)
        o->trap->scope = &s;
    o->rc = o->server ? edo_tls_server(&o->s, o->below, server_config, &e)
                      : edo_tls_client(&o->s, o->below, "a.example", client_config, &e);
    if (o->trap != NULL)
        o->trap->scope = NULL;
    CHECK_INT(e.code, ==, o->rc);
    (void)edo_scope_close(&s, 0);
    if (o->rc < 0)
        edo_close(o->below);
    return 0;
}

/* The k-th operation below of one side's handshake is cancelled. Returns whether there was one. */
static bool cancel_handshake(bool server, int k)
{
    trap t = { .countdown = k };
    one_side a = { .server = server, .trap = &t }, b = { .server = !server };
    CHECK_OK(edo_duplex(&t.below, &b.below, 0));
    CHECK_OK(edo_stream_create(&a.below, &trap_ops, &t));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, one_handshake, &a));
    CHECK_OK(edo_spawn(&g, one_handshake, &b));
    CHECK_INT(edo_group_close(&g), ==, 0);
    if (t.cancelled > 0) {
        CHECK_INT(a.rc, ==, -ECANCELED);
        if (b.rc == 0) { /* it was done before the other gave up */
            char byte;
            CHECK_INT(edo_read(b.s, &byte, 1), ==, EDO_EEOF);
            edo_close(b.s);
        } else {
            CHECK(b.rc == EDO_EEOF || b.rc == -EPIPE);
        }
        return true;
    }
    CHECK_INT(a.rc, ==, 0);
    CHECK_INT(b.rc, ==, 0);
    edo_close(a.s);
    edo_close(b.s);
    return false;
}

static int handshakes(void *unused)
{
    (void)unused;
    for (int server = 0; server < 2; server++) {
        int k = 0;
        while (cancel_handshake(server, k))
            k++;
        CHECK_INT(k, >=, 3);
    }
    return 0;
}

TEST_TIMEOUT(handshakes, 60)
{
    start(2, handshakes);
}

/* A stream whose operations below are cancelled at a distance, each call in turn: what one call does
 * not do the next one does. */
typedef struct persistent {
    edo_stream *s;
    trap *trap;
    int distance;
    int cancels;
} persistent;

/* One call with the trap set. */
static ssize_t trapped(persistent *p, bool write, char *buf, size_t n)
{
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    p->trap->scope = &s;
    p->trap->countdown = p->distance;
    ssize_t rc = write ? edo_write_some(p->s, buf, n) : edo_read(p->s, buf, n);
    p->trap->scope = NULL;
    (void)edo_scope_close(&s, 0);
    if (rc == -ECANCELED) {
        p->cancels++;
        p->distance++; /* further the next time, so that it comes to an end */
    } else {
        p->distance = 0;
    }
    return rc;
}

static void stubborn_writer(persistent *p, size_t total)
{
    char buf[5000];
    size_t at = 0;
    while (at < total) {
        size_t n = total - at < sizeof buf ? total - at : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = (char)tls_byte(1, at + i);
        ssize_t done = trapped(p, true, buf, n);
        CHECK(done > 0 || done == -ECANCELED);
        at += done > 0 ? (size_t)done : 0;
    }
}

static int read_total(void *arg)
{
    return tls_listen(arg);
}

static int every_write(void *unused)
{
    (void)unused;
    trap t = { .countdown = -1 };
    tls_pair p = { .client_config = client_config,
                   .server_config = server_config,
                   .host = "a.example" };
    CHECK_OK(edo_duplex(&t.below, &p.below[1], 1000));
    CHECK_OK(edo_stream_create(&p.below[0], &trap_ops, &t));
    tls_pair_good(&p);
    edo_group g;
    edo_group_open(&g, NULL);
    tls_talk hear = { .s = p.server, .speaker = 1, .bytes = 200000, .end = true };
    CHECK_OK(edo_spawn(&g, read_total, &hear));
    persistent w = { .s = p.client, .trap = &t };
    stubborn_writer(&w, 200000);
    CHECK_INT(t.cancelled, >, 100);
    int rc;
    do { /* the goodbye, cancelled as well */
        edo_scope s;
        edo_scope_open(&s, EDO_FOREVER);
        t.scope = &s;
        t.countdown = w.distance++;
        rc = edo_shutdown(p.client);
        t.scope = NULL;
        (void)edo_scope_close(&s, 0);
        CHECK(rc == 0 || rc == -ECANCELED);
    } while (rc < 0);
    CHECK_INT(edo_group_close(&g), ==, 0);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(every_write, 60)
{
    start(2, every_write);
}

static int every_read(void *unused)
{
    (void)unused;
    trap t = { .countdown = -1 };
    tls_pair p = { .client_config = client_config,
                   .server_config = server_config,
                   .host = "a.example" };
    CHECK_OK(edo_duplex(&t.below, &p.below[1], 1000));
    CHECK_OK(edo_stream_create(&p.below[0], &trap_ops, &t));
    tls_pair_good(&p);
    edo_group g;
    edo_group_open(&g, NULL);
    tls_talk say = { .s = p.server, .speaker = 2, .bytes = 100000, .end = true };
    CHECK_OK(edo_spawn(&g, tls_speak, &say));
    persistent r = { .s = p.client, .trap = &t };
    char buf[5000];
    size_t at = 0;
    for (;;) {
        ssize_t n = trapped(&r, false, buf, sizeof buf);
        if (n == 0)
            break;
        CHECK(n > 0 || n == -ECANCELED);
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT((unsigned char)buf[i], ==, tls_byte(2, at++));
    }
    CHECK_UINT(at, ==, 100000);
    CHECK_INT(r.cancels, >, 10);
    CHECK_INT(edo_group_close(&g), ==, 0);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(every_read, 60)
{
    start(2, every_read);
}

/* ---- what a cancelled write has taken is sent ---- */

static int take_and_be_cancelled(void *arg)
{
    edo_stream *s = arg;
    char buf[10000];
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (char)tls_byte(4, i);
    return (int)edo_write_some(s, buf, sizeof buf);
}

/* Nothing of it fits into the stream below but a few bytes; the rest is left behind. */
static void leave_behind(tls_pair *p)
{
    /* a count of bytes is never changed by the deadline */
    int rc = edo_with_timeout(EDO_MS(2), take_and_be_cancelled, p->client);
    while (rc == -ETIMEDOUT) /* it had not even begun */
        rc = edo_with_timeout(EDO_MS(2), take_and_be_cancelled, p->client);
    CHECK_INT(rc, ==, 10000);
}

static int wait_for_answer(void *arg)
{
    tls_pair *p = arg;
    char byte;
    CHECK_INT(edo_read(p->client, &byte, 1), ==, 1);
    CHECK_INT(byte, ==, '!');
    return 0;
}

static int by_the_reader(void *unused)
{
    (void)unused;
    for (int waits_already = 0; waits_already < 2; waits_already++) {
        tls_pair p;
        edo_group g;
        open_pair(&p, 500);
        edo_group_open(&g, NULL);
        if (waits_already) {
            CHECK_OK(edo_spawn(&g, wait_for_answer, &p));
            for (int i = 0; i < 100; i++)
                CHECK_INT(edo_yield(), ==, 0);
        }
        leave_behind(&p);
        if (!waits_already)
            CHECK_OK(edo_spawn(&g, wait_for_answer, &p));
        tls_talk hear = { .s = p.server, .speaker = 4, .bytes = 10000 };
        CHECK_INT(tls_listen(&hear), ==, 0); /* nobody writes any more, and still it comes */
        CHECK_INT(edo_write(p.server, "!", 1), ==, 1);
        CHECK_INT(edo_group_close(&g), ==, 0);
        tls_pair_close(&p);
    }
    return 0;
}

TEST_TIMEOUT(by_the_reader, 60)
{
    start(2, by_the_reader);
}

/* The peer reads nothing before it has sent a lot: sending the rest must not keep us from reading. */
static int late_reader(void *arg)
{
    tls_pair *p = arg;
    tls_talk say = { .s = p->server, .speaker = 6, .bytes = 30000 };
    CHECK_INT(tls_speak(&say), ==, 0);
    tls_talk hear = { .s = p->server, .speaker = 4, .bytes = 10000, .end = true };
    return tls_listen(&hear);
}

static int and_still_read(void *unused)
{
    (void)unused;
    tls_pair p;
    edo_group g;
    open_pair(&p, 500);
    leave_behind(&p);
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, late_reader, &p));
    tls_talk hear = { .s = p.client, .speaker = 6, .bytes = 30000 };
    CHECK_INT(tls_listen(&hear), ==, 0);
    CHECK_INT(edo_shutdown(p.client), ==, 0); /* sends the rest as well */
    CHECK_INT(edo_group_close(&g), ==, 0);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(and_still_read, 60)
{
    start(2, and_still_read);
}

/* ---- a storm ---- */

typedef struct stormy {
    edo_stream *s;
    uint64_t speaker, bytes;
    bool write;
    uint64_t at, cancels;
} stormy;

static int weather(void *arg)
{
    stormy *w = arg;
    uint64_t seed = test_seed() * 7 + w->speaker * 2 + w->write;
    unsigned char *buf = malloc(30000);
    CHECK(buf != NULL);
    while (w->at < w->bytes) {
        size_t n = 1 + test_rand(&seed) % 30000;
        if (w->write) {
            n = n < w->bytes - w->at ? n : (size_t)(w->bytes - w->at);
            for (size_t i = 0; i < n; i++)
                buf[i] = tls_byte(w->speaker, w->at + i);
        }
        edo_scope s;
        edo_scope_open(&s, (int64_t)(test_rand(&seed) % 300) * 1000);
        ssize_t done = w->write ? edo_write_some(w->s, buf, n) : edo_read(w->s, buf, n);
        (void)edo_scope_close(&s, 0);
        if (done == -ECANCELED) {
            w->cancels++;
            CHECK_INT(edo_yield(), ==, 0);
            continue;
        }
        if (done <= 0)
            FAIL("%s gives %zd: %s", w->write ? "writing" : "reading", done, edo_tls_reason(w->s));
        for (ssize_t i = 0; i < done && !w->write; i++)
            CHECK_INT(buf[i], ==, tls_byte(w->speaker, w->at + (uint64_t)i));
        w->at += (uint64_t)done;
    }
    free(buf);
    int rc = -ECANCELED;
    while (w->write && rc == -ECANCELED) {
        edo_scope s;
        edo_scope_open(&s, (int64_t)(test_rand(&seed) % 300) * 1000);
        rc = edo_shutdown(w->s);
        (void)edo_scope_close(&s, 0);
    }
    return 0;
}

static void storm_on(tls_pair *p, uint64_t bytes)
{
    stormy all[] = { { .s = p->client, .speaker = 1, .bytes = bytes, .write = true },
                     { .s = p->server, .speaker = 1, .bytes = bytes },
                     { .s = p->server, .speaker = 2, .bytes = bytes, .write = true },
                     { .s = p->client, .speaker = 2, .bytes = bytes } };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn(&g, weather, &all[i]));
    CHECK_INT(edo_group_close(&g), ==, 0);
    uint64_t cancels = 0;
    for (int i = 0; i < 4; i++)
        cancels += all[i].cancels;
    CHECK_UINT(cancels, >, 0);
}

static int storm(void *unused)
{
    (void)unused;
    tls_pair p;
    open_pair(&p, 3000);
    storm_on(&p, test_scale(20) * (uint64_t)50000);
    tls_pair_close(&p);
    edo_listener *l;
    char address[32];
    p = (tls_pair){ .client_config = client_config,
                    .server_config = server_config,
                    .host = "127.0.0.1" };
    edo_tcp_options o = { .sndbuf = 4096, .rcvbuf = 4096 };
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", &o));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(&p.below[0], address, &o));
    CHECK_OK(edo_accept(l, &p.below[1]));
    edo_listener_close(l);
    tls_pair_good(&p);
    storm_on(&p, test_scale(20) * (uint64_t)50000);
    tls_pair_close(&p);
    return 0;
}

TEST_TIMEOUT(storm, 120)
{
    start(4, storm);
}

/* A whole write that was cut off breaks the stream, as of any other. */
static int write_whole(void *arg)
{
    static char buf[1000000];
    return (int)edo_write(arg, buf, sizeof buf);
}

static int broken(void *unused)
{
    (void)unused;
    tls_pair p;
    open_pair(&p, 500);
    CHECK_INT(edo_with_timeout(EDO_MS(20), write_whole, p.client), ==, -ETIMEDOUT);
    ssize_t n = edo_write(p.client, "x", 1);
    CHECK(n == -EPIPE || n == 1); /* 1: it had not begun */
    tls_pair_close(&p);
    return 0;
}

TEST(broken)
{
    start(2, broken);
}

TEST_MAIN()
