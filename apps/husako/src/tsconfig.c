/* SPDX-License-Identifier: MIT */
/* See tsconfig.h. */
#include "tsconfig.h"

#include "jsonc.h"

#include <stdlib.h>
#include <yyjson.h>

static const struct {
    const char *specifier;
    const char *target;
} PATHS[] = {
    { "husako", ".husako/types/husako.d.ts" },
    { "husako/_base", ".husako/types/husako/_base.d.ts" },
    { "husako/test", ".husako/types/husako/test.d.ts" },
    { "k8s/*", ".husako/types/k8s/*" },
};
enum { PATH_COUNT = sizeof PATHS / sizeof *PATHS };

static void write_new(hu_buf *out)
{
    hu_buf_puts(out, "{\n"
                     "  \"compilerOptions\": {\n"
                     "    \"strict\": true,\n"
                     "    \"target\": \"ES2022\",\n"
                     "    \"module\": \"ESNext\",\n"
                     "    \"moduleResolution\": \"bundler\",\n"
                     "    \"paths\": {\n");
    for (size_t i = 0; i < PATH_COUNT; i++)
        hu_buf_format(out, "      \"%s\": [\"./%s\"]%s\n", PATHS[i].specifier, PATHS[i].target,
                      i + 1 < PATH_COUNT ? "," : "");
    hu_buf_puts(out, "    }\n"
                     "  }\n"
                     "}\n");
}

typedef struct merge {
    hu_jsonc doc;
    char *prefix;   /* from baseUrl back to the project */
    bool drop_base; /* baseUrl is the project and nothing needs it */
} merge;

static size_t object_at(merge *m, size_t parent, const char *key)
{
    size_t at = hu_jsonc_find(&m->doc, parent, key);
    if (at != SIZE_MAX)
        return at;
    hu_jsonc_insert(&m->doc, parent, key, "{}");
    return hu_jsonc_find(&m->doc, parent, key);
}

static size_t paths_at(merge *m)
{
    size_t options = object_at(m, hu_jsonc_root(&m->doc), "compilerOptions");
    return object_at(m, options, "paths");
}

static void set_path(merge *m, const char *specifier, const char *target)
{
    char *value = hu_format("[\"%s%s\"]", m->prefix, target);
    size_t paths = paths_at(m);
    size_t at = hu_jsonc_find(&m->doc, paths, specifier);
    if (at == SIZE_MAX)
        hu_jsonc_insert(&m->doc, paths, specifier, value);
    else
        hu_jsonc_replace(&m->doc, at, value);
    free(value);
}

/* `["./target"]` already, written whatever way: then the text stays as it is. */
static bool has_path(const merge *m, yyjson_val *paths, const char *specifier, const char *target)
{
    yyjson_val *list = yyjson_obj_get(paths, specifier);
    const char *first = yyjson_get_str(yyjson_arr_get_first(list));
    size_t skip = strlen(m->prefix);
    return first && yyjson_arr_size(list) == 1 && strncmp(first, m->prefix, skip) == 0 &&
           strcmp(first + skip, target) == 0;
}

static bool is_ours(const char *target)
{
    return strncmp(target, ".husako/", 8) == 0;
}

/* Whether every path works without baseUrl: relative, absolute, or one this program rewrites. */
static bool paths_are_relative(yyjson_val *paths)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(paths);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_arr_iter list = yyjson_arr_iter_with(yyjson_obj_iter_get_val(key));
        for (yyjson_val *val; (val = yyjson_arr_iter_next(&list));) {
            const char *target = yyjson_get_str(val);
            if (target && strncmp(target, "./", 2) != 0 && strncmp(target, "../", 3) != 0 &&
                target[0] != '/' && !is_ours(target))
                return false;
        }
    }
    return true;
}

/* The way from baseUrl back to the project: "./", or "../" per directory. NULL: not known. */
static char *way_back(const char *base)
{
    hu_buf prefix = { 0 };
    bool outside = base[0] == '/';
    for (const char *part = base; *part && !outside;) {
        size_t len = strcspn(part, "/");
        bool dot = len == 0 || (len == 1 && part[0] == '.');
        outside = len == 2 && part[0] == '.' && part[1] == '.';
        if (!dot)
            hu_buf_puts(&prefix, "../");
        part += len + (part[len] == '/');
    }
    if (outside) {
        hu_buf_free(&prefix);
        return NULL;
    }
    if (!prefix.len)
        hu_buf_puts(&prefix, "./");
    return prefix.data;
}

static void judge_base(merge *m, yyjson_val *options, char **warning)
{
    const char *base = yyjson_get_str(yyjson_obj_get(options, "baseUrl"));
    m->prefix = base ? way_back(base) : hu_strdup("./");
    if (!m->prefix)
        m->prefix = hu_strdup("./");
    if (!base)
        return;
    m->drop_base = strcmp(m->prefix, "./") == 0 && base[0] == '.' &&
                   paths_are_relative(yyjson_obj_get(options, "paths"));
    if (!m->drop_base)
        *warning =
            hu_format("tsconfig.json: compilerOptions.baseUrl \"%s\" is kept, but TypeScript 7 "
                      "rejects it; make the paths relative and remove it",
                      base);
}

/* Paths of an older husako (no "./", meant for baseUrl) that are not in the table above. */
static void rewrite_old(merge *m, yyjson_val *paths)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(paths);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *list = yyjson_obj_iter_get_val(key);
        const char *target = yyjson_get_str(yyjson_arr_get_first(list));
        if (target && yyjson_arr_size(list) == 1 && is_ours(target))
            set_path(m, yyjson_get_str(key), target);
    }
}

static void edit(merge *m, yyjson_val *root, hu_buf *out, char **warning)
{
    yyjson_val *options = yyjson_obj_get(root, "compilerOptions");
    yyjson_val *paths = yyjson_obj_get(options, "paths");
    judge_base(m, options, warning);
    if (m->drop_base) {
        size_t at = hu_jsonc_find(&m->doc, hu_jsonc_root(&m->doc), "compilerOptions");
        hu_jsonc_remove(&m->doc, at, "baseUrl");
    }
    for (size_t i = 0; i < PATH_COUNT; i++)
        if (!has_path(m, paths, PATHS[i].specifier, PATHS[i].target))
            set_path(m, PATHS[i].specifier, PATHS[i].target);
    rewrite_old(m, paths);
    hu_buf_add(out, m->doc.text.data, m->doc.text.len);
    free(m->prefix);
}

static bool is_object_or_absent(yyjson_val *val)
{
    return !val || yyjson_is_obj(val);
}

void hu_tsconfig_merge(const char *old, size_t len, hu_buf *out, char **warning)
{
    *warning = NULL;
    if (!old) {
        write_new(out);
        return;
    }
    merge m = { 0 };
    hu_buf_add(&m.doc.text, old, len);
    yyjson_read_flag flags = YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_ALLOW_TRAILING_COMMAS;
    size_t skip = len >= 3 && memcmp(old, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    yyjson_doc *json = yyjson_read(old + skip, len - skip, flags);
    yyjson_val *root = yyjson_doc_get_root(json);
    yyjson_val *options = yyjson_obj_get(root, "compilerOptions");
    if (yyjson_is_obj(root) && is_object_or_absent(options) &&
        is_object_or_absent(yyjson_obj_get(options, "paths"))) {
        edit(&m, root, out, warning);
    } else {
        *warning = hu_strdup("tsconfig.json: not understood, so it is replaced by a new one");
        write_new(out);
    }
    yyjson_doc_free(json);
    hu_buf_free(&m.doc.text);
}
