/* SPDX-License-Identifier: MIT */
/* Declarations of one module; see emit.h. */
#include "emit.h"

/* A description as a doc comment in which nothing ends the comment early (FIX-2). */
static void write_doc(hu_buf *out, hu_str text)
{
    if (!text.len)
        return;
    bool lines = memchr(text.data, '\n', text.len) != NULL;
    hu_buf_puts(out, lines ? "/**\n * " : "/** ");
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool ends = text.data[i] == '*' && i + 1 < text.len && text.data[i + 1] == '/';
        bool line = text.data[i] == '\n';
        if (!ends && !line)
            continue;
        hu_buf_add(out, text.data + from, i - from);
        if (ends)
            hu_buf_puts(out, "*\\/");
        else if (i + 1 < text.len)
            hu_buf_puts(out, text.data[i + 1] == '\n' ? "\n *" : "\n * ");
        from = i + (ends ? 2 : 1);
        i = from - 1;
    }
    hu_buf_add(out, text.data + from, text.len - from);
    hu_buf_puts(out, lines ? "\n */\n" : " */\n");
}

static void write_description(hu_buf *out, const hu_schema *schema)
{
    write_doc(out, hu_json_str(yyjson_obj_get(schema->json, "description")));
}

static void write_plain(hu_scope *scope, hu_buf *out, const hu_schema *schema)
{
    hu_buf_format(out, "export interface %s {\n", schema->name);
    for (size_t i = 0; i < schema->prop_count; i++) {
        const hu_prop *prop = &schema->props[i];
        hu_buf_puts(out, "  ");
        if (hu_is_identifier(prop->name))
            hu_buf_str(out, prop->name);
        else
            hu_buf_json_string(out, prop->name);
        hu_buf_puts(out, prop->required ? ": " : "?: ");
        hu_emit_type(scope, out, prop->type);
        hu_buf_puts(out, ";\n");
    }
    hu_buf_puts(out, "}\n\n");
}

static void write_alias(hu_scope *scope, hu_buf *out, const hu_schema *schema)
{
    hu_buf_format(out, "export type %s = ", schema->name);
    scope->alias = schema;
    hu_emit_type(scope, out, schema->json);
    scope->alias = NULL;
    hu_buf_puts(out, ";\n\n");
}

/* Fragments of the SDK stand in for what they serialise to. */
static void write_fragment(hu_buf *out, const hu_method *method)
{
    hu_str ref = method->type ? hu_type_ref(method->type) : hu_str_of("");
    if (hu_str_ends(ref, "ResourceRequirements"))
        hu_buf_puts(out, " | import(\"husako\").ResourceRequirementsFragment");
    else if (hu_str_ends(ref, ".ObjectMeta"))
        hu_buf_puts(out, " | import(\"husako\").MetadataFragment");
}

static void write_method(hu_scope *scope, hu_buf *out, const hu_method *method, bool resource)
{
    hu_buf_format(out, "  %s(value: ", method->name);
    if (method->type)
        hu_emit_type(scope, out, method->type);
    else
        hu_buf_puts(out, "any[]");
    write_fragment(out, method);
    /* The base class of resources has resources(...fragments): stay assignable to it (FIX-40). */
    bool base = resource && strcmp(method->name, "resources") == 0;
    hu_str ref = method->type ? hu_type_ref(method->type) : hu_str_of("");
    if (base && !hu_str_ends(ref, "ResourceRequirements"))
        hu_buf_puts(out, " | import(\"husako\").ResourceRequirementsFragment");
    hu_buf_puts(out, "): this;\n");
}

static void write_builder(hu_scope *scope, hu_buf *out, const hu_schema *schema)
{
    bool resource = schema->form == HU_FORM_RESOURCE;
    hu_buf_format(out, "export interface %s extends %s {\n", schema->name,
                  resource ? "_ResourceBuilder" : "_SchemaBuilder");
    const hu_schema *spec = resource ? hu_spec_of(scope->model, schema) : NULL;
    if (spec) {
        hu_buf_puts(out, "  /** Sets the whole spec; parts set before are dropped. */\n"
                         "  spec(value: ");
        for (size_t i = 0; i < schema->prop_count; i++)
            if (hu_str_eq(schema->props[i].name, hu_str_of("spec")))
                hu_emit_type(scope, out, schema->props[i].type);
        hu_buf_puts(out, "): this;\n");
    }
    hu_methods methods = hu_methods_of(scope, schema);
    for (size_t i = 0; i < methods.count; i++)
        write_method(scope, out, &methods.list[i], resource);
    hu_methods_free(&methods);
    hu_buf_format(out, "}\nexport function %s(): %s;\n\n", schema->name, schema->name);
}

static bool has_form(const hu_module *module, hu_form form)
{
    for (size_t i = 0; i < module->count; i++)
        if (module->schemas[i]->form == form)
            return true;
    return false;
}

static void write_form(hu_scope *scope, hu_buf *out, hu_form form)
{
    for (size_t i = 0; i < scope->module->count; i++) {
        const hu_schema *schema = scope->module->schemas[i];
        if (schema->form != form)
            continue;
        write_description(out, schema);
        if (form == HU_FORM_ALIAS)
            write_alias(scope, out, schema);
        else if (form == HU_FORM_PLAIN)
            write_plain(scope, out, schema);
        else
            write_builder(scope, out, schema);
    }
}

static void write_base_import(const hu_module *module, hu_buf *out)
{
    bool resource = has_form(module, HU_FORM_RESOURCE), schema = has_form(module, HU_FORM_SCHEMA);
    if (resource || schema)
        hu_buf_format(out, "import { %s%s%s } from \"husako/_base\";\n\n",
                      resource ? "_ResourceBuilder" : "", resource && schema ? ", " : "",
                      schema ? "_SchemaBuilder" : "");
}

void hu_emit_dts(const hu_model *model, const hu_module *module, hu_buf *out)
{
    hu_buf_puts(out, HU_HEADER);
    if (module->alias_of) {
        hu_buf_format(out, "export * from \"k8s/%s\";\n", module->alias_of);
        return;
    }
    hu_scope scope = { .model = model, .module = module };
    hu_buf body = { 0 };
    hu_buf_reserve(&body, 64 * 1024);
    write_form(&scope, &body, HU_FORM_ALIAS);
    write_form(&scope, &body, HU_FORM_PLAIN);
    write_form(&scope, &body, HU_FORM_RESOURCE);
    write_form(&scope, &body, HU_FORM_SCHEMA);
    write_base_import(module, out);
    hu_emit_imports(&scope, out);
    if (!module->count)
        hu_buf_puts(&body, "export {};\n");
    hu_buf_add(out, body.data, body.len);
    hu_buf_free(&body);
    hu_scope_free(&scope);
}
