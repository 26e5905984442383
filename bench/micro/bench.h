/* SPDX-License-Identifier: MIT */
/* What the scenarios of edo.c share: the plan from the command line, what the process has used so
 * far, and the statistics of lateness. Never part of what is timed, except mix(). */
#ifndef EDO_BENCH_H
#define EDO_BENCH_H

#include <edo/edo.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The same in all three programs: see README.md. */
enum {
    BATCH = 10000,
    YIELDERS = 16,
    CAPACITY = 128,
    LOCKERS = 4,
    FANOUT = 10,
    NAPS = 5,
    NAP_MAX_US = 1000000,
    IDLE_TASKS = 1000,
    WAKE_LOAD = 8,
    WAKE_BURST_US = 50,
    STALL_TICKERS = 4,
    ECHO_CLIENTS = 50,
    CHILDREN = 20,
    ECHO_MAX = 16384,
    CONNECT_CLIENTS = 16,
    UDP_CLIENTS = 50,
    UDP_SIZE = 64,
    UDP_WINDOW = 64,
    IDLE_BUFFER = 4096,
};

#define HOUR EDO_SEC(3600)

/* A wrong result makes the figure worthless: say where and stop. */
#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);               \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

struct plan {
    const char *scenario;
    unsigned workers;
    uint64_t count;
    uint64_t warmup;
};

static inline int64_t timeval_ns(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

/* User and system time of all threads. */
static inline int64_t cpu_ns(void)
{
    struct rusage u;
    MUST(getrusage(RUSAGE_SELF, &u) == 0);
    return timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime);
}

/* Times a thread of this process went to sleep by itself, and so was woken. */
static inline int64_t voluntary_switches(void)
{
    struct rusage u;
    MUST(getrusage(RUSAGE_SELF, &u) == 0);
    return u.ru_nvcsw;
}

/* Resident bytes. */
static inline int64_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    int64_t size, pages;
    MUST(f != NULL && fscanf(f, "%" SCNd64 " %" SCNd64, &size, &pages) == 2);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* splitmix64: the same pseudo-random sequence in all three programs. */
static inline uint64_t mix(uint64_t seed)
{
    uint64_t z = seed + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline void report(const struct plan *p, double value)
{
    printf("%s %u %.1f", p->scenario, p->workers, value);
}

static inline void report_memory_and_exit(const struct plan *p, int64_t before)
{
    int64_t now = resident();
    report(p, (double)(now - before) / (double)p->count);
    printf(" rss_mib=%" PRId64 "\n", now >> 20);
    fflush(stdout);
    _exit(0);
}

static inline int order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static inline double quantile_us(const int64_t *sorted, size_t n, double f)
{
    return (double)sorted[(size_t)((double)(n - 1) * f + 0.5)] / 1000;
}

struct lateness {
    int64_t *late; /* nanoseconds; NULL: not measured */
    size_t n;
    int64_t cpu;
};

/* p99 of the lateness as the value, the other figures behind it. */
static inline void report_late(const struct plan *p, struct lateness *m)
{
    qsort(m->late, m->n, sizeof *m->late, order);
    report(p, quantile_us(m->late, m->n, 0.99));
    printf(" p50_us=%.1f max_us=%.1f cpu_ms=%.1f\n", quantile_us(m->late, m->n, 0.5),
           quantile_us(m->late, m->n, 1), (double)m->cpu / 1e6);
}

#endif
