/* SPDX-License-Identifier: MIT */
/* No wake-up is lost: locks, permits, events, what happens once; races of lost_wakeup.h between tasks
 * and threads, on one worker and on several. EDO_TEST_ROUNDS=N runs N rounds of each race. */
#include "lost_wakeup.h"

/* ---- locks: the waker holds it ---- */

static void mutex_prepare(race *r)
{
    CHECK_OK(edo_mutex_lock(&r->on.mutex));
}

static int mutex_wait(race *r)
{
    return edo_mutex_lock(&r->on.mutex);
}

static void mutex_unlock(race *r)
{
    edo_mutex_unlock(&r->on.mutex);
}

static void rwlock_write(race *r)
{
    CHECK_OK(edo_rwlock_wrlock(&r->on.rwlock));
}

static void rwlock_read(race *r)
{
    CHECK_OK(edo_rwlock_rdlock(&r->on.rwlock));
}

static int rwlock_wait_read(race *r)
{
    return edo_rwlock_rdlock(&r->on.rwlock);
}

static int rwlock_wait_write(race *r)
{
    return edo_rwlock_wrlock(&r->on.rwlock);
}

static void rwlock_unlock(race *r)
{
    edo_rwlock_unlock(&r->on.rwlock);
}

static void rwlock_downgrade(race *r)
{
    edo_rwlock_downgrade(&r->on.rwlock);
}

/* ---- permits and events ---- */

static int sem_wait(race *r)
{
    return edo_sem_acquire(&r->on.sem, 2);
}

static void sem_wake(race *r)
{
    edo_sem_release(&r->on.sem, 1);
    distance(&r->wake_seed);
    edo_sem_release(&r->on.sem, 1);
}

static void sem_prepare(race *r)
{
    edo_sem_init(&r->on.sem, 1);
}

static int sem_wait_closed(race *r)
{
    int rc = edo_sem_acquire(&r->on.sem, 2);
    return rc == -EPIPE ? 0 : rc;
}

static void sem_close(race *r)
{
    edo_sem_close(&r->on.sem);
}

static void event_init(race *r)
{
    edo_event_init(&r->on.event, EDO_EVENT_MANUAL);
}

static void event_init_auto(race *r)
{
    edo_event_init(&r->on.event, EDO_EVENT_AUTO);
}

static int event_wait(race *r)
{
    return edo_event_wait(&r->on.event);
}

static void event_set(race *r)
{
    edo_event_set(&r->on.event);
}

static void event_reset(race *r)
{
    edo_event_reset(&r->on.event);
}

static int notify_wait(race *r)
{
    return edo_notify_wait(&r->on.notify);
}

static void notify_one(race *r)
{
    edo_notify_one(&r->on.notify);
}

static void notify_last(race *r)
{
    edo_notify_last(&r->on.notify);
}

static void notify_mark(race *r)
{
    r->mark = edo_notify_mark(&r->on.notify);
}

static int notify_wait_since(race *r)
{
    return edo_notify_wait_since(&r->on.notify, r->mark);
}

static void notify_all(race *r)
{
    edo_notify_all(&r->on.notify);
}

static int cond_wait(race *r)
{
    int rc = edo_mutex_lock(&r->mutex);
    if (rc < 0)
        return rc;
    while (rc == 0 && !r->flag)
        rc = edo_cond_wait(&r->cond, &r->mutex);
    if (r->flag)
        rc = 0;
    r->flag = false;
    edo_mutex_unlock(&r->mutex);
    return rc;
}

static void cond_wake(race *r)
{
    bool inside = test_rand(&r->wake_seed) % 2 == 0;
    CHECK_OK(edo_mutex_lock(&r->mutex));
    r->flag = true;
    if (inside)
        edo_cond_signal(&r->cond);
    edo_mutex_unlock(&r->mutex);
    if (!inside)
        edo_cond_broadcast(&r->cond);
}

static void ratelimit_prepare(race *r)
{
    CHECK_OK(edo_ratelimit_init(&r->on.ratelimit, 0, EDO_US(1), 1));
    CHECK_OK(edo_ratelimit_acquire_nowait(&r->on.ratelimit, 1));
}

static int ratelimit_wait(race *r)
{
    return edo_ratelimit_acquire(&r->on.ratelimit, 1);
}

static void ratelimit_wake(race *r)
{
    CHECK_OK(edo_ratelimit_set(&r->on.ratelimit, 1, EDO_US(1), 1));
}

/* ---- once, and together ---- */

static void oneshot_prepare(race *r)
{
    edo_oneshot_init(&r->on.oneshot, &r->slot, sizeof r->slot);
}

static int oneshot_wait(race *r)
{
    return edo_oneshot_recv(&r->on.oneshot, &r->value);
}

static void oneshot_send(race *r)
{
    CHECK_OK(edo_oneshot_send(&r->on.oneshot, &r->wanted));
}

static void setonce_prepare(race *r)
{
    edo_setonce_init(&r->on.setonce, &r->slot, sizeof r->slot);
}

static int setonce_wait(race *r)
{
    return edo_setonce_wait(&r->on.setonce, &r->value);
}

static void setonce_set(race *r)
{
    CHECK_OK(edo_setonce_set(&r->on.setonce, &r->wanted));
}

static void once_prepare(race *r)
{
    edo_once_init(&r->on.once);
}

static int once_body(void *arg)
{
    race *r = arg;
    CHECK_UINT(ADD(&r->got, 1), ==, 1);
    distance(&r->mark);
    ADD(&r->got, -1u);
    return 0;
}

static int once_wait(race *r)
{
    return edo_once_run(&r->on.once, once_body, r);
}

static void once_wake(race *r)
{
    CHECK_OK(edo_once_run(&r->on.once, once_body, r));
}

static void barrier_init(race *r)
{
    edo_barrier_init(&r->on.barrier, 2);
}

static int barrier_wait(race *r)
{
    int rc = edo_barrier_wait(&r->on.barrier);
    return rc > 0 ? 0 : rc;
}

static void barrier_wake(race *r)
{
    CHECK_OK(edo_barrier_wait(&r->on.barrier));
}

static void token_prepare(race *r)
{
    CHECK_OK(edo_token_create(&r->on.token));
}

static int token_wait(race *r)
{
    return edo_token_wait(r->on.token);
}

static void token_cancel(race *r)
{
    edo_token_cancel(r->on.token);
}

static void token_finish(race *r)
{
    edo_token_release(r->on.token);
}

/* A scope's cancel is a wake-up like any other. */
static int scope_wait(race *r)
{
    edo_scope s;
    edo_scope_open_token(&s, r->on.token, EDO_FOREVER);
    int rc = edo_event_wait(&r->gate); /* never set */
    (void)edo_scope_close(&s, rc);
    return rc == -ECANCELED && edo_token_cancelled(r->on.token) ? 0 : rc;
}

static const race_kind kinds[] = {
    RACE("mutex", mutex_wait, mutex_unlock, .prepare = mutex_prepare, .after = mutex_unlock),
    RACE("rdlock", rwlock_wait_read, rwlock_unlock, .prepare = rwlock_write,
         .after = rwlock_unlock),
    RACE("wrlock", rwlock_wait_write, rwlock_unlock, .prepare = rwlock_read,
         .after = rwlock_unlock),
    RACE("downgrade", rwlock_wait_read, rwlock_downgrade, .prepare = rwlock_write,
         .after = rwlock_unlock, .finish = rwlock_unlock),
    RACE("sem", sem_wait, sem_wake),
    RACE("sem, closed", sem_wait_closed, sem_close, .prepare = sem_prepare),
    RACE("event", event_wait, event_set, .init = event_init, .after = event_reset),
    RACE("auto event", event_wait, event_set, .init = event_init_auto),
    RACE("notify one", notify_wait, notify_one),
    RACE("notify last", notify_wait, notify_last),
    RACE("notify all", notify_wait_since, notify_all, .prepare = notify_mark),
    RACE("cond", cond_wait, cond_wake),
    RACE("ratelimit", ratelimit_wait, ratelimit_wake, .prepare = ratelimit_prepare),
    RACE("oneshot", oneshot_wait, oneshot_send, .prepare = oneshot_prepare),
    RACE("setonce", setonce_wait, setonce_set, .prepare = setonce_prepare),
    RACE("once", once_wait, once_wake, .prepare = once_prepare),
    RACE("barrier", barrier_wait, barrier_wake, .init = barrier_init),
    RACE("token", token_wait, token_cancel, .prepare = token_prepare, .finish = token_finish),
    RACE("scope of a token", scope_wait, token_cancel, .prepare = token_prepare,
         .finish = token_finish),
};

RACES_OF(kinds)
TEST_MAIN()
