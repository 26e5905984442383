/* SPDX-License-Identifier: MIT */
/* ctest: serial */
/* ctest: timeout=300 */
/* ctest: one backend */
/* A million tasks at once: asleep, and spawned but not started. What each takes of memory is
 * measured as the growth of the resident set. */
#include "core_test.h"

#include <sys/resource.h>
#include <unistd.h>

#define MILLION 1000000u

static size_t resident(void)
{
    size_t total = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL);
    CHECK_INT(fscanf(f, "%zu %zu", &total, &pages), ==, 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A stack's touched pages, its guard and page tables come to about 6 KiB. */
static bool enough_memory(size_t bytes)
{
    size_t kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib * 1024 > bytes;
}

static unsigned asleep;

static int sleeper(void *arg)
{
    (void)arg;
    ADD(&asleep, 1);
    CHECK_INT(edo_sleep(EDO_SEC(3600)), ==, -ECANCELED);
    ADD(&asleep, -1u);
    return 0;
}

static int all_asleep(void *arg)
{
    unsigned n = *(unsigned *)arg;
    edo_group g;
    edo_metrics m;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .discard = true }));
    size_t before = resident();
    int64_t start = edo_now();
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_spawn(&g, sleeper, NULL));
    do {
        CHECK_OK(edo_sleep(EDO_MS(5)));
        CHECK_OK(edo_metrics_read(NULL, &m));
    } while (LOAD(&asleep) < n || m.timers < n);
    int64_t up = edo_now();
    size_t each = (resident() - before) / n;
    CHECK_UINT(m.tasks_alive, ==, n + 1);
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, 0);
    CHECK_UINT(LOAD(&asleep), ==, 0);
    printf(
        "# %u tasks asleep at once: %zu bytes resident each; asleep after %.2f s, gone in %.2f s\n",
        n, each, (double)(up - start) / 1e9, (double)(edo_now() - up) / 1e9);
    return 0;
}

TEST_TIMEOUT(a_million_asleep, 240)
{
    if (test_scale(1000) != 1000)
        SKIP("too much for sanitizers, valgrind and emulators");
    unsigned n = enough_memory((size_t)12 << 30) ? MILLION : MILLION / 10;
    if (n < MILLION)
        printf("# not enough memory available for a million stacks: %u\n", n);
    run_on(2, all_asleep, &n);
}

static unsigned ran;

static int never_started_yet(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    return 0;
}

/* Keeps the only worker, so that nothing starts. */
static unsigned holding, let_go;

static int hold(void *arg)
{
    (void)arg;
    STORE(&holding, 1);
    while (!LOAD(&let_go))
        usleep(1000);
    return 0;
}

TEST_TIMEOUT(a_million_not_started, 120)
{
    if (test_scale(1000) != 1000)
        SKIP("too much for sanitizers, valgrind and emulators");
    edo_runtime *rt;
    CHECK_OK(edo_runtime_create(&rt, &(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }));
    CHECK_OK(edo_runtime_spawn(rt, hold, NULL));
    while (!LOAD(&holding))
        sched_yield();
    size_t before = resident();
    int64_t start = edo_now();
    for (unsigned i = 0; i < MILLION; i++)
        CHECK_OK(edo_runtime_spawn(rt, never_started_yet, NULL));
    int64_t took = edo_now() - start;
    size_t grown = resident() - before;
    CHECK_UINT(LOAD(&ran), ==, 0);
    printf("# a million tasks spawned, none started: %.1f bytes resident each; spawned in %.2f s\n",
           (double)grown / MILLION, (double)took / 1e9);
    CHECK_UINT(grown / MILLION, <=, 320);
    STORE(&let_go, 1);
    while (LOAD(&ran) < MILLION)
        usleep(1000);
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(30)));
}

TEST_MAIN()
