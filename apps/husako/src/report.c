/* SPDX-License-Identifier: MIT */
/* See report.h. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool hu_is_terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

static bool wants_color(void)
{
    const char *off = getenv("NO_COLOR");
    return hu_is_terminal(STDERR_FILENO) && !(off && *off);
}

void hu_report_init(hu_report *report)
{
    *report = (hu_report){ .color = wants_color() };
    pthread_mutex_init(&report->lock, NULL);
}

void hu_report_deinit(hu_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->list[i].key);
        free(report->list[i].text);
    }
    free(report->list);
    pthread_mutex_destroy(&report->lock);
}

void hu_report_add(hu_report *report, size_t source, const char *key, int exit_code, char *text)
{
    pthread_mutex_lock(&report->lock);
    report->list = hu_realloc(report->list, (report->count + 1) * sizeof *report->list);
    report->list[report->count++] = (hu_problem){ source, hu_strdup(key), exit_code, text };
    pthread_mutex_unlock(&report->lock);
}

bool hu_report_has_errors(hu_report *report)
{
    bool found = false;
    pthread_mutex_lock(&report->lock);
    for (size_t i = 0; i < report->count; i++)
        found |= report->list[i].exit_code != 0;
    pthread_mutex_unlock(&report->lock);
    return found;
}

static int problem_order(const void *a, const void *b)
{
    const hu_problem *x = a, *y = b;
    if (!x->exit_code != !y->exit_code)
        return x->exit_code ? 1 : -1; /* warnings first: the errors stay in sight */
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->text, y->text);
}

/* A server that is down fails every document in the same way. */
enum { SHOWN_MAX = 5 };

static void print_kind(const hu_report *report, const char *mark, const char *what, bool errors)
{
    size_t shown = 0, all = 0;
    for (size_t i = 0; i < report->count; i++) {
        const hu_problem *problem = &report->list[i];
        if (!problem->exit_code == errors)
            continue;
        if (shown < SHOWN_MAX) {
            fprintf(stderr, "%s%s\n", mark, problem->text);
            shown++;
        }
        all++;
    }
    if (all > shown)
        fprintf(stderr, "%s... and %zu more %s like these\n", mark, all - shown, what);
}

int hu_report_print(hu_report *report)
{
    if (report->count)
        qsort(report->list, report->count, sizeof *report->list, problem_order);
    print_kind(report, report->color ? "\033[1;33mwarning:\033[0m " : "warning: ", "warnings",
               false);
    print_kind(report, report->color ? "\033[1;31merror:\033[0m " : "error: ", "errors", true);
    for (size_t i = 0; i < report->count; i++)
        if (report->list[i].exit_code)
            return report->list[i].exit_code;
    return 0;
}
