/* SPDX-License-Identifier: MIT */
/* The nth call of the core to the kernel fails, for every n: memory for stacks, tasks and signal
 * stacks, guards, threads, descriptors. Starting a runtime says so or works all the same; a task
 * that was spawned runs; nothing stays mapped or open. (That of I/O: io_faults.c.) The functions
 * below stand before the C library's. */
#define _GNU_SOURCE
#include "own_malloc.h" /* only for what it says of sanitizers, which have mmap() themselves */

#include "core_test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if OWN_MALLOC
static bool allocation_fails(void)
{
    return false;
}

static long countdown = -1;           /* atomic: how many calls until one fails; below zero: none */
static long mapped;                   /* atomic: bytes */
static const char *volatile the_call; /* the one that failed */

static bool fails(const char *name, int error)
{
    if (LOAD(&countdown) < 0 || __atomic_fetch_sub(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    the_call = name;
    errno = error;
    return true;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails("mmap", ENOMEM))
        return MAP_FAILED;
    ADD(&mapped, (long)size);
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

int munmap(void *at, size_t size)
{
    ADD(&mapped, -(long)size);
    return (int)syscall(SYS_munmap, at, size);
}

#define FAULTY(name_, error_, number_, params_, ...)                                               \
    int name_ params_                                                                              \
    {                                                                                              \
        return fails(#name_, error_) ? -1 : (int)syscall(number_, __VA_ARGS__);                    \
    }

FAULTY(madvise, EINVAL, SYS_madvise, (void *at, size_t size, int advice), at, size, advice)
FAULTY(mprotect, ENOMEM, SYS_mprotect, (void *at, size_t size, int protection), at, size,
       protection)
FAULTY(sigaltstack, ENOMEM, SYS_sigaltstack, (const stack_t *stack, stack_t *old), stack, old)
FAULTY(pipe2, EMFILE, SYS_pipe2, (int fd[2], int flags), fd, flags)
FAULTY(epoll_create1, EMFILE, SYS_epoll_create1, (int flags), flags)
FAULTY(eventfd, ENFILE, SYS_eventfd2, (unsigned count, int flags), count, flags)
FAULTY(epoll_ctl, ENOSPC, SYS_epoll_ctl, (int epfd, int op, int fd, struct epoll_event *e), epfd,
       op, fd, e)

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (fails("pthread_create", EAGAIN))
        return EAGAIN;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attr, fn, arg);
}

enum { TASKS = 140 }; /* more stacks than are made at once */

static unsigned ran, jobs; /* atomic */

static int task(void *arg)
{
    ADD(&ran, 1);
    return edo_event_wait(arg);
}

static int job(void *arg)
{
    (void)arg;
    ADD(&jobs, 1);
    return 0;
}

static bool refused(int rc)
{
    if (rc < 0)
        CHECK(rc == -ENOMEM || rc == -EAGAIN || rc == -EMFILE || rc == -ENFILE || rc == -ENOSPC);
    return rc < 0;
}

static int many_tasks(void *arg)
{
    (void)arg;
    edo_event e = EDO_EVENT_INIT;
    edo_group g;
    unsigned spawned = 0, done = 0;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    for (int i = 0; i < TASKS; i++)
        spawned += !refused(edo_spawn(&g, task, &e));
    spawned +=
        !refused(edo_spawn_with(&g, &(edo_task_options){ .stack_size = 1 << 20 }, NULL, task, &e));
    done += !refused(edo_blocking(job, NULL));
    done += !refused(edo_cpu(job, NULL));
    edo_event_set(&e);
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(LOAD(&ran), ==, spawned);
    CHECK_UINT(LOAD(&jobs), ==, done);
    return 0;
}

static int next_fd(void)
{
    int fd = dup(0);
    CHECK_OK(fd);
    close(fd);
    return fd;
}

/* Whether the nth call was there to fail. */
static bool attempt(unsigned workers, long n)
{
    ran = jobs = 0;
    STORE(&countdown, n);
    /* A report about a worker that waited for its processor would map files for the symbols. */
    edo_config config = { .workers = workers,
                          .current_thread = workers == 1,
                          .stuck_after = EDO_SEC(100) };
    int rc = edo_run(&config, many_tasks, NULL);
    bool hit = LOAD(&countdown) < 0;
    STORE(&countdown, -1);
    if (!hit)
        CHECK_INT(rc, ==, 0);
    (void)refused(rc);
    return hit;
}

static void all_faults(unsigned workers)
{
    if (test_scale(1000) != 1000)
        SKIP("the C library is emulated");
    (void)attempt(workers, 1 << 20); /* what is kept */
    int fd = next_fd();
    long before = LOAD(&mapped), n = 0;
    while (n < 10000 && attempt(workers, n)) {
        if (LOAD(&mapped) > before)
            FAIL("call %ld (%s): %ld bytes stay mapped", n, the_call, LOAD(&mapped) - before);
        if (next_fd() != fd)
            FAIL("call %ld (%s): a descriptor stays open", n, the_call);
        n++;
    }
    printf("# %ld calls, each failed once\n", n);
    CHECK_INT(n, >, 10);
    CHECK_INT(n, <, 10000);
}

TEST_TIMEOUT(one_worker, 60)
{
    all_faults(1);
}

TEST_TIMEOUT(three_workers, 60)
{
    all_faults(3);
}
/* What a process finds out once, such as what guards the kernel can do, in a process per call. */
enum { PROBES = 24 };

static void first_runtime(void *arg)
{
    long n = *(long *)arg;
    (void)attempt(1, n);
    (void)attempt(1, -1);
    CHECK_UINT(ran, ==, TASKS + 1);
    _exit(0);
}

TEST_TIMEOUT(first_of_a_process, 60)
{
    if (test_scale(1000) != 1000)
        SKIP("the C library is emulated");
    for (long n = 0; n < PROBES; n++) {
        char text[1000];
        int status = test_capture(first_runtime, &n, text, sizeof text);
        if (status != 0)
            FAIL("call %ld: status %d: %s", n, status, text);
    }
}
#else
TEST(one_worker)
{
    SKIP("mmap() belongs to the sanitizer");
}
#endif

TEST_MAIN()
