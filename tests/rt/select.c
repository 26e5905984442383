/* SPDX-License-Identifier: MIT */
/* Select: every kind of case, losers without effect, fairness. Storms are in select_storm.c. */
#include "storm.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static int ready_cases(void *arg)
{
    edo_chan *full, *room;
    int v = 5, got = 0;
    edo_event e = EDO_EVENT_INIT, a = EDO_EVENT_AUTO_INIT;
    edo_notify n = EDO_NOTIFY_INIT;
    edo_token *t;
    (void)arg;
    CHECK_OK(edo_chan_create(&full, sizeof(int), 1));
    CHECK_OK(edo_chan_create(&room, sizeof(int), 1));
    CHECK_OK(edo_token_create(&t));
    edo_case cases[] = { EDO_RECV(room, &got),  EDO_SEND(full, &v),       EDO_EVENT(&e),
                         EDO_EVENT(&a),         EDO_NOTIFIED(&n),         EDO_TOKEN(t),
                         EDO_AFTER(EDO_SEC(9)), { .kind = EDO_CASE_NONE } };
    const size_t count = sizeof cases / sizeof *cases;
    CHECK_OK(edo_chan_send(full, &v));
    CHECK_INT(edo_select_nowait(cases, count), ==, -EAGAIN);

    CHECK_OK(edo_chan_send(room, &v));
    CHECK_INT(edo_select(cases, count), ==, 0);
    CHECK_INT(cases[0].result, ==, 0);
    CHECK_INT(got, ==, 5);
    CHECK_OK(edo_chan_recv(full, &got));
    v = 6;
    CHECK_INT(edo_select(cases, count), ==, 1);
    CHECK_OK(edo_chan_recv(full, &got));
    CHECK_INT(got, ==, 6);
    cases[1].kind = EDO_CASE_NONE;
    edo_event_set(&e);
    CHECK_INT(edo_select(cases, count), ==, 2);
    CHECK(edo_event_is_set(&e));
    edo_event_reset(&e);
    edo_event_set(&a);
    CHECK_INT(edo_select_nowait(cases, count), ==, 3);
    CHECK(!edo_event_is_set(&a));
    edo_notify_one(&n);
    CHECK_INT(edo_select(cases, count), ==, 4);
    CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    edo_token_cancel(t);
    CHECK_INT(edo_select(cases, count), ==, 5);
    cases[5].kind = EDO_CASE_NONE;
    cases[6].number = 0;
    CHECK_INT(edo_select_nowait(cases, count), ==, 6);
    cases[6].number = EDO_FOREVER;
    edo_chan_close(room);
    CHECK_INT(edo_select(cases, count), ==, 0);
    CHECK_INT(cases[0].result, ==, -EPIPE);
    cases[0] = (edo_case)EDO_SEND(room, &v);
    CHECK_INT(edo_select(cases, count), ==, 0);
    CHECK_INT(cases[0].result, ==, -EPIPE);
    edo_token_release(t);
    edo_chan_unref(full);
    edo_chan_unref(room);
    return 0;
}

TEST(what_is_ready)
{
    run_on(1, ready_cases, NULL);
}

static int refusals(void *arg)
{
    static edo_case many[65];
    edo_case bad = { .kind = (edo_case_kind)99 }, none = { .kind = EDO_CASE_NONE };
    edo_case null = { .kind = EDO_CASE_RECV }, fd = EDO_READABLE(-1), huge = EDO_READABLE(1L << 40);
    edo_scope s;
    (void)arg;
    CHECK_INT(edo_select(many, 65), ==, -EINVAL);
    CHECK_INT(edo_select_nowait(many, 65), ==, -EINVAL);
    CHECK_INT(edo_select_nowait(many, 64), ==, -EAGAIN);
    CHECK_INT(edo_select(NULL, 1), ==, -EINVAL);
    CHECK_INT(edo_select(&bad, 1), ==, -EINVAL);
    CHECK_INT(edo_select(&null, 1), ==, -EINVAL);
    CHECK_INT(edo_select(&fd, 1), ==, -EBADF);
    CHECK_INT(edo_select(&huge, 1), ==, -EBADF);
    CHECK_INT(edo_select_nowait(&fd, 1), ==, -EBADF);
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1))); /* no cases: until cancelled */
    CHECK_INT(edo_scope_close(&s, edo_select(NULL, 0)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1)));
    CHECK_INT(edo_scope_close(&s, edo_select(&none, 1)), ==, -ETIMEDOUT);
    return 0;
}

TEST(refusals_and_empty)
{
    run_on(1, refusals, NULL);
}

/* Each kind while it waits: who wakes it runs after it has parked. */
typedef struct scene {
    edo_chan *in, *out;
    edo_event *event;
    edo_notify *notify;
    edo_token *token;
    int pipe_fd;
    int which;
} scene;

static int actor(void *arg)
{
    scene *s = arg;
    int v = 77;
    switch (s->which) {
    case 0: return edo_chan_send(s->in, &v);
    case 1:
        CHECK_OK(edo_chan_recv(s->out, &v));
        CHECK_INT(v, ==, 33);
        return 0;
    case 2: edo_event_set(s->event); return 0;
    case 3: edo_notify_one(s->notify); return 0;
    case 4: edo_token_cancel(s->token); return 0;
    case 5: CHECK_INT(write(s->pipe_fd, "x", 1), ==, 1); return 0;
    default: edo_chan_close(s->in); return 0;
    }
}

static int waiting_cases(void *arg)
{
    edo_event e = EDO_EVENT_INIT;
    edo_notify n = EDO_NOTIFY_INIT;
    int fds[2], got = 0, v = 33;
    scene s = { .event = &e, .notify = &n };
    (void)arg;
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_OK(edo_chan_create(&s.in, sizeof(int), 0));
    CHECK_OK(edo_chan_create(&s.out, sizeof(int), 0));
    CHECK_OK(edo_token_create(&s.token));
    s.pipe_fd = fds[1];
    edo_case cases[] = { EDO_RECV(s.in, &got),     EDO_SEND(s.out, &v),   EDO_EVENT(&e),
                         EDO_NOTIFIED(&n),         EDO_TOKEN(s.token),    EDO_READABLE(fds[0]),
                         EDO_AFTER(EDO_SEC(3600)), EDO_JOINED(UINT64_MAX) };
    cases[7].kind = EDO_CASE_NONE;
    for (s.which = 0; s.which <= 6; s.which++) {
        edo_group g;
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, actor, &s));
        int i = edo_select(cases, 8);
        CHECK_INT(i, ==, s.which == 6 ? 0 : s.which);
        CHECK_INT(cases[i].result, ==, s.which == 6 ? -EPIPE : s.which == 5 ? EDO_READABLE : 0);
        CHECK_OK(edo_group_close(&g));
        cases[4].kind = s.which >= 4 ? EDO_CASE_NONE : EDO_CASE_TOKEN;
        cases[5].kind = s.which >= 5 ? EDO_CASE_NONE : EDO_CASE_FD;
        edo_event_reset(&e);
        /* losers had no effect: nobody is left in any queue, nothing was taken */
        CHECK_INT(edo_chan_send_nowait(s.in, &v), ==, s.which == 6 ? -EPIPE : -EAGAIN);
        CHECK_INT(edo_chan_recv_nowait(s.out, &v), ==, -EAGAIN);
        CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    }
    CHECK_INT(got, ==, 77);
    edo_token_release(s.token);
    edo_chan_unref(s.in);
    edo_chan_unref(s.out);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(what_becomes_ready)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], waiting_cases, NULL);
}

static int after(void *arg)
{
    edo_chan *c;
    int v;
    (void)arg;
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_chan_create(&c, sizeof(int), 0));
    edo_case cases[] = { EDO_RECV(c, &v), EDO_AFTER(EDO_SEC(100)), EDO_AFTER(EDO_SEC(60)),
                         EDO_AFTER(EDO_FOREVER) };
    int64_t before = edo_now();
    CHECK_INT(edo_select(cases, 4), ==, 2);
    CHECK_INT(cases[2].result, ==, 0);
    CHECK_INT(edo_now() - before, >=, EDO_SEC(60));
    CHECK_INT(edo_now() - before, <, EDO_SEC(61));
    edo_scope s;
    CHECK_OK(edo_scope_open(&s, EDO_SEC(10))); /* sooner */
    CHECK_INT(edo_scope_close(&s, edo_select(cases, 4)), ==, -ETIMEDOUT);
    CHECK_OK(edo_scope_open(&s, EDO_SEC(1000)));
    CHECK_INT(edo_scope_close(&s, edo_select(cases, 4)), ==, 2);
    edo_chan_unref(c);
    return 0;
}

TEST(after_is_the_shortest)
{
    run_on(1, after, NULL);
}

static int cancelled_before(void *arg)
{
    edo_chan *c;
    int v = 1;
    edo_scope s;
    (void)arg;
    CHECK_OK(edo_chan_create(&c, sizeof(int), 2));
    CHECK_OK(edo_chan_send(c, &v));
    edo_case cases[] = { EDO_RECV(c, &v), EDO_SEND(c, &v) };
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_select(cases, 2)), ==, -ETIMEDOUT);
    CHECK_UINT(edo_chan_len(c), ==, 1);
    edo_chan_unref(c);
    return 0;
}

TEST(cancelled_is_without_effect)
{
    run_on(1, cancelled_before, NULL);
}

static int returns_soon(void *arg)
{
    (void)edo_yield();
    return *(int *)arg;
}

static int joined(void *arg)
{
    edo_group g;
    uint64_t a, b;
    int code_a = 11, code_b = 22;
    (void)arg;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, NULL, &a, returns_soon, &code_a));
    edo_case one[] = { EDO_JOINED(a), EDO_AFTER(EDO_SEC(3600)) };
    CHECK_INT(edo_select(one, 2), ==, 0);
    CHECK_INT(one[0].result, ==, 11);
    CHECK_OK(edo_spawn_with(&g, NULL, &b, returns_soon, &code_b));
    edo_case both[] = { EDO_JOINED(b), { .kind = EDO_CASE_NONE } };
    CHECK_INT(edo_select(both, 2), ==, 0);
    CHECK_INT(both[0].result, ==, 22);
    CHECK_INT(edo_select_nowait(both, 2), ==, 0); /* its result has not been taken yet */
    CHECK_INT(both[0].result, ==, 22);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(edo_select(both, 2), ==, 0); /* taken; a moment later it is forgotten */
    CHECK(both[0].result == -ESRCH || both[0].result == 22);
    edo_case nobody[] = { EDO_JOINED(0), EDO_JOINED(UINT64_MAX) };
    int i = edo_select(nobody, 2);
    CHECK(i == 0 || i == 1);
    CHECK_INT(nobody[i].result, ==, -ESRCH);
    return 0;
}

TEST(joined_tasks)
{
    EACH_WORKER_COUNT(i) run_on(worker_counts[i], joined, NULL);
}

/* Both ends of one channel in one select do not meet each other. */
static int other_end(void *arg)
{
    edo_chan *c = arg;
    int v = 9;
    return edo_chan_send(c, &v);
}

static int self_match(void *arg)
{
    size_t cap = *(size_t *)arg;
    edo_chan *c;
    int in = 0, out = 4;
    edo_group g;
    CHECK_OK(edo_chan_create(&c, sizeof(int), cap));
    edo_case cases[] = { EDO_RECV(c, &in), EDO_SEND(c, &out), EDO_RECV(c, &in) };
    if (cap == 0) {
        for (int i = 0; i < 10; i++)
            CHECK_INT(edo_select_nowait(cases, 3), ==, -EAGAIN);
        CHECK_OK(edo_clock_pause());
        edo_scope s;
        CHECK_OK(edo_scope_open(&s, EDO_MS(5)));
        CHECK_INT(edo_scope_close(&s, edo_select(cases, 3)), ==, -ETIMEDOUT);
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn(&g, other_end, c));
        int i = edo_select(cases, 3);
        CHECK(i == 0 || i == 2);
        CHECK_INT(in, ==, 9);
        CHECK_OK(edo_group_close(&g));
    } else {
        CHECK_INT(edo_select(cases, 3), ==, 1);
        CHECK_OK(edo_chan_recv_nowait(c, &in));
        CHECK_INT(in, ==, 4);
    }
    edo_chan_unref(c);
    return 0;
}

TEST(does_not_meet_itself)
{
    run_on(1, self_match, &(size_t){ 0 });
    run_on(1, self_match, &(size_t){ 1 });
    run_on(1, self_match, &(size_t){ EDO_UNBOUNDED });
}

/* Of several ready ones each is as likely: chi square with 4 degrees of freedom. */
static int fairness(void *arg)
{
    edo_chan *c[8];
    int v = 0, hits[8] = { 0 };
    const int rounds = 20000;
    edo_case cases[9];
    (void)arg;
    for (int i = 0; i < 8; i++) {
        CHECK_OK(edo_chan_create(&c[i], sizeof(int), 1));
        cases[i] = (edo_case)EDO_RECV(c[i], &v);
    }
    cases[8] = (edo_case)EDO_AFTER(EDO_SEC(3600));
    for (int i = 0; i < 5; i++) /* 0..4 are always ready, their neighbours never */
        CHECK_OK(edo_chan_send(c[i], &v));
    for (int k = 0; k < rounds; k++) {
        int i = edo_select(cases, 9);
        CHECK_INT(i, >=, 0);
        CHECK_INT(i, <, 5);
        hits[i]++;
        CHECK_OK(edo_chan_send(c[i], &v));
    }
    double chi = 0, expected = rounds / 5.0;
    for (int i = 0; i < 5; i++)
        chi += (hits[i] - expected) * (hits[i] - expected) / expected;
    printf("chi square %.2f\n", chi);
    CHECK(chi < 33.4); /* once in a million by chance */
    for (int i = 0; i < 8; i++)
        edo_chan_unref(c[i]);
    return 0;
}

TEST(fair_among_the_ready)
{
    run_on(1, fairness, NULL);
    CHECK_OK(fairness(NULL)); /* a foreign thread */
}

/* The same when all must be armed to be looked at. */
static int fairness_armed(void *arg)
{
    int fds[2], hits[3] = { 0 }, v = 0;
    const int rounds = 3000;
    edo_chan *c;
    edo_event e = EDO_EVENT_INIT;
    (void)arg;
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(write(fds[1], "x", 1), ==, 1);
    CHECK_OK(edo_chan_create(&c, sizeof(int), 1));
    edo_event_set(&e);
    edo_case cases[] = { EDO_READABLE(fds[0]), EDO_SEND(c, &v), EDO_EVENT(&e) };
    for (int k = 0; k < rounds; k++) {
        int i = edo_select(cases, 3);
        CHECK_INT(i, >=, 0);
        hits[i]++;
        if (i == 1)
            CHECK_OK(edo_chan_recv_nowait(c, &v));
        CHECK_UINT(edo_chan_len(c), ==, 0);
    }
    for (int i = 0; i < 3; i++) {
        printf("case %d: %d of %d\n", i, hits[i], rounds);
        CHECK_INT(hits[i], >, rounds / 3 - rounds / 15);
        CHECK_INT(hits[i], <, rounds / 3 + rounds / 15);
    }
    edo_chan_unref(c);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(fair_with_descriptors)
{
    run_on(1, fairness_armed, NULL);
    CHECK_OK(fairness_armed(NULL)); /* a foreign thread */
}

static int writes_soon(void *arg)
{
    sched_yield();
    CHECK_INT(write(*(int *)arg, "x", 1), ==, 1);
    return 0;
}

TEST(descriptor_on_a_foreign_thread)
{
    int fds[2], v;
    foreign_call writer;
    edo_chan *c;
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_OK(edo_chan_create(&c, sizeof(int), 0));
    edo_case cases[] = { EDO_RECV(c, &v), EDO_READABLE(fds[0]), EDO_AFTER(EDO_SEC(3600)) };
    CHECK_INT(edo_select_nowait(cases, 3), ==, -EAGAIN);
    foreign_start(&writer, writes_soon, &fds[1]);
    CHECK_INT(edo_select(cases, 3), ==, 1);
    CHECK_INT(cases[1].result, ==, EDO_READABLE);
    foreign_join(&writer);
    edo_chan_unref(c);
    close(fds[0]);
    close(fds[1]);
}

TEST_MAIN()
