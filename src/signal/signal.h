/* SPDX-License-Identifier: MIT */
/* Signals from the inside: the hub catches them and hands them to the subscriptions. See hub.c. */
#ifndef EDO_SIGNAL_SIGNAL_H
#define EDO_SIGNAL_SIGNAL_H

#include <edo/signal.h>

#define EDO__SIGNALS 64 /* numbers are 1 to this */

/* hub.c. s: its set, scope and once are set. As edo_signal_open() and _close(). */
int edo__signal_hub_add(edo_signal *s);
void edo__signal_hub_remove(edo_signal *s);
/* What came with the last signal of that number. */
void edo__signal_hub_info(int number, edo_signal_info *out);

/* signal.c: `count` signals for a subscription; info is the last one's. By the hub, its lock held. */
void edo__signal_deliver(edo_signal *s, const edo_signal_info *info);

#endif
