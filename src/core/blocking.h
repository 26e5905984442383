/* SPDX-License-Identifier: MIT */
/* Blocking work, for the library's own use. */
#ifndef EDO_CORE_BLOCKING_H
#define EDO_CORE_BLOCKING_H

#include "core/pool.h"
#include "core/task.h"

/* edo_blocking() with a class of its own. */
int edo__blocking_run(edo__task *self, edo__job_class cls, edo_fn *fn, void *arg);

/* Starts a child whose body runs on the pool. On failure it has left its group without a trace. */
int edo__blocking_start(edo__task *t, struct edo__worker *w);

#endif
