/* SPDX-License-Identifier: MIT */
/* Names and directories. */
#include "fs_test.h"

#include <fcntl.h>

FS_TEST(directories, 30)
{
    (void)arg;
    CHECK_OK(edo_fs_mkdir("d", 0700));
    CHECK_INT(edo_fs_mkdir("d", 0700), ==, -EEXIST);
    CHECK_INT(edo_fs_mkdir("x/y", 0), ==, -ENOENT);
    CHECK_OK(edo_fs_mkdir_all("d/e/f//g/", 0755));
    CHECK_OK(edo_fs_mkdir_all("d/e/f/g", 0755));
    CHECK_OK(edo_fs_mkdir_all(".", 0));
    CHECK_OK(edo_fs_mkdir_all("/", 0));
    char full[400];
    CHECK(getcwd(full, sizeof full - 20) != NULL);
    strcat(full, "/abs/olute");
    CHECK_OK(edo_fs_mkdir_all(full, 0));
    edo_fs_info info;
    CHECK_OK(edo_fs_stat("d/e/f/g", &info));
    CHECK_INT(info.type, ==, EDO_FS_DIR);
    CHECK_OK(edo_fs_stat(full, &info));
    put_file("file", "");
    CHECK_INT(edo_fs_mkdir_all("file", 0), ==, -EEXIST);
    CHECK_INT(edo_fs_mkdir_all("file/x", 0), ==, -ENOTDIR);
    CHECK_INT(edo_fs_mkdir_all("", 0), ==, -ENOENT);
    CHECK_INT(edo_fs_rmdir("d"), ==, -ENOTEMPTY);
    CHECK_INT(edo_fs_rmdir("file"), ==, -ENOTDIR);
    CHECK_INT(edo_fs_unlink("d"), ==, -EISDIR);
    CHECK_OK(edo_fs_rmdir("d/e/f/g"));
    CHECK_OK(edo_fs_remove("d/e/f"));
    CHECK_OK(edo_fs_remove("file"));
    CHECK_INT(edo_fs_remove("file"), ==, -ENOENT);
    CHECK_INT(edo_fs_unlink("file"), ==, -ENOENT);
    return 0;
}

FS_TEST(renames, 30)
{
    (void)arg;
    put_file("a", "a");
    put_file("b", "b");
    CHECK_INT(edo_fs_rename_with("a", "b", EDO_FS_NOREPLACE), ==, -EEXIST);
    CHECK_OK(edo_fs_rename_with("a", "b", EDO_FS_EXCHANGE));
    check_file("a", "b");
    CHECK_OK(edo_fs_rename("a", "b"));
    check_file("b", "b");
    CHECK_INT(edo_fs_exists("a"), ==, 0);
    CHECK_INT(edo_fs_rename("a", "c"), ==, -ENOENT);
    CHECK_INT(edo_fs_rename_with("b", "c", 64), ==, -EINVAL);
    CHECK_OK(edo_fs_rename_with("b", "c", EDO_FS_NOREPLACE));
    CHECK_OK(edo_fs_mkdir_all("d/e", 0));
    CHECK_INT(edo_fs_rename("d", "d/e/f"), ==, -EINVAL);
    CHECK_INT(edo_fs_rename("c", "d"), ==, -EISDIR);
    return 0;
}

FS_TEST(links, 30)
{
    (void)arg;
    char buf[32], *full, *own;
    put_file("a", "a");
    CHECK_OK(edo_fs_link("a", "hard"));
    CHECK_INT(edo_fs_link("a", "hard"), ==, -EEXIST);
    edo_fs_info info;
    CHECK_OK(edo_fs_stat("hard", &info));
    CHECK_UINT(info.links, ==, 2);
    CHECK_OK(edo_fs_symlink("a", "soft"));
    CHECK_INT(edo_fs_symlink("a", "soft"), ==, -EEXIST);
    CHECK_INT(edo_fs_readlink("soft", buf, sizeof buf), ==, 1);
    CHECK_STR(buf, "a");
    CHECK_INT(edo_fs_readlink("soft", buf, 1), ==, -ERANGE);
    CHECK_INT(edo_fs_readlink("soft", buf, 0), ==, -ERANGE);
    CHECK_INT(edo_fs_readlink("soft", buf, 2), ==, 1);
    CHECK_INT(edo_fs_readlink("a", buf, sizeof buf), ==, -EINVAL);
    CHECK_OK(edo_fs_realpath("./soft", &full));
    CHECK((own = realpath("a", NULL)) != NULL);
    CHECK_STR(full, own);
    free(full);
    free(own);
    CHECK_INT(edo_fs_realpath("none", &full), ==, -ENOENT);
    CHECK_OK(edo_fs_symlink("loop", "loop"));
    CHECK_INT(edo_fs_stat("loop", &info), ==, -ELOOP);
    return 0;
}

/* More entries than one buffer holds, each once. */
enum { MANY = 1200 };

static void make_many(const char *dir)
{
    char name[64];
    CHECK_OK(mkdir(dir, 0700));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%s/entry-number-%d", dir, i);
        int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        CHECK_OK(fd);
        CHECK_INT(ftruncate(fd, i), ==, 0);
        close(fd);
    }
}

static int read_many(edo_dir *d, bool stat)
{
    static bool seen[MANY];
    memset(seen, 0, sizeof seen);
    edo_dir_entry e;
    int rc, n = 0;
    while ((rc = edo_fs_readdir(d, &e)) > 0) {
        int i = atoi(e.name + strlen("entry-number-"));
        CHECK(i >= 0 && i < MANY && !seen[i]);
        seen[i] = true;
        CHECK(e.type == EDO_FS_FILE || (!stat && e.type == EDO_FS_UNKNOWN));
        CHECK((e.info != NULL) == stat);
        if (stat) {
            CHECK_UINT(e.info->size, ==, i);
            CHECK_UINT(e.info->inode, ==, e.inode);
        }
        n++;
    }
    CHECK_OK(rc);
    CHECK_INT(edo_fs_readdir(d, &e), ==, 0); /* again */
    return n;
}

FS_TEST(reads_directories, 60)
{
    (void)arg;
    edo_dir *d;
    edo_dir_entry e;
    make_many("many");
    CHECK_OK(edo_fs_opendir(&d, "many", NULL));
    CHECK_INT(read_many(d, false), ==, MANY);
    edo_fs_rewinddir(d);
    CHECK_INT(read_many(d, false), ==, MANY);
    edo_fs_closedir(d);
    CHECK_OK(edo_fs_opendir(&d, "many", &(edo_dir_options){ .stat = true }));
    CHECK_INT(edo_fs_readdir(d, &e), ==, 1);
    edo_fs_rewinddir(d); /* in the middle */
    CHECK_INT(read_many(d, true), ==, MANY);
    edo_fs_closedir(d);
    edo_fs_closedir(NULL);
    CHECK_OK(mkdir("empty", 0700));
    CHECK_OK(edo_fs_opendir(&d, "empty", NULL));
    CHECK_INT(edo_fs_readdir(d, &e), ==, 0);
    edo_fs_closedir(d);
    CHECK_INT(edo_fs_opendir(&d, "none", NULL), ==, -ENOENT);
    CHECK_INT(edo_fs_opendir(&d, "many/entry-number-0", NULL), ==, -ENOTDIR);
    return 0;
}

FS_TEST(lists, 60)
{
    (void)arg;
    char **names, want[64];
    make_many("many");
    CHECK_INT(edo_fs_list("many", &names), ==, MANY);
    for (int i = 1; i < MANY; i++)
        CHECK(strcmp(names[i - 1], names[i]) < 0);
    CHECK(names[MANY] == NULL);
    CHECK_STR(names[0], "entry-number-0");
    snprintf(want, sizeof want, "entry-number-%d", 999);
    CHECK_STR(names[MANY - 1], want);
    free(names);
    CHECK_OK(mkdir("empty", 0700));
    CHECK_INT(edo_fs_list("empty", &names), ==, 0);
    CHECK(names[0] == NULL);
    free(names);
    CHECK_INT(edo_fs_list("none", &names), ==, -ENOENT);
    return 0;
}

FS_TEST(removes_trees, 60)
{
    (void)arg;
    CHECK_OK(edo_fs_remove_all("none"));
    put_file("file", "x");
    CHECK_OK(edo_fs_remove_all("file"));
    put_file("kept", "x");
    make_many("d");
    CHECK_OK(mkdir("kept-dir", 0700));
    put_file("kept-dir/x", "x");
    CHECK_OK(edo_fs_mkdir_all("d/a/b/c/d/e", 0));
    CHECK_OK(edo_fs_mkdir_all("d/a/b2/c", 0));
    put_file("d/a/b/f", "x");
    CHECK_OK(symlink("../../kept-dir", "d/a/link"));
    CHECK_OK(symlink("../kept", "d/link"));
    CHECK_OK(mkfifo("d/a/b/fifo", 0600));
    CHECK_OK(edo_fs_remove_all("d"));
    CHECK_INT(edo_fs_exists("d"), ==, 0);
    CHECK_OK(symlink("kept-dir", "link"));
    CHECK_OK(edo_fs_remove_all("link")); /* not what it points to */
    CHECK_INT(edo_fs_exists("kept-dir/x"), ==, 1);
    CHECK_INT(edo_fs_exists("kept"), ==, 1);
    CHECK_OK(edo_fs_remove_all("kept-dir"));
    CHECK_INT(edo_fs_remove_all("kept/x"), ==, -ENOTDIR);
    CHECK_INT(entries_here(), ==, 1);
    return 0;
}

/* Deeper than any path can be long, and than there are descriptors. */
FS_TEST(removes_deep_trees, 60)
{
    (void)arg;
    enum { DEPTH = 600 };
    int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEPTH; i++) {
        CHECK_OK(mkdir("a-level", 0700));
        CHECK_OK(chdir("a-level"));
    }
    put_file("bottom", "x");
    CHECK_OK(fchdir(home));
    close(home);
    CHECK_OK(edo_fs_remove_all("a-level"));
    CHECK_INT(entries_here(), ==, 0);
    return 0;
}

/* What cannot be removed does not keep the rest. */
FS_TEST(removes_what_it_can, 60)
{
    (void)arg;
    if (geteuid() == 0)
        return 0; /* root may remove everything */
    CHECK_OK(edo_fs_mkdir_all("d/locked/in", 0));
    CHECK_OK(edo_fs_mkdir_all("d/other/in", 0));
    put_file("d/file", "x");
    CHECK_OK(chmod("d/locked", 0500));
    CHECK_INT(edo_fs_remove_all("d"), ==, -EACCES);
    CHECK_INT(edo_fs_exists("d/locked/in"), ==, 1);
    CHECK_INT(edo_fs_exists("d/other"), ==, 0);
    CHECK_INT(edo_fs_exists("d/file"), ==, 0);
    CHECK_OK(chmod("d/locked", 0700));
    CHECK_OK(edo_fs_remove_all("d"));
    return 0;
}

TEST_MAIN()
