/* SPDX-License-Identifier: MIT */
/* Broadcast (sync/broadcast.c): every receiver gets every value in order, or is told how many it has
 * missed; the last value comes before the close; a cancelled receiver has taken nothing; nobody
 * touches the broadcast when it is gone.
 *
 *     r   receives until it is closed (thread 0 also: cancelled), unsubscribes
 *     s   sends one     c   closes     u   gives a reference up */
#define MODEL_ALLOC 1
#include "tasks.h"

#define take take_from_ring
#include "sync/broadcast.c"
#undef take

#include "programs.h"

static union {
    char bytes[256];
    edo_broadcast broadcast;
    max_align_t align;
} memory;
static edo_broadcast_rx rxs[THREADS];

union value { /* as much room as a copy may want */
    uint32_t n;
    char room[16];
};

static void *model_alloc(size_t size)
{
    MODEL_CHECK(size <= sizeof memory);
    return memory.bytes;
}

static void model_free(void *p)
{
    MODEL_CHECK(p == memory.bytes && ++tally.b[0] == 1);
    model_dead(p, sizeof memory);
}

static void share(void)
{
    edo_broadcast *b;
    memset(&memory, 0, sizeof memory);
    if (edo_broadcast_create(&b, sizeof(uint32_t), cfg.n) < 0)
        abort();
    b->refs = 0;
    for (unsigned i = 0; i < threads(); i++) {
        b->refs += strchr(cfg.programs[i], 'u') != NULL;
        if (*cfg.programs[i] == 'r')
            edo_broadcast_subscribe(b, &rxs[i]);
    }
    share_queue(&b->waiting, "broadcast's queue");
    model_shared(&b->closed, offsetof(edo_broadcast, refs) - offsetof(edo_broadcast, closed), false,
                 "state");
    model_shared(&b->refs, sizeof b->refs, true, "refs");
    model_lingering();
    model_shared(&b->holds, sizeof b->holds, true, "holds");
    model_lingering();
    model_shared(b->ring, cfg.n * sizeof(uint32_t), false, "ring");
    model_shared(rxs, sizeof rxs, false, "receivers");
}

/* Values are numbered from 1 by their only sender. */
static void receive(unsigned self)
{
    union value value;
    uint32_t last = 0;
    int rc;
    while ((rc = edo_broadcast_recv(&rxs[self], &value)) == 0 || rc == -EOVERFLOW) {
        if (rc == 0)
            MODEL_CHECK(value.n == last + 1);
        last = rc == 0 ? value.n : last + (uint32_t)edo_broadcast_lagged(&rxs[self]);
        model_learn(last);
    }
    MODEL_CHECK(rc == -EPIPE || rc == -ECANCELED);
    if (!was_cancelled(self, rc))
        MODEL_CHECK(last == memory.broadcast.sent);
    MODEL_CHECK(last == rxs[self].edo__next);
    edo_broadcast_unsubscribe(&rxs[self]);
}

static void op(char what, unsigned self)
{
    union value value = { .n = tally.a[self] + 1 };
    switch (what) {
    case 'r': receive(self); break;
    case 's': {
        int rc = edo_broadcast_send(&memory.broadcast, &value);
        MODEL_CHECK(rc >= 0 && rc <= (int)threads());
        tally.a[self]++;
        break;
    }
    case 'c': edo_broadcast_close(&memory.broadcast); break;
    default: edo_broadcast_unref(&memory.broadcast);
    }
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 && tally.b[0] == 0 ? &memory.broadcast.waiting : NULL;
}

static void check(void)
{
    bool counted = false;
    for (unsigned i = 0; i < threads(); i++)
        counted |= strchr(cfg.programs[i], 'u') != NULL;
    MODEL_CHECK(tally.b[0] == counted);
}

TEST_TIMEOUT(values_and_lag, 100)
{
    must_run_here();
    in_each_memory((setup){ .n = 2, .programs = { "r", "sc" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .n = 1, .programs = { "r", "ssu" } }, test_scale(2));
    sound((setup){ .n = 1, .programs = { "r", "sssc" } }, MODEL_SC, test_scale(3));
    sound((setup){ .n = 2, .programs = { "r", "su" }, .foreign = true }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .n = 1, .programs = { "r", "r", "ssu" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    sound((setup){ .n = 1, .programs = { "r", "ssu", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .n = 1, .programs = { "r", "r", "u", "x" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .n = 1, .programs = { "r", "ssu" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(pair, MODEL_SC, MUTANT(TORN, SUB, "let_go"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, SUB, "let_go"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
}

TEST_MAIN()
