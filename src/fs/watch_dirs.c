/* SPDX-License-Identifier: MIT */
/* What a watcher watches: a table from the kernel's numbers to paths, and the directories that are
 * still to be watched.
 *
 * A directory is watched before it is read: what is made in it meanwhile may be told twice, which the
 * merging of changes takes care of, but is not missed. */
#include "fs/watch.h"

#include "fs/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE |            \
     IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

char *edo__watch_path(const char *dir, const char *name)
{
    size_t dir_len = strlen(dir), name_len = name != NULL ? strlen(name) : 0;
    bool slash = name != NULL && (dir_len == 0 || dir[dir_len - 1] != '/');
    char *path = malloc(dir_len + slash + name_len + 1);
    if (path == NULL)
        return NULL;
    memcpy(path, dir, dir_len);
    if (slash)
        path[dir_len] = '/';
    if (name_len > 0)
        memcpy(path + dir_len + slash, name, name_len);
    path[dir_len + slash + name_len] = '\0';
    return path;
}

static edo__watched **bucket(const edo_fs_watcher *w, int wd)
{
    return &w->table[(size_t)wd & (w->table_size - 1)];
}

edo__watched *edo__watched_find(const edo_fs_watcher *w, int wd)
{
    if (w->table_size == 0)
        return NULL;
    edo__watched *at = *bucket(w, wd);
    while (at != NULL && at->wd != wd)
        at = at->next;
    return at;
}

static int grow(edo_fs_watcher *w)
{
    size_t size = w->table_size > 0 ? w->table_size * 2 : 64;
    edo__watched **old = w->table, **table = calloc(size, sizeof(edo__watched *));
    size_t old_size = w->table_size;
    if (table == NULL)
        return -ENOMEM;
    w->table = table;
    w->table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (edo__watched *at = old[i], *next; at != NULL; at = next) {
            next = at->next;
            edo__watched **b = bucket(w, at->wd);
            at->next = *b;
            *b = at;
        }
    }
    free(old);
    return 0;
}

/* path: owned by the table from now on, or freed. */
static int remember(edo_fs_watcher *w, int wd, char *path, bool root)
{
    edo__watched *known = edo__watched_find(w, wd);
    if (known != NULL) { /* the same file by this name, or another name of it */
        if (known->root && !root) {
            free(path);
            return 0;
        }
        free(known->path);
        known->path = path;
        known->root = root;
        return 0;
    }
    edo__watched *made = malloc(sizeof *made);
    int rc = made == NULL ? -ENOMEM : w->table_n >= w->table_size ? grow(w) : 0;
    if (rc < 0) {
        free(made);
        free(path);
        return rc;
    }
    edo__watched **b = bucket(w, wd);
    *made = (edo__watched){ .next = *b, .wd = wd, .root = root, .path = path };
    *b = made;
    w->table_n++;
    return 0;
}

static void drop(edo_fs_watcher *w, edo__watched **at)
{
    edo__watched *gone = *at;
    *at = gone->next;
    free(gone->path);
    free(gone);
    w->table_n--;
}

void edo__watched_drop(edo_fs_watcher *w, int wd)
{
    if (w->table_size == 0)
        return;
    edo__watched **at = bucket(w, wd);
    while (*at != NULL && (*at)->wd != wd)
        at = &(*at)->next;
    if (*at != NULL)
        drop(w, at);
}

/* Behind `prefix`, if path is that or below it; else NULL. */
static const char *below(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(path, prefix, n) != 0 || (path[n] != '\0' && path[n] != '/'))
        return NULL;
    return path + n;
}

static char *renamed(const char *to, const char *rest)
{
    char *path = malloc(strlen(to) + strlen(rest) + 1);
    return path == NULL ? NULL : strcat(strcpy(path, to), rest);
}

void edo__watched_moved(edo_fs_watcher *w, const char *from, const char *to)
{
    for (size_t i = 0; i < w->table_size; i++) {
        for (edo__watched **at = &w->table[i]; *at != NULL;) {
            edo__watched *d = *at;
            const char *rest = d->root ? NULL : below(d->path, from);
            char *path = rest != NULL && to != NULL ? renamed(to, rest) : NULL;
            if (rest == NULL) {
                at = &d->next;
            } else if (path != NULL) {
                free(d->path);
                d->path = path;
                at = &d->next;
            } else {
                (void)inotify_rm_watch(w->fd, d->wd);
                drop(w, at);
                if (to != NULL) /* no memory for its new name */
                    edo__watch_overflow(w);
            }
        }
    }
}

void edo__watched_free(edo_fs_watcher *w)
{
    for (size_t i = 0; i < w->table_size; i++)
        while (w->table[i] != NULL)
            drop(w, &w->table[i]);
    free(w->table);
    for (edo__watch_todo *t = w->todo, *next; t != NULL; t = next) {
        next = t->next;
        free(t);
    }
}

int edo__watch_add_todo(edo_fs_watcher *w, const char *dir, const char *name, bool root, bool tells)
{
    size_t dir_len = strlen(dir), name_len = name != NULL ? strlen(name) + 1 : 0;
    edo__watch_todo *t = malloc(sizeof *t + dir_len + name_len + 1);
    if (t == NULL)
        return -ENOMEM;
    *t = (edo__watch_todo){ .next = w->todo, .root = root, .tells = tells };
    memcpy(t->path, dir, dir_len + 1);
    if (name != NULL) {
        size_t at = dir_len > 0 && dir[dir_len - 1] == '/' ? dir_len : dir_len + 1;
        t->path[at - 1] = '/';
        memcpy(t->path + at, name, name_len);
    }
    w->todo = t;
    return 0;
}

static bool is_dir(int fd, const edo__entry *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int take_entries(edo_fs_watcher *w, const edo__watch_todo *t, int fd, size_t len)
{
    const edo__entry *e;
    for (size_t at = 0; (e = edo__entry_next(w->buf, len, &at)) != NULL;) {
        bool dir = is_dir(fd, e);
        if (t->tells) {
            char *path = edo__watch_path(t->path, e->d_name);
            if (path == NULL)
                return -ENOMEM;
            edo__watch_change(w, path, EDO_FS_CREATED, dir, NULL);
            free(path);
        }
        int rc = dir ? edo__watch_add_todo(w, t->path, e->d_name, false, t->tells) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_dir(edo_fs_watcher *w, const edo__watch_todo *t)
{
    int fd = edo__sys_open(t->path, O_RDONLY | O_DIRECTORY | (t->root ? 0 : O_NOFOLLOW), 0);
    if (fd < 0)
        return t->root && fd != -ENOTDIR ? fd : 0; /* gone; or a root that is a file */
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = edo__sys_entries(fd, w->buf, sizeof w->buf)) > 0)
        rc = take_entries(w, t, fd, (size_t)n);
    edo__sys_close(fd);
    return rc;
}

static int scan(edo_fs_watcher *w, const edo__watch_todo *t)
{
    uint32_t events = EVENTS | (t->root ? 0 : IN_ONLYDIR | IN_DONT_FOLLOW);
    int wd = inotify_add_watch(w->fd, t->path, events);
    if (wd < 0)
        return t->root || errno == ENOSPC || errno == ENOMEM ? -errno : 0; /* gone */
    char *path = strdup(t->path);
    int rc = path != NULL ? remember(w, wd, path, t->root) : -ENOMEM;
    return rc == 0 && w->options.recursive ? read_dir(w, t) : rc;
}

int edo__watch_scan(void *watcher)
{
    edo_fs_watcher *w = watcher;
    edo__watch_todo *t = w->todo;
    w->todo = t->next;
    int rc = scan(w, t);
    free(t);
    return rc;
}
