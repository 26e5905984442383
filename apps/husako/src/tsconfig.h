/* SPDX-License-Identifier: MIT */
/*
 * tsconfig.json: where the TypeScript compiler finds the generated modules.
 *
 * An existing file is edited in place: comments, order, indentation and all other keys stay
 * (FIX-31). The result is valid for TypeScript 5 and 7: no baseUrl, relative paths (FIX-4).
 */
#ifndef HUSAKO_TSCONFIG_H
#define HUSAKO_TSCONFIG_H

#include "mem.h"

/* Writes the text of the file to `out`. `old` is the existing text, NULL for none. *warning (to be
 * freed) is set when the old file could not be kept, or does not work with TypeScript 7. */
void hu_tsconfig_merge(const char *old, size_t len, hu_buf *out, char **warning);

#endif
