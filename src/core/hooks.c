/* SPDX-License-Identifier: MIT */
/* The user's hooks.
 *
 * The paths they are on must not know of them while none is set. So each hangs on something that is
 * tested in any case: a spawn's on the count of spawns (each one is then the next sample, see
 * meter.c), a run's on the WATCH bit by which runs are measured, the end's on the flag by which a
 * task's argument is freed; those of threads are where a system call is.
 *
 * While a hook runs, its thread is as one that is no worker: edo__self() is the thread's stand-in.
 * A suspension would be one of the scheduler itself, or of a spawn that has taken note of its
 * worker; it is caught where a stand-in waits (wait.c). What a hook makes runnable goes the usual
 * way of this worker's queue. None of these functions may be inlined: their callers may be on
 * another thread afterwards, or before. */
#include "core/hooks.h"

#include "core/sched.h"

static __thread bool tls_in_hook;

__attribute__((noinline)) bool edo__in_hook(void)
{
    __asm__ __volatile__("" ::: "memory");
    return tls_in_hook;
}

/* Returns what leave() needs. */
static edo__task *enter(void)
{
    edo__task *self = edo__tls_self;
    edo__tls_self = NULL;
    tls_in_hook = true;
    return self;
}

static void leave(edo__task *self)
{
    tls_in_hook = false;
    edo__tls_self = self;
}

bool edo__hooks_of_runs(const edo_hooks *h)
{
    return h->on_task_run != NULL || h->on_task_suspend != NULL;
}

bool edo__hooks_of_tasks(const edo_hooks *h)
{
    return edo__hooks_of_runs(h) || h->on_task_spawn != NULL || h->on_task_end != NULL;
}

static void call_thread(void (*hook)(void *arg, const edo_thread_info *thread),
                        const edo_runtime *rt, edo_thread_info thread)
{
    if (edo__likely(hook == NULL))
        return;
    edo__task *self = enter();
    hook(rt->config.hooks.arg, &thread);
    leave(self);
}

static edo_thread_info info_of(const edo__worker *w)
{
    return (edo_thread_info){
        .kind = w->index < w->rt->n_workers ? EDO_THREAD_WORKER : EDO_THREAD_SPARE,
        .index = w->index,
    };
}

__attribute__((noinline)) void edo__hook_worker(edo__worker *w, bool starts)
{
    const edo_hooks *h = &w->rt->config.hooks;
    call_thread(starts ? h->on_thread_start : h->on_thread_stop, w->rt, info_of(w));
}

__attribute__((noinline)) void edo__hook_blocking(edo_runtime *rt, bool starts)
{
    const edo_hooks *h = &rt->config.hooks;
    call_thread(starts ? h->on_thread_start : h->on_thread_stop, rt,
                (edo_thread_info){ .kind = EDO_THREAD_BLOCKING });
}

__attribute__((noinline)) bool edo__hook_park(edo__worker *w)
{
    const edo_hooks *h = &w->rt->config.hooks;
    call_thread(h->on_thread_park, w->rt, info_of(w));
    return h->on_thread_park != NULL;
}

__attribute__((noinline)) void edo__hook_unpark(edo__worker *w)
{
    call_thread(w->rt->config.hooks.on_thread_unpark, w->rt, info_of(w));
}

static edo_task_info task_info(const edo__task *t)
{
    return (edo_task_info){ .id = edo__task_id(t), .name = t->name, .site = t->site };
}

__attribute__((noinline)) void edo__hook_spawn(edo__task *t)
{
    const edo_hooks *h = &t->rt->config.hooks;
    if (tls_in_hook || !edo__hooks_of_tasks(h))
        return;
    t->flags |= EDO__TF_HOOKED;
    if (h->on_task_spawn == NULL)
        return;
    edo_task_info info = task_info(t);
    edo__task *self = enter();
    h->on_task_spawn(h->arg, &info);
    leave(self);
}

__attribute__((noinline)) void edo__hook_run(edo__task *t)
{
    const edo_hooks *h = &t->rt->config.hooks;
    if (h->on_task_run == NULL)
        return;
    edo_task_info info = task_info(t);
    edo__task *self = enter();
    h->on_task_run(h->arg, &info);
    leave(self);
}

__attribute__((noinline)) void edo__hook_suspend(edo__task *t, const char *why)
{
    const edo_hooks *h = &t->rt->config.hooks;
    if (h->on_task_suspend == NULL)
        return;
    edo_task_info info = task_info(t);
    edo__task *self = enter();
    h->on_task_suspend(h->arg, &info, why);
    leave(self);
}

__attribute__((noinline)) void edo__hook_end(edo__task *t, int code)
{
    const edo_hooks *h = &t->rt->config.hooks;
    if (h->on_task_end == NULL)
        return;
    edo_task_info info = task_info(t);
    edo__task *self = enter();
    h->on_task_end(h->arg, &info, code);
    leave(self);
}
