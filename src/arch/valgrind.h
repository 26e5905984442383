/* SPDX-License-Identifier: MIT */
/* Valgrind's requests where its header is there, else nothing. */
#ifndef EDO_ARCH_VALGRIND_H
#define EDO_ARCH_VALGRIND_H

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define EDO__VALGRIND 1
#endif
#endif
#ifndef EDO__VALGRIND
#define VALGRIND_STACK_REGISTER(lo, hi) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#define RUNNING_ON_VALGRIND 0
#endif

#endif
