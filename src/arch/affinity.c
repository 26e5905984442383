/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "arch/affinity.h"

#include <errno.h>

int (*edo__affinity_call)(pid_t thread, size_t size, const cpu_set_t *cpus) = sched_setaffinity;

int edo__affinity_get(cpu_set_t *out)
{
    return sched_getaffinity(0, sizeof *out, out) == 0 ? 0 : -errno;
}

int edo__affinity_set(const cpu_set_t *cpus)
{
    return edo__affinity_call(0, sizeof *cpus, cpus) == 0 ? 0 : -errno;
}
