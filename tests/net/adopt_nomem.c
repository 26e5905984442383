/* SPDX-License-Identifier: MIT */
/* Each allocation of adopting a socket fails: the descriptor stays the caller's. */
#include "../rt/nomem.h"

#include <arpa/inet.h>
#include <edo/edo.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound(int type)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    return fd;
}

static int adopt(void *unused)
{
    (void)unused;
    edo_listener *l;
    edo_udp *u;
    int fd = bound(SOCK_STREAM);
    CHECK_INT(listen(fd, 1), ==, 0);
    int rc = edo_listener_from_fd(&l, fd);
    if (rc < 0) {
        CHECK_INT(close(fd), ==, 0); /* it is still there */
        return rc;
    }
    edo_listener_close(l);
    CHECK_INT(close(fd), ==, -1);
    fd = bound(SOCK_DGRAM);
    rc = edo_udp_from_fd(&u, fd);
    if (rc < 0) {
        CHECK_INT(close(fd), ==, 0);
        return rc;
    }
    edo_udp_close(u);
    CHECK_INT(close(fd), ==, -1);
    return 0;
}

static int allocations_fail(void)
{
    int rc = edo_run(&(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }, adopt, NULL);
    return refused(rc) ? rc : 0;
}

TEST_TIMEOUT(adopting_without_memory, 60)
{
    needs_own_malloc();
    fail_each(allocations_fail);
}

TEST_MAIN()
