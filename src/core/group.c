/* SPDX-License-Identifier: MIT */
/* Groups: the owner's side (open, next, close, cancel) and the children's (added, ended).
 *
 * A group lives in its owner's frame, and the frame is gone once close has returned. So the last
 * thing a child does with its group is to release the group's lock, and close returns only after it
 * has taken that lock and found no child left. A child that fails spreads the cancel before it
 * counts as ended, which keeps the group open meanwhile. */
#include "core/group.h"

#include "core/join.h"
#include "core/scope.h"
#include "core/sched.h"

#include <edo/task.h>
#include <stdlib.h>

/* Results of ended children, in order of completion. Most children leave only this behind; one with
 * a name, or whose id somebody asked for, stays until its result was taken. */
#define RESULTS_CHUNK 15  /* 496 bytes each */
#define CHUNKS_CACHED 64u /* free ones a worker keeps */

typedef struct edo__results {
    struct edo__results *next;
    uint32_t put, taken;
    struct result {
        uint64_t id;
        void *arg;
        edo__task *task; /* NULL when it is gone */
        int code;
    } at[RESULTS_CHUNK];
} edo__results;

/* Results are kept by the records of the children. The limit, and results kept in no other way, put
 * an ordered group on the paths of limited and discarding ones: the usual ones need not ask. */
static void order_results(edo_group *g)
{
    g->edo__ordered = true;
    g->edo__discard = true;
    if (g->edo__limit == 0)
        g->edo__limit = UINT32_MAX;
}

int edo_group_open(edo_group *g, const edo_group_options *options)
{
    edo__task *self = edo__self_task();
    if (edo__unlikely(self == NULL))
        return -EPERM;
    /* One by one: a compound literal would be built elsewhere and copied, on the hottest of
     * paths. */
    g->edo__rt = self->rt;
    g->edo__lock = 0;
    g->edo__live = 0;
    g->edo__limit = 0;
    g->edo__code = 0;
    g->edo__keep_going = false;
    g->edo__discard = false;
    g->edo__ordered = false;
    g->edo__owner_ordered = false;
    g->edo__children = NULL;
    g->edo__results = NULL;
    g->edo__results_last = NULL;
    g->edo__taken = NULL;
    g->edo__owner = NULL;
    g->edo__room = NULL;
    g->edo__room_last = NULL;
    g->edo__name = NULL;
    if (options != NULL) {
        g->edo__limit = options->limit;
        g->edo__keep_going = options->keep_going;
        g->edo__discard = options->discard;
        g->edo__name = options->name;
        if (options->ordered && !options->discard)
            order_results(g);
    }
    edo__scope_enter(self, &g->edo__scope, EDO_FOREVER, EDO__SCOPE_GROUP);
    return 0;
}

void edo_group_cancel(edo_group *g)
{
    edo__scope_mark(&g->edo__scope, EDO__CANCELLED_SELF);
}

bool edo__group_late(const edo_group *g)
{
    return g->edo__scope.edo__deadline_eff <= edo__clock_now(g->edo__rt);
}

void edo__task_unref_on(edo__task *t, edo__worker *w)
{
    /* Nobody can take a reference any more once t is on no list: 1 stays 1. Otherwise acq_rel: what
     * others did with t comes before its reuse. */
    if (edo__aload(&t->refs, EDO__ACQ) == 1 || edo__asub(&t->refs, 1u, EDO__AR) == 1)
        edo__task_free(t, w);
}

void edo__task_unref(edo__task *t)
{
    edo__task_unref_on(t, edo__current_worker(t->rt));
}

static inline edo__results *chunk_alloc(edo__worker *w)
{
    edo__results *chunk = w != NULL ? w->free_results : NULL;
    if (edo__unlikely(chunk == NULL))
        return malloc(sizeof *chunk);
    w->free_results = chunk->next;
    w->free_results_count--;
    return chunk;
}

static inline void chunk_free(edo__results *chunk, edo__worker *w)
{
    if (w != NULL && w->free_results_count < CHUNKS_CACHED) {
        chunk->next = w->free_results;
        w->free_results = chunk;
        w->free_results_count++;
    } else {
        free(chunk);
    }
}

void edo__results_drop_cache(edo__worker *w)
{
    while (w->free_results != NULL) {
        edo__results *chunk = w->free_results;
        w->free_results = chunk->next;
        free(chunk);
    }
}

/* Makes room for one more result; g's lock is held before and after, and not in between. False:
 * there is no memory, and the result is lost to edo_group_next() (not to edo_group_close()). */
static __attribute__((noinline)) bool results_grow(edo_group *g, edo__worker *w)
{
    edo__spin_unlock(&g->edo__lock);
    edo__results *chunk = chunk_alloc(w);
    edo__spin_lock(&g->edo__lock);
    if (chunk == NULL)
        return false;
    if (g->edo__results_last != NULL && g->edo__results_last->put < RESULTS_CHUNK) {
        chunk_free(chunk, w); /* another child was faster */
        return true;
    }
    chunk->next = NULL;
    chunk->put = chunk->taken = 0;
    if (g->edo__results_last != NULL)
        g->edo__results_last->next = chunk;
    else
        g->edo__results = chunk;
    g->edo__results_last = chunk;
    return true;
}

/* Under g's lock: notes t's result; true when t itself is kept for its name. */
static inline bool results_put(edo_group *g, edo__task *t, edo__worker *w)
{
    edo__results *last = g->edo__results_last;
    while (edo__unlikely(last == NULL || last->put == RESULTS_CHUNK)) {
        if (!results_grow(g, w))
            return false;
        last = g->edo__results_last;
    }
    bool kept = (t->flags & EDO__TF_KEPT) != 0;
    bool copied = (t->flags & EDO__TF_COPIED) != 0;
    last->at[last->put++] = (struct result){ .id = edo__task_id(t),
                                             .arg = copied ? NULL : t->arg,
                                             .task = kept ? t : NULL,
                                             .code = t->code };
    return kept;
}

/* Under g's lock: t leaves the live children; true when t is kept for edo_group_next(). */
static inline bool child_leaves(edo_group *g, edo__task *t, edo__worker *w)
{
    bool keep = !g->edo__discard && (t->flags & EDO__TF_UNSEEN) == 0;
    bool kept = keep && results_put(g, t, w);
    if (t->sib_prev != NULL)
        t->sib_prev->sib_next = t->sib_next;
    else
        g->edo__children = t->sib_next;
    if (t->sib_next != NULL)
        t->sib_next->sib_prev = t->sib_prev;
    g->edo__live--;
    if (edo__unlikely(t->code < 0) && g->edo__code == 0 && !edo__child_excused(t))
        g->edo__code = t->code;
    return kept;
}

/* edo_group.edo__owner_wants: whether all children have to end, and what is added to EDO__WAKE_OK to
 * wake the owner: the index of a case in select, else 0. */
#define WANTS_ALL 0x80u

/* Under g's lock, not in an ordered group. Not every child that ends leaves one. */
static inline bool has_result(const edo_group *g)
{
    const edo__results *first = g->edo__results;
    return first != NULL && first->taken != first->put;
}

static inline uint32_t owner_code(const edo_group *g)
{
    return EDO__WAKE_OK + (g->edo__owner_wants & ~WANTS_ALL);
}

/* Under g's lock: claims the owner if what it waits for has come. */
static inline edo__task *claim_owner(edo_group *g, uint32_t *was)
{
    edo__task *owner = g->edo__owner;
    if (owner == NULL ||
        (g->edo__live != 0 && ((g->edo__owner_wants & WANTS_ALL) != 0 || !has_result(g))))
        return NULL;
    g->edo__owner = NULL;
    *was = edo__claim(owner, owner_code(g));
    return owner;
}

/* Under g's lock: claims the first spawner that waits for room. */
static inline edo__task *claim_room(edo_group *g, uint32_t *was)
{
    if (g->edo__live >= g->edo__limit)
        return NULL;
    edo__waitq room = { .head = g->edo__room, .tail = g->edo__room_last };
    edo__task *spawner = NULL;
    edo__waiter *w;
    while (spawner == NULL && (w = edo__waitq_pop(&room)) != NULL) {
        edo__task *t = w->task;
        *was = edo__claim(t, EDO__WAKE_OK);
        if (*was != EDO__WORD_IDLE)
            spawner = t;
    }
    g->edo__room = room.head;
    g->edo__room_last = room.tail;
    return spawner;
}

/* Under g's lock, in a limited or ordered group: what more there is to do when t ends. Adds to
 * *kept and *owner. */
static edo__task *limited_ended(edo_group *g, edo__task *t, bool *kept, edo__task **owner,
                                uint32_t *owner_was, uint32_t *room_was)
{
    if (g->edo__ordered) {
        *kept = edo__ordered_ended(g, t);
        if (g->edo__owner_ordered && edo__ordered_ready(g)) {
            g->edo__owner_ordered = false;
            *owner = g->edo__scope.edo__owner;
            *owner_was = edo__claim(*owner, owner_code(g));
        }
    }
    return claim_room(g, room_was);
}

void edo__group_pass_room(edo_group *g)
{
    uint32_t was = EDO__WORD_IDLE;
    edo__spin_lock(&g->edo__lock);
    edo__task *spawner = claim_room(g, &was);
    edo__spin_unlock(&g->edo__lock);
    if (spawner != NULL)
        edo__claimed(spawner, was);
}

void edo__group_ended(edo__task *t, edo__worker *w)
{
    edo_group *g = t->group;
    edo_runtime *rt = t->rt;
    edo__astore(&t->state, EDO__TASK_ENDED, EDO__REL); /* ordered by the fence below */
    if (edo__unlikely(t->code < 0) && !g->edo__keep_going && !edo__child_excused(t)) {
        edo__spin_lock(&g->edo__lock);
        bool first = g->edo__code == 0;
        if (first)
            g->edo__code = t->code;
        edo__spin_unlock(&g->edo__lock);
        if (first)
            edo__scope_mark(&g->edo__scope, EDO__CANCELLED_CHILD);
    }
    bool root = g == &rt->root;
    uint32_t owner_was = EDO__WORD_IDLE, room_was = EDO__WORD_IDLE;
    edo__spin_lock(&g->edo__lock);
    edo__fence_after_lock(); /* "ended" before the look at join; pairs with edo__join_watch() */
    bool watched = edo__aload(&t->join, EDO__SC) != NULL;
    if (edo__unlikely(watched))
        edo__aadd(&t->refs, 1u, EDO__RLX);
    bool kept = child_leaves(g, t, w);
    edo__task *owner = claim_owner(g, &owner_was);
    edo__task *room = NULL;
    if (edo__unlikely(g->edo__limit != 0))
        room = limited_ended(g, t, &kept, &owner, &owner_was, &room_was);
    bool empty = g->edo__live == 0;
    edo__spin_unlock(&g->edo__lock); /* g may be gone from here on, unless it is the root */

    if (edo__likely(w != NULL))
        edo__count(&w->counters.finished);
    else
        edo__aadd(&rt->outside.finished, 1u, EDO__RLX);
    if (owner_was == EDO__WORD_PARKED)
        edo__schedule_on(w, owner);
    if (edo__unlikely(room != NULL))
        edo__claimed(room, room_was);
    if (edo__unlikely(watched)) {
        edo__join_ended(t);
        edo__task_unref_on(t, w);
    }
    if (!kept)
        edo__task_unref_on(t, w);
    if (edo__unlikely(root && empty))
        edo__runtime_root_empty(rt);
}

/* What the owner waits for. */
typedef enum owner_wait {
    FOR_CLOSE, /* all to end */
    FOR_ALL,   /* the same, and results are still wanted */
    FOR_NEXT,  /* one to end */
    FOR_FIRST, /* in an ordered group: the first in line to end */
} owner_wait;

/* Under g's lock, which is released: waits as the owner. A child that wakes it has released the
 * lock before, or edo__wait_commit() has passed through it. */
static inline uint32_t owner_waits(edo_group *g, edo__task *self, owner_wait what)
{
    if (!edo__wait_begin_as(self, what == FOR_CLOSE ? EDO__CANCEL_NEVER : EDO__CANCEL_OUTER)) {
        edo__spin_unlock(&g->edo__lock);
        return EDO__WAKE_CANCEL;
    }
    if (what == FOR_FIRST)
        g->edo__owner_ordered = true;
    else
        g->edo__owner = self;
    g->edo__owner_wants = what >= FOR_NEXT ? 0 : WANTS_ALL;
    edo__spin_unlock(&g->edo__lock);
    edo__why why = what >= FOR_NEXT ? EDO__WHY_GROUP_NEXT : EDO__WHY_GROUP_CLOSE;
    uint32_t code = edo__wait_commit(self, &g->edo__lock, why, g);
    if (edo__unlikely(code != EDO__WAKE_OK)) {
        edo__spin_lock(&g->edo__lock);
        g->edo__owner = NULL;
        g->edo__owner_ordered = false;
        edo__spin_unlock(&g->edo__lock);
    }
    return code;
}

static void drop_taken(edo_group *g)
{
    if (g->edo__taken != NULL)
        edo__task_unref(g->edo__taken);
    g->edo__taken = NULL;
}

/* Under g's lock: the oldest result. A chunk that is used up is left to the caller to free. */
static bool results_take(edo_group *g, struct result *out, edo__results **used_up)
{
    edo__results *first = g->edo__results;
    if (first == NULL || first->taken == first->put)
        return false;
    *out = first->at[first->taken++];
    if (first->taken == RESULTS_CHUNK) {
        g->edo__results = first->next;
        if (first->next == NULL)
            g->edo__results_last = NULL;
        *used_up = first;
    }
    return true;
}

/* What was taken out under the lock, and what is to be freed without it. */
typedef struct taken {
    struct result r;
    uint64_t key;
    edo__results *used_up;
} taken;

/* Under g's lock. 1: taken; 0: no child is left; -EAGAIN: some are still alive. */
static int take_ordered(edo_group *g, taken *k, edo__child **record)
{
    int rc = edo__ordered_take(g, record);
    if (rc == 1) {
        const edo__child *c = *record;
        k->r = (struct result){ .id = c->id, .arg = c->arg, .task = c->task, .code = c->code };
        k->key = c->key;
    }
    return rc;
}

static int take(edo_group *g, taken *k)
{
    if (results_take(g, &k->r, &k->used_up)) {
        const edo__task *t = k->r.task;
        k->key = t != NULL && t->child != NULL ? t->child->key : 0;
        return 1;
    }
    return g->edo__live == 0 ? 0 : -EAGAIN;
}

/* Takes g's lock, and releases it unless there is something to wait for. */
static int take_locked(edo_group *g, edo__task *self, edo_result *out)
{
    taken k = { .used_up = NULL };
    edo__child *record = NULL;
    edo__spin_lock(&g->edo__lock);
    int rc = g->edo__ordered ? take_ordered(g, &k, &record) : take(g, &k);
    if (rc == -EAGAIN)
        return rc;
    edo__spin_unlock(&g->edo__lock);
    if (k.used_up != NULL)
        chunk_free(k.used_up, self->worker);
    free(record);
    if (rc == 1) {
        g->edo__taken = k.r.task;
        *out = (edo_result){ .id = k.r.id,
                             .name = k.r.task != NULL ? k.r.task->name : "",
                             .code = k.r.code,
                             .arg = k.r.arg,
                             .key = k.key };
    }
    return rc;
}

/* The calling task, which opened g and has nothing open inside. */
static edo__task *owner_of(const edo_group *g)
{
    edo__task *self = g->edo__scope.edo__owner;
    edo_debug_assert(self == edo__self());
    edo_assert(self->scope == &g->edo__scope);
    return self;
}

static bool cancelled_around(const edo_group *g, const edo__task *self)
{
    const edo_scope *outer = g->edo__scope.edo__parent;
    return outer != NULL && edo__scope_cancelled(self, outer);
}

int edo_group_next(edo_group *g, edo_result *out)
{
    edo__task *self = owner_of(g);
    drop_taken(g);
    for (;;) {
        if (cancelled_around(g, self))
            return -ECANCELED;
        int rc = take_locked(g, self, out);
        if (rc != -EAGAIN)
            return rc;
        if (owner_waits(g, self, g->edo__ordered ? FOR_FIRST : FOR_NEXT) != EDO__WAKE_OK)
            return -ECANCELED;
    }
}

int edo_group_next_nowait(edo_group *g, edo_result *out)
{
    drop_taken(g);
    return edo__group_try_next(g, out);
}

int edo__group_try_next(edo_group *g, edo_result *out)
{
    edo__task *self = g->edo__scope.edo__owner, *before = g->edo__taken;
    edo_debug_assert(self == edo__self());
    int rc = take_locked(g, self, out);
    if (rc == -EAGAIN)
        edo__spin_unlock(&g->edo__lock);
    if (rc == 1 && before != NULL)
        edo__task_unref(before);
    return rc;
}

/* Under g's lock: whether edo_group_next() would not have to wait. */
static bool has_next(const edo_group *g)
{
    return g->edo__ordered ? edo__ordered_ready(g) : g->edo__live == 0 || has_result(g);
}

bool edo__group_watch_next(edo_group *g, const edo__waiter *w)
{
    edo__spin_lock(&g->edo__lock);
    bool ready = has_next(g);
    if (!ready) {
        if (g->edo__ordered)
            g->edo__owner_ordered = true;
        else
            g->edo__owner = w->task;
        g->edo__owner_wants = (uint8_t)(w->code - EDO__WAKE_OK);
    }
    edo__spin_unlock(&g->edo__lock);
    return ready;
}

void edo__group_unwatch_next(edo_group *g)
{
    edo__spin_lock(&g->edo__lock);
    g->edo__owner = NULL;
    g->edo__owner_ordered = false;
    edo__spin_unlock(&g->edo__lock);
}

int edo_group_wait(edo_group *g)
{
    edo__task *self = owner_of(g);
    if (cancelled_around(g, self))
        return -ECANCELED;
    edo__spin_lock(&g->edo__lock);
    if (g->edo__live == 0) {
        edo__spin_unlock(&g->edo__lock);
        return 0;
    }
    return owner_waits(g, self, FOR_ALL) == EDO__WAKE_OK ? 0 : -ECANCELED;
}

size_t edo_group_len(edo_group *g)
{
    edo__spin_lock(&g->edo__lock);
    size_t live = g->edo__live;
    edo__spin_unlock(&g->edo__lock);
    return live;
}

/* No child is left to add any. A million results take a while: others get their turn in between. */
static void drop_results(edo_group *g, edo__task *self)
{
    drop_taken(g);
    if (g->edo__ordered)
        edo__ordered_drop(g);
    while (g->edo__results != NULL) {
        edo__results *chunk = g->edo__results;
        for (uint32_t i = chunk->taken; i < chunk->put; i++) {
            if (chunk->at[i].task != NULL)
                edo__task_unref(chunk->at[i].task);
        }
        g->edo__results = chunk->next;
        chunk_free(chunk, self->worker);
        edo__coop(self);
    }
    g->edo__results_last = NULL;
}

int edo_group_close(edo_group *g)
{
    edo__task *self = g->edo__scope.edo__owner;
    edo_debug_assert(self == edo__self());
    edo_assert(self->scope == &g->edo__scope &&
               "groups close in the reverse order of opening, in their task");
    edo__spin_lock(&g->edo__lock);
    g->edo__discard = true; /* nobody will ask any more */
    if (g->edo__live == 0)
        edo__spin_unlock(&g->edo__lock);
    else
        (void)owner_waits(g, self, FOR_CLOSE); /* no cancel ends this wait */
    int rc = g->edo__code;
    if (edo__unlikely(g->edo__results != NULL || g->edo__taken != NULL))
        drop_results(g, self);
    edo__scope_leave(self, &g->edo__scope);
    return rc;
}
