/* SPDX-License-Identifier: MIT */
/* The buffered reader: lines, records, numbers, limits, streams that give a byte at a time, and
 * random cancels that must lose nothing. */
#include "streams_test.h"

static void check_line(edo_reader *r, const char *expected)
{
    char *line;
    size_t n;
    CHECK_INT(edo_reader_line(r, &line, &n), ==, 1);
    CHECK_STR(line, expected);
    CHECK_UINT(n, ==, strlen(expected));
}

TEST(lines)
{
    static const char text[] = "one\ntwo\r\n\n\r\nth\rree\n\rlast";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        for (size_t size = 16; size < 40; size++) {
            dribble d;
            edo_stream *s = dribbles(&d, text, sizeof text - 1, piece);
            edo_reader r;
            CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = size }));
            check_line(&r, "one");
            check_line(&r, "two");
            check_line(&r, "");
            check_line(&r, "");
            check_line(&r, "th\rree");
            check_line(&r, "\rlast");
            char *line;
            CHECK_INT(edo_reader_line(&r, &line, NULL), ==, 0);
            CHECK_INT(edo_reader_line(&r, &line, NULL), ==, 0);
            edo_reader_deinit(&r);
            edo_close(s);
        }
    }
}

TEST(lines_with_zeros_and_of_any_length)
{
    for (size_t len = 0; len < 300; len++) {
        char text[310];
        memset(text, 0, len);
        text[len] = '\n';
        text[len + 1] = 'x';
        dribble d;
        edo_stream *s = dribbles(&d, text, len + 2, 7);
        edo_reader r;
        CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = 16 }));
        char *line;
        size_t n;
        CHECK_INT(edo_reader_line(&r, &line, &n), ==, 1);
        CHECK_UINT(n, ==, len);
        check_line(&r, "x");
        edo_reader_deinit(&r);
        edo_close(s);
    }
}

/* The limit is exact, nothing is lost, and the reader gets over it. */
static void oversize_line(size_t piece, char *buffer, size_t size, size_t limit, size_t len)
{
    char text[200];
    memset(text, 'q', sizeof text);
    memcpy(text + len, "\nnext\n", 6);
    dribble d;
    edo_stream *s = dribbles(&d, text, len + 6, piece);
    edo_reader r;
    char *line;
    size_t n;
    CHECK_OK(edo_reader_init(
        &r, s, &(edo_reader_options){ .size = size, .limit = limit, .buffer = buffer }));
    if (len <= limit) {
        CHECK_INT(edo_reader_line(&r, &line, &n), ==, 1);
        CHECK_UINT(n, ==, len);
    } else {
        for (int i = 0; i < 3; i++)
            CHECK_INT(edo_reader_line(&r, &line, &n), ==, EDO_EOVERSIZE);
        char first;
        CHECK_INT(edo_reader_read(&r, &first, 1), ==, 1);
        CHECK_INT(first, ==, 'q');
        CHECK_INT(edo_reader_skip_until(&r, '\n'), ==, 1);
    }
    check_line(&r, "next");
    CHECK_INT(edo_reader_line(&r, &line, &n), ==, 0);
    CHECK_INT(edo_reader_skip_until(&r, '\n'), ==, 0);
    edo_reader_deinit(&r);
    edo_close(s);
}

TEST(a_line_longer_than_the_limit)
{
    char buffer[64];
    for (size_t len = 90; len < 110; len++)
        for (size_t piece = 1; piece < 200; piece += 33)
            for (size_t size = 16; size < 200; size += 31)
                oversize_line(piece, NULL, size, 100, len);
    for (size_t piece = 1; piece < 100; piece++) {
        oversize_line(piece, buffer, sizeof buffer, 0, 70);
        oversize_line(piece, buffer, sizeof buffer, 40, 45);
        oversize_line(piece, buffer, sizeof buffer, 40, 40);
    }
    dribble d; /* the last line, too */
    edo_stream *s = dribbles(&d, "12345678901234567", 17, 100);
    edo_reader r;
    char *line;
    CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .limit = 16 }));
    CHECK_INT(edo_reader_line(&r, &line, NULL), ==, EDO_EOVERSIZE);
    CHECK_UINT(edo_reader_buffered(&r, NULL), ==, 17);
    edo_reader_deinit(&r);
    edo_close(s);
}

TEST(until)
{
    static const char text[] = "GET / HTTP/1.1\r\nhost: x\r\n\r\na;b,c||rest";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        dribble d;
        edo_stream *s = dribbles(&d, text, sizeof text - 1, piece);
        edo_reader r;
        CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = 16 }));
        char *data;
        size_t n;
        CHECK_INT(edo_reader_until(&r, ' ', &data, &n), ==, 1);
        CHECK_STR(data, "GET");
        CHECK_UINT(n, ==, 3);
        CHECK_INT(edo_reader_until_str(&r, "\r\n\r\n", &data, NULL), ==, 1);
        CHECK_STR(data, "/ HTTP/1.1\r\nhost: x");
        CHECK_INT(edo_reader_until_any(&r, ",;", 2, &data, NULL), ==, 1);
        CHECK_STR(data, "a");
        CHECK_INT(edo_reader_until_any(&r, ",;", 2, &data, NULL), ==, 1);
        CHECK_STR(data, "b");
        CHECK_INT(edo_reader_until_str(&r, "||", &data, NULL), ==, 1);
        CHECK_STR(data, "c");
        CHECK_INT(edo_reader_until(&r, ';', &data, &n), ==, EDO_EEOF);
        CHECK_INT(edo_reader_until_str(&r, "", &data, &n), ==, -EINVAL);
        CHECK_INT(edo_reader_until_any(&r, "", 0, &data, &n), ==, -EINVAL);
        check_line(&r, "rest");
        CHECK_INT(edo_reader_until(&r, ';', &data, &n), ==, 0);
        edo_reader_deinit(&r);
        edo_close(s);
    }
}

TEST(numbers_in_both_orders)
{
    static const char bytes[] = "\xfe\xfe\1\2\2\1\xff\xfe\xfe\xff\1\2\3\4\4\3\2\1\xff\xff\xff\xfd"
                                "\xfd\xff\xff\xff\1\2\3\4\5\6\7\x8\x8\7\6\5\4\3\2\1"
                                "\xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\0\0\0\0\x80"
                                "\x3f\xc0\0\0\0\0\xc0\x3f\xc0\4\0\0\0\0\0\0\0\0\0\0\0\0\4\xc0";
    for (size_t piece = 1; piece < 100; piece += 3) {
        dribble d;
        edo_stream *s = dribbles(&d, bytes, sizeof bytes - 1, piece);
        edo_reader r;
        CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = 16 }));
#define NUMBER(type_, name_, expected_)                                                            \
    do {                                                                                           \
        type_ v_;                                                                                  \
        CHECK_OK(edo_reader_##name_(&r, &v_));                                                     \
        CHECK(v_ == (expected_));                                                                  \
    } while (0)
        NUMBER(uint8_t, u8, 0xfe);
        NUMBER(int8_t, i8, -2);
        NUMBER(uint16_t, u16be, 0x0102);
        NUMBER(uint16_t, u16le, 0x0102);
        NUMBER(int16_t, i16be, -2);
        NUMBER(int16_t, i16le, -2);
        NUMBER(uint32_t, u32be, 0x01020304);
        NUMBER(uint32_t, u32le, 0x01020304);
        NUMBER(int32_t, i32be, -3);
        NUMBER(int32_t, i32le, -3);
        NUMBER(uint64_t, u64be, 0x0102030405060708);
        NUMBER(uint64_t, u64le, 0x0102030405060708);
        NUMBER(int64_t, i64be, -4);
        NUMBER(int64_t, i64le, INT64_MIN);
        NUMBER(float, f32be, 1.5f);
        NUMBER(float, f32le, 1.5f);
        NUMBER(double, f64be, -2.5);
        NUMBER(double, f64le, -2.5);
        uint8_t none;
        CHECK_INT(edo_reader_u8(&r, &none), ==, EDO_EEOF);
        edo_reader_deinit(&r);
        edo_close(s);
    }
}

/* What ends too early or is too large leaves all bytes where they are. */
TEST(nothing_taken_on_failure)
{
    char buffer[32], big[20000];
    for (int fixed = 0; fixed < 2; fixed++) {
        dribble d;
        edo_stream *s = dribbles(&d, NULL, 20, 3);
        edo_reader r;
        CHECK_OK(edo_reader_init(
            &r, s,
            &(edo_reader_options){ .size = 32, .limit = 24, .buffer = fixed ? buffer : NULL }));
        const void *data;
        uint64_t v;
        CHECK_OK(edo_reader_exact(&r, 13, NULL));
        CHECK_INT(edo_reader_u64be(&r, &v), ==, EDO_EEOF);
        CHECK_INT(edo_reader_exact(&r, 8, &data), ==, EDO_EEOF);
        CHECK_INT(edo_reader_peek(&r, 25, &data), ==, EDO_EOVERSIZE);
        CHECK_INT(edo_reader_read_full(&r, big, 8), ==, EDO_EEOF);
        CHECK_INT(edo_reader_read_full(&r, big, sizeof big), ==, fixed ? EDO_EOVERSIZE : EDO_EEOF);
        void *all;
        CHECK_INT(edo_reader_read_all(&r, 6, &all), ==, EDO_EOVERSIZE);
        CHECK_UINT(edo_reader_buffered(&r, &data), ==, 7);
        check_bytes(data, 7, 13);
        CHECK_INT(edo_reader_read_all(&r, 7, &all), ==, 7);
        check_bytes(all, 7, 13);
        CHECK_INT(((char *)all)[7], ==, 0);
        free(all);
        CHECK_INT(edo_reader_read_all(&r, 7, &all), ==, 0);
        free(all);
        CHECK_INT(edo_reader_fill(&r, &data), ==, 0);
        CHECK_INT(edo_reader_skip(&r, 1), ==, 0);
        CHECK_INT(edo_reader_skip(&r, UINT64_MAX), ==, -EINVAL);
        edo_reader_deinit(&r);
        edo_close(s);
    }
}

/* A failure of the stream comes after the bytes, and is not lost when those are reported first. */
TEST(failures_of_the_stream)
{
    dribble d;
    edo_stream *s = dribbles(&d, NULL, 10, 100);
    d.error = -ECONNRESET;
    edo_reader r;
    char *line, buf[20];
    CHECK_OK(edo_reader_init(&r, s, NULL));
    CHECK_INT(edo_reader_line(&r, &line, NULL), ==, -ECONNRESET);
    CHECK_INT(edo_reader_exact(&r, 11, NULL), ==, -ECONNRESET);
    d.error = 0;
    CHECK_UINT(edo_reader_buffered(&r, NULL), ==, 10);
    d.error = -EIO;
    CHECK_INT(edo_reader_skip(&r, 100), ==, 10);
    d.error = 0;
    CHECK_INT(edo_reader_read(&r, buf, sizeof buf), ==, -EIO);
    CHECK_INT(edo_reader_read(&r, buf, sizeof buf), ==, 0);
    edo_reader_deinit(&r);
    edo_close(s);
    CHECK_INT(edo_reader_init(&r, s, &(edo_reader_options){ .size = 31, .buffer = buf }), ==,
              -EINVAL);
    CHECK_INT(edo_reader_init(&r, s, &(edo_reader_options){ .size = SIZE_MAX }), ==, -EINVAL);
}

TEST(read_all_of_much)
{
    for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
        dribble d;
        edo_stream *s = dribbles(&d, NULL, 300000, piece);
        edo_reader r;
        void *all;
        CHECK_OK(edo_reader_init(&r, s, NULL));
        CHECK_INT(edo_reader_read_all(&r, 299999, &all), ==, EDO_EOVERSIZE);
        CHECK_OK(edo_reader_exact(&r, 1, NULL));
        CHECK_INT(edo_reader_read_all(&r, 299999, &all), ==, 299999);
        check_bytes(all, 299999, 1);
        free(all);
        edo_reader_deinit(&r);
        edo_close(s);
    }
}

typedef struct storm {
    edo_reader r;
    uint64_t at, total, random;
    unsigned cancels, done;
    char *buf;
    unsigned char missing; /* the byte a cancelled skip_until looks for */
    bool skipping;
} storm;

#define FULL_MAX 30000

static void check_record(storm *s, const char *data, size_t n, unsigned char end)
{
    check_bytes(data, n, s->at);
    CHECK(memchr(data, end, n) == NULL);
    CHECK_INT(data[n], ==, 0);
    CHECK_INT(byte_at(s->at + n), ==, end);
}

static ssize_t records(storm *s, uint64_t kind)
{
    unsigned char end = (unsigned char)test_rand(&s->random);
    char *data, both[2] = { (char)byte_at(s->at + 300), 0 };
    size_t n;
    int rc;
    switch (kind % 3) {
    case 0:
        rc = edo_reader_until(&s->r, (char)end, &data, &n);
        if (rc == 1)
            check_record(s, data, n, end);
        return rc == 1 ? (ssize_t)n + 1 : rc;
    case 1:
        rc = edo_reader_line(&s->r, &data, &n);
        if (rc != 1)
            return rc;
        check_bytes(data, n, s->at);
        n += n + s->at < s->total && byte_at(s->at + n) == '\r' ? 1 : 0;
        return (ssize_t)(n + s->at < s->total ? n + 1 : n);
    default:
        if (both[0] == 0)
            return 0;
        rc = edo_reader_until_str(&s->r, both, &data, &n);
        if (rc == 1)
            check_record(s, data, n, (unsigned char)both[0]);
        return rc == 1 ? (ssize_t)n + 1 : rc;
    }
}

static int64_t numbers(storm *s)
{
    uint64_t v;
    int rc = edo_reader_u64be(&s->r, &v);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 8; i++)
        CHECK_INT((unsigned char)(v >> 8 * (7 - i)), ==, byte_at(s->at + (uint64_t)i));
    return 8;
}

static int64_t skips_until(storm *s)
{
    if (!s->skipping)
        s->missing = (unsigned char)test_rand(&s->random);
    int rc = edo_reader_skip_until(&s->r, (char)s->missing);
    s->skipping = rc == -ECANCELED;
    if (rc < 0)
        return rc;
    uint64_t to = s->at;
    while (to < s->total && byte_at(to) != s->missing)
        to++;
    CHECK_INT(rc, ==, to < s->total);
    return (int64_t)(to - s->at) + rc;
}

/* One call of some kind: how many bytes it took, or a code. */
static int64_t one_call(storm *s)
{
    size_t n = 1 + test_rand(&s->random) % 200;
    const void *data = NULL;
    ssize_t rc;
    if (s->skipping)
        return skips_until(s);
    switch (test_rand(&s->random) % 10) {
    case 0: rc = edo_reader_read(&s->r, s->buf, n * 10); break;
    case 1: rc = edo_reader_read_full(&s->r, s->buf, n * 10); break;
    case 2: rc = edo_reader_read_full(&s->r, s->buf, n * (FULL_MAX / 200)); break;
    case 3: return numbers(s);
    case 4: return edo_reader_skip(&s->r, n * 20);
    case 5: return skips_until(s);
    case 6:
        rc = edo_reader_peek(&s->r, n * 5, &data);
        if (rc > 0) {
            check_bytes(data, (size_t)rc, s->at);
            rc = edo_reader_exact(&s->r, n, &data);
        }
        break;
    case 7:
        rc = edo_reader_fill(&s->r, &data);
        if (rc > 0)
            edo_reader_consume(&s->r, (size_t)(rc = 1 + rc / 2));
        break;
    default: return records(s, n);
    }
    if (rc > 0)
        check_bytes(data != NULL ? data : s->buf, (size_t)rc, s->at);
    return rc;
}

static int reads_under_cancels(void *arg)
{
    storm *s = arg;
    while (s->at < s->total) {
        edo_scope scope;
        edo_scope_open(&scope, EDO_US(test_rand(&s->random) % 80));
        int64_t took = one_call(s);
        (void)edo_scope_close(&scope, 0);
        if (took == -ECANCELED) {
            s->cancels++;
            continue;
        }
        if (took == EDO_EEOF) { /* the last bytes: without what wants more */
            char c;
            took = edo_reader_read(&s->r, &c, 1);
        }
        CHECK_INT(took, >=, 0);
        s->at += (uint64_t)took;
        s->done++;
    }
    CHECK_UINT(s->at, ==, s->total);
    return 0;
}

static int cancels_lose_nothing(void *arg)
{
    size_t capacity = *(size_t *)arg;
    edo_stream *a, *b;
    CHECK_OK(edo_duplex(&a, &b, capacity));
    source from = { .s = a,
                    .total = test_scale(capacity < 100 ? 100000 : 1000000),
                    .piece = 3000,
                    .seed = test_seed() };
    storm s = { .total = from.total, .random = test_seed() + 1, .buf = malloc(FULL_MAX) };
    CHECK_OK(edo_reader_init(&s.r, b, &(edo_reader_options){ .size = 300 }));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, source_runs, &from));
    CHECK_OK(edo_spawn(&g, reads_under_cancels, &s));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(s.cancels, >, 0);
    CHECK_UINT(s.done, >, 0);
    edo_reader_deinit(&s.r);
    free(s.buf);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST_TIMEOUT(a_cancel_loses_nothing, 120)
{
    for (size_t capacity = 1; capacity < 100000; capacity = capacity * 40 + 7)
        EACH_WORKERS(n) run_on(n, cancels_lose_nothing, &capacity);
}

TEST_MAIN()
