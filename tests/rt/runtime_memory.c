/* SPDX-License-Identifier: MIT */
/* Every allocation of starting a runtime and of what tasks are made of fails once, see nomem.h. */
#include "nomem.h"

/* ---- starting a runtime ---- */

static unsigned started;

static int start(void *arg)
{
    (void)arg;
    ADD(&started, 1);
    return 7;
}

static int attempt_run(void)
{
    started = 0;
    int rc = edo_run(&(edo_config){ .workers = 3 }, start, NULL);
    if (rc != 7)
        CHECK(refused(rc));
    CHECK_UINT(started, ==, rc == 7);
    return rc;
}

TEST(starting_and_running)
{
    needs_own_malloc();
    fail_each(attempt_run);
}

static int attempt_create(void)
{
    edo_runtime *rt;
    int rc = edo_runtime_create(&rt, &(edo_config){ .workers = 2 });
    if (refused(rc))
        return rc;
    rc = edo_runtime_block_on(rt, start, NULL);
    if (rc != 7)
        CHECK(refused(rc));
    (void)refused(edo_runtime_spawn(rt, start, NULL));
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(20)));
    return 0;
}

TEST(creating_and_spawning_from_outside)
{
    needs_own_malloc();
    fail_each(attempt_create);
}

/* ---- on a task ---- */

static edo_local local = EDO_LOCAL_INIT(NULL);

static int child(void *arg)
{
    int rc = edo_local_set(&local, arg);
    return refused(rc) ? 0 : 1;
}

static void destroy(void *p)
{
    free(p);
}

static int job(void *arg)
{
    (void)arg;
    return 5;
}

static int on_task(void *arg)
{
    (void)arg;
    edo_group g;
    char large[500] = { 0 };
    int spawned = 0;
    long failed_before = LOAD(&failed);
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 200; i++) { /* results are kept in chunks */
        spawned += !refused(edo_spawn(&g, child, &g));
        spawned += !refused(edo_spawn_copy(&g, child, large, sizeof large));
    }
    spawned += !refused(edo_spawn_with(&g, &(edo_task_options){ .name = "n", .stack_size = 4096 },
                                       &(uint64_t){ 0 }, child, &g));
    spawned += !refused(edo_spawn_blocking(&g, job, NULL));
    edo_result r;
    int got = 0, rc;
    while ((rc = edo_group_next(&g, &r)) == 1) {
        got++;
        CHECK(r.code >= 0 || r.code == -ENOMEM || r.code == -EAGAIN);
    }
    CHECK_INT(rc, ==, 0);
    /* Without memory for its result a child is not reported; what it returned still counts in the
     * close. */
    CHECK_INT(got, <=, spawned);
    CHECK_INT(got, >=, spawned - (int)(LOAD(&failed) - failed_before));
    rc = edo_group_close(&g);
    CHECK(rc == 0 || refused(rc));
    edo_token *t, *c;
    if (!refused(edo_token_create(&t))) {
        if (!refused(edo_token_child(t, &c))) {
            edo_scope s;
            edo_scope_open_token(&s, c, EDO_SEC(100));
            edo_token_cancel(t);
            CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_SEC(100))), ==, -ECANCELED);
            edo_token_release(c);
        }
        edo_token_release(t);
    }
    edo_chan *ch;
    if (!refused(edo_chan_create(&ch, 64, SIZE_MAX))) {
        char v[64] = { 0 };
        int sent = 0;
        for (int i = 0; i < 300; i++)
            sent += !refused(edo_chan_send(ch, v));
        CHECK_UINT(edo_chan_len(ch), ==, (unsigned)sent);
        edo_chan_unref(ch);
    }
    rc = edo_blocking(job, NULL);
    CHECK(rc == 5 || refused(rc));
    void *p = malloc(10);
    if (p != NULL)
        CHECK_OK(edo_drop(p, destroy));
    return 0;
}

static int attempt_task(void)
{
    int rc = edo_run(&(edo_config){ .workers = 2 }, on_task, NULL);
    CHECK(rc == 0 || refused(rc));
    return rc;
}

TEST_TIMEOUT(everything_a_task_allocates, 60)
{
    needs_own_malloc();
    fail_each(attempt_task);
}

TEST_MAIN()
