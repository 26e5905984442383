/* SPDX-License-Identifier: MIT */
/* A file that takes the place of another one when it is complete.
 *
 * The new file has no name while it is written (O_TMPFILE), so that whatever happens to the process
 * or the machine leaves nothing behind. A link(2) gives it a name, but replaces nothing: so when
 * there is an old file the name is a hidden one for the moment until rename(2). Where there are no
 * files without names, or no /proc to link them by, it has the hidden name from the beginning. */
#include "fs/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100
#define RANDOM 12 /* letters in a hidden name */

/* Where a new file of that path belongs: a symbolic link stays and is followed, if it leads
 * anywhere. */
static int find_target(edo__replace *r)
{
    struct stat st;
    if (!r->exclusive && lstat(r->path, &st) == 0 && S_ISLNK(st.st_mode)) {
        r->target = realpath(r->path, NULL);
        return r->target != NULL ? 0 : -errno;
    }
    r->target = strdup(r->path);
    return r->target != NULL ? 0 : -ENOMEM;
}

static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* In r->temp: a name beside the target, ".edo-" and random letters. */
static int hidden_name(edo__replace *r)
{
    static const char prefix[] = ".edo-";
    size_t dir = dir_length(r->target);
    if (r->temp == NULL)
        r->temp = malloc(dir + sizeof prefix + RANDOM);
    if (r->temp == NULL)
        return -ENOMEM;
    memcpy(r->temp, r->target, dir);
    memcpy(r->temp + dir, prefix, sizeof prefix - 1);
    edo__fs_random_name(r->temp + dir + sizeof prefix - 1, RANDOM);
    r->temp[dir + sizeof prefix - 1 + RANDOM] = '\0';
    return 0;
}

/* The directory of the target, as a path in *out. */
static int dir_of(const edo__replace *r, char **out)
{
    size_t n = dir_length(r->target);
    *out = n > 0 ? strndup(r->target, n) : strdup(".");
    return *out != NULL ? 0 : -ENOMEM;
}

/* Opened before anything is done: once the new file is in its place nothing but the disk may say no. */
static int open_dir(edo__replace *r, const char *dir)
{
    int fd = r->sync ? edo__sys_open(dir, O_RDONLY | O_DIRECTORY, 0) : -EACCES;
    if (fd < 0)
        return fd == -EACCES ? 0 : fd; /* we may change it and not look at it: no way to ask */
    r->dir_fd = fd;
    return 0;
}

static int open_nameless(edo__replace *r)
{
    char *dir;
    int rc = dir_of(r, &dir);
    if (rc < 0)
        return rc;
    rc = open_dir(r, dir);
    int fd = rc < 0 ? rc : edo__sys_open(dir, O_WRONLY | O_TMPFILE, r->mode);
    free(dir);
    return fd;
}

static int open_hidden(edo__replace *r)
{
    int fd = -EEXIST;
    for (int i = 0; i < TRIES && fd == -EEXIST; i++) {
        int rc = hidden_name(r);
        if (rc < 0)
            return rc;
        fd = edo__sys_open(r->temp, O_WRONLY | O_CREAT | O_EXCL, r->mode);
    }
    r->named = fd >= 0;
    return fd;
}

static bool can_link(int fd) /* whether a file without a name could get one */
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return access(path, F_OK) == 0;
}

static int open_new(edo__replace *r)
{
    int fd = open_nameless(r);
    if (fd >= 0) {
        if (can_link(fd))
            return fd;
        edo__sys_close(fd);
    } else if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -ENOENT && fd != -EINVAL) {
        return fd;
    }
    return open_hidden(r);
}

/* The old file's permissions, owner and group. */
static int take_over(edo__replace *r, const struct stat *old)
{
    if (fchmod(r->fd, old->st_mode & 07777) != 0)
        return -errno;
    struct stat own;
    if (fstat(r->fd, &own) != 0)
        return -errno;
    if (own.st_uid == old->st_uid && own.st_gid == old->st_gid)
        return 0;
    if (fchown(r->fd, old->st_uid, old->st_gid) != 0 && fchown(r->fd, (uid_t)-1, old->st_gid) != 0)
        return 0; /* not ours to give away */
    /* A change of the owner takes the set-id bits away. */
    return fchmod(r->fd, old->st_mode & 07777) == 0 ? 0 : -errno;
}

static int prepare(edo__replace *r)
{
    struct stat old;
    if (lstat(r->target, &old) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (r->exclusive)
        return -EEXIST;
    if (S_ISDIR(old.st_mode))
        return -EISDIR;
    return S_ISREG(old.st_mode) ? take_over(r, &old) : 0;
}

int edo__replace_begin(edo__replace *r, const char *path, const edo_write_options *options,
                       const uint32_t *stop)
{
    static const edo_write_options defaults;
    if (options == NULL)
        options = &defaults;
    *r = (edo__replace){ .path = path,
                         .fd = -1,
                         .dir_fd = -1,
                         .mode = options->mode != 0 ? options->mode : 0666,
                         .exclusive = options->exclusive,
                         .sync = !options->no_sync,
                         .stop = stop };
    size_t len = strlen(path);
    if (len == 0)
        return -ENOENT;
    if (path[len - 1] == '/')
        return -EISDIR;
    int rc = find_target(r);
    if (rc == 0)
        rc = r->fd = open_new(r);
    if (rc >= 0)
        rc = prepare(r);
    if (rc < 0)
        edo__replace_undo(r);
    return rc < 0 ? rc : 0;
}

void edo__replace_undo(edo__replace *r)
{
    if (r->fd >= 0)
        edo__sys_close(r->fd);
    if (r->dir_fd >= 0)
        edo__sys_close(r->dir_fd);
    if (r->named)
        (void)unlink(r->temp);
    free(r->temp);
    free(r->target);
}

static int link_as(const edo__replace *r, const char *name)
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", r->fd);
    return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* A file without a name gets the hidden one. */
static int link_hidden(edo__replace *r)
{
    int rc = -EEXIST;
    for (int i = 0; i < TRIES && rc == -EEXIST; i++) {
        rc = hidden_name(r);
        if (rc == 0)
            rc = link_as(r, r->temp);
    }
    r->named = rc == 0;
    return rc;
}

/* From the hidden name to the target; *moved: the new file is in its place. */
static int move(edo__replace *r)
{
    if (r->exclusive) {
        if (link(r->temp, r->target) != 0)
            return -errno;
        (void)unlink(r->temp);
    } else if (rename(r->temp, r->target) != 0) {
        return -errno;
    }
    r->named = false;
    return 0;
}

static int take_place(edo__replace *r)
{
    if (!r->named) {
        int rc = link_as(r, r->target);
        if (rc != -EEXIST || r->exclusive)
            return rc;
        rc = link_hidden(r);
        if (rc < 0)
            return rc;
    }
    return move(r);
}

static int sync_fd(int fd)
{
    return (int)edo__sys_file(&(edo__file_op){ .code = EDO__FILE_SYNC, .fd = fd });
}

static int sync_dir(const edo__replace *r)
{
    if (r->dir_fd < 0)
        return 0;
    int rc = sync_fd(r->dir_fd);
    if (rc == 0 || rc == -EINVAL || rc == -EBADF) /* not a thing for this file system */
        return 0;
    return -EIO; /* one code, that says where it stands */
}

int edo__replace_end(edo__replace *r)
{
    int rc = edo__fs_stopped(r->stop) ? -ECANCELED : 0;
    if (rc == 0 && r->sync)
        rc = sync_fd(r->fd);
    if (rc == 0 && edo__fs_stopped(r->stop))
        rc = -ECANCELED;
    if (rc == 0)
        rc = take_place(r);
    if (rc == 0 && r->sync)
        rc = sync_dir(r);
    edo__replace_undo(r);
    return rc;
}
