/* SPDX-License-Identifier: MIT */
/* Writing whole or not at all; see files.h. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Makes a new file with this content; on failure it is gone again. */
static int write_new(const char *path, const void *data, size_t len, mode_t mode, bool durable)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, data, len);
    if (rc == 0 && durable && fsync(fd) < 0)
        rc = -errno;
    /* A network file system may report a full disk only here. */
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc < 0)
        unlink(path);
    return rc;
}

static bool has_content(const char *path, const void *data, size_t len)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != len)
        return false;
    hu_buf old = { 0 };
    bool same = hu_file_read(path, len, &old) == 0 && old.len == len &&
                (len == 0 || memcmp(old.data, data, len) == 0);
    hu_buf_free(&old);
    return same;
}

int hu_change_add(hu_change *change, const char *path, const void *data, size_t len, bool durable)
{
    /* Through a symbolic link the file behind it is replaced, not the link. */
    char *real = realpath(path, NULL);
    char *target = real ? real : hu_strdup(path);
    /* One fixed name, so that what a killed run left there is used up or removed by the next. The
     * lock of the project keeps two runs apart. */
    char *temporary = hu_format("%s.husako-new", target);
    bool same = has_content(target, data, len);
    int rc = same ? 0 : hu_mkdirs_for(target);
    if (rc == 0 && !same) {
        struct stat st;
        mode_t mode = stat(target, &st) == 0 ? st.st_mode & 07777 : 0666;
        rc = write_new(temporary, data, len, mode, durable);
    }
    if (same || rc < 0) {
        if (same)
            unlink(temporary);
        free(temporary);
        free(target);
        return rc;
    }
    hu_paths_add(&change->temporary, temporary);
    hu_paths_add(&change->targets, target);
    return 0;
}

int hu_change_commit(hu_change *change)
{
    int rc = 0;
    for (size_t i = 0; i < change->targets.count && rc == 0; i++)
        if (rename(change->temporary.list[i], change->targets.list[i]) < 0)
            rc = -errno;
    hu_change_abort(change); /* those renamed are not there any more */
    return rc;
}

void hu_change_abort(hu_change *change)
{
    for (size_t i = 0; i < change->temporary.count; i++)
        unlink(change->temporary.list[i]);
    hu_paths_free(&change->temporary);
    hu_paths_free(&change->targets);
}

int hu_file_write(const char *path, const void *data, size_t len)
{
    hu_change change = { 0 };
    int rc = hu_change_add(&change, path, data, len, false);
    return rc < 0 ? rc : hu_change_commit(&change);
}

/* ---- a directory ---- */

int hu_stage_open(hu_stage *stage, const char *dir)
{
    const char *slash = strrchr(dir, '/');
    size_t parent = slash ? (size_t)(slash - dir) + 1 : 0;
    stage->dir = hu_strdup(dir);
    /* One fixed name: what a killed run left there goes now. The lock of the project keeps two runs
     * apart. */
    stage->staging = hu_format("%.*s.%s.new", (int)parent, dir, dir + parent);
    int rc = hu_tree_remove(stage->staging);
    if (rc == 0)
        rc = hu_mkdirs(stage->staging);
    if (rc < 0)
        hu_stage_abort(stage);
    return rc;
}

int hu_stage_add(const hu_stage *stage, const char *path, const void *data, size_t len)
{
    char *new_path = hu_format("%s/%s", stage->staging, path);
    char *old_path = hu_format("%s/%s", stage->dir, path);
    int rc = hu_mkdirs_for(new_path);
    if (rc == 0 && !(has_content(old_path, data, len) && link(old_path, new_path) == 0))
        rc = write_new(new_path, data, len, 0666, false);
    free(new_path);
    free(old_path);
    return rc;
}

/* For file systems that cannot exchange: the old directory is out of the way for a moment. */
static int exchange_by_hand(const hu_stage *stage)
{
    char *aside = hu_format("%s.old", stage->staging);
    int rc = hu_tree_remove(aside);
    if (rc == 0 && rename(stage->dir, aside) < 0)
        rc = -errno;
    if (rc == 0 && rename(stage->staging, stage->dir) < 0) {
        rc = -errno;
        if (rename(aside, stage->dir) < 0)
            rc = -errno;
    }
    if (rc == 0)
        rc = rename(aside, stage->staging) < 0 ? -errno : 0;
    free(aside);
    return rc;
}

int hu_stage_commit(hu_stage *stage)
{
    int rc = 0;
    if (renameat2(AT_FDCWD, stage->staging, AT_FDCWD, stage->dir, RENAME_EXCHANGE) < 0)
        rc = -errno;
    if (rc == -ENOENT)
        rc = rename(stage->staging, stage->dir) < 0 ? -errno : 0;
    else if (rc == -EINVAL || rc == -ENOSYS)
        rc = exchange_by_hand(stage);
    hu_stage_abort(
        stage); /* what is under the staging name now is the old one, or the failed new */
    return rc;
}

void hu_stage_abort(hu_stage *stage)
{
    if (stage->staging)
        (void)hu_tree_remove(stage->staging);
    free(stage->staging);
    free(stage->dir);
    *stage = (hu_stage){ 0 };
}
