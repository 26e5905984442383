/* SPDX-License-Identifier: MIT */
/* The blocking pool: elastic threads for calls that block, in classes so that one kind of work
 * cannot starve another. Knows nothing of tasks: a job is a function that says itself that it is
 * done. */
#ifndef EDO_CORE_POOL_H
#define EDO_CORE_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum edo__job_class {
    EDO__JOB_USER, /* edo_blocking(): every thread but two                            */
    EDO__JOB_CPU,  /* edo_cpu(): one running per core, half of the threads at most    */
    EDO__JOB_FS,   /* files: a quarter of the threads                                 */
    EDO__JOB_DNS,  /* name lookups: a quarter of the threads                          */
    EDO__JOB_CLASSES,
} edo__job_class;

typedef struct edo__job {
    struct edo__job *next, *prev;      /* on its class's queue until a thread takes it           */
    void (*run)(struct edo__job *job); /* on a pool thread; the last thing it does may free job  */
    edo__job_class cls;
    bool queued; /* under the pool's lock */
} edo__job;

typedef struct edo__pool_stats {
    uint32_t threads, idle;
    uint64_t depth; /* queued */
    uint64_t running;
    uint64_t done;
} edo__pool_stats;

typedef struct edo__pool edo__pool;

/* max threads (>= 4), keepalive in nanoseconds, cores: limit of the CPU class, name: thread prefix.
 * No thread is started before the first job. */
int edo__pool_create(edo__pool **out, unsigned max, int64_t keepalive, unsigned cores,
                     const char *name);
/* Called by each thread as the first and as the last thing it does. Before the first job. */
void edo__pool_on_thread(edo__pool *p, void (*fn)(void *arg, bool starts), void *arg);
/* 0, -ESHUTDOWN, or -EAGAIN when no thread exists and none can be started. The job stays the
 * caller's memory until run() was called. Wakes at most one thread; starts one only when none is
 * idle. */
int edo__pool_submit(edo__pool *p, edo__job *job);
bool edo__pool_cancel(edo__pool *p, edo__job *job); /* true: it was still queued and never runs */
void edo__pool_read_stats(edo__pool *p, edo__pool_stats *out);
bool edo__pool_idle(edo__pool *p); /* nothing queued, nothing running */
/* Refuses new jobs, runs what is queued, joins all threads, frees. */
void edo__pool_destroy(edo__pool *p);

/* How threads are made: pthread_create(), replaced by tests. */
extern int (*edo__pool_pthread_create)(pthread_t *thread, const pthread_attr_t *attr,
                                       void *(*start)(void *), void *arg);

#endif
