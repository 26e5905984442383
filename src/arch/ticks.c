/* SPDX-License-Identifier: MIT */
/*
 * The counter is trusted where the kernel itself makes its clock of it (clocksource "tsc": constant
 * rate, the same on all processors) and the processor says that it never stops. Its rate is taken
 * from two readings 10 ms apart, and anew every second, because the kernel's clock is steered (by 500
 * ppm at most) and a virtual machine may move to another processor. Being wrong about the rate does
 * not add up: every 20 us it starts from the clock again.
 *
 * Valgrind and emulators run slower than their counter, and sanitizers would make a call of it: there
 * the clock is always asked.
 */
#include "arch/ticks.h"

#include "arch/valgrind.h"
#include "base/spin.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPAN_NS 20000
#define FIRST_NS 10000000   /* between the first two readings for the rate ...   */
#define AGAIN_NS 1000000000 /* ... and at least between all others             */
#define OLD_NS 10000000000  /* the machine may have been asleep between these   */
#define TOGETHER 4000 /* counts that reading the clock may take: else the thread was interrupted */

static uint32_t steady; /* atomic: whether the counter is to be trusted */

/* The rate, for all threads. Whoever finds it old and the lock free takes it anew. */
static struct {
    uint32_t lock; /* over the reading            */
    uint64_t read; /* the counter ...             */
    int64_t at;    /* atomic: ... and the clock; 0: not yet */
    uint64_t rate; /* atomic; 0: not known yet    */
} common;

static int64_t clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#if defined(__x86_64__) && !EDO__TSAN && !EDO__ASAN && !defined(EDO_MODEL)

#include <cpuid.h>

static bool never_stops(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
}

static bool clock_is_made_of_it(void)
{
    char name[4] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, name, sizeof name);
    close(fd);
    return n == sizeof name && memcmp(name, "tsc\n", sizeof name) == 0;
}

void edo__ticks_init(void)
{
    static uint32_t done; /* atomic: one thread looks; until then others ask the clock */
    if (edo__axchg(&done, 1u, EDO__RLX) == 0 && !RUNNING_ON_VALGRIND)
        edo__astore(&steady, never_stops() && clock_is_made_of_it(), EDO__RLX);
}

#else

void edo__ticks_init(void) {}

#endif

/* After a reading that was not interrupted: takes the rate anew if it is time to. */
static void calibrate(uint64_t read, int64_t at)
{
    int64_t since = edo__aload(&common.at, EDO__RLX);
    int64_t due = edo__aload(&common.rate, EDO__RLX) != 0 ? AGAIN_NS : FIRST_NS;
    if ((since != 0 && at - since < due) || !edo__spin_try(&common.lock))
        return;
    int64_t gone = at - common.at;
    if (common.at != 0 && gone >= due && gone < OLD_NS && read > common.read) {
        double rate = (double)gone / (double)(read - common.read);
        edo__astore(&common.rate, (uint64_t)(rate * 0x1p32), EDO__RLX);
    }
    common.read = read;
    edo__astore(&common.at, at, EDO__RLX);
    edo__spin_unlock(&common.lock);
}

int64_t edo__ticks_read(edo__ticks *t)
{
    if (edo__aload(&steady, EDO__RLX) == 0)
        return clock_now();
    uint64_t read = edo__arch_cycles();
    int64_t at = clock_now();
    t->span = 0;
    if (edo__arch_cycles() - read > TOGETHER)
        return at;
    calibrate(read, at);
    t->rate = edo__aload(&common.rate, EDO__RLX);
    t->read = read;
    t->at = at;
    t->span = t->rate != 0 ? ((uint64_t)SPAN_NS << 32) / t->rate : 0;
    return at;
}
