/* SPDX-License-Identifier: MIT */
/*
 * From documents to files in place; see gen.h.
 *
 * Modules are generated in parallel on the CPU class and written into a staging directory by the
 * blocking pool. Then everything else that changes is written beside its target. Only when all of
 * this has succeeded are names exchanged, all of them on one thread that is not interrupted.
 */
#include "generate.h"
#include "gen.h"
#include "statics.h"
#include "tsconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WRITERS = 4 };

typedef struct publish {
    hu_gen *gen;
    hu_doc **docs;
    size_t doc_count;
    hu_model *model;
    hu_generation *generation;
    hu_file **files;
    size_t file_count;
    hu_stage stage;
    hu_change change;
    hu_record record; /* of this generation */
    bool generate;    /* there are documents to generate from          */
    bool prune;       /* types of resources that are not there any more */
    int rc;
    char *what; /* the file at which it failed */
} publish;

/* ---- generation ---- */

static int build_model(void *arg)
{
    publish *p = arg;
    p->model = hu_model_build(p->docs, p->doc_count);
    p->generation = hu_generation_create(p->model);
    return 0;
}

typedef struct part {
    hu_generation *generation;
    size_t index;
} part;

static int part_body(void *arg)
{
    const part *job = arg;
    hu_generation_part(job->generation, job->index);
    return 0;
}

static int part_task(void *arg)
{
    return edo_cpu(part_body, arg);
}

static int finish_body(void *arg)
{
    publish *p = arg;
    hu_generation_finish(p->generation);
    p->file_count = hu_generation_files(p->generation, &p->files);
    return 0;
}

static int generate(publish *p)
{
    int rc = edo_cpu(build_model, p);
    if (rc < 0)
        return rc;
    edo_group group;
    rc = edo_group_open(&group, &(edo_group_options){ .name = "modules" });
    for (size_t i = 0; i < p->model->module_count && rc == 0; i++) {
        part job = { p->generation, i };
        rc = edo_spawn_copy(&group, part_task, &job, sizeof job);
    }
    int closed = edo_group_close(&group);
    rc = rc < 0 ? rc : closed;
    return rc < 0 ? rc : edo_cpu(finish_body, p);
}

/* The documents are large and not needed any more; freeing them must not hold up a worker. */
static void drop_documents(publish *p)
{
    for (size_t s = 0; s < p->gen->source_count; s++)
        for (size_t i = 0; i < p->gen->sources[s].count; i++) {
            edo_drop(p->gen->sources[s].inputs[i].doc, hu_doc_free);
            p->gen->sources[s].inputs[i].doc = NULL;
        }
}

/* ---- staging ---- */

static void note_failure(publish *p, const char *path, int rc)
{
    if (p->rc == 0) {
        p->rc = rc;
        p->what = hu_strdup(path);
    }
}

typedef struct writer {
    publish *p;
    size_t first; /* writes every WRITERS-th file from here on */
    int rc;
    const char *failed;
} writer;

static int writer_body(void *arg)
{
    writer *w = arg;
    for (size_t i = w->first; i < w->p->file_count && w->rc == 0; i += WRITERS) {
        const hu_file *file = w->p->files[i];
        w->rc = hu_stage_add(&w->p->stage, file->path, file->text.data, file->text.len);
        if (w->rc < 0)
            w->failed = file->path;
    }
    return 0;
}

static int open_stage(void *arg)
{
    publish *p = arg;
    int rc = hu_stage_open(&p->stage, HU_TYPES_K8S);
    if (rc < 0)
        note_failure(p, HU_TYPES_K8S, rc);
    return 0;
}

static int stage_modules(publish *p)
{
    int rc = edo_blocking(open_stage, p);
    if (rc < 0 || p->rc < 0)
        return rc;
    writer writers[WRITERS] = { { 0 } };
    edo_group group;
    rc = edo_group_open(&group, &(edo_group_options){ .name = "writers" });
    for (size_t i = 0; i < WRITERS && rc == 0; i++) {
        writers[i] = (writer){ .p = p, .first = i };
        rc = edo_spawn_blocking(&group, writer_body, &writers[i]);
    }
    int closed = edo_group_close(&group);
    for (size_t i = 0; i < WRITERS; i++) {
        if (writers[i].rc == 0)
            continue;
        char *path = hu_format("%s/%s", HU_TYPES_K8S, writers[i].failed);
        note_failure(p, path, writers[i].rc);
        free(path);
    }
    return rc < 0 ? rc : closed;
}

static void put(publish *p, const char *path, const char *data, size_t len, bool durable)
{
    if (p->rc < 0)
        return;
    int rc = hu_change_add(&p->change, path, data, len, durable);
    if (rc < 0)
        note_failure(p, path, rc);
}

static void put_tsconfig(publish *p)
{
    hu_buf old = { 0 }, text = { 0 };
    char *warning = NULL;
    int rc = hu_file_read("tsconfig.json", HU_DOCUMENT_MAX, &old);
    if (rc < 0 && rc != -ENOENT) {
        note_failure(p, "tsconfig.json", rc);
    } else {
        hu_tsconfig_merge(rc == 0 ? (old.data ? old.data : "") : NULL, old.len, &text, &warning);
        /* The user's own words are in an old one: it is safe on the disk before that goes. */
        put(p, "tsconfig.json", text.data, text.len, rc == 0);
    }
    if (warning)
        hu_report_add(&p->gen->report, SIZE_MAX, "tsconfig", 0, warning);
    hu_buf_free(&old);
    hu_buf_free(&text);
}

static void fill_record(publish *p)
{
    hu_gen *gen = p->gen;
    hu_record *record = &p->record;
    char signature[HU_HASH_TEXT];
    hu_gen_signature(gen, signature);
    *record = (hu_record){ .valid = true,
                           .version = hu_strdup(HU_VERSION),
                           .source = hu_strdup(gen->source_id),
                           .signature = hu_strdup(signature) };
    if (gen->options->api_server && !gen->options->spec_dir)
        for (size_t i = 0; i < gen->sources[0].count; i++) {
            hu_paths_add(&record->keys, hu_strdup(gen->sources[0].inputs[i].key));
            hu_paths_add(&record->etags, hu_strdup(gen->sources[0].inputs[i].etag));
        }
    for (size_t i = 0; i < p->file_count; i++)
        hu_record_add_file(record, p->files[i]->path, p->files[i]->text.len);
    for (size_t i = 0; i < gen->record.files.count && !p->generate; i++)
        hu_record_add_file(record, gen->record.files.list[i], gen->record.sizes[i]);
}

static void put_record(publish *p)
{
    /* Documents that are the same under new hashes are recorded, too: they are not looked at
     * again. */
    bool loaded = p->gen->current && p->gen->source_count && p->gen->sources[0].count;
    if (!p->generate && !loaded)
        return;
    hu_buf text = { 0 };
    fill_record(p);
    hu_record_emit(&p->record, &text);
    put(p, HU_RECORD_PATH, text.data, text.len, false);
    hu_buf_free(&text);
}

static void put_lock(publish *p)
{
    hu_gen *gen = p->gen;
    char now[32];
    time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    hu_lock lock = { .valid = true, .husako_version = hu_strdup(HU_VERSION) };
    for (size_t i = 0; i < gen->lock.count; i++) {
        const hu_lock_entry *entry = &gen->lock.entries[i];
        bool resource = strcmp(entry->section, "resources") == 0;
        if (!resource || gen->options->skip_k8s || gen->lock_holds)
            hu_lock_copy(&lock, entry);
    }
    /* Types from an explicit source are not those of the configuration: the next run without one
     * has to generate them, so nothing is recorded here (FIX-12). */
    bool fresh = !gen->options->skip_k8s && !gen->lock_holds && !gen->explicit_source;
    for (size_t i = 0; i < gen->config.resources.count && fresh; i++)
        hu_lock_add(&lock, "resources", &gen->config.resources.list[i], gen->hashes[i], now);
    hu_buf text = { 0 };
    hu_lock_emit(&lock, &text);
    int rc = p->rc < 0 ? 0 : hu_change_add(&p->change, "husako.lock", text.data, text.len, false);
    if (rc < 0 && rc != -ENOSPC && rc != -EFBIG && rc != -EDQUOT)
        hu_report_add(&gen->report, SIZE_MAX, "lock", 0,
                      hu_format("writing husako.lock: %s; %s", edo_strerror(rc), hu_file_hint(rc)));
    else if (rc < 0)
        note_failure(p, "husako.lock", rc);
    hu_buf_free(&text);
    hu_lock_free(&lock);
}

/* Everything but the modules, written beside its target; then, if all is well, all names change. */
static int commit_body(void *arg)
{
    publish *p = arg;
    hu_gen *gen = p->gen;
    put(p, ".husako/types/husako.d.ts", HU_DTS_HUSAKO, strlen(HU_DTS_HUSAKO), false);
    put(p, ".husako/types/husako/_base.d.ts", HU_DTS_BASE, strlen(HU_DTS_BASE), false);
    put(p, ".husako/types/husako/test.d.ts", HU_DTS_TEST, strlen(HU_DTS_TEST), false);
    put_tsconfig(p);
    gen->changed = p->generate || p->prune || p->change.targets.count > 0;
    put_record(p);
    put_lock(p);
    if (p->rc == 0 && p->generate) {
        int rc = hu_stage_commit(&p->stage);
        if (rc < 0)
            note_failure(p, HU_TYPES_K8S, rc);
    }
    if (p->rc == 0 && p->prune) {
        int rc = hu_tree_remove(HU_TYPES_K8S);
        rc = rc < 0 ? rc : hu_tree_remove(HU_RECORD_PATH);
        if (rc < 0)
            note_failure(p, HU_TYPES_K8S, rc);
    }
    int rc = p->rc == 0 ? hu_change_commit(&p->change) : 0;
    if (rc < 0)
        note_failure(p, ".husako/types", rc);
    return 0;
}

static int abort_body(void *arg)
{
    publish *p = arg;
    hu_change_abort(&p->change);
    hu_stage_abort(&p->stage);
    return 0;
}

/* Leaves nothing behind, also when the run was interrupted. */
static void clean_up(publish *p)
{
    edo_scope scope;
    edo_shield_open(&scope, EDO_SEC(5));
    if (edo_scope_close(&scope, edo_blocking(abort_body, p)) < 0)
        abort_body(p);
}

/* ---- the whole ---- */

static void collect(publish *p)
{
    hu_gen *gen = p->gen;
    size_t total = 0;
    for (size_t s = 0; s < gen->source_count; s++)
        total += gen->sources[s].count;
    p->docs = hu_calloc(total, sizeof(hu_doc *));
    for (size_t s = 0; s < gen->source_count; s++)
        for (size_t i = 0; i < gen->sources[s].count; i++) {
            hu_doc *doc = gen->sources[s].inputs[i].doc;
            if (!doc)
                continue;
            doc->source = gen->sources[s].rank;
            p->docs[p->doc_count++] = doc;
        }
}

static int write_modules(publish *p)
{
    hu_gen *gen = p->gen;
    size_t step = hu_progress_start(&gen->progress, hu_strdup("Generating types..."));
    int rc = generate(p);
    if (rc == 0 && p->model->count == 0) {
        hu_report_add(
            &gen->report, 0, "", HU_EXIT_GENERATE,
            hu_format("generating types: %s: no schemas found; check that these are OpenAPI v3 "
                      "documents of a Kubernetes API",
                      gen->source_id));
        hu_progress_end(&gen->progress, step, false, hu_strdup("Types: no schemas found"));
        return 0;
    }
    if (rc == 0)
        rc = stage_modules(p);
    if (rc == 0 && p->rc == 0)
        hu_progress_end(&gen->progress, step, true,
                        hu_format("Types generated: %zu group-versions, %zu schemas",
                                  hu_model_group_versions(p->model), p->model->count));
    return rc;
}

static void report_failure(const publish *p)
{
    if (p->rc < 0)
        hu_report_add(&p->gen->report, 0, "", HU_EXIT_FAILURE,
                      hu_format("writing generated files: %s: %s; %s", p->what, edo_strerror(p->rc),
                                hu_file_hint(p->rc)));
}

static int publish_all(publish *p)
{
    hu_gen *gen = p->gen;
    int rc = 0;
    if (p->generate) {
        collect(p);
        rc = write_modules(p);
        if (rc < 0)
            return rc;
        drop_documents(p);
    }
    if (p->rc == 0 && !hu_report_has_errors(&gen->report))
        rc = edo_blocking(commit_body, p);
    return rc;
}

int hu_publish(hu_gen *gen)
{
    publish p = { .gen = gen };
    p.generate = gen->source_id && !gen->current;
    p.prune = !gen->source_id && !gen->options->skip_k8s && gen->record.valid &&
              strcmp(gen->record.source, "config") == 0;
    int rc = publish_all(&p);
    if (p.stage.staging || p.change.temporary.count)
        clean_up(&p);
    report_failure(&p);
    hu_record_free(&p.record);
    free(p.files);
    free(p.docs);
    free(p.what);
    hu_generation_free(p.generation);
    hu_model_free(p.model);
    return rc;
}
