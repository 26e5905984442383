/* SPDX-License-Identifier: MIT */
/* The system calls that every backend makes on descriptors, each returning -errno. A function here is
 * never inlined and never suspends: errno is a thread's, and whoever calls may go on as another
 * thread's task after its next suspension. */
#ifndef EDO_IO_SYS_H
#define EDO_IO_SYS_H

#include "core/backend.h"

int edo__sys_ready(int fd, unsigned events); /* edo.h's events that are ready now; 0: none */
ssize_t edo__sys_readv(const edo__desc *d, const struct iovec *iov, int n);
ssize_t edo__sys_peek(const edo__desc *d, void *arg); /* an attempt; arg: struct iovec */
ssize_t edo__sys_writev(const edo__desc *d, const struct iovec *iov, int n);
/* At least one byte from one descriptor to the other, of which one is a pipe of ours, outwards: the
 * first; never waits for that. */
ssize_t edo__sys_splice(int from, int to, size_t most, bool outwards);
int edo__sys_accept(int fd, struct sockaddr *addr, socklen_t *len);
int edo__sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
int edo__sys_connected(int fd); /* after connect: 0, -EAGAIN while in progress, or its error */

#endif
