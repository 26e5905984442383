/* SPDX-License-Identifier: MIT */
/* Edo: a stream that follows a script, for the tests of programs: it gives these bytes, expects
 * those, waits, fails. */
#ifndef EDO_MOCK_H
#define EDO_MOCK_H

#include <edo/io.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum edo_mock_kind {
    EDO_MOCK_READ,        /* these bytes are read                                          */
    EDO_MOCK_WRITE,       /* these bytes have to be written                                */
    EDO_MOCK_WAIT,        /* so long nothing happens: by the runtime's clock, paused or not */
    EDO_MOCK_READ_ERROR,  /* a read fails with this code                                   */
    EDO_MOCK_WRITE_ERROR, /* a write fails with this code                                  */
} edo_mock_kind;

/* One step of the script. */
typedef struct edo_mock_step {
    edo_mock_kind kind;
    const void *data; /* READ, WRITE                                           */
    size_t n;         /* READ, WRITE: bytes                                    */
    int64_t wait;     /* WAIT: nanoseconds                                     */
    int code;         /* READ_ERROR, WRITE_ERROR: negative                     */
} edo_mock_step;

/* edo_stream_mock - a stream that follows a script, step after step. A read waits while the script
 * is at a write and the other way round; behind the last step, reads give the end. Bytes may be read
 * and written in any pieces.
 * @steps: stay valid until the stream is closed; @count: how many. A READ of no bytes is an end that
 *   passes.
 * Returns 0; -ENOMEM; -EINVAL for a WRITE of no bytes. Writing something else than expected, or
 * anything behind the end, gives -EPROTO; so does edo_close() when that happened, or when steps are
 * left.
 *
 *     static const edo_mock_step steps[] = {
 *         { .kind = EDO_MOCK_WRITE, .data = "PING\r\n", .n = 6 },
 *         { .kind = EDO_MOCK_WAIT, .wait = EDO_SEC(1) },
 *         { .kind = EDO_MOCK_READ, .data = "+PONG\r\n", .n = 7 },
 *     };
 *     rc = edo_stream_mock(&s, steps, 3);
 *     rc = ping(s);
 *     rc = edo_close(s);                        // -EPROTO if it was not so
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_stream_mock(edo_stream **out, const edo_mock_step *steps, size_t count);

#ifdef __cplusplus
}
#endif
#endif
