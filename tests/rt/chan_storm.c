/* SPDX-License-Identifier: MIT */
/* Channels under load: many senders and receivers, tasks and foreign threads, with and without
 * cancels.
 *
 * Every value is (sender, sequence). A send that returned 0 must come out exactly once, one that
 * did not must never come out, and what one sender sent comes out in its order (as far as one
 * receiver sees). */
#include "storm.h"

#include <stdlib.h>

#define SENDERS_MAX 40

typedef struct traffic {
    edo_chan *c;
    unsigned rounds;    /* values per sender */
    unsigned n_senders; /* tasks; foreign ones come after them */
    unsigned n_receivers;
    unsigned n_foreign; /* senders, and as many receivers */
    bool stormy;
    unsigned char *sent; /* atomic per value: 1: sent, 2: received */
    unsigned in, out;    /* atomic */
    storm storm;
} traffic;

typedef struct end { /* one side of one operation */
    traffic *t;
    unsigned number;
    uint64_t value;
} end;

static int send_one(void *arg)
{
    end *e = arg;
    return edo_chan_send(e->t->c, &e->value);
}

static int recv_one(void *arg)
{
    end *e = arg;
    return edo_chan_recv(e->t->c, &e->value);
}

static int sender(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() + e.number;
    for (unsigned i = 0; i < t->rounds; i++) {
        e.value = (uint64_t)e.number << 32 | i;
        int rc = t->stormy ? storm_op(&t->storm, e.number % 32, &seed, send_one, &e) : send_one(&e);
        if (rc == -ECANCELED)
            continue;
        CHECK_OK(rc);
        __atomic_fetch_add(&t->in, 1, __ATOMIC_RELAXED);
        __atomic_fetch_or(&t->sent[e.number * t->rounds + i], 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int receiver(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() ^ ~(uint64_t)e.number;
    long *last = malloc(SENDERS_MAX * sizeof *last);
    for (unsigned i = 0; i < SENDERS_MAX; i++)
        last[i] = -1;
    for (;;) {
        int rc =
            t->stormy ? storm_op(&t->storm, 32 + e.number % 32, &seed, recv_one, &e) : recv_one(&e);
        if (rc == -ECANCELED)
            continue;
        if (rc == -EPIPE)
            break;
        CHECK_OK(rc);
        unsigned from = (unsigned)(e.value >> 32);
        long seq = (long)(e.value & 0xffffffff);
        CHECK_INT(from, <, SENDERS_MAX);
        CHECK_INT(seq, >, last[from]);
        last[from] = seq;
        unsigned char *mark = &t->sent[from * t->rounds + (unsigned)seq];
        CHECK_INT(__atomic_fetch_or(mark, 2, __ATOMIC_RELAXED) & 2, ==, 0); /* not twice */
        __atomic_fetch_add(&t->out, 1, __ATOMIC_RELAXED);
    }
    free(last);
    return 0;
}

static int all_tasks(void *arg)
{
    traffic *t = arg;
    edo_group senders, receivers;
    storm_begin(&t->storm, t->stormy);
    CHECK_OK(edo_group_open(&receivers, NULL));
    for (unsigned i = 0; i < t->n_receivers; i++)
        CHECK_OK(edo_spawn_copy(&receivers, receiver, &(end){ t, i, 0 }, sizeof(end)));
    CHECK_OK(edo_group_open(&senders, NULL));
    for (unsigned i = 0; i < t->n_senders; i++)
        CHECK_OK(edo_spawn_copy(&senders, sender, &(end){ t, i, 0 }, sizeof(end)));
    CHECK_OK(edo_group_close(&senders));
    while (__atomic_load_n(&t->n_foreign, __ATOMIC_ACQUIRE) != 0)
        CHECK_OK(edo_yield());
    edo_chan_close(t->c);
    CHECK_OK(edo_group_close(&receivers));
    return storm_end(&t->storm);
}

static int foreign_sender(void *arg)
{
    end *e = arg;
    CHECK_OK(sender(e));
    __atomic_sub_fetch(&e->t->n_foreign, 1, __ATOMIC_RELEASE);
    return 0;
}

static void run_traffic(traffic *t, unsigned workers, size_t cap)
{
    unsigned n = t->n_foreign, senders = t->n_senders + n;
    foreign_call threads[8];
    end ends[8];
    CHECK_INT(senders, <=, SENDERS_MAX);
    CHECK_OK(edo_chan_create(&t->c, sizeof(uint64_t), cap));
    t->sent = calloc(senders, t->rounds);
    for (unsigned i = 0; i < n; i++) {
        ends[2 * i] = (end){ t, t->n_senders + i, 0 };
        ends[2 * i + 1] = (end){ t, t->n_receivers + i, 0 };
        foreign_start(&threads[2 * i], foreign_sender, &ends[2 * i]);
        foreign_start(&threads[2 * i + 1], receiver, &ends[2 * i + 1]);
    }
    run_on(workers, all_tasks, t);
    for (unsigned i = 0; i < 2 * n; i++)
        foreign_join(&threads[i]);
    CHECK_INT(t->in, ==, t->out);
    for (unsigned i = 0; i < senders * t->rounds; i++)
        CHECK(t->sent[i] == 0 || t->sent[i] == 3);
    if (!t->stormy)
        CHECK_INT(t->in, ==, senders * t->rounds);
    else
        CHECK(t->storm.done > 0 && t->storm.cancelled > 0);
    CHECK_UINT(edo_chan_len(t->c), ==, 0);
    edo_chan_unref(t->c);
    free(t->sent);
}

static const size_t caps[] = { 0, 1, 7, EDO_UNBOUNDED };

TEST_TIMEOUT(many_to_many, 120)
{
    EACH_WORKER_COUNT(i)
    {
        for (size_t k = 0; k < 4; k++) {
            traffic t = { .rounds = test_scale(2000), .n_senders = 20, .n_receivers = 13 };
            run_traffic(&t, worker_counts[i], caps[k]);
        }
    }
}

TEST_TIMEOUT(many_to_many_with_threads, 120)
{
    EACH_WORKER_COUNT(i)
    {
        for (size_t k = 0; k < 4; k++) {
            traffic t = {
                .rounds = test_scale(400), .n_senders = 8, .n_receivers = 7, .n_foreign = 2
            };
            run_traffic(&t, worker_counts[i], caps[k]);
        }
    }
}

TEST_TIMEOUT(cancel_storm, 120)
{
    EACH_WORKER_COUNT(i)
    {
        for (size_t k = 0; k < 4; k++) {
            traffic t = {
                .rounds = test_scale(600), .n_senders = 16, .n_receivers = 12, .stormy = true
            };
            run_traffic(&t, worker_counts[i], caps[k]);
        }
    }
}

TEST_TIMEOUT(cancel_storm_with_threads, 120)
{
    EACH_WORKER_COUNT(i)
    {
        for (size_t k = 0; k < 4; k++) {
            traffic t = { .rounds = test_scale(300),
                          .n_senders = 8,
                          .n_receivers = 8,
                          .n_foreign = 2,
                          .stormy = true };
            run_traffic(&t, worker_counts[i], caps[k]);
        }
    }
}

TEST_MAIN()
