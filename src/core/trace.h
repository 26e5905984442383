/* SPDX-License-Identifier: MIT */
/* Tracing from the inside: records, the rings they travel in, and the runtime's own hooks. */
#ifndef EDO_CORE_TRACE_H
#define EDO_CORE_TRACE_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/cpu.h"

#include <edo/trace.h>
#include <stdio.h>
#include <sys/types.h>

#define EDO__TRACE_FIELDS 16
#define EDO__TRACE_TEXT 511 /* bytes of a string that are kept */
#define EDO__TRACE_NOBODY 0xFFFFu

typedef enum edo__rec_kind {
    EDO__REC_PAD, /* to the end of the ring */
    EDO__REC_EVENT,
    EDO__REC_OPEN,
    EDO__REC_CLOSE,
    EDO__REC_RUN,   /* task begins to run; name: the task's site */
    EDO__REC_PAUSE, /* ... and suspends; name: why               */
    EDO__REC_END,   /* ... or ends                               */
    EDO__REC_SPAWN, /* parent: the spawner                       */
    EDO__REC_WAKE,  /* task was made runnable                    */
    EDO__REC_STEAL, /* task: how many                            */
    EDO__REC_SLEEP, /* a worker parks                            */
    EDO__REC_WOKEN, /* ... and is back                           */
} edo__rec_kind;

/* Followed by `fields` values: an edo__rec_value each, and behind a string's its bytes, padded. */
typedef struct edo__rec {
    uint32_t size; /* all of it; a multiple of 8 */
    uint8_t kind, level, fields;
    uint16_t worker; /* EDO__TRACE_NOBODY: none */
    int64_t time;
    uint64_t task, span, parent;
    const char *target, *name, *site; /* literals */
} edo__rec;

typedef struct edo__rec_value {
    const char *key; /* NULL: the event's message */
    uint32_t type;   /* edo_field_type */
    uint32_t len;    /* of a string; UINT32_MAX: NULL */
    union {
        int64_t i;
        uint64_t u;
        double d;
        bool b;
    };
} edo__rec_value;

/* One thread writes at the tail, the writer reads at the head. */
typedef struct edo__ring {
    struct edo__ring *next; /* all rings; under the tracer's lock */
    uint64_t size;          /* a power of two */
    uint64_t number, spans; /* for the numbers of spans; the owner's */
    pid_t tid;
    char thread[16];
    uint64_t cached_head; /* the owner's: what head was when it last had to look */
    uint32_t dead;        /* atomic: its thread has ended */
    uint64_t lost;        /* atomic: the owner's count */
    uint64_t lost_told;   /* the writer's */
    int64_t since;        /* the writer's: its present slice began then; 0: there is none */
    bool named;           /* the writer's: its track has a name */
    uint64_t tail __attribute__((aligned(EDO__CACHE_LINE))); /* atomic: written up to here */
    uint64_t head __attribute__((aligned(EDO__CACHE_LINE))); /* atomic: read up to here    */
    char data[] __attribute__((aligned(EDO__CACHE_LINE)));
} edo__ring;

/* What writes records; on the tracer's thread only. */
typedef struct edo__trace_out {
    FILE *f;
    edo_trace_format format;
    bool colour;
    bool first; /* nothing was written yet */
    pid_t pid;
} edo__trace_out;

void edo__trace_out_begin(edo__trace_out *o);
void edo__trace_out_record(edo__trace_out *o, edo__ring *r, const edo__rec *rec);
void edo__trace_out_lost(edo__trace_out *o, const edo__ring *r, uint64_t n, int64_t now);
void edo__trace_out_end(edo__trace_out *o);

/* Returns 0, -EINVAL when it is not understood, or -ENOMEM. */
int edo__trace_filter_set(const char *text);
edo_level edo__trace_filter_level(const char *target);
edo_level edo__trace_filter_max(void);

/* The runtime's own records. */
extern uint8_t edo__trace_runtime; /* atomic: 1: they are wanted */
static inline bool edo__trace_on(void)
{
    /* relaxed: begins and ends a little early or late on other threads */
    return edo__unlikely(edo__aload(&edo__trace_runtime, EDO__RLX) != 0);
}
void edo__trace_note(edo__rec_kind kind, uint64_t task, uint64_t parent, const char *name);
void edo__trace_from_environment(void);
uint64_t edo__trace_foreign_span(void);

#endif
