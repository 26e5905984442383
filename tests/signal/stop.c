/* SPDX-License-Identifier: MIT */
/* edo_signal_wait(), edo_ctrl_c(), edo_with_signals(): the first signal stops the work, the second one
 * the process. */
#include "signal_test.h"

#define STOPS (EDO_SIG(SIGINT) | EDO_SIG(SIGTERM))

static struct sigaction action_of(int number)
{
    struct sigaction now;
    CHECK_INT(sigaction(number, NULL, &now), ==, 0);
    return now;
}

static bool caught(int number)
{
    struct sigaction now = action_of(number);
    return (now.sa_flags & SA_SIGINFO) != 0;
}

static int sends_when_caught(void *arg)
{
    int number = (int)(intptr_t)arg;
    while (!caught(number))
        CHECK_OK(edo_yield());
    send_signal(number);
    return 0;
}

static int waits_once(void *arg)
{
    (void)arg;
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, sends_when_caught, (void *)SIGTERM));
    CHECK_INT(edo_signal_wait(STOPS), ==, SIGTERM);
    CHECK(!caught(SIGTERM) && !caught(SIGINT));
    CHECK_OK(edo_spawn(&g, sends_when_caught, (void *)SIGINT));
    CHECK_OK(edo_ctrl_c());
    CHECK(!caught(SIGINT));
    edo_scope s;
    edo_scope_open(&s, 0);
    CHECK_INT(edo_scope_close(&s, edo_ctrl_c()), ==, -ETIMEDOUT);
    edo_scope_open(&s, EDO_MS(2));
    CHECK_INT(edo_scope_close(&s, edo_ctrl_c()), ==, -ETIMEDOUT);
    CHECK(!caught(SIGINT));
    return edo_group_close(&g);
}

TEST(one_wait)
{
    EACH_WORKERS(workers)
    run_on(workers, waits_once, NULL);
}

/* A cancel and a signal at the same time: the call says which it was, and if it was the signal, that
 * is not lost. The outer subscription sees all of them. */
typedef struct race {
    unsigned waits, ended; /* atomic */
} race;

static int waits_in_race(void *arg)
{
    race *r = arg;
    ADD(&r->waits, 1);
    int rc = edo_signal_wait(EDO_SIG(SIGUSR1));
    CHECK(rc == SIGUSR1 || rc == -ECANCELED);
    ADD(&r->ended, 1);
    return 0;
}

static int races(void *arg)
{
    (void)arg;
    uint64_t random = test_seed();
    edo_signal outer;
    CHECK_OK(edo_signal_open(&outer, EDO_SIG(SIGUSR1)));
    for (unsigned i = 0; i < test_scale(300); i++) {
        race r = { 0 };
        edo_group g;
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, waits_in_race, &r));
        until(&r.waits, 1);
        for (uint64_t spins = test_rand(&random) % 8; spins > 0; spins--)
            CHECK_OK(edo_yield());
        bool first = test_rand(&random) % 2 == 0;
        if (first)
            send_signal(SIGUSR1);
        edo_group_cancel(&g);
        if (!first)
            send_signal(SIGUSR1);
        CHECK_OK(edo_group_close(&g));
        CHECK_INT(edo_signal_next(&outer, NULL), ==, SIGUSR1);
    }
    edo_signal_close(&outer);
    CHECK(!caught(SIGUSR1));
    return 0;
}

TEST_TIMEOUT(cancel_against_signal, 60)
{
    run_on(2, races, NULL);
    run_on(4, races, NULL);
}

/* ---- a scope ---- */

static int sleeps(void *arg)
{
    edo_group g;
    edo_group_open(&g, NULL);
    if (arg != NULL)
        CHECK_OK(edo_spawn(&g, sends_when_caught, arg));
    int rc = edo_group_close(&g);
    return rc < 0 ? rc : edo_sleep(EDO_FOREVER);
}

static int finishes(void *arg)
{
    CHECK_INT(sleeps(arg), ==, -ECANCELED);
    return 7; /* in spite of it */
}

static int fails(void *arg)
{
    CHECK_INT(sleeps(arg), ==, -ECANCELED);
    return -EIO;
}

static int quick(void *arg)
{
    (void)arg;
    return 3;
}

static int timed(void *arg)
{
    return edo_with_timeout(EDO_MS(1), sleeps, arg);
}

static int is_stopped(void *arg)
{
    (void)arg;
    int number = -1;
    CHECK_INT(edo_with_signals(STOPS, &number, sleeps, (void *)SIGTERM), ==, -EINTR);
    CHECK_INT(number, ==, SIGTERM);
    CHECK_INT(edo_with_signals(STOPS, NULL, sleeps, (void *)SIGINT), ==, -EINTR);
    CHECK_INT(edo_with_signals(STOPS, &number, finishes, (void *)SIGINT), ==, 7);
    CHECK_INT(number, ==, SIGINT);
    CHECK_INT(edo_with_signals(STOPS, &number, fails, (void *)SIGINT), ==, -EIO);
    CHECK_INT(edo_with_signals(STOPS, &number, quick, NULL), ==, 3);
    CHECK_INT(number, ==, 0);
    CHECK_INT(edo_with_signals(STOPS, &number, timed, NULL), ==, -ETIMEDOUT);
    CHECK_INT(number, ==, 0);
    CHECK_INT(edo_with_signals(EDO_SIG(SIGKILL), &number, quick, NULL), ==, -EINVAL);
    edo_scope s; /* a cancel from outside is that, and not a signal */
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, edo_with_signals(STOPS, &number, sleeps, NULL)), ==, -ETIMEDOUT);
    CHECK_INT(number, ==, 0);
    CHECK(!caught(SIGTERM) && !caught(SIGINT));
    CHECK_OK(edo_checkpoint());
    return 0;
}

TEST(the_first_signal_cancels_a_scope)
{
    EACH_WORKERS(workers)
    run_on(workers, is_stopped, NULL);
}

TEST(of_a_thread_as_well)
{
    int number;
    CHECK_INT(edo_with_signals(STOPS, &number, quick, NULL), ==, 3);
    CHECK_INT(number, ==, 0);
}

/* ---- the second one ---- */

static unsigned stopping; /* atomic */

/* Never looks up: holds its worker until the process is killed. */
static int computes(void *arg)
{
    (void)arg;
    STORE(&stopping, 1u);
    while (LOAD(&stopping) < 2) /* for ever */
        sched_yield();
    return 0;
}

static int holds_all_workers(void *arg)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (unsigned i = 0; i < 2; i++) {
        int rc = edo_spawn(&g, computes, arg);
        CHECK(rc == 0 || (i > 0 && rc == -ECANCELED)); /* the first one has run by then */
    }
    return edo_group_close(&g);
}

/* From outside of the runtime: two signals, the second when the first was noticed. */
static void *presses_ctrl_c(void *arg)
{
    (void)arg;
    while (LOAD(&stopping) == 0 || !caught(SIGINT))
        sched_yield();
    send_signal(SIGINT);
    while (caught(SIGINT))
        sched_yield();
    send_signal(SIGINT);
    return NULL;
}

static int never_ends(void *arg)
{
    (void)arg;
    return edo_with_signals(STOPS, NULL, holds_all_workers, NULL);
}

static void is_killed(void *arg)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, presses_ctrl_c, NULL), ==, 0);
    edo_config config = { .workers = 2, .stuck_after = EDO_FOREVER };
    CHECK_OK(edo_run(&config, never_ends, arg));
}

TEST_TIMEOUT(the_second_one_kills_even_what_never_looks_up, 60)
{
    char text[512];
    int status = test_capture(is_killed, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), ==, SIGINT);
}

/* Ctrl-C on a task's wait: the task does not get to run, the second one kills all the same. */
static int waits_for_ctrl_c(void *arg)
{
    (void)arg;
    CHECK_OK(edo_ctrl_c());
    while (LOAD(&stopping) < 2) /* for ever */
        sched_yield();
    return 0;
}

static int waits_and_holds(void *arg)
{
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, waits_for_ctrl_c, NULL));
    while (!caught(SIGINT))
        CHECK_OK(edo_yield());
    CHECK_OK(edo_spawn(&g, computes, arg));
    return edo_group_close(&g);
}

static void is_killed_waiting(void *arg)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, presses_ctrl_c, NULL), ==, 0);
    edo_config config = { .workers = 1, .stuck_after = EDO_FOREVER };
    CHECK_OK(edo_run(&config, waits_and_holds, arg));
}

TEST_TIMEOUT(though_the_waiting_task_does_not_get_to_run, 60)
{
    char text[512];
    int status = test_capture(is_killed_waiting, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), ==, SIGINT);
}

TEST_MAIN()
