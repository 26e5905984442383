/* SPDX-License-Identifier: MIT */
/* Names: made, changed, removed. */
#include "fs/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int edo_fs_mkdir(const char *path, unsigned mode)
{
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_MKDIR, .path = path, .mode = mode != 0 ? mode : 0777 });
}

/* path is changed and put back. Those above it are made writable for us whatever mode says, as
 * mkdir(1) has it. */
static int make_all(char *path, unsigned mode)
{
    if (mkdir(path, (mode_t)mode) == 0)
        return 0;
    int rc = -errno;
    struct stat st;
    if (rc != -ENOENT || *path == '\0')
        return rc == -EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : rc;
    /* From the front, without recursion: a path may have two thousand parts. */
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = '\0';
        rc = mkdir(path, 0777) == 0 ? 0 : -errno;
        *at = '/';
        /* One that is there may say so or refuse (-EROFS, -EACCES): the last one decides. */
        if (rc == -ENOENT || rc == -ENAMETOOLONG || rc == -ENOSPC || rc == -ENOTDIR)
            return rc;
    }
    rc = mkdir(path, (mode_t)mode) == 0 ? 0 : -errno;
    return rc == -EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : rc;
}

typedef struct names_call {
    const char *path;
    char *copy;
    char *buf;
    size_t size;
    unsigned mode;
    ssize_t length;
} names_call;

static int mkdir_all_run(void *arg)
{
    names_call *c = arg;
    return make_all(c->copy, c->mode);
}

int edo_fs_mkdir_all(const char *path, unsigned mode)
{
    names_call c = { .copy = strdup(path), .mode = mode != 0 ? mode : 0777 };
    if (c.copy == NULL)
        return -ENOMEM;
    int rc = edo__fs_job(mkdir_all_run, &c, NULL);
    free(c.copy);
    return rc;
}

int edo_fs_rename(const char *from, const char *to)
{
    return edo_fs_rename_with(from, to, 0);
}

int edo_fs_rename_with(const char *from, const char *to, unsigned flags)
{
    if ((flags & ~(unsigned)(EDO_FS_NOREPLACE | EDO_FS_EXCHANGE)) != 0)
        return -EINVAL;
    _Static_assert(EDO_FS_NOREPLACE == RENAME_NOREPLACE && EDO_FS_EXCHANGE == RENAME_EXCHANGE, "");
    return (int)edo__fs_call(&(edo__file_op){
        .code = EDO__FILE_RENAME, .path = from, .path2 = to, .flags = (int)flags });
}

static int remove_run(void *arg)
{
    const names_call *c = arg;
    return remove(c->path) == 0 ? 0 : -errno;
}

int edo_fs_remove(const char *path)
{
    names_call c = { .path = path };
    return edo__fs_job(remove_run, &c, NULL);
}

int edo_fs_unlink(const char *path)
{
    return (int)edo__fs_call(&(edo__file_op){ .code = EDO__FILE_UNLINK, .path = path });
}

int edo_fs_rmdir(const char *path)
{
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_UNLINK, .path = path, .flags = AT_REMOVEDIR });
}

int edo_fs_link(const char *existing, const char *path)
{
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_LINK, .path = existing, .path2 = path });
}

int edo_fs_symlink(const char *target, const char *path)
{
    return (int)edo__fs_call(
        &(edo__file_op){ .code = EDO__FILE_SYMLINK, .path = target, .path2 = path });
}

static int readlink_run(void *arg)
{
    names_call *c = arg;
    c->length = readlink(c->path, c->buf, c->size);
    return c->length >= 0 ? 0 : -errno;
}

ssize_t edo_fs_readlink(const char *path, char *buf, size_t size)
{
    if (size == 0)
        return -ERANGE;
    names_call c = { .path = path, .buf = buf, .size = size };
    int rc = edo__fs_job(readlink_run, &c, NULL);
    if (rc < 0)
        return rc;
    if ((size_t)c.length == size)
        return -ERANGE;
    buf[c.length] = '\0';
    return c.length;
}

static int realpath_run(void *arg)
{
    names_call *c = arg;
    c->copy = realpath(c->path, NULL);
    return c->copy != NULL ? 0 : -errno;
}

int edo_fs_realpath(const char *path, char **out)
{
    names_call c = { .path = path };
    int rc = edo__fs_job(realpath_run, &c, NULL);
    if (rc == 0)
        *out = c.copy;
    return rc;
}

static int sync_dir_run(void *arg)
{
    const names_call *c = arg;
    int fd = edo__sys_open(c->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    ssize_t rc = edo__sys_file(&(edo__file_op){ .code = EDO__FILE_SYNC, .fd = fd });
    edo__sys_close(fd);
    return (int)rc;
}

int edo_fs_sync_dir(const char *path)
{
    names_call c = { .path = path };
    return edo__fs_job(sync_dir_run, &c, NULL);
}
