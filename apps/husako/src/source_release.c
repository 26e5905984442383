/* SPDX-License-Identifier: MIT */
/*
 * Resources with source "release": the OpenAPI documents of a Kubernetes release.
 *
 * They are downloaded into a directory beside the cache's and take its name when all are there, so
 * that an interrupted download never counts as a release (FIX-10). Releases do not change: what is
 * in the cache is taken from there.
 */
#include "gen.h"
#include "release.h"

#include <stdlib.h>

typedef struct release {
    hu_gen *gen;
    hu_source *source;
    char *tag;
    char *dir;
    hu_release_cached *cached;
    size_t cached_count;
    hu_release_files files;
    hu_stage stage;
    bool staging;
    size_t step;
    int rc;
} release;

static void fail(release *r, int exit_code, const char *doing, const char *what, const char *why)
{
    hu_report_add(&r->gen->report, r->source->rank, what, exit_code,
                  hu_format("resource '%s': %s: %s: %s", r->source->name, doing, what, why));
}

/* ---- the cache ---- */

static int load_cached(void *arg)
{
    release *r = arg;
    r->rc = hu_release_load(r->dir, &r->cached, &r->cached_count);
    return 0;
}

static int use_cached(release *r)
{
    for (size_t i = 0; i < r->cached_count; i++)
        hu_source_add(r->source, hu_strdup(r->cached[i].key))->path = hu_strdup(r->cached[i].path);
    return hu_source_load(r->gen, r->source);
}

/* ---- the download ---- */

static char *github_url(const char *path)
{
    const char *api = getenv("HUSAKO_GITHUB_API_URL");
    return hu_format("%s/repos/kubernetes/kubernetes/%s",
                     api && *api ? api : "https://api.github.com", path);
}

/* Asks GitHub's API, with a token of its own if there is one. */
static int ask_github(release *r, hu_fetch *fetch, hu_buf *body, char **why)
{
    const char *token = getenv("GITHUB_TOKEN");
    char *header = token && *token ? hu_format("Authorization: Bearer %s", token) : NULL;
    fetch->timeout = EDO_SEC(60);
    fetch->json = true;
    fetch->header = header;
    fetch->accept = "Accept: application/vnd.github.v3+json";
    int rc = hu_fetch_body(r->gen, fetch, body, why);
    free(header);
    return rc;
}

/* For the message about a release that does not exist: which one is the newest. */
static void name_newest(release *r, char **why)
{
    char *url = github_url("tags?per_page=100");
    hu_fetch fetch = { .url = url };
    hu_buf body = { 0 };
    char *ignored = NULL;
    if (ask_github(r, &fetch, &body, &ignored) == 0) {
        char *newest = hu_release_newest(body.data ? body.data : "", body.len);
        if (newest) {
            free(*why);
            *why =
                hu_format("there is no release %s of Kubernetes; the newest is %s", r->tag, newest);
            free(newest);
        }
    }
    hu_buf_free(&body);
    free(ignored);
    free(url);
}

static int get_listing(release *r)
{
    char *path = hu_format("contents/api/openapi-spec/v3?ref=%s", r->tag);
    char *url = github_url(path);
    hu_fetch fetch = { .url = url };
    hu_buf body = { 0 };
    char *why = NULL;
    int rc = ask_github(r, &fetch, &body, &why);
    if (rc == 0)
        rc = hu_release_parse_listing(body.data ? body.data : "", body.len, &r->files, &why);
    else if (rc == EDO_EHTTPSTATUS && fetch.status == 404)
        name_newest(r, &why);
    if (rc < 0 && rc != -ECANCELED)
        fail(r, HU_EXIT_FETCH, "listing the documents of the release", url, why);
    hu_buf_free(&body);
    free(why);
    free(url);
    free(path);
    return rc;
}

typedef struct download {
    release *r;
    const hu_release_file *file;
    hu_input *input;
    int rc;
    char *why;
} download;

static int store_body(void *arg)
{
    download *d = arg;
    d->rc = hu_stage_add(&d->r->stage, d->file->name, d->input->text.data, d->input->text.len);
    return 0;
}

/* Parsed at once: a damaged answer must not get into the cache. */
static int check_body(void *arg)
{
    download *d = arg;
    d->rc = hu_input_load(d->input);
    if (d->rc == 0)
        d->rc = hu_input_parse(d->input, &d->why);
    return 0;
}

static int download_task(void *arg)
{
    download *d = arg;
    hu_fetch fetch = { .url = d->file->url, .timeout = EDO_SEC(60), .accept = "Accept: */*" };
    int rc = hu_fetch_body(d->r->gen, &fetch, &d->input->text, &d->why);
    if (rc == -ECANCELED)
        return rc;
    if (rc == 0) {
        hu_progress_add(&d->r->gen->progress, d->r->step, 1, d->input->text.len);
        rc = edo_cpu(check_body, d);
    }
    if (d->why) {
        fail(d->r, HU_EXIT_FETCH, "downloading", d->file->url, d->why);
        return 0;
    }
    if (rc == 0)
        rc = edo_blocking(store_body, d);
    if (rc == 0 && d->rc < 0)
        fail(d->r, HU_EXIT_FAILURE, "keeping in the cache", d->r->stage.staging,
             edo_strerror(d->rc));
    hu_buf_free(&d->input->text);
    return rc;
}

static int download_all(release *r)
{
    size_t n = r->files.count, total = 0;
    r->source->inputs = hu_calloc(n, sizeof *r->source->inputs);
    r->source->count = n;
    download *list = hu_calloc(n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        r->source->inputs[i] =
            (hu_input){ .key = hu_strdup(r->files.list[i].key), .etag = hu_strdup("") };
        list[i] = (download){ .r = r, .file = &r->files.list[i], .input = &r->source->inputs[i] };
        total += r->files.list[i].size;
    }
    hu_progress_total(&r->gen->progress, r->step, n, total);
    edo_group group;
    int rc = edo_group_open(&group, &(edo_group_options){ .name = "release" });
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = edo_spawn_with(&group, &(edo_task_options){ .name = r->files.list[i].key }, NULL,
                            download_task, &list[i]);
    int closed = edo_group_close(&group);
    for (size_t i = 0; i < n; i++)
        free(list[i].why);
    free(list);
    return rc < 0 ? rc : closed;
}

static int open_stage(void *arg)
{
    release *r = arg;
    r->rc = hu_mkdirs(HU_RELEASE_CACHE);
    if (r->rc == 0)
        r->rc = hu_stage_open(&r->stage, r->dir);
    r->staging = r->rc == 0;
    return 0;
}

static int commit_stage(void *arg)
{
    release *r = arg;
    hu_buf manifest = { 0 };
    hu_release_manifest(&r->files, &manifest);
    r->rc = hu_stage_add(&r->stage, "_manifest.json", manifest.data, manifest.len);
    if (r->rc == 0)
        r->rc = hu_stage_commit(&r->stage);
    else
        hu_stage_abort(&r->stage);
    hu_buf_free(&manifest);
    return 0;
}

static int abort_stage(void *arg)
{
    hu_stage_abort(&((release *)arg)->stage);
    return 0;
}

/* Cleans up although the run was interrupted. */
static void discard(release *r)
{
    edo_scope scope;
    edo_shield_open(&scope, EDO_SEC(5));
    if (edo_scope_close(&scope, edo_blocking(abort_stage, r)) < 0)
        abort_stage(r);
}

static int fetch_release(release *r)
{
    int rc = get_listing(r);
    if (rc < 0)
        return rc == -ECANCELED ? rc : 0;
    rc = edo_blocking(open_stage, r);
    if (rc == 0 && r->rc < 0)
        fail(r, HU_EXIT_FAILURE, "keeping in the cache", r->dir, edo_strerror(r->rc));
    if (rc == 0 && r->staging)
        rc = download_all(r);
    if (!r->staging)
        return rc;
    if (rc < 0 || hu_report_has_errors(&r->gen->report)) {
        discard(r);
        return rc;
    }
    rc = edo_blocking(commit_stage, r);
    if (rc < 0)
        discard(r);
    else if (r->rc < 0)
        fail(r, HU_EXIT_FAILURE, "keeping in the cache", r->dir, edo_strerror(r->rc));
    return rc;
}

static int resolve(release *r)
{
    int rc = edo_blocking(load_cached, r);
    if (rc < 0)
        return rc;
    return r->rc == 0 ? use_cached(r) : fetch_release(r);
}

int hu_source_release(hu_gen *gen, hu_source *source)
{
    const char *version = hu_dep_field(source->dep, "version");
    release r = { .gen = gen, .source = source, .tag = hu_release_tag(version) };
    if (!r.tag) {
        fail(&r, HU_EXIT_USAGE, "reading husako.toml", version,
             "no version of Kubernetes; give one like \"1.33\" or \"1.33.2\"");
        return 0;
    }
    r.dir = hu_format("%s/%s", HU_RELEASE_CACHE, r.tag);
    r.step = hu_progress_start(&gen->progress, hu_format("Resolving %s...", source->name));
    int rc = resolve(&r);
    bool good = rc == 0 && !hu_report_has_errors(&gen->report);
    if (rc == 0)
        hu_progress_end(&gen->progress, r.step, good,
                        good ? hu_format("%s: %zu group-versions", source->name, source->count)
                             : hu_format("%s: not resolved", source->name));
    hu_release_cached_free(r.cached, r.cached_count);
    hu_release_files_free(&r.files);
    free(r.dir);
    free(r.tag);
    return rc;
}
