/* SPDX-License-Identifier: MIT */
/* Runtime start-up from the inside. */
#ifndef EDO_CORE_RUNTIME_H
#define EDO_CORE_RUNTIME_H

#include "core/task.h"

#include <edo/runtime.h>
#include <stdbool.h>
#include <stddef.h>

/* What the user asked for, then the environment, then defaults. -EINVAL, with the reason on stderr
 * for values of the environment. *fall_back: another backend will do where the one of out->backend is
 * not to be had. */
int edo__config_fill(edo_config *out, const edo_config *config, bool *fall_back);

/* EDO_DUMP_SIGNAL: 0 when not set, or -EINVAL as above. */
int edo__config_dump_signal(void);

/* `task "fetch" (id 7) spawned at main.c:12`, for reports; async-signal-safe. Returns the
 * length. */
size_t edo__task_describe(edo__task *t, char *buf, size_t cap);

#endif
