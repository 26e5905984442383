/* SPDX-License-Identifier: MIT */
/*
 * Stack traces: of a parked context, of one that never ran, of the caller, of interrupted code; and
 * the names of static functions in them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "arch/unwind.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define STACK_SIZE ((size_t)64 << 10)
#define PCS_MAX 64
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

static edo__context ctx;
static unsigned rounds;

__attribute__((noinline)) static void innermost_waits(void)
{
    edo__context_suspend(&ctx);
    KEEP_FRAME;
}

/* Without a frame pointer and with a frame of odd size: only call frame information finds its
 * caller. */
__attribute__((noinline)) static void middle_calls(unsigned n)
{
    volatile char block[200] = { 0 };
    block[n % sizeof block] = 1;
    innermost_waits();
    rounds += (unsigned)block[n % sizeof block];
    KEEP_FRAME;
}

static void outermost_entry(void *arg)
{
    for (;;) {
        middle_calls(*(unsigned *)arg);
        KEEP_FRAME;
    }
}

/* The text of a trace, one name per line. */
static void trace_text(void **pcs, size_t count, char *text, size_t cap)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && len + 300 < cap; i++) {
        len += edo__symbolize(pcs[i], text + len, 256);
        text[len++] = '\n';
        text[len] = '\0';
    }
}

static void expect_in_order(const char *text, const char *const *names)
{
    const char *at = text;
    for (; *names != NULL; names++) {
        const char *found = strstr(at, *names);
        if (found == NULL)
            FAIL("no %s in order in this trace:\n%s", *names, text);
        at = found + strlen(*names);
    }
}

static const char *const parked_names[] = { "innermost_waits+0x", "middle_calls+0x",
                                            "outermost_entry+0x", NULL };

static void *trace_parked(void *arg)
{
    void *pcs[PCS_MAX];
    static char text[PCS_MAX * 300];
    size_t count = edo__unwind_context(&ctx, pcs, PCS_MAX);
    CHECK_UINT(count, >=, 4);
    CHECK_UINT(count, <=, 8); /* it stops at the outermost frame */
    trace_text(pcs, count, text, sizeof text);
    expect_in_order(text, parked_names);
    return arg;
}

TEST(a_parked_context_names_its_functions)
{
    void *memory = malloc(STACK_SIZE);
    unsigned n = 7;
    pthread_t thread;
    CHECK(memory != NULL);
    edo__context_init(&ctx, memory, STACK_SIZE, outermost_entry, &n);
    for (unsigned i = 1; i <= 3; i++) {
        edo__context_resume(&ctx);
        trace_parked(NULL);
        CHECK_INT(pthread_create(&thread, NULL, trace_parked, NULL), ==, 0);
        CHECK_INT(pthread_join(thread, NULL), ==, 0);
    }
    edo__context_resume(&ctx); /* still whole after being looked at */
    CHECK_UINT(rounds, ==, 3);
    edo__context_fini(&ctx);
    free(memory);
}

TEST(a_context_that_never_ran_has_a_trace)
{
    char text[300];
    void *memory = malloc(STACK_SIZE), *pcs[PCS_MAX];
    unsigned n = 0;
    CHECK(memory != NULL);
    edo__context_init(&ctx, memory, STACK_SIZE, outermost_entry, &n);
    size_t count = edo__unwind_context(&ctx, pcs, PCS_MAX);
    CHECK_UINT(count, >=, 1);
    CHECK_UINT(count, <=, 3);
    edo__symbolize(pcs[0], text, sizeof text);
    if (strncmp(text, EDO_UCONTEXT ? "start_entry+0x" : "edo__switch_start+0x", 14) != 0)
        FAIL("it starts in %s", text);
    edo__context_fini(&ctx);
    free(memory);
}

TEST(a_trace_is_cut_at_max)
{
    void *memory = malloc(STACK_SIZE), *pcs[3] = { NULL, NULL, &ctx };
    unsigned n = 0;
    CHECK(memory != NULL);
    edo__context_init(&ctx, memory, STACK_SIZE, outermost_entry, &n);
    edo__context_resume(&ctx);
    CHECK_UINT(edo__unwind_context(&ctx, pcs, 2), ==, 2);
    CHECK(pcs[2] == &ctx);
    CHECK_UINT(edo__unwind_context(&ctx, pcs, 0), ==, 0);
    edo__context_fini(&ctx);
    free(memory);
}

__attribute__((noinline)) static size_t takes_own_trace(void **pcs)
{
    size_t count = edo__unwind_here(pcs, PCS_MAX);
    KEEP_FRAME;
    return count;
}

TEST(the_caller_is_the_first_frame)
{
    void *pcs[PCS_MAX];
    static char text[PCS_MAX * 300];
    size_t count = takes_own_trace(pcs);
    CHECK_UINT(count, >=, 3);
    trace_text(pcs, count, text, sizeof text);
    CHECK(strncmp(text, "takes_own_trace+0x", 18) == 0);
    expect_in_order(text, (const char *const[]){ "takes_own_trace", "main", NULL });
}

static void *signal_pcs[PCS_MAX];
static volatile size_t signal_count;

static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
    (void)signo;
    (void)info;
    signal_count = edo__unwind_ucontext(ucontext, signal_pcs, PCS_MAX);
}

__attribute__((noinline)) static void gets_interrupted(void)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2\n\tnop");
#else
    raise(SIGILL);
#endif
    KEEP_FRAME;
}

static void skip_and_record(int signo, siginfo_t *info, void *ucontext)
{
    on_signal(signo, info, ucontext);
#if defined(__x86_64__)
    ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] += 2;
#endif
}

TEST(interrupted_code_comes_first)
{
    static char text[PCS_MAX * 300];
    static char alternate[64 << 10];
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    struct sigaction action = { .sa_sigaction = skip_and_record,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK };
    edo__unwind_init();
    CHECK_INT(sigaltstack(&stack, NULL), ==, 0);
    CHECK_INT(sigaction(SIGILL, &action, NULL), ==, 0);
    gets_interrupted();
    trace_text(signal_pcs, signal_count, text, sizeof text);
#if defined(__x86_64__) && !EDO__TSAN /* there the trace starts at the handler */
    CHECK(strncmp(text, "gets_interrupted+0x", 19) == 0);
#endif
    expect_in_order(text, (const char *const[]){ "gets_interrupted", "main", NULL });
}

/* ---- interrupted at every instruction of a switch ---- */

#if defined(__x86_64__) && !EDO__TSAN && !EDO__ASAN && !EDO_UCONTEXT

#define TRAP_FLAG 0x100u /* the processor traps after each instruction */

static edo__context other;
static uintptr_t ends[2]; /* where traces end: on a context, on this thread */
static unsigned steps, strays;
static void *stray;

static uintptr_t end_of_trace(void)
{
    void *pcs[PCS_MAX];
    size_t count = edo__unwind_here(pcs, PCS_MAX);
    CHECK_UINT(count, >, 1);
    return (uintptr_t)pcs[count - 1];
}

__attribute__((noinline)) static void step_through(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
    for (int i = 0; i < 4; i++)
        edo__context_resume(&ctx);
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)TRAP_FLAG);
}

static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    void *pcs[PCS_MAX];
    uintptr_t pc = (uintptr_t)((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
    (void)signo;
    (void)info;
    if (pc - (uintptr_t)step_through < 256)
        return; /* compilers say nothing of how they push and pop the flags */
    size_t count = edo__unwind_ucontext(ucontext, pcs, PCS_MAX);
    uintptr_t end = count > 0 ? (uintptr_t)pcs[count - 1] : 0;
    steps++;
    if (end == ends[1] || end - ends[0] + 32 < 64) /* before or after the outermost call */
        return;
    strays++;
    stray = (void *)pc;
}

static void other_entry(void *arg)
{
    (void)arg;
    for (;;)
        edo__context_suspend(&other);
}

static void stepped_entry(void *arg)
{
    *(uintptr_t *)arg = end_of_trace();
    for (;;) {
        edo__context_suspend(&ctx);
        edo__context_pass(&ctx, &other);
    }
}

TEST(a_switch_can_be_interrupted_anywhere)
{
    static char alternate[64 << 10];
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    void *memory = malloc(STACK_SIZE), *more = malloc(STACK_SIZE);
    CHECK(memory != NULL && more != NULL);
    edo__unwind_init();
    CHECK_INT(sigaltstack(&stack, NULL), ==, 0);
    CHECK_INT(sigaction(SIGTRAP, &action, NULL), ==, 0);
    edo__context_init(&ctx, memory, STACK_SIZE, stepped_entry, &ends[0]);
    edo__context_init(&other, more, STACK_SIZE, other_entry, NULL);
    edo__context_resume(&ctx);
    ends[1] = end_of_trace();
    step_through();
    if (strays > 0) {
        char text[300];
        edo__symbolize(stray, text, sizeof text);
        FAIL("%u of %u traces do not reach their end, the last at %s", strays, steps, text);
    }
    printf("# %u instructions\n", steps);
    CHECK_UINT(steps, >, 100);
    edo__context_fini(&ctx);
    edo__context_fini(&other);
    free(memory);
    free(more);
}

#endif

TEST(names_are_cut_and_unknown_addresses_are_numbers)
{
    char small[8], text[256];
    CHECK_UINT(edo__symbolize((void *)(uintptr_t)innermost_waits, small, sizeof small), ==, 7);
    CHECK_STR(small, "innermo");
    edo__symbolize((void *)(uintptr_t)innermost_waits, text, sizeof text);
    CHECK(strncmp(text, "innermost_waits+0x0 (", 21) == 0);
    CHECK_UINT(edo__symbolize((void *)(uintptr_t)0x10, text, sizeof text), ==, 4);
    CHECK_STR(text, "0x10");
    edo__symbolize(&ctx, text, sizeof text);
    CHECK(strncmp(text, "0x", 2) == 0 && strchr(text, '(') != NULL);
    CHECK_UINT(edo__symbolize(&ctx, NULL, 0), ==, 0);
}

TEST_MAIN()
