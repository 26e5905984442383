/* SPDX-License-Identifier: MIT */
/* HTTP client: a request and the client's settings, as options of a curl easy handle. */
#include "internal.h"

#include <string.h>
#include <strings.h>

/* "Name: value" without control characters, which could smuggle in a header of their own. */
bool http__header_valid(const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line)
        return false;
    for (const char *p = line; *p; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return false;
        if (p < colon && (*p == ' ' || *p == '\t'))
            return false;
    }
    return true;
}

bool http__header_same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, ":");
    return n == strcspn(b, ":") && strncasecmp(a, b, n) == 0;
}

static bool method_valid(const char *method)
{
    if (*method == '\0' || strlen(method) > 32)
        return false;
    for (; *method; method++)
        if (!((*method >= 'A' && *method <= 'Z') || (*method >= 'a' && *method <= 'z') ||
              *method == '-'))
            return false;
    return true;
}

static bool has_header(const edo_http_request *q, const char *name)
{
    for (size_t i = 0; i < q->n_headers; i++)
        if (http__header_same_name(q->headers[i], name))
            return true;
    return false;
}

static int append(struct transfer *t, const char *line)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (!list)
        return -ENOMEM;
    t->headers = list;
    return 0;
}

/* curl leaves a header out for "Name:", and wants "Name;" for one that is empty; a caller who says
 * "Name:" means the former. */
static int set_headers(struct transfer *t)
{
    const edo_http_request *q = t->request;
    const struct settings *settings = &t->client->settings;
    int rc = 0;
    for (size_t i = 0; i < q->n_headers && rc == 0; i++)
        rc = http__header_valid(q->headers[i]) ? append(t, q->headers[i]) : -EINVAL;
    for (size_t i = 0; i < settings->n_headers && rc == 0; i++)
        if (!has_header(q, settings->headers[i]))
            rc = append(t, settings->headers[i]);
    if (rc == 0 && !has_header(q, "Expect:"))
        rc = append(t, "Expect:"); /* or curl waits a second for a 100 before a large body */
    if (rc == 0 && q->body && !has_header(q, "Content-Type:"))
        rc = append(t, "Content-Type:"); /* or curl calls it a form */
    if (rc == 0 && curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) != CURLE_OK)
        rc = -ENOMEM;
    return rc;
}

/* GET, HEAD and POST as curl's own, so that a redirect changes them as it should; others by
 * name. */
static CURLcode set_method(struct transfer *t)
{
    const edo_http_request *q = t->request;
    const char *method = q->method ? q->method : q->body ? "POST" : "GET";
    CURL *easy = t->easy;
    if (!method_valid(method))
        return CURLE_BAD_FUNCTION_ARGUMENT;
    CURLcode cc = CURLE_OK;
    bool post = strcmp(method, "POST") == 0;
    if (q->body || post) {
        cc |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        cc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
        cc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->body ? q->body : "");
    } else if (strcmp(method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") == 0) {
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    if (!post)
        cc |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    return cc;
}

static CURLcode set_redirects(struct transfer *t)
{
    int max = t->request->max_redirects;
    CURLcode cc = curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, max < 0 ? 0L : 1L);
    cc |= curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS,
                           max > 0 ? (long)max : (long)HTTP_REDIRECTS_DEFAULT);
    cc |= curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    cc |= curl_easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    return cc;
}

static CURLcode set_tls(struct transfer *t)
{
    const struct settings *s = &t->client->settings;
    CURL *easy = t->easy;
    CURLcode cc = CURLE_OK;
    /* Roots that were read are kept with the multi handle for a day, but only when they come from a
     * file alone: so no directory of certificates. */
    cc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (s->ca_file)
        cc |= curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file);
    if (s->cert_file) {
        cc |= curl_easy_setopt(easy, CURLOPT_SSLCERT, s->cert_file);
        cc |= curl_easy_setopt(easy, CURLOPT_SSLKEY, s->key_file ? s->key_file : s->cert_file);
    }
    if (s->tls_no_verify) {
        cc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        cc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    cc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           (long)(s->http1_only ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    /* Requests that start together wait to learn whether one HTTP/2 connection will do for all. */
    if (!s->http1_only && curl_strnequal(t->request->url, "https:", 6))
        cc |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    return cc;
}

static CURLcode set_common(struct transfer *t)
{
    const struct settings *s = &t->client->settings;
    CURL *easy = t->easy;
    CURLcode cc = http__sockets_install(t->client, easy);
    cc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    cc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_text);
    cc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A cancel in the middle of getaddrinfo() does not wait for its thread. */
    cc |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    cc |= curl_easy_setopt(easy, CURLOPT_SHARE, t->client->share);
    cc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L << 10);
    cc |= curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    cc |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    cc |= curl_easy_setopt(easy, CURLOPT_URL, t->request->url);
    if (s->user_agent)
        cc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, s->user_agent);
    if (s->proxy)
        cc |= curl_easy_setopt(easy, CURLOPT_PROXY, s->proxy);
    return cc;
}

/* Returns 0, -EINVAL or -ENOMEM. */
int http__easy_setup(struct transfer *t)
{
    if (!t->request->url)
        return -EINVAL;
    CURLcode cc = set_common(t);
    cc |= set_method(t);
    cc |= set_redirects(t);
    cc |= set_tls(t);
    if (cc != CURLE_OK)
        return -EINVAL;
    int rc = http__sink_install(t);
    return rc < 0 ? rc : set_headers(t);
}
