/* SPDX-License-Identifier: MIT */
/* Edo: waiting for signals, and stopping a program with Ctrl-C.
 *
 * The usual program is done with one call: the first Ctrl-C cancels its work, which cleans up and
 * ends; a second one kills it, as if nobody had asked for the first.
 *
 *     rc = edo_with_signals(EDO_SIG(SIGINT) | EDO_SIG(SIGTERM), &i, work, arg);
 *
 * A program that reads its configuration again at each SIGHUP opens a subscription, which loses no
 * signal between two waits. While anybody is subscribed to a signal, what it would have done by
 * default (end the process, as a rule) does not happen. A handler that was there before is still
 * called. When the last subscription to it is closed, everything is as it was before the first.
 *
 * Signals are the process's: each subscriber gets each of them, in whatever runtime it is. They are
 * noticed by a thread of the library's own, so they arrive whatever masks other threads have, and
 * scopes are cancelled even while tasks hold all workers. */
#ifndef EDO_SIGNAL_H
#define EDO_SIGNAL_H

#include <edo/base.h>
#include <edo/select.h>
#include <edo/sync.h>
#include <edo/task.h>
#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of signals: EDO_SIG(SIGINT) | EDO_SIG(SIGTERM). */
#define EDO_SIG(number) ((uint64_t)1 << ((number)-1))

/* What is known of a signal that has come. */
typedef struct edo_signal_info {
    int number;
    uint32_t
        count; /* how often it has come since it was last reported, at least 1; the kernel itself
                       makes one of several that come at almost the same time                    */
    int code;  /* of the last of them: where it came from, SI_USER for instance: sigaction(2) */
    int value; /* the number that came with it by sigqueue(3)                               */
    pid_t pid; /* who sent it, 0 for the kernel; of SIGCHLD the child                       */
    uid_t uid;
} edo_signal_info;

/* A subscription, in the caller's storage; not to be moved while it is open. Members are the
 * library's. */
typedef struct edo_signal {
    edo__waitq edo__q;    /* who waits in edo_signal_next(); its lock is over pending and counts */
    edo_event edo__ready; /* set while something is pending                                      */
    uint64_t edo__set;
    uint64_t edo__pending;
    uint32_t edo__count[64];
    struct edo_signal *edo__next, *edo__prev; /* on the hub's list while open; the hub's lock     */
    edo_scope *edo__scope;                    /* cancelled by the first signal; or NULL           */
    int edo__first;                           /* that signal                                      */
    int edo__last;                            /* the one taken last: the others have their turn   */
    bool edo__once;                           /* is closed by the first signal                    */
    bool edo__open;
} edo_signal;

/* edo_signal_open - subscribes to signals: from here on each of them is kept until it is taken.
 * @s: close with edo_signal_close().
 * @set: EDO_SIG() of each, or-ed together.
 * Returns 0; -EINVAL for signals that nobody can wait for (SIGKILL, SIGSTOP, and SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL, which tell of a fault), or an empty set; -EBUSY for those Edo uses itself (SIGURG,
 * and the one of EDO_DUMP_SIGNAL); -EAGAIN when there is no thread to be had.
 *
 *     edo_signal hangup;
 *     rc = edo_signal_open(&hangup, EDO_SIG(SIGHUP));
 *     while (rc == 0 && edo_signal_next(&hangup, NULL) > 0)
 *         rc = load_table(arg);
 *     edo_signal_close(&hangup);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_signal_open(edo_signal *s, uint64_t set);

/* edo_signal_next - waits for the next signal. Several that wait at one subscription get one each,
 * first come, first served.
 * @info: filled on success; or NULL.
 * Returns its number (> 0); or -ECANCELED: nothing was taken.
 *
 *     edo_signal_info info;
 *     if (edo_signal_next(&signals, &info) > 0)
 *         printf("%s from process %d\n", edo_signal_name(info.number), (int)info.pid);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_signal_next(edo_signal *s, edo_signal_info *info);

/* edo_signal_next_nowait - the same without waiting: -EAGAIN when none has come.
 *
 *     while (edo_signal_next_nowait(&signals, NULL) > 0)
 *         count++;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_signal_next_nowait(edo_signal *s, edo_signal_info *info);

/* In edo_select(): a signal of the subscription has come and waits to be taken, by
 * edo_signal_next_nowait(). (Where several take from one subscription another one may be faster.)
 *
 *     edo_case cases[] = { EDO_SIGNAL(&hangup), EDO_RECV(c, &job) }; */
#define EDO_SIGNAL(signal) EDO_EVENT(&(signal)->edo__ready)

/* edo_signal_close - ends the subscription. What was not taken is lost. Nobody may be waiting at it.
 *
 *     edo_signal_close(&signals);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_signal_close(edo_signal *s);

/* edo_signal_wait - waits for one of the signals to come. Before and afterwards they do what they did
 * without this call, end the process for instance: who waits again and again needs a subscription.
 * Returns its number; -ECANCELED; or a code of edo_signal_open().
 *
 *     int number = edo_signal_wait(EDO_SIG(SIGINT) | EDO_SIG(SIGTERM));
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_signal_wait(uint64_t set);

/* edo_ctrl_c - waits for Ctrl-C (SIGINT). As soon as it has come, whether this task gets to run or
 * not, the next Ctrl-C does what it would without Edo: it ends the process.
 * Returns 0, -ECANCELED, or -EAGAIN.
 *
 *     if (edo_ctrl_c() == 0)
 *         edo_group_cancel(&g);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_ctrl_c(void);

/* edo_with_signals - fn(arg) in a scope of its own, on the caller's stack, that is cancelled by the
 * first of the signals to come. From then on they do what they did without this call: the second
 * Ctrl-C ends a program that does not get ready.
 * @number: set to the signal that came, 0 if none did; or NULL.
 * Returns what fn returned; but -EINTR when a signal came and fn returned -ECANCELED or 0; or, with
 * fn not called, a code of edo_signal_open().
 *
 *     int number;
 *     rc = edo_with_signals(EDO_SIG(SIGINT) | EDO_SIG(SIGTERM), &number, work, arg);
 *     if (rc == -EINTR)
 *         printf("stopped by %s\n", edo_signal_name(number));     // exit status: 128 + number
 *
 * Suspends: maybe (as fn does)
 * Cancel:   as fn does
 * Threads:  any */
int edo_with_signals(uint64_t set, int *number, edo_fn *fn, void *arg);

/* edo_signal_name - "SIGINT" for SIGINT.
 * Returns a static string; "SIGRT" for the real-time signals, "SIG?" for what is no signal.
 *
 *     printf("ended by %s\n", edo_signal_name(number));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_signal_name(int number);

#ifdef __cplusplus
}
#endif
#endif
