/* SPDX-License-Identifier: MIT */
/*
 * _schema.json: all schemas as they came, references shortened, keys sorted at every level.
 *
 * The documents are nested as deep as their author likes, so the writer keeps its own stack.
 */
#include "emit.h"

#include <stdlib.h>

typedef struct frame {
    hu_member *members; /* of an object; NULL for an array */
    yyjson_val *element;
    size_t at;
    size_t count;
} frame;

typedef struct writer {
    hu_buf *out;
    hu_arena arena;
    frame *stack;
    size_t depth;
    size_t cap;
} writer;

/* Deeper levels are not indented any further: output must not grow with the square of the
 * nesting. */
enum { BASE_INDENT = 2, INDENT_MAX = 64 };

static void newline(writer *w)
{
    static const char spaces[] = "                                ";
    size_t level = w->depth + BASE_INDENT;
    size_t len = 2 * (level < INDENT_MAX ? level : INDENT_MAX);
    hu_buf_char(w->out, '\n');
    for (; len > sizeof spaces - 1; len -= sizeof spaces - 1)
        hu_buf_add(w->out, spaces, sizeof spaces - 1);
    hu_buf_add(w->out, spaces, len);
}

static frame *push(writer *w)
{
    if (w->depth == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 32;
        w->stack = hu_realloc(w->stack, w->cap * sizeof *w->stack);
    }
    return &w->stack[w->depth++];
}

static void write_scalar(writer *w, yyjson_val *val, bool is_ref)
{
    if (yyjson_is_str(val)) {
        hu_str target = is_ref ? hu_ref_target(val) : (hu_str){ "", 0 };
        hu_buf_json_string(w->out, target.len ? target : hu_json_str(val));
    } else if (yyjson_is_raw(val)) {
        hu_buf_add(w->out, yyjson_get_raw(val), yyjson_get_len(val));
    } else if (yyjson_is_bool(val)) {
        hu_buf_puts(w->out, yyjson_get_bool(val) ? "true" : "false");
    } else {
        hu_buf_puts(w->out, "null");
    }
}

/* Opens a container or writes a scalar. */
static void begin(writer *w, yyjson_val *val, bool is_ref)
{
    size_t count = yyjson_is_obj(val) ? yyjson_obj_size(val) : yyjson_arr_size(val);
    if (yyjson_is_obj(val) && count) {
        hu_buf_char(w->out, '{');
        hu_member *members = hu_members_sorted(&w->arena, val, &count);
        *push(w) = (frame){ members, NULL, 0, count };
    } else if (yyjson_is_arr(val) && count) {
        hu_buf_char(w->out, '[');
        *push(w) = (frame){ NULL, yyjson_arr_get_first(val), 0, count };
    } else if (yyjson_is_ctn(val)) {
        hu_buf_puts(w->out, yyjson_is_obj(val) ? "{}" : "[]");
    } else {
        write_scalar(w, val, is_ref);
    }
}

static void run(writer *w)
{
    while (w->depth) {
        frame *top = &w->stack[w->depth - 1];
        if (top->at == top->count) {
            bool object = top->members != NULL;
            w->depth--;
            newline(w);
            hu_buf_char(w->out, object ? '}' : ']');
            continue;
        }
        if (top->at)
            hu_buf_char(w->out, ',');
        newline(w);
        if (top->members) {
            hu_member member = top->members[top->at++];
            hu_buf_json_string(w->out, member.key);
            hu_buf_puts(w->out, ": ");
            if (member.val)
                begin(w, member.val, hu_str_eq(member.key, hu_str_of("$ref")));
            else
                hu_buf_puts(w->out, "\"quantity\"");
        } else {
            yyjson_val *element = top->element;
            top->element = unsafe_yyjson_get_next(element);
            top->at++;
            begin(w, element, false);
        }
    }
}

/* Adds `format` to the members of the Quantity schema; a member without a value stands for it. */
static void mark_quantity(writer *w, frame *top)
{
    hu_str key = hu_str_of("format");
    hu_member *members = hu_arena_alloc(&w->arena, (top->count + 1) * sizeof *members);
    size_t n = 0;
    bool placed = false;
    for (size_t i = 0; i < top->count; i++) {
        int order = hu_str_cmp(top->members[i].key, key);
        if (order >= 0 && !placed) {
            members[n++] = (hu_member){ key, NULL };
            placed = true;
        }
        if (order != 0)
            members[n++] = top->members[i];
    }
    if (!placed)
        members[n++] = (hu_member){ key, NULL };
    top->members = members;
    top->count = n;
}

void hu_emit_schema_json(const hu_schema *schema, hu_buf *out)
{
    writer w = { .out = out };
    hu_buf_puts(out, "    ");
    hu_buf_json_string(out, schema->full);
    hu_buf_puts(out, ": ");
    begin(&w, schema->json, false);
    static const char quantity[] = "io.k8s.apimachinery.pkg.api.resource.Quantity";
    if (w.depth && hu_str_eq(schema->full, hu_str_of(quantity)))
        mark_quantity(&w, &w.stack[0]);
    run(&w);
    hu_arena_free(&w.arena);
    free(w.stack);
}

/* ---- the store ---- */

typedef struct index_entry {
    char *key; /* apps/v1:Deployment */
    hu_str full;
} index_entry;

typedef struct gvk_index {
    hu_arena arena;
    index_entry *list;
    size_t count;
    size_t cap;
} gvk_index;

static int index_order(const void *a, const void *b)
{
    const index_entry *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : hu_str_cmp(x->full, y->full);
}

static void index_schema(gvk_index *index, const hu_schema *schema)
{
    yyjson_val *list = yyjson_obj_get(schema->json, "x-kubernetes-group-version-kind");
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *gvk; (gvk = yyjson_arr_iter_next(&iter));) {
        hu_str group = hu_json_str(yyjson_obj_get(gvk, "group"));
        hu_str version = hu_json_str(yyjson_obj_get(gvk, "version"));
        hu_str kind = hu_json_str(yyjson_obj_get(gvk, "kind"));
        if (!version.len || !kind.len)
            continue;
        if (index->count == index->cap) {
            index->cap = index->cap ? index->cap * 2 : 256;
            index->list = hu_realloc(index->list, index->cap * sizeof *index->list);
        }
        index->list[index->count++] = (index_entry){
            hu_arena_format(&index->arena, "%.*s%s%.*s:%.*s", (int)group.len, group.data,
                            group.len ? "/" : "", (int)version.len, version.data, (int)kind.len,
                            kind.data),
            schema->full,
        };
    }
}

static void write_index(const hu_model *model, hu_buf *out)
{
    gvk_index index = { 0 };
    for (size_t i = 0; i < model->count; i++)
        index_schema(&index, model->schemas[i]);
    if (index.count)
        qsort(index.list, index.count, sizeof *index.list, index_order);
    const char *separator = "";
    for (size_t i = 0; i < index.count; i++) {
        if (i && strcmp(index.list[i].key, index.list[i - 1].key) == 0)
            continue;
        hu_buf_format(out, "%s\n    ", separator);
        separator = ",";
        hu_buf_json_string(out, hu_str_of(index.list[i].key));
        hu_buf_puts(out, ": ");
        hu_buf_json_string(out, index.list[i].full);
    }
    hu_buf_puts(out, index.count ? "\n  " : "");
    free(index.list);
    hu_arena_free(&index.arena);
}

void hu_emit_schema_store(const hu_model *model, const hu_str *pieces, hu_buf *out)
{
    size_t total = 0;
    for (size_t i = 0; i < model->count; i++)
        total += pieces[i].len + 2;
    hu_buf_reserve(out, total + 64 * 1024);
    hu_buf_puts(out, "{\n  \"gvk_index\": {");
    write_index(model, out);
    hu_buf_puts(out, "},\n  \"schemas\": {");
    for (size_t i = 0; i < model->count; i++) {
        hu_buf_puts(out, i ? ",\n" : "\n");
        hu_buf_str(out, pieces[i]);
    }
    hu_buf_puts(out, model->count ? "\n  },\n" : "},\n");
    hu_buf_puts(out, "  \"version\": 2\n}\n");
}
