/* SPDX-License-Identifier: MIT */
/* Every kind of I/O operation, cancelled at any moment and tried again, for as long as is wanted: see
 * soak.h. A cancelled operation has taken and sent nothing, does not touch its buffers any more, and
 * leaves no descriptor and no memory behind.
 *
 * Another kind is another line in `kinds`. A round makes what it needs, works through it with
 * operations at risk, checks that every byte has come through, and gives everything back. */
#include "soak.h"

#define WORKERS 3
#define TASKS 2     /* per kind */
#define TEXT 20000u /* bytes of a text, at most */
#define CHUNK 3000u /* of an operation, at most */
#define BIG 300000u /* more than any buffer on the way takes */
#define GUESTS 8u   /* connections of a round, at most */

/* ---- partners that nobody cancels ---- */

typedef struct partner {
    edo_stream *s;
    uint64_t key, seed;
    uint64_t bytes; /* to be spoken, or heard */
} partner;

static int speak(void *arg)
{
    partner *p = arg;
    soak none = { 0 };
    soaker k = soaker_of(&none, p->seed);
    unsigned char buf[CHUNK];
    for (uint64_t at = 0; at < p->bytes;) {
        size_t n = 1 + soak_below(&k, CHUNK);
        n = n < p->bytes - at ? n : p->bytes - at;
        soak_fill(buf, n, p->key, at);
        CHECK_INT(edo_write(p->s, buf, n), ==, n);
        at += n;
        soak_pause(&k);
    }
    soak_finish(&p->s);
    return 0;
}

static int listen_to(void *arg)
{
    partner *p = arg;
    soak none = { 0 };
    soaker k = soaker_of(&none, p->seed);
    unsigned char buf[CHUNK];
    ssize_t n;
    while ((n = edo_read(p->s, buf, 1 + soak_below(&k, CHUNK))) > 0) {
        soak_check(buf, (size_t)n, p->key, p->bytes);
        p->bytes += (uint64_t)n;
        soak_pause(&k);
    }
    CHECK_INT(n, ==, 0);
    return 0;
}

static partner partner_of(soaker *k, edo_stream *s, uint64_t bytes)
{
    return (partner){ s, .key = test_rand(&k->random), .seed = test_rand(&k->random), bytes };
}

static uint64_t length(soaker *k)
{
    return 1 + soak_below(k, test_scale(TEXT));
}

/* ---- reading ---- */

/* Takes some bytes of a text from position `at` on; how many, 0 at the end, or a code. */
typedef int64_t taking(soaker *k, edo_stream *s, uint64_t key, uint64_t at);

static int64_t take_read(soaker *k, edo_stream *s, uint64_t key, uint64_t at)
{
    size_t room = 1 + soak_below(k, CHUNK);
    unsigned char *buf = soak_buffer(room);
    risk r;
    risk_begin(k, &r);
    int64_t n = risk_end(k, &r, edo_read(s, buf, room));
    if (n > 0)
        soak_check(buf, (size_t)n, key, at);
    soak_retire(k, buf, room);
    return n;
}

static int64_t take_readv(soaker *k, edo_stream *s, uint64_t key, uint64_t at)
{
    size_t first = 1 + soak_below(k, CHUNK), second = 1 + soak_below(k, CHUNK);
    struct iovec iov[2] = { { soak_buffer(first), first }, { soak_buffer(second), second } };
    risk r;
    risk_begin(k, &r);
    int64_t n = risk_end(k, &r, edo_readv(s, iov, 2));
    if (n > 0) {
        size_t got = (size_t)n, in_first = got < first ? got : first;
        soak_check(iov[0].iov_base, in_first, key, at);
        soak_check(iov[1].iov_base, got - in_first, key, at + in_first);
    }
    soak_retire(k, iov[0].iov_base, first);
    soak_retire(k, iov[1].iov_base, second);
    return n;
}

static int take_all(soaker *k, taking *take)
{
    edo_stream *w, *r;
    soak_line(k, &w, &r);
    partner p = partner_of(k, w, length(k));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, speak, &p));
    uint64_t at = 0;
    int64_t n;
    while ((n = take(k, r, p.key, at)) != 0) {
        if (n == -ECANCELED)
            continue;
        CHECK_OK(n);
        at += (uint64_t)n;
    }
    CHECK_UINT(at, ==, p.bytes);
    CHECK_OK(edo_group_close(&g));
    edo_close(p.s);
    edo_close(r);
    return 0;
}

static int round_read(soaker *k)
{
    return take_all(k, take_read);
}

static int round_readv(soaker *k)
{
    return take_all(k, take_readv);
}

/* A reader keeps what it has buffered when it is cancelled. */
static int round_reader(soaker *k)
{
    edo_stream *w, *s;
    soak_line(k, &w, &s);
    partner p = partner_of(k, w, length(k));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, speak, &p));
    edo_reader reader;
    CHECK_OK(edo_reader_init(&reader, s, &(edo_reader_options){ .size = 1 + soak_below(k, 4096) }));
    for (uint64_t at = 0; at < p.bytes;) {
        const void *data;
        size_t n = 1 + soak_below(k, CHUNK);
        n = n < p.bytes - at ? n : p.bytes - at;
        risk r;
        risk_begin(k, &r);
        int64_t got = risk_end(k, &r, edo_reader_exact(&reader, n, &data));
        if (got == -ECANCELED)
            continue;
        CHECK_INT(got, ==, n);
        soak_check(data, n, p.key, at);
        at += n;
    }
    CHECK_INT(edo_reader_fill(&reader, NULL), ==, 0);
    CHECK_OK(edo_group_close(&g));
    edo_reader_deinit(&reader);
    edo_close(p.s);
    edo_close(s);
    return 0;
}

/* ---- writing ---- */

static int round_write_some(soaker *k)
{
    edo_stream *w, *r;
    soak_line(k, &w, &r);
    partner p = partner_of(k, r, 0);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, listen_to, &p));
    uint64_t sent = 0, bytes = length(k);
    while (sent < bytes) {
        size_t n = 1 + soak_below(k, CHUNK);
        unsigned char *buf = soak_buffer(n);
        soak_fill(buf, n, p.key, sent);
        risk at;
        risk_begin(k, &at);
        int64_t done = risk_end(k, &at, edo_write_some(w, buf, n));
        soak_retire(k, buf, n);
        if (done == -ECANCELED)
            continue;
        CHECK_INT(done, >, 0);
        CHECK_INT(done, <=, n);
        sent += (uint64_t)done;
    }
    soak_finish(&w);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(p.bytes, ==, sent);
    edo_close(w);
    edo_close(p.s);
    return 0;
}

/* edo_write() or edo_writev() of n bytes at risk. */
static int64_t put(soaker *k, edo_stream *w, unsigned char *buf, size_t n, bool pieces)
{
    size_t first = soak_below(k, n);
    struct iovec iov[2] = { { buf, first }, { buf + first, n - first } };
    risk r;
    risk_begin(k, &r);
    return risk_end(k, &r, pieces ? edo_writev(w, iov, 2) : edo_write(w, buf, n));
}

/* All or nothing; or, when it was cut in the middle, a stream that says so for ever after. */
static int put_all(soaker *k, bool pieces)
{
    edo_stream *w, *r;
    soak_line(k, &w, &r);
    partner p = partner_of(k, r, 0);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, listen_to, &p));
    uint64_t sent = 0, bytes = length(k), maybe = 0;
    while (sent < bytes && maybe == 0) {
        size_t n = 1 + soak_below(k, soak_below(k, 16) == 0 ? test_scale(BIG) : CHUNK);
        unsigned char *buf = soak_buffer(n);
        soak_fill(buf, n, p.key, sent);
        int64_t done = put(k, w, buf, n, pieces);
        soak_retire(k, buf, n);
        if (done == -ECANCELED) {
            unsigned char next = text_byte(p.key, sent);
            ssize_t probe = edo_write(w, &next, 1);
            CHECK(probe == 1 || probe == -EPIPE);
            *(probe == 1 ? &sent : &maybe) += probe == 1 ? 1 : n;
            continue;
        }
        CHECK_INT(done, ==, n);
        sent += n;
    }
    soak_finish(&w);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(p.bytes, >=, sent);
    CHECK_UINT(p.bytes, <=, sent + maybe);
    edo_close(w);
    edo_close(p.s);
    return 0;
}

static int round_write(soaker *k)
{
    return put_all(k, false);
}

static int round_writev(soaker *k)
{
    return put_all(k, true);
}

/* ---- copies ---- */

/* from --w1--> r1 --(the copy)--> w2 --> to */
typedef struct relay {
    edo_stream *r1, *w2;
    partner from, to;
    edo_group g;
} relay;

static void relay_open(soaker *k, relay *y)
{
    soak_line(k, &y->from.s, &y->r1);
    soak_line(k, &y->w2, &y->to.s);
    y->from = partner_of(k, y->from.s, length(k));
    y->to = partner_of(k, y->to.s, 0);
    y->to.key = y->from.key;
    edo_group_open(&y->g, NULL);
    CHECK_OK(edo_spawn(&y->g, speak, &y->from));
    CHECK_OK(edo_spawn(&y->g, listen_to, &y->to));
}

static void relay_close(relay *y)
{
    soak_finish(&y->w2);
    CHECK_OK(edo_group_close(&y->g));
    CHECK_UINT(y->to.bytes, ==, y->from.bytes);
    edo_close(y->from.s);
    edo_close(y->r1);
    edo_close(y->w2);
    edo_close(y->to.s);
}

static int round_copy(soaker *k)
{
    relay y;
    relay_open(k, &y);
    edo_copy_state state = EDO_COPY_STATE_INIT;
    uint64_t copied, all = 0;
    while (!state.ended) {
        edo_copy_options o = { .state = &state, .copied = &copied };
        o.limit = soak_below(k, 4) == 0 ? 1 + soak_below(k, CHUNK) : 0;
        risk r;
        risk_begin(k, &r);
        int64_t n = risk_end(k, &r, edo_copy_with(y.w2, y.r1, &o));
        all += copied;
        CHECK(n == -ECANCELED || n == (int64_t)copied);
        CHECK_UINT(state.written, ==, all);
        CHECK_UINT(state.read, >=, state.written);
    }
    CHECK_UINT(state.read, ==, y.from.bytes);
    CHECK_UINT(all, ==, y.from.bytes);
    edo_copy_state_deinit(&state);
    relay_close(&y);
    return 0;
}

static int round_reader_copy(soaker *k)
{
    relay y;
    relay_open(k, &y);
    edo_reader reader;
    CHECK_OK(edo_reader_init(&reader, y.r1, NULL));
    uint64_t all = 0, copied;
    while (all < y.from.bytes) {
        risk r;
        risk_begin(k, &r);
        int64_t rc = risk_end(k, &r, edo_reader_copy(&reader, y.w2, UINT64_MAX, &copied));
        all += copied;
        CHECK(rc == -ECANCELED || (rc == 0 && all == y.from.bytes));
    }
    edo_reader_deinit(&reader);
    relay_close(&y);
    return 0;
}

/* client <--> a (the copy) b <--> server, both of which speak and listen. */
static int round_copy_both(soaker *k)
{
    edo_stream *client, *a, *b, *server;
    soak_pair(k, &client, &a);
    soak_pair(k, &b, &server);
    partner up = partner_of(k, client, length(k)), down = partner_of(k, server, length(k));
    partner at_server = { server, up.key, test_rand(&k->random), 0 };
    partner at_client = { client, down.key, test_rand(&k->random), 0 };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, speak, &up));
    CHECK_OK(edo_spawn(&g, speak, &down));
    CHECK_OK(edo_spawn(&g, listen_to, &at_server));
    CHECK_OK(edo_spawn(&g, listen_to, &at_client));
    edo_copy_state state[2] = { EDO_COPY_STATE_INIT, EDO_COPY_STATE_INIT };
    edo_copied once, all = { 0, 0 };
    int64_t rc;
    do {
        risk r;
        risk_begin(k, &r);
        edo_copy_options o = { .state = state, .buffer_size = 1 + soak_below(k, 20000) };
        rc = risk_end(k, &r, edo_copy_both_with(a, b, &o, &once));
        all.a_to_b += once.a_to_b;
        all.b_to_a += once.b_to_a;
    } while (rc == -ECANCELED);
    CHECK_OK(rc);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(at_server.bytes, ==, up.bytes);
    CHECK_UINT(at_client.bytes, ==, down.bytes);
    CHECK_UINT(all.a_to_b, ==, up.bytes);
    CHECK_UINT(all.b_to_a, ==, down.bytes);
    for (int i = 0; i < 2; i++)
        edo_copy_state_deinit(&state[i]);
    edo_close(client);
    edo_close(a);
    edo_close(b);
    edo_close(server);
    return 0;
}

/* ---- connections ---- */

typedef struct door {
    edo_listener *l;
    char address[32];
    uint64_t met; /* atomic: guests that were heard */
} door;

static void door_open(door *d)
{
    d->met = 0;
    CHECK_OK(edo_tcp_listen(&d->l, "127.0.0.1:0", NULL));
    snprintf(d->address, sizeof d->address, "127.0.0.1:%u", edo_listener_port(d->l));
}

static void say_hello(edo_stream *s)
{
    char c;
    CHECK_INT(edo_write(s, "x", 1), ==, 1);
    CHECK_OK(edo_shutdown(s));
    CHECK_INT(edo_read(s, &c, 1), ==, 0); /* the other side has counted it */
    edo_close(s);
}

/* A connect that was given up may be in the queue as well: it ends without a byte. */
static void hear_hello(door *d, edo_stream *s)
{
    char c;
    edo_scope shield;
    edo_shield_open(&shield, EDO_FOREVER);
    ssize_t n = edo_read(s, &c, 1);
    CHECK(n == 1 || n == 0 || n == -ECONNRESET);
    if (n == 1)
        __atomic_fetch_add(&d->met, 1, __ATOMIC_RELAXED);
    edo_close(s);
    (void)edo_scope_close(&shield, 0);
}

static int guest(void *arg)
{
    door *d = arg;
    edo_stream *s;
    CHECK_OK(edo_tcp_connect(&s, d->address, NULL));
    say_hello(s);
    return 0;
}

static int host(void *arg)
{
    door *d = arg;
    edo_stream *s;
    int rc;
    while ((rc = edo_accept(d->l, &s)) == 0)
        hear_hello(d, s);
    CHECK_INT(rc, ==, -ECANCELED);
    return 0;
}

static int round_accept(soaker *k)
{
    door d;
    door_open(&d);
    edo_group g;
    edo_group_open(&g, NULL);
    unsigned guests = 1 + (unsigned)soak_below(k, GUESTS);
    for (unsigned i = 0; i < guests; i++)
        CHECK_OK(edo_spawn(&g, guest, &d));
    for (unsigned i = 0; i < guests;) {
        edo_stream *s;
        risk r;
        risk_begin(k, &r);
        int64_t rc = risk_end(k, &r, edo_accept(d.l, &s));
        if (rc == -ECANCELED)
            continue;
        CHECK_OK(rc);
        hear_hello(&d, s);
        i++;
    }
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(d.met, ==, guests);
    edo_listener_close(d.l);
    return 0;
}

static int round_connect(soaker *k)
{
    door d;
    door_open(&d);
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .keep_going = true });
    for (int i = 0; i < 2; i++)
        CHECK_OK(edo_spawn(&g, host, &d));
    unsigned met = 0, wanted = 1 + (unsigned)soak_below(k, GUESTS);
    while (met < wanted) {
        edo_stream *s;
        risk r;
        risk_begin(k, &r);
        int64_t rc = risk_end(k, &r, edo_tcp_connect(&s, d.address, NULL));
        if (rc == -ECANCELED)
            continue;
        CHECK_OK(rc);
        say_hello(s);
        met++;
    }
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    CHECK_UINT(d.met, ==, met);
    edo_listener_close(d.l);
    return 0;
}

/* ---- descriptors of others ---- */

/* Writes bytes one by one, or takes what is there, as a library with a descriptor does. */
typedef struct stranger {
    int fd;
    uint64_t seed, bytes;
} stranger;

static int drip(void *arg)
{
    stranger *p = arg;
    soak none = { 0 };
    soaker k = soaker_of(&none, p->seed);
    for (uint64_t i = 0; i < p->bytes; i++) {
        CHECK_INT(write(p->fd, "x", 1), ==, 1);
        soak_pause(&k);
    }
    return 0;
}

static int drain(void *arg)
{
    stranger *p = arg;
    soak none = { 0 };
    soaker k = soaker_of(&none, p->seed);
    char buf[CHUNK];
    for (uint64_t left = p->bytes; left > 0;) {
        ssize_t n = read(p->fd, buf, left < CHUNK ? left : CHUNK);
        CHECK(n > 0 || (n < 0 && errno == EAGAIN));
        left -= n > 0 ? (uint64_t)n : 0;
        CHECK_OK(edo_yield());
        soak_pause(&k);
    }
    return 0;
}

static int64_t wait_at_risk(soaker *k, int fd, unsigned events)
{
    risk r;
    risk_begin(k, &r);
    int64_t rc = risk_end(k, &r, edo_wait_fd(fd, events));
    CHECK(rc == -ECANCELED || rc == (int64_t)events);
    return rc;
}

static int round_wait_readable(soaker *k)
{
    int fds[2];
    CHECK_OK(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
    stranger p = { fds[1], test_rand(&k->random), 1 + soak_below(k, 100) };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, drip, &p));
    for (uint64_t got = 0; got < p.bytes;) {
        char c;
        if (wait_at_risk(k, fds[0], EDO_READABLE) < 0)
            continue;
        CHECK_INT(read(fds[0], &c, 1), ==, 1);
        got++;
    }
    CHECK_OK(edo_group_close(&g));
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static int round_wait_writable(soaker *k)
{
    static const char text[CHUNK];
    int fds[2], small = 4096;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    CHECK_OK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    stranger p = { fds[0], test_rand(&k->random), length(k) };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, drain, &p));
    for (uint64_t left = p.bytes; left > 0;) {
        if (wait_at_risk(k, fds[1], EDO_WRITABLE) < 0)
            continue;
        ssize_t n = write(fds[1], text, left < CHUNK ? left : CHUNK);
        CHECK_INT(n, >, 0);
        left -= (uint64_t)n;
    }
    CHECK_OK(edo_group_close(&g));
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static int round_select(soaker *k)
{
    int fds[2][2];
    stranger p[2];
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pipe2(fds[i], O_CLOEXEC | O_NONBLOCK));
        p[i] = (stranger){ fds[i][1], test_rand(&k->random), 1 + soak_below(k, 60) };
        CHECK_OK(edo_spawn(&g, drip, &p[i]));
    }
    uint64_t got = 0, times = 0;
    while (got < p[0].bytes + p[1].bytes) {
        edo_case cases[] = { EDO_READABLE(fds[0][0]), EDO_READABLE(fds[1][0]),
                             EDO_AFTER((int64_t)(1000 + soak_below(k, 200000))) };
        risk r;
        risk_begin(k, &r);
        int64_t which = risk_end(k, &r, edo_select(cases, 3));
        char c;
        if (which == -ECANCELED)
            continue;
        CHECK(which >= 0 && which <= 2);
        if (which == 2) {
            times++;
            continue;
        }
        CHECK_INT(cases[which].result, ==, EDO_READABLE);
        CHECK_INT(read(fds[which][0], &c, 1), ==, 1);
        got++;
    }
    CHECK_OK(edo_group_close(&g));
    for (int i = 0; i < 4; i++)
        close(fds[i / 2][i % 2]);
    return 0;
}

/* ---- all of them ---- */

typedef struct kind {
    const char *name;
    int (*round)(soaker *k);
    uint64_t rounds, done, cancelled; /* atomic */
} kind;

static kind kinds[] = {
    { .name = "read", .round = round_read },
    { .name = "readv", .round = round_readv },
    { .name = "reader", .round = round_reader },
    { .name = "write_some", .round = round_write_some },
    { .name = "write", .round = round_write },
    { .name = "writev", .round = round_writev },
    { .name = "copy", .round = round_copy },
    { .name = "reader_copy", .round = round_reader_copy },
    { .name = "copy_both", .round = round_copy_both },
    { .name = "accept", .round = round_accept },
    { .name = "connect", .round = round_connect },
    { .name = "wait_fd, readable", .round = round_wait_readable },
    { .name = "wait_fd, writable", .round = round_wait_writable },
    { .name = "select", .round = round_select },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

typedef struct shift { /* one task */
    soak *all;
    kind *kind;
    uint64_t seed;
} shift;

static int work(void *arg)
{
    shift *s = arg;
    soaker k = soaker_of(s->all, s->seed);
    do {
        CHECK_OK(s->kind->round(&k));
        __atomic_fetch_add(&s->kind->rounds, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->kind->done, k.done, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->kind->cancelled, k.cancelled, __ATOMIC_RELAXED);
        k.done = k.cancelled = 0;
    } while (!soak_is_over(s->all));
    soaker_end(&k);
    return 0;
}

static bool all_met(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (__atomic_load_n(&kinds[i].done, __ATOMIC_RELAXED) == 0 ||
            __atomic_load_n(&kinds[i].cancelled, __ATOMIC_RELAXED) == 0)
            return false;
    }
    return true;
}

/* Until the time is over and every kind was cancelled and has happened. */
static void soak_all(soak *all, double seconds, uint64_t *random)
{
    shift shifts[KINDS * TASKS];
    for (size_t i = 0; i < KINDS; i++)
        kinds[i].rounds = kinds[i].done = kinds[i].cancelled = 0;
    soak_begin(all);
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .name = "soak" });
    for (size_t i = 0; i < KINDS * TASKS; i++) {
        shifts[i] = (shift){ all, &kinds[i % KINDS], test_rand(random) };
        CHECK_OK(edo_spawn(&g, work, &shifts[i]));
    }
    int64_t until = edo_now() + (int64_t)(seconds * 1e9);
    while (edo_now() < until || !all_met())
        CHECK_OK(edo_sleep(EDO_MS(10)));
    __atomic_store_n(&all->over, 1, __ATOMIC_RELEASE);
    CHECK_OK(edo_group_close(&g));
    soak_end(all);
}

static int cancels_body(void *arg)
{
    (void)arg;
    soak all;
    uint64_t random = test_seed();
    double seconds = soak_seconds(1);
    soak_all(&all, seconds / 8, &random); /* all that is kept for reuse is there from here on */
    soak_state before = soak_measure();
    soak_all(&all, seconds, &random);
    soak_compare(&before, WORKERS);
    for (size_t i = 0; i < KINDS; i++)
        fprintf(stderr, "%-18s %8llu rounds, %9llu operations, %9llu cancelled\n", kinds[i].name,
                (unsigned long long)kinds[i].rounds, (unsigned long long)kinds[i].done,
                (unsigned long long)kinds[i].cancelled);
    return 0;
}

TEST_TIMEOUT(cancels, 120)
{
    test_on_timeout(dump_all);
    run_on(WORKERS, cancels_body, NULL);
}

TEST_MAIN()
