/* SPDX-License-Identifier: MIT */
/* Probes around the operations of every backend: one begins, and is over. */
#ifndef EDO_IO_PROBES_H
#define EDO_IO_PROBES_H

#include "core/task.h"

#include <sys/types.h>

/* why: what kind of operation; after its checkpoint. */
static inline void edo__io_begins(const edo__task *self, int fd, edo__why why)
{
    uint32_t kind = edo__probe_value((uint32_t)why);
    EDO__PROBE3(io_submit, self->id, fd, kind);
}

/* result: what the operation returns. */
static inline void edo__io_ends(const edo__task *self, int fd, edo__why why, ssize_t result)
{
    uint32_t kind = edo__probe_value((uint32_t)why);
    EDO__PROBE4(io_complete, self->id, fd, kind, result);
}

#endif
