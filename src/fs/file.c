/* SPDX-License-Identifier: MIT */
/* Open files: how they come and go, and how they are read and written.
 *
 * A transfer is tried where the caller is, as far as the kernel does it without waiting; what is left
 * goes to the ring or the pool. A large one goes there at once: copying it would keep the worker for
 * longer than it takes to hand it over. */
#include "fs/fs.h"

#include <edo/time.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECT_MAX (1u << 20) /* bytes; takes 50 us where memory is slow to be copied */
#define PIECES_MAX 64

edo_file *edo__file_alloc(void)
{
    return calloc(1, sizeof(edo_file));
}

void edo__file_init(edo_file *f, int fd, int flags)
{
    f->fd = fd;
    f->writable = (flags & O_ACCMODE) != O_RDONLY;
    edo__astore(&f->refs, 1u, EDO__RLX); /* nobody else knows it */
}

static int open_file(const char *path, int flags, unsigned mode)
{
    edo__task *self = edo__self();
    int fd = edo__checkpoint(self);
    if (fd < 0)
        return fd;
    fd = edo__sys_open_now(path, flags);
    if (fd != -EAGAIN) {
        edo__fs_spend(self, 2, 0);
        return fd;
    }
    bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return (int)edo__fs_call(&(edo__file_op){ .code = EDO__FILE_OPEN,
                                              .path = path,
                                              .flags = flags,
                                              .mode = !makes      ? 0
                                                      : mode != 0 ? mode
                                                                  : 0666 });
}

int edo_fs_open(edo_file **out, const char *path, int flags, unsigned mode)
{
    edo_file *f = edo__file_alloc();
    if (f == NULL)
        return -ENOMEM;
    int fd = open_file(path, flags, mode);
    if (fd < 0) {
        free(f);
        return fd;
    }
    edo__file_init(f, fd, flags);
    *out = f;
    return 0;
}

EDO__NOINLINE static int flags_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 ? flags : -errno;
}

int edo_fs_from_fd(edo_file **out, int fd)
{
    int flags = flags_of(fd);
    if (flags < 0)
        return flags;
    edo_file *f = edo__file_alloc();
    if (f == NULL)
        return -ENOMEM;
    edo__file_init(f, fd, flags);
    *out = f;
    return 0;
}

int edo_fs_fd(const edo_file *f)
{
    return f->fd;
}

static int close_run(void *arg)
{
    edo_file *f = arg;
    /* After EINTR the descriptor is closed, too. */
    return close(f->fd) == 0 || errno == EINTR ? 0 : -errno;
}

static bool is_last(edo_file *f)
{
    /* release, and acquire for the last: the others have done all they did before */
    return edo__asub(&f->refs, 1u, EDO__AR) == 1;
}

/* Before the descriptor is closed: those who wait for its locks are called by who unlocks. */
static void unlock(edo_file *f)
{
    if (edo__aload(&f->locked, EDO__RLX)) /* it was set by somebody who had a reference */
        edo__fs_unlock_all(f);
}

void edo__file_release(edo_file *f)
{
    if (!is_last(f))
        return;
    unlock(f);
    edo__sys_close(f->fd);
    free(f);
}

int edo_fs_close(edo_file *f)
{
    if (f == NULL || !is_last(f))
        return 0;
    int rc = 0;
    unlock(f);
    if (f->writable) {
        edo_scope s;
        edo_shield_open(&s, EDO_FOREVER);
        rc = edo__fs_job(close_run, f, NULL);
        (void)edo_scope_close(&s, 0);
        if (rc == -EAGAIN) /* no thread is to be had */
            rc = close_run(f);
    } else {
        edo__sys_close(f->fd);
    }
    free(f);
    return rc;
}

/* ---- transfers ---- */

/* What is left of the caller's pieces, as pieces of our own. */
static int rest_of(struct iovec *out, const struct iovec *iov, int count, size_t done)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        size_t skip = done < iov[i].iov_len ? done : iov[i].iov_len;
        done -= skip;
        if (iov[i].iov_len > skip)
            out[n++] = (struct iovec){ (char *)iov[i].iov_base + skip, iov[i].iov_len - skip };
    }
    return n;
}

/* One transfer; `begun`: nothing stops it any more. */
static ssize_t transfer(edo__task *self, edo_file *f, bool write, const struct iovec *iov,
                        int count, uint64_t offset, bool begun)
{
    size_t n = 0;
    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    if (n <= DIRECT_MAX) {
        ssize_t r = write ? edo__sys_write_now(f, iov, count, offset)
                          : edo__sys_read_now(f, iov, count, offset);
        if (r != -EAGAIN) {
            edo__fs_spend(self, 1, r > 0 ? (size_t)r : 0);
            return r;
        }
    }
    edo__file_op op = { .code = write ? EDO__FILE_WRITE : EDO__FILE_READ,
                        .fd = f->fd,
                        .iov = iov,
                        .count = count,
                        .offset = offset };
    return begun ? edo__fs_call_always(&op) : edo__fs_call(&op);
}

/* n bytes, fewer only when reading to the end. */
static ssize_t transfer_all(edo__task *self, edo_file *f, bool write, const struct iovec *iov,
                            int count, uint64_t offset, size_t n)
{
    struct iovec rest[PIECES_MAX];
    ssize_t r = transfer(self, f, write, iov, count, offset, false);
    size_t done = 0;
    while (r > 0 && (done += (size_t)r) < n) {
        int rc = write ? 0 : edo__checkpoint(self);
        if (rc < 0)
            return rc;
        int left = rest_of(rest, iov, count, done);
        r = transfer(self, f, write, rest, left, offset + done, write);
    }
    return r < 0 ? r : (ssize_t)done;
}

ssize_t edo__file_io(edo_file *f, bool write, const struct iovec *iov, int count, uint64_t offset,
                     bool whole)
{
    edo__task *self = edo__self();
    ssize_t rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    ssize_t n = edo__iov_total(iov, count);
    if (n < 0 || offset > (uint64_t)INT64_MAX - (uint64_t)n)
        return -EINVAL;
    if (n == 0)
        return 0;
    if (whole)
        return transfer_all(self, f, write, iov, count, offset, (size_t)n);
    return transfer(self, f, write, iov, count, offset, false);
}

ssize_t edo_fs_read_at(edo_file *f, void *buf, size_t n, uint64_t offset)
{
    const struct iovec iov = { .iov_base = buf, .iov_len = n };
    return edo__file_io(f, false, &iov, 1, offset, true);
}

ssize_t edo_fs_readv_at(edo_file *f, const struct iovec *iov, int count, uint64_t offset)
{
    return edo__file_io(f, false, iov, count, offset, true);
}

ssize_t edo_fs_read_some_at(edo_file *f, void *buf, size_t n, uint64_t offset)
{
    const struct iovec iov = { .iov_base = buf, .iov_len = n };
    return edo__file_io(f, false, &iov, 1, offset, false);
}

ssize_t edo_fs_write_at(edo_file *f, const void *data, size_t n, uint64_t offset)
{
    const struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
    return edo__file_io(f, true, &iov, 1, offset, true);
}

ssize_t edo_fs_writev_at(edo_file *f, const struct iovec *iov, int count, uint64_t offset)
{
    return edo__file_io(f, true, iov, count, offset, true);
}

ssize_t edo_fs_write_some_at(edo_file *f, const void *data, size_t n, uint64_t offset)
{
    const struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
    return edo__file_io(f, true, &iov, 1, offset, false);
}

/* ---- what is done to an open file ---- */

int edo_fs_sync(edo_file *f)
{
    return (int)edo__fs_call(&(edo__file_op){ .code = EDO__FILE_SYNC, .fd = f->fd });
}

int edo_fs_datasync(edo_file *f)
{
    return (int)edo__fs_call(&(edo__file_op){ .code = EDO__FILE_SYNC, .fd = f->fd, .flags = 1 });
}

int edo_fs_allocate(edo_file *f, uint64_t offset, uint64_t n)
{
    if (offset > INT64_MAX || n > INT64_MAX)
        return -EFBIG;
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_ALLOCATE, .fd = f->fd, .offset = offset, .length = n });
}

int edo_fs_ftruncate(edo_file *f, uint64_t size)
{
    if (size > INT64_MAX)
        return -EFBIG;
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_SIZE, .fd = f->fd, .length = size });
}
