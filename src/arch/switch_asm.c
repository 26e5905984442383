/* SPDX-License-Identifier: MIT */
/*
 * The C side of switch_x86_64.S and switch_aarch64.S: builds and reads the frame that edo__switch()
 * leaves on a parked stack. The layouts here and there must agree.
 */
#include "arch/abi.h"

#include "arch/context.h"

#if !EDO_UCONTEXT && (defined(__x86_64__) || defined(__aarch64__))

#include <stdint.h>
#include <string.h>

/* Not the start of a function: the pc of a frame that nobody called, as unwinders expect it. */
extern const char edo__switch_first[];

#if defined(__x86_64__)

struct frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    uintptr_t r15, r14, r13, r12, rbx, rbp;
    uintptr_t pc;
};
_Static_assert(sizeof(struct frame) == 64, "switch_x86_64.S");

static void frame_start(struct frame *f, void (*entry)(void *arg), void *arg)
{
    /* A new context computes as its creator does. */
    uint64_t words = edo__control_words();
    memcpy(f, &words, sizeof words);
    f->rbx = (uintptr_t)entry;
    f->r12 = (uintptr_t)arg;
    f->pc = (uintptr_t)edo__switch_first;
}

static void frame_read(const struct frame *f, edo__registers *out)
{
    *out = (edo__registers){
        .sp = (uintptr_t)(f + 1),
        .pc = f->pc,
        .saved = { f->rbp, f->rbx, f->r12, f->r13, f->r14, f->r15 },
    };
}

#else

struct frame {
    uintptr_t x[11]; /* x19 .. x29 */
    uintptr_t pc;
    double d[8];
    uint64_t fpcr;
    uint64_t unused;
};
_Static_assert(sizeof(struct frame) == 176, "switch_aarch64.S");

static void frame_start(struct frame *f, void (*entry)(void *arg), void *arg)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(f->fpcr));
    f->x[0] = (uintptr_t)entry;
    f->x[1] = (uintptr_t)arg;
    f->pc = (uintptr_t)edo__switch_first;
}

static void frame_read(const struct frame *f, edo__registers *out)
{
    out->sp = (uintptr_t)(f + 1);
    out->pc = f->pc;
    memcpy(out->saved, f->x, sizeof f->x);
    out->saved[11] = f->pc;
}

#endif

void *edo__switch_prepare(void *lo, size_t size, void (*entry)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)lo + size) & ~(uintptr_t)15;
    struct frame *f = (struct frame *)top - 1;
    memset(f, 0, sizeof *f);
    frame_start(f, entry, arg);
    return f;
}

void edo__switch_registers(const void *sp, edo__registers *out)
{
    frame_read(sp, out);
}

#else
typedef int edo__switch_asm_unused;
#endif
