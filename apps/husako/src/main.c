/* SPDX-License-Identifier: MIT */
/* husako: the command line. */
#include "gen.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef EDO_COMMIT
#define EDO_COMMIT "unknown"
#endif
#ifndef EDO_COMMIT_DATE
#define EDO_COMMIT_DATE "no date"
#endif

static const char USAGE[] = "husako - Kubernetes manifests in TypeScript\n"
                            "\n"
                            "Usage:\n"
                            "  husako gen [options]     write typed modules for Kubernetes and "
                            "your CRDs (alias: generate)\n"
                            "  husako version           print the version\n"
                            "  husako --help            print this\n"
                            "\n"
                            "Start in the directory of your project:\n"
                            "  husako gen --api-server https://my-cluster:6443 --token-file token\n"
                            "and import what was generated:\n"
                            "  import { Deployment } from \"k8s/apps/v1\";\n"
                            "\n"
                            "`husako gen --help` tells about its options and husako.toml.\n";

static const char GEN_USAGE[] =
    "Usage: husako gen [options]\n"
    "\n"
    "Writes .husako/types (typed modules), tsconfig.json (where they are) and husako.lock (what "
    "they\n"
    "came from; commit it). A second run with nothing changed downloads and writes nothing.\n"
    "\n"
    "Where the schemas come from (the first that is given):\n"
    "      --spec-dir DIR       OpenAPI v3 documents on this machine: DIR/api/v1.json,\n"
    "                           DIR/apis/apps/v1.json, ...\n"
    "      --api-server URL     a running cluster: URL/openapi/v3\n"
    "      [resources]          in husako.toml:\n"
    "                             kubernetes = { source = \"release\", version = \"1.33\" }\n"
    "                             my-crds    = { source = \"file\", path = \"crds\" }\n"
    "      --skip-k8s           none: leave the modules as they are\n"
    "\n"
    "Access to the server:\n"
    "      --ca FILE            trust this authority (PEM)\n"
    "      --client-cert FILE   authenticate with this certificate (PEM) ...\n"
    "      --client-key FILE    ... and its key, if it is in a file of its own\n"
    "      --token-file FILE    send the bearer token in this file\n"
    "\n"
    "Other:\n"
    "      --jobs N             requests at a time (default 64; also --concurrency)\n"
    "      --no-incremental     generate again although nothing changed\n"
    "  -h, --help               print this\n"
    "\n"
    "Examples:\n"
    "  kubectl proxy & husako gen --api-server http://127.0.0.1:8001\n"
    "  husako gen --spec-dir kubernetes/api/openapi-spec/v3\n"
    "\n"
    "Exit codes: 0 done; 1 files could not be read or written; 2 wrong arguments or husako.toml;\n"
    "5 no schemas found; 6 fetching, cache or CRDs; 130 interrupted (old files untouched).\n"
    "Environment: NO_COLOR, GITHUB_TOKEN, HUSAKO_GITHUB_API_URL, http_proxy, https_proxy, "
    "no_proxy.\n";

static int print_version(void)
{
    fprintf(stderr, "husako %s (%s %s)\n", HU_VERSION, EDO_COMMIT, EDO_COMMIT_DATE);
    return HU_EXIT_OK;
}

static int refuse(char *why, const char *usage)
{
    fprintf(stderr, "error: reading the command line: %s\n\n%s", why, usage);
    free(why);
    return HU_EXIT_USAGE;
}

static int run_gen(int argc, char **argv)
{
    hu_options options;
    char *why = NULL;
    if (hu_options_parse(&options, argc, argv, &why) < 0)
        return refuse(why, GEN_USAGE);
    if (options.help) {
        fputs(GEN_USAGE, stdout);
        return HU_EXIT_OK;
    }
    return hu_gen_run(&options);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "gen") == 0 || strcmp(command, "generate") == 0)
        return run_gen(argc - 1, argv + 1);
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
        return print_version();
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 ||
        strcmp(command, "help") == 0) {
        fputs(USAGE, stdout);
        return HU_EXIT_OK;
    }
    if (!*command) {
        fputs(USAGE, stderr);
        return HU_EXIT_USAGE;
    }
    return refuse(hu_format("there is no command \"%s\"", command), USAGE);
}
