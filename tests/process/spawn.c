/* SPDX-License-Identifier: MIT */
/* Starting processes: arguments, environment, directory, standard streams, descriptors, groups, signals,
 * and what is said when it cannot be done. */
#include "process_test.h"

#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

static int ends(void *arg)
{
    (void)arg;
    edo_process p;
    edo_exit e = { .code = 5 };
    CHECK_OK(edo_process_spawn(&p, ARGV("true"), NULL));
    CHECK_INT(p.pid, >, 0);
    CHECK(p.in == NULL && p.out == NULL && p.err == NULL);
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.code, ==, 0);
    CHECK_INT(e.signal, ==, 0);
    CHECK_INT(e.memory_max, >, 0);
    CHECK_OK(edo_process_wait(&p, NULL)); /* and again */
    CHECK_OK(edo_process_wait_nowait(&p, &e));
    CHECK_INT(edo_process_signal(&p, SIGTERM), ==, -ESRCH);
    edo_process_close(&p);
    edo_process_close(&p);
    CHECK_OK(edo_process_run(SHELL("exit 37"), NULL, &e));
    CHECK_INT(e.code, ==, 37);
    CHECK_INT(e.signal, ==, 0);
    CHECK_OK(edo_process_run(SHELL("kill -9 $$"), NULL, &e));
    CHECK_INT(e.code, ==, -1);
    CHECK_INT(e.signal, ==, SIGKILL);
    return 0;
}

TEST(how_it_ended)
{
    EACH_WORKERS(workers)
    run_checked(workers, ends, NULL);
}

static int given(void *arg)
{
    (void)arg;
    check_prints(ARGV("printf", "%s|", "a", "b c", "", "$HOME"), NULL, "a|b c||$HOME|");
    check_prints(ARGV("name", "-c", "echo $0 $1", "x", "y"),
                 &(edo_process_options){ .program = "sh" }, "x y\n");
    check_prints(ARGV("pwd"), &(edo_process_options){ .cwd = "/usr/bin" }, "/usr/bin\n");
    check_prints(ARGV("./true"), &(edo_process_options){ .cwd = "/usr/bin" }, "");
    return 0;
}

TEST(arguments_program_directory)
{
    run_checked(2, given, NULL);
}

static int environment(void *arg)
{
    (void)arg;
    setenv("EDO_TEST_A", "from the parent", 1);
    setenv("EDO_TEST_B", "b", 1);
    const char *print = "echo \"$EDO_TEST_A|${EDO_TEST_B-unset}|$EDO_TEST_C\"";
    check_prints(SHELL(print), NULL, "from the parent|b|\n");
    const char *const only[] = { "PATH=/usr/bin:/bin", "EDO_TEST_C=c", NULL };
    check_prints(SHELL(print), &(edo_process_options){ .env = only }, "|unset|c\n");
    const char *const change[] = { "EDO_TEST_A=", "EDO_TEST_B", "EDO_TEST_C=1", "EDO_TEST_C=2=3",
                                   NULL };
    check_prints(SHELL(print), &(edo_process_options){ .env_change = change }, "|unset|2=3\n");
    check_prints(SHELL(print), &(edo_process_options){ .env = only, .env_change = change },
                 "|unset|2=3\n");
    const char *const none[] = { NULL };
    check_prints(ARGV("/usr/bin/env"), &(edo_process_options){ .env = none }, "");
    return 0;
}

TEST(the_environment)
{
    run_checked(2, environment, NULL);
}

static void make_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_OK(fd);
    CHECK_INT(write(fd, text, strlen(text)), ==, strlen(text));
    CHECK_OK(fchmod(fd, mode));
    CHECK_OK(close(fd));
}

static void check_file(const char *path, const char *expected)
{
    char text[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_OK(read(fd, text, sizeof text - 1));
    close(fd);
    CHECK_STR(text, expected);
}

/* The first place of PATH where it may be run; the child's PATH. */
static int searched(void *arg)
{
    const char *dir = arg;
    char path[512], a[128], b[128];
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    CHECK_OK(mkdir(a, 0700));
    CHECK_OK(mkdir(b, 0700));
    char a_tool[160], b_tool[160];
    snprintf(a_tool, sizeof a_tool, "%s/tool", a);
    snprintf(b_tool, sizeof b_tool, "%s/tool", b);
    snprintf(path, sizeof path, "PATH=/nowhere:%s:%s:/etc/passwd", a, b);
    const char *const env[] = { path, NULL };
    edo_process_options o = { .env = env };
    make_file(b_tool, "#!/bin/sh\necho b", 0700);
    check_prints(ARGV("tool"), &o, "b\n");
    make_file(a_tool, "#!/bin/sh\necho a", 0600); /* not executable: the search goes on */
    check_prints(ARGV("tool"), &o, "b\n");
    CHECK_OK(chmod(a_tool, 0700));
    check_prints(ARGV("tool"), &o, "a\n");
    CHECK_OK(unlink(b_tool));
    CHECK_OK(chmod(a_tool, 0600));
    const char *failed = NULL;
    o.failed = &failed;
    edo_process p;
    CHECK_INT(edo_process_spawn(&p, ARGV("tool"), &o), ==, -EACCES);
    CHECK_STR(failed, "the program");
    edo_process_close(&p);
    const char *const here[] = { "PATH=", NULL }; /* an empty one is the working directory */
    CHECK_OK(chmod(a_tool, 0700));
    check_prints(ARGV("tool"), &(edo_process_options){ .env = here, .cwd = a }, "a\n");
    make_file(a_tool, "no program", 0700);
    CHECK_INT(edo_process_spawn(&p, ARGV(a_tool), &o), ==, -ENOEXEC);
    make_file(a_tool, "#!/no/such/interpreter", 0700);
    CHECK_INT(edo_process_spawn(&p, ARGV(a_tool), &o), ==, -ENOENT);
    CHECK_OK(unlink(a_tool));
    CHECK_OK(rmdir(a));
    CHECK_OK(rmdir(b));
    return 0;
}

static void with_dir(edo_fn *fn)
{
    char dir[] = "/tmp/edo-process-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    run_checked(2, fn, dir);
    CHECK_OK(rmdir(dir));
}

TEST(looked_for_in_path)
{
    with_dir(searched);
}

static void refused(const char *const *argv, edo_process_options o, int code, const char *what)
{
    const char *failed = NULL;
    o.failed = &failed;
    edo_process p;
    edo_output out;
    CHECK_INT(edo_process_spawn(&p, argv, &o), ==, code);
    CHECK_STR(failed, what);
    CHECK_INT(p.pid, ==, 0);
    edo_process_close(&p);
    failed = NULL;
    CHECK_INT(edo_process_run(argv, &o, NULL), ==, code);
    CHECK_STR(failed, what);
    failed = NULL;
    CHECK_INT(edo_process_output(argv, &o, &out), ==, code);
    CHECK_STR(failed, what);
    CHECK(out.out == NULL && out.err == NULL);
    no_child_is_left();
}

static int bad_hook(void *arg)
{
    (void)arg;
    return -EDOM;
}

static int refusals(void *arg)
{
    (void)arg;
    edo_process_options none = { .grace = 0 };
    refused(ARGV("no-such-program-anywhere"), none, -ENOENT, "the program");
    refused(ARGV("/no/such/program"), none, -ENOENT, "the program");
    refused(ARGV(""), none, -ENOENT, "the program");
    refused(ARGV("/etc"), none, -EACCES, "the program");
    refused((const char *[]){ NULL }, none, -EINVAL, "the options");
    refused(ARGV("true"), (edo_process_options){ .cwd = "/no/such/place" }, -ENOENT,
            "the working directory");
    refused(ARGV("true"), (edo_process_options){ .cwd = "/etc/passwd" }, -ENOTDIR,
            "the working directory");
    refused(ARGV("true"), (edo_process_options){ .in = { EDO_STDIO_FILE, 0, "/no/such/file" } },
            -ENOENT, "standard input");
    refused(ARGV("true"), (edo_process_options){ .in = { EDO_STDIO_APPEND, 0, "/dev/null" } },
            -EINVAL, "standard input");
    refused(ARGV("true"), (edo_process_options){ .out = { EDO_STDIO_FILE, 0, "/no/such/file" } },
            -ENOENT, "standard output");
    refused(ARGV("true"), (edo_process_options){ .out = { EDO_STDIO_OUT, 0, NULL } }, -EINVAL,
            "standard output");
    refused(ARGV("true"), (edo_process_options){ .err = { EDO_STDIO_FD, 999, NULL } }, -EBADF,
            "standard error");
    refused(ARGV("true"), (edo_process_options){ .err = { EDO_STDIO_FD, -1, NULL } }, -EBADF,
            "standard error");
    refused(ARGV("true"), (edo_process_options){ .fds = (int[]){ 0, 999 }, .fd_count = 2 }, -EBADF,
            "the descriptors");
    refused(ARGV("true"), (edo_process_options){ .before_exec = bad_hook }, -EDOM,
            "what is to be done before");
    edo_scope s;
    edo_process p;
    edo_scope_open(&s, 0);
    CHECK_INT(edo_scope_close(&s, edo_process_spawn(&p, ARGV("true"), NULL)), ==, -ETIMEDOUT);
    return 0;
}

TEST(what_cannot_be_started)
{
    EACH_WORKERS(workers)
    run_checked(workers, refusals, NULL);
}

/* ---- standard streams ---- */

static int piped(void *arg)
{
    (void)arg;
    edo_process_options o = { .in.kind = EDO_STDIO_PIPE,
                              .out.kind = EDO_STDIO_PIPE,
                              .err.kind = EDO_STDIO_PIPE };
    edo_process p;
    edo_exit e;
    CHECK_OK(edo_process_spawn(&p, SHELL("read a; echo out $a; echo err $a >&2; cat"), &o));
    CHECK_INT(edo_write(p.in, "line\nrest", 9), ==, 9);
    char text[9];
    CHECK_INT(edo_read_full(p.out, text, 9), ==, 9);
    CHECK_MEM(text, "out line\n", 9);
    CHECK_OK(edo_close(p.in)); /* its end: cat ends as well */
    p.in = NULL;
    check_reads(p.out, "rest");
    check_reads(p.err, "err line\n");
    CHECK_OK(edo_process_wait(&p, &e));
    CHECK_INT(e.code, ==, 0);
    edo_process_close(&p);

    o.err = (edo_stdio){ EDO_STDIO_OUT, 0, NULL };
    o.in = (edo_stdio){ EDO_STDIO_NULL, 0, NULL };
    CHECK_OK(edo_process_spawn(&p, SHELL("echo 1; echo 2 >&2; echo 3; cat"), &o));
    CHECK(p.err == NULL && p.in == NULL);
    check_reads(p.out, "1\n2\n3\n");
    edo_process_close(&p);
    return 0;
}

TEST(pipes_are_streams)
{
    EACH_WORKERS(workers)
    run_checked(workers, piped, NULL);
}

static int writes_to_the_dead(void *arg)
{
    (void)arg;
    edo_process p;
    CHECK_OK(
        edo_process_spawn(&p, ARGV("true"), &(edo_process_options){ .in.kind = EDO_STDIO_PIPE }));
    CHECK_OK(edo_process_wait(&p, NULL));
    CHECK_INT(edo_write(p.in, "x", 1), ==, -EPIPE);
    edo_process_close(&p);
    return 0;
}

TEST(a_closed_input)
{
    run_checked(2, writes_to_the_dead, NULL);
}

static int files(void *arg)
{
    char in[128], out[128];
    snprintf(in, sizeof in, "%s/in", (char *)arg);
    snprintf(out, sizeof out, "%s/out", (char *)arg);
    make_file(in, "b\na\n", 0600);
    edo_exit e;
    edo_process_options o = { .in = { EDO_STDIO_FILE, 0, in }, .out = { EDO_STDIO_FILE, 0, out } };
    for (int i = 0; i < 2; i++) {
        CHECK_OK(edo_process_run(ARGV("sort"), &o, &e));
        CHECK_INT(e.code, ==, 0);
        check_file(out, "a\nb\n");
    }
    o.out.kind = EDO_STDIO_APPEND;
    o.err.kind = EDO_STDIO_OUT;
    CHECK_OK(edo_process_run(SHELL("echo c; echo d >&2"), &o, &e));
    check_file(out, "a\nb\nc\nd\n");
    int fd = open(out, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK_OK(fd);
    o = (edo_process_options){ .out = { EDO_STDIO_FD, fd, NULL },
                               .err = { EDO_STDIO_FD, fd, NULL } };
    CHECK_OK(edo_process_run(SHELL("echo e; echo f >&2"), &o, &e));
    check_file(out, "e\nf\n");
    CHECK_OK(fcntl(fd, F_GETFD)); /* the caller's still */
    close(fd);
    CHECK_OK(unlink(in));
    CHECK_OK(unlink(out));
    return 0;
}

TEST(files_and_descriptors)
{
    with_dir(files);
}

/* 0, 1, 2 of the child from 2, 0, 1 of ours, and the like: none is overwritten before it was copied. */
static int crossed(void *arg)
{
    (void)arg;
    int p[2], q[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    CHECK_OK(pipe2(q, O_CLOEXEC));
    int saved = dup(1);
    CHECK_OK(dup2(p[1], 1)); /* our 1 is a pipe, ... */
    edo_process_options o = { .out = { EDO_STDIO_FD, q[1], NULL },
                              .err = { EDO_STDIO_FD, 1, NULL }, /* ... and the child's 2 */
                              .fds = (int[]){ q[1], 1, p[1] },
                              .fd_count = 3 };
    edo_exit e;
    int rc =
        edo_process_run(SHELL("echo 1; echo 2 >&2; echo 3 >&3; echo 4 >&4; echo 5 >&5"), &o, &e);
    CHECK_OK(dup2(saved, 1));
    CHECK_OK(rc);
    CHECK_INT(e.code, ==, 0);
    close(saved);
    close(p[1]);
    close(q[1]);
    char text[16] = "";
    CHECK_INT(read(q[0], text, sizeof text), ==, 4);
    CHECK_MEM(text, "1\n3\n", 4);
    CHECK_INT(read(p[0], text, sizeof text), ==, 6);
    CHECK_MEM(text, "2\n4\n5\n", 6);
    close(p[0]);
    close(q[0]);
    return 0;
}

TEST(descriptors_in_any_order)
{
    run_checked(1, crossed, NULL);
}

/* Without standard streams of our own, pipes get their numbers. */
static int without_streams(void *arg)
{
    (void)arg;
    int saved[3];
    check_prints(ARGV("true"), NULL, ""); /* what the runtime opens once is open */
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
        CHECK_OK(saved[i]);
    }
    for (int i = 0; i < 3; i++)
        close(i);
    edo_output out;
    edo_process_options o = { .input = "hello", .input_size = 5 };
    int rc = edo_process_output(SHELL("cat; echo err >&2"), &o, &out);
    int missing = edo_process_run(ARGV("no-such-program"), NULL, NULL);
    for (int i = 0; i < 3; i++)
        CHECK_OK(dup2(saved[i], i));
    for (int i = 0; i < 3; i++)
        close(saved[i]);
    CHECK_OK(rc);
    CHECK_STR(out.out, "hello");
    CHECK_STR(out.err, "err\n");
    CHECK_INT(missing, ==, -ENOENT);
    edo_output_free(&out);
    return 0;
}

TEST(with_none_of_our_own)
{
    run_checked(1, without_streams, NULL);
}

/* A child has its three and no more, whatever we have open without close-on-exec. */
static int sealed(void *arg)
{
    (void)arg;
    int fds[50];
    for (int i = 0; i < 50; i++)
        CHECK_OK(fds[i] = dup(0));
    check_prints(SHELL("for f in /proc/self/fd/*; do echo ${f##*/}; done; exec 3</dev/null"),
                 &(edo_process_options){ .program = "/bin/sh" }, "0\n1\n2\n3\n");
    edo_output out;
    CHECK_OK(edo_process_output(
        SHELL("ls /proc/$$/fd"),
        &(edo_process_options){ .fds = (int[]){ fds[20], fds[3] }, .fd_count = 2 }, &out));
    CHECK(strncmp(out.out, "0\n1\n2\n3\n4\n", 10) == 0);
    CHECK_UINT(out.out_size, <=, 14); /* and one of the shell's own */
    edo_output_free(&out);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    return 0;
}

TEST(nothing_else_is_inherited)
{
    run_checked(2, sealed, NULL);
}

/* ---- signals, groups, users ---- */

static int fresh_signals(void *arg)
{
    (void)arg;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* as under nohup(1) */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    edo_signal s;
    CHECK_OK(edo_signal_open(&s, EDO_SIG(SIGTERM)));
    edo_output out;
    CHECK_OK(edo_process_output(ARGV("cat", "/proc/self/status"), NULL, &out));
    CHECK(strstr(out.out, "\nSigBlk:\t0000000000000000\n") != NULL);
    CHECK(strstr(out.out, "\nSigIgn:\t0000000000000001\n") != NULL);
    CHECK(strstr(out.out, "\nSigCgt:\t0000000000000000\n") != NULL);
    edo_output_free(&out);
    edo_signal_close(&s);
    signal(SIGHUP, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return 0;
}

TEST(signals_are_reset)
{
    run_checked(1, fresh_signals, NULL);
}

static int grouped(void *arg)
{
    (void)arg;
    const char *ids = "cut -d' ' -f1,5,6 /proc/$$/stat";
    edo_output out;
    int pid = 0, group = 0, session = 0;
    CHECK_OK(edo_process_output(SHELL(ids), &(edo_process_options){ .group = true }, &out));
    CHECK_INT(sscanf(out.out, "%d %d %d", &pid, &group, &session), ==, 3);
    CHECK_INT(group, ==, pid);
    CHECK_INT(session, ==, getsid(0));
    edo_output_free(&out);
    CHECK_OK(edo_process_output(SHELL(ids), &(edo_process_options){ .session = true }, &out));
    CHECK_INT(sscanf(out.out, "%d %d %d", &pid, &group, &session), ==, 3);
    CHECK_INT(group, ==, pid);
    CHECK_INT(session, ==, pid);
    edo_output_free(&out);
    CHECK_OK(edo_process_output(SHELL(ids), NULL, &out));
    CHECK_INT(sscanf(out.out, "%d %d %d", &pid, &group, &session), ==, 3);
    CHECK_INT(group, ==, getpgrp());
    edo_output_free(&out);
    return 0;
}

TEST(groups_and_sessions)
{
    run_checked(2, grouped, NULL);
}

static int other_user(void *arg)
{
    (void)arg;
    edo_process_options o = { .set_user = true,
                              .uid = 65534,
                              .gid = 65533,
                              .groups = (gid_t[]){ 7, 8 },
                              .group_count = 2,
                              .kill_with_parent = true };
    check_prints(SHELL("id -u; id -g; id -G"), &o, "65534\n65533\n65533 7 8\n");
    CHECK_UINT(getuid(), ==, 0); /* not ours */
    o.groups = NULL;
    o.group_count = 0;
    check_prints(SHELL("id -G"), &o, "65533\n");
    return 0;
}

/* In a child: whether this root may become somebody else. */
static bool may_change_user(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(setgroups(0, NULL) != 0 || setgid(65533) != 0 || setuid(65534) != 0);
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0;
}

TEST(as_another_user)
{
    if (getuid() != 0 || !may_change_user())
        SKIP("only root may");
    run_checked(2, other_user, NULL);
}

static int sets_limit(void *arg)
{
    (void)arg;
    struct rlimit files = { 77, 77 };
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ? 0 : -errno;
}

static int hooked(void *arg)
{
    (void)arg;
    check_prints(SHELL("ulimit -n"), &(edo_process_options){ .before_exec = sets_limit }, "77\n");
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    CHECK_UINT(files.rlim_cur, !=, 77);
    return 0;
}

TEST(something_done_before)
{
    run_checked(2, hooked, NULL);
}

/* From a thread that is none of ours. */
TEST(from_a_foreign_thread)
{
    edo_exit e;
    edo_output out;
    warm_up();
    unsigned fds = count_fds();
    CHECK_OK(edo_process_run(SHELL("exit 3"), NULL, &e));
    CHECK_INT(e.code, ==, 3);
    CHECK_OK(edo_process_output(ARGV("cat"),
                                &(edo_process_options){ .input = "hi", .input_size = 2 }, &out));
    CHECK_STR(out.out, "hi");
    edo_output_free(&out);
    edo_process p;
    CHECK_OK(edo_process_spawn(&p, ARGV("sleep", "1000"), NULL));
    edo_process_close(&p);
    CHECK_UINT(count_fds(), ==, fds);
    no_child_is_left();
}

TEST_MAIN()
