/* SPDX-License-Identifier: MIT */
/* edo_dump_json(): the same picture as edo_dump()'s, for programs. */
#include "inspect/inspect.h"

#include "arch/unwind.h"

#include <edo/metrics.h>

#include <inttypes.h>

static void put_string(const char *s, FILE *f)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f) /* names are bytes of the program's: kept as Latin-1 */
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void put_ids(const edo__inspection *in, const uint32_t *tasks, uint32_t n, FILE *f)
{
    fputc('[', f);
    for (uint32_t i = 0; i < n; i++)
        fprintf(f, "%s%" PRIu64, i > 0 ? "," : "", in->nodes[tasks[i]].id);
    fputc(']', f);
}

/* Names of tasks by index are good only while the graph is there. */
static uint64_t id_of(const edo__inspection *in, uint32_t index)
{
    return in->complete && index < in->used ? in->nodes[index].id : 0;
}

static void put_wait(const edo__inspection *in, const edo__picture *p, FILE *f)
{
    const edo__seen_wait *w = &p->wait;
    fputs(",\"for\":", f);
    put_string(edo__why_name(w->why), f);
    if (!p->frozen)
        return;
    bool fd = w->why >= EDO__WHY_FD && w->why <= EDO__WHY_CONNECT;
    if (fd)
        fprintf(f, ",\"fd\":%" PRIu32, (uint32_t)(uintptr_t)w->obj);
    else if (w->obj != NULL)
        fprintf(f, ",\"object\":\"0x%" PRIxPTR "\"", (uintptr_t)w->obj);
    if (w->by != EDO__NOBODY && id_of(in, w->by) != 0)
        fprintf(f, ",\"%s\":%" PRIu64, w->behind ? "behind" : "held_by", id_of(in, w->by));
    if (w->outside)
        fputs(",\"outside\":true", f);
    if (w->n_users > 0 && in->complete) {
        fputs(",\"used_by\":", f);
        put_ids(in, w->users, w->n_users, f);
    }
    if (w->until != EDO_FOREVER)
        fprintf(f, ",\"left_ns\":%" PRId64, w->until - edo__clock_now(in->rt));
}

static void put_stack(void *const *pcs, size_t n, FILE *f)
{
    fputs(",\"stack\":[", f);
    for (size_t i = 0; i < n; i++) {
        char symbol[256];
        edo__symbolize(pcs[i], symbol, sizeof symbol);
        fputs(i > 0 ? "," : "", f);
        put_string(symbol, f);
    }
    fputc(']', f);
}

static bool put_task(const edo__inspection *in, uint32_t index, bool first, FILE *f)
{
    static const char *const states[] = {
        [EDO__SEEN_NEW] = "new",         [EDO__SEEN_READY] = "ready",
        [EDO__SEEN_RUNNING] = "running", [EDO__SEEN_WAITING] = "waiting",
        [EDO__SEEN_ENDED] = "ended",
    };
    void *pcs[EDO__FRAMES];
    edo__picture p;
    if (!edo__picture_take(in->rt, index, &p, pcs))
        return false;
    fprintf(f, "%s\n{\"id\":%" PRIu64 ",\"name\":", first ? "" : ",", p.id);
    put_string(p.name, f);
    fprintf(f, ",\"parent\":%" PRIu64 ",\"state\":\"%s\",\"for_ns\":%" PRId64, p.parent,
            states[p.state], edo__clock_now(in->rt) - p.since);
    if (p.state == EDO__SEEN_WAITING)
        put_wait(in, &p, f);
    if (p.low)
        fputs(",\"low\":true", f);
    if (p.site != NULL) {
        fputs(",\"spawned_at\":", f);
        put_string(p.site, f);
    }
    put_stack(pcs, p.frames, f);
    fputc('}', f);
    return true;
}

static void put_knots(const edo__inspection *in, FILE *f)
{
    fprintf(f, ",\n\"standstill\":%s,\"deadlocks\":[", in->standstill ? "true" : "false");
    for (const edo__knot *k = in->knots; k != NULL; k = k->next) {
        fprintf(f, "%s{\"sure\":%s,\"tasks\":", k == in->knots ? "" : ",",
                k->sure == EDO__SURE ? "true" : "false");
        put_ids(in, k->members, k->n, f);
        fputc('}', f);
    }
    fputs("]", f);
}

int edo_dump_json(edo_runtime *rt, FILE *f)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    edo__inspection in;
    edo__inspect(&in, rt);
    flockfile(f);
    fputs("{\"runtime\":", f);
    put_string(rt->name, f);
    fprintf(f, ",\"workers\":%" PRIu32, rt->n_workers);
    put_knots(&in, f);
    fputs(",\n\"tasks\":[", f);
    int count = 0;
    uint32_t used = (uint32_t)edo__arena_used(rt->arena);
    for (uint32_t i = 0; i < used; i++)
        count += put_task(&in, i, count == 0, f);
    fputs("]}\n", f);
    fflush(f);
    funlockfile(f);
    edo__inspect_end(&in);
    return count;
}
