/* SPDX-License-Identifier: MIT */
/* When the monitor sleeps (core/monitor.c with core/park.c): workers fall asleep and wake for reasons
 * of their own, and one that is awake may be held by its task until the monitor has looked at it. The
 * alarm is a flag that the monitor waits for; the kernel rings it at any time after it was set. */
#define EDO_MODEL 1
#define EDO_DEBUG 1
#include "model.h"
#include "rename.h"
/* What the monitor does for workers is not run here. */
#undef edo__give_away
#undef edo__give_away_next
#undef edo__wake_another
#undef edo__wake_one
#undef edo__work_visible
#undef edo__worker_expire_for
#define edo__clock_next model_clock_next
#define edo__monitor_start model_monitor_start
#define edo__monitor_stop model_monitor_stop
#define edo__monitor_free model_monitor_free
#define edo__alarm_set model_alarm_set
#define edo__alarm_wait model_alarm_wait

#include "core/monitor.c"
#include "core/park.c"

#include "checker.h"
#include "test.h"

enum { WORKERS_MAX = 2 };

typedef struct setup {
    const char *workers[WORKERS_MAX]; /* what each does in turn, see act() */
    bool outside;                     /* a thread that wakes one of them for a task */
    bool stale;                       /* an alarm of the past rings at the beginning */
} setup;

static setup cfg;
static edo_runtime rt;
static struct edo__monitor mon;
static uint16_t stack[WORKERS_MAX];
static uint8_t asleep[WORKERS_MAX];
static uint32_t flags[WORKERS_MAX]; /* ends a worker's sleep */
static uint32_t alarm_set;          /* it will ring, or has rung */
static uint32_t awake[WORKERS_MAX]; /* runs a task */
static uint32_t seen[WORKERS_MAX];  /* looks that found it awake: one is enough */
static uint32_t changes; /* what a look would find: stands for time, which passes between looks */
static uint32_t never;
static uint32_t done; /* workers at their end */

/* ---- the model's own ---- */

int64_t edo__clock_real(void)
{
    return 0;
}

int64_t edo__clock_now(const edo_runtime *r)
{
    (void)r;
    return 0;
}

int64_t edo__clock_next(const edo_runtime *r)
{
    (void)r;
    return EDO_FOREVER; /* no timer comes to the rescue */
}

void edo__alarm_set(int alarm, int64_t in)
{
    (void)alarm;
    edo__astore(&alarm_set, in < EDO_SEC(1), EDO__SC); /* a system call */
}

void edo__alarm_wait(int alarm)
{
    (void)alarm;
    model_take(&alarm_set);
}

static unsigned n_workers(void)
{
    return cfg.workers[1] != NULL ? 2 : 1;
}

static void start(void)
{
    unsigned n = n_workers();
    memset(stack, 0, sizeof stack);
    memset(asleep, 0, sizeof asleep);
    memset(flags, 0, sizeof flags);
    memset(awake, 0, sizeof awake);
    memset(seen, 0, sizeof seen);
    changes = never = done = 0;
    alarm_set = cfg.stale;
    mon = (struct edo__monitor){ .period = EDO_MS(4) };
    rt.monitor = &mon;
    rt.n_workers = rt.n_known = n;
    rt.idle = (edo__idle){ .n = n, .present = n, .stack = stack, .asleep = asleep };
    model_shared(&mon.asleep, sizeof mon.asleep, true, "monitor asleep");
    model_shared(&alarm_set, sizeof alarm_set, true, "alarm");
    model_shared(flags, sizeof flags, true, "flags");
    model_shared(awake, sizeof awake, true, "awake");
    model_shared(seen, sizeof seen, true, "seen");
    model_shared(&changes, sizeof changes, true, "changes");
    model_shared(&never, sizeof never, true, "never");
    model_shared(&done, sizeof done, true, "done");
    model_shared(&rt.idle.word, sizeof rt.idle.word, true, "searching");
    model_shared(&rt.idle.lock, sizeof rt.idle.lock, true, "idle.lock");
    model_shared(&rt.idle.sleeping, sizeof rt.idle.sleeping, true, "sleeping");
    model_shared(&rt.idle.present, sizeof rt.idle.present, true, "present");
    model_shared(stack, sizeof stack, false, "stack");
    model_shared(asleep, sizeof asleep, false, "asleep");
}

static void fall_asleep(unsigned self)
{
    (void)edo__idle_sleep(&rt.idle, self, false);
    edo__aadd(&changes, 1u, EDO__SC);
}

/* z: falls asleep and wakes; n: the same, and is woken from outside; h: is held until the monitor has
 * seen it; r: a spare that goes to rest and comes back. Each is on no list before and after. */
static void act(unsigned self, char what)
{
    switch (what) {
    case 'z':
        fall_asleep(self);
        (void)edo__idle_leave(&rt.idle, self);
        edo__monitor_kick(&rt);
        break;
    case 'n':
        fall_asleep(self);
        model_take(&flags[self]);
        if (edo__idle_leave(&rt.idle, self))
            (void)edo__idle_search_end(&rt.idle);
        edo__monitor_kick(&rt);
        break;
    case 'r':
        edo__idle_quit(&rt.idle);
        edo__aadd(&changes, 1u, EDO__SC);
        edo__idle_join(&rt.idle);
        edo__monitor_kick(&rt);
        break;
    default:
        edo__astore(&seen[self], 0u, EDO__SC);
        edo__astore(&awake[self], 1u, EDO__SC);
        edo__aadd(&changes, 1u, EDO__SC);
        model_reach(&seen[self], 1);
        edo__astore(&awake[self], 0u, EDO__SC);
    }
}

static void worker(unsigned self)
{
    for (const char *p = cfg.workers[self]; *p != '\0'; p++) {
        act(self, *p);
        model_forget((uint64_t)(p - cfg.workers[self]));
    }
    fall_asleep(self);
    edo__aadd(&done, 1u, EDO__SC);
    model_reach(&never, 1);
}

/* monitor_thread() in small. */
static void watch(void)
{
    for (;;) {
        model_forget(100);
        uint32_t before = edo__aload(&changes, EDO__SC);
        for (unsigned i = 0; i < n_workers(); i++) {
            if (edo__aload(&awake[i], EDO__ACQ) != 0)
                edo__astore(&seen[i], 1u, EDO__SC);
        }
        if (edo__idle_all_asleep(&rt.idle))
            sleep_with_workers(&rt);
        else
            model_reach(&changes, before + 1);
    }
}

/* edo__wake_one() of core/sched.c. */
static void wake_one(void)
{
    int named;
    while ((named = edo__idle_notify(&rt.idle)) < 0)
        model_relax();
    edo__astore(&flags[named], 1u, EDO__SC);
    edo__monitor_kick(&rt);
}

static void thread(unsigned index)
{
    if (index < n_workers())
        worker(index);
    else if (index == n_workers())
        watch();
    else
        wake_one();
}

static void invariant(void)
{
    MODEL_CHECK(rt.idle.sleeping <= rt.idle.present || rt.idle.lock != 0);
}

static void end(void)
{
    if (done != n_workers())
        model_fail("a worker is held, and the monitor does not look");
    MODEL_CHECK(mon.asleep % 2 == 1);
}

static model_result result;

static void check_with(setup s, model_memory memory, unsigned preemptions, model_mutant mutant)
{
    static const char *const one[] = { "worker 0", "monitor", "outside" };
    static const char *const two[] = { "worker 0", "worker 1", "monitor", "outside" };
    static const char *const memories[] = { "SC", "TSO", "weak" };
    cfg = s;
    model_config config = { .threads = n_workers() + 1 + s.outside,
                            .names = n_workers() == 1 ? one : two,
                            .start = start,
                            .thread = thread,
                            .invariant = invariant,
                            .end = end,
                            .memory = memory,
                            .preemptions = preemptions,
                            .mutant = mutant };
    model_check(&config, &result);
    printf("  %s %s, %s, preemptions <= %d: %s%llu schedules, %llu states, depth %u\n",
           s.workers[0], s.workers[1] != NULL ? s.workers[1] : "", memories[memory],
           (int)preemptions, result.failed ? "FAILS, " : "", (unsigned long long)result.runs,
           (unsigned long long)result.states, result.depth);
    fflush(stdout);
}

static void holds(setup s, model_memory memory, unsigned preemptions)
{
    check_with(s, memory, preemptions, (model_mutant){ .change = MODEL_AS_IS });
    if (result.failed)
        FAIL("%s\n%s", result.message, result.trace);
    CHECK(result.complete);
}

static void breaks(setup s, model_memory memory, model_mutant mutant)
{
    for (unsigned preemptions = 0; preemptions <= 4; preemptions++) {
        check_with(s, memory, preemptions, mutant);
        if (result.failed) {
            printf("%s", result.trace);
            return;
        }
    }
    FAIL("nobody noticed");
}

static void must_run_here(void)
{
#if EDO__TSAN
    SKIP("one real thread, and a fiber for every schedule of each model thread");
#endif
}

static const setup alone = { .workers = { "zh" } };
static const setup twice = { .workers = { "zhzh" }, .stale = true };
static const setup pair = { .workers = { "zh", "z" } };
static const setup both = { .workers = { "zh", "zh" } };
static const setup named = { .workers = { "nzh" }, .outside = true };
static const setup spare = { .workers = { "zh", "zr" } };

TEST_TIMEOUT(one_worker, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        holds(alone, m, MODEL_UNBOUNDED);
        holds(twice, m, MODEL_UNBOUNDED);
        holds(named, m, m == MODEL_SC ? 3 : 2);
    }
}

TEST_TIMEOUT(two_workers, 200)
{
    must_run_here();
    holds(pair, MODEL_SC, 2);
    holds(both, MODEL_SC, 2);
    holds(spare, MODEL_SC, 2);
    holds(pair, MODEL_WEAK, 1);
    holds(spare, MODEL_WEAK, 0);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    breaks(alone, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    breaks(alone, MODEL_SC, MUTANT(LEFT_OUT, STORE, "sleep_with_workers"));
    breaks(named, MODEL_SC, MUTANT(TORN, CAS, "model_monitor_kick"));
    breaks(spare, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "edo__spin_try"));
    breaks(twice, MODEL_SC, MUTANT(LEFT_OUT, STORE, "model_alarm_set"));
}

TEST_MAIN()
