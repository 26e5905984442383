/* SPDX-License-Identifier: MIT */
/* The benchmark programs of bench/ for Edo. One run measures one scenario and prints one line:
 * `scenario workers value key=value...`. README.md says what each scenario does; the programs for
 * Tokio and Go in ../peers do the same with the same counts. Written as a user would write it,
 * against the public headers only; it must never reach into the library to look better. */
#include "bench.h"
#include "children.h"
#include "echo.h"
#include "files.h"
#include "sockets.h"

#include <stdlib.h>
#include <string.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_join(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        edo_group g;
        edo_group_open(&g, NULL);
        MUST(edo_spawn(&g, nothing, NULL) == 0);
        MUST(edo_group_close(&g) == 0);
    }
    return 0;
}

static int spawn_many(uint64_t n)
{
    for (uint64_t left = n; left > 0;) {
        uint64_t batch = left < BATCH ? left : BATCH;
        edo_group g;
        edo_group_open(&g, NULL);
        for (uint64_t i = 0; i < batch; i++)
            MUST(edo_spawn(&g, nothing, NULL) == 0);
        MUST(edo_group_close(&g) == 0);
        left -= batch;
    }
    return 0;
}

static int yielder(void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    for (uint64_t i = 0; i < n; i++)
        MUST(edo_yield() == 0);
    return 0;
}

static int yielding(uint64_t n)
{
    uint64_t each = n / YIELDERS;
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < YIELDERS; i++)
        MUST(edo_spawn(&g, yielder, &each) == 0);
    return edo_group_close(&g);
}

struct court {
    edo_chan *ping, *pong;
    uint64_t count;
    int64_t deadline; /* of each receive; 0: none */
};

static int receive(edo_chan *c, uint64_t *value, int64_t deadline)
{
    if (deadline == 0)
        return edo_chan_recv(c, value);
    edo_scope s;
    edo_scope_open(&s, deadline);
    return edo_scope_close(&s, edo_chan_recv(c, value));
}

static int echo(void *arg)
{
    struct court *c = arg;
    uint64_t v;
    int rc;
    while ((rc = receive(c->ping, &v, c->deadline)) == 0)
        MUST(edo_chan_send(c->pong, &v) == 0);
    return rc == -EPIPE ? 0 : rc;
}

static int caller(void *arg)
{
    struct court *c = arg;
    for (uint64_t i = 0, v; i < c->count; i++) {
        MUST(edo_chan_send(c->ping, &i) == 0);
        MUST(receive(c->pong, &v, c->deadline) == 0);
        MUST(v == i);
    }
    edo_chan_close(c->ping);
    return 0;
}

static int play(struct court *c)
{
    MUST(edo_chan_create(&c->ping, sizeof(uint64_t), 1) == 0);
    MUST(edo_chan_create(&c->pong, sizeof(uint64_t), 1) == 0);
    edo_group g;
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&g, echo, c) == 0);
    MUST(edo_spawn(&g, caller, c) == 0);
    int rc = edo_group_close(&g);
    edo_chan_unref(c->ping);
    edo_chan_unref(c->pong);
    return rc;
}

static int ping_pong(uint64_t n)
{
    return play(&(struct court){ .count = n });
}

static int timeout(uint64_t n)
{
    return play(&(struct court){ .count = n, .deadline = HOUR });
}

static int blocking(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        MUST(edo_blocking(nothing, NULL) == 0);
    return 0;
}

static int blocking_many(uint64_t n)
{
    for (uint64_t left = n; left > 0;) {
        uint64_t batch = left < BATCH ? left : BATCH;
        edo_group g;
        edo_group_open(&g, NULL);
        for (uint64_t i = 0; i < batch; i++)
            MUST(edo_spawn_blocking(&g, nothing, NULL) == 0);
        MUST(edo_group_close(&g) == 0);
        left -= batch;
    }
    return 0;
}

struct pipe_ends {
    edo_chan *chan;
    uint64_t each;
    uint64_t sum;
};

static int sender(void *arg)
{
    struct pipe_ends *p = arg;
    for (uint64_t i = 0; i < p->each; i++)
        MUST(edo_chan_send(p->chan, &i) == 0);
    return 0;
}

static int receiver(void *arg)
{
    struct pipe_ends *p = arg;
    uint64_t v;
    while (edo_chan_recv(p->chan, &v) == 0)
        p->sum += v;
    return 0;
}

static int channel(uint64_t n, unsigned senders)
{
    struct pipe_ends p = { .each = n / senders };
    MUST(edo_chan_create(&p.chan, sizeof(uint64_t), CAPACITY) == 0);
    edo_group out, in;
    edo_group_open(&in, NULL);
    MUST(edo_spawn(&in, receiver, &p) == 0);
    edo_group_open(&out, NULL);
    for (unsigned i = 0; i < senders; i++)
        MUST(edo_spawn(&out, sender, &p) == 0);
    MUST(edo_group_close(&out) == 0);
    edo_chan_close(p.chan);
    MUST(edo_group_close(&in) == 0);
    edo_chan_unref(p.chan);
    MUST(p.sum == senders * (p.each * (p.each - 1) / 2));
    return 0;
}

static int chan_1_1(uint64_t n)
{
    return channel(n, 1);
}

static int chan_4_1(uint64_t n)
{
    return channel(n, 4);
}

struct account {
    edo_mutex mutex;
    uint64_t each;
    uint64_t total;
};

static int locker(void *arg)
{
    struct account *a = arg;
    for (uint64_t i = 0; i < a->each; i++) {
        MUST(edo_mutex_lock(&a->mutex) == 0);
        a->total++;
        edo_mutex_unlock(&a->mutex);
    }
    return 0;
}

static int mutex(uint64_t n)
{
    struct account a = { .mutex = EDO_MUTEX_INIT, .each = n / LOCKERS };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < LOCKERS; i++)
        MUST(edo_spawn(&g, locker, &a) == 0);
    MUST(edo_group_close(&g) == 0);
    MUST(a.total == a.each * LOCKERS);
    return 0;
}

struct node {
    uint64_t first, size; /* in: the leaves under it */
    uint64_t sum;         /* out                     */
};

/* Recursion is over tasks: each level is a task of its own, six of them for a million leaves. */
static int skynet_node(void *arg)
{
    struct node *node = arg;
    if (node->size == 1) {
        node->sum = node->first;
        return 0;
    }
    struct node child[FANOUT];
    uint64_t part = node->size / FANOUT;
    edo_group g;
    edo_group_open(&g, NULL);
    for (unsigned i = 0; i < FANOUT; i++) {
        child[i] = (struct node){ .first = node->first + i * part, .size = part };
        MUST(edo_spawn(&g, skynet_node, &child[i]) == 0);
    }
    int rc = edo_group_close(&g);
    for (unsigned i = 0; i < FANOUT; i++)
        node->sum += child[i].sum;
    return rc;
}

static bool is_power_of_fanout(uint64_t n)
{
    while (n > 1 && n % FANOUT == 0)
        n /= FANOUT;
    return n == 1;
}

static int skynet(uint64_t n)
{
    if (!is_power_of_fanout(n)) {
        fprintf(stderr, "skynet: %" PRIu64 " leaves: not a power of %d\n", n, FANOUT);
        exit(2);
    }
    struct node root = { .first = 0, .size = n };
    MUST(skynet_node(&root) == 0);
    MUST(root.sum == n * (n - 1) / 2);
    return 0;
}

struct links {
    edo_group group;
    uint64_t left; /* one task at a time touches it */
};

static int chain_link(void *arg)
{
    struct links *l = arg;
    if (l->left == 0)
        return 0;
    l->left--;
    return edo_spawn(&l->group, chain_link, l);
}

static int chain(uint64_t n)
{
    struct links l = { .left = n - 1 };
    edo_group_open(&l.group, &(edo_group_options){ .discard = true });
    MUST(edo_spawn(&l.group, chain_link, &l) == 0);
    return edo_group_close(&l.group);
}

/* Deadlines from a second to an hour, in no order. */
static int64_t some_delay(uint64_t i)
{
    return EDO_SEC(1) + EDO_US((int64_t)(i * 7919 % 3600000) * 1000);
}

static int expire(void *arg)
{
    edo_delay d;
    int rc = edo_delayqueue_next(arg, &d);
    return rc == -EPIPE ? 0 : rc;
}

static int timers(uint64_t n)
{
    edo_delayqueue q;
    edo_delayqueue_init(&q);
    edo_delay_key *keys = malloc(n * sizeof *keys);
    MUST(keys != NULL);
    edo_group g;
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&g, expire, &q) == 0);
    for (uint64_t i = 0; i < n; i++) {
        MUST(edo_delayqueue_insert(&q, some_delay(i), NULL, &keys[i]) == 0);
        MUST(i % 1024 != 0 || edo_yield() == 0); /* it is polite to */
    }
    for (uint64_t i = 0; i < n; i++) {
        MUST(edo_delayqueue_remove(&q, keys[i], NULL) == 0);
        MUST(i % 1024 != 0 || edo_yield() == 0);
    }
    edo_delayqueue_close(&q);
    int rc = edo_group_close(&g);
    edo_delayqueue_deinit(&q);
    free(keys);
    return rc;
}

/* ---- memory: the process exits without ending its tasks ---- */

static uint64_t started; /* atomic, a count only: relaxed is enough */

static int long_sleeper(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    return edo_sleep(HOUR);
}

static int starter(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    return 0;
}

static int mem_sleep(const struct plan *p)
{
    int64_t before = resident();
    edo_group g;
    edo_group_open(&g, NULL);
    for (uint64_t i = 0; i < p->count; i++)
        MUST(edo_spawn(&g, long_sleeper, NULL) == 0);
    while (__atomic_load_n(&started, __ATOMIC_RELAXED) < p->count)
        MUST(edo_sleep(EDO_MS(10)) == 0);
    MUST(edo_sleep(EDO_MS(100)) == 0);
    report_memory_and_exit(p, before);
    return edo_group_close(&g);
}

struct holder {
    uint32_t holds;   /* atomic: set by the task, read by main()   */
    uint32_t release; /* atomic: set by main(), read by the task   */
};

static int hold_worker(void *arg)
{
    struct holder *h = arg;
    __atomic_store_n(&h->holds, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&h->release, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    return 0;
}

/* Spawns from a foreign thread while a task holds the only worker: a task that spawned a million
 * would yield in between. */
static int mem_spawn(const struct plan *p)
{
    edo_runtime *rt;
    edo_config config = { .workers = 1, .stuck_after = EDO_FOREVER };
    struct holder h = { 0, 0 };
    MUST(edo_runtime_create(&rt, &config) == 0);
    MUST(edo_runtime_spawn(rt, hold_worker, &h) == 0);
    while (__atomic_load_n(&h.holds, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    int64_t before = resident();
    for (uint64_t i = 0; i < p->count; i++)
        MUST(edo_runtime_spawn(rt, starter, NULL) == 0);
    MUST(__atomic_load_n(&started, __ATOMIC_RELAXED) == 0);
    report_memory_and_exit(p, before);
    return edo_runtime_shutdown(rt, EDO_SEC(10));
}

/* ---- sleeping and waking ---- */

static struct lateness measured; /* reported by main(): sorting is no work for a worker */

struct nap {
    uint64_t id;
    int64_t *late; /* NAPS of them */
};

static int sleeper(void *arg)
{
    struct nap *n = arg;
    for (uint64_t i = 0; i < NAPS; i++) {
        int64_t due = edo_now() + EDO_US((int64_t)(mix(n->id * NAPS + i) % NAP_MAX_US));
        MUST(edo_sleep_until(due) == 0);
        n->late[i] = edo_now() - due;
    }
    return 0;
}

static int sleepers(const struct plan *p)
{
    int64_t *late = calloc(p->count * NAPS, sizeof *late);
    MUST(late != NULL);
    int64_t cpu = cpu_ns();
    edo_group g;
    edo_group_open(&g, NULL);
    for (uint64_t i = 0; i < p->count; i++) {
        struct nap n = { .id = i, .late = late + i * NAPS };
        MUST(edo_spawn_copy(&g, sleeper, &n, sizeof n) == 0);
    }
    MUST(edo_group_close(&g) == 0);
    measured = (struct lateness){ late, p->count * NAPS, cpu_ns() - cpu };
    return 0;
}

static int idle(const struct plan *p)
{
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < IDLE_TASKS; i++)
        MUST(edo_spawn(&g, long_sleeper, NULL) == 0);
    MUST(edo_sleep(EDO_SEC(2)) == 0);
    int64_t switches = voluntary_switches(), cpu = cpu_ns();
    MUST(edo_sleep(EDO_MS((int64_t)p->count)) == 0);
    switches = voluntary_switches() - switches;
    cpu = cpu_ns() - cpu;
    edo_group_cancel(&g);
    MUST(edo_group_close(&g) == -ECANCELED);
    report(p, (double)switches * 1000 / (double)p->count);
    printf(" cpu_us_per_s=%.1f\n", (double)cpu / (double)p->count);
    return 0;
}

struct bell {
    edo_notify notify;
    int64_t rung; /* atomic: written by the ringer before the notify, read by the waiter after it */
    int64_t *late;
    uint64_t count;
};

static int busy(void *arg)
{
    (void)arg;
    int rc;
    do {
        for (int64_t end = edo_now() + EDO_US(WAKE_BURST_US); edo_now() < end;)
            continue;
        rc = edo_yield();
    } while (rc == 0);
    return rc;
}

static int waiter(void *arg)
{
    struct bell *b = arg;
    for (uint64_t i = 0; i < b->count; i++) {
        MUST(edo_notify_wait(&b->notify) == 0);
        b->late[i] = edo_now() - __atomic_load_n(&b->rung, __ATOMIC_ACQUIRE);
    }
    return 0;
}

static int wake(const struct plan *p)
{
    struct bell b = { .notify = EDO_NOTIFY_INIT, .count = p->count };
    b.late = calloc(p->count, sizeof *b.late);
    MUST(b.late != NULL);
    edo_group load, g;
    edo_group_open(&load, NULL);
    for (int i = 0; i < WAKE_LOAD; i++)
        MUST(edo_spawn(&load, busy, NULL) == 0);
    edo_group_open(&g, NULL);
    MUST(edo_spawn(&g, waiter, &b) == 0);
    int64_t cpu = cpu_ns();
    for (uint64_t i = 0; i < p->count; i++) {
        MUST(edo_sleep(EDO_MS(1)) == 0);
        __atomic_store_n(&b.rung, edo_now(), __ATOMIC_RELEASE);
        edo_notify_one(&b.notify);
    }
    MUST(edo_group_close(&g) == 0);
    cpu = cpu_ns() - cpu;
    edo_group_cancel(&load);
    MUST(edo_group_close(&load) == -ECANCELED);
    measured = (struct lateness){ b.late, p->count, cpu };
    return 0;
}

/* ---- the program ---- */

/* stall: tasks hold one worker, or all of them, for count milliseconds, computing or asleep in the
 * kernel, while four others tick every millisecond: the latest tick, in milliseconds. */
struct stall {
    int64_t until;
    bool asleep;
};

static struct tick_log {
    int64_t worst, late, ticks; /* late: by more than 5 ms */
} tick_logs[STALL_TICKERS];

static int stall_hold(void *arg)
{
    const struct stall *s = arg;
    for (int64_t left; (left = s->until - edo_now()) > 0;) {
        if (s->asleep)
            usleep((useconds_t)(left / 1000 + 1));
    }
    return 0;
}

static int stall_tick(void *arg)
{
    struct tick_log *log = arg;
    for (;;) {
        int64_t due = edo_now() + EDO_MS(1);
        if (edo_sleep(EDO_MS(1)) < 0)
            return 0;
        int64_t late = edo_now() - due;
        log->worst = late > log->worst ? late : log->worst;
        log->late += late > EDO_MS(5);
        log->ticks++;
    }
}

static int stall(const struct plan *p, bool all, bool asleep)
{
    edo_group tickers, holders;
    edo_group_open(&tickers, NULL);
    for (int i = 0; i < STALL_TICKERS; i++)
        MUST(edo_spawn(&tickers, stall_tick, &tick_logs[i]) == 0);
    MUST(edo_sleep(EDO_MS(100)) == 0);
    memset(tick_logs, 0, sizeof tick_logs);
    struct stall s = { .until = edo_now() + EDO_MS((int64_t)p->count), .asleep = asleep };
    edo_group_open(&holders, NULL);
    for (unsigned i = 0; i < (all ? p->workers : 1); i++)
        MUST(edo_spawn(&holders, stall_hold, &s) == 0);
    MUST(edo_group_close(&holders) == 0);
    MUST(edo_sleep(EDO_MS(20)) == 0);
    edo_group_cancel(&tickers);
    MUST(edo_group_close(&tickers) == 0);
    struct tick_log sum = { 0 };
    for (int i = 0; i < STALL_TICKERS; i++) {
        sum.worst = tick_logs[i].worst > sum.worst ? tick_logs[i].worst : sum.worst;
        sum.late += tick_logs[i].late;
        sum.ticks += tick_logs[i].ticks;
    }
    report(p, (double)sum.worst / 1e6);
    printf(" ticks=%" PRId64 " late_5ms=%" PRId64 "\n", sum.ticks, sum.late);
    return 0;
}

static int stall_spin(const struct plan *p)
{
    return stall(p, true, false);
}

static int stall_sleep(const struct plan *p)
{
    return stall(p, true, true);
}

static int stall_spin_1(const struct plan *p)
{
    return stall(p, false, false);
}

static int stall_sleep_1(const struct plan *p)
{
    return stall(p, false, true);
}

static const struct scenario {
    const char *name;
    int (*repeat)(uint64_t n);         /* a count of equal operations, timed by measure() */
    int (*once)(const struct plan *p); /* or: measures and reports by itself              */
} scenarios[] = {
    { "spawn_join", spawn_join, NULL },
    { "spawn_many", spawn_many, NULL },
    { "yield", yielding, NULL },
    { "ping_pong", ping_pong, NULL },
    { "timeout", timeout, NULL },
    { "blocking", blocking, NULL },
    { "blocking_many", blocking_many, NULL },
    { "chan_1_1", chan_1_1, NULL },
    { "chan_4_1", chan_4_1, NULL },
    { "timers", timers, NULL },
    { "mutex", mutex, NULL },
    { "skynet", skynet, NULL },
    { "chain", chain, NULL },
    { "spawn_2000", spawn_2000, NULL },
    { "tcp_echo", tcp_echo, NULL },
    { "tcp_echo_1", tcp_echo_1, NULL },
    { "tcp_echo_16k", tcp_echo_16k, NULL },
    { "tcp_echo_1k", tcp_echo_1k, NULL },
    { "tcp_echo_9k", tcp_echo_9k, NULL },
    { "fs_small", fs_small, NULL },
    { "fs_large", fs_large, NULL },
    { "fs_walk", fs_walk, NULL },
    { "connect", connect_rate, NULL },
    { "udp_echo", udp_echo, NULL },
    { "udp_packets", udp_packets, NULL },
    { "sleepers", NULL, sleepers },
    { "idle", NULL, idle },
    { "wake", NULL, wake },
    { "stall_spin", NULL, stall_spin },
    { "stall_sleep", NULL, stall_sleep },
    { "stall_spin_1", NULL, stall_spin_1 },
    { "stall_sleep_1", NULL, stall_sleep_1 },
    { "mem_sleep", NULL, mem_sleep },
    { "idle_conns", NULL, idle_conns },
    { "mem_spawn", NULL, NULL }, /* see main() */
};

static const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

/* Warms up, then times count operations: wall and CPU nanoseconds for each. */
static int measure(const struct plan *p, int (*repeat)(uint64_t n))
{
    if (p->warmup > 0)
        MUST(repeat(p->warmup) == 0);
    int64_t cpu = cpu_ns(), start = edo_now();
    MUST(repeat(p->count) == 0);
    int64_t wall = edo_now() - start;
    cpu = cpu_ns() - cpu;
    report(p, (double)wall / (double)p->count);
    printf(" cpu_ns=%.1f\n", (double)cpu / (double)p->count);
    return 0;
}

static int root(void *arg)
{
    const struct plan *p = arg;
    const struct scenario *s = scenario_find(p->scenario);
    return s->repeat != NULL ? measure(p, s->repeat) : s->once(p);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-edo SCENARIO [--workers N] [--count N] [--warmup N]\n");
    return 2;
}

static bool parse(struct plan *p, int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0)
        return false;
    *p = (struct plan){ .scenario = argv[1], .workers = 1, .count = 100000 };
    for (int i = 2; i < argc; i += 2) {
        char *end;
        uint64_t value = strtoull(argv[i + 1], &end, 10);
        if (*end != '\0' || end == argv[i + 1])
            return false;
        if (strcmp(argv[i], "--workers") == 0)
            p->workers = (unsigned)value;
        else if (strcmp(argv[i], "--count") == 0)
            p->count = value;
        else if (strcmp(argv[i], "--warmup") == 0)
            p->warmup = value;
        else
            return false;
    }
    return p->workers > 0 && p->count > 0;
}

int main(int argc, char **argv)
{
    struct plan plan;
    if (!parse(&plan, argc, argv))
        return usage();
    if (scenario_find(plan.scenario) == NULL)
        return 3;
    if (strcmp(plan.scenario, "mem_spawn") == 0)
        return mem_spawn(&plan); /* makes a runtime of its own */
    MUST(make_files(plan.scenario) == 0);
    edo_config config = { .workers = plan.workers };
    int rc = edo_run(&config, root, &plan);
    if (rc < 0)
        fprintf(stderr, "bench-edo: %s\n", edo_strerror(rc));
    else if (measured.late != NULL)
        report_late(&plan, &measured);
    free(measured.late);
    return rc < 0 ? 1 : 0;
}
