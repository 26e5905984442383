/* SPDX-License-Identifier: MIT */
/*
 * CustomResourceDefinitions: from YAML to OpenAPI documents as an API server would serve them.
 *
 * Inline objects are lifted into schemas of their own, so that they become builders. Names of
 * lifted schemas are unique whatever the properties are called (FIX-36).
 */
#ifndef HUSAKO_CRD_H
#define HUSAKO_CRD_H

#include "files.h"

/* One document: key "apis/<group>/<version>" and its JSON text. */
typedef struct hu_crd_doc {
    char *key;
    char *json;
    size_t len;
} hu_crd_doc;

typedef struct hu_crd_docs {
    hu_crd_doc *list; /* in byte order of their keys */
    size_t count;
} hu_crd_docs;

/* Converts a stream of YAML documents; those that are no CRD are passed over. Returns 0, or -EINVAL
 * with a description in *why (to be freed): not YAML, a CRD without group or kind, no CRD at
 * all. */
int hu_crd_convert(const char *yaml, size_t len, hu_crd_docs *out, char **why);

/* The text of a YAML file, or of all .yaml and .yml files directly in a directory in byte order of
 * their names, as one stream. Returns 0 or -errno (-ENOENT also for a directory without any). */
int hu_crd_read(const char *path, hu_buf *out);

void hu_crd_docs_free(hu_crd_docs *docs);

#endif
