/* SPDX-License-Identifier: MIT */
/* The channel, for chan.c and chan_select.c.
 *
 * Under the lock, between operations:
 * - live receivers wait only when no value is inside and no live sender waits;
 * - live senders wait only when there is no room (never on an unbounded channel);
 * - nobody waits when it is closed.
 * Live: not claimed by anything else. The exception is one select with both a receiving and a
 * sending case on the channel: its two waiters do not match each other. */
#ifndef EDO_SYNC_CHAN_IMPL_H
#define EDO_SYNC_CHAN_IMPL_H

#include "base/cpu.h"
#include "sync/cases.h"
#include "sync/chan_store.h"

#include <stdlib.h>

struct edo_chan {
    uint32_t lock; /* over everything but refs; those inside the queues are not used */
    uint32_t closed;
    edo__waitq receivers;
    edo__waitq senders;
    edo__store store; /* its count is still on the first line */
    uint32_t refs;    /* atomic */
    unsigned char ring[] __attribute__((aligned(EDO__CACHE_LINE)));
};

/* What is left to do when the lock has been released. */
typedef struct edo__chan_after {
    edo__task *wake; /* parked and claimed */
    edo__block *drop;
} edo__chan_after;

/* Under the lock. 0, -EAGAIN, -EPIPE. */
int edo__chan_take(edo_chan *c, void *value, edo__chan_after *a);
int edo__chan_give(edo_chan *c, const void *value, edo__chan_after *a);
/* Holding the lock of an unbounded channel without room: releases it, allocates, takes it again. 0
 * (look again) or -ENOMEM, with the lock held in both cases. */
int edo__chan_make_room(edo_chan *c);

/* self: the caller, NULL when it was not asked for. */
static inline void edo__chan_finish(const edo__chan_after *a, edo__task *self)
{
    if (a->wake != NULL && self != NULL)
        edo__schedule_by(self, a->wake);
    else if (a->wake != NULL)
        edo__schedule_parked(a->wake);
    if (edo__unlikely(a->drop != NULL))
        free(a->drop);
}

#endif
