/* SPDX-License-Identifier: MIT */
/* Parsing of one OpenAPI document; see doc.h. */
#include "doc.h"

#include <stdlib.h>

hu_str hu_json_str(yyjson_val *val)
{
    if (!yyjson_is_str(val))
        return (hu_str){ "", 0 };
    return (hu_str){ yyjson_get_str(val), yyjson_get_len(val) };
}

static int member_order(const void *a, const void *b)
{
    return hu_str_cmp(((const hu_member *)a)->key, ((const hu_member *)b)->key);
}

hu_member *hu_members_sorted(hu_arena *arena, yyjson_val *object, size_t *count)
{
    size_t n = yyjson_obj_size(object);
    hu_member *members = hu_arena_alloc(arena, (n + 1) * sizeof *members);
    bool sorted = true;
    size_t i = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)); i++) {
        members[i] = (hu_member){ hu_json_str(key), yyjson_obj_iter_get_val(key) };
        if (i && hu_str_cmp(members[i - 1].key, members[i].key) >= 0)
            sorted = false;
    }
    if (!sorted)
        qsort(members, n, sizeof *members, member_order);
    *count = n;
    return members;
}

hu_str hu_ref_target(yyjson_val *ref)
{
    static const char prefix[] = "#/components/schemas/";
    hu_str s = hu_json_str(ref);
    if (!hu_str_starts(s, prefix))
        return (hu_str){ "", 0 };
    return (hu_str){ s.data + sizeof prefix - 1, s.len - (sizeof prefix - 1) };
}

hu_str hu_type_ref(yyjson_val *type)
{
    yyjson_val *ref = yyjson_obj_get(type, "$ref");
    if (!ref)
        ref = yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(type, "allOf")), "$ref");
    return hu_ref_target(ref);
}

static bool is_ref_prop(yyjson_val *type)
{
    if (hu_type_ref(type).len)
        return true;
    return hu_type_ref(yyjson_obj_get(type, "items")).len > 0;
}

static int prop_order(const void *key, const void *prop)
{
    return hu_str_cmp(*(const hu_str *)key, ((const hu_prop *)prop)->name);
}

static void mark_required(hu_schema *schema, yyjson_val *required)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(required);
    for (yyjson_val *val; (val = yyjson_arr_iter_next(&iter));) {
        hu_str name = hu_json_str(val);
        hu_prop *prop =
            bsearch(&name, schema->props, schema->prop_count, sizeof *schema->props, prop_order);
        if (prop)
            prop->required = true;
    }
}

static void read_props(hu_doc *doc, hu_schema *schema)
{
    yyjson_val *props = yyjson_obj_get(schema->json, "properties");
    if (!yyjson_is_obj(props))
        return;
    size_t count;
    hu_member *members = hu_members_sorted(&doc->arena, props, &count);
    schema->has_props = true;
    schema->props = hu_arena_alloc(&doc->arena, (count + 1) * sizeof *schema->props);
    for (size_t i = 0; i < count; i++) {
        if (i && hu_str_eq(members[i].key, members[i - 1].key))
            continue; /* a key given twice: the first counts */
        schema->props[schema->prop_count++] = (hu_prop){ members[i].key, members[i].val, false };
        schema->has_ref_prop |= is_ref_prop(members[i].val);
    }
    mark_required(schema, yyjson_obj_get(schema->json, "required"));
}

static void read_schema(hu_doc *doc, hu_schema *schema, hu_member member)
{
    *schema = (hu_schema){ .full = member.key, .json = member.val };
    yyjson_val *gvk =
        yyjson_arr_get_first(yyjson_obj_get(member.val, "x-kubernetes-group-version-kind"));
    if (gvk) {
        schema->group = hu_json_str(yyjson_obj_get(gvk, "group"));
        schema->version = hu_json_str(yyjson_obj_get(gvk, "version"));
        schema->kind = hu_json_str(yyjson_obj_get(gvk, "kind"));
        schema->has_gvk = schema->version.len && schema->kind.len;
    }
    read_props(doc, schema);
}

static void read_schemas(hu_doc *doc, yyjson_val *schemas)
{
    size_t count;
    hu_member *members = hu_members_sorted(&doc->arena, schemas, &count);
    doc->schemas = hu_arena_alloc(&doc->arena, (count + 1) * sizeof *doc->schemas);
    for (size_t i = 0; i < count; i++) {
        if (i && hu_str_eq(members[i].key, members[i - 1].key))
            continue;
        if (yyjson_is_obj(members[i].val) && members[i].key.len)
            read_schema(doc, &doc->schemas[doc->schema_count++], members[i]);
    }
}

/* Line and column of a byte offset, both from 1. */
static char *describe(const char *data, size_t len, yyjson_read_err err)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < err.pos && i < len; i++) {
        column = data[i] == '\n' ? 1 : column + 1;
        line += data[i] == '\n';
    }
    return hu_format("not valid JSON at line %zu, column %zu: %s", line, column, err.msg);
}

hu_doc *hu_doc_parse(const char *key, const char *data, size_t len, char **why)
{
    yyjson_read_err err;
    /* Numbers stay text: they are only ever copied. */
    yyjson_doc *json =
        yyjson_read_opts((char *)(uintptr_t)data, len, YYJSON_READ_NUMBER_AS_RAW, NULL, &err);
    if (!json) {
        *why = describe(data, len, err);
        return NULL;
    }
    yyjson_val *root = yyjson_doc_get_root(json);
    if (!yyjson_is_obj(root)) {
        *why = hu_strdup("not an OpenAPI document: the top level is no JSON object");
        yyjson_doc_free(json);
        return NULL;
    }
    hu_doc *doc = hu_calloc(1, sizeof *doc);
    doc->key = hu_strdup(key);
    doc->json = json;
    yyjson_val *schemas = yyjson_obj_get(yyjson_obj_get(root, "components"), "schemas");
    if (yyjson_is_obj(schemas))
        read_schemas(doc, schemas);
    return doc;
}

void hu_doc_free(void *p)
{
    hu_doc *doc = p;
    if (!doc)
        return;
    yyjson_doc_free(doc->json);
    hu_arena_free(&doc->arena);
    free(doc->key);
    free(doc);
}
