/* SPDX-License-Identifier: MIT */
/* The property tests of fairness.h find what they look for: a semaphore of our own is right without a
 * fault and is found wrong with each of a dozen planted ones, by a history of a few steps. */
#include "fairness.h"

#include <limits.h>

typedef enum fault {
    NO_FAULT,
    SERVES_LAST,      /* a stack instead of a queue                                   */
    SERVES_SECOND,    /* now and then the second in line goes before the first        */
    LETS_SMALL_PASS,  /* who wants little passes who wants much                       */
    LETS_NEW_PASS,    /* who comes takes what is there although others wait           */
    DROPS_WAKE_UP,    /* the third wake-up is lost                                    */
    WAKES_TOO_MANY,   /* whoever is behind the one who is served goes as well         */
    GIVES_TO_GONE,    /* a cancelled waiter stays in line, and what it gets is lost   */
    HEAD_LEAVES_DEAF, /* a cancelled head does not let those behind it move up        */
    CANCEL_TURNS,     /* one in the middle leaves: those behind it change places      */
    CANCEL_TAKES,     /* a cancelled one takes its permits along                      */
    CLOSE_FORGETS,    /* the last in line is not told of the close                    */
    CLOSE_LIES,       /* who waited is told that it was served                        */
    LOSES_PERMIT,     /* a permit that comes while nobody waits is not kept           */
    ALARM_TURNS,      /* who is woken for nothing waits again, at the end of the line  */
    N_FAULTS,
} fault;

static const char *const fault_names[] = {
    "none",          "serves last",    "serves second", "lets small pass",  "lets new pass",
    "drops wake-up", "wakes too many", "gives to gone", "head leaves deaf", "cancel turns",
    "cancel takes",  "close forgets",  "close lies",    "loses permit",     "alarm turns",
};

typedef struct entry {
    edo_event called;
    member *m;
    unsigned n;
    int code;
} entry;

/* For one worker: between two suspensions nobody interferes. */
typedef struct double_sem {
    entry *line[MEMBERS_MAX];
    unsigned n_line, permits, wakes, gone;
    bool closed;
} double_sem;

static fault planted;
static double_sem sem;

static entry *leave_at(unsigned at)
{
    entry *e = sem.line[at];
    sem.n_line--;
    for (unsigned i = at; i < sem.n_line; i++)
        sem.line[i] = sem.line[i + 1];
    return e;
}

static void call(unsigned at, int code)
{
    entry *e = leave_at(at);
    e->code = code;
    if (planted != DROPS_WAKE_UP || ++sem.wakes % 3 != 0)
        edo_event_set(&e->called);
}

/* Whose turn it is; n_line: nobody's. */
static unsigned next_in_line(void)
{
    unsigned at = 0;
    if (planted == SERVES_LAST)
        at = sem.n_line - 1;
    if (planted == SERVES_SECOND && sem.n_line > 2)
        at = 1;
    if (planted == LETS_SMALL_PASS)
        while (at < sem.n_line && sem.line[at]->n > sem.permits)
            at++;
    return at < sem.n_line && sem.line[at]->n <= sem.permits ? at : sem.n_line;
}

static void flow(void)
{
    while (sem.n_line > 0) {
        unsigned at = next_in_line();
        if (at == sem.n_line)
            return;
        sem.permits -= sem.line[at]->n;
        call(at, 0);
        if (planted == WAKES_TOO_MANY && at < sem.n_line)
            call(at, 0);
    }
}

/* Leaves the line from place `at`, cancelled. */
static void walk_away(unsigned at)
{
    entry *e = leave_at(at);
    if (planted == CANCEL_TURNS && at > 0 && at + 1 < sem.n_line) {
        entry *behind = sem.line[at];
        sem.line[at] = sem.line[at + 1];
        sem.line[at + 1] = behind;
    }
    if (planted == CANCEL_TAKES)
        sem.permits -= sem.permits < e->n ? sem.permits : e->n;
    if (planted != HEAD_LEAVES_DEAF)
        flow();
}

static int double_wait(member *m)
{
    bool may_pass = sem.n_line == 0 || planted == LETS_NEW_PASS;
    if (sem.closed)
        return -EPIPE;
    if (may_pass && sem.permits >= m->n) {
        sem.permits -= m->n;
        return 0;
    }
    entry e = { .m = m, .n = m->n };
    edo_event_init(&e.called, EDO_EVENT_MANUAL);
    sem.line[sem.n_line++] = &e;
    int rc = edo_event_wait(&e.called);
    if (rc == 0)
        return e.code;
    for (unsigned i = 0; i < sem.n_line; i++) {
        if (sem.line[i] == &e && planted == GIVES_TO_GONE)
            sem.gone += leave_at(i)->n;
        else if (sem.line[i] == &e)
            walk_away(i);
    }
    return rc;
}

static void double_init(line *l)
{
    sem = (double_sem){ .permits = l->kind->room };
}

/* Who is first looks for nothing. */
static void alarm_first(void)
{
    if (planted == ALARM_TURNS && sem.n_line > 0) {
        entry *first = leave_at(0);
        sem.line[sem.n_line++] = first;
    }
}

static void double_give(line *l, unsigned n)
{
    (void)l;
    if (n == 0)
        alarm_first();
    bool kept = planted != LOSES_PERMIT || sem.n_line > 0;
    while (n-- > 0) {
        if (sem.gone > 0)
            sem.gone--;
        else
            sem.permits += kept;
        flow();
    }
}

static void double_close(line *l)
{
    (void)l;
    sem.closed = true;
    while (sem.n_line > (planted == CLOSE_FORGETS))
        call(0, planted == CLOSE_LIES ? 0 : -EPIPE);
}

static const fair_kind double_kind = {
    "double",    CLOSES | ALARMS, 2, 1 << 20, 3, 3, -EPIPE, double_init, NULL, double_wait, NULL,
    double_give, double_close,
};

/* Makes what fails as short as can be: how short that is must not depend on how slow it runs here. */
static void look(fault f, unsigned histories, uint64_t seed, fair_run *run)
{
    planted = f;
    *run = (fair_run){ .kind = &double_kind,
                       .workers = 1,
                       .histories = histories,
                       .seed = seed,
                       .trials_max = UINT_MAX };
    run_on(1, run_histories, run);
}

/* Steps of the history in a report. */
static unsigned steps_in(const char *failure)
{
    const char *at = strstr(failure, ": ");
    return at == NULL ? 0 : (unsigned)strtoul(at + 2, NULL, 10);
}

TEST(no_fault_no_finding)
{
    fair_run run;
    look(NO_FAULT, test_scale(2000), test_seed(), &run);
    CHECK_STR(run.failure, "");
    CHECK_UINT(run.ran, ==, test_scale(2000));
}

/* Finds each of the faults. Returns the steps of the longest history that shows one. */
static unsigned find_all(uint64_t seed)
{
    unsigned most = 0;
    for (fault f = NO_FAULT + 1; f < N_FAULTS; f++) {
        fair_run run;
        look(f, 20000, seed, &run);
        if (run.failure[0] == '\0')
            FAIL("%s: not found by %u histories", fault_names[f], run.ran);
        unsigned steps = steps_in(run.failure);
        printf("# %s: history %u, %u steps\n", fault_names[f], run.ran, steps);
        CHECK_UINT(steps, >=, 1);
        most = steps > most ? steps : most;
    }
    return most;
}

TEST_TIMEOUT(every_planted_fault_is_found, 60)
{
    (void)find_all(test_seed());
}

/* Every fault shows in a history of a few steps, three to eight as a rule. Now and then one cannot be
 * made as short by dropping a step or two at a time: so these are always the same histories. */
TEST_TIMEOUT(histories_are_made_short, 60)
{
    CHECK_UINT(find_all(1), <=, 10);
}

TEST_MAIN()
