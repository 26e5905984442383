/* SPDX-License-Identifier: MIT */
/* The semaphore (sync/sem.c): requests of different size in one line, first come, first served; who is
 * cancelled in line, or leaves because it is closed, keeps nobody waiting.
 *
 *     1 2   acquires so many, is inside, releases them      A B   the same without waiting
 *     +     releases one more     c   closes */
#include "tasks.h"

#include "sync/sem.c"

#include "programs.h"

static edo_sem sem;
static uint32_t inside; /* atomic: permits in use */
static uint32_t added;

static void share(void)
{
    edo_sem_init(&sem, cfg.n);
    inside = added = 0;
    share_queue(&sem.edo__q, "semaphore's queue");
    model_shared(&sem.edo__q.state, sizeof sem.edo__q.state, false, "closed");
    model_shared(&sem.edo__permits, sizeof sem.edo__permits, false, "permits");
    model_shared(&inside, sizeof inside, true, "inside");
    model_shared(&added, sizeof added, true, "added");
}

static void use(uint32_t n, int rc, unsigned self)
{
    if (was_cancelled(self, rc))
        return;
    tally.b[self] += rc == -EPIPE;
    if (rc < 0) {
        MODEL_CHECK(rc == -EPIPE || rc == -EAGAIN);
        return;
    }
    tally.a[self]++;
    tally.turn[self] = ++tally.clock;
    uint32_t before = edo__aadd(&inside, n, EDO__SC);
    MODEL_CHECK(before + n <= cfg.n + edo__aload(&added, EDO__SC));
    edo__asub(&inside, n, EDO__SC);
    edo_sem_release(&sem, n);
}

static void op(char what, unsigned self)
{
    switch (what) {
    case '1':
    case '2':
        use((uint32_t)(what - '0'), edo_sem_acquire(&sem, (uint64_t)(what - '0')), self);
        break;
    case 'A': use(1, edo_sem_acquire_nowait(&sem, 1), self); break;
    case 'B': use(2, edo_sem_acquire_nowait(&sem, 2), self); break;
    case '+':
        edo__aadd(&added, 1u, EDO__SC);
        edo_sem_release(&sem, 1);
        break;
    default: edo_sem_close(&sem);
    }
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &sem.edo__q : NULL;
}

static void check(void)
{
    MODEL_CHECK(inside == 0 && sem.edo__permits == cfg.n + added);
    bool closed = sem.edo__q.state == CLOSED;
    for (unsigned a = 0; a < threads(); a++) {
        MODEL_CHECK(tally.b[a] == 0 || closed);
        for (unsigned b = 0; b < threads(); b++) {
            if (tally.queued[a] != 0 && tally.turn[a] != 0 && tally.queued[b] > tally.queued[a] &&
                tally.turn[b] != 0 && cfg.programs[a][1] == '\0' && cfg.n == 1)
                MODEL_CHECK(tally.turn[a] < tally.turn[b]);
        }
    }
}

TEST_TIMEOUT(amounts, 100)
{
    must_run_here();
    in_each_memory((setup){ .n = 2, .programs = { "2", "1" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .n = 1, .programs = { "2", "+" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .n = 1, .programs = { "1", "A" } }, MODEL_UNBOUNDED);
    sound((setup){ .n = 1, .programs = { "1", "1" }, .foreign = true }, MODEL_WEAK,
          MODEL_UNBOUNDED);
    sound((setup){ .n = 1, .programs = { "1", "1", "1" } }, MODEL_SC, test_scale(3));
    sound((setup){ .n = 2, .programs = { "2", "1", "2" } }, MODEL_SC, test_scale(3));
    sound((setup){ .n = 2, .programs = { "2", "1", "B" } }, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(cancelling_and_closing, 100)
{
    must_run_here();
    sound((setup){ .n = 1, .programs = { "2", "1", "x" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .n = 2, .programs = { "2", "2", "1", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .n = 1, .programs = { "2", "1", "c" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .n = 1, .programs = { "1", "2", "+c" } }, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .n = 2, .programs = { "2", "1", "2" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .n = 2, .programs = { "2", "2", "1", "x" } }, MODEL_SC, 3);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup pair = { .n = 1, .programs = { "1", "1" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken((setup){ .n = 1, .programs = { "2", "1", "x" } }, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    push_in_front = true;
    broken((setup){ .n = 1, .programs = { "1", "1", "1" } }, MODEL_SC, as_is);
}

TEST_MAIN()
