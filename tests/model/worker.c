/* SPDX-License-Identifier: MIT */
/* The scheduler as it is: next_task() with search(), spin() and park() of core/worker.c, the wakers of
 * core/sched.c, core/inject.c, core/queue.h and core/park.c, under every interleaving within a bound on
 * preemptions. Only what a task does, the backend, the clock and the monitor are the model's own. */
#define EDO_MODEL 1
#define EDO_DEBUG 1
#define EDO__QUEUE_SIZE 4u
#include "model.h"
#include "rename.h"

#include "core/inject.c"
#include "core/park.c"
#include "core/sched.c"
#include "core/worker.c"

#include "checker.h"
#include "test.h"

enum { WORKERS_MAX = 2, TASKS_MAX = 3 };

typedef struct setup {
    unsigned workers, producers;
    unsigned pushes; /* by each producer, from outside */
    bool pinned;     /* the producers' tasks must run on worker 0 */
    bool
        from_task; /* worker 0 starts with a task that makes two runnable, and waits for the first */
    bool kick;     /* worker 0's poll returns once for no reason */
    bool held;     /* with from_task: that task waits for both, and the monitor relieves worker 0 */
    bool low;      /* the producers' tasks, and with from_task the first, are of low priority */
    bool watch;    /* rings are watched before they are stolen from; else never */
} setup;

static setup cfg;
static edo_runtime rt;
static edo__worker workers[WORKERS_MAX];
static edo__task tasks[TASKS_MAX];
static uint32_t flags[WORKERS_MAX];
static uint32_t ran[TASKS_MAX];
static uint32_t placed; /* atomic: the first task holds worker 0 from here on */
static uint16_t sleepers[WORKERS_MAX];
static uint8_t asleep[WORKERS_MAX];
static int64_t instant;

/* ---- the model's own: time that never ends a wait, a backend of one flag per worker ---- */

int64_t edo__clock_real(void)
{
    return instant += EDO_SEC(1); /* spin() looks around once */
}

int64_t edo__clock_now(const edo_runtime *r)
{
    (void)r;
    return 0;
}

bool edo__clock_jump(edo_runtime *r)
{
    (void)r;
    return false;
}

bool edo__pool_idle(edo__pool *p)
{
    (void)p;
    return true;
}

void edo__monitor_kick(edo_runtime *r)
{
    (void)r;
}

/* Nothing is measured: until_inject never runs out, and no task is watched. */
void edo__meter_init(edo__worker *w, const edo_config *config)
{
    (void)w;
    (void)config;
}

bool edo__meter_turn(edo__worker *w)
{
    (void)w;
    return true;
}

int64_t edo__meter_begin(edo__worker *w, edo__task *t)
{
    (void)w;
    (void)t;
    return 0;
}

void edo__meter_end(edo__worker *w, int64_t begin, uint64_t id)
{
    (void)w;
    (void)id;
    (void)begin;
}

void edo__meter_woken(edo__task *t)
{
    (void)t;
}

void edo__meter_ran(edo__worker *w, edo__task *t)
{
    (void)w;
    (void)t;
}

void edo__meter_idle(edo__worker *w)
{
    (void)w;
}

void edo__meter_busy(edo__worker *w)
{
    (void)w;
}

/* No worker is bound to a CPU, and there are no hooks. */
void edo__cpus_enter(edo__worker *w)
{
    (void)w;
}

void edo__cpus_leave(edo__worker *w)
{
    (void)w;
}

void edo__hook_worker(edo__worker *w, bool starts)
{
    (void)w;
    (void)starts;
}

bool edo__hook_park(edo__worker *w)
{
    (void)w;
    return false;
}

void edo__hook_unpark(edo__worker *w)
{
    (void)w;
}

void edo__hook_end(edo__task *t, int code)
{
    (void)t;
    (void)code;
}

static int poll_flag(edo__worker *w, int64_t timeout)
{
    MODEL_CHECK(timeout == EDO_FOREVER && !w->searching);
    model_forget(w->index); /* park() and next_task() hold nothing across this */
    model_take(&flags[w->index]);
    model_forget(w->index + 10);
    return 0;
}

static bool nothing_pending(edo__worker *w)
{
    (void)w;
    return false;
}

static void wake_flag(edo__worker *w)
{
    edo__astore(&flags[w->index], 1u, EDO__SC); /* a system call */
}

static const edo__backend backend = { .poll = poll_flag,
                                      .pending = nothing_pending,
                                      .wake = wake_flag };

/* ---- the state ---- */

static unsigned tasks_in_all(void)
{
    return cfg.producers * cfg.pushes + (cfg.from_task ? 2 : 0);
}

static void start_worker(edo__worker *w, unsigned index)
{
    memset(&w->queue, 0, sizeof w->queue);
    w->rt = &rt;
    w->index = index;
    w->searching = false;
    w->until_inject = 1 << 20; /* looking at the inject queue early does not matter here */
    w->random = 0;             /* stays 0: victims in order */
    w->first_look = cfg.watch ? LOOK_MAX : 0; /* and stays so: see run() */
    w->stole_at = 0;
    w->tick = 0;
    if (cfg.watch)
        model_shared(&w->tick, sizeof w->tick, true, "tick");
    w->timer_next = EDO_FOREVER;
    w->lifo = w->mail_head = w->mail_tail = NULL;
    w->lifo_used = w->mail_len = w->mail_lock = 0;
    w->mail_turn = false;
    w->parker.state = EDO__PARKER_AWAKE;
    model_shared(&w->queue.head, sizeof w->queue.head, true, "ring head");
    model_shared(&w->queue.tail, sizeof w->queue.tail, true, "ring tail");
    model_written_by(index);
    model_shared(&w->queue.ring, sizeof w->queue.ring, true, "ring slot");
    model_written_by(index);
    model_shared(&w->lifo, sizeof w->lifo, cfg.held, "lifo"); /* else only its owner's */
    model_shared(&w->parker.state, sizeof w->parker.state, true, "bed");
    if (cfg.pinned) { /* else nobody mails */
        model_shared(&w->mail_lock, sizeof w->mail_lock, true, "mail lock");
        model_shared(&w->mail_len, sizeof w->mail_len, true, "mail len");
        model_shared(&w->mail_head, 2 * sizeof w->mail_head, false, "mail list");
    }
}

static void start(void)
{
    memset(flags, 0, sizeof flags);
    memset(ran, 0, sizeof ran);
    placed = 0;
    memset(sleepers, 0, sizeof sleepers);
    memset(asleep, 0, sizeof asleep);
    instant = 0;
    rt.n_workers = rt.n_known = cfg.workers;
    rt.workers = workers;
    rt.backend = &backend;
    rt.inject = rt.low = (edo__inject){ 0 };
    rt.idle = (edo__idle){
        .n = cfg.workers, .present = cfg.workers, .stack = sleepers, .asleep = asleep
    };
    model_shared(&rt.inject.lock, sizeof rt.inject.lock, true, "inject lock");
    model_shared(&rt.inject.len, sizeof rt.inject.len, true, "inject len");
    model_shared(&rt.inject.head, 2 * sizeof rt.inject.head, false, "inject list");
    if (cfg.low) { /* else nobody is */
        model_shared(&rt.low.lock, sizeof rt.low.lock, true, "low lock");
        model_shared(&rt.low.len, sizeof rt.low.len, true, "low len");
        model_shared(&rt.low.head, 2 * sizeof rt.low.head, false, "low list");
    }
    model_shared(&rt.idle.word, sizeof rt.idle.word, true, "searching");
    model_shared(&rt.idle.lock, sizeof rt.idle.lock, true, "idle.lock");
    model_shared(&rt.idle.sleeping, sizeof rt.idle.sleeping, true, "sleeping");
    model_shared(sleepers, sizeof sleepers, false, "stack");
    model_shared(asleep, sizeof asleep, false, "asleep");
    model_shared(flags, sizeof flags, true, "wake flag");
    model_shared(ran, sizeof ran, true, "ran");
    model_shared(&placed, sizeof placed, true, "placed");
    for (unsigned i = 0; i < cfg.workers; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        tasks[i] = (edo__task){ .rt = &rt };
        model_shared(&tasks[i].next, sizeof tasks[i].next, false, "next");
    }
}

static void run(edo__worker *w, edo__task *t)
{
    MODEL_CHECK(t >= tasks && t < tasks + tasks_in_all());
    if (t < tasks || t >= tasks + tasks_in_all())
        return;
    MODEL_CHECK(!edo__pinned(t) || t->worker == w);
    MODEL_CHECK(!w->searching);
    /* So many runs that those after a theft were short ones, on average; without, they were long. */
    if (cfg.watch)
        edo__astore(&w->tick, w->tick + ((uint64_t)1 << 32), EDO__REL);
    uint32_t before = edo__aadd(&ran[t - tasks], 1u, EDO__RLX);
    MODEL_CHECK(before == 0);
}

/* The task worker 0 starts with: the second task it makes runnable waits in the LIFO slot for its end;
 * the first has to be taken by somebody else meanwhile. */
static void first_task(edo__worker *w)
{
    unsigned base = cfg.producers * cfg.pushes;
    tasks[base].pins = cfg.low ? EDO__PIN_LOW : 0;
    edo__schedule(&tasks[base]);
    edo__schedule(&tasks[base + 1]);
    MODEL_CHECK(edo__current_worker(&rt) == w);
    if (cfg.held)
        edo__astore(&placed, 1u, EDO__SC);
    if (cfg.workers > 1)
        model_reach(&ran[base], 1);
    if (cfg.held)
        model_reach(&ran[base + 1], 1);
}

static void worker(edo__worker *w)
{
    if (cfg.from_task && w->index == 0)
        first_task(w);
    for (;;) {
        model_forget(20);
        edo__task *t = next_task(w);
        model_forget(21 + (uint64_t)(t - tasks));
        run(w, t);
    }
}

/* Looks at any time, and once more when worker 0 is held. */
static void monitor(void)
{
    for (int i = 0; i < 2; i++) {
        if (edo__give_away_next(&workers[0]))
            edo__wake_one(&rt);
        if (i == 0)
            model_reach(&placed, 1);
    }
}

static void thread(unsigned index)
{
    if (index < cfg.workers) {
        worker(&workers[index]);
    } else if (index < cfg.workers + cfg.producers) {
        for (unsigned i = 0; i < cfg.pushes; i++) {
            edo__task *t = &tasks[(index - cfg.workers) * cfg.pushes + i];
            t->pins = cfg.low ? EDO__PIN_LOW : cfg.pinned;
            t->worker = &workers[0];
            edo__schedule(t);
            model_forget(i);
        }
    } else if (cfg.held) {
        monitor();
    } else {
        edo__astore(&flags[0], 1u, EDO__SC);
    }
}

static void enter(unsigned index)
{
    edo__set_current_worker(index < cfg.workers ? &workers[index] : NULL);
}

static void invariant(void)
{
    MODEL_CHECK(rt.idle.word <= cfg.workers);
    for (unsigned i = 0; i < cfg.workers; i++) {
        const edo__queue *q = &workers[i].queue;
        if (!model_in_flight(&q->tail) && !model_in_flight(&q->head))
            MODEL_CHECK(q->tail - q->head <= EDO__QUEUE_SIZE);
    }
}

static void end(void)
{
    for (unsigned i = 0; i < tasks_in_all(); i++) {
        if (ran[i] == 0)
            model_fail("nothing can happen any more, and task %u has not run", i);
    }
    MODEL_CHECK(rt.idle.sleeping == cfg.workers && rt.idle.word == 0);
    MODEL_CHECK(rt.inject.len == 0 && rt.inject.head == NULL);
    MODEL_CHECK(rt.low.len == 0 && rt.low.head == NULL);
    for (unsigned i = 0; i < cfg.workers; i++)
        MODEL_CHECK(workers[i].parker.state == EDO__PARKER_ASLEEP && !workers[i].searching);
}

static const char *const *names(void)
{
    static const char *out[WORKERS_MAX + 3];
    static const char *const worker_names[] = { "worker 0", "worker 1" };
    unsigned n = 0;
    for (unsigned i = 0; i < cfg.workers; i++)
        out[n++] = worker_names[i];
    for (unsigned i = 0; i < cfg.producers; i++)
        out[n++] = "outside";
    out[n] = cfg.held ? "monitor" : "kernel";
    return out;
}

static model_result result;

static void check_with(setup s, model_memory memory, unsigned preemptions, model_mutant mutant)
{
    cfg = s;
    model_config config = { .threads = s.workers + s.producers + s.kick + s.held,
                            .names = names(),
                            .start = start,
                            .thread = thread,
                            .enter = enter,
                            .invariant = invariant,
                            .end = end,
                            .memory = memory,
                            .preemptions = preemptions,
                            .mutant = mutant };
    model_check(&config, &result);
    edo__set_current_worker(NULL);
    static const char *const memories[] = { "SC", "TSO", "weak" };
    char bound[32] = "all";
    if (preemptions != MODEL_UNBOUNDED)
        snprintf(bound, sizeof bound, "preemptions <= %u", preemptions);
    printf(
        "  %u workers, %u x %u from outside%s%s%s%s, %s, %s: %s%llu schedules, %llu states, depth "
        "%u\n",
        s.workers, s.producers, s.pushes,
        s.pinned ? " (pinned)"
        : s.low  ? " (low)"
                 : "",
        s.from_task ? ", 2 from a task" : "", s.watch ? ", watching" : "",
        s.held   ? ", held"
        : s.kick ? ", kick"
                 : "",
        memories[memory], bound, result.failed ? "FAILS, " : "", (unsigned long long)result.runs,
        (unsigned long long)result.states, result.depth);
    fflush(stdout);
}

static void holds(setup s, model_memory memory, unsigned preemptions)
{
    check_with(s, memory, preemptions, (model_mutant){ .change = MODEL_AS_IS });
    if (result.failed) {
        printf("%s", result.trace);
        fflush(stdout);
        FAIL("%s", result.message);
    }
    CHECK(result.complete);
}

static void breaks(setup s, model_memory memory, model_mutant mutant)
{
    for (unsigned preemptions = 0; preemptions <= 3; preemptions++) {
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

TEST_TIMEOUT(one_worker, 100)
{
    must_run_here();
    holds((setup){ .workers = 1, .producers = 1, .pushes = 2 }, MODEL_WEAK, MODEL_UNBOUNDED);
    holds((setup){ .workers = 1, .producers = 1, .pushes = 1, .kick = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 1, .producers = 1, .pushes = 2, .pinned = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 1, .producers = 1, .pushes = 1, .from_task = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    holds((setup){ .workers = 1, .producers = 1, .pushes = 2, .low = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
}

/* A task in the LIFO slot of a worker that is held: the monitor hands it on, or its owner takes it. */
TEST_TIMEOUT(held_worker, 100)
{
    must_run_here();
    holds((setup){ .workers = 2, .from_task = true, .held = true }, MODEL_SC, test_scale(2));
    holds((setup){ .workers = 2, .from_task = true, .held = true }, MODEL_WEAK, 0);
}

/* Two workers: what comes from outside, what a task pushes to the ring. */
TEST_TIMEOUT(two_workers, 300)
{
    must_run_here();
    holds((setup){ .workers = 2, .from_task = true }, MODEL_WEAK, MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1 }, MODEL_WEAK, 0);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1 }, MODEL_SC, 1 + test_scale(3));
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2 }, MODEL_SC, test_scale(2));
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .kick = true }, MODEL_SC,
          test_scale(2));
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .pinned = true }, MODEL_SC,
          test_scale(3));
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .from_task = true }, MODEL_SC,
          test_scale(2));
}

/* The queue of low priority: pushed from outside, and by a task while the others may fall asleep. */
TEST_TIMEOUT(low_priority, 200)
{
    must_run_here();
    holds((setup){ .workers = 2, .from_task = true, .low = true }, MODEL_SC, test_scale(3));
    holds((setup){ .workers = 2, .from_task = true, .low = true }, MODEL_WEAK, 1);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .low = true }, MODEL_SC,
          test_scale(3));
}

/* A thief that leaves a ring to its owner still leaves nothing behind. */
TEST_TIMEOUT(watching, 300)
{
    must_run_here();
    holds((setup){ .workers = 2, .from_task = true, .watch = true }, MODEL_WEAK, MODEL_UNBOUNDED);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2, .watch = true }, MODEL_SC,
          test_scale(2));
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .from_task = true, .watch = true },
          MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_run_here();
    if (getenv("EDO_MODEL_THOROUGH") == NULL)
        SKIP("minutes; set EDO_MODEL_THOROUGH");
    holds((setup){ .workers = 2, .from_task = true, .held = true }, MODEL_SC, 3);
    holds((setup){ .workers = 2, .from_task = true, .held = true }, MODEL_WEAK, 1);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .kick = true }, MODEL_WEAK, 1);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 2 }, MODEL_WEAK, 1);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1, .from_task = true }, MODEL_WEAK, 1);
    holds((setup){ .workers = 2, .producers = 1, .pushes = 1 }, MODEL_WEAK, 3);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

static const setup outside = { .workers = 1, .producers = 1, .pushes = 1 };
static const setup inside = { .workers = 2, .from_task = true };

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    breaks(outside, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_notify"));
    breaks(outside, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_sleep"));
    breaks(inside, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_notify"));
    setup low = { .workers = 2, .from_task = true, .low = true };
    breaks(low, MODEL_TSO, MUTANT(LEFT_OUT, FENCE, "model_idle_notify"));
    breaks(outside, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "model_parker_notify"));
    breaks(inside, MODEL_SC, MUTANT(TORN, SUB, "model_idle_sleep"));
    breaks(inside, MODEL_SC, MUTANT(LEFT_OUT, SUB, "model_idle_search_end"));
    setup held = { .workers = 2, .from_task = true, .held = true };
    breaks(held, MODEL_SC, MUTANT(TORN, XCHG, "model_give_away_next"));
    breaks(held, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "model_give_away_next"));
    breaks(held, MODEL_SC, MUTANT(TORN, XCHG, "schedule_here"));
}

TEST_MAIN()
