/* SPDX-License-Identifier: MIT */
/* Subscriptions: what has come and not been taken, and who waits for it. Nobody waits in the queue
 * while something is pending. */
#include "signal/signal.h"

#include "core/scope.h"
#include "sync/waiting.h"

int edo_signal_open(edo_signal *s, uint64_t set)
{
    *s = (edo_signal){ .edo__set = set };
    edo_event_init(&s->edo__ready, EDO_EVENT_MANUAL);
    return edo__signal_hub_add(s);
}

void edo_signal_close(edo_signal *s)
{
    edo__signal_hub_remove(s);
    edo_assert(s->edo__q.head == NULL && s->edo__ready.edo__q.head == NULL &&
               "nobody waits at a subscription that is closed");
}

/* Hands it to the first live waiter. */
static bool hand_over(edo_signal *s, const edo_signal_info *info, edo__wakes *wakes)
{
    edo__waiter *w;
    while ((w = edo__waitq_pop(&s->edo__q)) != NULL) {
        if (edo__wakes_claim(wakes, w, 0)) {
            *(edo_signal_info *)w->value = *info;
            return true;
        }
    }
    return false;
}

void edo__signal_deliver(edo_signal *s, const edo_signal_info *info)
{
    if (s->edo__scope != NULL) {
        s->edo__first = info->number;
        edo_scope_cancel(s->edo__scope);
        return;
    }
    edo__wakes wakes = { 0 };
    edo__spin_lock(&s->edo__q.lock);
    bool kept = !hand_over(s, info, &wakes);
    if (kept) {
        s->edo__count[info->number - 1] += info->count;
        s->edo__pending |= EDO_SIG(info->number);
    }
    edo__spin_unlock(&s->edo__q.lock);
    edo__wakes_run(&wakes);
    if (kept) /* somebody may have taken it already: who then finds nothing resets the event */
        edo_event_set(&s->edo__ready);
}

/* Under the lock: the next one that is pending, after the one taken last, so that one which comes all
 * the time does not keep the others back. False: there is none. */
static bool take(edo_signal *s, edo_signal_info *out)
{
    if (s->edo__pending == 0) {
        edo_event_reset(&s->edo__ready);
        return false;
    }
    uint64_t later = s->edo__last < EDO__SIGNALS ? s->edo__pending >> s->edo__last : 0;
    int number = later != 0 ? s->edo__last + 1 + __builtin_ctzll(later)
                            : 1 + __builtin_ctzll(s->edo__pending);
    edo__signal_hub_info(number, out);
    out->count = s->edo__count[number - 1];
    s->edo__count[number - 1] = 0;
    s->edo__last = number;
    s->edo__pending &= ~EDO_SIG(number);
    if (s->edo__pending == 0)
        edo_event_reset(&s->edo__ready);
    return true;
}

int edo_signal_next_nowait(edo_signal *s, edo_signal_info *info)
{
    edo_signal_info got;
    edo__spin_lock(&s->edo__q.lock);
    bool taken = take(s, &got);
    edo__spin_unlock(&s->edo__q.lock);
    if (!taken)
        return -EAGAIN;
    if (info != NULL)
        *info = got;
    return got.number;
}

int edo_signal_next(edo_signal *s, edo_signal_info *info)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo_signal_info got;
    edo__spin_lock(&s->edo__q.lock);
    if (take(s, &got)) {
        edo__spin_unlock(&s->edo__q.lock);
        edo__coop(self);
    } else {
        edo__waiter w = { .task = self, .code = EDO__WAKE_OK, .value = &got };
        rc = edo__waitq_wait(&s->edo__q, &s->edo__q.lock, &w, EDO__WHY_SIGNAL, s);
        if (rc < 0)
            return rc;
    }
    if (info != NULL)
        *info = got;
    return got.number;
}

int edo_signal_wait(uint64_t set)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    edo_signal s = { .edo__set = set, .edo__once = true };
    rc = edo__signal_hub_add(&s);
    if (rc < 0)
        return rc;
    rc = edo_signal_next(&s, NULL);
    edo_signal_close(&s);
    if (rc < 0) { /* cancelled; but a signal may have come all the same */
        int number = edo_signal_next_nowait(&s, NULL);
        rc = number > 0 ? number : rc;
    }
    return rc;
}

int edo_ctrl_c(void)
{
    int rc = edo_signal_wait(EDO_SIG(SIGINT));
    return rc > 0 ? 0 : rc;
}

int edo_with_signals(uint64_t set, int *number, edo_fn *fn, void *arg)
{
    edo_scope scope;
    edo_signal s = { .edo__set = set, .edo__once = true, .edo__scope = &scope };
    if (number != NULL)
        *number = 0;
    edo_scope_open(&scope, EDO_FOREVER);
    int rc = edo__signal_hub_add(&s);
    if (rc < 0) {
        (void)edo_scope_close(&scope, rc);
        return rc;
    }
    rc = fn(arg);
    edo_signal_close(&s); /* the hub is done with the scope */
    int closed = edo_scope_close(&scope, rc);
    if (s.edo__first == 0)
        return closed;
    if (number != NULL)
        *number = s.edo__first;
    if (closed != -ECANCELED)
        return closed;
    /* A scope around it was cancelled as well: that is what its own owner is to hear of. */
    const edo__task *self = edo__self();
    bool outer = self->scope != NULL && edo__scope_cancelled(self, self->scope);
    return outer ? closed : -EINTR;
}
