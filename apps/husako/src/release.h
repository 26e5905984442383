/* SPDX-License-Identifier: MIT */
/* Kubernetes releases: their tags, the listing of their OpenAPI documents, the cache of them. */
#ifndef HUSAKO_RELEASE_H
#define HUSAKO_RELEASE_H

#include "files.h"

#define HU_RELEASE_CACHE ".husako/cache/release"

/* 1.35 -> v1.35.0, 1.35.1 and v1.35.1 -> v1.35.1. NULL when the version is none; to be freed. */
char *hu_release_tag(const char *version);

typedef struct hu_release_file {
    char *key;  /* apis/apps/v1                    */
    char *name; /* apis__apps__v1_openapi.json     */
    char *url;
    size_t size;
} hu_release_file;

typedef struct hu_release_files {
    hu_release_file *list; /* in byte order of their names */
    size_t count;
} hu_release_files;

/* Reads GitHub's listing of the directory; keeps the documents of group-versions. Returns 0, or
 * -EINVAL with a description in *why (to be freed). */
int hu_release_parse_listing(const char *json, size_t len, hu_release_files *out, char **why);
void hu_release_files_free(hu_release_files *files);

/* The newest release among the repository's tags as "1.35", by number and without pre-releases;
 * NULL when there is none. To be freed. */
char *hu_release_newest(const char *json, size_t len);

/* The text of _manifest.json. */
void hu_release_manifest(const hu_release_files *files, hu_buf *out);

/* Documents of a cached release as (key, path) pairs, by the manifest or, without one, by their
 * names.
 * Returns 0 or -errno; -ENOENT: not cached. */
typedef struct hu_release_cached {
    char *key;
    char *path;
} hu_release_cached;
int hu_release_load(const char *dir, hu_release_cached **out, size_t *count);
void hu_release_cached_free(hu_release_cached *list, size_t count);

#endif
