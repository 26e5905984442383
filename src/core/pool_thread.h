/* SPDX-License-Identifier: MIT */
/* The pool's insides, shared by its queues (pool.c) and its threads (pool_thread.c). */
#ifndef EDO_CORE_POOL_THREAD_H
#define EDO_CORE_POOL_THREAD_H

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/spin.h"
#include "core/pool.h"

#include <edo/base.h>

#define EDO__POOL_SPIN_MAX 10000 /* nanoseconds a thread looks out for a job before it sleeps */

/* Lives until the pool is destroyed, so that a late wake call finds memory; used again. */
typedef struct edo__pool_thread {
    uint32_t word;                        /* atomic: the thread sleeps here; 1: called */
    bool is_idle;                         /* on the idle list */
    struct edo__pool_thread *next, *prev; /* on the idle list, or (next only) on the free list */
    edo__pool *pool;
    pthread_t handle; /* written by the thread itself */
} __attribute__((aligned(EDO__CACHE_LINE))) edo__pool_thread;

typedef struct edo__pool_queue {
    edo__job *head, *tail;
    uint32_t len;
} edo__pool_queue;

struct edo__pool {
    uint32_t lock;      /* over everything but what stays as it was made */
    uint32_t threads;   /* that exist: their pthread_create() has returned */
    uint32_t starting;  /* whose pthread_create() has not returned */
    uint32_t searching; /* about to look at the queues; see pool.c */
    uint32_t n_idle;    /* asleep */
    uint32_t spinning;  /* 1: a thread looks out for jobs without sleeping */
    uint32_t turn;      /* class that is asked first */
    bool stopping;
    edo__pool_thread *idle;    /* asleep; the last to fall asleep first */
    edo__pool_thread *unused;  /* records of threads that have ended and were joined */
    edo__pool_thread *leaving; /* has ended or is about to; the next to leave joins it */
    uint32_t running[EDO__JOB_CLASSES];
    uint64_t done;
    edo__pool_queue queues[EDO__JOB_CLASSES];
    int64_t spin; /* how long to look out at present; adapts */
    uint32_t spin_skipped;

    uint32_t max;
    uint32_t limit[EDO__JOB_CLASSES];
    int64_t keepalive;
    pthread_attr_t attr;
    pthread_mutex_t first; /* held while the first thread is started */
    char name[16];
    void (*on_thread)(void *arg, bool starts); /* or NULL */
    void *on_thread_arg;

    /* Read by the one that looks out, without the lock. */
    uint32_t depth __attribute__((aligned(EDO__CACHE_LINE))); /* atomic; jobs queued */
    uint32_t gone; /* atomic; 1: stopping, and the last thread has left */
};

/* Whom a job needs, decided under the lock and carried out without it. */
typedef struct edo__pool_call {
    edo__pool_thread *wake;
    bool start;
} edo__pool_call;

/* pool.c; all under the lock */
edo__job *edo__pool_take(edo__pool *p);
uint32_t edo__pool_runnable(const edo__pool *p);
edo__pool_call edo__pool_need_help(edo__pool *p);

/* pool_thread.c */
int edo__pool_threads_init(edo__pool *p, const char *name);
void edo__pool_threads_fini(edo__pool *p);              /* runs what is queued, joins all */
edo__pool_thread *edo__pool_call_idle(edo__pool *p);    /* under the lock */
int edo__pool_start_thread(edo__pool *p);               /* counted as starting and searching */
void edo__pool_help(edo__pool *p, edo__pool_call call); /* not under the lock */

#endif
