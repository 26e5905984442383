/* SPDX-License-Identifier: MIT */
/* Edo: what a runtime is doing, seen from outside. */
#ifndef EDO_METRICS_H
#define EDO_METRICS_H

#include <edo/base.h>
#include <edo/runtime.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counts since the runtime started, and states at the moment of reading. */
typedef struct edo_metrics {
    uint32_t workers;              /* worker threads                                          */
    uint32_t workers_parked;       /* of them idle                                            */
    uint64_t tasks_alive;          /* spawned and not ended                                   */
    uint64_t tasks_spawned;        /* ever; = finished + alive                                */
    uint64_t tasks_finished;       /* ever                                                    */
    uint64_t polls;                /* times a task was resumed                                */
    uint64_t steals;               /* successful steals                                       */
    uint64_t stolen;               /* tasks moved by them                                     */
    uint64_t parks;                /* times a worker went to sleep                            */
    uint64_t unparks;              /* times a sleeping worker was woken by another thread     */
    uint64_t budget_yields;        /* tasks made to yield after 128 operations                */
    uint64_t overflows;            /* tasks moved from a full local queue to the inject queue */
    uint64_t local_depth;          /* runnable tasks in local queues                          */
    uint64_t inject_depth;         /* runnable tasks in the inject queue                      */
    uint32_t blocking_threads;     /* threads of the blocking pool                            */
    uint32_t blocking_idle;        /* of them idle                                            */
    uint64_t blocking_queue_depth; /* jobs waiting for a thread                               */
    uint64_t blocking_jobs;        /* jobs ever run                                           */
    uint64_t timers;               /* armed                                                   */
    uint64_t timers_fired;         /* ever                                                    */
    uint64_t fds;                  /* descriptors known to the I/O backend                    */
    uint64_t io_polls;             /* system calls that asked for I/O events                  */
    uint64_t io_events;            /* events they gave                                        */
    uint64_t stuck_events;         /* times a task held its worker longer than stuck_after    */
    uint64_t stacks_in_use;        /* stacks bound to tasks                                   */
    uint64_t stacks_cached;        /* stacks kept for the next task                           */
    uint64_t stack_bytes_mapped;   /* address space of all stacks                             */
} edo_metrics;

/* edo_metrics_read - takes a reading. Counters of different workers are read one after another.
 * @rt: NULL: the calling task's.
 * @out: filled.
 * Returns 0, or -EPERM when rt is NULL outside of a task.
 *
 *     edo_metrics m;
 *     edo_metrics_read(NULL, &m);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_metrics_read(edo_runtime *rt, edo_metrics *out);

/* edo_dump - writes every task: id, name, spawn site, parent, state, what it waits for and since
 * when, and its stack. Works while a worker is stuck.
 * @rt: NULL: the calling task's.
 * @f: written to with stdio.
 * Returns the number of tasks written, or -EPERM when rt is NULL outside of a task.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_dump(edo_runtime *rt, FILE *f);

#ifdef __cplusplus
}
#endif
#endif
