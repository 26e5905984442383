/* SPDX-License-Identifier: MIT */
/* Scopes, and how a cancel spreads (D10).
 *
 * Each task has a chain of open scopes, innermost first; the outermost one's parent is the scope of
 * the group the task was spawned into. So all scopes of a runtime form a tree, which crosses tasks
 * at groups.
 *
 * A deadline needs no spreading: opening a scope computes the earliest deadline around it, and a
 * wait arms a timer for that. An explicit cancel does: every scope inside, up to shields, gets a
 * mark, so that asking "am I cancelled?" is one load; and every task whose innermost scope got one
 * is woken if it waits.
 *
 * Locks, in this order: cancel_lock (one cancel spreads at a time), a token's lock, a task's lock
 * (its chain of scopes), a group's lock (its children). A scope cannot be closed, and a task cannot
 * leave its group, while the lock over it is held; between locks a task on the work list is kept by
 * a reference. The spreading is a loop over a list, not a recursion: task trees may be as deep as
 * they like. */
#include "core/scope.h"

#include "core/group.h"
#include "core/sched.h"
#include "core/token.h"

#include <pthread.h>

static pthread_mutex_t cancel_lock = PTHREAD_MUTEX_INITIALIZER;

bool edo__scope_cancelled(const edo__task *self, const edo_scope *s)
{
    if (edo__aload(&s->edo__cancelled, EDO__SC) != 0)
        return true;
    return s->edo__deadline_eff != EDO_FOREVER && s->edo__deadline_eff <= edo__now(self);
}

/* The work list of a spreading cancel. */
typedef struct spread {
    edo__task *first, *last;
} spread;

static void spread_add_children(spread *list, edo_group *g)
{
    edo__spin_lock(&g->edo__lock);
    for (edo__task *c = g->edo__children; c != NULL; c = c->sib_next) {
        edo__aadd(&c->refs, 1u, EDO__RLX); /* given back in edo__task_unref() */
        c->cancel_next = NULL;
        if (list->last != NULL)
            list->last->cancel_next = c;
        else
            list->first = c;
        list->last = c;
    }
    edo__spin_unlock(&g->edo__lock);
}

/* Marks the scopes of t from `inner` out to and not including `end`. */
static void mark_chain(spread *list, edo_scope *inner, const edo_scope *end, uint32_t reason)
{
    for (edo_scope *s = inner; s != end; s = s->edo__parent) {
        /* pairs with the load in edo__wait_begin_as() */
        uint32_t before = edo__aor(&s->edo__cancelled, reason, EDO__SC);
        bool news = (before & (EDO__CANCELLED_OUTER | reason)) != (EDO__CANCELLED_OUTER | reason);
        if ((s->edo__flags & EDO__SCOPE_GROUP) != 0 && news)
            spread_add_children(list, (edo_group *)s);
    }
}

/* Under t's lock: marks what is cancelled of t's own scopes, all of those inside `end`, and claims
 * its wait in progress if that is concerned. Returns what the wait word was. */
static uint32_t spread_into(spread *list, edo__task *t, const edo_scope *end)
{
    edo_scope *inner = t->scope;
    for (edo_scope *s = t->scope; s != end; s = s->edo__parent) {
        if ((s->edo__flags & EDO__SCOPE_SHIELD) != 0)
            inner = s->edo__parent;
    }
    mark_chain(list, inner, end, EDO__CANCELLED_OUTER);
    /* With a shield in between the wait in progress is not concerned. */
    return inner == t->scope ? edo__claim_cancel(t, EDO__CANCELLED_OUTER) : EDO__WORD_IDLE;
}

/* Under t's lock. */
static bool is_open(const edo__task *t, const edo_scope *s)
{
    const edo_scope *end = t->group != NULL ? &t->group->edo__scope : NULL;
    for (const edo_scope *open = t->scope; open != end && open != NULL; open = open->edo__parent) {
        if (open == s)
            return true;
    }
    return false;
}

/* The work list, and what it grows by. */
static void spread_all(spread *list)
{
    while (list->first != NULL) {
        edo__task *t = list->first;
        list->first = t->cancel_next;
        if (list->first == NULL)
            list->last = NULL;
        edo__spin_lock(&t->lock);
        uint32_t was = spread_into(list, t, &t->group->edo__scope);
        edo__spin_unlock(&t->lock);
        uint32_t reason = edo__probe_value(EDO__CANCELLED_OUTER);
        EDO__PROBE3(task_cancel, t->id, reason, was);
        edo__claimed(t, was);
        edo__task_unref(t);
    }
}

/* Under owner's lock: marks its open scope `top` and all inside. Returns what the wait word was. */
static uint32_t mark_open(spread *list, edo__task *owner, edo_scope *top, uint32_t reason)
{
    mark_chain(list, top, top->edo__parent, reason);
    if (owner->scope == top)
        return edo__claim_cancel(owner, reason);
    return spread_into(list, owner, top);
}

void edo__scope_mark(edo_scope *top, uint32_t reason)
{
    spread list = { NULL, NULL };
    edo__task *owner = top->edo__owner;
    pthread_mutex_lock(&cancel_lock);
    edo__spin_lock(&owner->lock);
    /* The owner may have closed it while we waited for the lock: then there is nothing left to
     * cancel. It cannot while we hold the lock, and afterwards top is not touched any more. */
    uint32_t was = EDO__WORD_IDLE;
    if (is_open(owner, top)) {
        was = mark_open(&list, owner, top, reason);
        EDO__PROBE3(task_cancel, owner->id, reason, was);
    }
    edo__spin_unlock(&owner->lock);
    edo__claimed(owner, was);
    spread_all(&list);
    pthread_mutex_unlock(&cancel_lock);
}

/* Under t's lock: the outermost scope of t's own; NULL when none is open. */
static edo_scope *outermost(const edo__task *t)
{
    const edo_scope *end = &t->group->edo__scope;
    edo_scope *s = t->scope;
    while (s != end && s->edo__parent != end)
        s = s->edo__parent;
    return s != end ? s : NULL;
}

void edo__scope_mark_children(edo_group *g, edo__task *(*collect)(edo_group *g, const void *arg),
                              const void *arg)
{
    spread list = { NULL, NULL };
    pthread_mutex_lock(&cancel_lock);
    edo__task *next;
    for (edo__task *t = collect(g, arg); t != NULL; t = next) {
        next = t->cancel_next;
        uint32_t was = EDO__WORD_IDLE;
        edo__spin_lock(&t->lock);
        edo_scope *top = outermost(t);
        if (top != NULL) {
            was = mark_open(&list, t, top, EDO__CANCELLED_SELF);
            uint32_t reason = edo__probe_value(EDO__CANCELLED_SELF);
            EDO__PROBE3(task_cancel, t->id, reason, was);
        }
        edo__spin_unlock(&t->lock);
        edo__claimed(t, was);
        edo__task_unref(t);
    }
    spread_all(&list);
    pthread_mutex_unlock(&cancel_lock);
}

static int scope_open(edo_scope *s, int64_t after, uint32_t flags)
{
    edo__task *self = edo__self();
    edo__scope_enter(self, s, edo__instant_after(self, after), flags);
    return 0;
}

int edo_scope_open(edo_scope *s, int64_t after)
{
    return scope_open(s, after, 0);
}

int edo_shield_open(edo_scope *s, int64_t grace)
{
    return scope_open(s, grace, EDO__SCOPE_SHIELD);
}

int edo_scope_open_token(edo_scope *s, edo_token *t, int64_t after)
{
    scope_open(s, after, 0);
    edo__token_enter(t, s);
    return 0;
}

int edo_scope_open_at(edo_scope *s, int64_t instant)
{
    edo__scope_enter(edo__self(), s, instant, 0);
    return 0;
}

void edo_scope_set_deadline(edo_scope *s, int64_t instant)
{
    edo_assert(s->edo__owner == edo__self() && s->edo__owner->scope == s &&
               (s->edo__flags & EDO__SCOPE_GROUP) == 0 && "the innermost scope of the caller");
    const edo_scope *outer = s->edo__parent;
    bool inherits = outer != NULL && (s->edo__flags & EDO__SCOPE_SHIELD) == 0;
    s->edo__deadline = s->edo__deadline_eff = instant;
    if (inherits && outer->edo__deadline_eff < instant)
        s->edo__deadline_eff = outer->edo__deadline_eff;
}

int64_t edo_deadline(void)
{
    const edo_scope *s = edo__self()->scope;
    return s != NULL ? s->edo__deadline_eff : EDO_FOREVER;
}

int64_t edo_time_left(void)
{
    int64_t at = edo_deadline(), left;
    if (at == EDO_FOREVER)
        return EDO_FOREVER;
    if (__builtin_sub_overflow(at, edo__now(edo__self()), &left) || left < 0)
        return 0;
    return left;
}

int edo_scope_close(edo_scope *s, int rc)
{
    edo__task *self = s->edo__owner;
    edo_assert(self == edo__self() && (s->edo__flags & EDO__SCOPE_GROUP) == 0);
    if (s->edo__token != NULL)
        edo__token_leave(s);
    edo__scope_leave(self, s);
    uint32_t why = edo__aload(&s->edo__cancelled, EDO__ACQ);
    if (rc == 0 && (why & EDO__CANCELLED_SELF) != 0)
        return -ECANCELED;
    if (rc != -ECANCELED || why != 0 || s->edo__deadline == EDO_FOREVER)
        return rc;
    if (s->edo__deadline > edo__now(self))
        return rc; /* somebody inside was cancelled for a reason of its own */
    bool shield = (s->edo__flags & EDO__SCOPE_SHIELD) != 0;
    const edo_scope *outer = s->edo__parent;
    /* When the scope around it is past its deadline too, that one reports the time-out. */
    if (!shield && outer != NULL && edo__scope_cancelled(self, outer))
        return rc;
    return -ETIMEDOUT;
}

void edo_scope_cancel(edo_scope *s)
{
    edo__scope_mark(s, EDO__CANCELLED_SELF);
}

int edo_with_timeout(int64_t after, edo_fn *fn, void *arg)
{
    edo_scope s;
    scope_open(&s, after, 0);
    return edo_scope_close(&s, fn(arg));
}

int edo_with_deadline(int64_t instant, edo_fn *fn, void *arg)
{
    edo_scope s;
    edo_scope_open_at(&s, instant);
    return edo_scope_close(&s, fn(arg));
}

int edo_checkpoint(void)
{
    return edo__checkpoint(edo__self());
}
