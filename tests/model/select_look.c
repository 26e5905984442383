/* SPDX-License-Identifier: MIT */
/* Selects that are called to look again (sync/select.c, line.h, delayqueue.c, with sem.c for the other
 * line): false alarms while something else is handed over, while others stand in both lines, while a
 * cancel comes. A select stands in each line once, whatever it was called for, and is served in the
 * order of coming; no call and no claim is lost.
 *
 *     w   waits for a permit or an entry     W   the same in the other order
 *     p   waits for a permit                 d   waits for an entry
 *     +   releases a permit                  i   inserts an entry that is due
 *     F   inserts one that is not due        f   ... and takes it out again
 *     t   the timer of thread 0 fires, too early or too late
 *
 * Who got a permit gives it back, so that they are served one after the other. */
#define MODEL_ALLOC 1
#define PROGRAMS_WITH WITH_TIMER
#include "tasks.h"

#define look look_at_entries
#include "sync/delayqueue.c"
#undef look
#undef FIRST
#undef NONE
#define OPEN SEM_OPEN
#define CLOSED SEM_CLOSED
#include "sync/sem.c"
#undef OPEN
#undef CLOSED
#include "cases.h"

#include "programs.h"

enum { FAR = 1000, ENTRIES = 4 };

static edo_sem sem;
static edo_delayqueue entries;
static _Alignas(64) char memory[4096];
static struct {
    uint32_t released, inserted, got; /* got: entries, by somebody */
    uint32_t lined[THREADS][2];       /* times it came to the line for permits, for entries */
    uint32_t clock, came[THREADS], served[THREADS]; /* to the first; with a permit */
} seen;

static void *model_alloc(size_t size)
{
    MODEL_CHECK(size <= sizeof memory);
    return memory;
}

static void model_free(void *p)
{
    MODEL_CHECK(p == NULL);
}

static void note_line(const edo__waitq *q, const edo__waiter *w)
{
    size_t self = (size_t)(w->task - tasks);
    seen.lined[self][q == &entries.edo__q]++;
    if (q == &sem.edo__q)
        seen.came[self] = ++seen.clock;
}

/* Of the entries' room the first few: no program needs more. */
static void share_entries(void)
{
    edo_delayqueue_init(&entries);
    memset(memory, 0, sizeof memory);
    entries.edo__segment[entries.edo__segments++] = segment_alloc(0);
    share_queue(&entries.edo__q, "entries' queue");
    model_shared(&entries.edo__len,
                 offsetof(edo_delayqueue, edo__segments) - offsetof(edo_delayqueue, edo__len),
                 false, "entries");
    model_shared(place_at(&entries, 0), ENTRIES * sizeof(place), false, "places");
    model_shared(slot_at(&entries, 0), ENTRIES * sizeof(slot), false, "slots");
}

static void share(void)
{
    edo_sem_init(&sem, 0);
    share_queue(&sem.edo__q, "semaphore's queue");
    model_shared(&sem.edo__permits, sizeof sem.edo__permits, false, "permits");
    share_entries();
    memset(&seen, 0, sizeof seen);
    model_note(&seen, sizeof seen);
    when_queued = note_line;
}

static void got_permit(unsigned self)
{
    seen.served[self] = ++seen.clock;
    edo_sem_release(&sem, 1);
}

static void got_entry(const edo_delay *d)
{
    MODEL_CHECK(d->at == 0);
    seen.got++;
}

static void wait_for_either(unsigned self, bool turned)
{
    edo_delay d = { .at = FAR };
    edo_case permit = EDO_ACQUIRE(&sem, 1), entry = EDO_DELAYQUEUE_NEXT(&entries, &d);
    edo_case cases[2] = { turned ? entry : permit, turned ? permit : entry };
    int which = edo_select_biased(cases, 2);
    if (was_cancelled(self, which)) {
        MODEL_CHECK(d.at == FAR);
        return;
    }
    MODEL_CHECK(which >= 0 && cases[which].result == 0);
    if (cases[which].kind == EDO_CASE_SEM)
        got_permit(self);
    else
        got_entry(&d);
    MODEL_CHECK(cases[which].kind != EDO_CASE_SEM || d.at == FAR);
}

static void wait_for_entry(unsigned self)
{
    edo_delay d;
    int rc = edo_delayqueue_next(&entries, &d);
    if (!was_cancelled(self, rc))
        got_entry(&d);
}

static void insert(int64_t at, bool stays)
{
    edo_delay_key key;
    MODEL_CHECK(edo_delayqueue_insert_at(&entries, at, NULL, &key) == 0);
    if (stays)
        seen.inserted++;
    else
        MODEL_CHECK(edo_delayqueue_remove(&entries, key, NULL) == 0);
}

static void op(char what, unsigned self)
{
    switch (what) {
    case 'w': wait_for_either(self, false); break;
    case 'W': wait_for_either(self, true); break;
    case 'd': wait_for_entry(self); break;
    case 'p':
        if (!was_cancelled(self, edo_sem_acquire(&sem, 1)))
            got_permit(self);
        break;
    case 'i': insert(0, true); break;
    case 'F': insert(FAR, true); break;
    case 'f': insert(FAR, false); break;
    case 't': timer_expires(); break;
    default: seen.released++; edo_sem_release(&sem, 1);
    }
}

static const edo__waitq *queue_at(unsigned i)
{
    return i == 0 ? &sem.edo__q : i == 1 ? &entries.edo__q : NULL;
}

static unsigned waits_of(unsigned self)
{
    unsigned n = 0;
    for (const char *c = cfg.programs[self]; *c != '\0'; c++)
        n += strchr("wWpd", *c) != NULL;
    return n;
}

static void check(void)
{
    MODEL_CHECK(sem.edo__permits == seen.released);
    MODEL_CHECK(entries.edo__len + seen.got == seen.inserted);
    MODEL_CHECK(wheel_timer == NULL);
    for (unsigned a = 0; a < threads(); a++) {
        MODEL_CHECK(seen.lined[a][0] <= waits_of(a) && seen.lined[a][1] <= waits_of(a));
        for (unsigned b = 0; b < threads(); b++) {
            bool compared = waits_of(a) == 1 && waits_of(b) == 1 && seen.came[a] < seen.came[b];
            if (compared && seen.came[a] != 0 && seen.served[a] != 0 && seen.served[b] != 0)
                MODEL_CHECK(seen.served[a] < seen.served[b]);
        }
    }
}

/* Whichever of the two is armed first. */
static void in_each_order(const char *const *rest, model_memory memory, unsigned preemptions)
{
    sound((setup){ .programs = { "w", rest[0], rest[1], rest[2] } }, memory, preemptions);
    sound((setup){ .programs = { "W", rest[0], rest[1], rest[2] } }, memory, preemptions);
}

#define BESIDE(...) ((const char *const[3]){ __VA_ARGS__ })

TEST_TIMEOUT(one_that_looks, 100)
{
    must_run_here();
    sound((setup){ .programs = { "w", "f+" } }, MODEL_SC, MODEL_UNBOUNDED);
    in_each_order(BESIDE("f+"), MODEL_TSO, test_scale(2));
    in_each_order(BESIDE("f+"), MODEL_WEAK, test_scale(2));
    in_each_order(BESIDE("fi"), MODEL_WEAK, test_scale(2));
    in_each_order(BESIDE("f", "+"), MODEL_SC, test_scale(2));
    in_each_order(BESIDE("i", "+"), MODEL_SC, test_scale(2));
    in_each_order(BESIDE("F+", "t"), MODEL_SC, test_scale(2));
    in_each_order(BESIDE("Fi", "t"), MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(in_line_with_others, 200)
{
    must_run_here();
    in_each_order(BESIDE("w", "f+"), MODEL_SC, 1);
    in_each_order(BESIDE("W", "i+"), MODEL_SC, 1);
    in_each_order(BESIDE("p", "f+"), MODEL_SC, test_scale(2));
    in_each_order(BESIDE("d", "fii"), MODEL_SC, 1);
    in_each_order(BESIDE("w", "f", "+"), MODEL_SC, 1);
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    in_each_order(BESIDE("fx"), MODEL_SC, MODEL_UNBOUNDED);
    in_each_order(BESIDE("fx"), MODEL_WEAK, test_scale(2));
    in_each_order(BESIDE("f", "x"), MODEL_SC, test_scale(2));
    in_each_order(BESIDE("w", "f+", "x"), MODEL_SC, 1);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    in_each_order(BESIDE("f+"), MODEL_TSO, MODEL_UNBOUNDED);
    in_each_order(BESIDE("fi"), MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order(BESIDE("w", "f+"), MODEL_SC, 3);
    in_each_order(BESIDE("w", "f", "+"), MODEL_SC, 2);
    in_each_order(BESIDE("w", "f+", "x"), MODEL_SC, 2);
}

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup one = { .programs = { "w", "f", "+" } };
    setup due = { .programs = { "w", "fi" } };
    broken(one, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_call"));
    broken(due, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_call"));
    broken(one, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_answer"));
    broken(one, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_answer"));
    broken(due, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_parked"));
    broken(one, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    push_in_front = true;
    broken((setup){ .programs = { "w", "w", "f+" } }, MODEL_SC, as_is);
}

TEST_MAIN()
