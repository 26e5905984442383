/* SPDX-License-Identifier: MIT */
/* A slot's registration and its waiters: see epoll.h for the rules. */
#include "io/epoll/epoll.h"

#include <edo/io.h>
#include <errno.h>

/* Waiters whose tasks were claimed or called while parked, in order, linked by `value`, which means
 * nothing here: who was called stays in the slot's queue. Their memory stays until they are
 * scheduled, which happens after the slot's lock is free. */
typedef struct chain {
    edo__waiter *head, *tail;
} chain;

static void chain_add(chain *c, edo__waiter *w)
{
    w->value = NULL;
    if (c->head == NULL)
        c->head = w;
    else
        c->tail->value = w;
    c->tail = w;
}

static void chain_schedule(const chain *c)
{
    for (edo__waiter *w = c->head, *next; w != NULL; w = next) {
        next = w->value;
        edo__claimed(w->task, EDO__WORD_PARKED);
    }
}

/* Takes w off the queue and claims its task. False: it was cancelled or taken by another case. */
static bool claim(edo__slot *s, edo__waiter *w, int32_t result, chain *c)
{
    edo__waitq_remove(&s->q, w);
    w->result = result;
    uint32_t was = edo__claim(w->task, w->code);
    if (was == EDO__WORD_PARKED)
        chain_add(c, w);
    return was != EDO__WORD_IDLE;
}

static uint32_t epoll_bits(const edo__slot *s, unsigned events)
{
    uint32_t bits = 0;
    if ((events & EDO_READABLE) != 0)
        /* PRI: after urgent data a short read does not mean that nothing is left. */
        bits |= s->kind == EDO__SLOT_OWNED ? EPOLLIN | EPOLLRDHUP | EPOLLPRI : EPOLLIN;
    if ((events & EDO_WRITABLE) != 0)
        bits |= EPOLLOUT;
    return bits;
}

/* Registers with s->home, whether the kernel knows the descriptor there or not: it forgets closed
 * ones, and remembers those that live on under another number. */
static int ctl(edo__slot *s, uint32_t bits, bool expect_known)
{
    uint64_t data = (uint64_t)s->gen << 32 | (uint32_t)s->fd;
    int op = expect_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    edo__aadd(&s->home->ctls, 1, EDO__RLX);
    int rc = edo__sys_ctl(s->home->epfd, op, s->fd, bits, data);
    if (rc == -ENOENT && op == EPOLL_CTL_MOD)
        rc = edo__sys_ctl(s->home->epfd, EPOLL_CTL_ADD, s->fd, bits, data);
    else if (rc == -EEXIST && op == EPOLL_CTL_ADD)
        rc = edo__sys_ctl(s->home->epfd, EPOLL_CTL_MOD, s->fd, bits, data);
    return rc;
}

/* A task is to wait for what only the helper thread watches: a worker does that with fewer
 * switches. */
static void move_off_helper(edo__slot *s, const edo__epoll *io)
{
    if (s->home != NULL && s->home->helper && !io->helper && s->q.head == NULL)
        edo__slot_disarm(s);
}

int edo__slot_arm(edo__slot *s, edo__epoll *io, unsigned events)
{
    uint32_t bits = epoll_bits(s, events) | s->armed;
    move_off_helper(s, io);
    if (bits == s->armed)
        return 0;
    bool had_home = s->home != NULL;
    if (!had_home)
        s->home = io;
    bool owned = s->kind == EDO__SLOT_OWNED;
    if (!owned || !had_home)
        s->gen++;
    int rc = ctl(s, bits | (owned ? EPOLLET : EPOLLONESHOT), had_home);
    if (rc < 0) {
        if (!had_home)
            s->home = NULL;
        return rc;
    }
    if (s->armed == 0)
        edo__aadd(&s->home->armed, 1, EDO__RLX); /* a hint and a statistic */
    s->armed = bits;
    return 0;
}

void edo__slot_disarm(edo__slot *s)
{
    if (s->home == NULL)
        return;
    if (s->armed != 0) {
        /* May fail when the descriptor was closed: then there is nothing to take back. */
        edo__aadd(&s->home->ctls, 1, EDO__RLX);
        (void)edo__sys_ctl(s->home->epfd, EPOLL_CTL_DEL, s->fd, 0, 0);
        edo__asub(&s->home->armed, 1, EDO__RLX);
    }
    s->armed = 0;
    s->home = NULL;
    s->gen++;
}

/* w, a select's, stays where it is. */
static void call(edo__waiter *w, chain *c)
{
    if (edo__wait_call(w->task) == EDO__WORD_PARKED)
        chain_add(c, w);
}

void edo__slot_wake_all(edo__slot *s, bool closed)
{
    chain c = { NULL, NULL };
    edo__spin_lock(&s->q.lock);
    for (edo__waiter *w = s->q.head, *next; w != NULL; w = next) {
        next = w->next;
        if (w->select && !closed)
            call(w, &c);
        else
            claim(s, w, w->select ? (int32_t)w->n : 0, &c);
    }
    edo__spin_unlock(&s->q.lock);
    chain_schedule(&c);
}

static void wake_op(edo__slot *s, unsigned dir, chain *c)
{
    uint64_t wanted = EDO__WAIT_OP | 1u << dir;
    for (edo__waiter *w = s->q.head, *next; w != NULL; w = next) {
        next = w->next;
        if ((w->n & wanted) == wanted && claim(s, w, 1, c))
            return;
    }
}

void edo__slot_pass_on(edo__slot *s, unsigned dir)
{
    chain c = { NULL, NULL };
    edo__spin_lock(&s->q.lock);
    wake_op(s, dir, &c);
    edo__spin_unlock(&s->q.lock);
    chain_schedule(&c);
}

/* Tells those that wait for readiness; returns the events that are still waited for. */
static unsigned wake_ready(edo__slot *s, chain *c)
{
    int now = -1;
    unsigned left = 0;
    for (edo__waiter *w = s->q.head, *next; w != NULL; w = next) {
        next = w->next;
        if ((w->n & EDO__WAIT_OP) != 0)
            continue;
        if (now == -1) {
            now = edo__sys_ready(s->fd, EDO_READABLE | EDO_WRITABLE);
            if (now < 0) /* closed under the waiters: let them find out */
                now = EDO_READABLE | EDO_WRITABLE;
        }
        unsigned ready = (unsigned)now & (unsigned)w->n;
        if (ready != 0)
            claim(s, w, (int32_t)ready, c);
        else
            left |= (unsigned)w->n;
    }
    return left;
}

static void edge(edo__slot *s, unsigned dir, chain *c)
{
    /* release: pairs with the acquire of whoever is about to try, and so expects what it finds */
    edo__astore(&s->seq[dir], s->seq[dir] + 1, EDO__REL);
    wake_op(s, dir, c);
}

static void owned_event(edo__slot *s, uint32_t events, chain *c)
{
    uint32_t ended = events & (EPOLLHUP | EPOLLERR);
    uint8_t sticky = (uint8_t)(ended != 0 ? 3 : (events & (EPOLLRDHUP | EPOLLPRI)) != 0 ? 1 : 0);
    /* relaxed: the release of seq in edge() publishes it */
    edo__astore(&s->sticky, (uint8_t)(s->sticky | sticky), EDO__RLX);
    if (ended != 0 || (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI)) != 0)
        edge(s, EDO__DIR_READ, c);
    if (ended != 0 || (events & EPOLLOUT) != 0)
        edge(s, EDO__DIR_WRITE, c);
    (void)wake_ready(s, c);
}

static void foreign_event(edo__slot *s, chain *c)
{
    s->armed = 0; /* one shot */
    edo__asub(&s->home->armed, 1, EDO__RLX);
    unsigned left = wake_ready(s, c);
    if (left == 0)
        return;
    int rc = edo__slot_arm(s, s->home, left);
    while (rc < 0 && s->q.head != NULL)
        claim(s, s->q.head, rc, c);
}

void edo__slot_event(edo__slot *s, uint32_t gen, uint32_t events)
{
    chain c = { NULL, NULL };
    edo__spin_lock(&s->q.lock);
    if (s->gen == gen && s->armed != 0) {
        EDO__PROBE2(io_ready, s->fd, events);
        if (s->kind == EDO__SLOT_OWNED)
            owned_event(s, events, &c);
        else
            foreign_event(s, &c);
    }
    edo__spin_unlock(&s->q.lock);
    chain_schedule(&c);
}
