/* SPDX-License-Identifier: MIT */
/* Spare workers: who runs the tasks when tasks hold the workers.
 *
 * A spare is a worker like any other: thread, queue, wheel, I/O instance of its own. The monitor
 * calls it in, and retires it when held workers have come back. A retired spare gives its queue to
 * the others and runs no more tasks, except such as are pinned to it; it stays, asleep, as the
 * servant of the timers and descriptors that were armed there, since these belong to one thread.
 * What they wake runs elsewhere. The next time it is called in before a new one is made.
 *
 * When one is called in:
 *   1. Every worker is held, and tasks wait. The first time one more than there are workers, and
 *      four times as many each time that happens again at once: a hundred tasks that all block are
 *      started in a few milliseconds. Threads that compute are different, as more of them than
 *      processors only take time from each other: of those there are COMPUTING_MAX at most.
 *   2. A worker's thread sleeps in the kernel and so leaves a processor unused, nobody is idle, and
 *      tasks wait for the second look in a row: as many as sleep.
 *
 * When one retires: more threads compute, or could, than there are workers, and another is free.
 *
 * All decisions are the monitor thread's, so they need no lock; a spare learns of them through its
 * `wanted` word. */
#include "core/monitor_impl.h"
#include "core/runtime.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define AGAIN_WITHIN EDO_MS(20) /* called in again so soon: the last ones are held already */
#define GRACE EDO_MS(5)         /* a spare just called in may still be on its way to a task */
#define RETRY_AFTER EDO_MS(100) /* when a thread could not be had */
#define COMPUTING_MAX(workers_) (2 * (workers_) + 2)
#define BURST_GROWS 4    /* so many times as many when those called in are held at once */
#define DESCRIPTORS 1024 /* room for the descriptors of all spares and more */

typedef struct census {
    uint32_t active;  /* workers but for retired spares */
    uint32_t held;    /* of these, by a task */
    uint32_t blocked; /* of these, asleep in the kernel */
} census;

/* The table of descriptors grows by doubling, and in a process of several threads the kernel waits
 * for an RCU grace period each time: a tenth of a second on a busy machine, which the monitor would
 * spend in epoll_create1(2) while every worker is held. The table never shrinks: so it is made to
 * grow now. That nothing comes of it when the limit is lower, or memory short, does no harm. */
void edo__spares_reserve(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t room = limit.rlim_cur < DESCRIPTORS ? limit.rlim_cur : DESCRIPTORS;
    int high = room > 0 ? fcntl(fd, F_DUPFD_CLOEXEC, (int)room - 1) : -1;
    if (high >= 0)
        close(high);
}

static bool is_retired(const edo__worker *w)
{
    return (edo__aload(&w->wanted, EDO__RLX) & EDO__WANT_RETIRE) != 0;
}

static census take_census(const edo_runtime *rt)
{
    census c = { 0 };
    uint32_t known = edo__workers_known(rt);
    for (uint32_t i = 0; i < known; i++) {
        if (is_retired(&rt->workers[i]))
            continue;
        const edo__watch *seen = &rt->monitor->watches[i];
        c.active++;
        c.held += seen->held;
        c.blocked += seen->held && seen->blocked;
    }
    return c;
}

/* One more struct, retired and without a thread. NULL: nothing can be had for it. */
static edo__worker *make_spare(edo_runtime *rt)
{
    uint32_t index = rt->n_known;
    if (index >= rt->n_workers + EDO__SPARES_MAX)
        return NULL;
    edo__worker *w = &rt->workers[index];
    if (edo__worker_init(w, rt, index) < 0)
        return NULL;
    w->wanted |= EDO__WANT_RETIRE;                  /* beside what measures its runs */
    edo__astore(&rt->n_known, index + 1, EDO__REL); /* pairs with edo__workers_known() */
    return w;
}

static edo__worker *find_resting(edo_runtime *rt)
{
    uint32_t known = edo__workers_known(rt);
    for (uint32_t i = rt->n_workers; i < known; i++) {
        if (is_retired(&rt->workers[i]) && !rt->monitor->watches[i].held)
            return &rt->workers[i];
    }
    return NULL;
}

/* Before it can run a task, so that readers of metrics find it. */
static void count(edo_runtime *rt, int n)
{
    edo__astore(&rt->spares, rt->spares + (uint32_t)n, EDO__RLX);
    edo__astore(&rt->spares_started, rt->spares_started + (uint64_t)n, EDO__RLX);
}

/* False: no thread can be had for it. */
static bool start(edo__worker *w)
{
    count(w->rt, 1);
    edo__aand(&w->wanted, ~(uint32_t)EDO__WANT_RETIRE, EDO__RLX);
    if (w->has_thread) {
        edo__worker_wake(w);
        return true;
    }
    edo__idle_join(&w->rt->idle);
    if (edo__worker_start(w) == 0)
        return true;
    edo__idle_quit(&w->rt->idle);
    edo__aor(&w->wanted, EDO__WANT_RETIRE, EDO__RLX);
    count(w->rt, -1);
    return false;
}

static void call_in(edo_runtime *rt, uint32_t n, int64_t now)
{
    edo__spares *s = &rt->monitor->spares;
    if (s->refused != 0 && now - s->refused < RETRY_AFTER)
        return;
    for (uint32_t i = 0; i < n; i++) {
        edo__worker *w = find_resting(rt);
        if (w == NULL)
            w = make_spare(rt);
        if (w == NULL || !start(w)) {
            s->refused = now;
            return;
        }
        rt->monitor->watches[w->index].called = now;
        uint32_t on = edo__probe_value(1);
        EDO__PROBE2(worker_spare, w->index, on);
    }
}

static void retire(edo_runtime *rt, uint32_t n, int64_t now)
{
    for (uint32_t i = edo__workers_known(rt); i-- > rt->n_workers && n > 0;) {
        edo__worker *w = &rt->workers[i];
        const edo__watch *seen = &rt->monitor->watches[i];
        if (is_retired(w) || seen->held || now - seen->called < GRACE)
            continue;
        edo__aor(&w->wanted, EDO__WANT_RETIRE, EDO__RLX);
        edo__worker_wake(w);
        edo__astore(&rt->spares, rt->spares - 1, EDO__RLX);
        uint32_t on = edo__probe_value(0);
        EDO__PROBE2(worker_spare, w->index, on);
        n--;
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many to call in when all are held. */
static uint32_t wanted_of_all(edo_runtime *rt, const census *c, uint32_t backlog, int64_t now)
{
    edo__spares *s = &rt->monitor->spares;
    bool again = s->called != 0 && now - s->called < AGAIN_WITHIN;
    s->burst = again ? least(s->burst * BURST_GROWS, EDO__SPARES_MAX) : rt->n_workers + 1;
    uint32_t computing = c->active - c->blocked;
    uint32_t room = COMPUTING_MAX(rt->n_workers);
    room = room > computing ? room - computing : 0;
    /* Those called in are counted as computing until they are seen to block: so burst may not go
     * beyond room while there is computing, and needs not: room is there again at the next look. */
    return least(least(s->burst, backlog), c->blocked > computing ? s->burst : room);
}

void edo__spares_balance(edo_runtime *rt, int64_t now)
{
    struct edo__monitor *m = rt->monitor;
    if (!m->any_held && rt->spares == 0)
        return;
    census c = take_census(rt);
    uint32_t free_ones = c.active - c.held, computing = c.active - c.blocked;
    uint32_t backlog = edo__aload(&rt->inject.len, EDO__RLX) + edo__aload(&rt->low.len, EDO__RLX);
    bool waiting = backlog != 0 || edo__work_visible(rt);
    bool nobody_idle = edo__aload(&rt->idle.sleeping, EDO__RLX) == 0;
    if (free_ones == 0 && waiting) {
        call_in(rt, wanted_of_all(rt, &c, backlog != 0 ? backlog : 1, now), now);
        m->spares.called = now;
    } else if (computing < rt->n_workers && waiting && nobody_idle && m->spares.backlog) {
        call_in(rt, rt->n_workers - computing, now);
    } else if (computing > rt->n_workers && free_ones > 1) {
        retire(rt, least(computing - rt->n_workers, free_ones - 1), now);
    }
    m->spares.backlog = waiting && nobody_idle;
}
