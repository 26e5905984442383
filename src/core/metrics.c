/* SPDX-License-Identifier: MIT */
/* Readings of a runtime's counters. Each is written by one worker; here they are added up. */
#include "core/sched.h"

#include <edo/metrics.h>

#include <string.h>

static void add_counters(edo_metrics *m, const edo__counters *c)
{
    m->tasks_finished += edo__aload(&c->finished, EDO__ACQ);
    m->steals += edo__aload(&c->steals, EDO__ACQ); /* pairs with steal_from(): before stolen */
    m->stolen += edo__aload(&c->stolen, EDO__RLX);
    m->parks += edo__aload(&c->parks, EDO__RLX);
    m->unparks += edo__aload(&c->unparks, EDO__RLX);
    m->budget_yields += edo__aload(&c->budget_yields, EDO__RLX);
    m->overflows += edo__aload(&c->overflows, EDO__RLX);
    m->timers_fired += edo__aload(&c->timers_fired, EDO__RLX);
    m->remote_schedules += edo__aload(&c->remote, EDO__RLX);
}

static uint64_t local_depth(const edo__worker *w)
{
    return edo__queue_len(&w->queue) + edo__aload(&w->mail_len, EDO__RLX) +
           (edo__aload(&w->lifo, EDO__RLX) != NULL);
}

static uint64_t timers_armed(edo__worker *w)
{
    edo__spin_lock(&w->timer_lock);
    uint64_t n = w->wheel.count;
    edo__spin_unlock(&w->timer_lock);
    return n;
}

/* Since its loop began; nothing before that. */
static void add_time(const edo__worker *w, int64_t *busy, int64_t *idle)
{
    int64_t started = edo__aload(&w->meter.started, EDO__RLX);
    if (started == 0)
        return;
    int64_t now = edo__clock_real();
    int64_t spent = edo__meter_idle_ns(&w->meter, now);
    *idle += spent;
    if (now - started > spent)
        *busy += now - started - spent;
}

static void add_worker(edo_metrics *m, edo__worker *w)
{
    add_counters(m, &w->counters);
    m->polls += edo__aload(&w->tick, EDO__RLX);
    m->noops += edo__aload(&w->meter.noops, EDO__RLX);
    m->local_depth += local_depth(w);
    m->timers += timers_armed(w);
    add_time(w, &m->busy_ns, &m->idle_ns);
    edo__meter_add(&w->meter.run, &m->run_time);
    edo__meter_add(&w->meter.wake, &m->wake_to_run);
}

static void add_stacks(edo_metrics *m, edo_runtime *rt)
{
    for (unsigned cls = 0; cls < EDO__STACK_CLASSES; cls++) {
        edo__stack_counts c;
        edo__stack_pool_counts(rt->stacks, cls, &c);
        m->stacks_in_use += c.in_use;
        m->stacks_cached += c.warm + c.cold;
        for (uint32_t i = 0; i < edo__workers_known(rt); i++) {
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
    memset(out, 0, sizeof *out);
    edo_metrics *m = out;
    m->workers = rt->n_workers;
    m->workers_parked = edo__aload(&rt->idle.sleeping, EDO__RLX);
    if (m->workers_parked > m->workers)
        m->workers_parked = m->workers; /* spares are asleep as well */
    /* finished before spawned: a task that ends in between must not make "alive" negative */
    add_counters(m, &rt->outside);
    for (uint32_t i = 0; i < edo__workers_known(rt); i++)
        add_worker(m, &rt->workers[i]);
    m->tasks_spawned = edo__aload(&rt->outside.spawned, EDO__ACQ);
    for (uint32_t i = 0; i < edo__workers_known(rt); i++)
        m->tasks_spawned += edo__aload(&rt->workers[i].counters.spawned, EDO__ACQ);
    m->tasks_alive = m->tasks_spawned - m->tasks_finished;
    m->inject_depth = edo__aload(&rt->inject.len, EDO__RLX);
    m->low_depth = edo__aload(&rt->low.len, EDO__RLX);
    edo__pool_stats pool;
    edo__pool_read_stats(rt->pool, &pool);
    m->blocking_threads = pool.threads;
    m->blocking_idle = pool.idle;
    m->blocking_queue_depth = pool.depth;
    m->blocking_jobs = pool.done;
    edo__io_stats io = { 0 };
    rt->backend->read_stats(rt, &io);
    m->fds = io.fds;
    m->io_polls = io.polls;
    m->io_events = io.events;
    m->io_submits = io.submits;
    m->workers_spare = edo__aload(&rt->spares, EDO__RLX);
    m->spares_started = edo__aload(&rt->spares_started, EDO__RLX);
    m->stuck_events = edo__aload(&rt->stuck_events, EDO__RLX);
    add_stacks(m, rt);
    return 0;
}

int edo_metrics_worker(edo_runtime *rt, unsigned worker, edo_worker_metrics *out)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    if (worker >= edo__workers_known(rt))
        return -EINVAL;
    edo__worker *w = &rt->workers[worker];
    const edo__counters *c = &w->counters;
    memset(out, 0, sizeof *out);
    out->tid = edo__aload(&w->tid, EDO__RLX);
    out->cpu = w->cpu;
    out->running = edo__aload(&w->current, EDO__RLX) != NULL;
    out->tasks_spawned = edo__aload(&c->spawned, EDO__RLX);
    out->tasks_finished = edo__aload(&c->finished, EDO__RLX);
    out->polls = edo__aload(&w->tick, EDO__RLX);
    out->steals = edo__aload(&c->steals, EDO__ACQ); /* as in add_counters() */
    out->stolen = edo__aload(&c->stolen, EDO__RLX);
    out->parks = edo__aload(&c->parks, EDO__RLX);
    out->unparks = edo__aload(&c->unparks, EDO__RLX);
    out->noops = edo__aload(&w->meter.noops, EDO__RLX);
    out->budget_yields = edo__aload(&c->budget_yields, EDO__RLX);
    out->overflows = edo__aload(&c->overflows, EDO__RLX);
    out->local_depth = local_depth(w);
    out->timers = timers_armed(w);
    out->timers_fired = edo__aload(&c->timers_fired, EDO__RLX);
    add_time(w, &out->busy_ns, &out->idle_ns);
    edo__meter_add(&w->meter.run, &out->run_time);
    edo__meter_add(&w->meter.wake, &out->wake_to_run);
    return 0;
}
