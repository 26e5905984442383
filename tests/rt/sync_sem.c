/* SPDX-License-Identifier: MIT */
/* The semaphore: order, sizes, close, and permits that are neither lost nor made. */
#include "storm.h"

static int acquire_nowait(void *arg)
{
    edo_sem *s = arg;
    CHECK_INT(edo_sem_acquire_nowait(s, 2), ==, 0);
    CHECK_INT(edo_sem_acquire_nowait(s, 2), ==, -EAGAIN);
    CHECK_INT(edo_sem_acquire_nowait(s, 1), ==, 0);
    CHECK_UINT(edo_sem_permits(s), ==, 0);
    edo_sem_release(s, 3);
    edo_scope sc;
    CHECK_OK(edo_scope_open(&sc, 0));
    CHECK_INT(edo_scope_close(&sc, edo_sem_acquire(s, 1)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_sem_permits(s), ==, 3);
    edo_sem_close(s);
    CHECK_INT(edo_sem_acquire(s, 1), ==, -EPIPE);
    CHECK_INT(edo_sem_acquire_nowait(s, 1), ==, -EPIPE);
    return 0;
}

TEST(simple)
{
    edo_sem s;
    edo_sem_init(&s, 3);
    run_on(1, acquire_nowait, &s);
}

typedef struct request {
    edo_sem *sem;
    uint64_t n;
    int *done; /* who got it, in order */
    int *count;
    int number;
    int expected;
    edo_token *token; /* it gives up with it; NULL */
} request;

static int acquire_one(void *arg)
{
    request *r = arg;
    edo_scope s;
    if (r->token != NULL)
        CHECK_OK(edo_scope_open_token(&s, r->token, EDO_FOREVER));
    int rc = edo_sem_acquire(r->sem, r->n);
    if (r->token != NULL)
        rc = edo_scope_close(&s, rc);
    if (rc == 0)
        r->done[(*r->count)++] = r->number;
    CHECK_INT(rc, ==, r->expected);
    return 0;
}

static void wait_for(edo_group *g, request r)
{
    CHECK_OK(edo_spawn_copy(g, acquire_one, &r, sizeof r));
    settle();
}

static int fifo(void *arg)
{
    edo_sem s;
    int done[8], n = 0;
    edo_group g;
    (void)arg;
    edo_sem_init(&s, 1);
    CHECK_OK(edo_group_open(&g, NULL));
    wait_for(&g, (request){ &s, 3, done, &n, 0, 0, NULL });
    wait_for(&g, (request){ &s, 1, done, &n, 1, 0, NULL });
    wait_for(&g, (request){ &s, 1, done, &n, 2, 0, NULL });
    CHECK_INT(n, ==, 0); /* the big one at the head holds up the others */
    CHECK_INT(edo_sem_acquire_nowait(&s, 1), ==, -EAGAIN);
    edo_sem_release(&s, 1);
    settle();
    CHECK_INT(n, ==, 0);
    for (int i = 0; i < 3; i++) {
        edo_sem_release(&s, 1);
        settle();
        CHECK_INT(n, ==, i + 1);
        CHECK_INT(done[i], ==, i);
    }
    CHECK_UINT(edo_sem_permits(&s), ==, 0);
    wait_for(&g, (request){ &s, 3, done, &n, 3, 0, NULL });
    wait_for(&g, (request){ &s, 1, done, &n, 4, 0, NULL });
    wait_for(&g, (request){ &s, 2, done, &n, 5, 0, NULL });
    edo_sem_release(&s, 5); /* two of the three at once */
    settle();
    CHECK_INT(n, ==, 5);
    CHECK_UINT(edo_sem_permits(&s), ==, 1);
    edo_sem_release(&s, 1);
    return edo_group_close(&g);
}

TEST(first_come_first_served)
{
    run_on(1, fifo, NULL);
}

static int big_one_leaves(void *arg)
{
    edo_sem s;
    int done[8], n = 0;
    edo_group g;
    edo_token *t;
    (void)arg;
    CHECK_OK(edo_token_create(&t));
    edo_sem_init(&s, 2);
    CHECK_OK(edo_group_open(&g, NULL));
    wait_for(&g, (request){ &s, 5, done, &n, 0, -ECANCELED, t });
    wait_for(&g, (request){ &s, 1, done, &n, 1, 0, NULL });
    wait_for(&g, (request){ &s, 1, done, &n, 2, 0, NULL });
    CHECK_INT(n, ==, 0);
    edo_token_cancel(t);
    settle();
    CHECK_INT(n, ==, 2); /* served by the one that left */
    wait_for(&g, (request){ &s, 1, done, &n, 3, -EPIPE, NULL });
    edo_sem_close(&s);
    edo_token_release(t);
    return edo_group_close(&g);
}

TEST(cancelled_head_lets_others_pass)
{
    run_on(1, big_one_leaves, NULL);
}

typedef struct pool {
    edo_sem sem;
    uint64_t size;
    uint64_t out; /* atomic: permits in use */
    unsigned tasks, rounds;
    storm storm;
} pool;

typedef struct trial {
    pool *p;
    uint64_t n;
    unsigned slot;
} trial;

static int acquire_n(void *arg)
{
    trial *t = arg;
    return edo_sem_acquire(&t->p->sem, t->n);
}

static int use_pool(void *arg)
{
    trial t = *(trial *)arg;
    pool *p = t.p;
    uint64_t seed = test_seed() + t.slot;
    for (unsigned i = 0; i < p->rounds; i++) {
        t.n = test_rand(&seed) % p->size + 1;
        if (storm_op(&p->storm, t.slot, &seed, acquire_n, &t) != 0)
            continue;
        uint64_t out = __atomic_add_fetch(&p->out, t.n, __ATOMIC_RELAXED);
        CHECK_UINT(out, <=, p->size);
        if (i % 4 == 0)
            (void)edo_yield();
        __atomic_sub_fetch(&p->out, t.n, __ATOMIC_RELAXED);
        edo_sem_release(&p->sem, t.n);
    }
    return 0;
}

static int use_all(void *arg)
{
    pool *p = arg;
    edo_group g;
    storm_begin(&p->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < p->tasks; i++)
        CHECK_OK(edo_spawn_copy(&g, use_pool, &(trial){ p, 0, i }, sizeof(trial)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&p->storm);
}

TEST_TIMEOUT(permits_are_conserved, 60)
{
    EACH_WORKER_COUNT(i)
    {
        pool p = { .size = 5, .tasks = 20, .rounds = test_scale(400) };
        edo_sem_init(&p.sem, p.size);
        foreign_call thread;
        trial outside = { &p, 0, STORM_SLOTS - 1 };
        foreign_start(&thread, use_pool, &outside);
        run_on(worker_counts[i], use_all, &p);
        foreign_join(&thread);
        CHECK_UINT(edo_sem_permits(&p.sem), ==, p.size);
        CHECK_INT(p.storm.cancelled, >, 0);
        CHECK_INT(p.storm.done, >, 0);
    }
}

TEST_MAIN()
