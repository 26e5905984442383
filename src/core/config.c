/* SPDX-License-Identifier: MIT */
/* A runtime's options: the program's, the operator's (environment), and what stands in for none. */
#include "core/runtime.h"

#include "core/cpus.h"
#include "core/sched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOCKING_DEFAULT 512
#define BLOCKING_MIN 4
#define BLOCKING_MAX 65536

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

/* One of some words of the environment: its index, -1 when not set, or -EINVAL. */
static int env_word(const char *name, const char *const *words, const char *expected)
{
    const char *text = getenv(name);
    if (text == NULL || *text == '\0')
        return -1;
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
    }
    fprintf(stderr, "edo: %s=%s: expected %s\n", name, text, expected);
    return -EINVAL;
}

static int env_words(edo_config *c, bool *fall_back)
{
    static const char *const backends[] = { "auto", "uring", "epoll", "sim", NULL };
    static const char *const metrics[] = { "sampled", "off", "all", NULL };
    int backend = env_word("EDO_BACKEND", backends, "auto, uring, epoll or sim");
    int mode = env_word("EDO_METRICS", metrics, "off, sampled or all");
    if (backend == -EINVAL || mode == -EINVAL)
        return -EINVAL;
    if (backend >= 0)
        c->backend = (edo_backend)backend;
    /* What a program insists on it gets or hears that it cannot; an operator's wish is one. */
    *fall_back = backend >= 0 || c->backend == EDO_BACKEND_AUTO;
    if (mode >= 0)
        c->metrics = (edo_metrics_mode)mode;
    return 0;
}

static int config_from_environment(edo_config *c, bool *fall_back)
{
    uint64_t n;
    int rc = env_words(c, fall_back);
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
    if (rc >= 0 && (rc = env_number("EDO_PIN_WORKERS", 0, 1, &n)) > 0)
        c->pin_workers = n != 0;
    return rc < 0 ? rc : 0;
}

int edo__config_dump_signal(void)
{
    uint64_t n = 0;
    int rc = env_number("EDO_DUMP_SIGNAL", 1, 64, &n);
    return rc < 0 ? rc : (int)n;
}

int edo__config_fill(edo_config *out, const edo_config *config, bool *fall_back)
{
    edo_config c = config != NULL ? *config : (edo_config){ 0 };
    int rc = config_from_environment(&c, fall_back);
    if (rc < 0)
        return rc;
    if (config != NULL && config->current_thread && config->workers > 1)
        return -EINVAL;
    if (c.current_thread) {
        c.workers = 1;
        c.stuck_after = EDO_FOREVER; /* nobody could take over */
    }
    if (c.workers > EDO__WORKERS_MAX || c.blocking_max > BLOCKING_MAX || c.blocking_keepalive < 0 ||
        c.stuck_after < 0 || c.metrics < EDO_METRICS_SAMPLED || c.metrics > EDO_METRICS_ALL)
        return -EINVAL;
    if (c.backend < EDO_BACKEND_AUTO || c.backend > EDO_BACKEND_SIM)
        return -EINVAL;
    if (c.backend == EDO_BACKEND_SIM)
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
