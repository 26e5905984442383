/* SPDX-License-Identifier: MIT */
/* The allocator of a test program, in front of the C library's: each allocation may be made to fail.
 * Included by the one file of the program, which says by allocation_fails() when. A sanitizer has an
 * allocator of its own: then OWN_MALLOC is 0 and nothing is here. */
#ifndef EDO_TEST_OWN_MALLOC_H
#define EDO_TEST_OWN_MALLOC_H

#include "test.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

#if OWN_MALLOC
static long alive; /* atomic: blocks allocated and not freed */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static bool allocation_fails(void);

static bool refuse(void)
{
    if (!allocation_fails())
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *p)
{
    if (p != NULL)
        __atomic_add_fetch(&alive, 1, __ATOMIC_ACQ_REL);
    return p;
}

void *malloc(size_t size)
{
    return refuse() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return refuse() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    if (refuse())
        return NULL;
    return p == NULL ? counted(__libc_malloc(size)) : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refuse() ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *p)
{
    if (p != NULL)
        __atomic_sub_fetch(&alive, 1, __ATOMIC_ACQ_REL);
    __libc_free(p);
}
#endif
#endif
