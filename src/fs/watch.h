/* SPDX-License-Identifier: MIT */
/* A watcher from the inside: what is watched (watch_dirs.c), and what has happened and was not told yet
 * (watch.c). All of it belongs to the one task that uses the watcher, or to the job that it waits
 * for. */
#ifndef EDO_FS_WATCH_H
#define EDO_FS_WATCH_H

#include "fs/fs.h"

#include <edo/fs_tree.h>

#define EDO__WATCH_BUFFER 16384u /* bytes of inotify's records that are read at a time */

typedef struct edo__watched {  /* a file or directory that the kernel watches */
    struct edo__watched *next; /* in its bucket */
    int wd;
    bool root;  /* it was asked for, not found in a directory */
    char *path; /* owned */
} edo__watched;

typedef struct edo__change { /* what is to be told */
    struct edo__change *next, *hash_next;
    unsigned what;
    bool dir;
    int64_t since; /* when the first of it happened */
    char *from;    /* owned, or NULL */
    char path[];
} edo__change;

typedef struct edo__watch_todo { /* a directory that is to be watched, with those in it */
    struct edo__watch_todo *next;
    bool root;
    bool tells; /* what is found in it is new */
    char path[];
} edo__watch_todo;

struct edo_fs_watcher {
    int fd;
    edo_fs_watch_options options;
    int code;             /* of something that went wrong meanwhile: told once */
    edo__watched **table; /* by wd */
    size_t table_size, table_n;
    edo__watch_todo *todo;

    edo__change *first, *last; /* in the order of their first happening */
    edo__change **hash;        /* by path */
    size_t n_changes;
    int64_t now;       /* the task's clock, for the job as well */
    edo__change *told; /* what the caller may be looking at */

    uint32_t cookie; /* of a move whose other half may follow; 0: none */
    bool moved_dir;
    char *moved_from; /* owned */

    char buf[EDO__WATCH_BUFFER] __attribute__((aligned(8)));
};

/* watch.c: dir, and what edo_fs_event says. */
void edo__watch_change(edo_fs_watcher *w, const char *path, unsigned what, bool dir,
                       const char *from);
void edo__watch_overflow(edo_fs_watcher *w);

/* watch_dirs.c */
edo__watched *edo__watched_find(const edo_fs_watcher *w, int wd);
void edo__watched_drop(edo_fs_watcher *w, int wd);
/* Everything below a path has another one, or is not watched any more (to NULL). */
void edo__watched_moved(edo_fs_watcher *w, const char *from, const char *to);
void edo__watched_free(edo_fs_watcher *w);
int edo__watch_add_todo(edo_fs_watcher *w, const char *dir, const char *name, bool root,
                        bool tells);
/* The first of w->todo: watches it, and puts the directories in it on the list. On the pool. */
int edo__watch_scan(void *watcher);
char *edo__watch_path(const char *dir, const char *name); /* to be freed; NULL: no memory */

#endif
