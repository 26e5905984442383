/* SPDX-License-Identifier: MIT */
/* The read-write lock: who may be inside together, order, downgrade, cancel. */
#include "storm.h"

#include <stdlib.h>

static int simple(void *arg)
{
    edo_rwlock l;
    (void)arg;
    edo_rwlock_init(&l);
    CHECK_OK(edo_rwlock_rdlock(&l));
    CHECK_OK(edo_rwlock_rdlock_nowait(&l));
    CHECK_INT(edo_rwlock_wrlock_nowait(&l), ==, -EAGAIN);
    edo_rwlock_unlock(&l);
    CHECK_INT(edo_rwlock_wrlock_nowait(&l), ==, -EAGAIN);
    edo_rwlock_unlock(&l);
    CHECK_OK(edo_rwlock_wrlock_nowait(&l));
    CHECK_INT(edo_rwlock_rdlock_nowait(&l), ==, -EAGAIN);
    CHECK_INT(edo_rwlock_wrlock_nowait(&l), ==, -EAGAIN);
    edo_rwlock_downgrade(&l);
    CHECK_OK(edo_rwlock_rdlock_nowait(&l));
    CHECK_INT(edo_rwlock_wrlock_nowait(&l), ==, -EAGAIN);
    edo_rwlock_unlock(&l);
    edo_rwlock_unlock(&l);
    CHECK_OK(edo_rwlock_wrlock(&l));
    edo_rwlock_unlock(&l);
    return 0;
}

TEST(simple)
{
    run_on(1, simple, NULL);
}

/* Who holds it, for dumps. */
static int holders(void *arg)
{
    edo_rwlock l = EDO_RWLOCK_INIT;
    (void)arg;
    CHECK_OK(edo_rwlock_wrlock(&l));
    struct edo__task *me = l.edo__writer;
    CHECK(me != NULL);
    edo_rwlock_downgrade(&l);
    CHECK(l.edo__writer == NULL && l.edo__readers == (uintptr_t)me && l.edo__q.state == 1);
    edo_rwlock_unlock(&l);
    CHECK(l.edo__readers == 0 && l.edo__q.state == 0);
    return 0;
}

TEST(says_who_holds_it)
{
    run_on(1, holders, NULL);
}

/* Tasks that take the lock one after the other and keep it until they are told to go. */
typedef struct line {
    edo_rwlock lock;
    char inside[16]; /* letters of those who have come in, sorted: some come in together */
    edo_event leave[16];
    edo_token *token[16];
} line;

typedef struct member {
    line *l;
    int number;
    char kind; /* r, w */
} member;

static void come_in(line *l, char who)
{
    size_t at = strlen(l->inside);
    for (; at > 0 && l->inside[at - 1] > who; at--)
        l->inside[at] = l->inside[at - 1];
    l->inside[at] = who;
}

static int stand_in_line(void *arg)
{
    member *m = arg;
    line *l = m->l;
    edo_scope s;
    CHECK_OK(edo_scope_open_token(&s, l->token[m->number], EDO_FOREVER));
    int rc = m->kind == 'r' ? edo_rwlock_rdlock(&l->lock) : edo_rwlock_wrlock(&l->lock);
    (void)edo_scope_close(&s, rc);
    if (rc < 0)
        return 0;
    come_in(l, (char)('a' + m->number));
    CHECK_OK(edo_event_wait(&l->leave[m->number]));
    edo_rwlock_unlock(&l->lock);
    return 0;
}

/* The lock is initialised, and held by the caller if it likes. */
static void line_open(line *l, edo_group *g, const char *kinds)
{
    memset(l->inside, 0, sizeof l->inside);
    CHECK_OK(edo_group_open(g, NULL));
    for (int i = 0; kinds[i] != '\0'; i++) {
        edo_event_init(&l->leave[i], EDO_EVENT_MANUAL);
        CHECK_OK(edo_token_create(&l->token[i]));
        CHECK_OK(edo_spawn_copy(g, stand_in_line, &(member){ l, i, kinds[i] }, sizeof(member)));
        settle();
    }
}

static void line_close(line *l, edo_group *g, const char *kinds)
{
    CHECK_OK(edo_group_close(g));
    for (int i = 0; kinds[i] != '\0'; i++)
        edo_token_release(l->token[i]);
    CHECK_OK(edo_rwlock_wrlock_nowait(&l->lock));
    edo_rwlock_unlock(&l->lock);
}

static void leave(line *l, char who)
{
    edo_event_set(&l->leave[who - 'a']);
    settle();
}

static int in_order(void *arg)
{
    line l;
    edo_group g;
    (void)arg;
    edo_rwlock_init(&l.lock);
    line_open(&l, &g, "rrwrrwwr"); /* a b | c | d e | f | g | h */
    CHECK_STR(l.inside, "ab");
    CHECK_INT(edo_rwlock_rdlock_nowait(&l.lock), ==, -EAGAIN); /* a writer is in line */
    leave(&l, 'a');
    CHECK_STR(l.inside, "ab");
    leave(&l, 'b');
    CHECK_STR(l.inside, "abc");
    leave(&l, 'c');
    CHECK_STR(l.inside, "abcde");
    leave(&l, 'e');
    CHECK_STR(l.inside, "abcde");
    leave(&l, 'd');
    CHECK_STR(l.inside, "abcdef");
    leave(&l, 'f');
    CHECK_STR(l.inside, "abcdefg");
    leave(&l, 'g');
    CHECK_STR(l.inside, "abcdefgh");
    leave(&l, 'h');
    line_close(&l, &g, "rrwrrwwr");
    return 0;
}

TEST(first_come_first_served)
{
    run_on(1, in_order, NULL);
}

static int downgraded(void *arg)
{
    line l;
    edo_group g;
    (void)arg;
    const char *kinds = "rrwr";
    edo_rwlock_init(&l.lock);
    CHECK_OK(edo_rwlock_wrlock(&l.lock));
    line_open(&l, &g, kinds);
    CHECK_STR(l.inside, "");
    edo_rwlock_downgrade(&l.lock);
    settle();
    CHECK_STR(l.inside, "ab"); /* not the writer, nor the reader behind it */
    leave(&l, 'a');
    leave(&l, 'b');
    CHECK_STR(l.inside, "ab");
    edo_rwlock_unlock(&l.lock);
    settle();
    CHECK_STR(l.inside, "abc");
    leave(&l, 'c');
    CHECK_STR(l.inside, "abcd");
    leave(&l, 'd');
    line_close(&l, &g, kinds);
    return 0;
}

TEST(downgrade_lets_no_writer_in)
{
    run_on(1, downgraded, NULL);
}

static int writer_leaves(void *arg)
{
    line l;
    edo_group g;
    edo_scope s;
    (void)arg;
    edo_rwlock_init(&l.lock);
    line_open(&l, &g, "rwrwr"); /* a inside */
    CHECK_STR(l.inside, "a");
    edo_token_cancel(l.token[3]); /* in the middle: nothing changes */
    settle();
    CHECK_STR(l.inside, "a");
    edo_token_cancel(l.token[1]); /* the head: readers behind it go in */
    settle();
    CHECK_STR(l.inside, "ace");
    leave(&l, 'a');
    leave(&l, 'c');
    leave(&l, 'e');
    CHECK_OK(edo_scope_open(&s, 0)); /* cancelled before: not taken although free */
    CHECK_INT(edo_rwlock_rdlock(&l.lock), ==, -ECANCELED);
    CHECK_INT(edo_rwlock_wrlock(&l.lock), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    line_close(&l, &g, "rwrwr");
    return 0;
}

TEST(cancelled_waiter_lets_others_pass)
{
    run_on(1, writer_leaves, NULL);
}

typedef struct table {
    edo_rwlock lock;
    int readers, writers; /* atomic */
    long a, b;            /* equal when no writer is inside */
    unsigned tasks, rounds;
    storm storm;
} table;

typedef struct user {
    table *t;
    unsigned slot;
} user;

static int lock_read(void *arg)
{
    return edo_rwlock_rdlock(arg);
}

static int lock_write(void *arg)
{
    return edo_rwlock_wrlock(arg);
}

static void read_it(table *t, uint64_t r)
{
    __atomic_fetch_add(&t->readers, 1, __ATOMIC_RELAXED);
    CHECK_INT(__atomic_load_n(&t->writers, __ATOMIC_RELAXED), ==, 0);
    long a = t->a;
    if (r % 4 == 0)
        (void)edo_yield();
    CHECK_INT(a, ==, t->b);
    CHECK_INT(__atomic_load_n(&t->writers, __ATOMIC_RELAXED), ==, 0);
    __atomic_fetch_sub(&t->readers, 1, __ATOMIC_RELAXED);
}

static void write_it(table *t, uint64_t r)
{
    CHECK_INT(__atomic_fetch_add(&t->writers, 1, __ATOMIC_RELAXED), ==, 0);
    CHECK_INT(__atomic_load_n(&t->readers, __ATOMIC_RELAXED), ==, 0);
    long a = ++t->a;
    if (r % 4 == 0)
        (void)edo_yield();
    t->b++;
    CHECK_INT(__atomic_fetch_sub(&t->writers, 1, __ATOMIC_RELAXED), ==, 1);
    if (r % 8 < 4)
        return;
    edo_rwlock_downgrade(&t->lock);
    read_it(t, r >> 3);
    CHECK_INT(t->a, ==, a);
}

static int use(void *arg)
{
    user *u = arg;
    table *t = u->t;
    uint64_t seed = test_seed() + u->slot;
    for (unsigned i = 0; i < t->rounds; i++) {
        uint64_t r = test_rand(&seed) >> 8;
        bool write = r % 3 == 0;
        edo_fn *op = write ? lock_write : lock_read;
        if (storm_op(&t->storm, u->slot, &seed, op, &t->lock) != 0)
            continue;
        if (write)
            write_it(t, r >> 8);
        else
            read_it(t, r >> 8);
        edo_rwlock_unlock(&t->lock);
    }
    return 0;
}

static int use_all(void *arg)
{
    table *t = arg;
    edo_group g;
    storm_begin(&t->storm, true);
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < t->tasks; i++)
        CHECK_OK(edo_spawn_copy(&g, use, &(user){ t, i }, sizeof(user)));
    CHECK_OK(edo_group_close(&g));
    return storm_end(&t->storm);
}

TEST_TIMEOUT(storm_with_foreign_threads, 60)
{
    EACH_WORKER_COUNT(i)
    {
        table t = { .lock = EDO_RWLOCK_INIT, .tasks = 24, .rounds = test_scale(400) };
        foreign_call threads[2];
        user outside[2] = { { &t, STORM_SLOTS - 1 }, { &t, STORM_SLOTS - 2 } };
        for (int k = 0; k < 2; k++)
            foreign_start(&threads[k], use, &outside[k]);
        run_on(worker_counts[i], use_all, &t);
        for (int k = 0; k < 2; k++)
            foreign_join(&threads[k]);
        CHECK_INT(t.storm.done, >, 0);
        CHECK_INT(t.storm.cancelled, >, 0);
        CHECK_INT(t.a, ==, t.b);
        CHECK(t.lock.edo__readers == 0 && t.lock.edo__q.state == 0);
        CHECK_OK(edo_rwlock_wrlock_nowait(&t.lock));
        edo_rwlock_unlock(&t.lock);
    }
}

/* Whoever is the last to hold it may free it at once. */
typedef struct box {
    int refs; /* atomic */
    edo_rwlock lock;
} box;

static int drop_box(void *arg)
{
    box *b = arg;
    bool write = __atomic_load_n(&b->refs, __ATOMIC_RELAXED) % 2 == 0;
    CHECK_OK(write ? edo_rwlock_wrlock(&b->lock) : edo_rwlock_rdlock(&b->lock));
    edo_rwlock_unlock(&b->lock);
    CHECK_OK(edo_rwlock_wrlock(&b->lock));
    int left = __atomic_sub_fetch(&b->refs, 1, __ATOMIC_RELAXED);
    edo_rwlock_unlock(&b->lock);
    if (left == 0)
        free(b);
    return 0;
}

TEST_TIMEOUT(may_be_freed_by_the_last_holder, 60)
{
    boxes all = { sizeof(box), drop_box, test_scale(2000) };
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], drop_boxes, &all);
}

TEST_MAIN()
