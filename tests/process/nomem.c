/* SPDX-License-Identifier: MIT */
/* Each allocation of a start fails, then each descriptor: a code says so, nothing is left. */
#include "../rt/nomem.h"

#include "process_test.h"

#include <sys/resource.h>

static const char *const change[] = { "EDO_TEST=x", NULL };

static int starts(void)
{
    edo_process p;
    edo_process_options o = { .env_change = change,
                              .in.kind = EDO_STDIO_PIPE,
                              .out.kind = EDO_STDIO_PIPE,
                              .err.kind = EDO_STDIO_PIPE };
    int rc = edo_process_spawn(&p, ARGV("true"), &o);
    edo_process_close(&p);
    no_child_is_left();
    return refused(rc);
}

static int runs(void)
{
    int rc = edo_process_run(ARGV("true"), &(edo_process_options){ .env_change = change }, NULL);
    no_child_is_left();
    return refused(rc);
}

static int captures(void)
{
    edo_output out;
    edo_process_options o = { .input = "text", .input_size = 4 };
    int rc = edo_process_output(SHELL("cat; echo error >&2"), &o, &out);
    no_child_is_left();
    if (refused(rc)) {
        CHECK(out.out == NULL && out.err == NULL);
        return rc;
    }
    CHECK_STR(out.out, "text");
    CHECK_STR(out.err, "error\n");
    edo_output_free(&out);
    return 0;
}

TEST_TIMEOUT(allocations_of_a_start, 60)
{
    needs_own_malloc();
    warm_up();
    fail_each(starts);
    fail_each(runs);
    fail_each(captures);
}

/* With room for so many descriptors more, from none on. Returns how many it took. */
static unsigned with_room(int (*attempt)(void), rlim_t from)
{
    unsigned fds = count_fds();
    struct rlimit before, now;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    now = before;
    unsigned room = 0;
    for (int rc = -1; rc < 0; room++) {
        CHECK_UINT(room, <, 40);
        now.rlim_cur = from + room;
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &now));
        rc = attempt();
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
        CHECK(rc == 0 || rc == -EMFILE || rc == -EINVAL); /* a number beyond the limit: EINVAL */
        CHECK_UINT(count_fds(), ==, fds);
        no_child_is_left();
    }
    return room;
}

static int spawns(void)
{
    edo_process p;
    edo_process_options o = { .in.kind = EDO_STDIO_PIPE,
                              .out.kind = EDO_STDIO_PIPE,
                              .err.kind = EDO_STDIO_PIPE,
                              .fds = (int[]){ 0, 1 },
                              .fd_count = 2 };
    int rc = edo_process_spawn(&p, ARGV("true"), &o);
    edo_process_close(&p);
    return rc;
}

static int spawns_plainly(void)
{
    edo_process p;
    int rc = edo_process_spawn(&p, ARGV("true"), NULL);
    edo_process_close(&p);
    return rc;
}

TEST_TIMEOUT(descriptors_of_a_start, 60)
{
    warm_up();
    int next = dup(0);
    CHECK_OK(next);
    close(next);
    unsigned plainly = with_room(spawns_plainly, (rlim_t)next);
    unsigned all = with_room(spawns, (rlim_t)next);
    CHECK_UINT(plainly, >=, 3);
    CHECK_UINT(all, >=, 6);
    printf("# %u and %u descriptors, each refused once\n", plainly, all);
}

TEST_MAIN()
