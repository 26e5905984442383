/* SPDX-License-Identifier: MIT */
/* Waiting and waking: what every suspending operation is made of.
 *
 *     int rc = edo__checkpoint(self);           // cancelled: without effect
 *     if (rc < 0) return rc;
 *     edo__spin_lock(&q->lock);
 *     if (ready) { take; unlock; edo__coop(self); return 0; }
 *     edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
 *     if (!edo__wait_begin(self, true)) { unlock; return -ECANCELED; }
 *     edo__waitq_push(q, &w);
 *     edo__spin_unlock(&q->lock);
 *     uint32_t code = edo__wait_commit(self, &q->lock, EDO__WHY_EVENT, q);
 *     if (code == EDO__WAKE_OK) return 0;       // the waker has unlinked w
 *     edo__spin_lock(&q->lock); edo__waitq_remove(q, &w); edo__spin_unlock(&q->lock);
 *     return -ECANCELED;
 *
 * The waker, holding the queue's lock:
 *
 *     while ((w = edo__waitq_pop(q)) != NULL) {
 *         uint32_t was = edo__claim(w->task, w->code);
 *         if (was == EDO__WORD_IDLE) continue;  // cancelled or timed out meanwhile: look for another
 *         hand over a value through w->value if there is one;
 *         edo__task *t = w->task;               // w is gone once t runs
 *         unlock;
 *         edo__claimed(t, was);                 // makes it runnable if it is parked
 *         break;
 *     }
 *
 * The value may be handed over after the claim because edo__wait_commit() returns only when the
 * task was scheduled by edo__claimed(), or, if it had not parked yet, after it has passed through
 * the lock. */
#ifndef EDO_CORE_WAIT_H
#define EDO_CORE_WAIT_H

#include "core/scope.h"
#include "core/task.h"

#include <edo/sync.h>

/* One entry in one queue; lives in the frame of whoever waits. */
typedef struct edo__waiter {
    struct edo__waiter *next, *prev; /* on the queue while queued; under the queue's lock */
    edo__task *task;
    uint32_t
        code;    /* the wake code it is woken with: EDO__WAKE_OK, plus the case's index in select */
    bool queued; /* under the queue's lock */
    bool select; /* one of several cases: see select.c */
    int32_t result; /* for the waker to leave: 0, -EPIPE ... */
    void *value;    /* where a value is handed over to or from */
    uint64_t n;     /* permits wanted, and the like */
} edo__waiter;

static inline void edo__waitq_push(edo__waitq *q, edo__waiter *w)
{
    w->next = NULL;
    w->prev = q->tail;
    if (q->tail != NULL)
        q->tail->next = w;
    else
        q->head = w;
    q->tail = w;
    w->queued = true;
}

/* Nothing happens when it is not queued. */
static inline void edo__waitq_remove(edo__waitq *q, edo__waiter *w)
{
    if (!w->queued)
        return;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        q->head = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        q->tail = w->prev;
    w->queued = false;
}

static inline edo__waiter *edo__waitq_pop(edo__waitq *q)
{
    edo__waiter *w = q->head;
    if (w != NULL)
        edo__waitq_remove(q, w);
    return w;
}

/* Whether the innermost scope is cancelled or past its deadline: 0 or -ECANCELED. */
int edo__checkpoint_slow(edo__task *self);
/* True: it is not. False: edo__checkpoint() has to say. */
static inline bool edo__checkpoint_quick(const edo__task *self)
{
    const edo_scope *s = self->scope;
    /* relaxed: only a hint here; edo__wait_begin() asks again in an order that counts */
    return s != NULL && edo__aload(&s->edo__cancelled, EDO__RLX) == 0 &&
           s->edo__deadline_eff == EDO_FOREVER;
}
static inline int edo__checkpoint(edo__task *self)
{
    if (edo__likely(edo__checkpoint_quick(self)))
        return 0;
    return self->scope == NULL ? 0 : edo__checkpoint_slow(self);
}

/* Spends one unit of the budget after an operation that did not have to wait; yields when it is
 * used up, so that a task whose operations are always ready starves nobody. Holding no lock. */
void edo__coop_slow(edo__task *self);
static inline void edo__coop(edo__task *self)
{
    if (edo__unlikely(--self->budget == 0))
        edo__coop_slow(self);
}

/* self has made another task the next to run, and at its next operation lets it run: spends the
 * budget. A chain of such tasks may pass by those in the ring, so who calls this bounds it. */
void edo__give_way(edo__task *self);

/* From here on the task can be claimed. cancellable: a cancel or deadline of the innermost scope
 * claims it with EDO__WAKE_CANCEL or EDO__WAKE_TIMEOUT. False: it is cancelled already; do not
 * wait. */
static inline bool edo__wait_begin(edo__task *self, bool cancellable);
/* The same with a class of wait, EDO__CANCEL_*. */
static inline bool edo__wait_begin_as(edo__task *self, uint32_t wait_class);

/* Suspends until claimed; returns the wake code. lock: of the queue whose wakers hand over values,
 * NULL if none do; must not be held. Foreign threads block. */
static inline uint32_t edo__wait_commit(edo__task *self, uint32_t *lock, edo__why why,
                                        const void *obj);

/* The same, and it is claimed with `code` when the instant `at` of the runtime's clock comes;
 * EDO_FOREVER for none. What edo_sleep() and EDO_AFTER are made of. With EDO__WAKE_LOOK it is
 * called. */
uint32_t edo__wait_commit_until(edo__task *self, uint32_t *lock, edo__why why, const void *obj,
                                int64_t at, uint32_t code);

/* Claims a waiting task for a wake code. Returns what its word was: EDO__WORD_WAITING or
 * EDO__WORD_PARKED when the claim succeeded (then edo__claimed() must follow), EDO__WORD_IDLE when
 * not. */
uint32_t edo__claim(edo__task *t, uint32_t code);
/* A cancel's claim: only of a wait that a mark of these reasons ends. */
uint32_t edo__claim_cancel(edo__task *t, uint32_t mark);
void edo__schedule_parked(edo__task *t);
/* Makes a task that is in no queue runnable; w: the calling worker. In sched.c. */
void edo__schedule_on(struct edo__worker *w, edo__task *t);
/* Calls a select that waits for something of which only it can say whether it has come. It wakes up,
 * if it is not on its way already, and looks; all the time every one of its cases can be claimed.
 * Returns EDO__WORD_PARKED when the caller has to schedule it, as after edo__claim(). Whoever calls
 * holds the lock under which it will look, or is its timer. */
uint32_t edo__wait_call(edo__task *t);
/* edo__wait_commit() has returned EDO__WORD_CALLED and a class: it was called, and looks from here on;
 * a call that comes later makes it look once more. False: it is claimed. */
bool edo__wait_answer(edo__task *self);
/* edo__schedule_parked() where the calling task or stand-in is known. */
static inline void edo__schedule_by(edo__task *self, edo__task *t)
{
    if (edo__likely(!edo__is_foreign(t) && self->rt == t->rt))
        edo__schedule_on(self->worker, t);
    else
        edo__schedule_parked(t);
}
static inline void edo__claimed(edo__task *t, uint32_t was)
{
    if (was == EDO__WORD_PARKED)
        edo__schedule_parked(t);
}
/* Both at once, for wakers that hand nothing over. */
static inline bool edo__wake(edo__task *t, uint32_t code)
{
    uint32_t was = edo__claim(t, code);
    edo__claimed(t, was);
    return was != EDO__WORD_IDLE;
}

/* Takes a wait back that was begun and not committed (and is queued nowhere): returns
 * EDO__WORD_IDLE, or the wake code when somebody claimed it first. */
uint32_t edo__wait_abort(edo__task *self);

static inline bool edo__wait_begin_as(edo__task *self, uint32_t wait_class)
{
    if (wait_class == EDO__CANCEL_NEVER || self->scope == NULL) {
        /* no cancel to look out for; who wakes it finds it through a lock */
        edo__astore(&self->word, EDO__WORD_WAITING | wait_class, EDO__REL);
        return true;
    }
    /* pairs with the mark in scope.c */
    edo__axchg(&self->word, EDO__WORD_WAITING | wait_class, EDO__SC);
    uint32_t why = edo__aload(&self->scope->edo__cancelled, EDO__SC);
    if (edo__likely(!edo__cancel_applies(wait_class, why)))
        return true;
    (void)edo__wait_abort(self); /* claimed by the cancel or not: the answer is the same */
    return false;
}

static inline bool edo__wait_begin(edo__task *self, bool cancellable)
{
    return edo__wait_begin_as(self, cancellable ? EDO__CANCEL_ANY : EDO__CANCEL_NEVER);
}

/* The state of such a word is WAITING: it is awake, or on its way. */
_Static_assert((EDO__WORD_CALLED & EDO__WORD_STATE) == EDO__WORD_WAITING, "see edo__claim()");
static inline bool edo__wait_is_called(uint32_t word)
{
    return (word & ~(uint32_t)EDO__WORD_CLASS) == EDO__WORD_CALLED;
}

/* Publishes a wait that was begun: t has left its stack, its registers are saved, so whoever claims
 * or calls it from here on makes it runnable. False: that has happened already, and nobody will. */
static inline bool edo__wait_parked(edo__task *t)
{
    uint32_t was = edo__aload(&t->word, EDO__ACQ);
    uint32_t parked = was ^ (EDO__WORD_WAITING ^ EDO__WORD_PARKED);
    /* release: registers are saved; pairs with the claim */
    return edo__likely(was < EDO__WAKE_CANCEL &&
                       edo__acas(&t->word, &was, parked, EDO__AR, EDO__ACQ));
}

/* Keeps a parked task from being claimed, for a look at its stack; whoever wants to claim it waits.
 * False: it is not parked. */
static inline bool edo__wait_freeze(edo__task *t)
{
    uint32_t was = edo__aload(&t->word, EDO__ACQ);
    if ((was & EDO__WORD_STATE) != EDO__WORD_PARKED || was >= EDO__WAKE_CANCEL)
        return false;
    uint32_t frozen = EDO__WORD_FROZEN | (was & EDO__WORD_CLASS);
    /* acquire: pairs with edo__wait_parked() */
    return edo__acas(&t->word, &was, frozen, EDO__AR, EDO__RLX);
}

static inline void edo__wait_thaw(edo__task *t)
{
    /* relaxed: nobody but us changes a FROZEN word */
    uint32_t frozen = edo__aload(&t->word, EDO__RLX);
    /* release: the look is over; pairs with the claim */
    edo__astore(&t->word, EDO__WORD_PARKED | (frozen & EDO__WORD_CLASS), EDO__REL);
}

/* edo__wait_commit() of a task, without a timer. */
uint32_t edo__wait_park(edo__task *self, uint32_t *lock, edo__why why, const void *obj);

static inline uint32_t edo__wait_commit(edo__task *self, uint32_t *lock, edo__why why,
                                        const void *obj)
{
    if (edo__likely(!edo__is_foreign(self) && self->scope->edo__deadline_eff == EDO_FOREVER))
        return edo__wait_park(self, lock, why, obj);
    return edo__wait_commit_until(self, lock, why, obj, EDO_FOREVER, EDO__WAKE_TIMEOUT);
}

#endif
