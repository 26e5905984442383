/* SPDX-License-Identifier: MIT */
/* How something is done that may wait: by the ring of the calling task's worker, or by a thread of the
 * pool while the task waits. */
#include "fs/fs.h"

#include <errno.h>

typedef struct call {
    const edo__file_op *op;
    ssize_t result;
} call;

static int call_run(void *arg)
{
    call *c = arg;
    c->result = edo__sys_file(c->op);
    return 0;
}

ssize_t edo__fs_call(const edo__file_op *op)
{
    edo__task *self = edo__self();
    ssize_t rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    const edo__backend *backend = edo__backend_of(self);
    if (backend->file != NULL) {
        rc = backend->file(self, op);
        if (rc != -ENOSYS && rc != -EAGAIN)
            return rc;
    }
    call c = { .op = op };
    rc = edo__blocking_run(self, EDO__JOB_FS, call_run, &c);
    return rc < 0 ? rc : c.result;
}

ssize_t edo__fs_call_always(const edo__file_op *op)
{
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    ssize_t rc = edo__fs_call(op);
    (void)edo_scope_close(&s, 0);
    return rc;
}

int edo__fs_job(edo_fn *fn, void *arg, uint32_t *stop)
{
    return edo__blocking_run_stoppable(edo__self(), EDO__JOB_FS, fn, arg, stop);
}

#define UNITS_PER_CALL 4u    /* an operation of the core takes a tenth of a microsecond or two */
#define BYTES_PER_UNIT 4096u /* to be copied */

void edo__fs_spend(edo__task *self, uint32_t calls, size_t bytes)
{
    uint32_t cost = calls * UNITS_PER_CALL + (uint32_t)(bytes / BYTES_PER_UNIT) - 1;
    self->budget -= cost < self->budget ? cost : self->budget - 1;
    edo__coop(self);
}
