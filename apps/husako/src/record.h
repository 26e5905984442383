/* SPDX-License-Identifier: MIT */
/*
 * .husako/cache/generated.json: from what the files in .husako/types/k8s were generated, and which
 * files those are. A run whose inputs are the same, with all outputs still there, has nothing to
 * do.
 */
#ifndef HUSAKO_RECORD_H
#define HUSAKO_RECORD_H

#include "files.h"

#define HU_RECORD_PATH ".husako/cache/generated.json"
#define HU_TYPES_K8S ".husako/types/k8s"

typedef struct hu_record {
    bool valid;
    char *version;   /* of husako                                                          */
    char *source;    /* "api-server URL", "spec-dir DIR", "config"                         */
    char *signature; /* over all documents                                                 */
    hu_paths keys;   /* of the documents of an API server ...                              */
    hu_paths etags;  /* ... and the hashes the server gave them                            */
    hu_paths files;  /* relative to HU_TYPES_K8S ...                                       */
    size_t *sizes;   /* ... and their sizes                                                */
} hu_record;

void hu_record_load(hu_record *record); /* !valid when it cannot be read */
void hu_record_emit(const hu_record *record, hu_buf *out);
void hu_record_add_file(hu_record *record, const char *path, size_t size);
void hu_record_free(hu_record *record);

/* Whether every file is there with its size. */
bool hu_record_is_intact(const hu_record *record);

#endif
