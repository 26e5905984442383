/* SPDX-License-Identifier: MIT */
/* The file of a Unix socket: made by bind(2), left behind by whoever ends without removing it. */
#ifndef EDO_NET_UNIX_FILE_H
#define EDO_NET_UNIX_FILE_H

#include "net/address.h"

#include <edo/unix.h>
#include <sys/stat.h>

typedef struct edo__file {
    dev_t dev; /* which file it was: another one of that name is not removed */
    ino_t ino;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
} edo__file;

/* Binds fd to a path, with the permissions wanted, in place of a socket that nobody has any more if that
 * is wanted. *out: what edo__file_remove() frees; NULL for an abstract name. Suspends when another
 * process is at the same. */
int edo__file_bind(edo__file **out, int fd, const edo_address *at, const edo_unix_options *o);
/* Removes it, if it is still the one, and frees it; NULL is allowed. */
void edo__file_remove(edo__file *file);

#endif
