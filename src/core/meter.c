/* SPDX-License-Identifier: MIT */
/* How long tasks run, and how long they wait from being made runnable to running.
 *
 * A look at the clock costs more than a switch from task to task, so by default only samples are
 * taken, and the path from task to task knows nothing of them. A worker comes back to its loop once
 * per EDO__INJECT_EVERY runs anyway, for its turn at the inject queue. One turn in
 * EDO__METER_TURNS, chosen at random, is cut in two at a random place, so that the worker is in its
 * loop there as well and measures the run that follows; WATCH in its `wanted` word brings it back
 * to the loop when that run ends. Every run is as likely to be chosen as any other, whatever it
 * does and how long it takes: what is counted are runs, not time.
 *
 * The task of a measured run is marked (EDO__PIN_WATCHED, in the field that every waker looks at
 * for pins): whoever makes it runnable next notes the time, and the worker that runs it counts how
 * long ago that was. So each wake-up is chosen with the same probability: that of the run before it.
 * First runs have none before them; of spawns one in about as many is marked, counted per worker.
 *
 * When all runs are measured the WATCH bit and the marks are simply always there. */
#include "core/meter.h"

#include "core/hooks.h"
#include "core/sched.h"
#include "core/trace.h"

#define SAMPLE_EVERY (EDO__METER_TURNS * EDO__INJECT_EVERY)

static unsigned bucket_of(uint64_t ns)
{
    if (ns < 16)
        return 0;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(ns);
    unsigned i = 1 + (exponent - 4) * 4 + (unsigned)(ns >> (exponent - 2) & 3);
    return i < EDO_HISTOGRAM_BUCKETS ? i : EDO_HISTOGRAM_BUCKETS - 1;
}

static void count_by(uint64_t *counter, uint64_t n)
{
    edo__astore(counter, edo__aload(counter, EDO__RLX) + n, EDO__RLX); /* one writer */
}

static void record(edo__hist *h, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    count_by(&h->buckets[bucket_of(v)], 1);
    count_by(&h->sum, v);
    if (v > edo__aload(&h->max, EDO__RLX))
        edo__astore(&h->max, v, EDO__RLX);
}

/* 1 to 2 * mean - 1, all equally likely. */
static uint64_t random_gap(edo__worker *w, uint64_t mean)
{
    return 1 + edo__worker_random(w) % (2 * mean - 1);
}

/* The time as a watched task keeps it: 8 ns, and comes round after 34 s. */
static uint32_t stamp(int64_t now)
{
    return (uint32_t)((uint64_t)now >> 3);
}

static void watch(edo__task *t)
{
    t->pins |= EDO__PIN_WATCHED;
}

void edo__meter_init(edo__worker *w, const edo_config *config)
{
    edo__meter *m = &w->meter;
    m->mode = config->metrics;
    m->always = m->mode == EDO_METRICS_ALL || edo__hooks_of_runs(&config->hooks);
    m->each_spawn = m->mode == EDO_METRICS_ALL || edo__hooks_of_tasks(&config->hooks);
    m->next_spawn = UINT64_MAX;
    w->until_inject = EDO__INJECT_EVERY + 1;
    if (m->mode == EDO_METRICS_SAMPLED) {
        m->turns = m->always ? 0 : (uint32_t)random_gap(w, EDO__METER_TURNS);
        m->next_spawn = random_gap(w, SAMPLE_EVERY);
    }
    if (m->always) {
        m->on = true;
        w->wanted = EDO__WANT_WATCH;
    }
    w->sample_spawn = m->each_spawn ? 1 : m->next_spawn;
}

static void measure_next(edo__worker *w)
{
    w->meter.on = true;
    edo__aor(&w->wanted, EDO__WANT_WATCH, EDO__RLX); /* the owner itself reads it */
}

/* All runs and spawns are traced from here on, until that ends. */
static void trace_begins(edo__worker *w)
{
    if (!edo__trace_on() || w->meter.on)
        return;
    measure_next(w);
    w->sample_spawn = edo__aload(&w->counters.spawned, EDO__RLX) + 1;
}

void edo__meter_start(edo__worker *w)
{
    edo__astore(&w->meter.started, edo__clock_real(), EDO__RLX);
    trace_begins(w);
}

bool edo__meter_turn(edo__worker *w)
{
    edo__meter *m = &w->meter;
    if (m->rest != 0) {
        w->until_inject = m->rest;
        m->rest = 0;
        measure_next(w);
        return false;
    }
    w->until_inject = EDO__INJECT_EVERY + 1;
    trace_begins(w);
    if (m->turns == 0 || --m->turns != 0)
        return true;
    m->turns = (uint32_t)random_gap(w, EDO__METER_TURNS);
    int32_t before = (int32_t)(edo__worker_random(w) % EDO__INJECT_EVERY); /* runs in part one */
    if (before == 0) {
        measure_next(w);
    } else {
        w->until_inject = before + 1;
        m->rest = EDO__INJECT_EVERY + 1 - before;
    }
    return true;
}

int64_t edo__meter_begin(edo__worker *w, edo__task *t)
{
    if ((t->flags & EDO__TF_HOOKED) != 0)
        edo__hook_run(t);
    if (edo__trace_on())
        edo__trace_note(EDO__REC_RUN, edo__task_id(t), w->meter.resumed, t->site);
    w->meter.resumed = false;
    return edo__clock_real();
}

/* What the task that w has left waits for; NULL: for its turn. */
static const char *waits_for(const edo__worker *w)
{
    return w->action == EDO__ACTION_PARK ? edo__why_name(w->left->why) : NULL;
}

static void trace_end(const edo__worker *w, uint64_t id)
{
    if (w->action == EDO__ACTION_END) {
        edo__trace_note(EDO__REC_END, id, 0, NULL);
    } else {
        const char *why = waits_for(w);
        edo__trace_note(EDO__REC_PAUSE, id, 0, why != NULL ? why : "its turn");
    }
}

void edo__meter_end(edo__worker *w, int64_t begin, uint64_t id)
{
    edo__meter *m = &w->meter;
    int64_t now = edo__clock_real();
    bool traced = edo__trace_on();
    if (m->mode != EDO_METRICS_OFF)
        record(&m->run, now - begin);
    if (traced)
        trace_end(w, id);
    if (w->action == EDO__ACTION_PARK || w->action == EDO__ACTION_YIELD) {
        watch(w->left);
        if (traced)
            w->left->pins |= EDO__PIN_PAUSED;
        w->left->woken = stamp(now); /* it stays so if it yields */
        if ((w->left->flags & EDO__TF_HOOKED) != 0)
            edo__hook_suspend(w->left, waits_for(w));
    }
    if (m->always || traced)
        return;
    m->on = false;
    edo__aand(&w->wanted, ~(uint32_t)EDO__WANT_WATCH, EDO__RLX);
}

/* Nobody but the spawner knows t yet. */
static void spawned(edo__task *t, bool chosen)
{
    if (chosen && (t->flags & EDO__TF_BLOCKING) == 0)
        watch(t);
    if (edo__trace_on())
        edo__trace_note(EDO__REC_SPAWN, edo__task_id(t), t->parent, t->site);
    edo__hook_spawn(t);
}

void edo__meter_spawned(edo__worker *w, edo__task *t)
{
    edo__meter *m = &w->meter;
    bool all = m->always || edo__trace_on();
    uint64_t n = edo__aload(&w->counters.spawned, EDO__RLX);
    bool chosen = all || n == m->next_spawn;
    if (chosen && m->mode == EDO_METRICS_SAMPLED)
        m->next_spawn = n + random_gap(w, SAMPLE_EVERY);
    w->sample_spawn = all || m->each_spawn ? n + 1 : m->next_spawn;
    spawned(t, chosen);
}

void edo__meter_spawned_outside(edo_runtime *rt, edo__task *t)
{
    edo__aadd(&rt->outside.spawned, 1u, EDO__RLX);
    spawned(t, rt->workers[0].meter.always || edo__trace_on());
}

void edo__meter_woken(edo__task *t)
{
    t->woken = stamp(edo__clock_real());
    if (edo__trace_on())
        edo__trace_note(EDO__REC_WAKE, edo__task_id(t), 0, NULL);
}

void edo__meter_ran(edo__worker *w, edo__task *t)
{
    w->meter.resumed = (t->pins & EDO__PIN_PAUSED) != 0;
    t->pins &= (uint16_t) ~(EDO__PIN_WATCHED | EDO__PIN_PAUSED);
    uint32_t waited = stamp(edo__clock_real()) - t->woken;
    if (w->meter.mode == EDO_METRICS_OFF)
        return; /* it was only traced */
    record(&w->meter.wake, (int64_t)waited << 3);
}

void edo__meter_idle(edo__worker *w)
{
    edo__meter *m = &w->meter;
    if (w->tick == m->tick_woken)
        count_by(&m->noops, 1);
    edo__astore(&m->idle_since, edo__clock_real(), EDO__REL); /* pairs with edo__meter_idle_ns() */
}

void edo__meter_busy(edo__worker *w)
{
    edo__meter *m = &w->meter;
    int64_t spent = edo__clock_real() - m->idle_since;
    m->tick_woken = w->tick;
    trace_begins(w);
    edo__astore(&m->idle_ns, m->idle_ns + spent, EDO__RLX);
    edo__astore(&m->idle_since, 0, EDO__REL);
}

void edo__meter_add(const edo__hist *h, edo_histogram *out)
{
    for (unsigned i = 0; i < EDO_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = edo__aload(&h->buckets[i], EDO__RLX);
        out->buckets[i] += n;
        out->count += n;
    }
    out->sum += edo__aload(&h->sum, EDO__RLX);
    uint64_t max = edo__aload(&h->max, EDO__RLX);
    if (max > out->max)
        out->max = max;
}

int64_t edo__meter_idle_ns(const edo__meter *m, int64_t now)
{
    int64_t since = edo__aload(&m->idle_since, EDO__ACQ);
    int64_t before = edo__aload(&m->idle_ns, EDO__RLX);
    return before + (since != 0 && now > since ? now - since : 0);
}
