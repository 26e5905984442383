/* SPDX-License-Identifier: MIT */
/* The system calls on epoll instances, each returning -errno; see io/sys.h. */
#include "io/epoll/epoll.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EDO__NOINLINE __attribute__((noinline))

EDO__NOINLINE int edo__sys_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = { .events = events, .data = { .u64 = data } };
    return epoll_ctl(epfd, op, fd, &ev) == 0 ? 0 : -errno;
}

/* ThreadSanitizer delivers signals to a thread that waits only inside calls it knows. */
#if defined(SYS_epoll_pwait2) && !defined(EDO__TSAN)
/* Linux 5.11. Returns -ENOSYS where it is not, which is asked once. */
static int wait_ns(int epfd, struct epoll_event *batch, int64_t timeout)
{
    static uint32_t missing; /* atomic, relaxed: either answer is right, the second one is faster */
    if (edo__aload(&missing, EDO__RLX) != 0)
        return -ENOSYS;
    struct timespec ts = { .tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000 };
    long n = syscall(SYS_epoll_pwait2, epfd, batch, EDO__EPOLL_BATCH, &ts, NULL, (size_t)0);
    if (n >= 0)
        return (int)n;
    if (errno != ENOSYS && errno != EPERM) /* EPERM: a seccomp filter that does not know the call */
        return -errno;
    edo__astore(&missing, 1, EDO__RLX);
    return -ENOSYS;
}
#else
static int wait_ns(int epfd, struct epoll_event *batch, int64_t timeout)
{
    (void)epfd, (void)batch, (void)timeout;
    return -ENOSYS;
}
#endif

EDO__NOINLINE int edo__sys_wait(int epfd, struct epoll_event *batch, int64_t timeout)
{
    int ms = timeout == EDO_FOREVER ? -1 : 0;
    if (timeout > 0 && timeout != EDO_FOREVER) {
        int rc = wait_ns(epfd, batch, timeout);
        if (rc != -ENOSYS)
            return rc;
        /* Up: a timer must not be looked at before it is due, again and again. */
        int64_t up = timeout / 1000000 + (timeout % 1000000 != 0);
        ms = up > INT_MAX ? INT_MAX : (int)up;
    }
    int n = epoll_wait(epfd, batch, EDO__EPOLL_BATCH, ms);
    return n >= 0 ? n : -errno;
}
