/* SPDX-License-Identifier: MIT */
/* Select over the next child of a group and the next entry of a delay queue: losers keep what they
 * had, places in line are kept, cancels take nothing, and a storm in which every child and every
 * entry is reported once. */
#include "storm.h"

#include <stdlib.h>
#include <unistd.h>

static int return_arg(void *arg)
{
    return (int)(intptr_t)arg;
}

static void *num(intptr_t n)
{
    return (void *)n;
}

static int wait_notify(void *arg)
{
    int rc = edo_notify_wait(arg);
    return rc == 0 ? 7 : rc;
}

/* ---- children ---- */

static int children_one_after_the_other(void *arg)
{
    const bool ordered = arg != NULL;
    edo_group g;
    edo_result r = { .code = -1 };
    edo_notify n = EDO_NOTIFY_INIT;
    int v = 0;
    edo_chan *c;
    CHECK_OK(edo_chan_create(&c, sizeof v, 1));
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = ordered }));
    edo_case cases[] = { EDO_RECV(c, &v), EDO_GROUP_NEXT(&g, &r) };
    CHECK_INT(edo_select(cases, 2), ==, 1); /* there is none: nothing to wait for */
    CHECK_INT(cases[1].result, ==, 0);
    CHECK_INT(r.code, ==, -1);

    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "first" }, NULL, wait_notify, &n));
    CHECK_OK(edo_spawn(&g, return_arg, num(3)));
    settle();
    if (!ordered) { /* the second has ended */
        CHECK_INT(edo_select(cases, 2), ==, 1);
        CHECK_INT(cases[1].result, ==, 1);
        CHECK_INT(r.code, ==, 3);
    }
    CHECK_INT(edo_select_nowait(cases, 2), ==, -EAGAIN);
    CHECK_INT(edo_select_biased_nowait(cases, 2), ==, -EAGAIN);
    edo_notify_one(&n);
    CHECK_INT(edo_select(cases, 2), ==, 1); /* waits for the first */
    CHECK_INT(cases[1].result, ==, 1);
    CHECK_INT(r.code, ==, 7);
    CHECK_STR(r.name, "first");
    if (ordered) {
        CHECK_INT(edo_select(cases, 2), ==, 1);
        CHECK_INT(r.code, ==, 3);
    }
    CHECK_INT(edo_select_nowait(cases, 2), ==, 1);
    CHECK_INT(cases[1].result, ==, 0);
    CHECK_OK(edo_group_close(&g));
    edo_chan_unref(c);
    return 0;
}

TEST(next_child)
{
    run_on(1, children_one_after_the_other, NULL);
    run_on(1, children_one_after_the_other, num(1));
}

/* The case loses, before and while it waits: the name of the last result stays, and so does the
 * child's own result. Then the group waits as it should. */
static int losing_child(void *arg)
{
    (void)arg;
    edo_group g;
    edo_result r = { .code = -1 };
    edo_notify n = EDO_NOTIFY_INIT, wake = EDO_NOTIFY_INIT;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "named" }, NULL, return_arg, NULL));
    CHECK_OK(edo_spawn(&g, wait_notify, &n));
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    const char *name = r.name;
    edo_result none = { .code = -1 };
    edo_case cases[] = { EDO_GROUP_NEXT(&g, &none), EDO_NOTIFIED(&wake), EDO_AFTER(EDO_US(100)) };
    edo_notify_one(&wake);
    CHECK_INT(edo_select(cases, 3), ==, 1);
    CHECK_INT(edo_select(cases, 3), ==, 2);
    CHECK_STR(name, "named");
    CHECK_INT(none.code, ==, -1);
    edo_notify_one(&n);
    settle();
    CHECK_OK(edo_group_wait(&g));
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, 7);
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    return edo_group_close(&g);
}

TEST(a_child_that_loses_keeps_its_result)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], losing_child, NULL);
}

typedef struct others {
    edo_group *g;
    int code;
} others;

static int ask_for_next(void *arg)
{
    others *o = arg;
    edo_result r;
    edo_case cases[] = { EDO_GROUP_NEXT(o->g, &r) };
    o->code = edo_select(cases, 1);
    return 0;
}

static int misuse(void *arg)
{
    (void)arg;
    edo_group g;
    edo_result r;
    edo_delay d;
    edo_delayqueue q;
    edo_delayqueue_init(&q);
    others o = { .g = &g };
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, ask_for_next, &o));
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(o.code, ==, -EPERM);
    edo_case bad[] = { EDO_GROUP_NEXT(&g, NULL), EDO_GROUP_NEXT(NULL, &r),
                       EDO_DELAYQUEUE_NEXT(&q, NULL), EDO_DELAYQUEUE_NEXT(NULL, &d) };
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(edo_select(&bad[i], 1), ==, -EINVAL);
    edo_delayqueue_deinit(&q);
    return edo_group_close(&g);
}

TEST(only_the_owner_and_with_room_for_the_result)
{
    run_on(1, misuse, NULL);
}

/* A child's failure cancels the group, and with it the select; the result is not lost. A scope
 * inside the group works as a time limit. */
static int cancelled_group(void *arg)
{
    (void)arg;
    edo_group g;
    edo_result r = { .code = 0 };
    edo_notify n = EDO_NOTIFY_INIT;
    edo_scope s;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_notify, &n));
    edo_case cases[] = { EDO_GROUP_NEXT(&g, &r) };
    edo_scope_open(&s, EDO_US(50));
    CHECK_INT(edo_scope_close(&s, edo_select(cases, 1)), ==, -ETIMEDOUT);
    CHECK_OK(edo_spawn(&g, return_arg, num(-EIO)));
    CHECK_INT(edo_select(cases, 1), ==, -ECANCELED);
    CHECK_INT(edo_select(cases, 1), ==, -ECANCELED);
    /* In either order: a spare worker may end the cancelled one before the other has quite ended. */
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    int first = r.code;
    CHECK(first == -EIO || first == -ECANCELED);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, first == -EIO ? -ECANCELED : -EIO);
    CHECK_INT(edo_group_close(&g), ==, -EIO);
    return 0;
}

TEST(a_cancelled_group_ends_the_select)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], cancelled_group, NULL);
}

/* ---- entries ---- */

static int entries_in_time(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay d = { .value = NULL };
    int v;
    edo_chan *c;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_chan_create(&c, sizeof v, 1));
    edo_delayqueue_init(&q);
    int64_t start = edo_now();
    edo_case cases[] = { EDO_DELAYQUEUE_NEXT(&q, &d), EDO_RECV(c, &v), EDO_AFTER(EDO_MS(20)) };
    CHECK_INT(edo_select_nowait(cases, 3), ==, -EAGAIN);
    CHECK_OK(edo_delayqueue_insert(&q, 0, num(1), NULL));
    CHECK_INT(edo_select(cases, 3), ==, 0);
    CHECK_INT(cases[0].result, ==, 0);
    CHECK_PTR(d.value, ==, num(1));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(10), num(2), NULL));
    CHECK_INT(edo_select(cases, 3), ==, 0);
    CHECK_INT(edo_now() - start, ==, EDO_MS(10));
    CHECK_PTR(d.value, ==, num(2));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(30), num(3), NULL));
    CHECK_INT(edo_select(cases, 3), ==, 2);
    CHECK_INT(edo_now() - start, ==, EDO_MS(30));
    CHECK_UINT(edo_delayqueue_len(&q), ==, 1);
    edo_scope s;
    edo_scope_open(&s, EDO_MS(5));
    CHECK_INT(edo_scope_close(&s, edo_select(cases, 2)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_delayqueue_len(&q), ==, 1);
    edo_delayqueue_close(&q);
    CHECK_INT(edo_select(cases, 3), ==, 0);
    CHECK_PTR(d.value, ==, num(3));
    CHECK_INT(edo_select(cases, 3), ==, 0);
    CHECK_INT(cases[0].result, ==, -EPIPE);
    edo_delayqueue_deinit(&q);
    edo_chan_unref(c);
    return 0;
}

TEST(next_entry)
{
    run_on(1, entries_in_time, NULL);
}

typedef struct taker {
    edo_delayqueue *q;
    bool selects;
    int64_t give_up; /* a select's other case */
    void *got;
    int64_t at;
} taker;

static int take(void *arg)
{
    taker *t = arg;
    edo_delay d = { .value = NULL };
    if (t->selects) {
        edo_case cases[] = { EDO_AFTER(t->give_up), EDO_DELAYQUEUE_NEXT(t->q, &d) };
        CHECK_INT(edo_select(cases, 2), ==, t->give_up == EDO_FOREVER);
    } else {
        CHECK_OK(edo_delayqueue_next(t->q, &d));
    }
    t->got = d.value;
    t->at = edo_now();
    return 0;
}

/* The select stands in line like everybody, keeps its place when it was called for nothing, and is
 * called when the first entry changes; one that gives up calls the next. */
static int in_line(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay_key k;
    edo_group g;
    CHECK_OK(edo_clock_pause());
    edo_delayqueue_init(&q);
    int64_t start = edo_now();
    taker t[] = { { &q, true, EDO_MS(3), NULL, 0 },
                  { &q, true, EDO_FOREVER, NULL, 0 },
                  { &q, false, 0, NULL, 0 },
                  { &q, true, EDO_FOREVER, NULL, 0 } };
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(50), num(9), &k));
    for (int i = 0; i < 4; i++) {
        CHECK_OK(edo_spawn(&g, take, &t[i]));
        CHECK_OK(edo_clock_advance(0)); /* it waits now */
    }
    CHECK_OK(edo_clock_advance(EDO_MS(5))); /* the first has given up */
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(5), num(1), NULL));
    CHECK_OK(edo_clock_advance(0));
    CHECK_OK(edo_delayqueue_pop(&q, &(edo_delay){ 0 })); /* called for nothing at 10 ms */
    CHECK_OK(edo_clock_advance(EDO_MS(10)));
    CHECK_OK(edo_delayqueue_reset(&q, k, EDO_MS(1)));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(2), num(2), NULL));
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(3), num(3), NULL));
    CHECK_OK(edo_group_close(&g));
    CHECK_PTR(t[0].got, ==, NULL);
    CHECK_INT(t[0].at - start, ==, EDO_MS(3));
    for (int i = 1; i < 4; i++)
        CHECK_INT(t[i].at - start, ==, EDO_MS(15 + i));
    CHECK_PTR(t[1].got, ==, num(9));
    CHECK_PTR(t[2].got, ==, num(2));
    CHECK_PTR(t[3].got, ==, num(3));
    CHECK_UINT(edo_delayqueue_len(&q), ==, 0);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(first_come_first_served)
{
    run_on(1, in_line, NULL);
}

typedef struct slow {
    edo_delayqueue *q;
    edo_delay d;
    edo_event *started, *go;
} slow;

static int slow_job(void *arg)
{
    slow *s = arg;
    edo_event_set(s->started);
    return edo_event_wait(s->go); /* on the pool's thread */
}

static int select_with_job(void *arg)
{
    slow *s = arg;
    edo_case cases[] = { EDO_DELAYQUEUE_NEXT(s->q, &s->d), EDO_BLOCKING(slow_job, s) };
    CHECK_INT(edo_select(cases, 2), ==, 0);
    return 0;
}

/* A descriptor's case makes the select look by arming; a job that runs on holds the select, but not
 * the line. */
static int with_others(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delay d;
    edo_group g;
    int fds[2];
    edo_event started = EDO_EVENT_INIT, go = EDO_EVENT_INIT;
    slow s = { .q = &q, .started = &started, .go = &go };
    edo_delayqueue_init(&q);
    CHECK_OK(pipe(fds));
    edo_case cases[] = { EDO_DELAYQUEUE_NEXT(&q, &d), EDO_READABLE(fds[0]) };
    CHECK_INT(edo_select_nowait(cases, 2), ==, -EAGAIN);
    CHECK_OK(edo_delayqueue_insert(&q, 0, num(1), NULL));
    CHECK_INT(edo_select_nowait(cases, 2), ==, 0);
    CHECK_OK(edo_delayqueue_insert(&q, EDO_MS(1), num(2), NULL));
    CHECK_INT(edo_select(cases, 2), ==, 0);
    CHECK_PTR(d.value, ==, num(2));

    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, select_with_job, &s));
    CHECK_OK(edo_event_wait(&started));
    CHECK_OK(edo_delayqueue_insert(&q, 0, num(3), NULL)); /* for it: it is first in line */
    CHECK_OK(edo_delayqueue_insert(&q, 0, num(4), NULL));
    CHECK_OK(edo_delayqueue_next(&q, &d)); /* although it still waits for its job */
    CHECK_PTR(d.value, ==, num(4));
    edo_event_set(&go);
    CHECK_OK(edo_group_close(&g));
    CHECK_PTR(s.d.value, ==, num(3));
    close(fds[0]);
    close(fds[1]);
    edo_delayqueue_deinit(&q);
    return 0;
}

TEST(with_descriptors_and_jobs)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], with_others, NULL);
}

/* ---- both, and fairness ---- */

static int fair(void *arg)
{
    (void)arg;
    const int rounds = 600;
    edo_delayqueue q;
    edo_delay d;
    edo_group g;
    edo_result r;
    int won[2] = { 0, 0 };
    edo_delayqueue_init(&q);
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < rounds; i++) {
        CHECK_OK(edo_spawn(&g, return_arg, NULL));
        CHECK_OK(edo_delayqueue_insert(&q, 0, NULL, NULL));
    }
    CHECK_OK(edo_group_wait(&g));
    for (int i = 0; i < rounds; i++) {
        edo_case cases[] = { EDO_GROUP_NEXT(&g, &r), EDO_DELAYQUEUE_NEXT(&q, &d) };
        int which = edo_select(cases, 2);
        CHECK_INT(which, >=, 0);
        won[which]++;
    }
    CHECK_INT(won[0], >, rounds / 3);
    CHECK_INT(won[1], >, rounds / 3);
    CHECK_UINT(edo_delayqueue_len(&q), ==, (size_t)(rounds - won[1]));
    edo_case first[] = { EDO_GROUP_NEXT(&g, &r), EDO_DELAYQUEUE_NEXT(&q, &d) };
    for (int i = won[0]; i < rounds; i++)
        CHECK_INT(edo_select_biased(first, 2), ==, 0);
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, 0);
    edo_delayqueue_deinit(&q);
    return edo_group_close(&g);
}

TEST(each_is_as_likely)
{
    run_on(1, fair, NULL);
}

/* ---- storm ---- */

enum { OWNERS = 6 };

typedef struct weather {
    edo_delayqueue q;
    unsigned rounds;
    unsigned put, came; /* atomic: entries */
    unsigned ended;     /* atomic: children reported */
    unsigned spawned;   /* atomic */
    unsigned owners;    /* atomic: at work */
    storm storm;
} weather;

typedef struct owner {
    weather *w;
    unsigned number;
    edo_group g;
    edo_result r;
    edo_delay d;
    edo_case cases[2];
} owner;

static int step(void *arg)
{
    owner *o = arg;
    return edo_select(o->cases, 2);
}

static int child(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (intptr_t i = 0; i < n % 4; i++)
        (void)edo_yield();
    return n % 5 == 0 ? edo_sleep(n % 7 * 1000) : 0;
}

static void offer(owner *o, uint64_t *seed)
{
    uint64_t r = test_rand(seed);
    if (r % 2 == 0) {
        CHECK_OK(edo_spawn(&o->g, child, num((intptr_t)(r >> 8) % 1000)));
        __atomic_add_fetch(&o->w->spawned, 1, __ATOMIC_RELAXED);
    } else {
        CHECK_OK(edo_delayqueue_insert(&o->w->q, (int64_t)(r >> 8) % 40000, NULL, NULL));
        __atomic_add_fetch(&o->w->put, 1, __ATOMIC_RELAXED);
    }
}

static int own(void *arg)
{
    owner *o = calloc(1, sizeof *o);
    memcpy(o, arg, offsetof(owner, g));
    weather *w = o->w;
    uint64_t seed = test_seed() + o->number;
    CHECK_OK(edo_group_open(
        &o->g, &(edo_group_options){ .keep_going = true, .ordered = o->number % 2 == 0 }));
    for (unsigned i = 0; i < w->rounds; i++) {
        offer(o, &seed);
        const edo_case cases[2] = { EDO_GROUP_NEXT(&o->g, &o->r),
                                    EDO_DELAYQUEUE_NEXT(&w->q, &o->d) };
        memcpy(o->cases, cases, sizeof cases);
        int rc = storm_op(&w->storm, o->number, &seed, step, o);
        if (rc == 0 && o->cases[0].result == 1)
            __atomic_add_fetch(&w->ended, 1, __ATOMIC_RELAXED);
        else if (rc == 1)
            __atomic_add_fetch(&w->came, 1, __ATOMIC_RELAXED);
        else if (rc != 0)
            CHECK_INT(rc, ==, -ECANCELED);
    }
    while (edo_group_next(&o->g, &o->r) == 1)
        __atomic_add_fetch(&w->ended, 1, __ATOMIC_RELAXED);
    CHECK_OK(edo_group_close(&o->g));
    if (__atomic_sub_fetch(&w->owners, 1, __ATOMIC_ACQ_REL) == 0)
        edo_delayqueue_close(&w->q);
    free(o);
    return 0;
}

/* Takes entries in the usual way, among the selects; to the end. */
static int drink(void *arg)
{
    weather *w = arg;
    edo_delay d;
    while (edo_delayqueue_next(&w->q, &d) == 0)
        __atomic_add_fetch(&w->came, 1, __ATOMIC_RELAXED);
    return 0;
}

static int all_owners(void *arg)
{
    weather *w = arg;
    edo_group g;
    storm_begin(&w->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, drink, w));
    for (unsigned i = 0; i < OWNERS; i++) {
        owner o = { .w = w, .number = i };
        CHECK_OK(edo_spawn_copy(&g, own, &o, offsetof(owner, g)));
    }
    CHECK_OK(edo_group_close(&g));
    return storm_end(&w->storm);
}

TEST_TIMEOUT(storm_of_owners, 120)
{
    EACH_WORKER_COUNT(i)
    {
        weather w = { .rounds = test_scale(1500), .owners = OWNERS };
        foreign_call thread;
        edo_delayqueue_init(&w.q);
        foreign_start(&thread, drink, &w);
        run_on(worker_counts[i], all_owners, &w);
        foreign_join(&thread);
        CHECK_UINT(w.ended, ==, w.spawned);
        CHECK_UINT(w.came, ==, w.put);
        CHECK_UINT(w.storm.cancelled, >, 0);
        CHECK_UINT(w.storm.done, >, 0);
        edo_delayqueue_deinit(&w.q);
    }
}

TEST_MAIN()
