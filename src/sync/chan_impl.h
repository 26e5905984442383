/* SPDX-License-Identifier: MIT */
/* The channel, for chan*.c.
 *
 * Who wants to send and cannot is on one queue, `senders`, in the order of coming: senders (n is 0)
 * and reservers, who want n slots to fill later. Under the lock, between operations:
 * - live receivers wait only when no value is inside and no live sender waits;
 * - the first live one of `senders` waits only when there is not enough room for it (never on an
 *   unbounded channel); those behind it wait for their turn;
 * - count + reserved <= capacity;
 * - when it is closed nobody waits but receivers, and they only while permits are out.
 * Live: not claimed by anything else. The exception is one select with both a receiving and a
 * sending case on the channel: its two waiters do not match each other. */
#ifndef EDO_SYNC_CHAN_IMPL_H
#define EDO_SYNC_CHAN_IMPL_H

#include "base/cpu.h"
#include "sync/cases.h"
#include "sync/chan_store.h"

#include <stdlib.h>

#define EDO__USERS_MAX 4
#define EDO__USER_NONE (1u << 26) /* no task's: slots count from 1 */

/* Who uses one side of a channel, for dumps: the low halves of tasks' ids (a slot of a runtime, see
 * task_arena.c; 0: a foreign thread). Never forgets anybody, so once it overflows it says nothing
 * more. Whoever came last is in the state of the side's queue, to be compared at every use. */
typedef struct edo__users {
    uint32_t n; /* EDO__USERS_MAX + 1: too many */
    uint32_t who[EDO__USERS_MAX];
} edo__users;

struct edo_chan {
    uint32_t lock; /* over everything but refs; those inside the queues are not used */
    uint8_t closed;
    edo__waitq receivers;
    edo__waitq senders;
    edo__store store;   /* its count is still on the first line */
    size_t reserved;    /* slots that permits hold */
    size_t reservers;   /* how many are on `senders` */
    size_t n_senders;   /* references of senders and of receivers: see edo_chan_sender_ref() */
    size_t n_receivers; /* ... */
    edo__waitq closers; /* who waits until it is closed */
    uint32_t refs;      /* atomic */
    edo__users sent_by, received_by;
    unsigned char ring[] __attribute__((aligned(EDO__CACHE_LINE)));
};

/* What is left to do when the lock has been released. */
typedef struct edo__chan_after {
    edo__task *wake; /* parked and claimed: the first such ... */
    edo__wakes more; /* ... and the rest */
    edo__block *drop;
} edo__chan_after;

void edo__users_add(edo__users *u, uint32_t who);
/* Under the lock: self is one of those who send (or receive); NULL for a foreign thread. */
static inline void edo__chan_used_by(edo__waitq *side, edo__users *u, const edo__task *self)
{
    uint32_t who = edo__likely(self != NULL) ? (uint32_t)self->id : 0;
    if (edo__unlikely(side->state != who)) {
        side->state = who;
        edo__users_add(u, who);
    }
}

/* Under the lock. 0, -EAGAIN, -EPIPE. */
int edo__chan_take(edo_chan *c, void *value, edo__chan_after *a);
int edo__chan_give(edo_chan *c, const void *value, edo__chan_after *a);
/* Under the lock: for a value whose slot is reserved by a permit. */
void edo__chan_pass(edo_chan *c, const void *value, edo__chan_after *a);
/* Under the lock: -EAGAIN, -EPIPE, or 0 and n slots are reserved. */
int edo__chan_book(edo_chan *c, size_t n, const edo__task *self, edo__chan_after *a);
/* Under the lock: room may have appeared, the first in line go on. */
void edo__chan_admit(edo_chan *c, edo__chan_after *a);
/* Under the lock: closes it. */
void edo__chan_close_now(edo_chan *c, edo__chan_after *a);
/* Holding the lock of an unbounded channel without room: releases it, allocates, takes it again. 0
 * (look again) or -ENOMEM, with the lock held in both cases. */
int edo__chan_make_room(edo_chan *c);
/* A waiter of `senders` that gives up, if it is still there. Takes the lock. */
void edo__chan_leave_line(edo_chan *c, edo__waiter *w);

/* After every change of `reserved` and `reservers`. Who comes along may use a free slot only if
 * nobody waits for it: the limit is 0 while a reserver does. (A sender never waits while there is
 * room, unless behind a reserver.) */
static inline void edo__chan_set_limit(edo_chan *c)
{
    c->store.limit = c->reservers == 0 ? c->store.cap - c->reserved : 0;
}

static inline void edo__chan_line_up(edo_chan *c, edo__waiter *w)
{
    edo__waitq_push(&c->senders, w);
    if (w->n != 0) {
        c->reservers++;
        edo__chan_set_limit(c);
    }
}

/* Removes one that is on `senders`. */
static inline void edo__chan_unline(edo_chan *c, edo__waiter *w)
{
    edo__waitq_remove(&c->senders, w);
    if (edo__unlikely(w->n != 0)) {
        c->reservers--;
        edo__chan_set_limit(c);
    }
}

/* w was claimed when its word was `was`. */
static inline void edo__chan_woken(edo__chan_after *a, edo__waiter *w, uint32_t was)
{
    if (was != EDO__WORD_PARKED)
        return;
    if (edo__likely(a->wake == NULL))
        a->wake = w->task;
    else
        edo__wakes_add(&a->more, w);
}

/* self: the caller, NULL when it was not asked for. */
static inline void edo__chan_finish(const edo__chan_after *a, edo__task *self)
{
    if (a->wake != NULL && self != NULL)
        edo__schedule_by(self, a->wake);
    else if (a->wake != NULL)
        edo__schedule_parked(a->wake);
    if (edo__unlikely(a->more.first != NULL))
        edo__wakes_run(&a->more);
    edo__block *next;
    for (edo__block *b = a->drop; edo__unlikely(b != NULL); b = next) {
        next = b->next;
        free(b);
    }
}

/* Holding the lock: makes those runnable that were claimed, before the caller itself waits. */
static inline void edo__chan_pause(edo_chan *c, edo__chan_after *a, edo__task *self)
{
    edo__spin_unlock(&c->lock);
    edo__chan_finish(a, self);
    *a = (edo__chan_after){ 0 };
    edo__spin_lock(&c->lock);
}

#endif
