/* SPDX-License-Identifier: MIT */
/* Frames of each kind: every layout of a length field, limits, ends in the middle, cancels; and the
 * scripted stream that other programs test their protocols with. */
#include "streams_test.h"

#include <edo/frame.h>

/* What a writer of this format makes of some frames, read again in pieces of every size. */
static void round_trip(const edo_frame_format *format, size_t header)
{
    edo_writer w;
    edo_frame_writer fw;
    char frame[600];
    edo_writer_init_memory(&w, 0);
    CHECK_OK(edo_frame_writer_init(&fw, &w, format));
    for (size_t n = 0; n < 200; n += 23) {
        memset(frame, 'a' + (int)(n % 26), header + n);
        CHECK_OK(edo_frame_write(&fw, frame, header + n));
    }
    size_t size;
    const char *bytes = edo_writer_data(&w, &size);
    for (size_t piece = 1; piece < size; piece = piece * 2 + 1) {
        dribble d;
        edo_stream *s = dribbles(&d, bytes, size, piece);
        edo_reader r;
        edo_frame_reader f;
        char *data;
        size_t n = 0, len;
        CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = 16 }));
        CHECK_OK(edo_frame_reader_init(&f, &r, format));
        for (; n < 200; n += 23) {
            CHECK_INT(edo_frame_read(&f, &data, &len), ==, 1);
            CHECK_UINT(len, ==, header + n);
            for (size_t i = header; i < len; i++)
                CHECK_INT(data[i], ==, 'a' + (int)(n % 26));
        }
        CHECK_INT(edo_frame_read(&f, &data, &len), ==, 0);
        edo_reader_deinit(&r);
        edo_close(s);
    }
    edo_writer_deinit(&w);
}

TEST(lengths_of_every_layout)
{
    static const unsigned sizes[] = { 0, 1, 2, 3, 4, 8 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned size = sizes[i] == 0 ? 4 : sizes[i];
        for (int k = 0; k < 16; k++) {
            edo_frame_format f = { .length_size = sizes[i], .little = k % 2 == 1 };
            if (k & 2)
                f.length_adjust = -(int64_t)size - 8;
            f.keep_header = (k & 4) != 0;
            f.length_offset = (k & 4) != 0 && (k & 8) != 0 ? 5 : 0;
            f.length_after = (k & 4) != 0 && (k & 8) != 0 ? 3 : 0;
            round_trip(&f, f.keep_header ? size + f.length_offset + f.length_after : 0);
        }
    }
}

TEST(lines_and_delimiters)
{
    round_trip(&(edo_frame_format){ .kind = EDO_FRAME_LINE }, 0);
    round_trip(&(edo_frame_format){ .kind = EDO_FRAME_DELIMITER, .delimiters = ";," }, 0);
    round_trip(
        &(edo_frame_format){ .kind = EDO_FRAME_DELIMITER, .delimiters = "\0", .delimiters_len = 1 },
        0);
}

TEST(bytes_on_the_wire)
{
    edo_writer w;
    edo_frame_writer f;
    size_t n;
    edo_writer_init_memory(&w, 0);
    CHECK_OK(edo_frame_writer_init(&f, &w, NULL));
    CHECK_OK(edo_frame_write(&f, "abc", 3));
    CHECK_MEM(edo_writer_data(&w, &n), "\0\0\0\3abc", 7);
    CHECK_UINT(n, ==, 7);
    edo_writer_reset(&w);
    CHECK_OK(edo_frame_writer_init(&f, &w,
                                   &(edo_frame_format){ .length_size = 2,
                                                        .little = true,
                                                        .length_offset = 1,
                                                        .length_after = 1,
                                                        .length_adjust = -4,
                                                        .keep_header = true }));
    CHECK_OK(edo_frame_write(&f, "T??Xpay", 7));
    CHECK_MEM(edo_writer_data(&w, &n), "T\7\0Xpay", 7);
    CHECK_INT(edo_frame_write(&f, "T??", 3), ==, -EINVAL);
    edo_writer_deinit(&w);
}

static int frame_of(const char *bytes, size_t size, const edo_frame_format *format)
{
    dribble d;
    edo_stream *s = dribbles(&d, bytes, size, 3);
    edo_reader r;
    edo_frame_reader f;
    char *data;
    size_t n;
    CHECK_OK(edo_reader_init(&r, s, NULL));
    CHECK_OK(edo_frame_reader_init(&f, &r, format));
    int rc = edo_frame_read(&f, &data, &n);
    if (rc < 0) /* and nothing was taken */
        CHECK_INT(edo_frame_read(&f, &data, &n), ==, rc);
    edo_reader_deinit(&r);
    edo_close(s);
    return rc;
}

TEST(limits_and_ends)
{
    edo_frame_format small = { .max = 5, .length_size = 2 };
    CHECK_INT(frame_of("\0\5abcde", 7, &small), ==, 1);
    CHECK_INT(frame_of("\0\6abcdef", 8, &small), ==, EDO_EOVERSIZE);
    CHECK_INT(frame_of("\0\5abc", 5, &small), ==, EDO_EEOF);
    CHECK_INT(frame_of("\0", 1, &small), ==, EDO_EEOF);
    CHECK_INT(frame_of("", 0, &small), ==, 0);
    CHECK_INT(
        frame_of("\xff\xff\xff\xff\xff\xff\xff\xff", 8, &(edo_frame_format){ .length_size = 8 }),
        ==, EDO_EOVERSIZE);
    CHECK_INT(frame_of("\1", 1, &(edo_frame_format){ .length_size = 1, .length_adjust = -2 }), ==,
              -EBADMSG);
    edo_frame_format line = { .kind = EDO_FRAME_LINE, .max = 5 };
    CHECK_INT(frame_of("abcde\r\n", 7, &line), ==, 1);
    CHECK_INT(frame_of("abcdef\n", 7, &line), ==, EDO_EOVERSIZE);
    CHECK_INT(frame_of("abcde", 5, &line), ==, 1);
    CHECK_INT(frame_of("abcdef", 6, &line), ==, EDO_EOVERSIZE);
}

TEST(formats_that_cannot_be)
{
    edo_frame_reader f;
    edo_frame_writer fw;
    static const edo_frame_format bad[] = {
        { .length_size = 5 },
        { .length_size = 9 },
        { .length_offset = 1025 },
        { .length_after = SIZE_MAX },
        { .length_adjust = INT64_MIN },
        { .max = SIZE_MAX },
        { .kind = EDO_FRAME_DELIMITER },
        { .kind = EDO_FRAME_DELIMITER, .delimiters = "" },
        { .kind = (edo_frame_kind)7 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(edo_frame_reader_init(&f, NULL, &bad[i]), ==, -EINVAL);
        CHECK_INT(edo_frame_writer_init(&fw, NULL, &bad[i]), ==, -EINVAL);
    }
    CHECK_INT(edo_frame_writer_init(&fw, NULL, &(edo_frame_format){ .length_offset = 1 }), ==,
              -EINVAL);
    edo_writer w;
    char big[300] = "";
    edo_writer_init_memory(&w, 0);
    CHECK_OK(edo_frame_writer_init(&fw, &w, &(edo_frame_format){ .length_size = 1 }));
    CHECK_INT(edo_frame_write(&fw, big, 256), ==, EDO_EOVERSIZE);
    CHECK_OK(edo_frame_write(&fw, big, 255));
    CHECK_OK(edo_frame_writer_init(&fw, &w, &(edo_frame_format){ .length_adjust = 4 }));
    CHECK_INT(edo_frame_write(&fw, big, 3), ==, -EINVAL);
    CHECK_OK(
        edo_frame_writer_init(&fw, &w, &(edo_frame_format){ .kind = EDO_FRAME_LINE, .max = 4 }));
    CHECK_INT(edo_frame_write(&fw, "a\nb", 3), ==, -EINVAL);
    CHECK_INT(edo_frame_write(&fw, "abcde", 5), ==, EDO_EOVERSIZE);
    edo_writer_deinit(&w);
}

/* Frames of random sizes in both directions of a small ring, reads and writes under random
 * deadlines: each frame arrives whole, in order, once. */
#define FRAME_MAX 900

typedef struct frames {
    edo_stream *s;
    unsigned count, cancels;
} frames;

static int sends_frames(void *arg)
{
    frames *t = arg;
    uint64_t random = test_seed();
    edo_writer w;
    edo_frame_writer f;
    char frame[FRAME_MAX];
    CHECK_OK(edo_writer_init(&w, t->s, &(edo_writer_options){ .size = FRAME_MAX + 4 }));
    CHECK_OK(edo_frame_writer_init(&f, &w, NULL));
    for (unsigned i = 0; i < t->count;) {
        size_t n = (i * 7919u) % FRAME_MAX;
        fill_bytes(frame, n, i);
        edo_scope s;
        edo_scope_open(&s, EDO_US(test_rand(&random) % 60));
        int rc = edo_frame_write(&f, frame, n);
        i += rc == 0;
        if (rc == 0 && i % 16 == 0)
            rc = edo_writer_flush(&w);
        (void)edo_scope_close(&s, 0);
        CHECK(rc == 0 || rc == -ECANCELED);
        t->cancels += rc < 0;
    }
    CHECK_OK(edo_writer_flush(&w));
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
    return edo_shutdown(t->s);
}

static int receives_frames(void *arg)
{
    frames *t = arg;
    uint64_t random = test_seed() + 5;
    edo_reader r;
    edo_frame_reader f;
    CHECK_OK(edo_reader_init(&r, t->s, &(edo_reader_options){ .size = 64 }));
    CHECK_OK(edo_frame_reader_init(&f, &r, NULL));
    int rc = 1;
    for (unsigned i = 0; rc != 0;) {
        char *data;
        size_t n;
        edo_scope s;
        edo_scope_open(&s, EDO_US(test_rand(&random) % 60));
        rc = edo_frame_read(&f, &data, &n);
        (void)edo_scope_close(&s, 0);
        CHECK(rc >= 0 || rc == -ECANCELED);
        t->cancels += rc < 0;
        if (rc == 1) {
            CHECK_UINT(n, ==, (i * 7919u) % FRAME_MAX);
            check_bytes(data, n, i++);
        }
        CHECK(rc != 0 || i == t->count);
    }
    edo_reader_deinit(&r);
    return 0;
}

static int frames_flow(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    CHECK_OK(edo_duplex(&a, &b, 300));
    frames to = { .s = a, .count = test_scale(3000) }, from = { .s = b, .count = to.count };
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, sends_frames, &to));
    CHECK_OK(edo_spawn(&g, receives_frames, &from));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(to.cancels + from.cancels, >, 0);
    edo_close(a);
    edo_close(b);
    return 0;
}

TEST_TIMEOUT(a_cancel_loses_no_frame, 60)
{
    EACH_WORKERS(n) run_on(n, frames_flow, NULL);
}

static const edo_mock_step script[] = {
    { .kind = EDO_MOCK_WRITE, .data = "PING\r\n", .n = 6 },
    { .kind = EDO_MOCK_WAIT, .wait = EDO_SEC(3600) },
    { .kind = EDO_MOCK_READ, .data = "+PONG\r\n", .n = 7 },
    { .kind = EDO_MOCK_READ },
    { .kind = EDO_MOCK_WRITE_ERROR, .code = -ECONNRESET },
    { .kind = EDO_MOCK_READ_ERROR, .code = -ETIMEDOUT },
};

static int pings(void *arg)
{
    edo_stream *s = arg;
    CHECK_INT(edo_write(s, "PI", 2), ==, 2);
    CHECK_INT(edo_write(s, "NG\r\n", 4), ==, 4);
    return 0;
}

static int follows_script(void *arg)
{
    (void)arg;
    edo_stream *s;
    char buf[8];
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_stream_mock(&s, script, 6));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, pings, s));
    int64_t before = edo_now();
    CHECK_INT(edo_read(s, buf, 3), ==, 3); /* waits for the write and an hour */
    CHECK_INT(edo_now() - before, >=, EDO_SEC(3600));
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(edo_read_full(s, buf + 3, 4), ==, 4);
    CHECK_MEM(buf, "+PONG\r\n", 7);
    CHECK_INT(edo_read(s, buf, 1), ==, 0);
    edo_scope scope; /* it is the writer's turn */
    edo_scope_open(&scope, EDO_MS(1));
    CHECK_INT(edo_read(s, buf, 1), ==, -ECANCELED);
    (void)edo_scope_close(&scope, 0);
    CHECK_INT(edo_write(s, "x", 1), ==, -ECONNRESET);
    CHECK_INT(edo_read(s, buf, 1), ==, -ETIMEDOUT);
    CHECK_INT(edo_read(s, buf, 1), ==, 0);
    CHECK_OK(edo_close(s));
    edo_clock_resume();
    return 0;
}

TEST(a_scripted_stream)
{
    EACH_WORKERS(n) run_on(n, follows_script, NULL);
}

TEST(a_script_not_followed)
{
    edo_stream *s;
    CHECK_OK(edo_stream_mock(&s, script, 1));
    CHECK_INT(edo_close(s), ==, -EPROTO); /* a step is left */
    CHECK_OK(edo_stream_mock(&s, script, 1));
    CHECK_INT(edo_write(s, "PUNG", 4), ==, -EPROTO);
    CHECK_INT(edo_close(s), ==, -EPROTO);
    CHECK_OK(edo_stream_mock(&s, script, 0));
    CHECK_INT(edo_write(s, "x", 1), ==, -EPROTO);
    CHECK_INT(edo_close(s), ==, -EPROTO);
    edo_mock_step none = { .kind = EDO_MOCK_WRITE };
    CHECK_INT(edo_stream_mock(&s, &none, 1), ==, -EINVAL);
}

TEST_MAIN()
