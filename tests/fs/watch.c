/* SPDX-License-Identifier: MIT */
/* Watching: each kind of change, merging, moves, trees that grow, overflow, cancels, memory. */
#include "../rt/nomem.h"
#include "fs_test.h"

/* The next event, of this path and with these among what has happened. */
static edo_fs_event expect(edo_fs_watcher *w, const char *path, unsigned what)
{
    edo_fs_event e;
    CHECK_INT(edo_fs_watch_next(w, &e), ==, 1);
    CHECK_STR(e.path, path);
    if ((e.what & what) != what)
        FAIL("%s: %#x does not have all of %#x", path, e.what, what);
    return e;
}

/* A file that is made now: told of after all that has happened before. Returns its name. */
static const char *put_fence(const char *dir)
{
    static char path[64];
    static unsigned n;
    snprintf(path, sizeof path, "%s/fence-%u", dir, n++);
    put_file(path, "");
    return path;
}

static void expect_nothing(edo_fs_watcher *w, const char *dir)
{
    expect(w, put_fence(dir), EDO_FS_CREATED);
}

/* Takes all that has happened. What is found in new directories is told of after the first fence. */
static void drain(edo_fs_watcher *w, const char *dir)
{
    for (int i = 0; i < 2; i++) {
        const char *fence = put_fence(dir);
        edo_fs_event e;
        do
            CHECK_INT(edo_fs_watch_next(w, &e), ==, 1);
        while (strcmp(e.path, fence) != 0);
    }
}

FS_TEST(changes, 30)
{
    (void)arg;
    edo_fs_watcher *w;
    CHECK_OK(mkdir("d", 0700));
    put_file("d/old", "x");
    CHECK_INT(edo_fs_watch(&w, "none", NULL), ==, -ENOENT);
    CHECK_OK(edo_fs_watch(&w, "d", NULL));
    expect_nothing(w, "d");
    put_file("d/new", "x"); /* made and written before anybody asks: one event */
    edo_fs_event e = expect(w, "d/new", EDO_FS_CREATED | EDO_FS_WRITTEN);
    CHECK(!e.dir && e.from == NULL);
    put_file("d/old", "y");
    CHECK_UINT(expect(w, "d/old", EDO_FS_WRITTEN).what, ==, EDO_FS_WRITTEN);
    CHECK_OK(chmod("d/old", 0600));
    CHECK_UINT(expect(w, "d/old", EDO_FS_CHANGED).what, ==, EDO_FS_CHANGED);
    CHECK_OK(rename("d/old", "d/moved"));
    e = expect(w, "d/moved", EDO_FS_RENAMED);
    CHECK_STR(e.from, "d/old");
    CHECK_OK(rename("d/moved", "away"));
    CHECK_UINT(expect(w, "d/moved", EDO_FS_REMOVED).what, ==, EDO_FS_REMOVED);
    CHECK_OK(rename("away", "d/back"));
    expect(w, "d/back", EDO_FS_CREATED);
    CHECK_OK(mkdir("d/sub", 0700));
    CHECK(expect(w, "d/sub", EDO_FS_CREATED).dir);
    put_file("d/sub/x", ""); /* not recursive */
    CHECK_OK(unlink("d/back"));
    expect(w, "d/back", EDO_FS_REMOVED);
    expect_nothing(w, "d");
    CHECK_OK(edo_fs_watch_add(w, "d/new"));
    CHECK_OK(edo_fs_watch_remove(w, "d"));
    CHECK_INT(edo_fs_watch_remove(w, "d"), ==, -ENOENT);
    put_file("d/new", "z");
    CHECK_UINT(expect(w, "d/new", EDO_FS_WRITTEN).what, ==, EDO_FS_WRITTEN);
    CHECK_OK(unlink("d/new"));
    expect(w, "d/new", EDO_FS_GONE);
    edo_fs_watch_close(w);
    edo_fs_watch_close(NULL);
    return 0;
}

/* Until all the paths have been told of as made; some may be told of twice. */
static void expect_all(edo_fs_watcher *w, const char *const *paths, size_t n)
{
    size_t seen = 0;
    bool had[16] = { false };
    while (seen < n) {
        edo_fs_event e;
        CHECK_INT(edo_fs_watch_next(w, &e), ==, 1);
        size_t i = 0;
        while (i < n && strcmp(paths[i], e.path) != 0)
            i++;
        if (i == n)
            FAIL("%s: %#x", e.path, e.what);
        if ((e.what & EDO_FS_CREATED) != 0 && !had[i]) {
            had[i] = true;
            seen++;
        }
    }
}

FS_TEST(trees, 30)
{
    (void)arg;
    edo_fs_watcher *w;
    CHECK_OK(edo_fs_mkdir_all("t/a/b", 0));
    CHECK_OK(edo_fs_watch(&w, "t", &(edo_fs_watch_options){ .recursive = true }));
    put_file("t/a/b/x", "x");
    expect(w, "t/a/b/x", EDO_FS_CREATED);
    /* Made before anybody looks: all of it is found. */
    CHECK_OK(edo_fs_mkdir_all("t/n/o/p", 0));
    put_file("t/n/o/p/deep", "x");
    const char *made[] = { "t/n", "t/n/o", "t/n/o/p", "t/n/o/p/deep" };
    expect_all(w, made, 4);
    drain(w, "t");
    put_file("t/n/o/p/later", "x");
    expect(w, "t/n/o/p/later", EDO_FS_CREATED);
    /* What is below goes by its new name. */
    CHECK_OK(rename("t/n", "t/m"));
    CHECK_STR(expect(w, "t/m", EDO_FS_RENAMED).from, "t/n");
    put_file("t/m/o/p/deep", "y");
    CHECK_UINT(expect(w, "t/m/o/p/deep", EDO_FS_WRITTEN).what, ==, EDO_FS_WRITTEN);
    /* Away: nothing more of it; back: all of it again. */
    CHECK_OK(rename("t/m", "away"));
    expect(w, "t/m", EDO_FS_REMOVED);
    put_file("away/o/p/deep", "z");
    expect_nothing(w, "t");
    CHECK_OK(rename("away", "t/n"));
    const char *back[] = { "t/n", "t/n/o", "t/n/o/p", "t/n/o/p/deep", "t/n/o/p/later" };
    expect_all(w, back, 5);
    drain(w, "t");
    CHECK_OK(edo_fs_remove_all("t/n"));
    drain(w, "t");
    CHECK_OK(edo_fs_remove_all("t"));
    edo_fs_event e;
    do
        CHECK_INT(edo_fs_watch_next(w, &e), ==, 1);
    while ((e.what & EDO_FS_GONE) == 0);
    CHECK_STR(e.path, "t");
    edo_fs_watch_close(w);
    return 0;
}

static int expect_one(void *arg)
{
    expect(arg, "d/log", EDO_FS_CREATED | EDO_FS_WRITTEN | EDO_FS_CHANGED);
    return 0;
}

/* What happens within the time is one event; the clock goes on when everybody waits. */
FS_TEST(settles, 30)
{
    (void)arg;
    edo_fs_watcher *w;
    edo_group g;
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_fs_watch(&w, "d", &(edo_fs_watch_options){ .settle = EDO_SEC(1000) }));
    int64_t start = edo_now();
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, expect_one, w));
    put_file("d/log", "x");
    for (int i = 0; i < 10; i++) {
        CHECK_OK(edo_yield());
        put_file("d/log", "xy");
    }
    CHECK_OK(chmod("d/log", 0600));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(edo_now() - start, >=, EDO_SEC(1000));
    put_file("d/next", "x");
    expect(w, "d/next", EDO_FS_CREATED);
    edo_fs_watch_close(w);
    edo_clock_resume();
    return 0;
}

/* More than is kept: it is said, and the watcher goes on. */
static int too_much(void *arg)
{
    (void)arg;
    edo_fs_watcher *w;
    edo_fs_event e;
    char path[32];
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(mkdir("d/sub", 0700));
    CHECK_OK(edo_fs_watch(&w, "d", &(edo_fs_watch_options){ .recursive = true }));
    for (int i = 0; i < 20000; i++) {
        snprintf(path, sizeof path, "d/%d", i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK_OK(fd);
        close(fd);
    }
    do
        CHECK_INT(edo_fs_watch_next(w, &e), ==, 1);
    while ((e.what & EDO_FS_OVERFLOW) == 0);
    CHECK_STR(e.path, "");
    drain(w, "d");
    put_file("d/sub/x", "x");
    expect(w, "d/sub/x", EDO_FS_CREATED);
    edo_fs_watch_close(w);
    return 0;
}

TEST_TIMEOUT(overflow, 120)
{
    run_below(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", 2, too_much, NULL);
}

static int wait_for_event(void *arg)
{
    edo_fs_event e;
    return edo_fs_watch_next(arg, &e);
}

FS_TEST(cancelled, 30)
{
    (void)arg;
    edo_fs_watcher *w;
    edo_group g;
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(edo_fs_watch(&w, "d", &(edo_fs_watch_options){ .recursive = true }));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, wait_for_event, w));
        for (int k = 0; k < i; k++)
            CHECK_OK(edo_yield());
        edo_group_cancel(&g);
        CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    }
    /* A directory that was made meanwhile is not forgotten. */
    CHECK_OK(mkdir("d/sub", 0700));
    put_file("d/sub/x", "x");
    edo_scope s;
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    edo_fs_watcher *other;
    CHECK_INT(edo_fs_watch(&other, "d", NULL), ==, -ECANCELED);
    CHECK_INT(edo_fs_watch_add(w, "d/sub"), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, wait_for_event(w)), ==, -ECANCELED);
    const char *made[] = { "d/sub", "d/sub/x" };
    expect_all(w, made, 2);
    edo_fs_watch_close(w);
    return 0;
}

/* With a select among other things. */
FS_TEST(in_a_select, 30)
{
    (void)arg;
    edo_fs_watcher *w;
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(edo_fs_watch(&w, "d", NULL));
    edo_case quiet[] = { EDO_READABLE(edo_fs_watch_fd(w)), EDO_AFTER(EDO_MS(1)) };
    CHECK_INT(edo_select(quiet, 2), ==, 1);
    put_file("d/x", "x");
    edo_case cases[] = { EDO_READABLE(edo_fs_watch_fd(w)), EDO_AFTER(EDO_SEC(20)) };
    CHECK_INT(edo_select(cases, 2), ==, 0);
    expect(w, "d/x", EDO_FS_CREATED);
    edo_fs_watch_close(w);
    return 0;
}

/* ---- memory ---- */

static int watches(void *arg)
{
    (void)arg;
    edo_fs_watcher *w;
    edo_fs_event e;
    if (refused(edo_fs_watch(&w, "d", &(edo_fs_watch_options){ .recursive = true })))
        return 0;
    (void)refused(edo_fs_watch_add(w, "d/a"));
    put_file("d/a/x", "x");
    CHECK_OK(rename("d/a/x", "d/y"));
    CHECK_OK(mkdir("d/new", 0700));
    CHECK_OK(rename("d/new", "d/newer"));
    for (int i = 0, rc; i < 4; i++) {
        edo_scope s;
        edo_scope_open(&s, EDO_MS(1));
        rc = edo_scope_close(&s, edo_fs_watch_next(w, &e));
        CHECK(rc == 1 || rc == -ETIMEDOUT || refused(rc));
    }
    edo_fs_watch_close(w);
    CHECK_OK(unlink("d/y"));
    CHECK_OK(rmdir("d/newer"));
    return 0;
}

static int attempt_watches(void)
{
    int rc = edo_run(&(edo_config){ .workers = 1 }, watches, NULL);
    CHECK(rc == 0 || refused(rc));
    return rc;
}

TEST_TIMEOUT(without_memory, 60)
{
    char path[] = "/tmp/edo-test-XXXXXX";
    needs_own_malloc();
    CHECK(mkdtemp(path) != NULL);
    CHECK_OK(chdir(path));
    CHECK_OK(mkdir("d", 0700));
    CHECK_OK(mkdir("d/a", 0700));
    fail_each(attempt_watches);
    CHECK_OK(chdir("/"));
    CHECK_OK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

TEST_MAIN()
