/* SPDX-License-Identifier: MIT */
/* ctest: serial */
/* Data for tasks whose I/O belongs to workers that are held: by tasks that compute, and by tasks that
 * sleep in the kernel. A thread outside sends its clock over a socket every millisecond; how late is
 * it read? And what is held must not notice that others do its worker's I/O. */
#include "net_test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define WORKERS 2
#define READERS 4 /* so that each worker's instance has some */
#define HOLD EDO_MS(300)
#define ENOUGH 20

typedef enum way { /* a task holds its worker */
                   COMPUTING,
                   SLEEPING, /* in nanosleep(2), which a signal would end early */
                   POLLING,  /* in poll(2), the same                            */
} way;

typedef struct scene {
    way how;
    int fd[READERS][2];
    edo_stream *s[READERS];
    unsigned holding;             /* atomic: holders that have begun ...                    */
    unsigned over;                /* ... and ended                                          */
    int64_t worst, ticks;         /* of the readers: how late the latest was. Atomic       */
    unsigned held_ticks[READERS]; /* atomic: of each, while all are held             */
    int64_t early;                /* atomic: by how much a holder was woken before its time */
    int64_t own_worst;            /* how late the sender's own sleep was: the machine's share */
} scene;

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void raise_to(int64_t *most, int64_t value)
{
    int64_t was = __atomic_load_n(most, __ATOMIC_RELAXED);
    while (was < value && !__atomic_compare_exchange_n(most, &was, value, true, __ATOMIC_RELAXED,
                                                       __ATOMIC_RELAXED))
        continue;
}

static void *sender(void *arg)
{
    scene *s = arg;
    while (__atomic_load_n(&s->over, __ATOMIC_RELAXED) < WORKERS) {
        int64_t now = monotonic();
        for (int i = 0; i < READERS; i++)
            CHECK_INT(write(s->fd[i][1], &now, sizeof now), ==, sizeof now);
        struct timespec ms = { .tv_nsec = 1000000 };
        nanosleep(&ms, NULL);
        int64_t late = monotonic() - now - EDO_MS(1);
        s->own_worst = late > s->own_worst ? late : s->own_worst;
    }
    for (int i = 0; i < READERS; i++)
        CHECK_OK(shutdown(s->fd[i][1], SHUT_WR));
    return NULL;
}

typedef struct reader {
    scene *s;
    int number;
} reader;

static bool all_held(scene *s)
{
    return __atomic_load_n(&s->holding, __ATOMIC_ACQUIRE) == WORKERS &&
           __atomic_load_n(&s->over, __ATOMIC_ACQUIRE) == 0;
}

static int reads(void *arg)
{
    const reader *r = arg;
    int64_t sent;
    ssize_t n;
    while ((n = edo_read_full(r->s->s[r->number], &sent, sizeof sent)) == sizeof sent) {
        raise_to(&r->s->worst, monotonic() - sent);
        __atomic_fetch_add(&r->s->ticks, 1, __ATOMIC_RELAXED);
        if (all_held(r->s))
            __atomic_fetch_add(&r->s->held_ticks[r->number], 1, __ATOMIC_RELEASE);
    }
    CHECK_INT(n, ==, EDO_EEOF);
    return 0;
}

/* Whether each reader has got on while the workers were held. */
static bool all_have_read(scene *s)
{
    bool all = true;
    for (int i = 0; i < READERS; i++)
        all = all && __atomic_load_n(&s->held_ticks[i], __ATOMIC_ACQUIRE) >= ENOUGH;
    return all;
}

static void hold_once(scene *s)
{
    int64_t until = monotonic() + HOLD;
    struct timespec rest = { .tv_nsec = HOLD };
    switch (s->how) {
    case COMPUTING:
        while (monotonic() < until)
            __asm__ volatile("" ::: "memory");
        break;
    case SLEEPING: CHECK_OK(-clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL)); break;
    case POLLING: CHECK_INT(poll(NULL, 0, (int)(HOLD / 1000000)), ==, 0); break;
    }
    raise_to(&s->early, until - monotonic());
}

/* Hangs if the readers wait for the workers that are held. */
static int holds(void *arg)
{
    scene *s = arg;
    __atomic_fetch_add(&s->holding, 1, __ATOMIC_ACQ_REL);
    do
        hold_once(s);
    while (!all_have_read(s));
    __atomic_fetch_add(&s->over, 1, __ATOMIC_ACQ_REL);
    return 0;
}

static int play(void *arg)
{
    scene *s = arg;
    edo_group readers, holders;
    edo_group_open(&readers, NULL);
    edo_group_open(&holders, NULL);
    for (int i = 0; i < READERS; i++) {
        reader r = { s, i };
        CHECK_OK(edo_stream_from_fd(&s->s[i], s->fd[i][0]));
        CHECK_OK(edo_spawn_copy(&readers, reads, &r, sizeof r));
    }
    CHECK_OK(edo_sleep(EDO_MS(10)));
    for (int i = 0; i < WORKERS; i++)
        CHECK_OK(edo_spawn(&holders, holds, s));
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, sender, s), ==, 0);
    CHECK_OK(edo_group_close(&holders));
    CHECK_OK(edo_group_close(&readers));
    pthread_join(thread, NULL);
    for (int i = 0; i < READERS; i++)
        edo_close(s->s[i]);
    return 0;
}

static void check(way how)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    scene s = { .how = how };
    for (int i = 0; i < READERS; i++)
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s.fd[i]));
    edo_config config = { .workers = WORKERS, .stuck_after = EDO_MS(10) };
    CHECK_INT(edo_run(&config, play, &s), ==, 0);
    CHECK_INT(s.ticks, >, 0);
    CHECK_INT(s.early, <, EDO_MS(2)); /* poll(2) counts in milliseconds */
    for (int i = 0; i < READERS; i++)
        close(s.fd[i][1]);
    printf("# %.1f ms late at worst of %lld, the sender itself %.1f ms\n", (double)s.worst / 1e6,
           (long long)s.ticks, (double)s.own_worst / 1e6);
}

TEST_TIMEOUT(all_compute, 60)
{
    check(COMPUTING);
}

TEST_TIMEOUT(all_sleep, 60)
{
    check(SLEEPING);
}

TEST_TIMEOUT(all_poll, 60)
{
    check(POLLING);
}

/* A cancel of an operation that is in a held worker's ring. */
typedef struct stranded {
    edo_stream *s;
    unsigned waiting, over; /* atomic */
} stranded;

static int strand(void *arg)
{
    stranded *x = arg;
    char c;
    edo_scope scope;
    __atomic_store_n(&x->waiting, 1, __ATOMIC_RELEASE);
    edo_scope_open(&scope, EDO_MS(20));
    CHECK_INT(edo_scope_close(&scope, (int)edo_read(x->s, &c, 1)), ==, -ETIMEDOUT);
    __atomic_store_n(&x->over, 1, __ATOMIC_RELEASE);
    return 0;
}

static int stranded_body(void *arg)
{
    (void)arg;
    int fd[2];
    stranded x = { 0 };
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    CHECK_OK(edo_stream_from_fd(&x.s, fd[0]));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, strand, &x));
    CHECK_OK(edo_yield()); /* it reads, and with one worker its operation is here */
    while (__atomic_load_n(&x.waiting, __ATOMIC_ACQUIRE) == 0)
        CHECK_OK(edo_yield());
    while (__atomic_load_n(&x.over, __ATOMIC_ACQUIRE) == 0) /* without a suspension */
        continue;
    CHECK_OK(edo_group_close(&g));
    edo_close(x.s);
    close(fd[1]);
    return 0;
}

TEST_TIMEOUT(cancelled_while_its_worker_is_held, 60)
{
    for (unsigned workers = 1; workers <= 2; workers++)
        CHECK_INT(edo_run(&(edo_config){ .workers = workers }, stranded_body, NULL), ==, 0);
}

TEST_MAIN()
