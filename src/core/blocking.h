/* SPDX-License-Identifier: MIT */
/* Blocking work, for the library's own use. */
#ifndef EDO_CORE_BLOCKING_H
#define EDO_CORE_BLOCKING_H

#include "core/pool.h"
#include "core/task.h"

/* A job a task waits for, in the frame of that task. */
typedef struct edo__task_job {
    edo__job job; /* first member */
    edo_fn *fn;
    void *arg;
    edo__task *task; /* NULL: not started */
    uint32_t wake;   /* the code with which it claims its task's wait, whatever that is then */
    int code;
    uint32_t lock; /* under it `done` changes and the waiter is claimed */
    bool done;
} edo__task_job;

/* select's part. Starts fn(arg) for the calling task self. A failure is the job's code, and it is
 * done. */
void edo__task_job_start(edo__task_job *j, edo__task *self, edo__job_class cls);
bool edo__task_job_done(edo__task_job *j);
/* Takes it back, or waits for its end when it runs already; whoever it woke meanwhile must look at
 * the job. True: it has run, or failed to start. The job's memory is the caller's again. */
bool edo__task_job_settle(edo__task_job *j);

/* edo_blocking() with a class of its own. */
int edo__blocking_run(edo__task *self, edo__job_class cls, edo_fn *fn, void *arg);
/* The same for a job that looks at *stop (atomic, 0 at first) now and then: a cancel that comes when it
 * runs sets it to 1. What fn returns is the answer all the same. */
int edo__blocking_run_stoppable(edo__task *self, edo__job_class cls, edo_fn *fn, void *arg,
                                uint32_t *stop);

/* Starts a child whose body runs on the pool. On failure it has left its group without a trace. */
int edo__blocking_start(edo__task *t, struct edo__worker *w);

#endif
