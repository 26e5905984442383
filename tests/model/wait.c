/* SPDX-License-Identifier: MIT */
/* The wait word (core/wait.h, wait.c; scope.c for the cancel): a task or a foreign thread waits for
 * values, again and again, while wakers, a cancel, a timer and a dump of stacks are after the same
 * word. Exactly one of them ends each wait, a value is complete when the waiter returns, a cancel
 * ends the wait it finds or stops the next one, and never one of a class that it does not concern. */
#include "tasks.h"

#include "checker.h"
#include "test.h"
#include "verdict.h"

enum { VALUES_MAX = 2 };

typedef struct setup {
    const char *what;
    unsigned wakers; /* threads, each brings a value */
    unsigned dumps;  /* a thread that freezes the task so often */
    bool cancel, timer, foreign;
    bool outer;   /* later waits are of the class that only a cancel from outside ends */
    bool no_pass; /* broken: nobody passes through the lock after an early claim */
} setup;

static setup cfg;
static edo__waitq queue;
static uint64_t values[VALUES_MAX], got[VALUES_MAX]; /* brought and not taken yet; received */
static struct counts {
    uint32_t stored, received, cancelled;
} counts;

static void start(void)
{
    start_tasks(1, cfg.timer ? WITH_TIMER : 0);
    tasks[0].flags = cfg.foreign ? EDO__TF_FOREIGN : 0;
    if (cfg.timer)
        scopes[0].edo__deadline_eff = 1;
    queue = (edo__waitq){ 0 };
    memset(values, 0, sizeof values);
    memset(got, 0, sizeof got);
    counts = (struct counts){ 0 };
    model_shared(&queue.lock, sizeof queue.lock, true, "queue's lock");
    model_shared(&queue.head, 2 * sizeof queue.head, false, "queue");
    model_shared(values, sizeof values, false, "values");
    model_shared(got, sizeof got, false, "got");
    model_shared(&counts, sizeof counts, false, "counts");
}

/* As every primitive does it, with the class of the wait. */
static int wait_in_queue(edo__waiter *w, uint32_t class)
{
    if (!edo__wait_begin_as(w->task, class)) {
        edo__spin_unlock(&queue.lock);
        return -ECANCELED;
    }
    edo__waitq_push(&queue, w);
    edo__spin_unlock(&queue.lock);
    uint32_t *pass = cfg.no_pass ? NULL : &queue.lock;
    uint32_t code = edo__wait_commit(w->task, pass, EDO__WHY_OTHER, &queue);
    if (code == EDO__WAKE_OK)
        return 0;
    MODEL_CHECK(code == EDO__WAKE_CANCEL || code == EDO__WAKE_TIMEOUT);
    edo__spin_lock(&queue.lock);
    edo__waitq_remove(&queue, w);
    edo__spin_unlock(&queue.lock);
    return -ECANCELED;
}

static int receive(uint64_t *value, uint32_t class)
{
    edo__spin_lock(&queue.lock);
    if (counts.stored > 0) {
        *value = values[0];
        values[0] = values[1];
        counts.stored--;
        edo__spin_unlock(&queue.lock);
        return 0;
    }
    edo__waiter w = { .task = edo__self(), .code = EDO__WAKE_OK, .value = value };
    int rc = wait_in_queue(&w, class);
    MODEL_CHECK(wheel_timer == NULL);
    return rc;
}

static void waiter(void)
{
    uint32_t class = EDO__CANCEL_ANY;
    uint32_t wanted = cfg.wakers > 0 ? cfg.wakers : 1;
    while (counts.received < wanted) {
        uint64_t *value = &got[counts.received];
        int rc = receive(value, class);
        if (rc < 0) {
            MODEL_CHECK(class == EDO__CANCEL_ANY && *value == 0);
            class = cfg.outer ? EDO__CANCEL_OUTER : EDO__CANCEL_NEVER;
            counts.cancelled++;
            if (cfg.wakers == 0)
                return;
        } else {
            MODEL_CHECK(*value != 0);
            counts.received++;
        }
        model_learn((uint64_t)rc);
    }
}

static void waker(uint64_t value)
{
    edo__waiter *w;
    edo__spin_lock(&queue.lock);
    while ((w = edo__waitq_pop(&queue)) != NULL) {
        edo__task *t = w->task;
        uint32_t was = edo__claim(t, w->code);
        if (was == EDO__WORD_IDLE)
            continue;
        edo__copy(w->value, &value, sizeof value);
        edo__spin_unlock(&queue.lock);
        edo__claimed(t, was);
        return;
    }
    values[counts.stored++] = value;
    edo__spin_unlock(&queue.lock);
}

static void dump(void)
{
    for (unsigned i = 0; i < cfg.dumps; i++) {
        if (!edo__wait_freeze(&tasks[0]))
            continue;
        MODEL_CHECK(run_state[0].left == 1 && run_state[0].due == 0);
        model_point();
        MODEL_CHECK(run_state[0].left == 1 && run_state[0].due == 0);
        edo__wait_thaw(&tasks[0]);
    }
}

static void thread(unsigned index)
{
    if (index == 0)
        waiter();
    else if (index <= cfg.wakers)
        waker(index);
    else if (cfg.cancel && index == cfg.wakers + 1)
        edo_scope_cancel(&scopes[0]);
    else if (cfg.timer && index == cfg.wakers + cfg.cancel + 1)
        for (;;) {
            model_take(&timer_set);
            timer_expires();
        }
    else
        dump();
}

static void end(void)
{
    MODEL_CHECK(counts.received == cfg.wakers);
    if (counts.received != cfg.wakers)
        return;
    MODEL_CHECK(counts.cancelled <= 1);
    MODEL_CHECK(cfg.wakers > 0 || counts.cancelled == 1);
    MODEL_CHECK(queue.head == NULL && queue.lock == 0 && counts.stored == 0);
    uint64_t sum = 0;
    for (unsigned i = 0; i < counts.received; i++)
        sum += got[i];
    MODEL_CHECK(sum == cfg.wakers * (cfg.wakers + 1) / 2);
}

static uint64_t look(void)
{
    return look_at_queue(0, &queue);
}

#include "searches.h"

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    static const char *names[6];
    unsigned n = 0;
    cfg = s;
    names[n++] = "waiter";
    for (unsigned i = 0; i < s.wakers; i++)
        names[n++] = i == 0 ? "waker 1" : "waker 2";
    if (s.cancel)
        names[n++] = "canceller";
    if (s.timer)
        names[n++] = "timer";
    if (s.dumps > 0)
        names[n++] = "dump";
    return config_for(n, names, memory, preemptions);
}

static const char *title(void)
{
    return cfg.what;
}

static const setup wake = { .what = "wake", .wakers = 1 };
static const setup wake_cancel = { .what = "wake, cancel", .wakers = 1, .cancel = true };
static const setup wake_timer = { .what = "wake, timer", .wakers = 1, .timer = true };
static const setup cancel = { .what = "cancel", .cancel = true };
static const setup timer = { .what = "timer", .timer = true };
static const setup wake_dump = { .what = "wake, dump", .wakers = 1, .dumps = 2 };
static const setup two_wake = { .what = "2 wakes", .wakers = 2 };

TEST_TIMEOUT(each_pair, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound(wake, m, MODEL_UNBOUNDED);
        sound(wake_cancel, m, MODEL_UNBOUNDED);
        sound(wake_timer, m, MODEL_UNBOUNDED);
        sound(cancel, m, MODEL_UNBOUNDED);
        sound(timer, m, MODEL_UNBOUNDED);
        sound(wake_dump, m, MODEL_UNBOUNDED);
        sound(two_wake, m, MODEL_UNBOUNDED);
    }
}

TEST_TIMEOUT(all_at_once, 200)
{
    must_run_here();
    sound((setup){ .what = "wake, cancel, dump", .wakers = 1, .cancel = true, .dumps = 1 },
          MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .what = "wake, cancel, timer", .wakers = 1, .cancel = true, .timer = true },
          MODEL_SC, test_scale(3));
    sound((setup){ .what = "2 wakes, cancel (outer)", .wakers = 2, .cancel = true, .outer = true },
          MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .what = "2 wakes, cancel, timer, dump",
                   .wakers = 2,
                   .cancel = true,
                   .timer = true,
                   .dumps = 1 },
          MODEL_SC, 1);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .what = "2 wakes, cancel, timer, dump",
                   .wakers = 2,
                   .cancel = true,
                   .timer = true,
                   .dumps = 1 },
          MODEL_SC, 2);
    sound((setup){ .what = "wake, cancel, timer", .wakers = 1, .cancel = true, .timer = true },
          MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .what = "2 wakes, cancel, dump", .wakers = 2, .cancel = true, .dumps = 1 },
          MODEL_WEAK, 3);
}

TEST_TIMEOUT(foreign_thread, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound(
            (setup){
                .what = "foreign: wake, cancel", .wakers = 1, .cancel = true, .foreign = true },
            m, MODEL_UNBOUNDED);
        sound((setup){ .what = "foreign: 2 wakes", .wakers = 2, .foreign = true }, m,
              MODEL_UNBOUNDED);
    }
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup s = wake;
    s.what = "wake, no pass through the lock";
    s.no_pass = true;
    broken(s, MODEL_SC, as_is);
    broken(wake_cancel, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(wake, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_parked"));
    broken(wake, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken(wake_dump, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_freeze"));
    broken(wake_dump, MODEL_SC, MUTANT(LEFT_OUT, STORE, "edo__wait_thaw"));
    broken(wake_cancel, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(cancel, MODEL_TSO, MUTANT(TORN, XCHG, "edo__wait_begin_as"));
    broken(cancel, MODEL_TSO, MUTANT(TORN, OR, "mark_chain"));
    broken(cancel, MODEL_SC, MUTANT(LEFT_OUT, OR, "mark_chain"));
}

TEST_MAIN()
