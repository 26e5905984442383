/* SPDX-License-Identifier: MIT */
/* The mutex: one word, changed by a CAS when nobody waits, and a queue under a spin lock otherwise.
 *
 * The word is 0 when free, else the holder's address; so one locked instruction takes the mutex and
 * records who has it, and unlocking by anybody else cannot succeed. The lowest bit, CONTENDED, says
 * that somebody waits or just waited: the word is then changed under q.lock only, but for the holder
 * who unlocks.
 *
 * Fair: the word is never 0 while somebody waits, because unlocking hands the mutex over to the
 * first waiter; so nobody overtakes.
 *
 * A fair mutex makes convoys: who unlocks and comes again finds the mutex handed to a waiter that has
 * not run yet, and waits; so does everybody, and every lock is a task switch from then on. A convoy
 * on one worker (hand-overs in a row are counted in q.state) is dissolved: whoever hands over spends
 * its budget, and so lets the new holder go first before it comes again. Soon nobody waits any more.
 * While tasks come from other workers the convoy stays: it brings them all to one.
 *
 * Unlocking subtracts the holder's address: one locked instruction that needs no expected value
 * (0.85 of the time of a CAS). What is left is 0, and the mutex is free, or CONTENDED alone: then it
 * can be had from nobody but the unlocker, who goes to q.lock and hands it over.
 *
 * Unlocking must not touch the mutex after it can be locked by another: that one may be the last
 * user and free it. So when the slow path finds that all waiters have gone (cancelled, they may even
 * have returned), it does not store 0 under q.lock: it puts its own address back, releases q.lock and
 * subtracts again. */
#include "sync/mutex.h"

#include "sync/cases.h"

#define CONVOY 16      /* hand-overs on one worker in a row that make a convoy ...   */
#define CONVOY_END 256 /* ... and until they would keep other tasks waiting too long */
#define CONTENDED ((uintptr_t)1)

void edo_mutex_init(edo_mutex *m)
{
    *m = (edo_mutex)EDO_MUTEX_INIT;
}

static inline uintptr_t word_of(const edo__task *t)
{
    return (uintptr_t)t;
}

static inline bool try_lock(edo_mutex *m, edo__task *self)
{
    uintptr_t was = 0;
    /* acquire: pairs with the release in release(), called by edo_mutex_unlock() */
    return edo__acas(&m->edo__word, &was, word_of(self), EDO__ACQ, EDO__RLX);
}

/* True: it is free. False: the word is CONTENDED alone, and unlock_slow() must follow. */
static inline bool release(edo_mutex *m, edo__task *self)
{
    /* release: pairs with the acquire in try_lock() and contend(). The last access to m if true. */
    return edo__asub(&m->edo__word, word_of(self), EDO__REL) == word_of(self);
}

/* Under q.lock, CONTENDED or about to be: t holds it. */
static inline void record(edo_mutex *m, edo__task *t)
{
    uintptr_t more = m->edo__q.head != NULL ? CONTENDED : 0;
    /* relaxed, both: q.lock orders them, and the CAS of the fast path touches no CONTENDED word;
     * the holder is read by dumps */
    edo__astore(&m->edo__holder, t, EDO__RLX);
    edo__astore(&m->edo__word, word_of(t) | more, EDO__RLX);
}

/* Makes the word CONTENDED, with q.lock held. False: the mutex was free and is now t's. */
static bool contend(edo_mutex *m, edo__task *t)
{
    uintptr_t was = edo__aload(&m->edo__word, EDO__RLX); /* a guess; the CAS decides */
    for (;;) {
        if ((was & CONTENDED) != 0)
            return true;
        uintptr_t next = was == 0 ? word_of(t) : was | CONTENDED;
        /* acquire, for 0: pairs with the release in release() */
        if (!edo__acas(&m->edo__word, &was, next, EDO__ACQ, EDO__RLX))
            continue;
        if (was != 0) /* relaxed: for dumps */
            edo__astore(&m->edo__holder, (edo__task *)was, EDO__RLX);
        return was != 0;
    }
}

/* Under q.lock: the last waiter may have left. The holder unlocks without that lock, so this is a
 * CAS: when it fails, CONTENDED is alone, which is its unlocker's to change. */
static void calm(edo_mutex *m)
{
    uintptr_t was = edo__aload(&m->edo__word, EDO__RLX);
    if (m->edo__q.head == NULL && (was & CONTENDED) != 0 && was != CONTENDED)
        /* relaxed: hands nothing over */
        (void)edo__acas(&m->edo__word, &was, was & ~CONTENDED, EDO__RLX, EDO__RLX);
}

static __attribute__((noinline)) int lock_slow(edo_mutex *m, edo__task *self)
{
    edo__waitq *q = &m->edo__q;
    edo__spin_lock(&q->lock);
    if (!contend(m, self)) {
        edo__spin_unlock(&q->lock);
        return 0;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    int rc = edo__waitq_wait(q, &q->lock, &w, EDO__WHY_MUTEX, m);
    if (rc == 0)
        return 0; /* handed over; the unlocker has recorded us as the holder */
    edo__spin_lock(&q->lock);
    calm(m);
    edo__spin_unlock(&q->lock);
    return rc;
}

/* With all that is rare. */
static __attribute__((noinline)) int lock_any(edo_mutex *m)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self); /* before, not after: who yields as the holder makes a queue that never ends */
    return try_lock(m, self) ? 0 : lock_slow(m, self);
}

/* No call but the last, so that nothing has to be saved: stores in front of the CAS, which waits
 * for them, are what costs here. */
EDO__ENTRY int edo_mutex_lock(edo_mutex *m)
{
    edo__task *self = edo__tls_self; /* as in edo__self_here() */
    if (edo__unlikely(self == NULL || self->budget == 1 || !edo__checkpoint_quick(self) ||
                      !try_lock(m, self)))
        return lock_any(m);
    self->budget--;
    return 0;
}

EDO__ENTRY int edo_mutex_lock_nowait(edo_mutex *m)
{
    return try_lock(m, edo__self_here()) ? 0 : -EAGAIN;
}

/* Under q.lock: self hands the mutex to t, which is parked, or else still runs, on another worker,
 * and its fields are not to be read. True: self is to give way. */
static bool is_convoy(edo__waitq *q, const edo__task *t, bool parked, const edo__task *self)
{
    bool here = parked && t->worker == self->worker;
    q->state = here && q->state < CONVOY_END ? q->state + 1 : 0;
    return q->state >= CONVOY;
}

/* Hands the mutex to the first waiter. False: nobody waits any more, and it is holder's again. self:
 * the caller, NULL when it unlocks in the name of another. */
static bool hand_over(edo_mutex *m, const edo__task *holder, edo__task *self)
{
    edo__waitq *q = &m->edo__q;
    edo__waiter *w;
    edo__spin_lock(&q->lock);
    while ((w = edo__waitq_pop(q)) != NULL) {
        edo__task *t = w->task;
        uint32_t was = edo__claim(t, w->code);
        if (was == EDO__WORD_IDLE)
            continue;
        record(m, t);
        bool convoy = self != NULL && is_convoy(q, t, was == EDO__WORD_PARKED, self);
        edo__spin_unlock(&q->lock);
        edo__claimed(t, was);
        if (convoy)
            edo__give_way(self);
        return true;
    }
    edo__astore(&m->edo__word, word_of(holder), EDO__RLX); /* relaxed: as in record() */
    edo__spin_unlock(&q->lock);
    return false;
}

static __attribute__((noinline)) void unlock_slow(edo_mutex *m, edo__task *holder, edo__task *self)
{
    edo_assert(edo__aload(&m->edo__word, EDO__RLX) == CONTENDED && "unlocked by its holder");
    /* Every further round needs a waiter that came and was cancelled in between. */
    while (!hand_over(m, holder, self) && !release(m, holder)) {
    }
}

static __attribute__((noinline)) void unlock_foreign(edo_mutex *m)
{
    edo__task *self = edo__self();
    if (!release(m, self))
        unlock_slow(m, self, self);
}

EDO__ENTRY void edo_mutex_unlock(edo_mutex *m)
{
    edo__task *self = edo__tls_self; /* as in edo__self_here() */
    if (edo__unlikely(self == NULL))
        unlock_foreign(m);
    else if (edo__unlikely(!release(m, self)))
        unlock_slow(m, self, self);
}

void edo__mutex_relock(edo_mutex *m, edo__task *self)
{
    edo__waitq *q = &m->edo__q;
    if (try_lock(m, self))
        return;
    edo__spin_lock(&q->lock);
    if (!contend(m, self)) {
        edo__spin_unlock(&q->lock);
        return;
    }
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    (void)edo__wait_begin(self, false);
    edo__waitq_push(q, &w);
    edo__spin_unlock(&q->lock);
    (void)edo__wait_commit(self, &q->lock, EDO__WHY_MUTEX, m); /* nothing else can claim it */
}

void edo__mutex_await(edo_mutex *m, edo__waiter *w)
{
    edo__waitq *q = &m->edo__q;
    edo__spin_lock(&q->lock);
    if (!w->queued) { /* it was its turn while its wait was over: the next one got it */
        edo__spin_unlock(&q->lock);
        edo__mutex_relock(m, w->task);
        return;
    }
    (void)edo__wait_begin(w->task, false);
    edo__spin_unlock(&q->lock);
    (void)edo__wait_commit(w->task, &q->lock, EDO__WHY_MUTEX, m);
}

/* Under both locks; the mutex is contended. True: w waits in its queue from here on. */
static bool adopt_parked(edo_mutex *m, edo__waiter *w)
{
    uint32_t word = edo__aload(&w->task->word, EDO__ACQ); /* pairs with the store of PARKED */
    if (word >= EDO__WAKE_CANCEL || (word & EDO__WORD_STATE) != EDO__WORD_PARKED)
        return false;
    /* If a cancel claims it right now, it comes to edo__mutex_await(), by way of the lock over the
     * queue that it was in. Until then these are not the task's to write. */
    w->value = m;
    edo__astore(&w->task->why, (uint8_t)EDO__WHY_MUTEX, EDO__RLX);
    w->task->why_obj = m;
    edo__waitq_push(&m->edo__q, w);
    return true;
}

/* Under both locks: hands the mutex, locked in t's name or in nobody's, to w. */
static bool adopt_as_holder(edo_mutex *m, edo__waiter *w, edo__wakes *wakes)
{
    edo__task *t = w->task;
    w->value = m;
    if (!edo__wakes_claim(wakes, w, 0)) {
        w->value = NULL; /* it looks at that under the lock over the queue it was in */
        return false;
    }
    record(m, t); /* t is kept from using it by edo__mutex_pass() */
    return true;
}

void edo__mutex_adopt(edo_mutex *m, edo__waitq *from, bool all, edo__wakes *wakes)
{
    edo__task *first = from->head->task;
    edo__waiter *w;
    edo__spin_lock(&m->edo__q.lock);
    bool ours = !contend(m, first); /* taken in the name of one that may turn out to be gone */
    while ((w = edo__waitq_pop(from)) != NULL) {
        bool done;
        if (ours) {
            done = adopt_as_holder(m, w, wakes);
            ours = !done;
        } else {
            done = adopt_parked(m, w) || edo__wakes_claim(wakes, w, 0);
        }
        if (done && !all)
            break;
    }
    /* Not contended: it was handed to one of ours, who cannot go on before q.lock is free. Any other
     * holder may be unlocking. */
    uintptr_t word = edo__aload(&m->edo__word, EDO__RLX);
    if (!ours && m->edo__q.head != NULL && (word & CONTENDED) == 0)
        edo__astore(&m->edo__word, word | CONTENDED, EDO__RLX);
    calm(m);
    edo__spin_unlock(&m->edo__q.lock);
    if (ours && !release(m, first))
        unlock_slow(m, first, NULL);
}

int edo__mutex_arm(edo_mutex *m, edo__waiter *w)
{
    edo__waitq *q = &m->edo__q;
    edo__spin_lock(&q->lock);
    bool queued = contend(m, w->task);
    if (queued)
        edo__waitq_push(q, w);
    edo__spin_unlock(&q->lock);
    if (queued)
        return EDO__ARMED;
    if (edo__claim(w->task, w->code) == EDO__WORD_IDLE)
        edo_mutex_unlock(m); /* another case was faster */
    return EDO__DECIDED;
}

void edo__mutex_disarm(edo_mutex *m, edo__waiter *w)
{
    edo__spin_lock(&m->edo__q.lock);
    edo__waitq_remove(&m->edo__q, w);
    calm(m);
    edo__spin_unlock(&m->edo__q.lock);
}
