/* SPDX-License-Identifier: MIT */
/* Numbers into a buffered writer. */
#include "io/bytes.h"

#include <edo/writer.h>
#include <string.h>

static int put(edo_writer *w, uint64_t v, size_t n, bool big)
{
    void *to;
    ssize_t room = edo_writer_room(w, n, &to);
    if (room < 0)
        return (int)room;
    edo__put_bytes(to, v, n, big);
    edo_writer_advance(w, n);
    return 0;
}

/* One function per kind of number: name, type, order. */
#define NUMBER(name, type, big)                                                                    \
    int edo_writer_##name(edo_writer *w, type v)                                                   \
    {                                                                                              \
        return put(w, (uint64_t)v, sizeof v, big);                                                 \
    }

EDO__NUMBERS(NUMBER)

static uint32_t bits_of_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static uint64_t bits_of_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

int edo_writer_f32be(edo_writer *w, float v)
{
    return put(w, bits_of_float(v), sizeof v, true);
}

int edo_writer_f32le(edo_writer *w, float v)
{
    return put(w, bits_of_float(v), sizeof v, false);
}

int edo_writer_f64be(edo_writer *w, double v)
{
    return put(w, bits_of_double(v), sizeof v, true);
}

int edo_writer_f64le(edo_writer *w, double v)
{
    return put(w, bits_of_double(v), sizeof v, false);
}
