/* SPDX-License-Identifier: MIT */
/* A proxy with many connections at a time: client <-> proxy <-> server, both of which speak and listen
 * at once. Calls are cancelled and tried again, the copies in the middle too; readers are slow; sides
 * reset the connection or leave in the middle, and the proxy hangs up. Every byte is accounted for:
 * where nobody left, all have arrived; where somebody did, each station has passed on no more than it
 * got, and what has arrived is the beginning of what was said. */
#include "soak.h"

#define WORKERS 3
#define HOUSES 8 /* addresses of each listener: ports are few, see connect_from() */
#define CHUNK 2000u

typedef enum fate { /* of a talk */
                    WHOLE,
                    CLIENT_RESETS,
                    CLIENT_LEAVES,
                    SERVER_RESETS,
                    SERVER_LEAVES,
                    PROXY_HANGS_UP,
                    FATES,
} fate;

typedef struct talk talk;

/* Client or server of a talk. */
typedef struct side {
    talk *t;
    edo_stream *s;
    uint64_t key, peer_key; /* what it says, and what it hears */
    uint64_t bytes;         /* to be said */
    uint64_t seed;
    uint64_t leave_at; /* after so many of its own; UINT64_MAX: never */
    bool resets;       /* when it leaves */
    bool slow, risky;
    uint64_t said, heard;
    bool heard_all; /* up to the end of the stream */
} side;

struct talk {
    struct proxy *all;
    fate fate;
    side client, server;
    uint64_t seed;
    int copy_code;
    edo_copy_state copies[2]; /* client to server, server to client */
    edo_event proxy_done, server_done;
};

typedef struct proxy {
    soak soak;
    edo_listener *front[HOUSES], *back[HOUSES];
    edo_group servers;            /* of proxy and server: their acceptors and connections */
    uint64_t talks[FATES], bytes; /* atomic: over */
    uint64_t cancelled;           /* atomic */
} proxy;

#define LEFT_BY_ITSELF (-EINTR) /* of one half of a side: the other one is to end as well */

static soaker soaker_on(side *d, uint64_t salt)
{
    return soaker_of(&d->t->all->soak, d->seed ^ salt);
}

static void soaker_over(side *d, soaker *k)
{
    __atomic_fetch_add(&d->t->all->cancelled, k->cancelled, __ATOMIC_RELAXED);
    soaker_end(k);
}

static void linger_on(const side *d, soaker *k)
{
    if (d->slow && soak_below(k, 4) == 0)
        CHECK_INT(edo_sleep((int64_t)soak_below(k, 3000000)), <=, 0);
}

/* One write_some() of what comes next; how much was taken, or a code. */
static int64_t say_some(side *d, soaker *k)
{
    size_t n = 1 + soak_below(k, CHUNK);
    n = n < d->bytes - d->said ? n : d->bytes - d->said;
    unsigned char *buf = soak_buffer(n);
    soak_fill(buf, n, d->key, d->said);
    risk r;
    if (d->risky)
        risk_begin(k, &r);
    int64_t done = edo_write_some(d->s, buf, n);
    if (d->risky)
        done = risk_end(k, &r, done);
    soak_retire(k, buf, n);
    return done;
}

static int say(void *arg)
{
    side *d = arg;
    soaker k = soaker_on(d, 1);
    int64_t done = 0;
    while (d->said < d->bytes && d->said < d->leave_at) {
        done = say_some(d, &k);
        if (done == -ECANCELED && d->risky && edo_checkpoint() == 0)
            continue;
        if (done < 0)
            break;
        d->said += (uint64_t)done;
        linger_on(d, &k);
    }
    if (done >= 0 && d->said >= d->leave_at)
        done = LEFT_BY_ITSELF;
    if (done >= 0)
        done = edo_shutdown(d->s);
    soaker_over(d, &k);
    return done < 0 ? (int)done : 0;
}

static int64_t hear_some(side *d, soaker *k)
{
    size_t room = 1 + soak_below(k, d->slow ? CHUNK / 4 : CHUNK);
    unsigned char *buf = soak_buffer(room);
    risk r;
    if (d->risky)
        risk_begin(k, &r);
    int64_t n = edo_read(d->s, buf, room);
    if (d->risky)
        n = risk_end(k, &r, n);
    if (n > 0)
        soak_check(buf, (size_t)n, d->peer_key, d->heard);
    soak_retire(k, buf, room);
    return n;
}

static int hear(void *arg)
{
    side *d = arg;
    soaker k = soaker_on(d, 2);
    int64_t n;
    while ((n = hear_some(d, &k)) != 0) {
        if (n == -ECANCELED && d->risky && edo_checkpoint() == 0)
            continue;
        if (n < 0)
            break;
        d->heard += (uint64_t)n;
        linger_on(d, &k);
    }
    d->heard_all = n == 0;
    soaker_over(d, &k);
    return n < 0 ? (int)n : 0;
}

/* What may come of a side that did not leave, when somebody else did. */
static bool is_broken(int code)
{
    return code == 0 || code == -ECONNRESET || code == -EPIPE || code == -ENOTCONN;
}

/* Both halves of a side at once; then its end of the connection is closed. */
static void live(side *d)
{
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, say, d));
    int heard = edo_spawn(&g, hear, d);
    CHECK(heard == 0 || heard == -ECANCELED); /* what was said has failed already */
    int code = edo_group_close(&g);
    if (d->leave_at != UINT64_MAX)
        CHECK(code == LEFT_BY_ITSELF || is_broken(code));
    else if (d->t->fate == WHOLE)
        CHECK_INT(code, ==, 0);
    else
        CHECK(is_broken(code));
    if (code == LEFT_BY_ITSELF && d->resets) {
        const struct linger now = { .l_onoff = 1, .l_linger = 0 };
        CHECK_OK(setsockopt(edo_stream_fd(d->s), SOL_SOCKET, SO_LINGER, &now, sizeof now));
    }
    edo_close(d->s);
    d->s = NULL;
}

/* ---- the server, and the proxy ---- */

/* A connection begins with the address of its talk. */
static talk *greeting(edo_stream *s)
{
    talk *t;
    CHECK_INT(edo_read_full(s, &t, sizeof t), ==, sizeof t);
    return t;
}

static int serve(void *stream)
{
    talk *t = greeting(stream);
    t->server.s = stream;
    live(&t->server);
    edo_event_set(&t->server_done);
    return 0;
}

/* Copies until both sides have ended, somebody left, or it hangs up. */
static int copy_at_risk(talk *t, soaker *k, edo_stream *a, edo_stream *b)
{
    uint64_t hang_up_after = soak_below(k, 4);
    for (uint64_t turn = 0;; turn++) {
        edo_copy_options o = { .state = t->copies, .buffer_size = 1 + soak_below(k, 20000) };
        risk r;
        risk_begin(k, &r);
        int code = (int)risk_end(k, &r, edo_copy_both_with(a, b, &o, NULL));
        bool hangs_up = t->fate == PROXY_HANGS_UP && turn >= hang_up_after;
        if (code != -ECANCELED || hangs_up)
            return code;
    }
}

/* A port is taken for a minute after its connection was closed: where there is none, one is free
 * soon, and there are several addresses to connect to. */
static void connect_from(soaker *k, edo_stream **out, edo_listener *const *houses)
{
    uint64_t house = soak_below(k, HOUSES);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.%u:%u", (unsigned)house + 1,
             edo_listener_port(houses[house]));
    int rc;
    while ((rc = edo_tcp_connect(out, address, NULL)) == -EADDRNOTAVAIL)
        CHECK_OK(edo_sleep(EDO_MS(10)));
    CHECK_OK(rc);
}

static int pass_on(void *stream)
{
    edo_stream *client = stream, *server;
    talk *t = greeting(client);
    soaker k = soaker_of(&t->all->soak, t->seed);
    connect_from(&k, &server, t->all->back);
    CHECK_INT(edo_write(server, &t, sizeof t), ==, sizeof t);
    t->copy_code = copy_at_risk(t, &k, client, server);
    edo_close(client);
    edo_close(server);
    __atomic_fetch_add(&t->all->cancelled, k.cancelled, __ATOMIC_RELAXED);
    soaker_end(&k);
    edo_event_set(&t->proxy_done);
    return 0;
}

typedef struct porter { /* accepts for one of the listeners */
    proxy *all;
    edo_listener *l;
    edo_fn *serve;
} porter;

static int admit(void *arg)
{
    const porter *p = arg;
    edo_stream *s;
    int rc;
    while ((rc = edo_accept(p->l, &s)) == 0)
        CHECK_OK(edo_spawn(&p->all->servers, p->serve, s));
    CHECK_INT(rc, ==, -ECANCELED);
    return 0;
}

/* ---- the client ---- */

static fate choose_fate(soaker *k)
{
    return soak_below(k, 2) == 0 ? WHOLE : (fate)soak_below(k, FATES);
}

static void plan_side(side *d, talk *t, soaker *k)
{
    uint64_t most = soak_below(k, 4) == 0 ? test_scale(200000) : test_scale(20000);
    *d = (side){ .t = t, .key = test_rand(&k->random), .bytes = 1 + soak_below(k, most) };
    d->seed = test_rand(&k->random);
    d->leave_at = UINT64_MAX;
    d->slow = soak_below(k, 6) == 0;
    d->risky = soak_below(k, 2) == 0;
}

static void plan(talk *t, proxy *all, soaker *k)
{
    *t = (talk){ .all = all, .fate = choose_fate(k), .seed = test_rand(&k->random) };
    t->copies[0] = t->copies[1] = (edo_copy_state)EDO_COPY_STATE_INIT;
    edo_event_init(&t->proxy_done, EDO_EVENT_MANUAL);
    edo_event_init(&t->server_done, EDO_EVENT_MANUAL);
    plan_side(&t->client, t, k);
    plan_side(&t->server, t, k);
    t->client.peer_key = t->server.key;
    t->server.peer_key = t->client.key;
    side *leaver = t->fate == CLIENT_RESETS || t->fate == CLIENT_LEAVES   ? &t->client
                   : t->fate == SERVER_RESETS || t->fate == SERVER_LEAVES ? &t->server
                                                                          : NULL;
    if (leaver != NULL) {
        leaver->leave_at = 1 + soak_below(k, leaver->bytes);
        leaver->resets = t->fate == CLIENT_RESETS || t->fate == SERVER_RESETS;
    }
}

static void check_way(const talk *t, const side *from, const edo_copy_state *c, const side *to)
{
    if (t->fate == WHOLE) {
        CHECK_UINT(from->said, ==, from->bytes);
        CHECK_UINT(to->heard, ==, from->bytes);
        CHECK(to->heard_all);
    }
    CHECK_UINT(to->heard, <=, c->written);
    CHECK_UINT(c->written, <=, c->read);
    CHECK_UINT(c->read, <=, from->said);
    CHECK_UINT(from->said, <=, from->bytes);
}

/* Waits for the first byte of the answer: from then on all three know of each other. */
static bool is_answered(side *d)
{
    unsigned char first;
    ssize_t n = edo_read(d->s, &first, 1);
    if (n != 1) {
        CHECK(d->t->fate == PROXY_HANGS_UP && is_broken((int)n));
        return false;
    }
    soak_check(&first, 1, d->peer_key, 0);
    d->heard = 1;
    return true;
}

static void talk_once(talk *t, proxy *all, soaker *k)
{
    plan(t, all, k);
    connect_from(k, &t->client.s, all->front);
    CHECK_INT(edo_write(t->client.s, &t, sizeof t), ==, sizeof t);
    if (is_answered(&t->client))
        live(&t->client);
    else
        edo_close(t->client.s);
    CHECK_OK(edo_event_wait(&t->proxy_done));
    CHECK_OK(edo_event_wait(&t->server_done));
    CHECK(t->fate == WHOLE ? t->copy_code == 0
                           : is_broken(t->copy_code) || t->copy_code == -ECANCELED);
    check_way(t, &t->client, &t->copies[0], &t->server);
    check_way(t, &t->server, &t->copies[1], &t->client);
    for (int i = 0; i < 2; i++)
        edo_copy_state_deinit(&t->copies[i]);
    __atomic_fetch_add(&all->talks[t->fate], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&all->bytes, t->client.heard + t->server.heard, __ATOMIC_RELAXED);
}

typedef struct visitor {
    proxy *all;
    uint64_t seed;
} visitor;

static int visit(void *arg)
{
    visitor *v = arg;
    talk *t = malloc(sizeof *t);
    CHECK(t != NULL);
    soaker k = soaker_of(&v->all->soak, v->seed);
    do {
        talk_once(t, v->all, &k);
    } while (!soak_is_over(&v->all->soak));
    soaker_end(&k);
    free(t);
    return 0;
}

/* ---- all of it ---- */

static bool all_met(proxy *all)
{
    for (int i = 0; i < FATES; i++) {
        if (__atomic_load_n(&all->talks[i], __ATOMIC_RELAXED) == 0)
            return false;
    }
    return __atomic_load_n(&all->cancelled, __ATOMIC_RELAXED) != 0;
}

static void open_houses(proxy *all, porter *porters)
{
    edo_group_open(&all->servers, &(edo_group_options){ .keep_going = true, .discard = true });
    for (unsigned i = 0; i < 2 * HOUSES; i++) {
        edo_listener **l = i < HOUSES ? &all->front[i] : &all->back[i - HOUSES];
        char address[32];
        snprintf(address, sizeof address, "127.0.0.%u:0", i % HOUSES + 1);
        CHECK_OK(edo_tcp_listen(l, address, NULL));
        porters[i] = (porter){ all, *l, i < HOUSES ? pass_on : serve };
        CHECK_OK(edo_spawn(&all->servers, admit, &porters[i]));
    }
}

static void close_houses(proxy *all)
{
    edo_group_cancel(&all->servers);
    (void)edo_group_close(&all->servers);
    for (unsigned i = 0; i < HOUSES; i++) {
        edo_listener_close(all->front[i]);
        edo_listener_close(all->back[i]);
    }
}

/* Until the time is over and there was a talk of every fate. */
static void soak_proxy(proxy *all, unsigned visitors, double seconds, uint64_t *random)
{
    porter porters[2 * HOUSES];
    visitor *v = calloc(visitors, sizeof *v);
    CHECK(v != NULL);
    memset(all, 0, sizeof *all);
    soak_begin(&all->soak);
    open_houses(all, porters);
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .name = "visitors", .discard = true });
    for (unsigned i = 0; i < visitors; i++) {
        v[i] = (visitor){ all, test_rand(random) };
        CHECK_OK(edo_spawn(&g, visit, &v[i]));
    }
    int64_t until = edo_now() + (int64_t)(seconds * 1e9);
    while (edo_now() < until || !all_met(all))
        CHECK_OK(edo_sleep(EDO_MS(10)));
    __atomic_store_n(&all->soak.over, 1, __ATOMIC_RELEASE);
    CHECK_OK(edo_group_close(&g));
    close_houses(all);
    soak_end(&all->soak);
    free(v);
}

/* As many as are wanted and there are descriptors for. */
static unsigned connections(void)
{
    const char *text = getenv("EDO_SOAK_CONNECTIONS");
    unsigned wanted = text != NULL ? (unsigned)atoi(text) : 24;
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    rlim_t room = limit.rlim_cur < 400 ? 1 : (limit.rlim_cur - 200) / 4;
    return wanted < room ? wanted : (unsigned)room;
}

static int proxy_body(void *arg)
{
    (void)arg;
    static const char *const names[] = { "whole",         "client resets", "client leaves",
                                         "server resets", "server leaves", "proxy hangs up" };
    proxy *all = malloc(sizeof *all);
    CHECK(all != NULL);
    uint64_t random = test_seed();
    double seconds = soak_seconds(1);
    unsigned visitors = connections();
    soak_proxy(all, visitors, seconds / 8, &random); /* what is kept for reuse is there then */
    soak_state before = soak_measure();
    soak_proxy(all, visitors, seconds, &random);
    soak_compare(&before, WORKERS);
    fprintf(stderr, "%u at a time, %llu bytes, %llu calls cancelled\n", visitors,
            (unsigned long long)all->bytes, (unsigned long long)all->cancelled);
    for (int i = 0; i < FATES; i++)
        fprintf(stderr, "%-14s %8llu talks\n", names[i], (unsigned long long)all->talks[i]);
    free(all);
    return 0;
}

TEST_TIMEOUT(proxy, 120)
{
    test_on_timeout(dump_all);
    run_on(WORKERS, proxy_body, NULL);
}

TEST_MAIN()
