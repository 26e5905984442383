/* SPDX-License-Identifier: MIT */
/*
 * Types: from JSON Schema to TypeScript, and the imports they need.
 *
 * Arrays and maps nest, so a type is written with a stack of closing pieces instead of recursion.
 */
#include "emit.h"

#include <stdlib.h>

enum { TYPE_DEPTH_MAX = 64 };

void hu_scope_free(hu_scope *scope)
{
    hu_map_free(&scope->imports);
    hu_map_free(&scope->taken);
    hu_map_free(&scope->unknown);
    hu_arena_free(&scope->arena);
}

static bool is_taken(const hu_scope *scope, hu_str name)
{
    return hu_map_get(&scope->module->names, name) || hu_map_get(&scope->taken, name);
}

/* The name a schema of another module gets here: its own, or core_v1_Name when that is taken. */
static const char *local_name(hu_scope *scope, const hu_schema *schema)
{
    hu_map_entry *entry = hu_map_put(&scope->imports, schema->full);
    hu_import *import = entry->value;
    if (import)
        return import->local;
    const char *local = schema->name;
    if (is_taken(scope, hu_str_of(local))) {
        hu_str path = hu_str_of(schema->module->path);
        local = hu_arena_format(&scope->arena, "%s_%s", hu_identifier(&scope->arena, path),
                                schema->name);
        for (unsigned n = 2; is_taken(scope, hu_str_of(local)); n++)
            local = hu_arena_format(&scope->arena, "%s_%s%u", hu_identifier(&scope->arena, path),
                                    schema->name, n);
    }
    hu_map_put(&scope->taken, hu_str_of(local))->value = import =
        hu_arena_alloc(&scope->arena, sizeof *import);
    *import = (hu_import){ schema, local };
    entry->value = import;
    return local;
}

static bool is_leaf_alias(const hu_schema *schema)
{
    yyjson_val *json = schema->json;
    return !hu_type_ref(json).len && !yyjson_obj_get(json, "items") &&
           !yyjson_is_obj(yyjson_obj_get(json, "additionalProperties"));
}

static void write_ref(hu_scope *scope, hu_buf *out, hu_str target)
{
    const hu_schema *schema = hu_map_get(&scope->model->by_name, target);
    if (schema && scope->alias && schema->form == HU_FORM_ALIAS && !is_leaf_alias(schema)) {
        hu_buf_puts(out, "any");
        return;
    }
    if (schema) {
        hu_buf_puts(out,
                    schema->module == scope->module ? schema->name : local_name(scope, schema));
        return;
    }
    const char *dot = memrchr(target.data, '.', target.len);
    size_t skip = dot ? (size_t)(dot - target.data) + 1 : 0;
    char *name = hu_identifier(&scope->arena, (hu_str){ target.data + skip, target.len - skip });
    if (is_taken(scope, hu_str_of(name)) && !hu_map_get(&scope->unknown, hu_str_of(name))) {
        hu_buf_puts(out, "any");
        return;
    }
    hu_map_put(&scope->unknown, hu_str_of(name))->value = name;
    hu_map_put(&scope->taken, hu_str_of(name))->value = name;
    hu_buf_puts(out, name);
}

static const char *scalar(hu_str type)
{
    if (hu_str_eq(type, hu_str_of("string")))
        return "string";
    if (hu_str_eq(type, hu_str_of("integer")) || hu_str_eq(type, hu_str_of("number")))
        return "number";
    if (hu_str_eq(type, hu_str_of("boolean")))
        return "boolean";
    return NULL;
}

static bool is_int_or_string(yyjson_val *type)
{
    return yyjson_is_true(yyjson_obj_get(type, "x-kubernetes-int-or-string")) ||
           hu_str_eq(hu_json_str(yyjson_obj_get(type, "format")), hu_str_of("int-or-string"));
}

/* oneOf of plain scalars (Quantity): their union. Returns NULL for anything else. */
static const char *scalar_union(yyjson_val *type)
{
    yyjson_val *list = yyjson_obj_get(type, "oneOf");
    if (!list)
        list = yyjson_obj_get(type, "anyOf");
    bool string = false, number = false;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *val; (val = yyjson_arr_iter_next(&iter));) {
        const char *name = scalar(hu_json_str(yyjson_obj_get(val, "type")));
        if (!name || name[0] == 'b')
            return NULL;
        string |= name[0] == 's';
        number |= name[0] == 'n';
    }
    if (string && number)
        return "number | string";
    return string ? "string" : number ? "number" : NULL;
}

/* Writes a type that holds no other; returns false when it is an array or a map. */
static bool write_leaf(hu_scope *scope, hu_buf *out, yyjson_val *type, bool in_array)
{
    hu_str ref = hu_type_ref(type);
    if (ref.len) {
        write_ref(scope, out, ref);
        return true;
    }
    const char *joined = is_int_or_string(type) ? "number | string" : NULL;
    hu_str name = hu_json_str(yyjson_obj_get(type, "type"));
    if (!joined && !name.len)
        joined = scalar_union(type);
    const char *text = joined ? joined : scalar(name);
    if (!text && !hu_str_eq(name, hu_str_of("array")) && !hu_str_eq(name, hu_str_of("object")))
        text = "any";
    if (!text)
        return false;
    hu_buf_format(out, in_array && strchr(text, ' ') ? "(%s)" : "%s", text);
    return true;
}

void hu_emit_type(hu_scope *scope, hu_buf *out, yyjson_val *type)
{
    const char *closing[TYPE_DEPTH_MAX];
    size_t depth = 0;
    while (!write_leaf(scope, out, type, depth && closing[depth - 1][0] == '[')) {
        hu_str name = hu_json_str(yyjson_obj_get(type, "type"));
        bool array = hu_str_eq(name, hu_str_of("array"));
        yyjson_val *inner = yyjson_obj_get(type, array ? "items" : "additionalProperties");
        if (!array && !inner && yyjson_obj_get(type, "properties")) {
            hu_buf_puts(out, "any");
            break;
        }
        if (!array)
            hu_buf_puts(out, "Record<string, ");
        if (depth < TYPE_DEPTH_MAX)
            closing[depth++] = array ? "[]" : ">";
        if (!yyjson_is_obj(inner) || depth == TYPE_DEPTH_MAX) {
            hu_buf_puts(out, "any");
            break;
        }
        type = inner;
    }
    while (depth)
        hu_buf_puts(out, closing[--depth]);
}

/* ---- imports ---- */

static int import_order(const void *a, const void *b)
{
    const hu_import *x = *(hu_import *const *)a, *y = *(hu_import *const *)b;
    int order = strcmp(x->schema->module->path, y->schema->module->path);
    return order ? order : strcmp(x->schema->name, y->schema->name);
}

static int unknown_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void write_unknown(hu_scope *scope, hu_buf *out)
{
    size_t n = scope->unknown.len;
    if (!n)
        return;
    char **names = hu_arena_alloc(&scope->arena, n * sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = scope->unknown.entries[i].value;
    qsort(names, n, sizeof *names, unknown_order);
    for (size_t i = 0; i < n; i++)
        hu_buf_format(out, "type %s = any;\n", names[i]);
    hu_buf_char(out, '\n');
}

void hu_emit_imports(hu_scope *scope, hu_buf *out)
{
    size_t n = scope->imports.len;
    hu_import **list = hu_arena_alloc(&scope->arena, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = scope->imports.entries[i].value;
    qsort(list, n, sizeof *list, import_order);
    for (size_t i = 0; i < n; i++) {
        const hu_schema *schema = list[i]->schema;
        bool first = i == 0 || list[i - 1]->schema->module != schema->module;
        bool last = i + 1 == n || list[i + 1]->schema->module != schema->module;
        hu_buf_puts(out, first ? "import { " : ", ");
        if (strcmp(schema->name, list[i]->local) == 0)
            hu_buf_puts(out, schema->name);
        else
            hu_buf_format(out, "%s as %s", schema->name, list[i]->local);
        if (last)
            hu_buf_format(out, " } from \"k8s/%s\";\n", schema->module->path);
    }
    if (n)
        hu_buf_char(out, '\n');
    write_unknown(scope, out);
}
