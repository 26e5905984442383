/* SPDX-License-Identifier: MIT */
/* Run-time code of one module: a class per builder and the factory users call. See emit.h. */
#include "emit.h"

static void write_setter(hu_buf *out, const hu_method *method)
{
    static const char *const setter[] = {
        [HU_SET_SPEC_PART] = "_setSpec",
        [HU_SET_DEEP] = "_setDeep",
        [HU_SET_FIELD] = "set",
        [HU_SET_OWN] = "_set",
    };
    hu_buf_format(out, "  %s(v) { return this.%s(", method->name, setter[method->setter]);
    hu_buf_json_string(out, method->key);
    hu_buf_puts(out, ", v); }\n");
}

static void write_constructor(hu_buf *out, const hu_schema *schema)
{
    hu_buf version = { 0 };
    if (schema->group.len)
        hu_buf_format(&version, "%.*s/", (int)schema->group.len, schema->group.data);
    hu_buf_str(&version, schema->version);
    hu_buf_puts(out, "  constructor() { super(");
    hu_buf_json_string(out, (hu_str){ version.data, version.len });
    hu_buf_puts(out, ", ");
    hu_buf_json_string(out, schema->kind);
    hu_buf_puts(out, "); }\n");
    hu_buf_free(&version);
}

static void write_builder(hu_scope *scope, hu_buf *out, const hu_schema *schema)
{
    bool resource = schema->form == HU_FORM_RESOURCE;
    hu_buf_format(out, "class _%s extends %s {\n", schema->name,
                  resource ? "_ResourceBuilder" : "_SchemaBuilder");
    if (resource)
        write_constructor(out, schema);
    hu_methods methods = hu_methods_of(scope, schema);
    for (size_t i = 0; i < methods.count; i++)
        write_setter(out, &methods.list[i]);
    hu_methods_free(&methods);
    hu_buf_format(out, "}\nexport function %s() { return new _%s(); }\n\n", schema->name,
                  schema->name);
}

static size_t write_form(hu_scope *scope, hu_buf *out, hu_form form)
{
    size_t written = 0;
    for (size_t i = 0; i < scope->module->count; i++) {
        if (scope->module->schemas[i]->form != form)
            continue;
        write_builder(scope, out, scope->module->schemas[i]);
        written++;
    }
    return written;
}

void hu_emit_js(const hu_model *model, const hu_module *module, hu_buf *out)
{
    hu_buf_puts(out, HU_HEADER);
    if (module->alias_of) {
        hu_buf_format(out, "export * from \"k8s/%s\";\n", module->alias_of);
        return;
    }
    hu_scope scope = { .model = model, .module = module };
    hu_buf body = { 0 };
    hu_buf_reserve(&body, 32 * 1024);
    size_t resources = write_form(&scope, &body, HU_FORM_RESOURCE);
    size_t schemas = write_form(&scope, &body, HU_FORM_SCHEMA);
    if (resources + schemas)
        hu_buf_format(out, "import { %s%s%s } from \"husako/_base\";\n\n",
                      resources ? "_ResourceBuilder" : "", resources && schemas ? ", " : "",
                      schemas ? "_SchemaBuilder" : "");
    hu_buf_add(out, body.data, body.len);
    hu_buf_free(&body);
    hu_scope_free(&scope);
}
