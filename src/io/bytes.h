/* SPDX-License-Identifier: MIT */
/* Numbers as bytes, in either order. n: 1 to 8. */
#ifndef EDO_IO_BYTES_H
#define EDO_IO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void edo__put_bytes(unsigned char *to, uint64_t v, size_t n, bool big)
{
    for (size_t i = 0; i < n; i++, v >>= 8)
        to[big ? n - 1 - i : i] = (unsigned char)v;
}

static inline uint64_t edo__get_bytes(const unsigned char *from, size_t n, bool big)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | from[big ? i : n - 1 - i];
    return v;
}

/* One X per kind of number that is read and written: name, type, most significant byte first. */
#define EDO__NUMBERS(X)                                                                            \
    X(u8, uint8_t, true)                                                                           \
    X(u16be, uint16_t, true)                                                                       \
    X(u16le, uint16_t, false)                                                                      \
    X(u32be, uint32_t, true)                                                                       \
    X(u32le, uint32_t, false)                                                                      \
    X(u64be, uint64_t, true)                                                                       \
    X(u64le, uint64_t, false)                                                                      \
    X(i8, int8_t, true)                                                                            \
    X(i16be, int16_t, true)                                                                        \
    X(i16le, int16_t, false)                                                                       \
    X(i32be, int32_t, true)                                                                        \
    X(i32le, int32_t, false)                                                                       \
    X(i64be, int64_t, true)                                                                        \
    X(i64le, int64_t, false)

#endif
