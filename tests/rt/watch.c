/* SPDX-License-Identifier: MIT */
/* Watch: versions seen and not seen, waiting, conditions, close, cancels, storms. */
#include "storm.h"

#include <stdlib.h>

static int send_int(edo_watch *w, int v)
{
    return edo_watch_send(w, &v);
}

static bool raise_to(void *value, void *arg)
{
    int *v = value, to = *(int *)arg;
    if (*v >= to)
        return false;
    *v = to;
    return true;
}

static int basics(void *arg)
{
    edo_watch *w;
    edo_watch_rx x, y;
    int v = 0, old = 0;
    (void)arg;
    CHECK_OK(edo_watch_create(&w, sizeof(int), &(int){ 5 }));
    CHECK_UINT(edo_watch_get(w, &v), ==, 1);
    CHECK_INT(v, ==, 5);
    CHECK_UINT(edo_watch_receivers(w), ==, 0);
    CHECK_OK(send_int(w, 6)); /* nobody watches: it is the value all the same */
    edo_watch_subscribe(w, &x);
    CHECK_UINT(edo_watch_receivers(w), ==, 1);
    CHECK(!edo_watch_has_changed(&x)); /* 6 counts as seen */
    CHECK_INT(edo_watch_changed_nowait(&x), ==, -EAGAIN);
    CHECK_UINT(edo_watch_peek(&x, &v), ==, 2);
    CHECK_INT(v, ==, 6);
    CHECK_OK(send_int(w, 7));
    edo_watch_subscribe(w, &y);
    CHECK(edo_watch_has_changed(&x));
    CHECK(!edo_watch_has_changed(&y));
    CHECK_OK(edo_watch_changed(&x));
    CHECK_OK(edo_watch_changed(&x)); /* until it is read */
    CHECK_UINT(edo_watch_peek(&x, &v), ==, 3);
    CHECK(edo_watch_has_changed(&x));
    CHECK_UINT(edo_watch_read(&x, &v), ==, 3);
    CHECK_INT(v, ==, 7);
    CHECK(!edo_watch_has_changed(&x));
    edo_watch_mark_changed(&x);
    CHECK_OK(edo_watch_changed(&x));
    edo_watch_mark_unchanged(&x);
    CHECK_INT(edo_watch_changed_nowait(&x), ==, -EAGAIN);
    CHECK_OK(edo_watch_replace(w, &(int){ 8 }, &old));
    CHECK_INT(old, ==, 7);
    CHECK_INT(edo_watch_modify(w, raise_to, &(int){ 3 }), ==, 0);
    CHECK_UINT(edo_watch_read(&x, NULL), ==, 4);
    CHECK_INT(edo_watch_modify(w, raise_to, &(int){ 9 }), ==, 1);
    CHECK_UINT(edo_watch_read(&x, &v), ==, 5);
    CHECK_INT(v, ==, 9);
    CHECK(edo_watch_has_changed(&y));
    edo_watch_unsubscribe(&y);
    CHECK_PTR(edo_watch_ref(w), ==, w);
    edo_watch_unref(w);
    CHECK(!edo_watch_closed(w));
    CHECK_OK(send_int(w, 10));
    edo_watch_unref(w); /* the last: closed */
    edo_watch_unref(NULL);
    CHECK_OK(edo_watch_changed(&x)); /* a last value to be seen */
    CHECK_UINT(edo_watch_read(&x, &v), ==, 6);
    CHECK_INT(v, ==, 10);
    CHECK_INT(edo_watch_changed(&x), ==, -EPIPE);
    CHECK_INT(edo_watch_changed_nowait(&x), ==, -EPIPE);
    CHECK(!edo_watch_has_changed(&x));
    edo_watch_unsubscribe(&x);
    return 0;
}

TEST(versions)
{
    run_on(1, basics, NULL);
    CHECK_OK(basics(NULL)); /* a foreign thread */
}

TEST(limits_and_close)
{
    edo_watch *w;
    static unsigned char big[65536];
    CHECK_INT(edo_watch_create(&w, 65537, NULL), ==, -EINVAL);
    CHECK_OK(edo_watch_create(&w, sizeof big, NULL));
    memset(big, 1, sizeof big);
    CHECK_UINT(edo_watch_get(w, big), ==, 1);
    CHECK_INT(big[0] | big[65535], ==, 0);
    edo_watch_close(w);
    edo_watch_close(w);
    CHECK(edo_watch_closed(w));
    CHECK_INT(edo_watch_send(w, big), ==, -EPIPE);
    CHECK_INT(edo_watch_replace(w, big, big), ==, -EPIPE);
    CHECK_INT(edo_watch_modify(w, raise_to, big), ==, -EPIPE);
    CHECK_UINT(edo_watch_get(w, NULL), ==, 1);
    edo_watch_unref(w);
    CHECK_OK(edo_watch_create(&w, 0, NULL));
    CHECK_OK(edo_watch_send(w, NULL));
    CHECK_UINT(edo_watch_get(w, NULL), ==, 2);
    edo_watch_unref(w);
}

typedef struct watcher {
    edo_watch *w;
    int *count;
    int expected;
} watcher;

static int wait_once(void *arg)
{
    watcher *o = arg;
    edo_watch_rx x;
    edo_watch_subscribe(o->w, &x);
    CHECK_INT(edo_watch_changed(&x), ==, o->expected);
    ++*o->count;
    edo_watch_unsubscribe(&x);
    return 0;
}

static int wait_alone(void *arg)
{
    watcher *o = arg;
    CHECK_OK(edo_watch_wait_no_receivers(o->w));
    *o->count += 100;
    return 0;
}

static int waiting(void *arg)
{
    int count = 0;
    watcher o = { .count = &count };
    edo_group g;
    (void)arg;
    CHECK_OK(edo_watch_create(&o.w, sizeof(int), NULL));
    CHECK_OK(edo_watch_wait_no_receivers(o.w));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, wait_once, &o));
    settle();
    CHECK_OK(edo_spawn(&g, wait_alone, &o));
    settle();
    CHECK_INT(edo_watch_modify(o.w, raise_to, &(int){ 0 }), ==, 0);
    settle();
    CHECK_INT(count, ==, 0); /* not modified: nobody is woken */
    CHECK_OK(send_int(o.w, 1));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(count, ==, 105);
    o.expected = -EPIPE;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, wait_once, &o));
    settle();
    edo_watch_unref(o.w);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(count, ==, 110);
    return 0;
}

TEST(waiting_and_the_last_sender)
{
    run_on(1, waiting, NULL);
}

static bool at_least(const void *value, void *arg)
{
    return *(const int *)value >= *(int *)arg;
}

static int wait_for_ten(void *arg)
{
    watcher *o = arg;
    edo_watch_rx x;
    int v = 0;
    edo_watch_subscribe(o->w, &x);
    CHECK_INT(edo_watch_wait_for(&x, at_least, &(int){ 10 }, &v), ==, o->expected);
    CHECK_INT(v, ==, o->expected == 0 ? 10 : 0);
    CHECK(!edo_watch_has_changed(&x));
    ++*o->count;
    edo_watch_unsubscribe(&x);
    return 0;
}

static int conditions(void *arg)
{
    int count = 0;
    watcher o = { .count = &count };
    edo_group g;
    (void)arg;
    CHECK_OK(edo_watch_create(&o.w, sizeof(int), NULL));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_ten, &o));
    for (int i = 1; i <= 10; i++) {
        settle();
        CHECK_INT(count, ==, 0);
        CHECK_OK(send_int(o.w, i));
    }
    settle();
    CHECK_INT(count, ==, 1);
    CHECK_OK(edo_spawn(&g, wait_for_ten, &o)); /* holds already */
    settle();
    CHECK_INT(count, ==, 2);
    CHECK_OK(send_int(o.w, 4));
    o.expected = -EPIPE;
    CHECK_OK(edo_spawn(&g, wait_for_ten, &o));
    settle();
    edo_watch_close(o.w);
    CHECK_OK(edo_spawn(&g, wait_for_ten, &o)); /* closed already */
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(count, ==, 4);
    edo_watch_unref(o.w);
    return 0;
}

TEST(conditions)
{
    run_on(1, conditions, NULL);
}

static int cancelled(void *arg)
{
    edo_watch *w;
    edo_watch_rx x;
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_watch_create(&w, sizeof(int), NULL));
    edo_watch_subscribe(w, &x);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_watch_changed(&x)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_watch_wait_for(&x, at_least, &(int){ 1 }, NULL)), ==,
              -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_watch_wait_no_receivers(w)), ==, -ETIMEDOUT);
    CHECK_OK(send_int(w, 1));
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_watch_changed(&x)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_watch_wait_for(&x, at_least, &(int){ 1 }, NULL)), ==,
              -ETIMEDOUT);
    CHECK_OK(edo_watch_changed(&x)); /* still not seen */
    edo_watch_unsubscribe(&x);
    edo_watch_unref(w);
    return 0;
}

TEST(cancelled_is_without_effect)
{
    run_on(1, cancelled, NULL);
}

/* Receivers never go back, never see half a value, and always see the last. */
#define RECEIVERS 12

typedef struct pair {
    uint64_t a, b; /* equal */
} pair;

typedef struct traffic {
    edo_watch *w;
    uint64_t rounds;
    bool stormy;
    unsigned ready, wanted; /* ready: atomic */
    storm storm;
} traffic;

typedef struct end {
    traffic *t;
    unsigned number;
    edo_watch_rx rx;
} end;

static int changed_op(void *arg)
{
    end *e = arg;
    return edo_watch_changed(&e->rx);
}

static int receiver(void *arg)
{
    end e = *(end *)arg;
    traffic *t = e.t;
    uint64_t seed = test_seed() + e.number, last = 0;
    pair v;
    edo_watch_subscribe(t->w, &e.rx);
    __atomic_fetch_add(&t->ready, 1, __ATOMIC_RELEASE);
    for (;;) {
        int rc = t->stormy ? storm_op(&t->storm, e.number, &seed, changed_op, &e) : changed_op(&e);
        if (rc == -ECANCELED)
            continue;
        if (rc == -EPIPE)
            break;
        CHECK_OK(rc);
        uint64_t version = edo_watch_read(&e.rx, &v);
        CHECK_UINT(v.a, ==, v.b);
        CHECK_UINT(v.a, >, last);
        CHECK_UINT(version, ==, v.a + 1);
        last = v.a;
    }
    CHECK_UINT(last, ==, t->rounds);
    edo_watch_unsubscribe(&e.rx);
    return 0;
}

static bool step(void *value, void *arg)
{
    pair *p = value;
    (void)arg;
    p->a++;
    p->b++;
    return true;
}

static int all_tasks(void *arg)
{
    traffic *t = arg;
    edo_group g;
    storm_begin(&t->storm, t->stormy);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < RECEIVERS; i++)
        CHECK_OK(edo_spawn_copy(&g, receiver, &(end){ .t = t, .number = i }, sizeof(end)));
    while (__atomic_load_n(&t->ready, __ATOMIC_ACQUIRE) < t->wanted)
        CHECK_OK(edo_yield());
    for (uint64_t i = 0; i < t->rounds; i++) {
        CHECK_INT(edo_watch_modify(t->w, step, NULL), ==, 1);
        if (i % 3 == 0)
            CHECK_OK(edo_yield());
    }
    edo_watch_unref(t->w);
    CHECK_OK(edo_group_close(&g));
    return storm_end(&t->storm);
}

static void run_traffic(traffic t, unsigned workers, unsigned threads)
{
    foreign_call calls[2];
    end e[2];
    t.wanted = RECEIVERS + threads;
    CHECK_OK(edo_watch_create(&t.w, sizeof(pair), NULL));
    for (unsigned i = 0; i < threads; i++) {
        e[i] = (end){ .t = &t, .number = RECEIVERS + i };
        foreign_start(&calls[i], receiver, &e[i]);
    }
    run_on(workers, all_tasks, &t);
    for (unsigned i = 0; i < threads; i++)
        foreign_join(&calls[i]);
}

TEST_TIMEOUT(one_to_many, 60)
{
    EACH_WORKER_COUNT(i)
    run_traffic((traffic){ .rounds = test_scale(4000) }, worker_counts[i], 2);
}

TEST_TIMEOUT(cancel_storm, 60)
{
    EACH_WORKER_COUNT(i)
    run_traffic((traffic){ .rounds = test_scale(2000), .stormy = true }, worker_counts[i], 2);
}

TEST_MAIN()
