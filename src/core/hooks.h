/* SPDX-License-Identifier: MIT */
/* The user's hooks from the inside. See hooks.c. */
#ifndef EDO_CORE_HOOKS_H
#define EDO_CORE_HOOKS_H

#include "core/task.h"

#include <edo/hooks.h>

struct edo_runtime;
struct edo__worker;

/* Which of them are set. */
bool edo__hooks_of_tasks(const edo_hooks *h); /* any with a task: each task's spawn is looked at  */
bool edo__hooks_of_runs(const edo_hooks *h);  /* each run is                                      */

/* Of threads: called whether there is a hook or not. */
void edo__hook_worker(struct edo__worker *w, bool starts);
void edo__hook_blocking(struct edo_runtime *rt, bool starts);
bool edo__hook_park(struct edo__worker *w); /* true: there is one, and it may have left w work */
void edo__hook_unpark(struct edo__worker *w);

/* Of tasks. The first decides whether t has hooks (EDO__TF_HOOKED), before anybody else knows of t;
 * the others are for tasks that have. */
void edo__hook_spawn(edo__task *t);
void edo__hook_run(edo__task *t);
void edo__hook_suspend(edo__task *t, const char *why);
void edo__hook_end(edo__task *t, int code);

/* Whether the calling thread is in a hook: then it may not wait. */
bool edo__in_hook(void);

#endif
