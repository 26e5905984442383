/* SPDX-License-Identifier: MIT */
/* Histories of a waiting line, made from a seed, run on a real primitive and on a model of it.
 *
 * A history is a list of steps: somebody arrives, one that waits is cancelled, something is given
 * that lets waiters go on, one that was served leaves, a select in line is won by another case or
 * woken to look for nothing at a third, the line is closed. The model is a list of who waits, in
 * order of arrival, and a count of what can be had ("room"). After every step the primitive must
 * have served exactly those whom the model has served, the cancelled ones must have gone with their
 * code, and all others must wait. Those served by one step may run in any order (a worker runs first
 * whom it woke last); what they were served with, values and units, tells theirs. So nobody is
 * overtaken, nobody waits who could go on, and whoever leaves the line changes nothing for the
 * others but that they move up.
 *
 * Arrivals are in a known order with several workers and threads as well: the next step begins when
 * the wait word of the one before says that it is parked, or it was served.
 *
 * Steps name waiters by their place, so a history from which steps were dropped is one too: a history
 * that fails is shortened until no step of it can be missed, then shown with its seed. */
#ifndef EDO_TEST_FAIRNESS_H
#define EDO_TEST_FAIRNESS_H

#include "core/task.h"
#include "core_test.h"

#include <stdarg.h>
#include <time.h>

enum { STEPS_MAX = 40, MEMBERS_MAX = STEPS_MAX, UNITS_MAX = 4 * STEPS_MAX, WHOLE = 64 };
enum { DECOYED = 1000 }; /* what a wait returns that was ended by the decoy */

enum {                     /* fair_kind.flags */
       HOLDS = 1,          /* what the served took comes back when they leave                     */
       ALL = 2,            /* a gift is for all who wait, and for nobody else                     */
       ALL_AT_4 = 4,       /* ... if it is of 4                                                   */
       OPENS = 8,          /* after the first gift nobody waits any more                          */
       GATHER = 16,        /* all are served when `room` of them are there, the last one first    */
       LAST_FIRST = 32,    /* who came last is served first                                       */
       UP_TO = 64,         /* takes what there is up to its amount                                */
       BY_ONES = 128,      /* takes what there is, and goes to the end of the line for the rest   */
       CLOSES = 256,       /* has a close(), after which nobody waits                             */
       DRAINS = 512,       /* ... but what is there can still be had                              */
       VALUES = 1024,      /* the served got numbers: 0, 1, ...                                   */
       OUT = 2048,         /* gifts took the numbers of members: as they were served              */
       OWN = 4096,         /* wait() calls member_in() itself                                     */
       SELECTS = 8192,     /* waits in a select, with the decoy and the alarms                    */
       READ_WRITE = 16384, /* amounts are 1 or WHOLE                                           */
       TASKS = 32768,      /* no foreign threads                                               */
       ALARMS = 65536,     /* give() of 0 is a false alarm                                     */
};

typedef struct line line;
typedef struct member member;

/* A primitive under test. */
typedef struct fair_kind {
    const char *name;
    unsigned flags;
    unsigned room;  /* of a new one */
    unsigned cap;   /* room that is kept at most when nobody waits */
    unsigned max_n; /* amounts are 1..max_n */
    unsigned gifts; /* gifts are of 1..gifts, 0: none: room comes from those who leave */
    int closed;     /* the code after close() */
    void (*init)(line *l);
    void (*deinit)(line *l);
    int (*wait)(member *m);
    void (*leave)(member *m);
    void (*give)(line *l, unsigned n);
    void (*close)(line *l);
} fair_kind;

typedef struct step {
    char op;   /* A arrive, C cancel, G give, L leave, D decoy, F false alarm, X close */
    uint8_t n; /* amount, or whose turn it is */
} step;

enum { COMING, IN, LEFT, GONE, DECOY }; /* member.status */

struct member {
    line *line;
    unsigned number;
    unsigned n; /* amount */
    edo_token *token;
    edo_event leave;
    struct edo__task *self; /* atomic: before it waits */
    unsigned status;        /* atomic */
    int code;
    unsigned taken;
    unsigned value;
    pthread_t thread;
    bool foreign;
    edo_permit permit;
    edo_broadcast_rx broadcast;
    edo_watch_rx watch;
    /* The model's. */
    unsigned expected; /* status */
    int expected_code;
    unsigned got, first; /* units; the number of the first */
};

struct line {
    const fair_kind *kind;
    unsigned workers;
    unsigned trials;     /* at making the history shorter ...  */
    unsigned trials_max; /* ... of so many at most          */
    int64_t patience;    /* ns of real time without progress, then it has failed; 0: 40 yields */
    edo_group group;     /* of the members */
    member *members;
    unsigned n_members;
    unsigned log[MEMBERS_MAX]; /* who was served; n_log: atomic */
    unsigned n_log;
    unsigned out[UNITS_MAX], n_out; /* see OUT */
    edo_sem decoy;
    edo_delayqueue alarms; /* nothing of it is ever due */
    unsigned n_alarms;
    char error[200];
    union {
        edo_mutex mutex;
        edo_rwlock rwlock;
        edo_sem sem;
        edo_event event;
        edo_notify notify;
        edo_barrier barrier;
        edo_ratelimit ratelimit;
        edo_setonce setonce;
        edo_delayqueue delays;
        edo_chan *chan;
        edo_broadcast *broadcast;
        edo_watch *watch;
        edo_token *token;
        edo_group group;
        void *other;
    } on;
    edo_cond cond;
    edo_once once;
    edo_event gate;
    unsigned slot, given;
    unsigned did; /* steps */
    uint64_t id;
    /* The model's. */
    unsigned waiting[MEMBERS_MAX], n_waiting;
    unsigned order[MEMBERS_MAX], n_order; /* who was served */
    unsigned n_checked;                   /* of them, by the end of the step before */
    unsigned units[UNITS_MAX], n_units;   /* who got each unit */
    unsigned room;
    bool opened, closed;
};

/* ---- the model ---- */

static inline bool is(const line *l, unsigned flag)
{
    return (l->kind->flags & flag) != 0;
}

static inline member *take_from_line(line *l, unsigned at)
{
    member *m = &l->members[l->waiting[at]];
    l->n_waiting--;
    for (; at < l->n_waiting; at++)
        l->waiting[at] = l->waiting[at + 1];
    return m;
}

static inline void model_units(line *l, member *m, unsigned n)
{
    if (m->got == 0)
        m->first = l->n_units;
    m->got += n;
    while (n-- > 0 && l->n_units < UNITS_MAX)
        l->units[l->n_units++] = m->number;
}

static inline void model_serve(line *l, unsigned at, unsigned n)
{
    member *m = take_from_line(l, at);
    if (n < WHOLE)
        model_units(l, m, n);
    else
        m->got = n;
    m->expected = IN;
    l->order[l->n_order++] = m->number;
}

/* Serves while there is room for the next. */
static inline void model_flow(line *l)
{
    while (l->n_waiting > 0) {
        unsigned at = is(l, LAST_FIRST) ? l->n_waiting - 1 : 0;
        member *m = &l->members[l->waiting[at]];
        unsigned rest = m->n - m->got;
        unsigned least = is(l, UP_TO | BY_ONES) ? 1 : rest;
        if (l->opened) {
            model_serve(l, at, 0);
            continue;
        }
        if (l->room < least)
            return;
        unsigned n = rest < l->room ? rest : l->room;
        l->room -= n;
        if (n == rest || is(l, UP_TO)) {
            model_serve(l, at, n);
        } else {
            model_units(l, m, n);
            (void)take_from_line(l, at);
            l->waiting[l->n_waiting++] = m->number;
        }
    }
}

static inline void model_go(line *l, unsigned at, unsigned status, int code)
{
    member *m = take_from_line(l, at);
    m->expected = status;
    m->expected_code = m->got > 0 ? -EINTR : code;
}

static inline void model_arrive(line *l, member *m)
{
    l->waiting[l->n_waiting++] = m->number;
    if (is(l, GATHER)) {
        if (l->n_waiting < l->room)
            return;
        model_serve(l, l->n_waiting - 1, 0);
        while (l->n_waiting > 0)
            model_serve(l, 0, 0);
        return;
    }
    if (!l->closed || is(l, DRAINS))
        model_flow(l);
    if (l->closed && l->n_waiting > 0)
        model_go(l, 0, GONE, l->kind->closed);
}

static inline void model_give(line *l, unsigned n)
{
    if (l->closed && !is(l, OUT))
        return;
    if (is(l, OPENS))
        l->opened = true;
    if (is(l, ALL) || (is(l, ALL_AT_4) && n == 4)) {
        while (l->n_waiting > 0)
            model_serve(l, 0, 0);
        return;
    }
    while (n-- > 0) {
        l->room++;
        model_flow(l);
        if (l->room > l->kind->cap)
            l->room = l->kind->cap;
    }
}

/* ---- the members ---- */

static inline void member_in(member *m)
{
    line *l = m->line;
    l->log[ADD(&l->n_log, 1) - 1] = m->number;
    STORE(&m->status, IN);
    if (!is(l, HOLDS))
        return;
    CHECK_OK(edo_event_wait(&m->leave));
    if (l->kind->leave != NULL)
        l->kind->leave(m);
    STORE(&m->status, LEFT);
}

static inline int member_main(void *arg)
{
    member *m = arg;
    edo_scope s;
    edo_scope_open_token(&s, m->token, EDO_FOREVER);
    STORE(&m->self, edo__self());
    int rc = m->line->kind->wait(m);
    (void)edo_scope_close(&s, rc);
    m->code = rc;
    if (rc == DECOYED)
        STORE(&m->status, DECOY);
    else if (rc < 0)
        STORE(&m->status, GONE);
    else if (!is(m->line, OWN))
        member_in(m);
    return 0;
}

static inline void *member_thread(void *arg)
{
    (void)member_main(arg);
    return NULL;
}

/* Waits for the case, or for the decoy. */
static inline int wait_in_select(member *m, edo_case c)
{
    edo_delay never;
    edo_case cases[3] = { c, EDO_ACQUIRE(&m->line->decoy, 1),
                          EDO_DELAYQUEUE_NEXT(&m->line->alarms, &never) };
    int i = edo_select(cases, 3);
    CHECK_INT(i, <, 2);
    return i == 1 ? DECOYED : i < 0 ? i : cases[0].result;
}

/* ---- a step ---- */

static inline void arrive(line *l, unsigned n)
{
    if (l->n_members == MEMBERS_MAX)
        return;
    member *m = &l->members[l->n_members];
    *m = (member){ .line = l, .number = l->n_members++, .n = n };
    CHECK_OK(edo_token_create(&m->token));
    edo_event_init(&m->leave, EDO_EVENT_MANUAL);
    m->foreign = l->workers > 1 && m->number % 3 == 2 && !is(l, TASKS);
    if (m->foreign)
        thread_start(&m->thread, member_thread, m);
    else
        CHECK_OK(edo_spawn(&l->group, member_main, m));
    model_arrive(l, m);
}

/* The n-th of those inside. */
static inline void leave(line *l, unsigned n)
{
    unsigned inside = 0;
    for (unsigned i = 0; i < l->n_members; i++)
        inside += l->members[i].expected == IN;
    if (inside == 0 || !is(l, HOLDS))
        return;
    n %= inside;
    member *m = l->members;
    while (m->expected != IN || n-- > 0)
        m++;
    m->expected = LEFT;
    edo_event_set(&m->leave);
    l->room += m->got;
    model_flow(l);
}

static inline void cancel(line *l, unsigned n)
{
    if (l->n_waiting == 0)
        return;
    n %= l->n_waiting;
    member *m = &l->members[l->waiting[n]];
    model_go(l, n, GONE, -ECANCELED);
    edo_token_cancel(m->token);
    if (!is(l, GATHER))
        model_flow(l);
}

static inline void decoy(line *l)
{
    if (l->n_waiting == 0 || !is(l, SELECTS))
        return;
    edo_sem_release(&l->decoy, 1);
    model_go(l, 0, DECOY, DECOYED);
    model_flow(l);
}

/* Whoever is first in line for the alarms is woken, looks, and finds nothing. n 1: what it was
 * called for is gone by then; 2: it is there, and not due. */
static inline void false_alarm(line *l, unsigned n)
{
    edo_delay_key key;
    if (is(l, ALARMS))
        l->kind->give(l, 0);
    if (!is(l, SELECTS))
        return;
    int64_t at = edo_now() + EDO_SEC(7200) - EDO_SEC(60) * ++l->n_alarms;
    CHECK_OK(edo_delayqueue_insert_at(&l->alarms, at, NULL, &key));
    if (n == 1)
        CHECK_OK(edo_delayqueue_remove(&l->alarms, key, NULL));
}

static inline void close_line(line *l)
{
    if (l->closed || !is(l, CLOSES))
        return;
    l->kind->close(l);
    l->closed = true;
    while (l->n_waiting > 0)
        model_go(l, 0, GONE, l->kind->closed);
}

static inline void do_step(line *l, step s)
{
    switch (s.op) {
    case 'A': arrive(l, s.n); break;
    case 'C': cancel(l, s.n); break;
    case 'L': leave(l, s.n); break;
    case 'D': decoy(l); break;
    case 'F': false_alarm(l, s.n); break;
    case 'X': close_line(l); break;
    default:
        if (l->kind->gifts > 0) {
            l->kind->give(l, s.n);
            model_give(l, s.n);
        }
    }
}

/* ---- what must be true after it ---- */

static inline int64_t real_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * EDO_SEC(1) + t.tv_nsec;
}

__attribute__((format(printf, 2, 3))) static inline bool wrong(line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(l->error, sizeof l->error, format, args);
    va_end(args);
    return false;
}

static inline bool is_parked(member *m)
{
    struct edo__task *t = LOAD(&m->self);
    if (t == NULL)
        return false;
    uint32_t word = LOAD(&t->word);
    return word < EDO__WAKE_CANCEL && (word & EDO__WORD_STATE) == EDO__WORD_PARKED;
}

static inline bool as_expected(member *m)
{
    unsigned status = LOAD(&m->status);
    return status == m->expected && (status != COMING || is_parked(m));
}

/* Waits until everybody is where the model has them. */
static inline bool await_members(line *l)
{
    static const char *const names[] = { "wait", "be served", "leave", "go", "go by the decoy" };
    int64_t begin = real_now();
    for (unsigned i = 0, looks = 0; i < l->n_members; looks++) {
        member *m = &l->members[i];
        if (as_expected(m)) {
            i++;
            continue;
        }
        CHECK_OK(edo_yield());
        /* Overtaken or let go by mistake: no need to be patient. */
        if (LOAD(&m->status) != COMING && LOAD(&m->status) != IN && m->expected == COMING)
            return wrong(l, "%u should wait, and went: %d", i, m->code);
        if (LOAD(&m->status) == IN && m->expected != IN && m->expected != LEFT)
            return wrong(l, "%u should %s, and was served", i, names[m->expected]);
        bool late = looks % 64 == 63 && real_now() - begin > l->patience;
        if (late || (l->patience == 0 && looks > 40 + i))
            return wrong(l, "%u should %s, and does not", i, names[m->expected]);
    }
    return true;
}

static inline bool check_member(line *l, const member *m)
{
    if (m->expected >= GONE && m->code != m->expected_code)
        return wrong(l, "%u went with %d instead of %d", m->number, m->code, m->expected_code);
    bool served = m->expected == IN || m->expected == LEFT;
    if (served && is(l, UP_TO | BY_ONES) && m->taken != m->got)
        return wrong(l, "%u got %u instead of %u", m->number, m->taken, m->got);
    if (served && is(l, VALUES) && m->value != m->first)
        return wrong(l, "%u got value %u, not %u", m->number, m->value, m->first);
    return true;
}

static inline bool check_order(line *l)
{
    if (LOAD(&l->n_log) != l->n_order)
        return wrong(l, "%u were served instead of %u", LOAD(&l->n_log), l->n_order);
    for (unsigned i = l->n_checked; i < l->n_order; i++) {
        unsigned at =
            l->n_checked; /* those of one step may run in any order: the last one woken is hot */
        while (at < l->n_order - 1 && l->log[i] != l->order[at])
            at++;
        if (l->log[i] != l->order[at])
            return wrong(l, "place %u was %u's and went to %u", i, l->order[i], l->log[i]);
    }
    l->n_checked = l->n_order;
    for (unsigned i = 0; i < l->n_out; i++)
        if (l->out[i] != l->units[i])
            return wrong(l, "unit %u came from %u, not %u", i, l->out[i], l->units[i]);
    return true;
}

static inline bool check_line(line *l)
{
    if (!await_members(l))
        return false;
    for (int i = 0; i < (l->workers == 1 ? 4 : 0); i++)
        CHECK_OK(edo_yield()); /* for those who should not move */
    for (unsigned i = 0; i < l->n_members; i++)
        if (!as_expected(&l->members[i]) || !check_member(l, &l->members[i]))
            return l->error[0] != '\0' ? false : wrong(l, "%u moved by itself", i);
    return check_order(l);
}

/* ---- a history ---- */

/* Whatever happened, everybody goes. */
static inline void end_line(line *l)
{
    for (unsigned i = 0; i < l->n_members; i++) {
        edo_token_cancel(l->members[i].token);
        edo_event_set(&l->members[i].leave);
    }
    for (unsigned i = 0; i < l->n_members; i++)
        if (l->members[i].foreign)
            thread_join(l->members[i].thread);
    CHECK_OK(edo_group_close(&l->group));
    for (unsigned i = 0; i < l->n_members; i++)
        edo_token_release(l->members[i].token);
}

/* True: the primitive did what the model did. Else the line's error says what not. */
static inline bool run_history(line *l, const step *steps, unsigned n)
{
    *l = (line){ .kind = l->kind,
                 .workers = l->workers,
                 .patience = l->patience,
                 .trials = l->trials,
                 .trials_max = l->trials_max,
                 .members = l->members,
                 .room = l->kind->room };
    edo_sem_init(&l->decoy, 0);
    edo_delayqueue_init(&l->alarms);
    l->kind->init(l);
    CHECK_OK(edo_group_open(&l->group, NULL));
    bool ok = true;
    for (l->did = 0; ok && l->did < n; l->did++) {
        do_step(l, steps[l->did]);
        ok = check_line(l);
    }
    end_line(l);
    edo_delayqueue_deinit(&l->alarms);
    if (l->kind->deinit != NULL)
        l->kind->deinit(l);
    return ok;
}

static inline step random_step(const fair_kind *k, uint64_t *seed)
{
    uint64_t r = test_rand(seed), n = r >> 32;
    unsigned what = (unsigned)(r % 64);
    if (what < 28) {
        if ((k->flags & READ_WRITE) != 0)
            return (step){ 'A', n % 3 == 0 ? WHOLE : 1 };
        return (step){ 'A', (uint8_t)(1 + n % k->max_n) };
    }
    if (what < 38)
        return (step){ 'C', (uint8_t)(n % MEMBERS_MAX) };
    if (what < 41 && (k->flags & SELECTS) != 0)
        return (step){ 'D', 0 };
    if (what < 42 && (k->flags & CLOSES) != 0)
        return (step){ 'X', 0 };
    if (what < 46 && (k->flags & (SELECTS | ALARMS)) != 0)
        return (step){ 'F', (uint8_t)(1 + n % 2) };
    if (k->gifts == 0)
        return (step){ 'L', (uint8_t)(n % MEMBERS_MAX) };
    return (step){ 'G', (uint8_t)(1 + n % k->gifts) };
}

/* Whether it fails. With several workers that may need luck. */
static inline bool fails(line *l, const step *steps, unsigned n)
{
    if (++l->trials > l->trials_max)
        return false;
    for (int tries = l->workers == 1 ? 1 : 5; tries > 0; tries--)
        if (!run_history(l, steps, n))
            return true;
    return false;
}

/* Drops two steps, or one, if it fails without them. */
static inline bool drop(line *l, step *steps, unsigned *n, unsigned at, unsigned also)
{
    step shorter[STEPS_MAX];
    unsigned left = 0;
    for (unsigned i = 0; i < *n; i++)
        if (i != at && i != also)
            shorter[left++] = steps[i];
    if (!fails(l, shorter, left))
        return false;
    memcpy(steps, shorter, sizeof shorter);
    *n = left;
    return true;
}

static inline bool drop_some(line *l, step *steps, unsigned *n)
{
    for (unsigned i = 0; i < *n; i++)
        if (drop(l, steps, n, i, i))
            return true;
    for (unsigned i = 0; i < *n; i++)
        for (unsigned k = i + 1; k < *n; k++)
            if (drop(l, steps, n, i, k))
                return true;
    return false;
}

/* Smaller numbers, as long as it fails: one that fails with the smallest can lose more steps. */
static inline void make_smaller(line *l, step *steps, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t least = strchr("AGF", steps[i].op) != NULL;
        uint8_t was = steps[i].n;
        for (uint8_t to = least; to < was; to++) {
            steps[i].n = to;
            if (fails(l, steps, n))
                break;
            steps[i].n = was;
        }
    }
}

static inline unsigned shorten(line *l, step *steps, unsigned n)
{
    do {
        make_smaller(l, steps, n);
    } while (drop_some(l, steps, &n));
    return n;
}

/* As text: "A1 A2 C0 G1". */
static inline void history_text(const step *steps, unsigned n, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %c%u", steps[i].op, steps[i].n);
}

typedef struct fair_run {
    const fair_kind *kind;
    unsigned workers;
    unsigned histories;
    unsigned trials_max; /* at making one shorter; 0: as many as take a moment */
    uint64_t seed;       /* 0: the test's */
    int64_t patience;
    unsigned ran, steps; /* out */
    char failure[800];   /* out: "" when all went well */
} fair_run;

/* A task's body. Each history has a seed of its own. */
static inline int run_histories(void *arg)
{
    fair_run *run = arg;
    line *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    *l = (line){ .kind = run->kind,
                 .workers = run->workers,
                 .patience = run->patience,
                 .trials_max = run->trials_max != 0 ? run->trials_max : test_scale(2000) };
    l->members = calloc(MEMBERS_MAX, sizeof *l->members);
    CHECK(l->members != NULL);
    run->failure[0] = '\0';
    for (run->ran = 0; run->failure[0] == '\0' && run->ran < run->histories; run->ran++) {
        uint64_t seed = (run->seed != 0 ? run->seed : test_seed()) + run->ran;
        step steps[STEPS_MAX];
        unsigned n = 8 + (unsigned)(test_rand(&seed) % (STEPS_MAX - 8));
        for (unsigned i = 0; i < n; i++)
            steps[i] = random_step(run->kind, &seed);
        run->steps += n;
        if (run_history(l, steps, n))
            continue;
        char text[400], first[sizeof l->error];
        memcpy(first, l->error, sizeof first);
        l->patience = l->patience < EDO_SEC(1) ? l->patience : EDO_SEC(1);
        n = shorten(l, steps, l->did);
        bool again = !run_history(l, steps, n);
        history_text(steps, n, text, sizeof text);
        snprintf(run->failure, sizeof run->failure, "%s, %u workers, history %u: %u steps:%s: %s",
                 run->kind->name, run->workers, run->ran, n, text, again ? l->error : first);
    }
    free(l->members);
    free(l);
    return 0;
}

#endif
