/* SPDX-License-Identifier: MIT */
/*
 * What is kept of an API server: its index of documents, their hashes, the documents.
 *
 *     .husako/cache/<server>/discovery.json, hashes.json, specs/<key with "/" as "__">.json
 */
#ifndef HUSAKO_APICACHE_H
#define HUSAKO_APICACHE_H

#include "files.h"

/* One document of the index. */
typedef struct hu_api_doc {
    char *key;  /* apis/apps/v1                                             */
    char *url;  /* serverRelativeURL: begins with a slash                   */
    char *hash; /* of that URL; "" when it has none                         */
} hu_api_doc;

typedef struct hu_api_index {
    hu_api_doc *list; /* in byte order of their keys; group-versions only   */
    size_t count;
} hu_api_index;

/* Reads the answer of /openapi/v3. Returns 0, or -EINVAL with a description in *why (to be
 * freed). */
int hu_api_index_parse(const char *json, size_t len, hu_api_index *out, char **why);
void hu_api_index_free(hu_api_index *index);

/* Name of the cache directory of a server's URL; to be freed. */
char *hu_api_cache_dir(const char *server);
char *hu_api_spec_path(const char *dir, const char *key);

/* hashes.json: key -> hash of the cached document. */
typedef struct hu_hashes {
    hu_paths keys;
    hu_paths hashes;
} hu_hashes;
void hu_hashes_load(hu_hashes *hashes, const char *dir); /* empty when it cannot be read */
const char *hu_hashes_get(const hu_hashes *hashes, const char *key); /* "" for none */
void hu_hashes_set(hu_hashes *hashes, const char *key, const char *hash);
int hu_hashes_save(const hu_hashes *hashes, const char *dir);
void hu_hashes_free(hu_hashes *hashes);

#endif
