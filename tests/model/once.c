/* SPDX-License-Identifier: MIT */
/* Once (sync/once.c): the function runs until it succeeds, by one at a time; who waits is told the end
 * or runs it next; the runner's failure and a cancelled waiter hand it on.
 *
 *     o   runs it or waits     f   the same, and would fail     O   without waiting */
#include "tasks.h"

#define run run_once
#include "sync/once.c"
#undef run

#include "programs.h"

static edo_once once;
static uint32_t running;   /* atomic: is looked at in between */
static uint32_t succeeded; /* atomic: times; what it made is there */

enum { CODE = 7, FAILURE = -5 };

static void share(void)
{
    edo_once_init(&once);
    running = succeeded = 0;
    share_queue(&once.edo__q, "once's queue");
    model_shared(&once.edo__q.state, sizeof once.edo__q.state, true, "state");
    model_shared(&once.edo__runner, sizeof once - offsetof(edo_once, edo__runner), false, "runner");
    model_shared(&running, sizeof running, true, "running");
    model_shared(&succeeded, sizeof succeeded, true, "made");
}

static int make(void *arg)
{
    MODEL_CHECK(edo__axchg(&running, 1u, EDO__SC) == 0);
    MODEL_CHECK(edo__aload(&succeeded, EDO__RLX) == 0);
    if (arg == NULL)
        edo__astore(&succeeded, 1u, EDO__RLX);
    edo__astore(&running, 0u, EDO__REL);
    return arg == NULL ? CODE : FAILURE;
}

static void op(char what, unsigned self)
{
    void *fail = what == 'f' ? &once : NULL;
    int rc = what == 'O' ? edo_once_run_nowait(&once, make, fail) : edo_once_run(&once, make, fail);
    if (was_cancelled(self, rc))
        return;
    MODEL_CHECK(rc == CODE || (rc == FAILURE && what == 'f') || (rc == -EAGAIN && what == 'O'));
    if (rc != CODE)
        return;
    MODEL_CHECK(edo_once_done(&once) && edo__aload(&succeeded, EDO__RLX) == 1);
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &once.edo__q : NULL;
}

static void check(void)
{
    MODEL_CHECK(once.edo__runner == NULL && running == 0);
    MODEL_CHECK(once.edo__q.state == (succeeded != 0 ? DONE : NEW));
}

TEST_TIMEOUT(running_and_waiting, 100)
{
    must_run_here();
    in_each_memory((setup){ .programs = { "o", "o" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "f", "o" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "o", "O" } }, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "o", "f" }, .foreign = true }, MODEL_WEAK, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "f", "f", "o" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "o", "f", "x" } }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "o", "f", "o", "x" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .programs = { "f", "o" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, STORE, "run_or_wait"));
    broken((setup){ .programs = { "o", "o" } }, MODEL_WEAK, MUTANT(RELAXED, STORE, "succeed"));
    broken((setup){ .programs = { "o", "f", "x" } }, MODEL_SC, MUTANT(TORN, CAS, "claim"));
}

TEST_MAIN()
