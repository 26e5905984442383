/* SPDX-License-Identifier: MIT */
/* Reading, listing, hashing, removing; see files.h. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_fd(int fd, size_t max, hu_buf *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    size_t start = out->len;
    hu_buf_reserve(out, st.st_size > 0 && (size_t)st.st_size <= max ? (size_t)st.st_size : 4096);
    for (;;) {
        if (out->cap - out->len < 2)
            hu_buf_reserve(out, 64 * 1024);
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        out->len += (size_t)n;
        if (out->len - start > max)
            return -EFBIG;
    }
    out->data[out->len] = 0;
    return 0;
}

int hu_file_read(const char *path, size_t max, hu_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = read_fd(fd, max, out);
    close(fd);
    return rc;
}

bool hu_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool hu_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool hu_dir_has_entries(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir));)
        found = !is_dots(entry->d_name);
    closedir(dir);
    return found;
}

int hu_mkdirs(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST)
        return hu_dir_exists(path) ? 0 : -ENOTDIR;
    if (errno != ENOENT)
        return -errno;
    char *copy = hu_strdup(path);
    int rc = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && rc == 0; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            rc = -errno;
        *slash = '/';
    }
    if (rc == 0 && mkdir(copy, 0777) < 0 && errno != EEXIST)
        rc = -errno;
    free(copy);
    return rc;
}

int hu_mkdirs_for(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *dir = hu_strndup(path, (size_t)(slash - path));
    int rc = hu_mkdirs(dir);
    free(dir);
    return rc;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int hu_tree_remove(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        return unlink(path) < 0 ? -errno : 0;
    int rc = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return rc == -1 ? -errno : rc;
}

/* ---- lists ---- */

void hu_paths_add(hu_paths *paths, char *path)
{
    if (paths->count == paths->cap) {
        paths->cap = paths->cap ? paths->cap * 2 : 32;
        paths->list = hu_realloc(paths->list, paths->cap * sizeof *paths->list);
    }
    paths->list[paths->count++] = path;
}

void hu_paths_free(hu_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->list[i]);
    free(paths->list);
    *paths = (hu_paths){ 0 };
}

static bool has_suffix(const char *name, const char *const *suffixes)
{
    if (!suffixes)
        return true;
    for (; *suffixes; suffixes++)
        if (hu_str_ends(hu_str_of(name), *suffixes))
            return true;
    return false;
}

/* Lists one directory: files into `out`, directories into `dirs` (NULL: not wanted). */
static int list_dir(const char *root, const char *sub, const char *const *suffixes, hu_paths *out,
                    hu_paths *dirs)
{
    char *full = *sub ? hu_format("%s/%s", root, sub) : hu_strdup(root);
    DIR *dir = opendir(full);
    int rc = dir ? 0 : -errno;
    free(full);
    if (!dir)
        return rc;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (is_dots(entry->d_name))
            continue;
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
            continue; /* gone again, or a dangling link */
        char *path = *sub ? hu_format("%s/%s", sub, entry->d_name) : hu_strdup(entry->d_name);
        if (S_ISREG(st.st_mode) && has_suffix(path, suffixes))
            hu_paths_add(out, path);
        else if (S_ISDIR(st.st_mode) && dirs)
            hu_paths_add(dirs, path);
        else
            free(path);
    }
    closedir(dir);
    return 0;
}

static int path_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Links may make a tree endless. */
enum { TREE_DIRS_MAX = 100000 };

int hu_tree_list(const char *dir, bool deep, const char *const *suffixes, hu_paths *out)
{
    hu_paths dirs = { 0 };
    int rc = list_dir(dir, "", suffixes, out, deep ? &dirs : NULL);
    for (size_t i = 0; i < dirs.count && rc == 0; i++) {
        /* -ELOOP ends a chain of links; more directories than this are a mistake. */
        rc = i < TREE_DIRS_MAX ? list_dir(dir, dirs.list[i], suffixes, out, &dirs) : -ELOOP;
    }
    hu_paths_free(&dirs);
    if (out->count)
        qsort(out->list, out->count, sizeof *out->list, path_order);
    return rc;
}

/* ---- hashes ---- */

enum { HASHED_FILE_MAX = 256 * 1024 * 1024 };

static int hash_file(const char *path, uint64_t *h)
{
    hu_buf text = { 0 };
    int rc = hu_file_read(path, HASHED_FILE_MAX, &text);
    if (rc == 0)
        *h = hu_djb2(*h, text.data, text.len);
    hu_buf_free(&text);
    return rc;
}

static int hash_tree(const char *dir, uint64_t *h)
{
    hu_paths paths = { 0 };
    int rc = hu_tree_list(dir, true, NULL, &paths);
    for (size_t i = 0; i < paths.count && rc == 0; i++) {
        *h = hu_djb2(*h, paths.list[i], strlen(paths.list[i]));
        char *full = hu_format("%s/%s", dir, paths.list[i]);
        rc = hash_file(full, h);
        free(full);
    }
    hu_paths_free(&paths);
    return rc;
}

void hu_content_hash(const char *path, char out[HU_HASH_TEXT])
{
    uint64_t h = HU_DJB2_SEED;
    int rc = hu_dir_exists(path) ? hash_tree(path, &h) : hash_file(path, &h);
    out[0] = 0;
    if (rc == 0)
        snprintf(out, HU_HASH_TEXT, "%016llx", (unsigned long long)h);
}
