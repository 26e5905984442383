/* SPDX-License-Identifier: MIT */
/* Writing whole or not at all. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <test.h>
#include <unistd.h>

/* A directory of this test's own, which becomes the current one. */
static void enter_directory(void)
{
    char path[] = "/tmp/husako-files.XXXXXX";
    CHECK(mkdtemp(path));
    CHECK_INT(chdir(path), ==, 0);
}

static void leave_directory(void)
{
    char path[4096];
    CHECK(getcwd(path, sizeof path));
    CHECK_OK(hu_tree_remove(path));
}

static char *content(const char *path)
{
    hu_buf text = { 0 };
    CHECK_OK(hu_file_read(path, 1 << 20, &text));
    return text.data ? text.data : hu_strdup("");
}

static void check_content(const char *path, const char *want)
{
    char *text = content(path);
    CHECK_STR(text, want);
    free(text);
}

static size_t count_files(void)
{
    hu_paths paths = { 0 };
    CHECK_OK(hu_tree_list(".", true, NULL, &paths));
    size_t n = paths.count;
    hu_paths_free(&paths);
    return n;
}

static void limit_file_size(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ bytes, RLIM_INFINITY }), ==, 0);
}

TEST(write_and_read)
{
    enter_directory();
    CHECK_OK(hu_file_write("a/b/c", "text", 4));
    check_content("a/b/c", "text");
    CHECK_OK(hu_file_write("a/b/c", "", 0));
    check_content("a/b/c", "");
    hu_buf text = { 0 };
    CHECK_OK(hu_file_write("large", "0123456789", 10));
    CHECK_INT(hu_file_read("large", 9, &text), ==, -EFBIG);
    CHECK_INT(hu_file_read("a", 9, &text), ==, -EISDIR);
    CHECK_INT(hu_file_read("nothing", 9, &text), ==, -ENOENT);
    CHECK_INT(hu_file_write("large/below", "", 0), ==, -ENOTDIR);
    CHECK_UINT(count_files(), ==, 2);
    hu_buf_free(&text);
    leave_directory();
}

TEST(unchanged_files_are_left_alone)
{
    enter_directory();
    CHECK_OK(hu_file_write("f", "text", 4));
    struct stat before, after;
    CHECK_INT(stat("f", &before), ==, 0);
    CHECK_OK(hu_file_write("f", "text", 4));
    CHECK_INT(stat("f", &after), ==, 0);
    CHECK_UINT(before.st_ino, ==, after.st_ino);
    CHECK_OK(hu_file_write("f", "texT", 4));
    CHECK_INT(stat("f", &after), ==, 0);
    CHECK_UINT(before.st_ino, !=, after.st_ino);
    leave_directory();
}

TEST(mode_and_links_stay)
{
    enter_directory();
    CHECK_OK(hu_file_write("real", "1", 1));
    CHECK_INT(chmod("real", 0600), ==, 0);
    CHECK_INT(symlink("real", "link"), ==, 0);
    CHECK_OK(hu_file_write("link", "2", 1));
    struct stat st;
    CHECK_INT(lstat("link", &st), ==, 0);
    CHECK(S_ISLNK(st.st_mode));
    check_content("real", "2");
    CHECK_INT(stat("real", &st), ==, 0);
    CHECK_INT(st.st_mode & 0777, ==, 0600);
    leave_directory();
}

TEST(full_disk_changes_nothing)
{
    enter_directory();
    CHECK_OK(hu_file_write("a", "old a", 5));
    CHECK_OK(hu_file_write("b", "old b", 5));
    char big[8192];
    memset(big, 'x', sizeof big);
    limit_file_size(4096);
    hu_change change = { 0 };
    CHECK_OK(hu_change_add(&change, "a", "new a", 5, true));
    CHECK_INT(hu_change_add(&change, "b", big, sizeof big, true), ==, -EFBIG);
    hu_change_abort(&change);
    check_content("a", "old a");
    check_content("b", "old b");
    CHECK_UINT(count_files(), ==, 2);
    leave_directory();
}

TEST(changes_come_together)
{
    enter_directory();
    CHECK_OK(hu_file_write("a", "old", 3));
    hu_change change = { 0 };
    CHECK_OK(hu_change_add(&change, "a", "new", 3, false));
    CHECK_OK(hu_change_add(&change, "d/b", "new", 3, false));
    check_content("a", "old");
    CHECK_OK(hu_change_commit(&change));
    check_content("a", "new");
    check_content("d/b", "new");
    CHECK_UINT(count_files(), ==, 2);
    leave_directory();
}

static void stage_two(hu_stage *stage, const char *dir)
{
    CHECK_OK(hu_stage_open(stage, dir));
    CHECK_OK(hu_stage_add(stage, "same", "1", 1));
    CHECK_OK(hu_stage_add(stage, "sub/new", "2", 1));
}

TEST(stage_replaces_a_directory)
{
    enter_directory();
    CHECK_OK(hu_file_write("d/same", "1", 1));
    CHECK_OK(hu_file_write("d/stale", "0", 1));
    struct stat before, after;
    CHECK_INT(stat("d/same", &before), ==, 0);
    hu_stage stage;
    stage_two(&stage, "d");
    check_content("d/stale", "0");
    CHECK_OK(hu_stage_commit(&stage));
    CHECK(!hu_file_exists("d/stale"));
    check_content("d/sub/new", "2");
    CHECK_INT(stat("d/same", &after), ==, 0);
    CHECK_UINT(before.st_ino, ==, after.st_ino);
    CHECK_UINT(count_files(), ==, 2);
    leave_directory();
}

TEST(stage_makes_a_directory)
{
    enter_directory();
    hu_stage stage;
    stage_two(&stage, "p/d");
    CHECK(!hu_dir_exists("p/d"));
    CHECK_OK(hu_stage_commit(&stage));
    check_content("p/d/sub/new", "2");
    CHECK_UINT(count_files(), ==, 2);
    leave_directory();
}

TEST(stage_abort_and_what_a_killed_run_left)
{
    enter_directory();
    CHECK_OK(hu_file_write("d/old", "0", 1));
    hu_stage stage;
    stage_two(&stage, "d");
    hu_stage_abort(&stage);
    CHECK_UINT(count_files(), ==, 1);
    CHECK_OK(hu_file_write(".d.new/rest", "0", 1));
    stage_two(&stage, "d");
    CHECK_OK(hu_stage_commit(&stage));
    CHECK(!hu_file_exists("d/rest"));
    CHECK_UINT(count_files(), ==, 2);
    leave_directory();
}

TEST(stage_on_a_full_disk)
{
    enter_directory();
    CHECK_OK(hu_file_write("d/old", "0", 1));
    char big[8192];
    memset(big, 'x', sizeof big);
    limit_file_size(4096);
    hu_stage stage;
    stage_two(&stage, "d");
    CHECK_INT(hu_stage_add(&stage, "big", big, sizeof big), ==, -EFBIG);
    hu_stage_abort(&stage);
    check_content("d/old", "0");
    CHECK_UINT(count_files(), ==, 1);
    leave_directory();
}

TEST(lists_are_sorted)
{
    enter_directory();
    CHECK_OK(hu_file_write("b/x.json", "", 0));
    CHECK_OK(hu_file_write("a.json", "", 0));
    CHECK_OK(hu_file_write("a/z.json", "", 0));
    CHECK_OK(hu_file_write("a/y.yaml", "", 0));
    CHECK_INT(symlink(".", "a/loop"), ==, 0);
    static const char *const suffixes[] = { ".json", NULL };
    hu_paths paths = { 0 };
    CHECK_OK(hu_tree_list("b", false, suffixes, &paths));
    CHECK_UINT(paths.count, ==, 1);
    hu_paths_free(&paths);
    CHECK_INT(unlink("a/loop"), ==, 0);
    CHECK_OK(hu_tree_list(".", true, suffixes, &paths));
    CHECK_UINT(paths.count, ==, 3);
    CHECK_STR(paths.list[0], "a.json");
    CHECK_STR(paths.list[1], "a/z.json");
    CHECK_STR(paths.list[2], "b/x.json");
    hu_paths_free(&paths);
    CHECK_INT(hu_tree_list("nothing", true, NULL, &paths), ==, -ENOENT);
    leave_directory();
}

TEST(links_in_a_circle_end)
{
    enter_directory();
    CHECK_OK(hu_mkdirs("a"));
    CHECK_INT(symlink("..", "a/up"), ==, 0);
    hu_paths paths = { 0 };
    (void)hu_tree_list(".", true, NULL, &paths);
    hu_paths_free(&paths);
    leave_directory();
}

TEST(content_hashes)
{
    enter_directory();
    char hash[HU_HASH_TEXT], other[HU_HASH_TEXT];
    CHECK_OK(hu_file_write("f", "a", 1));
    hu_content_hash("f", hash);
    CHECK_STR(hash, "000000000002b606");
    CHECK_OK(hu_file_write("d/x", "1", 1));
    CHECK_OK(hu_file_write("d/y", "2", 1));
    hu_content_hash("d", hash);
    CHECK_INT(rename("d/y", "d/z"), ==, 0);
    hu_content_hash("d", other);
    CHECK(strcmp(hash, other) != 0);
    hu_content_hash("nothing", hash);
    CHECK_STR(hash, "");
    leave_directory();
}

TEST_MAIN()
