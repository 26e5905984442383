/* SPDX-License-Identifier: MIT */
/* Edo: whole trees of files. */
#ifndef EDO_FS_TREE_H
#define EDO_FS_TREE_H

#include <edo/base.h>
#include <edo/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* edo_fs_remove_all - removes a file, or a directory with everything in it; symbolic links are removed
 * and not followed. Fine when there is nothing. It goes on after a failure and removes what it can.
 * Returns 0; the first failure: -EACCES, -EPERM, -EROFS, -EBUSY; -ENOTEMPTY: something was added all
 * the time; -ECANCELED: part of it is gone.
 *
 *     rc = edo_fs_remove_all("build");
 *
 * Suspends: always
 * Cancel:   checkpoint; stops between two files
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_remove_all(const char *path);

#ifdef __cplusplus
}
#endif
#endif
