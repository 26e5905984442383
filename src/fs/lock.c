/* SPDX-License-Identifier: MIT */
#include "fs/fs.h"
void edo__fs_unlocked(edo_file *f) { (void)f; }
