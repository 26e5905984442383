/* SPDX-License-Identifier: MIT */
/* The read-write lock (sync/rwlock.c): one writer or some readers inside, in the order in which they
 * came; a writer that goes on as reader; who is cancelled in line keeps nobody waiting.
 *
 *     r w   locks, is inside, unlocks   R W   the same without waiting
 *     d     locks as writer, goes on as reader, unlocks */
#include "tasks.h"

#include "sync/rwlock.c"

#include "programs.h"

static edo_rwlock rw;
static uint32_t readers, writers; /* atomic: inside; looked at in between */

static void share(void)
{
    edo_rwlock_init(&rw);
    readers = writers = 0;
    share_queue(&rw.edo__q, "lock");
    model_shared(&rw.edo__q.state, sizeof rw.edo__q.state, false, "readers of it");
    model_shared(&rw.edo__writer, sizeof rw - offsetof(edo_rwlock, edo__writer), false, "writer");
    model_shared(&readers, sizeof readers, true, "readers");
    model_shared(&writers, sizeof writers, true, "writers");
}

static void read_inside(void)
{
    edo__aadd(&readers, 1u, EDO__SC);
    MODEL_CHECK(edo__aload(&writers, EDO__SC) == 0);
    edo__asub(&readers, 1u, EDO__SC);
}

static void write_inside(void)
{
    MODEL_CHECK(edo__axchg(&writers, 1u, EDO__SC) == 0);
    MODEL_CHECK(edo__aload(&readers, EDO__SC) == 0);
    edo__astore(&writers, 0u, EDO__SC);
}

static int lock_as(char what)
{
    switch (what) {
    case 'r': return edo_rwlock_rdlock(&rw);
    case 'R': return edo_rwlock_rdlock_nowait(&rw);
    case 'W': return edo_rwlock_wrlock_nowait(&rw);
    default: return edo_rwlock_wrlock(&rw);
    }
}

static void op(char what, unsigned self)
{
    int rc = lock_as(what);
    if (was_cancelled(self, rc) || rc == -EAGAIN) {
        MODEL_CHECK(rc == -ECANCELED || what == 'R' || what == 'W');
        return;
    }
    MODEL_CHECK(rc == 0);
    tally.turn[self] = ++tally.clock;
    if (what == 'r' || what == 'R')
        read_inside();
    else
        write_inside();
    if (what == 'd') {
        edo_rwlock_downgrade(&rw);
        read_inside();
    }
    edo_rwlock_unlock(&rw);
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &rw.edo__q : NULL;
}

/* Of two that queued and got in, the first one did so first, unless both read. */
static void check(void)
{
    MODEL_CHECK(rw.edo__writer == NULL && rw.edo__q.state == 0 && rw.edo__readers == 0);
    for (unsigned a = 0; a < threads(); a++) {
        for (unsigned b = 0; b < threads(); b++) {
            bool both_read = *cfg.programs[a] == 'r' && *cfg.programs[b] == 'r';
            if (tally.queued[a] != 0 && tally.turn[a] != 0 && tally.queued[b] > tally.queued[a] &&
                tally.turn[b] != 0 && !both_read)
                MODEL_CHECK(tally.turn[a] < tally.turn[b]);
        }
    }
}

TEST_TIMEOUT(readers_and_writers, 100)
{
    must_run_here();
    in_each_memory((setup){ .programs = { "r", "w" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "w", "w" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "d", "r" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "W", "R" } }, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "r", "w" }, .foreign = true }, MODEL_WEAK, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "r", "w", "r" } }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "d", "r", "w" } }, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    sound((setup){ .programs = { "w", "r", "x" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "w", "r", "r", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "r", "d", "w", "x" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .programs = { "r", "w", "r" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "w", "r", "r", "x" } }, MODEL_SC, 3);
    sound((setup){ .programs = { "d", "r", "w" } }, MODEL_WEAK, 2);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup three = { .programs = { "w", "r", "x" } };
    broken((setup){ .programs = { "r", "w" } }, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken((setup){ .programs = { "r", "w" } }, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(three, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(three, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    push_in_front = true;
    broken((setup){ .programs = { "w", "w", "w" } }, MODEL_SC, as_is);
}

TEST_MAIN()
