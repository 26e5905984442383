/* SPDX-License-Identifier: MIT */
/* Edo: child processes.
 *
 *     const char *argv[] = { "sort", "-n", NULL };
 *     edo_process_options options = { .in.kind = EDO_STDIO_PIPE, .out.kind = EDO_STDIO_PIPE };
 *     edo_process p;
 *     rc = edo_process_spawn(&p, argv, &options);
 *     ...                                       // p.in is written, p.out is read
 *     rc = edo_process_wait(&p, &status);
 *     edo_process_close(&p);
 *
 * Or all of it at once: edo_process_run(), and edo_process_output(), which feeds and captures.
 *
 * A process belongs to the frame that has started it, as a group does: edo_process_close() ends it if
 * it still runs (SIGTERM, then SIGKILL after a grace period) and waits for its end. So no child
 * outlives its scope, unless edo_process_detach() says so, and none is left a zombie.
 *
 * A child gets nothing but what it is given: descriptors above 2 are closed, signals are as after
 * login (unblocked; by default, but SIGHUP, SIGINT and SIGQUIT stay ignored if they are). */
#ifndef EDO_PROCESS_H
#define EDO_PROCESS_H

#include <edo/base.h>
#include <edo/io.h>
#include <edo/select.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_stdio_kind {
    EDO_STDIO_INHERIT, /* the caller's                                                            */
    EDO_STDIO_NULL,    /* /dev/null                                                               */
    EDO_STDIO_PIPE,    /* a pipe, whose other end is a stream of the edo_process                  */
    EDO_STDIO_FD,      /* a copy of `fd`, which stays the caller's                                */
    EDO_STDIO_FILE,    /* `path`: to be read; or to be written anew, made if it is not there      */
    EDO_STDIO_APPEND,  /* `path`: to be written at its end, made if it is not there               */
    EDO_STDIO_OUT,     /* of standard error: where standard output goes                           */
} edo_stdio_kind;

typedef struct edo_stdio {
    edo_stdio_kind kind;
    int fd;
    const char *path;
} edo_stdio;

typedef struct edo_process_options {
    const char *program;    /* file to run; NULL: argv[0]. Without a slash it is looked for in the
                                 PATH the child gets; with one it is relative to cwd               */
    const char *const *env; /* the child's environment, "NAME=value", NULL at the end; NULL: as
                                 that of this process                                             */
    const char *const *env_change; /* what is different: "NAME=value" sets, "NAME" removes; NULL at
                                      the end; or NULL                                            */
    const char *cwd; /* its working directory; NULL: that of this process                 */
    edo_stdio in, out, err;
    const int *fds; /* more descriptors for it: they become 3, 4, ...; stay the caller's */
    unsigned fd_count;
    bool group;            /* it leads a process group of its own: what is sent to it by signal and
                                 kill goes to its children as well, and when it is closed, those
                                 that are left are killed                                         */
    bool session;          /* the same, and a session without a terminal                        */
    bool kill_with_parent; /* the kernel kills it when the thread that has started it ends: a
                                 worker's does with its runtime, or when this process dies         */
    bool set_user;         /* as another user: uid, gid, and these groups and no others         */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    int (*before_exec)(
        void *arg); /* called in the child, the last of all: 0, or a negative code. It
                                      shares this process's memory: nothing but system calls       */
    void *before_exec_arg;
    int64_t grace;       /* between SIGTERM and SIGKILL; 0: 5 s; negative: SIGKILL at once    */
    const char **failed; /* set to what it was that failed ("the program", "the working
                                 directory") when it cannot be started; or NULL                   */

    /* For edo_process_output() only. */
    const void *input; /* what the child reads; NULL: nothing                               */
    size_t input_size;
    size_t output_max; /* bytes of output, and of errors; 0: 64 MiB                         */
    int64_t linger;    /* how long to read on when the child has ended and others that it has
                                 started still have its output open; 0: 1 s; EDO_FOREVER          */
} edo_process_options;

/* How a child has ended. */
typedef struct edo_exit {
    int code;   /* what it returned, 0 to 255; -1: a signal has ended it              */
    int signal; /* that signal, or 0                                                  */
    bool core_dumped;
    int64_t user_time; /* nanoseconds of processor time, with its children's it has waited for */
    int64_t system_time;
    int64_t memory_max; /* bytes resident at the peak                                         */
} edo_exit;

/* A child process; in the caller's storage. */
typedef struct edo_process {
    edo_stream
        *in; /* the child's standard input, to be written: EDO_STDIO_PIPE, else NULL. Who closes
                        it sets it to NULL; the same of the others, which are read            */
    edo_stream *out;
    edo_stream *err;
    pid_t pid;          /* 0: none                                                                */
    int edo__fd;        /* readable when it has ended                                             */
    uint32_t edo__lock; /* over what follows */
    bool edo__ended;
    bool edo__leads; /* a group: it stays a zombie until it is closed, and so its number its own */
    bool edo__watched; /* no pidfd: a thread waits for it                                       */
    int edo__code;     /* what waiting for it returns                                           */
    int64_t edo__grace;
    edo_exit edo__exit;
} edo_process;

/* edo_process_spawn - starts a program.
 * @p: close with edo_process_close(), unless this fails.
 * @argv: NULL at the end; argv[0] is its name.
 * @options: NULL: defaults; not used any more after the call.
 * Returns 0; -ENOENT: no such program, or working directory; -EACCES: not allowed, or not executable;
 * -ENOEXEC: no program of this machine; -EAGAIN: too many processes; -EMFILE; -ENOMEM; -EINVAL;
 * -ECANCELED; or what opening a file gives. options->failed tells which step it was. Nothing is left
 * of a child that could not be started.
 *
 *     const char *failed;
 *     const char *argv[] = { "true", NULL };
 *     edo_process_options options = { .cwd = "/", .failed = &failed };
 *     rc = edo_process_spawn(&p, argv, &options);
 *     if (rc < 0)
 *         fprintf(stderr, "%s: %s: %s\n", argv[0], failed, edo_strerror(rc));
 *
 * Suspends: never (the thread waits until the child's program is loaded)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_spawn(edo_process *p, const char *const *argv,
                                     const edo_process_options *options);

/* edo_process_wait - waits for its end. Any number of tasks may wait, and again.
 * @out: how it has ended; or NULL.
 * Returns 0, however it has ended; -ECANCELED: it goes on; -ECHILD: it has ended, but this process
 * ignores SIGCHLD, or waits for all children elsewhere, so nobody can tell how.
 *
 *     edo_exit status;
 *     rc = edo_process_wait(&p, &status);
 *     if (rc == 0 && status.signal != 0)
 *         printf("killed by signal %d\n", status.signal);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_wait(edo_process *p, edo_exit *out);

/* edo_process_wait_nowait - the same without waiting: -EAGAIN while it runs.
 *
 *     if (edo_process_wait_nowait(&p, NULL) == -EAGAIN)
 *         printf("still running\n");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_wait_nowait(edo_process *p, edo_exit *out);

/* edo_process_fd - a descriptor that is readable as soon as it has ended. It stays the process's.
 *
 *     edo_case cases[] = { EDO_READABLE(edo_process_fd(&p)), EDO_AFTER(EDO_SEC(10)) };
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_process_fd(const edo_process *p);

/* In edo_select(): the child has ended. */
#define EDO_EXITED(process) EDO_READABLE(edo_process_fd(process))

/* edo_process_signal - sends it a signal; to its whole group if it leads one.
 * Returns 0; -ESRCH: it has ended (the group of a leader is there until that is closed); -EINVAL;
 * -EPERM.
 *
 *     rc = edo_process_signal(&p, 1);      // SIGHUP
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_signal(edo_process *p, int number);

/* edo_process_kill - sends SIGKILL; edo_process_wait() then returns soon.
 * Returns 0, or the codes of edo_process_signal().
 *
 *     if (edo_process_kill(&p) == 0)
 *         rc = edo_process_wait(&p, &status);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_process_kill(edo_process *p);

/* edo_process_terminate - asks it to end and sees to it: SIGTERM, and SIGKILL after the grace period;
 * to its whole group if it leads one. Waits for its end.
 * @grace: nanoseconds; zero or less: SIGKILL at once.
 * @out: how it has ended; or NULL.
 * Returns 0 or -ECHILD, as edo_process_wait().
 *
 *     rc = edo_process_terminate(&p, EDO_SEC(1), &status);
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint (the grace period bounds it)
 * Threads:  any */
int edo_process_terminate(edo_process *p, int64_t grace, edo_exit *out);

/* edo_process_close - closes its streams; ends it if it still runs, as edo_process_terminate() with the
 * grace of its options; kills what is left of the group it leads. Also after a failed spawn.
 * Returns 0.
 *
 *     edo_process_close(&p);
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint (the grace period bounds it)
 * Threads:  any; nobody else may be using it */
int edo_process_close(edo_process *p);

/* edo_process_detach - closes its streams and lets it go on by itself, beyond the end of this process
 * if need be. Until it ends a small thread waits for it, so that it leaves no zombie.
 * Returns 0: p is closed; -EAGAIN: there is no thread to be had, and nothing has changed.
 *
 *     rc = edo_process_detach(&p);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; nobody else may be using it */
EDO_MUST_CHECK int edo_process_detach(edo_process *p);

/* edo_process_run - starts a program and waits for its end.
 * @options: with EDO_STDIO_PIPE the child finds pipes that nobody uses; NULL: defaults.
 * @out: how it has ended; or NULL.
 * Returns 0, however it has ended; the codes of edo_process_spawn(); -ECHILD; -ECANCELED: it was ended
 * as by edo_process_close().
 *
 *     const char *argv[] = { "true", NULL };
 *     rc = edo_process_run(argv, NULL, &status);
 *     if (rc == 0 && status.code != 0)
 *         printf("it failed with %d\n", status.code);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_run(const char *const *argv, const edo_process_options *options,
                                   edo_exit *out);

/* What edo_process_output() has captured; both always end with a zero byte that is not counted. */
typedef struct edo_output {
    char *out; /* NULL when standard output went elsewhere */
    size_t out_size;
    char *err;
    size_t err_size;
    edo_exit exit;
    bool cut; /* others still had the output open when `linger` was over */
} edo_output;

/* edo_process_output - runs a program, feeds it, and captures what it writes, all at the same time.
 * @options: input, output_max, linger. What is left at EDO_STDIO_INHERIT is the input or /dev/null, and
 *   a pipe that is captured; NULL: defaults.
 * @out: free with edo_output_free() if this returns 0; empty if not.
 * Returns 0, however it has ended; EDO_EOVERSIZE: it wrote more than output_max and was ended, as by
 * edo_process_close(); the codes of edo_process_spawn(); -ECHILD; -ECANCELED: it was ended.
 *
 *     const char *argv[] = { "sort", NULL };
 *     edo_process_options options = { .input = "b\na\n", .input_size = 4 };
 *     edo_output output;
 *     rc = edo_process_output(argv, &options, &output);
 *     if (rc == 0) {
 *         printf("%s", output.out);        // a, b
 *         edo_output_free(&output);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_process_output(const char *const *argv, const edo_process_options *options,
                                      edo_output *out);

/* edo_output_free - frees what was captured.
 *
 *     edo_output_free(&output);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_output_free(edo_output *out);

#ifdef __cplusplus
}
#endif
#endif
