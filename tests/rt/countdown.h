/* SPDX-License-Identifier: MIT */
/* The n-th allocation of the calling thread fails: countdown = n. It is 0 when that has happened. For
 * one call at a time; nomem.h fails every allocation of an attempt in turn. */
#ifndef EDO_TEST_COUNTDOWN_H
#define EDO_TEST_COUNTDOWN_H

#include "own_malloc.h"

#if OWN_MALLOC
static _Thread_local int countdown; /* the allocation that fails; 0: none */

static bool allocation_fails(void)
{
    return countdown > 0 && --countdown == 0;
}
#endif
#endif
