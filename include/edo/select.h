/* SPDX-License-Identifier: MIT */
/* Edo: waiting for the first of several things.
 *
 *     edo_case cases[] = { EDO_RECV(c, &v), EDO_AFTER(EDO_MS(50)) };
 *     switch (edo_select(cases, 2)) {
 *     case 0: ...                    // received; cases[0].result is 0 or -EPIPE
 *     case 1: ...                    // 50 ms have passed
 *     default: ...                   // -ECANCELED
 *     } */
#ifndef EDO_SELECT_H
#define EDO_SELECT_H

#include <edo/base.h>
#include <edo/broadcast.h>
#include <edo/chan.h>
#include <edo/delayqueue.h>
#include <edo/io.h>
#include <edo/sync.h>
#include <edo/task.h>
#include <edo/watch.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_case_kind {
    EDO_CASE_NONE, /* never happens: a switched-off case */
    EDO_CASE_RECV,
    EDO_CASE_SEND,
    EDO_CASE_AFTER,
    EDO_CASE_JOINED,
    EDO_CASE_FD,
    EDO_CASE_EVENT,
    EDO_CASE_NOTIFY,
    EDO_CASE_TOKEN,
    EDO_CASE_AT,
    EDO_CASE_RESERVE,
    EDO_CASE_CHAN_CLOSED,
    EDO_CASE_ONESHOT,
    EDO_CASE_BROADCAST,
    EDO_CASE_WATCH,
    EDO_CASE_MUTEX,
    EDO_CASE_SEM,
    EDO_CASE_BLOCKING,
    EDO_CASE_GROUP_NEXT,
    EDO_CASE_DELAYQUEUE_NEXT,
} edo_case_kind;

/* One thing to wait for; written with the macros below. */
typedef struct edo_case {
    edo_case_kind kind;
    int result;     /* set for the case that happened: its operation's code                  */
    void *object;   /* the channel, event, notify, token ...                                 */
    void *value;    /* where to receive to, what to send, or a job's argument                */
    int64_t number; /* duration, instant, task id, descriptor, or permits                    */
    edo_fn *fn;     /* a job                                                                 */
    unsigned events;
    void *edo__private[12];
} edo_case;

#define EDO__CASE(kind, object, value, number, fn, events)                                         \
    {                                                                                              \
        (kind), 0, (void *)(object), (void *)(value), (int64_t)(number), (fn), (events),           \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define EDO_RECV(chan, ptr) EDO__CASE(EDO_CASE_RECV, chan, ptr, 0, 0, 0)
#define EDO_SEND(chan, ptr) EDO__CASE(EDO_CASE_SEND, chan, ptr, 0, 0, 0)
/* A slot of the channel: when it happened the edo_permit holds it. */
#define EDO_RESERVE(chan, permit) EDO__CASE(EDO_CASE_RESERVE, chan, permit, 0, 0, 0)
#define EDO_CHAN_CLOSED(chan) EDO__CASE(EDO_CASE_CHAN_CLOSED, chan, 0, 0, 0, 0)
#define EDO_ONESHOT(oneshot, ptr) EDO__CASE(EDO_CASE_ONESHOT, oneshot, ptr, 0, 0, 0)
/* rx: an edo_broadcast_rx; the result may be -EOVERFLOW. */
#define EDO_BROADCAST(rx, ptr) EDO__CASE(EDO_CASE_BROADCAST, rx, ptr, 0, 0, 0)
/* rx: an edo_watch_rx; the value does not count as seen by this, as in edo_watch_changed(). */
#define EDO_CHANGED(rx) EDO__CASE(EDO_CASE_WATCH, rx, 0, 0, 0, 0)
#define EDO_AFTER(duration) EDO__CASE(EDO_CASE_AFTER, 0, 0, duration, 0, 0)
#define EDO_AT(instant) EDO__CASE(EDO_CASE_AT, 0, 0, instant, 0, 0)
#define EDO_JOINED(id) EDO__CASE(EDO_CASE_JOINED, 0, 0, id, 0, 0)
#define EDO_READABLE(fd) EDO__CASE(EDO_CASE_FD, 0, 0, fd, 0, 1u)
#define EDO_WRITABLE(fd) EDO__CASE(EDO_CASE_FD, 0, 0, fd, 0, 2u)
#define EDO_EVENT(event) EDO__CASE(EDO_CASE_EVENT, event, 0, 0, 0, 0)
#define EDO_NOTIFIED(notify) EDO__CASE(EDO_CASE_NOTIFY, notify, 0, 0, 0, 0)
#define EDO_TOKEN(token) EDO__CASE(EDO_CASE_TOKEN, token, 0, 0, 0, 0)
/* When it happened the caller holds the mutex, or has the permits. */
#define EDO_LOCK(mutex) EDO__CASE(EDO_CASE_MUTEX, mutex, 0, 0, 0, 0)
#define EDO_ACQUIRE(sem, n) EDO__CASE(EDO_CASE_SEM, sem, 0, n, 0, 0)
/* The next child of a group that the caller has opened, as edo_group_next(); edo_result *result. The
 * case's code is 1, or 0 when no child is left. Unlike edo_group_next() a select ends with
 * -ECANCELED when the group itself is cancelled, by the failure of a child for example (see
 * keep_going): the results are still there for edo_group_next(). */
#define EDO_GROUP_NEXT(group, result) EDO__CASE(EDO_CASE_GROUP_NEXT, group, result, 0, 0, 0)
/* The next entry of an edo_delayqueue, as edo_delayqueue_next(); edo_delay *delay. It stands in line
 * with others who wait for the queue. */
#define EDO_DELAYQUEUE_NEXT(queue, delay) EDO__CASE(EDO_CASE_DELAYQUEUE_NEXT, queue, delay, 0, 0, 0)
/* fn(arg) on the blocking pool, as in edo_blocking(); happens when it has returned. It is started
 * only if no other case is ready. When another one wins, a job that has not started is taken back;
 * one that runs already is waited for, because arg may point into the caller's frame: this is the
 * one loser that may have had an effect, and its `result` says so (-ECANCELED: it never ran). In
 * tasks only. */
#define EDO_BLOCKING(fn, arg) EDO__CASE(EDO_CASE_BLOCKING, 0, arg, 0, fn, 0)

/* edo_select - waits until one of the cases has happened; the others had no effect at all, and
 * nothing of them is left when it returns.
 * @cases: written to; may be used again for the next call as they are.
 * @n: how many, 64 at most; 0 waits until cancelled.
 * Returns the index of the one that happened, its code in cases[i].result (0, -EPIPE for a closed
 * channel, the ready events for a descriptor, the child's code for EDO_JOINED, -ESRCH when no such
 * task is there to wait for); or -ECANCELED, -EINVAL, -EBADF for a bad descriptor, or -EPERM for a
 * job outside of a task and for another task's group. A cancel that finds a job of EDO_BLOCKING
 * running waits for it and returns its index.
 * When several are ready, each is as likely to be chosen.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select(edo_case *cases, size_t n);

/* edo_select_nowait - the same without waiting: -EAGAIN when none is ready. EDO_AFTER is ready only
 * with a duration of zero or less; EDO_BLOCKING never is, and starts nothing.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select_nowait(edo_case *cases, size_t n);

/* edo_select_biased - edo_select(), but when several are ready the first of the array is chosen.
 * Whoever puts a case that is always ready in front starves the others.
 *
 *     edo_case cases[] = { EDO_TOKEN(stop), EDO_RECV(c, &job) };
 *     int i = edo_select_biased(cases, 2);        // stops at once, however many jobs there are
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select_biased(edo_case *cases, size_t n);

/* edo_select_biased_nowait - the same without waiting.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select_biased_nowait(edo_case *cases, size_t n);

#ifdef __cplusplus
}
#endif
#endif
