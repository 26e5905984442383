/* SPDX-License-Identifier: MIT */
/* The hub: catches signals and hands them to whoever is subscribed.
 *
 * A handler may do next to nothing. Ours counts the signal, notes where it came from, and wakes a
 * thread; all of that are atomics and sem_post(3), so that there is no descriptor that a fork()ed
 * child would share. The thread then looks which counts have changed and does what a handler cannot:
 * it takes locks, wakes tasks, cancels scopes. It is of no runtime, is started by the first
 * subscription, and stays. Signals that are subscribed to are not blocked in it: so they find
 * somebody, whatever the program's own threads block.
 *
 * Handlers of others. What was there before we came is called after ours; its mask and those flags
 * that others can tell are kept. It is put back when the last subscription to its signal ends. If
 * somebody has put a handler in front of ours meanwhile, theirs stays and ours, which they may call,
 * only passes on. Coming back then, we go in front of theirs: and as they may call us and we call
 * them, `passing` ends that circle.
 *
 * The lock is over the list of subscriptions and what is installed. It is held while a signal is
 * handed out: a subscription, and a scope it cancels, stay until then. */
#include "signal/signal.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "core/cpus.h"
#include "core/runtime.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

typedef void handler(int);
typedef void info_handler(int, siginfo_t *, void *);

typedef struct caught { /* one signal */
    uint32_t arrived;   /* atomic: how often it has come; added to by the handler */
    uint32_t handed;    /* of these, what was handed out; the hub's lock */
    uint32_t users;     /* subscriptions; the hub's lock */
    uint32_t info_lock; /* over info; the handler only tries it */
    edo_signal_info info;
    struct sigaction previous; /* before ours; the hub's lock */
    uintptr_t next;            /* atomic: its handler, 0 for none: what ours calls ... */
    uint32_t next_flags;       /* atomic: ... and how */
} caught;

static caught signals[EDO__SIGNALS + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static edo_signal *first, *last; /* open subscriptions, in order of opening */
static pid_t running;            /* the process that has the thread */
static sem_t news;               /* posted when the thread has to look */

/* Signals whose previous handlers this thread is in. */
static __thread uint64_t passing __attribute__((tls_model("initial-exec")));

/* Calls the handler that was there before. */
static void pass_on(caught *c, int number, siginfo_t *info, void *context)
{
    uint32_t flags = edo__aload(&c->next_flags, EDO__ACQ); /* pairs with remember() */
    uintptr_t next = edo__aload(&c->next, EDO__ACQ);
    if (next != 0 && (flags & SA_RESETHAND) != 0)
        next = edo__axchg(&c->next, 0, EDO__AR); /* one that wanted to be called once */
    if (next == 0)
        return;
    if ((flags & SA_SIGINFO) != 0)
        ((info_handler *)next)(number, info, context);
    else
        ((handler *)next)(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    caught *c = &signals[number];
    if (edo__spin_try(&c->info_lock)) { /* if not, then another one of that number came as well */
        c->info = (edo_signal_info){ .number = number,
                                     .code = info->si_code,
                                     .value = info->si_value.sival_int,
                                     .pid = info->si_pid,
                                     .uid = info->si_uid };
        edo__spin_unlock(&c->info_lock);
    }
    edo__aadd(&c->arrived, 1u, EDO__REL); /* pairs with the load in hand_out() */
    sem_post(&news);
    uint64_t bit = EDO_SIG(number);
    if ((passing & bit) == 0) {
        passing |= bit;
        pass_on(c, number, info, context);
        passing &= ~bit;
    }
    errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

static bool has_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static void remember(caught *c, const struct sigaction *action)
{
    c->previous = *action;
    bool info = (action->sa_flags & SA_SIGINFO) != 0;
    uintptr_t next = info ? (uintptr_t)action->sa_sigaction : (uintptr_t)action->sa_handler;
    /* release, both: pairs with pass_on() */
    edo__astore(&c->next_flags, (uint32_t)action->sa_flags, EDO__REL);
    edo__astore(&c->next, has_handler(action) ? next : 0, EDO__REL);
}

/* What of the previous action goes on to apply. */
static int flags_kept(int number, const struct sigaction *before)
{
    int flags = before->sa_flags & (SA_NOCLDSTOP | SA_NOCLDWAIT);
    if (number == SIGCHLD && !has_handler(before) && before->sa_handler == SIG_IGN)
        flags |= SA_NOCLDWAIT; /* children that nobody waits for leave no zombies */
    /* A handler without it may be there to interrupt system calls. */
    flags |= has_handler(before) ? before->sa_flags & SA_RESTART : SA_RESTART;
    return flags;
}

static int install(int number)
{
    caught *c = &signals[number];
    struct sigaction before;
    if (sigaction(number, NULL, &before) != 0)
        return -errno;
    if (is_ours(&before))
        return 0;
    remember(c, &before);
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | flags_kept(number, &before),
                                .sa_mask = before.sa_mask };
    return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}

static void restore(int number)
{
    caught *c = &signals[number];
    struct sigaction now;
    if (sigaction(number, NULL, &now) != 0 || !is_ours(&now))
        return; /* somebody is in front of us, and may call us */
    bool used_up = ((uint32_t)c->previous.sa_flags & SA_RESETHAND) != 0 &&
                   has_handler(&c->previous) && edo__aload(&c->next, EDO__ACQ) == 0;
    if (used_up)
        c->previous = (struct sigaction){ .sa_handler = SIG_DFL };
    (void)sigaction(number, &c->previous, NULL);
}

/* Under the lock: s leaves the list, and what only it wanted is given back. */
static void leave(edo_signal *s)
{
    if (!s->edo__open)
        return;
    s->edo__open = false;
    *(s->edo__prev != NULL ? &s->edo__prev->edo__next : &first) = s->edo__next;
    *(s->edo__next != NULL ? &s->edo__next->edo__prev : &last) = s->edo__prev;
    for (int number = 1; number <= EDO__SIGNALS; number++)
        if ((s->edo__set & EDO_SIG(number)) != 0 && --signals[number].users == 0)
            restore(number);
}

/* Under the lock: what has come since the last look. */
static void hand_out(int number)
{
    caught *c = &signals[number];
    uint32_t arrived = edo__aload(&c->arrived, EDO__ACQ); /* pairs with on_signal() */
    uint32_t count = arrived - c->handed;
    if (count == 0)
        return;
    c->handed = arrived;
    edo_signal_info info;
    edo__signal_hub_info(number, &info);
    info.count = count;
    edo_signal *next;
    for (edo_signal *s = first; s != NULL; s = next) {
        next = s->edo__next;
        if ((s->edo__set & EDO_SIG(number)) == 0)
            continue;
        if (s->edo__once)
            leave(s); /* here and not by its task, which may not get to run */
        edo__signal_deliver(s, &info);
    }
}

static void hand_out_all(void)
{
    for (int number = 1; number <= EDO__SIGNALS; number++)
        hand_out(number);
}

void edo__signal_hub_info(int number, edo_signal_info *out)
{
    caught *c = &signals[number];
    edo__spin_lock(&c->info_lock);
    *out = c->info;
    edo__spin_unlock(&c->info_lock);
    out->number = number;
}

/* The thread's mask: the signals that are subscribed to may come here. */
static void set_mask(void)
{
    sigset_t mask;
    sigfillset(&mask);
    for (int number = 1; number <= EDO__SIGNALS; number++)
        if (signals[number].users > 0)
            sigdelset(&mask, number);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "edo-signal");
    for (;;) {
        while (sem_wait(&news) != 0) /* a signal has come to this thread */
            continue;
        while (sem_trywait(&news) == 0) /* one look for all that have come */
            continue;
        pthread_mutex_lock(&lock);
        hand_out_all();
        set_mask();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* Under the lock. A fork()ed child has the memory of a thread, but not the thread. */
static int start_thread(void)
{
    pid_t self = getpid();
    if (running == self)
        return 0;
    if (running == 0)
        sem_init(&news, 0, 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -EAGAIN;
    edo__cpus_free_thread(thread);
    pthread_detach(thread);
    running = self;
    return 0;
}

/* Whether the set may be subscribed to at all. */
static int check(uint64_t set)
{
    static const uint64_t impossible = EDO_SIG(SIGKILL) | EDO_SIG(SIGSTOP) | EDO_SIG(SIGSEGV) |
                                       EDO_SIG(SIGBUS) | EDO_SIG(SIGFPE) | EDO_SIG(SIGILL);
    if (set == 0 || (set & impossible) != 0)
        return -EINVAL;
    int dump = edo__config_dump_signal();
    uint64_t ours = EDO_SIG(SIGURG) | (dump > 0 ? EDO_SIG(dump) : 0);
    return (set & ours) != 0 ? -EBUSY : 0;
}

/* Under the lock: all of s's signals, or none. */
static int install_all(const edo_signal *s)
{
    int rc = 0, number;
    for (number = 1; number <= EDO__SIGNALS && rc == 0; number++) {
        if ((s->edo__set & EDO_SIG(number)) == 0)
            continue;
        rc = signals[number].users > 0 ? 0 : install(number);
        signals[number].users += rc == 0;
    }
    if (rc == 0)
        return 0;
    for (number -= 2; number >= 1; number--) /* but for the one that was refused */
        if ((s->edo__set & EDO_SIG(number)) != 0 && --signals[number].users == 0)
            restore(number);
    return rc;
}

int edo__signal_hub_add(edo_signal *s)
{
    int rc = check(s->edo__set);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&lock);
    hand_out_all(); /* what came before is not for s */
    rc = start_thread();
    if (rc == 0)
        rc = install_all(s);
    if (rc == 0) {
        s->edo__open = true;
        s->edo__next = NULL;
        s->edo__prev = last;
        *(last != NULL ? &last->edo__next : &first) = s;
        last = s;
        sem_post(&news); /* the set of signals has changed, and with it the thread's mask */
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void edo__signal_hub_remove(edo_signal *s)
{
    pthread_mutex_lock(&lock);
    hand_out_all(); /* what came before is for s: it was kept from doing what it would have done */
    leave(s);
    sem_post(&news);
    pthread_mutex_unlock(&lock);
}
