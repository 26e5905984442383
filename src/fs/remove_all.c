/* SPDX-License-Identifier: MIT */
/* Removing a tree: one job of the pool, one open directory at a time, no recursion.
 *
 * Down by openat(2) without following links, so nobody can make it leave the tree by putting a link in
 * the way; up by "..", which must be the directory that it came from. The position in that one is kept
 * as the kernel gave it and stays good while entries are removed. What cannot be removed is left, the
 * first reason is kept, and the rest goes on. */
#include "fs/entries.h"
#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_MAX 8 /* times a directory is gone through because something was added meanwhile */

typedef struct level { /* a directory above the present one */
    dev_t dev;
    ino_t ino;
    off_t at;    /* where to go on in it */
    size_t name; /* of the one below, in names */
    unsigned again;
    bool failed; /* something in it could not be removed */
} level;

typedef struct remove_call {
    const char *path;
    int fd; /* the present directory */
    level now;
    level *levels; /* owned, and so are names and buf */
    size_t depth, depth_max;
    char *names; /* of the directories on the way, one behind the other */
    size_t names_len, names_max;
    char *buf;
    int rc;        /* the first failure */
    uint32_t stop; /* atomic */
} remove_call;

static void failed(remove_call *c, int error)
{
    if (c->rc == 0)
        c->rc = -error;
    c->now.failed = true;
}

static int look_at(int fd, level *l)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return 0;
}

static int grow(void **array, size_t *max, size_t needed, size_t size)
{
    if (needed <= *max)
        return 0;
    size_t n = *max * 2 > needed ? *max * 2 : needed + 64;
    void *more = realloc(*array, n * size);
    if (more == NULL)
        return -ENOMEM;
    *array = more;
    *max = n;
    return 0;
}

/* The entry `name`, behind which the present directory goes on at `at`, becomes the present one. */
static int down(remove_call *c, const char *name, off_t at)
{
    size_t len = strlen(name) + 1;
    if (grow((void **)&c->levels, &c->depth_max, c->depth + 1, sizeof *c->levels) < 0 ||
        grow((void **)&c->names, &c->names_max, c->names_len + len, 1) < 0)
        return -ENOMEM;
    int fd = openat(c->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            failed(c, errno);
        return errno == EMFILE || errno == ENFILE ? -errno : 0;
    }
    level below = { .at = 0 };
    int rc = look_at(fd, &below);
    if (rc < 0) {
        edo__sys_close(fd);
        return rc;
    }
    c->now.at = at;
    c->now.name = c->names_len;
    memmove(c->names + c->names_len, name, len); /* it may be there already */
    c->names_len += len;
    c->levels[c->depth++] = c->now;
    c->now = below;
    edo__sys_close(c->fd);
    c->fd = fd;
    return 1;
}

/* Back to the directory above; the present one has been gone through. */
static int up(remove_call *c)
{
    level below = c->now, above = c->levels[c->depth - 1], seen = { .at = 0 };
    int fd = openat(c->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = look_at(fd, &seen);
    if (rc == 0 && (seen.dev != above.dev || seen.ino != above.ino))
        rc = -EBUSY; /* somebody moves directories about */
    if (rc < 0) {
        edo__sys_close(fd);
        return rc;
    }
    edo__sys_close(c->fd);
    c->fd = fd;
    c->depth--;
    c->now = above;
    const char *name = c->names + above.name;
    c->names_len = above.name;
    if (unlinkat(c->fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        bool more = (errno == ENOTEMPTY || errno == EEXIST) && !below.failed;
        if (more && c->now.again < AGAIN_MAX) {
            c->now.again++;
            rc = down(c, name, above.at);
            if (rc != 0)
                return rc < 0 ? rc : 0;
        } else if (below.failed)
            c->now.failed = true; /* the reason is known */
        else
            failed(c, more ? ENOTEMPTY : errno);
    } else {
        c->now.again = 0;
    }
    return lseek(c->fd, c->now.at, SEEK_SET) >= 0 ? 0 : -errno;
}

/* One entry. 1: it is a directory with something in it, and the present one now. */
static int remove_entry(remove_call *c, const edo__entry *e)
{
    if (e->d_type != DT_DIR) {
        if (unlinkat(c->fd, e->d_name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR && errno != EPERM) {
            failed(c, errno);
            return 0;
        }
    }
    if (unlinkat(c->fd, e->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return down(c, e->d_name, (off_t)e->d_off);
    failed(c, errno);
    return 0;
}

/* A bufferful of entries of the present directory. 1: there may be more; 0: it is through. */
static int remove_some(remove_call *c)
{
    ssize_t n = edo__sys_entries(c->fd, c->buf, EDO__DIR_BUFFER);
    if (n == -ENOENT)
        n = 0;
    if (n < 0) {
        failed(c, (int)-n);
        return 0;
    }
    const edo__entry *e;
    for (size_t at = 0; (e = edo__entry_next(c->buf, (size_t)n, &at)) != NULL;) {
        if (edo__fs_stopped(&c->stop))
            return -ECANCELED;
        int rc = remove_entry(c, e);
        if (rc != 0)
            return rc;
    }
    return n > 0;
}

static int empty_dir(remove_call *c)
{
    int rc = look_at(c->fd, &c->now);
    while (rc >= 0) {
        rc = remove_some(c);
        if (rc != 0)
            continue;
        if (c->depth == 0)
            return 0;
        rc = up(c);
        if (rc == 0)
            rc = 1;
    }
    return rc;
}

static int remove_dir(remove_call *c)
{
    int rc = -ENOTEMPTY;
    for (int i = 0; i < AGAIN_MAX && rc == -ENOTEMPTY; i++) {
        c->fd = open(c->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c->fd < 0)
            return errno == ENOENT ? 0 : -errno;
        c->now = (level){ .at = 0 };
        rc = empty_dir(c);
        edo__sys_close(c->fd);
        if (rc < 0 || c->rc < 0)
            return rc < 0 ? rc : c->rc;
        if (rmdir(c->path) != 0)
            rc = errno == ENOENT ? 0 : errno == EEXIST ? -ENOTEMPTY : -errno;
    }
    return rc;
}

static int remove_all_run(void *arg)
{
    remove_call *c = arg;
    if (unlink(c->path) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int error = errno;
    if (rmdir(c->path) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTDIR)
        return -error;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    c->buf = malloc(EDO__DIR_BUFFER);
    int rc = c->buf != NULL ? remove_dir(c) : -ENOMEM;
    free(c->buf);
    free(c->levels);
    free(c->names);
    return rc;
}

int edo_fs_remove_all(const char *path)
{
    remove_call c = { .path = path, .fd = -1 };
    return edo__fs_job(remove_all_run, &c, &c.stop);
}
