/* SPDX-License-Identifier: MIT */
/* Taking over a held worker: the monitor's own loop (core/monitor.c) and its spares (spare.c) beside
 * the scheduler as it is. While a task keeps its worker, the monitor moves what waits there, fires its
 * timers, harvests its descriptors, and calls in spares; held tasks come back, spares retire and are
 * called in again. No task is lost or run twice, a worker's own words are written by its own thread
 * only, and as long as something can run, somebody is going to run it. scheduler.h says how to read
 * the programs.
 *
 * The monitor's time is its own: it passes while the monitor waits, and how many looks fit between two
 * steps of the others is the checker's choice. */
#include "scheduler.h"

#define pthread_setname_np(thread_, name_) ((void)(thread_), (void)(name_))
#define count count_spares
#include "core/monitor.c"
#undef count

#include "checker.h"
#include "test.h"
#include "verdict.h"

static struct edo__monitor monitor;
static edo__watch watches[WORKERS_MAX];

/* ---- what the monitor asks the kernel, and does not do here ---- */

bool edo__monitor_sleeps(struct edo__monitor *m, const edo__worker *w)
{
    (void)m;
    return edo__aload(&in_kernel[w->index], EDO__RLX) != 0;
}

/* Who computes has used some between any two looks. */
int64_t edo__monitor_cpu(struct edo__monitor *m, const edo__worker *w)
{
    return edo__monitor_sleeps(m, w) ? 0 : clock_of_monitor;
}

void edo__monitor_report(struct edo__monitor *m, edo__worker *w, edo__watch *seen, int64_t now)
{
    (void)m;
    (void)w;
    (void)now;
    seen->reported = true;
}

void edo__monitor_report_end(struct edo__monitor *m)
{
    (void)m;
}

void edo__monitor_report_drop(struct edo__monitor *m, const edo__watch *seen)
{
    (void)m;
    (void)seen;
}

void edo__monitor_install_signal(void) {}

int64_t edo__clock_next(const edo_runtime *r)
{
    (void)r;
    return EDO_FOREVER; /* no timer is overdue while all sleep */
}

/* An alarm that is set for ever is none; the others ring after half a period. */
static uint32_t alarm_set;

int edo__alarm_open(void)
{
    return 0;
}

void edo__alarm_close(int alarm)
{
    (void)alarm;
}

void edo__alarm_set(int alarm, int64_t in)
{
    (void)alarm;
    edo__astore(&alarm_set, in < EDO_SEC(1), EDO__SC); /* a system call */
}

void edo__alarm_wait(int alarm)
{
    (void)alarm;
    model_forget(51);
    model_take(&alarm_set);
    clock_of_monitor += EDO_MS(4);
}

void edo__slice_short(void) {}

int edo_dump(edo_runtime *r, FILE *out)
{
    (void)r;
    (void)out;
    return 0;
}

/* ---- the state ---- */

static void begin(void)
{
    start();
    memset(watches, 0, sizeof watches);
    monitor = (struct edo__monitor){ .watches = watches, .running = true, .period = EDO_MS(8) };
    clock_of_monitor = EDO_SEC(1);
    alarm_set = 0;
    model_shared(&alarm_set, sizeof alarm_set, true, "alarm");
    rt.monitor = &monitor;
    rt.config = (edo_config){ .workers = cfg.workers, .stuck_after = EDO_MS(20) };
    model_shared(&monitor.asleep, sizeof monitor.asleep, true, "monitor asleep");
    model_shared(&monitor.stop, sizeof monitor.stop, true, "monitor's stop");
    for (unsigned i = 0; i < workers_ever(); i++)
        model_shared(&workers[i].wanted, sizeof workers[i].wanted, true, "wanted");
}

/* How long ago, as far as anybody asks. */
static uint64_t ago(int64_t at, int64_t most)
{
    int64_t past = clock_of_monitor - at;
    if (at == 0)
        return 0;
    return 1 + (uint64_t)(past < most ? past : most);
}

static uint64_t ahead(int64_t at)
{
    return at > clock_of_monitor ? (uint64_t)(at - clock_of_monitor) : 0;
}

static uint64_t look(void)
{
    uint64_t h = look_at_scheduler();
    const edo__spares *s = &monitor.spares;
    for (unsigned i = 0; i < workers_ever(); i++) {
        const edo__watch *seen = &watches[i];
        h = model_mix(h, (uintptr_t)seen->task);
        h = model_mix(h, seen->tick);
        h = model_mix(h, ago(seen->since, EDO_MS(20)));
        h = model_mix(h, ago(seen->called, EDO_MS(5)));
        h = model_mix(h, seen->blocked ? ahead(seen->cpu_next) : 0);
        h = model_mix(h, (uint64_t)(seen->cpu_last < 0 ? 1 : seen->cpu_last == 0 ? 2 : 3));
        h = model_mix(h, (uint64_t)seen->held << 2 | (uint64_t)seen->blocked << 1 | seen->reported);
    }
    h = model_mix(h, (uint64_t)s->burst << 1 | s->backlog);
    h = model_mix(h, ago(s->called, EDO_MS(20)));
    h = model_mix(h, ago(s->refused, EDO_MS(100)));
    return model_mix(h, (uint64_t)monitor.waiting << 1 | monitor.any_held);
}

static void thread(unsigned index)
{
    if (index == workers_ever() + count(cfg.outside, OUTSIDE_MAX) + cfg.kernel)
        (void)monitor_thread(&rt);
    else
        follow_thread(index);
}

static model_config config_of(setup s, model_memory mem, unsigned preemptions)
{
    static const char *names[WORKERS_MAX + OUTSIDE_MAX + 2];
    static const char *const worker_names[] = { "worker 0", "worker 1", "spare 1", "spare 2" };
    unsigned n = 0;
    cfg = s;
    cfg.monitor = true;
    for (unsigned i = 0; i < s.workers; i++)
        names[n++] = worker_names[i];
    for (unsigned i = 0; i < EDO__SPARES_MAX; i++)
        names[n++] = worker_names[2 + i];
    for (unsigned i = 0; i < count(s.outside, OUTSIDE_MAX); i++)
        names[n++] = "outside";
    if (s.kernel)
        names[n++] = "kernel";
    names[n++] = "monitor";
    return (model_config){ .threads = n,
                           .names = names,
                           .start = begin,
                           .thread = thread,
                           .enter = enter,
                           .invariant = check_counts,
                           .look = look,
                           .end = check_end,
                           .memory = mem,
                           .preemptions = preemptions,
                           .patience = s.patience };
}

static const char *title(void)
{
    static char text[160];
    size_t n = (size_t)snprintf(text, sizeof text, "%u workers, %u spares;", cfg.workers,
                                (unsigned)EDO__SPARES_MAX);
    for (unsigned i = 0; i < tasks_in_all(); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s",
                              cfg.tasks[i][0] != '\0' ? cfg.tasks[i] : "-");
    for (unsigned i = 0; i < count(cfg.outside, OUTSIDE_MAX); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "; outside %s", cfg.outside[i]);
    return text;
}

static void sound(setup s, model_memory mem, unsigned preemptions)
{
    model_config config = config_of(s, mem, preemptions);
    holds(title(), &config);
}

static void broken(setup s, model_memory mem, model_mutant mutant)
{
    model_config config = config_of(s, mem, 0);
    config.mutant = mutant;
    breaks(title(), &config);
}

/* A run counts as held after 20 ms, its end comes at most two looks of 8 ms later and the alarm before
 * the first of them, and each look that the monitor makes of its own accord is 8 ms. */
enum { TAKEN_OVER = 40, A_LOOK = 8 };

static const setup waits_for_one = {
    .workers = 1, .tasks = { "b1", "" }, .outside = { "n0n1" }, .limit_ms = TAKEN_OVER
};
static const setup waits_for_two = {
    .workers = 1, .tasks = { "b2", "b1", "" }, .outside = { "n0n1n2" }, .limit_ms = TAKEN_OVER
};
/* Its worker's ring and slot are full of others. */
static const setup has_queue = {
    .workers = 1, .tasks = { "n1n2b2yy", "y", "yy" }, .outside = { "n0" }, .limit_ms = TAKEN_OVER
};
/* The slot only, which the monitor empties while its owner does. */
static const setup in_slot = {
    .workers = 1, .tasks = { "n1y", "" }, .outside = { "n0" }, .patience = 3
};
static const setup has_timer = {
    .workers = 1, .tasks = { "b1y", "t" }, .outside = { "n1n0" }, .limit_ms = TAKEN_OVER
};
static const setup has_descriptor = { .workers = 1,
                                      .tasks = { "n1b1yy", "r" },
                                      .outside = { "n0" },
                                      .kernel = true,
                                      .limit_ms = TAKEN_OVER };
static const setup pinned = {
    .workers = 1, .tasks = { "n1pb1yq", "tpyq" }, .outside = { "n0" }, .limit_ms = TAKEN_OVER
};
/* It comes back, the spare retires or does not, and is needed again. */
static const setup again = { .workers = 1,
                             .tasks = { "n1b1w0n2b2", "", "t" },
                             .outside = { "n0s0" },
                             .patience = 3,
                             .limit_ms = 2 * TAKEN_OVER + 3 * A_LOOK };
/* Everybody sleeps, and the monitor too. */
static const setup after_sleep = {
    .workers = 1, .tasks = { "rn1b1", "" }, .outside = { "n0" }, .kernel = true, .patience = 9
};
/* The same; its worker is woken without having been named. */
static const setup drowsy = {
    .workers = 1, .tasks = { "qn1b1", "" }, .outside = { "n0" }, .pinned = true, .patience = 1
};

TEST_TIMEOUT(one_worker, 100)
{
    must_switch_here();
    sound(waits_for_one, MODEL_SC, test_scale(1));
    sound(waits_for_two, MODEL_SC, 0);
    sound(in_slot, MODEL_SC, test_scale(1));
    sound(has_timer, MODEL_SC, test_scale(1));
    sound(has_descriptor, MODEL_SC, test_scale(1));
    sound(pinned, MODEL_SC, test_scale(1));
    sound(has_queue, MODEL_SC, 0);
}

TEST_TIMEOUT(again_and_after_sleep, 100)
{
    must_switch_here();
    sound(again, MODEL_SC, 0);
    sound(after_sleep, MODEL_SC, 0);
    sound(drowsy, MODEL_SC, test_scale(1));
}

TEST_TIMEOUT(two_workers, 100)
{
    must_switch_here();
    sound((setup){ .workers = 2,
                   .tasks = { "c2", "b1", "" },
                   .outside = { "n0n1n2" },
                   .limit_ms = TAKEN_OVER },
          MODEL_SC, 0);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_switch_here();
    must_be_thorough();
    sound(waits_for_one, MODEL_SC, 2);
    sound(waits_for_two, MODEL_SC, 1);
    sound(has_queue, MODEL_SC, 1);
    sound(again, MODEL_SC, 1);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    must_switch_here();
    broken(waits_for_one, MODEL_SC, MUTANT(LEFT_OUT, STORE, "edo__worker_start"));
    broken(in_slot, MODEL_SC, MUTANT(TORN, XCHG, "edo__give_away_next"));
    broken(in_slot, MODEL_SC, MUTANT(TORN, XCHG, "take_lifo"));
    broken(has_queue, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "edo__give_away_next"));
    broken(has_queue, MODEL_SC, MUTANT(TORN, CAS, "edo__queue_take"));
    broken(has_timer, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(has_descriptor, MODEL_SC, MUTANT(LEFT_OUT, XCHG, "harvest"));
    broken(again, MODEL_SC, MUTANT(LEFT_OUT, AND, "start_spare"));
    broken(after_sleep, MODEL_SC, MUTANT(LEFT_OUT, STORE, "edo__alarm_set"));
}

TEST_MAIN()
