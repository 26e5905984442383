/* SPDX-License-Identifier: MIT */
/* What the examples in the comments of the public headers take for granted: names they use without
 * declaring them. Each example is compiled after this file (examples.sh). A name that an example
 * declares itself hides the one here. */
#include <edo/edo.h>
#ifdef EXAMPLE_http
#include <edo/http.h>
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

extern edo_chan *c, *d, *out, *in;
extern edo_group g;
extern edo_mutex m;
extern edo_stream *a, *b, *s, *stream, *conn;
extern edo_runtime *rt;
extern edo_token *token;
extern edo_fn work, run_job, fetch, handshake, producer, encode, fn;
extern int i, item[10], state, value, v;
extern ssize_t n, done;
extern unsigned frame_len;
extern char buf[64];
extern const char *name, *text;
extern long balance, amount;
extern struct job job, jobs[16];
extern struct request request;
extern char *url, *data;
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

#if defined(EXAMPLE_io) || defined(EXAMPLE_writer)
extern char head[16], body[64];
#else
extern int header, body;
#endif
#ifdef EXAMPLE_writer
extern edo_writer w;
#endif
#ifdef EXAMPLE_http
extern edo_http_client *client;
extern edo_http_response r;
#endif
