/* SPDX-License-Identifier: MIT */
/*
 * husako.toml: what a project depends on.
 *
 * A dependency is a name, a kind of source and the fields that kind has. The kinds are a table
 * (config.c), which the lock file shares: the fields are what identifies a dependency.
 */
#ifndef HUSAKO_CONFIG_H
#define HUSAKO_CONFIG_H

#include "files.h"

enum { HU_DEP_FIELDS_MAX = 3 };

typedef struct hu_dep_kind {
    const char *source;
    const char *fields[HU_DEP_FIELDS_MAX]; /* NULL from the first unused one on */
    bool optional[HU_DEP_FIELDS_MAX];
    bool local; /* `path` is a local file or directory, hashed  */
} hu_dep_kind;

typedef struct hu_dep {
    char *name;
    const hu_dep_kind *kind;
    char *values[HU_DEP_FIELDS_MAX]; /* beside kind->fields; NULL: not given         */
} hu_dep;

typedef struct hu_deps {
    hu_dep *list; /* in byte order of their names                 */
    size_t count;
} hu_deps;

typedef struct hu_config {
    bool exists;
    hu_deps resources;
    hu_deps charts;
    hu_deps plugins;
    hu_paths warnings; /* texts, without "warning: "                   */
} hu_config;

/* Reads the file. Its absence is an empty configuration. Returns 0, or -EINVAL with what is wrong
 * in
 * *why (to be freed), or another -errno. Release in every case with hu_config_free(). */
int hu_config_load(hu_config *config, const char *path, char **why);
int hu_config_parse(hu_config *config, const char *text, size_t len, char **why);
void hu_config_free(hu_config *config);

const char *hu_dep_field(const hu_dep *dep, const char *field);

#endif
