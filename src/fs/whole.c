/* SPDX-License-Identifier: MIT */
/* Whole files: read, written, appended to, copied, each in one job of the pool; what is in memory
 * already is read without one. */
#include "fs/fs.h"

#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECT_MAX (256u * 1024) /* bytes of a file that is read where the caller is */
#define GROWTH 4096u             /* room for a file that does not say how long it is */

/* ---- reading ---- */

typedef struct read_call {
    const char *path;
    size_t limit;
    edo_file file;   /* fd -1: not open yet */
    char *data;      /* owned until it is given out */
    size_t len;      /* bytes that are in data */
    size_t size;     /* room in data, without the byte for the zero */
    size_t expected; /* the file's length, when that is known */
    uint32_t stop;   /* atomic */
} read_call;

static int room_for(read_call *c, size_t size)
{
    char *more = realloc(c->data, size + 1);
    if (more == NULL)
        return -ENOMEM;
    c->data = more;
    c->size = size;
    return 0;
}

/* Asks how long it is, and makes room. */
EDO__NOINLINE static int measure(read_call *c)
{
    struct stat st;
    if (fstat(c->file.fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode) || st.st_size == 0) /* those in /proc say 0 and have something */
        return 0;
    if ((uint64_t)st.st_size > c->limit)
        return EDO_EOVERSIZE;
    c->expected = (size_t)st.st_size;
    return 0;
}

/* Up to the length that it had when it was opened, or where that is not known to the end. */
static int read_rest(read_call *c)
{
    while (c->expected == 0 || c->len < c->expected) {
        if (edo__fs_stopped(&c->stop))
            return -ECANCELED;
        if (c->len == c->size) {
            size_t size = c->expected > 0 ? c->expected : c->size < GROWTH ? GROWTH : c->size * 2;
            int rc = room_for(c, size);
            if (rc < 0)
                return rc;
        }
        size_t part = c->size - c->len;
        part = part < EDO__FS_CHUNK ? part : EDO__FS_CHUNK;
        ssize_t n = read(c->file.fd, c->data + c->len, part);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        c->len += n > 0 ? (size_t)n : 0;
        if (c->len > c->limit)
            return EDO_EOVERSIZE;
    }
    return 0;
}

static int read_run(void *arg)
{
    read_call *c = arg;
    int rc = 0;
    if (c->file.fd < 0) {
        rc = c->file.fd = edo__sys_open(c->path, O_RDONLY, 0);
        if (rc >= 0)
            rc = measure(c);
    }
    if (rc >= 0)
        rc = read_rest(c);
    if (rc >= 0 && c->data == NULL)
        rc = room_for(c, 0);
    return rc;
}

/* -EAGAIN: the rest needs a job. */
static int read_now(read_call *c)
{
    int rc = c->file.fd = edo__sys_open_now(c->path, O_RDONLY);
    if (rc < 0)
        return rc;
    rc = measure(c);
    if (rc < 0)
        return rc;
    if (c->expected == 0 || c->expected > DIRECT_MAX)
        return -EAGAIN;
    rc = room_for(c, c->expected);
    if (rc < 0)
        return rc;
    const struct iovec iov = { .iov_base = c->data, .iov_len = c->expected };
    ssize_t n = edo__sys_read_now(&c->file, &iov, 1, 0);
    if (n < 0)
        return (int)n;
    c->len = (size_t)n;
    return c->len == c->expected ? 0 : -EAGAIN;
}

/* A job reads from where the descriptor is. */
EDO__NOINLINE static int skip(int fd, size_t n)
{
    return n == 0 || lseek(fd, (off_t)n, SEEK_SET) >= 0 ? 0 : -errno;
}

ssize_t edo_fs_read_all(const char *path, size_t limit, char **out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    read_call c = { .path = path,
                    .limit = limit < SSIZE_MAX - 1 ? limit : SSIZE_MAX - 1,
                    .file.fd = -1 };
    rc = read_now(&c);
    if (rc == -EAGAIN) {
        rc = skip(c.file.fd, c.len);
        if (rc == 0)
            rc = edo__fs_job(read_run, &c, &c.stop);
    } else {
        edo__fs_spend(self, 4, c.len);
    }
    if (c.file.fd >= 0)
        edo__sys_close(c.file.fd);
    if (rc < 0) {
        free(c.data);
        return rc;
    }
    c.data[c.len] = '\0';
    *out = c.data;
    return (ssize_t)c.len;
}

/* ---- writing ---- */

typedef struct write_call {
    const char *path;
    const void *data;
    size_t n;
    unsigned mode;
    const edo_write_options *options;
    uint32_t stop; /* atomic */
} write_call;

static int write_run(void *arg)
{
    write_call *c = arg;
    edo__replace r;
    int rc = edo__replace_begin(&r, c->path, c->options, &c->stop);
    if (rc < 0)
        return rc;
    ssize_t done = edo__sys_write_whole(r.fd, c->data, c->n, &c->stop);
    if (done >= 0)
        return edo__replace_end(&r);
    edo__replace_undo(&r);
    return (int)done;
}

int edo_fs_write_all(const char *path, const void *data, size_t n, const edo_write_options *options)
{
    write_call c = { .path = path, .data = data, .n = n, .options = options };
    return edo__fs_job(write_run, &c, &c.stop);
}

static int append_run(void *arg)
{
    write_call *c = arg;
    int fd = edo__sys_open(c->path, O_WRONLY | O_CREAT | O_APPEND, c->mode);
    if (fd < 0)
        return fd;
    ssize_t done = edo__sys_write_whole(fd, c->data, c->n, NULL);
    int rc = close(fd) == 0 || errno == EINTR ? 0 : -errno;
    return done < 0 ? (int)done : rc;
}

int edo_fs_append_all(const char *path, const void *data, size_t n, unsigned mode)
{
    write_call c = { .path = path, .data = data, .n = n, .mode = mode != 0 ? mode : 0666 };
    return edo__fs_job(append_run, &c, NULL);
}

/* ---- copying ---- */

typedef struct copy_call {
    const char *from, *to;
    const edo_write_options *options;
    int64_t copied;
    uint32_t stop; /* atomic */
} copy_call;

/* The kernel cannot do it between these two. */
static bool kernel_cannot(int error)
{
    return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
           error == EPERM || error == EBADF || error == ENOTTY || error == ETXTBSY;
}

/* By way of user space, from where the descriptors are. */
static int copy_bytes(copy_call *c, int from, int to)
{
    size_t size = 128 * 1024;
    char *buf = malloc(size);
    if (buf == NULL)
        return -ENOMEM;
    ssize_t n, done = 0;
    while ((n = read(from, buf, size)) != 0 && done >= 0) {
        if (n < 0 && errno == EINTR)
            continue;
        done = n < 0 ? -errno : edo__sys_write_whole(to, buf, (size_t)n, &c->stop);
        if (done >= 0)
            c->copied += n;
    }
    free(buf);
    return done < 0 ? (int)done : 0;
}

static int copy_content(copy_call *c, int from, int to, uint64_t size)
{
    if (size > 0 && ioctl(to, FICLONE, from) == 0) {
        c->copied = (int64_t)size;
        return 0;
    }
    while (size > 0) { /* those that say 0 have to be read, see measure() */
        if (edo__fs_stopped(&c->stop))
            return -ECANCELED;
        ssize_t n = copy_file_range(from, NULL, to, NULL, 8 * EDO__FS_CHUNK, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && c->copied == 0 && kernel_cannot(errno))
            break;
        if (n < 0)
            return -errno;
        if (n == 0 && c->copied > 0)
            return 0;
        if (n == 0)
            break; /* some file systems say so although there is something */
        c->copied += n;
    }
    return copy_bytes(c, from, to);
}

static int copy_open_file(copy_call *c, int from)
{
    struct stat st;
    if (fstat(from, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    edo_write_options o = { .mode = 0 };
    if (c->options != NULL)
        o = *c->options;
    unsigned mode = o.mode != 0 ? o.mode : st.st_mode & 07777;
    o.mode = mode & 0700; /* until it is complete; 0 would mean something else */
    if (o.mode == 0)
        o.mode = 0200;
    edo__replace r;
    int rc = edo__replace_begin(&r, c->to, &o, &c->stop);
    if (rc < 0)
        return rc;
    rc = copy_content(c, from, r.fd, (uint64_t)st.st_size);
    if (rc == 0 && fchmod(r.fd, (mode_t)mode) != 0)
        rc = -errno;
    if (rc == 0)
        return edo__replace_end(&r);
    edo__replace_undo(&r);
    return rc;
}

static int copy_run(void *arg)
{
    copy_call *c = arg;
    int from = edo__sys_open(c->from, O_RDONLY, 0);
    if (from < 0)
        return from;
    int rc = copy_open_file(c, from);
    edo__sys_close(from);
    return rc;
}

int64_t edo_fs_copy_file(const char *from, const char *to, const edo_write_options *options)
{
    copy_call c = { .from = from, .to = to, .options = options };
    int rc = edo__fs_job(copy_run, &c, &c.stop);
    return rc < 0 ? rc : c.copied;
}
