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

NUMBER(u8, uint8_t, true)
NUMBER(u16be, uint16_t, true)
NUMBER(u16le, uint16_t, false)
NUMBER(u32be, uint32_t, true)
NUMBER(u32le, uint32_t, false)
NUMBER(u64be, uint64_t, true)
NUMBER(u64le, uint64_t, false)
NUMBER(i8, int8_t, true)
NUMBER(i16be, int16_t, true)
NUMBER(i16le, int16_t, false)
NUMBER(i32be, int32_t, true)
NUMBER(i32le, int32_t, false)
NUMBER(i64be, int64_t, true)
NUMBER(i64le, int64_t, false)

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
