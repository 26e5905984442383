/* SPDX-License-Identifier: MIT */
/*
 * Stack traces: of parked contexts, of the caller, of code interrupted by a signal; and names for
 * the addresses. Uses the compiler's own unwinder and the call frame information that every
 * function, edo__switch() included, carries; frame pointers are not needed.
 */
#ifndef EDO_ARCH_UNWIND_H
#define EDO_ARCH_UNWIND_H

#include <stddef.h>

#include "arch/context.h"

/* Once, before any of these is used in a signal handler: afterwards they allocate nothing. */
void edo__unwind_init(void);

/*
 * The frames of a suspended context, innermost first, from any thread. The caller guarantees that
 * it stays suspended meanwhile. Returns how many of max were written.
 */
size_t edo__unwind_context(const edo__context *c, void **pcs, size_t max);

/* The frames of the caller, which is the first. */
size_t edo__unwind_here(void **pcs, size_t max);

/* In a signal handler: the frames of what was interrupted; ucontext is the handler's third
 * argument. */
size_t edo__unwind_ucontext(void *ucontext, void **pcs, size_t max);

/*
 * Writes "function+0x1f (module)" for a pc from above, names of static functions included, or
 * "0x... (module+0x...)". NUL-terminated, cut at cap; returns the length. Async-signal-safe.
 */
size_t edo__symbolize(void *pc, char *buf, size_t cap);

#endif
