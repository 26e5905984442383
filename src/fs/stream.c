/* SPDX-License-Identifier: MIT */
/* Streams over files: a file, and a position. What is no file in that sense, a FIFO or a terminal, is
 * left to the streams of descriptors, which wait until it is ready. */
#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct file_stream {
    edo_stream base; /* first member */
    edo_file *file;  /* a reference */
    uint64_t at;
} file_stream;

static ssize_t move(edo_stream *s, bool write, const struct iovec *iov, int n)
{
    file_stream *f = (file_stream *)s;
    ssize_t done = edo__file_io(f->file, write, iov, n, f->at, false);
    if (done > 0)
        f->at += (uint64_t)done;
    return done;
}

static ssize_t file_readv(edo_stream *s, const struct iovec *iov, int n)
{
    return move(s, false, iov, n);
}

static ssize_t file_writev(edo_stream *s, const struct iovec *iov, int n)
{
    return move(s, true, iov, n);
}

static int file_shutdown(edo_stream *s)
{
    (void)s; /* there is no peer to tell */
    return 0;
}

static int file_close(edo_stream *s)
{
    file_stream *f = (file_stream *)s;
    edo__file_release(f->file);
    free(f);
    return 0;
}

static int file_fd(const edo_stream *s)
{
    return ((const file_stream *)s)->file->fd;
}

static const edo__stream_ops file_ops = { file_readv, file_writev, file_shutdown, file_close,
                                          file_fd };

/* 1: a file with positions; 0: none; or a code. */
EDO__NOINLINE static int has_positions(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
}

EDO__NOINLINE static int another_fd(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy >= 0 ? copy : -errno;
}

static int fd_stream(edo_stream **out, int fd)
{
    fd = another_fd(fd);
    if (fd < 0)
        return fd;
    int rc = edo_stream_from_fd(out, fd);
    if (rc < 0)
        edo__sys_close(fd);
    return rc;
}

int edo_fs_stream(edo_stream **out, edo_file *f, uint64_t offset)
{
    int rc = has_positions(f->fd);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return fd_stream(out, f->fd);
    file_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->base.ops = &file_ops;
    s->file = f;
    s->at = offset;
    /* relaxed: the caller has a reference already */
    edo__aadd(&f->refs, 1u, EDO__RLX);
    *out = &s->base;
    return 0;
}

int edo_fs_open_stream(edo_stream **out, const char *path, int flags, unsigned mode)
{
    edo_file *f;
    int rc = edo_fs_open(&f, path, flags, mode);
    if (rc < 0)
        return rc;
    rc = edo_fs_stream(out, f, 0);
    edo__file_release(f);
    return rc;
}
