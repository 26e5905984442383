/* SPDX-License-Identifier: MIT */
/* Channels: a store for values and two queues, all under one spin lock that every operation takes
 * once.
 *
 * Values go straight from one task's frame to the other's when the other waits; the store is for
 * when nobody does. First come, first served holds because values inside the store are older than
 * those of waiting senders, and nobody waits while it could proceed (the invariants are in
 * chan_impl.h). */
#include "sync/chan_impl.h"

#define SIZE_LIMIT 65536

int edo_chan_create(edo_chan **out, size_t size, size_t capacity)
{
    size_t bytes = 0;
    if (size > SIZE_LIMIT)
        return -EINVAL;
    if (capacity != EDO_UNBOUNDED && (__builtin_mul_overflow(size, capacity, &bytes) ||
                                      bytes > PTRDIFF_MAX - sizeof(edo_chan) - EDO__CACHE_LINE))
        return -EINVAL;
    bytes = (sizeof(edo_chan) + bytes + EDO__CACHE_LINE - 1) & ~(size_t)(EDO__CACHE_LINE - 1);
    edo_chan *c = aligned_alloc(EDO__CACHE_LINE, bytes);
    if (c == NULL)
        return -ENOMEM;
    c->lock = 0;
    c->closed = 0;
    c->receivers = (edo__waitq){ .state = EDO__USER_NONE };
    c->senders = (edo__waitq){ .state = EDO__USER_NONE };
    c->closers = (edo__waitq){ 0 };
    c->reserved = c->reservers = 0;
    c->n_senders = c->n_receivers = 0;
    c->sent_by = (edo__users){ 0 };
    c->received_by = (edo__users){ 0 };
    c->refs = 1;
    edo__store_init(&c->store, c->ring, size, capacity);
    *out = c;
    return 0;
}

edo_chan *edo_chan_ref(edo_chan *c)
{
    edo__aadd(&c->refs, 1u, EDO__RLX); /* relaxed: the caller's own reference keeps it alive */
    return c;
}

void edo_chan_unref(edo_chan *c)
{
    /* release: what was done to it comes before; acquire: and is seen by who frees it */
    if (c == NULL || edo__asub(&c->refs, 1u, EDO__AR) != 1)
        return;
    edo_assert(c->receivers.head == NULL && c->senders.head == NULL && c->closers.head == NULL);
    edo_assert(c->reserved == 0 && "a permit is still out");
    edo__store_deinit(&c->store);
    free(c);
}

__attribute__((noinline)) void edo__users_add(edo__users *u, uint32_t who)
{
    if (u->n > EDO__USERS_MAX)
        return;
    for (uint32_t i = 0; i < u->n; i++) {
        if (u->who[i] == who)
            return;
    }
    if (u->n < EDO__USERS_MAX)
        u->who[u->n] = who;
    u->n++;
}

/* Pops and claims the first live receiver: it stays as it is until the lock is released. NULL:
 * none. */
static inline edo__waiter *claim_receiver(edo_chan *c, edo__chan_after *a)
{
    edo__waiter *w;
    while ((w = edo__waitq_pop(&c->receivers)) != NULL) {
        uint32_t was = edo__claim(w->task, w->code);
        if (edo__unlikely(was == EDO__WORD_IDLE))
            continue;
        edo__chan_woken(a, w, was);
        return w;
    }
    return NULL;
}

/* The same for the first live sender, past reservers, whom a receiver is of no use to. */
static inline edo__waiter *claim_sender(edo_chan *c, edo__chan_after *a)
{
    edo__waiter *next;
    for (edo__waiter *w = c->senders.head; w != NULL; w = next) {
        next = w->next;
        if (edo__unlikely(w->n != 0))
            continue;
        edo__waitq_remove(&c->senders, w);
        uint32_t was = edo__claim(w->task, w->code);
        if (edo__unlikely(was == EDO__WORD_IDLE))
            continue;
        edo__chan_woken(a, w, was);
        return w;
    }
    return NULL;
}

/* As long as there is enough room for the first in line, it gets it. */
static inline __attribute__((always_inline)) void admit(edo_chan *c, edo__chan_after *a)
{
    edo__waiter *w;
    while ((w = c->senders.head) != NULL) {
        size_t room = c->store.cap - c->store.count - c->reserved;
        if (room == 0 || room < w->n)
            return;
        edo__chan_unline(c, w);
        uint32_t was = edo__claim(w->task, w->code);
        if (edo__unlikely(was == EDO__WORD_IDLE))
            continue;
        if (edo__likely(w->n == 0)) {
            edo__store_put(&c->store, w->value);
        } else {
            c->reserved += w->n;
            edo__chan_set_limit(c);
        }
        edo__chan_woken(a, w, was);
    }
}

static inline __attribute__((always_inline)) int take(edo_chan *c, void *value, edo__chan_after *a)
{
    edo__waiter *w;
    if (c->store.count > 0) {
        edo__block *drop = edo__store_take(&c->store, value);
        if (edo__unlikely(drop != NULL)) {
            drop->next = a->drop;
            a->drop = drop;
        }
        if (edo__unlikely(c->senders.head != NULL))
            admit(c, a);
        return 0;
    }
    if (c->senders.head != NULL && (w = claim_sender(c, a)) != NULL) {
        edo__copy(value, w->value, c->store.size);
        return 0;
    }
    return edo__unlikely(c->closed) && c->reserved == 0 ? -EPIPE : -EAGAIN;
}

static inline __attribute__((always_inline)) int give(edo_chan *c, const void *value,
                                                      edo__chan_after *a)
{
    edo__waiter *w;
    if (edo__unlikely(c->closed))
        return -EPIPE;
    if (c->receivers.head != NULL && (w = claim_receiver(c, a)) != NULL) {
        edo__copy(w->value, value, c->store.size);
        return 0;
    }
    if (edo__unlikely(!edo__store_has_room(&c->store)))
        return -EAGAIN;
    edo__store_put(&c->store, value);
    return 0;
}

int edo__chan_take(edo_chan *c, void *value, edo__chan_after *a)
{
    return take(c, value, a);
}

int edo__chan_give(edo_chan *c, const void *value, edo__chan_after *a)
{
    return give(c, value, a);
}

void edo__chan_pass(edo_chan *c, const void *value, edo__chan_after *a)
{
    edo__waiter *w;
    if (c->receivers.head != NULL && (w = claim_receiver(c, a)) != NULL)
        edo__copy(w->value, value, c->store.size);
    else
        edo__store_put(&c->store, value);
}

void edo__chan_admit(edo_chan *c, edo__chan_after *a)
{
    admit(c, a);
}

int edo__chan_make_room(edo_chan *c)
{
    edo__spin_unlock(&c->lock);
    edo__block *b = edo__block_alloc(&c->store);
    edo__spin_lock(&c->lock);
    if (b == NULL)
        return -ENOMEM;
    if (!edo__store_offer(&c->store, b)) { /* others were faster; theirs is as good */
        edo__spin_unlock(&c->lock);
        free(b);
        edo__spin_lock(&c->lock);
    }
    return 0;
}

/* The rare rest of a send that found no room. The lock is held on entry and released. */
static __attribute__((noinline)) int send_slow(edo_chan *c, const void *value, edo__task *self)
{
    edo__chan_after after = { 0 };
    int rc = -EAGAIN;
    if (c->reservers != 0) { /* are they still there? */
        edo__chan_admit(c, &after);
        edo__chan_pause(c, &after, self);
        rc = edo__chan_give(c, value, &after);
    }
    while (rc == -EAGAIN && edo__store_unbounded(&c->store)) {
        rc = edo__chan_make_room(c);
        if (rc == 0)
            rc = edo__chan_give(c, value, &after);
    }
    if (rc != -EAGAIN || self == NULL) {
        edo__spin_unlock(&c->lock);
        edo__chan_finish(&after, self);
        return rc;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .value = (void *)value };
    rc = edo__waitq_wait(&c->senders, &c->lock, &w, EDO__WHY_SEND, c);
    return rc == 0 ? w.result : rc;
}

int edo_chan_send(edo_chan *c, const void *value)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->senders, &c->sent_by, self);
    rc = give(c, value, &after);
    if (edo__unlikely(rc == -EAGAIN))
        return send_slow(c, value, self);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    edo__coop(self);
    return rc;
}

/* In these nothing suspends: edo__tls_self is read as in edo__self_here(). A foreign thread is given
 * no stand-in for that. */
EDO__ENTRY int edo_chan_send_nowait(edo_chan *c, const void *value)
{
    edo__task *self = edo__tls_self;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->senders, &c->sent_by, self);
    int rc = edo__chan_give(c, value, &after);
    if (edo__unlikely(rc == -EAGAIN))
        return send_slow(c, value, NULL);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    return rc;
}

int edo_chan_recv(edo_chan *c, void *value)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->receivers, &c->received_by, self);
    rc = take(c, value, &after);
    if (rc == -EAGAIN) {
        edo__waiter w; /* what the queue sets is left alone: it is the hottest of paths */
        w.task = self;
        w.code = EDO__WAKE_OK;
        w.select = false;
        w.result = 0;
        w.value = value;
        w.n = 0;
        rc = edo__waitq_wait(&c->receivers, &c->lock, &w, EDO__WHY_RECV, c);
        return edo__likely(rc == 0) ? w.result : rc;
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    edo__coop(self);
    return rc;
}

EDO__ENTRY int edo_chan_recv_nowait(edo_chan *c, void *value)
{
    edo__task *self = edo__tls_self;
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->receivers, &c->received_by, self);
    int rc = edo__chan_take(c, value, &after);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, self);
    return rc;
}

void edo__chan_close_now(edo_chan *c, edo__chan_after *a)
{
    c->closed = 1;
    edo__wakes_claim_all(&a->more, &c->senders, -EPIPE);
    c->reservers = 0;
    if (c->reserved == 0)
        edo__wakes_claim_all(&a->more, &c->receivers, -EPIPE);
    edo__wakes_claim_all(&a->more, &c->closers, 0);
}

void edo_chan_close(edo_chan *c)
{
    edo__chan_after after = { 0 };
    edo__spin_lock(&c->lock);
    edo__chan_close_now(c, &after);
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
}
