/* SPDX-License-Identifier: MIT */
/* Merging into tsconfig.json: what is there stays as it is. */
#include "tsconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <test.h>
#include <yyjson.h>

static char *merged(const char *old, char **warning)
{
    hu_buf out = { 0 };
    hu_tsconfig_merge(old, old ? strlen(old) : 0, &out, warning);
    size_t mark = strncmp(out.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    yyjson_doc *doc = yyjson_read(out.data + mark, out.len - mark,
                                  YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_ALLOW_TRAILING_COMMAS);
    if (!doc)
        FAIL("not JSON any more:\n%s", out.data);
    yyjson_val *options = yyjson_obj_get(yyjson_doc_get_root(doc), "compilerOptions");
    yyjson_val *paths = yyjson_obj_get(options, "paths");
    CHECK_UINT(yyjson_obj_size(paths), >=, 4);
    CHECK(yyjson_is_arr(yyjson_obj_get(paths, "k8s/*")));
    yyjson_doc_free(doc);
    return out.data;
}

/* Merging twice changes nothing the second time. */
static char *stable(const char *old, char **warning)
{
    char *once = merged(old, warning), *ignored = NULL;
    char *twice = merged(once, &ignored);
    CHECK_STR(twice, once);
    free(twice);
    free(ignored);
    return once;
}

#define OURS(indent, prefix)                                                                       \
    indent "\"husako\": [\"" prefix ".husako/types/husako.d.ts\"],\n" indent                       \
           "\"husako/_base\": [\"" prefix ".husako/types/husako/_base.d.ts\"],\n" indent           \
           "\"husako/test\": [\"" prefix ".husako/types/husako/test.d.ts\"],\n" indent             \
           "\"k8s/*\": [\"" prefix ".husako/types/k8s/*\"]"

TEST(new_file)
{
    char *warning = NULL;
    char *text = stable(NULL, &warning);
    CHECK(strstr(text, "\"strict\": true"));
    CHECK(strstr(text, OURS("      ", "./")));
    CHECK(!strstr(text, "baseUrl"));
    CHECK(!warning);
    free(text);
}

TEST(comments_and_order_stay)
{
    char *warning = NULL;
    char *text = stable("// top\n"
                        "{\n"
                        "\t\"files\": [], /* why */\n"
                        "\t\"compilerOptions\": {\n"
                        "\t\t\"zebra\": 1, // z\n"
                        "\t\t\"paths\": {\n"
                        "\t\t\t\"@app/*\": [\"./src/*\"] // mine\n"
                        "\t\t},\n"
                        "\t\t\"alpha\": \"// no comment\",\n"
                        "\t},\n"
                        "}\n",
                        &warning);
    CHECK_STR(text, "// top\n"
                    "{\n"
                    "\t\"files\": [], /* why */\n"
                    "\t\"compilerOptions\": {\n"
                    "\t\t\"zebra\": 1, // z\n"
                    "\t\t\"paths\": {\n"
                    "\t\t\t\"@app/*\": [\"./src/*\"], // mine\n" OURS(
                        "\t\t\t", "./") "\n"
                                        "\t\t},\n"
                                        "\t\t\"alpha\": \"// no comment\",\n"
                                        "\t},\n"
                                        "}\n");
    CHECK(!warning);
    free(text);
}

TEST(empty_and_one_line_files)
{
    static const char *const olds[] = {
        "{}",
        "{ }",
        "{ // nothing\n}",
        "{\"compilerOptions\":{}}",
        "{\"compilerOptions\": {\"paths\": {}}}",
        "{\"a\": {\"b\": [1, {\"c\": \"}\"}]}}",
        "\xef\xbb\xbf{\n  \"extends\": \"./base.json\"\n}\n",
        "{\"compilerOptions\": {\"paths\": {\"x\": [\"./y\"],}}}",
    };
    for (size_t i = 0; i < sizeof olds / sizeof *olds; i++) {
        char *warning = NULL;
        char *text = stable(olds[i], &warning);
        CHECK(!warning);
        free(text);
    }
}

TEST(windows_lines)
{
    char *warning = NULL;
    char *text = stable("{\r\n  \"include\": [\"src\"]\r\n}\r\n", &warning);
    for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n'))
        CHECK(at[-1] == '\r' || strncmp(at + 1, "      \"", 7) == 0 || strchr("{}", at[-1]));
    CHECK(strstr(text, "\"include\": [\"src\"],\r\n"));
    free(text);
}

/* What an older husako wrote: baseUrl and paths that need it (FIX-4). */
TEST(old_base_url_goes)
{
    char *warning = NULL;
    char *text = stable("{\n"
                        "  \"compilerOptions\": {\n"
                        "    \"baseUrl\": \".\",\n"
                        "    \"paths\": {\n"
                        "      \"husako\": [\".husako/types/husako.d.ts\"],\n"
                        "      \"helm/*\": [\".husako/types/helm/*\"]\n"
                        "    }\n"
                        "  }\n"
                        "}\n",
                        &warning);
    CHECK(!strstr(text, "baseUrl"));
    CHECK(strstr(text, "\"helm/*\": [\"./.husako/types/helm/*\"]"));
    CHECK(strstr(text, "\"husako\": [\"./.husako/types/husako.d.ts\"]"));
    CHECK(!warning);
    free(text);
}

TEST(base_url_in_use_stays)
{
    char *warning = NULL;
    char *text = stable("{\"compilerOptions\": {\"baseUrl\": \"./src\", \"paths\": {}}}", &warning);
    CHECK(strstr(text, "\"baseUrl\": \"./src\""));
    CHECK(strstr(text, "\"../.husako/types/k8s/*\""));
    CHECK(warning && strstr(warning, "TypeScript 7"));
    free(warning);
    free(text);
    text = stable("{\"compilerOptions\": {\"baseUrl\": \".\", \"paths\": {\"x\": [\"src/x\"]}}}",
                  &warning);
    CHECK(strstr(text, "baseUrl") && warning);
    free(warning);
    free(text);
}

TEST(unreadable_files_are_replaced_with_a_warning)
{
    static const char *const olds[] = { "", "{", "[]", "{\"compilerOptions\": 3}",
                                        "{\"compilerOptions\": {\"paths\": []}}" };
    for (size_t i = 0; i < sizeof olds / sizeof *olds; i++) {
        char *warning = NULL;
        char *text = merged(olds[i], &warning);
        CHECK(warning != NULL);
        free(warning);
        free(text);
    }
}

TEST_MAIN()
