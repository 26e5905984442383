/* SPDX-License-Identifier: MIT */
/* The command line of `husako gen`. */
#ifndef HUSAKO_OPTIONS_H
#define HUSAKO_OPTIONS_H

#include "mem.h"

typedef struct hu_options {
    const char *api_server;
    const char *spec_dir;
    const char *ca_file;
    const char *client_cert;
    const char *client_key;
    const char *token_file;
    unsigned jobs;
    bool skip_k8s;
    bool no_incremental;
    bool help;
} hu_options;

enum { HU_JOBS_DEFAULT = 64, HU_JOBS_MAX = 1024 };

/* Reads the arguments behind the command's name. Strings point into argv. Returns 0, or -EINVAL
 * with what is wrong in *why (to be freed). */
int hu_options_parse(hu_options *options, int argc, char **argv, char **why);

#endif
