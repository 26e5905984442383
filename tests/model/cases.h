/* SPDX-License-Identifier: MIT */
/* Select under the checker: its sources, and what no model selects over. After tasks.h. */
#ifndef EDO_TESTS_MODEL_CASES_H
#define EDO_TESTS_MODEL_CASES_H

#include "sync/select.c"
#include "sync/select_cases.c"

/* Jobs: the pool is not part of any. */
void edo__task_job_start(edo__task_job *j, edo__task *self, edo__job_class cls)
{
    (void)j;
    (void)self;
    (void)cls;
    abort();
}

bool edo__task_job_done(edo__task_job *j)
{
    (void)j;
    abort();
}

bool edo__task_job_settle(edo__task_job *j)
{
    (void)j;
    abort();
}

/* Descriptors. */
const edo__backend *edo__backend_of(const edo__task *self)
{
    (void)self;
    return NULL;
}

#endif
