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
#include <edo/chan.h>
#include <edo/io.h>
#include <edo/sync.h>
#include <edo/task.h>

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
} edo_case_kind;

/* One thing to wait for; written with the macros below. */
typedef struct edo_case {
    edo_case_kind kind;
    int result;     /* set for the case that happened: its operation's code                  */
    void *object;   /* the channel, event, notify or token                                   */
    void *value;    /* where to receive to, or what to send                                  */
    int64_t number; /* duration, task id, or descriptor                                      */
    unsigned events;
    void *edo__private[12];
} edo_case;

#define EDO__CASE(kind, object, value, number, events)                                             \
    {                                                                                              \
        (kind), 0, (void *)(object), (void *)(value), (int64_t)(number), (events),                 \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define EDO_RECV(chan, ptr) EDO__CASE(EDO_CASE_RECV, chan, ptr, 0, 0)
#define EDO_SEND(chan, ptr) EDO__CASE(EDO_CASE_SEND, chan, ptr, 0, 0)
#define EDO_AFTER(duration) EDO__CASE(EDO_CASE_AFTER, 0, 0, duration, 0)
#define EDO_JOINED(id) EDO__CASE(EDO_CASE_JOINED, 0, 0, id, 0)
#define EDO_READABLE(fd) EDO__CASE(EDO_CASE_FD, 0, 0, fd, 1u)
#define EDO_WRITABLE(fd) EDO__CASE(EDO_CASE_FD, 0, 0, fd, 2u)
#define EDO_EVENT(event) EDO__CASE(EDO_CASE_EVENT, event, 0, 0, 0)
#define EDO_NOTIFIED(notify) EDO__CASE(EDO_CASE_NOTIFY, notify, 0, 0, 0)
#define EDO_TOKEN(token) EDO__CASE(EDO_CASE_TOKEN, token, 0, 0, 0)

/* edo_select - waits until one of the cases has happened; the others had no effect at all.
 * @cases: written to; may be used again for the next call as they are.
 * @n: how many, 64 at most; 0 waits until cancelled.
 * Returns the index of the one that happened, its code in cases[i].result (0, -EPIPE for a closed
 * channel, the ready events for a descriptor, the child's code for EDO_JOINED, -ESRCH when no such
 * task is there to wait for); or -ECANCELED, -EINVAL, or -EBADF for a bad descriptor.
 * When several are ready, each is as likely to be chosen.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select(edo_case *cases, size_t n);

/* edo_select_nowait - the same without waiting: -EAGAIN when none is ready. EDO_AFTER is ready only
 * with a duration of zero or less.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_select_nowait(edo_case *cases, size_t n);

#ifdef __cplusplus
}
#endif
#endif
