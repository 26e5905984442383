/* SPDX-License-Identifier: MIT */
/* The task, and who it is that waits.
 *
 * A task is 256 bytes, from an arena of the runtime's (task_arena.c), and has no stack until it
 * first runs. A foreign thread that waits has a stand-in of the same type (`foreign` set), so that
 * every primitive has one way of waiting. */
#ifndef EDO_CORE_TASK_H
#define EDO_CORE_TASK_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/cpu.h"
#include "base/probe.h"
#include "base/spin.h"
#include "core/stack.h"

#include <edo/task.h>

struct edo__worker;
struct edo_runtime;

#define EDO__TASK_INLINE 40      /* bytes of arguments stored in the task */
#define EDO__TASK_NAME 24        /* bytes of its name, terminator included */
#define EDO__BUDGET 128          /* operations per run before a task must let others go first */
#define EDO__PIN_WATCHED 0x8000u /* in pins: how long it waits to run is measured, see meter.c */
#define EDO__PIN_PAUSED 0x4000u  /* in pins, with the above: its pause was traced */
#define EDO__PIN_LOW 0x2000u     /* in pins: of low priority, see sched.c */
#define EDO__PIN_COUNT 0x1FFFu   /* mask, in pins: edo_task_pin() */

/* Why a task waits: for dumps. The names are in inspect/picture.c. */
typedef enum edo__why {
    EDO__WHY_NONE,
    EDO__WHY_SLEEP,
    EDO__WHY_MUTEX,
    EDO__WHY_SEM,
    EDO__WHY_EVENT,
    EDO__WHY_NOTIFY,
    EDO__WHY_ONESHOT,
    EDO__WHY_RDLOCK,
    EDO__WHY_WRLOCK,
    EDO__WHY_COND,
    EDO__WHY_BARRIER,
    EDO__WHY_ONCE,
    EDO__WHY_SETONCE,
    EDO__WHY_SEND,
    EDO__WHY_RECV,
    EDO__WHY_RESERVE,
    EDO__WHY_CHAN_CLOSE,
    EDO__WHY_BROADCAST,
    EDO__WHY_WATCH,
    EDO__WHY_SELECT,
    EDO__WHY_FD,
    EDO__WHY_READ,
    EDO__WHY_WRITE,
    EDO__WHY_ACCEPT,
    EDO__WHY_CONNECT,
    EDO__WHY_BLOCKING,
    EDO__WHY_GROUP_CLOSE,
    EDO__WHY_GROUP_NEXT,
    EDO__WHY_GROUP_ROOM,
    EDO__WHY_TOKEN,
    EDO__WHY_JOINED,
    EDO__WHY_STACK,
    EDO__WHY_DELAYQUEUE,
    EDO__WHY_RATELIMIT,
    EDO__WHY_TRACKER,
    EDO__WHY_FILE,
    EDO__WHY_FILE_LOCK,
    EDO__WHY_FILE_WATCH,
    EDO__WHY_SIGNAL,
    EDO__WHY_OTHER,
    EDO__WHYS,
} edo__why;

enum { /* edo__task.state; written by its worker, read by dumps */
       EDO__TASK_FREE,
       EDO__TASK_NEW,  /* spawned, never ran: has no stack                                        */
       EDO__TASK_LIVE, /* running, waiting (its wait word says so), or else in a run queue        */
       EDO__TASK_ENDED, /* its result has not been taken                                           */
};

enum { /* edo__task.flags; written before the task is published, or by the task itself */
       EDO__TF_FOREIGN = 1,  /* stands for a thread that is no worker                  */
       EDO__TF_HEAP_ARG = 2, /* arg is a copy that is freed at the end                 */
       EDO__TF_COPIED = 4,   /* arg points to a copy: not reported in results          */
       EDO__TF_DETACHED = 8,
       EDO__TF_KEPT = 16,     /* stays after its end until its result was taken         */
       EDO__TF_OPTIONS = 32,  /* has a name, a stack class, a pin or a child record     */
       EDO__TF_BLOCKING = 64, /* runs on the blocking pool: never has a stack           */
       EDO__TF_UNSEEN = 128,  /* could not be started: leaves no result                 */
       EDO__TF_HOOKED = 256,  /* its end has a hook, see hooks.c                        */
};

const char *edo__why_name(unsigned why); /* describe.c */

/* The wait word. Waiting tasks are woken by whoever first changes it from WAITING or PARKED into a
 * wake code (claims it): exactly one waker per wait, whatever else happens at the same time. While
 * waiting, the class bits say which cancels may claim it; so a cancel that comes late, when the
 * task waits for something else already, cannot claim the wrong wait. */
enum {
    EDO__WORD_IDLE = 0,
    EDO__WORD_WAITING =
        1,                /* can be claimed; registers not saved yet: the waker must not schedule */
    EDO__WORD_PARKED = 2, /* can be claimed; the waker makes it runnable                          */
    EDO__WORD_HELD = 3,   /* select is matching with another select: look again soon              */
    EDO__WORD_FROZEN = 4, /* parked, a dump walks its stack: look again soon                      */
    EDO__WORD_STATE = 7,  /* mask of the above */
    EDO__CANCEL_ANY = 0,  /* class: any cancel of the innermost scope                             */
    EDO__CANCEL_NEVER = 16,
    EDO__CANCEL_OUTER =
        32,                /* only one from outside the innermost scope: edo_group_next()         */
    EDO__WORD_CLASS = 48,  /* mask of the classes */
    EDO__WAKE_CANCEL = 64, /* from here on: wake codes                                            */
    EDO__WAKE_TIMEOUT =
        65, /* the scope's deadline                                                */
    EDO__WORD_CALLED =
        73,             /* a select is to look again, and can still be claimed; with its class   */
    EDO__WAKE_OK = 128, /* it happened; select adds the index of the case                      */
    EDO__WAKE_LOOK = 256, /* a timer's: no claim but edo__wait_call()                            */
};

typedef struct edo__locals edo__locals;

typedef struct edo__task {
    /* Line 0: the scheduler's. */
    edo__stack *stack;          /* NULL until it first runs, and after it ended                  */
    struct edo__task *next;     /* run queue, inject queue, mailbox, free list: one at a time    */
    edo_scope *scope;           /* innermost open scope; written under lock                      */
    struct edo__worker *worker; /* the one that runs it or ran it last                           */
    edo_fn *fn;
    void *arg;
    uint32_t word; /* atomic: the wait word                                                     */
    uint8_t state; /* atomic: for dumps                                                         */
    uint8_t why;   /* atomic: for dumps                                                         */
    uint16_t flags;
    uint16_t pins; /* edo_task_pin() count, and EDO__PIN_*: why it is not scheduled like most     */
    uint8_t
        claimed_early; /* the last wait was claimed before it parked; between task and worker  */
    uint8_t stack_class;
    uint32_t budget; /* operations left in this run                                              */

    /* Line 1: the family. */
    edo_group *group;           /* it was spawned into; its scope is where this task starts     */
    struct edo__task *sib_next; /* on group's list of children; then of ended ones; group's lock */
    struct edo__task *sib_prev;
    struct edo__task *cancel_next; /* work list of a cancel in progress; under the cancel lock   */
    uint32_t lock; /* over scope and the chain of scopes, and join                               */
    uint32_t refs; /* atomic: 1 while on group's list, and 1 per cancel passing through          */
    uint64_t id; /* atomic: slot + 1, the runtime's lane, how often the slot was used: see arena */
    union {
        int32_t code;   /* what fn returned                                                     */
        uint32_t futex; /* atomic; foreign stand-ins: the thread sleeps here                    */
    };
    uint32_t woken; /* watched: when it was made runnable, see meter.c                            */
    struct edo__waiter *join; /* atomic: who waits for its end; written under lock               */
    struct edo_runtime *rt;

    /* Line 2: seen from outside. */
    const char *site;    /* "file:line" of the spawning call, or NULL                            */
    uint64_t parent;     /* id                                                                   */
    int64_t since;       /* when it last changed its state, about                                */
    const void *why_obj; /* what it waits on                                                     */
    edo__locals *locals; /* task-local values, NULL when none was set                            */
    char name[EDO__TASK_NAME];

    /* Line 3 */
    uint64_t copy[EDO__TASK_INLINE / 8]; /* arguments of edo_spawn_copy()                        */
    struct edo__child *child;            /* what more is known of it, see group.h; NULL for most */
    uint64_t span; /* the innermost open span, else that of the spawner; see trace.c             */
} __attribute__((aligned(EDO__CACHE_LINE))) edo__task;

_Static_assert(sizeof(edo__task) == 256, "four cache lines");

/* What the calls below read and the worker's loop writes. Its address is another one after a
 * suspension, when the task may be on another thread; so it is used by no other name, except by the
 * loop, which stays on its thread, and edo__self_here(). */
extern __thread edo__task *edo__tls_self __attribute__((tls_model("initial-exec")));
edo__task *edo__foreign_self(void);

/* edo__self_task() - the calling task, NULL on a foreign thread.
 * edo__self() - the same, there the thread's stand-in.
 * edo__set_self() - the worker's.
 * What they return stays valid for the life of the caller. */
#if defined(__x86_64__) && !defined(EDO_MODEL)
/* The address is made and used in one piece of assembly: a compiler cannot keep it. */
static inline edo__task *edo__self_task(void)
{
    edo__task *t;
    __asm__ __volatile__("movq edo__tls_self@gottpoff(%%rip), %0\n\t"
                         "movq %%fs:(%0), %0"
                         : "=&r"(t)
                         :
                         : "memory");
    return t;
}

static inline edo__task *edo__self(void)
{
    edo__task *t = edo__self_task();
    return edo__likely(t != NULL) ? t : edo__foreign_self();
}

static inline void edo__set_self(edo__task *t)
{
    edo__task *address;
    __asm__ __volatile__("movq edo__tls_self@gottpoff(%%rip), %0\n\t"
                         "movq %1, %%fs:(%0)"
                         : "=&r"(address)
                         : "r"(t)
                         : "memory");
}
#else
/* Never inlined, so that no compiler knows of an address. */
edo__task *edo__self_task(void);
edo__task *edo__self(void);
void edo__set_self(edo__task *t);
#endif

/* edo__self() without the call: at the top of an EDO__ENTRY function, before anything in it that
 * may suspend, and once. So the address of the thread-local dies before the first suspension. */
static inline edo__task *edo__self_here(void)
{
    edo__task *t = edo__tls_self;
    return edo__likely(t != NULL) ? t : edo__foreign_self();
}
#define EDO__ENTRY __attribute__((noinline))

static inline bool edo__is_foreign(const edo__task *t)
{
    return (t->flags & EDO__TF_FOREIGN) != 0;
}

/* Must run on its worker. */
static inline bool edo__pinned(const edo__task *t)
{
    return (t->pins & EDO__PIN_COUNT) != 0;
}

/* Runs when there is nothing else. While it is pinned it runs like others. */
static inline bool edo__is_low(const edo__task *t)
{
    return (t->pins & (EDO__PIN_LOW | EDO__PIN_COUNT)) == EDO__PIN_LOW;
}

/* The clock as this task sees it. */
int64_t edo__now(const edo__task *self);
/* The instant that comes so many nanoseconds from now; EDO_FOREVER when there is none. Cheaper than
 * asking for the time, and maybe a few nanoseconds later: see arch/ticks.h. */
int64_t edo__instant_after(edo__task *self, int64_t after);

/* 0 for a stand-in. */
static inline uint64_t edo__task_id(const edo__task *t)
{
    return edo__aload(&t->id, EDO__RLX);
}

#endif
