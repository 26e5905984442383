/* SPDX-License-Identifier: MIT */
/* Fetches every OpenAPI document of a Kubernetes API server, so many at a time, and says how long
 * it took. With --jobs 1 one after another: what concurrency is worth.
 *
 *     fetch-all [--jobs 64] http://127.0.0.1:8001 */
#include <edo/edo.h>
#include <edo/http.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static struct {
    const char *base;
    unsigned jobs;
    edo_http_client *client;
    atomic_size_t bytes; /* relaxed: read after the group is closed */
} run = { .jobs = 64 };

/* base + path, to be freed. */
static char *join(const char *path)
{
    size_t size = strlen(run.base) + strlen(path) + 1;
    char *url = malloc(size);
    if (url)
        snprintf(url, size, "%s%s", run.base, path);
    return url;
}

static int get(const char *path, edo_http_response *r)
{
    char *url = join(path);
    if (!url)
        return -ENOMEM;
    int rc = edo_http_get(run.client, url, r);
    if (rc < 0)
        fprintf(stderr, "fetch-all: %s: %s\n", url, r->error.text);
    free(url);
    return rc;
}

static int fetch_document(void *path)
{
    edo_http_response r = { 0 };
    int rc = get(path, &r);
    atomic_fetch_add_explicit(&run.bytes, r.len, memory_order_relaxed);
    edo_http_response_deinit(&r);
    return rc;
}

/* Starts a task for each document; the group's limit makes this wait when enough are under way. */
static int fetch_documents(yyjson_val *paths)
{
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .limit = run.jobs });
    yyjson_obj_iter it = yyjson_obj_iter_with(paths);
    yyjson_val *key;
    int rc = 0;
    while (rc == 0 && (key = yyjson_obj_iter_next(&it)) != NULL) {
        yyjson_val *url = yyjson_obj_get(yyjson_obj_iter_get_val(key), "serverRelativeURL");
        if (yyjson_is_str(url))
            rc = edo_spawn(&g, fetch_document, (char *)(uintptr_t)yyjson_get_str(url));
    }
    int first = edo_group_close(&g); /* a document that failed has cancelled the others */
    return first < 0 ? first : rc;
}

static int fetch_all(void)
{
    edo_http_response index = { 0 };
    int rc = get("/openapi/v3", &index);
    yyjson_doc *doc = rc == 0 ? yyjson_read(index.body, index.len, 0) : NULL;
    yyjson_val *paths = yyjson_obj_get(yyjson_doc_get_root(doc), "paths");
    int64_t start = edo_now();
    if (rc == 0 && !yyjson_is_obj(paths)) {
        fprintf(stderr, "fetch-all: that is no index of documents\n");
        rc = -EPROTO;
    }
    if (rc == 0)
        rc = fetch_documents(paths);
    if (rc == 0)
        printf("%zu documents, %zu bytes, %.3f s\n", yyjson_obj_size(paths),
               atomic_load_explicit(&run.bytes, memory_order_relaxed),
               (double)(edo_now() - start) / 1e9);
    yyjson_doc_free(doc);
    edo_http_response_deinit(&index);
    return rc;
}

static int main_task(void *unused)
{
    (void)unused;
    int rc = edo_http_client_create(&run.client,
                                    &(edo_http_client_options){ .in_flight_max = run.jobs });
    if (rc < 0)
        return rc;
    rc = fetch_all();
    edo_http_client_destroy(run.client);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--jobs") == 0 && atoi(argv[2]) > 0) {
        run.jobs = (unsigned)atoi(argv[2]);
        run.base = argv[3];
    } else if (argc == 2 && argv[1][0] != '-') {
        run.base = argv[1];
    } else {
        fprintf(stderr, "usage: fetch-all [--jobs N] URL\n");
        return 2;
    }
    return edo_run(NULL, main_task, NULL) < 0 ? 1 : 0;
}
