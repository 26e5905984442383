/* SPDX-License-Identifier: MIT */
/*
 * The pool of stacks: classes, reuse, guards of every kind, many stacks, and the report of an
 * overflow.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define KIB ((size_t)1 << 10)
#define SANITIZED (EDO__ASAN || EDO__TSAN)

struct edo__task {
    const char *name;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static edo__stack_pool *pool;

/* The entry loop as the core has it: one task after another on the same stack. */
static void entry(void *arg)
{
    edo__stack *s = arg;
    for (;;) {
        s->task->fn(s->task->arg);
        s->task->done = true;
        edo__context_suspend(&s->ctx);
    }
}

static void run_on(edo__stack *s, void (*fn)(void *arg), void *arg)
{
    struct edo__task task = { .name = "test", .fn = fn, .arg = arg };
    s->task = &task;
    edo__context_resume(&s->ctx);
    s->started = 1;
    CHECK(task.done);
    s->task = NULL;
}

static void count_up(void *arg)
{
    ++*(unsigned *)arg;
}

static void touch(void *arg)
{
    size_t bytes = *(size_t *)arg;
    volatile char *here = __builtin_frame_address(0);
    for (size_t i = 0; i < bytes; i += KIB)
        here[-(ptrdiff_t)i - 256] = 1;
}

static void pool_open(size_t default_size)
{
    CHECK_OK(edo__stack_pool_create(&pool, default_size, entry));
}

TEST(classes_fit_requests)
{
    pool_open(0);
    CHECK_UINT(edo__stack_class_for(pool, 0), ==, EDO__STACK_DEFAULT);
    CHECK_UINT(edo__stack_class_for(pool, 1), ==, EDO__STACK_SMALL);
    CHECK_UINT(edo__stack_class_for(pool, 32 * KIB), ==, EDO__STACK_SMALL);
    CHECK_UINT(edo__stack_class_for(pool, 32 * KIB + 1), ==, EDO__STACK_DEFAULT);
    CHECK_UINT(edo__stack_class_for(pool, 256 * KIB), ==, EDO__STACK_DEFAULT);
    CHECK_UINT(edo__stack_class_for(pool, 257 * KIB), ==, EDO__STACK_LARGE);
    CHECK_UINT(edo__stack_class_for(pool, 64 * 1024 * KIB), ==, EDO__STACK_LARGE);
    edo__stack_pool_destroy(pool);
    pool_open(8 * 1024 * KIB);
    CHECK_UINT(edo__stack_class_for(pool, 2 * 1024 * KIB), ==, EDO__STACK_DEFAULT);
    CHECK_UINT(edo__stack_class_for(pool, 512 * KIB), ==, EDO__STACK_LARGE);
    CHECK_UINT(edo__stack_class_for(pool, 64 * 1024 * KIB), ==, EDO__STACK_DEFAULT);
    edo__stack_pool_destroy(pool);
    CHECK_INT(edo__stack_pool_create(&pool, (size_t)1 << 40, entry), ==, -EINVAL);
}

TEST(every_class_can_be_used_to_its_bottom)
{
    pool_open(0);
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        edo__stack *s = edo__stack_acquire(pool, cls);
        unsigned n = 0;
        CHECK(s != NULL);
        run_on(s, count_up, &n);
        run_on(s, count_up, &n);
        CHECK_UINT(n, ==, 2);
        CHECK_UINT(s->size, >=, edo__stack_class_size(pool, cls) - 20 * KIB);
        CHECK((char *)s == s->lo + s->size);
        memset(s->lo, 0x55, 64);
        s->lo[0] = 0;
        edo__stack *found;
        CHECK_INT(edo__stack_find(s->lo, &found), ==, 0);
        CHECK(found == s);
        CHECK_INT(edo__stack_find(s->lo + s->size - 1, &found), ==, 0);
        CHECK(found == s);
        CHECK_INT(edo__stack_find(s->lo - 1, &found), ==, 1);
        CHECK(found == s);
        edo__stack_release(pool, s);
    }
    edo__stack *found = (edo__stack *)&found;
    CHECK_INT(edo__stack_find(&found, &found), ==, 0);
    CHECK(found == NULL);
    edo__stack_pool_destroy(pool);
}

TEST(released_stacks_come_back_last_in_first_out)
{
    pool_open(0);
    edo__stack *s[8];
    unsigned n = 0;
    for (unsigned i = 0; i < 8; i++) {
        s[i] = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
        run_on(s[i], count_up, &n);
    }
    for (unsigned i = 0; i < 8; i++)
        edo__stack_release(pool, s[i]);
    edo__stack_counts counts;
    edo__stack_pool_counts(pool, EDO__STACK_DEFAULT, &counts);
    CHECK_UINT(counts.in_use, ==, 0);
    CHECK_UINT(counts.warm, ==, 8);
    for (unsigned i = 8; i-- > 0;) {
        edo__stack *again = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
        CHECK(again == s[i]);
        CHECK_UINT(again->started, ==, 1); /* its entry loop still waits */
        run_on(again, count_up, &n);
    }
    CHECK_UINT(n, ==, 16);
    edo__stack_pool_counts(pool, EDO__STACK_DEFAULT, &counts);
    CHECK_UINT(counts.in_use, ==, 8);
    CHECK_UINT(counts.warm, ==, 0);
    edo__stack_pool_destroy(pool);
}

TEST(deep_stacks_are_trimmed_and_shallow_ones_touch_one_page)
{
    enum { COUNT = 200 };
    if (SANITIZED || EDO_UCONTEXT)
        SKIP("frames are larger");
    pool_open(0);
    edo__stack *s[COUNT];
    unsigned n = 0;
    size_t bytes[] = { 20 * KIB, 200 * KIB };
    for (unsigned i = 0; i < COUNT; i++) {
        s[i] = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
        run_on(s[i], count_up, &n);
        CHECK_UINT(edo__stack_high_water(s[i]), <=, 4 * KIB);
        run_on(s[i], touch, &bytes[i % 2]);
        CHECK_UINT(edo__stack_high_water(s[i]) + KIB, >=, bytes[i % 2]);
        CHECK_UINT(edo__stack_high_water(s[i]), <=, bytes[i % 2] + 8 * KIB);
    }
    for (unsigned i = 0; i < COUNT; i++)
        edo__stack_release(pool, s[i]);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t touched = edo__stack_high_water(s[i]);
        if (i < 64 || i % 2 == 0) /* hot, or not worth trimming */
            CHECK_UINT(touched + KIB, >=, bytes[i % 2]);
        else
            CHECK_UINT(touched, <=, 40 * KIB);
    }
    for (unsigned i = COUNT; i-- > 0;) {
        CHECK(edo__stack_acquire(pool, EDO__STACK_DEFAULT) == s[i]);
        run_on(s[i], count_up, &n);
    }
    CHECK_UINT(n, ==, 2 * COUNT);
    edo__stack_pool_destroy(pool);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t rss_kib(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL);
    CHECK_INT(fscanf(f, "%*s %zu", &pages), ==, 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / KIB;
}

/* ThreadSanitizer has room for about 8000 stacks. */
static unsigned many(unsigned n)
{
    unsigned scaled = test_scale(n);
    return EDO__TSAN && scaled > 4000 ? 4000 : scaled;
}

static void fill_and_empty(unsigned count, bool cold_expected)
{
    edo__stack **s = calloc(count, sizeof *s);
    unsigned runs = 0;
    CHECK(s != NULL);
    uint64_t start = now_ns();
    for (unsigned i = 0; i < count; i++) {
        s[i] = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
        CHECK(s[i] != NULL);
        run_on(s[i], count_up, &runs);
    }
    uint64_t full = now_ns();
    size_t rss = rss_kib();
    CHECK_UINT(runs, ==, count);
    for (unsigned i = 0; i < count; i++)
        edo__stack_release(pool, s[i]);
    uint64_t empty = now_ns();
    printf("# %u stacks: acquire and first run %.0f ns, release %.0f ns each, %zu KiB resident, "
           "%zu after\n",
           count, (double)(full - start) / count, (double)(empty - full) / count, rss, rss_kib());
    edo__stack_counts counts;
    edo__stack_pool_counts(pool, EDO__STACK_DEFAULT, &counts);
    CHECK_UINT(counts.in_use, ==, 0);
    CHECK_UINT(counts.warm + counts.cold, ==, count);
    CHECK_UINT(counts.cold > 0, ==, cold_expected);
    free(s);
}

TEST_TIMEOUT(many_stacks_go_cold_and_come_back, 120)
{
    unsigned count = many(100000);
    pool_open(0);
    for (unsigned round = 0; round < 3; round++)
        fill_and_empty(count, count > 16384);
    edo__stack_pool_destroy(pool);
}

/* An emulator of another processor keeps books on every page, and the memory counted is its own. */
static bool emulated(void)
{
    char comm[16] = "";
    FILE *f = fopen("/proc/self/comm", "r");
    bool known = f != NULL && fgets(comm, sizeof comm, f) != NULL;
    if (f != NULL)
        fclose(f);
    return known && strncmp(comm, "qemu", 4) == 0;
}

TEST_TIMEOUT(a_million_stacks, 120)
{
    if (test_scale(1000) != 1000 || emulated())
        SKIP("too slow here");
    if ((size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) < ((size_t)6 << 30))
        SKIP("less than 6 GiB of free memory");
    pool_open(0);
    size_t before = rss_kib();
    edo__stack **s = calloc(1000000, sizeof *s);
    CHECK(s != NULL);
    unsigned runs = 0;
    for (unsigned i = 0; i < 1000000; i++) {
        s[i] = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
        if (s[i] == NULL && i > 100000)
            SKIP("not enough address space or memory");
        CHECK(s[i] != NULL);
        if (i % 10 == 0)
            run_on(s[i], count_up, &runs);
    }
    printf("# a million stacks: %zu KiB resident, %zu GiB mapped\n", rss_kib() - before,
           edo__stack_pool_mapped(pool) >> 30);
    CHECK_UINT(runs, ==, 100000);
    CHECK_UINT(rss_kib() - before, <=, 5 * 1000 * 1000);
    for (unsigned i = 0; i < 1000000; i++)
        edo__stack_release(pool, s[i]);
    CHECK_UINT(rss_kib() - before, <=, 200 * 1000);
    free(s);
    edo__stack_pool_destroy(pool);
    CHECK_UINT(rss_kib() - before, <=, 20 * 1000);
}

TEST(warm_acquire_is_cheap)
{
    pool_open(0);
    unsigned rounds = test_scale(1000000), runs = 0;
    edo__stack *s = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
    run_on(s, count_up, &runs);
    edo__stack_release(pool, s);
    uint64_t start = now_ns();
    for (unsigned i = 0; i < rounds; i++)
        edo__stack_release(pool, edo__stack_acquire(pool, EDO__STACK_DEFAULT));
    uint64_t mid = now_ns();
    s = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
    for (unsigned i = 0; i < rounds; i++)
        run_on(s, count_up, &runs);
    uint64_t end = now_ns();
    printf("# warm acquire and release %.1f ns, one run %.1f ns\n", (double)(mid - start) / rounds,
           (double)(end - mid) / rounds);
    CHECK_UINT(runs, ==, rounds + 1);
    edo__stack_release(pool, s);
    edo__stack_pool_destroy(pool);
}

static void *hammer(void *arg)
{
    uint64_t seed = test_seed() + (uintptr_t)arg;
    edo__stack *held[16] = { 0 };
    unsigned runs = 0, expected = 0;
    for (unsigned i = test_scale(20000); i > 0; i--) {
        unsigned at = (unsigned)(test_rand(&seed) % 16);
        if (held[at] == NULL) {
            held[at] = edo__stack_acquire(pool, (unsigned)(test_rand(&seed) % EDO__STACK_CLASSES));
            CHECK(held[at] != NULL);
            CHECK(held[at]->task == NULL);
            run_on(held[at], count_up, &runs);
            expected++;
        } else {
            edo__stack_release(pool, held[at]);
            held[at] = NULL;
        }
    }
    for (unsigned i = 0; i < 16; i++)
        if (held[i] != NULL)
            edo__stack_release(pool, held[i]);
    CHECK_UINT(runs, ==, expected);
    return NULL;
}

TEST_TIMEOUT(threads_share_a_pool, 120)
{
    pthread_t threads[4];
    pool_open(64 * KIB);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, hammer, (void *)i), ==, 0);
    for (unsigned i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
    edo__stack_counts counts;
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        edo__stack_pool_counts(pool, cls, &counts);
        CHECK_UINT(counts.in_use, ==, 0);
    }
    edo__stack_pool_destroy(pool);
}

TEST(without_memory_there_is_no_stack_but_no_crash)
{
    if (SANITIZED || test_scale(10) != 10 || emulated())
        SKIP("tools need address space of their own");
    struct rlimit limit = { (rlim_t)1 << 30, (rlim_t)1 << 30 };
    CHECK_INT(setrlimit(RLIMIT_AS, &limit), ==, 0);
    pool_open(0);
    static edo__stack *s[5000];
    unsigned count = 0, runs = 0;
    while (count < 5000 && (s[count] = edo__stack_acquire(pool, EDO__STACK_DEFAULT)) != NULL)
        count++;
    CHECK_UINT(count, >=, 3000); /* slabs get smaller rather than fail */
    CHECK_UINT(count, <, 4096);
    edo__stack_release(pool, s[count - 1]);
    s[count - 1] = edo__stack_acquire(pool, EDO__STACK_DEFAULT);
    for (unsigned i = 0; i < count; i++)
        run_on(s[i], count_up, &runs);
    CHECK_UINT(runs, ==, count);
    edo__stack_counts counts;
    edo__stack_pool_counts(pool, EDO__STACK_DEFAULT, &counts);
    CHECK_UINT(counts.in_use, ==, count);
    edo__stack_pool_destroy(pool);
}

TEST(pools_come_and_go)
{
    for (unsigned i = 0; i < 3000; i++) {
        pool_open(0);
        CHECK(edo__stack_acquire(pool, EDO__STACK_SMALL) != NULL);
        CHECK(edo__stack_acquire(pool, EDO__STACK_LARGE) != NULL);
        edo__stack_pool_destroy(pool);
    }
}

/* Overflows, each in a child of its own. */

__attribute__((noinline)) static unsigned long recurses(unsigned long n)
{
    volatile char block[300];
    block[n % sizeof block] = (char)n;
    if (n == 0)
        return 0;
    unsigned long below = recurses(n - 1);
    return below + (unsigned long)block[n % sizeof block];
}

static unsigned long depth_wanted;
static volatile unsigned long sink;

static void deep(void *arg)
{
    (void)arg;
    sink = recurses(depth_wanted);
}

static size_t describe(struct edo__task *t, char *buf, size_t cap)
{
    int n = snprintf(buf, cap, "task \"%s\" (id 7) spawned at main.c:12", t->name);
    return n < 0 ? 0 : (size_t)n;
}

static void writes_past_the_end(void *arg)
{
    edo__stack *s = arg;
    memset(s->lo + 8, 0x55, 16);
}

static void *overflows(void *arg)
{
    unsigned cls = *(unsigned *)arg;
    struct edo__task task = { .name = "deep", .fn = depth_wanted > 0 ? deep : writes_past_the_end };
    CHECK_OK(edo__overflow_thread_enter());
    pool_open(0);
    CHECK(edo__stack_acquire(pool, cls) != NULL); /* a neighbour below */
    edo__stack *s = edo__stack_acquire(pool, cls);
    task.arg = s;
    s->task = &task;
    edo__context_resume(&s->ctx);
    edo__stack_release(pool, s);
    edo__overflow_thread_leave();
    return NULL;
}

static void overflow_child(void *arg)
{
    pthread_t thread;
    CHECK_OK(edo__overflow_handler_install());
    CHECK_OK(edo__overflow_handler_install());
    edo__overflow_set_describe(describe);
    CHECK_INT(pthread_create(&thread, NULL, overflows, arg), ==, 0);
    CHECK_INT(pthread_join(thread, NULL), ==, 0);
}

static void expect_report(unsigned cls, const char *limit)
{
    static char text[16 << 10];
    int status = test_capture(overflow_child, &cls, text, sizeof text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        FAIL("status 0x%x, text:\n%s", (unsigned)status, text);
    const char *wanted[] = { "stack overflow in task \"deep\" (id 7) spawned at main.c:12", limit,
                             "edo_task_options.stack_size", "EDO_STACK_SIZE" };
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            FAIL("no '%s' in:\n%s", wanted[i], text);
    /* A canary tells too late for a trace. Valgrind's stack pointer is not quite the one of the
     * faulting instruction, so that there the trace cannot be had. */
    const char *preload = getenv("LD_PRELOAD");
    bool traced = depth_wanted > 0 && (preload == NULL || strstr(preload, "vgpreload") == NULL);
    if (traced && strstr(text, "recurses+0x") == NULL)
        FAIL("no trace in:\n%s", text);
}

TEST(an_overflow_names_the_task)
{
    depth_wanted = 1000000;
    expect_report(EDO__STACK_DEFAULT, "limit: 256 KiB");
    expect_report(EDO__STACK_SMALL, "limit: 32 KiB");
    expect_report(EDO__STACK_LARGE, "limit: 1024 KiB");
}

TEST(an_overflow_names_the_task_with_mprotect_guards)
{
    depth_wanted = 1000000;
    setenv("EDO_STACK_GUARD", "mprotect", 1);
    expect_report(EDO__STACK_DEFAULT, "limit: 256 KiB");
}

TEST(a_dead_canary_names_the_task)
{
    depth_wanted = 0;
    setenv("EDO_STACK_GUARD", "canary", 1);
    expect_report(EDO__STACK_DEFAULT, "limit: 256 KiB");
}

static void *read_only;

static void on_plain_fault(int signo, siginfo_t *info, void *ucontext)
{
    (void)signo;
    (void)ucontext;
    static const char text[] = "the previous handler\n";
    if (info->si_addr == read_only && write(2, text, sizeof text - 1) > 0)
        _exit(42);
    _exit(43);
}

static void other_fault_child(void *arg)
{
    if (arg != NULL) {
        struct sigaction action = { .sa_sigaction = on_plain_fault, .sa_flags = SA_SIGINFO };
        sigaction(SIGSEGV, &action, NULL);
    } else {
        signal(SIGSEGV, SIG_DFL);
    }
    CHECK_OK(edo__overflow_handler_install());
    CHECK_OK(edo__overflow_thread_enter());
    *(volatile char *)read_only = 1;
}

static void kill_child(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    CHECK_OK(edo__overflow_handler_install());
    raise(SIGSEGV);
}

TEST(other_faults_go_to_the_previous_handler)
{
    static char text[4096];
    int yes = 1;
    read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(read_only != MAP_FAILED);
    int status = test_capture(other_fault_child, &yes, text, sizeof text);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), ==, 42);
    CHECK_STR(text, "the previous handler\n");
    status = test_capture(other_fault_child, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), ==, SIGSEGV);
    CHECK(strstr(text, "stack overflow") == NULL);
    status = test_capture(kill_child, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), ==, SIGSEGV);
}

TEST_MAIN()
