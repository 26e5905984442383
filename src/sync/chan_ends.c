/* SPDX-License-Identifier: MIT */
/* The ends of a channel: who still sends, who still receives, and waiting for its close. An end is
 * a reference that is counted once more, under the lock, because the last one closes. */
#include "sync/chan_impl.h"

static int end_ref(edo_chan *c, size_t *ends)
{
    edo__spin_lock(&c->lock);
    int rc = c->closed ? -EPIPE : 0;
    if (rc == 0)
        ++*ends;
    edo__spin_unlock(&c->lock);
    if (rc == 0)
        edo_chan_ref(c);
    return rc;
}

static void end_unref(edo_chan *c, size_t *ends)
{
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo_assert(*ends > 0);
    if (--*ends == 0)
        edo__chan_close_now(c, &after);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
    edo_chan_unref(c);
}

int edo_chan_sender_ref(edo_chan *c)
{
    return end_ref(c, &c->n_senders);
}

void edo_chan_sender_unref(edo_chan *c)
{
    if (c != NULL)
        end_unref(c, &c->n_senders);
}

int edo_chan_receiver_ref(edo_chan *c)
{
    return end_ref(c, &c->n_receivers);
}

void edo_chan_receiver_unref(edo_chan *c)
{
    if (c != NULL)
        end_unref(c, &c->n_receivers);
}

static size_t read_locked(edo_chan *c, const size_t *what)
{
    edo__spin_lock(&c->lock);
    size_t n = *what;
    edo__spin_unlock(&c->lock);
    return n;
}

size_t edo_chan_senders(edo_chan *c)
{
    return read_locked(c, &c->n_senders);
}

size_t edo_chan_receivers(edo_chan *c)
{
    return read_locked(c, &c->n_receivers);
}

size_t edo_chan_len(edo_chan *c)
{
    return read_locked(c, &c->store.count);
}

size_t edo_chan_capacity(const edo_chan *c)
{
    return c->store.cap; /* never changes */
}

size_t edo_chan_room(edo_chan *c)
{
    if (edo__store_unbounded(&c->store))
        return EDO_UNBOUNDED;
    edo__spin_lock(&c->lock);
    size_t n = c->store.cap - c->store.count - c->reserved;
    edo__spin_unlock(&c->lock);
    return n;
}

bool edo_chan_closed(edo_chan *c)
{
    edo__spin_lock(&c->lock);
    bool closed = c->closed != 0;
    edo__spin_unlock(&c->lock);
    return closed;
}

int edo_chan_wait_closed(edo_chan *c)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__spin_lock(&c->lock);
    if (c->closed) {
        edo__spin_unlock(&c->lock);
        edo__coop(self);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    return edo__waitq_wait(&c->closers, &c->lock, &w, EDO__WHY_CHAN_CLOSE, c);
}
