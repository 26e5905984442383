/* SPDX-License-Identifier: MIT */
/* Names to addresses: getaddrinfo(3) on a thread of the blocking pool.
 *
 * The call cannot be stopped once it runs, and a cancelled task does not wait for it. So the lookup
 * lives on the heap with two references, the waiter's and the job's, and whoever is last frees
 * it. */
#include "net/resolve.h"

#include "core/pool.h"
#include "core/sched.h"

#include <edo/net.h>
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
    edo_address found[EDO__ADDRESSES_MAX];
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

static int look_up(edo_address *out, const char *host)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return code_of(rc);
    int n = 0;
    for (const struct addrinfo *a = list; a != NULL && n < EDO__ADDRESSES_MAX; a = a->ai_next)
        if (edo_address_from_sockaddr(&out[n], a->ai_addr, a->ai_addrlen) == 0)
            n++;
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

static int look_up_on_pool(edo__task *self, edo_address *out, const char *host)
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

int edo__resolve(edo_address *out, const char *host, uint16_t port)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc == 0)
        rc = edo__is_foreign(self) ? look_up(out, host) : look_up_on_pool(self, out, host);
    for (int i = 0; i < rc; i++)
        edo_address_set_port(&out[i], port);
    return rc;
}

static int every_address(edo_address *out, uint16_t port)
{
    (void)edo__address_numeric(&out[0], "::", port);
    (void)edo__address_numeric(&out[1], "0.0.0.0", port); /* for kernels without IPv6 */
    return 2;
}

int edo__addresses_of(const char *text, bool may_be_any, edo_address **list)
{
    edo__endpoint e;
    int rc = edo__endpoint_parse(&e, text);
    if (rc < 0)
        return rc;
    if (e.host[0] == '\0' && !may_be_any)
        return -EINVAL;
    /* Too large for a task's stack. */
    edo_address *a = malloc(EDO__ADDRESSES_MAX * sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    if (e.host[0] == '\0')
        rc = every_address(a, e.port);
    else if (edo__address_numeric(&a[0], e.host, e.port))
        rc = 1;
    else
        rc = edo__resolve(a, e.host, e.port);
    if (rc < 0)
        free(a);
    else
        *list = a;
    return rc;
}

int edo_lookup(const char *host, uint16_t port, edo_address *out, size_t room)
{
    edo_address a;
    int rc = edo__checkpoint(edo__self());
    if (rc < 0)
        return rc;
    size_t len = strlen(host);
    if (room == 0 || len == 0 || len > EDO__HOST_MAX)
        return -EINVAL;
    if (edo__address_numeric(&a, host, port)) {
        *out = a;
        return 1;
    }
    edo_address *list = malloc(EDO__ADDRESSES_MAX * sizeof *list);
    if (list == NULL)
        return -ENOMEM;
    rc = edo__resolve(list, host, port);
    if (rc > 0) {
        rc = (size_t)rc < room ? rc : (int)room;
        memcpy(out, list, (size_t)rc * sizeof *out);
    }
    free(list);
    return rc;
}
