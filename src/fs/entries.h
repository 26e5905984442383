/* SPDX-License-Identifier: MIT */
/* What the kernel gives of a directory. */
#ifndef EDO_FS_ENTRIES_H
#define EDO_FS_ENTRIES_H

#include "fs/fs.h"

#include <dirent.h>

#define EDO__DIR_BUFFER 32768u /* bytes: about a thousand entries; glibc's own has as many */

typedef struct dirent64 edo__entry;

ssize_t edo__sys_entries(int fd, void *buf, size_t size); /* bytes; 0 at the end; -errno */
/* The entry at *at, which moves on; "." and ".." are left out; NULL at the end of the buffer. */
const edo__entry *edo__entry_next(const char *buf, size_t len, size_t *at);
edo_fs_type edo__fs_type_of_entry(unsigned type); /* d_type */

#endif
