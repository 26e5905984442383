/* SPDX-License-Identifier: MIT */
/* Numbers out of a buffered reader. */
#include "io/bytes.h"

#include <edo/reader.h>
#include <string.h>

static int get(edo_reader *r, size_t n, bool big, uint64_t *v)
{
    const void *from;
    ssize_t rc = edo_reader_exact(r, n, &from);
    if (rc < 0)
        return (int)rc;
    *v = edo__get_bytes(from, n, big);
    return 0;
}

/* One function per kind of number: name, type, order. */
#define NUMBER(name, type, big)                                                                    \
    int edo_reader_##name(edo_reader *r, type *v)                                                  \
    {                                                                                              \
        uint64_t bits = 0;                                                                         \
        int rc = get(r, sizeof *v, big, &bits);                                                    \
        if (rc == 0)                                                                               \
            *v = (type)bits;                                                                       \
        return rc;                                                                                 \
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

static int get_float(edo_reader *r, bool big, float *v)
{
    uint64_t bits = 0;
    int rc = get(r, sizeof *v, big, &bits);
    if (rc == 0)
        memcpy(v, &(uint32_t){ (uint32_t)bits }, sizeof *v);
    return rc;
}

static int get_double(edo_reader *r, bool big, double *v)
{
    uint64_t bits = 0;
    int rc = get(r, sizeof *v, big, &bits);
    if (rc == 0)
        memcpy(v, &bits, sizeof *v);
    return rc;
}

int edo_reader_f32be(edo_reader *r, float *v)
{
    return get_float(r, true, v);
}

int edo_reader_f32le(edo_reader *r, float *v)
{
    return get_float(r, false, v);
}

int edo_reader_f64be(edo_reader *r, double *v)
{
    return get_double(r, true, v);
}

int edo_reader_f64le(edo_reader *r, double *v)
{
    return get_double(r, false, v);
}
