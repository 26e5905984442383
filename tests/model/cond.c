/* SPDX-License-Identifier: MIT */
/* The condition variable (sync/cond.c, mutex.c): who is signalled goes on in the mutex's queue, parked
 * as it is (edo__mutex_adopt()), against unlocks, others that lock, and a cancel at every moment. No
 * signal is lost, none counts twice, everybody comes back with the mutex.
 *
 *     w   locks, waits until there is a coin and takes it, unlocks
 *     s   locks, makes a coin, signals, unlocks      S   signals after the unlock
 *     b   locks, makes two coins, broadcasts, unlocks
 *     l   locks, unlocks */
#include "tasks.h"

#include "sync/mutex.c"

#define wake wake_cond
#define cancelled cancelled_cond
#include "sync/cond.c"
#undef wake
#undef cancelled

#include "programs.h"

static edo_mutex mutex;
static edo_cond cond;
static uint32_t inside;      /* atomic: is looked at in between */
static uint32_t coins, made; /* under the mutex */

static void share(void)
{
    mutex = (edo_mutex)EDO_MUTEX_INIT;
    edo_cond_init(&cond);
    inside = coins = made = 0;
    model_shared(&mutex.edo__word, sizeof mutex.edo__word, true, "mutex");
    model_lingering();
    share_queue(&mutex.edo__q, "mutex's queue");
    model_shared(&mutex.edo__holder, sizeof mutex.edo__holder, true, "holder");
    share_queue(&cond.edo__q, "condition's queue");
    model_shared(&cond.edo__mutex, sizeof cond.edo__mutex, false, "condition's mutex");
    model_shared(&inside, sizeof inside, true, "inside");
    model_shared(&coins, sizeof coins, false, "coins");
    model_shared(&made, sizeof made, false, "made");
}

static void enter(void)
{
    MODEL_CHECK(edo__axchg(&inside, 1u, EDO__SC) == 0);
    model_learn_all(); /* what the mutex protects */
}

static void leave(void)
{
    edo__astore(&inside, 0u, EDO__SC);
}

static void wait_for_coin(unsigned self)
{
    int rc = edo_mutex_lock(&mutex);
    if (was_cancelled(self, rc))
        return;
    enter();
    while (coins == 0 && rc == 0) {
        leave();
        rc = edo_cond_wait(&cond, &mutex);
        enter();
    }
    if (!was_cancelled(self, rc)) {
        coins--;
        tally.a[self]++;
    }
    leave();
    edo_mutex_unlock(&mutex);
}

static void make_coins(unsigned n, bool late)
{
    MODEL_CHECK(edo_mutex_lock(&mutex) == 0);
    enter();
    coins += n;
    made += n;
    leave();
    if (!late && n == 1)
        edo_cond_signal(&cond);
    else if (!late)
        edo_cond_broadcast(&cond);
    edo_mutex_unlock(&mutex);
    if (late)
        edo_cond_signal(&cond);
}

static void op(char what, unsigned self)
{
    switch (what) {
    case 'w': wait_for_coin(self); break;
    case 's': make_coins(1, false); break;
    case 'S': make_coins(1, true); break;
    case 'b': make_coins(2, false); break;
    default:
        if (was_cancelled(self, edo_mutex_lock(&mutex)))
            return;
        enter();
        leave();
        edo_mutex_unlock(&mutex);
    }
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &cond.edo__q : i == 1 ? &mutex.edo__q : NULL;
}

static void check(void)
{
    uint32_t taken = 0;
    for (unsigned i = 0; i < threads(); i++)
        taken += tally.a[i];
    MODEL_CHECK(taken + coins == made);
    MODEL_CHECK(mutex.edo__word == 0 && inside == 0);
}

TEST_TIMEOUT(signalling, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .programs = { "w", "s" } }, m, test_scale(2));
        sound((setup){ .programs = { "w", "S" } }, m, m == MODEL_SC ? MODEL_UNBOUNDED : 2);
    }
    sound((setup){ .programs = { "w", "s" }, .foreign = true }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "w", "s", "l" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "w", "w", "ss" } }, MODEL_SC, 1);
    sound((setup){ .programs = { "w", "w", "b" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    sound((setup){ .programs = { "w", "s", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "w", "S", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "w", "w", "ss", "x" } }, MODEL_SC, test_scale(1));
    sound((setup){ .programs = { "w", "w", "b", "x" } }, MODEL_SC, test_scale(1));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .programs = { "w", "s" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "w", "w", "ss" } }, MODEL_SC, 2);
    sound((setup){ .programs = { "w", "s", "x" } }, MODEL_SC, 3);
    sound((setup){ .programs = { "w", "s", "x" } }, MODEL_WEAK, 1);
    sound((setup){ .programs = { "w", "w", "b", "x" } }, MODEL_SC, 2);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .programs = { "w", "s" } };
    setup cancel = { .programs = { "w", "s", "x" } };
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, SUB, "release"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "contend"));
    broken(cancel, MODEL_SC, MUTANT(TORN, CAS, "claim"));
}

TEST_MAIN()
