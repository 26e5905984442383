/* SPDX-License-Identifier: MIT */
/* The worker as it is, contexts and all (core/worker.c, sched.c, wait.c, park.c, inject.c, queue.h):
 * the LIFO slot, tasks that pass the worker straight on to the next one, and what is published on the
 * other side of such a switch. No task is lost or run twice, none is entered before it was left, none
 * is passed by for ever. scheduler.h says how to read the programs. */
#include "scheduler.h"

#include "checker.h"
#include "test.h"
#include "verdict.h"

void edo__monitor_kick(edo_runtime *r)
{
    (void)r;
}

static model_config config_of(setup s, model_memory mem, unsigned preemptions)
{
    static const char *names[WORKERS_MAX + OUTSIDE_MAX + 1];
    static const char *const worker_names[] = { "worker 0", "worker 1", "worker 2", "worker 3" };
    unsigned n = 0;
    cfg = s;
    for (unsigned i = 0; i < s.workers; i++)
        names[n++] = worker_names[i];
    for (unsigned i = 0; i < count(s.outside, OUTSIDE_MAX); i++)
        names[n++] = "outside";
    if (s.kernel)
        names[n++] = "kernel";
    return (model_config){ .threads = n,
                           .names = names,
                           .start = start,
                           .thread = follow_thread,
                           .enter = enter,
                           .invariant = check_counts,
                           .look = look_at_scheduler,
                           .end = check_end,
                           .memory = mem,
                           .preemptions = preemptions };
}

static const char *title(void)
{
    static char text[160];
    size_t n = (size_t)snprintf(text, sizeof text, "%u workers;", cfg.workers);
    for (unsigned i = 0; i < tasks_in_all(); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s",
                              cfg.tasks[i][0] != '\0' ? cfg.tasks[i] : "-");
    for (unsigned i = 0; i < count(cfg.outside, OUTSIDE_MAX); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "; outside %s", cfg.outside[i]);
    snprintf(text + n, sizeof text - n, "%s%s", cfg.early ? "; published before it has left" : "",
             cfg.unfair ? "; always the slot" : "");
    return text;
}

static void sound(setup s, model_memory mem, unsigned preemptions)
{
    model_config config = config_of(s, mem, preemptions);
    holds(title(), &config);
}

static void broken(setup s, model_memory mem, model_mutant mutant)
{
    model_config config = config_of(s, mem, 0);
    config.mutant = mutant;
    breaks(title(), &config);
}

/* What a switch straight from task to task leaves out depends on what waits: nothing, the slot, the
 * ring, a task that never ran. */
TEST_TIMEOUT(one_worker, 100)
{
    must_switch_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .workers = 1, .tasks = { "w0", "s0" }, .outside = { "n0n1" } }, m,
              m == MODEL_SC ? MODEL_UNBOUNDED : test_scale(2));
        sound((setup){ .workers = 1, .tasks = { "n1w0s1w0", "s0w1s0" }, .outside = { "n0" } }, m,
              MODEL_UNBOUNDED);
    }
    sound((setup){ .workers = 1, .tasks = { "n1yn2yw0", "yy", "ys0" }, .outside = { "n0" } },
          MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .workers = 1, .tasks = { "n1pyw0q", "pys0" }, .outside = { "n0" } }, MODEL_SC,
          MODEL_UNBOUNDED);
}

/* Two that wake each other through the slot, one in the ring, one that comes from outside. */
static const setup pair_and_others = { .workers = 1,
                                       .tasks = { "n1n2w0s1w0s1w0s1w0s1w0", "s0w1s0w1s0w1s0w1s0",
                                                  "y", "" },
                                       .outside = { "n0n3" },
                                       .inject_turn = 5 };

TEST_TIMEOUT(everybody_gets_a_turn, 100)
{
    must_switch_here();
    sound(pair_and_others, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(two_workers, 300)
{
    must_switch_here();
    sound((setup){ .workers = 2, .tasks = { "n1w0", "s0" }, .outside = { "n0" } }, MODEL_SC,
          test_scale(2));
    sound((setup){ .workers = 2, .tasks = { "n1n2w0w0", "s0", "s0" }, .outside = { "n0" } },
          MODEL_SC, test_scale(1));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_switch_here();
    must_be_thorough();
    sound((setup){ .workers = 2, .tasks = { "n1w0", "s0" }, .outside = { "n0" } }, MODEL_WEAK, 0);
    sound((setup){ .workers = 2, .tasks = { "n1n2w0w0", "s0", "s0" }, .outside = { "n0" } },
          MODEL_SC, 2);
    sound(pair_and_others, MODEL_SC, MODEL_UNBOUNDED);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_switch_here();
    setup one = { .workers = 1, .tasks = { "w0", "s0" }, .outside = { "n0n1" } };
    setup two = { .workers = 2, .tasks = { "n1n2w0w0", "s0", "s0" }, .outside = { "n0" } };
    setup early = two;
    early.early = true;
    broken(early, MODEL_SC, as_is);
    broken(two, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(two, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken(two, MODEL_SC, MUTANT(TORN, CAS, "edo__queue_take"));
    broken(two, MODEL_SC, MUTANT(TORN, CAS, "edo__queue_grab"));
    broken(one, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "take_lifo"));
    setup unfair = pair_and_others;
    unfair.unfair = true;
    broken(unfair, MODEL_SC, as_is);
}

TEST_MAIN()
