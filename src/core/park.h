/* SPDX-License-Identifier: MIT */
/* How workers fall asleep and are woken: the park protocol. See the essay in park.c. */
#ifndef EDO_CORE_PARK_H
#define EDO_CORE_PARK_H

#include <stdbool.h>
#include <stdint.h>

/* Who is idle. One per runtime. */
typedef struct edo__idle {
    uint32_t word;     /* atomic: workers searching */
    uint32_t n;        /* workers meant to run at a time: the measure of rule 2 */
    uint32_t lock;     /* over the rest; the two counts are also read without */
    uint32_t present;  /* atomic: workers awake or on the stack: all but resting spares */
    uint32_t sleeping; /* atomic: length of stack */
    uint16_t *stack;   /* sleeping workers, the latest on top: low load settles on few of them */
    uint8_t *asleep;   /* per worker: it is on the stack */
} edo__idle;

enum { EDO__PARKER_AWAKE, EDO__PARKER_ASLEEP, EDO__PARKER_NOTIFIED };

/* One worker's bed. */
typedef struct edo__parker {
    uint32_t state; /* atomic */
} edo__parker;

/* workers are present from the start; room: as many as there can ever be. */
int edo__idle_init(edo__idle *i, uint32_t workers, uint32_t room);
void edo__idle_deinit(edo__idle *i);

/* Work was made visible in some queue: which worker must be woken for it, -1 for none. The one
 * named has left the sleepers and counts as searching already. */
int edo__idle_notify(edo__idle *i);
/* The same although somebody searches: the monitor's, when that one has not found the work for
 * long, since its thread does not get a processor. */
int edo__idle_notify_more(edo__idle *i);

/* A worker out of work wants to look for it at others: false when enough do already. */
bool edo__idle_search(edo__idle *i);
/* It found some. True: it was the last one searching, so it must look at every queue once more; if
 * there is anything left, edo__idle_notify() again. */
bool edo__idle_search_end(edo__idle *i);

/* Goes on the list of sleepers. True: nobody searches now, so it must look at every queue once
 * more; if there is anything, edo__idle_notify() again. */
bool edo__idle_sleep(edo__idle *i, uint32_t worker, bool searching);
/* Back from sleep. True: a notify had named it, so it counts as searching. */
bool edo__idle_leave(edo__idle *i, uint32_t worker);

/* A spare worker comes, awake; or it goes to rest: it is on no list and notify never names it. */
void edo__idle_join(edo__idle *i);
void edo__idle_quit(edo__idle *i);
/* Whether at one instant nobody was awake. Never waits: false as well while the lock is taken, as
 * somebody is awake then. */
bool edo__idle_all_asleep(edo__idle *i);

/* The sleeper's side of its bed: true, it may block; false, it was notified meanwhile. */
bool edo__parker_prepare(edo__parker *p);
void edo__parker_done(edo__parker *p);
/* The waker's side: true, the worker blocks, or is about to, and must be woken by the backend. */
bool edo__parker_notify(edo__parker *p);

#endif
