/* SPDX-License-Identifier: MIT */
/* Recording: each thread has a ring of its own, made at its first record while tracing is on; the
 * tracer's thread takes the records out, puts those of all rings into the order of time as far as
 * they are there, and writes them.
 *
 * A record never waits: without room it is dropped and counted in the ring, and the writer tells.
 * Rings stay for their threads' lives; those of ended threads are freed when they are empty. Nothing
 * here may suspend: the thread's ring is looked up anew for each record. */
#include "core/trace.h"

#include "arch/futex.h"
#include "core/cpus.h"
#include "core/sched.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_DEFAULT ((size_t)256 << 10)
#define RING_MIN ((size_t)32 << 10) /* more than the largest record */
#define RING_MAX ((size_t)1 << 30)
#define LOOK_EVERY EDO_MS(10)

uint8_t edo__trace_max;
uint8_t edo__trace_runtime;

static struct tracer {
    pthread_mutex_t lock; /* over rings, n_rings, the rest's start and stop */
    edo__ring *rings;
    uint64_t n_rings; /* ever */
    uint64_t ring_size;
    uint64_t homeless; /* atomic: records of threads that could not have a ring */
    bool on;
    uint32_t stop; /* atomic, futex */
    pthread_t thread;
    edo__trace_out out;
    uint64_t written, lost;
} tracer = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread edo__ring *tls_ring;
static __thread uint64_t tls_span; /* of a thread that is no worker */
static pthread_key_t ring_key;
static pthread_once_t ring_once = PTHREAD_ONCE_INIT;
static bool ring_key_made;

static void ring_leave(void *ring)
{
    edo__ring *r = ring;
    tls_ring = NULL;
    edo__astore(&r->dead, 1u, EDO__REL); /* pairs with the load in drop_dead() */
}

static void ring_make_key(void)
{
    ring_key_made = pthread_key_create(&ring_key, ring_leave) == 0;
}

static __attribute__((noinline, cold)) edo__ring *ring_make(void)
{
    pthread_once(&ring_once, ring_make_key);
    uint64_t size = edo__aload(&tracer.ring_size, EDO__RLX);
    edo__ring *r = NULL;
    if (ring_key_made && size != 0)
        r = aligned_alloc(EDO__CACHE_LINE, sizeof *r + size);
    if (r == NULL || pthread_setspecific(ring_key, r) != 0) {
        free(r);
        return NULL;
    }
    memset(r, 0, sizeof *r);
    r->size = size;
    r->tid = gettid();
    pthread_getname_np(pthread_self(), r->thread, sizeof r->thread);
    pthread_mutex_lock(&tracer.lock);
    r->number = ++tracer.n_rings;
    r->next = tracer.rings;
    tracer.rings = r;
    pthread_mutex_unlock(&tracer.lock);
    tls_ring = r;
    return r;
}

/* Never inlined, like edo__self(): the thread may be another one after a suspension. */
static __attribute__((noinline)) edo__ring *my_ring(void)
{
    __asm__ __volatile__("" ::: "memory");
    edo__ring *r = tls_ring;
    return edo__likely(r != NULL) ? r : ring_make();
}

static __attribute__((noinline)) uint64_t *my_span(edo__task *self)
{
    __asm__ __volatile__("" ::: "memory");
    return self != NULL ? &self->span : &tls_span;
}

uint64_t edo__trace_foreign_span(void)
{
    return *my_span(NULL);
}

/* Room for n bytes in one piece, or NULL. */
static edo__rec *reserve(edo__ring *r, uint32_t n)
{
    uint64_t at = r->tail % r->size, rest = r->size - at;
    uint64_t need = rest < n ? rest + n : n;
    if (r->tail + need - r->cached_head > r->size) {
        r->cached_head = edo__aload(&r->head, EDO__ACQ); /* pairs with ring_take() */
        if (r->tail + need - r->cached_head > r->size)
            return NULL;
    }
    if (rest < n) {
        edo__rec *pad = (edo__rec *)(void *)(r->data + at);
        pad->size = (uint32_t)rest; /* 8 bytes are always there */
        pad->kind = EDO__REC_PAD;
        edo__astore(&r->tail, r->tail + rest, EDO__REL);
        at = 0;
    }
    return (edo__rec *)(void *)(r->data + at);
}

static uint32_t text_length(const edo_field *f)
{
    if (f->type != EDO_FIELD_STR || f->value.s == NULL)
        return 0;
    return (uint32_t)strnlen(f->value.s, EDO__TRACE_TEXT);
}

static char *put_field(char *at, const edo_field *f)
{
    edo__rec_value *v = (edo__rec_value *)(void *)at;
    v->key = f->key;
    v->type = f->type;
    v->len = text_length(f);
    v->u = 0;
    at += sizeof *v;
    switch (f->type) {
    case EDO_FIELD_DOUBLE: v->d = f->value.d; break;
    case EDO_FIELD_BOOL: v->b = f->value.b; break;
    case EDO_FIELD_STR:
        if (f->value.s == NULL) {
            v->len = UINT32_MAX;
            break;
        }
        memcpy(at, f->value.s, v->len);
        at += (v->len + 7) / 8 * 8;
        break;
    default: v->u = f->value.u; break;
    }
    return at;
}

static void emit(edo__rec head, const edo_field *fields, unsigned n)
{
    edo__ring *r = my_ring();
    if (edo__unlikely(r == NULL)) {
        edo__aadd(&tracer.homeless, 1u, EDO__RLX);
        return;
    }
    uint32_t size = sizeof head;
    for (unsigned i = 0; i < n; i++)
        size += (uint32_t)sizeof(edo__rec_value) + (text_length(&fields[i]) + 7) / 8 * 8;
    edo__rec *rec = reserve(r, size);
    if (edo__unlikely(rec == NULL)) {
        edo__astore(&r->lost, r->lost + 1, EDO__RLX);
        return;
    }
    edo__worker *w = edo__thread_worker();
    head.size = size;
    head.fields = (uint8_t)n;
    head.worker = (uint16_t)(w != NULL ? w->index : EDO__TRACE_NOBODY);
    head.time = edo__clock_real();
    *rec = head;
    char *at = (char *)(rec + 1);
    for (unsigned i = 0; i < n; i++)
        at = put_field(at, &fields[i]);
    edo__astore(&r->tail, r->tail + size, EDO__REL); /* pairs with the load in ring_peek() */
}

static unsigned collect(va_list ap, edo_field *out, unsigned n)
{
    for (;;) {
        edo_field f = va_arg(ap, edo_field);
        if (f.type == EDO_FIELD_END)
            return n;
        if (n < EDO__TRACE_FIELDS)
            out[n++] = f;
    }
}

static bool wanted(edo_level level, const char *target)
{
    return edo__aload(&edo__trace_max, EDO__ACQ) >= level && /* pairs with edo_trace_start() */
           edo__trace_filter_level(target) >= level;
}

static uint64_t id_of(const edo__task *self)
{
    return self != NULL ? edo__task_id(self) : 0;
}

void edo__event(edo_level level, const char *target, const char *site, const char *message, ...)
{
    if (!wanted(level, target))
        return;
    edo_field fields[EDO__TRACE_FIELDS];
    fields[0] = edo_field_str(NULL, message);
    va_list ap;
    va_start(ap, message);
    unsigned n = collect(ap, fields, 1);
    va_end(ap);
    edo__task *self = edo__self_task();
    emit((edo__rec){ .kind = EDO__REC_EVENT,
                     .level = (uint8_t)level,
                     .task = id_of(self),
                     .span = *my_span(self),
                     .target = target,
                     .site = site },
         fields, n);
}

void edo__span_open(edo_span *s, edo_level level, const char *target, const char *site,
                    const char *name, ...)
{
    edo__ring *r = wanted(level, target) ? my_ring() : NULL;
    if (r == NULL)
        return;
    edo_field fields[EDO__TRACE_FIELDS];
    va_list ap;
    va_start(ap, name);
    unsigned n = collect(ap, fields, 0);
    va_end(ap);
    edo__task *self = edo__self_task();
    uint64_t *current = my_span(self);
    *s = (edo_span){ .edo__id = r->number << 40 | ++r->spans,
                     .edo__outer = *current,
                     .edo__name = name,
                     .edo__target = target };
    *current = s->edo__id;
    emit((edo__rec){ .kind = EDO__REC_OPEN,
                     .level = (uint8_t)level,
                     .task = id_of(self),
                     .span = s->edo__id,
                     .parent = s->edo__outer,
                     .target = target,
                     .name = name,
                     .site = site },
         fields, n);
}

void edo__span_close(edo_span *s)
{
    edo__task *self = edo__self_task();
    uint64_t *current = my_span(self);
    edo_debug_assert(*current == s->edo__id);
    *current = s->edo__outer;
    if (edo__aload(&edo__trace_max, EDO__ACQ) != 0)
        emit((edo__rec){ .kind = EDO__REC_CLOSE,
                         .task = id_of(self),
                         .span = s->edo__id,
                         .parent = s->edo__outer,
                         .target = s->edo__target,
                         .name = s->edo__name },
             NULL, 0);
    s->edo__id = 0;
}

uint64_t edo_span_current(void)
{
    return *my_span(edo__self_task());
}

void edo__trace_note(edo__rec_kind kind, uint64_t task, uint64_t parent, const char *name)
{
    emit((edo__rec){ .kind = (uint8_t)kind,
                     .level = EDO_LEVEL_TRACE,
                     .task = task,
                     .parent = parent,
                     .target = "edo",
                     .name = name },
         NULL, 0);
}

/* ---- the tracer's thread ---- */

/* The ring's oldest record before `end`, or NULL. */
static edo__rec *ring_peek(edo__ring *r, uint64_t end)
{
    while (r->head != end) {
        edo__rec *rec = (edo__rec *)(void *)(r->data + r->head % r->size);
        if (rec->kind != EDO__REC_PAD)
            return rec;
        edo__astore(&r->head, r->head + rec->size, EDO__REL);
    }
    return NULL;
}

static void ring_take(edo__ring *r, const edo__rec *rec)
{
    edo__astore(&r->head, r->head + rec->size, EDO__REL); /* pairs with the load in reserve() */
}

static void tell_lost(edo__ring *r)
{
    uint64_t lost = edo__aload(&r->lost, EDO__RLX);
    if (lost == r->lost_told)
        return;
    edo__trace_out_lost(&tracer.out, r, lost - r->lost_told, edo__clock_real());
    tracer.lost += lost - r->lost_told;
    r->lost_told = lost;
}

/* Under the lock: rings of threads that have ended, once they are empty. */
static void drop_dead(void)
{
    for (edo__ring **at = &tracer.rings; *at != NULL;) {
        edo__ring *r = *at;
        /* pairs with ring_leave() */
        if (edo__aload(&r->dead, EDO__ACQ) != 0 && r->head == edo__aload(&r->tail, EDO__ACQ) &&
            r->lost_told == edo__aload(&r->lost, EDO__RLX)) {
            *at = r->next;
            free(r);
        } else {
            at = &r->next;
        }
    }
}

#define RINGS_AT_ONCE 64

/* Writes what is there of up to so many rings, in the order of time. */
static void merge(edo__ring **rings, unsigned n)
{
    uint64_t ends[RINGS_AT_ONCE];
    for (unsigned i = 0; i < n; i++)
        ends[i] = edo__aload(&rings[i]->tail, EDO__ACQ); /* pairs with emit() */
    for (;;) {
        edo__rec *first = NULL;
        unsigned from = 0;
        for (unsigned i = 0; i < n; i++) {
            edo__rec *rec = ring_peek(rings[i], ends[i]);
            if (rec != NULL && (first == NULL || rec->time < first->time)) {
                first = rec;
                from = i;
            }
        }
        if (first == NULL)
            break;
        edo__trace_out_record(&tracer.out, rings[from], first);
        tracer.written++;
        ring_take(rings[from], first);
    }
    for (unsigned i = 0; i < n; i++)
        tell_lost(rings[i]);
}

static void drain(void)
{
    pthread_mutex_lock(&tracer.lock);
    drop_dead();
    edo__ring *next = tracer.rings;
    pthread_mutex_unlock(&tracer.lock);
    /* New ones come only before the first, and only this thread takes any away. */
    while (next != NULL) {
        edo__ring *rings[RINGS_AT_ONCE];
        unsigned n = 0;
        for (; next != NULL && n < RINGS_AT_ONCE; next = next->next)
            rings[n++] = next;
        merge(rings, n);
    }
    fflush(tracer.out.f);
}

static void *tracer_thread(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "edo-trace");
    while (edo__aload(&tracer.stop, EDO__ACQ) == 0) {
        drain();
        edo__futex_wait(&tracer.stop, 0, LOOK_EVERY);
    }
    drain();
    return NULL;
}

/* ---- start and stop ---- */

static uint64_t ring_size_of(size_t wanted_size)
{
    size_t size = RING_MIN;
    wanted_size = wanted_size == 0 ? RING_DEFAULT : wanted_size;
    while (size < wanted_size && size < RING_MAX)
        size *= 2;
    return size;
}

static int open_out(const edo_trace_options *o)
{
    edo__trace_out *out = &tracer.out;
    *out = (edo__trace_out){ .f = stderr, .format = o->format, .first = true, .pid = getpid() };
    if (o->path != NULL) {
        out->f = fopen(o->path, "we");
        if (out->f == NULL)
            return -errno;
    }
    const char *no_colour = getenv("NO_COLOR");
    out->colour = (no_colour == NULL || *no_colour == '\0') && isatty(fileno(out->f)) == 1;
    return 0;
}

static int start_thread(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&tracer.thread, NULL, tracer_thread, NULL);
    if (rc == 0)
        edo__cpus_free_thread(tracer.thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

/* Under the lock. What came after the last stop is not of this trace. */
static void forget_old(void)
{
    for (edo__ring *r = tracer.rings; r != NULL; r = r->next) {
        edo__astore(&r->head, edo__aload(&r->tail, EDO__ACQ), EDO__REL);
        r->lost_told = edo__aload(&r->lost, EDO__RLX);
        r->named = false;
        r->since = 0;
    }
    edo__astore(&tracer.homeless, 0u, EDO__RLX);
    tracer.written = tracer.lost = 0;
}

static int start_locked(const edo_trace_options *o)
{
    if (tracer.on)
        return -EBUSY;
    if (o->format > EDO_TRACE_PERFETTO)
        return -EINVAL;
    int rc = edo__trace_filter_set(o->filter ? o->filter : "info");
    if (rc == 0)
        rc = open_out(o);
    if (rc < 0)
        return rc;
    forget_old();
    edo__astore(&tracer.ring_size, ring_size_of(o->ring_size), EDO__RLX);
    edo__astore(&tracer.stop, 0u, EDO__RLX);
    edo__trace_out_begin(&tracer.out);
    rc = start_thread();
    if (rc < 0) {
        if (tracer.out.f != stderr)
            fclose(tracer.out.f);
        return rc;
    }
    tracer.on = true;
    bool own = edo__trace_filter_level("edo") >= EDO_LEVEL_TRACE;
    edo__astore(&edo__trace_max, (uint8_t)edo__trace_filter_max(), EDO__REL); /* see wanted() */
    edo__astore(&edo__trace_runtime, (uint8_t)own, EDO__REL);
    return 0;
}

int edo_trace_start(const edo_trace_options *options)
{
    static const edo_trace_options defaults;
    pthread_mutex_lock(&tracer.lock);
    int rc = start_locked(options != NULL ? options : &defaults);
    pthread_mutex_unlock(&tracer.lock);
    return rc;
}

int edo_trace_stop(edo_trace_counts *out)
{
    pthread_mutex_lock(&tracer.lock);
    bool was_on = tracer.on && edo__aload(&tracer.stop, EDO__RLX) == 0;
    edo__astore(&edo__trace_runtime, 0, EDO__RLX);
    edo__astore(&edo__trace_max, 0, EDO__RLX);
    if (was_on)
        edo__astore(&tracer.stop, 1u, EDO__REL); /* pairs with tracer_thread() */
    pthread_mutex_unlock(&tracer.lock);
    if (!was_on)
        return -EALREADY;
    edo__futex_wake(&tracer.stop, 1);
    pthread_join(tracer.thread, NULL);
    pthread_mutex_lock(&tracer.lock);
    edo__trace_out_end(&tracer.out);
    bool failed = fflush(tracer.out.f) != 0 || ferror(tracer.out.f) != 0;
    if (tracer.out.f != stderr)
        failed |= fclose(tracer.out.f) != 0;
    if (out != NULL)
        *out = (edo_trace_counts){ .written = tracer.written,
                                   .lost = tracer.lost + edo__aload(&tracer.homeless, EDO__RLX) };
    tracer.on = false;
    pthread_mutex_unlock(&tracer.lock);
    return failed ? -EIO : 0;
}

static void stop_at_exit(void)
{
    (void)edo_trace_stop(NULL);
}

static void start_from_environment(void)
{
    static const char *const formats[] = { "pretty", "json", "perfetto" };
    const char *filter = getenv("EDO_TRACE"), *format = getenv("EDO_TRACE_FORMAT");
    if (filter == NULL || *filter == '\0')
        return;
    edo_trace_options o = { .filter = filter, .path = getenv("EDO_TRACE_FILE") };
    int rc = 0;
    if (format != NULL && *format != '\0') {
        rc = -EINVAL;
        for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++) {
            if (strcmp(format, formats[i]) == 0) {
                o.format = (edo_trace_format)i;
                rc = 0;
            }
        }
    }
    if (rc == 0)
        rc = edo_trace_start(&o);
    if (rc == 0)
        atexit(stop_at_exit);
    else if (rc != -EBUSY)
        fprintf(stderr, "edo: EDO_TRACE=%s: not traced: %s\n", filter, strerror(-rc));
}

void edo__trace_from_environment(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_from_environment);
}
