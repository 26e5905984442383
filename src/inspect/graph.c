/* SPDX-License-Identifier: MIT */
/* Who could end whose wait: nodes and edges, taken one after another while tasks run, and the tasks
 * from which nothing that can still go on is reached. What comes out is a suspicion; knots.c proves
 * it. */
#include "inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

typedef struct group_wait { /* somebody waits for children of a group */
    const void *group;
    uint32_t index;
} group_wait;

static int by_group(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const group_wait *)a)->group;
    uintptr_t y = (uintptr_t)((const group_wait *)b)->group;
    return (x > y) - (x < y);
}

static int by_from(const void *a, const void *b)
{
    uint32_t x = ((const edo__edge *)a)->from, y = ((const edo__edge *)b)->from;
    return (x > y) - (x < y);
}

static int by_to(const void *a, const void *b)
{
    const edo__edge *x = a, *y = b;
    return x->to != y->to ? (x->to > y->to) - (x->to < y->to) : by_from(a, b);
}

/* For somebody who came after the list of tasks was begun: who goes on, as far as is known. */
static bool waits_for_unlisted(const edo__inspection *in, const edo__seen_wait *w)
{
    if (w->ends == EDO__ENDS_TASK)
        return w->by >= in->used;
    for (uint32_t i = 0; w->ends == EDO__ENDS_USERS && i < w->n_users; i++) {
        if (w->users[i] >= in->used)
            return true;
    }
    return false;
}

static void take_nodes(edo__inspection *in)
{
    for (uint32_t i = 0; i < in->used; i++) {
        edo__picture p;
        if (!edo__picture_take(in->rt, i, &p, NULL) || p.state == EDO__SEEN_ENDED)
            continue;
        edo__node *n = &in->nodes[i];
        n->id = p.id;
        n->since = p.since;
        n->group = p.group;
        n->wait = p.wait;
        n->state = (uint8_t)p.state;
        n->waits = p.frozen;
        if (p.frozen && waits_for_unlisted(in, &p.wait))
            n->wait.ends = EDO__ENDS_ITSELF;
        n->alive = !p.frozen || n->wait.ends == EDO__ENDS_ITSELF;
        n->next = EDO__NOBODY;
    }
}

static bool waits_for_group(const edo__node *n)
{
    return n->waits && (n->wait.ends == EDO__ENDS_ALL || n->wait.ends == EDO__ENDS_ANY);
}

/* Those who wait for a group, by its address; *out is to be freed. */
static int collect_groups(const edo__inspection *in, group_wait **out, size_t *count)
{
    size_t n = 0;
    for (uint32_t i = 0; i < in->used; i++)
        n += waits_for_group(&in->nodes[i]);
    group_wait *waits = malloc((n + 1) * sizeof *waits);
    if (waits == NULL)
        return -ENOMEM;
    n = 0;
    for (uint32_t i = 0; i < in->used; i++) {
        if (waits_for_group(&in->nodes[i]))
            waits[n++] = (group_wait){ in->nodes[i].wait.obj, i };
    }
    qsort(waits, n, sizeof *waits, by_group);
    *out = waits;
    *count = n;
    return 0;
}

/* The first that waits for this group; n: none. */
static size_t find_group(const group_wait *waits, size_t n, const void *group)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((uintptr_t)waits[mid].group < (uintptr_t)group)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && waits[lo].group == group ? lo : n;
}

/* Counts an edge, and writes it down once there is room for it. */
static void add_edge(edo__inspection *in, uint32_t from, uint32_t to)
{
    if (in->edges != NULL) {
        in->edges[in->n_edges] = (edo__edge){ from, to };
        in->nodes[to].missing += in->nodes[to].wait.ends == EDO__ENDS_ALL;
    }
    in->n_edges++;
}

static void add_edges_of_wait(edo__inspection *in, uint32_t to)
{
    const edo__node *n = &in->nodes[to];
    if (!n->waits)
        return;
    if (n->wait.ends == EDO__ENDS_TASK && in->nodes[n->wait.by].id != 0)
        add_edge(in, n->wait.by, to);
    for (uint32_t i = 0; n->wait.ends == EDO__ENDS_USERS && i < n->wait.n_users; i++) {
        if (in->nodes[n->wait.users[i]].id != 0)
            add_edge(in, n->wait.users[i], to);
    }
}

static void add_edges(edo__inspection *in, const group_wait *waits, size_t n)
{
    in->n_edges = 0;
    for (uint32_t i = 0; i < in->used; i++) {
        if (in->nodes[i].id == 0)
            continue;
        add_edges_of_wait(in, i);
        const edo_group *group = in->nodes[i].group;
        for (size_t k = find_group(waits, n, group); k < n && waits[k].group == group; k++)
            add_edge(in, i, waits[k].index);
    }
}

static int make_edges(edo__inspection *in)
{
    group_wait *waits;
    size_t n;
    int rc = collect_groups(in, &waits, &n);
    if (rc < 0)
        return rc;
    add_edges(in, waits, n);
    size_t size = (in->n_edges + 1) * sizeof *in->edges;
    in->edges = malloc(size);
    in->waits = malloc(size);
    if (in->edges != NULL && in->waits != NULL) {
        add_edges(in, waits, n);
        memcpy(in->waits, in->edges, in->n_edges * sizeof *in->edges);
        qsort(in->edges, in->n_edges, sizeof *in->edges, by_from);
        qsort(in->waits, in->n_edges, sizeof *in->waits, by_to);
    }
    free(waits);
    return in->edges != NULL && in->waits != NULL ? 0 : -ENOMEM;
}

edo__edge_range edo__edges_from(const edo__inspection *in, uint32_t from)
{
    size_t lo = 0, hi = in->n_edges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (in->edges[mid].from < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    edo__edge_range r = { &in->edges[lo], &in->edges[lo] };
    while (r.end < in->edges + in->n_edges && r.end->from == from)
        r.end++;
    return r;
}

edo__edge_range edo__edges_to(const edo__inspection *in, uint32_t to)
{
    size_t lo = 0, hi = in->n_edges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (in->waits[mid].to < to)
            lo = mid + 1;
        else
            hi = mid;
    }
    edo__edge_range r = { &in->waits[lo], &in->waits[lo] };
    while (r.end < in->waits + in->n_edges && r.end->to == to)
        r.end++;
    return r;
}

/* Waits without an edge of their own: a holder that has ended, a group without children that were
 * seen, a channel whose users have all ended. */
static void settle_lonely(edo__inspection *in)
{
    for (uint32_t i = 0; i < in->used; i++) {
        edo__node *n = &in->nodes[i];
        if (!n->waits || n->alive || n->wait.ends == EDO__ENDS_ANYBODY)
            continue;
        edo__edge_range providers = edo__edges_to(in, i);
        if (providers.at < providers.end)
            continue;
        if (n->wait.ends == EDO__ENDS_USERS)
            n->wait.ends = EDO__ENDS_ANYBODY;
        else
            n->alive = true;
    }
}

/* Everything that can go on, and everything that this could wake in turn. */
static void spread(edo__inspection *in)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < in->used; i++) {
        if (in->nodes[i].alive)
            in->work[n++] = i;
    }
    in->standstill = n == 0;
    for (uint32_t i = 0; n > 0 && i < in->used; i++) {
        edo__node *node = &in->nodes[i];
        if (node->waits && !node->alive && node->wait.ends == EDO__ENDS_ANYBODY) {
            node->alive = true;
            in->work[n++] = i;
        }
    }
    while (n > 0) {
        uint32_t from = in->work[--n];
        for (edo__edge_range r = edo__edges_from(in, from); r.at < r.end; r.at++) {
            edo__node *to = &in->nodes[r.at->to];
            if (to->alive || (to->missing > 0 && --to->missing > 0))
                continue;
            to->alive = true;
            in->work[n++] = r.at->to;
        }
    }
}

int edo__graph_build(edo__inspection *in)
{
    in->nodes = calloc((size_t)in->used + 1, sizeof *in->nodes);
    in->work = malloc(((size_t)in->used + 1) * sizeof *in->work);
    if (in->nodes == NULL || in->work == NULL)
        return -ENOMEM;
    take_nodes(in);
    int rc = make_edges(in);
    if (rc < 0)
        return rc;
    settle_lonely(in);
    spread(in);
    return 0;
}
