/* SPDX-License-Identifier: MIT */
/* Copies between descriptors: much goes through a pipe of the kernel's, and whatever happens meanwhile,
 * no byte is lost, told twice, or taken from behind a limit. */
#include "net_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

typedef struct ends {
    edo_stream *w, *src; /* what is written to w is read from src ... */
    edo_stream *dst, *r; /* ... and what is copied to dst is read from r */
} ends;

/* With little room on the way, so that who does not read is felt soon. */
static void tcp_pair(edo_stream **a, edo_stream **b)
{
    const edo_tcp_options o = { .sndbuf = 65536, .rcvbuf = 65536 };
    edo_listener *l;
    char address[32];
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", &o));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(a, address, &o));
    CHECK_OK(edo_accept(l, b));
    edo_listener_close(l);
}

static void pipe_pair(edo_stream **w, edo_stream **r)
{
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    CHECK_OK(edo_stream_from_fd(r, p[0]));
    CHECK_OK(edo_stream_from_fd(w, p[1]));
}

enum { TCP, UNIX, PIPE, KINDS };

static void make_pair(int kind, edo_stream **w, edo_stream **r)
{
    if (kind == TCP)
        tcp_pair(w, r);
    else if (kind == UNIX)
        CHECK_OK(edo_unix_pair(w, r));
    else
        pipe_pair(w, r);
}

static ends open_ends(int from, int to)
{
    ends e;
    make_pair(from, &e.w, &e.src);
    make_pair(to, &e.dst, &e.r);
    return e;
}

static void close_ends(ends *e)
{
    edo_close(e->w);
    edo_close(e->src);
    edo_close(e->dst);
    edo_close(e->r);
}

/* ---- who writes and who reads ---- */

typedef struct party {
    edo_stream *s;
    uint64_t bytes, at;
    bool keeps_open;
} party;

static int writes(void *arg)
{
    party *p = arg;
    unsigned char *buf = malloc(100000);
    CHECK(buf != NULL);
    while (p->at < p->bytes) {
        size_t n = p->bytes - p->at < 100000 ? (size_t)(p->bytes - p->at) : 100000;
        for (size_t i = 0; i < n; i++)
            buf[i] = text_byte(9, p->at + i);
        ssize_t done = edo_write(p->s, buf, n);
        if (done < 0) {
            free(buf);
            return (int)done;
        }
        p->at += n;
    }
    free(buf);
    if (!p->keeps_open && edo_shutdown(p->s) == -ENOTSOCK) { /* a pipe */
        edo_close(p->s);
        p->s = NULL;
    }
    return 0;
}

static void check_text(const unsigned char *buf, size_t n, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        if (buf[i] != text_byte(9, at + i))
            FAIL("byte %llu is wrong", (unsigned long long)(at + i));
}

/* Up to so many bytes, or the end. */
static int reads(void *arg)
{
    party *p = arg;
    unsigned char *buf = malloc(70000);
    CHECK(buf != NULL);
    ssize_t n = 1;
    while (p->at < p->bytes && n > 0) {
        n = edo_read(p->s, buf, p->bytes - p->at < 70000 ? (size_t)(p->bytes - p->at) : 70000);
        if (n > 0) {
            check_text(buf, (size_t)n, p->at);
            p->at += (uint64_t)n;
        }
    }
    free(buf);
    return n < 0 ? (int)n : 0;
}

#define MUCH 4000000u

static int whole_body(void *arg)
{
    int from = *(int *)arg / KINDS, to = *(int *)arg % KINDS;
    unsigned fds = count_fds();
    ends e = open_ends(from, to);
    party writer = { .s = e.w, .bytes = test_scale(MUCH) }, reader = { .s = e.r };
    reader.bytes = writer.bytes;
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes, &writer));
    CHECK_OK(edo_spawn(&g, reads, &reader));
    CHECK_INT(edo_copy(e.dst, e.src), ==, writer.bytes);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(reader.at, ==, writer.bytes);
    e.w = writer.s;
    close_ends(&e);
    CHECK_INT(count_fds(), ==, fds);
    return 0;
}

TEST_TIMEOUT(from_each_to_each, 60)
{
    for (int kinds = 0; kinds < KINDS * KINDS; kinds++) {
        run_on(1, whole_body, &kinds);
        run_on(2, whole_body, &kinds);
    }
}

/* Half of it is on its way and nobody reads: where much flows there is a pipe, where little does there
 * is none. */
static int copies(void *arg)
{
    ends *e = arg;
    return edo_copy(e->dst, e->src) < 0 ? -EPROTO : 0;
}

static int pipe_body(void *arg)
{
    (void)arg;
    ends e = open_ends(TCP, TCP);
    unsigned before = count_fds(), during = before;
    party writer = { .s = e.w, .bytes = MUCH }, reader = { .s = e.r };
    edo_group g, from;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, copies, &e));
    for (int i = 0; i < 100; i++) { /* small messages, one after another */
        char c = (char)text_byte(9, (uint64_t)i);
        CHECK_INT(edo_write(e.w, &c, 1), ==, 1);
        reader.bytes++;
        CHECK_OK(reads(&reader));
    }
    CHECK_INT(count_fds(), ==, before);
    edo_group_open(&from, NULL);
    writer.at = 100;
    CHECK_OK(edo_spawn(&from, writes, &writer));
    while (during == before) {
        reader.bytes += 1000;
        CHECK_OK(reads(&reader));
        during = count_fds();
        CHECK_UINT(reader.at, <, writer.bytes);
    }
    CHECK_INT(during, ==, before + 2);
    reader.bytes = writer.bytes;
    CHECK_OK(reads(&reader));
    CHECK_OK(edo_group_close(&from));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(count_fds(), ==, before);
    close_ends(&e);
    return 0;
}

TEST_TIMEOUT(a_pipe_where_it_pays, 60)
{
    if (test_scale(1000) != 1000)
        SKIP("too slow for so many bytes");
    run_on(1, pipe_body, NULL);
}

/* What is behind the limit stays in the source. */
static int limit_body(void *arg)
{
    (void)arg;
    ends e = open_ends(TCP, TCP);
    uint64_t random = test_seed(), total = test_scale(MUCH), at = 0;
    party writer = { .s = e.w, .bytes = total }, reader = { .s = e.r, .bytes = total };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes, &writer));
    CHECK_OK(edo_spawn(&g, reads, &reader));
    while (at < total) {
        uint64_t n = 1 + test_rand(&random) % 500000;
        int64_t done = edo_copy_n(e.dst, e.src, n);
        CHECK_INT(done, ==, n < total - at ? n : total - at);
        at += (uint64_t)done;
        unsigned char c[3];
        ssize_t got = edo_peek(e.src, c, sizeof c);
        CHECK_OK(got);
        check_text(c, (size_t)got, at);
    }
    CHECK_OK(edo_group_close(&g));
    close_ends(&e);
    return 0;
}

TEST(limits)
{
    run_on(1, limit_body, NULL);
    run_on(2, limit_body, NULL);
}

/* ---- cut off anywhere ---- */

static int cut_off_body(void *arg)
{
    (void)arg;
    unsigned fds = count_fds();
    ends e = open_ends(TCP, UNIX);
    uint64_t random = test_seed() + 1;
    party writer = { .s = e.w, .bytes = test_scale(MUCH) * 2 }, reader = { .s = e.r };
    reader.bytes = writer.bytes;
    edo_copy_state st = EDO_COPY_STATE_INIT;
    edo_copy_options o = { .state = &st };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes, &writer));
    CHECK_OK(edo_spawn(&g, reads, &reader));
    int rc = -ETIMEDOUT;
    while (rc == -ETIMEDOUT) {
        edo_scope s;
        edo_scope_open(&s, (int64_t)(test_rand(&random) % 300000));
        int64_t n = edo_copy_with(e.dst, e.src, &o);
        rc = edo_scope_close(&s, n < 0 ? (int)n : 0);
        CHECK_UINT(st.written, <=, st.read);
    }
    CHECK_OK(rc);
    CHECK_UINT(st.written, ==, writer.bytes);
    CHECK_UINT(st.read, ==, writer.bytes);
    CHECK(st.ended);
    edo_copy_state_deinit(&st);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(reader.at, ==, writer.bytes);
    close_ends(&e);
    CHECK_INT(count_fds(), ==, fds);
    return 0;
}

TEST_TIMEOUT(cut_off_anywhere, 60)
{
    run_on(1, cut_off_body, NULL);
    run_on(2, cut_off_body, NULL);
}

/* Nobody reads, so that it ends with as much under way as there can be, and what is kept goes on to
 * another stream, which has no descriptor. */
typedef struct memory {
    uint64_t at;
} memory;

static ssize_t memory_write(void *ctx, const void *data, size_t n)
{
    memory *m = ctx;
    check_text(data, n, m->at);
    m->at += n;
    return (ssize_t)n;
}

static const edo_stream_ops memory_ops = { .write = memory_write };

static int elsewhere_body(void *arg)
{
    bool gone = *(bool *)arg; /* the first destination, or only cancelled */
    ends e = open_ends(TCP, TCP);
    party writer = { .s = e.w, .bytes = MUCH };
    edo_copy_state st = EDO_COPY_STATE_INIT;
    edo_copy_options o = { .state = &st };
    edo_stream *other;
    edo_scope s;
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes, &writer));
    int64_t n = -ECANCELED;
    while (st.read == st.written) { /* until there is something that dst does not take */
        edo_scope_open(&s, EDO_MS(100));
        n = edo_copy_with(e.dst, e.src, &o);
        CHECK_INT(edo_scope_close(&s, (int)n), ==, -ETIMEDOUT);
    }
    if (gone) {
        edo_close(e.r);
        e.r = NULL;
        n = 0;
        while (n >= 0)
            n = edo_copy_with(e.dst, e.src, &o);
        CHECK(n == -EPIPE || n == -ECONNRESET);
    }
    memory m = { .at = st.written };
    CHECK_OK(edo_stream_create(&other, &memory_ops, &m));
    n = edo_copy_with(other, e.src, &o);
    CHECK_INT(n, >, 0);
    CHECK_UINT(m.at, ==, writer.bytes);
    CHECK_UINT(st.written, ==, writer.bytes);
    CHECK_UINT(st.read, ==, writer.bytes);
    edo_copy_state_deinit(&st);
    CHECK_OK(edo_group_close(&g));
    edo_close(other);
    close_ends(&e);
    return 0;
}

TEST_TIMEOUT(goes_on_elsewhere, 60)
{
    if (test_scale(1000) != 1000)
        SKIP("too slow for so many bytes");
    unsigned fds = count_fds();
    for (int gone = 0; gone < 2; gone++) {
        bool is = gone != 0;
        run_on(1, elsewhere_body, &is);
        run_on(2, elsewhere_body, &is);
    }
    CHECK_INT(count_fds(), ==, fds);
}

/* The peer is gone: an error, and no signal ends the program. */
static int broken_body(void *arg)
{
    (void)arg;
    for (int kind = 0; kind < KINDS; kind++) {
        ends e = open_ends(TCP, kind);
        party writer = { .s = e.w, .bytes = MUCH };
        party reader = { .s = e.r, .bytes = 1000000 };
        edo_group from, g;
        edo_group_open(&from, &(edo_group_options){ .keep_going = true });
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&from, writes, &writer));
        CHECK_OK(edo_spawn(&g, copies, &e));
        CHECK_OK(reads(&reader));
        edo_close(e.r);
        e.r = NULL;
        CHECK_INT(edo_group_close(&g), ==, -EPROTO);
        CHECK_INT(edo_write(e.dst, "x", 1), ==, -EPIPE);
        edo_close(e.src);
        e.src = NULL;
        (void)edo_group_close(&from);
        close_ends(&e);
    }
    return 0;
}

TEST(nobody_reads_any_more)
{
    struct sigaction act = { .sa_handler = SIG_DFL };
    CHECK_OK(sigaction(SIGPIPE, &act, NULL));
    run_on(1, broken_body, NULL);
    edo_config config = { .workers = 1, .current_thread = true };
    CHECK_INT(edo_run(&config, broken_body, NULL), ==, 0);
}

/* ---- both ways, and short of descriptors ---- */

typedef struct proxy {
    edo_stream *a, *b;
} proxy;

static int proxies(void *arg)
{
    proxy *p = arg;
    return edo_copy_both(p->a, p->b);
}

static int both_body(void *arg)
{
    (void)arg;
    ends e = open_ends(TCP, UNIX);
    proxy p = { e.src, e.dst };
    party to = { .s = e.w, .bytes = test_scale(MUCH) }, at_r = { .s = e.r, .bytes = to.bytes };
    party back = { .s = e.r, .bytes = to.bytes / 2 }, at_w = { .s = e.w, .bytes = back.bytes };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, proxies, &p));
    CHECK_OK(edo_spawn(&g, writes, &to));
    CHECK_OK(edo_spawn(&g, reads, &at_r));
    CHECK_OK(edo_spawn(&g, writes, &back));
    CHECK_OK(edo_spawn(&g, reads, &at_w));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(at_r.at, ==, to.bytes);
    CHECK_UINT(at_w.at, ==, back.bytes);
    close_ends(&e);
    return 0;
}

TEST(both_ways)
{
    unsigned fds = count_fds();
    run_on(1, both_body, NULL);
    run_on(2, both_body, NULL);
    CHECK_INT(count_fds(), ==, fds);
}

static int short_of_fds_body(void *arg)
{
    ends e = open_ends(TCP, TCP);
    int spare[512], n = 0;
    party writer = { .s = e.w, .bytes = test_scale(MUCH) }, reader = { .s = e.r };
    reader.bytes = writer.bytes;
    while (n < 512 && (spare[n] = dup(0)) >= 0)
        n++;
    CHECK_INT(n, <, 512);
    if (*(bool *)arg) /* room for one descriptor, which is not enough */
        close(spare[--n]);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes, &writer));
    CHECK_OK(edo_spawn(&g, reads, &reader));
    CHECK_INT(edo_copy(e.dst, e.src), ==, writer.bytes);
    CHECK_OK(edo_group_close(&g));
    while (n > 0)
        close(spare[--n]);
    close_ends(&e);
    return 0;
}

TEST(short_of_descriptors)
{
    struct rlimit limit = { 100, 100 };
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    for (int one = 0; one < 2; one++) {
        bool room = one != 0;
        run_on(1, short_of_fds_body, &room);
    }
}

TEST_MAIN()
