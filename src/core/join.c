/* SPDX-License-Identifier: MIT */
/* Waiting for a task by its id. The list of waiters hangs on the task, under its lock; the id
 * is compared under the same lock, so a slot that was reused is never mistaken for the old task.
 *
 * An ending task, which nearly never has a watcher, does not take its lock for it: it writes
 * "ended", then looks at the list; a watcher writes the list, then looks for "ended"; full fences
 * between make sure that at least one of them sees the other. */
#include "core/join.h"

#include "core/sched.h"

static void unlink_watcher(edo__task *t, edo__waiter *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        edo__astore(&t->join, w->next, EDO__RLX);
    if (w->next != NULL)
        w->next->prev = w->prev;
    w->queued = false;
}

/* Under t's lock: what is left of the task with this id. The slot may be given back and used again
 * meanwhile, which that lock does not prevent: the code is that of the task if the id, read after
 * it, is still the same. */
static bool has_ended(const edo__task *t, uint64_t id, int *code)
{
    uint8_t state = edo__aload(&t->state, EDO__SC);
    int result = edo__aload(&t->code, EDO__ACQ); /* pairs with its store where the task ends */
    bool same = edo__aload(&t->id, EDO__ACQ) == id;
    if (same && state != EDO__TASK_ENDED && state != EDO__TASK_FREE)
        return false;
    *code = same && state == EDO__TASK_ENDED ? result : -ESRCH;
    return true;
}

int edo__join_watch(uint64_t id, edo__waiter *w, int *code)
{
    edo_runtime *rt = w->task->rt;
    edo__task *t = rt != NULL ? edo__task_find(rt, id) : NULL;
    *code = -ESRCH;
    w->queued = false;
    if (t == NULL)
        return 1;
    edo__spin_lock(&t->lock);
    bool ended = has_ended(t, id, code);
    if (!ended) {
        w->next = edo__aload(&t->join, EDO__RLX);
        w->prev = NULL;
        if (w->next != NULL)
            w->next->prev = w;
        w->queued = true;
        edo__astore(&t->join, w, EDO__SC);
        edo__afence(EDO__SC); /* pairs with edo__group_ended() */
        ended = has_ended(t, id, code);
        if (ended)
            unlink_watcher(t, w);
    }
    edo__spin_unlock(&t->lock);
    return ended;
}

void edo__join_unwatch(uint64_t id, edo__waiter *w)
{
    edo_runtime *rt = w->task->rt;
    edo__task *t = rt != NULL ? edo__task_find(rt, id) : NULL;
    if (t == NULL)
        return;
    edo__spin_lock(&t->lock);
    if (w->queued)
        unlink_watcher(t, w);
    edo__spin_unlock(&t->lock);
}

void edo__join_ended(edo__task *t)
{
    for (;;) {
        edo__spin_lock(&t->lock);
        edo__waiter *w = edo__aload(&t->join, EDO__RLX);
        if (w == NULL) {
            edo__spin_unlock(&t->lock);
            return;
        }
        unlink_watcher(t, w);
        w->result = t->code;
        edo__task *waiting = w->task; /* w is gone once it runs */
        uint32_t was = edo__claim(waiting, w->code);
        edo__spin_unlock(&t->lock);
        edo__claimed(waiting, was);
    }
}
