/* SPDX-License-Identifier: MIT */
/* Walking a tree: the calling task reports what the jobs have read, and puts the directories among it on
 * the list of those to be read. See walk.h. */
#include "fs/walk.h"

#include "core/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_DEFAULT 4u

/* ---- directories ---- */

/* name NULL: the root, whose path is in w->text. */
edo__walk_dir *edo__walk_dir_new(edo__walk *w, edo__walk_dir *parent, const char *name)
{
    const char *base = parent != NULL ? parent->path : w->text;
    size_t base_len = parent != NULL ? parent->path_len : strlen(w->text);
    size_t name_len = name != NULL ? strlen(name) : 0;
    bool slash = name != NULL && (base_len == 0 || base[base_len - 1] != '/');
    edo__walk_dir *d = malloc(sizeof *d + base_len + slash + name_len + 1);
    if (d == NULL)
        return NULL;
    *d = (edo__walk_dir){ .parent = parent,
                          .refs = 1,
                          .depth = parent != NULL ? parent->depth + 1 : 0,
                          .fd = -1,
                          .path_len = base_len + slash + name_len };
    memcpy(d->path, base, base_len);
    d->path[base_len] = '/';
    if (name_len > 0)
        memcpy(d->path + base_len + slash, name, name_len);
    d->path[d->path_len] = '\0';
    if (parent != NULL)
        parent->refs++;
    return d;
}

static void free_batch(edo__walk_batch *b)
{
    free(b->infos);
    free(b);
}

static void free_read(edo__walk_dir *d)
{
    for (edo__walk_batch *b = d->first, *next; b != NULL; b = next) {
        next = b->next;
        free_batch(b);
    }
    d->first = d->end = NULL;
    if (d->fd >= 0)
        edo__sys_close(d->fd);
    d->fd = -1;
}

/* One that is in it, or it itself, has been reported. What becomes complete by that is reported, if
 * that is wanted, and freed. */
static int release(edo__walk *w, edo__walk_dir *d, bool reports)
{
    int rc = 0;
    while (d != NULL && --d->refs == 0) {
        edo__walk_dir *parent = d->parent;
        if (rc == 0 && reports && w->options.after)
            rc = edo__walk_report_dir(w, d, 0);
        free_read(d);
        free(d);
        d = parent;
    }
    return rc;
}

void edo__walk_let_go(edo__walk *w, edo__walk_dir *d)
{
    free_read(d);
    (void)release(w, d, false);
}

void edo__walk_add(edo__walk *w, edo__walk_dir *d)
{
    edo__spin_lock(&w->lock);
    d->next = w->todo;
    w->todo = d;
    edo__spin_unlock(&w->lock);
}

/* ---- jobs ---- */

static void job_run(edo__job *job)
{
    edo__walk_job *j = (edo__walk_job *)job;
    edo__walk *w = j->walk;
    edo__walk_read(w);
    edo__task *task = w->self;
    uint32_t was = EDO__WORD_IDLE;
    edo__spin_lock(&w->lock);
    j->running = false;
    w->n_running--;
    if (w->asleep) {
        w->asleep = false;
        was = edo__claim(task, EDO__WAKE_OK);
    }
    edo__spin_unlock(
        &w->lock); /* w is gone once the task runs, and it passes through the lock first */
    edo__claimed(task, was);
}

/* Under the lock, which is let go meanwhile. -EAGAIN: no thread is to be had. */
static int start_job(edo__walk *w)
{
    edo__walk_job *j = w->jobs;
    while (j->running)
        j++;
    *j = (edo__walk_job){ .job = { .run = job_run, .cls = EDO__JOB_FS },
                          .walk = w,
                          .running = true };
    w->n_running++;
    edo__spin_unlock(&w->lock);
    int rc = edo__pool_submit(w->self->rt->pool, &j->job);
    edo__spin_lock(&w->lock);
    if (rc < 0) {
        j->running = false;
        w->n_running--;
    }
    return rc;
}

static bool needs_job(const edo__walk *w)
{
    return w->todo != NULL && w->n_running < w->options.concurrency &&
           w->n_ready < EDO__WALK_READY_MAX && w->code == 0;
}

static int start_jobs(edo__walk *w)
{
    while (needs_job(w)) {
        if (edo__is_foreign(w->self)) {
            edo__spin_unlock(&w->lock);
            edo__walk_read(w);
            edo__spin_lock(&w->lock);
            return 0;
        }
        int rc = start_job(w);
        if (rc < 0)
            return w->n_running > 0 ? 0 : rc; /* the others will do it */
    }
    return 0;
}

int edo__walk_wait(edo__walk *w)
{
    int rc = start_jobs(w);
    if (rc == 0)
        rc = w->code;
    if (rc < 0) {
        edo__spin_unlock(&w->lock);
        return rc;
    }
    if (w->ready != NULL || w->n_running == 0 || edo__is_foreign(w->self))
        return 0;
    if (!edo__wait_begin(w->self, true)) {
        edo__spin_unlock(&w->lock);
        return -ECANCELED;
    }
    w->asleep = true;
    edo__spin_unlock(&w->lock);
    uint32_t code = edo__wait_commit(w->self, &w->lock, EDO__WHY_BLOCKING, NULL);
    edo__spin_lock(&w->lock);
    w->asleep = false;
    if (code == EDO__WAKE_OK)
        return 0;
    edo__spin_unlock(&w->lock);
    return -ECANCELED;
}

/* Nobody reads any more when it returns. */
void edo__walk_stop(edo__walk *w)
{
    edo__astore(&w->stop, 1u, EDO__RLX); /* a hint, seen under the lock at the latest */
    for (size_t i = 0; i < EDO__WALK_JOBS_MAX; i++) {
        edo__walk_job *j = &w->jobs[i];
        edo__spin_lock(&w->lock);
        bool running = j->running;
        edo__spin_unlock(&w->lock);
        if (running && edo__pool_cancel(w->self->rt->pool, &j->job)) {
            edo__spin_lock(&w->lock);
            j->running = false;
            w->n_running--;
            edo__spin_unlock(&w->lock);
        }
    }
    edo__spin_lock(&w->lock);
    while (w->n_running > 0) {
        (void)edo__wait_begin(w->self, false);
        w->asleep = true;
        edo__spin_unlock(&w->lock);
        (void)edo__wait_commit(w->self, &w->lock, EDO__WHY_BLOCKING, NULL);
        edo__spin_lock(&w->lock);
    }
    edo__spin_unlock(&w->lock);
}

/* ---- reporting ---- */

static int path_of(edo__walk *w, const edo__walk_dir *d, const char *name)
{
    size_t name_len = strlen(name), needed = d->path_len + name_len + 2;
    if (needed > w->text_max) {
        char *more = realloc(w->text, needed * 2);
        if (more == NULL)
            return -ENOMEM;
        w->text = more;
        w->text_max = needed * 2;
    }
    memcpy(w->text, d->path, d->path_len);
    size_t at = d->path_len;
    if (at == 0 || w->text[at - 1] != '/')
        w->text[at++] = '/';
    memcpy(w->text + at, name, name_len + 1);
    return (int)at;
}

int edo__walk_report(edo__walk *w, const edo__walk_dir *d, const char *name, edo_fs_type type,
                     const edo_fs_info *info)
{
    int at = path_of(w, d, name);
    if (at < 0)
        return at;
    if (info != NULL && info->links == UINT64_MAX)
        info = NULL;
    const edo_walk_entry e = {
        .path = w->text, .name = w->text + at, .depth = d->depth + 1, .type = type, .info = info
    };
    return w->fn(&e, w->arg);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

int edo__walk_report_dir(edo__walk *w, const edo__walk_dir *d, int code)
{
    if (code == -ENOMEM)
        return code; /* ours, not the directory's */
    const edo_walk_entry e = { .path = d->path,
                               .name = last_part(d->path),
                               .depth = d->depth,
                               .type = EDO_FS_DIR,
                               .code = code,
                               .after = code == 0 };
    int rc = w->fn(&e, w->arg);
    return rc == EDO_WALK_SKIP ? 0 : rc;
}

bool edo__walk_enters(const edo__walk *w, const edo__walk_dir *d, edo_fs_type type)
{
    return type == EDO_FS_DIR && (w->options.depth_max == 0 || d->depth + 1 < w->options.depth_max);
}

static int report_batch(edo__walk *w, edo__walk_batch *b)
{
    const edo__entry *e;
    size_t n = 0;
    int rc = b->code < 0 ? edo__walk_report_dir(w, b->dir, b->code) : 0;
    for (size_t at = 0; rc == 0 && (e = edo__entry_next(b->buf, b->len, &at)) != NULL; n++) {
        edo_fs_type type = edo__fs_type_of_entry(e->d_type);
        const edo_fs_info *info = b->infos != NULL ? &b->infos[n] : NULL;
        rc = edo__walk_report(w, b->dir, e->d_name, type, info);
        if (rc == EDO_WALK_SKIP) {
            rc = 0;
        } else if (rc == 0 && edo__walk_enters(w, b->dir, type)) {
            edo__walk_dir *d = edo__walk_dir_new(w, b->dir, e->d_name);
            if (d == NULL)
                return -ENOMEM;
            edo__walk_add(w, d);
        }
    }
    return rc;
}

/* As it comes. */
static int report_all(edo__walk *w)
{
    for (;;) {
        int rc = edo__checkpoint(w->self);
        if (rc < 0)
            return rc;
        edo__spin_lock(&w->lock);
        rc = edo__walk_wait(w);
        if (rc < 0)
            return rc;
        edo__walk_batch *b = w->ready;
        if (b == NULL && w->n_running == 0 && w->todo == NULL) {
            edo__spin_unlock(&w->lock);
            return 0;
        }
        if (b != NULL) {
            w->ready = b->next;
            w->n_ready--;
        }
        edo__spin_unlock(&w->lock);
        if (b == NULL)
            continue;
        size_t len = b->len;
        rc = report_batch(w, b);
        edo__walk_dir *d = b->dir;
        bool last = b->last;
        free_batch(b);
        int released = last ? release(w, d, rc == 0) : 0;
        if (rc != 0 || released != 0)
            return rc != 0 ? rc : released;
        edo__fs_spend(w->self, 1, len);
    }
}

/* What is left of a walk that was stopped: every directory on the list and in the queue lets those
 * around it go. */
static void drop(edo__walk *w)
{
    for (edo__walk_batch *b = w->ready, *next; b != NULL; b = next) {
        next = b->next;
        if (b->last)
            (void)release(w, b->dir, false);
        free_batch(b);
    }
    for (edo__walk_dir *d = w->todo, *next; d != NULL; d = next) {
        next = d->next;
        (void)release(w, d, false);
    }
}

/* ---- the call ---- */

/* 0: it is a directory to be walked. 1: that was all. */
static int report_root(edo__walk *w, const char *path)
{
    edo_fs_info info;
    int rc = w->options.follow ? edo_fs_stat(path, &info) : edo_fs_lstat(path, &info);
    if (rc < 0)
        return rc;
    w->text = strdup(path);
    if (w->text == NULL)
        return -ENOMEM;
    w->text_max = strlen(path) + 1;
    const edo_walk_entry e = { .path = path,
                               .name = last_part(path),
                               .type = info.type,
                               .info = w->options.stat ? &info : NULL };
    rc = w->fn(&e, w->arg);
    if (rc == 0 && info.type != EDO_FS_DIR)
        rc = EDO_WALK_SKIP;
    return rc;
}

static int walk(edo__walk *w, const char *path)
{
    int rc = report_root(w, path);
    if (rc != 0)
        return rc;
    edo__walk_dir *root = edo__walk_dir_new(w, NULL, NULL);
    if (root == NULL)
        return -ENOMEM;
    edo__walk_add(w, root);
    rc = w->options.sorted ? edo__walk_sorted(w, root) : report_all(w);
    edo__walk_stop(w);
    if (!w->options.sorted)
        drop(w);
    return rc;
}

int edo_fs_walk(const char *path, const edo_walk_options *options, edo_walk_fn *fn, void *arg)
{
    edo__walk *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    if (options != NULL)
        w->options = *options;
    if (w->options.concurrency == 0)
        w->options.concurrency = JOBS_DEFAULT;
    if (w->options.concurrency > EDO__WALK_JOBS_MAX)
        w->options.concurrency = EDO__WALK_JOBS_MAX;
    w->fn = fn;
    w->arg = arg;
    w->self = edo__self();
    int rc = walk(w, path);
    free(w->text);
    free(w);
    return rc > 0 ? 0 : rc;
}
