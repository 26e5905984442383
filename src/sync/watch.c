/* SPDX-License-Identifier: MIT */
/* Watch: a value with a version, under one spin lock, and a queue of receivers that have seen it.
 * Nobody waits unless it has seen the present version and the watch is open; every change wakes all.
 *
 * Two counts, as in broadcast.c: refs, of those who may send, the last of which closes; and holds,
 * on the memory: one for all refs together and one per receiver. */
#include "sync/cases.h"
#include "sync/waiting.h"

#include <edo/watch.h>
#include <stdlib.h>

#define SIZE_LIMIT 65536

struct edo_watch {
    edo__waitq waiting; /* receivers; its lock is over everything but refs and holds */
    edo__waitq lonely;  /* who waits until there is no receiver; its own lock is not used */
    uint64_t version;
    size_t size;
    size_t n_rx;
    bool closed;
    uint32_t refs;  /* atomic */
    uint32_t holds; /* atomic */
    unsigned char value[] __attribute__((aligned(16)));
};

int edo_watch_create(edo_watch **out, size_t size, const void *initial)
{
    if (size > SIZE_LIMIT)
        return -EINVAL;
    edo_watch *w = malloc(sizeof *w + size);
    if (w == NULL)
        return -ENOMEM;
    *w = (edo_watch){ .version = 1, .size = size, .refs = 1, .holds = 1 };
    if (initial != NULL)
        edo__copy(w->value, initial, size);
    else
        memset(w->value, 0, size);
    *out = w;
    return 0;
}

edo_watch *edo_watch_ref(edo_watch *w)
{
    edo__aadd(&w->refs, 1u, EDO__RLX); /* relaxed: the caller's own reference keeps it alive */
    return w;
}

static void let_go(edo_watch *w)
{
    /* release: what was done to it comes before; acquire: and is seen by who frees it */
    if (edo__asub(&w->holds, 1u, EDO__AR) == 1)
        free(w);
}

void edo_watch_unref(edo_watch *w)
{
    /* as in let_go(), for the close */
    if (w == NULL || edo__asub(&w->refs, 1u, EDO__AR) != 1)
        return;
    edo_watch_close(w);
    edo_assert(w->lonely.head == NULL);
    let_go(w);
}

/* What a sender does to the value, under the lock; true: it has a new one. */
typedef struct change {
    const void *value;
    void *old;
    bool (*fn)(void *value, void *arg);
    void *arg;
} change;

static bool apply(edo_watch *w, const change *c)
{
    if (c->fn != NULL)
        return c->fn(w->value, c->arg);
    if (c->old != NULL)
        edo__copy(c->old, w->value, w->size);
    edo__copy(w->value, c->value, w->size);
    return true;
}

static int change_it(edo_watch *w, const change *c)
{
    edo__wakes wakes = { 0 };
    int rc = -EPIPE;
    edo__spin_lock(&w->waiting.lock);
    if (!w->closed) {
        rc = apply(w, c);
        if (rc > 0) {
            w->version++;
            edo__wakes_claim_all(&wakes, &w->waiting, 0);
        }
    }
    edo__spin_unlock(&w->waiting.lock);
    edo__wakes_run(&wakes);
    return rc;
}

int edo_watch_send(edo_watch *w, const void *value)
{
    int rc = change_it(w, &(change){ .value = value });
    return rc < 0 ? rc : 0;
}

int edo_watch_replace(edo_watch *w, const void *value, void *old)
{
    int rc = change_it(w, &(change){ .value = value, .old = old });
    return rc < 0 ? rc : 0;
}

int edo_watch_modify(edo_watch *w, bool (*fn)(void *value, void *arg), void *arg)
{
    return change_it(w, &(change){ .fn = fn, .arg = arg });
}

/* Under the lock. */
static void copy_out(const edo_watch *w, void *value)
{
    if (value != NULL)
        edo__copy(value, w->value, w->size);
}

uint64_t edo_watch_get(edo_watch *w, void *value)
{
    edo__spin_lock(&w->waiting.lock);
    copy_out(w, value);
    uint64_t version = w->version;
    edo__spin_unlock(&w->waiting.lock);
    return version;
}

void edo_watch_close(edo_watch *w)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&w->waiting.lock);
    w->closed = true;
    edo__wakes_claim_all(&wakes, &w->waiting, -EPIPE);
    edo__spin_unlock(&w->waiting.lock);
    edo__wakes_run(&wakes);
}

bool edo_watch_closed(edo_watch *w)
{
    edo__spin_lock(&w->waiting.lock);
    bool closed = w->closed;
    edo__spin_unlock(&w->waiting.lock);
    return closed;
}

size_t edo_watch_receivers(edo_watch *w)
{
    edo__spin_lock(&w->waiting.lock);
    size_t n = w->n_rx;
    edo__spin_unlock(&w->waiting.lock);
    return n;
}

int edo_watch_wait_no_receivers(edo_watch *w)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__spin_lock(&w->waiting.lock);
    if (w->n_rx == 0) {
        edo__spin_unlock(&w->waiting.lock);
        edo__coop(self);
        return 0;
    }
    edo__waiter waiter = { .task = self, .code = EDO__WAKE_OK };
    return edo__waitq_wait(&w->lonely, &w->waiting.lock, &waiter, EDO__WHY_WATCH, w);
}

void edo_watch_subscribe(edo_watch *w, edo_watch_rx *rx)
{
    edo__aadd(&w->holds, 1u, EDO__RLX); /* relaxed: as in edo_watch_ref() */
    edo__spin_lock(&w->waiting.lock);
    *rx = (edo_watch_rx){ w, w->version };
    w->n_rx++;
    edo__spin_unlock(&w->waiting.lock);
}

void edo_watch_unsubscribe(edo_watch_rx *rx)
{
    edo_watch *w = rx->edo__w;
    edo__wakes wakes = { 0 };
    edo__spin_lock(&w->waiting.lock);
    if (--w->n_rx == 0)
        edo__wakes_claim_all(&wakes, &w->lonely, 0);
    edo__spin_unlock(&w->waiting.lock);
    edo__wakes_run(&wakes);
    rx->edo__w = NULL;
    let_go(w);
}

/* Under the lock: 0 newer, -EAGAIN, -EPIPE. */
static int look(const edo_watch *w, const edo_watch_rx *rx)
{
    if (w->version != rx->edo__seen)
        return 0;
    return w->closed ? -EPIPE : -EAGAIN;
}

/* Waits for a change; the lock is held on entry and not on return. */
static int wait_locked(edo_watch *w, edo__task *self)
{
    edo__waiter waiter = { .task = self, .code = EDO__WAKE_OK };
    int rc = edo__waitq_wait(&w->waiting, &w->waiting.lock, &waiter, EDO__WHY_WATCH, w);
    return rc == 0 ? waiter.result : rc;
}

int edo_watch_changed(edo_watch_rx *rx)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo_watch *w = rx->edo__w;
    edo__spin_lock(&w->waiting.lock);
    rc = look(w, rx);
    if (rc == -EAGAIN)
        return wait_locked(w, self);
    edo__spin_unlock(&w->waiting.lock);
    edo__coop(self);
    return rc;
}

int edo_watch_changed_nowait(edo_watch_rx *rx)
{
    edo_watch *w = rx->edo__w;
    edo__spin_lock(&w->waiting.lock);
    int rc = look(w, rx);
    edo__spin_unlock(&w->waiting.lock);
    return rc;
}

bool edo_watch_has_changed(edo_watch_rx *rx)
{
    return edo_watch_changed_nowait(rx) == 0;
}

uint64_t edo_watch_read(edo_watch_rx *rx, void *value)
{
    rx->edo__seen = edo_watch_get(rx->edo__w, value);
    return rx->edo__seen;
}

uint64_t edo_watch_peek(edo_watch_rx *rx, void *value)
{
    return edo_watch_get(rx->edo__w, value);
}

void edo_watch_mark_changed(edo_watch_rx *rx)
{
    rx->edo__seen = 0; /* no value's */
}

void edo_watch_mark_unchanged(edo_watch_rx *rx)
{
    (void)edo_watch_read(rx, NULL);
}

int edo_watch_wait_for(edo_watch_rx *rx, bool (*holds)(const void *value, void *arg), void *arg,
                       void *value)
{
    edo__task *self = edo__self();
    edo_watch *w = rx->edo__w;
    int rc = 0;
    while (rc == 0) { /* once per change */
        rc = edo__checkpoint(self);
        if (rc < 0)
            return rc;
        edo__spin_lock(&w->waiting.lock);
        rx->edo__seen = w->version;
        bool met = holds(w->value, arg);
        if (!met && !w->closed) {
            rc = wait_locked(w, self);
            if (rc == -EPIPE) /* a last change may have come just before the close */
                rc = 0;
            continue;
        }
        if (met)
            copy_out(w, value);
        edo__spin_unlock(&w->waiting.lock);
        edo__coop(self);
        return met ? 0 : -EPIPE;
    }
    return rc;
}

int edo__watch_arm(edo_watch_rx *rx, edo__waiter *waiter)
{
    edo_watch *w = rx->edo__w;
    edo__spin_lock(&w->waiting.lock);
    int rc = look(w, rx);
    if (rc == -EAGAIN)
        edo__waitq_push(&w->waiting, waiter);
    else if (edo__claim(waiter->task, waiter->code) != EDO__WORD_IDLE)
        waiter->result = rc;
    edo__spin_unlock(&w->waiting.lock);
    return rc == -EAGAIN ? EDO__ARMED : EDO__DECIDED;
}

void edo__watch_disarm(edo_watch_rx *rx, edo__waiter *waiter)
{
    edo__waitq *q = &rx->edo__w->waiting;
    edo__spin_lock(&q->lock);
    edo__waitq_remove(q, waiter);
    edo__spin_unlock(&q->lock);
}
