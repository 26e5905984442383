/* SPDX-License-Identifier: MIT */
/* Scopes: deadlines, nesting, shields, who reports a time-out, and that cancelling is a state. */
#include "core_test.h"

static int deadline_only_at_owner(void *arg)
{
    (void)arg;
    edo_scope outer, middle, inner;
    int64_t start = edo_now();
    edo_scope_open(&outer, EDO_SEC(100));
    edo_scope_open(&middle, EDO_MS(5));
    edo_scope_open(&inner, EDO_SEC(50));
    int rc = edo_sleep(EDO_FOREVER);
    CHECK_INT(rc, ==, -ECANCELED);
    CHECK_INT(edo_now() - start, >=, EDO_MS(5));
    rc = edo_scope_close(&inner, rc);
    CHECK_INT(rc, ==, -ECANCELED);
    rc = edo_scope_close(&middle, rc);
    CHECK_INT(rc, ==, -ETIMEDOUT);
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_INT(edo_scope_close(&outer, 0), ==, 0);
    return 0;
}

TEST(the_deadline_is_reported_by_its_owner)
{
    EACH_WORKERS(w)
    run_on(w, deadline_only_at_owner, NULL);
}

static int inner_first(void *arg)
{
    (void)arg;
    edo_scope outer, inner;
    edo_scope_open(&outer, EDO_SEC(100));
    edo_scope_open(&inner, EDO_MS(3));
    CHECK_INT(edo_scope_close(&inner, edo_sleep(EDO_SEC(50))), ==, -ETIMEDOUT);
    CHECK_INT(edo_sleep(EDO_US(10)), ==, 0);
    CHECK_INT(edo_scope_close(&outer, 4), ==, 4);
    return 0;
}

TEST(an_inner_deadline_leaves_the_outer_scope_alone)
{
    EACH_WORKERS(w)
    run_on(w, inner_first, NULL);
}

/* The table of edo_scope_close(). */
static int closing(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED); /* somebody's own reason */
    edo_scope_open(&s, EDO_SEC(100));
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);
    edo_scope_open(&s, 0); /* passed already */
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    edo_scope_open(&s, -EDO_SEC(1));
    CHECK_INT(edo_yield(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, 0), ==, 0); /* done in spite of it */
    edo_scope_open(&s, 0);
    CHECK_INT(edo_scope_close(&s, 17), ==, 17);
    edo_scope_open(&s, 0);
    CHECK_INT(edo_scope_close(&s, -EIO), ==, -EIO);
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_scope_close(&s, 9), ==, 9);
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_scope_close(&s, -EPIPE), ==, -EPIPE);
    edo_scope_open(&s, EDO_SEC(100)); /* cancelled, and its deadline is not the cause */
    edo_scope_cancel(&s);
    CHECK_INT(edo_scope_close(&s, edo_sleep(1)), ==, -ECANCELED);
    edo_scope_open(&s, INT64_MAX - 1); /* now + after does not fit */
    CHECK_INT(edo_sleep(1), ==, 0);
    CHECK_INT(edo_scope_close(&s, 0), ==, 0);
    return 0;
}

TEST(what_closing_returns)
{
    EACH_WORKERS(w)
    run_on(w, closing, NULL);
    CHECK_INT(closing(NULL), ==, 0); /* on a thread */
}

/* ---- level-triggered ---- */

static int never_blocks(void *arg)
{
    (void)arg;
    FAIL("a blocking job was started by a cancelled task");
}

static int every_wait_is_cancelled(void *arg)
{
    bool task = arg != NULL;
    int v = 0;
    edo_chan *c;
    edo_token *t;
    edo_event e = EDO_EVENT_INIT;
    edo_sem sem;
    edo_sem_init(&sem, 5);
    CHECK_OK(edo_chan_create(&c, sizeof v, 4));
    CHECK_OK(edo_chan_send(c, &v));
    CHECK_OK(edo_token_create(&t));
    edo_event_set(&e);
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
        CHECK_INT(edo_yield(), ==, -ECANCELED);
        CHECK_INT(edo_sleep(-1), ==, -ECANCELED);
        CHECK_INT(edo_sleep(0), ==, -ECANCELED);
        CHECK_INT(edo_sleep(1), ==, -ECANCELED);
        CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
        CHECK_INT(edo_sleep_until(0), ==, -ECANCELED);
        CHECK_INT(edo_chan_send(c, &v), ==, -ECANCELED); /* though there is room */
        CHECK_INT(edo_chan_recv(c, &v), ==, -ECANCELED); /* and a value */
        CHECK_INT(edo_event_wait(&e), ==, -ECANCELED);
        CHECK_INT(edo_sem_acquire(&sem, 1), ==, -ECANCELED);
        CHECK_INT(edo_token_wait(t), ==, -ECANCELED);
        if (task)
            CHECK_INT(edo_blocking(never_blocks, NULL), ==, -ECANCELED);
        if (task)
            CHECK_INT(edo_cpu(never_blocks, NULL), ==, -ECANCELED);
        edo_scope inner;
        edo_scope_open(&inner, EDO_FOREVER);
        CHECK_INT(edo_sleep(1), ==, -ECANCELED);
        CHECK_INT(edo_scope_close(&inner, 0), ==, 0);
    }
    CHECK_UINT(edo_chan_len(c), ==, 1);
    CHECK_UINT(edo_sem_permits(&sem), ==, 5);
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_INT(edo_yield(), ==, 0);
    edo_chan_unref(c);
    edo_token_release(t);
    return 0;
}

TEST(a_cancel_is_a_state)
{
    EACH_WORKERS(w)
    run_on(w, every_wait_is_cancelled, &(int){ 1 });
    every_wait_is_cancelled(NULL); /* the same on a thread */
}

/* ---- shields ---- */

static int shielded(void *arg)
{
    (void)arg;
    edo_scope s, shield, inner;
    edo_scope_open(&s, EDO_FOREVER);
    edo_shield_open(&shield, EDO_FOREVER);
    edo_scope_cancel(&s); /* while the shield is up */
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_INT(edo_sleep(EDO_MS(1)), ==, 0);
    edo_scope_open(&inner, EDO_MS(1));
    CHECK_INT(edo_scope_close(&inner, edo_sleep(EDO_SEC(100))), ==, -ETIMEDOUT);
    CHECK_INT(edo_scope_close(&shield, 0), ==, 0);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    edo_shield_open(&shield, EDO_MS(2)); /* opened when it is cancelled already */
    CHECK_INT(edo_checkpoint(), ==, 0);
    CHECK_INT(edo_scope_close(&shield, edo_sleep(EDO_SEC(100))), ==, -ETIMEDOUT);
    edo_shield_open(&shield, EDO_FOREVER); /* cancelled itself */
    edo_scope_cancel(&shield);
    CHECK_INT(edo_scope_close(&shield, edo_sleep(EDO_SEC(100))), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);

    edo_scope_open(&s, 0); /* a deadline is kept out as well */
    edo_shield_open(&shield, EDO_FOREVER);
    CHECK_INT(edo_sleep(EDO_MS(1)), ==, 0);
    CHECK_INT(edo_scope_close(&shield, 5), ==, 5);
    CHECK_INT(edo_scope_close(&s, edo_sleep(1)), ==, -ETIMEDOUT);
    return 0;
}

TEST(shields_keep_cancels_out)
{
    EACH_WORKERS(w)
    run_on(w, shielded, NULL);
    shielded(NULL);
}

/* A group inside a shield: its children are shielded, too, from what is outside. */
typedef struct cleanup {
    unsigned in_shield, cancelled, cleaned;
} cleanup;

static int nap_child(void *arg)
{
    cleanup *c = arg;
    until(&c->cancelled, 1);
    CHECK_INT(edo_sleep(EDO_US(100)), ==, 0);
    ADD(&c->cleaned, 1);
    return 0;
}

static int cleaner(void *arg)
{
    cleanup *c = arg;
    edo_scope shield;
    edo_group g;
    edo_shield_open(&shield, EDO_SEC(100));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, nap_child, c));
    STORE(&c->in_shield, 1);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_INT(edo_scope_close(&shield, 0), ==, 0);
    CHECK_INT(edo_checkpoint(), ==, -ECANCELED);
    return -ECANCELED;
}

static int shielded_group(void *arg)
{
    (void)arg;
    cleanup c = { 0 };
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, cleaner, &c));
    until(&c.in_shield, 1);
    edo_group_cancel(&g);
    STORE(&c.cancelled, 1);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    CHECK_UINT(c.cleaned, ==, 5);
    return 0;
}

TEST(a_group_in_a_shield)
{
    EACH_WORKERS(w)
    run_on(w, shielded_group, NULL);
}

/* ---- across tasks ---- */

typedef struct outcome {
    int codes[4];
} outcome;

static int grandchild(void *arg)
{
    int *code = arg;
    *code = edo_sleep(EDO_FOREVER);
    return *code;
}

static int child_with_group(void *arg)
{
    outcome *o = arg;
    edo_group g;
    edo_scope s;
    edo_scope_open(&s, EDO_SEC(1000));
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 4; i++) {
        int rc = edo_spawn(&g, grandchild, &o->codes[i]);
        if (rc < 0) {
            CHECK_INT(rc, ==, -ECANCELED);
            o->codes[i] = rc;
        }
    }
    int rc = edo_group_close(&g);
    CHECK(rc == -ECANCELED || rc == 0);
    return edo_scope_close(&s, -ECANCELED);
}

static int deadline_reaches_children(void *arg)
{
    (void)arg;
    outcome o = { { 0 } };
    edo_scope s;
    edo_group g;
    CHECK_OK(edo_clock_pause()); /* it passes when all wait */
    edo_scope_open(&s, EDO_MS(4));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, child_with_group, &o));
    int rc = edo_group_close(&g);
    CHECK_INT(rc, ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        CHECK_INT(o.codes[i], ==, -ECANCELED);
    return 0;
}

TEST(a_deadline_reaches_the_children)
{
    for (int i = 0; i < 5; i++)
        EACH_WORKERS(w)
    run_on(w, deadline_reaches_children, NULL);
}

static void *cancel_scope(void *arg)
{
    edo_scope_cancel(arg);
    return NULL;
}

static int cancelled_by_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        outcome o = { { 0 } };
        edo_scope s;
        edo_group g;
        pthread_t thread;
        edo_scope_open(&s, EDO_FOREVER);
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, child_with_group, &o));
        thread_start(&thread, cancel_scope, &s);
        int rc = edo_group_close(&g);
        CHECK_INT(rc, ==, -ECANCELED);
        thread_join(thread);
        CHECK_INT(edo_scope_close(&s, rc), ==, -ECANCELED);
        for (int k = 0; k < 4; k++)
            CHECK_INT(o.codes[k], ==, -ECANCELED);
    }
    return 0;
}

TEST(a_thread_cancels_a_scope)
{
    EACH_WORKERS(w)
    run_on(w, cancelled_by_thread, NULL);
}

/* ---- completion wins over the cancel ---- */

static int completed(void *arg)
{
    (void)arg;
    int v = 7;
    edo_chan *c;
    edo_scope s;
    CHECK_OK(edo_chan_create(&c, sizeof v, 1));
    edo_scope_open(&s, EDO_FOREVER);
    int rc = edo_chan_send(c, &v);
    edo_scope_cancel(&s);
    CHECK_INT(rc, ==, 0);
    CHECK_INT(edo_chan_recv(c, &v), ==, -ECANCELED);
    CHECK_UINT(edo_chan_len(c), ==, 1);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ECANCELED);
    CHECK_INT(edo_chan_recv(c, &v), ==, 0);
    CHECK_INT(v, ==, 7);
    edo_chan_unref(c);
    return 0;
}

TEST(what_was_done_is_reported)
{
    run_on(1, completed, NULL);
}

/* ---- with_timeout, busy loops ---- */

static int sleep_for(void *arg)
{
    return edo_sleep(*(int64_t *)arg);
}

static int return_code(void *arg)
{
    return *(int *)arg;
}

static int timeouts(void *arg)
{
    (void)arg;
    int code = 11;
    CHECK_INT(edo_with_timeout(EDO_MS(2), sleep_for, &(int64_t){ EDO_FOREVER }), ==, -ETIMEDOUT);
    CHECK_INT(edo_with_timeout(EDO_SEC(100), sleep_for, &(int64_t){ EDO_US(10) }), ==, 0);
    CHECK_INT(edo_with_timeout(0, return_code, &code), ==, 11);
    code = -EIO;
    CHECK_INT(edo_with_timeout(EDO_FOREVER, return_code, &code), ==, -EIO);
    CHECK_INT(edo_with_timeout(0, sleep_for, &(int64_t){ 0 }), ==, -ETIMEDOUT);
    return 0;
}

TEST(with_timeout)
{
    EACH_WORKERS(w)
    run_on(w, timeouts, NULL);
    timeouts(NULL);
}

static int busy(void *arg)
{
    (void)arg;
    edo_scope s;
    int64_t start = edo_now();
    edo_scope_open(&s, EDO_MS(3));
    int rc;
    while ((rc = edo_checkpoint()) == 0)
        ;
    CHECK_INT(edo_now() - start, >=, EDO_MS(3));
    CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
    return 0;
}

TEST(a_busy_loop_sees_its_deadline)
{
    EACH_WORKERS(w)
    run_on(w, busy, NULL);
    busy(NULL);
}

/* A cancel that comes at any moment of a wait: none is lost, none hits the wrong wait. */
typedef struct target {
    edo_token *token; /* atomic */
    unsigned over;
} target;

static void *archer(void *arg)
{
    target *t = arg;
    while (!LOAD(&t->over)) {
        edo_token *token = __atomic_exchange_n(&t->token, NULL, __ATOMIC_ACQ_REL);
        if (token != NULL)
            edo_token_cancel(token);
        edo_token_release(token);
        sched_yield();
    }
    return NULL;
}

static int hit_me(void *arg)
{
    target *t = arg;
    for (unsigned i = 0, n = test_scale(3000); i < n; i++) {
        edo_scope s;
        edo_token *token;
        CHECK_OK(edo_token_create(&token));
        edo_scope_open_token(&s, token, EDO_FOREVER);
        STORE(&t->token, edo_token_ref(token));
        for (unsigned k = i % 7; k > 0; k--)
            (void)edo_checkpoint();
        CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
        CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ECANCELED);
        CHECK_INT(edo_checkpoint(), ==, 0);
        edo_token_release(token);
        if (i % 16 == 0)
            CHECK_INT(edo_yield(), ==, 0);
    }
    return 0;
}

TEST_TIMEOUT(cancels_at_any_moment, 60)
{
    EACH_WORKERS(w)
    {
        target t = { 0 };
        pthread_t thread;
        thread_start(&thread, archer, &t);
        run_on(w, hit_me, &t);
        STORE(&t.over, 1);
        thread_join(thread);
    }
}

TEST_MAIN()
