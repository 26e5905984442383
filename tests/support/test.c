/* SPDX-License-Identifier: MIT */
/*
 * The runner behind test.h: fork, wait with a limit, report. The parent never runs test code and
 * stays single-threaded, so forking is always safe. It must never let a test end without a verdict:
 * whatever the child does, one of ok, not ok, skip is printed for it, and nothing of its group
 * stays alive.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#elif __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#endif

/* How many times slower than usual code runs in this build. EDO_TEST_EMULATED: set by a cross
 * build. */
#if defined(TEST_TSAN)
enum { BUILD_SLOWNESS = 6 };
#elif defined(TEST_ASAN)
enum { BUILD_SLOWNESS = 4 };
#elif defined(EDO_TEST_EMULATED)
enum { BUILD_SLOWNESS = 6 };
#else
enum { BUILD_SLOWNESS = 1 };
#endif

enum {
    EXIT_FAILED = 1,
    EXIT_SKIPPED = 77,
    REASON_MAX = 1000,
    POLL_MS = 20,
    LAST_WORDS_MS = 1000, /* between SIGQUIT and SIGKILL when the test asked for it */
};

/* Shared by parent and child, and by whatever the child forks. */
typedef struct verdict {
    atomic_int
        claimed; /* 0, or EXIT_FAILED / EXIT_SKIPPED of the one thread that may write `reason` */
    atomic_bool has_hook;
    char reason[REASON_MAX];
} verdict;

typedef struct totals {
    unsigned passed, failed, skipped;
} totals;

static test_case *tests_first, **tests_tail = &tests_first;
static verdict *shared;
static uint64_t seed;
static void (*timeout_hook)(void);
static volatile sig_atomic_t running_child; /* for the handler of SIGINT and SIGTERM */

void test_register(test_case *test)
{
    *tests_tail = test;
    tests_tail = &test->next;
}

/* ---- inside a test ---- */

/* The first thread to end the test writes the reason; later ones wait to be ended with the
 * process. */
static void claim(int status)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&shared->claimed, &none, status))
        for (;;)
            pause();
}

void test_fail(const char *file, int line, const char *format, ...)
{
    claim(EXIT_FAILED);
    int n = snprintf(shared->reason, REASON_MAX, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(shared->reason + n, (size_t)(REASON_MAX - n), format, args);
    va_end(args);
    _exit(EXIT_FAILED);
}

void test_skip(const char *file, int line, const char *reason)
{
    (void)file;
    (void)line;
    claim(EXIT_SKIPPED);
    snprintf(shared->reason, REASON_MAX, "%s", reason);
    _exit(EXIT_SKIPPED);
}

uint64_t test_seed(void)
{
    return seed;
}

uint64_t test_rand(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

static unsigned slowness(void)
{
    const char *text = getenv("EDO_TEST_SLOW");
    unsigned extra = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 1;
    return (extra > 0 ? extra : 1) * (unsigned)BUILD_SLOWNESS * (under_valgrind() ? 10 : 1);
}

unsigned test_scale(unsigned n)
{
    unsigned part = n / ((unsigned)BUILD_SLOWNESS * (under_valgrind() ? 10 : 1));
    return part > 0 || n == 0 ? part : 1;
}

static void *last_words(void *arg)
{
    (void)arg;
    sigset_t quit;
    sigemptyset(&quit);
    sigaddset(&quit, SIGQUIT);
    int which;
    if (sigwait(&quit, &which) == 0)
        timeout_hook();
    return NULL;
}

/* A thread rather than a signal handler: the hook may lock and allocate, and interrupts nobody. */
void test_on_timeout(void (*fn)(void))
{
    bool first = timeout_hook == NULL;
    timeout_hook = fn;
    if (!first)
        return;
    /* The thread gets no signal of the test's: under TSan one that reaches it in sigwait() is put
     * off for ever. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, last_words, NULL);
    sigaddset(&before, SIGQUIT);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        FAIL("no thread for the hook of a timeout");
    pthread_detach(thread);
    atomic_store(&shared->has_hook, true); /* pairs with the load in end_late() */
}

int test_capture(void (*fn)(void *arg), void *arg, char *text, size_t size)
{
    int ends[2];
    if (pipe(ends) != 0)
        FAIL("pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        FAIL("fork: %s", strerror(errno));
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn(arg);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    for (;;) {
        char spill[256];
        bool room = used + 1 < size;
        ssize_t n =
            read(ends[0], room ? text + used : spill, room ? size - used - 1 : sizeof spill);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += room ? (size_t)n : 0;
    }
    text[used] = '\0';
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---- the parent ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_interrupt(int sig)
{
    pid_t child = (pid_t)running_child;
    if (child > 0)
        kill(-child, SIGKILL);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void run_child(const test_case *test, pid_t parent, const sigset_t *mask)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    test->fn();
    exit(0); /* not _exit: leak checkers report at exit */
}

/* True when the child ended by then; it stays a zombie, so that its group's number stays its
 * own. */
static bool wait_until(pid_t child, int64_t deadline_ms)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (;;) {
        siginfo_t info = { .si_pid = 0 };
        if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == child)
            return true;
        if (now_ms() >= deadline_ms)
            return false;
        struct timespec tick = { .tv_nsec = POLL_MS * 1000000L };
        sigtimedwait(&set, NULL, &tick);
    }
}

static void end_late(pid_t child)
{
    if (!atomic_load(&shared->has_hook))
        return;
    kill(child, SIGQUIT);
    wait_until(child, now_ms() + LAST_WORDS_MS);
}

static void report(const test_case *test, int status, bool late, unsigned limit_s, int64_t ms,
                   totals *sum)
{
    int claimed = atomic_load(&shared->claimed);
    shared->reason[REASON_MAX - 1] = '\0';
    if (late) {
        printf("not ok %s: still running after %u s\n", test->name, limit_s);
        sum->failed++;
    } else if (claimed == EXIT_FAILED) {
        printf("not ok %s: %s\n", test->name, shared->reason);
        sum->failed++;
    } else if (claimed == EXIT_SKIPPED) {
        printf("skip %s: %s\n", test->name, shared->reason);
        sum->skipped++;
    } else if (WIFSIGNALED(status)) {
        printf("not ok %s: killed by signal %d (%s)\n", test->name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
        sum->failed++;
    } else if (WEXITSTATUS(status) != 0) {
        printf("not ok %s: ended with status %d\n", test->name, WEXITSTATUS(status));
        sum->failed++;
    } else {
        printf("ok %s (%lld ms)\n", test->name, (long long)ms);
        sum->passed++;
    }
    fflush(stdout);
}

static void run_one(const test_case *test, const sigset_t *mask, totals *sum)
{
    memset(shared, 0, sizeof *shared);
    unsigned limit_s = test->timeout_s * slowness();
    int64_t start = now_ms();
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        printf("not ok %s: fork: %s\n", test->name, strerror(errno));
        sum->failed++;
        return;
    }
    if (child == 0)
        run_child(test, parent, mask);
    setpgid(child, child); /* both sides: whoever comes first */
    running_child = (sig_atomic_t)child;
    bool late = !wait_until(child, start + (int64_t)limit_s * 1000);
    if (late)
        end_late(child);
    kill(-child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    running_child = 0;
    report(test, status, late, limit_s, now_ms() - start, sum);
}

static bool wanted(const test_case *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (fnmatch(argv[i], test->name, 0) == 0)
            return true;
    return argc < 2;
}

static void choose_seed(void)
{
    const char *text = getenv("EDO_TEST_SEED");
    if (text != NULL)
        seed = strtoull(text, NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)time(NULL);
}

static int list_tests(void)
{
    for (const test_case *test = tests_first; test != NULL; test = test->next)
        puts(test->name);
    return 0;
}

/* EDO_TEST_NEEDS=uring: why this machine cannot run any of it, or NULL. Asking for a ring without
 * entries is refused as invalid where rings are to be had. */
static const char *lacking(void)
{
    const char *needs = getenv("EDO_TEST_NEEDS");
    if (needs == NULL || strcmp(needs, "uring") != 0)
        return NULL;
    if (syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno != EINVAL && errno != EFAULT)
        return strerror(errno);
    return NULL;
}

static int skip_all(const char *reason, int argc, char **argv)
{
    unsigned n = 0;
    for (const test_case *test = tests_first; test != NULL; test = test->next) {
        if (!wanted(test, argc, argv))
            continue;
        printf("skip %s: no io_uring: %s\n", test->name, reason);
        n++;
    }
    printf("0 passed, 0 failed, %u skipped\n", n);
    return 77; /* what ctest takes for skipped */
}

int test_main(int argc, char **argv)
{
    const char *reason = lacking();
    if (reason != NULL)
        return skip_all(reason, argc, argv);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_tests();
    choose_seed();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    sigset_t child_set, mask;
    sigemptyset(&child_set);
    sigaddset(&child_set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_set, &mask);
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);

    totals sum = { 0, 0, 0 };
    printf("# seed %llu (EDO_TEST_SEED)\n", (unsigned long long)seed);
    for (const test_case *test = tests_first; test != NULL; test = test->next)
        if (wanted(test, argc, argv))
            run_one(test, &mask, &sum);
    printf("%u passed, %u failed, %u skipped\n", sum.passed, sum.failed, sum.skipped);
    bool any = sum.passed + sum.failed + sum.skipped > 0;
    if (!any)
        printf("no test has such a name\n");
    return any && sum.failed == 0 ? 0 : 1;
}
