/* SPDX-License-Identifier: MIT */
/* Channels under the checker, for chan.c and select.c: threads that follow little programs.
 *
 *     r0 s0 R0 S0   receive from channel 0, send to it; without waiting
 *     m0 n0 M0 N0   the same with up to two values in one call
 *     p0 q0 Q0      reserve a slot and send with it, give it back; give it back if it is had at once
 *     P0 O0         reserve two; send with both, with one and give the other back
 *     [r0s1]        select, in this order and the turned one
 *     c0 u0         close it; give up a reference, of which each thread that does so has one
 *     x             cancel the scope of thread 0
 *
 * What is sent is the thread's number times 16, plus how many it has sent. At the end: what was sent
 * was received once, or is inside; who waits, waits for a reason; who was cancelled waits no more. */
#ifndef EDO_TESTS_MODEL_CHANNELS_H
#define EDO_TESTS_MODEL_CHANNELS_H

#define MODEL_ALLOC 1
#include "tasks.h"

/* Names that two sources use. */
#define take take_from_chan
#include "sync/chan.c"
#undef take
#include "sync/chan_store.c"
#define disarm disarm_chan
#include "sync/chan_select.c"
#undef disarm
#include "sync/chan_permit.c"
#include "sync/chan_many.c"
#include "sync/event.c"
#include "sync/notify.c"
#include "cases.h"

#include "checker.h"
#include "test.h"
#include "verdict.h"

enum { CHANS = 2, THREADS = 4, LOG = 8, ROOM = 512, BLOCKS = 3 };

typedef struct setup {
    size_t capacity; /* of each channel; EDO_UNBOUNDED */
    const char *programs[THREADS];
    bool foreign; /* thread 0 is one: no select, whose random order has a memory then */
    bool turned;  /* the cases of a select the other way round */
} setup;

typedef struct note { /* what became of one thread */
    uint32_t sent[LOG], got[LOG];
    uint32_t n_sent, n_got, piped; /* piped: received nothing since it is closed */
    uint32_t tried;                /* values, for the next one */
    uint32_t arrival[2];           /* when it was queued as receiver, as sender; of the last time */
    const char *at;                /* what it does; NULL: it is through */
} note;

static setup cfg;
static edo_chan *chans[CHANS];
static union {
    char bytes[ROOM];
    edo__block block;
    max_align_t align;
} memory[CHANS], blocks[BLOCKS];
static struct {
    uint8_t chans, blocks;    /* how many are in use */
    uint8_t freed[CHANS];     /* times */
    uint32_t inside[CHANS];   /* values that were dropped with it */
    uint32_t arrivals, calls; /* so far; cancels that were made */
} global;
static note notes[THREADS];

static void *model_alloc(size_t size)
{
    if (size == sizeof(edo__block) + EDO__BLOCK_BYTES) /* values of a block that is never full */
        return global.blocks < BLOCKS ? blocks[global.blocks++].bytes : NULL;
    MODEL_CHECK(size <= ROOM && global.chans < CHANS);
    return memory[global.chans++].bytes;
}

static void model_free(void *p)
{
    for (unsigned i = 0; i < CHANS; i++) {
        if (p != memory[i].bytes)
            continue;
        MODEL_CHECK(++global.freed[i] == 1);
        global.inside[i] = (uint32_t)chans[i]->store.count;
        MODEL_CHECK(chans[i]->lock == 0 && !model_in_flight(&chans[i]->lock));
        model_dead(p, ROOM);
    }
}

static void share_chan(edo_chan *c)
{
    model_shared(&c->lock, sizeof c->lock, true, "channel's lock");
    model_lingering();
    model_shared(&c->closed, sizeof c->closed, false, "closed");
    model_shared(&c->receivers, 2 * sizeof c->receivers.head, false, "receivers");
    model_shared(&c->senders, 2 * sizeof c->senders.head, false, "senders");
    model_shared(&c->store, offsetof(edo_chan, refs) - offsetof(edo_chan, store), false, "store");
    model_shared(&c->refs, sizeof c->refs, true, "refs");
    model_lingering();
    model_shared(c->ring, 16, false, "ring");
}

static unsigned threads(void)
{
    unsigned n = 0;
    while (n < THREADS && cfg.programs[n] != NULL)
        n++;
    return n;
}

static void start(void)
{
    start_tasks(threads(), 0);
    tasks[0].flags = cfg.foreign ? EDO__TF_FOREIGN : 0;
    memset(notes, 0, sizeof notes);
    memset(&global, 0, sizeof global);
    memset(memory, 0, sizeof memory);
    memset(blocks, 0, sizeof blocks);
    for (unsigned i = 0; i < CHANS; i++) {
        if (edo_chan_create(&chans[i], sizeof(uint32_t), cfg.capacity) < 0)
            abort();
        chans[i]->refs = 0;
        for (unsigned k = 0; k < threads(); k++)
            chans[i]->refs += strchr(cfg.programs[k], 'u') != NULL;
        share_chan(chans[i]);
    }
    model_shared(blocks, sizeof blocks, false, "blocks");
    model_note(notes, sizeof notes);
    model_note(&global, sizeof global);
}

/* ---- the programs ---- */

static edo_chan *chan_of(const char *op)
{
    return chans[op[1] - '0'];
}

static void note_result(note *n, bool send, int rc, uint32_t value)
{
    MODEL_CHECK(rc == 0 || rc == -EPIPE || rc == -ECANCELED || rc == -EAGAIN);
    if (rc == 0 && send)
        n->sent[n->n_sent++] = value;
    else if (rc == 0)
        n->got[n->n_got++] = value;
    MODEL_CHECK(send || (value != 0) == (rc == 0));
    n->piped += rc == -EPIPE && !send;
    model_learn((uint64_t)rc);
    model_learn(value);
}

static void do_select(note *n, unsigned self)
{
    edo_case cases[3];
    uint32_t values[3] = { 0 };
    bool sends[3];
    unsigned count = (unsigned)(strchr(n->at, ']') - n->at) / 2;
    for (unsigned i = 0; i < count; i++) {
        const char *op = n->at + 1 + 2 * (cfg.turned ? count - 1 - i : i);
        sends[i] = *op == 's';
        values[i] = sends[i] ? self * 16 + 16 + n->tried++ : 0;
        if (sends[i])
            cases[i] = (edo_case)EDO_SEND(chan_of(op), &values[i]);
        else
            cases[i] = (edo_case)EDO_RECV(chan_of(op), &values[i]);
    }
    int which = edo_select(cases, count);
    MODEL_CHECK(which < (int)count);
    if (which < 0)
        MODEL_CHECK(which == -ECANCELED);
    else
        note_result(n, sends[which], cases[which].result, values[which]);
    for (unsigned i = 0; i < count; i++)
        MODEL_CHECK(sends[i] || (int)i == which || values[i] == 0);
    model_learn((uint64_t)which);
    n->at += 2 * count + 2;
}

/* value: NULL to give the slot back. */
static int reserve_slot(edo_chan *c, bool wait, const uint32_t *value)
{
    edo_permit p;
    int rc = wait ? edo_chan_reserve(c, &p) : edo_chan_reserve_nowait(c, &p);
    if (rc == 0 && value != NULL)
        edo_permit_send(&p, value);
    else if (rc == 0)
        edo_permit_release(&p);
    return rc;
}

/* Up to two values by one call. */
static void do_many(note *n, unsigned self)
{
    edo_chan *c = chan_of(n->at);
    uint32_t values[2] = { 0 };
    bool send = *n->at == 'n' || *n->at == 'N';
    int rc;
    for (unsigned i = 0; send && i < 2; i++)
        values[i] = self * 16 + 16 + n->tried++;
    switch (*n->at) {
    case 'm': rc = edo_chan_recv_many(c, values, 2); break;
    case 'M': rc = edo_chan_recv_many_nowait(c, values, 2); break;
    case 'n': rc = edo_chan_send_many(c, values, 2); break;
    default: rc = edo_chan_send_many_nowait(c, values, 2);
    }
    MODEL_CHECK(rc != 0 && rc <= 2);
    if (rc < 0)
        note_result(n, send, rc, values[0]);
    for (int i = 0; i < rc; i++)
        note_result(n, send, 0, values[i]);
    for (int i = rc < 0 ? 0 : rc; i < 2; i++)
        MODEL_CHECK(send || values[i] == 0);
}

/* Two slots at once, of which `sends` are used. */
static void do_two(note *n, unsigned self, unsigned sends)
{
    edo_permit p;
    int rc = edo_chan_reserve_many(chan_of(n->at), 2, &p);
    if (rc < 0)
        note_result(n, true, rc, 0);
    for (unsigned i = 0; rc == 0 && i < sends; i++) {
        uint32_t value = self * 16 + 16 + n->tried++;
        edo_permit_send(&p, &value);
        note_result(n, true, 0, value);
    }
    edo_permit_release(&p);
}

static int simple(char op, edo_chan *c, uint32_t *value)
{
    switch (op) {
    case 'p': return reserve_slot(c, true, value);
    case 's': return edo_chan_send(c, value);
    case 'S': return edo_chan_send_nowait(c, value);
    case 'r': return edo_chan_recv(c, value);
    default: return edo_chan_recv_nowait(c, value);
    }
}

static void do_one(note *n, unsigned self)
{
    uint32_t value = 0;
    int rc;
    bool send = strchr("sSp", *n->at) != NULL;
    switch (*n->at) {
    case '[': do_select(n, self); return;
    case 'x':
        edo_scope_cancel(&scopes[0]);
        global.calls++;
        n->at += 1;
        return;
    case 'm':
    case 'M':
    case 'n':
    case 'N': do_many(n, self); break;
    case 'P': do_two(n, self, 2); break;
    case 'O': do_two(n, self, 1); break;
    case 'c': edo_chan_close(chan_of(n->at)); break;
    case 'u': edo_chan_unref(chan_of(n->at)); break;
    case 'q':
    case 'Q':
        rc = reserve_slot(chan_of(n->at), *n->at == 'q', NULL);
        MODEL_CHECK(rc == 0 || rc == -EPIPE || rc == -ECANCELED || rc == -EAGAIN);
        model_learn((uint64_t)rc);
        break;
    default:
        value = send ? self * 16 + 16 + n->tried++ : 0;
        rc = simple(*n->at, chan_of(n->at), &value);
        note_result(n, send, rc, value);
    }
    n->at += 2;
}

static void thread(unsigned index)
{
    note *n = &notes[index];
    n->at = cfg.programs[index];
    while (*n->at != '\0')
        do_one(n, index);
    n->at = NULL;
}

/* ---- what must hold ---- */

static uint64_t look(void)
{
    uint64_t h = 0;
    for (unsigned i = 0; i < CHANS; i++) {
        if (global.freed[i] != 0)
            continue;
        h = look_at_queue(h, &chans[i]->receivers);
        h = look_at_queue(h, &chans[i]->senders);
    }
    return h;
}

/* Who has come first to which queue of channel 0: each thread that is compared waits there once. */
static void note_arrival(const edo__waitq *q, const edo__waiter *w)
{
    note *n = &notes[w->task - tasks];
    if (q == &chans[0]->receivers)
        n->arrival[0] = ++global.arrivals;
    else if (q == &chans[0]->senders)
        n->arrival[1] = ++global.arrivals;
}

/* Whether another thread than `self` waits in q. */
static bool others_wait(const edo__waitq *q, unsigned self)
{
    for (const edo__waiter *w = q->head; w != NULL; w = w->next) {
        if (w->task != &tasks[self])
            return true;
    }
    return false;
}

static bool could_go_on(const char *op, unsigned self)
{
    const edo_chan *c = chan_of(op);
    if (c->closed)
        return true;
    if (*op == 'r' || *op == 'm')
        return c->store.count > 0 || others_wait(&c->senders, self);
    if (*op == 'P' || *op == 'O')
        return c->store.count + c->reserved + 2 <= c->store.cap;
    if (*op == 'p' || *op == 'q')
        return c->store.count + c->reserved < c->store.cap;
    return edo__store_unbounded(&c->store) || edo__store_has_room(&c->store) ||
           others_wait(&c->receivers, self);
}

static void check_waiting(unsigned self)
{
    const note *n = &notes[self];
    if (n->at == NULL)
        return;
    if (self == 0 && global.calls > 0)
        model_fail("thread 0 is cancelled and waits on");
    if (*n->at != '[') {
        if (could_go_on(n->at, self))
            model_fail("thread %u waits for %s, which can happen", self, n->at);
        return;
    }
    for (const char *op = n->at + 1; *op != ']'; op += 2) {
        if (could_go_on(op, self))
            model_fail("thread %u waits for %s, which can happen", self, op);
    }
}

static void check_queue(const edo__waitq *q)
{
    for (const edo__waiter *w = q->head; w != NULL; w = w->next) {
        if (notes[w->task - tasks].at == NULL)
            model_fail("thread %d is through and still queued", (int)(w->task - tasks));
    }
}

/* Times a value was received. */
static unsigned received(uint32_t value)
{
    unsigned times = 0;
    for (unsigned i = 0; i < threads(); i++) {
        for (unsigned k = 0; k < notes[i].n_got; k++)
            times += notes[i].got[k] == value;
    }
    return times;
}

static void check_values(void)
{
    unsigned sent = 0, got = 0, inside = 0, piped = 0;
    for (unsigned i = 0; i < threads(); i++) {
        for (unsigned k = 0; k < notes[i].n_sent; k++)
            MODEL_CHECK(received(notes[i].sent[k]) <= 1);
        for (unsigned k = 0; k < notes[i].n_got; k++)
            MODEL_CHECK(received(notes[i].got[k]) == 1);
        for (unsigned k = 1; k < notes[i].n_got; k++) /* of one sender: in order */
            MODEL_CHECK(notes[i].got[k] / 16 != notes[i].got[k - 1] / 16 ||
                        notes[i].got[k] > notes[i].got[k - 1]);
        sent += notes[i].n_sent;
        got += notes[i].n_got;
        piped += notes[i].piped;
    }
    for (unsigned i = 0; i < CHANS; i++)
        inside += global.freed[i] != 0 ? global.inside[i] : (uint32_t)chans[i]->store.count;
    MODEL_CHECK(sent == got + inside);
    MODEL_CHECK(piped == 0 || inside == 0);
}

/* Thread 0 and 1 do the same, once, thread 2 the other: first come, first served. */
static void check_order(void)
{
    for (unsigned i = 0; i < 2; i++) {
        const uint32_t a = notes[0].arrival[i], b = notes[1].arrival[i];
        if (a == 0 || b == 0 || threads() != 3 || strpbrk(cfg.programs[i], "mnPO") != NULL)
            continue;
        if (i == 0 && notes[0].n_got == 1 && notes[1].n_got == 1)
            MODEL_CHECK((a < b) == (notes[0].got[0] < notes[1].got[0]));
        if (i == 1 && notes[2].n_got == 2)
            MODEL_CHECK((a < b) == (notes[2].got[0] < notes[2].got[1]));
    }
}

static void end(void)
{
    for (unsigned i = 0; i < threads(); i++)
        check_waiting(i);
    for (unsigned i = 0; i < CHANS; i++) {
        if (global.freed[i] == 0) {
            MODEL_CHECK(chans[i]->lock == 0 && chans[i]->reserved == 0);
            check_queue(&chans[i]->receivers);
            check_queue(&chans[i]->senders);
        }
        bool counted = false;
        for (unsigned k = 0; k < threads(); k++)
            counted |= i == 0 && strchr(cfg.programs[k], 'u') != NULL;
        MODEL_CHECK(global.freed[i] == counted);
    }
    check_values();
    check_order();
}

/* ---- searching ---- */

#include "searches.h"

static model_config config_of(setup s, model_memory mem, unsigned preemptions)
{
    cfg = s;
    when_queued = note_arrival;
    return config_for_programs(threads(), mem, preemptions);
}

static const char *title(void)
{
    static char text[128];
    size_t n = put_programs(text, sizeof text, cfg.programs, threads());
    if (cfg.capacity == EDO_UNBOUNDED)
        n += (size_t)snprintf(text + n, sizeof text - n, "; unbounded");
    else
        n += (size_t)snprintf(text + n, sizeof text - n, "; room for %zu", cfg.capacity);
    snprintf(text + n, sizeof text - n, "%s%s%s", cfg.foreign ? ", foreign" : "",
             cfg.turned ? ", turned" : "", push_in_front ? ", last come first served" : "");
    return text;
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

#endif
