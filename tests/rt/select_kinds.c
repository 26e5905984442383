/* SPDX-License-Identifier: MIT */
/* Select over locks, permits, oneshots, broadcasts, watches, instants; biased selects. Jobs are in
 * select_jobs.c, a storm over everything in select_mix.c. */
#include "storm.h"

#include <stdlib.h>

/* Everything that can be waited for, and one case for each. */
enum { LOCK, ACQUIRE, RESERVE, CLOSED, ONESHOT, BROADCAST, CHANGED, AT, KINDS };

typedef struct world {
    edo_mutex mutex;
    edo_sem sem;
    edo_chan *chan;   /* its one slot is taken when nothing is ready */
    edo_chan *closes; /* waited for to be closed */
    edo_oneshot oneshot;
    edo_broadcast *broadcast;
    edo_watch *watch;
    edo_broadcast_rx heard;
    edo_watch_rx seen;
    edo_permit held, got;
    int slot, once, value; /* the oneshot's slot; what is received */
    edo_case cases[KINDS];
    int which;
    edo_notify step; /* the two tasks of a test tell each other to go on */
} world;

/* Nothing is ready. */
static world *world_new(void)
{
    world *w = calloc(1, sizeof *w);
    edo_mutex_init(&w->mutex);
    edo_sem_init(&w->sem, 1); /* two are wanted */
    CHECK_OK(edo_chan_create(&w->chan, sizeof(int), 1));
    CHECK_OK(edo_chan_create(&w->closes, sizeof(int), 1));
    CHECK_OK(edo_chan_reserve_nowait(w->chan, &w->held));
    edo_oneshot_init(&w->oneshot, &w->slot, sizeof w->slot);
    CHECK_OK(edo_broadcast_create(&w->broadcast, sizeof(int), 2));
    CHECK_OK(edo_watch_create(&w->watch, sizeof(int), NULL));
    edo_broadcast_subscribe(w->broadcast, &w->heard);
    edo_watch_subscribe(w->watch, &w->seen);
    const edo_case cases[KINDS] = {
        EDO_LOCK(&w->mutex),
        EDO_ACQUIRE(&w->sem, 2),
        EDO_RESERVE(w->chan, &w->got),
        EDO_CHAN_CLOSED(w->closes),
        EDO_ONESHOT(&w->oneshot, &w->once),
        EDO_BROADCAST(&w->heard, &w->value),
        EDO_CHANGED(&w->seen),
        EDO_AT(EDO_FOREVER),
    };
    memcpy(w->cases, cases, sizeof cases);
    return w;
}

static void make_ready(world *w, int which)
{
    int v = 100 + which;
    switch (which) {
    case LOCK: edo_mutex_unlock(&w->mutex); break; /* by its holder */
    case ACQUIRE: edo_sem_release(&w->sem, 1); break;
    case RESERVE: edo_permit_release(&w->held); break;
    case CLOSED: edo_chan_close(w->closes); break;
    case ONESHOT: CHECK_OK(edo_oneshot_send(&w->oneshot, &v)); break;
    case BROADCAST: CHECK_INT(edo_broadcast_send(w->broadcast, &v), ==, 1); break;
    case CHANGED: CHECK_OK(edo_watch_send(w->watch, &v)); break;
    default: break;
    }
}

/* Looks at each object: what was won is held, what was lost is as it was. */
static void check_world(world *w, int won)
{
    int v = -1;
    if (won == LOCK)
        edo_mutex_unlock(&w->mutex);
    CHECK_UINT(edo_sem_permits(&w->sem), ==, won == ACQUIRE ? 0 : 1);
    CHECK_UINT(edo_permit_left(&w->got), ==, won == RESERVE ? 1 : 0);
    CHECK_UINT(edo_permit_left(&w->held), ==, won == RESERVE ? 0 : 1);
    CHECK_INT(edo_chan_closed(w->closes), ==, won == CLOSED);
    CHECK_INT(edo_oneshot_recv_nowait(&w->oneshot, &v), ==, won == ONESHOT ? -EPIPE : -EAGAIN);
    CHECK_INT(w->once, ==, won == ONESHOT ? 100 + ONESHOT : 0);
    CHECK_INT(edo_broadcast_recv_nowait(&w->heard, &v), ==, -EAGAIN);
    CHECK_INT(w->value, ==, won == BROADCAST ? 100 + BROADCAST : 0);
    CHECK_INT(edo_watch_has_changed(&w->seen), ==, won == CHANGED);
    edo_permit_release(&w->got);
    edo_permit_release(&w->held);
    CHECK_UINT(edo_chan_room(w->chan), ==, 1);
    edo_sem_release(&w->sem, 2); /* nobody is queued: all stay */
    CHECK_UINT(edo_sem_permits(&w->sem), ==, won == ACQUIRE ? 2 : 3);
    CHECK_OK(edo_mutex_lock_nowait(&w->mutex));
    edo_mutex_unlock(&w->mutex);
}

static void world_free(world *w)
{
    edo_watch_unsubscribe(&w->seen);
    edo_broadcast_unsubscribe(&w->heard);
    edo_watch_unref(w->watch);
    edo_broadcast_unref(w->broadcast);
    edo_chan_unref(w->chan);
    edo_chan_unref(w->closes);
    free(w);
}

typedef int select_fn(edo_case *cases, size_t n);

static select_fn *const forms[] = { edo_select, edo_select_nowait, edo_select_biased,
                                    edo_select_biased_nowait };

static int ready_now(void *arg)
{
    (void)arg;
    for (int form = 0; form < 4; form++) {
        for (int which = 0; which < KINDS; which++) {
            world *w = world_new();
            CHECK_OK(edo_mutex_lock(&w->mutex));
            CHECK_INT(edo_select_nowait(w->cases, KINDS), ==, -EAGAIN);
            CHECK_INT(edo_select_biased_nowait(w->cases, KINDS), ==, -EAGAIN);
            make_ready(w, which);
            if (which == AT)
                w->cases[AT].number = edo_now();
            CHECK_INT(forms[form](w->cases, KINDS), ==, which);
            CHECK_INT(w->cases[which].result, ==, 0);
            if (which != LOCK)
                edo_mutex_unlock(&w->mutex);
            check_world(w, which);
            world_free(w);
        }
    }
    return 0;
}

TEST(what_is_ready)
{
    run_on(1, ready_now, NULL);
    CHECK_OK(ready_now(NULL)); /* a foreign thread */
}

/* Each while the select waits; which makes it ready also holds the mutex. */
static int actor(void *arg)
{
    world *w = arg;
    CHECK_OK(edo_mutex_lock(&w->mutex));
    edo_notify_one(&w->step);
    settle();
    if (w->which == LOCK) {
        make_ready(w, LOCK);
        return 0;
    }
    make_ready(w, w->which);
    settle();
    edo_mutex_unlock(&w->mutex);
    return 0;
}

static int becomes_ready(void *arg)
{
    (void)arg;
    for (int form = 0; form < 4; form += 2) {
        for (int which = 0; which < AT; which++) {
            world *w = world_new();
            edo_group g;
            w->which = which;
            CHECK_OK(edo_group_open(&g, NULL));
            CHECK_OK(edo_spawn(&g, actor, w));
            CHECK_OK(edo_notify_wait(&w->step)); /* it has the mutex now */
            CHECK_INT(forms[form](w->cases, KINDS), ==, which);
            CHECK_INT(w->cases[which].result, ==, 0);
            CHECK_OK(edo_group_close(&g));
            check_world(w, which);
            world_free(w);
        }
    }
    return 0;
}

TEST(what_becomes_ready)
{
    run_on(1, becomes_ready, NULL);
}

static int nothing_happens(void *arg)
{
    world *w = world_new();
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_mutex_lock(&w->mutex));
    int64_t end = edo_now() + EDO_SEC(50);
    for (int i = 0; i < 3; i++) { /* by an instant, an outer deadline, an instant that lost */
        w->cases[AT].number = i == 0 ? end : i == 1 ? EDO_FOREVER : end + EDO_SEC(3600);
        CHECK_OK(edo_scope_open(&s, i == 0 ? EDO_FOREVER : EDO_SEC(1)));
        CHECK_INT(edo_scope_close(&s, edo_select(w->cases, KINDS)), ==, i == 0 ? AT : -ETIMEDOUT);
    }
    CHECK_INT(edo_now(), >=, end);
    edo_case both[] = { EDO_AFTER(EDO_SEC(10)), EDO_AT(edo_now() + EDO_SEC(5)) };
    CHECK_INT(edo_select(both, 2), ==, 1);
    both[1].number = edo_now() + EDO_SEC(20);
    CHECK_INT(edo_select(both, 2), ==, 0);
    edo_mutex_unlock(&w->mutex);
    check_world(w, -1);
    world_free(w);
    return 0;
}

TEST(losers_hold_nothing)
{
    run_on(1, nothing_happens, NULL);
}

static int refusals(void *arg)
{
    edo_chan *rendezvous, *unbounded;
    edo_permit p = EDO_PERMIT_INIT;
    edo_mutex m = EDO_MUTEX_INIT;
    (void)arg;
    CHECK_OK(edo_chan_create(&rendezvous, sizeof(int), 0));
    CHECK_OK(edo_chan_create(&unbounded, sizeof(int), EDO_UNBOUNDED));
    edo_case none[] = { EDO_RESERVE(rendezvous, NULL) };
    CHECK_INT(edo_select(none, 1), ==, -EINVAL);
    edo_case negative[] = { EDO_ACQUIRE(&m, -1) };
    CHECK_INT(edo_select(negative, 1), ==, -EINVAL);
    edo_case null[] = { EDO_LOCK(NULL) };
    CHECK_INT(edo_select_biased(null, 1), ==, -EINVAL);
    /* tried, and armed because of the task's case */
    edo_case reserve[] = { EDO_RESERVE(rendezvous, &p), EDO_RESERVE(unbounded, &p) };
    edo_case armed[] = { EDO_RESERVE(rendezvous, &p), EDO_JOINED(edo_task_id()) };
    for (int i = 0; i < 2; i++) {
        edo_case *c = i == 0 ? reserve : armed;
        int k = edo_select(c, i == 0 ? 2 : 1);
        CHECK(k == 0 || k == 1);
        CHECK_INT(c[k].result, ==, -ENOTSUP);
    }
    CHECK_INT(edo_select_biased(armed, 2), ==, 0);
    CHECK_INT(armed[0].result, ==, -ENOTSUP);
    edo_chan_unref(rendezvous);
    edo_chan_unref(unbounded);
    return 0;
}

TEST(refusals)
{
    run_on(1, refusals, NULL);
}

/* Closing gives each its code, while it waits and before. */
static int closes_all(void *arg)
{
    world *w = arg;
    for (int i = 0; i < 5; i++) {
        CHECK_OK(edo_notify_wait(&w->step));
        settle(); /* the select waits by now, as a rule */
        switch (i) {
        case 0: edo_sem_close(&w->sem); break;
        case 1: edo_oneshot_close(&w->oneshot); break;
        case 2: edo_broadcast_close(w->broadcast); break;
        case 3: edo_watch_close(w->watch); break;
        default: edo_chan_close(w->chan); break;
        }
    }
    return 0;
}

static int closing(void *arg)
{
    (void)arg;
    static const int order[] = { ACQUIRE, ONESHOT, BROADCAST, CHANGED, RESERVE };
    world *w = world_new();
    edo_group g;
    CHECK_OK(edo_mutex_lock(&w->mutex));
    w->cases[CLOSED].kind = EDO_CASE_NONE;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, closes_all, w));
    for (int i = 0; i < 5; i++) {
        int k = order[i];
        edo_notify_one(&w->step);
        CHECK_INT(edo_select(w->cases, KINDS), ==, k);
        CHECK_INT(w->cases[k].result, ==, -EPIPE);
        CHECK_INT(edo_select_nowait(&w->cases[k], 1), ==, 0); /* still */
        CHECK_INT(w->cases[k].result, ==, -EPIPE);
        w->cases[k].kind = EDO_CASE_NONE;
    }
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(edo_permit_left(&w->got), ==, 0);
    edo_permit_release(&w->held);
    edo_mutex_unlock(&w->mutex);
    world_free(w);
    return 0;
}

TEST(closing)
{
    run_on(1, closing, NULL);
}

static int lag(void *arg)
{
    world *w = world_new();
    (void)arg;
    CHECK_OK(edo_mutex_lock(&w->mutex));
    for (int i = 0; i < 5; i++)
        CHECK_INT(edo_broadcast_send(w->broadcast, &i), ==, 1);
    CHECK_INT(edo_select(w->cases, KINDS), ==, BROADCAST);
    CHECK_INT(w->cases[BROADCAST].result, ==, -EOVERFLOW);
    CHECK_UINT(edo_broadcast_lagged(&w->heard), ==, 3);
    CHECK_INT(edo_select(w->cases, KINDS), ==, BROADCAST);
    CHECK_INT(w->cases[BROADCAST].result, ==, 0);
    CHECK_INT(w->value, ==, 3);
    edo_permit_release(&w->held);
    edo_mutex_unlock(&w->mutex);
    world_free(w);
    return 0;
}

TEST(a_lag_is_a_result)
{
    run_on(1, lag, NULL);
}

/* The first of the array, whether all can be tried or must be armed. */
static int biased(void *arg)
{
    edo_event e = EDO_EVENT_INIT;
    edo_sem s;
    edo_chan *c;
    int v = 0;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    edo_sem_init(&s, 1000000);
    edo_event_set(&e);
    for (int armed = 0; armed < 2; armed++) {
        edo_case cases[] = { EDO_RECV(c, &v), EDO_ACQUIRE(&s, 1), EDO_EVENT(&e), EDO_SEND(c, &v),
                             EDO_JOINED(edo_task_id()) };
        size_t n = armed ? 5 : 4;
        for (int i = 0; i < 200; i++) {
            CHECK_INT(edo_select_biased(cases, n), ==, 1);
            CHECK_INT(edo_select_biased_nowait(cases, n), ==, 1);
        }
        cases[1].kind = EDO_CASE_NONE;
        for (int i = 0; i < 200; i++)
            CHECK_INT(edo_select_biased(cases, n), ==, 2);
        cases[2].kind = EDO_CASE_NONE;
        CHECK_INT(edo_select_biased(cases, n), ==, 3);
        CHECK_INT(edo_select_biased(cases, n), ==, 0);
    }
    edo_chan_unref(c);
    return 0;
}

TEST(biased_takes_the_first)
{
    run_on(1, biased, NULL);
}

/* A queued big request of a select that is cancelled lets those behind it go. */
static int wants_three(void *arg)
{
    world *w = arg;
    edo_case c[] = { EDO_ACQUIRE(&w->sem, 3), EDO_RESERVE(w->chan, &w->got) };
    return edo_select(c, 2);
}

static int wants_one(void *arg)
{
    world *w = arg;
    CHECK_OK(edo_sem_acquire(&w->sem, 1));
    w->which++;
    return 0;
}

static int in_the_way(void *arg)
{
    world *w = world_new();
    edo_group g, doomed;
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_group_open(&doomed, NULL));
    CHECK_OK(edo_spawn(&doomed, wants_three, w));
    settle();
    CHECK_OK(edo_spawn(&g, wants_one, w));
    settle();
    CHECK_INT(w->which, ==, 0);
    edo_group_cancel(&doomed);
    CHECK_INT(edo_group_close(&doomed), ==, -ECANCELED);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(w->which, ==, 1);
    edo_permit_release(&w->held);
    CHECK_UINT(edo_chan_room(w->chan), ==, 1);
    world_free(w);
    return 0;
}

TEST(who_leaves_lets_others_go)
{
    run_on(1, in_the_way, NULL);
}

TEST_MAIN()
