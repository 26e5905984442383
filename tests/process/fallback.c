/* SPDX-License-Identifier: MIT */
/* Where the kernel or a seccomp filter knows no pidfds and no close_range(2): a thread waits for each
 * child, and everything else is the same. */
#include "process_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#define PIDFD 0x1000 /* of clone(2) */
#define BY_PIDFD 3   /* of waitid(2) */
#define NUMBER(n_, yes_) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (n_), (yes_), 0)
#define REFUSE(error_) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error_))

static void refuse_pidfds(unsigned error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NUMBER(434, 11), /* pidfd_open */
        NUMBER(424, 10), /* pidfd_send_signal */
        NUMBER(436, 9),  /* close_range */
        NUMBER(SYS_waitid, 4),
        NUMBER(SYS_clone, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])), /* clone */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PIDFD, 2, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])), /* waitid */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BY_PIDFD, 0, 1),
        REFUSE(EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        REFUSE(error),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        SKIP("no seccomp filters");
    CHECK_INT(syscall(434, getpid(), 0), ==, -1);
    CHECK_INT(errno, ==, error);
    CHECK_INT(syscall(436, 1000, 1000, 0), ==, -1);
}

static int fifty(void *arg)
{
    (void)arg;
    edo_exit e;
    CHECK_OK(edo_process_run(SHELL("sleep 0.01; exit 3"), NULL, &e));
    CHECK_INT(e.code, ==, 3);
    return 0;
}

static int everything(void *arg)
{
    (void)arg;
    edo_process p;
    edo_exit e;
    edo_group g;
    int extra = dup(0), waste = dup(0);
    CHECK_OK(extra);
    check_prints(SHELL("for f in /proc/self/fd/*; do echo ${f##*/}; done; exec 3</dev/null"), NULL,
                 "0\n1\n2\n3\n");
    close(extra);
    close(waste);
    CHECK_INT(edo_process_spawn(&p, ARGV("no-such-program"), NULL), ==, -ENOENT);
    edo_process_close(&p);
    edo_group_open(&g, NULL);
    for (int i = 0; i < 50; i++)
        CHECK_OK(edo_spawn(&g, fifty, NULL));
    CHECK_OK(edo_group_close(&g));
    for (int i = 0; i < 20; i++) {
        edo_process_options o = { .group = i % 2 == 0, .grace = EDO_SEC(3600) };
        CHECK_OK(edo_process_spawn(&p, ARGV("sleep", "1000"), &o));
        CHECK_INT(edo_process_wait_nowait(&p, NULL), ==, -EAGAIN);
        if (i % 3 == 0)
            CHECK_OK(edo_process_kill(&p));
        if (i % 3 == 1) {
            CHECK_OK(edo_process_terminate(&p, EDO_SEC(3600), &e));
            CHECK_INT(e.signal, ==, SIGTERM);
        }
        if (i % 3 < 2)
            CHECK_OK(edo_process_wait(&p, &e));
        edo_process_close(&p);
    }
    CHECK_OK(edo_process_spawn(&p, ARGV("true"), NULL));
    edo_case cases[] = { EDO_EXITED(&p) };
    CHECK_INT(edo_select(cases, 1), ==, 0);
    CHECK_OK(edo_process_wait_nowait(&p, &e));
    edo_process_close(&p);
    CHECK_OK(edo_process_spawn(&p, ARGV("sleep", "1000"), NULL));
    pid_t pid = p.pid;
    CHECK_OK(edo_process_detach(&p));
    CHECK_INT(kill(pid, SIGKILL), ==, 0);
    while (is_there(pid))
        CHECK_OK(edo_yield());
    return 0;
}

/* A thread that has seen its child end closes its pipe a moment later. */
static void descriptors_go(void)
{
    unsigned fds = count_fds();
    edo_config config = { .workers = 2, .seed = test_seed() };
    test_on_timeout(dump_all);
    CHECK_OK(edo_run(&config, everything, NULL));
    while (count_fds() > fds)
        sched_yield();
    CHECK_UINT(count_fds(), ==, fds);
    no_child_is_left();
}

TEST_TIMEOUT(a_kernel_without_pidfds, 60)
{
    warm_up();
    refuse_pidfds(ENOSYS);
    descriptors_go();
}

TEST_TIMEOUT(a_filter_that_refuses_them, 60)
{
    warm_up();
    refuse_pidfds(EPERM);
    descriptors_go();
}

TEST_MAIN()
