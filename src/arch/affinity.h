/* SPDX-License-Identifier: MIT */
/* The CPUs a thread may run on. sched_setaffinity(2). */
#ifndef EDO_ARCH_AFFINITY_H
#define EDO_ARCH_AFFINITY_H

#include <sched.h>

#define EDO__CPUS_MAX CPU_SETSIZE

/* Of the calling thread; 0 or -errno: -EINVAL where there are more than EDO__CPUS_MAX. */
int edo__affinity_get(cpu_set_t *out);
int edo__affinity_set(const cpu_set_t *cpus);

/* The system call, replaced by tests. */
extern int (*edo__affinity_call)(pid_t thread, size_t size, const cpu_set_t *cpus);

#endif
