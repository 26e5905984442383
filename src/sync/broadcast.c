/* SPDX-License-Identifier: MIT */
/* Broadcast: a ring of the last values, numbered from the first one ever sent, and for each receiver
 * the number it wants next. All under one spin lock.
 *
 * A sender does not hand over: it wakes everybody who waits, and each takes its value itself. A
 * receiver has one user, so what made it wake up is still there (or was overwritten meanwhile, which
 * is a lag like any other); and a cancelled one has taken nothing.
 *
 * Two counts: refs, of those who may send, the last of which closes; and holds, on the memory: one
 * for all refs together and one per receiver. */
#include "sync/cases.h"
#include "sync/waiting.h"

#include <edo/broadcast.h>
#include <limits.h>
#include <stdlib.h>

#define SIZE_LIMIT 65536

struct edo_broadcast {
    edo__waitq waiting; /* receivers; its lock is over everything but refs and holds */
    edo__waitq lonely;  /* who waits until there is no receiver; its own lock is not used */
    bool closed;
    size_t n_rx;
    edo_broadcast_rx *first_rx;
    uint64_t sent; /* the number of the next value */
    size_t size, capacity;
    uint32_t refs;  /* atomic */
    uint32_t holds; /* atomic */
    unsigned char ring[] __attribute__((aligned(16)));
};

int edo_broadcast_create(edo_broadcast **out, size_t size, size_t capacity)
{
    size_t bytes;
    if (size > SIZE_LIMIT || capacity == 0 || __builtin_mul_overflow(size, capacity, &bytes) ||
        bytes > PTRDIFF_MAX - sizeof(edo_broadcast))
        return -EINVAL;
    edo_broadcast *b = malloc(sizeof *b + bytes);
    if (b == NULL)
        return -ENOMEM;
    *b = (edo_broadcast){ .size = size, .capacity = capacity, .refs = 1, .holds = 1 };
    *out = b;
    return 0;
}

edo_broadcast *edo_broadcast_ref(edo_broadcast *b)
{
    edo__aadd(&b->refs, 1u, EDO__RLX); /* relaxed: the caller's own reference keeps it alive */
    return b;
}

static void let_go(edo_broadcast *b)
{
    /* release: what was done to it comes before; acquire: and is seen by who frees it */
    if (edo__asub(&b->holds, 1u, EDO__AR) == 1)
        free(b);
}

void edo_broadcast_unref(edo_broadcast *b)
{
    /* as in let_go(), for the close */
    if (b == NULL || edo__asub(&b->refs, 1u, EDO__AR) != 1)
        return;
    edo_broadcast_close(b);
    edo_assert(b->lonely.head == NULL);
    let_go(b);
}

int edo_broadcast_send(edo_broadcast *b, const void *value)
{
    edo__wakes wakes = { 0 };
    int rc = -EPIPE;
    edo__spin_lock(&b->waiting.lock);
    if (!b->closed) {
        rc = b->n_rx < INT_MAX ? (int)b->n_rx : INT_MAX;
        edo__copy(b->ring + b->sent % b->capacity * b->size, value, b->size);
        b->sent++;
        edo__wakes_claim_all(&wakes, &b->waiting, 0);
    }
    edo__spin_unlock(&b->waiting.lock);
    edo__wakes_run(&wakes);
    return rc;
}

void edo_broadcast_close(edo_broadcast *b)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&b->waiting.lock);
    b->closed = true;
    edo__wakes_claim_all(&wakes, &b->waiting, 0);
    edo__spin_unlock(&b->waiting.lock);
    edo__wakes_run(&wakes);
}

bool edo_broadcast_closed(edo_broadcast *b)
{
    edo__spin_lock(&b->waiting.lock);
    bool closed = b->closed;
    edo__spin_unlock(&b->waiting.lock);
    return closed;
}

size_t edo_broadcast_receivers(edo_broadcast *b)
{
    edo__spin_lock(&b->waiting.lock);
    size_t n = b->n_rx;
    edo__spin_unlock(&b->waiting.lock);
    return n;
}

/* Under the lock: the number of the oldest value kept. */
static uint64_t oldest(const edo_broadcast *b)
{
    return b->sent > b->capacity ? b->sent - b->capacity : 0;
}

static size_t pending(const edo_broadcast *b, const edo_broadcast_rx *rx)
{
    uint64_t from = rx->edo__next > oldest(b) ? rx->edo__next : oldest(b);
    return (size_t)(b->sent - from);
}

size_t edo_broadcast_len(edo_broadcast *b)
{
    size_t most = 0;
    edo__spin_lock(&b->waiting.lock);
    for (const edo_broadcast_rx *rx = b->first_rx; rx != NULL; rx = rx->edo__rx_next) {
        size_t n = pending(b, rx);
        most = n > most ? n : most;
    }
    edo__spin_unlock(&b->waiting.lock);
    return most;
}

int edo_broadcast_wait_no_receivers(edo_broadcast *b)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__spin_lock(&b->waiting.lock);
    if (b->n_rx == 0) {
        edo__spin_unlock(&b->waiting.lock);
        edo__coop(self);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    return edo__waitq_wait(&b->lonely, &b->waiting.lock, &w, EDO__WHY_BROADCAST, b);
}

void edo_broadcast_subscribe(edo_broadcast *b, edo_broadcast_rx *rx)
{
    edo__aadd(&b->holds, 1u, EDO__RLX); /* relaxed: as in edo_broadcast_ref() */
    edo__spin_lock(&b->waiting.lock);
    *rx = (edo_broadcast_rx){ .edo__b = b, .edo__next = b->sent, .edo__rx_next = b->first_rx };
    if (b->first_rx != NULL)
        b->first_rx->edo__rx_prev = rx;
    b->first_rx = rx;
    b->n_rx++;
    edo__spin_unlock(&b->waiting.lock);
}

void edo_broadcast_resubscribe(const edo_broadcast_rx *other, edo_broadcast_rx *rx)
{
    edo_broadcast_subscribe(other->edo__b, rx);
}

void edo_broadcast_unsubscribe(edo_broadcast_rx *rx)
{
    edo_broadcast *b = rx->edo__b;
    edo__wakes wakes = { 0 };
    edo__spin_lock(&b->waiting.lock);
    if (rx->edo__rx_prev != NULL)
        rx->edo__rx_prev->edo__rx_next = rx->edo__rx_next;
    else
        b->first_rx = rx->edo__rx_next;
    if (rx->edo__rx_next != NULL)
        rx->edo__rx_next->edo__rx_prev = rx->edo__rx_prev;
    if (--b->n_rx == 0)
        edo__wakes_claim_all(&wakes, &b->lonely, 0);
    edo__spin_unlock(&b->waiting.lock);
    edo__wakes_run(&wakes);
    rx->edo__b = NULL;
    let_go(b);
}

/* Under the lock. */
static bool is_ready(const edo_broadcast *b, const edo_broadcast_rx *rx)
{
    return rx->edo__next != b->sent || b->closed;
}

/* Under the lock: 0, -EAGAIN, -EOVERFLOW, -EPIPE. */
static int take(edo_broadcast *b, edo_broadcast_rx *rx, void *value)
{
    if (rx->edo__next == b->sent)
        return b->closed ? -EPIPE : -EAGAIN;
    uint64_t first = oldest(b);
    if (rx->edo__next < first) {
        rx->edo__lagged = first - rx->edo__next;
        rx->edo__next = first;
        return -EOVERFLOW;
    }
    edo__copy(value, b->ring + rx->edo__next % b->capacity * b->size, b->size);
    rx->edo__next++;
    return 0;
}

int edo_broadcast_recv(edo_broadcast_rx *rx, void *value)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo_broadcast *b = rx->edo__b;
    edo__waitq *q = &b->waiting;
    edo__spin_lock(&q->lock);
    rc = take(b, rx, value);
    if (rc != -EAGAIN) {
        edo__spin_unlock(&q->lock);
        edo__coop(self);
        return rc;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_BROADCAST, b);
    return rc == 0 ? edo_broadcast_recv_nowait(rx, value) : rc;
}

int edo_broadcast_recv_nowait(edo_broadcast_rx *rx, void *value)
{
    edo_broadcast *b = rx->edo__b;
    edo__spin_lock(&b->waiting.lock);
    int rc = take(b, rx, value);
    edo__spin_unlock(&b->waiting.lock);
    return rc;
}

uint64_t edo_broadcast_lagged(const edo_broadcast_rx *rx)
{
    return rx->edo__lagged; /* its user's own */
}

size_t edo_broadcast_pending(const edo_broadcast_rx *rx)
{
    edo_broadcast *b = rx->edo__b;
    edo__spin_lock(&b->waiting.lock);
    size_t n = pending(b, rx);
    edo__spin_unlock(&b->waiting.lock);
    return n;
}

int edo__broadcast_arm(edo_broadcast_rx *rx, edo__waiter *w)
{
    edo_broadcast *b = rx->edo__b;
    int rc = EDO__DECIDED;
    edo__spin_lock(&b->waiting.lock);
    if (is_ready(b, rx)) {
        (void)edo__claim(w->task, w->code);
    } else {
        edo__waitq_push(&b->waiting, w);
        rc = EDO__ARMED;
    }
    edo__spin_unlock(&b->waiting.lock);
    return rc;
}

void edo__broadcast_disarm(edo_broadcast_rx *rx, edo__waiter *w)
{
    edo__waitq *q = &rx->edo__b->waiting;
    edo__spin_lock(&q->lock);
    edo__waitq_remove(q, w);
    edo__spin_unlock(&q->lock);
}
