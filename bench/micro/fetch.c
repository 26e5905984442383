/* SPDX-License-Identifier: MIT */
/* The fetches of `husako gen --api-server URL`, and nothing else: the index at /openapi/v3, then
 * every document it names, at most --limit at a time. Documents are read to their end and dropped.
 * `bench-fetch URL [--workers N] [--limit N]` prints `documents=N bytes=N`. The programs for Tokio
 * and Go in ../peers do the same; it must not parse or keep what they do not. */
#include <edo/edo.h>
#include <edo/http.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum { URL_MAX = 512 };

struct work {
    const char *base;
    unsigned workers, limit;
    edo_http_client *client;
    uint64_t documents, bytes; /* atomic while the group is open: counts only */
};

struct document {
    struct work *work;
    char url[URL_MAX];
};

static int get(struct work *w, const char *url, edo_http_response *r)
{
    int rc = edo_http_get(w->client, url, r);
    if (rc < 0)
        fprintf(stderr, "bench-fetch: %s: %s\n", url, r->error.text);
    return rc;
}

static int document_fetch(void *arg)
{
    struct document *d = arg;
    edo_http_response r;
    int rc = get(d->work, d->url, &r);
    if (rc >= 0) {
        __atomic_fetch_add(&d->work->documents, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&d->work->bytes, r.len, __ATOMIC_RELAXED);
    }
    edo_http_response_deinit(&r);
    return rc;
}

static int documents_fetch(struct work *w, yyjson_val *paths)
{
    yyjson_obj_iter it;
    if (!yyjson_obj_iter_init(paths, &it))
        return -EINVAL;
    struct document *docs = calloc(yyjson_obj_size(paths), sizeof *docs);
    if (docs == NULL)
        return -ENOMEM;
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .limit = w->limit });
    struct document *d = docs;
    int rc = 0;
    for (yyjson_val *key; rc == 0 && (key = yyjson_obj_iter_next(&it)) != NULL; d++) {
        yyjson_val *url = yyjson_obj_get(yyjson_obj_iter_get_val(key), "serverRelativeURL");
        const char *path = yyjson_get_str(url);
        d->work = w;
        snprintf(d->url, sizeof d->url, "%s%s", w->base, path != NULL ? path : "");
        rc = edo_spawn(&g, document_fetch, d);
    }
    int first = edo_group_close(&g);
    free(docs);
    return first < 0 ? first : rc;
}

static int run(void *arg)
{
    struct work *w = arg;
    char url[URL_MAX];
    snprintf(url, sizeof url, "%s/openapi/v3", w->base);
    int rc = edo_http_client_create(&w->client, NULL);
    if (rc < 0)
        return rc;
    edo_http_response r;
    rc = get(w, url, &r);
    if (rc >= 0) {
        yyjson_doc *index = yyjson_read(r.body, r.len, 0);
        rc = documents_fetch(w, yyjson_obj_get(yyjson_doc_get_root(index), "paths"));
        yyjson_doc_free(index);
    }
    edo_http_response_deinit(&r);
    edo_http_client_destroy(w->client);
    printf("documents=%" PRIu64 " bytes=%" PRIu64 "\n", w->documents, w->bytes);
    return rc;
}

int main(int argc, char **argv)
{
    struct work w = { .workers = 2, .limit = 16 };
    if (argc < 2 || argc % 2 != 0) {
        fprintf(stderr, "usage: bench-fetch URL [--workers N] [--limit N]\n");
        return 2;
    }
    w.base = argv[1];
    for (int i = 2; i < argc; i += 2) {
        unsigned value = (unsigned)strtoul(argv[i + 1], NULL, 10);
        *(strcmp(argv[i], "--workers") == 0 ? &w.workers : &w.limit) = value;
    }
    int rc = edo_run(&(edo_config){ .workers = w.workers }, run, &w);
    if (rc < 0)
        fprintf(stderr, "bench-fetch: %s\n", edo_strerror(rc));
    return rc < 0 ? 1 : 0;
}
