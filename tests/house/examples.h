/* SPDX-License-Identifier: MIT */
/* What the examples in the comments of the public headers take for granted: names they use without
 * declaring them. Each example is compiled after this file (reference.sh), with EXAMPLE_name of its
 * header defined. A name that an example declares itself hides the one here. stage.c makes what is
 * declared here. */
#include <edo/edo.h>
#ifdef EXAMPLE_http
#include <edo/http.h>
#endif
#ifdef EXAMPLE_tls
#include <edo/tls.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    int from, to;
};
struct request {
    int fd;
};
struct event {
    int what;
};
struct session {
    edo_delay_key key;
};
struct lease {
    edo_delay_key key;
    int64_t ends;
};
struct settings {
    int level;
};

extern edo_chan *c, *out, *in;
extern edo_group g;
extern edo_runtime *rt;
extern edo_event ready;
extern edo_notify news;
extern edo_oneshot o;
extern edo_sem slots;
extern edo_stream *a, *stream, *conn, *dst, *below, *child_stdin, *child_stdout;
extern edo_token *token, *stop;
extern edo_fn work, run_job, fetch, handshake, producer, fn, load_table;
extern int i, item[10], state, value, v, count, table, wanted;
extern bool closed;
extern ssize_t done;
extern unsigned frame_len;
extern uint64_t missed, id, content_length, copied, hash;
extern char *line;
extern char buf[64];
extern const char *name, *text;
extern long balance, amount;
extern struct job job, jobs[16];
extern struct request request;
extern struct event event;
extern struct session *session;
extern struct lease *lease;
extern struct settings settings;
extern char *url, *urls[8];
extern void *arg, *doc;
extern size_t at, len, body_len;

int run(const void *what);
struct job next_job(void);
int say_goodbye(edo_stream *s);
int read_whole_file(void *request);
void crunch(int *state);
void request_free(void *request);
void document_free(void *doc);
int PQsocket(void *conn);
void swap_buffers(void);
void session_expire(void *session);
void session_free(void *session);
void sample(void);
void look_at(const int *table);
void change(int *table);
void use_defaults(void);
int call_service(void);
int reply_too_many_requests(int64_t after);
void apply(const struct settings *settings);
enum { READY = 1 };
void do_something_else(void);
void look_at_news(void);
bool is_there_news(void);
void use_a_slot(void);
int ping(edo_stream *s);
int http2(edo_reader *r);
size_t parse(const void *data, size_t n);
ssize_t decode(void *ctx, void *buf, size_t n);
int drop(void *ctx);

/* The short names differ from header to header. */
#ifdef EXAMPLE_barrier
extern edo_barrier barrier;
#endif
#ifdef EXAMPLE_broadcast
extern edo_broadcast *b;
extern edo_broadcast_rx rx;
#else
extern edo_stream *b;
#endif
#ifdef EXAMPLE_cond
extern edo_cond filled;
#endif
#ifdef EXAMPLE_delayqueue
extern edo_delayqueue q;
extern edo_delay d;
#elif defined(EXAMPLE_fs)
extern edo_dir *d;
extern edo_dir_entry e;
extern edo_file *f;
#elif defined(EXAMPLE_fs_tree)
extern edo_fs_watcher *watcher;
#else
extern edo_chan *d;
#endif
#ifdef EXAMPLE_http
extern edo_http_client *client;
extern edo_http_response r;
#endif
#ifdef EXAMPLE_tls
extern edo_tls_config *config;
extern edo_tls_error error;
struct holder {
    edo_tls_config *config;
};
extern struct holder *other;
void speak_http2(edo_stream *s);
#endif
#if defined(EXAMPLE_io) || defined(EXAMPLE_writer) || defined(EXAMPLE_reader) ||                   \
    defined(EXAMPLE_udp)
extern char head[16], body[64];
#elif defined(EXAMPLE_stream)
extern edo_stream *head, *body, *file, *socket, *client, *server;
extern struct codec *codec;
ssize_t encode(void *ctx, const void *buf, size_t n);
extern edo_reader r;
extern edo_inspect_fn add_to_hash;
#else
extern int header, body;
#endif
#if defined(EXAMPLE_frame)
extern edo_frame_reader f;
extern edo_frame_writer frames;
extern edo_reader r;
extern edo_writer w;
extern size_t n;
extern char *data;
void handle(const void *data, size_t n);
#elif defined(EXAMPLE_reader)
extern edo_reader r;
extern size_t n;
extern const void *data;
#else
extern ssize_t n;
extern char *data;
void handle(const struct event *event);
#endif
#ifdef EXAMPLE_metrics
extern edo_metrics m;
#else
extern edo_mutex m;
#endif
#if defined(EXAMPLE_address) || defined(EXAMPLE_net) || defined(EXAMPLE_udp)
extern edo_address from, to;
#endif
#ifdef EXAMPLE_net
extern edo_listener *l;
extern int inherited;
#endif
#ifdef EXAMPLE_unix
extern edo_listener *l;
extern int fd;
#endif
#ifdef EXAMPLE_udp
extern edo_udp *u;
extern int inherited;
#endif
#ifdef EXAMPLE_once
extern edo_once once;
extern edo_setonce bound;
#endif
#ifdef EXAMPLE_process
extern edo_process p;
extern edo_exit status;
extern edo_output output;
#endif
#ifdef EXAMPLE_ratelimit
extern edo_ratelimit r;
#endif
#ifdef EXAMPLE_rwlock
extern edo_rwlock lock;
#endif
#ifdef EXAMPLE_signal
extern edo_signal signals, hangup;
extern int number;
#endif
#ifdef EXAMPLE_time
extern edo_interval iv;
#endif
#ifdef EXAMPLE_tracker
extern edo_tracker *t;
extern edo_fn serve;
extern void *connection;
#endif
#ifdef EXAMPLE_watch
extern edo_watch *w;
extern edo_watch_rx rx;
#endif
#ifdef EXAMPLE_writer
extern edo_writer w;
size_t encode(void *to);
#endif
extern edo_stream *s;
