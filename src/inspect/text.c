/* SPDX-License-Identifier: MIT */
/* edo_dump(): a picture of every task as text. */
#include "inspect/inspect.h"

#include "core/tracker.h"

#include "arch/unwind.h"
#include "net/socket.h"

#include <edo/metrics.h>
#include <edo/io.h>

#define LIST_MAX 8 /* tasks named in one list; of longer ones the rest is counted */

static void print_task(const edo__inspection *in, uint32_t index, FILE *f)
{
    edo__picture p;
    if (!edo__picture_head(in->rt, index, &p)) {
        fputs("a task that has ended", f);
        return;
    }
    fprintf(f, "task %llu", (unsigned long long)p.id);
    if (p.name[0] != '\0')
        fprintf(f, " \"%s\"", p.name);
}

static void print_list(const edo__inspection *in, const uint32_t *tasks, uint32_t n, uint32_t all,
                       FILE *f)
{
    for (uint32_t i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", f);
        print_task(in, tasks[i], f);
    }
    if (n < all)
        fprintf(f, " and %u more", all - n);
}

/* Those whose end could end this wait. */
static void print_children(const edo__inspection *in, uint32_t index, FILE *f)
{
    uint32_t tasks[LIST_MAX];
    if (!in->complete || index >= in->used)
        return;
    edo__edge_range r = edo__edges_to(in, index);
    uint32_t all = (uint32_t)(r.end - r.at), n;
    for (n = 0; n < all && n < LIST_MAX; n++)
        tasks[n] = r.at[n].from;
    if (n == 0)
        return;
    fputs(": ", f);
    print_list(in, tasks, n, all, f);
}

static void print_channel(const edo__inspection *in, const edo__seen_wait *w, FILE *f)
{
    bool sends = w->why != EDO__WHY_RECV;
    fprintf(f, " (%llu inside", (unsigned long long)w->have);
    if (w->cap != EDO_UNBOUNDED)
        fprintf(f, " of %llu", (unsigned long long)w->cap);
    if (w->n_users > 0) {
        fprintf(f, "; %s by ", sends ? "received from so far" : "sent to so far");
        print_list(in, w->users, w->n_users, w->n_users, f);
    }
    fputc(')', f);
}

static void print_select(const edo__inspection *in, const edo__seen_wait *w, FILE *f)
{
    fprintf(f, " of %llu cases", (unsigned long long)w->cap);
    if (w->n_users > 0) {
        fputs(" (on the other side so far: ", f);
        print_list(in, w->users, w->n_users, w->n_users, f);
        fputc(')', f);
    }
}

/* What stands between the name of a lock, or of a once, and the task `by`. */
static const char *has(const edo__seen_wait *w)
{
    if (w->behind)
        return "in line behind";
    return w->why == EDO__WHY_ONCE ? "run by" : "held by";
}

static void print_descriptor(const edo__seen_wait *w, FILE *f)
{
    int fd = (int)(uint32_t)(uintptr_t)w->obj;
    unsigned events = (unsigned)((uint64_t)(uintptr_t)w->obj >> 32);
    char address[264];
    fprintf(f, "%s %d", w->why == EDO__WHY_FD ? "" : " of descriptor", fd);
    if (w->why == EDO__WHY_FD && (events & EDO_READABLE) != 0)
        fputs(" to be readable", f);
    if (w->why == EDO__WHY_FD && (events & EDO_WRITABLE) != 0)
        fputs(events == EDO_WRITABLE ? " to be writable" : " or writable", f);
    if (edo__socket_describe(fd, address, sizeof address))
        fprintf(f, " (%s)", address);
}

static void print_lock(const edo__inspection *in, uint32_t index, const edo__seen_wait *w, FILE *f)
{
    fprintf(f, " %p", w->obj);
    if (w->outside)
        fprintf(f, " %s a thread outside of the runtime", has(w));
    else if (w->by == index)
        fputs(" which it holds itself", f);
    else if (w->by != EDO__NOBODY) {
        fprintf(f, " %s ", has(w));
        print_task(in, w->by, f);
    }
}

/* What a frozen task waits for, beyond its name. */
static void print_object(const edo__inspection *in, uint32_t index, const edo__picture *p, FILE *f)
{
    const edo__seen_wait *w = &p->wait;
    switch (w->why) {
    case EDO__WHY_SLEEP: break;
    case EDO__WHY_FD:
    case EDO__WHY_READ:
    case EDO__WHY_WRITE:
    case EDO__WHY_ACCEPT:
    case EDO__WHY_CONNECT: print_descriptor(w, f); break;
    case EDO__WHY_RDLOCK:
    case EDO__WHY_WRLOCK:
    case EDO__WHY_ONCE:
    case EDO__WHY_MUTEX: print_lock(in, index, w, f); break;
    case EDO__WHY_SELECT: print_select(in, w, f); break;
    case EDO__WHY_SEM: fprintf(f, " %p (%llu free)", w->obj, (unsigned long long)w->have); break;
    case EDO__WHY_SEND:
    case EDO__WHY_RECV:
    case EDO__WHY_RESERVE:
        fprintf(f, " %p", w->obj);
        print_channel(in, w, f);
        break;
    case EDO__WHY_GROUP_CLOSE:
    case EDO__WHY_GROUP_NEXT:
    case EDO__WHY_GROUP_ROOM:
        fprintf(f, " %p (%llu live", w->obj, (unsigned long long)w->have);
        print_children(in, index, f);
        fputc(')', f);
        break;
    case EDO__WHY_BLOCKING:
        if (w->obj != NULL)
            fputs(w->have != 0 ? ", queued" : ", running", f);
        break;
    default:
        if (w->obj != NULL)
            fprintf(f, " %p", w->obj);
    }
    if (w->until != EDO_FOREVER) {
        int64_t left = w->until - edo__clock_now(in->rt);
        fprintf(f, ", %.3f s left", left > 0 ? (double)left / 1e9 : 0.0);
    } else if (w->why == EDO__WHY_SLEEP) {
        fputs(" until it is cancelled", f);
    }
}

static const char *const state_names[] = {
    [EDO__SEEN_NEW] = "new",         [EDO__SEEN_READY] = "ready", [EDO__SEEN_RUNNING] = "running",
    [EDO__SEEN_WAITING] = "waiting", [EDO__SEEN_ENDED] = "ended",
};

static void print_state(const edo__inspection *in, uint32_t index, const edo__picture *p, FILE *f)
{
    fprintf(f, "task %llu", (unsigned long long)p->id);
    if (p->name[0] != '\0')
        fprintf(f, " \"%s\"", p->name);
    fprintf(f, ": %s", state_names[p->state]);
    if (p->state == EDO__SEEN_WAITING) {
        fprintf(f, " for %s", edo__why_name(p->wait.why));
        if (p->frozen)
            print_object(in, index, p, f);
    }
    int64_t for_ns = edo__clock_now(in->rt) - p->since;
    fprintf(f, ", %.3f s", for_ns > 0 ? (double)for_ns / 1e9 : 0.0);
    if (p->low)
        fputs(", low priority", f);
    if (p->parent != 0)
        fprintf(f, ", child of %llu", (unsigned long long)p->parent);
    if (p->site != NULL)
        fprintf(f, ", spawned at %s", p->site);
    fputc('\n', f);
}

/* The locks it holds, as far as somebody waits for them. */
static void print_locks(const edo__inspection *in, uint32_t index, FILE *f)
{
    uint32_t n = 0;
    edo__edge_range r = edo__edges_from(in, index);
    for (; r.at < r.end && n < LIST_MAX; r.at++) {
        const edo__seen_wait *w = &in->nodes[r.at->to].wait;
        if (w->ends != EDO__ENDS_TASK || w->behind)
            continue;
        const char *verb = w->why == EDO__WHY_ONCE ? "runs" : "holds";
        fprintf(f, "    %s %s %p, waited for by ", verb, edo__why_name(w->why), w->obj);
        print_task(in, r.at->to, f);
        fputc('\n', f);
        n++;
    }
}

static bool print_slot(const edo__inspection *in, uint32_t index, FILE *f)
{
    void *pcs[EDO__FRAMES];
    edo__picture p;
    if (!edo__picture_take(in->rt, index, &p, pcs))
        return false;
    print_state(in, index, &p, f);
    if (in->complete && index < in->used && in->nodes[index].id == p.id)
        print_locks(in, index, f);
    for (size_t i = 0; i < p.frames; i++) {
        char symbol[256];
        edo__symbolize(pcs[i], symbol, sizeof symbol);
        fprintf(f, "    #%zu %s\n", i, symbol);
    }
    return true;
}

/* ---- deadlocks ---- */

static const char *const sure_names[] = {
    [EDO__SURE] = "deadlock",
    [EDO__SEEN_USERS] = "likely deadlock",
    [EDO__SUPPOSED] = "likely deadlock",
};

static void print_member(const edo__inspection *in, const edo__knot *k, uint32_t i, FILE *f)
{
    const edo__seen_wait *w = &in->nodes[k->members[i]].wait;
    fputs("    ", f);
    print_task(in, k->members[i], f);
    fprintf(f, "%s waits for %s", i > 0 ? ", which" : "", edo__why_name(w->why));
    if (w->obj != NULL)
        fprintf(f, " %p", w->obj);
    switch (w->ends) {
    case EDO__ENDS_TASK: fprintf(f, " %s\n", has(w)); break;
    case EDO__ENDS_ALL: fputs(" with the child\n", f); break;
    case EDO__ENDS_ANY: fputs(" with no child that could go on, as\n", f); break;
    case EDO__ENDS_USERS:
        fputs(w->why == EDO__WHY_RECV     ? " sent to by\n"
              : w->why == EDO__WHY_SELECT ? " with, on the other side,\n"
                                          : " received from by\n",
              f);
        break;
    default: fputs(" from, it seems,\n", f); break;
    }
}

static void print_knot(const edo__inspection *in, const edo__knot *k, FILE *f)
{
    fprintf(f, "%s of %u task%s", sure_names[k->sure], k->n, k->n == 1 ? "" : "s");
    if (k->sure == EDO__SEEN_USERS)
        fputs(", unless others use the channel than did so far", f);
    else if (k->sure == EDO__SUPPOSED)
        fputs(", unless a thread outside of the runtime helps", f);
    fputs(":\n", f);
    for (uint32_t i = 0; i < k->n; i++)
        print_member(in, k, i, f);
    fputs("    ", f);
    print_task(in, k->members[0], f);
    fputc('\n', f);
}

static void print_head(edo_runtime *rt, FILE *f)
{
    edo_metrics m;
    (void)edo_metrics_read(rt, &m);
    fprintf(f, "edo: runtime \"%s\": %u workers (%u parked), %llu tasks alive, %llu runnable\n",
            rt->name, m.workers, m.workers_parked, (unsigned long long)m.tasks_alive,
            (unsigned long long)(m.local_depth + m.inject_depth + m.low_depth));
}

int edo_dump(edo_runtime *rt, FILE *f)
{
    if (rt == NULL)
        rt = edo_runtime_current();
    if (rt == NULL)
        return -EPERM;
    edo__inspection in;
    edo__inspect(&in, rt);
    flockfile(f); /* dumps of several runtimes, one after the other */
    print_head(rt, f);
    if (!in.complete)
        fputs("no memory to look for deadlocks\n", f);
    for (const edo__knot *k = in.knots; k != NULL; k = k->next)
        print_knot(&in, k, f);
    if (in.standstill)
        fputs("standstill: no task can go on unless a thread outside of the runtime helps\n", f);
    int count = 0;
    uint32_t used = (uint32_t)edo__arena_used(rt->arena);
    for (uint32_t i = 0; i < used; i++)
        count += print_slot(&in, i, f);
    fflush(f);
    funlockfile(f);
    edo__inspect_end(&in);
    return count;
}

size_t edo__dump_group(edo_runtime *rt, const edo_group *g, const edo_tracker_stop *how)
{
    edo__inspection in;
    size_t count = 0;
    uint32_t used = (uint32_t)edo__arena_used(rt->arena);
    edo__inspect(&in, rt);
    for (uint32_t i = 0; i < used; i++) {
        edo__picture p;
        if (!edo__picture_take(rt, i, &p, NULL) || p.group != g || p.state == EDO__SEEN_ENDED)
            continue;
        if (how->report != NULL)
            (void)print_slot(&in, i, how->report);
        if (how->each != NULL)
            how->each(how->arg, &(edo_task_info){ .id = p.id, .name = p.name, .site = p.site });
        count++;
    }
    if (how->report != NULL)
        fflush(how->report);
    edo__inspect_end(&in);
    return count;
}
