/* SPDX-License-Identifier: MIT */
/* Spans and events: what is written is read by a JSON parser, nothing is lost or torn, what is
 * dropped is counted. */
#include "core_test.h"

#include <edo/trace.h>

#include <string.h>
#include <unistd.h>
#include <yyjson.h>

static char path[] = "/tmp/edo-trace-XXXXXX";

static void start(const char *filter, edo_trace_format format, size_t ring)
{
    int fd = mkstemp(path);
    CHECK_OK(fd);
    close(fd);
    edo_trace_options o = { .filter = filter, .format = format, .path = path, .ring_size = ring };
    CHECK_OK(edo_trace_start(&o));
}

/* Stops; the file's text, which the caller frees. */
static char *finish(edo_trace_counts *counts)
{
    CHECK_OK(edo_trace_stop(counts));
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    char *text = NULL;
    size_t cap = 0;
    ssize_t n = getdelim(&text, &cap, '\0', f);
    if (n < 0 && text != NULL)
        text[0] = '\0';
    fclose(f);
    unlink(path);
    return text;
}

static yyjson_doc *parse_line(char **at)
{
    char *end = strchr(*at, '\n');
    if (end == NULL)
        return NULL;
    yyjson_doc *doc = yyjson_read(*at, (size_t)(end - *at), 0);
    if (doc == NULL)
        FAIL("not JSON: %.*s", (int)(end - *at), *at);
    *at = end + 1;
    return doc;
}

static const char *str(yyjson_doc *doc, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), key));
    return s != NULL ? s : "";
}

static uint64_t num(yyjson_doc *doc, const char *key)
{
    return yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), key));
}

/* ---- off ---- */

static int evaluated;

static int64_t evaluate(void)
{
    return ++evaluated;
}

TEST(off_evaluates_nothing)
{
    EDO_ERROR("no", edo_field_int("n", evaluate()));
    edo_span s;
    EDO_SPAN(&s, EDO_LEVEL_ERROR, "no", edo_field_int("n", evaluate()));
    CHECK_UINT(edo_span_current(), ==, 0);
    edo_span_close(&s);
    CHECK_INT(evaluated, ==, 0);
    CHECK_INT(edo_trace_stop(NULL), ==, -EALREADY);
}

/* ---- levels and targets ---- */

TEST(levels_and_targets_are_filtered)
{
    start("warn,net=debug,net.tls=off", EDO_TRACE_JSON, 0);
    EDO_ERROR("1");
    EDO_WARN("2");
    EDO_INFO("no", edo_field_int("n", evaluate()));
    EDO_LOG(EDO_LEVEL_DEBUG, "net", "3");
    EDO_LOG(EDO_LEVEL_TRACE, "net", "no");
    EDO_LOG(EDO_LEVEL_DEBUG, "net.tcp", "4");
    EDO_LOG(EDO_LEVEL_ERROR, "net.tls", "no");
    edo_trace_counts counts;
    char *text = finish(&counts), *at = text;
    CHECK_UINT(counts.written, ==, 4);
    CHECK_UINT(counts.lost, ==, 0);
    for (int i = 1; i <= 4; i++) {
        yyjson_doc *doc = parse_line(&at);
        CHECK_INT(atoi(str(doc, "message")), ==, i);
        yyjson_doc_free(doc);
    }
    CHECK(*at == '\0');
    free(text);
}

TEST(wrong_options_are_refused)
{
    edo_trace_options o = { .filter = "loud" };
    CHECK_INT(edo_trace_start(&o), ==, -EINVAL);
    o.filter = "info,=debug";
    CHECK_INT(edo_trace_start(&o), ==, -EINVAL);
    o = (edo_trace_options){ .path = "/nowhere/at/all" };
    CHECK_INT(edo_trace_start(&o), ==, -ENOENT);
    start("info", EDO_TRACE_JSON, 0);
    CHECK_INT(edo_trace_start(NULL), ==, -EBUSY);
    free(finish(NULL));
}

/* ---- fields ---- */

TEST(fields_arrive_as_they_were)
{
    start("info", EDO_TRACE_JSON, 0);
    EDO_INFO("a \"b\"\n\\ \x01 \xff \xc3\xa9", edo_field_int("int", INT64_MIN),
             edo_field_uint("uint", UINT64_MAX), edo_field_double("double", 0.1),
             edo_field_double("nan", 0.0 / (double)(evaluated - evaluated)),
             edo_field_bool("yes", true), edo_field_bool("no", false), edo_field_str("s", "x\ty"),
             edo_field_str("null", NULL), edo_field_str("empty", ""));
    char *text = finish(NULL), *at = text;
    yyjson_doc *doc = parse_line(&at);
    CHECK_STR(str(doc, "message"), "a \"b\"\n\\ \x01 \xef\xbf\xbd \xc3\xa9");
    CHECK_STR(str(doc, "level"), "info");
    CHECK_STR(str(doc, "target"), "app");
    CHECK(strstr(str(doc, "site"), "trace.c:") != NULL);
    yyjson_val *f = yyjson_obj_get(yyjson_doc_get_root(doc), "fields");
    CHECK_INT(yyjson_get_sint(yyjson_obj_get(f, "int")), ==, INT64_MIN);
    CHECK_UINT(yyjson_get_uint(yyjson_obj_get(f, "uint")), ==, UINT64_MAX);
    CHECK(yyjson_get_real(yyjson_obj_get(f, "double")) == 0.1);
    CHECK(yyjson_is_null(yyjson_obj_get(f, "nan")));
    CHECK(yyjson_is_true(yyjson_obj_get(f, "yes")));
    CHECK(yyjson_is_false(yyjson_obj_get(f, "no")));
    CHECK_STR(yyjson_get_str(yyjson_obj_get(f, "s")), "x\ty");
    CHECK(yyjson_is_null(yyjson_obj_get(f, "null")));
    CHECK_STR(yyjson_get_str(yyjson_obj_get(f, "empty")), "");
    CHECK_UINT(yyjson_obj_size(f), ==, 9);
    yyjson_doc_free(doc);
    free(text);
}

TEST(pretty_lines_have_no_escapes_in_them)
{
    setenv("NO_COLOR", "1", 1);
    start("info", EDO_TRACE_PRETTY, 0);
    EDO_WARN("beware\x1b[2J", edo_field_str("who", "a b"), edo_field_int("n", -3));
    char *text = finish(NULL);
    CHECK(strchr(text, '\x1b') == NULL);
    CHECK(strstr(text, " warn  app [") != NULL);
    CHECK(strstr(text, "] beware\\x1b[2J who=\"a b\" n=-3\n") != NULL);
    free(text);
}

/* ---- spans ---- */

static uint64_t parent_seen, child_seen, child_own;

static int child(void *arg)
{
    (void)arg;
    child_seen = edo_span_current();
    edo_span s;
    EDO_SPAN(&s, EDO_LEVEL_INFO, "child");
    child_own = edo_span_current();
    CHECK_OK(edo_yield());
    CHECK_UINT(edo_span_current(), ==, child_own);
    edo_span_close(&s);
    CHECK_UINT(edo_span_current(), ==, child_seen);
    return 0;
}

static int spans_body(void *arg)
{
    (void)arg;
    edo_span outer, inner;
    EDO_SPAN(&outer, EDO_LEVEL_INFO, "outer", edo_field_int("n", 1));
    EDO_SPAN(&inner, EDO_LEVEL_INFO, "inner");
    parent_seen = edo_span_current();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, child, NULL));
    CHECK_OK(edo_yield());
    CHECK_OK(edo_group_close(&g));
    EDO_INFO("in inner");
    edo_span_close(&inner);
    edo_span_close(&outer);
    CHECK_UINT(edo_span_current(), ==, 0);
    return 0;
}

TEST(a_task_inherits_its_spawners_span)
{
    EACH_WORKERS(w)
    {
        strcpy(path + strlen(path) - 6, "XXXXXX");
        start("info,edo=off", EDO_TRACE_JSON, 0);
        run_on(w, spans_body, NULL);
        CHECK_UINT(parent_seen, !=, 0);
        CHECK_UINT(child_seen, ==, parent_seen);
        edo_trace_counts counts;
        char *text = finish(&counts), *at = text;
        CHECK_UINT(counts.written, ==, 7);
        unsigned opened = 0, closed = 0;
        for (yyjson_doc *doc; (doc = parse_line(&at)) != NULL; yyjson_doc_free(doc)) {
            opened += strcmp(str(doc, "kind"), "span_open") == 0;
            closed += strcmp(str(doc, "kind"), "span_close") == 0;
            if (strcmp(str(doc, "name"), "child") == 0) {
                CHECK_UINT(num(doc, "parent"), ==, parent_seen);
                CHECK_UINT(num(doc, "span"), ==, child_own);
            }
            if (strcmp(str(doc, "message"), "in inner") == 0)
                CHECK_UINT(num(doc, "span"), ==, parent_seen);
        }
        CHECK_UINT(opened, ==, 3);
        CHECK_UINT(closed, ==, 3);
        free(text);
    }
}

/* ---- nothing is lost or torn ---- */

enum { TALKERS = 16, WORDS = 300, THREADS = 2 };

static int talker(void *arg)
{
    uint64_t who = *(uint64_t *)arg;
    for (uint64_t i = 0; i < WORDS; i++) {
        char text[200];
        memset(text, 'a' + (int)(who % 26), sizeof text - 1);
        text[(who * 7 + i) % (sizeof text - 1)] = '\0';
        EDO_INFO("word", edo_field_uint("who", who), edo_field_uint("i", i),
                 edo_field_str("text", text));
        if (i % 3 == 0)
            CHECK_OK(edo_yield());
    }
    return 0;
}

static int talk(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (uint64_t i = 0; i < TALKERS; i++)
        CHECK_OK(edo_spawn_copy(&g, talker, &i, sizeof i));
    return edo_group_close(&g);
}

static void *talking_thread(void *arg)
{
    CHECK_INT(talker(arg), ==, 0);
    return NULL;
}

static unsigned next_word[TALKERS + THREADS];

static void check_word(yyjson_doc *doc)
{
    yyjson_val *f = yyjson_obj_get(yyjson_doc_get_root(doc), "fields");
    uint64_t who = yyjson_get_uint(yyjson_obj_get(f, "who"));
    uint64_t i = yyjson_get_uint(yyjson_obj_get(f, "i"));
    yyjson_val *text = yyjson_obj_get(f, "text");
    CHECK_UINT(who, <, TALKERS + THREADS);
    CHECK_UINT(yyjson_get_len(text), ==, (who * 7 + i) % 199);
    for (const char *p = yyjson_get_str(text); *p != '\0'; p++)
        CHECK_INT(*p, ==, 'a' + (int)(who % 26));
    next_word[who]++;
}

TEST_TIMEOUT(nothing_is_lost_or_torn, 60)
{
    start("info,edo=off", EDO_TRACE_JSON, 16 << 20);
    pthread_t threads[THREADS];
    uint64_t names[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        names[i] = TALKERS + i;
        thread_start(&threads[i], talking_thread, &names[i]);
    }
    run_on(4, talk, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    edo_trace_counts counts;
    char *text = finish(&counts), *at = text;
    CHECK_UINT(counts.lost, ==, 0);
    CHECK_UINT(counts.written, ==, (TALKERS + THREADS) * WORDS);
    for (yyjson_doc *doc; (doc = parse_line(&at)) != NULL; yyjson_doc_free(doc))
        check_word(doc);
    for (unsigned i = 0; i < TALKERS + THREADS; i++)
        CHECK_UINT(next_word[i], ==, WORDS);
    free(text);
}

/* A ring of 32 KiB, filled faster than it is written out: what is missing is told. */
TEST(what_is_lost_is_counted_and_told)
{
    start("info", EDO_TRACE_JSON, 1);
    enum { N = 20000 };
    for (uint64_t i = 0; i < N; i++)
        EDO_INFO("flood", edo_field_uint("i", i));
    edo_trace_counts counts;
    char *text = finish(&counts), *at = text;
    CHECK_UINT(counts.written + counts.lost, ==, N);
    CHECK_UINT(counts.lost, >, 0);
    uint64_t events = 0, told = 0, last = 0;
    for (yyjson_doc *doc; (doc = parse_line(&at)) != NULL; yyjson_doc_free(doc)) {
        if (strcmp(str(doc, "kind"), "lost") == 0) {
            told += num(doc, "records");
            continue;
        }
        yyjson_val *f = yyjson_obj_get(yyjson_doc_get_root(doc), "fields");
        uint64_t i = yyjson_get_uint(yyjson_obj_get(f, "i"));
        CHECK(events == 0 || i > last);
        last = i;
        events++;
    }
    CHECK_UINT(events, ==, counts.written);
    CHECK_UINT(told, ==, counts.lost);
    free(text);
}

/* ---- the runtime's own, as JSON and for Perfetto ---- */

static int sleeper(void *arg)
{
    (void)arg;
    edo_span s;
    EDO_SPAN(&s, EDO_LEVEL_INFO, "sleeping");
    int rc = edo_sleep(EDO_MS(1));
    edo_span_close(&s);
    return rc;
}

static int runtime_body(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(edo_spawn(&g, sleeper, NULL));
    return edo_group_close(&g);
}

typedef struct tally {
    unsigned run, pause, end, spawn, wake, park, unpark;
} tally;

static void count(tally *t, const char *kind)
{
    t->run += strcmp(kind, "run") == 0;
    t->pause += strcmp(kind, "pause") == 0;
    t->end += strcmp(kind, "end") == 0;
    t->spawn += strcmp(kind, "spawn") == 0;
    t->wake += strcmp(kind, "wake") == 0;
    t->park += strcmp(kind, "park") == 0;
    t->unpark += strcmp(kind, "unpark") == 0;
}

/* True: all twenty have slept. On a busy machine a sleep may be over before the task has parked. */
static bool traces_itself(unsigned workers)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    start("info,edo=trace", EDO_TRACE_JSON, 8 << 20);
    run_on(workers, runtime_body, NULL);
    edo_trace_counts counts;
    char *text = finish(&counts), *at = text;
    CHECK_UINT(counts.lost, ==, 0);
    tally t = { 0 };
    for (yyjson_doc *doc; (doc = parse_line(&at)) != NULL; yyjson_doc_free(doc))
        count(&t, str(doc, "kind"));
    free(text);
    CHECK_UINT(t.spawn, ==, 21);
    CHECK_UINT(t.end, ==, 21);
    CHECK_UINT(t.run, ==, t.pause + t.end);
    CHECK_UINT(t.run, >=, 21);
    CHECK_UINT(t.park, ==, t.unpark);
    return t.run >= 41 && t.wake >= 41;
}

TEST(the_runtime_traces_itself)
{
    EACH_WORKERS(w)
    while (!traces_itself(w))
        continue;
}

typedef struct track {
    unsigned begun, ended, slices, flows, instants, names;
} track;

static void count_phase(track *t, yyjson_val *e)
{
    const char *ph = yyjson_get_str(yyjson_obj_get(e, "ph"));
    CHECK(ph != NULL && ph[1] == '\0');
    CHECK(yyjson_is_num(yyjson_obj_get(e, "ts")) && yyjson_is_int(yyjson_obj_get(e, "pid")) &&
          yyjson_is_int(yyjson_obj_get(e, "tid")) && yyjson_is_str(yyjson_obj_get(e, "name")));
    t->begun += *ph == 'b' || *ph == 'B';
    t->ended += *ph == 'e' || *ph == 'E';
    t->flows += *ph == 's' || *ph == 'f';
    t->names += *ph == 'M';
    t->instants += *ph == 'i' || *ph == 'n';
    if (*ph == 'X') {
        CHECK(yyjson_get_num(yyjson_obj_get(e, "dur")) >= 0);
        t->slices++;
    }
}

/* True: as in traces_itself(). */
static bool perfetto_reads(void)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    start("info,edo=trace", EDO_TRACE_PERFETTO, 8 << 20);
    EDO_INFO("outside of tasks");
    run_on(2, runtime_body, NULL);
    edo_trace_counts counts;
    char *text = finish(&counts);
    CHECK_UINT(counts.lost, ==, 0);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    CHECK(doc != NULL);
    yyjson_val *events = yyjson_obj_get(yyjson_doc_get_root(doc), "traceEvents"), *e;
    CHECK(yyjson_is_arr(events));
    track t = { 0 };
    size_t i, max;
    yyjson_arr_foreach(events, i, max, e) count_phase(&t, e);
    CHECK_UINT(t.begun, ==, t.ended);
    CHECK_UINT(t.begun, >=, 21 + 20); /* lives, spans; and waits: */
    bool slept = t.begun >= 21 + 20 + 20 && t.slices >= 41 && t.flows >= 82;
    CHECK_UINT(t.slices, >=, 21);
    CHECK_UINT(t.instants, >=, 1);
    CHECK_UINT(t.names, >=, 1); /* the other worker may have had nothing to do */
    yyjson_doc_free(doc);
    free(text);
    return slept;
}

TEST(perfetto_reads_it)
{
    while (!perfetto_reads())
        continue;
}

/* ---- from the environment ---- */

static void traced_program(void *arg)
{
    (void)arg;
    setenv("EDO_TRACE", "info", 1);
    setenv("EDO_TRACE_FORMAT", "json", 1);
    run_on(1, spans_body, NULL);
    exit(0); /* ends tracing */
}

TEST(the_operator_may_trace)
{
    char text[8192], *at = text;
    CHECK_INT(test_capture(traced_program, NULL, text, sizeof text), ==, 0);
    unsigned n = 0;
    for (yyjson_doc *doc; (doc = parse_line(&at)) != NULL; yyjson_doc_free(doc))
        n++;
    CHECK_UINT(n, ==, 7);
}

TEST_MAIN()
