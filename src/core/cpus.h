/* SPDX-License-Identifier: MIT */
/* Which CPUs threads run on. See cpus.c. */
#ifndef EDO_CORE_CPUS_H
#define EDO_CORE_CPUS_H

#include <pthread.h>

struct edo_runtime;
struct edo__worker;

/* How many CPUs the calling thread may use, or may when it is no bound worker. */
unsigned edo__cpus_usable(void);

/* Around a runtime's life: notes which CPUs it may use, and with `pin_workers` gives each worker
 * one. */
void edo__cpus_open(struct edo_runtime *rt);
void edo__cpus_close(struct edo_runtime *rt);

/* On a worker's thread: binds it to its CPU if it has one. leave: gives a thread that is not the
 * runtime's back the CPUs it had. */
void edo__cpus_enter(struct edo__worker *w);
void edo__cpus_leave(struct edo__worker *w);

/* On any other thread of rt's: a thread inherits the CPUs of the one that started it, which may have
 * been a bound worker. */
void edo__cpus_enter_free(struct edo_runtime *rt);
/* The same for a thread the caller has just started, of no runtime in particular. */
void edo__cpus_free_thread(pthread_t thread);

#endif
