/* SPDX-License-Identifier: MIT */
/* The authority's word that a certificate is not revoked, sent along by the server; and what else
 * changes with time: the keys of tickets. */
#include "support.h"

#include "tls/internal.h"

#include <openssl/ocsp.h>

static tls_world world;

static void start(edo_fn *fn)
{
    unsigned before = tls_count_fds();
    tls_world_make(&world);
    tls_run(2, fn, NULL);
    tls_world_free(&world);
    pki_dir_remove();
    CHECK_UINT(tls_count_fds(), ==, before);
}

/* An answer about `about`, signed by `by`, good from and until so many seconds from now. */
static const char *answer(const char *name, const pki *about, const pki *by, int status, long from,
                          long until)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, about->cert, world.root->cert);
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0), *a = X509_gmtime_adj(NULL, from),
              *b = X509_gmtime_adj(NULL, until);
    CHECK(basic != NULL && id != NULL && now != NULL && a != NULL && b != NULL);
    CHECK(OCSP_basic_add1_status(basic, id, status, 0,
                                 status == V_OCSP_CERTSTATUS_REVOKED ? now : NULL, a, b) != NULL);
    CHECK_INT(OCSP_basic_sign(basic, by->cert, by->key, EVP_sha256(), NULL, 0), ==, 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    const char *path = pki_path(name);
    unsigned char *der = NULL;
    FILE *f = fopen(path, "w");
    CHECK(response != NULL && f != NULL);
    int n = i2d_OCSP_RESPONSE(response, &der);
    CHECK_INT(n, >, 0);
    CHECK_UINT(fwrite(der, 1, (size_t)n, f), ==, (size_t)n);
    CHECK_INT(fclose(f), ==, 0);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    ASN1_TIME_free(a);
    ASN1_TIME_free(b);
    return path;
}

/* A connection to a server with that answer; text NULL: it is good. */
static void stapled(const char *file, edo_tls_version version, const char *text)
{
    edo_tls_certificate own = world.own;
    own.ocsp_file = file;
    edo_tls_options client = { .ca_pem = world.root->cert_pem, .must_staple = true };
    edo_tls_options server = { .certificates = &own, .n_certificates = 1, .max_version = version };
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    edo_tls_info info;
    tls_pair_open(&p);
    if (text == NULL) {
        if (p.client_rc < 0)
            FAIL("%s", p.client_error.text);
        CHECK_INT(edo_tls_describe(p.client, &info), ==, 0);
        CHECK(info.stapled && info.verified);
    } else {
        CHECK_INT(p.client_rc, ==, EDO_ETLS);
        tls_contains(p.client_error.text, text);
    }
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
}

static int staples(void *unused)
{
    (void)unused;
    enum { GOOD = V_OCSP_CERTSTATUS_GOOD, REVOKED = V_OCSP_CERTSTATUS_REVOKED };
    const pki *root = world.root, *leaf = world.server;
    pki *other = pki_make(&(pki_options){ .name = "Other Root", .authority = true });
    pki *sibling = pki_make(&(pki_options){ .name = "sibling", .issuer = root });
    for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
        stapled(answer("good", leaf, root, GOOD, -60, 3600), v, NULL);
        stapled(answer("revoked", leaf, root, REVOKED, -60, 3600), v,
                "certificate revoked, says the stapled answer");
        stapled(answer("old", leaf, root, GOOD, -7200, -3600), v,
                "the stapled answer is out of date");
        stapled(answer("early", leaf, root, GOOD, 3600, 7200), v,
                "the stapled answer is out of date");
        stapled(answer("unknown", leaf, root, V_OCSP_CERTSTATUS_UNKNOWN, -60, 3600), v,
                "the authority does not know the certificate");
        stapled(answer("other", sibling, root, GOOD, -60, 3600), v,
                "the stapled answer is about another certificate");
        stapled(answer("forged", leaf, other, GOOD, -60, 3600), v,
                "the stapled answer is not the authority's");
        stapled(pki_file("nonsense", "nonsense"), v, "the stapled answer is damaged");
        stapled(NULL, v, "no proof that its certificate is not revoked");
    }
    pki_free(other);
    pki_free(sibling);
    edo_tls_config *c;
    edo_tls_error e;
    edo_tls_certificate own = world.own;
    own.ocsp_file = pki_path("nowhere");
    edo_tls_options o = { .certificates = &own, .n_certificates = 1 };
    CHECK_INT(edo_tls_config_create(&c, &o, &e), ==, -ENOENT);
    tls_contains(e.text, "nowhere: no such file");
    return 0;
}

TEST_TIMEOUT(staples, 60)
{
    start(staples);
}

/* ---- keys of tickets ---- */

static bool resumed(tls_pair *p)
{
    char byte;
    edo_tls_info info;
    tls_pair_good(p);
    CHECK_INT(edo_write(p->server, "x", 1), ==, 1);
    CHECK_INT(edo_read(p->client, &byte, 1), ==, 1);
    CHECK_INT(edo_tls_describe(p->client, &info), ==, 0);
    tls_pair_close(p);
    return info.resumed;
}

static void hours_pass(edo_tls_config *c, int64_t hours)
{
    c->tickets.now.made -= hours * 3600;
    if (c->tickets.before.made != 0)
        c->tickets.before.made -= hours * 3600;
}

static int ticket_keys_change(void *unused)
{
    (void)unused;
    for (edo_tls_version v = EDO_TLS_1_2; v <= EDO_TLS_1_3; v++) {
        edo_tls_options client = { .ca_pem = world.root->cert_pem };
        edo_tls_options server = { .certificates = &world.own,
                                   .n_certificates = 1,
                                   .max_version = v };
        tls_pair p = { .client_config = tls_config(&client),
                       .server_config = tls_config(&server),
                       .host = "a.example" };
        unsigned char first[TICKET_NAME];
        memcpy(first, p.server_config->tickets.now.name, TICKET_NAME);
        CHECK(!resumed(&p));
        CHECK(resumed(&p));
        hours_pass(p.server_config, 13);
        CHECK(resumed(&p)); /* with the old key; the client gets a ticket of the new one */
        CHECK(memcmp(first, p.server_config->tickets.now.name, TICKET_NAME) != 0);
        CHECK_MEM(p.server_config->tickets.before.name, first, TICKET_NAME);
        CHECK(resumed(&p));
        hours_pass(p.server_config, 25); /* older than any key may be */
        CHECK(!resumed(&p));
        CHECK(resumed(&p));
        edo_tls_config_destroy(p.client_config);
        edo_tls_config_destroy(p.server_config);
    }
    return 0;
}

TEST(ticket_keys_change)
{
    start(ticket_keys_change);
}

/* Roots in a folder, by the hash of their names. */
static int folder_of_roots(void *unused)
{
    (void)unused;
    char name[32], twice[128];
    snprintf(name, sizeof name, "%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(world.root->cert), NULL, NULL, NULL));
    pki_file(name, world.root->cert_pem);
    snprintf(twice, sizeof twice, "%s", pki_dir);
    edo_tls_options client = { .ca_dir = twice };
    edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
    tls_pair p = { .client_config = tls_config(&client),
                   .server_config = tls_config(&server),
                   .host = "a.example" };
    tls_pair_good(&p);
    tls_pair_close(&p);
    edo_tls_config_destroy(p.client_config);
    edo_tls_config_destroy(p.server_config);
    return 0;
}

TEST(folder_of_roots)
{
    start(folder_of_roots);
}

TEST_MAIN()
