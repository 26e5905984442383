/* SPDX-License-Identifier: MIT */
/* Tokens from the inside. */
#ifndef EDO_CORE_TOKEN_H
#define EDO_CORE_TOKEN_H

#include "core/wait.h"

/* Ties an open scope to the token, which cancels it from then on (at once when it is cancelled). */
void edo__token_enter(edo_token *t, edo_scope *s);
void edo__token_leave(edo_scope *s);

/* select's part. 1: cancelled already; 0: w is registered. */
int edo__token_watch(edo_token *t, edo__waiter *w);
void edo__token_unwatch(edo_token *t, edo__waiter *w);

#endif
