/* SPDX-License-Identifier: MIT */
/*
 * Contexts: separate stacks of execution that one thread enters and leaves at will.
 *
 * The switch is asymmetric. A thread, on its own stack, resumes a context; the context suspends
 * back to whoever resumed it, and may be resumed by another thread the next time. While it is
 * suspended, everything it needs lies on its own stack below `sp`; while it runs, everything its
 * resumer needs lies on the resumer's stack below `resumer_sp`. So one pointer each way is the
 * whole state.
 *
 * Saved are the registers the ABI calls callee-saved and the control words of the floating-point
 * units. Not saved: the signal mask, thread-local storage, errno. A context must not keep the
 * address of a thread-local across edo__context_suspend().
 *
 * Who resumes a context must have a happens-before edge from its last suspension; this layer adds
 * no fences.
 */
#ifndef EDO_ARCH_CONTEXT_H
#define EDO_ARCH_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define EDO__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDO__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define EDO__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EDO__TSAN 1
#endif
#endif
#ifndef EDO__ASAN
#define EDO__ASAN 0
#endif
#ifndef EDO__TSAN
#define EDO__TSAN 0
#endif
#ifndef EDO_UCONTEXT
#define EDO_UCONTEXT 0
#endif

typedef struct edo__context {
    void *sp;         /* while suspended: stack pointer below its saved registers; else undefined */
    void *resumer_sp; /* while running: the resumer's saved stack pointer */
    unsigned valgrind_id; /* name of the stack in valgrind, 0 elsewhere */
#if EDO__ASAN
    bool dying;             /* set by fini: the last resume only hands back the fake stack */
    void *fake;             /* while suspended: its fake stack */
    void *resumer_fake;     /* while running: the resumer's */
    const void *resumer_lo; /* while running: bounds of the resumer's stack */
    size_t resumer_size;
#endif
#if EDO__TSAN
    void *fiber;
    void *resumer_fiber; /* while running */
#endif
#if EDO__ASAN || EDO__TSAN
    void *lo;
    size_t size;
    void (*entry)(void *arg);
    void *arg;
#endif
} edo__context;

/*
 * Prepares a context on the memory lo..lo+size; it starts at the top. The first resume calls
 * entry(arg), which never returns. The memory belongs to the context until fini.
 */
void edo__context_init(edo__context *c, void *lo, size_t size, void (*entry)(void *arg), void *arg);

/* c is suspended (or never ran) and will never be resumed again: gives up what the tools hold
 * for it. */
void edo__context_fini(edo__context *c);

/* Whether fini does anything here; a pool with a million idle stacks asks before it touches
 * them. */
bool edo__context_fini_needed(void);

/*
 * Floating-point control words of the calling thread, as resume wants them: a thread that resumes
 * contexts asks once, since every suspend puts them back as they were.
 */
static inline uint64_t edo__control_words(void)
{
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (mxcsr & 0xffc0u) | (uint64_t)x87 << 32; /* the low six bits are status */
#else
    return 0; /* the switch itself asks: it is cheap there */
#endif
}

/*
 * Saves the caller's registers on its stack and the stack pointer in *save, continues where `load`
 * was saved. Returns when somebody switches back to *save. resume: from a thread into a context,
 * words are the thread's control words; suspend: the way back.
 */
#if defined(__x86_64__) && !EDO_UCONTEXT
void edo__switch_resume(void **save, void *load, uint64_t words);
void edo__switch_suspend(void **save, void *load);
void edo__switch_pass(void **save, void *load); /* from one context straight to another */
#else
void edo__switch(void **save, void *load);
static inline void edo__switch_resume(void **save, void *load, uint64_t words)
{
    (void)words;
    edo__switch(save, load);
}
static inline void edo__switch_suspend(void **save, void *load)
{
    edo__switch(save, load);
}
static inline void edo__switch_pass(void **save, void *load)
{
    edo__switch(save, load);
}
#endif

#if EDO__ASAN || EDO__TSAN
void edo__context_resume_with(edo__context *c, uint64_t words);
void edo__context_suspend(edo__context *c);
#else
/* edo__context_resume() for a caller that knows its control words. */
static inline void edo__context_resume_with(edo__context *c, uint64_t words)
{
    edo__switch_resume(&c->resumer_sp, c->sp, words);
}

/* From inside c: back to the resumer. Returns when c is resumed, maybe on another thread. */
static inline void edo__context_suspend(edo__context *c)
{
    edo__switch_suspend(&c->sp, c->resumer_sp);
}
#endif

/* From inside `from`: to `to`, whose resumer is from's from here on. Returns when `from` is resumed.
 * Not with sanitizers. */
static inline void edo__context_pass(edo__context *from, edo__context *to)
{
    to->resumer_sp = from->resumer_sp;
    edo__switch_pass(&from->sp, to->sp);
}

/* Runs c; returns when c suspends. */
static inline void edo__context_resume(edo__context *c)
{
    edo__context_resume_with(c, edo__control_words());
}

#endif
