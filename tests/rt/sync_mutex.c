/* SPDX-License-Identifier: MIT */
/* The mutex: exclusion, order, cancel. */
#include "storm.h"

#include <stdlib.h>

typedef struct counter {
    edo_mutex mutex;
    long value;
    int inside;
    unsigned tasks, rounds;
    storm storm;
} counter;

static int count_up(void *arg)
{
    counter *c = arg;
    for (unsigned i = 0; i < c->rounds; i++) {
        int rc = edo_mutex_lock(&c->mutex);
        if (rc < 0)
            return rc;
        CHECK_INT(c->inside, ==, 0);
        c->inside = 1;
        long v = c->value;
        if (i % 16 == 0)
            (void)edo_yield();
        c->value = v + 1;
        c->inside = 0;
        edo_mutex_unlock(&c->mutex);
    }
    return 0;
}

static int count_all(void *arg)
{
    counter *c = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < c->tasks; i++)
        CHECK_OK(edo_spawn(&g, count_up, c));
    return edo_group_close(&g);
}

TEST_TIMEOUT(excludes, 60)
{
    EACH_WORKER_COUNT(i)
    {
        counter c = { .mutex = EDO_MUTEX_INIT, .tasks = 50, .rounds = test_scale(400) };
        run_on(worker_counts[i], count_all, &c);
        CHECK_INT(c.value, ==, c.tasks * c.rounds);
    }
}

TEST_TIMEOUT(excludes_foreign_threads, 60)
{
    counter c = { .mutex = EDO_MUTEX_INIT, .tasks = 8, .rounds = test_scale(300) };
    foreign_call threads[3];
    for (int i = 0; i < 3; i++)
        foreign_start(&threads[i], count_up, &c);
    run_on(2, count_all, &c);
    for (int i = 0; i < 3; i++)
        foreign_join(&threads[i]);
    CHECK_INT(c.value, ==, (c.tasks + 3) * c.rounds);
}

typedef struct queue_test {
    edo_mutex mutex;
    int order[10];
    int n;
} queue_test;

typedef struct place {
    queue_test *q;
    int number;
} place;

static int take_place(void *arg)
{
    place *p = arg;
    int rc = edo_mutex_lock(&p->q->mutex);
    if (rc < 0)
        return rc;
    p->q->order[p->q->n++] = p->number;
    CHECK_OK(edo_yield()); /* an unfair mutex would let others in here */
    edo_mutex_unlock(&p->q->mutex);
    return 0;
}

static int fifo(void *arg)
{
    queue_test *q = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_mutex_lock(&q->mutex));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(edo_spawn_copy(&g, take_place, &(place){ q, i }, sizeof(place)));
        settle();
    }
    edo_mutex_unlock(&q->mutex);
    CHECK_INT(edo_mutex_lock_nowait(&q->mutex), ==, -EAGAIN); /* handed over, not free */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(edo_mutex_lock_nowait(&q->mutex), ==, 0);
    edo_mutex_unlock(&q->mutex);
    return 0;
}

TEST(first_come_first_served)
{
    queue_test q = { .mutex = EDO_MUTEX_INIT };
    run_on(1, fifo, &q);
    for (int i = 0; i < 10; i++)
        CHECK_INT(q.order[i], ==, i);
}

static int lock_it(void *arg)
{
    return edo_mutex_lock(arg);
}

static int cancelled(void *arg)
{
    edo_mutex *m = arg;
    edo_scope s;
    CHECK_OK(edo_scope_open(&s, 0)); /* free, but we are cancelled: not taken */
    CHECK_INT(edo_scope_close(&s, edo_mutex_lock(m)), ==, -ETIMEDOUT);
    CHECK_INT(edo_mutex_lock_nowait(m), ==, 0);
    CHECK_INT(edo_mutex_lock_nowait(m), ==, -EAGAIN);
    edo_group g;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    CHECK_OK(edo_spawn(&g, lock_it, m));
    settle();
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    edo_mutex_unlock(m);
    CHECK_INT(edo_mutex_lock_nowait(m), ==, 0);
    edo_mutex_unlock(m);
    return 0;
}

TEST(cancel_leaves_it_alone)
{
    edo_mutex m;
    edo_mutex_init(&m);
    run_on(1, cancelled, &m);
}

typedef struct trial {
    counter *c;
    unsigned slot;
} trial;

static int stormy(void *arg)
{
    trial *t = arg;
    counter *c = t->c;
    uint64_t seed = test_seed() + t->slot;
    for (unsigned i = 0; i < c->rounds; i++) {
        if (storm_op(&c->storm, t->slot, &seed, lock_it, &c->mutex) != 0)
            continue;
        CHECK_INT(c->inside, ==, 0);
        c->inside = 1;
        c->value++;
        if (test_rand(&seed) % 4 == 0)
            (void)edo_yield();
        c->inside = 0;
        edo_mutex_unlock(&c->mutex);
    }
    return 0;
}

static int storm_all(void *arg)
{
    counter *c = arg;
    edo_group g;
    storm_begin(&c->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < c->tasks; i++)
        CHECK_OK(edo_spawn_copy(&g, stormy, &(trial){ c, i }, sizeof(trial)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&c->storm);
}

TEST_TIMEOUT(cancel_storm, 60)
{
    EACH_WORKER_COUNT(i)
    {
        counter c = { .mutex = EDO_MUTEX_INIT, .tasks = 24, .rounds = test_scale(400) };
        run_on(worker_counts[i], storm_all, &c);
        CHECK_INT(c.value, ==, c.storm.done);
        CHECK_INT(c.storm.done + c.storm.cancelled, ==, c.tasks * c.rounds);
        CHECK_INT(c.storm.cancelled, >, 0);
        CHECK_INT(c.storm.done, >, 0);
        CHECK_INT(edo_mutex_lock_nowait(&c.mutex), ==, 0);
        edo_mutex_unlock(&c.mutex);
    }
}

/* Whoever gets the mutex from us may free it at once. */
typedef struct box {
    int refs; /* under the mutex */
    edo_mutex mutex;
} box;

static int drop_box(void *arg)
{
    box *b = arg;
    CHECK_OK(edo_mutex_lock(&b->mutex));
    int left = --b->refs;
    edo_mutex_unlock(&b->mutex);
    if (left == 0)
        free(b);
    return 0;
}

TEST_TIMEOUT(may_be_freed_by_the_last_holder, 60)
{
    boxes all = { sizeof(box), drop_box, test_scale(5000) };
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], drop_boxes, &all);
}

typedef struct convoy {
    edo_mutex mutex;
    unsigned rounds;
} convoy;

static int lock_and_unlock(void *arg)
{
    convoy *c = arg;
    for (unsigned i = 0; i < c->rounds; i++) {
        CHECK_OK(edo_mutex_lock(&c->mutex));
        edo_mutex_unlock(&c->mutex);
    }
    return 0;
}

/* Twenty tasks wait, and each of them wants the mutex again as soon as it has given it away. */
static int start_convoy(void *arg)
{
    convoy *c = arg;
    edo_metrics before, after;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_mutex_lock(&c->mutex));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn(&g, lock_and_unlock, c));
    CHECK_OK(edo_yield());
    CHECK_OK(edo_metrics_read(NULL, &before));
    edo_mutex_unlock(&c->mutex);
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(edo_metrics_read(NULL, &after));
    /* 20 x rounds if it went on for ever; a run per 128 operations once nobody waits any more */
    CHECK_UINT(after.polls - before.polls, <, c->rounds);
    return 0;
}

TEST(convoy_dissolves)
{
#ifdef EDO_FORCE_MIGRATE
    SKIP("a wake-up is a migration");
#endif
    convoy c = { .mutex = EDO_MUTEX_INIT, .rounds = 2000 };
    run_on(1, start_convoy, &c);
}

static void unlock_what_is_not_ours(void *arg)
{
    edo_mutex *m = arg;
    edo_mutex_unlock(m);
}

static int hold_and_cross(void *arg)
{
    edo_mutex *m = arg;
    char text[512];
    CHECK_OK(edo_mutex_lock(m));
    int status =
        test_capture(unlock_what_is_not_ours, &(edo_mutex)EDO_MUTEX_INIT, text, sizeof text);
    CHECK(status != 0 && strstr(text, "unlocked by its holder") != NULL);
    edo_mutex_unlock(m);
    return 0;
}

TEST(unlock_of_what_is_not_held_is_caught)
{
    edo_mutex m = EDO_MUTEX_INIT;
    CHECK_OK(hold_and_cross(&m));
}

TEST_MAIN()
