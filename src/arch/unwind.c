/* SPDX-License-Identifier: MIT */
/*
 * Stack traces by the unwinder that comes with the compiler. It only knows how to start from its
 * caller, so frames are skipped up to a known pc: the bridge to a parked stack, or the instruction
 * that a signal interrupted.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "arch/unwind.h"

#include <stdint.h>
#include <ucontext.h>
#include <unwind.h>

#include "arch/abi.h"

/* Frames looked at in one trace, skipped ones included: a damaged stack could go on for ever. */
#define FRAMES_MAX 4096

struct trace {
    void **pcs;
    size_t max;
    size_t count;
    size_t seen;
    size_t skip;     /* so many frames first */
    uintptr_t until; /* then all up to this pc; 0: none */
    bool until_included;
    uintptr_t pc;    /* of the frame before this one, and its stack: */
    uintptr_t cfa;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *frame, void *arg)
{
    struct trace *t = arg;
    uintptr_t pc = _Unwind_GetIP(frame);
    uintptr_t cfa = _Unwind_GetCFA(frame);
    if (pc == 0 || t->count == t->max || t->seen++ == FRAMES_MAX)
        return _URC_END_OF_STACK;
    /* Outermost frames that are not marked as such call themselves for ever. */
    if (pc == t->pc && cfa == t->cfa)
        return _URC_END_OF_STACK;
    t->pc = pc;
    t->cfa = cfa;
    if (t->skip > 0) {
        t->skip--;
        return _URC_NO_REASON;
    }
    if (t->until != 0) {
        if (pc != t->until)
            return _URC_NO_REASON;
        t->until = 0;
        if (!t->until_included)
            return _URC_NO_REASON;
    }
    t->pcs[t->count++] = (void *)pc;
    return _URC_NO_REASON;
}

/* Its frame must stay one of the skipped ones. */
__attribute__((noinline)) static void run(void *arg)
{
    _Unwind_Backtrace(on_frame, arg);
    __asm__ volatile("");
}

size_t edo__unwind_context(const edo__context *c, void **pcs, size_t max)
{
    edo__registers at;
    edo__switch_registers(c->sp, &at);
    struct trace t = {.pcs = pcs, .max = max, .until = (uintptr_t)edo__unwind_mark};
    edo__unwind_from(&at, run, &t);
    return t.count;
}

__attribute__((noinline)) size_t edo__unwind_here(void **pcs, size_t max)
{
    struct trace t = {.pcs = pcs, .max = max, .skip = 2};
    run(&t);
    return t.count;
}

static uintptr_t interrupted_pc(const ucontext_t *uc)
{
#if defined(__x86_64__)
    return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)uc->uc_mcontext.pc;
#else
    (void)uc;
    return 0;
#endif
}

size_t edo__unwind_ucontext(void *ucontext, void **pcs, size_t max)
{
    uintptr_t pc = interrupted_pc(ucontext);
    struct trace t = {.pcs = pcs, .max = max, .until = pc, .until_included = true};
    run(&t);
    /* Without call frame information for the signal trampoline the place itself is still known. */
    if (t.count == 0 && max > 0 && pc != 0)
        pcs[t.count++] = (void *)pc;
    return t.count;
}

void edo__unwind_init(void)
{
    /* The first trace loads the unwinder and looks at every module. */
    void *pcs[4];
    (void)edo__unwind_here(pcs, sizeof pcs / sizeof pcs[0]);
}
