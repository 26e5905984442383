/* SPDX-License-Identifier: MIT */
/* Subscriptions: each gets each signal, nothing is lost between two waits, first come first served,
 * what is refused. */
#include "signal_test.h"

static int one(void *arg)
{
    (void)arg;
    edo_signal s;
    edo_signal_info info = { 0 };
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1) | EDO_SIG(SIGUSR2)));
    CHECK_INT(edo_signal_next_nowait(&s, &info), ==, -EAGAIN);
    send_signal(SIGUSR2);
    CHECK_INT(edo_signal_next(&s, &info), ==, SIGUSR2);
    CHECK_INT(info.number, ==, SIGUSR2);
    CHECK_UINT(info.count, ==, 1);
    CHECK_INT(info.code, ==, SI_USER);
    CHECK_INT(info.pid, ==, getpid());
    CHECK_UINT(info.uid, ==, getuid());
    CHECK_INT(edo_signal_next_nowait(&s, NULL), ==, -EAGAIN);
    edo_signal_close(&s);
    return 0;
}

TEST(a_signal_and_who_sent_it)
{
    EACH_WORKERS(workers)
    run_on(workers, one, NULL);
}

static int queued(void *arg)
{
    (void)arg;
    edo_signal s;
    edo_signal_info info;
    int number = SIGRTMIN + 3;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(number)));
    CHECK_INT(sigqueue(getpid(), number, (union sigval){ .sival_int = 4711 }), ==, 0);
    CHECK_INT(edo_signal_next(&s, &info), ==, number);
    CHECK_INT(info.value, ==, 4711);
    CHECK_INT(info.code, ==, SI_QUEUE);
    edo_signal_close(&s);
    return 0;
}

TEST(a_number_comes_with_it)
{
    run_on(2, queued, NULL);
}

#define ROUNDS 300

typedef struct ping {
    unsigned sent, seen; /* atomic */
} ping;

static void *sender(void *arg)
{
    ping *p = arg;
    for (unsigned i = 0; i < test_scale(ROUNDS); i++) {
        STORE(&p->sent, i + 1);
        send_signal(SIGUSR1);
        while (LOAD(&p->seen) < i + 1)
            sched_yield();
    }
    return NULL;
}

/* The next signal comes at any distance from the last wait. */
static int taker(void *arg)
{
    ping *p = arg;
    uint64_t random = test_seed();
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, sender, p), ==, 0);
    for (unsigned i = 0; i < test_scale(ROUNDS); i++) {
        for (uint64_t spins = test_rand(&random) % 4; spins > 0; spins--)
            CHECK_OK(edo_yield());
        edo_signal_info info;
        CHECK_INT(edo_signal_next(&s, &info), ==, SIGUSR1);
        CHECK_UINT(info.count, ==, 1);
        CHECK_UINT(LOAD(&p->sent), ==, i + 1);
        STORE(&p->seen, i + 1);
    }
    pthread_join(thread, NULL);
    CHECK_INT(edo_signal_next_nowait(&s, NULL), ==, -EAGAIN);
    edo_signal_close(&s);
    return 0;
}

TEST_TIMEOUT(none_is_lost_between_two_waits, 60)
{
    EACH_WORKERS(workers)
    run_on(workers, taker, &(ping){ 0 });
}

/* Counts: however the kernel merges them, none is reported twice and at least one comes. */
static int counts(void *arg)
{
    (void)arg;
    edo_signal s;
    uint32_t total = 0, n = 50;
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR); /* the last one may come when s is closed */
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    for (uint32_t i = 0; i < n; i++)
        send_signal(SIGUSR1);
    CHECK_INT(edo_signal_next(&s, &(edo_signal_info){ 0 }), ==, SIGUSR1);
    for (uint32_t i = 0; i < n; i++)
        send_signal(SIGUSR1);
    edo_signal_info info;
    while (edo_signal_next_nowait(&s, &info) == SIGUSR1)
        total += info.count;
    CHECK_UINT(total, <, 2 * n);
    edo_signal_close(&s);
    return 0;
}

TEST(counted_at_most_once)
{
    run_on(2, counts, NULL);
}

/* One that comes all the time does not keep the others back. */
static int turns(void *arg)
{
    (void)arg;
    edo_signal s, after;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1) | EDO_SIG(SIGUSR2) | EDO_SIG(SIGTERM)));
    CHECK_OK(edo_signal_open(&after, EDO_SIG(SIGUSR1) | EDO_SIG(SIGUSR2) | EDO_SIG(SIGTERM)));
    int order[] = { SIGTERM, SIGUSR1, SIGUSR2 };
    for (int i = 0; i < 3; i++) {
        send_signal(order[i]); /* `after` has it later than s */
        CHECK_INT(edo_signal_next(&after, NULL), ==, order[i]);
    }
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGUSR1);
    send_signal(SIGUSR1);
    CHECK_INT(edo_signal_next(&after, NULL), ==, SIGUSR1);
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGUSR2);
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGTERM);
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGUSR1);
    edo_signal_close(&after);
    edo_signal_close(&s);
    return 0;
}

TEST(each_kind_has_its_turn)
{
    run_on(2, turns, NULL);
}

typedef struct line {
    edo_signal s;
    unsigned next;     /* atomic: how many have been served */
    unsigned place[8]; /* of each */
} line;

typedef struct member {
    line *l;
    unsigned index;
} member;

static int stands_in_line(void *arg)
{
    member *m = arg;
    CHECK_INT(edo_signal_next(&m->l->s, NULL), ==, SIGUSR1);
    m->l->place[m->index] = ADD(&m->l->next, 1);
    return 0;
}

static int served_in_order(void *arg)
{
    (void)arg;
    line l = { .next = 0 };
    CHECK_OK(edo_signal_open(&l.s, EDO_SIG(SIGUSR1)));
    edo_group g;
    edo_group_open(&g, NULL);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_OK(edo_spawn_copy(&g, stands_in_line, (&(member){ &l, i }), sizeof(member)));
        until_waiting(&l.s, i + 1);
    }
    for (unsigned i = 0; i < 8; i++) {
        send_signal(SIGUSR1);
        until(&l.next, i + 1);
    }
    CHECK_OK(edo_group_close(&g));
    for (unsigned i = 0; i < 8; i++)
        CHECK_UINT(l.place[i], ==, i + 1);
    edo_signal_close(&l.s);
    return 0;
}

TEST(waiters_are_served_in_order)
{
    EACH_WORKERS(workers)
    run_on(workers, served_in_order, NULL);
}

/* The first in line is cancelled; the signal goes to the second. */
static int cancelled_first(void *arg)
{
    (void)arg;
    line l = { .next = 0 };
    CHECK_OK(edo_signal_open(&l.s, EDO_SIG(SIGUSR1)));
    edo_scope past;
    edo_scope_open(&past, EDO_MS(1));
    CHECK_INT(edo_scope_close(&past, edo_signal_next(&l.s, NULL)), ==, -ETIMEDOUT);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn_copy(&g, stands_in_line, (&(member){ &l, 0 }), sizeof(member)));
    until_waiting(&l.s, 1);
    send_signal(SIGUSR1);
    CHECK_OK(edo_group_close(&g));
    send_signal(SIGUSR1);
    edo_scope_open(&past, 0);
    CHECK_INT(edo_scope_close(&past, edo_signal_next(&l.s, NULL)), ==, -ETIMEDOUT);
    CHECK_INT(edo_signal_next(&l.s, NULL), ==, SIGUSR1);
    edo_signal_close(&l.s);
    return 0;
}

TEST(a_cancelled_wait_takes_nothing)
{
    run_on(2, cancelled_first, NULL);
}

/* ---- everybody gets it ---- */

typedef struct crowd {
    unsigned open, got; /* atomic */
} crowd;

static int gets_it(void *arg)
{
    crowd *c = arg;
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGHUP)));
    ADD(&c->open, 1);
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGHUP);
    ADD(&c->got, 1);
    edo_signal_close(&s);
    return 0;
}

static void *gets_it_thread(void *arg)
{
    gets_it(arg); /* a thread of no runtime blocks */
    return NULL;
}

TEST(every_runtime_and_thread_gets_it)
{
    crowd c = { 0 };
    edo_runtime *rt[3];
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(edo_runtime_create(&rt[i], &(edo_config){ .workers = 1 + i }));
        for (unsigned n = 0; n < 4; n++)
            CHECK_OK(edo_runtime_spawn(rt[i], gets_it, &c));
    }
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, gets_it_thread, &c), ==, 0);
    while (LOAD(&c.open) < 13)
        sched_yield();
    send_signal(SIGHUP);
    pthread_join(thread, NULL);
    while (LOAD(&c.got) < 13)
        sched_yield();
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(edo_runtime_shutdown(rt[i], EDO_SEC(20)));
}

/* ---- select ---- */

static int selects(void *arg)
{
    (void)arg;
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    edo_chan *c;
    int value = 0;
    CHECK_OK(edo_chan_create(&c, sizeof value, 1));
    edo_case cases[] = { EDO_SIGNAL(&s), EDO_RECV(c, &value) };
    CHECK_INT(edo_select_nowait(cases, 2), ==, -EAGAIN);
    for (int i = 0; i < 3; i++) {
        send_signal(SIGUSR1);
        CHECK_INT(edo_select(cases, 2), ==, 0);
        CHECK_INT(edo_signal_next_nowait(&s, NULL), ==, SIGUSR1);
        while (edo_select_nowait(cases, 2) == 0) /* the hub may just be setting it */
            CHECK_INT(edo_signal_next_nowait(&s, NULL), ==, -EAGAIN);
    }
    CHECK_OK(edo_chan_send(c, &(int){ 5 }));
    CHECK_INT(edo_select(cases, 2), ==, 1);
    CHECK_INT(value, ==, 5);
    edo_chan_unref(c);
    edo_signal_close(&s);
    return 0;
}

TEST(a_case_of_select)
{
    EACH_WORKERS(workers)
    run_on(workers, selects, NULL);
}

/* ---- what is refused, and masks ---- */

TEST(refused)
{
    edo_signal s;
    int impossible[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        CHECK_INT(edo_signal_open(&s, EDO_SIG(impossible[i])), ==, -EINVAL);
        CHECK_INT(edo_signal_open(&s, EDO_SIG(SIGUSR1) | EDO_SIG(impossible[i])), ==, -EINVAL);
        CHECK_INT(edo_signal_wait(EDO_SIG(impossible[i])), ==, -EINVAL);
    }
    CHECK_INT(edo_signal_open(&s, 0), ==, -EINVAL);
    CHECK_INT(edo_signal_open(&s, EDO_SIG(SIGURG)), ==, -EBUSY);
    setenv("EDO_DUMP_SIGNAL", "12", 1);
    CHECK_INT(edo_signal_open(&s, EDO_SIG(12)), ==, -EBUSY);
    unsetenv("EDO_DUMP_SIGNAL");
    CHECK_OK(edo_signal_open(&s, EDO_SIG(12)));
    edo_signal_close(&s);
}

/* The C library keeps 32 and 33 for itself: those before it are given back. */
TEST(all_or_none)
{
    edo_signal s;
    struct sigaction before;
    CHECK_INT(sigaction(SIGUSR1, NULL, &before), ==, 0);
    CHECK_INT(edo_signal_open(&s, EDO_SIG(SIGUSR1) | EDO_SIG(33) | EDO_SIG(40)), ==, -EINVAL);
    same_action(SIGUSR1, &before);
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    edo_signal_close(&s);
    same_action(SIGUSR1, &before);
}

TEST(arrives_though_all_threads_block_it)
{
    sigset_t all;
    sigfillset(&all);
    CHECK_INT(pthread_sigmask(SIG_SETMASK, &all, NULL), ==, 0);
    EACH_WORKERS(workers)
    run_on(workers, one, NULL);
}

TEST(names)
{
    CHECK_STR(edo_signal_name(SIGINT), "SIGINT");
    CHECK_STR(edo_signal_name(SIGKILL), "SIGKILL");
    CHECK_STR(edo_signal_name(SIGRTMIN), "SIGRT");
    CHECK_STR(edo_signal_name(SIGRTMAX), "SIGRT");
    CHECK_STR(edo_signal_name(0), "SIG?");
    CHECK_STR(edo_signal_name(-1), "SIG?");
    CHECK_STR(edo_signal_name(1000), "SIG?");
}

TEST_MAIN()
