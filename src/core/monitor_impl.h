/* SPDX-License-Identifier: MIT */
/* The monitor's parts among themselves: what it has seen of each worker (monitor.c), stacks and
 * reports (stuck_report.c), spare workers (spare.c). All of it is the monitor thread's, but the
 * traces, which others may ask for as well. */
#ifndef EDO_CORE_MONITOR_IMPL_H
#define EDO_CORE_MONITOR_IMPL_H

#include "core/monitor.h"

#define EDO__MONITOR_FRAMES 64

typedef struct edo__watch { /* what was seen of one worker the last time */
    edo__task *task;
    uint64_t tick;
    int64_t since;
    int64_t cpu_first; /* processor time its thread had used when it was first seen in this run */
    int64_t cpu_last;  /* ... and when it was last read; -1: not in this run                    */
    int64_t cpu_next;  /* sleepers: when to read it again                                       */
    int64_t asked;     /* when it was asked for its stack; 0: not yet                           */
    int64_t called;    /* spares: when it was called in                                         */
    bool reported;
    bool held;    /* by one task, for long                                                      */
    bool blocked; /* its thread sleeps in a system call of the task's                           */
} edo__watch;

typedef struct edo__trace { /* a worker's stack, by its own signal handler */
    uint32_t wanted;        /* atomic: 1 asked, 0 answered */
    bool live;              /* its thread is in its loop */
    pthread_t thread;       /* its own word for it: the worker's field is its creator's */
    pid_t tid;
    size_t n;
    void *pcs[EDO__MONITOR_FRAMES];
} edo__trace;

typedef struct edo__spares { /* see spare.c */
    uint32_t burst;          /* how many to call in when the next time comes */
    int64_t called;          /* when some were last called in */
    int64_t refused;         /* when there was no thread or memory for one; 0: never */
    bool backlog;            /* at the last look tasks waited, and nobody was free */
} edo__spares;

/* The last report. A thread of its own writes it: symbols take time, and standard error may not
 * take it at all for a while. */
typedef struct edo__report {
    pthread_t thread;
    bool started;            /* there is a thread to be joined */
    uint32_t done;           /* atomic: the thread has written all */
    int64_t at;              /* when; 0: never */
    const edo__watch *asker; /* whose stack the next one waits for; NULL: nobody's */
    uint64_t suppressed;     /* events before this one that were not reported */
    uint32_t worker;
    int64_t held;
    char who[256];
    size_t n;
    void *pcs[EDO__MONITOR_FRAMES];
} edo__report;

struct edo__monitor {
    pthread_t thread;
    bool running;
    uint32_t stop;   /* atomic */
    uint32_t asleep; /* atomic: odd while all workers sleep and so does the monitor */
    int alarm;       /* ends that sleep, see arch/alarm.h */
    int64_t period;
    int64_t next_look;   /* when a run that is being watched will have lasted too long */
    uint32_t dumps;      /* requests for a dump that were answered */
    bool any_held;       /* at the last look */
    bool waiting;        /* at the last look work waited for a worker that searches */
    uint64_t suppressed; /* events that were not reported since one was */
    edo__report report;
    edo__spares spares;
    pthread_mutex_t trace_lock; /* one request for a stack at a time; over traces' `live` */
    edo__watch *watches;        /* both: one for each worker there can ever be */
    edo__trace *traces;
};

/* stuck_report.c */
void edo__monitor_install_signal(void); /* once per process */
/* Processor time of w's thread; 0 when it has none. */
int64_t edo__monitor_cpu(struct edo__monitor *m, const edo__worker *w);
/* Whether w's thread sleeps in a system call rather than that it runs, or waits to. */
bool edo__monitor_sleeps(struct edo__monitor *m, const edo__worker *w);
/* Tells standard error about a held worker, in two steps: see there. */
void edo__monitor_report(struct edo__monitor *m, edo__worker *w, edo__watch *seen, int64_t now);

/* The run that was seen is over: no report of it any more. */
void edo__monitor_report_drop(struct edo__monitor *m, const edo__watch *seen);
void edo__monitor_report_end(struct edo__monitor *m); /* until the last one is written */

/* spare.c. Before the runtime has threads: so that calling in spares need not wait for the kernel. fd:
 * any descriptor. */
void edo__spares_reserve(int fd);
/* After a look at every worker. */
void edo__spares_balance(edo_runtime *rt, int64_t now);

#endif
