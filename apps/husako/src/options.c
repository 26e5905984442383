/* SPDX-License-Identifier: MIT */
/* See options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

enum option_id {
    OPT_API_SERVER = 256,
    OPT_SPEC_DIR,
    OPT_SKIP_K8S,
    OPT_NO_INCREMENTAL,
    OPT_JOBS,
    OPT_CA,
    OPT_CLIENT_CERT,
    OPT_CLIENT_KEY,
    OPT_TOKEN_FILE,
};

static const struct option OPTIONS[] = {
    { "api-server", required_argument, NULL, OPT_API_SERVER },
    { "spec-dir", required_argument, NULL, OPT_SPEC_DIR },
    { "skip-k8s", no_argument, NULL, OPT_SKIP_K8S },
    { "no-incremental", no_argument, NULL, OPT_NO_INCREMENTAL },
    { "jobs", required_argument, NULL, OPT_JOBS },
    { "concurrency", required_argument, NULL, OPT_JOBS },
    { "ca", required_argument, NULL, OPT_CA },
    { "client-cert", required_argument, NULL, OPT_CLIENT_CERT },
    { "client-key", required_argument, NULL, OPT_CLIENT_KEY },
    { "token-file", required_argument, NULL, OPT_TOKEN_FILE },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int read_jobs(hu_options *options, const char *text, char **why)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > HU_JOBS_MAX) {
        *why = hu_format("--jobs: \"%s\" is no number between 1 and %d", text, HU_JOBS_MAX);
        return -EINVAL;
    }
    options->jobs = (unsigned)n;
    return 0;
}

static int take(hu_options *options, int id, const char *value, char **why)
{
    switch (id) {
    case OPT_API_SERVER: options->api_server = value; return 0;
    case OPT_SPEC_DIR: options->spec_dir = value; return 0;
    case OPT_SKIP_K8S: options->skip_k8s = true; return 0;
    case OPT_NO_INCREMENTAL: options->no_incremental = true; return 0;
    case OPT_JOBS: return read_jobs(options, value, why);
    case OPT_CA: options->ca_file = value; return 0;
    case OPT_CLIENT_CERT: options->client_cert = value; return 0;
    case OPT_CLIENT_KEY: options->client_key = value; return 0;
    case OPT_TOKEN_FILE: options->token_file = value; return 0;
    default: options->help = true; return 0;
    }
}

static int check(const hu_options *options, char **why)
{
    const char *url = options->api_server;
    if (url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        *why = hu_format("--api-server: \"%s\" is no URL; it begins with http:// or https://", url);
    else if (url && strpbrk(url, " \t\r\n?#"))
        *why = hu_format("--api-server: \"%s\": the URL may have no query, fragment or space", url);
    else if (options->spec_dir && !*options->spec_dir)
        *why = hu_strdup("--spec-dir: the directory is empty");
    else if (options->client_key && !options->client_cert)
        *why = hu_strdup("--client-key needs --client-cert");
    else
        return 0;
    return -EINVAL;
}

int hu_options_parse(hu_options *options, int argc, char **argv, char **why)
{
    *options = (hu_options){ .jobs = HU_JOBS_DEFAULT };
    opterr = 0;
    optind = 0; /* start anew */
    int id, rc = 0;
    while (rc == 0 && (id = getopt_long(argc, argv, ":h", OPTIONS, NULL)) != -1) {
        const char *argument = optind > 0 ? argv[optind - 1] : "";
        if (id == ':') {
            *why = hu_format("%s needs a value", argument);
            rc = -EINVAL;
        } else if (id == '?') {
            *why = hu_format("unknown or malformed option %s", argument);
            rc = -EINVAL;
        } else {
            rc = take(options, id, optarg, why);
        }
    }
    if (rc == 0 && optind < argc) {
        *why = hu_format("unexpected argument \"%s\"", argv[optind]);
        rc = -EINVAL;
    }
    return rc < 0 || options->help ? rc : check(options, why);
}
