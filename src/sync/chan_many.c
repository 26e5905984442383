/* SPDX-License-Identifier: MIT */
/* Several values per lock: a batch, and then the lock is free for a moment, so that a caller who
 * asks for a million holds up nobody. */
#include "sync/chan_impl.h"

#include <limits.h>

#define BATCH 32

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

/* The n-th value; NULL may stand for values of size 0. */
static void *nth(const edo_chan *c, const void *values, size_t n)
{
    return c->store.size == 0 ? (void *)values : (unsigned char *)values + n * c->store.size;
}

/* One batch: how many, or -EAGAIN, -EPIPE. */
static int take_batch(edo_chan *c, void *values, size_t max, edo__task *self)
{
    edo__chan_after after = { 0 };
    size_t n = 0;
    int rc = 0;
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->receivers, &c->received_by, self);
    while (n < max && (rc = edo__chan_take(c, nth(c, values, n), &after)) == 0)
        n++;
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    return n > 0 ? (int)n : rc;
}

/* self: NULL for a foreign thread that has not waited yet. */
static int take_many(edo_chan *c, void *values, size_t max, edo__task *self)
{
    size_t n = 0;
    int rc = 0;
    max = at_most(max, INT_MAX);
    while (n < max) {
        size_t want = at_most(max - n, BATCH);
        rc = take_batch(c, nth(c, values, n), want, self);
        if (rc < 0)
            break;
        n += (size_t)rc;
        if ((size_t)rc < want)
            break;
    }
    return n > 0 ? (int)n : rc;
}

EDO__ENTRY int edo_chan_recv_many_nowait(edo_chan *c, void *values, size_t max)
{
    return take_many(c, values, max, edo__tls_self); /* as in edo__self_here() */
}

int edo_chan_recv_many(edo_chan *c, void *values, size_t max)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    rc = take_many(c, values, max, self);
    if (rc != -EAGAIN) {
        edo__coop(self);
        return rc;
    }
    rc = edo_chan_recv(c, values);
    if (rc < 0)
        return rc;
    size_t rest = at_most(max, INT_MAX) - 1;
    rc = take_many(c, nth(c, values, 1), rest, self);
    return rc > 0 ? 1 + rc : 1;
}

/* One batch: how many, or -EAGAIN, -EPIPE, -ENOMEM. */
static int give_batch(edo_chan *c, const void *values, size_t max, edo__task *self)
{
    edo__chan_after after = { 0 };
    size_t n = 0;
    int rc = 0;
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->senders, &c->sent_by, self);
    while (n < max && rc == 0) {
        rc = edo__chan_give(c, nth(c, values, n), &after);
        if (rc == 0)
            n++;
        else if (rc == -EAGAIN && edo__store_unbounded(&c->store))
            rc = edo__chan_make_room(c);
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    return n > 0 ? (int)n : rc;
}

static int give_many(edo_chan *c, const void *values, size_t count, edo__task *self)
{
    size_t n = 0;
    int rc = 0;
    count = at_most(count, INT_MAX);
    while (n < count) {
        size_t want = at_most(count - n, BATCH);
        rc = give_batch(c, nth(c, values, n), want, self);
        if (rc < 0)
            break;
        n += (size_t)rc;
        if ((size_t)rc < want)
            break;
    }
    return n > 0 ? (int)n : rc;
}

EDO__ENTRY int edo_chan_send_many_nowait(edo_chan *c, const void *values, size_t count)
{
    return give_many(c, values, count, edo__tls_self); /* as in edo__self_here() */
}

int edo_chan_send_many(edo_chan *c, const void *values, size_t count)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    size_t n = 0;
    count = at_most(count, INT_MAX);
    while (n < count) {
        rc = give_many(c, nth(c, values, n), count - n, self);
        if (rc > 0) {
            n += (size_t)rc;
            edo__coop(self);
            continue;
        }
        /* one that waits in line like everybody else; then there may be room for more */
        rc = rc == -EAGAIN ? edo_chan_send(c, nth(c, values, n)) : rc;
        if (rc < 0)
            break;
        n++;
    }
    return n > 0 ? (int)n : rc;
}
