/* SPDX-License-Identifier: MIT */
/* Edo, common ground of every public header: result codes, time units, attributes.
 *
 * Every call returns >= 0 on success and a negative code on failure. A code is a negated errno
 * value or one of the library's own below -4095 (the kernel never returns those: -4095 is its
 * MAX_ERRNO). errno itself is never used to report: it belongs to a thread, and a task may
 * continue on another one. */
#ifndef EDO_BASE_H
#define EDO_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDO_VERSION_MAJOR 0
#define EDO_VERSION_MINOR 1
#define EDO_VERSION_PATCH 0

/* The result must be looked at. */
#define EDO_MUST_CHECK __attribute__((warn_unused_result))

/* Instants and durations are int64_t nanoseconds on the monotonic clock of edo_now(). */
#define EDO_FOREVER INT64_MAX
#define EDO_US(n) ((int64_t)(n)*1000)
#define EDO_MS(n) ((int64_t)(n)*1000000)
#define EDO_SEC(n) ((int64_t)(n)*1000000000)

/* Codes of the library's own. Names and texts come from one table, see edo_errname(). */
enum {
    EDO_EEOF = -4096,        /* the stream ended before all bytes were there                  */
    EDO_EOVERSIZE = -4097,   /* the data is larger than the limit that was set for it         */
    EDO_ESTACK = -4098,      /* no stack could be had                                         */
    EDO_EHTTP = -4200,       /* HTTP: the transfer failed; edo_http_error has the details     */
    EDO_EHTTPSTATUS = -4201, /* HTTP: the server answered with a status that is no success */
    EDO_ETLS = -4202,        /* TLS: handshake or certificate failure                         */
    EDO_EHOST = -4203,       /* the host name could not be resolved                           */
};

/* A task's or a job's body. The result is a code: >= 0 success, negative failure. */
typedef int edo_fn(void *arg);

/* edo_errname - the symbolic name of a code, "ECANCELED" for -ECANCELED.
 * @code: what a call returned; >= 0 gives "OK".
 * Returns a static string, "UNKNOWN" for a code in no table.
 *
 *     printf("%s\n", edo_errname(-ETIMEDOUT));    // ETIMEDOUT
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_errname(int code);

/* edo_strerror - what a code means, in words.
 * @code: what a call returned.
 * Returns a static string.
 *
 *     fprintf(stderr, "cannot connect: %s\n", edo_strerror(rc));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_strerror(int code);

/* Spawn sites: "file:line" of the call, for dumps and reports. */
#define EDO__STR2(x) #x
#define EDO__STR(x) EDO__STR2(x)
#define EDO__HERE __FILE__ ":" EDO__STR(__LINE__)

#ifdef __cplusplus
}
#endif
#endif
