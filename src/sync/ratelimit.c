/* SPDX-License-Identifier: MIT */
/* The token bucket: a count of tokens as of an instant, and a line of waiters under one spin lock.
 *
 * Nothing runs while nobody asks: tokens are counted up when somebody looks. What has come in since
 * is elapsed x rate / per; the remainder of that division is carried along, so no part of a token is
 * lost however often one looks. The head of the line sleeps until exactly its tokens are there. */
#include "sync/line.h"

#include <edo/ratelimit.h>
#include <edo/time.h>

__extension__ typedef unsigned __int128 wide; /* a count of 64 bits times nanoseconds */

static bool valid(int64_t per, uint64_t burst)
{
    return per > 0 && burst > 0;
}

int edo_ratelimit_init(edo_ratelimit *r, uint64_t rate, int64_t per, uint64_t burst)
{
    if (!valid(per, burst))
        return -EINVAL;
    *r = (edo_ratelimit)EDO_RATELIMIT_INIT(rate, per, burst);
    return 0;
}

/* Under the lock, as everything below: counts what has come in until now. */
static void count(edo_ratelimit *r, int64_t now)
{
    if (now <= r->edo__since)
        return;
    wide parts = (wide)(now - r->edo__since) * r->edo__rate + r->edo__part;
    wide whole = parts / (uint64_t)r->edo__per;
    uint64_t part = (uint64_t)(parts % (uint64_t)r->edo__per);
    uint64_t room = r->edo__burst - r->edo__tokens;
    r->edo__since = now;
    /* What has come in during the nanosecond in which it became full is kept: who waits for the
     * whole burst cannot look any earlier. */
    bool overflows = whole > room || (whole == room && part >= r->edo__rate);
    r->edo__tokens = overflows ? r->edo__burst : r->edo__tokens + (uint64_t)whole;
    r->edo__part = overflows ? 0 : part;
}

/* When n tokens will have come in, beginning with those that are there. */
static int64_t when(const edo_ratelimit *r, uint64_t n)
{
    if (n <= r->edo__tokens)
        return r->edo__since;
    if (r->edo__rate == 0)
        return EDO_FOREVER;
    wide parts = (wide)(n - r->edo__tokens) * (uint64_t)r->edo__per - r->edo__part;
    wide wait = (parts - 1) / r->edo__rate + 1; /* rounded up */
    bool never = wait >= (wide)(EDO_FOREVER - r->edo__since);
    return never ? EDO_FOREVER : r->edo__since + (int64_t)wait;
}

static int try_acquire(edo_ratelimit *r, uint64_t n, int64_t now)
{
    if (n > r->edo__burst)
        return -EINVAL;
    count(r, now);
    if (n > r->edo__tokens)
        return -EAGAIN;
    r->edo__tokens -= n;
    return 0;
}

/* The lock is held on entry, and not on return. */
static int acquire_in_line(edo_ratelimit *r, edo__task *self, uint64_t n)
{
    edo__waitq *q = &r->edo__q;
    edo__waiter w = { .task = self, .code = EDO__WAKE_CALLED, .n = n };
    edo__waitq_push(q, &w);
    int rc;
    do {
        rc = q->head == &w ? try_acquire(r, n, edo__now(self)) : -EAGAIN;
        if (rc != -EAGAIN)
            break;
        rc = edo__line_wait(q, &w, when(r, n), EDO__WHY_RATELIMIT, r);
    } while (rc == 0);
    edo__task *next = edo__line_leave(q, &w);
    edo__spin_unlock(&q->lock);
    edo__line_called(next);
    return rc;
}

int edo_ratelimit_acquire(edo_ratelimit *r, uint64_t n)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self);
    int64_t now = edo__now(self);
    edo__spin_lock(&r->edo__q.lock);
    if (r->edo__q.head != NULL)
        rc = n > r->edo__burst ? -EINVAL : -EAGAIN;
    else
        rc = try_acquire(r, n, now);
    if (rc == -EAGAIN)
        return acquire_in_line(r, self, n);
    edo__spin_unlock(&r->edo__q.lock);
    return rc;
}

int edo_ratelimit_acquire_nowait(edo_ratelimit *r, uint64_t n)
{
    int64_t now = edo_now();
    edo__spin_lock(&r->edo__q.lock);
    int rc;
    if (r->edo__q.head != NULL)
        rc = n > r->edo__burst ? -EINVAL : -EAGAIN;
    else
        rc = try_acquire(r, n, now);
    edo__spin_unlock(&r->edo__q.lock);
    return rc;
}

int64_t edo_ratelimit_ready(edo_ratelimit *r, uint64_t n)
{
    int64_t now = edo_now();
    edo__spin_lock(&r->edo__q.lock);
    count(r, now);
    uint64_t all = n;
    for (const edo__waiter *w = r->edo__q.head; w != NULL; w = w->next) {
        if (w->n <= r->edo__burst && __builtin_add_overflow(all, w->n, &all))
            all = UINT64_MAX;
    }
    int64_t at = n <= r->edo__burst ? when(r, all) : EDO_FOREVER;
    edo__spin_unlock(&r->edo__q.lock);
    return at;
}

uint64_t edo_ratelimit_available(edo_ratelimit *r)
{
    int64_t now = edo_now();
    edo__spin_lock(&r->edo__q.lock);
    count(r, now);
    uint64_t tokens = r->edo__tokens;
    edo__spin_unlock(&r->edo__q.lock);
    return tokens;
}

int edo_ratelimit_set(edo_ratelimit *r, uint64_t rate, int64_t per, uint64_t burst)
{
    if (!valid(per, burst))
        return -EINVAL;
    int64_t now = edo_now();
    edo__spin_lock(&r->edo__q.lock);
    count(r, now);
    r->edo__part = (uint64_t)((wide)r->edo__part * (uint64_t)per / (uint64_t)r->edo__per);
    r->edo__rate = rate;
    r->edo__per = per;
    r->edo__burst = burst;
    if (r->edo__tokens >= burst) {
        r->edo__tokens = burst;
        r->edo__part = 0;
    }
    edo__task *head = edo__line_call(&r->edo__q);
    edo__spin_unlock(&r->edo__q.lock);
    edo__line_called(head);
    return 0;
}
