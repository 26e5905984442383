/* SPDX-License-Identifier: MIT */
/* Operations on files and paths that a backend may do by itself (io_uring); who asks makes the system
 * call on the blocking pool where it does not. */
#ifndef EDO_IO_FILE_H
#define EDO_IO_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef enum edo__file_code {
    EDO__FILE_OPEN, /* path, flags, mode: a descriptor                             */
    EDO__FILE_READ, /* fd, iov, count, offset: bytes                               */
    EDO__FILE_WRITE,
    EDO__FILE_SYNC,     /* fd, flags: 1 for the data only                              */
    EDO__FILE_ALLOCATE, /* fd, offset, length                                          */
    EDO__FILE_SIZE,     /* fd, length: ftruncate(2)                                    */
    EDO__FILE_MKDIR,    /* path, mode                                                  */
    EDO__FILE_RENAME,   /* path, path2, flags of renameat2(2)                          */
    EDO__FILE_UNLINK,   /* path, flags of unlinkat(2)                                  */
    EDO__FILE_LINK,     /* path, path2                                                 */
    EDO__FILE_SYMLINK,  /* path: the target; path2                                     */
    EDO__FILE_CODES,
} edo__file_code;

typedef struct edo__file_op {
    edo__file_code code;
    int fd;
    int flags;
    unsigned mode;
    const char *path, *path2;
    const struct iovec *iov;
    int count;
    uint64_t offset, length;
} edo__file_op;

#endif
