/* SPDX-License-Identifier: MIT */
/*
 * `husako gen`: from sources of schemas to files, as tasks.
 *
 *     gen.c           the steps in their order, Ctrl-C
 *     source_*.c      each kind of source: makes a list of parsed documents
 *     publish.c       generation on the CPU class, staging, the one moment where files are replaced
 *
 * Nothing the user can see changes before everything has been generated and written beside its
 * target; from then on only renames are left.
 */
#ifndef HUSAKO_GEN_H
#define HUSAKO_GEN_H

#include "config.h"
#include "doc.h"
#include "lock.h"
#include "options.h"
#include "progress.h"
#include "record.h"
#include "report.h"

#include <edo/edo.h>
#include <edo/http.h>

#define HU_VERSION "0.1.0"

/* A document of the largest real API server has 2 MB. */
enum { HU_DOCUMENT_MAX = 64 * 1024 * 1024 };

/* One document on its way from its bytes to the model. */
typedef struct hu_input {
    char *key;
    char *path;       /* local file to read it from; NULL: its text comes otherwise */
    char *etag;       /* the hash an API server gave it; ""                         */
    hu_buf text;      /* gone once it is parsed and cached                          */
    uint64_t content; /* hash of the text                                           */
    size_t bytes;
    hu_doc *doc;
} hu_input;

/* A source and the documents it gave. Filled by one task, read after that has ended. */
typedef struct hu_source {
    size_t rank;       /* order among the sources                             */
    const hu_dep *dep; /* of the configuration; NULL for those of the command */
    const char *name;
    hu_input *inputs;
    size_t count;
} hu_source;

typedef struct hu_gen {
    const hu_options *options;
    hu_report report;
    hu_progress progress;
    hu_config config;
    hu_lock lock;          /* the old one                                           */
    char **hashes;         /* per resource of the configuration: content hash, NULL */
    hu_record record;      /* of the last generation                                */
    int signal;            /* that stopped the work, or 0                           */
    edo_http_client *http; /* made when first needed                                */
    char *bearer;          /* "Authorization: Bearer ..."; NULL                     */
    char *source_id;       /* what hu_record.source will be; NULL: no k8s types     */
    hu_source *sources;
    size_t source_count;
    bool current;         /* the generated files are those of these inputs         */
    bool lock_holds;      /* the lock file says so, so its entries are carried on  */
    bool explicit_source; /* --api-server or --spec-dir                            */
    bool changed;         /* anything the user can see has changed                 */
    int project_lock;     /* descriptor                                            */
} hu_gen;

/* Runs the command. Returns the exit code. */
int hu_gen_run(const hu_options *options);

/* Each fills source->inputs with parsed documents, or reports errors. They return 0, or -ECANCELED
 * when they were interrupted; errors of documents are in the report. */
int hu_source_api(hu_gen *gen, hu_source *source);
int hu_source_spec_dir(hu_gen *gen, hu_source *source);
int hu_source_file(hu_gen *gen, hu_source *source);
int hu_source_release(hu_gen *gen, hu_source *source);

/* Whether the last generation was from a source of this name and its files are still there. Asks
 * the file system: for pool threads. */
bool hu_gen_is_last(const hu_gen *gen);

/* Generates, stages and commits everything. Returns 0 or a negative code; errors are in the
 * report. */
int hu_publish(hu_gen *gen);

/* ---- shared by the sources (input.c, fetch.c) ---- */

hu_input *hu_source_add(hu_source *source, char *key);
void hu_source_free(hu_source *source);

/* Reads the file of an input, if it has one, and hashes the text. For pool threads. 0 or -errno. */
int hu_input_load(hu_input *input);

/* Parses the text. For pool threads. Returns 0, or -EINVAL with *why set. */
int hu_input_parse(hu_input *input, char **why);

/* Loads (and parses) all inputs of a source in parallel on the CPU class; reports failures. */
int hu_source_load(hu_gen *gen, hu_source *source);
int hu_source_parse(hu_gen *gen, hu_source *source);

/* Over all documents of all sources and what they are made by; 17 bytes in `out`. */
void hu_gen_signature(const hu_gen *gen, char out[HU_HASH_TEXT]);

typedef struct hu_fetch {
    const char *url;
    int64_t timeout;
    bool json;          /* any other content type is refused */
    const char *header; /* one more; NULL                    */
    const char *accept; /* NULL: application/json            */
    int status;         /* of the answer, set by the call    */
} hu_fetch;

/* GET. Returns 0 with the body; or a negative code with "what went wrong; what to try" in *why (to
 * be freed), except for -ECANCELED. */
int hu_fetch_body(hu_gen *gen, hu_fetch *fetch, hu_buf *body, char **why);

/* In words, with what to try, for file errors. */
const char *hu_file_hint(int code);

#endif
