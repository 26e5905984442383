/* SPDX-License-Identifier: MIT */
/* Tokens: trees of them, who waits for them, scopes opened with them. */
#include "core_test.h"

static int tree_rules(void *arg)
{
    (void)arg;
    edo_token *root, *a, *b, *a1;
    CHECK_OK(edo_token_create(&root));
    CHECK_OK(edo_token_child(root, &a));
    CHECK_OK(edo_token_child(root, &b));
    CHECK_OK(edo_token_child(a, &a1));
    edo_token_cancel(a);
    edo_token_cancel(a);
    CHECK(edo_token_cancelled(a));
    CHECK(edo_token_cancelled(a1));
    CHECK(!edo_token_cancelled(root));
    CHECK(!edo_token_cancelled(b));
    edo_token *late;
    CHECK_OK(edo_token_child(a, &late));
    CHECK(edo_token_cancelled(late));
    CHECK_INT(edo_token_wait(late), ==, 0);
    edo_token_release(a); /* a1 keeps it */
    edo_token_cancel(root);
    CHECK(edo_token_cancelled(b));
    edo_token_release(root);
    edo_token_release(late);
    edo_token_release(b);
    CHECK(edo_token_cancelled(a1));
    edo_token_release(a1);
    edo_token_release(NULL);
    return 0;
}

TEST(parents_cancel_children)
{
    run_on(1, tree_rules, NULL);
    tree_rules(NULL);
}

/* A chain and a fan of many tokens: cancelled and freed without recursion. */
static void many_tokens(void)
{
    enum { N = 20000 };
    edo_token **t = calloc(N, sizeof *t);
    CHECK_OK(edo_token_create(&t[0]));
    for (int i = 1; i < N; i++)
        CHECK_OK(edo_token_child(t[i % 2 ? i - 1 : 0], &t[i]));
    edo_token_cancel(t[0]);
    for (int i = 0; i < N; i++)
        CHECK(edo_token_cancelled(t[i]));
    for (int i = 0; i < N; i++)
        edo_token_release(t[i]);
    CHECK_OK(edo_token_create(&t[0]));
    for (int i = 1; i < N; i++)
        CHECK_OK(edo_token_child(t[i - 1], &t[i]));
    for (int i = 0; i < N - 1; i++)
        edo_token_release(t[i]); /* held by their children */
    CHECK(!edo_token_cancelled(t[N - 1]));
    edo_token_release(t[N - 1]);
    free(t);
}

TEST(long_chains)
{
    many_tokens();
}

typedef struct waiting {
    edo_token *token;
    unsigned entered, left;
} waiting;

static int wait_token(void *arg)
{
    waiting *w = arg;
    ADD(&w->entered, 1);
    CHECK_INT(edo_token_wait(w->token), ==, 0);
    ADD(&w->left, 1);
    return 0;
}

static void *wait_token_thread(void *arg)
{
    wait_token(arg);
    return NULL;
}

static int many_wait(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        edo_token *root;
        waiting w = { 0 };
        pthread_t threads[3];
        edo_group g;
        CHECK_OK(edo_token_create(&root));
        CHECK_OK(edo_token_child(root, &w.token));
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < 20; i++)
            CHECK_OK(edo_spawn(&g, wait_token, &w));
        for (int i = 0; i < 3; i++)
            thread_start(&threads[i], wait_token_thread, &w);
        if (round % 2)
            until(&w.entered, 23);
        edo_token_cancel(root);
        CHECK_INT(edo_group_close(&g), ==, 0);
        for (int i = 0; i < 3; i++)
            thread_join(threads[i]);
        CHECK_UINT(w.left, ==, 23);
        edo_token_release(w.token);
        edo_token_release(root);
    }
    return 0;
}

TEST(tasks_and_threads_wait_for_a_token)
{
    EACH_WORKERS(w)
    run_on(w, many_wait, NULL);
}

static int wait_is_checkpoint(void *arg)
{
    (void)arg;
    edo_token *t;
    edo_scope s;
    CHECK_OK(edo_token_create(&t));
    edo_scope_open(&s, EDO_MS(2));
    CHECK_INT(edo_scope_close(&s, edo_token_wait(t)), ==, -ETIMEDOUT);
    edo_scope_open_token(&s, t, EDO_FOREVER);
    edo_token_release(t); /* the scope holds it */
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_INT(edo_scope_close(&s, 3), ==, 3);
    return 0;
}

TEST(waiting_for_a_token_is_a_checkpoint)
{
    EACH_WORKERS(w)
    run_on(w, wait_is_checkpoint, NULL);
    wait_is_checkpoint(NULL);
}

static void *cancel_token(void *arg)
{
    edo_token_cancel(arg);
    edo_token_release(arg);
    return NULL;
}

static int in_token_scope(void *arg)
{
    edo_scope s;
    edo_scope_open_token(&s, arg, EDO_SEC(100));
    int rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(rc, ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ECANCELED);
    CHECK_INT(edo_checkpoint(), ==, 0); /* outside of that scope nothing happened */
    return 0;
}

static int token_scopes(void *arg)
{
    (void)arg;
    for (int round = 0; round < 30; round++) {
        edo_token *t;
        edo_group g;
        pthread_t thread;
        CHECK_OK(edo_token_create(&t));
        CHECK_OK(edo_group_open(&g, NULL));
        for (int i = 0; i < 10; i++)
            CHECK_OK(edo_spawn(&g, in_token_scope, t));
        thread_start(&thread, cancel_token, edo_token_ref(t));
        CHECK_INT(edo_group_close(&g), ==, 0);
        thread_join(thread);
        edo_scope s; /* opened with a token that is cancelled already */
        edo_scope_open_token(&s, t, EDO_FOREVER);
        CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
        CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);
        edo_token_release(t);
    }
    return 0;
}

TEST(scopes_follow_their_token)
{
    EACH_WORKERS(w)
    run_on(w, token_scopes, NULL);
}

/* Scopes of plain threads. */
static void *thread_in_scope(void *arg)
{
    CHECK_INT(in_token_scope(arg), ==, 0);
    return NULL;
}

TEST(threads_follow_a_token)
{
    for (int round = 0; round < 50; round++) {
        edo_token *t;
        pthread_t threads[4];
        CHECK_OK(edo_token_create(&t));
        for (int i = 0; i < 4; i++)
            thread_start(&threads[i], thread_in_scope, t);
        edo_token_cancel(t);
        for (int i = 0; i < 4; i++)
            thread_join(threads[i]);
        edo_token_release(t);
    }
}

/* Children come and go while the parent is cancelled. */
typedef struct nursery {
    edo_token *root;
    unsigned go;
} nursery;

static void *breed(void *arg)
{
    nursery *n = arg;
    while (!LOAD(&n->go))
        sched_yield();
    for (int i = 0; i < 300; i++) {
        edo_token *a, *b;
        edo_scope s;
        CHECK_OK(edo_token_child(n->root, &a));
        CHECK_OK(edo_token_child(a, &b));
        edo_scope_open_token(&s, b, EDO_FOREVER);
        edo_token_release(a);
        int rc = edo_checkpoint();
        int closed = edo_scope_close(&s, rc);
        CHECK(closed == rc || closed == -ECANCELED);
        edo_token_release(b);
    }
    return NULL;
}

TEST(children_come_and_go_during_a_cancel)
{
    for (int round = 0; round < 30; round++) {
        nursery n = { 0 };
        pthread_t threads[3];
        CHECK_OK(edo_token_create(&n.root));
        for (int i = 0; i < 3; i++)
            thread_start(&threads[i], breed, &n);
        STORE(&n.go, 1);
        for (int i = 0; i < round * 20; i++)
            sched_yield();
        edo_token_cancel(n.root);
        for (int i = 0; i < 3; i++)
            thread_join(threads[i]);
        edo_token_release(n.root);
    }
}

TEST_MAIN()
