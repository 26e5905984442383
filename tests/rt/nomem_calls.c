/* SPDX-License-Identifier: MIT */
/* More calls whose every allocation fails once, see nomem.h: frames, readers, proxies, metrics, traces,
 * trackers, detached tasks, jobs as cases of a select, names. docs/internals/failing-calls.md says
 * which test has which function. */
#include "nomem.h"

#include <sys/socket.h>
#include <unistd.h>

static int attempt(edo_fn *fn)
{
    int rc = edo_run(&(edo_config){ .workers = 1 }, fn, NULL);
    CHECK(rc == 0 || refused(rc));
    return rc;
}

/* ---- streams ---- */

enum { LONG = 20000 }; /* more than a buffer has at first */

/* A stream of a long line, "--", and the rest; false: refused. */
static bool open_text(edo_stream **s, edo_reader *r)
{
    static char text[LONG + 64];
    memset(text, 'a', LONG);
    memcpy(text + LONG, "\nhead--tail", 12);
    if (refused(edo_stream_memory(s, text, LONG + 11)))
        return false;
    if (!refused(edo_reader_init(r, *s, &(edo_reader_options){ .size = 64 })))
        return true;
    edo_close(*s);
    return false;
}

/* A call that was refused has taken nothing: the same call then succeeds. Runs with the nth
 * allocation failing at most once, so twice is enough. */
static int read_all_ways(void *arg)
{
    (void)arg;
    edo_stream *s;
    edo_reader r;
    char *line;
    const void *head;
    size_t n = 0;
    if (!open_text(&s, &r))
        return 0;
    ssize_t got = edo_reader_peek(&r, LONG, &head);
    if (refused((int)got))
        got = edo_reader_peek(&r, LONG, &head);
    CHECK_INT(got, ==, LONG);
    int rc = edo_reader_until(&r, '\n', &line, &n);
    if (refused(rc))
        rc = edo_reader_until(&r, '\n', &line, &n);
    CHECK_INT(rc, >=, 0);
    CHECK_UINT(n, ==, LONG);
    CHECK_INT(line[LONG - 1], ==, 'a');
    rc = edo_reader_until_any(&r, "+-", 2, &line, NULL);
    if (refused(rc))
        rc = edo_reader_until_any(&r, "+-", 2, &line, NULL);
    CHECK_STR(line, "head");
    rc = edo_reader_until_str(&r, "-", &line, NULL);
    if (refused(rc))
        rc = edo_reader_until_str(&r, "-", &line, NULL);
    CHECK_STR(line, "");
    void *rest = NULL;
    got = edo_reader_read_all(&r, SIZE_MAX, &rest);
    if (refused((int)got))
        got = edo_reader_read_all(&r, SIZE_MAX, &rest);
    CHECK_INT(got, ==, 4);
    CHECK_MEM(rest, "tail", 4);
    free(rest);
    edo_reader_deinit(&r);
    edo_close(s);
    return 0;
}

static int attempt_reader(void)
{
    return attempt(read_all_ways);
}

TEST(reader_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_reader);
}

/* Writes three frames of which none, some or all are refused; returns how many are there. */
static unsigned write_frames(edo_writer *w, const edo_frame_format *format)
{
    static char payload[LONG];
    edo_frame_writer f;
    unsigned there = 0;
    memset(payload, 'b', sizeof payload);
    CHECK_OK(edo_frame_writer_init(&f, w, format));
    for (int i = 0; i < 3; i++)
        there += !refused(edo_frame_write(&f, payload, LONG));
    return there;
}

static void read_frames(const void *data, size_t len, const edo_frame_format *format,
                        unsigned expected)
{
    edo_stream *s;
    edo_reader r;
    edo_frame_reader f;
    char *payload;
    size_t n;
    if (refused(edo_stream_memory(&s, data, len)))
        return;
    if (!refused(edo_reader_init(&r, s, &(edo_reader_options){ .size = 64 }))) {
        CHECK_OK(edo_frame_reader_init(&f, &r, format));
        for (unsigned i = 0; i < expected; i++) {
            int rc = edo_frame_read(&f, &payload, &n);
            if (refused(rc)) /* a frame is taken whole or not at all */
                rc = edo_frame_read(&f, &payload, &n);
            CHECK_INT(rc, ==, 1);
            CHECK_UINT(n, ==, LONG);
            CHECK_INT(payload[LONG - 1], ==, 'b');
        }
        CHECK_INT(edo_frame_read(&f, &payload, &n), ==, 0);
        edo_reader_deinit(&r);
    }
    edo_close(s);
}

static int frames(void *arg)
{
    (void)arg;
    static const edo_frame_format formats[] = { { .kind = EDO_FRAME_LENGTH },
                                                { .kind = EDO_FRAME_LINE },
                                                { .kind = EDO_FRAME_DELIMITER,
                                                  .delimiters = ";" } };
    for (int i = 0; i < 3; i++) {
        edo_writer w;
        size_t len;
        edo_writer_init_memory(&w, 0);
        unsigned n = write_frames(&w, &formats[i]);
        const void *data = edo_writer_data(&w, &len);
        read_frames(data, len, &formats[i], n);
        edo_writer_deinit(&w);
    }
    return 0;
}

static int attempt_frames(void)
{
    return attempt(frames);
}

TEST(frames_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_frames);
}

/* Copying takes its buffer before it reads. */
static int copies(void *arg)
{
    (void)arg;
    edo_stream *from, *to;
    if (refused(edo_stream_null(&to)))
        return 0;
    if (!refused(edo_stream_memory(&from, "12345678", 8))) {
        int64_t n = edo_copy_n(to, from, 3);
        if (refused((int)n))
            n = edo_copy_n(to, from, 3);
        CHECK_INT(n, ==, 3);
        edo_copy_options options = { .buffer_size = 2, .limit = 2 };
        n = edo_copy_with(to, from, &options);
        if (refused((int)n))
            n = edo_copy_with(to, from, &options);
        CHECK_INT(n, ==, 2);
        n = edo_copy(to, from);
        CHECK(n == 3 || refused((int)n));
        edo_close(from);
    }
    edo_close(to);
    return 0;
}

static int attempt_copies(void)
{
    return attempt(copies);
}

TEST(copies_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_copies);
}

static bool proxy_counts;

/* A proxy between two pairs; whatever is refused, it ends, and both ends are the caller's. */
static int proxy(void *arg)
{
    edo_stream **ends = arg;
    edo_copied n = { 0 };
    int rc = proxy_counts ? edo_copy_both_with(ends[0], ends[1], NULL, &n)
                          : edo_copy_both(ends[0], ends[1]);
    CHECK_UINT(n.a_to_b, <=, 1);
    CHECK_UINT(n.b_to_a, ==, 0);
    edo_close(ends[0]);
    edo_close(ends[1]);
    return refused(rc) ? 0 : rc;
}

static void through_proxy(edo_stream *a, edo_stream *b)
{
    char c;
    ssize_t n = edo_write(a, "x", 1);
    CHECK(n == 1 || n == -EPIPE);
    n = edo_shutdown(a);
    n = edo_read(b, &c, 1);
    CHECK(n == 1 || n == 0 || n == -EPIPE);
    edo_close(b);
    edo_close(a);
}

static int proxies(void *arg)
{
    (void)arg;
    edo_stream *a, *b, *inside[2];
    edo_group g;
    if (refused(edo_duplex(&a, &inside[0], 0)))
        return 0;
    if (refused(edo_duplex(&inside[1], &b, 0))) {
        edo_close(a);
        edo_close(inside[0]);
        return 0;
    }
    CHECK_OK(edo_group_open(&g, NULL));
    if (refused(edo_spawn(&g, proxy, inside)))
        (void)proxy(inside);
    through_proxy(a, b);
    return edo_group_close(&g);
}

static int attempt_proxies(void)
{
    return attempt(proxies);
}

TEST(proxies_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_proxies);
    proxy_counts = true;
    fail_each(attempt_proxies);
}

static int named(void *arg)
{
    (void)arg;
    edo_listener *l;
    char address[32];
    edo_stream *s;
    if (refused(edo_tcp_listen(&l, "127.0.0.1:0", NULL)))
        return 0;
    snprintf(address, sizeof address, "localhost:%u", edo_listener_port(l));
    int rc = edo_tcp_connect(&s, address, NULL);
    /* The C library's resolver may say that it does not know the name when it has no memory. */
    CHECK(rc == 0 || rc == -ENOMEM || rc == -EAGAIN || rc == -ENOENT || rc <= -4096);
    if (rc == 0)
        edo_close(s);
    edo_listener_close(l);
    return 0;
}

static int attempt_named(void)
{
    return attempt(named);
}

TEST(names_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_named);
}

/* ---- seen from outside ---- */

static char sink_text[1 << 16];

static int metrics(void *arg)
{
    (void)arg;
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    int rc = edo_metrics_prometheus(NULL, &w);
    if (!refused(rc)) {
        CHECK_INT(rc, >=, 0);
        CHECK(strstr(edo_writer_data(&w, NULL), "edo_tasks_alive") != NULL);
    }
    edo_writer_deinit(&w);
    FILE *f = fmemopen(sink_text, sizeof sink_text, "w");
    if (f == NULL)
        return 0;
    if (!refused(edo_writer_init_file(&w, f, NULL))) {
        CHECK_INT(edo_writer_line(&w, "to a file"), ==, 10);
        CHECK_INT(edo_writer_flush(&w), ==, 0);
        CHECK_INT(edo_writer_deinit(&w), ==, 0);
    }
    fclose(f);
    return 0;
}

static int attempt_metrics(void)
{
    return attempt(metrics);
}

TEST(metrics_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_metrics);
}

static int traced(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        EDO_INFO("something", edo_field_int("i", i));
    return edo_yield();
}

static const char *trace_path;

static int attempt_trace(void)
{
    static const edo_trace_format formats[] = { EDO_TRACE_PRETTY, EDO_TRACE_JSON,
                                                EDO_TRACE_PERFETTO };
    for (int i = 0; i < 3; i++) {
        edo_trace_options o = { .filter = "info,net=debug",
                                .format = formats[i],
                                .path = trace_path };
        int rc = edo_trace_start(&o);
        CHECK(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        CHECK_INT(attempt(traced), <=, 0);
        edo_trace_counts counts;
        if (rc == 0) {
            CHECK_INT(edo_trace_stop(&counts), ==, 0);
            CHECK_UINT(counts.written + counts.lost, <=, 100);
        }
    }
    return 0;
}

TEST(traces_without_memory)
{
    needs_own_malloc();
    char path[] = "/tmp/edo-trace-XXXXXX";
    int fd = mkstemp(path);
    CHECK_INT(fd, >=, 0);
    trace_path = path;
    attempt_trace();
    long n = 0, left;
    for (; n < 1000 && fail_nth(attempt_trace, n, &left); n++)
        CHECK_INT(left, <=, 3 + 3); /* a filter per start stays, and what the C library keeps */
    printf("# %ld allocations, each failed once\n", n);
    CHECK_INT(n, >, 0);
    CHECK_INT(n, <, 1000);
    close(fd);
    unlink(path);
}

/* ---- tasks ---- */

static unsigned ran; /* atomic */

static int count_me(void *arg)
{
    (void)arg;
    ADD(&ran, 1);
    return 0;
}

static int until_cancelled(void *arg)
{
    (void)arg;
    ADD(&ran, 1);
    return edo_sleep(EDO_FOREVER);
}

static int trackers(void *arg)
{
    (void)arg;
    edo_tracker *t;
    unsigned started = 0;
    ran = 0;
    if (refused(edo_tracker_create(&t, NULL, "without memory")))
        return 0;
    for (int i = 0; i < 40; i++)
        started += !refused(edo_tracker_spawn(t, i % 2 == 0 ? count_me : until_cancelled, NULL));
    edo_task_options options = { .name = "with a name", .stack_size = 100000 };
    started += !refused(edo_tracker_spawn_with(t, &options, count_me, NULL));
    edo_tracker_stop how = { .drain = 0, .grace = EDO_SEC(20) };
    edo_tracker_report report;
    CHECK_INT(edo_tracker_shutdown(t, &how, &report), ==, 0);
    CHECK_UINT(report.left, ==, 0);
    CHECK_UINT(LOAD(&ran), <=, started);
    edo_tracker_destroy(t);
    return 0;
}

static int attempt_trackers(void)
{
    return attempt(trackers);
}

TEST(trackers_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_trackers);
}

static int detached(void *arg)
{
    (void)arg;
    unsigned started = 0;
    ran = 0;
    for (int i = 0; i < 10; i++)
        started += !refused(edo_spawn_detached(count_me, NULL));
    until(&ran, started);
    return 0;
}

static int attempt_detached(void)
{
    return attempt(detached);
}

TEST(detached_tasks_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_detached);
}

static int job(void *arg)
{
    ADD((unsigned *)arg, 1);
    return 5;
}

/* A job that could not be started is a case that happened, with its code: like a closed channel. */
static int jobs_in_select(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        unsigned done = 0;
        edo_case cases[] = { EDO_BLOCKING(job, &done), EDO_AFTER(EDO_SEC(1000)) };
        int which = i % 2 == 0 ? edo_select(cases, 2) : edo_select_biased(cases, 2);
        if (refused(which))
            continue;
        CHECK_INT(which, ==, 0);
        CHECK(cases[0].result == 5 || refused(cases[0].result));
        CHECK_UINT(LOAD(&done), ==, cases[0].result == 5);
    }
    return 0;
}

static int attempt_jobs(void)
{
    return attempt(jobs_in_select);
}

TEST(jobs_in_a_select_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_jobs);
}

/* What waits needs no memory: the nth allocation fails, and nobody notices (a sleep of less than a
 * millisecond asks for some, and does without). Refused: the calls that come before. */
static int waits(void *arg)
{
    long n = *(long *)arg;
    edo_mutex m = EDO_MUTEX_INIT;
    edo_sem s = EDO_SEM_INIT(1);
    edo_event e = EDO_EVENT_INIT;
    edo_scope scope;
    STORE(&countdown, n);
    CHECK_OK(edo_mutex_lock(&m));
    CHECK_OK(edo_sem_acquire(&s, 1));
    edo_scope_open(&scope, EDO_US(10));
    CHECK_INT(edo_event_wait(&e), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&scope, -ECANCELED), ==, -ETIMEDOUT);
    edo_scope_open(&scope, EDO_US(10));
    edo_case cases[] = { EDO_LOCK(&m), EDO_ACQUIRE(&s, 1), EDO_EVENT(&e), EDO_AFTER(EDO_SEC(9)) };
    CHECK_INT(edo_select(cases, 4), ==, -ECANCELED);
    (void)edo_scope_close(&scope, 0);
    CHECK_OK(edo_sleep(EDO_US(10)));
    CHECK_OK(edo_sleep(EDO_MS(1)));
    edo_sem_release(&s, 1);
    edo_mutex_unlock(&m);
    STORE(&countdown, -1);
    return 0;
}

TEST(waiting_needs_no_memory)
{
    needs_own_malloc();
    for (long n = 0; n < 4; n++) {
        edo_config config = { .workers = 1, .stuck_after = EDO_FOREVER };
        CHECK_OK(edo_run(&config, waits, &n));
    }
}

TEST_MAIN()
