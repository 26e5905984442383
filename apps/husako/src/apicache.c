/* SPDX-License-Identifier: MIT */
/* See apicache.h. */
#include "apicache.h"

#include <errno.h>
#include <stdlib.h>
#include <yyjson.h>

/* Keys become file names. */
static bool is_safe_key(const char *key, size_t len)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
    return len && len <= 200 && strspn(key, plain) == len && key[0] != '.';
}

/* api/v1 and apis/GROUP/VERSION; the rest of the index describes no types. */
static bool is_group_version(const char *key)
{
    const char *rest = strncmp(key, "apis/", 5) == 0 ? strchr(key + 5, '/') : strchr(key, '/');
    bool api = strncmp(key, "api/", 4) == 0 || strncmp(key, "apis/", 5) == 0;
    return api && rest && rest[1] && !strchr(rest + 1, '/');
}

static char *hash_of(const char *url)
{
    const char *query = strchr(url, '?');
    for (const char *at = query; at; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, "hash=", 5) == 0)
            return hu_strndup(at + 6, strcspn(at + 6, "&"));
    return hu_strdup("");
}

static int key_order(const void *a, const void *b)
{
    return strcmp(((const hu_api_doc *)a)->key, ((const hu_api_doc *)b)->key);
}

static int read_paths(yyjson_val *paths, hu_api_index *out, char **why)
{
    out->list = hu_calloc(yyjson_obj_size(paths), sizeof *out->list);
    yyjson_obj_iter iter = yyjson_obj_iter_with(paths);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        const char *name = yyjson_get_str(key);
        if (!is_safe_key(name, yyjson_get_len(key)) || !is_group_version(name))
            continue;
        const char *url =
            yyjson_get_str(yyjson_obj_get(yyjson_obj_iter_get_val(key), "serverRelativeURL"));
        if (!url || url[0] != '/' || strpbrk(url, " \r\n")) {
            *why = hu_format("the index gives no usable serverRelativeURL for %s", name);
            return -EINVAL;
        }
        out->list[out->count++] = (hu_api_doc){ hu_strdup(name), hu_strdup(url), hash_of(url) };
    }
    qsort(out->list, out->count, sizeof *out->list, key_order);
    if (out->count)
        return 0;
    *why = hu_strdup("the index lists no group-version");
    return -EINVAL;
}

int hu_api_index_parse(const char *json, size_t len, hu_api_index *out, char **why)
{
    *out = (hu_api_index){ 0 };
    yyjson_read_err err;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, len, 0, NULL, &err);
    yyjson_val *paths = yyjson_obj_get(yyjson_doc_get_root(doc), "paths");
    int rc = -EINVAL;
    if (!doc)
        *why = hu_format("not valid JSON at byte %zu: %s", err.pos, err.msg);
    else if (!yyjson_is_obj(paths))
        *why = hu_strdup("no index of OpenAPI documents: it has no \"paths\"");
    else
        rc = read_paths(paths, out, why);
    yyjson_doc_free(doc);
    if (rc < 0)
        hu_api_index_free(out);
    return rc;
}

void hu_api_index_free(hu_api_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->list[i].key);
        free(index->list[i].url);
        free(index->list[i].hash);
    }
    free(index->list);
    *index = (hu_api_index){ 0 };
}

char *hu_api_cache_dir(const char *server)
{
    const char *scheme = strstr(server, "://");
    char *dir = hu_format(".husako/cache/%s", scheme ? scheme + 3 : server);
    for (char *c = dir + strlen(".husako/cache/"); *c; c++) {
        bool kept = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                    (*c >= '0' && *c <= '9') || *c == '.' || *c == '-';
        if (!kept)
            *c = '_';
    }
    return dir;
}

char *hu_api_spec_path(const char *dir, const char *key)
{
    hu_buf path = { 0 };
    hu_buf_format(&path, "%s/specs/", dir);
    for (; *key; key++) {
        if (*key == '/')
            hu_buf_puts(&path, "__");
        else
            hu_buf_char(&path, *key);
    }
    hu_buf_puts(&path, ".json");
    return path.data;
}

/* ---- hashes ---- */

enum { HASHES_MAX = 16 * 1024 * 1024 };

void hu_hashes_load(hu_hashes *hashes, const char *dir)
{
    *hashes = (hu_hashes){ 0 };
    char *path = hu_format("%s/hashes.json", dir);
    hu_buf text = { 0 };
    int rc = hu_file_read(path, HASHES_MAX, &text);
    free(path);
    yyjson_doc *doc = rc == 0 ? yyjson_read(text.data, text.len, 0) : NULL;
    yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        const char *hash = yyjson_get_str(yyjson_obj_iter_get_val(key));
        if (hash) {
            hu_paths_add(&hashes->keys, hu_strdup(yyjson_get_str(key)));
            hu_paths_add(&hashes->hashes, hu_strdup(hash));
        }
    }
    yyjson_doc_free(doc);
    hu_buf_free(&text);
}

/* Lists of a few dozen entries, looked through once per document. */
static size_t find(const hu_hashes *hashes, const char *key)
{
    size_t i = 0;
    while (i < hashes->keys.count && strcmp(hashes->keys.list[i], key) != 0)
        i++;
    return i;
}

const char *hu_hashes_get(const hu_hashes *hashes, const char *key)
{
    size_t i = find(hashes, key);
    return i < hashes->keys.count ? hashes->hashes.list[i] : "";
}

void hu_hashes_set(hu_hashes *hashes, const char *key, const char *hash)
{
    size_t i = find(hashes, key);
    if (i == hashes->keys.count) {
        hu_paths_add(&hashes->keys, hu_strdup(key));
        hu_paths_add(&hashes->hashes, hu_strdup(hash));
        return;
    }
    free(hashes->hashes.list[i]);
    hashes->hashes.list[i] = hu_strdup(hash);
}

typedef struct pair {
    const char *key;
    const char *hash;
} pair;

static int pair_order(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

int hu_hashes_save(const hu_hashes *hashes, const char *dir)
{
    size_t n = hashes->keys.count;
    pair *pairs = hu_alloc((n + 1) * sizeof *pairs);
    for (size_t i = 0; i < n; i++)
        pairs[i] = (pair){ hashes->keys.list[i], hashes->hashes.list[i] };
    qsort(pairs, n, sizeof *pairs, pair_order);
    hu_buf text = { 0 };
    hu_buf_char(&text, '{');
    for (size_t i = 0; i < n; i++) {
        hu_buf_puts(&text, i ? ",\n  " : "\n  ");
        hu_buf_json_string(&text, hu_str_of(pairs[i].key));
        hu_buf_puts(&text, ": ");
        hu_buf_json_string(&text, hu_str_of(pairs[i].hash));
    }
    hu_buf_puts(&text, "\n}\n");
    char *path = hu_format("%s/hashes.json", dir);
    int rc = hu_file_write(path, text.data, text.len);
    free(path);
    hu_buf_free(&text);
    free(pairs);
    return rc;
}

void hu_hashes_free(hu_hashes *hashes)
{
    hu_paths_free(&hashes->keys);
    hu_paths_free(&hashes->hashes);
}
