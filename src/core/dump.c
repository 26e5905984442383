/* SPDX-License-Identifier: MIT */
/* A picture of every task, taken from outside while they run.
 *
 * A parked task is frozen for the microseconds its stack is walked: its wait word says so, and
 * whoever would wake it looks again a moment later. A running one is asked by signal. The rest
 * (new, or in a run queue) is described from its fields, read without a lock and believed only if
 * the slot's id is the same before and after. */
#include "arch/unwind.h"
#include "core/monitor.h"
#include "core/runtime.h"
#include "core/sched.h"

#include <edo/metrics.h>

#include <string.h>

#define DUMP_FRAMES 64

static const char *const why_names[EDO__WHYS] = {
    [EDO__WHY_NONE] = "nothing",
    [EDO__WHY_SLEEP] = "sleep",
    [EDO__WHY_MUTEX] = "mutex",
    [EDO__WHY_SEM] = "semaphore",
    [EDO__WHY_EVENT] = "event",
    [EDO__WHY_NOTIFY] = "notify",
    [EDO__WHY_ONESHOT] = "oneshot",
    [EDO__WHY_RDLOCK] = "read lock",
    [EDO__WHY_WRLOCK] = "write lock",
    [EDO__WHY_COND] = "condition variable",
    [EDO__WHY_BARRIER] = "barrier",
    [EDO__WHY_ONCE] = "once",
    [EDO__WHY_SETONCE] = "set-once value",
    [EDO__WHY_SEND] = "channel send",
    [EDO__WHY_RECV] = "channel receive",
    [EDO__WHY_RESERVE] = "room in channel",
    [EDO__WHY_CHAN_CLOSE] = "channel to close",
    [EDO__WHY_BROADCAST] = "broadcast",
    [EDO__WHY_WATCH] = "watch",
    [EDO__WHY_SELECT] = "select",
    [EDO__WHY_FD] = "descriptor",
    [EDO__WHY_READ] = "read",
    [EDO__WHY_WRITE] = "write",
    [EDO__WHY_ACCEPT] = "accept",
    [EDO__WHY_CONNECT] = "connect",
    [EDO__WHY_BLOCKING] = "blocking job",
    [EDO__WHY_GROUP_CLOSE] = "group to close",
    [EDO__WHY_GROUP_NEXT] = "next child",
    [EDO__WHY_GROUP_ROOM] = "room in group",
    [EDO__WHY_TOKEN] = "token",
    [EDO__WHY_JOINED] = "task to end",
    [EDO__WHY_STACK] = "stack",
    [EDO__WHY_DELAYQUEUE] = "delay queue",
    [EDO__WHY_RATELIMIT] = "rate limit",
    [EDO__WHY_TRACKER] = "tracker to end",
    [EDO__WHY_OTHER] = "something",
};

/* Appends text at *at, as far as it fits. A name may be cleared while it is read, see below. */
__attribute__((no_sanitize("thread"))) static void put(char *buf, size_t cap, size_t *at,
                                                       const char *text)
{
    while (*text != '\0' && *at < cap)
        buf[(*at)++] = *text++;
}

static void put_number(char *buf, size_t cap, size_t *at, uint64_t n)
{
    char digits[21];
    size_t i = sizeof digits;
    digits[--i] = '\0';
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    put(buf, cap, at, &digits[i]);
}

/* The monitor asks while the task may be ending: what it says may be of a moment ago, but is never
 * read beyond the name's end. */
__attribute__((no_sanitize("thread"), noinline)) size_t edo__task_describe(edo__task *t, char *buf,
                                                                           size_t cap)
{
    size_t at = 0;
    put(buf, cap, &at, "task ");
    if (t->name[0] != '\0') {
        put(buf, cap, &at, "\"");
        put(buf, cap, &at, t->name);
        put(buf, cap, &at, "\" ");
    }
    put(buf, cap, &at, "(id ");
    put_number(buf, cap, &at, edo__task_id(t));
    put(buf, cap, &at, ")");
    if (t->site != NULL) {
        put(buf, cap, &at, " spawned at ");
        put(buf, cap, &at, t->site);
    }
    return at;
}

/* What is told of a task. */
typedef struct picture {
    edo__task *task;
    uint64_t id, parent;
    uint8_t state, why;
    const void *why_obj;
    const char *site;
    int64_t since;
    char name[EDO__TASK_NAME];
} picture;

/* Reads fields that their owner may be changing; see the head of this file. */
__attribute__((no_sanitize("thread"), noinline)) static bool take_picture(edo__task *t, picture *p)
{
    p->id = edo__aload(&t->id, EDO__ACQ);
    p->task = t;
    p->state = edo__aload(&t->state, EDO__ACQ);
    if (p->state == EDO__TASK_FREE)
        return false;
    p->parent = t->parent;
    p->why = edo__aload(&t->why, EDO__RLX);
    p->why_obj = t->why_obj;
    p->site = t->site;
    p->since = t->since;
    for (size_t i = 0; i < sizeof p->name; i++)
        p->name[i] = ((volatile char *)t->name)[i];
    p->name[sizeof p->name - 1] = '\0';
    edo__afence(EDO__ACQ);
    return edo__aload(&t->id, EDO__ACQ) == p->id;
}

/* The stack of a parked task; 0 when it is not parked. */
static size_t parked_stack(edo__task *t, void **pcs, size_t max)
{
    if (!edo__wait_freeze(t))
        return 0;
    size_t n = t->stack != NULL ? edo__unwind_context(&t->stack->ctx, pcs, max) : 0;
    edo__wait_thaw(t);
    return n;
}

/* The worker that runs t; NULL: none does. */
static edo__worker *runner_of(edo_runtime *rt, const edo__task *t)
{
    for (uint32_t i = 0; i < rt->n_workers; i++) {
        if (edo__aload(&rt->workers[i].current, EDO__ACQ) == t)
            return &rt->workers[i];
    }
    return NULL;
}

static bool is_waiting(const edo__task *t)
{
    uint32_t word = edo__aload(&t->word, EDO__ACQ);
    return word != EDO__WORD_IDLE && word < EDO__WAKE_CANCEL;
}

static void print_state(edo_runtime *rt, const picture *p, const char *state, FILE *f)
{
    fprintf(f, "task %llu", (unsigned long long)p->id);
    if (p->name[0] != '\0')
        fprintf(f, " \"%s\"", p->name);
    fprintf(f, ": %s", state);
    if (strcmp(state, "waiting") == 0 && p->why < EDO__WHYS) {
        fprintf(f, " for %s", why_names[p->why]);
        if (p->why_obj != NULL)
            fprintf(f, " %p", p->why_obj);
    }
    int64_t for_ns = edo__clock_now(rt) - p->since;
    fprintf(f, ", %.3f s", for_ns > 0 ? (double)for_ns / 1e9 : 0.0);
    if (p->parent != 0)
        fprintf(f, ", child of %llu", (unsigned long long)p->parent);
    if (p->site != NULL)
        fprintf(f, ", spawned at %s", p->site);
    fputc('\n', f);
}

static void print_picture(edo_runtime *rt, const picture *p, FILE *f)
{
    void *pcs[DUMP_FRAMES];
    size_t n = 0;
    edo__worker *runner = p->state == EDO__TASK_LIVE ? runner_of(rt, p->task) : NULL;
    const char *state = "ready";
    if (p->state == EDO__TASK_NEW) {
        state = "new";
    } else if (p->state == EDO__TASK_ENDED) {
        state = "ended";
    } else if (is_waiting(p->task)) {
        state = "waiting";
        n = parked_stack(p->task, pcs, DUMP_FRAMES);
    } else if (runner != NULL) {
        state = "running";
        if (runner == edo__current_worker(rt))
            n = edo__unwind_here(pcs, DUMP_FRAMES);
        else
            n = edo__monitor_stack(runner, pcs, DUMP_FRAMES);
    }
    print_state(rt, p, state, f);
    for (size_t i = 0; i < n; i++) {
        char symbol[256];
        edo__symbolize(pcs[i], symbol, sizeof symbol);
        fprintf(f, "    #%zu %s\n", i, symbol);
    }
}

int edo_dump(edo_runtime *rt, FILE *f)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    edo_metrics m;
    (void)edo_metrics_read(rt, &m);
    fprintf(f, "edo: runtime \"%s\": %u workers (%u parked), %llu tasks alive, %llu runnable\n",
            rt->name, m.workers, m.workers_parked, (unsigned long long)m.tasks_alive,
            (unsigned long long)(m.local_depth + m.inject_depth));
    int count = 0;
    size_t used = edo__arena_used(rt->arena);
    for (size_t i = 0; i < used; i++) {
        picture p;
        if (!take_picture(edo__arena_at(rt->arena, i), &p))
            continue;
        print_picture(rt, &p, f);
        count++;
    }
    fflush(f);
    return count;
}
