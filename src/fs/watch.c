/* SPDX-License-Identifier: MIT */
/* Watching files: inotify's records become changes, at most one for a path at a time.
 *
 * A change waits for `settle` after the first of it happened, and takes in what else happens to
 * that path meanwhile. The two halves of a move come one behind the other; the first one alone
 * means that it went where nobody watches. New directories are watched by a job before the next
 * change is told. When records were lost, by the kernel or because nobody asked for too long, that
 * is told instead of what would be only a part. */
#include "fs/watch.h"

#include <edo/time.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CHANGES_MAX 16384u
#define HASH_SIZE 1024u
#define READS_MAX 16 /* before changes are told: somebody may write all the time */

/* ---- changes ---- */

static edo__change **hash_of(const edo_fs_watcher *w, const char *path)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *path != '\0'; path++)
        h = (h ^ (unsigned char)*path) * 16777619u;
    return &w->hash[h & (HASH_SIZE - 1)];
}

static edo__change *find_change(const edo_fs_watcher *w, const char *path)
{
    edo__change *c = *hash_of(w, path);
    while (c != NULL && strcmp(c->path, path) != 0)
        c = c->hash_next;
    return c;
}

static void free_change(edo__change *c)
{
    if (c != NULL)
        free(c->from);
    free(c);
}

static edo__change *take_first(edo_fs_watcher *w)
{
    edo__change *c = w->first;
    w->first = c->next;
    w->n_changes--;
    edo__change **at = hash_of(w, c->path);
    while (*at != c)
        at = &(*at)->hash_next;
    *at = c->hash_next;
    return c;
}

static void forget_changes(edo_fs_watcher *w)
{
    while (w->first != NULL)
        free_change(take_first(w));
}

static edo__change *new_change(edo_fs_watcher *w, const char *path)
{
    size_t n = strlen(path) + 1;
    edo__change *c = malloc(sizeof *c + n);
    if (c == NULL)
        return NULL;
    edo__change **bucket = hash_of(w, path);
    *c = (edo__change){ .hash_next = *bucket, .since = w->now };
    memcpy(c->path, path, n);
    *bucket = c;
    if (w->first == NULL)
        w->first = c;
    else
        w->last->next = c;
    w->last = c;
    w->n_changes++;
    return c;
}

void edo__watch_overflow(edo_fs_watcher *w)
{
    forget_changes(w);
    edo__change *c = new_change(w, "");
    if (c != NULL)
        c->what = EDO_FS_OVERFLOW;
    else
        w->code = -ENOMEM;
    /* What was made meanwhile is to be watched as well. */
    for (size_t i = 0; w->options.recursive && i < w->table_size; i++)
        for (const edo__watched *d = w->table[i]; d != NULL; d = d->next)
            if (d->root && edo__watch_add_todo(w, d->path, NULL, true, false) < 0)
                w->code = -ENOMEM;
}

void edo__watch_change(edo_fs_watcher *w, const char *path, unsigned what, bool dir,
                       const char *from)
{
    if (w->first != NULL && (w->first->what & EDO_FS_OVERFLOW) != 0)
        return; /* the caller will look at everything */
    edo__change *c = find_change(w, path);
    if (c == NULL && w->n_changes >= CHANGES_MAX) {
        edo__watch_overflow(w);
        return;
    }
    char *origin = from != NULL ? strdup(from) : NULL;
    if (c == NULL)
        c = new_change(w, path);
    if (c == NULL || (from != NULL && origin == NULL)) {
        free(origin);
        w->code = -ENOMEM;
        return;
    }
    c->what |= what;
    c->dir = dir;
    if (origin != NULL) {
        free(c->from);
        c->from = origin;
    }
}

/* ---- records ---- */

/* The first half of a move stays alone. */
static void moved_away(edo_fs_watcher *w)
{
    if (w->cookie == 0)
        return;
    w->cookie = 0;
    if (w->moved_dir)
        edo__watched_moved(w, w->moved_from, NULL);
    edo__watch_change(w, w->moved_from, EDO_FS_REMOVED, w->moved_dir, NULL);
    free(w->moved_from);
    w->moved_from = NULL;
}

static void new_dir(edo_fs_watcher *w, const char *path)
{
    if (w->options.recursive && edo__watch_add_todo(w, path, NULL, false, true) < 0)
        w->code = -ENOMEM;
}

static void moved_here(edo_fs_watcher *w, const struct inotify_event *e, const char *path, bool dir)
{
    if (w->cookie == 0 || w->cookie != e->cookie) {
        edo__watch_change(w, path, EDO_FS_CREATED, dir, NULL);
        if (dir)
            new_dir(w, path);
        return;
    }
    if (dir)
        edo__watched_moved(w, w->moved_from, path);
    edo__watch_change(w, path, EDO_FS_RENAMED, dir, w->moved_from);
    w->cookie = 0;
    free(w->moved_from);
    w->moved_from = NULL;
}

/* path: owned by this. */
static void in_dir(edo_fs_watcher *w, const struct inotify_event *e, char *path)
{
    bool dir = (e->mask & IN_ISDIR) != 0;
    if ((e->mask & IN_MOVED_TO) != 0)
        moved_here(w, e, path, dir);
    moved_away(w); /* another one, which stays alone */
    if ((e->mask & IN_MOVED_FROM) != 0) {
        w->cookie = e->cookie;
        w->moved_dir = dir;
        w->moved_from = path;
        return;
    }
    unsigned what = ((e->mask & IN_CREATE) != 0 ? EDO_FS_CREATED : 0u) |
                    ((e->mask & IN_DELETE) != 0 ? EDO_FS_REMOVED : 0u) |
                    ((e->mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0 ? EDO_FS_WRITTEN : 0u) |
                    ((e->mask & IN_ATTRIB) != 0 ? EDO_FS_CHANGED : 0u);
    if (what != 0)
        edo__watch_change(w, path, what, dir, NULL);
    if ((e->mask & IN_CREATE) != 0 && dir)
        new_dir(w, path);
    free(path);
}

/* Of a watched file or directory itself; one below another one is told of there. */
static void itself(edo_fs_watcher *w, const struct inotify_event *e, const edo__watched *d)
{
    bool dir = (e->mask & IN_ISDIR) != 0;
    if (!d->root)
        return;
    if ((e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0)
        edo__watch_change(w, d->path, EDO_FS_GONE, dir, NULL);
    if ((e->mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0)
        edo__watch_change(w, d->path, EDO_FS_WRITTEN, dir, NULL);
    if ((e->mask & IN_ATTRIB) != 0)
        edo__watch_change(w, d->path, EDO_FS_CHANGED, dir, NULL);
    if ((e->mask & IN_MOVE_SELF) != 0) { /* nobody knows what it is called now */
        (void)inotify_rm_watch(w->fd, e->wd);
        edo__watched_drop(w, e->wd);
    }
}

static void take_record(edo_fs_watcher *w, const struct inotify_event *e)
{
    if ((e->mask & IN_Q_OVERFLOW) != 0) {
        edo__watch_overflow(w);
        return;
    }
    if ((e->mask & IN_MOVED_TO) == 0)
        moved_away(w); /* may take watches away */
    edo__watched *d = edo__watched_find(w, e->wd);
    if (d == NULL)
        return;
    if ((e->mask & IN_IGNORED) != 0) {
        edo__watched_drop(w, e->wd);
        return;
    }
    if (e->len == 0) {
        itself(w, e, d);
        return;
    }
    char *path = edo__watch_path(d->path, e->name);
    if (path != NULL)
        in_dir(w, e, path);
    else
        edo__watch_overflow(w);
}

/* Takes what there is. 0, or a code. */
EDO__NOINLINE static int take_records(edo_fs_watcher *w)
{
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(w->fd, w->buf, sizeof w->buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n <= 0)
            break;
        for (const char *at = w->buf; at < w->buf + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            take_record(w, e);
            at += sizeof *e + e->len;
        }
    }
    moved_away(w);
    return 0;
}

/* ---- calls ---- */

static int scan_all(edo_fs_watcher *w)
{
    int rc = 0;
    while (rc == 0 && w->todo != NULL)
        rc = edo__fs_job(edo__watch_scan, w, NULL);
    return rc;
}

EDO__NOINLINE static int new_fd(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int edo_fs_watch(edo_fs_watcher **out, const char *path, const edo_fs_watch_options *options)
{
    edo_fs_watcher *w = malloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    memset(w, 0, offsetof(edo_fs_watcher, buf));
    w->hash = calloc(HASH_SIZE, sizeof(edo__change *));
    if (options != NULL)
        w->options = *options;
    int rc = w->fd = w->hash != NULL ? new_fd() : -ENOMEM;
    if (rc >= 0)
        rc = edo_fs_watch_add(w, path);
    if (rc < 0) {
        edo_fs_watch_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

int edo_fs_watch_add(edo_fs_watcher *w, const char *path)
{
    int rc = scan_all(w); /* what was found before comes first */
    if (rc == 0)
        rc = edo__watch_add_todo(w, path, NULL, true, false);
    if (rc == 0)
        rc = scan_all(w);
    if (rc == -ECANCELED && w->todo != NULL && w->todo->root && strcmp(w->todo->path, path) == 0) {
        edo__watch_todo *t = w->todo;
        w->todo = t->next;
        free(t);
    }
    return rc;
}

int edo_fs_watch_remove(edo_fs_watcher *w, const char *path)
{
    for (size_t i = 0; i < w->table_size; i++) {
        for (edo__watched *d = w->table[i]; d != NULL; d = d->next) {
            if (!d->root || strcmp(d->path, path) != 0)
                continue;
            (void)inotify_rm_watch(w->fd, d->wd);
            edo__watched_drop(w, d->wd);
            edo__watched_moved(w, path, NULL); /* those in it */
            return 0;
        }
    }
    return -ENOENT;
}

/* Until there is a record, or the first change has settled. */
static int wait_for_more(edo_fs_watcher *w, int64_t left)
{
    edo_scope s;
    edo_scope_open(&s, left);
    int rc = edo_scope_close(&s, edo_wait_fd(w->fd, EDO_READABLE));
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int next_change(edo_fs_watcher *w)
{
    for (;;) {
        w->now = edo_now();
        int rc = take_records(w);
        if (rc == 0)
            rc = scan_all(w);
        if (rc == 0) {
            rc = w->code;
            w->code = 0;
        }
        if (rc < 0)
            return rc;
        int64_t left = EDO_FOREVER;
        if (w->first != NULL)
            left = w->first->since + w->options.settle - edo_now();
        if (left <= 0)
            return 0;
        rc = wait_for_more(w, left);
        if (rc < 0)
            return rc;
    }
}

int edo_fs_watch_next(edo_fs_watcher *w, edo_fs_event *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc == 0)
        rc = next_change(w);
    if (rc < 0)
        return rc;
    free_change(w->told);
    edo__change *c = w->told = take_first(w);
    *out = (edo_fs_event){ .what = c->what, .path = c->path, .from = c->from, .dir = c->dir };
    edo__coop(self);
    return 1;
}

int edo_fs_watch_fd(const edo_fs_watcher *w)
{
    return w->fd;
}

void edo_fs_watch_close(edo_fs_watcher *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        edo__sys_close(w->fd);
    edo__watched_free(w);
    if (w->hash != NULL)
        forget_changes(w);
    free(w->hash);
    free_change(w->told);
    free(w->moved_from);
    free(w);
}
