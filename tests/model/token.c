/* SPDX-License-Identifier: MIT */
/* Tokens (core/token.c, scope.c): a cancel against scopes that are opened with the token and closed,
 * against waits inside them and for the token itself, and against the last reference. A scope is not
 * touched once its close has returned, a token is freed once.
 *
 *     o   opens a scope with the token and closes it
 *     w   the same, and waits inside until it is cancelled
 *     t   waits for the token
 *     x   cancels it; with a child token the parent is cancelled, and all others have the child
 *
 * Each thread has a reference, and gives it back at its end. */
#define MODEL_ALLOC 1
#include "tasks.h"

#include "checker.h"
#include "test.h"
#include "verdict.h"

enum { THREADS = 4, TOKENS = 2 };

typedef struct setup {
    const char *programs[THREADS];
    bool child;
} setup;

static setup cfg;
static edo_token tokens[TOKENS]; /* parent, child */
static edo_scope frames[THREADS];
static edo__waitq never;
static struct {
    uint8_t made;
    uint8_t freed[TOKENS];
    uint8_t through, cancelled, told; /* threads */
} global;

static void *model_alloc(size_t size)
{
    MODEL_CHECK(size == sizeof tokens[0] && global.made < TOKENS);
    return &tokens[global.made++];
}

static void model_free(void *p)
{
    edo_token *t = p;
    MODEL_CHECK(++global.freed[t - tokens] == 1);
    model_dead(t, sizeof *t);
}

static unsigned threads(void)
{
    unsigned n = 0;
    while (n < THREADS && cfg.programs[n] != NULL)
        n++;
    return n;
}

/* The token of a thread. */
static edo_token *token_of(unsigned thread)
{
    return &tokens[cfg.child && cfg.programs[thread][0] != 'x'];
}

static void share_token(edo_token *t)
{
    size_t rest = offsetof(edo_token, parent);
    model_shared(&t->refs, sizeof t->refs, true, "token's refs");
    model_lingering();
    model_shared(&t->cancelled, sizeof t->cancelled, true, "token cancelled");
    model_shared(&t->q.lock, sizeof t->q.lock, true, "token's lock");
    model_lingering();
    model_shared(&t->q.head, 2 * sizeof t->q.head, false, "token's waiters");
    model_shared((char *)t + rest, sizeof *t - rest, false, "token");
}

static void start(void)
{
    edo_token *t;
    memset(tokens, 0, sizeof tokens);
    memset(frames, 0, sizeof frames);
    memset(&global, 0, sizeof global);
    never = (edo__waitq){ 0 };
    start_tasks(threads(), WITH_SCOPES | WITH_CANCELS);
    if (edo_token_create(&t) < 0 || (cfg.child && edo_token_child(&tokens[0], &t) < 0))
        abort();
    tokens[0].refs = cfg.child; /* the child's */
    tokens[1].refs = 0;
    for (unsigned i = 0; i < threads(); i++) {
        token_of(i)->refs++;
        size_t at = offsetof(edo_scope, edo__cancelled);
        model_shared(&frames[i].edo__cancelled, sizeof(uint32_t), true, "scope cancelled");
        model_shared(&frames[i], at, false, "scope");
        model_shared((char *)&frames[i] + at + 4, sizeof frames[i] - at - 4, false, "scope's rest");
    }
    share_token(&tokens[0]);
    if (cfg.child)
        share_token(&tokens[1]);
    model_shared(&never.lock, sizeof never.lock, true, "queue's lock");
    model_shared(&never.head, 2 * sizeof never.head, false, "queue");
    model_note(&global, sizeof global);
}

static void use_scope(unsigned self, bool wait)
{
    edo_scope *s = &frames[self];
    edo__waiter w = { .task = edo__self(), .code = EDO__WAKE_OK };
    int rc = 0;
    (void)edo_scope_open_token(s, token_of(self), EDO_FOREVER);
    if (wait) {
        edo__spin_lock(&never.lock);
        rc = edo__waitq_wait(&never, &never.lock, &w, EDO__WHY_OTHER, &never);
        MODEL_CHECK(rc == -ECANCELED);
    }
    rc = edo_scope_close(s, rc);
    model_dead(s, sizeof *s);
    MODEL_CHECK(rc == -ECANCELED || (rc == 0 && !wait));
    MODEL_CHECK(rc == 0 || edo_token_cancelled(token_of(self)));
    global.cancelled = (uint8_t)(global.cancelled + (rc < 0));
}

static void thread(unsigned index)
{
    switch (cfg.programs[index][0]) {
    case 'o': use_scope(index, false); break;
    case 'w': use_scope(index, true); break;
    case 't':
        MODEL_CHECK(edo_token_wait(token_of(index)) == 0);
        MODEL_CHECK(edo_token_cancelled(token_of(index)));
        global.told++;
        break;
    default: edo_token_cancel(token_of(index));
    }
    edo_token_release(token_of(index));
    global.through++;
}

static uint64_t look(void)
{
    uint64_t h = look_at_queue(0, &never);
    for (unsigned i = 0; i < global.made; i++) {
        if (global.freed[i] == 0)
            h = look_at_queue(h, &tokens[i].q);
    }
    return h;
}

static void end(void)
{
    MODEL_CHECK(global.through == threads());
    for (unsigned i = 0; i < global.made; i++)
        MODEL_CHECK(global.freed[i] == 1);
    MODEL_CHECK(never.head == NULL && never.lock == 0);
}

#include "searches.h"

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    cfg = s;
    return config_for_programs(threads(), memory, preemptions);
}

static const char *title(void)
{
    static char text[64];
    size_t n = put_programs(text, sizeof text, cfg.programs, threads());
    snprintf(text + n, sizeof text - n, "%s", cfg.child ? "; of a child" : "");
    return text;
}

TEST_TIMEOUT(scopes, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .programs = { "o", "x" } }, m, m == MODEL_SC ? test_scale(4) : 1);
        sound((setup){ .programs = { "w", "x" } }, m, m == MODEL_SC ? test_scale(3) : 1);
    }
    sound((setup){ .programs = { "o", "x" }, .child = true }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "w", "x" }, .child = true }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "o", "w", "x" } }, MODEL_SC, test_scale(2));
    sound((setup){ .programs = { "o", "x", "x" } }, MODEL_SC, 1);
}

TEST_TIMEOUT(waiting, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .programs = { "t", "x" } }, m, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "t", "x" }, .child = true }, MODEL_SC, test_scale(3));
    sound((setup){ .programs = { "t", "t", "x" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .programs = { "o", "x" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "o", "w", "x" } }, MODEL_SC, 3);
    sound((setup){ .programs = { "o", "x", "x" } }, MODEL_SC, 3);
    sound((setup){ .programs = { "w", "x" }, .child = true }, MODEL_WEAK, 2);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup open = { .programs = { "o", "x" } };
    setup inside = { .programs = { "w", "x" } };
    setup wait = { .programs = { "t", "x" } };
    broken(open, MODEL_SC, MUTANT(LEFT_OUT, STORE, "token_cancel_one")); /* nothing is busy */
    broken(open, MODEL_SC, MUTANT(TORN, SUB, "token_unref"));
    broken(open, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(inside, MODEL_SC, MUTANT(LEFT_OUT, OR, "mark_chain"));
    broken(inside, MODEL_TSO, MUTANT(TORN, OR, "mark_chain"));
    broken(wait, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken(wait, MODEL_SC, MUTANT(TORN, CAS, "claim"));
}

TEST_MAIN()
