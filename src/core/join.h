/* SPDX-License-Identifier: MIT */
/* Waiting for a task by its id: select's EDO_JOINED. */
#ifndef EDO_CORE_JOIN_H
#define EDO_CORE_JOIN_H

#include "core/wait.h"

/* 1: it has ended, *code is its result (-ESRCH: no task of the calling runtime has that id, or it
 * is long gone). 0: w is registered and will be woken with its code in w->result. */
int edo__join_watch(uint64_t id, edo__waiter *w, int *code);
/* Nothing happens when w was woken. */
void edo__join_unwatch(uint64_t id, edo__waiter *w);

/* t's function has returned: wakes who waits for that. */
void edo__join_ended(edo__task *t);

#endif
