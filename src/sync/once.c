/* SPDX-License-Identifier: MIT */
/* Once: who runs the function, and a queue of those who wait for its end.
 *
 * Nobody waits unless somebody runs it. When it fails, running it is handed to the first waiter, as
 * a mutex would be: the state stays RUNNING, so nobody overtakes. */
#include "sync/waiting.h"

#include <edo/once.h>

enum { NEW = 0, RUNNING = 1, DONE = 2 };

#define YOUR_TURN 1 /* edo__waiter.result of who is to run it; the others get 0 */

void edo_once_init(edo_once *o)
{
    *o = (edo_once)EDO_ONCE_INIT;
}

bool edo_once_done(const edo_once *o)
{
    /* pairs with the store in succeed(): what fn wrote is seen */
    return edo__aload(&o->edo__q.state, EDO__ACQ) == DONE;
}

/* These two are under the lock. */

static void succeed(edo_once *o, int code, edo__wakes *wakes)
{
    o->edo__code = code;
    o->edo__runner = NULL;
    edo__astore(&o->edo__q.state, (uint32_t)DONE, EDO__REL); /* pairs with edo_once_done() */
    edo__wakes_claim_all(wakes, &o->edo__q, 0);
}

static void pass_on(edo_once *o, edo__wakes *wakes)
{
    edo__waiter *w;
    while ((w = edo__waitq_pop(&o->edo__q)) != NULL) {
        edo__task *t = w->task;
        if (!edo__wakes_claim(wakes, w, YOUR_TURN))
            continue;
        o->edo__runner = t; /* before t goes on: it passes through the lock if it did not park */
        return;
    }
    o->edo__runner = NULL;
    edo__astore(&o->edo__q.state, (uint32_t)NEW, EDO__RLX); /* relaxed: the lock orders it */
}

static int run(edo_once *o, edo_fn *fn, void *arg)
{
    edo__wakes wakes = { 0 };
    int code = fn(arg);
    edo__spin_lock(&o->edo__q.lock);
    if (code >= 0)
        succeed(o, code, &wakes);
    else
        pass_on(o, &wakes);
    edo__spin_unlock(&o->edo__q.lock);
    edo__wakes_run(&wakes);
    return code;
}

/* The lock is held on entry and not on return: another one runs it. */
static int wait_for_runner(edo_once *o, edo__task *self, edo_fn *fn, void *arg)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    int rc = edo__waitq_wait(&o->edo__q, &o->edo__q.lock, &w, EDO__WHY_ONCE, o);
    if (rc < 0)
        return rc;
    return w.result == YOUR_TURN ? run(o, fn, arg) : o->edo__code;
}

/* Not done when last looked at. */
static int run_or_wait(edo_once *o, edo__task *self, edo_fn *fn, void *arg, bool wait)
{
    edo__spin_lock(&o->edo__q.lock);
    uint32_t state = o->edo__q.state;
    if (state == NEW) {
        edo__astore(&o->edo__q.state, (uint32_t)RUNNING, EDO__RLX); /* relaxed: as in pass_on() */
        o->edo__runner = self;
    } else if (state == RUNNING && wait && o->edo__runner != self) {
        return wait_for_runner(o, self, fn, arg);
    }
    bool inside = state == RUNNING && o->edo__runner == self;
    edo__spin_unlock(&o->edo__q.lock);
    if (state == NEW)
        return run(o, fn, arg);
    if (state == DONE)
        return o->edo__code;
    return inside ? -EDEADLK : -EAGAIN;
}

EDO__ENTRY int edo_once_run(edo_once *o, edo_fn *fn, void *arg)
{
    edo__task *self = edo__self_here();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self);
    if (edo__likely(edo_once_done(o)))
        return o->edo__code;
    return run_or_wait(o, self, fn, arg, true);
}

EDO__ENTRY int edo_once_run_nowait(edo_once *o, edo_fn *fn, void *arg)
{
    if (edo_once_done(o))
        return o->edo__code;
    return run_or_wait(o, edo__self_here(), fn, arg, false);
}
