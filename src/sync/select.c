/* SPDX-License-Identifier: MIT */
/* Select: waiting for the first of several cases.
 *
 * Everything is done in a random order of the cases, so that of those ready each is as likely to
 * happen; in that of the array when it is biased. Jobs come last: they are never ready at once, and
 * nothing is started while another case is.
 *   1. Try each without waiting (not when a case can only be looked at by registering for it).
 *   2. Begin to wait: from here on the task's word can be claimed, by one case only. Arm one case after
 *      the other; each looks once more under its object's lock. When all are armed, suspend.
 *   3. Disarm what was armed, under each object's lock; so a waker that is still handing over a value is
 *      waited for, and losers leave nothing behind. Jobs are settled at the very end.
 * The word says which case it was: EDO__WAKE_OK + its index. What the cases themselves do is in
 * select_cases.c.
 *
 * Of some cases others cannot say that they have happened, only that they may have: the first entry
 * of a delay queue has changed, or the instant of it has come; a descriptor is watched no longer.
 * They do not claim the select but call it (edo__wait_call(), EDO__WORD_CALLED). It wakes up and looks
 * at these cases, each under its object's lock, where one that has happened claims the word as in 2.
 * If none has, it suspends again. All the time it stays armed everywhere and its word can be claimed:
 * nobody passes it in any line because it was called for nothing, and no claim misses it. */
#include "core/sched.h"
#include "sync/select_cases.h"

#include <edo/time.h>
#include <string.h>

#define CASES_MAX 64

/* One call. */
typedef struct selection {
    edo__task *self;
    edo_case *cases;
    size_t n;
    int64_t after; /* the shortest EDO_AFTER; EDO_FOREVER: none               */
    int64_t at;    /* the first EDO_AT; once `timed`, the end of `after` as well */
    uint32_t after_code, at_code;
    bool timed;
    bool biased;
    bool registers; /* some case cannot be tried, only armed */
    bool jobs;
    bool lines; /* some case has an instant at which to look again */
    uint8_t order[CASES_MAX];
} selection;

/* Checks the cases and prepares the call. */
static int prepare(selection *s)
{
    if (s->n > CASES_MAX || (s->n > 0 && s->cases == NULL))
        return -EINVAL;
    s->after = s->at = EDO_FOREVER;
    s->after_code = s->at_code = EDO__WAKE_OK;
    for (size_t i = 0; i < s->n; i++) {
        edo_case *c = &s->cases[i];
        uint32_t code = EDO__WAKE_OK + (uint32_t)i;
        int rc = edo__case_check(c, s->self);
        if (rc < 0)
            return rc;
        switch (c->kind) {
        case EDO_CASE_AFTER:
            if (c->number < s->after) {
                s->after = c->number;
                s->after_code = code;
            }
            break;
        case EDO_CASE_AT:
            if (c->number < s->at) {
                s->at = c->number;
                s->at_code = code;
            }
            break;
        case EDO_CASE_JOINED:
        case EDO_CASE_FD: s->registers = true; break;
        case EDO_CASE_BLOCKING: s->jobs = true; break;
        case EDO_CASE_DELAYQUEUE_NEXT: s->lines = true; break;
        default: break;
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

/* Jobs behind everything else. */
static void jobs_last(selection *s)
{
    uint8_t jobs[CASES_MAX];
    size_t n = 0, others = 0;
    for (size_t k = 0; k < s->n; k++) {
        uint8_t i = s->order[k];
        if (s->cases[i].kind == EDO_CASE_BLOCKING)
            jobs[n++] = i;
        else
            s->order[others++] = i;
    }
    memcpy(s->order + others, jobs, n);
}

static void put_in_order(selection *s)
{
    if (s->biased) {
        for (size_t i = 0; i < s->n; i++)
            s->order[i] = (uint8_t)i;
    } else {
        shuffle(s);
    }
    if (s->jobs)
        jobs_last(s);
}

/* The index of the case that happened, or -EAGAIN. */
static int try_all(selection *s)
{
    for (size_t k = 0; k < s->n; k++) {
        edo_case *c = &s->cases[s->order[k]];
        int rc = edo__case_try(c);
        if (rc != -EAGAIN) {
            c->result = rc;
            return s->order[k];
        }
    }
    return -EAGAIN;
}

/* Phase 2. Returns the last answer; *armed: how many of the order are armed. */
static int arm_all(selection *s, bool wait, size_t *armed)
{
    int rc = EDO__ARMED;
    size_t k = 0;
    for (; k < s->n; k++) {
        size_t i = s->order[k];
        edo_case *c = &s->cases[i];
        if (c->kind == EDO_CASE_BLOCKING && !wait)
            break; /* starts nothing; they are the last */
        rc = edo__case_arm(c, s->self, EDO__WAKE_OK + (uint32_t)i);
        if (rc != EDO__ARMED)
            break;
    }
    *armed = k;
    return rc;
}

/* A case at the head of its line waits for an instant that it has seen when it looked last. */
static void first_in_lines(const selection *s, int64_t *at, uint32_t *code)
{
    for (size_t i = 0; i < s->n; i++) {
        edo_case *c = &s->cases[i];
        if (c->kind == EDO_CASE_DELAYQUEUE_NEXT && edo__case_until(c) < *at) {
            *at = edo__case_until(c);
            *code = EDO__WAKE_LOOK;
        }
    }
}

/* Returns the code it was claimed with, or that it was called: edo__wait_is_called(). */
static uint32_t suspend(selection *s)
{
    if (!s->timed) {
        int64_t end;
        s->timed = true;
        if (s->after != EDO_FOREVER && !__builtin_add_overflow(edo_now(), s->after, &end) &&
            end < s->at) {
            s->at = end;
            s->at_code = s->after_code;
        }
    }
    int64_t at = s->at;
    uint32_t code = s->at_code;
    if (s->lines)
        first_in_lines(s, &at, &code);
    /* No lock to pass through: disarming takes them all. */
    edo__select_view view = { .cases = s->cases, .n = s->n, .at = at };
    return edo__wait_commit_until(s->self, NULL, EDO__WHY_SELECT, &view, at, code);
}

/* It was called; by which of its cases is not said. */
static int look_again(const selection *s)
{
    if (!edo__wait_answer(s->self))
        return EDO__DECIDED;
    int rc = EDO__ARMED;
    for (size_t k = 0; k < s->n && rc == EDO__ARMED; k++)
        rc = edo__case_look(&s->cases[s->order[k]], s->self);
    return rc;
}

/* All are armed. Returns how that has ended: EDO__DECIDED or a negative code. */
static int await(selection *s)
{
    int rc = EDO__ARMED;
    while (rc == EDO__ARMED)
        rc = edo__wait_is_called(suspend(s)) ? look_again(s) : EDO__DECIDED;
    return rc;
}

/* Phases 2 and 3. wait false: only looks, by way of arming; -EAGAIN: none was ready. */
static int arm_and_wait(selection *s, bool wait)
{
    size_t armed;
    if (!edo__wait_begin(s->self, wait))
        return -ECANCELED;
    int rc = arm_all(s, wait, &armed);
    if (rc == EDO__ARMED && wait)
        rc = await(s);
    for (size_t k = 0; k < armed; k++)
        edo__case_disarm(&s->cases[s->order[k]], s->self);
    uint32_t code = edo__wait_abort(s->self); /* who has claimed it, or nobody can any more */
    if (code == EDO__WORD_IDLE)
        return rc < 0 ? rc : -EAGAIN;
    if (code < EDO__WAKE_OK)
        return -ECANCELED;
    uint32_t i = code - EDO__WAKE_OK;
    edo__case_finish(&s->cases[i]);
    return (int)i;
}

/* The jobs, when all else is decided: rc is what the call would return. A job that has run is what
 * happened, unless another case did. */
static int settle_jobs(selection *s, int rc)
{
    for (size_t i = 0; i < s->n; i++) {
        edo_case *c = &s->cases[i];
        if (c->kind == EDO_CASE_BLOCKING && edo__case_settle(c) && rc == -ECANCELED)
            rc = (int)i;
    }
    return rc;
}

static int wait_for_one(edo_case *cases, size_t n, bool biased)
{
    selection s = { .self = edo__self(), .cases = cases, .n = n, .biased = biased };
    int rc = edo__checkpoint(s.self);
    if (rc < 0)
        return rc;
    rc = prepare(&s);
    if (rc < 0)
        return rc;
    put_in_order(&s);
    edo__coop(s.self); /* before: it may come to hold a mutex, see mutex.c */
    rc = s.registers ? -EAGAIN : try_all(&s);
    if (rc == -EAGAIN)
        rc = arm_and_wait(&s, true);
    if (s.jobs)
        rc = settle_jobs(&s, rc);
    return rc;
}

static int look_for_one(edo_case *cases, size_t n, bool biased)
{
    selection s = { .self = edo__self(), .cases = cases, .n = n, .biased = biased };
    int rc = prepare(&s);
    if (rc < 0)
        return rc;
    put_in_order(&s);
    return s.registers ? arm_and_wait(&s, false) : try_all(&s);
}

int edo_select(edo_case *cases, size_t n)
{
    return wait_for_one(cases, n, false);
}

int edo_select_nowait(edo_case *cases, size_t n)
{
    return look_for_one(cases, n, false);
}

int edo_select_biased(edo_case *cases, size_t n)
{
    return wait_for_one(cases, n, true);
}

int edo_select_biased_nowait(edo_case *cases, size_t n)
{
    return look_for_one(cases, n, true);
}
