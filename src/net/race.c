/* SPDX-License-Identifier: MIT */
/* Happy eyeballs (RFC 8305): the addresses are tried in turn, IPv6 and IPv4 alternating, the next one
 * as soon as the one before has failed or has not answered for a quarter of a second. The first to
 * answer wins. All sockets are this one call's, which waits for them by select: nobody else knows of
 * them, and however it ends, all but the winner's are closed. */
#include "net/race.h"

#include "io/sys.h"
#include "net/socket.h"

#include <edo/select.h>
#include <edo/time.h>
#include <errno.h>
#include <stdlib.h>

#define ATTEMPT_DELAY EDO_MS(250) /* RFC 8305, section 5 */

typedef struct race {
    const edo_tcp_options *options;
    const edo_address *order[EDO__ADDRESSES_MAX];
    int count, next;            /* addresses; the one that is tried next */
    int live;                   /* sockets that wait for an answer */
    int fd[EDO__ADDRESSES_MAX]; /* those, and whom they wait for */
    const edo_address *to[EDO__ADDRESSES_MAX];
    int error;   /* what is reported if nobody answers */
    int64_t due; /* when the next one is tried */
    edo_case cases[EDO__ADDRESSES_MAX + 1];
} race;

/* Families in turn, each in the order given; the first one's comes first. */
static void interleave(race *r, const edo_address *to, int count)
{
    int first = 0, second = 0, family = edo__address_af(&to[0]);
    for (int i = 0; i < count; i++) {
        bool want_first = i % 2 == 0;
        while (first < count && edo__address_af(&to[first]) != family)
            first++;
        while (second < count && edo__address_af(&to[second]) == family)
            second++;
        if (second == count || (want_first && first < count))
            r->order[i] = &to[first++];
        else
            r->order[i] = &to[second++];
    }
    r->count = count;
}

/* It says something about this host, and nothing about the one that is called. */
static bool says_little(int error)
{
    return error == -ENETUNREACH || error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL ||
           error == -ENETDOWN;
}

static void note_error(race *r, int error)
{
    if (r->error == 0 || (says_little(r->error) && !says_little(error)))
        r->error = error;
}

bool edo__connected_to_itself(int fd, const edo_address *to)
{
    edo_address here;
    if (!edo_address_is_loopback(to) || edo_socket_local(fd, &here) < 0)
        return false;
    return edo_address_equal(&here, to);
}

/* The socket if it is connected, or a code. */
static int checked(int fd, const edo_address *to)
{
    int rc = edo__sys_connected(fd);
    if (rc == 0 && edo__connected_to_itself(fd, to))
        rc = -ECONNREFUSED;
    return rc == 0 ? fd : rc;
}

/* Tries the next address: a connected socket, -EINPROGRESS, or what went wrong. */
static int try_next(race *r)
{
    const edo_address *to = r->order[r->next++];
    int fd = edo__tcp_open(edo__address_af(to), r->options, false);
    if (fd < 0)
        return fd;
    int rc = edo__sys_connect(fd, &edo__address_of(to)->sa, to->edo__len);
    if (rc == 0)
        rc = checked(fd, to);
    if (rc == -EAGAIN) /* it has an answer already and is not told yet */
        rc = -EINPROGRESS;
    if (rc == -EINPROGRESS) {
        r->fd[r->live] = fd;
        r->to[r->live++] = to;
    } else if (rc < 0) {
        edo__socket_close(fd);
    }
    return rc;
}

/* Takes the i-th of those that wait out of the race. */
static int leaves(race *r, int i)
{
    int fd = r->fd[i];
    r->live--;
    r->fd[i] = r->fd[r->live];
    r->to[i] = r->to[r->live];
    return fd;
}

/* Waits until one has an answer or the next one may be tried: a connected socket, 0: go on, or a code
 * that ends it all. */
static int wait_for_one(race *r)
{
    size_t n = (size_t)r->live;
    for (int i = 0; i < r->live; i++)
        r->cases[i] = (edo_case)EDO_WRITABLE(r->fd[i]);
    if (r->next < r->count)
        r->cases[n++] = (edo_case)EDO_AT(r->due);
    int i = edo_select(r->cases, n);
    if (i < 0 || i == r->live)
        return i < 0 ? i : 0;
    int rc = checked(r->fd[i], r->to[i]);
    if (rc == -EAGAIN)
        return 0;
    int fd = leaves(r, i);
    if (rc >= 0)
        return fd;
    edo__socket_close(fd);
    note_error(r, rc);
    r->due = 0; /* the next one at once */
    return 0;
}

static int run(race *r)
{
    int64_t delay = r->options->attempt_delay > 0 ? r->options->attempt_delay : ATTEMPT_DELAY;
    for (;;) {
        while (r->next < r->count && (r->live == 0 || r->due <= edo_now())) {
            int rc = try_next(r);
            if (rc >= 0)
                return rc;
            if (rc == -EINPROGRESS)
                r->due = edo_now() + delay;
            else
                note_error(r, rc);
        }
        if (r->live == 0)
            return r->error;
        int rc = wait_for_one(r);
        if (rc != 0)
            return rc;
    }
}

int edo__connect_first(const edo_address *to, int count, const edo_tcp_options *o)
{
    race *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    r->options = o;
    interleave(r, to, count);
    int rc = run(r);
    while (r->live > 0)
        edo__socket_close(leaves(r, r->live - 1));
    free(r);
    return rc;
}
