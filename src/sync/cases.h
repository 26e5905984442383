/* SPDX-License-Identifier: MIT */
/* The parts of a primitive that select needs: arming a waiter of a select that has begun to wait.
 *
 * arm: looks once more under the object's lock. If the case can happen now and nothing else has
 * claimed the select yet, it happens: the select's own word becomes w->code and w->result is set.
 * Otherwise w is queued. disarm: w is in no queue any more, and whoever was handing something over
 * is done. look, where there is one: the select was called, see edo__wait_call(); as arm for one that
 * stays queued where it is. */
#ifndef EDO_SYNC_CASES_H
#define EDO_SYNC_CASES_H

#include "core/wait.h"

#include <edo/broadcast.h>
#include <edo/chan.h>
#include <edo/delayqueue.h>
#include <edo/select.h>
#include <edo/watch.h>

enum {
    EDO__ARMED = 0,   /* queued                                                     */
    EDO__DECIDED = 1, /* not queued: the select is claimed, by this case or another */
};

/* What a dump reads of a select that waits. */
typedef struct edo__select_view {
    const edo_case *cases;
    size_t n;
    int64_t at; /* when it ends by itself; EDO_FOREVER: never */
} edo__select_view;

int edo__event_arm(edo_event *e, edo__waiter *w);
void edo__event_disarm(edo_event *e, edo__waiter *w);
int edo__notify_arm(edo_notify *n, edo__waiter *w);
void edo__notify_disarm(edo_notify *n, edo__waiter *w);
/* w->value: where to receive to, or what to send. */
int edo__chan_arm_recv(edo_chan *c, edo__waiter *w);
int edo__chan_arm_send(edo_chan *c, edo__waiter *w);
/* -ENOTSUP when it has no slots to reserve. */
int edo__chan_reservable(const edo_chan *c);
/* The winner holds a slot. */
int edo__chan_arm_reserve(edo_chan *c, edo__waiter *w);
int edo__chan_arm_closed(edo_chan *c, edo__waiter *w);
void edo__chan_disarm_closed(edo_chan *c, edo__waiter *w);
void edo__chan_disarm_recv(edo_chan *c, edo__waiter *w);
void edo__chan_disarm_send(edo_chan *c, edo__waiter *w);
int edo__oneshot_arm(edo_oneshot *o, edo__waiter *w);
void edo__oneshot_disarm(edo_oneshot *o, edo__waiter *w);
/* The winner holds it. */
int edo__mutex_arm(edo_mutex *m, edo__waiter *w);
void edo__mutex_disarm(edo_mutex *m, edo__waiter *w);
/* The winner has w->n permits. */
int edo__sem_arm(edo_sem *s, edo__waiter *w);
void edo__sem_disarm(edo_sem *s, edo__waiter *w);
/* The winner takes the value afterwards, with edo_broadcast_recv_nowait(). */
int edo__broadcast_arm(edo_broadcast_rx *rx, edo__waiter *w);
void edo__broadcast_disarm(edo_broadcast_rx *rx, edo__waiter *w);
/* w->n: when it has to look again, EDO_FOREVER for never. */
int edo__delayqueue_arm(edo_delayqueue *q, edo__waiter *w);
int edo__delayqueue_look(edo_delayqueue *q, edo__waiter *w);
void edo__delayqueue_disarm(edo_delayqueue *q, edo__waiter *w);
int edo__watch_arm(edo_watch_rx *rx, edo__waiter *w);
void edo__watch_disarm(edo_watch_rx *rx, edo__waiter *w);

#endif
