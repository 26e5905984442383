/* SPDX-License-Identifier: MIT */
/* Releases, the index of an API server, the record of a generation, options, the live area. */
#include "apicache.h"
#include "options.h"
#include "progress.h"
#include "record.h"
#include "release.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <test.h>
#include <unistd.h>

static void enter_directory(void)
{
    char path[] = "/tmp/husako-sources.XXXXXX";
    CHECK(mkdtemp(path));
    CHECK_INT(chdir(path), ==, 0);
}

static void leave_directory(void)
{
    char path[4096];
    CHECK(getcwd(path, sizeof path));
    CHECK_OK(hu_tree_remove(path));
}

TEST(release_tags)
{
    static const char *const cases[][2] = {
        { "1.35", "v1.35.0" },
        { "1.35.1", "v1.35.1" },
        { "v1.35", "v1.35.0" },
        { "v1.35.1", "v1.35.1" },
        { "1.35.0-rc.1", "v1.35.0-rc.1" },
        { "1", NULL },
        { "", NULL },
        { "1.", NULL },
        { "1.35.", NULL },
        { "../x", NULL },
        { "1.35/..", NULL },
        { "1.35.0-", NULL },
        { "1.35.0-a/b", NULL },
        { "latest", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *tag = hu_release_tag(cases[i][0]);
        CHECK_STR(tag, cases[i][1]);
        free(tag);
    }
}

TEST(release_listing)
{
    static const char json[] =
        "[{\"name\":\"apis__batch__v1_openapi.json\",\"download_url\":\"u2\",\"size\":7},"
        "{\"name\":\"api__v1_openapi.json\",\"download_url\":\"u1\",\"size\":5},"
        "{\"name\":\"api_openapi.json\",\"download_url\":\"u\"},"
        "{\"name\":\"apis__apps_openapi.json\",\"download_url\":\"u\"},"
        "{\"name\":\"logs_openapi.json\",\"download_url\":\"u\"},"
        "{\"name\":\"..__..__x_openapi.json\",\"download_url\":\"u\"},"
        "{\"name\":\"README\",\"download_url\":\"u\"},"
        "{\"name\":\"apis__x__v1_openapi.json\",\"download_url\":null}]";
    hu_release_files files;
    char *why = NULL;
    CHECK_OK(hu_release_parse_listing(json, sizeof json - 1, &files, &why));
    CHECK_UINT(files.count, ==, 2);
    CHECK_STR(files.list[0].key, "api/v1");
    CHECK_STR(files.list[1].key, "apis/batch/v1");
    CHECK_STR(files.list[1].url, "u2");
    CHECK_UINT(files.list[1].size, ==, 7);
    hu_buf manifest = { 0 };
    hu_release_manifest(&files, &manifest);
    CHECK_STR(manifest.data, "[\n  [\"api/v1\", \"api__v1_openapi.json\"],\n"
                             "  [\"apis/batch/v1\", \"apis__batch__v1_openapi.json\"]\n]\n");
    hu_buf_free(&manifest);
    hu_release_files_free(&files);
    static const char *const bad[] = { "", "{}", "[]", "[{\"name\":3}]" };
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(hu_release_parse_listing(bad[i], strlen(bad[i]), &files, &why), ==, -EINVAL);
        CHECK(why);
        free(why);
        hu_release_files_free(&files);
    }
}

TEST(newest_release)
{
    static const char *const cases[][2] = {
        { "[{\"name\":\"v1.9.11\"},{\"name\":\"v1.35.0-rc.1\"},{\"name\":\"v1.34.2\"},"
          "{\"name\":\"other\"},{\"name\":\"v1.34.10\"}]",
          "1.34" },
        { "[{\"name\":\"v1.10.0\"},{\"name\":\"v2.0.0\"}]", "2.0" },
        { "[]", NULL },
        { "{}", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *newest = hu_release_newest(cases[i][0], strlen(cases[i][0]));
        CHECK_STR(newest, cases[i][1]);
        free(newest);
    }
}

static void check_cached(const char *dir, const char *key, const char *path)
{
    hu_release_cached *list;
    size_t count;
    CHECK_OK(hu_release_load(dir, &list, &count));
    CHECK_UINT(count, ==, 1);
    CHECK_STR(list[0].key, key);
    CHECK_STR(list[0].path, path);
    hu_release_cached_free(list, count);
}

TEST(release_cache)
{
    enter_directory();
    hu_release_cached *list;
    size_t count;
    CHECK_INT(hu_release_load("r", &list, &count), ==, -ENOENT);
    CHECK_OK(hu_file_write("r/apis__apps__v1_openapi.json", "{}", 2));
    CHECK_OK(hu_file_write("r/other.json", "{}", 2));
    check_cached("r", "apis/apps/v1", "r/apis__apps__v1_openapi.json");
    static const char manifest[] = "[[\"api/v1\",\"other.json\"],[\"x\",\"../escape\"],[3]]";
    CHECK_OK(hu_file_write("r/_manifest.json", manifest, sizeof manifest - 1));
    check_cached("r", "api/v1", "r/other.json");
    leave_directory();
}

TEST(api_index)
{
    static const char json[] =
        "{\"paths\":{"
        "\"version\":{\"serverRelativeURL\":\"/openapi/v3/version\"},"
        "\"apis/apps\":{\"serverRelativeURL\":\"/openapi/v3/apis/apps\"},"
        "\"apis/apps/v1\":{\"serverRelativeURL\":\"/openapi/v3/apis/apps/v1?x=1&hash=AB\"},"
        "\"apis/../../etc\":{\"serverRelativeURL\":\"/x\"},"
        "\"api/v1\":{\"serverRelativeURL\":\"/openapi/v3/api/v1\"}}}";
    hu_api_index index;
    char *why = NULL;
    CHECK_OK(hu_api_index_parse(json, sizeof json - 1, &index, &why));
    CHECK_UINT(index.count, ==, 2);
    CHECK_STR(index.list[0].key, "api/v1");
    CHECK_STR(index.list[0].hash, "");
    CHECK_STR(index.list[1].hash, "AB");
    hu_api_index_free(&index);
    static const char *const bad[] = {
        "",
        "[]",
        "{\"paths\":{}}",
        "{\"paths\":{\"api/v1\":{}}}",
        "{\"paths\":{\"api/v1\":{\"serverRelativeURL\":\"http://elsewhere/\"}}}",
        "{\"paths\":{\"api/v1\":{\"serverRelativeURL\":\"/x\\r\\nHost: y\"}}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(hu_api_index_parse(bad[i], strlen(bad[i]), &index, &why), ==, -EINVAL);
        CHECK(why);
        free(why);
    }
}

TEST(api_cache_names)
{
    static const char *const cases[][2] = {
        { "https://10.0.0.1:6443", ".husako/cache/10.0.0.1_6443" },
        { "http://h/a/../b", ".husako/cache/h_a_.._b" },
        { "http://user@h", ".husako/cache/user_h" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = hu_api_cache_dir(cases[i][0]);
        CHECK_STR(dir, cases[i][1]);
        free(dir);
    }
    char *path = hu_api_spec_path("d", "apis/apps/v1");
    CHECK_STR(path, "d/specs/apis__apps__v1.json");
    free(path);
}

TEST(api_hashes)
{
    enter_directory();
    hu_hashes hashes;
    hu_hashes_load(&hashes, "d");
    CHECK_STR(hu_hashes_get(&hashes, "api/v1"), "");
    hu_hashes_set(&hashes, "b", "2");
    hu_hashes_set(&hashes, "a", "0");
    hu_hashes_set(&hashes, "a", "1");
    CHECK_OK(hu_hashes_save(&hashes, "d"));
    hu_hashes_free(&hashes);
    hu_hashes_load(&hashes, "d");
    CHECK_STR(hu_hashes_get(&hashes, "a"), "1");
    CHECK_STR(hashes.keys.list[0], "a");
    CHECK_STR(hu_hashes_get(&hashes, "b"), "2");
    hu_hashes_free(&hashes);
    leave_directory();
}

TEST(record_round_trip)
{
    enter_directory();
    hu_record record = { .valid = true,
                         .version = hu_strdup("1"),
                         .source = hu_strdup("spec-dir \"x\""),
                         .signature = hu_strdup("abc") };
    hu_paths_add(&record.keys, hu_strdup("api/v1"));
    hu_paths_add(&record.etags, hu_strdup("E"));
    hu_record_add_file(&record, "a.d.ts", 3);
    hu_buf text = { 0 };
    hu_record_emit(&record, &text);
    CHECK_OK(hu_file_write(HU_RECORD_PATH, text.data, text.len));
    hu_buf_free(&text);
    hu_record_free(&record);
    hu_record_load(&record);
    CHECK(record.valid);
    CHECK_STR(record.source, "spec-dir \"x\"");
    CHECK_STR(record.etags.list[0], "E");
    CHECK(!hu_record_is_intact(&record));
    CHECK_OK(hu_file_write(HU_TYPES_K8S "/a.d.ts", "abc", 3));
    CHECK(hu_record_is_intact(&record));
    CHECK_OK(hu_file_write(HU_TYPES_K8S "/a.d.ts", "abcd", 4));
    CHECK(!hu_record_is_intact(&record));
    hu_record_free(&record);
    CHECK_OK(hu_file_write(HU_RECORD_PATH, "[]", 2));
    hu_record_load(&record);
    CHECK(!record.valid);
    leave_directory();
}

static int parse(hu_options *options, char **why, const char *a, const char *b)
{
    char *argv[] = { hu_strdup("gen"), (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL };
    *why = NULL;
    int rc = hu_options_parse(options, a ? b ? 3 : 2 : 1, argv, why);
    free(argv[0]);
    return rc;
}

TEST(options)
{
    hu_options o;
    char *why;
    CHECK_OK(parse(&o, &why, NULL, NULL));
    CHECK_UINT(o.jobs, ==, HU_JOBS_DEFAULT);
    CHECK_OK(parse(&o, &why, "--api-server=https://h:1/x", "--skip-k8s"));
    CHECK_STR(o.api_server, "https://h:1/x");
    CHECK(o.skip_k8s && !o.no_incremental);
    CHECK_OK(parse(&o, &why, "--concurrency", "7"));
    CHECK_UINT(o.jobs, ==, 7);
    static const char *const bad[][2] = {
        { "--jobs", "0" },   { "--jobs", "-1" },         { "--jobs", "9999999999999" },
        { "--jobs", "3x" },  { "--api-server", "h:80" }, { "--api-server", "http://h/?q" },
        { "--bogus", NULL }, { "--spec-dir", NULL },     { "--client-key", "k" },
        { "stray", NULL },   { "--spec-dir", "" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(parse(&o, &why, bad[i][0], bad[i][1]), ==, -EINVAL);
        CHECK(why);
        free(why);
    }
}

TEST(live_area)
{
    hu_progress progress;
    hu_progress_init(&progress, false);
    size_t a = hu_progress_start(&progress, hu_strdup("Fetching OpenAPI specs..."));
    size_t b = hu_progress_start(&progress, hu_strdup("Resolving kubernetes..."));
    hu_progress_total(&progress, a, 35, 0);
    hu_progress_add(&progress, a, 12, 3 << 20);
    hu_progress_total(&progress, b, 2, 10 << 20);
    hu_progress_add(&progress, b, 1, 5 << 20);
    hu_buf out = { 0 };
    hu_progress_frame(&progress, 80, false, &out);
    CHECK_STR(out.data, "⠋ Fetching OpenAPI specs... (12/35 · 3.0 MB Received)\n"
                        "⠋ Resolving kubernetes... (50% · 5.0 MB / 10.0 MB)\n");
    hu_buf_free(&out);
    hu_progress_end(&progress, b, true, hu_strdup("kubernetes: 35 group-versions"));
    hu_progress_frame(&progress, 20, false, &out);
    CHECK_STR(out.data, "\033[2A\r\033[J✔ kubernetes: 35 gr\n⠙ Fetching OpenAPI \n");
    hu_buf_free(&out);
    hu_progress_frame(&progress, 80, true, &out); /* what has not ended leaves no line */
    CHECK_STR(out.data, "\033[1A\r\033[J");
    hu_buf_free(&out);
    hu_progress_deinit(&progress);
}

TEST_MAIN()
