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
static inline void edo__scope_enter(edo__task *self, edo_scope *s, int64_t deadline, uint32_t flags)
{
    edo_scope *parent = self->scope;
    bool inherits = parent != NULL && (flags & EDO__SCOPE_SHIELD) == 0;
    s->edo__parent = parent;
    s->edo__owner = self;
    s->edo__deadline = deadline;
    s->edo__deadline_eff = deadline;
    if (inherits && parent->edo__deadline_eff < deadline)
        s->edo__deadline_eff = parent->edo__deadline_eff;
    s->edo__cancelled = 0;
    s->edo__flags = flags;
    s->edo__token = NULL;
    edo__spin_lock(&self->lock);
    if (inherits && edo__unlikely(edo__aload(&parent->edo__cancelled, EDO__RLX) != 0))
        s->edo__cancelled = EDO__CANCELLED_OUTER;
    self->scope = s;
    edo__spin_unlock(&self->lock);
}

static inline void edo__scope_leave(edo__task *self, edo_scope *s)
{
    edo_assert(self->scope == s && "scopes close in the reverse order of opening, in their task");
    edo__spin_lock(&self->lock);
    self->scope = s->edo__parent;
    edo__spin_unlock(&self->lock);
}

/* Cancels s and everything inside for a reason (EDO__CANCELLED_*). s must stay open meanwhile. */
void edo__scope_mark(edo_scope *s, uint32_t reason);

/* Cancels single children of g: those that collect(), called under the cancel lock, returns, linked
 * by cancel_next and with a reference each. They have a scope of their own, or have ended. */
void edo__scope_mark_children(edo_group *g, edo__task *(*collect)(edo_group *g, const void *arg),
                              const void *arg);

#endif
