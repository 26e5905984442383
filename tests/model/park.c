/* SPDX-License-Identifier: MIT */
/* The park protocol (core/park.c) under every interleaving, with the workers reduced to what they do
 * around it: search, take a task, sleep; a queue is one word per task. The scheduler's own loop with its
 * own queues is in worker.c, within bounds. The cases that are wrong on purpose show that the checker
 * would have noticed. */
#define EDO_MODEL 1
#define EDO_DEBUG 1
#include "model.h"
#include "rename.h"

#include "core/park.c"

#include "checker.h"
#include "test.h"

enum { WORKERS_MAX = 3, PRODUCERS_MAX = 2, TASKS_MAX = 4 };

/* Faults of the workers rather than of single operations. */
typedef enum fault {
    NO_FAULT,
    NO_WAKE_AT_SEARCH_END, /* the last searcher finds work and tells nobody */
    NO_LAST_LOOK,          /* S3 is left out */
    LATE_LIST,             /* S1 after S3 */
    LIST_AFTER_WORD,       /* S1 after S2, both before S3 */
    LEAVE_FORGETS,         /* a worker that was named does not know that it counts as searching */
} fault;

typedef struct setup {
    unsigned workers, producers;
    unsigned pushes; /* by each producer */
    bool kick;       /* a thread that makes worker 0's poll return for no reason */
    bool hurry;      /* the monitor wakes one more, although somebody searches or for no reason */
    bool long_task;  /* the first task runs until all others have run */
    fault fault;
} setup;

static setup cfg;
static edo__idle idle;
static edo__parker beds[WORKERS_MAX];
static uint32_t flags[WORKERS_MAX]; /* what an eventfd is to the real backend */
static uint32_t slots[TASKS_MAX];   /* 1: the task waits in a queue */
static uint8_t runs[TASKS_MAX];
static uint32_t ended; /* tasks that have run */
static int named, up;  /* wake-ups promised by notify, and workers back from them */

static unsigned tasks_in_all(void)
{
    return cfg.producers * cfg.pushes;
}

static void start(void)
{
    memset(beds, 0, sizeof beds);
    memset(flags, 0, sizeof flags);
    memset(slots, 0, sizeof slots);
    memset(runs, 0, sizeof runs);
    ended = 0;
    named = up = 0;
    edo__idle_deinit(&idle);
    if (edo__idle_init(&idle, cfg.workers, cfg.workers) < 0)
        abort();
    model_shared(&idle.word, sizeof idle.word, true, "searching");
    model_shared(&idle.lock, sizeof idle.lock, true, "idle.lock");
    model_shared(&idle.sleeping, sizeof idle.sleeping, true, "sleeping");
    model_shared(idle.stack, cfg.workers * sizeof *idle.stack, false, "stack");
    model_shared(idle.asleep, cfg.workers, false, "asleep");
    model_shared(beds, cfg.workers * sizeof beds[0], true, "bed");
    model_shared(flags, cfg.workers * sizeof flags[0], true, "wake flag");
    model_shared(slots, tasks_in_all() * sizeof slots[0], true, "queue slot");
    model_shared(runs, sizeof runs, false, "runs");
    model_shared(&ended, sizeof ended, true, "tasks run");
    model_shared(&named, sizeof named, false, "named");
    model_shared(&up, sizeof up, false, "up");
}

static void wake(int worker)
{
    if (worker < 0)
        return;
    named++;
    MODEL_CHECK((unsigned)worker < cfg.workers && named - up <= 1 + cfg.hurry);
    if (edo__parker_notify(&beds[worker]))
        edo__astore(&flags[worker], 1u, EDO__SC); /* a system call */
}

static void wake_one(void)
{
    wake(edo__idle_notify(&idle));
}

static bool work_visible(void)
{
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        if (edo__aload(&slots[i], EDO__RLX) != 0)
            return true;
    }
    return false;
}

/* The number of a task that is from now on the caller's, or -1. */
static int steal(void)
{
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        if (edo__aload(&slots[i], EDO__RLX) != 0 && edo__axchg(&slots[i], 0u, EDO__AR) != 0)
            return (int)i;
    }
    return -1;
}

static void run(unsigned task)
{
    runs[task]++;
    MODEL_CHECK(runs[task] == 1);
    if (cfg.long_task && task == 0)
        model_reach(&ended, tasks_in_all() - 1);
    edo__aadd(&ended, 1u, EDO__RLX);
}

static bool search_end(void)
{
    bool last = edo__idle_search_end(&idle);
    return cfg.fault == NO_WAKE_AT_SEARCH_END ? false : last;
}

/* edo__idle_sleep() with its steps in a wrong order. */
static bool sleep_wrongly(unsigned self, bool searching)
{
    if (cfg.fault == LATE_LIST) {
        bool last = searching && edo__asub(&idle.word, 1u, EDO__SC) == 1;
        edo__afence(EDO__SC);
        if ((last || (!searching && edo__aload(&idle.word, EDO__RLX) == 0)) && work_visible())
            wake_one();
        (void)edo__idle_sleep(&idle, self, false);
        return false;
    }
    edo__spin_lock(&idle.lock);
    bool last = searching && edo__asub(&idle.word, 1u, EDO__SC) == 1;
    uint32_t n = edo__aload(&idle.sleeping, EDO__RLX);
    idle.stack[n] = (uint16_t)self;
    idle.asleep[self] = 1;
    edo__astore(&idle.sleeping, n + 1, EDO__RLX);
    edo__spin_unlock(&idle.lock);
    edo__afence(EDO__SC);
    return last || (!searching && edo__aload(&idle.word, EDO__RLX) == 0);
}

static bool fall_asleep(unsigned self, bool searching)
{
    if (cfg.fault == LATE_LIST || cfg.fault == LIST_AFTER_WORD)
        return sleep_wrongly(self, searching);
    bool look = edo__idle_sleep(&idle, self, searching);
    return cfg.fault == NO_LAST_LOOK ? false : look;
}

/* park() of core/worker.c in small. */
static bool park(unsigned self, bool searching)
{
    if (fall_asleep(self, searching)) {
        model_forget(1);
        if (work_visible()) {
            model_forget(2);
            wake_one();
        }
    }
    model_forget(3);
    if (edo__parker_prepare(&beds[self]))
        model_take(&flags[self]);
    model_forget(4);
    edo__parker_done(&beds[self]);
    searching = edo__idle_leave(&idle, self);
    if (searching)
        up++;
    return cfg.fault == LEAVE_FORGETS ? false : searching;
}

/* next_task() in small. */
static void worker(unsigned self)
{
    bool searching = false;
    for (;;) {
        model_forget(5 + searching);
        int t = -1;
        if (!searching && cfg.workers > 1)
            searching = edo__idle_search(&idle);
        model_forget(7 + searching);
        if (searching || cfg.workers == 1)
            t = steal();
        model_forget(9 + 2 * (uint64_t)(t + 1) + searching);
        if (t < 0) {
            searching = park(self, searching);
            continue;
        }
        if (searching && search_end() && work_visible())
            wake_one();
        searching = false;
        model_forget(100 + (uint64_t)t);
        run((unsigned)t);
    }
}

static void thread(unsigned index)
{
    if (index < cfg.workers) {
        worker(index);
    } else if (index < cfg.workers + cfg.producers) {
        for (unsigned i = 0; i < cfg.pushes; i++) {
            edo__astore(&slots[(index - cfg.workers) * cfg.pushes + i], 1u, EDO__REL);
            wake_one();
            model_forget(i);
        }
    } else if (cfg.hurry) {
        wake(edo__idle_notify_more(&idle));
    } else {
        edo__astore(&flags[0], 1u, EDO__SC);
    }
}

static void invariant(void)
{
    MODEL_CHECK(idle.word <= cfg.workers);
    if (idle.lock != 0 || model_in_flight(&idle.lock))
        return;
    unsigned asleep = 0;
    for (unsigned i = 0; i < cfg.workers; i++)
        asleep += idle.asleep[i];
    MODEL_CHECK(idle.sleeping == asleep);
    for (unsigned i = 0; i < asleep; i++) {
        MODEL_CHECK(idle.asleep[idle.stack[i]] == 1);
        for (unsigned k = 0; k < i; k++)
            MODEL_CHECK(idle.stack[i] != idle.stack[k]);
    }
}

static void end(void)
{
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        if (runs[i] == 0)
            model_fail("nothing can happen any more, and task %u has not run", i);
    }
    MODEL_CHECK(ended == tasks_in_all());
    MODEL_CHECK(idle.sleeping == cfg.workers && idle.word == 0 && idle.lock == 0);
    for (unsigned i = 0; i < cfg.workers; i++)
        MODEL_CHECK(beds[i].state == EDO__PARKER_ASLEEP);
}

static const char *const *names(void)
{
    static const char *out[WORKERS_MAX + PRODUCERS_MAX + 1];
    static const char *const worker_names[] = { "worker 0", "worker 1", "worker 2" };
    static const char *const producer_names[] = { "producer 0", "producer 1" };
    unsigned n = 0;
    for (unsigned i = 0; i < cfg.workers; i++)
        out[n++] = worker_names[i];
    for (unsigned i = 0; i < cfg.producers; i++)
        out[n++] = producer_names[i];
    out[n] = cfg.hurry ? "monitor" : "kernel";
    return out;
}

static model_result result;

static void check_with(setup s, model_memory memory, unsigned preemptions, model_mutant mutant)
{
    cfg = s;
    model_config config = { .threads = s.workers + s.producers + s.kick + s.hurry,
                            .names = names(),
                            .start = start,
                            .thread = thread,
                            .invariant = invariant,
                            .end = end,
                            .memory = memory,
                            .preemptions = preemptions,
                            .mutant = mutant };
    model_check(&config, &result);
    static const char *const memories[] = { "SC", "TSO", "weak" };
    char bound[32] = "all";
    if (preemptions != MODEL_UNBOUNDED)
        snprintf(bound, sizeof bound, "preemptions <= %u", preemptions);
    printf("  %u workers, %u x %u pushes%s%s%s, %s, %s: %s%llu schedules, %llu states, depth %u\n",
           s.workers, s.producers, s.pushes, s.kick ? ", kick" : "", s.hurry ? ", hurry" : "",
           s.long_task ? ", long task" : "", memories[memory], bound,
           result.failed ? "FAILS, " : "", (unsigned long long)result.runs,
           (unsigned long long)result.states, result.depth);
    fflush(stdout); /* a failed test leaves without */
    edo__idle_deinit(&idle);
}

static void holds(setup s, model_memory memory, unsigned preemptions)
{
    check_with(s, memory, preemptions, (model_mutant){ .change = MODEL_AS_IS });
    if (result.failed)
        FAIL("%s\n%s", result.message, result.trace);
    CHECK(result.complete);
}

static const model_mutant as_is = { .change = MODEL_AS_IS };

/* The same with something broken: must not hold. The trace is of the fewest preemptions that do it. */
static void breaks(setup s, model_memory memory, model_mutant mutant)
{
    for (unsigned preemptions = 0; preemptions <= 5; preemptions++) {
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

/* A larger search where there is time for it. */
static bool thorough(void)
{
    return getenv("EDO_MODEL_THOROUGH") != NULL;
}

TEST_TIMEOUT(one_worker, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        holds((setup){ .workers = 1, .producers = 1, .pushes = 2, .kick = true }, m,
              MODEL_UNBOUNDED);
        holds((setup){ .workers = 1, .producers = 2, .pushes = 1 }, m, MODEL_UNBOUNDED);
    }
}

TEST_TIMEOUT(two_workers, 200)
{
    must_run_here();
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1 }, MODEL_TSO, MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1 }, MODEL_WEAK, MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2, .long_task = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
}

TEST_TIMEOUT(three_workers, 200)
{
    must_run_here();
    holds((setup){ .workers = 3, .producers = 1, .pushes = 1 }, MODEL_SC, test_scale(2));
    holds((setup){ .workers = 3, .producers = 1, .pushes = 2, .long_task = true }, MODEL_SC,
          test_scale(2));
    holds((setup){ .workers = 2, .producers = 2, .pushes = 1, .kick = true }, MODEL_SC,
          test_scale(2));
}

TEST_TIMEOUT(one_more_is_woken, 200)
{
    must_run_here();
    holds((setup){ .workers = 1, .producers = 1, .pushes = 2, .hurry = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .hurry = true }, MODEL_SC,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2, .hurry = true, .long_task = true },
          MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_run_here();
    if (!thorough())
        SKIP("minutes; set EDO_MODEL_THOROUGH");
    holds((setup){ .workers = 2, .producers = 2, .pushes = 1, .long_task = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2, .kick = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 3, .producers = 1, .pushes = 1 }, MODEL_WEAK, MODEL_UNBOUNDED);
    holds((setup){ .workers = 3, .producers = 1, .pushes = 2, .long_task = true }, MODEL_WEAK, 3);
    holds((setup){ .workers = 3, .producers = 2, .pushes = 1, .kick = true }, MODEL_WEAK, 2);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .hurry = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 3, .producers = 1, .pushes = 1, .hurry = true }, MODEL_WEAK, 2);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

static const setup small = { .workers = 1, .producers = 1, .pushes = 1 };
static const setup pair = { .workers = 2, .producers = 1, .pushes = 2, .long_task = true };

TEST_TIMEOUT(finds_no_fence_in_notify, 60)
{
    must_run_here();
    breaks(small, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_notify"));
    breaks(pair, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_notify"));
}

TEST_TIMEOUT(finds_no_fence_in_sleep, 60)
{
    must_run_here();
    breaks(small, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_sleep"));
}

TEST_TIMEOUT(finds_late_list, 60)
{
    must_run_here();
    setup s = pair;
    s.fault = LATE_LIST;
    breaks(s, MODEL_TSO, as_is);
}

TEST_TIMEOUT(finds_list_after_word, 60)
{
    must_run_here();
    setup s = pair;
    s.fault = LIST_AFTER_WORD;
    breaks(s, MODEL_TSO, as_is);
}

TEST_TIMEOUT(finds_no_wake_at_search_end, 60)
{
    must_run_here();
    setup s = pair;
    s.fault = NO_WAKE_AT_SEARCH_END;
    breaks(s, MODEL_SC, as_is);
}

TEST_TIMEOUT(finds_no_last_look, 60)
{
    must_run_here();
    setup s = small;
    s.fault = NO_LAST_LOOK;
    breaks(s, MODEL_SC, as_is);
}

TEST_TIMEOUT(finds_leave_that_forgets, 60)
{
    must_run_here();
    setup s = pair;
    s.fault = LEAVE_FORGETS;
    breaks(s, MODEL_SC, as_is);
}

TEST_TIMEOUT(finds_torn_operations, 120)
{
    must_run_here();
    breaks(pair, MODEL_SC, MUTANT(TORN, XCHG, "model_parker_notify"));
    breaks(pair, MODEL_SC, MUTANT(TORN, CAS, "model_parker_prepare"));
    breaks(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    breaks(pair, MODEL_SC, MUTANT(TORN, SUB, "model_idle_search_end"));
    breaks(pair, MODEL_SC, MUTANT(TORN, SUB, "model_idle_sleep"));
    breaks(pair, MODEL_SC, MUTANT(TORN, ADD, "model_idle_search"));
    breaks(pair, MODEL_SC, MUTANT(TORN, ADD, "name_top"));
}

TEST_TIMEOUT(finds_left_out_operations, 120)
{
    must_run_here();
    breaks(pair, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "model_parker_done"));
    breaks(pair, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "model_parker_notify"));
    breaks(pair, MODEL_SC, MUTANT(LEFT_OUT, STORE, "edo__spin_unlock"));
    breaks(pair, MODEL_SC, MUTANT(LEFT_OUT, ADD, "name_top"));
    breaks(pair, MODEL_SC, MUTANT(LEFT_OUT, ADD, "model_idle_search"));
}

TEST_MAIN()
