/* SPDX-License-Identifier: MIT */
/* Readings of a runtime's counters. Each is written by one worker; here they are added up. */
#include "core/sched.h"

#include <edo/metrics.h>

#include <string.h>

static void add_counters(edo_metrics *m, const edo__counters *c)
{
    m->tasks_finished += edo__aload(&c->finished, EDO__ACQ);
    m->steals += edo__aload(&c->steals, EDO__RLX);
    m->stolen += edo__aload(&c->stolen, EDO__RLX);
    m->parks += edo__aload(&c->parks, EDO__RLX);
    m->unparks += edo__aload(&c->unparks, EDO__RLX);
    m->budget_yields += edo__aload(&c->budget_yields, EDO__RLX);
    m->overflows += edo__aload(&c->overflows, EDO__RLX);
    m->timers_fired += edo__aload(&c->timers_fired, EDO__RLX);
}

static void add_worker(edo_metrics *m, edo__worker *w)
{
    add_counters(m, &w->counters);
    m->polls += edo__aload(&w->tick, EDO__RLX);
    m->local_depth += edo__queue_len(&w->queue) + edo__aload(&w->mail_len, EDO__RLX) +
                      (edo__aload(&w->lifo, EDO__RLX) != NULL);
    edo__spin_lock(&w->timer_lock);
    m->timers += w->wheel.count;
    edo__spin_unlock(&w->timer_lock);
}

static void add_stacks(edo_metrics *m, edo_runtime *rt)
{
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        edo__stack_counts c;
        edo__stack_pool_counts(rt->stacks, cls, &c);
        m->stacks_in_use += c.in_use;
        m->stacks_cached += c.warm + c.cold;
        for (uint32_t i = 0; i < rt->n_workers; i++) {
            uint64_t kept = edo__aload(&rt->workers[i].stack_count[cls], EDO__RLX);
            uint64_t moved = kept < m->stacks_in_use ? kept : m->stacks_in_use;
            m->stacks_in_use -= moved;
            m->stacks_cached += moved;
        }
    }
    m->stack_bytes_mapped = edo__stack_pool_mapped(rt->stacks);
}

int edo_metrics_read(edo_runtime *rt, edo_metrics *out)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    edo_metrics m;
    memset(&m, 0, sizeof m);
    m.workers = rt->n_workers;
    m.workers_parked = edo__aload(&rt->idle.sleeping, EDO__RLX);
    /* finished before spawned: a task that ends in between must not make "alive" negative */
    add_counters(&m, &rt->outside);
    for (uint32_t i = 0; i < rt->n_workers; i++)
        add_worker(&m, &rt->workers[i]);
    m.tasks_spawned = edo__aload(&rt->outside.spawned, EDO__ACQ);
    for (uint32_t i = 0; i < rt->n_workers; i++)
        m.tasks_spawned += edo__aload(&rt->workers[i].counters.spawned, EDO__ACQ);
    m.tasks_alive = m.tasks_spawned - m.tasks_finished;
    m.inject_depth = edo__aload(&rt->inject.len, EDO__RLX);
    edo__pool_stats pool;
    edo__pool_read_stats(rt->pool, &pool);
    m.blocking_threads = pool.threads;
    m.blocking_idle = pool.idle;
    m.blocking_queue_depth = pool.depth;
    m.blocking_jobs = pool.done;
    edo__io_stats io = { 0 };
    rt->backend->read_stats(rt, &io);
    m.fds = io.fds;
    m.io_polls = io.polls;
    m.io_events = io.events;
    m.stuck_events = edo__aload(&rt->stuck_events, EDO__RLX);
    add_stacks(&m, rt);
    *out = m;
    return 0;
}
