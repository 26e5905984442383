/* SPDX-License-Identifier: MIT */
/* What select does with one case. See select.c for when. */
#ifndef EDO_SYNC_SELECT_CASES_H
#define EDO_SYNC_SELECT_CASES_H

#include "sync/cases.h"

#include <edo/select.h>

/* Whether the case makes sense at all; forgets what an earlier call left in it. */
int edo__case_check(edo_case *c, const edo__task *self);
/* Without waiting and without effect unless it happens: its result, or -EAGAIN. */
int edo__case_try(edo_case *c);
/* EDO__ARMED, EDO__DECIDED, or a negative code. */
int edo__case_arm(edo_case *c, edo__task *self, uint32_t code);
/* The select was called, and the case is armed: the same, when it has happened by now; it stays
 * armed in any case. */
int edo__case_look(edo_case *c, const edo__task *self);
void edo__case_disarm(edo_case *c, const edo__task *self);
/* It has happened: sets its result. */
void edo__case_finish(edo_case *c);
/* When a case ends a wait by itself, EDO_FOREVER for never; of one that is armed. */
int64_t edo__case_until(edo_case *c);
/* A job's end: see edo__task_job_settle(). Sets its result. */
bool edo__case_settle(edo_case *c);

#endif
