/* SPDX-License-Identifier: MIT */
/* Parsing of "host:port", without any lookup. */
#include "net/address.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static void good(const char *text, const char *host, unsigned port)
{
    edo__endpoint e;
    int rc = edo__endpoint_parse(&e, text);
    if (rc < 0)
        FAIL("\"%s\" is refused", text);
    CHECK_STR(e.host, host);
    CHECK_UINT(e.port, ==, port);
}

TEST(accepted)
{
    good("localhost:80", "localhost", 80);
    good(":8080", "", 8080);
    good("127.0.0.1:0", "127.0.0.1", 0);
    good("[::1]:65535", "::1", 65535);
    good("[::]:1", "::", 1);
    good("b\xc3\xbc"
         "cher.example:443",
         "b\xc3\xbc"
         "cher.example",
         443);
}

TEST(refused)
{
    static const char *const bad[] = {
        "",           "host",    "host:",           ":",
        "host:65536", "host:-1", "host: 1",         "host:1 ",
        "host:0x50",  "::1:80",  "[::1]",           "[::1]80",
        "[]:80",      "[::1:80", "[host]:80",       "[1.2.3.4]:80",
        "a b:80",     "a\n:80",  "host:4294967376", "host:99999999999999999999",
        "host:1:2",   "[::1]:",  "host:+1",         "[::1]x:80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edo__endpoint e;
        if (edo__endpoint_parse(&e, bad[i]) != -EINVAL)
            FAIL("\"%s\" is accepted", bad[i]);
    }
}

TEST(long_names)
{
    char text[400];
    memset(text, 'a', sizeof text);
    edo__endpoint e;
    snprintf(text + 253, sizeof text - 253, ":80");
    CHECK_OK(edo__endpoint_parse(&e, text));
    CHECK_UINT(strlen(e.host), ==, 253);
    memset(text, 'a', sizeof text);
    snprintf(text + 254, sizeof text - 254, ":80");
    CHECK_INT(edo__endpoint_parse(&e, text), ==, -EINVAL);
}

TEST(numeric)
{
    edo__address a;
    CHECK(edo__address_numeric(&a, "10.0.0.255", 99));
    CHECK_INT(a.sa.sa_family, ==, AF_INET);
    CHECK_UINT(a.v4.sin_addr.s_addr, ==, htonl(0x0a0000ffu));
    CHECK_UINT(edo__address_port(&a), ==, 99);
    CHECK(edo__address_numeric(&a, "fe80::1%1", 7));
    CHECK_INT(a.sa.sa_family, ==, AF_INET6);
    CHECK_UINT(a.v6.sin6_scope_id, ==, 1);
    CHECK(edo__address_numeric(&a, "fe80::1%lo", 7));
    CHECK(!edo__address_numeric(&a, "fe80::1%no-such-interface", 7));
    CHECK(!edo__address_numeric(&a, "1.2.3", 7));
    CHECK(!edo__address_numeric(&a, "1.2.3.4.5", 7));
    CHECK(!edo__address_numeric(&a, "010.0.0.1", 7));
    CHECK(!edo__address_numeric(&a, "localhost", 7));
    CHECK(!edo__address_numeric(&a, "", 7));
}

TEST_MAIN()
