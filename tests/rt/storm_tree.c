/* SPDX-License-Identifier: MIT */
/* ctest: timeout=900 */
/* Ten thousand random trees of tasks, groups, scopes, deadlines, shields and tokens, cancelled from
 * inside, from other tasks and from foreign threads at random moments.
 *
 * Each tree is grown from a seed. What must hold, whatever happens: every task that was spawned
 * ends before its group is closed and has written its code into its parent's frame; closing a group
 * returns 0 if all children succeeded, else one of their codes; nothing but success, -ECANCELED,
 * -ETIMEDOUT and the failures injected here is ever returned, -ETIMEDOUT only by a scope whose own
 * deadline has passed; once a scope has given -ECANCELED it goes on doing so; a shield lets nothing
 * through; a sleep that succeeded was long enough. */
#include "core_test.h"

#define TREES 10000
#define LANES 8
#define SLOTS 24
#define CHILDREN 4
#define DEPTH 4
#define UNSET 12345

/* What others may cancel. The owner takes it out before it closes it. */
typedef struct slot {
    pthread_mutex_t lock;
    edo_group *group;
    edo_scope *scope;
    edo_token *token; /* a reference */
} slot;

static slot slots[SLOTS];
static unsigned spawned, finished, shots, over, trees_done, timeouts, cancels, failures;
static unsigned seeds_next;

typedef struct tree {
    edo_token *token;
    edo_chan *chan;
} tree;

typedef struct node {
    tree *tree;
    uint64_t seed;
    int depth;
    int *code; /* in the parent's frame */
} node;

static int slot_publish(uint64_t *seed, edo_group *g, edo_scope *s, edo_token *t)
{
    int i = (int)(test_rand(seed) % SLOTS);
    slot *at = &slots[i];
    pthread_mutex_lock(&at->lock);
    bool is_free = at->group == NULL && at->scope == NULL && at->token == NULL;
    if (is_free) {
        at->group = g;
        at->scope = s;
        at->token = t != NULL ? edo_token_ref(t) : NULL;
    }
    pthread_mutex_unlock(&at->lock);
    return is_free ? i : -1;
}

static void slot_retract(int i)
{
    if (i < 0)
        return;
    pthread_mutex_lock(&slots[i].lock);
    edo_token *t = slots[i].token;
    slots[i].group = NULL;
    slots[i].scope = NULL;
    slots[i].token = NULL;
    pthread_mutex_unlock(&slots[i].lock);
    edo_token_release(t);
}

static void shoot(uint64_t *seed)
{
    slot *at = &slots[test_rand(seed) % SLOTS];
    pthread_mutex_lock(&at->lock);
    bool hit = at->group != NULL || at->scope != NULL || at->token != NULL;
    if (at->group != NULL)
        edo_group_cancel(at->group);
    if (at->scope != NULL)
        edo_scope_cancel(at->scope);
    if (at->token != NULL)
        edo_token_cancel(at->token);
    pthread_mutex_unlock(&at->lock);
    if (hit)
        ADD(&shots, 1);
}

/* Everything that suspends must go on saying so while this scope is the innermost. */
static void check_level(tree *t)
{
    int value = 0;
    edo_group g;
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_yield(), ==, -ECANCELED);
    CHECK_INT(edo_sleep(0), ==, -ECANCELED);
    CHECK_INT(edo_sleep(EDO_US(20)), ==, -ECANCELED);
    CHECK_INT(edo_chan_send(t->chan, &value), ==, -ECANCELED);
    CHECK_INT(edo_chan_recv(t->chan, &value), ==, -ECANCELED);
    CHECK_INT(edo_token_wait(t->token), ==, -ECANCELED);
    CHECK_INT(edo_blocking(NULL, NULL), ==, -ECANCELED);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_INT(edo_spawn(&g, wait_for_cancel, NULL), ==, -ECANCELED);
    CHECK_INT(edo_group_close(&g), ==, 0);
}

static int nap(uint64_t *seed)
{
    int64_t ns = (int64_t)(test_rand(seed) % 200000);
    int64_t before = edo_now();
    int rc = edo_sleep(ns);
    if (rc == 0)
        CHECK_INT(edo_now() - before, >=, ns);
    return rc;
}

static int use_channel(tree *t, uint64_t *seed)
{
    int value = 1;
    edo_scope s;
    int64_t opened = edo_now();
    int64_t after = (int64_t)(test_rand(seed) % 200000);
    edo_scope_open(&s, after);
    int rc = test_rand(seed) % 2 ? edo_chan_send(t->chan, &value) : edo_chan_recv(t->chan, &value);
    rc = edo_scope_close(&s, rc);
    if (rc == -ETIMEDOUT) {
        CHECK_INT(edo_now() - opened, >=, after);
        return 0;
    }
    return rc;
}

static int steps(node *n, uint64_t *seed, int depth);

static int in_scope(node *n, uint64_t *seed, int depth)
{
    edo_scope s;
    edo_token *own = NULL;
    bool forever = test_rand(seed) % 2;
    int64_t after = forever ? EDO_FOREVER : (int64_t)(test_rand(seed) % 400000) - 10000;
    int64_t opened = edo_now();
    int published = -1;
    if (test_rand(seed) % 2) {
        CHECK_OK(edo_token_child(n->tree->token, &own));
        edo_scope_open_token(&s, own, after);
        published = slot_publish(seed, NULL, NULL, own);
    } else {
        edo_scope_open(&s, after);
        published = slot_publish(seed, NULL, &s, NULL);
    }
    int rc = steps(n, seed, depth);
    if (edo_checkpoint() < 0 && test_rand(seed) % 4 == 0)
        check_level(n->tree);
    slot_retract(published);
    int closed = edo_scope_close(&s, rc);
    edo_token_release(own);
    if (closed == -ETIMEDOUT) {
        ADD(&timeouts, 1);
        CHECK_INT(rc, ==, -ECANCELED);
        CHECK(!forever);
        CHECK_INT(edo_now() - opened, >=, after);
        return 0;
    }
    CHECK(closed == rc || (rc == 0 && closed == -ECANCELED));
    return closed;
}

static int in_shield(uint64_t *seed)
{
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(edo_checkpoint(), ==, 0);
        CHECK_INT(edo_yield(), ==, 0);
        CHECK_INT(nap(seed), ==, 0);
    }
    return edo_scope_close(&s, 0);
}

static int grow(void *arg)
{
    node n = *(node *)arg;
    int rc = steps(&n, &n.seed, n.depth);
    CHECK(rc == 0 || rc == -ECANCELED || rc == -EIO || rc == -EPROTO || rc == -ETIMEDOUT);
    *n.code = rc;
    ADD(&finished, 1);
    return rc;
}

static void check_codes(const int *codes, int n, int closed)
{
    bool failed = false, found = false;
    for (int i = 0; i < n; i++) {
        CHECK_INT(codes[i], !=, UNSET);
        failed |= codes[i] < 0;
        found |= codes[i] == closed;
    }
    CHECK_INT(closed, <=, 0);
    CHECK_INT(failed, ==, closed < 0);
    CHECK(closed == 0 || found);
}

static void take_results(edo_group *g, uint64_t *seed)
{
    edo_result r;
    for (unsigned most = (unsigned)(test_rand(seed) % 3); most > 0; most--) {
        int rc = edo_group_next(g, &r);
        CHECK(rc == 1 || rc == 0 || rc == -ECANCELED);
        if (rc != 1)
            return;
        CHECK_UINT(r.id, !=, 0);
        CHECK(r.code == 0 || r.code == -ECANCELED || r.code == -EIO || r.code == -EPROTO ||
              r.code == -ETIMEDOUT);
    }
}

static int in_group(node *n, uint64_t *seed, int depth)
{
    edo_group g;
    int codes[CHILDREN];
    int count = 0;
    uint64_t r = test_rand(seed);
    edo_group_options options = { .limit = r % 8 == 0 ? 1 : 0,
                                  .keep_going = r % 3 == 0,
                                  .discard = r % 5 == 0 };
    CHECK_OK(edo_group_open(&g, &options));
    int published = slot_publish(seed, &g, NULL, NULL);
    int want = 1 + (int)(test_rand(seed) % CHILDREN);
    for (; count < want; count++) {
        codes[count] = UNSET;
        node child = { n->tree, test_rand(seed), depth - 1, &codes[count] };
        ADD(&spawned, 1);
        int rc = edo_spawn_copy(&g, grow, &child, sizeof child);
        if (rc < 0) {
            CHECK_INT(rc, ==, -ECANCELED);
            ADD(&spawned, -1u);
            break;
        }
    }
    if (test_rand(seed) % 4 == 0)
        (void)nap(seed);
    if (test_rand(seed) % 8 == 0)
        edo_group_cancel(&g);
    take_results(&g, seed);
    slot_retract(published);
    int closed = edo_group_close(&g);
    check_codes(codes, count, closed);
    return closed;
}

static int fail(int code)
{
    ADD(&failures, 1);
    return code;
}

static int step(node *n, uint64_t *seed, int depth)
{
    switch (test_rand(seed) % 16) {
    case 0:
    case 1: return edo_yield();
    case 2:
    case 3: return nap(seed);
    case 4:
    case 5: return use_channel(n->tree, seed);
    case 6: return in_shield(seed);
    case 7: shoot(seed); return 0;
    case 8: return test_rand(seed) % 12 ? 0 : fail(-EIO);
    case 9: return test_rand(seed) % 12 ? 0 : fail(-EPROTO);
    case 10:
    case 11:
    case 12: return depth > 0 ? in_scope(n, seed, depth - 1) : 0;
    default: return depth > 0 ? in_group(n, seed, depth) : 0;
    }
}

static int steps(node *n, uint64_t *seed, int depth)
{
    for (unsigned left = 1 + (unsigned)(test_rand(seed) % 5); left > 0; left--) {
        int rc = step(n, seed, depth);
        if (rc == -ECANCELED)
            ADD(&cancels, 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int lane(void *arg)
{
    unsigned trees = *(unsigned *)arg;
    for (;;) {
        unsigned i = __atomic_fetch_add(&seeds_next, 1, __ATOMIC_RELAXED);
        if (i >= trees)
            return 0;
        tree t;
        uint64_t seed = test_seed() + (uint64_t)i * 1000003;
        CHECK_OK(edo_token_create(&t.token));
        CHECK_OK(edo_chan_create(&t.chan, sizeof(int), test_rand(&seed) % 3));
        int published = test_rand(&seed) % 3 == 0 ? slot_publish(&seed, NULL, NULL, t.token) : -1;
        edo_scope s;
        edo_scope_open(&s, (int64_t)(200000 + test_rand(&seed) % 6000000));
        node root = { &t, test_rand(&seed), DEPTH, NULL };
        int rc = edo_scope_close(&s, in_group(&root, &root.seed, DEPTH));
        CHECK(rc == 0 || rc == -ECANCELED || rc == -EIO || rc == -EPROTO || rc == -ETIMEDOUT);
        slot_retract(published);
        edo_chan_unref(t.chan);
        edo_token_release(t.token);
        ADD(&trees_done, 1);
    }
}

static void *sniper(void *arg)
{
    uint64_t seed = test_seed() ^ (uintptr_t)arg;
    while (!LOAD(&over)) {
        shoot(&seed);
        edo_scope s; /* a scope of this thread's, which waits as well */
        edo_scope_open(&s, (int64_t)(test_rand(&seed) % 1000000));
        CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_FOREVER)), ==, -ETIMEDOUT);
    }
    return NULL;
}

/* What ended has been put away: the counters follow the group's close by a few instructions. */
static void check_settled(void)
{
    edo_metrics m;
    for (int i = 0; i < 100000; i++) {
        CHECK_OK(edo_metrics_read(NULL, &m));
        CHECK_UINT(m.tasks_spawned, ==, m.tasks_finished + m.tasks_alive);
        if (m.tasks_alive == 1 && m.stacks_in_use <= 1 && m.timers == 0)
            return;
        CHECK_OK(edo_yield());
    }
    FAIL("%llu tasks alive, %llu stacks in use, %llu timers armed",
         (unsigned long long)m.tasks_alive, (unsigned long long)m.stacks_in_use,
         (unsigned long long)m.timers);
}

static int storm(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < LANES; i++)
        CHECK_OK(edo_spawn(&g, lane, arg));
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(LOAD(&spawned), ==, LOAD(&finished));
    check_settled();
    return 0;
}

static void run_storm(unsigned workers, unsigned trees)
{
    pthread_t threads[2];
    over = spawned = finished = seeds_next = 0;
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&slots[i].lock, NULL);
    for (uintptr_t i = 0; i < 2; i++)
        thread_start(&threads[i], sniper, (void *)(i + 1));
    run_on(workers, storm, &trees);
    STORE(&over, 1);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    printf("# %u workers: %u trees, %u tasks, %u shots hit, %u steps cancelled, %u time-outs, %u "
           "failures\n",
           workers, trees, spawned, shots, cancels, timeouts, failures);
}

TEST_TIMEOUT(storm_on_4, 300)
{
    run_storm(4, TREES);
}
TEST_TIMEOUT(storm_on_2, 120)
{
    run_storm(2, test_scale(3000));
}
TEST_TIMEOUT(storm_on_1, 120)
{
    run_storm(1, test_scale(3000));
}
TEST_MAIN()
