/* SPDX-License-Identifier: MIT */
/* A Kubernetes API server as slow and as broken as one likes: serves OpenAPI v3 documents from a
 * directory over HTTP/1.1, every response delayed, some of them faulty on demand. `make demo` and
 * the tests of husako run against it.
 *
 *     slow-apiserver --spec-dir DIR [--listen 127.0.0.1:0] [--delay-ms 100] [--port-file FILE]
 *                    [--max-seconds 600] [--fail MODE[:KEY]]...
 *
 *     GET /openapi/v3                 index of all documents
 *     GET /openapi/v3/apis/apps/v1    one of them
 *     GET /repos/kubernetes/kubernetes/tags, .../contents/api/openapi-spec/v3?ref=TAG
 *                                     the same documents as GitHub lists a release's
 *
 * MODE: 500, 404, truncate (the connection ends half-way), badjson (half a document, well framed),
 * html, huge (128 MiB), reset, hang, 429once (then it works). KEY: a document's, or "index";
 * without it, all.
 *
 * One task per connection, which reads like the protocol: read, parse, wait, answer, again.
 * Pipelined requests are answered in order because the parser stops at the end of each. */
#include <edo/edo.h>
#include <fts.h>
#include <getopt.h>
#include <llhttp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENTS_MAX 1024
#define CONNECTIONS_MAX 4096
#define FAULTS_MAX 64
#define INPUT_SIZE ((size_t)16 << 10)
#define URL_MAX ((size_t)2 << 10)
#define REQUEST_MAX ((size_t)1 << 20) /* bytes of one request, body included */
#define HUGE_BODY ((size_t)128 << 20)
#define IDLE_MAX EDO_SEC(120)
#define WRITE_MAX EDO_SEC(120)

typedef struct document {
    char *key; /* "apis/apps/v1" */
    char *data;
    size_t len;
    atomic_bool refused; /* 429once has struck; relaxed: no other data goes with it */
} document;

typedef struct fault {
    const char *mode;
    const char *key; /* NULL: all */
} fault;

typedef struct text {
    char *data;
    size_t len, cap;
} text;

/* Constant while connections are served. */
static struct server {
    const char *listen, *spec_dir, *port_file;
    int64_t delay, max_time;
    fault faults[FAULTS_MAX];
    size_t n_faults;
    document *documents;
    size_t n_documents;
    document index; /* key "index" */
    document tags;
    char base[64]; /* "http://127.0.0.1:1234" */
} server = {
    .listen = "127.0.0.1:0",
    .delay = EDO_MS(100),
    .max_time = EDO_SEC(600),
};

static atomic_ulong requests_served; /* relaxed: a count for the last line of output */

/* ---- documents ---- */

static int read_file(const char *path, size_t size, char **out)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return -errno;
    char *data = malloc(size + 1);
    int rc = data ? 0 : -ENOMEM;
    if (rc == 0 && fread(data, 1, size, f) != size)
        rc = -EIO;
    fclose(f);
    if (rc < 0) {
        free(data);
        return rc;
    }
    data[size] = '\0';
    *out = data;
    return 0;
}

/* Keys go into JSON and URLs as they are. */
static bool plain(const char *key)
{
    return strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") ==
           strlen(key);
}

static int add_document(const char *relative, const char *path, size_t size)
{
    size_t n = strlen(relative);
    if (n <= 5 || strcmp(relative + n - 5, ".json") != 0 || server.n_documents == DOCUMENTS_MAX)
        return 0;
    document *d = &server.documents[server.n_documents];
    d->key = strndup(relative, n - 5);
    if (!d->key)
        return -ENOMEM;
    int rc = plain(d->key) ? read_file(path, size, &d->data) : -EINVAL;
    if (rc < 0) {
        fprintf(stderr, "slow-apiserver: %s: %s\n", path, edo_strerror(rc));
        free(d->key);
        d->key = NULL;
        return rc;
    }
    d->len = size;
    server.n_documents++;
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Reads all documents. Runs on the blocking pool. */
static int load(void *unused)
{
    (void)unused;
    size_t root = strlen(server.spec_dir);
    char *roots[] = { strdup(server.spec_dir), NULL };
    server.documents = calloc(DOCUMENTS_MAX, sizeof *server.documents);
    FTS *walk = roots[0] ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    int rc = server.documents && walk ? 0 : -ENOMEM;
    FTSENT *e;
    while (rc == 0 && (e = fts_read(walk)) != NULL) {
        const char *relative = e->fts_path + root;
        while (*relative == '/')
            relative++;
        if (e->fts_info == FTS_F)
            rc = add_document(relative, e->fts_path, (size_t)e->fts_statp->st_size);
        else if (e->fts_info == FTS_ERR || e->fts_info == FTS_NS || e->fts_info == FTS_DNR)
            rc = -e->fts_errno;
    }
    if (walk)
        fts_close(walk);
    free(roots[0]);
    return rc == 0 && server.n_documents == 0 ? -ENOENT : rc;
}

static document *find_document(const char *key)
{
    for (size_t i = 0; i < server.n_documents; i++)
        if (strcmp(server.documents[i].key, key) == 0)
            return &server.documents[i];
    return NULL;
}

/* ---- the lists of documents ---- */

__attribute__((format(printf, 2, 3))) static int put(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    if (t->len + (size_t)n + 1 > t->cap) {
        size_t cap = 2 * t->cap + (size_t)n + 1;
        char *data = realloc(t->data, cap);
        if (!data)
            return -ENOMEM;
        t->data = data;
        t->cap = cap;
    }
    va_start(args, format);
    vsnprintf(t->data + t->len, t->cap - t->len, format, args);
    va_end(args);
    t->len += (size_t)n;
    return 0;
}

static uint64_t hash_of(const document *d)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < d->len; i++)
        h = (h ^ (unsigned char)d->data[i]) * 0x100000001b3u;
    return h;
}

/* Runs on the blocking pool: it hashes all there is. */
static int make_index(void *unused)
{
    (void)unused;
    text t = { 0 };
    int rc = put(&t, "{\"paths\":{");
    for (size_t i = 0; i < server.n_documents && rc == 0; i++) {
        const document *d = &server.documents[i];
        rc = put(&t, "%s\"%s\":{\"serverRelativeURL\":\"/openapi/v3/%s?hash=%016llX\"}",
                 i ? "," : "", d->key, d->key, (unsigned long long)hash_of(d));
    }
    if (rc == 0)
        rc = put(&t, "}}");
    server.index = (document){ .key = "index", .data = t.data, .len = t.len };
    return rc;
}

static const char *const tags[] = { "v1.34.0-rc.1", "v1.33.1", "v1.33.0", "v1.32.5", "v1.9.11" };
#define N_TAGS (sizeof tags / sizeof *tags)
#define CONTENTS "/repos/kubernetes/kubernetes/contents/api/openapi-spec/v3"
#define RAW "/raw/kubernetes/kubernetes/"
#define RAW_PATH "/api/openapi-spec/v3/"

static int make_tags(void)
{
    text t = { 0 };
    int rc = put(&t, "[");
    for (size_t i = 0; i < N_TAGS && rc == 0; i++)
        rc = put(&t, "%s{\"name\":\"%s\"}", i ? "," : "", tags[i]);
    if (rc == 0)
        rc = put(&t, "]");
    server.tags = (document){ .key = "tags", .data = t.data, .len = t.len };
    return rc;
}

static bool known_tag(const char *tag, size_t n)
{
    for (size_t i = 0; i < N_TAGS; i++)
        if (strlen(tags[i]) == n && strncmp(tags[i], tag, n) == 0)
            return true;
    return false;
}

static int put_file(text *t, const char *tag, const char *name, size_t size, bool first)
{
    return put(
        t,
        "%s{\"name\":\"%s\",\"path\":\"api/openapi-spec/v3/%s\",\"type\":\"file\",\"size\":%zu,"
        "\"download_url\":\"%s" RAW "%s" RAW_PATH "%s\"}",
        first ? "" : ",", name, name, size, server.base, tag, name);
}

/* "apis/apps/v1" is the file "apis__apps__v1_openapi.json". */
static void file_name(char *out, size_t size, const char *key)
{
    size_t n = 0;
    for (; *key && n + 16 < size; key++) {
        out[n++] = *key == '/' ? '_' : *key;
        if (*key == '/')
            out[n++] = '_';
    }
    snprintf(out + n, size - n, "_openapi.json");
}

/* A release's files, in the form of GitHub's contents API. */
static int make_contents(text *t, const char *tag)
{
    char name[512];
    int rc = put(t, "[");
    if (rc == 0)
        rc = put_file(t, tag, "api_openapi.json", 2, true);
    for (size_t i = 0; i < server.n_documents && rc == 0; i++) {
        file_name(name, sizeof name, server.documents[i].key);
        rc = put_file(t, tag, name, server.documents[i].len, false);
    }
    return rc == 0 ? put(t, "]") : rc;
}

static document *find_raw(const char *name)
{
    char candidate[512];
    for (size_t i = 0; i < server.n_documents; i++) {
        file_name(candidate, sizeof candidate, server.documents[i].key);
        if (strcmp(candidate, name) == 0)
            return &server.documents[i];
    }
    return NULL;
}

/* ---- requests ---- */

typedef struct connection {
    edo_stream *stream;
    llhttp_t parser;
    char url[URL_MAX];
    size_t url_len;
    size_t size; /* bytes of this request so far */
    bool head, get;
    bool complete; /* a whole request is there */
    bool keep_alive;
    bool too_long;
    char input[INPUT_SIZE];
} connection;

static int on_begin(llhttp_t *p)
{
    connection *c = p->data;
    c->url_len = c->size = 0;
    c->complete = c->too_long = false;
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    connection *c = p->data;
    if (n >= URL_MAX - c->url_len) {
        c->too_long = true;
        return 0;
    }
    memcpy(c->url + c->url_len, at, n);
    c->url_len += n;
    return 0;
}

static int on_complete(llhttp_t *p)
{
    connection *c = p->data;
    c->url[c->url_len] = '\0';
    c->complete = true;
    c->keep_alive = llhttp_should_keep_alive(p);
    c->head = llhttp_get_method(p) == HTTP_HEAD;
    c->get = c->head || llhttp_get_method(p) == HTTP_GET;
    return HPE_PAUSED; /* what follows in the buffer is the next request */
}

static const llhttp_settings_t parser_settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_message_complete = on_complete,
};

static int send_all(connection *c, const char *head, size_t head_len, const char *body, size_t len)
{
    struct iovec iov[2] = {
        { .iov_base = (char *)(uintptr_t)head, .iov_len = head_len },
        { .iov_base = (char *)(uintptr_t)body, .iov_len = len },
    };
    edo_scope s;
    edo_scope_open(&s, WRITE_MAX);
    ssize_t n = edo_writev(c->stream, iov, len ? 2 : 1);
    return edo_scope_close(&s, n < 0 ? (int)n : 0);
}

/* @sent: bytes of the body really sent, fewer than its length for a fault. */
static int respond_part(connection *c, const char *status, const char *more, const char *body,
                        size_t len, size_t sent)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: %s\r\n%s\r\n", status, len,
                     c->keep_alive ? "keep-alive" : "close", more);
    return send_all(c, head, (size_t)n, body, c->head ? 0 : sent);
}

#define JSON "Content-Type: application/json\r\n"
#define TEXT "Content-Type: text/plain\r\n"

static int respond(connection *c, const char *status, const char *more, const char *body)
{
    return respond_part(c, status, more, body, strlen(body), strlen(body));
}

/* ---- faults ---- */

static int respond_huge(connection *c)
{
    enum { PIECE = 64 << 10 };
    static const char head[] = "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n";
    static const char begin[] = "15\r\n{\"openapi\":\"3.0.0\",\"x\r\n";
    char size[32];
    int rc = send_all(c, head, sizeof head - 1, begin, sizeof begin - 1);
    char *piece = malloc(PIECE + 2);
    if (!piece)
        return -ENOMEM;
    memset(piece, 'x', PIECE);
    memcpy(piece + PIECE, "\r\n", 2);
    int n = snprintf(size, sizeof size, "%x\r\n", PIECE);
    for (size_t sent = 0; sent < HUGE_BODY && rc == 0; sent += PIECE)
        rc = send_all(c, size, (size_t)n, piece, PIECE + 2);
    free(piece);
    return rc < 0 ? rc : send_all(c, "5\r\n\":1}\n\r\n0\r\n\r\n", 15, NULL, 0);
}

/* Part of an answer, then a reset. */
static int respond_reset(connection *c)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    int rc = send_all(c, "HTTP/1.1 200 OK\r\nContent-Le", 27, NULL, 0);
    (void)setsockopt(edo_stream_fd(c->stream), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return rc < 0 ? rc : -ECONNRESET;
}

/* No answer, until the client has gone. */
static int respond_hang(connection *c)
{
    while (edo_read(c->stream, c->input, sizeof c->input) > 0)
        continue;
    return -ECONNRESET;
}

static int respond_faulty(connection *c, document *d, const char *mode)
{
    if (strcmp(mode, "500") == 0)
        return respond(c, "500 Internal Server Error", TEXT, "the server is on fire\n");
    if (strcmp(mode, "404") == 0)
        return respond(c, "404 Not Found", TEXT, "no such document\n");
    if (strcmp(mode, "html") == 0)
        return respond(c, "200 OK", "Content-Type: text/html\r\n",
                       "<!doctype html><title>Sign in</title><h1>Please sign in</h1>\n");
    if (strcmp(mode, "badjson") == 0)
        return respond_part(c, "200 OK", JSON, d->data, d->len / 2, d->len / 2);
    if (strcmp(mode, "truncate") == 0) {
        int rc = respond_part(c, "200 OK", JSON, d->data, d->len, d->len / 2);
        return rc < 0 ? rc : -ECONNRESET;
    }
    if (strcmp(mode, "huge") == 0)
        return respond_huge(c);
    if (strcmp(mode, "reset") == 0)
        return respond_reset(c);
    return respond_hang(c);
}

static const char *fault_of(document *d)
{
    for (size_t i = 0; i < server.n_faults; i++) {
        const fault *f = &server.faults[i];
        if (f->key && strcmp(f->key, d->key) != 0)
            continue;
        if (strcmp(f->mode, "429once") != 0)
            return f->mode;
        if (!atomic_exchange_explicit(&d->refused, true, memory_order_relaxed))
            return f->mode;
    }
    return NULL;
}

static int respond_document(connection *c, document *d)
{
    const char *mode = fault_of(d);
    if (mode && strcmp(mode, "429once") == 0)
        return respond(c, "429 Too Many Requests", TEXT "Retry-After: 1\r\n", "slow down\n");
    return mode ? respond_faulty(c, d, mode)
                : respond_part(c, "200 OK", JSON, d->data, d->len, d->len);
}

/* ---- routes ---- */

static int respond_contents(connection *c, const char *query)
{
    const char *tag = strncmp(query, "ref=", 4) == 0 ? query + 4 : "";
    if (!known_tag(tag, strlen(tag)))
        return respond(c, "404 Not Found", JSON, "{\"message\":\"No commit found for the ref\"}");
    text t = { 0 };
    int rc = make_contents(&t, tag);
    if (rc == 0)
        rc = respond_part(c, "200 OK", JSON, t.data, t.len, t.len);
    free(t.data);
    return rc;
}

static int respond_raw(connection *c, const char *rest)
{
    const char *path = strchr(rest, '/');
    document *d = NULL;
    if (path && known_tag(rest, (size_t)(path - rest)) &&
        strncmp(path, RAW_PATH, sizeof RAW_PATH - 1) == 0) {
        const char *name = path + sizeof RAW_PATH - 1;
        if (strcmp(name, "api_openapi.json") == 0)
            return respond(c, "200 OK", JSON, "{}");
        d = find_raw(name);
    }
    return d ? respond_document(c, d) : respond(c, "404 Not Found", TEXT, "404: Not Found");
}

static int route(connection *c)
{
    static const char openapi[] = "/openapi/v3";
    char *query = strchr(c->url, '?');
    if (query)
        *query++ = '\0';
    if (strcmp(c->url, openapi) == 0)
        return respond_document(c, &server.index);
    if (strncmp(c->url, openapi, sizeof openapi - 1) == 0 && c->url[sizeof openapi - 1] == '/') {
        document *d = find_document(c->url + sizeof openapi);
        if (d)
            return respond_document(c, d);
    }
    if (strcmp(c->url, "/repos/kubernetes/kubernetes/tags") == 0)
        return respond_document(c, &server.tags);
    if (strcmp(c->url, CONTENTS) == 0)
        return respond_contents(c, query ? query : "");
    if (strncmp(c->url, RAW, sizeof RAW - 1) == 0)
        return respond_raw(c, c->url + sizeof RAW - 1);
    return respond(c, "404 Not Found", TEXT, "404 page not found\n");
}

static int answer(connection *c)
{
    int rc = edo_sleep(server.delay);
    if (rc < 0)
        return rc;
    atomic_fetch_add_explicit(&requests_served, 1, memory_order_relaxed);
    if (c->too_long)
        return respond(c, "414 URI Too Long", TEXT, "the URL is too long\n");
    if (!c->get)
        return respond(c, "405 Method Not Allowed", TEXT "Allow: GET, HEAD\r\n", "only GET\n");
    return route(c);
}

/* ---- connections ---- */

/* Parses what was read and answers every whole request in it. 1: go on; 0: the connection is to be
 * closed; or a code. */
static int consume(connection *c, const char *data, size_t n)
{
    const char *end = data + n;
    while (data < end) {
        llhttp_errno_t e = llhttp_execute(&c->parser, data, (size_t)(end - data));
        const char *stop = e == HPE_OK ? end : llhttp_get_error_pos(&c->parser);
        c->size += (size_t)(stop - data);
        data = stop;
        if (e == HPE_OK && c->size <= REQUEST_MAX)
            continue;
        c->keep_alive = c->keep_alive && e == HPE_PAUSED;
        if (e != HPE_PAUSED) {
            (void)respond(c, "400 Bad Request", TEXT, "this is not HTTP\n");
            return 0;
        }
        int rc = answer(c);
        if (rc < 0 || !c->keep_alive)
            return rc;
        llhttp_resume(&c->parser);
    }
    return 1;
}

static int read_some(connection *c)
{
    edo_scope s;
    edo_scope_open(&s, IDLE_MAX);
    return edo_scope_close(&s, (int)edo_read(c->stream, c->input, sizeof c->input));
}

/* The task of a connection. A failure is the connection's own affair. */
static int serve_connection(void *stream)
{
    connection *c = calloc(1, sizeof *c);
    if (c) {
        c->stream = stream;
        c->keep_alive = true;
        llhttp_init(&c->parser, HTTP_REQUEST, &parser_settings);
        c->parser.data = c;
        int n;
        while ((n = read_some(c)) > 0 && consume(c, c->input, (size_t)n) > 0)
            continue;
        free(c);
    }
    edo_close(stream);
    return 0;
}

static void accept_all(edo_group *g, edo_listener *l)
{
    for (;;) {
        edo_stream *s;
        int rc = edo_accept(l, &s);
        if (rc == -ECANCELED)
            return;
        if (rc < 0) { /* out of descriptors, say: it may pass */
            if (edo_sleep(EDO_MS(50)) < 0)
                return;
            continue;
        }
        rc = edo_spawn_with(g, &(edo_task_options){ .name = "connection" }, NULL, serve_connection,
                            s);
        if (rc < 0)
            edo_close(s);
    }
}

/* ---- start and stop ---- */

/* Renamed into place, so that whoever waits for the file reads a whole number. */
static int write_port(void *listener)
{
    text temporary = { 0 };
    if (!server.port_file)
        return 0;
    int rc = put(&temporary, "%s.tmp", server.port_file);
    FILE *f = rc == 0 ? fopen(temporary.data, "we") : NULL;
    if (rc == 0 && !f)
        rc = -errno;
    if (f) {
        fprintf(f, "%u\n", edo_listener_port(listener));
        if (fclose(f) != 0 || rename(temporary.data, server.port_file) < 0)
            rc = -errno;
    }
    free(temporary.data);
    return rc;
}

static int prepare(edo_listener **l)
{
    int rc = edo_blocking(load, NULL);
    if (rc == 0)
        rc = edo_blocking(make_index, NULL);
    if (rc == 0)
        rc = make_tags();
    if (rc < 0) {
        fprintf(stderr, "slow-apiserver: %s: %s\n", server.spec_dir, edo_strerror(rc));
        return rc;
    }
    rc = edo_tcp_listen(l, server.listen, NULL);
    if (rc < 0) {
        fprintf(stderr, "slow-apiserver: %s: %s\n", server.listen, edo_strerror(rc));
        return rc;
    }
    snprintf(server.base, sizeof server.base, "http://127.0.0.1:%u", edo_listener_port(*l));
    rc = edo_blocking(write_port, *l);
    if (rc < 0)
        fprintf(stderr, "slow-apiserver: %s: %s\n", server.port_file, edo_strerror(rc));
    return rc;
}

/* Until it is cancelled: by a signal, or when its time is over. */
static int serve(void *listener)
{
    edo_scope s;
    edo_group g;
    edo_scope_open(&s, server.max_time);
    edo_group_open(
        &g, &(edo_group_options){ .limit = CONNECTIONS_MAX, .keep_going = true, .discard = true });
    accept_all(&g, listener);
    edo_group_cancel(&g);
    (void)edo_group_close(&g);
    return edo_scope_close(&s, 0);
}

static void free_all(void)
{
    for (size_t i = 0; i < server.n_documents; i++) {
        free(server.documents[i].key);
        free(server.documents[i].data);
    }
    free(server.documents);
    free(server.index.data);
    free(server.tags.data);
}

static int run(void *unused)
{
    (void)unused;
    edo_listener *l = NULL;
    int rc = prepare(&l);
    if (rc == 0) {
        size_t bytes = 0;
        for (size_t i = 0; i < server.n_documents; i++)
            bytes += server.documents[i].len;
        printf("slow-apiserver: %zu documents, %.1f MB, at %s\n", server.n_documents,
               (double)bytes / 1e6, server.base);
        fflush(stdout);
        int stopped = edo_with_signals(EDO_SIG(SIGINT) | EDO_SIG(SIGTERM), NULL, serve, l);
        rc = stopped == -EINTR ? 0 : stopped;
        printf("slow-apiserver: stopped after %lu requests\n",
               atomic_load_explicit(&requests_served, memory_order_relaxed));
    }
    edo_listener_close(l);
    free_all();
    return rc;
}

static int add_fault(char *argument)
{
    static const char *const modes[] = { "500",  "404",   "truncate", "badjson", "html",
                                         "huge", "reset", "hang",     "429once" };
    char *key = strchr(argument, ':');
    if (key)
        *key++ = '\0';
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i], argument) == 0 && server.n_faults < FAULTS_MAX) {
            server.faults[server.n_faults++] = (fault){ .mode = modes[i], .key = key };
            return 0;
        }
    fprintf(stderr, "slow-apiserver: unknown fault '%s'\n", argument);
    return -EINVAL;
}

static int parse_options(int argc, char **argv)
{
    static const struct option options[] = { { "listen", required_argument, NULL, 'l' },
                                             { "spec-dir", required_argument, NULL, 's' },
                                             { "delay-ms", required_argument, NULL, 'd' },
                                             { "port-file", required_argument, NULL, 'p' },
                                             { "fail", required_argument, NULL, 'f' },
                                             { "max-seconds", required_argument, NULL, 'm' },
                                             { NULL, 0, NULL, 0 } };
    int o, rc = 0;
    while (rc == 0 && (o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'l': server.listen = optarg; break;
        case 's': server.spec_dir = optarg; break;
        case 'p': server.port_file = optarg; break;
        case 'd': server.delay = EDO_MS(atoi(optarg)); break;
        case 'm': server.max_time = EDO_SEC(atoi(optarg)); break;
        case 'f': rc = add_fault(optarg); break;
        default: rc = -EINVAL;
        }
    }
    if (rc < 0 || optind != argc || !server.spec_dir) {
        fprintf(stderr, "usage: slow-apiserver --spec-dir DIR [--listen HOST:PORT] [--delay-ms N]\n"
                        "           [--port-file FILE] [--max-seconds N] [--fail MODE[:KEY]]...\n");
        return -EINVAL;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (parse_options(argc, argv) < 0)
        return 2;
    int rc = edo_run(NULL, run, NULL);
    if (rc < 0)
        fprintf(stderr, "slow-apiserver: %s\n", edo_strerror(rc));
    return rc < 0 ? 1 : 0;
}
