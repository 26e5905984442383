/* SPDX-License-Identifier: MIT */
/* Measuring how long tasks run and how long they wait to run. See meter.c. */
#ifndef EDO_CORE_METER_H
#define EDO_CORE_METER_H

#include "base/atomic.h"

#include <edo/metrics.h>
#include <stdbool.h>
#include <stdint.h>

struct edo__task;
struct edo__worker;

#define EDO__METER_TURNS 8 /* turns at the inject queue per sample, on average */

/* A histogram with one writer: relaxed atomics, read by anybody. */
typedef struct edo__hist {
    uint64_t sum, max;
    uint64_t buckets[EDO_HISTOGRAM_BUCKETS];
} edo__hist;

typedef struct edo__meter { /* a worker's; written by its owner */
    edo_metrics_mode mode;
    bool on;             /* the next run is measured, or all are                             */
    bool always;         /* all are, as long as the worker lives                             */
    bool each_spawn;     /* every spawn is looked at: there are hooks                        */
    uint64_t next_spawn; /* the spawn by that number is a sample; UINT64_MAX: none           */
    bool resumed;        /* traced: the task that runs next has paused before                */
    uint32_t turns;      /* until one has a sample in it; 0: none has                        */
    int32_t rest;        /* of a turn that was cut in two, for its second part; 0: is whole  */
    uint64_t tick_woken; /* of the worker's tick when it woke last                           */
    int64_t started;     /* atomic: when its loop began                                      */
    int64_t idle_since;  /* atomic: looking for work in vain or asleep since; 0: busy        */
    int64_t idle_ns;     /* atomic: before that                                              */
    uint64_t noops;      /* atomic: times it woke and found nothing to run                   */
    edo__hist run, wake;
} edo__meter;

void edo__meter_init(struct edo__worker *w, const edo_config *config);
void edo__meter_start(struct edo__worker *w); /* its loop begins */

/* The worker's count of tasks to the next look at the inject queue has run out. Sets the next one.
 * False: it was cut in two for a sample, and only the first part has passed. */
bool edo__meter_turn(struct edo__worker *w);

/* Around a run that is measured; t has left its stack at the end, and nobody knows yet. */
int64_t edo__meter_begin(struct edo__worker *w, struct edo__task *t);
void edo__meter_end(struct edo__worker *w, int64_t begin, uint64_t id);

/* A child whose number was sample_spawn: it is a sample of the wait for a first run, or traced, or
 * has hooks. */
void edo__meter_spawned(struct edo__worker *w, struct edo__task *t);
/* A detached task that came from a thread that is no worker. */
void edo__meter_spawned_outside(edo_runtime *rt, struct edo__task *t);
/* Steps in the life of a task with EDO__PIN_WATCHED. woken: by whoever makes it runnable. */
void edo__meter_woken(struct edo__task *t);
void edo__meter_ran(struct edo__worker *w, struct edo__task *t);

/* Around idling. */
void edo__meter_idle(struct edo__worker *w);
void edo__meter_busy(struct edo__worker *w);

/* Adds the worker's figures. */
void edo__meter_add(const edo__hist *h, edo_histogram *out);
int64_t edo__meter_idle_ns(const edo__meter *m, int64_t now);

#endif
