/* SPDX-License-Identifier: MIT */
/* Deadlocks: cycles among the tasks that graph.c could not show to be able to go on, proven before
 * they are told.
 *
 * The graph was taken while tasks ran, so a cycle in it may never have been one. Proof: everybody
 * the cycle depends on is frozen at the same time and looked at again. A frozen task releases no
 * lock, ends not, sends nothing; so if each still waits for the same thing and only others who are
 * frozen could end that, nobody ever will. A deadlock stays, so a second look finds it again. */
#include "inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_FOR EDO_SEC(1) /* what rests on who used a channel so far must have lasted that long */
#define CHAIN_MAX 256       /* tasks in a cycle that is only supposed                             */

enum { /* edo__node.mark */
       NEW,
       ON_PATH,
       DONE,
       MEMBER = 128, /* of what is to be frozen */
};

static bool is_stuck(const edo__node *n)
{
    return n->waits && !n->alive;
}

/* Each stuck task's next one: somebody stuck that it waits for. */
static void choose_next(edo__inspection *in)
{
    for (size_t i = 0; i < in->n_edges; i++) {
        const edo__edge *e = &in->edges[i];
        edo__node *to = &in->nodes[e->to], *from = &in->nodes[e->from];
        if (!is_stuck(to) || !is_stuck(from))
            continue;
        /* of several children one that closes the circle */
        bool closes = from->wait.ends == EDO__ENDS_TASK && from->wait.by == e->to;
        if (to->next == EDO__NOBODY || closes)
            to->next = e->from;
    }
}

/* ---- what a cycle depends on ---- */

static uint32_t add_member(edo__inspection *in, uint32_t n, uint32_t index)
{
    if ((in->nodes[index].mark & MEMBER) != 0)
        return n;
    in->nodes[index].mark |= MEMBER;
    in->work[n] = index;
    return n + 1;
}

/* One of several is enough to end the wait: all of them matter. */
static bool any_is_enough(const edo__node *n)
{
    return n->wait.ends == EDO__ENDS_ANY || n->wait.ends == EDO__ENDS_USERS;
}

/* Fills in->work with the tasks of the cycle and those who could end a wait in it. */
static uint32_t collect_members(edo__inspection *in, uint32_t start)
{
    uint32_t n = add_member(in, 0, start);
    for (uint32_t done = 0; done < n; done++) {
        uint32_t index = in->work[done];
        const edo__node *node = &in->nodes[index];
        if (!any_is_enough(node)) {
            if (node->next != EDO__NOBODY)
                n = add_member(in, n, node->next);
            continue;
        }
        for (edo__edge_range r = edo__edges_to(in, index); r.at < r.end; r.at++)
            n = add_member(in, n, r.at->from);
    }
    return n;
}

static void unmark_members(edo__inspection *in, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        in->nodes[in->work[i]].mark &= (uint8_t)~MEMBER;
}

/* ---- the proof ---- */

static bool same_wait(const edo__seen_wait *a, const edo__seen_wait *b)
{
    if (a->why != b->why || a->obj != b->obj || a->by != b->by || a->until != b->until ||
        a->n_users != b->n_users)
        return false;
    return memcmp(a->users, b->users, a->n_users * sizeof a->users[0]) == 0;
}

/* Frozen, it waits as the graph says. */
static bool still_so(const edo__inspection *in, uint32_t index)
{
    const edo__node *n = &in->nodes[index];
    edo__task *t = edo__task_at(in, index);
    edo__seen_wait now;
    if (edo__task_id(t) != n->id || t->group != n->group)
        return false;
    edo__see_wait(in->rt, t, &now);
    if (!same_wait(&now, &n->wait))
        return false;
    edo__edge_range children = edo__edges_to(in, index);
    return n->wait.ends != EDO__ENDS_ANY || now.have == (uint64_t)(children.end - children.at);
}

/* Freezes the first n of in->work; how many it could. */
static uint32_t freeze_all(const edo__inspection *in, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && edo__freeze(edo__task_at(in, in->work[i])))
        i++;
    return i;
}

static void thaw_all(const edo__inspection *in, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        edo__wait_thaw(edo__task_at(in, in->work[i]));
}

static bool prove(const edo__inspection *in, uint32_t n)
{
    uint32_t frozen = freeze_all(in, n);
    bool holds = frozen == n;
    for (uint32_t i = 0; holds && i < n; i++)
        holds = still_so(in, in->work[i]);
    thaw_all(in, frozen);
    return holds;
}

/* Every task is frozen: that there is no other, and no job on the pool that could wake one. */
static bool nobody_else(const edo__inspection *in)
{
    uint32_t used = (uint32_t)edo__arena_used(in->rt->arena);
    for (uint32_t i = 0; i < used; i++) {
        edo__picture p;
        bool there = edo__picture_head(in->rt, i, &p) && p.state != EDO__SEEN_ENDED;
        if (there && (i >= in->used || in->nodes[i].id != p.id))
            return false;
    }
    return edo__pool_idle(in->rt->pool); /* under its lock nobody waits for anything */
}

/* Whether nothing in the runtime can move. */
static bool prove_standstill(edo__inspection *in)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < in->used; i++) {
        if (in->nodes[i].id != 0)
            in->work[n++] = i;
    }
    if (n == 0)
        return false;
    uint32_t frozen = freeze_all(in, n);
    bool holds = frozen == n && nobody_else(in);
    for (uint32_t i = 0; holds && i < n; i++)
        holds = still_so(in, in->work[i]);
    thaw_all(in, frozen);
    return holds;
}

/* ---- cycles ---- */

/* The cycle that goes through start by `next`, n tasks long. */
static void add_knot(edo__inspection *in, uint32_t start, uint32_t n, edo__sure sure)
{
    edo__knot *k = malloc(sizeof *k + n * sizeof k->members[0]);
    if (k == NULL) {
        in->complete = false;
        return;
    }
    *k = (edo__knot){ .sure = sure, .n = n };
    for (uint32_t i = 0, at = start; i < n; i++, at = in->nodes[at].next)
        k->members[i] = at;
    *in->last = k;
    in->last = &k->next;
}

/* What a cycle rests on: the first n of in->work. */
typedef struct ground {
    bool users;   /* on who used a channel so far                   */
    bool anybody; /* on somebody whom any task could wake           */
    bool old;     /* all have waited for a while                    */
} ground;

static ground ground_of(const edo__inspection *in, uint32_t n)
{
    ground g = { .old = true };
    int64_t now = edo__clock_now(in->rt);
    for (uint32_t i = 0; i < n; i++) {
        const edo__node *node = &in->nodes[in->work[i]];
        g.users |= node->wait.ends == EDO__ENDS_USERS;
        g.anybody |= node->wait.ends == EDO__ENDS_ANYBODY;
        g.old &= now - node->since >= SEEN_FOR;
    }
    return g;
}

static void judge_cycle(edo__inspection *in, uint32_t start)
{
    uint32_t length = 1;
    for (uint32_t at = in->nodes[start].next; at != start; at = in->nodes[at].next)
        length++;
    uint32_t n = collect_members(in, start);
    ground g = ground_of(in, n);
    /* at a standstill nobody else is there to do it */
    bool holds = (in->standstill || (!g.anybody && (!g.users || g.old))) && prove(in, n);
    unmark_members(in, n);
    if (holds)
        add_knot(in, start, length, g.users && !in->standstill ? EDO__SEEN_USERS : EDO__SURE);
}

/* Follows `next` from everywhere; what comes back to its own path is a cycle, each found once. */
static void find_cycles(edo__inspection *in)
{
    for (uint32_t i = 0; i < in->used; i++) {
        uint32_t at = i;
        while (at != EDO__NOBODY && is_stuck(&in->nodes[at]) && in->nodes[at].mark == NEW) {
            in->nodes[at].mark = ON_PATH;
            at = in->nodes[at].next;
        }
        if (at != EDO__NOBODY && in->nodes[at].mark == ON_PATH)
            judge_cycle(in, at);
        for (at = i; at != EDO__NOBODY && in->nodes[at].mark == ON_PATH; at = in->nodes[at].next)
            in->nodes[at].mark = DONE;
    }
}

/* ---- at a standstill: who waits for a message while others wait for its lock ---- */

static bool waits_for_message(const edo__node *n)
{
    switch (n->wait.why) {
    case EDO__WHY_SEND:
    case EDO__WHY_RECV:
    case EDO__WHY_RESERVE:
    case EDO__WHY_EVENT:
    case EDO__WHY_NOTIFY:
    case EDO__WHY_ONESHOT:
    case EDO__WHY_SEM:
    case EDO__WHY_COND:
    case EDO__WHY_BARRIER:
    case EDO__WHY_SETONCE:
    case EDO__WHY_BROADCAST:
    case EDO__WHY_WATCH:
    case EDO__WHY_SELECT: return n->waits && n->wait.ends == EDO__ENDS_ANYBODY;
    default: return false;
    }
}

/* The end of the chain of lock holders from here, and its length; EDO__NOBODY: not of that kind. */
static uint32_t follow_locks(const edo__inspection *in, uint32_t from, uint32_t *length)
{
    uint32_t at = from;
    for (*length = 1; *length < CHAIN_MAX; ++*length) {
        const edo__node *n = &in->nodes[at];
        if (!n->waits || n->wait.ends != EDO__ENDS_TASK)
            return n->waits && *length > 1 && waits_for_message(n) ? at : EDO__NOBODY;
        at = n->wait.by;
    }
    return EDO__NOBODY;
}

/* The longest such chain to each end is closed: its first task is supposed to be the one that would
 * send. in->work: for each end the first task of its chain so far. */
static void suppose_cycles(edo__inspection *in)
{
    uint32_t length, other;
    for (uint32_t i = 0; i < in->used; i++)
        in->work[i] = EDO__NOBODY;
    for (uint32_t i = 0; i < in->used; i++) {
        uint32_t end = follow_locks(in, i, &length);
        if (end == EDO__NOBODY)
            continue;
        if (in->work[end] != EDO__NOBODY) {
            (void)follow_locks(in, in->work[end], &other);
            if (other >= length)
                continue;
        }
        in->work[end] = i;
    }
    for (uint32_t i = 0; i < in->used; i++) {
        if (in->work[i] == EDO__NOBODY)
            continue;
        (void)follow_locks(in, in->work[i], &length);
        in->nodes[i].next = in->work[i];
        add_knot(in, in->work[i], length, EDO__SUPPOSED);
    }
}

void edo__inspect(edo__inspection *in, edo_runtime *rt)
{
    *in = (edo__inspection){ .rt = rt };
    in->last = &in->knots;
    in->used = (uint32_t)edo__arena_used(rt->arena);
    in->complete = edo__graph_build(in) == 0;
    if (!in->complete) {
        in->standstill = false;
        in->n_edges = 0;
        return;
    }
    in->standstill = in->standstill && prove_standstill(in);
    choose_next(in);
    find_cycles(in);
    if (in->standstill)
        suppose_cycles(in);
}

void edo__inspect_end(edo__inspection *in)
{
    for (edo__knot *k = in->knots, *next; k != NULL; k = next) {
        next = k->next;
        free(k);
    }
    free(in->nodes);
    free(in->edges);
    free(in->waits);
    free(in->work);
}
