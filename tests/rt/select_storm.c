/* SPDX-License-Identifier: MIT */
/* Select against select: swarms in which everybody both offers and accepts on several channels at
 * once, with cancels and foreign threads. Every value that was sent comes out once, in every
 * mix. */
#include "storm.h"

#include <stdlib.h>

#define CHANS 3

typedef struct swarm {
    edo_chan *c[CHANS];
    unsigned tasks; /* members; foreign ones come after */
    unsigned foreign;
    unsigned rounds; /* values each sends */
    bool stormy;
    unsigned char *marks;    /* atomic per value: 1: sent, 2: received */
    unsigned sent, received; /* atomic */
    unsigned sending;        /* atomic: members that have not sent all */
    storm storm;
} swarm;

typedef struct member {
    swarm *s;
    unsigned number;
    unsigned n;
    bool sends;
    uint64_t out, in;
    edo_case cases[2 * CHANS];
} member;

typedef struct entry {
    swarm *s;
    unsigned number;
} entry;

static int meet(void *arg)
{
    member *m = arg;
    return edo_select(m->cases, m->n);
}

static void received(member *m)
{
    swarm *s = m->s;
    unsigned char *mark = &s->marks[(m->in >> 32) * s->rounds + (m->in & 0xffffffff)];
    CHECK_INT(__atomic_fetch_or(mark, 2, __ATOMIC_RELAXED) & 2, ==, 0);
    __atomic_fetch_add(&s->received, 1, __ATOMIC_RELAXED);
}

static void prepare(member *m, uint64_t *seed)
{
    m->n = 0;
    unsigned first = (unsigned)(test_rand(seed) % CHANS);
    for (unsigned i = 0; i < CHANS; i++) {
        edo_chan *c = m->s->c[(first + i) % CHANS];
        if (m->sends)
            m->cases[m->n++] = (edo_case)EDO_SEND(c, &m->out);
        m->cases[m->n++] = (edo_case)EDO_RECV(c, &m->in);
    }
}

static void happened(member *m, const edo_case *c, unsigned *next)
{
    swarm *s = m->s;
    if (c->kind == EDO_CASE_RECV) {
        received(m);
        return;
    }
    unsigned char *mark = &s->marks[(m->out >> 32) * s->rounds + (m->out & 0xffffffff)];
    __atomic_fetch_or(mark, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->sent, 1, __ATOMIC_RELAXED);
    if (++*next == s->rounds && __atomic_sub_fetch(&s->sending, 1, __ATOMIC_ACQ_REL) == 0)
        for (int i = 0; i < CHANS; i++)
            edo_chan_close(s->c[i]); /* nobody sends any more; the others see -EPIPE */
}

static int take_part(void *arg)
{
    const entry e = *(entry *)arg;
    swarm *s = e.s;
    member *m = calloc(1, sizeof *m);
    m->s = s;
    m->number = e.number;
    uint64_t seed = test_seed() + m->number;
    unsigned next = 0;
    for (;;) {
        m->sends = next < s->rounds;
        m->out = (uint64_t)m->number << 32 | next;
        prepare(m, &seed);
        int i = s->stormy ? storm_op(&s->storm, m->number, &seed, meet, m) : meet(m);
        if (i == -ECANCELED)
            continue;
        CHECK_INT(i, >=, 0);
        const edo_case *c = &m->cases[i];
        if (c->result == -EPIPE) {
            CHECK(!m->sends);
            break;
        }
        CHECK_INT(c->result, ==, 0);
        happened(m, c, &next);
    }
    free(m);
    return 0;
}

/* Drains what bounded channels still hold when the members have left. */
static void drain(swarm *s)
{
    member m = { .s = s };
    for (int i = 0; i < CHANS; i++)
        while (edo_chan_recv_nowait(s->c[i], &m.in) == 0)
            received(&m);
}

static int all_members(void *arg)
{
    swarm *s = arg;
    edo_group g;
    storm_begin(&s->storm, s->stormy);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < s->tasks; i++)
        CHECK_OK(edo_spawn_copy(&g, take_part, &(entry){ s, i }, sizeof(entry)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&s->storm);
}

static void run_swarm(swarm s, unsigned workers, size_t cap)
{
    unsigned all = s.tasks + s.foreign;
    foreign_call threads[4];
    entry entries[4];
    s.marks = calloc(all, s.rounds);
    s.sending = all;
    for (int i = 0; i < CHANS; i++)
        CHECK_OK(edo_chan_create(&s.c[i], sizeof(uint64_t), cap));
    for (unsigned i = 0; i < s.foreign; i++) {
        entries[i] = (entry){ &s, s.tasks + i };
        foreign_start(&threads[i], take_part, &entries[i]);
    }
    run_on(workers, all_members, &s);
    for (unsigned i = 0; i < s.foreign; i++)
        foreign_join(&threads[i]);
    drain(&s);
    CHECK_INT(s.sent, ==, all * s.rounds);
    CHECK_INT(s.received, ==, s.sent);
    for (unsigned i = 0; i < all * s.rounds; i++)
        CHECK_INT(s.marks[i], ==, 3);
    if (s.stormy)
        CHECK(s.storm.cancelled > 0);
    for (int i = 0; i < CHANS; i++)
        edo_chan_unref(s.c[i]);
    free(s.marks);
}

static const size_t caps[] = { 0, 1, EDO_UNBOUNDED };

static void run_all(swarm s)
{
    EACH_WORKER_COUNT(i)
    for (size_t k = 0; k < 3; k++)
        run_swarm(s, worker_counts[i], caps[k]);
}

TEST_TIMEOUT(select_meets_select, 120)
{
    run_all((swarm){ .tasks = 20, .rounds = test_scale(1000) });
}

TEST_TIMEOUT(two_alone, 120)
{
    run_all((swarm){ .tasks = 2, .rounds = test_scale(10000) });
}

TEST_TIMEOUT(with_foreign_threads, 120)
{
    run_all((swarm){ .tasks = 6, .foreign = 3, .rounds = test_scale(300) });
}

TEST_TIMEOUT(foreign_threads_alone, 120)
{
    run_all((swarm){ .tasks = 0, .foreign = 4, .rounds = test_scale(300) });
}

TEST_TIMEOUT(cancel_storm, 120)
{
    run_all((swarm){ .tasks = 12, .foreign = 2, .rounds = test_scale(300), .stormy = true });
}

TEST_MAIN()
