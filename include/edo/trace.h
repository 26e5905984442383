/* SPDX-License-Identifier: MIT */
/* Edo: structured spans and events, written as readable lines, JSON lines, or a trace for Perfetto.
 *
 *     EDO_INFO("accepted", edo_field_int("fd", fd), edo_field_str("peer", peer));
 *
 *     edo_span s;
 *     EDO_SPAN(&s, EDO_LEVEL_DEBUG, "request", edo_field_str("path", path));
 *     ...
 *     edo_span_close(&s);
 *
 * A span is the task's current one until it is closed; what happens meanwhile, and the tasks spawned
 * meanwhile, belong to it. While nothing is traced each of these costs one branch, and their
 * arguments are not evaluated.
 *
 * A record goes into a ring of the calling thread's, without a lock, and a thread of the library's
 * writes it out. When a ring is full, records are dropped; that is counted, and the writer says so.
 * Strings among the fields and messages are copied (511 bytes at most, 16 fields at most); keys, names
 * of spans and targets must stay where they are: string literals. */
#ifndef EDO_TRACE_H
#define EDO_TRACE_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_level {
    EDO_LEVEL_OFF,
    EDO_LEVEL_ERROR,
    EDO_LEVEL_WARN,
    EDO_LEVEL_INFO,
    EDO_LEVEL_DEBUG,
    EDO_LEVEL_TRACE,
} edo_level;

/* The part of the program that events come from, for filters. Define it before this header is
 * included, or anew in between. The library's own is "edo". */
#ifndef EDO_TRACE_TARGET
#define EDO_TRACE_TARGET "app"
#endif

typedef enum edo_field_type {
    EDO_FIELD_END, /* the library's: behind the last one */
    EDO_FIELD_INT,
    EDO_FIELD_UINT,
    EDO_FIELD_DOUBLE,
    EDO_FIELD_BOOL,
    EDO_FIELD_STR,
} edo_field_type;

/* A key and its value; made by edo_field_int() and the like. */
typedef struct edo_field {
    const char *key;
    edo_field_type type;
    union {
        int64_t i;
        uint64_t u;
        double d;
        bool b;
        const char *s; /* NULL is written as null */
    } value;
} edo_field;

/* edo_field_int, _uint, _double, _bool, _str - a field.
 * @key: a string literal.
 *
 *     EDO_INFO("done", edo_field_int("code", rc), edo_field_bool("retried", true));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
static inline edo_field edo_field_int(const char *key, int64_t v)
{
    edo_field f;
    f.key = key;
    f.type = EDO_FIELD_INT;
    f.value.i = v;
    return f;
}
static inline edo_field edo_field_uint(const char *key, uint64_t v)
{
    edo_field f;
    f.key = key;
    f.type = EDO_FIELD_UINT;
    f.value.u = v;
    return f;
}
static inline edo_field edo_field_double(const char *key, double v)
{
    edo_field f;
    f.key = key;
    f.type = EDO_FIELD_DOUBLE;
    f.value.d = v;
    return f;
}
static inline edo_field edo_field_bool(const char *key, bool v)
{
    edo_field f;
    f.key = key;
    f.type = EDO_FIELD_BOOL;
    f.value.b = v;
    return f;
}
static inline edo_field edo_field_str(const char *key, const char *v)
{
    edo_field f;
    f.key = key;
    f.type = EDO_FIELD_STR;
    f.value.s = v;
    return f;
}
static inline edo_field edo__field_end(void)
{
    edo_field f;
    f.key = NULL;
    f.type = EDO_FIELD_END;
    f.value.u = 0;
    return f;
}

typedef struct edo_span { /* in the caller's storage while it is open */
    uint64_t edo__id;     /* 0: not traced */
    uint64_t edo__outer;
    const char *edo__name;
    const char *edo__target;
} edo_span;

extern uint8_t edo__trace_max; /* atomic: the highest level that any target is traced at */
void edo__event(edo_level level, const char *target, const char *site, const char *message, ...);
void edo__span_open(edo_span *s, edo_level level, const char *target, const char *site,
                    const char *name, ...);
void edo__span_close(edo_span *s);

#define EDO__TRACE_STR2(x) #x
#define EDO__TRACE_STR(x) EDO__TRACE_STR2(x)
#define EDO__TRACE_SITE __FILE__ ":" EDO__TRACE_STR(__LINE__)
#define EDO__TRACED(level_)                                                                        \
    (__builtin_expect(__atomic_load_n(&edo__trace_max, __ATOMIC_RELAXED) >= (level_), 0))

/* An event of a level and target: message, then fields. */
#define EDO_LOG(level_, target_, ...)                                                              \
    do {                                                                                           \
        if (EDO__TRACED(level_))                                                                   \
            edo__event((level_), (target_), EDO__TRACE_SITE, __VA_ARGS__, edo__field_end());       \
    } while (0)
#define EDO_ERROR(...) EDO_LOG(EDO_LEVEL_ERROR, EDO_TRACE_TARGET, __VA_ARGS__)
#define EDO_WARN(...) EDO_LOG(EDO_LEVEL_WARN, EDO_TRACE_TARGET, __VA_ARGS__)
#define EDO_INFO(...) EDO_LOG(EDO_LEVEL_INFO, EDO_TRACE_TARGET, __VA_ARGS__)
#define EDO_LOG_DEBUG(...) EDO_LOG(EDO_LEVEL_DEBUG, EDO_TRACE_TARGET, __VA_ARGS__)
#define EDO_LOG_TRACE(...) EDO_LOG(EDO_LEVEL_TRACE, EDO_TRACE_TARGET, __VA_ARGS__)

/* Opens a span: where it is kept, level, name, then fields. */
#define EDO_SPAN(span_, level_, ...)                                                               \
    do {                                                                                           \
        (span_)->edo__id = 0;                                                                      \
        if (EDO__TRACED(level_))                                                                   \
            edo__span_open((span_), (level_), EDO_TRACE_TARGET, EDO__TRACE_SITE, __VA_ARGS__,      \
                           edo__field_end());                                                      \
    } while (0)

/* edo_span_close - ends a span, by the task or thread that opened it, in the reverse order of
 * opening.
 *
 *     edo_span s;
 *     EDO_SPAN(&s, EDO_LEVEL_INFO, "reading");
 *     edo_span_close(&s);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  owner */
static inline void edo_span_close(edo_span *s)
{
    if (s->edo__id != 0)
        edo__span_close(s);
}

/* edo_span_current - the number of the calling task's (or thread's) innermost open span; 0: none.
 *
 *     uint64_t id = edo_span_current();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_span_current(void);

typedef enum edo_trace_format {
    EDO_TRACE_PRETTY,   /* lines for people; coloured on a terminal, unless NO_COLOR is set */
    EDO_TRACE_JSON,     /* an object per line                                               */
    EDO_TRACE_PERFETTO, /* a trace to open in ui.perfetto.dev: a track per thread and task  */
} edo_trace_format;

typedef struct edo_trace_options {
    const char *filter;      /* levels: "info,net=debug,edo=off"; NULL: "info". The longest target
                                that a record's target starts with decides.                    */
    edo_trace_format format; /* EDO_TRACE_PRETTY                                               */
    const char *path;        /* file to write, replaced; NULL: stderr                          */
    size_t ring_size;        /* bytes per thread, rounded up to a power of two; 0: 256 KiB      */
} edo_trace_options;

typedef struct edo_trace_counts {
    uint64_t written;
    uint64_t lost; /* dropped, because a ring was full or could not be had */
} edo_trace_counts;

/* edo_trace_start - starts tracing in the whole process. The environment does so by itself with the
 * first runtime: EDO_TRACE (the filter), EDO_TRACE_FILE, EDO_TRACE_FORMAT (pretty, json, perfetto);
 * it ends with the process then.
 *
 * With the runtime's own records (target "edo" at level trace: spawns, runs, wake-ups, steals,
 * parks) each run of a task is noted, which costs some 200 ns each.
 * @options: NULL: all defaults.
 * Returns 0; -EBUSY when it is on already; -EINVAL: the filter or format is not understood; the
 * codes of open(2); -EAGAIN or -ENOMEM: no thread.
 *
 *     edo_trace_options o = { .filter = "debug", .format = EDO_TRACE_JSON, .path = "trace.json" };
 *     rc = edo_trace_start(&o);
 *
 * Suspends: never (blocks for a moment)
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_trace_start(const edo_trace_options *options);

/* edo_trace_stop - stops, after everything recorded so far is written.
 * @out: what was written and what was lost, or NULL.
 * Returns 0; -EALREADY when it was not on; -EIO when not everything could be written.
 *
 *     edo_trace_counts counts;
 *     rc = edo_trace_stop(&counts);
 *
 * Suspends: never (blocks until it is written)
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_trace_stop(edo_trace_counts *out);

#ifdef __cplusplus
}
#endif
#endif
