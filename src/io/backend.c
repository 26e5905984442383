/* SPDX-License-Identifier: MIT */
/* Which backend an operation belongs to. */
#include "core/sched.h"

const edo__backend *edo__backend_of(const edo__task *self)
{
    return edo__is_foreign(self) ? &edo__backend_epoll : self->rt->backend;
}
