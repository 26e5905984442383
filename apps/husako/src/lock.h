/* SPDX-License-Identifier: MIT */
/*
 * husako.lock: which version of every dependency the generated types came from.
 *
 * An entry is a list of string fields in a fixed order; sections this program does not resolve are
 * carried through unchanged. A lock that cannot be read counts as absent.
 */
#ifndef HUSAKO_LOCK_H
#define HUSAKO_LOCK_H

#include "config.h"

typedef struct hu_lock_field {
    char *key;
    char *value;
} hu_lock_field;

typedef struct hu_lock_entry {
    char *section; /* resources, charts, plugins */
    char *name;
    hu_lock_field *fields;
    size_t count;
} hu_lock_entry;

typedef struct hu_lock {
    bool valid; /* read from a file that made sense */
    char *husako_version;
    hu_lock_entry *entries;
    size_t count;
} hu_lock;

/* Returns 0 or -errno; lock->valid tells whether there was one. Release with hu_lock_free(). */
int hu_lock_load(hu_lock *lock, const char *path);
void hu_lock_parse(hu_lock *lock, const char *text, size_t len);
void hu_lock_free(hu_lock *lock);

const hu_lock_entry *hu_lock_find(const hu_lock *lock, const char *section, const char *name);
const char *hu_lock_value(const hu_lock_entry *entry, const char *key); /* NULL: no such field */
size_t hu_lock_section_size(const hu_lock *lock, const char *section);

/* Adds an entry with its source and identity; `hash` (may be NULL) is the content hash of a local
 * dependency, `now` the time of generation. */
void hu_lock_add(hu_lock *lock, const char *section, const hu_dep *dep, const char *hash,
                 const char *now);
void hu_lock_copy(hu_lock *lock, const hu_lock_entry *entry);

/* Whether the entry is of the same source with the same identity. `hash` as above. */
bool hu_lock_matches(const hu_lock_entry *entry, const hu_dep *dep, const char *hash);

/* The text of the file, entries in order of section and name. */
void hu_lock_emit(hu_lock *lock, hu_buf *out);

#endif
