/* SPDX-License-Identifier: MIT */
/* Which methods a builder has, the same for its declaration and its code. */
#include "emit.h"

#include <stdlib.h>

static const char *const RESOURCE_BASE[] = {
    "_render", "_setDeep", "_setSpec", "constructor", "metadata", "set", "spec",
};
static const char *const SCHEMA_BASE[] = { "_render", "_set", "_toJSON", "constructor" };

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

char *hu_method_name(hu_arena *arena, hu_str prop, bool resource)
{
    bool digit = prop.len && prop.data[0] >= '0' && prop.data[0] <= '9';
    char *name =
        hu_arena_format(arena, "%s%.*s", digit || !prop.len ? "_" : "", (int)prop.len, prop.data);
    for (size_t i = 0; name[i]; i++)
        if (!hu_is_identifier((hu_str){ &name[i], 1 }) && !(name[i] >= '0' && name[i] <= '9'))
            name[i] = '_';
    bool clash = resource ? is_one_of(name, RESOURCE_BASE, sizeof RESOURCE_BASE / sizeof(char *))
                          : is_one_of(name, SCHEMA_BASE, sizeof SCHEMA_BASE / sizeof(char *));
    return clash ? hu_arena_format(arena, "%s_", name) : name;
}

static const hu_prop *find_prop(const hu_schema *schema, const char *name)
{
    hu_str want = hu_str_of(name);
    for (size_t i = 0; i < schema->prop_count; i++)
        if (hu_str_eq(schema->props[i].name, want))
            return &schema->props[i];
    return NULL;
}

const hu_schema *hu_spec_of(const hu_model *model, const hu_schema *resource)
{
    const hu_prop *spec = find_prop(resource, "spec");
    return spec ? hu_map_get(&model->by_name, hu_type_ref(spec->type)) : NULL;
}

static bool is_frame(hu_str name)
{
    static const char *const frame[] = { "apiVersion", "kind", "metadata", "status" };
    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++)
        if (hu_str_eq(name, hu_str_of(frame[i])))
            return true;
    return false;
}

static void add(hu_methods *methods, hu_method method)
{
    hu_map_entry *entry = hu_map_put(&methods->names, hu_str_of(method.name));
    if (entry->value)
        return; /* the spec's property hides one of the same name beside the spec */
    entry->value = (void *)(uintptr_t)method.name;
    methods->list = hu_realloc(methods->list, (methods->count + 1) * sizeof *methods->list);
    methods->list[methods->count++] = method;
}

static bool has_pod_template(const hu_schema *spec)
{
    const hu_prop *template = find_prop(spec, "template");
    return template && hu_str_ends(hu_type_ref(template->type), ".PodTemplateSpec");
}

static void add_spec(hu_scope *scope, hu_methods *methods, const hu_schema *spec)
{
    for (size_t i = 0; i < spec->prop_count; i++) {
        const hu_prop *prop = &spec->props[i];
        if (is_frame(prop->name))
            continue;
        add(methods, (hu_method){ hu_method_name(&scope->arena, prop->name, true), prop->name,
                                  prop->type, HU_SET_SPEC_PART });
    }
    if (!has_pod_template(spec))
        return;
    add(methods,
        (hu_method){ "containers", hu_str_of("template.spec.containers"), NULL, HU_SET_DEEP });
    add(methods, (hu_method){ "initContainers", hu_str_of("template.spec.initContainers"), NULL,
                              HU_SET_DEEP });
}

hu_methods hu_methods_of(hu_scope *scope, const hu_schema *schema)
{
    hu_methods methods = { 0 };
    bool resource = schema->form == HU_FORM_RESOURCE;
    const hu_schema *spec = resource ? hu_spec_of(scope->model, schema) : NULL;
    if (spec)
        add_spec(scope, &methods, spec);
    for (size_t i = 0; i < schema->prop_count; i++) {
        const hu_prop *prop = &schema->props[i];
        if (resource && (is_frame(prop->name) || hu_str_eq(prop->name, hu_str_of("spec"))))
            continue;
        add(&methods, (hu_method){ hu_method_name(&scope->arena, prop->name, resource), prop->name,
                                   prop->type, resource ? HU_SET_FIELD : HU_SET_OWN });
    }
    return methods;
}

void hu_methods_free(hu_methods *methods)
{
    free(methods->list);
    hu_map_free(&methods->names);
}
