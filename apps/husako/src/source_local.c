/* SPDX-License-Identifier: MIT */
/* --spec-dir, and resources with source "file": documents that are on this machine. */
#include "apicache.h"
#include "crd.h"
#include "gen.h"

#include <stdlib.h>

/* ---- --spec-dir ---- */

typedef struct spec_dir {
    hu_gen *gen;
    hu_source *source;
    const char *dir;
    int rc;
} spec_dir;

static void add_file(spec_dir *s, const char *key, const char *path)
{
    hu_source_add(s->source, hu_strdup(key))->path = hu_format("%s/%s", s->dir, path);
}

/* With an index (a copy of an API server's cache, say) the documents it names ... */
static bool list_index(spec_dir *s)
{
    char *path = hu_format("%s/discovery.json", s->dir);
    hu_buf text = { 0 };
    hu_api_index index = { 0 };
    char *why = NULL;
    bool found = hu_file_read(path, HU_DOCUMENT_MAX, &text) == 0 &&
                 hu_api_index_parse(text.data, text.len, &index, &why) == 0;
    for (size_t i = 0; i < index.count; i++) {
        char *plain = hu_format("%s/%s.json", s->dir, index.list[i].key);
        hu_input *input = hu_source_add(s->source, hu_strdup(index.list[i].key));
        if (hu_file_exists(plain)) {
            input->path = plain;
        } else {
            input->path = hu_api_spec_path(s->dir, index.list[i].key);
            free(plain);
        }
    }
    hu_api_index_free(&index);
    hu_buf_free(&text);
    free(why);
    free(path);
    return found;
}

/* ... else every .json file, except those with a name like _manifest.json. */
static int list_files(spec_dir *s)
{
    static const char *const suffixes[] = { ".json", NULL };
    hu_paths paths = { 0 };
    int rc = hu_tree_list(s->dir, true, suffixes, &paths);
    for (size_t i = 0; i < paths.count && rc == 0; i++) {
        const char *slash = strrchr(paths.list[i], '/');
        if ((slash ? slash[1] : paths.list[i][0]) == '_')
            continue;
        char *key = hu_strndup(paths.list[i], strlen(paths.list[i]) - strlen(".json"));
        add_file(s, key, paths.list[i]);
        free(key);
    }
    hu_paths_free(&paths);
    return rc;
}

static int list_body(void *arg)
{
    spec_dir *s = arg;
    s->rc = list_index(s) ? 0 : list_files(s);
    return 0;
}

int hu_source_spec_dir(hu_gen *gen, hu_source *source)
{
    spec_dir s = { .gen = gen, .source = source, .dir = gen->options->spec_dir };
    int rc = edo_blocking(list_body, &s);
    if (rc < 0)
        return rc;
    if (s.rc < 0)
        hu_report_add(&gen->report, source->rank, "", HU_EXIT_FAILURE,
                      hu_format("reading OpenAPI documents: %s: %s; %s", s.dir, edo_strerror(s.rc),
                                hu_file_hint(s.rc)));
    else if (!source->count)
        hu_report_add(&gen->report, source->rank, "", HU_EXIT_GENERATE,
                      hu_format("reading OpenAPI documents: %s: no .json file in it; give the "
                                "directory that holds api/ and apis/",
                                s.dir));
    return s.rc < 0 ? 0 : hu_source_load(gen, source);
}

/* ---- file ---- */

typedef struct crd_file {
    const char *path;
    hu_buf text;
    hu_crd_docs docs;
    char *why;
    int rc;
} crd_file;

static int read_body(void *arg)
{
    crd_file *f = arg;
    f->rc = hu_crd_read(f->path, &f->text);
    return 0;
}

static int convert_body(void *arg)
{
    crd_file *f = arg;
    f->rc = hu_crd_convert(f->text.data ? f->text.data : "", f->text.len, &f->docs, &f->why);
    return 0;
}

static void take_documents(hu_source *source, crd_file *f)
{
    for (size_t i = 0; i < f->docs.count; i++) {
        hu_crd_doc *doc = &f->docs.list[i];
        hu_input *input = hu_source_add(source, hu_strdup(doc->key));
        input->text = (hu_buf){ doc->json, doc->len, doc->len + 1 };
        doc->json = NULL;
    }
}

int hu_source_file(hu_gen *gen, hu_source *source)
{
    crd_file f = { .path = hu_dep_field(source->dep, "path") };
    int rc = edo_blocking(read_body, &f);
    if (rc == 0 && f.rc < 0) {
        hu_report_add(&gen->report, source->rank, "", HU_EXIT_FAILURE,
                      hu_format("resource '%s': reading %s: %s; %s", source->name, f.path,
                                edo_strerror(f.rc), hu_file_hint(f.rc)));
    } else if (rc == 0) {
        rc = edo_cpu(convert_body, &f);
        if (f.why)
            hu_report_add(&gen->report, source->rank, "", HU_EXIT_FETCH,
                          hu_format("resource '%s': converting %s: %s; give a file or directory of "
                                    "CustomResourceDefinitions",
                                    source->name, f.path, f.why));
    }
    if (rc == 0 && f.rc == 0) {
        take_documents(source, &f);
        rc = hu_source_load(gen, source);
    }
    hu_crd_docs_free(&f.docs);
    hu_buf_free(&f.text);
    free(f.why);
    return rc;
}
