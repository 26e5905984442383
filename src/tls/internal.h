/* SPDX-License-Identifier: MIT */
/* libedo-tls from the inside.
 *
 * OpenSSL never sees a descriptor and never waits. It reads ciphertext from a buffer and writes it
 * into another (bio.c); whoever needs more of it, or has some to send, does so between two calls of
 * OpenSSL, by edo_read() and edo_write_some() of the stream below. That is why any stream will do,
 * why a task may be moved to another thread at any wait although OpenSSL's error queue belongs to
 * threads (it is emptied before the lock is given back: reason.c), and why a reader that waits does
 * not hold up a writer.
 *
 *     lock     over the SSL object, for the length of a call; never held while waiting below
 *     in_lock  who has it reads the stream below
 *     out_lock who has it writes the stream below; what was encrypted first goes out first
 *
 * Taken in this order: out_lock before lock; in_lock is only tried under lock. */
#ifndef EDO_TLS_INTERNAL_H
#define EDO_TLS_INTERNAL_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "io/stream.h"

#include <edo/once.h>
#include <edo/sync.h>
#include <edo/task.h>
#include <edo/tls.h>
#include <openssl/ssl.h>

#define RECORD_MAX 16384 /* plaintext of one record */

/* ---- configuration ---- */

/* What reading the files has given; never changed, replaced by a reload. */
typedef struct setup {
    uint32_t refs;            /* atomic */
    edo_tls_options *options; /* a copy, in one block: options.c */
    unsigned char *alpn;      /* as it is sent: each with its length before it; in the same block */
    unsigned alpn_len;
    BIO_METHOD *bio; /* bio.c */
    edo_once roots;  /* the system's are read when a connection needs them */
    size_t n;        /* contexts: one for each certificate, 1 without any */
    SSL_CTX *ctx[];  /* the first one accepts, another takes over when its name is asked for */
} setup;

enum { TICKET_NAME = 16, TICKET_KEY = 32 };

typedef struct ticket_key {
    unsigned char name[TICKET_NAME]; /* stands in the ticket: which key it is */
    unsigned char cipher[TICKET_KEY];
    unsigned char mac[TICKET_KEY];
    int64_t made; /* on the clock of clock_seconds(); 0: there is none */
} ticket_key;

/* Tickets of a server are sealed with the first key and opened with either. */
typedef struct ticket_keys {
    uint32_t lock; /* spin */
    ticket_key now, before;
} ticket_keys;

typedef struct session {
    struct session *next; /* of the cache, the one used last comes first */
    unsigned n;
    SSL_SESSION *ticket[4]; /* newest last: those of TLS 1.3 are for one use each */
    char key[];
} session;

typedef struct sessions {
    uint32_t lock; /* spin */
    unsigned count, max;
    session *first;
    uint64_t epoch; /* raised by a reload: sessions from before are not kept any more */
} sessions;

struct edo_tls_config {
    uint32_t refs; /* atomic */
    uint32_t lock; /* spin, over now */
    setup *now;    /* one reference */
    ticket_keys tickets;
    sessions sessions;
};

/* A copy of everything in one block, freed by free(3); NULL: no memory. */
edo_tls_options *edo__tls_options_copy(const edo_tls_options *o);
/* The list of protocols as it is sent, *len bytes; its room is `out`, NULL: only count. -EINVAL. */
int edo__tls_alpn_wire(const edo_tls_options *o, unsigned char *out, unsigned *len);

/* Reads what the options name. `options` is the setup's on success. */
int edo__tls_setup_create(setup **out, edo_tls_config *c, edo_tls_options *options,
                          edo_tls_error *error);
void edo__tls_setup_unref(setup *s);
setup *edo__tls_setup_of(edo_tls_config *c); /* the present one, with a reference */

/* The trust that the options name, revocation lists included, into a context's store. */
int edo__tls_load_trust(SSL_CTX *ctx, const edo_tls_options *o, edo_tls_error *error);
int edo__tls_need_trust(setup *s); /* the system's roots as well, if they are wanted. May suspend */
/* Certificate, chain and key into a context. */
int edo__tls_load_certificate(SSL_CTX *ctx, const edo_tls_certificate *c, edo_tls_error *error);
/* Says in error what is wrong with `what` (a file's name), from OpenSSL's queue. */
int edo__tls_load_failed(edo_tls_error *error, const char *what, int code);

/* SNI and ALPN of a server. */
void edo__tls_set_choices(SSL_CTX *ctx);

int edo__tls_tickets_init(ticket_keys *k);
void edo__tls_set_tickets(SSL_CTX *ctx);
void edo__tls_set_sessions(SSL_CTX *ctx); /* the client's cache */
void edo__tls_sessions_drop(sessions *s); /* all of them */
void edo__tls_set_keylog(SSL_CTX *ctx);

/* ---- one connection ---- */

typedef struct buffer {
    char *data;
    size_t cap;
    size_t start;
    size_t end; /* of `in` atomic: its writer has in_lock, its reader `lock` */
} buffer;

typedef struct edo__tls {
    edo_stream base; /* first member */
    edo_stream *below;
    SSL *ssl;
    edo_tls_config *config; /* one reference */
    setup *setup;           /* one reference */
    char *session_key;      /* of the client's cache; NULL: sessions are not kept */
    uint64_t session_epoch;
    bool server;

    edo_mutex lock;
    edo_mutex in_lock;
    edo_mutex out_lock;

    buffer in;        /* ciphertext that was read below */
    bool in_large;    /* the last read has filled a small buffer */
    bool in_ended;    /* atomic: nothing more will come */
    buffer pending;   /* ciphertext OpenSSL has made; under lock */
    bool has_pending; /* atomic: there is some */
    buffer sending;   /* that is being sent; its owner has out_lock */
    bool owed;        /* atomic: a cancelled call has left some of it behind, and nobody is at it */
    uint32_t pump_lock; /* spin, over pump */
    edo_scope *pump;    /* of the read below that is under way: cancelled when something is owed */

    int read_rc;    /* under lock: what reading gives from now on; 1: it goes on */
    int write_rc;   /* under out_lock: the same of writing */
    bool no_memory; /* under lock: a buffer could not grow */
    bool notified;  /* under out_lock: the close_notify is made */
    bool shut;      /* ... and the stream below is shut down */

    int alert;             /* the peer's last fatal one; -1 */
    char verify_text[250]; /* what is wrong with the peer's certificate; "" */
    const char *host;      /* in session_key's block; NULL */
    bool stapled;
    edo_tls_error error; /* the first failure */
    edo_tls_info *info;  /* edo_tls_describe()'s, made at the handshake; its strings behind it */
} edo__tls;

enum { WANT_INPUT = -100000 }; /* of the functions below: not until more was read. No code of Edo */

/* bio.c */
BIO_METHOD *edo__tls_bio_method(void); /* NULL: no memory */
int edo__tls_bio_attach(edo__tls *c);
bool edo__tls_reserve(buffer *b, size_t n); /* room for n bytes behind its end */
void edo__tls_buffer_free(buffer *b);

/* reason.c. With the lock held, right after the failed call: takes OpenSSL's errors off its queue. */
int edo__tls_failure(edo__tls *c, int ret);
void edo__tls_say(edo__tls *c, int code, const char *text); /* the first failure stays */
int edo__tls_verify(int ok, X509_STORE_CTX *store);
void edo__tls_info_callback(const SSL *ssl, int where, int ret);
/* Text for what is on OpenSSL's queue, which is empty afterwards. */
void edo__tls_queue_text(char *out, size_t size);

/* wire.c: the stream below. With no lock held unless said. */
int edo__tls_input(edo__tls *c); /* with lock, which it gives back: reads some ciphertext */
bool edo__tls_has_input(const edo__tls *c); /* with lock */
void edo__tls_take(edo__tls *c);       /* with lock and out_lock: pending is what is sent next */
int edo__tls_flush(edo__tls *c);       /* with out_lock: sends all there is */
int edo__tls_send_rest(edo__tls *c);   /* before waiting for input: sends what the peer waits for */
void edo__tls_send_alert(edo__tls *c); /* after a failure, if it goes at once or nearly so */

/* ocsp.c */
int edo__tls_set_ocsp(SSL_CTX *ctx, const edo_tls_certificate *own, edo_tls_error *error);
void edo__tls_free_ocsp(SSL_CTX *ctx);

/* stream.c */
void edo__tls_free(edo__tls *c);      /* leaves the stream below alone */
edo__tls *edo__tls_of(edo_stream *s); /* NULL: not one of ours */
extern const edo__stream_ops edo__tls_ops;

/* describe.c: with the handshake done. */
int edo__tls_note_info(edo__tls *c);

/* sessions.c */
SSL_SESSION *edo__tls_session_take(sessions *s, const char *key);
/* After the handshake of a client: of a new ticket within an old session of TLS 1.2, OpenSSL tells
 * nobody. */
void edo__tls_session_renew(edo__tls *c);

#endif
