/* SPDX-License-Identifier: MIT */
/* Locks on files: those of open file descriptions (OFD, Linux 3.15), which belong to the edo_file
 * and not to the process, so they hold among tasks and among processes.
 *
 * A lock that another process holds cannot be waited for but by a thread that blocks, and threads that
 * block for as long as others please are the end of any pool: those who would unlock need one too. So it
 * is asked for again, after a millisecond, then after longer times. A lock that is held in this
 * process is not waited for like that: who unlocks, or closes, calls those who wait here. They wait
 * in a line: one tries when no earlier one wants what it would have to give away.
 *
 * The lines of all files are in one table, by inode; a record lies in the frame of whoever waits. */
#include "fs/fs.h"

#include "sync/waiting.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define BUCKETS 64u
#define PAUSE_MIN EDO_MS(1)
#define PAUSE_MAX EDO_MS(64)

typedef struct waiting {
    struct waiting *next, *prev; /* in its bucket, in order of arrival; under its lock */
    edo__waiter waiter;
    dev_t dev;
    ino_t ino;
    struct flock want;
    bool called; /* what it waits for may be free; under the lock */
    bool asleep; /* the same */
} waiting;

typedef struct bucket {
    uint32_t lock;
    waiting *first, *last;
} bucket;

static bucket buckets[BUCKETS];

static bucket *bucket_of(dev_t dev, ino_t ino)
{
    uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9E3779B97F4A7C15u;
    return &buckets[h >> 32 & (BUCKETS - 1)];
}

EDO__NOINLINE static int sys_lock(int fd, const struct flock *want)
{
    struct flock l = *want;
    int r;
    do {
        r = fcntl(fd, F_OFD_SETLK, &l);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : errno == EACCES ? -EAGAIN : -errno;
}

EDO__NOINLINE static int identify(int fd, dev_t *dev, ino_t *ino)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    *dev = st.st_dev;
    *ino = st.st_ino;
    return 0;
}

static off_t end_of(const struct flock *l)
{
    return l->l_len == 0 ? INT64_MAX : l->l_start + l->l_len;
}

static bool conflict(const waiting *a, const waiting *b)
{
    return a->dev == b->dev && a->ino == b->ino &&
           (a->want.l_type == F_WRLCK || b->want.l_type == F_WRLCK) &&
           a->want.l_start < end_of(&b->want) && b->want.l_start < end_of(&a->want);
}

/* Under the lock. */
static bool may_try(const waiting *w)
{
    for (const waiting *e = w->prev; e != NULL; e = e->prev)
        if (conflict(e, w))
            return false;
    return true;
}

/* Under the lock: those who may try are called. */
static void call_others(bucket *b, dev_t dev, ino_t ino, edo__wakes *wakes)
{
    for (waiting *w = b->first; w != NULL; w = w->next) {
        if (w->dev != dev || w->ino != ino || w->called || !may_try(w))
            continue;
        w->called = true;
        if (w->asleep && edo__wakes_claim(wakes, &w->waiter, 0))
            w->asleep = false;
    }
}

static void enter(bucket *b, waiting *w)
{
    w->prev = b->last;
    if (b->last != NULL)
        b->last->next = w;
    else
        b->first = w;
    b->last = w;
}

static void leave(bucket *b, waiting *w)
{
    edo__wakes wakes = { 0 };
    edo__spin_lock(&b->lock);
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        b->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        b->last = w->prev;
    call_others(b, w->dev, w->ino, &wakes);
    edo__spin_unlock(&b->lock);
    edo__wakes_run(&wakes);
}

/* Until it is called, or a pause is over when it may try by itself. 1: tries; 0: looks again. */
static int sleep_until_called(bucket *b, waiting *w, edo__task *self, int64_t pause)
{
    edo__spin_lock(&b->lock);
    bool first = may_try(w);
    if (w->called) {
        w->called = false;
        edo__spin_unlock(&b->lock);
        return first;
    }
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&b->lock);
        return -ECANCELED;
    }
    w->asleep = true;
    edo__spin_unlock(&b->lock);
    int64_t at = first ? edo__now(self) + pause : EDO_FOREVER;
    uint32_t code =
        edo__wait_commit_until(self, &b->lock, EDO__WHY_FILE_LOCK, b, at, EDO__WAKE_OK + 1);
    edo__spin_lock(&b->lock);
    w->asleep = w->called = false;
    first = may_try(w);
    edo__spin_unlock(&b->lock);
    return code < EDO__WAKE_OK ? -ECANCELED : first;
}

static int wait_for_lock(edo_file *f, waiting *w, edo__task *self)
{
    bucket *b = bucket_of(w->dev, w->ino);
    edo__spin_lock(&b->lock);
    enter(b, w);
    int rc = may_try(w);
    edo__spin_unlock(&b->lock);
    for (int64_t pause = PAUSE_MIN; rc >= 0; pause = pause < PAUSE_MAX ? pause * 2 : pause) {
        if (rc == 1) {
            rc = sys_lock(f->fd, &w->want);
            if (rc != -EAGAIN)
                break;
        }
        rc = sleep_until_called(b, w, self, pause);
    }
    leave(b, w);
    return rc;
}

static int range(struct flock *l, short type, uint64_t offset, uint64_t length)
{
    if (offset > INT64_MAX || length > INT64_MAX - offset)
        return -EINVAL;
    memset(l, 0, sizeof *l);
    l->l_type = type;
    l->l_whence = SEEK_SET;
    l->l_start = (off_t)offset;
    l->l_len = (off_t)length;
    return 0;
}

static int lock(edo_file *f, int kind, uint64_t offset, uint64_t length, bool waits)
{
    if (kind != EDO_FS_SHARED && kind != EDO_FS_EXCLUSIVE)
        return -EINVAL;
    edo__task *self = edo__self();
    waiting w = { .waiter = { .task = self, .code = EDO__WAKE_OK } };
    short type = kind == EDO_FS_EXCLUSIVE ? F_WRLCK : F_RDLCK;
    int rc = waits ? edo__checkpoint(self) : 0;
    if (rc == 0)
        rc = range(&w.want, type, offset, length);
    if (rc == 0)
        rc = identify(f->fd, &w.dev, &w.ino);
    if (rc < 0)
        return rc;
    edo__astore(&f->locked, true, EDO__RLX); /* read by who closes it: nobody uses it then */
    if (!waits)
        return sys_lock(f->fd, &w.want);
    rc = wait_for_lock(f, &w, self);
    if (rc == 0)
        edo__coop(self);
    return rc;
}

int edo_fs_lock(edo_file *f, int kind)
{
    return lock(f, kind, 0, 0, true);
}

int edo_fs_lock_nowait(edo_file *f, int kind)
{
    return lock(f, kind, 0, 0, false);
}

int edo_fs_lock_range(edo_file *f, int kind, uint64_t offset, uint64_t n)
{
    return lock(f, kind, offset, n, true);
}

int edo_fs_lock_range_nowait(edo_file *f, int kind, uint64_t offset, uint64_t n)
{
    return lock(f, kind, offset, n, false);
}

static void call_all(dev_t dev, ino_t ino)
{
    bucket *b = bucket_of(dev, ino);
    edo__wakes wakes = { 0 };
    edo__spin_lock(&b->lock);
    call_others(b, dev, ino, &wakes);
    edo__spin_unlock(&b->lock);
    edo__wakes_run(&wakes);
}

int edo_fs_unlock_range(edo_file *f, uint64_t offset, uint64_t n)
{
    struct flock l;
    dev_t dev;
    ino_t ino;
    int rc = range(&l, F_UNLCK, offset, n);
    if (rc == 0)
        rc = identify(f->fd, &dev, &ino);
    if (rc == 0)
        rc = sys_lock(f->fd, &l);
    if (rc == 0)
        call_all(dev, ino);
    return rc;
}

int edo_fs_unlock(edo_file *f)
{
    return edo_fs_unlock_range(f, 0, 0);
}

void edo__fs_unlock_all(edo_file *f)
{
    (void)edo_fs_unlock(f);
}
