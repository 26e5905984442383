/* SPDX-License-Identifier: MIT */
/* Asking for a child's end, by its pidfd where there is one: that is never somebody else's. Without, a
 * thread waits for the child and closes a pipe, so that there is a descriptor to wait for in any
 * case. */
#include "process/process.h"

#include "core/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* Linux 5.1 */
#endif
#define BY_PIDFD 3 /* P_PIDFD, Linux 5.4 */
#define WATCHER_STACK 65536

static int64_t nanoseconds(struct timeval t)
{
    return EDO_SEC((int64_t)t.tv_sec) + EDO_US((int64_t)t.tv_usec);
}

static void fill(edo_exit *out, const siginfo_t *info, const struct rusage *used)
{
    bool exited = info->si_code == CLD_EXITED;
    *out = (edo_exit){ .code = exited ? info->si_status : -1,
                       .signal = exited ? 0 : info->si_status,
                       .core_dumped = info->si_code == CLD_DUMPED,
                       .user_time = nanoseconds(used->ru_utime),
                       .system_time = nanoseconds(used->ru_stime),
                       .memory_max = (int64_t)used->ru_maxrss * 1024 };
}

/* 0: it has ended; -EAGAIN: it runs (with WNOHANG); -ECHILD. The C library's waitid() has no usage. */
static int wait_id(pid_t pid, int pidfd, int options, edo_exit *out)
{
    struct rusage used = { .ru_maxrss = 0 };
    siginfo_t info;
    long rc;
    do {
        info.si_pid = 0;
        rc = -1;
        if (pidfd >= 0)
            rc = syscall(SYS_waitid, BY_PIDFD, pidfd, &info, options, &used);
        if (pidfd < 0 || (rc < 0 && errno == EINVAL))
            rc = syscall(SYS_waitid, P_PID, pid, &info, options, &used);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -errno;
    if (info.si_pid == 0)
        return -EAGAIN;
    fill(out, &info, &used);
    return 0;
}

int edo__reap(pid_t pid, int pidfd, bool keep, edo_exit *out)
{
    return wait_id(pid, pidfd, WEXITED | WNOHANG | (keep ? WNOWAIT : 0), out);
}

void edo__reap_blocking(pid_t pid, int pidfd, edo_exit *out)
{
    (void)wait_id(pid, pidfd, WEXITED, out);
}

int edo__send_signal(pid_t pid, int pidfd, bool group, int number)
{
    long rc = -1;
    if (group)
        rc = kill(-pid, number);
    else if (pidfd >= 0)
        rc = syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
    if (!group && (pidfd < 0 || (rc < 0 && (errno == ENOSYS || errno == EPERM))))
        rc = kill(pid, number);
    return rc == 0 ? 0 : -errno;
}

/* ---- threads ---- */

typedef struct watcher {
    pid_t pid;
    int pidfd;
    int options; /* of waitid(2) */
    int fd;      /* closed when the child has ended */
} watcher;

static void *watcher_main(void *arg)
{
    watcher *w = arg;
    edo_exit unused;
    pthread_setname_np(pthread_self(), "edo-child");
    (void)wait_id(w->pid, w->pidfd, w->options, &unused);
    close(w->fd);
    free(w);
    return NULL;
}

static int start_watcher(const watcher *how)
{
    watcher *w = malloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    *w = *how;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr,
                                    WATCHER_STACK); /* where that is too small: the default */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = pthread_create(&thread, &attr, watcher_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        free(w);
    return rc == 0 ? 0 : -EAGAIN;
}

int edo__watch_by_thread(pid_t pid, int *fd)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    watcher how = { .pid = pid, .pidfd = -1, .options = WEXITED | WNOWAIT, .fd = p[1] };
    int rc = start_watcher(&how);
    if (rc < 0) {
        close(p[0]);
        close(p[1]);
        return rc;
    }
    *fd = p[0];
    return 0;
}

int edo__reap_by_thread(pid_t pid, int fd, bool is_pidfd)
{
    watcher how = { .pid = pid, .pidfd = is_pidfd ? fd : -1, .options = WEXITED, .fd = fd };
    return start_watcher(&how);
}
