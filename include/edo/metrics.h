/* SPDX-License-Identifier: MIT */
/* Edo: what a runtime is doing, seen from outside. */
#ifndef EDO_METRICS_H
#define EDO_METRICS_H

#include <edo/base.h>
#include <edo/runtime.h>
#include <edo/writer.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many values of which size: nanoseconds. Bucket 0 holds what is below 16 ns, then there are
 * four buckets per power of two up to 17 s, and the last holds the rest. */
#define EDO_HISTOGRAM_BUCKETS 122
typedef struct edo_histogram {
    uint64_t count; /* of values                */
    uint64_t sum;   /* of all values            */
    uint64_t max;   /* the largest value        */
    uint64_t buckets[EDO_HISTOGRAM_BUCKETS];
} edo_histogram;

/* edo_histogram_limit - the value in nanoseconds that all of a bucket's values are below.
 * @bucket: 0 to EDO_HISTOGRAM_BUCKETS - 1, whose limit is UINT64_MAX.
 *
 *     for (unsigned i = 0; i < EDO_HISTOGRAM_BUCKETS; i++)
 *         if (m.run_time.buckets[i] != 0)
 *             printf("below %llu ns: %llu\n", (unsigned long long)edo_histogram_limit(i),
 *                    (unsigned long long)m.run_time.buckets[i]);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_histogram_limit(unsigned bucket);

/* edo_histogram_quantile - the value in nanoseconds that a part of all values does not exceed,
 * interpolated within its bucket; 0 when there is none.
 * @q: the part, 0 to 1: 0.5 for the median.
 *
 *     uint64_t p99 = edo_histogram_quantile(&m.wake_to_run, 0.99);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_histogram_quantile(const edo_histogram *h, double q);

/* edo_histogram_mean - the mean in nanoseconds; 0 when there are no values.
 *
 *     uint64_t mean = edo_histogram_mean(&m.run_time);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_histogram_mean(const edo_histogram *h);

/* Counts since the runtime started, and states at the moment of reading. About 2.5 KiB: for a task
 * with a small stack better not on it.
 *
 * The histograms hold samples as edo_config.metrics says; all else counts every event. In a
 * histogram each run (each wake-up) is as likely to be as any other, whatever it took: quantiles
 * and mean are right, `count` is that of the samples. */
typedef struct edo_metrics {
    uint32_t workers;              /* worker threads                                          */
    uint32_t workers_parked;       /* of them idle                                            */
    uint32_t workers_spare;        /* more workers, standing in for some that tasks hold      */
    uint64_t spares_started;       /* times such a spare was called in                        */
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
    uint64_t low_depth;            /* runnable tasks of low priority                          */
    uint32_t blocking_threads;     /* threads of the blocking pool                            */
    uint32_t blocking_idle;        /* of them idle                                            */
    uint64_t blocking_queue_depth; /* jobs waiting for a thread                               */
    uint64_t blocking_jobs;        /* jobs ever run                                           */
    uint64_t timers;               /* armed                                                   */
    uint64_t timers_fired;         /* ever                                                    */
    uint64_t fds;                  /* descriptors known to epoll; io_uring: operations begun  */
    uint64_t io_polls;             /* system calls that asked for I/O events                  */
    uint64_t io_events;            /* events they gave                                        */
    uint64_t stuck_events;         /* times a task held its worker longer than stuck_after    */
    uint64_t stacks_in_use;        /* stacks bound to tasks                                   */
    uint64_t stacks_cached;        /* stacks kept for the next task                           */
    uint64_t stack_bytes_mapped;   /* address space of all stacks                             */
    uint64_t io_submits;           /* operations, cancels; epoll: changes of registrations      */
    uint64_t remote_schedules;     /* tasks made runnable by threads that are no workers      */
    uint64_t noops;                /* times a worker woke up and found nothing to run         */
    int64_t busy_ns;               /* all workers' time that was not spent idle               */
    int64_t idle_ns;               /* ... and that was: asleep, or looking for work in vain   */
    edo_histogram run_time;        /* how long a task ran until it suspended or ended         */
    edo_histogram wake_to_run;     /* from being made runnable (or spawned) to running        */
} edo_metrics;

/* One worker's share of the above. */
typedef struct edo_worker_metrics {
    int32_t tid;            /* the kernel's number of its thread                      */
    int32_t cpu;            /* it is bound to (`pin_workers`); -1: to none            */
    bool running;           /* it runs a task at this moment                          */
    uint64_t tasks_spawned; /* by the tasks it ran                                    */
    uint64_t tasks_finished;
    uint64_t polls;
    uint64_t steals; /* by it                                                  */
    uint64_t stolen;
    uint64_t parks;
    uint64_t unparks; /* of others, by it                                       */
    uint64_t noops;
    uint64_t budget_yields;
    uint64_t overflows;
    uint64_t local_depth;
    uint64_t timers;
    uint64_t timers_fired;
    int64_t busy_ns;
    int64_t idle_ns;
    edo_histogram run_time;
    edo_histogram wake_to_run;
} edo_worker_metrics;

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

/* edo_metrics_worker - takes a reading of one worker.
 * @rt: NULL: the calling task's.
 * @worker: 0 to edo_metrics.workers - 1; spares, as far as there ever were any, follow.
 * @out: filled.
 * Returns 0, -EINVAL when there is no such worker, or -EPERM when rt is NULL outside of a task.
 *
 *     edo_worker_metrics w;
 *     for (unsigned i = 0; edo_metrics_worker(NULL, i, &w) == 0; i++)
 *         printf("%u: %.1f %% busy\n", i, 100.0 * w.busy_ns / (w.busy_ns + w.idle_ns));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_metrics_worker(edo_runtime *rt, unsigned worker, edo_worker_metrics *out);

/* edo_metrics_prometheus - writes all figures in Prometheus' text format (0.0.4), with the runtime's
 * name as the label `runtime`: counters, gauges, series per worker, both histograms in seconds.
 * @rt: NULL: the calling task's.
 * @w: not flushed.
 * Returns 0; -EPERM when rt is NULL outside of a task; -ENOMEM; the codes of edo_writer_write().
 *
 *     edo_writer w;
 *     edo_writer_init_memory(&w, 0);
 *     rc = edo_metrics_prometheus(NULL, &w);    // then serve edo_writer_data() as
 *     edo_writer_deinit(&w);                    // text/plain; version=0.0.4
 *
 * Suspends: maybe (as edo_writer_write() does)
 * Cancel:   as edo_writer_write()
 * Threads:  any */
EDO_MUST_CHECK int edo_metrics_prometheus(edo_runtime *rt, edo_writer *w);

/* edo_dump - writes every task: id, name, spawn site, parent, state, what it waits for and since
 * when, who holds a lock, and its stack. Before them the deadlocks among them, each with its cycle:
 * "deadlock" when nothing that the runtime knows of could end it, "likely deadlock" with what it
 * rests on when that is not certain; docs/operating tells more. Works while a worker is stuck, and
 * when all are.
 * @rt: NULL: the calling task's.
 * @f: written to with stdio.
 * Returns the number of tasks written, or -EPERM when rt is NULL outside of a task.
 *
 *     edo_dump(NULL, stderr);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_dump(edo_runtime *rt, FILE *f);

/* edo_dump_json - the same for programs: one JSON object with "runtime", "workers", "standstill",
 * "deadlocks" (each with "sure" and the ids of its "tasks" in the order of the cycle) and "tasks".
 * Of each task "id", "name", "parent" (0: none), "state", "for_ns" (how long), "stack", and where
 * they apply "spawned_at", "for", "object", "fd", "held_by", "behind", "used_by", "left_ns".
 * @rt: NULL: the calling task's.
 * @f: written to with stdio.
 * Returns the number of tasks written, or -EPERM when rt is NULL outside of a task.
 *
 *     edo_dump_json(NULL, stdout);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_dump_json(edo_runtime *rt, FILE *f);

#ifdef __cplusplus
}
#endif
#endif
