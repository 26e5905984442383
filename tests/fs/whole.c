/* SPDX-License-Identifier: MIT */
/* Whole files: what is read, that a replaced one is never seen in part, that nothing is left behind. */
#include "fs_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

FS_TEST(reads, 30)
{
    (void)arg;
    char *data, *big = malloc(3 << 20);
    put_file("a", "hello");
    CHECK_INT(edo_fs_read_all("a", SIZE_MAX, &data), ==, 5);
    CHECK_STR(data, "hello");
    free(data);
    CHECK_INT(edo_fs_read_all("a", 5, &data), ==, 5);
    free(data);
    CHECK_INT(edo_fs_read_all("a", 4, &data), ==, EDO_EOVERSIZE);
    CHECK_INT(edo_fs_read_all("a", 0, &data), ==, EDO_EOVERSIZE);
    put_file("empty", "");
    CHECK_INT(edo_fs_read_all("empty", 0, &data), ==, 0);
    CHECK_STR(data, "");
    free(data);
    CHECK_INT(edo_fs_read_all("none", 10, &data), ==, -ENOENT);
    CHECK_INT(edo_fs_read_all(".", 10, &data), ==, -EISDIR);
    /* One that does not say how long it is. */
    ssize_t n = edo_fs_read_all("/proc/self/maps", SIZE_MAX, &data);
    CHECK_INT(n, >, 100);
    CHECK_UINT(strlen(data), ==, n);
    free(data);
    CHECK_INT(edo_fs_read_all("/proc/self/maps", 100, &data), ==, EDO_EOVERSIZE);
    /* Those that are too large to be read at once. */
    size_t sizes[] = { 256 * 1024, 256 * 1024 + 1, 3 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pattern(big, sizes[i], i);
        CHECK_OK(edo_fs_write_all("big", big, sizes[i], &(edo_write_options){ .no_sync = true }));
        CHECK_INT(edo_fs_read_all("big", sizes[i], &data), ==, (long long)sizes[i]);
        CHECK_MEM(data, big, sizes[i]);
        CHECK_INT(data[sizes[i]], ==, 0);
        free(data);
    }
    free(big);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    CHECK_OK(stat(path, &st));
    return st.st_mode & 07777;
}

FS_TEST(writes, 30)
{
    (void)arg;
    umask(022);
    CHECK_OK(edo_fs_write_all("a", "one", 3, NULL));
    check_file("a", "one");
    CHECK_UINT(mode_of("a"), ==, 0644);
    CHECK_OK(edo_fs_write_all("b", "", 0, &(edo_write_options){ .mode = 0600 }));
    check_file("b", "");
    CHECK_UINT(mode_of("b"), ==, 0600);
    /* Permissions are kept, whatever the options and the umask say. */
    CHECK_OK(chmod("a", 0751));
    umask(077);
    CHECK_OK(edo_fs_write_all("a", "two", 3, &(edo_write_options){ .mode = 0600 }));
    check_file("a", "two");
    CHECK_UINT(mode_of("a"), ==, 0751);
    CHECK_OK(chmod("a", 0444));
    CHECK_OK(edo_fs_write_all("a", "three", 5, &(edo_write_options){ .no_sync = true }));
    CHECK_UINT(mode_of("a"), ==, 0444);
    umask(022);
    CHECK_INT(edo_fs_write_all("a", "x", 1, &(edo_write_options){ .exclusive = true }), ==,
              -EEXIST);
    CHECK_OK(edo_fs_write_all("new", "x", 1, &(edo_write_options){ .exclusive = true }));
    check_file("a", "three");
    check_file("new", "x");
    /* A symbolic link stays. */
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(symlink("d/target", "link"));
    put_file("d/target", "old");
    CHECK_OK(edo_fs_write_all("link", "new", 3, NULL));
    check_file("d/target", "new");
    edo_fs_info info;
    CHECK_OK(edo_fs_lstat("link", &info));
    CHECK_INT(info.type, ==, EDO_FS_LINK);
    CHECK_INT(edo_fs_write_all("link", "x", 1, &(edo_write_options){ .exclusive = true }), ==,
              -EEXIST);
    CHECK_OK(symlink("nowhere", "dangling"));
    CHECK_INT(edo_fs_write_all("dangling", "x", 1, NULL), ==, -ENOENT);
    /* Another name keeps the old content. */
    CHECK_OK(link("new", "other"));
    CHECK_OK(edo_fs_write_all("new", "y", 1, NULL));
    check_file("other", "x");
    CHECK_INT(edo_fs_write_all("d", "x", 1, NULL), ==, -EISDIR);
    CHECK_INT(edo_fs_write_all("d/", "x", 1, NULL), ==, -EISDIR);
    CHECK_INT(edo_fs_write_all("none/a", "x", 1, NULL), ==, -ENOENT);
    CHECK_INT(edo_fs_write_all("a/a", "x", 1, NULL), ==, -ENOTDIR);
    CHECK_INT(edo_fs_write_all("", "x", 1, NULL), ==, -ENOENT);
    CHECK_INT(entries_here(), ==, 7); /* and no hidden ones */
    return 0;
}

FS_TEST(copies, 30)
{
    (void)arg;
    size_t size = (3 << 20) + 5;
    char *data = malloc(size), *back;
    umask(022);
    pattern(data, size, 0);
    CHECK_OK(edo_fs_write_all("a", data, size, NULL));
    CHECK_OK(chmod("a", 0751));
    CHECK_INT(edo_fs_copy_file("a", "b", NULL), ==, (long long)size);
    CHECK_UINT(mode_of("b"), ==, 0751);
    CHECK_INT(edo_fs_read_all("b", size, &back), ==, (long long)size);
    CHECK_MEM(back, data, size);
    free(back);
    put_file("small", "small");
    CHECK_OK(chmod("small", 0777));
    CHECK_INT(edo_fs_copy_file("small", "b", &(edo_write_options){ .mode = 0400 }), ==, 5);
    check_file("b", "small");
    CHECK_UINT(mode_of("b"), ==, 0400);
    CHECK_INT(edo_fs_copy_file("small", "b", &(edo_write_options){ .exclusive = true }), ==,
              -EEXIST);
    put_file("empty", "");
    CHECK_INT(edo_fs_copy_file("empty", "c", NULL), ==, 0);
    check_file("c", "");
    CHECK_INT(edo_fs_copy_file("none", "c", NULL), ==, -ENOENT);
    CHECK_INT(edo_fs_copy_file(".", "c", NULL), ==, -EISDIR);
    CHECK_INT(edo_fs_copy_file("/dev/null", "c", NULL), ==, -EINVAL);
    CHECK_INT(edo_fs_copy_file("a", ".", NULL), ==, -EISDIR);
    CHECK_INT(edo_fs_copy_file("/proc/self/cmdline", "c", NULL), >, 0); /* says that it is empty */
    CHECK_INT(edo_fs_copy_file("a", "a", NULL), ==, (long long)size);
    CHECK_INT(entries_here(), ==, 5);
    free(data);
    return 0;
}

/* From one file system to another one. */
FS_TEST(copies_far, 30)
{
    (void)arg;
    char path[] = "/dev/shm/edo-far-XXXXXX", *back;
    int fd = mkstemp(path);
    if (fd < 0)
        return 0;
    size_t size = 500000;
    char *data = malloc(size);
    pattern(data, size, 7);
    CHECK_OK(edo_fs_write_all("a", data, size, NULL));
    CHECK_INT(edo_fs_copy_file("a", path, NULL), ==, (long long)size);
    CHECK_INT(edo_fs_read_all(path, size, &back), ==, (long long)size);
    CHECK_MEM(back, data, size);
    CHECK_INT(edo_fs_copy_file(path, "b", NULL), ==, (long long)size);
    free(back);
    free(data);
    close(fd);
    unlink(path);
    return 0;
}

FS_TEST(temporary, 30)
{
    (void)arg;
    edo_file *f;
    char file[] = "up-XXXXXX", dir[] = "dir-XXXXXXXXXX", bad[] = "bad-XXXXX", none[] = "no/XXXXXX";
    edo_fs_info info;
    CHECK_OK(edo_fs_mkstemp(&f, file));
    CHECK(strcmp(file, "up-XXXXXX") != 0);
    CHECK_OK(edo_fs_stat(file, &info));
    CHECK_UINT(info.mode, ==, 0600);
    CHECK_INT(edo_fs_write_at(f, "x", 1, 0), ==, 1);
    CHECK_OK(edo_fs_close(f));
    check_file(file, "x");
    CHECK_OK(edo_fs_mkdtemp(dir));
    CHECK_OK(edo_fs_stat(dir, &info));
    CHECK_INT(info.type, ==, EDO_FS_DIR);
    CHECK_UINT(info.mode, ==, 0700);
    CHECK_INT(edo_fs_mkstemp(&f, bad), ==, -EINVAL);
    CHECK_INT(edo_fs_mkstemp(&f, none), ==, -ENOENT);
    CHECK_STR(none, "no/XXXXXX");
    CHECK_OK(edo_fs_temp_file(&f, "."));
    char buf[4];
    CHECK_INT(edo_fs_write_at(f, "abcd", 4, 0), ==, 4);
    CHECK_INT(edo_fs_read_at(f, buf, 4, 0), ==, 4);
    CHECK_INT(entries_here(), ==, 2);
    CHECK_OK(edo_fs_close(f));
    CHECK_OK(edo_fs_temp_file(&f, NULL));
    CHECK_OK(edo_fs_close(f));
    CHECK_INT(edo_fs_temp_file(&f, "none"), ==, -ENOENT);
    return 0;
}

/* Readers see one version or another, whole. */
enum { VERSION = 70000, VERSIONS = 60 };

static unsigned written; /* atomic: 1: all versions are */

static int write_versions(void *arg)
{
    char *data = malloc(VERSION);
    for (int i = 0; i < VERSIONS; i++) {
        memset(data, 'a' + i % 26, VERSION);
        CHECK_OK(edo_fs_write_all("file", data, (size_t)(VERSION - i), arg));
    }
    free(data);
    STORE(&written, 1);
    return 0;
}

static int read_versions(void *arg)
{
    (void)arg;
    while (LOAD(&written) == 0) {
        char *data;
        ssize_t n = edo_fs_read_all("file", SIZE_MAX, &data);
        CHECK_OK(n);
        CHECK_INT(n, >, VERSION - VERSIONS);
        for (ssize_t i = 1; i < n; i++)
            if (data[i] != data[0])
                FAIL("byte %zd of %zd is of another version", i, n);
        CHECK_INT(data[0], ==, 'a' + (VERSION - n) % 26);
        free(data);
        CHECK_OK(edo_yield()); /* checking takes longer than reading */
    }
    return 0;
}

FS_TEST(nobody_sees_a_part, 60)
{
    (void)arg;
    STORE(&written, 0);
    edo_write_options options = { .no_sync = true };
    char *first = malloc(VERSION);
    memset(first, 'a', VERSION);
    CHECK_OK(edo_fs_write_all("file", first, VERSION, NULL));
    free(first);
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, write_versions, &options));
    CHECK_OK(edo_spawn(&g, read_versions, NULL));
    CHECK_OK(edo_spawn(&g, read_versions, NULL));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(entries_here(), ==, 1);
    return 0;
}

/* Many who want to be the one that makes the file: one is. */
static unsigned made; /* atomic */

static int make_it(void *arg)
{
    (void)arg;
    int rc = edo_fs_write_all("lock", "me", 2,
                              &(edo_write_options){ .exclusive = true, .no_sync = true });
    if (rc == 0)
        ADD(&made, 1);
    else
        CHECK_INT(rc, ==, -EEXIST);
    return 0;
}

FS_TEST(one_is_first, 30)
{
    (void)arg;
    STORE(&made, 0);
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn(&g, make_it, NULL));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(LOAD(&made), ==, 1);
    CHECK_INT(entries_here(), ==, 1);
    return 0;
}

/* No room: the old file is what it was, and nothing else is there. */
static int no_room(void *arg)
{
    (void)arg;
    char data[5000] = "x";
    put_file("a", "old");
    CHECK_INT(edo_fs_write_all("a", data, sizeof data, NULL), ==, -EFBIG);
    CHECK_INT(edo_fs_write_all("b", data, sizeof data, NULL), ==, -EFBIG);
    check_file("a", "old");
    CHECK_INT(entries_here(), ==, 1);
    return 0;
}

TEST(no_room)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = { 4096, 4096 };
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    run_everywhere(no_room, NULL);
}

TEST_MAIN()
