/* SPDX-License-Identifier: MIT */
/* No wake-up is lost by tasks that end, jobs, timers, descriptors and streams: see lost_wakeup.h. */
#include "lost_wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* ---- tasks, jobs, time, descriptors ---- */

static int behind_gate(void *arg)
{
    race *r = arg;
    return edo_event_wait(&r->gate);
}

static void gate_open(race *r)
{
    edo_event_set(&r->gate);
}

static void gate_shut(race *r)
{
    edo_event_init(&r->gate, EDO_EVENT_MANUAL);
}

static void joined_prepare(race *r)
{
    gate_shut(r);
    CHECK_OK(edo_spawn_with(r->group, NULL, &r->id, behind_gate, r));
}

static int joined_wait(race *r)
{
    edo_case cases[] = { EDO_JOINED(r->id) };
    int rc = edo_select(cases, 1);
    return rc < 0 ? rc : 0;
}

/* A group per attempt; its child goes on by the gate or by the cancel. */
static int group_wait(race *r)
{
    edo_group g;
    edo_result result = { 0 };
    CHECK_OK(edo_group_open(&g, NULL));
    int rc = edo_spawn(&g, behind_gate, r);
    if (rc == 0)
        rc = edo_group_next(&g, &result) == 1 ? result.code : -ECANCELED;
    (void)edo_group_close(&g);
    return rc;
}

static int close_wait(race *r)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    int rc = edo_spawn(&g, behind_gate, r);
    int closed = edo_group_close(&g);
    return rc < 0 ? rc : closed;
}

static int limit_wait(race *r)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 1 }));
    int rc = edo_spawn(&g, behind_gate, r);
    if (rc == 0)
        rc = edo_spawn(&g, behind_gate, r);
    int closed = edo_group_close(&g);
    return rc < 0 ? rc : closed;
}

static void tracker_prepare(race *r)
{
    gate_shut(r);
    CHECK_OK(edo_tracker_create(&r->on.tracker, r->rt, "race"));
    CHECK_OK(edo_tracker_spawn(r->on.tracker, behind_gate, r));
    edo_tracker_close(r->on.tracker);
}

static int tracker_wait(race *r)
{
    return edo_tracker_wait(r->on.tracker);
}

static void tracker_finish(race *r)
{
    edo_tracker_destroy(r->on.tracker);
}

static void event_init(race *r)
{
    edo_event_init(&r->event, EDO_EVENT_AUTO);
}

static int event_wait(race *r)
{
    return edo_event_wait(&r->event);
}

static int set_event(void *arg)
{
    race *r = arg;
    edo_event_set(&r->event);
    return 0;
}

static void spawn_wake(race *r)
{
    CHECK_OK(edo_runtime_spawn(r->rt, set_event, r));
}

static int job(void *arg)
{
    race *r = arg;
    distance(&r->mark);
    return 0;
}

static int blocking_wait(race *r)
{
    return edo_blocking(job, r);
}

static int sleep_wait(race *r)
{
    return edo_sleep((int64_t)(test_rand(&r->wait_seed) % 16) * 2500);
}

static int deadline_wait(race *r)
{
    edo_scope s;
    edo_scope_open(&s, (int64_t)(test_rand(&r->wait_seed) % 16) * 2500);
    int rc = edo_scope_close(&s, edo_event_wait(&r->gate)); /* never set */
    return rc == -ETIMEDOUT ? 0 : rc;
}

static void nothing(race *r)
{
    (void)r;
}

static void fd_init(race *r)
{
    r->on.fd[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK_INT(r->on.fd[0], >=, 0);
}

static void fd_deinit(race *r)
{
    close(r->on.fd[0]);
}

static int fd_wait(race *r)
{
    int rc = edo_wait_fd(r->on.fd[0], EDO_READABLE);
    return rc > 0 ? 0 : rc;
}

static int fd_select(race *r)
{
    edo_case cases[] = { EDO_READABLE(r->on.fd[0]), EDO_EVENT(&r->gate) };
    int rc = edo_select(cases, 2);
    return rc < 0 ? rc : 0;
}

static void fd_wake(race *r)
{
    uint64_t one = 1;
    CHECK_INT(write(r->on.fd[0], &one, sizeof one), ==, sizeof one);
}

static void fd_after(race *r)
{
    uint64_t n;
    CHECK_INT(read(r->on.fd[0], &n, sizeof n), ==, sizeof n);
}

static void duplex_init(race *r)
{
    CHECK_OK(edo_duplex(&r->on.stream[0], &r->on.stream[1], 16));
}

static void duplex_deinit(race *r)
{
    edo_close(r->on.stream[0]);
    edo_close(r->on.stream[1]);
}

static int duplex_wait(race *r)
{
    char byte;
    ssize_t n = edo_read(r->on.stream[0], &byte, 1);
    return n == 1 ? 0 : (int)n;
}

static void duplex_wake(race *r)
{
    CHECK_INT(edo_write(r->on.stream[1], "x", 1), ==, 1);
}

static const race_kind kinds[] = {
    RACE("join", joined_wait, gate_open, .prepare = joined_prepare, .flags = TASK_WAITS),
    RACE("group next", group_wait, gate_open, .prepare = gate_shut, .flags = TASK_WAITS),
    RACE("group close", close_wait, gate_open, .prepare = gate_shut, .flags = TASK_WAITS),
    RACE("group limit", limit_wait, gate_open, .prepare = gate_shut, .flags = TASK_WAITS),
    RACE("tracker", tracker_wait, gate_open, .prepare = tracker_prepare, .finish = tracker_finish),
    RACE("runtime spawn", event_wait, spawn_wake, .init = event_init),
    RACE("blocking job", blocking_wait, nothing),
    RACE("sleep", sleep_wait, nothing),
    RACE("deadline", deadline_wait, nothing),
    RACE("descriptor", fd_wait, fd_wake, .init = fd_init, .deinit = fd_deinit, .after = fd_after),
    RACE("descriptor in select", fd_select, fd_wake, .init = fd_init, .deinit = fd_deinit,
         .after = fd_after),
    RACE("duplex", duplex_wait, duplex_wake, .init = duplex_init, .deinit = duplex_deinit),
};

RACES_OF(kinds)
TEST_MAIN()
