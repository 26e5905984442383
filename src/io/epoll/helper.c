/* SPDX-License-Identifier: MIT */
/* Who watches descriptors for threads that are no workers: one more epoll instance with a thread of
 * its own, started by the first foreign thread that has to wait for a descriptor and kept from then
 * on. So there is one way of waiting, with the same cancels and deadlines for everybody. */
#include "io/epoll/epoll.h"

#include "core/cpus.h"
#include "core/sched.h"

#include <pthread.h>
#include <signal.h>

static edo__epoll helper;
static uint32_t running; /* atomic; written under start_lock */
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;

static void *helper_main(void *arg)
{
    edo__epoll *io = arg;
    for (;;)
        (void)edo__epoll_harvest(io, io->batch, EDO_FOREVER);
    return NULL;
}

static int start_thread(void)
{
    /* Signals are for the program's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = -pthread_create(&thread, NULL, helper_main, &helper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        edo__cpus_free_thread(thread);
        pthread_detach(thread);
    }
    return rc;
}

static int start(void)
{
    pthread_mutex_lock(&start_lock);
    int rc = 0;
    if (edo__aload(&running, EDO__RLX) == 0) { /* relaxed: under the lock */
        helper.helper = true;
        rc = edo__epoll_init(&helper, false);
        if (rc == 0) {
            rc = start_thread();
            if (rc < 0)
                edo__epoll_deinit(&helper);
        }
        if (rc == 0)
            edo__astore(&running, 1, EDO__REL); /* pairs with the acquire in edo__epoll_of() */
    }
    pthread_mutex_unlock(&start_lock);
    return rc;
}

int edo__epoll_of(const edo__task *self, edo__epoll **out)
{
    edo__epoll *io = NULL;
    if (!edo__is_foreign(self))
        io = self->rt->backend->epoll(self->worker);
    if (io == NULL) {
        if (edo__aload(&running, EDO__ACQ) == 0) {
            int rc = start();
            if (rc < 0)
                return rc;
        }
        io = &helper;
    }
    *out = io;
    return 0;
}
