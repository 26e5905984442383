/* SPDX-License-Identifier: MIT */
/* Operations on owned descriptors: try, and wait for an edge when there was nothing; or wait first
 * when the last operation has left nothing. Which of the two is decided by seq and seen, see
 * epoll.h. */
#include "io/epoll/epoll.h"
#include "io/desc.h"
#include "io/probes.h"

#include <edo/io.h>
#include <errno.h>

int edo__epoll_desc_open(edo__desc *d, int fd)
{
    edo__slot *s;
    int rc = edo__slot_get(fd, &s);
    if (rc < 0)
        return rc;
    edo__spin_lock(&s->q.lock);
    edo__slot_disarm(s); /* what was left by a foreign wait on this number */
    s->kind = EDO__SLOT_OWNED;
    for (unsigned dir = 0; dir < 2; dir++)
        edo__astore(&s->seen[dir], s->seq[dir] - 1, EDO__RLX); /* try first: nothing is known */
    edo__astore(&s->sticky, 0, EDO__RLX);
    edo__spin_unlock(&s->q.lock);
    d->fd = fd;
    d->slot = s;
    return 0;
}

void edo__epoll_desc_close(edo__desc *d)
{
    edo__slot *s = d->slot;
    edo__spin_lock(&s->q.lock);
    for (edo__waiter *w = s->q.head; w != NULL; w = w->next)
        edo_assert((w->n & EDO__WAIT_OP) == 0); /* closed while somebody uses it */
    edo__slot_disarm(s);
    s->kind = EDO__SLOT_FOREIGN;
    edo__astore(&s->misses, 0, EDO__RLX);
    edo__spin_unlock(&s->q.lock);
    edo__slot_wake_all(s, true); /* misuse: somebody waits for a descriptor that is closed now */
    d->slot = NULL;
    d->fd = -1;
}

/* One operation: its direction, and what it tries. */
typedef struct op {
    edo__desc *d;
    unsigned dir;
    edo__why why;
    ssize_t (*try)(const struct op *op); /* noinline: uses errno */
    const struct iovec *iov;
    int n;
    struct sockaddr *addr;
    socklen_t *len;
    const edo__attempt *attempt;
} op;

static ssize_t try_read(const op *o)
{
    return edo__sys_readv(o->d, o->iov, o->n);
}

static ssize_t try_write(const op *o)
{
    return edo__sys_writev(o->d, o->iov, o->n);
}

static ssize_t try_accept(const op *o)
{
    return edo__sys_accept(o->d->fd, o->addr, o->len);
}

static ssize_t try_connected(const op *o)
{
    return edo__sys_connected(o->d->fd);
}

static ssize_t try_attempt(const op *o)
{
    return o->attempt->call(o->d, o->attempt->arg);
}

static bool is_sticky(edo__slot *s, unsigned dir)
{
    /* relaxed: the acquire of seq before covers it */
    return (edo__aload(&s->sticky, EDO__RLX) >> dir & 1) != 0;
}

/* A short transfer over TCP: the next one would find nothing, so it waits first. Not after a
 * hang-up: the end of the stream, or an error, can be had at once and gives no further edge. */
static void note_short(const op *o, uint32_t seq, ssize_t done)
{
    edo__slot *s = o->d->slot;
    if (done <= 0 || (o->d->flags & EDO__DESC_TCP) == 0 || o->iov == NULL)
        return;
    size_t wanted = 0;
    for (int i = 0; i < o->n; i++)
        wanted += o->iov[i].iov_len;
    if ((size_t)done < wanted && !is_sticky(s, o->dir))
        edo__astore(&s->seen[o->dir], seq, EDO__RLX); /* of this one reader or writer */
}

static ssize_t run_loop(const op *o, edo__task *self)
{
    edo__slot *s = o->d->slot;
    bool waited = false;
    for (;;) {
        /* acquire: pairs with the release in edge(); before the try, so that an edge after it
         * counts */
        uint32_t seq = edo__aload(&s->seq[o->dir], EDO__ACQ);
        if (seq != edo__aload(&s->seen[o->dir], EDO__RLX) || is_sticky(s, o->dir)) {
            ssize_t done = o->try(o);
            if (done != -EAGAIN) {
                note_short(o, seq, done);
                if (!waited)
                    edo__coop(self);
                return done;
            }
        }
        int rc = edo__slot_wait(s, self, o->dir, seq, o->why, &waited);
        if (rc < 0)
            return rc;
    }
}

static ssize_t run(const op *o)
{
    edo__task *self = edo__self();
    ssize_t rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    edo__io_begins(self, o->d->fd, o->why);
    rc = run_loop(o, self);
    edo__io_ends(self, o->d->fd, o->why, rc);
    return rc;
}

ssize_t edo__epoll_readv(edo__desc *d, const struct iovec *iov, int n)
{
    op o = {
        .d = d, .dir = EDO__DIR_READ, .why = EDO__WHY_READ, .try = try_read, .iov = iov, .n = n
    };
    return run(&o);
}

ssize_t edo__epoll_writev(edo__desc *d, const struct iovec *iov, int n)
{
    op o = {
        .d = d, .dir = EDO__DIR_WRITE, .why = EDO__WHY_WRITE, .try = try_write, .iov = iov, .n = n
    };
    return run(&o);
}

int edo__epoll_accept(edo__desc *d, struct sockaddr *addr, socklen_t *len)
{
    op o = { .d = d,
             .dir = EDO__DIR_READ,
             .why = EDO__WHY_ACCEPT,
             .try = try_accept,
             .addr = addr,
             .len = len };
    int rc = (int)run(&o);
    /* One edge may stand for several connections and wakes one acceptor: each wakes the next, until
     * one finds nothing. */
    if (rc != -ECANCELED)
        edo__slot_pass_on(d->slot, EDO__DIR_READ);
    return rc;
}

int edo__epoll_connect(edo__desc *d, const struct sockaddr *addr, socklen_t len)
{
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    rc = edo__sys_connect(d->fd, addr, len);
    if (rc != -EINPROGRESS)
        return rc;
    op o = { .d = d, .dir = EDO__DIR_WRITE, .why = EDO__WHY_CONNECT, .try = try_connected };
    return (int)run(&o);
}

ssize_t edo__epoll_attempt(edo__desc *d, const edo__attempt *what)
{
    unsigned dir = what->events == EDO_READABLE ? EDO__DIR_READ : EDO__DIR_WRITE;
    op o = { .d = d, .dir = dir, .why = what->why, .try = try_attempt, .attempt = what };
    ssize_t rc = run(&o);
    if (rc != -ECANCELED) /* as in edo__epoll_accept() */
        edo__slot_pass_on(d->slot, dir);
    return rc;
}
