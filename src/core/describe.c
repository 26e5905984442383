/* SPDX-License-Identifier: MIT */
/* A task in one line, for reports; async-signal-safe. Dumps are in src/inspect. */
#include "core/runtime.h"

/* Appends text at *at, as far as it fits. A name may be cleared while it is read, see below. */
__attribute__((no_sanitize("thread"))) static void put(char *buf, size_t cap, size_t *at,
                                                       const char *text)
{
    while (*text != '\0' && *at < cap)
        buf[(*at)++] = *text++;
}

static void put_number(char *buf, size_t cap, size_t *at, uint64_t n)
{
    char digits[21];
    size_t i = sizeof digits;
    digits[--i] = '\0';
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    put(buf, cap, at, &digits[i]);
}

/* The monitor asks while the task may be ending: what it says may be of a moment ago, but is never
 * read beyond the name's end. */
__attribute__((no_sanitize("thread"), noinline)) size_t edo__task_describe(edo__task *t, char *buf,
                                                                           size_t cap)
{
    size_t at = 0;
    put(buf, cap, &at, "task ");
    if (t->name[0] != '\0') {
        put(buf, cap, &at, "\"");
        put(buf, cap, &at, t->name);
        put(buf, cap, &at, "\" ");
    }
    put(buf, cap, &at, "(id ");
    put_number(buf, cap, &at, edo__task_id(t));
    put(buf, cap, &at, ")");
    if (t->site != NULL) {
        put(buf, cap, &at, " spawned at ");
        put(buf, cap, &at, t->site);
    }
    return at;
}
