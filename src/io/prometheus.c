/* SPDX-License-Identifier: MIT */
/* A runtime's figures in the text exposition format 0.0.4 of Prometheus. Above the core, because it
 * writes through an edo_writer. */
#include "core/sched.h"

#include <edo/metrics.h>
#include <edo/writer.h>

#include <stdlib.h>

typedef enum kind {
    COUNTER,
    GAUGE,
} kind;

typedef enum unit { /* how the field is stored, and shown */
                    U32,
                    U64,
                    SECONDS, /* int64_t nanoseconds */
} unit;

typedef struct series {
    const char *name, *help;
    size_t at; /* in edo_metrics or edo_worker_metrics */
    kind kind;
    unit unit;
} series;

#define OF(field_) offsetof(edo_metrics, field_)
static const series of_runtime[] = {
    { "edo_workers", "Worker threads.", OF(workers), GAUGE, U32 },
    { "edo_workers_parked", "Idle worker threads.", OF(workers_parked), GAUGE, U32 },
    { "edo_tasks_alive", "Tasks spawned and not ended.", OF(tasks_alive), GAUGE, U64 },
    { "edo_tasks_spawned_total", "Tasks spawned.", OF(tasks_spawned), COUNTER, U64 },
    { "edo_tasks_finished_total", "Tasks ended.", OF(tasks_finished), COUNTER, U64 },
    { "edo_polls_total", "Times a task was resumed.", OF(polls), COUNTER, U64 },
    { "edo_steals_total", "Successful steals.", OF(steals), COUNTER, U64 },
    { "edo_stolen_tasks_total", "Tasks moved by steals.", OF(stolen), COUNTER, U64 },
    { "edo_parks_total", "Times a worker went to sleep.", OF(parks), COUNTER, U64 },
    { "edo_unparks_total", "Times a worker was woken by another thread.", OF(unparks), COUNTER,
      U64 },
    { "edo_noops_total", "Times a worker woke and found nothing to run.", OF(noops), COUNTER, U64 },
    { "edo_budget_yields_total", "Tasks made to yield.", OF(budget_yields), COUNTER, U64 },
    { "edo_overflows_total", "Times a full local queue gave to the inject queue.", OF(overflows),
      COUNTER, U64 },
    { "edo_remote_schedules_total", "Tasks made runnable by threads that are no workers.",
      OF(remote_schedules), COUNTER, U64 },
    { "edo_local_queue_depth", "Runnable tasks in local queues.", OF(local_depth), GAUGE, U64 },
    { "edo_inject_queue_depth", "Runnable tasks in the inject queue.", OF(inject_depth), GAUGE,
      U64 },
    { "edo_low_queue_depth", "Runnable tasks of low priority.", OF(low_depth), GAUGE, U64 },
    { "edo_blocking_threads", "Threads of the blocking pool.", OF(blocking_threads), GAUGE, U32 },
    { "edo_blocking_threads_idle", "Idle ones of them.", OF(blocking_idle), GAUGE, U32 },
    { "edo_blocking_queue_depth", "Jobs waiting for a thread.", OF(blocking_queue_depth), GAUGE,
      U64 },
    { "edo_blocking_jobs_total", "Jobs run.", OF(blocking_jobs), COUNTER, U64 },
    { "edo_timers", "Timers armed.", OF(timers), GAUGE, U64 },
    { "edo_timers_fired_total", "Timers fired.", OF(timers_fired), COUNTER, U64 },
    { "edo_fds", "Descriptors known to the I/O backend.", OF(fds), GAUGE, U64 },
    { "edo_io_polls_total", "System calls that asked for I/O events.", OF(io_polls), COUNTER, U64 },
    { "edo_io_events_total", "I/O events.", OF(io_events), COUNTER, U64 },
    { "edo_io_submits_total", "I/O requests handed to the kernel.", OF(io_submits), COUNTER, U64 },
    { "edo_stuck_total", "Times a task held its worker for too long.", OF(stuck_events), COUNTER,
      U64 },
    { "edo_stacks_in_use", "Stacks bound to tasks.", OF(stacks_in_use), GAUGE, U64 },
    { "edo_stacks_cached", "Stacks kept for later tasks.", OF(stacks_cached), GAUGE, U64 },
    { "edo_stack_mapped_bytes", "Address space of all stacks.", OF(stack_bytes_mapped), GAUGE,
      U64 },
    { "edo_busy_seconds_total", "Workers' time that was not idle.", OF(busy_ns), COUNTER, SECONDS },
    { "edo_idle_seconds_total", "Workers' time that was idle.", OF(idle_ns), COUNTER, SECONDS },
};

#undef OF
#define OF(field_) offsetof(edo_worker_metrics, field_)
static const series of_worker[] = {
    { "edo_worker_polls_total", "Times a task was resumed, by worker.", OF(polls), COUNTER, U64 },
    { "edo_worker_steals_total", "Successful steals by the worker.", OF(steals), COUNTER, U64 },
    { "edo_worker_parks_total", "Times the worker went to sleep.", OF(parks), COUNTER, U64 },
    { "edo_worker_overflows_total", "Times its queue gave to the inject queue.", OF(overflows),
      COUNTER, U64 },
    { "edo_worker_queue_depth", "Runnable tasks in its queue.", OF(local_depth), GAUGE, U64 },
    { "edo_worker_busy_seconds_total", "Its time that was not idle.", OF(busy_ns), COUNTER,
      SECONDS },
    { "edo_worker_idle_seconds_total", "Its time that was idle.", OF(idle_ns), COUNTER, SECONDS },
};
#undef OF

#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static ssize_t put_head(edo_writer *w, const char *name, const char *help, const char *type)
{
    return edo_writer_printf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As a label's value: the format knows three escapes. */
static void escape(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name != '\0' && n + 3 < size; name++) {
        if (*name == '\\' || *name == '"' || *name == '\n')
            out[n++] = '\\';
        out[n++] = *name == '\n' ? 'n' : *name;
    }
    out[n] = '\0';
}

static ssize_t put_value(edo_writer *w, const series *s, const void *from)
{
    const char *at = (const char *)from + s->at;
    switch (s->unit) {
    case U32: return edo_writer_printf(w, "%u\n", *(const uint32_t *)(const void *)at);
    case U64:
        return edo_writer_printf(w, "%llu\n",
                                 (unsigned long long)*(const uint64_t *)(const void *)at);
    case SECONDS: break;
    }
    int64_t ns = *(const int64_t *)(const void *)at;
    return edo_writer_printf(w, "%lld.%09lld\n", (long long)(ns / 1000000000),
                             (long long)(ns % 1000000000));
}

static ssize_t put_series(edo_writer *w, const series *s, const char *label, const edo_metrics *m)
{
    ssize_t rc = put_head(w, s->name, s->help, s->kind == COUNTER ? "counter" : "gauge");
    if (rc >= 0)
        rc = edo_writer_printf(w, "%s{runtime=\"%s\"} ", s->name, label);
    return rc < 0 ? rc : put_value(w, s, m);
}

static ssize_t put_worker_series(edo_writer *w, const series *s, const char *label,
                                 const edo_worker_metrics *all, unsigned n)
{
    ssize_t rc = put_head(w, s->name, s->help, s->kind == COUNTER ? "counter" : "gauge");
    for (unsigned i = 0; i < n && rc >= 0; i++) {
        rc = edo_writer_printf(w, "%s{runtime=\"%s\",worker=\"%u\"} ", s->name, label, i);
        if (rc >= 0)
            rc = put_value(w, s, &all[i]);
    }
    return rc;
}

/* A bucket per power of two: four times as many would cost more than they tell. */
static ssize_t put_histogram(edo_writer *w, const char *name, const char *help, const char *label,
                             const edo_histogram *h)
{
    ssize_t rc = put_head(w, name, help, "histogram");
    uint64_t below = 0;
    for (unsigned i = 0; i < EDO_HISTOGRAM_BUCKETS - 1 && rc >= 0; i++) {
        below += h->buckets[i];
        if (i % 4 == 0)
            rc = edo_writer_printf(w, "%s_bucket{runtime=\"%s\",le=\"%.9g\"} %llu\n", name, label,
                                   (double)edo_histogram_limit(i) / 1e9, (unsigned long long)below);
    }
    if (rc >= 0)
        rc = edo_writer_printf(w,
                               "%s_bucket{runtime=\"%s\",le=\"+Inf\"} %llu\n"
                               "%s_sum{runtime=\"%s\"} %.9f\n%s_count{runtime=\"%s\"} %llu\n",
                               name, label, (unsigned long long)h->count, name, label,
                               (double)h->sum / 1e9, name, label, (unsigned long long)h->count);
    return rc;
}

int edo_metrics_prometheus(edo_runtime *rt, edo_writer *w)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    unsigned n = edo__workers_known(rt);
    edo_metrics *m = malloc(sizeof *m);
    edo_worker_metrics *workers = malloc(n * sizeof *workers);
    ssize_t rc = m != NULL && workers != NULL ? 0 : -ENOMEM;
    char label[2 * sizeof rt->name + 4];
    escape(rt->name, label, sizeof label);
    if (rc == 0) {
        (void)edo_metrics_read(rt, m);
        for (unsigned i = 0; i < n; i++)
            (void)edo_metrics_worker(rt, i, &workers[i]);
    }
    for (size_t i = 0; i < COUNT(of_runtime) && rc >= 0; i++)
        rc = put_series(w, &of_runtime[i], label, m);
    for (size_t i = 0; i < COUNT(of_worker) && rc >= 0; i++)
        rc = put_worker_series(w, &of_worker[i], label, workers, n);
    if (rc >= 0)
        rc = put_histogram(w, "edo_run_time_seconds",
                           "How long a task ran until it suspended or ended, of those measured.",
                           label, &m->run_time);
    if (rc >= 0)
        rc = put_histogram(w, "edo_wake_to_run_seconds",
                           "From being made runnable to running, of those measured.", label,
                           &m->wake_to_run);
    free(workers);
    free(m);
    return rc < 0 ? (int)rc : 0;
}
