/* SPDX-License-Identifier: MIT */
/*
 * What stops a stack that grows too deep.
 *
 * Linux 6.13 marks pages as guards in the page table itself: one short call per stack and no
 * mapping of its own. Older kernels get mprotect(), which splits the mapping in two, and a process
 * may have only vm.max_map_count of them; so it is used for a quarter of that many mappings at
 * most. The rest gets a canary, which tells of the damage afterwards.
 *
 * Which of the three is to be had is asked of the kernel once, by trying. EDO_STACK_GUARD=mprotect
 * or =canary in the environment forces a lesser one, for tests.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/stack_slab.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define CANARY_WORDS 8
#define CANARY UINT64_C(0x0ddba11c0de15bad)

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static uint8_t best;                    /* written once under `probed` */
static int64_t protects_max;            /* likewise */
static _Atomic(int64_t) protects_count; /* relaxed: a budget, orders nothing */

static int64_t max_map_count(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 65530;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtoll(text, NULL, 10) : 65530;
}

/* Emulators answer success to any advice they do not know: only the kernel's EFAULT is proof. */
static bool kernel_refuses_to_read(const char *p)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    bool refused = write(fds[1], p, 1) < 0 && errno == EFAULT;
    close(fds[0]);
    close(fds[1]);
    return refused;
}

static bool guard_pages_work(void)
{
    size_t page = edo__page_size();
    char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    bool works = madvise(p, page, MADV_GUARD_INSTALL) == 0 && kernel_refuses_to_read(p);
    munmap(p, page);
    return works;
}

static void probe(void)
{
    const char *force = getenv("EDO_STACK_GUARD");
    protects_max = max_map_count() / 4 / 2;
    if (force != NULL && strcmp(force, "canary") == 0)
        best = EDO__GUARD_CANARY;
    else if (force != NULL && strcmp(force, "mprotect") == 0)
        best = EDO__GUARD_PROTECT;
    else
        best = guard_pages_work() ? EDO__GUARD_PTE : EDO__GUARD_PROTECT;
}

static bool protect(char *lo, size_t size)
{
    int64_t count = atomic_fetch_add_explicit(&protects_count, 1, memory_order_relaxed);
    if (count < protects_max && mprotect(lo, size, PROT_NONE) == 0)
        return true;
    atomic_fetch_sub_explicit(&protects_count, 1, memory_order_relaxed);
    return false;
}

uint8_t edo__guard_install(edo__stack *s)
{
    pthread_once(&probed, probe);
    size_t stride = atomic_load_explicit(&edo__slab_at(s->slab)->stride, memory_order_relaxed);
    size_t size = edo__stack_guard_size(stride);
    char *lo = s->lo - size;
    if (best == EDO__GUARD_PTE && madvise(lo, size, MADV_GUARD_INSTALL) == 0)
        return EDO__GUARD_PTE;
    if (best != EDO__GUARD_CANARY && protect(lo, size))
        return EDO__GUARD_PROTECT;
    edo__guard_canary(s);
    return EDO__GUARD_CANARY;
}

void edo__guard_canary(edo__stack *s)
{
    uint64_t *canary = (uint64_t *)s->lo;
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        canary[i] = CANARY;
}

void edo__guard_forget(uint32_t protects)
{
    atomic_fetch_sub_explicit(&protects_count, protects, memory_order_relaxed);
}

void edo__guard_check(const edo__stack *s)
{
    if (s->guard != EDO__GUARD_CANARY)
        return;
    const uint64_t *canary = (const uint64_t *)s->lo;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        wrong |= canary[i] ^ CANARY;
    if (wrong == 0)
        return;
    edo__overflow_report(s, NULL, NULL);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    abort();
}
