/* SPDX-License-Identifier: MIT */
/* Edo: TLS 1.2 and 1.3, both sides. In libedo-tls, not in libedo: link with
 * `pkg-config --libs edo-tls`. It stands on OpenSSL 3.
 *
 * A configuration says whom to trust and who we are; it is made once and used by any number of tasks
 * and threads. With it a stream becomes one that is encrypted on the way, whatever that stream is:
 *
 *     edo_tls_error e;
 *     edo_tls_config *config;
 *     edo_stream *s;
 *     rc = edo_tls_config_create(&config, NULL, &e);
 *     rc = edo_tls_connect(&s, "example.org:443", config, &e);
 *     if (rc < 0)
 *         fprintf(stderr, "%s\n", e.text);    // certificate has expired (example.org, 3 days ago)
 *
 * and is then used as any stream is, also by one reader and one writer at the same time, who do not
 * hold each other up. What is particular about it:
 *
 * - edo_shutdown() tells the peer that this was all (close_notify) and shuts down the stream below. It
 *   may suspend and is a checkpoint; cancelled, it is called again.
 * - edo_close() sends nothing: the peer of a stream that is closed without an edo_shutdown() knows that
 *   something is missing. It never suspends.
 * - Reading gives 0 only when the peer has said that this was all, EDO_EEOF when the connection ended
 *   without a word: someone may have cut it. Everything up to there was read before.
 * - EDO_ETLS: what came is no TLS, was tampered with, or the peer refused us. edo_tls_reason() says
 *   what it was.
 * - A write has taken what it says it has, also when it was cancelled meanwhile; what of that was not
 *   yet sent goes out with the next write, read or shutdown. */
#ifndef EDO_TLS_H
#define EDO_TLS_H

#include <edo/io.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_tls_config edo_tls_config;

/* What went wrong, in words for who has to mend it. */
typedef struct edo_tls_error {
    int code; /* what the call returned; 0: nothing */
    char text
        [256]; /* "hostname mismatch (for a.example, not for b.example)"; "" when there is none */
} edo_tls_error;

typedef enum edo_tls_version {
    EDO_TLS_VERSION_DEFAULT, /* lowest: 1.2; highest: what OpenSSL knows */
    EDO_TLS_1_2,
    EDO_TLS_1_3,
} edo_tls_version;

/* What a server wants of its clients. */
typedef enum edo_tls_client_auth {
    EDO_TLS_CLIENT_NONE,     /* no certificate                                     */
    EDO_TLS_CLIENT_OPTIONAL, /* a good one or none; edo_tls_describe() tells which */
    EDO_TLS_CLIENT_REQUIRED,
} edo_tls_client_auth;

/* A chain of certificates and the key to its first one: in files, or in memory as text in PEM form. */
typedef struct edo_tls_certificate {
    const char
        *cert_file;       /* the certificate, then those of the authorities between it and a root */
    const char *key_file; /* NULL: in cert_file */
    const char *cert_pem; /* instead of cert_file */
    const char *key_pem;  /* instead of key_file; NULL: in cert_pem */
    const char *password; /* of the key; NULL: none */
    const char *ocsp_file; /* server: the authority's answer (DER) that is sent along; NULL: none */
} edo_tls_certificate;

/* Chooses among the certificates of a server. Does not suspend; may be called on any thread.
 * @name: what the client asks for (SNI); NULL: it does not say.
 * Returns an index into the options' certificates; negative: the connection is refused. */
typedef int edo_tls_choose_fn(void *arg, const char *name);

/* Zero means the default everywhere; a NULL pointer means all defaults. Everything is copied, but
 * choose_arg. */
typedef struct edo_tls_options {
    /* Whom to trust. None of the first three: the system's roots ($SSL_CERT_FILE, $SSL_CERT_DIR),
     * which are read when the first connection needs them. */
    const char *ca_file; /* PEM */
    const char *ca_dir;  /* as made by `openssl rehash` */
    const char *ca_pem;  /* text */
    bool system_roots;   /* these as well as the ones above */
    const char
        *crl_file;    /* PEM, lists of revoked certificates, one for each authority; NULL: none */
    bool no_verify;   /* client: accept any certificate of any host */
    bool must_staple; /* client: the server has to send along that it is not revoked (OCSP) */

    /* Who we are. A server has the certificate whose names match what the client asks for, else the
     * first; a client shows the first when it is asked. */
    const edo_tls_certificate *certificates;
    size_t n_certificates;
    edo_tls_choose_fn *choose; /* instead of the names in the certificates; NULL: these */
    void *choose_arg;

    edo_tls_client_auth client_auth; /* server; judged by the trust above */
    const char *const *alpn;         /* protocols, the preferred first: "h2", "http/1.1" */
    size_t n_alpn;
    edo_tls_version min_version;
    edo_tls_version max_version;
    const char *ciphers;      /* of TLS 1.2, as in ciphers(1); NULL: OpenSSL's */
    const char *ciphersuites; /* of TLS 1.3; NULL: OpenSSL's */
    const char *groups;       /* for the key exchange: "X25519:P-256"; NULL: OpenSSL's */
    bool no_resumption;       /* every handshake is a whole one */
    unsigned sessions_max;    /* client: hosts whose sessions are kept; 0: 256 */
    bool renegotiate;         /* client, TLS 1.2: do it when the server asks; default: refuse */
    bool keylog;              /* append the secrets to the file $SSLKEYLOGFILE, if that is set */
} edo_tls_options;

/* A connection. Strings and memory stay valid until the stream is closed. */
typedef struct edo_tls_info {
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* "TLS_AES_256_GCM_SHA384" */
    const char *alpn;        /* what both have agreed on; NULL: nothing */
    const char *server_name; /* what the client has asked for; NULL: nothing */
    bool resumed;            /* goes on with an earlier session: certificates were judged then */
    bool verified;           /* the peer has shown a certificate, and it is good */
    bool stapled;            /* the server has sent along that it is not revoked */
    const char *subject;     /* of the peer's certificate, "CN=example.org"; NULL: it has none */
    const char *issuer;
    int64_t expires;           /* seconds since 1970 */
    unsigned char sha256[32];  /* of the certificate: its fingerprint */
    const unsigned char *cert; /* DER; NULL: it has none */
    size_t cert_len;
} edo_tls_info;

/* edo_tls_config_create - reads the certificates and keys, on the blocking pool.
 * @out: one reference, given back with edo_tls_config_destroy().
 * @options: or NULL.
 * @error: filled; or NULL.
 * Returns 0; -ECANCELED; EDO_ETLS when a file has not what it should have, or a key does not fit its
 * certificate; -ENOENT, -EACCES and other -errno of reading a file; -EINVAL; -ENOMEM.
 *
 *     edo_tls_certificate own = { .cert_file = "server.pem", .key_file = "server.key" };
 *     edo_tls_options options = { .certificates = &own, .n_certificates = 1 };
 *     rc = edo_tls_config_create(&config, &options, &error);
 *
 * Suspends: always (a foreign thread reads the files itself)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_config_create(edo_tls_config **out, const edo_tls_options *options,
                                         edo_tls_error *error);

/* edo_tls_config_reload - takes renewed certificates, keys, trust and lists. Connections that are open
 * stay as they are; those that are made from now on get the new ones. On failure all is as before.
 * Tickets stay good; a client forgets its sessions.
 * @options: NULL: those it was made with, their files read again.
 * Returns what edo_tls_config_create() does.
 *
 *     rc = edo_tls_config_reload(config, NULL, &error);    // after the renewal
 *
 * Suspends: always (a foreign thread reads the files itself)
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_config_reload(edo_tls_config *c, const edo_tls_options *options,
                                         edo_tls_error *error);

/* edo_tls_config_ref - one reference more. Returns c.
 *
 *     other->config = edo_tls_config_ref(config);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_tls_config *edo_tls_config_ref(edo_tls_config *c);

/* edo_tls_config_destroy - gives a reference back. Streams have one of their own, so they need not be
 * closed before. NULL is allowed.
 *
 *     edo_tls_config_destroy(config);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_tls_config_destroy(edo_tls_config *c);

/* edo_tls_connect - connects by TCP and does the handshake.
 * @address: "host:port"; the certificate has to be for that host.
 * @error: filled; or NULL.
 * Returns 0; the codes of edo_tcp_connect() and edo_tls_client().
 *
 *     rc = edo_tls_connect(&s, "example.org:443", config, &error);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_connect(edo_stream **out, const char *address, edo_tls_config *config,
                                   edo_tls_error *error);

/* edo_tls_client - does the handshake as the client.
 * @out: owns below from then on.
 * @below: anything that carries bytes both ways. On failure it stays the caller's, and of no more use
 *   than to be closed.
 * @host: "example.org" or an address: what the certificate has to be for, and asked for (SNI). With a
 *   port ("example.org:443") sessions are kept apart by it. NULL only with no_verify.
 * @error: filled; or NULL.
 * Returns 0; -ECANCELED; EDO_ETLS (error says why); EDO_EEOF when the peer has closed the connection;
 * the codes of edo_read() and edo_write(); -EINVAL (no host, or a bad one); -ENOMEM.
 *
 *     rc = edo_tls_client(&s, below, "example.org", config, &error);
 *     if (rc < 0)
 *         edo_close(below);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_client(edo_stream **out, edo_stream *below, const char *host,
                                  edo_tls_config *config, edo_tls_error *error);

/* edo_tls_server - does the handshake as the server.
 * @config: with a certificate (else -EINVAL).
 * The rest is as with edo_tls_client().
 *
 *     rc = edo_tls_server(&s, below, config, &error);       // in the connection's own task
 *     if (rc < 0)
 *         edo_close(below);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_server(edo_stream **out, edo_stream *below, edo_tls_config *config,
                                  edo_tls_error *error);

/* edo_tls_reason - why reading or writing gave EDO_ETLS or EDO_EEOF: of the first failure.
 * @s: a stream of this library; of any other the answer is "".
 * Returns a text that is valid until s is closed; "" when nothing has failed.
 *
 *     if ((n = edo_read(s, buf, sizeof buf)) == EDO_ETLS)
 *         fprintf(stderr, "%s\n", edo_tls_reason(s));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any; whoever saw the failure */
const char *edo_tls_reason(edo_stream *s);

/* edo_tls_describe - what was agreed on, and with whom.
 * Returns 0; -EINVAL when s is no stream of this library.
 *
 *     edo_tls_info info;
 *     if (edo_tls_describe(s, &info) == 0 && info.alpn != NULL && strcmp(info.alpn, "h2") == 0)
 *         speak_http2(s);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_describe(edo_stream *s, edo_tls_info *out);

/* edo_tls_export - a secret that only the two ends of this connection know (RFC 5705), to bind what
 * is said inside to it.
 * @label: what for; @context, @context_len: what else it depends on; NULL: nothing.
 * @out, @n: n bytes are written.
 * Returns 0, -EINVAL, or EDO_ETLS.
 *
 *     unsigned char key[32];
 *     rc = edo_tls_export(s, "EXPORTER-Channel-Binding", NULL, 0, key, sizeof key);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_tls_export(edo_stream *s, const char *label, const void *context,
                                  size_t context_len, void *out, size_t n);

/* edo_tls_update_keys - goes on with new keys, as is wise after very many bytes (TLS 1.3).
 * @both: the peer is to do the same.
 * Returns 0; -ECANCELED; -EOPNOTSUPP with TLS 1.2; -EINVAL; the codes of edo_write().
 *
 *     rc = edo_tls_update_keys(s, true);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any; one writer at a time */
EDO_MUST_CHECK int edo_tls_update_keys(edo_stream *s, bool both);

#ifdef __cplusplus
}
#endif
#endif
