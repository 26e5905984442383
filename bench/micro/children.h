/* SPDX-License-Identifier: MIT */
/* Scenario spawn_2000: child processes, CHILDREN at a time. */
#ifndef EDO_BENCH_CHILDREN_H
#define EDO_BENCH_CHILDREN_H

#include "bench.h"

static int runs_children(void *arg)
{
    const char *argv[] = { "/bin/true", NULL };
    for (uint64_t i = *(uint64_t *)arg; i > 0; i--) {
        edo_exit status;
        MUST(edo_process_run(argv, NULL, &status) == 0 && status.code == 0);
    }
    return 0;
}

static int spawn_2000(uint64_t n)
{
    uint64_t each = n / CHILDREN;
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < CHILDREN; i++)
        MUST(edo_spawn(&g, runs_children, &each) == 0);
    return edo_group_close(&g);
}

#endif
