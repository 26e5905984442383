/* SPDX-License-Identifier: MIT */
/* Races between one who waits and one who wakes it: rounds in which the two meet at random distances
 * (nothing, some instructions, some yields), each a task or a thread. In half of the races deadlines
 * and tokens cancel the wait, by a third task and by the waker around its wake-up. Who was cancelled
 * waits again: a wake-up that met a cancel must still be there. In half of the rounds those who wait
 * for each other sleep, so that a wake-up has to wake a worker too.
 *
 * The claim is that every round ends. A watchdog looks at the count of rounds; it orders nothing. */
#ifndef EDO_TEST_LOST_WAKEUP_H
#define EDO_TEST_LOST_WAKEUP_H

#include "storm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOAD(p_) __atomic_load_n((p_), __ATOMIC_ACQUIRE)
#define STORE(p_, v_) __atomic_store_n((p_), (v_), __ATOMIC_RELEASE)
#define ADD(p_, v_) __atomic_add_fetch((p_), (v_), __ATOMIC_ACQ_REL)

enum { TASK_WAITS = 1, TASK_WAKES = 2 }; /* race_kind.flags: not for threads */
enum { SOURCES = 4 };

typedef struct race race;

typedef struct race_kind {
    const char *name;
    unsigned flags;
    void (*init)(race *r);
    void (*deinit)(race *r);
    void (*prepare)(race *r); /* the waker, before a round */
    int (*wait)(race *r);     /* the waiter: 0, or -ECANCELED: comes again */
    void (*wake)(race *r);    /* the waker, once a round */
    void (*after)(race *r);   /* the waiter, when it was woken */
    void (*finish)(race *r);  /* the waker, after the round */
    void (*rescue)(
        race *r); /* for kinds that lose wake-ups on purpose: ends the round, any thread */
} race_kind;

typedef struct player {
    race *race;
    edo_fn *fn;
    uint64_t seed;
    foreign_call thread;
    bool foreign;
    edo_event ended;
} player;

struct race {
    const race_kind *kind;
    unsigned rounds;
    bool cancels;
    player waiter, waker;
    storm storm;
    unsigned ready, begun, done; /* atomic: rounds that got so far */
    edo_event readied, began, ended;
    bool lost; /* atomic: the watchdog has given up */
    uint64_t wait_seed, wake_seed;

    /* For the kinds. */
    union {
        edo_mutex mutex;
        edo_rwlock rwlock;
        edo_sem sem;
        edo_event event;
        edo_notify notify;
        edo_oneshot oneshot;
        edo_setonce setonce;
        edo_once once;
        edo_barrier barrier;
        edo_ratelimit ratelimit;
        edo_delayqueue delays;
        edo_token *token;
        edo_tracker *tracker;
        edo_watch *watch;
        edo_broadcast *broadcast;
        edo_stream *stream[2];
        int fd[2];
    } on;
    edo_runtime *rt;
    edo_mutex mutex;
    edo_cond cond;
    edo_chan *chan[SOURCES];
    edo_event gate;
    edo_sem sem;
    edo_event event;
    edo_notify notify;
    edo_group *group; /* around the race, for tasks of its kind */
    edo_permit permit, mine;
    edo_broadcast_rx broadcast;
    edo_watch_rx watch;
    uint64_t id, mark;
    unsigned value, slot, got, wanted; /* got, wanted: sources, a bit each */
    bool flag;
};

/* ---- rounds ---- */

static inline void distance(uint64_t *seed)
{
    uint64_t r = test_rand(seed);
    unsigned n = (unsigned)(r >> 32);
    switch (r % 4) {
    case 0: return;
    case 1: n %= 64; break;
    case 2: n %= 3000; break;
    default:
        for (n %= 4; n > 0; n--)
            (void)edo_yield();
        return;
    }
    for (volatile unsigned i = 0; i < n; i++) {
    }
}

static inline void snipe(race *r)
{
    edo_token *t = storm_swap(&r->storm, 0, NULL);
    if (t != NULL)
        edo_token_cancel(t);
    edo_token_release(t);
}

/* Cancels what the waiter waits in, again and again, at odd moments. */
static inline int sniper(void *arg)
{
    race *r = arg;
    uint64_t seed = test_seed() ^ 0x51f15e;
    while (!LOAD(&r->storm.over)) {
        snipe(r);
        CHECK_OK(edo_sleep((int64_t)(test_rand(&seed) % 32) * 1000));
    }
    return 0;
}

/* Round n has come so far. */
static inline void reach(unsigned *flag, unsigned n, edo_event *e)
{
    STORE(flag, n);
    edo_event_set(e);
}

static inline void await(player *p, const unsigned *flag, unsigned n, edo_event *e)
{
    /* Threads that yield to each other on a busy machine get on by a time slice a round. */
    bool threads = p->race->waiter.foreign || p->race->waker.foreign;
    bool sleeps = threads || test_rand(&p->seed) % 2 == 0;
    while (LOAD(flag) < n && !LOAD(&p->race->lost)) {
        if (sleeps)
            CHECK_OK(edo_event_wait(e));
        else
            CHECK_OK(edo_yield());
    }
}

static inline int wait_once(void *arg)
{
    race *r = arg;
    return r->kind->wait(r);
}

static inline void wait_round(race *r, uint64_t *seed)
{
    int rc;
    do {
        rc = r->cancels ? storm_op(&r->storm, 0, seed, wait_once, r) : r->kind->wait(r);
    } while (rc == -ECANCELED);
    CHECK_INT(rc, ==, 0);
}

static inline void call_hook(void (*hook)(race *r), race *r)
{
    if (hook != NULL)
        hook(r);
}

static inline int wait_rounds(void *arg)
{
    player *p = arg;
    race *r = p->race;
    for (unsigned n = 1; n <= r->rounds && !LOAD(&r->lost); n++) {
        await(p, &r->ready, n, &r->readied);
        distance(&p->seed);
        reach(&r->begun, n, &r->began);
        distance(&p->seed);
        wait_round(r, &p->seed);
        call_hook(r->kind->after, r);
        reach(&r->done, n, &r->ended);
    }
    edo_event_set(&p->ended);
    return 0;
}

static inline int wake_rounds(void *arg)
{
    player *p = arg;
    race *r = p->race;
    for (unsigned n = 1; n <= r->rounds && !LOAD(&r->lost); n++) {
        call_hook(r->kind->prepare, r);
        reach(&r->ready, n, &r->readied);
        if (test_rand(&p->seed) % 2 == 0)
            await(p, &r->begun, n, &r->began);
        distance(&p->seed);
        unsigned order = r->cancels ? (unsigned)(test_rand(&p->seed) % 4) : 0;
        if (order == 1) /* a cancel just before, or just after */
            snipe(r);
        call_hook(r->kind->wake, r);
        if (order == 2)
            snipe(r);
        await(p, &r->done, n, &r->ended);
        call_hook(r->kind->finish, r);
    }
    edo_event_set(&p->ended);
    return 0;
}

/* ---- the watchdog ---- */

typedef struct watchdog {
    race *race; /* under way; under lock, so that it is not freed while it is looked at */
    unsigned races;
    pthread_mutex_t lock;
    int64_t patience;
    bool over; /* atomic */
    pthread_t thread;
} watchdog;

static inline void watchdog_show(watchdog *w, race *r)
{
    pthread_mutex_lock(&w->lock);
    w->race = r;
    w->races++;
    pthread_mutex_unlock(&w->lock);
}

static inline int64_t real_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * EDO_SEC(1) + t.tv_nsec;
}

static inline void lost(race *r)
{
    STORE(&r->lost, true);
    edo_event_set(&r->readied); /* who awaits the other one, which may have left */
    edo_event_set(&r->began);
    edo_event_set(&r->ended);
    if (r->kind->rescue != NULL) {
        r->kind->rescue(r);
        return;
    }
    edo_dump(r->rt, stderr);
    FAIL("%s: round %u of %u does not end (%s waits, %s wakes, cancels: %d); seed %llu",
         r->kind->name, LOAD(&r->begun), r->rounds, r->waiter.foreign ? "thread" : "task",
         r->waker.foreign ? "thread" : "task", r->cancels, (unsigned long long)test_seed());
}

/* A number that changes with every round that is got through. */
static inline unsigned progress(watchdog *w)
{
    race *r = w->race;
    return r == NULL ? w->races : w->races + LOAD(&r->ready) + LOAD(&r->begun) + LOAD(&r->done);
}

static inline void *watchdog_main(void *arg)
{
    watchdog *w = arg;
    unsigned seen = 0;
    int64_t since = real_now();
    while (!LOAD(&w->over)) {
        struct timespec look = { .tv_nsec = 5000000 };
        nanosleep(&look, NULL);
        pthread_mutex_lock(&w->lock);
        if (progress(w) != seen)
            since = real_now();
        else if (w->race != NULL && real_now() - since > w->patience)
            lost(w->race);
        seen = progress(w);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

static inline void watchdog_start(watchdog *w, int64_t patience)
{
    *w = (watchdog){ .patience = patience, .lock = PTHREAD_MUTEX_INITIALIZER };
    CHECK_INT(pthread_create(&w->thread, NULL, watchdog_main, w), ==, 0);
}

static inline void watchdog_stop(watchdog *w)
{
    STORE(&w->over, true);
    CHECK_INT(pthread_join(w->thread, NULL), ==, 0);
}

/* ---- a race ---- */

static inline void player_start(player *p, edo_group *g)
{
    edo_event_init(&p->ended, EDO_EVENT_MANUAL);
    if (p->foreign)
        foreign_start(&p->thread, p->fn, p);
    else
        CHECK_OK(edo_spawn(g, p->fn, p));
}

static inline void player_join(player *p)
{
    CHECK_OK(edo_event_wait(&p->ended)); /* a worker must not wait for a thread */
    if (p->foreign)
        foreign_join(&p->thread);
}

/* In a task. r: kind, rounds, cancels and who is foreign are set, the rest is zero. */
static inline void run_race(race *r, watchdog *w)
{
    edo_group g, around;
    r->waiter.race = r->waker.race = r;
    r->waiter.fn = wait_rounds;
    r->waker.fn = wake_rounds;
    r->waiter.seed = test_seed();
    r->waker.seed = r->waiter.seed ^ 0xabcdef;
    r->wait_seed = r->waiter.seed + 1;
    r->wake_seed = r->waker.seed + 1;
    r->rt = edo_runtime_current();
    r->group = &around;
    edo_event_init(&r->readied, EDO_EVENT_AUTO);
    edo_event_init(&r->began, EDO_EVENT_AUTO);
    edo_event_init(&r->ended, EDO_EVENT_AUTO);
    CHECK_OK(edo_group_open(&around, &(edo_group_options){ .discard = true }));
    call_hook(r->kind->init, r);
    CHECK_OK(edo_group_open(&g, NULL));
    watchdog_show(w, r);
    player_start(&r->waiter, &g);
    player_start(&r->waker, &g);
    if (r->cancels)
        CHECK_OK(edo_spawn(&g, sniper, r));
    player_join(&r->waiter);
    player_join(&r->waker);
    STORE(&r->storm.over, 1);
    CHECK_OK(edo_group_close(&g));
    watchdog_show(w, NULL);
    call_hook(r->kind->deinit, r);
    CHECK_OK(edo_group_close(&around));
}

/* ---- all kinds of a table, in every arrangement ---- */

#define RACE(name_, wait_, wake_, ...)                                                             \
    {                                                                                              \
        .name = name_, .wait = wait_, .wake = wake_, __VA_ARGS__                                   \
    }

typedef struct course {
    const race_kind *kinds;
    unsigned n_kinds;
    watchdog dog;
    unsigned rounds;
    bool foreign_waiter, foreign_waker, cancels;
    unsigned ran, cancelled;
} course;

static inline int run_kinds(void *arg)
{
    course *c = arg;
    for (unsigned i = 0; i < c->n_kinds; i++) {
        const race_kind *k = &c->kinds[i];
        race *r = calloc(1, sizeof *r);
        CHECK(r != NULL);
        r->kind = k;
        r->rounds = c->rounds;
        r->cancels = c->cancels;
        r->waiter.foreign = c->foreign_waiter && (k->flags & TASK_WAITS) == 0;
        r->waker.foreign = c->foreign_waker && (k->flags & TASK_WAKES) == 0;
        run_race(r, &c->dog);
        c->ran += LOAD(&r->done);
        c->cancelled += LOAD(&r->storm.cancelled);
        free(r);
    }
    return 0;
}

/* EDO_TEST_ROUNDS=N runs N rounds of each race. */
static inline void all_courses(const race_kind *kinds, unsigned n_kinds, unsigned workers)
{
    const char *wish = getenv("EDO_TEST_ROUNDS");
    course c = { .kinds = kinds,
                 .n_kinds = n_kinds,
                 .rounds = wish != NULL ? (unsigned)atoi(wish) : test_scale(48) };
    watchdog_start(&c.dog, EDO_SEC(20));
    for (unsigned i = 0; i < 8; i++) {
        c.foreign_waiter = (i & 1) != 0;
        c.foreign_waker = (i & 2) != 0;
        c.cancels = (i & 4) != 0;
        run_on(workers, run_kinds, &c);
    }
    watchdog_stop(&c.dog);
    CHECK_UINT(c.ran, ==, 8 * n_kinds * c.rounds);
    CHECK(c.cancelled > 0 || c.ran < 6000);
    printf("# %u kinds of waits, %u rounds, %u times cancelled\n", n_kinds, c.ran, c.cancelled);
}

/* The TESTs of a table of kinds. */
#define RACES_ON(name_, kinds_, workers_)                                                          \
    TEST_TIMEOUT(name_, 120)                                                                       \
    {                                                                                              \
        all_courses(kinds_, sizeof kinds_ / sizeof *kinds_, workers_);                             \
    }
#define RACES_OF(kinds_)                                                                           \
    RACES_ON(on_one_worker, kinds_, 1)                                                             \
    RACES_ON(on_two_workers, kinds_, 2)                                                            \
    RACES_ON(on_four_workers, kinds_, 4)

#endif
