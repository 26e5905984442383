/* SPDX-License-Identifier: MIT */
/* The text for Prometheus, read by a strict reader of the format: every line is a HELP, a TYPE or a
 * sample; each family is declared once, before its samples, which follow each other; counters end in
 * _total; buckets grow and end in +Inf, which is the count. */
#include "core_test.h"

#include <ctype.h>
#include <string.h>

typedef struct reader {
    char family[64], type[16];
    char seen[128][64]; /* families */
    unsigned families, samples;
    double le;       /* of the last bucket */
    double bucket;   /* its value          */
    double infinity; /* of the last +Inf   */
} reader;

static size_t name_length(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
        n++;
    CHECK(n > 0 && !isdigit((unsigned char)p[0]));
    return n;
}

static void comment(reader *r, const char *line)
{
    bool help = strncmp(line, "# HELP ", 7) == 0;
    CHECK(help || strncmp(line, "# TYPE ", 7) == 0);
    const char *name = line + 7;
    size_t n = name_length(name);
    CHECK(n < sizeof r->family && name[n] == ' ' && name[n + 1] != '\0');
    if (help) {
        snprintf(r->family, sizeof r->family, "%.*s", (int)n, name);
        for (unsigned i = 0; i < r->families; i++)
            CHECK(strcmp(r->seen[i], r->family) != 0);
        CHECK(r->families < 128);
        strcpy(r->seen[r->families++], r->family);
        r->type[0] = '\0';
        return;
    }
    CHECK(strlen(r->family) == n && strncmp(r->family, name, n) == 0 && r->type[0] == '\0');
    snprintf(r->type, sizeof r->type, "%s", name + n + 1);
    bool counter = strcmp(r->type, "counter") == 0;
    CHECK(counter || strcmp(r->type, "gauge") == 0 || strcmp(r->type, "histogram") == 0);
    CHECK(counter == (n > 6 && strcmp(r->family + n - 6, "_total") == 0));
    r->le = -1;
    r->bucket = 0;
}

/* {name="value",...}; returns what follows. le: the label of that name. */
static const char *labels(const char *p, char *le, size_t size)
{
    CHECK(*p++ == '{');
    le[0] = '\0';
    for (;;) {
        size_t n = name_length(p);
        bool is_le = n == 2 && strncmp(p, "le", 2) == 0;
        p += n;
        CHECK(*p++ == '=');
        CHECK(*p++ == '"');
        const char *value = p;
        for (; *p != '"'; p++) {
            CHECK(*p != '\0');
            if (*p == '\\') {
                p++;
                CHECK(*p == '\\' || *p == '"' || *p == 'n');
            }
        }
        if (is_le)
            snprintf(le, size, "%.*s", (int)(p - value), value);
        p++;
        if (*p != ',')
            break;
        p++;
    }
    CHECK(*p++ == '}');
    return p;
}

static void histogram_sample(reader *r, const char *suffix, const char *le, double value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        bool last = strcmp(le, "+Inf") == 0;
        char *end;
        double limit = strtod(le, &end);
        CHECK(last || *end == '\0');
        CHECK(last || limit > r->le);
        CHECK(value >= r->bucket);
        r->le = limit;
        r->bucket = value;
        if (last)
            r->infinity = value;
    } else if (strcmp(suffix, "_count") == 0) {
        CHECK(value == r->infinity);
    } else {
        CHECK(strcmp(suffix, "_sum") == 0);
    }
}

static void sample(reader *r, const char *line)
{
    size_t n = name_length(line), base = strlen(r->family);
    CHECK(n >= base && strncmp(line, r->family, base) == 0 && r->type[0] != '\0');
    char suffix[16], le[32], *end;
    snprintf(suffix, sizeof suffix, "%.*s", (int)(n - base), line + base);
    const char *p = labels(line + n, le, sizeof le);
    CHECK(*p++ == ' ');
    double value = strtod(p, &end);
    CHECK(end != p && *end == '\0' && value >= 0);
    if (strcmp(r->type, "histogram") == 0)
        histogram_sample(r, suffix, le, value);
    else
        CHECK(suffix[0] == '\0');
    r->samples++;
}

static void read_text(reader *r, char *text, size_t n)
{
    CHECK(n > 0 && text[n - 1] == '\n');
    text[n - 1] = '\0';
    for (char *line = text; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (*line == '#')
            comment(r, line);
        else
            sample(r, line);
        line = next;
    }
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static char *exposition(size_t *n)
{
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    CHECK_OK(edo_metrics_prometheus(NULL, &w));
    const char *data = edo_writer_data(&w, n);
    char *text = malloc(*n + 1);
    CHECK(text != NULL);
    memcpy(text, data, *n);
    text[*n] = '\0';
    CHECK_OK(edo_writer_deinit(&w));
    return text;
}

static int body(void *arg)
{
    unsigned workers = *(unsigned *)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 500; i++)
        CHECK_OK(edo_spawn(&g, nothing, NULL));
    CHECK_OK(edo_group_close(&g));
    size_t n;
    char *text = exposition(&n);
    CHECK(strstr(text, "\nedo_tasks_spawned_total{runtime=\"a\\\\b\\\"\"} 501\n") != NULL);
    CHECK(strstr(text, "\nedo_workers{runtime=\"a\\\\b\\\"\"} ") != NULL);
    CHECK(strstr(text, "worker=\"0\"} ") != NULL);
    reader *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    read_text(r, text, n);
    CHECK_UINT(r->families, ==, 33 + 7 + 2);
    unsigned by_worker = r->samples - 33 - 2 * (31 + 1 + 2);
    CHECK_UINT(by_worker % 7, ==, 0);
    CHECK_UINT(by_worker, >=, 7 * workers); /* and spares, on a busy machine */
    CHECK(r->infinity > 0);                 /* each wake-up was measured */
    free(r);
    free(text);
    return 0;
}

TEST(the_text_is_well_formed)
{
    EACH_WORKERS(w)
    {
        edo_config config = { .workers = w, .name = "a\\b\"", .metrics = EDO_METRICS_ALL };
        core_test_call c = { body, &w };
        CHECK_OK(edo_run(&config, core_test_main, &c));
    }
}

static int limited(void *arg)
{
    (void)arg;
    edo_writer w;
    edo_writer_init_memory(&w, 100);
    CHECK_INT(edo_metrics_prometheus(NULL, &w), <, 0);
    (void)edo_writer_deinit(&w);
    return 0;
}

TEST(a_writer_that_fails_ends_it)
{
    run_on(1, limited, NULL);
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    CHECK_INT(edo_metrics_prometheus(NULL, &w), ==, -EPERM);
    (void)edo_writer_deinit(&w);
}

TEST_MAIN()
