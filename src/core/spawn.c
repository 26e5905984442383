/* SPDX-License-Identifier: MIT */
/* Making tasks and starting them. */
#include "core/blocking.h"
#include "core/group.h"
#include "core/scope.h"
#include "core/sched.h"
#include "core/trace.h"

#include <edo/runtime.h>
#include <edo/task.h>

#include <stdlib.h>
#include <string.h>

#define COPY_MAX ((size_t)1 << 20)

/* The arguments of a task that wanted a copy. */
static int task_copy_args(edo__task *t, const edo__spawn *how)
{
    if (how->copy > sizeof t->copy) {
        void *copy = malloc(how->copy);
        if (copy == NULL)
            return -ENOMEM;
        t->arg = copy;
        t->flags |= EDO__TF_HEAP_ARG;
    } else {
        t->arg = t->copy;
    }
    if (how->copy > 0)
        memcpy(t->arg, how->arg, how->copy);
    return 0;
}

/* What every new task needs; the rest is as edo__task_free() left it. */
static inline edo__task *task_make(edo_runtime *rt, edo__worker *w, edo_fn *fn, void *arg,
                                   const char *site, uint8_t flags)
{
    edo__task *t = edo__task_alloc(rt, w);
    if (edo__unlikely(t == NULL))
        return NULL;
    t->worker = w;
    t->fn = fn;
    t->arg = arg;
    t->flags = flags;
    edo__astore(&t->refs, 1u, EDO__RLX);
    t->site = site;
    if (edo__likely(w != NULL)) {
        t->parent = w->current != NULL ? edo__task_id(w->current) : 0;
        t->span = w->current != NULL ? w->current->span : 0;
        t->since = w->now;
    } else {
        t->parent = 0;
        t->span = edo__trace_foreign_span();
        t->since = edo__clock_now(rt);
    }
    edo__astore(&t->state, EDO__TASK_NEW, EDO__REL);
    return t;
}

static void task_set_options(edo__task *t, const edo_task_options *o)
{
    t->flags |= EDO__TF_OPTIONS;
    if (o->name != NULL) {
        t->flags |= EDO__TF_KEPT;
        strncpy(t->name, o->name, sizeof t->name - 1);
        t->name[sizeof t->name - 1] = '\0';
        EDO__PROBE2(task_name, t->id, &t->name[0]);
    }
    if (o->stack_size != 0)
        t->stack_class = (uint8_t)edo__stack_class_for(t->rt->stacks, o->stack_size);
    t->pins =
        (uint16_t)((o->pinned ? 1 : 0) | (o->priority == EDO_PRIORITY_LOW ? EDO__PIN_LOW : 0));
}

edo__task *edo__task_new(edo_runtime *rt, edo__worker *w, const edo__spawn *how)
{
    edo__task *t = task_make(rt, w, how->fn, how->arg, how->site, how->flags);
    if (edo__unlikely(t == NULL))
        return NULL;
    if ((how->flags & EDO__TF_COPIED) != 0 && task_copy_args(t, how) < 0) {
        edo__task_free(t, w);
        return NULL;
    }
    if (how->options != NULL)
        task_set_options(t, how->options);
    return t;
}

void edo__task_discard(edo__task *t, edo__worker *w)
{
    if ((t->flags & EDO__TF_HEAP_ARG) != 0)
        free(t->arg);
    edo__task_free(t, w);
}

/* Waits until the group has room for one more, or is cancelled. */
static int wait_for_room(edo_group *g, edo__task *self)
{
    edo__spin_lock(&g->edo__lock);
    if (g->edo__live < g->edo__limit) {
        edo__spin_unlock(&g->edo__lock);
        return 0;
    }
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&g->edo__lock);
        return -ECANCELED;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    edo__waitq room = { .head = g->edo__room, .tail = g->edo__room_last };
    edo__waitq_push(&room, &w);
    g->edo__room = room.head;
    g->edo__room_last = room.tail;
    edo__spin_unlock(&g->edo__lock);
    uint32_t code = edo__wait_commit(self, &g->edo__lock, EDO__WHY_GROUP_ROOM, g);
    if (code == EDO__WAKE_OK)
        return 0;
    edo__spin_lock(&g->edo__lock);
    room = (edo__waitq){ .head = g->edo__room, .tail = g->edo__room_last };
    edo__waitq_remove(&room, &w);
    g->edo__room = room.head;
    g->edo__room_last = room.tail;
    edo__spin_unlock(&g->edo__lock);
    return -ECANCELED;
}

/* What becomes of a new task that is to be found again by its id or key, or in its turn. */
static bool make_child(edo_group *g, edo__task *t, const edo__spawn *how, uint64_t *id)
{
    uint64_t key = how->options != NULL && how->options->key != 0 ? how->options->key : how->key;
    bool keyed = how->keyed || key != 0;
    if (id != NULL)
        *id = edo__task_id(t);
    if (id != NULL || keyed)
        t->flags |= EDO__TF_KEPT;
    else if (!g->edo__ordered)
        return true;
    return edo__child_new(t, key, keyed);
}

int edo__spawn_how(edo_group *g, const edo__spawn *how, uint64_t *id)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo_runtime *rt = g->edo__rt;
    edo__task *t;
    bool called = false; /* by a child that made room: for one spawner only */
    for (;;) {
        edo__worker *w = self->rt == rt ? self->worker : NULL; /* anew after each suspension */
        t = edo__task_new(rt, w, how);
        if (edo__unlikely(t == NULL)) {
            rc = -ENOMEM;
            goto room_unused;
        }
        if (edo__unlikely(!make_child(g, t, how, id)))
            rc = -ENOMEM;
        else
            rc = t->child != NULL ? edo__child_add(g, t) : edo__group_add(g, t);
        if (edo__likely(rc == 0))
            break;
        edo__task_discard(t, w);
        if (rc != -EAGAIN)
            goto room_unused;
        rc = wait_for_room(g, self);
        if (rc < 0)
            return rc;
        called = true;
    }
    edo__worker *w = self->rt == rt ? self->worker : NULL;
    edo__count_spawn(rt, w, t);
    EDO__PROBE4(task_spawn, t->id, t->parent, t->fn, t->site);
    if ((how->flags & EDO__TF_BLOCKING) != 0)
        rc = edo__blocking_start(t, w);
    else
        edo__schedule_new(w, t);
    edo__coop(self);
    return rc;

room_unused:
    if (called)
        edo__group_pass_room(g); /* the next one in line would wait for ever */
    return rc;
}

int edo__spawn_at(edo_group *g, edo_fn *fn, void *arg, const char *site)
{
    /* The common case without detours: from a task of the same runtime, and there is room. */
    edo__task *self = edo__self();
    edo__worker *w = self->worker;
    if (edo__likely(self->rt == g->edo__rt && edo__checkpoint(self) == 0 && g->edo__limit == 0)) {
        edo__task *t = task_make(self->rt, w, fn, arg, site, 0);
        if (edo__likely(t != NULL && edo__group_add(g, t) == 0)) {
            edo__count_spawn_on(w, t);
            EDO__PROBE4(task_spawn, t->id, t->parent, fn, site);
            edo__schedule_on(w, t);
            edo__coop(self);
            return 0;
        }
        if (t != NULL)
            edo__task_free(t, w);
    }
    edo__spawn how = { .fn = fn, .arg = arg, .site = site };
    return edo__spawn_how(g, &how, NULL);
}

int edo__spawn_with_at(edo_group *g, const edo_task_options *options, uint64_t *id, edo_fn *fn,
                       void *arg, const char *site)
{
    edo__spawn how = { .fn = fn, .arg = arg, .options = options, .site = site };
    return edo__spawn_how(g, &how, id);
}

int edo__spawn_keyed_at(edo_group *g, uint64_t key, edo_fn *fn, void *arg, const char *site)
{
    edo__spawn how = { .fn = fn, .arg = arg, .site = site, .key = key, .keyed = true };
    return edo__spawn_how(g, &how, NULL);
}

int edo__spawn_copy_at(edo_group *g, edo_fn *fn, const void *args, size_t size, const char *site)
{
    if (size > COPY_MAX)
        return -E2BIG;
    edo__spawn how = { .fn = fn, .copy = size, .site = site, .flags = EDO__TF_COPIED };
    memcpy(&how.arg, &args, sizeof how.arg); /* only read from, see task_copy_args() */
    return edo__spawn_how(g, &how, NULL);
}

int edo__spawn_into(edo_runtime *rt, edo_group *g, const edo__spawn *how)
{
    if (edo__aload(&rt->shutdown, EDO__ACQ) != 0)
        return -ESHUTDOWN;
    edo__worker *w = edo__current_worker(rt);
    edo__task *t = edo__task_new(rt, w, how);
    if (t == NULL)
        return -ENOMEM;
    if (edo__group_add(g, t) < 0) {
        edo__task_discard(t, w);
        return -ESHUTDOWN;
    }
    edo__count_spawn(rt, w, t);
    EDO__PROBE4(task_spawn, t->id, t->parent, t->fn, t->site);
    edo__schedule_new(w, t);
    return 0;
}

int edo__runtime_spawn_how(edo_runtime *rt, const edo__spawn *how)
{
    return edo__spawn_into(rt, &rt->root, how);
}

int edo__spawn_detached_at(edo_fn *fn, void *arg, const char *site)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    edo__spawn how = { .fn = fn, .arg = arg, .site = site, .flags = EDO__TF_DETACHED };
    return edo__runtime_spawn_how(self->rt, &how);
}

int edo_runtime_spawn(edo_runtime *rt, edo_fn *fn, void *arg)
{
    edo__spawn how = { .fn = fn, .arg = arg, .flags = EDO__TF_DETACHED };
    return edo__runtime_spawn_how(rt, &how);
}

/* The names again as functions, for pointers to them and for callers without the macros. */
int(edo_spawn)(edo_group *g, edo_fn *fn, void *arg)
{
    return edo__spawn_at(g, fn, arg, NULL);
}

int(edo_spawn_copy)(edo_group *g, edo_fn *fn, const void *args, size_t size)
{
    return edo__spawn_copy_at(g, fn, args, size, NULL);
}

int(edo_spawn_with)(edo_group *g, const edo_task_options *options, uint64_t *id, edo_fn *fn,
                    void *arg)
{
    return edo__spawn_with_at(g, options, id, fn, arg, NULL);
}

int(edo_spawn_keyed)(edo_group *g, uint64_t key, edo_fn *fn, void *arg)
{
    return edo__spawn_keyed_at(g, key, fn, arg, NULL);
}

int(edo_spawn_detached)(edo_fn *fn, void *arg)
{
    return edo__spawn_detached_at(fn, arg, NULL);
}
