/* SPDX-License-Identifier: MIT */
/* Merging of documents and homes of schemas; see model.h. */
#include "model.h"

#include <stdlib.h>

static const char COMMON[] = "_common";

/* Longer names of schemas are not taken apart: the work grows with the square of their segments. */
enum { NAME_MAX_LEN = 512 };

bool hu_module_is_common(const hu_module *module)
{
    return strcmp(module->path, COMMON) == 0;
}

bool hu_module_has_js(const hu_module *module)
{
    if (module->alias_of)
        return module->target_has_js;
    for (size_t i = 0; i < module->count; i++) {
        hu_form form = module->schemas[i]->form;
        if (form == HU_FORM_RESOURCE || form == HU_FORM_SCHEMA)
            return true;
    }
    return false;
}

size_t hu_model_group_versions(const hu_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->module_count; i++)
        count += !model->modules[i]->alias_of && !hu_module_is_common(model->modules[i]);
    return count;
}

/* ---- merging ---- */

static int doc_order(const void *a, const void *b)
{
    const hu_doc *x = *(hu_doc *const *)a, *y = *(hu_doc *const *)b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return strcmp(x->key, y->key);
}

static int schema_order(const void *a, const void *b)
{
    return hu_str_cmp((*(hu_schema *const *)a)->full, (*(hu_schema *const *)b)->full);
}

typedef struct chosen {
    hu_schema *schema;
    size_t source;
} chosen;

static void merge_doc(hu_model *model, hu_doc *doc)
{
    for (size_t i = 0; i < doc->schema_count; i++) {
        hu_schema *schema = &doc->schemas[i];
        hu_map_entry *entry = hu_map_put(&model->by_name, schema->full);
        chosen *old = entry->value;
        if (!old) {
            entry->value = old = hu_arena_alloc(&model->arena, sizeof *old);
            *old = (chosen){ schema, doc->source };
        } else if (doc->source != old->source || (schema->has_gvk && !old->schema->has_gvk)) {
            *old = (chosen){ schema, doc->source };
        }
    }
}

static void merge(hu_model *model, hu_doc **docs, size_t count)
{
    qsort(docs, count, sizeof(hu_doc *), doc_order);
    for (size_t i = 0; i < count; i++)
        merge_doc(model, docs[i]);
    hu_map *map = &model->by_name;
    model->count = map->len;
    model->schemas = hu_arena_alloc(&model->arena, (map->len + 1) * sizeof(hu_schema *));
    for (size_t i = 0; i < map->len; i++) {
        model->schemas[i] = ((chosen *)map->entries[i].value)->schema;
        map->entries[i].value = model->schemas[i];
    }
    qsort(model->schemas, model->count, sizeof(hu_schema *), schema_order);
}

/* ---- homes ---- */

/* Paths become file names, so nothing but plain characters may come through, and no dot first. */
static char *safe_path(hu_arena *arena, hu_str group, hu_str version)
{
    char *path = hu_arena_format(arena, "%.*s/%.*s", (int)group.len, group.data, (int)version.len,
                                 version.data);
    for (size_t i = 0; path[i]; i++) {
        char c = path[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        bool inner_dot = c == '.' && i > 0 && path[i - 1] != '/';
        if (!plain && !inner_dot && i != group.len)
            path[i] = '_';
    }
    return path;
}

static hu_str prefix_of(hu_str full)
{
    size_t len = full.len;
    while (len && full.data[len - 1] != '.')
        len--;
    return (hu_str){ full.data, len };
}

/* Cuts the next dot-separated segment off *rest. */
static hu_str next_segment(hu_str *rest)
{
    const char *dot = memchr(rest->data, '.', rest->len);
    size_t len = dot ? (size_t)(dot - rest->data) : rest->len;
    hu_str segment = { rest->data, len };
    size_t skip = dot ? len + 1 : len;
    *rest = (hu_str){ rest->data + skip, rest->len - skip };
    return segment;
}

static bool is_version(hu_str s)
{
    return s.len >= 2 && s.data[0] == 'v' && s.data[1] >= '0' && s.data[1] <= '9';
}

/* io.cert-manager.v1.IssuerSpec -> cert-manager.io/v1, or NULL. */
static char *undo_reversed(hu_arena *arena, hu_str full)
{
    if (full.len > NAME_MAX_LEN)
        return NULL;
    hu_str rest = full, group = { "", 0 };
    while (rest.len) {
        hu_str segment = next_segment(&rest);
        if (is_version(segment) && group.len && rest.len)
            return safe_path(arena, group, segment);
        char *longer = group.len ? hu_arena_format(arena, "%.*s.%.*s", (int)segment.len,
                                                   segment.data, (int)group.len, group.data)
                                 : hu_arena_strndup(arena, segment.data, segment.len);
        group = hu_str_of(longer);
    }
    return NULL;
}

static char *native_path(hu_arena *arena, hu_str full)
{
    static const char prefix[] = "io.k8s.api.";
    if (!hu_str_starts(full, prefix))
        return NULL;
    hu_str rest = { full.data + sizeof prefix - 1, full.len - (sizeof prefix - 1) };
    hu_str group = next_segment(&rest);
    hu_str version = next_segment(&rest);
    return group.len && version.len && rest.len ? safe_path(arena, group, version) : NULL;
}

static const char *gvk_path(hu_arena *arena, const hu_schema *schema)
{
    hu_str group = schema->group.len ? schema->group : hu_str_of("core");
    return safe_path(arena, group, schema->version);
}

static bool is_machinery(hu_str full)
{
    return hu_str_starts(full, "io.k8s.apimachinery.");
}

/* Paths of modules by the prefix of their resources' full names: the home of the helper schemas
 * that stand beside a resource without a group-version-kind of their own (FIX-3). */
static hu_map sibling_paths(hu_model *model)
{
    hu_map paths = { 0 };
    for (size_t i = 0; i < model->count; i++) {
        hu_schema *schema = model->schemas[i];
        if (!schema->has_gvk || is_machinery(schema->full))
            continue;
        hu_map_entry *entry = hu_map_put(&paths, prefix_of(schema->full));
        if (!entry->value)
            entry->value = (void *)(uintptr_t)gvk_path(&model->arena, schema);
    }
    return paths;
}

static const char *home_path(hu_model *model, const hu_map *siblings, const hu_schema *schema)
{
    if (is_machinery(schema->full))
        return COMMON;
    const char *path = native_path(&model->arena, schema->full);
    if (!path && schema->has_gvk)
        path = gvk_path(&model->arena, schema);
    if (!path)
        path = hu_map_get(siblings, prefix_of(schema->full));
    if (!path)
        path = undo_reversed(&model->arena, schema->full);
    return path ? path : COMMON;
}

static hu_module *module_at(hu_model *model, const char *path)
{
    hu_map_entry *entry = hu_map_put(&model->by_path, hu_str_of(path));
    if (!entry->value) {
        hu_module *module = hu_calloc(1, sizeof *module);
        module->path = path;
        entry->value = module;
    }
    return entry->value;
}

static hu_form form_of(const hu_schema *schema)
{
    if (schema->has_gvk && !hu_module_is_common(schema->module))
        return HU_FORM_RESOURCE;
    if (!schema->has_props)
        return HU_FORM_ALIAS;
    return schema->has_ref_prop ? HU_FORM_SCHEMA : HU_FORM_PLAIN;
}

/* An identifier nobody has in the module: the short name, else the short name behind more and more
 * of the segments before it (pkg.version.Info -> VersionInfo), else numbered. */
static const char *unique_name(hu_model *model, hu_module *module, hu_str full)
{
    hu_arena *arena = &model->arena;
    hu_str prefix = prefix_of(full);
    char *name = hu_identifier(arena, (hu_str){ full.data + prefix.len, full.len - prefix.len });
    const char *base = name;
    while (hu_map_get(&module->names, hu_str_of(name)) && prefix.len > 1 &&
           full.len <= NAME_MAX_LEN) {
        hu_str before = { prefix.data, prefix.len - 1 };
        prefix = prefix_of(before);
        char *segment =
            hu_identifier(arena, (hu_str){ before.data + prefix.len, before.len - prefix.len });
        if (segment[0] >= 'a' && segment[0] <= 'z')
            segment[0] = (char)(segment[0] - 'a' + 'A');
        name = hu_arena_format(arena, "%s%s", segment, name);
    }
    for (unsigned n = 2; hu_map_get(&module->names, hu_str_of(name)); n++)
        name = hu_arena_format(arena, "%s_%u", base, n);
    return name;
}

static void settle(hu_model *model, hu_schema *schema, const char *path)
{
    hu_module *module = module_at(model, path);
    schema->module = module;
    schema->form = form_of(schema);
    schema->name = unique_name(model, module, schema->full);
    hu_map_put(&module->names, hu_str_of(schema->name))->value = schema;
    if (module->count == module->cap) {
        module->cap = module->cap ? module->cap * 2 : 16;
        module->schemas = hu_realloc(module->schemas, module->cap * sizeof(hu_schema *));
    }
    module->schemas[module->count++] = schema;
}

/* The name users know from manifests (networking.k8s.io/v1) beside the one of the Go package. */
static void add_aliases(hu_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        hu_schema *schema = model->schemas[i];
        if (schema->form != HU_FORM_RESOURCE || !schema->group.len)
            continue;
        const char *path = gvk_path(&model->arena, schema);
        if (hu_map_get(&model->by_path, hu_str_of(path)))
            continue;
        module_at(model, path)->alias_of = schema->module->path;
    }
}

static int module_order(const void *a, const void *b)
{
    return strcmp((*(hu_module *const *)a)->path, (*(hu_module *const *)b)->path);
}

static int name_order(const void *a, const void *b)
{
    return strcmp((*(hu_schema *const *)a)->name, (*(hu_schema *const *)b)->name);
}

static void list_modules(hu_model *model)
{
    hu_map *map = &model->by_path;
    model->module_count = map->len;
    model->modules = hu_arena_alloc(&model->arena, (map->len + 1) * sizeof(hu_module *));
    for (size_t i = 0; i < map->len; i++) {
        hu_module *module = map->entries[i].value;
        model->modules[i] = module;
        if (module->count)
            qsort(module->schemas, module->count, sizeof(hu_schema *), name_order);
    }
    qsort(model->modules, model->module_count, sizeof(hu_module *), module_order);
    for (size_t i = 0; i < map->len; i++) {
        hu_module *module = model->modules[i];
        if (module->alias_of)
            module->target_has_js =
                hu_module_has_js(hu_map_get(&model->by_path, hu_str_of(module->alias_of)));
    }
}

hu_model *hu_model_build(hu_doc **docs, size_t count)
{
    hu_model *model = hu_calloc(1, sizeof *model);
    merge(model, docs, count);
    module_at(model, COMMON);
    hu_map siblings = sibling_paths(model);
    for (size_t i = 0; i < model->count; i++)
        settle(model, model->schemas[i], home_path(model, &siblings, model->schemas[i]));
    hu_map_free(&siblings);
    add_aliases(model);
    list_modules(model);
    return model;
}

void hu_model_free(hu_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->module_count; i++) {
        free(model->modules[i]->schemas);
        hu_map_free(&model->modules[i]->names);
        free(model->modules[i]);
    }
    hu_map_free(&model->by_name);
    hu_map_free(&model->by_path);
    hu_arena_free(&model->arena);
    free(model);
}
