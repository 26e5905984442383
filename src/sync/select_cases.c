/* SPDX-License-Identifier: MIT */
/* The kinds of cases: trying, arming, disarming each. In a case's private part is its waiter; a
 * job's is the job itself, which wakes the select without one. */
#include "sync/select_cases.h"

#include "core/backend.h"
#include "core/blocking.h"
#include "core/group.h"
#include "core/join.h"
#include "core/token.h"

#include <edo/time.h>
#include <limits.h>

#define PRIVATE_BYTES sizeof((edo_case){ 0 }.edo__private)
_Static_assert(sizeof(edo__waiter) <= PRIVATE_BYTES, "it is kept there");
_Static_assert(sizeof(edo__task_job) <= PRIVATE_BYTES, "it is kept there");

static edo__waiter *waiter_of(edo_case *c)
{
    return (edo__waiter *)(void *)c->edo__private;
}

static edo__task_job *job_of(edo_case *c)
{
    return (edo__task_job *)(void *)c->edo__private;
}

/* Most kinds need an object, and nothing else. */
#define BIT(kind) (1u << EDO_CASE_##kind)
#define PLAIN                                                                                      \
    (BIT(RECV) | BIT(SEND) | BIT(EVENT) | BIT(NOTIFY) | BIT(TOKEN) | BIT(CHAN_CLOSED) |            \
     BIT(ONESHOT) | BIT(BROADCAST) | BIT(WATCH) | BIT(MUTEX))
_Static_assert(EDO_CASE_DELAYQUEUE_NEXT < 32, "the last one has a bit");

int edo__case_check(edo_case *c, const edo__task *self)
{
    unsigned kind = c->kind;
    if (edo__likely(kind < 32 && (1u << kind & PLAIN) != 0))
        return c->object == NULL ? -EINVAL : 0;
    switch (c->kind) {
    case EDO_CASE_NONE:
    case EDO_CASE_AFTER:
    case EDO_CASE_AT:
    case EDO_CASE_JOINED:
    case EDO_CASE_FD: return 0;
    case EDO_CASE_SEM: return c->object == NULL || c->number < 0 ? -EINVAL : 0;
    case EDO_CASE_DELAYQUEUE_NEXT:
    case EDO_CASE_RESERVE: return c->object == NULL || c->value == NULL ? -EINVAL : 0;
    case EDO_CASE_BLOCKING:
        *job_of(c) = (edo__task_job){ 0 };
        c->result = -ECANCELED; /* unless it runs */
        if (c->fn == NULL)
            return -EINVAL;
        return edo__is_foreign(self) ? -EPERM : 0;
    case EDO_CASE_GROUP_NEXT:
        if (c->object == NULL || c->value == NULL)
            return -EINVAL;
        return ((const edo_group *)c->object)->edo__scope.edo__owner == self ? 0 : -EPERM;
    default: return -EINVAL;
    }
}

static int try_reserve(edo_case *c)
{
    edo_permit p; /* a loser's is left alone */
    int rc = edo_chan_reserve_nowait(c->object, &p);
    if (rc == 0)
        *(edo_permit *)c->value = p;
    return rc;
}

int edo__case_try(edo_case *c)
{
    switch (c->kind) {
    case EDO_CASE_RECV: return edo_chan_recv_nowait(c->object, c->value);
    case EDO_CASE_SEND: return edo_chan_send_nowait(c->object, c->value);
    case EDO_CASE_RESERVE: return try_reserve(c);
    case EDO_CASE_CHAN_CLOSED: return edo_chan_closed(c->object) ? 0 : -EAGAIN;
    case EDO_CASE_ONESHOT: return edo_oneshot_recv_nowait(c->object, c->value);
    case EDO_CASE_BROADCAST: return edo_broadcast_recv_nowait(c->object, c->value);
    case EDO_CASE_WATCH: return edo_watch_changed_nowait(c->object);
    case EDO_CASE_EVENT: return edo_event_wait_nowait(c->object);
    case EDO_CASE_NOTIFY: return edo_notify_wait_nowait(c->object);
    case EDO_CASE_MUTEX: return edo_mutex_lock_nowait(c->object);
    case EDO_CASE_SEM: return edo_sem_acquire_nowait(c->object, (uint64_t)c->number);
    case EDO_CASE_TOKEN: return edo_token_cancelled(c->object) ? 0 : -EAGAIN;
    case EDO_CASE_GROUP_NEXT: return edo__group_try_next(c->object, c->value);
    case EDO_CASE_DELAYQUEUE_NEXT: return edo_delayqueue_next_nowait(c->object, c->value);
    case EDO_CASE_AFTER: return c->number <= 0 ? 0 : -EAGAIN;
    case EDO_CASE_AT: return c->number <= edo_now() ? 0 : -EAGAIN;
    default: /* NONE; JOINED, FD and BLOCKING are not tried */ return -EAGAIN;
    }
}

/* The case is ready and needs nothing taken: it happens unless another one has. */
static int decide(edo__waiter *w, int result)
{
    w->result = result;
    (void)edo__claim(w->task, w->code);
    return EDO__DECIDED;
}

static int arm_job(edo_case *c, edo__task *self, uint32_t code)
{
    edo__task_job *j = job_of(c);
    j->fn = c->fn;
    j->arg = c->value;
    j->wake = code;
    edo__task_job_start(j, self, EDO__JOB_USER);
    if (!edo__task_job_done(j))
        return EDO__ARMED;
    (void)edo__claim(self, code);
    return EDO__DECIDED;
}

static int arm_fd(const edo_case *c, edo__waiter *w)
{
    if (c->number < 0 || c->number > INT_MAX)
        return -EBADF;
    int rc = edo__backend_of(w->task)->watch((int)c->number, c->events, w);
    return rc > 0 ? decide(w, rc) : rc;
}

static int arm_joined(const edo_case *c, edo__waiter *w)
{
    int rc;
    return edo__join_watch((uint64_t)c->number, w, &rc) ? decide(w, rc) : EDO__ARMED;
}

static int arm_reserve(const edo_case *c, edo__waiter *w)
{
    int rc = edo__chan_reservable(c->object);
    return rc < 0 ? decide(w, rc) : edo__chan_arm_reserve(c->object, w);
}

int edo__case_arm(edo_case *c, edo__task *self, uint32_t code)
{
    if (c->kind == EDO_CASE_BLOCKING)
        return arm_job(c, self, code);
    edo__waiter *w = waiter_of(c);
    *w = (edo__waiter){ .task = self, .code = code, .select = true, .value = c->value };
    switch (c->kind) {
    case EDO_CASE_RECV: return edo__chan_arm_recv(c->object, w);
    case EDO_CASE_SEND: return edo__chan_arm_send(c->object, w);
    case EDO_CASE_RESERVE: return arm_reserve(c, w);
    case EDO_CASE_CHAN_CLOSED: return edo__chan_arm_closed(c->object, w);
    case EDO_CASE_ONESHOT: return edo__oneshot_arm(c->object, w);
    case EDO_CASE_BROADCAST: return edo__broadcast_arm(c->object, w);
    case EDO_CASE_WATCH: return edo__watch_arm(c->object, w);
    case EDO_CASE_EVENT: return edo__event_arm(c->object, w);
    case EDO_CASE_NOTIFY: return edo__notify_arm(c->object, w);
    case EDO_CASE_MUTEX: return edo__mutex_arm(c->object, w);
    case EDO_CASE_SEM: w->n = (uint64_t)c->number; return edo__sem_arm(c->object, w);
    case EDO_CASE_TOKEN: return edo__token_watch(c->object, w) ? decide(w, 0) : EDO__ARMED;
    case EDO_CASE_JOINED: return arm_joined(c, w);
    case EDO_CASE_GROUP_NEXT:
        return edo__group_watch_next(c->object, w) ? decide(w, 0) : EDO__ARMED;
    case EDO_CASE_FD: return arm_fd(c, w);
    case EDO_CASE_DELAYQUEUE_NEXT: return edo__delayqueue_arm(c->object, w);
    case EDO_CASE_AFTER: return c->number <= 0 ? decide(w, 0) : EDO__ARMED;
    case EDO_CASE_AT: return c->number <= edo_now() ? decide(w, 0) : EDO__ARMED;
    default: return EDO__ARMED;
    }
}

int edo__case_look(edo_case *c, const edo__task *self)
{
    edo__waiter *w = waiter_of(c);
    switch (c->kind) {
    case EDO_CASE_DELAYQUEUE_NEXT: return edo__delayqueue_look(c->object, w);
    case EDO_CASE_FD: return edo__backend_of(self)->rewatch((int)c->number, w);
    default: return EDO__ARMED;
    }
}

void edo__case_disarm(edo_case *c, const edo__task *self)
{
    edo__waiter *w = waiter_of(c);
    switch (c->kind) {
    case EDO_CASE_RECV: edo__chan_disarm_recv(c->object, w); return;
    case EDO_CASE_SEND:
    case EDO_CASE_RESERVE: edo__chan_disarm_send(c->object, w); return;
    case EDO_CASE_CHAN_CLOSED: edo__chan_disarm_closed(c->object, w); return;
    case EDO_CASE_ONESHOT: edo__oneshot_disarm(c->object, w); return;
    case EDO_CASE_BROADCAST: edo__broadcast_disarm(c->object, w); return;
    case EDO_CASE_WATCH: edo__watch_disarm(c->object, w); return;
    case EDO_CASE_EVENT: edo__event_disarm(c->object, w); return;
    case EDO_CASE_NOTIFY: edo__notify_disarm(c->object, w); return;
    case EDO_CASE_MUTEX: edo__mutex_disarm(c->object, w); return;
    case EDO_CASE_SEM: edo__sem_disarm(c->object, w); return;
    case EDO_CASE_TOKEN: edo__token_unwatch(c->object, w); return;
    case EDO_CASE_JOINED: edo__join_unwatch((uint64_t)c->number, w); return;
    case EDO_CASE_GROUP_NEXT: edo__group_unwatch_next(c->object); return;
    case EDO_CASE_FD: edo__backend_of(self)->unwatch((int)c->number, w); return;
    case EDO_CASE_DELAYQUEUE_NEXT: edo__delayqueue_disarm(c->object, w); return;
    default: return;
    }
}

/* Of what is taken only now there is something still: nobody else takes it. */
void edo__case_finish(edo_case *c)
{
    switch (c->kind) {
    case EDO_CASE_BLOCKING: return; /* its result is set when it is settled */
    case EDO_CASE_GROUP_NEXT: c->result = edo__group_try_next(c->object, c->value); break;
    case EDO_CASE_BROADCAST: c->result = edo_broadcast_recv_nowait(c->object, c->value); break;
    case EDO_CASE_RESERVE:
        c->result = waiter_of(c)->result;
        if (c->result == 0)
            *(edo_permit *)c->value = (edo_permit){ c->object, 1 };
        break;
    default: c->result = waiter_of(c)->result;
    }
    edo_debug_assert(c->result != -EAGAIN);
}

int64_t edo__case_until(edo_case *c)
{
    return (int64_t)waiter_of(c)->n;
}

bool edo__case_settle(edo_case *c)
{
    edo__task_job *j = job_of(c);
    if (j->task == NULL || !edo__task_job_settle(j))
        return false;
    c->result = j->code;
    return true;
}
