/* SPDX-License-Identifier: MIT */
/* Many tasks open, wait, give up and close while signals rain. Nobody hangs, nobody is killed, and in
 * the end everything is as it was. */
#include "signal_test.h"

#define TASKS 12

typedef struct storm {
    unsigned stop; /* atomic */
    uint64_t seed;
    unsigned taken; /* atomic */
} storm;

static const int kinds[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGTERM };

static void *rains(void *arg)
{
    storm *s = arg;
    uint64_t random = s->seed;
    while (LOAD(&s->stop) == 0) {
        send_signal(kinds[test_rand(&random) % 4]);
        if (test_rand(&random) % 4 == 0)
            sched_yield();
    }
    return NULL;
}

static int sleeps(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_MS(1));
}

static void one_round(storm *s, uint64_t *random)
{
    uint64_t set = EDO_SIG(kinds[test_rand(random) % 4]) | EDO_SIG(kinds[test_rand(random) % 4]);
    uint64_t what = test_rand(random) % 4;
    int number, rc;
    edo_signal sub;
    edo_scope late;
    if (what == 0) {
        rc = edo_with_signals(set, &number, sleeps, NULL);
        CHECK(rc == 0 || (rc == -EINTR && (set & EDO_SIG(number)) != 0));
        return;
    }
    edo_scope_open(&late, EDO_US((int64_t)(test_rand(random) % 500)));
    if (what == 1) {
        rc = edo_signal_wait(set);
    } else {
        CHECK_OK(edo_signal_open(&sub, set));
        for (rc = 1; rc > 0 && test_rand(random) % 4 != 0;)
            rc = what == 2 ? edo_signal_next(&sub, NULL) : edo_signal_next_nowait(&sub, NULL);
        edo_signal_close(&sub);
    }
    CHECK(rc == -ECANCELED || rc == -EAGAIN || rc == 1 || (set & EDO_SIG(rc)) != 0);
    if (rc > 1)
        ADD(&s->taken, 1);
    CHECK(edo_scope_close(&late, rc) != 0);
}

static int opens_and_closes(void *arg)
{
    storm *s = arg;
    uint64_t random = s->seed + edo_task_id();
    for (unsigned i = 0; i < test_scale(400); i++)
        one_round(s, &random);
    return 0;
}

static int storms(void *arg)
{
    storm *s = arg;
    edo_signal keep; /* so that no signal finds its default action */
    CHECK_OK(edo_signal_open(&keep, EDO_SIG(SIGUSR1) | EDO_SIG(SIGUSR2) | EDO_SIG(SIGHUP) |
                                        EDO_SIG(SIGTERM)));
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, rains, s), ==, 0);
    edo_group g;
    edo_group_open(&g, NULL);
    for (unsigned i = 0; i < TASKS; i++)
        CHECK_OK(edo_spawn(&g, opens_and_closes, s));
    CHECK_OK(edo_group_close(&g));
    STORE(&s->stop, 1u);
    pthread_join(thread, NULL);
    int number = edo_signal_next(&keep, NULL);
    CHECK(number > 0);
    send_signal(SIGUSR1); /* what was sent before it has been handled when this has come */
    while (edo_signal_next(&keep, NULL) != SIGUSR1)
        continue;
    edo_signal_close(&keep);
    return 0;
}

TEST_TIMEOUT(storm_of_signals, 120)
{
    struct sigaction before[4];
    for (int i = 0; i < 4;
         i++) { /* not by default either: one may still be on its way at the end */
        CHECK(signal(kinds[i], SIG_IGN) != SIG_ERR);
        CHECK_INT(sigaction(kinds[i], NULL, &before[i]), ==, 0);
    }
    EACH_WORKERS(workers)
    {
        storm s = { .seed = test_seed() };
        run_on(workers, storms, &s);
        printf("# %u workers: %u signals taken\n", workers, s.taken);
    }
    for (int i = 0; i < 4; i++)
        same_action(kinds[i], &before[i]);
}

TEST_MAIN()
