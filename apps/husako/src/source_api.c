/* SPDX-License-Identifier: MIT */
/*
 * --api-server: the index, then every document at once.
 *
 * Documents whose hash in the index is that of the cached copy are taken from the cache. What
 * cannot be fetched is taken from the cache with a warning; without a cached copy it is an error.
 * When the whole index is that of the last generation nothing is read at all.
 */
#include "apicache.h"
#include "gen.h"

#include <stdlib.h>

typedef struct api {
    hu_gen *gen;
    hu_source *source;
    char *base;
    char *dir;
    hu_api_index index;
    hu_hashes hashes;
    hu_buf discovery; /* text of the index; new when `fetched` */
    bool fetched;
    size_t step;
} api;

typedef struct api_task {
    api *api;
    const hu_api_doc *doc;
    hu_input *input;
    char *url;
    char *path;  /* in the cache */
    bool cached; /* the copy there has the hash of the index */
    int rc;
    char *why;
} api_task;

/* ---- one document ---- */

static int load_cached(void *arg)
{
    api_task *t = arg;
    hu_input *input = t->input;
    input->path = t->path;
    t->rc = hu_input_load(input);
    input->path = NULL;
    if (t->rc == 0)
        t->rc = hu_input_parse(input, &t->why);
    hu_buf_free(&input->text);
    return 0;
}

static int parse_fetched(void *arg)
{
    api_task *t = arg;
    t->rc = hu_input_load(t->input);
    if (t->rc == 0)
        t->rc = hu_input_parse(t->input, &t->why);
    return 0;
}

static int save_fetched(void *arg)
{
    api_task *t = arg;
    t->rc = hu_file_write(t->path, t->input->text.data, t->input->text.len);
    hu_buf_free(&t->input->text);
    return 0;
}

static void forget(api_task *t)
{
    free(t->why);
    t->why = NULL;
    t->rc = 0;
}

/* The cached copy instead of what could not be fetched: 0 when there is one. */
static int fall_back(api_task *t)
{
    hu_gen *gen = t->api->gen;
    char *why = t->why;
    t->why = NULL;
    hu_buf_free(&t->input->text);
    int rc = edo_cpu(load_cached, t);
    if (rc == 0 && t->rc == 0) {
        hu_report_add(&gen->report, t->api->source->rank, t->doc->key, 0,
                      hu_format("fetching %s: %s; the copy in the cache is used", t->url, why));
        free(t->input->etag);
        t->input->etag = hu_strdup(hu_hashes_get(&t->api->hashes, t->doc->key));
    } else if (rc == 0) {
        hu_report_add(&gen->report, t->api->source->rank, t->doc->key, HU_EXIT_FETCH,
                      hu_format("fetching OpenAPI documents: %s: %s", t->url, why));
    }
    forget(t);
    free(why);
    return rc;
}

static int save(api_task *t)
{
    int rc = edo_blocking(save_fetched, t);
    if (rc == 0 && t->rc < 0)
        hu_report_add(&t->api->gen->report, t->api->source->rank, t->doc->key, 0,
                      hu_format("keeping %s in the cache: %s; the next run fetches it again",
                                t->path, edo_strerror(t->rc)));
    return rc;
}

static int fetch_one(api_task *t)
{
    hu_gen *gen = t->api->gen;
    hu_fetch fetch = { .url = t->url, .timeout = EDO_SEC(30), .json = true };
    int rc = hu_fetch_body(gen, &fetch, &t->input->text, &t->why);
    if (rc == -ECANCELED)
        return rc;
    if (rc == 0) {
        hu_progress_add(&gen->progress, t->api->step, 1, t->input->text.len);
        rc = edo_cpu(parse_fetched, t);
        if (rc < 0)
            return rc;
        if (t->why) {
            char *why = hu_format("%s; the answer is damaged: try again", t->why);
            free(t->why);
            t->why = why;
        }
    }
    return t->why ? fall_back(t) : save(t);
}

static int document_task(void *arg)
{
    api_task *t = arg;
    if (t->cached) {
        int rc = edo_cpu(load_cached, t);
        if (rc < 0 || t->rc == 0) {
            hu_progress_add(&t->api->gen->progress, t->api->step, 1, 0);
            return rc;
        }
        forget(t); /* the copy is damaged: fetch it anew */
    }
    return fetch_one(t);
}

static void prepare(api *a, api_task *t, size_t i)
{
    const hu_api_doc *doc = &a->index.list[i];
    hu_input *input = &a->source->inputs[i];
    *input = (hu_input){ .key = hu_strdup(doc->key), .etag = hu_strdup(doc->hash) };
    *t = (api_task){
        .api = a,
        .doc = doc,
        .input = input,
        .url = hu_format("%s%s", a->base, doc->url),
        .path = hu_api_spec_path(a->dir, doc->key),
        .cached = *doc->hash && strcmp(doc->hash, hu_hashes_get(&a->hashes, doc->key)) == 0,
    };
}

static int fetch_documents(api *a)
{
    size_t n = a->index.count;
    a->source->inputs = hu_calloc(n, sizeof *a->source->inputs);
    a->source->count = n;
    api_task *tasks = hu_calloc(n, sizeof *tasks);
    for (size_t i = 0; i < n; i++)
        prepare(a, &tasks[i], i);
    edo_group group;
    int rc = edo_group_open(&group, &(edo_group_options){ .name = "openapi" });
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = edo_spawn_with(&group, &(edo_task_options){ .name = a->index.list[i].key }, NULL,
                            document_task, &tasks[i]);
    int closed = edo_group_close(&group);
    for (size_t i = 0; i < n; i++) {
        free(tasks[i].url);
        free(tasks[i].path);
        free(tasks[i].why);
    }
    free(tasks);
    return rc < 0 ? rc : closed;
}

/* ---- the index ---- */

static int read_cache(void *arg)
{
    api *a = arg;
    hu_hashes_load(&a->hashes, a->dir);
    return 0;
}

static int read_discovery(void *arg)
{
    api *a = arg;
    char *path = hu_format("%s/discovery.json", a->dir);
    int rc = hu_file_read(path, HU_DOCUMENT_MAX, &a->discovery);
    free(path);
    return rc < 0 ? -EINVAL : 0;
}

static void report_index(api *a, const char *url, const char *why)
{
    hu_report_add(&a->gen->report, a->source->rank, "", HU_EXIT_FETCH,
                  hu_format("fetching the index of OpenAPI documents: %s: %s", url, why));
}

/* Gets the index from the server, or the last one from the cache. */
static int get_index(api *a)
{
    char *url = hu_format("%s/openapi/v3", a->base);
    char *why = NULL;
    hu_fetch fetch = { .url = url, .timeout = EDO_SEC(30), .json = true };
    int rc = hu_fetch_body(a->gen, &fetch, &a->discovery, &why);
    if (rc == 0) {
        rc = hu_api_index_parse(a->discovery.data ? a->discovery.data : "", a->discovery.len,
                                &a->index, &why);
        a->fetched = rc == 0;
        if (rc < 0) {
            char *what = why;
            why = hu_format("%s; check that the URL is that of a Kubernetes API server", what);
            free(what);
        }
    }
    if (rc < 0 && rc != -ECANCELED) {
        hu_buf_free(&a->discovery);
        char *ignored = NULL;
        rc = edo_blocking(read_discovery, a);
        if (rc == 0)
            rc = hu_api_index_parse(a->discovery.data, a->discovery.len, &a->index, &ignored);
        free(ignored);
        if (rc == 0)
            hu_report_add(&a->gen->report, a->source->rank, "", 0,
                          hu_format("fetching %s: %s; the copy in the cache is used", url, why));
        else if (rc != -ECANCELED)
            report_index(a, url, why);
    }
    free(why);
    free(url);
    return rc;
}

/* Whether the last generation was from this server with exactly these documents. */
static int check_last(void *arg)
{
    const api *a = arg;
    const hu_record *record = &a->gen->record;
    if (record->keys.count != a->index.count)
        return 0;
    for (size_t i = 0; i < a->index.count; i++) /* both are sorted by key */
        if (strcmp(record->keys.list[i], a->index.list[i].key) != 0 || !*a->index.list[i].hash ||
            strcmp(record->etags.list[i], a->index.list[i].hash) != 0)
            return 0;
    return hu_gen_is_last(a->gen) ? 1 : 0;
}

/* Before a cached document is replaced its hash is forgotten: killed at any moment, the cache never
 * holds a document under the hash of another. */
static int forget_changed(void *arg)
{
    api *a = arg;
    bool changed = false;
    for (size_t i = 0; i < a->index.count; i++) {
        const hu_api_doc *doc = &a->index.list[i];
        const char *old = hu_hashes_get(&a->hashes, doc->key);
        if (!*old || strcmp(old, doc->hash) == 0)
            continue;
        hu_hashes_set(&a->hashes, doc->key, "");
        changed = true;
    }
    return changed ? hu_hashes_save(&a->hashes, a->dir) : 0;
}

static int save_index(void *arg)
{
    api *a = arg;
    for (size_t i = 0; i < a->source->count; i++)
        if (a->source->inputs[i].doc)
            hu_hashes_set(&a->hashes, a->source->inputs[i].key, a->source->inputs[i].etag);
    char *path = hu_format("%s/discovery.json", a->dir);
    int rc = hu_hashes_save(&a->hashes, a->dir);
    if (rc == 0 && a->fetched)
        rc = hu_file_write(path, a->discovery.data, a->discovery.len);
    free(path);
    return rc < 0 && rc != -ECANCELED ? -EIO : rc;
}

static int resolve(api *a)
{
    int rc = get_index(a);
    if (rc < 0)
        return rc == -ECANCELED ? rc : 0; /* reported */
    rc = edo_blocking(check_last, a);
    if (rc != 0) {
        a->gen->current = rc > 0;
        return rc < 0 ? rc : 0;
    }
    hu_progress_total(&a->gen->progress, a->step, a->index.count, 0);
    rc = edo_blocking(read_cache, a);
    if (rc == 0 && edo_blocking(forget_changed, a) == -ECANCELED)
        rc = -ECANCELED;
    if (rc == 0)
        rc = fetch_documents(a);
    if (rc < 0)
        return rc;
    /* The documents themselves warned when the cache cannot be written. */
    return edo_blocking(save_index, a) == -ECANCELED ? -ECANCELED : 0;
}

int hu_source_api(hu_gen *gen, hu_source *source)
{
    size_t len = strlen(gen->options->api_server);
    while (len && gen->options->api_server[len - 1] == '/')
        len--;
    api a = { .gen = gen, .source = source };
    a.base = hu_strndup(gen->options->api_server, len);
    a.dir = hu_api_cache_dir(a.base);
    a.step = hu_progress_start(&gen->progress, hu_strdup("Fetching OpenAPI specs..."));
    int rc = resolve(&a);
    bool good = rc == 0 && !hu_report_has_errors(&gen->report);
    if (rc == 0)
        hu_progress_end(&gen->progress, a.step, good,
                        good ? hu_format("OpenAPI specs: %zu group-versions", a.index.count)
                             : hu_strdup("OpenAPI specs: not fetched"));
    hu_api_index_free(&a.index);
    hu_hashes_free(&a.hashes);
    hu_buf_free(&a.discovery);
    free(a.base);
    free(a.dir);
    return rc;
}
