/* SPDX-License-Identifier: MIT */
/* Cancelled files: a call that is cancelled before has no effect; one that is cancelled at any point
 * either happened or did not, leaves no part of a file, no descriptor and no memory. */
#include "fs_test.h"

#include <fcntl.h>

typedef struct state {
    edo_file *f;
    edo_dir *d;
    edo_stream *s;
    char buf[8192];
} state;

typedef int call_fn(state *st);

static int do_open(state *st)
{
    edo_file *f;
    (void)st;
    int rc = edo_fs_open(&f, "made", O_RDWR | O_CREAT, 0);
    if (rc == 0) {
        CHECK_OK(edo_fs_close(f));
        CHECK_OK(unlink("made"));
    }
    return rc;
}

static int do_open_old(state *st)
{
    edo_file *f;
    (void)st;
    int rc = edo_fs_open(&f, "old", O_RDONLY, 0);
    return rc == 0 ? edo_fs_close(f) : rc;
}

static int do_read(state *st)
{
    return (int)edo_fs_read_at(st->f, st->buf, sizeof st->buf, 0);
}

static int do_write(state *st)
{
    return (int)edo_fs_write_at(st->f, "content", 7, 0);
}

static int do_stream_read(state *st)
{
    return (int)edo_read(st->s, st->buf, 1);
}

static int do_sync(state *st)
{
    return edo_fs_sync(st->f);
}

static int do_stat(state *st)
{
    edo_fs_info info;
    (void)st;
    return edo_fs_stat("old", &info);
}

static int do_mkdir(state *st)
{
    (void)st;
    int rc = edo_fs_mkdir("made", 0);
    if (rc == 0)
        CHECK_OK(rmdir("made"));
    return rc;
}

static int do_rename(state *st)
{
    (void)st;
    int rc = edo_fs_rename("old", "made");
    if (rc == 0)
        CHECK_OK(rename("made", "old"));
    return rc;
}

static int do_unlink(state *st)
{
    (void)st;
    int rc = edo_fs_unlink("old");
    if (rc == 0)
        put_file("old", "content");
    return rc;
}

static int do_link(state *st)
{
    (void)st;
    int rc = edo_fs_link("old", "made");
    if (rc == 0)
        CHECK_OK(unlink("made"));
    return rc;
}

static int do_read_all(state *st)
{
    char *data;
    (void)st;
    ssize_t n = edo_fs_read_all("old", SIZE_MAX, &data);
    if (n >= 0)
        free(data);
    return (int)n;
}

static int do_write_all(state *st)
{
    (void)st;
    return edo_fs_write_all("old", "content", 7, NULL);
}

static int do_copy(state *st)
{
    (void)st;
    int rc = (int)edo_fs_copy_file("old", "made", NULL);
    if (rc >= 0)
        CHECK_OK(unlink("made"));
    return rc;
}

static int do_readdir(state *st)
{
    edo_dir_entry e;
    edo_fs_rewinddir(st->d);
    return edo_fs_readdir(st->d, &e);
}

static int do_opendir(state *st)
{
    edo_dir *d;
    (void)st;
    int rc = edo_fs_opendir(&d, ".", NULL);
    if (rc == 0)
        edo_fs_closedir(d);
    return rc;
}

static int do_list(state *st)
{
    char **names;
    (void)st;
    int rc = edo_fs_list(".", &names);
    if (rc >= 0)
        free(names);
    return rc;
}

static int do_temp(state *st)
{
    edo_file *f;
    (void)st;
    int rc = edo_fs_temp_file(&f, ".");
    return rc == 0 ? edo_fs_close(f) : rc;
}

static int do_mkstemp(state *st)
{
    char path[] = "XXXXXX";
    edo_file *f;
    (void)st;
    int rc = edo_fs_mkstemp(&f, path);
    if (rc == 0) {
        CHECK_OK(unlink(path));
        return edo_fs_close(f);
    }
    CHECK_STR(path, "XXXXXX");
    return rc;
}

static int do_remove_all(state *st)
{
    (void)st;
    int rc = edo_fs_remove_all("none");
    return rc;
}

static call_fn *const calls[] = {
    do_open,    do_open_old, do_read,   do_write, do_stream_read, do_sync,      do_stat,
    do_mkdir,   do_rename,   do_unlink, do_link,  do_read_all,    do_write_all, do_copy,
    do_readdir, do_opendir,  do_list,   do_temp,  do_mkstemp,     do_remove_all
};
enum { CALLS = sizeof calls / sizeof *calls };

static void set_up(state *st)
{
    put_file("old", "content");
    CHECK_OK(edo_fs_open(&st->f, "old", O_RDWR, 0));
    CHECK_OK(edo_fs_opendir(&st->d, ".", NULL));
    CHECK_OK(edo_fs_stream(&st->s, st->f, 0));
}

static void tear_down(state *st)
{
    edo_fs_closedir(st->d);
    CHECK_OK(edo_close(st->s));
    CHECK_OK(edo_fs_close(st->f));
    check_file("old", "content");
    CHECK_INT(entries_here(), ==, 1);
}

FS_TEST(before, 30)
{
    (void)arg;
    state *st = calloc(1, sizeof *st);
    set_up(st);
    for (int i = 0; i < CALLS; i++) {
        edo_scope s;
        edo_scope_open(&s, EDO_FOREVER);
        edo_scope_cancel(&s);
        int rc = calls[i](st);
        if (rc != -ECANCELED)
            FAIL("call %d: %d", i, rc);
        (void)edo_scope_close(&s, rc);
    }
    tear_down(st);
    free(st);
    return 0;
}

typedef struct victim {
    state *st;
    call_fn *call;
    unsigned started; /* atomic */
} victim;

static int be_cancelled(void *arg)
{
    victim *v = arg;
    STORE(&v->started, 1);
    for (;;) { /* the call that happened all the same is followed by one that does not */
        int rc = v->call(v->st);
        if (rc == -ECANCELED)
            return 0;
        CHECK_OK(rc);
    }
}

/* At a random point of each, many times. */
FS_TEST(in_the_middle, 120)
{
    (void)arg;
    state *st = calloc(1, sizeof *st);
    uint64_t seed = test_seed();
    set_up(st);
    for (unsigned i = 0; i < test_scale(15) * CALLS; i++) {
        victim v = { .st = st, .call = calls[i % CALLS] };
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, be_cancelled, &v));
        until(&v.started, 1);
        uint64_t spins = test_rand(&seed) % 64;
        for (uint64_t k = 0; k < spins; k++)
            CHECK_OK(edo_yield());
        edo_group_cancel(&g);
        (void)edo_group_close(&g);
    }
    tear_down(st);
    free(st);
    return 0;
}

/* A job that still waits for a thread is taken back and never runs. */
static unsigned held, let_go; /* atomic */

static int hold(void *arg)
{
    (void)arg;
    ADD(&held, 1);
    while (LOAD(&let_go) == 0)
        sched_yield();
    return 0;
}

static int waits_for_a_thread(void *arg)
{
    return *(int *)arg = edo_fs_mkdir_all("never/ever", 0);
}

static int queued(void *arg)
{
    (void)arg;
    edo_group holders, g;
    int rc = 1;
    STORE(&held, 0);
    STORE(&let_go, 0);
    CHECK_OK(edo_group_open(&holders, NULL));
    for (int i = 0; i < 2; i++) /* all that may be, with those for others */
        CHECK_OK(edo_spawn_blocking(&holders, hold, NULL));
    until(&held, 2);
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, waits_for_a_thread, &rc));
    for (int i = 0; i < 50; i++)
        CHECK_OK(edo_yield());
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    /* Either it had to wait for a thread, or there was one and it is done. */
    CHECK(rc == -ECANCELED ? access("never", F_OK) != 0 : rc == 0);
    STORE(&let_go, 1);
    return edo_group_close(&holders);
}

TEST(taken_back)
{
    setenv("EDO_BLOCKING_MAX", "4", 1);
    run_everywhere(queued, NULL);
}

/* Long jobs stop soon, and leave what they had not touched. */
static int long_write(void *arg)
{
    size_t size = 64 << 20;
    char *data = calloc(1, size);
    STORE((unsigned *)arg, 1);
    int rc = 0;
    for (int i = 0; i < 1000 && rc == 0; i++)
        rc = edo_fs_write_all("old", data, size, &(edo_write_options){ .no_sync = true });
    CHECK_INT(rc, ==, -ECANCELED);
    free(data);
    return 0;
}

FS_TEST(long_jobs_stop, 60)
{
    (void)arg;
    unsigned started = 0;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, long_write, &started));
    until(&started, 1);
    CHECK_OK(edo_sleep(EDO_MS(5)));
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    CHECK_INT(entries_here(), <=, 1);
    return 0;
}

TEST_MAIN()
