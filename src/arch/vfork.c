/* SPDX-License-Identifier: MIT */
#include "arch/vfork.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* The child must not return from anything that was called before it was there: the parent, which goes
 * on later, would find its stack overwritten. So the call of fn is part of the same piece of assembly,
 * on a stack of its own. The kernel keeps all registers but the result (x86-64: and rcx, r11). */
#if defined(__x86_64__)

static long clone_call(unsigned long flags, void *stack, int *pidfd, void (*fn)(void *), void *arg)
{
    long rc;
    register void (*child)(void *) __asm__("r8") = fn;
    register void *child_arg __asm__("r9") = arg;
    __asm__ __volatile__("syscall\n\t"
                         "test %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xor %%ebp, %%ebp\n\t"
                         "mov %%r9, %%rdi\n\t"
                         "call *%%r8\n\t"
                         "hlt\n"
                         "1:"
                         : "=a"(rc)
                         : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(pidfd), "r"(child),
                           "r"(child_arg)
                         : "rcx", "r11", "cc", "memory");
    return rc;
}

#elif defined(__aarch64__)

static long clone_call(unsigned long flags, void *stack, int *pidfd, void (*fn)(void *), void *arg)
{
    register long x0 __asm__("x0") = (long)flags;
    register void *x1 __asm__("x1") = stack;
    register int *x2 __asm__("x2") = pidfd;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    register void (*x5)(void *) __asm__("x5") = fn;
    register void *x6 __asm__("x6") = arg;
    register long x8 __asm__("x8") = SYS_clone;
    __asm__ __volatile__("svc #0\n\t"
                         "cbnz x0, 1f\n\t"
                         "mov x29, xzr\n\t"
                         "mov x0, x6\n\t"
                         "blr x5\n\t"
                         "brk #1\n"
                         "1:"
                         : "+r"(x0)
                         : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6), "r"(x8)
                         : "cc", "memory");
    return x0;
}

#else
#error "no clone(2) for this ABI"
#endif

long edo__vfork(void (*fn)(void *arg), void *arg, void *stack, int *pidfd)
{
    unsigned long flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    return clone_call(pidfd != NULL ? flags | CLONE_PIDFD : flags, stack, pidfd, fn, arg);
}
