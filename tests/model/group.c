/* SPDX-License-Identifier: MIT */
/* Groups (core/group.c, spawn.c, scope.c, join.c): an owner that spawns, asks for results and closes,
 * children that end, fail, wait, spawn and cancel, a cancel from outside, somebody who waits for a
 * child's end by its id. Close returns once, after all; nothing touches the group afterwards.
 *
 *     owner, a task    s spawn the next child   n results until there are none   c close
 *                      N as n, by select: until it is cancelled   a waits until o or k is through
 *     child            f fails   w waits until it is cancelled   s spawns the next one   x cancels
 *     others           x cancels the group, unless it is being closed   j waits for child 1's end
 *                      o cancels child 1 alone   k all children with the key, which is every one's
 *
 * In an ordered group results come in the order of spawns. */
#define MODEL_ALLOC 1
#include "tasks.h"

#include "core/spawn.c"

#include "checker.h"
#include "test.h"
#include "verdict.h"

enum { THREADS = 5, CHUNKS = 3, FAILURE = -5 };

typedef struct setup {
    const char *owner;
    const char *children[3];
    const char *others; /* one thread per letter */
    unsigned limit;
    bool keep_going;
    bool ordered;
    bool needs_cancel; /* does not close before it was cancelled */
} setup;

static setup cfg;
static edo_group group;
static edo__waitq never; /* where children wait: nobody wakes them */
static edo__results chunks[CHUNKS];
static edo__child records[3]; /* of children with an id that was asked for */
static uint32_t open; /* atomic: the group is there, and stays for a cancel that begins now */
static uint32_t first_spawned; /* atomic */
static uint32_t alone_over;    /* atomic: the group is no longer used by who cancels a child */
static struct {
    uint32_t spawned, ended, results;
    bool closed;
    uint32_t refused; /* spawns */
    int code;         /* what close returned */
    uint8_t chunks;   /* in use */
    uint8_t joined;   /* 1: while it was there; 2: too late */
    int join_code;
    uint32_t codes; /* children that failed */
    uint32_t cancels;
    uint32_t alone; /* children that were cancelled alone */
} global;

/* ---- what tasks and results are made of ---- */

static void *model_alloc(size_t size)
{
    if (size == sizeof records[0])
        return &records[global.spawned]; /* of the next child */
    MODEL_CHECK(size == sizeof chunks[0]);
    return global.chunks < CHUNKS ? &chunks[global.chunks++] : NULL;
}

static void model_free(void *p)
{
    (void)p; /* not used again */
}

edo__task *edo__task_alloc_slow(edo_runtime *r, edo__worker *w)
{
    (void)r;
    (void)w;
    return &tasks[1 + global.spawned];
}

int edo__blocking_start(edo__task *t, edo__worker *w)
{
    (void)t;
    (void)w;
    abort();
}

unsigned edo__stack_class_for(const struct edo__stack_pool *pool, size_t size)
{
    (void)pool;
    (void)size;
    abort();
}

/* ---- the state ---- */

static unsigned children(void)
{
    unsigned n = 0;
    while (n < 3 && cfg.children[n] != NULL)
        n++;
    return n;
}

static unsigned others(void)
{
    return cfg.others != NULL ? (unsigned)strlen(cfg.others) : 0;
}

static void share_group(void)
{
    edo_group *g = &group;
    model_shared(&g->edo__lock, sizeof g->edo__lock, true, "group's lock");
    model_lingering();
    model_shared(&g->edo__scope.edo__cancelled, sizeof(uint32_t), true, "group cancelled");
    size_t from = offsetof(edo_group, edo__live);
    model_shared((char *)g + from, sizeof *g - from, false, "group");
    model_shared(g, offsetof(edo_scope, edo__cancelled), false, "group's scope");
}

static void share_record(edo__child *c)
{
    size_t at = offsetof(edo__child, scope.edo__cancelled);
    model_shared(&c->scope.edo__cancelled, sizeof(uint32_t), true, "child cancelled");
    model_shared((char *)c + at + 4, sizeof *c - at - 4, false, "record");
}

static void start(void)
{
    unsigned n = 1 + children() + others();
    memset(&group, 0, sizeof group);
    memset(&global, 0, sizeof global);
    memset(chunks, 0, sizeof chunks);
    memset(records, 0, sizeof records);
    never = (edo__waitq){ 0 };
    open = first_spawned = alone_over = 0;
    start_tasks(n, WITH_FAMILY | (others() > 0 || cfg.children[1] != NULL ? WITH_CANCELS : 0));
    for (unsigned i = 0; i < n; i++) {
        workers[i].free_tasks = NULL;
        workers[i].free_results = NULL;
        workers[i].free_count = workers[i].free_results_count = 0;
        run_state[i].left = i > 0 && i <= children(); /* not started: no registers to save */
    }
    share_group();
    model_shared(&never.lock, sizeof never.lock, true, "queue's lock");
    model_shared(&never.head, 2 * sizeof never.head, false, "queue");
    model_shared(&open, sizeof open, true, "open");
    model_shared(&first_spawned, sizeof first_spawned, true, "child 1 is there");
    model_shared(&alone_over, sizeof alone_over, true, "alone over");
    model_shared(chunks, sizeof chunks, false, "results");
    if (cfg.others != NULL || cfg.ordered)
        for (unsigned i = 0; i < children(); i++)
            share_record(&records[i]);
    model_note(&global, sizeof global);
}

/* ---- the threads ---- */

static int child_fn(void *arg)
{
    (void)arg;
    abort(); /* see child() */
}

static void spawn_next(void)
{
    bool keyed = cfg.others != NULL && strchr(cfg.others, 'k') != NULL;
    edo__spawn how = { .fn = child_fn, .key = 7, .keyed = keyed };
    uint64_t id;
    int rc = edo__spawn_how(&group, &how, cfg.others != NULL ? &id : NULL);
    MODEL_CHECK(rc == 0 || rc == -ECANCELED);
    global.refused += (uint32_t)(rc < 0);
    model_learn((uint64_t)rc);
}

/* Counted before it can run. */
static void count_spawn(const edo__task *t)
{
    MODEL_CHECK(t == &tasks[1 + global.spawned]);
    global.spawned++;
    edo__astore(&first_spawned, 1u, EDO__SC);
}

static int wait_for_cancel(void)
{
    edo__waiter w = { .task = edo__self(), .code = EDO__WAKE_OK };
    edo__spin_lock(&never.lock);
    return edo__waitq_wait(&never, &never.lock, &w, EDO__WHY_OTHER, &never);
}

static int follow(const char *program)
{
    int rc = 0;
    for (; *program != '\0' && rc == 0; program++) {
        switch (*program) {
        case 'f': rc = FAILURE; break;
        case 'w': rc = wait_for_cancel(); break;
        case 's': spawn_next(); break;
        case 'x':
            edo_group_cancel(&group);
            global.cancels++;
            break;
        default: abort();
        }
    }
    return rc;
}

static void child(unsigned index)
{
    edo__task *t = &tasks[index];
    sleep_until_runnable(t);
    MODEL_CHECK(!global.closed && t->group == &group);
    t->worker = &workers[index];
    t->code = follow(cfg.children[index - 1]);
    if (t->child != NULL)
        edo__child_leave(t);
    MODEL_CHECK(!global.closed);
    global.codes += (uint32_t)(t->code < 0);
    global.ended++;
    edo__group_ended(t, t->worker);
}

static void close_group(void)
{
    if (!cfg.needs_cancel)
        edo__astore(&open, 0u, EDO__SC);
    global.code = edo_group_close(&group);
    global.closed = true;
    MODEL_CHECK(global.ended == global.spawned);
    model_dead(&group, sizeof group);
}

/* select's EDO_GROUP_NEXT in small, as its fourth case. False: cancelled. */
static bool wait_selecting(edo__task *self)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK + 3, .select = true };
    uint32_t code;
    if (!edo__wait_begin(self, true))
        return false;
    if (edo__group_watch_next(&group, &w)) {
        (void)edo__claim(self, w.code);
        code = edo__wait_abort(self);
    } else {
        code = edo__wait_commit(self, NULL, EDO__WHY_SELECT, NULL);
        edo__group_unwatch_next(&group);
    }
    MODEL_CHECK(code == w.code || code == EDO__WAKE_CANCEL);
    return code == w.code;
}

static void got(const edo_result *r)
{
    global.results++;
    MODEL_CHECK(!cfg.ordered || (r->id & 0xff) == global.results + 1);
}

static void select_results(void)
{
    edo_result r;
    int rc = 1;
    while (rc != 0) {
        rc = edo__group_try_next(&group, &r);
        if (rc == 1)
            got(&r);
        if (rc == -EAGAIN && !wait_selecting(edo__self()))
            return;
    }
    MODEL_CHECK(global.results == global.spawned && global.ended == global.spawned);
}

static void owner(void)
{
    edo_group_options options = { .limit = cfg.limit,
                                  .keep_going = cfg.keep_going,
                                  .ordered = cfg.ordered };
    edo_result r;
    (void)edo_group_open(&group, &options);
    edo__astore(&open, 1u, EDO__SC);
    for (const char *p = cfg.owner; *p != '\0'; p++) {
        switch (*p) {
        case 's': spawn_next(); break;
        case 'N': select_results(); break;
        case 'a': model_reach(&alone_over, 1); break;
        case 'n':
            while (edo_group_next(&group, &r) == 1)
                got(&r);
            MODEL_CHECK(global.results == global.spawned && global.ended == global.spawned);
            break;
        default: close_group();
        }
    }
}

static void cancel_from_outside(void)
{
    model_reach(&open, 1);
    edo_group_cancel(&group); /* it was open when this began */
    global.cancels++;
}

/* A child that waits for it is there until this finds it. */
static void cancel_alone(bool by_key)
{
    model_reach(&first_spawned, 1);
    int rc = by_key ? edo_group_cancel_key(&group, 7) : edo_group_cancel_one(&group, 2);
    MODEL_CHECK(rc == (by_key ? 1 : 0) || rc == -ESRCH || (by_key && rc == 2));
    MODEL_CHECK(rc >= 0 || *cfg.children[0] != 'w');
    global.alone += rc >= 0;
    edo__astore(&alone_over, 1u, EDO__SC);
}

/* select's EDO_JOINED in small. */
static void join_child(void)
{
    edo__task *self = edo__self();
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    int code = 0;
    uint64_t id = 2; /* of child 1, the first time */
    model_reach(&first_spawned, 1);
    (void)edo__wait_begin(self, true);
    if (edo__join_watch(id, &w, &code) == 1) {
        MODEL_CHECK(edo__wait_abort(self) == EDO__WORD_IDLE);
        global.joined = 2;
    } else {
        MODEL_CHECK(edo__wait_commit(self, NULL, EDO__WHY_JOINED, NULL) == EDO__WAKE_OK);
        edo__join_unwatch(id, &w);
        code = w.result;
        global.joined = 1;
    }
    global.join_code = code;
    MODEL_CHECK(global.ended >= 1 || code == -ESRCH);
}

static void thread(unsigned index)
{
    if (index == 0)
        owner();
    else if (index <= children())
        child(index);
    else if (cfg.others[index - 1 - children()] == 'x')
        cancel_from_outside();
    else if (cfg.others[index - 1 - children()] != 'j')
        cancel_alone(cfg.others[index - 1 - children()] == 'k');
    else
        join_child();
}

static uint64_t look(void)
{
    return look_at_queue(0, &never);
}

static void end(void)
{
    MODEL_CHECK(global.closed);
    MODEL_CHECK(global.ended == global.spawned);
    MODEL_CHECK(never.head == NULL && never.lock == 0);
    MODEL_CHECK(global.refused == 0 || global.cancels > 0 || global.codes > 0);
    bool fails = global.code == FAILURE || global.code == -ECANCELED;
    if (global.alone > 0) /* that is no failure */
        MODEL_CHECK(global.code == 0);
    else
        MODEL_CHECK(global.codes > 0 ? fails : global.code == 0);
    for (unsigned i = 1; i <= global.spawned; i++)
        MODEL_CHECK(tasks[i].state == EDO__TASK_FREE && tasks[i].lock == 0 &&
                    tasks[i].join == NULL);
    if (cfg.others != NULL && strchr(cfg.others, 'j') != NULL) {
        MODEL_CHECK(global.joined != 0);
        MODEL_CHECK(global.join_code == -ESRCH || global.join_code == tasks[1].code);
    }
}

/* ---- searching ---- */

#include "searches.h"

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    static const char *names[1 + THREADS];
    static const char *const child_names[] = { "child 1", "child 2", "child 3" };
    unsigned n = 0;
    cfg = s;
    when_new = count_spawn;
    names[n++] = "owner";
    for (unsigned i = 0; i < children(); i++)
        names[n++] = child_names[i];
    for (unsigned i = 0; i < others(); i++)
        names[n++] = s.others[i] == 'j' ? "joiner" : "canceller";
    return config_for(n, names, memory, preemptions);
}

static const char *title(void)
{
    static char text[128];
    size_t n = (size_t)snprintf(text, sizeof text, "owner %s; children", cfg.owner);
    for (unsigned i = 0; i < children(); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s",
                              cfg.children[i][0] != '\0' ? cfg.children[i] : "-");
    if (cfg.others != NULL)
        n += (size_t)snprintf(text + n, sizeof text - n, "; others %s", cfg.others);
    if (cfg.limit != 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "; limit %u", cfg.limit);
    snprintf(text + n, sizeof text - n, "%s%s", cfg.keep_going ? "; keep going" : "",
             cfg.ordered ? "; ordered" : "");
    return text;
}

TEST_TIMEOUT(closing, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .owner = "sc", .children = { "" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .owner = "sc", .children = { "f" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .owner = "snc", .children = { "" } }, m, MODEL_UNBOUNDED);
    }
    sound((setup){ .owner = "ssc", .children = { "", "" } }, MODEL_SC, test_scale(3));
    sound((setup){ .owner = "ssnc", .children = { "", "" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "", "" }, .limit = 1 }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "sc", .children = { "s", "" } }, MODEL_SC, test_scale(3));
}

TEST_TIMEOUT(failing, 100)
{
    must_run_here();
    sound((setup){ .owner = "ssc", .children = { "f", "w" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "f", "f" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "f", "" }, .keep_going = true }, MODEL_SC,
          test_scale(2));
    sound((setup){ .owner = "sc", .children = { "sf", "w" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(cancelling, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .owner = "sc", .children = { "w" }, .others = "x", .needs_cancel = true }, m,
              m == MODEL_SC ? test_scale(2) : 0);
    sound((setup){ .owner = "sc", .children = { "s", "" }, .others = "x" }, MODEL_SC,
          test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "f", "w" }, .others = "x" }, MODEL_SC, 1);
    sound((setup){ .owner = "ssc", .children = { "x", "w" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "", "" }, .others = "x", .limit = 1 }, MODEL_SC,
          test_scale(2));
}

TEST_TIMEOUT(selecting, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .owner = "sNc", .children = { "" } }, m, MODEL_UNBOUNDED);
    sound((setup){ .owner = "ssNc", .children = { "", "" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssNnc", .children = { "f", "" } }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "sNnc", .children = { "" }, .others = "x" }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(joining, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .owner = "sc", .children = { "" }, .others = "j" }, m,
              m == MODEL_SC ? test_scale(2) : 0);
}

TEST_TIMEOUT(in_order, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .owner = "snc", .children = { "" }, .ordered = true }, m, test_scale(3));
    sound((setup){ .owner = "ssnc", .children = { "", "" }, .ordered = true }, MODEL_SC,
          test_scale(2));
    sound((setup){ .owner = "ssnc", .children = { "f", "" }, .ordered = true, .keep_going = true },
          MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssNc", .children = { "", "" }, .ordered = true }, MODEL_SC,
          test_scale(2));
    sound((setup){ .owner = "ssc", .children = { "", "" }, .ordered = true }, MODEL_SC, 1);
}

TEST_TIMEOUT(one_alone, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++)
        sound((setup){ .owner = "sc", .children = { "w" }, .others = "o" }, m,
              m == MODEL_SC ? test_scale(2) : 0);
    sound((setup){ .owner = "sac", .children = { "" }, .others = "o" }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "ssnc", .children = { "w", "" }, .others = "o" }, MODEL_SC, 1);
    sound((setup){ .owner = "sc", .children = { "w" }, .others = "k" }, MODEL_SC, test_scale(2));
    sound((setup){ .owner = "snc", .children = { "w" }, .others = "o", .ordered = true }, MODEL_SC,
          1);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    sound((setup){ .owner = "sc", .children = { "f" }, .others = "jj" }, MODEL_SC, 2);
    sound((setup){ .owner = "sc", .children = { "" }, .others = "j" }, MODEL_TSO, 1);
    sound((setup){ .owner = "sc", .children = { "" }, .others = "j" }, MODEL_WEAK, 1);
    sound((setup){ .owner = "sc", .children = { "w" }, .others = "x", .needs_cancel = true },
          MODEL_SC, 3);
    sound((setup){ .owner = "ssc", .children = { "", "" } }, MODEL_WEAK, 4);
    sound((setup){ .owner = "ssc", .children = { "f", "w" } }, MODEL_SC, 3);
    sound((setup){ .owner = "ssc", .children = { "f", "w" }, .others = "x" }, MODEL_SC, 2);
    sound((setup){ .owner = "sc", .children = { "s", "" }, .others = "x" }, MODEL_WEAK, 0);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    must_run_here();
    setup single = { .owner = "sc", .children = { "" } };
    setup two = { .owner = "ssc", .children = { "", "" } };
    setup fail = { .owner = "ssc", .children = { "f", "w" } };
    setup select = { .owner = "sNc", .children = { "" } };
    setup join = { .owner = "sc", .children = { "" }, .others = "j" };
    broken(single, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(single, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_parked"));
    broken(two, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(fail, MODEL_SC, MUTANT(LEFT_OUT, OR, "mark_chain"));
    broken(fail, MODEL_SC, MUTANT(TORN, SUB, "edo__task_unref_on"));
    broken(select, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(join, MODEL_WEAK, MUTANT(LEFT_OUT, FENCE, "edo__fence_after_lock"));
    setup alone = { .owner = "sc", .children = { "w" }, .others = "o" };
    broken(alone, MODEL_SC, MUTANT(LEFT_OUT, OR, "mark_chain"));
    setup order = { .owner = "ssnc", .children = { "", "" }, .ordered = true };
    broken(order, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
}

TEST_MAIN()
