/* SPDX-License-Identifier: MIT */
/*
 * The context switch by itself: control flow, registers, floating-point control words, migration
 * between threads. Built with -DEDO_UCONTEXT=1 the same tests check the other implementation, and
 * the trace test must give the same numbers with both.
 */
#include "arch/context.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "test.h"

#define STACK_SIZE ((size_t)64 << 10)

struct fiber {
    edo__context ctx;
    void *memory;
    uint64_t input;
    uint64_t output;
    unsigned depth;
};

static void fiber_init(struct fiber *f, void (*entry)(void *arg))
{
    f->memory = malloc(STACK_SIZE);
    CHECK(f->memory != NULL);
    edo__context_init(&f->ctx, f->memory, STACK_SIZE, entry, f);
}

static void fiber_fini(struct fiber *f)
{
    edo__context_fini(&f->ctx);
    free(f->memory);
}

static void doubles(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        f->output = f->input * 2;
        edo__context_suspend(&f->ctx);
    }
}

TEST(values_pass_both_ways)
{
    struct fiber f = { 0 };
    fiber_init(&f, doubles);
    for (uint64_t i = 0; i < 1000; i++) {
        f.input = i;
        edo__context_resume(&f.ctx);
        CHECK_UINT(f.output, ==, 2 * i);
    }
    fiber_fini(&f);
}

TEST(fini_of_a_context_that_never_ran)
{
    struct fiber f = { 0 };
    fiber_init(&f, doubles);
    fiber_fini(&f);
}

TEST(memory_is_reused_after_fini)
{
    struct fiber f = { 0 };
    fiber_init(&f, doubles);
    for (unsigned i = 0; i < 100; i++) {
        f.input = i;
        edo__context_resume(&f.ctx);
        CHECK_UINT(f.output, ==, 2 * i);
        edo__context_fini(&f.ctx);
        edo__context_init(&f.ctx, f.memory, STACK_SIZE, doubles, &f);
    }
    fiber_fini(&f);
}

static void stack_is_aligned(void *arg)
{
    struct fiber *f = arg;
    _Alignas(16) volatile char local[16] = { 0 };
    f->output = (uintptr_t)__builtin_frame_address(0) % 16 + (uintptr_t)local % 16;
    edo__context_suspend(&f->ctx);
    abort();
}

TEST(entry_has_an_aligned_stack)
{
    /* Odd bounds: the context must align by itself. */
    struct fiber f = { 0 };
    f.memory = malloc(STACK_SIZE);
    CHECK(f.memory != NULL);
    edo__context_init(&f.ctx, f.memory, STACK_SIZE - 8, stack_is_aligned, &f);
    f.output = 99;
    edo__context_resume(&f.ctx);
    CHECK_UINT(f.output, ==, 0);
    fiber_fini(&f);
}

/* A recursive walk that suspends at every node and keeps many values alive across each
 * suspension. */
static uint64_t walk(struct fiber *f, unsigned depth, uint64_t seed)
{
    uint64_t a = test_rand(&seed), b = test_rand(&seed), c = test_rand(&seed);
    uint64_t d = test_rand(&seed), e = test_rand(&seed), g = test_rand(&seed);
    double x = (double)(a >> 12), y = (double)(b >> 12);
    f->output = a ^ b;
    edo__context_suspend(&f->ctx);
    uint64_t sum = a + 3 * b + 5 * c + 7 * d + 11 * e + 13 * g + f->input;
    sum += (uint64_t)x ^ (uint64_t)y;
    if (depth > 0)
        sum += walk(f, depth - 1, a) * 31 + walk(f, depth - 1, b);
    return sum;
}

static void walker(void *arg)
{
    struct fiber *f = arg;
    f->output = walk(f, f->depth, 42);
    f->depth = 0;
    for (;;)
        edo__context_suspend(&f->ctx);
}

/* The same values are computed without any switching. */
static uint64_t walk_plain(unsigned depth, uint64_t seed, uint64_t *step)
{
    uint64_t a = test_rand(&seed), b = test_rand(&seed), c = test_rand(&seed);
    uint64_t d = test_rand(&seed), e = test_rand(&seed), g = test_rand(&seed);
    uint64_t sum = a + 3 * b + 5 * c + 7 * d + 11 * e + 13 * g + (*step)++;
    sum += (uint64_t)(double)(a >> 12) ^ (uint64_t)(double)(b >> 12);
    if (depth > 0) {
        uint64_t left = walk_plain(depth - 1, a, step);
        sum += left * 31 + walk_plain(depth - 1, b, step);
    }
    return sum;
}

TEST(locals_survive_suspensions_at_any_depth)
{
    enum { FIBERS = 7, DEPTH = 8 };
    static struct fiber f[FIBERS];
    uint64_t step = 0;
    uint64_t expected = walk_plain(DEPTH, 42, &step);
    for (unsigned i = 0; i < FIBERS; i++) {
        f[i].depth = DEPTH;
        fiber_init(&f[i], walker);
    }
    for (uint64_t turn = 0; turn <= step; turn++) {
        for (unsigned i = 0; i < FIBERS; i++) {
            f[i].input = turn - 1;
            edo__context_resume(&f[i].ctx);
        }
    }
    for (unsigned i = 0; i < FIBERS; i++) {
        CHECK_UINT(f[i].depth, ==, 0);
        CHECK_UINT(f[i].output, ==, expected);
        fiber_fini(&f[i]);
    }
}

#if defined(__x86_64__)
static unsigned x87_get(void)
{
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}
static void x87_set(unsigned value)
{
    uint16_t word = (uint16_t)value;
    __asm__ volatile("fldcw %0" ::"m"(word));
}
static unsigned simd_get(void)
{
    return __builtin_ia32_stmxcsr() & 0xffc0;
}
static void simd_set(unsigned value)
{
    __builtin_ia32_ldmxcsr(value);
}
#define X87_OTHER 0x0f7f  /* round towards zero; valgrind has no other precision */
#define SIMD_OTHER 0x7f80 /* round towards zero */
#define SIMD_THIRD 0x5f80 /* round up */
#elif defined(__aarch64__)
static unsigned x87_get(void)
{
    return 0;
}
static void x87_set(unsigned value)
{
    (void)value;
}
static unsigned simd_get(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (unsigned)fpcr;
}
static void simd_set(unsigned value)
{
    uint64_t fpcr = value;
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
}
#define X87_OTHER 0
#define SIMD_OTHER (3u << 22)
#define SIMD_THIRD (1u << 24 | 1u << 22)
#endif

static void sets_control_words(void *arg)
{
    struct fiber *f = arg;
    simd_set(SIMD_OTHER);
    edo__context_suspend(&f->ctx);
    CHECK_UINT(simd_get(), ==, SIMD_OTHER);
    x87_set(X87_OTHER);
    edo__context_suspend(&f->ctx);
    CHECK_UINT(simd_get(), ==, SIMD_OTHER);
    CHECK_UINT(x87_get(), ==, X87_OTHER);
    f->output = 1;
    for (;;)
        edo__context_suspend(&f->ctx);
}

TEST(control_words_belong_to_the_context)
{
    struct fiber f = { 0 };
    unsigned simd = simd_get(), x87 = x87_get();
    fiber_init(&f, sets_control_words);
    edo__context_resume(&f.ctx);
    CHECK_UINT(simd_get(), ==, simd);
    edo__context_resume(&f.ctx);
    CHECK_UINT(simd_get(), ==, simd);
    CHECK_UINT(x87_get(), ==, x87);
    simd_set(SIMD_THIRD);
    edo__context_resume(&f.ctx);
    CHECK_UINT(simd_get(), ==, SIMD_THIRD);
    CHECK_UINT(x87_get(), ==, x87);
    simd_set(simd);
    CHECK_UINT(f.output, ==, 1);
    fiber_fini(&f);
}

static struct fiber ping;
static unsigned ping_rounds;
static _Atomic(unsigned)
    turn; /* whose turn it is: release by the one before pairs with the acquire */

static void *ping_thread(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < ping_rounds; i++) {
        while (atomic_load_explicit(&turn, memory_order_acquire) != me)
            sched_yield(); /* there may be fewer processors than threads */
        edo__context_resume(&ping.ctx);
        atomic_store_explicit(&turn, (me + 1) % 3, memory_order_release);
    }
    return NULL;
}

static void walks_for_ever(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        uint64_t sum = walk(f, 3, 42);
        if (f->depth != 0)
            CHECK_UINT(sum, ==, f->output);
        f->input++;
    }
}

TEST_TIMEOUT(a_context_migrates_between_threads, 120)
{
    pthread_t threads[3];
    ping_rounds = test_scale(3000);
    fiber_init(&ping, walks_for_ever);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, ping_thread, (void *)i), ==, 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], NULL), ==, 0);
    /* One walk of depth 3 has 15 nodes. */
    CHECK_UINT(ping.input, ==, (3 * ping_rounds - 1) / 15);
    fiber_fini(&ping);
}

struct nested {
    edo__context outer, inner;
    void *memory[2];
    unsigned log[16];
    unsigned count;
};

static void inner_entry(void *arg)
{
    struct nested *n = arg;
    for (;;) {
        n->log[n->count++] = 3;
        edo__context_suspend(&n->inner);
    }
}

static void outer_entry(void *arg)
{
    struct nested *n = arg;
    for (;;) {
        n->log[n->count++] = 2;
        edo__context_resume(&n->inner);
        n->log[n->count++] = 4;
        edo__context_suspend(&n->outer);
    }
}

TEST(a_context_may_resume_another)
{
    struct nested n = { 0 };
    for (unsigned i = 0; i < 2; i++)
        CHECK((n.memory[i] = malloc(STACK_SIZE)) != NULL);
    edo__context_init(&n.outer, n.memory[0], STACK_SIZE, outer_entry, &n);
    edo__context_init(&n.inner, n.memory[1], STACK_SIZE, inner_entry, &n);
    for (unsigned i = 0; i < 3; i++) {
        n.log[n.count++] = 1;
        edo__context_resume(&n.outer);
    }
    CHECK_UINT(n.count, ==, 12);
    for (unsigned i = 0; i < 12; i++)
        CHECK_UINT(n.log[i], ==, 1 + i % 4);
    edo__context_fini(&n.inner);
    edo__context_fini(&n.outer);
    free(n.memory[0]);
    free(n.memory[1]);
}

TEST_MAIN()
