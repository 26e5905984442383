/* SPDX-License-Identifier: MIT */
/* A small model checker for the library's lock-free parts.
 *
 * A model is a handful of threads running the library's own source, compiled with EDO_MODEL, on a
 * few words of memory. The checker runs them on one real thread and tries every order of their
 * atomic operations, store buffers included; see checker.h for how, docs/internals/model-checks.md
 * for what that proves. In a model's file: define EDO_MODEL, include this, then the sources, then
 * checker.h. */
#ifndef EDO_TESTS_MODEL_H
#define EDO_TESTS_MODEL_H

#include "model_atomic.h"

enum { MODEL_UNBOUNDED = 255, MODEL_TRACE_SIZE = 1 << 16 };

typedef enum model_memory {
    MODEL_SC,  /* a store is seen by everyone at once */
    MODEL_TSO, /* x86: a store waits in a first-in first-out buffer; exchanges and fences empty it */
    /* relaxed stores may leave the buffer out of order, and pass exchanges that do not release */
    MODEL_WEAK
} model_memory;

/* What is changed in the source under test, to see that the checker notices. */
typedef enum model_change {
    MODEL_AS_IS,
    MODEL_LEFT_OUT, /* the operation does not happen */
    MODEL_TORN,     /* an exchange, addition ... becomes a load and a store */
    MODEL_RELAXED   /* it orders nothing */
} model_change;

typedef struct model_mutant {
    model_change change;
    model_kind kind;
    const char *where; /* the function */
} model_mutant;

typedef struct model_config {
    unsigned threads;
    const char *const *names;
    void (*start)(void);            /* makes everything new and calls model_shared() */
    void (*thread)(unsigned index); /* the body of thread `index` */
    void (*enter)(unsigned index); /* before each stretch of a thread: its thread-locals; or NULL */
    void (*invariant)(void);       /* in every state, changes nothing; may be NULL */
    uint64_t (*look)(void); /* a hash of what locks protect and no region holds; may be NULL */
    void (*end)(void);      /* no thread can go on */
    model_memory memory;
    unsigned
        preemptions;   /* at most so many times a thread that could go on has to wait for another */
    unsigned patience; /* and so many times one that waits in model_relax() looks again at once */
    model_mutant mutant;
    uint64_t max_runs; /* 0: none */
} model_config;

typedef struct model_result {
    bool failed;
    bool complete; /* everything within the bounds was tried */
    uint64_t runs; /* schedules, each until its end or a state seen before */
    uint64_t states, steps;
    unsigned depth;               /* of the longest schedule */
    char message[256];            /* when failed */
    char trace[MODEL_TRACE_SIZE]; /* the schedule that led there */
} model_result;

/* Tries all. result is too large for a stack. */
void model_check(const model_config *config, model_result *result);

/* From start(): memory that matters. atomic: operations on it are visible to other threads; else it
 * is read and written under locks, or by one thread. What is not named is taken for a thread's own. */
void model_shared(void *p, size_t size, bool atomic, const char *name);

/* The region named last is written by this thread only: its own loads from it are no events. */
void model_written_by(unsigned thread);

/* What the model writes down for its checks: part of the state, but no thread learns from it. */
void model_note(void *p, size_t size);

/* What a thread does after it has changed the region named last may be late: others may go first. For
 * words whose change tells others something, while the thread still has something to do. */
void model_lingering(void);
/* Memory that was given back: no thread touches it any more, be it by a store that has waited. Makes
 * it unlike anything it was before. */
void model_dead(void *p, size_t size);

/* The number of the thread that runs. */
unsigned model_current(void);

/* From threads. Blocks until *flag is not 0, then makes it 0. */
void model_take(uint32_t *flag);
/* Blocks until *word is at least `least`. */
void model_reach(uint32_t *word, uint32_t least);
/* All the calling thread knows is now in shared memory and `local`: states that differ only in how it
 * got here are the same. */
void model_forget(uint64_t local);
/* Others may go first. */
void model_point(void);
/* In a loop that waits for others: the next load of what was just loaded waits until that is another
 * value, any other operation until somebody else has done something. */
void model_relax(void);
/* The calling thread has learned something from memory that is no event, without a lock. */
void model_learn(uint64_t what);
/* The same, of all memory named in start() that is not atomic, and look(). */
void model_learn_all(void);
/* The property does not hold; from anywhere. */
__attribute__((format(printf, 1, 2))) void model_fail(const char *format, ...);
#define MODEL_CHECK(cond_)                                                                         \
    do {                                                                                           \
        if (!(cond_))                                                                              \
            model_fail("%s is false in %s", #cond_, __func__);                                     \
    } while (0)

/* h and x; a hash for look(). */
uint64_t model_mix(uint64_t h, uint64_t x);

/* One line of the table: what was tried under which bounds, and how much there was. mutant: what was
 * broken on purpose, NULL when nothing was. */
void model_report(const char *what, const model_config *config, const model_result *result);

/* From invariant(): whether stores to p wait in some buffer. */
bool model_in_flight(const void *p);

#endif
