/* SPDX-License-Identifier: MIT */
/* A storm over selects of every kind at once: locks, permits and slots are counted, values are
 * conserved, whoever is cancelled holds nothing. */
#include "storm.h"

#include <stdlib.h>

#define PERMITS 3
#define SLOTS 2
#define RECEIVER 16 /* members below send or hold; those from here on receive */

typedef struct mix {
    edo_mutex mutex[2];
    unsigned inside[2]; /* holders of each mutex; under it */
    edo_sem sem;
    unsigned permits; /* atomic: taken at this moment */
    edo_chan *chan;
    unsigned sent, received; /* atomic */
    edo_broadcast *broadcast;
    edo_watch *watch;
    unsigned rounds;
    unsigned kinds[6]; /* atomic: how often each case happened */
    storm storm;
} mix;

typedef struct member {
    mix *m;
    unsigned number;
    edo_permit permit;
    int out, in, heard;
    edo_broadcast_rx bx;
    edo_watch_rx wx;
    edo_case cases[6];
} member;

typedef struct entry {
    mix *m;
    unsigned number;
} entry;

static int fair_op(void *arg)
{
    return edo_select(((member *)arg)->cases, 6);
}

static int biased_op(void *arg)
{
    return edo_select_biased(((member *)arg)->cases, 6);
}

static void maybe_yield(uint64_t *seed)
{
    if (test_rand(seed) % 4 == 0)
        CHECK_OK(edo_yield());
}

/* What a holder may do with what it won. */
static void use(member *b, int i, uint64_t *seed)
{
    mix *m = b->m;
    int v = 1;
    switch (i) {
    case 0:
    case 1:
        CHECK_UINT(m->inside[i]++, ==, 0);
        maybe_yield(seed);
        CHECK_UINT(m->inside[i]--, ==, 1);
        edo_mutex_unlock(&m->mutex[i]);
        break;
    case 2:
        CHECK_UINT(__atomic_add_fetch(&m->permits, 2, __ATOMIC_ACQ_REL), <=, PERMITS);
        maybe_yield(seed);
        __atomic_sub_fetch(&m->permits, 2, __ATOMIC_ACQ_REL);
        edo_sem_release(&m->sem, 2);
        break;
    case 3:
        CHECK_UINT(edo_permit_left(&b->permit), ==, 1);
        maybe_yield(seed);
        if (test_rand(seed) % 3 != 0) {
            __atomic_add_fetch(&m->sent, 1, __ATOMIC_RELAXED);
            edo_permit_send(&b->permit, &v);
        }
        edo_permit_release(&b->permit);
        break;
    case 4: __atomic_add_fetch(&m->sent, 1, __ATOMIC_RELAXED); break;
    default: CHECK(b->heard == 0 || b->heard == 1); break;
    }
    CHECK_INT(edo_broadcast_send(m->broadcast, &v), >=, 0);
    CHECK_OK(edo_watch_send(m->watch, &v));
}

static int holder(void *arg)
{
    const entry e = *(entry *)arg;
    member *b = calloc(1, sizeof *b);
    mix *m = b->m = e.m;
    b->number = e.number;
    uint64_t seed = test_seed() + e.number;
    edo_broadcast_subscribe(m->broadcast, &b->bx);
    for (unsigned k = 0; k < m->rounds; k++) {
        const edo_case cases[6] = { EDO_LOCK(&m->mutex[0]),     EDO_LOCK(&m->mutex[1]),
                                    EDO_ACQUIRE(&m->sem, 2),    EDO_RESERVE(m->chan, &b->permit),
                                    EDO_SEND(m->chan, &b->out), EDO_BROADCAST(&b->bx, &b->heard) };
        memcpy(b->cases, cases, sizeof cases);
        for (int i = 0; i < 6; i++) /* often only some of them, so that it has to wait */
            if (test_rand(&seed) % 3 != 0)
                b->cases[i].kind = EDO_CASE_NONE;
        if (b->cases[3].kind == EDO_CASE_NONE)
            b->cases[k % 4].kind = cases[k % 4].kind;
        int i = storm_op(&m->storm, e.number, &seed, k % 2 ? fair_op : biased_op, b);
        if (i == -ECANCELED)
            continue;
        CHECK_INT(i, >=, 0);
        CHECK(b->cases[i].result == 0 || (i == 5 && b->cases[i].result == -EOVERFLOW));
        __atomic_add_fetch(&m->kinds[i], 1, __ATOMIC_RELAXED);
        use(b, i, &seed);
    }
    edo_broadcast_unsubscribe(&b->bx);
    edo_chan_sender_unref(m->chan);
    free(b);
    return 0;
}

static int receiver(void *arg)
{
    const entry e = *(entry *)arg;
    member *b = calloc(1, sizeof *b);
    mix *m = b->m = e.m;
    uint64_t seed = test_seed() + e.number;
    edo_watch_subscribe(m->watch, &b->wx);
    for (;;) {
        const edo_case cases[6] = { EDO_RECV(m->chan, &b->in), EDO_CHANGED(&b->wx) };
        memcpy(b->cases, cases, sizeof cases); /* the rest are none */
        int i = storm_op(&m->storm, e.number, &seed, fair_op, b);
        if (i == -ECANCELED)
            continue;
        CHECK_INT(i, >=, 0);
        if (i == 1) {
            CHECK(edo_watch_has_changed(&b->wx));
            (void)edo_watch_read(&b->wx, NULL);
        } else if (b->cases[0].result == -EPIPE) {
            break;
        } else {
            __atomic_add_fetch(&m->received, 1, __ATOMIC_RELAXED);
        }
    }
    edo_watch_unsubscribe(&b->wx);
    free(b);
    return 0;
}

static int all_members(void *arg)
{
    mix *m = arg;
    edo_group g;
    storm_begin(&m->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 10; i++)
        CHECK_OK(edo_spawn_copy(&g, holder, &(entry){ m, i }, sizeof(entry)));
    for (unsigned i = 0; i < 4; i++)
        CHECK_OK(edo_spawn_copy(&g, receiver, &(entry){ m, RECEIVER + i }, sizeof(entry)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&m->storm);
}

static void run_mix(unsigned workers)
{
    mix m = { .rounds = test_scale(1500) };
    foreign_call threads[3];
    entry entries[3];
    edo_mutex_init(&m.mutex[0]);
    edo_mutex_init(&m.mutex[1]);
    edo_sem_init(&m.sem, PERMITS);
    CHECK_OK(edo_chan_create(&m.chan, sizeof(int), SLOTS));
    CHECK_OK(edo_broadcast_create(&m.broadcast, sizeof(int), 4));
    CHECK_OK(edo_watch_create(&m.watch, sizeof(int), NULL));
    for (int i = 0; i < 12; i++)
        CHECK_OK(edo_chan_sender_ref(m.chan));
    for (unsigned i = 0; i < 3; i++) {
        entries[i] = (entry){ &m, i < 2 ? 10 + i : RECEIVER + 4 };
        foreign_start(&threads[i], i < 2 ? holder : receiver, &entries[i]);
    }
    run_on(workers, all_members, &m);
    for (int i = 0; i < 3; i++)
        foreign_join(&threads[i]);
    CHECK_UINT(m.sent, ==, m.received);
    CHECK_UINT(edo_chan_room(m.chan), ==, SLOTS);
    CHECK_UINT(edo_sem_permits(&m.sem), ==, PERMITS);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(edo_mutex_lock_nowait(&m.mutex[i]));
        edo_mutex_unlock(&m.mutex[i]);
    }
    for (int i = 0; i < 6; i++)
        CHECK_UINT(m.kinds[i], >, 0);
    CHECK_UINT(m.storm.cancelled, >, 0);
    edo_watch_unref(m.watch);
    edo_broadcast_unref(m.broadcast);
    edo_chan_unref(m.chan);
}

TEST_TIMEOUT(every_kind_at_once, 120)
{
    EACH_WORKER_COUNT(i) run_mix(worker_counts[i]);
}

TEST_MAIN()
