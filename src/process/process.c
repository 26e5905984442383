/* SPDX-License-Identifier: MIT */
/* Child processes: started, waited for, sent signals, ended.
 *
 * A child is reaped by whoever first asks and finds that it has ended, under the lock; so its number
 * is its own while a signal is sent. The leader of a group is only looked at and stays a zombie until
 * the process is closed: as long as it is there, the number of its group is nobody else's, and what is
 * left of the group can be killed. */
#include "process/process.h"

#include "base/assert.h"
#include "base/spin.h"
#include "core/wait.h"
#include "io/stream.h"
#include "io/sys.h"

#include <edo/task.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define GRACE EDO_SEC(5)

static const edo_process_options defaults;

int edo__process_failed(const edo_process_options *o, edo__step step, int rc)
{
    if (o->failed != NULL)
        *o->failed = edo__step_name(step);
    return rc;
}

int edo__process_start(edo_process *p, const char *const *argv, const edo_process_options *o,
                       edo__ends *e)
{
    *p = (edo_process){ .edo__fd = -1,
                        .edo__leads = o->group || o->session,
                        .edo__grace = o->grace != 0 ? o->grace : GRACE };
    edo__step step = EDO__STEP_NONE;
    pid_t pid = 0;
    int rc = edo__launch(argv, o, e, &pid, &p->edo__fd, &step);
    if (rc == 0 && p->edo__fd < 0) {
        p->edo__watched = true;
        rc = edo__watch_by_thread(pid, &p->edo__fd);
        if (rc < 0) {
            edo_exit unused;
            (void)edo__send_signal(pid, -1, p->edo__leads, SIGKILL);
            edo__reap_blocking(pid, -1, &unused);
        }
    }
    if (rc < 0) {
        edo__stdio_close_parent(e);
        return edo__process_failed(o, step, rc);
    }
    p->pid = pid;
    return 0;
}

/* Streams of our ends of the pipes: before there is a child, so that it need not be ended because
 * there is no memory. */
static int open_streams(edo__ends *e, edo_stream *streams[EDO__STDIO])
{
    for (int i = 0; i < EDO__STDIO; i++) {
        if (e->parent[i] < 0)
            continue;
        edo__fd_stream *s = edo__fd_stream_alloc();
        int rc = s != NULL ? 0 : -ENOMEM;
        if (rc == 0)
            rc = edo__fd_stream_open(s, edo__backend_of(edo__self()), e->parent[i], 0);
        if (rc < 0) {
            free(s);
            return rc;
        }
        streams[i] = &s->base;
        e->parent[i] = -1; /* the stream's */
    }
    return 0;
}

static void close_streams(edo_stream *streams[EDO__STDIO])
{
    for (int i = 0; i < EDO__STDIO; i++)
        edo_close(streams[i]);
}

int edo_process_spawn(edo_process *p, const char *const *argv, const edo_process_options *options)
{
    const edo_process_options *o = options != NULL ? options : &defaults;
    edo__task *self = edo__self();
    *p = (edo_process){ .edo__fd = -1 };
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return edo__process_failed(o, EDO__STEP_NONE, rc);
    edo__ends e;
    edo__step step;
    edo_stream *streams[EDO__STDIO] = { NULL, NULL, NULL };
    rc = edo__stdio_open(o, &e, &step);
    if (rc < 0)
        return edo__process_failed(o, step, rc);
    rc = open_streams(&e, streams);
    if (rc < 0) {
        edo__stdio_close_child(&e);
        edo__stdio_close_parent(&e);
        (void)edo__process_failed(o, EDO__STEP_PROCESS, rc);
    } else {
        rc = edo__process_start(p, argv, o, &e);
    }
    if (rc < 0) {
        close_streams(streams);
        return rc;
    }
    p->in = streams[0];
    p->out = streams[1];
    p->err = streams[2];
    edo__coop(self);
    return 0;
}

/* Under the lock, which is held across system calls that do not sleep. 0 or -ECHILD once it has
 * ended; -EAGAIN. */
static int look(edo_process *p)
{
    if (p->edo__ended)
        return p->edo__code;
    /* Its thread first: it must not find another child of the same number. */
    if (p->edo__watched && edo__sys_ready(p->edo__fd, EDO_READABLE) == 0)
        return -EAGAIN;
    int pidfd = p->edo__watched ? -1 : p->edo__fd;
    int rc = edo__reap(p->pid, pidfd, p->edo__leads, &p->edo__exit);
    if (rc == -EAGAIN)
        return rc;
    if (rc < 0)
        p->edo__exit = (edo_exit){ .code = -1 };
    p->edo__code = rc;
    p->edo__ended = true;
    return rc;
}

int edo_process_wait_nowait(edo_process *p, edo_exit *out)
{
    if (p->pid == 0)
        return -EINVAL;
    edo__spin_lock(&p->edo__lock);
    int rc = look(p);
    if (rc != -EAGAIN && out != NULL)
        *out = p->edo__exit;
    edo__spin_unlock(&p->edo__lock);
    return rc;
}

int edo_process_wait(edo_process *p, edo_exit *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    rc = edo_process_wait_nowait(p, out);
    if (rc != -EAGAIN) {
        edo__coop(self);
        return rc;
    }
    do {
        rc = edo_wait_fd(p->edo__fd, EDO_READABLE);
        if (rc < 0)
            return rc;
        rc = edo_process_wait_nowait(p, out);
    } while (rc == -EAGAIN);
    return rc;
}

int edo_process_fd(const edo_process *p)
{
    return p->edo__fd;
}

static int send_signal(edo_process *p, int number)
{
    if (p->pid == 0)
        return -ESRCH;
    int rc = -ESRCH;
    edo__spin_lock(&p->edo__lock);
    if (!p->edo__ended || (p->edo__leads && p->edo__code == 0))
        rc = edo__send_signal(p->pid, p->edo__watched ? -1 : p->edo__fd, p->edo__leads, number);
    edo__spin_unlock(&p->edo__lock);
    return rc;
}

int edo_process_signal(edo_process *p, int number)
{
    return send_signal(p, number);
}

int edo_process_kill(edo_process *p)
{
    return send_signal(p, SIGKILL);
}

/* Waits for so long, whatever is cancelled around. 0: it has ended. */
static int wait_shielded(edo_process *p, int64_t grace)
{
    edo_scope s;
    edo_shield_open(&s, grace);
    int rc = edo_process_wait(p, NULL);
    rc = edo_scope_close(&s, rc);
    return rc == -ECHILD ? 0 : rc;
}

/* It has ended when this returns. */
static void end(edo_process *p, int64_t grace)
{
    int rc = edo_process_wait_nowait(p, NULL);
    if (rc != -EAGAIN)
        return;
    if (grace > 0) {
        (void)send_signal(p, SIGTERM);
        (void)send_signal(p, SIGCONT); /* one that is stopped would not hear of it */
        if (wait_shielded(p, grace) == 0)
            return;
    }
    (void)edo_process_kill(p);
    while (wait_shielded(p, EDO_FOREVER) < 0) {
        /* No memory to wait with: it is being killed, that is soon. */
        edo_exit unused;
        if (p->edo__leads)
            sched_yield();
        else
            edo__reap_blocking(p->pid, p->edo__watched ? -1 : p->edo__fd, &unused);
    }
}

int edo_process_terminate(edo_process *p, int64_t grace, edo_exit *out)
{
    if (p->pid == 0)
        return -EINVAL;
    end(p, grace);
    return edo_process_wait_nowait(p, out);
}

static void close_own_streams(edo_process *p)
{
    close_streams((edo_stream *[]){ p->in, p->out, p->err });
    p->in = p->out = p->err = NULL;
}

static void forget(edo_process *p)
{
    p->pid = 0;
    p->edo__fd = -1;
}

int edo_process_close(edo_process *p)
{
    close_own_streams(p);
    if (p->pid == 0)
        return 0;
    end(p, p->edo__grace);
    if (p->edo__leads && p->edo__code == 0) {
        edo_exit unused;
        (void)edo__send_signal(p->pid, -1, true, SIGKILL);
        (void)edo__reap(p->pid, p->edo__watched ? -1 : p->edo__fd, false, &unused);
    }
    close(p->edo__fd);
    forget(p);
    return 0;
}

int edo_process_detach(edo_process *p)
{
    if (p->pid == 0)
        return -EINVAL;
    bool ended = edo_process_wait_nowait(p, NULL) != -EAGAIN;
    if (!ended || p->edo__leads) {
        int rc = edo__reap_by_thread(p->pid, p->edo__fd, !p->edo__watched);
        if (rc < 0)
            return rc;
    } else {
        close(p->edo__fd);
    }
    close_own_streams(p);
    forget(p);
    return 0;
}

int edo_process_run(const char *const *argv, const edo_process_options *options, edo_exit *out)
{
    edo_process p;
    int rc = edo_process_spawn(&p, argv, options);
    if (rc < 0)
        return rc;
    rc = edo_process_wait(&p, out);
    edo_process_close(&p);
    return rc;
}
