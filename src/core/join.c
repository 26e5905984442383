/* SPDX-License-Identifier: MIT */
/* Waiting for a task by its id. The list of waiters hangs on the task, under its lock; the id's generation
 * is compared under the same lock, so a slot that was reused is never mistaken for the old task. */
#include "core/join.h"

#include "core/sched.h"

int edo__join_watch(uint64_t id, edo__waiter *w, int *code)
{
    edo_runtime *rt = w->task->rt;
    edo__task *t = rt != NULL ? edo__task_find(rt, id) : NULL;
    *code = -ESRCH;
    w->queued = false;
    if (t == NULL)
        return 1;
    edo__spin_lock(&t->lock);
    uint8_t state = edo__aload(&t->state, EDO__RLX);
    int done = 1;
    if (edo__aload(&t->generation, EDO__ACQ) != id >> 32 || state == EDO__TASK_FREE) {
        /* it is gone, and its slot free or another task's */
    } else if (state == EDO__TASK_ENDED) {
        *code = t->code;
    } else {
        w->next = t->join;
        w->prev = NULL;
        if (w->next != NULL)
            w->next->prev = w;
        t->join = w;
        w->queued = true;
        done = 0;
    }
    edo__spin_unlock(&t->lock);
    return done;
}

void edo__join_unwatch(uint64_t id, edo__waiter *w)
{
    edo_runtime *rt = w->task->rt;
    edo__task *t = rt != NULL ? edo__task_find(rt, id) : NULL;
    if (t == NULL)
        return;
    edo__spin_lock(&t->lock);
    if (w->queued) {
        if (w->prev != NULL)
            w->prev->next = w->next;
        else
            t->join = w->next;
        if (w->next != NULL)
            w->next->prev = w->prev;
        w->queued = false;
    }
    edo__spin_unlock(&t->lock);
}

void edo__join_ended(edo__task *t)
{
    for (;;) {
        edo__spin_lock(&t->lock);
        edo__astore(&t->state, EDO__TASK_ENDED, EDO__RLX);
        edo__waiter *w = t->join;
        if (w == NULL) {
            edo__spin_unlock(&t->lock);
            return;
        }
        t->join = w->next;
        if (w->next != NULL)
            w->next->prev = NULL;
        w->queued = false;
        w->result = t->code;
        edo__task *waiting = w->task; /* w is gone once it runs */
        uint32_t was = edo__claim(waiting, w->code);
        edo__spin_unlock(&t->lock);
        edo__claimed(waiting, was);
    }
}
