/* SPDX-License-Identifier: MIT */
/* edo_dump() and edo_metrics_read(): what they say of tasks whose state is known, and that they can
 * be asked while tasks come and go. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem() */
#endif
#include "core_test.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (1u << 18)

static char *dump_text(edo_runtime *rt, int *count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    CHECK(f != NULL);
    int n = edo_dump(rt, f);
    fclose(f);
    if (count != NULL)
        *count = n;
    return text;
}

/* ---- each reason to wait ---- */

typedef struct scene {
    edo_event event;
    edo_mutex mutex;
    edo_sem sem;
    edo_chan *full, *empty;
    edo_token *token;
    edo_group *limited;
    unsigned entered;
    unsigned job_may_end;
} scene;

#define WAITS_IN(name_, call_)                                                                     \
    __attribute__((noinline)) static int name_(void *arg)                                          \
    {                                                                                              \
        scene *s = arg;                                                                            \
        ADD(&s->entered, 1);                                                                       \
        int rc = call_;                                                                            \
        __asm__ volatile("" ::: "memory");                                                         \
        return rc;                                                                                 \
    }

static int no_job(void *arg)
{
    scene *s = arg;
    while (!LOAD(&s->job_may_end))
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    return 0;
}

static int just_wait(void *arg)
{
    (void)arg;
    return edo_sleep(EDO_FOREVER);
}

__attribute__((noinline)) static int in_close(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "grandchild" }, NULL, just_wait, s));
    ADD(&s->entered, 1);
    return edo_group_close(&g);
}

__attribute__((noinline)) static int in_next(void *arg)
{
    scene *s = arg;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, just_wait, s));
    ADD(&s->entered, 1);
    (void)edo_group_next(&g, &r);
    return edo_group_close(&g);
}

WAITS_IN(in_sleep, edo_sleep(EDO_FOREVER))
WAITS_IN(in_event, edo_event_wait(&s->event))
WAITS_IN(in_mutex, edo_mutex_lock(&s->mutex))
WAITS_IN(in_sem, edo_sem_acquire(&s->sem, 1))
WAITS_IN(in_send, edo_chan_send(s->full, &(int){ 1 }))
WAITS_IN(in_recv, edo_chan_recv(s->empty, &(int){ 1 }))
WAITS_IN(in_token, edo_token_wait(s->token))
WAITS_IN(in_blocking, edo_blocking(no_job, s))
WAITS_IN(in_room, edo_spawn(s->limited, just_wait, NULL))

static const struct {
    const char *name, *reason;
    edo_fn *fn;
} waits[] = {
    { "in_sleep", "waiting for sleep", in_sleep },
    { "in_event", "waiting for event", in_event },
    { "in_mutex", "waiting for mutex", in_mutex },
    { "in_sem", "waiting for semaphore", in_sem },
    { "in_send", "waiting for channel send", in_send },
    { "in_recv", "waiting for channel receive", in_recv },
    { "in_token", "waiting for token", in_token },
    { "in_blocking", "waiting for blocking job", in_blocking },
    { "in_room", "waiting for room in group", in_room },
    { "in_close", "waiting for group to close", in_close },
    { "in_next", "waiting for next child", in_next },
};
#define WAITS (sizeof waits / sizeof waits[0])

/* The paragraph of the task with this name; its end is at *end. */
static const char *paragraph(const char *text, const char *name, uint64_t id, const char **end)
{
    char head[64];
    snprintf(head, sizeof head, "task %llu \"%s\": ", (unsigned long long)id, name);
    const char *at = strstr(text, head);
    if (at == NULL)
        FAIL("no \"%s\" in\n%s", head, text);
    *end = strstr(at + 1, "\ntask ");
    if (*end == NULL)
        *end = text + strlen(text);
    return at;
}

static bool says(const char *part, const char *end, const char *what)
{
    return memmem(part, (size_t)(end - part), what, strlen(what)) != NULL;
}

/* Whether the task waits, and is shown with a frame of its stack, by its real name. */
static bool is_seen_waiting(const char *text, size_t i, uint64_t id)
{
    const char *end, *part = paragraph(text, waits[i].name, id, &end);
    char frame[64];
    snprintf(frame, sizeof frame, " %s+0x", waits[i].name);
    return says(part, end, waits[i].reason) && says(part, end, frame);
}

static void check_paragraph(const char *text, size_t i, uint64_t id, uint64_t parent)
{
    const char *end, *part = paragraph(text, waits[i].name, id, &end);
    char line[64];
    snprintf(line, sizeof line, ", child of %llu", (unsigned long long)parent);
    if (!says(part, end, line) || !says(part, end, "spawned at tests/rt/dump.c:"))
        FAIL("no \"%s\", or no spawn site, in\n%s", line, part);
}

/* All of them get there, and stay; when the last one has parked only the scheduler knows. So this is
 * looked at until it is so. */
static char *dump_when_all_wait(const uint64_t ids[], int *count)
{
    for (;;) {
        char *text = dump_text(NULL, count);
        size_t seen = 0;
        while (seen < WAITS && is_seen_waiting(text, seen, ids[seen]))
            seen++;
        if (seen == WAITS)
            return text;
        free(text);
        CHECK_OK(edo_yield());
    }
}

static int reasons(void *arg)
{
    (void)arg;
    scene s = { 0 };
    uint64_t ids[WAITS];
    edo_group g, limited;
    edo_event_init(&s.event, EDO_EVENT_MANUAL);
    edo_mutex_init(&s.mutex);
    edo_sem_init(&s.sem, 0);
    CHECK_OK(edo_chan_create(&s.full, sizeof(int), 0));
    CHECK_OK(edo_chan_create(&s.empty, sizeof(int), 3));
    CHECK_OK(edo_token_create(&s.token));
    CHECK_OK(edo_mutex_lock(&s.mutex));
    CHECK_OK(edo_group_open(&limited, &(edo_group_options){ .limit = 1 }));
    CHECK_OK(edo_spawn(&limited, just_wait, NULL));
    s.limited = &limited;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .keep_going = true }));
    for (size_t i = 0; i < WAITS; i++)
        CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = waits[i].name }, &ids[i],
                                waits[i].fn, &s));
    until(&s.entered, WAITS);
    int count;
    char *text = dump_when_all_wait(ids, &count);
    for (size_t i = 0; i < WAITS; i++)
        check_paragraph(text, i, ids[i], edo_task_id());
    CHECK(strstr(text, "\"grandchild\"") != NULL);
    CHECK(strstr(text, "\"main\": running") != NULL);
    CHECK(strstr(text, "reasons+0x") != NULL); /* of the one that is running */
    CHECK_INT(count, ==, 1 + (int)WAITS + 3);
    free(text);
    STORE(&s.job_may_end, 1);
    edo_mutex_unlock(&s.mutex);
    edo_group_cancel(&limited);
    (void)edo_group_close(&g);
    (void)edo_group_close(&limited);
    edo_chan_unref(s.full);
    edo_chan_unref(s.empty);
    edo_token_release(s.token);
    return 0;
}

TEST(every_reason_has_a_name)
{
    EACH_WORKERS(w)
    run_on(w, reasons, NULL);
}

/* ---- running, new and many tasks; from another thread ---- */

typedef struct outside {
    edo_runtime *rt;
    unsigned ready, over;
} outside;

__attribute__((noinline)) static int spins_for_dump(void *arg)
{
    outside *o = arg;
    STORE(&o->ready, 1);
    while (!LOAD(&o->over))
        __asm__ volatile("" ::: "memory");
    return 0;
}

TEST(a_running_task_is_shown_from_outside)
{
    outside o = { 0 };
    CHECK_OK(edo_runtime_create(&o.rt, &(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }));
    CHECK_OK(edo_runtime_spawn(o.rt, spins_for_dump, &o));
    while (!LOAD(&o.ready))
        sched_yield();
    for (bool seen = false; !seen;) { /* its thread may not get a processor in time to answer */
        char *text = dump_text(o.rt, NULL);
        if (strstr(text, "running") == NULL)
            FAIL("%s", text);
        seen = strstr(text, "spins_for_dump") != NULL;
        free(text);
    }
    STORE(&o.over, 1);
    CHECK_OK(edo_runtime_shutdown(o.rt, EDO_SEC(20)));
}

static int never_runs(void *arg)
{
    (void)arg;
    return 0;
}

static int new_tasks(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(
            edo_spawn_with(&g, &(edo_task_options){ .name = "later" }, NULL, never_runs, NULL));
    int count;
    char *text = dump_text(NULL, &count);
    CHECK_INT(count, ==, 6);
    CHECK(strstr(text, "\"later\": ") != NULL);
    CHECK(strstr(text, "new") != NULL || strstr(text, "ready") != NULL);
    free(text);
    return edo_group_close(&g);
}

TEST(tasks_that_never_ran)
{
    run_on(1, new_tasks, NULL);
}

/* ---- EDO_DUMP_SIGNAL: two runtimes, all of whose workers are held ---- */

/* How many times. */
static unsigned file_says(const char *path, const char *what)
{
    static char text[TEXT_MAX];
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* A head is written before its tasks, so the n-th shows that the dump before it is all there. */
static void ask_and_await_heads(const char *path, unsigned n)
{
    CHECK_INT(kill(getpid(), SIGUSR1), ==, 0);
    while (file_says(path, "edo: runtime \"first\": 1 workers") < n ||
           file_says(path, "edo: runtime \"second\": 1 workers") < n)
        sched_yield();
}

TEST(a_signal_asks_for_a_dump_of_every_runtime)
{
    char path[] = "/tmp/edo-dump-XXXXXX", number[16];
    int file = mkstemp(path), old = dup(STDERR_FILENO);
    CHECK(file >= 0 && old >= 0);
    snprintf(number, sizeof number, "%d", SIGUSR1);
    setenv("EDO_DUMP_SIGNAL", number, 1);
    outside o[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        edo_config config = { .workers = 1, .name = i == 0 ? "first" : "second" };
        CHECK_OK(edo_runtime_create(&o[i].rt, &config));
        CHECK_OK(edo_runtime_spawn(o[i].rt, spins_for_dump, &o[i]));
        while (!LOAD(&o[i].ready))
            sched_yield();
    }
    CHECK_INT(dup2(file, STDERR_FILENO), ==, STDERR_FILENO);
    ask_and_await_heads(path, 1);
    /* A task's thread may not get a processor in time to answer for its stack. */
    for (unsigned n = 2; file_says(path, "spins_for_dump") == 0; n++)
        ask_and_await_heads(path, n);
    for (int i = 0; i < 2; i++) {
        STORE(&o[i].over, 1);
        CHECK_OK(edo_runtime_shutdown(o[i].rt, EDO_SEC(20)));
    }
    CHECK_INT(dup2(old, STDERR_FILENO), ==, STDERR_FILENO);
    CHECK_UINT(file_says(path, ": running"), >=, 1);
    close(file);
    close(old);
    unlink(path);
}

/* ---- as JSON ---- */

static int json_scene(void *arg)
{
    outside *o = arg;
    edo_mutex m = EDO_MUTEX_INIT;
    scene s = { .mutex = m };
    edo_group g;
    CHECK_OK(edo_mutex_lock(&s.mutex));
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "say \"hi\"\n" }, NULL, in_mutex, &s));
    STORE(&o->ready, 1);
    int rc = edo_group_close(&g); /* under the lock its child wants */
    edo_mutex_unlock(&s.mutex);
    return rc;
}

static void check_balanced(const char *text)
{
    int depth = 0;
    bool quoted = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (quoted && *c == '\\')
            c++;
        else if (*c == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
        CHECK_INT(depth, >=, 0);
        CHECK(!quoted || (unsigned char)*c >= 0x20);
    }
    CHECK_INT(depth, ==, 0);
    CHECK(!quoted);
}

TEST(json_says_the_same)
{
    outside o = { 0 };
    CHECK_INT(edo_dump_json(NULL, stdout), ==, -EPERM);
    CHECK_OK(edo_runtime_create(&o.rt, &(edo_config){ .workers = 2 }));
    CHECK_OK(edo_runtime_spawn(o.rt, json_scene, &o));
    for (;;) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        CHECK(f != NULL);
        int n = edo_dump_json(o.rt, f);
        fclose(f);
        check_balanced(text);
        bool found = n == 2 && strstr(text, "\"sure\":true,\"tasks\":[") != NULL &&
                     strstr(text, "\"held_by\":") != NULL && strstr(text, "in_mutex+0x") != NULL &&
                     strstr(text, "\"name\":\"say \\\"hi\\\"\\u000a\"") != NULL;
        free(text);
        if (found)
            break;
        sched_yield();
    }
    CHECK_OK(edo_runtime_shutdown(o.rt, EDO_SEC(20)));
}

/* ---- while tasks churn ---- */

static int leaf(void *arg)
{
    if ((uintptr_t)arg % 3 == 0)
        CHECK_OK(edo_yield());
    else if ((uintptr_t)arg % 3 == 1)
        CHECK_OK(edo_sleep(EDO_US(30)));
    return 0;
}

static int churn(void *arg)
{
    outside *o = arg;
    while (!LOAD(&o->over)) {
        edo_group g;
        CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 40 }));
        for (uintptr_t i = 0; i < 60; i++)
            CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = i % 2 ? "leaf" : NULL }, NULL,
                                    leaf, (void *)i));
        CHECK_INT(edo_group_close(&g), ==, 0);
    }
    return 0;
}

static void check_metrics(edo_runtime *rt, edo_metrics *last)
{
    edo_metrics m;
    CHECK_OK(edo_metrics_read(rt, &m));
    CHECK_UINT(m.tasks_spawned, ==, m.tasks_finished + m.tasks_alive);
    CHECK_UINT(m.tasks_alive, <, 1u << 20);
    CHECK_UINT(m.tasks_spawned, >=, last->tasks_spawned);
    CHECK_UINT(m.tasks_finished, >=, last->tasks_finished);
    CHECK_UINT(m.polls, >=, last->polls);
    CHECK_UINT(m.parks, >=, last->parks);
    CHECK_UINT(m.stolen, >=, m.steals);
    CHECK_UINT(m.workers_parked, <=, m.workers);
    CHECK_UINT(m.stacks_in_use, <, 1u << 20);
    CHECK_UINT(m.timers, <, 1u << 20);
    *last = m;
}

static void churn_with(unsigned workers, unsigned rounds)
{
    outside o = { 0 };
    edo_metrics last = { 0 };
    CHECK_OK(edo_runtime_create(&o.rt, &(edo_config){ .workers = workers }));
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_runtime_spawn(o.rt, churn, &o));
    uint64_t seen = 0;
    for (unsigned i = 0; i < rounds; i++) {
        int count;
        uint64_t before = last.tasks_spawned; /* other tasks each time */
        while (last.tasks_spawned < before + 100)
            check_metrics(o.rt, &last);
        char *text = dump_text(o.rt, &count);
        CHECK_INT(count, <=, 1000);
        seen += (uint64_t)count;
        CHECK(strstr(text, "edo: runtime") != NULL);
        free(text);
        for (int k = 0; k < 20; k++)
            check_metrics(o.rt, &last);
    }
    STORE(&o.over, 1);
    while (last.tasks_alive > 0)
        check_metrics(o.rt, &last);
    CHECK_OK(edo_runtime_shutdown(o.rt, EDO_SEC(30)));
    printf("# %u workers: %u dumps showed %llu tasks of %llu\n", workers, rounds,
           (unsigned long long)seen, (unsigned long long)last.tasks_spawned);
    CHECK_UINT(seen, >, rounds);
}

TEST_TIMEOUT(dumps_while_tasks_come_and_go, 60)
{
    EACH_WORKERS(w)
    churn_with(w, test_scale(60));
}

/* ---- metrics of things that are known ---- */

static int known(void *arg)
{
    (void)arg;
    edo_metrics a, b;
    edo_group g;
    CHECK_OK(edo_metrics_read(NULL, &a));
    CHECK_UINT(a.tasks_alive, ==, 1);
    CHECK_UINT(a.tasks_spawned, ==, 1);
    CHECK_UINT(a.stacks_in_use, >=, 1);
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 100; i++)
        CHECK_OK(edo_spawn(&g, just_wait, NULL));
    do { /* until all sleep */
        CHECK_OK(edo_yield());
        CHECK_OK(edo_metrics_read(NULL, &b));
    } while (b.local_depth + b.inject_depth > 0 || b.stacks_in_use < 101);
    CHECK_UINT(b.tasks_alive, ==, 101);
    CHECK_UINT(b.tasks_spawned, ==, 101);
    CHECK_UINT(b.stacks_in_use, ==, 101);
    CHECK_UINT(b.stack_bytes_mapped, >=, (uint64_t)101 * 64 * 1024);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    do {
        CHECK_OK(edo_yield());
        CHECK_OK(edo_metrics_read(NULL, &b));
    } while (b.tasks_alive > 1 || b.stacks_in_use > 1);
    CHECK_UINT(b.tasks_finished, ==, 100);
    CHECK_UINT(b.stacks_cached, >=, 100);
    return 0;
}

TEST(metrics_of_a_known_history)
{
    EACH_WORKERS(w)
    run_on(w, known, NULL);
}

TEST_MAIN()
