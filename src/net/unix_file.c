/* SPDX-License-Identifier: MIT */
/* Files of Unix sockets; see unix_file.h.
 *
 * Whether somebody still has a socket is asked with a datagram socket: connecting it disturbs nobody,
 * while a listener would have to accept. The kernel refuses (ECONNREFUSED) only what nobody has.
 *
 * Two processes that both find an old socket must not both remove it: the second would remove the first
 * one's new one. So looking, removing and binding happen under a lock on the directory. */
#include "net/unix_file.h"

#include "io/sys.h"
#include "net/socket.h"

#include <edo/time.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define EDO__NOINLINE __attribute__((noinline))
#define LOCK_PAUSE EDO_MS(1) /* between two tries for a lock that is held for microseconds */

EDO__NOINLINE static bool is_the_one(const edo__file *f)
{
    struct stat st;
    return lstat(f->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == f->dev &&
           st.st_ino == f->ino;
}

void edo__file_remove(edo__file *f)
{
    if (f == NULL)
        return;
    if (is_the_one(f))
        (void)unlink(f->path);
    free(f);
}

/* Keeps in mind which file it is. */
EDO__NOINLINE static int remember(edo__file *f)
{
    struct stat st;
    if (lstat(f->path, &st) != 0)
        return -errno;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    return 0;
}

/* The directory's descriptor, locked; or -1: it cannot be locked, which is no reason to give up; or
 * -ECANCELED. */
EDO__NOINLINE static int open_directory(const char *path)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(dir, path, len);
    dir[len] = '\0';
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

EDO__NOINLINE static bool is_locked_by_others(int dir)
{
    return flock(dir, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static int lock_directory(const char *path)
{
    int dir = open_directory(path);
    while (dir >= 0 && is_locked_by_others(dir)) {
        int rc = edo_sleep(LOCK_PAUSE);
        if (rc < 0) {
            edo__socket_close(dir);
            return rc;
        }
    }
    return dir;
}

EDO__NOINLINE static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Whether there is a socket by that name that nobody has any more. */
static bool is_abandoned(const edo_address *at)
{
    if (!is_socket(edo_address_path(at)))
        return false;
    int fd = edo__socket_open(AF_UNIX, SOCK_DGRAM);
    if (fd < 0)
        return false;
    int rc = edo__sys_connect(fd, &edo__address_of(at)->sa, at->edo__len);
    edo__socket_close(fd);
    return rc == -ECONNREFUSED;
}

static int bind_in_place(int fd, const edo_address *at)
{
    int rc = edo__socket_bind(fd, at);
    if (rc != -EADDRINUSE || !is_abandoned(at))
        return rc;
    (void)unlink(edo_address_path(at));
    return edo__socket_bind(fd, at);
}

EDO__NOINLINE static int permit_before(int fd, unsigned mode)
{
    return mode == 0 || fchmod(fd, (mode_t)mode) == 0 ? 0 : -errno;
}

/* What the umask has taken away. */
EDO__NOINLINE static int permit_after(const char *path, unsigned mode)
{
    return mode == 0 || chmod(path, (mode_t)mode) == 0 ? 0 : -errno;
}

static int bind_file(edo__file *f, int fd, const edo_address *at, const edo_unix_options *o)
{
    int dir = o->replace ? lock_directory(f->path) : -1;
    if (dir == -ECANCELED)
        return dir;
    int rc = permit_before(fd, o->mode); /* from its first moment it has no more than these */
    if (rc == 0)
        rc = o->replace ? bind_in_place(fd, at) : edo__socket_bind(fd, at);
    if (rc == 0) {
        rc = remember(f);
        if (rc == 0)
            rc = permit_after(f->path, o->mode);
        if (rc < 0)
            (void)unlink(f->path);
    }
    edo__socket_close(dir);
    return rc;
}

int edo__file_bind(edo__file **out, int fd, const edo_address *at, const edo_unix_options *o)
{
    const char *path = edo_address_path(at);
    *out = NULL;
    if (path == NULL)
        return edo__socket_bind(fd, at);
    edo__file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -ENOMEM;
    memcpy(f->path, path, strlen(path) + 1);
    int rc = bind_file(f, fd, at, o);
    if (rc < 0)
        free(f);
    else
        *out = f;
    return rc;
}
