/* SPDX-License-Identifier: MIT */
/* The barrier (sync/barrier.c): as many as it wants go on together, one of them as leader; who is
 * cancelled leaves before they are complete or goes on with them, never half of it.
 *
 *     b   waits there     B   without waiting */
#include "tasks.h"

#include "sync/barrier.c"

#include "programs.h"

static edo_barrier barrier;
static uint32_t come; /* atomic: waiting there or through */

static void share(void)
{
    edo_barrier_init(&barrier, cfg.n);
    come = 0;
    share_queue(&barrier.edo__q, "barrier's queue");
    model_shared(&barrier.edo__q.state, sizeof barrier.edo__q.state, false, "there");
    model_shared(&come, sizeof come, true, "come");
}

static void op(char what, unsigned self)
{
    edo__aadd(&come, 1u, EDO__SC);
    int rc = what == 'b' ? edo_barrier_wait(&barrier) : edo_barrier_wait_nowait(&barrier);
    if (was_cancelled(self, rc) || rc == -EAGAIN)
        return;
    MODEL_CHECK(rc == 0 || rc == 1);
    MODEL_CHECK(edo__aload(&come, EDO__SC) >= cfg.n);
    tally.a[self]++;
    tally.b[self] += (uint32_t)rc;
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &barrier.edo__q : NULL;
}

static void check(void)
{
    uint32_t through = 0, leaders = 0;
    for (unsigned i = 0; i < threads(); i++) {
        through += tally.a[i];
        leaders += tally.b[i];
    }
    MODEL_CHECK(through == leaders * cfg.n && barrier.edo__q.state == 0);
    MODEL_CHECK(leaders > 0 || tally.cancels > 0);
}

TEST_TIMEOUT(together, 100)
{
    must_run_here();
    in_each_memory((setup){ .n = 2, .programs = { "b", "b" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .n = 2, .programs = { "bb", "bb" } }, test_scale(2));
    sound((setup){ .n = 2, .programs = { "b", "b" }, .foreign = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    sound((setup){ .n = 3, .programs = { "b", "b", "b" } }, MODEL_SC, test_scale(3));
    sound((setup){ .n = 2, .programs = { "b", "b", "b", "b" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    sound((setup){ .n = 2, .programs = { "b", "B", "x" } }, MODEL_SC, MODEL_UNBOUNDED);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    in_each_memory((setup){ .n = 2, .programs = { "bb", "bb" } }, MODEL_UNBOUNDED);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .n = 2, .programs = { "b", "b" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken((setup){ .n = 2, .programs = { "b", "B", "x" } }, MODEL_SC, MUTANT(TORN, CAS, "claim"));
}

TEST_MAIN()
