/* SPDX-License-Identifier: MIT */
/* The blocking pool: queues, classes, and who is called when a job comes.
 *
 * One lock covers everything; it is held for a few dozen instructions. A thread that ends a job
 * takes the next one in the same critical section. A thread without a job looks out for one for a
 * moment (one thread at a time, as long as that pays), then sleeps on a word of its own; the one
 * that fell asleep last is called first, so that the rest can grow old and leave.
 *
 * `searching` counts the threads that are about to look at the queues: called and not there yet,
 * being started, or looking out. A job calls for help only when fewer of them than runnable jobs
 * are on their way, and then for one. Not everybody who is needed is called by the submitter: a
 * thread that takes a job calls the next one if there is more to do. So a flood of tiny jobs is not
 * answered by a herd, and no job is forgotten: as long as one can run, somebody is searching, or
 * has been called, or every thread there may be is busy (and will take it afterwards).
 *
 * Limits (max >= 4): USER max - 2, FS and DNS max / 4, CPU one per core but at most max / 2. A
 * class at its limit waits without keeping a thread busy; the classes take turns.
 *
 * After fork() the child has the memory of the pool but none of its threads: it must not use it. */
#include "core/pool.h"

#include "base/assert.h"
#include "base/probe.h"
#include "core/pool_thread.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LEAST 4
#define USER_RESERVE 2
#define SHARE 4         /* FS and DNS: one part in so many */
#define SEARCHING_MAX 2 /* threads on their way at the same time; the first to arrive calls more */

int edo__pool_create(edo__pool **out, unsigned max, int64_t keepalive, unsigned cores,
                     const char *name)
{
    edo_assert(cores > 0 && keepalive >= 0);
    if (max < MAX_LEAST)
        return -EINVAL;
    edo__pool *p = aligned_alloc(EDO__CACHE_LINE, sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->max = max;
    p->keepalive = keepalive;
    p->spin = cores > 1 ? EDO__POOL_SPIN_MAX : 0;
    p->limit[EDO__JOB_USER] = max - USER_RESERVE;
    p->limit[EDO__JOB_CPU] = cores < max / 2 ? cores : max / 2;
    p->limit[EDO__JOB_FS] = max / SHARE;
    p->limit[EDO__JOB_DNS] = max / SHARE;
    int rc = edo__pool_threads_init(p, name);
    if (rc < 0)
        free(p);
    else
        *out = p;
    return rc;
}

void edo__pool_on_thread(edo__pool *p, void (*fn)(void *arg, bool starts), void *arg)
{
    edo_assert(p->threads == 0 && p->starting == 0);
    p->on_thread = fn;
    p->on_thread_arg = arg;
}

static void enqueue(edo__pool *p, edo__job *job)
{
    edo__pool_queue *q = &p->queues[job->cls];
    job->next = NULL;
    job->prev = q->tail;
    if (q->tail != NULL)
        q->tail->next = job;
    else
        q->head = job;
    q->tail = job;
    q->len++;
    job->queued = true;
    /* relaxed: a hint for the thread that looks out, which then takes the lock */
    edo__astore(&p->depth, p->depth + 1, EDO__RLX);
    EDO__PROBE3(blocking_submit, job, job->cls, p->depth);
}

static void dequeue(edo__pool *p, edo__job *job)
{
    edo__pool_queue *q = &p->queues[job->cls];
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        q->head = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    else
        q->tail = job->prev;
    q->len--;
    job->queued = false;
    edo__astore(&p->depth, p->depth - 1, EDO__RLX); /* relaxed: as in enqueue() */
}

static uint32_t runnable_of(const edo__pool *p, unsigned cls)
{
    uint32_t free_slots = p->limit[cls] - p->running[cls];
    return p->queues[cls].len < free_slots ? p->queues[cls].len : free_slots;
}

uint32_t edo__pool_runnable(const edo__pool *p)
{
    uint32_t n = 0;
    for (unsigned cls = 0; cls < EDO__JOB_CLASSES; cls++)
        n += runnable_of(p, cls);
    return n;
}

edo__job *edo__pool_take(edo__pool *p)
{
    for (unsigned i = 0; p->depth > 0 && i < EDO__JOB_CLASSES; i++) {
        unsigned cls = (p->turn + i) % EDO__JOB_CLASSES;
        if (runnable_of(p, cls) == 0)
            continue;
        edo__job *job = p->queues[cls].head;
        p->turn = (cls + 1) % EDO__JOB_CLASSES;
        p->running[cls]++;
        dequeue(p, job);
        return job;
    }
    return NULL;
}

edo__pool_call edo__pool_need_help(edo__pool *p)
{
    edo__pool_call call = { .wake = NULL };
    if (p->depth == 0 || p->searching >= SEARCHING_MAX || p->searching >= edo__pool_runnable(p))
        return call;
    if (p->idle != NULL) {
        call.wake = edo__pool_call_idle(p);
    } else if (!p->stopping && p->threads + p->starting < p->max) {
        p->starting++;
        p->searching++;
        call.start = true;
    }
    return call;
}

/* While no thread exists a job may only be queued by the one who starts the first: if that fails
 * nobody would ever run it. */
static int submit_first(edo__pool *p, edo__job *job)
{
    unsigned cls = job->cls;
    edo__pool_call call = { .wake = NULL };
    pthread_mutex_lock(&p->first);
    edo__spin_lock(&p->lock);
    bool first = p->threads == 0;
    int rc = p->stopping ? -ESHUTDOWN : 0;
    if (rc == 0) {
        enqueue(p, job);
        if (first)
            p->starting++, p->searching++;
        else
            call = edo__pool_need_help(p);
    }
    edo__spin_unlock(&p->lock);
    if (rc == 0 && first) {
        rc = edo__pool_start_thread(p);
        edo__spin_lock(&p->lock);
        /* Cancelled meanwhile, it may be gone: ask the queue, not the job. */
        if (rc < 0 && p->queues[cls].head != NULL)
            dequeue(p, p->queues[cls].head);
        edo__spin_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->first);
    edo__pool_help(p, call);
    return rc;
}

int edo__pool_submit(edo__pool *p, edo__job *job)
{
    edo_assert(job->run != NULL && (unsigned)job->cls < EDO__JOB_CLASSES && !job->queued);
    edo__spin_lock(&p->lock);
    if (edo__unlikely(p->stopping || p->threads == 0)) {
        edo__spin_unlock(&p->lock);
        return submit_first(p, job);
    }
    enqueue(p, job);
    edo__pool_call call = edo__pool_need_help(p);
    edo__spin_unlock(&p->lock);
    edo__pool_help(p, call);
    return 0;
}

bool edo__pool_cancel(edo__pool *p, edo__job *job)
{
    edo__spin_lock(&p->lock);
    bool queued = job->queued;
    if (queued) {
        dequeue(p, job);
        EDO__PROBE1(blocking_cancel, job);
    }
    edo__spin_unlock(&p->lock);
    return queued;
}

static uint64_t total_running(const edo__pool *p)
{
    uint64_t n = 0;
    for (unsigned cls = 0; cls < EDO__JOB_CLASSES; cls++)
        n += p->running[cls];
    return n;
}

void edo__pool_read_stats(edo__pool *p, edo__pool_stats *out)
{
    edo__spin_lock(&p->lock);
    out->threads = p->threads;
    out->idle = p->n_idle + p->spinning;
    out->depth = p->depth;
    out->running = total_running(p);
    out->done = p->done;
    edo__spin_unlock(&p->lock);
}

bool edo__pool_idle(edo__pool *p)
{
    edo__spin_lock(&p->lock);
    bool idle = p->depth == 0 && total_running(p) == 0;
    edo__spin_unlock(&p->lock);
    return idle;
}

void edo__pool_destroy(edo__pool *p)
{
    edo__pool_threads_fini(p);
    edo_assert(p->depth == 0 && total_running(p) == 0);
    free(p);
}
