/* SPDX-License-Identifier: MIT */
/* What the older primitives have beyond waiting and waking: permits taken away, the last waiter,
 * marks, closing with waiters inside, static initialisers; all of it with foreign threads as well. */
#include "storm.h"

static edo_sem static_sem = EDO_SEM_INIT(2);
static edo_notify static_notify = EDO_NOTIFY_INIT;

typedef struct waiter {
    int (*wait)(void *object);
    void *object;
    int code; /* atomic; 7: not back */
    int number;
    int *order, *count; /* under nothing: for runs on one worker */
} waiter;

static int wait_here(void *arg)
{
    waiter *w = arg;
    int rc = w->wait(w->object);
    if (w->order != NULL)
        w->order[(*w->count)++] = w->number;
    __atomic_store_n(&w->code, rc, __ATOMIC_RELEASE);
    return 0;
}

static int sem_wait_one(void *s)
{
    return edo_sem_acquire(s, 1);
}

static int sem_wait_five(void *s)
{
    return edo_sem_acquire(s, 5);
}

static int forget(void *arg)
{
    edo_group g;
    waiter w = { .wait = sem_wait_five, .object = &static_sem, .code = 7 };
    (void)arg;
    CHECK_UINT(edo_sem_forget(&static_sem, 0), ==, 0);
    CHECK_UINT(edo_sem_forget(&static_sem, 1), ==, 1);
    CHECK_UINT(edo_sem_forget(&static_sem, 9), ==, 1);
    CHECK_UINT(edo_sem_forget(&static_sem, 9), ==, 0);
    CHECK_UINT(edo_sem_permits(&static_sem), ==, 0);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_here, &w));
    settle();
    edo_sem_release(&static_sem, 4);
    CHECK_UINT(edo_sem_forget(&static_sem, 3), ==, 3); /* not those of who waits: it has none yet */
    edo_sem_release(&static_sem, 3);
    settle();
    CHECK_INT(w.code, ==, 7);
    edo_sem_release(&static_sem, 1);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(w.code, ==, 0);
    CHECK_UINT(edo_sem_permits(&static_sem), ==, 0);
    return 0;
}

TEST(permits_are_forgotten)
{
    run_on(1, forget, NULL);
}

static int closing(void *arg)
{
    edo_sem s = EDO_SEM_INIT(2);
    edo_group g;
    waiter w = { .wait = sem_wait_five, .object = &s, .code = 7 };
    (void)arg;
    CHECK_OK(edo_sem_acquire(&s, 1));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_here, &w));
    settle();
    CHECK(!edo_sem_closed(&s));
    edo_sem_close(&s);
    edo_sem_close(&s);
    CHECK(edo_sem_closed(&s));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(w.code, ==, -EPIPE);
    CHECK_INT(edo_sem_acquire(&s, 1), ==, -EPIPE); /* although there is one */
    CHECK_INT(edo_sem_acquire_nowait(&s, 0), ==, -EPIPE);
    edo_sem_release(&s, 1); /* what is held can be given back */
    CHECK_UINT(edo_sem_permits(&s), ==, 2);
    CHECK_UINT(edo_sem_forget(&s, 5), ==, 2);
    return 0;
}

TEST(closed_with_a_waiter_inside)
{
    run_on(1, closing, NULL);
}

static int notify_wait(void *n)
{
    return edo_notify_wait(n);
}

static int last_first(void *arg)
{
    edo_notify *n = &static_notify;
    int order[5], count = 0;
    waiter w[5];
    edo_group g;
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++) {
        w[i] = (waiter){ notify_wait, n, 7, i, order, &count };
        CHECK_OK(edo_spawn(&g, wait_here, &w[i]));
        settle();
    }
    edo_notify_last(n);
    settle();
    edo_notify_one(n);
    settle();
    edo_notify_last(n);
    settle();
    edo_notify_last(n);
    settle();
    edo_notify_last(n);
    CHECK_OK(edo_group_close(&g));
    const int expected[5] = { 4, 0, 3, 2, 1 };
    CHECK_MEM(order, expected, sizeof order);
    CHECK_INT(edo_notify_wait_nowait(n), ==, -EAGAIN);
    edo_notify_last(n); /* nobody: stored, once */
    edo_notify_last(n);
    CHECK_INT(edo_notify_wait_nowait(n), ==, 0);
    CHECK_INT(edo_notify_wait_nowait(n), ==, -EAGAIN);
    return 0;
}

TEST(the_last_goes_first)
{
    run_on(1, last_first, NULL);
}

/* The last one is cancelled and has not run: its wake-up goes to the one before it. */
static int last_is_gone(void *arg)
{
    edo_notify n = EDO_NOTIFY_INIT;
    waiter w[2];
    edo_group g, h;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        w[i] = (waiter){ .wait = notify_wait, .object = &n, .code = 7 };
        CHECK_OK(edo_group_open(i == 0 ? &g : &h, NULL));
        CHECK_OK(edo_spawn(i == 0 ? &g : &h, wait_here, &w[i]));
        settle();
    }
    edo_group_cancel(&h);
    edo_notify_last(&n);
    (void)edo_group_close(&h);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(w[0].code, ==, 0);
    CHECK_INT(w[1].code, ==, -ECANCELED);
    CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    return 0;
}

TEST(a_wake_up_for_one_that_is_gone_is_passed_on)
{
    run_on(1, last_is_gone, NULL);
}

static int since(void *arg)
{
    edo_notify n = EDO_NOTIFY_INIT;
    edo_scope s;
    (void)arg;
    uint64_t mark = edo_notify_mark(&n);
    edo_notify_all(&n);
    CHECK_OK(edo_notify_wait_since(&n, mark)); /* it came after the mark */
    edo_notify_one(&n);
    CHECK_OK(edo_notify_wait_since(&n, mark));
    CHECK_OK(edo_notify_wait_since(&n, edo_notify_mark(&n))); /* the permit is still there */
    mark = edo_notify_mark(&n);
    CHECK_OK(edo_scope_open(&s, EDO_US(10)));
    CHECK_INT(edo_scope_close(&s, edo_notify_wait_since(&n, mark)), ==, -ETIMEDOUT);
    edo_notify_all(&n);
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_notify_wait_since(&n, mark)), ==, -ETIMEDOUT);
    return 0;
}

TEST(marks)
{
    run_on(1, since, NULL);
}

/* One sets a word and notifies all, n times; the others miss none although they look at the word
 * without a lock. */
typedef struct board {
    edo_notify notify;
    unsigned word, rounds; /* word: atomic */
    unsigned seen[3];      /* atomic */
} board;

typedef struct reader {
    board *b;
    unsigned number;
} reader;

static int read_board(void *arg)
{
    reader *r = arg;
    board *b = r->b;
    for (unsigned i = 1; i <= b->rounds; i++) {
        uint64_t mark = edo_notify_mark(&b->notify);
        while (__atomic_load_n(&b->word, __ATOMIC_ACQUIRE) < i) {
            CHECK_OK(edo_notify_wait_since(&b->notify, mark));
            mark = edo_notify_mark(&b->notify);
        }
        __atomic_store_n(&b->seen[r->number], i, __ATOMIC_RELEASE);
    }
    return 0;
}

static int write_board(void *arg)
{
    board *b = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 1; i < 3; i++)
        CHECK_OK(edo_spawn_copy(&g, read_board, &(reader){ b, i }, sizeof(reader)));
    for (unsigned i = 1; i <= b->rounds; i++) {
        __atomic_store_n(&b->word, i, __ATOMIC_RELEASE);
        edo_notify_all(&b->notify);
        for (unsigned k = 0; k < 3; k++) /* a missed one would hang here */
            while (__atomic_load_n(&b->seen[k], __ATOMIC_ACQUIRE) < i)
                CHECK_OK(edo_yield());
    }
    return edo_group_close(&g);
}

TEST_TIMEOUT(marks_miss_nothing, 60)
{
    EACH_WORKER_COUNT(i)
    {
        board b = { .notify = EDO_NOTIFY_INIT, .rounds = test_scale(1000) };
        reader outside = { &b, 0 };
        foreign_call thread;
        foreign_start(&thread, read_board, &outside);
        run_on(worker_counts[i], write_board, &b);
        foreign_join(&thread);
    }
}

static int oneshot_wait(void *o)
{
    int v = 0;
    int rc = edo_oneshot_recv(o, &v);
    return rc == 0 ? v : rc;
}

static int oneshot_closed(void *arg)
{
    edo_oneshot o;
    int slot, v = 3;
    (void)arg;
    edo_oneshot_init(&o, &slot, sizeof slot);
    CHECK(!edo_oneshot_closed(&o));
    CHECK_OK(edo_oneshot_send(&o, &v));
    edo_oneshot_close(&o); /* the value can still be taken */
    CHECK(!edo_oneshot_closed(&o));
    CHECK_INT(oneshot_wait(&o), ==, 3);
    edo_oneshot_init(&o, &slot, sizeof slot);
    edo_oneshot_close(&o);
    CHECK(edo_oneshot_closed(&o));
    CHECK_INT(edo_oneshot_send(&o, &v), ==, -EPIPE);
    CHECK_INT(oneshot_wait(&o), ==, -EPIPE);
    return 0;
}

TEST(oneshot_closed)
{
    run_on(1, oneshot_closed, NULL);
}

static int event_wait(void *e)
{
    return edo_event_wait(e);
}

/* Foreign threads wait and are woken by tasks, then the other way round: the same objects. */
typedef struct everything {
    edo_sem sem, closed;
    edo_event gate, turnstile;
    edo_notify notify;
    edo_oneshot oneshot, broken;
    int slot, slot2;
} everything;

enum { WAITS = 7 };

static int wake_all(void *arg)
{
    everything *e = arg;
    int v = 11;
    edo_sem_release(&e->sem, 1);
    edo_sem_close(&e->closed);
    edo_event_set(&e->gate);
    edo_event_set(&e->turnstile);
    edo_notify_one(&e->notify);
    CHECK_OK(edo_oneshot_send(&e->oneshot, &v));
    edo_oneshot_close(&e->broken);
    return 0;
}

static void everything_init(everything *e, waiter *w)
{
    edo_sem_init(&e->sem, 0);
    edo_sem_init(&e->closed, 0);
    edo_event_init(&e->gate, EDO_EVENT_MANUAL);
    edo_event_init(&e->turnstile, EDO_EVENT_AUTO);
    edo_notify_init(&e->notify);
    edo_oneshot_init(&e->oneshot, &e->slot, sizeof e->slot);
    edo_oneshot_init(&e->broken, &e->slot2, sizeof e->slot2);
    const waiter all[WAITS] = {
        { sem_wait_one, &e->sem, 7, 0, NULL, NULL },
        { sem_wait_one, &e->closed, 7, 0, NULL, NULL },
        { event_wait, &e->gate, 7, 0, NULL, NULL },
        { event_wait, &e->turnstile, 7, 0, NULL, NULL },
        { notify_wait, &e->notify, 7, 0, NULL, NULL },
        { oneshot_wait, &e->oneshot, 7, 0, NULL, NULL },
        { oneshot_wait, &e->broken, 7, 0, NULL, NULL },
    };
    memcpy(w, all, sizeof all);
}

static void check_codes(const waiter *w)
{
    const int expected[WAITS] = { 0, -EPIPE, 0, 0, 0, 11, -EPIPE };
    for (int i = 0; i < WAITS; i++)
        CHECK_INT(w[i].code, ==, expected[i]);
}

static int wait_all(void *arg)
{
    waiter *w = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < WAITS; i++)
        CHECK_OK(edo_spawn(&g, wait_here, &w[i]));
    return edo_group_close(&g);
}

TEST_TIMEOUT(threads_wait_tasks_wake, 60)
{
    for (unsigned k = 0; k < test_scale(100); k++) {
        everything e;
        waiter w[WAITS];
        foreign_call threads[WAITS];
        everything_init(&e, w);
        for (int i = 0; i < WAITS; i++)
            foreign_start(&threads[i], wait_here, &w[i]);
        run_on(1, wake_all, &e);
        for (int i = 0; i < WAITS; i++)
            foreign_join(&threads[i]);
        check_codes(w);
    }
}

TEST_TIMEOUT(tasks_wait_threads_wake, 60)
{
    for (unsigned k = 0; k < test_scale(100); k++) {
        everything e;
        waiter w[WAITS];
        foreign_call thread;
        everything_init(&e, w);
        foreign_start(&thread, wake_all, &e);
        run_on(2, wait_all, w);
        foreign_join(&thread);
        check_codes(w);
    }
}

TEST_MAIN()
