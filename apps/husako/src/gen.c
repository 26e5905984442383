/* SPDX-License-Identifier: MIT */
/* The steps of `husako gen` and its interruption; see gen.h. */
#include "gen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- what there is ---- */

static int refuse(hu_gen *gen, int exit_code, char *text)
{
    hu_report_add(&gen->report, 0, "", exit_code, text);
    return -EINVAL;
}

static int open_project(hu_gen *gen)
{
    int rc = hu_mkdirs(".husako/types");
    if (rc == 0) {
        gen->project_lock = open(".husako/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        rc = gen->project_lock < 0 ? -errno : 0;
    }
    if (rc < 0)
        return refuse(gen, HU_EXIT_FAILURE,
                      hu_format("preparing the project: .husako: %s; %s", edo_strerror(rc),
                                hu_file_hint(rc)));
    return 0;
}

static int read_token(hu_gen *gen)
{
    /* It is the cluster's and goes nowhere else. */
    const char *path = gen->options->token_file;
    if (!path || !gen->options->api_server || gen->options->spec_dir)
        return 0;
    hu_buf text = { 0 };
    int rc = hu_file_read(path, 1 << 20, &text);
    while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
        text.data[--text.len] = 0;
    if (rc == 0 && text.len && !strpbrk(text.data, "\r\n"))
        gen->bearer = hu_format("Authorization: Bearer %s", text.data);
    hu_buf_free(&text);
    if (gen->bearer)
        return 0;
    return refuse(gen, HU_EXIT_USAGE,
                  hu_format("reading the token: %s: %s; give a file that holds one line", path,
                            rc < 0 ? edo_strerror(rc) : "no token in it"));
}

static void hash_resources(hu_gen *gen)
{
    const hu_deps *deps = &gen->config.resources;
    gen->hashes = hu_calloc(deps->count, sizeof *gen->hashes);
    for (size_t i = 0; i < deps->count; i++) {
        if (!deps->list[i].kind->local)
            continue;
        gen->hashes[i] = hu_calloc(1, HU_HASH_TEXT);
        hu_content_hash(hu_dep_field(&deps->list[i], "path"), gen->hashes[i]);
    }
}

static int open_body(void *arg)
{
    return open_project(arg);
}

static int load_body(void *arg)
{
    hu_gen *gen = arg;
    char *why = NULL;
    int rc = hu_config_load(&gen->config, "husako.toml", &why);
    if (rc < 0) {
        refuse(
            gen, HU_EXIT_USAGE,
            hu_format("reading husako.toml: %s; correct the file", why ? why : edo_strerror(rc)));
        free(why);
        return -EINVAL;
    }
    rc = read_token(gen);
    if (rc < 0)
        return rc;
    (void)hu_lock_load(&gen->lock, "husako.lock"); /* not readable: as if it were not there */
    hu_record_load(&gen->record);
    hash_resources(gen);
    return 0;
}

/* Two runs in one project would write the same files: the second waits. */
static int lock_project(hu_gen *gen)
{
    size_t step = HU_STEPS_MAX;
    int rc = 0;
    while (rc == 0 && flock(gen->project_lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break; /* a file system without locks */
        if (step == HU_STEPS_MAX)
            step = hu_progress_start(&gen->progress,
                                     hu_strdup("Waiting for another husako in this project..."));
        rc = edo_sleep(EDO_MS(50));
    }
    if (step < HU_STEPS_MAX && rc == 0)
        hu_progress_end(&gen->progress, step, true, hu_strdup("The other husako has ended"));
    return rc;
}

static void warn_unsupported(hu_gen *gen)
{
    hu_config *config = &gen->config;
    for (size_t i = 0; i < config->warnings.count; i++)
        hu_report_add(&gen->report, 0, "", 0, hu_strdup(config->warnings.list[i]));
    for (size_t i = 0; i < config->charts.count; i++)
        hu_report_add(&gen->report, 0, "", 0,
                      hu_format("chart '%s': skipped: husako %s generates types of Kubernetes and "
                                "CRDs only",
                                config->charts.list[i].name, HU_VERSION));
    for (size_t i = 0; i < config->plugins.count; i++)
        hu_report_add(&gen->report, 0, "", 0,
                      hu_format("plugin '%s': skipped: husako %s does not install plugins",
                                config->plugins.list[i].name, HU_VERSION));
}

/* ---- where the schemas come from ---- */

bool hu_gen_is_last(const hu_gen *gen)
{
    const hu_record *record = &gen->record;
    return !gen->options->no_incremental && record->valid && gen->source_id &&
           strcmp(record->version, HU_VERSION) == 0 &&
           strcmp(record->source, gen->source_id) == 0 && hu_record_is_intact(record);
}

/* The skip rules of the lock file: nothing about any resource has changed. */
static int check_lock(void *arg)
{
    hu_gen *gen = arg;
    const hu_deps *deps = &gen->config.resources;
    if (!gen->lock.valid || strcmp(gen->lock.husako_version, HU_VERSION) != 0 ||
        hu_lock_section_size(&gen->lock, "resources") != deps->count || !hu_gen_is_last(gen))
        return 0;
    for (size_t i = 0; i < deps->count; i++) {
        const hu_dep *dep = &deps->list[i];
        const hu_lock_entry *entry = hu_lock_find(&gen->lock, "resources", dep->name);
        if (!entry || !hu_lock_matches(entry, dep, gen->hashes[i]))
            return 0;
    }
    return 1;
}

static void add_source(hu_gen *gen, const hu_dep *dep, const char *name)
{
    gen->sources = hu_realloc(gen->sources, (gen->source_count + 1) * sizeof *gen->sources);
    gen->sources[gen->source_count] =
        (hu_source){ .rank = gen->source_count, .dep = dep, .name = name };
    gen->source_count++;
}

static void choose_sources(hu_gen *gen)
{
    const hu_options *options = gen->options;
    if (options->skip_k8s)
        return;
    gen->explicit_source = options->spec_dir || options->api_server;
    if (gen->explicit_source) {
        const char *kind = options->spec_dir ? "spec-dir" : "api-server";
        const char *where = options->spec_dir ? options->spec_dir : options->api_server;
        size_t len = strlen(where);
        while (len > 1 && where[len - 1] == '/')
            len--;
        gen->source_id = hu_format("%s %.*s", kind, (int)len, where);
        add_source(gen, NULL, kind);
        return;
    }
    const hu_deps *deps = &gen->config.resources;
    if (deps->count)
        gen->source_id = hu_strdup("config");
    for (size_t i = 0; i < deps->count; i++)
        add_source(gen, &deps->list[i], deps->list[i].name);
}

static bool needs_http(const hu_gen *gen)
{
    if (gen->explicit_source)
        return !gen->options->spec_dir;
    for (size_t i = 0; i < gen->source_count; i++)
        if (strcmp(gen->sources[i].dep->kind->source, "release") == 0)
            return true;
    return false;
}

static int open_http(hu_gen *gen)
{
    if (!needs_http(gen))
        return 0;
    const hu_options *options = gen->options;
    int rc = edo_http_client_create(&gen->http, &(edo_http_client_options){
                                                    .in_flight_max = options->jobs,
                                                    .user_agent = "husako/" HU_VERSION,
                                                    .ca_file = options->ca_file,
                                                    .cert_file = options->client_cert,
                                                    .key_file = options->client_key,
                                                });
    if (rc < 0)
        return refuse(gen, HU_EXIT_FAILURE,
                      hu_format("starting the HTTP client: %s", edo_strerror(rc)));
    return 0;
}

typedef struct source_job {
    hu_gen *gen;
    hu_source *source;
} source_job;

static int source_task(void *arg)
{
    const source_job *job = arg;
    hu_gen *gen = job->gen;
    hu_source *source = job->source;
    if (!source->dep)
        return gen->options->spec_dir ? hu_source_spec_dir(gen, source)
                                      : hu_source_api(gen, source);
    const char *kind = source->dep->kind->source;
    if (strcmp(kind, "release") == 0)
        return hu_source_release(gen, source);
    if (strcmp(kind, "file") == 0)
        return hu_source_file(gen, source);
    hu_report_add(
        &gen->report, source->rank, "", HU_EXIT_USAGE,
        hu_format("resource '%s': source \"%s\": husako %s cannot fetch it; use \"release\" "
                  "or \"file\"",
                  source->name, kind, HU_VERSION));
    return 0;
}

static int resolve_sources(hu_gen *gen)
{
    edo_group group;
    int rc = edo_group_open(&group, &(edo_group_options){ .name = "sources" });
    for (size_t i = 0; i < gen->source_count && rc == 0; i++) {
        source_job job = { gen, &gen->sources[i] };
        rc = edo_spawn_copy(&group, source_task, &job, sizeof job);
    }
    int closed = edo_group_close(&group);
    return rc < 0 ? rc : closed;
}

static int check_signature(void *arg)
{
    hu_gen *gen = arg;
    char signature[HU_HASH_TEXT];
    hu_gen_signature(gen, signature);
    return hu_gen_is_last(gen) && strcmp(gen->record.signature, signature) == 0;
}

/* The documents of all sources, parsed unless they are those of the last generation. */
static int resolve(hu_gen *gen)
{
    choose_sources(gen);
    if (!gen->source_count)
        return 0;
    int rc = gen->explicit_source ? 0 : edo_blocking(check_lock, gen);
    if (rc != 0) {
        gen->current = gen->lock_holds = rc > 0;
        return rc < 0 ? rc : 0;
    }
    rc = open_http(gen);
    if (rc == 0)
        rc = resolve_sources(gen);
    if (rc < 0 || gen->current || hu_report_has_errors(&gen->report))
        return rc;
    rc = edo_blocking(check_signature, gen);
    gen->current = rc > 0;
    for (size_t i = 0; i < gen->source_count && rc == 0; i++)
        rc = hu_source_parse(gen, &gen->sources[i]);
    return rc < 0 ? rc : 0;
}

/* ---- the task ---- */

static int steps(void *arg)
{
    hu_gen *gen = arg;
    int rc = edo_blocking(open_body, gen);
    if (rc == 0)
        rc = lock_project(gen);
    if (rc == 0)
        rc = edo_blocking(load_body, gen);
    if (rc < 0)
        return rc;
    warn_unsupported(gen);
    rc = resolve(gen);
    if (rc == 0 && !hu_report_has_errors(&gen->report))
        rc = hu_publish(gen);
    edo_http_client_destroy(gen->http);
    return rc;
}

/* The first Ctrl-C cancels the work; a second one ends the program as if nobody had asked for the
 * first. Beside the work lives the task that draws. */
static int main_task(void *arg)
{
    hu_gen *gen = arg;
    edo_group helpers;
    int rc =
        edo_group_open(&helpers, &(edo_group_options){ .name = "helpers", .keep_going = true });
    if (rc == 0 && gen->progress.enabled)
        rc = edo_spawn_with(&helpers, &(edo_task_options){ .name = "progress" }, NULL,
                            hu_progress_task, &gen->progress);
    if (rc == 0)
        rc = edo_with_signals(EDO_SIG(SIGINT) | EDO_SIG(SIGTERM), &gen->signal, steps, gen);
    edo_group_cancel(&helpers);
    int closed = edo_group_close(&helpers);
    hu_progress_finish(&gen->progress);
    for (size_t i = 0; i < gen->source_count; i++)
        hu_source_free(&gen->sources[i]);
    return rc < 0 ? rc : closed;
}

static int tell(hu_gen *gen, int rc)
{
    if (rc == -EINTR && gen->signal != 0) {
        fprintf(stderr, "%sgenerating types: interrupted; the generated files are as they were\n",
                gen->report.color ? "\033[1;31merror:\033[0m " : "error: ");
        return 128 + gen->signal;
    }
    if (rc < 0 && !hu_report_has_errors(&gen->report))
        refuse(gen, HU_EXIT_FAILURE,
               hu_format("generating types: %s; try again", edo_strerror(rc)));
    int code = hu_report_print(&gen->report);
    const char *off = getenv("NO_COLOR");
    bool color = hu_is_terminal(STDOUT_FILENO) && !(off && *off);
    if (code == 0 && !gen->changed)
        printf("%s Already up to date.\n", color ? "\033[1;32m✔\033[0m" : "✔");
    return fflush(stdout) == 0 ? code : HU_EXIT_FAILURE;
}

static void release(hu_gen *gen)
{
    for (size_t i = 0; gen->hashes && i < gen->config.resources.count; i++)
        free(gen->hashes[i]);
    free(gen->hashes);
    free(gen->sources);
    free(gen->source_id);
    free(gen->bearer);
    hu_config_free(&gen->config);
    hu_lock_free(&gen->lock);
    hu_record_free(&gen->record);
    hu_progress_deinit(&gen->progress);
    hu_report_deinit(&gen->report);
    if (gen->project_lock >= 0)
        close(gen->project_lock);
}

int hu_gen_run(const hu_options *options)
{
    hu_gen gen = { .options = options, .project_lock = -1 };
    hu_report_init(&gen.report);
    hu_progress_init(&gen.progress, gen.report.color);
    signal(SIGXFSZ, SIG_IGN); /* the write fails instead */
    signal(SIGPIPE, SIG_IGN);
    /* Reports of held workers are for whoever works on this program, not for its users. */
    int rc =
        edo_run(&(edo_config){ .name = "husako", .stuck_after = EDO_SEC(10) }, main_task, &gen);
    int code = tell(&gen, rc);
    release(&gen);
    return code;
}
