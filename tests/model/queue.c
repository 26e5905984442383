/* SPDX-License-Identifier: MIT */
/* The run queue (core/queue.h), with a ring of four: its owner pushes and takes, thieves grab halves. No
 * task is lost or run twice, wrapped around or not. */
#define EDO_MODEL 1
#define EDO__QUEUE_SIZE 4u
#include "model.h"
#include "rename.h"

#include "core/queue.h"

#include "checker.h"
#include "test.h"

enum { TASKS_MAX = 6 };

struct edo__task {
    uint8_t runs;
};

static unsigned n_tasks, n_grabs;
static edo__queue queue;
static struct edo__task tasks[TASKS_MAX];

static void start(void)
{
    memset(&queue, 0, sizeof queue);
    memset(tasks, 0, sizeof tasks);
    queue.head = queue.tail = (uint32_t)-2; /* the counters wrap around as well */
    model_shared(&queue.head, sizeof queue.head, true, "head");
    model_shared(&queue.tail, sizeof queue.tail, true, "tail");
    model_written_by(0);
    model_shared(queue.ring, sizeof queue.ring, true, "slot");
    model_written_by(0);
    model_shared(tasks, sizeof tasks, false, "tasks");
}

static void run(struct edo__task *t)
{
    MODEL_CHECK(t >= tasks && t < tasks + n_tasks);
    if (t >= tasks && t < tasks + n_tasks)
        MODEL_CHECK(++t->runs == 1);
}

static void owner(void)
{
    for (unsigned i = 0; i < n_tasks; i++) {
        if (!edo__queue_push(&queue, &tasks[i]))
            run(&tasks[i]); /* full: the scheduler gives it to the inject queue */
        struct edo__task *t = i % 2 == 1 ? edo__queue_take(&queue) : NULL;
        if (t != NULL)
            run(t);
        model_forget(i);
    }
    struct edo__task *t;
    while ((t = edo__queue_take(&queue)) != NULL) {
        run(t);
        model_forget(n_tasks);
    }
}

static void thread(unsigned index)
{
    if (index == 0) {
        owner();
        return;
    }
    for (unsigned k = 0; k < n_grabs; k++) {
        struct edo__task *loot[EDO__QUEUE_SIZE / 2];
        uint32_t n = edo__queue_grab(&queue, loot, EDO__QUEUE_SIZE / 2);
        MODEL_CHECK(n <= EDO__QUEUE_SIZE / 2);
        for (uint32_t i = 0; i < n && i < EDO__QUEUE_SIZE / 2; i++)
            run(loot[i]);
        model_forget(k);
    }
}

static void end(void)
{
    for (unsigned i = 0; i < n_tasks; i++) {
        if (tasks[i].runs != 1)
            model_fail("task %u has run %u times", i, tasks[i].runs);
    }
    MODEL_CHECK(edo__queue_len(&queue) == 0);
}

static model_result result;

static void check_with(unsigned pushed, unsigned thieves, unsigned grabs, model_memory memory,
                       model_mutant mutant)
{
    static const char *const names[] = { "owner", "thief 1", "thief 2" };
    n_tasks = pushed;
    n_grabs = grabs;
    model_config config = { .threads = 1 + thieves,
                            .names = names,
                            .start = start,
                            .thread = thread,
                            .end = end,
                            .memory = memory,
                            .preemptions = MODEL_UNBOUNDED,
                            .mutant = mutant };
    model_check(&config, &result);
    static const char *const memories[] = { "SC", "TSO", "weak" };
    printf("  %u tasks, %u thieves x %u grabs, %s: %s%llu schedules, %llu states, depth %u\n",
           pushed, thieves, grabs, memories[memory], result.failed ? "FAILS, " : "",
           (unsigned long long)result.runs, (unsigned long long)result.states, result.depth);
    fflush(stdout);
}

static void must_run_here(void)
{
#if EDO__TSAN
    SKIP("one real thread, and a fiber for every schedule of each model thread");
#endif
}

static void holds(unsigned pushed, unsigned thieves, unsigned grabs)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        check_with(pushed, thieves, grabs, m, (model_mutant){ .change = MODEL_AS_IS });
        if (result.failed) {
            printf("%s", result.trace);
            fflush(stdout);
            FAIL("%s", result.message);
        }
        CHECK(result.complete);
    }
}

static void breaks(model_memory memory, model_change change, model_kind kind, const char *where)
{
    must_run_here();
    check_with(6, 1, 2, memory, (model_mutant){ change, kind, where });
    if (!result.failed)
        FAIL("nobody noticed");
    printf("%s", result.trace);
}

TEST_TIMEOUT(one_thief, 60)
{
    holds(6, 1, 2);
}

TEST_TIMEOUT(two_thieves, 200)
{
    holds(4, 2, 1);
}

TEST_TIMEOUT(finds_torn_claims, 60)
{
    breaks(MODEL_SC, MODEL_TORN, MODEL_CAS, "edo__queue_take");
    breaks(MODEL_SC, MODEL_TORN, MODEL_CAS, "edo__queue_grab");
}

TEST_TIMEOUT(finds_left_out_claims, 60)
{
    breaks(MODEL_SC, MODEL_LEFT_OUT, MODEL_CAS, "edo__queue_grab");
}

TEST_TIMEOUT(finds_unordered_push, 60)
{
    breaks(MODEL_WEAK, MODEL_RELAXED, MODEL_STORE, "edo__queue_push");
}

TEST_MAIN()
