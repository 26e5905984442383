/* SPDX-License-Identifier: MIT */
/*
 * What is told to the user on stderr: errors and warnings are collected from tasks that end in any
 * order and printed in an order that depends on the input alone.
 *
 * Form of an error: "<what was being done>: <to what>: <what went wrong>; <what to try>".
 */
#ifndef HUSAKO_REPORT_H
#define HUSAKO_REPORT_H

#include "mem.h"

#include <pthread.h>

/* The exit codes are a contract with scripts. */
enum {
    HU_EXIT_OK = 0,
    HU_EXIT_FAILURE = 1,  /* files, generation I/O                            */
    HU_EXIT_USAGE = 2,    /* arguments, configuration                         */
    HU_EXIT_GENERATE = 5, /* no schemas found                                 */
    HU_EXIT_FETCH = 6,    /* OpenAPI or release fetch, cache, CRD conversion  */
    HU_EXIT_INTERRUPTED = 130,
};

typedef struct hu_problem {
    size_t source; /* rank of the source it concerns  */
    char *key;     /* of the document; ""             */
    int exit_code; /* 0: a warning                    */
    char *text;
} hu_problem;

typedef struct hu_report {
    pthread_mutex_t lock; /* over the list: problems come from tasks and pool threads */
    hu_problem *list;
    size_t count;
    bool color; /* of stderr                                                */
} hu_report;

void hu_report_init(hu_report *report);
void hu_report_deinit(hu_report *report);

/* exit_code 0 makes it a warning. `text` is taken over. */
void hu_report_add(hu_report *report, size_t source, const char *key, int exit_code, char *text);

bool hu_report_has_errors(hu_report *report);

/* Prints all and returns the exit code of the first error, 0 when there is none. */
int hu_report_print(hu_report *report);

/* Whether colours and live output may be used on a descriptor. */
bool hu_is_terminal(int fd);

#endif
