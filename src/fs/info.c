/* SPDX-License-Identifier: MIT */
/* What is known of files: stat and what changes it.
 *
 * A path the kernel has looked up before is opened as a mere place (O_PATH), which is asked for
 * what is known: three calls, and no thread has to be woken. A file that is open has all of it in
 * memory, but on network file systems, and those are asked for it when it was opened. */
#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

edo_fs_type edo__fs_type_of(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return EDO_FS_FILE;
    case S_IFDIR: return EDO_FS_DIR;
    case S_IFLNK: return EDO_FS_LINK;
    case S_IFIFO: return EDO_FS_FIFO;
    case S_IFSOCK: return EDO_FS_SOCKET;
    case S_IFCHR: return EDO_FS_CHAR;
    case S_IFBLK: return EDO_FS_BLOCK;
    default: return EDO_FS_UNKNOWN;
    }
}

static int64_t nanoseconds(struct statx_timestamp t)
{
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

EDO__NOINLINE int edo__sys_info(int dirfd, const char *path, int flags, edo_fs_info *out)
{
    struct statx x;
    if (statx(dirfd, path, flags | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_BTIME, &x) != 0)
        return -errno;
    *out = (edo_fs_info){ .type = edo__fs_type_of(x.stx_mode),
                          .mode = x.stx_mode & 07777u,
                          .size = x.stx_size,
                          .used = x.stx_blocks * 512,
                          .uid = x.stx_uid,
                          .gid = x.stx_gid,
                          .links = x.stx_nlink,
                          .inode = x.stx_ino,
                          .device = makedev(x.stx_dev_major, x.stx_dev_minor),
                          .rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
                          .block = x.stx_blksize,
                          .atime = nanoseconds(x.stx_atime),
                          .mtime = nanoseconds(x.stx_mtime),
                          .ctime = nanoseconds(x.stx_ctime),
                          .btime = INT64_MIN };
    if ((x.stx_mask & STATX_BTIME) != 0)
        out->btime = nanoseconds(x.stx_btime);
    return 0;
}

typedef struct stat_call {
    const char *path;
    int flags; /* AT_SYMLINK_NOFOLLOW */
    edo_fs_info *out;
} stat_call;

static int stat_run(void *arg)
{
    stat_call *c = arg;
    return edo__sys_info(AT_FDCWD, c->path, c->flags, c->out);
}

static int stat_path(const char *path, int flags, edo_fs_info *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    int open_flags = O_PATH | ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0);
    int fd = edo__sys_open_now(path, open_flags);
    if (fd >= 0) {
        rc = edo__sys_info(fd, "", AT_EMPTY_PATH, out);
        edo__sys_close(fd);
        edo__fs_spend(self, 3, 0);
        return rc;
    }
    if (fd == -ENOENT || fd == -ENOTDIR) { /* it is known that there is none */
        edo__fs_spend(self, 2, 0);
        return fd;
    }
    stat_call c = { path, flags, out };
    return edo__fs_job(stat_run, &c, NULL);
}

int edo_fs_stat(const char *path, edo_fs_info *out)
{
    return stat_path(path, 0, out);
}

int edo_fs_lstat(const char *path, edo_fs_info *out)
{
    return stat_path(path, AT_SYMLINK_NOFOLLOW, out);
}

int edo_fs_fstat(edo_file *f, edo_fs_info *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    rc = edo__sys_info(f->fd, "", AT_EMPTY_PATH, out);
    edo__fs_spend(self, 1, 0);
    return rc;
}

int edo_fs_exists(const char *path)
{
    edo_fs_info info;
    int rc = stat_path(path, 0, &info);
    return rc == 0 ? 1 : rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
}

/* ---- calls that are made on the pool ---- */

typedef struct path_call { /* path NULL: of fd */
    const char *path;
    int fd;
    int flags;
    unsigned a, b;
    uint64_t size;
    struct timespec times[2];
    void *out;
} path_call;

static int result(int r)
{
    return r == 0 ? 0 : -errno;
}

static int access_run(void *arg)
{
    const path_call *c = arg;
    return result(faccessat(AT_FDCWD, c->path, (int)c->a, AT_EACCESS));
}

int edo_fs_access(const char *path, int mode)
{
    path_call c = { .path = path, .a = (unsigned)mode };
    return edo__fs_job(access_run, &c, NULL);
}

static int chmod_run(void *arg)
{
    const path_call *c = arg;
    return result(c->path != NULL ? chmod(c->path, (mode_t)c->a) : fchmod(c->fd, (mode_t)c->a));
}

int edo_fs_chmod(const char *path, unsigned mode)
{
    path_call c = { .path = path, .a = mode };
    return edo__fs_job(chmod_run, &c, NULL);
}

int edo_fs_fchmod(edo_file *f, unsigned mode)
{
    path_call c = { .fd = f->fd, .a = mode };
    return edo__fs_job(chmod_run, &c, NULL);
}

static int chown_run(void *arg)
{
    const path_call *c = arg;
    if (c->path == NULL)
        return result(fchown(c->fd, c->a, c->b));
    return result(fchownat(AT_FDCWD, c->path, c->a, c->b, c->flags));
}

int edo_fs_chown(const char *path, unsigned uid, unsigned gid)
{
    path_call c = { .path = path, .a = uid, .b = gid };
    return edo__fs_job(chown_run, &c, NULL);
}

int edo_fs_lchown(const char *path, unsigned uid, unsigned gid)
{
    path_call c = { .path = path, .flags = AT_SYMLINK_NOFOLLOW, .a = uid, .b = gid };
    return edo__fs_job(chown_run, &c, NULL);
}

int edo_fs_fchown(edo_file *f, unsigned uid, unsigned gid)
{
    path_call c = { .fd = f->fd, .a = uid, .b = gid };
    return edo__fs_job(chown_run, &c, NULL);
}

static struct timespec timespec_of(int64_t t)
{
    if (t == EDO_FS_NOW || t == EDO_FS_OMIT)
        return (struct timespec){ .tv_nsec = t == EDO_FS_NOW ? UTIME_NOW : UTIME_OMIT };
    struct timespec ts = { .tv_sec = t / 1000000000, .tv_nsec = t % 1000000000 };
    if (ts.tv_nsec < 0) { /* before 1970 */
        ts.tv_sec--;
        ts.tv_nsec += 1000000000;
    }
    return ts;
}

static int utimes_run(void *arg)
{
    const path_call *c = arg;
    if (c->path == NULL)
        return result(futimens(c->fd, c->times));
    return result(utimensat(AT_FDCWD, c->path, c->times, c->flags));
}

int edo_fs_utimes(const char *path, int64_t atime, int64_t mtime)
{
    path_call c = { .path = path, .times = { timespec_of(atime), timespec_of(mtime) } };
    return edo__fs_job(utimes_run, &c, NULL);
}

int edo_fs_lutimes(const char *path, int64_t atime, int64_t mtime)
{
    path_call c = { .path = path,
                    .flags = AT_SYMLINK_NOFOLLOW,
                    .times = { timespec_of(atime), timespec_of(mtime) } };
    return edo__fs_job(utimes_run, &c, NULL);
}

int edo_fs_futimes(edo_file *f, int64_t atime, int64_t mtime)
{
    path_call c = { .fd = f->fd, .times = { timespec_of(atime), timespec_of(mtime) } };
    return edo__fs_job(utimes_run, &c, NULL);
}

static int truncate_run(void *arg)
{
    const path_call *c = arg;
    return result(truncate(c->path, (off_t)c->size));
}

int edo_fs_truncate(const char *path, uint64_t size)
{
    if (size > INT64_MAX)
        return -EFBIG;
    path_call c = { .path = path, .size = size };
    return edo__fs_job(truncate_run, &c, NULL);
}

static int statfs_run(void *arg)
{
    const path_call *c = arg;
    struct statfs s;
    if (statfs(c->path, &s) != 0)
        return -errno;
    uint64_t unit = (uint64_t)(s.f_frsize > 0 ? s.f_frsize : s.f_bsize);
    *(edo_fs_space *)c->out = (edo_fs_space){ .total = s.f_blocks * unit,
                                              .free = s.f_bfree * unit,
                                              .available = s.f_bavail * unit,
                                              .files = s.f_files,
                                              .files_free = s.f_ffree,
                                              .type = (uint32_t)s.f_type };
    return 0;
}

int edo_fs_statfs(const char *path, edo_fs_space *out)
{
    path_call c = { .path = path, .out = out };
    return edo__fs_job(statfs_run, &c, NULL);
}
