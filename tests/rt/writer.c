/* SPDX-License-Identifier: MIT */
/* The buffered writer: into memory, to a FILE, over a stream; what a cancel leaves behind. */
#include "core_test.h"

#include <sys/socket.h>
#include <unistd.h>

static void socket_streams(edo_stream **a, edo_stream **b)
{
    int fd[2], small = 4096;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
    CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    CHECK_OK(edo_stream_from_fd(a, fd[0]));
    CHECK_OK(edo_stream_from_fd(b, fd[1]));
}

static void write_of_each_kind(edo_writer *w)
{
    CHECK_INT(edo_writer_write(w, "", 0), ==, 0);
    CHECK_INT(edo_writer_write(w, "ab\0c", 4), ==, 4);
    CHECK_INT(edo_writer_str(w, "text "), ==, 5);
    CHECK_INT(edo_writer_line(w, "line"), ==, 5);
    CHECK_INT(edo_writer_line(w, ""), ==, 1);
    CHECK_INT(edo_writer_printf(w, "%d-%s", 42, "x"), ==, 4);
    struct iovec iov[] = { { (void *)"1", 1 }, { NULL, 0 }, { (void *)"23", 2 } };
    CHECK_INT(edo_writer_writev(w, iov, 3), ==, 3);
    void *room;
    CHECK_INT(edo_writer_room(w, 3, &room), >=, 3);
    memcpy(room, "xyz", 3);
    edo_writer_advance(w, 3);
}

static const char expected[] = "ab\0ctext line\n\n42-x123xyz";

TEST(into_memory)
{
    edo_writer w;
    size_t n = 1;
    edo_writer_init_memory(&w, 0);
    CHECK_STR(edo_writer_data(&w, &n), "");
    CHECK_UINT(n, ==, 0);
    write_of_each_kind(&w);
    CHECK_OK(edo_writer_flush(&w));
    const char *data = edo_writer_data(&w, &n);
    CHECK_UINT(n, ==, sizeof expected - 1);
    CHECK_MEM(data, expected, sizeof expected);
    edo_writer_reset(&w);
    CHECK_STR(edo_writer_data(&w, NULL), "");
    CHECK_INT(edo_writer_str(&w, "again"), ==, 5);
    char *taken = edo_writer_take(&w, &n);
    CHECK_STR(taken, "again");
    CHECK_UINT(n, ==, 5);
    free(taken);
    taken = edo_writer_take(&w, NULL);
    CHECK_STR(taken, "");
    free(taken);
    CHECK_INT(edo_writer_str(&w, "more"), ==, 4);
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
}

TEST(memory_grows_up_to_a_limit)
{
    edo_writer w;
    edo_writer_init_memory(&w, 1000);
    size_t n = 0;
    while (edo_writer_printf(&w, "%06zu\n", n) == 7)
        n++;
    CHECK_UINT(n, ==, 142);
    CHECK_INT(edo_writer_printf(&w, "%06zu\n", n), ==, EDO_EOVERSIZE);
    CHECK_INT(edo_writer_u64be(&w, 1), ==, EDO_EOVERSIZE);
    CHECK_INT(edo_writer_write(&w, "123456", 6), ==, 6);
    CHECK_INT(edo_writer_write(&w, "1", 1), ==, EDO_EOVERSIZE);
    const char *data = edo_writer_data(&w, &n);
    CHECK_UINT(n, ==, 1000);
    CHECK_UINT(strlen(data), ==, 1000);
    CHECK_MEM(data + 7 * 141, "000141\n123456", 14);
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
}

TEST(long_texts_are_formatted_whole)
{
    char *text = malloc(200001);
    memset(text, 'q', 200000);
    text[200000] = '\0';
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    CHECK_INT(edo_writer_printf(&w, "<%s>", text), ==, 200002);
    size_t n;
    const char *data = edo_writer_data(&w, &n);
    CHECK_UINT(n, ==, 200002);
    CHECK_MEM(data + 1, text, 200000);
    CHECK(data[0] == '<' && data[200001] == '>');
    edo_writer_deinit(&w);
    free(text);
}

TEST(numbers_in_both_orders)
{
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    CHECK_OK(edo_writer_u8(&w, 0xfe));
    CHECK_OK(edo_writer_i8(&w, -2));
    CHECK_OK(edo_writer_u16be(&w, 0x0102));
    CHECK_OK(edo_writer_u16le(&w, 0x0102));
    CHECK_OK(edo_writer_i16be(&w, -2));
    CHECK_OK(edo_writer_i16le(&w, -2));
    CHECK_OK(edo_writer_u32be(&w, 0x01020304));
    CHECK_OK(edo_writer_u32le(&w, 0x01020304));
    CHECK_OK(edo_writer_i32be(&w, -3));
    CHECK_OK(edo_writer_i32le(&w, -3));
    CHECK_OK(edo_writer_u64be(&w, 0x0102030405060708));
    CHECK_OK(edo_writer_u64le(&w, 0x0102030405060708));
    CHECK_OK(edo_writer_i64be(&w, -4));
    CHECK_OK(edo_writer_i64le(&w, INT64_MIN));
    CHECK_OK(edo_writer_f32be(&w, 1.5f));
    CHECK_OK(edo_writer_f32le(&w, 1.5f));
    CHECK_OK(edo_writer_f64be(&w, -2.5));
    CHECK_OK(edo_writer_f64le(&w, -2.5));
    static const unsigned char bytes[] = {
        0xfe, 0xfe, 1,    2,    2,    1,    0xff, 0xfe, 0xfe, 0xff, 1,    2,    3, 4,
        4,    3,    2,    1,    0xff, 0xff, 0xff, 0xfd, 0xfd, 0xff, 0xff, 0xff, 1, 2,
        3,    4,    5,    6,    7,    8,    8,    7,    6,    5,    4,    3,    2, 1,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0,    0,    0,    0,    0, 0,
        0,    0x80, 0x3f, 0xc0, 0,    0,    0,    0,    0xc0, 0x3f, 0xc0, 0x04, 0, 0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x04, 0xc0,
    };
    size_t n;
    const char *data = edo_writer_data(&w, &n);
    CHECK_UINT(n, ==, sizeof bytes);
    CHECK_MEM(data, bytes, sizeof bytes);
    edo_writer_deinit(&w);
}

TEST(to_a_file)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    edo_writer w;
    CHECK_OK(edo_writer_init_file(&w, f, &(edo_writer_options){ .size = 16 }));
    write_of_each_kind(&w);
    CHECK_INT(edo_writer_printf(&w, "%s", "longer than the buffer is"), ==, 25);
    CHECK_INT(edo_writer_str(&w, "!"), ==, 1);
    CHECK_PTR(edo_writer_take(&w, NULL), ==, NULL);
    CHECK_OK(edo_writer_flush(&w));
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
    fclose(f);
    CHECK_UINT(size, ==, sizeof expected - 1 + 26);
    CHECK_MEM(text, expected, sizeof expected - 1);
    CHECK_STR(text + sizeof expected - 1, "longer than the buffer is!");
    free(text);

    f = fopen("/dev/full", "w");
    if (f == NULL)
        SKIP("no /dev/full here");
    CHECK_OK(edo_writer_init_file(&w, f, NULL));
    CHECK_INT(edo_writer_str(&w, "x"), ==, 1);
    CHECK_INT(edo_writer_flush(&w), ==, -ENOSPC);
    CHECK_INT(edo_writer_str(&w, "x"), ==, -ENOSPC);
    edo_writer_deinit(&w);
    fclose(f);
}

static int over_a_stream(void *arg)
{
    (void)arg;
    for (size_t size = 32; size < 100; size++) { /* every place of a full buffer */
        edo_stream *a, *b;
        socket_streams(&a, &b);
        char buffer[128], got[256];
        edo_writer w;
        CHECK_OK(edo_writer_init(&w, a, &(edo_writer_options){ .size = size, .buffer = buffer }));
        write_of_each_kind(&w);
        size_t left;
        CHECK_PTR(edo_writer_data(&w, &left), !=, NULL);
        CHECK_UINT(left, <=, size);
        CHECK_OK(edo_writer_flush(&w));
        CHECK_INT(edo_read_full(b, got, sizeof expected - 1), ==, sizeof expected - 1);
        CHECK_MEM(got, expected, sizeof expected - 1);
        CHECK_INT(edo_writer_str(&w, "lost"), ==, 4);
        CHECK_INT(edo_writer_deinit(&w), ==, -ENOTEMPTY);
        edo_close(a);
        edo_close(b);
    }
    return 0;
}

TEST(over_streams)
{
    run_on(1, over_a_stream, NULL);
    run_on(2, over_a_stream, NULL);
    CHECK_OK(over_a_stream(NULL)); /* a foreign thread */
}

TEST(codes)
{
    edo_writer w;
    char buffer[32];
    edo_stream *a, *b;
    socket_streams(&a, &b);
    CHECK_INT(edo_writer_init(&w, a, &(edo_writer_options){ .size = 31, .buffer = buffer }), ==,
              -EINVAL);
    CHECK_INT(edo_writer_init(&w, a, &(edo_writer_options){ .size = SIZE_MAX }), ==, -EINVAL);
    CHECK_OK(edo_writer_init(&w, a, NULL));
    struct iovec iov[65] = { { buffer, 1 } };
    CHECK_INT(edo_writer_writev(&w, iov, 65), ==, -EINVAL);
    void *room;
    CHECK_INT(edo_writer_room(&w, 8193, &room), ==, EDO_EOVERSIZE);
    edo_close(b);
    CHECK_INT(edo_writer_str(&w, "x"), ==, 1);
    CHECK_INT(edo_writer_flush(&w), ==, -EPIPE);
    CHECK_INT(edo_writer_str(&w, "x"), ==, -EPIPE);
    CHECK_INT(edo_writer_u8(&w, 1), ==, -EPIPE);
    CHECK_INT(edo_writer_flush(&w), ==, -EPIPE);
    edo_writer_deinit(&w);
    edo_close(a);
}

/* Pieces of all sizes under random deadlines. What was reported as written arrives, in order and
 * once; what was reported as cancelled does not. */
typedef struct stormy {
    edo_stream *to, *from;
    uint64_t sent; /* bytes that were reported as written */
    uint64_t received;
    unsigned cancels;
} stormy;

static unsigned char byte_at(uint64_t at)
{
    return (unsigned char)((at * 0x9e3779b97f4a7c15u) >> 56);
}

static int receives(void *arg)
{
    stormy *s = arg;
    uint64_t random = test_seed() + 7;
    unsigned char buf[3000];
    ssize_t n;
    while ((n = edo_read(s->from, buf, 1 + test_rand(&random) % sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++, s->received++)
            CHECK_INT(buf[i], ==, byte_at(s->received));
        if (test_rand(&random) % 4 == 0)
            CHECK_OK(edo_sleep(EDO_US(test_rand(&random) % 100)));
    }
    return (int)n;
}

static ssize_t write_a_piece(edo_writer *w, uint64_t at, size_t n, uint64_t kind)
{
    unsigned char data[600];
    for (size_t i = 0; i < n; i++)
        data[i] = byte_at(at + i);
    struct iovec iov[] = { { data, n / 3 }, { data + n / 3, n - n / 3 } };
    void *room;
    switch (kind % 4) {
    case 0: return edo_writer_writev(w, iov, 2);
    case 1: {
        ssize_t rc = edo_writer_room(w, n, &room);
        if (rc < 0)
            return rc;
        memcpy(room, data, n);
        edo_writer_advance(w, n);
        return (ssize_t)n;
    }
    default: return edo_writer_write(w, data, n);
    }
}

static int sends(void *arg)
{
    stormy *s = arg;
    uint64_t random = test_seed();
    edo_writer w;
    CHECK_OK(edo_writer_init(&w, s->to, &(edo_writer_options){ .size = 600 }));
    unsigned rounds = test_scale(20000);
    for (unsigned i = 0; i < rounds; i++) {
        size_t n = 1 + test_rand(&random) % 600;
        edo_scope scope;
        edo_scope_open(&scope, EDO_US(test_rand(&random) % 60));
        ssize_t rc =
            test_rand(&random) % 8 == 0 ? edo_writer_flush(&w) : write_a_piece(&w, s->sent, n, i);
        (void)edo_scope_close(&scope, 0);
        if (rc == -ECANCELED)
            s->cancels++;
        else
            CHECK_OK(rc);
        s->sent += rc > 0 ? (uint64_t)rc : 0;
    }
    CHECK_OK(edo_writer_flush(&w));
    CHECK_INT(edo_writer_deinit(&w), ==, 0);
    return edo_shutdown(s->to);
}

static int cancels_lose_nothing(void *arg)
{
    (void)arg;
    stormy s = { 0 };
    socket_streams(&s.to, &s.from);
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, receives, &s));
    CHECK_OK(edo_spawn(&g, sends, &s));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(s.received, ==, s.sent);
    CHECK_UINT(s.cancels, >, 0);
    edo_close(s.to);
    edo_close(s.from);
    return 0;
}

TEST_TIMEOUT(a_cancel_loses_nothing, 60)
{
    EACH_WORKERS(n) run_on(n, cancels_lose_nothing, NULL);
}

/* A piece larger than the buffer, cut off: the writer says so from then on. False: that was before the
 * first byte, and nothing has happened. */
static bool cut_off_after(int64_t ns)
{
    edo_stream *a, *b;
    socket_streams(&a, &b);
    size_t size = 1 << 20;
    char *big = calloc(1, size);
    edo_writer w;
    CHECK_OK(edo_writer_init(&w, a, NULL));
    CHECK_INT(edo_writer_str(&w, "head"), ==, 4);
    edo_scope s;
    edo_scope_open(&s, ns);
    CHECK_INT(edo_writer_write(&w, big, size), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&s, -ECANCELED), ==, -ETIMEDOUT);
    bool cut = edo_writer_write(&w, "x", 1) == -EPIPE;
    CHECK_INT(edo_writer_flush(&w), ==, cut ? -EPIPE : 0);
    char head[4];
    CHECK_INT(edo_read_full(b, head, 4), ==, 4);
    CHECK_MEM(head, "head", 4);
    edo_writer_deinit(&w);
    free(big);
    edo_close(a);
    edo_close(b);
    return cut;
}

static int cut_off(void *arg)
{
    (void)arg;
    for (int64_t ns = EDO_MS(5); !cut_off_after(ns); ns *= 2)
        continue;
    return 0;
}

TEST(a_large_piece_cut_off)
{
    run_on(1, cut_off, NULL);
}

/* Memory and files do not ask for a cancel: reports can be made on the way out. */
static int while_cancelled(void *arg)
{
    (void)arg;
    edo_scope s;
    edo_writer w;
    edo_writer_init_memory(&w, 0);
    edo_scope_open(&s, EDO_FOREVER);
    edo_scope_cancel(&s);
    CHECK_INT(edo_writer_str(&w, "x"), ==, 1);
    CHECK_OK(edo_writer_flush(&w));
    CHECK_INT(edo_scope_close(&s, 0), ==, -ECANCELED);
    CHECK_STR(edo_writer_data(&w, NULL), "x");
    edo_writer_deinit(&w);
    return 0;
}

TEST(memory_is_no_checkpoint)
{
    run_on(1, while_cancelled, NULL);
}

TEST_MAIN()
