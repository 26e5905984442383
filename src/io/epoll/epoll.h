/* SPDX-License-Identifier: MIT */
/* The epoll backend's parts among themselves.
 *
 * Every descriptor number has a slot. Its lock orders what everybody does with the descriptor:
 * waiting, ending a wait, changing the registration, and the events that arrive. Slots are the
 * process's, like descriptor numbers, and never freed: an event or a stream may point to one at any
 * time. A slot's home is the epoll instance the descriptor is registered with.
 *
 * There are two kinds of registrations:
 *
 * - owned: a stream's or listener's, which the library opens and closes. Registered at the first
 * wait,
 *   edge-triggered, for its life. seq counts the edges of a direction; an operation that found nothing
 *   notes in `seen` the seq from before it tried. So seq == seen means "has nothing, wait for an edge",
 *   and an edge between the try and the wait cannot be lost.
 *
 * - foreign: edo_wait_fd() and select. The owner may close the number and get it again for
 * something
 *   else between two waits without telling us. So each wait arms one shot with a generation of its own,
 *   a wait that ends otherwise takes the registration back, and what an event says is asked again with
 *   poll(2) before anybody is told.
 *
 * The lock is held across epoll_ctl() and poll(..., 0), which do not sleep: the kernel's
 * registration and ours must change together, and only users of the same descriptor can meet at the
 * lock. */
#ifndef EDO_IO_EPOLL_H
#define EDO_IO_EPOLL_H

#include "core/backend.h"
#include "core/wait.h"
#include "io/sys.h"

#include <sys/epoll.h>

#define EDO__EPOLL_BATCH 256

enum { EDO__DIR_READ, EDO__DIR_WRITE };

typedef enum edo__slot_kind {
    EDO__SLOT_FOREIGN,
    EDO__SLOT_OWNED,
} edo__slot_kind;

/* One epoll instance: a worker's, or the one that serves foreign threads. */
typedef struct edo__epoll {
    int epfd;
    int wakefd;      /* eventfd, registered edge-triggered and never read; -1: is never woken */
    uint32_t woken;  /* atomic: a write to wakefd has not been seen by poll() yet */
    uint32_t armed;  /* atomic: slots at home here that can give an event */
    uint64_t polls;  /* atomic, statistics */
    uint64_t events; /* atomic, statistics */
    uint64_t ctls;   /* atomic, statistics: changes of what is registered */
    bool helper;     /* serves foreign threads: no worker's */
    struct epoll_event batch[EDO__EPOLL_BATCH]; /* of the thread that owns this */
} edo__epoll;

typedef struct edo__slot {
    edo__waitq q; /* who waits; q.lock is the slot's lock, over all below. w->n: see EDO__WAIT_OP */
    edo__epoll *home; /* NULL: not registered */
    int32_t fd;
    uint32_t gen;     /* events of another generation are stale */
    uint32_t armed;   /* epoll's bits in force; 0: no event can come */
    uint32_t seq[2];  /* atomic, owned: edges so far, per direction; written under the lock */
    uint32_t seen[2]; /* atomic, owned: nothing was left after this many edges */
    uint8_t kind;     /* edo__slot_kind */
    uint8_t sticky;   /* atomic, owned: directions (1 << dir) that a hang-up or error made ready */
    uint8_t misses;   /* atomic, foreign: times in a row that a look found nothing ready */
    uint8_t spare;
} edo__slot;

_Static_assert(sizeof(edo__slot) == 64, "one cache line");

/* In w->n of a waiter: edo.h's events it waits for; and that it runs an operation on an owned
 * descriptor, of which one per direction is woken by an edge. */
#define EDO__WAIT_OP 256u

/* table.c */
edo__slot *edo__slot_find(int fd); /* NULL: there is none */
int edo__slot_get(int fd, edo__slot **out);
/* Takes every slot away from an epoll instance that closes; who waits looks again elsewhere. */
void edo__slot_evict(edo__epoll *home);

/* slot.c; the lock held, except where it says otherwise */
/* Makes sure that events wake the slot's waiters, at its home or, when it has none, at io. */
int edo__slot_arm(edo__slot *s, edo__epoll *io, unsigned events);
void edo__slot_disarm(edo__slot *s);
/* The descriptor is closed, or (not closed) has lost its home: who waits looks again. A select is
 * told that a closed one is ready, since looking would tell it nothing; else it keeps its place.
 * Takes and releases the lock. */
void edo__slot_wake_all(edo__slot *s, bool closed);
/* Wakes the next operation waiting for the direction. Takes and releases the lock. */
void edo__slot_pass_on(edo__slot *s, unsigned dir);
/* What an event means; takes and releases the lock. */
void edo__slot_event(edo__slot *s, uint32_t gen, uint32_t events);

/* wait.c */
int edo__epoll_wait_fd(int fd, unsigned events);
int edo__epoll_watch(int fd, unsigned events, edo__waiter *w);
int edo__epoll_rewatch(int fd, edo__waiter *w);
void edo__epoll_unwatch(int fd, edo__waiter *w);
/* Waits for an edge after number seq; 0 at once when there was one. Waited or not: *waited. */
int edo__slot_wait(edo__slot *s, edo__task *self, unsigned dir, uint32_t seq, edo__why why,
                   bool *waited);

/* ops.c */
int edo__epoll_desc_open(edo__desc *d, int fd);
void edo__epoll_desc_close(edo__desc *d);
ssize_t edo__epoll_readv(edo__desc *d, const struct iovec *iov, int n);
ssize_t edo__epoll_writev(edo__desc *d, const struct iovec *iov, int n);
int edo__epoll_accept(edo__desc *d, struct sockaddr *addr, socklen_t *len);
int edo__epoll_connect(edo__desc *d, const struct sockaddr *addr, socklen_t len);
ssize_t edo__epoll_attempt(edo__desc *d, const struct edo__attempt *what);

/* instance.c */
int edo__epoll_init(edo__epoll *io, bool wakeable);
void edo__epoll_deinit(edo__epoll *io);
/* Acts on what has happened at `from`. batch: room for EDO__EPOLL_BATCH events; the owner of
 * `from`, and nobody else, passes from->batch. Returns how much. */
int edo__epoll_harvest(edo__epoll *from, struct epoll_event *batch, int64_t timeout);
void edo__epoll_wake(edo__epoll *io);

/* helper.c */
/* The instance a task or foreign thread registers with. Negative: a foreign thread's helper could
 * not be started. */
int edo__epoll_of(const edo__task *self, edo__epoll **out);

/* sys.c */
int edo__sys_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
int edo__sys_wait(int epfd, struct epoll_event *batch, int64_t timeout);

#endif
