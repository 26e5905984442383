/* SPDX-License-Identifier: MIT */
/* A runtime's options: the program's, the operator's (environment), and what stands in for none. */
#include "core/runtime.h"

#include "core/sched.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define BLOCKING_DEFAULT 512
#define BLOCKING_MIN 4
#define BLOCKING_MAX 65536

unsigned edo__cpus_usable(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than cpu_set_t holds */
    return n > 0 ? (unsigned)n : 1;
}

/* A whole number of the environment: 1 found, 0 not set, or -EINVAL with a word to the operator. */
static int env_number(const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
    const char *text = getenv(name);
    if (text == NULL || *text == '\0')
        return 0;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text == '-' || n < min || n > max) {
        fprintf(stderr, "edo: %s=%s: expected a whole number from %llu to %llu\n", name, text,
                (unsigned long long)min, (unsigned long long)max);
        return -EINVAL;
    }
    *out = n;
    return 1;
}

static int env_backend(edo_backend *out)
{
    static const char *const names[] = { "auto", "uring", "epoll", "sim" };
    const char *text = getenv("EDO_BACKEND");
    if (text == NULL || *text == '\0')
        return 0;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (edo_backend)i;
            return 0;
        }
    }
    fprintf(stderr, "edo: EDO_BACKEND=%s: expected auto, uring, epoll or sim\n", text);
    return -EINVAL;
}

static int config_from_environment(edo_config *c)
{
    uint64_t n;
    int rc = env_backend(&c->backend);
    if (rc < 0)
        return rc;
    if ((rc = env_number("EDO_WORKERS", 1, EDO__WORKERS_MAX, &n)) > 0)
        c->workers = (unsigned)n;
    if (rc >= 0 && (rc = env_number("EDO_BLOCKING_MAX", BLOCKING_MIN, BLOCKING_MAX, &n)) > 0)
        c->blocking_max = (unsigned)n;
    if (rc >= 0 && (rc = env_number("EDO_STACK_SIZE", 1, (uint64_t)1 << 20, &n)) > 0)
        c->stack_size = (size_t)n;
    if (rc >= 0 && (rc = env_number("EDO_STUCK_AFTER_MS", 0, 1000000, &n)) > 0)
        c->stuck_after = n == 0 ? EDO_FOREVER : EDO_MS((int64_t)n);
    if (rc >= 0 && (rc = env_number("EDO_SEED", 0, UINT64_MAX, &n)) > 0)
        c->seed = n;
    return rc < 0 ? rc : 0;
}

int edo__config_dump_signal(void)
{
    uint64_t n = 0;
    int rc = env_number("EDO_DUMP_SIGNAL", 1, 64, &n);
    return rc < 0 ? rc : (int)n;
}

int edo__config_fill(edo_config *out, const edo_config *config)
{
    edo_config c = config != NULL ? *config : (edo_config){ 0 };
    int rc = config_from_environment(&c);
    if (rc < 0)
        return rc;
    if (c.workers > EDO__WORKERS_MAX || c.blocking_max > BLOCKING_MAX || c.blocking_keepalive < 0 ||
        c.stuck_after < 0)
        return -EINVAL;
    if (c.backend != EDO_BACKEND_AUTO && c.backend != EDO_BACKEND_EPOLL)
        return -ENOTSUP;
    if (c.workers == 0)
        c.workers = edo__cpus_usable();
    if (c.blocking_max == 0)
        c.blocking_max = BLOCKING_DEFAULT;
    if (c.blocking_max < BLOCKING_MIN)
        c.blocking_max = BLOCKING_MIN;
    if (c.blocking_keepalive == 0)
        c.blocking_keepalive = EDO_SEC(10);
    if (c.stuck_after == 0)
        c.stuck_after = EDO_MS(10);
    if (c.name == NULL || *c.name == '\0')
        c.name = "edo";
    if (c.seed == 0 && getrandom(&c.seed, sizeof c.seed, 0) != (ssize_t)sizeof c.seed)
        c.seed = (uint64_t)edo__clock_real();
    *out = c;
    return 0;
}
