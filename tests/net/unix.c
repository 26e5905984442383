/* SPDX-License-Identifier: MIT */
/* Unix sockets: paths and abstract names, files that are left behind, queues that are full, datagrams,
 * who is there. Descriptors that travel: unix_fds.c. */
#include "net_test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char dir[64]; /* of this TEST */

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/edo-unix-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
}

static void remove_dir(void)
{
    CHECK_OK(rmdir(dir)); /* fails when something was left in it */
}

static const char *path_of(const char *name)
{
    static char path[8][100];
    static unsigned next;
    char *p = path[next++ % 8];
    snprintf(p, 100, "%s/%s", dir, name);
    return p;
}

static const char *abstract_name(void)
{
    static char name[64];
    static unsigned n;
    snprintf(name, sizeof name, "@edo-test-%ld-%u", (long)getpid(), n++);
    return name;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* In tasks and on a thread outside, with an empty directory that must be empty again. */
static void everywhere(edo_fn *fn)
{
    make_dir();
    unsigned fds = count_fds();
    run_on(1, fn, NULL);
    run_on(2, fn, NULL);
    CHECK_INT(count_fds(), ==, fds);
    CHECK_INT(fn(NULL), ==, 0);
    remove_dir();
}

static void check_talks(edo_listener *l, const char *path)
{
    edo_stream *c, *s;
    edo_unix_peer peer;
    edo_address from;
    char buf[8];
    CHECK_OK(edo_unix_connect(&c, path));
    CHECK_INT(edo_write(c, "hello", 5), ==, 5);
    CHECK_OK(edo_accept_from(l, &s, &from));
    CHECK_INT(edo_read(s, buf, sizeof buf), ==, 5);
    CHECK_MEM(buf, "hello", 5);
    CHECK_OK(edo_unix_credentials(edo_stream_fd(s), &peer));
    CHECK_INT(peer.pid, ==, getpid());
    CHECK_INT(peer.uid, ==, getuid());
    CHECK_INT(peer.gid, ==, getgid());
    CHECK_PTR(edo_address_path(&from), ==, NULL);
    CHECK_OK(edo_shutdown(c));
    CHECK_INT(edo_read(s, buf, sizeof buf), ==, 0);
    CHECK_INT(edo_write(s, "bye", 3), ==, 3);
    CHECK_INT(edo_read_full(c, buf, 3), ==, 3);
    edo_close(c);
    edo_close(s);
}

static int connections_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_address at, named;
    char text[EDO_ADDRESS_TEXT];
    const char *path = path_of("s"), *name = abstract_name();
    CHECK_OK(edo_unix_listen(&l, path, NULL));
    CHECK(exists(path));
    CHECK_INT(edo_listener_port(l), ==, 0);
    CHECK_OK(edo_socket_local(edo_listener_fd(l), &at));
    CHECK_STR(edo_address_path(&at), path);
    CHECK_STR(edo_address_format(&at, text, sizeof text), path);
    for (int i = 0; i < 20; i++)
        check_talks(l, path);
    edo_listener_close(l);
    CHECK(!exists(path));
    CHECK_OK(edo_unix_listen(&l, name, NULL));
    CHECK_OK(edo_socket_local(edo_listener_fd(l), &at));
    CHECK_OK(edo_address_from_path(&named, name));
    CHECK(edo_address_equal(&at, &named));
    check_talks(l, name);
    edo_listener_close(l);
    return 0;
}

TEST(connections)
{
    everywhere(connections_body);
}

static int refusals_body(void *arg)
{
    (void)arg;
    edo_stream *s;
    edo_listener *l;
    edo_udp *u;
    char longer[200];
    const char *path = path_of("s"), *dgram = path_of("d");
    CHECK_INT(edo_unix_connect(&s, path), ==, -ENOENT);
    CHECK_INT(edo_unix_connect(&s, "@edo-nobody-has-this-name"), ==, -ECONNREFUSED);
    CHECK_INT(edo_unix_connect(&s, ""), ==, -EINVAL);
    memset(longer, 'x', sizeof longer);
    longer[199] = '\0';
    CHECK_INT(edo_unix_connect(&s, longer), ==, -ENAMETOOLONG);
    CHECK_INT(edo_unix_listen(&l, longer, NULL), ==, -ENAMETOOLONG);
    CHECK_INT(edo_unix_listen(&l, path_of("none/s"), NULL), ==, -ENOENT);
    CHECK_INT(edo_unix_listen(&l, path_of("none/s"), &(edo_unix_options){ .replace = true }), ==,
              -ENOENT);
    CHECK_OK(edo_unix_datagram(&u, dgram, NULL));
    CHECK_INT(edo_unix_connect(&s, dgram), ==, -EPROTOTYPE);
    edo_udp_close(u);
    CHECK(!exists(dgram));
    edo_scope scope;
    edo_scope_open(&scope, EDO_FOREVER);
    edo_scope_cancel(&scope);
    CHECK_INT(edo_unix_connect(&s, path), ==, -ECANCELED);
    CHECK_INT(edo_unix_listen(&l, path, NULL), ==, -ECANCELED);
    CHECK_INT(edo_unix_datagram(&u, path, NULL), ==, -ECANCELED);
    CHECK_INT(edo_scope_close(&scope, 0), ==, -ECANCELED);
    CHECK(!exists(path));
    return 0;
}

TEST(refusals)
{
    everywhere(refusals_body);
}

static int credentials_body(void *arg)
{
    (void)arg;
    edo_listener *tcp, *l;
    edo_unix_peer peer;
    CHECK_OK(edo_tcp_listen(&tcp, "127.0.0.1:0", NULL));
    CHECK_INT(edo_unix_credentials(edo_listener_fd(tcp), &peer), ==, -EOPNOTSUPP);
    CHECK_INT(edo_unix_credentials(-1, &peer), ==, -EBADF);
    edo_listener_close(tcp);
    CHECK_OK(edo_unix_listen(&l, abstract_name(), NULL));
    edo_udp *u;
    CHECK_OK(edo_unix_datagram(&u, NULL, NULL));
    CHECK_INT(edo_unix_credentials(edo_udp_fd(u), &peer), ==, -ENOTCONN);
    edo_udp_close(u);
    edo_listener_close(l);
    return 0;
}

TEST(credentials_of_others)
{
    everywhere(credentials_body);
}

/* ---- files ---- */

static unsigned mode_of(const char *path)
{
    struct stat st;
    CHECK_OK(lstat(path, &st));
    return (unsigned)st.st_mode & 07777;
}

static int modes_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_udp *u;
    const char *path = path_of("s");
    CHECK_OK(edo_unix_listen(&l, path, &(edo_unix_options){ .mode = 0660 }));
    CHECK_UINT(mode_of(path), ==, 0660); /* whatever the umask is */
    edo_listener_close(l);
    CHECK_OK(edo_unix_listen(&l, path, NULL));
    CHECK_UINT(mode_of(path), ==, 0755);
    edo_listener_close(l);
    CHECK_OK(edo_unix_datagram(&u, path, &(edo_unix_options){ .mode = 0606 }));
    CHECK_UINT(mode_of(path), ==, 0606);
    edo_udp_close(u);
    return 0;
}

TEST(modes)
{
    umask(022);
    everywhere(modes_body);
}

/* What somebody has left behind who did not close it. */
static void leave_behind(const char *path, int type)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    CHECK_OK(fd);
    CHECK_OK(bind(fd, (struct sockaddr *)&at, sizeof at));
    if (type == SOCK_STREAM)
        CHECK_OK(listen(fd, 1));
    close(fd);
    CHECK(exists(path));
}

static int replace_body(void *arg)
{
    (void)arg;
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
    const edo_unix_options replace = { .replace = true };
    const char *path = path_of("s");
    for (int i = 0; i < 4; i++) {
        edo_listener *l, *other;
        edo_udp *u;
        leave_behind(path, types[i % 2]);
        CHECK_INT(edo_unix_listen(&l, path, NULL), ==, -EADDRINUSE);
        CHECK_INT(edo_unix_datagram(&u, path, NULL), ==, -EADDRINUSE);
        if (i < 2) {
            CHECK_OK(edo_unix_listen(&l, path, &replace));
            /* Of one that is alive nothing is taken away, and it is not disturbed. */
            CHECK_INT(edo_unix_listen(&other, path, &replace), ==, -EADDRINUSE);
            CHECK_INT(edo_unix_datagram(&u, path, &replace), ==, -EADDRINUSE);
            check_talks(l, path);
            edo_listener_close(l);
        } else {
            CHECK_OK(edo_unix_datagram(&u, path, &replace));
            CHECK_INT(edo_unix_listen(&other, path, &replace), ==, -EADDRINUSE);
            edo_udp_close(u);
        }
        CHECK(!exists(path));
    }
    return 0;
}

TEST(abandoned_ones_are_replaced)
{
    everywhere(replace_body);
}

static int others_body(void *arg)
{
    (void)arg;
    edo_listener *l, *mine;
    const edo_unix_options replace = { .replace = true };
    const char *path = path_of("s"), *file = path_of("file"), *target = path_of("target");
    /* Files and links are not touched. */
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK_OK(fd);
    close(fd);
    CHECK_INT(edo_unix_listen(&l, file, &replace), ==, -EADDRINUSE);
    CHECK(exists(file));
    CHECK_OK(unlink(file));
    leave_behind(target, SOCK_STREAM);
    CHECK_OK(symlink(target, file));
    CHECK_INT(edo_unix_listen(&l, file, &replace), ==, -EADDRINUSE);
    CHECK(exists(file));
    CHECK(exists(target));
    CHECK_OK(unlink(file));
    CHECK_OK(unlink(target));
    /* Closing does not remove the file of who came later. */
    CHECK_OK(edo_unix_listen(&mine, path, NULL));
    CHECK_OK(unlink(path));
    CHECK_OK(edo_unix_listen(&l, path, NULL));
    edo_listener_close(mine);
    check_talks(l, path);
    edo_listener_close(l);
    CHECK(!exists(path));
    return 0;
}

TEST(what_is_anothers_stays)
{
    everywhere(others_body);
}

typedef struct rush {
    const char *path;
    edo_listener *l[8];
    unsigned next; /* atomic */
} rush;

static int rushes(void *arg)
{
    rush *r = arg;
    unsigned me = __atomic_fetch_add(&r->next, 1, __ATOMIC_RELAXED);
    int rc = edo_unix_listen(&r->l[me], r->path, &(edo_unix_options){ .replace = true });
    if (rc < 0) {
        CHECK_INT(rc, ==, -EADDRINUSE);
        r->l[me] = NULL;
    }
    return 0;
}

/* Several find the same abandoned file: one gets it, and it stays that one's. */
static int rush_body(void *arg)
{
    (void)arg;
    for (unsigned round = 0; round < test_scale(100); round++) {
        rush r = { .path = path_of("s") };
        leave_behind(r.path, SOCK_STREAM);
        edo_group g;
        edo_group_open(&g, NULL);
        for (int i = 0; i < 8; i++)
            CHECK_OK(edo_spawn(&g, rushes, &r));
        CHECK_OK(edo_group_close(&g));
        int winners = 0;
        for (int i = 0; i < 8; i++) {
            if (r.l[i] == NULL)
                continue;
            winners++;
            check_talks(r.l[i], r.path);
            edo_listener_close(r.l[i]);
        }
        CHECK_INT(winners, ==, 1);
        CHECK(!exists(r.path));
    }
    return 0;
}

TEST_TIMEOUT(one_replaces, 60)
{
    make_dir();
    run_on(1, rush_body, NULL);
    run_on(4, rush_body, NULL);
    remove_dir();
}

static int locked_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_scope s;
    const edo_unix_options replace = { .replace = true };
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_OK(flock(fd, LOCK_EX));
    edo_scope_open(&s, EDO_MS(20));
    CHECK_INT(edo_scope_close(&s, edo_unix_listen(&l, path_of("s"), &replace)), ==, -ETIMEDOUT);
    CHECK(!exists(path_of("s")));
    CHECK_OK(flock(fd, LOCK_UN));
    CHECK_OK(edo_unix_listen(&l, path_of("s"), &replace));
    edo_listener_close(l);
    close(fd);
    return 0;
}

TEST(waiting_for_the_directory)
{
    everywhere(locked_body);
}

/* ---- a full queue ---- */

static int connects(void *arg)
{
    edo_stream *s;
    int rc = edo_unix_connect(&s, arg);
    if (rc == 0)
        edo_close(s);
    return rc;
}

static int full_body(void *arg)
{
    (void)arg;
    edo_listener *l;
    edo_stream *c[8], *s;
    const char *name = abstract_name();
    int n = 0, rc = 0;
    CHECK_OK(edo_unix_listen(&l, name, &(edo_unix_options){ .backlog = 1 }));
    while (rc == 0) {
        CHECK_INT(n, <, 8);
        edo_scope scope;
        edo_scope_open(&scope, EDO_MS(20));
        rc = edo_scope_close(&scope, edo_unix_connect(&c[n], name));
        n += rc == 0;
    }
    CHECK_INT(rc, ==, -ETIMEDOUT);
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < 6; i++)
        CHECK_OK(edo_spawn(&g, connects, (void *)name));
    for (int i = 0; i < n + 6; i++) {
        CHECK_OK(edo_accept(l, &s));
        edo_close(s);
    }
    CHECK_OK(edo_group_close(&g));
    while (n > 0)
        edo_close(c[--n]);
    edo_listener_close(l);
    return 0;
}

TEST(a_full_queue)
{
    run_on(1, full_body, NULL);
    run_on(2, full_body, NULL);
}

/* ---- pairs ---- */

#define LONG 300000

static int writes_long(void *arg)
{
    unsigned char *data = malloc(LONG);
    CHECK(data != NULL);
    for (size_t i = 0; i < LONG; i++)
        data[i] = text_byte(3, i);
    CHECK_INT(edo_write(arg, data, LONG), ==, LONG);
    free(data);
    return edo_shutdown(arg);
}

static int pair_body(void *arg)
{
    (void)arg;
    edo_stream *a, *b;
    unsigned char *data = malloc(LONG + 1);
    CHECK(data != NULL);
    CHECK_OK(edo_unix_pair(&a, &b));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, writes_long, a));
    CHECK_INT(edo_read_full(b, data, LONG), ==, LONG);
    for (size_t i = 0; i < LONG; i++)
        CHECK_INT(data[i], ==, text_byte(3, i));
    CHECK_INT(edo_read(b, data, 1), ==, 0);
    CHECK_OK(edo_group_close(&g));
    edo_close(a);
    CHECK_INT(edo_write(b, "x", 1), ==, -EPIPE);
    edo_close(b);
    free(data);
    return 0;
}

TEST(pairs)
{
    run_on(1, pair_body, NULL);
    run_on(2, pair_body, NULL);
}

/* ---- datagrams ---- */

static int datagrams_body(void *arg)
{
    (void)arg;
    edo_udp *server, *named, *nameless;
    const char *path = path_of("d"), *name = abstract_name();
    edo_address to, from, expected;
    char buf[64];
    CHECK_OK(edo_unix_datagram(&server, path, NULL));
    CHECK_OK(edo_unix_datagram(&named, name, NULL));
    CHECK_OK(edo_unix_datagram(&nameless, NULL, NULL));
    CHECK_INT(edo_udp_port(server), ==, 0);
    CHECK_OK(edo_address_from_path(&to, path));
    CHECK_OK(edo_address_from_path(&expected, name));
    CHECK_INT(edo_udp_send_to(named, "one", 3, &to), ==, 3);
    CHECK_INT(edo_udp_send_to(nameless, "", 0, &to), ==, 0);
    CHECK_INT(edo_udp_recv_from(server, buf, sizeof buf, &from), ==, 3);
    CHECK(edo_address_equal(&from, &expected));
    CHECK_INT(edo_udp_send_to(server, "back", 4, &from), ==, 4);
    CHECK_INT(edo_udp_recv_from(server, buf, sizeof buf, &from), ==, 0);
    CHECK_INT(edo_address_family(&from), ==, EDO_FAMILY_NONE);
    CHECK_INT(edo_udp_recv(named, buf, 2), ==, 4); /* cut off, and that is said */
    CHECK_OK(edo_udp_connect_to(nameless, &to));
    edo_datagram list[3] = { { .data = "1", .size = 1 },
                             { .data = "22", .size = 2 },
                             { .data = "333", .size = 3 } };
    CHECK_INT(edo_udp_send_many(nameless, list, 3), ==, 3);
    edo_datagram got[4];
    for (int i = 0; i < 4; i++)
        got[i] = (edo_datagram){ .data = buf + 16 * i, .size = 16 };
    CHECK_INT(edo_udp_recv_many(server, got, 4), ==, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_UINT(got[i].len, ==, i + 1);
        CHECK_MEM(got[i].data, list[i].data, got[i].len);
    }
    edo_udp_close(server);
    CHECK(!exists(path));
    CHECK_INT(edo_udp_send(nameless, "x", 1), ==, -ECONNREFUSED);
    CHECK_INT(edo_udp_send_to(named, "x", 1, &to), ==, -ENOENT);
    edo_udp_close(named);
    edo_udp_close(nameless);
    return 0;
}

TEST(datagrams)
{
    everywhere(datagrams_body);
}

typedef struct flood {
    edo_udp *from;
    edo_address *to; /* NULL: it is connected */
    unsigned count;
} flood;

static int floods(void *arg)
{
    flood *f = arg;
    uint64_t random = test_seed();
    for (unsigned i = 0; i < f->count; i++) {
        int rc = -ETIMEDOUT;
        while (rc == -ETIMEDOUT) { /* cut off, it has not been sent */
            edo_scope s;
            edo_scope_open(&s, (int64_t)(test_rand(&random) % 300000));
            rc = (int)edo_udp_send_to(f->from, &i, sizeof i, f->to);
            rc = edo_scope_close(&s, rc);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* More than the queue of the receiver takes: senders wait, and nothing is lost or sent twice. */
static void flooded(flood *f, edo_udp *to)
{
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, floods, f));
    for (unsigned i = 0; i < f->count; i++) {
        unsigned number;
        if (i % 64 == 0)
            CHECK_OK(edo_sleep(EDO_US(300))); /* now and then the queue fills */
        CHECK_INT(edo_udp_recv(to, &number, sizeof number), ==, sizeof number);
        CHECK_UINT(number, ==, i);
    }
    CHECK_OK(edo_group_close(&g));
}

static int flood_body(void *arg)
{
    (void)arg;
    edo_udp *a, *b, *c, *d;
    edo_address to;
    const char *name = abstract_name();
    CHECK_OK(edo_unix_datagram_pair(&a, &b));
    CHECK_OK(edo_unix_datagram(&c, name, NULL));
    CHECK_OK(edo_unix_datagram(&d, NULL, NULL));
    CHECK_OK(edo_address_from_path(&to, name));
    flooded(&(flood){ .from = a, .count = test_scale(2000) }, b);
    flooded(&(flood){ .from = d, .to = &to, .count = test_scale(500) }, c);
    edo_udp_close(a);
    CHECK_INT(edo_udp_send(b, "x", 1), ==, -ECONNREFUSED);
    edo_udp_close(b);
    edo_udp_close(c);
    edo_udp_close(d);
    return 0;
}

TEST_TIMEOUT(senders_wait_for_room, 60)
{
    run_on(1, flood_body, NULL);
    run_on(2, flood_body, NULL);
}

TEST_MAIN()
