/* SPDX-License-Identifier: MIT */
/* For models of one primitive: threads that follow little programs, a letter per operation. The model
 * says what a letter does, what is shared, and what must hold at the end; `x` cancels the scope of
 * thread 0, whose cancelled operations end its program unless they say otherwise.
 *
 * Included after tasks.h and the source under test; then checker.h, test.h and verdict.h are there. */
#ifndef EDO_TESTS_MODEL_PROGRAMS_H
#define EDO_TESTS_MODEL_PROGRAMS_H

#include "checker.h"
#include "test.h"
#include "verdict.h"

#ifndef PROGRAMS_WITH /* for start_tasks() */
#define PROGRAMS_WITH 0
#endif

enum { THREADS = 4 };

typedef struct setup {
    const char *programs[THREADS];
    uint32_t n;   /* as the model has it */
    bool foreign; /* thread 0 is one */
} setup;

static setup cfg;
static struct {
    uint32_t through, cancels;   /* threads at their end; cancels that were made */
    uint32_t cancelled[THREADS]; /* operations */
    uint32_t clock, queued[THREADS], turn[THREADS]; /* who came first, who was served first */
    uint32_t a[THREADS], b[THREADS];                /* the model's */
    const char *at[THREADS];
} tally;

/* The model's. */
static void share(void);
static void op(char what, unsigned self); /* may leave the program: give_up() */
static void check(void);
static const edo__waitq *queue_at(unsigned i); /* NULL: there are no more */

static unsigned threads(void)
{
    unsigned n = 0;
    while (n < THREADS && cfg.programs[n] != NULL)
        n++;
    return n;
}

static void start(void)
{
    memset(&tally, 0, sizeof tally);
    start_tasks(threads(), PROGRAMS_WITH);
    tasks[0].flags = cfg.foreign ? EDO__TF_FOREIGN : 0;
    share();
    model_note(&tally, sizeof tally);
}

/* The lock and the list of a queue. */
static inline void share_queue(edo__waitq *q, const char *name)
{
    model_shared(&q->lock, sizeof q->lock, true, name);
    model_lingering();
    model_shared(&q->head, 2 * sizeof q->head, false, name);
}

static void note_queued(const edo__waitq *q, const edo__waiter *w)
{
    (void)q;
    tally.queued[w->task - tasks] = ++tally.clock;
}

/* rc of an operation that a cancel may end; true: it was. */
static inline bool was_cancelled(unsigned self, int rc)
{
    model_learn((uint64_t)rc);
    if (rc != -ECANCELED)
        return false;
    MODEL_CHECK(self == 0);
    tally.cancelled[self]++;
    return true;
}

static void follow(unsigned self)
{
    for (tally.at[self] = cfg.programs[self]; *tally.at[self] != '\0'; tally.at[self]++) {
        if (*tally.at[self] == 'x') {
            edo_scope_cancel(&scopes[0]);
            tally.cancels++;
        } else {
            op(*tally.at[self], self);
        }
    }
    tally.at[self] = NULL;
    tally.through++;
}

static uint64_t look(void)
{
    uint64_t h = 0;
    const edo__waitq *q;
    for (unsigned i = 0; (q = queue_at(i)) != NULL; i++)
        h = look_at_queue(h, q);
    return h;
}

static void end(void)
{
    const edo__waitq *q;
    if (tally.through != threads()) {
        model_fail("nothing can happen any more, and somebody waits");
        return;
    }
    MODEL_CHECK(tally.cancelled[0] == 0 || tally.cancels > 0);
    for (unsigned i = 0; (q = queue_at(i)) != NULL; i++)
        MODEL_CHECK(q->head == NULL && q->lock == 0);
    check();
}

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    static const char *const names[] = { "thread 0", "thread 1", "thread 2", "thread 3" };
    cfg = s;
    when_queued = note_queued;
    return (model_config){ .threads = threads(),
                           .names = names,
                           .start = start,
                           .thread = follow,
                           .enter = enter_task,
                           .look = look,
                           .end = end,
                           .memory = memory,
                           .preemptions = preemptions };
}

static const char *title(void)
{
    static char text[128];
    size_t n = 0;
    for (unsigned i = 0; i < threads(); i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? ", " : "", cfg.programs[i]);
    if (cfg.n != 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "; %u", cfg.n);
    snprintf(text + n, sizeof text - n, "%s%s", cfg.foreign ? "; foreign" : "",
             push_in_front ? "; last come first served" : "");
    return text;
}

static void sound(setup s, model_memory memory, unsigned preemptions)
{
    model_config config = config_of(s, memory, preemptions);
    holds(title(), &config);
}

static inline void in_each_memory(setup s, unsigned preemptions)
{
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound(s, m, preemptions);
}

static void broken(setup s, model_memory memory, model_mutant mutant)
{
    model_config config = config_of(s, memory, 0);
    config.mutant = mutant;
    breaks(title(), &config);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

#endif
