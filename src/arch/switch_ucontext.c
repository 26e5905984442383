/* SPDX-License-Identifier: MIT */
/*
 * The switch by swapcontext(), to cross-check the assembly (-DEDO_UCONTEXT=1) and for ABIs without
 * any. Slow: it makes a system call for the signal mask. The saved "stack pointer" points to a
 * ucontext_t on the parked stack.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* REG_RIP and its sisters */
#endif
#include "arch/abi.h"

#include "arch/context.h"

#if EDO_UCONTEXT || !(defined(__x86_64__) || defined(__aarch64__))

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* ucontext_t is over 4 KiB on aarch64; this build is for checking, its stacks may be deeper. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

struct start {
    ucontext_t uc;
    void (*entry)(void *arg);
    void *arg;
};

static void start_entry(unsigned hi, unsigned lo)
{
    const struct start *s = (const struct start *)(((uintptr_t)hi << 32) | lo);
    s->entry(s->arg);
    abort();
}

void *edo__switch_prepare(void *lo, size_t size, void (*entry)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)lo + size) & ~(uintptr_t)63;
    struct start *s = (struct start *)((top - sizeof *s) & ~(uintptr_t)63);
    if (getcontext(&s->uc) != 0)
        abort();
    s->entry = entry;
    s->arg = arg;
    s->uc.uc_stack.ss_sp = lo;
    s->uc.uc_stack.ss_size = (size_t)((char *)s - (char *)lo);
    s->uc.uc_link = NULL;
    uintptr_t p = (uintptr_t)s;
    makecontext(&s->uc, (void (*)(void))start_entry, 2, (unsigned)(p >> 32), (unsigned)p);
    return s;
}

void edo__switch(void **save, void *load)
{
    ucontext_t here;
    memset(&here.uc_stack, 0, sizeof here.uc_stack);
    *save = &here;
    if (swapcontext(&here, load) != 0)
        abort();
}

void edo__switch_registers(const void *sp, edo__registers *out)
{
    const ucontext_t *uc = sp;
    memset(out, 0, sizeof *out);
#if defined(__x86_64__)
    const greg_t *r = uc->uc_mcontext.gregs;
    static const int order[] = { REG_RBP, REG_RBX, REG_R12, REG_R13, REG_R14, REG_R15 };
    out->sp = (uintptr_t)r[REG_RSP];
    out->pc = (uintptr_t)r[REG_RIP];
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        out->saved[i] = (uintptr_t)r[order[i]];
#elif defined(__aarch64__)
    out->sp = uc->uc_mcontext.sp;
    memcpy(out->saved, &uc->uc_mcontext.regs[19], sizeof out->saved);
    /* glibc's swapcontext() resumes at a label of its own, which returns to what it kept in x1. */
    bool swapped = uc->uc_mcontext.pc == uc->uc_mcontext.regs[30];
    out->pc = swapped ? uc->uc_mcontext.regs[1] : uc->uc_mcontext.pc;
#else
    (void)uc;
#endif
}

#else
typedef int edo__switch_ucontext_unused;
#endif
