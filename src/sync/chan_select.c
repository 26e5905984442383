/* SPDX-License-Identifier: MIT */
/* Channels as cases of a select.
 *
 * A select that arms a case may find the other side waiting. Then two words must be claimed
 * together: its own (something armed before may have claimed it) and the other's. As in Reppy,
 * Russo and Xiao, "Parallel Concurrent ML" (2009): own WAITING -> HELD, which only the owner may
 * leave; claim the other; on success own becomes its wake code, else WAITING again. Whoever wants
 * to claim a HELD word looks again soon, so nothing may be waited for while HELD: two selects that
 * try each other both step back, and one of them, chosen by address, waits until the other's word
 * is not HELD before it tries again. */
#include "sync/chan_impl.h"

#include <sched.h>

#define LOOKS 64

typedef enum verdict {
    MATCHED, /* both are claimed                           */
    GONE,    /* the other is claimed by something else     */
    CLAIMED, /* we are                                     */
    NOBODY,  /* no other side left                         */
} verdict;

static bool is_busy(uint32_t word)
{
    uint32_t state = word & EDO__WORD_STATE;
    return word < EDO__WAKE_CANCEL && (state == EDO__WORD_HELD || state == EDO__WORD_FROZEN);
}

static bool is_over(uint32_t word)
{
    return word >= EDO__WAKE_CANCEL && !edo__wait_is_called(word);
}

/* Until the other's word is worth trying again. */
static void back_off(const edo__waiter *w, const edo__waiter *other)
{
    unsigned looks = 0;
    edo__cpu_relax();
    if (w->task > other->task)
        return;
    /* relaxed: only a guess, the CAS that follows decides */
    while (is_busy(edo__aload(&other->task->word, EDO__RLX))) {
        if (++looks < LOOKS) {
            edo__cpu_relax();
        } else {
            looks = 0;
            sched_yield();
        }
    }
}

/* One attempt on the other while our own word is HELD; *was is its state, IDLE when it is claimed
 * already. False: it is HELD or FROZEN, step back. */
static bool claim_held(edo__waiter *other, uint32_t *was)
{
    uint32_t word = edo__aload(&other->task->word, EDO__SC);
    for (;;) {
        if (is_busy(word))
            return false;
        *was = is_over(word) ? EDO__WORD_IDLE : word & EDO__WORD_STATE;
        if (*was == EDO__WORD_IDLE)
            return true;
        /* as in edo__claim() */
        if (edo__acas(&other->task->word, &word, other->code, EDO__SC, EDO__ACQ))
            return true;
    }
}

/* Under the channel's lock; *was: the state the other was claimed in. */
static verdict match(edo__waiter *w, edo__waiter *other, uint32_t *was)
{
    uint32_t *own = &w->task->word;
    for (;;) {
        uint32_t waiting = edo__aload(own, EDO__ACQ);
        uint32_t held = (waiting & EDO__WORD_CLASS) | EDO__WORD_HELD;
        /* acquire: pairs with the release in edo__claim() by whoever was faster; once it is HELD
         * only we change it */
        if (is_over(waiting) || !edo__acas(own, &waiting, held, EDO__SC, EDO__ACQ))
            return CLAIMED;
        bool answered = claim_held(other, was);
        bool matched = answered && *was != EDO__WORD_IDLE;
        /* pairs with the claim of who tries it next, and with edo__wait_abort() */
        edo__astore(own, matched ? w->code : waiting, EDO__SC);
        if (answered)
            return matched ? MATCHED : GONE;
        back_off(w, other);
    }
}

/* Matches w with the first live waiter of the other side, which is left in *out. Reservers match
 * nobody. */
static verdict match_first(edo__waitq *q, edo__waiter *w, edo__waiter **out, edo__chan_after *a)
{
    edo__waiter *next;
    for (edo__waiter *other = q->head; other != NULL; other = next) {
        next = other->next;
        if (other->task == w->task || other->n != 0)
            continue; /* another case of the same select */
        uint32_t was;
        verdict v = match(w, other, &was);
        if (v == CLAIMED)
            return CLAIMED;
        edo__waitq_remove(q, other);
        if (v == MATCHED) {
            edo__chan_woken(a, other, was);
            *out = other;
            return MATCHED;
        }
    }
    return NOBODY;
}

int edo__chan_arm_recv(edo_chan *c, edo__waiter *w)
{
    edo__chan_after after = { 0 };
    edo__waiter *sender;
    int rc = EDO__DECIDED;
    verdict v = NOBODY;
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->receivers, &c->received_by, w->task);
    if (c->store.count == 0)
        v = match_first(&c->senders, w, &sender, &after);
    if (v == MATCHED) {
        edo__copy(w->value, sender->value, c->store.size);
    } else if (v == NOBODY) {
        if (c->store.count == 0 && (!c->closed || c->reserved != 0)) {
            edo__waitq_push(&c->receivers, w);
            rc = EDO__ARMED;
        } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
            w->result = edo__chan_take(c, w->value, &after);
        }
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
    return rc;
}

int edo__chan_arm_send(edo_chan *c, edo__waiter *w)
{
    edo__chan_after after = { 0 };
    edo__waiter *receiver;
    int rc = EDO__DECIDED, room = 0;
    verdict v;
    edo__spin_lock(&c->lock);
    edo__chan_used_by(&c->senders, &c->sent_by, w->task);
    for (;;) {
        v = c->closed ? NOBODY : match_first(&c->receivers, w, &receiver, &after);
        if (v != NOBODY || c->closed || edo__store_has_room(&c->store) ||
            !edo__store_unbounded(&c->store) || room < 0)
            break;
        room = edo__chan_make_room(c);
    }
    if (v == MATCHED) {
        edo__copy(receiver->value, w->value, c->store.size);
    } else if (v == NOBODY) {
        if (!c->closed && room == 0 && !edo__store_has_room(&c->store)) {
            edo__waitq_push(&c->senders, w);
            rc = EDO__ARMED;
        } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
            w->result = room < 0 ? room : edo__chan_give(c, w->value, &after);
        }
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
    return rc;
}

/* The like for what only looks at the channel itself. */
int edo__chan_arm_reserve(edo_chan *c, edo__waiter *w)
{
    edo__chan_after after = { 0 };
    int rc = EDO__DECIDED;
    edo__spin_lock(&c->lock);
    int booked = edo__chan_book(c, 1, w->task, &after);
    if (booked == -EAGAIN) {
        w->n = 1;
        edo__chan_line_up(c, w);
        rc = EDO__ARMED;
    } else if (edo__claim(w->task, w->code) != EDO__WORD_IDLE) {
        w->result = booked;
    } else if (booked == 0) {
        c->reserved--;
        edo__chan_set_limit(c);
        edo__chan_admit(c, &after);
    }
    edo__spin_unlock(&c->lock);
    edo__chan_finish(&after, NULL);
    return rc;
}

int edo__chan_arm_closed(edo_chan *c, edo__waiter *w)
{
    int rc = EDO__DECIDED;
    edo__spin_lock(&c->lock);
    if (!c->closed) {
        edo__waitq_push(&c->closers, w);
        rc = EDO__ARMED;
    } else {
        (void)edo__claim(w->task, w->code);
    }
    edo__spin_unlock(&c->lock);
    return rc;
}

static void disarm(edo_chan *c, edo__waitq *q, edo__waiter *w)
{
    edo__spin_lock(&c->lock);
    edo__waitq_remove(q, w);
    edo__spin_unlock(&c->lock);
}

void edo__chan_disarm_recv(edo_chan *c, edo__waiter *w)
{
    disarm(c, &c->receivers, w);
}

/* Of a send or a reservation. */
void edo__chan_disarm_send(edo_chan *c, edo__waiter *w)
{
    edo__chan_leave_line(c, w);
}

void edo__chan_disarm_closed(edo_chan *c, edo__waiter *w)
{
    disarm(c, &c->closers, w);
}
