/* SPDX-License-Identifier: MIT */
/*
 * Edits of a JSON-with-comments text that leave everything else in it as it is.
 *
 * The text must have been accepted by the JSON parser before: the scanner here only finds where the
 * members of an object stand, it judges nothing. It never recurses; nesting is a counter.
 */
#ifndef HUSAKO_JSONC_H
#define HUSAKO_JSONC_H

#include "mem.h"

typedef struct hu_jsonc {
    hu_buf text;
} hu_jsonc;

/* Offset of the root object's brace. */
size_t hu_jsonc_root(const hu_jsonc *doc);

/* Offset of the value of a member of the object whose brace is at `object`, or SIZE_MAX. */
size_t hu_jsonc_find(const hu_jsonc *doc, size_t object, const char *key);

/* Replaces the value at an offset. */
void hu_jsonc_replace(hu_jsonc *doc, size_t value, const char *text);

/* Adds a member at the end of an object, laid out like its neighbours. */
void hu_jsonc_insert(hu_jsonc *doc, size_t object, const char *key, const char *value);

/* Removes a member; its comma and, if it stood alone there, its line go with it. */
void hu_jsonc_remove(hu_jsonc *doc, size_t object, const char *key);

#endif
