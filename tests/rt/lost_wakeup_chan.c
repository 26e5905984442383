/* SPDX-License-Identifier: MIT */
/* No wake-up is lost by channels, published values, the delay queue and select: see lost_wakeup.h. */
#include "lost_wakeup.h"

/* ---- channels ---- */

static void chan_open(race *r, size_t capacity)
{
    CHECK_OK(edo_chan_create(&r->chan[0], sizeof r->value, capacity));
}

static void chan_init(race *r)
{
    chan_open(r, EDO_UNBOUNDED);
}

static void chan_init_1(race *r)
{
    chan_open(r, 1);
}

static void chan_init_0(race *r)
{
    chan_open(r, 0);
}

static void chan_deinit(race *r)
{
    edo_chan_unref(r->chan[0]);
}

static int recv_wait(race *r)
{
    return edo_chan_recv(r->chan[0], &r->value);
}

static void recv_wake(race *r)
{
    CHECK_OK(edo_chan_send(r->chan[0], &r->slot));
}

static int recv_many_wait(race *r)
{
    unsigned values[4];
    int rc = edo_chan_recv_many(r->chan[0], values, 4);
    return rc > 0 ? 0 : rc;
}

static void chan_fill(race *r)
{
    CHECK_OK(edo_chan_send_nowait(r->chan[0], &r->slot));
}

static int send_wait(race *r)
{
    return edo_chan_send(r->chan[0], &r->value);
}

static int send_many_wait(race *r)
{
    int rc = edo_chan_send_many(r->chan[0], &r->value, 1);
    return rc > 0 ? 0 : rc;
}

static void send_wake(race *r)
{
    CHECK_OK(edo_chan_recv(r->chan[0], &r->slot));
}

static void chan_empty(race *r)
{
    CHECK_OK(edo_chan_recv_nowait(r->chan[0], &r->slot));
}

static void reserve_prepare(race *r)
{
    CHECK_OK(edo_chan_reserve(r->chan[0], &r->mine));
}

static int reserve_wait(race *r)
{
    return edo_chan_reserve(r->chan[0], &r->permit);
}

static void reserve_wake(race *r)
{
    edo_permit_release(&r->mine);
}

static void reserve_after(race *r)
{
    edo_permit_release(&r->permit);
}

/* The value of a permit wakes a receiver. */
static void permit_send(race *r)
{
    edo_permit_send(&r->mine, &r->slot);
}

static int closed_wait(race *r)
{
    return edo_chan_wait_closed(r->chan[0]);
}

static int recv_wait_closed(race *r)
{
    int rc = edo_chan_recv(r->chan[0], &r->value);
    return rc == -EPIPE ? 0 : rc;
}

static int send_wait_closed(race *r)
{
    int rc = edo_chan_send(r->chan[0], &r->value);
    return rc == -EPIPE ? 0 : rc;
}

static void chan_close(race *r)
{
    edo_chan_close(r->chan[0]);
}

static void delays_init(race *r)
{
    edo_delayqueue_init(&r->on.delays);
}

static void delays_deinit(race *r)
{
    edo_delayqueue_deinit(&r->on.delays);
}

static int delays_wait(race *r)
{
    edo_delay d;
    return edo_delayqueue_next(&r->on.delays, &d);
}

static int delays_select(race *r)
{
    edo_delay d;
    edo_case cases[] = { EDO_DELAYQUEUE_NEXT(&r->on.delays, &d), EDO_EVENT(&r->event) };
    int i = edo_select(cases, 2); /* the event is never set */
    return i < 0 ? i : cases[i].result;
}

static void delays_wake(race *r)
{
    int64_t after = (int64_t)(test_rand(&r->wake_seed) % 8) * 3000;
    CHECK_OK(edo_delayqueue_insert(&r->on.delays, after, NULL, NULL));
}

static void broadcast_init(race *r)
{
    CHECK_OK(edo_broadcast_create(&r->on.broadcast, sizeof r->value, 2));
    edo_broadcast_subscribe(r->on.broadcast, &r->broadcast);
}

static void broadcast_deinit(race *r)
{
    edo_broadcast_unsubscribe(&r->broadcast);
    edo_broadcast_unref(r->on.broadcast);
}

static int broadcast_wait(race *r)
{
    return edo_broadcast_recv(&r->broadcast, &r->value);
}

static void broadcast_wake(race *r)
{
    CHECK_INT(edo_broadcast_send(r->on.broadcast, &r->slot), ==, 1);
}

static void watch_init(race *r)
{
    CHECK_OK(edo_watch_create(&r->on.watch, sizeof r->value, NULL));
    edo_watch_subscribe(r->on.watch, &r->watch);
}

static void watch_deinit(race *r)
{
    edo_watch_unsubscribe(&r->watch);
    edo_watch_unref(r->on.watch);
}

static int watch_wait(race *r)
{
    return edo_watch_changed(&r->watch);
}

static void watch_after(race *r)
{
    (void)edo_watch_read(&r->watch, &r->value);
}

static void watch_wake(race *r)
{
    CHECK_OK(edo_watch_send(r->on.watch, &r->slot));
}

/* ---- select: several sources are made ready, each must come through once ---- */

static void sources_init(race *r)
{
    chan_open(r, EDO_UNBOUNDED);
    edo_sem_init(&r->sem, 0);
    edo_event_init(&r->event, EDO_EVENT_AUTO);
    edo_notify_init(&r->notify);
}

static void sources_prepare(race *r)
{
    r->got = 0;
    r->wanted = 1 + (unsigned)(test_rand(&r->wake_seed) % ((1u << SOURCES) - 1));
}

static int sources_wait(race *r)
{
    while (r->got != r->wanted) {
        edo_case cases[SOURCES] = { EDO_RECV(r->chan[0], &r->value), EDO_ACQUIRE(&r->sem, 1),
                                    EDO_EVENT(&r->event), EDO_NOTIFIED(&r->notify) };
        int i = test_rand(&r->wait_seed) % 2 == 0 ? edo_select(cases, SOURCES)
                                                  : edo_select_biased(cases, SOURCES);
        if (i < 0)
            return i;
        CHECK_UINT(r->got & (1u << i), ==, 0);
        CHECK_UINT(r->wanted & (1u << i), !=, 0);
        r->got |= 1u << i;
    }
    return 0;
}

static void source_wake(race *r, unsigned i)
{
    switch (i) {
    case 0: CHECK_OK(edo_chan_send(r->chan[0], &r->slot)); break;
    case 1: edo_sem_release(&r->sem, 1); break;
    case 2: edo_event_set(&r->event); break;
    default: edo_notify_one(&r->notify); break;
    }
}

static void sources_wake(race *r)
{
    unsigned wanted = r->wanted, first = (unsigned)(test_rand(&r->wake_seed) % SOURCES);
    for (unsigned k = 0; k < SOURCES; k++) {
        unsigned i = (first + k) % SOURCES;
        if ((wanted & (1u << i)) == 0)
            continue;
        source_wake(r, i);
        distance(&r->wake_seed);
    }
}

/* Two selects meet in a rendezvous, on one of two channels. */
static void meet_init(race *r)
{
    for (int i = 0; i < 2; i++)
        CHECK_OK(edo_chan_create(&r->chan[i], sizeof r->value, 0));
}

static void meet_deinit(race *r)
{
    for (int i = 0; i < 2; i++)
        edo_chan_unref(r->chan[i]);
}

static int meet_wait(race *r)
{
    edo_case cases[] = { EDO_RECV(r->chan[0], &r->value), EDO_RECV(r->chan[1], &r->value) };
    int i = edo_select(cases, 2);
    return i < 0 ? i : cases[i].result;
}

static void meet_wake(race *r)
{
    edo_case cases[] = { EDO_SEND(r->chan[1], &r->slot), EDO_SEND(r->chan[0], &r->slot) };
    int i = edo_select(cases, 2);
    CHECK_INT(i, >=, 0);
    CHECK_INT(cases[i].result, ==, 0);
}

static const race_kind kinds[] = {
    RACE("recv", recv_wait, recv_wake, .init = chan_init, .deinit = chan_deinit),
    RACE("recv, one slot", recv_wait, recv_wake, .init = chan_init_1, .deinit = chan_deinit),
    RACE("recv, rendezvous", recv_wait, recv_wake, .init = chan_init_0, .deinit = chan_deinit),
    RACE("recv_many", recv_many_wait, recv_wake, .init = chan_init, .deinit = chan_deinit),
    RACE("send", send_wait, send_wake, .init = chan_init_1, .deinit = chan_deinit,
         .prepare = chan_fill, .finish = chan_empty),
    RACE("send, rendezvous", send_wait, send_wake, .init = chan_init_0, .deinit = chan_deinit),
    RACE("send_many", send_many_wait, send_wake, .init = chan_init_1, .deinit = chan_deinit,
         .prepare = chan_fill, .finish = chan_empty),
    RACE("reserve", reserve_wait, reserve_wake, .init = chan_init_1, .deinit = chan_deinit,
         .prepare = reserve_prepare, .after = reserve_after),
    RACE("reserve, by a receive", reserve_wait, send_wake, .init = chan_init_1,
         .deinit = chan_deinit, .prepare = chan_fill, .after = reserve_after),
    RACE("recv, by a permit", recv_wait, permit_send, .init = chan_init_1, .deinit = chan_deinit,
         .prepare = reserve_prepare),
    RACE("wait_closed", closed_wait, chan_close, .prepare = chan_init, .finish = chan_deinit),
    RACE("recv, closed", recv_wait_closed, chan_close, .prepare = chan_init, .finish = chan_deinit),
    RACE("send, closed", send_wait_closed, chan_close, .prepare = chan_init_0,
         .finish = chan_deinit),
    RACE("delayqueue", delays_wait, delays_wake, .init = delays_init, .deinit = delays_deinit),
    RACE("delayqueue in select", delays_select, delays_wake, .init = delays_init,
         .deinit = delays_deinit),
    RACE("broadcast", broadcast_wait, broadcast_wake, .init = broadcast_init,
         .deinit = broadcast_deinit),
    RACE("watch", watch_wait, watch_wake, .init = watch_init, .deinit = watch_deinit,
         .after = watch_after),
    RACE("select of sources", sources_wait, sources_wake, .init = sources_init,
         .deinit = chan_deinit, .prepare = sources_prepare),
    RACE("selects meet", meet_wait, meet_wake, .init = meet_init, .deinit = meet_deinit),
};

RACES_OF(kinds)
TEST_MAIN()
