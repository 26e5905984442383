/* SPDX-License-Identifier: MIT */
/* Edo: whole trees of files. */
#ifndef EDO_FS_TREE_H
#define EDO_FS_TREE_H

#include <edo/base.h>
#include <edo/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* edo_fs_remove_all - removes a file, or a directory with everything in it; symbolic links are removed
 * and not followed. Fine when there is nothing. It goes on after a failure and removes what it can.
 * Returns 0; the first failure: -EACCES, -EPERM, -EROFS, -EBUSY; -ENOTEMPTY: something was added all
 * the time; -ECANCELED: part of it is gone.
 *
 *     rc = edo_fs_remove_all("build");
 *
 * Suspends: always
 * Cancel:   checkpoint; stops between two files
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_remove_all(const char *path);

/* ---- walking ---- */

typedef struct edo_walk_entry {
    const char *path; /* the root as it was given, and the names below; valid during the call */
    const char *name; /* the last part of it */
    unsigned depth;   /* 0: the root */
    edo_fs_type type;
    int code; /* negative: this directory, reported before, cannot be read (-EACCES, -ELOOP: a symbolic
                   link leads back to a directory around it), or not to its end */
    bool after; /* this directory, reported before, is through: with edo_walk_options.after */
    const edo_fs_info *info; /* with edo_walk_options.stat; NULL: it has just gone */
} edo_walk_entry;

enum { /* what an edo_walk_fn returns, beside negative codes, which end the walk */
       EDO_WALK_ON = 0,
       EDO_WALK_SKIP = 1, /* not what is in this directory */
       EDO_WALK_STOP = 2, /* that was all: the walk ends and returns 0 */
};

/* Told of each entry, by the calling task, one after the other; may suspend. */
typedef int edo_walk_fn(const edo_walk_entry *entry, void *arg);

typedef struct edo_walk_options {
    unsigned concurrency; /* directories that are read at a time; 0: 4; 64 at most            */
    unsigned depth_max;   /* directories as deep as that are not entered; 0: no limit         */
    bool sorted;     /* names by their bytes, what is in a directory right behind it: the same order
                        every time. Else as it comes, a directory before what is in it           */
    bool stat;       /* entries bring what edo_fs_lstat() says, with `follow` edo_fs_stat()      */
    bool follow;     /* symbolic links: they count as what they lead to; loops are reported      */
    bool one_device; /* stays on the file system of the root                                     */
    bool after;      /* each directory again when all that is in it was reported                 */
} edo_walk_options;

/* edo_fs_walk - reports a file or directory and everything that is in it. Several directories are
 * read at a time, on the blocking pool; fn is called by the task itself. What cannot be read is
 * reported, and the walk goes on. "." and ".." are left out; what is added or removed meanwhile may
 * be seen or not.
 * @options: NULL for the defaults.
 * Returns 0; the negative code that fn returned; the codes of edo_fs_stat() for the root; -ENOMEM.
 *
 *     static int show(const edo_walk_entry *e, void *arg)
 *     {
 *         if (e->code < 0)
 *             fprintf(stderr, "%s: %s\n", e->path, edo_strerror(e->code));
 *         else
 *             puts(e->path);
 *         return strcmp(e->name, ".git") == 0 ? EDO_WALK_SKIP : EDO_WALK_ON;
 *     }
 *
 *     rc = edo_fs_walk(".", &(edo_walk_options){ .sorted = true }, show, NULL);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_walk(const char *path, const edo_walk_options *options, edo_walk_fn *fn,
                               void *arg);

/* ---- watching ---- */

typedef struct edo_fs_watcher edo_fs_watcher;

enum { /* edo_fs_event.what: all that has happened to a path, in whatever order */
       EDO_FS_CREATED = 1,  /* or moved here from where nobody watches                            */
       EDO_FS_REMOVED = 2,  /* or moved to where nobody watches                                   */
       EDO_FS_WRITTEN = 4,  /* the content                                                        */
       EDO_FS_CHANGED = 8,  /* permissions, owner, times, number of names                         */
       EDO_FS_RENAMED = 16, /* from edo_fs_event.from                                             */
       EDO_FS_GONE = 32,    /* a path that was given to be watched: nothing more comes of it      */
       EDO_FS_OVERFLOW =
           64, /* too much happened at once and some is not known: look at everything */
};

typedef struct edo_fs_event {
    unsigned what;
    const char
        *path; /* as it was given, and the names below; "" with EDO_FS_OVERFLOW. Valid until the
                         next edo_fs_watch_next() or edo_fs_watch_close() */
    const char *from; /* the same: the last name it had, with EDO_FS_RENAMED; else NULL */
    bool dir;
} edo_fs_event;

typedef struct edo_fs_watch_options {
    bool recursive; /* what is in directories below, too, those that are made later included;
                       symbolic links are not followed                                       */
    int64_t settle; /* nanoseconds: what happens to a path within that time is one event     */
} edo_fs_watch_options;

/* edo_fs_watch - watches a file, or a directory and what is in it.
 * edo_fs_watch_add - one more with the same options. edo_fs_watch_remove - watches it no longer;
 * -ENOENT: it was not; what has happened already is told all the same.
 * A file that is replaced, as edo_fs_write_all() does, is gone: watch its directory.
 * @out: closed by edo_fs_watch_close(); for one task at a time.
 * @options: NULL for the defaults.
 * Returns 0; -ENOSPC: more than the administrator allows (fs.inotify.max_user_watches); -EMFILE;
 * -ENOMEM; the codes of paths. After a failed edo_fs_watch_add() of a tree part of it may be watched.
 *
 *     edo_fs_watcher *w;
 *     rc = edo_fs_watch(&w, "conf.d", &(edo_fs_watch_options){ .settle = EDO_MS(50) });
 *
 * Suspends: always (edo_fs_watch_remove(): never)
 * Cancel:   checkpoint (edo_fs_watch_remove(): not a checkpoint)
 * Threads:  any, one at a time */
EDO_MUST_CHECK int edo_fs_watch(edo_fs_watcher **out, const char *path,
                                const edo_fs_watch_options *options);
EDO_MUST_CHECK int edo_fs_watch_add(edo_fs_watcher *w, const char *path);
int edo_fs_watch_remove(edo_fs_watcher *w, const char *path);

/* edo_fs_watch_next - waits until something has happened. Events come in the order of their beginning;
 * several of one path that nobody has asked for yet are one.
 * Returns 1; -ENOSPC: a new directory cannot be watched (see edo_fs_watch()), -ENOMEM: something is not
 * known; the next call goes on.
 *
 *     edo_fs_event e;
 *     rc = edo_fs_watch_next(watcher, &e);
 *     if (rc > 0 && (e.what & EDO_FS_REMOVED) != 0)
 *         printf("%s was removed\n", e.path);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, one at a time */
EDO_MUST_CHECK int edo_fs_watch_next(edo_fs_watcher *w, edo_fs_event *out);

/* edo_fs_watch_fd - a descriptor that is readable when something may have happened: for
 * EDO_READABLE() in edo_select(). It stays the watcher's and must not be read.
 * edo_fs_watch_close - watches no longer. NULL is allowed.
 *
 *     edo_fs_watch_close(watcher);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_fs_watch_fd(const edo_fs_watcher *w);
void edo_fs_watch_close(edo_fs_watcher *w);

#ifdef __cplusplus
}
#endif
#endif
