/* SPDX-License-Identifier: MIT */
/* Edo: starting and stopping a runtime. */
#ifndef EDO_RUNTIME_H
#define EDO_RUNTIME_H

#include <edo/base.h>
#include <edo/hooks.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_backend {
    EDO_BACKEND_AUTO,  /* epoll at present                   */
    EDO_BACKEND_URING, /* io_uring; -ENOTSUP where it is not */
    EDO_BACKEND_EPOLL, /* epoll                              */
    EDO_BACKEND_SIM,   /* deterministic simulator            */
} edo_backend;

/* What is measured of tasks, for the histograms of <edo/metrics.h>. Everything else there is counted
 * in any case. */
typedef enum edo_metrics_mode {
    EDO_METRICS_SAMPLED, /* one run in 248 and one wake-up in as many, at random: costs 1 % */
    EDO_METRICS_OFF,     /* nothing: the histograms stay empty                                  */
    EDO_METRICS_ALL,     /* each run and each wake-up: some 100 ns each                         */
} edo_metrics_mode;

/* Zero means the default everywhere; a NULL config means all defaults. Operators override from the
 * environment: EDO_WORKERS, EDO_BACKEND, EDO_BLOCKING_MAX, EDO_STACK_SIZE, EDO_STUCK_AFTER_MS,
 * EDO_SEED, EDO_PIN_WORKERS (0 or 1), EDO_METRICS (off, sampled or all), EDO_DUMP_SIGNAL (a signal
 * number: print a dump of all tasks when it arrives). */
typedef struct edo_config {
    unsigned workers;           /* 0: one per CPU this process may use                          */
    unsigned blocking_max;      /* threads; 0: 512                                              */
    int64_t blocking_keepalive; /* nanoseconds an idle blocking thread stays; 0: 10 s           */
    size_t stack_size;          /* bytes of address space per task; 0: 256 KiB                  */
    edo_backend backend;        /* EDO_BACKEND_AUTO                                             */
    const char *name;           /* thread name prefix; NULL: "edo"                              */
    int64_t stuck_after;        /* nanoseconds; 0: 10 ms; EDO_FOREVER switches the monitor off  */
    uint64_t seed;              /* scheduler choices; 0: random                                 */
    edo_metrics_mode metrics;   /* EDO_METRICS_SAMPLED                                          */
    bool current_thread;        /* one thread runs all tasks, see edo_run()                     */
    bool pin_workers;           /* binds each worker to one CPU, see edo_run()                  */
    edo_hooks hooks;            /* functions to call when threads and tasks start, pause, end   */
} edo_config;

typedef struct edo_runtime edo_runtime;

/* edo_run - runs a task and everything it starts, and returns when it has ended.
 *
 * The calling thread becomes worker 0. Detached tasks that are still alive when fn returns are
 * cancelled and waited for.
 *
 * `workers` is how many tasks run at a time while none holds its worker for long. A task that
 * computes or blocks for `stuck_after` without suspending is reported, and others take over what its
 * worker had; if need be on spare threads, also when `workers` is 1. So one worker is no lock: two
 * tasks may run at the same time. With `current_thread` there is one thread for all tasks, ever (the
 * calling one; after edo_runtime_create() one of the runtime's own), nobody takes over, nothing is
 * reported, and no thread is started but for blocking calls. `workers` must be 0 or 1 then, and
 * EDO_WORKERS does not count.
 *
 * With `pin_workers` worker threads do not move between CPUs: each is bound to one of those that the
 * caller may use, in turn, beginning with such as no other runtime of the process has bound workers
 * to. Other threads (spares, blocking calls) are not bound, nor is the caller after edo_run(); those
 * that a task starts itself inherit its worker's CPU. Where the kernel refuses, that is said on
 * stderr once, and the runtime goes on without.
 * @config: options, or NULL.
 * @fn, @arg: the first task.
 * Returns what fn returned, or a negative code when the runtime could not be started: -EINVAL (an
 * option or environment value is out of range), -ENOTSUP (that backend is not available), -ENOMEM,
 * -EAGAIN (no thread could be had), -EDEADLK (called on a task).
 *
 *     static int hello(void *arg)
 *     {
 *         printf("hello from task %llu\n", (unsigned long long)edo_task_id());
 *         return 0;
 *     }
 *     int main(void)
 *     {
 *         return edo_run(NULL, hello, NULL);
 *     }
 *
 * Suspends: never (blocks the calling thread)
 * Cancel:   not a checkpoint
 * Threads:  any thread that is not a worker */
EDO_MUST_CHECK int edo_run(const edo_config *config, edo_fn *fn, void *arg);

/* edo_runtime_create - starts a runtime whose workers are all threads of its own.
 * @out: the runtime; shut it down with edo_runtime_shutdown().
 * @config: options, or NULL.
 * Returns 0, or the codes of edo_run().
 *
 *     edo_runtime *rt;
 *     if (edo_runtime_create(&rt, NULL) == 0) {
 *         edo_runtime_block_on(rt, fn, arg);
 *         edo_runtime_shutdown(rt, EDO_SEC(5));
 *     }
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_runtime_create(edo_runtime **out, const edo_config *config);

/* edo_runtime_block_on - runs a task on the runtime and blocks the calling thread until it ended.
 * Returns what fn returned; -EDEADLK on a task of this process, -ESHUTDOWN after shutdown began,
 * -ENOMEM.
 *
 * Suspends: never (blocks the calling thread)
 * Cancel:   not a checkpoint
 * Threads:  any thread that is not a worker */
EDO_MUST_CHECK int edo_runtime_block_on(edo_runtime *rt, edo_fn *fn, void *arg);

/* edo_runtime_spawn - starts a detached task on the runtime, from any thread.
 * Returns 0, -ESHUTDOWN after shutdown began, or -ENOMEM.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_runtime_spawn(edo_runtime *rt, edo_fn *fn, void *arg);

/* edo_runtime_drain - accepts no more tasks from outside and waits for those that are there, without
 * cancelling any: what may come before edo_runtime_shutdown(). The runtime stays as it is, and
 * accepts nothing any more. A tracker counts as a task until it was closed.
 * @time: how long to wait, in nanoseconds.
 * Returns 0 when no task is left, -ETIMEDOUT when some are, -ESHUTDOWN after a shutdown began, or
 * -EDEADLK on a task of this runtime.
 *
 *     (void)edo_runtime_drain(rt, EDO_SEC(30));
 *     rc = edo_runtime_shutdown(rt, EDO_SEC(5));
 *
 * Suspends: never (blocks the calling thread)
 * Cancel:   not a checkpoint
 * Threads:  any thread that is not a worker */
EDO_MUST_CHECK int edo_runtime_drain(edo_runtime *rt, int64_t time);

/* edo_runtime_shutdown - cancels every task, waits for them, stops the threads, frees the runtime.
 * @grace: how long to wait, in nanoseconds, for tasks to end after they were cancelled.
 * Returns 0 when all ended and the runtime is freed; -ETIMEDOUT when some would not end: they are
 * reported on stderr with their stacks and the runtime is left as it is (it may be tried again).
 * -EDEADLK on a task of this runtime.
 *
 * Suspends: never (blocks the calling thread)
 * Cancel:   not a checkpoint
 * Threads:  any thread that is not a worker */
EDO_MUST_CHECK int edo_runtime_shutdown(edo_runtime *rt, int64_t grace);

/* edo_runtime_current - the runtime the calling task runs on, NULL outside of tasks.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_runtime *edo_runtime_current(void);

#ifdef __cplusplus
}
#endif
#endif
