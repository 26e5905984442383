/* SPDX-License-Identifier: MIT */
/*
 * A test runner small enough to be read before it is trusted.
 *
 * Every TEST runs in a process (and process group) of its own, with a time limit, so that a crash,
 * a hang or a leaked thread in one of them says nothing about the next. A TEST ends as pass, fail
 * or skip, the last two with a reason. The CHECK macros may be used on any thread and on any stack:
 * they write their message into memory shared with the parent and leave by _exit().
 *
 *     TEST(adds) { CHECK_INT(1 + 1, ==, 2); }
 *     TEST_TIMEOUT(slow, 120) { if (!can_run()) SKIP("needs X"); ... }
 *     TEST_MAIN()
 *
 * Environment: EDO_TEST_SEED fixes the seed, EDO_TEST_SLOW multiplies every time limit,
 * EDO_TEST_NEEDS=uring skips everything where the kernel gives no io_uring.
 */
#ifndef EDO_TEST_H
#define EDO_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct test_case {
    const char *name;
    void (*fn)(void);
    unsigned timeout_s;
    struct test_case *next; /* in the list of all tests, in order of registration */
} test_case;

void test_register(test_case *test);
int test_main(int argc, char **argv);

__attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line,
                                                               const char *format, ...);
__attribute__((noreturn)) void test_skip(const char *file, int line, const char *reason);

/* The seed of this run: printed by main, the same in every TEST. */
uint64_t test_seed(void);

/* splitmix64: good enough to choose test inputs, identical everywhere. Start it from
 * test_seed(). */
uint64_t test_rand(uint64_t *state);

/* n, or a part of it (at least 1) where code runs many times slower: sanitizers, valgrind, qemu. */
unsigned test_scale(unsigned n);

/*
 * When this TEST runs out of time, `fn` is called on a thread of its own, one second before
 * everything is killed: the place for edo_dump(). Call it first in the TEST, before other threads
 * start.
 */
void test_on_timeout(void (*fn)(void));

/*
 * Runs fn(arg) in a forked child; what it wrote to standard error lands in `text` (always
 * terminated, cut when longer). Returns the status as waitpid gives it. For code that is meant to
 * crash.
 */
int test_capture(void (*fn)(void *arg), void *arg, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#define TEST_TIMEOUT(name_, seconds_)                                                              \
    static void test_fn_##name_(void);                                                             \
    static test_case test_case_##name_ = { #name_, test_fn_##name_, (seconds_), NULL };            \
    __attribute__((constructor)) static void test_register_##name_(void)                           \
    {                                                                                              \
        test_register(&test_case_##name_);                                                         \
    }                                                                                              \
    static void test_fn_##name_(void)

#define TEST(name_) TEST_TIMEOUT(name_, 30)

#define TEST_MAIN()                                                                                \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_main(argc, argv);                                                              \
    }

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason_) test_skip(__FILE__, __LINE__, (reason_))

#define CHECK(cond_)                                                                               \
    do {                                                                                           \
        if (!(cond_))                                                                              \
            test_fail(__FILE__, __LINE__, "%s is false", #cond_);                                  \
    } while (0)

#define CHECK_INT(actual_, op_, expected_)                                                         \
    do {                                                                                           \
        long long test_a_ = (long long)(actual_), test_e_ = (long long)(expected_);                \
        if (!(test_a_ op_ test_e_))                                                                \
            test_fail(__FILE__, __LINE__, "%s %s %s: have %lld, against %lld", #actual_, #op_,     \
                      #expected_, test_a_, test_e_);                                               \
    } while (0)

#define CHECK_UINT(actual_, op_, expected_)                                                        \
    do {                                                                                           \
        unsigned long long test_a_ = (unsigned long long)(actual_);                                \
        unsigned long long test_e_ = (unsigned long long)(expected_);                              \
        if (!(test_a_ op_ test_e_))                                                                \
            test_fail(__FILE__, __LINE__, "%s %s %s: have %llu, against %llu", #actual_, #op_,     \
                      #expected_, test_a_, test_e_);                                               \
    } while (0)

#define CHECK_PTR(actual_, op_, expected_)                                                         \
    do {                                                                                           \
        const void *test_a_ = (actual_), *test_e_ = (expected_);                                   \
        if (!(test_a_ op_ test_e_))                                                                \
            test_fail(__FILE__, __LINE__, "%s %s %s: have %p, against %p", #actual_, #op_,         \
                      #expected_, test_a_, test_e_);                                               \
    } while (0)

/* A call that must not fail: shows the code and what it means. Yields nothing. */
#define CHECK_OK(call_)                                                                            \
    do {                                                                                           \
        long long test_a_ = (long long)(call_);                                                    \
        if (test_a_ < 0)                                                                           \
            test_fail(__FILE__, __LINE__, "%s failed: %lld (%s)", #call_, test_a_,                 \
                      strerror((int)-test_a_));                                                    \
    } while (0)

#define CHECK_STR(actual_, expected_)                                                              \
    do {                                                                                           \
        const char *test_a_ = (actual_), *test_e_ = (expected_);                                   \
        if (test_a_ == NULL || test_e_ == NULL ? test_a_ != test_e_                                \
                                               : strcmp(test_a_, test_e_) != 0)                    \
            test_fail(__FILE__, __LINE__, "%s: have \"%s\", expected \"%s\"", #actual_,            \
                      test_a_ ? test_a_ : "(null)", test_e_ ? test_e_ : "(null)");                 \
    } while (0)

/* Equal bytes; shows the first that differs. */
#define CHECK_MEM(actual_, expected_, size_)                                                       \
    do {                                                                                           \
        const unsigned char *test_a_ = (const unsigned char *)(actual_);                           \
        const unsigned char *test_e_ = (const unsigned char *)(expected_);                         \
        for (size_t test_i_ = 0, test_n_ = (size_); test_i_ < test_n_; test_i_++)                  \
            if (test_a_[test_i_] != test_e_[test_i_])                                              \
                test_fail(__FILE__, __LINE__, "%s: byte %zu is 0x%02x, expected 0x%02x", #actual_, \
                          test_i_, test_a_[test_i_], test_e_[test_i_]);                            \
    } while (0)

#endif
