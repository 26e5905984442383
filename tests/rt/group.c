/* SPDX-License-Identifier: MIT */
/* Groups: what children may do, how failures and cancels spread, what closing returns. */
#include "core_test.h"

typedef struct family {
    unsigned waiting, ended;
    int codes[8];
} family;

static int sleeper(void *arg)
{
    family *f = arg;
    unsigned i = ADD(&f->waiting, 1) - 1;
    f->codes[i] = edo_sleep(EDO_FOREVER);
    ADD(&f->ended, 1);
    return f->codes[i];
}

static int failer(void *arg)
{
    family *f = arg;
    until(&f->waiting, 7);
    return -EIO;
}

static int fail_cancels(void *arg)
{
    (void)arg;
    family f = { 0 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 7; i++)
        CHECK_OK(edo_spawn(&g, sleeper, &f));
    CHECK_OK(edo_spawn(&g, failer, &f));
    CHECK_INT(edo_group_close(&g), ==, -EIO);
    CHECK_UINT(f.ended, ==, 7);
    for (int i = 0; i < 7; i++)
        CHECK_INT(f.codes[i], ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, 0);
    return 0;
}

TEST(failing_child_cancels_siblings)
{
    EACH_WORKERS(w)
    run_on(w, fail_cancels, NULL);
}

/* The body of the group is cancelled as well: its owner's waits inside the group end. */
static int fail_cancels_body(void *arg)
{
    (void)arg;
    family f = { .waiting = 7 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, failer, &f));
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_spawn(&g, sleeper, &f), ==, -ECANCELED);
    CHECK_INT(edo_group_close(&g), ==, -EIO);
    CHECK_INT(edo_checkpoint(), ==, 0);
    return 0;
}

TEST(failing_child_cancels_the_body)
{
    EACH_WORKERS(w)
    run_on(w, fail_cancels_body, NULL);
}

/* ---- children write into the parent's locals; nothing outlives the group ---- */

typedef struct square {
    int in, out;
} square;

static int square_one(void *arg)
{
    square *s = arg;
    for (int i = 0; i < s->in % 5; i++)
        CHECK_OK(edo_yield());
    s->out = s->in * s->in;
    return 0;
}

static int squares(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        square s[100];
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < 100; i++) {
            s[i] = (square){ .in = i };
            CHECK_OK(edo_spawn(&g, square_one, &s[i]));
        }
        CHECK_INT(edo_group_close(&g), ==, 0);
        for (int i = 0; i < 100; i++)
            CHECK_INT(s[i].out, ==, i * i);
    }
    return 0;
}

TEST(children_write_into_the_parents_frame)
{
    EACH_WORKERS(w)
    run_on(w, squares, NULL);
}

/* ---- keep_going ---- */

static int fail_at_once(void *arg)
{
    (void)arg;
    return -EBADF;
}

typedef struct survivor {
    unsigned go;
    int code;
} survivor;

static int survive(void *arg)
{
    survivor *s = arg;
    until(&s->go, 1);
    s->code = edo_checkpoint();
    return s->code;
}

static int keep_going(void *arg)
{
    (void)arg;
    survivor s = { 0, 1 };
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    CHECK_OK(edo_spawn(&g, survive, &s));
    CHECK_OK(edo_spawn(&g, fail_at_once, NULL));
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, -EBADF);
    CHECK_INT(edo_checkpoint(), ==, 0);
    STORE(&s.go, 1);
    CHECK_INT(edo_group_close(&g), ==, -EBADF);
    CHECK_INT(s.code, ==, 0);
    return 0;
}

TEST(keep_going_spares_the_siblings)
{
    EACH_WORKERS(w)
    run_on(w, keep_going, NULL);
}

/* ---- limit ---- */

typedef struct gauge {
    unsigned live, most, ran;
} gauge;

static int gauged(void *arg)
{
    gauge *m = arg;
    unsigned live = ADD(&m->live, 1);
    for (unsigned most = LOAD(&m->most); live > most;)
        if (__atomic_compare_exchange_n(&m->most, &most, live, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            break;
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_yield());
    ADD(&m->ran, 1);
    ADD(&m->live, -1u);
    return 0;
}

static int limited(void *arg)
{
    (void)arg;
    gauge m = { 0 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 5 }));
    for (int i = 0; i < 500; i++)
        CHECK_OK(edo_spawn(&g, gauged, &m));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(m.ran, ==, 500);
    CHECK_UINT(m.most, <=, 5);
    return 0;
}

TEST(limit_is_never_exceeded)
{
    EACH_WORKERS(w)
    run_on(w, limited, NULL);
}

/* Several spawners of one limited group, each a child of another group. */
typedef struct shared_limit {
    edo_group *g;
    gauge m;
} shared_limit;

static int spawn_many(void *arg)
{
    shared_limit *s = arg;
    for (int i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(s->g, gauged, &s->m));
    return 0;
}

static int limited_spawners(void *arg)
{
    (void)arg;
    shared_limit s = { 0 };
    edo_group limit, spawners;
    CHECK_OK(edo_group_open(&limit, &(edo_group_options){ .limit = 2, .discard = true }));
    s.g = &limit;
    CHECK_OK(edo_group_open(&spawners, NULL));
    for (int i = 0; i < 8; i++)
        CHECK_OK(edo_spawn(&spawners, spawn_many, &s));
    CHECK_INT(edo_group_close(&spawners), ==, 0);
    CHECK_INT(edo_group_close(&limit), ==, 0);
    CHECK_UINT(s.m.ran, ==, 800);
    CHECK_UINT(s.m.most, <=, 2);
    return 0;
}

TEST(limit_holds_for_several_spawners)
{
    EACH_WORKERS(w)
    run_on(w, limited_spawners, NULL);
}

/* A spawner that waits for room is cancelled with its scope. */
static int limit_cancelled(void *arg)
{
    (void)arg;
    edo_group g;
    edo_scope s;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 1 }));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    edo_scope_open(&s, EDO_MS(5));
    CHECK_INT(edo_scope_close(&s, edo_spawn(&g, wait_for_cancel, NULL)), ==, -ETIMEDOUT);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(waiting_for_room_is_a_checkpoint)
{
    EACH_WORKERS(w)
    run_on(w, limit_cancelled, NULL);
}

/* ---- next ---- */

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

static int next_in_order(void *arg)
{
    (void)arg;
    unsigned now = 0;
    uint64_t ids[10];
    turn t[10];
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    for (unsigned i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "turn-%u", i);
        t[i] = (turn){ &now, 10 - i, i % 2 ? (int)i : -(int)i };
        CHECK_OK(
            edo_spawn_with(&g, &(edo_task_options){ .name = name }, &ids[i], take_turn, &t[i]));
    }
    for (unsigned i = 10; i-- > 0;) {
        STORE(&now, 10 - i);
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        char name[16];
        snprintf(name, sizeof name, "turn-%u", i);
        CHECK_STR(r.name, name);
        CHECK_PTR(r.arg, ==, &t[i]);
        CHECK_INT(r.code, ==, t[i].code);
        CHECK_UINT(r.id, ==, ids[i]);
    }
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, -8);
    return 0;
}

TEST(next_reports_in_completion_order)
{
    EACH_WORKERS(w)
    run_on(w, next_in_order, NULL);
}

/* Thousands of results, some taken while others come, the rest left to close. */
static int return_arg(void *arg)
{
    return (int)(intptr_t)arg;
}

static int next_many(void *arg)
{
    (void)arg;
    enum { MANY = 5000 };
    static bool seen[MANY];
    memset(seen, 0, sizeof seen);
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    int taken = 0;
    for (intptr_t i = 0; i < MANY; i++) {
        CHECK_OK(edo_spawn(&g, return_arg, (void *)i));
        if (i % 7 != 0)
            continue;
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_PTR(r.arg, ==, (void *)(intptr_t)r.code);
        CHECK(!seen[r.code]);
        seen[r.code] = true;
        CHECK_STR(r.name, "");
        taken++;
    }
    if (edo_now() % 2)
        while (edo_group_next(&g, &r) == 1) {
            CHECK(!seen[r.code]);
            seen[r.code] = true;
            taken++;
        }
    CHECK_INT(taken, <=, MANY);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(thousands_of_results)
{
    for (int i = 0; i < 3; i++)
        EACH_WORKERS(w)
    run_on(w, next_many, NULL);
}

static int next_cancelled(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_clock_pause()); /* the deadline passes when all wait */
    edo_scope_open(&s, EDO_MS(5));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    int rc = edo_group_next(&g, &r);
    if (rc == 1) /* the child came first */
        CHECK_INT(r.code, ==, -ECANCELED);
    else
        CHECK_INT(rc, ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, edo_group_close(&g)), ==, -ETIMEDOUT);

    /* the group's own cancel does not interrupt it */
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    edo_group_cancel(&g);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, -ECANCELED);
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(next_is_a_checkpoint_of_the_scope_around)
{
    EACH_WORKERS(w)
    run_on(w, next_cancelled, NULL);
}

static int discards(void *arg)
{
    (void)arg;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .discard = true, .limit = 64 }));
    for (intptr_t i = 0; i < 20000; i++)
        CHECK_OK(edo_spawn(&g, return_arg, (void *)i));
    CHECK_INT(edo_group_next(&g, &r), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .discard = true }));
    CHECK_OK(edo_spawn(&g, fail_at_once, NULL));
    CHECK_INT(edo_group_close(&g), ==, -EBADF);
    return 0;
}

TEST(discard_keeps_no_results)
{
    EACH_WORKERS(w)
    run_on(w, discards, NULL);
}

/* ---- cancelling from elsewhere ---- */

static void *cancel_group_thread(void *arg)
{
    edo_group_cancel(arg);
    return NULL;
}

typedef struct cancelling {
    edo_group *g;
    unsigned done;
} cancelling;

static int cancel_group_task(void *arg)
{
    cancelling *c = arg;
    edo_group_cancel(c->g);
    ADD(&c->done, 1);
    return 0;
}

static int cancel_from_elsewhere(void *arg)
{
    (void)arg;
    for (int round = 0; round < 50; round++) {
        edo_group g, outer;
        cancelling c = { &g, 0 };
        pthread_t thread = 0;
        CHECK_OK(edo_group_open(&outer, NULL));
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < 10; i++)
            CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
        if (round % 2)
            thread_start(&thread, cancel_group_thread, &g);
        else
            CHECK_OK(edo_spawn(&outer, cancel_group_task, &c));
        CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
        if (round % 2) /* before the close: the cancel may still be passing through */
            thread_join(thread);
        else
            until(&c.done, 1);
        CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
        CHECK_INT(edo_group_close(&outer), ==, 0);
    }
    return 0;
}

TEST(cancel_from_threads_and_tasks)
{
    EACH_WORKERS(w)
    run_on(w, cancel_from_elsewhere, NULL);
}

static int spawn_into_cancelled(void *arg)
{
    (void)arg;
    edo_group g;
    edo_scope s;
    int x = 0;
    CHECK_OK(edo_group_open(&g, NULL));
    edo_group_cancel(&g);
    CHECK_INT(edo_spawn(&g, return_arg, NULL), ==, -ECANCELED);
    edo_shield_open(&s, EDO_FOREVER); /* the caller is not cancelled, the group is */
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_INT(edo_spawn(&g, return_arg, NULL), ==, -ECANCELED);
    CHECK_INT(edo_spawn_copy(&g, return_arg, &x, sizeof x), ==, -ECANCELED);
    char large[300] = { 0 };
    CHECK_INT(edo_spawn_copy(&g, return_arg, large, sizeof large), ==, -ECANCELED);
    CHECK_INT(edo_spawn_blocking(&g, return_arg, NULL), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, 0), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(spawning_into_a_cancelled_group)
{
    EACH_WORKERS(w)
    run_on(w, spawn_into_cancelled, NULL);
}

/* ---- shapes ---- */

typedef struct bush {
    edo_group *g;
    unsigned *count;
    unsigned left;
} bush;

static int grow_sibling(void *arg)
{
    bush b = *(bush *)arg;
    ADD(b.count, 1);
    if (b.left == 0)
        return 0;
    b.left--;
    for (int i = 0; i < 2; i++)
        CHECK_OK(edo_spawn_copy(b.g, grow_sibling, &b, sizeof b));
    return 0;
}

static int siblings(void *arg)
{
    (void)arg;
    unsigned count = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    bush b = { &g, &count, 9 };
    CHECK_OK(edo_spawn_copy(&g, grow_sibling, &b, sizeof b));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(count, ==, (1u << 10) - 1);
    return 0;
}

TEST(children_spawn_siblings)
{
    EACH_WORKERS(w)
    run_on(w, siblings, NULL);
}

typedef struct well {
    unsigned depth, *bottom;
} well;

static int dig(void *arg)
{
    well w = *(well *)arg;
    if (w.depth == 0) {
        STORE(w.bottom, 1);
        return wait_for_cancel(NULL);
    }
    w.depth--;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_copy(&g, dig, &w, sizeof w));
    return edo_group_close(&g);
}

static int deep(void *arg)
{
    (void)arg;
    unsigned bottom = 0;
    well w = { 1000, &bottom };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_copy(&g, dig, &w, sizeof w));
    until(&bottom, 1);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST(a_thousand_groups_deep)
{
    EACH_WORKERS(w)
    run_on(w, deep, NULL);
}

/* All in one task: scopes and groups a thousand deep in a chain. */
static int chain_in_one_task(unsigned depth)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    int rc = depth > 0 ? chain_in_one_task(depth - 1) : edo_sleep(EDO_FOREVER);
    CHECK_INT(rc, ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_group_close(&g), ==, 0);
    return rc;
}

static int chained(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_scope_open(&s, EDO_MS(2));
    int rc = chain_in_one_task(300);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
    return 0;
}

TEST(groups_nested_in_one_task)
{
    EACH_WORKERS(w)
    run_on(w, chained, NULL);
}

/* ---- copies ---- */

typedef struct sized {
    unsigned n;
    unsigned char bytes[];
} sized;

static unsigned copies_seen;

static int check_copy(void *arg)
{
    sized *s = arg;
    CHECK_OK(edo_yield());
    for (unsigned i = 0; i < s->n; i++)
        CHECK_INT(s->bytes[i], ==, (unsigned char)(i * 7 + s->n));
    memset(s->bytes, 0xee, s->n); /* it is the task's own */
    ADD(&copies_seen, 1);
    return 0;
}

static int copies(void *arg)
{
    (void)arg;
    static const unsigned sizes[] = { 0, 1, 43, 44, 45, 60, 1000, 70000, (1u << 20) - 4 };
    copies_seen = 0;
    sized *s = malloc((1u << 20) + 8);
    CHECK(s != NULL);
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        s->n = sizes[k];
        for (unsigned i = 0; i < s->n; i++)
            s->bytes[i] = (unsigned char)(i * 7 + s->n);
        CHECK_OK(edo_spawn_copy(&g, check_copy, s, sizeof *s + s->n));
        memset(s, 0x11, sizeof *s + s->n);
    }
    CHECK_INT(edo_spawn_copy(&g, check_copy, s, (1u << 20) + 1), ==, -E2BIG);
    edo_result r;
    for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_PTR(r.arg, ==, NULL);
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(copies_seen, ==, 9);
    free(s);
    return 0;
}

TEST(copies_of_arguments)
{
    EACH_WORKERS(w)
    run_on(w, copies, NULL);
}

static int expect_null(void *arg)
{
    (void)arg;
    return 3;
}

static int copy_of_nothing(void *arg)
{
    (void)arg;
    char byte = 1;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_copy(&g, expect_null, &byte, 0));
    CHECK_INT(edo_group_next(&g, &r), ==, 1);
    CHECK_INT(r.code, ==, 3);
    CHECK_PTR(r.arg, ==, NULL); /* as after every edo_spawn_copy() */
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(copy_of_no_bytes)
{
    run_on(1, copy_of_nothing, NULL);
}

/* ---- blocking children, detached tasks ---- */

static int blocking_child(void *arg)
{
    CHECK_UINT(edo_task_id(), ==, 0);
    ADD((unsigned *)arg, 1);
    return 0;
}

static int blocking_fails(void *arg)
{
    (void)arg;
    return -ENOSPC;
}

static int blocking_children(void *arg)
{
    (void)arg;
    unsigned ran = 0;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn_blocking(&g, blocking_child, &ran));
    for (int i = 0; i < 20; i++) {
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_PTR(r.arg, ==, &ran);
        CHECK_INT(r.code, ==, 0);
    }
    CHECK_UINT(ran, ==, 20);
    CHECK_OK(edo_spawn(&g, wait_for_cancel, NULL));
    CHECK_OK(edo_spawn_blocking(&g, blocking_fails, NULL));
    CHECK_INT(edo_group_close(&g), ==, -ENOSPC);
    return 0;
}

TEST(blocking_children_of_a_group)
{
    EACH_WORKERS(w)
    run_on(w, blocking_children, NULL);
}

static unsigned detached_started, detached_cancelled;

static int detached(void *arg)
{
    (void)arg;
    ADD(&detached_started, 1);
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    edo_scope s; /* cleanup may take its time */
    edo_shield_open(&s, EDO_SEC(10));
    CHECK_INT(edo_sleep(EDO_MS(1)), ==, 0);
    CHECK_INT(edo_scope_close(&s, 0), ==, 0);
    ADD(&detached_cancelled, 1);
    return -EIO; /* nobody's business */
}

static int spawn_detached(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn_detached(detached, NULL));
    until(&detached_started, 10);
    return 7;
}

TEST(detached_tasks_end_with_the_run)
{
    EACH_WORKERS(w)
    {
        detached_started = detached_cancelled = 0;
        CHECK_INT(run_with(w, spawn_detached, NULL), ==, 7);
        CHECK_UINT(detached_started, ==, 20);
        CHECK_UINT(detached_cancelled, ==, 20);
    }
    CHECK_INT(edo_spawn_detached(detached, NULL), ==, -EPERM);
    edo_group g;
    CHECK_INT(edo_group_open(&g, NULL), ==, -EPERM);
}

/* A group whose deadline has passed takes no more children, as one that was cancelled. */
static int spawn_after_deadline(void *arg)
{
    (void)arg;
    edo_scope s, shield;
    edo_group g;
    edo_scope_open(&s, 0);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_INT(edo_spawn(&g, return_arg, NULL), ==, -ECANCELED);
    edo_shield_open(&shield, EDO_FOREVER);
    CHECK_INT(edo_spawn(&g, return_arg, NULL), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&shield, 0), ==, 0);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    return 0;
}

TEST(spawning_into_a_group_past_its_deadline)
{
    run_on(1, spawn_after_deadline, NULL);
}

/* The functions behind the macros, for callers without them. */
static int plain_functions(void *arg)
{
    (void)arg;
    edo_group g;
    unsigned ran = 0, one = 1;
    uint64_t id = 0;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK((edo_spawn)(&g, return_arg, NULL));
    CHECK_OK((edo_spawn_copy)(&g, expect_null, &one, sizeof one));
    CHECK_OK((edo_spawn_with)(&g, NULL, &id, return_arg, NULL));
    CHECK_OK((edo_spawn_blocking)(&g, blocking_child, &ran));
    CHECK_OK((edo_spawn_detached)(return_arg, NULL));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK(id != 0 && ran == 1);
    return 0;
}

TEST(spawning_without_the_macros)
{
    run_on(2, plain_functions, NULL);
}

TEST_MAIN()
