/* SPDX-License-Identifier: MIT */
/* The scheduler's shape (D5): runtime and workers. See sched.c for the loop, park.c for idling,
 * queue.h for the run queue. */
#ifndef EDO_CORE_SCHED_H
#define EDO_CORE_SCHED_H

#include "arch/ticks.h"
#include "core/backend.h"
#include "core/meter.h"
#include "core/park.h"
#include "core/pool.h"
#include "core/queue.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/wait.h"

#include <edo/runtime.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define EDO__WORKERS_MAX 1024
#ifndef EDO__SPARES_MAX     /* a model check has few */
#define EDO__SPARES_MAX 256 /* workers that stand in for held ones, see spare.c */
#endif
#define EDO__STACK_CACHE 64  /* warm stacks a worker keeps per class            */
#define EDO__TASK_CACHE 128  /* free tasks a worker keeps                       */
#define EDO__INJECT_EVERY 31 /* tasks run between looks at the inject queue     */
#define EDO__POLL_ROUNDS 2   /* such looks between looks at I/O and timers      */
#define EDO__LIFO_MAX 3      /* times in a row the LIFO slot is used            */

typedef enum edo__action { /* what a task asked of its worker when it suspended */
                           EDO__ACTION_NONE,
                           EDO__ACTION_END,
                           EDO__ACTION_PARK,
                           EDO__ACTION_YIELD,
} edo__action;

enum {                        /* edo__worker.wanted */
       EDO__WANT_TEND = 1u,   /* the monitor says that time has passed: look at timers, I/O */
       EDO__WANT_WATCH = 2u,  /* the present run is measured */
       EDO__WANT_RETIRE = 4u, /* a spare is not needed: it runs what is pinned to it, no more */
};

typedef struct edo__counters { /* written by one worker, read by anybody: relaxed atomics */
    uint64_t spawned, finished, steals, stolen, parks, unparks, budget_yields, overflows;
    uint64_t timers_fired;
    uint64_t remote; /* tasks made runnable, from outside */
} edo__counters;

typedef struct edo__worker {
    /* The owner's. */
    edo_runtime *rt;
    edo__task *current; /* atomic: what it runs; NULL in the scheduler. Read by the monitor */
    uint64_t tick;      /* atomic: tasks run. Read by the monitor and the metrics           */
    uint32_t index;
    edo__action action;     /* what the task that was left last wants; NONE: that is done */
    edo__task *left;        /* that task, if it has not ended ...                        */
    edo__stack *left_stack; /* ... or its stack, if it has                               */
    edo__task *handoff;     /* run next by the loop: a task that needs a new stack       */
    uint32_t lifo_used;
    int32_t until_inject; /* 1 + runs until the next look at the inject queue */
    uint32_t rounds;      /* such looks */
    bool searching;
    bool mail_turn;      /* the mailbox was looked at first the last time */
    int64_t now;         /* the clock as last read: good for "since when" */
    edo__ticks ticks;    /* a reading of the clock for deadlines          */
    int64_t spin_limit;  /* nanoseconds to look for work before sleeping: grows when that pays */
    int64_t first_look;  /* nanoseconds to watch a ring before stealing from it */
    int64_t stole_at;    /* when w stole last; 0: what it stole was judged ...  */
    uint64_t stole_tick; /* ... and tick at that time */
    uint64_t random;
    uint64_t control_words;            /* the thread's, see arch/context.h */
    void *io;                          /* the backend's */
    struct edo__results *free_results; /* room for results of children, see group.c */
    uint32_t free_results_count;
    edo__task *free_tasks;
    uint32_t free_count;
    uint32_t stack_count[EDO__STACK_CLASSES];
    edo__stack *stacks[EDO__STACK_CLASSES][EDO__STACK_CACHE]; /* last in, first out */
    edo__counters counters;
    uint64_t sample_spawn; /* the spawn by that number is watched, see meter.c */
    pthread_t thread;
    bool has_thread; /* started by the runtime: to be joined */
    int16_t cpu;     /* it is bound to; -1: to none */
    int32_t tid;

    /* Shared. */
    edo__queue queue __attribute__((aligned(EDO__CACHE_LINE)));
    edo__task *lifo; /* atomic: run next; stealable when the owner is stuck */

    uint32_t mail_lock __attribute__((aligned(EDO__CACHE_LINE))); /* over the mailbox */
    union {                                                       /* read at once before each run */
        struct {
            uint32_t mail_len; /* atomic */
            uint32_t wanted;   /* atomic: EDO__WANT_*, why the loop must be passed */
        };
        uint64_t attention; /* atomic */
    };
    edo__task *mail_head, *mail_tail; /* tasks that must run here: pinned ones */

    edo__parker parker __attribute__((aligned(EDO__CACHE_LINE)));

    uint32_t timer_lock __attribute__((aligned(EDO__CACHE_LINE))); /* over the wheel */
    int64_t timer_next; /* atomic: when the wheel wants to be looked at */
    edo__wheel wheel;

    edo__meter meter __attribute__((aligned(EDO__CACHE_LINE))); /* the owner's; others read */
} __attribute__((aligned(EDO__CACHE_LINE))) edo__worker;

typedef struct edo__inject { /* tasks from outside and overflow: first in, first out */
    uint32_t lock;
    uint32_t len; /* atomic */
    edo__task *head, *tail;
} edo__inject;

struct edo_runtime {
    edo_config config;  /* with defaults filled in */
    uint32_t n_workers; /* meant to run at a time */
    uint32_t n_known;   /* atomic: workers that exist, spares included; only grows */
    uint32_t shutdown;  /* atomic: 0 running, 3 refuses spawns, 1 and cancelled, 2 workers leave */
    edo__worker *workers; /* room for n_workers + EDO__SPARES_MAX */
    const edo__backend *backend;
    void *io; /* the backend's */
    edo__pool *pool;
    edo__stack_pool *stacks;
    struct edo__arena *arena;
    edo_group root;       /* detached tasks and block_on's */
    edo__task root_owner; /* stands for the runtime itself as the owner of root */
    struct edo__monitor *monitor;
    struct edo__stopping *stopping;
    bool io_open;
    bool fall_back;  /* to epoll, where the backend of config is not to be had */
    int dump_signal; /* EDO_DUMP_SIGNAL, 0: none */
    char name[16];
    edo_runtime *listed; /* the next one in edo__runtimes */
    cpu_set_t cpus;      /* its threads may run on, but for bound workers */
    bool cpus_known;
    uint32_t cpus_told; /* atomic: that a worker could not be bound */

    edo__inject inject __attribute__((aligned(EDO__CACHE_LINE)));
    edo__inject low __attribute__((aligned(EDO__CACHE_LINE))); /* tasks of low priority */
    edo__idle idle __attribute__((aligned(EDO__CACHE_LINE)));

    /* The clock, see clock.c. */
    uint32_t clock_lock __attribute__((aligned(EDO__CACHE_LINE)));
    uint32_t clock_paused; /* atomic */
    int64_t clock_offset;  /* atomic: added to the kernel's monotonic clock while running */
    int64_t clock_virtual; /* atomic: the time while paused */

    edo__counters outside
        __attribute__((aligned(EDO__CACHE_LINE))); /* spawns from foreign threads */
    uint64_t stuck_events;                         /* atomic */
    uint64_t spares_started;                       /* atomic: times a spare was called in */
    uint32_t spares;                               /* atomic: spares called in at present */
    uint32_t visitors; /* atomic: threads from outside that are making a task runnable */
};

/* How many of rt->workers exist, to look at all of them: a spare may come any time. */
static inline uint32_t edo__workers_known(const edo_runtime *rt)
{
    return edo__aload(&rt->n_known, EDO__ACQ); /* pairs with the release in spare.c */
}

/* Counters with one writer: no read-modify-write needed. */
static inline void edo__count(uint64_t *counter)
{
    edo__astore(counter, edo__aload(counter, EDO__RLX) + 1, EDO__RLX);
}
static inline void edo__count_spawn_on(edo__worker *w, edo__task *t)
{
    uint64_t n = edo__aload(&w->counters.spawned, EDO__RLX) + 1;
    edo__astore(&w->counters.spawned, n, EDO__RLX);
    if (edo__unlikely(n == w->sample_spawn))
        edo__meter_spawned(w, t);
}
static inline void edo__count_spawn(edo_runtime *rt, edo__worker *w, edo__task *t)
{
    if (edo__likely(w != NULL))
        edo__count_spawn_on(w, t);
    else
        edo__meter_spawned_outside(rt, t);
}

static inline uint64_t edo__worker_random(edo__worker *w)
{
    /* xorshift64 (Marsaglia, 2003) */
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* The clock of the runtime (clock.c). */
int64_t edo__clock_now(const edo_runtime *rt);
int64_t edo__clock_real(void);
int64_t edo__clock_next(const edo_runtime *rt); /* when the earliest wheel wants to be looked at */
/* While the clock is paused and nothing else can happen: jumps to the next deadline. True when a
 * timer fired. Called by the last worker to go idle. */
bool edo__clock_jump(edo_runtime *rt);

/* The calling thread's worker if it is one of rt's, else NULL. Not kept across a suspension. */
edo__worker *edo__current_worker(const edo_runtime *rt);
edo__worker *edo__thread_worker(void); /* of whatever runtime; async-signal-safe */
void edo__set_current_worker(edo__worker *w);
/* To the end of w's ring, or where it overflows to. On w's thread. */
void edo__queue_local(edo__worker *w, edo__task *t);

/* Makes a task that is in no queue runnable, from any thread. Prefers the calling worker, next in
 * line. */
void edo__schedule(edo__task *t);
/* The same where the calling worker is known to be w. */
void edo__schedule_on(edo__worker *w, edo__task *t);
/* The same for a task that never ran; w NULL from outside. */
void edo__schedule_new(edo__worker *w, edo__task *t);
/* Some queue was filled: wakes a worker for it if none is looking. */
void edo__wake_one(edo_runtime *rt);
/* The same although one is looking, or should be: it does not get on. */
void edo__wake_another(edo_runtime *rt);
/* Wakes this worker from its sleep, or keeps it from falling asleep. */
void edo__worker_wake(edo__worker *w);
/* Whether any task waits in a queue that every worker may take from. */
bool edo__work_visible(const edo_runtime *rt);

/* Moves what waits in w's slot, ring and mailbox and need not run there to the inject queue; from
 * any thread. True: there was something, and edo__wake_one() is due. */
bool edo__give_away(edo__worker *w);
bool edo__give_away_next(edo__worker *w); /* only what waits in the slot */

/* Suspends the calling task with an action for its worker. Returns when it runs again. */
void edo__suspend(edo__task *self, edo__action action);

/* inject.c */
void edo__inject_push(edo__inject *q, edo__task *first, edo__task *last, uint32_t n);
edo__task *edo__inject_pop(edo__inject *q, uint32_t max, uint32_t *got); /* a list linked by next */

/* A worker's life; returns when the runtime stops. */
void edo__worker_run(edo__worker *w);
int edo__worker_init(edo__worker *w, edo_runtime *rt, uint32_t index);
void edo__worker_deinit(edo__worker *w);
int edo__worker_start(edo__worker *w); /* gives it a thread */
/* Fires what is due on w's wheel. From any thread. */
size_t edo__worker_expire(edo__worker *w, int64_t now);
/* The same for w by the monitor, unless the wheel is being looked at: it must not wait for a thread
 * that may have lost its processor. */
void edo__worker_expire_for(edo__worker *w, int64_t now);
void edo__stack_entry(void *stack);

/* The last child of the root group has ended. */
void edo__runtime_root_empty(edo_runtime *rt);

/* local.c: runs the destructors of the ending task's values. */
void edo__locals_end(edo__task *t);

/* task_arena.c */
int edo__arena_create(struct edo__arena **out);
void edo__arena_destroy(struct edo__arena *a);
edo__task *edo__task_alloc_slow(edo_runtime *rt, edo__worker *w);
void edo__task_free_slow(edo__task *t, edo__worker *w);

/* w: the calling worker, NULL from outside. */
static inline edo__task *edo__task_alloc(edo_runtime *rt, edo__worker *w)
{
    edo__task *t = w != NULL ? w->free_tasks : NULL;
    if (edo__unlikely(t == NULL))
        return edo__task_alloc_slow(rt, w);
    w->free_tasks = t->next;
    w->free_count--;
    return t;
}

/* t has no stack, no watcher, no local values and no lock held. */
static inline void edo__task_free(edo__task *t, edo__worker *w)
{
    if (edo__unlikely((t->flags & EDO__TF_OPTIONS) != 0)) {
        t->pins = 0;
        t->stack_class = EDO__STACK_DEFAULT;
        t->name[0] = '\0';
        free(t->child);
        t->child = NULL;
    }
    edo__astore(&t->state, EDO__TASK_FREE, EDO__RLX);
    /* Under nobody's lock: an id is checked again under t->lock, which join takes. */
    uint64_t id = t->id + ((uint64_t)1 << 32);
    edo__astore(&t->id, id, EDO__REL);
    if (edo__unlikely(id >> 32 == 0))
        return; /* worn out after four thousand million tasks: ids are never given out twice */
    if (edo__likely(w != NULL)) {
        t->next = w->free_tasks;
        w->free_tasks = t;
        if (edo__likely(++w->free_count < EDO__TASK_CACHE))
            return;
    }
    edo__task_free_slow(t, w);
}
edo__task *edo__task_find(edo_runtime *rt, uint64_t id); /* the slot; check again under its lock */
size_t edo__arena_used(const struct edo__arena *a);      /* slots ever used */
edo__task *edo__arena_at(const struct edo__arena *a, size_t i);

#endif
