/* SPDX-License-Identifier: MIT */
/* The descriptors of a child's standard streams. All are opened here, in the parent, so that what
 * fails is known before there is a child. */
#include "process/process.h"

#include <fcntl.h>
#include <unistd.h>

static int open_path(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : -errno;
}

static int open_file(const edo_stdio *how, int which)
{
    if (how->path == NULL)
        return -EINVAL;
    if (which == 0)
        return how->kind == EDO_STDIO_FILE ? open_path(how->path, O_RDONLY) : -EINVAL;
    int end = how->kind == EDO_STDIO_FILE ? O_TRUNC : O_APPEND;
    return open_path(how->path, O_WRONLY | O_CREAT | end);
}

static int open_pipe(int which, edo__ends *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return -errno;
    int ours = which == 0 ? p[1] : p[0];
    int flags = fcntl(ours, F_GETFL);
    if (flags < 0 || fcntl(ours, F_SETFL, flags | O_NONBLOCK) != 0) {
        int rc = -errno;
        close(p[0]);
        close(p[1]);
        return rc;
    }
    e->parent[which] = ours;
    return which == 0 ? p[0] : p[1];
}

/* The descriptor the child gets; -1: the caller's; or a negative code below that. */
static int open_one(const edo_stdio *how, int which, edo__ends *e)
{
    switch (how->kind) {
    case EDO_STDIO_INHERIT: return -1;
    case EDO_STDIO_NULL: return open_path("/dev/null", which == 0 ? O_RDONLY : O_WRONLY);
    case EDO_STDIO_PIPE: return open_pipe(which, e);
    case EDO_STDIO_FD: return fcntl(how->fd, F_GETFD) >= 0 ? how->fd : -EBADF;
    case EDO_STDIO_FILE:
    case EDO_STDIO_APPEND: return open_file(how, which);
    case EDO_STDIO_OUT:
        if (which != 2)
            return -EINVAL;
        return e->child[1] >= 0 ? e->child[1] : STDOUT_FILENO;
    default: return -EINVAL;
    }
}

int edo__stdio_open(const edo_process_options *o, edo__ends *e, edo__step *step)
{
    const edo_stdio *how[EDO__STDIO] = { &o->in, &o->out, &o->err };
    for (int i = 0; i < EDO__STDIO; i++) {
        e->child[i] = e->parent[i] = -1;
        e->opened[i] = false;
    }
    for (int i = 0; i < EDO__STDIO; i++) {
        int fd = open_one(how[i], i, e);
        if (fd < -1 || (fd == -1 && how[i]->kind != EDO_STDIO_INHERIT)) { /* -1 is -EPERM as well */
            edo__stdio_close_child(e);
            edo__stdio_close_parent(e);
            *step = (edo__step)(EDO__STEP_IN + i);
            return fd;
        }
        e->child[i] = fd;
        e->opened[i] = fd >= 0 && how[i]->kind != EDO_STDIO_FD && how[i]->kind != EDO_STDIO_OUT;
    }
    return 0;
}

void edo__stdio_close_child(edo__ends *e)
{
    for (int i = 0; i < EDO__STDIO; i++) {
        if (e->opened[i])
            close(e->child[i]);
        e->opened[i] = false;
        e->child[i] = -1;
    }
}

void edo__stdio_close_parent(edo__ends *e)
{
    for (int i = 0; i < EDO__STDIO; i++) {
        if (e->parent[i] >= 0)
            close(e->parent[i]);
        e->parent[i] = -1;
    }
}
