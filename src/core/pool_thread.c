/* SPDX-License-Identifier: MIT */
/* The pool's threads: how they start, look for work, sleep, leave and are joined.
 *
 * A thread that leaves joins the one that left before it, so at most one is ever unjoined, and
 * nobody else has to wait for that. The last thread stays while another is being started: if that
 * fails there must be someone to run what was queued meanwhile. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np() */
#endif
#include "core/pool_thread.h"

#include "arch/futex.h"
#include "base/assert.h"
#include "base/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Users' code runs here: resolvers, TLS, parsers, interpreters that limit themselves to 1 MiB. A
 * bit below 2 MiB, because a huge page would make all of a stack resident at its first touch. */
#define STACK_SIZE (1920u * 1024)
#define SPIN_MIN 1000
#define SPIN_RETRY 64 /* after so many sleeps without looking out it is tried again */
#define SPIN_LOOKS 16 /* looks at the queue per look at the clock */

int (*edo__pool_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                                void *) = pthread_create;

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int edo__pool_threads_init(edo__pool *p, const char *name)
{
    /* 15 bytes are all the kernel keeps of a thread's name */
    (void)snprintf(p->name, sizeof p->name, "%.9s-block", name);
    int rc = pthread_mutex_init(&p->first, NULL);
    if (rc != 0)
        return -rc;
    rc = pthread_attr_init(&p->attr);
    if (rc != 0) {
        pthread_mutex_destroy(&p->first);
        return -rc;
    }
    (void)pthread_attr_setstacksize(&p->attr, STACK_SIZE);
    return 0;
}

/* Under the lock: the last one that fell asleep is called, and counts as searching. */
edo__pool_thread *edo__pool_call_idle(edo__pool *p)
{
    edo__pool_thread *t = p->idle;
    p->idle = t->next;
    if (p->idle != NULL)
        p->idle->prev = NULL;
    t->is_idle = false;
    p->n_idle--;
    p->searching++;
    edo__astore(&t->word, 1u, EDO__REL); /* pairs with the load in sleep_until_called() */
    return t;
}

static void push_idle(edo__pool *p, edo__pool_thread *t)
{
    edo__astore(&t->word, 0u, EDO__RLX); /* relaxed: callers find t under the lock */
    t->prev = NULL;
    t->next = p->idle;
    if (p->idle != NULL)
        p->idle->prev = t;
    p->idle = t;
    t->is_idle = true;
    p->n_idle++;
}

static void drop_idle(edo__pool *p, edo__pool_thread *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        p->idle = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->is_idle = false;
    p->n_idle--;
}

/* As a searcher, under the lock; when it returns there is nothing to take. */
static void work(edo__pool *p)
{
    edo__job *job;
    p->searching--;
    while ((job = edo__pool_take(p)) != NULL) {
        edo__pool_call call = edo__pool_need_help(p);
        edo__spin_unlock(&p->lock);
        edo__pool_help(p, call);
        unsigned cls = job->cls;
        uintptr_t id = (uintptr_t)job;
        EDO__PROBE2(blocking_start, id, cls);
        job->run(job); /* job is gone */
        EDO__PROBE2(blocking_end, id, cls);
        edo__spin_lock(&p->lock);
        p->running[cls]--;
        p->done++;
    }
}

static void look_out(edo__pool *p, int64_t duration)
{
    int64_t end = now_ns() + duration;
    do {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (edo__aload(&p->depth, EDO__RLX) != 0) /* a hint: the lock comes next */
                return;
            edo__cpu_relax();
        }
    } while (now_ns() < end);
}

/* Under the lock. True: there is a job to run, and the thread counts as searching. Looking out
 * costs a core; when it does not pay the time shrinks, and it is given up but for a try now and
 * then. */
static bool spin(edo__pool *p)
{
    if (p->spin == 0 || p->spinning != 0)
        return false;
    if (p->spin < SPIN_MIN && ++p->spin_skipped % SPIN_RETRY != 0)
        return false;
    int64_t duration = p->spin < SPIN_MIN ? EDO__POOL_SPIN_MAX : p->spin;
    p->spinning = 1;
    p->searching++;
    edo__spin_unlock(&p->lock);
    look_out(p, duration);
    edo__spin_lock(&p->lock);
    p->spinning = 0;
    if (edo__pool_runnable(p) > 0) {
        p->spin = EDO__POOL_SPIN_MAX;
        return true;
    }
    p->searching--;
    if (p->spin >= SPIN_MIN)
        p->spin -= p->spin / 4;
    return false;
}

/* Under the lock: asleep for longer than keepalive, and not needed. */
static bool may_leave(const edo__pool *p, const edo__pool_thread *t)
{
    return t->is_idle && (p->threads > 1 || p->starting == 0);
}

/* On the idle list, under the lock. True: called. False: its time is over. */
static bool sleep_until_called(edo__pool *p, edo__pool_thread *t)
{
    int64_t start = now_ns(), left = p->keepalive;
    edo__spin_unlock(&p->lock);
    /* acquire: pairs with the store in edo__pool_call_idle() */
    while (edo__aload(&t->word, EDO__ACQ) == 0) {
        if (left > 0) {
            edo__futex_wait(&t->word, 0, left);
        } else {
            edo__spin_lock(&p->lock);
            if (may_leave(p, t)) {
                drop_idle(p, t);
                return false;
            }
            edo__spin_unlock(&p->lock);
            start = now_ns();
        }
        if (p->keepalive != INT64_MAX)
            left = p->keepalive - (now_ns() - start);
    }
    edo__spin_lock(&p->lock);
    return true;
}

/* Under the lock, nothing to take. True: called, and counted as searching. False: leave. */
static bool wait_for_work(edo__pool *p, edo__pool_thread *t)
{
    if (!p->stopping && spin(p))
        return true;
    if (p->stopping)
        return false;
    push_idle(p, t);
    return sleep_until_called(p, t);
}

static void put_unused(edo__pool *p, edo__pool_thread *t)
{
    t->next = p->unused;
    p->unused = t;
}

/* Under the lock, which is released. */
static void leave(edo__pool *p, edo__pool_thread *t)
{
    edo__pool_thread *before = p->leaving;
    p->leaving = t;
    p->threads--;
    bool last = p->stopping && p->threads == 0 && p->starting == 0;
    edo__spin_unlock(&p->lock);
    if (p->on_thread != NULL)
        p->on_thread(p->on_thread_arg, false);
    if (before != NULL) {
        pthread_join(before->handle, NULL);
        edo__spin_lock(&p->lock);
        put_unused(p, before);
        edo__spin_unlock(&p->lock);
    }
    if (last) {
        /* p stays until this thread is joined */
        edo__astore(&p->gone, 1u, EDO__REL); /* pairs with edo__pool_threads_fini() */
        edo__futex_wake(&p->gone, 1);
    }
}

static void *thread_main(void *arg)
{
    edo__pool_thread *t = arg;
    edo__pool *p = t->pool;
    t->handle = pthread_self();
    (void)pthread_setname_np(t->handle, p->name);
    if (p->on_thread != NULL)
        p->on_thread(p->on_thread_arg, true);
    edo__spin_lock(&p->lock);
    do
        work(p);
    while (wait_for_work(p, t));
    leave(p, t);
    return NULL;
}

static edo__pool_thread *get_unused(edo__pool *p)
{
    edo__spin_lock(&p->lock);
    edo__pool_thread *t = p->unused;
    if (t != NULL)
        p->unused = t->next;
    edo__spin_unlock(&p->lock);
    if (t == NULL)
        t = aligned_alloc(EDO__CACHE_LINE, sizeof *t);
    if (t != NULL)
        *t = (edo__pool_thread){ .pool = p };
    return t;
}

/* A new thread inherits the caller's mask: signals are for the program's own threads. What a fault
 * raises stays unblocked, a blocked one would kill without a report. */
static void block_signals(sigset_t *saved)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, saved);
}

int edo__pool_start_thread(edo__pool *p)
{
    int rc = ENOMEM;
    edo__pool_thread *t = get_unused(p);
    if (t != NULL) {
        pthread_t handle;
        sigset_t saved;
        block_signals(&saved);
        rc = edo__pool_pthread_create(&handle, &p->attr, thread_main, t);
        pthread_sigmask(SIG_SETMASK, &saved, NULL);
    }
    edo__pool_call call = { .wake = NULL };
    edo__spin_lock(&p->lock);
    p->starting--;
    if (rc == 0) {
        p->threads++;
        EDO__PROBE1(blocking_thread, p->threads);
    } else {
        p->searching--;
        if (t != NULL)
            put_unused(p, t);
        /* A job that came meanwhile relied on this one, and let others fall asleep. */
        if (p->idle != NULL && p->searching < edo__pool_runnable(p))
            call.wake = edo__pool_call_idle(p);
    }
    edo__spin_unlock(&p->lock);
    edo__pool_help(p, call);
    return rc == 0 ? 0 : -EAGAIN;
}

void edo__pool_help(edo__pool *p, edo__pool_call call)
{
    if (call.wake != NULL)
        edo__futex_wake(&call.wake->word, 1);
    else if (call.start)
        (void)edo__pool_start_thread(p); /* others exist: the job is theirs then */
}

void edo__pool_threads_fini(edo__pool *p)
{
    edo__spin_lock(&p->lock);
    p->stopping = true;
    bool any = p->threads > 0;
    while (p->idle != NULL) {
        edo__pool_thread *t = edo__pool_call_idle(p);
        edo__spin_unlock(&p->lock);
        edo__futex_wake(&t->word, 1);
        edo__spin_lock(&p->lock);
    }
    edo__spin_unlock(&p->lock);
    while (any && edo__aload(&p->gone, EDO__ACQ) == 0) /* pairs with the store in leave() */
        edo__futex_wait(&p->gone, 0, INT64_MAX);
    if (p->leaving != NULL) {
        pthread_join(p->leaving->handle, NULL);
        put_unused(p, p->leaving);
    }
    while (p->unused != NULL) {
        edo__pool_thread *t = p->unused;
        p->unused = t->next;
        free(t);
    }
    pthread_attr_destroy(&p->attr);
    pthread_mutex_destroy(&p->first);
}
