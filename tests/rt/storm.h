/* SPDX-License-Identifier: MIT */
/* What the tests of tests/rt/ for synchronisation share: running on a number of workers, and
 * storms, in which every operation runs in a scope that may be cancelled at any moment, by a
 * deadline or by another task. */
#ifndef EDO_TEST_STORM_H
#define EDO_TEST_STORM_H

#include "test.h"

#include <edo/edo.h>
#include <pthread.h>
#include <stdlib.h>

#define STORM_SLOTS 64

static inline void run_on(unsigned workers, edo_fn *fn, void *arg)
{
    const edo_config config = { .workers = workers,
                                .seed = test_seed(),
                                .current_thread = workers == 1 };
    CHECK_OK(edo_run(&config, fn, arg));
}

static const unsigned worker_counts[] = { 1, 2, 4 };
#define EACH_WORKER_COUNT(i_) for (size_t i_ = 0; i_ < 3; i_++)

/* Lets everybody else run until they wait: with one worker, in a known order. */
static inline void settle(void)
{
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_yield());
}

/* Tokens of operations under way, for the sniper to take out and cancel. */
typedef struct storm {
    edo_token *slots[STORM_SLOTS]; /* atomic */
    int over;                      /* atomic */
    unsigned cancelled;            /* atomic: operations that were */
    unsigned done;                 /* atomic: operations that happened */
    edo_group snipers;
} storm;

static inline edo_token *storm_swap(storm *s, size_t slot, edo_token *t)
{
    return __atomic_exchange_n(&s->slots[slot], t, __ATOMIC_ACQ_REL);
}

/* Runs op(arg) in a scope chosen by *seed. Returns its code. */
static inline int storm_op(storm *s, size_t slot, uint64_t *seed, edo_fn *op, void *arg)
{
    uint64_t r = test_rand(seed);
    edo_scope scope;
    edo_token *t = NULL, *left;
    int rc;
    switch (r % 4) {
    case 0: CHECK_OK(edo_scope_open(&scope, EDO_FOREVER)); break;
    case 1: /* up to 60 us; now and then in the past */
        CHECK_OK(edo_scope_open(&scope, (int64_t)(r >> 8) % 64 * 1000 - 3000));
        break;
    default:
        CHECK_OK(edo_token_create(&t));
        CHECK_OK(edo_scope_open_token(&scope, t, EDO_FOREVER));
        left = storm_swap(s, slot, edo_token_ref(t));
        edo_token_release(left);
    }
    rc = op(arg);
    (void)edo_scope_close(&scope, rc); /* would report a cancel although the operation happened */
    if (t != NULL) {
        left = storm_swap(s, slot, NULL);
        edo_token_release(left);
        edo_token_release(t);
    }
    __atomic_fetch_add(rc == -ECANCELED ? &s->cancelled : &s->done, 1, __ATOMIC_RELAXED);
    return rc;
}

/* Cancels what it finds until the storm is over. A task or a foreign thread. */
static inline int storm_sniper(void *arg)
{
    storm *s = arg;
    uint64_t seed = test_seed() ^ 0x51f15e;
    while (!__atomic_load_n(&s->over, __ATOMIC_ACQUIRE)) {
        edo_token *t = storm_swap(s, test_rand(&seed) % STORM_SLOTS, NULL);
        if (t != NULL)
            edo_token_cancel(t);
        edo_token_release(t);
        if (edo_yield() < 0)
            break;
    }
    return 0;
}

/* Around the groups of those who are to be hit: a task that cancels, if it is a storm at all. */
static inline void storm_begin(storm *s, bool stormy)
{
    CHECK_OK(edo_group_open(&s->snipers, NULL));
    if (stormy)
        CHECK_OK(edo_spawn(&s->snipers, storm_sniper, s));
}

static inline int storm_end(storm *s)
{
    __atomic_store_n(&s->over, 1, __ATOMIC_RELEASE);
    return edo_group_close(&s->snipers);
}

/* Objects that whoever is the last to use one frees at once: ASan sees a late access. Each begins
 * with a count; four tasks run drop() on it. */
typedef struct boxes {
    size_t size;
    edo_fn *drop;
    unsigned rounds;
} boxes;

static inline int drop_boxes(void *arg)
{
    const boxes *all = arg;
    for (unsigned i = 0; i < all->rounds; i++) {
        int *box = calloc(1, all->size);
        CHECK(box != NULL);
        *box = 4;
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        for (int k = 0; k < 4; k++)
            CHECK_OK(edo_spawn(&g, all->drop, box));
        CHECK_OK(edo_group_close(&g));
    }
    return 0;
}

/* A task body on a foreign thread of its own. */
typedef struct foreign_call {
    edo_fn *fn;
    void *arg;
    pthread_t thread;
} foreign_call;

static inline void *foreign_main(void *arg)
{
    foreign_call *c = arg;
    CHECK_OK(c->fn(c->arg));
    return NULL;
}

static inline void foreign_start(foreign_call *c, edo_fn *fn, void *arg)
{
    *c = (foreign_call){ .fn = fn, .arg = arg };
    CHECK_INT(pthread_create(&c->thread, NULL, foreign_main, c), ==, 0);
}

static inline void foreign_join(foreign_call *c)
{
    CHECK_INT(pthread_join(c->thread, NULL), ==, 0);
}

#endif
