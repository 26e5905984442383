/* SPDX-License-Identifier: MIT */
/* Assertions: for the library's own bugs and for misuse of its interface, never for input or for
 * what the kernel answers. edo_assert stays in release builds. */
#ifndef EDO_BASE_ASSERT_H
#define EDO_BASE_ASSERT_H

__attribute__((noreturn, cold)) void edo__assert_failed(const char *what, const char *where);

#define EDO__ASSERT_STR2(x) #x
#define EDO__ASSERT_STR(x) EDO__ASSERT_STR2(x)
#define edo_assert(cond)                                                                           \
    (__builtin_expect(!(cond), 0)                                                                  \
         ? edo__assert_failed(#cond, __FILE__ ":" EDO__ASSERT_STR(__LINE__))                       \
         : (void)0)

#ifdef EDO_DEBUG
#define edo_debug_assert(cond) edo_assert(cond)
#else
#define edo_debug_assert(cond) ((void)sizeof(cond))
#endif

#define edo__likely(x) __builtin_expect(!!(x), 1)
#define edo__unlikely(x) __builtin_expect(!!(x), 0)

#endif
