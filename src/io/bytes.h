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

#endif
