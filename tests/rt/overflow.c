/* SPDX-License-Identifier: MIT */
/* A task whose stack overflows: its name, spawn site and limit are reported, and the process ends
 * by SIGSEGV as it would have anyway. */
#include "core_test.h"

#include <signal.h>
#include <sys/wait.h>

typedef struct scene {
    const char *name;
    size_t stack_size;
    unsigned workers;
    bool yields; /* has been on another thread before */
} scene;

__attribute__((noinline)) static int deeper(volatile char *above, int depth)
{
    volatile char here[256];
    here[0] = above[0];
    here[255] = (char)depth;
    if (depth > 1000000) /* never: keeps the compiler from seeing an endless recursion */
        return 0;
    return deeper(here, depth + 1) + here[0] + here[255];
}

static int deep(void *arg)
{
    scene *s = arg;
    volatile char first[1] = { 1 };
    for (int i = 0; s->yields && i < 5; i++)
        CHECK_OK(edo_yield());
    return deeper(first, 0);
}

static int quiet(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_MS(5));
}

static int play(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(edo_spawn(&g, quiet, NULL));
    edo_task_options o = { .name = s->name, .stack_size = s->stack_size };
    CHECK_OK(edo_spawn_with(&g, &o, NULL, deep, s));
    return edo_group_close(&g);
}

static void run_scene(void *arg)
{
    scene *s = arg;
    signal(SIGABRT, SIG_DFL);
    int rc = edo_run(&(edo_config){ .workers = s->workers }, play, s);
    fprintf(stderr, "survived with %d\n", rc);
}

static void check_overflow(scene s)
{
    static char text[65536];
    int status = test_capture(run_scene, &s, text, sizeof text);
    if (strstr(text, "stack overflow") == NULL || strstr(text, s.name) == NULL ||
        strstr(text, "tests/rt/overflow.c:") == NULL)
        FAIL("the report lacks the name or the site:\n%s", text);
    char limit[32];
    size_t bytes = s.stack_size != 0 ? s.stack_size : 256 * 1024;
    snprintf(limit, sizeof limit, "%zu", bytes / 1024);
    if (strstr(text, limit) == NULL)
        FAIL("the report lacks the limit of %s KiB:\n%s", limit, text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        FAIL("status 0x%x instead of SIGSEGV:\n%s", (unsigned)status, text);
}

/* Sanitizers handle SIGSEGV themselves and put red zones everywhere. */
static void skip_under_sanitizers(void)
{
    if (test_scale(1000) != 1000)
        SKIP("sanitizers, valgrind and emulators have stacks and signals of their own");
}

TEST(the_default_stack)
{
    skip_under_sanitizers();
    EACH_WORKERS(w)
    check_overflow((scene){ .name = "deep", .workers = w });
}

TEST(a_small_stack)
{
    skip_under_sanitizers();
    check_overflow((scene){ .name = "deep-small", .stack_size = 32 << 10, .workers = 2 });
}

TEST(a_large_stack_after_moving)
{
    skip_under_sanitizers();
    check_overflow(
        (scene){ .name = "deep-large", .stack_size = 1 << 20, .workers = 4, .yields = true });
}

/* A wild pointer is no overflow: an ordinary crash, without that report. */
static int crash(void *arg)
{
    volatile int *wild = arg;
    *wild = 1;
    return 0;
}

static void run_crash(void *arg)
{
    int rc = edo_run(&(edo_config){ .workers = 2 }, crash, arg);
    fprintf(stderr, "survived with %d\n", rc);
}

TEST(a_wild_pointer_is_no_overflow)
{
    skip_under_sanitizers();
    static char text[65536];
    int status = test_capture(run_crash, NULL, text, sizeof text);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_PTR(strstr(text, "stack overflow"), ==, NULL);
}

/* The program's own handler is called for what is no overflow. */
static void own_handler(int sig)
{
    (void)sig;
    _exit(42);
}

static void run_with_handler(void *arg)
{
    signal(SIGSEGV, own_handler);
    int rc = edo_run(&(edo_config){ .workers = 1 }, crash, arg);
    fprintf(stderr, "survived with %d\n", rc);
}

TEST(the_programs_handler_still_runs)
{
    skip_under_sanitizers();
    static char text[65536];
    int status = test_capture(run_with_handler, NULL, text, sizeof text);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

TEST_MAIN()
