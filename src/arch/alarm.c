/* SPDX-License-Identifier: MIT */
/* timerfd_create(2). */
#include "arch/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000

int edo__alarm_open(void)
{
    int alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return alarm >= 0 ? alarm : -errno;
}

void edo__alarm_close(int alarm)
{
    close(alarm);
}

void edo__alarm_set(int alarm, int64_t in)
{
    struct itimerspec t = { .it_value = { .tv_sec = in / NS_PER_SEC, .tv_nsec = in % NS_PER_SEC } };
    (void)timerfd_settime(alarm, 0, &t, NULL);
}

void edo__alarm_wait(int alarm)
{
    uint64_t rings;
    ssize_t n = read(alarm, &rings, sizeof rings);
    (void)n; /* interrupted: for no reason */
}
