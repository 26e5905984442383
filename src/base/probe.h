/* SPDX-License-Identifier: MIT */
/* USDT probes of the provider `edo`: places where perf, bpftrace, SystemTap or gdb can attach to a
 * running program. Each is one nop, and a note in the file that says where it is and where its
 * arguments are: in the register or the field of memory that the compiler has them in anyway. So a
 * probe's arguments are variables and fields, never calls; what would have to be computed does not
 * belong here unless the path is a slow one. No argument is a single byte: gdb does not know the names
 * that registers of that size have.
 *
 * docs/operating/probes.md lists all of them; tests/house/probes.sh compares. */
#ifndef EDO_BASE_PROBE_H
#define EDO_BASE_PROBE_H

#include <stdint.h>

#ifdef EDO_PROBES
#ifdef __clang__
/* Where memory is allowed, clang copies registers to the stack to have it so. */
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>
#define EDO__PROBE1(name, a) STAP_PROBE1(edo, name, a)
#define EDO__PROBE2(name, a, b) STAP_PROBE2(edo, name, a, b)
#define EDO__PROBE3(name, a, b, c) STAP_PROBE3(edo, name, a, b, c)
#define EDO__PROBE4(name, a, b, c, d) STAP_PROBE4(edo, name, a, b, c, d)
#else
#define EDO__PROBE1(name, a) ((void)sizeof(a))
#define EDO__PROBE2(name, a, b) ((void)sizeof(a), (void)sizeof(b))
#define EDO__PROBE3(name, a, b, c) ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c))
#define EDO__PROBE4(name, a, b, c, d)                                                              \
    ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c), (void)sizeof(d))
#endif

/* For short functions with a probe: a compiler that decides what to inline takes the lines of the
 * probe's note for instructions. */
#define EDO__INLINE inline __attribute__((always_inline))

#define EDO__PROBE_NOBODY UINT32_MAX /* for a worker's number: a thread that is none */

/* A constant, for an argument that is a variable at other places of the same probe: tools that make
 * one event of all of them want them to look the same. Costs an instruction. */
static inline uint32_t edo__probe_value(uint32_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

#endif
