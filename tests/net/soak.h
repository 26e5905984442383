/* SPDX-License-Identifier: MIT */
/* What the soaks share: operations that may be cancelled at any moment, memory that shows whether
 * somebody writes to it after a call has returned, streams of every sort, and what must be as it was
 * when all is over.
 *
 * A soak runs for EDO_SOAK_SECONDS, one or two without. EDO_TEST_SEED replays what it chooses, though
 * not how its threads meet. */
#ifndef NET_SOAK_H
#define NET_SOAK_H

#include "net_test.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#ifndef __has_feature
#define __has_feature(x_) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SOAK_SANITIZED 1
size_t __sanitizer_get_current_allocated_bytes(void);
#else
#define SOAK_SANITIZED 0
#endif

#define SOAK_SLOTS 64
#define SOAK_OLD 8       /* buffers that are watched after their call has returned */
#define SOAK_PAINT 0xA7u /* what they are filled with */

typedef struct soak {
    edo_token *targets[SOAK_SLOTS]; /* atomic: of operations under way, for snipers to take */
    uint32_t slots;                 /* atomic: given out so far */
    int over;                       /* atomic: no new round is begun */
    int quiet;                      /* atomic: snipers leave */
    pthread_t thread;
    edo_group snipers;
} soak;

/* One task that does operations at risk. */
typedef struct soaker {
    soak *all;
    size_t slot;
    uint64_t random;
    uint64_t done, cancelled; /* operations that happened, and that did not */
    unsigned old_next;
    unsigned char *old[SOAK_OLD];
    size_t old_len[SOAK_OLD];
} soaker;

static inline double soak_seconds(double usually)
{
    const char *text = getenv("EDO_SOAK_SECONDS");
    double n = text != NULL ? atof(text) : 0;
    return n > 0 ? n : usually;
}

static inline bool soak_is_over(soak *all)
{
    return __atomic_load_n(&all->over, __ATOMIC_ACQUIRE) != 0;
}

static inline soaker soaker_of(soak *all, uint64_t seed)
{
    uint64_t random = seed;
    (void)test_rand(&random);
    size_t slot = __atomic_fetch_add(&all->slots, 1, __ATOMIC_RELAXED) % SOAK_SLOTS;
    return (soaker){ .all = all, .slot = slot, .random = random };
}

static inline uint64_t soak_below(soaker *k, uint64_t n)
{
    return test_rand(&k->random) % n;
}

/* ---- memory that is looked at after the call ---- */

static inline unsigned char *soak_buffer(size_t n)
{
    unsigned char *p = malloc(n > 0 ? n : 1); /* of this size: a byte too much is seen by ASan */
    CHECK(p != NULL);
    return p;
}

static inline void soak_look(soaker *k, unsigned i)
{
    for (size_t at = 0; at < k->old_len[i]; at++)
        CHECK_INT(k->old[i][at], ==, SOAK_PAINT);
    free(k->old[i]);
    k->old[i] = NULL;
    k->old_len[i] = 0;
}

/* The call that had it is over: nobody reads it any more, and nobody writes to it. */
static inline void soak_retire(soaker *k, unsigned char *p, size_t n)
{
    unsigned i = k->old_next++ % SOAK_OLD;
    soak_look(k, i);
    memset(p, SOAK_PAINT, n);
    k->old[i] = p;
    k->old_len[i] = n;
}

static inline void soaker_end(soaker *k)
{
    for (unsigned i = 0; i < SOAK_OLD; i++)
        soak_look(k, i);
}

/* ---- operations at risk ---- */

typedef struct risk {
    edo_scope scope;
    edo_token *token;
} risk;

static inline void soak_aim(soaker *k, edo_token *t)
{
    edo_token_release(__atomic_exchange_n(&k->all->targets[k->slot], t, __ATOMIC_ACQ_REL));
}

/* From here to risk_end() whatever is called may be cancelled: by a deadline, which may have passed,
 * by a task, by a thread outside, or not at all. */
static inline void risk_begin(soaker *k, risk *r)
{
    uint64_t x = test_rand(&k->random);
    r->token = NULL;
    switch (x % 8) {
    case 0: edo_scope_open(&r->scope, EDO_FOREVER); return;
    case 1:
    case 2:
    case 3: edo_scope_open(&r->scope, (int64_t)(x >> 8) % 64000 - 3000); return;
    case 4: edo_scope_open(&r->scope, (int64_t)((x >> 8) % 1000000)); return;
    default: break;
    }
    CHECK_OK(edo_token_create(&r->token));
    CHECK_OK(edo_scope_open_token(&r->scope, r->token, EDO_FOREVER));
    soak_aim(k, edo_token_ref(r->token));
}

/* Hands the operation's result back; -ECANCELED: it did not happen. */
static inline int64_t risk_end(soaker *k, risk *r, int64_t rc)
{
    (void)edo_scope_close(&r->scope, 0); /* it was cancelled, perhaps, after the operation */
    if (r->token != NULL) {
        soak_aim(k, NULL);
        edo_token_release(r->token);
    }
    *(rc == -ECANCELED ? &k->cancelled : &k->done) += 1;
    return rc;
}

/* A moment in which others run, of any length up to a few hundred microseconds. */
static inline void soak_pause(soaker *k)
{
    uint64_t x = test_rand(&k->random);
    if (x % 8 == 0)
        CHECK_OK(edo_sleep((int64_t)((x >> 8) % 200000)));
    else if (x % 8 < 3)
        CHECK_OK(edo_yield());
}

static inline bool soak_shoot(soak *all, uint64_t *random)
{
    edo_token **target = &all->targets[test_rand(random) % SOAK_SLOTS];
    edo_token *t = __atomic_exchange_n(target, NULL, __ATOMIC_ACQ_REL);
    if (t != NULL)
        edo_token_cancel(t);
    edo_token_release(t);
    return __atomic_load_n(&all->quiet, __ATOMIC_ACQUIRE) == 0;
}

static inline int soak_sniper(void *arg)
{
    uint64_t random = test_seed() ^ edo_task_id();
    while (soak_shoot(arg, &random)) {
        uint64_t x = test_rand(&random);
        CHECK_OK(x % 4 == 0 ? edo_sleep((int64_t)((x >> 8) % 100000)) : edo_yield());
    }
    return 0;
}

static inline void *soak_sniper_thread(void *arg)
{
    uint64_t random = test_seed() ^ 0x5a17;
    while (soak_shoot(arg, &random))
        usleep((useconds_t)(test_rand(&random) % 100));
    return NULL;
}

static inline void soak_begin(soak *all)
{
    *all = (soak){ 0 };
    edo_group_open(&all->snipers, &(edo_group_options){ .name = "snipers" });
    for (int i = 0; i < 2; i++)
        CHECK_OK(edo_spawn(&all->snipers, soak_sniper, all));
    CHECK_INT(pthread_create(&all->thread, NULL, soak_sniper_thread, all), ==, 0);
}

/* After those that are shot at have ended. */
static inline void soak_end(soak *all)
{
    __atomic_store_n(&all->quiet, 1, __ATOMIC_RELEASE);
    CHECK_OK(edo_group_close(&all->snipers));
    pthread_join(all->thread, NULL);
    for (int i = 0; i < SOAK_SLOTS; i++)
        CHECK_PTR(all->targets[i], ==, NULL);
}

/* ---- what must be as it was ---- */

typedef struct soak_state {
    uint64_t heap, fds, known;
} soak_state;

static inline soak_state soak_measure(void)
{
#if SOAK_SANITIZED
    uint64_t heap = __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();
    uint64_t heap = m.uordblks + m.hblkhd;
#endif
    return (soak_state){ heap, count_fds(), known_fds() };
}

/* The runtime may have come to keep some structs for reuse, and each worker one epoll instance; not
 * more, however long it was. */
static inline void soak_compare(const soak_state *before, unsigned workers)
{
    soak_state now = soak_measure();
    CHECK_UINT(now.known, ==, before->known);
    CHECK_UINT(now.fds, <=, before->fds + workers);
    CHECK_UINT(now.heap, <=, before->heap + (512 << 10));
}

/* ---- streams ---- */

static inline void soak_tcp(soaker *k, edo_stream **a, edo_stream **b)
{
    edo_listener *l;
    char address[32];
    int small = soak_below(k, 2) == 0 ? 4096 : 0; /* so that writers have to wait */
    edo_tcp_options o = { .sndbuf = small, .rcvbuf = small };
    CHECK_OK(edo_tcp_listen(&l, "127.0.0.1:0", &o));
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    CHECK_OK(edo_tcp_connect(a, address, &o));
    CHECK_OK(edo_accept(l, b));
    edo_listener_close(l);
}

static inline void soak_adopt(int fd_a, int fd_b, edo_stream **a, edo_stream **b)
{
    CHECK_OK(edo_stream_from_fd(a, fd_a));
    CHECK_OK(edo_stream_from_fd(b, fd_b));
}

static inline void soak_socketpair(edo_stream **a, edo_stream **b)
{
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    soak_adopt(fds[0], fds[1], a, b);
}

/* Both ends can be read and written. */
static inline void soak_pair(soaker *k, edo_stream **a, edo_stream **b)
{
    switch (soak_below(k, 4)) {
    case 0: soak_socketpair(a, b); break;
    case 1: CHECK_OK(edo_duplex(a, b, 1 + soak_below(k, 4096))); break;
    default: soak_tcp(k, a, b); break;
    }
}

/* What is written to w is read from r. */
static inline void soak_line(soaker *k, edo_stream **w, edo_stream **r)
{
    int fds[2];
    switch (soak_below(k, 6)) {
    case 0:
        CHECK_OK(pipe2(fds, O_CLOEXEC));
        soak_adopt(fds[1], fds[0], w, r);
        break;
    case 1: CHECK_OK(edo_simplex(r, w, 1 + soak_below(k, 4096))); break;
    default: soak_pair(k, w, r); break;
    }
}

/* The end of the writing side; a stream that knows no half of it is closed. */
static inline void soak_finish(edo_stream **w)
{
    int rc = edo_shutdown(*w);
    if (rc == 0)
        return;
    CHECK_INT(rc, ==, -ENOTSOCK);
    edo_close(*w);
    *w = NULL;
}

/* ---- texts ---- */

static inline void soak_fill(unsigned char *p, size_t n, uint64_t key, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        p[i] = text_byte(key, at + i);
}

static inline void soak_check(const unsigned char *p, size_t n, uint64_t key, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != text_byte(key, at + i))
            FAIL("text %llu: byte %llu is another one", (unsigned long long)key,
                 (unsigned long long)(at + i));
}

#endif
