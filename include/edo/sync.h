/* SPDX-License-Identifier: MIT */
/* Edo: mutex, semaphore, event, notify, oneshot; and, in headers of their own that this one brings
 * in, read-write lock, condition variable, barrier, once.
 *
 * All are fair (first come, first served), usable from tasks of any runtime and from foreign
 * threads (which block), and live in storage of the caller's. An object must not be destroyed or
 * moved while somebody waits on it. Members are the library's. */
#ifndef EDO_SYNC_H
#define EDO_SYNC_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct edo__waiter;
struct edo__task;

/* A first-in first-out queue of waiters under a spin lock: what every primitive is built on. */
typedef struct edo__waitq {
    struct edo__waiter *head;
    struct edo__waiter *tail;
    uint32_t lock;
    uint32_t state; /* the primitive's own use */
} edo__waitq;

/* Mutual exclusion between tasks; not recursive. Held across suspensions if need be. Needs no deinit;
 * who holds it and knows that nobody else will want it may free it right after unlocking, even while
 * the call by which another unlocked it before has not returned. */
typedef struct edo_mutex {
    edo__waitq edo__q;
    uintptr_t edo__word;           /* 0, or the holder's address, plus 1 when somebody waits */
    struct edo__task *edo__holder; /* the holder while somebody waits: for dumps */
} edo_mutex;

#define EDO_MUTEX_INIT                                                                             \
    {                                                                                              \
        { 0, 0, 0, 0 }, 0, 0                                                                       \
    }

/* edo_mutex_init - the same as assigning EDO_MUTEX_INIT.
 *
 *     edo_mutex m;
 *     edo_mutex_init(&m);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_mutex_init(edo_mutex *m);

/* edo_mutex_lock - locks, waiting for its turn.
 * Returns 0; -ECANCELED: not locked.
 *
 *     rc = edo_mutex_lock(&m);
 *     if (rc < 0)
 *         return rc;
 *     balance += amount;
 *     edo_mutex_unlock(&m);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_mutex_lock(edo_mutex *m);

/* edo_mutex_lock_nowait - locks if that is possible at once.
 * Returns 0 or -EAGAIN.
 *
 *     if (edo_mutex_lock_nowait(&m) == 0) {
 *         balance += amount;
 *         edo_mutex_unlock(&m);
 *     }
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_mutex_lock_nowait(edo_mutex *m);

/* edo_mutex_unlock - hands the mutex to the first waiter, or leaves it free. By its holder only.
 *
 *     edo_mutex_unlock(&m);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_mutex_unlock(edo_mutex *m);

/* A counting semaphore. Needs no deinit; may be freed when every call on it has returned. */
typedef struct edo_sem {
    edo__waitq edo__q;
    uint64_t edo__permits;
} edo_sem;

#define EDO_SEM_INIT(permits_)                                                                     \
    {                                                                                              \
        { 0, 0, 0, 0 }, (permits_)                                                                 \
    }

/* edo_sem_init - with a number of permits to begin with; the same as assigning
 * EDO_SEM_INIT(permits).
 *
 *     edo_sem slots;
 *     edo_sem_init(&slots, 8);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_sem_init(edo_sem *s, uint64_t permits);

/* edo_sem_acquire - takes n permits, all at once; a big request at the head holds up small ones
 * behind it.
 * Returns 0; -ECANCELED: none taken; -EPIPE when the semaphore was closed.
 *
 *     int rc = edo_sem_acquire(&slots, 1);
 *     if (rc == 0) {
 *         use_a_slot();
 *         edo_sem_release(&slots, 1);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_sem_acquire(edo_sem *s, uint64_t n);

/* edo_sem_acquire_nowait - the same if possible at once.
 * Returns 0, -EAGAIN, or -EPIPE.
 *
 *     if (edo_sem_acquire_nowait(&slots, 1) == 0)
 *         edo_sem_release(&slots, 1);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_sem_acquire_nowait(edo_sem *s, uint64_t n);

/* edo_sem_release - gives n permits back, or adds them. Also when closed: then nobody can take them.
 *
 *     edo_sem_release(&slots, 1);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_sem_release(edo_sem *s, uint64_t n);

/* edo_sem_forget - takes free permits away for good, as many as there are up to n; waits for none
 * and passes nobody who waits. For making a pool smaller.
 * Returns how many were taken away.
 *
 *     uint64_t missing = 4 - edo_sem_forget(&slots, 4);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_sem_forget(edo_sem *s, uint64_t n);

/* edo_sem_close - every present and later acquire gives -EPIPE, even when there are permits. What
 * was acquired before stays acquired. There is no reopening.
 *
 *     edo_sem_close(&slots);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_sem_close(edo_sem *s);

/* edo_sem_closed - whether it was closed.
 *
 *     if (edo_sem_closed(&slots))
 *         return -EPIPE;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_sem_closed(edo_sem *s);

/* edo_sem_permits - free permits at this moment.
 *
 *     uint64_t idle = edo_sem_permits(&slots);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_sem_permits(edo_sem *s);

typedef enum edo_event_mode {
    EDO_EVENT_MANUAL, /* stays set until reset: a gate                   */
    EDO_EVENT_AUTO,   /* one waiter passes per set, which it takes back  */
} edo_event_mode;

/* A flag to wait for. The one who was waiting for it may free it as soon as its call returns, if
 * nobody else uses it. */
typedef struct edo_event {
    edo__waitq edo__q; /* state: 1 when set */
    uint32_t edo__mode;
} edo_event;

#define EDO_EVENT_INIT                                                                             \
    {                                                                                              \
        { 0, 0, 0, 0 }, EDO_EVENT_MANUAL                                                           \
    }
#define EDO_EVENT_AUTO_INIT                                                                        \
    {                                                                                              \
        { 0, 0, 0, 0 }, EDO_EVENT_AUTO                                                             \
    }

/* edo_event_init - not set.
 *
 *     edo_event ready;
 *     edo_event_init(&ready, EDO_EVENT_MANUAL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_event_init(edo_event *e, edo_event_mode mode);

/* edo_event_wait - waits until it is set.
 * Returns 0; -ECANCELED: an auto event was not taken.
 *
 *     int rc = edo_event_wait(&ready);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_event_wait(edo_event *e);

/* edo_event_wait_nowait - 0 when set (an auto event is reset by it), else -EAGAIN.
 *
 *     if (edo_event_wait_nowait(&ready) == -EAGAIN)
 *         do_something_else();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_event_wait_nowait(edo_event *e);

/* edo_event_set - manual: lets all waiters go and stays set; auto: lets one go, or stays set.
 *
 *     edo_event_set(&ready);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_event_set(edo_event *e);

/* edo_event_reset - not set any more.
 *
 *     edo_event_reset(&ready);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_event_reset(edo_event *e);

/* edo_event_is_set - whether it is set at this moment.
 *
 *     bool open = edo_event_is_set(&ready);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_event_is_set(edo_event *e);

/* Wakes waiters; remembers one wake-up when nobody waits. Needs no deinit; may be freed when every
 * call on it has returned. */
typedef struct edo_notify {
    edo__waitq edo__q;  /* state: 1 when a permit is stored */
    uint64_t edo__alls; /* how often edo_notify_all() was called */
} edo_notify;

#define EDO_NOTIFY_INIT                                                                            \
    {                                                                                              \
        { 0, 0, 0, 0 }, 0                                                                          \
    }

/* edo_notify_init - no permit stored; the same as assigning EDO_NOTIFY_INIT.
 *
 *     edo_notify news;
 *     edo_notify_init(&news);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_notify_init(edo_notify *n);

/* edo_notify_wait - takes the stored permit, or waits for the next _one, _last or _all.
 * Returns 0; -ECANCELED: no wake-up was used up.
 *
 *     int rc = edo_notify_wait(&news);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_notify_wait(edo_notify *n);

/* edo_notify_wait_nowait - takes the stored permit: 0, or -EAGAIN.
 *
 *     if (edo_notify_wait_nowait(&news) == 0)
 *         look_at_news();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_notify_wait_nowait(edo_notify *n);

/* edo_notify_mark - a mark for edo_notify_wait_since(): what comes after this call counts.
 *
 *     uint64_t mark = edo_notify_mark(&news);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_notify_mark(edo_notify *n);

/* edo_notify_wait_since - edo_notify_wait(), which returns at once if edo_notify_all() was called
 * after the mark was taken. So nothing is missed that happens while a condition is looked at.
 * Returns 0; -ECANCELED.
 *
 *     uint64_t mark = edo_notify_mark(&news);
 *     int rc = 0;
 *     while (rc == 0 && !is_there_news()) {
 *         rc = edo_notify_wait_since(&news, mark);
 *         mark = edo_notify_mark(&news);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_notify_wait_since(edo_notify *n, uint64_t mark);

/* edo_notify_one - lets the first waiter go, or stores one permit (not more).
 *
 *     edo_notify_one(&news);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_notify_one(edo_notify *n);

/* edo_notify_last - lets the waiter go that came last, or stores one permit. For pools where the one
 * that was busy last is the one to be busy next: its memory is warm, and others stay idle for long.
 *
 *     edo_notify_last(&news);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_notify_last(edo_notify *n);

/* edo_notify_all - lets all present waiters go; stores nothing.
 *
 *     edo_notify_all(&news);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_notify_all(edo_notify *n);

/* One value, sent once, from one task to another. The value is kept in a slot of the caller's. For a
 * value that many read see edo_setonce. Needs no deinit; may be freed when every call on it has
 * returned. */
typedef struct edo_oneshot {
    edo__waitq edo__q; /* state: empty, full, taken, closed */
    void *edo__slot;
    size_t edo__size;
} edo_oneshot;

/* edo_oneshot_init - empty.
 * @slot, @size: where the value is kept: at least size bytes for as long as the oneshot is used.
 *
 *     int answer;
 *     edo_oneshot o;
 *     edo_oneshot_init(&o, &answer, sizeof answer);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_oneshot_init(edo_oneshot *o, void *slot, size_t size);

/* edo_oneshot_send - puts the value there.
 * @value: size bytes, copied.
 * Returns 0, -EALREADY when one was sent before, -EPIPE when closed.
 *
 *     int result = 42;
 *     int rc = edo_oneshot_send(&o, &result);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_oneshot_send(edo_oneshot *o, const void *value);

/* edo_oneshot_recv - waits for the value and takes it.
 * @value: size bytes are written when 0 is returned.
 * Returns 0, -ECANCELED, or -EPIPE when it was closed without a value or was taken already.
 *
 *     int got;
 *     int rc = edo_oneshot_recv(&o, &got);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_oneshot_recv(edo_oneshot *o, void *value);

/* edo_oneshot_recv_nowait - the same at once, or -EAGAIN.
 *
 *     int got;
 *     if (edo_oneshot_recv_nowait(&o, &got) == -EAGAIN)
 *         do_something_else();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_oneshot_recv_nowait(edo_oneshot *o, void *value);

/* edo_oneshot_close - no value will come (or is wanted); one that was sent can still be taken. By
 * either side.
 *
 *     edo_oneshot_close(&o);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_oneshot_close(edo_oneshot *o);

/* edo_oneshot_closed - whether sending is in vain because it was closed before a value was sent. For
 * a sender that computes for long.
 *
 *     if (edo_oneshot_closed(&o))
 *         return -EPIPE;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_oneshot_closed(edo_oneshot *o);

#ifdef __cplusplus
}
#endif

#include <edo/barrier.h>
#include <edo/cond.h>
#include <edo/once.h>
#include <edo/rwlock.h>

#endif
