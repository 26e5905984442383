/* SPDX-License-Identifier: MIT */
/* The jobs of a walk: each takes directories from the list and reads them until there are no more,
 * or too much waits to be reported. What several small directories have is handed over at once. */
#include "fs/walk.h"

#include "core/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAND_OVER 16u /* batches that a job keeps to itself */

typedef struct chain {
    edo__walk_batch *first, *last;
    uint32_t n;
} chain;

static void append(chain *c, edo__walk_batch *b)
{
    b->next = NULL;
    if (c->first == NULL)
        c->first = b;
    else
        c->last->next = b;
    c->last = b;
    c->n++;
}

static edo__walk_batch *new_batch(edo__walk_dir *d)
{
    edo__walk_batch *b = malloc(sizeof *b + EDO__DIR_BUFFER);
    if (b != NULL)
        *b = (edo__walk_batch){ .dir = d };
    return b;
}

/* Whether one of the directories around d is d again: a symbolic link has led back. */
static bool is_loop(const edo__walk_dir *d)
{
    for (const edo__walk_dir *p = d->parent; p != NULL; p = p->parent)
        if (p->dev == d->dev && p->ino == d->ino)
            return true;
    return false;
}

/* 1: it is not to be read, and that is nothing to report. */
static int open_dir(edo__walk *w, edo__walk_dir *d)
{
    int flags = O_RDONLY | O_DIRECTORY;
    if (!w->options.follow)
        flags |= O_NOFOLLOW; /* it was none a moment ago */
    int fd = edo__sys_open(d->path, flags, 0);
    if (fd < 0)
        return fd;
    d->fd = fd;
    if (!w->options.follow && !w->options.one_device)
        return 0;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    if (d->parent == NULL)
        w->root_dev = st.st_dev; /* read before all others */
    if (w->options.one_device && d->dev != w->root_dev)
        return 1;
    return w->options.follow && is_loop(d) ? -ELOOP : 0;
}

static uint8_t d_type_of(edo_fs_type type)
{
    static const uint8_t types[] = {
        [EDO_FS_FILE] = DT_REG,  [EDO_FS_DIR] = DT_DIR,     [EDO_FS_LINK] = DT_LNK,
        [EDO_FS_FIFO] = DT_FIFO, [EDO_FS_SOCKET] = DT_SOCK, [EDO_FS_CHAR] = DT_CHR,
        [EDO_FS_BLOCK] = DT_BLK
    };
    return types[type];
}

/* What the directory does not say of an entry, or is wanted: the type of a link's target, all that is
 * known. A link that leads nowhere is told of as a link. */
static void look_at(const edo__walk *w, const edo__walk_dir *d, edo__entry *e, edo_fs_info *info)
{
    edo_fs_info own;
    bool link = e->d_type == DT_LNK && w->options.follow;
    if (info == NULL && e->d_type != DT_UNKNOWN && !link)
        return;
    int flags = w->options.follow ? 0 : AT_SYMLINK_NOFOLLOW;
    int rc = edo__sys_info(d->fd, e->d_name, flags, &own);
    if (rc < 0 && w->options.follow)
        rc = edo__sys_info(d->fd, e->d_name, AT_SYMLINK_NOFOLLOW, &own);
    if (rc < 0)
        own = (edo_fs_info){ .links = UINT64_MAX };
    else
        e->d_type = d_type_of(own.type);
    if (info != NULL)
        *info = own;
}

static int look_at_all(const edo__walk *w, edo__walk_batch *b)
{
    const edo__entry *e;
    size_t n = 0, at = 0;
    if (w->options.stat) {
        while (edo__entry_next(b->buf, b->len, &at) != NULL)
            n++;
        b->infos = n > 0 ? malloc(n * sizeof *b->infos) : NULL;
        if (n > 0 && b->infos == NULL)
            return -ENOMEM;
    }
    n = at = 0;
    while ((e = edo__entry_next(b->buf, b->len, &at)) != NULL)
        look_at(w, b->dir, (edo__entry *)(uintptr_t)e, b->infos != NULL ? &b->infos[n++] : NULL);
    return 0;
}

static void close_dir(edo__walk_dir *d)
{
    if (d->fd >= 0)
        edo__sys_close(d->fd);
    d->fd = -1;
}

/* The next batch of d, complete. */
static void read_batch(edo__walk *w, edo__walk_batch *b)
{
    edo__walk_dir *d = b->dir;
    int rc = d->fd < 0 ? open_dir(w, d) : 0;
    ssize_t n = rc == 0 ? edo__sys_entries(d->fd, b->buf, EDO__DIR_BUFFER) : 0;
    if (n == -ENOENT)
        n = 0; /* it was removed */
    b->len = n > 0 ? (size_t)n : 0;
    b->code = rc < 0 ? rc : n < 0 ? (int)n : 0;
    if (b->code == 0 && b->len > 0)
        b->code = look_at_all(w, b);
    if (b->code < 0)
        b->len = 0;
    b->last = b->len == 0;
    if (b->last)
        close_dir(d);
}

/* Under the lock: the task sees what has changed. */
static uint32_t call_task(edo__walk *w)
{
    if (!w->asleep)
        return EDO__WORD_IDLE;
    w->asleep = false;
    return edo__claim(w->self, EDO__WAKE_OK);
}

/* code: why the walk cannot go on; 0: it can. True: enough waits to be reported. */
static bool hand_over(edo__walk *w, chain *c, int code)
{
    if (c->first == NULL && code == 0)
        return false;
    edo__task *task = w->self;
    edo__spin_lock(&w->lock);
    if (c->first != NULL) {
        if (w->ready == NULL)
            w->ready = c->first;
        else
            w->ready_last->next = c->first;
        w->ready_last = c->last;
        w->n_ready += c->n;
    }
    if (code < 0)
        w->code = code;
    bool enough = w->n_ready >= EDO__WALK_READY_MAX;
    uint32_t was = call_task(w);
    edo__spin_unlock(&w->lock);
    edo__claimed(task, was);
    *c = (chain){ .n = 0 };
    return enough;
}

/* As it comes. False: it has more, and is to be read on another time, if ever. */
static bool read_dir(edo__walk *w, edo__walk_dir *d, chain *c)
{
    for (;;) {
        edo__walk_batch *b = new_batch(d);
        if (b == NULL) {
            (void)hand_over(w, c, -ENOMEM);
            return false;
        }
        read_batch(w, b);
        bool last = b->last; /* d may be gone once it is handed over */
        append(c, b);
        if (last)
            return true;
        if ((c->n >= HAND_OVER && hand_over(w, c, 0)) || edo__fs_stopped(&w->stop))
            return false;
    }
}

/* In order: all of it belongs to the directory. */
static void read_whole(edo__walk *w, edo__walk_dir *d)
{
    chain c = { .first = NULL };
    bool last = false;
    while (!last && !edo__fs_stopped(&w->stop) && edo__aload(&d->unwanted, EDO__RLX) == 0) {
        edo__walk_batch *b = new_batch(d);
        if (b == NULL) {
            chain none = { .n = 0 };
            (void)hand_over(w, &none, -ENOMEM);
            break;
        }
        read_batch(w, b);
        last = b->last;
        append(&c, b);
    }
    close_dir(d);
    edo__task *task = w->self;
    edo__spin_lock(&w->lock);
    d->first = c.first;
    d->end = c.last;
    d->ended = true;
    uint32_t was = call_task(w);
    edo__spin_unlock(&w->lock);
    edo__claimed(task, was);
}

static edo__walk_dir *take(edo__walk *w)
{
    edo__spin_lock(&w->lock);
    bool enough = edo__fs_stopped(&w->stop) || w->code < 0 || w->n_ready >= EDO__WALK_READY_MAX;
    edo__walk_dir *d = enough ? NULL : w->todo;
    if (d != NULL)
        w->todo = d->next;
    edo__spin_unlock(&w->lock);
    return d;
}

void edo__walk_read(edo__walk *w)
{
    chain c = { .first = NULL };
    edo__walk_dir *d;
    while ((d = take(w)) != NULL) {
        if (w->options.sorted) {
            read_whole(w, d);
            continue;
        }
        if (!read_dir(w, d, &c)) {
            (void)hand_over(w, &c, 0); /* before somebody else reads on */
            edo__walk_add(w, d);
        }
        if (c.n >= HAND_OVER)
            (void)hand_over(w, &c, 0);
    }
    (void)hand_over(w, &c, 0);
}
