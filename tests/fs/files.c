/* SPDX-License-Identifier: MIT */
/* Open files: opening, transfers, streams, what is known of them. */
#include "fs_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statfs.h>

FS_TEST(opens_and_closes, 30)
{
    (void)arg;
    edo_file *f, *g;
    CHECK_INT(edo_fs_open(&f, "none", O_RDONLY, 0), ==, -ENOENT);
    CHECK_INT(edo_fs_open(&f, "none/below", O_RDWR | O_CREAT, 0), ==, -ENOENT);
    CHECK_INT(edo_fs_open(&f, "", O_RDONLY, 0), ==, -ENOENT);
    CHECK_OK(edo_fs_open(&f, "a", O_RDWR | O_CREAT, 0640));
    struct stat st;
    CHECK_OK(fstat(edo_fs_fd(f), &st));
    CHECK_INT(st.st_mode & 0777, ==, 0640);
    CHECK_INT(fcntl(edo_fs_fd(f), F_GETFD), ==, FD_CLOEXEC);
    CHECK_INT(edo_fs_open(&g, "a", O_RDWR | O_CREAT | O_EXCL, 0), ==, -EEXIST);
    CHECK_INT(edo_fs_open(&g, "a/b", O_RDONLY, 0), ==, -ENOTDIR);
    CHECK_INT(edo_fs_open(&g, ".", O_RDWR, 0), ==, -EISDIR);
    CHECK_INT(edo_fs_open(&g, "a", O_RDONLY | O_DIRECTORY, 0), ==, -ENOTDIR);
    CHECK_OK(symlink("a", "link"));
    CHECK_INT(edo_fs_open(&g, "link", O_RDONLY | O_NOFOLLOW, 0), ==, -ELOOP);
    CHECK_OK(edo_fs_open(&g, "link", O_RDONLY, 0));
    CHECK_OK(edo_fs_close(g));
    CHECK_OK(edo_fs_open(&g, ".", O_RDONLY | O_DIRECTORY, 0));
    CHECK_OK(edo_fs_close(g));
    CHECK_OK(edo_fs_open(&g, "a", O_PATH | O_RDWR, 0));
    char byte;
    CHECK_INT(edo_fs_read_at(g, &byte, 1, 0), ==, -EBADF);
    CHECK_OK(edo_fs_close(g));
    CHECK_OK(edo_fs_close(f));
    CHECK_OK(edo_fs_close(NULL));
    CHECK_INT(edo_fs_from_fd(&f, -1), ==, -EBADF);
    CHECK_OK(edo_fs_from_fd(&f, open("a", O_RDONLY | O_CLOEXEC)));
    CHECK_INT(edo_fs_write_at(f, "x", 1, 0), ==, -EBADF);
    CHECK_OK(edo_fs_close(f));
    return 0;
}

FS_TEST(transfers, 30)
{
    (void)arg;
    enum { SIZE = 3 << 20 }; /* above what is done at once */
    char *there = malloc(SIZE), *back = malloc(SIZE);
    pattern(there, SIZE, 0);
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "data", O_RDWR | O_CREAT, 0));
    CHECK_INT(edo_fs_write_at(f, there, SIZE, 0), ==, SIZE);
    memset(back, 0, SIZE);
    CHECK_INT(edo_fs_read_at(f, back, SIZE, 0), ==, SIZE);
    CHECK_MEM(back, there, SIZE);
    size_t sizes[] = { 1, 511, 4096, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(back, 0, sizes[i]);
        CHECK_INT(edo_fs_read_at(f, back, sizes[i], 12345), ==, (long long)sizes[i]);
        CHECK_MEM(back, there + 12345, sizes[i]);
        CHECK_INT(edo_fs_write_at(f, there + 12345, sizes[i], 12345), ==, (long long)sizes[i]);
    }
    CHECK_INT(edo_fs_read_at(f, back, SIZE, 0), ==, SIZE);
    CHECK_MEM(back, there, SIZE);
    /* Over the end, at the end, behind it. */
    CHECK_INT(edo_fs_read_at(f, back, 100, SIZE - 7), ==, 7);
    CHECK_MEM(back, there + SIZE - 7, 7);
    CHECK_INT(edo_fs_read_some_at(f, back, 100, SIZE), ==, 0);
    CHECK_INT(edo_fs_read_at(f, back, 100, (uint64_t)SIZE * 2), ==, 0);
    CHECK_INT(edo_fs_read_at(f, back, 0, 0), ==, 0);
    CHECK_INT(edo_fs_write_at(f, back, 0, 0), ==, 0);
    CHECK_INT(edo_fs_read_at(f, back, 2, INT64_MAX), ==, -EINVAL);
    ssize_t some = edo_fs_read_some_at(f, back, SIZE, 5);
    CHECK_INT(some, >, 0);
    CHECK_MEM(back, there + 5, (size_t)some);
    CHECK_INT(edo_fs_write_some_at(f, "xyz", 3, 0), ==, 3);
    CHECK_INT(edo_fs_read_at(f, back, 4, 0), ==, 4);
    CHECK_MEM(back, "xyz", 3);
    CHECK_INT(back[3], ==, there[3]);
    CHECK_OK(edo_fs_close(f));
    free(there);
    free(back);
    return 0;
}

FS_TEST(pieces, 30)
{
    (void)arg;
    enum { N = 64, EACH = 40000 };
    char *there = malloc(N * EACH), *back = malloc(N * EACH);
    struct iovec iov[N + 1], copy[N];
    pattern(there, N * EACH, 0);
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "data", O_RDWR | O_CREAT, 0));
    for (int i = 0; i < N; i++) /* some are empty */
        iov[i] = (struct iovec){ there + i / 2 * 2 * EACH, i % 2 == 0 ? 2 * EACH : 0 };
    memcpy(copy, iov, sizeof copy);
    CHECK_INT(edo_fs_writev_at(f, iov, N, 3), ==, N * EACH);
    CHECK_MEM(iov, copy, sizeof copy);
    for (int i = 0; i < N; i++)
        iov[i] = (struct iovec){ back + i * EACH, EACH };
    CHECK_INT(edo_fs_readv_at(f, iov, N, 3), ==, N * EACH);
    CHECK_MEM(back, there, N * EACH);
    CHECK_INT(edo_fs_readv_at(f, iov, N, 3 + N * EACH / 2), ==, N * EACH / 2);
    CHECK_MEM(back, there + N * EACH / 2, N * EACH / 2);
    iov[N] = iov[0];
    CHECK_INT(edo_fs_readv_at(f, iov, N + 1, 0), ==, -EINVAL);
    CHECK_INT(edo_fs_readv_at(f, iov, 0, 0), ==, 0);
    CHECK_OK(edo_fs_close(f));
    free(there);
    free(back);
    return 0;
}

FS_TEST(appends, 30)
{
    (void)arg;
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "log", O_WRONLY | O_CREAT | O_APPEND, 0));
    CHECK_INT(edo_fs_write_at(f, "one ", 4, 0), ==, 4);
    CHECK_INT(edo_fs_write_at(f, "two ", 4, 0), ==, 4);
    edo_stream *s;
    CHECK_OK(edo_fs_stream(&s, f, 0));
    CHECK_OK(edo_fs_close(f)); /* before the stream */
    CHECK_INT(edo_write(s, "three", 5), ==, 5);
    CHECK_OK(edo_close(s));
    check_file("log", "one two three");
    CHECK_OK(edo_fs_append_all("log", " four", 5, 0));
    CHECK_OK(edo_fs_append_all("new", "five", 4, 0600));
    check_file("log", "one two three four");
    check_file("new", "five");
    return 0;
}

FS_TEST(streams, 30)
{
    (void)arg;
    enum { SIZE = 300000 };
    char *data = malloc(SIZE), *back = malloc(SIZE);
    pattern(data, SIZE, 0);
    edo_stream *in, *out;
    CHECK_OK(edo_fs_open_stream(&out, "a", O_WRONLY | O_CREAT | O_TRUNC, 0));
    CHECK_INT(edo_write(out, data, SIZE), ==, SIZE);
    CHECK_OK(edo_shutdown(out));
    CHECK_OK(edo_close(out));

    CHECK_OK(edo_fs_open_stream(&in, "a", O_RDONLY, 0));
    CHECK_OK(edo_fs_open_stream(&out, "b", O_WRONLY | O_CREAT, 0));
    CHECK_INT(edo_copy(out, in), ==, SIZE);
    CHECK_OK(edo_close(in));
    CHECK_OK(edo_close(out));

    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "b", O_RDONLY, 0));
    CHECK_OK(edo_fs_stream(&in, f, 1000));
    CHECK_INT(edo_stream_fd(in), ==, edo_fs_fd(f));
    CHECK_INT(edo_read_full(in, back, SIZE - 1000), ==, SIZE - 1000);
    CHECK_MEM(back, data + 1000, SIZE - 1000);
    CHECK_INT(edo_read(in, back, 1), ==, 0);
    CHECK_OK(edo_close(in));
    CHECK_OK(edo_fs_close(f));

    put_file("lines", "alpha\nbeta\n");
    CHECK_OK(edo_fs_open_stream(&in, "lines", O_RDONLY, 0));
    edo_reader r;
    CHECK_OK(edo_reader_init(&r, in, NULL));
    char *line;
    size_t len;
    CHECK_INT(edo_reader_line(&r, &line, &len), >, 0);
    CHECK_STR(line, "alpha");
    CHECK_INT(edo_reader_line(&r, &line, &len), >, 0);
    CHECK_STR(line, "beta");
    CHECK_INT(edo_reader_line(&r, &line, &len), ==, 0);
    edo_reader_deinit(&r);
    CHECK_OK(edo_close(in));

    CHECK_INT(edo_fs_open_stream(&in, ".", O_RDONLY, 0), ==, -EISDIR);
    free(data);
    free(back);
    return 0;
}

static int write_fifo(void *arg)
{
    return (int)edo_write(arg, "through", 7) == 7 ? edo_close(arg) : -EIO;
}

FS_TEST(fifos_are_streams, 30)
{
    (void)arg;
    edo_file *f;
    edo_stream *r, *w;
    CHECK_OK(mkfifo("fifo", 0600));
    CHECK_INT(edo_fs_open_stream(&w, "fifo", O_WRONLY, 0), ==, -ENXIO);
    CHECK_OK(edo_fs_open_stream(&r, "fifo", O_RDONLY, 0)); /* does not wait */
    CHECK_OK(edo_fs_open_stream(&w, "fifo", O_WRONLY, 0));
    CHECK_OK(edo_fs_open(&f, "fifo", O_RDONLY, 0));
    char buf[16];
    CHECK_INT(edo_fs_read_at(f, buf, sizeof buf, 0), ==, -ESPIPE);
    CHECK_OK(edo_fs_close(f));
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, write_fifo, w));
    CHECK_INT(edo_read_full(r, buf, 7), ==, 7); /* waits for it */
    CHECK_MEM(buf, "through", 7);
    CHECK_INT(edo_read(r, buf, 1), ==, 0);
    CHECK_OK(edo_group_close(&g));
    CHECK_OK(edo_close(r));
    return 0;
}

FS_TEST(sizes, 30)
{
    (void)arg;
    edo_file *f;
    edo_fs_info info;
    CHECK_OK(edo_fs_open(&f, "a", O_RDWR | O_CREAT, 0));
    CHECK_INT(edo_fs_write_at(f, "0123456789", 10, 0), ==, 10);
    CHECK_OK(edo_fs_ftruncate(f, 4));
    CHECK_OK(edo_fs_fstat(f, &info));
    CHECK_UINT(info.size, ==, 4);
    CHECK_OK(edo_fs_truncate("a", 6));
    char buf[8];
    CHECK_INT(edo_fs_read_at(f, buf, 8, 0), ==, 6);
    CHECK_MEM(buf, "0123\0\0", 6);
    int rc = edo_fs_allocate(f, 0, 65536);
    if (rc != -EOPNOTSUPP) {
        CHECK_OK(rc);
        CHECK_OK(edo_fs_fstat(f, &info));
        CHECK_UINT(info.size, ==, 65536);
        CHECK_UINT(info.used, >=, 65536);
    }
    CHECK_INT(edo_fs_ftruncate(f, UINT64_MAX), ==, -EFBIG);
    CHECK_INT(edo_fs_truncate("none", 0), ==, -ENOENT);
    CHECK_OK(edo_fs_sync(f));
    CHECK_OK(edo_fs_datasync(f));
    CHECK_OK(edo_fs_sync_dir("."));
    CHECK_INT(edo_fs_sync_dir("a"), ==, -ENOTDIR);
    CHECK_OK(edo_fs_close(f));
    return 0;
}

FS_TEST(information, 30)
{
    (void)arg;
    edo_fs_info info, link;
    put_file("a", "12345");
    CHECK_OK(chmod("a", 0751));
    CHECK_OK(symlink("a", "l"));
    CHECK_OK(mkfifo("p", 0600));
    struct stat st;
    CHECK_OK(stat("a", &st));
    CHECK_OK(edo_fs_stat("l", &info));
    CHECK_INT(info.type, ==, EDO_FS_FILE);
    CHECK_UINT(info.size, ==, 5);
    CHECK_UINT(info.mode, ==, 0751);
    CHECK_UINT(info.inode, ==, st.st_ino);
    CHECK_UINT(info.device, ==, st.st_dev);
    CHECK_UINT(info.links, ==, 1);
    CHECK_UINT(info.uid, ==, st.st_uid);
    CHECK_INT(info.mtime, ==, st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec);
    CHECK_OK(edo_fs_lstat("l", &link));
    CHECK_INT(link.type, ==, EDO_FS_LINK);
    CHECK_OK(edo_fs_lstat("p", &link));
    CHECK_INT(link.type, ==, EDO_FS_FIFO);
    CHECK_OK(edo_fs_stat(".", &link));
    CHECK_INT(link.type, ==, EDO_FS_DIR);
    CHECK_OK(edo_fs_stat("/dev/null", &link));
    CHECK_INT(link.type, ==, EDO_FS_CHAR);
    CHECK_INT(edo_fs_stat("none", &link), ==, -ENOENT);
    CHECK_INT(edo_fs_stat("a/b", &link), ==, -ENOTDIR);
    CHECK_INT(edo_fs_exists("a"), ==, 1);
    CHECK_INT(edo_fs_exists("none"), ==, 0);
    CHECK_OK(symlink("nowhere", "dangling"));
    CHECK_INT(edo_fs_exists("dangling"), ==, 0);
    CHECK_OK(edo_fs_access("a", R_OK | X_OK));
    CHECK_INT(edo_fs_access("none", F_OK), ==, -ENOENT);
    return 0;
}

FS_TEST(changes, 30)
{
    (void)arg;
    edo_fs_info info, before;
    edo_file *f;
    put_file("a", "x");
    CHECK_OK(symlink("a", "l"));
    CHECK_OK(edo_fs_chmod("l", 0640));
    CHECK_OK(edo_fs_open(&f, "a", O_RDWR, 0));
    CHECK_OK(edo_fs_fstat(f, &info));
    CHECK_UINT(info.mode, ==, 0640);
    CHECK_OK(edo_fs_fchmod(f, 0600));
    CHECK_OK(edo_fs_utimes("a", EDO_SEC(100) + 7, -EDO_SEC(1) / 2));
    CHECK_OK(edo_fs_stat("a", &info));
    CHECK_UINT(info.mode, ==, 0600);
    CHECK_INT(info.atime, ==, EDO_SEC(100) + 7);
    CHECK_INT(info.mtime, ==, -EDO_SEC(1) / 2);
    CHECK_OK(edo_fs_futimes(f, EDO_FS_OMIT, EDO_FS_NOW));
    CHECK_OK(edo_fs_fstat(f, &before));
    CHECK_INT(before.atime, ==, EDO_SEC(100) + 7);
    CHECK_INT(before.mtime, >, EDO_SEC(1000000));
    CHECK_OK(edo_fs_lutimes("l", EDO_SEC(5), EDO_SEC(6)));
    CHECK_OK(edo_fs_lstat("l", &info));
    CHECK_INT(info.mtime, ==, EDO_SEC(6));
    CHECK_OK(edo_fs_stat("l", &info));
    CHECK_INT(info.mtime, ==, before.mtime);
    CHECK_OK(edo_fs_chown("a", (unsigned)-1, (unsigned)-1));
    CHECK_OK(edo_fs_fchown(f, getuid(), getgid()));
    CHECK_OK(edo_fs_lchown("l", getuid(), (unsigned)-1));
    CHECK_INT(edo_fs_chmod("none", 0), ==, -ENOENT);
    CHECK_OK(edo_fs_close(f));
    edo_fs_space space;
    struct statfs s;
    CHECK_OK(edo_fs_statfs(".", &space));
    CHECK_OK(statfs(".", &s));
    CHECK_UINT(space.type, ==, (uint32_t)s.f_type);
    CHECK_UINT(space.total, >, 0);
    CHECK_UINT(space.available, <=, space.total);
    return 0;
}

/* What one task writes another one reads, at the same time, in different places. */
enum { PART = 40000, PARTS = 16 };

typedef struct part {
    edo_file *f;
    unsigned number;
} part;

static int write_part(void *arg)
{
    part *p = arg;
    char *data = malloc(PART), *back = malloc(PART);
    pattern(data, PART, p->number * (uint64_t)PART);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(edo_fs_write_at(p->f, data, PART, p->number * (uint64_t)PART), ==, PART);
        CHECK_INT(edo_fs_read_at(p->f, back, PART, p->number * (uint64_t)PART), ==, PART);
        CHECK_MEM(back, data, PART);
    }
    free(data);
    free(back);
    return 0;
}

FS_TEST(many_at_a_time, 60)
{
    (void)arg;
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "a", O_RDWR | O_CREAT, 0));
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (unsigned i = 0; i < PARTS; i++) {
        part p = { f, i };
        CHECK_OK(edo_spawn_copy(&g, write_part, &p, sizeof p));
    }
    CHECK_OK(edo_group_close(&g));
    char *all = malloc(PART * PARTS), *want = malloc(PART * PARTS);
    CHECK_INT(edo_fs_read_at(f, all, PART * PARTS, 0), ==, PART * PARTS);
    pattern(want, PART * PARTS, 0);
    CHECK_MEM(all, want, PART * PARTS);
    free(all);
    free(want);
    CHECK_OK(edo_fs_close(f));
    return 0;
}

/* A full disk: what fits is written, and the rest says why. */
static int no_room(void *arg)
{
    (void)arg;
    char data[1000] = "x";
    edo_file *f;
    CHECK_OK(edo_fs_open(&f, "a", O_RDWR | O_CREAT, 0));
    CHECK_INT(edo_fs_write_at(f, data, sizeof data, 0), ==, sizeof data);
    CHECK_INT(edo_fs_write_at(f, data, sizeof data, 4000), ==, -EFBIG); /* 96 bytes fit */
    CHECK_INT(edo_fs_write_some_at(f, data, sizeof data, 3500), ==, 596);
    CHECK_INT(edo_fs_write_some_at(f, data, sizeof data, 4096), ==, -EFBIG);
    edo_fs_info info;
    CHECK_OK(edo_fs_fstat(f, &info));
    CHECK_UINT(info.size, ==, 4096);
    CHECK_OK(edo_fs_close(f));
    return 0;
}

TEST(no_room)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = { 4096, 4096 };
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    run_everywhere(no_room, NULL);
}

/* A thread of its own makes the calls itself. */
static void *by_a_thread(void *arg)
{
    (void)arg;
    edo_file *f;
    char buf[8], *all;
    edo_fs_info info;
    CHECK_OK(edo_fs_open(&f, "t", O_RDWR | O_CREAT, 0));
    CHECK_INT(edo_fs_write_at(f, "thread", 6, 0), ==, 6);
    CHECK_INT(edo_fs_read_at(f, buf, 8, 0), ==, 6);
    CHECK_OK(edo_fs_sync(f));
    CHECK_OK(edo_fs_close(f));
    CHECK_INT(edo_fs_read_all("t", 100, &all), ==, 6);
    CHECK_STR(all, "thread");
    free(all);
    CHECK_OK(edo_fs_write_all("u", "new", 3, NULL));
    CHECK_OK(edo_fs_stat("u", &info));
    CHECK_OK(edo_fs_mkdir_all("d/e/f", 0));
    CHECK_OK(edo_fs_remove_all("d"));
    return NULL;
}

static int thread_body(void *arg)
{
    pthread_t t;
    thread_start(&t, by_a_thread, arg);
    thread_join(t);
    return 0;
}

TEST(foreign_threads)
{
    run_everywhere(thread_body, NULL);
}

TEST_MAIN()
