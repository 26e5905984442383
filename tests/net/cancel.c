/* SPDX-License-Identifier: MIT */
/* Cancel storms: deadlines and tokens that hit anywhere around reads, writes, accepts and connects.
 * A cancelled call has taken and sent nothing; a call that did something says so. */
#include "net_test.h"

#include <pthread.h>

static int64_t short_while(uint64_t *random)
{
    return (int64_t)(test_rand(random) % 4 == 0 ? test_rand(random) % 1000
                                                : test_rand(random) % 60000);
}

typedef struct talk {
    edo_stream *s;
    uint64_t bytes, seed;
    unsigned cancelled;
} talk;

static int speak(void *arg)
{
    talk *t = arg;
    uint64_t random = t->seed;
    unsigned char buf[256];
    for (uint64_t at = 0; at < t->bytes;) {
        size_t n = 1 + test_rand(&random) % sizeof buf;
        if (n > t->bytes - at)
            n = t->bytes - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = text_byte(7, at + i);
        CHECK_INT(edo_write(t->s, buf, n), ==, n);
        at += n;
        if (test_rand(&random) % 3 == 0)
            CHECK_OK(edo_sleep(short_while(&random)));
    }
    CHECK_OK(edo_shutdown(t->s));
    return 0;
}

static unsigned listen_under_deadlines(talk *t)
{
    unsigned cancelled = 0;
    uint64_t random = t->seed + 1, have = 0;
    unsigned char buf[512];
    for (;;) {
        edo_scope s;
        edo_scope_open(&s, short_while(&random));
        int n = edo_scope_close(&s, (int)edo_read(t->s, buf, 1 + test_rand(&random) % sizeof buf));
        if (n == -ETIMEDOUT) {
            cancelled++;
            continue;
        }
        CHECK_OK(n);
        if (n == 0)
            break;
        for (int i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, text_byte(7, have + (uint64_t)i));
        have += (uint64_t)n;
    }
    CHECK_UINT(have, ==, t->bytes);
    return cancelled;
}

static int connect_pair(edo_stream **a, edo_stream **b)
{
    edo_listener *l;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(a, address, NULL));
    CHECK_OK(edo_accept(l, b));
    edo_listener_close(l);
    return 0;
}

static int read_storm(void *arg)
{
    talk *t = arg;
    talk to = *t;
    CHECK_OK(connect_pair(&t->s, &to.s));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, speak, &to));
    t->cancelled = listen_under_deadlines(t);
    CHECK_OK(edo_group_close(&g));
    edo_close(t->s);
    edo_close(to.s);
    return 0;
}

static int read_storms(void *arg)
{
    (void)arg;
    uint64_t random = test_seed();
    talk t[6];
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 6; i++) {
        t[i] = (talk){ .bytes = test_scale(60000), .seed = test_rand(&random) };
        CHECK_OK(edo_spawn(&g, read_storm, &t[i]));
    }
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(known_fds(), ==, 0);
    unsigned cancelled = 0;
    for (int i = 0; i < 6; i++)
        cancelled += t[i].cancelled;
    CHECK_UINT(cancelled, >, 0);
    return 0;
}

TEST_TIMEOUT(reads_take_nothing, 120)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        run_on(workers, read_storms, NULL);
}

/* Bytes one by one into a full pipe of a connection: as many arrive as were said to be sent. */
typedef struct sips {
    edo_stream *s;
    uint64_t got;
} sips;

static int sip(void *arg)
{
    sips *p = arg;
    unsigned char *buf = malloc(4096);
    ssize_t n;
    uint64_t random = test_seed();
    while ((n = edo_read(p->s, buf, 4096)) > 0) {
        p->got += (uint64_t)n;
        CHECK_OK(edo_sleep(short_while(&random) / 16));
    }
    CHECK_INT(n, ==, 0);
    free(buf);
    return 0;
}

static int write_storm(void *arg)
{
    (void)arg;
    uint64_t random = test_seed(), sent = 0, cancelled = 0;
    sips p = { 0 };
    edo_stream *s;
    CHECK_OK(connect_pair(&s, &p.s));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, sip, &p));
    while (sent < test_scale(100000)) {
        edo_scope scope;
        edo_scope_open(&scope, short_while(&random) / 8);
        int rc = edo_scope_close(&scope, (int)edo_write(s, "x", 1));
        if (rc == -ETIMEDOUT) {
            cancelled++;
            continue;
        }
        CHECK_INT(rc, ==, 1);
        sent++;
    }
    CHECK_UINT(cancelled, >, 0);
    CHECK_OK(edo_shutdown(s));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(p.got, ==, sent);
    edo_close(s);
    edo_close(p.s);
    return 0;
}

TEST_TIMEOUT(writes_send_nothing, 60)
{
    run_on(1, write_storm, NULL);
    run_on(2, write_storm, NULL);
}

/* True: a write was cut off after some bytes, not before the first. */
static bool cut_off(const char *buf, size_t size, int64_t after)
{
    edo_stream *s, *peer;
    CHECK_OK(connect_pair(&s, &peer));
    edo_scope scope;
    edo_scope_open(&scope, after);
    ssize_t n = edo_write(s, buf, size);
    CHECK_INT(edo_scope_close(&scope, (int)n), ==, -ETIMEDOUT);
    n = edo_write(s, buf, 1);
    CHECK(n == -EPIPE || n == 1);
    edo_close(s);
    edo_close(peer);
    return n == -EPIPE;
}

/* A write cut off in the middle: the stream says so once, and is no more use from then on. */
static int cut_off_body(void *arg)
{
    (void)arg;
    edo_stream *s, *peer;
    size_t size = 64 << 20;
    char *buf = calloc(1, size);
    edo_scope scope;
    ssize_t n;
    for (int64_t after = EDO_MS(20); !cut_off(buf, size, after); after *= 2)
        continue;
    /* Cancelled before the first byte: nothing has happened. */
    CHECK_OK(connect_pair(&s, &peer));
    edo_scope_open(&scope, 0);
    n = edo_write(s, buf, size);
    CHECK_INT(edo_scope_close(&scope, (int)n), ==, -ETIMEDOUT);
    CHECK_INT(edo_write(s, buf, 1), ==, 1);
    CHECK_INT(edo_read(peer, buf, size), ==, 1);
    edo_close(s);
    edo_close(peer);
    free(buf);
    return 0;
}

TEST(write_cut_off)
{
    run_on(1, cut_off_body, NULL);
}

/* Ready or not: under a cancelled scope nothing has an effect. */
static int level_triggered_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b, *none;
    edo_listener *l;
    char buf[8];
    CHECK_OK(connect_pair(&a, &b));
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", NULL));
    CHECK_INT(edo_write(a, "data", 4), ==, 4);
    CHECK_INT(edo_wait_fd(edo_stream_fd(b), EDO_READABLE), ==, EDO_READABLE);
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_read(b, buf, 4), ==, -ECANCELED);
    CHECK_INT(edo_read(b, buf, 0), ==, -ECANCELED);
    CHECK_INT(edo_read_full(b, buf, 4), ==, -ECANCELED);
    CHECK_INT(edo_write(b, buf, 4), ==, -ECANCELED);
    CHECK_INT(edo_wait_fd(edo_stream_fd(b), EDO_READABLE), ==, -ECANCELED);
    CHECK_INT(edo_accept(l, &none), ==, -ECANCELED);
    CHECK_INT(edo_tcp_connect(&none, "127.0.0.1:1", NULL), ==, -ECANCELED);
    CHECK_INT(edo_tcp_listen(&l, "127.0.0.1:0", NULL), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_INT(edo_read_full(b, buf, 4), ==, 4);
    CHECK_MEM(buf, "data", 4);
    edo_close(a);
    edo_close(b);
    edo_listener_close(l);
    return 0;
}

TEST(cancelled_calls_have_no_effect)
{
    run_on(1, level_triggered_body, NULL);
}

/* Accepts and connects under deadlines: every connection made is accepted exactly once. */
typedef struct door {
    edo_listener *l;
    char address[32];
    uint64_t accepted, connected; /* atomic */
    uint64_t seed;
} door;

static int accepts(void *arg)
{
    door *d = arg;
    uint64_t random = d->seed ^ edo_task_id();
    for (;;) {
        edo_stream *s;
        edo_scope scope;
        edo_scope_open(&scope, short_while(&random));
        int rc = edo_accept(d->l, &s);
        rc = edo_scope_close(&scope, rc);
        if (rc == -ECANCELED)
            return 0;
        if (rc == -ETIMEDOUT)
            continue;
        CHECK_OK(rc);
        /* Connects that were given up may be in the queue as well: they end without a byte. */
        char c;
        edo_scope shield;
        edo_shield_open(&shield, EDO_SEC(20));
        ssize_t n = edo_read(s, &c, 1);
        CHECK(n == 1 || n == 0 || n == -ECONNRESET);
        if (n == 1)
            __atomic_fetch_add(&d->accepted, 1, __ATOMIC_RELAXED);
        edo_close(s);
        (void)edo_scope_close(&shield, 0);
    }
}

static int connects(void *arg)
{
    door *d = arg;
    uint64_t random = d->seed ^ (edo_task_id() << 32);
    for (unsigned i = 0, n = test_scale(200); i < n; i++) {
        edo_stream *s;
        edo_scope scope;
        edo_scope_open(&scope, i % 16 == 0 ? EDO_FOREVER : short_while(&random));
        int rc = edo_tcp_connect(&s, d->address, NULL);
        rc = edo_scope_close(&scope, rc);
        if (rc == -ETIMEDOUT)
            continue;
        CHECK_OK(rc);
        CHECK_INT(edo_write(s, "x", 1), ==, 1);
        CHECK_OK(edo_shutdown(s));
        char c;
        CHECK_INT(edo_read(s, &c, 1), ==, 0); /* the other side has counted it */
        edo_close(s);
        __atomic_fetch_add(&d->connected, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int door_storm(void *arg)
{
    (void)arg;
    unsigned fds = count_fds();
    door d = { .seed = test_seed() };
    CHECK_OK(edo_tcp_listen(&d.l, "127.0.0.1:0", NULL));
    snprintf(d.address, sizeof d.address, "127.0.0.1:%u", edo_listener_port(d.l));
    edo_group in, out;
    edo_group_open(&in, NULL);
    edo_group_open(&out, NULL);
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&in, accepts, &d));
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&out, connects, &d));
    CHECK_OK(edo_group_close(&out));
    edo_group_cancel(&in);
    (void)edo_group_close(&in);
    CHECK_UINT(d.connected, >, 0);
    CHECK_UINT(d.accepted, ==, d.connected);
    edo_listener_close(d.l);
    CHECK_INT(count_fds(), ==, fds);
    CHECK_INT(known_fds(), ==, 0);
    return 0;
}

TEST_TIMEOUT(accepts_and_connects, 120)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        run_on(workers, door_storm, NULL);
}

/* Cancels from a thread outside, while data arrives. */
typedef struct outside {
    edo_token *token; /* under lock */
    pthread_mutex_t lock;
    bool stop; /* under lock */
} outside;

static void *cancels(void *arg)
{
    outside *o = arg;
    bool stop = false;
    while (!stop) {
        pthread_mutex_lock(&o->lock);
        edo_token *t = o->token != NULL ? edo_token_ref(o->token) : NULL;
        stop = o->stop;
        pthread_mutex_unlock(&o->lock);
        if (t != NULL)
            edo_token_cancel(t);
        edo_token_release(t);
        sched_yield();
    }
    return NULL;
}

static void set_token(outside *o, edo_token *t)
{
    pthread_mutex_lock(&o->lock);
    o->token = t;
    pthread_mutex_unlock(&o->lock);
}

static int token_storm(void *arg)
{
    outside *o = arg;
    talk t = { .bytes = test_scale(20000), .seed = test_seed() };
    talk to = t;
    CHECK_OK(connect_pair(&t.s, &to.s));
    edo_group g;
    edo_group_open(&g, NULL);
    uint64_t have = 0, cancelled = 0;
    int n = 1;
    while (n != 0) {
        unsigned char buf[64];
        edo_token *token;
        edo_scope s;
        CHECK_OK(edo_token_create(&token));
        CHECK_OK(edo_scope_open_token(&s, token, EDO_FOREVER));
        set_token(o, token);
        n = (int)edo_read(t.s, buf, sizeof buf);
        set_token(o, NULL);
        (void)edo_scope_close(&s, n);
        edo_token_release(token);
        if (n == -ECANCELED) {
            if (cancelled++ == 0) /* the canceller is at work: now there is something to read */
                CHECK_OK(edo_spawn(&g, speak, &to));
            continue;
        }
        CHECK_OK(n);
        for (int i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, text_byte(7, have + (uint64_t)i));
        have += (uint64_t)n;
    }
    CHECK_UINT(have, ==, t.bytes);
    CHECK_OK(edo_group_close(&g));
    edo_close(t.s);
    edo_close(to.s);
    return 0;
}

TEST_TIMEOUT(tokens_from_outside, 60)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        outside o = { .lock = PTHREAD_MUTEX_INITIALIZER };
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, cancels, &o), ==, 0);
        run_on(workers, token_storm, &o);
        pthread_mutex_lock(&o.lock);
        o.stop = true;
        pthread_mutex_unlock(&o.lock);
        pthread_join(thread, NULL);
    }
}

TEST_MAIN()
