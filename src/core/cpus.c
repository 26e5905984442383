/* SPDX-License-Identifier: MIT */
/* Binding workers to CPUs (`pin_workers`): each to one of those its runtime may use, the first to the
 * first and so on, but where other runtimes of the process have bound workers already, those CPUs
 * come last.
 *
 * Only workers are bound. Spares stand in for workers that are held and must run where there is
 * room; blocking threads are many. Since a thread inherits the CPUs of its creator, all that are
 * not bound say so as soon as any worker of the process ever was.
 *
 * Nothing here is needed for a program to be right: where the kernel refuses (a CPU was taken away, a
 * container forbids it) that is said once per runtime, and it goes on unbound. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/cpus.h"

#include "arch/affinity.h"
#include "core/sched.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint32_t lock;                 /* over taken */
static uint16_t taken[EDO__CPUS_MAX]; /* workers bound to it, of all runtimes */
static uint32_t any_bound;            /* atomic: 1 from the first binding on */

/* The CPUs the calling thread may use, but for what this file has done to it. */
static int cpus_of_caller(cpu_set_t *out)
{
    const edo__worker *w = edo__thread_worker();
    if (w == NULL || w->cpu < 0)
        return edo__affinity_get(out);
    *out = w->rt->cpus;
    return 0;
}

unsigned edo__cpus_usable(void)
{
    cpu_set_t set;
    if (cpus_of_caller(&set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than cpu_set_t holds */
    return n > 0 ? (unsigned)n : 1;
}

static void complain(edo_runtime *rt, int code)
{
    if (edo__axchg(&rt->cpus_told, 1u, EDO__RLX) == 0)
        fprintf(stderr,
                "edo: runtime \"%s\": a worker cannot be bound to a CPU (pin_workers): %s\n",
                rt->name, strerror(-code));
}

/* Under the lock: the CPU with the fewest workers. */
static int16_t take_cpu(const cpu_set_t *set)
{
    int16_t best = -1;
    for (int16_t cpu = 0; cpu < EDO__CPUS_MAX; cpu++) {
        if (CPU_ISSET((size_t)cpu, set) && (best < 0 || taken[cpu] < taken[best]))
            best = cpu;
    }
    if (best >= 0)
        taken[best]++;
    return best;
}

void edo__cpus_open(edo_runtime *rt)
{
    int rc = cpus_of_caller(&rt->cpus);
    rt->cpus_known = rc == 0;
    if (!rt->config.pin_workers)
        return;
    if (rc < 0) {
        complain(rt, rc);
        return;
    }
    edo__astore(&any_bound, 1u, EDO__RLX); /* relaxed: seen by the threads that bound ones start */
    edo__spin_lock(&lock);
    for (uint32_t i = 0; i < rt->n_workers; i++)
        rt->workers[i].cpu = take_cpu(&rt->cpus);
    edo__spin_unlock(&lock);
}

void edo__cpus_close(edo_runtime *rt)
{
    edo__spin_lock(&lock);
    for (uint32_t i = 0; i < rt->n_workers; i++) {
        if (rt->workers[i].rt != NULL && rt->workers[i].cpu >= 0)
            taken[rt->workers[i].cpu]--;
    }
    edo__spin_unlock(&lock);
}

void edo__cpus_enter(edo__worker *w)
{
    if (w->cpu < 0) {
        edo__cpus_enter_free(w->rt);
        return;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)w->cpu, &one);
    int rc = edo__affinity_set(&one);
    if (rc < 0)
        complain(w->rt, rc);
}

void edo__cpus_leave(edo__worker *w)
{
    if (w->cpu >= 0 && !w->has_thread)
        (void)edo__affinity_set(&w->rt->cpus);
}

void edo__cpus_enter_free(edo_runtime *rt)
{
    if (edo__aload(&any_bound, EDO__RLX) != 0 && rt->cpus_known)
        (void)edo__affinity_set(&rt->cpus);
}

void edo__cpus_free_thread(pthread_t thread)
{
    const edo__worker *w = edo__thread_worker();
    if (w != NULL && w->cpu >= 0)
        (void)pthread_setaffinity_np(thread, sizeof w->rt->cpus, &w->rt->cpus);
}
