/* SPDX-License-Identifier: MIT */
/* Which levels are traced: "info,net=debug". A filter is never changed, only replaced. */
#include "core/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RULES_MAX 16
#define TARGET_MAX 32

typedef struct filter {
    struct filter *older; /* a thread may still read it: kept to the end */
    unsigned n;
    struct rule {
        char target[TARGET_MAX]; /* "": all others */
        size_t len;
        edo_level level;
    } rules[RULES_MAX];
} filter;

static filter *current; /* atomic: never changed once it is here; written by edo_trace_start() */

static bool level_of(const char *text, size_t len, edo_level *out)
{
    static const char *const names[] = { "off", "error", "warn", "info", "debug", "trace" };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && strncasecmp(names[i], text, len) == 0) {
            *out = (edo_level)i;
            return true;
        }
    }
    return false;
}

static bool rule_add(filter *f, const char *text, size_t len)
{
    struct rule r = { .level = EDO_LEVEL_OFF };
    const char *eq = memchr(text, '=', len);
    if (eq != NULL) {
        r.len = (size_t)(eq - text);
        if (r.len == 0 || r.len >= TARGET_MAX)
            return false;
        memcpy(r.target, text, r.len);
        text = eq + 1;
        len -= r.len + 1;
    }
    if (f->n == RULES_MAX || !level_of(text, len, &r.level))
        return false;
    f->rules[f->n++] = r;
    return true;
}

int edo__trace_filter_set(const char *text)
{
    filter *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -ENOMEM;
    for (;;) {
        size_t len = strcspn(text, ",");
        if (!rule_add(f, text, len)) {
            free(f);
            return -EINVAL;
        }
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    f->older = current;
    edo__astore(&current, f, EDO__REL); /* pairs with the load in edo__trace_filter_level() */
    return 0;
}

edo_level edo__trace_filter_level(const char *target)
{
    const filter *f = edo__aload(&current, EDO__ACQ);
    const struct rule *best = NULL;
    for (unsigned i = 0; f != NULL && i < f->n; i++) {
        const struct rule *r = &f->rules[i];
        if (strncmp(target, r->target, r->len) == 0 && (best == NULL || r->len >= best->len))
            best = r;
    }
    return best != NULL ? best->level : EDO_LEVEL_OFF;
}

edo_level edo__trace_filter_max(void)
{
    const filter *f = edo__aload(&current, EDO__ACQ);
    edo_level max = EDO_LEVEL_OFF;
    for (unsigned i = 0; f != NULL && i < f->n; i++)
        max = f->rules[i].level > max ? f->rules[i].level : max;
    return max;
}
