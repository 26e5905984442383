/* SPDX-License-Identifier: MIT */
/* Reading of husako.toml; see config.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <teptris/teptris.h>

static const hu_dep_kind RESOURCE_KINDS[] = {
    { "release", { "version" }, { false }, false },
    { "git", { "repo", "tag", "path" }, { false }, false },
    { "file", { "path" }, { false }, true },
};
static const hu_dep_kind CHART_KINDS[] = {
    { "registry", { "repo", "chart", "version" }, { false }, false },
    { "artifacthub", { "package", "version" }, { false }, false },
    { "git", { "repo", "tag", "path" }, { false }, false },
    { "file", { "path" }, { false }, true },
    { "oci", { "reference", "version" }, { false }, false },
};
static const hu_dep_kind PLUGIN_KINDS[] = {
    { "git", { "url", "path" }, { false, true }, false },
    { "path", { "path" }, { false }, true },
};

typedef struct section {
    const char *name;
    const hu_dep_kind *kinds;
    size_t kind_count;
    hu_deps *deps;
} section;

typedef struct reader {
    hu_config *config;
    char **why;
} reader;

static hu_str view_str(teptris_view view)
{
    return (hu_str){ view.ptr, view.len };
}

static bool node_string(const teptris_node *node, hu_str *out)
{
    teptris_view view;
    if (!node || teptris_node_string(node, &view) != TEPTRIS_OK)
        return false;
    *out = view_str(view);
    return true;
}

static const hu_dep_kind *find_kind(const section *sec, hu_str source)
{
    for (size_t i = 0; i < sec->kind_count; i++)
        if (hu_str_eq(source, hu_str_of(sec->kinds[i].source)))
            return &sec->kinds[i];
    return NULL;
}

static char *kind_names(const section *sec)
{
    hu_buf names = { 0 };
    for (size_t i = 0; i < sec->kind_count; i++)
        hu_buf_format(&names, "%s%s", i ? ", " : "", sec->kinds[i].source);
    return names.data;
}

static bool is_field(const hu_dep_kind *kind, hu_str key)
{
    if (hu_str_eq(key, hu_str_of("source")))
        return true;
    for (size_t i = 0; i < HU_DEP_FIELDS_MAX && kind->fields[i]; i++)
        if (hu_str_eq(key, hu_str_of(kind->fields[i])))
            return true;
    return false;
}

static int refuse_absolute(reader *r, const section *sec, hu_str name, hu_str path)
{
    if (!path.len || path.data[0] != '/')
        return 0;
    *r->why =
        hu_format("%s.%.*s: absolute path \"%.*s\" is not allowed; give a path relative to the "
                  "project",
                  sec->name, (int)name.len, name.data, (int)path.len, path.data);
    return -EINVAL;
}

static int read_fields(reader *r, const section *sec, const teptris_node *table, hu_str name,
                       hu_dep *dep)
{
    const hu_dep_kind *kind = dep->kind;
    for (size_t i = 0; i < HU_DEP_FIELDS_MAX && kind->fields[i]; i++) {
        const char *field = kind->fields[i];
        const teptris_node *node = teptris_node_table_get(table, field, strlen(field));
        hu_str value;
        if (!node && kind->optional[i])
            continue;
        if (!node_string(node, &value)) {
            *r->why = hu_format("%s.%.*s: source \"%s\" needs %s as a string", sec->name,
                                (int)name.len, name.data, kind->source, field);
            return -EINVAL;
        }
        if (kind->local && refuse_absolute(r, sec, name, value) < 0)
            return -EINVAL;
        dep->values[i] = hu_strndup(value.data, value.len);
    }
    for (size_t i = 0; i < teptris_node_table_length(table); i++) {
        teptris_view key;
        (void)teptris_node_table_at(table, i, &key);
        if (!is_field(kind, view_str(key)))
            hu_paths_add(&r->config->warnings,
                         hu_format("husako.toml: %s.%.*s: unknown key \"%.*s\" is ignored",
                                   sec->name, (int)name.len, name.data, (int)key.len, key.ptr));
    }
    return 0;
}

static int read_dep(reader *r, const section *sec, hu_str name, const teptris_node *node,
                    hu_dep *dep)
{
    hu_str source;
    dep->name = hu_strndup(name.data, name.len);
    if (teptris_node_kind(node) != TEPTRIS_TABLE ||
        !node_string(teptris_node_table_get(node, "source", 6), &source)) {
        *r->why = hu_format("%s.%s: expected a table with a source", sec->name, dep->name);
        return -EINVAL;
    }
    dep->kind = find_kind(sec, source);
    if (!dep->kind) {
        char *known = kind_names(sec);
        *r->why = hu_format("%s.%s: unknown source \"%.*s\"; expected one of: %s", sec->name,
                            dep->name, (int)source.len, source.data, known);
        free(known);
        return -EINVAL;
    }
    return read_fields(r, sec, node, name, dep);
}

static int dep_order(const void *a, const void *b)
{
    return strcmp(((const hu_dep *)a)->name, ((const hu_dep *)b)->name);
}

static int read_section(reader *r, const section *sec, const teptris_node *table)
{
    if (teptris_node_kind(table) != TEPTRIS_TABLE) {
        *r->why = hu_format("%s: expected a table", sec->name);
        return -EINVAL;
    }
    size_t count = teptris_node_table_length(table);
    hu_deps *deps = sec->deps;
    deps->list = hu_realloc(deps->list, (deps->count + count + 1) * sizeof *deps->list);
    for (size_t i = 0; i < count; i++) {
        teptris_view key;
        const teptris_node *node = teptris_node_table_at(table, i, &key);
        hu_dep *dep = &deps->list[deps->count++];
        *dep = (hu_dep){ 0 };
        int rc = read_dep(r, sec, view_str(key), node, dep);
        if (rc < 0)
            return rc;
    }
    if (deps->count)
        qsort(deps->list, deps->count, sizeof *deps->list, dep_order);
    return 0;
}

static int read_entries(reader *r, const teptris_node *table)
{
    static const section entries = { "entries", NULL, 0, NULL };
    bool is_table = teptris_node_kind(table) == TEPTRIS_TABLE;
    for (size_t i = 0; is_table && i < teptris_node_table_length(table); i++) {
        teptris_view key;
        hu_str path;
        if (!node_string(teptris_node_table_at(table, i, &key), &path)) {
            *r->why = hu_format("entries.%.*s: expected a path as a string", (int)key.len, key.ptr);
            return -EINVAL;
        }
        if (refuse_absolute(r, &entries, view_str(key), path) < 0)
            return -EINVAL;
    }
    if (!is_table)
        *r->why = hu_strdup("entries: expected a table");
    return is_table ? 0 : -EINVAL;
}

static int read_top(reader *r, const teptris_node *root)
{
    hu_config *config = r->config;
    const section sections[] = {
        { "resources", RESOURCE_KINDS, 3, &config->resources },
        { "schemas", RESOURCE_KINDS, 3, &config->resources },
        { "charts", CHART_KINDS, 5, &config->charts },
        { "plugins", PLUGIN_KINDS, 2, &config->plugins },
    };
    bool legacy = teptris_node_table_get(root, "schemas", 7) != NULL;
    if (legacy && teptris_node_table_get(root, "resources", 9)) {
        *r->why =
            hu_strdup("both [resources] and its old name [schemas] are given; move the entries "
                      "of [schemas] into [resources]");
        return -EINVAL;
    }
    if (legacy)
        hu_paths_add(&config->warnings,
                     hu_strdup("husako.toml: [schemas] is the old name of [resources]; rename it"));
    for (size_t i = 0; i < teptris_node_table_length(root); i++) {
        teptris_view view;
        const teptris_node *node = teptris_node_table_at(root, i, &view);
        hu_str key = view_str(view);
        const section *sec = NULL;
        for (size_t k = 0; k < sizeof sections / sizeof *sections; k++)
            if (hu_str_eq(key, hu_str_of(sections[k].name)))
                sec = &sections[k];
        bool entries = hu_str_eq(key, hu_str_of("entries"));
        int rc = sec ? read_section(r, sec, node) : entries ? read_entries(r, node) : 0;
        if (rc < 0)
            return rc;
        if (!sec && !entries)
            hu_paths_add(&config->warnings, hu_format("husako.toml: unknown section \"%.*s\" is "
                                                      "ignored",
                                                      (int)key.len, key.data));
    }
    return 0;
}

int hu_config_parse(hu_config *config, const char *text, size_t len, char **why)
{
    *config = (hu_config){ .exists = true };
    teptris_document *doc = NULL;
    teptris_status status = teptris_parse(text, len, NULL, &doc);
    int rc = -EINVAL;
    if (status == TEPTRIS_OK) {
        reader r = { config, why };
        rc = read_top(&r, teptris_document_root(doc));
    } else {
        const teptris_error *err = doc ? teptris_document_error(doc) : NULL;
        *why = err ? hu_format("line %zu, column %zu: %s", err->line, err->column, err->message)
                   : hu_strdup(teptris_status_string(status));
    }
    teptris_document_free(doc);
    return rc;
}

enum { CONFIG_MAX = 1024 * 1024 };

int hu_config_load(hu_config *config, const char *path, char **why)
{
    *config = (hu_config){ 0 };
    hu_buf text = { 0 };
    int rc = hu_file_read(path, CONFIG_MAX, &text);
    if (rc == 0)
        rc = hu_config_parse(config, text.data, text.len, why);
    else if (rc == -ENOENT)
        rc = 0;
    hu_buf_free(&text);
    return rc;
}

static void free_deps(hu_deps *deps)
{
    for (size_t i = 0; i < deps->count; i++) {
        free(deps->list[i].name);
        for (size_t k = 0; k < HU_DEP_FIELDS_MAX; k++)
            free(deps->list[i].values[k]);
    }
    free(deps->list);
}

void hu_config_free(hu_config *config)
{
    free_deps(&config->resources);
    free_deps(&config->charts);
    free_deps(&config->plugins);
    hu_paths_free(&config->warnings);
    *config = (hu_config){ 0 };
}

const char *hu_dep_field(const hu_dep *dep, const char *field)
{
    for (size_t i = 0; i < HU_DEP_FIELDS_MAX && dep->kind->fields[i]; i++)
        if (strcmp(dep->kind->fields[i], field) == 0)
            return dep->values[i];
    return NULL;
}
