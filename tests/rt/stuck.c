/* SPDX-License-Identifier: MIT */
/* ctest: serial */
/* Tasks that compute for a second and never let go of their worker: on every worker but one, then
 * on all. A ticker task measures what it costs the others, and the monitor's report on standard
 * error must name the culprit, where it was spawned, and a function of its stack. What others do for
 * held workers is in stuck_spares.c. */
#include "core_test.h"

#include <signal.h>
#include <time.h>

#define WORKERS 4
#define REPORT_MAX 65536

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

typedef struct scene {
    unsigned spinners, spinning, over;
    unsigned held_ticks; /* atomic: of the ticker, while all spin                */
    unsigned enough;     /* of them, before a spinner ends; and it spins so long: */
    int64_t spin_ns, worst, ticks;
} scene;

__attribute__((noinline)) int spin_for_a_second(scene *s);
__attribute__((noinline)) int spin_for_a_second(scene *s)
{
    int64_t until_ns = monotonic() + s->spin_ns;
    while (monotonic() < until_ns || LOAD(&s->held_ticks) < s->enough)
        __asm__ volatile("" ::: "memory");
    return 0;
}

static int spinner(void *arg)
{
    scene *s = arg;
    ADD(&s->spinning, 1);
    int rc = spin_for_a_second(s);
    ADD(&s->over, 1);
    return rc;
}

static int ticker(void *arg)
{
    scene *s = arg;
    while (LOAD(&s->over) < s->spinners) {
        int64_t before = monotonic();
        CHECK_OK(edo_sleep(EDO_MS(1)));
        int64_t late = monotonic() - before - EDO_MS(1);
        s->worst = late > s->worst ? late : s->worst;
        s->ticks++;
        if (LOAD(&s->spinning) == s->spinners && LOAD(&s->over) == 0)
            ADD(&s->held_ticks, 1);
    }
    return 0;
}

static int play(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "ticker" }, NULL, ticker, s));
    CHECK_OK(edo_sleep(EDO_MS(10)));
    for (unsigned i = 0; i < s->spinners; i++)
        CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "culprit" }, NULL, spinner, s));
    return edo_group_close(&g);
}

static void run_scene(void *arg)
{
    scene *s = arg;
    edo_config config = { .workers = WORKERS, .stuck_after = EDO_MS(20) };
    CHECK_OK(edo_run(&config, play, s));
    fprintf(stderr, "worst=%lld ticks=%lld\n", (long long)s->worst, (long long)s->ticks);
}

/* The figures come back through standard error: the scene is played in a process of its own. */
static const char *play_apart(scene *s)
{
    static char text[REPORT_MAX];
    CHECK_INT(test_capture(run_scene, s, text, sizeof text), ==, 0);
    const char *figures = strstr(text, "worst=");
    long long worst, ticks;
    if (figures == NULL || sscanf(figures, "worst=%lld ticks=%lld", &worst, &ticks) != 2)
        FAIL("no figures in\n%s", text);
    printf("# %u of %d workers held: a 1 ms ticker was %.1f ms late at worst, in %lld ticks\n",
           s->spinners, WORKERS, (double)worst / 1e6, ticks);
    return text;
}

/* No spinner ends before the ticker has ticked beside all of them. On a busy machine the report may
 * come late, or without a stack when the thread gets no processor to answer: one of some tries has to
 * have it. */
static void check_report(unsigned spinners)
{
    const char *text = "";
    for (int i = 0; i < 5; i++) {
        text = play_apart(&(scene){ .spinners = spinners, .spin_ns = EDO_SEC(1), .enough = 20 });
        bool named = strstr(text, "has been held") != NULL && strstr(text, "\"culprit\"") != NULL &&
                     strstr(text, "tests/rt/stuck.c:") != NULL;
        bool shown = strstr(text, "spin_for_a_second") != NULL || strstr(text, "spinner") != NULL;
        if (named && shown)
            return;
    }
    FAIL("the report does not name the task, its site and a function of it:\n%s", text);
}

TEST_TIMEOUT(all_workers_but_one_are_held, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    check_report(WORKERS - 1);
}

TEST_TIMEOUT(all_workers_are_held, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    check_report(WORKERS);
}

TEST_TIMEOUT(no_monitor_no_report, 60)
{
    setenv("EDO_STUCK_AFTER_MS", "0", 1);
    const char *text = play_apart(&(scene){ .spinners = 1, .spin_ns = EDO_SEC(1) });
    CHECK_PTR(strstr(text, "has been held"), ==, NULL);
}

/* ---- one report at a time ---- */

static void spin_ms(int64_t ms, const unsigned *over)
{
    int64_t until_ns = monotonic() + EDO_MS(ms);
    while (monotonic() < until_ns && LOAD(over) == 0)
        __asm__ volatile("" ::: "memory");
}

static unsigned held_long_enough;

static edo_metrics metrics(void)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(NULL, &m));
    return m;
}

/* Until the monitor has seen it; it is over before the report is written, which nobody needs then. */
static int short_hold(void *arg)
{
    uint64_t before = *(const uint64_t *)arg;
    while (metrics().stuck_events == before)
        __asm__ volatile("" ::: "memory");
    return 0;
}

static void wait_for_event(uint64_t n)
{
    while (metrics().stuck_events < n)
        CHECK_OK(edo_sleep(EDO_MS(1)));
}

/* Its thread gives no stack. */
static int silent_hold(void *arg)
{
    sigset_t urgent, old;
    (void)arg;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_BLOCK, &urgent, &old);
    spin_ms(20000, &held_long_enough);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return 0;
}

static int hold_in_turn(void *arg)
{
    (void)arg;
    edo_group g;
    uint64_t seen = metrics().stuck_events;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "first" }, NULL, short_hold, &seen));
    wait_for_event(seen + 1);
    CHECK_OK(edo_sleep(EDO_MS(1200))); /* there is no more than one report a second */
    uint64_t before = metrics().stuck_events;
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "silent" }, NULL, silent_hold, NULL));
    wait_for_event(before + 1);
    CHECK_OK(edo_sleep(EDO_MS(1100)));
    before = metrics().stuck_events;
    CHECK_OK(
        edo_spawn_with(&g, &(edo_task_options){ .name = "second" }, NULL, short_hold, &before));
    wait_for_event(before + 1);
    CHECK_OK(edo_sleep(EDO_MS(1200))); /* two seconds after the second hold began */
    STORE(&held_long_enough, 1);
    return edo_group_close(&g);
}

static void run_in_turn(void *arg)
{
    (void)arg;
    CHECK_OK(edo_run(&(edo_config){ .workers = 2, .stuck_after = EDO_MS(5) }, hold_in_turn, NULL));
}

/* While the monitor waits for a stack, up to two seconds, no other worker is reported: it would take
 * the place of the first one's report, and of its thread, which then nobody joined. */
TEST_TIMEOUT(a_report_is_not_overtaken, 60)
{
    static char text[REPORT_MAX];
    unsetenv("EDO_STUCK_AFTER_MS");
    /* On a busy machine others count as held as well, and the one report a second may be theirs. */
    for (int i = 0; i < 5; i++) {
        CHECK_INT(test_capture(run_in_turn, NULL, text, sizeof text), ==, 0);
        const char *silent = strstr(text, "\"silent\""), *second = strstr(text, "\"second\"");
        if (silent != NULL && (second == NULL || second > silent))
            return;
    }
    FAIL("not the report of the one that was held first:\n%s", text);
}

/* What a held worker had in its queues is run by others: also what it made runnable itself
 * before. */
typedef struct queues {
    unsigned ran, over;
} queues;

static int count(void *arg)
{
    queues *q = arg;
    ADD(&q->ran, 1);
    return 0;
}

static int hold(void *arg)
{
    queues *q = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 200; i++)
        CHECK_OK(edo_spawn(&g, count, q));
    int64_t deadline = monotonic() + EDO_SEC(20);
    while (LOAD(&q->ran) < 200 && monotonic() < deadline)
        __asm__ volatile("" ::: "memory");
    CHECK_UINT(LOAD(&q->ran), ==, 200); /* without this worker's help */
    return edo_group_close(&g);
}

TEST_TIMEOUT(queues_of_a_held_worker_are_emptied, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    for (int i = 0; i < 3; i++) {
        queues q = { 0 };
        run_on(2, hold, &q);
    }
}

/* Timers armed on a worker that is held fire elsewhere. */
typedef struct timers {
    unsigned armed, fired, over;
} timers;

static int short_sleep(void *arg)
{
    timers *t = arg;
    ADD(&t->armed, 1);
    CHECK_OK(edo_sleep(EDO_MS(30)));
    ADD(&t->fired, 1);
    return 0;
}

static int hold_until_fired(void *arg)
{
    timers *t = arg;
    until(&t->armed, 100);
    int64_t deadline = monotonic() + EDO_SEC(20);
    while (LOAD(&t->fired) < 100 && monotonic() < deadline)
        __asm__ volatile("" ::: "memory");
    CHECK_UINT(LOAD(&t->fired), ==, 100);
    return 0;
}

static int timers_play(void *arg)
{
    timers *t = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(&g, short_sleep, t));
    CHECK_OK(edo_spawn(&g, hold_until_fired, t));
    return edo_group_close(&g);
}

TEST_TIMEOUT(timers_of_a_held_worker_fire, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    for (int i = 0; i < 3; i++) {
        timers t = { 0 };
        run_on(2, timers_play, &t);
    }
}

TEST_MAIN()
