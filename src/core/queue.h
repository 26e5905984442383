/* SPDX-License-Identifier: MIT */
/* A worker's run queue: a ring of 256 tasks. The owner pushes at the tail and takes from the head;
 * thieves take half from the head, claiming it by a compare-and-swap of head. When the ring is full
 * half of it moves to the inject queue, so it never grows. (The scheme of the Go runtime's
 * runq.) */
#ifndef EDO_CORE_QUEUE_H
#define EDO_CORE_QUEUE_H

#include "base/atomic.h"
#include "base/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef EDO__QUEUE_SIZE /* the model check has a small one */
#define EDO__QUEUE_SIZE 256u
#endif

struct edo__task;

typedef struct edo__queue {
    uint32_t head; /* atomic: next to take; by owner and thieves */
    uint32_t tail __attribute__((aligned(EDO__CACHE_LINE))); /* atomic: next free; by the owner */
    struct edo__task *ring[EDO__QUEUE_SIZE]; /* atomic: thieves may read a slot late */
} edo__queue;

static inline uint32_t edo__queue_len(const edo__queue *q)
{
    /* A moment's estimate, for idle checks and metrics. head first: tail only grows, so the
     * difference cannot come out negative. */
    uint32_t head = edo__aload(&q->head, EDO__ACQ);
    return edo__aload(&q->tail, EDO__ACQ) - head;
}

/* Owner. False when full. */
static inline bool edo__queue_push(edo__queue *q, struct edo__task *t)
{
    uint32_t tail = edo__aload(&q->tail, EDO__RLX);
    uint32_t head = edo__aload(&q->head, EDO__ACQ); /* pairs with the release in take and steal */
    if (tail - head >= EDO__QUEUE_SIZE)
        return false;
    edo__astore(&q->ring[tail % EDO__QUEUE_SIZE], t, EDO__RLX);
    edo__astore(&q->tail, tail + 1, EDO__REL); /* pairs with the acquire in steal */
    return true;
}

/* Owner. */
static inline struct edo__task *edo__queue_take(edo__queue *q)
{
    uint32_t tail = edo__aload(&q->tail, EDO__RLX);
    uint32_t head = edo__aload(&q->head, EDO__RLX);
    while (tail != head) {
        struct edo__task *t = edo__aload(&q->ring[head % EDO__QUEUE_SIZE], EDO__RLX);
        /* release: the slot has been read before push may use it again */
        if (edo__acas(&q->head, &head, head + 1, EDO__REL, EDO__RLX))
            return t;
    }
    return NULL;
}

/* Anyone: claims up to half (rounded up, max at most) into out. Returns how many. */
static inline uint32_t edo__queue_grab(edo__queue *q, struct edo__task **out, uint32_t max)
{
    uint32_t head = edo__aload(&q->head, EDO__ACQ);
    for (;;) {
        uint32_t tail = edo__aload(&q->tail, EDO__ACQ); /* pairs with push */
        uint32_t n = tail - head;
        n -= n / 2;
        if (n == 0)
            return 0;
        if (n > EDO__QUEUE_SIZE / 2) { /* head and tail are of different moments */
            head = edo__aload(&q->head, EDO__ACQ);
            continue;
        }
        if (n > max)
            n = max;
        for (uint32_t i = 0; i < n; i++)
            out[i] = edo__aload(&q->ring[(head + i) % EDO__QUEUE_SIZE], EDO__RLX);
        if (edo__acas(&q->head, &head, head + n, EDO__AR, EDO__ACQ))
            return n;
    }
}

#endif
