/* SPDX-License-Identifier: MIT */
/* The nth call to the kernel fails, for every n, by each of some errors: it is said, an old file is what
 * it was, and no new one, no hidden one and no descriptor is left. The functions below stand before the
 * C library's. */
#include "fs_test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int countdown; /* atomic: the call that makes it 0 fails; below: none does */
static int failing;   /* atomic: the errno it fails with */

static bool fails(void)
{
    if (LOAD(&countdown) <= 0 || __atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
        return false;
    errno = LOAD(&failing);
    return true;
}

#define FAULTY(type_, name_, number_, params_, ...)                                                \
    type_ name_ params_                                                                            \
    {                                                                                              \
        return fails() ? -1 : (type_)syscall(number_, __VA_ARGS__);                                \
    }

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    return fails() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

FAULTY(int, fsync, SYS_fsync, (int fd), fd)
FAULTY(int, fchmod, SYS_fchmod, (int fd, mode_t mode), fd, mode)
FAULTY(int, linkat, SYS_linkat, (int d, const char *from, int e, const char *to, int flags), d,
       from, e, to, flags)
FAULTY(ssize_t, getdents64, SYS_getdents64, (int fd, void *buf, size_t n), fd, buf, n)
FAULTY(ssize_t, copy_file_range, SYS_copy_file_range,
       (int in, off64_t *at, int out, off64_t *to, size_t n, unsigned flags), in, at, out, to, n,
       flags)

/* The runtime's own, eventfd and pipe, do not fail. */
static bool is_file(int fd)
{
    struct stat st;
    return LOAD(&countdown) > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t read(int fd, void *buf, size_t n)
{
    return is_file(fd) && fails() ? -1 : syscall(SYS_read, fd, buf, n);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    return is_file(fd) && fails() ? -1 : syscall(SYS_write, fd, buf, n);
}

int rename(const char *from, const char *to)
{
    return fails() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int link(const char *from, const char *to)
{
    return fails() ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int do_read(void)
{
    char *data;
    ssize_t n = edo_fs_read_all("/proc/self/status", SIZE_MAX, &data);
    if (n >= 0)
        free(data);
    return n < 0 ? (int)n : 0;
}

static int do_replace(void)
{
    return edo_fs_write_all("old", "new", 3, NULL);
}

static int do_make(void)
{
    return edo_fs_write_all("made", "new", 3, NULL);
}

static int do_make_exclusive(void)
{
    return edo_fs_write_all("made", "new", 3, &(edo_write_options){ .exclusive = true });
}

static int do_copy(void)
{
    int64_t n = edo_fs_copy_file("old", "made", NULL);
    return n < 0 ? (int)n : 0;
}

static int do_list(void)
{
    char **names;
    int rc = edo_fs_list(".", &names);
    if (rc < 0)
        return rc;
    CHECK_INT(rc, ==, 1);
    free(names);
    return 0;
}

static int do_remove(void)
{
    CHECK_OK(edo_fs_mkdir_all("made/a/b", 0));
    int rc = edo_fs_remove_all("made");
    if (rc < 0)
        CHECK_OK(nftw("made", remove_one, 16, FTW_DEPTH | FTW_PHYS));
    return rc;
}

static int (*const calls[])(void) = { do_read, do_replace, do_make,  do_make_exclusive,
                                      do_copy, do_list,    do_remove };

/* What these mean is another way of doing it. */
static bool is_detour(int error)
{
    return error == EOPNOTSUPP || error == EEXIST || error == EXDEV || error == EACCES;
}

static int one_call(int (*call)(void), int error)
{
    int n = 0, refused = 0, left;
    do {
        put_file("old", "content");
        STORE(&failing, error);
        STORE(&countdown, ++n);
        int rc = call();
        left = LOAD(&countdown);
        STORE(&countdown, 0);
        refused += rc < 0;
        if (rc < 0 && rc != -error && rc != -EIO && !is_detour(error))
            FAIL("call %d: %d instead of %d", n, rc, -error);
        if (left > 0)
            CHECK_INT(rc, ==, 0);
        if (rc < 0 && rc != -EIO)
            check_file("old", "content");
        if (call == do_replace && rc == 0)
            check_file("old", "new");
        bool made = access("made", F_OK) == 0;
        if (rc < 0 && rc != -EIO)
            CHECK(!made);
        if (made)
            CHECK_OK(remove("made"));
        CHECK_INT(entries_here(), ==, 1);
    } while (left <= 0);
    return refused;
}

FS_TEST(each_call_fails, 60)
{
    (void)arg;
    static const int errors[] = { EIO, ENOSPC, EMFILE, EOPNOTSUPP, EEXIST, EXDEV, EACCES };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (size_t k = 0; k < sizeof errors / sizeof *errors; k++) {
            int before = descriptors();
            int refused = one_call(calls[i], errors[k]);
            if (!is_detour(errors[k]) && refused == 0)
                FAIL("call %zu never failed by %d", i, errors[k]);
            CHECK_INT(descriptors(), ==, before);
        }
    }
    return 0;
}

TEST_MAIN()
