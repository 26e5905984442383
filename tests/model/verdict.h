/* SPDX-License-Identifier: MIT */
/* What a model's TEST says: this holds, this breaks. Included after checker.h and test.h. Every search
 * leaves one line of a table: see model_report(). */
#ifndef EDO_TESTS_MODEL_VERDICT_H
#define EDO_TESTS_MODEL_VERDICT_H

#include <stdlib.h>

static model_result result;

/* One real thread, and a fiber for every schedule of each model thread: too much for TSan, which would
 * see nothing here. */
static void must_run_here(void)
{
#if EDO__TSAN
    SKIP("one real thread");
#endif
}

/* Contexts that are entered on whatever stack: AddressSanitizer would take them for the wrong ones. */
static inline void must_switch_here(void)
{
    must_run_here();
#if EDO__ASAN
    SKIP("contexts of tasks inside contexts of threads");
#endif
}

/* A larger search where there is time for it. */
static inline bool thorough(void)
{
    return getenv("EDO_MODEL_THOROUGH") != NULL;
}

static inline void must_be_thorough(void)
{
    must_run_here();
    if (!thorough())
        SKIP("minutes; set EDO_MODEL_THOROUGH");
}

static inline void holds(const char *what, const model_config *config)
{
    model_check(config, &result);
    model_report(what, config, &result);
    if (result.failed) {
        printf("%s", result.trace);
        fflush(stdout);
        FAIL("%s", result.message);
    }
    CHECK(result.complete);
}

/* With something broken: must not hold. Searched with few preemptions first, so that the trace is short;
 * EDO_MODEL_TRACE shows it. */
static inline void breaks(const char *what, const model_config *sound)
{
    static const unsigned bounds[] = { 0, 1, 2, 3, MODEL_UNBOUNDED };
    model_config config = *sound;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        config.preemptions = bounds[i];
        model_check(&config, &result);
        if (!result.failed)
            continue;
        model_report(what, &config, &result);
        if (getenv("EDO_MODEL_TRACE") != NULL)
            printf("%s", result.trace);
        else
            printf("    => %s\n", result.message);
        fflush(stdout);
        return;
    }
    FAIL("%s: nobody noticed", what);
}

#endif
