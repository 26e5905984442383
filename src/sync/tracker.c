/* SPDX-License-Identifier: MIT */
/* Trackers: a group that has no frame to live in.
 *
 * A task of the tracker's own, the keeper, opens the group and keeps it open until the tracker is
 * closed; then it closes the group, which waits for all tasks, and says that it is over. So the
 * tracker's tasks hang in the tree of scopes like all others, below the root group: the runtime's
 * shutdown reaches them, and waits for them.
 *
 * Others use the group from outside: they pin the tracker meanwhile. The keeper closes the group
 * only while nobody can be spawning (pins of spawners are taken only before the tracker is closed),
 * and ends only when no pin is left: until then the group's scope and its owner's lock are there. */
#include "core/group.h"
#include "core/scope.h"
#include "core/sched.h"
#include "core/tracker.h"
#include "sync/waiting.h"

#include <edo/sync.h>
#include <edo/tracker.h>

#include <stdlib.h>

struct edo_tracker {
    edo__waitq q; /* who waits for the end; its lock is over closed, over, done and pins */
    bool closed;  /* no more spawns                                                       */
    bool over;    /* no more pins                                                         */
    bool done;    /* the group is gone                                                    */
    uint32_t pins;
    uint32_t refs; /* atomic: the handle, and the keeper */
    edo_event begun, shut, unpinned;
    edo_runtime *rt;
    edo_group group; /* the keeper's */
};

static void tracker_unref(edo_tracker *t)
{
    if (edo__asub(&t->refs, 1u, EDO__AR) == 1)
        free(t);
}

static bool pin(edo_tracker *t, bool to_spawn)
{
    edo__spin_lock(&t->q.lock);
    bool pinned = !t->over && (!to_spawn || !t->closed);
    t->pins += pinned;
    edo__spin_unlock(&t->q.lock);
    return pinned;
}

static void unpin(edo_tracker *t)
{
    edo__spin_lock(&t->q.lock);
    bool last = --t->pins == 0 && t->closed;
    edo__spin_unlock(&t->q.lock);
    if (last)
        edo_event_set(&t->unpinned);
}

/* Until nobody has it pinned; with `over` set on return if wanted, so that nobody will again. */
static void wait_unpinned(edo_tracker *t, bool over)
{
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    edo__spin_lock(&t->q.lock);
    while (t->pins > 0) {
        edo_event_reset(&t->unpinned); /* who takes the last pin away sets it after this */
        edo__spin_unlock(&t->q.lock);
        int rc = edo_event_wait(&t->unpinned);
        edo_assert(rc == 0 && "nothing cancels a shield from inside");
        edo__spin_lock(&t->q.lock);
    }
    t->over = over;
    edo__spin_unlock(&t->q.lock);
    (void)edo_scope_close(&s, 0);
}

static void set_closed(edo_tracker *t)
{
    edo__spin_lock(&t->q.lock);
    t->closed = true;
    edo__spin_unlock(&t->q.lock);
}

static void say_done(edo_tracker *t)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&t->q.lock);
    t->done = true;
    edo__wakes_claim_all(&wakes, &t->q, 0);
    edo__spin_unlock(&t->q.lock);
    edo__wakes_run(&wakes);
}

static int keeper(void *arg)
{
    edo_tracker *t = arg;
    edo_group_options options = { .keep_going = true, .discard = true };
    int rc = edo_group_open(&t->group, &options);
    edo_assert(rc == 0);
    edo_event_set(&t->begun);
    rc = edo_event_wait(&t->shut);
    edo_assert(rc == 0 || rc == -ECANCELED); /* by the tracker, or with the runtime */
    set_closed(t);
    wait_unpinned(t, false);
    (void)edo_group_close(&t->group);
    wait_unpinned(t, true);
    say_done(t);
    tracker_unref(t);
    return 0;
}

/* The keeper runs as soon as it is its turn, whatever becomes of the caller. */
static void wait_begun(edo_tracker *t)
{
    edo_scope s;
    edo_shield_open(&s, EDO_FOREVER);
    int rc = edo_event_wait(&t->begun);
    edo_assert(rc == 0);
    (void)edo_scope_close(&s, rc);
}

int edo_tracker_create(edo_tracker **out, edo_runtime *rt, const char *name)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    edo_tracker *t = calloc(1, sizeof *t);
    if (t == NULL)
        return -ENOMEM;
    t->refs = 2;
    t->rt = rt;
    edo_event_init(&t->begun, EDO_EVENT_MANUAL);
    edo_event_init(&t->shut, EDO_EVENT_MANUAL);
    edo_event_init(&t->unpinned, EDO_EVENT_MANUAL);
    edo_task_options options = { .name = name != NULL ? name : "tracker" };
    edo__spawn how = { .fn = keeper, .arg = t, .options = &options, .flags = EDO__TF_DETACHED };
    int rc = edo__runtime_spawn_how(rt, &how);
    if (rc < 0) {
        free(t);
        return rc;
    }
    wait_begun(t);
    *out = t;
    return 0;
}

void edo_tracker_destroy(edo_tracker *t)
{
    if (t == NULL)
        return;
    edo_tracker_close(t);
    tracker_unref(t);
}

int edo__tracker_spawn_with_at(edo_tracker *t, const edo_task_options *options, edo_fn *fn,
                               void *arg, const char *site)
{
    edo__spawn how = {
        .fn = fn, .arg = arg, .options = options, .site = site, .flags = EDO__TF_DETACHED
    };
    if (!pin(t, true))
        return -ESHUTDOWN;
    int rc = edo__spawn_into(t->rt, &t->group, &how);
    unpin(t);
    return rc;
}

int edo__tracker_spawn_at(edo_tracker *t, edo_fn *fn, void *arg, const char *site)
{
    return edo__tracker_spawn_with_at(t, NULL, fn, arg, site);
}

int(edo_tracker_spawn)(edo_tracker *t, edo_fn *fn, void *arg)
{
    return edo__tracker_spawn_with_at(t, NULL, fn, arg, NULL);
}

int(edo_tracker_spawn_with)(edo_tracker *t, const edo_task_options *options, edo_fn *fn, void *arg)
{
    return edo__tracker_spawn_with_at(t, options, fn, arg, NULL);
}

size_t edo_tracker_len(edo_tracker *t)
{
    if (!pin(t, false))
        return 0;
    size_t live = edo_group_len(&t->group);
    unpin(t);
    return live;
}

void edo_tracker_close(edo_tracker *t)
{
    set_closed(t);
    edo_event_set(&t->shut);
}

void edo_tracker_cancel(edo_tracker *t)
{
    set_closed(t);
    if (pin(t, false)) {
        edo_group_cancel(&t->group);
        unpin(t);
    }
    edo_event_set(&t->shut);
}

int edo_tracker_wait(edo_tracker *t)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    edo__spin_lock(&t->q.lock);
    if (t->done) {
        edo__spin_unlock(&t->q.lock);
        return 0;
    }
    return edo__waitq_wait(&t->q, &t->q.lock, &w, EDO__WHY_TRACKER, t);
}

/* Whether it is done within that time, which may be none. */
static bool done_within(edo_tracker *t, int64_t duration)
{
    edo__spin_lock(&t->q.lock);
    bool done = t->done;
    edo__spin_unlock(&t->q.lock);
    if (done || duration <= 0)
        return done;
    edo_scope s;
    edo_shield_open(&s, duration);
    return edo_scope_close(&s, edo_tracker_wait(t)) == 0;
}

static size_t report_left(edo_tracker *t, const edo_tracker_stop *how)
{
    size_t left = 0;
    if (!pin(t, false))
        return 0;
    if (how->report != NULL)
        fprintf(how->report, "edo: these tasks have not ended within the grace period:\n");
    left = edo__dump_group(t->rt, &t->group, how);
    unpin(t);
    return left;
}

int edo_tracker_shutdown(edo_tracker *t, const edo_tracker_stop *how, edo_tracker_report *out)
{
    edo_tracker_stop for_ever = { .drain = EDO_FOREVER };
    edo_tracker_report report = { 0, 0 };
    if (how == NULL)
        how = &for_ever;
    edo_tracker_close(t);
    bool done = done_within(t, how->drain);
    if (!done) {
        report.cancelled = edo_tracker_len(t);
        edo_tracker_cancel(t);
        done = done_within(t, how->grace);
    }
    if (!done)
        report.left = report_left(t, how);
    if (out != NULL)
        *out = report;
    return done ? 0 : -ETIMEDOUT;
}
