/* SPDX-License-Identifier: MIT */
/* Cancellation tokens: a tree of counted handles, each with the scopes opened with it and the tasks
 * waiting for it.
 *
 * A child holds a reference to its parent, so a tree is freed from its leaves. Cancelling walks the
 * tree below the token with an explicit list: a token is cancelled once and for all, so each is put
 * on the list at most once, with a reference of its own. Scopes are cancelled with the token's lock
 * released but kept open by `busy`: closing one waits until the cancel has passed. */
#include "core/token.h"

#include "core/scope.h"
#include "core/sched.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define LOOKS 64 /* at a cancel in progress before the thread gives up its processor */

struct edo_token {
    uint32_t refs;      /* atomic */
    uint32_t cancelled; /* atomic; written under q.lock */
    edo__waitq q; /* who waits for it; its lock is over all below, and over the children's links */
    edo_token *parent;
    edo_token *children, *sib_next, *sib_prev;
    edo_scope *scopes;
    edo_scope *busy;      /* being cancelled now: must not be closed */
    edo_token *work_next; /* list of a cancel */
};

int edo_token_create(edo_token **out)
{
    edo_token *t = calloc(1, sizeof *t);
    if (t == NULL)
        return -ENOMEM;
    t->refs = 1;
    *out = t;
    return 0;
}

edo_token *edo_token_ref(edo_token *t)
{
    edo__aadd(&t->refs, 1u, EDO__RLX);
    return t;
}

int edo_token_child(edo_token *parent, edo_token **out)
{
    edo_token *t;
    int rc = edo_token_create(&t);
    if (rc < 0)
        return rc;
    t->parent = edo_token_ref(parent);
    edo__spin_lock(&parent->q.lock);
    t->cancelled = parent->cancelled;
    t->sib_next = parent->children;
    if (t->sib_next != NULL)
        t->sib_next->sib_prev = t;
    parent->children = t;
    edo__spin_unlock(&parent->q.lock);
    *out = t;
    return 0;
}

/* Gives a reference back; true when it was the last one and t has left its parent. */
static bool token_unref(edo_token *t)
{
    edo_token *parent = t->parent;
    if (parent == NULL)
        return edo__asub(&t->refs, 1u, EDO__AR) == 1;
    /* Under the parent's lock, so that a cancel which finds t among the children can still take a
     * reference: at zero it is on that list no more. */
    edo__spin_lock(&parent->q.lock);
    bool last = edo__asub(&t->refs, 1u, EDO__AR) == 1;
    if (last) {
        if (t->sib_prev != NULL)
            t->sib_prev->sib_next = t->sib_next;
        else
            parent->children = t->sib_next;
        if (t->sib_next != NULL)
            t->sib_next->sib_prev = t->sib_prev;
    }
    edo__spin_unlock(&parent->q.lock);
    return last;
}

void edo_token_release(edo_token *t)
{
    while (t != NULL && token_unref(t)) {
        edo_assert(t->scopes == NULL && t->q.head == NULL && t->children == NULL);
        edo_token *parent = t->parent;
        free(t);
        t = parent; /* its reference to the parent goes as well */
    }
}

bool edo_token_cancelled(const edo_token *t)
{
    return edo__aload(&t->cancelled, EDO__ACQ) != 0; /* pairs with token_cancel_one() */
}

/* Marks t and wakes everybody at it; adds its children to the list. */
static void token_cancel_one(edo_token *t, edo_token **list)
{
    edo__spin_lock(&t->q.lock);
    edo__astore(&t->cancelled, 1u, EDO__REL);
    for (edo_token *c = t->children; c != NULL; c = c->sib_next) {
        if (edo_token_cancelled(c))
            continue;
        c->work_next = *list;
        *list = edo_token_ref(c);
    }
    edo__waiter *w;
    while ((w = edo__waitq_pop(&t->q)) != NULL)
        edo__wake(w->task, w->code);
    while (t->scopes != NULL) {
        edo_scope *s = t->scopes;
        t->scopes = s->edo__tnext;
        if (t->scopes != NULL)
            t->scopes->edo__tprev = NULL;
        s->edo__tnext = s->edo__tprev = s; /* on no list, see edo__token_leave() */
        edo__astore(&t->busy, s, EDO__RLX);
        edo__spin_unlock(&t->q.lock);
        edo__scope_mark(s, EDO__CANCELLED_SELF);
        edo__spin_lock(&t->q.lock);
        edo__astore(&t->busy, NULL, EDO__RLX);
    }
    edo__spin_unlock(&t->q.lock);
}

void edo_token_cancel(edo_token *t)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* over busy and work_next */
    if (edo_token_cancelled(t))
        return;
    pthread_mutex_lock(&one_at_a_time);
    edo_token *list = edo_token_ref(t);
    t->work_next = NULL;
    while (list != NULL) {
        edo_token *c = list;
        list = c->work_next;
        if (!edo_token_cancelled(c))
            token_cancel_one(c, &list);
        edo_token_release(c);
    }
    pthread_mutex_unlock(&one_at_a_time);
}

void edo__token_enter(edo_token *t, edo_scope *s)
{
    s->edo__token = edo_token_ref(t);
    edo__spin_lock(&t->q.lock);
    bool cancelled = edo_token_cancelled(t);
    if (cancelled) {
        s->edo__tnext = s->edo__tprev = s;
    } else {
        s->edo__tprev = NULL;
        s->edo__tnext = t->scopes;
        if (s->edo__tnext != NULL)
            s->edo__tnext->edo__tprev = s;
        t->scopes = s;
    }
    edo__spin_unlock(&t->q.lock);
    if (cancelled)
        edo__scope_mark(s, EDO__CANCELLED_SELF);
}

void edo__token_leave(edo_scope *s)
{
    edo_token *t = s->edo__token;
    edo__spin_lock(&t->q.lock);
    for (unsigned looks = 1; t->busy == s; looks++) { /* a cancel is passing through s: it must
                                                         not go away */
        edo__spin_unlock(&t->q.lock);
        if (looks % LOOKS != 0)
            edo__cpu_relax();
        else
            sched_yield(); /* the canceller may have lost its processor */
        edo__spin_lock(&t->q.lock);
    }
    if (s->edo__tnext != s) {
        if (s->edo__tprev != NULL)
            s->edo__tprev->edo__tnext = s->edo__tnext;
        else
            t->scopes = s->edo__tnext;
        if (s->edo__tnext != NULL)
            s->edo__tnext->edo__tprev = s->edo__tprev;
    }
    edo__spin_unlock(&t->q.lock);
    s->edo__token = NULL;
    edo_token_release(t);
}

int edo__token_watch(edo_token *t, edo__waiter *w)
{
    w->queued = false;
    edo__spin_lock(&t->q.lock);
    int done = edo_token_cancelled(t);
    if (!done)
        edo__waitq_push(&t->q, w);
    edo__spin_unlock(&t->q.lock);
    return done;
}

void edo__token_unwatch(edo_token *t, edo__waiter *w)
{
    edo__spin_lock(&t->q.lock);
    edo__waitq_remove(&t->q, w);
    edo__spin_unlock(&t->q.lock);
}

int edo_token_wait(edo_token *t)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (edo_token_cancelled(t))
        return 0;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    if (!edo__wait_begin(self, true))
        return -ECANCELED;
    if (edo__token_watch(t, &w) == 1) {
        uint32_t code = edo__wait_abort(self);
        return code == EDO__WORD_IDLE ? 0 : -ECANCELED;
    }
    uint32_t code = edo__wait_commit(self, &t->q.lock, EDO__WHY_TOKEN, t);
    if (code == EDO__WAKE_OK)
        return 0;
    edo__token_unwatch(t, &w);
    return -ECANCELED;
}

int edo_token_run(edo_token *t, edo_fn *fn, void *arg)
{
    edo_scope s;
    edo_scope_open_token(&s, t, EDO_FOREVER);
    return edo_scope_close(&s, fn(arg));
}
