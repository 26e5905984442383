/* SPDX-License-Identifier: MIT */
/* Walking trees: everything once, in order when wanted, links and loops, what cannot be read, ends
 * in the middle, cancels, memory. */
#include "fs_test.h"

enum { SEEN_MAX = 4000, PATH_LEN = 200 };

typedef struct seen {
    int n;
    int limit; /* stop after so many; 0: never */
    int answer;
    const char *at; /* the name that is answered to with `answer` */
    char path[SEEN_MAX][PATH_LEN];
    int code[SEEN_MAX];
    bool after[SEEN_MAX];
    edo_fs_type type[SEEN_MAX];
    uint64_t size[SEEN_MAX];
} seen;

static int see(const edo_walk_entry *e, void *arg)
{
    seen *s = arg;
    CHECK_INT(s->n, <, SEEN_MAX);
    CHECK_UINT(strlen(e->path), <, PATH_LEN);
    const char *slash = strrchr(e->path, '/');
    CHECK_STR(e->name, slash != NULL ? slash + 1 : e->path);
    strcpy(s->path[s->n], e->path);
    s->code[s->n] = e->code;
    s->after[s->n] = e->after;
    s->type[s->n] = e->type;
    s->size[s->n] = e->info != NULL ? e->info->size : UINT64_MAX;
    unsigned slashes = 0;
    for (const char *p = e->path; *p != '\0'; p++)
        slashes += *p == '/';
    CHECK_UINT(e->depth, ==, slashes);
    s->n++;
    if (s->limit > 0 && s->n == s->limit)
        return EDO_WALK_STOP;
    return s->at != NULL && strcmp(e->name, s->at) == 0 ? s->answer : EDO_WALK_ON;
}

static int find(const seen *s, const char *path)
{
    int found = -1;
    for (int i = 0; i < s->n; i++) {
        if (strcmp(s->path[i], path) != 0 || s->code[i] != 0 || s->after[i])
            continue;
        CHECK_INT(found, ==, -1); /* once */
        found = i;
    }
    return found;
}

/* t: dirs a, b, c of dirs 0..9 of 20 files each, and a file beside them. */
enum { TREE = 1 + 3 + 30 + 600 + 1 };

static void make_tree(void)
{
    char path[PATH_LEN];
    CHECK_OK(mkdir("t", 0700));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "t/%c", 'a' + i);
        CHECK_OK(mkdir(path, 0700));
        for (int k = 0; k < 10; k++) {
            snprintf(path, sizeof path, "t/%c/%d", 'a' + i, k);
            CHECK_OK(mkdir(path, 0700));
            for (int f = 0; f < 20; f++) {
                snprintf(path, sizeof path, "t/%c/%d/file-%d", 'a' + i, k, f);
                put_file(path, f % 2 == 0 ? "" : "x");
            }
        }
    }
    put_file("t/z", "123");
}

static seen *walk_with(const char *root, const edo_walk_options *o)
{
    seen *s = calloc(1, sizeof *s);
    CHECK_OK(edo_fs_walk(root, o, see, s));
    return s;
}

FS_TEST(everything_once, 60)
{
    (void)arg;
    make_tree();
    for (unsigned n = 0; n < 8; n++) {
        edo_walk_options o = { .concurrency = 1 + n / 2, .sorted = n % 2 == 1, .stat = n >= 4 };
        seen *s = walk_with("t", &o);
        CHECK_INT(s->n, ==, TREE);
        CHECK_INT(find(s, "t"), ==, 0);
        CHECK_INT(find(s, "t/b/3/file-19"), >, find(s, "t/b/3"));
        CHECK_INT(find(s, "t/b/3"), >, find(s, "t/b"));
        int z = find(s, "t/z");
        CHECK_INT(s->type[z], ==, EDO_FS_FILE);
        CHECK_UINT(s->size[z], ==, o.stat ? 3 : UINT64_MAX);
        for (int i = 0; i < s->n; i++)
            CHECK_INT(find(s, s->path[i]), ==, i);
        free(s);
    }
    CHECK_OK(link("t/z", "file"));
    seen *s = walk_with("file", NULL);
    CHECK_INT(s->n, ==, 1);
    free(s);
    s = walk_with("t", &(edo_walk_options){ .depth_max = 1 });
    CHECK_INT(s->n, ==, 5);
    free(s);
    s = walk_with("t", &(edo_walk_options){ .depth_max = 2, .sorted = true });
    CHECK_INT(s->n, ==, 35);
    free(s);
    CHECK_INT(edo_fs_walk("none", NULL, see, NULL), ==, -ENOENT);
    return 0;
}

/* By bytes within a directory, its content right behind it. */
static bool comes_before(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    if (*a == '\0' || *b == '\0')
        return *a == '\0';
    if (*a == '/' || *b == '/')
        return *a == '/';
    return (unsigned char)*a < (unsigned char)*b;
}

FS_TEST(in_order, 60)
{
    (void)arg;
    make_tree();
    CHECK_OK(mkdir("t/a.b", 0700));
    put_file("t/a.b/x", "");
    put_file("t/a-", "");
    seen *first = NULL;
    for (unsigned n = 1; n <= 16; n *= 4) {
        seen *s = walk_with("t", &(edo_walk_options){ .sorted = true, .concurrency = n });
        CHECK_INT(s->n, ==, TREE + 3);
        for (int i = 1; i < s->n; i++)
            if (!comes_before(s->path[i - 1], s->path[i]))
                FAIL("%s before %s", s->path[i - 1], s->path[i]);
        if (first != NULL)
            CHECK_MEM(s->path, first->path, sizeof s->path);
        else
            first = s;
        if (first != s)
            free(s);
    }
    free(first);
    return 0;
}

FS_TEST(skips_and_stops, 60)
{
    (void)arg;
    make_tree();
    for (int sorted = 0; sorted <= 1; sorted++) {
        edo_walk_options o = { .sorted = sorted != 0 };
        seen *s = calloc(1, sizeof *s);
        s->at = "b";
        s->answer = EDO_WALK_SKIP;
        CHECK_OK(edo_fs_walk("t", &o, see, s));
        CHECK_INT(s->n, ==, TREE - 210);
        s->n = 0;
        s->at = "t"; /* the root */
        CHECK_OK(edo_fs_walk("t", &o, see, s));
        CHECK_INT(s->n, ==, 1);
        s->n = 0;
        s->at = "5";
        s->answer = -EDOM;
        CHECK_INT(edo_fs_walk("t", &o, see, s), ==, -EDOM);
        s->at = NULL;
        for (int limit = 1; limit < TREE; limit += 97) {
            s->n = 0;
            s->limit = limit;
            CHECK_OK(edo_fs_walk("t", &o, see, s));
            CHECK_INT(s->n, ==, limit);
        }
        free(s);
    }
    return 0;
}

/* Each directory again, when all in it was reported. */
FS_TEST(after, 60)
{
    (void)arg;
    make_tree();
    for (int sorted = 0; sorted <= 1; sorted++) {
        seen *s = walk_with("t", &(edo_walk_options){ .sorted = sorted != 0, .after = true });
        CHECK_INT(s->n, ==, TREE + 34);
        int afters = 0;
        for (int i = 0; i < s->n; i++) {
            if (!s->after[i])
                continue;
            afters++;
            size_t len = strlen(s->path[i]);
            for (int k = i + 1; k < s->n; k++)
                CHECK(strncmp(s->path[k], s->path[i], len) != 0 || s->path[k][len] != '/');
        }
        CHECK_INT(afters, ==, 34);
        CHECK(s->after[s->n - 1]);
        CHECK_STR(s->path[s->n - 1], "t");
        free(s);
    }
    return 0;
}

static int codes_of(const seen *s, int code)
{
    int n = 0;
    for (int i = 0; i < s->n; i++)
        n += s->code[i] == code;
    return n;
}

FS_TEST(links, 60)
{
    (void)arg;
    CHECK_OK(edo_fs_mkdir_all("t/a/b", 0));
    CHECK_OK(mkdir("other", 0700));
    put_file("other/x", "12345");
    CHECK_OK(symlink("../..", "t/a/up"));
    CHECK_OK(symlink(".", "t/self"));
    CHECK_OK(symlink("../other", "t/other"));
    CHECK_OK(symlink("../other/x", "t/x"));
    CHECK_OK(symlink("nowhere", "t/dangling"));
    for (int sorted = 0; sorted <= 1; sorted++) {
        edo_walk_options o = { .sorted = sorted != 0, .stat = true };
        seen *s = walk_with("t", &o);
        CHECK_INT(s->n, ==, 8);
        CHECK_INT(s->type[find(s, "t/other")], ==, EDO_FS_LINK);
        free(s);
        o.follow = true;
        s = walk_with("t", &o);
        CHECK_INT(s->type[find(s, "t/other")], ==, EDO_FS_DIR);
        CHECK_UINT(s->size[find(s, "t/other/x")], ==, 5);
        CHECK_UINT(s->size[find(s, "t/x")], ==, 5);
        CHECK_INT(s->type[find(s, "t/dangling")], ==, EDO_FS_LINK);
        CHECK_INT(s->type[find(s, "t/self")], ==, EDO_FS_DIR);
        /* t/self; t/a/up/other, /t and what else is there lead on, and back. */
        CHECK_INT(codes_of(s, -ELOOP), >=, 2);
        CHECK_INT(s->n, <, 100);
        free(s);
    }
    seen *s = walk_with("t", &(edo_walk_options){ .one_device = true });
    CHECK_INT(s->n, ==, 8);
    free(s);
    return 0;
}

/* A directory that goes away, or cannot be read, is reported; the rest goes on. */
static int take_away(const edo_walk_entry *e, void *arg)
{
    if (strcmp(e->name, "gone") == 0 && e->code == 0)
        CHECK_OK(edo_fs_rmdir(e->path)); /* before anybody reads it, unless it was read ahead */
    return see(e, arg);
}

FS_TEST(goes_on_after_failures, 60)
{
    (void)arg;
    for (int sorted = 0; sorted <= 1; sorted++) {
        seen *s = calloc(1, sizeof *s);
        CHECK_OK(edo_fs_mkdir_all("t/gone", 0));
        CHECK_OK(edo_fs_mkdir_all("t/stays", 0));
        put_file("t/stays/x", "");
        CHECK_OK(edo_fs_walk("t", &(edo_walk_options){ .sorted = sorted != 0, .concurrency = 1 },
                             take_away, s));
        CHECK_INT(find(s, "t/stays/x"), >, 0);
        CHECK_INT(s->n - codes_of(s, -ENOENT), ==, 4);
        if (sorted == 0)
            CHECK_INT(codes_of(s, -ENOENT), ==, 1);
        free(s);
        CHECK_OK(edo_fs_remove_all("t"));
    }
    return 0;
}

/* A directory with more than the queue holds, from a task that is slow, and from a thread. */
enum { WIDE = 1500 };

static int count_slowly(const edo_walk_entry *e, void *arg)
{
    (void)e;
    if (++*(int *)arg % 100 == 0)
        CHECK_OK(edo_yield());
    return 0;
}

static void *count_on_a_thread(void *arg)
{
    for (int sorted = 0; sorted <= 1; sorted++) {
        *(int *)arg = 0;
        CHECK_OK(edo_fs_walk("t", &(edo_walk_options){ .sorted = sorted != 0 }, count_slowly, arg));
    }
    return NULL;
}

FS_TEST(wide, 60)
{
    (void)arg;
    char path[PATH_LEN];
    int n = 0;
    CHECK_OK(mkdir("t", 0700));
    for (int i = 0; i < WIDE; i++) {
        snprintf(path, sizeof path, "t/a-name-that-takes-some-room-in-buffers-%d", i);
        if (i % 2 == 0)
            put_file(path, "");
        else
            CHECK_OK(mkdir(path, 0700));
    }
    CHECK_OK(edo_fs_walk("t", NULL, count_slowly, &n));
    CHECK_INT(n, ==, WIDE + 1);
    n = 0;
    CHECK_OK(
        edo_fs_walk("t", &(edo_walk_options){ .sorted = true, .stat = true }, count_slowly, &n));
    CHECK_INT(n, ==, WIDE + 1);
    pthread_t t;
    thread_start(&t, count_on_a_thread, &n);
    thread_join(t);
    CHECK_INT(n, ==, WIDE + 1);
    return 0;
}

typedef struct victim {
    unsigned entries; /* atomic */
    bool sorted;
} victim;

static int count(const edo_walk_entry *e, void *arg)
{
    (void)e;
    ADD((unsigned *)arg, 1);
    return 0;
}

static int walk_for_ever(void *arg)
{
    victim *v = arg;
    int rc;
    edo_walk_options o = { .sorted = v->sorted };
    while ((rc = edo_fs_walk("t", &o, count, &v->entries)) == 0)
        continue;
    return rc;
}

FS_TEST(cancelled, 60)
{
    (void)arg;
    make_tree();
    uint64_t seed = test_seed();
    for (int i = 0; i < 40; i++) {
        victim v = { .sorted = i % 2 != 0 };
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, walk_for_ever, &v));
        until(&v.entries, (unsigned)(test_rand(&seed) % 800));
        edo_group_cancel(&g);
        CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    }
    return 0;
}

TEST_MAIN()
