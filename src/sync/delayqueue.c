/* SPDX-License-Identifier: MIT */
/* The delay queue: slots, a heap over them, and a line of waiters, under one spin lock.
 *
 * A slot holds a value and keeps its number while the value is inside; that number and how often the
 * slot was used are the key. The heap (4-ary, by instant, then by order of arrival) names slots, and
 * each slot knows its place in the heap, so that an entry in the middle can be moved or taken out. A
 * wheel would not do: it tells milliseconds apart, and entries come out in the order of their
 * instants.
 *
 * Places of the heap and slots lie in segments, each twice as long as the one before: growing moves
 * nothing and allocates without the lock held. Memory is given back by deinit only.
 *
 * The head of the line has a timer for the first instant. It is called when an earlier one comes in,
 * and not when the first entry is taken away or moved back: then it looks once for nothing. */
#include "base/cpu.h"
#include "sync/cases.h"
#include "sync/line.h"

#include <edo/delayqueue.h>
#include <edo/time.h>

#include <stdlib.h>

#define FIRST 64u /* places and slots of the first segment */
#define NONE UINT32_MAX

enum { OPEN = 0, CLOSED = 1 };

typedef struct place { /* in the heap */
    int64_t at;
    uint32_t slot;
} place;

typedef struct slot {
    void *value;
    uint64_t order; /* of arrival: says who is first of those with the same instant */
    uint32_t uses;  /* times its value was taken out: upper half of the key */
    union {
        uint32_t place;     /* in the heap */
        uint32_t next_free; /* + 1 */
    };
} slot;

static inline uint32_t segment_len(uint32_t segment)
{
    return FIRST << segment;
}

static inline uint32_t capacity(const edo_delayqueue *q)
{
    return FIRST * ((1u << q->edo__segments) - 1);
}

/* Segment s begins at FIRST * (2^s - 1). */
static inline uint32_t segment_of(uint32_t i)
{
    return 31u - (uint32_t)__builtin_clz(i / FIRST + 1);
}

static inline uint32_t within(uint32_t i, uint32_t segment)
{
    return i - FIRST * ((1u << segment) - 1);
}

static inline place *place_at(const edo_delayqueue *q, uint32_t i)
{
    uint32_t segment = segment_of(i);
    return (place *)q->edo__segment[segment] + within(i, segment);
}

/* A segment's slots follow its places. These begin where the four children of a place, which are
 * compared with each other, share a cache line: places 1 to 4 do. */
#define LEAD (EDO__CACHE_LINE - sizeof(place))

static void *segment_alloc(uint32_t segment)
{
    size_t size = EDO__CACHE_LINE + segment_len(segment) * (sizeof(place) + sizeof(slot));
    char *memory = aligned_alloc(EDO__CACHE_LINE, size);
    return memory != NULL ? memory + LEAD : NULL;
}

static void segment_free(void *places)
{
    free((char *)places - LEAD);
}

static inline slot *slot_at(const edo_delayqueue *q, uint32_t i)
{
    uint32_t segment = segment_of(i);
    place *places = q->edo__segment[segment];
    return (slot *)(places + segment_len(segment)) + within(i, segment);
}

static inline edo_delay_key key_of(const edo_delayqueue *q, uint32_t i)
{
    return (uint64_t)slot_at(q, i)->uses << 32 | (i + 1);
}

/* ---- the heap ---- */

static inline bool before(const edo_delayqueue *q, const place *a, const place *b)
{
    if (edo__likely(a->at != b->at))
        return a->at < b->at;
    return slot_at(q, a->slot)->order < slot_at(q, b->slot)->order;
}

static inline void put(edo_delayqueue *q, uint32_t i, place p)
{
    *place_at(q, i) = p;
    slot_at(q, p.slot)->place = i;
}

static void sift_up(edo_delayqueue *q, uint32_t i, place p)
{
    while (i > 0) {
        uint32_t parent = (i - 1) >> 2;
        const place *above = place_at(q, parent);
        if (before(q, above, &p))
            break;
        put(q, i, *above);
        i = parent;
    }
    put(q, i, p);
}

static uint32_t least_child(const edo_delayqueue *q, uint32_t first)
{
    uint32_t least = first, end = q->edo__len - first > 4 ? first + 4 : q->edo__len;
    for (uint32_t i = first + 1; i < end; i++) {
        if (before(q, place_at(q, i), place_at(q, least)))
            least = i;
    }
    return least;
}

static void sift_down(edo_delayqueue *q, uint32_t i, place p)
{
    while (i < q->edo__len / 4 + 1 && (i << 2) + 1 < q->edo__len) {
        uint32_t least = least_child(q, (i << 2) + 1);
        if (before(q, &p, place_at(q, least)))
            break;
        put(q, i, *place_at(q, least));
        i = least;
    }
    put(q, i, p);
}

/* p goes to where it belongs, starting from the hole at i. */
static void settle(edo_delayqueue *q, uint32_t i, place p)
{
    if (i > 0 && before(q, &p, place_at(q, (i - 1) >> 2)))
        sift_up(q, i, p);
    else
        sift_down(q, i, p);
}

/* ---- slots ---- */

/* A free slot; there is one. */
static uint32_t slot_take(edo_delayqueue *q)
{
    if (q->edo__free == 0) {
        uint32_t fresh = q->edo__used++;
        slot_at(q, fresh)->uses = 0;
        return fresh;
    }
    uint32_t i = q->edo__free - 1;
    q->edo__free = slot_at(q, i)->next_free;
    return i;
}

static void slot_give(edo_delayqueue *q, uint32_t i)
{
    slot *s = slot_at(q, i);
    if (++s->uses == 0)
        return; /* worn out: a key is never given out twice */
    s->next_free = q->edo__free;
    q->edo__free = i + 1;
}

/* The slot of a key, NONE when its entry is out. A free slot was used once more than any key of it
 * says. */
static uint32_t slot_find(const edo_delayqueue *q, edo_delay_key key)
{
    uint32_t i = (uint32_t)key - 1;
    if (i >= q->edo__used || slot_at(q, i)->uses != (uint32_t)(key >> 32))
        return NONE;
    return i;
}

static inline bool has_room(const edo_delayqueue *q)
{
    return q->edo__free != 0 || q->edo__used < capacity(q);
}

/* One more segment. The lock is held on entry and on return, and not in between. */
static int grow(edo_delayqueue *q)
{
    uint32_t segment = q->edo__segments;
    if (segment == EDO__DELAY_SEGMENTS)
        return -ENOMEM;
    edo__spin_unlock(&q->edo__q.lock);
    void *memory = segment_alloc(segment);
    edo__spin_lock(&q->edo__q.lock);
    if (memory == NULL)
        return has_room(q) ? 0 : -ENOMEM;
    if (q->edo__segments != segment) { /* somebody else was faster */
        segment_free(memory);
        return 0;
    }
    q->edo__segment[q->edo__segments++] = memory;
    return 0;
}

/* ---- entries, under the lock ---- */

static inline edo_delay entry_at(const edo_delayqueue *q, uint32_t i)
{
    const place *p = place_at(q, i);
    return (
        edo_delay){ .key = key_of(q, p->slot), .value = slot_at(q, p->slot)->value, .at = p->at };
}

/* Takes the entry in slot `gone` out, which is at a place of the heap. */
static void entry_remove(edo_delayqueue *q, uint32_t gone, uint32_t i, edo_delay *out)
{
    if (out != NULL)
        *out = entry_at(q, i);
    place last = *place_at(q, --q->edo__len);
    if (i < q->edo__len)
        settle(q, i, last);
    slot_give(q, gone);
}

/* Who waits for a closed queue to run empty is called when it has. */
static edo__task *call_if_over(edo_delayqueue *q)
{
    bool over = q->edo__len == 0 && q->edo__q.state == CLOSED;
    return over ? edo__line_call(&q->edo__q) : NULL;
}

static int take_due(edo_delayqueue *q, int64_t now, edo_delay *out)
{
    if (q->edo__len == 0)
        return q->edo__q.state == CLOSED ? -EPIPE : -EAGAIN;
    if (place_at(q, 0)->at > now)
        return -EAGAIN;
    entry_remove(q, place_at(q, 0)->slot, 0, out);
    return 0;
}

static int64_t after_now(int64_t after)
{
    return edo__instant_after(edo__self(), after > 0 ? after : 0);
}

/* ---- the calls ---- */

void edo_delayqueue_init(edo_delayqueue *q)
{
    *q = (edo_delayqueue){ .edo__len = 0 };
}

void edo_delayqueue_deinit(edo_delayqueue *q)
{
    edo_assert(q->edo__q.head == NULL && "somebody waits in the queue");
    for (uint32_t i = 0; i < q->edo__segments; i++)
        segment_free(q->edo__segment[i]);
    edo_delayqueue_init(q);
}

int edo_delayqueue_insert(edo_delayqueue *q, int64_t after, void *value, edo_delay_key *key)
{
    return edo_delayqueue_insert_at(q, after_now(after), value, key);
}

int edo_delayqueue_insert_at(edo_delayqueue *q, int64_t instant, void *value, edo_delay_key *key)
{
    edo__task *head = NULL;
    int rc = 0;
    edo__spin_lock(&q->edo__q.lock);
    while (q->edo__q.state != CLOSED && rc == 0 && !has_room(q))
        rc = grow(q);
    if (q->edo__q.state == CLOSED)
        rc = -EPIPE;
    if (rc == 0) {
        uint32_t i = slot_take(q);
        slot_at(q, i)->value = value;
        slot_at(q, i)->order = q->edo__order++;
        if (key != NULL)
            *key = key_of(q, i);
        place p = { .at = instant, .slot = i };
        sift_up(q, q->edo__len++, p);
        if (slot_at(q, i)->place == 0)
            head = edo__line_call(&q->edo__q);
    }
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(head);
    return rc;
}

int edo_delayqueue_reset(edo_delayqueue *q, edo_delay_key key, int64_t after)
{
    return edo_delayqueue_reset_at(q, key, after_now(after));
}

int edo_delayqueue_reset_at(edo_delayqueue *q, edo_delay_key key, int64_t instant)
{
    edo__task *head = NULL;
    edo__spin_lock(&q->edo__q.lock);
    uint32_t i = slot_find(q, key);
    if (i != NONE) {
        uint32_t hole = slot_at(q, i)->place;
        int64_t was = place_at(q, hole)->at;
        place p = { .at = instant, .slot = i };
        slot_at(q, i)->order = q->edo__order++;
        settle(q, hole, p);
        if (slot_at(q, i)->place == 0 && instant < was)
            head = edo__line_call(&q->edo__q);
    }
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(head);
    return i != NONE ? 0 : -ENOENT;
}

int edo_delayqueue_remove(edo_delayqueue *q, edo_delay_key key, edo_delay *out)
{
    edo__task *head = NULL;
    edo__spin_lock(&q->edo__q.lock);
    uint32_t i = slot_find(q, key);
    if (i != NONE) {
        entry_remove(q, i, slot_at(q, i)->place, out);
        head = call_if_over(q);
    }
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(head);
    return i != NONE ? 0 : -ENOENT;
}

/* The lock is held on entry, and not on return. */
static int next_in_line(edo_delayqueue *q, edo__task *self, edo_delay *out)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_CALLED };
    edo__waitq_push(&q->edo__q, &w);
    int rc;
    do {
        rc = q->edo__q.head == &w ? take_due(q, edo__now(self), out) : -EAGAIN;
        if (rc != -EAGAIN)
            break;
        int64_t at = q->edo__len > 0 ? place_at(q, 0)->at : EDO_FOREVER;
        rc = edo__line_wait(&q->edo__q, &w, at, EDO__WHY_DELAYQUEUE, q);
    } while (rc == 0);
    edo__task *next = edo__line_leave(&q->edo__q, &w);
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(next);
    return rc;
}

int edo_delayqueue_next(edo_delayqueue *q, edo_delay *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (edo__unlikely(rc < 0))
        return rc;
    edo__coop(self);
    int64_t now = edo__now(self);
    edo__spin_lock(&q->edo__q.lock);
    rc = q->edo__q.head == NULL ? take_due(q, now, out) : -EAGAIN;
    if (rc == -EAGAIN)
        return next_in_line(q, self, out);
    edo__spin_unlock(&q->edo__q.lock);
    return rc;
}

int edo_delayqueue_next_nowait(edo_delayqueue *q, edo_delay *out)
{
    int64_t now = edo_now();
    edo__spin_lock(&q->edo__q.lock);
    int rc = q->edo__q.head == NULL ? take_due(q, now, out) : -EAGAIN;
    edo__spin_unlock(&q->edo__q.lock);
    return rc;
}

/* ---- select ---- */

/* Under the lock: the first entry, if it is due and w at the head of the line, goes to a select that
 * nothing else has decided. */
static int look(edo_delayqueue *q, edo__waiter *w, int64_t now)
{
    w->n = (uint64_t)EDO_FOREVER;
    if (q->edo__q.head != w)
        return EDO__ARMED;
    bool due = q->edo__len > 0 ? place_at(q, 0)->at <= now : q->edo__q.state == CLOSED;
    if (due) {
        if (edo__claim(w->task, w->code) != EDO__WORD_IDLE)
            w->result = take_due(q, now, w->value);
        return EDO__DECIDED;
    }
    if (q->edo__len > 0)
        w->n = (uint64_t)place_at(q, 0)->at;
    return EDO__ARMED;
}

int edo__delayqueue_arm(edo_delayqueue *q, edo__waiter *w)
{
    int64_t now = edo__now(w->task);
    edo__spin_lock(&q->edo__q.lock);
    edo__waitq_push(&q->edo__q, w);
    int rc = look(q, w, now);
    if (rc == EDO__DECIDED) /* nobody is behind it */
        edo__waitq_remove(&q->edo__q, w);
    edo__spin_unlock(&q->edo__q.lock);
    return rc;
}

int edo__delayqueue_look(edo_delayqueue *q, edo__waiter *w)
{
    int64_t now = edo__now(w->task);
    edo__spin_lock(&q->edo__q.lock);
    int rc = look(q, w, now);
    edo__spin_unlock(&q->edo__q.lock);
    return rc;
}

void edo__delayqueue_disarm(edo_delayqueue *q, edo__waiter *w)
{
    edo__spin_lock(&q->edo__q.lock);
    edo__task *next = edo__line_leave(&q->edo__q, w);
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(next);
}

/* ---- looking, closing ---- */

int edo_delayqueue_peek(edo_delayqueue *q, edo_delay *out)
{
    edo__spin_lock(&q->edo__q.lock);
    bool found = q->edo__len > 0;
    if (found)
        *out = entry_at(q, 0);
    edo__spin_unlock(&q->edo__q.lock);
    return found ? 0 : -ENOENT;
}

int edo_delayqueue_find(edo_delayqueue *q, edo_delay_key key, edo_delay *out)
{
    edo__spin_lock(&q->edo__q.lock);
    uint32_t i = slot_find(q, key);
    if (i != NONE)
        *out = entry_at(q, slot_at(q, i)->place);
    edo__spin_unlock(&q->edo__q.lock);
    return i != NONE ? 0 : -ENOENT;
}

int edo_delayqueue_pop(edo_delayqueue *q, edo_delay *out)
{
    edo__spin_lock(&q->edo__q.lock);
    bool found = q->edo__len > 0;
    if (found)
        entry_remove(q, place_at(q, 0)->slot, 0, out);
    edo__task *head = call_if_over(q);
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(head);
    return found ? 0 : -ENOENT;
}

size_t edo_delayqueue_len(edo_delayqueue *q)
{
    edo__spin_lock(&q->edo__q.lock);
    size_t len = q->edo__len;
    edo__spin_unlock(&q->edo__q.lock);
    return len;
}

void edo_delayqueue_close(edo_delayqueue *q)
{
    edo__spin_lock(&q->edo__q.lock);
    q->edo__q.state = CLOSED;
    edo__task *head = call_if_over(q);
    edo__spin_unlock(&q->edo__q.lock);
    edo__line_called(head);
}
