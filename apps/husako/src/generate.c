/* SPDX-License-Identifier: MIT */
/* See generate.h. */
#include "generate.h"

#include "emit.h"

#include <stdlib.h>

hu_generation *hu_generation_create(const hu_model *model)
{
    hu_generation *gen = hu_calloc(1, sizeof *gen);
    gen->model = model;
    gen->dts = hu_calloc(model->module_count, sizeof *gen->dts);
    gen->js = hu_calloc(model->module_count, sizeof *gen->js);
    gen->stores = hu_calloc(model->module_count, sizeof *gen->stores);
    gen->pieces = hu_calloc(model->count, sizeof *gen->pieces);
    return gen;
}

void hu_generation_free(void *p)
{
    hu_generation *gen = p;
    if (!gen)
        return;
    for (size_t i = 0; i < gen->model->module_count; i++) {
        free(gen->dts[i].path);
        free(gen->js[i].path);
        hu_buf_free(&gen->dts[i].text);
        hu_buf_free(&gen->js[i].text);
        hu_buf_free(&gen->stores[i]);
    }
    free(gen->schema.path);
    hu_buf_free(&gen->schema.text);
    free(gen->dts);
    free(gen->js);
    free(gen->stores);
    free(gen->pieces);
    free(gen);
}

static int full_order(const void *key, const void *schema)
{
    return hu_str_cmp(*(const hu_str *)key, (*(hu_schema *const *)schema)->full);
}

/* Where the schema stands in the list of all, which is sorted. */
static size_t index_of(const hu_model *model, const hu_schema *schema)
{
    hu_schema **found =
        bsearch(&schema->full, model->schemas, model->count, sizeof *model->schemas, full_order);
    return (size_t)(found - model->schemas);
}

static void write_store(hu_generation *gen, size_t index)
{
    const hu_module *module = gen->model->modules[index];
    hu_buf *store = &gen->stores[index];
    size_t *ends = hu_alloc((module->count + 1) * sizeof *ends);
    for (size_t i = 0; i < module->count; i++) {
        hu_emit_schema_json(module->schemas[i], store);
        ends[i] = store->len;
    }
    size_t from = 0;
    for (size_t i = 0; i < module->count; i++) {
        size_t at = index_of(gen->model, module->schemas[i]);
        gen->pieces[at] = (hu_str){ store->data + from, ends[i] - from };
        from = ends[i];
    }
    free(ends);
}

void hu_generation_part(hu_generation *gen, size_t index)
{
    const hu_module *module = gen->model->modules[index];
    gen->dts[index].path = hu_format("%s.d.ts", module->path);
    hu_emit_dts(gen->model, module, &gen->dts[index].text);
    if (hu_module_has_js(module)) {
        gen->js[index].path = hu_format("%s.js", module->path);
        hu_emit_js(gen->model, module, &gen->js[index].text);
    }
    write_store(gen, index);
}

void hu_generation_finish(hu_generation *gen)
{
    gen->schema.path = hu_strdup("_schema.json");
    hu_emit_schema_store(gen->model, gen->pieces, &gen->schema.text);
}

size_t hu_generation_files(hu_generation *gen, hu_file ***files)
{
    size_t modules = gen->model->module_count, count = 0;
    hu_file **list = hu_alloc((2 * modules + 1) * sizeof *list);
    for (size_t i = 0; i < modules; i++) {
        list[count++] = &gen->dts[i];
        if (gen->js[i].path)
            list[count++] = &gen->js[i];
    }
    list[count++] = &gen->schema;
    *files = list;
    return count;
}
