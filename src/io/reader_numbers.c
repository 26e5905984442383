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

EDO__NUMBERS(NUMBER)

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
