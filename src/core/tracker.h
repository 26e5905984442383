/* SPDX-License-Identifier: MIT */
/* What trackers ask of the inspection: inspect/text.c. */
#ifndef EDO_CORE_TRACKER_H
#define EDO_CORE_TRACKER_H

#include "core/task.h"

#include <edo/tracker.h>

/* Reports the live children of g as wanted. Returns how many there are. */
size_t edo__dump_group(edo_runtime *rt, const edo_group *g, const edo_tracker_stop *how);

#endif
