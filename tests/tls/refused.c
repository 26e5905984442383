/* SPDX-License-Identifier: MIT */
/* Certificates and protocols that must not be accepted, and what is said about each: both the side
 * that refuses and the side that is refused get a code and a text to act on. */
#include "support.h"

static tls_world world;

typedef struct wrong {
    const char *name;        /* of the case */
    const pki_options *make; /* the server's certificate; the issuer is the root if it names none */
    bool self;               /* ... but nobody has issued it */
    const char *host;        /* that the client wants; NULL: a.example */
    const char *text;        /* what the client says */
    const char *peer;        /* what the server says */
} wrong;

#define ALT "DNS:a.example"
#define DAY 86400

static const wrong cases[] = {
    { "expired", &(pki_options){ .alt = ALT, .from = -9 * DAY, .until = -3 * DAY - 600 }, false,
      NULL, "certificate has expired (Leaf, 3 days ago)", "certificate expired" },
    { "expired an hour ago", &(pki_options){ .alt = ALT, .from = -9 * DAY, .until = -3660 }, false,
      NULL, "certificate has expired (Leaf, 1 hour ago)", "certificate expired" },
    { "not yet valid", &(pki_options){ .alt = ALT, .from = 2 * DAY + 600 }, false, NULL,
      "certificate is not yet valid (Leaf, but in 2 days)", "bad certificate" },
    { "another host", &(pki_options){ .alt = "DNS:b.example,DNS:c.example" }, false, NULL,
      "hostname mismatch (for b.example, c.example, not for a.example)", "bad certificate" },
    { "another address", &(pki_options){ .alt = "IP:10.1.2.3" }, false, "127.0.0.1",
      "IP address mismatch (for 10.1.2.3, not for 127.0.0.1)", "bad certificate" },
    { "a name instead of an address", &(pki_options){ .alt = "DNS:127.0.0.1" }, false,
      "127.0.0.1:443", "IP address mismatch (for 127.0.0.1, not for 127.0.0.1)",
      "bad certificate" },
    { "the name only in the subject", &(pki_options){ .name = "a.example" }, false, NULL,
      "hostname mismatch (for no name at all, not for a.example)", "bad certificate" },
    { "a wildcard is no subdomain of a subdomain", &(pki_options){ .alt = "DNS:*.example" }, false,
      "x.a.example", "hostname mismatch (for *.example, not for x.a.example)", "bad certificate" },
    { "self-signed", &(pki_options){ .alt = ALT }, true, NULL, "self-signed certificate (Leaf)",
      "unknown CA" },
    { "a weak key", &(pki_options){ .alt = ALT, .rsa_bits = 1024 }, false, NULL,
      "EE certificate key too weak (Leaf, 1024 bits)", "" },
    { "for clients only", &(pki_options){ .alt = ALT, .usage = "clientAuth" }, false, NULL,
      "unsuitable certificate purpose (Leaf)", "unsupported certificate" },
};

/* One connection that must fail. */
static void must_fail(const char *name, const edo_tls_options *client,
                      const edo_tls_options *server, const char *host, const char *text,
                      const char *peer)
{
    tls_pair p = { .client_config = tls_config(client),
                   .server_config = tls_config(server),
                   .host = host };
    tls_pair_open(&p);
    printf("# %s: %s / %s\n", name, p.client_error.text, p.server_error.text);
    CHECK_INT(p.client_rc, ==, EDO_ETLS);
    tls_contains(p.client_error.text, text);
    if (p.server_rc == 0) { /* a client of TLS 1.3 may refuse when the server is content already */
        char byte;
        CHECK_INT(edo_read(p.server, &byte, 1), ==, EDO_ETLS);
        tls_contains(edo_tls_reason(p.server), peer);
    } else {
        CHECK_INT(p.server_rc, ==, EDO_ETLS);
        tls_contains(p.server_error.text, peer);
    }
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
}

static edo_tls_certificate shown(const pki *p)
{
    return (edo_tls_certificate){ .cert_pem = p->cert_pem, .key_pem = p->key_pem };
}

static void wrong_certificate(const wrong *w, edo_tls_version version)
{
    pki_options make = *w->make;
    if (make.name == NULL)
        make.name = "Leaf";
    make.issuer = w->self ? NULL : world.root;
    pki *leaf = pki_make(&make);
    edo_tls_certificate own = shown(leaf);
    /* a server that does not mind its own weak key */
    edo_tls_options server = { .certificates = &own,
                               .n_certificates = 1,
                               .max_version = version,
                               .ciphers = "DEFAULT:@SECLEVEL=0" };
    edo_tls_options client = { .ca_pem = world.root->cert_pem };
    must_fail(w->name, &client, &server, w->host != NULL ? w->host : "a.example", w->text, w->peer);
    pki_free(leaf);
}

static int certificates(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wrong_certificate(&cases[i], EDO_TLS_1_3);
        wrong_certificate(&cases[i], EDO_TLS_1_2);
    }
    return 0;
}

static void start(edo_fn *fn)
{
    unsigned before = tls_count_fds();
    tls_world_make(&world);
    tls_run(2, fn, NULL);
    tls_world_free(&world);
    pki_dir_remove();
    CHECK_UINT(tls_count_fds(), ==, before);
}

TEST_TIMEOUT(certificates, 60)
{
    start(certificates);
}

/* Chains: a root nobody trusts, one that is missing in the middle, a digest nobody should use. */
static int chains(void *unused)
{
    (void)unused;
    pki *other = pki_make(&(pki_options){ .name = "Other Root", .authority = true });
    pki *middle =
        pki_make(&(pki_options){ .name = "Middle", .authority = true, .issuer = world.root });
    pki *sha1 = pki_make(&(pki_options){
        .name = "Old Middle", .authority = true, .issuer = world.root, .md = EVP_sha1() });
    pki *good =
        pki_make(&(pki_options){ .name = "Leaf", .alt = ALT, .issuer = middle, .chain = middle });
    pki *alone = pki_make(&(pki_options){ .name = "Leaf", .alt = ALT, .issuer = middle });
    pki *old =
        pki_make(&(pki_options){ .name = "Leaf", .alt = ALT, .issuer = sha1, .chain = sha1 });
    pki *strange =
        pki_make(&(pki_options){ .name = "Leaf", .alt = ALT, .issuer = other, .chain = other });
    pki *no_authority = pki_make(
        &(pki_options){ .name = "Leaf of a leaf", .alt = ALT, .issuer = good, .chain = good });
    edo_tls_options client = { .ca_pem = world.root->cert_pem };
    struct {
        const char *name;
        pki *leaf;
        const char *text, *peer;
    } all[] = {
        { "an intermediate is missing", alone,
          "unable to get local issuer certificate (Leaf, issued by Middle: not trusted, or a "
          "certificate between is missing)",
          "unknown CA" },
        { "a root nobody trusts", strange,
          "self-signed certificate in certificate chain (Other Root, not trusted)", "unknown CA" },
        { "a chain with SHA-1", old,
          "CA signature digest algorithm too weak (Old Middle, ecdsa-with-SHA1)", "" },
        { "issued by who is no authority", no_authority, "invalid CA certificate", "" },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        edo_tls_certificate own = shown(all[i].leaf);
        edo_tls_options server = { .certificates = &own,
                                   .n_certificates = 1,
                                   .ciphers = "DEFAULT:@SECLEVEL=0" };
        must_fail(all[i].name, &client, &server, "a.example", all[i].text, all[i].peer);
    }
    edo_tls_certificate own = shown(good);
    edo_tls_options server = { .certificates = &own, .n_certificates = 1 };
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    tls_pair_good(&p); /* with the chain it is good */
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
    pki *const made[] = { other, middle, sha1, good, alone, old, strange, no_authority };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        pki_free(made[i]);
    return 0;
}

TEST_TIMEOUT(chains, 60)
{
    start(chains);
}

static int revoked(void *unused)
{
    (void)unused;
    char *list = pki_crl(world.root, world.server), *empty = pki_crl(world.root, NULL);
    edo_tls_options client = { .ca_pem = world.root->cert_pem,
                               .crl_file = pki_file("revoked.pem", list) };
    edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
    must_fail("revoked", &client, &server, "a.example", "certificate revoked (a.example)",
              "certificate revoked");
    /* With a list of another authority only, nothing is known. */
    pki *other = pki_make(&(pki_options){ .name = "Other Root", .authority = true });
    char *strange = pki_crl(other, NULL);
    client.crl_file = pki_file("strange.pem", strange);
    must_fail("no list", &client, &server, "a.example", "unable to get certificate CRL (a.example)",
              "");
    client.crl_file = pki_file("empty.pem", empty);
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    tls_pair_good(&p);
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
    pki_free(other);
    free(strange);
    free(list);
    free(empty);
    return 0;
}

TEST(revoked)
{
    start(revoked);
}

static int system_roots(void *unused)
{
    (void)unused;
    edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
    must_fail("not one of the system's roots", NULL, &server, "a.example",
              "unable to get local issuer certificate (a.example, issued by Test Root",
              "unknown CA");
    CHECK_INT(setenv("SSL_CERT_FILE", pki_file("roots.pem", world.root->cert_pem), 1), ==, 0);
    tls_pair p = { .client_config = tls_config(NULL),
                   .server_config = tls_config(&server),
                   .host = "a.example:443" };
    tls_pair_good(&p);
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    /* Own roots are instead of the system's, unless both are wanted. */
    pki *other = pki_make(&(pki_options){ .name = "Other Root", .authority = true });
    edo_tls_options client = { .ca_pem = other->cert_pem };
    must_fail("own roots only", &client, &server, "a.example", "unable to get local issuer", "");
    client.system_roots = true;
    p.client_config = tls_config(&client);
    tls_pair_good(&p);
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
    pki_free(other);
    return 0;
}

TEST(system_roots)
{
    start(system_roots);
}

/* Nothing in common: versions, ciphers, protocols inside. */
static int nothing_in_common(void *unused)
{
    (void)unused;
    static const char *const h2[] = { "h2" }, *const http1[] = { "http/1.1" };
    edo_tls_options client = { .ca_pem = world.root->cert_pem };
    edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
    client.max_version = EDO_TLS_1_2;
    server.min_version = EDO_TLS_1_3;
    must_fail("versions", &client, &server, "a.example",
              "refused by the other side: protocol version",
              "no version of TLS in common (unsupported protocol)");
    server.min_version = EDO_TLS_VERSION_DEFAULT;
    client.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    server.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
    must_fail("ciphers", &client, &server, "a.example",
              "refused by the other side: handshake failure", "no cipher in common");
    client = (edo_tls_options){ .ca_pem = world.root->cert_pem, .alpn = h2, .n_alpn = 1 };
    server = (edo_tls_options){
        .certificates = &world.own, .n_certificates = 1, .alpn = http1, .n_alpn = 1
    };
    must_fail("alpn", &client, &server, "a.example",
              "refused by the other side: no application protocol", "no protocol in common (ALPN)");
    return 0;
}

TEST(nothing_in_common)
{
    start(nothing_in_common);
}

/* ---- the client's certificate ---- */

static edo_tls_options client_side(const edo_tls_certificate *own)
{
    return (edo_tls_options){ .ca_pem = world.root->cert_pem,
                              .certificates = own,
                              .n_certificates = own != NULL };
}

/* The server refuses this client; with TLS 1.3 it learns of it when it reads. */
static void client_refused(const edo_tls_certificate *own, edo_tls_version version,
                           const char *text, const char *peer)
{
    edo_tls_options client = client_side(own);
    edo_tls_options server = { .certificates = &world.own,
                               .n_certificates = 1,
                               .ca_pem = world.root->cert_pem,
                               .max_version = version,
                               .client_auth = EDO_TLS_CLIENT_REQUIRED };
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    tls_pair_open(&p);
    CHECK_INT(p.server_rc, ==, EDO_ETLS);
    tls_contains(p.server_error.text, text);
    if (p.client_rc == 0) {
        char byte;
        CHECK_INT(edo_read(p.client, &byte, 1), ==, EDO_ETLS);
        tls_contains(edo_tls_reason(p.client), peer);
    } else {
        CHECK_INT(p.client_rc, ==, EDO_ETLS);
        tls_contains(p.client_error.text, peer);
    }
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
}

static void client_welcome(const edo_tls_certificate *own, edo_tls_client_auth auth,
                           const char *who)
{
    edo_tls_options client = client_side(own);
    edo_tls_options server = { .certificates = &world.own,
                               .n_certificates = 1,
                               .ca_pem = world.root->cert_pem,
                               .client_auth = auth };
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    edo_tls_info info;
    char byte;
    tls_pair_good(&p);
    CHECK_INT(edo_tls_describe(p.server, &info), ==, 0);
    CHECK_STR(info.subject, who);
    CHECK_INT(info.verified, ==, who != NULL);
    CHECK_INT(edo_write(p.server, "x", 1), ==, 1);
    CHECK_INT(edo_read(p.client, &byte, 1), ==, 1);
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
}

static int client_certificate(void *unused)
{
    (void)unused;
    pki *good = pki_make(&(pki_options){ .name = "client", .issuer = world.root });
    pki *other = pki_make(&(pki_options){ .name = "Other Root", .authority = true });
    pki *strange = pki_make(&(pki_options){ .name = "stranger", .issuer = other });
    pki *late = pki_make(&(pki_options){
        .name = "late", .issuer = world.root, .from = -9 * DAY, .until = -2 * DAY - 60 });
    edo_tls_certificate g = shown(good), s = shown(strange), l = shown(late);
    for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
        client_refused(NULL, v, "the client has shown no certificate",
                       v == EDO_TLS_1_3 ? "certificate required" : "handshake failure");
        client_refused(&s, v,
                       "unable to get local issuer certificate (stranger, issued by Other Root",
                       "refused by the other side: unknown CA");
        client_refused(&l, v, "certificate has expired (late, 2 days ago)",
                       "refused by the other side: certificate expired");
    }
    client_welcome(&g, EDO_TLS_CLIENT_REQUIRED, "CN=client");
    client_welcome(&g, EDO_TLS_CLIENT_OPTIONAL, "CN=client");
    client_welcome(NULL, EDO_TLS_CLIENT_OPTIONAL, NULL);
    client_welcome(&g, EDO_TLS_CLIENT_NONE, NULL);
    pki_free(good);
    pki_free(other);
    pki_free(strange);
    pki_free(late);
    return 0;
}

TEST(client_certificate)
{
    start(client_certificate);
}

/* ---- configurations that make no sense ---- */

static void no_config(const edo_tls_options *o, int code, const char *text)
{
    edo_tls_config *c;
    edo_tls_error e;
    CHECK_INT(edo_tls_config_create(&c, o, &e), ==, code);
    CHECK_INT(e.code, ==, code);
    tls_contains(e.text, text);
    CHECK_INT(edo_tls_config_create(&c, o, NULL), ==, code);
}

static int bad_configurations(void *unused)
{
    (void)unused;
    static const char *const empty[] = { "" };
    pki *other = pki_make(&(pki_options){ .name = "Other", .alt = ALT, .issuer = world.root });
    const char *nowhere = pki_path("nowhere.pem"),
               *nonsense = pki_file("nonsense.pem", "nonsense\n");
    const char *broken = pki_file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                                "-----END CERTIFICATE-----\n");
    edo_tls_certificate c = { .cert_file = nowhere };
    edo_tls_options o = { .certificates = &c, .n_certificates = 1 };
    no_config(&o, -ENOENT, "nowhere.pem: no such file or directory");
    c.cert_file = nonsense;
    no_config(&o, EDO_ETLS, "nonsense.pem: no start line");
    c.cert_file = broken;
    no_config(&o, EDO_ETLS, "broken.pem: ");
    c = (edo_tls_certificate){ .cert_pem = world.server->cert_pem, .key_pem = other->key_pem };
    no_config(&o, EDO_ETLS, "key: key values mismatch");
    c = (edo_tls_certificate){ .cert_pem = world.server->cert_pem };
    no_config(&o, EDO_ETLS, "key: no key that can be read");
    c = (edo_tls_certificate){ .key_pem = world.server->key_pem };
    no_config(&o, -EINVAL, "cert_file or cert_pem");
    no_config(&(edo_tls_options){ .ca_file = nowhere }, -ENOENT, "nowhere.pem");
    no_config(&(edo_tls_options){ .ca_file = nonsense }, EDO_ETLS, "holds nothing in PEM form");
    no_config(&(edo_tls_options){ .crl_file = nowhere }, -ENOENT, "nowhere.pem");
    no_config(&(edo_tls_options){ .ciphers = "NONE-OF-THESE" }, -EINVAL, "NONE-OF-THESE");
    no_config(&(edo_tls_options){ .ciphersuites = "TLS_NONE" }, -EINVAL, "TLS_NONE");
    no_config(&(edo_tls_options){ .groups = "P-1" }, -EINVAL, "P-1");
    no_config(&(edo_tls_options){ .alpn = empty, .n_alpn = 1 }, -EINVAL, "alpn");
    pki_free(other);

    edo_stream *a, *b, *s = NULL;
    edo_tls_error e;
    edo_tls_config *plain = tls_config(NULL);
    CHECK_OK(edo_duplex(&a, &b, 0));
    CHECK_INT(edo_tls_server(&s, a, plain, &e), ==, -EINVAL);
    CHECK_STR(e.text, "a server needs a certificate");
    CHECK_INT(edo_tls_client(&s, a, NULL, plain, &e), ==, -EINVAL);
    CHECK_INT(edo_tls_client(&s, a, "", plain, &e), ==, -EINVAL);
    CHECK_INT(edo_tls_client(&s, a, "[::1", plain, &e), ==, -EINVAL);
    CHECK_INT(edo_tls_connect(&s, "nothing", plain, &e), ==, -EINVAL);
    CHECK_STR(edo_tls_reason(a), "");
    CHECK_INT(edo_tls_describe(a, &(edo_tls_info){ 0 }), ==, -EINVAL);
    edo_close(a);
    edo_close(b);
    edo_tls_config_destroy(plain);
    edo_tls_config_destroy(NULL);
    return 0;
}

TEST(bad_configurations)
{
    start(bad_configurations);
}

TEST_MAIN()
