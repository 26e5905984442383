/* SPDX-License-Identifier: MIT */
/* File operations as system calls, which may wait as long as the disk does. */
#include "fs/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static ssize_t result(ssize_t r)
{
    return r >= 0 ? r : -errno;
}

EDO__NOINLINE int edo__sys_open(const char *path, int flags, unsigned mode)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, (mode_t)mode);
    } while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : -errno;
}

EDO__NOINLINE void edo__sys_close(int fd)
{
    (void)close(fd);
}

static ssize_t do_open(const edo__file_op *op)
{
    return edo__sys_open(op->path, op->flags, op->mode);
}

static ssize_t do_read(const edo__file_op *op)
{
    return result(preadv(op->fd, op->iov, op->count, (off_t)op->offset));
}

static ssize_t do_write(const edo__file_op *op)
{
    return result(pwritev(op->fd, op->iov, op->count, (off_t)op->offset));
}

static ssize_t do_sync(const edo__file_op *op)
{
    return result(op->flags != 0 ? fdatasync(op->fd) : fsync(op->fd));
}

static ssize_t do_allocate(const edo__file_op *op)
{
    return result(fallocate(op->fd, 0, (off_t)op->offset, (off_t)op->length));
}

static ssize_t do_size(const edo__file_op *op)
{
    return result(ftruncate(op->fd, (off_t)op->length));
}

static ssize_t do_mkdir(const edo__file_op *op)
{
    return result(mkdir(op->path, (mode_t)op->mode));
}

static ssize_t do_rename(const edo__file_op *op)
{
    if (op->flags == 0)
        return result(rename(op->path, op->path2));
    return result(syscall(SYS_renameat2, AT_FDCWD, op->path, AT_FDCWD, op->path2, op->flags));
}

static ssize_t do_unlink(const edo__file_op *op)
{
    return result(unlinkat(AT_FDCWD, op->path, op->flags));
}

static ssize_t do_link(const edo__file_op *op)
{
    return result(link(op->path, op->path2));
}

static ssize_t do_symlink(const edo__file_op *op)
{
    return result(symlink(op->path, op->path2));
}

EDO__NOINLINE ssize_t edo__sys_file(const edo__file_op *op)
{
    static ssize_t (*const calls[EDO__FILE_CODES])(const edo__file_op *) = {
        [EDO__FILE_OPEN] = do_open,       [EDO__FILE_READ] = do_read,
        [EDO__FILE_WRITE] = do_write,     [EDO__FILE_SYNC] = do_sync,
        [EDO__FILE_SIZE] = do_size,       [EDO__FILE_ALLOCATE] = do_allocate,
        [EDO__FILE_MKDIR] = do_mkdir,     [EDO__FILE_RENAME] = do_rename,
        [EDO__FILE_UNLINK] = do_unlink,   [EDO__FILE_LINK] = do_link,
        [EDO__FILE_SYMLINK] = do_symlink,
    };
    ssize_t r;
    do {
        r = calls[op->code](op);
    } while (r == -EINTR);
    return r;
}

EDO__NOINLINE ssize_t edo__sys_write_whole(int fd, const void *data, size_t n, const uint32_t *stop)
{
    size_t done = 0;
    while (done < n) {
        if (edo__fs_stopped(stop))
            return -ECANCELED;
        size_t part = n - done < EDO__FS_CHUNK ? n - done : EDO__FS_CHUNK;
        ssize_t r = write(fd, (const char *)data + done, part);
        if (r < 0 && errno != EINTR)
            return -errno;
        done += r > 0 ? (size_t)r : 0;
    }
    return (ssize_t)n;
}
