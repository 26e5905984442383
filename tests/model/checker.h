/* SPDX-License-Identifier: MIT */
/* The checker's inside; included once by each model.
 *
 * Each thread of the model is a context that runs until its next visible operation and hands that to
 * the scheduler. A state offers actions: let a thread do its operation, or let a store leave a
 * thread's buffer. The search is depth-first; to go back it runs the model again from the start with
 * the same choices.
 *
 * A state is known by a hash of the shared memory, the buffers, and what each thread has read so far:
 * a thread is deterministic, so that is where it stands. A state seen before is not entered again.
 * Three kinds of operation are no choice since nobody can tell when they happened: a store that goes
 * into the buffer, a fence with an empty buffer, anything on memory that is not shared. A fence or
 * exchange with stores in the buffer waits until actions have emptied it; the attempt at a held lock
 * (the exchange of 1 in edo__spin_try()) waits until it is free: attempts that fail change nothing. */
#ifndef EDO_TESTS_MODEL_CHECKER_H
#define EDO_TESTS_MODEL_CHECKER_H

#include "model.h"

#include "arch/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model may have put its own for the sources under test. */
#undef malloc
#undef calloc
#undef aligned_alloc
#undef free

enum {
    MODEL_THREADS = 8,
    MODEL_BUFFER = 12,
    MODEL_REGIONS = 160,
    MODEL_DEPTH = 4000,
    MODEL_CHOICES = 32,
    MODEL_STACK = 128 * 1024
};

typedef struct model_store { /* waiting in a buffer */
    void *p;
    uint64_t value;
    uint8_t size;
    bool release;
} model_store;

typedef struct model_thread {
    edo__context context;
    char *stack;
    bool ended;
    bool stuck;        /* after a failure: never resumed */
    bool relaxed;      /* it waits for others, see model_relax() */
    unsigned patience; /* so many times more it goes on waiting */
    void *last_p;      /* loaded by its last operation, and what was there */
    uint64_t last_value;
    model_kind kind; /* its next operation ... */
    void *p;
    size_t size;
    uint64_t value, expected;
    int order;
    const char *where;
    uint64_t result; /* ... and what it gave */
    uint64_t history;
    unsigned waiting;
    bool linger; /* others may go before what follows its operation */
    model_store buffer[MODEL_BUFFER];
} model_thread;

typedef struct model_region {
    char *p;
    size_t size;
    bool atomic;
    bool lingering;
    bool dead;
    bool note;  /* the model's own notes: nothing that a thread learns from */
    int writer; /* the only one, -1 when there may be several */
    const char *name;
} model_region;

typedef struct model_action {
    uint8_t thread;
    uint8_t store; /* 0: the operation; else which store leaves, from 1 */
} model_action;

typedef struct model_node { /* a state on the present path */
    uint8_t next, count;
    uint8_t preemptions; /* before it */
    uint64_t key;
    model_action actions[MODEL_CHOICES];
} model_node;

static struct {
    const model_config *config;
    model_result *result;
    model_thread threads[MODEL_THREADS];
    int self; /* the thread that runs, -1 for none */
    int last; /* who did the last operation */
    unsigned preemptions;
    model_region regions[MODEL_REGIONS];
    unsigned n_regions;
    model_node path[MODEL_DEPTH];
    unsigned depth, path_len;
    bool tracing;
    size_t trace_len;
    uint64_t *seen; /* hashes, the preemptions spent in the low byte */
    size_t seen_size, seen_count;
} model;

uint64_t model_mix(uint64_t h, uint64_t x)
{
    /* an addition so that zeros count, then a finalizer in the manner of MurmurHash3 */
    h = ((h << 7 | h >> 57) + x + 0x632BE59BD9B4E019u) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 29;
}

static uint64_t model_mix_bytes(uint64_t h, const char *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        h = model_mix(h, x);
    }
    uint64_t x = 0;
    memcpy(&x, p, size);
    return model_mix(h, x);
}

/* ---- memory ---- */

void model_shared(void *p, size_t size, bool atomic, const char *name)
{
    if (model.n_regions == MODEL_REGIONS)
        abort();
    model.regions[model.n_regions++] =
        (model_region){ .p = p, .size = size, .atomic = atomic, .writer = -1, .name = name };
}

void model_lingering(void)
{
    model.regions[model.n_regions - 1].lingering = true;
}

void model_written_by(unsigned thread)
{
    model.regions[model.n_regions - 1].writer = (int)thread;
}

static const model_region *model_region_of(const volatile void *p)
{
    for (unsigned i = 0; i < model.n_regions; i++) {
        const model_region *r = &model.regions[i];
        if ((uintptr_t)p - (uintptr_t)r->p < r->size)
            return r;
    }
    return NULL;
}

void model_note(void *p, size_t size)
{
    model_shared(p, size, false, "note");
    model.regions[model.n_regions - 1].note = true;
}

enum { MODEL_POISON = 0xDD };

/* Plain accesses are not seen, but what they write is. */
static void model_check_dead(void)
{
    for (unsigned i = 0; i < model.n_regions; i++) {
        const model_region *r = &model.regions[i];
        for (size_t k = 0; r->dead && k < r->size; k++) {
            if ((unsigned char)r->p[k] != MODEL_POISON) {
                model_fail("%s was written to after it was given back", r->name);
                return;
            }
        }
    }
}

static uint64_t model_read(const volatile void *p, size_t size)
{
    uint64_t x = 0;
    memcpy(&x, (const void *)p, size); /* little endian, as both machines are */
    return x;
}

static uint64_t model_cut(uint64_t x, size_t size)
{
    return size >= 8 ? x : x & ((UINT64_C(1) << 8 * size) - 1);
}

/* What the thread itself sees: its youngest waiting store, or memory. */
static uint64_t model_read_as(const model_thread *t, const volatile void *p, size_t size)
{
    for (unsigned i = t->waiting; i > 0; i--) {
        if (t->buffer[i - 1].p == p)
            return t->buffer[i - 1].value;
    }
    return model_read(p, size);
}

static void model_store_leaves(model_thread *t, unsigned i)
{
    model_store s = t->buffer[i];
    memcpy(s.p, &s.value, s.size);
    t->waiting--;
    memmove(&t->buffer[i], &t->buffer[i + 1], (t->waiting - i) * sizeof s);
}

void model_dead(void *p, size_t size)
{
    if (model.self >= 0) { /* what waits of the thread's own stores: it overwrites that here */
        model_thread *t = &model.threads[model.self];
        for (unsigned i = t->waiting; i > 0; i--) {
            if ((uintptr_t)t->buffer[i - 1].p - (uintptr_t)p < size)
                model_store_leaves(t, i - 1);
        }
    }
    memset(p, MODEL_POISON, size);
    for (unsigned i = 0; i < model.n_regions; i++) {
        model_region *r = &model.regions[i];
        if ((uintptr_t)r->p - (uintptr_t)p < size)
            r->dead = true;
    }
}

static bool model_may_leave(const model_thread *t, unsigned i)
{
    if (i == 0)
        return true;
    if (model.config->memory != MODEL_WEAK || t->buffer[i].release)
        return false;
    for (unsigned k = 0; k < i; k++) {
        if (t->buffer[k].p == t->buffer[i].p)
            return false;
    }
    return true;
}

bool model_in_flight(const void *p)
{
    for (unsigned i = 0; i < model.config->threads; i++) {
        const model_thread *t = &model.threads[i];
        for (unsigned k = 0; k < t->waiting; k++) {
            if (t->buffer[k].p == p)
                return true;
        }
    }
    return false;
}

static uint64_t model_apply(model_kind kind, uint64_t was, uint64_t v, uint64_t expected)
{
    switch (kind) {
    case MODEL_ADD: return was + v;
    case MODEL_SUB: return was - v;
    case MODEL_OR: return was | v;
    case MODEL_AND: return was & v;
    case MODEL_CAS: return was == expected ? v : was;
    case MODEL_TAKE: return 0;
    case MODEL_STORE:
    case MODEL_XCHG: return v;
    default: return was; /* loads, fences, and what only waits */
    }
}

#include "checker_report.h"

/* ---- the threads' side ---- */

static bool model_mutated(model_kind kind, model_change change, const char *where)
{
    const model_mutant *m = &model.config->mutant;
    return m->change == change && m->kind == kind && strcmp(m->where, where) == 0;
}

static void model_pause(model_thread *t)
{
    model.self = -1;
    edo__context_suspend(&t->context);
}

static uint64_t model_store_op(model_thread *t, void *p, size_t size, uint64_t value, bool release)
{
    if (t->waiting == MODEL_BUFFER)
        abort(); /* no model here stores so much without an exchange in between */
    t->buffer[t->waiting++] = (model_store){ p, value, (uint8_t)size, release };
    return 0;
}

static uint64_t model_do(model_kind kind, const volatile void *p, size_t size, uint64_t value,
                         uint64_t expected, int order, const char *where)
{
    value = model_cut(value, size);
    if (kind != MODEL_FENCE) {
        const model_region *r = model_region_of(p);
        if (model.self < 0 || r == NULL || !r->atomic) {
            uint64_t was = model_read(p, size);
            uint64_t is = model_apply(kind, was, value, expected);
            if (is != was)
                memcpy((void *)(uintptr_t)p, &is, size);
            return was;
        }
        if (kind == MODEL_LOAD && r->writer == model.self)
            return model_read_as(&model.threads[model.self], p, size);
        if (kind != MODEL_LOAD && r->writer >= 0 && r->writer != model.self)
            model_fail("%s is written by another thread", r->name);
    }
    model_thread *t = &model.threads[model.self];
    t->kind = kind;
    t->p = (void *)(uintptr_t)p;
    t->size = size;
    t->value = value;
    t->expected = expected;
    t->order = order;
    t->where = where;
    if (kind == MODEL_STORE && model.config->memory != MODEL_SC && order != __ATOMIC_SEQ_CST) {
        model_trace_op(t, "stores (buffer)", model_read_as(t, p, size), value);
        (void)model_store_op(t, t->p, size, value, order == __ATOMIC_RELEASE);
        if (model_region_of(p)->lingering)
            model_point();
        return 0;
    }
    if (kind == MODEL_FENCE && t->waiting == 0) {
        model_trace_op(t, "fence", 0, 0);
        t->history = model_mix(t->history, MODEL_FENCE);
        return 0;
    }
    model_pause(t);
    uint64_t result = t->result;
    if (t->linger)
        model_point();
    return result;
}

void model_point(void)
{
    model_thread *t = &model.threads[model.self];
    t->kind = MODEL_POINT;
    t->p = NULL;
    t->size = 0;
    t->where = "";
    model_pause(t);
}

void model_relax(void)
{
    if (model.self >= 0)
        model.threads[model.self].relaxed = true;
}

unsigned model_current(void)
{
    return (unsigned)model.self;
}

uint64_t model_op(model_kind kind, const volatile void *p, size_t size, uint64_t value, int order,
                  const char *where)
{
    if (model_mutated(kind, MODEL_LEFT_OUT, where))
        return kind == MODEL_FENCE ? 0 : model_read(p, size);
    if (model_mutated(kind, MODEL_TORN, where)) {
        uint64_t was = model_do(MODEL_LOAD, p, size, 0, 0, __ATOMIC_RELAXED, where);
        uint64_t is = model_apply(kind, was, value, 0);
        (void)model_do(MODEL_STORE, p, size, is, 0, __ATOMIC_RELAXED, where);
        return was;
    }
    if (model_mutated(kind, MODEL_RELAXED, where))
        order = __ATOMIC_RELAXED;
    return model_do(kind, p, size, value, 0, order, where);
}

bool model_cas(const volatile void *p, size_t size, void *expected, uint64_t value, int order,
               const char *where)
{
    uint64_t want = model_read(expected, size);
    uint64_t was;
    if (model_mutated(MODEL_CAS, MODEL_LEFT_OUT, where))
        return true;
    if (model_mutated(MODEL_CAS, MODEL_TORN, where)) {
        was = model_do(MODEL_LOAD, p, size, 0, 0, __ATOMIC_RELAXED, where);
        if (was == want)
            (void)model_do(MODEL_STORE, p, size, value, 0, __ATOMIC_RELAXED, where);
    } else {
        was = model_do(MODEL_CAS, p, size, value, want, order, where);
    }
    memcpy(expected, &was, size);
    return was == want;
}

void model_take(uint32_t *flag)
{
    (void)model_do(MODEL_TAKE, flag, sizeof *flag, 0, 0, __ATOMIC_SEQ_CST, "model_take");
}

void model_reach(uint32_t *word, uint32_t least)
{
    (void)model_do(MODEL_REACH, word, sizeof *word, least, 0, __ATOMIC_ACQUIRE, "model_reach");
}

void model_forget(uint64_t local)
{
    model.threads[model.self].history = model_mix(local, 1);
}

void model_learn(uint64_t what)
{
    model_thread *t = &model.threads[model.self];
    t->history = model_mix(t->history, what);
}

static uint64_t model_plain_hash(uint64_t h);

void model_learn_all(void)
{
    model_thread *t = &model.threads[model.self];
    t->history = model_plain_hash(t->history);
}

/* The waiting side of the library's spin locks: an attempt is held back until it can succeed. */
void edo__spin_wait(uint32_t *lock);
void edo__spin_wait(uint32_t *lock)
{
    while (model_do(MODEL_XCHG, lock, sizeof *lock, 1, 0, __ATOMIC_ACQUIRE, "edo__spin_wait") !=
           0) {
    }
}

static void model_thread_entry(void *arg)
{
    model_thread *t = arg;
    model.config->thread((unsigned)(t - model.threads));
    t->ended = true;
    t->history = 0; /* it knows nothing any more */
    for (;;)
        model_pause(t);
}

/* ---- the scheduler's side ---- */

static void model_resume(model_thread *t)
{
    if (t->stuck)
        return;
    model.self = (int)(t - model.threads);
    if (model.config->enter != NULL)
        model.config->enter((unsigned)model.self);
    edo__context_resume(&t->context);
    model.self = -1;
}

/* Whether its buffer has to be empty before the operation. */
static bool model_drains(const model_thread *t)
{
    if (t->kind == MODEL_LOAD || t->kind == MODEL_POINT)
        return false;
    if (model.config->memory != MODEL_WEAK || t->kind == MODEL_FENCE || t->kind == MODEL_STORE)
        return true;
    if (t->order == __ATOMIC_RELEASE || t->order == __ATOMIC_ACQ_REL ||
        t->order == __ATOMIC_SEQ_CST)
        return true;
    for (unsigned i = 0; i < t->waiting; i++) {
        if (t->buffer[i].p == t->p)
            return true;
    }
    return false;
}

/* Whether it could do its operation, were it not for waiting for others. */
static bool model_possible(const model_thread *t)
{
    if (t->ended || t->stuck || t->kind == MODEL_FENCE || (t->waiting > 0 && model_drains(t)))
        return false; /* what a fence does is done by model_settle() */
    bool lock = t->kind == MODEL_XCHG && t->order == __ATOMIC_ACQUIRE && t->value == 1;
    if (lock)
        return model_read(t->p, t->size) == 0;
    if (t->kind == MODEL_TAKE)
        return model_read(t->p, t->size) != 0;
    if (t->kind == MODEL_REACH)
        return model_read(t->p, t->size) >= t->value;
    return true;
}

static bool model_enabled(const model_thread *t)
{
    if (!model_possible(t))
        return false;
    if (!t->relaxed)
        return true;
    if (t->kind == MODEL_LOAD && t->p == t->last_p)
        return model_read_as(t, t->p, t->size) != t->last_value;
    if (model.last != t - model.threads)
        return true;
    for (unsigned i = 0; i < model.config->threads; i++) {
        const model_thread *other = &model.threads[i];
        if (other != t && (other->waiting > 0 || (model_possible(other) && !other->relaxed)))
            return false;
    }
    return true;
}

/* It waits for others that could go on: it may do another round of its waiting all the same. */
static bool model_may_go_round(const model_thread *t)
{
    return t->patience > 0 && t->relaxed && model_possible(t) &&
           !(t->kind == MODEL_LOAD && t->p == t->last_p);
}

static unsigned model_add_of(unsigned i, model_action *out, unsigned n)
{
    const model_thread *t = &model.threads[i];
    bool over = model.last >= 0 && (unsigned)model.last != i &&
                model.preemptions >= model.config->preemptions &&
                model_enabled(&model.threads[model.last]);
    if (!over && n < MODEL_CHOICES && (model_enabled(t) || model_may_go_round(t)))
        out[n++] = (model_action){ (uint8_t)i, 0 };
    for (unsigned k = 0; k < t->waiting && n < MODEL_CHOICES; k++) {
        if (model_may_leave(t, k))
            out[n++] = (model_action){ (uint8_t)i, (uint8_t)(k + 1) };
    }
    return n;
}

static unsigned model_actions(model_action *out)
{
    unsigned first = model.last >= 0 ? (unsigned)model.last : 0;
    unsigned n = 0;
    for (unsigned k = 0; k < model.config->threads; k++)
        n = model_add_of((first + k) % model.config->threads, out, n);
    if (n == MODEL_CHOICES)
        abort(); /* no model here has so many */
    return n;
}

/* What a lock protects is read without the checker noticing: so it counts as read when it is taken. */
static uint64_t model_plain_hash(uint64_t h)
{
    for (unsigned i = 0; i < model.n_regions; i++) {
        if (!model.regions[i].atomic && !model.regions[i].note)
            h = model_mix_bytes(h, model.regions[i].p, model.regions[i].size);
    }
    return model.config->look != NULL ? model_mix(h, model.config->look()) : h;
}

/* Its memory is about to be used. */
static const model_region *model_touch(const void *p)
{
    const model_region *r = model_region_of(p);
    if (r->dead)
        model_fail("%s is used after it was given back", r->name);
    return r;
}

static void model_step(model_action a)
{
    model_thread *t = &model.threads[a.thread];
    model.result->steps++;
    if (a.store != 0) {
        if (model.tracing) {
            char name[64];
            const model_store *s = &t->buffer[a.store - 1];
            model_name(name, sizeof name, s->p);
            model_say("  %4u  %-10s %-22s %-10s %s: %llx -> %llx\n", model.depth,
                      model.config->names[a.thread], "(store buffer)", "written", name,
                      (unsigned long long)model_read(s->p, s->size), (unsigned long long)s->value);
        }
        model_touch(t->buffer[a.store - 1].p);
        model_store_leaves(t, a.store - 1u);
        return;
    }
    if (!model_enabled(t))
        t->patience--;
    model.last = a.thread;
    t->relaxed = false;
    if (t->kind == MODEL_POINT) {
        model_trace_op(t, model_verbs[t->kind], 0, 0);
        t->history = model_mix(t->history, MODEL_POINT);
        model_resume(t);
        return;
    }
    t->linger = model_touch(t->p)->lingering && t->kind != MODEL_LOAD;
    uint64_t was = model_read_as(t, t->p, t->size);
    uint64_t is = model_cut(model_apply(t->kind, was, t->value, t->expected), t->size);
    model_trace_op(t, model_verbs[t->kind], was, is);
    if (t->kind != MODEL_LOAD)
        memcpy(t->p, &is, t->size);
    if (t->kind == MODEL_CAS && was != t->expected)
        t->linger = false;
    t->last_p = t->kind == MODEL_LOAD || t->kind == MODEL_CAS ? t->p : NULL;
    t->last_value = is;
    t->result = t->kind == MODEL_STORE ? 0 : was;
    t->history = model_mix(model_mix(t->history, t->result), (uint64_t)t->kind);
    if (t->kind == MODEL_XCHG && t->order == __ATOMIC_ACQUIRE)
        t->history = model_plain_hash(t->history);
    model_resume(t);
}

static uint64_t model_hash(void)
{
    uint64_t h = model.config->preemptions == MODEL_UNBOUNDED ? 0 : (uint64_t)model.last + 2;
    for (unsigned i = 0; i < model.n_regions; i++)
        h = model_mix_bytes(h, model.regions[i].p, model.regions[i].size);
    if (model.config->look != NULL)
        h = model_mix(h, model.config->look());
    for (unsigned i = 0; i < model.config->threads; i++) {
        const model_thread *t = &model.threads[i];
        h = model_mix(h, t->history);
        bool held_back = t->relaxed && model.last == (int)i;
        uint64_t flags = (uint64_t)held_back << 9 | (uint64_t)t->ended << 8 | t->waiting;
        h = model_mix(h, (uint64_t)t->patience << 10 | flags);
        for (unsigned k = 0; k < t->waiting; k++)
            h = model_mix(model_mix(h, (uintptr_t)t->buffer[k].p), t->buffer[k].value);
    }
    return h | 0x100; /* never 0 above the low byte */
}

#include "checker_seen.h"

/* ---- one schedule, and all of them ---- */

static void model_begin(void)
{
    model.n_regions = 0;
    model.self = model.last = -1;
    model.preemptions = model.depth = 0;
    model.config->start();
    for (unsigned i = 0; i < model.config->threads; i++) {
        model_thread *t = &model.threads[i];
        t->ended = t->stuck = t->relaxed = t->linger = false;
        t->last_p = NULL;
        t->patience = model.config->patience;
        t->waiting = 0;
        t->history = i;
        edo__context_init(&t->context, t->stack, MODEL_STACK, model_thread_entry, t);
    }
    for (unsigned i = 0; i < model.config->threads; i++)
        model_resume(&model.threads[i]);
}

static void model_over(void)
{
    if (!edo__context_fini_needed())
        return;
    for (unsigned i = 0; i < model.config->threads; i++)
        edo__context_fini(&model.threads[i].context);
}

/* Fences whose buffer is empty by now. */
static void model_settle(void)
{
    for (unsigned i = 0; i < model.config->threads; i++) {
        model_thread *t = &model.threads[i];
        while (!t->ended && !t->stuck && t->kind == MODEL_FENCE && t->waiting == 0) {
            model_trace_op(t, "fence", 0, 0);
            t->history = model_mix(t->history, MODEL_FENCE);
            t->kind = MODEL_LOAD; /* until it says what is next */
            model_resume(t);
        }
    }
}

/* Nothing here may go round: each round of a worker takes a task or ends asleep. */
static void model_round(void)
{
    for (unsigned i = 0; i < model.depth; i++) {
        if (model.path[i].key == model.path[model.depth].key)
            model_fail("round and round for ever, from step %u on", i);
    }
}

/* A state not on the path so far: whether there is anything new to try from it. */
static bool model_extend(void)
{
    if (model.config->invariant != NULL)
        model.config->invariant();
    model_check_dead();
    if (model.result->failed)
        return false;
    if (model.depth == MODEL_DEPTH) {
        model_fail("a schedule of more than %d steps", MODEL_DEPTH);
        return false;
    }
    model_node *node = &model.path[model.depth];
    node->next = 0;
    node->preemptions = (uint8_t)model.preemptions;
    node->count = (uint8_t)model_actions(node->actions);
    if (node->count == 0) {
        model.config->end();
        return false;
    }
    node->key = model_hash() & ~(uint64_t)0xff;
    if (model_known(node->key)) {
        model_round();
        return false;
    }
    if (model.tracing)
        return false;
    model.path_len++;
    return true;
}

static void model_run(void)
{
    model_begin();
    while (!model.result->failed) {
        model_settle();
        if (model.depth == model.path_len && !model_extend())
            break;
        const model_node *node = &model.path[model.depth];
        model_action a = node->actions[node->next];
        model.preemptions = node->preemptions;
        if (a.store == 0 && model.last >= 0 && a.thread != model.last &&
            model_enabled(&model.threads[model.last]))
            model.preemptions++;
        model_step(a);
        model.depth++;
    }
    if (model.depth > model.result->depth)
        model.result->depth = model.depth;
    model_over();
}

/* The same schedule again, written down. */
static void model_show(void)
{
    char first[sizeof model.result->message];
    memcpy(first, model.result->message, sizeof first);
    model.tracing = true;
    model.trace_len = 0;
    model.result->failed = false;
    model_run();
    if (!model.result->failed)
        model_fail("%s, but not the second time: the model is not deterministic", first);
    model_say("  => %s\n", model.result->message);
    model.tracing = false;
}

static bool model_next(void)
{
    while (model.path_len > 0) {
        model_node *node = &model.path[model.path_len - 1];
        if (++node->next < node->count)
            return true;
        model.path_len--;
    }
    return false;
}

void model_check(const model_config *config, model_result *result)
{
    memset(result, 0, sizeof *result);
    model.config = config;
    model.result = result;
    model.path_len = 0;
    model.seen_size = model.seen_count = 0;
    model.seen = NULL;
    for (unsigned i = 0; i < config->threads; i++) {
        if ((model.threads[i].stack = aligned_alloc(64, MODEL_STACK)) == NULL)
            abort();
    }
    bool more = true;
    while (more && !result->failed && (config->max_runs == 0 || result->runs < config->max_runs)) {
        model_run();
        result->runs++;
        if (!result->failed)
            more = model_next();
    }
    result->states = model.seen_count;
    result->complete = !more;
    if (result->failed)
        model_show();
    for (unsigned i = 0; i < config->threads; i++)
        free(model.threads[i].stack);
    free(model.seen);
}

#endif
