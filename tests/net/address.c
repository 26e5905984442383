/* SPDX-License-Identifier: MIT */
/* Addresses as text and as values, and parsing of "host:port", without any lookup. */
#include "net/address.h"
#include "test.h"

#include <arpa/inet.h>
#include <stddef.h>
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
    edo_address a;
    CHECK(edo__address_numeric(&a, "10.0.0.255", 99));
    CHECK_INT(edo__address_af(&a), ==, AF_INET);
    CHECK_UINT(edo__address_of(&a)->v4.sin_addr.s_addr, ==, htonl(0x0a0000ffu));
    CHECK_UINT(edo_address_port(&a), ==, 99);
    CHECK(edo__address_numeric(&a, "fe80::1%1", 7));
    CHECK_INT(edo__address_af(&a), ==, AF_INET6);
    CHECK_UINT(edo__address_of(&a)->v6.sin6_scope_id, ==, 1);
    CHECK(edo__address_numeric(&a, "fe80::1%lo", 7));
    CHECK(!edo__address_numeric(&a, "fe80::1%no-such-interface", 7));
    CHECK(!edo__address_numeric(&a, "1.2.3", 7));
    CHECK(!edo__address_numeric(&a, "1.2.3.4.5", 7));
    CHECK(!edo__address_numeric(&a, "010.0.0.1", 7));
    CHECK(!edo__address_numeric(&a, "localhost", 7));
    CHECK(!edo__address_numeric(&a, "", 7));
}

/* ---- values ---- */

static edo_address parsed(const char *text)
{
    edo_address a;
    if (edo_address_parse(&a, text) != 0)
        FAIL("\"%s\" is refused", text);
    return a;
}

TEST(text_there_and_back)
{
    static const char *const texts[] = {
        "1.2.3.4:80",        "0.0.0.0:0",          "[::1]:65535",
        "[fe80::1%1]:7",     "[::ffff:1.2.3.4]:9", "/run/x.sock",
        "./relative.socket", "@abstract",          "@",
        "[ff02::fb]:5353",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[EDO_ADDRESS_TEXT];
        edo_address a = parsed(texts[i]);
        CHECK_PTR(edo_address_format(&a, text, sizeof text), ==, text);
        CHECK_STR(text, texts[i]);
        edo_address again = parsed(text);
        CHECK(edo_address_equal(&a, &again));
    }
    char text[8];
    edo_address a = parsed(":80"), none = { 0 };
    CHECK_STR(edo_address_format(&a, text, sizeof text), "[::]:80");
    CHECK_STR(edo_address_format(&none, text, sizeof text), "-");
    a = parsed("1.2.3.4:80");
    CHECK_STR(edo_address_format(&a, text, sizeof text), "1.2.3.4");
    a = parsed("/run/x.sock");
    CHECK_STR(edo_address_format(&a, text, sizeof text), "/run/x.");
    memset(text, 'x', sizeof text);
    edo_address_format(&a, text, 0);
    CHECK_INT(text[0], ==, 'x');
}

TEST(text_refused)
{
    static const char *const bad[] = { "",      "1.2.3.4", "1.2.3.4:",       "localhost:80",
                                       "[::1]", "1:2:3",   "[::1%nosuch]:1", "256.1.1.1:1" };
    edo_address a = parsed("9.9.9.9:9"), before = a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (edo_address_parse(&a, bad[i]) != -EINVAL)
            FAIL("\"%s\" is accepted", bad[i]);
    CHECK_INT(edo_address_from_host(&a, "name", 1), ==, -EINVAL);
    CHECK_INT(edo_address_from_bytes(&a, "12345", 5, 1), ==, -EINVAL);
    CHECK_INT(edo_address_from_path(&a, ""), ==, -EINVAL);
    CHECK(edo_address_equal(&a, &before));
}

TEST(paths)
{
    char path[200];
    edo_address a;
    memset(path, 'p', sizeof path);
    path[107] = '\0';
    CHECK_OK(edo_address_from_path(&a, path));
    CHECK_STR(edo_address_path(&a), path);
    char text[EDO_ADDRESS_TEXT];
    CHECK_STR(edo_address_format(&a, text, sizeof text), path);
    path[107] = 'p', path[108] = '\0';
    CHECK_INT(edo_address_from_path(&a, path), ==, -ENAMETOOLONG);
    a = parsed("@name");
    CHECK_PTR(edo_address_path(&a), ==, NULL);
    CHECK_INT(edo_address_family(&a), ==, EDO_FAMILY_UNIX);
    size_t len;
    const struct sockaddr_un *un = edo_address_sockaddr(&a, &len);
    CHECK_UINT(len, ==, offsetof(struct sockaddr_un, sun_path) + 5);
    CHECK_INT(un->sun_path[0], ==, 0);
    CHECK_MEM(un->sun_path + 1, "name", 4);
    edo_address b = parsed("@nam"), c = parsed("@named");
    CHECK(!edo_address_equal(&a, &b));
    CHECK(!edo_address_equal(&a, &c));
    /* As long as the kernel can make one: it has no end of its own. */
    struct sockaddr_un full = { .sun_family = AF_UNIX };
    memset(full.sun_path, 'q', sizeof full.sun_path);
    CHECK_OK(edo_address_from_sockaddr(&a, &full, sizeof full));
    CHECK_UINT(strlen(edo_address_path(&a)), ==, sizeof full.sun_path);
    CHECK_UINT(strlen(edo_address_format(&a, text, sizeof text)), ==, sizeof full.sun_path);
}

TEST(parts)
{
    unsigned char bytes[16];
    edo_address a = parsed("192.0.2.1:80"), b;
    CHECK_INT(edo_address_family(&a), ==, EDO_FAMILY_IPV4);
    CHECK_UINT(edo_address_port(&a), ==, 80);
    CHECK_UINT(edo_address_bytes(&a, bytes), ==, 4);
    CHECK_OK(edo_address_from_bytes(&b, bytes, 4, 80));
    CHECK(edo_address_equal(&a, &b));
    edo_address_set_port(&b, 81);
    CHECK(!edo_address_equal(&a, &b));
    a = parsed("[2001:db8::5]:443");
    CHECK_INT(edo_address_family(&a), ==, EDO_FAMILY_IPV6);
    CHECK_UINT(edo_address_bytes(&a, bytes), ==, 16);
    CHECK_OK(edo_address_from_bytes(&b, bytes, 16, 443));
    CHECK(edo_address_equal(&a, &b));
    size_t len;
    const void *sockaddr = edo_address_sockaddr(&a, &len);
    CHECK_OK(edo_address_from_sockaddr(&b, sockaddr, len));
    CHECK(edo_address_equal(&a, &b));
    CHECK_INT(edo_address_from_sockaddr(&b, sockaddr, 16), ==, -EINVAL);
    CHECK_INT(edo_address_from_sockaddr(&b, sockaddr, 1), ==, -EINVAL);
    CHECK_INT(edo_address_from_sockaddr(&b, &(struct sockaddr){ .sa_family = AF_APPLETALK }, 16),
              ==, -EAFNOSUPPORT);
    edo_address none = { 0 }, path = parsed("/x");
    CHECK_INT(edo_address_family(&none), ==, EDO_FAMILY_NONE);
    CHECK_UINT(edo_address_port(&none), ==, 0);
    CHECK_UINT(edo_address_bytes(&none, bytes), ==, 0);
    CHECK_PTR(edo_address_path(&none), ==, NULL);
    CHECK(!edo_address_equal(&none, &a));
    edo_address_set_port(&path, 5);
    CHECK_UINT(edo_address_port(&path), ==, 0);
    a = parsed("[fe80::1%1]:1");
    b = parsed("[fe80::1]:1");
    CHECK(!edo_address_equal(&a, &b));
}

TEST(kinds)
{
    static const struct {
        const char *text;
        bool any, loopback, multicast;
    } list[] = {
        { "0.0.0.0:1", true, false, false },    { "[::]:1", true, false, false },
        { "127.9.9.9:1", false, true, false },  { "[::1]:1", false, true, false },
        { "@x", false, true, false },           { "224.0.0.1:1", false, false, true },
        { "[ff02::1]:1", false, false, true },  { "239.255.255.255:1", false, false, true },
        { "10.0.0.1:1", false, false, false },  { "[2001:db8::1]:1", false, false, false },
        { "240.0.0.1:1", false, false, false },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        edo_address a = parsed(list[i].text);
        CHECK_INT(edo_address_is_any(&a), ==, list[i].any);
        CHECK_INT(edo_address_is_loopback(&a), ==, list[i].loopback);
        CHECK_INT(edo_address_is_multicast(&a), ==, list[i].multicast);
    }
    edo_address a = parsed("[::ffff:1.2.3.4]:9"), b = parsed("1.2.3.4:9");
    edo_address_unmap(&a);
    CHECK(edo_address_equal(&a, &b));
    edo_address_unmap(&a);
    CHECK(edo_address_equal(&a, &b));
    a = b = parsed("[::1]:9");
    edo_address_unmap(&a);
    CHECK(edo_address_equal(&a, &b));
}

TEST_MAIN()
