/* SPDX-License-Identifier: MIT */
/* edo_process_output(): all streams at the same time, limits, others that keep the output open. */
#include "process_test.h"

#include <signal.h>

static int captures(void *arg)
{
    (void)arg;
    edo_output out;
    CHECK_OK(edo_process_output(SHELL("echo out; echo err >&2; exit 3"), NULL, &out));
    CHECK_STR(out.out, "out\n");
    CHECK_UINT(out.out_size, ==, 4);
    CHECK_STR(out.err, "err\n");
    CHECK_UINT(out.err_size, ==, 4);
    CHECK_INT(out.exit.code, ==, 3);
    CHECK(!out.cut);
    edo_output_free(&out);
    edo_output_free(&out);
    CHECK_OK(edo_process_output(SHELL("cat"), NULL, &out)); /* nothing to read */
    CHECK_STR(out.out, "");
    edo_output_free(&out);
    edo_process_options o = { .err.kind = EDO_STDIO_OUT };
    CHECK_OK(edo_process_output(SHELL("echo 1; echo 2 >&2"), &o, &out));
    CHECK_STR(out.out, "1\n2\n");
    CHECK(out.err == NULL);
    edo_output_free(&out);
    o = (edo_process_options){ .out.kind = EDO_STDIO_NULL };
    CHECK_OK(edo_process_output(SHELL("echo 1; kill -15 $$"), &o, &out));
    CHECK(out.out == NULL);
    CHECK_INT(out.exit.signal, ==, SIGTERM);
    edo_output_free(&out);
    return 0;
}

TEST(both_outputs_and_the_end)
{
    EACH_WORKERS(workers)
    run_checked(workers, captures, NULL);
}

#define LARGE (3u << 20)

/* More than any pipe holds, in all three directions at once. */
static int large(void *arg)
{
    (void)arg;
    char *input = malloc(LARGE);
    CHECK(input != NULL);
    for (size_t i = 0; i < LARGE; i++)
        input[i] = (char)(i % 251 == 0 ? '\n' : 'a' + (int)(i % 23));
    edo_process_options o = { .input = input, .input_size = LARGE };
    edo_output out;
    CHECK_OK(edo_process_output(ARGV("tee", "/dev/stderr"), &o, &out));
    CHECK_UINT(out.out_size, ==, LARGE);
    CHECK_UINT(out.err_size, ==, LARGE);
    CHECK_MEM(out.out, input, LARGE);
    CHECK_MEM(out.err, input, LARGE);
    CHECK_INT(out.exit.code, ==, 0);
    edo_output_free(&out);
    free(input);
    return 0;
}

TEST_TIMEOUT(large_in_all_directions, 60)
{
    EACH_WORKERS(workers)
    run_checked(workers, large, NULL);
}

static int limits(void *arg)
{
    (void)arg;
    edo_output out;
    const char *script = "printf 12345; printf abc >&2";
    CHECK_OK(edo_process_output(SHELL(script), &(edo_process_options){ .output_max = 5 }, &out));
    CHECK_STR(out.out, "12345");
    CHECK_STR(out.err, "abc");
    edo_output_free(&out);
    CHECK_INT(edo_process_output(SHELL(script), &(edo_process_options){ .output_max = 4 }, &out),
              ==, EDO_EOVERSIZE);
    CHECK(out.out == NULL && out.err == NULL && out.out_size == 0);
    edo_process_options o = { .output_max = 100000, .grace = EDO_SEC(3600) };
    CHECK_INT(edo_process_output(ARGV("yes"), &o, &out), ==, EDO_EOVERSIZE);
    CHECK_INT(edo_process_output(SHELL("yes >&2"), &o, &out), ==, EDO_EOVERSIZE);
    return 0;
}

TEST(limits_of_output)
{
    EACH_WORKERS(workers)
    run_checked(workers, limits, NULL);
}

/* It ends without having read what there is for it. */
static int unread(void *arg)
{
    (void)arg;
    char *input = calloc(1, LARGE);
    CHECK(input != NULL);
    edo_process_options o = { .input = input, .input_size = LARGE };
    edo_output out;
    CHECK_OK(edo_process_output(SHELL("exec <&-; echo no"), &o, &out));
    CHECK_STR(out.out, "no\n");
    edo_output_free(&out);
    CHECK_OK(edo_process_output(SHELL("head -c 10 | wc -c"), &o, &out));
    CHECK_STR(out.out, "10\n");
    edo_output_free(&out);
    free(input);
    return 0;
}

TEST(input_that_is_not_wanted)
{
    run_checked(2, unread, NULL);
}

/* A child of the child keeps the pipe open. */
static int kept_open(void *arg)
{
    (void)arg;
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    edo_process_options o = { .linger = EDO_MS(5) };
    edo_output out;
    CHECK_OK(edo_process_output(SHELL("sleep 1000 & echo $!"), &o, &out));
    CHECK(out.cut);
    pid_t grandchild = (pid_t)atoi(out.out);
    CHECK_INT(grandchild, >, 1);
    edo_output_free(&out);
    CHECK_INT(kill(grandchild, SIGKILL), ==, 0);
    while (is_there(grandchild)) {
        (void)waitpid(grandchild, NULL, WNOHANG);
        CHECK_OK(edo_yield());
    }
    o = (edo_process_options){ .linger = EDO_MS(5), .group = true };
    CHECK_OK(edo_process_output(SHELL("sleep 1000 & echo $!"), &o, &out));
    CHECK(out.cut);
    grandchild = (pid_t)atoi(out.out);
    edo_output_free(&out);
    while (is_there(grandchild)) { /* killed with its group */
        (void)waitpid(grandchild, NULL, WNOHANG);
        CHECK_OK(edo_yield());
    }
    o = (edo_process_options){ .linger = EDO_FOREVER }; /* one that ends soon is waited for */
    CHECK_OK(edo_process_output(SHELL("(sleep 0.05; echo late) & echo early"), &o, &out));
    CHECK(!out.cut);
    CHECK_STR(out.out, "early\nlate\n");
    edo_output_free(&out);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    return 0;
}

TEST(others_keep_the_output_open)
{
    run_checked(1, kept_open, NULL);
    run_checked(2, kept_open, NULL);
}

static int in_time(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_output out;
    edo_scope_open(&s, EDO_MS(5));
    int rc = edo_process_output(ARGV("sleep", "1000"), NULL, &out);
    CHECK_INT(edo_scope_close(&s, rc), ==, -ETIMEDOUT);
    CHECK(out.out == NULL && out.err == NULL);
    no_child_is_left();
    return 0;
}

TEST(with_a_deadline)
{
    EACH_WORKERS(workers)
    run_checked(workers, in_time, NULL);
}

TEST_MAIN()
