/* SPDX-License-Identifier: MIT */
/* Files from the inside. docs/internals/files.md tells what is done where, and why.
 *
 * A system call is made in one of three places: by the caller itself, when the kernel promises not to
 * wait (sys_now.c); by the ring; by a thread of the pool. A job of the pool makes as many calls as
 * belong together. Functions that make calls, edo__sys_*(), return -errno, are never inlined into what
 * suspends, and do not suspend themselves. */
#ifndef EDO_FS_FS_H
#define EDO_FS_FS_H

#include "base/assert.h"
#include "base/atomic.h"
#include "core/blocking.h"
#include "core/sched.h"
#include "io/file.h"
#include "io/stream.h"

#include <edo/fs.h>

#define EDO__NOINLINE __attribute__((noinline))

#define EDO__FS_TRANSFER_MAX 0x7ffff000u /* read(2) and write(2) take no more at once */
#define EDO__FS_CHUNK (1u << 20)         /* bytes between two looks at whether to stop */

enum {                          /* edo_file.hints */
       EDO__FS_READS_WAIT = 1,  /* the kernel does not promise reads without waiting here  */
       EDO__FS_WRITES_WAIT = 2, /* the same of writes                                      */
       EDO__FS_IN_MEMORY = 4,   /* it needs no promise: tmpfs                              */
};

struct edo_file {
    int fd;
    uint32_t refs;  /* atomic: the caller's, and one per stream */
    uint32_t hints; /* atomic; relaxed: each is found out again when it is overlooked */
    bool writable;  /* closing may have to wait */
    bool locked;    /* atomic: edo_fs_lock() was called: closing may let others in */
};

/* file.c */
edo_file *edo__file_alloc(void); /* NULL: no memory; free(3) undoes it */
void edo__file_init(edo_file *f, int fd, int flags);
void edo__file_release(edo_file *f); /* a reference; the last one closes, here and now */
ssize_t edo__file_io(edo_file *f, bool write, const struct iovec *iov, int count, uint64_t offset,
                     bool whole);

/* call.c: how something is done that may wait. */
/* One operation: by the ring, or on the pool. A checkpoint. */
ssize_t edo__fs_call(const edo__file_op *op);
/* The same, whether the caller is cancelled or not. */
ssize_t edo__fs_call_always(const edo__file_op *op);
/* fn(arg) on the pool. A checkpoint. stop: NULL, or what the job looks at to see a cancel. */
int edo__fs_job(edo_fn *fn, void *arg, uint32_t *stop);
/* So many system calls were made, and bytes copied, where the caller is: others may be due. */
void edo__fs_spend(edo__task *self, uint32_t calls, size_t bytes);
static inline bool edo__fs_stopped(const uint32_t *stop)
{
    return stop != NULL && edo__aload(stop, EDO__RLX) != 0; /* a hint, see blocking.h */
}

/* sys.c: a file operation as a system call. */
ssize_t edo__sys_file(const edo__file_op *op);
int edo__sys_open(const char *path, int flags, unsigned mode);
void edo__sys_close(int fd); /* of what was only read, or is to be forgotten: nobody asks */
/* All n bytes, unless stopped: n, -ECANCELED, or -errno. */
ssize_t edo__sys_write_whole(int fd, const void *data, size_t n, const uint32_t *stop);

/* sys_now.c: what the kernel does without waiting for a disk; -EAGAIN: it would wait, or does not
 * know. */
int edo__sys_open_now(const char *path, int flags);
ssize_t edo__sys_read_now(edo_file *f, const struct iovec *iov, int count, uint64_t offset);
ssize_t edo__sys_write_now(edo_file *f, const struct iovec *iov, int count, uint64_t offset);

/* info.c */
int edo__sys_info(int dirfd, const char *path, int flags, edo_fs_info *out);
edo_fs_type edo__fs_type_of(unsigned mode); /* S_IFMT of it */

/* replace.c: a file that takes the place of another one when it is complete. On the pool. */
typedef struct edo__replace {
    const char *path; /* the caller's */
    char *target;     /* where path leads: path itself, or owned */
    int fd;           /* of the new file, for writing */
    int dir_fd;       /* of the directory, to be synchronised; -1: that is not wanted */
    unsigned mode;    /* for a new file */
    bool exclusive;   /* never replaces anything */
    bool sync;        /* reaches the disk before it takes its place */
    bool named;       /* temp exists */
    char *temp;       /* a name in the same directory; owned */
    const uint32_t *stop;
} edo__replace;

/* What is not filled in is zero. 0, or a code; then there is nothing to undo. */
int edo__replace_begin(edo__replace *r, const char *path, const edo_write_options *options,
                       const uint32_t *stop);
int edo__replace_end(edo__replace *r); /* 0: it has taken its place; a code: all is as it was */
void edo__replace_undo(edo__replace *r);

/* temp.c */
void edo__fs_random_name(char *at, size_t n); /* n letters and digits */

/* lock.c */
void edo__fs_unlock_all(edo_file *f); /* it is about to be closed */

#endif
