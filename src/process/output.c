/* SPDX-License-Identifier: MIT */
/* Running a program to its end, with everything that it reads and writes: one loop over a select of its
 * input, its output, its errors, and its end. Nothing of it may wait for another, or the child, which
 * waits for us, would never end. */
#include "process/process.h"

#include "core/wait.h"
#include "io/sys.h"

#include <edo/time.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX ((size_t)64 << 20)
#define LINGER EDO_SEC(1)
#define ROOM_FIRST 4096u
#define ROOM_LEFT 2048u
#define WRITE_MAX 65536u

typedef struct capture {
    int fd; /* -1: at its end, or elsewhere */
    char *data;
    size_t size, room;
} capture;

typedef struct session {
    edo_process *p;
    int in; /* -1: all is written */
    const char *input;
    size_t input_left;
    capture out, err;
    size_t max;
    bool ended;
    int64_t linger, until; /* how long to read on, and then until when */
    edo_exit exit;
} session;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int feed(session *s)
{
    edo__desc d = { .fd = s->in };
    size_t n = s->input_left < WRITE_MAX ? s->input_left : WRITE_MAX;
    const struct iovec iov = { .iov_base = (void *)(uintptr_t)s->input, .iov_len = n };
    ssize_t done = n > 0 ? edo__sys_writev(&d, &iov, 1) : 0;
    if (done == -EAGAIN)
        return 0;
    if (done == -EPIPE) { /* it wants no more */
        close_fd(&s->in);
        return 0;
    }
    if (done < 0)
        return (int)done;
    s->input += done;
    s->input_left -= (size_t)done;
    if (s->input_left == 0)
        close_fd(&s->in);
    return 0;
}

/* Room for some more, and for a zero byte behind it. */
static int grow(capture *c, size_t max)
{
    if (c->room - c->size >= ROOM_LEFT || c->room > max)
        return 0;
    size_t room = c->room == 0 ? ROOM_FIRST : c->room * 2;
    if (room > max)
        room = max + 1; /* one more than is allowed: to see that there is too much */
    char *data = realloc(c->data, room + 1);
    if (data == NULL)
        return -ENOMEM;
    c->data = data;
    c->room = room;
    return 0;
}

static int collect(capture *c, size_t max)
{
    int rc = grow(c, max);
    if (rc < 0)
        return rc;
    edo__desc d = { .fd = c->fd };
    const struct iovec iov = { .iov_base = c->data + c->size, .iov_len = c->room - c->size };
    ssize_t n = edo__sys_readv(&d, &iov, 1);
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    c->size += (size_t)n;
    if (c->size > max)
        return EDO_EOVERSIZE;
    if (n == 0)
        close_fd(&c->fd);
    return 0;
}

static int notice_end(session *s)
{
    int rc = edo_process_wait_nowait(s->p, &s->exit);
    if (rc == -EAGAIN)
        return 0;
    s->ended = true;
    close_fd(&s->in);
    int64_t now = edo_now();
    s->until = s->linger < EDO_FOREVER - now ? now + s->linger : EDO_FOREVER;
    return rc;
}

enum { IN, OUT, ERR, END, LATE, CASES };

/* One thing that has happened. 1: and that was all. */
static int step(session *s)
{
    edo_case cases[CASES] = { [IN] = EDO_WRITABLE(s->in),
                              [OUT] = EDO_READABLE(s->out.fd),
                              [ERR] = EDO_READABLE(s->err.fd),
                              [END] = EDO_EXITED(s->p),
                              [LATE] = EDO_AT(s->until) };
    bool on[CASES] = { s->in >= 0, s->out.fd >= 0, s->err.fd >= 0, !s->ended, s->ended };
    for (int i = 0; i < CASES; i++)
        if (!on[i])
            cases[i].kind = EDO_CASE_NONE;
    int i = edo_select(cases, CASES);
    if (i < 0)
        return i;
    if (cases[i].result < 0)
        return cases[i].result;
    switch (i) {
    case IN: return feed(s);
    case OUT: return collect(&s->out, s->max);
    case ERR: return collect(&s->err, s->max);
    case END: return notice_end(s);
    default: return 1;
    }
}

static int converse(session *s, bool *cut)
{
    int rc = s->in >= 0 && s->input_left == 0 ? feed(s) : 0;
    while (rc == 0 && (!s->ended || s->out.fd >= 0 || s->err.fd >= 0))
        rc = step(s);
    *cut = rc == 1;
    return rc < 0 ? rc : 0;
}

/* What was captured becomes the caller's, with a zero byte at its end. */
static int give(capture *c, bool captured, char **data, size_t *size)
{
    if (captured && c->data == NULL && (c->data = malloc(1)) == NULL)
        return -ENOMEM;
    if (captured)
        c->data[c->size] = '\0';
    *data = c->data;
    *size = c->size;
    return 0;
}

static int finish(session *s, edo_output *out, bool has_out, bool has_err)
{
    int rc = give(&s->out, has_out, &out->out, &out->out_size);
    if (rc == 0)
        rc = give(&s->err, has_err, &out->err, &out->err_size);
    out->exit = s->exit;
    return rc;
}

static edo_process_options fill_in(const edo_process_options *options)
{
    edo_process_options o = options != NULL ? *options : (edo_process_options){ .grace = 0 };
    if (o.in.kind == EDO_STDIO_INHERIT)
        o.in.kind = o.input_size > 0 ? EDO_STDIO_PIPE : EDO_STDIO_NULL;
    if (o.out.kind == EDO_STDIO_INHERIT)
        o.out.kind = EDO_STDIO_PIPE;
    if (o.err.kind == EDO_STDIO_INHERIT)
        o.err.kind = EDO_STDIO_PIPE;
    if (o.output_max == 0)
        o.output_max = OUTPUT_MAX;
    if (o.linger == 0)
        o.linger = LINGER;
    return o;
}

int edo_process_output(const char *const *argv, const edo_process_options *options, edo_output *out)
{
    *out = (edo_output){ .out = NULL };
    edo_process_options o = fill_in(options);
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return edo__process_failed(&o, EDO__STEP_NONE, rc);
    edo__ends e;
    edo__step what;
    edo_process p;
    rc = edo__stdio_open(&o, &e, &what);
    if (rc < 0)
        return edo__process_failed(&o, what, rc);
    rc = edo__process_start(&p, argv, &o, &e);
    if (rc < 0)
        return rc;
    session s = { .p = &p,
                  .in = e.parent[0],
                  .input = o.input,
                  .input_left = o.input_size,
                  .out.fd = e.parent[1],
                  .err.fd = e.parent[2],
                  .max = o.output_max,
                  .linger = o.linger };
    rc = converse(&s, &out->cut);
    close_fd(&s.in);
    close_fd(&s.out.fd);
    close_fd(&s.err.fd);
    edo_process_close(&p);
    if (rc == 0)
        rc = finish(&s, out, e.parent[1] >= 0, e.parent[2] >= 0);
    if (rc < 0) {
        free(s.out.data);
        free(s.err.data);
        *out = (edo_output){ .out = NULL };
    }
    return rc;
}

void edo_output_free(edo_output *out)
{
    free(out->out);
    free(out->err);
    *out = (edo_output){ .out = NULL };
}
