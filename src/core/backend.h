/* SPDX-License-Identifier: MIT */
/* The table every I/O backend fills (D6): epoll now, io_uring, simulator and WebAssembly host the
 * same way. The core sees nothing else of them.
 *
 * A worker calls poll() on its own thread; wake() may be called from any thread. Operations run on
 * the calling task (or on a foreign thread's stand-in) and wait with core/wait.h; they check for a
 * cancel themselves. Descriptors of streams and listeners are known to the backend through an
 * edo__desc. */
#ifndef EDO_CORE_BACKEND_H
#define EDO_CORE_BACKEND_H

#include <edo/runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct edo__epoll;
struct edo__file_op;
struct edo__worker;
struct edo__task;
struct edo__waiter;
struct edo__attempt;

/* A descriptor owned by the library, registered with the backend for its life. */
typedef struct edo__desc {
    int fd;
    uint32_t flags; /* EDO__DESC_*, see io/desc.h */
    uint32_t hint;  /* atomic; the backend's */
    void *slot;     /* the backend's */
} edo__desc;

typedef struct edo__io_stats {
    uint64_t polls, events, fds, submits;
} edo__io_stats;

typedef struct edo__backend {
    const char *name;

    /* Runtime-wide state, kept in rt->io; called before any worker exists and after the last is
     * gone. */
    int (*open)(edo_runtime *rt);
    void (*close)(edo_runtime *rt);

    /* Per worker, kept in w->io; on any thread, before the worker runs and after. */
    int (*worker_open)(struct edo__worker *w);
    void (*worker_close)(struct edo__worker *w);
    /* On the worker's own thread, as the first and the last that it does; NULL: nothing to do. */
    void (*worker_enter)(struct edo__worker *w);
    void (*worker_leave)(struct edo__worker *w);

    /* Harvests what has happened and makes tasks runnable; waits for it at most timeout nanoseconds
     * of the real clock (0: not at all; EDO_FOREVER). Returns at once when woken by wake(). Returns
     * the number of events. On the worker's own thread only. */
    int (*poll)(struct edo__worker *w, int64_t timeout);
    /* Whether poll(w, 0) could find anything: false spares the system call. */
    bool (*pending)(struct edo__worker *w);
    /* Harvests for a worker that is held by a task; never waits; on the monitor's thread. */
    int (*poll_for)(struct edo__worker *stuck);
    /* Makes a poll() that waits, or the next one, return at once. */
    void (*wake)(struct edo__worker *w);

    /* The epoll instance that w looks at as well, for what is waited for by slots (io/epoll/epoll.h);
     * NULL: the process's helper thread watches. On the worker's own thread only. */
    struct edo__epoll *(*epoll)(struct edo__worker *w);

    /* Operations. */
    int (*wait_fd)(int fd, unsigned events);
    /* select's part: registers w for the events; the waker leaves the ready ones in w->result.
     * Returns ready events > 0 at once (not registered), 0 registered, or a negative code. */
    int (*watch)(int fd, unsigned events, struct edo__waiter *w);
    /* The select was called: makes sure that w, which stays where it is, will be told of them. 0 or a
     * negative code. */
    int (*rewatch)(int fd, struct edo__waiter *w);
    void (*unwatch)(int fd, struct edo__waiter *w);
    int (*desc_open)(edo__desc *d, int fd); /* fd non-blocking already */
    void (*desc_close)(edo__desc *d);       /* before close(2) of fd; nobody waits on it */
    ssize_t (*readv)(edo__desc *d, const struct iovec *iov,
                     int n); /* at least one byte, 0 at the end */
    ssize_t (*writev)(edo__desc *d, const struct iovec *iov,
                      int n); /* what was taken at once, >= 1 */
    int (*accept)(edo__desc *d, struct sockaddr *addr,
                  socklen_t *len); /* a non-blocking descriptor */
    int (*connect)(edo__desc *d, const struct sockaddr *addr, socklen_t len);
    /* An operation on a file (io/file.h), after its checkpoint: what it gives, or -errno. -ENOSYS,
     * -EAGAIN: the system call is to be made, on the blocking pool. NULL: always. */
    ssize_t (*file)(struct edo__task *self, const struct edo__file_op *op);

    /* Calls what->call() until it says something else than -EAGAIN, and waits in between until the
     * descriptor is ready: for all that is neither of the above, see io/desc.h. Several may at a time,
     * in the same direction too. */
    ssize_t (*attempt)(edo__desc *d, const struct edo__attempt *what);

    void (*read_stats)(edo_runtime *rt, edo__io_stats *out);
} edo__backend;

extern const edo__backend edo__backend_epoll;

#ifdef EDO_HAVE_URING
extern const edo__backend edo__backend_uring;
#endif

/* The one of the calling task's runtime; for foreign threads the epoll one, whose operations then
 * use poll(2) and block the thread. */
const edo__backend *edo__backend_of(const struct edo__task *self);

#endif
