/* SPDX-License-Identifier: MIT */
/*
 * What each implementation of the switch provides besides edo__switch(): assembly per ABI, or
 * ucontext with -DEDO_UCONTEXT=1. For src/arch only.
 */
#ifndef EDO_ARCH_ABI_H
#define EDO_ARCH_ABI_H

#include <stddef.h>
#include <stdint.h>

/*
 * Registers with which execution continues after the edo__switch() that parked a stack: the
 * caller's frame, for unwinding. The unwind_*.S files know this layout. Of a parked stack there are
 * only those that calls preserve; interrupted code may have its return address or its frame in any.
 */
typedef struct edo__registers {
    uintptr_t sp;
    uintptr_t pc;
#if defined(__x86_64__)
    uintptr_t saved[6];   /* rbp rbx r12 r13 r14 r15                */
    uintptr_t scratch[9]; /* rax rdx rcx rsi rdi r8 r9 r10 r11, or 0 */
#elif defined(__aarch64__)
    uintptr_t saved[12]; /* x19 .. x30; x30 matters where a leaf function was interrupted */
#endif
} edo__registers;

/* Lays out a first frame at the top of lo..lo+size; loading the result calls entry(arg). */
void *edo__switch_prepare(void *lo, size_t size, void (*entry)(void *arg), void *arg);

/* Reads the frame that edo__switch() or edo__switch_prepare() left at sp. */
void edo__switch_registers(const void *sp, edo__registers *out);

/*
 * Calls fn(arg) with call frame information that continues from fn's caller into *at, so that an
 * unwinder started in fn walks the parked stack after the frame whose pc is edo__unwind_mark.
 */
void edo__unwind_from(const edo__registers *at, void (*fn)(void *arg), void *arg);
extern const char edo__unwind_mark[];

#endif
