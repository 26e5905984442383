/* SPDX-License-Identifier: MIT */
/* Thousands of children, some dozens at a time, from all workers at once.
 *
 * ctest: timeout=900 */
#include "process_test.h"

#include <signal.h>

static unsigned ended; /* atomic */

static int runs_one(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    char number[16], script[32];
    edo_exit e;
    if (i % 4 != 0) {
        CHECK_OK(edo_process_run(ARGV("true"), NULL, &e));
        CHECK_INT(e.code, ==, 0);
    } else {
        edo_output out;
        snprintf(number, sizeof number, "%u\n", i);
        snprintf(script, sizeof script, "echo %u; exit %u", i, i % 100);
        CHECK_OK(edo_process_output(SHELL(script), NULL, &out));
        CHECK_STR(out.out, number);
        CHECK_INT(out.exit.code, ==, i % 100);
        edo_output_free(&out);
    }
    ADD(&ended, 1);
    return 0;
}

static int thousands(void *arg)
{
    unsigned n = *(unsigned *)arg;
    edo_group g;
    STORE(&ended, 0u);
    edo_group_open(&g, &(edo_group_options){ .limit = 64, .discard = true });
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_spawn(&g, runs_one, (void *)(uintptr_t)i));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(LOAD(&ended), ==, n);
    return 0;
}

TEST_TIMEOUT(two_thousand, 240)
{
    unsigned n = test_scale(2000);
    EACH_WORKERS(workers)
    run_checked(workers, thousands, &n);
}

/* All of them alive at the same time, and all are ended by their group's cancel. */
static int stays(void *arg)
{
    (void)arg;
    edo_exit e;
    int rc =
        edo_process_run(ARGV("sleep", "1000"), &(edo_process_options){ .grace = EDO_SEC(60) }, &e);
    CHECK_INT(rc, ==, -ECANCELED);
    return rc;
}

static int all_at_once(void *arg)
{
    unsigned n = *(unsigned *)arg;
    edo_group g;
    edo_group_open(&g, NULL);
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_spawn(&g, stays, NULL));
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_yield());
    edo_group_cancel(&g);
    CHECK_INT(edo_group_close(&g), ==, -ECANCELED);
    return 0;
}

TEST_TIMEOUT(hundreds_at_the_same_time, 120)
{
    unsigned n = test_scale(300);
    EACH_WORKERS(workers)
    run_checked(workers, all_at_once, &n);
}

TEST_MAIN()
