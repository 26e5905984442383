/* SPDX-License-Identifier: MIT */
/* The monitor (D7): a thread of its own that looks at each worker's tick every few milliseconds. A
 * worker that has been in the same run of the same task for `stuck_after` is held: the monitor says
 * by whom, with the task's stack (stuck_report.c), and until the worker comes back it fires the
 * worker's timers, harvests its I/O and moves its runnable tasks to the inject queue, where the
 * other workers find them. When all of them are held, it calls in spares (spare.c).
 *
 * While something is held it looks every millisecond, and others count as held sooner: at once when
 * their thread sleeps in a system call, else after half the time. Where one task does that, more
 * like it tend to follow, and the last worker must not be waited for as long as the first.
 *
 * A task alone in a LIFO slot waits for its waker to suspend; when that takes longer than a period,
 * the monitor moves it as well.
 *
 * While every worker sleeps there is nothing to watch: after 50 ms of that the monitor sleeps
 * too, until a worker that wakes finds it asleep. It must never take a lock that a task can hold
 * across user code. */
#include "core/monitor_impl.h"

#include "arch/futex.h"
#include "arch/slice.h"

#include <edo/metrics.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MONITOR_IDLE EDO_MS(50)
#define PERIOD_MAX EDO_MS(10)
#define PERIOD_HELD EDO_MS(1)
#define DUMP_EVERY EDO_MS(100) /* looks for a request while everything sleeps */

static uint32_t dump_requests; /* atomic: times EDO_DUMP_SIGNAL has come */

static void on_dump_signal(int sig)
{
    (void)sig;
    edo__aadd(&dump_requests, 1u, EDO__REL); /* pairs with the load in answer_dump() */
}

/* Does for a held worker what it cannot do itself. */
static void relieve(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    int found = edo__give_away(w);
    if (found != 0)
        edo__wake_one(rt);
    if (edo__aload(&rt->clock_paused, EDO__ACQ) == 0)
        (void)edo__worker_expire(w, edo__clock_now(rt));
    int events = rt->backend->poll_for(w);
    EDO__PROBE3(worker_takeover, w->index, found, events);
    (void)events;
}

/* Whether w's thread sleeps in the kernel. Asked of the kernel once per sleep: as long as its
 * processor time stands still the answer stays. */
static bool is_blocked(struct edo__monitor *m, const edo__worker *w, edo__watch *seen)
{
    int64_t cpu = edo__monitor_cpu(m, w);
    bool first = seen->cpu_last < 0;
    if (first)
        seen->cpu_first = cpu;
    if (!first && cpu != seen->cpu_last)
        seen->blocked = false;
    else if (!seen->blocked && (!first || m->any_held))
        seen->blocked = edo__monitor_sleeps(m, w);
    seen->cpu_last = cpu;
    return seen->blocked;
}

static void new_run(edo__worker *w, edo__watch *seen, edo__task *t, uint64_t tick, int64_t now)
{
    *seen = (edo__watch){
        .task = t, .tick = tick, .since = now, .cpu_last = -1, .called = seen->called
    };
    /* It counts tasks, not time, between looks at its timers: long runs make that too rare. */
    if (t != NULL)
        edo__aor(&w->wanted, EDO__WANT_TEND, EDO__RLX);
}

static void look_at(struct edo__monitor *m, edo__worker *w, int64_t now)
{
    edo__watch *seen = &m->watches[w->index];
    uint64_t tick = edo__aload(&w->tick, EDO__ACQ);
    edo__task *t = edo__aload(&w->current, EDO__ACQ);
    if (t == NULL || tick != seen->tick || t != seen->task) {
        new_run(w, seen, t, tick, now);
        return;
    }
    if (edo__give_away_next(w))
        edo__wake_one(w->rt);
    bool blocked = is_blocked(m, w, seen);
    int64_t until = seen->since + w->rt->config.stuck_after;
    bool over = now >= until;
    if (!over && until < m->next_look)
        m->next_look = until;
    bool half = now - seen->since >= w->rt->config.stuck_after / 2;
    seen->held = over || (m->any_held && (blocked || half));
    if (seen->held)
        relieve(w);
    if (over && !seen->reported)
        edo__monitor_report(m, w, seen, now);
}

/* Looks at every worker; true when one is held. */
static bool look_at_all(edo_runtime *rt, int64_t now)
{
    struct edo__monitor *m = rt->monitor;
    bool held = false;
    m->next_look = now + m->period;
    uint32_t n = edo__workers_known(rt);
    for (uint32_t i = 0; i < n; i++) {
        look_at(m, &rt->workers[i], now);
        held |= m->watches[i].held;
    }
    m->any_held = held;
    edo__spares_balance(rt, now);
    return held;
}

/* All workers sleep: until one of them wakes. */
static void sleep_with_workers(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    edo__astore(&m->asleep, 1u, EDO__SC);
    edo__afence(EDO__SC); /* pairs with the fence in edo__monitor_kick() */
    while (edo__aload(&m->asleep, EDO__SC) != 0 && edo__aload(&m->stop, EDO__ACQ) == 0 &&
           edo__idle_all_asleep(&rt->idle))
        edo__futex_wait(&m->asleep, 1, rt->dump_signal != 0 ? DUMP_EVERY : EDO_FOREVER);
    edo__astore(&m->asleep, 0u, EDO__SC);
}

static void answer_dump(edo_runtime *rt)
{
    uint32_t requests = edo__aload(&dump_requests, EDO__ACQ);
    if (requests == rt->monitor->dumps)
        return;
    rt->monitor->dumps = requests;
    (void)edo_dump(rt, stderr);
}

void edo__monitor_kick(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    edo__afence(EDO__SC); /* the worker has left the sleepers; pairs with sleep_with_workers() */
    if (edo__likely(edo__aload(&m->asleep, EDO__RLX) == 0))
        return;
    edo__astore(&m->asleep, 0u, EDO__SC);
    edo__futex_wake(&m->asleep, 1);
}

static void *monitor_thread(void *arg)
{
    edo_runtime *rt = arg;
    struct edo__monitor *m = rt->monitor;
    pthread_setname_np(pthread_self(), "edo-monitor");
    edo__slice_short(); /* spares inherit it */
    while (edo__aload(&m->stop, EDO__ACQ) == 0) {
        int64_t now = edo__clock_real();
        answer_dump(rt);
        bool held = look_at_all(rt, now);
        if (!edo__idle_all_asleep(&rt->idle)) {
            m->idle_since = 0;
        } else if (m->idle_since == 0) {
            m->idle_since = now;
        } else if (now - m->idle_since > MONITOR_IDLE) {
            sleep_with_workers(rt);
            m->idle_since = 0;
        }
        int64_t next = held && m->period > PERIOD_HELD ? now + PERIOD_HELD : m->next_look;
        int64_t left = next - edo__clock_real();
        if (left > 0)
            edo__futex_wait(&m->stop, 0, left);
    }
    return NULL;
}

static int monitor_start_thread(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    m->period = rt->config.stuck_after / 5 * 2;
    if (m->period > PERIOD_MAX)
        m->period = PERIOD_MAX;
    if (rt->dump_signal != 0) {
        m->dumps = edo__aload(&dump_requests, EDO__ACQ);
        struct sigaction action = { .sa_handler = on_dump_signal,
                                    .sa_flags = SA_RESTART | SA_ONSTACK };
        sigemptyset(&action.sa_mask);
        sigaction(rt->dump_signal, &action, NULL);
    }
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&m->thread, NULL, monitor_thread, rt);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    m->running = rc == 0;
    return -rc;
}

int edo__monitor_start(edo_runtime *rt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, edo__monitor_install_signal);
    struct edo__monitor *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    rt->monitor = m;
    pthread_mutex_init(&m->trace_lock, NULL);
    size_t room = rt->n_workers + EDO__SPARES_MAX;
    m->watches = calloc(room, sizeof *m->watches);
    m->traces = calloc(room, sizeof *m->traces);
    if (m->watches == NULL || m->traces == NULL)
        return -ENOMEM; /* edo__monitor_free() frees what is there */
    bool needed = rt->config.stuck_after != EDO_FOREVER || rt->dump_signal != 0;
    return needed ? monitor_start_thread(rt) : 0;
}

void edo__monitor_stop(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    if (m == NULL || !m->running)
        return;
    edo__astore(&m->stop, 1u, EDO__SC);
    edo__futex_wake(&m->stop, 1);
    edo__astore(&m->asleep, 0u, EDO__SC);
    edo__futex_wake(&m->asleep, 1);
    pthread_join(m->thread, NULL);
    edo__monitor_report_end(m);
    m->running = false;
}

void edo__monitor_free(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    if (m == NULL)
        return;
    edo__monitor_stop(rt);
    pthread_mutex_destroy(&m->trace_lock);
    free(m->watches);
    free(m->traces);
    free(m);
    rt->monitor = NULL;
}
