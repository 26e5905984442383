/* SPDX-License-Identifier: MIT */
/* A child that shares this process's memory until it runs another program; the calling thread stands
 * still until then. clone(2) by hand: the C library's function is known to sanitizers, which take the
 * child for one of their own threads or for a copy of the process. */
#ifndef EDO_ARCH_VFORK_H
#define EDO_ARCH_VFORK_H

#include <sys/types.h>

/* Calls fn(arg) in the child, on the given stack (its upper end, aligned to 16 bytes). fn does not
 * return, is not instrumented, and calls nothing that is; all signals are blocked. pidfd: set to a
 * descriptor of the child (close-on-exec); NULL: none. Returns its number; -EINVAL: the kernel knows
 * no such descriptors (Linux 5.2); or -errno. */
long edo__vfork(void (*fn)(void *arg), void *arg, void *stack, int *pidfd);

#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define EDO__BARE __attribute__((disable_sanitizer_instrumentation, noinline))
#endif
#endif
#ifndef EDO__BARE
#define EDO__BARE                                                                                  \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"),        \
                   noinline))
#endif

#endif
