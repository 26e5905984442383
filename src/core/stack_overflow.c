/* SPDX-License-Identifier: MIT */
/*
 * The report of a stack overflow: which task, what its limit is, where it was, what to do.
 *
 * The fault arrives as SIGSEGV (SIGBUS on some kernels) on the thread's alternate stack. If the
 * address lies in a guard of ours the report is written and the default action restored; returning
 * then repeats the fault, so that a core dump shows the registers of the overflow itself. All other
 * faults go to whoever handled them before.
 *
 * Everything here runs in a signal handler: write(2), no allocation, no lock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/unwind.h"
#include "core/stack_slab.h"

#define ALT_STACK_SIZE ((size_t)64 << 10)
#define FRAMES_MAX 4096
#define LINES_FIRST 16 /* of a long trace: the innermost calls and the outermost */
#define LINES_LAST 8

struct text {
    size_t len;
    char buf[1500];
};

static pthread_once_t installed = PTHREAD_ONCE_INIT;
static int install_result;                           /* written once under `installed` */
static struct sigaction previous_segv, previous_bus; /* likewise */
/* Set once by core before its workers start; the acquire in the handler pairs with the release. */
static size_t (*_Atomic describe_task)(struct edo__task *t, char *buf, size_t cap);
/* Who reports: the second thread that overflows meanwhile waits for the first to end the
 * process. */
static atomic_flag reporting = ATOMIC_FLAG_INIT;

static _Thread_local struct {
    void *map;
    stack_t before;
} alt;

void edo__overflow_set_describe(size_t (*describe)(struct edo__task *t, char *buf, size_t cap))
{
    atomic_store_explicit(&describe_task, describe, memory_order_release);
}

static void put_n(struct text *t, const char *s, size_t n)
{
    size_t room = sizeof t->buf - t->len;
    n = n < room ? n : room;
    memcpy(t->buf + t->len, s, n);
    t->len += n;
}

static void put(struct text *t, const char *s)
{
    put_n(t, s, strlen(s));
}

static void put_number(struct text *t, uint64_t n, unsigned base)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0);
    if (base == 16)
        put(t, "0x");
    put_n(t, digits + at, sizeof digits - at);
}

static void flush(struct text *t)
{
    size_t done = 0;
    while (done < t->len) {
        ssize_t n = write(STDERR_FILENO, t->buf + done, t->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    t->len = 0;
}

static void put_task(struct text *t, const edo__stack *s)
{
    size_t (*describe)(struct edo__task *, char *, size_t) =
        atomic_load_explicit(&describe_task, memory_order_acquire);
    if (s->task == NULL || describe == NULL) {
        put(t, s->task == NULL ? "no task" : "a task");
        return;
    }
    size_t room = sizeof t->buf - t->len;
    size_t n = describe(s->task, t->buf + t->len, room < 600 ? room : 600);
    t->len += n < room ? n : room;
}

static void put_limit(struct text *t, const edo__stack *s, const void *fault)
{
    size_t stride = atomic_load_explicit(&edo__slab_at(s->slab)->stride, memory_order_relaxed);
    put(t, "\n  limit: ");
    put_number(t, stride >> 10, 10);
    put(t, " KiB, of which ");
    put_number(t, s->size, 10);
    put(t, " bytes are usable: ");
    put_number(t, (uintptr_t)s->lo, 16);
    put(t, " to ");
    put_number(t, (uintptr_t)s->lo + s->size, 16);
    if (fault != NULL) {
        put(t, "; touched ");
        put_number(t, (uintptr_t)fault, 16);
        put(t, ", ");
        put_number(t, (uintptr_t)s->lo - (uintptr_t)fault, 10);
        put(t, " bytes below\n");
    } else {
        put(t, "; noticed when the stack was given back: its lowest bytes are overwritten\n");
    }
    put(t,
        "  to do: a larger edo_task_options.stack_size for this task, or EDO_STACK_SIZE in the "
        "environment for all;\n  or look for endless recursion and large local variables here:\n");
}

static void put_frame(struct text *t, size_t i, void *pc, size_t repeats)
{
    char name[256];
    size_t n = edo__symbolize(pc, name, sizeof name);
    put(t, i < 10 ? "   #" : "  #");
    put_number(t, i, 10);
    put(t, "  ");
    put_n(t, name, n);
    if (repeats > 1) {
        put(t, ", ");
        put_number(t, repeats, 10);
        put(t, " times");
    }
    put(t, "\n");
    flush(t);
}

/* One line per run of equal frames; of very many lines only the first and the last. */
static void put_frames(struct text *t, void *ucontext)
{
    static void *pcs[FRAMES_MAX];         /* only one thread reports */
    static uint16_t runs[FRAMES_MAX + 1]; /* where each begins */
    size_t count = edo__unwind_ucontext(ucontext, pcs, FRAMES_MAX);
    size_t lines = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || pcs[i] != pcs[i - 1])
            runs[lines++] = (uint16_t)i;
    runs[lines] = (uint16_t)count;
    for (size_t line = 0; line < lines; line++) {
        if (line == LINES_FIRST && lines > LINES_FIRST + LINES_LAST) {
            put(t, "   ...\n");
            line = lines - LINES_LAST;
        }
        size_t i = runs[line];
        put_frame(t, i, pcs[i], runs[line + 1] - i);
    }
    if (count == FRAMES_MAX)
        put(t, "   ... and further callers\n");
    flush(t);
}

void edo__overflow_report(const edo__stack *s, const void *fault, void *ucontext)
{
    if (atomic_flag_test_and_set_explicit(&reporting, memory_order_relaxed)) {
        for (;;)
            pause();
    }
    struct text t = { 0 };
    put(&t, "edo: stack overflow in ");
    put_task(&t, s);
    put_limit(&t, s, fault);
    flush(&t);
    if (ucontext != NULL)
        put_frames(&t, ucontext);
}

static void chain(int signo, siginfo_t *info, void *ucontext)
{
    const struct sigaction *before = signo == SIGSEGV ? &previous_segv : &previous_bus;
    if ((before->sa_flags & SA_SIGINFO) != 0) {
        before->sa_sigaction(signo, info, ucontext);
        return;
    }
    if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(signo);
        return;
    }
    bool sent = info->si_code <= 0; /* by kill(): nothing would repeat it */
    if (sent && before->sa_handler == SIG_IGN)
        return;
    signal(signo, SIG_DFL);
    if (sent)
        raise(signo); /* blocked now, delivered when the handler returns */
}

static void on_fault(int signo, siginfo_t *info, void *ucontext)
{
    int saved_errno = errno;
    edo__stack *s = NULL;
    if (info->si_code > 0 && edo__stack_find(info->si_addr, &s) == 1) {
        edo__overflow_report(s, info->si_addr, ucontext);
        signal(signo, SIG_DFL);
    } else {
        chain(signo, info, ucontext);
    }
    errno = saved_errno;
}

static void install(void)
{
    edo__unwind_init();
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    /* Read the old actions first: a fault on another thread must find them. */
    if (sigaction(SIGSEGV, NULL, &previous_segv) != 0 ||
        sigaction(SIGBUS, NULL, &previous_bus) != 0 || sigaction(SIGSEGV, &action, NULL) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        install_result = -errno;
}

int edo__overflow_handler_install(void)
{
    int rc = pthread_once(&installed, install);
    return rc != 0 ? -rc : install_result;
}

int edo__overflow_thread_enter(void)
{
    if (alt.map != NULL)
        return 0;
    size_t guard = edo__page_size();
    char *map = mmap(NULL, guard + ALT_STACK_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return -errno;
    (void)mprotect(map, guard, PROT_NONE);
    stack_t mine = { .ss_sp = map + guard, .ss_size = ALT_STACK_SIZE };
    if (sigaltstack(&mine, &alt.before) != 0) {
        int code = -errno;
        munmap(map, guard + ALT_STACK_SIZE);
        return code;
    }
    alt.map = map;
    return 0;
}

void edo__overflow_thread_leave(void)
{
    if (alt.map == NULL)
        return;
    (void)sigaltstack(&alt.before, NULL);
    munmap(alt.map, edo__page_size() + ALT_STACK_SIZE);
    alt.map = NULL;
}
