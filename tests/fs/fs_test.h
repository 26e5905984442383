/* SPDX-License-Identifier: MIT */
/* What the tests of files share: a directory of their own that is the working directory and is gone
 * afterwards, on the file system of $TMPDIR and on one in memory, and descriptors counted. */
#ifndef EDO_FS_TEST_H
#define EDO_FS_TEST_H

#include "../rt/core_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline DIR *open_here(const char *path)
{
    DIR *d;
    while ((d = opendir(path)) == NULL) /* where allocations fail, they fail once */
        CHECK_INT(errno, ==, ENOMEM);
    return d;
}

static inline int descriptors(void)
{
    DIR *d = open_here("/proc/self/fd");
    int n = 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* How many entries the working directory has, hidden ones included. */
static inline int entries_here(void)
{
    DIR *d = open_here(".");
    int n = 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

/* Runs fn on a number of workers in a new directory below base. */
static inline void run_below(const char *base, unsigned workers, edo_fn *fn, void *arg)
{
    char path[300];
    int before = descriptors(), home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_OK(home);
    snprintf(path, sizeof path, "%s/edo-test-XXXXXX", base);
    CHECK(mkdtemp(path) != NULL);
    CHECK_OK(chdir(path));
    run_on(workers, fn, arg);
    CHECK_OK(fchdir(home));
    CHECK_OK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS));
    close(home);
    CHECK_INT(descriptors(), ==, before);
}

static inline void run_everywhere(edo_fn *fn, void *arg)
{
    const char *disk = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    run_below(disk, 1, fn, arg);
    run_below(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : disk, 2, fn, arg);
}

#define FS_TEST(name_, seconds_)                                                                   \
    static int name_##_body(void *arg);                                                            \
    TEST_TIMEOUT(name_, seconds_)                                                                  \
    {                                                                                              \
        run_everywhere(name_##_body, NULL);                                                        \
    }                                                                                              \
    static int name_##_body(void *arg)

/* By the C library, for comparison. */
static inline void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    CHECK_OK(fd);
    CHECK_INT(write(fd, text, strlen(text)), ==, (long long)strlen(text));
    close(fd);
}

static inline void check_file(const char *path, const char *text)
{
    char buf[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_OK(fd);
    ssize_t n = read(fd, buf, sizeof buf - 1);
    CHECK_OK(n);
    close(fd);
    buf[n] = '\0';
    CHECK_STR(buf, text);
}

/* Bytes that tell where they are in a file. */
static inline void pattern(char *buf, size_t n, uint64_t offset)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;
        buf[i] = (char)(at ^ at >> 8 ^ at >> 16);
    }
}

#endif
