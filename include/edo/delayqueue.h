/* SPDX-License-Identifier: MIT */
/* Edo: a queue whose entries come out when their time has come.
 *
 *     edo_delayqueue q;
 *     edo_delayqueue_init(&q);
 *     rc = edo_delayqueue_insert(&q, EDO_SEC(30), session, &session->key);
 *     ...
 *     rc = edo_delayqueue_reset(&q, session->key, EDO_SEC(30));   // it was used: not yet
 *     ...
 *     edo_delay d;                                                // in a task of its own
 *     while (edo_delayqueue_next(&q, &d) == 0)
 *         session_expire(d.value);
 *
 * One timer serves all entries, of which there may be millions: 40 bytes each, and a number of steps
 * that grows with their logarithm. Instants are those of edo_now() where it is called: do not share
 * a queue between tasks on a paused clock and foreign threads. */
#ifndef EDO_DELAYQUEUE_H
#define EDO_DELAYQUEUE_H

#include <edo/base.h>
#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names an entry. Never 0. Once the entry is out of the queue its key names nothing any more, also
 * when others have come in since. */
typedef uint64_t edo_delay_key;

/* What comes out. */
typedef struct edo_delay {
    edo_delay_key key;
    void *value; /* as it was put in */
    int64_t at;  /* the instant it was due */
} edo_delay;

#define EDO__DELAY_SEGMENTS 25

/* In storage of the caller's, which must not be moved. Members are the library's. */
typedef struct edo_delayqueue {
    edo__waitq edo__q;      /* who waits in next, first come, first served; state: 1 when closed */
    uint32_t edo__len;      /* entries                                                           */
    uint32_t edo__used;     /* slots ever used                                                   */
    uint32_t edo__free;     /* first free one of them + 1                                        */
    uint32_t edo__segments; /* that are there                                                    */
    uint64_t edo__order;    /* counts inserts and resets                                         */
    void *edo__segment[EDO__DELAY_SEGMENTS];
} edo_delayqueue;

/* edo_delayqueue_init - empty; uses no memory yet.
 *
 *     edo_delayqueue q;
 *     edo_delayqueue_init(&q);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_delayqueue_init(edo_delayqueue *q);

/* edo_delayqueue_deinit - frees its memory; entries still inside are forgotten, see
 * edo_delayqueue_pop(). Nobody may wait in it.
 *
 *     edo_delayqueue_deinit(&q);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any, after all others are done with it */
void edo_delayqueue_deinit(edo_delayqueue *q);

/* edo_delayqueue_insert - puts a value in that comes out after a while.
 * @after: nanoseconds from now; zero or less: due at once; EDO_FOREVER: only when it is reset.
 * @value: handed back by edo_delayqueue_next().
 * @key: NULL, or where to store the entry's key (before anybody can take the entry).
 * Returns 0; -EPIPE when closed; -ENOMEM.
 *
 *     edo_delay_key key;
 *     rc = edo_delayqueue_insert(&q, EDO_SEC(30), session, &key);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_insert(edo_delayqueue *q, int64_t after, void *value,
                                         edo_delay_key *key);

/* edo_delayqueue_insert_at - the same with an instant of edo_now().
 *
 *     rc = edo_delayqueue_insert_at(&q, lease->ends, lease, &lease->key);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_insert_at(edo_delayqueue *q, int64_t instant, void *value,
                                            edo_delay_key *key);

/* edo_delayqueue_reset - the entry comes out at another time, counted from now; also one that is due
 * and was not taken yet.
 * Returns 0, or -ENOENT when it is out already.
 *
 *     if (edo_delayqueue_reset(&q, session->key, EDO_SEC(30)) == -ENOENT)
 *         return -ESTALE;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_reset(edo_delayqueue *q, edo_delay_key key, int64_t after);

/* edo_delayqueue_reset_at - the same with an instant of edo_now().
 *
 *     rc = edo_delayqueue_reset_at(&q, lease->key, lease->ends);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_reset_at(edo_delayqueue *q, edo_delay_key key, int64_t instant);

/* edo_delayqueue_remove - takes an entry out before its time, or after it if nobody has yet.
 * @out: NULL, or filled when 0 is returned.
 * Returns 0, or -ENOENT when it is out already: exactly one of all callers gets it.
 *
 *     edo_delay d;
 *     if (edo_delayqueue_remove(&q, session->key, &d) == 0)
 *         session_free(d.value);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_remove(edo_delayqueue *q, edo_delay_key key, edo_delay *out);

/* edo_delayqueue_next - waits for the next entry that is due and takes it: in order of their
 * instants, those of the same one in the order in which they were put in or reset. An empty queue is
 * waited for.
 * @out: filled when 0 is returned.
 * Returns 0; -ECANCELED: nothing taken; -EPIPE when the queue is closed and empty.
 *
 *     edo_delay d;
 *     while (edo_delayqueue_next(&q, &d) == 0)
 *         session_expire(d.value);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; several may wait, the first one gets the first entry */
EDO_MUST_CHECK int edo_delayqueue_next(edo_delayqueue *q, edo_delay *out);

/* edo_delayqueue_next_nowait - the same at once, or -EAGAIN: nothing is due, or others wait for it.
 *
 *     while (edo_delayqueue_next_nowait(&q, &d) == 0)
 *         session_expire(d.value);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_next_nowait(edo_delayqueue *q, edo_delay *out);

/* edo_delayqueue_peek - the entry that is due first, left where it is.
 * Returns 0, or -ENOENT when the queue is empty.
 *
 *     if (edo_delayqueue_peek(&q, &d) == 0)
 *         printf("next in %lld ns\n", (long long)(d.at - edo_now()));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_peek(edo_delayqueue *q, edo_delay *out);

/* edo_delayqueue_find - the entry of a key, left where it is.
 * Returns 0, or -ENOENT when it is out already.
 *
 *     rc = edo_delayqueue_find(&q, session->key, &d);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_find(edo_delayqueue *q, edo_delay_key key, edo_delay *out);

/* edo_delayqueue_pop - takes the entry that is due first, whenever that is: for emptying the queue.
 * Returns 0, or -ENOENT when it is empty.
 *
 *     while (edo_delayqueue_pop(&q, &d) == 0)
 *         session_free(d.value);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_delayqueue_pop(edo_delayqueue *q, edo_delay *out);

/* edo_delayqueue_len - entries inside, due or not.
 *
 *     size_t sessions = edo_delayqueue_len(&q);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_delayqueue_len(edo_delayqueue *q);

/* edo_delayqueue_close - nothing is put in any more. What is inside still comes out in its time;
 * then edo_delayqueue_next() gives -EPIPE.
 *
 *     edo_delayqueue_close(&q);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_delayqueue_close(edo_delayqueue *q);

#ifdef __cplusplus
}
#endif
#endif
