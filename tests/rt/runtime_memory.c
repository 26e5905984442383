/* SPDX-License-Identifier: MIT */
/* Every allocation fails once. The allocator of this program counts down to the one that fails, and
 * counts what is alive, so that whatever was refused must leave nothing behind. */
#include "core_test.h"

#include <malloc.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef OWN_MALLOC
#endif
#endif
#endif

static long countdown = -1; /* atomic; below zero: nothing fails */
static long alive, failed;  /* atomic */

#ifdef OWN_MALLOC
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static bool fails(void)
{
    if (LOAD(&countdown) < 0 || __atomic_fetch_sub(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    ADD(&failed, 1);
    return true;
}

static void *counted(void *p)
{
    if (p != NULL)
        ADD(&alive, 1);
    return p;
}

void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    if (fails())
        return NULL;
    return p == NULL ? counted(__libc_malloc(size)) : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *p)
{
    if (p != NULL)
        ADD(&alive, -1);
    __libc_free(p);
}
#endif

static void needs_own_malloc(void)
{
#ifndef OWN_MALLOC
    SKIP("the allocator is the sanitizer's");
#endif
    if (test_scale(1000) != 1000)
        SKIP("the allocator is replaced, or the C library is emulated");
}

static bool refused(int rc)
{
    if (rc < 0)
        CHECK(rc == -ENOMEM || rc == -EAGAIN);
    return rc < 0;
}

/* ---- starting a runtime ---- */

static unsigned started;

static int start(void *arg)
{
    (void)arg;
    ADD(&started, 1);
    return 7;
}

/* Whether the nth allocation of an attempt was there to fail. *left: blocks that are alive
 * since. */
static bool fail_nth(int (*attempt)(void), long n, long *left)
{
    long before = LOAD(&alive), failed_before = LOAD(&failed);
    STORE(&countdown, n);
    (void)attempt();
    bool hit = LOAD(&failed) != failed_before;
    STORE(&countdown, -1);
    *left = LOAD(&alive) - before;
    return hit;
}

static void fail_each(int (*attempt)(void))
{
    attempt(); /* what is made once and kept */
    long n = 0, left;
    for (; n < 10000 && fail_nth(attempt, n, &left); n++) {
        /* The C library keeps stacks of ended threads, each with a block or two; a leak comes
         * again. */
        for (int again = 0; left > 0 && again < 5; again++)
            (void)fail_nth(attempt, n, &left);
        if (left > 0)
            FAIL("allocation %ld failed: %ld blocks left behind each time", n, left);
    }
    printf("# %ld allocations, each failed once\n", n);
    CHECK_INT(n, >, 0);
    CHECK_INT(n, <, 10000);
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
