/* SPDX-License-Identifier: MIT */
/* One task, as seen at one moment; see inspect.h.
 *
 * What is parked is frozen and read. A running task is asked for its stack by signal. The rest (new,
 * or in a run queue) is described from its fields, read without a lock and believed only if the
 * slot's id is the same before and after. */
#include "inspect/inspect.h"

#include "arch/unwind.h"
#include "core/monitor.h"

#include <edo/once.h>
#include <edo/select.h>

#define FREEZE_TRIES 2000000 /* two dumps at once: one waits for the other, not for ever */
#define LOOKS 4 /* at a task that does something else whenever its stack has been asked for */

bool edo__freeze(edo__task *t)
{
    for (int i = 0; i < FREEZE_TRIES; i++) {
        if (edo__wait_freeze(t))
            return true;
        uint32_t word = edo__aload(&t->word, EDO__ACQ);
        uint32_t state = word & EDO__WORD_STATE;
        if (word >= EDO__WAKE_CANCEL || state == EDO__WORD_IDLE || state == EDO__WORD_WAITING)
            return false;
        edo__cpu_relax(); /* another dump, or a select that matches with it */
    }
    return false;
}

/* The index of a task given by address. */
static uint32_t index_of(const edo_runtime *rt, const edo__task *t)
{
    uintptr_t at = (uintptr_t)t - (uintptr_t)edo__arena_at(rt->arena, 0);
    size_t i = at / sizeof *t;
    bool inside = at % sizeof *t == 0 && i < edo__arena_used(rt->arena);
    return inside ? (uint32_t)i : EDO__NOBODY;
}

static void held_by(const edo_runtime *rt, edo__seen_wait *w, const edo__task *holder)
{
    w->by = holder != NULL ? index_of(rt, holder) : EDO__NOBODY;
    w->outside = holder != NULL && w->by == EDO__NOBODY;
    w->ends = w->by != EDO__NOBODY ? EDO__ENDS_TASK : EDO__ENDS_ITSELF;
}

/* A read-write lock knows its writer, or its reader if it is only one; whoever waits behind another
 * waits for that one. Others may be working on it, so its lock is tried, which waits for nobody. */
static void see_rwlock(const edo_runtime *rt, edo_rwlock *l, const edo__task *t, edo__seen_wait *w)
{
    if (!edo__spin_try(&l->edo__q.lock))
        return;
    const edo__task *holder = l->edo__writer;
    if (holder == NULL && w->why == EDO__WHY_WRLOCK && l->edo__q.state == 1)
        holder = (const edo__task *)l->edo__readers;
    if (holder == NULL && l->edo__q.head != NULL && l->edo__q.head->task != t) {
        holder = l->edo__q.head->task;
        w->behind = true;
    }
    edo__spin_unlock(&l->edo__q.lock);
    held_by(rt, w, holder);
}

/* Adds one to those who could end the wait. False: there are too many to know them. */
static bool add_user(edo__seen_wait *w, uint32_t index)
{
    for (uint32_t i = 0; i < w->n_users; i++) {
        if (w->users[i] == index)
            return true;
    }
    if (index == EDO__NOBODY || w->n_users == EDO__USERS_MAX)
        return false;
    w->users[w->n_users++] = index;
    return true;
}

/* Adds those who used a side of a channel. False: there are others. */
__attribute__((no_sanitize("thread"), noinline)) static bool add_users(
    edo_runtime *rt, const volatile edo__users *users, edo__seen_wait *w)
{
    uint32_t n = users->n;
    if (n == 0 || n > EDO__USERS_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        edo__task *t = edo__task_find(rt, users->who[i]);
        bool ours = t != NULL && (uint32_t)edo__task_id(t) == users->who[i];
        if (!ours)
            w->outside = true;
        if (!ours || !add_user(w, index_of(rt, t)))
            return false;
    }
    return true;
}

/* Adds those of the other side of a channel. Read without its lock: a waker of this task may hold
 * that. False: anybody may end the wait:
 * - who has a permit is not known, and may send with it or give it back;
 * - whoever gives back the last reference of a side closes the channel;
 * - who stands in line behind a reserver goes on when that one gives up. */
__attribute__((no_sanitize("thread"), noinline)) static bool add_other_side(
    edo_runtime *rt, const volatile edo_chan *c, edo__why why, edo__seen_wait *w)
{
    bool sends = why != EDO__WHY_RECV;
    size_t reservers = why == EDO__WHY_RESERVE; /* itself */
    if (c->reserved != 0 || (sends ? c->n_receivers : c->n_senders) != 0)
        return false;
    if (sends && c->reservers != reservers)
        return false;
    return add_users(rt, sends ? &c->received_by : &c->sent_by, w);
}

__attribute__((no_sanitize("thread"), noinline)) static void see_channel(edo_runtime *rt,
                                                                         const edo_chan *c,
                                                                         edo__why why,
                                                                         edo__seen_wait *w)
{
    w->have = ((const volatile edo__store *)&c->store)->count;
    w->cap = c->store.cap;
    w->ends = EDO__ENDS_USERS;
    if (add_other_side(rt, c, why, w))
        return;
    w->n_users = 0;
    w->ends = EDO__ENDS_ANYBODY;
}

__attribute__((no_sanitize("thread"), noinline)) static void see_group(const edo_group *g,
                                                                       edo__seen_wait *w)
{
    w->have = ((const volatile edo_group *)g)->edo__live;
    w->ends = w->why == EDO__WHY_GROUP_CLOSE ? EDO__ENDS_ALL : EDO__ENDS_ANY;
}

/* Adds those who could make a case of a select happen. False: anybody could. */
static bool add_case(edo_runtime *rt, const edo_case *c, edo__seen_wait *w)
{
    const edo__task *t;
    switch (c->kind) {
    case EDO_CASE_NONE:
    case EDO_CASE_AFTER:
    case EDO_CASE_AT: return true; /* `until` tells */
    case EDO_CASE_RECV: return add_other_side(rt, c->object, EDO__WHY_RECV, w);
    case EDO_CASE_SEND: return add_other_side(rt, c->object, EDO__WHY_SEND, w);
    case EDO_CASE_RESERVE: return add_other_side(rt, c->object, EDO__WHY_RESERVE, w);
    case EDO_CASE_MUTEX:
        t = edo__aload(&((const edo_mutex *)c->object)->edo__holder, EDO__RLX);
        return t != NULL && add_user(w, index_of(rt, t));
    case EDO_CASE_JOINED:
        t = edo__task_find(rt, (uint64_t)c->number);
        return t != NULL && edo__task_id(t) == (uint64_t)c->number && add_user(w, index_of(rt, t));
    default: return false;
    }
}

static void see_select(edo_runtime *rt, const edo__select_view *s, edo__seen_wait *w)
{
    bool known = true;
    w->cap = s->n;
    w->until = s->at;
    for (size_t i = 0; i < s->n; i++) {
        edo_case_kind kind = s->cases[i].kind;
        if (kind == EDO_CASE_FD || kind == EDO_CASE_BLOCKING)
            return; /* ends by itself */
        known = known && add_case(rt, &s->cases[i], w);
    }
    known = known && w->n_users > 0;
    w->n_users = known ? w->n_users : 0;
    w->ends = known ? EDO__ENDS_USERS : EDO__ENDS_ANYBODY;
}

__attribute__((no_sanitize("thread"), noinline)) static void see_object(edo_runtime *rt,
                                                                        const edo__task *t,
                                                                        edo__seen_wait *w)
{
    switch (w->why) {
    case EDO__WHY_SLEEP:
        if (w->obj != NULL)
            w->until = ((const edo__timer *)w->obj)->deadline;
        w->ends = EDO__ENDS_ANYBODY; /* for ever: until it is cancelled */
        break;
    case EDO__WHY_MUTEX:
        held_by(rt, w, edo__aload(&((const edo_mutex *)w->obj)->edo__holder, EDO__RLX));
        break;
    case EDO__WHY_ONCE: /* whoever runs the function */
        held_by(rt, w, ((const volatile edo_once *)w->obj)->edo__runner);
        break;
    case EDO__WHY_RDLOCK:
    case EDO__WHY_WRLOCK: see_rwlock(rt, (edo_rwlock *)(uintptr_t)w->obj, t, w); break;
    case EDO__WHY_SEM:
        w->have = ((const volatile edo_sem *)w->obj)->edo__permits;
        w->ends = EDO__ENDS_ANYBODY;
        break;
    case EDO__WHY_EVENT:
    case EDO__WHY_NOTIFY:
    case EDO__WHY_ONESHOT:
    case EDO__WHY_COND:
    case EDO__WHY_BARRIER:
    case EDO__WHY_SETONCE:
    case EDO__WHY_TOKEN:
    case EDO__WHY_CHAN_CLOSE:
    case EDO__WHY_BROADCAST:
    case EDO__WHY_WATCH: w->ends = EDO__ENDS_ANYBODY; break;
    case EDO__WHY_SEND:
    case EDO__WHY_RECV:
    case EDO__WHY_RESERVE: see_channel(rt, w->obj, w->why, w); break;
    case EDO__WHY_SELECT: see_select(rt, w->obj, w); break;
    case EDO__WHY_GROUP_CLOSE:
    case EDO__WHY_GROUP_NEXT:
    case EDO__WHY_GROUP_ROOM: see_group(w->obj, w); break;
    case EDO__WHY_BLOCKING:
        if (w->obj != NULL)
            w->have = ((const volatile edo__job *)w->obj)->queued;
        break;
    default: break; /* what is not known here is never part of a deadlock */
    }
}

/* The deadline of the scope it waits in. */
__attribute__((no_sanitize("thread"), noinline)) static int64_t deadline_of(const edo__task *t)
{
    uint32_t class = edo__aload(&t->word, EDO__RLX) & EDO__WORD_CLASS;
    if (class == EDO__CANCEL_NEVER || t->scope == NULL)
        return EDO_FOREVER;
    return t->scope->edo__deadline_eff;
}

void edo__see_wait(edo_runtime *rt, edo__task *t, edo__seen_wait *w)
{
    *w = (edo__seen_wait){ .why = edo__aload(&t->why, EDO__RLX),
                           .obj = t->why_obj,
                           .by = EDO__NOBODY,
                           .until = EDO_FOREVER };
    see_object(rt, t, w);
    int64_t deadline = deadline_of(t);
    if (deadline < w->until)
        w->until = deadline;
    if (w->until != EDO_FOREVER)
        w->ends = EDO__ENDS_ITSELF;
}

/* The worker that runs t; NULL: none does. */
static edo__worker *runner_of(edo_runtime *rt, const edo__task *t)
{
    for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
        if (edo__aload(&rt->workers[i].current, EDO__ACQ) == t)
            return &rt->workers[i];
    }
    return NULL;
}

static bool is_waiting(const edo__task *t)
{
    uint32_t word = edo__aload(&t->word, EDO__ACQ);
    return word != EDO__WORD_IDLE && word < EDO__WAKE_CANCEL;
}

static size_t running_stack(edo_runtime *rt, edo__worker *w, void **pcs)
{
    if (w == edo__current_worker(rt))
        return edo__unwind_here(pcs, EDO__FRAMES);
    return edo__monitor_stack(w, pcs, EDO__FRAMES);
}

static bool see_parked(edo_runtime *rt, edo__task *t, edo__picture *p, void **pcs)
{
    if (!edo__freeze(t))
        return false;
    p->state = EDO__SEEN_WAITING;
    p->frozen = true;
    edo__see_wait(rt, t, &p->wait);
    p->since = t->since;
    if (pcs != NULL && t->stack != NULL)
        p->frames = edo__unwind_context(&t->stack->ctx, pcs, EDO__FRAMES);
    edo__wait_thaw(t);
    return true;
}

/* The stack of t, which w runs. False: t left w before w answered, and it may be another task's. */
static bool see_running(edo_runtime *rt, edo__worker *w, edo__task *t, edo__picture *p, void **pcs)
{
    /* acquire: pairs with make_current(), where the task comes before the number of its run */
    uint64_t run = edo__aload(&w->tick, EDO__ACQ);
    if (edo__aload(&w->current, EDO__ACQ) != t)
        return false;
    p->frames = running_stack(rt, w, pcs);
    if (edo__aload(&w->tick, EDO__ACQ) == run && edo__aload(&w->current, EDO__ACQ) == t)
        return true;
    p->frames = 0;
    return false;
}

/* What a live task does at present; it may begin to do something else meanwhile. */
static void see_live(edo_runtime *rt, edo__task *t, edo__picture *p, void **pcs)
{
    for (int look = 0; look < LOOKS && !see_parked(rt, t, p, pcs); look++) {
        edo__worker *runner = runner_of(rt, t);
        if (is_waiting(t)) /* about to park; or a child on the blocking pool */
            p->state = EDO__SEEN_WAITING;
        else
            p->state = runner != NULL ? EDO__SEEN_RUNNING : EDO__SEEN_READY;
        if (runner == NULL || pcs == NULL || see_running(rt, runner, t, p, pcs))
            return;
    }
}

/* Reads fields that their owner may be changing; see the head of this file. */
__attribute__((no_sanitize("thread"), noinline)) bool edo__picture_head(edo_runtime *rt,
                                                                        uint32_t index,
                                                                        edo__picture *p)
{
    edo__task *t = edo__arena_at(rt->arena, index);
    p->id = edo__aload(&t->id, EDO__ACQ);
    uint8_t state = edo__aload(&t->state, EDO__ACQ);
    if (state == EDO__TASK_FREE)
        return false;
    p->state = state == EDO__TASK_NEW     ? EDO__SEEN_NEW
               : state == EDO__TASK_ENDED ? EDO__SEEN_ENDED
                                          : EDO__SEEN_READY;
    p->parent = t->parent;
    p->group = t->group;
    p->wait = (edo__seen_wait){ .why = edo__aload(&t->why, EDO__RLX),
                                .by = EDO__NOBODY,
                                .until = EDO_FOREVER };
    p->frozen = false;
    p->low = (t->pins & EDO__PIN_LOW) != 0;
    p->frames = 0;
    p->site = t->site;
    p->since = t->since;
    for (size_t i = 0; i < sizeof p->name; i++)
        p->name[i] = ((volatile char *)t->name)[i];
    p->name[sizeof p->name - 1] = '\0';
    edo__afence(EDO__ACQ);
    return edo__aload(&t->id, EDO__ACQ) == p->id;
}

bool edo__picture_take(edo_runtime *rt, uint32_t index, edo__picture *p, void **pcs)
{
    edo__task *t = edo__arena_at(rt->arena, index);
    if (!edo__picture_head(rt, index, p))
        return false;
    if (p->state == EDO__SEEN_READY)
        see_live(rt, t, p, pcs);
    return edo__aload(&t->id, EDO__ACQ) == p->id;
}
