/* SPDX-License-Identifier: MIT */
/* Blocking work for tasks: a job in the caller's frame, run by the pool, with the caller waiting.
 *
 * A cancel can take a job back only while it is queued. Once it runs, its argument may point into
 * the caller's frame, so the caller waits for its end, whatever happens. */
#include "core/blocking.h"

#include "core/group.h"
#include "core/hooks.h"
#include "core/sched.h"

#include <edo/blocking.h>
#include <stdlib.h>

static void task_job_run(edo__job *job)
{
    edo__task_job *j = (edo__task_job *)job;
    j->code = j->fn(j->arg);
    edo__task *t = j->task;
    edo__spin_lock(&j->lock);
    j->done = true;
    uint32_t was = edo__claim(t, j->wake);
    edo__spin_unlock(&j->lock); /* j is gone once t runs, and t passes through the lock first */
    edo__claimed(t, was);
}

/* Waits for a job that can no longer be taken back. */
static void wait_for_end(edo__task_job *j, edo__task *self)
{
    for (;;) {
        edo__spin_lock(&j->lock);
        bool done = j->done;
        if (!done)
            (void)edo__wait_begin(self, false);
        edo__spin_unlock(&j->lock);
        if (done)
            return;
        (void)edo__wait_commit(self, &j->lock, EDO__WHY_BLOCKING, j);
    }
}

void edo__task_job_start(edo__task_job *j, edo__task *self, edo__job_class cls)
{
    j->job = (edo__job){ .run = task_job_run, .cls = cls };
    j->task = self;
    int rc = edo__pool_submit(self->rt->pool, &j->job);
    if (rc < 0) { /* else it may have run by now */
        j->code = rc;
        j->done = true;
    }
}

bool edo__task_job_done(edo__task_job *j)
{
    edo__spin_lock(&j->lock);
    bool done = j->done;
    edo__spin_unlock(&j->lock);
    return done;
}

bool edo__task_job_settle(edo__task_job *j)
{
    if (!edo__task_job_done(j)) {
        if (edo__pool_cancel(j->task->rt->pool, &j->job))
            return false;
        wait_for_end(j, j->task);
    }
    return true; /* `done` was seen under the lock: the pool's thread has left j */
}

int edo__blocking_run_stoppable(edo__task *self, edo__job_class cls, edo_fn *fn, void *arg,
                                uint32_t *stop)
{
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    if (edo__is_foreign(self))
        return fn(arg);
    edo__pool *pool = self->rt->pool;
    edo__task_job j = { .job = { .run = task_job_run, .cls = cls },
                        .fn = fn,
                        .arg = arg,
                        .task = self,
                        .wake = EDO__WAKE_OK };
    /* Said before it parks: starting a thread takes a while, and the job may run meanwhile. */
    edo__astore(&self->why, (uint8_t)EDO__WHY_BLOCKING, EDO__RLX);
    if (!edo__wait_begin(self, true))
        return -ECANCELED;
    rc = edo__pool_submit(pool, &j.job);
    if (rc < 0) {
        (void)edo__wait_abort(self);
        return rc;
    }
    uint32_t code = edo__wait_commit(self, &j.lock, EDO__WHY_BLOCKING, &j);
    if (code != EDO__WAKE_OK) {
        if (edo__pool_cancel(pool, &j.job))
            return -ECANCELED;
        if (stop != NULL)
            edo__astore(stop, 1u, EDO__RLX); /* a hint: the sooner it is seen the better */
        wait_for_end(&j, self);
    }
    /* The pool thread has left j: it released the lock before it made us runnable, or we take it
     * now. */
    edo__spin_lock(&j.lock);
    edo__spin_unlock(&j.lock);
    return j.code;
}

int edo__blocking_run(edo__task *self, edo__job_class cls, edo_fn *fn, void *arg)
{
    return edo__blocking_run_stoppable(self, cls, fn, arg, NULL);
}

int edo_blocking(edo_fn *fn, void *arg)
{
    return edo__blocking_run(edo__self(), EDO__JOB_USER, fn, arg);
}

int edo_cpu(edo_fn *fn, void *arg)
{
    return edo__blocking_run(edo__self(), EDO__JOB_CPU, fn, arg);
}

/* A child made by edo_spawn_blocking() needs no stack and no worker: its job is in its copy
 * area. */
static edo__job *child_job(edo__task *t)
{
    _Static_assert(sizeof(edo__job) <= sizeof t->copy, "a job fits into a task");
    return (edo__job *)(void *)t->copy;
}

static void child_job_run(edo__job *job)
{
    edo__task *t = (edo__task *)(void *)((char *)job - offsetof(edo__task, copy));
    /* Cancelled before it was its turn: it did not happen. The group is open: t has not ended. */
    const edo_scope *s = &t->group->edo__scope;
    bool late =
        s->edo__deadline_eff != EDO_FOREVER && s->edo__deadline_eff <= edo__clock_now(t->rt);
    bool cancelled = edo__aload(&s->edo__cancelled, EDO__SC) != 0 || late;
    /* release: as in edo__stack_entry() */
    edo__astore(&t->code, cancelled ? -ECANCELED : t->fn(t->arg), EDO__REL);
    if ((t->flags & EDO__TF_HOOKED) != 0)
        edo__hook_end(t, t->code);
    edo__astore(&t->word, EDO__WORD_IDLE, EDO__REL);
    uint32_t worker = edo__probe_value(EDO__PROBE_NOBODY);
    EDO__PROBE3(task_end, t->id, worker, t->code);
    edo__group_ended(t, NULL);
}

int edo__blocking_start(edo__task *t, edo__worker *w)
{
    edo__astore(&t->state, EDO__TASK_LIVE, EDO__RLX);
    edo__astore(&t->why, EDO__WHY_BLOCKING, EDO__RLX);
    t->why_obj = NULL;
    edo__astore(&t->word, EDO__WORD_WAITING | EDO__CANCEL_NEVER, EDO__REL); /* for dumps */
    edo__job *job = child_job(t);
    *job = (edo__job){ .run = child_job_run, .cls = EDO__JOB_USER };
    int rc = edo__pool_submit(t->rt->pool, job);
    if (rc < 0) {
        edo__astore(&t->code, 0, EDO__REL); /* as above */
        t->flags |= EDO__TF_UNSEEN;
        if ((t->flags & EDO__TF_HOOKED) != 0)
            edo__hook_end(t, rc);
        edo__astore(&t->word, EDO__WORD_IDLE, EDO__REL);
        edo__group_ended(t, w);
    }
    return rc;
}

int edo__spawn_blocking_at(edo_group *g, edo_fn *fn, void *arg, const char *site)
{
    edo__spawn how = { .fn = fn, .arg = arg, .site = site, .flags = EDO__TF_BLOCKING };
    return edo__spawn_how(g, &how, NULL);
}

int(edo_spawn_blocking)(edo_group *g, edo_fn *fn, void *arg)
{
    return edo__spawn_blocking_at(g, fn, arg, NULL);
}

typedef struct drop_job {
    edo__job job; /* first member */
    void *p;
    void (*destroy)(void *);
} drop_job;

static void drop_job_run(edo__job *job)
{
    drop_job *j = (drop_job *)job;
    j->destroy(j->p);
    free(j);
}

int edo_drop(void *p, void (*destroy)(void *))
{
    if (p == NULL)
        return 0;
    edo__task *self = edo__self_task();
    drop_job *j = self != NULL ? malloc(sizeof *j) : NULL;
    if (j == NULL) {
        destroy(p);
        return 0;
    }
    *j = (drop_job){ .job = { .run = drop_job_run, .cls = EDO__JOB_USER },
                     .p = p,
                     .destroy = destroy };
    if (edo__pool_submit(self->rt->pool, &j->job) < 0) {
        destroy(p);
        free(j);
    }
    return 0;
}
