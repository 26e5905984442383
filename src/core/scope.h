/* SPDX-License-Identifier: MIT */
/* Scopes from the inside: why one counts as cancelled, and how a cancel spreads. See scope.c. */
#ifndef EDO_CORE_SCOPE_H
#define EDO_CORE_SCOPE_H

#include "core/task.h"

enum { /* edo_scope.edo__cancelled: bits, set once each and never cleared */
    EDO__CANCELLED_SELF = 1,  /* edo_scope_cancel(), edo_group_cancel(), its token */
    EDO__CANCELLED_CHILD = 2, /* a child of the group failed                       */
    EDO__CANCELLED_OUTER = 4, /* a scope around it                                 */
};

enum { /* edo_scope.edo__flags */
    EDO__SCOPE_GROUP = 1,
    EDO__SCOPE_SHIELD = 2,
};

/* Whether a mark ends a wait of this class (EDO__CANCEL_*). */
static inline bool edo__cancel_applies(uint32_t wait_class, uint32_t cancelled)
{
    if (wait_class == EDO__CANCEL_ANY)
        return cancelled != 0;
    return wait_class == EDO__CANCEL_OUTER && (cancelled & EDO__CANCELLED_OUTER) != 0;
}

/* Whether s counts as cancelled now, its deadline included. */
bool edo__scope_cancelled(const edo__task *self, const edo_scope *s);

/* Opens s as the innermost scope of self; deadline absolute. */
void edo__scope_enter(edo__task *self, edo_scope *s, int64_t deadline, uint32_t flags);
void edo__scope_leave(edo__task *self, edo_scope *s);

/* Cancels s and everything inside for a reason (EDO__CANCELLED_*). s must stay open meanwhile. */
void edo__scope_mark(edo_scope *s, uint32_t reason);

#endif
