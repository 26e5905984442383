/* SPDX-License-Identifier: MIT */
/* Edo: functions of yours that a runtime calls when its threads and tasks start, pause and end: for
 * libraries that want to know each thread, for accounting, for tracers.
 *
 *     static void on_thread(void *arg, const edo_thread_info *thread)
 *     {
 *         printf("%s: worker %u\n", (const char *)arg, thread->index);
 *     }
 *     edo_config config = { .hooks = { .arg = "start", .on_thread_start = on_thread } };
 *     int rc = edo_run(&config, fn, arg);
 *
 * A hook must not wait. It may call what never suspends (the `_nowait` forms, edo_event_set(),
 * edo_runtime_spawn(), edo_now() ...), and in it the calling thread is as one that is no worker: not
 * the task that the hook is about. A call that would have to wait ends the program with a report.
 * Tasks that a hook spawns have no hooks themselves. Hooks run on many threads at a time.
 *
 * What is not set costs nothing. Hooks of threads cost what they do, a few times in a thread's life or
 * when it sleeps. With any hook of tasks each spawn costs some 10 ns more; with on_task_run or
 * on_task_suspend every run of a task is measured, as by EDO_METRICS_ALL, and costs some 100 ns. */
#ifndef EDO_HOOKS_H
#define EDO_HOOKS_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a thread of the runtime is for. Others it has, such as the monitor, run no code of yours. */
typedef enum edo_thread_kind {
    EDO_THREAD_WORKER,   /* runs tasks                                                          */
    EDO_THREAD_SPARE,    /* the same, standing in for workers that tasks hold, see edo_run()    */
    EDO_THREAD_BLOCKING, /* runs edo_blocking(), edo_cpu(), look-ups, children that block        */
} edo_thread_kind;

typedef struct edo_thread_info {
    edo_thread_kind kind;
    unsigned index; /* of a worker or spare, as in edo_metrics_worker(); 0 for others           */
} edo_thread_info;

/* What is told of a task. */
typedef struct edo_task_info {
    uint64_t id;
    const char *name; /* or "" */
    const char *site; /* "file:line" of the spawning call, or NULL */
} edo_task_info;

/* The hooks of a runtime: edo_config.hooks. Each may be NULL. What their arguments point to is good
 * until they return. */
typedef struct edo_hooks {
    void *arg; /* for all of them */

    /* On each worker, spare and blocking thread: first and last thing it does for the runtime. The
     * caller of edo_run() is such a thread too, as worker 0. */
    void (*on_thread_start)(void *arg, const edo_thread_info *thread);
    void (*on_thread_stop)(void *arg, const edo_thread_info *thread);

    /* On a worker or spare: it has nothing to do and is about to sleep; it has slept. In pairs. If
     * the first one has made a task runnable the worker does not sleep. */
    void (*on_thread_park)(void *arg, const edo_thread_info *thread);
    void (*on_thread_unpark)(void *arg, const edo_thread_info *thread);

    /* On the thread that spawns, on the stack of the spawner: the task has its name and id and
     * cannot run yet. Also for children of edo_spawn_blocking(). */
    void (*on_task_spawn)(void *arg, const edo_task_info *task);

    /* On the worker: the task goes on, or runs for the first time; it waits for something (why: its
     * name, as in a dump) or lets others go first (NULL), and nobody can have woken it yet. Not for
     * the children of edo_spawn_blocking(), which are run by a blocking thread. */
    void (*on_task_run)(void *arg, const edo_task_info *task);
    void (*on_task_suspend)(void *arg, const edo_task_info *task, const char *why);

    /* On the worker, on the task's own stack, or on a blocking thread: its function has returned
     * code, and nobody knows yet. For every task there is one such call after that of on_task_spawn. */
    void (*on_task_end)(void *arg, const edo_task_info *task, int code);
} edo_hooks;

#ifdef __cplusplus
}
#endif
#endif
