/* SPDX-License-Identifier: MIT */
/* Joins: in spawn order, by key, one child cancelled alone, waiting without closing, spawning from
 * threads. */
#include "core_test.h"

typedef struct turn {
    unsigned *now;
    unsigned mine;
    int code;
} turn;

static int take_turn(void *arg)
{
    turn *t = arg;
    until(t->now, t->mine);
    return t->code;
}

/* ---- spawn order ---- */

static int ordered(void *arg)
{
    (void)arg;
    enum { N = 20 };
    unsigned now = 0;
    turn t[N];
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true, .keep_going = true }));
    for (unsigned i = 0; i < N; i++) {
        t[i] = (turn){ &now, N - i, i % 3 ? (int)i : -(int)i }; /* the last one ends first */
        char name[16];
        snprintf(name, sizeof name, "turn-%u", i);
        edo_task_options named = { .name = i % 2 ? name : NULL, .key = i };
        CHECK_OK(edo_spawn_with(&g, &named, NULL, take_turn, &t[i]));
    }
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, -EAGAIN);
    STORE(&now, N - 1); /* all but the first may end */
    while (edo_group_len(&g) > 1)
        CHECK_OK(edo_yield());
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, -EAGAIN);
    STORE(&now, N);
    for (unsigned i = 0; i < N; i++) {
        int rc = i == N / 2 ? edo_group_next_nowait(&g, &r) : edo_group_next(&g, &r);
        CHECK_INT(rc, ==, 1);
        char name[16] = "";
        if (i % 2)
            snprintf(name, sizeof name, "turn-%u", i);
        CHECK_STR(r.name, name);
        CHECK_PTR(r.arg, ==, &t[i]);
        CHECK_INT(r.code, ==, t[i].code);
        CHECK_UINT(r.key, ==, i);
    }
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, 0);
    CHECK(edo_group_close(&g) < 0);
    return 0;
}

TEST(results_in_spawn_order)
{
    EACH_WORKERS(w)
    run_on(w, ordered, NULL);
}

static int some_yields(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (intptr_t i = 0; i < n * 7 % 5; i++)
        CHECK_OK(edo_yield());
    return (int)n;
}

/* Many, with plain, copied and blocking children, some taken while others come, the rest dropped. */
static int ordered_many(void *arg)
{
    bool all = *(bool *)arg;
    enum { MANY = 3000 };
    edo_group g;
    edo_result r;
    int taken = 0;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true, .limit = 50 }));
    for (intptr_t i = 0; i < MANY; i++) {
        if (i % 100 == 99)
            CHECK_OK(edo_spawn_blocking(&g, some_yields, (void *)(i / 5 * 5))); /* no yield */
        else
            CHECK_OK(edo_spawn(&g, some_yields, (void *)i));
        if (i % 3 != 0)
            continue;
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_PTR(r.arg, ==, (void *)(intptr_t)r.code);
        CHECK_INT(r.code, ==, taken % 100 == 99 ? taken / 5 * 5 : taken);
        CHECK_UINT(r.key, ==, 0);
        taken++;
    }
    while (all && edo_group_next(&g, &r) == 1) {
        CHECK_INT(r.code, ==, taken % 100 == 99 ? taken / 5 * 5 : taken);
        taken++;
    }
    CHECK_INT(taken, ==, all ? MANY : MANY / 3);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST_TIMEOUT(thousands_in_spawn_order, 60)
{
    bool all[] = { true, false };
    for (int i = 0; i < 2; i++)
        EACH_WORKERS(w)
    run_on(w, ordered_many, &all[i]);
}

static int ordered_fails(void *arg)
{
    (void)arg;
    unsigned now = 0;
    turn bad = { &now, 1, -EIO };
    edo_group g;
    edo_result r;
    edo_scope s;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true }));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    CHECK_OK(edo_spawn(&g, take_turn, &bad));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    STORE(&now, 1);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, -ECANCELED);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, -EIO);
    CHECK_INT(edo_group_close(&g), ==, -EIO);

    CHECK_OK(edo_clock_pause()); /* next is a checkpoint of the scope around */
    edo_scope_open(&s, EDO_MS(5));
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true }));
    edo_scope shield;
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    int rc = edo_group_next(&g, &r);
    CHECK(rc == -ECANCELED || (rc == 1 && r.code == -ECANCELED));
    edo_shield_open(&shield, EDO_FOREVER);
    CHECK_OK(edo_scope_close(&shield, 0));
    CHECK_INT(edo_scope_close(&s, edo_group_close(&g)), ==, -ETIMEDOUT);
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = true, .discard = true }));
    CHECK_OK(edo_spawn(&g, some_yields, NULL));
    CHECK_OK(edo_group_wait(&g));
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_OK(edo_group_close(&g));
    return 0;
}

TEST(failures_and_cancels_in_spawn_order)
{
    for (int i = 0; i < 10; i++)
        EACH_WORKERS(w)
    run_on(w, ordered_fails, NULL);
}

/* ---- keys ---- */

static int keyed(void *arg)
{
    (void)arg;
    enum { N = 100 };
    bool seen[N] = { false };
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    for (intptr_t i = 0; i < N; i++)
        CHECK_OK(edo_spawn_keyed(&g, (uint64_t)i, some_yields, (void *)i));
    while (edo_group_next(&g, &r) == 1) {
        CHECK_UINT(r.key, ==, (uint64_t)r.code);
        CHECK(!seen[r.key]);
        seen[r.key] = true;
    }
    for (int i = 0; i < N; i++)
        CHECK(seen[i]);
    CHECK_INT((edo_spawn_keyed)(&g, UINT64_MAX, some_yields, NULL), ==, 0);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_UINT(r.key, ==, UINT64_MAX);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(results_have_their_keys)
{
    EACH_WORKERS(w)
    run_on(w, keyed, NULL);
}

/* ---- one is cancelled, the others go on ---- */

typedef struct family {
    unsigned waiting, go;
} family;

static int wait_in_depth(void *arg)
{
    family *f = arg;
    edo_group g;
    edo_scope s, shield;
    edo_scope_open(&s, EDO_FOREVER);
    CHECK_OK(edo_group_open(&g, NULL));
    int rc = edo_spawn(&g, wait_for_cancel, NULL);
    CHECK(rc == 0 || rc == -ECANCELED);
    edo_shield_open(&shield, EDO_FOREVER);
    ADD(&f->waiting, 1);
    CHECK_INT(edo_checkpoint(), ==, 0);
    (void)edo_scope_close(&shield, 0);
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    rc = edo_group_close(&g);
    CHECK(rc == 0 || rc == -ECANCELED);
    rc = edo_scope_close(&s, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED); /* the whole task is */
    return rc;
}

static int bystander(void *arg)
{
    family *f = arg;
    ADD(&f->waiting, 1);
    until(&f->go, 1);
    return edo_checkpoint();
}

static int cancel_one(void *arg)
{
    bool order = *(bool *)arg;
    family f = { 0 };
    uint64_t ids[4], stranger;
    edo_group g, other;
    edo_result r;
    CHECK_OK(edo_group_open(&other, NULL));
    CHECK_OK(edo_spawn_with(&other, NULL, &stranger, wait_for_cancel, NULL));
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .ordered = order }));
    CHECK_OK(edo_spawn_with(&g, NULL, &ids[0], wait_in_depth, &f));
    CHECK_OK(edo_spawn_with(&g, NULL, &ids[1], bystander, &f));
    CHECK_OK(edo_spawn_with(&g, NULL, &ids[2], wait_for_cancel, NULL));
    CHECK_INT(edo_group_cancel_one(&g, ids[2]), ==, 0); /* perhaps before it ever ran */
    until(&f.waiting, 2);
    CHECK_INT(edo_group_cancel_one(&g, ids[0]), ==, 0);
    CHECK_INT(edo_group_cancel_one(&g, stranger), ==, -ESRCH);
    CHECK_INT(edo_group_cancel_one(&g, 0), ==, -ESRCH);
    CHECK_INT(edo_group_cancel_one(&g, UINT64_MAX), ==, -ESRCH);
    while (edo_group_len(&g) > 1)
        CHECK_OK(edo_yield());
    CHECK_INT(edo_group_cancel_one(&g, ids[0]), ==, -ESRCH);
    CHECK_INT(edo_group_cancel_one(&g, ids[2]), ==, -ESRCH);
    CHECK_INT(edo_checkpoint(), ==, 0); /* nor was the owner */
    STORE(&f.go, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        if (order)
            CHECK_UINT(r.id, ==, ids[i]);
        CHECK_INT(r.code, ==, r.id == ids[1] ? 0 : -ECANCELED);
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(edo_group_len(&other), ==, 1);
    CHECK_INT(edo_group_cancel_one(&other, stranger), ==, 0);
    CHECK_INT(edo_group_close(&other), ==, 0);
    return 0;
}

TEST(cancelling_one_child_alone)
{
    bool orders[] = { false, true };
    for (int i = 0; i < 20; i++)
        EACH_WORKERS(w)
    run_on(w, cancel_one, &orders[i % 2]);
}

static int cancel_keys(void *arg)
{
    (void)arg;
    family f = { 0 };
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn_keyed(&g, (uint64_t)(i % 2), i % 2 ? bystander : wait_for_cancel, &f));
    CHECK_OK(edo_spawn(&g, bystander, &f)); /* has no key, not even 0 */
    CHECK_INT(edo_group_cancel_key(&g, 7), ==, -ESRCH);
    CHECK_INT(edo_group_cancel_key(&g, 0), ==, 5);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_UINT(r.key, ==, 0);
        CHECK_INT(r.code, ==, -ECANCELED);
    }
    CHECK_INT(edo_group_cancel_key(&g, 0), ==, -ESRCH);
    STORE(&f.go, 1);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(cancelling_by_key)
{
    EACH_WORKERS(w)
    run_on(w, cancel_keys, NULL);
}

static int fails_when_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    return -EIO;
}

/* Only the -ECANCELED is excused; and only of the one that was cancelled. */
static int other_codes(void *arg)
{
    (void)arg;
    uint64_t id, plain = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, NULL, &id, fails_when_cancelled, NULL));
    CHECK_INT(edo_group_cancel_one(&g, id), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, -EIO);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, NULL, &id, wait_for_cancel, NULL));
    CHECK_OK(edo_spawn_copy(&g, wait_for_cancel, &plain, sizeof plain));
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(what_counts_as_a_failure)
{
    EACH_WORKERS(w)
    run_on(w, other_codes, NULL);
}

static uint64_t my_id;

static int tell_id(void *arg)
{
    STORE(&my_id, edo_task_id());
    return wait_for_cancel(arg);
}

static int no_scope(void *arg)
{
    (void)arg;
    edo_group g;
    my_id = 0;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, tell_id, NULL));
    while (LOAD(&my_id) == 0)
        CHECK_OK(edo_yield());
    CHECK_INT(edo_group_cancel_one(&g, my_id), ==, -ENOTSUP);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(a_child_without_a_scope_of_its_own)
{
    EACH_WORKERS(w)
    run_on(w, no_scope, NULL);
}

/* Ids and keys are cancelled from threads and tasks while children come and go. */
typedef struct hunt {
    edo_group *g;
    uint64_t ids[64]; /* atomic */
    unsigned over, hits;
} hunt;

static int hunter(void *arg)
{
    hunt *h = arg;
    uint64_t seed = test_seed() ^ (uintptr_t)&seed;
    while (!LOAD(&h->over)) {
        uint64_t r = test_rand(&seed);
        int rc = r % 4 == 0 ? edo_group_cancel_key(h->g, r / 4 % 64)
                            : edo_group_cancel_one(h->g, LOAD(&h->ids[r / 4 % 64]));
        if (rc >= 0)
            ADD(&h->hits, 1);
        CHECK(rc >= 0 || rc == -ESRCH);
        if (edo_yield() < 0)
            break;
    }
    return 0;
}

static void *hunter_thread(void *arg)
{
    hunter(arg);
    return NULL;
}

static int prey(void *arg)
{
    (void)arg;
    edo_group g;
    edo_scope s;
    int code = 0;
    edo_scope_open(&s, EDO_US(100));
    CHECK_OK(edo_group_open(&g, NULL));
    if (edo_spawn(&g, wait_for_cancel, NULL) == 0)
        code = edo_sleep(EDO_MS(1));
    (void)edo_group_close(&g);
    (void)edo_scope_close(&s, 0);
    int rc = edo_yield();
    CHECK(rc == 0 || rc == -ECANCELED);
    return code < 0 && rc < 0 ? -ECANCELED : rc;
}

static int hunted(void *arg)
{
    bool order = *(bool *)arg;
    hunt h = { 0 };
    edo_group g, hunters;
    pthread_t thread;
    edo_result r;
    unsigned n = test_scale(3000), caught = 0, seen = 0;
    CHECK_OK(edo_group_open(&hunters, NULL));
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 40, .ordered = order }));
    h.g = &g;
    CHECK_OK(edo_spawn(&hunters, hunter, &h));
    thread_start(&thread, hunter_thread, &h);
    for (unsigned i = 0; i < n; i++) {
        uint64_t id;
        edo_task_options o = { .key = i % 64 };
        CHECK_OK(edo_spawn_with(&g, &o, &id, prey, NULL));
        STORE(&h.ids[i % 64], id);
        while (edo_group_next_nowait(&g, &r) == 1) {
            CHECK(r.code == 0 || r.code == -ECANCELED);
            if (order)
                CHECK_UINT(r.key, ==, seen % 64);
            seen++;
            caught += r.code < 0;
        }
    }
    CHECK_OK(edo_group_wait(&g));
    while (edo_group_next(&g, &r) == 1)
        seen++;
    CHECK_UINT(seen, ==, n);
    STORE(&h.over, 1);
    thread_join(thread);
    while (edo_group_len(&hunters) > 0)
        CHECK_OK(edo_yield()); /* before g is closed */
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(edo_group_close(&hunters), ==, 0);
    printf("# %u hits, %u of %u caught\n", h.hits, caught, n);
    return 0;
}

TEST_TIMEOUT(cancels_race_with_ends, 90)
{
    bool orders[] = { false, true };
    for (int i = 0; i < 2; i++)
        EACH_WORKERS(w)
    run_on(w, hunted, &orders[i]);
}

/* ---- wait, len, nowait ---- */

static int waits(void *arg)
{
    (void)arg;
    family f = { 0 };
    edo_group g;
    edo_result r;
    edo_scope s;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_INT(edo_group_wait(&g), ==, 0);
    CHECK_UINT(edo_group_len(&g), ==, 0);
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, 0);
    for (intptr_t i = 0; i < 50; i++)
        CHECK_OK(edo_spawn(&g, some_yields, (void *)i));
    CHECK_INT(edo_group_wait(&g), ==, 0);
    CHECK_UINT(edo_group_len(&g), ==, 0);
    for (int round = 0; round < 2; round++) { /* results were kept */
        for (int i = 0; i < 50; i++)
            CHECK_INT(edo_group_next_nowait(&g, &r), ==, 1);
        CHECK_INT(edo_group_next_nowait(&g, &r), ==, 0);
        for (intptr_t i = 0; round == 0 && i < 50; i++) /* and it goes on */
            CHECK_OK(edo_spawn(&g, some_yields, (void *)i));
        CHECK_INT(edo_group_wait(&g), ==, 0);
    }
    CHECK_INT(edo_group_close(&g), ==, 0);

    CHECK_OK(edo_clock_pause());
    edo_scope_open(&s, EDO_MS(3));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, bystander, &f));
    CHECK_INT(edo_group_next_nowait(&g, &r), ==, -EAGAIN);
    until(&f.waiting, 1);
    STORE(&f.go, 1);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    int rc = edo_group_wait(&g);
    CHECK(rc == -ECANCELED || rc == 0); /* both end at the same instant */
    CHECK_INT(edo_group_wait(&g), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, edo_group_close(&g)), ==, -ETIMEDOUT);
    return 0;
}

TEST(waiting_without_closing)
{
    for (int i = 0; i < 10; i++)
        EACH_WORKERS(w)
    run_on(w, waits, NULL);
}

/* ---- spawning from threads ---- */

typedef struct outside {
    edo_group *g;
    unsigned ran;
} outside;

static int ran_inside(void *arg)
{
    outside *o = arg;
    CHECK(edo_task_id() != 0);
    CHECK_OK(edo_yield());
    ADD(&o->ran, 1);
    return 0;
}

static void *spawner_thread(void *arg)
{
    outside *o = arg;
    for (int i = 0; i < 200; i++) {
        uint64_t id;
        CHECK_OK(edo_spawn(o->g, ran_inside, o)); /* waits for room */
        CHECK_OK(edo_spawn_with(o->g, NULL, &id, ran_inside, o));
        CHECK_OK(edo_spawn_keyed(o->g, 3, ran_inside, o));
    }
    return NULL;
}

static int from_outside(void *arg)
{
    (void)arg;
    edo_group g;
    outside o = { .g = &g };
    pthread_t threads[2];
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 7, .discard = true }));
    for (int i = 0; i < 2; i++)
        thread_start(&threads[i], spawner_thread, &o);
    while (LOAD(&o.ran) < 1200)
        CHECK_OK(edo_sleep(EDO_US(100)));
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(o.ran, ==, 1200);
    return 0;
}

TEST(threads_spawn_into_a_group)
{
    EACH_WORKERS(w)
    run_on(w, from_outside, NULL);
}

TEST_MAIN()
