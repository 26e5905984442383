/* SPDX-License-Identifier: MIT */
/*
 * The schemas of all documents put together: duplicates merged, every schema at home in exactly one
 * module under exactly one identifier, so that modules can be generated independently of each other
 * (and in parallel) and still refer to one another.
 *
 * The model only points into the documents, which must outlive it. It is built in one pass and
 * read-only afterwards. The same documents give the same model whatever order they arrived in.
 */
#ifndef HUSAKO_MODEL_H
#define HUSAKO_MODEL_H

#include "doc.h"

struct hu_module {
    const char *path;     /* "_common", "apps/v1"                                        */
    const char *alias_of; /* a second name of that module (FIX-5); it has no schemas     */
    bool target_has_js;   /* for an alias: there is a .js to re-export                    */
    hu_schema **schemas;  /* in byte order of their identifiers                          */
    size_t count;
    size_t cap;
    hu_map names; /* identifier -> hu_schema                                     */
};

typedef struct hu_model {
    hu_arena arena;
    hu_schema **schemas; /* all, in byte order of their full names                       */
    size_t count;
    hu_map by_name;      /* full name -> hu_schema                                       */
    hu_module **modules; /* in byte order of their paths, aliases included               */
    size_t module_count;
    hu_map by_path;
} hu_model;

/* Sorts `docs` by (source, key) and builds the model. A schema found in several documents of a
 * source counts once, preferably where it has a group-version-kind; a later source replaces schemas
 * of an earlier one. Release with hu_model_free(). */
hu_model *hu_model_build(hu_doc **docs, size_t count);
void hu_model_free(hu_model *model);

/* Number of modules that are not aliases and not _common: the group-versions. */
size_t hu_model_group_versions(const hu_model *model);

bool hu_module_is_common(const hu_module *module);
bool hu_module_has_js(const hu_module *module);

/* A name made into an identifier of TypeScript that shadows nothing the generated text uses. */
char *hu_identifier(hu_arena *arena, hu_str name);
bool hu_is_identifier(hu_str name);

#endif
