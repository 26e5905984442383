/* SPDX-License-Identifier: MIT */
/* Processes from the inside: what a start is made of. See launch.c. */
#ifndef EDO_PROCESS_PROCESS_H
#define EDO_PROCESS_PROCESS_H

#include <edo/process.h>

#define EDO__STDIO 3 /* in, out, err */
/* Makes system calls, never suspends: errno is a thread's, whoever calls may go on as another's. */
#define EDO__CALLS __attribute__((noinline))

/* The descriptors of a child's standard streams; -1: none. */
typedef struct edo__ends {
    int child[EDO__STDIO];   /* become 0, 1, 2 there; -1: as they are here */
    bool opened[EDO__STDIO]; /* by us, and to be closed here */
    int parent[EDO__STDIO];  /* our ends of pipes, not blocking */
} edo__ends;

/* What has failed: the names are in launch.c. */
typedef enum edo__step {
    EDO__STEP_NONE,
    EDO__STEP_OPTIONS,
    EDO__STEP_IN, /* these three in this order */
    EDO__STEP_OUT,
    EDO__STEP_ERR,
    EDO__STEP_FDS,
    EDO__STEP_PROCESS,
    EDO__STEP_GROUP,
    EDO__STEP_USER,
    EDO__STEP_CWD,
    EDO__STEP_HOOK,
    EDO__STEP_PROGRAM,
    EDO__STEPS,
} edo__step;

/* stdio.c. On failure *step says which of the three it was, and nothing is open. */
EDO__CALLS int edo__stdio_open(const edo_process_options *o, edo__ends *e, edo__step *step);
EDO__CALLS void edo__stdio_close_child(edo__ends *e);
EDO__CALLS void edo__stdio_close_parent(edo__ends *e);

/* search.c: where a program may be and what environment it gets. Each is one block, to be freed. */
int edo__search_paths(const char *program, const char *const *env, const char ***out);
int edo__merge_env(const char *const *env, const char *const *change, const char ***out);

/* launch.c: starts a child with these ends, of which the child's are closed in any case. *pidfd is -1
 * where the kernel has none. A negative code: nothing is left of it. */
EDO__CALLS int edo__launch(const char *const *argv, const edo_process_options *o, edo__ends *e,
                           pid_t *pid, int *pidfd, edo__step *step);
const char *edo__step_name(edo__step step);

/* process.c: the part of edo_process_spawn() up to streams. */
int edo__process_start(edo_process *p, const char *const *argv, const edo_process_options *o,
                       edo__ends *e);
/* Says what has failed where the options want to know. Returns rc. */
int edo__process_failed(const edo_process_options *o, edo__step step, int rc);

/* watch.c */
/* Whether it has ended: 0, -EAGAIN, or -ECHILD. keep: it stays a zombie. pidfd: -1 for none. */
EDO__CALLS int edo__reap(pid_t pid, int pidfd, bool keep, edo_exit *out);
EDO__CALLS void edo__reap_blocking(pid_t pid, int pidfd, edo_exit *out);
/* Without a pidfd: a descriptor that becomes readable when the child has ended. */
EDO__CALLS int edo__watch_by_thread(pid_t pid, int *fd);
/* Waits for it on a thread, reaps it, and closes fd. */
EDO__CALLS int edo__reap_by_thread(pid_t pid, int fd, bool is_pidfd);
/* kill(2) of a child that was not reaped. group: of all that it leads. */
EDO__CALLS int edo__send_signal(pid_t pid, int pidfd, bool group, int number);

#endif
