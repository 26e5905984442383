/* SPDX-License-Identifier: MIT */
/* Files with every allocation failing once, see nomem.h: what was refused says so, leaves no descriptor
 * and no file behind, and an old file is what it was. */
#include "../rt/nomem.h"
#include "fs_test.h"

#include <fcntl.h>

static int attempt(edo_fn *fn)
{
    int rc = edo_run(&(edo_config){ .workers = 1 }, fn, NULL);
    CHECK(rc == 0 || refused(rc));
    return rc;
}

static int handles(void *arg)
{
    (void)arg;
    edo_file *f;
    edo_stream *s;
    edo_dir *d;
    edo_dir_entry e;
    int fd = open("old", O_RDONLY | O_CLOEXEC);
    if (refused(edo_fs_from_fd(&f, fd)))
        close(fd); /* stays the caller's */
    else
        (void)edo_fs_close(f);
    if (!refused(edo_fs_open(&f, "old", O_RDWR, 0))) {
        if (!refused(edo_fs_stream(&s, f, 0))) {
            char byte;
            CHECK_INT(edo_read(s, &byte, 1), ==, 1);
            CHECK_OK(edo_close(s));
        }
        (void)edo_fs_close(f);
    }
    if (!refused(edo_fs_open_stream(&s, "old", O_RDONLY, 0)))
        CHECK_OK(edo_close(s));
    if (!refused(edo_fs_opendir(&d, ".", &(edo_dir_options){ .stat = true }))) {
        int rc;
        while ((rc = edo_fs_readdir(d, &e)) > 0)
            CHECK_STR(e.name, "old");
        CHECK(rc == 0 || refused(rc));
        edo_fs_closedir(d);
    }
    char path[] = "t-XXXXXX";
    if (!refused(edo_fs_mkstemp(&f, path))) {
        (void)edo_fs_close(f);
        CHECK_OK(unlink(path));
    }
    if (!refused(edo_fs_temp_file(&f, ".")))
        (void)edo_fs_close(f);
    CHECK_INT(entries_here(), ==, 1);
    return 0;
}

static int whole_files(void *arg)
{
    (void)arg;
    char *data, **names, *full;
    ssize_t n = edo_fs_read_all("old", 100, &data);
    if (!refused((int)n)) {
        CHECK_STR(data, "content");
        free(data);
    }
    n = edo_fs_read_all("/proc/self/maps", SIZE_MAX, &data);
    if (!refused((int)n))
        free(data);
    (void)refused(edo_fs_write_all("old", "content", 7, NULL));
    if (!refused(edo_fs_write_all("new", "content", 7, NULL)))
        CHECK_OK(unlink("new"));
    int64_t copied = edo_fs_copy_file("old", "copy", NULL);
    if (!refused((int)copied)) {
        CHECK_INT(copied, ==, 7);
        CHECK_OK(unlink("copy"));
    }
    if (!refused(edo_fs_list(".", &names))) {
        CHECK_STR(names[0], "old");
        free(names);
    }
    if (!refused(edo_fs_realpath("old", &full)))
        free(full);
    (void)refused(edo_fs_mkdir_all("a/b/c", 0));
    int rc = edo_fs_remove_all("a");
    if (refused(rc))
        rc = edo_fs_remove_all("a"); /* there is memory now */
    CHECK_OK(rc);
    CHECK_INT(entries_here(), ==, 1);
    check_file("old", "content");
    return 0;
}

static int count_entries(const edo_walk_entry *e, void *arg)
{
    (void)e;
    ++*(int *)arg;
    return 0;
}

static int walks(void *arg)
{
    (void)arg;
    for (int sorted = 0; sorted <= 1; sorted++) {
        int n = 0, rc;
        rc = edo_fs_walk("t",
                         &(edo_walk_options){ .sorted = sorted != 0, .stat = true, .after = true },
                         count_entries, &n);
        if (!refused(rc))
            CHECK_INT(n, ==, 9);
    }
    return 0;
}

static int attempt_walks(void)
{
    return attempt(walks);
}

static int attempt_handles(void)
{
    return attempt(handles);
}

static int attempt_whole(void)
{
    return attempt(whole_files);
}

static void without_memory(int (*fn)(void))
{
    char path[] = "/tmp/edo-test-XXXXXX";
    needs_own_malloc();
    CHECK(mkdtemp(path) != NULL);
    CHECK_OK(chdir(path));
    put_file("old", "content");
    int before = descriptors();
    fail_each(fn);
    CHECK_INT(descriptors(), ==, before);
    CHECK_OK(chdir("/"));
    CHECK_OK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

TEST_TIMEOUT(handles_without_memory, 60)
{
    without_memory(attempt_handles);
}

TEST_TIMEOUT(whole_files_without_memory, 60)
{
    without_memory(attempt_whole);
}

TEST_TIMEOUT(walks_without_memory, 60)
{
    char path[] = "/tmp/edo-test-XXXXXX";
    needs_own_malloc();
    CHECK(mkdtemp(path) != NULL);
    CHECK_OK(chdir(path));
    CHECK_OK(mkdir("t", 0700));
    CHECK_OK(mkdir("t/a", 0700));
    CHECK_OK(mkdir("t/a/b", 0700));
    CHECK_OK(mkdir("t/c", 0700));
    put_file("t/x", "x");
    fail_each(attempt_walks);
    CHECK_OK(chdir("/"));
    CHECK_OK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

TEST_MAIN()
