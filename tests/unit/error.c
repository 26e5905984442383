/* SPDX-License-Identifier: MIT */
/* Names and texts of codes: all there, all different, none invented. */
#include "test.h"

#include <edo/base.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ERRNO_MAX_LINUX 133 /* EHWPOISON, Linux 2.6.32: the last of asm-generic/errno.h */

static bool is_hole(int e)
{
    return e == 41 || e == 58; /* the values of EWOULDBLOCK and EDEADLOCK on other machines */
}

static const int own[] = { EDO_EEOF,        EDO_EOVERSIZE, EDO_ESTACK, EDO_EHTTP,
                           EDO_EHTTPSTATUS, EDO_ETLS,      EDO_EHOST };

TEST(names)
{
    CHECK_STR(edo_errname(0), "OK");
    CHECK_STR(edo_errname(INT_MAX), "OK");
    CHECK_STR(edo_errname(-ETIMEDOUT), "ETIMEDOUT");
    CHECK_STR(edo_errname(-ECANCELED), "ECANCELED");
    CHECK_STR(edo_errname(-EWOULDBLOCK), "EAGAIN");
    CHECK_STR(edo_errname(-EPERM), "EPERM");
    CHECK_STR(edo_errname(-EHWPOISON), "EHWPOISON");
    CHECK_STR(edo_errname(EDO_EEOF), "EDO_EEOF");
    CHECK_STR(edo_errname(EDO_EHOST), "EDO_EHOST");
    CHECK_STR(edo_errname(-4095), "UNKNOWN");
    CHECK_STR(edo_errname(INT_MIN), "UNKNOWN");
}

TEST(texts)
{
    CHECK_STR(edo_strerror(0), "success");
    CHECK_STR(edo_strerror(17), "success");
    CHECK_STR(edo_strerror(-ECONNREFUSED), "connection refused");
    CHECK_STR(edo_strerror(EDO_EHOST), "host name not found");
    CHECK_STR(edo_strerror(-ERRNO_MAX_LINUX - 1), "unknown error");
    CHECK_STR(edo_strerror(INT_MIN), "unknown error");
}

/* The C library knows the names too: whatever it knows must be known here, by the same name. */
TEST(every_errno)
{
    for (int e = 1; e <= ERRNO_MAX_LINUX; e++) {
        const char *name = edo_errname(-e), *text = edo_strerror(-e);
        if (is_hole(e)) {
            CHECK_STR(name, "UNKNOWN");
            CHECK_STR(text, "unknown error");
            continue;
        }
        if (name[0] != 'E' || strcmp(text, "unknown error") == 0)
            FAIL("errno %d has no entry: %s", e, name);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
        extern const char *strerrorname_np(int);
        const char *expected = strerrorname_np(e);
        if (expected != NULL && strcmp(expected, "ENOTSUP") != 0)
            CHECK_STR(name, expected);
#endif
    }
}

static void check_unique(int a, int b)
{
    if (a == b || strcmp(edo_errname(a), "UNKNOWN") == 0 || strcmp(edo_errname(b), "UNKNOWN") == 0)
        return;
    if (strcmp(edo_errname(a), edo_errname(b)) == 0)
        FAIL("%d and %d have the same name %s", a, b, edo_errname(a));
    if (strcmp(edo_strerror(a), edo_strerror(b)) == 0)
        FAIL("%d and %d have the same text '%s'", a, b, edo_strerror(a));
}

TEST(unique)
{
    for (int a = -5000; a < 0; a++)
        for (int b = a + 1; b < 0 && strcmp(edo_errname(a), "UNKNOWN") != 0; b++)
            check_unique(a, b);
}

TEST(own_codes_complete)
{
    unsigned known = 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        CHECK_INT(own[i], <, -4095);
        CHECK_INT(strncmp(edo_errname(own[i]), "EDO_E", 5), ==, 0);
    }
    for (int code = -100000; code < -4095; code++)
        known += strcmp(edo_errname(code), "UNKNOWN") != 0;
    CHECK_UINT(known, ==, sizeof own / sizeof own[0]);
}

/* Texts are put into longer messages: one line, no full stop. */
TEST(texts_fit_into_messages)
{
    for (int code = -5000; code <= 0; code++) {
        const char *text = edo_strerror(code);
        size_t len = strlen(text);
        CHECK_UINT(len, >, 0);
        CHECK_UINT(len, <, 60);
        CHECK(text[len - 1] != '.');
        CHECK(strchr(text, '\n') == NULL);
    }
}

TEST_MAIN()
