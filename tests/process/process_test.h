/* SPDX-License-Identifier: MIT */
/* What the tests of processes share: after each of them no child is left, dead or alive, and no
 * descriptor. */
#ifndef PROCESS_TEST_H
#define PROCESS_TEST_H

#include "test.h"

#include <dirent.h>
#include <edo/edo.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(p_) __atomic_load_n((p_), __ATOMIC_ACQUIRE)
#define STORE(p_, v_) __atomic_store_n((p_), (v_), __ATOMIC_RELEASE)
#define ADD(p_, v_) __atomic_add_fetch((p_), (v_), __ATOMIC_ACQ_REL)
#define ARGV(...) ((const char *[]){ __VA_ARGS__, NULL })
#define SHELL(script_) ARGV("sh", "-c", script_)

static inline void dump_all(void)
{
    edo_dump(NULL, stderr);
}

static inline unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* Not inlined, like all that looks at errno: a task that goes on elsewhere has another one. */
__attribute__((noinline)) static void no_child_is_left(void)
{
    siginfo_t info = { .si_pid = 0 };
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        FAIL("a child is left: %d", (int)info.si_pid);
    CHECK_INT(errno, ==, ECHILD);
}

/* What is made once and kept: who watches descriptors for threads outside of runtimes. */
static inline void warm_up(void)
{
    int p[2];
    edo_scope s;
    CHECK_OK(pipe2(p, O_CLOEXEC));
    edo_scope_open(&s, EDO_MS(1));
    CHECK_INT(edo_scope_close(&s, edo_wait_fd(p[0], EDO_READABLE)), ==, -ETIMEDOUT);
    close(p[0]);
    close(p[1]);
}

/* One: on this thread alone. */
static inline void run_checked(unsigned workers, edo_fn *fn, void *arg)
{
    test_on_timeout(dump_all);
    warm_up();
    unsigned fds = count_fds();
    edo_config config = { .workers = workers, .seed = test_seed(), .current_thread = workers == 1 };
    CHECK_OK(edo_run(&config, fn, arg));
    CHECK_UINT(count_fds(), ==, fds);
    no_child_is_left();
}

#define EACH_WORKERS(w_) for (unsigned w_##_i = 0, w_ = 1; w_##_i < 3; w_ = ++w_##_i < 2 ? 2 : 4)

/* All that comes out of a stream, as text. */
static inline void check_reads(edo_stream *s, const char *expected)
{
    char text[4096];
    size_t size = 0;
    ssize_t n;
    while ((n = edo_read(s, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    CHECK_OK(n);
    text[size] = '\0';
    CHECK_STR(text, expected);
}

/* Runs it, checks its output and that it returned 0. */
static inline void check_prints(const char *const *argv, const edo_process_options *o,
                                const char *expected)
{
    edo_output out;
    CHECK_OK(edo_process_output(argv, o, &out));
    CHECK_STR(out.err, "");
    CHECK_STR(out.out, expected);
    CHECK_INT(out.exit.code, ==, 0);
    edo_output_free(&out);
}

/* Whether a process of that number is there, dead or alive. */
__attribute__((noinline, unused)) static bool is_there(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

#endif
