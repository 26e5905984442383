/* SPDX-License-Identifier: MIT */
/* Children of which more is known than that they live: those with an id that was asked for, a key,
 * or a place in an ordered group. See edo__child in group.h.
 *
 * Such a child has a scope of its own around its function, as if it had opened it as its first act;
 * it is open from the spawn on, so that a cancel finds it before the child first runs. Its
 * cancelling is that of a scope, and reaches whatever the child has opened and spawned.
 *
 * An ordered group lists the records of its children in the order of their spawns. A child that
 * ends leaves its result in its record; the owner takes them from the front, as far as they are
 * filled. */
#include "core/group.h"
#include "core/scope.h"
#include "core/sched.h"

#include <edo/task.h>
#include <stdlib.h>

bool edo__child_new(edo__task *t, uint64_t key, bool keyed)
{
    edo__child *c = malloc(sizeof *c);
    if (c == NULL)
        return false;
    *c = (edo__child){ .key = key, .id = edo__task_id(t), .keyed = keyed };
    t->child = c;
    t->flags |= EDO__TF_OPTIONS;
    return true;
}

/* A job on the blocking pool has no task's life around it, and no scope. */
static void open_own_scope(edo__task *t, const edo_group *g)
{
    if ((t->flags & EDO__TF_BLOCKING) != 0)
        return;
    t->child->scope = (edo_scope){ .edo__parent = t->scope,
                                   .edo__owner = t,
                                   .edo__deadline = EDO_FOREVER,
                                   .edo__deadline_eff = g->edo__scope.edo__deadline_eff };
    t->scope = &t->child->scope;
}

/* Under g's lock. */
static void ordered_append(edo_group *g, edo__child *c)
{
    struct edo__results *link = (struct edo__results *)(void *)c;
    if (g->edo__results == NULL)
        g->edo__results = link;
    else
        ((edo__child *)(void *)g->edo__results_last)->next = c;
    g->edo__results_last = link;
}

int edo__child_add(edo_group *g, edo__task *t)
{
    edo__astore(&t->group, g, EDO__RLX); /* see edo__group_add() */
    t->scope = (edo_scope *)&g->edo__scope;
    open_own_scope(t, g);
    t->sib_prev = NULL;
    int rc = 0;
    edo__spin_lock(&g->edo__lock);
    if (edo__aload(&g->edo__scope.edo__cancelled, EDO__RLX) != 0 ||
        (g->edo__scope.edo__deadline_eff != EDO_FOREVER && edo__group_late(g))) {
        rc = -ECANCELED;
    } else if (g->edo__limit != 0 && g->edo__live >= g->edo__limit) {
        rc = -EAGAIN;
    } else {
        g->edo__live++;
        t->sib_next = g->edo__children;
        if (t->sib_next != NULL)
            t->sib_next->sib_prev = t;
        g->edo__children = t;
        if (g->edo__ordered)
            ordered_append(g, t->child);
    }
    edo__spin_unlock(&g->edo__lock);
    return rc;
}

void edo__child_leave(edo__task *t)
{
    edo_assert(t->child != NULL && t->scope == &t->child->scope &&
               "a task ended with a scope still open");
    edo__scope_leave(t, &t->child->scope);
    uint32_t why =
        edo__aload(&t->child->scope.edo__cancelled, EDO__RLX); /* final: nobody finds it */
    t->child->excused = (why & EDO__CANCELLED_SELF) != 0;
}

bool edo__ordered_ended(edo_group *g, edo__task *t)
{
    (void)g;
    edo__child *c = t->child;
    t->child = NULL;
    c->arg = (t->flags & EDO__TF_COPIED) != 0 ? NULL : t->arg;
    c->code = t->code;
    bool unseen = (t->flags & EDO__TF_UNSEEN) != 0;
    bool kept = !unseen && (t->flags & EDO__TF_KEPT) != 0;
    c->state = unseen ? EDO__CHILD_UNSEEN : EDO__CHILD_ENDED;
    c->task = kept ? t : NULL;
    return kept;
}

static edo__child *ordered_pop(edo_group *g)
{
    edo__child *c = edo__ordered_first(g);
    g->edo__results = (struct edo__results *)(void *)c->next;
    if (c->next == NULL)
        g->edo__results_last = NULL;
    return c;
}

bool edo__ordered_ready(const edo_group *g)
{
    const edo__child *c = edo__ordered_first(g);
    while (c != NULL && c->state == EDO__CHILD_UNSEEN)
        c = c->next;
    return c == NULL || c->state != EDO__CHILD_LIVE;
}

int edo__ordered_take(edo_group *g, edo__child **out)
{
    edo__child *c;
    while ((c = edo__ordered_first(g)) != NULL) {
        if (c->state == EDO__CHILD_LIVE)
            return -EAGAIN;
        c = ordered_pop(g);
        if (c->state == EDO__CHILD_ENDED) {
            *out = c;
            return 1;
        }
        free(c); /* rare: the pool had refused it */
    }
    return 0;
}

void edo__ordered_drop(edo_group *g)
{
    while (g->edo__results != NULL) {
        edo__child *c = ordered_pop(g);
        if (c->task != NULL)
            edo__task_unref(c->task);
        free(c);
    }
}

/* ---- cancelling one ---- */

typedef struct one {
    uint64_t id;
    int *rc;
} one;

/* The live child with that id. The slot may be another task's by now, or become it at any moment,
 * unless the task is on g's list; and it cannot leave that while we hold the lock. */
static edo__task *collect_id(edo_group *g, const void *arg)
{
    const one *o = arg;
    edo__task *t = edo__task_find(g->edo__rt, o->id);
    *o->rc = -ESRCH;
    if (t == NULL)
        return NULL;
    edo__spin_lock(&g->edo__lock);
    bool live = edo__aload(&t->id, EDO__ACQ) == o->id && edo__aload(&t->group, EDO__RLX) == g;
    uint8_t state = edo__aload(&t->state, EDO__ACQ);
    live = live && (state == EDO__TASK_NEW || state == EDO__TASK_LIVE) &&
           edo__aload(&t->id, EDO__ACQ) == o->id;
    bool own = live && t->child != NULL;
    if (own) {
        edo__aadd(&t->refs, 1u, EDO__RLX); /* given back in edo__scope_mark_children() */
        t->cancel_next = NULL;
    }
    edo__spin_unlock(&g->edo__lock);
    if (live)
        *o->rc = own ? 0 : -ENOTSUP;
    return own ? t : NULL;
}

int edo_group_cancel_one(edo_group *g, uint64_t id)
{
    int rc;
    edo__scope_mark_children(g, collect_id, &(one){ .id = id, .rc = &rc });
    return rc;
}

typedef struct all {
    uint64_t key;
    int *count;
} all;

static edo__task *collect_key(edo_group *g, const void *arg)
{
    const all *a = arg;
    edo__task *list = NULL;
    edo__spin_lock(&g->edo__lock);
    for (edo__task *t = g->edo__children; t != NULL; t = t->sib_next) {
        if (t->child == NULL || !t->child->keyed || t->child->key != a->key ||
            edo__aload(&t->state, EDO__ACQ) == EDO__TASK_ENDED)
            continue;
        edo__aadd(&t->refs, 1u, EDO__RLX); /* given back in edo__scope_mark_children() */
        t->cancel_next = list;
        list = t;
        ++*a->count;
    }
    edo__spin_unlock(&g->edo__lock);
    return list;
}

int edo_group_cancel_key(edo_group *g, uint64_t key)
{
    int count = 0;
    edo__scope_mark_children(g, collect_key, &(all){ .key = key, .count = &count });
    return count > 0 ? count : -ESRCH;
}
