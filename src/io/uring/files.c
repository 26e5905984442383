/* SPDX-License-Identifier: MIT */
/* Operations on files and paths by the ring. What of them the kernel gives to threads of its own
 * anyway, and which are worth it, is told in docs/internals/files.md. */
#include "io/file.h"
#include "io/probes.h"
#include "io/uring/uring.h"

#include <edo/io.h>
#include <errno.h>
#include <fcntl.h>

static void fill_open(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_openat(sqe, AT_FDCWD, op->path, op->flags | O_CLOEXEC | O_NONBLOCK,
                         (mode_t)op->mode);
}

static void fill_read(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    if (op->count == 1)
        io_uring_prep_read(sqe, op->fd, op->iov->iov_base, (unsigned)op->iov->iov_len, op->offset);
    else
        io_uring_prep_readv(sqe, op->fd, op->iov, (unsigned)op->count, op->offset);
}

static void fill_write(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    if (op->count == 1)
        io_uring_prep_write(sqe, op->fd, op->iov->iov_base, (unsigned)op->iov->iov_len, op->offset);
    else
        io_uring_prep_writev(sqe, op->fd, op->iov, (unsigned)op->count, op->offset);
}

static void fill_sync(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_fsync(sqe, op->fd, op->flags != 0 ? IORING_FSYNC_DATASYNC : 0);
}

static void fill_allocate(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_fallocate(sqe, op->fd, 0, (off_t)op->offset, (off_t)op->length);
}

static void fill_mkdir(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_mkdirat(sqe, AT_FDCWD, op->path, (mode_t)op->mode);
}

static void fill_rename(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_renameat(sqe, AT_FDCWD, op->path, AT_FDCWD, op->path2, (unsigned)op->flags);
}

static void fill_unlink(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_unlinkat(sqe, AT_FDCWD, op->path, op->flags);
}

static void fill_link(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_linkat(sqe, AT_FDCWD, op->path, AT_FDCWD, op->path2, 0);
}

static void fill_symlink(struct io_uring_sqe *sqe, const void *what)
{
    const edo__file_op *op = what;
    io_uring_prep_symlinkat(sqe, op->path, AT_FDCWD, op->path2);
}

typedef struct way {
    edo__op_fill *fill; /* NULL: not by the ring */
    uint8_t opcode;
    uint8_t why; /* for dumps */
} way;

static const way ways[EDO__FILE_CODES] = {
    [EDO__FILE_OPEN] = { fill_open, IORING_OP_OPENAT, EDO__WHY_FILE },
    [EDO__FILE_READ] = { fill_read, IORING_OP_READ, EDO__WHY_READ },
    [EDO__FILE_WRITE] = { fill_write, IORING_OP_WRITE, EDO__WHY_WRITE },
    [EDO__FILE_SYNC] = { fill_sync, IORING_OP_FSYNC, EDO__WHY_FILE },
    [EDO__FILE_ALLOCATE] = { fill_allocate, IORING_OP_FALLOCATE, EDO__WHY_FILE },
    [EDO__FILE_MKDIR] = { fill_mkdir, IORING_OP_MKDIRAT, EDO__WHY_FILE },
    [EDO__FILE_RENAME] = { fill_rename, IORING_OP_RENAMEAT, EDO__WHY_FILE },
    [EDO__FILE_UNLINK] = { fill_unlink, IORING_OP_UNLINKAT, EDO__WHY_FILE },
    [EDO__FILE_LINK] = { fill_link, IORING_OP_LINKAT, EDO__WHY_FILE },
    [EDO__FILE_SYMLINK] = { fill_symlink, IORING_OP_SYMLINKAT, EDO__WHY_FILE },
};

ssize_t edo__uring_file(edo__task *self, const edo__file_op *op)
{
    const way *w = &ways[op->code];
    if (w->fill == NULL || !edo__ring_knows(w->opcode) || edo__ring_of(self) == NULL)
        return -ENOSYS;
    if (op->count == 1 && op->iov->iov_len > INT32_MAX)
        return -ENOSYS; /* the calls do part of it */
    edo__io_begins(self, op->fd, (edo__why)w->why);
    edo__op run;
    int rc = edo__op_run(&run, self, (edo__why)w->why, w->fill, op, op->fd, 0);
    ssize_t done = rc < 0 ? rc : run.result;
    edo__io_ends(self, op->fd, (edo__why)w->why, done);
    return done;
}
