/* SPDX-License-Identifier: MIT */
/* The slots of all descriptor numbers, in chunks that are made when first needed and never freed or
 * moved: looking one up takes no lock. One table for the process, because descriptor numbers are
 * the process's and a stream may be used by tasks of several runtimes. */
#include "io/epoll/epoll.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK_SLOTS 1024
#define CHUNKS 4096 /* 4 Mi descriptors */

static edo__slot *chunks[CHUNKS]; /* atomic */

edo__slot *edo__slot_find(int fd)
{
    if (fd < 0 || fd >= CHUNKS * CHUNK_SLOTS)
        return NULL;
    /* pairs with the release in make_chunk() */
    edo__slot *chunk = edo__aload(&chunks[fd / CHUNK_SLOTS], EDO__ACQ);
    return chunk != NULL ? &chunk[fd % CHUNK_SLOTS] : NULL;
}

static int make_chunk(int index)
{
    edo__slot *chunk = aligned_alloc(EDO__CACHE_LINE, CHUNK_SLOTS * sizeof *chunk);
    if (chunk == NULL)
        return -ENOMEM;
    for (int i = 0; i < CHUNK_SLOTS; i++)
        chunk[i] = (edo__slot){ .fd = index * CHUNK_SLOTS + i };
    edo__slot *none = NULL;
    /* release: pairs with the acquire in edo__slot_find() */
    if (!edo__acas(&chunks[index], &none, chunk, EDO__REL, EDO__RLX))
        free(chunk); /* another thread was faster */
    return 0;
}

int edo__slot_get(int fd, edo__slot **out)
{
    if (fd < 0)
        return -EBADF;
    if (fd >= CHUNKS * CHUNK_SLOTS)
        return -EMFILE;
    edo__slot *s = edo__slot_find(fd);
    if (s == NULL) {
        int rc = make_chunk(fd / CHUNK_SLOTS);
        if (rc < 0)
            return rc;
        s = edo__slot_find(fd);
    }
    *out = s;
    return 0;
}

void edo__slot_evict(edo__epoll *home)
{
    for (int fd = 0; fd < CHUNKS * CHUNK_SLOTS; fd++) {
        edo__slot *s = edo__slot_find(fd);
        if (s == NULL) {
            fd += CHUNK_SLOTS - 1; /* the whole chunk is missing */
            continue;
        }
        edo__spin_lock(&s->q.lock);
        bool here = s->home == home;
        if (here)
            edo__slot_disarm(s);
        edo__spin_unlock(&s->q.lock);
        if (here)
            edo__slot_wake_all(s, false);
    }
}
