/* SPDX-License-Identifier: MIT */
/* Edo: a lock for many readers or one writer. */
#ifndef EDO_RWLOCK_H
#define EDO_RWLOCK_H

#include <edo/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Shared by readers, or held by one writer. First come, first served: a writer in line holds back
 * the readers that come after it, so neither kind starves; readers next to each other in line are
 * let in together. Not recursive, not even for reading: a writer between the two would wait for
 * the first and hold back the second.
 *
 * There is no upgrade from reading to writing: two readers that both want it would wait for each
 * other. Release, lock for writing, and look again at what was read. Downgrading is safe.
 *
 * Needs no deinit; whoever holds it last may free it right after unlocking. */
typedef struct edo_rwlock {
    edo__waitq edo__q;             /* state: the number of readers inside */
    struct edo__task *edo__writer; /* NULL: none */
    uintptr_t edo__readers; /* exclusive or of the readers' addresses: for dumps, exact for one */
} edo_rwlock;

#define EDO_RWLOCK_INIT                                                                            \
    {                                                                                              \
        { 0, 0, 0, 0 }, 0, 0                                                                       \
    }

/* edo_rwlock_init - the same as assigning EDO_RWLOCK_INIT.
 *
 *     edo_rwlock lock;
 *     edo_rwlock_init(&lock);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_rwlock_init(edo_rwlock *l);

/* edo_rwlock_rdlock - locks for reading, together with other readers.
 * Returns 0; -ECANCELED: not locked.
 *
 *     int rc = edo_rwlock_rdlock(&lock);
 *     if (rc == 0) {
 *         look_at(&table);
 *         edo_rwlock_unlock(&lock);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_rwlock_rdlock(edo_rwlock *l);

/* edo_rwlock_wrlock - locks for writing, alone.
 * Returns 0; -ECANCELED: not locked, and those behind in line go on as if it had never come.
 *
 *     int rc = edo_rwlock_wrlock(&lock);
 *     if (rc == 0) {
 *         change(&table);
 *         edo_rwlock_unlock(&lock);
 *     }
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_rwlock_wrlock(edo_rwlock *l);

/* edo_rwlock_rdlock_nowait - locks for reading if nobody writes and nobody waits in line.
 * Returns 0 or -EAGAIN.
 *
 *     if (edo_rwlock_rdlock_nowait(&lock) == 0) {
 *         look_at(&table);
 *         edo_rwlock_unlock(&lock);
 *     }
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_rwlock_rdlock_nowait(edo_rwlock *l);

/* edo_rwlock_wrlock_nowait - locks for writing if nobody is inside and nobody waits in line.
 * Returns 0 or -EAGAIN.
 *
 *     if (edo_rwlock_wrlock_nowait(&lock) == 0) {
 *         change(&table);
 *         edo_rwlock_unlock(&lock);
 *     }
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_rwlock_wrlock_nowait(edo_rwlock *l);

/* edo_rwlock_unlock - gives up what the caller holds, for reading or for writing, and lets in who
 * is first in line. By who locked it.
 *
 *     edo_rwlock_unlock(&lock);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_rwlock_unlock(edo_rwlock *l);

/* edo_rwlock_downgrade - from writing to reading, with no other writer in between. Readers that are
 * first in line are let in as well. By the writer.
 *
 *     int rc = edo_rwlock_wrlock(&lock);
 *     if (rc == 0) {
 *         change(&table);
 *         edo_rwlock_downgrade(&lock);
 *         look_at(&table);
 *         edo_rwlock_unlock(&lock);
 *     }
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_rwlock_downgrade(edo_rwlock *l);

#ifdef __cplusplus
}
#endif
#endif
