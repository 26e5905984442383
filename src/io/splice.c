/* SPDX-License-Identifier: MIT */
/* Moving bytes through a pipe; see splice.h. */
#include "io/splice.h"

#include "base/atomic.h"
#include "io/sys.h"

#include <edo/io.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define EDO__NOINLINE __attribute__((noinline))
#define PIPE_SIZE (256 << 10) /* where more is allowed than the kernel's 64 KiB */
#define SHARE 16              /* pipes have at most one part in so many of the descriptors, twice */
#define PIPES_MAX 1024

static uint32_t pipes; /* atomic: that are open; orders nothing */

bool edo__splice_possible(edo_stream *dst, edo_stream *src)
{
    return edo__fd_stream_of(dst) != NULL && edo__fd_stream_of(src) != NULL;
}

/* How many pipes there may be, so that enough is left for connections. */
EDO__NOINLINE static uint32_t pipes_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / SHARE > PIPES_MAX)
        return PIPES_MAX;
    return (uint32_t)(limit.rlim_cur / SHARE);
}

EDO__NOINLINE static bool open_pipe(edo__splice *p)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    (void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE); /* a wish */
    p->out = fds[0];
    p->in = fds[1];
    return true;
}

edo__splice *edo__splice_open(void)
{
    edo__splice *p = NULL;
    if (edo__aadd(&pipes, 1, EDO__RLX) < pipes_max())
        p = malloc(sizeof *p);
    if (p != NULL && open_pipe(p)) {
        p->held = 0;
        return p;
    }
    free(p);
    edo__asub(&pipes, 1, EDO__RLX);
    return NULL;
}

void edo__splice_close(edo__splice *p)
{
    if (p == NULL)
        return;
    close(p->in);
    close(p->out);
    free(p);
    edo__asub(&pipes, 1, EDO__RLX);
}

typedef struct move {
    int other;
    bool writes; /* to the stream; or from it */
    size_t most;
} move;

static ssize_t move_call(const edo__desc *d, void *arg)
{
    const move *m = arg;
    return m->writes ? edo__sys_splice(m->other, d->fd, m->most, true)
                     : edo__sys_splice(d->fd, m->other, m->most, false);
}

static ssize_t attempt(edo_stream *s, move *m)
{
    const edo__attempt what = { .call = move_call,
                                .arg = m,
                                .events = m->writes ? EDO_WRITABLE : EDO_READABLE,
                                .why = m->writes ? EDO__WHY_WRITE : EDO__WHY_READ };
    return edo__stream_attempt(s, &what);
}

ssize_t edo__splice_fill(edo__splice *p, edo_stream *src, size_t most)
{
    move m = { .other = p->in, .most = most < PIPE_SIZE ? most : PIPE_SIZE };
    ssize_t n = attempt(src, &m);
    if (n > 0)
        p->held = (size_t)n;
    return n;
}

ssize_t edo__splice_drain(edo__splice *p, edo_stream *dst, size_t most)
{
    move m = { .other = p->out, .writes = true, .most = most < p->held ? most : p->held };
    ssize_t n = attempt(dst, &m);
    if (n > 0)
        p->held -= (size_t)n;
    else if (n != -ECANCELED && n != -EINVAL)
        dst->broken = true; /* as edo_write_some() has it */
    return n;
}

EDO__NOINLINE ssize_t edo__splice_read(edo__splice *p, void *buf, size_t n)
{
    ssize_t got;
    do {
        got = read(p->out, buf, n < p->held ? n : p->held);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        p->held -= (size_t)got;
    return got >= 0 ? got : -errno;
}
