/* SPDX-License-Identifier: MIT */
/* Part of checker.h: failures, the trace that led there, and one line of
 * the table for each search. */
#ifndef EDO_TESTS_MODEL_CHECKER_REPORT_H
#define EDO_TESTS_MODEL_CHECKER_REPORT_H

__attribute__((format(printf, 1, 2))) static void model_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t left = MODEL_TRACE_SIZE - model.trace_len;
    int n = vsnprintf(model.result->trace + model.trace_len, left, format, args);
    va_end(args);
    if (n > 0)
        model.trace_len += (size_t)n < left ? (size_t)n : left - 1;
}

void model_fail(const char *format, ...)
{
    if (model.result->failed)
        return;
    model.result->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(model.result->message, sizeof model.result->message, format, args);
    va_end(args);
}

void model_assert_failed(const char *what, const char *where)
{
    model_fail("assertion failed: %s (%s)", what, where);
    if (model.self < 0)
        abort(); /* in the model's own start() or end() */
    model_thread *t = &model.threads[model.self];
    t->stuck = true;
    for (;;)
        edo__context_suspend(&t->context);
}

static void model_name(char *out, size_t cap, const volatile void *p)
{
    const model_region *r = model_region_of(p);
    if (r == NULL)
        snprintf(out, cap, "-");
    else if ((const char *)p == r->p)
        snprintf(out, cap, "%s", r->name);
    else
        snprintf(out, cap, "%s+%zu", r->name, (size_t)((const char *)p - r->p));
}

static void model_trace_op(const model_thread *t, const char *what, uint64_t was, uint64_t is)
{
    if (!model.tracing)
        return;
    char name[64];
    model_name(name, sizeof name, t->p);
    model_say("  %4u  %-10s %-22s %-10s %s", model.depth, model.config->names[t - model.threads],
              t->where, what, name);
    bool changes = t->kind != MODEL_LOAD && t->kind != MODEL_FENCE && t->kind != MODEL_REACH;
    if (t->kind != MODEL_FENCE && t->kind != MODEL_POINT)
        model_say(changes ? ": %llx -> %llx" : ": %llx", (unsigned long long)was,
                  (unsigned long long)is);
    model_say("\n");
}

static const char *const model_verbs[] = { "loads", "stores",    "exchanges", "compares",
                                           "adds",  "subtracts", "ors",       "ands",
                                           "fence", "waits for", "waits for", "goes on" };

void model_report(const char *what, const model_config *config, const model_result *result)
{
    static const char *const memories[] = { "SC", "TSO", "weak" };
    static const char *const changes[] = { "", "left out", "torn", "relaxed" };
    static const char *const kinds[] = { "load", "store", "exchange", "CAS",  "add",
                                         "sub",  "or",    "and",      "fence" };
    const model_mutant *m = &config->mutant;
    char bound[32] = "all", broken[96] = "";
    if (config->preemptions != MODEL_UNBOUNDED)
        snprintf(bound, sizeof bound, "preemptions <= %u", config->preemptions);
    if (m->change != MODEL_AS_IS)
        snprintf(broken, sizeof broken, " [%s of %s %s]", kinds[m->kind], m->where,
                 changes[m->change]);
    printf("| %s%s | %s | %s | %s | %llu | %llu | %u |\n", what, broken, memories[config->memory],
           bound,
           result->failed     ? "fails"
           : result->complete ? "holds"
                              : "cut short",
           (unsigned long long)result->runs, (unsigned long long)result->states, result->depth);
    fflush(stdout); /* a failed test leaves without */
}

#endif
