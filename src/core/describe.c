/* SPDX-License-Identifier: MIT */
/* A task in one line, for reports; async-signal-safe. Dumps are in src/inspect. */
#include "core/runtime.h"

static const char *const why_names[EDO__WHYS] = {
    [EDO__WHY_NONE] = "nothing",
    [EDO__WHY_SLEEP] = "sleep",
    [EDO__WHY_MUTEX] = "mutex",
    [EDO__WHY_SEM] = "semaphore",
    [EDO__WHY_EVENT] = "event",
    [EDO__WHY_NOTIFY] = "notify",
    [EDO__WHY_ONESHOT] = "oneshot",
    [EDO__WHY_RDLOCK] = "read lock",
    [EDO__WHY_WRLOCK] = "write lock",
    [EDO__WHY_COND] = "condition variable",
    [EDO__WHY_BARRIER] = "barrier",
    [EDO__WHY_ONCE] = "once",
    [EDO__WHY_SETONCE] = "set-once value",
    [EDO__WHY_SEND] = "channel send",
    [EDO__WHY_RECV] = "channel receive",
    [EDO__WHY_RESERVE] = "room in channel",
    [EDO__WHY_CHAN_CLOSE] = "channel to close",
    [EDO__WHY_BROADCAST] = "broadcast",
    [EDO__WHY_WATCH] = "watch",
    [EDO__WHY_SELECT] = "select",
    [EDO__WHY_FD] = "descriptor",
    [EDO__WHY_READ] = "read",
    [EDO__WHY_WRITE] = "write",
    [EDO__WHY_ACCEPT] = "accept",
    [EDO__WHY_CONNECT] = "connect",
    [EDO__WHY_BLOCKING] = "blocking job",
    [EDO__WHY_GROUP_CLOSE] = "group to close",
    [EDO__WHY_GROUP_NEXT] = "next child",
    [EDO__WHY_GROUP_ROOM] = "room in group",
    [EDO__WHY_TOKEN] = "token",
    [EDO__WHY_JOINED] = "task to end",
    [EDO__WHY_STACK] = "stack",
    [EDO__WHY_DELAYQUEUE] = "delay queue",
    [EDO__WHY_RATELIMIT] = "rate limit",
    [EDO__WHY_TRACKER] = "tracker to end",
    [EDO__WHY_FILE] = "file operation",
    [EDO__WHY_FILE_LOCK] = "file lock",
    [EDO__WHY_FILE_WATCH] = "file watcher",
    [EDO__WHY_SIGNAL] = "signal",
    [EDO__WHY_OTHER] = "something",
};

const char *edo__why_name(unsigned why)
{
    return why < EDO__WHYS && why_names[why] != NULL ? why_names[why] : "something";
}

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
