/* SPDX-License-Identifier: MIT */
/* Edo: tasks that nobody waits for one by one, and stopping them gracefully.
 *
 * A group belongs to the frame that opened it. A tracker is for tasks that come from everywhere, such
 * as a server's connections, and are to be stopped together:
 *
 *     rc = edo_tracker_create(&t, NULL, "connections");
 *     ...
 *     rc = edo_tracker_spawn(t, serve, connection);           // anywhere
 *     ...
 *     edo_tracker_stop how = { .drain = EDO_SEC(30), .grace = EDO_SEC(2), .report = stderr };
 *     rc = edo_tracker_shutdown(t, &how, NULL);
 *     edo_tracker_destroy(t);
 *
 * Its tasks are cancelled when the runtime shuts down, like detached ones. */
#ifndef EDO_TRACKER_H
#define EDO_TRACKER_H

#include <edo/base.h>
#include <edo/hooks.h>
#include <edo/runtime.h>
#include <edo/task.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_tracker edo_tracker;

/* How to stop: all durations in nanoseconds. */
typedef struct edo_tracker_stop {
    int64_t drain; /* how long the tasks have to end by themselves; EDO_FOREVER: as they like  */
    int64_t grace; /* how long they have after they were cancelled                             */
    FILE *report;  /* those left then are written here with their stacks; NULL: nowhere        */
    void (*each)(void *arg, const edo_task_info *task); /* called for each of those; or NULL   */
    void *arg;
} edo_tracker_stop;

typedef struct edo_tracker_report {
    size_t cancelled; /* tasks that were alive when the drain was over */
    size_t left;      /* tasks that were alive when the grace was over */
} edo_tracker_report;

/* edo_tracker_create - a tracker, which accepts tasks until it is closed. It occupies one task of its
 * own, under whose name it appears in dumps.
 * @out: destroy with edo_tracker_destroy().
 * @rt: where its tasks run; NULL: the calling task's runtime.
 * @name: copied, 23 bytes at most; NULL: "tracker".
 * Returns 0, -ENOMEM, -ESHUTDOWN, or -EPERM when rt is NULL outside of a task.
 *
 *     edo_tracker *t;
 *     rc = edo_tracker_create(&t, NULL, "connections");
 *
 * Suspends: maybe (until its own task has begun)
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tracker_create(edo_tracker **out, edo_runtime *rt, const char *name);

/* edo_tracker_destroy - closes the tracker and gives up the handle. Tasks that are still alive go on;
 * nobody may use or wait for the tracker any more. NULL is allowed.
 *
 *     edo_tracker_destroy(t);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_tracker_destroy(edo_tracker *t);

/* edo_tracker_spawn - starts a task; the failure of one does not concern the others.
 * @fn, @arg: arg must not point into a frame that may be gone.
 * Returns 0, -ESHUTDOWN when the tracker is closed, or -ENOMEM.
 *
 *     rc = edo_tracker_spawn(t, serve, connection);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tracker_spawn(edo_tracker *t, edo_fn *fn, void *arg);

/* edo_tracker_spawn_with - the same with options.
 * @options: copied; NULL: defaults.
 *
 *     edo_task_options named = { .name = "reader" };
 *     rc = edo_tracker_spawn_with(t, &named, serve, connection);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tracker_spawn_with(edo_tracker *t, const edo_task_options *options,
                                          edo_fn *fn, void *arg);

/* edo_tracker_len - tasks that are alive at this moment.
 *
 *     size_t connections = edo_tracker_len(t);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_tracker_len(edo_tracker *t);

/* edo_tracker_close - no more tasks are accepted. For good: make a new tracker to begin again.
 *
 *     edo_tracker_close(t);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_tracker_close(edo_tracker *t);

/* edo_tracker_cancel - closes it and cancels all its tasks.
 *
 *     edo_tracker_cancel(t);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_tracker_cancel(edo_tracker *t);

/* edo_tracker_wait - waits until the tracker is closed and all its tasks have ended.
 * Returns 0, or -ECANCELED.
 *
 *     edo_tracker_close(t);
 *     rc = edo_tracker_wait(t);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any (one of its own tasks would wait for ever) */
EDO_MUST_CHECK int edo_tracker_wait(edo_tracker *t);

/* edo_tracker_shutdown - a graceful stop: closes the tracker, lets its tasks end, cancels those that
 * have not by the end of the drain, waits out the grace, reports those that have not ended by then.
 * @how: NULL: waits for ever and cancels nobody.
 * @out: NULL, or filled in any case.
 * Returns 0 when all have ended, -ETIMEDOUT when some have not; it may be tried again.
 *
 *     edo_tracker_report report;
 *     edo_tracker_stop how = { .drain = EDO_SEC(30), .grace = EDO_SEC(2), .report = stderr };
 *     if (edo_tracker_shutdown(t, &how, &report) < 0)
 *         printf("%zu tasks would not end\n", report.left);
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint (drain and grace bound it, also where the caller is cancelled already)
 * Threads:  any */
EDO_MUST_CHECK int edo_tracker_shutdown(edo_tracker *t, const edo_tracker_stop *how,
                                        edo_tracker_report *out);

/* With the place of the call: what the macros expand to. */
EDO_MUST_CHECK int edo__tracker_spawn_at(edo_tracker *t, edo_fn *fn, void *arg, const char *site);
EDO_MUST_CHECK int edo__tracker_spawn_with_at(edo_tracker *t, const edo_task_options *options,
                                              edo_fn *fn, void *arg, const char *site);

#define edo_tracker_spawn(...) edo__tracker_spawn_at(__VA_ARGS__, EDO__HERE)
#define edo_tracker_spawn_with(...) edo__tracker_spawn_with_at(__VA_ARGS__, EDO__HERE)

#ifdef __cplusplus
}
#endif
#endif
