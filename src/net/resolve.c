/* SPDX-License-Identifier: MIT */
/* Names to addresses: getaddrinfo(3) on a thread of the blocking pool.
 *
 * The call cannot be stopped once it runs, and a cancelled task does not wait for it. So the lookup
 * lives on the heap with two references, the waiter's and the job's, and whoever is last frees
 * it. */
#include "net/resolve.h"

#include "core/pool.h"
#include "core/sched.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef struct lookup {
    edo__job job;  /* first member */
    edo__waitq q;  /* the waiter; q.lock is over code too, until the job is done */
    uint32_t refs; /* atomic */
    bool done;
    int code;
    edo__address found[EDO__ADDRESSES_MAX];
    char host[EDO__HOST_MAX + 1];
} lookup;

static void release(lookup *l)
{
    /* release and acquire: everything the other one did is done before it is freed */
    if (edo__asub(&l->refs, 1, EDO__AR) == 1)
        free(l);
}

static int code_of(int error)
{
    switch (error) {
    case EAI_MEMORY: return -ENOMEM;
    default: return EDO_EHOST;
    }
}

static int look_up(edo__address *out, const char *host)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return code_of(rc);
    int n = 0;
    for (const struct addrinfo *a = list; a != NULL && n < EDO__ADDRESSES_MAX; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) && a->ai_addrlen <= sizeof *out)
            memcpy(&out[n++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
    return n > 0 ? n : EDO_EHOST;
}

static void run(edo__job *job)
{
    lookup *l = (lookup *)job;
    int code = look_up(l->found, l->host);
    edo__spin_lock(&l->q.lock);
    l->code = code;
    l->done = true;
    edo__waiter *w = edo__waitq_pop(&l->q);
    edo__task *t = w != NULL ? w->task : NULL;
    uint32_t was = w != NULL ? edo__claim(t, w->code) : EDO__WORD_IDLE;
    edo__spin_unlock(&l->q.lock);
    if (was != EDO__WORD_IDLE)
        edo__claimed(t, was);
    release(l);
}

/* 0 when the job is done, or -ECANCELED. */
static int wait_done(lookup *l, edo__task *self)
{
    edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
    edo__spin_lock(&l->q.lock);
    if (l->done) {
        edo__spin_unlock(&l->q.lock);
        return 0;
    }
    if (!edo__wait_begin(self, true)) {
        edo__spin_unlock(&l->q.lock);
        return -ECANCELED;
    }
    edo__waitq_push(&l->q, &w);
    edo__spin_unlock(&l->q.lock);
    if (edo__wait_commit(self, &l->q.lock, EDO__WHY_BLOCKING, NULL) == EDO__WAKE_OK)
        return 0;
    edo__spin_lock(&l->q.lock);
    edo__waitq_remove(&l->q, &w);
    edo__spin_unlock(&l->q.lock);
    return -ECANCELED;
}

static int look_up_on_pool(edo__task *self, edo__address *out, const char *host)
{
    lookup *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    l->job.run = run;
    l->job.cls = EDO__JOB_DNS;
    l->refs = 2;
    memcpy(l->host, host, strlen(host) + 1);
    edo__pool *pool = self->rt->pool;
    int rc = edo__pool_submit(pool, &l->job);
    if (rc < 0) {
        free(l);
        return rc;
    }
    rc = wait_done(l, self);
    if (rc == 0) {
        rc = l->code;
        if (rc > 0)
            memcpy(out, l->found, (size_t)rc * sizeof *out);
    } else if (edo__pool_cancel(pool, &l->job)) {
        release(l); /* the job's: it never runs */
    }
    release(l);
    return rc;
}

int edo__resolve(edo__address *out, const char *host, uint16_t port)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc == 0)
        rc = edo__is_foreign(self) ? look_up(out, host) : look_up_on_pool(self, out, host);
    for (int i = 0; i < rc; i++)
        edo__address_set_port(&out[i], port);
    return rc;
}
