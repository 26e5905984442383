/* SPDX-License-Identifier: MIT */
/* What can be had without waiting for a disk, in the thread that asks: names the kernel has looked up
 * before (openat2(2) with RESOLVE_CACHED, Linux 5.12), pages that are in memory (RWF_NOWAIT, 4.14 and
 * file system by file system), and all there is on a file system that has nothing but memory. */
#include "fs/fs.h"

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS 0x01021994 /* linux/magic.h */
#define RAMFS 0x858458f6
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* O_TMPFILE has a bit of O_DIRECTORY in it. */
#define MUST_WAIT (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

static uint32_t
    unknown; /* atomic, relaxed: 1 once the kernel or a filter did not know openat2(2) */

EDO__NOINLINE int edo__sys_open_now(const char *path, int flags)
{
    if ((flags & MUST_WAIT) != 0 || edo__aload(&unknown, EDO__RLX) != 0)
        return -EAGAIN;
    /* Bits that open(2) ignores would be refused. */
    flags &= O_ACCMODE | O_APPEND | O_DIRECTORY | O_NOFOLLOW | O_DIRECT | O_SYNC | O_DSYNC |
             O_PATH | O_NOATIME | O_NOCTTY;
    if ((flags & O_PATH) != 0)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
    else
        flags |= O_NONBLOCK;
    struct open_how how = { .flags = (uint32_t)flags | O_CLOEXEC, .resolve = RESOLVE_CACHED };
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (fd >= 0)
        return (int)fd;
    int error = errno;
    if (error == ENOSYS || error == EINVAL || error == EPERM) {
        if (error == ENOSYS)
            edo__astore(&unknown, 1u, EDO__RLX);
        return -EAGAIN; /* open(2) will say what is wrong, if anything is */
    }
    return error == EINTR ? -EAGAIN : -error;
}

static bool is_memory(int fd)
{
    struct statfs s;
    return fstatfs(fd, &s) == 0 && ((uint32_t)s.f_type == TMPFS || (uint32_t)s.f_type == RAMFS);
}

static void hint(edo_file *f, uint32_t what)
{
    edo__astore(&f->hints, edo__aload(&f->hints, EDO__RLX) | what, EDO__RLX);
}

/* The answer to a refusal; true: the plain call may be made instead. */
static bool may_call(edo_file *f, int error, uint32_t waits)
{
    if (error != EOPNOTSUPP && error != ENOSYS && error != EINVAL)
        return false;
    if (error != EINVAL && is_memory(f->fd)) {
        hint(f, EDO__FS_IN_MEMORY);
        return true;
    }
    hint(f, waits);
    return false;
}

static ssize_t answer(ssize_t r)
{
    if (r >= 0)
        return r;
    switch (errno) {
    case EINTR:
    case ENOSYS:
    case EOPNOTSUPP:
    case EINVAL: return -EAGAIN; /* the call that may wait will say, if it finds that too */
    default: return -errno;
    }
}

EDO__NOINLINE ssize_t edo__sys_read_now(edo_file *f, const struct iovec *iov, int count,
                                        uint64_t offset)
{
    uint32_t hints = edo__aload(&f->hints, EDO__RLX);
    if ((hints & EDO__FS_READS_WAIT) != 0)
        return -EAGAIN;
    ssize_t r = -1;
    if ((hints & EDO__FS_IN_MEMORY) == 0) {
        r = preadv2(f->fd, iov, count, (off_t)offset, RWF_NOWAIT);
        if (r >= 0 || !may_call(f, errno, EDO__FS_READS_WAIT))
            return answer(r);
    }
    return answer(preadv(f->fd, iov, count, (off_t)offset));
}

EDO__NOINLINE ssize_t edo__sys_write_now(edo_file *f, const struct iovec *iov, int count,
                                         uint64_t offset)
{
    uint32_t hints = edo__aload(&f->hints, EDO__RLX);
    if ((hints & EDO__FS_WRITES_WAIT) != 0)
        return -EAGAIN;
    ssize_t r = -1;
    if ((hints & EDO__FS_IN_MEMORY) == 0) {
        r = pwritev2(f->fd, iov, count, (off_t)offset, RWF_NOWAIT);
        if (r >= 0 || !may_call(f, errno, EDO__FS_WRITES_WAIT))
            return answer(r);
    }
    return answer(pwritev(f->fd, iov, count, (off_t)offset));
}
