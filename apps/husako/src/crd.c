/* SPDX-License-Identifier: MIT */
/* See crd.h. */
#include "crd.h"

#include "yamljson.h"

#include <errno.h>
#include <stdlib.h>

static const char OBJECT_META[] =
    "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/* One version of one CRD. */
typedef struct version {
    hu_str group;
    hu_str name;
    hu_str kind;
    char *key;  /* apis/<group>/<version>       */
    char *base; /* <group reversed>.<version>   */
    char *full;
    yyjson_mut_val *schema;
} version;

typedef struct lift {
    yyjson_mut_val *object;
    char *context; /* name of the schema it is in  */
} lift;

typedef struct converter {
    hu_arena arena;
    yyjson_mut_doc *doc;
    version *versions;
    size_t version_count;
    hu_map names;     /* full name -> anything        */
    hu_map documents; /* key -> object of schemas     */
    lift *todo;
    size_t todo_count;
    size_t todo_cap;
    char **why;
} converter;

static hu_str str_of(yyjson_mut_val *val)
{
    if (!yyjson_mut_is_str(val))
        return (hu_str){ "", 0 };
    return (hu_str){ yyjson_mut_get_str(val), yyjson_mut_get_len(val) };
}

static bool is_text(yyjson_mut_val *object, const char *key, const char *want)
{
    return hu_str_eq(str_of(yyjson_mut_obj_get(object, key)), hu_str_of(want));
}

/* ---- reading ---- */

/* cert-manager.io -> io.cert-manager */
static char *reversed(hu_arena *arena, hu_str group)
{
    hu_buf out = { 0 };
    size_t end = group.len;
    while (end) {
        const char *dot = memrchr(group.data, '.', end);
        size_t start = dot ? (size_t)(dot - group.data) + 1 : 0;
        hu_buf_format(&out, "%s%.*s", out.len ? "." : "", (int)(end - start), group.data + start);
        end = dot ? start - 1 : 0;
    }
    char *copy = hu_arena_strndup(arena, out.len ? out.data : "", out.len);
    hu_buf_free(&out);
    return copy;
}

static void add_version(converter *c, hu_str group, hu_str kind, yyjson_mut_val *entry)
{
    hu_str name = str_of(yyjson_mut_obj_get(entry, "name"));
    yyjson_mut_val *schema =
        yyjson_mut_obj_get(yyjson_mut_obj_get(entry, "schema"), "openAPIV3Schema");
    if (!name.len || !yyjson_mut_is_obj(schema))
        return;
    hu_arena *arena = &c->arena;
    version v = { .group = group, .name = name, .kind = kind, .schema = schema };
    v.key = hu_arena_format(arena, "apis/%.*s/%.*s", (int)group.len, group.data, (int)name.len,
                            name.data);
    v.base = hu_arena_format(arena, "%s.%.*s", reversed(arena, group), (int)name.len, name.data);
    v.full = hu_arena_format(arena, "%s.%.*s", v.base, (int)kind.len, kind.data);
    hu_map_entry *taken = hu_map_put(&c->names, hu_str_of(v.full));
    if (taken->value)
        return; /* the same definition once more */
    taken->value = v.full;
    c->versions = hu_realloc(c->versions, (c->version_count + 1) * sizeof v);
    c->versions[c->version_count++] = v;
}

static int add_crd(converter *c, yyjson_mut_val *crd)
{
    if (!is_text(crd, "kind", "CustomResourceDefinition") ||
        !is_text(crd, "apiVersion", "apiextensions.k8s.io/v1"))
        return 0;
    yyjson_mut_val *spec = yyjson_mut_obj_get(crd, "spec");
    hu_str group = str_of(yyjson_mut_obj_get(spec, "group"));
    hu_str kind = str_of(yyjson_mut_obj_get(yyjson_mut_obj_get(spec, "names"), "kind"));
    yyjson_mut_val *versions = yyjson_mut_obj_get(spec, "versions");
    if (!group.len || !kind.len || !yyjson_mut_is_arr(versions)) {
        hu_str name = str_of(yyjson_mut_obj_get(yyjson_mut_obj_get(crd, "metadata"), "name"));
        *c->why = hu_format("CustomResourceDefinition %.*s has no %s", (int)name.len, name.data,
                            !group.len  ? "spec.group"
                            : !kind.len ? "spec.names.kind"
                                        : "spec.versions");
        return -EINVAL;
    }
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(versions);
    for (yyjson_mut_val *entry; (entry = yyjson_mut_arr_iter_next(&iter));)
        add_version(c, group, kind, entry);
    return 0;
}

/* A document of the stream: a CRD, or what `kubectl get crd -o yaml` prints. */
static int add_document(converter *c, yyjson_mut_val *root)
{
    yyjson_mut_val *items = yyjson_mut_obj_get(root, "items");
    if (!is_text(root, "kind", "List") || !yyjson_mut_is_arr(items))
        return add_crd(c, root);
    int rc = 0;
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(items);
    for (yyjson_mut_val *item; rc == 0 && (item = yyjson_mut_arr_iter_next(&iter));)
        rc = add_crd(c, item);
    return rc;
}

/* ---- lifting ---- */

static void push(converter *c, yyjson_mut_val *object, char *context)
{
    if (c->todo_count == c->todo_cap) {
        c->todo_cap = c->todo_cap ? c->todo_cap * 2 : 64;
        c->todo = hu_realloc(c->todo, c->todo_cap * sizeof *c->todo);
    }
    c->todo[c->todo_count++] = (lift){ object, context };
}

/* context + PascalCase(property), made unique among the schemas of the version. */
static char *lifted_name(converter *c, const version *v, const char *context, hu_str prop)
{
    hu_buf text = { 0 };
    hu_buf_puts(&text, context);
    bool upper = true;
    for (size_t i = 0; i < prop.len; i++) {
        char ch = prop.data[i];
        if (ch == '_' || ch == '-') {
            upper = true;
            continue;
        }
        hu_buf_char(&text, upper && ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch);
        upper = false;
    }
    hu_arena *arena = &c->arena;
    char *name = hu_arena_strndup(arena, text.data, text.len);
    hu_buf_free(&text);
    char *base = name;
    for (unsigned n = 2;; n++) {
        char *full = hu_arena_format(arena, "%s.%s", v->base, name);
        hu_map_entry *taken = hu_map_put(&c->names, hu_str_of(full));
        if (!taken->value) {
            taken->value = full;
            return name;
        }
        name = hu_arena_format(arena, "%s%u", base, n);
    }
}

static yyjson_mut_val *schemas_of(converter *c, const char *key)
{
    hu_map_entry *entry = hu_map_put(&c->documents, hu_str_of(key));
    if (!entry->value)
        entry->value = yyjson_mut_obj(c->doc);
    return entry->value;
}

static bool is_inline_object(yyjson_mut_val *schema)
{
    return is_text(schema, "type", "object") &&
           yyjson_mut_is_obj(yyjson_mut_obj_get(schema, "properties"));
}

/* Moves what `value` holds into a schema of its own and leaves a reference in its place. */
static void lift_value(converter *c, const version *v, yyjson_mut_val *value, char *name,
                       bool keep_description)
{
    yyjson_mut_val *moved = yyjson_mut_obj(c->doc);
    yyjson_mut_val *description = yyjson_mut_obj_get(value, "description");
    /* The members hang on the header alone, so the header is what moves. */
    moved->tag = value->tag;
    moved->uni = value->uni;
    yyjson_mut_set_obj(value);
    char *full = hu_arena_format(&c->arena, "%s.%s", v->base, name);
    yyjson_mut_obj_add_val(c->doc, schemas_of(c, v->key), full, moved);
    yyjson_mut_obj_add_str(c->doc, value, "$ref",
                           hu_arena_format(&c->arena, "#/components/schemas/%s", full));
    if (keep_description && description) {
        hu_str text = str_of(description);
        yyjson_mut_obj_add_strn(c->doc, value, "description", text.data, text.len);
    }
    push(c, moved, name);
}

static void lift_properties(converter *c, const version *v, lift item)
{
    yyjson_mut_val *props = yyjson_mut_obj_get(item.object, "properties");
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(props);
    for (yyjson_mut_val *key; (key = yyjson_mut_obj_iter_next(&iter));) {
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        yyjson_mut_val *items = yyjson_mut_obj_get(value, "items");
        bool direct = is_inline_object(value);
        bool array = is_text(value, "type", "array") && is_inline_object(items);
        if (direct || array)
            lift_value(c, v, direct ? value : items, lifted_name(c, v, item.context, str_of(key)),
                       direct);
    }
}

static void set_default(converter *c, yyjson_mut_val *props, const char *key, const char *member,
                        const char *text)
{
    if (yyjson_mut_obj_get(props, key))
        return;
    yyjson_mut_val *value = yyjson_mut_obj(c->doc);
    yyjson_mut_obj_add_str(c->doc, value, member, text);
    yyjson_mut_obj_add_val(c->doc, props, key, value);
}

static void convert_version(converter *c, const version *v)
{
    yyjson_mut_val *schema = v->schema;
    yyjson_mut_val *props = yyjson_mut_obj_get(schema, "properties");
    if (!yyjson_mut_is_obj(props)) {
        yyjson_mut_obj_remove_key(schema, "properties");
        props = yyjson_mut_obj(c->doc);
        yyjson_mut_obj_add_val(c->doc, schema, "properties", props);
    }
    set_default(c, props, "apiVersion", "type", "string");
    set_default(c, props, "kind", "type", "string");
    set_default(c, props, "metadata", "$ref", OBJECT_META);
    yyjson_mut_obj_remove_key(schema, "type");
    yyjson_mut_obj_add_str(c->doc, schema, "type", "object");
    yyjson_mut_obj_remove_key(schema, "x-kubernetes-group-version-kind");
    yyjson_mut_val *list = yyjson_mut_arr(c->doc), *gvk = yyjson_mut_arr_add_obj(c->doc, list);
    yyjson_mut_obj_add_strn(c->doc, gvk, "group", v->group.data, v->group.len);
    yyjson_mut_obj_add_strn(c->doc, gvk, "kind", v->kind.data, v->kind.len);
    yyjson_mut_obj_add_strn(c->doc, gvk, "version", v->name.data, v->name.len);
    yyjson_mut_obj_add_val(c->doc, schema, "x-kubernetes-group-version-kind", list);
    yyjson_mut_obj_add_val(c->doc, schemas_of(c, v->key), v->full, schema);
    push(c, schema, hu_arena_strndup(&c->arena, v->kind.data, v->kind.len));
    while (c->todo_count)
        lift_properties(c, v, c->todo[--c->todo_count]);
}

/* ---- output ---- */

static int key_order(const void *a, const void *b)
{
    return strcmp(((const hu_crd_doc *)a)->key, ((const hu_crd_doc *)b)->key);
}

static void write_documents(converter *c, hu_crd_docs *out)
{
    out->list = hu_calloc(c->documents.len, sizeof *out->list);
    for (size_t i = 0; i < c->documents.len; i++) {
        yyjson_mut_val *root = yyjson_mut_obj(c->doc);
        yyjson_mut_val *components = yyjson_mut_obj_add_obj(c->doc, root, "components");
        yyjson_mut_obj_add_val(c->doc, components, "schemas", c->documents.entries[i].value);
        yyjson_mut_doc_set_root(c->doc, root);
        hu_crd_doc *doc = &out->list[out->count++];
        doc->key = hu_strdup(c->documents.entries[i].key.data);
        doc->json = yyjson_mut_write(c->doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &doc->len);
        if (!doc->json) {
            doc->json = hu_strdup("{}");
            doc->len = 2;
        }
    }
    qsort(out->list, out->count, sizeof *out->list, key_order);
}

static int convert(converter *c, const char *yaml, size_t len, hu_crd_docs *out)
{
    yyjson_mut_val *stream = hu_yaml_load(c->doc, yaml, len, c->why);
    if (!stream)
        return -EINVAL;
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(stream);
    for (yyjson_mut_val *root; (root = yyjson_mut_arr_iter_next(&iter));)
        if (add_document(c, root) < 0)
            return -EINVAL;
    if (!c->version_count) {
        *c->why = hu_strdup("no CustomResourceDefinition (apiextensions.k8s.io/v1) with a schema "
                            "found");
        return -EINVAL;
    }
    for (size_t i = 0; i < c->version_count; i++)
        convert_version(c, &c->versions[i]);
    write_documents(c, out);
    return 0;
}

int hu_crd_convert(const char *yaml, size_t len, hu_crd_docs *out, char **why)
{
    *out = (hu_crd_docs){ 0 };
    converter c = { .doc = yyjson_mut_doc_new(NULL), .why = why };
    int rc = convert(&c, yaml, len, out);
    yyjson_mut_doc_free(c.doc);
    hu_map_free(&c.names);
    hu_map_free(&c.documents);
    hu_arena_free(&c.arena);
    free(c.versions);
    free(c.todo);
    return rc;
}

enum { YAML_MAX = 64 * 1024 * 1024 };

int hu_crd_read(const char *path, hu_buf *out)
{
    if (!hu_dir_exists(path))
        return hu_file_read(path, YAML_MAX, out);
    static const char *const suffixes[] = { ".yaml", ".yml", NULL };
    hu_paths paths = { 0 };
    int rc = hu_tree_list(path, false, suffixes, &paths);
    if (rc == 0 && !paths.count)
        rc = -ENOENT;
    for (size_t i = 0; i < paths.count && rc == 0; i++) {
        char *full = hu_format("%s/%s", path, paths.list[i]);
        hu_buf_puts(out, i ? "\n---\n" : "");
        rc = hu_file_read(full, YAML_MAX, out);
        free(full);
    }
    hu_paths_free(&paths);
    return rc;
}

void hu_crd_docs_free(hu_crd_docs *docs)
{
    for (size_t i = 0; i < docs->count; i++) {
        free(docs->list[i].key);
        free(docs->list[i].json);
    }
    free(docs->list);
    *docs = (hu_crd_docs){ 0 };
}
