/* SPDX-License-Identifier: MIT */
/* Handlers that were there before, or come later: they are called, kept, and put back. */
#include "signal_test.h"

static unsigned called, called_info, in_front; /* atomic */
static uintptr_t seen_value;                   /* atomic */

static void on_plain(int number)
{
    CHECK_INT(number, ==, SIGUSR1);
    ADD(&called, 1);
    errno = ENOTTY; /* ours keeps errno */
}

static void on_info(int number, siginfo_t *info, void *context)
{
    CHECK_INT(number, ==, SIGUSR1);
    CHECK(context != NULL);
    STORE(&seen_value, (uintptr_t)info->si_value.sival_int);
    ADD(&called_info, 1);
}

static void take_one(edo_signal *s)
{
    send_signal(SIGUSR1);
    CHECK_INT(edo_signal_next(s, NULL), ==, SIGUSR1);
}

/* The host's handler runs after the subscription's part, maybe on another thread. */
static void wait_for(unsigned *count, unsigned n)
{
    while (LOAD(count) < n)
        sched_yield();
}

TEST(a_handler_is_still_called_and_put_back)
{
    struct sigaction host = { .sa_handler = on_plain, .sa_flags = SA_NODEFER };
    sigemptyset(&host.sa_mask);
    sigaddset(&host.sa_mask, SIGUSR2);
    CHECK_INT(sigaction(SIGUSR1, &host, NULL), ==, 0);
    CHECK_INT(sigaction(SIGUSR1, NULL, &host), ==, 0);
    edo_signal a, b;
    CHECK_OK(edo_signal_open(&a, EDO_SIG(SIGUSR1)));
    CHECK_OK(edo_signal_open(&b, EDO_SIG(SIGUSR1) | EDO_SIG(SIGUSR2)));
    struct sigaction ours;
    CHECK_INT(sigaction(SIGUSR1, NULL, &ours), ==, 0);
#ifndef EDO__FENCE_BY_RMW
    CHECK_INT(sigismember(&ours.sa_mask, SIGUSR2), ==, 1);
#endif
    CHECK_INT(ours.sa_flags & SA_RESTART, ==, 0); /* the host wants to be interrupted */
    take_one(&a);
    wait_for(&called, 1);
    edo_signal_close(&a);
    CHECK_INT(edo_signal_next(&b, NULL), ==, SIGUSR1);
    take_one(&b);
    wait_for(&called, 2);
    edo_signal_close(&b);
    same_action(SIGUSR1, &host);
    CHECK_INT(raise(SIGUSR1), ==, 0);
    CHECK_UINT(LOAD(&called), ==, 3);
}

TEST(with_what_it_knows_of_the_signal)
{
    struct sigaction host = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART };
    CHECK_INT(sigaction(SIGUSR1, &host, NULL), ==, 0);
    CHECK_INT(sigaction(SIGUSR1, NULL, &host), ==, 0);
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    CHECK_INT(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 77 }), ==, 0);
    CHECK_INT(edo_signal_next(&s, NULL), ==, SIGUSR1);
    wait_for(&called_info, 1);
    CHECK_UINT(LOAD(&seen_value), ==, 77);
    edo_signal_close(&s);
    same_action(SIGUSR1, &host);
}

TEST(once_if_it_was_meant_for_once)
{
    struct sigaction host = { .sa_handler = on_plain, .sa_flags = (int)SA_RESETHAND };
    CHECK_INT(sigaction(SIGUSR1, &host, NULL), ==, 0);
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    take_one(&s);
    wait_for(&called, 1);
    take_one(&s);
    edo_signal_close(&s);
    CHECK_UINT(LOAD(&called), ==, 1);
    struct sigaction now;
    CHECK_INT(sigaction(SIGUSR1, NULL, &now), ==, 0);
    CHECK(now.sa_handler == SIG_DFL);
}

TEST(ignored_before_and_after)
{
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    take_one(&s);
    edo_signal_close(&s);
    struct sigaction now;
    CHECK_INT(sigaction(SIGUSR1, NULL, &now), ==, 0);
    CHECK(now.sa_handler == SIG_IGN);
    send_signal(SIGUSR1);
}

/* Who ignores SIGCHLD wants no zombies; that must not change because somebody listens. */
TEST(children_of_who_ignores_them)
{
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    sigset_t set; /* ThreadSanitizer runs no handler in a thread that waits in the library's way */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &set, NULL), ==, 0);
    edo_signal s;
    edo_signal_info info;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGCHLD)));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK_INT(edo_signal_next(&s, &info), ==, SIGCHLD);
    CHECK_INT(info.pid, ==, child);
    CHECK_INT(info.code, ==, CLD_EXITED);
    CHECK_INT(waitpid(child, NULL, 0), ==, -1);
    CHECK_INT(errno, ==, ECHILD);
    edo_signal_close(&s);
}

/* ---- a host that comes later ---- */

static struct sigaction behind; /* what the host has found: ours */

static void on_front(int number, siginfo_t *info, void *context)
{
    ADD(&in_front, 1);
    if ((behind.sa_flags & SA_SIGINFO) != 0)
        behind.sa_sigaction(number, info, context);
}

TEST(a_handler_put_in_front_stays)
{
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    struct sigaction front = { .sa_sigaction = on_front, .sa_flags = SA_SIGINFO };
    CHECK_INT(sigaction(SIGUSR1, &front, &behind), ==, 0);
    CHECK_INT(sigaction(SIGUSR1, NULL, &front), ==, 0);
    take_one(&s); /* it calls ours */
    CHECK_UINT(LOAD(&in_front), ==, 1);
    edo_signal_close(&s);
    same_action(SIGUSR1, &front);
    send_signal(SIGUSR1); /* ours is called, for nobody */
    wait_for(&in_front, 2);

    /* Again: ours in front of theirs, which calls ours. That must end. */
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGUSR1)));
    take_one(&s);
    wait_for(&in_front, 3);
    edo_signal_close(&s);
    same_action(SIGUSR1, &front);
    CHECK_UINT(LOAD(&in_front), ==, 3);
}

TEST_MAIN()
