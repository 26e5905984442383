/* SPDX-License-Identifier: MIT */
/* Looking at tasks from outside while they run; docs/internals/dump.md tells how and why it is
 * sound.
 *
 * A parked task is frozen for the microseconds it is looked at: its wait word says so, and whoever
 * would wake it looks again a moment later, holding the lock of what the task waits for. So while
 * a task is frozen that object stays, and what keeps the task waiting stays true. Hence the two
 * rules: wait for no lock while a task is frozen, and freeze for as long as it takes, not longer. */
#ifndef EDO_INSPECT_INSPECT_H
#define EDO_INSPECT_INSPECT_H

#include "core/sched.h"
#include "sync/chan_impl.h"

#include <stdio.h>

#define EDO__FRAMES 64
#define EDO__NOBODY UINT32_MAX

/* Who could end a wait. */
typedef enum edo__ends {
    EDO__ENDS_ITSELF,  /* time, the kernel, a thread; or nobody here knows           */
    EDO__ENDS_TASK,    /* the task `by`: it holds the lock                           */
    EDO__ENDS_ALL,     /* the children of a group, when all of them have ended       */
    EDO__ENDS_ANY,     /* the children of a group, when the first of them ends       */
    EDO__ENDS_USERS,   /* `users` as far as was seen: the other side of a channel    */
    EDO__ENDS_ANYBODY, /* any task that runs, or a thread                            */
} edo__ends;

/* What a frozen task waits for. Tasks are named by their index in the arena. */
typedef struct edo__seen_wait {
    const void *obj;
    int64_t until; /* of the runtime's clock: when it ends by itself; EDO_FOREVER: never */
    uint64_t have; /* free permits, values inside, live children, events of a descriptor */
    uint64_t cap;  /* values that fit, cases of a select                                 */
    uint32_t by;
    uint32_t users[EDO__USERS_MAX];
    uint8_t n_users;
    uint8_t why;  /* edo__why  */
    uint8_t ends; /* edo__ends */
    bool outside; /* a lock is held by who is no task of this runtime         */
    bool behind;  /* `by` does not hold the lock, but stands before it in line */
} edo__seen_wait;

typedef enum edo__seen_state {
    EDO__SEEN_NEW,
    EDO__SEEN_READY,
    EDO__SEEN_RUNNING,
    EDO__SEEN_WAITING,
    EDO__SEEN_ENDED,
} edo__seen_state;

/* What is told of a task. */
typedef struct edo__picture {
    uint64_t id, parent;
    edo__seen_state state;
    bool frozen; /* `wait` is known; else only wait.why */
    bool low;    /* of low priority */
    edo__seen_wait wait;
    const edo_group *group; /* it is a child of: an address to compare */
    const char *site;
    int64_t since;
    size_t frames;
    char name[EDO__TASK_NAME];
} edo__picture;

/* False: there is no task in this slot. pcs NULL: without its stack. */
bool edo__picture_take(edo_runtime *rt, uint32_t index, edo__picture *p, void **pcs);
/* Only id, state and name. */
bool edo__picture_head(edo_runtime *rt, uint32_t index, edo__picture *p);

/* Stops a parked task from being woken; false: it is not parked. At most a few milliseconds. */
bool edo__freeze(edo__task *t); /* the end of it is edo__wait_thaw() */
/* Of a frozen task. */
void edo__see_wait(edo_runtime *rt, edo__task *t, edo__seen_wait *w);

/* ---- who waits for whom: knots.c ---- */

typedef struct edo__node {
    uint64_t id; /* 0: no task */
    int64_t since;
    const edo_group *group;
    edo__seen_wait wait;
    uint32_t missing; /* who still has to be able to go on before this one can        */
    uint32_t next;    /* one of those it waits for; on a cycle: the next one          */
    uint8_t state;    /* edo__seen_state                                              */
    bool waits;       /* was frozen and seen                                          */
    bool alive;       /* can go on, or somebody can make it                           */
    uint8_t mark;     /* of the walk in progress                                      */
} edo__node;

typedef enum edo__sure {
    EDO__SURE,       /* nothing that is known of could end it                               */
    EDO__SEEN_USERS, /* if nobody uses a channel but those who did so far                   */
    EDO__SUPPOSED,   /* nothing moves, and somebody waits with a lock that others wait for  */
} edo__sure;

typedef struct edo__knot { /* a cycle */
    struct edo__knot *next;
    edo__sure sure;
    uint32_t n;
    uint32_t members[]; /* each waits for the next, the last for the first */
} edo__knot;

typedef struct edo__edge { /* `from` could end what `to` waits for */
    uint32_t from, to;
} edo__edge;

typedef struct edo__inspection {
    edo_runtime *rt;
    uint32_t used; /* slots looked at */
    edo__node *nodes;
    edo__edge *edges; /* by `from` */
    edo__edge *waits; /* the same by `to` */
    size_t n_edges;
    uint32_t *work;   /* a list of nodes, `used` long: of the walk in progress */
    edo__knot *knots; /* deadlocks, oldest task first */
    edo__knot **last;
    bool complete;   /* false: not enough memory to look for deadlocks */
    bool standstill; /* no task can go on unless a thread from outside helps */
} edo__inspection;

void edo__inspect(edo__inspection *in, edo_runtime *rt);
void edo__inspect_end(edo__inspection *in);

/* graph.c: fills nodes and edges, and says who is alive. */
int edo__graph_build(edo__inspection *in);
typedef struct edo__edge_range {
    const edo__edge *at, *end;
} edo__edge_range;
edo__edge_range edo__edges_from(const edo__inspection *in, uint32_t from);
edo__edge_range edo__edges_to(const edo__inspection *in, uint32_t to);

static inline edo__task *edo__task_at(const edo__inspection *in, uint32_t index)
{
    return edo__arena_at(in->rt->arena, index);
}

#endif
