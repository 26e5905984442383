/* SPDX-License-Identifier: MIT */
/* The races of lost_wakeup.h find what they look for: ways of waiting that lose a wake-up, each a
 * mistake that somebody has made before, stop at some round; without the mistake they do not. */
#include "lost_wakeup.h"

static bool planted;

/* Reads what the round is about after a wait that the watchdog may have ended. */
static int over(race *r, int rc)
{
    return LOAD(&r->lost) ? 0 : rc;
}

static void rescue(race *r)
{
    edo_notify_all(&r->notify);
    edo_notify_one(&r->notify);
    edo_sem_release(&r->sem, 4);
}

static void take_stored(race *r)
{
    int rc = edo_notify_wait_nowait(&r->notify);
    CHECK(rc == 0 || rc == -EAGAIN);
}

/* ---- looks, then waits: what happens in between is missed ---- */

static int look_wait(race *r)
{
    uint64_t mark = edo_notify_mark(&r->notify);
    int rc = 0;
    while (rc == 0 && !LOAD(&r->flag) && !LOAD(&r->lost)) {
        distance(&r->wait_seed);
        if (planted)
            mark = edo_notify_mark(&r->notify);
        rc = edo_notify_wait_since(&r->notify, mark);
        mark = edo_notify_mark(&r->notify);
    }
    if (rc == 0)
        STORE(&r->flag, false);
    return over(r, rc);
}

static void look_wake(race *r)
{
    STORE(&r->flag, true);
    edo_notify_all(&r->notify);
}

/* ---- wakes, then says why: who looks at once sees nothing and waits again ---- */

static void hasty_wake(race *r)
{
    if (planted)
        edo_notify_one(&r->notify);
    distance(&r->wake_seed);
    STORE(&r->flag, true);
    if (!planted)
        edo_notify_one(&r->notify);
}

static int hasty_wait(race *r)
{
    while (!LOAD(&r->flag) && !LOAD(&r->lost)) {
        int rc = edo_notify_wait(&r->notify);
        if (rc < 0)
            return rc;
    }
    STORE(&r->flag, false);
    return 0;
}

/* ---- a wake-up for nobody is not kept ---- */

static int deaf_wait(race *r)
{
    STORE(&r->got, 1);
    int rc = edo_sem_acquire(&r->sem, 1);
    STORE(&r->got, 0);
    return over(r, rc);
}

static void deaf_wake(race *r)
{
    if (!planted || LOAD(&r->got) == 1)
        edo_sem_release(&r->sem, 1);
}

/* ---- what a cancelled one got goes with it ---- */

static int greedy_wait(race *r)
{
    int rc = edo_sem_acquire(&r->sem, 1);
    distance(&r->wait_seed);
    if (planted && rc == 0 && edo_checkpoint() < 0)
        rc = -ECANCELED;
    return over(r, rc);
}

static void sem_wake(race *r)
{
    edo_sem_release(&r->sem, 1);
}

/* ---- every fiftieth is dropped ---- */

static int plain_wait(race *r)
{
    return over(r, edo_sem_acquire(&r->sem, 1));
}

static void dropping_wake(race *r)
{
    if (!planted || ++r->wanted % 50 != 0)
        edo_sem_release(&r->sem, 1);
}

/* ---- a select whose loser had an effect ---- */

static int two_wait(race *r)
{
    while (r->got != 3 && !LOAD(&r->lost)) {
        edo_case cases[] = { EDO_ACQUIRE(&r->sem, 1), EDO_NOTIFIED(&r->notify) };
        int i = edo_select(cases, 2);
        if (i < 0)
            return i;
        r->got |= 1u << i;
        if (planted && i == 0)
            take_stored(r);
    }
    return 0;
}

static void two_prepare(race *r)
{
    r->got = 0;
}

static void two_wake(race *r)
{
    edo_notify_one(&r->notify);
    distance(&r->wake_seed);
    edo_sem_release(&r->sem, 1);
}

static const race_kind kinds[] = {
    { .name = "looks, then waits", .wait = look_wait, .wake = look_wake, .rescue = rescue },
    { .name = "wakes too soon",
      .wait = hasty_wait,
      .wake = hasty_wake,
      .finish = take_stored,
      .rescue = rescue },
    { .name = "keeps none", .wait = deaf_wait, .wake = deaf_wake, .rescue = rescue },
    { .name = "takes it along", .wait = greedy_wait, .wake = sem_wake, .rescue = rescue },
    { .name = "drops some", .wait = plain_wait, .wake = dropping_wake, .rescue = rescue },
    { .name = "takes two",
      .prepare = two_prepare,
      .wait = two_wait,
      .wake = two_wake,
      .rescue = rescue },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct fault_course {
    watchdog dog;
    unsigned rounds;
} fault_course;

static int run_faults(void *arg)
{
    fault_course *c = arg;
    for (unsigned i = 0; i < KINDS; i++) {
        race *r = calloc(1, sizeof *r);
        CHECK(r != NULL);
        r->kind = &kinds[i];
        r->rounds = c->rounds;
        r->cancels = true;
        run_race(r, &c->dog);
        if (planted)
            printf("# %s: round %u\n", r->kind->name, r->done + 1);
        if (LOAD(&r->lost) != planted)
            FAIL("%s: %s", r->kind->name, planted ? "not found" : "stopped, and is right");
        free(r);
    }
    return 0;
}

static void look_on(unsigned workers, unsigned rounds, int64_t patience)
{
    fault_course c = { .rounds = rounds };
    watchdog_start(&c.dog, patience);
    run_on(workers, run_faults, &c);
    watchdog_stop(&c.dog);
}

TEST_TIMEOUT(no_fault_no_finding, 60)
{
    planted = false;
    look_on(2, test_scale(200), EDO_SEC(20));
}

TEST_TIMEOUT(every_planted_fault_is_found, 120)
{
#ifdef EDO_TEST_EMULATED
    SKIP("races this close are too rare in an emulator");
#endif
    planted = true;
    look_on(2, 1000000, EDO_MS(50));
}

TEST_MAIN()
