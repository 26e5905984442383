/* SPDX-License-Identifier: MIT */
/* Locks: among tasks and among processes, in order, cancelled, by ranges. */
#include "fs_test.h"

#include <sys/wait.h>

static edo_file *open_it(void)
{
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "lock", O_RDWR | O_CREAT, 0));
    return f;
}

FS_TEST(kinds, 30)
{
    (void)arg;
    edo_file *a = open_it(), *b = open_it(), *r;
    CHECK_OK(edo_fs_lock(a, EDO_FS_SHARED));
    CHECK_OK(edo_fs_lock_nowait(b, EDO_FS_SHARED));
    CHECK_INT(edo_fs_lock_nowait(b, EDO_FS_EXCLUSIVE), ==, -EAGAIN);
    CHECK_OK(edo_fs_unlock(a));
    CHECK_OK(edo_fs_lock_nowait(b, EDO_FS_EXCLUSIVE)); /* the one it had is changed */
    CHECK_INT(edo_fs_lock_nowait(a, EDO_FS_SHARED), ==, -EAGAIN);
    CHECK_OK(edo_fs_lock_nowait(b, EDO_FS_SHARED));
    CHECK_OK(edo_fs_lock_nowait(a, EDO_FS_SHARED));
    CHECK_OK(edo_fs_open(&r, "lock", O_RDONLY, 0));
    CHECK_OK(edo_fs_lock(r, EDO_FS_SHARED));
    CHECK_INT(edo_fs_lock(r, EDO_FS_EXCLUSIVE), ==, -EBADF);
    CHECK_INT(edo_fs_lock(r, 0), ==, -EINVAL);
    CHECK_INT(edo_fs_lock_range(r, EDO_FS_SHARED, UINT64_MAX, 1), ==, -EINVAL);
    CHECK_OK(edo_fs_close(r));
    CHECK_OK(edo_fs_close(a));
    CHECK_OK(edo_fs_lock_nowait(b, EDO_FS_EXCLUSIVE)); /* closing has given the others up */
    CHECK_OK(edo_fs_close(b));
    return 0;
}

FS_TEST(ranges, 30)
{
    (void)arg;
    edo_file *a = open_it(), *b = open_it();
    CHECK_OK(edo_fs_lock_range(a, EDO_FS_EXCLUSIVE, 0, 100));
    CHECK_OK(edo_fs_lock_range(b, EDO_FS_EXCLUSIVE, 100, 0));
    CHECK_INT(edo_fs_lock_range_nowait(b, EDO_FS_SHARED, 99, 1), ==, -EAGAIN);
    CHECK_INT(edo_fs_lock_nowait(a, EDO_FS_EXCLUSIVE), ==, -EAGAIN);
    CHECK_OK(edo_fs_unlock_range(a, 40, 20));
    CHECK_OK(edo_fs_lock_range_nowait(b, EDO_FS_SHARED, 40, 20));
    CHECK_INT(edo_fs_lock_range_nowait(b, EDO_FS_SHARED, 39, 2), ==, -EAGAIN);
    CHECK_OK(edo_fs_close(a));
    CHECK_OK(edo_fs_close(b));
    return 0;
}

/* Many tasks, one at a time, each with a file of its own. */
enum { TASKS = 20, TURNS = 20 };
static unsigned inside, most, turns; /* atomic */

static int take_turns(void *arg)
{
    edo_file *f = open_it();
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        CHECK_OK(edo_fs_lock(f, EDO_FS_EXCLUSIVE));
        unsigned n = ADD(&inside, 1);
        if (n > LOAD(&most))
            STORE(&most, n);
        CHECK_OK(edo_yield());
        ADD(&turns, 1);
        ADD(&inside, -1u);
        CHECK_OK(edo_fs_unlock(f));
    }
    return edo_fs_close(f);
}

FS_TEST(one_at_a_time, 60)
{
    (void)arg;
    STORE(&inside, 0);
    STORE(&most, 0);
    STORE(&turns, 0);
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < TASKS; i++)
        CHECK_OK(edo_spawn(&g, take_turns, NULL));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(LOAD(&turns), ==, TASKS * TURNS);
    CHECK_UINT(LOAD(&most), ==, 1);
    return 0;
}

/* Those who wait are served as they came, and one who leaves does not hold up the others. */
static unsigned order[8], served, arrived; /* atomic: arrived, served */

typedef struct arrival {
    edo_file *f;
    unsigned number;
} arrival;

static int arrive(void *arg)
{
    arrival *a = arg;
    ADD(&arrived, 1);
    int rc = edo_fs_lock(a->f, EDO_FS_EXCLUSIVE);
    if (rc < 0)
        return rc;
    order[LOAD(&served)] = a->number;
    ADD(&served, 1);
    return edo_fs_unlock(a->f);
}

static int line(void *arg)
{
    (void)arg;
    enum { N = 6 };
    edo_file *mine = open_it(), *f[N];
    uint64_t ids[N];
    CHECK_OK(edo_fs_lock(mine, EDO_FS_EXCLUSIVE));
    STORE(&arrived, 0);
    STORE(&served, 0);
    edo_group g;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    for (unsigned i = 0; i < N; i++) {
        f[i] = open_it();
        arrival a = { f[i], i };
        arrival *copy = malloc(sizeof a);
        *copy = a;
        CHECK_OK(edo_spawn_with(&g, NULL, &ids[i], arrive, copy));
        until(&arrived, i + 1);
        for (int k = 0; k < 3; k++) /* on one worker: until it waits */
            CHECK_OK(edo_yield());
    }
    CHECK_OK(edo_group_cancel_one(&g, ids[2]));
    CHECK_OK(edo_yield());
    CHECK_OK(edo_fs_unlock(mine));
    edo_result r;
    int codes = 0;
    while (edo_group_next(&g, &r) > 0) {
        CHECK(r.code == 0 || (r.code == -ECANCELED && r.id == ids[2]));
        codes += r.code;
        free(r.arg);
    }
    (void)edo_group_close(&g);
    CHECK_INT(codes, ==, -ECANCELED);
    const unsigned want[] = { 0, 1, 3, 4, 5 };
    CHECK_UINT(LOAD(&served), ==, 5);
    for (unsigned i = 0; i < 5; i++)
        CHECK_UINT(order[i], ==, want[i]);
    for (unsigned i = 0; i < N; i++)
        CHECK_OK(edo_fs_close(f[i]));
    return edo_fs_close(mine);
}

TEST(in_line)
{
    run_below("/tmp", 1, line, NULL);
}

/* Cancelled while another one has it; closing lets the next one in. */
static int wait_for_it(void *arg)
{
    ADD(&arrived, 1);
    return edo_fs_lock(arg, EDO_FS_EXCLUSIVE);
}

FS_TEST(cancelled, 30)
{
    (void)arg;
    edo_file *a = open_it(), *b = open_it();
    edo_group g;
    CHECK_OK(edo_fs_lock(a, EDO_FS_EXCLUSIVE));
    for (int i = 0; i < 20; i++) {
        STORE(&arrived, 0);
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, wait_for_it, b));
        until(&arrived, 1);
        for (int k = 0; k < i; k++)
            CHECK_OK(edo_yield());
        edo_group_cancel(&g);
        CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    }
    edo_scope s;
    edo_scope_open(&s, EDO_MS(5));
    CHECK_INT(edo_scope_close(&s, edo_fs_lock(b, EDO_FS_SHARED)), ==, -ETIMEDOUT);
    STORE(&arrived, 0);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, wait_for_it, b));
    until(&arrived, 1);
    CHECK_OK(edo_fs_close(a));
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(edo_fs_close(b));
    return 0;
}

/* Another process has it, and gives it up by ending. */
static int against_a_process(void *arg)
{
    int *p = arg;
    char byte = 0;
    edo_file *f = open_it();
    CHECK_INT(read(p[0], &byte, 1), ==, 1); /* it has the lock */
    CHECK_INT(edo_fs_lock_nowait(f, EDO_FS_SHARED), ==, -EAGAIN);
    edo_scope s;
    edo_scope_open(&s, EDO_MS(20));
    CHECK_INT(edo_scope_close(&s, edo_fs_lock(f, EDO_FS_SHARED)), ==, -ETIMEDOUT);
    CHECK_INT(write(p[3], &byte, 1), ==, 1);
    CHECK_OK(edo_fs_lock(f, EDO_FS_EXCLUSIVE));
    return edo_fs_close(f);
}

static void other_process(const int *p)
{
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char byte = 1;
    int fd = open("lock", O_RDWR | O_CREAT, 0600);
    if (fcntl(fd, F_OFD_SETLK, &l) != 0 || write(p[1], &byte, 1) != 1 || read(p[2], &byte, 1) != 1)
        _exit(1);
    _exit(0);
}

TEST(processes)
{
    char path[] = "/tmp/edo-test-XXXXXX";
    int p[4], status;
    CHECK(mkdtemp(path) != NULL);
    CHECK_OK(chdir(path));
    CHECK_OK(pipe(p));
    CHECK_OK(pipe(p + 2));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        other_process(p);
    run_on(2, against_a_process, p);
    CHECK_INT(waitpid(child, &status, 0), ==, child);
    CHECK_INT(status, ==, 0);
    CHECK_OK(unlink("lock"));
    CHECK_OK(chdir("/"));
    CHECK_OK(rmdir(path));
}

TEST_MAIN()
