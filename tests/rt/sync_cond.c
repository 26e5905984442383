/* SPDX-License-Identifier: MIT */
/* The condition variable: the mutex is always held again, signals are neither lost nor doubled,
 * order, no herd. */
#include "storm.h"

#include <stdlib.h>

typedef struct shop {
    edo_mutex mutex;
    edo_cond cond;
    int tickets; /* under the mutex, as all of these */
    int served[16];
    int n;
    int waiting;
} shop;

typedef struct customer {
    shop *s;
    int number;
    edo_token *token;
    int code;
} customer;

/* Waits for one signal, without a loop: every signal must end exactly one wait. */
static int wait_once(void *arg)
{
    customer *c = arg;
    edo_scope scope;
    if (c->token != NULL)
        CHECK_OK(edo_scope_open_token(&scope, c->token, EDO_FOREVER));
    CHECK_OK(edo_mutex_lock(&c->s->mutex));
    c->s->waiting++;
    c->code = edo_cond_wait(&c->s->cond, &c->s->mutex);
    CHECK_INT(edo_mutex_lock_nowait(&c->s->mutex), ==, -EAGAIN);
    c->s->waiting--;
    if (c->code == 0)
        c->s->served[c->s->n++] = c->number;
    edo_mutex_unlock(&c->s->mutex); /* asserts that it is ours */
    if (c->token != NULL)
        (void)edo_scope_close(&scope, c->code);
    return 0;
}

static void come(shop *s, edo_group *g, customer *all, int n, bool tokens)
{
    CHECK_OK(edo_group_open(g, NULL));
    for (int i = 0; i < n; i++) {
        all[i] = (customer){ s, i, NULL, 7 };
        if (tokens)
            CHECK_OK(edo_token_create(&all[i].token));
        CHECK_OK(edo_spawn(g, wait_once, &all[i]));
        settle();
    }
    CHECK_INT(s->waiting, ==, n);
}

static void go(edo_group *g, customer *all, int n)
{
    CHECK_OK(edo_group_close(g));
    for (int i = 0; i < n; i++)
        edo_token_release(all[i].token);
}

static int fifo(void *arg)
{
    shop s = { .mutex = EDO_MUTEX_INIT, .cond = EDO_COND_INIT };
    bool held = *(bool *)arg;
    customer all[8];
    edo_group g;
    edo_cond_signal(&s.cond); /* nobody: nothing is stored */
    come(&s, &g, all, 8, false);
    for (int i = 1; i <= 3; i++) {
        if (held)
            CHECK_OK(edo_mutex_lock(&s.mutex));
        edo_cond_signal(&s.cond);
        if (held)
            edo_mutex_unlock(&s.mutex);
        settle();
        CHECK_INT(s.n, ==, i);
    }
    if (held)
        CHECK_OK(edo_mutex_lock(&s.mutex));
    edo_cond_broadcast(&s.cond);
    if (held) {
        settle();
        CHECK_INT(s.n, ==, 3); /* they need the mutex */
        edo_mutex_unlock(&s.mutex);
    }
    settle();
    CHECK_INT(s.n, ==, 8);
    for (int i = 0; i < 8; i++)
        CHECK_INT(s.served[i], ==, i);
    go(&g, all, 8);
    CHECK_OK(edo_mutex_lock_nowait(&s.mutex));
    edo_mutex_unlock(&s.mutex);
    return 0;
}

TEST(first_come_first_served_mutex_held)
{
    run_on(1, fifo, &(bool){ true });
}

TEST(first_come_first_served_mutex_free)
{
    run_on(1, fifo, &(bool){ false });
}

/* After a broadcast the waiters stand in the mutex's line: in front of who comes now. */
static int no_herd(void *arg)
{
    shop s = { .mutex = EDO_MUTEX_INIT, .cond = EDO_COND_INIT };
    customer all[6];
    edo_group g;
    edo_metrics before, after;
    (void)arg;
    come(&s, &g, all, 6, false);
    CHECK_OK(edo_mutex_lock(&s.mutex));
    edo_cond_broadcast(&s.cond);
    CHECK_OK(edo_metrics_read(NULL, &before));
    CHECK_UINT(before.local_depth + before.inject_depth, ==, 0); /* nobody was made runnable */
    edo_mutex_unlock(&s.mutex);
    CHECK_OK(edo_metrics_read(NULL, &after));
    CHECK_UINT(after.local_depth + after.inject_depth, <=, 1);
    CHECK_OK(edo_mutex_lock(&s.mutex));
    CHECK_INT(s.n, ==, 6);
    edo_mutex_unlock(&s.mutex);
    go(&g, all, 6);
    return 0;
}

TEST(broadcast_makes_no_herd)
{
    run_on(1, no_herd, NULL);
}

static int cancels(void *arg)
{
    shop s = { .mutex = EDO_MUTEX_INIT, .cond = EDO_COND_INIT };
    customer all[4];
    edo_group g;
    edo_scope scope;
    (void)arg;
    CHECK_OK(edo_mutex_lock(&s.mutex));
    CHECK_OK(edo_scope_open(&scope, 0));
    CHECK_INT(edo_cond_wait(&s.cond, &s.mutex), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&scope, -ECANCELED), ==, -ETIMEDOUT);
    edo_mutex_unlock(&s.mutex);

    for (int held = 0; held < 2; held++) {
        come(&s, &g, all, 2, true);
        if (held)
            CHECK_OK(edo_mutex_lock(&s.mutex));
        edo_token_cancel(all[0].token); /* claimed by the cancel; has not run yet */
        edo_cond_signal(&s.cond);       /* so this goes to the next */
        if (held)
            edo_mutex_unlock(&s.mutex);
        settle();
        CHECK_INT(all[0].code, ==, -ECANCELED);
        CHECK_INT(all[1].code, ==, 0);
        go(&g, all, 2);
    }
    come(&s, &g, all, 4, true);
    edo_token_cancel(all[0].token);
    edo_token_cancel(all[1].token);
    settle();

    CHECK_OK(edo_mutex_lock(&s.mutex));
    edo_cond_signal(&s.cond);       /* 2 stands in the mutex's line from here on */
    edo_token_cancel(all[2].token); /* too late */
    settle();
    CHECK_INT(all[2].code, ==, 7); /* waits for the mutex, whatever is cancelled */
    edo_token_cancel(all[3].token);
    settle();
    CHECK_INT(all[3].code, ==, 7); /* for that as well */
    edo_mutex_unlock(&s.mutex);
    settle();
    CHECK_INT(all[2].code, ==, 0);
    CHECK_INT(all[3].code, ==, -ECANCELED);
    go(&g, all, 4);
    return 0;
}

TEST(cancel_keeps_the_mutex_and_passes_the_signal_on)
{
    run_on(1, cancels, NULL);
}

/* Its turn at the mutex comes while it has been cancelled and not yet run. */
static int turn_missed(void *arg)
{
    shop s = { .mutex = EDO_MUTEX_INIT, .cond = EDO_COND_INIT };
    customer all[2];
    edo_group g;
    (void)arg;
    come(&s, &g, all, 2, true);
    CHECK_OK(edo_mutex_lock(&s.mutex));
    edo_cond_broadcast(&s.cond);
    edo_token_cancel(all[0].token);
    edo_mutex_unlock(&s.mutex); /* 0 cannot be claimed any more: the mutex goes to 1 */
    settle();
    CHECK_INT(all[0].code, ==, 0);
    CHECK_INT(all[1].code, ==, 0);
    CHECK_INT(s.served[0], ==, 1);
    CHECK_INT(s.served[1], ==, 0);

    go(&g, all, 2);
    come(&s, &g, all, 2, true);
    edo_token_cancel(all[0].token);
    edo_token_cancel(all[1].token);
    edo_cond_broadcast(&s.cond); /* nobody left to hand the free mutex to */
    settle();
    CHECK_INT(all[0].code, ==, -ECANCELED);
    CHECK_INT(all[1].code, ==, -ECANCELED);
    CHECK_OK(edo_mutex_lock_nowait(&s.mutex));
    edo_mutex_unlock(&s.mutex);
    go(&g, all, 2);
    return 0;
}

TEST(cancelled_at_its_turn)
{
    run_on(1, turn_missed, NULL);
}

/* The common use: a loop around a condition, here tickets to be taken. */
typedef struct office {
    shop shop;
    unsigned rounds, given; /* given: under the mutex */
    unsigned taken;         /* under the mutex */
    storm storm;
} office;

typedef struct clerk {
    office *o;
    unsigned slot;
} clerk;

static int take_ticket(void *arg)
{
    office *o = arg;
    shop *s = &o->shop;
    int rc = edo_mutex_lock(&s->mutex);
    if (rc < 0)
        return rc;
    while (rc == 0 && s->tickets == 0 && o->given < o->rounds)
        rc = edo_cond_wait(&s->cond, &s->mutex);
    CHECK_INT(s->waiting, ==, 0); /* nobody else is inside */
    s->waiting = 1;
    if (rc == 0 && s->tickets > 0) {
        s->tickets--;
        o->taken++;
    }
    s->waiting = 0;
    edo_mutex_unlock(&s->mutex);
    return rc;
}

static int customer_loop(void *arg)
{
    clerk *c = arg;
    office *o = c->o;
    uint64_t seed = test_seed() + c->slot;
    bool over = false;
    while (!over) {
        (void)storm_op(&o->storm, c->slot, &seed, take_ticket, o);
        CHECK_OK(edo_mutex_lock(&o->shop.mutex));
        over = o->given == o->rounds && o->shop.tickets == 0;
        edo_mutex_unlock(&o->shop.mutex);
    }
    return 0;
}

static int give_tickets(void *arg)
{
    office *o = arg;
    shop *s = &o->shop;
    uint64_t seed = test_seed() ^ 0x7ea;
    for (unsigned i = 0; i < o->rounds; i++) {
        uint64_t r = test_rand(&seed);
        CHECK_OK(edo_mutex_lock(&s->mutex));
        s->tickets++;
        o->given++;
        if (r % 2 == 0)
            edo_cond_signal(&s->cond);
        edo_mutex_unlock(&s->mutex);
        if (r % 2 != 0)
            edo_cond_signal(&s->cond);
        if (r % 8 == 0)
            CHECK_OK(edo_yield());
    }
    CHECK_OK(edo_mutex_lock(&s->mutex));
    edo_cond_broadcast(&s->cond);
    edo_mutex_unlock(&s->mutex);
    return 0;
}

static int office_day(void *arg)
{
    office *o = arg;
    edo_group g;
    storm_begin(&o->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 16; i++)
        CHECK_OK(edo_spawn_copy(&g, customer_loop, &(clerk){ o, i }, sizeof(clerk)));
    CHECK_OK(edo_spawn(&g, give_tickets, o));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&o->storm);
}

TEST_TIMEOUT(storm_with_a_foreign_thread, 60)
{
    EACH_WORKER_COUNT(i)
    {
        office o = { .rounds = test_scale(4000) };
        clerk outside = { &o, STORM_SLOTS - 1 };
        foreign_call thread;
        foreign_start(&thread, customer_loop, &outside);
        run_on(worker_counts[i], office_day, &o);
        foreign_join(&thread);
        CHECK_UINT(o.taken, ==, o.rounds);
        CHECK_INT(o.storm.done, >, 0);
        CHECK_OK(edo_mutex_lock_nowait(&o.shop.mutex));
        edo_mutex_unlock(&o.shop.mutex);
    }
}

/* Every signal ends exactly one wait: one waiter is never cancelled, so there is always one to get
 * it; and the next signal comes only when the last has been seen to arrive. One that were lost with
 * a waiter that was cancelled would leave the test hanging. */
typedef struct tally {
    edo_mutex mutex;
    edo_cond cond;
    bool steady_waits; /* under the mutex */
    bool over;         /* under the mutex */
    unsigned rounds;
    unsigned signals, arrived; /* atomic */
    storm storm;
} tally;

typedef struct counted {
    tally *t;
    unsigned slot;
} counted;

static int counted_wait(void *arg)
{
    tally *t = arg;
    int rc = edo_mutex_lock(&t->mutex);
    if (rc < 0)
        return rc;
    if (!t->over) {
        rc = edo_cond_wait(&t->cond, &t->mutex);
        if (rc == 0)
            __atomic_fetch_add(&t->arrived, 1, __ATOMIC_RELAXED);
    }
    edo_mutex_unlock(&t->mutex);
    return rc;
}

static bool is_over(tally *t)
{
    CHECK_OK(edo_mutex_lock(&t->mutex));
    bool over = t->over;
    edo_mutex_unlock(&t->mutex);
    return over;
}

static int unsteady(void *arg)
{
    counted *c = arg;
    uint64_t seed = test_seed() + c->slot;
    while (!is_over(c->t))
        (void)storm_op(&c->t->storm, c->slot, &seed, counted_wait, c->t);
    return 0;
}

static int steady(void *arg)
{
    tally *t = arg;
    CHECK_OK(edo_mutex_lock(&t->mutex));
    while (!t->over) {
        t->steady_waits = true;
        CHECK_OK(edo_cond_wait(&t->cond, &t->mutex));
        t->steady_waits = false;
        __atomic_fetch_add(&t->arrived, 1, __ATOMIC_RELAXED);
    }
    edo_mutex_unlock(&t->mutex);
    return 0;
}

static void signal_one(tally *t, bool held)
{
    bool ready = false;
    while (!ready) {
        CHECK_OK(edo_yield());
        CHECK_OK(edo_mutex_lock(&t->mutex));
        ready = t->steady_waits;
        if (!ready || !held)
            edo_mutex_unlock(&t->mutex);
    }
    unsigned n = __atomic_add_fetch(&t->signals, 1, __ATOMIC_RELAXED);
    edo_cond_signal(&t->cond);
    if (held)
        edo_mutex_unlock(&t->mutex);
    unsigned arrived;
    while ((arrived = __atomic_load_n(&t->arrived, __ATOMIC_RELAXED)) < n)
        CHECK_OK(edo_yield());
    CHECK_UINT(arrived, ==, n);
}

static int count_signals(void *arg)
{
    tally *t = arg;
    edo_group g;
    uint64_t seed = test_seed() ^ 0xc0;
    storm_begin(&t->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < 6; i++)
        CHECK_OK(edo_spawn_copy(&g, unsteady, &(counted){ t, i }, sizeof(counted)));
    CHECK_OK(edo_spawn(&g, steady, t));
    for (unsigned i = 0; i < t->rounds; i++)
        signal_one(t, test_rand(&seed) % 2 == 0);
    CHECK_OK(edo_mutex_lock(&t->mutex));
    t->over = true;
    edo_cond_broadcast(&t->cond);
    edo_mutex_unlock(&t->mutex);
    CHECK_OK(edo_group_close(&g));
    return storm_end(&t->storm);
}

TEST_TIMEOUT(every_signal_arrives_once, 60)
{
    EACH_WORKER_COUNT(i)
    {
        tally t = { .mutex = EDO_MUTEX_INIT, .cond = EDO_COND_INIT, .rounds = test_scale(1500) };
        counted outside = { &t, STORM_SLOTS - 1 };
        foreign_call thread;
        foreign_start(&thread, unsteady, &outside);
        run_on(worker_counts[i], count_signals, &t);
        foreign_join(&thread);
        CHECK_INT(t.storm.cancelled, >, 0);
    }
}

TEST_MAIN()
