/* SPDX-License-Identifier: MIT */
/* Selects that are called to look again: for a delay queue whose first entry has changed, for a
 * descriptor whose epoll instance has gone. They keep their place in all lines, and what is given to
 * them meanwhile is theirs. The order in line is what fairness.c tests at length. */
#include "core/task.h"
#include "core_test.h"

#include <edo/io.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- a descriptor that loses its home ---- */

enum { WAITERS = 3 };

typedef struct waiter {
    struct edo__task *self; /* atomic: when it is about to wait */
    edo_sem *sem;
    int fd;
    int which, result; /* which: atomic, -2 before */
} waiter;

static int waits_for_both(void *arg)
{
    waiter *w = arg;
    edo_case cases[] = { EDO_READABLE(w->fd), EDO_ACQUIRE(w->sem, 1) };
    STORE(&w->self, edo__self());
    int which = edo_select(cases, 2);
    w->result = which >= 0 ? cases[which].result : 0;
    STORE(&w->which, which);
    return 0;
}

static void *thread_waits(void *arg)
{
    (void)waits_for_both(arg);
    return NULL;
}

static bool is_parked(waiter *w)
{
    struct edo__task *t = LOAD(&w->self);
    uint32_t word = t != NULL ? LOAD(&t->word) : 0;
    return word < EDO__WAKE_CANCEL && (word & EDO__WORD_STATE) == EDO__WORD_PARKED;
}

static int waits_for_fd(void *arg)
{
    waiter *w = arg;
    STORE(&w->self, edo__self());
    int rc = edo_wait_fd(w->fd, EDO_READABLE);
    STORE(&w->which, rc);
    return 0;
}

static void await_parked(waiter *w)
{
    while (!is_parked(w))
        sched_yield();
}

static void await_result(waiter *w, int which, int result)
{
    while (LOAD(&w->which) == -2)
        sched_yield();
    CHECK_INT(w->which, ==, which);
    CHECK_INT(w->result, ==, result);
}

/* The first who waits has the descriptor watched by its own worker, whose runtime ends. The others
 * wait on: nobody is told that it is ready, who came first has the permit, and all are told when it
 * is ready at last. */
TEST_TIMEOUT(a_descriptor_loses_its_home, 60)
{
    int fd[2];
    edo_sem sem = EDO_SEM_INIT(0);
    edo_runtime *home, *other;
    pthread_t thread;
    edo_config one = { .workers = 1 };
    CHECK_OK(pipe2(fd, O_NONBLOCK));
    CHECK_OK(edo_runtime_create(&home, &one));
    CHECK_OK(edo_runtime_create(&other, &one));
    waiter first = { .fd = fd[0], .which = -2 };
    CHECK_OK(edo_runtime_spawn(home, waits_for_fd, &first));
    await_parked(&first);
    waiter w[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        w[i] = (waiter){ .sem = &sem, .fd = fd[0], .which = -2 };
        if (i < WAITERS - 1)
            CHECK_OK(edo_runtime_spawn(other, waits_for_both, &w[i]));
        else
            thread_start(&thread, thread_waits, &w[i]);
        await_parked(&w[i]);
    }
    CHECK_OK(edo_runtime_shutdown(home, EDO_SEC(30)));
    CHECK_INT(LOAD(&first.which), ==, -ECANCELED);
    edo_sem_release(&sem, 1);
    await_result(&w[0], 1, 0);
    for (int i = 1; i < WAITERS; i++)
        CHECK_INT(LOAD(&w[i].which), ==, -2);
    CHECK_INT(write(fd[1], "x", 1), ==, 1);
    for (int i = 1; i < WAITERS; i++)
        await_result(&w[i], 0, EDO_READABLE);
    thread_join(thread);
    CHECK_OK(edo_runtime_shutdown(other, EDO_SEC(30)));
    CHECK_UINT(edo_sem_permits(&sem), ==, 0);
    close(fd[0]);
    close(fd[1]);
}

/* ---- claims and calls at once ---- */

enum { TAKERS = 6, GIVERS = 2 };

typedef struct market {
    edo_sem sem;
    edo_delayqueue delays;
    edo_chan *chan;
    unsigned rounds;
    unsigned permits, entries, values, cancelled; /* atomic: taken */
    unsigned inserted;                            /* atomic */
} market;

/* Takes what comes until the channel is closed. */
static int takes(void *arg)
{
    market *m = arg;
    edo_delay d;
    unsigned v;
    for (unsigned round = 0;; round++) {
        edo_case cases[] = { EDO_DELAYQUEUE_NEXT(&m->delays, &d), EDO_ACQUIRE(&m->sem, 1),
                             EDO_RECV(m->chan, &v) };
        edo_scope s;
        edo_scope_open(&s, round % 4 == 3 ? EDO_US(round % 64) : EDO_FOREVER);
        int which = edo_select(cases, 3);
        (void)edo_scope_close(&s, 0);
        switch (which) {
        case 0:
            CHECK_OK(cases[0].result);
            ADD(&m->entries, 1);
            break;
        case 1: ADD(&m->permits, 1); break;
        case 2:
            if (cases[2].result == -EPIPE)
                return 0;
            ADD(&m->values, 1);
            break;
        default: CHECK_INT(which, ==, -ECANCELED); ADD(&m->cancelled, 1);
        }
    }
}

static void *thread_takes(void *arg)
{
    (void)takes(arg);
    return NULL;
}

/* In every round a false alarm, and one of each thing. */
static int gives(void *arg)
{
    market *m = arg;
    for (unsigned i = 0; i < m->rounds; i++) {
        edo_delay_key key;
        int64_t far = edo_now() + EDO_SEC(3600) - EDO_MS(i);
        CHECK_OK(edo_delayqueue_insert_at(&m->delays, far, NULL, &key));
        if (i % 3 == 0)
            edo_sem_release(&m->sem, 1);
        CHECK_OK(edo_chan_send(m->chan, &i));
        CHECK_OK(edo_delayqueue_remove(&m->delays, key, NULL));
        if (i % 3 != 0)
            edo_sem_release(&m->sem, 1);
        CHECK_OK(edo_delayqueue_insert(&m->delays, EDO_US(i % 8), NULL, NULL));
        if (i % 5 == 0)
            CHECK_OK(edo_yield());
    }
    return 0;
}

static int market_body(void *arg)
{
    market *m = arg;
    edo_group takers, givers;
    pthread_t thread;
    CHECK_OK(edo_group_open(&takers, NULL));
    CHECK_OK(edo_group_open(&givers, NULL));
    for (int i = 0; i < TAKERS; i++)
        CHECK_OK(edo_spawn(&takers, takes, m));
    thread_start(&thread, thread_takes, m);
    for (int i = 0; i < GIVERS; i++)
        CHECK_OK(edo_spawn(&givers, gives, m));
    CHECK_OK(edo_group_close(&givers));
    unsigned all = GIVERS * m->rounds;
    until(&m->entries, all); /* who waits is given each of them in its time */
    until(&m->permits, all);
    until(&m->values, all);
    edo_chan_close(m->chan);
    CHECK_OK(edo_group_close(&takers));
    thread_join(thread);
    CHECK_UINT(m->entries, ==, all);
    CHECK_UINT(m->permits, ==, all);
    CHECK_UINT(m->values, ==, all);
    CHECK_UINT(edo_sem_permits(&m->sem), ==, 0);
    CHECK_UINT(edo_delayqueue_len(&m->delays), ==, 0);
    return 0;
}

TEST_TIMEOUT(claims_and_false_alarms, 120)
{
    EACH_WORKERS(workers)
    {
        market m = { .sem = EDO_SEM_INIT(0), .rounds = test_scale(600) };
        edo_delayqueue_init(&m.delays);
        CHECK_OK(edo_chan_create(&m.chan, sizeof(unsigned), 2));
        run_on(workers, market_body, &m);
        printf("# %u workers: %u cancelled\n", workers, m.cancelled);
        edo_chan_unref(m.chan);
        edo_delayqueue_deinit(&m.delays);
    }
}

/* ---- children that leave no result ---- */

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int waits_for_event(void *arg)
{
    return edo_event_wait(arg);
}

/* In a group that keeps no results the select goes on when no child is left, and not before. */
static int discard_body(void *arg)
{
    (void)arg;
    edo_group g;
    edo_group_options options = { .discard = true };
    edo_event last = EDO_EVENT_INIT;
    edo_result r;
    CHECK_OK(edo_group_open(&g, &options));
    CHECK_OK(edo_spawn(&g, waits_for_event, &last));
    for (int i = 0; i < 10; i++)
        CHECK_OK(edo_spawn(&g, ends_at_once, NULL));
    edo_case cases[] = { EDO_GROUP_NEXT(&g, &r), EDO_AFTER(EDO_MS(5)) };
    CHECK_INT(edo_select(cases, 2), ==, 1);
    edo_event_set(&last);
    CHECK_INT(edo_select(cases, 1), ==, 0);
    CHECK_INT(cases[0].result, ==, 0);
    return edo_group_close(&g);
}

TEST(no_result_no_wake_up)
{
    EACH_WORKERS(workers)
    {
        run_on(workers, discard_body, NULL);
    }
}

TEST_MAIN()
