/* SPDX-License-Identifier: MIT */
/*
 * Files: reading with a limit, writing whole or not at all, staging of a directory.
 *
 * Everything here blocks and belongs on the blocking pool. All functions return 0 or -errno.
 * Nothing is ever written into a file that has its final name: content goes to a temporary file
 * beside it, which is renamed once it is complete and removed when anything fails.
 */
#ifndef HUSAKO_FILES_H
#define HUSAKO_FILES_H

#include "mem.h"

/* A list of paths (or other texts), owned. */
typedef struct hu_paths {
    char **list;
    size_t count;
    size_t cap;
} hu_paths;
void hu_paths_add(hu_paths *paths, char *path); /* takes `path` over */
void hu_paths_free(hu_paths *paths);

/* Appends the content of a file. -EFBIG when it has more than `max` bytes. */
int hu_file_read(const char *path, size_t max, hu_buf *out);

bool hu_file_exists(const char *path); /* a regular file */
bool hu_dir_exists(const char *path);
bool hu_dir_has_entries(const char *path);

/* Makes a directory and its parents. */
int hu_mkdirs(const char *path);

/* Makes the parents of a path. */
int hu_mkdirs_for(const char *path);

/* Writes a file atomically, its parents made. A file that already has this content is left
 * alone. */
int hu_file_write(const char *path, const void *data, size_t len);

/*
 * Several files that change together: hu_change_add() writes each beside its target (so that a full
 * disk shows before anything is replaced), hu_change_commit() renames them, hu_change_abort()
 * removes what was written. With `durable` the content is on the disk before it gets its name.
 */
typedef struct hu_change {
    hu_paths temporary;
    hu_paths targets;
} hu_change;
int hu_change_add(hu_change *change, const char *path, const void *data, size_t len, bool durable);
int hu_change_commit(hu_change *change);
void hu_change_abort(hu_change *change);

/* Removes a file or a tree; not being there is fine. */
int hu_tree_remove(const char *path);

/* Relative paths of the regular files below a directory (or, when not `deep`, directly in it) whose
 * names end in one of `suffixes` (NULL: all; terminated by NULL otherwise), in byte order. */
int hu_tree_list(const char *dir, bool deep, const char *const *suffixes, hu_paths *out);

/* djb2 of a file, or of a tree (sorted relative paths and contents), as 16 hex digits in `out`;
 * an empty string, which never matches, when anything cannot be read. */
enum { HU_HASH_TEXT = 17 };
void hu_content_hash(const char *path, char out[HU_HASH_TEXT]);

/*
 * Replacement of a whole directory: hu_stage_open() makes an empty directory beside it, files are
 * added from any number of threads, hu_stage_commit() exchanges the two in one step (so that files
 * no longer generated are gone with the old one) and removes the old. hu_stage_abort() removes the
 * new. Files that did not change keep their inode and time.
 */
typedef struct hu_stage {
    char *dir;     /* final name             */
    char *staging; /* being filled beside it */
} hu_stage;
int hu_stage_open(hu_stage *stage, const char *dir);
int hu_stage_add(const hu_stage *stage, const char *path, const void *data, size_t len);
int hu_stage_commit(hu_stage *stage);
void hu_stage_abort(hu_stage *stage);

#endif
