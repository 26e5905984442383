/* SPDX-License-Identifier: MIT */
/* What the tests of named deadlocks share: dumps and what they say, and a runtime with stuck tasks. */
#ifndef EDO_TEST_KNOTS_H
#define EDO_TEST_KNOTS_H

#include "core_test.h"

#include <string.h>
#include <unistd.h>

__attribute__((noinline, unused)) static char *dump_text(edo_runtime *rt)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    CHECK(f != NULL);
    CHECK_INT(edo_dump(rt, f), >=, 0);
    fclose(f);
    return text;
}

/* Dumps until it says so: a deadlock stays, so that comes. */
static inline char *dump_until(edo_runtime *rt, const char *says)
{
    for (;;) {
        char *text = dump_text(rt);
        if (strstr(text, says) != NULL)
            return text;
        free(text);
        sched_yield();
    }
}

static inline void check_says(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        FAIL("no \"%s\" in\n%s", line, text);
}

/* Each of these is named after the other in one cycle, wherever it is begun to be told. */
__attribute__((noinline, unused)) static void check_cycle(const char *text, const char *head,
                                                          const char *const *names, int n)
{
    const char *at = strstr(text, head);
    if (at == NULL)
        FAIL("no \"%s\" in\n%s", head, text);
    char *part = strndup(at, 1000);
    int first = -1;
    const char *from = strchr(part, '"') != NULL ? strchr(part, '"') + 1 : part;
    for (int i = 0; i < n; i++) {
        if (strncmp(from, names[i], strlen(names[i])) == 0 && from[strlen(names[i])] == '"')
            first = i;
    }
    for (int i = 0; first >= 0 && i <= n; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", names[(first + i) % n]);
        const char *line_end = strchr(from - 1, '\n');
        const char *found = strstr(from - 1, quoted);
        if (found == NULL || found > line_end)
            first = -1;
        const char *next = strchr(line_end, '"');
        from = next != NULL ? next + 1 : line_end + 1;
    }
    if (first < 0)
        FAIL("not the cycle that was made:\n%s", part);
    free(part);
}

typedef struct scene {
    edo_runtime *rt;
    edo_mutex a, b;
    edo_chan *chan;
    edo_group *group;
    unsigned step, over, turns, calm;
    edo_token *token;
} scene;

static inline void scene_open(scene *s, unsigned workers, edo_fn *fn)
{
    memset(s, 0, sizeof *s);
    edo_mutex_init(&s->a);
    edo_mutex_init(&s->b);
    CHECK_OK(edo_chan_create(&s->chan, sizeof(int), 0));
    CHECK_OK(edo_token_create(&s->token));
    CHECK_OK(edo_runtime_create(&s->rt, &(edo_config){ .workers = workers }));
    if (fn != NULL)
        CHECK_OK(edo_runtime_spawn(s->rt, fn, s));
}

/* What is stuck is cancelled. */
static inline void scene_close(scene *s)
{
    STORE(&s->over, 1);
    edo_token_cancel(s->token);
    CHECK_OK(edo_runtime_shutdown(s->rt, EDO_SEC(20)));
    edo_chan_unref(s->chan);
    edo_token_release(s->token);
}

static inline void spawn(edo_group *g, const char *name, edo_fn *fn, scene *s)
{
    CHECK_OK(edo_spawn_with(g, &(edo_task_options){ .name = name }, NULL, fn, s));
}

/* Others that go on do not hide it. */
static inline int busy(void *arg)
{
    scene *s = arg;
    while (!LOAD(&s->over) && edo_sleep(EDO_US(100)) == 0)
        ADD(&s->turns, 1);
    return 0;
}

#endif
