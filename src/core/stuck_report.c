/* SPDX-License-Identifier: MIT */
/* What is told of a held worker: its task, where that was spawned, and its stack, which the worker's
 * own thread takes down in a signal handler. */
#include "core/monitor_impl.h"

#include "arch/unwind.h"
#include "core/runtime.h"

#include <edo/trace.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MONITOR_SIGNAL SIGURG /* ignored by default: harmless should it ever go astray */
#define MONITOR_ANSWER EDO_MS(100)
#define REPORT_EVERY EDO_SEC(1)
#define REPORT_ANSWER EDO_SEC(2)

static struct sigaction previous;
static void on_signal(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    edo__worker *w = edo__thread_worker();
    if (w != NULL) {
        edo__trace *t = &w->rt->monitor->traces[w->index];
        if (edo__aload(&t->wanted, EDO__ACQ) != 0) {
            t->n = edo__unwind_ucontext(context, t->pcs, EDO__MONITOR_FRAMES);
            edo__astore(&t->wanted, 0u, EDO__REL); /* pairs with edo__monitor_stack() */
        }
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != NULL)
        previous.sa_sigaction(sig, info, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        previous.sa_handler(sig);
    errno = saved;
}

void edo__monitor_install_signal(void)
{
    edo__unwind_init();
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(MONITOR_SIGNAL, &action, &previous);
}

void edo__monitor_unblock_signal(sigset_t *set)
{
    sigdelset(set, MONITOR_SIGNAL);
}

void edo__monitor_enter(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    pthread_mutex_lock(&m->trace_lock);
    m->traces[w->index].live = true;
    edo__astore(&m->traces[w->index].wanted, 0u,
                EDO__RLX); /* asked of the thread before this one */
    m->traces[w->index].thread = pthread_self();
    m->traces[w->index].tid = gettid();
    pthread_mutex_unlock(&m->trace_lock);
}

void edo__monitor_leave(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    pthread_mutex_lock(&m->trace_lock);
    m->traces[w->index].live = false;
    pthread_mutex_unlock(&m->trace_lock);
}

/* Calls that end with EINTR when a signal handler has run, SA_RESTART or not: see signal(7). */
static bool is_disturbed(long number)
{
    switch (number) {
    case SYS_clock_nanosleep:
    case SYS_nanosleep:
    case SYS_ppoll:
    case SYS_pselect6:
    case SYS_epoll_pwait:
    case SYS_rt_sigtimedwait:
    case SYS_semtimedop:
    case SYS_msgrcv:
    case SYS_msgsnd:
    case SYS_io_getevents:
    case SYS_restart_syscall: /* one of these, resumed after a completion of io_uring came in */
#ifdef SYS_poll               /* old calls that only older machines have */
    case SYS_poll:
    case SYS_select:
    case SYS_epoll_wait:
    case SYS_pause:
#endif
        return true;
    default: return false;
    }
}

/* Whether t sleeps in a system call that a signal would end early, which the task may take for the
 * end of what it waits for; then all that is told of its stack is where it has left the program. */
static bool trace_from_outside(edo__trace *t)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)t->tid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    const char *pc = strrchr(line, ' '); /* proc(5): number, arguments, stack pointer, pc */
    if (!read || pc == NULL || line[0] < '0' || line[0] > '9' ||
        !is_disturbed(strtol(line, NULL, 10)))
        return false;
    uintptr_t at = strtoul(pc, NULL, 16);
    memcpy(&t->pcs[0], &at, sizeof at);
    t->n = 1;
    return true;
}

/* Asks w's thread for its stack, by signal. If somebody else has asked and it has not answered yet,
 * that answer will do, and until then what is in t is the handler's to write. */
static void trace_ask(edo__worker *w)
{
    struct edo__monitor *m = w->rt->monitor;
    edo__trace *t = &m->traces[w->index];
    pthread_mutex_lock(&m->trace_lock);
    /* pairs with on_signal() */
    if (t->live && edo__aload(&t->wanted, EDO__ACQ) == 0 && !trace_from_outside(t)) {
        edo__astore(&t->wanted, 1u, EDO__REL);
        pthread_kill(t->thread, MONITOR_SIGNAL);
    }
    pthread_mutex_unlock(&m->trace_lock);
}

/* The answer; false: not there yet. */
static bool trace_answer(edo__worker *w, void **pcs, size_t max, size_t *n)
{
    struct edo__monitor *m = w->rt->monitor;
    edo__trace *t = &m->traces[w->index];
    pthread_mutex_lock(&m->trace_lock);
    bool there = edo__aload(&t->wanted, EDO__ACQ) == 0; /* pairs with on_signal() */
    if (there) {
        *n = t->n < max ? t->n : max;
        memcpy(pcs, t->pcs, *n * sizeof pcs[0]);
    }
    pthread_mutex_unlock(&m->trace_lock);
    return there;
}

size_t edo__monitor_stack(edo__worker *w, void **pcs, size_t max)
{
    size_t n = 0;
    int64_t until = edo__clock_real() + MONITOR_ANSWER;
    trace_ask(w);
    while (!trace_answer(w, pcs, max, &n) && edo__clock_real() < until)
        nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
    return n;
}

int64_t edo__monitor_cpu(struct edo__monitor *m, const edo__worker *w)
{
    edo__trace *t = &m->traces[w->index];
    struct timespec ts = { 0 };
    clockid_t clock;
    pthread_mutex_lock(&m->trace_lock);
    if (t->live && pthread_getcpuclockid(t->thread, &clock) == 0)
        (void)clock_gettime(clock, &ts);
    pthread_mutex_unlock(&m->trace_lock);
    return EDO_SEC(ts.tv_sec) + ts.tv_nsec;
}

/* proc(5): the state follows the name in parentheses. */
bool edo__monitor_sleeps(struct edo__monitor *m, const edo__worker *w)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)m->traces[w->index].tid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    const char *state = NULL;
    if (fgets(line, sizeof line, f) != NULL)
        state = strrchr(line, ')');
    fclose(f);
    return state != NULL && state[1] == ' ' && (state[2] == 'S' || state[2] == 'D');
}

/* Whether w's thread has not computed for most of the time and wants a processor: then the machine
 * is busy, and no task is to blame. */
static bool waits_for_cpu(struct edo__monitor *m, const edo__worker *w, const edo__watch *seen)
{
    int64_t computed = edo__monitor_cpu(m, w) - seen->cpu_first;
    return computed < w->rt->config.stuck_after / 2 && !edo__monitor_sleeps(m, w);
}

static void *report_thread(void *arg)
{
    edo__report *r = arg;
    fprintf(stderr, "edo: worker %u has been held for %lld ms by %s\n", r->worker,
            (long long)(r->held / EDO_MS(1)), r->who);
    for (size_t i = 0; i < r->n; i++) {
        char symbol[256];
        edo__symbolize(r->pcs[i], symbol, sizeof symbol);
        fprintf(stderr, "    #%zu %s\n", i, symbol);
    }
    fprintf(stderr, "    long work belongs into edo_blocking() or edo_cpu(), or needs edo_yield() "
                    "now and then");
    if (r->suppressed > 0)
        fprintf(stderr, " (%llu more such events since the last report)",
                (unsigned long long)r->suppressed);
    fputc('\n', stderr);
    edo__astore(&r->done, 1u, EDO__REL); /* pairs with the load in may_report() */
    return NULL;
}

void edo__monitor_report_end(struct edo__monitor *m)
{
    if (m->report.started)
        pthread_join(m->report.thread, NULL);
    m->report.started = false;
}

void edo__monitor_report_drop(struct edo__monitor *m, const edo__watch *seen)
{
    if (m->report.asker == seen)
        m->report.asker = NULL;
}

/* Not more than one a second, nor before the last one is written; and one at a time: the next one
 * would take the place of one whose stack takes long to come. */
static bool may_report(struct edo__monitor *m, int64_t now)
{
    edo__report *r = &m->report;
    if (r->at == 0)
        return true;
    bool written = !r->started || edo__aload(&r->done, EDO__ACQ) != 0; /* or dropped */
    if (r->asker != NULL || now - r->at < REPORT_EVERY || !written)
        return false;
    edo__monitor_report_end(m);
    return true;
}

static void write_report(struct edo__monitor *m, edo__worker *w, const edo__watch *seen,
                         int64_t now)
{
    edo__report *r = &m->report;
    size_t len = edo__task_describe(seen->task, r->who, sizeof r->who - 1);
    r->who[len] = '\0';
    r->worker = w->index;
    r->held = now - seen->since;
    r->suppressed = m->suppressed;
    m->suppressed = 0;
    edo__astore(&r->done, 0u, EDO__RLX);
    r->started = pthread_create(&r->thread, NULL, report_thread, r) == 0;
    if (!r->started)
        (void)report_thread(r);
}

/* In two steps, so that the held worker is relieved while its thread, which may have to wait for a
 * processor itself, gets round to answering. */
void edo__monitor_report(struct edo__monitor *m, edo__worker *w, edo__watch *seen, int64_t now)
{
    edo__report *r = &m->report;
    if (seen->asked == 0) {
        if (waits_for_cpu(m, w, seen))
            return;
        edo__aadd(&w->rt->stuck_events, 1u, EDO__RLX);
        uint64_t task = edo__task_id(seen->task);
        int64_t held = now - seen->since;
        EDO__PROBE3(worker_stuck, w->index, task, held);
        EDO_LOG(EDO_LEVEL_WARN, "edo", "worker stuck", edo_field_uint("worker", w->index));
        if (!may_report(m, now)) {
            m->suppressed++;
            seen->reported = true;
            return;
        }
        r->at = now;
        r->asker = seen;
        seen->asked = now;
        trace_ask(w);
        return;
    }
    r->n = 0;
    if (!trace_answer(w, r->pcs, EDO__MONITOR_FRAMES, &r->n) && now - seen->asked < REPORT_ANSWER)
        return;
    write_report(m, w, seen, now);
    r->asker = NULL;
    seen->reported = true;
}
