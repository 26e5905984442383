/* SPDX-License-Identifier: MIT */
/* Documents on their way to the model; see gen.h. */
#include "gen.h"

#include <stdio.h>
#include <stdlib.h>

hu_input *hu_source_add(hu_source *source, char *key)
{
    source->inputs = hu_realloc(source->inputs, (source->count + 1) * sizeof *source->inputs);
    hu_input *input = &source->inputs[source->count++];
    *input = (hu_input){ .key = key, .etag = hu_strdup("") };
    return input;
}

void hu_source_free(hu_source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        hu_input *input = &source->inputs[i];
        free(input->key);
        free(input->path);
        free(input->etag);
        hu_buf_free(&input->text);
        edo_drop(input->doc, hu_doc_free);
    }
    free(source->inputs);
    source->inputs = NULL;
    source->count = 0;
}

int hu_input_load(hu_input *input)
{
    int rc = input->path ? hu_file_read(input->path, HU_DOCUMENT_MAX, &input->text) : 0;
    input->bytes = input->text.len;
    input->content = hu_hash(input->text.data, input->text.len);
    return rc;
}

int hu_input_parse(hu_input *input, char **why)
{
    input->doc =
        hu_doc_parse(input->key, input->text.data ? input->text.data : "", input->text.len, why);
    return input->doc ? 0 : -EINVAL;
}

/* ---- all inputs of a source at once ---- */

typedef struct job {
    hu_gen *gen;
    hu_source *source;
    hu_input *input;
    edo_fn *body; /* what runs on the CPU class */
    int rc;
    char *why;
} job;

static int load_body(void *arg)
{
    job *j = arg;
    j->rc = hu_input_load(j->input);
    return 0;
}

static int parse_body(void *arg)
{
    job *j = arg;
    if (!j->input->doc)
        j->rc = hu_input_parse(j->input, &j->why);
    hu_buf_free(&j->input->text);
    return 0;
}

static void report_job(const job *j)
{
    const hu_input *input = j->input;
    const char *what = input->path ? input->path : input->key;
    hu_gen *gen = j->gen;
    if (j->why)
        hu_report_add(&gen->report, j->source->rank, input->key, HU_EXIT_FETCH,
                      hu_format("reading OpenAPI documents: %s: %s; replace the file or remove it",
                                what, j->why));
    else if (j->rc == -EFBIG)
        hu_report_add(
            &gen->report, j->source->rank, input->key, HU_EXIT_FETCH,
            hu_format("reading OpenAPI documents: %s: larger than %d MB; this is no OpenAPI "
                      "document of a Kubernetes API",
                      what, HU_DOCUMENT_MAX >> 20));
    else
        hu_report_add(&gen->report, j->source->rank, input->key, HU_EXIT_FAILURE,
                      hu_format("reading OpenAPI documents: %s: %s; %s", what, edo_strerror(j->rc),
                                hu_file_hint(j->rc)));
}

static int run_job(void *arg)
{
    job *j = arg;
    int rc = edo_cpu(j->body, j);
    if (rc == 0 && j->rc < 0)
        report_job(j);
    free(j->why);
    j->why = NULL;
    return rc;
}

static int for_all(hu_gen *gen, hu_source *source, edo_fn *body)
{
    job *jobs = hu_calloc(source->count, sizeof *jobs);
    edo_group group;
    int rc = edo_group_open(&group, &(edo_group_options){ .name = "documents" });
    for (size_t i = 0; i < source->count && rc == 0; i++) {
        jobs[i] = (job){ .gen = gen, .source = source, .input = &source->inputs[i], .body = body };
        rc = edo_spawn_with(&group, &(edo_task_options){ .name = source->inputs[i].key }, NULL,
                            run_job, &jobs[i]);
    }
    int closed = edo_group_close(&group);
    free(jobs);
    return rc < 0 ? rc : closed;
}

int hu_source_load(hu_gen *gen, hu_source *source)
{
    return for_all(gen, source, load_body);
}

int hu_source_parse(hu_gen *gen, hu_source *source)
{
    return for_all(gen, source, parse_body);
}

static int input_order(const void *a, const void *b)
{
    return strcmp((*(hu_input *const *)a)->key, (*(hu_input *const *)b)->key);
}

static void add_source(hu_buf *text, const hu_source *source)
{
    hu_input **list = hu_alloc((source->count + 1) * sizeof *list);
    for (size_t i = 0; i < source->count; i++)
        list[i] = &source->inputs[i];
    if (source->count)
        qsort(list, source->count, sizeof *list, input_order);
    for (size_t i = 0; i < source->count; i++)
        hu_buf_format(text, "%zu %s %llx\n", source->rank, list[i]->key,
                      (unsigned long long)list[i]->content);
    free(list);
}

void hu_gen_signature(const hu_gen *gen, char out[HU_HASH_TEXT])
{
    hu_buf text = { 0 };
    hu_buf_puts(&text, HU_VERSION "\n");
    for (size_t i = 0; i < gen->source_count; i++)
        add_source(&text, &gen->sources[i]);
    snprintf(out, HU_HASH_TEXT, "%016llx", (unsigned long long)hu_hash(text.data, text.len));
    hu_buf_free(&text);
}
