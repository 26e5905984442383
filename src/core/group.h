/* SPDX-License-Identifier: MIT */
/* Groups from the inside. See group.c. */
#ifndef EDO_CORE_GROUP_H
#define EDO_CORE_GROUP_H

#include "core/task.h"

struct edo__worker;

enum { /* edo__child.state; under the group's lock */
       EDO__CHILD_LIVE,
       EDO__CHILD_ENDED,
       EDO__CHILD_UNSEEN, /* could not be started: leaves no result */
};

/* What is kept of a child whose id somebody asked for, that has a key, or whose group reports in
 * spawn order: a scope of its own, open from its spawn to its end, which can be cancelled alone; and
 * in an ordered group its place in line and its result. Freed with the task; in an ordered group it
 * belongs to the group from the task's end on. */
typedef struct edo__child {
    edo_scope scope;
    uint64_t key;
    struct edo__child *next; /* ordered: on the group's list from spawn until taken; group's lock */
    uint64_t id;
    void *arg;
    edo__task *task; /* when it ended and has a name, a key or an id that was asked for */
    int32_t code;
    uint8_t state;
    bool keyed;
    bool excused; /* it was cancelled alone: its -ECANCELED is no failure of the group */
} edo__child;

/* Gives t a record; false without memory. */
bool edo__child_new(edo__task *t, uint64_t key, bool keyed);
/* edo__group_add() for a task with a record. */
int edo__child_add(edo_group *g, edo__task *t);
/* The task's function has returned: closes its own scope, which must be the only one left. */
void edo__child_leave(edo__task *t);
/* Whether the code t returned does not count. */
static inline bool edo__child_excused(const edo__task *t)
{
    return t->child != NULL && t->child->excused && t->code == -ECANCELED;
}

/* Ordered groups keep their records where others keep results; under the group's lock. */
static inline edo__child *edo__ordered_first(const edo_group *g)
{
    return (edo__child *)(void *)g->edo__results;
}
/* t has ended: what is known of it goes to its record. True when t itself is kept. */
bool edo__ordered_ended(edo_group *g, edo__task *t);
/* Whether edo__ordered_take() would say anything but -EAGAIN. */
bool edo__ordered_ready(const edo_group *g);
/* 1: *out is the first in line, taken out; 0: no child is left; -EAGAIN: the first is live. */
int edo__ordered_take(edo_group *g, edo__child **out);
/* No child is left alive: frees all. */
void edo__ordered_drop(edo_group *g);

/* What a new task is made of. */
typedef struct edo__spawn {
    edo_fn *fn;
    void *arg;
    size_t copy; /* with EDO__TF_COPIED: arg points to that many bytes to copy */
    const edo_task_options *options;
    const char *site;
    uint64_t key;
    uint8_t flags; /* EDO__TF_* */
    bool keyed;
} edo__spawn;

/* A task in no group yet and in no queue; NULL without memory. w: the calling worker or NULL. */
edo__task *edo__task_new(struct edo_runtime *rt, struct edo__worker *w, const edo__spawn *how);
/* Gives up a task that was never added to a group. */
void edo__task_discard(edo__task *t, struct edo__worker *w);

/* The whole of edo_spawn(). */
int edo__spawn_how(edo_group *g, const edo__spawn *how, uint64_t *id);
/* A child of g that the caller has no part in, from any thread; g, of rt, stays open meanwhile and
 * has no limit. -ESHUTDOWN, -ENOMEM. */
int edo__spawn_into(struct edo_runtime *rt, edo_group *g, const edo__spawn *how);
/* A detached task, from any thread. */
int edo__runtime_spawn_how(struct edo_runtime *rt, const edo__spawn *how);

/* Whether a deadline around the group has passed; asked only when there is one. */
bool edo__group_late(const edo_group *g);

/* Makes t a live child; 0, or -ECANCELED when the group is cancelled, -EAGAIN at its limit. */
static inline int edo__group_add(edo_group *g, edo__task *t)
{
    edo__astore(&t->group, g, EDO__RLX); /* read by a cancel that has but its id */
    t->scope = &g->edo__scope;
    t->sib_prev = NULL;
    int rc = 0;
    edo__spin_lock(&g->edo__lock);
    if (edo__unlikely(edo__aload(&g->edo__scope.edo__cancelled, EDO__RLX) != 0)) {
        rc = -ECANCELED;
    } else if (edo__unlikely(g->edo__scope.edo__deadline_eff != EDO_FOREVER) &&
               edo__group_late(g)) {
        rc = -ECANCELED;
    } else if (edo__unlikely(g->edo__limit != 0 && g->edo__live >= g->edo__limit)) {
        rc = -EAGAIN;
    } else {
        g->edo__live++;
        t->sib_next = g->edo__children;
        if (t->sib_next != NULL)
            t->sib_next->sib_prev = t;
        g->edo__children = t;
    }
    edo__spin_unlock(&g->edo__lock);
    return rc;
}
/* select's part, for the owner. Takes the next result if there is one, as edo_group_next_nowait();
 * without any effect if not. */
int edo__group_try_next(edo_group *g, edo_result *out);
/* False: from here on w's task is claimed with w's code when the next result may be there, until
 * edo__group_unwatch_next(). True: it may be there now. */
bool edo__group_watch_next(edo_group *g, const struct edo__waiter *w);
void edo__group_unwatch_next(edo_group *g);

/* Calls the next spawner that waits for room, for one who was called and does not use it. */
void edo__group_pass_room(edo_group *g);
/* t has ended: tells the group, and lets go of t. On the worker that ran it, or NULL elsewhere. */
void edo__group_ended(edo__task *t, struct edo__worker *w);

/* Gives a reference back; the last one frees the slot. */
void edo__task_unref(edo__task *t);
void edo__task_unref_on(edo__task *t, struct edo__worker *w);

/* Frees what w keeps for results. */
void edo__results_drop_cache(struct edo__worker *w);

#endif
