/* SPDX-License-Identifier: MIT */
/* Ending processes: by signal, with grace, whole groups, when their scope ends; cancels at every place
 * where one can wait; letting them go. */
#include "process_test.h"

#include <signal.h>

/* Starts a shell and waits until its script has printed a line. */
static void start(edo_process *p, const char *script, edo_process_options o, char *line,
                  size_t size)
{
    o.out.kind = EDO_STDIO_PIPE;
    CHECK_OK(edo_process_spawn(p, SHELL(script), &o));
    size_t n = 0;
    do {
        CHECK_INT(edo_read(p->out, line + n, 1), ==, 1);
    } while (line[n] != '\n' && ++n < size - 1);
    line[n] = '\0';
}

static pid_t start_two(edo_process *p, const char *script, edo_process_options o)
{
    char line[32];
    start(p, script, o, line, sizeof line);
    return (pid_t)atoi(line);
}

#define OBEYS "echo $$; exec sleep 1000"
#define STUBBORN "trap '' TERM; echo $$; while :; do sleep 1000; done"
#define CLEANS_UP "trap 'exit 9' TERM; echo $$; while :; do sleep 0.01; done"

static int by_signal(void *arg)
{
    (void)arg;
    edo_process p;
    edo_exit e;
    start_two(&p, OBEYS, (edo_process_options){ .grace = 0 });
    CHECK_INT(edo_process_wait_nowait(&p, &e), ==, -EAGAIN);
    CHECK_INT(edo_process_signal(&p, 1000), ==, -EINVAL);
    CHECK_OK(edo_process_signal(&p, 0));
    CHECK_OK(edo_process_signal(&p, SIGUSR1));
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.code, ==, -1);
    CHECK_INT(e.signal, ==, SIGUSR1);
    CHECK_INT(edo_process_kill(&p), ==, -ESRCH);
    edo_process_close(&p);
    CHECK_INT(edo_process_kill(&p), ==, -ESRCH);
    CHECK_INT(edo_process_wait_nowait(&p, NULL), ==, -EINVAL);
    start_two(&p, STUBBORN, (edo_process_options){ .grace = 0 });
    CHECK_OK(edo_process_kill(&p));
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.signal, ==, SIGKILL);
    edo_process_close(&p);
    return 0;
}

TEST(by_a_signal)
{
    EACH_WORKERS(workers)
    run_checked(workers, by_signal, NULL);
}

static int with_grace(void *arg)
{
    (void)arg;
    edo_process p;
    edo_exit e;
    start_two(&p, CLEANS_UP, (edo_process_options){ .grace = 0 });
    CHECK_OK(edo_process_terminate(&p, EDO_SEC(3600), &e));
    CHECK_INT(e.code, ==, 9);
    CHECK_OK(edo_process_terminate(&p, EDO_SEC(3600), &e)); /* has ended already */
    edo_process_close(&p);
    start_two(&p, STUBBORN, (edo_process_options){ .grace = 0 });
    CHECK_OK(edo_process_terminate(&p, EDO_MS(5), &e));
    CHECK_INT(e.signal, ==, SIGKILL);
    edo_process_close(&p);
    start_two(&p, CLEANS_UP, (edo_process_options){ .grace = 0 });
    CHECK_OK(edo_process_terminate(&p, 0, &e));
    CHECK_INT(e.signal, ==, SIGKILL);
    edo_process_close(&p);
    pid_t pid = start_two(&p, CLEANS_UP, (edo_process_options){ .grace = EDO_SEC(3600) });
    CHECK_OK(edo_process_signal(&p, SIGSTOP)); /* one that is stopped ends as well */
    edo_process_close(&p);
    CHECK(!is_there(pid));
    return 0;
}

TEST(with_time_to_clean_up)
{
    EACH_WORKERS(workers)
    run_checked(workers, with_grace, NULL);
}

static int closes(void *arg)
{
    (void)arg;
    edo_process p;
    pid_t pid = start_two(&p, OBEYS, (edo_process_options){ .grace = EDO_SEC(3600) });
    edo_process_close(&p);
    CHECK(!is_there(pid));
    pid = start_two(&p, STUBBORN, (edo_process_options){ .grace = EDO_MS(5) });
    edo_process_close(&p);
    CHECK(!is_there(pid));
    pid = start_two(&p, STUBBORN, (edo_process_options){ .grace = -1 });
    edo_process_close(&p);
    CHECK(!is_there(pid));
    edo_scope s; /* in a scope that is cancelled: cleanup all the same */
    pid = start_two(&p, STUBBORN, (edo_process_options){ .grace = EDO_MS(5) });
    edo_scope_open(&s, 0);
    CHECK_INT(edo_process_wait(&p, NULL), ==, -ECANCELED);
    edo_process_close(&p);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    CHECK(!is_there(pid));
    return 0;
}

TEST(when_its_scope_ends)
{
    EACH_WORKERS(workers)
    run_checked(workers, closes, NULL);
}

/* A shell and a child of it: prints the child's number. */
#define FAMILY "sleep 1000 & echo $!; wait"
#define ORPHAN "sleep 1000 & echo $!; exit 4"

static void until_gone(pid_t pid)
{
    while (is_there(pid)) {
        (void)waitpid(pid, NULL, WNOHANG); /* ours by adoption */
        CHECK_OK(edo_yield());
    }
}

static int groups(void *arg)
{
    (void)arg;
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); /* so that somebody reaps grandchildren */
    edo_process p;
    edo_exit e;
    edo_process_options lead = { .group = true };
    pid_t grandchild = start_two(&p, FAMILY, lead);
    CHECK_OK(edo_process_kill(&p));
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.signal, ==, SIGKILL);
    until_gone(grandchild);
    edo_process_close(&p);

    grandchild = start_two(&p, ORPHAN, lead); /* the leader ends, its child goes on */
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.code, ==, 4);
    CHECK(is_there(grandchild));
    CHECK(is_there(p.pid)); /* kept, so that its group stays its own */
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.code, ==, 4);
    edo_process_close(&p); /* kills what is left of the group */
    until_gone(grandchild);

    grandchild = start_two(&p, FAMILY, (edo_process_options){ .grace = 0 }); /* without a group */
    edo_process_close(&p);
    CHECK(is_there(grandchild));
    CHECK_INT(kill(grandchild, SIGKILL), ==, 0);
    until_gone(grandchild);
    return 0;
}

TEST(with_its_whole_group)
{
    run_checked(1, groups, NULL);
    run_checked(2, groups, NULL);
}

/* ---- cancels ---- */

typedef struct waiting {
    edo_process *p;
    unsigned *began; /* atomic */
    int rc;
} waiting;

static int waits(void *arg)
{
    waiting *w = arg;
    ADD(w->began, 1);
    w->rc = edo_process_wait(w->p, NULL);
    return 0;
}

/* Several wait for one; a cancel ends the waits, not the process. */
static int shared_waits(void *arg)
{
    (void)arg;
    edo_process p;
    unsigned began = 0;
    start_two(&p, OBEYS, (edo_process_options){ .grace = 0 });
    for (int round = 0; round < 2; round++) {
        edo_group g;
        waiting w[4];
        edo_group_open(&g, NULL);
        for (int i = 0; i < 4; i++) {
            w[i] = (waiting){ &p, &began, 1 };
            CHECK_OK(edo_spawn(&g, waits, &w[i]));
        }
        while (LOAD(&began) < 4u * (unsigned)(round + 1))
            CHECK_OK(edo_yield());
        if (round == 0)
            edo_group_cancel(&g);
        else
            CHECK_OK(edo_process_kill(&p));
        CHECK_OK(edo_group_close(&g));
        for (int i = 0; i < 4; i++)
            CHECK_INT(w[i].rc, ==, round == 0 ? -ECANCELED : 0);
    }
    edo_process_close(&p);
    return 0;
}

TEST(several_wait_for_one)
{
    EACH_WORKERS(workers)
    run_checked(workers, shared_waits, NULL);
}

static int selects(void *arg)
{
    (void)arg;
    edo_process p;
    start_two(&p, OBEYS, (edo_process_options){ .grace = 0 });
    edo_case cases[] = { EDO_EXITED(&p), EDO_AFTER(EDO_MS(1)) };
    CHECK_INT(edo_select(cases, 2), ==, 1);
    CHECK_OK(edo_process_kill(&p));
    CHECK_INT(edo_select(cases, 1), ==, 0);
    CHECK_OK(edo_process_wait_nowait(&p, NULL));
    edo_process_close(&p);
    return 0;
}

TEST(a_case_of_select)
{
    EACH_WORKERS(workers)
    run_checked(workers, selects, NULL);
}

/* Cancelled after a random time, wherever it then is: nothing is left. */
static int runs(void *arg)
{
    uint64_t *random = arg;
    edo_scope s;
    edo_output out;
    int rc, kind = (int)(test_rand(random) % 4);
    edo_process_options o = { .grace = EDO_MS(1), .input = "input", .input_size = 5 };
    o.group = test_rand(random) % 2 == 0;
    edo_scope_open(&s, EDO_US((int64_t)(test_rand(random) % 4000)));
    if (kind < 2) {
        rc = edo_process_run(kind == 0 ? ARGV("true") : ARGV("sleep", "1000"), &o, NULL);
    } else {
        const char *script = kind == 2 ? "cat; echo x >&2" : "cat; exec sleep 1000";
        rc = edo_process_output(SHELL(script), &o, &out);
        if (rc == 0)
            edo_output_free(&out);
    }
    rc = edo_scope_close(&s, rc);
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    return 0;
}

static int cancels_anywhere(void *arg)
{
    (void)arg;
    uint64_t random = test_seed();
    for (unsigned i = 0; i < test_scale(60); i++) {
        edo_group g;
        edo_group_open(&g, NULL);
        uint64_t seeds[4];
        for (int n = 0; n < 4; n++) {
            seeds[n] = test_rand(&random);
            CHECK_OK(edo_spawn(&g, runs, &seeds[n]));
        }
        CHECK_OK(edo_group_close(&g));
        no_child_is_left();
    }
    return 0;
}

TEST_TIMEOUT(cancelled_anywhere, 120)
{
    EACH_WORKERS(workers)
    run_checked(workers, cancels_anywhere, NULL);
}

/* ---- letting go ---- */

static int lets_go(void *arg)
{
    (void)arg;
    edo_process p;
    pid_t pid = start_two(&p, OBEYS, (edo_process_options){ .grace = 0 });
    CHECK_OK(edo_process_detach(&p));
    edo_process_close(&p);
    CHECK(is_there(pid));
    CHECK_INT(kill(pid, SIGKILL), ==, 0);
    while (is_there(pid)) /* reaped by itself */
        CHECK_OK(edo_yield());
    pid = start_two(&p, OBEYS, (edo_process_options){ .group = true });
    CHECK_OK(edo_process_kill(&p));
    CHECK_OK(edo_process_wait(&p, NULL));
    CHECK_OK(edo_process_detach(&p));
    while (is_there(pid))
        CHECK_OK(edo_yield());
    CHECK_OK(edo_process_spawn(&p, ARGV("true"), NULL));
    CHECK_OK(edo_process_wait(&p, NULL));
    CHECK_OK(edo_process_detach(&p));
    CHECK_INT(edo_process_detach(&p), ==, -EINVAL);
    return 0;
}

/* The thread that waited closes its descriptor right after it has reaped. */
static int leaves_no_descriptor(void *arg)
{
    (void)arg;
    unsigned fds = count_fds();
    CHECK_OK(lets_go(NULL));
    while (count_fds() != fds)
        CHECK_OK(edo_yield());
    return 0;
}

TEST(lets_it_go_on)
{
    run_checked(1, leaves_no_descriptor, NULL);
}

/* ---- a host that ignores its children ---- */

static int unknown_end(void *arg)
{
    (void)arg;
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    edo_process p;
    edo_exit e;
    CHECK_OK(edo_process_spawn(&p, ARGV("true"), NULL));
    CHECK_INT(edo_process_wait(&p, &e), ==, -ECHILD);
    CHECK_INT(e.code, ==, -1);
    edo_process_close(&p);
    CHECK_INT(edo_process_spawn(&p, ARGV("no-such-program"), NULL), ==, -ENOENT);
    start_two(&p, STUBBORN, (edo_process_options){ .grace = -1 });
    edo_process_close(&p);
    return 0;
}

TEST(children_that_are_ignored)
{
    run_checked(2, unknown_end, NULL);
}

TEST_MAIN()
