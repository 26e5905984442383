/* SPDX-License-Identifier: MIT */
/* A walk from the inside: jobs read directories (walk_read.c), the calling task reports what they have
 * read, as it comes (walk.c) or in order (walk_sorted.c).
 *
 * Under the lock: the list of directories to be read, the queue of what has been read, the number of
 * jobs, and who waits. Everything else of a directory belongs to the job that reads it and after that to
 * the calling task. */
#ifndef EDO_FS_WALK_H
#define EDO_FS_WALK_H

#include "fs/entries.h"
#include "fs/fs.h"

#include <edo/fs_tree.h>

#define EDO__WALK_JOBS_MAX 64u
#define EDO__WALK_READY_MAX 128u /* batches that wait to be reported; then the jobs stop */

typedef struct edo__walk_batch { /* what one call gave */
    struct edo__walk_batch *next;
    struct edo__walk_dir *dir;
    size_t len;         /* bytes of entries in buf */
    edo_fs_info *infos; /* owned; of each entry, or NULL; links UINT64_MAX: not known */
    bool last;          /* of its directory */
    int code;           /* why the directory cannot be read, or not to its end */
    char buf[] __attribute__((aligned(8)));
} edo__walk_batch;

typedef struct edo__walk_dir {
    struct edo__walk_dir *next;   /* on the list of those to be read, or of unwanted ones */
    struct edo__walk_dir *parent; /* NULL: the root; stays as long as those in it */
    edo__walk_batch *first, *end; /* sorted: what was read */
    uint32_t refs;                /* the calling task's: itself, and one for each directory in it */
    unsigned depth;
    int fd;            /* -1: not open */
    uint32_t unwanted; /* atomic: nobody will ask for it */
    bool ended;        /* under the lock: has been read */
    dev_t dev;         /* known once it is open, and only where they are asked for */
    ino_t ino;
    size_t path_len;
    char path[];
} edo__walk_dir;

struct edo__walk;

typedef struct edo__walk_job {
    edo__job job; /* first member */
    struct edo__walk *walk;
    bool running; /* under the lock */
} edo__walk_job;

typedef struct edo__walk {
    edo_walk_options options;
    edo_walk_fn *fn;
    void *arg;
    edo__task *self;
    dev_t root_dev;
    uint32_t stop; /* atomic */

    uint32_t lock;
    edo__walk_dir *todo;                 /* under the lock; the last one comes first */
    edo__walk_batch *ready, *ready_last; /* the same */
    uint32_t n_ready;                    /* the same */
    uint32_t n_running;                  /* the same */
    bool asleep;                         /* the same: the task waits */
    int code;                            /* the same: why it cannot go on */

    char *text; /* owned: the path of the entry that is reported */
    size_t text_max;
    edo__walk_job jobs[EDO__WALK_JOBS_MAX];
} edo__walk;

/* walk.c */
edo__walk_dir *edo__walk_dir_new(edo__walk *w, edo__walk_dir *parent, const char *name);
/* Frees what was read of d and, when no directory in it is left, d itself. */
void edo__walk_let_go(edo__walk *w, edo__walk_dir *d);
void edo__walk_add(edo__walk *w, edo__walk_dir *d);
/* Starts jobs, waits until one has something to say. 0, or a code. The lock is held before and after,
 * but for failures. */
int edo__walk_wait(edo__walk *w);
void edo__walk_stop(edo__walk *w); /* nobody reads any more when it returns */
/* Reports an entry of d, of type `type`; what the function said. info: NULL or not known. */
int edo__walk_report(edo__walk *w, const edo__walk_dir *d, const char *name, edo_fs_type type,
                     const edo_fs_info *info);
/* Reports d itself: why it cannot be read, or that all in it was reported. */
int edo__walk_report_dir(edo__walk *w, const edo__walk_dir *d, int code);
bool edo__walk_enters(const edo__walk *w, const edo__walk_dir *d, edo_fs_type type);

/* walk_read.c: a job's body, also for the calling thread itself. */
void edo__walk_read(edo__walk *w);

/* walk_sorted.c */
int edo__walk_sorted(edo__walk *w, edo__walk_dir *root);

#endif
