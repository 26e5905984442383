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
 * the monitor moves it as well. And a worker that is not held may still not get a processor: timers
 * of any worker that have been due for a period are fired, and when work has waited from one look to
 * the next for a worker that searches, or was woken to, another one is woken.
 *
 * While every worker sleeps there is nothing to watch, and the monitor sleeps too. A worker that
 * wakes and finds it asleep does not wake it but sets an alarm for half a period later: the worker is
 * then likely asleep again, so that a rare timer costs one switch to the monitor, and frequent ones
 * a system call a period. It must never take a lock that a task can hold across user code. */
#include "core/monitor_impl.h"

#include "arch/alarm.h"
#include "arch/futex.h"
#include "arch/slice.h"
#include "core/cpus.h"

#include <edo/metrics.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PERIOD_MAX EDO_MS(10)
#define PERIOD_HELD EDO_MS(1)
#define SLEEPER_EVERY EDO_MS(10)
#define DUMP_EVERY EDO_MS(100) /* looks for a request while everything sleeps */

static uint32_t dump_requests; /* atomic: times EDO_DUMP_SIGNAL has come */

static void on_dump_signal(int sig)
{
    (void)sig;
    edo__aadd(&dump_requests, 1u, EDO__REL); /* pairs with the load in answer_dump() */
}

/* Fires w's timers that have been due for so long. */
static void expire_for(edo__worker *w, int64_t late)
{
    edo_runtime *rt = w->rt;
    if (edo__aload(&w->timer_next, EDO__RLX) != EDO_FOREVER &&
        edo__aload(&rt->clock_paused, EDO__ACQ) == 0) {
        int64_t now = edo__clock_now(rt);
        if (now - late >= edo__aload(&w->timer_next, EDO__RLX))
            edo__worker_expire_for(w, now);
    }
}

/* Does for a held worker what it cannot do itself. */
static void relieve(edo__worker *w)
{
    edo_runtime *rt = w->rt;
    int found = edo__give_away(w);
    if (found != 0)
        edo__wake_one(rt);
    expire_for(w, 0);
    int events = rt->backend->poll_for(w);
    EDO__PROBE3(worker_takeover, w->index, found, events);
    (void)events;
}

/* Work that waits although a worker searches has been overlooked, as it seems, when the same is
 * found at the next look: no harm is done when that was other work. */
static void hurry(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    bool waiting = edo__aload(&rt->idle.word, EDO__RLX) != 0 &&
                   edo__aload(&rt->idle.sleeping, EDO__RLX) != 0 && edo__work_visible(rt);
    if (waiting && m->waiting)
        edo__wake_another(rt);
    m->waiting = waiting;
}

/* Whether w's thread sleeps in the kernel. Asked of the kernel once per sleep: as long as its
 * processor time stands still the answer stays. That is looked at every few milliseconds, since a
 * hundred may sleep, and a monitor that computes for long is not run when it should look. */
static bool is_blocked(struct edo__monitor *m, const edo__worker *w, edo__watch *seen, int64_t now)
{
    if (seen->blocked && now < seen->cpu_next)
        return true;
    seen->cpu_next = now + SLEEPER_EVERY;
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
    edo__monitor_report_drop(w->rt->monitor, seen);
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
    bool blocked = is_blocked(m, w, seen, now);
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
    uint32_t n = edo__workers_known(rt);
    for (uint32_t i = 0; i < n; i++) {
        look_at(m, &rt->workers[i], now);
        held |= m->watches[i].held;
        if (!m->watches[i].held)
            expire_for(&rt->workers[i], m->period);
    }
    m->any_held = held;
    hurry(rt);
    edo__spares_balance(rt, now);
    return held;
}

/* When a timer will be as late as expire_for() lets it be, its worker's thread not running. */
static int64_t overdue_at(edo_runtime *rt)
{
    bool paused = edo__aload(&rt->clock_paused, EDO__ACQ) != 0;
    int64_t next = paused ? EDO_FOREVER : edo__clock_next(rt);
    return next < EDO_FOREVER - rt->monitor->period ? next + rt->monitor->period : EDO_FOREVER;
}

/* Until an alarm, when all workers sleep. One that has been set since the last such sleep may be
 * old: then the monitor looks once too often. */
static void sleep_with_workers(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    uint32_t asleep = edo__aload(&m->asleep, EDO__RLX) + 1;
    int64_t until = overdue_at(rt), left = until;
    if (until != EDO_FOREVER)
        left = until - edo__clock_now(rt);
    if (rt->dump_signal != 0 && left > DUMP_EVERY)
        left = DUMP_EVERY;
    edo__alarm_set(m->alarm, left > PERIOD_HELD ? left : PERIOD_HELD);
    edo__astore(&m->asleep, asleep, EDO__SC); /* before the look under the lock of the sleepers */
    if (edo__idle_all_asleep(&rt->idle) && edo__aload(&m->stop, EDO__ACQ) == 0 &&
        overdue_at(rt) >= until)
        edo__alarm_wait(m->alarm);
    edo__astore(&m->asleep, asleep + 1, EDO__SC);
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
    /* relaxed: the worker has left the sleepers, under a lock. If sleep_with_workers() has had that
     * lock before, its store is seen here; if not, it sees that one is awake. */
    uint32_t asleep = edo__aload(&m->asleep, EDO__RLX);
    if (edo__likely(asleep % 2 == 0))
        return;
    /* In this order: whoever finds an even number may rely on the alarm. And a compare-and-swap: by
     * now it may have rung, and the monitor sleep again, if this is not the worker's own thread. */
    edo__alarm_set(m->alarm, m->period / 2);
    (void)edo__acas(&m->asleep, &asleep, asleep + 1, EDO__SC, EDO__RLX);
}

static void *monitor_thread(void *arg)
{
    edo_runtime *rt = arg;
    struct edo__monitor *m = rt->monitor;
    pthread_setname_np(pthread_self(), "edo-monitor");
    edo__cpus_enter_free(rt);
    edo__slice_short(); /* spares inherit it */
    while (edo__aload(&m->stop, EDO__ACQ) == 0) {
        int64_t now = edo__clock_real();
        answer_dump(rt);
        m->next_look = now + m->period;
        bool held = rt->config.stuck_after != EDO_FOREVER && look_at_all(rt, now);
        if (!held && rt->spares == 0 && edo__idle_all_asleep(&rt->idle)) {
            sleep_with_workers(rt);
            continue;
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
    m->period = rt->config.stuck_after / 4;
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
    m->alarm = -1;
    pthread_mutex_init(&m->trace_lock, NULL);
    size_t room = rt->n_workers + EDO__SPARES_MAX;
    m->watches = calloc(room, sizeof *m->watches);
    m->traces = calloc(room, sizeof *m->traces);
    if (m->watches == NULL || m->traces == NULL)
        return -ENOMEM; /* edo__monitor_free() frees what is there */
    if (rt->config.stuck_after == EDO_FOREVER && rt->dump_signal == 0)
        return 0;
    m->alarm = edo__alarm_open();
    if (m->alarm < 0)
        return m->alarm;
    edo__spares_reserve(m->alarm);
    return monitor_start_thread(rt);
}

void edo__monitor_stop(edo_runtime *rt)
{
    struct edo__monitor *m = rt->monitor;
    if (m == NULL || !m->running)
        return;
    edo__astore(&m->stop, 1u, EDO__SC);
    edo__futex_wake(&m->stop, 1);
    edo__alarm_set(m->alarm, 1); /* a worker may put it off, by a period at most */
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
    if (m->alarm >= 0)
        edo__alarm_close(m->alarm);
    free(m->watches);
    free(m->traces);
    free(m);
    rt->monitor = NULL;
}
