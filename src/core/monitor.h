/* SPDX-License-Identifier: MIT */
/* The monitor: a thread that notices a worker held by one task. See monitor.c. */
#ifndef EDO_CORE_MONITOR_H
#define EDO_CORE_MONITOR_H

#include "core/sched.h"

#include <signal.h>

int edo__monitor_start(edo_runtime *rt); /* 0 also when it is switched off */
/* Ends its thread, if there is one: from then on no spare worker is called in. */
void edo__monitor_stop(edo_runtime *rt);
void edo__monitor_free(edo_runtime *rt); /* after the last worker has left */
/* On the worker's own thread, around its loop. */
void edo__monitor_enter(edo__worker *w);
void edo__monitor_leave(edo__worker *w);
/* Takes the signal that asks a worker for its stack out of a set to be blocked. */
void edo__monitor_unblock_signal(sigset_t *set);
/* A worker wakes from its sleep: so must the monitor soon, if it sleeps because all were idle. */
void edo__monitor_kick(edo_runtime *rt);

/* The stack of what w runs right now, from w's own thread by signal: how many frames, 0 when it did
 * not answer within 100 ms. */
size_t edo__monitor_stack(edo__worker *w, void **pcs, size_t max);

#endif
