/* SPDX-License-Identifier: MIT */
/* The streams toolkit when memory runs out: every allocation in turn fails, and what a failed call
 * leaves behind is what was there before. */
#include "countdown.h"
#include "streams_test.h"

#if OWN_MALLOC
/* Makes one stream of every kind; how == the kind. The streams below are made and kept outside. */
static int make(int how, edo_stream *below[2], edo_stream **a, edo_stream **b, edo_reader *r)
{
    static const edo_stream_ops none = { 0 };
    static const edo_mock_step step = { .kind = EDO_MOCK_READ };
    *b = NULL;
    switch (how) {
    case 0: return edo_duplex(a, b, 0);
    case 1: return edo_simplex(a, b, 0);
    case 2: return edo_stream_create(a, &none, NULL);
    case 3: return edo_stream_null(a);
    case 4: return edo_stream_repeat(a, 'x');
    case 5: return edo_stream_memory(a, "x", 1);
    case 6: return edo_stream_mock(a, &step, 0);
    case 7: return edo_stream_borrow(a, below[0]);
    case 8: return edo_stream_limit(a, below[0], 1);
    case 9: return edo_stream_chain(a, below, 2);
    case 10: return edo_stream_join(a, below[0], below[1]);
    case 11: return edo_stream_inspect(a, below[0], NULL, NULL, NULL);
    default: return edo_stream_from_reader(a, r);
    }
}

TEST(streams_without_memory)
{
    for (int how = 0; how <= 12; how++) {
        int rc = -ENOMEM;
        for (int n = 1; rc == -ENOMEM; n++) {
            edo_stream *below[2], *a = NULL, *b = NULL;
            edo_reader r;
            CHECK_OK(edo_stream_null(&below[0]));
            CHECK_OK(edo_stream_null(&below[1]));
            CHECK_OK(edo_reader_init(&r, below[0], NULL));
            countdown = n;
            rc = make(how, below, &a, &b, &r);
            bool failed = countdown == 0;
            countdown = 0;
            CHECK_INT(rc, ==, failed ? -ENOMEM : 0);
            CHECK(n > 1 || failed);
            edo_close(a);
            edo_close(b);
            if (rc < 0 || how <= 7)
                CHECK_OK(edo_close(below[0]));
            if (rc < 0 || (how != 9 && how != 10))
                CHECK_OK(edo_close(below[1]));
            if (rc < 0 || how < 12)
                edo_reader_deinit(&r);
        }
    }
}

/* A call fails at the n-th allocation, and then the same call succeeds: nothing was taken. */
static int64_t reader_call(int how, edo_reader *r, void *buf)
{
    const void *data;
    char *text;
    switch (how) {
    case 0: return edo_reader_exact(r, 5000, &data);
    case 1: return edo_reader_read_full(r, buf, 50000);
    case 2: return edo_reader_line(r, &text, NULL);
    default: {
        void *all = NULL;
        ssize_t rc = edo_reader_read_all(r, SIZE_MAX, &all);
        if (rc >= 0)
            check_bytes(all, (size_t)rc, 10);
        free(all);
        return rc;
    }
    }
}

TEST(reader_without_memory)
{
    char *buf = __libc_malloc(50000);
    for (int how = 0; how < 4; how++) {
        int64_t rc = 0;
        int failures = 0;
        for (int n = 1; n < 4; n++) {
            dribble d;
            edo_stream *s = dribbles(&d, NULL, 60010, 100);
            edo_reader r;
            CHECK_OK(edo_reader_init(&r, s, &(edo_reader_options){ .size = 20 }));
            CHECK_INT(edo_reader_exact(&r, 10, NULL), ==, 10);
            countdown = n;
            rc = reader_call(how, &r, buf);
            failures += rc == -ENOMEM;
            countdown = 0;
            const void *data;
            if (rc == -ENOMEM) {
                CHECK_INT(edo_reader_fill(&r, &data), >, 0);
                check_bytes(data, 1, 10);
                rc = reader_call(how, &r, buf);
            }
            CHECK_INT(rc, >=, 0);
            edo_reader_deinit(&r);
            edo_close(s);
        }
        CHECK_INT(failures, >, 0);
    }
    edo_reader r;
    countdown = 1;
    CHECK_INT(edo_reader_init(&r, NULL, NULL), ==, -ENOMEM);
    edo_stream *s;
    CHECK_OK(edo_stream_null(&s));
    countdown = 1;
    CHECK_INT(edo_copy(s, s), ==, -ENOMEM);
    edo_close(s);
    free(buf);
}

TEST(writer_without_memory)
{
    for (int n = 1; n < 8; n++) {
        edo_writer w;
        size_t at = 0;
        int failures = 0;
        edo_writer_init_memory(&w, 0);
        countdown = n;
        while (at < 20000) {
            ssize_t rc = at % 2 == 0 ? edo_writer_printf(&w, "%04zu.", at % 10000)
                                     : edo_writer_write(&w, "12345", 5);
            CHECK(rc == 5 || rc == -ENOMEM);
            failures += rc < 0;
            at += rc > 0 ? 5 : 0;
        }
        CHECK_INT(failures, ==, 1);
        const char *data = edo_writer_data(&w, &at);
        CHECK_UINT(at, ==, 20000);
        CHECK_MEM(data, "0000.123450010.12345", 20);
        CHECK_MEM(data + 19990, "9990.12345", 10);
        edo_writer_deinit(&w);
    }
    edo_stream *s;
    edo_writer w;
    CHECK_OK(edo_stream_null(&s));
    countdown = 1;
    CHECK_INT(edo_writer_init(&w, s, NULL), ==, -ENOMEM);
    CHECK_OK(edo_writer_init(&w, s, &(edo_writer_options){ .size = 16 }));
    CHECK_INT(edo_writer_str(&w, "kept"), ==, 4);
    countdown = 1;
    CHECK_INT(edo_writer_printf(&w, "%050d", 1), ==, -ENOMEM);
    CHECK_STR(edo_writer_data(&w, NULL), "kept");
    CHECK_INT(edo_writer_printf(&w, "%050d", 1), ==, 50);
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
    edo_close(s);
}
#else
TEST(streams_without_memory)
{
    SKIP("a sanitizer or another C library allocates");
}
#endif

TEST_MAIN()
