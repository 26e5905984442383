/* SPDX-License-Identifier: MIT */
/* Records as text: lines for people, JSON lines, or the trace-event format that Perfetto opens. On
 * the tracer's thread only.
 *
 * For Perfetto a run of a task is a slice on its thread's track, written when it ends, so that a lost
 * record cannot unbalance the track. A task's own track (async events with its number as id) holds its
 * life, its waits and its spans. Wake-ups are flows from the waker's slice to the run. */
#include "core/trace.h"

#include <edo/base.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

static const char *const kind_names[] = {
    [EDO__REC_EVENT] = "event", [EDO__REC_OPEN] = "span_open", [EDO__REC_CLOSE] = "span_close",
    [EDO__REC_RUN] = "run",     [EDO__REC_PAUSE] = "pause",    [EDO__REC_END] = "end",
    [EDO__REC_SPAWN] = "spawn", [EDO__REC_WAKE] = "wake",      [EDO__REC_STEAL] = "steal",
    [EDO__REC_SLEEP] = "park",  [EDO__REC_WOKEN] = "unpark",
};
static const char *const level_names[] = { "off", "error", "warn", "info", "debug", "trace" };

/* ---- fields ---- */

/* The next value; *text: a string's bytes. */
static const edo__rec_value *next_value(const char **at, const char **text)
{
    const edo__rec_value *v = (const edo__rec_value *)(const void *)*at;
    *at += sizeof *v;
    *text = NULL;
    if (v->type == EDO_FIELD_STR && v->len != UINT32_MAX) {
        *text = *at;
        *at += (v->len + 7) / 8 * 8;
    }
    return v;
}

/* How many bytes of UTF-8 are well formed at p; 0: none. */
static size_t utf8(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (len == 0 || len > n || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

static void json_string(FILE *f, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    fputc('"', f);
    for (size_t i = 0; i < n;) {
        size_t len = utf8(p + i, n - i);
        if (len == 0)
            fputs("\\ufffd", f);
        else if (p[i] == '"' || p[i] == '\\')
            fprintf(f, "\\%c", p[i]);
        else if (p[i] < 0x20 || p[i] == 0x7F)
            fprintf(f, "\\u%04x", p[i]);
        else
            fwrite(p + i, 1, len, f);
        i += len == 0 ? 1 : len;
    }
    fputc('"', f);
}

static void json_text(FILE *f, const char *text)
{
    json_string(f, text, strlen(text));
}

static void json_value(FILE *f, const edo__rec_value *v, const char *text)
{
    switch ((edo_field_type)v->type) {
    case EDO_FIELD_INT: fprintf(f, "%" PRId64, v->i); break;
    case EDO_FIELD_UINT: fprintf(f, "%" PRIu64, v->u); break;
    case EDO_FIELD_DOUBLE:
        if (isfinite(v->d))
            fprintf(f, "%.17g", v->d);
        else
            fputs("null", f);
        break;
    case EDO_FIELD_BOOL: fputs(v->b ? "true" : "false", f); break;
    case EDO_FIELD_STR:
        if (text != NULL)
            json_string(f, text, v->len);
        else
            fputs("null", f);
        break;
    case EDO_FIELD_END: break;
    }
}

/* All but the message as members, each with a comma before it unless it is the first. */
static void json_fields(FILE *f, const edo__rec *rec, bool first)
{
    const char *at = (const char *)(rec + 1), *text;
    for (unsigned i = 0; i < rec->fields; i++) {
        const edo__rec_value *v = next_value(&at, &text);
        if (v->key == NULL)
            continue;
        if (!first)
            fputc(',', f);
        first = false;
        json_text(f, v->key);
        fputc(':', f);
        json_value(f, v, text);
    }
}

/* What the record is about: an event's message, or the name. */
static void json_name(FILE *f, const edo__rec *rec)
{
    const char *at = (const char *)(rec + 1), *text;
    if (rec->fields > 0) {
        const edo__rec_value *v = next_value(&at, &text);
        if (v->key == NULL) {
            json_value(f, v, text);
            return;
        }
    }
    json_text(f, rec->name != NULL ? rec->name : kind_names[rec->kind]);
}

/* ---- time of day ---- */

static void calendar(int64_t monotonic, struct tm *tm, long *ns)
{
    struct timespec wall, mono;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    int64_t ago = EDO_SEC(mono.tv_sec) + mono.tv_nsec - monotonic;
    int64_t at = EDO_SEC(wall.tv_sec) + wall.tv_nsec - ago;
    time_t seconds = (time_t)(at / EDO_SEC(1));
    *ns = (long)(at % EDO_SEC(1));
    gmtime_r(&seconds, tm);
}

/* ---- lines for people ---- */

/* No escape sequence of a message reaches the terminal. */
static void plain(FILE *f, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F)
            fprintf(f, "\\x%02x", c);
        else
            fputc(c, f);
    }
}

static void pretty_value(FILE *f, const edo__rec_value *v, const char *text)
{
    if (text == NULL) {
        json_value(f, v, text);
        return;
    }
    bool quote = v->len == 0 || memchr(text, ' ', v->len) != NULL;
    if (quote)
        fputc('"', f);
    plain(f, text, v->len);
    if (quote)
        fputc('"', f);
}

static void pretty_fields(FILE *f, const edo__rec *rec)
{
    const char *at = (const char *)(rec + 1), *text;
    for (unsigned i = 0; i < rec->fields; i++) {
        const edo__rec_value *v = next_value(&at, &text);
        fputc(' ', f);
        if (v->key == NULL && text != NULL) {
            plain(f, text, v->len);
        } else {
            fprintf(f, "%s=", v->key != NULL ? v->key : "message");
            pretty_value(f, v, text);
        }
    }
}

static void pretty(edo__trace_out *o, const edo__ring *r, const edo__rec *rec)
{
    static const char *const colours[] = {
        "", "\33[31m", "\33[33m", "\33[32m", "\33[34m", "\33[90m"
    };
    FILE *f = o->f;
    struct tm tm;
    long ns;
    calendar(rec->time, &tm, &ns);
    fprintf(f, "%02d:%02d:%02d.%06ld %s%-5s%s ", tm.tm_hour, tm.tm_min, tm.tm_sec, ns / 1000,
            o->colour ? colours[rec->level] : "", rec->level == 0 ? "" : level_names[rec->level],
            o->colour ? "\33[0m" : "");
    fprintf(f, "%s [%s", rec->target, r->thread);
    if (rec->task != 0 && rec->kind != EDO__REC_STEAL)
        fprintf(f, " task %" PRIu64, rec->task);
    if (rec->span != 0)
        fprintf(f, " span %" PRIu64, rec->span);
    fputc(']', f);
    if (rec->kind != EDO__REC_EVENT)
        fprintf(f, " %s", kind_names[rec->kind]);
    if (rec->name != NULL)
        fprintf(f, " %s", rec->name);
    if (rec->kind == EDO__REC_STEAL)
        fprintf(f, " tasks=%" PRIu64, rec->task);
    pretty_fields(f, rec);
    fputc('\n', f);
}

/* ---- JSON lines ---- */

static void json(edo__trace_out *o, const edo__ring *r, const edo__rec *rec)
{
    FILE *f = o->f;
    struct tm tm;
    long ns;
    calendar(rec->time, &tm, &ns);
    fprintf(f, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\",\"ns\":%" PRId64,
            tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ns,
            rec->time);
    if (rec->level != 0)
        fprintf(f, ",\"level\":\"%s\"", level_names[rec->level]);
    fprintf(f, ",\"kind\":\"%s\",\"target\":", kind_names[rec->kind]);
    json_text(f, rec->target);
    fprintf(f, ",\"%s\":", rec->kind == EDO__REC_EVENT ? "message" : "name");
    json_name(f, rec);
    fprintf(f, ",\"thread\":");
    json_string(f, r->thread, strnlen(r->thread, sizeof r->thread));
    fprintf(f, ",\"tid\":%d", (int)r->tid);
    if (rec->worker != EDO__TRACE_NOBODY)
        fprintf(f, ",\"worker\":%u", rec->worker);
    if (rec->task != 0)
        fprintf(f, ",\"%s\":%" PRIu64, rec->kind == EDO__REC_STEAL ? "tasks" : "task", rec->task);
    if (rec->span != 0)
        fprintf(f, ",\"span\":%" PRIu64, rec->span);
    if (rec->parent != 0)
        fprintf(f, ",\"parent\":%" PRIu64, rec->parent);
    if (rec->site != NULL) {
        fputs(",\"site\":", f);
        json_text(f, rec->site);
    }
    fputs(",\"fields\":{", f);
    json_fields(f, rec, true);
    fputs("}}\n", f);
}

/* ---- Perfetto ---- */

/* An event up to its name, on the thread's track. */
static void begin(edo__trace_out *o, const edo__ring *r, const char *ph, int64_t ns)
{
    fprintf(o->f, "%s{\"ph\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%" PRId64 ".%03d",
            o->first ? "" : ",\n", ph, (int)o->pid, (int)r->tid, ns / 1000, (int)(ns % 1000));
    o->first = false;
}

/* The same on the track of the record's task. */
static void begin_task(edo__trace_out *o, const edo__ring *r, const char *ph, const edo__rec *rec)
{
    begin(o, r, ph, rec->time);
    fprintf(o->f, ",\"cat\":\"task\",\"id\":\"0x%" PRIx64 "\"", rec->task);
}

static void name_thread(edo__trace_out *o, edo__ring *r)
{
    begin(o, r, "M", 0);
    fputs(",\"name\":\"thread_name\",\"args\":{\"name\":", o->f);
    json_string(o->f, r->thread, strnlen(r->thread, sizeof r->thread));
    fputs("}}", o->f);
    r->named = true;
}

static void args(FILE *f, const edo__rec *rec)
{
    fprintf(f, ",\"args\":{\"task\":%" PRIu64 ",\"span\":%" PRIu64 ",\"parent\":%" PRIu64,
            rec->task, rec->span, rec->parent);
    if (rec->site != NULL) {
        fputs(",\"site\":", f);
        json_text(f, rec->site);
    }
    json_fields(f, rec, false);
    fputs("}}", f);
}

/* A slice of the thread's track that began at r->since. */
static void slice(edo__trace_out *o, edo__ring *r, const edo__rec *rec)
{
    if (r->since == 0)
        return; /* its beginning was lost, or was before the start */
    int64_t duration = rec->time - r->since;
    begin(o, r, "X", r->since);
    fprintf(o->f, ",\"dur\":%" PRId64 ".%03d,\"name\":", duration / 1000, (int)(duration % 1000));
    if (rec->kind == EDO__REC_WOKEN)
        fputs("\"parked\"", o->f);
    else
        fprintf(o->f, "\"task %" PRIu64 "\"", rec->task);
    args(o->f, rec);
    r->since = 0;
}

static void wait_edge(edo__trace_out *o, const edo__ring *r, const edo__rec *rec, const char *ph)
{
    begin_task(o, r, ph, rec);
    fputs(",\"name\":\"waiting\",\"args\":{", o->f);
    if (*ph == 'b' && rec->name != NULL) {
        fputs("\"for\":", o->f);
        json_text(o->f, rec->name);
    }
    fputs("}}", o->f);
}

static void life_edge(edo__trace_out *o, const edo__ring *r, const edo__rec *rec, const char *ph)
{
    begin_task(o, r, ph, rec);
    fprintf(o->f, ",\"name\":\"task %" PRIu64 "\"", rec->task);
    args(o->f, rec);
}

static void flow(edo__trace_out *o, const edo__ring *r, const edo__rec *rec, const char *ph)
{
    begin(o, r, ph, rec->time);
    fprintf(o->f, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":\"0x%" PRIx64 "\"%s}", rec->task,
            *ph == 'f' ? ",\"bp\":\"e\"" : "");
}

static void named(edo__trace_out *o, const edo__ring *r, const edo__rec *rec, const char *on_task,
                  const char *on_thread)
{
    if (rec->task != 0)
        begin_task(o, r, on_task, rec);
    else
        begin(o, r, on_thread, rec->time);
    fputs(",\"name\":", o->f);
    json_name(o->f, rec);
    args(o->f, rec);
}

static void perfetto(edo__trace_out *o, edo__ring *r, const edo__rec *rec)
{
    if (!r->named)
        name_thread(o, r);
    switch ((edo__rec_kind)rec->kind) {
    case EDO__REC_EVENT: named(o, r, rec, "n", "i"); break;
    case EDO__REC_OPEN: named(o, r, rec, "b", "B"); break;
    case EDO__REC_CLOSE: named(o, r, rec, "e", "E"); break;
    case EDO__REC_SPAWN: life_edge(o, r, rec, "b"); break;
    case EDO__REC_RUN:
        r->since = rec->time;
        if (rec->parent != 0) /* it has waited */
            wait_edge(o, r, rec, "e");
        flow(o, r, rec, "f");
        break;
    case EDO__REC_PAUSE:
        slice(o, r, rec);
        wait_edge(o, r, rec, "b");
        break;
    case EDO__REC_END:
        slice(o, r, rec);
        life_edge(o, r, rec, "e");
        break;
    case EDO__REC_WAKE: flow(o, r, rec, "s"); break;
    case EDO__REC_SLEEP: r->since = rec->time; break;
    case EDO__REC_WOKEN: slice(o, r, rec); break;
    case EDO__REC_STEAL:
        begin(o, r, "i", rec->time);
        fprintf(o->f, ",\"s\":\"t\",\"name\":\"steal\",\"args\":{\"tasks\":%" PRIu64 "}}",
                rec->task);
        break;
    case EDO__REC_PAD: break;
    }
}

/* ---- for the tracer ---- */

void edo__trace_out_begin(edo__trace_out *o)
{
    if (o->format == EDO_TRACE_PERFETTO)
        fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", o->f);
}

void edo__trace_out_record(edo__trace_out *o, edo__ring *r, const edo__rec *rec)
{
    switch (o->format) {
    case EDO_TRACE_PRETTY: pretty(o, r, rec); break;
    case EDO_TRACE_JSON: json(o, r, rec); break;
    case EDO_TRACE_PERFETTO: perfetto(o, r, rec); break;
    }
}

void edo__trace_out_lost(edo__trace_out *o, const edo__ring *r, uint64_t n, int64_t now)
{
    switch (o->format) {
    case EDO_TRACE_PRETTY:
        fprintf(o->f, "edo: trace: %" PRIu64 " records of thread %s were lost: its ring was full\n",
                n, r->thread);
        break;
    case EDO_TRACE_JSON:
        fprintf(o->f,
                "{\"ns\":%" PRId64 ",\"kind\":\"lost\",\"target\":\"edo\",\"tid\":%d,"
                "\"records\":%" PRIu64 "}\n",
                now, (int)r->tid, n);
        break;
    case EDO_TRACE_PERFETTO:
        begin(o, r, "i", now);
        fprintf(o->f, ",\"s\":\"g\",\"name\":\"lost\",\"args\":{\"records\":%" PRIu64 "}}", n);
        break;
    }
}

void edo__trace_out_end(edo__trace_out *o)
{
    if (o->format == EDO_TRACE_PERFETTO)
        fputs("\n]}\n", o->f);
}
