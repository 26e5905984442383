/* SPDX-License-Identifier: MIT */
/* The park protocol.
 *
 * The danger: a producer makes a task visible and sees that nobody sleeps, while the last awake
 * worker has looked everywhere, found nothing, and falls asleep. The task then waits for ever
 * beside idle workers. The danger on the other side: waking a worker for every task, which costs
 * more than the task.
 *
 * The rules:
 *   1. A producer (push to a queue, then notify) wakes a worker only if nobody is searching: a searcher
 *      will find the task. Whoever finds work while being the last searcher stops counting as one,
 *      then looks at all queues once more, and wakes another if there is anything left.
 *   2. At most half of the workers search at a time.
 *   3. A worker going to sleep first puts itself on the list of sleepers, then stops counting as a
 *      searcher. If it was the last one it looks at all queues once more, after that.
 *
 * Why no task is lost: take the producer's steps P1 (task visible in a queue), P2 (reads
 * "searching") and the last searcher's S1 (on the list), S2 (searching becomes 0), S3 (looks at all
 * queues). A full fence stands between P1 and P2, and between S2 and S3. So either S3 sees the
 * task, or P2 comes after S2 and reads 0; then the producer takes the lock and finds a sleeper,
 * since S1 came before S2. The last searcher that finds something does S2 and S3 alike (rule 1). A
 * worker that was not allowed to search (rule 2) does S3 as well unless it then sees a searcher, which
 * will reach either "found work" or sleep, and so S3.
 *
 * A searcher that does not get a processor finds nothing, and keeps others from being woken. When
 * work has waited for a searcher from one look of the monitor to the next, that wakes another one
 * (edo__idle_notify_more()); the first is a searcher like others when it comes.
 *
 * A worker named by notify is taken off the list and counted as a searcher there and then, under
 * the lock, so that a second producer does not wake a second one for what the first will find.
 *
 * The bed (edo__parker) is the usual three-state token: a notify before the sleeper blocks makes it
 * not block. tests/model/park.c runs this file under every interleaving, store buffers included. */
#include "core/park.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/spin.h"

#include <errno.h>
#include <stdlib.h>

int edo__idle_init(edo__idle *i, uint32_t workers, uint32_t room)
{
    *i = (edo__idle){ .n = workers, .present = workers };
    i->stack = calloc(room, sizeof *i->stack);
    i->asleep = calloc(room, sizeof *i->asleep);
    if (i->stack == NULL || i->asleep == NULL) {
        edo__idle_deinit(i);
        return -ENOMEM;
    }
    return 0;
}

void edo__idle_deinit(edo__idle *i)
{
    free(i->stack);
    free(i->asleep);
    i->stack = NULL;
    i->asleep = NULL;
}

/* Takes the one on top off the list and counts it as searching; under the lock. */
static int name_top(edo__idle *i, uint32_t n)
{
    uint32_t worker = i->stack[n - 1];
    i->asleep[worker] = 0;
    edo__astore(&i->sleeping, n - 1, EDO__RLX);
    edo__aadd(&i->word, 1u, EDO__SC);
    return (int)worker;
}

int edo__idle_notify(edo__idle *i)
{
    edo__afence(EDO__SC); /* P1 before P2; pairs with the fence in edo__idle_sleep() */
    if (edo__aload(&i->word, EDO__RLX) != 0 || edo__aload(&i->sleeping, EDO__RLX) == 0)
        return -1;
    edo__spin_lock(&i->lock);
    uint32_t n = edo__aload(&i->sleeping, EDO__RLX);
    bool needed = n > 0 && edo__aload(&i->word, EDO__RLX) == 0;
    int worker = needed ? name_top(i, n) : -1;
    edo__spin_unlock(&i->lock);
    return worker;
}

int edo__idle_notify_more(edo__idle *i)
{
    edo__spin_lock(&i->lock);
    uint32_t n = edo__aload(&i->sleeping, EDO__RLX);
    int worker = n > 0 ? name_top(i, n) : -1;
    edo__spin_unlock(&i->lock);
    return worker;
}

bool edo__idle_search(edo__idle *i)
{
    /* relaxed: rule 2 is a limit by rule of thumb, overshooting by a few does no harm */
    if (2 * edo__aload(&i->word, EDO__RLX) >= i->n)
        return false;
    edo__aadd(&i->word, 1u, EDO__SC);
    return true;
}

bool edo__idle_search_end(edo__idle *i)
{
    uint32_t before = edo__asub(&i->word, 1u, EDO__SC);
    edo_debug_assert(before > 0);
    edo__afence(EDO__SC); /* as in edo__idle_sleep(): S2 before S3 */
    return before == 1;
}

bool edo__idle_sleep(edo__idle *i, uint32_t worker, bool searching)
{
    edo__spin_lock(&i->lock);
    uint32_t n = edo__aload(&i->sleeping, EDO__RLX);
    edo_assert(n < i->present && i->asleep[worker] == 0);
    i->stack[n] = (uint16_t)worker;
    i->asleep[worker] = 1;
    edo__astore(&i->sleeping, n + 1, EDO__RLX);                     /* S1 */
    bool last = searching && edo__asub(&i->word, 1u, EDO__SC) == 1; /* S2 */
    edo__spin_unlock(&i->lock);
    edo__afence(EDO__SC); /* S1, S2 before S3; pairs with the fence in edo__idle_notify() */
    return last || (!searching && edo__aload(&i->word, EDO__RLX) == 0);
}

bool edo__idle_leave(edo__idle *i, uint32_t worker)
{
    edo__spin_lock(&i->lock);
    bool named = i->asleep[worker] == 0;
    if (!named) {
        uint32_t n = edo__aload(&i->sleeping, EDO__RLX);
        uint32_t at = n;
        while (at > 0 && i->stack[at - 1] != worker)
            at--;
        edo_assert(at > 0);
        for (; at < n; at++)
            i->stack[at - 1] = i->stack[at];
        i->asleep[worker] = 0;
        edo__astore(&i->sleeping, n - 1, EDO__RLX);
    }
    edo__spin_unlock(&i->lock);
    return named;
}

void edo__idle_join(edo__idle *i)
{
    edo__spin_lock(&i->lock);
    edo__astore(&i->present, i->present + 1, EDO__RLX);
    edo__spin_unlock(&i->lock);
}

void edo__idle_quit(edo__idle *i)
{
    edo__spin_lock(&i->lock);
    edo_assert(edo__aload(&i->sleeping, EDO__RLX) < i->present);
    edo__astore(&i->present, i->present - 1, EDO__RLX);
    edo__spin_unlock(&i->lock);
}

bool edo__idle_all_asleep(edo__idle *i)
{
    if (!edo__spin_try(&i->lock))
        return false;
    /* Under the lock: a spare that goes from the list to rest between the two is not counted
     * twice. */
    bool all = edo__aload(&i->sleeping, EDO__RLX) == edo__aload(&i->present, EDO__RLX);
    edo__spin_unlock(&i->lock);
    return all;
}

bool edo__parker_prepare(edo__parker *p)
{
    uint32_t state = EDO__PARKER_AWAKE;
    /* pairs with the exchange in edo__parker_notify() */
    return edo__acas(&p->state, &state, EDO__PARKER_ASLEEP, EDO__SC, EDO__SC);
}

void edo__parker_done(edo__parker *p)
{
    /* acquire: sees what the waker did before; pairs with edo__parker_notify() */
    edo__axchg(&p->state, EDO__PARKER_AWAKE, EDO__AR);
}

bool edo__parker_notify(edo__parker *p)
{
    return edo__axchg(&p->state, EDO__PARKER_NOTIFIED, EDO__SC) == EDO__PARKER_ASLEEP;
}
