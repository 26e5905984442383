/* SPDX-License-Identifier: MIT */
/* Starting a child.
 *
 * The child shares our memory and our thread stands still until it has loaded its program (vfork):
 * so a start costs the same however large this process is, where fork(2) copies page tables, and what
 * goes wrong in the child is simply there afterwards. posix_spawn(3) is made of the same, but it
 * knows neither pidfds nor close_range(2) nor users, it does not tell a missing directory from a
 * missing program, and while it runs others cannot be kept from reaping.
 *
 * The price: what the child runs before its program must not change anything of ours. It makes system
 * calls, and these directly: the C library's functions may be a sanitizer's. All signals are
 * blocked, because a handler of ours would run in it; it resets them before it unblocks them.
 *
 * Emulators (valgrind, qemu) make a copy after all. Therefore what has failed is also written to a
 * pipe; it is read only where the memory turns out not to be shared. */
#include "process/process.h"

#include "arch/vfork.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_STACK 65536u
#define FDS_MAX 1024u
#define SIGNALS 64

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3 */
#endif
#define RANGE_CLOEXEC 4u /* Linux 5.11 */

typedef struct launch {
    const edo_process_options *o;
    const char **paths;
    const char *const *argv;
    const char *const *env;
    const char **merged; /* env, when it was made for this */
    int *fds;            /* what becomes 0, 1, ...; -1: as it is; the child moves them */
    int n_fds;
    char *stack;
    pid_t parent;
    int report[2]; /* pipe; [1] is the child's */
    bool keep_ignored[SIGNALS + 1];

    /* By the child. */
    volatile int started;
    volatile int error;
    volatile int step;
} launch;

static const char *const step_names[EDO__STEPS] = {
    [EDO__STEP_NONE] = "nothing",
    [EDO__STEP_OPTIONS] = "the options",
    [EDO__STEP_IN] = "standard input",
    [EDO__STEP_OUT] = "standard output",
    [EDO__STEP_ERR] = "standard error",
    [EDO__STEP_FDS] = "the descriptors",
    [EDO__STEP_PROCESS] = "the process",
    [EDO__STEP_GROUP] = "the process group",
    [EDO__STEP_USER] = "the user",
    [EDO__STEP_CWD] = "the working directory",
    [EDO__STEP_HOOK] = "what is to be done before",
    [EDO__STEP_PROGRAM] = "the program",
};

const char *edo__step_name(edo__step step)
{
    return step_names[step];
}

/* ---- in the child ---- */

EDO__BARE static void fail(launch *l, edo__step step, int error)
{
    l->error = error;
    l->step = (int)step;
    const int words[2] = { error, (int)step };
    (void)syscall(SYS_write, l->report[1], words, sizeof words);
    for (;;)
        syscall(SYS_exit_group, 127);
}

/* A zeroed action is SIG_DFL, whatever the ABI's struct looks like. */
EDO__BARE static void reset_signals(const launch *l)
{
    const uint64_t by_default[8] = { 0 };
    for (int number = 1; number <= SIGNALS; number++)
        if (!l->keep_ignored[number])
            (void)syscall(SYS_rt_sigaction, number, by_default, NULL, 8);
}

EDO__BARE static void enter_group(launch *l)
{
    long rc = 0;
    if (l->o->session)
        rc = syscall(SYS_setsid);
    else if (l->o->group)
        rc = syscall(SYS_setpgid, 0, 0);
    if (rc < 0)
        fail(l, EDO__STEP_GROUP, errno);
}

/* Sources first go out of the way of the targets, so that none is overwritten before it was copied. */
EDO__BARE static void arrange_fds(launch *l)
{
    int n = l->n_fds;
    if (l->report[1] < n) {
        long moved = syscall(SYS_fcntl, l->report[1], F_DUPFD_CLOEXEC, n);
        if (moved < 0)
            fail(l, EDO__STEP_FDS, errno);
        l->report[1] = (int)moved;
    }
    for (int i = 0; i < n; i++) {
        if (l->fds[i] < 0 || l->fds[i] >= n)
            continue;
        long moved = syscall(SYS_fcntl, l->fds[i], F_DUPFD_CLOEXEC, n);
        if (moved < 0)
            fail(l, EDO__STEP_FDS, errno);
        l->fds[i] = (int)moved;
    }
    for (int i = 0; i < n; i++)
        if (l->fds[i] >= 0 && syscall(SYS_dup3, l->fds[i], i, 0) < 0)
            fail(l, EDO__STEP_FDS, errno);
}

EDO__BARE static void set_user(launch *l)
{
    const edo_process_options *o = l->o;
    if (!o->set_user)
        return;
    /* By system call: the C library's functions would change the threads of the parent. */
    if (syscall(SYS_setgroups, o->group_count, o->groups) < 0 || syscall(SYS_setgid, o->gid) < 0 ||
        syscall(SYS_setuid, o->uid) < 0)
        fail(l, EDO__STEP_USER, errno);
}

EDO__BARE static void close_rest_slowly(int from)
{
    struct {
        uint64_t ino;
        int64_t off;
        uint16_t size;
        uint8_t type;
        char name[];
    } * entry;
    _Alignas(8) char buf[2048];
    long dir = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n;
    while (dir >= 0 && (n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0) {
        for (long at = 0; at < n; at += entry->size) {
            entry = (void *)(buf + at);
            int fd = 0;
            for (const char *c = entry->name; *c >= '0' && *c <= '9'; c++)
                fd = fd * 10 + (*c - '0');
            if (fd >= from)
                (void)syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
        }
    }
    if (dir >= 0)
        (void)syscall(SYS_close, dir);
}

/* All others go with exec: the pipe for reports is among them. */
EDO__BARE static void close_rest(const launch *l)
{
    if (syscall(SYS_close_range, (unsigned)l->n_fds, ~0u, RANGE_CLOEXEC) < 0)
        close_rest_slowly(l->n_fds);
}

EDO__BARE static void enter_place(launch *l)
{
    const edo_process_options *o = l->o;
    if (o->cwd != NULL && syscall(SYS_chdir, o->cwd) < 0)
        fail(l, EDO__STEP_CWD, errno);
    if (!o->kill_with_parent)
        return;
    (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (syscall(SYS_getppid) != l->parent) /* it has gone meanwhile */
        fail(l, EDO__STEP_PROCESS, ESRCH);
}

/* The first of the places where it can be run. One that is not allowed is remembered, for it may be
 * allowed elsewhere. */
EDO__BARE static void run_program(launch *l)
{
    int error = ENOENT;
    for (const char **path = l->paths; *path != NULL; path++) {
        (void)syscall(SYS_execve, *path, l->argv, l->env);
        int why = errno;
        if (why == EACCES)
            error = EACCES;
        else if (why != ENOENT && why != ENOTDIR && why != ENODEV && why != ESTALE &&
                 why != ETIMEDOUT)
            fail(l, EDO__STEP_PROGRAM, why);
    }
    fail(l, EDO__STEP_PROGRAM, error);
}

EDO__BARE static void child_main(void *arg)
{
    launch *l = arg;
    l->started = 1;
    reset_signals(l);
    enter_group(l);
    arrange_fds(l);
    set_user(l);
    enter_place(l);
    close_rest(l);
    int rc = l->o->before_exec != NULL ? l->o->before_exec(l->o->before_exec_arg) : 0;
    if (rc < 0)
        fail(l, EDO__STEP_HOOK, -rc);
    const uint64_t none = 0;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
    run_program(l);
}

/* ---- in the parent ---- */

extern char **environ;

static int find(launch *l)
{
    const edo_process_options *o = l->o;
    l->env = o->env != NULL ? o->env : (const char *const *)environ;
    if (o->env_change != NULL) {
        int rc = edo__merge_env(l->env, o->env_change, &l->merged);
        if (rc < 0)
            return rc;
        l->env = l->merged;
    }
    return edo__search_paths(o->program != NULL ? o->program : l->argv[0], l->env, &l->paths);
}

static void note_ignored(launch *l)
{
    static const int kept[] = { SIGHUP, SIGINT, SIGQUIT };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct sigaction now;
        l->keep_ignored[kept[i]] = sigaction(kept[i], NULL, &now) == 0 &&
                                   (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
    }
}

static int list_fds(launch *l, const edo__ends *e)
{
    l->n_fds = (int)(EDO__STDIO + l->o->fd_count);
    l->fds = malloc((size_t)l->n_fds * sizeof *l->fds);
    if (l->fds == NULL)
        return -ENOMEM;
    for (int i = 0; i < EDO__STDIO; i++)
        l->fds[i] = e->child[i];
    for (unsigned i = 0; i < l->o->fd_count; i++) {
        if (fcntl(l->o->fds[i], F_GETFD) < 0)
            return -EBADF;
        l->fds[EDO__STDIO + i] = l->o->fds[i];
    }
    return 0;
}

static int prepare(launch *l, const edo__ends *e, edo__step *step)
{
    const edo_process_options *o = l->o;
    *step = EDO__STEP_OPTIONS;
    if (l->argv == NULL || l->argv[0] == NULL || o->fd_count > FDS_MAX ||
        (o->fd_count > 0 && o->fds == NULL))
        return -EINVAL;
    *step = EDO__STEP_PROGRAM;
    int rc = find(l);
    if (rc < 0)
        return rc;
    *step = EDO__STEP_FDS;
    rc = list_fds(l, e);
    if (rc < 0)
        return rc;
    *step = EDO__STEP_PROCESS;
    l->stack = malloc(CHILD_STACK);
    if (l->stack == NULL)
        return -ENOMEM;
    if (pipe2(l->report, O_CLOEXEC) != 0) {
        l->report[0] = l->report[1] = -1;
        return -errno;
    }
    note_ignored(l);
    return 0;
}

static void forget(launch *l)
{
    free(l->paths);
    free(l->merged);
    free(l->fds);
    free(l->stack);
    for (int i = 0; i < 2; i++)
        if (l->report[i] >= 0)
            close(l->report[i]);
}

/* A descriptor of a child that was made without one; -1: this kernel has none, or a filter refuses
 * them. */
static int open_pidfd(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0)
        return (int)fd;
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -1;
}

/* With all signals blocked. The child, or -errno. */
static pid_t clone_child(launch *l, int *pidfd)
{
    char *top = (char *)((uintptr_t)(l->stack + CHILD_STACK) & ~(uintptr_t)15);
    *pidfd = -1;
    int writer = l->report[1]; /* the child may move its own */
    long pid = edo__vfork(child_main, l, top, pidfd);
    if (pid == -EINVAL)
        pid = edo__vfork(child_main, l, top, NULL);
    l->report[1] = writer;
    return (pid_t)pid;
}

/* What the child says if it cannot be asked: its memory is a copy. Waits until it runs its program. */
static void read_report(launch *l)
{
    int words[2];
    close(l->report[1]);
    l->report[1] = -1;
    ssize_t n;
    do {
        n = read(l->report[0], words, sizeof words);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof words) {
        l->error = words[0];
        l->step = words[1];
    }
}

/* Ends a child that must not be there, and waits for it: it has ended already, or is being killed. */
static void undo(pid_t pid, int pidfd)
{
    edo_exit unused;
    (void)edo__send_signal(pid, pidfd, false, SIGKILL);
    edo__reap_blocking(pid, pidfd, &unused);
    if (pidfd >= 0)
        close(pidfd);
}

static int launch_child(launch *l, pid_t *out, int *pidfd, edo__step *step)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone_child(l, pidfd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return pid;
    if (l->started == 0)
        read_report(l);
    if (l->error != 0) {
        undo(pid, *pidfd);
        *pidfd = -1;
        *step = (edo__step)l->step;
        return -l->error;
    }
    if (*pidfd < 0 && (*pidfd = open_pidfd(pid)) < -1) {
        int rc = *pidfd;
        *pidfd = -1;
        undo(pid, -1);
        return rc;
    }
    *out = pid;
    return 0;
}

int edo__launch(const char *const *argv, const edo_process_options *o, edo__ends *e, pid_t *pid,
                int *pidfd, edo__step *step)
{
    launch l = { .o = o, .argv = argv, .parent = getpid(), .report = { -1, -1 } };
    int rc = prepare(&l, e, step);
    if (rc == 0)
        rc = launch_child(&l, pid, pidfd, step);
    forget(&l);
    edo__stdio_close_child(e);
    return rc;
}
