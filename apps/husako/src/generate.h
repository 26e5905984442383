/* SPDX-License-Identifier: MIT */
/*
 * From a model to files: what is to stand in .husako/types/k8s.
 *
 * The work is cut into parts (one per module) that touch nothing in common and may run on any
 * thread in any order; hu_generation_finish() then puts _schema.json together. Same model, same
 * bytes.
 */
#ifndef HUSAKO_GENERATE_H
#define HUSAKO_GENERATE_H

#include "model.h"

typedef struct hu_file {
    char *path; /* relative to .husako/types/k8s */
    hu_buf text;
} hu_file;

typedef struct hu_generation {
    const hu_model *model; /* not owned */
    hu_file *dts;          /* one per module */
    hu_file *js;           /* one per module; path NULL when it has no builders */
    hu_buf *stores;        /* per module: its schemas as they stand in _schema.json */
    hu_str *pieces;        /* per schema of the model, filled through the module's part */
    hu_file schema;
} hu_generation;

hu_generation *hu_generation_create(const hu_model *model);
void hu_generation_free(void *generation);

/* Generates module number `index` of the model. */
void hu_generation_part(hu_generation *generation, size_t index);
void hu_generation_finish(hu_generation *generation);

/* All files of a finished generation: their number, and pointers to them in an array to be
 * freed. */
size_t hu_generation_files(hu_generation *generation, hu_file ***files);

#endif
