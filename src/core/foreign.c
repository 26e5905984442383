/* SPDX-License-Identifier: MIT */
/* Stand-ins for threads that are no workers: one per thread, made at its first wait, freed at its
 * end. */
#include "core/sched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static __thread edo__task *tls_stand_in;
static pthread_key_t stand_in_key;
static pthread_once_t stand_in_once = PTHREAD_ONCE_INIT;

/* Another key's destructor may still wait or lock after this one: then it gets a new stand-in. */
static void stand_in_free(void *stand_in)
{
    tls_stand_in = NULL;
    free(stand_in);
}

static void stand_in_make_key(void)
{
    if (pthread_key_create(&stand_in_key, stand_in_free) != 0) {
        fprintf(stderr, "edo: no thread-specific key left for a foreign thread's stand-in\n");
        abort();
    }
}

__attribute__((noinline, cold)) edo__task *edo__foreign_self(void)
{
    if (tls_stand_in != NULL)
        return tls_stand_in;
    pthread_once(&stand_in_once, stand_in_make_key);
    edo__task *t = aligned_alloc(EDO__CACHE_LINE, sizeof *t);
    if (t == NULL) {
        fprintf(stderr, "edo: no memory for a foreign thread's stand-in (256 bytes)\n");
        abort();
    }
    *t = (edo__task){ .flags = EDO__TF_FOREIGN, .budget = EDO__BUDGET, .refs = 1 };
    pthread_setspecific(stand_in_key, t);
    tls_stand_in = t;
    return t;
}
