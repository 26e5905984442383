/* SPDX-License-Identifier: MIT */
/* Select: waiting for the first of several cases.
 *
 * Everything is done in a random order of the cases, so that of those ready each is as likely to
 * happen.
 *   1. Try each without waiting (not when a case can only be looked at by registering for it).
 *   2. Begin to wait: from here on the task's word can be claimed, by one case only. Arm one case after
 *      the other; each looks once more under its object's lock. When all are armed, suspend.
 *   3. Disarm what was armed, under each object's lock; so a waker that is still handing over a value is
 *      waited for, and losers leave nothing behind.
 * The word says which case it was: EDO__WAKE_OK + its index. */
#include "core/backend.h"
#include "core/join.h"
#include "core/sched.h"
#include "core/token.h"
#include "sync/cases.h"

#include <edo/select.h>
#include <edo/time.h>
#include <limits.h>

#define CASES_MAX 64

_Static_assert(sizeof(edo__waiter) <= sizeof((edo_case){ 0 }.edo__private), "it is kept there");

/* One call. */
typedef struct selection {
    edo__task *self;
    edo_case *cases;
    size_t n;
    int64_t after; /* the shortest EDO_AFTER; EDO_FOREVER: none */
    int64_t at;    /* when that is; known once `timed` */
    uint32_t after_code;
    bool timed;
    bool registers; /* some case cannot be tried, only armed */
    uint8_t order[CASES_MAX];
} selection;

static edo__waiter *waiter_of(edo_case *c)
{
    return (edo__waiter *)(void *)c->edo__private;
}

/* Checks the cases and prepares the call. */
static int prepare(selection *s)
{
    if (s->n > CASES_MAX || (s->n > 0 && s->cases == NULL))
        return -EINVAL;
    s->after = EDO_FOREVER;
    s->after_code = EDO__WAKE_OK;
    s->registers = false;
    for (size_t i = 0; i < s->n; i++) {
        const edo_case *c = &s->cases[i];
        switch (c->kind) {
        case EDO_CASE_NONE: break;
        case EDO_CASE_AFTER:
            if (c->number < s->after) {
                s->after = c->number;
                s->after_code = EDO__WAKE_OK + (uint32_t)i;
            }
            break;
        case EDO_CASE_JOINED:
        case EDO_CASE_FD: s->registers = true; break;
        case EDO_CASE_RECV:
        case EDO_CASE_SEND:
        case EDO_CASE_EVENT:
        case EDO_CASE_NOTIFY:
        case EDO_CASE_TOKEN:
            if (c->object == NULL)
                return -EINVAL;
            break;
        default: return -EINVAL;
        }
    }
    return 0;
}

/* xorshift64*, from the worker's state, so that a seeded runtime chooses the same again. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

static void shuffle(selection *s)
{
    static uint64_t foreign_state = 1; /* atomic; a lost update does no harm */
    bool foreign = edo__is_foreign(s->self);
    uint64_t state = foreign ? edo__aload(&foreign_state, EDO__RLX) : s->self->worker->random;
    state += state == 0; /* the one state it would not leave */
    for (size_t i = 0; i < s->n; i++) {
        size_t j = (size_t)(((next_random(&state) >> 32) * (i + 1)) >> 32);
        s->order[i] = s->order[j];
        s->order[j] = (uint8_t)i;
    }
    if (foreign)
        edo__astore(&foreign_state, state, EDO__RLX);
    else
        s->self->worker->random = state;
}

/* -EAGAIN: not ready. */
static int try_case(edo_case *c)
{
    switch (c->kind) {
    case EDO_CASE_RECV: return edo_chan_recv_nowait(c->object, c->value);
    case EDO_CASE_SEND: return edo_chan_send_nowait(c->object, c->value);
    case EDO_CASE_EVENT: return edo_event_wait_nowait(c->object);
    case EDO_CASE_NOTIFY: return edo_notify_wait_nowait(c->object);
    case EDO_CASE_TOKEN: return edo_token_cancelled(c->object) ? 0 : -EAGAIN;
    case EDO_CASE_AFTER: return c->number <= 0 ? 0 : -EAGAIN;
    default: /* NONE; JOINED and FD are not tried */ return -EAGAIN;
    }
}

/* The index of the case that happened, or -EAGAIN. */
static int try_all(selection *s)
{
    for (size_t k = 0; k < s->n; k++) {
        edo_case *c = &s->cases[s->order[k]];
        int rc = try_case(c);
        if (rc != -EAGAIN) {
            c->result = rc;
            return s->order[k];
        }
    }
    return -EAGAIN;
}

/* The case is ready and needs nothing taken: it happens unless another one has. */
static int decide(edo__waiter *w, int result)
{
    w->result = result;
    (void)edo__claim(w->task, w->code);
    return EDO__DECIDED;
}

/* EDO__ARMED, EDO__DECIDED, or a negative code. */
static int arm(edo_case *c, edo__waiter *w)
{
    int rc;
    switch (c->kind) {
    case EDO_CASE_RECV: return edo__chan_arm_recv(c->object, w);
    case EDO_CASE_SEND: return edo__chan_arm_send(c->object, w);
    case EDO_CASE_EVENT: return edo__event_arm(c->object, w);
    case EDO_CASE_NOTIFY: return edo__notify_arm(c->object, w);
    case EDO_CASE_TOKEN: return edo__token_watch(c->object, w) ? decide(w, 0) : EDO__ARMED;
    case EDO_CASE_JOINED:
        return edo__join_watch((uint64_t)c->number, w, &rc) ? decide(w, rc) : EDO__ARMED;
    case EDO_CASE_FD:
        if (c->number < 0 || c->number > INT_MAX)
            return -EBADF;
        rc = edo__backend_of(w->task)->watch((int)c->number, c->events, w);
        return rc > 0 ? decide(w, rc) : rc;
    case EDO_CASE_AFTER: return c->number <= 0 ? decide(w, 0) : EDO__ARMED;
    default: return EDO__ARMED;
    }
}

static void disarm(edo_case *c, edo__waiter *w)
{
    switch (c->kind) {
    case EDO_CASE_RECV: edo__chan_disarm_recv(c->object, w); return;
    case EDO_CASE_SEND: edo__chan_disarm_send(c->object, w); return;
    case EDO_CASE_EVENT: edo__event_disarm(c->object, w); return;
    case EDO_CASE_NOTIFY: edo__notify_disarm(c->object, w); return;
    case EDO_CASE_TOKEN: edo__token_unwatch(c->object, w); return;
    case EDO_CASE_JOINED: edo__join_unwatch((uint64_t)c->number, w); return;
    case EDO_CASE_FD: edo__backend_of(w->task)->unwatch((int)c->number, w); return;
    default: return;
    }
}

/* Phase 2. Returns the last arm()'s answer; *armed: how many of the order are armed. */
static int arm_all(selection *s, size_t *armed)
{
    int rc = EDO__ARMED;
    size_t k = 0;
    for (; k < s->n; k++) {
        edo_case *c = &s->cases[s->order[k]];
        edo__waiter *w = waiter_of(c);
        *w = (edo__waiter){ .task = s->self,
                            .code = EDO__WAKE_OK + (uint32_t)s->order[k],
                            .select = true,
                            .value = c->value };
        rc = arm(c, w);
        if (rc != EDO__ARMED)
            break;
    }
    *armed = k;
    return rc;
}

static uint32_t suspend(selection *s)
{
    if (!s->timed) {
        s->timed = true;
        if (s->after == EDO_FOREVER || __builtin_add_overflow(edo_now(), s->after, &s->at))
            s->at = EDO_FOREVER;
    }
    /* No lock to pass through: disarming takes them all. */
    edo__select_view view = { .cases = s->cases, .n = s->n, .at = s->at };
    return edo__wait_commit_until(s->self, NULL, EDO__WHY_SELECT, &view, s->at, s->after_code);
}

/* Phases 2 and 3. wait false: only looks, by way of arming. -EAGAIN: none was ready, or a
 * descriptor's case was woken to look again. */
static int arm_and_wait(selection *s, bool wait)
{
    size_t armed;
    if (!edo__wait_begin(s->self, wait))
        return -ECANCELED;
    int rc = arm_all(s, &armed);
    uint32_t code = EDO__WORD_IDLE;
    if (rc == EDO__ARMED && wait)
        code = suspend(s);
    for (size_t k = 0; k < armed; k++) {
        edo_case *c = &s->cases[s->order[k]];
        disarm(c, waiter_of(c));
    }
    if (code == EDO__WORD_IDLE)
        code = edo__wait_abort(s->self);
    if (code == EDO__WORD_IDLE)
        return rc < 0 ? rc : -EAGAIN;
    if (code < EDO__WAKE_OK)
        return -ECANCELED;
    edo_case *c = &s->cases[code - EDO__WAKE_OK];
    c->result = waiter_of(c)->result;
    if (c->kind == EDO_CASE_FD && c->result == 0)
        return -EAGAIN;
    return (int)(code - EDO__WAKE_OK);
}

int edo_select(edo_case *cases, size_t n)
{
    selection s = { .self = edo__self(), .cases = cases, .n = n };
    int rc = edo__checkpoint(s.self);
    if (rc < 0)
        return rc;
    rc = prepare(&s);
    if (rc < 0)
        return rc;
    shuffle(&s);
    rc = s.registers ? -EAGAIN : try_all(&s);
    while (rc == -EAGAIN)
        rc = arm_and_wait(&s, true);
    edo__coop(s.self);
    return rc;
}

int edo_select_nowait(edo_case *cases, size_t n)
{
    selection s = { .self = edo__self(), .cases = cases, .n = n };
    int rc = prepare(&s);
    if (rc < 0)
        return rc;
    shuffle(&s);
    return s.registers ? arm_and_wait(&s, false) : try_all(&s);
}
