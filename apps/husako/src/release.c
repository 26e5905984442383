/* SPDX-License-Identifier: MIT */
/* See release.h. */
#include "release.h"

#include <errno.h>
#include <stdlib.h>
#include <yyjson.h>

static const char SUFFIX[] = "_openapi.json";

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* Tags become directory names and parts of URLs: nothing but numbers and a pre-release come
 * through. */
char *hu_release_tag(const char *version)
{
    if (*version == 'v')
        version++;
    size_t major = digits(version);
    if (!major || version[major] != '.')
        return NULL;
    size_t minor = digits(version + major + 1);
    const char *rest = version + major + 1 + minor;
    if (!minor)
        return NULL;
    if (!*rest)
        return hu_format("v%s.0", version);
    size_t patch = *rest == '.' ? digits(rest + 1) : 0;
    if (!patch)
        return NULL;
    rest += 1 + patch;
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.";
    bool good = !*rest || (*rest == '-' && rest[1] && !rest[1 + strspn(rest + 1, plain)]);
    return good ? hu_format("v%s", version) : NULL;
}

/* apis__apps__v1_openapi.json -> apis/apps/v1; NULL for a name that is no group-version's. */
static char *key_of(hu_str name)
{
    bool wanted = hu_str_ends(name, SUFFIX) && name.len > sizeof SUFFIX - 1 &&
                  !hu_str_eq(name, hu_str_of("api_openapi.json")) &&
                  !memchr(name.data, '/', name.len) && !memchr(name.data, 0, name.len);
    if (!wanted)
        return NULL;
    size_t len = name.len - (sizeof SUFFIX - 1);
    hu_buf key = { 0 };
    for (size_t i = 0; i < len; i++) {
        bool slash = i + 1 < len && name.data[i] == '_' && name.data[i + 1] == '_';
        hu_buf_char(&key, slash ? '/' : name.data[i]);
        i += slash;
    }
    return key.data;
}

/* apis/apps is the index of a group and yields nothing. */
static bool is_group_version(const char *key)
{
    return hu_str_eq(hu_str_of(key), hu_str_of("api/v1")) ||
           (hu_str_starts(hu_str_of(key), "apis/") && strchr(key + 5, '/'));
}

static hu_str member(yyjson_val *object, const char *key)
{
    yyjson_val *val = yyjson_obj_get(object, key);
    const char *s = yyjson_get_str(val);
    return (hu_str){ s ? s : "", s ? yyjson_get_len(val) : 0 };
}

static int name_order(const void *a, const void *b)
{
    return strcmp(((const hu_release_file *)a)->name, ((const hu_release_file *)b)->name);
}

int hu_release_parse_listing(const char *json, size_t len, hu_release_files *out, char **why)
{
    *out = (hu_release_files){ 0 };
    yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    out->list = hu_calloc(yyjson_arr_size(root), sizeof *out->list);
    yyjson_arr_iter iter = yyjson_arr_iter_with(root);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));) {
        hu_str name = member(item, "name"), url = member(item, "download_url");
        char *key = url.len ? key_of(name) : NULL;
        if (!key || !is_group_version(key)) {
            free(key);
            continue;
        }
        out->list[out->count++] = (hu_release_file){
            .key = key,
            .name = hu_strndup(name.data, name.len),
            .url = hu_strndup(url.data, url.len),
            .size = (size_t)yyjson_get_uint(yyjson_obj_get(item, "size")),
        };
    }
    if (!out->count)
        *why = hu_strdup(yyjson_is_arr(root) ? "the listing names no OpenAPI document"
                                             : "the listing is no JSON array");
    else
        qsort(out->list, out->count, sizeof *out->list, name_order);
    yyjson_doc_free(doc);
    return out->count ? 0 : -EINVAL;
}

/* v1.35.2 -> 1, 35, 2; false for a pre-release and for what is no version. */
static bool read_version(const char *name, unsigned long version[3])
{
    if (*name++ != 'v')
        return false;
    for (size_t i = 0; i < 3; i++) {
        size_t n = digits(name);
        if (n < 1 || n > 9 || name[n] != (i < 2 ? '.' : 0))
            return false;
        version[i] = strtoul(name, NULL, 10);
        name += n + 1;
    }
    return true;
}

char *hu_release_newest(const char *json, size_t len)
{
    yyjson_doc *doc = yyjson_read(json, len, 0);
    unsigned long best[3] = { 0 };
    bool found = false;
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    for (yyjson_val *tag; (tag = yyjson_arr_iter_next(&iter));) {
        const char *name = yyjson_get_str(yyjson_obj_get(tag, "name"));
        unsigned long version[3];
        if (!name || !read_version(name, version))
            continue;
        size_t i = 0;
        while (i < 2 && version[i] == best[i])
            i++;
        if (!found || version[i] > best[i])
            memcpy(best, version, sizeof best);
        found = true;
    }
    yyjson_doc_free(doc);
    return found ? hu_format("%lu.%lu", best[0], best[1]) : NULL;
}

void hu_release_files_free(hu_release_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->list[i].key);
        free(files->list[i].name);
        free(files->list[i].url);
    }
    free(files->list);
    *files = (hu_release_files){ 0 };
}

void hu_release_manifest(const hu_release_files *files, hu_buf *out)
{
    hu_buf_char(out, '[');
    for (size_t i = 0; i < files->count; i++) {
        hu_buf_puts(out, i ? ",\n  [" : "\n  [");
        hu_buf_json_string(out, hu_str_of(files->list[i].key));
        hu_buf_puts(out, ", ");
        hu_buf_json_string(out, hu_str_of(files->list[i].name));
        hu_buf_char(out, ']');
    }
    hu_buf_puts(out, "\n]\n");
}

/* ---- the cache ---- */

enum { MANIFEST_MAX = 1024 * 1024 };

static void add_cached(hu_release_cached **list, size_t *count, char *key, char *path)
{
    *list = hu_realloc(*list, (*count + 1) * sizeof **list);
    (*list)[(*count)++] = (hu_release_cached){ key, path };
}

static bool load_manifest(const char *dir, hu_release_cached **out, size_t *count)
{
    char *path = hu_format("%s/_manifest.json", dir);
    hu_buf text = { 0 };
    int rc = hu_file_read(path, MANIFEST_MAX, &text);
    free(path);
    yyjson_doc *doc = rc == 0 ? yyjson_read(text.data, text.len, 0) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_arr_iter iter = yyjson_arr_iter_with(root);
    for (yyjson_val *pair; (pair = yyjson_arr_iter_next(&iter));) {
        const char *key = yyjson_get_str(yyjson_arr_get(pair, 0));
        const char *file = yyjson_get_str(yyjson_arr_get(pair, 1));
        if (key && file && !strchr(file, '/'))
            add_cached(out, count, hu_strdup(key), hu_format("%s/%s", dir, file));
    }
    bool usable = yyjson_is_arr(root);
    yyjson_doc_free(doc);
    hu_buf_free(&text);
    return usable;
}

int hu_release_load(const char *dir, hu_release_cached **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (!hu_dir_exists(dir))
        return -ENOENT;
    if (load_manifest(dir, out, count))
        return *count ? 0 : -ENOENT;
    static const char *const suffixes[] = { "_openapi.json", NULL };
    hu_paths paths = { 0 };
    int rc = hu_tree_list(dir, false, suffixes, &paths);
    for (size_t i = 0; i < paths.count && rc == 0; i++) {
        char *key = key_of(hu_str_of(paths.list[i]));
        if (key)
            add_cached(out, count, key, hu_format("%s/%s", dir, paths.list[i]));
    }
    hu_paths_free(&paths);
    return rc < 0 ? rc : *count ? 0 : -ENOENT;
}

void hu_release_cached_free(hu_release_cached *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].key);
        free(list[i].path);
    }
    free(list);
}
