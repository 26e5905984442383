/* SPDX-License-Identifier: MIT */
/* Watch (sync/watch.c): receivers that wait for changes, senders, a close, a cancel, and the end of the
 * last receiver and reference. Nobody misses that there is something newer, nobody is told twice of
 * the same, the last change is seen before the close, nobody touches the watch when it is gone.
 *
 *     r   receives changes until it is closed (thread 0 also: cancelled), unsubscribes
 *     s   sends one     c   closes     u   gives a reference up     n   waits until nobody receives */
#define MODEL_ALLOC 1
#include "tasks.h"

#define look look_for_newer
#include "sync/watch.c"
#undef look

#include "programs.h"

static union {
    char bytes[256];
    edo_watch watch;
    max_align_t align;
} memory;
static edo_watch_rx rxs[THREADS];
static union value { /* as much room as a copy may want */
    uint32_t n;
    char room[16];
} sent; /* by the only thread that sends */

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
    edo_watch *w;
    memset(&memory, 0, sizeof memory);
    if (edo_watch_create(&w, sizeof(uint32_t), NULL) < 0)
        abort();
    sent.n = 0;
    w->refs = 0;
    for (unsigned i = 0; i < threads(); i++) {
        w->refs += strchr(cfg.programs[i], 'u') != NULL;
        if (*cfg.programs[i] == 'r')
            edo_watch_subscribe(w, &rxs[i]);
    }
    share_queue(&w->waiting, "watch's queue");
    model_shared(&w->lonely.head, 2 * sizeof w->lonely.head, false, "lonely");
    model_shared(&w->version, offsetof(edo_watch, refs) - offsetof(edo_watch, version), false,
                 "state");
    model_shared(&w->refs, sizeof w->refs, true, "refs");
    model_lingering();
    model_shared(&w->holds, sizeof w->holds, true, "holds");
    model_lingering();
    model_shared(w->value, sizeof(uint32_t), false, "value");
    model_shared(rxs, sizeof rxs, false, "receivers");
}

static void receive(unsigned self)
{
    union value value;
    uint32_t last = 0;
    int rc;
    while ((rc = edo_watch_changed(&rxs[self])) == 0) {
        (void)edo_watch_read(&rxs[self], &value);
        MODEL_CHECK(value.n > last);
        last = value.n;
        model_learn(last);
    }
    MODEL_CHECK(rc == -EPIPE || rc == -ECANCELED);
    if (!was_cancelled(self, rc))
        MODEL_CHECK(last == memory.watch.version - 1); /* nothing is sent after a close */
    tally.a[self] = last;
    edo_watch_unsubscribe(&rxs[self]);
}

static void op(char what, unsigned self)
{
    switch (what) {
    case 'r': receive(self); break;
    case 's':
        sent.n++;
        int rc = edo_watch_send(&memory.watch, &sent);
        MODEL_CHECK(rc == 0 || rc == -EPIPE);
        break;
    case 'c': edo_watch_close(&memory.watch); break;
    case 'u': edo_watch_unref(&memory.watch); break;
    default: MODEL_CHECK(edo_watch_wait_no_receivers(&memory.watch) == 0);
    }
}

static const edo__waitq *queue_at(unsigned i)
{
    return tally.b[0] != 0 ? NULL
           : i == 0        ? &memory.watch.waiting
           : i == 1        ? &memory.watch.lonely
                           : NULL;
}

static void check(void)
{
    bool counted = false;
    for (unsigned i = 0; i < threads(); i++)
        counted |= strchr(cfg.programs[i], 'u') != NULL;
    MODEL_CHECK(tally.b[0] == counted);
}

TEST_TIMEOUT(changes, 100)
{
    must_run_here();
    in_each_memory((setup){ .programs = { "r", "sc" } }, MODEL_UNBOUNDED);
    in_each_memory((setup){ .programs = { "r", "ssu" } }, test_scale(3));
    sound((setup){ .programs = { "r", "su" }, .foreign = true }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "r", "r", "su" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    sound((setup){ .programs = { "r", "su", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "r", "r", "u", "x" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .programs = { "r", "su" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(pair, MODEL_SC, MUTANT(TORN, SUB, "let_go"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, SUB, "let_go"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
}

TEST_MAIN()
