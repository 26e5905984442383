/* SPDX-License-Identifier: MIT */
/* Edo: work that blocks a thread or burns a core, away from the workers. */
#ifndef EDO_BLOCKING_H
#define EDO_BLOCKING_H

#include <edo/base.h>
#include <edo/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* edo_blocking - runs fn(arg) on a thread of the blocking pool and waits for it.
 *
 * fn may block, and must not call what suspends except from the list of calls any thread may make.
 * Once started it runs to its end; the caller waits for it, because arg may point into its frame.
 * Returns what fn returned; -ECANCELED: it was not started; -EAGAIN: no thread can be had at all.
 *
 *     static int load(void *arg) { return read_whole_file(arg); }
 *     rc = edo_blocking(load, &request);
 *
 * Suspends: always (a foreign thread calls fn itself)
 * Cancel:   checkpoint until fn has started
 * Threads:  any */
EDO_MUST_CHECK int edo_blocking(edo_fn *fn, void *arg);

/* edo_cpu - the same for work that computes: at most one such job per core runs at a time.
 *
 * Suspends: always
 * Cancel:   checkpoint until fn has started
 * Threads:  any */
EDO_MUST_CHECK int edo_cpu(edo_fn *fn, void *arg);

/* edo_spawn_blocking - a child of the group whose body runs on the blocking pool.
 * Returns 0, or the codes of edo_spawn().
 *
 * Suspends: maybe (as edo_spawn())
 * Cancel:   checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_spawn_blocking(edo_group *g, edo_fn *fn, void *arg);

/* edo_drop - frees something large on the blocking pool, so that no task waits for it. When no job
 * can be queued it is freed here and now.
 * @p: what to free; NULL does nothing.
 * @destroy: called with p, once; before the runtime has shut down.
 * Returns 0.
 *
 *     edo_drop(doc, document_free);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_drop(void *p, void (*destroy)(void *));

EDO_MUST_CHECK int edo__spawn_blocking_at(edo_group *g, edo_fn *fn, void *arg, const char *site);
#define edo_spawn_blocking(...) edo__spawn_blocking_at(__VA_ARGS__, EDO__HERE)

#ifdef __cplusplus
}
#endif
#endif
