/* SPDX-License-Identifier: MIT */
/*
 * Stack traces by the unwinder that comes with the compiler. It only knows how to start from its
 * caller, so the frames before the bridge, edo__unwind_from(), are skipped.
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
        if (pc == t->until)
            t->until = 0;
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
    struct trace t = { .pcs = pcs, .max = max, .until = (uintptr_t)edo__unwind_mark };
    edo__unwind_from(&at, run, &t);
    return t.count;
}

__attribute__((noinline)) size_t edo__unwind_here(void **pcs, size_t max)
{
    struct trace t = { .pcs = pcs, .max = max, .skip = 2 };
    run(&t);
    return t.count;
}

/*
 * Interrupted code is reached over the same bridge as a parked stack, not through the frame of the
 * signal handler: that needs no call frame information for the trampoline, which emulators lack. An
 * unwinder looks the pc of a frame up at pc - 1, hence the + 1 here.
 */
size_t edo__unwind_ucontext(void *ucontext, void **pcs, size_t max)
{
#if EDO__TSAN
    /* ThreadSanitizer keeps a signal back until the program calls something of its own: by then
     * these registers are history and the stack they point into is not, so the trace starts
     * here. */
    (void)ucontext;
    return edo__unwind_here(pcs, max);
#else
    const ucontext_t *uc = ucontext;
    edo__registers at = { 0 };
#if defined(__x86_64__)
    const greg_t *r = uc->uc_mcontext.gregs;
    static const int order[] = { REG_RBP, REG_RBX, REG_R12, REG_R13, REG_R14, REG_R15 };
    static const int scratch[] = { REG_RAX, REG_RDX, REG_RCX, REG_RSI, REG_RDI,
                                   REG_R8,  REG_R9,  REG_R10, REG_R11 };
    at.sp = (uintptr_t)r[REG_RSP];
    at.pc = (uintptr_t)r[REG_RIP] + 1;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        at.saved[i] = (uintptr_t)r[order[i]];
    for (size_t i = 0; i < sizeof scratch / sizeof scratch[0]; i++)
        at.scratch[i] = (uintptr_t)r[scratch[i]];
#elif defined(__aarch64__)
    at.sp = uc->uc_mcontext.sp;
    at.pc = uc->uc_mcontext.pc + 1;
    for (size_t i = 0; i < sizeof at.saved / sizeof at.saved[0]; i++)
        at.saved[i] = uc->uc_mcontext.regs[19 + i];
#endif
    struct trace t = { .pcs = pcs, .max = max, .until = (uintptr_t)edo__unwind_mark };
    edo__unwind_from(&at, run, &t);
    if (t.count > 0)
        pcs[0] = (char *)pcs[0] - 1;
    return t.count;
#endif
}

void edo__unwind_init(void)
{
    /* The first trace loads the unwinder and looks at every module. */
    void *pcs[4];
    (void)edo__unwind_here(pcs, sizeof pcs / sizeof pcs[0]);
}
