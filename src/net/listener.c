/* SPDX-License-Identifier: MIT */
/* Listeners: accepting, adopting what others have made. */
#include "net/listener.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "core/task.h"
#include "io/desc.h"
#include "io/stream.h"
#include "net/socket.h"
#include "net/unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INHERITED_FIRST 3 /* SD_LISTEN_FDS_START */
#define INHERITED_MAX 64  /* that are looked at */
#define EDO__NOINLINE __attribute__((noinline))

edo_listener *edo__listener_alloc(void)
{
    return calloc(1, sizeof(edo_listener));
}

int edo__listener_open(edo_listener *l, int fd)
{
    edo_address local;
    int rc = edo_socket_local(fd, &local);
    if (rc < 0)
        return rc;
    bool tcp = edo_address_family(&local) != EDO_FAMILY_UNIX;
    l->accepted = EDO__DESC_SOCKET | (tcp ? EDO__DESC_TCP : 0u);
    l->port = edo_address_port(&local);
    l->backend = edo__backend_of(edo__self());
    l->desc.flags = EDO__DESC_SOCKET;
    return l->backend->desc_open(&l->desc, fd);
}

static int take(edo_listener *l, edo_address *from)
{
    if (from == NULL)
        return l->backend->accept(&l->desc, NULL, NULL);
    edo_address a = { 0 };
    socklen_t len = sizeof(edo__sockaddr);
    int fd = l->backend->accept(&l->desc, &edo__address_in(&a)->sa, &len);
    if (fd >= 0) {
        edo__address_written(&a, len);
        *from = a;
    }
    return fd;
}

EDO__NOINLINE static void set_quickack(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); /* a wish */
}

static int accept_stream(edo_listener *l, edo_stream **out, edo_address *from)
{
    /* First, so that no connection is taken from the queue that cannot be given to the caller. */
    edo__fd_stream *s = edo__fd_stream_alloc();
    if (s == NULL)
        return -ENOMEM;
    int fd = take(l, from);
    int rc = fd;
    if (fd >= 0) {
        rc = edo__fd_stream_open(s, l->backend, fd, l->accepted);
        if (rc < 0)
            edo__socket_close(fd);
    }
    if (rc < 0) {
        free(s);
        return rc;
    }
    if (l->quickack)
        set_quickack(fd);
    *out = &s->base;
    return 0;
}

int edo_accept_from(edo_listener *l, edo_stream **out, edo_address *from)
{
    edo__aadd(&l->accepting, 1, EDO__RLX); /* finds misuse; orders nothing */
    int rc = accept_stream(l, out, from);
    edo__asub(&l->accepting, 1, EDO__RLX);
    return rc;
}

int edo_accept(edo_listener *l, edo_stream **out)
{
    return edo_accept_from(l, out, NULL);
}

uint16_t edo_listener_port(const edo_listener *l)
{
    return l->port;
}

int edo_listener_fd(const edo_listener *l)
{
    return l->desc.fd;
}

void edo_listener_close(edo_listener *l)
{
    if (l == NULL)
        return;
    edo_assert(edo__aload(&l->accepting, EDO__RLX) == 0);
    int fd = l->desc.fd;
    l->backend->desc_close(&l->desc);
    edo__file_remove(l->file); /* first: nobody shall connect to what nobody accepts from */
    edo__socket_close(fd);
    free(l);
}

EDO__NOINLINE static int int_option(int fd, int name, int *value)
{
    socklen_t len = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, name, value, &len) == 0 ? 0 : -errno;
}

EDO__NOINLINE static int set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -errno;
    return 0;
}

int edo_listener_from_fd(edo_listener **out, int fd)
{
    int listens = 0;
    int rc = int_option(fd, SO_ACCEPTCONN, &listens);
    if (rc < 0)
        return rc;
    if (!listens)
        return -EINVAL;
    edo_listener *l = edo__listener_alloc();
    if (l == NULL)
        return -ENOMEM;
    rc = set_flags(fd);
    if (rc == 0)
        rc = edo__listener_open(l, fd);
    if (rc < 0) {
        free(l);
        return rc;
    }
    *out = l;
    return 0;
}

/* Whether the i-th of the names between colons is this one. */
static bool is_called(const char *names, int i, const char *name)
{
    while (i-- > 0) {
        names = strchr(names, ':');
        if (names == NULL)
            return false;
        names++;
    }
    size_t len = strcspn(names, ":");
    return strlen(name) == len && memcmp(names, name, len) == 0;
}

/* How many there are, if they are meant for this process. */
static int inherited(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    long n = strtol(count, NULL, 10);
    return n < 0 ? 0 : n > INHERITED_MAX ? INHERITED_MAX : (int)n;
}

EDO__NOINLINE static bool set_cloexec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int edo_inherited_fd(const char *name)
{
    static uint64_t taken; /* atomic: a bit for each; orders nothing */
    const char *names = getenv("LISTEN_FDNAMES");
    for (int i = 0, n = inherited(); i < n; i++) {
        if (name != NULL && (names == NULL || !is_called(names, i, name)))
            continue;
        uint64_t bit = UINT64_C(1) << i;
        if ((__atomic_fetch_or(&taken, bit, __ATOMIC_RELAXED) & bit) != 0)
            continue;
        if (set_cloexec(INHERITED_FIRST + i)) /* else it was closed meanwhile */
            return INHERITED_FIRST + i;
    }
    return -ENOENT;
}
