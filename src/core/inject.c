/* SPDX-License-Identifier: MIT */
/* The inject queue: tasks from outside and what overflows a worker's ring. A list under a spin
 * lock; its length can be read without, so that workers that find it empty do not touch the
 * lock. */
#include "core/sched.h"

void edo__inject_push(edo__inject *q, edo__task *first, edo__task *last, uint32_t n)
{
    last->next = NULL;
    edo__spin_lock(&q->lock);
    if (q->tail != NULL)
        q->tail->next = first;
    else
        q->head = first;
    q->tail = last;
    edo__astore(&q->len, q->len + n, EDO__REL);
    edo__spin_unlock(&q->lock);
}

edo__task *edo__inject_pop(edo__inject *q, uint32_t max, uint32_t *got)
{
    *got = 0;
    if (edo__aload(&q->len, EDO__ACQ) == 0)
        return NULL;
    edo__spin_lock(&q->lock);
    edo__task *first = q->head;
    edo__task *last = NULL;
    uint32_t n = 0;
    for (edo__task *t = first; t != NULL && n < max; t = t->next) {
        last = t;
        n++;
    }
    if (last != NULL) {
        q->head = last->next;
        last->next = NULL;
        if (q->head == NULL)
            q->tail = NULL;
        edo__astore(&q->len, q->len - n, EDO__REL);
    }
    edo__spin_unlock(&q->lock);
    *got = n;
    return first;
}
