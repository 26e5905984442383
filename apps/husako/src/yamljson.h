/* SPDX-License-Identifier: MIT */
/* YAML (core schema) as JSON values: plain scalars get the type YAML 1.2 gives them. */
#ifndef HUSAKO_YAMLJSON_H
#define HUSAKO_YAMLJSON_H

#include "mem.h"

#include <yyjson.h>

/* Loads every document of a stream into an array of `doc`. Aliases are copied; their total size is
 * limited. Returns the array, or NULL with a description in *why (to be freed). */
yyjson_mut_val *hu_yaml_load(yyjson_mut_doc *doc, const char *text, size_t len, char **why);

#endif
