/* SPDX-License-Identifier: MIT */
/* The mutex (sync/mutex.c): its fast path, its queue, a cancelled waiter, and the last user who frees
 * it as soon as it has it. One is inside at a time; once queued, first come, first served; an unlock
 * touches nothing after the mutex could be taken by another. */
#include "tasks.h"

#include "sync/mutex.c"

#include "checker.h"
#include "test.h"
#include "verdict.h"

enum { THREADS = 4 };

typedef struct setup {
    const char *programs[THREADS]; /* l: lock and unlock, t: try to, x: cancel thread 0 */
    bool last_frees;               /* the one that finds the others through frees the mutex */
    bool foreign;                  /* thread 0 is one */
} setup;

static setup cfg;
static edo_mutex mutex;
static uint32_t inside; /* atomic: is looked at in between */
static struct {
    uint32_t entered, cancelled, failed, left; /* times; left: threads that are through */
    uint32_t queued[THREADS];                  /* when it was queued, 0: it was not */
    uint32_t turn[THREADS];                    /* when it got in */
    uint32_t clock, freed;
} global;

static unsigned threads(void)
{
    unsigned n = 0;
    while (n < THREADS && cfg.programs[n] != NULL)
        n++;
    return n;
}

static void start(void)
{
    mutex = (edo_mutex)EDO_MUTEX_INIT;
    inside = 0;
    memset(&global, 0, sizeof global);
    start_tasks(threads(), 0);
    tasks[0].flags = cfg.foreign ? EDO__TF_FOREIGN : 0;
    model_shared(&mutex.edo__word, sizeof mutex.edo__word, true, "mutex");
    model_lingering();
    model_shared(&mutex.edo__q.lock, sizeof mutex.edo__q.lock, true, "queue's lock");
    model_lingering();
    model_shared(&mutex.edo__q.head, 2 * sizeof mutex.edo__q.head, false, "queue");
    model_shared(&mutex.edo__holder, sizeof mutex.edo__holder, true, "holder");
    model_shared(&inside, sizeof inside, true, "inside");
    model_note(&global, sizeof global);
}

static void note_queued(const edo__waitq *q, const edo__waiter *w)
{
    (void)q;
    global.queued[w->task - tasks] = ++global.clock;
}

/* With the mutex. */
static void section(unsigned self)
{
    global.entered++;
    global.turn[self] = ++global.clock;
    MODEL_CHECK(edo__axchg(&inside, 1u, EDO__SC) == 0);
    edo__astore(&inside, 0u, EDO__SC);
}

/* True: the mutex is gone. */
static bool leave(unsigned uses)
{
    uint32_t wanted = 0;
    for (unsigned i = 0; i < threads(); i++)
        wanted += cfg.programs[i][0] == 'l';
    bool last = cfg.last_frees && uses == wanted;
    edo_mutex_unlock(&mutex);
    if (last) {
        global.freed++;
        model_dead(&mutex, sizeof mutex);
    }
    return last;
}

static void use(unsigned self, bool try)
{
    int rc = try ? edo_mutex_lock_nowait(&mutex) : edo_mutex_lock(&mutex);
    model_learn((uint64_t)rc);
    if (rc == 0) {
        section(self);
        leave(global.entered); /* under the mutex nobody changes that */
    } else {
        MODEL_CHECK(rc == (try ? -EAGAIN : -ECANCELED));
        global.cancelled += (uint32_t)!try;
        global.failed += (uint32_t)try;
    }
}

static void thread(unsigned index)
{
    for (const char *p = cfg.programs[index]; *p != '\0'; p++) {
        if (*p == 'x')
            edo_scope_cancel(&scopes[0]);
        else
            use(index, *p == 't');
    }
    global.left++;
}

static uint64_t look(void)
{
    return global.freed != 0 ? 0 : look_at_queue(0, &mutex.edo__q);
}

static void check_order(void)
{
    for (unsigned a = 0; a < threads(); a++) {
        for (unsigned b = 0; b < threads(); b++) {
            if (global.queued[a] == 0 || global.queued[b] == 0 || global.turn[a] == 0 ||
                global.turn[b] == 0)
                continue;
            MODEL_CHECK((global.queued[a] < global.queued[b]) ==
                            (global.turn[a] < global.turn[b]) ||
                        a == b);
        }
    }
}

static void end(void)
{
    unsigned locks = 0;
    for (unsigned i = 0; i < threads(); i++)
        for (const char *p = cfg.programs[i]; *p != '\0'; p++)
            locks += *p != 'x';
    MODEL_CHECK(global.left == threads());
    MODEL_CHECK(global.entered + global.cancelled + global.failed == locks);
    MODEL_CHECK(global.freed == cfg.last_frees);
    if (!cfg.last_frees)
        MODEL_CHECK(mutex.edo__word == 0 && mutex.edo__q.head == NULL && mutex.edo__q.lock == 0);
    check_order();
}

#include "searches.h"

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    cfg = s;
    when_queued = note_queued;
    return config_for_programs(threads(), memory, preemptions);
}

static const char *title(void)
{
    static char text[128];
    size_t n = put_programs(text, sizeof text, cfg.programs, threads());
    snprintf(text + n, sizeof text - n, "%s%s%s", cfg.last_frees ? "; the last frees" : "",
             cfg.foreign ? "; foreign" : "", push_in_front ? "; last come first served" : "");
    return text;
}

TEST_TIMEOUT(two_and_three, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .programs = { "l", "l" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .programs = { "l", "t" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .programs = { "l", "l" }, .foreign = true }, m, MODEL_UNBOUNDED);
        sound((setup){ .programs = { "ll", "l" } }, m, test_scale(3));
    }
    sound((setup){ .programs = { "l", "l", "l" } }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "l", "l", "t" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .programs = { "l", "l", "x" } }, m, m == MODEL_SC ? test_scale(3) : 1);
    sound((setup){ .programs = { "l", "l", "l", "x" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(the_last_frees, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .programs = { "l", "l" }, .last_frees = true }, m, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "l", "l", "l" }, .last_frees = true }, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .programs = { "l", "l", "l" }, .last_frees = true }, MODEL_WEAK, 3);
    sound((setup){ .programs = { "l", "l", "x" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "l", "l", "l", "x" } }, MODEL_SC, 2);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup pair = { .programs = { "l", "l" } };
    setup three = { .programs = { "l", "l", "l" } };
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "try_lock"));
    broken(pair, MODEL_SC, MUTANT(TORN, SUB, "release"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, SUB, "release"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "contend"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(three, MODEL_SC, MUTANT(LEFT_OUT, STORE, "record"));
    broken((setup){ .programs = { "l", "l", "x" } }, MODEL_SC, MUTANT(TORN, CAS, "calm"));
    push_in_front = true;
    broken((setup){ .programs = { "l", "l", "l" } }, MODEL_SC, as_is);
}

TEST_MAIN()
